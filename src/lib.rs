//! Opens a container image in any archive form, proves that it is sound, and rewrites it to any other form.
//!
//! An archive of any form is a bag of *members*; some members are *blobs*, and JSON *documents* link blobs into a graph:
//! index → manifests → config and layers. A form is only a way of naming and placing the same graph. So there are four
//! steps, and data flows one way:
//!
//! ```text
//!         form::open            blob::pipeline            rules              report
//! place ──────────────▶ Archive ───────────────▶ Facts ────────────▶ Findings ─────────▶ for people or machines
//! (any form)            members, documents,      per blob, one pass:  pure functions
//!                       roots, anomalies         size, digests, codec,
//!                             │                  diff ID
//!                             │ convert::plan           ▲
//!                             ▼                         │ the same pass, teed
//!                       Plan + account ──▶ convert::run ──▶ form::sink::Sink ──▶ committed whole, or nothing
//! ```
//!
//! A broken archive opens as far as it can: what was odd is a fact in the [`Archive`], and only the rules call it wrong.
//! An [`Error`] says that the job could not be done; a [`Finding`] says that the image is wrong.
//!
//! # Example
//!
//! Lists the images of an archive and says what is wrong with it.
//!
//! ```
//! fn report(path: &std::path::Path) -> restow::Result<()> {
//!     let options = restow::Options::default();
//!     let archive = restow::open(path, &options)?;
//!     for entry in restow::inspect(&archive, &[])?.images {
//!         println!("{} {:?} {:?} {:?}", entry.kind, entry.names, entry.platform, entry.id);
//!     }
//!     // Reads every blob once.
//!     for finding in restow::check(&archive, &options)?.findings {
//!         println!("{}: {}: {}", finding.level.name(), finding.rule.name, finding.message);
//!     }
//!     Ok(())
//! }
//! # report("corpus/good/docker-archive/docker-20.10/archive.tar".as_ref()).unwrap();
//! ```
//!
//! # The jobs
//!
//! | To | call | which gives |
//! |---|---|---|
//! | open a place | [`open()`] | an [`Archive`] |
//! | look at it | [`inspect()`], [`raw()`] | a [`View`] of images, indexes and layers; the bytes of a document |
//! | judge it | [`check()`] | a [`Report`] of [`Finding`]s, each with a [`Level`] and a [`Rule`] |
//! | rewrite it | [`convert()`] | an [`Outcome`]: an [`Account`] of what became of every digest, or why nothing was written |
//! | compare two | [`compare()`] | a [`Comparison`] |
//! | prove a whole storage | [`scrub()`], [`merge_scrubs()`] | [`Scrubbed`]: one report of all of it |
//! | serve it | [`shelve()`], [`Server`] | a registry to pull from |
//! | understand it | [`explain()`], [`explain_error()`] | [`Rule`]s and messages of other tools |
//!
//! [`Options`] say how: limits, threads, levels, and a [`Progress`] that is told how far a job is and may stop it. Its default is
//! what the command does. Nothing is global: jobs with options of their own run beside each other. The one exception are files
//! that are staged for a commit, which [`remove_staged`] removes for a program that is about to be ended by a signal.
//!
//! A `Source` or `Destination` is a place as people type it (`app.tar`, `oci:DIR`, `docker://HOST/NAME:TAG`), or a stream.
//! An [`Error`] has an [`ErrorKind`] to be matched, a message of one line, and often a help.
//!
//! `examples/` has five short programs: a list, a gate, a conversion, a comparison, and a report of one's own.
//!
//! # Features
//!
//! All but the last are on by default. `registry`: live registries. `cli`: the command, `restow.toml`, and findings drawn for people. `junit`:
//! reports for JUnit. `schema1`: signatures in manifests of schema 1 are verified; they are kept all the same without it.
//! `scrub`: a whole storage is proved, resumed and divided. `serve`: archives are served as a registry. One is not: `cloud`, storages and
//! archives in buckets. What only opens, checks and converts takes `default-features = false`.
//!
//! # Versions
//!
//! What is promised are the names on this page; a change of them is a change of the version. Where things are inside is
//! told in `docs/architecture.md`.

// Parts are `pub` for the tests, benches and fuzz targets of this repository, which try them by themselves. They are no part of
// what is promised: only the names that are given below are.
#[doc(hidden)]
pub mod blob;
#[doc(hidden)]
pub mod check;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod codec;
#[doc(hidden)]
pub mod colour;
#[doc(hidden)]
pub mod compare;
#[doc(hidden)]
pub mod compose;
#[doc(hidden)]
pub mod convert;
#[doc(hidden)]
pub mod digest;
#[cfg(test)]
mod elsewhere;
#[doc(hidden)]
pub mod error;
#[doc(hidden)]
pub mod escape;
#[doc(hidden)]
pub mod facts;
#[cfg(test)]
mod faulty;
#[doc(hidden)]
pub mod finding;
#[doc(hidden)]
pub mod form;
#[cfg(feature = "registry")]
#[doc(hidden)]
pub mod http;
#[doc(hidden)]
pub mod inspect;
#[doc(hidden)]
pub mod inventory;
#[doc(hidden)]
pub mod json;
#[doc(hidden)]
pub mod layer;
mod library;
#[doc(hidden)]
pub mod limits;
#[doc(hidden)]
pub mod location;
#[doc(hidden)]
pub mod media;
#[doc(hidden)]
pub mod messages;
#[doc(hidden)]
pub mod model;
#[doc(hidden)]
#[cfg(feature = "page")]
pub mod page;
#[cfg(any(feature = "registry", feature = "serve"))]
mod pem;
#[doc(hidden)]
pub mod platform;
#[doc(hidden)]
pub mod progress;
#[doc(hidden)]
pub mod read;
#[doc(hidden)]
pub mod reference;
#[cfg(feature = "registry")]
#[doc(hidden)]
pub mod registry;
mod repair;
#[doc(hidden)]
pub mod report;
#[doc(hidden)]
pub mod rules;
#[doc(hidden)]
pub mod schema;
#[cfg(feature = "scrub")]
#[doc(hidden)]
pub mod scrub;
#[cfg(feature = "serve")]
mod serve;
mod similar;
#[doc(hidden)]
pub mod source;
#[doc(hidden)]
pub mod staging;
#[doc(hidden)]
pub mod store;
#[doc(hidden)]
pub mod tar;
#[doc(hidden)]
pub mod time;

pub use check::Part;
pub use compare::{Aspects, Comparison, Difference};
pub use compose::{Annotate, IndexFormat};
pub use convert::{
    Account, Action, Compress, DropSet, End, Entry, Fixes, Kind as EntryKind, ManifestFormat, Outcome,
    Request,
};
pub use error::{Error, ErrorKind, Result};
#[cfg(feature = "cli")]
pub(crate) use finding::counted;
pub use finding::{Applicability, Finding, Fix, Fixing, Integrity, Label, Level, Rule, Summary};
#[doc(hidden)]
pub use finding::{By, Lower, Lowered};
pub use form::place::Place;
pub use inspect::View;
#[cfg(feature = "cli")]
pub use inspect::tree::Look;
pub use library::*;
pub use limits::Limits;
pub use model::{Archive, Form, LoneKind};
pub use platform::{Platform, Specifier};
pub use progress::{BlobProgress, Phase, Progress};
pub use read::Verify;
pub use repair::{Left, Repaired, Repairing, Sought, Step, StepKind, Was};
pub use report::Renderer;
pub use rules::Policy;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use rules::baseline::Baseline;
pub use rules::policy::Profile;
#[cfg(feature = "scrub")]
pub use scrub::{
    Break, Counters, Extent, Extras as ScrubExtras, Garbage, Meta as ScrubState, Request as ScrubRequest,
    Run as ScrubRun, Sample, Scrubbed, Shard, Told,
};
#[cfg(feature = "serve")]
pub use serve::{Server, Settings as ServeSettings, Shelf, server::Stop as StopServing};
pub use staging::remove_all as remove_staged;

// What the command alone takes: it draws reports for people itself.
#[doc(hidden)]
pub use form::apart::{Used, replaces};
#[cfg(feature = "page")]
#[doc(hidden)]
pub use page::{Page, Proof, Style as PageStyle, write as write_page};
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use report::human::{self, HumanOptions, Verdict};
#[doc(hidden)]
pub use rules::policy::PROFILES;
#[cfg(feature = "scrub")]
#[doc(hidden)]
pub use scrub::size as size_of_text;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use staging::fresh_name;

/// What a message of another tool means (docker, podman, containerd, skopeo, a registry, Kubernetes): every known message
/// that the text holds, the most particular first; none where no message is known.
pub fn explain_error(text: &str) -> Vec<&'static messages::Message> {
    messages::of(text)
}
