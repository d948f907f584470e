//! Comparing two places.

use super::Options;
use crate::compare::{Aspects, Comparison, Place, run};
use crate::error::Result;
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
    let places = (Place { archive: a, name: a_name }, Place { archive: b, name: b_name });
    run(places, aspects, &options.policy, &options.reading(), options.progress)
}
