//! Findings of which there may be a million: each rule is cut by itself, so that none hides another.

use std::collections::HashMap;

use crate::finding::Finding;

/// Findings of one rule that are told of one document or archive; nobody reads more.
pub(crate) const MAX_FINDINGS: usize = 1000;

/// Findings, at most [`MAX_FINDINGS`] of each rule; the last of a rule that has more says how many.
#[derive(Default)]
pub(crate) struct Capped {
    found: Vec<Finding>,
    counts: HashMap<&'static str, Count>,
}

#[derive(Default)]
struct Count {
    all: usize,
    /// Where the last one that is told stands.
    last: usize,
}

impl Capped {
    /// Takes a finding, or counts it.
    pub(crate) fn push(&mut self, finding: Finding) {
        let count = self.counts.entry(finding.rule.name).or_default();
        count.all += 1;
        if count.all <= MAX_FINDINGS {
            count.last = self.found.len();
            self.found.push(finding);
        }
    }

    /// Everything in order.
    pub(crate) fn end(mut self, out: &mut Vec<Finding>) {
        for count in self.counts.values().filter(|count| count.all > MAX_FINDINGS) {
            self.found[count.last].omit((count.all - MAX_FINDINGS) as u64);
        }
        out.append(&mut self.found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Rule;
    use crate::location::Location;
    use crate::rules::members;

    #[test]
    fn each_rule_is_counted_by_itself() {
        for n in [MAX_FINDINGS, MAX_FINDINGS + 1, MAX_FINDINGS + 7] {
            let mut capped = Capped::default();
            let mut push = |rule: &'static Rule| capped.push(Finding::new(rule, Location::archive(), "x"));
            (0..n).for_each(|_| push(&members::NULL_MEMBER));
            push(&members::CASE_CONFLICT);
            let mut out = Vec::new();
            capped.end(&mut out);
            assert_eq!(out.len(), MAX_FINDINGS + 1);
            let more = match n - MAX_FINDINGS {
                0 => "x".to_owned(),
                more => format!("x; so it is with {more} more"),
            };
            assert_eq!(out[MAX_FINDINGS - 1].message, more);
            assert_eq!(out[MAX_FINDINGS].message, "x");
            assert_eq!(out[MAX_FINDINGS].rule.name, members::CASE_CONFLICT.name);
        }
    }
}
