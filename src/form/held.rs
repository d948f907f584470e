//! A destination that writes nothing which its source can give again: what is served out of an archive.
//!
//! Bytes that stay as they are are counted, verified by who writes them, and forgotten; those that are made anew on the
//! way (a zstd layer that goes without a manifest of its own, say) are kept in a file without a name.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::digest::Digest;
use crate::error::{Context, Result};
use crate::form::oci_layout::as_layout;
use crate::form::preview::{Known, Preview};
use crate::form::sink::{Displaced, OutDocument, Output, Presence, Sink, Staged, all_written};

/// What came of a conversion that is held.
#[derive(Debug, Default)]
pub struct Held {
    /// The graph; set by the commit.
    pub output: Output,
    /// Blobs that the source cannot give, by digest.
    pub made: HashMap<Digest, Arc<File>>,
}

/// The sink.
pub struct Holding {
    held: Arc<Mutex<Held>>,
    /// Blobs that stand in the source under these digests.
    known: HashSet<Digest>,
    /// Whether each blob stands in the source of which nobody knew the digest before.
    all: bool,
    tmpdir: PathBuf,
    sizes: Mutex<HashMap<Digest, u64>>,
}

impl Holding {
    /// A sink whose source has `known`, and `all` whose digests are found out on the way. What is made anew goes to a file in `tmpdir`.
    pub fn new(held: Arc<Mutex<Held>>, known: HashSet<Digest>, all: bool, tmpdir: Option<&Path>) -> Holding {
        let tmpdir = tmpdir.map_or_else(std::env::temp_dir, Path::to_owned);
        Holding { held, known, all, tmpdir, sizes: Mutex::default() }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sink for Holding {
    fn ordered(&self) -> bool {
        false
    }

    fn spool_dir(&self) -> Option<&Path> {
        None
    }

    fn has(&self, _: &Digest) -> Result<Presence<'_>> {
        Ok(Presence::No)
    }

    fn stage(&self, expected: Option<(&Digest, u64)>) -> Result<Box<dyn Staged + '_>> {
        // What is made on the way, such as a config, comes with its digest.
        let again = expected.map_or(self.all, |(digest, _)| self.known.contains(digest));
        let file = match again {
            true => None,
            // Without a name, so that it is gone with the process, however that ends.
            false => Some(tempfile::tempfile_in(&self.tmpdir).at("cannot write to", &self.tmpdir)?),
        };
        Ok(Box::new(Blob { sink: self, file, bytes: 0 }))
    }

    fn document(&self, _: &OutDocument) -> Result<()> {
        Ok(())
    }

    fn prepare(&self, _: &Output) -> Result<Vec<Displaced>> {
        Ok(Vec::new())
    }

    fn preview(&self, output: &Output, known: Known<'_>) -> Result<Preview> {
        let sizes = lock(&self.sizes);
        as_layout(output, known, &|digest| sizes.get(digest).copied())
    }

    fn commit(self: Box<Self>, output: &Output) -> Result<()> {
        lock(&self.held).output = output.clone();
        Ok(())
    }
}

/// A blob on its way.
struct Blob<'a> {
    sink: &'a Holding,
    file: Option<File>,
    bytes: u64,
}

impl Write for Blob<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = match &mut self.file {
            Some(file) => file.write(bytes)?,
            None => bytes.len(),
        };
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), File::flush)
    }
}

impl Staged for Blob<'_> {
    fn adopt(&mut self, _: &Path) -> Result<bool> {
        Ok(false)
    }

    fn keep(self: Box<Self>, digest: &Digest, size: u64) -> Result<()> {
        all_written(self.bytes, size)?;
        lock(&self.sink.sizes).insert(digest.clone(), size);
        if let Some(file) = self.file {
            lock(&self.sink.held).made.insert(digest.clone(), Arc::new(file));
        }
        Ok(())
    }
}
