//! What Docker, containerd, podman, buildah, skopeo, umoci and Debian's registry really do with every archive of the
//! corpus, on overlay file systems: `src/rules/evidence.json`, on which every claim about a tool rests.
//!
//! ```sh
//! RESTOW_EVIDENCE=write cargo test --test evidence                  # records all of it anew, as root
//! RESTOW_EVIDENCE=write cargo test --test evidence -- bad/entry     # cases whose name holds this, or one of A,B,C
//! RESTOW_EVIDENCE_ROOT=/srv/trixie RESTOW_EVIDENCE=write cargo test --test evidence
//! ```
//!
//! The last one asks the tools of a distribution in a folder, as `debootstrap` makes it. Records of other versions stay.
//! `CI=true` repeats twenty cases with the installed tools and holds them to the record; a plain `cargo test` lists
//! them as ignored. All runs in a mount namespace of its own, daemons are stopped by their process ids, and nothing is
//! fetched.
#![allow(clippy::print_stderr, reason = "a recorder says on stderr how far it is")]

#[allow(dead_code, reason = "only hashing is wanted here")]
#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code, reason = "only what starts and stops them is wanted here")]
#[path = "../interop/daemons.rs"]
mod daemons;
mod input;
mod lab;
mod push;
mod record;
mod served;
#[allow(dead_code, reason = "what makes and lists the cases is not wanted here")]
#[path = "../cases/stored/mod.rs"]
mod stored;
mod toolbox;
#[allow(dead_code, reason = "it is of the daemons")]
#[path = "../interop/tools.rs"]
mod tools;
mod tree;
mod ways;
mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex};

use input::{Input, Subject, subjects};
use lab::Lab;
use libtest_mimic::{Arguments, Failed, Trial};
use record::{Case, Evidence, Tool};
use toolbox::{PACKAGES, Toolbox};
use ways::GROUPS;

/// So many cases are repeated in CI.
const REPEATED: usize = 20;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let write = std::env::var("RESTOW_EVIDENCE").is_ok_and(|value| value == "write");
    let ci = std::env::var("CI").is_ok_and(|value| value == "true");
    let repeat = ci || arguments.ignored || arguments.include_ignored;
    if (write || repeat && !arguments.list) && std::env::var_os("RESTOW_EVIDENCE_INSIDE").is_none() {
        return inside();
    }
    if write {
        return match record(arguments.filter.as_deref().unwrap_or_default()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("evidence: {error}");
                ExitCode::FAILURE
            }
        };
    }
    repeat_some(&arguments, repeat).exit_code()
}

/// This program once more, in a mount namespace of its own: nothing that it or a tool mounts stays.
fn inside() -> ExitCode {
    let Ok(program) = std::env::current_exe() else { return ExitCode::FAILURE };
    let mut command = Command::new("/usr/bin/unshare");
    command.args(["--mount", "--propagation", "private"]).arg(program).args(std::env::args_os().skip(1));
    match command.env("RESTOW_EVIDENCE_INSIDE", "1").status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn root() -> PathBuf {
    std::env::var_os("RESTOW_EVIDENCE_ROOT").map_or_else(|| "/".into(), PathBuf::from)
}

/// The tools that are installed, each with its version.
fn versions() -> Result<(String, BTreeMap<String, String>), String> {
    let toolbox = Toolbox::open(&root())?;
    let versions = PACKAGES.iter().filter_map(|(tool, _)| Some(((*tool).to_owned(), toolbox.version(tool)?)));
    Ok((toolbox.distribution(), versions.collect()))
}

/// What each installed tool does with each of these cases.
fn ask(
    lab: &Lab,
    versions: &BTreeMap<String, String>,
    subjects: &[Subject],
) -> Result<BTreeMap<String, Case>, String> {
    let found: Mutex<BTreeMap<String, Case>> = Mutex::default();
    let failed: Mutex<Option<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for (n, group) in GROUPS.iter().enumerate() {
            let (found, failed) = (&found, &failed);
            scope.spawn(move || {
                for (at, subject) in subjects.iter().enumerate() {
                    if at % 50 == 49 {
                        eprintln!("evidence: {at} cases by {}", group[0].0);
                    }
                    if let Err(error) = ask_group(lab, versions, group, subject, &format!("{n}-{at}"), found)
                    {
                        *failed.lock().expect("not poisoned") = Some(format!("{}: {error}", subject.name));
                    }
                }
            });
        }
    });
    match failed.into_inner().map_err(|error| error.to_string())? {
        Some(error) => Err(error),
        None => found.into_inner().map_err(|error| error.to_string()),
    }
}

fn ask_group(
    lab: &Lab,
    versions: &BTreeMap<String, String>,
    group: &[(&str, ways::Ask)],
    subject: &Subject,
    folder: &str,
    found: &Mutex<BTreeMap<String, Case>>,
) -> Result<(), String> {
    for (tool, ask) in group {
        let Some(version) = versions.get(*tool) else { continue };
        let folder = format!("{folder}-{tool}");
        let outside = lab.toolbox.outside(&folder);
        let input = Input::deliver(subject, &folder, &outside)?;
        let steps = ask(lab, &input);
        drop(std::fs::remove_dir_all(&outside));
        let mut found = found.lock().map_err(|error| error.to_string())?;
        let case = found.entry(subject.name.clone()).or_default();
        case.bytes = subject.bytes().map_err(|error| error.to_string())?;
        for (step, outcome) in steps {
            case.add(format!("{tool} {version} {step}"), outcome);
        }
    }
    Ok(())
}

fn record(filter: &str) -> Result<(), String> {
    let (distribution, versions) = versions()?;
    let wanted = |subject: &Subject| filter.split(',').any(|part| subject.name.contains(part));
    let subjects: Vec<Subject> = subjects()?.into_iter().filter(wanted).collect();
    eprintln!("evidence: {} cases, {distribution}: {versions:?}", subjects.len());
    let tools: Vec<String> = versions.keys().cloned().collect();
    let found = {
        let lab = Lab::open(&root(), &tools)?;
        ask(&lab, &versions, &subjects)?
    };
    let mut evidence = Evidence::read()?;
    let known: Vec<String> = input::subjects()?.into_iter().map(|subject| subject.name).collect();
    evidence.cases.retain(|name, _| known.contains(name));
    for (name, new) in found {
        let case = evidence.cases.entry(name).or_default();
        if case.bytes != new.bytes {
            *case = Case { bytes: new.bytes.clone(), ..Case::default() };
        }
        for (tool, version) in &versions {
            case.forget(&format!("{tool} {version}"));
        }
        case.takes.extend(new.takes);
        case.takes.sort();
        case.changes.extend(new.changes);
        case.refuses.extend(new.refuses);
    }
    let today = today();
    for (tool, version) in versions {
        evidence.tools.retain(|known| (&known.tool, &known.version) != (&tool, &version));
        evidence.tools.push(Tool {
            tool,
            version,
            distribution: distribution.clone(),
            recorded: today.clone(),
        });
    }
    evidence.tools.sort();
    evidence.write()
}

fn today() -> String {
    let out = Command::new("/usr/bin/date").arg("+%F").output();
    out.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned()).unwrap_or_default()
}

/// Cases that something refuses, spread over the whole list.
fn chosen(evidence: &Evidence) -> Result<Vec<Subject>, String> {
    let refused =
        |subject: &Subject| evidence.cases.get(&subject.name).is_some_and(|case| !case.refuses.is_empty());
    let all: Vec<Subject> = subjects()?.into_iter().filter(refused).collect();
    let step = all.len().div_ceil(REPEATED).max(1);
    Ok(all.into_iter().step_by(step).collect())
}

fn repeat_some(arguments: &Arguments, repeat: bool) -> libtest_mimic::Conclusion {
    let recorded = Evidence::read().and_then(|evidence| Ok((chosen(&evidence)?, evidence)));
    let (subjects, evidence) = match recorded {
        Ok((subjects, evidence)) => (subjects, Arc::new(evidence)),
        Err(error) => {
            let trial = Trial::test("evidence.json", move || Err(error.into()));
            return libtest_mimic::run(arguments, vec![trial]);
        }
    };
    let (_, versions) = if repeat { versions().unwrap_or_default() } else { Default::default() };
    let tools: Vec<String> = versions.keys().cloned().collect();
    let lab = (repeat && !arguments.list).then(|| Lab::open(Path::new("/"), &tools));
    let lab = Arc::new(Mutex::new(lab));
    let versions = Arc::new(versions);
    let words = Trial::test("words are the same each time", || words::test().map_err(Failed::from));
    let trials = subjects.into_iter().map(|subject| {
        let (lab, versions, evidence) = (Arc::clone(&lab), Arc::clone(&versions), Arc::clone(&evidence));
        let name = subject.name.clone();
        let test = move || repeats(&lab, &versions, &evidence, subject);
        Trial::test(name, test).with_ignored_flag(!repeat)
    });
    libtest_mimic::run(arguments, std::iter::once(words).chain(trials).collect())
}

type Opened = Mutex<Option<Result<Lab, String>>>;

/// The tools do what the record says of their versions. What differs is asked once more of daemons that know nothing yet:
/// on a loaded machine one gives up, and leaves what the next case finds.
fn repeats(
    lab: &Opened,
    versions: &BTreeMap<String, String>,
    evidence: &Evidence,
    subject: Subject,
) -> Result<(), Failed> {
    let mut lab = lab.lock().map_err(|error| error.to_string())?;
    let recorded = evidence.cases.get(&subject.name).ok_or("no record")?;
    let again = subject.clone();
    let open = lab.as_ref().ok_or("no tools")?.as_ref().map_err(Clone::clone)?;
    if agrees(open, versions, evidence, recorded, subject).is_ok() {
        return Ok(());
    }
    let tools: Vec<String> = versions.keys().cloned().collect();
    // The old daemons end first.
    *lab = None;
    *lab = Some(Lab::open(Path::new("/"), &tools));
    let open = lab.as_ref().ok_or("no tools")?.as_ref().map_err(Clone::clone)?;
    agrees(open, versions, evidence, recorded, again)
}

/// Holds what the tools do now against the record: who takes, changes and refuses a case, at which step. Of their words, in
/// which one of several digests may come first, the record has one set.
fn agrees(
    lab: &Lab,
    versions: &BTreeMap<String, String>,
    evidence: &Evidence,
    recorded: &Case,
    subject: Subject,
) -> Result<(), Failed> {
    let name = subject.name.clone();
    let found = ask(lab, versions, &[subject])?;
    for (tool, version) in versions {
        let key = format!("{tool} {version}");
        if !evidence.tools.iter().any(|known| (&known.tool, &known.version) == (tool, version)) {
            continue;
        }
        let (found, recorded) = (found[&name].of(&key), recorded.of(&key));
        let fates = |case: &Case| {
            let steps = |map: &BTreeMap<String, String>| map.keys().cloned().collect::<Vec<_>>();
            (case.bytes.clone(), case.takes.clone(), steps(&case.changes), steps(&case.refuses))
        };
        if fates(&found) != fates(&recorded) {
            return Err(format!("{name}: {key}\nrecorded {recorded:?}\nnow      {found:?}").into());
        }
    }
    Ok(())
}
