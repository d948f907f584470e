//! Every repository against the facts, by the rules of `check`; what seems to be missing is looked at again first.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

use super::counters::Counters;
use super::facts::{self, Held, Layers, Misplaced};
use super::job::Job;
use super::key::{Key, Within};
use super::marks::{LINKED, Marks, NEEDED};
use super::parts::{Parts, Views};
use super::row::{Kind, Links, ProvedBy, Row};
use super::source::{Looked, Source};
use super::state::{Batch, State};
use super::told::Gathered;
use super::unit;
use crate::digest::Digest;
use crate::error::{Context as _, Result};
use crate::finding::{Finding, Level};
use crate::form::registry_storage::paths::{blob_name, digest_of_blob, digest_of_link};
use crate::form::registry_storage::piece;
use crate::form::stored::{Link, Listed, Version};
use crate::model::{Anomaly, Archive, BlobId};
use crate::rules::{self, Scope};

/// How often a repository is looked at that changes while it is.
const TRIES: u32 = 3;
/// Blobs that nothing points at, judged together.
const LEFT_OVER: usize = 512;

/// The storage, where it is at hand, and the state that is written.
#[derive(Clone, Copy)]
pub struct AtHand<'a> {
    /// The storage.
    pub source: &'a Arc<dyn Source>,
    /// The state.
    pub state: &'a State,
}

/// What the graph came to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Extent {
    /// Repositories.
    pub repositories: u64,
    /// Blobs, and their bytes.
    pub blobs: u64,
    /// Bytes.
    pub bytes: u64,
    /// How the blobs were proved.
    pub(super) by: ProvedBy,
    /// Blobs that are pointed at and were not read.
    pub unread: u64,
    /// Repositories with links that are younger than the listing of blobs, where no storage is at hand: what they seem to
    /// miss is not told.
    pub younger: u64,
}

/// Is lent every repository: its name, what was found in it, and its links.
pub type Each<'e> = &'e mut dyn FnMut(&str, &Piece, &[Link]) -> Result<()>;

/// A repository as an archive, with what was found in it.
pub struct Piece {
    /// The archive.
    pub archive: Archive,
    /// Everything that was found, levels as the rules have them.
    pub findings: Vec<Finding>,
    /// Whose blobs it has.
    pub within: Within,
    /// Blobs that nobody read.
    unread: Vec<BlobId>,
}

/// Judges every repository, then what belongs to none.
///
/// # Errors
///
/// A state cannot be read, or the job was cancelled.
pub fn judge(
    parts: &Parts,
    at_hand: Option<AtHand<'_>>,
    job: &Job<'_>,
    gathered: &mut Gathered,
    each: Each<'_>,
) -> Result<Extent> {
    let mut judged = Extent::default();
    let mut marks = Marks::new(job.reading.tmpdir.as_deref());
    let (mut sees_all, mut roots) = (true, 0);
    let misplaced = Arc::new(misplaced(parts)?);
    let layers = RefCell::new(Layers::new(job.reading.tmpdir.as_deref()));
    let views = RefCell::new(Arc::new(parts.views()?));
    // Those that were shown as the reason why a blob is missing.
    let mut explained = HashSet::new();
    for name in parts.repositories()? {
        if job.progress.cancelled() {
            return Err(crate::error::Error::Cancelled);
        }
        let look = Look { parts, views: &views, at_hand, job, misplaced: &misplaced, layers: &layers };
        let Some((piece, links)) = one(&look, &name, &mut judged)? else { continue };
        sees_all &= rules::sees_all(&piece.archive, &piece.findings);
        // The only tag may be the broken one.
        let tags =
            piece.archive.anomalies.iter().filter(|odd| matches!(odd, Anomaly::TagWithoutTarget { .. }));
        roots += piece.archive.roots.len() + tags.count();
        judged.repositories += 1;
        judged.unread += piece.unread.len() as u64;
        if parts.meta().kind() == Kind::Storage {
            mark(&mut marks, &piece.archive, &links).at("cannot write", "the temporary file of marks")?;
        }
        let shown = piece.archive.anomalies.iter().filter_map(rules::storage::misplaced_blob);
        explained.extend(shown.map(|(digest, _)| digest));
        each(&name, &piece, &links)?;
        let findings = job.judged(&piece.archive, piece.findings);
        gathered.add_below(piece.within.layout().unwrap_or_default(), &piece.archive, findings);
        Counters::add(&job.counters.judged, 1);
    }
    let rest = Rest { parts, job, misplaced: &misplaced, explained, sees_all, has_roots: roots > 0 };
    rest.judge(gathered, marks, &mut judged)?;
    Ok(judged)
}

/// What a repository is looked at with.
struct Look<'a> {
    parts: &'a Parts,
    /// The states as they are; other ones once something was written.
    views: &'a RefCell<Arc<Views>>,
    at_hand: Option<AtHand<'a>>,
    job: &'a Job<'a>,
    misplaced: &'a Arc<Misplaced>,
    layers: &'a RefCell<Layers>,
}

/// Names and sizes of blobs in folders where no registry looks.
fn misplaced(parts: &Parts) -> Result<Misplaced> {
    let mut found = Misplaced::new();
    for (name, row) in parts.misplaced()? {
        if let Some(digest) = digest_of_blob(&name) {
            found.entry(digest).or_insert((name, row.size));
        }
    }
    Ok(found)
}

/// One repository; `None` if it is gone.
fn one(by: &Look<'_>, name: &str, judged: &mut Extent) -> Result<Option<(Piece, Vec<Link>)>> {
    let Look { parts, at_hand, job, .. } = *by;
    for attempt in 1.. {
        let Some(links) = parts.links(name)?.map(Links::list) else { return Ok(None) };
        let mut piece = look(by, name, &links)?;
        if parts.meta().kind() == Kind::Registry {
            leave_unread(&mut piece);
        }
        let wrong = piece.findings.iter().any(|finding| finding.rule.level >= Level::Warning);
        // What came with a change has not been read yet.
        let fresh = attempt > 1 && !piece.unread.is_empty();
        match at_hand {
            Some(at_hand) if (wrong || fresh) && attempt < TRIES => {
                if !again(at_hand, job, name, &links, &piece)? {
                    return Ok(Some((piece, links)));
                }
                by.views.replace(Arc::new(parts.views()?));
            }
            Some(_) => return Ok(Some((piece, links))),
            None => {
                let listed = parts.metas().filter_map(|(_, meta)| meta.run.listed).min();
                let young = |link: &Link| listed.is_some_and(|listed| link.modified as u64 >= listed);
                if wrong && links.iter().any(young) {
                    let before = piece.findings.len();
                    piece.findings.retain(|finding| !is_of_missing(finding));
                    judged.younger += u64::from(piece.findings.len() < before);
                }
                leave_unread(&mut piece);
                return Ok(Some((piece, links)));
            }
        }
    }
    Ok(None)
}

/// Leaves out what seems to be wrong with blobs that nobody read.
fn leave_unread(piece: &mut Piece) {
    let unread: Vec<_> = piece.unread.iter().filter_map(|&id| piece.archive.blob(id).member).collect();
    let of_unread =
        |finding: &Finding| finding.primary.location.member.is_some_and(|member| unread.contains(&member));
    piece.findings.retain(|finding| !of_unread(finding));
}

/// Whether a finding says that something is missing.
fn is_of_missing(finding: &Finding) -> bool {
    let name = finding.rule.name;
    ["missing", "dangling", "bad-link", "no-image-here", "tag-without"].iter().any(|part| name.contains(part))
}

fn look(by: &Look<'_>, name: &str, links: &[Link]) -> Result<Piece> {
    let Look { parts, at_hand, job, misplaced, layers, .. } = *by;
    let meta = parts.meta();
    let limits = &job.reading.limits;
    let views = Arc::clone(&by.views.borrow());
    let within = meta.kind().within(name);
    let held = Arc::new(Held {
        views: Arc::clone(&views),
        within: within.clone(),
        source: at_hand.map(|at_hand| Arc::clone(at_hand.source)),
        limit: limits.document_bytes,
        misplaced: Arc::clone(misplaced),
    });
    let mut archive = match meta.kind() {
        #[cfg(feature = "registry")]
        Kind::Registry => super::live::archive(meta, name, links, held, limits)?,
        Kind::Layouts => super::layouts::archive(parts, &within, links, held, limits)?,
        _ => {
            let root: Vec<&str> = meta.root.iter().map(String::as_str).collect();
            piece::repository((&meta.typed, &meta.base), name, links, &root, held, limits)?
        }
    };
    let (facts, unread) = facts::of(&mut archive, (&views, &within), &mut layers.borrow_mut(), limits)?;
    let mut findings = rules::run(&archive, &facts, Scope::All);
    // Whether the storage has any is known at the end; a layout is judged by itself.
    if within == Within::All {
        findings.retain(|finding| finding.rule.name != rules::archive::NO_IMAGES.name);
    }
    rules::reach::tell(&archive, &mut findings);
    archive.unchanged()?;
    Ok(Piece { archive, findings, within, unread })
}

/// Looks at a repository again where something seems to be wrong; whether anything is other than it was.
fn again(at_hand: AtHand<'_>, job: &Job<'_>, name: &str, links: &[Link], piece: &Piece) -> Result<bool> {
    let AtHand { source, state } = at_hand;
    let mut batch = Batch::default();
    let now = source.repository(name, job.meta.shard)?;
    // What is refused now says nothing of what was given before.
    if now.as_ref().is_some_and(|now| !now.unreadable.is_empty()) {
        return Ok(false);
    }
    // A registry stores a blob before the link to it: what new links name is there now, and was not when blobs were listed.
    let known: HashSet<&Link> = links.iter().collect();
    let new = now.iter().flat_map(|now| &now.links).filter(|link| !known.contains(link));
    let linked: HashSet<Digest> = new.flat_map(named).collect();
    if is_other(now.as_ref(), links, state)? {
        let now = now.map(|now| {
            batch.extend(now.rows);
            Links::of(job.meta.run.number, now.links)
        });
        batch.repositories.push((name.to_owned(), now));
        Counters::add(&job.counters.meanwhile, 1);
    }
    let other = batch.len() > 0;
    let mut gone = 0;
    let mut changed: Vec<Listed> = Vec::new();
    for blob in &piece.archive.blobs {
        let Some(digest) = &blob.digest else { continue };
        let row = state.blob(&piece.within.key(digest))?;
        let sound = row.as_ref().and_then(|row| row.read.as_ref()).is_some_and(|read| read.is_sound(digest));
        if sound && blob.member.is_some() {
            continue;
        }
        match (source.blob(&piece.within, digest)?, row) {
            (Some(now), Some(row)) if now.version().is_same(&row.version()) => {}
            (Some(now), _) => changed.push(now),
            (None, Some(_)) => {
                batch.blobs.push((piece.within.key(digest), None));
                gone += 1;
            }
            (None, None) => {}
        }
    }
    let judged: HashSet<&Digest> =
        piece.archive.blobs.iter().filter_map(|blob| blob.digest.as_ref()).collect();
    for digest in linked.iter().filter(|digest| !judged.contains(digest)) {
        if state.blob(&piece.within.key(digest))?.is_none() {
            changed.extend(source.blob(&piece.within, digest)?);
        }
    }
    Counters::add(&job.counters.meanwhile, changed.len() as u64 + gone);
    if !changed.is_empty() {
        batch.extend(unit::read(source, job, &piece.within, changed)?.batch);
    }
    source.is_there()?;
    let changed = other || batch.len() > 0;
    if changed {
        state.write(&batch)?;
    }
    Ok(changed)
}

/// Whether a repository says something else than it did, or has other documents.
fn is_other(now: Option<&Looked>, links: &[Link], state: &State) -> Result<bool> {
    let Some(now) = now else { return Ok(true) };
    if now.links != links {
        return Ok(true);
    }
    for (key, row) in &now.rows.blobs {
        let facts = |row: &Row| Some(row.read.as_ref()?.facts.as_ref()?.sha256.clone());
        if state.blob(key)?.as_ref().and_then(facts) != row.as_ref().and_then(facts) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The digests that a link names, by its path and by what it says.
fn named(link: &Link) -> impl Iterator<Item = Digest> {
    digest_of_link(&link.path).into_iter().chain(Digest::parse(link.text.trim()).ok())
}

/// Marks what a repository has links to, and what it needs.
fn mark(marks: &mut Marks, archive: &Archive, links: &[Link]) -> std::io::Result<()> {
    for digest in links.iter().flat_map(named) {
        marks.add(&Key::of(&digest), LINKED)?;
    }
    for blob in archive.blobs.iter().filter(|blob| blob.referenced) {
        let stored = blob.member.and_then(|member| facts::digest_of(archive, member));
        for digest in blob.digest.iter().chain(&stored) {
            marks.add(&Key::of(digest), NEEDED)?;
        }
    }
    Ok(())
}

/// What is left when every repository was judged.
struct Rest<'a> {
    parts: &'a Parts,
    job: &'a Job<'a>,
    misplaced: &'a Arc<Misplaced>,
    explained: HashSet<String>,
    sees_all: bool,
    has_roots: bool,
}

impl Rest<'_> {
    /// Blobs that nothing points at, and what is said of the storage as a whole.
    fn judge(&self, gathered: &mut Gathered, marks: Marks, judged: &mut Extent) -> Result<()> {
        let base = &self.parts.meta().base;
        let mut marks = marks.sorted().at("cannot read", "the temporary file of marks")?;
        let mut left: Vec<(Listed, bool, String)> = Vec::new();
        let of_storage = self.parts.meta().kind() == Kind::Storage;
        self.parts.blobs(&mut |key, digest, row| {
            judged.blobs += 1;
            judged.bytes += row.size;
            judged.by.add(&row);
            // A registry does not tell of blobs that nothing points at, and a layout is judged by itself.
            if !of_storage {
                return Ok(());
            }
            let marked = marks.of(key).at("cannot read", "the temporary file of marks")?;
            if marked & NEEDED == 0 {
                let Some(name) = blob_name(base, &digest) else { return Ok(()) };
                let listed = Listed::of(digest, row.version());
                left.push((listed, marked & LINKED != 0, name));
            }
            if left.len() >= LEFT_OVER {
                self.left_over(gathered, &std::mem::take(&mut left), true)?;
            }
            Ok(())
        })?;
        let mut misplaced: Vec<_> = self.misplaced.iter().collect();
        misplaced.sort();
        for (digest, (name, size)) in misplaced {
            if !self.explained.contains(digest.as_str()) {
                let version = Version { size: *size, modified: 0, etag: None };
                let listed = Listed::of(digest.clone(), version);
                left.push((listed, false, name.clone()));
            }
        }
        match of_storage {
            true => self.left_over(gathered, &left, self.has_roots),
            false => Ok(()),
        }
    }

    fn left_over(
        &self,
        gathered: &mut Gathered,
        blobs: &[(Listed, bool, String)],
        has_roots: bool,
    ) -> Result<()> {
        let meta = self.parts.meta();
        let limits = &self.job.reading.limits;
        let views = Arc::new(self.parts.views()?);
        let known = Arc::new(Held {
            views: Arc::clone(&views),
            within: Within::All,
            source: None,
            limit: limits.document_bytes,
            misplaced: Arc::clone(self.misplaced),
        });
        let mut archive = piece::leftovers((&meta.typed, &meta.base), blobs, known, limits)?;
        let mut layers = Layers::new(self.job.reading.tmpdir.as_deref());
        let (facts, _) = facts::of(&mut archive, (&views, &Within::All), &mut layers, limits)?;
        let mut findings = rules::run(&archive, &facts, Scope::All);
        findings.retain(|finding| match finding.rule.name {
            name if name == rules::graph::UNREFERENCED.name => self.sees_all,
            name if name == rules::archive::NO_IMAGES.name => !has_roots,
            _ => true,
        });
        gathered.add(&archive, self.job.judged(&archive, findings));
        Ok(())
    }
}
