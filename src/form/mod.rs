//! One folder per archive form: how to recognise it, read it, and write it. [`open()`] reads any; what writes is a
//! [`Sink`](sink::Sink).
//!
//! # How to add a format
//!
//! 1. A folder with `detect` (names and first bytes only) and `open`, and a sink in `write.rs` if it can be written.
//! 2. One line in [`FORMATS`].
//! 3. One good case in `corpus/`; the conversion matrix picks it up by itself.

pub mod apart;
pub mod archive;
mod detect;
pub mod docker_archive;
pub mod gathered;
pub mod lone;
mod nested;
pub mod oci_layout;
mod open;
pub mod place;
pub mod preview;
#[cfg(feature = "registry")]
pub mod registry;
pub mod registry_storage;
pub mod rehearsal;
pub mod sink;
pub mod skopeo_dir;
pub mod write;

pub use detect::Input;
pub use open::{OpenOptions, open};

use crate::error::Result;
use crate::limits::Limits;
use crate::model::Archive;
use crate::source::{Ingested, Tree};

/// A form of archive.
pub struct Format {
    /// The transport that people type, such as `oci`.
    pub id: &'static str,
    /// What it is called in sentences.
    pub title: &'static str,
    /// Whether the members are those of this form.
    pub detect: fn(&Tree) -> bool,
    /// Reads the graph.
    pub open: fn(Tree, Ingested, &Limits) -> Result<Archive>,
}

/// Every form, in the order in which they are tried (formats.md 0.3): the first that is recognised is taken.
///
/// A dual archive (Docker 25 and later) is recognised as a docker-archive, which reads the union of both halves.
pub static FORMATS: &[Format] = &[
    Format {
        id: "docker-archive",
        title: "docker-archive",
        detect: docker_archive::detect,
        open: docker_archive::open,
    },
    Format { id: "oci", title: "OCI layout", detect: oci_layout::detect, open: oci_layout::open },
    Format { id: "dir", title: "dir: layout", detect: skopeo_dir::detect, open: skopeo_dir::open },
    Format {
        id: "registry-storage",
        title: "registry storage",
        detect: registry_storage::detect,
        open: registry_storage::open,
    },
];

/// The format of an ID; `oci-archive` is an OCI layout in a tar.
pub fn by_id(id: &str) -> Option<&'static Format> {
    let id = if id == "oci-archive" { "oci" } else { id };
    FORMATS.iter().find(|format| format.id == id)
}
