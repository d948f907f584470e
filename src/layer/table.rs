//! Hashed paths in sorted order, in memory as far as a fixed allowance goes and in one unlinked file beyond it.
//!
//! A [`Record`] is 32 bytes whatever the path. Records are sorted in runs of 8 MiB; when the layer ends the runs are
//! merged, so a layer of any number of entries costs one run of memory, and on disk up to 96 bytes a record: in its run,
//! in the table of what the layer has, and in that of its questions.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::hash::{BuildHasher, Hasher as _, RandomState};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use siphasher::sip128::{Hasher128, SipHasher13};

/// Bytes of a record.
const RECORD: usize = 32;
/// Records of a run: 8 MiB, once for each layer that is being scanned.
const RUN: usize = 256 << 10;
/// Records of a block of a sorted table: 32 KiB, once for each layer of an image that is looked up.
const BLOCK: usize = 1024;
/// Bytes that all tables of a run of the program may keep in memory.
const IN_MEMORY: u64 = 16 << 20;

/// A path, or a question about one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Record {
    /// Hash of the cleaned path.
    pub hash: u128,
    /// Offset of the entry in its layer.
    pub offset: u64,
    /// What it says: a tag in the lowest byte, and what belongs to it.
    pub aux: u64,
}

impl Record {
    fn encode(self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.hash.to_le_bytes());
        into.extend_from_slice(&self.offset.to_le_bytes());
        into.extend_from_slice(&self.aux.to_le_bytes());
    }

    fn decode(bytes: &[u8]) -> Option<Record> {
        let (hash, rest) = bytes.split_first_chunk()?;
        let (offset, rest) = rest.split_first_chunk()?;
        let (aux, _) = rest.split_first_chunk()?;
        Some(Record {
            hash: u128::from_le_bytes(*hash),
            offset: u64::from_le_bytes(*offset),
            aux: u64::from_le_bytes(*aux),
        })
    }
}

/// Where tables and names are kept, and the key of their hashes.
pub struct Spool {
    directory: Option<PathBuf>,
    file: Mutex<Option<Arc<File>>>,
    end: AtomicU64,
    allowance: AtomicU64,
    /// Bytes that the paths of layers may still take, if they are kept.
    contents: Option<AtomicU64>,
    /// Whether trails are kept ([`trail`](super::trail)).
    trails: bool,
    key: (u64, u64),
}

impl std::fmt::Debug for Spool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spool").field("end", &self.end).finish_non_exhaustive()
    }
}

/// Some bytes that were stored.
#[derive(Debug)]
pub(super) enum Region {
    Memory(Box<[u8]>),
    File { at: u64, len: usize },
}

impl Spool {
    /// With its file, should one be needed, in this directory or in the system's for temporary files.
    pub fn in_directory(directory: Option<&Path>) -> Spool {
        Spool::new(directory, IN_MEMORY)
    }

    /// With another allowance.
    pub(super) fn new(directory: Option<&Path>, allowance: u64) -> Spool {
        // Nobody who writes a layer can know the key, so nobody can make two paths collide.
        let random = |what: u8| {
            let mut hasher = RandomState::new().build_hasher();
            hasher.write_u8(what);
            hasher.finish()
        };
        Spool {
            directory: directory.map(Path::to_owned),
            file: Mutex::new(None),
            end: AtomicU64::new(0),
            allowance: AtomicU64::new(allowance),
            contents: None,
            trails: false,
            key: (random(0), random(1)),
        }
    }

    /// Keeps the paths of layers and their sizes ([`contents`](super::contents)), as far as they take no more bytes than this.
    pub fn with_contents(mut self, bytes: u64) -> Spool {
        self.contents = Some(AtomicU64::new(bytes));
        self
    }

    /// Keeps of each layer what it takes to lay it on others later.
    pub fn with_trails(mut self) -> Spool {
        self.trails = true;
        self
    }

    pub(super) fn keeps_trails(&self) -> bool {
        self.trails
    }

    /// Whether the paths of layers are kept.
    pub(super) fn keeps_contents(&self) -> bool {
        self.contents.is_some()
    }

    /// Takes so many bytes of the allowance for paths; whether they were left.
    pub(super) fn takes_contents(&self, bytes: u64) -> bool {
        let take = |left: u64| left.checked_sub(bytes);
        let taken = |left: &AtomicU64| left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        self.contents.as_ref().is_some_and(|left| taken(left).is_ok())
    }

    /// The hash of a path.
    pub(super) fn hash(&self, path: &[u8]) -> u128 {
        let mut hasher = SipHasher13::new_with_keys(self.key.0, self.key.1);
        hasher.write(path);
        hasher.finish128().as_u128()
    }

    pub(super) fn store(&self, bytes: &[u8]) -> io::Result<Region> {
        let len = bytes.len() as u64;
        let taken =
            self.allowance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(len));
        if taken.is_ok() { Ok(Region::Memory(bytes.into())) } else { self.spill(bytes) }
    }

    fn spill(&self, bytes: &[u8]) -> io::Result<Region> {
        let file = self.file()?;
        let at = self.end.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        file.write_all_at(bytes, at)?;
        Ok(Region::File { at, len: bytes.len() })
    }

    pub(super) fn load<'r>(&self, region: &'r Region) -> io::Result<Cow<'r, [u8]>> {
        match region {
            Region::Memory(bytes) => Ok(Cow::Borrowed(bytes)),
            Region::File { at, len } => {
                let mut bytes = vec![0; *len];
                self.file()?.read_exact_at(&mut bytes, *at)?;
                Ok(Cow::Owned(bytes))
            }
        }
    }

    fn file(&self) -> io::Result<Arc<File>> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &*file {
            return Ok(Arc::clone(file));
        }
        let made = match &self.directory {
            Some(directory) => tempfile::tempfile_in(directory)?,
            None => tempfile::tempfile()?,
        };
        Ok(Arc::clone(file.insert(Arc::new(made))))
    }
}

/// Records in the order of the layer, on their way to be sorted.
pub(super) struct Builder {
    spool: Arc<Spool>,
    run: Vec<Record>,
    /// Sorted runs, each as blocks.
    runs: Vec<Vec<Region>>,
    limit: usize,
}

impl Builder {
    pub(super) fn new(spool: Arc<Spool>) -> Builder {
        Builder { spool, run: Vec::new(), runs: Vec::new(), limit: RUN }
    }

    pub(super) fn push(&mut self, record: Record) -> io::Result<()> {
        self.run.push(record);
        if self.run.len() >= self.limit { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.run.sort_unstable();
        let mut blocks = Vec::new();
        let mut bytes = Vec::with_capacity(BLOCK * RECORD);
        for block in self.run.chunks(BLOCK) {
            bytes.clear();
            block.iter().for_each(|record| record.encode(&mut bytes));
            blocks.push(self.spool.spill(&bytes)?);
        }
        self.runs.push(blocks);
        self.run.clear();
        Ok(())
    }

    /// Lends every record in order of hash and offset.
    pub(super) fn merge(mut self, mut on: impl FnMut(Record) -> io::Result<()>) -> io::Result<()> {
        self.run.sort_unstable();
        if self.runs.is_empty() {
            return self.run.into_iter().try_for_each(on);
        }
        if !self.run.is_empty() {
            self.flush()?;
        }
        self.run = Vec::new();
        let mut runs: Vec<RunReader<'_>> =
            self.runs.iter().map(|run| RunReader::new(&self.spool, run)).collect();
        let mut heap = BinaryHeap::with_capacity(runs.len());
        for (i, run) in runs.iter_mut().enumerate() {
            heap.extend(run.next()?.map(|record| Reverse((record, i))));
        }
        while let Some(Reverse((record, i))) = heap.pop() {
            on(record)?;
            if let Some(run) = runs.get_mut(i) {
                heap.extend(run.next()?.map(|record| Reverse((record, i))));
            }
        }
        Ok(())
    }
}

struct RunReader<'a> {
    spool: &'a Spool,
    blocks: std::slice::Iter<'a, Region>,
    bytes: Cow<'a, [u8]>,
    at: usize,
}

impl<'a> RunReader<'a> {
    fn new(spool: &'a Spool, blocks: &'a [Region]) -> RunReader<'a> {
        RunReader { spool, blocks: blocks.iter(), bytes: Cow::Borrowed(&[]), at: 0 }
    }

    fn next(&mut self) -> io::Result<Option<Record>> {
        if self.at == self.bytes.len() {
            let Some(block) = self.blocks.next() else { return Ok(None) };
            (self.bytes, self.at) = (self.spool.load(block)?, 0);
        }
        let record = self.bytes.get(self.at..).and_then(Record::decode);
        self.at += RECORD;
        Ok(record)
    }
}

/// Records in sorted order, on their way into a [`Table`].
pub(super) struct Sorted {
    spool: Arc<Spool>,
    bytes: Vec<u8>,
    first: u128,
    blocks: Vec<(u128, Region)>,
}

impl Sorted {
    pub(super) fn new(spool: Arc<Spool>) -> Sorted {
        Sorted { spool, bytes: Vec::new(), first: 0, blocks: Vec::new() }
    }

    pub(super) fn push(&mut self, record: Record) -> io::Result<()> {
        if self.bytes.is_empty() {
            self.first = record.hash;
        }
        record.encode(&mut self.bytes);
        if self.bytes.len() == BLOCK * RECORD { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.bytes.is_empty() {
            self.blocks.push((self.first, self.spool.store(&self.bytes)?));
            self.bytes.clear();
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<Table> {
        self.flush()?;
        Ok(Table { spool: self.spool, blocks: self.blocks.into() })
    }
}

/// A sorted table.
#[derive(Debug)]
pub(super) struct Table {
    spool: Arc<Spool>,
    /// With the hash of the first record of each. There is one table for every layer, and most have one block.
    blocks: Box<[(u128, Region)]>,
}

impl Table {
    /// Without a record.
    pub(super) fn empty(spool: &Arc<Spool>) -> Table {
        Table { spool: Arc::clone(spool), blocks: Box::default() }
    }

    /// Lends every record in order.
    pub(super) fn each(&self, mut on: impl FnMut(Record) -> io::Result<()>) -> io::Result<()> {
        for (_, block) in &self.blocks {
            let bytes = self.spool.load(block)?;
            bytes.chunks_exact(RECORD).filter_map(Record::decode).try_for_each(&mut on)?;
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// For looking up hashes where each has one record; those near the one before cost no reading.
    pub(super) fn cursor(&self) -> Cursor<'_> {
        Cursor { table: self, block: None, bytes: Cow::Borrowed(&[]) }
    }
}

/// A place in a table.
pub(super) struct Cursor<'a> {
    table: &'a Table,
    block: Option<usize>,
    bytes: Cow<'a, [u8]>,
}

impl Cursor<'_> {
    /// The record of a hash.
    pub(super) fn find(&mut self, hash: u128) -> io::Result<Option<Record>> {
        let after = self.table.blocks.partition_point(|(first, _)| *first <= hash);
        let Some(wanted) = after.checked_sub(1) else { return Ok(None) };
        if self.block != Some(wanted) {
            self.bytes = self.table.spool.load(&self.table.blocks[wanted].1)?;
            self.block = Some(wanted);
        }
        let (mut low, mut high) = (0, self.bytes.len() / RECORD);
        while low < high {
            let middle = low + (high - low) / 2;
            let Some(record) = self.bytes.get(middle * RECORD..).and_then(Record::decode) else { break };
            match record.hash.cmp(&hash) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Ok(Some(record)),
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Vec<Record> {
        (0..10_000u64)
            .map(|i| Record { hash: u128::from(i * 7919 % 10_007), offset: i, aux: i % 3 })
            .collect()
    }

    #[test]
    fn runs_are_merged_in_order_in_memory_and_on_disk() {
        let mut expected = records();
        expected.sort_unstable();
        for limit in [RUN, 1000, 3000] {
            let mut builder = Builder { limit, ..Builder::new(Arc::new(Spool::new(None, 0))) };
            records().into_iter().try_for_each(|record| builder.push(record)).expect("a spool");
            let mut merged = Vec::new();
            builder
                .merge(|record| {
                    merged.push(record);
                    Ok(())
                })
                .expect("a spool");
            assert_eq!(merged, expected);
        }
    }

    #[test]
    fn tables_are_looked_up_wherever_they_are() {
        for allowance in [0, 40_000, u64::MAX] {
            let mut sorted = Sorted::new(Arc::new(Spool::new(None, allowance)));
            for i in 0..5_000u64 {
                sorted.push(Record { hash: u128::from(i * 2), offset: i, aux: 1 }).expect("a spool");
            }
            let table = sorted.finish().expect("a spool");
            let mut cursor = table.cursor();
            for wanted in [0, 1, 2, 4095, 4096, 9998, 9999, 10_000] {
                let found = cursor.find(wanted).expect("a spool").map(|record| record.offset * 2);
                assert_eq!(found, (wanted % 2 == 0 && wanted < 10_000).then_some(wanted as u64));
            }
            let mut count = 0;
            table
                .each(|_| {
                    count += 1;
                    Ok(())
                })
                .expect("a spool");
            assert_eq!(count, 5_000);
        }
    }

    #[test]
    fn hashes_of_one_spool_agree_and_of_two_do_not() {
        let (one, other) = (Spool::new(None, 0), Spool::new(None, 0));
        assert_eq!(one.hash(b"etc/passwd"), one.hash(b"etc/passwd"));
        assert_ne!(one.hash(b"etc/passwd"), one.hash(b"etc/shadow"));
        assert_ne!(one.hash(b"etc/passwd"), other.hash(b"etc/passwd"));
    }
}
