//! Whatever an archive holds has exactly one fate, and the account tells it: archives with every kind of thing in them go
//! to every form, with every option that selects, and the account is held against the bytes of both sides, which are
//! walked by code of the test's own.
//!
//! `RESTOW_INVENTORY=N` makes N archives instead of one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::Path;

use restow::digest::Digest;
use serde_json::Value;

use crate::common::{layer_of, tree_digest};
use crate::layout::{Bench, INDEX, LAYER, Layout, MANIFEST, platform, sha256, with};

/// What an archive was made of.
#[derive(Default)]
struct Made {
    /// Digests of everything that is no file of the form itself.
    blobs: BTreeSet<String>,
    /// Names, as people read them.
    names: BTreeSet<String>,
}

/// The places of the pseudo-random choices are those of xorshift64 from a fixed start.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn chance(&mut self) -> bool {
        self.below(2) == 0
    }
}

fn digest_of(descriptor: &str) -> String {
    let descriptor: Value = serde_json::from_str(descriptor).expect("JSON");
    descriptor["digest"].as_str().expect("a digest").to_owned()
}

/// A manifest that is about another one.
fn about(layout: &Layout, subject: &str, kind: &str) -> String {
    let config = layout.add(sha256(), "application/vnd.oci.empty.v1+json", b"{}");
    let layer = layout.add(sha256(), kind, format!("{kind} of {subject}").as_bytes());
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","artifactType":"{kind}","config":{config},"layers":[{layer}],"subject":{subject}}}"#
    );
    layout.add(sha256(), MANIFEST, text.as_bytes())
}

/// A manifest that is no image, and says what it is.
fn artifact(layout: &Layout, kind: &str, bytes: &[u8]) -> String {
    let config = layout.add(sha256(), "application/vnd.oci.empty.v1+json", b"{}");
    let layer = layout.add(sha256(), kind, bytes);
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","artifactType":"{kind}","config":{config},"layers":[{layer}]}}"#
    );
    layout.add(sha256(), MANIFEST, text.as_bytes())
}

/// An archive with every kind of thing in it.
fn archive(dir: &Path, seed: u64) -> (String, Made) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ seed.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1);
    let mut layout = Layout::new(dir);
    let mut names = BTreeSet::new();
    let base = layer_of("base", b"shared");
    let mut images = Vec::new();
    for i in 0..2 + random.below(2) {
        let own = layer_of("own", format!("image {i} of {seed}").as_bytes());
        let layers = [(LAYER, &base[..], &base[..]), (LAYER, &own[..], &own[..])];
        let image = layout.image_of(&layers[usize::from(random.chance())..]);
        for tag in 0..1 + random.below(2) {
            let name = format!("lab/app{i}:{tag}");
            layout.root(&image, &format!("docker.io/{name}"));
            names.insert(name);
        }
        images.push(image);
    }
    // Several platforms, with an attestation.
    let children: Vec<String> = ["amd64", "arm64"]
        .iter()
        .map(|arch| platform(&layout.image(arch, sha256(), &layer_of(arch, b"of several")), arch))
        .collect();
    let statement = artifact(&layout, "application/vnd.in-toto+json", b"{}");
    let attested = digest_of(&children[0]);
    let attestation = with(
        &platform(&statement, "unknown").replace("\"os\":\"linux\"", "\"os\":\"unknown\""),
        &format!(
            r#""annotations":{{"vnd.docker.reference.type":"attestation-manifest","vnd.docker.reference.digest":"{attested}"}}"#
        ),
    );
    let index = layout.index(&[children[0].clone(), children[1].clone(), attestation]);
    assert!(index.contains(INDEX));
    layout.root(&index, "docker.io/lab/multi:1");
    names.insert("lab/multi:1".to_owned());
    // What refers to things, listed or not, and what refers to that.
    for subject in images.iter().chain([&index, &children[1]]) {
        let sbom = about(&layout, &strip(subject), "application/vnd.example.sbom");
        let signature = about(&layout, &sbom, "application/vnd.example.signature");
        for referrer in [&sbom, &signature] {
            if random.chance() {
                layout.roots.push(referrer.clone());
            }
        }
    }
    // cosign's way.
    let signed = artifact(&layout, "application/vnd.dev.cosign.simplesigning.v1+json", b"signed");
    layout.root(&signed, &format!("docker.io/lab/app0:{}.sig", digest_of(&images[0]).replace(':', "-")));
    names.insert(format!("lab/app0:{}.sig", digest_of(&images[0]).replace(':', "-")));
    // What nothing points at, and what is nobody's.
    layout.add(sha256(), LAYER, format!("stray {seed}").as_bytes());
    fs::write(dir.join("NOTES.txt"), "mine").expect("written");
    let place = layout.finish();
    let files = tree_digest::files(dir).expect("read");
    let blobs =
        files.iter().filter(|(name, _)| name.starts_with("blobs/")).map(|(_, hex)| format!("sha256:{hex}"));
    (place, Made { blobs: blobs.collect(), names })
}

/// A descriptor without platform: what a `subject` holds.
fn strip(descriptor: &str) -> String {
    let mut descriptor: Value = serde_json::from_str(descriptor).expect("JSON");
    descriptor.as_object_mut().expect("an object").remove("platform");
    descriptor.to_string()
}

/// Digests of all files of a destination, by their names; of a tar those of its members.
fn files(path: &Path) -> BTreeMap<String, String> {
    if path.is_dir() {
        let files = tree_digest::files(path).expect("read");
        return files.into_iter().map(|(name, hex)| (name, format!("sha256:{hex}"))).collect();
    }
    let mut found = BTreeMap::new();
    let mut tar = tar::Archive::new(fs::File::open(path).expect("opened"));
    for entry in tar.entries().expect("a tar") {
        let mut entry = entry.expect("an entry");
        if entry.header().entry_type().is_file() {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("read");
            let name = entry.path().expect("a name").display().to_string();
            found.insert(name, Digest::sha256(&bytes).to_string());
        }
    }
    found
}

/// Whether a file is one that the form itself consists of.
fn is_form(name: &str) -> bool {
    let base = name.rsplit('/').next().unwrap_or(name);
    matches!(base, "oci-layout" | "index.json" | "version" | "repositories" | "VERSION" | "json" | "link")
        || name == "manifest.json"
}

/// Holds an account against what there was and what there is.
fn agree(what: &str, made: &Made, account: &Value, written: &BTreeMap<String, String>) {
    let entries = account["entries"].as_array().expect("entries");
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let there: BTreeSet<&String> = written.values().collect();
    let mut accounted = BTreeSet::new();
    for digest in &made.blobs {
        let own: Vec<&Value> =
            entries.iter().filter(|entry| entry["kind"] != "name" && entry["before"] == **digest).collect();
        let fates: BTreeSet<String> = own.iter().map(|entry| text(entry, "action")).collect();
        assert_eq!(fates.len(), 1, "{what}: {digest} has the fates {fates:?}");
        let fate = fates.first().map(String::as_str).unwrap_or_default();
        match fate {
            "kept" => {
                assert!(there.contains(digest), "{what}: {digest} is kept and not there");
                accounted.insert(digest.clone());
            }
            "dropped" => {
                // The root of a `dir:` layout aside, nothing that is dropped is there under another name.
                assert!(!there.contains(digest), "{what}: {digest} is dropped and there");
                assert!(
                    own.iter().all(|entry| !text(entry, "why").is_empty()),
                    "{what}: {digest} has no reason"
                );
            }
            "rewritten" => {
                for entry in &own {
                    assert!(there.contains(&text(entry, "after")), "{what}: {entry} is not there");
                }
            }
            _ => panic!("{what}: {digest} is {fate}"),
        }
    }
    accounted.extend(entries.iter().map(|entry| text(entry, "after")).filter(|after| !after.is_empty()));
    for (name, digest) in written.iter().filter(|(name, _)| !is_form(name)) {
        assert!(accounted.contains(digest), "{what}: nothing tells of {name}");
    }
    for name in &made.names {
        let own = entries.iter().filter(|entry| entry["kind"] == "name" && entry["what"] == **name);
        let fates: Vec<String> = own.map(|entry| text(entry, "action")).collect();
        assert_eq!(fates.len(), 1, "{what}: the name {name} has the fates {fates:?}");
    }
    let files: Vec<&Value> = entries.iter().filter(|entry| entry["what"] == "file NOTES.txt").collect();
    assert_eq!(files.len(), 1, "{what}: NOTES.txt");
}

const OPTIONS: &[&[&str]] = &[
    &[],
    &["--image", "lab/app0:0"],
    &["--image", "lab/multi:1"],
    &["--image", "lab/app0:0", "--tag", "new/name:1"],
    &["--platform", "linux/arm64"],
    &["--image", "lab/multi:1", "--platform", "linux/amd64"],
    &["--image", "lab/multi:1", "--platform", "linux/amd64", "--sparse"],
    &["--referrers", "0"],
    &["--referrers", "1", "--image", "lab/app0:0"],
    &["--compress", "gzip"],
    &["--manifest-format", "docker", "--drop", "artifacts,attestations,annotations"],
];

#[test]
fn everything_has_one_fate_in_every_form() {
    let archives = std::env::var("RESTOW_INVENTORY").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let (mut written, mut refused) = (0, 0);
    for seed in 0..archives {
        let bench = Bench::new();
        let (source, made) = archive(&bench.dir.path().join("layout"), seed);
        let account = bench.dir.path().join("account.json");
        let account_option = account.display().to_string();
        bench.run(0, &["check", &source]);
        for form in ["oci", "oci-archive", "docker-archive", "legacy", "dir", "registry-storage"] {
            for options in OPTIONS {
                let what = format!("archive {seed} to {form} with {options:?}");
                let (transport, more): (&str, &[&str]) = match form {
                    "legacy" => ("docker-archive", &["--docker-format", "legacy"]),
                    form => (form, &[]),
                };
                let place = bench.out(transport);
                let mut arguments = vec!["convert", "-q", "--account", &account_option];
                arguments.extend(more.iter().chain(options.iter()));
                arguments.extend([source.as_str(), &place]);
                let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
                let run = bench.restow.run(&arguments).expect("restow runs");
                let out = bench.dir.path().join("out");
                if run.code == 2 {
                    // What a form cannot hold is refused before anything is written.
                    assert!(!out.exists() && !account.exists(), "{what}: a refusal wrote something");
                    assert!(!run.stderr.contains("without a word"), "{what}: {}", run.stderr);
                    assert!(!run.stderr.contains("not sound"), "{what}: {}", run.stderr);
                    refused += 1;
                    continue;
                }
                assert_eq!(run.code, 0, "{what}: {}", run.stderr);
                let told: Value =
                    serde_json::from_slice(&fs::read(&account).expect("an account")).expect("JSON");
                agree(&what, &made, &told, &files(&out));
                bench.run(0, &["check", &place]);
                let entries = told["entries"].as_array().expect("entries");
                let lost = entries.iter().any(|entry| {
                    let kind = entry["kind"].as_str().unwrap_or_default();
                    entry["action"] == "dropped" && matches!(kind, "manifest" | "index" | "name")
                });
                // Sparse indexes aside, which keep what they name.
                if !options.contains(&"--sparse") && form != "legacy" {
                    let compared =
                        bench.restow.run(&["compare".into(), source.clone(), place.clone()]).expect("runs");
                    let changed =
                        entries.iter().any(|entry| entry["kind"] == "name" && entry["action"] == "moved");
                    let said = String::from_utf8_lossy(&compared.stdout).into_owned();
                    if lost {
                        assert_eq!(compared.code, 1, "{what}: something is lost: {said}");
                    } else if !changed && !rewritten(entries) {
                        assert_eq!(compared.code, 0, "{what}: nothing changed: {said}");
                    }
                }
                written += 1;
                if out.is_dir() {
                    fs::remove_dir_all(&out).expect("removed");
                } else {
                    fs::remove_file(&out).expect("removed");
                }
                fs::remove_file(&account).expect("removed");
            }
        }
    }
    assert!(written > refused, "{written} written, {refused} refused");
}

/// Whether a document has other bytes now.
fn rewritten(entries: &[Value]) -> bool {
    entries.iter().any(|entry| {
        entry["action"] == "rewritten" && matches!(entry["kind"].as_str(), Some("manifest" | "index"))
    })
}
