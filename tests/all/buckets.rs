//! Storages and archives in buckets: read where they are, judged as on disk, and every fault of a store told.

mod asked;
mod faults;
mod options;
mod repaired;
mod roles;
mod scale;
mod states;
pub mod store;
mod sums;

use std::process::{Command, Output};

use crate::scrubbed::storage::command;
use store::Store;

/// The command, with the variables of a store.
pub fn with(store: &Store, arguments: &[&str]) -> Command {
    let mut command = command(arguments);
    command.envs(store.variables());
    command
}

/// Runs it.
pub fn run(store: &Store, arguments: &[&str]) -> Output {
    with(store, arguments).output().expect("runs")
}

/// Standard output and standard error of a run, without what is secret: that is seen to.
pub fn told(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    for secret in [store::SECRET, store::KEY, "Signature="] {
        assert!(!out.contains(secret) && !error.contains(secret), "{secret}: {out}{error}");
    }
    (out, error)
}
