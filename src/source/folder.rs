//! Members that are files of a folder.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bstr::ByteSlice;
use cap_std::fs::Dir;

use super::members::{Member, MemberKind, nanoseconds};
use super::name::MemberName;
use super::{Bytes, Wanted};
use crate::error::{Context, Error, Result};

/// A symlink in a folder counts as the file that it leads to, as long as that is inside the folder.
pub(super) fn follow(dir: &Dir, name: &Path, text: MemberName) -> Member {
    match dir.metadata(name) {
        Ok(meta) if meta.is_file() => Member::at_path(text, MemberKind::File, Some(&meta)),
        _ => {
            let target = dir.read_link_contents(name).unwrap_or_default();
            let target = <[u8]>::from_path(&target).unwrap_or_default();
            Member::at_path(text, MemberKind::Symlink(target.as_bstr()), None)
        }
    }
}

/// The files of a folder, opened through its handle.
pub(super) struct Folder {
    dir: Dir,
    path: PathBuf,
    /// A file that was found changed.
    changed: Arc<OnceLock<PathBuf>>,
}

impl Folder {
    pub(super) fn new(dir: Dir, path: &Path) -> Folder {
        Folder { dir, path: path.to_owned(), changed: Arc::default() }
    }
}

impl Bytes for Folder {
    /// The key is the time of the last change, in nanoseconds.
    fn reader(&self, member: Wanted<'_>) -> Result<Box<dyn Read + Send>> {
        self.reader_from(member, 0)
    }

    fn reader_from(&self, member: Wanted<'_>, from: u64) -> Result<Box<dyn Read + Send>> {
        let name = member.name.text();
        let name = name.to_path().map_err(|_| Error::refused("a name that is no path"))?;
        let path = self.path.join(name);
        let mut file = self.dir.open(name).at("cannot open", &path)?.into_std();
        file.seek(SeekFrom::Start(from)).at("cannot read", &path)?;
        let listed = (member.size, member.key as i64);
        Ok(Box::new(Guarded { file, listed, path, changed: Arc::clone(&self.changed) }))
    }

    fn unchanged(&self) -> Result<()> {
        self.changed.get().map_or(Ok(()), |path| Err(Error::SourceChanged { path: path.clone() }))
    }
}

/// A file of a folder that looks, once it was read, whether it still is what was listed.
struct Guarded {
    file: File,
    /// Size, and time of the last change.
    listed: (u64, i64),
    path: PathBuf,
    changed: Arc<OnceLock<PathBuf>>,
}

impl Read for Guarded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.file.read(into)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let now =
            self.file.metadata().map(|meta| (meta.size(), nanoseconds(meta.mtime(), meta.mtime_nsec())));
        if now.is_ok_and(|now| now != self.listed) {
            let _ = self.changed.set(std::mem::take(&mut self.path));
        }
    }
}
