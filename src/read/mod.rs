//! Reads each blob of an archive once: facts for whoever judges, bytes for whoever keeps them.
//!
//! A [`Job`] names a blob and what is to be kept of it; what is kept goes to a [`Tee`], which is all that is known here
//! of where it ends. [`one`] reads a single blob, [`Pool`] many at once, and [`all`] is what a whole archive takes:
//! every blob, members of one name (`duplicates`), and what takes more than one blob to know (`across`).

mod across;
mod blob;
pub mod configs;
mod duplicates;
mod pool;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

pub use across::{across, laid};
pub use blob::{Found, Job, Taken, Tee, is_sound, one, stored_limit, stored_size};
pub use configs::config_of;
pub use duplicates::duplicates;
pub use pool::Pool;

use crate::error::Result;
use crate::facts::Facts;
use crate::layer::Spool;
use crate::limits::Limits;
use crate::model::{Archive, BlobId, Body, Form, NodeId};
use crate::progress::{Phase, Progress};

/// How archives are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The caps in force.
    pub limits: Limits,
    /// Blobs read at once.
    pub jobs: usize,
    /// Where streams and the paths of layers are kept meanwhile; the system's directory if unset.
    pub tmpdir: Option<PathBuf>,
    /// Whether it is found out what each layer changes, for whoever shows it.
    pub contents: bool,
    /// What is verified of layers.
    pub verify: Verify,
}

/// What is verified of layers. Those whose diff IDs are needed to write a destination, or that no digest covers, are
/// always decompressed by a conversion; so are those that some image has anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// Digests, the compressed stream, and diff IDs.
    #[default]
    All,
    /// Digests and sizes. Layers of a registry are not even read by who judges or compares: it was asked, when the archive
    /// was opened, which it has and how large they are.
    Digests,
}

/// Bytes that the paths of all layers of an archive may take where they are shown. 128 MiB: a million paths, which is three times
/// what large images have.
const CONTENTS: u64 = 128 << 20;

/// The usual caps, as many blobs at once as there are cores, and the system's directory.
impl Default for Options {
    fn default() -> Options {
        let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Options { limits: Limits::default(), jobs, tmpdir: None, contents: false, verify: Verify::All }
    }
}

impl Options {
    /// What readers need: `scan` says whether layers are looked into.
    pub fn context<'a>(&'a self, scan: bool, progress: &'a dyn Progress) -> Context<'a> {
        let spool = || match (Spool::in_directory(self.tmpdir.as_deref()), self.contents) {
            (spool, true) => spool.with_contents(CONTENTS),
            (spool, false) => spool,
        };
        let scan = scan.then(|| Arc::new(spool()));
        Context { limits: &self.limits, jobs: self.jobs.max(1), scan, progress }
    }
}

/// What reading needs besides the archive.
pub struct Context<'a> {
    /// The caps in force.
    pub limits: &'a Limits,
    /// Blobs read at once, at least 1.
    pub jobs: usize,
    /// Where to keep the paths of layers, if layers are to be looked into.
    pub scan: Option<Arc<Spool>>,
    /// Told of bytes read.
    pub progress: &'a dyn Progress,
}

/// Finds out what judging an archive takes, or these manifests and indexes of it, as far as is to be verified: what they
/// point at is read, each blob once.
///
/// # Errors
///
/// As of [`all`].
pub fn judging(
    archive: &Archive,
    nodes: Option<&HashSet<NodeId>>,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Facts> {
    match (options.verify, archive.form) {
        (Verify::All, _) => {
            let context = options.context(true, progress);
            match nodes {
                Some(nodes) => of(archive, nodes, &context),
                None => all(archive, &context),
            }
        }
        (Verify::Digests, _) => stored(archive, nodes, &options.context(false, progress)),
    }
}

/// Reads every blob once, and finds out all that judging takes.
///
/// # Errors
///
/// The archive, or the temporary file of paths, cannot be read; the archive changed; the job was cancelled.
pub fn all(archive: &Archive, context: &Context<'_>) -> Result<Facts> {
    let mut facts = Facts::of(archive.blobs.len());
    rest(archive, &mut facts, context)?;
    Ok(facts)
}

/// Reads blobs once as they are stored, those of a registry not at all: digests and sizes, nothing of what is inside. But
/// for layers of which a config is made that is not there: without what is in them it is not known which image it is.
fn stored(archive: &Archive, nodes: Option<&HashSet<NodeId>>, context: &Context<'_>) -> Result<Facts> {
    let has_no_config = |node: &NodeId| match archive.node(*node).body {
        Body::V1 { .. } | Body::Schema1 { .. } => nodes.is_none_or(|nodes| nodes.contains(node)),
        _ => false,
    };
    let all = (0..archive.nodes.len() as u32).map(NodeId);
    let decompressed = reached(archive, &all.filter(has_no_config).collect());
    let wanted = match archive.form {
        Form::Registry => Some(decompressed.clone()),
        _ => nodes.map(|nodes| reached(archive, nodes)),
    };
    let to_be_read = |id: &BlobId| {
        archive.blob(*id).is_to_be_read() && wanted.as_ref().is_none_or(|wanted| wanted.contains(id))
    };
    let blobs: Vec<BlobId> = (0..archive.blobs.len() as u32).map(BlobId).filter(to_be_read).collect();
    let job = |&blob: &BlobId| match decompressed.contains(&blob) {
        true => Job::judge(archive, blob),
        false => Job { plain: false, ..Job::judge(archive, blob) },
    };
    let mut facts = judged(archive, &blobs, blobs.iter().map(job).collect(), context)?;
    duplicates(archive, &mut facts)?;
    Ok(facts)
}

/// Hashes these blobs as they are stored.
///
/// # Errors
///
/// As of [`all`].
pub fn hashed(archive: &Archive, wanted: &dyn Fn(BlobId) -> bool, context: &Context<'_>) -> Result<Facts> {
    these(archive, wanted, context, |job| Job { plain: false, ..job })
}

/// Finds out what is not known yet.
///
/// # Errors
///
/// As of [`all`].
pub fn rest(archive: &Archive, facts: &mut Facts, context: &Context<'_>) -> Result<()> {
    unread(archive, facts, &|_| true, context)
}

/// Finds out what judging these manifests and indexes takes: what they point at is read, and nothing else.
fn of(archive: &Archive, nodes: &HashSet<NodeId>, context: &Context<'_>) -> Result<Facts> {
    let wanted = reached(archive, nodes);
    let mut facts = Facts::of(archive.blobs.len());
    unread(archive, &mut facts, &|blob| wanted.contains(&blob), context)?;
    Ok(facts)
}

/// The blobs that these manifests and indexes are, and point at.
fn reached(archive: &Archive, nodes: &HashSet<NodeId>) -> HashSet<BlobId> {
    let held = nodes.iter().map(|&node| archive.node(node));
    let parts = held.clone().flat_map(|node| node.all_parts()).filter_map(|part| part.blob);
    parts.chain(held.filter_map(|node| node.blob)).collect()
}

/// Reads these blobs, and finds out nothing else.
///
/// # Errors
///
/// As of [`all`].
pub fn some(archive: &Archive, wanted: &dyn Fn(BlobId) -> bool, context: &Context<'_>) -> Result<Facts> {
    these(archive, wanted, context, |job| job)
}

/// Reads these blobs, each by the job that judging it takes or by what is made of that.
fn these(
    archive: &Archive,
    wanted: &dyn Fn(BlobId) -> bool,
    context: &Context<'_>,
    made: impl Fn(Job) -> Job,
) -> Result<Facts> {
    let to_be_read = |&id: &BlobId| wanted(id) && archive.blob(id).is_to_be_read();
    let blobs: Vec<BlobId> = (0..archive.blobs.len() as u32).map(BlobId).filter(to_be_read).collect();
    let jobs = blobs.iter().map(|&blob| made(Job::judge(archive, blob))).collect();
    judged(archive, &blobs, jobs, context)
}

fn unread(
    archive: &Archive,
    facts: &mut Facts,
    wanted: &dyn Fn(BlobId) -> bool,
    context: &Context<'_>,
) -> Result<()> {
    let unread = |&id: &BlobId| wanted(id) && archive.blob(id).is_to_be_read() && facts.get(id).is_none();
    let blobs: Vec<BlobId> = (0..archive.blobs.len() as u32).map(BlobId).filter(unread).collect();
    let jobs = blobs.iter().map(|&blob| Job::judge(archive, blob)).collect();
    facts.add(judged(archive, &blobs, jobs, context)?);
    duplicates(archive, facts)?;
    if context.scan.is_some() {
        across(archive, facts, context.limits)?;
    }
    Ok(())
}

/// Reads blobs of which nothing is kept.
fn judged(archive: &Archive, blobs: &[BlobId], jobs: Vec<Job>, context: &Context<'_>) -> Result<Facts> {
    let pool = Pool::new(archive, context, &());
    context.progress.begin(Phase::Check, unread_bytes(archive, blobs));
    let read = pool.run(&jobs);
    context.progress.end();
    // What a change of the source led to is not what is to be told.
    archive.unchanged()?;
    read?;
    Ok(pool.finish())
}

/// Bytes of these blobs that are still to be read.
pub fn unread_bytes(archive: &Archive, blobs: &[BlobId]) -> u64 {
    let size = |&id: &BlobId| {
        let member = archive.blob(id).member.filter(|member| !archive.ingested.contains_key(member))?;
        Some(archive.tree.member(member).size)
    };
    blobs.iter().filter_map(size).sum()
}
