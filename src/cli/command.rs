//! The command and its commands.

use clap::{Parser, Subcommand};

#[cfg(feature = "serve")]
use super::args::ServeArgs;
use super::args::{CheckArgs, Common, CompareArgs, ConvertArgs, ExplainArgs, InspectArgs, Plain};
use super::index_args::IndexArgs;
use super::late::Late;
use super::remote_args::SidesArgs;
use super::repair_args::RepairArgs;
#[cfg(feature = "scrub")]
use super::scrub_args::ScrubArgs;
use super::words;

const PLACES: &str = "\
Places:
  docker-archive:FILE[:REF]          `docker save`, any version, or a folder
  oci:DIR[:TAG]                      OCI layout
  oci-archive:FILE[:TAG]             OCI layout in a tar
  dir:DIR                            dir: layout of skopeo and podman
  registry-storage:DIR[:REPO[:TAG]]  storage of Docker Distribution
  docker://HOST/NAME[:TAG|@DIGEST]   a live registry; docker://HOST/ is all of it
  A SOURCE may be a path without prefix, whose form is found from its
  content, or `-`, standard input. A DESTINATION needs a prefix;
  docker-archive:- and oci-archive:- are standard output.

Exit status:
  0              done, nothing wrong
  1              the image is wrong, or (compare) the places differ
  2              the command could not, or may not, do what was asked
  129, 130, 143  ended by a signal; nothing half-written stays

Examples:
  restow check app.tar
  restow convert app.tar oci:layout
  docker save app:1 | restow check -";

/// Check, inspect and convert container image archives of any form.
#[derive(Debug, Parser)]
#[command(name = "restow", version, about, after_help = PLACES, max_term_width = 100)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Judge archives: structure, digests, sizes, diff IDs.
    Check(Late<CheckArgs>),
    /// Rewrite an archive in another form, verified on the way.
    Convert(Late<ConvertArgs>),
    /// Show what is in an archive, a table if it is several images; layers are not read.
    Inspect(Late<InspectArgs>),
    /// Say whether two places hold the same images.
    Compare(Late<CompareArgs>),
    /// Make, change, take apart and show images for many platforms, in any form.
    Index(Late<IndexArgs>),
    /// Prove a whole storage: resumed after any kill, divided, in memory that does not grow.
    #[cfg(feature = "scrub")]
    Scrub(Box<Late<ScrubArgs>>),
    /// Serve archives as a registry to pull from, read-only, without unpacking them.
    #[cfg(feature = "serve")]
    Serve(Late<ServeArgs>),
    /// Put right bytes where wrong or missing ones are, from other places; nothing is deleted.
    Repair(Late<RepairArgs>),
    /// Explain a rule; list a family of rules or, without RULE, all.
    Explain(Late<ExplainArgs>),
    /// List the profiles; with NAME, the rules that one raises, and why.
    #[command(after_help = "Examples:\n  restow profiles\n  restow profiles docker")]
    Profiles {
        /// The profile, such as docker
        #[arg(value_parser = words::profiles(), hide_possible_values = true)]
        name: Option<String>,
        #[command(flatten)]
        plain: Plain,
    },
    /// Print a bundled JSON Schema; without NAME, the list.
    #[command(
        after_help = "Examples:\n  restow schema\n  restow schema oci-manifest\n  restow schema report-v1 > report-v1.json"
    )]
    Schema {
        /// The schema, such as oci-manifest
        #[arg(value_parser = words::schemas(), hide_possible_values = true)]
        name: Option<String>,
        #[command(flatten)]
        plain: Plain,
    },
    /// Print a completion script.
    #[command(
        after_help = "Examples:\n  restow completions bash > ~/.local/share/bash-completion/completions/restow\n  restow completions zsh > ~/.zfunc/_restow\n  restow completions fish > ~/.config/fish/completions/restow.fish"
    )]
    Completions {
        /// The shell that it is for.
        shell: clap_complete::Shell,
        #[command(flatten)]
        plain: Plain,
    },
    /// Print the man page of a command; without COMMAND, all of them.
    #[command(
        after_help = "Examples:\n  restow man check | man -l -\n  restow man restow > restow.1\n  restow man convert > restow-convert.1"
    )]
    Man {
        /// The command, such as check; restow is the page that leads to the others
        #[arg(value_parser = words::commands(), hide_possible_values = true)]
        command: Option<String>,
        #[command(flatten)]
        plain: Plain,
    },
}

impl Command {
    /// Options of two places, where a command has two.
    pub fn sides(&self) -> SidesArgs {
        match self {
            Command::Convert(args) => args.sides.clone(),
            Command::Compare(args) => args.sides.clone(),
            Command::Index(args) => {
                args.command.writing().map(|write| write.sides.clone()).unwrap_or_default()
            }
            _ => SidesArgs::default(),
        }
    }

    /// The places that it reads, as typed, and the one that it writes.
    pub fn places(&self) -> (Vec<String>, Option<String>) {
        match self {
            Command::Check(args) => (args.source.clone(), None),
            Command::Convert(args) => (vec![args.source.clone()], Some(args.destination.clone())),
            Command::Inspect(args) => (vec![args.source.clone()], None),
            Command::Compare(args) => (vec![args.a.clone(), args.b.clone()], None),
            Command::Index(args) => (args.command.sources(), args.command.destination()),
            #[cfg(feature = "scrub")]
            Command::Scrub(args) => (args.place.iter().cloned().collect(), None),
            Command::Repair(args) => (args.from.clone(), None),
            #[cfg(feature = "serve")]
            Command::Serve(args) => {
                let place = |text: &String| {
                    crate::command::named(text).map_or(text.clone(), |(_, place)| place.to_owned())
                };
                (args.place.iter().map(place).collect(), None)
            }
            _ => (Vec::new(), None),
        }
    }

    pub fn common(&self) -> Common {
        match self {
            Command::Check(args) => args.common.clone(),
            Command::Convert(args) => args.common.clone(),
            Command::Inspect(args) => args.common.clone(),
            Command::Compare(args) => args.common.clone(),
            Command::Index(args) => args.command.common().clone(),
            #[cfg(feature = "scrub")]
            Command::Scrub(args) => args.common().clone(),
            Command::Repair(args) => args.common.clone(),
            #[cfg(feature = "serve")]
            Command::Serve(args) => args.common.clone(),
            Command::Explain(args) => args.plain.common(),
            Command::Profiles { plain, .. }
            | Command::Schema { plain, .. }
            | Command::Completions { plain, .. }
            | Command::Man { plain, .. } => plain.common(),
        }
    }
}
