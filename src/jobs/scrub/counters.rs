//! How far a scrub is, for whoever looks while it goes on.

use std::sync::atomic::{AtomicU64, Ordering};

use super::reasons::{Counts, Reason};

/// Counts that grow while a scrub goes on, and may be read at any time.
#[derive(Debug, Default)]
pub struct Counters {
    /// Repositories whose links were read.
    pub repositories: AtomicU64,
    /// Blobs that were listed.
    pub listed: AtomicU64,
    /// Bytes of those.
    pub listed_bytes: AtomicU64,
    /// Folders of blobs that were listed, and how many there are.
    pub folders: AtomicU64,
    /// How many there are.
    pub all_folders: AtomicU64,
    /// Blobs that were read.
    pub read: AtomicU64,
    /// Bytes of those.
    pub read_bytes: AtomicU64,
    /// Blobs that the store proved, and that were not read.
    pub store: AtomicU64,
    /// Bytes of those.
    pub store_bytes: AtomicU64,
    /// Sums of the store that prove nothing.
    pub(super) sums: Counts,
    /// Blobs of which enough was known already.
    pub kept: AtomicU64,
    /// Bytes of those.
    pub kept_bytes: AtomicU64,
    /// Blobs that were left unread.
    pub left: AtomicU64,
    /// Blobs that are not what their digests say, or cannot be decompressed.
    pub faults: AtomicU64,
    /// Repositories that were judged.
    pub judged: AtomicU64,
    /// Blobs or links that came, went or changed while they were looked at.
    pub meanwhile: AtomicU64,
}

impl Counters {
    /// Counts more.
    pub(super) fn add(count: &AtomicU64, more: u64) {
        count.fetch_add(more, Ordering::Relaxed);
    }

    /// One of the counts.
    pub fn get(count: &AtomicU64) -> u64 {
        count.load(Ordering::Relaxed)
    }

    /// What the store's sums did not prove, in words; `None` if there is nothing.
    pub fn unproved_sums(&self) -> Option<String> {
        let told = Reason::ALL.into_iter().filter_map(|reason| match self.sums.get(reason) {
            0 => None,
            count => Some(format!("{count} {}", reason.words())),
        });
        let told: Vec<String> = told.collect();
        (!told.is_empty()).then(|| told.join(", "))
    }

    /// About how many blobs and bytes there are in all: digests are spread evenly over the folders that are not listed yet.
    pub fn expected(&self) -> (u64, u64) {
        let (folders, all) = (Counters::get(&self.folders), Counters::get(&self.all_folders));
        let scale = |count: u64| match folders {
            0 => count,
            folders => (u128::from(count) * u128::from(all) / u128::from(folders)) as u64,
        };
        (scale(Counters::get(&self.listed)), scale(Counters::get(&self.listed_bytes)))
    }
}
