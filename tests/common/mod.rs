//! What the tests that drive the binary share.
#![allow(dead_code)]

pub mod bad;
pub mod builder;
pub mod case;
pub mod edit;
pub mod index;
pub mod layout;
pub mod members;
pub mod oracle;
pub mod rules_page;
pub mod tree_digest;
pub mod unit_tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libtest_mimic::Failed;
use serde_json::Value;

/// The folder with samples and real archives, if it is here.
pub fn shared() -> Option<PathBuf> {
    let named = std::env::var_os("RESTOW_SHARED").map(PathBuf::from);
    let found = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"));
    found.join("real/INDEX.tsv").is_file().then_some(found)
}

/// Every file of this name below a folder, in order.
pub fn files_named(below: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![below.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                pending.push(path);
            } else if path.file_name().is_some_and(|n| n == name) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Runs the binary in a clean environment, with its own folder for temporary files.
pub struct Restow {
    tmp: PathBuf,
}

/// What a run gave.
pub struct Output {
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
    arguments: Vec<String>,
}

impl Restow {
    pub fn new(dir: &Path) -> Restow {
        let tmp = dir.join("tmp");
        std::fs::create_dir_all(&tmp).expect("a folder for temporary files");
        Restow { tmp }
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_restow"));
        command.env_clear().env("TMPDIR", &self.tmp).env("COLUMNS", "100").current_dir(&self.tmp);
        command
    }

    pub fn run(&self, arguments: &[String]) -> Result<Output, Failed> {
        self.run_with(arguments, None)
    }

    /// With a file on standard input.
    pub fn run_with(&self, arguments: &[String], input: Option<&Path>) -> Result<Output, Failed> {
        let stdin = match input {
            Some(path) => Stdio::from(std::fs::File::open(path)?),
            None => Stdio::null(),
        };
        let output = self.command().args(arguments).stdin(stdin).output()?;
        Ok(Output {
            code: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            arguments: arguments.to_vec(),
        })
    }

    /// Both places hold the same images.
    pub fn compare(&self, a: &str, b: &str, ignore: &[&str]) -> Result<(), Failed> {
        let mut arguments = vec!["compare".to_owned()];
        if !ignore.is_empty() {
            arguments.extend(["--ignore".to_owned(), ignore.join(",")]);
        }
        arguments.extend([a.to_owned(), b.to_owned()]);
        self.run(&arguments)?.expect(0).map(|_| ())
    }

    /// Nothing that restow staged is left, neither here nor in a folder.
    pub fn left_nothing_in(&self, folder: &Path) -> Result<(), Failed> {
        for place in [folder, &self.tmp] {
            for entry in std::fs::read_dir(place)? {
                let name = entry?.file_name();
                if name.as_encoded_bytes().starts_with(b".restow-") {
                    return Err(format!("{} was left in {}", name.display(), place.display()).into());
                }
            }
        }
        Ok(())
    }
}

impl Output {
    pub fn expect(self, code: i32) -> Result<Output, Failed> {
        if self.code == code {
            return Ok(self);
        }
        Err(format!(
            "restow {}\nexit {}, expected {code}\n{}{}",
            self.arguments.join(" "),
            self.code,
            String::from_utf8_lossy(&self.stdout),
            self.stderr
        )
        .into())
    }

    pub fn stderr_has(&self, text: &str) -> Result<(), Failed> {
        if self.stderr.contains(text) {
            return Ok(());
        }
        Err(format!("`{text}` is not in the output of restow {}:\n{}", self.arguments.join(" "), self.stderr)
            .into())
    }
}

/// An index, image or artifact as `inspect --json` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    pub kind: String,
    /// Its own and those of everything above it.
    pub names: BTreeSet<String>,
    pub id: Option<String>,
    pub digest: Option<String>,
    pub platform: Option<String>,
    pub diff_ids: Vec<Value>,
}

/// What `inspect --json` says of an archive, flattened.
#[derive(Default)]
pub struct Archive {
    pub images: Vec<Image>,
}

impl Archive {
    pub fn inspect(restow: &Restow, place: &str) -> Result<Archive, Failed> {
        let output = restow.run(&["inspect".into(), "--json".into(), place.into()])?.expect(0)?;
        let json: Value = serde_json::from_slice(&output.stdout)?;
        let mut archive = Archive::default();
        for entry in json["images"].as_array().into_iter().flatten() {
            archive.add(entry, &BTreeSet::new());
        }
        Ok(archive)
    }

    fn add(&mut self, entry: &Value, above: &BTreeSet<String>) {
        let text = |name: &str| entry[name].as_str().map(str::to_owned);
        let own = entry["names"].as_array().into_iter().flatten();
        let mut names = above.clone();
        names.extend(own.filter_map(|name| name.as_str().map(str::to_owned)));
        let layers = entry["layers"].as_array().cloned().unwrap_or_default();
        self.images.push(Image {
            kind: text("kind").unwrap_or_default(),
            id: text("id"),
            digest: text("digest"),
            platform: text("platform"),
            diff_ids: layers.iter().map(|layer| layer["diffId"].clone()).collect(),
            names: names.clone(),
        });
        for child in entry["manifests"].as_array().into_iter().flatten() {
            self.add(child, &names);
        }
    }
}

/// Two files or folders hold the same bytes.
pub fn same_bytes(a: &Path, b: &Path) -> Result<(), Failed> {
    let (a, b) = (tree_digest::files(a)?, tree_digest::files(b)?);
    if a == b { Ok(()) } else { Err(format!("two runs differ: {:?} and {:?}", a.keys(), b.keys()).into()) }
}
