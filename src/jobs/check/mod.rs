//! Judging an archive: every blob is read once, and every rule asked. The recipe stands here and nowhere else.

mod part;
mod report;

pub use part::{Part, run_part};
pub use report::Report;

use crate::error::Result;
use crate::model::Archive;
use crate::progress::Progress;
use crate::read::{self, Options};
use crate::rules::{Scope, judge};

/// Reads every blob once, looks into layers where all is to be verified, and judges all of it.
///
/// # Errors
///
/// The archive, or a temporary file, cannot be read; it changed meanwhile; `progress` cancelled the job.
pub fn run(archive: &Archive, options: &Options, progress: &dyn Progress) -> Result<Report> {
    let facts = read::judging(archive, None, options, progress)?;
    let findings = judge(archive, &facts, Scope::All);
    archive.unchanged()?;
    Ok(Report { facts, findings })
}
