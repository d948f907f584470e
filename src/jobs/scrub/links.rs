//! What every repository says, asked before blobs are listed: what a link names was stored before the link, so a push that
//! goes on meanwhile looks like nothing that is missing.

use std::time::Instant;

use super::counters::Counters;
use super::job::Job;
use super::row::{Links, Shard};
use super::source::{Looked, Source};
use super::state::{Batch, State};
use crate::error::{Error, Result};

/// Links that are written together, and repositories.
const LINKS: usize = 20_000;
const REPOSITORIES: usize = 500;
/// Bytes of documents that are.
const TEXTS: usize = 16 << 20;

/// Looks at every repository of a shard that this run has not looked at yet, and forgets repositories that are gone; what
/// could not be read, and why.
///
/// # Errors
///
/// A repository cannot be read, the state cannot be written, or the job was cancelled.
pub fn read(source: &dyn Source, state: &State, job: &Job<'_>, shard: Option<Shard>) -> Result<Vec<String>> {
    let run = job.meta.run.number;
    let mut writing = Writing { state, run, batch: Batch::default(), links: 0, last: Instant::now() };
    let mut unreadable = Vec::new();
    let mut wants = |name: &str| {
        if job.progress.cancelled() {
            return Err(Error::Cancelled);
        }
        if !source.looks_at_all() && !shard.is_none_or(|shard| shard.has_repository(name)) {
            return Ok(false);
        }
        Counters::add(&job.counters.repositories, 1);
        Ok(state.links(name)?.is_none_or(|known| known.run != run))
    };
    source.repositories(shard, &mut wants, &mut |name, looked| {
        if job.progress.cancelled() {
            return Err(Error::Cancelled);
        }
        unreadable.extend(writing.take(name.to_owned(), looked)?);
        Ok(())
    })?;
    source.is_there()?;
    state.write(&writing.batch)?;
    let mut gone = Batch::default();
    state.repositories(&mut |name, links| {
        if links.run != run {
            gone.repositories.push((name.to_owned(), None));
        }
        Ok(())
    })?;
    state.write(&gone)?;
    Ok(unreadable)
}

/// What is written a few hundred repositories at a time, and every second.
struct Writing<'a> {
    state: &'a State,
    run: u64,
    batch: Batch,
    links: usize,
    last: Instant,
}

impl Writing<'_> {
    fn take(&mut self, name: String, looked: Looked) -> Result<Vec<String>> {
        let Looked { links, rows, unreadable } = looked;
        self.links += links.len();
        self.batch.extend(rows);
        self.batch.repositories.push((name, Some(Links::of(self.run, links))));
        let full = self.links >= LINKS || self.batch.repositories.len() >= REPOSITORIES;
        if full || self.batch.bytes() >= TEXTS || self.last.elapsed().as_secs() >= 1 {
            self.state.write(&self.batch)?;
            (self.batch, self.links, self.last) = (Batch::default(), 0, Instant::now());
        }
        Ok(unreadable)
    }
}
