//! Where the bytes of members are: a file, a folder, a spooled stream, or whatever else can give them.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use super::{MemberName, SpoolDir};
use crate::codec::{self, Caps, Start};
use crate::error::{Context, Error, Result};
use crate::media::Codec;

/// A member as its bytes are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Its cleaned name.
    pub name: &'a MemberName,
    /// Bytes of content.
    pub size: u64,
    /// Where it is, in the words of who listed it: an offset, or a place in a list.
    pub key: u64,
}

/// What gives the bytes of members.
pub trait Bytes: Send + Sync {
    /// The whole of a member.
    ///
    /// # Errors
    ///
    /// It cannot be had.
    fn reader(&self, member: Wanted<'_>) -> Result<Box<dyn Read + Send>>;

    /// The same from an offset on; nothing where that lies behind the end.
    ///
    /// # Errors
    ///
    /// It cannot be had.
    fn reader_from(&self, member: Wanted<'_>, from: u64) -> Result<Box<dyn Read + Send>> {
        let mut reader = self.reader(member)?;
        io::copy(&mut reader.by_ref().take(from), &mut io::sink())
            .at("cannot read", member.name.to_string())?;
        Ok(reader)
    }

    /// The first bytes of a member, at most `n`; `None` where beginning to read it costs no more.
    ///
    /// # Errors
    ///
    /// They cannot be had.
    fn head(&self, _member: Wanted<'_>, _n: usize) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    /// The file that holds a member and nothing else, and that may be linked to instead of being read.
    fn file(&self, _member: Wanted<'_>) -> Option<PathBuf> {
        None
    }

    /// Bytes of a member that stand in the folder for temporary files.
    fn spooled(&self, _member: Wanted<'_>) -> u64 {
        0
    }

    /// What whoever keeps a member calls the version of it that was listed.
    fn version(&self, _member: Wanted<'_>) -> Option<String> {
        None
    }

    /// Fails if what was listed is no longer what is there, as far as anybody can tell.
    ///
    /// # Errors
    ///
    /// That it changed, or that nobody can look.
    fn unchanged(&self) -> Result<()> {
        Ok(())
    }
}

/// One file that holds all members, each at its offset.
pub(super) struct Whole {
    file: Arc<File>,
    path: PathBuf,
    stamp: Stamp,
}

impl Whole {
    pub(super) fn new(file: File, path: &Path, meta: &std::fs::Metadata) -> Whole {
        Whole { file: Arc::new(file), path: path.to_owned(), stamp: Stamp::of(meta) }
    }
}

impl Bytes for Whole {
    fn reader(&self, member: Wanted<'_>) -> Result<Box<dyn Read + Send>> {
        self.reader_from(member, 0)
    }

    fn reader_from(&self, member: Wanted<'_>, from: u64) -> Result<Box<dyn Read + Send>> {
        Ok(Box::new(Range::of(&self.file, member, from)))
    }

    fn unchanged(&self) -> Result<()> {
        let by_handle = self.file.metadata().at("cannot read", &self.path)?;
        let by_path = std::fs::metadata(&self.path).map(|meta| Stamp::of(&meta));
        if Stamp::of(&by_handle) != self.stamp || by_path.is_ok_and(|now| now != self.stamp) {
            return Err(Error::SourceChanged { path: self.path.clone() });
        }
        Ok(())
    }
}

/// A stream that was read to its end. Small members are packed into one file.
pub(super) struct Spooled {
    pub(super) pack: Arc<File>,
    pub(super) large: Large,
}

/// Where members are that are not packed.
pub(super) enum Large {
    /// Each in a file of its own, whose name is the number in its key.
    Files(SpoolDir),
    /// Where they came from, at the offset in their keys.
    Parts(InParts),
}

impl Spooled {
    /// Set in the keys of large members.
    pub(super) const OWN: u64 = 1 << 63;

    pub(super) fn own(dir: &SpoolDir, number: u64) -> PathBuf {
        dir.path().join(number.to_string())
    }

    /// The key of a large member, without what marks it.
    fn large(member: Wanted<'_>) -> Option<u64> {
        (member.key & Spooled::OWN != 0).then_some(member.key & !Spooled::OWN)
    }
}

impl Bytes for Spooled {
    fn reader(&self, member: Wanted<'_>) -> Result<Box<dyn Read + Send>> {
        self.reader_from(member, 0)
    }

    fn reader_from(&self, member: Wanted<'_>, from: u64) -> Result<Box<dyn Read + Send>> {
        let Some(key) = Spooled::large(member) else {
            return Ok(Box::new(Range::of(&self.pack, member, from)));
        };
        let path = match &self.large {
            Large::Parts(parts) => return parts.reader_from(Wanted { key, ..member }, from),
            Large::Files(dir) => Spooled::own(dir, key),
        };
        let mut file = File::open(&path).at("cannot open", &path)?;
        file.seek(SeekFrom::Start(from)).at("cannot read", path)?;
        Ok(Box::new(file))
    }

    fn file(&self, member: Wanted<'_>) -> Option<PathBuf> {
        match &self.large {
            Large::Files(dir) => Spooled::large(member).map(|key| Spooled::own(dir, key)),
            Large::Parts(_) => None,
        }
    }

    fn spooled(&self, member: Wanted<'_>) -> u64 {
        match (&self.large, Spooled::large(member)) {
            (Large::Parts(_), Some(_)) => 0,
            _ => member.size,
        }
    }

    fn unchanged(&self) -> Result<()> {
        match &self.large {
            Large::Files(_) => Ok(()),
            Large::Parts(parts) => parts.whole.unchanged(),
        }
    }
}

/// A file that is compressed in parts, each of which can be decompressed without those before it: gzip members, zstd
/// frames. What is in it is read from the part on that it begins in.
pub(super) struct InParts {
    whole: Whole,
    codec: Codec,
    caps: Caps,
    /// Where parts begin, once that is known.
    pub(super) starts: Vec<Start>,
}

impl InParts {
    /// A file of this codec, if its second part begins early enough. It must not have been read.
    pub(super) fn of(file: File, path: &Path, codec: Codec, caps: Caps) -> Result<Option<InParts>> {
        /// Decompressed bytes among which a second part must begin: 64 MiB. So much may have to be decompressed for one
        /// byte, later, and is decompressed twice, now.
        const SOON: u64 = 64 << 20;
        let meta = file.metadata().at("cannot read", path)?;
        let parts = InParts { whole: Whole::new(file, path, &meta), codec, caps, starts: Vec::new() };
        let Ok((plain, lesson)) = codec::reader(codec, parts.stored(0), caps) else { return Ok(None) };
        let mut plain = plain.take(SOON);
        let mut buffer = vec![0; codec::CHUNK];
        loop {
            if lesson.lock().unwrap_or_else(PoisonError::into_inner).starts.len() > 1 {
                return Ok(Some(parts));
            }
            // What is wrong with it is said by who reads all of it.
            match plain.read(&mut buffer) {
                Ok(0) | Err(_) => return Ok(None),
                Ok(_) => {}
            }
        }
    }

    /// The file as it is stored, from an offset on.
    pub(super) fn stored(&self, from: u64) -> Range {
        Range::new(&self.whole.file, from, self.whole.stamp.size)
    }

    fn reader_from(&self, member: Wanted<'_>, from: u64) -> Result<Box<dyn Read + Send>> {
        let path = &self.whole.path;
        let at = member.key.saturating_add(from);
        let before = self.starts.partition_point(|start| start.plain <= at);
        let start = before.checked_sub(1).and_then(|last| self.starts.get(last)).copied();
        let start = start.unwrap_or(Start { stored: 0, plain: 0 });
        let (mut plain, _) =
            codec::reader(self.codec, self.stored(start.stored), self.caps).at("cannot decompress", path)?;
        io::copy(&mut plain.by_ref().take(at - start.plain), &mut io::sink()).at("cannot read", path)?;
        Ok(Box::new(plain.take(member.size.saturating_sub(from))))
    }
}

/// What shows that a file was changed while it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    size: u64,
    modified: (i64, i64),
    inode: (u64, u64),
}

impl Stamp {
    fn of(meta: &std::fs::Metadata) -> Stamp {
        Stamp {
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            inode: (meta.dev(), meta.ino()),
        }
    }
}

/// A range of a file, read at its offsets: any number of readers share one file.
pub struct Range {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Range {
    /// A file from an offset on, up to another.
    pub fn new(file: &Arc<File>, at: u64, end: u64) -> Range {
        Range { file: Arc::clone(file), at, end }
    }

    /// A member from an offset in it on.
    fn of(file: &Arc<File>, member: Wanted<'_>, from: u64) -> Range {
        Range::new(file, member.key.saturating_add(from), member.key.saturating_add(member.size))
    }
}

impl Read for Range {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.end.saturating_sub(self.at).min(into.len() as u64) as usize;
        if left == 0 {
            return Ok(0);
        }
        let n = self.file.read_at(&mut into[..left], self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}
