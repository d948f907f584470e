//! Manifests and indexes that are served.

use std::sync::Arc;

use crate::digest::Digest;

/// A manifest or index.
pub struct Document {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub bytes: Arc<[u8]>,
    /// Of an index, its children that are there, in order.
    pub children: Vec<Digest>,
    /// Of an image, what it runs on: operating system and architecture.
    pub platform: Option<(String, String)>,
}
