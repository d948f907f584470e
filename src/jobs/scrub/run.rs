//! A run over a storage, and the joining of parts.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::counters::Counters;
use super::gc::{self, Garbage};
use super::graph::{self, AtHand, Extent};
use super::job::{Extras, Job, Means, Request, nanoseconds, seconds};
use super::layouts::OfLayouts;
#[cfg(feature = "registry")]
use super::live::Registry;
use super::parts::Parts;
use super::row::{Kind, Meta, Run, SCHEME, Shard};
use super::select::Selection;
use super::source::{OfStorage, Source};
use super::state::{Batch, State};
use super::sums::Sums;
use super::told::{self, Told};
use super::{blobs, lines, links};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::form::oci_layout::stored::Layouts;
#[cfg(feature = "registry")]
use crate::form::registry::live::Live;
use crate::form::registry_storage::stored::Stored;

/// What a scrub came to.
pub struct Scrubbed {
    /// What was found; nothing is judged of a part alone.
    pub told: Option<Told>,
    /// What was judged.
    pub judged: Extent,
    /// What a collection of garbage would do, if that was asked for.
    pub plan: Option<Garbage>,
    /// What the state says of itself, of every part.
    pub metas: Vec<Meta>,
    /// Blobs that could not be read, and why.
    pub unreadable: Vec<String>,
}

impl Scrubbed {
    /// Blobs that are there and were not read, by this run or one before it.
    pub fn left(&self) -> u64 {
        self.metas.iter().map(|meta| meta.run.left).sum()
    }

    /// Whether every blob was read.
    pub fn is_complete(&self) -> bool {
        self.left() == 0 && self.unreadable.is_empty() && self.judged.younger == 0
    }
}

/// What is scrubbed, and where it is.
pub enum What {
    /// The storage of a registry, wherever it is.
    Storage(Stored),
    /// Layouts, in a folder.
    Layouts(Layouts),
    /// A live registry, or a repository of it.
    #[cfg(feature = "registry")]
    Registry(Box<Live>),
}

/// Where it is, as the state says it.
struct Where {
    kind: Kind,
    /// In its canonical form.
    place: String,
    base: String,
    root: Vec<String>,
}

/// Scrubs it.
///
/// # Errors
///
/// The storage or the state cannot be read or written, the state is another one's, or the job was cancelled.
pub fn run(
    (typed, what): (&str, What),
    request: &Request,
    means: &Means<'_>,
    extras: Extras<'_>,
) -> Result<Scrubbed> {
    match what {
        What::Layouts(layouts) => {
            let place = layouts.identity()?;
            let source: Arc<dyn Source> = Arc::new(OfLayouts::new(typed, layouts, &means.reading.limits)?);
            let at = Where { kind: Kind::Layouts, place, base: String::new(), root: Vec::new() };
            let (state, meta) = state_of(typed, at, request, means)?;
            kept(&state.clone(), || of_source(&source, (state, meta), request, means, extras))
        }
        What::Storage(stored) => {
            let mut root = Vec::new();
            for name in MIRROR {
                root.extend(stored.has_at_root(name)?.then(|| (*name).to_owned()));
            }
            let (place, base) = (stored.identity()?, stored.base().to_owned());
            let at = Where { kind: Kind::Storage, place, base, root };
            let (state, meta) = state_of(typed, at, request, means)?;
            let source: Arc<dyn Source> = Arc::new(OfStorage(stored));
            kept(&state.clone(), || of_source(&source, (state, meta), request, means, extras))
        }
        #[cfg(feature = "registry")]
        What::Registry(live) => {
            if extras.grace.is_some() {
                let message = "a registry does not tell of blobs that nothing points at, so nobody can plan what --gc-plan asks for";
                return Err(Error::refused_help(message, "give its storage, registry-storage:DIR"));
            }
            let (place, base) = (live.place(), live.domain().to_owned());
            let at = Where { kind: Kind::Registry, place, base, root: Vec::new() };
            let (state, meta) = state_of(typed, at, request, means)?;
            let max_age = request.max_age.map(|age| age.as_secs());
            let source: Arc<dyn Source> = Arc::new(Registry::new(*live, &state, &meta, max_age));
            kept(&state.clone(), || of_source(&source, (state, meta), request, means, extras))
        }
    }
}

/// Does a job whose state may be kept in a bucket.
#[cfg(feature = "cloud")]
fn kept<T>(state: &State, job: impl FnOnce() -> Result<T>) -> Result<T> {
    super::afar::kept(state.keep(), job)
}

/// Without buckets a state is a file and no more.
#[cfg(not(feature = "cloud"))]
fn kept<T>(_: &State, job: impl FnOnce() -> Result<T>) -> Result<T> {
    job()
}

/// Scrubs what is looked at piece by piece.
fn of_source(
    source: &Arc<dyn Source>,
    (state, mut meta): (State, Meta),
    request: &Request,
    means: &Means<'_>,
    extras: Extras<'_>,
) -> Result<Scrubbed> {
    let until = request.max_duration.and_then(|duration| Instant::now().checked_add(duration));
    state.write(&Batch { meta: Some(meta.clone()), ..Batch::default() })?;
    let selection = selection(&meta, request);
    // A run that goes on looks at repositories that it has not looked at yet.
    let mut unreadable = links::read(&**source, &state, &means.job(&meta, until), meta.shard)?;
    meta.run.listed = Some(nanoseconds());
    state.write(&Batch { meta: Some(meta.clone()), ..Batch::default() })?;
    let job = means.job(&meta, until);
    let sums = match request.checksums.is_empty() {
        true => None,
        false => Some(Sums::take(&request.checksums, &state, &job, selection.max_age)?),
    };
    let came = blobs::read(source, &state, &job, selection, sums.as_ref())?;
    sums.map_or(Ok(()), Sums::end)?;
    meta.run.left = Counters::get(&means.counters.left);
    unreadable.extend(came.unreadable);
    let mut scrubbed =
        Scrubbed { told: None, judged: Extent::default(), plan: None, metas: Vec::new(), unreadable };
    if meta.shard.is_none() {
        let parts = Parts::one(state.clone(), meta.clone());
        let at_hand = AtHand { source, state: &state };
        judged(&parts, Some(at_hand), &means.job(&meta, until), extras, &mut scrubbed)?;
    }
    meta.run.ended = Some(seconds());
    state.write(&Batch { meta: Some(meta.clone()), ..Batch::default() })?;
    scrubbed.metas = vec![meta];
    Ok(scrubbed)
}

fn selection(meta: &Meta, request: &Request) -> Selection {
    Selection {
        run: meta.run.clone(),
        now: seconds(),
        max_age: request.max_age.map(|age| age.as_secs()),
        shard: meta.shard,
        sample: request.sample,
        store: !request.checksums.is_empty(),
        oldest: None,
    }
}

/// Joins the states of all parts, and judges them as one storage.
///
/// # Errors
///
/// A part is missing, is there twice, is another storage's or has not ended; or a state cannot be read.
pub fn merge(states: &[PathBuf], means: &Means<'_>, extras: Extras<'_>) -> Result<Scrubbed> {
    let mut files = HashSet::new();
    for path in states {
        // One in a bucket has no file yet.
        if !files.insert(path.canonicalize().unwrap_or_else(|_| path.clone())) {
            return Err(Error::refused_help(
                format!("{} is given twice", path.display()),
                "give each part once",
            ));
        }
    }
    let parts = Parts::of(State::all(states, means.access)?)?;
    let metas: Vec<Meta> = parts.metas().map(|(_, meta)| meta.clone()).collect();
    let job = means.job(parts.meta(), None);
    let judged = Extent::default();
    let mut scrubbed = Scrubbed { told: None, judged, plan: None, metas, unreadable: Vec::new() };
    self::judged(&parts, None, &job, extras, &mut scrubbed)?;
    Ok(scrubbed)
}

/// Judges everything, and works out what is told beside it.
fn judged(
    parts: &Parts,
    at_hand: Option<AtHand<'_>>,
    job: &Job<'_>,
    extras: Extras<'_>,
    scrubbed: &mut Scrubbed,
) -> Result<()> {
    let mut gathered = told::Gathered::default();
    let mut collecting = extras.grace.map(|grace| {
        let young = nanoseconds().saturating_sub(grace.as_nanos() as u64);
        gc::Collecting::new(job.reading.tmpdir.as_deref(), i64::try_from(young).unwrap_or(i64::MAX))
    });
    let mut lines = extras.facts.map(lines::Lines::new);
    scrubbed.judged = graph::judge(parts, at_hand, job, &mut gathered, &mut |name, piece, links| {
        if let Some(collecting) = &mut collecting {
            collecting.add(parts, name, piece, links)?;
        }
        lines.as_mut().map_or(Ok(()), |lines| lines.repository(name, piece, links))
    })?;
    lines.as_mut().map_or(Ok(()), |lines| lines.blobs(parts))?;
    let mut told = gathered.finish(&parts.meta().typed, parts.meta().kind().id(), job.policy);
    told.by = scrubbed.judged.by;
    scrubbed.told = Some(told);
    scrubbed.plan = collecting.map(|collecting| collecting.plan(parts)).transpose()?;
    Ok(())
}

/// The state of a run, and what it says of itself: a new one, the next run of an old one, or the rest of one that was ended
/// too early.
fn state_of(typed: &str, at: Where, request: &Request, means: &Means<'_>) -> Result<(State, Meta)> {
    let Where { kind, place, base, root } = at;
    let fresh = Meta {
        scheme: SCHEME,
        restow: env!("CARGO_PKG_VERSION").to_owned(),
        id: drawn(),
        form: kind.id().to_owned(),
        place,
        typed: typed.to_owned(),
        base,
        shard: request.shard,
        root,
        run: Run { number: 1, began: seconds(), ..Run::default() },
    };
    let Some(path) = &request.state else {
        return Ok((State::temporary(means.reading.tmpdir.as_deref())?, fresh));
    };
    let (state, known) = State::open(path, means.access)?;
    let Some(known) = known else { return Ok((state, fresh)) };
    let message = || format!("{} is the state of {}, not of {}", path.display(), known.place, fresh.place);
    if known.form != fresh.form {
        let message = format!("{}: that is {}, and this {}", message(), told_form(&known), told_form(&fresh));
        return Err(Error::refused_help(message, "give another --state"));
    }
    if known.place != fresh.place && !request.adopt {
        let help = "add --adopt if the storage has moved, or give another --state";
        return Err(Error::refused_help(message(), help));
    }
    if known.shard != fresh.shard {
        let told = |shard: Option<Shard>| {
            shard.map_or_else(|| "all of the storage".to_owned(), |shard| format!("part {shard}"))
        };
        let message =
            format!("{} is about {}, not about {}", path.display(), told(known.shard), told(fresh.shard));
        return Err(Error::refused_help(message, "give each part a --state of its own"));
    }
    let run = match known.run.ended {
        None => known.run,
        Some(_) => Run { number: known.run.number + 1, ..fresh.run },
    };
    Ok((state, Meta { id: known.id, run, ..fresh }))
}

/// What a state is about, in words.
fn told_form(meta: &Meta) -> &'static str {
    match meta.kind() {
        Kind::Storage => "the storage of a registry",
        Kind::Layouts => "a folder of layouts",
        Kind::Registry => "a live registry",
    }
}

/// Files at the root of a storage that tell of a mirror.
const MIRROR: &[&str] = &["scheduler-state.json"];

/// A name that nothing else has.
fn drawn() -> String {
    use std::hash::{BuildHasher, Hasher};
    let random = || std::hash::RandomState::new().build_hasher().finish();
    let seed = format!("{}{}{}{}", random(), random(), nanoseconds(), std::process::id());
    Digest::sha256(seed.as_bytes()).encoded().get(..32).unwrap_or_default().to_owned()
}
