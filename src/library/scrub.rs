//! Scrubbing: a whole storage proved, whatever its size.
//!
//! What was found is kept in a state, a file that the [`Request`] names. So a run that was stopped goes on, the next one reads
//! what is new, and parts ([`Shard`]) run beside each other until [`merge`] judges them as one.
//!
//! # Example
//!
//! Proves a storage in runs of an hour at most, and says how far it is.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use restow::scrub::{Counters, Extras, Request, run};
//! use restow::{Options, Place, registry};
//!
//! let place = Place::parse("registry-storage:/var/lib/registry")?;
//! let mut request = Request::default();
//! request.state = Some("scrub.state".into());
//! request.max_duration = Some(Duration::from_secs(3600));
//! let counters = Counters::default();
//! let options = Options::default();
//! let scrubbed = run(&place, &request, &registry::Options::default(), &options, &counters, Extras::default())?;
//! println!("{} blobs are left to read", scrubbed.left());
//! for finding in scrubbed.told.iter().flat_map(|told| &told.findings) {
//!     println!("{}: {}", finding.rule.name, finding.message);
//! }
//! # Ok::<(), restow::Error>(())
//! ```

use std::path::{Path, PathBuf};

use super::{Options, registry};
use crate::error::{Error, ErrorKind, Result};
use crate::finding::{Command, Finding, Level, counted};
use crate::form::oci_layout::stored::in_folder as in_folder_of_layouts;
use crate::form::place::Place;
use crate::form::registry_storage::on_disk::in_folder;
use crate::form::registry_storage::stored::Stored;
use crate::jobs::scrub::{self, Means, What, seconds};
pub use crate::jobs::scrub::{
    Break, Counters, Extent, Extras, Garbage, Meta, Request, Run, Sample, Scrubbed, Shard, Status, Told,
};
use crate::limits::Limits;
use crate::render::{Amount, Container, Proved, Renderer, Source};
use crate::rules::suggest_repair;
use crate::store::{Access, Address};

/// Proves a whole storage: every blob is read once, and every repository judged against what was found, as
/// [`check()`](super::check()) does, in memory that does not grow with the storage. What was found is kept in a state, so that
/// the next run reads what is new, was wrong or is old.
///
/// # Errors
///
/// The storage or the state cannot be read or written, or the state is another storage's. What is wrong with the storage is
/// no error but stands in the report.
pub fn run(
    place: &Place,
    request: &Request,
    registry: &registry::Options,
    options: &Options<'_>,
    counters: &Counters,
    extras: Extras<'_>,
) -> Result<Scrubbed> {
    if place.name.is_some() {
        let message = format!("`{}` is not all of a storage", place.text);
        return Err(Error::refused_help(message, "restow check judges a repository or an image of it"));
    }
    let (reading, access) = (options.reading(), registry.access(&options.limits));
    let what = match place.transport.map(|transport| transport.id()) {
        Some("oci") if place.bucket().is_none() => What::Layouts(in_folder_of_layouts(&place.path)?),
        None | Some("registry-storage") if !place.is_standard() => What::Storage(stored(place, &access)?),
        #[cfg(feature = "registry")]
        Some("docker") => What::Registry(Box::new(super::registry::live(place, registry, &options.limits)?)),
        Some("oci") => {
            let message =
                format!("`{}` is in a bucket, where scrub takes storages of registries only", place.text);
            let help = "give registry-storage:s3://…; restow check judges a layout in a bucket";
            return Err(Error::refused_help(message, help).of(ErrorKind::Unsupported));
        }
        _ => {
            // Without registries nobody is spoken to.
            let _ = registry;
            let message =
                format!("`{}` is no registry, no storage of one, and no folder of layouts", place.text);
            let help =
                "give registry-storage:DIR, docker://HOST/ or oci:DIR; restow check judges any archive";
            return Err(Error::refused_help(message, help).of(ErrorKind::Unsupported));
        }
    };
    scrub::run((&place.text, what), request, &means(options, (&reading, &access), counters), extras)
}

/// The storage at a place.
///
/// # Errors
///
/// There is none, or it cannot be read.
pub(super) fn stored(place: &Place, access: &Access) -> Result<Stored> {
    match place.bucket() {
        Some(address) => in_bucket(&place.text, &address, access),
        None => in_folder(&place.text, &place.path),
    }
}

/// A storage in a bucket.
#[cfg(feature = "cloud")]
fn in_bucket(typed: &str, address: &Address, access: &Access) -> Result<Stored> {
    crate::form::registry_storage::in_bucket::open(typed, address, access)
}

/// Without the feature no bucket is opened.
#[cfg(not(feature = "cloud"))]
fn in_bucket(_: &str, address: &Address, _: &Access) -> Result<Stored> {
    Err(crate::store::absent(address))
}

/// Joins the states of all parts of a storage, and judges it as one: what it gives is what a single run would.
///
/// # Errors
///
/// A part is missing, is there twice, is another storage's or has not ended; or a state cannot be read.
pub fn merge(
    states: &[PathBuf],
    registry: &registry::Options,
    options: &Options<'_>,
    counters: &Counters,
    extras: Extras<'_>,
) -> Result<Scrubbed> {
    let (reading, access) = (options.reading(), registry.access(&options.limits));
    scrub::merge(states, &means(options, (&reading, &access), counters), extras)
}

fn means<'a>(
    options: &'a Options<'a>,
    (reading, access): (&'a crate::read::Options, &'a Access),
    counters: &'a Counters,
) -> Means<'a> {
    let (policy, progress) = (&options.policy, options.progress);
    Means { reading, access, policy, progress, counters, began: seconds() }
}

/// What the state of a scrub proves.
///
/// # Errors
///
/// There is no such state, another process has it, or it cannot be read.
pub fn status(state: &Path, registry: &registry::Options, limits: &Limits) -> Result<Status> {
    scrub::status(state, &registry.access(limits))
}

impl Told {
    /// Findings with their levels, as reports take them.
    pub fn levelled(&self) -> Vec<(Level, &Finding)> {
        self.findings.iter().map(|finding| (finding.level, finding)).collect()
    }

    /// What to run next.
    pub(crate) fn suggested(&self, findings: &[(Level, &Finding)]) -> Option<Command> {
        suggest_repair(self.form == "docker", findings)
    }

    /// Adds it to a report for machines. `path` is the folder of the storage.
    pub fn add_to(&self, report: &mut dyn Renderer, path: Option<&Path>) {
        self.with_source(path, |source| report.add(source));
    }

    pub(crate) fn with_source(&self, path: Option<&Path>, then: impl FnOnce(&Source<'_>)) {
        let findings = self.levelled();
        let (container, form, lowered) = (Container::Folder, self.form, &self.lowered);
        let suggest = self.suggested(&findings);
        let (images, suggest) = (&[], suggest.as_slice());
        let proved = self.proved();
        let findings = &findings;
        then(&Source { docs: self, path, container, form, images, findings, lowered, suggest, proved });
    }

    /// By what blobs were proved, where not all were read.
    fn proved(&self) -> Option<Proved> {
        let amount = |(blobs, bytes)| Amount { blobs, bytes };
        let (reading, store) = (amount(self.by.reading), amount(self.by.store));
        Some(Proved { reading, store, unproved: self.unproved()? })
    }

    /// What the store's word leaves unproved, in words; `None` if every blob was read.
    pub fn unproved(&self) -> Option<String> {
        let blobs = self.by.store.0;
        (blobs > 0).then(|| {
            format!(
                "the compressed streams, diff IDs and entries of {}, whose digests the store computed",
                counted(blobs, "blob")
            )
        })
    }
}
