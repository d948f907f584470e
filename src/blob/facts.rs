//! What one pass over a blob's bytes tells. Facts only: rules judge them.

use crate::codec::{Fault, Trailing};
use crate::digest::Digest;
use crate::media::Codec;
use serde::{Deserialize, Serialize};

/// The facts of one blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobFacts {
    /// Bytes that were there.
    pub size: u64,
    /// SHA-256 of them.
    pub sha256: Digest,
    /// Their digest under the other algorithm that the archive names the blob by, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<Digest>,
    /// The compression, by the first bytes.
    pub codec: Codec,
    /// Whether what begins like a compressed stream begins with the header of a tar as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub polyglot: bool,
    /// What the header of the first gzip member says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gzip: Option<GzipHeader>,
    /// The decompressed stream, if the blob was read as a layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plain: Option<Plain>,
    /// Why the decompressed stream could not be read to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// The archive ends before the member does: bytes that are missing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub missing: u64,
}

/// What the header of a gzip member says of the file that was compressed (RFC 1952).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GzipHeader {
    /// Seconds from 1970, 0 for none.
    pub time: u32,
    /// Whether it gives the file's name.
    pub named: bool,
}

impl GzipHeader {
    /// The header, if these bytes begin a gzip member.
    pub fn of(first: &[u8]) -> Option<GzipHeader> {
        match *first {
            [0x1f, 0x8b, 8, flags, a, b, c, d, ..] => {
                Some(GzipHeader { time: u32::from_le_bytes([a, b, c, d]), named: flags & 8 != 0 })
            }
            _ => None,
        }
    }
}

/// The decompressed stream of a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plain {
    /// SHA-256 of the decompressed bytes: the diff ID.
    pub diff_id: Digest,
    /// Their digest under the other algorithm that a config names them by, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<Digest>,
    /// Decompressed bytes.
    pub size: u64,
    /// gzip members, or zstd frames that hold data.
    pub parts: u64,
    /// Skippable zstd frames, whose content is not part of the stream.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped: u64,
    /// Offset in the stored blob at which something other than a further member or frame begins, and whether it is
    /// anything but zeros.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trailing: Option<Trailing>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Plain {
    /// The diff ID to compare with `claimed`, as of [`BlobFacts::digest_like`].
    pub fn diff_id_like(&self, claimed: &Digest) -> Option<&Digest> {
        like(&self.diff_id, self.other.as_ref(), claimed)
    }
}

/// Of two digests of the same bytes the one to compare with `claimed`.
fn like<'d>(sha256: &'d Digest, other: Option<&'d Digest>, claimed: &Digest) -> Option<&'d Digest> {
    if claimed.algorithm_name() == "sha256" {
        return Some(sha256);
    }
    other.filter(|other| other.algorithm_name() == claimed.algorithm_name())
}

impl BlobFacts {
    /// The digest to compare with `claimed`: computed under the same algorithm, if that was possible.
    pub fn digest_like(&self, claimed: &Digest) -> Option<&Digest> {
        like(&self.sha256, self.other.as_ref(), claimed)
    }
}
