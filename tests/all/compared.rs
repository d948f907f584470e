//! What `restow compare` promises: nothing is believed, and what differs is named.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::common::{Restow, layer_of};
use crate::layout::{Bench, sha256};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus");

fn case(name: &str) -> String {
    let path = Path::new(CORPUS).join(name);
    let files = ["archive.tar", "archive"].map(|file| path.join(file));
    files.iter().find(|file| file.exists()).expect("an archive").display().to_string()
}

struct Test {
    dir: tempfile::TempDir,
    restow: Restow,
}

impl Test {
    fn new() -> Test {
        let dir = tempfile::tempdir().expect("a directory");
        let restow = Restow::new(dir.path()).wide();
        Test { dir, restow }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// What a run with this exit status says.
    #[track_caller]
    fn says(&self, code: i32, arguments: &[&str]) -> String {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let output = self.restow.run(&arguments).expect("runs").expect(code).expect("the exit status");
        String::from_utf8(output.stdout).expect("text")
    }

    /// A layout with one image, whose blobs may then be changed.
    fn layout(&self, name: &str) -> String {
        let place = format!("oci:{}", self.path(name));
        self.says(0, &["convert", "-q", &case("good/oci/podman"), &place]);
        place
    }

    /// Changes the text of the one blob that holds `before`, and nothing else.
    fn tamper(&self, layout: &str, before: &str, after: &str) {
        let blobs = self.dir.path().join(layout).join("blobs/sha256");
        for blob in fs::read_dir(blobs).expect("blobs").flatten() {
            let bytes = fs::read(blob.path()).expect("read");
            if let Ok(text) = str::from_utf8(&bytes) {
                if text.contains(before) {
                    fs::write(blob.path(), text.replacen(before, after, 1)).expect("written");
                }
            }
        }
    }
}

#[track_caller]
fn has(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "`{word}` is not in:\n{said}");
    }
}

#[test]
fn a_manifest_that_was_tampered_with_is_not_the_same() {
    let test = Test::new();
    let (good, bad) = (test.layout("good"), test.layout("bad"));
    test.says(0, &["compare", &good, &bad]);
    // As long as before, so that no size tells.
    test.tamper("bad", "\"schemaVersion\":2", "\"schemaVersion\":3");
    let said = test.says(1, &["compare", &bad, &good]);
    has(&said, &["A = oci:", "error[blob/digest-mismatch]", "/schemaVersion: 3 in A, 2 in B"]);
    let said = test.says(1, &["compare", &good, &bad]);
    has(&said, &["not sound: B = oci:"]);
    // Two that are wrong in the same way are not sound either.
    let said = test.says(1, &["compare", &bad, &bad]);
    has(&said, &["not sound: A = oci:", ", B = oci:", "what was read is the same"]);
}

#[test]
fn a_cut_archive_is_not_sound() {
    let test = Test::new();
    let whole = fs::read(case("good/oci/podman")).expect("read");
    fs::write(test.path("cut.tar"), &whole[..whole.len() / 2]).expect("written");
    let cut = test.path("cut.tar");
    has(&test.says(1, &["compare", &cut, &cut]), &["error[archive/", "not sound: A = "]);
}

#[test]
fn what_is_only_compressed_anew_is_told_from_other_bytes() {
    let test = Test::new();
    let source = case("good/oci/podman");
    let packed = format!("oci:{}", test.path("packed"));
    test.says(0, &["convert", "-q", "--compress", "zstd", &source, &packed]);
    let said = test.says(1, &["compare", &source, &packed]);
    has(
        &said,
        &["layer 0     the same, compressed anew: gzip 159 bytes sha256:", "same        image ID sha256:"],
    );
    assert!(!said.contains("other bytes") && !said.contains("mediaType"), "{said}");
    test.says(0, &["compare", "--ignore", "layers,digests", &source, &packed]);

    // One name, other layers: what changed, not two images that miss each other.
    let bench = Bench::new();
    let place = |name: &str, layers: &[&[u8]]| {
        let mut layout = bench.layout();
        for layer in layers {
            let image = layout.image("amd64", sha256(), layer);
            layout.root(&image, "docker.io/lab/app:1");
        }
        let finished = layout.finish();
        let kept = format!("oci:{}", test.path(name));
        test.says(0, &["convert", "-q", &finished, &kept]);
        kept
    };
    let (one, other) = (place("one", &[&layer_of("f", b"1")]), place("other", &[&layer_of("f", b"2")]));
    let said = test.says(1, &["compare", &one, &other]);
    has(
        &said,
        &[
            "lab/app:1 linux/amd64: different",
            "image ID",
            "layer 0     other bytes: ",
            "different: 1 of 1 image",
        ],
    );
    assert!(!said.contains("only in"), "{said}");
}

/// Digests alone find the same differences, as long as configs tell the truth; and what they take on trust is said.
#[test]
fn by_digests_the_same_is_found_where_configs_are_right() {
    let test = Test::new();
    let kinds = ["oci", "docker-archive", "dir", "registry-storage"];
    let mut compared = 0;
    for kind in kinds {
        for entry in fs::read_dir(Path::new(CORPUS).join("good").join(kind)).into_iter().flatten().flatten() {
            let folder = entry.path();
            let Some(source) = ["archive.tar", "archive"]
                .map(|file| folder.join(file))
                .into_iter()
                .find(|file| file.exists())
            else {
                continue;
            };
            let (source, out) = (source.display().to_string(), test.path("out"));
            let packed = format!("oci:{out}");
            let made = test
                .restow
                .run(&["convert", "-q", "--compress", "zstd", &source, &packed].map(str::to_owned));
            if made.is_ok_and(|made| made.expect(0).is_ok()) {
                let by = |options: &[&str]| {
                    let all = [&["compare", "--json"], options, &[source.as_str(), packed.as_str()]].concat();
                    let all: Vec<String> = all.into_iter().map(str::to_owned).collect();
                    let output = test.restow.run(&all).expect("runs");
                    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
                    (output.code, json["compared"].clone(), json["verified"].clone())
                };
                let (whole, digests) = (by(&[]), by(&["--verify", "digests"]));
                assert_eq!((&whole.0, &whole.1), (&digests.0, &digests.1), "{source}");
                assert_eq!([whole.2, digests.2], ["all", "digests"]);
                compared += 1;
            }
            let _ = fs::remove_dir_all(&out);
        }
    }
    assert!(compared > 40, "{compared}");

    // A config that lies is believed, and the last line but the verdict says so.
    let (good, bad) = (test.layout("good"), test.layout("bad"));
    let said = test.says(0, &["compare", "--verify", "digests", &good, &bad]);
    has(&said, &["layers were hashed, not decompressed: their diff IDs were not verified"]);
    // Bytes that do not hash are found all the same.
    test.tamper("bad", "\"schemaVersion\":2", "\"schemaVersion\":3");
    has(&test.says(1, &["compare", "--verify", "digests", &good, &bad]), &["error[blob/digest-mismatch]"]);
}

#[test]
fn pipes_and_names_are_compared() {
    let test = Test::new();
    let source = case("good/docker-archive/ko-two-images");
    let arguments = ["compare", "-", &source].map(str::to_owned);
    let output = test.restow.run_with(&arguments, Some(Path::new(&source))).expect("runs");
    output.expect(0).expect("the same");
    // One image of two, by its number; the other may be broken.
    let one = format!("docker-archive:{}", test.path("one.tar"));
    test.says(0, &["convert", "-q", "--image", "@0", &source, &one]);
    test.says(1, &["compare", &source, &one]);
    test.says(0, &["compare", "--ignore", "digests", &format!("docker-archive:{source}:@0"), &one]);
    // Two named pipes at once.
    let (a, b) = (test.path("a"), test.path("b"));
    let writers = [&a, &b].map(|pipe| {
        rustix::fs::mkfifoat(rustix::fs::CWD, pipe.as_str(), rustix::fs::Mode::RWXU).expect("a pipe");
        let (pipe, source) = (pipe.clone(), source.clone());
        std::thread::spawn(move || {
            let bytes = fs::read(source).expect("read");
            let _ = fs::write(pipe, bytes);
        })
    });
    test.says(0, &["compare", &a, &b]);
    writers.into_iter().for_each(|writer| writer.join().expect("written"));
}

#[test]
fn levels_say_what_is_unsound() {
    let test = Test::new();
    let bad = case("bad/entry/escaping-name");
    has(&test.says(1, &["compare", &bad, &bad]), &["entry/escaping-name", "not sound"]);
    has(&test.says(0, &["compare", "-A", "entry", &bad, &bad]), &["same: 1 image"]);
    // What always blocks is not lowered.
    let wrong = case("bad/blob/digest-mismatch");
    test.says(1, &["compare", "-A", "all", &wrong, &wrong]);
}

#[test]
fn the_json_has_the_published_shape() {
    let test = Test::new();
    let schema = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/compare-v1.json"));
    let schema: Value = serde_json::from_str(&schema.expect("the schema")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let pairs = [
        (0, case("good/oci/sbom"), case("good/oci/sbom")),
        (1, case("good/oci/two-platforms"), case("good/oci/nested-index")),
        (1, case("good/oci/podman"), case("good/docker-archive/jib")),
        (1, case("good/dir/list-with-signatures"), case("good/dir/skopeo-list")),
        (1, case("bad/blob/digest-mismatch"), case("good/oci/minimal")),
        (1, case("bad/config/diff-id-mismatch"), case("bad/blob/missing")),
    ];
    for (code, a, b) in pairs {
        let text = test.says(code, &["compare", "--json", &a, &b]);
        let value: Value = serde_json::from_str(&text).expect("JSON");
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{a} {b}: {errors:?}");
        assert_eq!(value["same"], code == 0);
        assert!(!value["compared"].as_array().expect("a list").is_empty());
    }
}
