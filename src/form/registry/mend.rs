//! What a repository of a live registry lacks, sent to it alone: a blob or a manifest that is missing, and nothing else.

use std::io::{self, Read};
use std::sync::Arc;

use crate::digest::{Digest, Hasher};
use crate::error::{Error, ErrorKind, Result};
use crate::form::mend::{Failed, Got, Mend, Spot};
use crate::progress::Progress;
use crate::registry::{BlobWriter, Fault, Registries, Repository};

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
        let Some(algorithm) = digest.algorithm() else {
            let message = format!("restow does not know the algorithm of {digest}");
            return Err(Failed::Here(Error::refused(message).of(ErrorKind::Unsupported)));
        };
        let repository = self.repository(spot.path).map_err(here)?;
        let mut hasher = Hasher::new(algorithm);
        let mut writer = BlobWriter::new(&repository, Some((digest.clone(), size)), None);
        let mut buffer = vec![0; 256 << 10];
        // The last bytes go when the hash of all is known: until then the registry has nothing.
        let (mut held, mut read) = (Vec::new(), 0);
        loop {
            if progress.cancelled() {
                return Err(Failed::Cancelled);
            }
            let n = match from.read(&mut buffer) {
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Failed::There(error)),
            };
            if n == 0 {
                break;
            }
            writer.write(&std::mem::take(&mut held)).map_err(here)?;
            held.extend_from_slice(buffer.get(..n).unwrap_or_default());
            hasher.update(&held);
            read += n as u64;
            progress.read(n as u64);
        }
        let found = hasher.finish();
        if found != *digest {
            return Ok(Got::Others(found));
        }
        writer.write(&held).map_err(here)?;
        writer.finish(digest, read).map_err(here)?;
        Ok(Got::Right)
    }
}
