//! The links of every repository, read before blobs are listed: what a link names was stored before the link, so a push
//! that goes on meanwhile looks like nothing that is missing.

use std::time::Instant;

use super::counters::Counters;
use super::job::Job;
use super::row::{Links, Shard};
use super::state::{Batch, State};
use crate::error::{Error, Result};
use crate::form::registry_storage::stored::Stored;

/// Links that are written together, and repositories.
const LINKS: usize = 20_000;
const REPOSITORIES: usize = 500;

/// Reads the links of every repository of a shard that this run has not read yet, and forgets repositories that are gone.
///
/// # Errors
///
/// A folder cannot be listed, the state cannot be written, or the job was cancelled.
pub fn read(stored: &Stored, state: &State, job: &Job<'_>, shard: Option<Shard>) -> Result<()> {
    let run = job.meta.run.number;
    let mut batch = Batch::default();
    let mut held = 0;
    let mut last = Instant::now();
    let mut wants = |name: &str| {
        if job.progress.cancelled() {
            return Err(Error::Cancelled);
        }
        if !shard.is_none_or(|shard| shard.has_repository(name)) {
            return Ok(false);
        }
        Counters::add(&job.counters.repositories, 1);
        Ok(state.links(name)?.is_none_or(|known| known.run != run))
    };
    stored.repositories(&mut wants, &mut |name, links| {
        held += links.len();
        batch.repositories.push((name.to_owned(), Some(Links::of(run, links))));
        if held >= LINKS || batch.len() >= REPOSITORIES || last.elapsed().as_secs() >= 1 {
            state.write(&batch)?;
            (batch, held, last) = (Batch::default(), 0, Instant::now());
        }
        Ok(())
    })?;
    stored.is_there()?;
    state.write(&batch)?;
    let mut gone = Batch::default();
    state.repositories(&mut |name, links| {
        if links.run != run {
            gone.repositories.push((name.to_owned(), None));
        }
        Ok(())
    })?;
    state.write(&gone)
}
