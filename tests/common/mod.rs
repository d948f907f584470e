//! What the tests that drive the binary share.

pub mod tree_digest;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libtest_mimic::Failed;

/// Runs the binary in a clean environment, with its own folder for temporary files.
pub struct Restow {
    /// Where those are, and where it runs.
    pub tmp: PathBuf,
    /// Columns of the terminal that there is not.
    columns: &'static str,
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
        Restow { tmp, columns: "100" }
    }

    /// On a screen where no line is broken.
    #[allow(dead_code, reason = "not every binary of tests has such lines")]
    pub fn wide(self) -> Restow {
        Restow { columns: "400", ..self }
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_restow"));
        command.env_clear().env("TMPDIR", &self.tmp).env("COLUMNS", self.columns).current_dir(&self.tmp);
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
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!names_staging(&told), "a message names what is staged, not what was typed:\n{told}");
        Ok(Output {
            code: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            arguments: arguments.to_vec(),
        })
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

/// Bytes that no compressor makes smaller.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(len).collect()
}

/// A tar with one file.
pub fn layer_of(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, name, bytes).expect("memory");
    tar.into_inner().expect("memory")
}

/// Whether a text holds a name that restow gives to what it stages.
fn names_staging(text: &str) -> bool {
    text.split(".restow-").skip(1).any(|rest| rest.chars().take_while(char::is_ascii_hexdigit).count() >= 24)
}
