//! A bucket: what is in it, and the bytes of each object.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
    PutResult, UpdateVersion,
};

use super::fault::{self, Doing};
use super::{Access, Address, Scheme, block, make, wire};
use crate::error::{Context as _, Result};
use crate::http::Environment;

/// A place in a bucket, whose objects are named by what stands behind its prefix.
#[derive(Clone)]
pub struct Bucket {
    address: Address,
    store: Arc<dyn make::Store>,
}

/// An object as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its name, without the prefix of the place.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// When it was written, in nanoseconds from 1970; some stores tell seconds only, so nothing finer is told of any.
    pub modified: i64,
    /// What the store calls this version of it.
    pub etag: Option<String>,
}

impl Object {
    /// Whether the store's own word for this version proves that it holds a text: of what is put in one piece, and not
    /// encrypted by a key of the user's, the ETag is the MD5 of the bytes.
    pub fn holds(&self, text: &str) -> bool {
        let is_md5 = |etag: &String| *etag == md5(text.as_bytes());
        self.size == text.len() as u64 && self.etag.as_ref().is_some_and(is_md5)
    }
}

/// The MD5 of bytes in hexadecimal: a store's word, not a proof against who wrote them. Nobody finds another text of so few
/// bytes that has it.
pub fn md5(bytes: &[u8]) -> String {
    use md5::Digest as _;
    data_encoding::HEXLOWER.encode(&md5::Md5::digest(bytes))
}

/// An object that is being read.
pub struct Got {
    /// What it is now.
    pub object: Object,
    /// Its version, as conditions take it.
    pub written: Written,
    /// Its bytes, or those of the range that was asked for.
    pub reader: Box<dyn Read + Send>,
}

/// What must be so for an object to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum If {
    /// Nothing.
    Any,
    /// Nothing is there.
    Absent,
    /// It is this version.
    Same(Written),
}

/// An object that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// What the store calls the version, without quotes.
    pub etag: Option<String>,
    /// And by another word, which Google's takes in conditions.
    pub version: Option<String>,
}

/// An ETag without quotes: some stores have them in answers and not in lists.
fn bare(etag: String) -> String {
    match etag.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(bare) => bare.to_owned(),
        None => etag,
    }
}

/// What must be so, as a request says it.
fn condition(only: &If) -> Option<(&'static str, String)> {
    match only {
        If::Any => None,
        If::Absent => Some(("if-none-match", "*".to_owned())),
        If::Same(written) => written.etag.as_deref().map(|etag| ("if-match", quoted(etag))),
    }
}

/// The same as conditions take it.
fn quoted(etag: &str) -> String {
    if etag.starts_with("W/") { etag.to_owned() } else { format!("\"{etag}\"") }
}

impl Written {
    fn of(etag: Option<String>, version: Option<String>) -> Written {
        Written { etag: etag.map(bare), version }
    }
}

/// Bytes that are sent in one request, and of one part of what is larger.
const AT_ONCE: u64 = 64 << 20;
const PART: u64 = 16 << 20;

impl Bucket {
    /// The bucket of an address, with the credentials that the surroundings give. Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// What the surroundings say cannot be used.
    pub fn open(address: &Address, access: &Access) -> Result<Bucket> {
        Bucket::open_in(address, access, &Environment::of_process())
    }

    /// The same with these surroundings.
    ///
    /// # Errors
    ///
    /// As of [`open`](Bucket::open).
    pub fn open_in(address: &Address, access: &Access, environment: &Environment) -> Result<Bucket> {
        Ok(Bucket { address: address.clone(), store: make::store(address, access, environment)? })
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn store(&self) -> &dyn make::Store {
        &*self.store
    }

    pub(super) fn path(&self, name: &str, doing: Doing) -> Result<Path> {
        let whole = self.address.join(name);
        Path::parse(&whole).map_err(|error| fault::of(&self.address, name, doing, error.into()))
    }

    pub(super) fn object(&self, meta: ObjectMeta) -> Object {
        let name: &str = meta.location.as_ref();
        let prefix = self.address.prefix.as_str();
        let below = name.strip_prefix(prefix).map(|name| name.trim_start_matches('/'));
        Object {
            name: below.unwrap_or(name).to_owned(),
            size: meta.size,
            modified: meta.last_modified.timestamp().saturating_mul(1_000_000_000),
            etag: meta.e_tag.map(bare),
        }
    }

    /// What an object is now; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Nobody can tell.
    pub fn head(&self, name: &str) -> Result<Option<Object>> {
        Ok(self.now(name)?.map(|(object, _)| object))
    }

    /// The same, with its version as conditions take it.
    ///
    /// # Errors
    ///
    /// Nobody can tell.
    pub fn now(&self, name: &str) -> Result<Option<(Object, Written)>> {
        let path = self.path(name, Doing::Read)?;
        match block::on(self.store.head(&path))? {
            Ok(meta) => {
                let written = Written::of(meta.e_tag.clone(), meta.version.clone());
                Ok(Some((self.object(meta), written)))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(fault::of(&self.address, name, Doing::Read, error)),
        }
    }

    /// Begins to read an object, or a range of it; `None` if there is none. Where the body breaks off it is asked for again
    /// from there on, as long as it is the same version.
    ///
    /// # Errors
    ///
    /// It cannot be had.
    pub fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<Option<Got>> {
        let path = self.path(name, Doing::Read)?;
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let got = match block::on(self.store.get_opts(&path, options))? {
            Ok(got) => got,
            Err(object_store::Error::NotFound { source, .. }) if !fault::is_of_bucket(&*source) => {
                return Ok(None);
            }
            Err(error) => return Err(fault::of(&self.address, name, Doing::Read, error)),
        };
        let object = self.object(got.meta.clone());
        let written = Written::of(got.meta.e_tag.clone(), got.meta.version.clone());
        let left = got.range.end - got.range.start;
        let body = Body {
            stream: got.into_stream(),
            piece: Bytes::new(),
            left,
            address: self.address.clone(),
            name: name.to_owned(),
        };
        Ok(Some(Got { object, written, reader: Box::new(body) }))
    }

    /// Writes an object; `None` if what must be so is not.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn put(&self, name: &str, bytes: impl Into<Bytes>, only: &If) -> Result<Option<Written>> {
        let path = self.path(name, Doing::Write)?;
        let mode = match only {
            If::Any => PutMode::Overwrite,
            If::Absent => PutMode::Create,
            If::Same(Written { etag, version }) => PutMode::Update(UpdateVersion {
                e_tag: etag.as_deref().map(quoted),
                version: version.clone(),
            }),
        };
        let payload = PutPayload::from_bytes(bytes.into());
        let put = block::on(self.store.put_opts(&path, payload, PutOptions::from(mode)))?;
        self.written(name, put)
    }
}

impl Bucket {
    /// Writes a file as an object, as [`put_from`](Bucket::put_from) does.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or the object not be written.
    pub fn put_file(&self, name: &str, file: &std::path::Path, only: &If) -> Result<Option<Written>> {
        let size = std::fs::metadata(file).at("cannot read", file)?.len();
        let mut from = std::fs::File::open(file).at("cannot open", file)?;
        self.put_from(name, (&mut from, size), only)
    }

    /// Writes so many bytes as an object, in parts if they are many; `None` if what must be so is not. Of parts that is a
    /// condition of the request that joins them, where stores know one there (S3), and looked at right before it everywhere.
    ///
    /// # Errors
    ///
    /// The bytes cannot be read, or the object not be written.
    pub fn put_from(
        &self,
        name: &str,
        (from, size): (&mut dyn Read, u64),
        only: &If,
    ) -> Result<Option<Written>> {
        let mut next = |most: u64| {
            let mut bytes = Vec::with_capacity(size.min(most) as usize);
            let read = Read::take(&mut *from, most).read_to_end(&mut bytes);
            read.map(|_| bytes).at("cannot read what is written to", self.address.shown(name))
        };
        if size <= AT_ONCE {
            return self.put(name, next(AT_ONCE)?, only);
        }
        if !self.holds(name, only)? {
            return Ok(None);
        }
        let path = self.path(name, Doing::Write)?;
        let failed = |error| fault::of(&self.address, name, Doing::Write, error);
        let mut upload = block::on(self.store.put_multipart(&path))?.map_err(failed)?;
        let mut send = || -> Result<bool> {
            loop {
                match next(PART)? {
                    part if part.is_empty() => return self.holds(name, only),
                    part => block::on(upload.put_part(part.into()))?.map_err(failed)?,
                }
            }
        };
        let sent = send();
        if !matches!(sent, Ok(true)) {
            // What was sent of it is not kept.
            let _ = block::on(upload.abort());
            return sent.map(|_| None);
        }
        let joined = match self.address.scheme {
            Scheme::S3 => wire::joining(condition(only), || block::on(upload.complete()))?,
            Scheme::Gs | Scheme::Az => block::on(upload.complete())?,
        };
        let written = self.written(name, joined)?;
        if written.is_none() {
            let _ = block::on(upload.abort());
        }
        Ok(written)
    }

    /// Whether what must be so for an object to be written is so now.
    fn holds(&self, name: &str, only: &If) -> Result<bool> {
        Ok(match only {
            If::Any => true,
            If::Absent => self.head(name)?.is_none(),
            If::Same(written) => self.head(name)?.is_some_and(|now| now.etag == written.etag),
        })
    }

    /// What became of an object that was written.
    fn written(&self, name: &str, put: object_store::Result<PutResult>) -> Result<Option<Written>> {
        match put {
            Ok(put) => Ok(Some(Written::of(put.e_tag, put.version))),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                Ok(None)
            }
            Err(error) => Err(fault::of(&self.address, name, Doing::Write, error)),
        }
    }
}

/// The body of an object.
struct Body {
    stream: BoxStream<'static, object_store::Result<Bytes>>,
    piece: Bytes,
    /// Bytes that are still to come.
    left: u64,
    address: Address,
    name: String,
}

impl Read for Body {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            let failed = |error| fault::of(&self.address, &self.name, Doing::Read, error);
            self.piece = match block::on(self.stream.next()).map_err(io::Error::other)? {
                None if self.left > 0 => {
                    let error = fault::cut(&self.address, &self.name, self.left);
                    return Err(io::Error::other(error));
                }
                None => return Ok(0),
                Some(piece) => piece.map_err(|error| io::Error::other(failed(error)))?,
            };
            self.left = self.left.saturating_sub(self.piece.len() as u64);
        }
        let n = self.piece.len().min(into.len());
        into[..n].copy_from_slice(&self.piece.split_to(n));
        Ok(n)
    }
}
