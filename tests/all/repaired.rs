//! What `restow repair` promises: right bytes where wrong or missing ones are, the links that the graph proves, and nothing else;
//! whatever other places hold, and whoever else is at work.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::common::tree_digest::files;
use crate::common::{Output, Restow};

const V2: &str = "docker/registry/v2";

/// A storage of several images, a sound copy of it in an archive, and the binary.
pub struct Bench {
    _dir: tempfile::TempDir,
    pub restow: Restow,
    pub at: PathBuf,
}

impl Bench {
    pub fn new() -> Bench {
        let dir = tempfile::tempdir().expect("temporary directory");
        let restow = Restow::new(dir.path()).wide();
        let at = dir.path().to_owned();
        let bench = Bench { _dir: dir, restow, at };
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/good");
        let nested = corpus.join("oci/multiplatform-attestation-nested/archive.tar").display().to_string();
        bench.ok(&["convert", &nested, &bench.place("registry-storage", "storage:team/multi:1")]);
        let podman = corpus.join("oci/podman/archive.tar").display().to_string();
        bench.ok(&["convert", &podman, &bench.place("registry-storage", "storage:lab/podman:2")]);
        bench.ok(&[
            "convert",
            &bench.place("registry-storage", "storage"),
            &bench.place("oci-archive", "copy.tar"),
        ]);
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.at.join(name)
    }

    pub fn place(&self, form: &str, name: &str) -> String {
        format!("{form}:{}", self.path(name).display())
    }

    pub fn run(&self, words: &[&str]) -> Output {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        self.restow.run(&words).expect("restow runs")
    }

    pub fn ok(&self, words: &[&str]) -> Output {
        self.run(words).expect(0).unwrap_or_else(|error| panic!("{error:?}"))
    }

    pub fn storage(&self) -> String {
        self.place("registry-storage", "storage")
    }

    pub fn copy(&self) -> String {
        self.place("oci-archive", "copy.tar")
    }

    /// Repairs the storage, and what became of it as JSON.
    fn repaired(&self, options: &[&str]) -> (i32, Value, String) {
        let storage = self.storage();
        let words = [&["repair", "--account", "-"], options, &[&storage]].concat();
        let out = self.run(&words);
        let account = serde_json::from_slice(&out.stdout).unwrap_or(Value::Null);
        (out.code, account, out.stderr)
    }

    /// The files of the storage that hold data, the largest first.
    pub fn data(&self) -> Vec<PathBuf> {
        let mut found: Vec<(u64, PathBuf)> = Vec::new();
        for name in
            files(&self.path("storage")).expect("listed").into_keys().filter(|name| name.ends_with("/data"))
        {
            let path = self.path("storage").join(name);
            found.push((path.metadata().expect("there").len(), path));
        }
        found.sort_by_key(|(size, path)| (std::cmp::Reverse(*size), path.clone()));
        found.into_iter().map(|(_, path)| path).collect()
    }

    /// The data of the blobs that are JSON with this word in it.
    pub fn documents(&self, word: &str) -> Vec<PathBuf> {
        let holds = |path: &PathBuf| {
            let text = fs::read(path).expect("there");
            text.first() == Some(&b'{') && String::from_utf8_lossy(&text).contains(word)
        };
        self.data().into_iter().filter(holds).collect()
    }

    pub fn links(&self, holding: &str) -> Vec<PathBuf> {
        let names = files(&self.path("storage")).expect("listed").into_keys();
        let links = names.filter(|name| name.ends_with("/link") && name.contains(holding));
        links.map(|name| self.path("storage").join(name)).collect()
    }
}

/// A kind of damage: its name, and what it does to a storage.
pub type Damage = (&'static str, fn(&Bench));

pub const DAMAGES: &[Damage] = &[
    ("a layer of other bytes", |b| fs::write(&b.data()[0], "other bytes").expect("written")),
    ("a layer cut short", |b| {
        let bytes = fs::read(&b.data()[0]).expect("read");
        fs::write(&b.data()[0], &bytes[..bytes.len() / 2]).expect("written");
    }),
    ("an empty layer", |b| fs::write(&b.data()[0], "").expect("written")),
    ("a bit of a layer", |b| {
        let mut bytes = fs::read(&b.data()[0]).expect("read");
        bytes[100] ^= 1;
        fs::write(&b.data()[0], bytes).expect("written");
    }),
    ("a layer that is gone", |b| fs::remove_file(&b.data()[0]).expect("removed")),
    ("configs that are gone", |b| {
        b.documents("\"rootfs\"").iter().for_each(|path| fs::remove_file(path).expect("removed"));
    }),
    ("a config of other bytes", |b| fs::write(&b.documents("\"rootfs\"")[0], "{}").expect("written")),
    ("manifests that are gone", |b| {
        b.documents("\"layers\"").iter().for_each(|path| fs::remove_file(path).expect("removed"));
    }),
    ("a manifest of other bytes", |b| {
        let path = &b.documents("\"layers\"")[0];
        let text = fs::read_to_string(path).expect("read").replacen("sha256:", "sha256:0", 1);
        fs::write(path, text).expect("written");
    }),
    ("indexes that are gone, with all below them", |b| {
        for word in ["\"manifests\"", "\"layers\"", "\"rootfs\""] {
            b.documents(word).iter().for_each(|path| fs::remove_file(path).expect("removed"));
        }
    }),
    ("layer links that are gone", |b| {
        b.links("/_layers/").iter().for_each(|path| fs::remove_file(path).expect("removed"));
    }),
    ("revisions that are gone", |b| {
        b.links("/revisions/").iter().for_each(|path| fs::remove_file(path).expect("removed"));
    }),
    ("a tag that is gone", |b| fs::remove_file(&b.links("/current/")[0]).expect("removed")),
    ("a tag that is no digest", |b| fs::write(&b.links("/current/")[0], "sha256:").expect("written")),
    ("a history that is gone", |b| {
        b.links("/index/").iter().for_each(|path| fs::remove_file(path).expect("removed"));
    }),
    ("links that say something else", |b| {
        let zeros = format!("sha256:{}", "0".repeat(64));
        b.links("/_layers/").iter().for_each(|path| fs::write(path, &zeros).expect("written"));
    }),
    ("links that are empty", |b| {
        b.links("/_layers/").iter().for_each(|path| fs::write(path, "").expect("written"));
    }),
    ("a blob in the wrong folder", |b| {
        let path = &b.data()[0];
        let blob = path.parent().expect("a folder");
        let to = blob
            .parent()
            .and_then(Path::parent)
            .expect("a folder")
            .join("zz")
            .join(blob.file_name().expect("a name"));
        fs::create_dir_all(to.parent().expect("a folder")).expect("made");
        fs::rename(blob, to).expect("moved");
    }),
];

/// Each kind of damage: found, planned without a change, put right byte for byte, and sound; nothing else is touched.
#[test]
fn every_kind_of_damage_is_put_right() {
    let bench = Bench::new();
    let sound = files(&bench.path("storage")).expect("listed");
    let state = bench.path("scrub.db").display().to_string();
    bench.ok(&["scrub", "-q", "--state", &state, &bench.storage()]);
    for (name, damage) in DAMAGES {
        damage(&bench);
        let spoilt = files(&bench.path("storage")).expect("listed");
        assert_ne!(sound, spoilt, "{name}");
        let copy = bench.copy();
        let (code, plan, said) = bench.repaired(&["--from", &copy]);
        assert_eq!(code, 1, "{name}: {plan:#} {said}");
        assert_eq!(files(&bench.path("storage")).expect("listed"), spoilt, "{name}: a plan changes nothing");
        assert_eq!(plan["left"], serde_json::json!([]), "{name}: {plan:#}");
        let (_, known, said) = bench.repaired(&["--from", &copy, "--state", &state]);
        assert_eq!(known, plan, "{name}: what was proved before need not be read: {said}");
        let (code, done, said) = bench.repaired(&["--from", &copy, "--write"]);
        assert_eq!(code, 0, "{name}: {done:#} {said}");
        assert_eq!(done["steps"], plan["steps"], "{name}: the plan is what was done");
        let mut after = files(&bench.path("storage")).expect("listed");
        // What stands where nobody looks stays, too.
        after.retain(|name, _| !name.contains("/zz/"));
        let differ: BTreeMap<_, _> =
            sound.iter().filter(|(name, sum)| after.get(*name) != Some(sum)).collect();
        assert!(differ.is_empty() && after.len() == sound.len(), "{name}: {differ:#?}");
        bench.ok(&["check", "-D", "storage", "-A", "storage/unlinked-blob", &bench.storage()]);
        let _ = fs::remove_dir_all(bench.path("storage").join(V2).join("blobs/sha256/zz"));
        assert_eq!(bench.repaired(&["--from", &copy]).0, 0, "{name}: once more there is nothing to do");
    }
}

/// What a scrub has proved is not read again; what it found wrong, and what has changed since, is put right.
#[test]
fn what_a_scrub_has_found_is_put_right() {
    let bench = Bench::new();
    let sound = files(&bench.path("storage")).expect("listed");
    let layer = bench.data()[0].clone();
    let mut bytes = fs::read(&layer).expect("read");
    let time = layer.metadata().and_then(|meta| meta.modified()).expect("a time");
    bytes[100] ^= 1;
    fs::write(&layer, bytes).expect("written");
    fs::File::options().write(true).open(&layer).and_then(|file| file.set_modified(time)).expect("set");
    let state = bench.path("scrub.db").display().to_string();
    assert_eq!(bench.run(&["scrub", "-q", "--state", &state, &bench.storage()]).code, 1);
    let words = ["repair", "--write", "--state", &state, &bench.storage(), "--from", &bench.copy()];
    let told = bench.ok(&words).stdout;
    let told = String::from_utf8_lossy(&told);
    let blobs = bench.data().len();
    assert!(
        told.contains(&format!("{blobs} blobs, {} known from the scrub, 1 put right", blobs - 1)),
        "{told}"
    );
    assert_eq!(files(&bench.path("storage")).expect("listed"), sound);
    // The state of another storage proves nothing here.
    bench.ok(&["convert", &bench.copy(), &bench.place("registry-storage", "other")]);
    let other = bench.place("registry-storage", "other");
    let out = bench.run(&["repair", "--state", &state, &other, "--from", &bench.copy()]);
    assert!(out.code == 2 && out.stderr.contains("is the state of"), "{}", out.stderr);
    let nowhere = bench.path("none.db").display().to_string();
    let out = bench.run(&["repair", "--state", &nowhere, &bench.storage(), "--from", &bench.copy()]);
    assert!(out.code == 2 && out.stderr.contains("there is no state"), "{}", out.stderr);
}

/// The same of layouts and `dir:` folders.
#[test]
fn layouts_and_folders_are_put_right() {
    let bench = Bench::new();
    let copy = bench.copy();
    bench.ok(&["convert", &copy, &bench.place("oci", "layout")]);
    let image = ["convert", "--image", "lab/podman:2", &bench.storage(), &bench.place("dir", "folder")];
    let image: Vec<&str> = image.to_vec();
    let out = bench.run(&image);
    assert_eq!(out.code, 0, "{}", out.stderr);
    for (form, name) in [("oci", "layout"), ("dir", "folder")] {
        let path = bench.path(name);
        let sound = files(&path).expect("listed");
        let blobs = sound.keys().filter(|name| name.rsplit('/').next().is_some_and(|last| last.len() == 64));
        for (nth, blob) in blobs.enumerate() {
            match nth % 2 {
                0 => fs::write(path.join(blob), "wrong").expect("written"),
                _ => fs::remove_file(path.join(blob)).expect("removed"),
            }
        }
        let _ = fs::remove_file(path.join("oci-layout"));
        let place = bench.place(form, name);
        bench.ok(&["repair", "--write", &place, "--from", &copy]);
        assert_eq!(files(&path).expect("listed"), sound, "{form}");
    }
}

/// Wrong bytes are kept where that is asked for, and what had no source is listed with every place it was sought in.
#[test]
fn wrong_bytes_are_kept_and_what_has_no_source_is_listed() {
    let bench = Bench::new();
    let (first, second) = (bench.data()[0].clone(), bench.data()[1].clone());
    fs::write(&first, "wrong one").expect("written");
    fs::write(&second, "wrong two").expect("written");
    // A place that has one of them, and one that has neither.
    let some = bench.path("some/blobs/sha256");
    fs::create_dir_all(&some).expect("made");
    let minimal = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/good/oci/minimal/archive");
    let minimal = minimal.display().to_string();
    bench.ok(&["convert", &minimal, &bench.place("oci", "some")]);
    let hex =
        |path: &Path| path.parent().and_then(Path::file_name).expect("a name").to_string_lossy().into_owned();
    bench.ok(&["convert", &bench.copy(), &bench.place("oci", "whole")]);
    fs::copy(bench.path("whole/blobs/sha256").join(hex(&first)), some.join(hex(&first))).expect("copied");
    let wrong = bench.path("wrong").display().to_string();
    let from = bench.place("oci", "some");
    let (code, done, said) =
        bench.repaired(&["--write", "--keep-wrong", &wrong, "--from", &minimal, "--from", &from]);
    assert_eq!(code, 1, "{done:#} {said}");
    assert_eq!(done["steps"].as_array().map(Vec::len), Some(1), "{done:#}");
    assert_eq!(done["steps"][0]["from"], from.as_str());
    let left = done["left"].as_array().expect("a list");
    assert_eq!(left.len(), 1, "{done:#}");
    assert_eq!(left[0]["what"], format!("sha256:{}", hex(&second)));
    let sought: Vec<&str> =
        left[0]["sought"].as_array().expect("a list").iter().filter_map(|s| s["place"].as_str()).collect();
    assert_eq!(sought, [minimal.as_str(), from.as_str()]);
    assert_eq!(fs::read(&second).expect("there"), b"wrong two", "what cannot be put right stays as it is");
    let kept = fs::read(bench.path("wrong").join(format!("sha256-{}", hex(&first)))).expect("kept");
    assert_eq!(kept, b"wrong one");
    let inside = bench.path("storage/wrong").display().to_string();
    let (code, _, said) = bench.repaired(&["--write", "--keep-wrong", &inside, "--from", &from]);
    assert!(code == 2 && said.contains("is in the place that is repaired"), "{said}");
}

/// A place that has the digest's name and other bytes gives nothing; the next one does.
#[test]
fn a_source_of_other_bytes_gives_nothing() {
    let bench = Bench::new();
    bench.ok(&["convert", &bench.copy(), &bench.place("oci", "liar")]);
    let layer = bench.data()[0].clone();
    let sound = fs::read(&layer).expect("read");
    let manifest = bench.documents("\"layers\"")[0].clone();
    let hex =
        |path: &Path| path.parent().and_then(Path::file_name).expect("a name").to_string_lossy().into_owned();
    for path in [&layer, &manifest] {
        fs::write(bench.path("liar/blobs/sha256").join(hex(path)), "a lie").expect("written");
        fs::remove_file(path).expect("removed");
    }
    let liar = bench.place("oci", "liar");
    let before = files(&bench.path("storage")).expect("listed");
    let (code, done, said) = bench.repaired(&["--write", "--from", &liar]);
    assert_eq!(code, 1, "{done:#} {said}");
    assert_eq!(files(&bench.path("storage")).expect("listed"), before, "{done:#}");
    let found = done.to_string();
    assert!(found.contains("has other bytes there"), "{done:#}");
    let copy = bench.copy();
    let (code, done, said) = bench.repaired(&["--write", "--from", &liar, "--from", &copy]);
    assert_eq!(code, 0, "{done:#} {said}");
    assert_eq!(fs::read(&layer).expect("there"), sound);
}

/// Two repairs at once follow each other, and the second finds nothing to do; a tag of several images is not guessed.
#[test]
fn two_repairs_at_once_follow_each_other() {
    let bench = Bench::new();
    let sound = files(&bench.path("storage")).expect("listed");
    for path in bench.data() {
        fs::write(path, "wrong").expect("written");
    }
    let words = ["repair", "--write", "--account", "-", &bench.storage(), "--from", &bench.copy()];
    let start = || {
        let mut command = bench.restow.command();
        command.args(words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("runs")
    };
    let both = [start(), start(), start()];
    let steps: Vec<usize> = both
        .into_iter()
        .map(|child| {
            let out = child.wait_with_output().expect("ends");
            assert!(out.status.success(), "{out:?}");
            let account: Value = serde_json::from_slice(&out.stdout).expect("JSON");
            account["steps"].as_array().expect("steps").len()
        })
        .collect();
    assert_eq!(steps.iter().filter(|steps| **steps > 0).count(), 1, "{steps:?}");
    assert_eq!(files(&bench.path("storage")).expect("listed"), sound);
}

#[test]
fn a_tag_is_restored_only_where_something_proves_it() {
    let bench = Bench::new();
    let current = bench.links("lab/podman/_manifests/tags/2/current")[0].clone();
    let text = fs::read(&current).expect("read");
    // The tag moved once: its history has two images.
    let other = bench.links("team/multi/_manifests/tags/1/current")[0].clone();
    let other = fs::read_to_string(other).expect("read");
    let history =
        current.parent().and_then(Path::parent).expect("a folder").join("index/sha256").join(&other[7..]);
    fs::create_dir_all(&history).expect("made");
    fs::write(history.join("link"), &other).expect("written");
    fs::remove_file(&current).expect("removed");
    let minimal = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/good/oci/minimal/archive");
    let minimal = minimal.display().to_string();
    let (code, done, _) = bench.repaired(&["--write", "--from", &minimal]);
    assert!(code == 1 && !current.exists(), "{done:#}");
    assert_eq!(done["left"][0]["what"], "tag lab/podman:2", "{done:#}");
    let copy = bench.copy();
    let (code, done, said) = bench.repaired(&["--write", "--from", &copy]);
    assert_eq!(code, 0, "{done:#} {said}");
    assert_eq!(fs::read(&current).expect("there"), text, "the other place has this tag");
}

/// What cannot be repaired in place is said with what does it.
#[test]
fn what_is_no_folder_is_refused() {
    let bench = Bench::new();
    let copy = bench.copy();
    let out = bench.run(&["repair", &copy, "--from", &bench.storage()]);
    assert!(out.code == 2 && out.stderr.contains("--fill-from"), "{}", out.stderr);
    let out = bench.run(&["repair", &bench.place("oci", "nowhere"), "--from", &copy]);
    assert_eq!(out.code, 2, "{}", out.stderr);
    let out = bench.run(&["repair", &bench.storage(), "--from", &bench.storage()]);
    assert!(out.code == 2 && out.stderr.contains("is the place that is repaired"), "{}", out.stderr);
}

/// Spoils a file as soon as bytes are about to be copied.
struct Spoiling(PathBuf);

impl restow::Progress for Spoiling {
    fn begin(&self, phase: restow::Phase, _: u64) {
        if phase == restow::Phase::Convert {
            fs::write(&self.0, "changed meanwhile").expect("written");
        }
    }
}

/// A place that changes after it was opened gives nothing.
#[test]
fn a_source_that_changes_gives_nothing() {
    let bench = Bench::new();
    bench.ok(&["convert", &bench.copy(), &bench.place("oci", "other")]);
    let layer = bench.data()[0].clone();
    let hex = layer.parent().and_then(Path::file_name).expect("a name").to_string_lossy().into_owned();
    fs::remove_file(&layer).expect("removed");
    let before = files(&bench.path("storage")).expect("listed");
    let spoiling = Spoiling(bench.path("other/blobs/sha256").join(hex));
    let options = restow::Options { progress: &spoiling, ..restow::Options::default() };
    let source = |text: String| restow::Source::parse(&text).expect("a place");
    let how = restow::repair::Request { write: true, ..restow::repair::Request::default() };
    let from = vec![source(bench.place("oci", "other"))];
    let repaired = restow::repair::run(source(bench.storage()), from, &how, &options).expect("it runs");
    assert!(repaired.steps.is_empty() && repaired.left.len() == 1, "{repaired:?}");
    assert_eq!(files(&bench.path("storage")).expect("listed"), before);
    let from = vec![source(bench.place("oci", "other")), source(bench.copy())];
    let repaired = restow::repair::run(source(bench.storage()), from, &how, &options).expect("it runs");
    assert!(repaired.is_whole() && layer.exists(), "{repaired:?}");
}
