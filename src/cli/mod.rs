//! The command line: the only place that reads arguments or prints.

mod args;
mod check;
mod compare;
mod convert;
mod explain;
mod explain_error;
mod inspect;
mod open;
mod progress;
mod remote;
mod remote_args;
mod report;
mod shell;
mod status;
mod wrap;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches};

use args::{Cli, Command, Levels};
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
        Command::Inspect(args) => inspect::run(args, &shell),
        // A comparison is the same wherever it is run.
        Command::Compare(args) => {
            policy(&args.levels, false, &matches).and_then(|policy| compare::run(args, &policy, &shell))
        }
        Command::Schema { name } => schema(name.as_deref(), &shell).map(|()| 0),
        Command::Explain(args) => explain::run(args, &shell),
        Command::Completions { shell: name } => {
            let mut out = Vec::new();
            clap_complete::generate(*name, &mut Cli::command(), "restow", &mut out);
            shell.print_bytes(&out).map(|()| 0)
        }
        Command::Man => man(&shell).map(|()| 0),
    };
    // After a signal other threads fail over the files that it removed, which is nothing to tell.
    shell::yield_to_signal();
    result.unwrap_or_else(|error| {
        shell.error(&error);
        FAILED
    })
}

/// Profiles, then `restow.toml`, then `-A`, `-W` and `-D` in the order in which they were typed: the last one wins.
fn policy(levels: &Levels, reads_file: bool, matches: &ArgMatches) -> Result<Policy, Error> {
    let mut policy = Policy::default();
    for name in &levels.profile {
        policy.profile(Profile::parse(name)?);
    }
    let here = Path::new("restow.toml");
    match &levels.config {
        Some(file) => policy.read(file)?,
        // A folder or a link to nothing of that name is told, not passed over.
        None if reads_file && here.symlink_metadata().is_ok() => policy.read(here)?,
        None => {}
    }
    let Some((_, matches)) = matches.subcommand() else { return Ok(policy) };
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

/// Prints a bundled schema, or the list of them.
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

/// One page for the command and every subcommand, one behind the other.
fn man(shell: &Shell) -> Result<(), Error> {
    let mut out = Vec::new();
    let mut command = Cli::command();
    command.build();
    let render = |command: &clap::Command, out: &mut Vec<u8>| {
        clap_mangen::Man::new(command.clone())
            .render(out)
            .map_err(|error| Error::io("cannot write", "the man page", error))
    };
    render(&command, &mut out)?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        render(sub, &mut out)?;
    }
    // The texts after the options are laid out by lines, which troff would fill.
    let page = String::from_utf8_lossy(&out).replace(".SH EXTRA\n", ".SH NOTES\n.nf\n");
    shell.print(&page)
}
