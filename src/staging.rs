//! Everything that is written before a commit, and its removal.
//!
//! What is staged has a name that starts with `.restow-`, which every reader ignores, and that nobody else gives
//! ([`fresh_name`]); it is renamed when all of it is verified. It is removed when its guard is dropped, and by [`remove_all`] when a signal ends the process; after
//! `kill -9` it stays until the next run to the same place (`sweep`).

use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::{self};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::FlockOperation;

use crate::digest::Digest;
use crate::error::{Context, Result};

/// How the name of everything staged begins.
pub const PREFIX: &str = ".restow-";

/// Digits of a name after [`PREFIX`]: of a number that no other run has drawn, and of its digest.
const DIGITS: (usize, usize) = (16, 8);

/// A new name for what is staged. Its last digits are those of a digest over the others, so that a run which finds it later
/// knows it for its own: what a person calls `.restow-notes` is not swept away.
pub fn fresh_name() -> String {
    // The keys of a hasher are as random as the system gives them.
    let random = RandomState::new().build_hasher().finish();
    let number = format!("{random:0width$x}", width = DIGITS.0);
    format!("{PREFIX}{number}{}", sum(&number))
}

/// Whether a name is one that [`fresh_name`] gave, in whatever run.
pub(crate) fn is_ours(name: &OsStr) -> bool {
    let digits = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
    let parts = digits.and_then(|digits| digits.split_at_checked(DIGITS.0));
    parts.is_some_and(|(number, rest)| rest.len() == DIGITS.1 && rest == sum(number))
}

fn sum(number: &str) -> String {
    let digest = Digest::sha256(format!("staged by restow: {number}").as_bytes());
    digest.encoded().chars().take(DIGITS.1).collect()
}

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
    /// Held so that other processes see that the path is alive (whoever opens a destination removes those that are not).
    _lock: File,
}

impl Owned {
    /// An empty directory in `parent`, mode 0755 less the umask: parts of it are published.
    pub(crate) fn directory(parent: &Path) -> Result<Owned> {
        Owned::directory_of(parent, 0o755)
    }

    /// The same for what is never published, and is nobody else's to read: mode 0700.
    pub(crate) fn private(parent: &Path) -> Result<Owned> {
        Owned::directory_of(parent, 0o700)
    }

    fn directory_of(parent: &Path, mode: u32) -> Result<Owned> {
        let path = LIVE
            .while_open(|state| {
                let made = parent.join(fresh_name());
                DirBuilder::new().mode(mode).create(&made)?;
                state.paths.insert(made.clone());
                Ok(made)
            })
            .at("cannot create a directory in", parent)?;
        let lock = File::open(&path).at("cannot open what is staged in", parent)?;
        // A filesystem without locks cannot run the removal either, so failure is harmless.
        let _ = rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive);
        Ok(Owned { path, _lock: lock })
    }

    /// An empty file in `parent`, mode 0644 less the umask, open for reading and writing.
    pub(crate) fn file(parent: &Path) -> Result<(File, Owned)> {
        let (file, path) = LIVE
            .while_open(|state| {
                let path = parent.join(fresh_name());
                let file = File::options().read(true).write(true).create_new(true).mode(0o644).open(&path)?;
                state.paths.insert(path.clone());
                Ok((file, path))
            })
            .at("cannot create a file in", parent)?;
        let lock = file.try_clone().at("cannot open what is staged in", parent)?;
        let _ = rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive);
        Ok((file, Owned { path, _lock: lock }))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Renames `from` (this path, or something below it) to `to`; with `replace` unset an existing `to` is an error.
    pub(crate) fn publish(&self, from: &Path, to: &Path, replace: bool) -> Result<()> {
        let rename = |_: &mut State| match replace {
            true => fs::rename(from, to),
            false => rename_new(from, to),
        };
        LIVE.while_open(rename).at("cannot create", to)
    }

    /// Exchanges the directory `from` with the existing directory `to` in one step where the filesystem can.
    pub(crate) fn exchange(&self, from: &Path, to: &Path) -> Result<()> {
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
pub(crate) fn sweep(directory: &Path) {
    let own = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if !is_ours(&entry.file_name()) {
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
pub(crate) fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes the entries of a directory survive power loss.
pub(crate) fn sync_directory(path: &Path) -> Result<()> {
    File::open(path).and_then(|dir| dir.sync_all()).at("cannot sync", path)
}

/// Runs `action` unless a signal has begun to remove what is staged, and keeps the removal waiting meanwhile.
pub(crate) fn while_open<T>(action: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    LIVE.while_open(|_| action())
}

/// Makes a folder within what is staged, with those above it, unless a signal has begun to remove that: it would be brought
/// back.
pub(crate) fn folder(path: &Path) -> io::Result<()> {
    while_open(|| fs::create_dir_all(path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::form::write::testing::names;

    #[test]
    fn names_are_told_from_those_that_others_give() {
        let name = fresh_name();
        assert!(is_ours(OsStr::new(&name)) && name != fresh_name(), "{name}");
        let last = if name.ends_with('0') { "1" } else { "0" };
        let altered = format!("{}{last}", &name[..name.len() - 1]);
        for other in [".restow-", ".restow-notes", ".restow-x7Yz01", "restow", &altered, &format!("{name}0")]
        {
            assert!(!is_ours(OsStr::new(other)), "{other}");
        }
    }

    #[test]
    fn what_is_not_ours_is_not_swept() {
        let dir = tempfile::tempdir().expect("a directory");
        let (ours, fresh) = (fresh_name(), fresh_name());
        for name in [".restow-notes", ".restow-abc123", &ours, &fresh] {
            fs::create_dir(dir.path().join(name)).expect("made");
            let file = File::open(dir.path().join(name)).expect("opened");
            let old = std::time::SystemTime::now() - Duration::from_secs(60);
            if name != fresh {
                file.set_modified(old).expect("aged");
            }
        }
        sweep(dir.path());
        let mut left = vec![".restow-abc123".to_owned(), ".restow-notes".to_owned(), fresh];
        left.sort();
        assert_eq!(names(dir.path()), left);
    }

    #[test]
    fn what_is_spooled_is_nobody_elses_to_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let owned = Owned::private(dir.path()).expect("made");
        let mode = fs::metadata(owned.path()).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
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
}
