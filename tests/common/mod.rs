//! What the tests that drive the binary share.
#![allow(dead_code)]

pub mod builder;
pub mod case;
pub mod oracle;
pub mod tree_digest;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libtest_mimic::Failed;

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

/// Two files or folders hold the same bytes.
pub fn same_bytes(a: &Path, b: &Path) -> Result<(), Failed> {
    let (a, b) = (tree_digest::files(a)?, tree_digest::files(b)?);
    if a == b { Ok(()) } else { Err(format!("two runs differ: {:?} and {:?}", a.keys(), b.keys()).into()) }
}
