//! The state of a scrub: an embedded database whose commits are whole or not there, whatever kills the process
//! (docs/scrub.md#state).

mod snapshot;
mod sums;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, ReadableTableMetadata, StorageError,
    TableDefinition,
};
pub use snapshot::{Rows, Snapshot};

use super::key::Key;
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

/// Bytes of a database that are kept in memory, and of all that are open at the same time: parts may be hundreds.
const CACHE: usize = 16 << 20;
const CACHES: usize = 64 << 20;
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
    pub blobs: Vec<(Key, Option<Row>)>,
    /// Texts of documents.
    pub texts: Vec<(Key, Vec<u8>)>,
    /// Blocks of paths of layers, compressed, in the order of each.
    pub paths: Vec<(Key, Vec<Vec<u8>>)>,
    /// Repositories; `None` removes one.
    pub repositories: Vec<(String, Option<Links>)>,
    /// Blobs where no registry looks; `None` removes one.
    pub misplaced: Vec<(String, Option<Row>)>,
    /// What a registry tells of blobs.
    pub listed: Vec<(Digest, Entry)>,
    /// What the state says of itself from then on.
    pub meta: Option<Meta>,
}

impl Batch {
    /// Rows in it.
    pub fn len(&self) -> usize {
        self.blobs.len() + self.repositories.len() + self.misplaced.len() + self.listed.len()
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
        State::among(1, path, access)
    }

    /// One of so many that are open at the same time.
    fn among(count: usize, path: &Path, access: &Access) -> Result<(State, Option<Meta>)> {
        match Address::parse(&path.to_string_lossy())? {
            Some(address) => State::afar(count, &address, path, access),
            None => State::here(count, path),
        }
    }

    /// One that is a file.
    fn here(count: usize, path: &Path) -> Result<(State, Option<Meta>)> {
        let fresh = !std::fs::metadata(path).is_ok_and(|meta| meta.len() > 0);
        let cache = CACHE.min(CACHES / count.max(1));
        let db =
            redb::Builder::new().set_cache_size(cache).create(path).map_err(|error| opening(path, error))?;
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
    fn afar(count: usize, address: &Address, path: &Path, access: &Access) -> Result<(State, Option<Meta>)> {
        let keep = super::afar::Keep::fetch(address, access)?;
        let (state, meta) = State::here(count, &keep.path())?;
        Ok((State { keep, path: path.to_owned(), ..state }, meta))
    }

    /// Without the feature no bucket is opened.
    #[cfg(not(feature = "cloud"))]
    fn afar(_: usize, address: &Address, _: &Path, _: &Access) -> Result<(State, Option<Meta>)> {
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
        State::existing_among(1, path, access)
    }

    /// Opens states that must all be there, and are not written.
    ///
    /// # Errors
    ///
    /// Those of [`existing`](State::existing), of the first that has any.
    pub fn all(paths: &[PathBuf], access: &Access) -> Result<Vec<(State, Meta)>> {
        paths.iter().map(|path| State::existing_among(paths.len(), path, access)).collect()
    }

    fn existing_among(count: usize, path: &Path, access: &Access) -> Result<(State, Meta)> {
        if !path.is_file() && !Address::begins(&path.to_string_lossy()) {
            let message = format!("there is no state {}", path.display());
            let help = "restow scrub --state FILE PLACE makes one";
            return Err(Error::refused_help(message, help).of(ErrorKind::NotFound));
        }
        match State::among(count, path, access)? {
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
        let (state, _) = State::here(1, &made.path().join("state"))?;
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
            for (key, row) in &batch.blobs {
                match row {
                    Some(row) => drop(blobs.insert(key.bytes(), &json(row)[..])?),
                    None => drop(blobs.remove(key.bytes())?),
                }
            }
            let mut texts = write.open_table(TEXTS)?;
            for (key, text) in &batch.texts {
                texts.insert(key.bytes(), &pack(text)[..])?;
            }
            for (key, row) in &batch.blobs {
                if row.as_ref().is_none_or(|row| row.read.as_ref().is_some_and(|read| !read.text)) {
                    texts.remove(key.bytes())?;
                }
            }
            let mut paths = write.open_table(PATHS)?;
            for (key, _) in &batch.blobs {
                for block in 0.. {
                    if paths.remove((key.bytes(), block))?.is_none() {
                        break;
                    }
                }
            }
            for (key, blocks) in &batch.paths {
                for (block, i) in blocks.iter().zip(0..) {
                    paths.insert((key.bytes(), i), &block[..])?;
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
                    let key = Key::of(digest);
                    let known = listed.get(key.bytes())?.and_then(|value| Entry::of(value.value()));
                    listed.insert(key.bytes(), &json(&entry.beside(known))[..])?;
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
    pub fn blob(&self, key: &Key) -> Result<Option<Row>> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let table = read.open_table(BLOBS).map_err(|error| self.failed(error))?;
        let value = table.get(key.bytes()).map_err(|error| self.failed(error))?;
        value.map(|value| self.row(value.value())).transpose()
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
        let value = table.get(Key::of(digest).bytes()).map_err(|error| self.failed(error))?;
        Ok(value.and_then(|value| Entry::of(value.value())))
    }

    /// What runs over a registry were told of blobs whose keys begin like this.
    ///
    /// # Errors
    ///
    /// As of [`blobs`](State::blobs).
    pub fn all_listed(&self, from: &Key, each: &mut dyn FnMut(Digest, Entry) -> Result<()>) -> Result<()> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let table = match read.open_table(LISTED) {
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(()),
            other => other.map_err(|error| self.failed(error))?,
        };
        for item in table.range(from.bytes()..).map_err(|error| self.failed(error))? {
            let (key, value) = item.map_err(|error| self.failed(error))?;
            if !key.value().starts_with(from.bytes()) {
                break;
            }
            if let (Some(digest), Some(entry)) = (Key::read(key.value()).digest(), Entry::of(value.value())) {
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
    pub fn text(&self, key: &Key) -> Result<Option<Vec<u8>>> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let table = read.open_table(TEXTS).map_err(|error| self.failed(error))?;
        let value = table.get(key.bytes()).map_err(|error| self.failed(error))?;
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
