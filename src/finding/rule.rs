//! What a rule is: its name, how bad what it finds is, and the page about it.
//!
//! The rules themselves stand in [`rules`](crate::rules); everything that shows findings needs only this.

use super::{Command, Opt, Remedy};

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

impl Level {
    /// The word for it in every report.
    pub fn name(self) -> &'static str {
        match self {
            Level::Allow => "allow",
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

/// Whether a finding keeps `convert` from writing (docs/architecture.md#what-blocks).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Integrity {
    /// Not looked at by `convert` without `--check`.
    No,
    /// Blocks unless lowered by `-A` or `-W`; then the bytes are carried as they are.
    Soft,
    /// Always blocks.
    Hard,
}

/// A tool that was asked what it does with what rules find; what it did stands in their pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tool {
    /// Docker Engine.
    Docker,
    /// containerd, `ctr` and nerdctl.
    Containerd,
    /// skopeo.
    Skopeo,
    /// podman.
    Podman,
    /// buildah.
    Buildah,
    /// umoci.
    Umoci,
    /// Docker Distribution's registry.
    Registry,
}

impl Tool {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Tool::Docker => "Docker",
            Tool::Containerd => "containerd",
            Tool::Skopeo => "skopeo",
            Tool::Podman => "podman",
            Tool::Buildah => "buildah",
            Tool::Umoci => "umoci",
            Tool::Registry => "registry",
        }
    }
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
    /// Whether it is off unless a profile or a flag turns it on: what it finds matters to some uses only.
    pub optional: bool,
    /// Tools that refuse or change every case of it in the corpus, and take the sound archives that these were made
    /// from: profiles raise it to an error. A test holds it to what was recorded of the tools.
    pub breaks: &'static [Tool],
    /// Entries of formats.md section H.
    pub catalogue: &'static [u16],
    /// What it checks.
    pub checks: &'static str,
    /// Why it matters: the specification's section and how real tools behave.
    pub matters: &'static str,
    /// An example of the fault.
    pub example: &'static str,
    /// How to mend it, without commands.
    pub mend: &'static str,
    /// What a command does about it.
    pub remedy: Remedy,
}

impl Rule {
    /// The part before the slash.
    pub fn family(&self) -> &'static str {
        self.name.split_once('/').map_or(self.name, |(family, _)| family)
    }

    /// How to mend it, with the command as it is where nothing else is wrong.
    pub fn how_to_mend(&self) -> String {
        let command = match self.remedy {
            Remedy::Convert(options) => {
                Command::convert(options.iter().flat_map(|option| option.words(self)))
            }
            Remedy::Raise(name) => Command::raise(name, None),
            Remedy::Prefix(prefix) => Command::prefix(prefix),
            Remedy::None | Remedy::Shown(_) => return self.mend.to_owned(),
        };
        let (first, rest) =
            self.mend.split_once("\n\n").map_or((self.mend, ""), |(first, rest)| (first, rest));
        let text = format!("{}: `{command}`.\n\n{rest}", first.trim_end_matches('.'));
        text.trim_end().to_owned()
    }
}

impl Opt {
    /// The words of it, for what a rule finds; what depends on the archive is in capitals.
    pub fn words(self, rule: &Rule) -> [String; 2] {
        let (name, value) = match self {
            Opt::Lower => ("-W", rule.name),
            Opt::Compress(value) => ("--compress", value),
            Opt::ManifestFormat(value) => ("--manifest-format", value),
            Opt::Drop(value) => ("--drop", value),
            Opt::Tag => ("--tag", "NAME:TAG"),
            Opt::Image => ("--image", "@0"),
            Opt::Platform => ("--platform", "PLATFORM"),
        };
        [name, value].map(str::to_owned)
    }
}

/// Declares a rule: name, level, meaning for `convert`, entries of formats.md H, and the four headings of its page.
macro_rules! rule {
    ($(#[$doc:meta])* $id:ident = $name:literal, $level:ident, $integrity:ident, $catalogue:expr,
     checks: $checks:literal, matters: $matters:literal, example: $example:literal, mend: $mend:literal $(,)?
     $(remedy: $remedy:expr,)?
     $(breaks: [$($tool:ident),* $(,)?] $(,)?)? $(optional: $optional:literal $(,)?)?) => {
        $(#[$doc])*
        pub static $id: $crate::finding::Rule = $crate::finding::Rule {
            name: $name,
            level: $crate::finding::Level::$level,
            integrity: $crate::finding::Integrity::$integrity,
            optional: false $(|| $optional)?,
            breaks: &[$($($crate::finding::Tool::$tool),*)?],
            catalogue: &$catalogue,
            checks: $checks,
            matters: $matters,
            example: $example,
            mend: $mend,
            remedy: {
                #[allow(unused_imports, reason = "most rules have no remedy")]
                use $crate::finding::{Opt::*, Remedy::*};
                $crate::finding::Remedy::declared(&[$($remedy)?])
            },
        };
    };
}

pub(crate) use rule;
