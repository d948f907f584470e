//! A place in a bucket: what is staged here is put in one step that the store makes, and only if what stands there is still what
//! was judged.

use std::io::{Read, Seek as _};
use std::path::{Path, PathBuf};

use tempfile::SpooledTempFile;

use super::{Failed, Got, Mend, MendFiles, Spot, Stood, copied, is_right, keep_aside};
use crate::digest::Digest;
use crate::error::{Context as _, Error, ErrorKind, Result};
use crate::limits::LINK_BYTES;
use crate::progress::Progress;
use crate::store::{Access, Address, Bucket, If};

/// Bytes of a blob that are staged in memory; of a larger one they stand in a file without a name.
const IN_MEMORY: usize = 1 << 20;

/// A place in a bucket. Nobody can lock one: two repairs at once are told apart by the versions of what they replace.
pub struct InBucket {
    bucket: Bucket,
    tmpdir: PathBuf,
}

impl InBucket {
    /// The place at an address. Larger blobs are staged in `tmpdir`, or the system's folder for temporary files.
    ///
    /// # Errors
    /// What the surroundings say of the store cannot be used.
    pub fn open(address: &Address, tmpdir: Option<&Path>, access: &Access) -> Result<InBucket> {
        let tmpdir = tmpdir.map_or_else(std::env::temp_dir, Path::to_owned);
        Ok(InBucket { bucket: Bucket::open(address, access)?, tmpdir })
    }

    fn shown(&self, spot: &Spot<'_>) -> String {
        self.bucket.address().shown(spot.path)
    }

    /// What must be so for a spot to be written; `None` if it is not even now. Stores that take no notice of conditions are
    /// looked at, too.
    fn only(&self, spot: &Spot<'_>) -> Result<Option<If>> {
        match (spot.stood, self.bucket.now(spot.path)?) {
            (Stood::Nothing, None) => Ok(Some(If::Absent)),
            (Stood::Something(None), Some(_)) => {
                let message = format!("{} has no version by which it could be replaced", self.shown(spot));
                let help = "use a store that gives its objects ETags";
                Err(Error::refused_help(message, help).of(ErrorKind::Unsupported))
            }
            (Stood::Something(version), Some((now, written))) if now.etag == *version => {
                Ok(Some(If::Same(written)))
            }
            _ => Ok(None),
        }
    }

    /// What stands there instead of what was judged.
    fn instead(&self, spot: &Spot<'_>, digest: &Digest, progress: &dyn Progress) -> Result<Got, Failed> {
        let Some(mut got) = self.bucket.get(spot.path, None)? else {
            return Ok(Got::Changed("is gone".into()));
        };
        match is_right(&mut got.reader, digest, progress) {
            Ok(Got::Right) => Ok(Got::Already),
            Ok(Got::Others(found)) => Ok(Got::Changed(format!("holds {found}"))),
            Ok(other) => Ok(other),
            Err(Failed::There(error)) => Err(Failed::Here(Error::io("cannot read", self.shown(spot), error))),
            Err(failed) => Err(failed),
        }
    }
}

impl Mend for InBucket {
    fn blob(
        &self,
        spot: &Spot<'_>,
        (digest, _): (&Digest, u64),
        from: &mut dyn Read,
        progress: &dyn Progress,
    ) -> Result<Got, Failed> {
        let mut staged = SpooledTempFile::new_in(IN_MEMORY, &self.tmpdir);
        let size = match copied(from, digest, Some(&mut staged), progress)? {
            (Got::Right, size) => size,
            (other, _) => return Ok(other),
        };
        staged.rewind().at("cannot read", &self.tmpdir)?;
        let Some(only) = self.only(spot)? else { return self.instead(spot, digest, progress) };
        if let (Some(aside), Stood::Something(version)) = (spot.aside, spot.stood) {
            match self.bucket.get(spot.path, None)? {
                Some(mut got) if got.object.etag == *version => {
                    keep_aside(&mut got.reader, digest, aside)?;
                }
                _ => return self.instead(spot, digest, progress),
            }
        }
        match self.bucket.put_from(spot.path, (&mut staged, size), &only)? {
            Some(_) => Ok(Got::Right),
            None => self.instead(spot, digest, progress),
        }
    }
}

impl MendFiles for InBucket {
    fn text(&self, spot: &Spot<'_>, text: &str) -> Result<Got> {
        if let Some(only) = self.only(spot)?
            && self.bucket.put(spot.path, text.to_owned(), &only)?.is_some()
        {
            return Ok(Got::Right);
        }
        let Some(got) = self.bucket.get(spot.path, None)? else {
            return Ok(Got::Changed("is gone".into()));
        };
        let mut bytes = Vec::new();
        got.reader.take(LINK_BYTES).read_to_end(&mut bytes).at("cannot read", self.shown(spot))?;
        Ok(match String::from_utf8_lossy(&bytes) {
            now if now == text => Got::Already,
            now => Got::Changed(format!("says `{}`", now.chars().take(80).collect::<String>())),
        })
    }
}
