//! Options of `restow repair`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::args::Common;

/// Put right bytes where wrong or missing ones are, from other places; nothing is deleted.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  restow repair registry-storage:storage --from docker://other.example/team/\n  restow repair --write --keep-wrong wrong oci:layout --from app.tar --from oci:copy\n  restow repair --write docker://localhost:5000/team/app --from app.tar\n\nWithout --write the plan is printed and nothing is changed. docs/repair.md tells\nwhat is put right, and how.\n\nExit status: 0 nothing is wrong or all was put right, 1 something is wrong or\nleft, 2 it could not be done."
)]
pub(super) struct RepairArgs {
    /// The place to repair: a folder of registry storage, an OCI layout or dir:, or docker://, of which only what is missing is sent
    #[arg(value_name = "PLACE", value_hint = ValueHint::AnyPath)]
    pub place: String,
    /// Where bytes are sought, by digest: a place of any form. Can be given several times
    #[arg(long, value_name = "PLACE", required = true, value_hint = ValueHint::AnyPath)]
    pub from: Vec<String>,
    /// Write; without, the plan is printed
    #[arg(long)]
    pub write: bool,
    /// Copy wrong bytes to this folder before they are replaced
    #[arg(long, value_name = "DIR", requires = "write", value_hint = ValueHint::DirPath)]
    pub keep_wrong: Option<PathBuf>,
    /// Do not read again what a scrub has proved and what has not changed since: the state that it wrote
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub state: Option<PathBuf>,
    /// Write what was put right and what was not, as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub account: Option<PathBuf>,
    /// Flush to disk before finishing, to survive power loss too
    #[arg(long, requires = "write")]
    pub fsync: bool,
    #[command(flatten)]
    pub common: Common,
}
