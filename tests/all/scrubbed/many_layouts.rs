//! A folder of many layouts, as zot keeps them: what is told of it is what `check` tells of each, in parts and after kills, too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};

use restow::digest::Digest;
use restow::scrub::{self, Counters, Request as ScrubRequest};
use restow::{BlobProgress, Level, Options, Place, Progress};
use serde_json::Value;

use super::divided::{assert_read_once_in_parts, assert_same_in_parts};
use super::storage::{findings, json, restow, tar};
use crate::layout::{INDEX, Layout, MANIFEST, platform, sha256, with};

/// What befalls a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damage {
    FlippedLayer,
    CutLayer,
    EmptyLayer,
    NoLayer,
    NoConfig,
    NoManifest,
    FlippedManifest,
    /// The index is no JSON any more.
    FlippedIndex,
    NoIndex,
    NoMarker,
    /// A file among the blobs whose name is no digest.
    OddName,
    /// A link that leads nowhere stands in the place of a layer.
    LinkedLayer,
}

use Damage::*;

const DAMAGE: [Damage; 12] = [
    FlippedLayer,
    CutLayer,
    EmptyLayer,
    NoLayer,
    NoConfig,
    NoManifest,
    FlippedManifest,
    FlippedIndex,
    NoIndex,
    NoMarker,
    OddName,
    LinkedLayer,
];

/// Layouts in a folder.
struct Zot {
    root: PathBuf,
    /// By their paths, with the file of a layer, of a config and of a manifest.
    layouts: BTreeMap<String, [PathBuf; 3]>,
}

impl Zot {
    /// So many, two images in each, at several depths; one lies in the folder of another.
    fn filled(root: &Path, layouts: usize) -> Zot {
        let mut zot = Zot { root: root.to_owned(), layouts: BTreeMap::new() };
        for i in 0..layouts {
            let name = match i % 4 {
                0 => format!("app{i}"),
                1 => format!("team/app{i}"),
                2 => format!("app{}/below", i - 2),
                _ => format!("a/b/c/d/app{i}"),
            };
            zot.add(&name, i);
        }
        zot
    }

    fn add(&mut self, name: &str, i: usize) {
        let dir = self.root.join(name);
        let mut layout = Layout::new(&dir);
        let own = tar("etc/own", format!("own {i}").repeat(60).as_bytes());
        let image = layout.image("amd64", sha256(), &own);
        layout.root(&image, "1");
        let shared = layout.image("arm64", sha256(), &tar("etc/shared", b"shared"));
        let index = layout.index(&[platform(&image, "amd64"), platform(&shared, "arm64")]);
        layout.root(&index, "docker.io/library/two:latest");
        let file = |digest: &str| dir.join("blobs").join(digest.replace(':', "/"));
        let manifest = of(&image);
        let text = std::fs::read(file(&manifest)).expect("read");
        let text: Value = serde_json::from_slice(&text).expect("JSON");
        let config = text["config"]["digest"].as_str().expect("a digest").to_owned();
        let files = [file(Digest::sha256(&own).as_str()), file(&config), file(&manifest)];
        self.layouts.insert(name.to_owned(), files);
        layout.finish();
    }

    /// The same, and one more layout for each kind of damage.
    fn damaged(root: &Path, sound: usize) -> Zot {
        let mut zot = Zot::filled(root, sound);
        for (damage, i) in DAMAGE.into_iter().zip(sound..) {
            let name = damaged(damage);
            zot.add(&name, i);
            plant(damage, &zot.root.join(&name), &zot.layouts[&name]);
        }
        zot
    }

    fn place(&self) -> String {
        format!("oci:{}", self.root.display())
    }

    /// How many files stand where blobs do.
    fn blobs(&self) -> usize {
        let count = |name: &String| {
            let files = std::fs::read_dir(self.root.join(name).join("blobs/sha256")).expect("listed");
            let is_blob =
                |path: &Path| path.is_file() && path.file_name().is_some_and(|name| name.len() == 64);
            files.flatten().filter(|entry| is_blob(&entry.path())).count()
        };
        self.layouts.keys().map(count).sum()
    }
}

/// The digest of a descriptor.
fn of(descriptor: &str) -> String {
    let descriptor: Value = serde_json::from_str(descriptor).expect("JSON");
    descriptor["digest"].as_str().expect("a digest").to_owned()
}

fn damaged(damage: Damage) -> String {
    format!("damaged/{}", format!("{damage:?}").to_lowercase())
}

fn plant(damage: Damage, dir: &Path, [layer, config, manifest]: &[PathBuf; 3]) {
    let remove = |path: &Path| std::fs::remove_file(path).expect("removed");
    let change = |path: &Path, how: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = std::fs::read(path).expect("read");
        how(&mut bytes);
        std::fs::write(path, bytes).expect("written");
    };
    let flip = |bytes: &mut Vec<u8>| {
        let at = bytes.iter().position(|byte| *byte == b':').unwrap_or(bytes.len() / 2);
        bytes[at] ^= 1;
    };
    match damage {
        FlippedLayer => change(layer, &flip),
        CutLayer => change(layer, &|bytes| bytes.truncate(bytes.len() / 2)),
        EmptyLayer => change(layer, &Vec::clear),
        NoLayer => remove(layer),
        NoConfig => remove(config),
        NoManifest => remove(manifest),
        FlippedManifest => change(manifest, &flip),
        FlippedIndex => change(&dir.join("index.json"), &flip),
        NoIndex => remove(&dir.join("index.json")),
        NoMarker => remove(&dir.join("oci-layout")),
        OddName => std::fs::write(dir.join("blobs/sha256/odd"), b"odd").expect("written"),
        LinkedLayer => {
            remove(layer);
            std::os::unix::fs::symlink("../nowhere", layer).expect("a link");
        }
    }
}

type Told = (String, String, String, String, Vec<String>);

/// What a check of a layout finds, as a scrub of the folder around it tells it.
fn checked(root: &Path, layout: &str) -> BTreeSet<Told> {
    let (_, report) = json(&["check", "--no-config", &format!("oci:{}", root.join(layout).display())]);
    let below = |name: String| match name.starts_with(':') {
        true => format!("{layout}{name}"),
        false => format!("{layout}: {name}"),
    };
    let told = findings(&report).into_iter().map(|(level, rule, file, message, names)| {
        let file = if file.is_empty() { layout.to_owned() } else { format!("{layout}/{file}") };
        let mut names: Vec<String> = names.into_iter().map(below).collect();
        names.sort();
        (level, rule, file, message, names)
    });
    told.collect()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_is_told_of_many_layouts_is_what_check_tells_of_each() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let zot = Zot::damaged(&dir.path().join("zot"), 8);
    let (code, report) = json(&["scrub", &zot.place()]);
    let scrubbed = findings(&report);
    let mut all = BTreeSet::new();
    for layout in zot.layouts.keys() {
        let mut told = checked(&zot.root, layout);
        // A layout in the folder of another is none of its files.
        told.retain(|(_, rule, ..)| rule != "archive/unknown-member");
        let wrong = told.iter().any(|(level, ..)| level != "note");
        assert_eq!(wrong, layout.starts_with("damaged/"), "{layout}: {told:?}");
        all.extend(told);
    }
    let only: Vec<_> = all.symmetric_difference(&scrubbed).collect();
    assert!(code == Some(1) && only.is_empty(), "{code:?} {only:#?}");
}

#[test]
fn parts_of_layouts_come_to_the_report_of_one_run_byte_for_byte() {
    let dir = tempfile::tempdir().expect("temporary directory");
    // 200 images, two in each.
    let zot = Zot::damaged(&dir.path().join("zot"), 88);
    assert_same_in_parts(dir.path(), &zot.place(), &[2, 3, 7]);
}

#[test]
fn no_blob_of_a_layout_is_read_twice_but_those_in_flight() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let zot = Zot::damaged(&dir.path().join("zot"), 88);
    assert_read_once_in_parts(dir.path(), &zot.place(), zot.blobs());
}

#[test]
fn a_single_layout_of_many_images_in_parts() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let root = dir.path().join("layout");
    let mut layout = Layout::new(&root);
    let mut last = String::new();
    for i in 0..150 {
        last = layout.image("amd64", sha256(), &tar("etc/own", format!("own {i}").repeat(60).as_bytes()));
        layout.root(&last, &format!("v{i}"));
    }
    std::fs::remove_file(root.join("blobs").join(of(&last).replace(':', "/"))).expect("removed");
    let place = layout.finish();
    assert_same_in_parts(dir.path(), &place, &[3]);
    assert_read_once_in_parts(dir.path(), &place, 449);
}

#[test]
fn what_no_index_reaches_and_what_would_be_lost() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let mut zot = Zot::filled(&dir.path().join("zot"), 6);
    // A layout with an image, what refers to it and is not listed, and what nothing points at.
    let root = zot.root.join("signed");
    let mut layout = Layout::new(&root);
    let image = layout.image("amd64", sha256(), &tar("etc/own", b"own"));
    layout.root(&image, "v1");
    let empty = layout.add(sha256(), "application/vnd.oci.empty.v1+json", b"{}");
    let signature = layout.add(sha256(), "application/vnd.example.signature", b"signed by somebody");
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","artifactType":"application/vnd.example.signature","config":{empty},"layers":[{signature}],"subject":{image}}}"#
    );
    let referrer = layout.add(sha256(), MANIFEST, text.as_bytes());
    layout.put(Digest::sha256(b"orphan").as_str(), b"orphan");
    layout.finish();
    // Nothing is said of one whose index cannot be read.
    zot.add("broken", 99);
    plant(FlippedIndex, &zot.root.join("broken"), &zot.layouts["broken"]);
    let file = dir.path().join("plan.json");
    let option = format!("--gc-plan={}", file.display());
    let state = dir.path().join("state.db");
    let state = state.to_str().expect("UTF-8");
    let output = restow(&["scrub", &option, "--grace", "0s", "--state", state, &zot.place()]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let plan = || -> Value { serde_json::from_slice(&std::fs::read(&file).expect("there")).expect("JSON") };
    let bytes = [b"{}".len(), b"signed by somebody".len(), text.len(), b"orphan".len()].iter().sum::<usize>();
    let expected = serde_json::json!({
        "blobs": 4, "bytes": bytes, "young": 0, "passed": 1,
        "breaks": [{"tag": "signed:v1", "digest": of(&referrer)}], "more_breaks": 0,
    });
    assert_eq!(plan(), expected);
    // The states of parts tell the same.
    let states: Vec<String> = (0..3).map(|i| format!("{state}-{i}")).collect();
    for (i, state) in states.iter().enumerate() {
        let output = restow(&["scrub", "--shard", &format!("{i}/3"), "--state", state, &zot.place()]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    }
    let mut arguments = vec!["scrub", "merge", &option, "--grace", "0s"];
    arguments.extend(states.iter().map(String::as_str));
    std::fs::remove_file(&file).expect("removed");
    assert_eq!(restow(&arguments).status.code(), Some(1));
    assert_eq!(plan(), expected);
    let output = restow(&["scrub", "--gc-plan", "--state", state, &zot.place()]);
    let told = said(&output);
    assert!(told.contains("would take 0 blobs, 0 B; 4 are too young"), "{told}");
    assert!(told.contains("of the layouts 1 is passed over"), "{told}");
}

#[test]
fn facts_samples_and_status_of_layouts() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let zot = Zot::filled(&dir.path().join("zot"), 20);
    let all = zot.blobs();
    let (state, facts) = (dir.path().join("state.db"), dir.path().join("facts.jsonl"));
    let (state, facts) = (state.to_str().expect("UTF-8"), facts.to_str().expect("UTF-8"));
    let run = |more: &[&str]| {
        let output = restow(&[&["scrub", "--state", state], more, &[&zot.place()]].concat());
        (output.status.code(), said(&output))
    };
    let status = || -> Value {
        let output = restow(&["scrub", "status", "--json", state]);
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let (code, told) = run(&["--max-duration", "0s", "--require-complete"]);
    assert!(code == Some(2) && told.contains(&format!("{all} left unread")), "{told}");
    assert_eq!(
        (status()["unread"].as_u64(), status()["repositories"].as_u64()),
        (Some(all as u64), Some(20))
    );
    for part in 1..=3 {
        assert_eq!(run(&["--sample", &format!("{part}/3")]).0, Some(0));
    }
    assert_eq!((status()["unread"].as_u64(), status()["sound"].as_u64()), (Some(0), Some(all as u64)));
    let tenth = all.div_ceil(10);
    let (code, told) = run(&["--sample", "10%"]);
    assert!(code == Some(0) && told.contains(&format!("read {tenth} of {all} blobs")), "{told}");
    let (_, told) = run(&["--sample", "1G"]);
    assert!(told.contains(&format!("read {all} of {all} blobs")), "{told}");
    let (code, told) = run(&["--facts", facts]);
    assert!(code == Some(0) && told.contains("read 0 of"), "{told}");
    let lines = std::fs::read_to_string(facts).expect("there");
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).collect::<Vec<_>>();
    assert_eq!((of("repository").len(), of("blob").len(), of("tag").len()), (20, all, 40));
    assert!(of("blob").iter().all(|line| line["sound"] == true && line["repository"].is_string()));
    let one = of("repository").into_iter().find(|line| line["repository"] == "team/app1").expect("there");
    assert_eq!((&one["tags"], &one["revisions"]), (&2.into(), &3.into()), "{one}");
    assert!(of("tag").iter().any(|line| line["repository"] == "team/app1" && line["tag"] == "1"));
}

#[test]
fn what_is_not_for_layouts_is_refused_and_nothing_else() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let zot = Zot::filled(&dir.path().join("zot"), 2);
    let output = restow(&["scrub", "--checksums", "sums.csv", &zot.place()]);
    assert!(
        output.status.code() == Some(2) && said(&output).contains("is about a bucket"),
        "{}",
        said(&output)
    );
    let nothing = dir.path().join("nothing");
    std::fs::create_dir(&nothing).expect("a folder");
    let output = restow(&["scrub", &format!("oci:{}", nothing.display())]);
    let told = said(&output);
    assert!(output.status.code() == Some(2) && told.contains("neither it nor a folder in it"), "{told}");
}

/// Pushes images, each as zot does: blobs, then the index.
struct Pushing {
    root: PathBuf,
    done: AtomicBool,
}

impl Progress for Pushing {
    fn blob(&self, _: &str, _: u64) -> Option<Box<dyn BlobProgress + '_>> {
        if !self.done.swap(true, Ordering::SeqCst) {
            push(&self.root.join("team/app1"), "coming");
            push(&self.root.join("new/app"), "new");
            std::fs::remove_dir_all(self.root.join("app0/below")).expect("removed");
        }
        None
    }
}

/// Does something when the first blob is about to be read.
struct AtFirst<F: Fn() + Sync>(std::sync::Once, F);

impl<F: Fn() + Sync> Progress for AtFirst<F> {
    fn blob(&self, _: &str, _: u64) -> Option<Box<dyn BlobProgress + '_>> {
        self.0.call_once(&self.1);
        None
    }
}

#[test]
fn layouts_that_vanish_are_an_error_and_nothing_is_lost() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let zot = Zot::filled(&dir.path().join("zot"), 40);
    let scrub = |state: &Path, what: &(dyn Fn() + Sync)| {
        let progress = AtFirst(std::sync::Once::new(), what);
        let request = ScrubRequest { state: Some(state.to_owned()), ..ScrubRequest::default() };
        let options = Options { progress: &progress, jobs: 1, ..Options::default() };
        let place = Place::parse(&zot.place()).expect("a place");
        let (counters, registry) = (Counters::default(), Default::default());
        scrub::run(&place, &request, &registry, &options, &counters, Default::default())
    };
    let away = dir.path().join("away");
    // What is mounted no more leaves an empty folder.
    for leaves in [true, false] {
        // Of one that knows all but a blob already, that blob may be open when the folder goes.
        let state = dir.path().join(format!("{leaves}.db"));
        let gone = scrub(&state, &|| {
            std::fs::rename(&zot.root, &away).expect("moved");
            if leaves {
                std::fs::create_dir(&zot.root).expect("a folder");
            }
        });
        let error = gone.err().expect("an error").to_string();
        assert!(error.contains("is empty") || error.starts_with("cannot "), "{error}");
        let _ = std::fs::remove_dir(&zot.root);
        std::fs::rename(&away, &zot.root).expect("moved back");
        let scrubbed = scrub(&state, &|| {}).expect("scrubs");
        assert_eq!((scrubbed.judged.repositories, scrubbed.judged.blobs), (40, zot.blobs() as u64));
        assert!(scrubbed.told.expect("judged").findings.iter().all(|finding| finding.level < Level::Warning));
    }
}

/// Adds an image to what a layout has.
fn push(dir: &Path, tag: &str) {
    let before = std::fs::read_to_string(dir.join("index.json")).unwrap_or_default();
    let before: Value = serde_json::from_str(&before).unwrap_or_default();
    let mut layout = Layout::new(dir);
    layout.roots = before["manifests"].as_array().into_iter().flatten().map(Value::to_string).collect();
    let image = layout.image("amd64", sha256(), &tar("etc/pushed", tag.as_bytes()));
    layout.root(&image, tag);
    layout.finish();
}

#[test]
fn what_is_pushed_meanwhile_raises_no_alarm() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let zot = Zot::filled(&dir.path().join("zot"), 12);
    let pushing = Pushing { root: zot.root.clone(), done: AtomicBool::new(false) };
    let state = dir.path().join("state.db");
    let scrub = || {
        let request = ScrubRequest { state: Some(state.clone()), ..ScrubRequest::default() };
        let options = Options { progress: &pushing, jobs: 1, ..Options::default() };
        let place = Place::parse(&zot.place()).expect("a place");
        let counters = Counters::default();
        let scrubbed =
            scrub::run(&place, &request, &Default::default(), &options, &counters, Default::default())
                .expect("scrubs");
        let told = scrubbed.told.as_ref().expect("judged");
        let alarms = told.levelled().into_iter().filter(|(level, _)| *level >= Level::Warning);
        let alarms: Vec<String> = alarms.map(|(_, finding)| finding.message.clone()).collect();
        assert_eq!(alarms, [""; 0]);
        scrubbed.judged.repositories
    };
    // One went, and the one that came is seen by the next run.
    assert_eq!((scrub(), scrub()), (11, 12));
    assert!(pushing.done.load(Ordering::SeqCst));
}

#[test]
fn names_of_indexes_and_annotations_are_kept_as_they_are() {
    // What stands in an index is judged byte for byte, be it no UTF-8.
    let dir = tempfile::tempdir().expect("temporary directory");
    let root = dir.path().join("zot/odd");
    let mut layout = Layout::new(&root);
    let image = layout.image("amd64", sha256(), &tar("etc/own", b"own"));
    let named = with(&image, r#""annotations":{"org.opencontainers.image.ref.name":"100%41","x":"ÿ"}"#);
    layout.roots.push(named);
    layout.roots.push(with(&layout.index(&[]), r#""annotations":{"a":"b"}"#));
    assert_eq!(INDEX, "application/vnd.oci.image.index.v1+json");
    layout.finish();
    let path = root.join("index.json");
    let mut bytes = std::fs::read(&path).expect("read");
    let at = bytes.iter().position(|byte| *byte == 0xc3).expect("a letter");
    bytes.splice(at..at + 2, [0xff]);
    std::fs::write(&path, bytes).expect("written");
    let (_, report) = json(&["scrub", &format!("oci:{}", dir.path().join("zot").display())]);
    let (told, expected) = (findings(&report), checked(&dir.path().join("zot"), "odd"));
    assert_eq!(told, expected);
    assert!(told.iter().any(|(level, ..)| level == "error"), "{told:?}");
}
