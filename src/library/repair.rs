//! Repairing: right bytes where wrong or missing ones are, taken from places that have them.
//!
//! # Example
//!
//! Says what would be put right in a layout, and writes nothing.
//!
//! ```no_run
//! use restow::repair::{Request, run};
//! use restow::{Options, Source};
//!
//! let from = vec![Source::parse("docker://registry.example/team/app:1")?];
//! let repaired = run(Source::parse("oci:mirror")?, from, &Request::default(), &Options::default())?;
//! for step in &repaired.steps {
//!     println!("{}", step.line());
//! }
//! println!("{} stay wrong", repaired.left.len());
//! # Ok::<(), restow::Error>(())
//! ```

use super::{Options, Source, open};
use crate::error::{Error, ErrorKind, Result};
use crate::form::apart::{Used, replaces};
use crate::form::mend::{Folder, MendFiles};
use crate::form::seek::Store;
use crate::jobs::repair::{self, Known};
pub use crate::jobs::repair::{Left, Repaired, Request, Sought, Step, StepKind, Was};
use crate::store::Address;

/// Puts right bytes where wrong or missing ones are: blobs that `from` has, each proved by its digest, then the links that the
/// graph proves. Nothing is deleted. The place is a folder: an OCI layout, `dir:`, or a registry's storage; or a live registry,
/// to which what is missing is sent.
///
/// # Errors
///
/// The place, or one of the others, cannot be opened or read, or the place cannot be repaired; it cannot be written to at all;
/// the job was cancelled. What stops it later stands in [`Repaired::stopped`].
pub fn run(
    place: impl Into<Source>,
    from: Vec<Source>,
    how: &Request,
    options: &Options<'_>,
) -> Result<Repaired> {
    let place: Source = place.into();
    let stores =
        || from.into_iter().map(|other| Store::of(open(other, options)?)).collect::<Result<Vec<_>>>();
    if place.place.is_registry() {
        return remote(place, stores()?, how, options);
    }
    if place.place.is_standard() {
        let message = format!("{} is a stream, and cannot be repaired in place", place.place.text);
        let help = "repair takes oci:, dir: and registry-storage: folders, and docker:// for what is missing";
        return Err(Error::refused_help(message, help).of(ErrorKind::Unsupported));
    }
    if let Some(image) = &place.place.name {
        let message = format!("repair takes a place as a whole, not `{image}` in it");
        return Err(Error::refused_help(message, "leave the name out"));
    }
    if let Some(aside) =
        how.keep_wrong.as_deref().filter(|aside| replaces(aside, &place.place, Used::Written))
    {
        let message = format!("--keep-wrong {} is in the place that is repaired", aside.display());
        return Err(Error::refused_help(message, "give it a folder elsewhere"));
    }
    let known = known(&place, how, options)?;
    let stores = stores()?;
    let again = || open(Source::from(place.place.clone()).registry(place.registry.clone()), options);
    let writing = || writing(&place, how, options);
    repair::run(&writing, &again, stores, how, &*known, &options.reading(), options.progress)
}

/// What writes to the place.
fn writing(place: &Source, how: &Request, options: &Options<'_>) -> Result<Box<dyn MendFiles>> {
    match place.place.bucket() {
        Some(address) => in_bucket(&address, place, options),
        None => Ok(Box::new(Folder::open(&place.place.path, how.fsync)?)),
    }
}

#[cfg(feature = "cloud")]
fn in_bucket(address: &Address, place: &Source, options: &Options<'_>) -> Result<Box<dyn MendFiles>> {
    let access = place.registry.access(&options.limits);
    Ok(Box::new(crate::form::mend::InBucket::open(address, options.tmpdir.as_deref(), &access)?))
}

/// Without the feature no bucket is opened.
#[cfg(not(feature = "cloud"))]
fn in_bucket(address: &Address, _: &Source, _: &Options<'_>) -> Result<Box<dyn MendFiles>> {
    Err(crate::store::absent(address))
}

/// What a scrub has proved of the place.
#[cfg(feature = "scrub")]
fn known(place: &Source, how: &Request, options: &Options<'_>) -> Result<Box<Known<'static>>> {
    let Some(state) = &how.state else { return Ok(Box::new(|_| Ok(false))) };
    let access = place.registry.access(&options.limits);
    let stored = super::scrub::stored(&place.place, &access)?;
    let proved = crate::jobs::scrub::Proved::of(state, &place.place.text, stored, &access)?;
    Ok(Box::new(move |digest| proved.is_right(digest)))
}

/// Without scrubs there are no states.
#[cfg(not(feature = "scrub"))]
fn known(_: &Source, how: &Request, _: &Options<'_>) -> Result<Box<Known<'static>>> {
    match how.state {
        Some(_) => Err(Error::refused("this build of restow has no scrub, and reads no state of one")),
        None => Ok(Box::new(|_| Ok(false))),
    }
}

/// The same of a live registry: what it says that it lacks.
#[cfg(feature = "registry")]
fn remote(place: Source, stores: Vec<Store>, how: &Request, options: &Options<'_>) -> Result<Repaired> {
    let refused = [
        (how.keep_wrong.is_some(), "--keep-wrong goes with a folder: what a registry has is not replaced"),
        (how.state.is_some(), "--state goes with a storage: a registry is asked what it lacks"),
    ];
    if let Some((_, message)) = refused.into_iter().find(|(given, _)| *given) {
        return Err(Error::refused_help(message, "leave it out"));
    }
    let registry = super::registry::lacking(&place.place, &place.registry, &options.limits)?;
    let archive = super::registry::open(&place.place, (true, &[]), &place.registry, &options.limits)?;
    repair::remote::send(&archive, &registry, &stores, how, &options.limits, options.progress)
}

/// Without registries there are none to repair.
#[cfg(not(feature = "registry"))]
fn remote(place: Source, _: Vec<Store>, _: &Request, options: &Options<'_>) -> Result<Repaired> {
    super::registry::open(&place.place, (true, &[]), &place.registry, &options.limits)?;
    Ok(Repaired::default())
}
