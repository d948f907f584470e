//! The paths of a layer by the offsets of their entries, for reports: written once in order, read once at the end.
//!
//! The table of paths holds hashes, and which of them a report will show is known only when all layers were compared. A
//! path is written as the length that it shares with the one before and the rest, about 15 bytes an entry.

use std::io;
use std::sync::Arc;

use bstr::{BString, ByteSlice};

use super::evidence::PATH_KEPT;
use super::table::{Region, Spool};

/// Bytes gathered before they go to the spool.
const BLOCK: usize = 256 << 10;

/// Paths being written to the spool, block by block, each as far as it differs from the one before; a block can be read
/// without the one before.
pub(super) struct Blocks {
    spool: Arc<Spool>,
    done: Vec<Region>,
    block: Vec<u8>,
    last: BString,
    offset: u64,
}

impl Blocks {
    pub(super) fn new(spool: Arc<Spool>) -> Blocks {
        Blocks { spool, done: Vec::new(), block: Vec::new(), last: BString::default(), offset: 0 }
    }

    /// Writes the record of the path of the entry at an offset, between what stands before and behind it; offsets grow. How many
    /// bytes that are.
    pub(super) fn push(&mut self, offset: u64, path: &[u8], before: &[u8], behind: &[u8]) -> usize {
        if self.block.is_empty() {
            self.last.clear();
            self.offset = 0;
        }
        let shared = path.iter().zip(self.last.iter()).take_while(|(a, b)| a == b).count();
        let start = self.block.len();
        self.block.extend_from_slice(before);
        varint(&mut self.block, offset.wrapping_sub(self.offset));
        varint(&mut self.block, shared as u64);
        text(&mut self.block, &path[shared..]);
        self.block.extend_from_slice(behind);
        self.offset = offset;
        self.last.truncate(shared);
        self.last.extend_from_slice(&path[shared..]);
        self.block.len() - start
    }

    /// Hands the block to the spool if it is full.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        if self.block.len() >= BLOCK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.block.is_empty() {
            self.done.push(self.spool.store(&self.block)?);
            self.block.clear();
        }
        Ok(())
    }

    /// The spool, and where the blocks are in it.
    pub(super) fn finish(mut self) -> io::Result<(Arc<Spool>, Box<[Region]>)> {
        self.flush()?;
        // There are those of every layer, and most have one block.
        Ok((self.spool, self.done.into()))
    }
}

/// A log that is being written.
pub(super) struct NameLog(Blocks);

/// A log that can be read.
#[derive(Debug)]
pub(super) struct Names {
    spool: Arc<Spool>,
    blocks: Box<[Region]>,
}

impl NameLog {
    pub(super) fn new(spool: Arc<Spool>) -> NameLog {
        NameLog(Blocks::new(spool))
    }

    /// Notes the path of the entry at an offset; offsets grow.
    pub(super) fn push(&mut self, offset: u64, path: &[u8]) -> io::Result<()> {
        self.0.push(offset, &path[..path.len().min(PATH_KEPT)], b"", b"");
        self.0.settle()
    }

    pub(super) fn finish(self) -> io::Result<Names> {
        let (spool, blocks) = self.0.finish()?;
        Ok(Names { spool, blocks })
    }
}

impl Names {
    /// Of no entry.
    pub(super) fn empty(spool: &Arc<Spool>) -> Names {
        Names { spool: Arc::clone(spool), blocks: Box::default() }
    }

    /// Calls `found` with the path of each of these offsets, which are sorted.
    pub(super) fn find(&self, wanted: &[u64], mut found: impl FnMut(u64, &[u8])) -> io::Result<()> {
        let mut wanted = wanted.iter().copied().peekable();
        let mut path = BString::default();
        for block in &self.blocks {
            if wanted.peek().is_none() {
                return Ok(());
            }
            let bytes = self.spool.load(block)?;
            let mut rest = &bytes[..];
            let mut offset = 0;
            path.clear();
            while let Some((step, shared, own)) = next(&mut rest) {
                offset += step;
                path.truncate(shared);
                path.extend_from_slice(own);
                while wanted.next_if(|&wanted| wanted < offset).is_some() {}
                if wanted.next_if_eq(&offset).is_some() {
                    found(offset, path.as_bytes());
                }
            }
        }
        Ok(())
    }
}

/// The next record of a block: how far on, how much is shared, what is new.
pub(super) fn next<'a>(rest: &mut &'a [u8]) -> Option<(u64, usize, &'a [u8])> {
    let step = read_varint(rest)?;
    let shared = read_varint(rest)? as usize;
    Some((step, shared, read_text(rest)?))
}

/// A text with its length before it.
pub(super) fn text(out: &mut Vec<u8>, text: &[u8]) {
    varint(out, text.len() as u64);
    out.extend_from_slice(text);
}

pub(super) fn read_text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = read_varint(rest)? as usize;
    let (own, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(own)
}

pub(super) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn read_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_again_by_their_offsets() {
        let mut log = NameLog::new(Arc::new(Spool::new(None, 0)));
        let path = |i: u64| format!("usr/share/doc/package-{}/file-{i}", i / 10);
        for i in 0..50_000 {
            log.push(i * 1024, path(i).as_bytes()).expect("a spool");
        }
        let names = log.finish().expect("a spool");
        assert!(names.blocks.len() > 1, "{}", names.blocks.len());
        let wanted: Vec<u64> = [0, 7, 29_999, 30_000, 49_999].map(|i| i * 1024).to_vec();
        let mut found = Vec::new();
        names.find(&wanted, |offset, name| found.push((offset, name.to_vec()))).expect("a spool");
        let expected: Vec<_> = wanted.iter().map(|&o| (o, path(o / 1024).into_bytes())).collect();
        assert_eq!(found, expected);
    }
}
