//! What the writers of all forms share: files and trees that appear as a whole, or not at all.
//!
//! | form | constructor | how it becomes visible |
//! |---|---|---|
//! | OCI layout, directory | [`layout_dir`](super::oci_layout::layout_dir) | a sibling renamed, or `index.json` renamed last into an existing one |
//! | OCI layout, tar; docker-archive | [`tar_file`](super::oci_layout::tar::tar_file), [`tar_stream`](super::oci_layout::tar::tar_stream) | a sibling renamed; the documents last in a stream |
//! | docker-archive of Docker 1.10 to 24 | [`legacy_file`](super::docker_archive::legacy_file), [`legacy_stream`](super::docker_archive::legacy_stream) | as above |
//! | `dir:` | [`skopeo_dir`](super::skopeo_dir::skopeo_dir) | a sibling renamed or exchanged |
//! | registry storage | [`storage`](super::registry_storage::storage) | a sibling renamed, or blobs, links and tags renamed in that order |
//!
//! Whether the destination lies inside the source is for the caller to check. What a form cannot hold is refused by its
//! writer once more, at the latest by `commit`, but a caller that wants to know before it reads any blob asks the pure
//! functions: [`index_json`](super::oci_layout::index_json()),
//! [`manifest_json`](super::docker_archive::manifest_json::manifest_json),
//! [`legacy_names`](super::docker_archive::legacy_names).

pub(in crate::form) mod existing;
pub(in crate::form) mod packed;
pub(in crate::form) mod tar_out;
#[cfg(test)]
pub(crate) mod testing;
pub(in crate::form) mod tree;

use std::path::PathBuf;

use crate::platform::Platform;

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
