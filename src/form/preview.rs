//! What is about to stand at a destination, opened as if it stood there already: what was staged, and the documents that
//! the commit will make.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;

use cap_std::fs::Dir;

use crate::digest::Digest;
use crate::error::{Context, Error, Result};
use crate::limits::Limits;
use crate::model::Archive;
use crate::source::{Bytes, Ingested, MemberName, Tree, Wanted};

/// What a preview is called in messages.
const PLACE: &str = "the destination";

/// The reader of a form.
pub(in crate::form) type Opener = fn(Tree, Ingested, &Limits) -> Result<Archive>;

/// Documents that are known beforehand, by digest: a stream does not give back what it was given.
pub type Known<'a> = &'a dyn Fn(&Digest) -> Option<Arc<[u8]>>;

/// What is about to stand at a destination.
pub struct Preview {
    what: What,
    opener: Opener,
}

enum What {
    /// Members one by one.
    Listed(Tree),
    /// A tar in a file, whole but for its name.
    Tar(PathBuf, File),
}

impl Preview {
    /// A tar that is complete.
    pub(in crate::form) fn of_tar(path: PathBuf, file: File, opener: Opener) -> Preview {
        Preview { what: What::Tar(path, file), opener }
    }

    /// Opens it, as its form is read.
    ///
    /// # Errors
    /// What was staged cannot be read.
    pub fn open(self, limits: &Limits) -> Result<Archive> {
        let tree = match self.what {
            What::Listed(tree) => tree,
            What::Tar(path, file) => Tree::of_tar(PLACE, &path, file, limits)?,
        };
        (self.opener)(tree, Ingested::new(), limits)
    }
}

/// The members of a preview, one by one.
#[derive(Default)]
pub(in crate::form) struct Members {
    names: Vec<(MemberName, u64)>,
    held: Vec<Held>,
}

enum Held {
    /// What the commit will write, or what is known to have been written.
    Bytes(Arc<[u8]>),
    /// A staged file.
    File(PathBuf),
    /// A file that is in the destination already.
    Inside(Arc<Dir>, PathBuf),
    /// It went out, and cannot be read again.
    Gone,
}

impl Members {
    /// A member whose bytes are known.
    pub(in crate::form) fn bytes(&mut self, name: impl AsRef<[u8]>, bytes: impl Into<Arc<[u8]>>) {
        let bytes = bytes.into();
        self.names.push((name.as_ref().into(), bytes.len() as u64));
        self.held.push(Held::Bytes(bytes));
    }

    /// A member that is staged in a file.
    pub(in crate::form) fn file(&mut self, name: impl AsRef<[u8]>, path: PathBuf) -> Result<()> {
        let size = std::fs::metadata(&path).at("cannot read", &path)?.len();
        self.names.push((name.as_ref().into(), size));
        self.held.push(Held::File(path));
        Ok(())
    }

    /// A member of this size that the destination has.
    pub(in crate::form) fn inside(
        &mut self,
        name: impl AsRef<[u8]>,
        dir: &Arc<Dir>,
        path: PathBuf,
        size: u64,
    ) {
        self.names.push((name.as_ref().into(), size));
        self.held.push(Held::Inside(Arc::clone(dir), path));
    }

    /// A member of which the size alone is known.
    pub(in crate::form) fn gone(&mut self, name: impl AsRef<[u8]>, size: u64) {
        self.names.push((name.as_ref().into(), size));
        self.held.push(Held::Gone);
    }

    /// All of them, to be read by `opener`.
    pub(in crate::form) fn preview(self, opener: Opener) -> Preview {
        let tree = Tree::of_bytes(PLACE, self.names, Box::new(Holding(self.held)));
        Preview { what: What::Listed(tree), opener }
    }
}

struct Holding(Vec<Held>);

impl Bytes for Holding {
    fn reader(&self, member: Wanted<'_>) -> Result<Box<dyn Read + Send>> {
        let held = usize::try_from(member.key).ok().and_then(|at| self.0.get(at));
        Ok(match held {
            Some(Held::Bytes(bytes)) => Box::new(Cursor::new(Arc::clone(bytes))),
            Some(Held::File(path)) => Box::new(File::open(path).at("cannot open", path)?),
            Some(Held::Inside(dir, path)) => {
                Box::new(dir.open(path).map_err(|e| Error::io("cannot open", path, e))?.into_std())
            }
            Some(Held::Gone) | None => Box::new(std::io::empty()),
        })
    }
}
