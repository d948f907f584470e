//! Every blob once: folders are listed one after the other, what is due is read by several threads, and one thread writes
//! what they find.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::counters::Counters;
use super::job::Job;
use super::key::prefix;
use super::row::Row;
use super::select::{Ages, Due, Sample, Selection};
use super::source::Source;
use super::state::{Batch, State};
use super::sums::{self, Sums, Vouched};
use super::unit::{self, Done};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::form::registry_storage::stored::{Folder, Listed};

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

/// Blobs that one thread takes.
#[derive(Default)]
struct Work {
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
    let mut folders = stored.folders()?;
    folders.sort_by_key(prefix);
    job.counters.all_folders.store(folders.len() as u64, Ordering::Relaxed);
    let mut selection = selection;
    if let Some(sample) = selection.sample {
        selection.oldest = ages(&**stored, state, &folders, &selection)?.oldest(sample);
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
            let lister = Lister { stored, state, job, selection, sums, give, tell: &listing, stop: stopped };
            if let Err(error) = lister.all(&folders) {
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
    while let Ok(Work { mut read, proved }) = take.recv() {
        if stop.load(Ordering::Relaxed) {
            continue;
        }
        let mut done = Done::default();
        read.extend(sums::look(stored, job, proved, &mut done));
        let done = unit::read(stored, job, read).map(|read| done.and(read));
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
fn ages(stored: &dyn Source, state: &State, folders: &[Folder], selection: &Selection) -> Result<Ages> {
    let mut ages = Ages::default();
    if matches!(selection.sample, Some(Sample::Part(..)) | None) {
        return Ok(ages);
    }
    for folder in folders {
        joined(stored, state, folder, &mut |listed, row, looked| {
            if has(selection, &listed.digest) && !looked {
                let read = row.filter(|row| row.is_of(&listed));
                ages.add(read.and_then(|row| row.read).map_or(0, |read| read.at), listed.size);
            }
            Ok(())
        })?;
    }
    Ok(ages)
}

fn has(selection: &Selection, digest: &Digest) -> bool {
    selection.shard.is_none_or(|shard| shard.has_blob(digest))
}

/// A blob that is listed, what is known of it, and whether it was read when repositories were looked at.
type Joined<'e> = &'e mut dyn FnMut(Listed, Option<Row>, bool) -> Result<()>;

/// Calls `each` for every blob of a folder that is listed, with what is known of it; misplaced ones are given back.
fn joined(stored: &dyn Source, state: &State, folder: &Folder, each: Joined<'_>) -> Result<Joins> {
    let listing = stored.blobs(folder)?;
    let mut rows: Vec<(Digest, Row)> = Vec::new();
    let first = format!("{}:{}", folder.algorithm, folder.name);
    state.blobs(&prefix(folder), &mut |digest, row| {
        if digest.as_str().starts_with(&first) {
            rows.push((digest, row));
        }
        Ok(())
    })?;
    let mut gone = Vec::new();
    let mut rows = rows.into_iter().peekable();
    for listed in listing.blobs {
        while let Some((digest, _)) = rows.next_if(|(digest, _)| *digest < listed.digest) {
            gone.push(digest);
        }
        let row = rows.next_if(|(digest, _)| *digest == listed.digest).map(|(_, row)| row);
        let looked = listing.looked.contains(&listed.digest);
        each(listed, row, looked)?;
    }
    gone.extend(rows.map(|(digest, _)| digest));
    if !gone.is_empty() {
        // A storage that vanishes looks as if it were empty.
        stored.is_there()?;
    }
    Ok(Joins { gone, misplaced: listing.misplaced })
}

/// What a folder has besides blobs that are in their places.
struct Joins {
    /// Blobs that are known and not there any more.
    gone: Vec<Digest>,
    misplaced: Vec<Listed>,
}

/// Lists folders, and says what is to be read.
struct Lister<'a> {
    stored: &'a Arc<dyn Source>,
    state: &'a State,
    job: &'a Job<'a>,
    selection: Selection,
    sums: Option<&'a Sums<'a>>,
    give: Sender<Work>,
    tell: &'a Sender<Result<Done>>,
    stop: &'a AtomicBool,
}

impl Lister<'_> {
    fn all(self, folders: &[Folder]) -> Result<()> {
        // What is known of folders that are not there any more.
        let mut before: Vec<u8> = Vec::new();
        let Lister { stored, state, job, selection, sums, give, tell, stop } = self;
        let stored = &**stored;
        let selection = Mutex::new(selection);
        for folder in folders {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            if job.progress.cancelled() {
                return Err(Error::Cancelled);
            }
            let key = prefix(folder);
            gone_between(stored, state, &before, &key, tell)?;
            before = key;
            one(stored, state, job, (&selection, sums), folder, &give, tell)?;
            Counters::add(&job.counters.folders, 1);
        }
        gone_between(stored, state, &before, &[2], tell)?;
        stored.is_there()
    }
}

/// Removes what is known of folders that lie between two which are there.
fn gone_between(
    stored: &dyn Source,
    state: &State,
    after: &[u8],
    until: &[u8],
    tell: &Sender<Result<Done>>,
) -> Result<()> {
    let mut done = Done::default();
    state.between(after, until, &mut |digest| {
        done.batch.blobs.push((digest, None));
        Ok(())
    })?;
    if done.batch.len() > 0 {
        stored.is_there()?;
    }
    send(tell, done);
    Ok(())
}

fn send(tell: &Sender<Result<Done>>, done: Done) {
    if done.batch.len() > 0 {
        let _ = tell.send(Ok(done));
    }
}

fn one(
    stored: &dyn Source,
    state: &State,
    job: &Job<'_>,
    (selection, sums): (&Mutex<Selection>, Option<&Sums<'_>>),
    folder: &Folder,
    give: &Sender<Work>,
    tell: &Sender<Result<Done>>,
) -> Result<()> {
    let mut selection = selection.lock().unwrap_or_else(PoisonError::into_inner);
    let shard = selection.shard;
    let mine = |digest: &Digest| shard.is_none_or(|shard| shard.has_blob(digest));
    let (mut unit, mut bytes) = (Work::default(), 0);
    let mut done = Done::default();
    let joins = joined(stored, state, folder, &mut |listed, row, looked| {
        if !mine(&listed.digest) {
            return Ok(());
        }
        Counters::add(&job.counters.listed, 1);
        Counters::add(&job.counters.listed_bytes, listed.size);
        let due = match selection.due(&listed, row.as_ref()) {
            _ if looked => Due::Known,
            Due::Read | Due::Ask if job.is_over() => Due::Left,
            due => due,
        };
        if let (Due::Ask, Some(sums)) = (due, sums)
            && let Some(at) = sums.of(&listed, selection.now)?
        {
            if unit.proved.len() >= unit::BLOBS {
                let _ = give.send(std::mem::take(&mut unit));
                bytes = 0;
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
                    done.batch.blobs.push((listed.digest, Some(row)));
                }
            }
            Due::Read | Due::Ask => {
                if !unit.read.is_empty()
                    && (unit.read.len() >= unit::BLOBS || bytes + listed.size > unit::BYTES)
                {
                    // Nobody takes it any more if something failed, which is told elsewhere.
                    let _ = give.send(std::mem::take(&mut unit));
                    bytes = 0;
                }
                bytes += listed.size;
                unit.read.push(listed);
            }
        }
        Ok(())
    })?;
    if !unit.read.is_empty() || !unit.proved.is_empty() {
        let _ = give.send(unit);
    }
    done.batch.blobs.extend(joins.gone.into_iter().map(|digest| (digest, None)));
    misplaced(stored, state, folder, joins.misplaced, &mine, &mut done.batch)?;
    send(tell, done);
    Ok(())
}

/// Notes blobs in a folder where no registry looks, and forgets those that are there no more.
fn misplaced(
    stored: &dyn Source,
    state: &State,
    folder: &Folder,
    listed: Vec<Listed>,
    mine: &dyn Fn(&Digest) -> bool,
    batch: &mut Batch,
) -> Result<()> {
    let Some(root) = stored.misplaced_in(folder) else { return Ok(()) };
    let now: std::collections::BTreeMap<String, Row> = listed
        .into_iter()
        .filter(|listed| mine(&listed.digest))
        .map(|listed| {
            let name = format!("{root}{}/data", listed.digest.encoded());
            (name, Row::of(&listed, None))
        })
        .collect();
    state.misplaced(&mut |name, row| {
        if name.starts_with(&root) && now.get(name) != Some(&row) {
            batch.misplaced.push((name.to_owned(), None));
        }
        Ok(())
    })?;
    batch.misplaced.extend(now.into_iter().map(|(name, row)| (name, Some(row))));
    Ok(())
}
