//! Findings and the ways to show them.
//!
//! Rules make [`Finding`]s with symbolic locations. [`locate`] turns these into places, [`excerpt`] cuts
//! the few lines around them out of a document, [`escape()`] keeps archive text from being obeyed by a
//! terminal, and one module for each format writes them. Renderers see an archive only through
//! [`Documents`].

use std::fmt;

mod escape;
pub mod excerpt;
mod finding;
#[cfg(test)]
pub(crate) mod fixture;
pub mod human;
pub mod locate;

pub use escape::{escape, escape_str};
pub use finding::{At, Finding, Label, Location, MemberId};
pub use locate::{Document, Documents, Lines, Locator, Place, Position};

use crate::rules::Level;

/// Sorts findings as they are reported: by member (the archive as a whole first), offset, pointer, rule
/// and message. The order depends on nothing else, so the same input gives the same report whatever the
/// number of jobs.
pub fn sort(findings: &mut [Finding], docs: &dyn Documents) {
    let locator = Locator::new(docs);
    findings.sort_by_cached_key(|finding| {
        let location = &finding.primary.location;
        let offset = match (locator.span(location), &location.at) {
            (Some(span), _) => span.start as u64,
            (None, At::Offset(offset) | At::Entry { offset, .. }) => *offset,
            (None, At::Span(span)) => span.start as u64,
            (None, _) => 0,
        };
        (location.member, offset, location.at.clone(), finding.rule.name, finding.message.clone())
    });
}

/// How many findings there are of each level.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Findings of level `Error`: exit 1 if there is one.
    pub errors: usize,
    /// Findings of level `Warning`.
    pub warnings: usize,
    /// Findings of level `Note`.
    pub notes: usize,
}

impl Summary {
    /// Counts levels; `Allow` does not count.
    pub fn of(levels: impl IntoIterator<Item = Level>) -> Summary {
        let mut summary = Summary::default();
        for level in levels {
            match level {
                Level::Error => summary.errors += 1,
                Level::Warning => summary.warnings += 1,
                Level::Note => summary.notes += 1,
                Level::Allow => {}
            }
        }
        summary
    }
}

impl fmt::Display for Summary {
    /// `1 error, 2 warnings`; `no findings` if there is nothing to count.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [(self.errors, "error"), (self.warnings, "warning"), (self.notes, "note")];
        let mut comma = "";
        for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
            let plural = if count == 1 { "" } else { "s" };
            write!(f, "{comma}{count} {what}{plural}")?;
            comma = ", ";
        }
        if comma.is_empty() { f.write_str("no findings") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_in_the_order_of_the_source() {
        let (docs, findings) = fixture::everything();
        let mut sorted = findings.clone();
        sort(&mut sorted, &docs);
        let mut reversed: Vec<_> = findings.into_iter().rev().collect();
        sort(&mut reversed, &docs);
        let messages = |findings: &[Finding]| findings.iter().map(|f| f.message.clone()).collect::<Vec<_>>();
        assert_eq!(messages(&sorted), messages(&reversed));
        let places: Vec<_> = sorted.iter().map(|f| f.primary.location.member).collect();
        assert!(places.is_sorted(), "{places:?}");
        let index: Vec<_> =
            sorted.iter().filter(|f| f.primary.location.member == Some(MemberId(0))).collect();
        let rules: Vec<_> = index.iter().map(|f| f.rule.name).collect();
        assert_eq!(rules, ["descriptor/missing-size", "json/key-case"]);
    }

    #[test]
    fn layers_are_sorted_by_offset_not_by_the_text_of_the_pointer() {
        let (docs, mut findings) = fixture::many();
        findings.reverse();
        sort(&mut findings, &docs);
        assert_eq!(findings[0].rule.name, "tar/padding");
        assert!(findings[10].message.starts_with("layer 9 "), "{}", findings[10].message);
    }

    #[test]
    fn summaries() {
        use Level::{Allow, Error, Note, Warning};
        assert_eq!(Summary::of([Error, Warning, Allow, Warning]).to_string(), "1 error, 2 warnings");
        assert_eq!(Summary::of([Note, Note]).to_string(), "2 notes");
        assert_eq!(Summary::of([Allow]).to_string(), "no findings");
    }
}
