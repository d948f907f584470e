//! Storage in a folder, opened through its handle.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bstr::ByteSlice;
use cap_std::fs::Dir;

use super::PREFIXES;
use super::paths::blob_name;
use super::stored::{Folder, Listing, Storage, Stored, no_storage};
use crate::digest::Digest;
use crate::error::{Context as _, Result};
use crate::form::stored::{Link, Listed, Opened, Version};
use crate::limits::LINK_BYTES;

/// Opens the storage in or at a folder.
///
/// # Errors
///
/// The folder cannot be read, or holds no storage.
pub fn in_folder(place: &str, path: &Path) -> Result<Stored> {
    let dir = Dir::open_ambient_dir(path, cap_std::ambient_authority()).at("cannot open", path)?;
    let holds =
        |prefix: &&&str| ["repositories", "blobs"].iter().any(|name| dir.is_dir(format!("{prefix}{name}")));
    let base = PREFIXES.iter().find(holds).copied().ok_or_else(|| no_storage(place))?;
    Ok(Arc::new(OnDisk { dir, path: path.to_owned(), base }))
}

/// A folder that a registry serves.
struct OnDisk {
    dir: Dir,
    path: PathBuf,
    base: &'static str,
}

impl OnDisk {
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

    /// A link; `None` if it is not there any more.
    fn link(&self, root: &str, path: String) -> Result<Option<Link>> {
        let name = format!("{root}/{path}");
        let told = self.path.join(&name);
        let file = match self.dir.open(&name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.at("cannot open", &told)?,
        };
        let modified = Version::of(&file.metadata().at("cannot read", &told)?).modified;
        let mut text = Vec::new();
        file.take(LINK_BYTES).read_to_end(&mut text).at("cannot read", &told)?;
        Ok(Some(Link { path, text: text.to_str_lossy().into_owned(), modified }))
    }

    fn stat(&self, name: &str, digest: Digest) -> Result<Option<Listed>> {
        match self.dir.metadata(name) {
            Ok(meta) if meta.is_file() => Ok(Some(Listed::of(digest, Version::of(&meta)))),
            Ok(_) => Ok(None),
            // Removed meanwhile, or a push that broke off.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).at("cannot read", self.path.join(name)),
        }
    }
}

impl Storage for OnDisk {
    fn base(&self) -> &str {
        self.base
    }

    fn identity(&self) -> Result<String> {
        let whole = self.path.canonicalize().at("cannot read", &self.path)?;
        Ok(whole.to_string_lossy().into_owned())
    }

    fn has_at_root(&self, name: &str) -> Result<bool> {
        Ok(self.dir.exists(name))
    }

    fn is_there(&self) -> Result<()> {
        std::fs::metadata(&self.path).at("cannot read", &self.path)?;
        let base = self.base.trim_end_matches('/');
        match base.is_empty() {
            true => self.dir.dir_metadata(),
            false => self.dir.metadata(base),
        }
        .at("cannot read", self.path.join(base))
        .map(drop)
    }

    fn repositories(
        &self,
        wants: &mut dyn FnMut(&str) -> Result<bool>,
        each: &mut dyn FnMut(&str, Vec<Link>) -> Result<()>,
    ) -> Result<()> {
        let root = format!("{}repositories", self.base);
        let mut pending = vec![String::new()];
        while let Some(path) = pending.pop() {
            let folder = if path.is_empty() { root.clone() } else { format!("{root}/{path}") };
            let names = self.names(&folder)?;
            let has_links = names.iter().any(|(name, is_folder)| *is_folder && name.starts_with('_'));
            if !path.is_empty() && has_links && wants(&path)? {
                // One that went meanwhile is not there.
                if let Some(links) = self.links(&path)? {
                    each(&path, links)?;
                }
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

    fn links(&self, repository: &str) -> Result<Option<Vec<Link>>> {
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

    fn folders(&self) -> Result<Vec<Folder>> {
        let root = format!("{}blobs", self.base);
        let mut found = Vec::new();
        for (algorithm, _) in self.names(&root)?.into_iter().filter(|(_, is_folder)| *is_folder) {
            let names = self.names(&format!("{root}/{algorithm}"))?;
            let folder = |name| Folder { algorithm: algorithm.clone(), name };
            found.extend(names.into_iter().filter(|(_, is_folder)| *is_folder).map(|(name, _)| folder(name)));
        }
        Ok(found)
    }

    fn blobs(&self, folder: &Folder) -> Result<Listing> {
        let root = format!("{}blobs/{}/{}", self.base, folder.algorithm, folder.name);
        let mut listing = Listing::default();
        for (hex, _) in self.names(&root)?.into_iter().filter(|(_, is_folder)| *is_folder) {
            let Ok(digest) = Digest::parse(&format!("{}:{hex}", folder.algorithm)) else { continue };
            let Some(listed) = self.stat(&format!("{root}/{hex}/data"), digest)? else { continue };
            listing.add(folder, listed);
        }
        Ok(listing)
    }

    fn blob(&self, digest: &Digest) -> Result<Option<Listed>> {
        match blob_name(self.base, digest) {
            Some(name) => self.stat(&name, digest.clone()),
            None => Ok(None),
        }
    }

    fn open(&self, name: &str) -> Result<Opened> {
        let file = self.dir.open(name).at("cannot open", self.path.join(name))?;
        Ok(Opened { reader: Box::new(file.into_std()), now: None })
    }
}
