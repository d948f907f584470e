//! The writers: one [`Sink`](super::sink::Sink) for each form that restow can write.
//!
//! | form | constructor | how it becomes visible |
//! |---|---|---|
//! | OCI layout, directory | [`layout_dir()`] | a sibling renamed, or `index.json` renamed last into an existing one |
//! | OCI layout, tar; docker-archive | [`tar_file()`], [`tar_stream`] | a sibling renamed; the documents last in a stream |
//! | docker-archive of Docker 1.10 to 24 | [`legacy_file`], [`legacy_stream`] | as above |
//! | `dir:` | [`skopeo_dir()`] | a sibling renamed or exchanged |
//! | registry storage | [`storage()`] | a sibling renamed, or blobs, links and tags renamed in that order |
//!
//! Whether the destination lies inside the source is for the caller to check. What a form cannot hold is refused here
//! once more, at the latest by `commit`, but a caller that wants to know before it reads any blob asks the pure
//! functions: [`index_json()`], [`docker_manifest::manifest_json`], [`legacy_names`].

pub mod docker_manifest;
mod existing;
pub mod index_json;
mod layout_dir;
mod legacy;
mod skopeo_dir;
pub mod staging;
mod storage;
mod tar_file;
mod tar_out;
#[cfg(test)]
pub(crate) mod testing;

use std::path::PathBuf;

pub use index_json::index_json;
pub use layout_dir::layout_dir;
pub use legacy::{LegacyNames, legacy_file, legacy_names, legacy_stream};
pub use skopeo_dir::skopeo_dir;
pub use storage::storage;
pub use tar_file::{TarForm, tar_file, tar_stream};

use crate::digest::Digest;
use crate::error::Result;
use crate::platform::Platform;

/// The marker file of a layout: the 30 bytes that most tools write (formats.md D.8).
const OCI_LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// How to write, whatever the form.
#[derive(Debug, Clone, Default)]
pub struct WriteOptions {
    /// Replace an existing file or non-empty `dir:`.
    pub force: bool,
    /// Make the result survive power loss, not only the end of the process.
    pub fsync: bool,
    /// Which image of an index `manifest.json` of a docker-archive names.
    pub docker_platform: Option<Platform>,
    /// Where streams are completed in unlinked files; the system's directory if unset.
    pub tmpdir: Option<PathBuf>,
    /// Hold everything back in an unlinked file until it is verified, then copy it to the stream.
    pub buffer: bool,
}

/// `blobs/<algorithm>/<encoded>`; safe by the grammar of digests.
fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm_name(), digest.encoded())
}

/// [`blob_path`] as a [`staging::Place`].
fn blob_place(digest: &Digest) -> Result<PathBuf> {
    Ok(blob_path(digest).into())
}
