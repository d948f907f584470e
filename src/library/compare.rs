//! Comparing: in what two places differ.
//!
//! [`compare()`](compare()) gives a [`Comparison`]: both sides as they were judged, and one [`Compared`] for each image,
//! index, artifact or attestation that either has, with its [`Difference`]s.
//!
//! # Example
//!
//! ```
//! use restow::compare::Difference;
//! use restow::{Aspects, Options};
//!
//! fn anew(a: &std::path::Path, b: &std::path::Path) -> restow::Result<usize> {
//!     let options = Options::default();
//!     let (a, b) = (restow::open(a, &options)?, restow::open(b, &options)?);
//!     let comparison = restow::compare((&a, None), (&b, None), Aspects::ALL, &options)?;
//!     let differences = comparison.compared.iter().flat_map(|compared| &compared.differences);
//!     Ok(differences.filter(|difference| matches!(difference, Difference::Anew { .. })).count())
//! }
//! # let path = "corpus/good/docker-archive/docker-20.10/archive.tar".as_ref();
//! # assert_eq!(anew(path, path).unwrap(), 0);
//! ```

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::Options;
use super::report::file_of;
use crate::error::Result;
pub use crate::jobs::compare::{
    Arrangement, Aspect, Change, Changes, Compared, Difference, Holding, Judged, Kind, Layer, Side, Thing,
};
use crate::jobs::compare::{Aspects, Comparison, Place, run};
use crate::model::Archive;

/// Whether two archives, or an image of each, hold the same. Both are read and judged first: neither is believed.
///
/// # Errors
///
/// An archive cannot be read, it changed meanwhile, it holds nothing of that name, or the job was cancelled. That one is
/// not sound is no error: [`Comparison::is_sound`].
pub fn compare(
    (a, a_name): (&Archive, Option<&str>),
    (b, b_name): (&Archive, Option<&str>),
    aspects: Aspects,
    options: &Options<'_>,
) -> Result<Comparison> {
    let files = (file_of(a), file_of(b));
    let file = |file: &'_ Option<PathBuf>| file.as_deref().and_then(Path::file_name).map(OsStr::to_owned);
    let (a_file, b_file) = (file(&files.0), file(&files.1));
    let places = (
        Place { archive: a, name: a_name, file: a_file.as_deref() },
        Place { archive: b, name: b_name, file: b_file.as_deref() },
    );
    run(places, aspects, &options.policy, &options.reading(), options.progress)
}
