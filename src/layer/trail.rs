//! The entries of a layer as far as it takes to lay it on others: kind, path and target of each, written down in order, so
//! that it can be done later without the layer.
//!
//! Hashes would be longer than paths, and those of one process mean nothing to another. A path is written as the length that
//! it shares with the one before and the rest, in blocks that compress well.

use std::io;
use std::sync::Arc;

use bstr::{BString, ByteSlice};

use super::facts::LayerFacts;
use super::kept::Kept;
use super::names::{read_varint, varint};
use super::scan::Entries;
use super::table::{Region, Spool};
use crate::limits::Limits;
use crate::tar::{Entry, Format, Kind};

/// Bytes gathered before they are a block.
const BLOCK: usize = 256 << 10;
/// Bytes of all blocks of a layer, at most: some four million entries. Beyond it nothing is kept of its paths.
const MOST: u64 = 64 << 20;

/// What an entry is, as far as paths go.
mod kind {
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
        if self.bytes > MOST {
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
    /// The blocks, in order; nothing is known of what is in them but by [`laid`].
    ///
    /// # Errors
    ///
    /// The temporary file cannot be read.
    pub fn blocks(&self) -> impl Iterator<Item = io::Result<Vec<u8>>> + '_ {
        self.blocks.iter().map(|block| Ok(self.spool.load(block)?.into_owned()))
    }
}

/// A layer that was read before, from what was kept of it and its trail: to be laid on others whose paths the same spool has.
///
/// # Errors
///
/// A block is none, or the file of the spool cannot be written.
pub fn laid(
    kept: Kept,
    blocks: impl Iterator<Item = io::Result<Vec<u8>>>,
    limits: &Limits,
    spool: &Arc<Spool>,
) -> io::Result<LayerFacts> {
    let mut entries = Entries::new(limits, spool);
    let mut path = Vec::new();
    for block in blocks {
        let block = block?;
        let (mut rest, mut at) = (&block[..], 0u64);
        path.clear();
        while !rest.is_empty() {
            let (kind, link) = next(&mut rest, &mut at, &mut path).ok_or(io::ErrorKind::InvalidData)?;
            entries.path(&bare(at, kind, &path, link))?;
        }
    }
    let (_, _, (has, asks, names)) = entries.tables()?;
    Ok(LayerFacts { has, asks, names, is_laid: true, ..kept.facts(spool) })
}

/// The next entry of a block: its kind and target; its offset and path take the place of those before.
fn next<'a>(rest: &mut &'a [u8], at: &mut u64, path: &mut Vec<u8>) -> Option<(Kind, &'a [u8])> {
    let (&kind, after) = rest.split_first()?;
    *rest = after;
    *at = at.wrapping_add(read_varint(rest)?);
    let shared = usize::try_from(read_varint(rest)?).ok().filter(|shared| *shared <= path.len())?;
    path.truncate(shared);
    path.extend_from_slice(text(rest)?);
    Some(match kind {
        kind::DIRECTORY => (Kind::Directory, b"".as_slice()),
        kind::SYMLINK => (Kind::Symlink, text(rest)?),
        kind::HARD_LINK => (Kind::Hardlink, text(rest)?),
        kind::OTHER => (Kind::Regular, b"".as_slice()),
        _ => return None,
    })
}

fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(read_varint(rest)?).ok()?;
    let (own, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(own.as_bytes())
}

/// An entry of which no more is known.
fn bare<'a>(at: u64, kind: Kind, path: &'a [u8], link: &'a [u8]) -> Entry<'a> {
    Entry {
        header_offset: at,
        data_offset: at,
        size: 0,
        real_size: None,
        kind,
        typeflag: 0,
        format: Format::Ustar,
        path,
        link,
        mode: None,
        uid: None,
        gid: None,
        mtime: None,
        uname: b"",
        gname: b"",
        dev_major: None,
        dev_minor: None,
        pax: b"",
        anomalies: &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::fixture::Tar;
    use crate::layer::stack;

    fn kept(tar: &Tar, trails: &Arc<Spool>) -> (Kept, Vec<Vec<u8>>) {
        let facts = tar.facts_in(trails, &Limits::default());
        let blocks =
            facts.trail.as_ref().expect("kept").blocks().collect::<io::Result<_>>().expect("a spool");
        (Kept::from(&facts), blocks)
    }

    /// Layers as they are read and as they are laid again say the same of each other.
    #[test]
    fn layers_are_laid_again_as_they_were() {
        let base = Tar::new()
            .file("loose/x", b"")
            .dir("etc/")
            .file("etc/a", b"a")
            .link("lib", "usr/lib")
            .file("f", b"")
            .dir("gone/")
            .file("gone/x", b"");
        let middle = Tar::new()
            .file(".wh.gone", b"")
            .file("etc/.wh..wh..opq", b"")
            .file("usr/lib/x", b"")
            .hard("h", "f");
        let top = Tar::new()
            .file("lib/below", b"")
            .file("f/below", b"")
            .file("gone/new", b"")
            .file("nowhere/.wh.x", b"")
            .file("etc/.wh.a", b"")
            .file("gone/.wh.x", b"")
            .file(".wh..", b"")
            .hard("to-lost", "gone/x")
            .hard("to-lower", "f")
            .hard("through", "lib/x");
        let plain = Arc::new(Spool::in_directory(None));
        let trails = Arc::new(Spool::in_directory(None).with_trails());
        let again = Arc::new(Spool::in_directory(None));
        let tars = [&base, &middle, &top];
        let read: Vec<LayerFacts> = tars.iter().map(|tar| tar.facts_in(&plain, &Limits::default())).collect();
        let laid: Vec<LayerFacts> = tars
            .iter()
            .map(|tar| {
                let (kept, blocks) = kept(tar, &trails);
                laid(kept, blocks.into_iter().map(Ok), &Limits::default(), &again).expect("laid")
            })
            .collect();
        let mut told = 0;
        for top in 1..=3 {
            let judge = |layers: &[LayerFacts]| {
                stack::judge(&layers[..top].iter().collect::<Vec<_>>(), &mut 1000).expect("judged")
            };
            let (read, laid) = (judge(&read), judge(&laid));
            assert_eq!(read, laid, "{top}");
            told += usize::from(!read.is_empty());
        }
        assert_eq!(told, 3);
    }

    #[test]
    fn blocks_that_are_none_are_refused() {
        let spool = Arc::new(Spool::in_directory(None));
        for block in
            [&[9, 0, 0, 0][..], &[0], &[0, 0, 1, 0], &[0, 0, 0, 5, b'x'], &[2, 0, 0, 1, b'x'], &[0xff; 40]]
        {
            let blocks = [Ok(block.to_vec())].into_iter();
            assert!(laid(Kept::default(), blocks, &Limits::default(), &spool).is_err(), "{block:?}");
        }
    }

    #[test]
    fn a_trail_of_many_blocks_is_laid() {
        let mut tar = Tar::new();
        for i in 0..20_000 {
            tar = tar.file(&format!("a-directory-of-some-length-{}/file-{i}", i % 977), b"");
        }
        let trails = Arc::new(Spool::in_directory(None).with_trails());
        let (kept, blocks) = kept(&tar, &trails);
        assert!(blocks.len() > 1, "{}", blocks.len());
        let spool = Arc::new(Spool::in_directory(None));
        let (entries, laid) =
            (kept.entries, laid(kept, blocks.into_iter().map(Ok), &Limits::default(), &spool).expect("laid"));
        let odd = stack::judge(&[&laid], &mut 1000).expect("judged");
        let missing = odd.of(crate::layer::Oddity::ParentMissing).map(|seen| seen.total);
        assert_eq!((entries, missing), (20_000, Some(977)));
    }
}
