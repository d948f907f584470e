//! A tree of files that is built beside its destination, or inside it, and renamed when all of it is verified.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempPath;

use super::existing::Existing;
use crate::digest::Digest;
use crate::error::{Context, Error, Result};
use crate::form::preview::Members;
use crate::form::sink::Staged;
use crate::staging::{self, Owned, parent_of, sweep, sync_directory};

/// Small writes of encoders are gathered into pieces of this size. 64 KiB: larger gains nothing measurable.
const BUFFER: usize = 64 << 10;

/// Where a blob belongs in a tree; an error if the form cannot hold such a digest.
pub(in crate::form) type Place = fn(&Digest) -> Result<PathBuf>;

/// A tree of files being built: `.restow-…/tree` is what will be published, `.restow-…/spool` what is unfinished.
pub(in crate::form) struct Tree {
    owned: Owned,
    tree: PathBuf,
    spool: PathBuf,
    /// How errors call it: what is to become of it, not where it is meanwhile.
    shown: PathBuf,
    /// Complete files, relative to `tree`.
    kept: Mutex<BTreeSet<PathBuf>>,
    fsync: bool,
}

impl Tree {
    /// A tree to be renamed to `destination` as a whole. The parent directory must exist.
    pub(in crate::form) fn beside(destination: &Path, fsync: bool) -> Result<Tree> {
        sweep(parent_of(destination));
        Tree::of(parent_of(destination), destination, fsync)
    }

    /// A tree whose files are to be moved into the directory `place` one by one.
    pub(in crate::form) fn inside(place: &Path, fsync: bool) -> Result<Tree> {
        Tree::of(place, place, fsync)
    }

    fn of(place: &Path, shown: &Path, fsync: bool) -> Result<Tree> {
        let owned = Owned::directory(place)?;
        let (tree, spool) = (owned.path().join("tree"), owned.path().join("spool"));
        // Files leave the spool by a link or a rename; until then they are nobody else's to read.
        let made = fs::create_dir(&tree).and_then(|()| fs::DirBuilder::new().mode(0o700).create(&spool));
        made.at("cannot write", shown)?;
        Ok(Tree { owned, tree, spool, shown: shown.to_owned(), kept: Mutex::default(), fsync })
    }

    /// Where streams may be spooled so that [`Staged::adopt`] is a link.
    pub(in crate::form) fn spool(&self) -> &Path {
        &self.spool
    }

    /// The directory that is to be published.
    pub(in crate::form) fn root(&self) -> &Path {
        &self.tree
    }

    /// The complete files, relative to the root of the tree, sorted.
    pub(in crate::form) fn kept(&self) -> Vec<PathBuf> {
        self.kept_set().iter().cloned().collect()
    }

    fn kept_set(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The complete file of this relative path.
    pub(in crate::form) fn complete(&self, relative: &Path) -> Option<PathBuf> {
        self.kept_set().contains(relative).then(|| self.tree.join(relative))
    }

    /// Adds to a preview what will be at a path: a file of this tree, or what the destination has there.
    pub(in crate::form) fn show(
        &self,
        existing: Option<&Existing>,
        relative: &Path,
        name: String,
        members: &mut Members,
    ) -> Result<()> {
        match (self.complete(relative), existing) {
            (Some(path), _) => members.file(name, path),
            (None, Some(existing)) => existing.show(relative, name, members),
            (None, None) => Ok(()),
        }
    }

    /// Starts a blob that `place` will give its path once the digest is known.
    pub(in crate::form) fn stage(&self, place: Place) -> Result<Box<dyn Staged + '_>> {
        let (file, path) = self.temporary()?;
        let out = BufWriter::with_capacity(BUFFER, file);
        Ok(Box::new(StagedFile { tree: self, place, path, out, written: 0, adopted: false }))
    }

    /// Writes a whole file, replacing one that is there.
    pub(in crate::form) fn put(&self, relative: &Path, bytes: &[u8]) -> Result<()> {
        let (mut file, path) = self.temporary()?;
        file.write_all(bytes).at("cannot write", &self.shown)?;
        self.sync_file(&file)?;
        self.settle(path, relative, &mut self.kept_set())
    }

    /// Gives a complete file another path within the tree.
    pub(in crate::form) fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut kept = self.kept_set();
        fs::rename(self.tree.join(from), self.tree.join(to)).at("cannot write", &self.shown)?;
        kept.remove(from);
        kept.insert(to.to_owned());
        Ok(())
    }

    fn temporary(&self) -> Result<(File, TempPath)> {
        let open =
            |path: &Path| File::options().read(true).write(true).create_new(true).mode(0o644).open(path);
        let made = tempfile::Builder::new().make_in(&self.spool, open);
        Ok(made.at("cannot write", &self.shown)?.into_parts())
    }

    fn sync_file(&self, file: &File) -> Result<()> {
        if self.fsync { file.sync_all().at("cannot sync", &self.shown) } else { Ok(()) }
    }

    fn settle(&self, from: TempPath, relative: &Path, kept: &mut BTreeSet<PathBuf>) -> Result<()> {
        let to = self.tree.join(relative);
        let made = staging::folder(parent_of(&to)).and_then(|()| from.persist(&to).map_err(|e| e.error));
        made.at("cannot write", &self.shown)?;
        kept.insert(relative.to_owned());
        Ok(())
    }

    /// Makes the whole tree appear as `destination`, which must not exist.
    pub(in crate::form) fn publish(&self, destination: &Path) -> Result<()> {
        self.sync_tree()?;
        self.owned.publish(&self.tree, destination, false)?;
        self.sync_parent(destination)
    }

    /// Makes the whole tree take the place of the directory `destination`; the old one is removed afterwards.
    pub(in crate::form) fn replace(&self, destination: &Path) -> Result<()> {
        self.sync_tree()?;
        self.owned.exchange(&self.tree, destination)?;
        self.sync_parent(destination)
    }

    /// Moves one complete file to the same relative path below `destination`, replacing what is there.
    pub(in crate::form) fn move_into(&self, destination: &Existing, relative: &Path) -> Result<()> {
        self.rename_into(relative, destination, relative)
    }

    /// Moves one complete file to another relative path below `destination`, replacing what is there.
    pub(in crate::form) fn rename_into(&self, from: &Path, destination: &Existing, to: &Path) -> Result<()> {
        let staged = self.tree.join(from);
        staging::while_open(|| destination.receive(&staged, to))
            .at("cannot create", destination.path().join(to))?;
        self.kept_set().remove(from);
        Ok(())
    }

    /// Makes the directories above files that were moved survive power loss, if that was asked for.
    pub(in crate::form) fn sync_moved(&self, destination: &Existing, moved: &[PathBuf]) -> Result<()> {
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
        let open = || {
            fs::set_permissions(&link, self.out.get_ref().metadata()?.permissions())?;
            let linked = File::open(&link)?;
            let size = linked.metadata()?.len();
            Ok((linked, size))
        };
        let (linked, size) = open().at("cannot write", &self.tree.shown)?;
        self.written = size;
        self.out = BufWriter::with_capacity(0, linked);
        self.path = link;
        self.adopted = true;
        Ok(true)
    }

    fn keep(mut self: Box<Self>, digest: &Digest, size: u64) -> Result<()> {
        let relative = (self.place)(digest)?;
        self.out.flush().at("cannot write", &self.tree.shown)?;
        check_size(self.written, size, &self.tree.shown)?;
        if self.adopted || self.tree.fsync {
            self.tree.sync_file(self.out.get_ref())?;
        }
        let mut kept = self.tree.kept_set();
        if kept.contains(&relative) {
            return Ok(());
        }
        self.tree.settle(self.path, &relative, &mut kept)
    }
}

/// Guards against a caller that hashed other bytes than it wrote.
pub(in crate::form) fn check_size(written: u64, expected: u64, path: &Path) -> Result<()> {
    if written == expected {
        return Ok(());
    }
    let reason = format!("{written} bytes were written for a blob of {expected}");
    Err(Error::io("cannot write", path, io::Error::new(io::ErrorKind::InvalidData, reason)))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

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
