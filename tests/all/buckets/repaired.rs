//! A storage in a bucket put right: as on disk, by requests that write nothing but what is wrong or missing, and only where it is
//! what was judged.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;

use super::store::{Act, Seen, Store};
use super::{run, told, with};
use crate::common::tree_digest::files;
use crate::repaired::{Bench, DAMAGES};
use crate::scrubbed::planted::{damaged, fill};
use crate::scrubbed::storage::{Image, Storage, restow, tar};

const PLACE: &str = "registry-storage:s3://images/prod";

/// The account of a repair, its exit status, and what it said.
fn account(output: &Output) -> (Option<i32>, Value, String) {
    let (out, error) = told(output);
    (output.status.code(), serde_json::from_str(&out).unwrap_or(Value::Null), error)
}

/// Repairs the storage of a store.
fn repaired(store: &Store, options: &[&str]) -> (Option<i32>, Value, String) {
    account(&run(store, &[&["repair", "--account", "-"], options, &[PLACE]].concat()))
}

fn count(seen: &[Seen], what: &str) -> usize {
    seen.iter().filter(|one| one.what == what).count()
}

fn steps(account: &Value) -> usize {
    account["steps"].as_array().expect("steps").len()
}

/// What of a sound storage is not so in a folder.
fn unlike(sound: &Path, folder: &Path) -> Vec<String> {
    let (sound, now) = (files(sound).expect("listed"), files(folder).expect("listed"));
    sound.into_iter().filter(|(name, sum)| now.get(name) != Some(sum)).map(|(name, _)| name).collect()
}

#[test]
fn every_kind_of_damage_is_put_right_as_on_disk() {
    let bench = Bench::new();
    let sound = files(&bench.path("storage")).expect("listed");
    let store = Store::of(&bench.at);
    let place = "registry-storage:s3://images/storage";
    let copy = bench.copy();
    let state = bench.path("scrub.db").display().to_string();
    assert!(run(&store, &["scrub", "-q", "--state", &state, place]).status.success());
    for (name, damage) in DAMAGES {
        damage(&bench);
        let spoilt = files(&bench.path("storage")).expect("listed");
        let disk = bench.run(&["repair", "--account", "-", &bench.storage(), "--from", &copy]);
        // It names its place in what it takes from there.
        let disk = String::from_utf8_lossy(&disk.stdout).replace(&bench.storage(), place);
        let disk: Value = serde_json::from_str(&disk).expect("an account");
        store.seen();
        let (code, plan, said) = account(&run(&store, &["repair", "--account", "-", place, "--from", &copy]));
        assert_eq!(
            (code, &plan["steps"], &plan["left"]),
            (Some(1), &disk["steps"], &disk["left"]),
            "{name}: {said}"
        );
        let seen = store.seen();
        assert_eq!(
            count(&seen, "PUT") + count(&seen, "POST") + count(&seen, "DELETE"),
            0,
            "{name}: {seen:?}"
        );
        assert_eq!(files(&bench.path("storage")).expect("listed"), spoilt, "{name}: a plan changes nothing");
        let words = ["repair", "--write", "--account", "-", "--state", &state, place, "--from", &copy];
        let (code, done, said) = account(&run(&store, &words));
        assert_eq!((code, &done["steps"]), (Some(0), &plan["steps"]), "{name}: {done:#} {said}");
        let seen = store.seen();
        assert_eq!((count(&seen, "PUT"), count(&seen, "DELETE")), (steps(&done), 0), "{name}: {seen:?}");
        let mut after = files(&bench.path("storage")).expect("listed");
        after.retain(|name, _| !name.contains("/zz/"));
        let differ: BTreeMap<_, _> =
            sound.iter().filter(|(name, sum)| after.get(*name) != Some(sum)).collect();
        assert!(differ.is_empty() && after.len() == sound.len(), "{name}: {differ:#?}");
        let _ = std::fs::remove_dir_all(bench.path("storage/docker/registry/v2/blobs/sha256/zz"));
    }
    // What the scrub proved was not asked for: of the last run the one that stood elsewhere, and no other.
    store.seen();
    let again = run(&store, &["repair", "--write", "--state", &state, place, "--from", &copy]);
    assert!(again.status.success() && told(&again).0.contains("nothing to put right"), "{:?}", told(&again));
}

#[test]
fn two_hundred_images_of_twelve_kinds_of_damage_are_put_right() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (sound, _) = fill(&dir.path().join("sound"), 188);
    let archive = format!("oci-archive:{}", dir.path().join("archive.tar").display());
    assert!(restow(&["convert", "-q", &sound.place(), &archive]).status.success());
    let store = Store::of(&dir.path().join("store"));
    let mut done = Vec::new();
    for from in [sound.place(), archive] {
        let storage = damaged(&dir.path().join("store/prod"), 188);
        assert_eq!(run(&store, &["scrub", "-q", PLACE]).status.code(), Some(1));
        store.seen();
        let (code, account, said) = repaired(&store, &["--write", "--from", &from]);
        assert_eq!(code, Some(0), "{account:#} {said}");
        assert_eq!(account["left"], serde_json::json!([]));
        assert_eq!(count(&store.seen(), "PUT"), steps(&account));
        assert_eq!(unlike(&sound.dir, &storage.dir), Vec::<String>::new());
        let scrub = run(&store, &["scrub", PLACE]);
        assert_eq!(scrub.status.code(), Some(0), "{:?}", told(&scrub));
        done.push(steps(&account));
        std::fs::remove_dir_all(&storage.dir).expect("removed");
    }
    assert!(done[0] > 10 && done[0] == done[1], "{done:?}");
}

/// A storage of two images in a store, of which one is damaged in five ways, and a sound copy.
struct Spoilt {
    dir: tempfile::TempDir,
    store: Store,
    storage: Storage,
    sound: Storage,
    images: Vec<Image>,
}

impl Spoilt {
    fn new() -> Spoilt {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (sound, images) = Storage::filled(&dir.path().join("sound"), 2);
        let (storage, _) = Storage::filled(&dir.path().join("store/prod"), 2);
        let store = Store::of(&dir.path().join("store"));
        let spoilt = Spoilt { dir, store, storage, sound, images };
        spoilt.spoil();
        spoilt
    }

    /// Files that are wrong or gone.
    fn spoil(&self) {
        let (storage, image) = (&self.storage, &self.images[1]);
        std::fs::write(storage.data(&image.layers[1]), "wrong").expect("written");
        std::fs::remove_file(storage.data(&image.config)).expect("removed");
        std::fs::remove_file(storage.data(&image.manifest)).expect("removed");
        std::fs::remove_file(storage.link_of("team1/app1", "_layers", &image.config)).expect("removed");
        std::fs::write(storage.tag_of("team1/app1", "1"), "").expect("written");
    }

    fn repaired(&self, options: &[&str]) -> (Option<i32>, Value, String) {
        let from = self.sound.place();
        repaired(&self.store, &[&["--write", "--from", &from], options].concat())
    }

    fn files(&self) -> BTreeMap<String, String> {
        files(&self.storage.dir)
            .expect("listed")
            .into_iter()
            .map(|(name, sum)| (name, format!("{sum:?}")))
            .collect()
    }

    /// The key of a file of the storage.
    fn key(&self, file: &Path) -> String {
        file.strip_prefix(self.dir.path().join("store")).expect("below").to_str().expect("UTF-8").to_owned()
    }

    fn is_sound(&self) -> bool {
        unlike(&self.sound.dir, &self.storage.dir).is_empty()
    }
}

/// Killed at any request, before or after what it does: every object is as it was or right, and the next run ends it.
#[test]
fn a_repair_that_is_killed_at_any_request_makes_nothing_worse() {
    let spoilt = Spoilt::new();
    let sound: BTreeMap<String, String> = files(&spoilt.sound.dir)
        .expect("listed")
        .into_iter()
        .map(|(name, sum)| (name, format!("{sum:?}")))
        .collect();
    let before = spoilt.files();
    let from = spoilt.sound.place();
    let words = ["repair", "--write", PLACE, "--from", &from];
    let (mut requests, mut killed) = (0, 0);
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    'every: loop {
        for after in [false, true] {
            for name in spoilt.files().keys().filter(|name| !before.contains_key(*name)) {
                std::fs::remove_file(spoilt.storage.dir.join(name)).expect("removed");
            }
            spoilt.spoil_again(&before);
            spoilt.store.seen();
            spoilt.store.kill_at(requests, after);
            let mut command = with(&spoilt.store, &words);
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
            spoilt.store.asker(child.id());
            let ended = child.wait().expect("ends");
            if ended.success() {
                break 'every;
            }
            assert_eq!(ended.code(), None, "{requests} {after}");
            killed += 1;
            let now = spoilt.files();
            for (name, sum) in &now {
                assert!(
                    before.get(name) == Some(sum) || sound.get(name) == Some(sum),
                    "{requests} {after}: {name}"
                );
            }
            assert!(before.keys().all(|name| now.contains_key(name)), "{requests} {after}");
            if after {
                let last = spoilt.store.seen().last().map(|one| one.what.clone()).unwrap_or_default();
                *kinds.entry(last).or_default() += 1;
            }
            if now != before {
                let (code, account, said) = spoilt.repaired(&[]);
                assert_eq!(code, Some(0), "{requests} {after}: {account:#} {said}");
                assert!(spoilt.is_sound(), "{requests} {after}");
            }
        }
        requests += 1;
    }
    // At least a look and a PUT for each of five things.
    assert!(killed > 30 && requests > 15, "{killed} {requests} {kinds:?}");
    assert!(spoilt.is_sound());
}

impl Spoilt {
    /// As it was before a repair.
    fn spoil_again(&self, before: &BTreeMap<String, String>) {
        let now = self.files();
        if now != *before {
            for name in files(&self.sound.dir).expect("listed").into_keys() {
                let to = self.storage.dir.join(&name);
                std::fs::create_dir_all(to.parent().expect("a folder")).expect("made");
                std::fs::copy(self.sound.dir.join(&name), to).expect("copied");
            }
            self.spoil();
        }
        assert_eq!(self.files(), *before);
    }
}

#[test]
fn what_changes_meanwhile_is_told_and_not_overwritten() {
    let spoilt = Spoilt::new();
    let layer = spoilt.storage.data(&spoilt.images[1].layers[1]);
    let config = spoilt.storage.data(&spoilt.images[1].config);
    let tag = spoilt.storage.tag_of("team1/app1", "1");
    let right = std::fs::read(spoilt.sound.data(&spoilt.images[1].config)).expect("read");
    // Between the look and the PUT, of which the store is told what it must find.
    spoilt.store.plant("PUT", &spoilt.key(&layer), 1, Act::Changed(b"other wrong bytes".to_vec()));
    spoilt.store.plant("PUT", &spoilt.key(&config), 1, Act::Changed(right));
    let moved = spoilt.images[0].manifest.to_string();
    spoilt.store.plant("PUT", &spoilt.key(&tag), 1, Act::Changed(moved.clone().into_bytes()));
    let (code, account, said) = spoilt.repaired(&[]);
    assert_eq!(code, Some(1), "{account:#} {said}");
    let left = account["left"].to_string();
    assert_eq!(account["left"].as_array().map(Vec::len), Some(2), "{account:#}");
    assert!(
        left.contains("it changed meanwhile, holds sha256:") && left.contains(&format!("says `{moved}`")),
        "{left}"
    );
    assert!(account["steps"].to_string().contains("who put it there meanwhile"), "{account:#}");
    assert_eq!(std::fs::read(&layer).expect("there"), b"other wrong bytes");
    assert_eq!(std::fs::read_to_string(&tag).expect("there"), moved);

    // Before the look.
    spoilt.store.plant("HEAD", &spoilt.key(&layer), 1, Act::Changed(b"third".to_vec()));
    let wrong = spoilt.dir.path().join("wrong");
    let (code, account, said) = spoilt.repaired(&["--keep-wrong", wrong.to_str().expect("UTF-8")]);
    assert_eq!(code, Some(1), "{account:#} {said}");
    assert_eq!(std::fs::read(&layer).expect("there"), b"third");
    assert!(!wrong.exists());
    // A store that takes no notice of conditions is looked at all the same.
    spoilt.store.ignores_conditions();
    spoilt.store.plant("HEAD", &spoilt.key(&layer), 1, Act::Changed(b"fourth".to_vec()));
    let (code, ..) = spoilt.repaired(&[]);
    assert_eq!(code, Some(1));
    assert_eq!(std::fs::read(&layer).expect("there"), b"fourth");
    let (code, account, said) = spoilt.repaired(&["--keep-wrong", wrong.to_str().expect("UTF-8")]);
    assert_eq!(code, Some(0), "{account:#} {said}");
    let kept = wrong.join(spoilt.images[1].layers[1].to_string().replace(':', "-"));
    assert_eq!(std::fs::read(kept).expect("kept"), b"fourth");
}

#[test]
fn a_bucket_that_refuses_is_left_as_it_was() {
    let words = [
        (403, "AccessDenied", "the credentials need s3:PutObject on its objects"),
        (501, "NotImplemented", "does not know conditions of what is written"),
        (503, "SlowDown", "too much to do"),
    ];
    for (status, code, word) in words {
        let spoilt = Spoilt::new();
        let before = spoilt.files();
        spoilt.store.plant("PUT", "", 99, Act::Answer(status, code));
        let from = spoilt.sound.place();
        let mut command =
            with(&spoilt.store, &["repair", "--write", "--account", "-", "--from", &from, PLACE]);
        let output = command.env("AWS_MAX_ATTEMPTS", "2").output().expect("runs");
        let (status, account, said) = account(&output);
        assert_eq!(status, Some(2), "{account:#} {said}");
        assert!(said.contains(word) && account["stopped"].is_string(), "{account:#} {said}");
        assert_eq!(spoilt.files(), before);
        assert_eq!(account["steps"], serde_json::json!([]));
    }
    // What passes is tried again.
    let spoilt = Spoilt::new();
    spoilt.store.plant("PUT", "", 2, Act::Answer(503, "SlowDown"));
    let (code, account, said) = spoilt.repaired(&[]);
    assert!(code == Some(0) && spoilt.is_sound(), "{account:#} {said}");
}

#[test]
fn a_source_in_a_bucket_is_not_believed() {
    let spoilt = Spoilt::new();
    let (liar, _) = Storage::filled(&spoilt.dir.path().join("store/liar"), 2);
    let layer = &spoilt.images[1].layers[1];
    std::fs::write(liar.data(layer), "a lie").expect("written");
    std::fs::write(liar.data(&spoilt.images[1].manifest), "{}").expect("written");
    let before = spoilt.files();
    let from = "registry-storage:s3://images/liar";
    let (code, account, said) = repaired(&spoilt.store, &["--write", "--from", from]);
    assert_eq!(code, Some(1), "{account:#} {said}");
    assert!(account["left"].to_string().contains("has other bytes there"), "{account:#}");
    let now = spoilt.files();
    let sound = files(&spoilt.sound.dir).expect("listed");
    assert!(before.keys().all(|name| now.contains_key(name)));
    for (name, sum) in &now {
        let is_sound = sound.get(name).is_some_and(|sound| format!("{sound:?}") == *sum);
        assert!(before.get(name) == Some(sum) || is_sound, "{name}");
    }
    // The rest comes from an archive in the same bucket, one of whose answers breaks off.
    let archive = spoilt.dir.path().join("store/archive.tar");
    let to = format!("oci-archive:{}", archive.display());
    assert!(restow(&["convert", "-q", &spoilt.sound.place(), &to]).status.success());
    spoilt.store.plant("GET", "archive.tar", 1, Act::Cut);
    let from = ["--write", "--from", from, "--from", "oci-archive:s3://images/archive.tar"];
    let (code, account, said) = repaired(&spoilt.store, &from);
    assert!(code == Some(0) && spoilt.is_sound(), "{account:#} {said}");
}

#[test]
fn two_repairs_of_a_bucket_at_once_end_well() {
    let spoilt = Spoilt::new();
    let from = spoilt.sound.place();
    let words = ["repair", "--write", "--account", "-", PLACE, "--from", &from];
    let start = || {
        let mut command = with(&spoilt.store, &words);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs")
    };
    for child in [start(), start(), start()] {
        let (code, account, said) = account(&child.wait_with_output().expect("ends"));
        assert_eq!(code, Some(0), "{account:#} {said}");
    }
    assert!(spoilt.is_sound());
}

/// What is too large for one request goes in parts, and the condition is that of the request that joins them.
#[test]
fn a_large_blob_goes_in_parts() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let made = |name: &str| {
        let storage = Storage::new(&dir.path().join(name));
        let image = storage.image("app", "x", &[tar("etc/large", &vec![7; 65 << 20])]);
        storage.tag("app", "1", &image.manifest);
        (storage, image)
    };
    let ((sound, image), (storage, _)) = (made("sound"), made("store/prod"));
    let store = Store::of(&dir.path().join("store"));
    let layer = storage.data(&image.layers[0]);
    let from = sound.place();
    let put = || repaired(&store, &["--write", "--from", &from]);
    std::fs::remove_file(&layer).expect("removed");
    let (code, account, said) = put();
    assert_eq!(code, Some(0), "{account:#} {said}");
    assert!(unlike(&sound.dir, &storage.dir).is_empty());
    let seen = store.seen();
    assert_eq!((count(&seen, "PUT"), count(&seen, "POST")), (5, 2), "{seen:?}");
    // Another version comes while the parts are joined.
    std::fs::write(&layer, "wrong").expect("written");
    let key = layer.strip_prefix(dir.path().join("store")).expect("below").to_str().expect("UTF-8");
    store.plant("POST", key, 1, Act::Slow(std::time::Duration::ZERO));
    store.plant("POST", key, 1, Act::Changed(b"other".to_vec()));
    let (code, account, said) = put();
    assert_eq!(code, Some(1), "{account:#} {said}");
    assert_eq!((std::fs::read(&layer).expect("there"), store.unended()), (b"other".to_vec(), 0));
    // A part is refused.
    store.plant("PUT", key, 9, Act::Answer(403, "AccessDenied"));
    let (code, account, said) = put();
    assert!(code == Some(2) && said.contains("s3:PutObject"), "{account:#} {said}");
    assert_eq!((std::fs::read(&layer).expect("there"), store.unended()), (b"other".to_vec(), 0));
}

#[test]
fn layouts_in_buckets_are_put_right_and_archives_are_not() {
    let bench = Bench::new();
    let copy = bench.copy();
    bench.ok(&["convert", &copy, &bench.place("oci", "layout")]);
    let sound = files(&bench.path("layout")).expect("listed");
    for (nth, name) in sound.keys().filter(|name| name.contains("blobs/")).enumerate() {
        let path = bench.path("layout").join(name);
        match nth % 2 {
            0 => std::fs::write(path, "wrong").expect("written"),
            _ => std::fs::remove_file(path).expect("removed"),
        }
    }
    let _ = std::fs::remove_file(bench.path("layout/oci-layout"));
    let store = Store::of(&bench.at);
    let output = run(&store, &["repair", "--write", "oci:s3://images/layout", "--from", &copy]);
    assert_eq!(output.status.code(), Some(0), "{:?}", told(&output));
    assert_eq!(files(&bench.path("layout")).expect("listed"), sound);
    let output =
        run(&store, &["repair", "--write", "oci-archive:s3://images/copy.tar", "--from", &bench.storage()]);
    let (_, error) = told(&output);
    assert!(output.status.code() == Some(2) && error.contains("--fill-from"), "{error}");
    let place = "registry-storage:s3://images/storage";
    let output = run(&store, &["repair", "--write", place, "--from", place]);
    let (_, error) = told(&output);
    assert!(output.status.code() == Some(2) && error.contains("is the place that is repaired"), "{error}");
}
