//! Real tools take what restow writes, and restow takes what they write.
//!
//! Every test drives an installed tool by its absolute path, in a directory of its own, on images
//! that it makes for itself; nothing is fetched. Daemons are started here with their own roots and
//! sockets and stopped by their process id, also after a failure. Tests run as root.
//!
//! The tests take a minute or two, so a plain `cargo test` lists them as ignored; `RESTOW_INTEROP=1`
//! or `CI=true` runs them. A test whose tool is missing is ignored and says which one; under
//! `CI=true` it fails. `RESTOW_BIN` names another binary to test.
#![allow(clippy::print_stderr, reason = "a test runner says on stderr what it skips")]

mod daemons;
mod differential;
mod gives;
mod graph;
mod live;
mod many;
mod ours;
mod packed;
mod repaired;
mod source;
mod takes;
mod tools;

use libtest_mimic::{Arguments, Trial};
use tools::{Case, Scene, missing, print_versions};

fn main() {
    let args = Arguments::from_args();
    let ci = std::env::var("CI").is_ok_and(|v| v == "true");
    let wanted = ci || args.ignored || args.include_ignored || std::env::var_os("RESTOW_INTEROP").is_some();
    if !args.list {
        if wanted {
            print_versions();
        } else {
            eprintln!("interop: ignored; RESTOW_INTEROP=1 or CI=true runs the tests against real tools");
        }
    }
    let cases = takes::CASES
        .iter()
        .chain(gives::CASES)
        .chain(live::CASES)
        .chain(many::CASES)
        .chain(packed::CASES)
        .chain(repaired::CASES)
        .chain(differential::CASES);
    let trials = cases.map(|case| trial(case, wanted, ci)).collect();
    let outcome = libtest_mimic::run(&args, trials);
    daemons::stop_shared();
    outcome.exit();
}

/// One case as a trial: ignored where it cannot run, failing where CI lacks its tool.
fn trial(case: &'static Case, wanted: bool, ci: bool) -> Trial {
    let lacks = missing(case.needs);
    let run = move || match lacks {
        Some(tool) => Err(format!("{tool} is not installed").into()),
        None => {
            (case.body)(&Scene::new(case.name));
            Ok(())
        }
    };
    let trial = Trial::test(case.name, run);
    match lacks {
        Some(tool) if !ci => trial.with_kind(format!("skipped: no {tool}")).with_ignored_flag(true),
        _ => trial.with_ignored_flag(!wanted),
    }
}
