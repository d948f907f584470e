//! What a state proves: what was read, when and by which version, and what was not.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::key::Key;
use super::row::Meta;
use super::state::State;
use crate::error::Result;
use crate::store::Access;

/// What a state proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// What it says of itself.
    #[serde(flatten)]
    pub meta: Meta,
    /// Repositories whose links it has.
    pub repositories: u64,
    /// Blobs that are there.
    pub blobs: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Blobs that were read and are what they should be.
    pub sound: u64,
    /// Bytes of those.
    pub sound_bytes: u64,
    /// Blobs whose digest the store computed, and which were not read.
    pub by_store: u64,
    /// Bytes of those.
    pub by_store_bytes: u64,
    /// Blobs that are not what their digests say, cannot be decompressed, or are too large to be read.
    pub wrong: u64,
    /// Blobs that were listed and not read.
    pub unread: u64,
    /// When the blob was proved that was proved longest ago, in seconds from 1970: when it was read, or the store computed its
    /// digest.
    pub oldest: Option<u64>,
    /// When the last one was.
    pub newest: Option<u64>,
    /// Blobs by the version of restow that read them.
    pub by_version: BTreeMap<String, u64>,
}

/// Looks at every row of a state.
///
/// # Errors
///
/// There is no such state, another process has it, or it cannot be read.
pub fn status(path: &Path, access: &Access) -> Result<Status> {
    let (state, meta) = State::existing(path, access)?;
    let (_, repositories) = state.counts()?;
    let mut status = Status {
        meta,
        repositories,
        blobs: 0,
        bytes: 0,
        sound: 0,
        sound_bytes: 0,
        by_store: 0,
        by_store_bytes: 0,
        wrong: 0,
        unread: 0,
        oldest: None,
        newest: None,
        by_version: BTreeMap::new(),
    };
    let mut rows = state.rows(Key::first(), None);
    while let Some((key, row)) = rows.take()? {
        let Some(digest) = key.digest() else { continue };
        status.blobs += 1;
        status.bytes += row.size;
        let Some(read) = row.read else {
            status.unread += 1;
            continue;
        };
        let proved = read.proved_at();
        status.oldest = Some(status.oldest.map_or(proved, |at| at.min(proved)));
        status.newest = Some(status.newest.map_or(proved, |at| at.max(proved)));
        if !read.is_whole() {
            (status.by_store, status.by_store_bytes) =
                (status.by_store + 1, status.by_store_bytes + row.size);
            continue;
        }
        match read.is_sound(&digest) {
            true => (status.sound, status.sound_bytes) = (status.sound + 1, status.sound_bytes + row.size),
            false => status.wrong += 1,
        }
        *status.by_version.entry(read.restow).or_default() += 1;
    }
    Ok(status)
}
