//! Blobs on their way into a sink.
//!
//! A blob that turns out to be broken stops the writing, not the reading: one run lists every fault.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::blob::stage::{self, Keep};
use crate::codec::Compression;
use crate::digest::Digest;
use crate::error::{Context as _, Error, Result};
use crate::form::sink::{Presence, Sink, Staged};
use crate::jobs::convert::plan::{Plan, Step, Treatment};
use crate::model::{Archive, BlobId, Body};
use crate::read::{self, Context, Job, Taken, Tee, Verify};

/// What the threads that read blobs share of the writing.
pub(super) struct Writer<'a> {
    archive: &'a Archive,
    pub(super) sink: &'a dyn Sink,
    context: &'a Context<'a>,
    kept: Mutex<HashMap<(BlobId, Treatment), (Digest, u64)>>,
    /// Blobs that the destination held under other bytes than their digest's, and that were replaced.
    replaced: Mutex<BTreeSet<Digest>>,
    /// Bytes of all blobs that are compressed anew, as they are stored in the source.
    compressed: u64,
    /// Layers that are read for their digests alone.
    by_digest: HashSet<BlobId>,
    /// Why a layer has no place in the destination.
    unplaced: Mutex<Option<Error>>,
    /// Set once something is broken: from then on blobs are read, but nothing is written.
    stopped: AtomicBool,
}

impl<'a> Writer<'a> {
    /// Nothing is written yet.
    pub(super) fn new(
        archive: &'a Archive,
        plan: &'a Plan,
        sink: &'a dyn Sink,
        verify: Verify,
        context: &'a Context<'a>,
    ) -> Writer<'a> {
        let compressed = plan.blobs().filter(|(_, treatment)| *treatment != Treatment::Keep);
        Writer {
            archive,
            sink,
            context,
            kept: Mutex::new(HashMap::new()),
            replaced: Mutex::new(BTreeSet::new()),
            compressed: compressed.map(|(blob, _)| read::stored_size(archive, blob)).sum(),
            by_digest: match verify {
                Verify::All => HashSet::new(),
                Verify::Digests => by_digest(archive, plan),
            },
            unplaced: Mutex::new(None),
            stopped: AtomicBool::new(false),
        }
    }

    /// What is read for a blob of the plan.
    pub(super) fn job(&self, blob: BlobId, treatment: Treatment) -> Job {
        let keep = match treatment {
            Treatment::Keep => Keep::Stored,
            Treatment::Recompress(compression) => {
                let size = read::stored_size(self.archive, blob);
                Keep::Recompressed(compression, self.threads(compression, size))
            }
        };
        Job {
            blob,
            keep,
            plain: self.archive.blob(blob).layer && !self.by_digest.contains(&blob),
            plain_other: None,
        }
    }

    /// Threads that may compress a blob of this size.
    ///
    /// Its share of all that is compressed, twice over, because others are not always at it. At the levels of gzip that
    /// take little memory more, so that the last blob is not alone on one core: three for each core in all.
    fn threads(&self, compression: Compression, size: u64) -> usize {
        let (cores, jobs) = (stage::cores(), self.context.jobs.max(1));
        if jobs == 1 || self.sink.ordered() {
            return cores;
        }
        let share = (2 * cores as u64).saturating_mul(size).div_ceil(self.compressed.max(1)) as usize;
        let small = matches!(compression, Compression::Gzip(level) if level < 10);
        let least = if small { 3 * cores / jobs } else { 1 };
        share.max(least).clamp(1, cores)
    }

    /// Reserves places for the blobs that come next, as far as digests and sizes are known; how many steps can be taken
    /// at once then: at least the first.
    pub(super) fn reserve(&self, steps: &[Step]) -> Result<usize> {
        if self.context.jobs == 1 || self.stopped() {
            return Ok(1);
        }
        let (mut blobs, mut at) = (Vec::new(), Vec::new());
        for (i, step) in steps.iter().enumerate() {
            let Step::Blob { blob, treatment: Treatment::Keep } = *step else { break };
            let source = self.archive.blob(blob);
            // A blob without bytes takes no place.
            let Some(member) = source.member else { continue };
            let size = self.archive.tree.member(member).size;
            // One that only claims to be huge must not make the file so.
            let Some(digest) =
                source.digest.as_ref().filter(|_| size <= read::stored_limit(self.context.limits))
            else {
                break;
            };
            blobs.push((digest, size));
            at.push(i);
        }
        let placed = if blobs.len() > 1 { self.sink.reserve(&blobs)? } else { 0 };
        Ok(placed.checked_sub(1).and_then(|last| at.get(last)).map_or(1, |last| last + 1))
    }

    /// Whether the destination holds a blob already, under sound bytes; then that is what is kept of it.
    fn already_there(&self, job: &Job) -> Result<bool> {
        let digest = self.archive.blob(job.blob).digest.as_ref();
        let Some(digest) = digest.filter(|digest| digest.algorithm().is_some()) else { return Ok(false) };
        let sound = match self.sink.has(digest)? {
            Presence::No => return Ok(false),
            Presence::Trusted => true,
            Presence::ToVerify(mut held) => {
                read::is_sound(&mut held, digest, self.context.limits).at("cannot read", "the destination")?
            }
        };
        if sound {
            self.keep(job, digest.clone(), read::stored_size(self.archive, job.blob));
        } else {
            lock(&self.replaced).insert(digest.clone());
        }
        Ok(sound)
    }

    /// Whether something was broken.
    pub(super) fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Why a layer has no place in the destination, if one has none.
    pub(super) fn unplaced(&self) -> Option<Error> {
        lock(&self.unplaced).take()
    }

    /// Whether the destination has a place for what has this digest. A layer that is not the one that its config means has
    /// none in a form that names layers by what they are: a fault of the image, which is told once all of it is read.
    fn places(&self, digest: &Digest) -> bool {
        let Err(error) = self.sink.accepts(digest) else { return true };
        lock(&self.unplaced).get_or_insert(error);
        self.broken();
        false
    }

    /// Layers that were read for their digests alone.
    pub(super) fn by_digest(&self) -> usize {
        self.by_digest.len()
    }

    /// Blobs of the destination that were replaced since they were not what their names said, each once and in an order
    /// that no thread decides.
    pub(super) fn replaced(&self) -> BTreeSet<Digest> {
        lock(&self.replaced).clone()
    }

    /// Digest and size of a blob in the destination.
    pub(super) fn kept(&self, blob: BlobId, treatment: Treatment) -> Option<(Digest, u64)> {
        lock(&self.kept).get(&(blob, treatment)).cloned()
    }

    fn keep(&self, job: &Job, digest: Digest, size: u64) {
        let treatment = match job.keep {
            Keep::Recompressed(compression, _) => Treatment::Recompress(compression),
            Keep::Stored | Keep::Nothing => Treatment::Keep,
        };
        lock(&self.kept).insert((job.blob, treatment), (digest, size));
    }
}

impl Tee for Writer<'_> {
    fn begin(&self, job: &Job, promised: Option<(&Digest, u64)>) -> Result<Option<Box<dyn Taken + '_>>> {
        if self.stopped() || job.keep == Keep::Stored && self.already_there(job)? {
            return Ok(None);
        }
        if let (Keep::Stored, Some((digest, _))) = (job.keep, promised) {
            if !self.places(digest) {
                return Ok(None);
            }
        }
        let staged = self.sink.stage(promised)?;
        Ok(Some(Box::new(OnItsWay { staged, writer: self, job: *job })))
    }

    fn broken(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    fn again(&self, error: Error, attempt: u32) -> Result<()> {
        self.sink.again(error, attempt)
    }
}

/// A blob that is being staged.
struct OnItsWay<'a> {
    staged: Box<dyn Staged + 'a>,
    writer: &'a Writer<'a>,
    job: Job,
}

impl Taken for OnItsWay<'_> {
    fn adopt(&mut self, file: &Path) -> Result<bool> {
        self.staged.adopt(file)
    }

    fn keep(self: Box<Self>, sha256: &Digest, size: u64) -> Result<()> {
        // A blob that its archive names by another algorithm stays under that name, one that cannot be computed
        // included: the manifest names it so.
        let own = self.writer.archive.blob(self.job.blob).digest.as_ref();
        let digest = own.filter(|_| self.job.keep == Keep::Stored).unwrap_or(sha256);
        if self.job.keep != Keep::Stored && !self.writer.places(digest) {
            return Ok(());
        }
        self.staged.keep(digest, size)?;
        self.writer.keep(&self.job, digest.clone(), size);
        Ok(())
    }
}

impl Write for OnItsWay<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.staged.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.staged.flush()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The layers that [`Verify::Digests`] reads for their digests alone: those that have one that can be computed, are
/// kept by every image, and whose diff IDs no destination is made of.
fn by_digest(archive: &Archive, plan: &Plan) -> HashSet<BlobId> {
    let digest = |blob: &BlobId| archive.blob(*blob).digest.as_ref().and_then(Digest::algorithm);
    let blobs = |wanted: fn(Treatment) -> bool| {
        plan.steps.iter().filter_map(move |step| match *step {
            Step::Blob { blob, treatment } => Some(blob).filter(|_| wanted(treatment)),
            Step::Document(_) => None,
        })
    };
    let mut found: HashSet<BlobId> = blobs(|treatment| treatment == Treatment::Keep)
        .filter(|blob| archive.blob(*blob).layer && digest(blob).is_some())
        .collect();
    for blob in blobs(|treatment| treatment != Treatment::Keep) {
        found.remove(&blob);
    }
    for node in &archive.nodes {
        let layers = match &node.body {
            Body::V1 { layers, .. } | Body::Schema1 { layers } => layers,
            Body::Item { parts } => &parts.layers,
            _ => continue,
        };
        for blob in layers.iter().filter_map(|part| part.blob) {
            found.remove(&blob);
        }
    }
    found
}
