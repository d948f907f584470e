//! Right bytes put into a place that is there: staged inside it, proved, and renamed to where they belong. Nothing else of it
//! changes, and a reader sees what was there or what is right, whenever it looks.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::sink::Staged;
use super::write::existing::Existing;
use super::write::tree::Tree;
use crate::digest::{Digest, Hasher};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::progress::Progress;

/// A place under the lock that every writer of restow takes, for as long as this value lives.
pub struct Mending {
    // Dropped first, while the lock is still held.
    tree: Tree,
    existing: Existing,
}

/// What became of bytes that were to be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Got {
    /// They are, and stand where they belong.
    Right,
    /// They are others: their digest.
    Others(Digest),
}

/// How a place names what is staged, until it is known to be right.
fn spare(digest: &Digest) -> Result<PathBuf> {
    Ok(Path::new("blobs").join(digest.algorithm_name()).join(digest.encoded()))
}

impl Mending {
    /// Locks a folder, after whoever is writing there, and removes what dead writers left.
    ///
    /// # Errors
    /// There is no such folder; it cannot be written to.
    pub fn open(path: &Path, fsync: bool) -> Result<Mending> {
        let Some(existing) = Existing::open(path)? else {
            let message = format!("{} is not there", path.display());
            return Err(Error::refused(message).of(ErrorKind::NotFound));
        };
        Ok(Mending { tree: Tree::inside(path, fsync)?, existing })
    }

    /// Copies what a reader gives to where a blob belongs, if it is what its digest says. `aside` keeps what is there now.
    ///
    /// # Errors
    /// The place cannot be written to, or the reader not read: [`Failed`] says which.
    pub fn blob(
        &self,
        relative: &Path,
        digest: &Digest,
        mut from: impl Read,
        aside: Option<&Path>,
        progress: &dyn Progress,
    ) -> Result<Got, Failed> {
        let here = |error: Error| Failed::Here(error);
        let mut staged: Box<dyn Staged + '_> = self.tree.stage(spare).map_err(here)?;
        let copied = copied(&mut from, digest, Some(&mut *staged), progress)?;
        let size = match copied {
            (Got::Others(found), _) => return Ok(Got::Others(found)),
            (Got::Right, size) => size,
        };
        staged.keep(digest, size).map_err(here)?;
        if let Some(aside) = aside {
            self.keep_wrong(relative, digest, aside).map_err(here)?;
        }
        self.place(&spare(digest).map_err(here)?, relative).map_err(here)?;
        Ok(Got::Right)
    }

    /// Writes a small file, such as a link.
    ///
    /// # Errors
    /// The place cannot be written to.
    pub fn text(&self, relative: &Path, text: &[u8]) -> Result<()> {
        let staged = Path::new("text");
        self.tree.put(staged, text)?;
        self.place(staged, relative)
    }

    fn place(&self, staged: &Path, relative: &Path) -> Result<()> {
        self.tree.rename_into(staged, &self.existing, relative)?;
        self.tree.sync_moved(&self.existing, &[relative.to_owned()])
    }

    /// Copies what stands under a blob's name into a folder, before it is replaced.
    fn keep_wrong(&self, relative: &Path, digest: &Digest, aside: &Path) -> Result<()> {
        let Some(mut wrong) = self.existing.file(relative)? else { return Ok(()) };
        fs::create_dir_all(aside).at("cannot create", aside)?;
        let name = format!("{}-{}", digest.algorithm_name(), digest.encoded());
        for nth in 0.. {
            let path = aside.join(if nth == 0 { name.clone() } else { format!("{name}.{nth}") });
            match File::options().write(true).create_new(true).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                opened => {
                    let mut kept = opened.at("cannot create", &path)?;
                    io::copy(&mut wrong, &mut kept).and_then(|_| kept.flush()).at("cannot write", &path)?;
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Why bytes did not get to their place.
#[derive(Debug)]
pub enum Failed {
    /// Where they come from cannot be read.
    There(io::Error),
    /// Where they belong cannot be written to.
    Here(Error),
    /// Whoever asked for it told it to stop.
    Cancelled,
}

/// Reads a blob to its end, and says whether it is what its digest says, without keeping it.
///
/// # Errors
/// It cannot be read.
pub fn is_right(mut from: impl Read, digest: &Digest, progress: &dyn Progress) -> Result<Got, Failed> {
    copied(&mut from, digest, None, progress).map(|(got, _)| got)
}

fn copied(
    from: &mut impl Read,
    digest: &Digest,
    mut to: Option<&mut dyn Staged>,
    progress: &dyn Progress,
) -> Result<(Got, u64), Failed> {
    let Some(algorithm) = digest.algorithm() else {
        let message = format!("restow does not know the algorithm of {digest}");
        return Err(Failed::Here(Error::refused(message).of(ErrorKind::Unsupported)));
    };
    let (mut hasher, mut size) = (Hasher::new(algorithm), 0);
    let blob = progress.blob(digest.as_str(), 0);
    let mut buffer = vec![0; 256 << 10];
    loop {
        if progress.cancelled() {
            return Err(Failed::Cancelled);
        }
        let n = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failed::There(error)),
        };
        let bytes = buffer.get(..n).unwrap_or_default();
        hasher.update(bytes);
        size += n as u64;
        progress.read(n as u64);
        blob.iter().for_each(|blob| blob.read(n as u64));
        if let Some(to) = &mut to {
            to.write_all(bytes)
                .map_err(|error| Failed::Here(Error::io("cannot write", "the place", error)))?;
        }
    }
    let found = hasher.finish();
    Ok((if found == *digest { Got::Right } else { Got::Others(found) }, size))
}
