//! The command line: the only place that reads arguments or prints.

mod args;
mod check;
mod command;
mod compare;
mod compared;
mod convert;
mod explain;
mod explain_error;
mod idle;
mod index;
mod index_args;
mod inspect;
mod late;
mod levels;
mod man;
mod meant;
mod open;
mod profiles;
mod progress;
mod remote;
mod remote_args;
mod repair;
mod repair_args;
mod report;
#[cfg(feature = "scrub")]
mod scrub;
#[cfg(feature = "scrub")]
mod scrub_args;
#[cfg(feature = "scrub")]
mod scrub_progress;
#[cfg(feature = "serve")]
mod serve;
mod shell;
mod status;
mod typed;
mod verbs;
mod words;
mod wrap;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::OnceLock;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

use args::Common;
use command::{Cli, Command};
use remote_args::SidesArgs;
use shell::Shell;
use status::FAILED;
use typed::Typed;

use crate::error::Error;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    shell::end_on_signals();
    let code = run(std::env::args_os());
    shell::yield_to_signal();
    ExitCode::from(code)
}

/// Runs a command line, of which the first word is the program's name, and gives its exit status. Signals are left to
/// the caller.
pub fn run(words: impl IntoIterator<Item = OsString>) -> u8 {
    let words = typed::command_first(words.into_iter().collect());
    let mut typed = Typed::of(&words);
    let parsed = Cli::command()
        .long_version(version())
        .try_get_matches_from(words)
        .and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            // Help and version are no failures, and a closed pipe changes neither.
            let code = if error.use_stderr() { FAILED } else { 0 };
            let unknown =
                (error.kind() == ErrorKind::InvalidSubcommand).then(|| verbs::unknown(&typed)).flatten();
            if let Some(error) = unknown {
                Shell::new(Common::default(), SidesArgs::default(), typed).error(&error);
                return code;
            }
            let _ = error.print();
            return code;
        }
    };
    (typed.sources, typed.destination) = cli.command.places();
    let shell = Shell::new(cli.command.common(), cli.command.sides(), typed);
    let result = idle::refuse(&shell.typed, &matches).and_then(|()| match &cli.command {
        Command::Check(args) => {
            levels::policy(&args.levels, args.baseline.as_deref(), true, &shell, &matches)
                .and_then(|policy| check::run(args, &policy, &shell))
        }
        // Without --check a conversion is the same wherever it is run.
        Command::Convert(args) => {
            levels::policy(&args.levels, args.baseline.as_deref(), args.check, &shell, &matches)
                .and_then(|policy| convert::run(args, &policy, &shell))
        }
        // What is written is the same wherever it is.
        Command::Index(args) => match args.command.writing() {
            Some(write) => levels::policy(&write.levels, None, write.check, &shell, &matches)
                .and_then(|policy| index::run(&args.command, &policy, &shell)),
            None => index::run(&args.command, &crate::Policy::default(), &shell),
        },
        Command::Inspect(args) => inspect::run(args, &shell),
        // A comparison is the same wherever it is run.
        Command::Compare(args) => levels::policy(&args.levels, None, false, &shell, &matches)
            .and_then(|policy| compare::run(args, &policy, &shell)),
        Command::Profiles { name, .. } => profiles::run(name.as_deref(), &shell).map(|()| 0),
        // What is served is the same wherever it is done.
        #[cfg(feature = "serve")]
        Command::Serve(args) => levels::policy(&args.levels, None, false, &shell, &matches)
            .and_then(|policy| serve::run(args, &policy, &shell)),
        // A storage is judged the same wherever it is done.
        #[cfg(feature = "scrub")]
        Command::Scrub(args) => match args.telling() {
            Some(own) => levels::policy(&own.levels, own.baseline.as_deref(), true, &shell, &matches)
                .and_then(|policy| scrub::run(args, &policy, &shell)),
            None => scrub::run(args, &crate::Policy::default(), &shell),
        },
        Command::Repair(args) => repair::run(args, &shell),
        Command::Schema { name, .. } => schema(name.as_deref(), &shell).map(|()| 0),
        Command::Explain(args) => explain::run(args, &shell),
        Command::Completions { shell: name, .. } => {
            let mut out = Vec::new();
            clap_complete::generate(*name, &mut Cli::command(), "restow", &mut out);
            shell.print(&words::with_places(&String::from_utf8_lossy(&out), *name)).map(|()| 0)
        }
        Command::Man { command, .. } => man::run(Cli::command(), command.as_deref(), &shell).map(|()| 0),
    });
    // After a signal other threads fail over the files that it removed, which is nothing to tell.
    shell::yield_to_signal();
    result.unwrap_or_else(|error| {
        shell.error(&error);
        FAILED
    })
}

/// Prints a bundled schema, of a document or of what restow writes, or the list of them.
fn schema(name: Option<&str>, shell: &Shell) -> Result<(), Error> {
    let all = crate::explain::schemas();
    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    let Some(name) = name else { return shell.print(&format!("{}\n", names.join("\n"))) };
    match all.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => shell.print(text),
        None => {
            let message = format!("there is no schema `{name}`");
            Err(Error::refused_help(message, format!("the schemas are {}", names.join(", "))))
        }
    }
}

/// Version, commit and features, for `--version`.
fn version() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    let commit = match env!("RESTOW_BUILT_OF") {
        "" => "unknown",
        commit => commit,
    };
    let features = [
        ("cli", cfg!(feature = "cli")),
        ("cloud", cfg!(feature = "cloud")),
        ("junit", cfg!(feature = "junit")),
        ("page", cfg!(feature = "page")),
        ("registry", cfg!(feature = "registry")),
        ("schema1", cfg!(feature = "schema1")),
        ("scrub", cfg!(feature = "scrub")),
        ("serve", cfg!(feature = "serve")),
    ];
    let features = features.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect::<Vec<_>>();
    let version = env!("CARGO_PKG_VERSION");
    TEXT.get_or_init(|| format!("{version}\ncommit    {commit}\nfeatures  {}", features.join(" ")))
}
