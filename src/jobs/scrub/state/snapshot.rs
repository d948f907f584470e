//! The state as it is at one time: many rows are looked up, or gone through in their order, for the price of beginning once.

use std::collections::VecDeque;
use std::path::PathBuf;

use redb::{ReadOnlyTable, ReadableDatabase as _};

use super::{BLOBS, LARGEST, PATHS, State, TEXTS, failed, nothing};
use crate::codec::unpack;
use crate::error::Result;
use crate::jobs::scrub::key::Key;
use crate::jobs::scrub::row::Row;

/// Rows that are read at once where all are gone through: what is read is as it was then, and what is written meanwhile need
/// not be kept beside it for long.
const PAGE: usize = 1_000;

/// The state at one time. What it shows is kept as long as it is there, whatever is written.
pub struct Snapshot {
    blobs: ReadOnlyTable<&'static [u8], &'static [u8]>,
    texts: ReadOnlyTable<&'static [u8], &'static [u8]>,
    paths: ReadOnlyTable<(&'static [u8], u32), &'static [u8]>,
    path: PathBuf,
}

impl State {
    /// The state as it is now.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        Ok(Snapshot {
            blobs: read.open_table(BLOBS).map_err(|error| self.failed(error))?,
            texts: read.open_table(TEXTS).map_err(|error| self.failed(error))?,
            paths: read.open_table(PATHS).map_err(|error| self.failed(error))?,
            path: self.path.clone(),
        })
    }

    /// The rows of blobs from a key on and before another, in the order of keys.
    pub fn rows(&self, from: Key, until: Option<Key>) -> Rows<'_> {
        Rows { state: self, from: Some(from), until, page: VecDeque::new() }
    }

    fn page(&self, from: &Key, until: Option<&Key>) -> Result<VecDeque<(Key, Row)>> {
        let mut page = VecDeque::new();
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let table = read.open_table(BLOBS).map_err(|error| self.failed(error))?;
        for item in table.range(from.bytes()..).map_err(|error| self.failed(error))? {
            let (key, value) = item.map_err(|error| self.failed(error))?;
            if until.is_some_and(|until| key.value() >= until.bytes()) || page.len() >= PAGE {
                break;
            }
            page.push_back((Key::read(key.value()), self.row(value.value())?));
        }
        Ok(page)
    }
}

impl Snapshot {
    /// What is known of a blob.
    ///
    /// # Errors
    ///
    /// The state cannot be read.
    pub fn blob(&self, key: &Key) -> Result<Option<Row>> {
        let value = self.blobs.get(key.bytes()).map_err(|error| failed(&self.path, error.into()))?;
        value.map(|value| serde_json::from_slice(value.value()).map_err(|_| nothing(&self.path))).transpose()
    }

    /// The text of a document, if it is kept.
    ///
    /// # Errors
    ///
    /// As of [`blob`](Snapshot::blob).
    pub fn text(&self, key: &Key) -> Result<Option<Vec<u8>>> {
        let value = self.texts.get(key.bytes()).map_err(|error| failed(&self.path, error.into()))?;
        value.map(|value| unpack(value.value(), LARGEST).map_err(|_| nothing(&self.path))).transpose()
    }

    /// A block of the paths of a layer, if it is kept.
    ///
    /// # Errors
    ///
    /// As of [`blob`](Snapshot::blob).
    pub fn paths(&self, key: &Key, block: u32) -> Result<Option<Vec<u8>>> {
        let value = self.paths.get((key.bytes(), block)).map_err(|error| failed(&self.path, error.into()))?;
        value.map(|value| unpack(value.value(), LARGEST).map_err(|_| nothing(&self.path))).transpose()
    }
}

/// Rows in the order of their keys, some of which are held at a time.
pub struct Rows<'a> {
    state: &'a State,
    /// Where the next page begins; nothing behind the last.
    from: Option<Key>,
    until: Option<Key>,
    page: VecDeque<(Key, Row)>,
}

impl Rows<'_> {
    /// The key of the next row.
    ///
    /// # Errors
    ///
    /// The state cannot be read.
    pub fn peek(&mut self) -> Result<Option<&Key>> {
        if self.page.is_empty()
            && let Some(from) = self.from.take()
        {
            self.page = self.state.page(&from, self.until.as_ref())?;
            self.from = self.page.back().filter(|_| self.page.len() >= PAGE).map(|(key, _)| key.next());
        }
        Ok(self.page.front().map(|(key, _)| key))
    }

    /// The next row.
    ///
    /// # Errors
    ///
    /// The state cannot be read.
    pub fn take(&mut self) -> Result<Option<(Key, Row)>> {
        self.peek()?;
        Ok(self.page.pop_front())
    }
}
