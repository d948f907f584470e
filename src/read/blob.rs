//! One blob, read once: what it is like, and its bytes for whoever keeps them.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use super::Context;
use crate::blob::stage::{Keep, Kept, Request, Watch};
use crate::blob::{BlobFacts, pipeline};
use crate::codec::{self, Lookahead, caps};
use crate::digest::{Algorithm, Digest};
use crate::error::{Context as _, Error, Result};
use crate::layer::{LayerFacts, LayerScan, Spool};
use crate::limits::Limits;
use crate::location::MemberId;
use crate::model::{Archive, Blob, BlobId};
use crate::progress::{BlobProgress, Progress};

/// A blob to read, and what is to be kept of it.
#[derive(Debug, Clone, Copy)]
pub struct Job {
    /// Which.
    pub blob: BlobId,
    /// Which bytes the [`Tee`] gets.
    pub keep: Keep,
    /// Whether it is read as a layer: decompressed, for its diff ID.
    pub plain: bool,
    /// A second algorithm for that ID, beside SHA-256; a [`Pool`](super::Pool) knows which one configs ask for.
    pub plain_other: Option<Algorithm>,
}

impl Job {
    /// Everything is found out, nothing kept.
    pub fn judge(archive: &Archive, blob: BlobId) -> Job {
        Job { blob, keep: Keep::Nothing, plain: archive.blob(blob).layer, plain_other: None }
    }
}

/// Where bytes go that are kept. `()` keeps none.
pub trait Tee: Sync {
    /// Makes room for what a job keeps. `promised` is its digest and size as far as they are known beforehand, by its
    /// name in the archive or by an earlier reading. `None` if the bytes are not wanted: the blob is read all the same.
    ///
    /// # Errors
    ///
    /// There is no room.
    fn begin(&self, job: &Job, promised: Option<(&Digest, u64)>) -> Result<Option<Box<dyn Taken + '_>>>;

    /// A blob is not what the archive says, or was not read since it is too large: what was written of it is dropped.
    fn broken(&self);

    /// Whether a blob that could not be taken is tried again, after whatever wait that needs; `attempt` is the number of
    /// tries so far.
    ///
    /// # Errors
    ///
    /// The same error, if it is not.
    fn again(&self, error: Error, _attempt: u32) -> Result<()> {
        Err(error)
    }
}

impl Tee for () {
    fn begin(&self, _: &Job, _: Option<(&Digest, u64)>) -> Result<Option<Box<dyn Taken + '_>>> {
        Ok(None)
    }

    fn broken(&self) {}
}

/// The bytes of one job on their way. Dropped without [`keep`](Taken::keep), they are discarded.
pub trait Taken: Write + Send {
    /// Takes a file as all of it; `false` if that is impossible: then the bytes are written.
    ///
    /// # Errors
    ///
    /// The file cannot be taken, for a reason for which writing would fail, too.
    fn adopt(&mut self, file: &Path) -> Result<bool>;

    /// All is there and sound, and what was kept has this SHA-256 and size.
    ///
    /// # Errors
    ///
    /// It cannot be kept.
    fn keep(self: Box<Self>, sha256: &Digest, size: u64) -> Result<()>;
}

/// What was found out about one blob.
#[derive(Debug, Default)]
pub struct Found {
    /// What it is like; `None` if it has no bytes here, or was not read.
    pub facts: Option<BlobFacts>,
    /// What is in it, if it is a sound layer and layers are looked into.
    pub layer: Option<LayerFacts>,
    /// A layer so large as it is stored that it would expand to more than the limit; it was not read.
    pub oversized: bool,
}

/// Reads one blob once, or not at all if its facts are known since the archive was opened and nobody wants its bytes.
///
/// # Errors
///
/// The archive cannot be read, the tee cannot take what is kept, or the job was cancelled.
pub fn one(archive: &Archive, job: &Job, context: &Context<'_>, tee: &dyn Tee) -> Result<Found> {
    if context.progress.cancelled() {
        return Err(Error::Cancelled);
    }
    let blob = archive.blob(job.blob);
    let Some(member) = blob.member else { return Ok(Found::default()) };
    let size = archive.tree.member(member).size;
    let other = blob.digest.as_ref().and_then(Digest::algorithm).filter(|a| *a != Algorithm::Sha256);
    let Job { plain, plain_other, .. } = *job;
    let request = Request { size, other, plain, plain_other, caps: caps(context.limits) };
    Reading { archive, context, blob, member, request }.run(job, tee)
}

/// Stored bytes of a layer beyond which it is not read: no compression makes data larger by more than this, so the
/// layer would expand to more than the limit.
pub fn stored_limit(limits: &Limits) -> u64 {
    limits.layer_bytes.saturating_add(limits.layer_bytes / 64).saturating_add(1 << 20)
}

/// Stored bytes of a blob; 0 if it is not there.
pub fn stored_size(archive: &Archive, blob: BlobId) -> u64 {
    archive.blob(blob).member.map_or(0, |member| archive.tree.member(member).size)
}

/// Whether bytes that stand elsewhere are those of a digest that can be computed.
///
/// # Errors
///
/// They cannot be read.
pub fn is_sound(bytes: &mut (dyn Read + Send), digest: &Digest, limits: &Limits) -> io::Result<bool> {
    let request = Request {
        size: u64::MAX,
        other: digest.algorithm(),
        plain: false,
        plain_other: None,
        caps: caps(limits),
    };
    let (facts, _) = pipeline::run(bytes, request, Keep::Nothing, &mut io::sink(), None)?;
    Ok(facts.digest_like(digest) == Some(digest))
}

/// The reading of one blob that has bytes.
struct Reading<'a> {
    archive: &'a Archive,
    context: &'a Context<'a>,
    blob: &'a Blob,
    member: MemberId,
    request: Request,
}

impl Reading<'_> {
    fn run(&self, job: &Job, tee: &dyn Tee) -> Result<Found> {
        let known = self.known();
        let mut found = Found::default();
        if let (Some(facts), Some(spool)) = (&known, self.context.scan.as_ref().filter(|_| self.blob.layer)) {
            found.layer = self.scan_spooled(facts, spool)?;
        }
        if known.is_none() && self.blob.layer && self.request.size > stored_limit(self.context.limits) {
            found.oversized = true;
            tee.broken();
            return Ok(found);
        }
        let mut attempt = 1;
        let facts = loop {
            let handed = match self.begin(job, tee, known.as_ref()) {
                Ok(None) => break self.facts(known, &mut found)?,
                Ok(Some(taken)) => self.hand_over(job.keep, known.clone(), taken, &mut found),
                Err(error) => Err(error),
            };
            match handed {
                Ok(facts) => break facts,
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                Err(error) => tee.again(error, attempt)?,
            }
            attempt += 1;
        };
        if !self.sound(&facts) {
            tee.broken();
        }
        // Most blobs are what they are called by.
        let mut facts = facts;
        if let Some(own) = self.blob.digest.as_ref().filter(|own| **own == facts.sha256) {
            facts.sha256 = own.clone();
        }
        // And what is not compressed has one digest.
        if let Some(plain) = facts.plain.as_mut().filter(|plain| plain.diff_id == facts.sha256) {
            plain.diff_id = facts.sha256.clone();
        }
        found.facts = Some(facts);
        Ok(found)
    }

    /// Makes room for what is kept, if something is.
    fn begin<'t>(
        &self,
        job: &Job,
        tee: &'t dyn Tee,
        known: Option<&BlobFacts>,
    ) -> Result<Option<Box<dyn Taken + 't>>> {
        match job.keep {
            Keep::Nothing => Ok(None),
            Keep::Stored => {
                // A digest that nothing has checked yet is only a promise.
                let promised = self.blob.digest.as_ref().map(|digest| (digest, self.request.size));
                tee.begin(job, promised.or(known.map(|facts| (&facts.sha256, facts.size))))
            }
            Keep::Recompressed(..) => tee.begin(job, None),
        }
    }

    /// What the blob is like; it is read if that is not known.
    fn facts(&self, known: Option<BlobFacts>, found: &mut Found) -> Result<BlobFacts> {
        match known {
            Some(facts) => Ok(facts),
            None => Ok(self.read(Keep::Nothing, &mut io::sink(), found)?.0),
        }
    }

    /// Sends what is kept of the blob where it goes, and keeps it there if the blob is sound.
    fn hand_over(
        &self,
        keep: Keep,
        known: Option<BlobFacts>,
        mut taken: Box<dyn Taken + '_>,
        found: &mut Found,
    ) -> Result<BlobFacts> {
        let (facts, kept) = self.take(keep, known, &mut *taken, found)?;
        if let (true, Some((sha256, size))) = (self.sound(&facts), kept) {
            taken.keep(&sha256, size)?;
        }
        Ok(facts)
    }

    /// What was learnt when the archive was opened, if it can be compared with the digests that name the blob.
    fn known(&self) -> Option<BlobFacts> {
        let of = |digest: Option<&Digest>, asked: Option<Algorithm>| {
            asked.is_none() || digest.and_then(Digest::algorithm) == asked
        };
        let comparable = |facts: &&BlobFacts| {
            let plain = facts.plain.as_ref().filter(|_| self.request.plain);
            of(facts.other.as_ref(), self.request.other)
                && plain.is_none_or(|plain| of(plain.other.as_ref(), self.request.plain_other))
        };
        let mut known =
            self.archive.ingested.get(&self.member).map(|facts| &**facts).filter(comparable).cloned();
        // Spooling takes every member for a layer; what a stream is like is asked of those that are read as one.
        if let Some(facts) = known.as_mut().filter(|_| !self.request.plain) {
            (facts.plain, facts.fault) = (None, None);
        }
        known
    }

    /// Hands over what is to be kept: a spooled file as it is, if it is to be kept so.
    fn take(
        &self,
        keep: Keep,
        known: Option<BlobFacts>,
        mut taken: &mut dyn Taken,
        found: &mut Found,
    ) -> Result<(BlobFacts, Kept)> {
        let Some(facts) = known.filter(|_| keep == Keep::Stored) else {
            return self.read(keep, &mut taken, found);
        };
        let tree = &self.archive.tree;
        let adopted = match tree.own_file(self.member) {
            Some(file) => taken.adopt(&file)?,
            None => false,
        };
        if !adopted {
            io::copy(&mut tree.reader(self.member)?, taken).at("cannot write", &tree.place)?;
        }
        let kept = (facts.sha256.clone(), facts.size);
        Ok((facts, Some(kept)))
    }

    fn read(&self, keep: Keep, tee: &mut (dyn Write + Send), found: &mut Found) -> Result<(BlobFacts, Kept)> {
        let place = &self.archive.tree.place;
        let mut failed = None;
        let scan = self.context.scan.as_ref().filter(|_| self.request.plain);
        let mut scan = scan.map(|spool| LayerScan::new(self.context.limits, spool));
        let mut watch = scan.as_mut().map(|scan| |bytes: &[u8]| scan.push(bytes));
        let watch: Watch<'_> = watch.as_mut().map(|watch| watch as _);
        let result = match self.blob.document {
            // Documents were read when the archive was opened.
            Some(id) => {
                let bytes = Arc::clone(&self.archive.document(id).bytes);
                pipeline::run(&mut &bytes[..], self.request, keep, tee, watch)
            }
            None => {
                let inner = self.archive.tree.reader(self.member)?;
                let (progress, name) = (self.context.progress, self.archive.tree.member(self.member));
                let called =
                    || self.blob.digest.as_ref().map_or_else(|| name.name().to_string(), Digest::to_string);
                let blob = progress.blob(&called(), self.request.size);
                let mut reader = Counted { inner, progress, blob: blob.as_deref(), failed: &mut failed };
                pipeline::run(&mut reader, self.request, keep, tee, watch)
            }
        };
        match result {
            Ok((facts, kept)) => {
                // Of a layer that breaks off that alone is said.
                if let Some(scan) = scan.filter(|_| facts.fault.is_none() && facts.missing == 0) {
                    found.layer = Some(looked_into(scan)?);
                }
                Ok((facts, kept))
            }
            Err(_) if self.context.progress.cancelled() => Err(Error::Cancelled),
            Err(error) if failed.is_some() => Err(error).at("cannot read", place),
            Err(error) => Err(error).at("cannot write", "the destination"),
        }
    }

    /// Looks into a layer that was spooled: its bytes are known to be what they should be.
    fn scan_spooled(&self, facts: &BlobFacts, spool: &Arc<Spool>) -> Result<Option<LayerFacts>> {
        if facts.plain.is_none() || facts.missing > 0 {
            return Ok(None);
        }
        let mut scan = LayerScan::new(self.context.limits, spool);
        let mut reader = Lookahead::new(self.archive.tree.reader(self.member)?);
        codec::decode(facts.codec, &mut reader, self.request.caps, &mut |bytes| {
            scan.push(bytes);
            Ok(())
        })
        .at("cannot read", &self.archive.tree.place)?;
        looked_into(scan).map(Some)
    }

    /// Whether the blob is what its name promises, so that it may be kept.
    fn sound(&self, facts: &BlobFacts) -> bool {
        let wanted = self.blob.digest.as_ref();
        let same = wanted.is_none_or(|wanted| facts.digest_like(wanted).is_none_or(|found| found == wanted));
        same && facts.fault.is_none() && facts.missing == 0
    }
}

fn looked_into(scan: LayerScan) -> Result<LayerFacts> {
    scan.finish().at("cannot use", "the temporary file of paths")
}

/// Tells progress, stops when it says so, and remembers that an error was one of reading.
struct Counted<'a> {
    inner: Box<dyn Read + Send>,
    progress: &'a dyn Progress,
    blob: Option<&'a dyn BlobProgress>,
    failed: &'a mut Option<()>,
}

impl Read for Counted<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.progress.cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        let n = self.inner.read(into).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                *self.failed = Some(());
            }
        })?;
        self.progress.read(n as u64);
        if let Some(blob) = self.blob {
            blob.read(n as u64);
        }
        Ok(n)
    }
}
