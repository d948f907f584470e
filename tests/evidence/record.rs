//! `src/rules/evidence.json`: what tools did with each case, a case a line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ways::Outcome;

/// The whole file.
#[derive(Serialize, Deserialize, Default)]
pub struct Evidence {
    pub version: u32,
    pub tools: Vec<Tool>,
    pub cases: BTreeMap<String, Case>,
}

/// A tool that was asked.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tool {
    pub tool: String,
    pub version: String,
    pub distribution: String,
    /// The day, as `YYYY-MM-DD`.
    pub recorded: String,
}

/// What tools did with a case. A key is `TOOL VERSION STEP`.
#[derive(Debug, Default, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Case {
    /// Twelve digits of a hash over its files.
    pub bytes: String,
    pub takes: Vec<String>,
    pub changes: BTreeMap<String, String>,
    pub refuses: BTreeMap<String, String>,
}

impl Case {
    /// Forgets what versions of a tool did.
    pub fn forget(&mut self, tool: &str) {
        self.takes.retain(|key| !is_of(key, tool));
        self.changes.retain(|key, _| !is_of(key, tool));
        self.refuses.retain(|key, _| !is_of(key, tool));
    }

    pub fn add(&mut self, key: String, outcome: Outcome) {
        match outcome {
            Outcome::Taken => self.takes.push(key),
            Outcome::Changed(words) => drop(self.changes.insert(key, words)),
            Outcome::Refused(words) => drop(self.refuses.insert(key, words)),
        }
        self.takes.sort();
    }

    /// Only what this tool and version did.
    pub fn of(&self, tool: &str) -> Case {
        let of = |map: &BTreeMap<String, String>| {
            map.iter().filter(|(key, _)| is_of(key, tool)).map(|(k, v)| (k.clone(), v.clone())).collect()
        };
        Case {
            bytes: self.bytes.clone(),
            takes: self.takes.iter().filter(|key| is_of(key, tool)).cloned().collect(),
            changes: of(&self.changes),
            refuses: of(&self.refuses),
        }
    }
}

/// Whether a key is of this `TOOL VERSION`.
fn is_of(key: &str, tool: &str) -> bool {
    key.strip_prefix(tool).is_some_and(|rest| rest.starts_with(' '))
}

pub fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rules/evidence.json")
}

impl Evidence {
    pub fn read() -> Result<Evidence, String> {
        match std::fs::read(path()) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| error.to_string()),
            Err(_) => Ok(Evidence { version: 1, ..Evidence::default() }),
        }
    }

    pub fn write(&self) -> Result<(), String> {
        let mut text = format!("{{\n\"version\": {},\n\"tools\": [\n", self.version);
        let tools: Vec<String> = self.tools.iter().map(line).collect();
        text.push_str(&tools.join(",\n"));
        text.push_str("\n],\n\"cases\": {\n");
        let cases: Vec<String> =
            self.cases.iter().map(|(name, case)| format!("{}: {}", line(name), line(case))).collect();
        text.push_str(&cases.join(",\n"));
        text.push_str("\n}\n}\n");
        std::fs::write(path(), text).map_err(|error| error.to_string())
    }
}

/// JSON on one line.
fn line<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
