//! Which level a rule has in one run: as written, then the flags in order, the last one wins (design.md 5).

use std::collections::HashMap;

use super::{Integrity, Level, Rule, all};
use crate::error::{Error, Result};

/// The levels in force.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    overrides: HashMap<&'static str, Level>,
}

impl Policy {
    /// Applies `-A`, `-W` or `-D` for a rule, a family or `all`.
    pub fn set(&mut self, selector: &str, level: Level) -> Result<()> {
        let matching: Vec<&'static Rule> = all()
            .into_iter()
            .filter(|rule| selector == "all" || rule.name == selector || rule.family() == selector)
            .collect();
        if matching.is_empty() {
            return Err(unknown(selector));
        }
        for rule in matching {
            self.overrides.insert(rule.name, level);
        }
        Ok(())
    }

    /// The level of a rule. What conversion cannot survive stays an error there, whatever the flags say.
    pub fn level(&self, rule: &Rule) -> Level {
        self.overrides.get(rule.name).copied().unwrap_or(rule.level)
    }

    /// Whether a finding of this rule keeps `convert` from writing.
    pub fn blocks(&self, rule: &Rule) -> bool {
        match rule.integrity {
            Integrity::Hard => true,
            Integrity::Soft => self.level(rule) == Level::Error,
            Integrity::No => false,
        }
    }
}

/// An unknown name is an error that suggests the nearest one.
pub fn unknown(selector: &str) -> Error {
    let rules = all();
    let names = rules.iter().flat_map(|rule| [rule.name, rule.family()]);
    let nearest = names.min_by_key(|name| strsim::damerau_levenshtein(name, selector)).unwrap_or_default();
    Error::refused_help(
        format!("there is no rule or family of rules called `{selector}`"),
        format!("did you mean `{nearest}`? `restow explain` lists all"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::blob;

    #[test]
    fn the_last_flag_wins() {
        let mut policy = Policy::default();
        policy.set("all", Level::Warning).expect("all");
        policy.set("descriptor/size-mismatch", Level::Allow).expect("rule");
        assert_eq!(policy.level(&blob::SIZE_MISMATCH), Level::Allow);
        policy.set("descriptor", Level::Error).expect("family");
        assert_eq!(policy.level(&blob::SIZE_MISMATCH), Level::Error);
    }

    #[test]
    fn hard_rules_block_whatever_the_flags_say() {
        let mut policy = Policy::default();
        policy.set("all", Level::Allow).expect("all");
        assert!(policy.blocks(&blob::DIGEST_MISMATCH));
        assert!(!policy.blocks(&blob::SIZE_MISMATCH));
    }

    #[test]
    fn an_unknown_name_suggests_the_nearest() {
        let error = Policy::default().set("blob/digest-mismach", Level::Allow).expect_err("unknown");
        assert!(error.help().expect("help").contains("`blob/digest-mismatch`"));
    }
}
