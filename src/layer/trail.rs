//! The entries of a layer as far as it takes to lay it on others: kind, path and target of each, written down in order, so
//! that it can be done later without the layer.
//!
//! Hashes would be longer than paths, and those of one process mean nothing to another. A path is written as the length that
//! it shares with the one before and the rest, in blocks that compress well.

use std::io;
use std::sync::Arc;

use super::names::{self, Blocks};
use super::table::{Region, Spool};
use crate::limits::TRAIL_BYTES;
use crate::tar::{Entry, Kind};

/// What an entry is, as far as paths go.
pub(super) mod kind {
    pub const OTHER: u8 = 0;
    pub const DIRECTORY: u8 = 1;
    pub const SYMLINK: u8 = 2;
    pub const HARD_LINK: u8 = 3;
}

/// A trail that is being written.
pub(super) struct Log {
    blocks: Blocks,
    bytes: u64,
}

/// A trail that can be read.
#[derive(Debug)]
pub struct Trail {
    spool: Arc<Spool>,
    blocks: Box<[Region]>,
}

impl Log {
    /// One, if the spool keeps them.
    pub(super) fn new(spool: &Arc<Spool>) -> Option<Log> {
        let spool = spool.keeps_trails().then(|| Arc::clone(spool))?;
        Some(Log { blocks: Blocks::new(spool), bytes: 0 })
    }

    /// Takes the next entry; `false` if it is one too many, and this is to be dropped.
    pub(super) fn push(&mut self, entry: &Entry<'_>) -> io::Result<bool> {
        let (kind, link) = match entry.kind {
            Kind::Directory => (kind::DIRECTORY, None),
            Kind::Symlink => (kind::SYMLINK, Some(entry.link)),
            Kind::Hardlink => (kind::HARD_LINK, Some(entry.link)),
            _ => (kind::OTHER, None),
        };
        let mut target = Vec::new();
        link.into_iter().for_each(|link| names::text(&mut target, link));
        self.bytes += self.blocks.push(entry.header_offset, entry.path, &[kind], &target) as u64;
        if self.bytes > TRAIL_BYTES {
            return Ok(false);
        }
        self.blocks.settle()?;
        Ok(true)
    }

    pub(super) fn finish(self) -> io::Result<Trail> {
        let (spool, blocks) = self.blocks.finish()?;
        Ok(Trail { spool, blocks })
    }
}

impl Trail {
    /// The blocks, in order; nothing is known of what is in them but by [`laid`](super::laid).
    ///
    /// # Errors
    ///
    /// The temporary file cannot be read.
    pub fn blocks(&self) -> impl Iterator<Item = io::Result<Vec<u8>>> + '_ {
        self.blocks.iter().map(|block| Ok(self.spool.load(block)?.into_owned()))
    }
}
