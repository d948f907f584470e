//! Members that are objects in a bucket, and a tar that is one, read by ranges.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io::{self, Cursor, Read};
use std::ops::{ControlFlow, Range};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::members::{Member, MemberKind, TreeAnomaly};
use super::{Bytes, MemberName, Tree, Wanted};
use crate::error::{Context as _, Error, ErrorKind, Result};
use crate::limits::Limits;
use crate::store::{Bucket, Got, Object};
use crate::tar;

/// Objects up to this size are kept once they were read: documents are read when a place is opened, and again when it is judged.
const KEPT: u64 = 256 << 10;
/// Bytes of them that are kept, the newest.
const KEPT_IN_ALL: usize = 32 << 20;

/// Texts of objects that are known without asking, by their places in the list.
pub type KnownTexts = HashMap<usize, String>;

/// The objects of a place.
struct Objects {
    bucket: Bucket,
    /// What each was when it was listed.
    listed: Vec<Object>,
    known: KnownTexts,
    kept: Mutex<Kept>,
    changed: Arc<OnceLock<PathBuf>>,
}

/// Small objects that were read.
#[derive(Default)]
struct Kept {
    bytes: HashMap<u64, Arc<[u8]>>,
    order: VecDeque<u64>,
    total: usize,
}

impl Kept {
    fn add(&mut self, key: u64, bytes: &Arc<[u8]>) {
        if self.bytes.insert(key, Arc::clone(bytes)).is_some() {
            return;
        }
        self.order.push_back(key);
        self.total += bytes.len();
        while self.total > KEPT_IN_ALL {
            let Some(oldest) = self.order.pop_front() else { break };
            self.total -= self.bytes.remove(&oldest).map_or(0, |bytes| bytes.len());
        }
    }
}

impl Objects {
    fn listed(&self, member: Wanted<'_>) -> Result<&Object> {
        let place = usize::try_from(member.key).ok().and_then(|at| self.listed.get(at));
        place.ok_or_else(|| Error::refused(format!("{} is no object", member.name)))
    }

    /// Begins to read an object, which must be what was listed.
    fn got(&self, member: Wanted<'_>, range: Option<Range<u64>>) -> Result<Got> {
        let listed = self.listed(member)?;
        let got = self.bucket.get(&listed.name, range)?;
        same(&self.bucket, listed, got, &self.changed)
    }
}

/// What was got, if it is the version that was listed.
fn same(bucket: &Bucket, listed: &Object, got: Option<Got>, changed: &OnceLock<PathBuf>) -> Result<Got> {
    let shown = || PathBuf::from(bucket.address().shown(&listed.name));
    match got {
        Some(got) => {
            let version = |object: &Object| match &object.etag {
                Some(etag) => (object.size, Some(etag.clone()), 0),
                None => (object.size, None, object.modified),
            };
            if version(&got.object) != version(listed) {
                let _ = changed.set(shown());
            }
            Ok(got)
        }
        None => {
            let _ = changed.set(shown());
            Err(Error::SourceChanged { path: shown() })
        }
    }
}

impl Bytes for Objects {
    fn reader(&self, member: Wanted<'_>) -> Result<Box<dyn Read + Send>> {
        if let Some(text) = usize::try_from(member.key).ok().and_then(|at| self.known.get(&at)) {
            return Ok(Box::new(Cursor::new(text.clone().into_bytes())));
        }
        if member.size > KEPT {
            return Ok(self.got(member, None)?.reader);
        }
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).bytes.get(&member.key).cloned();
        let bytes = match kept {
            Some(bytes) => bytes,
            None => {
                let mut bytes = Vec::new();
                let got = self.got(member, None)?;
                let shown = self.bucket.address().shown(&self.listed(member)?.name);
                got.reader
                    .take(member.size.saturating_add(1))
                    .read_to_end(&mut bytes)
                    .at("cannot read", shown)?;
                let bytes: Arc<[u8]> = bytes.into();
                self.kept.lock().unwrap_or_else(PoisonError::into_inner).add(member.key, &bytes);
                bytes
            }
        };
        Ok(Box::new(Cursor::new(bytes)))
    }

    fn reader_from(&self, member: Wanted<'_>, from: u64) -> Result<Box<dyn Read + Send>> {
        match from {
            0 => self.reader(member),
            from if from >= member.size => Ok(Box::new(io::empty())),
            from => Ok(self.got(member, Some(from..member.size))?.reader),
        }
    }

    fn head(&self, member: Wanted<'_>, n: usize) -> Result<Option<Vec<u8>>> {
        if member.size <= KEPT || self.known.contains_key(&(member.key as usize)) {
            return Ok(None);
        }
        let got = self.got(member, Some(0..member.size.min(n as u64)))?;
        let mut bytes = Vec::with_capacity(n);
        let mut reader = got.reader.take(n as u64);
        reader.read_to_end(&mut bytes).at("cannot read", member.name.to_string())?;
        Ok(Some(bytes))
    }

    fn version(&self, member: Wanted<'_>) -> Option<String> {
        self.listed(member).ok()?.etag.clone()
    }

    fn unchanged(&self) -> Result<()> {
        self.changed.get().map_or(Ok(()), |path| Err(Error::SourceChanged { path: path.clone() }))
    }
}

impl Tree {
    /// Lists a place in a bucket, as a folder is. `known` says what the content of objects is where that needs no asking.
    ///
    /// # Errors
    ///
    /// The bucket cannot be listed, or nothing is at the place.
    pub fn of_bucket(
        place: &str,
        bucket: &Bucket,
        known: &dyn Fn(&[Object]) -> KnownTexts,
        limits: &Limits,
    ) -> Result<Tree> {
        let mut listed = Vec::new();
        let mut anomalies = Vec::new();
        bucket.list("", &mut |object| {
            if listed.len() as u64 >= limits.members {
                anomalies.push(TreeAnomaly::TooManyMembers { limit: limits.members });
                return Ok(ControlFlow::Break(()));
            }
            listed.push(object);
            Ok(ControlFlow::Continue(()))
        })?;
        if listed.is_empty() {
            let address = bucket.address();
            let message = format!("{address}: nothing is there");
            let help = format!("check the name; {} itself was found", address.bucket());
            return Err(Error::refused_help(message, help).of(ErrorKind::NotFound));
        }
        let mut folders = BTreeSet::new();
        for object in &listed {
            let above = object.name.match_indices('/').map(|(at, _)| &object.name[..at]);
            folders.extend(above);
        }
        // What consoles put for a folder is none of its files.
        let is_file = |object: &&Object| object.size > 0 || !folders.contains(object.name.as_str());
        let mut members: Vec<Member> = Vec::new();
        for (object, key) in listed.iter().zip(0..).filter(|(object, _)| is_file(object)) {
            members.push(Member::listed(MemberName::from(object.name.as_str()), object.size, key));
        }
        let folder = |name: &&str| Member::at_path(MemberName::from(*name), MemberKind::Directory, None);
        members.extend(folders.iter().map(folder));
        members.sort_by(|a, b| a.name.cmp(&b.name));
        let known = known(&listed);
        let bytes = Objects {
            bucket: bucket.clone(),
            listed,
            known,
            kept: Mutex::default(),
            changed: Arc::default(),
        };
        let mut tree = Tree::listed(place, members, anomalies, Box::new(bytes));
        tree.container = super::Container::Bucket;
        Ok(tree)
    }

    /// Indexes a plain tar that is an object, by ranges.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn of_object(place: &str, tar: Remote, limits: &Limits) -> Result<Tree> {
        let mut members = Vec::new();
        let mut anomalies = Vec::new();
        let scan = tar::Limits { extension_bytes: limits.extension_bytes };
        let found = tar::index(&tar, tar.object.size, scan, &mut |entry| {
            if members.len() as u64 >= limits.members {
                anomalies.push(TreeAnomaly::TooManyMembers { limit: limits.members });
                return ControlFlow::Break(());
            }
            members.extend(Member::of_entry(entry));
            ControlFlow::Continue(())
        })
        .at("cannot read", place)?;
        anomalies.extend(found.into_iter().map(TreeAnomaly::Tar));
        Ok(Tree::new(place, members, anomalies, Box::new(tar)))
    }
}

/// One object that holds all members, each at its offset.
pub struct Remote {
    bucket: Bucket,
    object: Object,
    changed: OnceLock<PathBuf>,
}

impl Remote {
    /// The object at the place of a bucket.
    ///
    /// # Errors
    ///
    /// There is none, or nobody can tell.
    pub fn open(bucket: &Bucket) -> Result<Remote> {
        let address = bucket.address();
        let object = match address.prefix.is_empty() {
            true => None,
            false => bucket.head("")?,
        };
        let Some(object) = object else {
            let message = format!("{address}: there is no such object");
            let help = "an archive is one object; registry-storage: and oci: take what stands below a name";
            return Err(Error::refused_help(message, help).of(ErrorKind::NotFound));
        };
        Ok(Remote {
            bucket: bucket.clone(),
            object: Object { name: String::new(), ..object },
            changed: OnceLock::new(),
        })
    }

    /// All of it, as a stream.
    ///
    /// # Errors
    ///
    /// It cannot be had.
    pub fn stream(&self) -> Result<Box<dyn Read + Send>> {
        let got = self.bucket.get("", None)?;
        Ok(same(&self.bucket, &self.object, got, &self.changed)?.reader)
    }

    /// Its first bytes, at most so many.
    ///
    /// # Errors
    ///
    /// They cannot be had.
    pub fn first(&self, n: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.range(0, n)?.read_to_end(&mut bytes).at("cannot read", self.bucket.address().to_string())?;
        Ok(bytes)
    }

    fn range(&self, from: u64, until: u64) -> Result<Box<dyn Read + Send>> {
        let until = until.min(self.object.size);
        if from >= until {
            return Ok(Box::new(io::empty()));
        }
        let got = self.bucket.get("", Some(from..until))?;
        Ok(same(&self.bucket, &self.object, got, &self.changed)?.reader)
    }
}

impl tar::ReadAt for Remote {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut reader =
            self.range(offset, offset.saturating_add(into.len() as u64)).map_err(io::Error::other)?;
        let mut filled = 0;
        while filled < into.len() {
            match reader.read(&mut into[filled..])? {
                0 => break,
                n => filled += n,
            }
        }
        Ok(filled)
    }
}

impl Bytes for Remote {
    fn reader(&self, member: Wanted<'_>) -> Result<Box<dyn Read + Send>> {
        self.reader_from(member, 0)
    }

    fn reader_from(&self, member: Wanted<'_>, from: u64) -> Result<Box<dyn Read + Send>> {
        self.range(member.key.saturating_add(from), member.key.saturating_add(member.size))
    }

    fn head(&self, member: Wanted<'_>, n: usize) -> Result<Option<Vec<u8>>> {
        let until = member.key.saturating_add(member.size.min(n as u64));
        let mut bytes = Vec::with_capacity(n);
        self.range(member.key, until)?.read_to_end(&mut bytes).at("cannot read", member.name.to_string())?;
        Ok(Some(bytes))
    }

    fn unchanged(&self) -> Result<()> {
        self.changed.get().map_or(Ok(()), |path| Err(Error::SourceChanged { path: path.clone() }))
    }
}
