//! Which level a rule has in one run (docs/architecture.md#levels): the rule, then `restow.toml`, then the command line's
//! profiles, then its flags in order. The last one wins, but no word lowers what always blocks.

use std::collections::HashMap;
use std::ffi::OsStr;

use super::all;
use super::baseline::Baseline;
use super::exceptions::{Exception, excepted};
use crate::error::{Error, Result};
use crate::finding::{By, Documents, Finding, Integrity, Level, Locator, Lower, Lowered, Rule, Tool};
use crate::model::Archive;
use crate::similar;

/// A named set of levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Levels as written.
    Spec,
    /// What breaks Docker is an error.
    Docker,
    /// What breaks containerd is an error.
    Containerd,
    /// What breaks any tool is an error, and optional rules are on.
    Portable,
    /// Every warning is an error.
    Strict,
}

/// The profiles by name.
pub const PROFILES: &[(&str, Profile)] = &[
    ("spec", Profile::Spec),
    ("docker", Profile::Docker),
    ("containerd", Profile::Containerd),
    ("portable", Profile::Portable),
    ("strict", Profile::Strict),
];

impl Profile {
    /// The profile of a name.
    pub fn parse(name: &str) -> Result<Profile> {
        let found = PROFILES.iter().find(|(known, _)| *known == name).map(|(_, profile)| *profile);
        found.ok_or_else(|| {
            let names: Vec<&str> = PROFILES.iter().map(|(name, _)| *name).collect();
            Error::refused_help(
                format!("there is no profile `{name}`"),
                format!("the profiles are {}", names.join(", ")),
            )
        })
    }

    /// The level that the profile gives a rule which has `level` otherwise.
    fn raise(self, rule: &Rule, level: Level) -> Level {
        let breaks = match self {
            Profile::Spec => false,
            Profile::Docker => rule.breaks.contains(&Tool::Docker),
            Profile::Containerd => rule.breaks.contains(&Tool::Containerd),
            Profile::Portable => !rule.breaks.is_empty(),
            Profile::Strict => level == Level::Warning,
        };
        if breaks { Level::Error } else { level }
    }
}

/// The levels in force.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// What was said, in order.
    steps: Vec<Said>,
    /// The file that was read, as it is told, and how many of the steps are its.
    file: Option<(String, usize)>,
    /// What the file accepts.
    exceptions: Vec<Exception>,
    /// Exceptions of the file that have ended, as they are told.
    ended: Vec<String>,
    /// Findings that are known.
    baseline: Option<Baseline>,
    /// A platform is asked for.
    platform: bool,
}

/// One word about levels.
#[derive(Debug, Clone)]
enum Said {
    Profile(Profile),
    Levels(HashMap<&'static str, Level>),
}

impl Policy {
    /// Adds a profile; several are a union. It raises what was said before it, and what is said after it wins.
    pub fn profile(&mut self, profile: Profile) {
        self.steps.push(Said::Profile(profile));
    }

    /// Takes the findings of an earlier report for known.
    #[cfg(feature = "cli")]
    pub fn baseline(&mut self, baseline: Baseline) {
        self.baseline = Some(baseline);
    }

    /// Makes an exception.
    #[cfg(feature = "cli")]
    pub(super) fn except(&mut self, exception: Exception) {
        self.exceptions.push(exception);
    }

    /// Notes an exception that has ended.
    #[cfg(feature = "cli")]
    pub(super) fn ended(&mut self, told: String) {
        self.ended.push(told);
    }

    /// All that was said so far, a file said.
    #[cfg(feature = "cli")]
    pub(super) fn file_was(&mut self, shown: &str) {
        self.file = Some((shown.to_owned(), self.steps.len()));
    }

    /// Applies `-A`, `-W` or `-D` for a rule, a family or `all`.
    ///
    /// # Errors
    ///
    /// Nothing has that name, or it is that of a single rule which always blocks, and `level` would lower it. Of a family and
    /// of `all` such rules keep their level.
    pub fn set(&mut self, selector: &str, level: Level) -> Result<()> {
        let matching = named(selector)?;
        match matching.as_slice() {
            [rule] if rule.name == selector && rule.integrity == Integrity::Hard && level < rule.level => {
                let message = format!("`{selector}` always blocks, so its level cannot be lowered");
                return Err(Error::refused_help(message, format!("`restow explain {selector}` says why")));
            }
            _ => {}
        }
        let levels = matching.into_iter().map(|rule| (rule.name, level)).collect();
        self.steps.push(Said::Levels(levels));
        Ok(())
    }

    /// The levels where a platform is asked for: whoever asks for one does not want an image of another, so that is an
    /// error that keeps `convert` from writing, unless a level was given for the rule.
    pub fn for_a_platform(mut self) -> Policy {
        let name = super::platform::CONFIG_MISMATCH.name;
        self.steps.insert(0, Said::Levels(HashMap::from([(name, Level::Error)])));
        self.platform = true;
        self
    }

    /// The level of a rule.
    pub fn level(&self, rule: &Rule) -> Level {
        level_by(&self.steps, rule)
    }

    /// Gives the findings of an archive the levels in force, and leaves out those that are allowed. What a file lowered is
    /// told beside them. `file` is the name of the archive's file, which fingerprints hold.
    pub fn judge(
        &self,
        archive: &Archive,
        file: Option<&OsStr>,
        findings: Vec<Finding>,
    ) -> (Vec<Finding>, Lowered) {
        let by = excepted(archive, file, &findings, &self.exceptions, self.baseline.as_ref());
        self.by(findings, by)
    }

    /// The same of an archive that is a piece of something: the baseline is about the whole
    /// ([`beside_baseline`](Policy::beside_baseline)).
    pub fn judge_piece(
        &self,
        archive: &Archive,
        file: Option<&OsStr>,
        findings: Vec<Finding>,
    ) -> (Vec<Finding>, Lowered) {
        let by = excepted(archive, file, &findings, &self.exceptions, None);
        self.by(findings, by)
    }

    /// What the baseline does not have of findings that were judged piece by piece, in the order of reports, and what it has.
    pub fn beside_baseline(
        &self,
        docs: &dyn Documents,
        findings: Vec<Finding>,
    ) -> (Vec<Finding>, Vec<Lower>) {
        let Some(baseline) = &self.baseline else { return (findings, Vec::new()) };
        let locator = Locator::new(docs);
        let mut known = baseline.known();
        let mut takes = Vec::with_capacity(findings.len());
        for finding in &findings {
            // One that stands for others, which are not told, may stand for new ones.
            let may = finding.rule.integrity != Integrity::Hard && finding.omitted == 0;
            takes.push(may && known.takes(finding, &locator.place(&finding.primary.location)));
        }
        drop(locator);
        let (mut kept, mut lowered) = (Vec::new(), Vec::new());
        for (finding, is_known) in findings.into_iter().zip(takes) {
            match is_known {
                false => kept.push(finding),
                true => {
                    let from = finding.level;
                    let finding = Finding { level: Level::Allow, ..finding };
                    lowered.push(Lower { finding, from, by: By::Baseline });
                }
            }
        }
        (kept, lowered)
    }

    /// The file of the baseline, as it is told.
    pub fn baseline_file(&self) -> Option<&str> {
        self.baseline.as_ref().map(|baseline| baseline.file.as_str())
    }

    fn by(&self, findings: Vec<Finding>, by: Vec<Option<By>>) -> (Vec<Finding>, Lowered) {
        let theirs = self.file.as_ref().map_or(0, |(_, steps)| *steps);
        let mut lowered = Lowered {
            config: self.file.as_ref().map(|(shown, _)| shown.clone()),
            baseline: self.baseline.as_ref().map(|baseline| baseline.file.clone()),
            findings: Vec::new(),
            ended: self.ended.clone(),
        };
        let mut kept = Vec::new();
        for (mut finding, by) in findings.into_iter().zip(by) {
            let level = self.level(finding.rule);
            let from = level_by(self.steps.get(theirs..).unwrap_or_default(), finding.rule).max(level);
            finding.level = if by.is_some() { Level::Allow } else { level };
            if finding.level < from {
                let finding = finding.clone();
                lowered.findings.push(Lower { finding, from, by: by.unwrap_or(By::Levels) });
            }
            if finding.level != Level::Allow {
                kept.push(finding);
            }
        }
        (kept, lowered)
    }

    /// Which findings of an archive are accepted, one for one.
    pub(crate) fn accepted(
        &self,
        archive: &Archive,
        file: Option<&OsStr>,
        findings: &[Finding],
    ) -> Vec<bool> {
        let by = excepted(archive, file, findings, &self.exceptions, self.baseline.as_ref());
        by.iter().map(Option::is_some).collect()
    }

    /// Gives findings the levels in force, and leaves out those that are allowed.
    pub fn judged(&self, findings: Vec<Finding>) -> Vec<Finding> {
        self.with(findings, |rule| self.level(rule))
    }

    /// The same, but what keeps `convert` from writing is an error, whatever level it has.
    pub fn blocking(&self, findings: Vec<Finding>) -> Vec<Finding> {
        self.with(findings, |rule| if self.blocks(rule) { Level::Error } else { self.level(rule) })
    }

    fn with(&self, mut findings: Vec<Finding>, level: impl Fn(&Rule) -> Level) -> Vec<Finding> {
        findings.iter_mut().for_each(|finding| finding.level = level(finding.rule));
        findings.retain(|finding| finding.level != Level::Allow);
        findings
    }

    /// Whether a finding of this rule keeps `convert` from writing. What conversion cannot survive always does.
    pub fn blocks(&self, rule: &Rule) -> bool {
        match rule.integrity {
            Integrity::Hard => true,
            Integrity::Soft => self.level(rule) == Level::Error,
            Integrity::No => {
                let asked = self.platform && rule.name == super::platform::CONFIG_MISMATCH.name;
                asked && self.level(rule) == Level::Error
            }
        }
    }
}

/// The rules of a selector: one rule, a family, or `all`.
pub(super) fn named(selector: &str) -> Result<Vec<&'static Rule>> {
    let fits = |rule: &&'static Rule| selector == "all" || rule.name == selector || rule.family() == selector;
    let matching: Vec<&'static Rule> = all().into_iter().filter(fits).collect();
    if matching.is_empty() { Err(unknown(selector)) } else { Ok(matching) }
}

/// The level that these words give a rule, one after the other.
fn level_by(steps: &[Said], rule: &Rule) -> Level {
    // An optional rule is off until something names it.
    let mut level = (!rule.optional).then_some(rule.level);
    for step in steps {
        level = match step {
            Said::Profile(Profile::Portable) => {
                Some(Profile::Portable.raise(rule, level.unwrap_or(rule.level)))
            }
            Said::Profile(profile) => level.map(|level| profile.raise(rule, level)),
            Said::Levels(levels) => levels.get(rule.name).copied().or(level),
        };
    }
    let level = level.unwrap_or(Level::Allow);
    if rule.integrity == Integrity::Hard { level.max(rule.level) } else { level }
}

/// An unknown name is an error that suggests the nearest one.
pub fn unknown(selector: &str) -> Error {
    let rules = all();
    let names = rules.iter().flat_map(|rule| {
        // People remember the problem better than its family.
        let problem = rule.name.split_once('/').map_or(rule.name, |(_, problem)| problem);
        [(rule.name, rule.name), (rule.family(), rule.family()), (problem, rule.name)]
    });
    let typed = selector.to_lowercase();
    let known = names.filter_map(|(written, name)| {
        // Who types the beginning of a name means that one, however much is left of it.
        let begins = typed.len() >= 3 && written.starts_with(&typed);
        Some(((!begins, similar::distance(written, &typed)?), name))
    });
    let nearest = known.min_by_key(|(likeness, _)| *likeness);
    let guess = nearest.map(|(_, name)| format!("did you mean `{name}`? ")).unwrap_or_default();
    Error::refused_help(
        format!("there is no rule or family of rules called `{selector}`"),
        format!("{guess}`restow explain` lists all"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{archive, blob, name};

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
        for selector in ["all", "blob", "descriptor"] {
            let mut policy = Policy::default();
            policy.set(selector, Level::Allow).expect("several rules");
            assert!(policy.blocks(&blob::DIGEST_MISMATCH), "{selector}");
            assert_eq!(policy.level(&blob::DIGEST_MISMATCH), Level::Error, "{selector}");
            assert_eq!(policy.blocks(&blob::SIZE_MISMATCH), selector == "blob", "{selector}");
        }
        for level in [Level::Allow, Level::Note, Level::Warning] {
            let error = Policy::default().set("blob/digest-mismatch", level).expect_err("it always blocks");
            assert_eq!(error.help(), Some("`restow explain blob/digest-mismatch` says why"));
        }
        Policy::default().set("blob/digest-mismatch", Level::Error).expect("as it is");
    }

    /// A profile of the command line raises what a file lowered; a flag has the last word.
    #[test]
    fn the_file_comes_first() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("restow.toml");
        std::fs::write(&path, "[levels]\nall = \"note\"\n").expect("file");
        let mut policy = Policy::default();
        policy.read(&path).expect("good");
        assert_eq!(policy.level(&name::REPEATED), Level::Note);
        assert_eq!(policy.level(&blob::DIGEST_MISMATCH), Level::Error, "it always blocks");
        policy.profile(Profile::Portable);
        assert_eq!(policy.level(&name::REPEATED), Level::Error, "raised after the file");
        policy.set("all", Level::Warning).expect("all");
        assert_eq!(policy.level(&name::REPEATED), Level::Warning);
        assert_eq!(policy.level(&blob::DIGEST_MISMATCH), Level::Error);
    }

    #[test]
    fn an_unknown_name_suggests_the_nearest() {
        let error = Policy::default().set("blob/digest-mismach", Level::Allow).expect_err("unknown");
        assert!(error.help().expect("help").contains("`blob/digest-mismatch`"));
        let nearest = |name: &str| unknown(name).help().expect("help").to_owned();
        assert!(nearest("sizemismatch").contains("`descriptor/size-mismatch`"));
        assert!(nearest("blobs").contains("`blob`"));
    }

    #[test]
    fn profiles_raise_and_flags_come_after_them() {
        let mut policy = Policy::default();
        assert_eq!(policy.level(&archive::DATA_AFTER_END), Level::Warning);
        policy.profile(Profile::Strict);
        assert_eq!(policy.level(&archive::DATA_AFTER_END), Level::Error);
        assert_eq!(policy.level(&blob::MISSING_NONDISTRIBUTABLE), Level::Note);
        policy.set("archive", Level::Warning).expect("family");
        assert_eq!(policy.level(&archive::DATA_AFTER_END), Level::Warning);
        let mut policy = Policy::default();
        policy.profile(Profile::Portable);
        assert_eq!(policy.level(&name::REPEATED), Level::Error);
        let mut policy = Policy::default();
        policy.profile(Profile::Docker);
        assert_eq!(policy.level(&name::REPEATED), Level::Warning);
    }

    #[test]
    fn a_guess_takes_beginnings_and_any_case() {
        for (typed, name) in [
            ("BLOB/MISSING", "blob/missing"),
            ("blob/misisng", "blob/missing"),
            ("descriptor/size", "descriptor/size-mismatch"),
            ("size-mis", "descriptor/size-mismatch"),
            ("Whiteout", "whiteout"),
        ] {
            let help = unknown(typed).help().unwrap_or_default().to_owned();
            assert!(help.starts_with(&format!("did you mean `{name}`?")), "{typed}: {help}");
        }
    }
}
