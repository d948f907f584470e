//! What a destination without files of its own is judged as: the layout that its manifests and blobs would be.

use std::collections::HashSet;
use std::sync::Arc;

use super::{OCI_LAYOUT, blob_path, index_json, open};
use crate::digest::Digest;
use crate::error::Result;
use crate::form::preview::{Known, Members, Preview};
use crate::form::sink::Output;

/// The layout. `size` is that of a blob which was taken, and cannot be read again.
///
/// # Errors
///
/// The graph cannot be written as an index.
pub fn as_layout(
    output: &Output,
    known: Known<'_>,
    size: &dyn Fn(&Digest) -> Option<u64>,
) -> Result<Preview> {
    let mut members = Members::default();
    members.bytes("oci-layout", OCI_LAYOUT);
    members.bytes("index.json", index_json(output, None)?);
    let mut told: HashSet<&Digest> = HashSet::new();
    for document in output.documents.iter().filter(|document| told.insert(&document.digest)) {
        members.bytes(blob_path(&document.digest), Arc::clone(&document.bytes));
    }
    for blob in output.held().filter(|blob| told.insert(&blob.digest)) {
        match (known(&blob.digest), size(&blob.digest)) {
            (Some(bytes), Some(_)) => members.bytes(blob_path(&blob.digest), bytes),
            (None, Some(size)) => members.gone(blob_path(&blob.digest), size),
            (_, None) => {}
        }
    }
    Ok(members.preview(open))
}
