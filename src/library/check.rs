//! Judging an archive.

use std::path::Path;

use super::report::file_of;
use super::{Options, Report};
use crate::error::Result;
use crate::finding::{Finding, Lowered};
use crate::jobs::check::{Part, run, run_part};
use crate::model::Archive;
use crate::rules::offer;

/// Reads every blob once, looks into layers, and judges the archive by every rule.
///
/// # Errors
///
/// What cannot be read, or changed while it was read; the job was cancelled. What is wrong with the archive is no error but
/// stands in the report.
pub fn check<'a>(archive: &'a Archive, options: &Options<'_>) -> Result<Report<'a>> {
    let found = run(archive, &options.reading(), options.progress)?;
    Ok(Report::new(archive, judged(archive, options, found.findings)).with(found.facts.changes))
}

impl Part {
    /// Reads what this part of the archive is made of, and judges that: what is wrong with other images is not told, nor what
    /// is odd about the archive and hinders nobody.
    ///
    /// # Errors
    ///
    /// As of [`check`].
    pub fn check<'a>(&self, archive: &'a Archive, options: &Options<'_>) -> Result<Report<'a>> {
        let found = run_part(archive, self, &options.reading(), options.progress)?;
        let judged = judged(archive, options, found.findings);
        Ok(Report::of_part(archive, self, judged).with(found.facts.changes))
    }
}

/// The findings with the levels in force and the commands that mend them, and what files lowered.
fn judged(archive: &Archive, options: &Options<'_>, findings: Vec<Finding>) -> (Vec<Finding>, Lowered) {
    let file = file_of(archive);
    let file = file.as_deref().and_then(Path::file_name);
    let (mut findings, lowered) = options.policy.judge(archive, file, findings);
    offer(archive, &options.policy, &mut findings);
    (findings, lowered)
}
