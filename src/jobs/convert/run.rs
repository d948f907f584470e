//! Carries out a plan: every blob once from the source into the sink, then the documents; all but the commit.

use std::collections::{BTreeSet, HashMap};

use crate::blob::{BlobFacts, Plain};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::facts::Facts;
use crate::finding::counted;
use crate::form::sink::{OutBlob, OutBody, Output, Sink};
use crate::jobs::convert::account::{Account, Action, Entry, Kind};
use crate::jobs::convert::documents::Documents;
use crate::jobs::convert::fates::Settled;
use crate::jobs::convert::plan::{Plan, Step, Treatment};
use crate::jobs::convert::request::{Request, Target};
use crate::jobs::convert::write::Writer;
use crate::media::Codec;
use crate::model::{Archive, BlobId};
use crate::progress::Phase;
use crate::read::{self, Context, Job, Pool};

/// What a run found out and did.
pub(super) struct Ran {
    /// Facts of every blob that was read.
    pub facts: Facts,
    /// What was made for the destination; `None` if writing stopped because of a broken blob.
    pub written: Option<Written>,
    /// Why a layer has no place in the destination. If no finding tells what is wrong with it, this is what is.
    pub unplaced: Option<Error>,
}

/// A conversion that is ready to be committed.
pub(super) struct Written {
    /// The graph.
    pub output: Output,
    /// What became of everything.
    pub account: Account,
    /// What the blobs are like that were written, by the digests that they have in the destination.
    pub blobs: HashMap<Digest, BlobFacts>,
    /// Those that are as they stood in the source, by digest.
    pub kept: HashMap<Digest, BlobId>,
}

/// Carries out a plan into a sink, all but the commit.
pub(super) fn run(
    archive: &Archive,
    settled: &Settled,
    request: &Request,
    sink: &dyn Sink,
    context: &Context<'_>,
) -> Result<Ran> {
    let plan = &settled.plan;
    let writer = Writer::new(archive, plan, sink, request.read.verify, context);
    let pool = Pool::new(archive, context, &writer);
    let mut documents = Documents::new(archive, plan, request, (&writer, &pool), context.limits);
    let blobs: Vec<BlobId> = plan.blobs().map(|(blob, _)| blob).collect();
    context.progress.begin(Phase::Convert, read::unread_bytes(archive, &blobs));
    let written = write(plan, &writer, &pool, &mut documents);
    context.progress.end();
    // What a change of the source led to is not what is to be told.
    archive.unchanged()?;
    written?;
    let (mut output, mut account) = documents.finish();
    output.replaces.clone_from(&request.replaces);
    let facts = pool.finish();
    if writer.stopped() {
        return Ok(Ran { facts, written: None, unplaced: writer.unplaced() });
    }
    account.entries.extend(plan.entries.iter().cloned());
    account.entries.extend(remarks(archive, plan, request.target, &writer, &facts));
    account.entries.extend(algorithms(archive, plan, &output));
    let blobs = blobs_written(plan, &writer, &facts);
    let kept = plan.blobs().filter(|(_, treatment)| *treatment == Treatment::Keep);
    let kept = kept.filter_map(|(blob, treatment)| Some((writer.kept(blob, treatment)?.0, blob))).collect();
    Ok(Ran { facts, written: Some(Written { output, account, blobs, kept }), unplaced: None })
}

/// Writes blobs and documents: blobs first where the order does not matter; else in the plan's order, blobs whose
/// places can be reserved at once.
fn write(plan: &Plan, writer: &Writer<'_>, pool: &Pool<'_>, documents: &mut Documents<'_>) -> Result<()> {
    let job = |step: &Step| match *step {
        Step::Blob { blob, treatment } => Some(writer.job(blob, treatment)),
        Step::Document(_) => None,
    };
    let ordered = writer.sink.ordered();
    if !ordered {
        let jobs: Vec<Job> = plan.steps.iter().filter_map(job).collect();
        pool.run(&jobs)?;
    }
    let mut steps = &plan.steps[..];
    while let Some((step, rest)) = steps.split_first() {
        steps = match step {
            Step::Blob { .. } if ordered => {
                let (at_once, rest) = steps.split_at(writer.reserve(steps)?);
                let jobs: Vec<Job> = at_once.iter().filter_map(job).collect();
                pool.run(&jobs)?;
                rest
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

/// That no tool loads what is named by another algorithm than SHA-256.
fn algorithms(archive: &Archive, plan: &Plan, output: &Output) -> Option<Entry> {
    let diff_ids = archive.diff_algorithms();
    let mut named: BTreeSet<&str> =
        plan.blobs().filter_map(|(blob, _)| Some(diff_ids.get(&blob)?.name())).collect();
    for document in &output.documents {
        named.insert(document.digest.algorithm_name());
        let blobs: Vec<&OutBlob> = match &document.body {
            OutBody::Index { .. } => Vec::new(),
            OutBody::Manifest { config, layers, .. } => std::iter::once(config).chain(layers).collect(),
            OutBody::Opaque { blobs } => blobs.iter().collect(),
        };
        named.extend(blobs.into_iter().map(|blob| blob.digest.algorithm_name()));
    }
    named.remove("sha256");
    let named: Vec<&str> = named.into_iter().collect();
    let why = "Docker and containerd compute sha256 alone, and cannot load the image";
    (!named.is_empty()).then(|| {
        let what = format!("digests by {}", named.join(" and "));
        Entry::note(Kind::Other, Action::Kept, what, why)
    })
}

/// The facts of the writing pass: of a blob that was compressed anew, those of what came out.
fn blobs_written(plan: &Plan, writer: &Writer<'_>, facts: &Facts) -> HashMap<Digest, BlobFacts> {
    let written = |(blob, treatment): (BlobId, Treatment)| {
        let (digest, size) = writer.kept(blob, treatment)?;
        let read = facts.get(blob)?.clone();
        let facts = match treatment {
            Treatment::Keep => read,
            Treatment::Recompress(compression) => BlobFacts {
                size,
                sha256: digest.clone(),
                other: None,
                codec: compression.codec(),
                polyglot: false,
                gzip: None,
                plain: read.plain.map(|plain| Plain { trailing: None, skipped: 0, ..plain }),
                ..read
            },
        };
        Some((digest, facts))
    };
    plan.blobs().filter_map(written).collect()
}

/// What is to be known of the whole.
fn remarks(archive: &Archive, plan: &Plan, target: Target, writer: &Writer<'_>, facts: &Facts) -> Vec<Entry> {
    let mut remarks = Vec::new();
    let zstd = |(blob, treatment): (BlobId, Treatment)| {
        archive.blob(blob).layer
            && match treatment {
                Treatment::Recompress(compression) => compression.codec() == Codec::Zstd,
                Treatment::Keep => facts.get(blob).is_some_and(|facts| facts.codec == Codec::Zstd),
            }
    };
    if target == Target::DockerArchive && plan.blobs().any(zstd) {
        let why = "Docker before 23 cannot load them; --compress gzip writes layers that it can";
        remarks.push(Entry::note(Kind::Other, Action::Kept, "zstd layers", why));
    }
    if writer.by_digest() > 0 {
        let what = counted(writer.by_digest() as u64, "layer");
        let why = "only digests are verified, neither compressed streams nor diff IDs";
        remarks.push(Entry::note(Kind::Other, Action::Kept, what, why));
    }
    for digest in writer.replaced() {
        remarks.push(Entry {
            kind: Kind::Other,
            action: Action::Rewritten,
            what: "blob in the destination".to_owned(),
            before: None,
            after: Some(digest),
            why: "the destination held other bytes under this digest".to_owned(),
        });
    }
    remarks
}
