//! What is scrubbed: a place with many images that is looked at piece by piece, wherever it is.

use std::io::Read;

use super::row::Shard;
use super::state::Batch;
use crate::digest::Digest;
use crate::error::Result;
use crate::form::registry_storage::stored::{
    Folder, Link, Listed, Listing, Opened, Stored, Version, blob_name,
};

/// A place with many images. Repositories are looked at before blobs are listed, since whoever writes there does it the
/// other way round.
pub trait Source: Send + Sync {
    /// Fails if it is there no more: what has vanished looks as if it were empty.
    ///
    /// # Errors
    ///
    /// As it says.
    fn is_there(&self) -> Result<()>;

    /// Calls `each` with what every repository says whose name `wants` takes. In a part, nothing need be asked that is
    /// another one's.
    ///
    /// # Errors
    ///
    /// They cannot be listed or read, or what was given fails.
    fn repositories(
        &self,
        shard: Option<Shard>,
        wants: &mut dyn FnMut(&str) -> Result<bool>,
        each: &mut dyn FnMut(&str, Looked) -> Result<()>,
    ) -> Result<()>;

    /// What a repository says; `None` if there is no such repository.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    fn repository(&self, name: &str, shard: Option<Shard>) -> Result<Option<Looked>>;

    /// Whether a part looks at the repositories of others, too, as only they tell which blobs there are.
    fn looks_at_all(&self) -> bool {
        false
    }

    /// The folders of blobs, each with those whose digests begin alike.
    ///
    /// # Errors
    ///
    /// They cannot be listed.
    fn folders(&self) -> Result<Vec<Folder>>;

    /// What a folder of blobs holds.
    ///
    /// # Errors
    ///
    /// It cannot be listed.
    fn blobs(&self, folder: &Folder) -> Result<Listing>;

    /// What the names of blobs begin with that stand in a folder where nobody looks for them; `None` where there are none.
    fn misplaced_in(&self, _folder: &Folder) -> Option<String> {
        None
    }

    /// A blob as it is now; `None` if it is not there.
    ///
    /// # Errors
    ///
    /// Nobody can tell.
    fn blob(&self, digest: &Digest) -> Result<Option<Listed>>;

    /// A blob as it is after it was read: other than it was listed if it was written meanwhile. `read`: the version that was
    /// read, where that is known; `sound`: it is what its digest says.
    ///
    /// # Errors
    ///
    /// Nobody can tell.
    fn blob_after(&self, listed: &Listed, read: Option<Version>, _sound: bool) -> Result<Option<Listed>> {
        match read {
            Some(version) => Ok(Some(Listed::of(listed.digest.clone(), version))),
            None => self.blob(&listed.digest),
        }
    }

    /// Begins to read a blob.
    ///
    /// # Errors
    ///
    /// It cannot be had.
    fn open(&self, digest: &Digest) -> Result<Opened>;

    /// The first bytes of a blob, so many or all that there are, and the version that they are of where that is known.
    ///
    /// # Errors
    ///
    /// They cannot be had.
    fn first(&self, digest: &Digest, bytes: usize) -> Result<(Vec<u8>, Option<Version>)> {
        Ok((self.bytes(digest, bytes as u64)?, None))
    }

    /// The bytes of a blob, at most so many.
    ///
    /// # Errors
    ///
    /// They cannot be had.
    fn bytes(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        use crate::error::Context as _;
        let mut bytes = Vec::new();
        self.open(digest)?.reader.take(limit).read_to_end(&mut bytes).at("cannot read", self.name(digest))?;
        Ok(bytes)
    }

    /// The name under which a blob is told.
    fn name(&self, digest: &Digest) -> String;

    /// Notes of a blob that it was listed and is not there.
    ///
    /// # Errors
    ///
    /// The state cannot be read.
    fn is_gone(&self, _digest: &Digest, _batch: &mut Batch) -> Result<()> {
        Ok(())
    }
}

/// What a repository says.
#[derive(Debug, Default)]
pub struct Looked {
    /// Its links.
    pub links: Vec<Link>,
    /// What comes to the state with them.
    pub rows: Batch,
    /// What could not be read, and why.
    pub unreadable: Vec<String>,
}

/// The storage of a registry.
pub struct OfStorage(pub Stored);

impl Source for OfStorage {
    fn is_there(&self) -> Result<()> {
        self.0.is_there()
    }

    fn repositories(
        &self,
        _: Option<Shard>,
        wants: &mut dyn FnMut(&str) -> Result<bool>,
        each: &mut dyn FnMut(&str, Looked) -> Result<()>,
    ) -> Result<()> {
        self.0.repositories(wants, &mut |name, links| each(name, Looked { links, ..Looked::default() }))
    }

    fn repository(&self, name: &str, _: Option<Shard>) -> Result<Option<Looked>> {
        Ok(self.0.links(name)?.map(|links| Looked { links, ..Looked::default() }))
    }

    fn folders(&self) -> Result<Vec<Folder>> {
        self.0.folders()
    }

    fn blobs(&self, folder: &Folder) -> Result<Listing> {
        self.0.blobs(folder)
    }

    fn misplaced_in(&self, folder: &Folder) -> Option<String> {
        Some(format!("{}blobs/{}/{}/", self.0.base(), folder.algorithm, folder.name))
    }

    fn blob(&self, digest: &Digest) -> Result<Option<Listed>> {
        self.0.blob(digest)
    }

    fn open(&self, digest: &Digest) -> Result<Opened> {
        self.0.open(&self.name(digest))
    }

    fn first(&self, digest: &Digest, bytes: usize) -> Result<(Vec<u8>, Option<Version>)> {
        self.0.first(&self.name(digest), bytes)
    }

    fn name(&self, digest: &Digest) -> String {
        blob_name(self.0.base(), digest).unwrap_or_default()
    }
}
