//! Layouts looked at piece by piece: a folder that is one, or that has some in it at any depth, as zot keeps them.

use std::io;
use std::path::{Path, PathBuf};

use bstr::ByteSlice;
use cap_std::fs::Dir;

use super::piece::Said;
use super::{blob_path, digest_at};
use crate::digest::Digest;
use crate::error::{Context as _, Error, ErrorKind, Result};
use crate::form::stored::{Link, Listed, Opened, Version};
use crate::limits::Limits;
use crate::source::{MemberKind, Tree};

/// How often a layout is listed that loses files while it is.
const TRIES: u32 = 3;

/// Layouts in a folder.
pub struct Layouts {
    dir: Dir,
    path: PathBuf,
}

/// Opens a folder of layouts.
///
/// # Errors
///
/// It cannot be read.
pub fn in_folder(path: &Path) -> Result<Layouts> {
    let dir = Dir::open_ambient_dir(path, cap_std::ambient_authority()).at("cannot open", path)?;
    Ok(Layouts { dir, path: path.to_owned() })
}

/// Whether a directory is a layout, be it a damaged one.
fn is_layout(dir: &Dir, below: &Path) -> bool {
    dir.is_file(below.join("oci-layout")) || dir.is_file(below.join("index.json"))
}

/// Whether a directory may hold layouts: what a name begins with a dot or an underscore for is something else.
fn may_hold(name: &Path) -> bool {
    let name = name.file_name().map(std::ffi::OsStr::as_encoded_bytes).unwrap_or_default();
    !name.starts_with(b".") && !name.starts_with(b"_")
}

/// The name of a file below a layout, which is at a path below the folder of layouts.
fn below(layout: &str, name: &str) -> String {
    if layout.is_empty() { name.to_owned() } else { format!("{layout}/{name}") }
}

impl Layouts {
    /// Where it is, in words that are the same however it was typed.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn identity(&self) -> Result<String> {
        let whole = self.path.canonicalize().at("cannot read", &self.path)?;
        Ok(whole.to_string_lossy().into_owned())
    }

    /// Whether the folder is still there, and holds something: what is mounted no more leaves an empty one.
    ///
    /// # Errors
    ///
    /// It is not.
    pub fn is_there(&self) -> Result<()> {
        match std::fs::read_dir(&self.path).at("cannot list", &self.path)?.next() {
            Some(_) => Ok(()),
            None => {
                let message = format!("{} is empty, and held layouts before", self.path.display());
                Err(Error::refused_help(message, "look whether it was moved").of(ErrorKind::Changed))
            }
        }
    }

    /// The layouts by their paths below the folder, sorted. One may lie in the folder of another, but not among its blobs.
    ///
    /// # Errors
    ///
    /// A folder cannot be listed.
    pub fn names(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let mut pending = vec![PathBuf::new()];
        while let Some(below) = pending.pop() {
            let own = is_layout(&self.dir, &below);
            if own {
                let Some(name) = below.to_str() else {
                    let message = format!("the path of the layout {} is no UTF-8", below.display());
                    return Err(Error::refused_help(message, "rename its folder"));
                };
                found.push(name.to_owned());
            }
            for name in self.directories(&below)? {
                if may_hold(&name) && !(own && name.as_os_str() == "blobs") {
                    pending.push(below.join(name));
                }
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// The directories in one; none if it is gone.
    fn directories(&self, below: &Path) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        self.entries(below, &mut |name, kind| {
            found.extend(kind.is_dir().then(|| PathBuf::from(name)));
        })?;
        Ok(found)
    }

    fn entries(
        &self,
        below: &Path,
        each: &mut dyn FnMut(std::ffi::OsString, cap_std::fs::FileType),
    ) -> Result<()> {
        let told = self.path.join(below);
        let entries =
            if below.as_os_str().is_empty() { self.dir.entries() } else { self.dir.read_dir(below) };
        let entries = match entries {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other.at("cannot list", &told)?,
        };
        for entry in entries {
            let entry = entry.at("cannot list", &told)?;
            match entry.file_type() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                kind => each(entry.file_name(), kind.at("cannot read", &told)?),
            }
        }
        Ok(())
    }

    /// What a layout holds beside its blobs, and beside layouts in its folder, as [`Said`] is written; `None` if there is no such
    /// layout. Of a document it is known when it was changed.
    ///
    /// # Errors
    ///
    /// It cannot be listed, or a document not be read.
    pub fn layout(&self, layout: &str, limits: &Limits) -> Result<Option<Vec<Link>>> {
        for attempt in 1.. {
            if !is_layout(&self.dir, Path::new(layout)) {
                return Ok(None);
            }
            match self.members(layout, limits) {
                // What an upload leaves for a moment.
                Err(Error::Io { source, .. })
                    if source.kind() == io::ErrorKind::NotFound && attempt < TRIES => {}
                other => return other.map(Some),
            }
        }
        Ok(None)
    }

    fn members(&self, layout: &str, limits: &Limits) -> Result<Vec<Link>> {
        let path = self.path.join(layout);
        let is_another = |dir: &Dir, name: &Path| {
            let in_blobs = name.starts_with("blobs");
            !in_blobs && name.components().all(|part| may_hold(part.as_ref())) && is_layout(dir, name)
        };
        let tree = Tree::of_folder_without(&path.to_string_lossy(), &path, limits, &is_another)?;
        let mut links = Vec::new();
        for (id, member) in tree.below(b"") {
            let name = member.name();
            let own = || name.as_bytes().to_vec();
            let mut modified = 0;
            let said = match member.kind() {
                MemberKind::File if digest_at(&name).is_some() => continue,
                MemberKind::File => match matches!(name.as_bytes(), b"oci-layout" | b"index.json") {
                    true => match tree.read(id, limits.document_bytes)? {
                        Some(text) => {
                            let file = path.join(name.to_str_lossy().as_ref());
                            let meta = self.dir.metadata(below(layout, &name.to_str_lossy()));
                            modified = Version::of(&meta.at("cannot read", file)?).modified;
                            Said::Document(own(), text.to_vec())
                        }
                        None => Said::File(own(), member.size),
                    },
                    false => Said::File(own(), member.size),
                },
                MemberKind::Directory => Said::Directory(own()),
                MemberKind::Symlink(target) | MemberKind::Hardlink(target) => {
                    Said::Symlink(own(), target.to_vec())
                }
                MemberKind::Other(_) => Said::Other(own()),
            };
            let (path, text) = said.written();
            links.push(Link { path, text, modified });
        }
        Ok(links)
    }

    /// The digests of which a layout has blobs, sorted.
    ///
    /// # Errors
    ///
    /// A folder cannot be listed.
    pub fn digests(&self, layout: &str) -> Result<Vec<Digest>> {
        let blobs = PathBuf::from(below(layout, "blobs"));
        let mut found = Vec::new();
        for algorithm in self.directories(&blobs)? {
            let Some(algorithm) = algorithm.to_str().map(str::to_owned) else { continue };
            self.entries(&blobs.join(&algorithm), &mut |name, kind| {
                let digest = name.to_str().map(|encoded| Digest::of_parts(&algorithm, encoded));
                if let (Some(Ok(digest)), false) = (digest, kind.is_dir()) {
                    found.push(digest);
                }
            })?;
        }
        found.sort_unstable();
        Ok(found)
    }

    /// A blob of a layout, as it is now; `None` if it is not there.
    ///
    /// # Errors
    ///
    /// Nobody can tell.
    pub fn blob(&self, layout: &str, digest: &Digest) -> Result<Option<Listed>> {
        let name = Layouts::name(layout, digest);
        match self.dir.metadata(&name) {
            Ok(meta) if meta.is_file() => Ok(Some(Listed::of(digest.clone(), Version::of(&meta)))),
            Ok(_) => Ok(None),
            // What leads nowhere, or out of the folder, is a member and no blob.
            Err(_) if self.dir.symlink_metadata(&name).is_ok_and(|meta| meta.is_symlink()) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).at("cannot read", self.path.join(name)),
        }
    }

    /// Begins to read a blob.
    ///
    /// # Errors
    ///
    /// It is not there, or cannot be read.
    pub fn open(&self, layout: &str, digest: &Digest) -> Result<Opened> {
        let name = Layouts::name(layout, digest);
        let file = self.dir.open(&name).at("cannot open", self.path.join(&name))?;
        Ok(Opened { reader: Box::new(file.into_std()), now: None })
    }

    /// The name of a blob's file below the folder of layouts.
    pub fn name(layout: &str, digest: &Digest) -> String {
        below(layout, &blob_path(digest))
    }
}
