//! `restow.toml`, exceptions and baselines: what they lower is told in the verdict and in every report, and they lower
//! nothing that always blocks.

use std::path::{Path, PathBuf};
use std::process::Output;

use restow::digest::Digest;
use serde_json::Value;

use super::layout::{CONFIG, LAYER, Layout, sha256};
use crate::common;

const GOOD: &str = "good/docker-archive/docker-20.10/archive.tar";

/// A folder in which commands run.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Bench {
        Bench(tempfile::tempdir().expect("temporary directory"))
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.at(name), text).expect("written");
    }

    #[track_caller]
    fn run(&self, code: i32, line: &str) -> (String, String) {
        self.run_with(code, line, &[])
    }

    #[track_caller]
    fn run_with(&self, code: i32, line: &str, environment: &[(&str, &str)]) -> (String, String) {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_restow"));
        command.env_clear().env("HOME", self.0.path()).env("COLUMNS", "200").current_dir(self.0.path());
        let Output { status, stdout, stderr } =
            command.envs(environment.iter().copied()).args(line.split(' ')).output().expect("runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let (stdout, stderr) = (text(stdout), text(stderr));
        assert_eq!(status.code(), Some(code), "restow {line}\n{stdout}{stderr}");
        (stdout, stderr)
    }

    /// The JSON report of a check.
    #[track_caller]
    fn json(&self, code: i32, line: &str) -> Value {
        let report: Value = serde_json::from_str(&self.run(code, &format!("{line} --json")).0).expect("JSON");
        let schema = std::fs::read(root().join("schemas/report-v1.json")).expect("a schema");
        let schema: Value = serde_json::from_slice(&schema).expect("JSON");
        let validator = jsonschema::options().offline().build(&schema).expect("a schema");
        assert!(validator.is_valid(&report), "{:?}\n{report:#}", validator.validate(&report));
        report["sources"][0].clone()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A layout of an image whose config has a time that is none, which is an error that blocks nothing, and its manifest digest.
fn faulty(bench: &Bench, name: &str) -> String {
    let mut layout = Layout::new(&bench.at(name));
    let plain = common::layer_of("a", b"a");
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","created":"yesterday","rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
        Digest::sha256(&plain)
    );
    let config = layout.add(sha256(), CONFIG, config.as_bytes());
    let manifest = layout.manifest(&config, &layout.add(sha256(), LAYER, &plain));
    let root: Value = serde_json::from_str(&manifest).expect("a descriptor");
    layout.root(&manifest, "docker.io/library/app:1");
    layout.finish();
    root["digest"].as_str().expect("a digest").to_owned()
}

#[test]
fn a_file_is_named_with_what_it_lowered_in_every_report() {
    let bench = Bench::new();
    faulty(&bench, "layout");
    let (plain, _) = bench.run(1, "check oci:layout");
    assert!(plain.contains("error[config/bad-created]"), "{plain}");
    bench.write("restow.toml", "[levels]\n\"config/bad-created\" = \"allow\"\n");
    let verdict = bench.run(0, "check oci:layout").0;
    assert!(verdict.ends_with("; restow.toml lowers 1\n"), "{verdict}");
    let told = bench.run(0, "check -v oci:layout").0;
    assert!(
        told.contains("config/bad-created: allow instead of error, restow.toml\n  blobs/sha256/"),
        "{told}"
    );
    let report = bench.json(0, "check oci:layout");
    let lowered = &report["lowered"];
    assert_eq!(lowered["config"], "restow.toml");
    assert_eq!(lowered["findings"][0]["rule"], "config/bad-created");
    assert_eq!(lowered["findings"][0]["from"], "error");
    assert_eq!(lowered["findings"][0]["by"], "levels");
    for (format, words) in [
        ("sarif", "\"kind\": \"external\""),
        ("sarif", "oci:layout: restow.toml lowers 1"),
        ("junit", "restow.toml lowers 1"),
        ("github", "restow.toml lowers 1"),
        ("html", "restow.toml lowers 1"),
        ("markdown", "restow.toml lowers 1"),
        ("human", "restow.toml lowers 1"),
    ] {
        let report = bench.run(0, &format!("check -o {format} oci:layout")).0;
        assert!(report.contains(words), "{format}: {report}");
    }
    // A file that lowers nothing is named too, and flags win over it.
    bench.write("restow.toml", "");
    assert!(bench.run(1, "check oci:layout").0.ends_with("; restow.toml lowers nothing\n"));
    bench.write("restow.toml", "[levels]\nall = \"note\"\n");
    bench.run(0, "check oci:layout");
    bench.run(1, "check -D config oci:layout");
    let lowered = bench.json(1, "check -D config oci:layout")["lowered"]["findings"].clone();
    assert!(
        lowered.as_array().expect("a list").iter().all(|one| one["rule"] != "config/bad-created"),
        "{lowered}"
    );
}

#[test]
fn which_file_is_read_can_be_said() {
    let bench = Bench::new();
    faulty(&bench, "layout");
    bench.write("other.toml", "[levels]\nconfig = \"note\"\n");
    bench.run(0, "check --config other.toml oci:layout");
    bench.run_with(0, "check oci:layout", &[("RESTOW_CONFIG", "other.toml")]);
    bench.run_with(1, "check --no-config oci:layout", &[("RESTOW_CONFIG", "other.toml")]);
    bench.run_with(2, "check oci:layout", &[("RESTOW_CONFIG", "absent.toml")]);
    bench.run(2, "check --no-config --config other.toml oci:layout");
    std::fs::copy(bench.at("other.toml"), bench.at("restow.toml")).expect("copied");
    bench.run(0, "check oci:layout");
    bench.run(1, "check --no-config oci:layout");
    // A conversion is the same wherever it is run, unless all is to be judged.
    bench.run(0, "convert -q oci:layout oci:a");
    bench.run(0, "convert -q --check oci:layout oci:b");
    bench.run(1, "convert -q --check --no-config oci:layout oci:c");
    // The file of whoever made the image says nothing.
    std::fs::rename(bench.at("restow.toml"), bench.at("layout/restow.toml")).expect("moved");
    let mut inside = std::process::Command::new(env!("CARGO_BIN_EXE_restow"));
    let inside =
        inside.env_clear().args(["check", "."]).current_dir(bench.at("layout")).output().expect("runs");
    assert_eq!(inside.status.code(), Some(1));
    let told = String::from_utf8_lossy(&inside.stderr).into_owned();
    assert!(told.contains("restow.toml is passed over: it lies in what is judged"), "{told}");
}

#[test]
fn exceptions_hold_for_what_they_name_until_they_end() {
    let bench = Bench::new();
    let digest = faulty(&bench, "layout");
    let report = bench.json(1, "check oci:layout");
    let of = |rule: &str| -> String {
        let findings = report["findings"].as_array().expect("a list").iter();
        let found = findings.clone().find(|finding| finding["rule"] == rule).expect("found");
        found["fingerprint"].as_str().expect("a fingerprint").to_owned()
    };
    let print = of("config/bad-created");
    let file = |what: &str, expires: &str| {
        bench.write("restow.toml", &format!("[[allow]]\n{what}\nreason = \"known\"\nexpires = {expires}\n"));
    };
    for what in [
        format!("fingerprint = \"{print}\""),
        format!("fingerprint = \"{print}:1\""),
        format!("digest = \"{digest}\""),
        format!("digest = \"{digest}\"\nrule = \"config\""),
    ] {
        file(&what, "9999-12-31");
        bench.run(0, "check oci:layout");
        bench.run(0, "check --verify digests oci:layout");
        bench.run(0, &format!("convert -q -f --check oci:layout oci-archive:{}.tar", what.len()));
        let lowered = bench.json(0, "check oci:layout")["lowered"].clone();
        let one = lowered["findings"]
            .as_array()
            .expect("a list")
            .iter()
            .find(|one| one["rule"] == "config/bad-created");
        let one = one.expect("lowered");
        assert_eq!(
            (&one["by"], &one["reason"], &one["at"]),
            (&"allow".into(), &"known".into(), &"restow.toml:1".into())
        );
        // Of the last day on it holds; then it is told that it ended.
        file(&what, "2026-01-01");
        let told = bench.run(1, "check oci:layout").0;
        assert!(
            told.contains("restow.toml:1: the exception ended on 2026-01-01 and lowers nothing: known"),
            "{told}"
        );
    }
    for what in [
        format!("fingerprint = \"{}\"", "0".repeat(32)),
        format!("digest = \"sha256:{}\"", "0".repeat(64)),
        format!("digest = \"{digest}\"\nrule = \"entry\""),
    ] {
        file(&what, "9999-12-31");
        bench.run(1, "check oci:layout");
    }
    // What always blocks is no matter of taste.
    let blobs = bench.at("layout/blobs/sha256").join(&digest["sha256:".len()..]);
    let mut bytes = std::fs::read(&blobs).expect("read");
    bytes.push(b' ');
    std::fs::write(&blobs, bytes).expect("written");
    let broken = bench.json(1, "check --no-config oci:layout");
    let print = broken["findings"].as_array().expect("a list").iter();
    let print = print.clone().find(|finding| finding["rule"] == "blob/digest-mismatch").expect("found")["fingerprint"].clone();
    file(&format!("fingerprint = {print}"), "9999-12-31");
    let told = bench.run(1, "check oci:layout").0;
    assert!(told.contains("error[blob/digest-mismatch]"), "{told}");
}

#[test]
fn a_baseline_knows_what_was_there_and_nothing_new() {
    let bench = Bench::new();
    faulty(&bench, "layout");
    bench.run(1, "check -o json=baseline.json oci:layout");
    let verdict = bench.run(0, "check --baseline baseline.json oci:layout").0;
    assert!(verdict.contains("; baseline.json lowers "), "{verdict}");
    bench.run(0, "convert -q --check --baseline baseline.json oci:layout oci:copy");
    // Another tag of it, in another form.
    bench.run(0, "convert -q oci:layout oci:next:app:2");
    bench.run(0, "check --baseline baseline.json oci:next");
    // A report that was made with it is as good.
    bench.run(0, "check --baseline baseline.json -o json=again.json oci:layout");
    bench.run(0, "check --baseline again.json oci:layout");
    // Another fault is new, and the same once more.
    let config = std::fs::read_to_string(bench.at("layout/index.json")).expect("read");
    std::fs::write(bench.at("layout/index.json"), config.replace("\"size\":", "\"size\":1"))
        .expect("written");
    let told = bench.run(1, "check --baseline baseline.json oci:layout").0;
    assert!(told.contains("error[descriptor/size-mismatch]") && !told.contains("bad-created]"), "{told}");
}

#[test]
fn profiles_are_told() {
    let bench = Bench::new();
    let all = bench.run(0, "profiles").0;
    for name in ["spec", "docker", "containerd", "portable", "strict"] {
        assert!(all.contains(&format!("{name}  raises ")), "{all}");
        let one = bench.run(0, &format!("profiles {name}")).0;
        assert!(one.starts_with(&format!("{name}\n\n")), "{one}");
    }
    assert!(bench.run(2, "profiles dokcer").1.contains("the profiles are spec, docker, containerd"));
    let good = root().join("corpus").join(GOOD);
    bench.run(0, &format!("check --no-config --profile docker {}", good.display()));
}

/// What a check takes as known is known to a comparison and an index, too, where the file is named.
#[test]
fn exceptions_hold_in_comparisons_and_indexes() {
    let bench = Bench::new();
    let wrong = root().join("corpus/bad/descriptor/size-mismatch/archive.tar");
    std::fs::copy(wrong, bench.at("wrong.tar")).expect("copied");
    let found = bench.json(1, "check wrong.tar");
    let fingerprint = found["findings"][0]["fingerprint"].as_str().expect("text").to_owned();
    bench.write(
        "allow.toml",
        &format!("[[allow]]\nfingerprint = \"{fingerprint}\"\nreason = \"known\"\nexpires = 9999-01-01\n"),
    );
    let (told, _) = bench.run(1, "compare wrong.tar wrong.tar");
    assert!(told.contains("error[descriptor/size-mismatch]"), "{told}");
    let (told, _) = bench.run(0, "compare --config allow.toml wrong.tar wrong.tar");
    assert!(
        told.starts_with("A = wrong.tar: allow.toml lowers 1\nB = wrong.tar: allow.toml lowers 1\n"),
        "{told}"
    );
    assert!(told.ends_with("same: 1 image\n"), "{told}");
    assert_eq!(bench.run(0, "compare -q --config allow.toml wrong.tar wrong.tar").0, "");
    bench.run(1, "index create oci:refused wrong.tar");
    let (_, told) = bench.run(0, "index create -v --config allow.toml oci:made wrong.tar");
    assert!(told.contains("allow.toml lowers 1"), "{told}");
    // It is of this file alone.
    std::fs::rename(bench.at("wrong.tar"), bench.at("other.tar")).expect("renamed");
    bench.run(1, "compare --config allow.toml other.tar other.tar");
}
