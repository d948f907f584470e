//! Where the bytes of members are.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use cap_std::fs::Dir;

use crate::error::Result;

/// Where the bytes of members come from that are elsewhere.
pub trait Remote: Send + Sync {
    /// The whole of a member, by its place in the list.
    ///
    /// # Errors
    /// It cannot be had.
    fn reader(&self, at: usize) -> Result<Box<dyn Read + Send>>;

    /// The first bytes of a member, at most `n`, without asking for the rest.
    ///
    /// # Errors
    /// They cannot be had.
    fn head(&self, at: usize, n: usize) -> Result<Vec<u8>>;

    /// Fails if what is read was changed meanwhile, where that can be told.
    ///
    /// # Errors
    /// It was changed.
    fn unchanged(&self) -> Result<()> {
        Ok(())
    }
}

pub(super) enum Backing {
    Folder {
        dir: Dir,
        path: PathBuf,
        /// A file that was found changed.
        changed: Arc<OnceLock<PathBuf>>,
    },
    File {
        file: Arc<File>,
        path: PathBuf,
        stamp: Stamp,
    },
    /// A stream that was read to its end; small members are packed into one file.
    Spool {
        pack: Arc<File>,
        _dir: super::SpoolDir,
    },
    Remote(Arc<dyn Remote>),
}

/// What shows that a file was changed while it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    size: u64,
    modified: (i64, i64),
    inode: (u64, u64),
}

impl Stamp {
    pub(super) fn of(meta: &std::fs::Metadata) -> Stamp {
        Stamp {
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            inode: (meta.dev(), meta.ino()),
        }
    }
}

/// A range of a file, read at its offsets: any number of readers share one file.
pub(super) struct Range {
    pub(super) file: Arc<File>,
    pub(super) at: u64,
    pub(super) end: u64,
}

impl Read for Range {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.end.saturating_sub(self.at).min(into.len() as u64) as usize;
        let n = self.file.read_at(&mut into[..left], self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}
