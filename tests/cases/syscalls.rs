//! Conversions that are killed at every system call that changes the disk, in turn: what is under the destination's name
//! is absent, as it was before, or whole, and the same command then succeeds and leaves nothing else behind.
//!
//! `RESTOW_SYSCALLS=1 cargo test --test cases syscalls::` runs them; they want `strace`, which injects the kill as the
//! call is entered. A conversion runs with one job, so that each run makes the same calls. Last run: 2026-11-29, eleven
//! conversions killed at 541 calls, 469 times all was as before and 72 times whole; a repair killed at 64 calls, each file as it was or
//! right.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use libtest_mimic::Failed;

use crate::Test;
use crate::common::Restow;
use crate::common::tree_digest::files;
use crate::kills::{Bench, DESTINATIONS, archive};

/// What changes the disk. `?` passes over what the machine does not have.
const CALLS: &[&str] = &[
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "openat",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "rmdir",
    "ftruncate",
    "fallocate",
    "chmod",
    "fchmod",
    "fchmodat",
    "copy_file_range",
    "sendfile",
    "fsync",
    "fdatasync",
    "utimensat",
];

/// Bytes in each layer: a few writes each.
const SIZE: usize = 150_000;

pub fn tests() -> Vec<Test> {
    let wanted = std::env::var_os("RESTOW_SYSCALLS").is_some();
    let tests = DESTINATIONS.iter().enumerate().map(|(seed, destination)| {
        let test = Test::new(destination.0, move || {
            let dir = tempfile::tempdir()?;
            let bench = Bench::new(dir.path(), destination, seed as u64, SIZE)?;
            kill_at_each(&bench, dir.path(), destination.0)
        });
        Test { ignored: !wanted, ..test }
    });
    let repairs = Test::new("repair", || {
        let dir = tempfile::tempdir()?;
        repairs_killed(dir.path())
    });
    tests.chain([Test { ignored: !wanted, ..repairs }]).collect()
}

/// A storage of which every blob is wrong or missing, and links are gone, is repaired, and the repair killed at every call: each
/// file is as it was, or right, and the next repair puts all of it right.
#[expect(clippy::print_stdout, reason = "the sums are what a reader wants to know")]
fn repairs_killed(dir: &Path) -> Result<(), Failed> {
    let restow = Restow::new(dir);
    let source = dir.join("source.tar");
    std::fs::write(&source, archive("lab/app:1", 7, SIZE)?)?;
    let (source, storage) = (source.display().to_string(), dir.join("storage"));
    let place = format!("registry-storage:{}", storage.display());
    // An archive with manifests: an old `docker save` has none to give.
    let copy = format!("oci-archive:{}", dir.join("copy.tar").display());
    let run = |words: &[&str]| restow.run(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
    run(&["convert", "-q", &source, &place])?.expect(0)?;
    run(&["convert", "-q", &place, &copy])?.expect(0)?;
    let sound = files(&storage)?;
    let spoil = || -> Result<(), Failed> {
        std::fs::remove_dir_all(&storage)?;
        run(&["convert", "-q", &copy, &place])?.expect(0)?;
        for (nth, name) in sound.keys().enumerate() {
            let path = storage.join(name);
            match (name.ends_with("/data"), name.contains("/_layers/"), nth % 2) {
                (true, _, 0) => std::fs::write(path, "wrong")?,
                (true, _, _) | (_, true, _) => std::fs::remove_file(path)?,
                _ => {}
            }
        }
        Ok(())
    };
    spoil()?;
    let spoilt = files(&storage)?;
    let words = ["repair", "--write", "--jobs", "1", &place, "--from", &copy].map(str::to_owned);
    let log = dir.join("strace.log");
    let traced = |options: &[String]| {
        let plain = restow.command();
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o"]).arg(&log).args(options).arg(plain.get_program()).args(&words);
        command.env_clear().env("TMPDIR", &restow.tmp).current_dir(&restow.tmp);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let calls: Vec<String> = CALLS.iter().map(|call| format!("?{call}")).collect();
    let status = traced(&["-e".to_owned(), format!("trace={}", calls.join(","))]).status()?;
    if !status.success() {
        return Err(format!("strace: {status}").into());
    }
    if files(&storage)? != sound {
        return Err("a repair that nobody killed did not put all of it right".into());
    }
    let moments = moments(&std::fs::read_to_string(&log)?);
    let (mut over, mut between) = (0, 0);
    for (call, at) in &moments {
        spoil()?;
        let inject = ["-e", &format!("trace={call}"), "-e", &format!("inject={call}:signal=KILL:when={at}")];
        let status = traced(&inject.map(str::to_owned)).status()?;
        over += usize::from(status.success());
        let mut now = files(&storage)?;
        // What was staged is passed over by readers, and removed by the next repair.
        now.retain(|name, _| !name.starts_with(".restow-"));
        let worse = now.iter().find(|(name, sum)| {
            let same = |known: &std::collections::BTreeMap<String, String>| known.get(*name) == Some(*sum);
            !same(&sound) && !same(&spoilt)
        });
        if let Some((name, _)) = worse {
            return Err(format!("{call} number {at}: {name} is neither as it was nor right").into());
        }
        if let Some(name) = spoilt.keys().find(|name| !now.contains_key(*name)) {
            return Err(format!("{call} number {at}: {name} is gone").into());
        }
        between += usize::from(now != spoilt && now != sound);
        run(&["repair", "-q", "--write", &place, "--from", &copy])?.expect(0)?;
        if files(&storage)? != sound {
            return Err(format!("{call} number {at}: the next repair did not put all of it right").into());
        }
    }
    println!(
        "repair: killed at {} calls: {between} times some was right and some as before; {over} runs ended first",
        moments.len()
    );
    if moments.len() < 20 || over * 10 > moments.len() {
        return Err(format!("{over} of {} kills did not happen", moments.len()).into());
    }
    Ok(())
}

/// The conversion under strace.
fn traced(bench: &Bench, log: &Path, options: &[String]) -> Command {
    let plain = bench.restow.command();
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(log).args(options).arg(plain.get_program());
    command.args(bench.command()).args(["--jobs", "1"]);
    command.env_clear().env("TMPDIR", &bench.restow.tmp).current_dir(&bench.restow.tmp);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[expect(clippy::print_stdout, reason = "the sums are what a reader wants to know")]
fn kill_at_each(bench: &Bench, dir: &Path, name: &str) -> Result<(), Failed> {
    let log = dir.join("strace.log");
    bench.prepare()?;
    let calls: Vec<String> = CALLS.iter().map(|call| format!("?{call}")).collect();
    let all = ["-e".to_owned(), format!("trace={}", calls.join(","))];
    let status = traced(bench, &log, &all).status()?;
    if !status.success() {
        return Err(format!("strace: {status}").into());
    }
    let moments = moments(&std::fs::read_to_string(&log)?);
    if moments.len() < 10 {
        return Err(format!("only {} calls were seen", moments.len()).into());
    }
    let (mut old, mut new, mut over) = (0, 0, 0);
    for (call, at) in &moments {
        bench.prepare()?;
        let what = format!("{call} number {at}");
        let inject = [
            "-e".to_owned(),
            format!("trace={call}"),
            "-e".to_owned(),
            format!("inject={call}:signal=KILL:when={at}"),
        ];
        let status = traced(bench, &log, &inject).status()?;
        // A call that this run made in another thread was not reached there.
        over += usize::from(status.success());
        match bench.survived(&what)? {
            true => new += 1,
            false => old += 1,
        }
    }
    println!(
        "{name}: killed at {} calls: {old} as before, {new} whole; {over} runs ended first",
        moments.len()
    );
    if over * 10 > moments.len() {
        return Err(format!("{over} of {} kills did not happen", moments.len()).into());
    }
    Ok(())
}

/// Each call that changes the disk: its name, and the how manieth of that name it is in its thread.
fn moments(log: &str) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut moments = Vec::new();
    for line in log.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((call, arguments)) = rest.trim_start().split_once('(') else { continue };
        if !CALLS.contains(&call) {
            continue;
        }
        let count = counts.entry((thread, call)).or_default();
        *count += 1;
        let changes = match call {
            "openat" => arguments.contains("O_CREAT"),
            // What is said to people is no change.
            "write" | "writev" => !["1, ", "2, "].iter().any(|out| arguments.starts_with(out)),
            _ => true,
        };
        let moment = (call.to_owned(), *count);
        if changes && !moments.contains(&moment) {
            moments.push(moment);
        }
    }
    moments
}
