//! Judging without decompressing.

use super::report::Report;
use crate::error::Result;
use crate::facts::Facts;
use crate::model::{Archive, Form};
use crate::progress::Progress;
use crate::read::{self, Options};
use crate::rules::{Scope, judge};

/// Judges without decompressing: documents are read, layers and other blobs hashed as they are stored. Of a registry they
/// are not even read: it was asked, when the archive was opened, which it has and how large they are, and that is all that
/// is known of them.
///
/// # Errors
///
/// As of [`run`](super::run).
pub fn digests(archive: &Archive, options: &Options, progress: &dyn Progress) -> Result<Report> {
    let facts = match archive.form {
        Form::Registry => Facts::of(archive.blobs.len()),
        _ => read::stored(archive, &options.context(false, progress))?,
    };
    let findings = judge(archive, &facts, Scope::All);
    archive.unchanged()?;
    Ok(Report { facts, findings })
}
