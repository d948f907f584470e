//! What is wrong, and how bad: named rules, pure functions over facts.
//!
//! `docs/architecture.md#add-a-rule` has the steps by which one is added. Each family is a file: its rules, made by `rule!`, their
//! list `RULES`, functions that add findings, and unit tests beside them. `meaning` calls what is about documents, `run` all else.

pub mod annotation;
pub mod anomalies;
pub mod archive;
#[cfg(test)]
mod archive_tests;
pub mod baseline;
pub mod blob;
mod capped;
pub mod config;
pub mod consequence;
pub mod container;
pub mod contents;
pub mod descriptor;
pub mod docker_archive;
pub mod document;
mod documents;
pub mod entry;
mod exceptions;
#[cfg(test)]
pub(crate) mod fixture;
pub mod graph;
pub mod image;
pub mod index;
pub mod layer;
pub mod layer_tar;
pub mod legacy;
#[cfg(test)]
mod legacy_tests;
pub mod manifest;
pub mod meaning;
pub mod members;
pub mod name;
mod offer;
pub mod platform;
pub mod policy;
pub mod reach;
pub mod run;
pub mod run_config;
#[cfg(test)]
mod run_tests;
pub mod seen;
#[cfg(feature = "cli")]
pub mod settings;
pub mod shape;
pub mod specification;
pub mod storage;
pub mod stray;
pub mod whiteout;

pub use documents::ArchiveDocuments;
#[cfg(feature = "scrub")]
pub use offer::suggest_repair;
pub use offer::{offer, suggest};
pub use policy::Policy;
pub use run::{Scope, judge, run, sees_all, told};

use crate::finding::Rule;

/// Entries of formats.md H that have no rule, and why.
pub const NOT_CHECKED: &[(u16, &str)] = &[
    (65, "a manifest that is its own subject needs a forged digest, which blob/digest-mismatch reports"),
    (147, "it is about what a user asks for: no such platform is an error of the command, with the list"),
    (
        212,
        "crane computes the legacy IDs from digests of compressed layers, which such an archive does not hold, so that no ID can be told to be wrong; nothing reads them",
    ),
    (247, "it is how restow writes: names are checked by their grammar before anything becomes a path"),
    (248, "it is how restow reads: it fetches nothing"),
];

/// Every rule, sorted by name.
pub fn all() -> Vec<&'static Rule> {
    let mut all: Vec<&'static Rule> = [
        archive::RULES,
        blob::RULES,
        container::RULES,
        docker_archive::RULES,
        document::RULES,
        image::RULES,
        legacy::RULES,
        shape::RULES,
        storage::RULES,
        stray::RULES,
    ]
    .concat();
    all.extend(meaning::RULES.concat());
    all.sort_by_key(|rule| rule.name);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Integrity, Level};

    #[test]
    fn names_are_unique_and_well_formed() {
        let all = all();
        for pair in all.windows(2) {
            assert!(pair[0].name < pair[1].name, "{} stands twice", pair[0].name);
        }
        let word = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        for rule in all {
            let (family, problem) = rule.name.split_once('/').expect("family/problem");
            assert!(word(family) && word(problem), "{}", rule.name);
        }
    }

    #[test]
    fn every_rule_is_documented() {
        for rule in all() {
            for text in [rule.checks, rule.matters, rule.example, rule.mend] {
                assert!(text.len() > 10, "{} has an empty heading", rule.name);
            }
            assert!(!rule.catalogue.is_empty(), "{} names no entry of the catalogue", rule.name);
        }
    }

    #[test]
    fn every_entry_about_documents_has_a_rule_or_a_reason() {
        let all = all();
        for entry in 1..=248 {
            let ruled = all.iter().any(|rule| rule.catalogue.contains(&entry));
            let excused = NOT_CHECKED.iter().any(|(number, _)| *number == entry);
            assert!(ruled != excused, "{entry}: {ruled}, {excused}");
        }
    }

    #[test]
    fn what_always_blocks_is_an_error() {
        for rule in all() {
            if rule.integrity != Integrity::No {
                assert_eq!(rule.level, Level::Error, "{}", rule.name);
            }
        }
    }
}
