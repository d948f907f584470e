//! Carries out a plan: every blob once through the pipeline and into the sink, then the documents, then the commit.
//!
//! A blob that turns out to be broken stops the writing, not the reading: one run lists every fault. Without a sink
//! the same walk only checks.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::blob::stage::{Keep, Kept, Request, Watch};
use crate::blob::{BlobFacts, pipeline, stage};
use crate::codec::{self, Compression, Lookahead, caps};
use crate::convert::account::{Account, Action, Entry, Kind};
use crate::convert::plan::{Make, Plan, Step, Target, Treatment};
use crate::convert::rewrite::{self, Now};
use crate::digest::{Algorithm, Digest, Hasher};
use crate::error::{Context as _, Error, Result};
use crate::facts::Facts;
use crate::form::sink::{OutBlob, OutBody, OutDocument, OutImage, OutRoot, Output, Sink};
use crate::layer::stack::{self, Judged};
use crate::layer::{LayerFacts, LayerScan, Spool};
use crate::limits::Limits;
use crate::location::MemberId;
use crate::media::{Codec, Family};
use crate::model::{
    Archive, BlobId, Body, Descriptor, ImageParts, Name, NodeId, Part, Role, legacy, statement,
};
use crate::source::TreeAnomaly;

/// Told of bytes read, from any thread.
pub type Progress<'a> = &'a (dyn Fn(u64) + Sync);

/// What is verified of layers that are kept as they are. Layers whose diff IDs are needed to write the destination, or
/// that no digest covers, are always decompressed; so are those that some image has anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// Digests, the compressed stream, and diff IDs.
    #[default]
    All,
    /// Digests and sizes.
    Digests,
}

/// What a run needs besides archive and plan.
pub struct Context<'a> {
    /// The caps in force.
    pub limits: &'a Limits,
    /// Blobs read at once.
    pub jobs: usize,
    /// What is verified of layers.
    pub verify: Verify,
    /// Where to keep the paths of layers, if layers are to be looked into.
    pub scan: Option<Arc<Spool>>,
    /// Told of bytes read.
    pub progress: Progress<'a>,
}

/// What a run found out and did.
pub struct Outcome {
    /// Facts of every blob that was read.
    pub facts: Facts,
    /// What was made for the destination; `None` if writing stopped because of a broken blob, or nothing was to be
    /// written.
    pub written: Option<Written>,
}

/// A conversion that is ready to be committed.
pub struct Written {
    /// The graph.
    pub output: Output,
    /// What became of everything.
    pub account: Account,
}

/// Reads the blobs that a plan needs, or all that anything points at if there is no plan to write.
pub fn check(archive: &Archive, blobs: &[BlobId], context: &Context<'_>) -> Result<Facts> {
    let run = Run::new(archive, None, context);
    let steps: Vec<Step> =
        blobs.iter().map(|&blob| Step::Blob { blob, treatment: Treatment::Keep }).collect();
    let read = run.blobs(&steps);
    // What a change of the source led to is not what is to be told.
    archive.tree.unchanged()?;
    read?;
    let mut facts = run.take_facts();
    duplicates(archive, &mut facts)?;
    Ok(facts)
}

/// The digests of members that share a name, without which nobody can tell whether they are the same: of those whose
/// sizes differ none is needed, and what was read already is not read again.
///
/// # Errors
///
/// The archive cannot be read.
pub fn duplicates(archive: &Archive, facts: &mut Facts) -> Result<()> {
    let tree = &archive.tree;
    let pairs = tree.anomalies.iter().filter_map(|anomaly| match anomaly {
        TreeAnomaly::Duplicate { first, again } => Some([*first, *again]),
        _ => None,
    });
    let alike = |[first, again]: &[MemberId; 2]| {
        let (first, again) = (tree.member(*first), tree.member(*again));
        first.kind == again.kind && first.size == again.size && first.size > 0
    };
    let wanted: BTreeSet<MemberId> = pairs.filter(alike).flatten().collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let blobs = archive.blobs.iter().zip(&facts.blobs);
    let known: HashMap<MemberId, Digest> = blobs
        .filter_map(|(blob, facts)| Some((blob.member?, facts.as_ref()?.sha256.clone())))
        .chain(archive.documents.iter().map(|document| (document.member, document.sha256.clone())))
        .chain(archive.ingested.iter().map(|(member, facts)| (*member, facts.sha256.clone())))
        .filter(|(member, _)| wanted.contains(member))
        .collect();
    facts.members.extend(known);
    for member in wanted {
        if let std::collections::hash_map::Entry::Vacant(slot) = facts.members.entry(member) {
            let mut tee = Hashed(Hasher::new(Algorithm::Sha256));
            io::copy(&mut tree.reader(member)?, &mut tee).at("cannot read", &tree.place)?;
            slot.insert(tee.0.finish());
        }
    }
    archive.tree.unchanged()
}

/// Hashes what is written.
struct Hashed(Hasher);

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How often one layer is judged in one image: where it lies upon itself once more, there is nothing new to find.
const SAME_LAYER: u32 = 4;
/// Paths that are looked up in lower layers, all images together: half a minute. An image of 125 layers, each with a
/// thousand directories that lower layers made, takes 16 million.
const LOOKUPS: u64 = 100_000_000;

/// What takes more than one blob to know: what statements are about, and each layer by those below it, as far as they
/// were looked into (above one that was not, nothing is known).
///
/// # Errors
///
/// The archive, or the temporary file with the paths, cannot be read.
pub fn across(archive: &Archive, facts: &mut Facts) -> Result<()> {
    facts.subjects = statement::subjects(archive)?;
    let mut judged = Judged::default();
    let mut lookups = LOOKUPS;
    for (i, node) in archive.nodes.iter().enumerate() {
        let parts = match &node.body {
            Body::Manifest { parts, .. } | Body::Item { parts } if parts.role == Role::Image => &parts.layers,
            Body::V1 { layers, .. } | Body::Schema1 { layers } => layers,
            _ => continue,
        };
        let blobs = parts.iter().map_while(|part| part.blob.filter(|&blob| facts.layer(blob).is_some()));
        let blobs: Vec<BlobId> = blobs.collect();
        let layers: Vec<&LayerFacts> = blobs.iter().filter_map(|&blob| facts.layer(blob)).collect();
        let mut below = Judged::BASE;
        let mut found = Vec::new();
        let mut times = HashMap::new();
        for (top, blob) in blobs.iter().enumerate() {
            let first;
            (below, first) = judged.lies_on(below, blob.0);
            let time = times.entry(blob).and_modify(|n| *n += 1).or_insert(1);
            if first && *time <= SAME_LAYER {
                let odd = stack::judge(&layers[..=top], &mut lookups)
                    .at("cannot read", "the temporary file of paths")?;
                found.extend((!odd.is_empty()).then_some(((NodeId(i as u32), top), odd)));
            }
        }
        facts.stacks.extend(found);
    }
    Ok(())
}

/// Writes blobs and documents: blobs first where the order does not matter; else in the plan's order, blobs whose
/// places can be reserved at once.
fn write(run: &Run<'_>, documents: &mut Documents<'_>, plan: &Plan, sink: &dyn Sink) -> Result<()> {
    let ordered = sink.ordered();
    if !ordered {
        let blob = |step: &Step| matches!(step, Step::Blob { .. });
        let blobs: Vec<Step> = plan.steps.iter().copied().filter(blob).collect();
        run.blobs(&blobs)?;
    }
    let mut steps = &plan.steps[..];
    while let Some((step, rest)) = steps.split_first() {
        steps = match step {
            Step::Blob { .. } if ordered => {
                let at_once = run.reserve(sink, steps)?;
                run.blobs(&steps[..at_once])?;
                &steps[at_once..]
            }
            Step::Blob { .. } => rest,
            Step::Document(node) => {
                documents.make(*node)?;
                rest
            }
        };
    }
    Ok(())
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

/// Carries out a plan into a sink, all but the commit.
pub fn run(
    archive: &Archive,
    plan: &Plan,
    target: Target,
    sink: &dyn Sink,
    context: &Context<'_>,
) -> Result<Outcome> {
    let mut run = Run::new(archive, Some(sink), context);
    let compressed = |step: &&Step| matches!(step, Step::Blob { treatment: Treatment::Recompress(_), .. });
    run.compressed = plan.steps.iter().filter(compressed).map(|step| stored_size(archive, step)).sum();
    if context.verify == Verify::Digests {
        run.by_digest = by_digest(archive, plan);
    }
    let run = run;
    let mut documents = Documents {
        archive,
        plan,
        target,
        run: &run,
        output: Output::default(),
        account: Account::default(),
        now: HashMap::new(),
        made: HashSet::new(),
        moved: HashSet::new(),
        names: HashMap::new(),
    };
    for planned in plan.roots.iter().filter(|planned| planned.root.name != Name::None) {
        documents.names.entry(planned.root.node).or_insert_with(|| planned.root.name.shown());
    }
    let written = write(&run, &mut documents, plan, sink);
    // What a change of the source led to is not what is to be told.
    archive.tree.unchanged()?;
    written?;
    documents.roots();
    documents.stale_references();
    let Documents { output, mut account, .. } = documents;
    let facts = run.take_facts();
    if run.stopped() {
        return Ok(Outcome { facts, written: None });
    }
    account.entries.extend(plan.entries.iter().cloned());
    let zstd = |step: &Step| match *step {
        Step::Blob { blob, treatment: Treatment::Recompress(compression) } => {
            archive.blob(blob).layer && compression.codec() == Codec::Zstd
        }
        Step::Blob { blob, treatment: Treatment::Keep } => {
            archive.blob(blob).layer && facts.get(blob).is_some_and(|facts| facts.codec == Codec::Zstd)
        }
        Step::Document(_) => false,
    };
    if target == Target::DockerArchive && plan.steps.iter().any(zstd) {
        let why = "Docker before 23 cannot load them; --compress gzip writes layers that it can";
        account.entries.push(Entry::note(Kind::Other, Action::Kept, "zstd layers", why));
    }
    if !run.by_digest.is_empty() {
        let what = crate::finding::counted(run.by_digest.len() as u64, "layer");
        let why = "only digests are verified, neither compressed streams nor diff IDs";
        account.entries.push(Entry::note(Kind::Other, Action::Kept, what, why));
    }
    for digest in lock(&run.replaced).iter() {
        let why = "the destination held other bytes under this digest";
        let before = None;
        let after = Some(digest.clone());
        let what = "blob in the destination".to_owned();
        account.entries.push(Entry {
            kind: Kind::Other,
            action: Action::Rewritten,
            what,
            before,
            after,
            why: why.into(),
        });
    }
    Ok(Outcome { facts, written: Some(Written { output, account }) })
}

/// The config of an image with its diff IDs, made from facts where the source has no config.
pub fn config_of(archive: &Archive, node: NodeId, facts: &Facts) -> Result<Option<(Vec<u8>, Vec<Digest>)>> {
    let diff_id = |part: &Part| facts.get(part.blob?)?.plain.as_ref().map(|plain| plain.diff_id.clone());
    Ok(match &archive.node(node).body {
        Body::Manifest { parts, .. } | Body::Item { parts } => archive.config(parts).map(|config| {
            let diff_ids = config.diff_ids().unwrap_or_default().into_iter().flatten().collect();
            (config.document.bytes.to_vec(), diff_ids)
        }),
        Body::V1 { chain, layers } => {
            let diff_ids: Vec<Digest> = layers.iter().filter_map(diff_id).collect();
            Some((v1_config(archive, chain, &diff_ids)?, diff_ids))
        }
        Body::Schema1 { layers } => {
            let document = archive.node(node).document.map(|id| archive.document(id));
            let Some((document, root)) = document.and_then(|document| Some((document, document.root()?)))
            else {
                return Ok(None);
            };
            let parsed = legacy::Schema1::parse(root, document.depth);
            let diff_ids: Vec<Digest> =
                schema1_parts(&parsed, layers).into_iter().filter_map(diff_id).collect();
            Some((schema1_config(&parsed, &diff_ids)?, diff_ids))
        }
        _ => None,
    })
}

fn v1_config(archive: &Archive, chain: &[crate::model::DocId], diff_ids: &[Digest]) -> Result<Vec<u8>> {
    let chain: Vec<_> = chain
        .iter()
        .filter_map(|&id| {
            let document = archive.document(id);
            Some((&document.bytes[..], document.root()?))
        })
        .collect();
    legacy::config_from_v1(&chain, diff_ids)
        .map_err(|error| Error::refused(format!("no config can be made from the v1 images: {error}")))
}

fn schema1_config(manifest: &legacy::Schema1, diff_ids: &[Digest]) -> Result<Vec<u8>> {
    legacy::config_from_schema1(manifest, diff_ids)
        .map_err(|error| Error::refused(format!("no config can be made from schema 1: {error}")))
}

/// The parts of a schema 1 manifest that are layers of the image: empty ones are not.
fn schema1_parts<'p>(manifest: &legacy::Schema1, parts: &'p [Part]) -> Vec<&'p Part> {
    let at = |index: usize| crate::location::At::Pointer(format!("/fsLayers/{index}/blobSum"));
    let kept = manifest.layers.iter().filter(|layer| !layer.empty);
    kept.filter_map(|layer| parts.iter().find(|part| part.at.at == at(layer.index))).collect()
}

/// Stored bytes of a layer beyond which it is not read: no compression makes data larger by more than this, so the
/// layer would expand to more than the limit.
fn stored_limit(limits: &Limits) -> u64 {
    limits.layer_bytes.saturating_add(limits.layer_bytes / 64).saturating_add(1 << 20)
}

/// Stored bytes of the blob of a step.
fn stored_size(archive: &Archive, step: &Step) -> u64 {
    match *step {
        Step::Blob { blob, .. } => {
            archive.blob(blob).member.map_or(0, |member| archive.tree.member(member).size)
        }
        Step::Document(_) => 0,
    }
}

/// The state that the threads of a run share.
struct Run<'a> {
    archive: &'a Archive,
    sink: Option<&'a dyn Sink>,
    context: &'a Context<'a>,
    facts: Mutex<Facts>,
    kept: Mutex<HashMap<(BlobId, Treatment), (Digest, u64)>>,
    /// Blobs that the destination held under other bytes than their digest's, and that were replaced.
    replaced: Mutex<Vec<Digest>>,
    /// Bytes of all blobs that are compressed anew, as they are stored in the source.
    compressed: u64,
    /// Layers that are read for their digests alone.
    by_digest: HashSet<BlobId>,
    /// Set once something is broken: from then on blobs are read, but nothing is written.
    stopped: AtomicBool,
}

impl<'a> Run<'a> {
    fn new(archive: &'a Archive, sink: Option<&'a dyn Sink>, context: &'a Context<'a>) -> Run<'a> {
        Run {
            archive,
            sink,
            context,
            facts: Mutex::new(Facts::of(archive.blobs.len())),
            kept: Mutex::new(HashMap::new()),
            replaced: Mutex::new(Vec::new()),
            compressed: 0,
            by_digest: HashSet::new(),
            stopped: AtomicBool::new(false),
        }
    }

    /// Threads that may compress a blob of this size.
    ///
    /// Its share of all that is compressed, twice over, because others are not always at it. At the levels of gzip that
    /// take little memory more, so that the last blob is not alone on one core: three for each core in all.
    fn threads(&self, compression: Compression, size: u64) -> usize {
        let (cores, jobs) = (stage::cores(), self.context.jobs.max(1));
        if jobs == 1 || self.sink.is_some_and(|sink| sink.ordered()) {
            return cores;
        }
        let share = (2 * cores as u64).saturating_mul(size).div_ceil(self.compressed.max(1)) as usize;
        let small = matches!(compression, Compression::Gzip(level) if level < 10);
        let least = if small { 3 * cores / jobs } else { 1 };
        share.max(least).clamp(1, cores)
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// The facts so far; not cloned, as there may be many.
    fn take_facts(&self) -> Facts {
        std::mem::take(&mut *lock(&self.facts))
    }

    fn fact(&self, blob: BlobId) -> Option<BlobFacts> {
        lock(&self.facts).get(blob).cloned()
    }

    /// Reserves places for the blobs that come next, as far as digests and sizes are known; how many steps can be taken
    /// at once then: at least the first.
    fn reserve(&self, sink: &dyn Sink, steps: &[Step]) -> Result<usize> {
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
            let Some(digest) = source.digest.as_ref().filter(|_| size <= stored_limit(self.context.limits))
            else {
                break;
            };
            blobs.push((digest, size));
            at.push(i);
        }
        let placed = if blobs.len() > 1 { sink.reserve(&blobs)? } else { 0 };
        Ok(placed.checked_sub(1).and_then(|last| at.get(last)).map_or(1, |last| last + 1))
    }

    /// Reads blobs on as many threads as allowed; the largest first, so that none is left alone at the end.
    fn blobs(&self, steps: &[Step]) -> Result<()> {
        let jobs = self.context.jobs.clamp(1, steps.len().max(1));
        if jobs == 1 {
            return steps.iter().try_for_each(|step| self.step(step));
        }
        let mut steps = steps.to_vec();
        steps.sort_by_key(|step| std::cmp::Reverse(stored_size(self.archive, step)));
        let next = AtomicUsize::new(0);
        let failed: Mutex<Option<Error>> = Mutex::new(None);
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| {
                    while let Some(step) = steps.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if let Err(error) = self.step(step) {
                            lock(&failed).get_or_insert(error);
                            next.store(steps.len(), Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        lock(&failed).take().map_or(Ok(()), Err)
    }

    fn step(&self, step: &Step) -> Result<()> {
        let Step::Blob { blob, treatment } = *step else { return Ok(()) };
        let source = self.archive.blob(blob);
        let Some(member) = source.member else { return Ok(()) };
        let size = self.archive.tree.member(member).size;
        let other = source.digest.as_ref().and_then(Digest::algorithm).filter(|a| *a != Algorithm::Sha256);
        let plain = source.layer && !self.by_digest.contains(&blob);
        let request = Request { size, other, plain, caps: caps(self.context.limits) };
        // What was learnt in spooling counts only if it can be compared with the blob's own digest.
        let comparable =
            |facts: &&BlobFacts| other.is_none() || facts.other.as_ref().and_then(Digest::algorithm) == other;
        let mut known = self.archive.ingested.get(&member).map(|facts| &**facts).filter(comparable).cloned();
        // Spooling takes every member for a layer; what a stream is like is asked of those that are read as one.
        if let Some(facts) = known.as_mut().filter(|_| !plain) {
            (facts.plain, facts.fault) = (None, None);
        }
        if let (Some(facts), Some(spool)) = (&known, self.context.scan.as_ref().filter(|_| source.layer)) {
            self.scan_spooled(blob, facts, spool)?;
        }
        if known.is_none() && source.layer && size > stored_limit(self.context.limits) {
            lock(&self.facts).oversized.insert(blob);
            self.stop();
            return Ok(());
        }
        let sink = self.sink.filter(|_| !self.stopped());
        let Some(sink) = sink else {
            let facts = match known {
                Some(facts) => facts,
                None => self.read(blob, request, Keep::Nothing, &mut io::sink())?.0,
            };
            self.note(blob, facts);
            return Ok(());
        };
        let keep = match treatment {
            Treatment::Keep => Keep::Stored,
            Treatment::Recompress(compression) => {
                Keep::Recompressed(compression, self.threads(compression, size))
            }
        };
        if treatment == Treatment::Keep && self.already_there(sink, source.digest.as_ref())? {
            let facts = match known {
                Some(facts) => facts,
                None => self.read(blob, request, Keep::Nothing, &mut io::sink())?.0,
            };
            let digest = source.digest.as_ref().unwrap_or(&facts.sha256).clone();
            self.keep(blob, treatment, digest, facts.size);
            self.note(blob, facts);
            return Ok(());
        }
        // A digest that nothing has checked yet is only a promise; the sink compares it when the blob is kept.
        let expected =
            source.digest.as_ref().filter(|_| treatment == Treatment::Keep).map(|digest| (digest, size));
        let known_digest =
            known.as_ref().filter(|_| treatment == Treatment::Keep).map(|f| (f.sha256.clone(), f.size));
        let expected = expected.or(known_digest.as_ref().map(|(digest, size)| (digest, *size)));
        let mut attempt = 1;
        let facts = loop {
            match self.stage(sink, (blob, member, treatment), request, keep, expected, known.clone()) {
                Ok(facts) => break facts,
                Err(error) => sink.again(error, attempt)?,
            }
            attempt += 1;
        };
        self.note(blob, facts);
        Ok(())
    }

    /// Sends one blob through the pipeline into the sink.
    fn stage(
        &self,
        sink: &dyn Sink,
        (blob, member, treatment): (BlobId, MemberId, Treatment),
        request: Request,
        keep: Keep,
        expected: Option<(&Digest, u64)>,
        known: Option<BlobFacts>,
    ) -> Result<BlobFacts> {
        let source = self.archive.blob(blob);
        let mut staged = sink.stage(expected)?;
        let spooled = self.archive.tree.spooled_file(member).filter(|_| treatment == Treatment::Keep);
        let adopted = match spooled {
            Some(file) if known.is_some() => staged.adopt(file)?,
            _ => false,
        };
        let (facts, kept) = match known {
            Some(facts) if adopted => {
                let kept = (facts.sha256.clone(), facts.size);
                (facts, Some(kept))
            }
            Some(facts) if treatment == Treatment::Keep => {
                let mut reader = self.archive.tree.reader(member)?;
                io::copy(&mut reader, &mut staged).at("cannot write", &self.archive.tree.place)?;
                let kept = (facts.sha256.clone(), facts.size);
                (facts, Some(kept))
            }
            _ => self.read(blob, request, keep, &mut Tee(&mut *staged))?,
        };
        let sound = self.sound(blob, &facts);
        if let (true, Some((sha256, size))) = (sound, kept) {
            // A blob that its archive names by another algorithm stays under that name, one that cannot be computed
            // included: the manifest names it so.
            let digest = source.digest.as_ref().filter(|_| treatment == Treatment::Keep).cloned();
            let digest = digest.unwrap_or(sha256);
            staged.keep(&digest, size)?;
            self.keep(blob, treatment, digest, size);
        }
        Ok(facts)
    }

    fn read(
        &self,
        blob: BlobId,
        request: Request,
        keep: Keep,
        tee: &mut (dyn Write + Send),
    ) -> Result<(BlobFacts, Kept)> {
        let source = self.archive.blob(blob);
        let place = &self.archive.tree.place;
        let Some(member) = source.member else { return Err(Error::refused("a blob without bytes")) };
        let mut failed = None;
        let scan = self.context.scan.as_ref().filter(|_| request.plain);
        let mut scan = scan.map(|spool| LayerScan::new(self.context.limits, spool));
        let mut watch = scan.as_mut().map(|scan| |bytes: &[u8]| scan.push(bytes));
        let watch: Watch<'_> = watch.as_mut().map(|watch| watch as _);
        let result = match source.document {
            // Documents were read when the archive was opened.
            Some(id) => {
                let bytes = Arc::clone(&self.archive.document(id).bytes);
                pipeline::run(&mut &bytes[..], request, keep, tee, watch)
            }
            None => {
                let inner = self.archive.tree.reader(member)?;
                let mut reader = Counted { inner, progress: self.context.progress, failed: &mut failed };
                pipeline::run(&mut reader, request, keep, tee, watch)
            }
        };
        match result {
            Ok((facts, kept)) => {
                // Of a layer that breaks off that alone is said.
                if let Some(scan) = scan.filter(|_| facts.fault.is_none() && facts.missing == 0) {
                    self.note_layer(blob, scan)?;
                }
                Ok((facts, kept))
            }
            Err(error) if failed.is_some() => Err(error).at("cannot read", place),
            Err(error) => Err(error).at("cannot write", "the destination"),
        }
    }

    /// Looks into a layer that was spooled: its bytes are known to be what they should be.
    fn scan_spooled(&self, blob: BlobId, facts: &BlobFacts, spool: &Arc<Spool>) -> Result<()> {
        let member = self.archive.blob(blob).member;
        let Some(member) = member.filter(|_| facts.plain.is_some() && facts.missing == 0) else {
            return Ok(());
        };
        let place = &self.archive.tree.place;
        let mut scan = LayerScan::new(self.context.limits, spool);
        let mut reader = Lookahead::new(self.archive.tree.reader(member)?);
        codec::decode(facts.codec, &mut reader, caps(self.context.limits), &mut |bytes| {
            scan.push(bytes);
            Ok(())
        })
        .at("cannot read", place)?;
        self.note_layer(blob, scan)
    }

    fn note_layer(&self, blob: BlobId, scan: LayerScan) -> Result<()> {
        let found = scan.finish().at("cannot use", "the temporary file of paths")?;
        lock(&self.facts).layers.insert(blob, Arc::new(found));
        Ok(())
    }

    /// Whether the destination holds the blob already, under sound bytes.
    fn already_there(&self, sink: &dyn Sink, digest: Option<&Digest>) -> Result<bool> {
        let Some(digest) = digest.filter(|digest| digest.algorithm().is_some()) else { return Ok(false) };
        let Some(mut reader) = sink.holds(digest)? else { return Ok(false) };
        let request = Request {
            size: u64::MAX,
            other: digest.algorithm(),
            plain: false,
            caps: caps(self.context.limits),
        };
        let (facts, _) = pipeline::run(&mut reader, request, Keep::Nothing, &mut io::sink(), None)
            .at("cannot read", "the destination")?;
        let sound = facts.digest_like(digest) == Some(digest);
        if !sound {
            lock(&self.replaced).push(digest.clone());
        }
        Ok(sound)
    }

    /// Whether a blob is what its name promises, so that it may be written.
    fn sound(&self, blob: BlobId, facts: &BlobFacts) -> bool {
        let wanted = self.archive.blob(blob).digest.as_ref();
        let same = wanted.is_none_or(|wanted| facts.digest_like(wanted).is_none_or(|found| found == wanted));
        same && facts.fault.is_none() && facts.missing == 0
    }

    fn note(&self, blob: BlobId, facts: BlobFacts) {
        if !self.sound(blob, &facts) {
            self.stop();
        }
        if let Some(slot) = lock(&self.facts).blobs.get_mut(blob.0 as usize) {
            *slot = Some(facts);
        }
    }

    fn keep(&self, blob: BlobId, treatment: Treatment, digest: Digest, size: u64) {
        lock(&self.kept).insert((blob, treatment), (digest, size));
    }

    fn kept(&self, blob: BlobId, treatment: Treatment) -> Option<(Digest, u64)> {
        lock(&self.kept).get(&(blob, treatment)).cloned()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Passes bytes on to a staged blob.
struct Tee<'a>(&'a mut (dyn crate::form::sink::Staged + 'a));

impl Write for Tee<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Tells progress, and remembers that an error was one of reading.
struct Counted<'a> {
    inner: Box<dyn Read + Send>,
    progress: Progress<'a>,
    failed: &'a mut Option<()>,
}

impl Read for Counted<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(into).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                *self.failed = Some(());
            }
        })?;
        (self.progress)(n as u64);
        Ok(n)
    }
}

/// Makes the documents of the destination, children before parents.
struct Documents<'a> {
    archive: &'a Archive,
    plan: &'a Plan,
    target: Target,
    run: &'a Run<'a>,
    output: Output,
    account: Account,
    /// What each node is in the destination.
    now: HashMap<NodeId, Now>,
    /// Digests of the documents that were made.
    made: HashSet<Digest>,
    /// Digests in the source of those that have another now.
    moved: HashSet<String>,
    /// The first name of every root.
    names: HashMap<NodeId, String>,
}

impl Documents<'_> {
    fn make(&mut self, node: NodeId) -> Result<()> {
        if self.run.stopped() {
            return Ok(());
        }
        let source = self.archive.node(node);
        let make = self.plan.make.get(&node).cloned().unwrap_or(Make::Keep);
        match &source.body {
            Body::Index { family, children } => self.index(node, *family, children, make),
            Body::Manifest { family, parts } => self.manifest(node, *family, parts, make),
            Body::Item { parts } => self.item(node, parts, make),
            Body::V1 { chain, layers } => {
                let diff_ids = self.diff_ids(layers);
                let config = v1_config(self.archive, chain, &diff_ids)?;
                let layers: Vec<&Part> = layers.iter().collect();
                self.without_config(node, config, &layers, &diff_ids, make, "made from v1 images")
            }
            Body::Schema1 { layers } if make != Make::Keep => self.schema1(node, layers, make),
            Body::Schema1 { layers } => {
                let blobs = self.blobs(layers.iter());
                self.keep_schema1(node, OutBody::Opaque { blobs })
            }
            Body::ArtifactManifest { blobs } => {
                let blobs = self.blobs(blobs.iter());
                self.keep(node, OutBody::Opaque { blobs })
            }
            Body::Opaque | Body::Layer { .. } => self.keep(node, OutBody::Opaque { blobs: Vec::new() }),
            Body::Absent => Ok(()),
        }
    }

    /// A document whose bytes stay.
    fn keep(&mut self, node: NodeId, body: OutBody) -> Result<()> {
        let source = self.archive.node(node);
        let (Some(digest), Some(bytes)) = (source.digest.clone(), self.bytes(node)?) else { return Ok(()) };
        let media_type = source.media_type.clone().unwrap_or_default();
        let now = Now { digest, size: bytes.len() as u64, media_type, changed: false };
        self.document(node, now, bytes, body, Action::Kept, String::new())
    }

    /// Registries store the payload of a schema 1 manifest, whose digest it is, without the signatures.
    fn keep_schema1(&mut self, node: NodeId, body: OutBody) -> Result<()> {
        let source = self.archive.node(node);
        let Some(document) = source.document.map(|id| self.archive.document(id)) else { return Ok(()) };
        let payload = match &document.json {
            Ok(json) if self.target == Target::Storage => {
                legacy::jws::Jws::read(&document.bytes, &json.root, document.depth).payload
            }
            _ => None,
        };
        let Some(payload) = payload.filter(|payload| payload[..] != document.bytes[..]) else {
            return self.keep(node, body);
        };
        let what = format!("signatures of {}", self.describe(node));
        let why = "registries store the signed payload alone; the digest stays";
        self.account.entries.push(Entry::note(Kind::Other, Action::Dropped, what, why));
        let media_type = crate::media::DOCKER_SCHEMA1.to_owned();
        let digest = Digest::sha256(&payload);
        let now = Now { digest, size: payload.len() as u64, media_type, changed: false };
        self.document(node, now, payload.into(), body, Action::Kept, String::new())
    }

    fn bytes(&self, node: NodeId) -> Result<Option<Arc<[u8]>>> {
        let source = self.archive.node(node);
        if let Some(id) = source.document {
            return Ok(Some(Arc::clone(&self.archive.document(id).bytes)));
        }
        let Some(member) = source.blob.and_then(|blob| self.archive.blob(blob).member) else {
            return Ok(None);
        };
        let limit = self.run.context.limits.document_bytes;
        Ok(self.archive.tree.read(member, limit)?.map(Arc::from))
    }

    fn document(
        &mut self,
        node: NodeId,
        now: Now,
        bytes: Arc<[u8]>,
        body: OutBody,
        action: Action,
        why: String,
    ) -> Result<()> {
        let source = self.archive.node(node);
        let kind = if matches!(source.body, Body::Index { .. }) { Kind::Index } else { Kind::Manifest };
        let what = self.describe(node);
        self.account.entries.push(Entry {
            kind,
            action,
            what,
            before: source.digest.clone(),
            after: Some(now.digest.clone()),
            why,
        });
        let signatures = if action == Action::Kept && self.target == Target::SkopeoDir {
            self.signatures(node)?
        } else {
            if !source.signatures.is_empty() {
                let why = if self.target == Target::SkopeoDir {
                    "they sign a manifest that changed"
                } else {
                    "only dir: layouts hold them"
                };
                let what = format!("signatures of {}", self.describe(node));
                self.account.entries.push(Entry::note(Kind::Other, Action::Dropped, what, why));
            }
            Vec::new()
        };
        let document = OutDocument {
            digest: now.digest.clone(),
            media_type: now.media_type.clone(),
            bytes,
            body,
            signatures,
        };
        let before = source.digest.as_ref().filter(|before| **before != now.digest);
        self.moved.extend(before.map(ToString::to_string));
        self.now.insert(node, now);
        if self.made.insert(document.digest.clone()) {
            if let Some(sink) = self.run.sink {
                sink.document(&document)?;
            }
            self.output.documents.push(document);
        }
        Ok(())
    }

    fn signatures(&self, node: NodeId) -> Result<Vec<Arc<[u8]>>> {
        let limit = self.run.context.limits.document_bytes;
        let mut found = Vec::new();
        for &member in &self.archive.node(node).signatures {
            let bytes = self.archive.tree.read(member, limit)?;
            found.extend(bytes.map(Arc::from));
        }
        Ok(found)
    }

    fn describe(&self, node: NodeId) -> String {
        if let Some(name) = self.names.get(&node) {
            return name.clone();
        }
        let platform =
            crate::model::select::platform_of(self.archive, node, None).filter(|p| !p.os.is_empty());
        match (platform, &self.archive.node(node).digest) {
            (Some(platform), _) if !platform.is_unknown() => platform.normalised().to_string(),
            (_, Some(digest)) => format!("{}:{}", digest.algorithm_name(), digest.short()),
            _ => "image without name".into(),
        }
    }

    fn manifest(&mut self, node: NodeId, from: Family, parts: &ImageParts, make: Make) -> Result<()> {
        let config = self.blobs(std::iter::once(&parts.config)).pop();
        let to = match make {
            Make::Rewrite { family } => family,
            _ => from,
        };
        let mut layers = Vec::new();
        let mut changes = Vec::new();
        for (i, part) in parts.layers.iter().enumerate() {
            let now = self.layer_now(node, part, to, make != Make::Keep);
            if let Some(now) = &now {
                self.layer_entry(node, i, part, now);
            }
            layers.extend(self.out_blob(part, now.as_ref()));
            changes.push(now);
        }
        if let Some(digest) = parts.config.descriptor.as_ref().and_then(Descriptor::good_digest) {
            let absent = !self.archive.holds(&parts.config);
            let action = if absent { Action::Absent } else { Action::Kept };
            let why = if absent { "named by its manifest, not in the archive" } else { "" };
            self.config_entry(node, Some(digest.clone()), digest.clone(), action, why);
        }
        let image = self.image(parts);
        let Some(mut config) = config else { return Ok(()) };
        let legacy = self.target == Target::DockerLegacy;
        if make == Make::Keep || legacy {
            let body = OutBody::Manifest { config, layers, image };
            let Some(bytes) = self.bytes(node)? else { return Ok(()) };
            let source = self.archive.node(node);
            let Some(digest) = source.digest.clone() else { return Ok(()) };
            let media_type = source.media_type.clone().unwrap_or_default();
            let now = Now { digest, size: bytes.len() as u64, media_type, changed: false };
            if legacy {
                let what = self.describe(node);
                let before = source.digest.clone();
                let why = "the legacy docker-archive form holds no manifests".to_owned();
                let entry =
                    Entry { kind: Kind::Manifest, action: Action::Dropped, what, before, after: None, why };
                self.account.entries.push(entry);
                return self.only_for_the_sink(node, now, bytes, body);
            }
            return self.document(node, now, bytes, body, Action::Kept, String::new());
        }
        let Some(document) = self.archive.node(node).document.map(|id| self.archive.document(id)) else {
            return Ok(());
        };
        let Ok(json) = &document.json else { return Ok(()) };
        config.media_type = rewrite::config_type(to).to_owned();
        let config_now = Now {
            digest: config.digest.clone(),
            size: config.size,
            media_type: config.media_type.clone(),
            changed: false,
        };
        let (bytes, gone) = rewrite::manifest(&document.bytes, json, to, from, Some(&config_now), &changes);
        let mut why = Vec::new();
        if to != from {
            why.push(format!("{} to {}", family_name(from), family_name(to)));
        }
        let recompressed = changes.iter().flatten().filter(|now| now.changed).count();
        if recompressed > 0 {
            why.push(format!("{recompressed} of {} layers compressed anew", parts.layers.len()));
        }
        if !gone.is_empty() {
            why.push(format!("without {}", gone.join(", ")));
        }
        let media_type = manifest_type(to).to_owned();
        let now = Now { digest: Digest::sha256(&bytes), size: bytes.len() as u64, media_type, changed: true };
        let body = OutBody::Manifest { config, layers, image };
        self.document(node, now, bytes.into(), body, Action::Rewritten, why.join(", "))
    }

    /// Hands a manifest to a sink that needs its parts but writes no manifest.
    fn only_for_the_sink(&mut self, node: NodeId, now: Now, bytes: Arc<[u8]>, body: OutBody) -> Result<()> {
        let document = OutDocument {
            digest: now.digest.clone(),
            media_type: now.media_type.clone(),
            bytes,
            body,
            signatures: Vec::new(),
        };
        self.now.insert(node, now);
        self.output.documents.push(document);
        Ok(())
    }

    fn item(&mut self, node: NodeId, parts: &ImageParts, make: Make) -> Result<()> {
        let Some(document) = self.archive.part_document(&parts.config) else { return Ok(()) };
        let config = document.bytes.to_vec();
        let diff_ids = self.diff_ids(&parts.layers);
        let layers: Vec<&Part> = parts.layers.iter().collect();
        let sha256 = document.sha256.clone();
        self.config_entry(node, Some(sha256.clone()), sha256, Action::Kept, "");
        self.synthesised(node, config, &layers, &diff_ids, make, "the archive has none")
    }

    fn schema1(&mut self, node: NodeId, parts: &[Part], make: Make) -> Result<()> {
        let Some(document) = self.archive.node(node).document.map(|id| self.archive.document(id)) else {
            return Ok(());
        };
        let Some(root) = document.root() else { return Ok(()) };
        let parsed = legacy::Schema1::parse(root, document.depth);
        let layers = schema1_parts(&parsed, parts);
        let diff_ids: Vec<Digest> = layers.iter().filter_map(|part| self.diff_id(part)).collect();
        let config = schema1_config(&parsed, &diff_ids)?;
        self.without_config(node, config, &layers, &diff_ids, make, "converted from schema 1")
    }

    /// An image whose config is made here: the config is written like any blob, after the layers.
    fn without_config(
        &mut self,
        node: NodeId,
        config: Vec<u8>,
        layers: &[&Part],
        diff_ids: &[Digest],
        make: Make,
        why: &str,
    ) -> Result<()> {
        let digest = Digest::sha256(&config);
        let size = config.len() as u64;
        if let Some(sink) = self.run.sink {
            let mut staged = sink.stage(Some((&digest, size)))?;
            staged.write_all(&config).at("cannot write", "the destination")?;
            staged.keep(&digest, size)?;
        }
        self.config_entry(node, None, digest, Action::Synthesised, why);
        self.synthesised(node, config, layers, diff_ids, make, why)
    }

    fn synthesised(
        &mut self,
        node: NodeId,
        config: Vec<u8>,
        parts: &[&Part],
        diff_ids: &[Digest],
        make: Make,
        why: &str,
    ) -> Result<()> {
        let family = match make {
            Make::Synthesise { family } => family,
            _ => Family::Oci,
        };
        let mut nows = Vec::new();
        for (i, part) in parts.iter().enumerate() {
            let Some(now) = self.layer_now(node, part, family, true) else { continue };
            self.layer_entry(node, i, part, &now);
            nows.push(now);
        }
        let config_now = Now {
            digest: Digest::sha256(&config),
            size: config.len() as u64,
            media_type: rewrite::config_type(family).to_owned(),
            changed: false,
        };
        let bytes = rewrite::synthesise(family, &config_now, &nows);
        let blob = |now: &Now| OutBlob {
            digest: now.digest.clone(),
            size: now.size,
            media_type: now.media_type.clone(),
            present: true,
        };
        let platform = crate::model::select::platform_of(self.archive, node, None).unwrap_or_default();
        let image = OutImage { config: config.into(), diff_ids: diff_ids.to_vec(), platform };
        let body = OutBody::Manifest {
            config: blob(&config_now),
            layers: nows.iter().map(blob).collect(),
            image: Some(image),
        };
        let media_type = manifest_type(family).to_owned();
        let now = Now { digest: Digest::sha256(&bytes), size: bytes.len() as u64, media_type, changed: true };
        if self.target == Target::DockerLegacy {
            return self.only_for_the_sink(node, now, bytes.into(), body);
        }
        self.document(node, now, bytes.into(), body, Action::Synthesised, why.to_owned())
    }

    fn index(
        &mut self,
        node: NodeId,
        from: Family,
        children: &[crate::model::Edge],
        make: Make,
    ) -> Result<()> {
        let (to, keep) = match &make {
            Make::Reindex { family, keep } => (*family, Some(keep)),
            _ => (from, None),
        };
        let kept = |i: usize| keep.is_none_or(|keep| keep.contains(&i));
        let mut out = Vec::new();
        let mut edits = Vec::new();
        let mut moved = HashMap::new();
        for (i, edge) in children.iter().enumerate() {
            if !kept(i) {
                edits.push(None);
                continue;
            }
            let now = edge.node.and_then(|child| self.now.get(&child));
            if let Some(now) = now {
                out.push(now.digest.clone());
                if let Some(before) = edge.descriptor.good_digest().filter(|before| **before != now.digest) {
                    moved.insert(before.to_string(), now.digest.clone());
                }
            } else if edge.node.is_some_and(|child| self.plan.scope.contains(&child)) {
                let what = edge.descriptor.good_digest().map(ToString::to_string).unwrap_or_default();
                let entry = Entry::note(
                    Kind::Manifest,
                    Action::Absent,
                    what,
                    "named by an index, not in the archive",
                );
                self.account.entries.push(entry);
            }
            edits.push(Some(now.filter(|now| now.changed || to != from).cloned()));
        }
        let body = OutBody::Index { children: out };
        if make == Make::Keep {
            return self.keep(node, body);
        }
        let Some(document) = self.archive.node(node).document.map(|id| self.archive.document(id)) else {
            return Ok(());
        };
        let Ok(json) = &document.json else { return Ok(()) };
        let bytes = rewrite::index(&document.bytes, json, to, from, &edits, &moved);
        let mut why = Vec::new();
        if to != from {
            why.push(format!("{} to {}", family_name(from), family_name(to)));
        }
        let left_out = children.len() - edits.iter().flatten().count();
        if left_out > 0 {
            why.push(format!("{left_out} of {} children left out", children.len()));
        }
        if !moved.is_empty() {
            why.push(format!("{} children changed", moved.len()));
        }
        let media_type = if to == Family::Oci { crate::media::OCI_INDEX } else { crate::media::DOCKER_LIST };
        let now = Now {
            digest: Digest::sha256(&bytes),
            size: bytes.len() as u64,
            media_type: media_type.to_owned(),
            changed: true,
        };
        self.document(node, now, bytes.into(), body, Action::Rewritten, why.join(", "))
    }

    /// What names a digest that is no more: statements, signatures and subjects keep their bytes, and are marked.
    fn stale_references(&mut self) {
        let archive = self.archive;
        let mut stale = Vec::new();
        for node in self.output_nodes() {
            let held = archive.node(node);
            if let Body::Index { children, .. } = &held.body {
                let attested =
                    children.iter().filter(|edge| edge.node.is_some_and(|node| self.now.contains_key(&node)));
                let why = "its statement still names the old digest";
                stale
                    .extend(attested.filter_map(|edge| Some(("attestation of", edge.attests.clone()?, why))));
            }
            let root = held.document.and_then(|id| archive.document(id).root());
            let subject = root.and_then(|root| root.get("subject")?.get("digest")?.as_str());
            let why = "its subject is the old digest";
            stale.extend(subject.map(|digest| ("referrer of", digest.to_owned(), why)));
        }
        for planned in &self.plan.roots {
            // cosign, and the fallback for registries without the referrers API.
            let tag = match &planned.root.name {
                Name::BareTag(tag) => Some(tag.as_str()),
                Name::Full(name) => name.tag(),
                _ => None,
            };
            let about = tag.and_then(|tag| tag.strip_prefix("sha256-")?.get(..64));
            let why = "its tag still names the old digest";
            stale.extend(about.map(|hex| ("referrers of", format!("sha256:{hex}"), why)));
        }
        for (what, before, why) in stale {
            if self.moved.contains(&before) {
                let entry = Entry::note(Kind::Other, Action::Kept, format!("{what} {before}"), why);
                self.account.entries.push(entry);
            }
        }
    }

    /// The manifests and indexes that were made, in the order of writing.
    fn output_nodes(&self) -> Vec<NodeId> {
        let documents = self.plan.steps.iter().filter_map(|step| match step {
            Step::Document(node) => Some(*node),
            Step::Blob { .. } => None,
        });
        documents.filter(|node| self.now.contains_key(node)).collect()
    }

    /// What a layer is now. Layers that are not written (nondistributable) are what their descriptor says.
    fn layer_now(&self, node: NodeId, part: &Part, family: Family, rewriting: bool) -> Option<Now> {
        let declared = part.descriptor.as_ref().map_or("", Descriptor::type_or_empty);
        let known = part.descriptor.is_none() || crate::media::LayerType::of(declared).is_some();
        let facts = part.blob.and_then(|blob| self.run.fact(blob));
        let Some(facts) = facts else {
            let descriptor = part.descriptor.as_ref()?;
            let codec = crate::media::LayerType::of(declared).map_or(Codec::Plain, |t| t.codec);
            let media_type = if known && rewriting {
                rewrite::layer_type(family, codec, declared)
            } else {
                declared.to_owned()
            };
            let size = u64::try_from(descriptor.size?).ok()?;
            return Some(Now { digest: descriptor.good_digest()?.clone(), size, media_type, changed: false });
        };
        let blob = part.blob?;
        let treatment = self.treatment(node, blob);
        let (digest, size) = self.run.kept(blob, treatment)?;
        let codec = match treatment {
            Treatment::Keep => facts.codec,
            Treatment::Recompress(compression) => compression.codec(),
        };
        let media_type = if known && rewriting {
            rewrite::layer_type(family, codec, declared)
        } else {
            declared.to_owned()
        };
        Some(Now { digest, size, media_type, changed: treatment != Treatment::Keep })
    }

    /// How the plan treats a layer of a manifest.
    fn treatment(&self, node: NodeId, blob: BlobId) -> Treatment {
        self.plan.anew.get(&(node, blob)).map_or(Treatment::Keep, |&anew| Treatment::Recompress(anew))
    }

    fn out_blob(&self, part: &Part, now: Option<&Now>) -> Option<OutBlob> {
        let now = now?;
        Some(OutBlob {
            digest: now.digest.clone(),
            size: now.size,
            media_type: now.media_type.clone(),
            present: self.archive.holds(part),
        })
    }

    /// Parts as their descriptors have them.
    fn blobs<'p>(&self, parts: impl Iterator<Item = &'p Part>) -> Vec<OutBlob> {
        let blob = |part: &Part| {
            let held = part.blob.and_then(|blob| self.archive.blob(blob).member);
            let size = held.map(|member| self.archive.tree.member(member).size);
            let descriptor = part.descriptor.as_ref();
            let declared = descriptor.and_then(|d| d.size).and_then(|size| u64::try_from(size).ok());
            Some(OutBlob {
                digest: match descriptor {
                    Some(descriptor) => descriptor.good_digest()?.clone(),
                    None => self.archive.blob(part.blob?).digest.clone()?,
                },
                size: declared.or(size)?,
                media_type: descriptor.map_or("", Descriptor::type_or_empty).to_owned(),
                present: held.is_some(),
            })
        };
        parts.filter_map(blob).collect()
    }

    fn image(&self, parts: &ImageParts) -> Option<OutImage> {
        if parts.role != Role::Image {
            return None;
        }
        let config = self.archive.config(parts)?;
        let diff_ids = config.diff_ids().unwrap_or_default().into_iter().flatten().collect();
        Some(OutImage { config: Arc::clone(&config.document.bytes), diff_ids, platform: config.platform() })
    }

    fn diff_id(&self, part: &Part) -> Option<Digest> {
        self.run.fact(part.blob?)?.plain.map(|plain| plain.diff_id)
    }

    fn diff_ids(&self, parts: &[Part]) -> Vec<Digest> {
        parts.iter().filter_map(|part| self.diff_id(part)).collect()
    }

    fn config_entry(
        &mut self,
        node: NodeId,
        before: Option<Digest>,
        after: Digest,
        action: Action,
        why: &str,
    ) {
        let what = format!("config of {}", self.describe(node));
        let after = Some(after);
        self.account.entries.push(Entry {
            kind: Kind::Config,
            action,
            what,
            before,
            after,
            why: why.to_owned(),
        });
    }

    fn layer_entry(&mut self, node: NodeId, i: usize, part: &Part, now: &Now) {
        let what = format!("layer {i} of {}", self.describe(node));
        let facts = part.blob.and_then(|blob| self.run.fact(blob));
        let absent = facts.is_none();
        let before = match (&part.descriptor, &facts) {
            (Some(descriptor), _) => descriptor.good_digest().cloned(),
            (None, Some(facts)) => Some(facts.sha256.clone()),
            (None, None) => None,
        };
        let changed = before.as_ref() != Some(&now.digest);
        let action = match (absent, changed) {
            (true, _) => Action::Absent,
            (_, true) => Action::Rewritten,
            _ => Action::Kept,
        };
        let why = match (&facts, changed) {
            (Some(facts), true) => {
                let to = match part.blob.map(|blob| self.treatment(node, blob)) {
                    Some(Treatment::Recompress(compression)) => compression.codec(),
                    _ => facts.codec,
                };
                format!("{} to {}, the diff ID stays", facts.codec.name(), to.name())
            }
            (None, _) => "named by its manifest, not in the archive".into(),
            _ => String::new(),
        };
        let after = Some(now.digest.clone());
        self.account.entries.push(Entry { kind: Kind::Layer, action, what, before, after, why });
    }

    /// The entry points, once every document is made.
    fn roots(&mut self) {
        let index_json = self.archive.index_json.map(|id| self.archive.document(id));
        self.output.index_json = index_json.map(|document| Arc::clone(&document.bytes));
        let by_member: HashMap<_, _> =
            self.archive.documents.iter().map(|document| (document.member, document)).collect();
        for planned in &self.plan.roots {
            let Some(now) = self.now.get(&planned.root.node) else { continue };
            let descriptor = planned.root.descriptor.as_ref().and_then(|descriptor| {
                let member = descriptor.at.member?;
                let document = by_member.get(&member)?;
                document.bytes.get(descriptor.span.start..descriptor.span.end).map(Arc::from)
            });
            self.output.roots.push(OutRoot {
                target: now.digest.clone(),
                name: planned.name.clone(),
                descriptor,
                repository: planned.repository.clone(),
            });
        }
    }
}

fn family_name(family: Family) -> &'static str {
    if family == Family::Oci { "OCI" } else { "Docker" }
}

fn manifest_type(family: Family) -> &'static str {
    if family == Family::Oci { crate::media::OCI_MANIFEST } else { crate::media::DOCKER_MANIFEST }
}
