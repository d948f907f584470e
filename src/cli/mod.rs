//! The command line: the only place that reads arguments or prints.

mod args;
mod check;
mod command;
mod compare;
mod convert;
mod explain;
mod explain_error;
mod index;
mod index_args;
mod inspect;
mod man;
mod open;
mod progress;
mod remote;
mod remote_args;
mod report;
#[cfg(feature = "serve")]
mod serve;
mod shell;
mod status;
mod words;
mod wrap;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::sync::OnceLock;

use clap::{ArgMatches, CommandFactory, FromArgMatches};

use args::Levels;
use command::{Cli, Command};
use shell::Shell;
use status::FAILED;

use crate::error::Error;
use crate::{Level, Policy, Profile};

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
    let parsed = Cli::command()
        .long_version(version())
        .try_get_matches_from(words)
        .and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            // Help and version are no failures, and a closed pipe changes neither.
            let code = if error.use_stderr() { FAILED } else { 0 };
            let _ = error.print();
            return code;
        }
    };
    let common = cli.command.common();
    let shell = Shell::new(common, cli.command.sides());
    let result = match &cli.command {
        Command::Check(args) => {
            policy(&args.levels, true, &matches).and_then(|policy| check::run(args, &policy, &shell))
        }
        // Without --check a conversion is the same wherever it is run.
        Command::Convert(args) => {
            policy(&args.levels, args.check, &matches).and_then(|policy| convert::run(args, &policy, &shell))
        }
        // What is written is the same wherever it is.
        Command::Index(args) => match args.command.writing() {
            Some(write) => policy(&write.levels, write.check, &matches)
                .and_then(|policy| index::run(&args.command, &policy, &shell)),
            None => index::run(&args.command, &Policy::default(), &shell),
        },
        Command::Inspect(args) => inspect::run(args, &shell),
        // A comparison is the same wherever it is run.
        Command::Compare(args) => {
            policy(&args.levels, false, &matches).and_then(|policy| compare::run(args, &policy, &shell))
        }
        // What is served is the same wherever it is done.
        #[cfg(feature = "serve")]
        Command::Serve(args) => {
            policy(&args.levels, false, &matches).and_then(|policy| serve::run(args, &policy, &shell))
        }
        Command::Schema { name } => schema(name.as_deref(), &shell).map(|()| 0),
        Command::Explain(args) => explain::run(args, &shell),
        Command::Completions { shell: name } => {
            let mut out = Vec::new();
            clap_complete::generate(*name, &mut Cli::command(), "restow", &mut out);
            shell.print(&words::with_places(&String::from_utf8_lossy(&out), *name)).map(|()| 0)
        }
        Command::Man { command } => man::run(Cli::command(), command.as_deref(), &shell).map(|()| 0),
    };
    // After a signal other threads fail over the files that it removed, which is nothing to tell.
    shell::yield_to_signal();
    result.unwrap_or_else(|error| {
        shell.error(&error);
        FAILED
    })
}

/// `restow.toml`, then the profiles that were typed, then `-A`, `-W` and `-D` in the order in which they were: the last one
/// wins.
fn policy(levels: &Levels, reads_file: bool, matches: &ArgMatches) -> Result<Policy, Error> {
    let mut policy = Policy::default();
    let here = Path::new("restow.toml");
    match &levels.config {
        Some(file) => policy.read(file)?,
        // A folder or a link to nothing of that name is told, not passed over.
        None if reads_file && here.symlink_metadata().is_ok() => policy.read(here)?,
        None => {}
    }
    for name in &levels.profile {
        policy.profile(Profile::parse(name)?);
    }
    let Some((_, matches)) = matches.subcommand() else { return Ok(policy) };
    let matches = matches.subcommand().map_or(matches, |(_, below)| below);
    let mut flags: Vec<(usize, Level, &String)> = Vec::new();
    for (id, level) in [("allow", Level::Allow), ("warn", Level::Warning), ("deny", Level::Error)] {
        let indices = matches.indices_of(id).into_iter().flatten();
        let values = matches.get_many::<String>(id).into_iter().flatten();
        flags.extend(indices.zip(values).map(|(index, value)| (index, level, value)));
    }
    flags.sort_by_key(|(index, ..)| *index);
    for (_, level, selector) in flags {
        policy.set(selector, level)?;
    }
    Ok(policy)
}

/// Prints a bundled schema, of a document or of what restow writes, or the list of them.
fn schema(name: Option<&str>, shell: &Shell) -> Result<(), Error> {
    let all = crate::schemas();
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
        ("junit", cfg!(feature = "junit")),
        ("registry", cfg!(feature = "registry")),
        ("schema1", cfg!(feature = "schema1")),
        ("serve", cfg!(feature = "serve")),
    ];
    let features = features.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect::<Vec<_>>();
    let version = env!("CARGO_PKG_VERSION");
    TEXT.get_or_init(|| format!("{version}\ncommit    {commit}\nfeatures  {}", features.join(" ")))
}
