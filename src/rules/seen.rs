//! What tools were seen to do with what a rule finds, in lines for its page.
//!
//! `seen.json` follows from what was recorded of real tools, `evidence.json`: `tests/cases/rules/claims.rs` holds the one
//! to the other, and each rule's [`breaks`](crate::finding::Rule::breaks) to both.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::finding::Rule;

/// Each line once, and by the rule's name the numbers of its lines.
const SEEN: &str = include_str!("seen.json");

#[derive(Default, serde::Deserialize)]
struct Table {
    lines: Vec<String>,
    rules: BTreeMap<String, Vec<usize>>,
}

/// Lines by the name of their rule. The text is a part of this program, and a test parses it.
fn all() -> BTreeMap<String, Vec<String>> {
    let table: Table = serde_json::from_str(SEEN).unwrap_or_default();
    let named = |numbers: Vec<usize>| numbers.iter().filter_map(|&n| table.lines.get(n).cloned()).collect();
    table.rules.into_iter().map(|(rule, numbers)| (rule, named(numbers))).collect()
}

/// What tools were seen to do with every case of a rule, a line for each that did the same: `Docker 20.10.24 (load)
/// refuses it: …`. Empty if no tool has a way to be asked.
pub fn of(rule: &Rule) -> &'static [String] {
    static PARSED: OnceLock<BTreeMap<String, Vec<String>>> = OnceLock::new();
    PARSED.get_or_init(all).get(rule.name).map_or(&[], Vec::as_slice)
}

impl Rule {
    /// What tools were seen to do with what it finds, in lines; empty if none could be asked.
    pub fn seen(&self) -> &'static [String] {
        of(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules;

    #[test]
    fn every_tool_that_breaks_is_named_with_its_version() {
        let parsed: Table = serde_json::from_str(SEEN).expect("JSON");
        for (name, numbers) in &parsed.rules {
            assert!(numbers.iter().all(|&n| n < parsed.lines.len()), "{name} has a line that is not there");
            assert!(rules::all().iter().any(|rule| rule.name == name), "{name} is no rule");
        }
        for rule in rules::all() {
            for tool in rule.breaks {
                let named = |line: &String| line.contains(&format!("{} ", tool.name()));
                assert!(of(rule).iter().any(named), "{}: nothing is told of {}", rule.name, tool.name());
            }
        }
    }
}
