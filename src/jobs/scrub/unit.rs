//! A few blobs, read one after the other by one thread: what a kill costs.

use std::io::{self, Cursor, Read};
use std::sync::{Arc, Mutex, PoisonError};

use super::counters::Counters;
use super::job::Job;
use super::key::Within;
use super::row::{ReadRow, Row};
use super::source::Source;
use super::state::Batch;
use crate::codec::pack;
use crate::digest::Digest;
use crate::error::{Context as _, Error, Result};
use crate::form::stored::{Listed, Opened, Version};
use crate::layer::{Kept, Spool};
use crate::limits::Limits;
use crate::location::MemberId;
use crate::media::Codec;
use crate::model::build::Builder;
use crate::model::{Archive, BlobId, Form};
use crate::read::{self, Context, Found};
use crate::source::{Bytes, Ingested, MemberName, Tree, Wanted};

/// Blobs of a unit, at most.
pub const BLOBS: usize = 64;
/// Bytes of a unit, at most, unless it is a single blob.
pub const BYTES: u64 = 64 << 20;
/// How often a blob is read that changes while it is.
const TRIES: u32 = 3;
/// Bytes that are looked at to tell whether a blob is JSON.
pub const HEAD: usize = 512;

/// Bytes up to which any text is kept, whatever it is: an answer of a server, say, that was stored as a manifest. Larger ones
/// are something else than documents.
const TEXT: u64 = 16 << 10;

/// Whether a blob begins as a JSON document does, be it one that nobody takes.
pub fn begins_as_document(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    matches!(head.iter().find(|byte| !byte.is_ascii_whitespace()), Some(b'{' | b'[' | b'"'))
}

/// Whether the text of a blob is kept, by its first bytes.
fn is_kept(head: &[u8], size: u64) -> bool {
    begins_as_document(head) || size <= TEXT && !head.contains(&0) && Codec::sniff(head) == Codec::Plain
}

/// What became of the blobs of a unit.
#[derive(Debug, Default)]
pub struct Done {
    /// Rows to be written.
    pub batch: Batch,
    /// Blobs that could not be read, and why.
    pub unreadable: Vec<String>,
}

impl Done {
    /// This and what became of others.
    pub fn and(mut self, more: Done) -> Done {
        self.batch.extend(more.batch);
        self.unreadable.extend(more.unreadable);
        self
    }
}

/// Reads the blobs of a unit.
///
/// # Errors
///
/// The storage is gone, or the job was cancelled.
pub fn read(source: &Arc<dyn Source>, job: &Job<'_>, within: &Within, blobs: Vec<Listed>) -> Result<Done> {
    let mut done = Done::default();
    let mut pending = blobs;
    for attempt in 1..=TRIES {
        let again = once(source, job, (within, &pending), &mut done, attempt == TRIES)?;
        if again.is_empty() {
            break;
        }
        pending = again;
    }
    Ok(done)
}

/// Reads them once; those that changed meanwhile, as they are now.
fn once(
    source: &Arc<dyn Source>,
    job: &Job<'_>,
    (within, blobs): (&Within, &[Listed]),
    done: &mut Done,
    last: bool,
) -> Result<Vec<Listed>> {
    let passing = Passing::default();
    let archive = archive(&job.meta.typed, source, (within, blobs), &passing, &job.reading.limits);
    let spool = Arc::new(Spool::in_directory(job.reading.tmpdir.as_deref()).with_trails());
    let context = Context { scan: Some(spool), ..job.reading.context(false, job.progress) };
    let mut again = Vec::new();
    for (at, listed) in blobs.iter().enumerate() {
        let blob = read::Job::judge(&archive, BlobId(at as u32));
        let read = read::one(&archive, &blob, &context, &());
        let mut passed = std::mem::take(&mut *passing.lock().unwrap_or_else(PoisonError::into_inner));
        let text = passed.texts.pop().filter(|(key, _)| *key == at as u64).map(|(_, text)| text);
        let version = passed.versions.pop().filter(|(key, _)| *key == at as u64).map(|(_, version)| version);
        let read = match read {
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            other => other,
        };
        // What was written meanwhile is told from what is wrong by its size and time.
        let sound = read.as_ref().is_ok_and(|found| is_sound(found, &listed.digest));
        let now = match source.blob_after(within, listed, version, sound) {
            Ok(now) => now,
            Err(error) => {
                source.is_there()?;
                done.unreadable.push(error.to_string());
                continue;
            }
        };
        let counters = job.counters;
        match (now, read) {
            (None, _) => {
                source.is_there()?;
                Counters::add(&counters.meanwhile, 1);
                done.batch.blobs.push((within.key(&listed.digest), None));
                source.is_gone(&listed.digest, &mut done.batch)?;
            }
            (Some(now), _) if !now.version().is_same(&listed.version()) && !last => {
                Counters::add(&counters.meanwhile, 1);
                again.push(now);
            }
            (Some(_), Err(error)) => {
                source.is_there()?;
                done.unreadable.push(error.to_string());
            }
            (Some(_), Ok(found)) => {
                let sound = note(source, job, (within, listed), found, text, &mut done.batch)?;
                Counters::add(&counters.read, 1);
                Counters::add(&counters.read_bytes, listed.size);
                Counters::add(&counters.faults, u64::from(!sound));
            }
        }
    }
    Ok(again)
}

/// Notes what is written of a blob; `text` is what may be kept of it. Whether it is sound.
fn note(
    source: &Arc<dyn Source>,
    job: &Job<'_>,
    (within, listed): (&Within, &Listed),
    found: Found,
    text: Option<Vec<u8>>,
    batch: &mut Batch,
) -> Result<bool> {
    let mut facts = found.facts;
    let mut layer = found.layer;
    let mut text = text;
    let wrong = facts.as_ref().is_some_and(|facts| {
        facts.digest_like(&listed.digest).is_some_and(|computed| *computed != listed.digest)
    });
    // A document may have lost what it begins with.
    if text.is_none() && wrong && listed.size <= job.reading.limits.document_bytes {
        text = source.bytes(within, &listed.digest, job.reading.limits.document_bytes).ok();
    }
    if text.is_some() {
        // Should it be used as a layer, its text is read once more, by whoever knows that.
        layer = None;
        if let Some(facts) = &mut facts {
            (facts.plain, facts.fault) = (None, None);
        }
    }
    let trail = layer.as_ref().and_then(|layer| layer.trail.as_ref());
    let packed =
        trail.map(|trail| trail.blocks().map(|block| Ok(pack(&block?))).collect::<io::Result<Vec<_>>>());
    let paths = packed.transpose().at("cannot read", "the temporary file of paths")?;
    let read = ReadRow {
        at: (job.now)(),
        run: job.meta.run.number,
        restow: env!("CARGO_PKG_VERSION").to_owned(),
        facts,
        layer: layer.as_ref().map(Kept::from),
        paths: paths.as_ref().map(|blocks| blocks.len() as u32),
        text: text.is_some(),
        store: None,
    };
    let sound = read.is_sound(&listed.digest);
    let key = within.key(&listed.digest);
    batch.texts.extend(text.map(|text| (key.clone(), text)));
    batch.paths.extend(paths.filter(|blocks| !blocks.is_empty()).map(|blocks| (key.clone(), blocks)));
    batch.blobs.push((key, Some(Row::of(listed, Some(read)))));
    Ok(sound)
}

/// Whether what was read is what its digest says.
fn is_sound(found: &Found, digest: &Digest) -> bool {
    let facts = found.facts.as_ref();
    facts.is_some_and(|facts| facts.missing == 0 && facts.digest_like(digest) == Some(digest))
}

/// What came by while blobs were read, by the place of each in its list.
#[derive(Debug, Default)]
struct Passed {
    /// Texts of documents.
    texts: Vec<(u64, Vec<u8>)>,
    /// Versions that were read, where who gave them said so.
    versions: Vec<(u64, Version)>,
}

/// The same, shared.
type Passing = Arc<Mutex<Passed>>;

/// Blobs to be read, each as a layer: what they are used for is known later. Documents among them go to `passing`, each with
/// the place of its blob in the list.
fn archive(
    place: &str,
    source: &Arc<dyn Source>,
    (within, blobs): (&Within, &[Listed]),
    passing: &Passing,
    limits: &Limits,
) -> Archive {
    let named = |blob: &Listed| (MemberName::from(source.name(within, &blob.digest)), blob.size);
    let bytes = Unit {
        source: Arc::clone(source),
        within: within.clone(),
        digests: blobs.iter().map(|blob| blob.digest.clone()).collect(),
        limit: limits.document_bytes,
        passing: Arc::clone(passing),
    };
    let tree = Tree::of_bytes(place, blobs.iter().map(named).collect(), Box::new(bytes));
    let mut builder = Builder::new(Form::RegistryStorage, tree, Ingested::default(), limits, ());
    for (blob, member) in blobs.iter().zip((0..).map(MemberId)) {
        builder.stored_blob(blob.digest.clone(), member);
    }
    for i in 0..builder.archive.blobs.len() {
        builder.is_layer(BlobId(i as u32));
    }
    builder.archive
}

/// The bytes of some blobs. What begins like a JSON document is kept as it passes.
struct Unit {
    source: Arc<dyn Source>,
    within: Within,
    digests: Vec<Digest>,
    /// Bytes of a document, at most.
    limit: u64,
    passing: Passing,
}

impl Bytes for Unit {
    fn reader(&self, member: Wanted<'_>) -> Result<Box<dyn Read + Send>> {
        let Some(digest) = self.digests.get(member.key as usize) else {
            return Ok(Box::new(io::empty()));
        };
        let told = member.name;
        let Opened { mut reader, now } = self.source.open(&self.within, digest)?;
        let mut head = Vec::with_capacity(HEAD);
        reader.by_ref().take(HEAD as u64).read_to_end(&mut head).at("cannot read", told.to_string())?;
        let is_document = member.size <= self.limit && is_kept(&head, member.size);
        if is_document {
            reader.by_ref().take(self.limit).read_to_end(&mut head).at("cannot read", told.to_string())?;
        }
        let mut passed = self.passing.lock().unwrap_or_else(PoisonError::into_inner);
        passed.versions.extend(now.map(|now| (member.key, now)));
        if !is_document {
            return Ok(Box::new(Cursor::new(head).chain(reader)));
        }
        passed.texts.push((member.key, head.clone()));
        Ok(Box::new(Cursor::new(head)))
    }
}
