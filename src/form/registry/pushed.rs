//! How to push, and what a push came to.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::digest::Digest;

/// How to push.
#[derive(Debug, Clone, Default)]
pub struct PushOptions {
    /// A tag that is another image stays.
    pub no_clobber: bool,
    /// Everything that was pushed is read again.
    pub verify_after: bool,
    /// A repository of the same host that may have the blobs.
    pub mount_from: Option<String>,
    /// What every path begins with.
    pub prefix: String,
    /// The image must have this digest, and gets no tag.
    pub digest: Option<Digest>,
}

/// What a push came to.
#[derive(Debug, Default)]
pub struct Pushed {
    /// Blobs and manifests that were sent.
    pub sent: AtomicU64,
    /// Their bytes.
    pub bytes: AtomicU64,
    /// Blobs and manifests that were there already.
    pub there: AtomicU64,
    /// Blobs taken over from another repository.
    pub mounted: AtomicU64,
    /// Tags that were set.
    pub tags: AtomicU64,
    /// Tags that were as they should be.
    pub tags_there: AtomicU64,
    /// Blobs and manifests that were read again.
    pub verified: AtomicU64,
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Pushed {
    /// One more was sent, of so many bytes.
    pub(super) fn add(&self, bytes: u64) {
        count(&self.sent);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// In a line, for people.
    pub fn line(&self) -> String {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut parts = vec![format!("sent {} ({} bytes)", get(&self.sent), get(&self.bytes))];
        for (counter, what) in [
            (&self.there, "already there"),
            (&self.mounted, "taken over within the registry"),
            (&self.tags, "tags set"),
            (&self.tags_there, "tags as they were"),
            (&self.verified, "read again"),
        ] {
            let n = get(counter);
            parts.extend((n > 0).then(|| format!("{n} {what}")));
        }
        parts.join(", ")
    }
}
