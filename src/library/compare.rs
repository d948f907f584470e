//! Comparing two places.

use super::Options;
use crate::compare::{Aspects, Difference, Holding, differences};
use crate::error::Result;
use crate::model::Archive;

/// What a comparison came to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Comparison {
    /// How many images the first place holds.
    pub images: usize,
    /// How the places differ; nothing if they hold the same.
    pub differences: Vec<Difference>,
}

/// Whether two archives, or an image of each, hold the same: layers are compared by what they hold, however compressed.
///
/// # Errors
///
/// An archive cannot be read, it changed meanwhile, it holds nothing of that name, or the job was cancelled.
pub fn compare(
    (a, a_name): (&Archive, Option<&str>),
    (b, b_name): (&Archive, Option<&str>),
    aspects: Aspects,
    options: &Options<'_>,
) -> Result<Comparison> {
    let read = options.reading();
    let a = Holding::read(a, a_name, &read, options.progress)?;
    let b = Holding::read(b, b_name, &read, options.progress)?;
    Ok(Comparison { images: a.images.len(), differences: differences(&a, &b, aspects) })
}
