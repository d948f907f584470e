//! Which fixes can be made together: what one of them changes no other may change otherwise.

use std::collections::{HashMap, HashSet};

use super::{Applicability, Change, Edit, Finding, Fix, Target};

/// Which fixes are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fixing {
    /// Those that follow from the archive itself.
    Safe,
    /// Those that rest on what only people know, too.
    All,
}

impl Fixing {
    /// Whether a fix is one of them.
    pub fn takes(self, fix: &Fix) -> bool {
        match fix.applicability() {
            Applicability::Safe => true,
            Applicability::Maybe => self == Fixing::All,
            Applicability::DisplayOnly => false,
        }
    }
}

/// What may be done with a fix beside the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Together {
    /// It can be made.
    Now,
    /// It is inside what another one changes: once that is done it may be needed no more, or be another one.
    Later,
    /// Another one changes the same otherwise: nobody but people can say which is meant.
    Conflict,
}

/// A part of an archive that changes: a member, and a pointer into it or the whole.
type Part<'a> = (&'a Target, Option<&'a str>);

/// Says of each finding's fix whether it can be made with the others, in their order; what has none can be made by all.
pub fn together(findings: &[&Finding]) -> Vec<Together> {
    let mut wanted: HashMap<Part<'_>, HashSet<&Edit>> = HashMap::new();
    let all: Vec<Vec<&Change>> =
        findings.iter().map(|found| found.fix.iter().flat_map(|fix| &fix.changes).collect()).collect();
    for change in all.iter().flatten() {
        wanted.entry((&change.target, change.edit.pointer())).or_default().insert(&change.edit);
    }
    let conflict = |part: Part<'_>| wanted.get(&part).is_some_and(|edits| edits.len() > 1);
    let verdict = |changes: &Vec<&Change>| {
        let parts = || changes.iter().map(|change| (&change.target, change.edit.pointer()));
        if parts().any(conflict) {
            return Together::Conflict;
        }
        // A member that is cut, moved or replaced as a whole is looked at anew before anything inside it changes; so is what
        // stands in a value that another fix replaces.
        let around = |(target, pointer): Part<'_>| {
            let Some(pointer) = pointer else { return false };
            let outer = pointer.match_indices('/').map(|(at, _)| &pointer[..at]);
            let own = |part: &Part<'_>| parts().any(|other| other == *part);
            let mut outer = outer.map(|outer| (target, Some(outer))).chain([(target, None)]);
            outer.any(|part| wanted.contains_key(&part) && !own(&part))
        };
        if parts().any(around) { Together::Later } else { Together::Now }
    };
    all.iter().map(verdict).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::location::{Location, MemberId};
    use crate::render::fixture;

    fn set(pointer: &str, value: &str) -> Finding {
        let at = Location::pointer(MemberId(0), pointer);
        Finding::new(&fixture::SIZE, at.clone(), "it is wrong").set(&at, value)
    }

    fn verdicts(findings: &[Finding]) -> Vec<Together> {
        together(&findings.iter().collect::<Vec<_>>())
    }

    #[test]
    fn two_values_for_one_place_are_a_conflict_and_one_value_is_none() {
        use Together::{Conflict, Now};
        assert_eq!(verdicts(&[set("/a", "1"), set("/b", "2")]), [Now, Now]);
        assert_eq!(verdicts(&[set("/a", "1"), set("/a", "1")]), [Now, Now]);
        assert_eq!(verdicts(&[set("/a", "1"), set("/b", "1"), set("/a", "2")]), [Conflict, Now, Conflict]);
    }

    #[test]
    fn what_is_inside_waits() {
        use Together::{Later, Now};
        assert_eq!(verdicts(&[set("/a/b/c", "1"), set("/a", "{}"), set("/ab", "1")]), [Later, Now, Now]);
        let member = Target::Member(MemberId(0));
        let cut = Finding::new(&fixture::SIZE, Location::member(MemberId(0)), "it is wrong");
        let cut = cut.change(member, Edit::Cut(crate::json::Span { start: 0, end: 3 }));
        assert_eq!(verdicts(&[set("/a", "1"), cut]), [Later, Now]);
    }

    #[test]
    fn a_fix_is_made_as_a_whole() {
        let at = Location::pointer(MemberId(0), "/x");
        let both = set("/a", "1").set(&at, "2");
        assert_eq!(verdicts(&[both, set("/x", "3")]), [Together::Conflict; 2]);
    }

    #[test]
    fn what_is_taken() {
        let sure = set("/a", "1");
        let unsure = set("/a", "1").assuming("it is so");
        let fix = |finding: &Finding| finding.fix.clone().expect("a fix");
        assert!(Fixing::Safe.takes(&fix(&sure)) && !Fixing::Safe.takes(&fix(&unsure)));
        assert!(Fixing::All.takes(&fix(&unsure)) && !Fixing::All.takes(&Fix::default()));
    }
}
