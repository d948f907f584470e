//! Which blobs something points at, for any number of them in little memory: marks are sorted in runs, which are merged
//! when blobs are gone through in the order of their digests.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::key::Key;

/// Bytes of a key that are kept: nobody finds two digests of SHA-256 that begin with the same 16.
const KEY: usize = 17;
/// Bytes of a mark.
const MARK: usize = KEY + 1;
/// Marks of a run: 4.5 MiB.
const RUN: usize = 256 << 10;
/// Bytes that are read at once of a run.
const BUFFER: usize = 16 << 10;

/// A repository has a link to it.
pub const LINKED: u8 = 1;
/// A manifest, an index or a tag points at it.
pub const NEEDED: u8 = 2;
/// A collection of garbage would keep it.
pub const KEPT: u8 = 4;

type Mark = [u8; MARK];

/// Marks that are being gathered.
pub struct Marks {
    directory: PathBuf,
    now: Vec<Mark>,
    runs: Vec<File>,
}

impl Marks {
    /// None yet; runs go to unlinked files in this directory.
    pub fn new(directory: Option<&Path>) -> Marks {
        let directory = directory.map_or_else(std::env::temp_dir, Path::to_owned);
        Marks { directory, now: Vec::new(), runs: Vec::new() }
    }

    /// Marks the blob of a key.
    ///
    /// # Errors
    ///
    /// A run cannot be written.
    pub fn add(&mut self, key: &Key, mark: u8) -> io::Result<()> {
        self.now.push(record(key, mark));
        if self.now.len() >= RUN { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        sort(&mut self.now);
        let mut file = tempfile::tempfile_in(&self.directory)?;
        file.write_all(self.now.as_flattened())?;
        file.seek(SeekFrom::Start(0))?;
        self.runs.push(file);
        self.now.clear();
        Ok(())
    }

    /// All marks, in the order of keys.
    ///
    /// # Errors
    ///
    /// A run cannot be read.
    pub fn sorted(mut self) -> io::Result<Sorted> {
        sort(&mut self.now);
        let mut runs: Vec<Box<dyn Read>> = vec![Box::new(io::Cursor::new(self.now.into_flattened()))];
        runs.extend(self.runs.into_iter().map(|run| Box::new(BufReader::with_capacity(BUFFER, run)) as _));
        let mut sorted = Sorted { heap: BinaryHeap::new(), runs };
        for run in 0..sorted.runs.len() {
            if let Some(mark) = sorted.next_of(run)? {
                sorted.heap.push(Reverse((mark, run)));
            }
        }
        Ok(sorted)
    }
}

fn record(key: &Key, mark: u8) -> Mark {
    let key = key.bytes();
    let mut record = [0; MARK];
    let len = key.len().min(KEY);
    record[..len].copy_from_slice(&key[..len]);
    record[KEY] = mark;
    record
}

fn sort(marks: &mut Vec<Mark>) {
    marks.sort_unstable();
    marks.dedup_by(|mark, kept| {
        let same = mark[..KEY] == kept[..KEY];
        kept[KEY] |= if same { mark[KEY] } else { 0 };
        same
    });
}

/// Marks in the order of keys.
pub struct Sorted {
    heap: BinaryHeap<Reverse<(Mark, usize)>>,
    runs: Vec<Box<dyn Read>>,
}

impl Sorted {
    fn next_of(&mut self, run: usize) -> io::Result<Option<Mark>> {
        let mut mark = [0; MARK];
        match self.runs[run].read_exact(&mut mark) {
            Ok(()) => Ok(Some(mark)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is marked of a key; keys are asked for in their order.
    ///
    /// # Errors
    ///
    /// A run cannot be read.
    pub fn of(&mut self, key: &Key) -> io::Result<u8> {
        let wanted = record(key, 0);
        let mut marks = 0;
        while let Some(&Reverse((mark, run))) = self.heap.peek() {
            if mark[..KEY] > wanted[..KEY] {
                break;
            }
            marks |= if mark[..KEY] == wanted[..KEY] { mark[KEY] } else { 0 };
            self.heap.pop();
            if let Some(next) = self.next_of(run)? {
                self.heap.push(Reverse((next, run)));
            }
        }
        Ok(marks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_together_whatever_the_runs() {
        let key = |i: u64| Key::read(&[&[0][..], &i.to_be_bytes(), &[0; 24]].concat());
        let mut marks = Marks::new(None);
        for i in (0..1000u64).rev() {
            marks.add(&key(i * 2), LINKED).expect("added");
            if i % 3 == 0 {
                marks.add(&key(i * 2), NEEDED).expect("added");
            }
            if i % 100 == 0 {
                marks.flush().expect("flushed");
            }
        }
        let mut sorted = marks.sorted().expect("sorted");
        for i in 0..2000u64 {
            let wanted = match (i % 2, i % 6) {
                (1, _) => 0,
                (_, 0) => LINKED | NEEDED,
                _ => LINKED,
            };
            assert_eq!(sorted.of(&key(i)).expect("read"), wanted, "{i}");
        }
    }
}
