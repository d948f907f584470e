//! A sink that does everything but write: what `--dry-run` converts into.
//!
//! The destination is opened, locked and asked as for a real conversion, so that it refuses what it would refuse. Bytes are
//! counted and forgotten.

use std::io::{self, Write};
use std::path::Path;

use crate::digest::Digest;
use crate::error::Result;
use crate::form::preview::{Known, Preview};
use crate::form::sink::{Displaced, OutDocument, Output, Presence, Sink, Staged, all_written};

/// A destination to which nothing is written.
pub struct Rehearsal {
    destination: Box<dyn Sink>,
}

impl Rehearsal {
    /// The destination of a conversion that is only tried.
    pub fn of(destination: Box<dyn Sink>) -> Rehearsal {
        Rehearsal { destination }
    }
}

impl Sink for Rehearsal {
    fn ordered(&self) -> bool {
        self.destination.ordered()
    }

    fn accepts(&self, digest: &Digest) -> Result<()> {
        self.destination.accepts(digest)
    }

    /// Nothing takes a place.
    fn reserve(&self, blobs: &[(&Digest, u64)]) -> Result<usize> {
        let refused = blobs.iter().position(|(digest, _)| self.accepts(digest).is_err());
        Ok(refused.unwrap_or(blobs.len()))
    }

    fn spool_dir(&self) -> Option<&Path> {
        None
    }

    fn has(&self, digest: &Digest) -> Result<Presence<'_>> {
        self.destination.has(digest)
    }

    fn stage(&self, expected: Option<(&Digest, u64)>) -> Result<Box<dyn Staged + '_>> {
        expected.map_or(Ok(()), |(digest, _)| self.accepts(digest))?;
        Ok(Box::new(Counted { destination: &*self.destination, bytes: 0 }))
    }

    fn document(&self, document: &OutDocument) -> Result<()> {
        self.accepts(&document.digest)
    }

    fn prepare(&self, output: &Output) -> Result<Vec<Displaced>> {
        self.destination.prepare(output)
    }

    /// Of what the destination has by now: nothing was staged.
    fn preview(&self, output: &Output, known: Known<'_>) -> Result<Preview> {
        self.destination.preview(output, known)
    }

    fn commit(self: Box<Self>, _: &Output) -> Result<()> {
        Ok(())
    }
}

/// A blob of which the size alone is kept.
struct Counted<'a> {
    destination: &'a dyn Sink,
    bytes: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Staged for Counted<'_> {
    fn adopt(&mut self, _: &Path) -> Result<bool> {
        Ok(false)
    }

    fn keep(self: Box<Self>, digest: &Digest, size: u64) -> Result<()> {
        self.destination.accepts(digest)?;
        all_written(self.bytes, size)?;
        Ok(())
    }
}
