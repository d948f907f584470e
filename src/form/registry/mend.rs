//! What a repository of a live registry lacks, sent to it alone: a blob or a manifest that is missing, and nothing else.

use std::io::Read;
use std::sync::Arc;

use crate::digest::Digest;
use crate::distribution::{BlobWriter, Fault, Registries, Repository};
use crate::error::Result;
use crate::form::mend::{Failed, Got, Mend, Spot, hashed};
use crate::progress::Progress;

/// A registry that lacks something.
pub struct Lacking {
    registries: Arc<Registries>,
    domain: String,
}

impl Lacking {
    /// The registry of this name.
    pub fn new(registries: Arc<Registries>, domain: &str) -> Lacking {
        Lacking { registries, domain: domain.to_owned() }
    }

    /// Its name.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    fn repository(&self, path: &str) -> Result<Repository, Fault> {
        self.registries.repository(&self.domain, path)
    }

    /// Whether a repository has a blob, or a manifest.
    ///
    /// # Errors
    /// The registry cannot be asked.
    pub fn has(&self, path: &str, digest: &Digest, manifest: bool) -> Result<bool> {
        let repository = self.repository(path)?;
        Ok(match manifest {
            true => repository.head(digest.as_str())?.is_some(),
            false => repository.has_blob(digest)?.is_some(),
        })
    }

    /// Puts a manifest under its digest, or under a tag.
    ///
    /// # Errors
    /// The registry refuses.
    pub fn send_manifest(&self, path: &str, reference: &str, media_type: &str, bytes: &[u8]) -> Result<()> {
        self.repository(path)?.put(reference, media_type, bytes)?;
        Ok(())
    }
}

/// That bytes are right is known before the registry is told that they are whole.
impl Mend for Lacking {
    fn blob(
        &self,
        spot: &Spot<'_>,
        (digest, size): (&Digest, u64),
        from: &mut dyn Read,
        progress: &dyn Progress,
    ) -> Result<Got, Failed> {
        let here = |fault: Fault| Failed::Here(fault.into());
        let repository = self.repository(spot.path).map_err(here)?;
        let mut writer = BlobWriter::new(&repository, Some((digest.clone(), size)), None);
        // The last bytes go when the hash of all is known: until then the registry has nothing.
        let mut held = Vec::new();
        let read = match hashed(from, digest, progress, &mut |bytes| {
            writer.write(&std::mem::take(&mut held)).map_err(here)?;
            held.extend_from_slice(bytes);
            Ok(())
        })? {
            (Got::Right, read) => read,
            (other, _) => return Ok(other),
        };
        writer.write(&held).map_err(here)?;
        writer.finish(digest, read).map_err(here)?;
        Ok(Got::Right)
    }
}
