//! Members that are files of a folder.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bstr::{BString, ByteSlice};
use cap_std::fs::Dir;

use super::members::{Member, MemberKind, nanoseconds};

/// A symlink in a folder counts as the file that it leads to, as long as that is inside the folder.
pub(super) fn follow(dir: &Dir, name: &Path, text: BString) -> Member {
    match dir.metadata(name) {
        Ok(meta) if meta.is_file() => Member::at_path(text, MemberKind::File, Some(&meta)),
        _ => {
            let target = dir.read_link_contents(name).unwrap_or_default();
            let target = BString::from(<[u8]>::from_path(&target).unwrap_or_default());
            Member::at_path(text, MemberKind::Symlink(target), None)
        }
    }
}

/// A file of a folder that looks, once it was read, whether it still is what was listed.
pub(super) struct Guarded {
    pub(super) file: File,
    /// Size, and time of the last change.
    pub(super) listed: (u64, i64),
    pub(super) path: PathBuf,
    pub(super) changed: Arc<OnceLock<PathBuf>>,
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
