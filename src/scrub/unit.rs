//! A few blobs, read one after the other by one thread: what a kill costs.

use std::sync::PoisonError;

use super::counters::Counters;
use super::job::Job;
use super::row::{ReadRow, Row};
use super::state::Batch;
use crate::error::{Error, Result};
use crate::form::registry_storage::piece;
use crate::form::registry_storage::stored::{Listed, Passing, Stored};
use crate::layer::Kept;
use crate::model::BlobId;
use crate::read::{self, Found};

/// Blobs of a unit, at most.
pub const BLOBS: usize = 64;
/// Bytes of a unit, at most, unless it is a single blob.
pub const BYTES: u64 = 64 << 20;
/// How often a blob is read that changes while it is.
const TRIES: u32 = 3;

/// What became of the blobs of a unit.
#[derive(Debug, Default)]
pub struct Done {
    /// Rows to be written.
    pub batch: Batch,
    /// Blobs that could not be read, and why.
    pub unreadable: Vec<String>,
}

/// Reads the blobs of a unit.
///
/// # Errors
///
/// The storage is gone, or the job was cancelled.
pub fn read(stored: &Stored, job: &Job<'_>, blobs: Vec<Listed>) -> Result<Done> {
    let mut done = Done::default();
    let mut pending = blobs;
    for attempt in 1..=TRIES {
        let again = once(stored, job, &pending, &mut done, attempt == TRIES)?;
        if again.is_empty() {
            break;
        }
        pending = again;
    }
    Ok(done)
}

/// Reads them once; those that changed meanwhile, as they are now.
fn once(
    stored: &Stored,
    job: &Job<'_>,
    blobs: &[Listed],
    done: &mut Done,
    last: bool,
) -> Result<Vec<Listed>> {
    let passing = Passing::default();
    let archive = piece::unit(&job.meta.typed, stored, blobs, &passing, &job.reading.limits);
    let context = job.reading.context(true, job.progress);
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
        let now = match version {
            Some(version) => Ok(Some(Listed::of(listed.digest.clone(), version))),
            None => stored.blob(&listed.digest),
        };
        let now = match now {
            Ok(now) => now,
            Err(error) => {
                stored.is_there()?;
                done.unreadable.push(error.to_string());
                continue;
            }
        };
        let counters = job.counters;
        match (now, read) {
            (None, _) => {
                stored.is_there()?;
                Counters::add(&counters.meanwhile, 1);
                done.batch.blobs.push((listed.digest.clone(), None));
            }
            (Some(now), _) if !now.version().is_same(&listed.version()) && !last => {
                Counters::add(&counters.meanwhile, 1);
                again.push(now);
            }
            (Some(_), Err(error)) => {
                stored.is_there()?;
                done.unreadable.push(error.to_string());
            }
            (Some(_), Ok(found)) => {
                let (row, text) = row(stored, job, listed, found, text)?;
                Counters::add(&counters.read, 1);
                Counters::add(&counters.read_bytes, listed.size);
                let sound = row.read.as_ref().is_some_and(|read| read.is_sound(&listed.digest));
                Counters::add(&counters.faults, u64::from(!sound));
                done.batch.texts.extend(text.map(|text| (listed.digest.clone(), text)));
                done.batch.blobs.push((listed.digest.clone(), Some(row)));
            }
        }
    }
    Ok(again)
}

/// What is written of a blob, with the text that is kept of it.
fn row(
    stored: &Stored,
    job: &Job<'_>,
    listed: &Listed,
    found: Found,
    text: Option<Vec<u8>>,
) -> Result<(Row, Option<Vec<u8>>)> {
    let mut facts = found.facts;
    let mut layer = found.layer.as_ref().map(Kept::from);
    let mut text = text;
    let wrong = facts.as_ref().is_some_and(|facts| {
        facts.digest_like(&listed.digest).is_some_and(|computed| *computed != listed.digest)
    });
    // A document may have lost what it begins with.
    if text.is_none() && wrong && listed.size <= job.reading.limits.document_bytes {
        text = stored.bytes(&listed.digest, job.reading.limits.document_bytes).ok();
    }
    if text.is_some() {
        // Should it be used as a layer, its text is read once more, by whoever knows that.
        layer = None;
        if let Some(facts) = &mut facts {
            (facts.plain, facts.fault) = (None, None);
        }
    }
    let read = ReadRow {
        at: (job.now)(),
        run: job.meta.run.number,
        restow: env!("CARGO_PKG_VERSION").to_owned(),
        facts,
        layer,
        text: text.is_some(),
    };
    Ok((Row::of(listed, Some(read)), text))
}
