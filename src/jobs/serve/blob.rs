//! The bytes of a blob, out of the archive that holds it, held to their digest while they go out.

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;

use crate::digest::{Digest, Hasher};
use crate::location::MemberId;
use crate::model::Archive;
use crate::source::Range;

/// Bytes that are read at once. 64 KiB: with two hundred clients 13 MB.
const CHUNK: usize = 64 << 10;

/// A blob that can be served.
#[derive(Clone)]
pub struct Blob {
    /// What it must hash to.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    origin: Origin,
}

#[derive(Clone)]
enum Origin {
    /// A member of a source.
    Member(Arc<Archive>, MemberId),
    /// A file that was made from one.
    File(Arc<File>),
}

impl Blob {
    /// A member of a source.
    pub fn of_member(digest: Digest, archive: &Arc<Archive>, member: MemberId) -> Blob {
        let size = archive.tree.member(member).size;
        Blob { digest, size, origin: Origin::Member(Arc::clone(archive), member) }
    }

    /// A file that was made.
    ///
    /// # Errors
    /// Its size cannot be had.
    pub fn of_file(digest: Digest, file: Arc<File>) -> io::Result<Blob> {
        let size = file.metadata()?.len();
        Ok(Blob { digest, size, origin: Origin::File(file) })
    }

    fn reader(&self, from: u64) -> io::Result<Box<dyn Read + Send>> {
        match &self.origin {
            Origin::Member(archive, member) => {
                archive.tree.reader_from(*member, from).map_err(|error| io::Error::other(error.to_string()))
            }
            Origin::File(file) => Ok(Box::new(Range::new(file, from, self.size))),
        }
    }

    fn unchanged(&self) -> io::Result<()> {
        match &self.origin {
            Origin::Member(archive, _) => {
                archive.tree.unchanged().map_err(|error| io::Error::other(error.to_string()))
            }
            // Nobody else has it.
            Origin::File(_) => Ok(()),
        }
    }

    /// Sends `length` bytes from `from` on. The last of them go out once the bytes are known to be those that were
    /// verified: the whole by its digest, a part by the file that it comes from, which must be as it was.
    ///
    /// # Errors
    /// The bytes changed or cannot be read, so what went out is not the whole; `out` cannot be written to.
    pub fn send(&self, from: u64, length: u64, out: &mut dyn Write) -> io::Result<()> {
        let whole = from == 0 && length == self.size;
        let mut hasher = self.digest.algorithm().filter(|_| whole).map(Hasher::new);
        let mut reader = self.reader(from)?.take(length);
        let mut buffer = vec![0; CHUNK];
        let mut left = length;
        while left > 0 {
            let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            reader.read_exact(&mut buffer[..most])?;
            left -= most as u64;
            if let Some(hasher) = &mut hasher {
                hasher.update(&buffer[..most]);
            }
            if left == 0 {
                self.unchanged()?;
                if hasher.take().is_some_and(|hasher| hasher.finish() != self.digest) {
                    return Err(io::Error::other(format!("{} is no longer what was verified", self.digest)));
                }
            }
            out.write_all(&buffer[..most])?;
        }
        Ok(())
    }
}
