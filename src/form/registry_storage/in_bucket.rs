//! Storage in a bucket: listed once, each blob asked for once, and most links not at all.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read as _;
use std::ops::{ControlFlow, Range};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::PREFIXES;
use super::known::{known, texts};
use super::paths::blob_name;
use super::stored::{Folder, Listing, Storage, Stored, no_storage};
use crate::digest::Digest;
use crate::error::{Context as _, Error, ErrorKind, Result};
use crate::form::stored::{Link, Listed, Opened, Version};
use crate::store::{Access, Address, Bucket, Object};

/// Blobs that are listed one page after the other, and kept: 20 requests, some megabytes. Of more each folder is listed by
/// itself, several at once.
const AT_ONCE: usize = 20_000;
/// Folders that are listed before they are asked for.
const AHEAD: usize = 8;

/// A storage in a bucket.
struct InBucket {
    bucket: Bucket,
    base: &'static str,
    /// Files at the root.
    root: HashSet<String>,
    listed: Mutex<Blobs>,
}

/// What was listed of the blobs.
#[derive(Default)]
struct Blobs {
    /// All of them, if they are few.
    all: Option<BTreeMap<Folder, Listing>>,
    /// The folders, in the order in which they are asked for.
    order: Vec<Folder>,
    /// Those that are being listed.
    pending: HashMap<Folder, JoinHandle<Result<Listing>>>,
}

/// Opens the storage at a place in a bucket.
///
/// # Errors
///
/// The bucket cannot be listed, or holds no storage there.
pub fn open(place: &str, address: &Address, access: &Access) -> Result<Stored> {
    let bucket = Bucket::open(address, access)?;
    let (folders, files) = bucket.folder("")?;
    let root = files.into_iter().map(|file| file.name).collect();
    for &base in PREFIXES {
        let first = base.split('/').next().unwrap_or_default();
        let holds = |folders: &[String]| folders.iter().any(|name| name == "repositories" || name == "blobs");
        let found = match base.is_empty() {
            true => holds(&folders),
            false => folders.iter().any(|name| name == first) && holds(&bucket.folder(base)?.0),
        };
        if found {
            return Ok(Arc::new(InBucket { bucket, base, root, listed: Mutex::default() }));
        }
    }
    Err(no_storage(place))
}

/// The version of an object.
fn version(object: Object) -> Version {
    Version { size: object.size, modified: object.modified, etag: object.etag }
}

/// The blob that an object is, and the folder that it stands in.
fn blob_of(below: &str, object: Object) -> Option<(Folder, Listed)> {
    let text = object.name.strip_prefix(below)?.strip_suffix("/data")?;
    let mut parts = text.split('/');
    let (algorithm, name, hex) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let digest = Digest::of_parts(algorithm, hex).ok()?;
    let folder = Folder { algorithm: algorithm.to_owned(), name: name.to_owned() };
    Some((folder, Listed::of(digest, version(object))))
}

/// What one folder holds.
fn listing(bucket: &Bucket, base: &str, folder: &Folder) -> Result<Listing> {
    let below = format!("{base}blobs/");
    let mut listing = Listing::default();
    bucket.list(&format!("{below}{}/{}", folder.algorithm, folder.name), &mut |object| {
        if let Some((of, listed)) = blob_of(&below, object) {
            listing.add(&of, listed);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(listing)
}

impl InBucket {
    fn opened(&self, name: &str, range: Option<Range<u64>>) -> Result<Opened> {
        match self.bucket.get(name, range)? {
            Some(got) => Ok(Opened { reader: got.reader, now: Some(version(got.object)) }),
            None => {
                let message = format!("{} is not there", self.bucket.address().shown(name));
                Err(Error::refused(message).of(ErrorKind::NotFound))
            }
        }
    }

    /// The links among these objects of one repository, whose names begin with `root`.
    fn resolved(&self, root: &str, objects: &[Object]) -> Result<Vec<Link>> {
        let known = known(objects);
        let texts = texts(&self.bucket, objects, known)?;
        let mut found = Vec::new();
        let mut tags: BTreeMap<&str, bool> = BTreeMap::new();
        for (object, text) in objects.iter().zip(texts) {
            let Some(path) = object.name.strip_prefix(root) else { continue };
            if !path.starts_with("_manifests/") && !path.starts_with("_layers/") {
                continue;
            }
            if let Some((tag, rest)) =
                path.strip_prefix("_manifests/tags/").and_then(|rest| rest.split_once('/'))
            {
                *tags.entry(tag).or_default() |= rest == "current/link";
            }
            let Some(text) = text else { continue };
            // Its second may not be over: what was written in it later is no older.
            let modified = object.modified.saturating_add(999_999_999);
            found.push(Link { path: path.to_owned(), text, modified });
        }
        let lost = tags.into_iter().filter(|(_, has_current)| !has_current);
        found.extend(lost.map(|(tag, _)| Link {
            path: format!("_manifests/tags/{tag}/"),
            text: String::new(),
            modified: 0,
        }));
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }
}

impl Storage for InBucket {
    fn base(&self) -> &str {
        self.base
    }

    fn identity(&self) -> Result<String> {
        Ok(self.bucket.address().to_string())
    }

    fn has_at_root(&self, name: &str) -> Result<bool> {
        Ok(self.root.contains(name))
    }

    fn is_there(&self) -> Result<()> {
        let (folders, _) = self.bucket.folder(self.base)?;
        match folders.iter().any(|name| name == "repositories" || name == "blobs") {
            true => Ok(()),
            false => {
                let message = format!("{} holds no storage any more", self.bucket.address());
                Err(Error::refused_help(message, "look whether it was moved").of(ErrorKind::Changed))
            }
        }
    }

    fn repositories(
        &self,
        wants: &mut dyn FnMut(&str) -> Result<bool>,
        each: &mut dyn FnMut(&str, Vec<Link>) -> Result<()>,
    ) -> Result<()> {
        let below = format!("{}repositories/", self.base);
        // Names that begin with a repository's and `/_` stand together.
        let mut name = String::new();
        let mut objects = Vec::new();
        let mut done = |name: &str, objects: &mut Vec<Object>| -> Result<()> {
            let objects = std::mem::take(objects);
            if name.is_empty() || objects.is_empty() || !wants(name)? {
                return Ok(());
            }
            each(name, self.resolved(&format!("{below}{name}/"), &objects)?)
        };
        self.bucket.list(&below, &mut |object| {
            let Some(rest) = object.name.strip_prefix(&below) else { return Ok(ControlFlow::Continue(())) };
            let Some(at) = rest.find("/_") else { return Ok(ControlFlow::Continue(())) };
            if rest[..at] != name {
                done(&name, &mut objects)?;
                name = rest[..at].to_owned();
            }
            objects.push(object);
            Ok(ControlFlow::Continue(()))
        })?;
        done(&name, &mut objects)
    }

    fn links(&self, repository: &str) -> Result<Option<Vec<Link>>> {
        let root = format!("{}repositories/{repository}/", self.base);
        let mut objects = Vec::new();
        for below in ["_layers", "_manifests"] {
            self.bucket.list(&format!("{root}{below}"), &mut |object| {
                objects.push(object);
                Ok(ControlFlow::Continue(()))
            })?;
        }
        match objects.is_empty() {
            true => Ok(None),
            false => self.resolved(&root, &objects).map(Some),
        }
    }

    fn folders(&self) -> Result<Vec<Folder>> {
        let below = format!("{}blobs/", self.base);
        let mut all: BTreeMap<Folder, Listing> = BTreeMap::new();
        let mut count = 0;
        self.bucket.list(&below, &mut |object| {
            count += 1;
            if let Some((folder, listed)) = blob_of(&below, object) {
                all.entry(folder.clone()).or_default().add(&folder, listed);
            }
            Ok(if count > AT_ONCE { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        let mut blobs = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        if count <= AT_ONCE {
            let folders = all.keys().cloned().collect();
            *blobs = Blobs { all: Some(all), ..Blobs::default() };
            return Ok(folders);
        }
        let mut order = Vec::new();
        for algorithm in self.bucket.folder(&below)?.0 {
            let (names, _) = self.bucket.folder(&format!("{below}{algorithm}"))?;
            order.extend(names.into_iter().map(|name| Folder { algorithm: algorithm.clone(), name }));
        }
        *blobs = Blobs { order: order.clone(), ..Blobs::default() };
        Ok(order)
    }

    fn blobs(&self, folder: &Folder) -> Result<Listing> {
        let mine = {
            let mut blobs = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(all) = &blobs.all {
                return Ok(all.get(folder).cloned().unwrap_or_default());
            }
            let at = blobs.order.iter().position(|known| known == folder).unwrap_or(blobs.order.len());
            let soon: Vec<Folder> = blobs.order.iter().skip(at).take(AHEAD).cloned().collect();
            for soon in soon {
                let (bucket, base, of) = (self.bucket.clone(), self.base, soon.clone());
                let list = move || listing(&bucket, base, &of);
                blobs.pending.entry(soon).or_insert_with(|| std::thread::spawn(list));
            }
            blobs.pending.remove(folder)
        };
        let joined = mine.map(|thread| thread.join());
        match joined {
            Some(Ok(listing)) => listing,
            // It was not asked for in its order; or its thread broke, which is tried again.
            None | Some(Err(_)) => listing(&self.bucket, self.base, folder),
        }
    }

    fn blob(&self, digest: &Digest) -> Result<Option<Listed>> {
        let Some(name) = blob_name(self.base, digest) else { return Ok(None) };
        let object = self.bucket.head(&name)?;
        Ok(object.map(|object| Listed::of(digest.clone(), version(object))))
    }

    fn open(&self, name: &str) -> Result<Opened> {
        self.opened(name, None)
    }

    fn first(&self, name: &str, bytes: usize) -> Result<(Vec<u8>, Option<Version>)> {
        let Opened { mut reader, now } = self.opened(name, Some(0..bytes as u64))?;
        let mut head = Vec::with_capacity(bytes);
        reader.read_to_end(&mut head).at("cannot read", self.bucket.address().shown(name))?;
        Ok((head, now))
    }
}
