//! The state of a scrub: an embedded database whose commits are whole or not there, whatever kills the process
//! (docs/scrub.md#state).
//!
//! Long because every table of the state is read and written here, and by nobody else.

mod sums;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, ReadableTableMetadata, StorageError,
    TableDefinition,
};

use super::key::{digest, key, layout_of};
use super::row::{Entry, Links, Meta, Row, SCHEME};
use crate::codec::{pack, unpack};
use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Access, Address};

/// What the state says of itself, under `meta`.
const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
/// Rows by digest.
const BLOBS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("blobs");
/// Texts of documents by digest, compressed by zstd.
const TEXTS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("texts");
/// Links by the name of their repository, compressed by zstd.
const REPOSITORIES: TableDefinition<&str, &[u8]> = TableDefinition::new("repositories");
/// Blobs in folders where no registry looks, by the name of their file.
const MISPLACED: TableDefinition<&str, &[u8]> = TableDefinition::new("misplaced");

/// What it takes to lay layers on others, by digest and number: blocks of a trail, compressed by zstd.
const PATHS: TableDefinition<(&[u8], u32), &[u8]> = TableDefinition::new("paths");

/// What a registry tells of its blobs, by digest.
const LISTED: TableDefinition<&[u8], &[u8]> = TableDefinition::new("listed");

/// Bytes of the database that are kept in memory.
const CACHE: usize = 16 << 20;
/// Bytes of a text or of the links of one repository, at most: beyond what any document may have.
const LARGEST: usize = 256 << 20;

/// The state of a scrub.
#[derive(Clone)]
pub struct State {
    db: Arc<Database>,
    path: PathBuf,
    /// The bucket that it is kept in.
    #[cfg(feature = "cloud")]
    keep: super::afar::Keep,
    /// Removes a temporary one at the end.
    _temporary: Option<Arc<tempfile::TempDir>>,
}

/// Rows to be written together.
#[derive(Debug, Default)]
pub struct Batch {
    /// Blobs; `None` removes one.
    pub blobs: Vec<(Digest, Option<Row>)>,
    /// Texts of documents.
    pub texts: Vec<(Digest, Vec<u8>)>,
    /// Blocks of paths of layers, compressed, in the order of each.
    pub paths: Vec<(Digest, Vec<Vec<u8>>)>,
    /// Repositories; `None` removes one.
    pub repositories: Vec<(String, Option<Links>)>,
    /// Blobs where no registry looks; `None` removes one.
    pub misplaced: Vec<(String, Option<Row>)>,
    /// Blobs of layouts by their keys ([`key_in`](super::key::key_in)); `None` removes one.
    pub keyed: Vec<(Vec<u8>, Option<Row>)>,
    /// What a registry tells of blobs.
    pub listed: Vec<(Digest, Entry)>,
    /// What the state says of itself from then on.
    pub meta: Option<Meta>,
}

impl Batch {
    /// Rows in it.
    pub fn len(&self) -> usize {
        self.blobs.len()
            + self.keyed.len()
            + self.repositories.len()
            + self.misplaced.len()
            + self.listed.len()
    }

    /// Bytes of its texts and paths, which are more than its rows.
    pub fn bytes(&self) -> usize {
        let paths = self.paths.iter().flat_map(|(_, blocks)| blocks.iter().map(Vec::len));
        self.texts.iter().map(|(_, text)| text.len()).chain(paths).sum()
    }

    /// Takes the rows of another one, too.
    pub fn extend(&mut self, more: Batch) {
        self.blobs.extend(more.blobs);
        self.texts.extend(more.texts);
        self.paths.extend(more.paths);
        self.repositories.extend(more.repositories);
        self.misplaced.extend(more.misplaced);
        self.keyed.extend(more.keyed);
        self.listed.extend(more.listed);
        self.meta = more.meta.or(self.meta.take());
    }
}

impl State {
    /// Opens a state, or makes one; `None` if it is new.
    ///
    /// # Errors
    ///
    /// It is no state, another process has it, or it cannot be read or written.
    pub fn open(path: &Path, access: &Access) -> Result<(State, Option<Meta>)> {
        match Address::parse(&path.to_string_lossy())? {
            Some(address) => State::afar(&address, path, access),
            None => State::here(path),
        }
    }

    /// One that is a file.
    fn here(path: &Path) -> Result<(State, Option<Meta>)> {
        let fresh = !std::fs::metadata(path).is_ok_and(|meta| meta.len() > 0);
        let db =
            redb::Builder::new().set_cache_size(CACHE).create(path).map_err(|error| opening(path, error))?;
        let state = State {
            db: Arc::new(db),
            path: path.to_owned(),
            #[cfg(feature = "cloud")]
            keep: super::afar::Keep::default(),
            _temporary: None,
        };
        if fresh {
            return Ok((state, None));
        }
        let meta = state.meta()?;
        Ok((state, meta))
    }

    /// One that is kept in a bucket.
    #[cfg(feature = "cloud")]
    fn afar(address: &Address, path: &Path, access: &Access) -> Result<(State, Option<Meta>)> {
        let keep = super::afar::Keep::fetch(address, access)?;
        let (state, meta) = State::here(&keep.path())?;
        Ok((State { keep, path: path.to_owned(), ..state }, meta))
    }

    /// Without the feature no bucket is opened.
    #[cfg(not(feature = "cloud"))]
    fn afar(address: &Address, _: &Path, _: &Access) -> Result<(State, Option<Meta>)> {
        Err(crate::store::absent(address))
    }

    /// The bucket that it is kept in, if it is in one.
    #[cfg(feature = "cloud")]
    pub fn keep(&self) -> &super::afar::Keep {
        &self.keep
    }

    /// Opens a state that must be there, and is not written.
    ///
    /// # Errors
    ///
    /// As of [`open`](State::open); or there is none.
    pub fn existing(path: &Path, access: &Access) -> Result<(State, Meta)> {
        if !path.is_file() && !Address::begins(&path.to_string_lossy()) {
            let message = format!("there is no state {}", path.display());
            let help = "restow scrub --state FILE PLACE makes one";
            return Err(Error::refused_help(message, help).of(ErrorKind::NotFound));
        }
        match State::open(path, access)? {
            (state, Some(meta)) => Ok((state, meta)),
            (_, None) => Err(nothing(path)),
        }
    }

    /// One that is gone at the end.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub fn temporary(directory: Option<&Path>) -> Result<State> {
        let directory = directory.map_or_else(std::env::temp_dir, Path::to_owned);
        let made = tempfile::Builder::new().prefix(".restow-").tempdir_in(&directory);
        let made = made.map_err(|error| Error::io("cannot make a folder in", &directory, error))?;
        let (state, _) = State::here(&made.path().join("state"))?;
        Ok(State { _temporary: Some(Arc::new(made)), ..state })
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn failed(&self, error: impl Into<redb::Error>) -> Error {
        failed(&self.path, error.into())
    }

    fn meta(&self) -> Result<Option<Meta>> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let table = match read.open_table(META) {
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
            other => other.map_err(|error| self.failed(error))?,
        };
        let Some(value) = table.get("meta").map_err(|error| self.failed(error))? else { return Ok(None) };
        #[derive(serde::Deserialize)]
        struct Scheme {
            scheme: u32,
        }
        let text = value.value();
        let Ok(Scheme { scheme }) = serde_json::from_slice(text) else { return Err(nothing(&self.path)) };
        if scheme != SCHEME {
            let message = format!(
                "{} is a state of scheme {scheme}, and this restow writes scheme {SCHEME}",
                self.path.display()
            );
            return Err(Error::refused_help(message, "begin a new one, or use the restow that wrote it"));
        }
        serde_json::from_slice(text).map(Some).map_err(|_| nothing(&self.path))
    }

    /// Writes rows, all of them or none.
    ///
    /// # Errors
    ///
    /// The disk is full, or fails.
    pub fn write(&self, batch: &Batch) -> Result<()> {
        #[cfg(feature = "cloud")]
        let _whole = self.keep.gate();
        self.try_write(batch).map_err(|error| self.failed(error))
    }

    fn try_write(&self, batch: &Batch) -> std::result::Result<(), redb::Error> {
        let write = self.db.begin_write()?;
        {
            let mut blobs = write.open_table(BLOBS)?;
            for (digest, row) in &batch.blobs {
                match row {
                    Some(row) => drop(blobs.insert(&key(digest)[..], &json(row)[..])?),
                    None => drop(blobs.remove(&key(digest)[..])?),
                }
            }
            for (key, row) in &batch.keyed {
                match row {
                    Some(row) => drop(blobs.insert(&key[..], &json(row)[..])?),
                    None => drop(blobs.remove(&key[..])?),
                }
            }
            let mut texts = write.open_table(TEXTS)?;
            for (digest, text) in &batch.texts {
                texts.insert(&key(digest)[..], &pack(text)[..])?;
            }
            for (digest, row) in &batch.blobs {
                if row.as_ref().is_none_or(|row| row.read.as_ref().is_some_and(|read| !read.text)) {
                    texts.remove(&key(digest)[..])?;
                }
            }
            let mut paths = write.open_table(PATHS)?;
            for (digest, _) in &batch.blobs {
                let key = key(digest);
                for block in 0.. {
                    if paths.remove((&key[..], block))?.is_none() {
                        break;
                    }
                }
            }
            for (digest, blocks) in &batch.paths {
                for (block, i) in blocks.iter().zip(0..) {
                    paths.insert((&key(digest)[..], i), &block[..])?;
                }
            }
            let mut repositories = write.open_table(REPOSITORIES)?;
            for (name, links) in &batch.repositories {
                match links {
                    Some(links) => drop(repositories.insert(&name[..], &pack(&json(links))[..])?),
                    None => drop(repositories.remove(&name[..])?),
                }
            }
            let mut misplaced = write.open_table(MISPLACED)?;
            for (name, row) in &batch.misplaced {
                match row {
                    Some(row) => drop(misplaced.insert(&name[..], &json(row)[..])?),
                    None => drop(misplaced.remove(&name[..])?),
                }
            }
            if !batch.listed.is_empty() {
                let mut listed = write.open_table(LISTED)?;
                for (digest, entry) in &batch.listed {
                    let key = key(digest);
                    let known = listed.get(&key[..])?.and_then(|value| Entry::of(value.value()));
                    listed.insert(&key[..], &json(&entry.beside(known))[..])?;
                }
            }
            let mut meta = write.open_table(META)?;
            if let Some(now) = &batch.meta {
                meta.insert("meta", &json(now)[..])?;
            }
        }
        write.commit()?;
        Ok(())
    }

    /// What is known of a blob.
    ///
    /// # Errors
    ///
    /// The state cannot be read.
    pub fn blob(&self, digest: &Digest) -> Result<Option<Row>> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let table = read.open_table(BLOBS).map_err(|error| self.failed(error))?;
        let value = table.get(&key(digest)[..]).map_err(|error| self.failed(error))?;
        value.map(|value| self.row(value.value())).transpose()
    }

    /// What is known of a blob in a layout, by its key.
    ///
    /// # Errors
    ///
    /// As of [`blob`](State::blob).
    pub fn keyed(&self, key: &[u8]) -> Result<Option<Row>> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let table = read.open_table(BLOBS).map_err(|error| self.failed(error))?;
        let value = table.get(key).map_err(|error| self.failed(error))?;
        value.map(|value| self.row(value.value())).transpose()
    }

    /// The digests and keys of the blobs of a layout.
    ///
    /// # Errors
    ///
    /// As of [`blobs`](State::blobs).
    pub fn of_layout(&self, layout: &str, each: &mut dyn FnMut(&str, &[u8]) -> Result<()>) -> Result<()> {
        self.keys(&[&[2], layout.as_bytes(), &[0]].concat(), &mut |key| match layout_of(key) {
            Some((_, digest)) => each(digest, key),
            None => Ok(()),
        })
    }

    /// The paths of layouts and the keys of their blobs.
    ///
    /// # Errors
    ///
    /// As of [`blobs`](State::blobs).
    pub fn of_layouts(&self, each: &mut dyn FnMut(&str, &[u8]) -> Result<()>) -> Result<()> {
        self.keys(&[2], &mut |key| match layout_of(key) {
            Some((layout, _)) => each(layout, key),
            None => Ok(()),
        })
    }

    /// Every key of a blob that begins like this.
    fn keys(&self, from: &[u8], each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let table = read.open_table(BLOBS).map_err(|error| self.failed(error))?;
        for item in table.range(from..).map_err(|error| self.failed(error))? {
            let (key, _) = item.map_err(|error| self.failed(error))?;
            if !key.value().starts_with(from) {
                break;
            }
            each(key.value())?;
        }
        Ok(())
    }

    /// What the last run over a registry was told of a blob.
    ///
    /// # Errors
    ///
    /// As of [`blob`](State::blob).
    pub fn listed(&self, digest: &Digest) -> Result<Option<Entry>> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let table = match read.open_table(LISTED) {
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
            other => other.map_err(|error| self.failed(error))?,
        };
        let value = table.get(&key(digest)[..]).map_err(|error| self.failed(error))?;
        Ok(value.and_then(|value| Entry::of(value.value())))
    }

    /// What runs over a registry were told of blobs whose keys begin like this.
    ///
    /// # Errors
    ///
    /// As of [`blobs`](State::blobs).
    pub fn all_listed(&self, from: &[u8], each: &mut dyn FnMut(Digest, Entry) -> Result<()>) -> Result<()> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let table = match read.open_table(LISTED) {
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(()),
            other => other.map_err(|error| self.failed(error))?,
        };
        for item in table.range(from..).map_err(|error| self.failed(error))? {
            let (key, value) = item.map_err(|error| self.failed(error))?;
            if !key.value().starts_with(from) {
                break;
            }
            if let (Some(digest), Some(entry)) = (digest(key.value()), Entry::of(value.value())) {
                each(digest, entry)?;
            }
        }
        Ok(())
    }

    /// The text of a document, if it is kept.
    ///
    /// # Errors
    ///
    /// As of [`blob`](State::blob).
    pub fn text(&self, digest: &Digest) -> Result<Option<Vec<u8>>> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let table = read.open_table(TEXTS).map_err(|error| self.failed(error))?;
        let value = table.get(&key(digest)[..]).map_err(|error| self.failed(error))?;
        value.map(|value| unpack(value.value(), LARGEST).map_err(|_| nothing(&self.path))).transpose()
    }

    /// A block of the paths of a layer, if it is kept.
    ///
    /// # Errors
    ///
    /// As of [`blob`](State::blob).
    pub fn paths(&self, digest: &Digest, block: u32) -> Result<Option<Vec<u8>>> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let table = read.open_table(PATHS).map_err(|error| self.failed(error))?;
        let value = table.get((&key(digest)[..], block)).map_err(|error| self.failed(error))?;
        value.map(|value| unpack(value.value(), LARGEST).map_err(|_| nothing(&self.path))).transpose()
    }

    /// The links of a repository.
    ///
    /// # Errors
    ///
    /// As of [`blob`](State::blob).
    pub fn links(&self, name: &str) -> Result<Option<Links>> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let table = read.open_table(REPOSITORIES).map_err(|error| self.failed(error))?;
        let value = table.get(name).map_err(|error| self.failed(error))?;
        value.map(|value| self.links_of(value.value())).transpose()
    }

    fn row(&self, value: &[u8]) -> Result<Row> {
        serde_json::from_slice(value).map_err(|_| nothing(&self.path))
    }

    fn links_of(&self, value: &[u8]) -> Result<Links> {
        let text = unpack(value, LARGEST).map_err(|_| nothing(&self.path))?;
        serde_json::from_slice(&text).map_err(|_| nothing(&self.path))
    }

    /// The rows of blobs whose digests begin like this, in the order of their digests; all, if it is empty.
    ///
    /// # Errors
    ///
    /// The state cannot be read, or `each` fails.
    pub fn blobs(&self, from: &[u8], each: &mut dyn FnMut(Digest, Row) -> Result<()>) -> Result<()> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let table = read.open_table(BLOBS).map_err(|error| self.failed(error))?;
        for item in table.range(from..).map_err(|error| self.failed(error))? {
            let (key, value) = item.map_err(|error| self.failed(error))?;
            if !key.value().starts_with(from) {
                break;
            }
            if let Some(digest) = digest(key.value()) {
                each(digest, self.row(value.value())?)?;
            }
        }
        Ok(())
    }

    /// The digests of blobs between those that begin like `after` and those that begin like `until`.
    ///
    /// # Errors
    ///
    /// As of [`blobs`](State::blobs).
    pub fn between(
        &self,
        after: &[u8],
        until: &[u8],
        each: &mut dyn FnMut(Digest) -> Result<()>,
    ) -> Result<()> {
        // What follows the last key that begins like this.
        let mut from = after.to_vec();
        while let Some(last) = from.pop() {
            if let Some(next) = last.checked_add(1) {
                from.push(next);
                break;
            }
        }
        if &from[..] >= until {
            return Ok(());
        }
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let table = read.open_table(BLOBS).map_err(|error| self.failed(error))?;
        for item in table.range(&from[..]..until).map_err(|error| self.failed(error))? {
            let (key, _) = item.map_err(|error| self.failed(error))?;
            digest(key.value()).map(&mut *each).transpose()?;
        }
        Ok(())
    }

    /// Every text as it is kept, compressed.
    ///
    /// # Errors
    ///
    /// As of [`blobs`](State::blobs).
    pub fn texts(&self, each: &mut dyn FnMut(Digest, &[u8]) -> Result<()>) -> Result<()> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let table = read.open_table(TEXTS).map_err(|error| self.failed(error))?;
        for item in table.iter().map_err(|error| self.failed(error))? {
            let (key, value) = item.map_err(|error| self.failed(error))?;
            if let Some(digest) = digest(key.value()) {
                each(digest, value.value())?;
            }
        }
        Ok(())
    }

    /// Every repository, in the order of names.
    ///
    /// # Errors
    ///
    /// As of [`blobs`](State::blobs).
    pub fn repositories(&self, each: &mut dyn FnMut(&str, Links) -> Result<()>) -> Result<()> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let table = read.open_table(REPOSITORIES).map_err(|error| self.failed(error))?;
        for item in table.iter().map_err(|error| self.failed(error))? {
            let (name, value) = item.map_err(|error| self.failed(error))?;
            each(name.value(), self.links_of(value.value())?)?;
        }
        Ok(())
    }

    /// The names of all repositories, in their order.
    ///
    /// # Errors
    ///
    /// The state cannot be read.
    pub fn names(&self, each: &mut dyn FnMut(&str)) -> Result<()> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let table = read.open_table(REPOSITORIES).map_err(|error| self.failed(error))?;
        for item in table.iter().map_err(|error| self.failed(error))? {
            let (name, _) = item.map_err(|error| self.failed(error))?;
            each(name.value());
        }
        Ok(())
    }

    /// Every blob in a folder where no registry looks, in the order of names.
    ///
    /// # Errors
    ///
    /// As of [`blobs`](State::blobs).
    pub fn misplaced(&self, each: &mut dyn FnMut(&str, Row) -> Result<()>) -> Result<()> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let table = read.open_table(MISPLACED).map_err(|error| self.failed(error))?;
        for item in table.iter().map_err(|error| self.failed(error))? {
            let (name, value) = item.map_err(|error| self.failed(error))?;
            each(name.value(), self.row(value.value())?)?;
        }
        Ok(())
    }

    /// How many blobs and repositories it knows.
    ///
    /// # Errors
    ///
    /// The state cannot be read.
    pub fn counts(&self) -> Result<(u64, u64)> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let blobs = read.open_table(BLOBS).map_err(|error| self.failed(error))?;
        let repositories = read.open_table(REPOSITORIES).map_err(|error| self.failed(error))?;
        let count = |count: std::result::Result<u64, StorageError>| count.map_err(|error| self.failed(error));
        Ok((count(blobs.len())?, count(repositories.len())?))
    }
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    // No type here can refuse to be serialised.
    serde_json::to_vec(value).unwrap_or_default()
}

fn nothing(path: &Path) -> Error {
    let message = format!("{} is no state of a scrub, or is damaged", path.display());
    Error::refused_help(message, "begin a new one with another --state FILE")
}

fn opening(path: &Path, error: DatabaseError) -> Error {
    match error {
        DatabaseError::DatabaseAlreadyOpen => {
            let message = format!("another scrub is at work on {}", path.display());
            Error::refused_help(message, "wait for it, or give this one a --state of its own")
        }
        error => failed(path, error.into()),
    }
}

fn failed(path: &Path, error: redb::Error) -> Error {
    match error {
        redb::Error::Io(source) if source.kind() != io::ErrorKind::InvalidData => {
            // A file that ends too early is no fault of the disk.
            match source.kind() {
                io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput => nothing(path),
                _ => Error::io("cannot read or write the state", path, source),
            }
        }
        redb::Error::PreviousIo => {
            let message = format!("the state {} could not be written, and is left as it was", path.display());
            Error::refused(message).of(ErrorKind::Io)
        }
        _ => nothing(path),
    }
}
