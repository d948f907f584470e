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
//! A broken archive opens as far as it can: what was odd is a fact in the [`Archive`], and only [`rules`] call it wrong.
//! An [`error::Error`] says that the job could not be done; a [`Finding`] says that the image is wrong.
//!
//! # Example
//!
//! Lists the images of an archive and says what is wrong with it.
//!
//! ```
//! fn report(path: &std::path::Path) -> restow::error::Result<()> {
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
//! # Where things are
//!
//! - [`mod@form`]: one folder per archive form, with its reading and its writing; [`form::open`] with all its options.
//! - [`source`]: the members of an archive and their bytes, whatever holds them; [`staging`]: what is written before a
//!   commit.
//! - [`model`]: the graph that every form is read into; [`facts`]: what is learnt of it by reading blobs; [`inspect`]: its view for people and as JSON.
//! - [`codec`]: the compressors; [`blob`]: the one pass over a blob; [`mod@layer`]: what is in a layer, and how layers lie on each other; [`tar`], [`json`], [`digest`], [`media`], [`mod@reference`], [`platform`],
//!   [`time`]: the parts that it and the documents need.
//! - [`schema`] judges shape, [`rules`] meaning; a [`finding`] points at a [`location`]; [`report`] draws findings, and
//!   [`mod@escape`] keeps archive text from being obeyed by a terminal.
//! - [`mod@read`]: each blob once, for whoever judges or keeps it; [`mod@check`]: the recipe of a check.
//! - [`convert`]: what to write ([`convert::plan`]), the whole job ([`convert::run()`]) and what became of every digest
//!   ([`convert::account`]); [`mod@compare`]: whether two places hold the same images.
//! - [`messages`]: what other tools print, and what lies behind it.
//! - [`limits`]: every cap on what a hostile archive may cost.
//! - [`cli`]: the command `restow`, the only place that reads arguments or prints.

pub mod blob;
pub mod check;
#[cfg(feature = "cli")]
pub mod cli;
pub mod codec;
pub mod compare;
pub mod convert;
pub mod digest;
pub mod error;
pub mod escape;
pub mod facts;
#[cfg(test)]
mod faulty;
pub mod finding;
pub mod form;
#[cfg(feature = "registry")]
pub mod http;
pub mod inspect;
pub mod json;
pub mod layer;
mod library;
pub mod limits;
pub mod location;
pub mod media;
pub mod messages;
pub mod model;
pub mod platform;
pub mod progress;
pub mod read;
pub mod reference;
#[cfg(feature = "registry")]
pub mod registry;
pub mod report;
pub mod rules;
pub mod schema;
mod similar;
pub mod source;
pub mod staging;
pub mod tar;
pub mod time;

pub use compare::{Aspects, Difference};
pub use convert::{
    Account, Action, Compress, DropSet, End, Entry, Kind, ManifestFormat, Outcome, Request, Verify,
};
pub use finding::{Finding, Integrity, Level, Rule, Summary};
pub use form::place::{Place, account_apart, is_part};
pub use inspect::View;
pub use library::*;
pub use model::{Archive, Form, LoneKind};
#[cfg(feature = "cli")]
pub use report::human::{self, HumanOptions, Verdict};
pub use report::{Container, Image, Renderer, Source as Reported};
pub use rules::policy::Profile;
pub use rules::{ArchiveDocuments, Policy};
pub use staging::remove_all as remove_staged;

/// What a message of another tool means (docker, podman, containerd, skopeo, a registry, Kubernetes): every known message
/// that the text holds, the most particular first; none where no message is known.
pub fn explain_error(text: &str) -> Vec<&'static messages::Message> {
    messages::of(text)
}
