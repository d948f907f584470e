//! Judging an archive.

use super::{Options, Report};
use crate::check::run;
use crate::error::Result;
use crate::model::Archive;

/// Reads every blob once, looks into layers, and judges the archive by every rule.
///
/// # Errors
///
/// What cannot be read, or changed while it was read; the job was cancelled. What is wrong with the archive is no error but
/// stands in the report.
pub fn check<'a>(archive: &'a Archive, options: &Options<'_>) -> Result<Report<'a>> {
    let found = run(archive, &options.reading(), options.progress)?;
    Ok(Report::new(archive, options.policy.judged(found.findings)))
}
