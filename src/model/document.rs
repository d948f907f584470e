//! The JSON documents of an archive.

use std::sync::Arc;

use crate::digest::Digest;
use crate::json::{Json, SyntaxError};
use crate::location::MemberId;
use crate::media::Family;

/// One JSON document.
#[derive(Debug)]
pub struct Document {
    /// Where it stands.
    pub member: MemberId,
    /// What it is meant to be.
    pub kind: DocKind,
    /// Its exact bytes.
    pub bytes: Arc<[u8]>,
    /// SHA-256 of them.
    pub sha256: Digest,
    /// How deep JSON inside its strings may nest: the limit signature-depth.
    pub depth: usize,
    /// The parsed text, or why it is not JSON.
    pub json: Result<Json, SyntaxError>,
}

impl Document {
    /// The top-level value, if it parsed.
    pub fn root(&self) -> Option<&crate::json::Value> {
        self.json.as_ref().ok().map(|json| &json.root)
    }
}

/// What a document is meant to be, by the place or descriptor that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocKind {
    /// `oci-layout`
    OciLayout,
    /// An index or manifest list.
    Index(Family),
    /// A manifest.
    Manifest(Family),
    /// A Docker schema 1 manifest.
    Schema1,
    /// The withdrawn OCI artifact manifest.
    ArtifactManifest,
    /// An image config.
    Config(Family),
    /// `manifest.json` of a docker-archive.
    DockerArchive,
    /// `repositories`
    Repositories,
    /// `<id>/json` of a v1 image.
    V1Image,
    /// A descriptor on its own, as tools print it.
    Descriptor,
}
