//! The JSON documents of an archive: what is kept of each, and its text while somebody looks at it.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::ops::Deref;
use std::sync::Arc;

use crate::digest::Digest;
use crate::json::{self, Json, SyntaxError};
use crate::limits::Limits;
use crate::location::MemberId;
use crate::media::Family;

/// What is kept of a document as long as its archive is open; its text comes when it is asked for
/// ([`Archive::document`](crate::model::Archive::document)).
#[derive(Debug, Clone)]
pub struct Listed {
    /// Where it stands.
    pub member: MemberId,
    /// What it is meant to be.
    pub kind: DocKind,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
    /// How many they are.
    pub size: u64,
    /// Whether they are JSON.
    pub json: bool,
    /// Whether it is a config that names layers by another algorithm than SHA-256. It is asked of every config when blobs are
    /// read, and nearly none does.
    pub other_diff_ids: bool,
    /// Whether it has a member `subject`. Likewise.
    pub has_subject: bool,
    /// By which its text is known again when it is read once more.
    pub check: Check,
}

/// What shows that a text is the one that was read before: its SHA-256 need not be worked out again for that. Of a hash's
/// eight bytes the seven for which there is room in a [`Listed`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Check([u8; 7]);

impl Check {
    /// Of these bytes, under a key that nobody knows who makes an archive.
    pub(super) fn of(key: &RandomState, bytes: &[u8]) -> Check {
        let [check @ .., _] = key.hash_one(bytes).to_ne_bytes();
        Check(check)
    }
}

/// The text of a document.
#[derive(Debug)]
pub struct Text {
    /// The exact bytes.
    pub bytes: Arc<[u8]>,
    /// The parsed text, or why it is not JSON.
    pub json: Result<Json, SyntaxError>,
}

/// One JSON document with its text, shared with whoever looks at it at the same time.
#[derive(Debug, Clone)]
pub struct Document {
    /// Where it stands.
    pub member: MemberId,
    /// What it is meant to be.
    pub kind: DocKind,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
    /// How deep JSON inside its strings may nest: the limit signature-depth.
    pub depth: usize,
    /// Its bytes, and what they say.
    pub text: Arc<Text>,
}

impl Text {
    /// Parses a text, no deeper than the limit.
    pub fn parse(bytes: Vec<u8>, limits: &Limits) -> Text {
        let (bytes, json) = json::parse_kept(bytes, limits.json_depth as usize);
        Text { bytes, json }
    }

    /// How many values were parsed: none of what is not JSON.
    pub(super) fn values(&self) -> u64 {
        self.json.as_ref().map_or(0, |json| json.values)
    }
}

impl Document {
    /// A document by its text.
    pub fn new(listed: &Listed, text: Arc<Text>, limits: &Limits) -> Document {
        let Listed { member, kind, sha256, .. } = listed.clone();
        Document { member, kind, sha256, depth: limits.signature_depth as usize, text }
    }

    /// The top-level value, if it parsed.
    pub fn root(&self) -> Option<&json::Value> {
        self.json.as_ref().ok().map(|json| &json.root)
    }
}

impl Deref for Document {
    type Target = Text;

    fn deref(&self) -> &Text {
        &self.text
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
