//! What stands somewhere and is looked at piece by piece: files by their versions, whatever form they are part of.

use std::io::Read;

use cap_std::fs::{Metadata, MetadataExt as _};

use crate::digest::Digest;

/// A file that is being read.
pub struct Opened {
    /// Its bytes.
    pub reader: Box<dyn Read + Send>,
    /// The version that these are, where who gives them says so: then nobody has to look again.
    pub now: Option<Version>,
}

/// What tells one version of a file from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Bytes.
    pub size: u64,
    /// When it was changed, in nanoseconds from 1970.
    pub modified: i64,
    /// What a bucket calls this version.
    pub etag: Option<String>,
}

impl Version {
    /// That of a file in a folder.
    pub fn of(meta: &Metadata) -> Version {
        let modified = meta.mtime().wrapping_mul(1_000_000_000).wrapping_add(meta.mtime_nsec());
        Version { size: meta.len(), modified, etag: None }
    }

    /// Whether two are of the same bytes: by what a bucket calls them, or else by their times. Buckets tell times more or less
    /// finely.
    pub fn is_same(&self, other: &Version) -> bool {
        let named = self.etag.is_some() && other.etag.is_some();
        self.size == other.size
            && if named { self.etag == other.etag } else { self.modified == other.modified }
    }
}

/// A blob as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The digest that its folder gives it.
    pub digest: Digest,
    /// Bytes of its file.
    pub size: u64,
    /// When the file was changed, in nanoseconds from 1970.
    pub modified: i64,
    /// What a bucket calls this version of it.
    pub etag: Option<String>,
}

impl Listed {
    /// A blob in some version.
    pub fn of(digest: Digest, version: Version) -> Listed {
        let Version { size, modified, etag } = version;
        Listed { digest, size, modified, etag }
    }

    /// The version that is listed.
    pub fn version(&self) -> Version {
        Version { size: self.size, modified: self.modified, etag: self.etag.clone() }
    }
}

/// A file among the links of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Link {
    /// Its path below the repository, such as `_layers/sha256/…/link`; of a tag that leads nowhere that of its folder, with a slash.
    pub path: String,
    /// What it holds; what is no text is replaced.
    pub text: String,
    /// When it was changed, in nanoseconds from 1970.
    pub modified: i64,
}
