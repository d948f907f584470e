//! What the state holds of a blob, of a repository and of itself: JSON in every value, so that others can read it.

use serde::{Deserialize, Serialize};

use super::key::Within;
use crate::blob::BlobFacts;
use crate::digest::Digest;
use crate::form::stored::{Link, Listed, Version};
use crate::layer::Kept;

/// The scheme of the state; another one is refused.
pub const SCHEME: u32 = 3;

/// What the state says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The scheme's number.
    pub scheme: u32,
    /// The version of restow that wrote last.
    pub restow: String,
    /// Drawn when the state was made: a copy has it, too.
    pub id: String,
    /// The form of the storage.
    pub form: String,
    /// Where the storage is, in its canonical form.
    pub place: String,
    /// The place as it was typed, which reports name.
    pub typed: String,
    /// What stands before `repositories/` and `blobs/` in the names of files.
    pub base: String,
    /// Which part of the storage it is about.
    pub shard: Option<Shard>,
    /// Files at the storage's root that tell what writes it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub root: Vec<String>,
    /// The run that wrote last.
    pub run: Run,
}

/// What a state is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The storage of a registry.
    Storage,
    /// OCI layouts.
    Layouts,
    /// A live registry.
    Registry,
}

impl Kind {
    /// The ID of its form.
    pub fn id(self) -> &'static str {
        match self {
            Kind::Storage => "registry-storage",
            Kind::Layouts => "oci",
            Kind::Registry => "docker",
        }
    }

    /// Whose blobs the images of a repository are made of.
    pub(super) fn within(self, repository: &str) -> Within {
        match self {
            Kind::Layouts => Within::Layout(repository.into()),
            Kind::Storage | Kind::Registry => Within::All,
        }
    }

    fn of(id: &str) -> Option<Kind> {
        [Kind::Storage, Kind::Layouts, Kind::Registry].into_iter().find(|kind| kind.id() == id)
    }
}

impl Meta {
    /// What it is about.
    pub fn kind(&self) -> Kind {
        Kind::of(&self.form).unwrap_or(Kind::Storage)
    }
}

/// A run over a storage, which kills may divide into several.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Counted from 1.
    pub number: u64,
    /// When it began, in seconds from 1970.
    pub began: u64,
    /// When it ended, if it did.
    pub ended: Option<u64>,
    /// When the links had all been read, and blobs began to be listed.
    pub listed: Option<u64>,
    /// Blobs that it left unread, since only a part was asked for or time was up.
    pub left: u64,
}

/// One of so many parts, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shard {
    /// Which.
    pub index: u32,
    /// Of how many.
    pub count: u32,
}

/// A blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Bytes of its file, as they were listed.
    pub size: u64,
    /// When the file was changed, in nanoseconds from 1970.
    pub modified: i64,
    /// What a bucket calls this version of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// What was found when it was read; nothing if it was only listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<ReadRow>,
}

impl Row {
    /// Of a blob that was listed, with what was found by reading it.
    pub fn of(listed: &Listed, read: Option<ReadRow>) -> Row {
        Row { size: listed.size, modified: listed.modified, etag: listed.etag.clone(), read }
    }

    /// The version that it is about.
    pub fn version(&self) -> Version {
        Version { size: self.size, modified: self.modified, etag: self.etag.clone() }
    }

    /// Whether it is about a blob as it is listed: nothing that tells versions apart may differ.
    pub fn is_of(&self, listed: &Listed) -> bool {
        self.version() == listed.version()
    }
}

/// What was found out by reading a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadRow {
    /// When, in seconds from 1970; 0 if more than its first bytes never was, and the store's word stands for the rest.
    pub at: u64,
    /// The run that read it, or took the store's word.
    pub run: u64,
    /// The version of restow that did.
    pub restow: String,
    /// What it is like; nothing if it is too large to be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<BlobFacts>,
    /// What is in it, if it can be read as a layer to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<Kept>,
    /// How many blocks of its paths are kept, if it is a layer that can be laid on others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paths: Option<u32>,
    /// Whether its text is kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub text: bool,
    /// When the store computed its digest, in seconds from 1970, if it did and that was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<u64>,
}

impl ReadRow {
    /// Whether it was read to its end.
    pub fn is_whole(&self) -> bool {
        self.at > 0
    }

    /// When it was proved last, by whomever, in seconds from 1970.
    pub fn proved_at(&self) -> u64 {
        self.at.max(self.store.unwrap_or_default())
    }

    /// Whether it is what its digest says, as far as that can be computed, and a stream that ends well. What is wrong is
    /// read again by the next run.
    pub fn is_sound(&self, digest: &Digest) -> bool {
        let Some(facts) = &self.facts else { return false };
        let same = facts.digest_like(digest).is_none_or(|found| found == digest);
        same && facts.missing == 0 && facts.fault.is_none()
    }
}

/// By what blobs are what their digests say.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct ProvedBy {
    /// Blobs that were read, and their bytes.
    pub reading: (u64, u64),
    /// Those whose digest the store computed, and of which nobody read more than the first bytes.
    pub store: (u64, u64),
}

impl ProvedBy {
    /// Counts a blob.
    pub fn add(&mut self, row: &Row) {
        let Some(read) = &row.read else { return };
        let (blobs, bytes) = if read.is_whole() { &mut self.reading } else { &mut self.store };
        (*blobs, *bytes) = (*blobs + 1, *bytes + row.size);
    }
}

/// A repository: when its links were read, and what they say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// The run that read them.
    pub run: u64,
    /// Path, text, and time of the last change.
    pub links: Vec<(String, String, i64)>,
}

impl Links {
    /// What a run read.
    pub fn of(run: u64, links: Vec<Link>) -> Links {
        Links { run, links: links.into_iter().map(|link| (link.path, link.text, link.modified)).collect() }
    }

    /// The links again.
    pub fn list(self) -> Vec<Link> {
        self.links.into_iter().map(|(path, text, modified)| Link { path, text, modified }).collect()
    }
}

/// What a registry tells of a blob or a document: which repository has it, and how large it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The run that was told.
    pub run: u64,
    /// Its size.
    pub size: u64,
    /// The repository that it is read from: of those that have it the first by name.
    pub repository: String,
    /// Whether it is a manifest or an index.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub document: bool,
    /// Whether the registry did not give it, although it says that it has it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub absent: bool,
}

impl Entry {
    /// One that was written.
    pub fn of(value: &[u8]) -> Option<Entry> {
        serde_json::from_slice(value).ok()
    }

    /// This, where another was written before: of one run the first repository by name counts, and what is not given.
    pub fn beside(&self, known: Option<Entry>) -> Entry {
        match known.filter(|known| known.run == self.run) {
            Some(known) if known.document == self.document => Entry {
                repository: known.repository.min(self.repository.clone()),
                absent: known.absent || self.absent,
                ..self.clone()
            },
            // What is a manifest somewhere is read as one.
            Some(known) if known.document => known,
            _ => self.clone(),
        }
    }
}
