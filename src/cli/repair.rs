//! `restow repair`: right bytes where wrong or missing ones are.

use super::convert::may_stand;
use super::open::source;
use super::progress::Told;
use super::remote::Side;
use super::repair_args::RepairArgs;
use super::report;
use super::shell::{Doing, Shell, doing};
use super::status::{FAILED, WRONG};
use crate::Place;
use crate::command::Used;
use crate::error::{Error, Result};
use crate::escape::escape_str;
use crate::repair::{Repaired, Request as Repairing};

/// Steps that are told without being asked for.
const STEPS: usize = 20;

pub(super) fn run(args: &RepairArgs, shell: &Shell) -> Result<u8> {
    let place = Place::parse(&args.place)?;
    if let Some(file) = args.account.as_deref().filter(|file| !report::is_stdout(file)) {
        may_stand("--account", file, &place, Used::Written)?;
        report::writable(file)?;
    }
    let mut remote = place.is_remote();
    let mut from = Vec::new();
    for text in &args.from {
        let other = Place::parse(text)?;
        if other.path == place.path && other.is_remote() == place.is_remote() && !other.is_standard() {
            let message = format!("{text} is the place that is repaired");
            return Err(Error::refused_help(message, "--from names another one, which has what it lacks"));
        }
        remote |= other.is_remote();
        from.push(source(&other, Side::First, &[], shell)?);
    }
    let told = Told::new(&shell.common);
    let options = shell.options(&told, remote)?;
    let how = Repairing {
        write: args.write,
        keep_wrong: args.keep_wrong.clone(),
        state: args.state.clone(),
        fsync: args.fsync,
    };
    let place = source(&place, Side::First, &[], shell)?;
    doing(if args.write { Doing::Staging } else { Doing::Nothing });
    let repaired = crate::repair::run(place, from, &how, &options);
    doing(Doing::Nothing);
    let repaired = repaired?;
    let account = args.account.as_deref();
    if account.is_none_or(|file| !report::is_stdout(file)) {
        shell.print(&told_of(args, &repaired, shell))?;
    }
    if let Some(file) = account {
        let text = repaired.to_json(&args.place);
        match report::is_stdout(file) {
            true => shell.print(&text)?,
            false => report::write(file, text.as_bytes())?,
        }
    }
    let code = match (&repaired.stopped, repaired.is_whole(), args.write || repaired.steps.is_empty()) {
        (Some(_), ..) => FAILED,
        (None, true, true) => 0,
        _ => WRONG,
    };
    match repaired.stopped {
        Some(error) => Err(error),
        None => Ok(code),
    }
}

/// What was done, for people.
fn told_of(args: &RepairArgs, repaired: &Repaired, shell: &Shell) -> String {
    let place = escape_str(&args.place);
    let counted = |n: usize, what: &str| crate::command::counted(n as u64, what);
    let looked = match repaired.known {
        0 => counted(repaired.looked, "blob"),
        known => format!("{}, {known} known from the scrub", counted(repaired.looked, "blob")),
    };
    if repaired.steps.is_empty() && repaired.is_whole() {
        return match shell.common.quiet {
            true => String::new(),
            false => format!("{place}: {looked}, nothing to put right\n"),
        };
    }
    let what = if args.write { "put right" } else { "to be put right" };
    let mut text = format!("{place}: {looked}, {} {what}", repaired.steps.len());
    if !repaired.left.is_empty() {
        text.push_str(&format!(", {} left", repaired.left.len()));
    }
    text.push('\n');
    let most = if shell.common.verbose || !args.write { usize::MAX } else { STEPS };
    for step in repaired.steps.iter().take(most) {
        text.push_str(&format!("  {}\n", escape_str(&step.line())));
    }
    let more = repaired.steps.len().saturating_sub(most);
    if more > 0 {
        text.push_str(&format!("  and {more} more; -v shows all\n"));
    }
    for left in &repaired.left {
        for (nth, line) in left.lines().iter().enumerate() {
            let left = if nth == 0 { "left: " } else { "" };
            text.push_str(&format!("  {left}{}\n", escape_str(line)));
        }
    }
    if !args.write {
        text.push_str("nothing was written; --write does it\n");
    }
    text
}
