//! Many blobs at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Context, Job, Tee, one, stored_size};
use crate::blob::BlobFacts;
use crate::digest::Algorithm;
use crate::error::{Error, Result};
use crate::facts::Facts;
use crate::model::{Archive, BlobId};

/// Threads that read blobs, and what they found out so far.
pub struct Pool<'a> {
    archive: &'a Archive,
    context: &'a Context<'a>,
    tee: &'a dyn Tee,
    facts: Mutex<Facts>,
    /// Layers that configs name by another algorithm than SHA-256.
    named: HashMap<BlobId, Algorithm>,
}

impl<'a> Pool<'a> {
    /// Nothing is read yet.
    pub fn new(archive: &'a Archive, context: &'a Context<'a>, tee: &'a dyn Tee) -> Pool<'a> {
        let facts = Mutex::new(Facts::of(archive.blobs.len()));
        Pool { archive, context, tee, facts, named: archive.diff_algorithms() }
    }

    /// Reads blobs on as many threads as allowed; the largest first, so that none is left alone at the end.
    ///
    /// # Errors
    ///
    /// Those of [`one`]: the first that occurred.
    pub fn run(&self, jobs: &[Job]) -> Result<()> {
        let threads = self.context.jobs.clamp(1, jobs.len().max(1));
        if threads == 1 {
            return jobs.iter().try_for_each(|job| self.one(job));
        }
        let mut jobs = jobs.to_vec();
        jobs.sort_by_key(|job| std::cmp::Reverse(stored_size(self.archive, job.blob)));
        let next = AtomicUsize::new(0);
        let failed: Mutex<Option<Error>> = Mutex::new(None);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if let Err(error) = self.one(job) {
                            lock(&failed).get_or_insert(error);
                            next.store(jobs.len(), Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        lock(&failed).take().map_or(Ok(()), Err)
    }

    fn one(&self, job: &Job) -> Result<()> {
        let job = Job { plain_other: self.named.get(&job.blob).copied(), ..*job };
        let found = one(self.archive, &job, self.context, self.tee)?;
        let mut facts = lock(&self.facts);
        if found.oversized {
            facts.oversized.insert(job.blob);
        }
        if let Some(layer) = found.layer {
            facts.layers.insert(job.blob, Arc::new(layer));
        }
        if let (Some(slot), Some(found)) = (facts.blobs.get_mut(job.blob.0 as usize), found.facts) {
            *slot = Some(Box::new(found));
        }
        Ok(())
    }

    /// What one blob is like, if it was read.
    pub fn fact(&self, blob: BlobId) -> Option<BlobFacts> {
        lock(&self.facts).get(blob).cloned()
    }

    /// All that was found out.
    pub fn finish(self) -> Facts {
        self.facts.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
