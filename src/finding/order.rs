//! Findings in the order of reports, their advice, and how many there are.

use std::fmt;

use bstr::BStr;

use super::{Change, Documents, Finding, Level, Locator, Rule, Target};
use crate::location::At;

/// The advice that goes with a finding: its own words, else the first paragraph of the rule's, and the command that does it;
/// `None` if there is none.
pub fn advice(finding: &Finding, docs: &dyn Documents) -> Option<String> {
    let text = words(finding, docs)?;
    Some(match &finding.command {
        Some(command) => format!("{text}: `{command}`"),
        None => text,
    })
}

fn words(finding: &Finding, docs: &dyn Documents) -> Option<String> {
    let Some(own) = &finding.help else { return of_rule(finding.rule) };
    let named = |change: &Change| match change.target {
        Target::Member(member) if change.edit.is_inside() => names_a_digest(&docs.name(member)),
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
