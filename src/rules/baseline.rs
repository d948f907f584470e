//! A baseline: the findings of an earlier JSON report, which are known. A finding is told from others by its rule, the
//! names of its images without their tags, and its pointer or entry, so that a new version of an image keeps what it had.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::error::{Context, Error, Result};
use crate::escape::utf8;
use crate::finding::{Finding, Place};
use crate::reference::Reference;

/// The findings of a report.
#[derive(Debug, Clone)]
pub struct Baseline {
    /// The file, as it is told.
    pub file: String,
    /// How often each is known.
    known: HashMap<Key, usize>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    rule: String,
    names: BTreeSet<String>,
    place: String,
}

#[derive(Deserialize)]
struct Report {
    version: u32,
    sources: Vec<Source>,
}

#[derive(Deserialize)]
struct Source {
    findings: Vec<Found>,
    lowered: Option<Lowered>,
}

#[derive(Deserialize)]
struct Lowered {
    findings: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    rule: String,
    /// Of what was lowered: by what.
    by: Option<String>,
    primary: Primary,
    affects: Option<Affects>,
}

#[derive(Deserialize)]
struct Primary {
    pointer: Option<String>,
    entry: Option<String>,
}

#[derive(Deserialize)]
struct Affects {
    names: Vec<String>,
}

impl Baseline {
    /// Reads a report that `restow check --report json` wrote.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is no such report.
    pub fn read(path: &Path) -> Result<Baseline> {
        let text = fs::read(path).at("cannot read", path)?;
        let file = path.display().to_string();
        let no_report = |why: String| {
            let help = "restow check --report json=FILE SOURCE makes one";
            Error::refused_help(format!("{file} is no JSON report of restow: {why}"), help)
        };
        let report: Report = serde_json::from_slice(&text).map_err(|error| no_report(error.to_string()))?;
        if report.version != 1 {
            return Err(no_report(format!("its version is {}, not 1", report.version)));
        }
        let mut known = HashMap::new();
        for source in report.sources {
            // What the baseline of that run knew is known still; what an exception let pass is not.
            let before = source.lowered.map(|lowered| lowered.findings).unwrap_or_default();
            let before = before.into_iter().filter(|found| found.by.as_deref() == Some("baseline"));
            for found in source.findings.into_iter().chain(before) {
                let names = found.affects.map(|affects| affects.names).unwrap_or_default();
                let place = found.primary.pointer.or(found.primary.entry).unwrap_or_default();
                *known.entry(Key::of(found.rule, &names, place)).or_default() += 1;
            }
        }
        Ok(Baseline { file, known })
    }

    /// What is known, to be taken one by one.
    pub(super) fn known(&self) -> Known {
        Known(self.known.clone())
    }
}

impl Key {
    fn of(rule: String, names: &[String], place: String) -> Key {
        Key { rule, names: names.iter().map(|name| without_tag(name)).collect(), place }
    }
}

/// The repository of a name; nothing of what has none, which is another with every build.
fn without_tag(name: &str) -> String {
    // A platform may stand behind it.
    let name = name.split(' ').next().unwrap_or_default();
    let digest = name.contains("sha256:") || name.len() == 12 && name.bytes().all(|b| b.is_ascii_hexdigit());
    match Reference::parse(name) {
        Ok(reference) if !digest => reference.repository(),
        _ => String::new(),
    }
}

/// What is left of a baseline: of three equal findings that are known, a fourth is new.
pub(super) struct Known(HashMap<Key, usize>);

impl Known {
    /// Whether a finding is known.
    pub(super) fn takes(&mut self, finding: &Finding, place: &Place<'_>) -> bool {
        let names = finding.affects.as_ref().map_or(&[][..], |affects| &affects.names[..]);
        let entry = || place.entry.map(|entry| utf8(entry).into_owned());
        let at = place.pointer.map(str::to_owned).or_else(entry).unwrap_or_default();
        match self.0.get_mut(&Key::of(finding.rule.name.to_owned(), names, at)) {
            Some(left @ 1..) => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_what_a_build_changes() {
        for (name, key) in [
            ("app:1", "docker.io/library/app"),
            ("registry.example:5000/team/app:1.2 linux/arm64", "registry.example:5000/team/app"),
            (":latest", ""),
            ("a1b2c3d4e5f6", ""),
            ("sha256:a1b2c3d4e5f6", ""),
        ] {
            assert_eq!(without_tag(name), key, "{name}");
        }
    }

    #[test]
    fn what_is_no_report_is_told() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("b.json");
        for text in ["", "[]", "{}", r#"{"version":2,"sources":[]}"#, r#"{"version":1,"sources":[{}]}"#] {
            fs::write(&path, text).expect("written");
            let error = Baseline::read(&path).expect_err(text).to_string();
            assert!(error.contains("is no JSON report of restow: "), "{error}");
        }
        fs::write(&path, r#"{"version":1,"sources":[]}"#).expect("written");
        Baseline::read(&path).expect("a report");
    }
}
