//! Parts, kills and further runs: the report is that of one run, and no blob is read twice.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use restow::scrub::{Counters, Request as ScrubRequest, Shard};
use restow::{BlobProgress, Options, Place, Progress};

use super::planted::damaged;
use super::storage::{Storage, json, restow};

/// Counts how often each blob is read, and stops after so many.
struct Counting {
    reads: Mutex<Vec<String>>,
    left: AtomicUsize,
}

impl Counting {
    fn stopping_after(reads: usize) -> Counting {
        Counting { reads: Mutex::default(), left: AtomicUsize::new(reads) }
    }

    fn read(&self) -> Vec<String> {
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

fn scrub(storage: &Storage, state: &Path, shard: Option<Shard>, counting: &Counting) -> bool {
    let place = Place::parse(&storage.place()).expect("a place");
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

#[test]
fn parts_come_to_the_report_of_one_run_byte_for_byte() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let storage = damaged(&dir.path().join("storage"), 30);
    for count in [1, 4, 7] {
        let states: Vec<PathBuf> = (0..count).map(|i| dir.path().join(format!("{count}-{i}.db"))).collect();
        for (i, state) in states.iter().enumerate().rev() {
            let shard = format!("{i}/{count}");
            let output = restow(&[
                "scrub",
                "--shard",
                &shard,
                "--state",
                state.to_str().expect("UTF-8"),
                &storage.place(),
            ]);
            assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        }
        for format in ["json", "human", "sarif", "junit", "markdown", "html"] {
            let single = restow(&["scrub", "--report", format, &storage.place()]);
            let mut shuffled = states.clone();
            shuffled.reverse();
            let (code, parts) = merged(&shuffled, format);
            assert_eq!((code, single.status.code()), (Some(1), Some(1)), "{format}");
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("scrub merge", "scrub");
            let command = |text: String| {
                text.lines()
                    .filter(|line| !line.contains("restow scrub --report"))
                    .collect::<Vec<_>>()
                    .join("\n")
            };
            match format {
                // Pages say which command made them.
                "markdown" | "html" => assert!(!command(text(&parts)).is_empty()),
                _ => assert_eq!(
                    String::from_utf8_lossy(&parts),
                    String::from_utf8_lossy(&single.stdout),
                    "{format}"
                ),
            }
        }
    }
}

#[test]
fn no_blob_is_read_twice_but_those_in_flight_when_a_part_was_stopped() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let storage = damaged(&dir.path().join("storage"), 150);
    let (_, single) = json(&["scrub", &storage.place()]);
    let mut reads = Vec::new();
    let mut again = 0;
    let states: Vec<PathBuf> = (0..7).map(|i| dir.path().join(format!("{i}.db"))).collect();
    for (index, state) in (0..7).zip(&states) {
        let shard = Some(Shard { index, count: 7 });
        for stop in if index == 2 || index == 5 { vec![5, 20, usize::MAX] } else { vec![usize::MAX] } {
            let counting = Counting::stopping_after(stop);
            let done = scrub(&storage, state, shard, &counting);
            assert_eq!(done, stop == usize::MAX, "part {index} stopped after {stop}");
            again += usize::from(!done);
            reads.extend(counting.read());
        }
    }
    let count = reads.len();
    reads.sort();
    reads.dedup();
    assert_eq!(reads.len(), all_blobs(&storage) - 1, "all but the one that was moved");
    // What is in flight is a unit for each of the two threads.
    let most = again * 2 * 64;
    assert!(count - reads.len() <= most, "{} were read twice", count - reads.len());
    let (code, parts) = merged(&states, "json");
    assert_eq!(code, Some(1));
    assert_eq!(String::from_utf8_lossy(&parts), single);
}

#[test]
fn a_further_run_reads_what_is_new_was_wrong_or_changed() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (storage, images) = Storage::filled(&dir.path().join("storage"), 20);
    let state = dir.path().join("state.db");
    let run = || {
        let counting = Counting::stopping_after(usize::MAX);
        assert!(scrub(&storage, &state, None, &counting));
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
