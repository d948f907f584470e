//! What is wrong, and how bad: named rules, pure functions over facts.
//!
//! # How to add a rule
//!
//! 1. A file in the family's directory (or the file of rules that share its evidence): a [`Rule`] constant
//!    with name, level and the four headings of its page, and a function that returns findings.
//! 2. One line in [`ALL`], one call at its scope in `run.rs`.
//! 3. Unit tests beside it that fire it and that just do not.

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Not reported.
    Allow,
    /// Legal, but worth telling.
    Note,
    /// Against a recommendation, or some tools refuse it.
    Warning,
    /// Invalid, or tools refuse or misread it: exit 1.
    Error,
}

/// Whether a finding keeps `convert` from writing (design.md 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Integrity {
    /// Not looked at by `convert` without `--check`.
    No,
    /// Blocks unless lowered by `-A` or `-W`; then the bytes are carried as they are.
    Soft,
    /// Always blocks.
    Hard,
}

/// A rule's name, level and documentation.
#[derive(Debug)]
pub struct Rule {
    /// `family/kebab-problem`: names the problem and is never reused.
    pub name: &'static str,
    /// The level as written (profile `spec`).
    pub level: Level,
    /// What it means for `convert`.
    pub integrity: Integrity,
    /// Entries of formats.md section H.
    pub catalogue: &'static [u16],
    /// What it checks.
    pub checks: &'static str,
    /// Why it matters: the specification's section and how real tools behave.
    pub matters: &'static str,
    /// An example of the fault.
    pub example: &'static str,
    /// How to mend it.
    pub mend: &'static str,
}

impl Rule {
    /// The part before the slash.
    pub fn family(&self) -> &'static str {
        self.name.split_once('/').map_or(self.name, |(family, _)| family)
    }
}
