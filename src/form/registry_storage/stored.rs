//! Storage looked at piece by piece: one repository, or one folder of blobs, and never all of it.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bstr::ByteSlice;
use cap_std::fs::{Dir, MetadataExt as _};

use super::PREFIXES;
use crate::digest::Digest;
use crate::error::{Context as _, Error, Result};
use crate::source::{Bytes, Wanted};

/// Bytes of a link that are read: a digest has fewer.
const LINK: u64 = 1024;
/// Bytes that are looked at to tell whether a blob is JSON.
const HEAD: usize = 512;

/// A folder that a registry serves, opened through its handle.
#[derive(Clone)]
pub struct Stored {
    dir: Arc<Dir>,
    path: PathBuf,
    base: String,
}

/// A blob as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The digest that its folder gives it.
    pub digest: Digest,
    /// Bytes of its file.
    pub size: u64,
    /// When the file was changed, in nanoseconds from 1970.
    pub modified: i64,
}

/// A folder of blobs: those whose digests begin alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Folder {
    /// Such as `sha256`.
    pub algorithm: String,
    /// The folder's name, which is the first two characters of each digest in it.
    pub name: String,
}

/// What a folder of blobs holds, sorted by digest.
#[derive(Debug, Default)]
pub struct Listing {
    /// Blobs that stand where registries look for them.
    pub blobs: Vec<Listed>,
    /// Blobs that do not.
    pub misplaced: Vec<Listed>,
}

/// A file among the links of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its path below the repository, such as `_layers/sha256/…/link`; of a tag that leads nowhere that of its folder, with a slash.
    pub path: String,
    /// What it holds; what is no text is replaced.
    pub text: String,
    /// When it was changed, in nanoseconds from 1970.
    pub modified: i64,
}

impl Stored {
    /// Finds the storage in or at a folder.
    ///
    /// # Errors
    ///
    /// The folder cannot be read, or holds no storage.
    pub fn open(place: &str, path: &Path) -> Result<Stored> {
        let dir = Dir::open_ambient_dir(path, cap_std::ambient_authority()).at("cannot open", path)?;
        let holds = |prefix: &&&str| {
            ["repositories", "blobs"].iter().any(|name| dir.is_dir(format!("{prefix}{name}")))
        };
        let Some(base) = PREFIXES.iter().find(holds).map(|base| (*base).to_owned()) else {
            let reason = "neither `docker/registry/v2/repositories` nor `docker/registry/v2/blobs` is there";
            return Err(Error::NotAnArchive { place: place.to_owned(), reason: reason.to_owned() });
        };
        Ok(Stored { dir: Arc::new(dir), path: path.to_owned(), base })
    }

    /// What stands before `repositories/` and `blobs/` in the names of members.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The folder that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a file stands at the root, which tells a mirror from a registry.
    pub fn has_at_root(&self, name: &str) -> bool {
        self.dir.exists(name)
    }

    /// Whether the storage is still there.
    ///
    /// # Errors
    ///
    /// It is not.
    pub fn is_there(&self) -> Result<()> {
        std::fs::metadata(&self.path).at("cannot read", &self.path)?;
        let base = self.base.trim_end_matches('/');
        match base.is_empty() {
            true => self.dir.dir_metadata(),
            false => self.dir.metadata(base),
        }
        .at("cannot read", self.path.join(base))
        .map(drop)
    }

    /// Names in a folder, sorted; none if there is no such folder.
    fn names(&self, below: &str) -> Result<Vec<(String, bool)>> {
        let told = self.path.join(below);
        let entries = match self.dir.read_dir(below) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.at("cannot list", &told)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.at("cannot list", &told)?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            // A folder may be elsewhere in the storage.
            let is_folder = match entry.file_type() {
                Ok(kind) if kind.is_symlink() => self.dir.is_dir(format!("{below}/{name}")),
                Ok(kind) => kind.is_dir(),
                Err(_) => continue,
            };
            names.push((name, is_folder));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Calls `each` with the name of every repository.
    ///
    /// # Errors
    ///
    /// A folder cannot be listed, or `each` fails.
    pub fn repositories(&self, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        let root = format!("{}repositories", self.base);
        let mut pending = vec![String::new()];
        while let Some(path) = pending.pop() {
            let folder = if path.is_empty() { root.clone() } else { format!("{root}/{path}") };
            let names = self.names(&folder)?;
            if !path.is_empty() && names.iter().any(|(name, is_folder)| *is_folder && name.starts_with('_')) {
                each(&path)?;
            }
            let below =
                names.into_iter().rev().filter(|(name, is_folder)| *is_folder && !name.starts_with('_'));
            let join = |(name, _): (String, bool)| match path.is_empty() {
                true => name,
                false => format!("{path}/{name}"),
            };
            pending.extend(below.map(join));
        }
        Ok(())
    }

    /// The links of a repository, in the order of their paths; `None` if there is no such repository.
    ///
    /// # Errors
    ///
    /// A folder cannot be listed, or a link cannot be read.
    pub fn links(&self, repository: &str) -> Result<Option<Vec<Link>>> {
        let root = format!("{}repositories/{repository}", self.base);
        let mut found = Vec::new();
        let mut pending = vec!["_manifests".to_owned(), "_layers".to_owned()];
        while let Some(below) = pending.pop() {
            let names = self.names(&format!("{root}/{below}"))?;
            let tag = below.strip_prefix("_manifests/tags/").filter(|tag| !tag.contains('/'));
            if tag.is_some() && self.link(&root, format!("{below}/current/link"))?.is_none() {
                found.push(Link { path: format!("{below}/"), text: String::new(), modified: 0 });
            }
            for (name, is_folder) in names {
                let path = format!("{below}/{name}");
                if is_folder {
                    pending.push(path);
                } else if name == "link" {
                    found.extend(self.link(&root, path)?);
                }
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        let is_there = !found.is_empty() || self.dir.is_dir(&root);
        Ok(is_there.then_some(found))
    }

    /// A link; `None` if it is not there any more.
    fn link(&self, root: &str, path: String) -> Result<Option<Link>> {
        let name = format!("{root}/{path}");
        let told = self.path.join(&name);
        let file = match self.dir.open(&name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.at("cannot open", &told)?,
        };
        let modified = file.metadata().at("cannot read", &told)?;
        let modified = modified.mtime().wrapping_mul(1_000_000_000).wrapping_add(modified.mtime_nsec());
        let mut text = Vec::new();
        file.take(LINK).read_to_end(&mut text).at("cannot read", &told)?;
        Ok(Some(Link { path, text: text.to_str_lossy().into_owned(), modified }))
    }

    /// The folders of blobs, sorted.
    ///
    /// # Errors
    ///
    /// They cannot be listed.
    pub fn folders(&self) -> Result<Vec<Folder>> {
        let root = format!("{}blobs", self.base);
        let mut found = Vec::new();
        for (algorithm, _) in self.names(&root)?.into_iter().filter(|(_, is_folder)| *is_folder) {
            let names = self.names(&format!("{root}/{algorithm}"))?;
            let folder = |name| Folder { algorithm: algorithm.clone(), name };
            found.extend(names.into_iter().filter(|(_, is_folder)| *is_folder).map(|(name, _)| folder(name)));
        }
        Ok(found)
    }

    /// What a folder of blobs holds.
    ///
    /// # Errors
    ///
    /// It cannot be listed.
    pub fn blobs(&self, folder: &Folder) -> Result<Listing> {
        let root = format!("{}blobs/{}/{}", self.base, folder.algorithm, folder.name);
        let mut listing = Listing::default();
        for (hex, _) in self.names(&root)?.into_iter().filter(|(_, is_folder)| *is_folder) {
            let Ok(digest) = Digest::parse(&format!("{}:{hex}", folder.algorithm)) else { continue };
            let Some(listed) = self.stat(&format!("{root}/{hex}/data"), digest)? else { continue };
            match hex.starts_with(&folder.name) {
                true => listing.blobs.push(listed),
                false => listing.misplaced.push(listed),
            }
        }
        Ok(listing)
    }

    /// The bytes of a blob that stands where registries look for it, at most so many.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn bytes(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        let name = blob_name(&self.base, digest).unwrap_or_default();
        let told = self.path.join(&name);
        let mut bytes = Vec::new();
        let file = self.dir.open(&name).at("cannot open", &told)?;
        file.take(limit).read_to_end(&mut bytes).at("cannot read", &told)?;
        Ok(bytes)
    }

    fn stat(&self, name: &str, digest: Digest) -> Result<Option<Listed>> {
        match self.dir.metadata(name) {
            Ok(meta) if meta.is_file() => {
                let modified = meta.mtime().wrapping_mul(1_000_000_000).wrapping_add(meta.mtime_nsec());
                Ok(Some(Listed { digest, size: meta.len(), modified }))
            }
            Ok(_) => Ok(None),
            // Removed meanwhile, or a push that broke off.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).at("cannot read", self.path.join(name)),
        }
    }

    /// A blob that stands where registries look for it, as it is now.
    ///
    /// # Errors
    ///
    /// Nobody can tell.
    pub fn blob(&self, digest: &Digest) -> Result<Option<Listed>> {
        match blob_name(&self.base, digest) {
            Some(name) => self.stat(&name, digest.clone()),
            None => Ok(None),
        }
    }
}

/// The name of a blob's file below a storage's root.
pub fn blob_name(base: &str, digest: &Digest) -> Option<String> {
    let hex = digest.encoded();
    Some(format!("{base}blobs/{}/{}/{hex}/data", digest.algorithm_name(), hex.get(..2)?))
}

/// Texts that came by while blobs were read, by the place of each in its list.
pub type Texts = Arc<Mutex<Vec<(u64, Vec<u8>)>>>;

/// The bytes of some blobs of a storage. What begins like a JSON document is kept as it passes.
pub struct Unit {
    stored: Stored,
    /// Bytes of a document, at most.
    limit: u64,
    texts: Texts,
}

impl Unit {
    /// Those of a storage; where its documents go, of at most so many bytes each.
    pub fn new(stored: &Stored, limit: u64, texts: &Texts) -> Unit {
        Unit { stored: stored.clone(), limit, texts: Arc::clone(texts) }
    }
}

impl Bytes for Unit {
    fn reader(&self, member: Wanted<'_>) -> Result<Box<dyn Read + Send>> {
        let name = member.name.to_path().map_err(|_| Error::refused("a name that is no path"))?;
        let told = self.stored.path.join(name);
        let mut file: File = self.stored.dir.open(name).at("cannot open", &told)?.into_std();
        let mut head = Vec::with_capacity(HEAD);
        file.by_ref().take(HEAD as u64).read_to_end(&mut head).at("cannot read", &told)?;
        let begins = head.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        if !begins || member.size > self.limit {
            return Ok(Box::new(Cursor::new(head).chain(file)));
        }
        file.take(self.limit).read_to_end(&mut head).at("cannot read", &told)?;
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        texts.push((member.key, head.clone()));
        Ok(Box::new(Cursor::new(head)))
    }
}
