//! Parts, kills and further runs: the report is that of one run, and no blob is read twice.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use restow::scrub::{Counters, Request as ScrubRequest, Shard};
use restow::{BlobProgress, Options, Place, Progress};

use super::planted::damaged;
use super::storage::{Storage, json, restow};

/// Counts how often each blob is read, and stops after so many.
pub struct Counting {
    reads: Mutex<Vec<String>>,
    left: AtomicUsize,
}

impl Counting {
    pub fn stopping_after(reads: usize) -> Counting {
        Counting { reads: Mutex::default(), left: AtomicUsize::new(reads) }
    }

    pub fn read(&self) -> Vec<String> {
        let mut read = self.reads.lock().expect("not poisoned").clone();
        read.sort();
        read
    }
}

impl Progress for Counting {
    fn blob(&self, name: &str, _: u64) -> Option<Box<dyn BlobProgress + '_>> {
        self.reads.lock().expect("not poisoned").push(name.to_owned());
        let _ = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        None
    }

    fn cancelled(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }
}

/// Whether a scrub came to its end.
pub fn scrub(place: &str, state: &Path, shard: Option<Shard>, counting: &Counting) -> bool {
    let place = Place::parse(place).expect("a place");
    let request = ScrubRequest { state: Some(state.to_owned()), shard, ..ScrubRequest::default() };
    let options = Options { progress: counting, jobs: 2, ..Options::default() };
    restow::scrub::run(
        &place,
        &request,
        &Default::default(),
        &options,
        &Counters::default(),
        Default::default(),
    )
    .is_ok()
}

fn all_blobs(storage: &Storage) -> usize {
    let mut count = 0;
    let mut pending = vec![storage.root().join("blobs")];
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(folder).expect("listed").flatten() {
            match entry.path() {
                path if path.is_dir() => pending.push(path),
                path => count += usize::from(path.ends_with("data")),
            }
        }
    }
    count
}

fn merged(states: &[PathBuf], format: &str) -> (Option<i32>, Vec<u8>) {
    let states: Vec<&str> = states.iter().map(|path| path.to_str().expect("UTF-8")).collect();
    let output = restow(&[&["scrub", "merge", "--report", format][..], &states].concat());
    (output.status.code(), output.stdout)
}

/// The report of a place in so many parts is that of a single run, in every format.
pub fn assert_same_in_parts(dir: &Path, place: &str, counts: &[usize]) {
    let single = |format| (format, restow(&["scrub", "--report", format, place]));
    let single = ["json", "human", "sarif", "junit", "markdown", "html"].map(single);
    for &count in counts {
        let states: Vec<PathBuf> = (0..count).map(|i| dir.join(format!("{count}-{i}.db"))).collect();
        for (i, state) in states.iter().enumerate() {
            let shard = format!("{i}/{count}");
            let output =
                restow(&["scrub", "--shard", &shard, "--state", state.to_str().expect("UTF-8"), place]);
            assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        }
        let shuffled: Vec<PathBuf> = states.into_iter().rev().collect();
        for (format, single) in &single {
            let (code, parts) = merged(&shuffled, format);
            assert_eq!((code, single.status.code()), (Some(1), Some(1)), "{format}");
            match *format {
                // Pages say which command made them.
                "markdown" | "html" => assert!(!parts.is_empty()),
                _ => assert_eq!(
                    String::from_utf8_lossy(&parts),
                    String::from_utf8_lossy(&single.stdout),
                    "{format} of {count} parts"
                ),
            }
        }
    }
}

/// In seven parts, two of which are stopped twice and go on, each blob is read once but for what was in flight, and the report
/// is that of a single run. `blobs`: how many there are, copies of one digest in several layouts by themselves.
pub fn assert_read_once_in_parts(dir: &Path, place: &str, blobs: usize) {
    let (_, single) = json(&["scrub", place]);
    let mut reads = Vec::new();
    let mut again = 0;
    let states: Vec<PathBuf> = (0..7).map(|i| dir.join(format!("killed-{i}.db"))).collect();
    for (index, state) in (0..7).zip(&states) {
        let shard = Some(Shard { index, count: 7 });
        for stop in if index == 2 || index == 5 { vec![5, 20, usize::MAX] } else { vec![usize::MAX] } {
            let counting = Counting::stopping_after(stop);
            let done = scrub(place, state, shard, &counting);
            assert_eq!(done, stop == usize::MAX, "part {index} stopped after {stop}");
            again += usize::from(!done);
            reads.extend(counting.read());
        }
    }
    // What is in flight is a unit for each of the two threads.
    let most = blobs + again * 2 * 64;
    assert!(
        (blobs..=most).contains(&reads.len()),
        "{} of {blobs} blobs were read, of {most} at most",
        reads.len()
    );
    let (code, parts) = merged(&states, "json");
    assert_eq!(code, Some(1));
    assert_eq!(String::from_utf8_lossy(&parts), single);
}

#[test]
fn parts_come_to_the_report_of_one_run_byte_for_byte() {
    let dir = tempfile::tempdir().expect("temporary directory");
    // 200 images, twelve of them with a kind of damage each.
    let storage = damaged(&dir.path().join("storage"), 188);
    assert_same_in_parts(dir.path(), &storage.place(), &[2, 3, 7]);
}

#[test]
fn no_blob_is_read_twice_but_those_in_flight_when_a_part_was_stopped() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let storage = damaged(&dir.path().join("storage"), 188);
    // All but the one that was moved.
    assert_read_once_in_parts(dir.path(), &storage.place(), all_blobs(&storage) - 1);
}

#[test]
fn a_further_run_reads_what_is_new_was_wrong_or_changed() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (storage, images) = Storage::filled(&dir.path().join("storage"), 20);
    let state = dir.path().join("state.db");
    let run = || {
        let counting = Counting::stopping_after(usize::MAX);
        assert!(scrub(&storage.place(), &state, None, &counting));
        counting.read()
    };
    assert_eq!(run().len(), all_blobs(&storage));
    assert_eq!(run(), [""; 0]);
    // A new image: its layer, its config and its manifest.
    let new = storage.image("new", "new", &[super::storage::tar("etc/new", b"new")]);
    storage.tag("new", "1", &new.manifest);
    assert_eq!(run().len(), 3);
    assert_eq!(run(), [""; 0]);
    // One that is damaged is read, and as long as it is wrong it is read again.
    let layer = &images[3].layers[1];
    let whole = std::fs::read(storage.data(layer)).expect("read");
    std::fs::write(storage.data(layer), &whole[1..]).expect("written");
    assert_eq!(run(), [layer.as_str()]);
    assert_eq!(run(), [layer.as_str()]);
    std::fs::write(storage.data(layer), whole).expect("written");
    assert_eq!(run(), [layer.as_str()]);
    assert_eq!(run(), [""; 0]);
    // What is gone is forgotten.
    std::fs::remove_dir_all(storage.root().join("repositories/new")).expect("removed");
    for digest in new.layers.iter().chain([&new.config, &new.manifest]) {
        std::fs::remove_file(storage.data(digest)).expect("removed");
    }
    assert_eq!(run(), [""; 0]);
    let (code, report) = json(&["scrub", "--state", state.to_str().expect("UTF-8"), &storage.place()]);
    let told = super::storage::findings(&report).into_iter().filter(|(level, ..)| level != "note").count();
    assert_eq!((code, told), (Some(0), 0), "{report}");
}
