//! The entries of a layer as far as it takes to lay it on others: kind, path and target of each, written down in order, so
//! that it can be done later without the layer.
//!
//! Hashes would be longer than paths, and those of one process mean nothing to another. A path is written as the length that
//! it shares with the one before and the rest, in blocks that compress well.

use std::io;
use std::sync::Arc;

use bstr::BString;

use super::names::varint;
use super::table::{Region, Spool};
use crate::limits::TRAIL_BYTES;
use crate::tar::{Entry, Kind};

/// Bytes gathered before they are a block.
const BLOCK: usize = 256 << 10;

/// What an entry is, as far as paths go.
pub(super) mod kind {
    pub const OTHER: u8 = 0;
    pub const DIRECTORY: u8 = 1;
    pub const SYMLINK: u8 = 2;
    pub const HARD_LINK: u8 = 3;
}

/// A trail that is being written.
pub(super) struct Log {
    spool: Arc<Spool>,
    done: Vec<Region>,
    bytes: u64,
    block: Vec<u8>,
    last: BString,
    offset: u64,
}

/// A trail that can be read.
#[derive(Debug)]
pub struct Trail {
    spool: Arc<Spool>,
    blocks: Vec<Region>,
}

impl Log {
    /// One, if the spool keeps them.
    pub(super) fn new(spool: &Arc<Spool>) -> Option<Log> {
        let spool = spool.keeps_trails().then(|| Arc::clone(spool))?;
        Some(Log {
            spool,
            done: Vec::new(),
            bytes: 0,
            block: Vec::new(),
            last: BString::default(),
            offset: 0,
        })
    }

    /// Takes the next entry; `false` if it is one too many, and this is to be dropped.
    pub(super) fn push(&mut self, entry: &Entry<'_>) -> io::Result<bool> {
        let (at, path) = (entry.header_offset, entry.path);
        if self.block.is_empty() {
            self.last.clear();
            self.offset = 0;
        }
        let (kind, link) = match entry.kind {
            Kind::Directory => (kind::DIRECTORY, None),
            Kind::Symlink => (kind::SYMLINK, Some(entry.link)),
            Kind::Hardlink => (kind::HARD_LINK, Some(entry.link)),
            _ => (kind::OTHER, None),
        };
        let shared = path.iter().zip(self.last.iter()).take_while(|(a, b)| a == b).count();
        let before = self.block.len();
        self.block.push(kind);
        varint(&mut self.block, at.wrapping_sub(self.offset));
        varint(&mut self.block, shared as u64);
        for text in [Some(&path[shared..]), link].into_iter().flatten() {
            varint(&mut self.block, text.len() as u64);
            self.block.extend_from_slice(text);
        }
        self.offset = at;
        self.last.truncate(shared);
        self.last.extend_from_slice(&path[shared..]);
        self.bytes += (self.block.len() - before) as u64;
        if self.bytes > TRAIL_BYTES {
            return Ok(false);
        }
        if self.block.len() >= BLOCK {
            self.flush()?;
        }
        Ok(true)
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.block.is_empty() {
            self.done.push(self.spool.store(&self.block)?);
            self.block.clear();
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<Trail> {
        self.flush()?;
        Ok(Trail { spool: self.spool, blocks: self.done })
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
