//! Repairing.

use super::{Options, Source, open};
use crate::error::{Error, ErrorKind, Result};
use crate::form::apart::{Used, replaces};
use crate::form::seek::Store;
use crate::repair::{Repaired, Repairing, run};

/// Puts right bytes where wrong or missing ones are: blobs that `from` has, each proved by its digest, then the links that the
/// graph proves. Nothing is deleted. The place is a folder: an OCI layout, `dir:`, or a registry's storage.
///
/// # Errors
///
/// The place, or one of the others, cannot be opened or read, or the place cannot be repaired; it cannot be written to at all;
/// the job was cancelled. What stops it later stands in [`Repaired::stopped`].
pub fn repair(
    place: impl Into<Source>,
    from: Vec<Source>,
    how: &Repairing,
    options: &Options<'_>,
) -> Result<Repaired> {
    let place: Source = place.into();
    if place.place.is_remote() || place.place.is_standard() {
        let message = format!("{} is no folder, and cannot be repaired in place", place.place.text);
        let help = "repair takes oci:, dir: and registry-storage: folders";
        return Err(Error::refused_help(message, help).of(ErrorKind::Unsupported));
    }
    if let Some(image) = &place.place.name {
        let message = format!("repair takes a place as a whole, not `{image}` in it");
        return Err(Error::refused_help(message, "leave the name out"));
    }
    let path = place.place.path.clone();
    if let Some(aside) =
        how.keep_wrong.as_deref().filter(|aside| replaces(aside, &place.place, Used::Written))
    {
        let message = format!("--keep-wrong {} is in the place that is repaired", aside.display());
        return Err(Error::refused_help(message, "give it a folder elsewhere"));
    }
    let stores = from.into_iter().map(|other| Store::of(open(other, options)?)).collect::<Result<_>>()?;
    let again = || open(Source::from(place.place.clone()), options);
    run(&path, &again, stores, how, &options.reading(), options.progress)
}
