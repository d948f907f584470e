//! A folder under the lock that every writer of restow takes: what is staged inside it is renamed.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Failed, Got, Mend, MendFiles, Spot, copied, keep_aside};
use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::form::sink::Staged;
use crate::form::write::existing::Existing;
use crate::form::write::tree::Tree;
use crate::progress::Progress;

/// A folder that nobody else repairs for as long as this value lives.
pub struct Folder {
    // Dropped first, while the lock is still held.
    tree: Tree,
    existing: Existing,
}

/// How a place names what is staged, until it is known to be right.
fn spare(digest: &Digest) -> Result<PathBuf> {
    Ok(Path::new("blobs").join(digest.algorithm_name()).join(digest.encoded()))
}

impl Folder {
    /// Locks a folder, after whoever is writing there, and removes what dead writers left.
    ///
    /// # Errors
    /// There is no such folder; it cannot be written to.
    pub fn open(path: &Path, fsync: bool) -> Result<Folder> {
        let Some(existing) = Existing::open(path)? else {
            let message = format!("{} is not there", path.display());
            return Err(Error::refused(message).of(ErrorKind::NotFound));
        };
        Ok(Folder { tree: Tree::inside(path, fsync)?, existing })
    }

    fn place(&self, staged: &Path, relative: &Path) -> Result<Got> {
        self.tree.rename_into(staged, &self.existing, relative)?;
        self.tree.sync_moved(&self.existing, &[relative.to_owned()])?;
        Ok(Got::Right)
    }
}

impl Mend for Folder {
    fn blob(
        &self,
        spot: &Spot<'_>,
        (digest, _): (&Digest, u64),
        from: &mut dyn Read,
        progress: &dyn Progress,
    ) -> Result<Got, Failed> {
        let mut staged: Box<dyn Staged + '_> = self.tree.stage(spare)?;
        let size = match copied(from, digest, Some(&mut *staged), progress)? {
            (Got::Right, size) => size,
            (other, _) => return Ok(other),
        };
        staged.keep(digest, size)?;
        let relative = Path::new(spot.path);
        if let Some(aside) = spot.aside
            && let Some(mut wrong) = self.existing.file(relative)?
        {
            keep_aside(&mut wrong, digest, aside)?;
        }
        Ok(self.place(&spare(digest)?, relative)?)
    }
}

impl MendFiles for Folder {
    fn text(&self, spot: &Spot<'_>, text: &str) -> Result<Got> {
        let staged = Path::new("text");
        self.tree.put(staged, text.as_bytes())?;
        self.place(staged, Path::new(spot.path))
    }
}
