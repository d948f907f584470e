//! Storage looked at piece by piece: one repository, or one folder of blobs, and never all of it; wherever it is.

use std::collections::HashSet;
use std::io::Read as _;
use std::sync::Arc;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::form::stored::{Link, Listed, Opened, Version};

/// A storage that lists and gives, such as a folder or a bucket.
pub trait Storage: Send + Sync {
    /// What stands before `repositories/` and `blobs/` in the names of members.
    fn base(&self) -> &str;

    /// Where it is, in words that are the same however it was typed: what a state is about.
    ///
    /// # Errors
    ///
    /// Nobody can tell.
    fn identity(&self) -> Result<String>;

    /// Whether a file stands at the root, which tells a mirror from a registry.
    ///
    /// # Errors
    ///
    /// Nobody can tell.
    fn has_at_root(&self, name: &str) -> Result<bool>;

    /// Whether the storage is still there.
    ///
    /// # Errors
    ///
    /// It is not.
    fn is_there(&self) -> Result<()>;

    /// Calls `each` with the links of every repository whose name `wants` takes, as [`links`](Storage::links) has them.
    ///
    /// # Errors
    ///
    /// A folder cannot be listed, a link cannot be read, or what was given fails.
    fn repositories(
        &self,
        wants: &mut dyn FnMut(&str) -> Result<bool>,
        each: &mut dyn FnMut(&str, Vec<Link>) -> Result<()>,
    ) -> Result<()>;

    /// The links of a repository, in the order of their paths; `None` if there is no such repository.
    ///
    /// # Errors
    ///
    /// A folder cannot be listed, or a link cannot be read.
    fn links(&self, repository: &str) -> Result<Option<Vec<Link>>>;

    /// The folders of blobs, sorted.
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

    /// A blob that stands where registries look for it, as it is now.
    ///
    /// # Errors
    ///
    /// Nobody can tell.
    fn blob(&self, digest: &Digest) -> Result<Option<Listed>>;

    /// Begins to read a file by its name.
    ///
    /// # Errors
    ///
    /// It is not there, or cannot be read.
    fn open(&self, name: &str) -> Result<Opened>;

    /// The first bytes of a file, so many or all that there are, and the version that they are of where that is known.
    ///
    /// # Errors
    ///
    /// As of [`open`](Storage::open).
    fn first(&self, name: &str, bytes: usize) -> Result<(Vec<u8>, Option<Version>)> {
        use crate::error::Context as _;
        let Opened { reader, now } = self.open(name)?;
        let mut head = Vec::with_capacity(bytes);
        reader.take(bytes as u64).read_to_end(&mut head).at("cannot read", name)?;
        Ok((head, now))
    }
}

/// A storage, shared by who reads it.
pub type Stored = Arc<dyn Storage>;

/// A folder of blobs: those whose digests begin alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Folder {
    /// Such as `sha256`.
    pub algorithm: String,
    /// The folder's name, which is the first two characters of each digest in it.
    pub name: String,
}

/// What a folder of blobs holds, sorted by digest.
#[derive(Debug, Default, Clone)]
pub struct Listing {
    /// Blobs that stand where registries look for them.
    pub blobs: Vec<Listed>,
    /// Blobs that do not.
    pub misplaced: Vec<Listed>,
    /// Of those in their places what was read when repositories were looked at.
    pub looked: HashSet<Digest>,
}

impl Listing {
    /// Adds a blob that stands in this folder: in its place, if the folder is called by how its digest begins.
    pub(super) fn add(&mut self, folder: &Folder, listed: Listed) {
        match listed.digest.encoded().get(..2) == Some(&folder.name) {
            true => self.blobs.push(listed),
            false => self.misplaced.push(listed),
        }
    }
}

/// That a place holds no storage.
pub(super) fn no_storage(place: &str) -> Error {
    let reason = "neither `docker/registry/v2/repositories` nor `docker/registry/v2/blobs` is there";
    Error::NotAnArchive { place: place.to_owned(), reason: reason.to_owned() }
}
