//! Everything that is written before a commit, and its removal.
//!
//! A sink builds its output under a name that starts with `.restow-`, which every reader ignores, and renames it
//! when all of it is verified. What is staged is removed when its guard is dropped, and by [`remove_all`] when a
//! signal ends the process; after `kill -9` it stays until the next run to the same place (`sweep`, `existing`).

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::FlockOperation;
use tempfile::TempPath;

use super::existing::Existing;
use crate::digest::Digest;
use crate::error::{Context, Error, Result};
use crate::format::sink::Staged;

/// How the name of everything staged begins.
pub const PREFIX: &str = ".restow-";

/// Small writes of encoders are gathered into pieces of this size. 64 KiB: larger gains nothing measurable.
const BUFFER: usize = 64 << 10;

/// The paths that this process has staged and not yet published.
struct Live(Mutex<State>);

struct State {
    paths: BTreeSet<PathBuf>,
    /// Set once a signal has removed everything: nothing more may be staged or published.
    closed: bool,
}

static LIVE: Live = Live::new();

/// Removes everything that is staged and refuses any further staging or commit: the process is about to end.
///
/// Called by the thread that waits for signals. A commit that is just being made visible is finished first.
pub fn remove_all() {
    LIVE.close();
}

impl Live {
    const fn new() -> Live {
        Live(Mutex::new(State { paths: BTreeSet::new(), closed: false }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `action` so that no removal can come between: a tree must not be renamed while it is being removed.
    fn while_open<T>(&self, action: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.lock();
        if state.closed {
            return Err(io::Error::other("interrupted by a signal"));
        }
        action(&mut state)
    }

    fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        for path in std::mem::take(&mut state.paths) {
            remove(&path);
        }
    }

    fn forget(&self, path: &Path) {
        self.lock().paths.remove(path);
    }
}

/// Removes a file or a tree. Failure is not reported: it happens on the way out of another failure, and what stays
/// is ignored by readers.
fn remove(path: &Path) {
    // Other threads may still be writing into a tree when a signal removes it, hence more than one round.
    for _ in 0..8 {
        let result = match fs::symlink_metadata(path) {
            Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
            Ok(_) => fs::remove_file(path),
            Err(_) => return,
        };
        if result.is_ok() {
            return;
        }
    }
}

/// A staged file or directory; removed when dropped.
pub(crate) struct Owned {
    path: PathBuf,
    /// Held so that other processes see that the path is alive ([`Existing`] removes those that are not).
    _lock: File,
}

impl Owned {
    /// An empty directory in `parent`, mode 0755 less the umask.
    pub(crate) fn directory(parent: &Path) -> Result<Owned> {
        let path = LIVE
            .while_open(|state| {
                let mode = Permissions::from_mode(0o755);
                let made =
                    tempfile::Builder::new().prefix(PREFIX).permissions(mode).tempdir_in(parent)?.keep();
                state.paths.insert(made.clone());
                Ok(made)
            })
            .at("cannot create a directory in", parent)?;
        let lock = File::open(&path).at("cannot open", &path)?;
        // A filesystem without locks cannot run the removal either, so failure is harmless.
        let _ = rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive);
        Ok(Owned { path, _lock: lock })
    }

    /// An empty file in `parent`, mode 0644 less the umask, open for reading and writing.
    pub(super) fn file(parent: &Path) -> Result<(File, Owned)> {
        let (file, path) = LIVE
            .while_open(|state| {
                let mode = Permissions::from_mode(0o644);
                let made = tempfile::Builder::new().prefix(PREFIX).permissions(mode).tempfile_in(parent)?;
                let (file, path) = made.keep()?;
                state.paths.insert(path.clone());
                Ok((file, path))
            })
            .at("cannot create a file in", parent)?;
        let lock = file.try_clone().at("cannot open", &path)?;
        let _ = rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive);
        Ok((file, Owned { path, _lock: lock }))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Renames `from` (this path, or something below it) to `to`; with `replace` unset an existing `to` is an error.
    pub(super) fn publish(&self, from: &Path, to: &Path, replace: bool) -> Result<()> {
        let rename = |_: &mut State| match replace {
            true => fs::rename(from, to),
            false => rename_new(from, to),
        };
        LIVE.while_open(rename).at("cannot create", to)
    }

    /// Exchanges the directory `from` with the existing directory `to` in one step where the filesystem can.
    pub(super) fn exchange(&self, from: &Path, to: &Path) -> Result<()> {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        let swap = |_: &mut State| match renameat_with(CWD, from, CWD, to, RenameFlags::EXCHANGE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                // Two steps: for a moment nothing stands at `to`, but both trees exist under some name.
                let aside = self.path.join("replaced");
                fs::rename(to, &aside)?;
                fs::rename(from, to).inspect_err(|_| {
                    let _ = fs::rename(&aside, to);
                })
            }
            other => Ok(other?),
        };
        LIVE.while_open(swap).at("cannot replace", to)
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        LIVE.forget(&self.path);
        remove(&self.path);
    }
}

/// Renames without replacing what another process may have put there meanwhile.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every filesystem has the flag; the look beforehand must do there.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => match fs::symlink_metadata(to) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => fs::rename(from, to),
        },
        other => Ok(other?),
    }
}

/// Removes what killed runs of this user staged in a directory, where nothing else could tell: beside a destination that
/// did not come to be.
///
/// A living run holds a lock on what it stages, from just after it made it on; hence nothing that is younger than
/// [`YOUNG`] is touched. Failure does no harm: readers ignore what stays.
pub(super) fn sweep(directory: &Path) {
    let own = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if !entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            continue;
        }
        let Ok(meta) = entry.metadata() else { continue };
        let age = meta.modified().ok().and_then(|time| time.elapsed().ok());
        let mine = meta.uid() == own && (meta.is_dir() || meta.is_file());
        if mine && age.is_some_and(|age| age >= YOUNG) {
            let path = entry.path();
            let lock =
                |file: File| rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
            if File::open(&path).is_ok_and(lock) {
                remove(&path);
            }
        }
    }
}

/// See [`sweep`]: many times what lies between making a staging directory and locking it.
const YOUNG: Duration = Duration::from_secs(2);

/// The directory that holds `path`.
pub(super) fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes the entries of a directory survive power loss.
pub(super) fn sync_directory(path: &Path) -> Result<()> {
    File::open(path).and_then(|dir| dir.sync_all()).at("cannot sync", path)
}

/// Where a blob belongs in a tree; an error if the form cannot hold such a digest.
pub(super) type Place = fn(&Digest) -> Result<PathBuf>;

/// A tree of files being built: `.restow-…/tree` is what will be published, `.restow-…/spool` what is unfinished.
pub(super) struct Tree {
    owned: Owned,
    tree: PathBuf,
    spool: PathBuf,
    /// Complete files, relative to `tree`.
    kept: Mutex<BTreeSet<PathBuf>>,
    fsync: bool,
}

impl Tree {
    /// A tree to be renamed to `destination` as a whole. The parent directory must exist.
    pub(super) fn beside(destination: &Path, fsync: bool) -> Result<Tree> {
        sweep(parent_of(destination));
        Tree::inside(parent_of(destination), fsync)
    }

    /// A tree whose files are to be moved into the directory `place` one by one.
    pub(super) fn inside(place: &Path, fsync: bool) -> Result<Tree> {
        let owned = Owned::directory(place)?;
        let (tree, spool) = (owned.path.join("tree"), owned.path.join("spool"));
        fs::create_dir(&tree).at("cannot create", &tree)?;
        fs::create_dir(&spool).at("cannot create", &spool)?;
        Ok(Tree { owned, tree, spool, kept: Mutex::default(), fsync })
    }

    /// Where streams may be spooled so that [`Staged::adopt`] is a link.
    pub(super) fn spool(&self) -> &Path {
        &self.spool
    }

    /// The directory that is to be published.
    pub(super) fn root(&self) -> &Path {
        &self.tree
    }

    /// The complete files, relative to the root of the tree, sorted.
    pub(super) fn kept(&self) -> Vec<PathBuf> {
        self.kept_set().iter().cloned().collect()
    }

    fn kept_set(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a blob that `place` will give its path once the digest is known.
    pub(super) fn stage(&self, place: Place) -> Result<Box<dyn Staged + '_>> {
        let (file, path) = self.temporary()?;
        let out = BufWriter::with_capacity(BUFFER, file);
        Ok(Box::new(StagedFile { tree: self, place, path, out, written: 0, adopted: false }))
    }

    /// Writes a whole file, replacing one that is there.
    pub(super) fn put(&self, relative: &Path, bytes: &[u8]) -> Result<()> {
        let (mut file, path) = self.temporary()?;
        file.write_all(bytes).at("cannot write", &path)?;
        self.sync_file(&file, &path)?;
        self.settle(path, relative, &mut self.kept_set())
    }

    /// Gives a complete file another path within the tree.
    pub(super) fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut kept = self.kept_set();
        fs::rename(self.tree.join(from), self.tree.join(to)).at("cannot rename", self.tree.join(from))?;
        kept.remove(from);
        kept.insert(to.to_owned());
        Ok(())
    }

    fn temporary(&self) -> Result<(File, TempPath)> {
        let mode = Permissions::from_mode(0o644);
        let made = tempfile::Builder::new().permissions(mode).tempfile_in(&self.spool);
        Ok(made.at("cannot create a file in", &self.spool)?.into_parts())
    }

    fn sync_file(&self, file: &File, path: &Path) -> Result<()> {
        if self.fsync { file.sync_all().at("cannot sync", path) } else { Ok(()) }
    }

    fn settle(&self, from: TempPath, relative: &Path, kept: &mut BTreeSet<PathBuf>) -> Result<()> {
        let to = self.tree.join(relative);
        fs::create_dir_all(parent_of(&to)).at("cannot create", parent_of(&to))?;
        from.persist(&to).map_err(|e| e.error).at("cannot create", &to)?;
        kept.insert(relative.to_owned());
        Ok(())
    }

    /// Makes the whole tree appear as `destination`, which must not exist.
    pub(super) fn publish(&self, destination: &Path) -> Result<()> {
        self.sync_tree()?;
        self.owned.publish(&self.tree, destination, false)?;
        self.sync_parent(destination)
    }

    /// Makes the whole tree take the place of the directory `destination`; the old one is removed afterwards.
    pub(super) fn replace(&self, destination: &Path) -> Result<()> {
        self.sync_tree()?;
        self.owned.exchange(&self.tree, destination)?;
        self.sync_parent(destination)
    }

    /// Moves one complete file to the same relative path below `destination`, replacing what is there.
    pub(super) fn move_into(&self, destination: &Existing, relative: &Path) -> Result<()> {
        let from = self.tree.join(relative);
        LIVE.while_open(|_| destination.receive(&from, relative))
            .at("cannot create", destination.path().join(relative))?;
        self.kept_set().remove(relative);
        Ok(())
    }

    /// Makes the directories above files that were moved survive power loss, if that was asked for.
    pub(super) fn sync_moved(&self, destination: &Existing, moved: &[PathBuf]) -> Result<()> {
        if !self.fsync {
            return Ok(());
        }
        let directories: BTreeSet<&Path> = moved.iter().flat_map(|path| path.ancestors().skip(1)).collect();
        directories.into_iter().try_for_each(|directory| sync_directory(&destination.path().join(directory)))
    }

    fn sync_tree(&self) -> Result<()> {
        if !self.fsync {
            return Ok(());
        }
        let kept = self.kept_set();
        let directories: BTreeSet<&Path> = kept.iter().flat_map(|path| path.ancestors().skip(1)).collect();
        directories.into_iter().try_for_each(|directory| sync_directory(&self.tree.join(directory)))
    }

    fn sync_parent(&self, destination: &Path) -> Result<()> {
        if self.fsync { sync_directory(parent_of(destination)) } else { Ok(()) }
    }
}

/// A blob of a [`Tree`] that is not complete.
struct StagedFile<'a> {
    tree: &'a Tree,
    place: Place,
    path: TempPath,
    out: BufWriter<File>,
    written: u64,
    adopted: bool,
}

impl Write for StagedFile<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.out.write(buf)?;
        self.written += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Staged for StagedFile<'_> {
    fn adopt(&mut self, file: &Path) -> Result<bool> {
        // The link needs a name of its own: the directory of the spool belongs to this process, so a name made
        // from the unique temporary one is free.
        let mut name = self.path.to_path_buf().into_os_string();
        name.push(".link");
        let link = PathBuf::from(name);
        if self.written > 0 || fs::hard_link(file, &link).is_err() {
            return Ok(false);
        }
        let link = TempPath::try_from_path(link).at("cannot link", file)?;
        // A spool is private to its writer; what is published is not.
        let mode = self.out.get_ref().metadata().at("cannot read", &self.path)?.permissions();
        fs::set_permissions(&link, mode).at("cannot change the mode of", &link)?;
        let linked = File::open(&link).at("cannot open", &link)?;
        self.written = linked.metadata().at("cannot read", &link)?.len();
        self.out = BufWriter::with_capacity(0, linked);
        self.path = link;
        self.adopted = true;
        Ok(true)
    }

    fn keep(mut self: Box<Self>, digest: &Digest, size: u64) -> Result<()> {
        let relative = (self.place)(digest)?;
        self.out.flush().at("cannot write", &self.path)?;
        check_size(self.written, size, &self.path)?;
        if self.adopted || self.tree.fsync {
            self.tree.sync_file(self.out.get_ref(), &self.path)?;
        }
        let mut kept = self.tree.kept_set();
        if kept.contains(&relative) {
            return Ok(());
        }
        self.tree.settle(self.path, &relative, &mut kept)
    }
}

/// Guards against a caller that hashed other bytes than it wrote.
pub(super) fn check_size(written: u64, expected: u64, path: &Path) -> Result<()> {
    if written == expected {
        return Ok(());
    }
    let reason = format!("{written} bytes were written for a blob of {expected}");
    Err(Error::io("cannot write", path, io::Error::new(io::ErrorKind::InvalidData, reason)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::names;
    use super::*;

    fn place(digest: &Digest) -> Result<PathBuf> {
        Ok(Path::new("blobs").join(digest.encoded()))
    }

    #[test]
    fn blobs_become_files_and_discarded_ones_vanish() {
        let dir = tempfile::tempdir().expect("a directory");
        let dest = dir.path().join("out");
        let tree = Tree::beside(&dest, true).expect("a tree");
        for text in ["a", "a", "b"] {
            let mut staged = tree.stage(place).expect("staged");
            staged.write_all(text.as_bytes()).expect("written");
            staged.keep(&Digest::sha256(text.as_bytes()), 1).expect("kept");
        }
        let mut discarded = tree.stage(place).expect("staged");
        discarded.write_all(b"c").expect("written");
        drop(discarded);
        assert_eq!(names(tree.spool()), Vec::<String>::new());
        assert_eq!(tree.kept().len(), 2);
        tree.publish(&dest).expect("published");
        drop(tree);
        assert_eq!(names(dir.path()), ["out"]);
        assert_eq!(names(&dest.join("blobs")).len(), 2);
        let mode = fs::metadata(dest.join("blobs").join(Digest::sha256(b"a").encoded())).expect("a file");
        assert_eq!(mode.permissions().mode() & 0o600, 0o600);
    }

    #[test]
    fn a_wrong_size_is_not_kept() {
        let dir = tempfile::tempdir().expect("a directory");
        let tree = Tree::inside(dir.path(), false).expect("a tree");
        let mut staged = tree.stage(place).expect("staged");
        staged.write_all(b"abc").expect("written");
        assert!(staged.keep(&Digest::sha256(b"abc"), 4).is_err());
        assert!(tree.kept().is_empty());
    }

    #[test]
    fn a_spooled_file_is_adopted_by_a_link() {
        use std::os::unix::fs::MetadataExt;
        let dir = tempfile::tempdir().expect("a directory");
        let dest = dir.path().join("out");
        let tree = Tree::beside(&dest, false).expect("a tree");
        let spooled = tree.spool().join("mine");
        fs::write(&spooled, b"abc").expect("written");
        fs::set_permissions(&spooled, Permissions::from_mode(0o600)).expect("mode");
        let mut staged = tree.stage(place).expect("staged");
        assert!(staged.adopt(&spooled).expect("adopted"));
        staged.keep(&Digest::sha256(b"abc"), 3).expect("kept");
        let kept =
            fs::metadata(tree.tree.join(place(&Digest::sha256(b"abc")).expect("a place"))).expect("kept");
        assert_eq!(kept.ino(), fs::metadata(&spooled).expect("spooled").ino());
        let plain = tree.temporary().expect("a file").0.metadata().expect("metadata").permissions();
        assert_eq!(kept.permissions(), plain);
        let mut staged = tree.stage(place).expect("staged");
        assert!(!staged.adopt(&dir.path().join("absent")).expect("no fault"));
        assert_eq!(names(tree.spool()).len(), 2, "the unlinked name of the second blob and the spooled file");
    }

    #[test]
    fn a_signal_removes_everything_and_stops_commits() {
        let dir = tempfile::tempdir().expect("a directory");
        let live = Live::new();
        let staged = dir.path().join(".restow-x");
        fs::create_dir_all(staged.join("tree/blobs")).expect("made");
        fs::write(dir.path().join(".restow-y"), b"").expect("made");
        live.lock().paths.extend([staged.clone(), dir.path().join(".restow-y")]);
        live.close();
        assert_eq!(names(dir.path()), Vec::<String>::new());
        assert!(live.while_open(|_| Ok(())).is_err());
    }

    #[test]
    fn nothing_is_overwritten_by_a_new_tree() {
        let dir = tempfile::tempdir().expect("a directory");
        let dest = dir.path().join("out");
        let tree = Tree::beside(&dest, false).expect("a tree");
        fs::create_dir(&dest).expect("made meanwhile by someone else");
        assert!(tree.publish(&dest).is_err());
        tree.put(Path::new("x"), b"new").expect("put");
        fs::write(dest.join("y"), b"old").expect("written");
        tree.replace(&dest).expect("replaced");
        drop(tree);
        assert_eq!((names(dir.path()), names(&dest)), (vec!["out".to_owned()], vec!["x".to_owned()]));
        assert!(Tree::beside(&dir.path().join("no/such"), false).is_err());
    }
}
