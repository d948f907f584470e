//! Judging an archive: every blob is read once, and every rule asked. The recipe stands here and nowhere else.

use crate::error::Result;
use crate::facts::Facts;
use crate::finding::Finding;
use crate::model::{Archive, Form};
use crate::progress::Progress;
use crate::read::{self, Options};
use crate::rules::{Scope, judge};

/// What a check found out.
pub struct Report {
    /// What each blob is like.
    pub facts: Facts,
    /// What is wrong, or worth telling, in the order of reports. Levels are the caller's:
    /// [`Policy`](crate::rules::Policy) has the usual ones.
    pub findings: Vec<Finding>,
}

/// Reads every blob once, looks into layers, and judges all of it.
///
/// # Errors
///
/// The archive, or a temporary file, cannot be read; it changed meanwhile; `progress` cancelled the job.
pub fn run(archive: &Archive, options: &Options, progress: &dyn Progress) -> Result<Report> {
    let facts = read::all(archive, &options.context(true, progress))?;
    let findings = judge(archive, &facts, Scope::All);
    Ok(Report { facts, findings })
}

/// Judges without decompressing: documents are read, layers and other blobs hashed as they are stored. Of a registry they
/// are not even read: it was asked, when the archive was opened, which it has and how large they are, and that is all that
/// is known of them.
///
/// # Errors
///
/// As of [`run`].
pub fn digests(archive: &Archive, options: &Options, progress: &dyn Progress) -> Result<Report> {
    let facts = match archive.form {
        Form::Registry => Facts::of(archive.blobs.len()),
        _ => read::stored(archive, &options.context(false, progress))?,
    };
    let findings = judge(archive, &facts, Scope::All);
    Ok(Report { facts, findings })
}
