//! What is scrubbed: a place with many images that is looked at piece by piece, wherever it is.

use std::collections::HashSet;
use std::io::Read;

use super::key::{Key, Within};
use super::row::Shard;
use super::state::Batch;
use crate::digest::Digest;
use crate::error::Result;
use crate::form::registry_storage::paths::blob_name;
use crate::form::registry_storage::stored::{Listing, Stored};
use crate::form::stored::{Link, Listed, Opened, Version};

/// A place with many images. Repositories, which are what images are judged by, are looked at before blobs are listed, since
/// whoever writes there does it the other way round.
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

    /// Calls `each` with every blob whose digest `wants` takes, some at a time, in the order of their keys.
    ///
    /// # Errors
    ///
    /// They cannot be listed, or what was given fails.
    fn blobs(&self, wants: &dyn Fn(&Digest) -> bool, each: &mut dyn FnMut(Group) -> Result<()>)
    -> Result<()>;

    /// A blob as it is now; `None` if it is not there.
    ///
    /// # Errors
    ///
    /// Nobody can tell.
    fn blob(&self, within: &Within, digest: &Digest) -> Result<Option<Listed>>;

    /// A blob as it is after it was read: other than it was listed if it was written meanwhile. `read`: the version that was
    /// read, where that is known; `sound`: it is what its digest says.
    ///
    /// # Errors
    ///
    /// Nobody can tell.
    fn blob_after(
        &self,
        within: &Within,
        listed: &Listed,
        read: Option<Version>,
        _sound: bool,
    ) -> Result<Option<Listed>> {
        match read {
            Some(version) => Ok(Some(Listed::of(listed.digest.clone(), version))),
            None => self.blob(within, &listed.digest),
        }
    }

    /// Begins to read a blob.
    ///
    /// # Errors
    ///
    /// It cannot be had.
    fn open(&self, within: &Within, digest: &Digest) -> Result<Opened>;

    /// The first bytes of a blob, so many or all that there are, and the version that they are of where that is known.
    ///
    /// # Errors
    ///
    /// They cannot be had.
    fn first(&self, within: &Within, digest: &Digest, bytes: usize) -> Result<(Vec<u8>, Option<Version>)> {
        Ok((self.bytes(within, digest, bytes as u64)?, None))
    }

    /// The bytes of a blob, at most so many.
    ///
    /// # Errors
    ///
    /// They cannot be had.
    fn bytes(&self, within: &Within, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        use crate::error::Context as _;
        let mut bytes = Vec::new();
        let reader = self.open(within, digest)?.reader;
        reader.take(limit).read_to_end(&mut bytes).at("cannot read", self.name(within, digest))?;
        Ok(bytes)
    }

    /// The name under which a blob is told.
    fn name(&self, within: &Within, digest: &Digest) -> String;

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

/// Blobs that are listed together: all whose keys lie behind those of the group before, and before `until`.
#[derive(Debug, Default)]
pub struct Group {
    /// Whose they are.
    pub within: Within,
    /// The first key that none of them can have; where it is missing, the group says nothing of what else there is.
    pub until: Option<Key>,
    /// Blobs that stand where they are looked for, sorted by digest.
    pub blobs: Vec<Listed>,
    /// Those of them that were read when repositories were looked at.
    pub looked: HashSet<Digest>,
    /// What the names of files begin with in a folder of which all is listed, and the files in it that stand where nobody looks
    /// for them.
    pub misplaced: Option<(String, Vec<Listed>)>,
    /// Which share of all has been listed with it: so many of how many.
    pub share: (u64, u64),
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

    fn blobs(
        &self,
        wants: &dyn Fn(&Digest) -> bool,
        each: &mut dyn FnMut(Group) -> Result<()>,
    ) -> Result<()> {
        let mut folders = self.0.folders()?;
        folders.sort_by_cached_key(Key::of_folder);
        for (folder, i) in folders.iter().zip(1..) {
            let Listing { mut blobs, mut misplaced, looked } = self.0.blobs(folder)?;
            blobs.retain(|listed| wants(&listed.digest));
            misplaced.retain(|listed| wants(&listed.digest));
            let root = format!("{}blobs/{}/{}/", self.0.base(), folder.algorithm, folder.name);
            each(Group {
                within: Within::All,
                // In any other folder nothing is in its place.
                until: (folder.name.len() == 2).then(|| Key::of_folder(folder).behind()).flatten(),
                blobs,
                looked,
                misplaced: Some((root, misplaced)),
                share: (i, folders.len() as u64),
            })?;
        }
        Ok(())
    }

    fn blob(&self, _: &Within, digest: &Digest) -> Result<Option<Listed>> {
        self.0.blob(digest)
    }

    fn open(&self, within: &Within, digest: &Digest) -> Result<Opened> {
        self.0.open(&self.name(within, digest))
    }

    fn first(&self, within: &Within, digest: &Digest, bytes: usize) -> Result<(Vec<u8>, Option<Version>)> {
        self.0.first(&self.name(within, digest), bytes)
    }

    fn name(&self, _: &Within, digest: &Digest) -> String {
        blob_name(self.0.base(), digest).unwrap_or_default()
    }
}
