//! Every blob once: they are listed in the order of their keys, what is due is read by several threads, and one thread writes
//! what they find.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::counters::Counters;
use super::job::Job;
use super::key::{Key, Within};
use super::row::Row;
use super::select::{Ages, Due, Sample, Selection};
use super::source::{Group, Source};
use super::state::{Batch, State};
use super::sums::{self, Sums, Vouched};
use super::unit::{self, Done};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::form::stored::Listed;

/// Rows that are written together, and the longest that one waits: what a kill costs at most, beside the units in flight.
const ROWS: usize = 2_000;
const TEXTS: usize = 16 << 20;
const WAIT: Duration = Duration::from_secs(1);

/// What reading all blobs came to.
#[derive(Debug, Default)]
pub struct Came {
    /// Blobs that could not be read, and why.
    pub unreadable: Vec<String>,
}

/// Keys of rows that are removed together.
const GONE: usize = 10_000;

/// Blobs that one thread takes.
#[derive(Default)]
struct Work {
    within: Within,
    /// They are read.
    read: Vec<Listed>,
    /// The store proves them.
    proved: Vec<Vouched>,
}

/// Lists every blob and reads what is due; of `sums`, what the store proves is not.
///
/// # Errors
///
/// The storage cannot be listed or is gone, the state cannot be written, or the job was cancelled.
pub fn read(
    stored: &Arc<dyn Source>,
    state: &State,
    job: &Job<'_>,
    selection: Selection,
    sums: Option<&Sums<'_>>,
) -> Result<Came> {
    let mut selection = selection;
    if let Some(sample) = selection.sample {
        selection.oldest = ages(&**stored, state, &selection)?.oldest(sample);
    }
    let threads = job.reading.jobs.max(1);
    let (give, take) = bounded::<Work>(threads);
    let (tell, hear) = bounded::<Result<Done>>(2 * threads);
    let stop = AtomicBool::new(false);
    let came = std::thread::scope(|scope| {
        for _ in 0..threads {
            let (take, tell, stop) = (take.clone(), tell.clone(), &stop);
            scope.spawn(move || worker(stored, job, &take, &tell, stop));
        }
        drop(take);
        let (listing, stopped) = (tell.clone(), &stop);
        scope.spawn(move || {
            let stored = &**stored;
            let taking = Taking { stored, state, job, selection, sums, give, tell: &listing };
            if let Err(error) = list(taking, stopped) {
                let _ = listing.send(Err(error));
            }
        });
        drop(tell);
        let came = write(state, &hear);
        // Whoever still reads is told to end, and nobody waits for a full channel.
        stop.store(true, Ordering::Relaxed);
        while hear.recv().is_ok() {}
        came
    })?;
    Ok(came)
}

fn worker(
    stored: &Arc<dyn Source>,
    job: &Job<'_>,
    take: &Receiver<Work>,
    tell: &Sender<Result<Done>>,
    stop: &AtomicBool,
) {
    while let Ok(Work { within, mut read, proved }) = take.recv() {
        if stop.load(Ordering::Relaxed) {
            continue;
        }
        let mut done = Done::default();
        read.extend(sums::look(stored, job, proved, &mut done));
        let done = unit::read(stored, job, &within, read).map(|read| done.and(read));
        if tell.send(done).is_err() {
            return;
        }
    }
}

/// Writes what is heard, as much at once as a kill may cost.
fn write(state: &State, hear: &Receiver<Result<Done>>) -> Result<Came> {
    let mut came = Came::default();
    let mut batch = Batch::default();
    let mut last = Instant::now();
    loop {
        let heard = hear.recv_timeout(WAIT);
        let ended = matches!(heard, Err(crossbeam_channel::RecvTimeoutError::Disconnected));
        if let Ok(done) = heard {
            let done = match done {
                Ok(done) => done,
                // What was read until then is not read again.
                Err(error) => {
                    state.write(&batch)?;
                    return Err(error);
                }
            };
            batch.extend(done.batch);
            came.unreadable.extend(done.unreadable);
        }
        let due = batch.len() >= ROWS || batch.bytes() >= TEXTS || last.elapsed() >= WAIT;
        if (due || ended) && batch.len() > 0 {
            state.write(&batch)?;
            (batch, last) = (Batch::default(), Instant::now());
        }
        if ended {
            return Ok(came);
        }
    }
}

/// When blobs were read, for a sample of the oldest.
fn ages(stored: &dyn Source, state: &State, selection: &Selection) -> Result<Ages> {
    let mut ages = Ages::default();
    if matches!(selection.sample, Some(Sample::Part(..)) | None) {
        return Ok(ages);
    }
    let mut from = Key::first();
    stored.blobs(&|digest| has(selection, digest), &mut |group| {
        let (span, blobs) = Span::of(&mut from, group);
        let mut each = |listed: Listed, row: Option<Row>, looked: bool| {
            if !looked {
                let read = row.filter(|row| row.is_of(&listed));
                ages.add(read.and_then(|row| row.read).map_or(0, |read| read.at), listed.size);
            }
            Ok(())
        };
        joined(state, &span, blobs, &mut each, &mut |_| Ok(()))
    })?;
    Ok(ages)
}

fn has(selection: &Selection, digest: &Digest) -> bool {
    selection.shard.is_none_or(|shard| shard.has_blob(digest))
}

/// Which rows belong beside the blobs of a group: those from a key on and before another.
struct Span {
    within: Within,
    from: Key,
    until: Option<Key>,
    looked: HashSet<Digest>,
}

impl Span {
    /// Those behind the groups before, whose end `from` is moved to that of this one.
    fn of(from: &mut Key, group: Group) -> (Span, Vec<Listed>) {
        let Group { within, until, blobs, looked, .. } = group;
        // A group that says nothing of what else there is has no blobs in their places either.
        let until = until.filter(|until| until > from).unwrap_or_else(|| from.clone());
        let span = Span { within, from: from.clone(), until: Some(until.clone()), looked };
        *from = until;
        (span, blobs)
    }
}

/// A blob that is listed, what is known of it, and whether it was read when repositories were looked at.
type Joined<'e> = &'e mut dyn FnMut(Listed, Option<Row>, bool) -> Result<()>;

/// Calls `each` for every blob that is listed, with what is known of it, and `gone` for what is known and is not listed.
fn joined(
    state: &State,
    span: &Span,
    blobs: Vec<Listed>,
    each: Joined<'_>,
    gone: &mut dyn FnMut(Key) -> Result<()>,
) -> Result<()> {
    let mut rows = state.rows(span.from.clone(), span.until.clone());
    for listed in blobs {
        let key = span.within.key(&listed.digest);
        let mut row = None;
        while let Some(next) = rows.peek()?.filter(|next| **next <= key) {
            let is_it = *next == key;
            let Some((known, known_row)) = rows.take()? else { break };
            if is_it {
                row = Some(known_row);
                break;
            }
            gone(known)?;
        }
        let looked = span.looked.contains(&listed.digest);
        each(listed, row, looked)?;
    }
    while let Some((key, _)) = rows.take()? {
        gone(key)?;
    }
    Ok(())
}

/// Lists blobs, and says what is to be read, until `stop`.
fn list(mut taking: Taking<'_>, stop: &AtomicBool) -> Result<()> {
    let (stored, job, shard) = (taking.stored, taking.job, taking.selection.shard);
    let mine = |digest: &Digest| shard.is_none_or(|shard| shard.has_blob(digest));
    let mut from = Key::first();
    let done = stored.blobs(&mine, &mut |mut group| {
        if stop.load(Ordering::Relaxed) || job.progress.cancelled() {
            return Err(Error::Cancelled);
        }
        let (listed, all) = group.share;
        if let Some((root, misplaced)) = group.misplaced.take() {
            taking.misplaced(&root, misplaced)?;
        }
        let (span, blobs) = Span::of(&mut from, group);
        taking.group(&span, blobs)?;
        job.counters.all_folders.store(all, Ordering::Relaxed);
        job.counters.folders.store(listed, Ordering::Relaxed);
        Ok(())
    });
    match done {
        // Whoever stopped it says why.
        Err(Error::Cancelled) if stop.load(Ordering::Relaxed) => return Ok(()),
        other => other?,
    }
    let span = Span { within: Within::All, from, until: None, looked: HashSet::new() };
    taking.group(&span, Vec::new())?;
    stored.is_there()
}

/// What becomes of blobs that are listed.
struct Taking<'a> {
    stored: &'a dyn Source,
    state: &'a State,
    job: &'a Job<'a>,
    selection: Selection,
    sums: Option<&'a Sums<'a>>,
    give: Sender<Work>,
    tell: &'a Sender<Result<Done>>,
}

impl Taking<'_> {
    /// Gives what is due of a group to who reads it, and forgets what is there no more.
    fn group(&mut self, span: &Span, blobs: Vec<Listed>) -> Result<()> {
        let (mut unit, mut bytes) = (Work { within: span.within.clone(), ..Work::default() }, 0);
        let mut done = Done::default();
        let mut gone: Vec<Key> = Vec::new();
        let (state, stored, tell) = (self.state, self.stored, self.tell);
        let mut each = |listed: Listed, row: Option<Row>, looked| {
            self.one(&span.within, (listed, row, looked), (&mut unit, &mut bytes), &mut done)
        };
        joined(state, span, blobs, &mut each, &mut |key| {
            gone.push(key);
            if gone.len() >= GONE { forget(stored, tell, std::mem::take(&mut gone)) } else { Ok(()) }
        })?;
        if !unit.read.is_empty() || !unit.proved.is_empty() {
            let _ = self.give.send(unit);
        }
        forget(stored, tell, gone)?;
        send(tell, done);
        Ok(())
    }

    /// One blob that is listed, with what is known of it.
    fn one(
        &mut self,
        within: &Within,
        (listed, row, looked): (Listed, Option<Row>, bool),
        (unit, bytes): (&mut Work, &mut u64),
        done: &mut Done,
    ) -> Result<()> {
        let job = self.job;
        let give = |unit: &mut Work, bytes: &mut u64| {
            let next = Work { within: within.clone(), ..Work::default() };
            // Nobody takes it any more if something failed, which is told elsewhere.
            let _ = self.give.send(std::mem::replace(unit, next));
            *bytes = 0;
        };
        Counters::add(&job.counters.listed, 1);
        Counters::add(&job.counters.listed_bytes, listed.size);
        let due = match self.selection.due(&listed, row.as_ref()) {
            _ if looked => Due::Known,
            Due::Read | Due::Ask if job.is_over() => Due::Left,
            due => due,
        };
        if let (Due::Ask, Some(sums)) = (due, self.sums)
            && let Some(at) = sums.of(&listed, self.selection.now)?
        {
            if unit.proved.len() >= unit::BLOBS {
                give(unit, bytes);
            }
            let known = row.filter(|row| row.is_of(&listed)).and_then(|row| row.read);
            unit.proved.push(Vouched { listed, at, known });
            return Ok(());
        }
        match due {
            Due::Known => {
                let read = row.and_then(|row| row.read);
                let (count, bytes) = match &read {
                    Some(read) if looked && read.run == job.meta.run.number && read.at >= job.began => {
                        (&job.counters.read, &job.counters.read_bytes)
                    }
                    _ => (&job.counters.kept, &job.counters.kept_bytes),
                };
                Counters::add(count, 1);
                Counters::add(bytes, listed.size);
                let sound = read.is_some_and(|read| read.is_sound(&listed.digest));
                Counters::add(&job.counters.faults, u64::from(!sound));
            }
            Due::Left => {
                Counters::add(&job.counters.left, 1);
                if row.filter(|row| row.is_of(&listed)).is_none() {
                    let row = Row::of(&listed, None);
                    done.batch.blobs.push((within.key(&listed.digest), Some(row)));
                }
            }
            Due::Read | Due::Ask => {
                if !unit.read.is_empty()
                    && (unit.read.len() >= unit::BLOBS || *bytes + listed.size > unit::BYTES)
                {
                    give(unit, bytes);
                }
                *bytes += listed.size;
                unit.read.push(listed);
            }
        }
        Ok(())
    }

    /// Notes blobs in a folder where nobody looks for them, and forgets those that are there no more. `root`: what the names of
    /// all files in that folder begin with.
    fn misplaced(&self, root: &str, listed: Vec<Listed>) -> Result<()> {
        let mut done = Done::default();
        let now: std::collections::BTreeMap<String, Row> = listed
            .into_iter()
            .map(|listed| (format!("{root}{}/data", listed.digest.encoded()), Row::of(&listed, None)))
            .collect();
        self.state.misplaced(&mut |name, row| {
            if name.starts_with(root) && now.get(name) != Some(&row) {
                done.batch.misplaced.push((name.to_owned(), None));
            }
            Ok(())
        })?;
        done.batch.misplaced.extend(now.into_iter().map(|(name, row)| (name, Some(row))));
        send(self.tell, done);
        Ok(())
    }
}

/// Removes rows of what is there no more.
fn forget(stored: &dyn Source, tell: &Sender<Result<Done>>, gone: Vec<Key>) -> Result<()> {
    if gone.is_empty() {
        return Ok(());
    }
    // A place that vanishes looks as if it were empty.
    stored.is_there()?;
    let mut done = Done::default();
    done.batch.blobs = gone.into_iter().map(|key| (key, None)).collect();
    send(tell, done);
    Ok(())
}

fn send(tell: &Sender<Result<Done>>, done: Done) {
    if done.batch.len() > 0 {
        let _ = tell.send(Ok(done));
    }
}
