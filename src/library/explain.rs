//! What rules mean, what messages of other tools mean, and the shapes that documents must have.
//!
//! [`explain()`](explain()) finds a [`Rule`] by its name; [`error`] what lies behind a message that docker, podman, containerd,
//! skopeo, a registry or Kubernetes printed.
//!
//! # Example
//!
//! ```
//! for message in restow::explain::error("Error: manifest unknown: manifest unknown") {
//!     println!("{}: {}", message.means, message.prove);
//! }
//! for rule in restow::explain("descriptor") {
//!     println!("{} ({}): {}", rule.name, rule.level.name(), rule.checks);
//! }
//! assert_eq!(restow::explain("size-mismatch").len(), 1);
//! ```

use crate::finding::Rule;
pub use crate::finding::{Integrity, Remedy, Tool};
use crate::jobs::inspect::SCHEMA as INSPECT;
use crate::messages;
pub use crate::messages::Message;
use crate::render::fixes::SCHEMA as FIXES;
use crate::render::json::SCHEMA as REPORT;
use crate::rules::{self, specification};
use crate::schema::DocumentKind;

/// The rule of a name, the rules of a family, or those whose name ends so; all of them for an empty name, in the order of
/// their families. Nothing if there is none.
pub fn explain(name: &str) -> Vec<&'static Rule> {
    let all = rules::all();
    if name.is_empty() {
        return all;
    }
    let name = name.trim_end_matches('/');
    let problem = |rule: &Rule| rule.name.strip_prefix(rule.family()).and_then(|rest| rest.strip_prefix('/'));
    let tests: [&dyn Fn(&Rule) -> bool; 3] =
        [&|rule| rule.name == name, &|rule| rule.family() == name, &|rule| problem(rule) == Some(name)];
    let found = tests.iter().map(|test| all.iter().copied().filter(|rule| test(rule)).collect::<Vec<_>>());
    found.into_iter().find(|rules| !rules.is_empty()).unwrap_or_default()
}

/// What a message of another tool means (docker, podman, containerd, skopeo, a registry, Kubernetes): every known message
/// that the text holds, the most particular first; none where no message is known.
pub fn error(text: &str) -> Vec<&'static Message> {
    messages::of(text)
}

impl Rule {
    /// Where it is written what the rule holds archives to: sections of specifications, and sources of tools.
    pub fn sources(&self) -> Vec<&'static str> {
        let mut sources = specification::of_rule(self);
        sources.retain(|source| !source.starts_with("formats.md"));
        sources
    }
}

/// The JSON schemas of documents, by the names of their kinds, then those of what restow writes.
pub fn schemas() -> Vec<(&'static str, &'static str)> {
    let own = [("report-v1", REPORT), ("fixes-v1", FIXES), ("inspect-v1", INSPECT)];
    #[cfg(feature = "cli")]
    let own = own.into_iter().chain([("config-v1", rules::settings::SCHEMA)]);
    DocumentKind::ALL.iter().map(|kind| (kind.name(), kind.text())).chain(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_families_and_problems() {
        let count = |name: &str| explain(name).len();
        assert_eq!(count("descriptor/size-mismatch"), 1);
        assert_eq!(count("size-mismatch"), 1);
        assert!(count("descriptor") > 5 && count("descriptor") == count("descriptor/"));
        assert!(count("missing-member") > 1, "one of several families");
        assert_eq!((count("no/such"), count("")), (0, rules::all().len()));
    }
}
