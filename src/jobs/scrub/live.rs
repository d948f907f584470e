//! A registry as what is scrubbed: what it says of its repositories is kept in the state, from which blobs are listed.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::facts::Held;
use super::job::seconds;
use super::key::{Key, Within};
use super::row::{Entry, Meta, ReadRow, Row, Shard};
use super::source::{Group, Looked, Source};
use super::state::{Batch, State};
use crate::blob::BlobFacts;
use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::form::registry::live::{Knowing, Live};
use crate::form::registry::piece::{self, Said};
use crate::form::registry_storage::stored::Folder;
use crate::form::stored::{Link, Listed, Opened, Version};
use crate::limits::Limits;
use crate::media::Codec;
use crate::model::Archive;

/// Repositories that are asked at once.
const AT_ONCE: usize = 8;

/// A registry, with the state that knows what it said.
pub struct Registry {
    live: Live,
    state: State,
    /// The run, which what is said is of.
    run: u64,
    /// Documents that were read longer ago, in seconds, are read again.
    max_age: Option<u64>,
    /// Blobs that the registry said it has, and did not give.
    gone: Mutex<HashSet<Digest>>,
}

impl Registry {
    /// A registry in a run.
    pub fn new(live: Live, state: &State, meta: &Meta, max_age: Option<u64>) -> Registry {
        let (state, run) = (state.clone(), meta.run.number);
        Registry { live, state, run, max_age, gone: Mutex::default() }
    }

    /// The bytes of a document that need not be read again.
    fn held(&self, digest: &Digest) -> Result<Option<Vec<u8>>> {
        let Some(Row { read: Some(read), .. }) = self.state.blob(&Key::of(digest))? else { return Ok(None) };
        let old = self.max_age.is_some_and(|age| seconds().saturating_sub(read.at) > age);
        if !read.text || !read.is_sound(digest) || old && read.run != self.run {
            return Ok(None);
        }
        self.state.text(&Key::of(digest))
    }

    fn entry(&self, digest: &Digest) -> Result<Option<Entry>> {
        Ok(self.state.listed(digest)?.filter(|entry| entry.run == self.run))
    }
}

impl Source for Registry {
    /// One that is gone does not answer, which is told of every question.
    fn is_there(&self) -> Result<()> {
        Ok(())
    }

    fn repositories(
        &self,
        shard: Option<Shard>,
        wants: &mut dyn FnMut(&str) -> Result<bool>,
        each: &mut dyn FnMut(&str, Looked) -> Result<()>,
    ) -> Result<()> {
        let mut wanted = Vec::new();
        for name in self.live.names()? {
            if wants(&name)? {
                wanted.push(name);
            }
        }
        for some in wanted.chunks(AT_ONCE) {
            for (name, looked) in some.iter().zip(at_once(some, |name| self.repository(name, shard))) {
                // One that went meanwhile is not there.
                if let Some(looked) = looked? {
                    each(name, looked)?;
                }
            }
        }
        Ok(())
    }

    fn repository(&self, name: &str, shard: Option<Shard>) -> Result<Option<Looked>> {
        let mine =
            |digest: &Digest| shard.is_none_or(|shard| shard.has_repository(name) || shard.has_blob(digest));
        let knowing = Knowing {
            held: &|digest| self.held(digest),
            any: self.state.links(name)?.is_some(),
            asks: &mine,
        };
        let Some(answered) = self.live.repository(name, &knowing)? else { return Ok(None) };
        let mut looked = Looked { unreadable: answered.refused, ..Looked::default() };
        let entry = |size: u64, document: bool| Entry {
            run: self.run,
            size,
            repository: name.to_owned(),
            document,
            absent: false,
        };
        for said in &answered.said {
            match said {
                Said::Document(digest, size, _) => {
                    looked.rows.listed.push((digest.clone(), entry(*size, true)))
                }
                Said::Blob(digest, Some(size)) => {
                    looked.rows.listed.push((digest.clone(), entry(*size, false)))
                }
                _ => {}
            }
            let (path, text) = said.written();
            looked.links.push(Link { path, text, modified: 0 });
        }
        for (digest, bytes) in answered.documents {
            if self.held(&digest)?.is_none() {
                let row = document(&digest, &bytes, self.run);
                let key = Key::of(&digest);
                looked.rows.blobs.push((key.clone(), Some(row)));
                looked.rows.texts.push((key, bytes));
            }
        }
        looked.links.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Some(looked))
    }

    fn looks_at_all(&self) -> bool {
        true
    }

    /// Digests are gone through by how they begin, as those of a storage are.
    fn blobs(
        &self,
        wants: &dyn Fn(&Digest) -> bool,
        each: &mut dyn FnMut(Group) -> Result<()>,
    ) -> Result<()> {
        let mut folders = std::collections::BTreeMap::new();
        self.state.all_listed(&Key::first(), &mut |digest, _| {
            let name = digest.encoded().get(..2).unwrap_or_default().to_owned();
            let folder = Folder { algorithm: digest.algorithm_name().to_owned(), name };
            folders.entry(Key::of_folder(&folder)).or_insert(folder);
            Ok(())
        })?;
        let all = folders.len() as u64;
        for ((key, folder), i) in folders.into_iter().zip(1..) {
            let mut group = Group { until: key.behind(), share: (i, all), ..Group::default() };
            let first = format!("{}:{}", folder.algorithm, folder.name);
            self.state.all_listed(&key, &mut |digest, entry| {
                if entry.run == self.run && digest.as_str().starts_with(&first) && wants(&digest) {
                    if entry.document {
                        group.looked.insert(digest.clone());
                    }
                    group.blobs.push(Listed { digest, size: entry.size, modified: 0, etag: None });
                }
                Ok(())
            })?;
            each(group)?;
        }
        Ok(())
    }

    fn blob(&self, _: &Within, digest: &Digest) -> Result<Option<Listed>> {
        let Some(entry) = self.entry(digest)? else { return Ok(None) };
        if entry.absent || self.gone.lock().unwrap_or_else(PoisonError::into_inner).contains(digest) {
            return Ok(None);
        }
        let size = self.live.size(&entry.repository, digest, entry.document)?;
        Ok(size.map(|size| Listed {
            digest: digest.clone(),
            size: size.unwrap_or(entry.size),
            modified: 0,
            etag: None,
        }))
    }

    /// What is as its digest says was not changed, and need not be asked for again.
    fn blob_after(
        &self,
        within: &Within,
        listed: &Listed,
        _: Option<Version>,
        sound: bool,
    ) -> Result<Option<Listed>> {
        if sound { Ok(Some(listed.clone())) } else { self.blob(within, &listed.digest) }
    }

    fn open(&self, _: &Within, digest: &Digest) -> Result<Opened> {
        let gone = || {
            self.gone.lock().unwrap_or_else(PoisonError::into_inner).insert(digest.clone());
            Error::refused(format!("blob {digest}: the registry does not have it")).of(ErrorKind::NotFound)
        };
        let Some(entry) = self.entry(digest)? else { return Err(gone()) };
        let reader = self.live.reader(&entry.repository, digest, entry.size)?.ok_or_else(gone)?;
        Ok(Opened { reader, now: None })
    }

    fn name(&self, _: &Within, digest: &Digest) -> String {
        digest.to_string()
    }

    fn is_gone(&self, digest: &Digest, batch: &mut Batch) -> Result<()> {
        if let Some(entry) = self.entry(digest)? {
            batch.listed.push((digest.clone(), Entry { absent: true, ..entry }));
        }
        Ok(())
    }
}

/// A document that was read, as it is written.
fn document(digest: &Digest, bytes: &[u8], run: u64) -> Row {
    let size = bytes.len() as u64;
    let facts = BlobFacts {
        size,
        sha256: Digest::sha256(bytes),
        other: digest.of_same_kind(bytes).filter(|other| other.algorithm_name() != "sha256"),
        codec: Codec::Plain,
        polyglot: false,
        gzip: None,
        plain: None,
        fault: None,
        missing: 0,
    };
    let restow = env!("CARGO_PKG_VERSION").to_owned();
    let read = ReadRow {
        at: seconds(),
        run,
        restow,
        facts: Some(facts),
        layer: None,
        paths: None,
        text: true,
        store: None,
    };
    Row { size, modified: 0, etag: None, read: Some(read) }
}

/// A repository as an archive, by what the registry said of it.
///
/// # Errors
///
/// A state cannot be read.
pub fn archive(meta: &Meta, name: &str, links: &[Link], held: Arc<Held>, limits: &Limits) -> Result<Archive> {
    let said: Vec<Said> = links.iter().filter_map(|link| Said::read(&link.path, &link.text)).collect();
    piece::repository((&meta.typed, &meta.base), name, &said, held, limits)
}

/// Does the same with each at once.
fn at_once<R: Send>(names: &[String], work: impl Fn(&str) -> R + Sync) -> Vec<R> {
    if let [name] = names {
        return vec![work(name)];
    }
    std::thread::scope(|scope| {
        let begun: Vec<_> = names.iter().map(|name| scope.spawn(|| work(name))).collect();
        let joined = begun.into_iter().map(|thread| thread.join());
        joined.map(|result| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}
