//! The directory that a stream is spooled into.

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::staging::Owned;

/// Where a stream is spooled.
pub struct SpoolDir(Spool);

enum Spool {
    /// A directory of its own, removed with it.
    Own(Owned),
    /// A directory of a sink, which removes it.
    Lent(PathBuf),
}

impl SpoolDir {
    /// A directory for spooled members in `parent`, or in the system's directory for temporary files.
    pub fn new(parent: Option<&Path>) -> Result<SpoolDir> {
        let parent = parent.map_or_else(std::env::temp_dir, PathBuf::from);
        Ok(SpoolDir(Spool::Own(Owned::private(&parent)?)))
    }

    /// A directory that a sink offers.
    pub fn lent(path: &Path) -> SpoolDir {
        SpoolDir(Spool::Lent(path.to_owned()))
    }

    /// Whether it is a sink's, which takes what is in it.
    pub(super) fn is_lent(&self) -> bool {
        matches!(self.0, Spool::Lent(_))
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        match &self.0 {
            Spool::Own(owned) => owned.path(),
            Spool::Lent(path) => path,
        }
    }
}
