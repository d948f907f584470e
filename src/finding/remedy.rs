//! What a command does about a finding, as data: reports show it as a command, and tests run it on every case of the
//! corpus that shows it (`tests/cases/advice.rs`). Words of a help name no command and no option.

use std::fmt;

use super::Finding;

/// What a command does about what a rule finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// None mends it.
    None,
    /// `restow convert` with these options writes an archive that does not have it.
    Convert(&'static [Opt]),
    /// With this limit raised the archive is judged.
    Raise(&'static str),
    /// Under this prefix the place is judged.
    Prefix(&'static str),
    /// The help names what cannot be run here, for this reason.
    Shown(&'static str),
}

/// An option of `restow convert`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opt {
    /// `-W` of the rule itself: what it finds is left behind.
    Lower,
    /// `--compress`
    Compress(&'static str),
    /// `--manifest-format`
    ManifestFormat(&'static str),
    /// `--drop`
    Drop(&'static str),
    /// `--tag`, with a name that the reader chooses.
    Tag,
    /// `--image` of the first image.
    Image,
    /// `--platform` of an image that is whole.
    Platform,
}

impl Remedy {
    /// Of the one that a rule was declared with, if any.
    pub(crate) const fn declared(list: &[Remedy]) -> Remedy {
        match list {
            [remedy, ..] => *remedy,
            [] => Remedy::None,
        }
    }
}

/// A command to type. What the reader must fill in is in capitals: SOURCE, DESTINATION, PLACE, FILE, NAME:TAG,
/// VALUE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its words, the program first.
    pub words: Vec<String>,
}

impl Command {
    /// `restow convert` with these options.
    pub fn convert(options: impl IntoIterator<Item = String>) -> Command {
        let words = ["restow", "convert"].map(str::to_owned).into_iter().chain(options);
        Command { words: words.chain(["SOURCE", "DESTINATION"].map(str::to_owned)).collect() }
    }

    /// `restow convert` that takes what is missing from elsewhere.
    pub fn fill() -> Command {
        Command::convert(["--fill-from", "PLACE"].map(str::to_owned))
    }

    /// `restow repair` of the place.
    pub fn repair() -> Command {
        Command { words: ["restow", "repair", "SOURCE", "--from", "PLACE"].map(str::to_owned).to_vec() }
    }

    /// `restow check` that lists fixes.
    pub fn fixes() -> Command {
        Command { words: ["restow", "check", "--fixes", "FILE", "SOURCE"].map(str::to_owned).to_vec() }
    }

    /// `restow check` with a limit raised to a value, which may be open.
    pub fn raise(name: &str, value: Option<u64>) -> Command {
        let value = value.map_or_else(|| "VALUE".to_owned(), |value| value.to_string());
        let limit = format!("{name}={value}");
        Command { words: ["restow", "check", "--limit", &limit, "SOURCE"].map(str::to_owned).to_vec() }
    }

    /// `restow check` of the place under a prefix.
    pub fn prefix(prefix: &str) -> Command {
        Command { words: ["restow", "check", &format!("{prefix}:SOURCE")].map(str::to_owned).to_vec() }
    }
}

impl fmt::Display for Command {
    /// As a shell takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words.join(" "))
    }
}

impl Finding {
    /// Says that a limit was hit, which may be raised to a value; without one the reader chooses it.
    pub(crate) fn raise(mut self, name: &str, value: Option<u64>) -> Finding {
        self.command = Some(Command::raise(name, value));
        self
    }
}
