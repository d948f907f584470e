//! Archives on a page to look at.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use super::Options;
use super::inspect::roots;
use super::report::with_source;
use crate::digest::{Algorithm, Hasher};
use crate::error::Result;
use crate::facts::Changed;
use crate::finding::{Finding, Level, Lowered, counted};
use crate::jobs::check::Part;
use crate::jobs::inspect::View;
use crate::model::Archive;
use crate::page::{Page, Proof};
use crate::read;

/// What a page shows of an archive beside what was found in it.
#[derive(Clone, Copy)]
pub struct Looked<'a> {
    /// How much of it was looked at.
    pub proof: Proof,
    /// What its layers do to those below them, as far as that is known.
    pub changes: Option<&'a Changed>,
    /// The images that are shown, as `--image` takes them; all if there is none.
    pub images: &'a [String],
    /// What was judged, if that is not all.
    pub part: Option<&'a Part>,
    /// The file that it is, in words: its digest and size, or why they are not known.
    pub file: Option<&'a str>,
}

impl Looked<'_> {
    /// So much of it; no layer was looked into, and all images are shown.
    pub fn of(proof: Proof) -> Self {
        Looked { proof, changes: None, images: &[], part: None, file: None }
    }
}

/// Adds an archive to a page, with what was found in it. What is too large to be drawn has no picture.
pub fn picture(
    page: &mut Page,
    archive: &Archive,
    findings: (&[(Level, &Finding)], &Lowered),
    path: Option<&Path>,
    looked: Looked<'_>,
) {
    let none = Changed::new();
    let changes = looked.changes.unwrap_or(&none);
    let view = roots(archive, looked.images).and_then(|roots| View::with(archive, &roots, changes)).ok();
    with_source(archive, looked.part, findings, path, |source| {
        page.add(source, view, looked.proof, looked.file)
    });
}

/// Adds to a page what was found in a storage.
#[cfg(feature = "scrub")]
pub fn picture_told(page: &mut Page, told: &crate::jobs::scrub::Told, path: Option<&Path>) {
    told.with_source(path, |source| {
        let proof = if source.proved.is_some() { Proof::Store } else { Proof::All };
        page.add(source, None, proof, None);
    });
}

/// The digest and the size of a file as it is, in words; or why they are not known. `None` of what is no file.
pub fn file_digest(path: &Path) -> Option<String> {
    let digest = || -> io::Result<Option<String>> {
        // What is no file may have no end.
        if !std::fs::metadata(path)?.is_file() {
            return Ok(None);
        }
        let mut hasher = Hasher::new(Algorithm::Sha256);
        let bytes = io::copy(&mut BufReader::with_capacity(1 << 20, File::open(path)?), &mut hasher)?;
        Ok(Some(format!("{}, {}", hasher.finish(), counted(bytes, "byte"))))
    };
    digest().unwrap_or_else(|error| Some(format!("not known: {error}")))
}

/// Reads the layers of an archive to see what each does to those below it; nothing is judged.
///
/// # Errors
///
/// The archive, or a temporary file, cannot be read; it changed meanwhile; the job was cancelled.
pub fn changes(archive: &Archive, options: &Options<'_>) -> Result<Changed> {
    let reading = read::Options { contents: true, ..options.reading() };
    Ok(read::all(archive, &reading.context(true, options.progress))?.changes)
}
