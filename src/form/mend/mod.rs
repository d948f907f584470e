//! Right bytes put into a place that is there: staged, proved by their digest, and put to where they belong at once. Nothing else
//! of it changes, and a reader sees what was there or what is right, whenever it looks.

mod folder;
#[cfg(feature = "cloud")]
mod in_bucket;

use std::io::{self, Read, Write};
use std::path::Path;

pub use folder::Folder;
#[cfg(feature = "cloud")]
pub use in_bucket::InBucket;

use crate::digest::{Digest, Hasher};
use crate::error::{Context as _, Error, ErrorKind, Result};
use crate::progress::Progress;

/// Where bytes belong, and what stood there when that was found out.
pub struct Spot<'a> {
    /// The name below the place; of a registry, the repository.
    pub path: &'a str,
    /// What stood there.
    pub stood: &'a Stood,
    /// A folder that keeps what stands there now.
    pub aside: Option<&'a Path>,
}

/// What stood somewhere when it was judged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Stood {
    /// Nothing.
    #[default]
    Nothing,
    /// Something, in a version that whoever keeps it has a word for, or not.
    Something(Option<String>),
}

/// What became of bytes that were to be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Got {
    /// They are, and stand where they belong.
    Right,
    /// They are, and somebody else had put them there meanwhile.
    Already,
    /// They are others: their digest.
    Others(Digest),
    /// Something else came to stand there meanwhile, and was left as it is: what.
    Changed(String),
}

/// A place whose blobs are put right.
pub trait Mend {
    /// Copies what a reader gives to where a blob belongs, if it is what its digest says: that is known before anything is
    /// changed.
    ///
    /// # Errors
    /// The place cannot be written to, or the reader not read: [`Failed`] says which.
    fn blob(
        &self,
        spot: &Spot<'_>,
        of: (&Digest, u64),
        from: &mut dyn Read,
        progress: &dyn Progress,
    ) -> Result<Got, Failed>;
}

/// One that is made of files.
pub trait MendFiles: Mend {
    /// Writes a small file, such as a link.
    ///
    /// # Errors
    /// The place cannot be written to.
    fn text(&self, spot: &Spot<'_>, text: &str) -> Result<Got>;
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

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed::Here(error)
    }
}

/// Reads a blob to its end, and says whether it is what its digest says, without keeping it.
///
/// # Errors
/// It cannot be read.
pub fn is_right(from: &mut dyn Read, digest: &Digest, progress: &dyn Progress) -> Result<Got, Failed> {
    copied(from, digest, None, progress).map(|(got, _)| got)
}

/// Reads a blob to its end into what stages it: whether it is what its digest says, and how many bytes it has.
fn copied(
    from: &mut dyn Read,
    digest: &Digest,
    mut to: Option<&mut dyn Write>,
    progress: &dyn Progress,
) -> Result<(Got, u64), Failed> {
    let blob = progress.blob(digest.as_str(), 0);
    hashed(from, digest, progress, &mut |bytes| {
        blob.iter().for_each(|blob| blob.read(bytes.len() as u64));
        let Some(to) = &mut to else { return Ok(()) };
        to.write_all(bytes).map_err(|error| Failed::Here(Error::io("cannot write", "the place", error)))
    })
}

/// Reads a blob to its end, each piece going to `then`: whether it is what its digest says, and how many bytes it has.
pub(super) fn hashed(
    from: &mut dyn Read,
    digest: &Digest,
    progress: &dyn Progress,
    then: &mut dyn FnMut(&[u8]) -> Result<(), Failed>,
) -> Result<(Got, u64), Failed> {
    let Some(algorithm) = digest.algorithm() else {
        let message = format!("restow does not know the algorithm of {digest}");
        return Err(Failed::Here(Error::refused(message).of(ErrorKind::Unsupported)));
    };
    let (mut hasher, mut size) = (Hasher::new(algorithm), 0);
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
        then(bytes)?;
    }
    let found = hasher.finish();
    Ok((if found == *digest { Got::Right } else { Got::Others(found) }, size))
}

/// Copies what stands under a blob's name into a folder, before it is replaced.
fn keep_aside(wrong: &mut dyn Read, digest: &Digest, aside: &Path) -> Result<()> {
    std::fs::create_dir_all(aside).at("cannot create", aside)?;
    let name = format!("{}-{}", digest.algorithm_name(), digest.encoded());
    let names = std::iter::once(name.clone()).chain((1..).map(|nth: u64| format!("{name}.{nth}")));
    for path in names.map(|name| aside.join(name)) {
        match std::fs::File::options().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            opened => {
                let mut kept = opened.at("cannot create", &path)?;
                return io::copy(wrong, &mut kept).and_then(|_| kept.flush()).at("cannot write", &path);
            }
        }
    }
    Ok(())
}
