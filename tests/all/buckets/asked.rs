//! What a bucket is asked for: one GET a blob, one listing, and the verdict of the same storage on disk.

use std::collections::BTreeMap;

use super::store::{Act, Seen, Store};
use super::{run, told};
use crate::scrubbed::planted::damaged;
use crate::scrubbed::storage::{Storage, restow, tar};
use crate::served::Served;

const PLACE: &str = "registry-storage:s3://images";

/// How often each key was asked for, of those that hold a text.
fn counts(seen: &[Seen], what: &str, part: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for one in seen.iter().filter(|one| one.what == what && one.key.contains(part)) {
        *counts.entry(one.key.clone()).or_default() += 1;
    }
    counts
}

/// A report, of a place that is called otherwise: of fingerprints, which follow from it, nothing is left.
fn at(report: &str, from: &str) -> String {
    let lines = report.lines().filter(|line| !line.contains("\"fingerprint\": "));
    lines.collect::<Vec<_>>().join("\n").replace(from, "PLACE")
}

#[test]
fn two_hundred_damaged_images_are_judged_as_their_copy_on_disk() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let storage = damaged(dir.path(), 188);
    let store = Store::of(dir.path());
    let disk = restow(&["scrub", "--json", &storage.place()]);
    let bucket = run(&store, &["scrub", "--json", PLACE]);
    let (report, _) = told(&bucket);
    let on_disk = String::from_utf8(disk.stdout).expect("UTF-8");
    assert_eq!(bucket.status.code(), Some(1));
    assert_eq!(at(&report, "s3://images"), at(&on_disk, &storage.dir.display().to_string()));

    let seen = store.seen();
    let blobs = counts(&seen, "GET", "/data");
    let (all, twice) = (blobs.len(), blobs.values().filter(|count| **count > 1).count());
    // What is wrong, and may have been a document, is read for its text, too.
    assert!(all > 590 && twice <= 4, "{all} {twice} {blobs:?}");
    // Of all links those that do not say what they are called.
    let links = counts(&seen, "GET", "/link");
    assert!(links.len() <= 2, "{links:?}");
    let lists = seen.iter().filter(|one| one.what == "LIST").count();
    let heads = seen.iter().filter(|one| one.what == "HEAD").count();
    assert!(lists <= 50 && heads <= 10, "{lists} {heads}");
}

#[test]
fn the_next_run_reads_what_changed_and_parts_are_joined() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (storage, images) = Storage::filled(&dir.path().join("store/prod"), 12);
    let store = Store::of(&dir.path().join("store"));
    store.page(7);
    let place = format!("{PLACE}/prod");
    let state = dir.path().join("state.db");
    let state = state.to_str().expect("UTF-8");
    let first = run(&store, &["scrub", "--json", "--state", state, &place]);
    assert_eq!(first.status.code(), Some(0), "{:?}", told(&first));
    let read = counts(&store.seen(), "GET", "/data").len();
    let again = run(&store, &["scrub", "--json", "--state", state, &place]);
    assert_eq!((again.status.code(), &again.stdout), (Some(0), &first.stdout));
    assert_eq!(counts(&store.seen(), "GET", ""), BTreeMap::new(), "all is known");
    // The same size, in the same second: what the bucket calls it is another.
    let layer = storage.data(&images[3].layers[1]);
    let mut bytes = std::fs::read(&layer).expect("read");
    bytes[700] ^= 1;
    std::fs::write(&layer, bytes).expect("written");
    let changed = run(&store, &["scrub", "--json", "--state", state, &place]);
    assert_eq!(changed.status.code(), Some(1), "{:?}", told(&changed));
    assert_eq!(counts(&store.seen(), "GET", "/data").len(), 1);

    let single = run(&store, &["scrub", "--json", &place]);
    store.seen();
    let parts: Vec<String> =
        (0..3).map(|i| dir.path().join(format!("part-{i}.db")).display().to_string()).collect();
    for (i, part) in parts.iter().enumerate() {
        let output = run(&store, &["scrub", "--shard", &format!("{i}/3"), "--state", part, &place]);
        assert_eq!(output.status.code(), Some(0), "{:?}", told(&output));
    }
    let of_parts = counts(&store.seen(), "GET", "/data");
    let twice: Vec<_> = of_parts.iter().filter(|(_, count)| **count > 1).map(|(key, _)| key).collect();
    // The one that is wrong.
    assert!(of_parts.len() == read && twice.len() == 1, "{read} {twice:?} {of_parts:?}");
    let merged = restow(
        &[&["scrub", "merge", "--json"], &parts.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat(),
    );
    assert_eq!(merged.stdout, single.stdout);
}

#[test]
fn a_bucket_is_a_source_of_every_command() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (storage, _) = Storage::filled(&dir.path().join("store/prod"), 3);
    let store = Store::of(&dir.path().join("store"));
    let place = format!("{PLACE}/prod");
    let check = run(&store, &["check", "--json", &place]);
    let on_disk = restow(&["check", "--json", &storage.place()]);
    let on_disk = String::from_utf8(on_disk.stdout).expect("UTF-8");
    let (report, error) = told(&check);
    assert_eq!(check.status.code(), Some(0), "{report}{error}");
    assert_eq!(at(&report, "s3://images/prod"), at(&on_disk, &storage.dir.display().to_string()));
    let gets = counts(&store.seen(), "GET", "/data");
    assert!(gets.values().all(|count| *count == 1), "{gets:?}");

    let inspect = run(&store, &["inspect", &format!("{place}:team0/app0:1")]);
    let (tree, error) = told(&inspect);
    assert!(inspect.status.success() && tree.contains("team0/app0:1"), "{tree}{error}");

    let layout = format!("oci:{}", dir.path().join("layout").display());
    let convert = run(&store, &["convert", "-q", &place, &layout]);
    assert_eq!(convert.status.code(), Some(0), "{:?}", told(&convert));
    let compare = run(&store, &["compare", &place, &layout]);
    assert_eq!(compare.status.code(), Some(0), "{:?}", told(&compare));

    // A tar that is one object is read by ranges, and a layer that is not asked for not at all.
    let big = dir.path().join("big");
    let made = Storage::new(&big);
    let image = made.image("app", "x", &[tar("etc/large", &vec![7; 4 << 20])]);
    made.tag("app", "1", &image.manifest);
    let archive = dir.path().join("store/app.tar");
    let convert = restow(&["convert", "-q", &made.place(), &format!("oci-archive:{}", archive.display())]);
    assert!(convert.status.success(), "{}", String::from_utf8_lossy(&convert.stderr));
    store.seen();
    let place = "oci-archive:s3://images/app.tar";
    let inspect = run(&store, &["inspect", place]);
    assert!(inspect.status.success(), "{:?}", told(&inspect));
    let bytes: u64 = store.seen().iter().map(|one| one.bytes).sum();
    assert!(bytes < 1 << 20, "{bytes}");
    let check = run(&store, &["check", place]);
    assert_eq!(check.status.code(), Some(0), "{:?}", told(&check));
    let bytes: u64 = store.seen().iter().map(|one| one.bytes).sum();
    assert!((4 << 20..6 << 20).contains(&bytes), "{bytes}");
    let docker = dir.path().join("store/docker.tar");
    let to = format!("docker-archive:{}", docker.display());
    let convert = restow(&["convert", "-q", &made.place(), &to]);
    assert!(convert.status.success(), "{}", String::from_utf8_lossy(&convert.stderr));
    let check = run(&store, &["check", "docker-archive:s3://images/docker.tar"]);
    assert_eq!(check.status.code(), Some(0), "{:?}", told(&check));
}

#[test]
fn nothing_is_written_to_a_bucket_that_was_not_asked_for() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (storage, _) = Storage::filled(&dir.path().join("store/prod"), 2);
    let store = Store::of(&dir.path().join("store"));
    let output = run(&store, &["convert", &storage.place(), "oci:s3://images/out"]);
    let (_, error) = told(&output);
    assert_eq!(output.status.code(), Some(2));
    assert!(error.contains("writes no images there") && error.contains("aws s3 sync"), "{error}");
    assert!(store.seen().is_empty());
}

#[test]
fn a_state_in_a_bucket_outlives_the_machine() {
    let dir = tempfile::tempdir().expect("temporary directory");
    Storage::filled(&dir.path().join("store/prod"), 5);
    let store = Store::of(&dir.path().join("store"));
    let place = format!("{PLACE}/prod");
    let (state, part) = ("s3://images/states/all.db", "s3://images/states/part.db");
    let first = run(&store, &["scrub", "--json", "--state", state, &place]);
    assert_eq!(first.status.code(), Some(0), "{:?}", told(&first));
    assert_eq!(counts(&store.seen(), "PUT", "").into_keys().collect::<Vec<_>>(), ["states/all.db"]);
    // Nothing is here any more, and nothing is read again.
    let again = run(&store, &["scrub", "--json", "--state", state, &place]);
    assert_eq!((again.status.code(), &again.stdout), (Some(0), &first.stdout), "{:?}", told(&again));
    assert_eq!(counts(&store.seen(), "GET", "/data"), BTreeMap::new());
    let status = run(&store, &["scrub", "status", "--json", state]);
    let (status, _) = told(&status);
    assert!(
        status.contains("\"place\": \"s3://images/prod\"") && status.contains("\"unread\": 0"),
        "{status}"
    );
    // One part that is all of it, joined from where it is.
    let output = run(&store, &["scrub", "--shard", "0/1", "--state", part, &place]);
    assert_eq!(output.status.code(), Some(0), "{:?}", told(&output));
    let merged = run(&store, &["scrub", "merge", "--json", part]);
    assert_eq!(merged.stdout, first.stdout, "{:?}", told(&merged));
    // Another run wrote it meanwhile, and is not undone.
    store.plant("PUT", "states/all.db", 1, Act::Changed(b"of another run".to_vec()));
    let output = run(&store, &["scrub", "--state", state, &place]);
    let (_, error) = told(&output);
    assert!(
        output.status.code() == Some(2) && error.contains("was written by somebody else meanwhile"),
        "{error}"
    );
    // What is no state is left as it is.
    let output = run(&store, &["scrub", "--state", state, &place]);
    assert_eq!(output.status.code(), Some(2), "{:?}", told(&output));
    assert_eq!(std::fs::read(dir.path().join("store/states/all.db")).expect("there"), b"of another run");
}

#[test]
fn a_bucket_is_served_as_a_registry() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (storage, images) = Storage::filled(&dir.path().join("store/prod"), 3);
    let store = Store::of(&dir.path().join("store"));
    let served = Served::start_with(&[&format!("{PLACE}/prod")], &store.variables());
    let layout = format!("oci:{}", dir.path().join("pulled").display());
    let from = format!("docker://{}/team1/app1:1", served.address);
    let pulled = restow(&["convert", "-q", "--tls-verify=false", &from, &layout]);
    assert_eq!(pulled.status.code(), Some(0), "{}", String::from_utf8_lossy(&pulled.stderr));
    let hex = images[1].manifest.encoded().to_owned();
    let bytes = std::fs::read(dir.path().join("pulled/blobs/sha256").join(hex)).expect("pulled");
    assert_eq!(bytes, std::fs::read(storage.data(&images[1].manifest)).expect("there"));
}
