//! Findings and the ways to show them.
//!
//! Rules make [`Finding`]s with symbolic locations. [`locate`] turns these into places, [`excerpt`] cuts
//! the few lines around them out of a document, [`escape()`] keeps archive text from being obeyed by a
//! terminal, and one module for each format writes them. Renderers see an archive only through
//! [`Documents`].

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Component, Path, PathBuf};

use bstr::{BStr, ByteSlice};

mod escape;
pub mod excerpt;
mod finding;
pub mod fix;
#[cfg(test)]
pub(crate) mod fixture;
pub mod github;
pub mod human;
pub mod json;
pub mod junit;
pub mod locate;
pub mod sarif;

pub use escape::{escape, escape_str, utf8};
pub use finding::{At, Finding, Label, Location, MemberId};
pub use fix::{Change, Edit, Fix, Target, quoted};
pub use locate::{Document, Documents, Lines, Locator, Place, Position};

use crate::rules::{Level, Rule};

/// One judged source, as the formats for machines take it.
pub struct Source<'a> {
    /// Names and texts of its members; its place is SOURCE as typed.
    pub docs: &'a dyn Documents,
    /// The file or folder; `None` for standard input.
    pub path: Option<&'a Path>,
    /// What its members are to the file system.
    pub container: Container,
    /// The form's ID, such as `oci`.
    pub form: &'a str,
    /// The images in it, in source order; only JUnit asks.
    pub images: &'a [Image],
    /// What was found, in the order of [`sort`]; none of level `Allow`.
    pub findings: &'a [(Level, &'a Finding)],
}

/// What the members of a source are to the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// Parts of one file.
    Tar,
    /// Files of their own in a folder.
    Folder,
    /// The one member is the file itself.
    Document,
}

impl Source<'_> {
    /// The file that holds `member`: itself in a folder, else the archive; no `.` in it. `None` for standard input.
    fn file(&self, member: Option<MemberId>) -> Option<PathBuf> {
        let mut path = self.path?.to_owned();
        if let Some(member) = member.filter(|_| self.container == Container::Folder) {
            path.push(self.docs.name(member).to_path_lossy());
        }
        let clean: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
        Some(if clean.as_os_str().is_empty() { path } else { clean })
    }
}

/// An image and the members that it is made of.
#[derive(Debug, Clone, Default)]
pub struct Image {
    /// Its name as people read it, with the platform if one name stands for several images; not escaped.
    pub name: String,
    /// Manifest, config and layers.
    pub members: BTreeSet<MemberId>,
}

/// A format for machines: sources are added one by one, and one whole document comes out at the end.
pub trait Renderer {
    /// Adds a source that was judged.
    fn add(&mut self, source: &Source<'_>);
    /// Adds a source that could not be judged, and why.
    fn failed(&mut self, place: &str, why: &str);
    /// Writes the document; it ends with a line feed, if it is not empty.
    ///
    /// # Errors
    ///
    /// `out` cannot be written to.
    fn finish(self: Box<Self>, out: &mut dyn io::Write) -> io::Result<()>;
}

/// The advice that goes with a finding: its own, else the first paragraph of the rule's; `None` if there is none.
pub fn advice(finding: &Finding, docs: &dyn Documents) -> Option<String> {
    let Some(own) = &finding.help else { return of_rule(finding.rule) };
    let named = |change: &Change| match change.target {
        Target::Member(member) if change.edit.is_inside() => names_a_digest(docs.name(member)),
        _ => false,
    };
    let stale = finding.fix.as_ref().is_some_and(|fix| fix.changes.iter().any(named));
    Some(if stale { format!("{own}; the document's digest changes with it") } else { own.clone() })
}

/// The first paragraph of how to mend what a rule finds, written as other advice is: in lower case, without full stop.
fn of_rule(rule: &Rule) -> Option<String> {
    let first = rule.mend.split("\n\n").next().unwrap_or_default();
    let mut text = first.split_whitespace().collect::<Vec<_>>().join(" ");
    if text == "Nothing to mend." {
        return None;
    }
    let lower = |c: char| c.is_lowercase() || c == ' ';
    if text.chars().nth(1).is_some_and(lower) {
        text.get_mut(..1).into_iter().for_each(str::make_ascii_lowercase);
    }
    text.truncate(text.trim_end_matches('.').len());
    Some(text).filter(|text| !text.is_empty())
}

/// Whether a member's name ends with a digest, so that a change of its bytes needs another name.
fn names_a_digest(name: &BStr) -> bool {
    let hex = name.strip_suffix(b".json").unwrap_or(name).iter().rev().take_while(|b| b.is_ascii_hexdigit());
    hex.count() >= 64
}

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
    /// Places at fault that no finding names, since there are too many.
    pub omitted: u64,
}

impl Summary {
    /// Counts findings; those of level `Allow` do not count.
    pub fn of(findings: &[(Level, &Finding)]) -> Summary {
        let mut summary = Summary::default();
        for (level, finding) in findings {
            match level {
                Level::Error => summary.errors += 1,
                Level::Warning => summary.warnings += 1,
                Level::Note => summary.notes += 1,
                Level::Allow => continue,
            }
            summary.omitted += finding.omitted;
        }
        summary
    }
}

impl std::ops::AddAssign for Summary {
    fn add_assign(&mut self, more: Summary) {
        self.errors += more.errors;
        self.warnings += more.warnings;
        self.notes += more.notes;
        self.omitted += more.omitted;
    }
}

impl fmt::Display for Summary {
    /// `1 error, 2 warnings`, with `; 3 more not told` where places were left out; `no findings` if there is nothing
    /// to count.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [(self.errors, "error"), (self.warnings, "warning"), (self.notes, "note")];
        let mut comma = "";
        for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
            let plural = if count == 1 { "" } else { "s" };
            write!(f, "{comma}{count} {what}{plural}")?;
            comma = ", ";
        }
        match self.omitted {
            _ if comma.is_empty() => f.write_str("no findings"),
            0 => Ok(()),
            omitted => write!(f, "; {omitted} more not told"),
        }
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

    /// Seconds that sorting and every format take for so many findings in one document.
    fn seconds((docs, mut findings): (fixture::Archive, Vec<Finding>)) -> f64 {
        let count = findings.len();
        findings.reverse();
        let began = std::time::Instant::now();
        sort(&mut findings, &docs);
        let levelled: Vec<_> = findings.iter().map(|finding| (finding.rule.level, finding)).collect();
        let opts = human::HumanOptions { color: true, unicode: true, width: 100 };
        assert!(human::render(&levelled, &docs, opts).len() < 10_000, "equal faults are grouped");
        let path = Some(Path::new("app.tar"));
        let (container, form, images) = (Container::Tar, "oci", &[][..]);
        let source = Source { docs: &docs, path, container, form, images, findings: &levelled };
        let renderers: [Box<dyn Renderer>; 4] = [
            Box::<json::Json>::default(),
            Box::<sarif::Sarif>::default(),
            Box::<junit::Junit>::default(),
            Box::<github::Github>::default(),
        ];
        for mut renderer in renderers {
            renderer.add(&source);
            assert!(fixture::text(renderer).len() > count * 50);
        }
        began.elapsed().as_secs_f64()
    }

    /// Four times as many findings would take sixteen times as long if anything were quadratic.
    #[test]
    fn findings_cost_in_proportion() {
        let (few, many) = (seconds(fixture::of_one_kind(1_000)), seconds(fixture::of_one_kind(4_000)));
        assert!(many < 10.0 * few, "{few} s for 1,000, {many} s for 4,000");
    }

    /// The same of objects with very many names.
    #[test]
    fn findings_of_names_cost_in_proportion() {
        let (few, many) = (seconds(fixture::of_names(2_000)), seconds(fixture::of_names(16_000)));
        assert!(many < 20.0 * few, "{few} s for 2,000, {many} s for 16,000");
    }

    #[test]
    fn summaries() {
        use Level::{Allow, Error, Note, Warning};
        let (_, findings) = fixture::everything();
        let plain = &findings[0];
        let of = |levels: &[Level]| {
            let findings: Vec<_> = levels.iter().map(|level| (*level, plain)).collect();
            Summary::of(&findings).to_string()
        };
        assert_eq!(of(&[Error, Warning, Allow, Warning]), "1 error, 2 warnings");
        assert_eq!(of(&[Note, Note]), "2 notes");
        assert_eq!(of(&[Allow]), "no findings");
        let mut more = plain.clone();
        more.omit(34);
        assert!(more.message.ends_with("; so it is with 34 more"), "{}", more.message);
        let mut summary = Summary::of(&[(Error, plain), (Error, &more)]);
        assert_eq!(summary.to_string(), "2 errors; 34 more not told");
        summary += summary;
        assert_eq!(summary.to_string(), "4 errors; 68 more not told");
    }
}
