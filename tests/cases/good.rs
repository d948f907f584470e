//! Every case of `corpus/good/` is what its `case.toml` says: its images, names and platforms by a reader of its own, and
//! the rules that `restow check` reports. Cases that no tool wrote equal what the builder makes; `BLESS=1` writes them
//! anew, with the facts in their `case.toml`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use libtest_mimic::Failed;

use crate::common::Restow;
use crate::oracle::Held;
use crate::stored::builder::{self, Content};
use crate::stored::case::{self, Case};
use crate::{Test, same_bytes};

pub fn tests() -> Vec<Test> {
    let bless = std::env::var_os("BLESS").is_some();
    let mut tests = Vec::new();
    for (name, content) in builder::cases() {
        if bless {
            write(&case::corpus().join(name), &content).expect("the corpus can be written");
        } else {
            tests.push(Test::new(format!("{name}: equals what the builder makes"), move || {
                let dir = tempfile::tempdir()?;
                let here = write(dir.path(), &content)?;
                let there = case::corpus().join(name).join(here.file_name().ok_or("no name")?);
                same_bytes(&here, &there).map_err(|error| {
                    format!("{} (BLESS=1 writes it anew)", error.message().unwrap_or_default()).into()
                })
            }));
        }
    }
    for case in case::all().into_iter().chain(case::documents()) {
        tests.push(Test::new(format!("{}: holds what case.toml says", case.name), move || {
            holds(&case, bless)
        }));
    }
    tests
}

/// Writes the archive of a case into a folder.
fn write(folder: &Path, content: &Content) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let path = match content {
        Content::Tar(_) => folder.join("archive.tar"),
        Content::TarGz(_) => folder.join("archive.tar.gz"),
        Content::Folder(_) => folder.join("archive"),
        Content::Document(_) => folder.join("document.json"),
    };
    match content {
        Content::Tar(bytes) | Content::TarGz(bytes) | Content::Document(bytes) => {
            std::fs::write(&path, bytes)?
        }
        Content::Folder(files) => {
            if path.exists() {
                std::fs::remove_dir_all(&path)?;
            }
            for (name, bytes) in files {
                let file = path.join(name);
                std::fs::create_dir_all(file.parent().unwrap_or(&path))?;
                std::fs::write(file, bytes)?;
            }
        }
    }
    Ok(path)
}

fn holds(case: &Case, bless: bool) -> Result<(), Failed> {
    let held = if case.is_document() { Held::document() } else { Held::read(&case.archive)? };
    let dir = tempfile::tempdir()?;
    let place = case.archive.display().to_string();
    let output = Restow::new(dir.path()).run(&["check".into(), "-v".into(), place])?.expect(0)?;
    let findings = rules_in(&String::from_utf8_lossy(&output.stdout));
    let found = Expected::of(&held, findings);
    let text = std::fs::read_to_string(&case.toml)?;
    let expected = found.to_toml();
    let at = text.find("form = ").unwrap_or(text.len());
    if bless {
        return Ok(std::fs::write(&case.toml, format!("{}{expected}", &text[..at]))?);
    }
    if text[at..] == expected { Ok(()) } else { Err(format!("case.toml should say\n{expected}").into()) }
}

/// Names of the rules in a report.
fn rules_in(report: &str) -> BTreeSet<String> {
    let heads = report.lines().filter_map(|line| {
        let (level, rest) = line.trim_start().split_once('[')?;
        matches!(level, "error" | "warning" | "note")
            .then(|| rest.split(']').next().unwrap_or_default().to_owned())
    });
    heads.collect()
}

/// What a `case.toml` says of its archive.
struct Expected<'a> {
    held: &'a Held,
    findings: BTreeSet<String>,
}

impl Expected<'_> {
    /// What an archive holds, and the rules that were reported.
    fn of(held: &Held, findings: BTreeSet<String>) -> Expected<'_> {
        Expected { held, findings }
    }

    /// The part of `case.toml` from `form` on.
    fn to_toml(&self) -> String {
        let list = |items: &BTreeSet<String>| {
            let items: Vec<String> = items.iter().map(|item| format!("{item:?}")).collect();
            format!("[{}]", items.join(", "))
        };
        let mut text = format!("form = {:?}\nfindings = {}\n", self.held.form, list(&self.findings));
        for (id, image) in &self.held.images {
            let reached = self.held.names.iter().filter(|(_, images)| images.contains(id));
            let names: BTreeSet<String> = reached.map(|(name, _)| name.clone()).collect();
            let kind = if image.runs { "image" } else { "artifact" };
            let id = id.strip_prefix("artifact ").unwrap_or(id);
            text.push_str(&format!("\n[[{kind}]]\nid = {id:?}\nnames = {}\n", list(&names)));
            if !image.platform.is_empty() {
                text.push_str(&format!("platform = {:?}\n", image.platform));
            }
        }
        text
    }
}
