//! A directory that already exists at the destination: locked, read and filled without ever leaving it.
//!
//! It is opened through cap-std, so that a symbolic link in it cannot make restow read or write elsewhere.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use rustix::fs::{FlockOperation, OFlags, flock};

use crate::error::{Context, Error, ErrorKind, Result};
use crate::form::preview::Members;
use crate::staging::{is_ours, parent_of, sweep};

/// An existing destination directory under an exclusive `flock` that lasts as long as this value.
pub(in crate::form) struct Existing {
    /// The lock is on this very handle.
    dir: Arc<Dir>,
    path: PathBuf,
    /// What it held but staging when it was locked: nothing, one entry, or more.
    held: Held,
}

/// What a directory holds.
#[derive(Debug, PartialEq, Eq)]
enum Held {
    Nothing,
    /// An entry of this name alone.
    One(OsString),
    More,
}

impl Existing {
    /// Locks the directory, waiting for other writers, and removes what dead ones left; `None` if nothing is there.
    pub(in crate::form) fn open(path: &Path) -> Result<Option<Existing>> {
        let meta = match std::fs::metadata(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.at("cannot read", path)?,
        };
        if !meta.is_dir() {
            return Err(Error::refused(format!("{} exists and is not a directory", path.display()))
                .of(ErrorKind::Exists));
        }
        // What was staged beside it before it came to be.
        sweep(parent_of(path));
        let handle = File::open(path).at("cannot open", path)?;
        loop {
            match flock(&handle, FlockOperation::LockExclusive) {
                Err(rustix::io::Errno::INTR) => continue,
                other => break other.map_err(io::Error::from).at("cannot lock", path)?,
            }
        }
        let mut existing = Existing {
            dir: Arc::new(Dir::from_std_file(handle)),
            path: path.to_owned(),
            held: Held::Nothing,
        };
        existing.survey()?;
        Ok(Some(existing))
    }

    /// Removes stale staging and finds out whether there is anything else.
    fn survey(&mut self) -> Result<()> {
        for entry in self.dir.entries().at("cannot list", &self.path)? {
            let name = entry.at("cannot list", &self.path)?.file_name();
            if !is_ours(&name) {
                self.held = match self.held {
                    Held::Nothing => Held::One(name),
                    Held::One(_) | Held::More => Held::More,
                };
            } else if self.is_dead(Path::new(&name)) {
                // It does no harm if it stays, so failure does not stop the job.
                let _ = self.dir.remove_file(&name).or_else(|_| self.dir.remove_dir_all(&name));
            }
        }
        Ok(())
    }

    /// Whether no process holds the lock that every staging has: a job that builds a neighbour of ours may be running.
    fn is_dead(&self, name: &Path) -> bool {
        let handle = self.open_any(name);
        handle.is_ok_and(|h| flock(&h, FlockOperation::NonBlockingLockExclusive).is_ok())
    }

    /// Opens without blocking on a FIFO.
    fn open_any(&self, relative: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(OFlags::NONBLOCK.bits() as i32);
        Ok(self.dir.open_with(relative, &options)?.into_std())
    }

    /// The directory, as given.
    pub(in crate::form) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it was empty but for staging.
    pub(in crate::form) fn is_empty(&self) -> bool {
        self.held == Held::Nothing
    }

    /// Whether it held a directory of this name and nothing else but staging.
    pub(in crate::form) fn is_only(&self, name: &str) -> bool {
        self.held == Held::One(name.into()) && self.has_directory(name)
    }

    /// Whether `relative` is a directory (or a link to one) inside.
    pub(in crate::form) fn has_directory(&self, relative: &str) -> bool {
        self.dir.metadata(relative).is_ok_and(|meta| meta.is_dir())
    }

    /// Whether anything is called `relative`.
    pub(in crate::form) fn has(&self, relative: &str) -> bool {
        self.dir.symlink_metadata(relative).is_ok()
    }

    /// A regular file inside; `None` if there is none, or only a link that leads out or nowhere.
    pub(in crate::form) fn file(&self, relative: &Path) -> Result<Option<File>> {
        use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
        match self.open_any(relative) {
            // cap-std says `PermissionDenied` for a path that leads out. A blob that cannot be read is as good as
            // absent: it will be replaced.
            Err(e) if matches!(e.kind(), NotFound | NotADirectory | PermissionDenied) => Ok(None),
            Err(e) => Err(Error::io("cannot open", self.path.join(relative), e)),
            Ok(file) => {
                let meta = file.metadata().at("cannot read", self.path.join(relative))?;
                Ok(meta.is_file().then_some(file))
            }
        }
    }

    /// The bytes of a regular file inside, if there is one; refused above `cap` bytes.
    pub(in crate::form) fn read(&self, relative: &Path, cap: u64) -> Result<Option<Vec<u8>>> {
        let Some(file) = self.file(relative)? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(cap + 1).read_to_end(&mut bytes).at("cannot read", self.path.join(relative))?;
        if bytes.len() as u64 > cap {
            let path = self.path.join(relative);
            return Err(Error::refused(format!("{} is larger than {cap} bytes", path.display())));
        }
        Ok(Some(bytes))
    }

    /// Adds a regular file inside to a preview, if there is one.
    pub(in crate::form) fn show(&self, relative: &Path, name: String, members: &mut Members) -> Result<()> {
        if let Some(file) = self.file(relative)? {
            let size = file.metadata().at("cannot read", self.path.join(relative))?.len();
            members.inside(name, &self.dir, relative.to_owned(), size);
        }
        Ok(())
    }

    /// Whether the regular file `relative` holds exactly `bytes`.
    pub(in crate::form) fn holds_bytes(&self, relative: &Path, bytes: &[u8]) -> Result<bool> {
        match self.file(relative)? {
            Some(file) if file.metadata().is_ok_and(|m| m.len() == bytes.len() as u64) => {
                let mut found = Vec::with_capacity(bytes.len());
                file.take(bytes.len() as u64 + 1)
                    .read_to_end(&mut found)
                    .at("cannot read", self.path.join(relative))?;
                Ok(found == bytes)
            }
            _ => Ok(false),
        }
    }

    /// Renames a finished file of this process to `relative`, creating directories on the way.
    pub(in crate::form) fn receive(&self, from: &Path, relative: &Path) -> io::Result<()> {
        let parent = relative.parent().unwrap_or(Path::new(""));
        if !parent.as_os_str().is_empty() {
            self.dir.create_dir_all(parent)?;
        }
        let source = Dir::open_ambient_dir(parent_of(from), ambient_authority())?;
        let name = from.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        source.rename(name, &self.dir, relative)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::staging::fresh_name;
    use std::fs;

    #[test]
    fn links_that_lead_out_are_not_followed() {
        let dir = tempfile::tempdir().expect("a directory");
        let inside = dir.path().join("inside");
        fs::create_dir(&inside).expect("made");
        fs::write(dir.path().join("secret"), b"s").expect("written");
        fs::write(inside.join("plain"), b"p").expect("written");
        std::os::unix::fs::symlink("../secret", inside.join("out")).expect("linked");
        std::os::unix::fs::symlink("plain", inside.join("in")).expect("linked");
        std::os::unix::fs::symlink("..", inside.join("up")).expect("linked");
        let existing = Existing::open(&inside).expect("opened").expect("there");
        assert_eq!(existing.read(Path::new("in"), 9).expect("read"), Some(b"p".to_vec()));
        assert_eq!(existing.read(Path::new("out"), 9).expect("read"), None);
        assert_eq!(existing.read(Path::new("absent/x"), 9).expect("read"), None);
        assert!(existing.read(Path::new("plain"), 0).is_err(), "above the cap");
        fs::write(dir.path().join("new"), b"n").expect("written");
        assert!(existing.receive(&dir.path().join("new"), Path::new("up/secret")).is_err());
        existing.receive(&dir.path().join("new"), Path::new("out")).expect("the link itself is replaced");
        assert_eq!(fs::read(dir.path().join("secret")).expect("read"), b"s");
        assert_eq!(fs::read(inside.join("out")).expect("read"), b"n");
    }

    #[test]
    fn only_dead_staging_is_removed() {
        let dir = tempfile::tempdir().expect("a directory");
        let [dead, file, alive] = [(); 3].map(|()| fresh_name());
        fs::create_dir_all(dir.path().join(&dead).join("tree")).expect("made");
        fs::write(dir.path().join(&file), b"").expect("made");
        fs::create_dir(dir.path().join(&alive)).expect("made");
        let live = File::open(dir.path().join(&alive)).expect("opened");
        flock(&live, FlockOperation::LockExclusive).expect("locked");
        let existing = Existing::open(dir.path()).expect("opened").expect("there");
        assert!(existing.is_empty());
        assert!(!existing.has(&dead) && !existing.has(&file) && existing.has(&alive));
        // What only begins so is somebody's, and the folder not empty.
        drop(existing);
        fs::create_dir(dir.path().join(".restow-notes")).expect("made");
        let existing = Existing::open(dir.path()).expect("opened").expect("there");
        assert!(!existing.is_empty() && existing.has(".restow-notes"));
    }

    #[test]
    fn a_second_writer_waits() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = Existing::open(dir.path()).expect("opened").expect("there");
        let other = File::open(dir.path()).expect("opened");
        assert!(flock(&other, FlockOperation::NonBlockingLockExclusive).is_err());
        drop(first);
        assert!(flock(&other, FlockOperation::NonBlockingLockExclusive).is_ok());
    }
}
