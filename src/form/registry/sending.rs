//! Blobs on their way into a registry.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::pushed::{Pushed, count};
use crate::digest::Digest;
use crate::distribution::{BlobWriter, Fault, Repository};
use crate::error::Result;
use crate::form::sink::{Staged, all_written};

/// The repository that blobs go to first.
pub(super) struct Home {
    pub repository: Repository,
    pushed: Arc<Pushed>,
    /// Blobs that it has now, with their sizes.
    blobs: Mutex<HashMap<Digest, u64>>,
    /// The last thing that went wrong, with all that is known of it.
    last: Mutex<Option<Fault>>,
}

impl Home {
    pub fn new(repository: Repository, pushed: Arc<Pushed>) -> Home {
        Home { repository, pushed, blobs: Mutex::default(), last: Mutex::default() }
    }

    /// What went wrong last, once.
    pub fn last_fault(&self) -> Option<Fault> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Remembers a fault, and hands it on.
    fn told(&self, fault: Fault) -> Fault {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault.clone());
        fault
    }

    /// How large a blob is that it has now.
    pub fn size(&self, digest: &Digest) -> Option<u64> {
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner).get(digest).copied()
    }

    fn knows(&self, digest: &Digest) -> bool {
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner).contains_key(digest)
    }

    fn learn(&self, digest: &Digest, size: u64) {
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner).insert(digest.clone(), size);
    }

    fn has(&self, digest: &Digest) -> Result<bool, Fault> {
        Ok(self.repository.has_blob(digest).map_err(|fault| self.told(fault))?.is_some())
    }
}

/// A blob on its way; without a writer the registry has it, and only its digest is wanted.
pub(super) struct Sending<'a> {
    home: &'a Home,
    writer: Option<BlobWriter>,
    size: u64,
    /// Neither digest nor size was known beforehand.
    unknown: bool,
}

impl<'a> Sending<'a> {
    /// Finds out whether the blob is to be sent at all: not if the registry has it, or takes it over from another
    /// repository, `from`.
    pub fn new(
        home: &'a Home,
        expected: Option<(&Digest, u64)>,
        from: Option<&str>,
    ) -> Result<Sending<'a>, Fault> {
        let sending = |writer, unknown| Sending { home, writer, size: 0, unknown };
        let Some((digest, size)) = expected else {
            return Ok(sending(Some(BlobWriter::new(&home.repository, None, None)), true));
        };
        if home.knows(digest) {
            return Ok(sending(None, false));
        }
        if home.has(digest)? {
            count(&home.pushed.there);
            return Ok(sending(None, false));
        }
        let mut writer = BlobWriter::new(&home.repository, Some((digest.clone(), size)), None);
        if let Some(from) = from.filter(|from| *from != home.repository.path()) {
            if writer.mount(digest, from).map_err(|fault| home.told(fault))? {
                count(&home.pushed.mounted);
                return Ok(sending(None, false));
            }
        }
        Ok(sending(Some(writer), false))
    }
}

impl Write for Sending<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.size += bytes.len() as u64;
        if let Some(writer) = &mut self.writer {
            writer.write(bytes).map_err(|fault| self.home.told(fault))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Staged for Sending<'_> {
    fn adopt(&mut self, _: &Path) -> Result<bool> {
        Ok(false)
    }

    fn keep(self: Box<Self>, digest: &Digest, size: u64) -> Result<()> {
        all_written(self.size, size)?;
        let home = self.home;
        if let Some(writer) = self.writer {
            // Its digest may not have been known before.
            if self.unknown && writer.is_untouched() && home.has(digest)? {
                count(&home.pushed.there);
            } else {
                writer.finish(digest, size).map_err(|fault| home.told(fault))?;
                home.pushed.add(size);
            }
        }
        home.learn(digest, size);
        Ok(())
    }
}
