//! Live registries, scrubbed as storage is: each blob once, what `check` finds, kept, divided and resumed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use restow::digest::Digest;
use serde_json::Value;

use super::planted::warnings;
use super::storage::{Storage, findings, tar};
use crate::registry::places;
use crate::registry::server::{Act, Manner, Server};

/// Runs the command against a registry of the test; status, what it reports, what it says.
fn restow(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = places::restow(&[arguments, &["--tls-verify=false"]].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn scrub(server: &Server, more: &[&str]) -> (Option<i32>, String, String) {
    restow(&[&["scrub", "--json", &place(server)], more].concat())
}

fn place(server: &Server) -> String {
    format!("docker://{}/", server.address)
}

fn manner() -> Manner {
    Manner { referrers: true, page: Some(3), ..Manner::default() }
}

/// A registry with so many repositories, and an image each.
fn filled(repositories: usize) -> Server {
    let server = Server::start(manner());
    let dir = tempfile::tempdir().expect("temporary directory");
    let (storage, _) = Storage::filled(dir.path(), repositories);
    push(&storage, &server);
    server.state().seen.clear();
    server
}

fn push(storage: &Storage, server: &Server) {
    let (code, _, said) = restow(&["convert", "-q", &storage.place(), &place(server)]);
    assert_eq!(code, Some(0), "{said}");
}

/// How often each blob and each manifest was asked for, by its digest.
fn reads(server: &Server, kind: &str) -> Vec<String> {
    let state = server.state();
    let seen = state.seen.iter().filter(|seen| seen.method == "GET");
    let mut reads: Vec<String> = seen
        .filter_map(|seen| Some(seen.target.split_once(kind)?.1.to_owned()))
        .filter(|target| !target.contains('?'))
        .collect();
    reads.sort();
    reads
}

/// The image that a tag names: its manifest, and the digests of its blobs, the config first.
fn image(server: &Server, repository: &str) -> (String, Vec<String>) {
    let state = server.state();
    let digest = state.tags[&(repository.to_owned(), "1".to_owned())].clone();
    let (_, bytes) = &state.manifests[&(repository.to_owned(), digest.clone())];
    let manifest: Value = serde_json::from_slice(bytes).expect("JSON");
    let layers = manifest["layers"].as_array().expect("layers").iter();
    let all = std::iter::once(&manifest["config"]).chain(layers);
    (digest, all.map(|part| part["digest"].as_str().expect("a digest").to_owned()).collect())
}

/// How many commands a report suggests.
fn suggested(report: &str) -> usize {
    let report: Value = serde_json::from_str(report).expect("JSON");
    report["sources"][0]["suggest"].as_array().map_or(0, Vec::len)
}

fn spoil(server: &Server, repository: &str, digest: &str, spoil: impl Fn(&mut Vec<u8>)) {
    let mut state = server.state();
    let blob = state.blobs.get_mut(&(repository.to_owned(), digest.to_owned())).expect("the blob");
    spoil(Arc::make_mut(blob));
}

/// Spoils a registry in five ways; what is to be found of it.
fn damage(server: &Server) -> BTreeSet<(String, Vec<String>)> {
    let tags = |repository: &str| {
        [":1", ":latest"].map(|tag| format!("{}/{repository}{tag}", server.address)).to_vec()
    };
    let (_, flipped) = image(server, "team0/app0");
    spoil(server, "team0/app0", &flipped[2], |bytes| *bytes.last_mut().expect("bytes") ^= 1);
    let (_, cut) = image(server, "team1/app1");
    spoil(server, "team1/app1", &cut[2], |bytes| bytes.truncate(bytes.len() / 2));
    let (_, gone) = image(server, "team2/app2");
    server.state().blobs.remove(&("team2/app2".to_owned(), gone[2].clone())).expect("a layer");
    let (_, config) = image(server, "team0/app3");
    server.state().blobs.remove(&("team0/app3".to_owned(), config[0].clone())).expect("a config");
    let (manifest, _) = image(server, "team1/app4");
    server.state().manifests.remove(&("team1/app4".to_owned(), manifest)).expect("a manifest");
    server.manifest(
        "team1/app4",
        Some("other"),
        "application/vnd.oci.image.index.v1+json",
        br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#,
    );
    let found = [
        ("blob/digest-mismatch", tags("team0/app0")),
        ("blob/digest-mismatch", tags("team1/app1")),
        ("blob/missing", tags("team2/app2")),
        ("blob/missing", tags("team0/app3")),
        ("storage/tag-without-target", Vec::new()),
        ("index/empty", vec![format!("{}/team1/app4:other", server.address)]),
    ];
    found.map(|(rule, tags)| (rule.to_owned(), tags)).into()
}

#[test]
fn each_blob_is_read_once_and_nothing_is_found_that_check_does_not_find() {
    let server = filled(30);
    let (code, report, said) = scrub(&server, &[]);
    assert_eq!((code, warnings(&report).len()), (Some(0), 0), "{report}{said}");
    let blobs = reads(&server, "/blobs/");
    let once: BTreeSet<&String> = blobs.iter().collect();
    // The shared layer, and of each image a layer and a config.
    assert_eq!((blobs.len(), once.len()), (61, 61), "{blobs:?}");
    assert_eq!(reads(&server, "/manifests/").len(), 60);
    assert!(said.contains("read 91 of 91 blobs"), "{said}");
    let (code, checked, _) = restow(&["check", "--json", &place(&server)]);
    assert_eq!((code, findings(&checked)), (Some(0), findings(&report)));
}

#[test]
fn damage_is_found_with_the_tags_that_it_breaks() {
    let server = filled(30);
    let expected = damage(&server);
    let (code, report, said) = scrub(&server, &[]);
    assert_eq!((code, warnings(&report)), (Some(1), expected), "{report}{said}");
    let other = report.find("team1/app4:1").or(report.find("team1/app4:latest"));
    assert!(other.is_some(), "{report}");
    assert_eq!(suggested(&report), 1, "what it lacks can be sent: {report}");
    // What `check` finds is found, word for word.
    let (_, checked, _) = restow(&["check", "--json", &place(&server)]);
    assert_eq!(findings(&report), findings(&checked));
}

#[test]
fn the_next_run_reads_what_is_new_or_was_wrong() {
    let server = filled(12);
    let dir = tempfile::tempdir().expect("temporary directory");
    let state = dir.path().join("state.db");
    let state = state.to_str().expect("UTF-8");
    assert_eq!(scrub(&server, &["--state", state]).0, Some(0));
    server.state().seen.clear();
    let (code, _, said) = scrub(&server, &["--state", state]);
    assert_eq!((code, reads(&server, "/blobs/").len(), reads(&server, "/manifests/").len()), (Some(0), 0, 0));
    assert!(said.contains("read 0 of 37 blobs") && said.contains("37 known from before"), "{said}");
    // A further image, whose one layer is shared.
    let more = Storage::new(&dir.path().join("more"));
    let own = tar("etc/own", b"further");
    let pushed = more.image("team0/app0", "further", &[tar("etc/shared", b"shared"), own]);
    more.tag("team0/app0", "2", &pushed.manifest);
    push(&more, &server);
    let (_, wrong) = image(&server, "team1/app1");
    spoil(&server, "team1/app1", &wrong[2], |bytes| bytes.truncate(7));
    server.state().seen.clear();
    let (code, report, said) = scrub(&server, &["--state", state]);
    assert_eq!(code, Some(1), "{report}{said}");
    assert_eq!(suggested(&report), 0, "nobody can send a registry what it has: {report}");
    // What is wrong might be a document, so its text is asked for as well.
    let mut expected = vec![pushed.config.to_string(), pushed.layers[1].to_string()];
    expected.extend([wrong[2].clone(), wrong[2].clone()]);
    expected.sort();
    assert_eq!(reads(&server, "/blobs/"), expected);
    assert_eq!(reads(&server, "/manifests/"), ["2"]);
    // What was wrong is read again until it is right, and with an age everything is.
    server.state().seen.clear();
    assert_eq!(scrub(&server, &["--state", state]).0, Some(1));
    assert_eq!(reads(&server, "/blobs/"), [wrong[2].clone(), wrong[2].clone()]);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    server.state().seen.clear();
    assert_eq!(scrub(&server, &["--state", state, "--max-age", "0s"]).0, Some(1));
    assert_eq!((reads(&server, "/blobs/").len(), reads(&server, "/manifests/").len() >= 13), (28, true));
    let (code, status, _) = restow(&["scrub", "status", "--json", state]);
    let status: Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(
        (code, &status["form"], &status["wrong"], &status["sound"]),
        (Some(0), &"docker".into(), &1.into(), &39.into())
    );
    assert_eq!(status["place"], place(&server));
}

#[test]
fn parts_of_a_registry_come_to_the_report_of_one_run() {
    let server = filled(20);
    damage(&server);
    let dir = tempfile::tempdir().expect("temporary directory");
    for count in [1, 4] {
        server.state().seen.clear();
        let states: Vec<PathBuf> = (0..count).map(|i| dir.path().join(format!("{count}-{i}.db"))).collect();
        for (i, state) in states.iter().enumerate() {
            let state = state.to_str().expect("UTF-8");
            let (code, _, said) =
                restow(&["scrub", "--shard", &format!("{i}/{count}"), "--state", state, &place(&server)]);
            assert_eq!(code, Some(0), "{said}");
        }
        let blobs = reads(&server, "/blobs/");
        let once: BTreeSet<&String> = blobs.iter().collect();
        // Two are wrong, and might be documents.
        assert_eq!(blobs.len(), once.len() + 2, "no blob is read by two parts");
        let states: Vec<&str> = states.iter().map(|path| path.to_str().expect("UTF-8")).collect();
        for format in ["json", "human", "sarif", "junit"] {
            let (code, merged, said) =
                restow(&[&["scrub", "merge", "--report", format][..], &states].concat());
            let (single_code, single, _) = restow(&["scrub", "--report", format, &place(&server)]);
            assert_eq!((code, &merged), (single_code, &single), "{format}: {said}");
        }
    }
}

#[test]
fn a_run_that_ended_too_early_goes_on() {
    let server = filled(20);
    let dir = tempfile::tempdir().expect("temporary directory");
    let state = dir.path().join("state.db");
    let state = state.to_str().expect("UTF-8");
    // From some request on nothing is answered any more.
    let (_, last) = image(&server, "team1/app19");
    server.plant("GET", &format!("/blobs/{}", last[2]), 100, Act::Hang);
    let (code, _, said) = scrub(&server, &["--state", state, "--retry-times", "0", "--jobs", "1"]);
    assert_eq!(code, Some(2), "{said}");
    let (_, status, _) = restow(&["scrub", "status", "--json", state]);
    let status: Value = serde_json::from_str(&status).expect("JSON");
    server.state().plants.clear();
    let before = reads(&server, "/blobs/").into_iter().filter(|digest| *digest != last[2]).count();
    server.state().seen.clear();
    let (code, report, said) = scrub(&server, &["--state", state]);
    assert_eq!((code, warnings(&report).len()), (Some(0), 0), "{said}");
    // Whatever was read stays read.
    assert_eq!(before + reads(&server, "/blobs/").len(), 41, "{status}");
    assert_eq!(reads(&server, "/manifests/").len(), 0, "documents are kept as well");
}

#[test]
fn tags_that_move_while_it_is_scrubbed_raise_no_alarm() {
    let server = filled(10);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (over, server) = (&over, &server);
        scope.spawn(move || {
            for n in 0.. {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                // As registries are written: blobs, the manifest, the tag; and what the tag was is collected.
                let repository = format!("team{}/app{}", n % 3, n % 10);
                let layer = server.blob(&repository, &tar("etc/moved", n.to_string().as_bytes()));
                let diff = &layer;
                let config = format!(
                    r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{diff}"]}},"config":{{}}}}"#
                );
                let size = tar("etc/moved", n.to_string().as_bytes()).len();
                let config_digest = server.blob(&repository, config.as_bytes());
                let text = format!(
                    r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config_digest}","size":{}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{layer}","size":{size}}}]}}"#,
                    config.len()
                );
                let before = server.state().tags.get(&(repository.clone(), "1".to_owned())).cloned();
                let own = server.manifest(&repository, Some("1"), "application/vnd.oci.image.manifest.v1+json", text.as_bytes());
                let mut state = server.state();
                state.tags.insert((repository.clone(), "latest".to_owned()), own.to_string());
                if let Some(before) = before.filter(|before| *before != own.to_string()) {
                    state.manifests.remove(&(repository, before));
                }
                drop(state);
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        });
        let dir = tempfile::tempdir().expect("temporary directory");
        let state = dir.path().join("state.db");
        for _ in 0..6 {
            let (code, report, said) = scrub(server, &["--state", state.to_str().expect("UTF-8")]);
            let told = warnings(&report);
            over.fetch_or(code != Some(0) || !told.is_empty(), Ordering::SeqCst);
            assert_eq!((code, told), (Some(0), BTreeSet::new()), "{report}{said}");
        }
        over.store(true, Ordering::SeqCst);
    });
}

#[test]
fn what_a_registry_refuses_is_said_and_the_rest_is_proved() {
    let server = filled(9);
    server.plant("GET", "/v2/team0/app0/tags/list", 999, Act::Status(403, Vec::new(), String::new()));
    let (manifest, _) = image(&server, "team1/app1");
    server.plant("GET", "/v2/team1/app1/manifests/", 999, Act::Status(500, Vec::new(), String::new()));
    let (code, report, said) = scrub(&server, &["--retry-times", "0"]);
    assert_eq!((code, warnings(&report).len()), (Some(2), 0), "{manifest}: {report}{said}");
    assert!(
        said.contains("not read: ") && said.contains("team0/app0") && said.contains("team1/app1"),
        "{said}"
    );
    // A registry that lists nothing is an error, and nothing is forgotten by it.
    server.plant("GET", "/v2/_catalog", 999, Act::Status(401, Vec::new(), String::new()));
    let (code, _, said) = scrub(&server, &["--retry-times", "0"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("the repositories of"), "{said}");
}

#[test]
fn a_repository_alone_below_a_prefix_and_what_is_none() {
    let server = filled(9);
    let alone = format!("docker://{}/team0/app0", server.address);
    let (code, report, said) = restow(&["scrub", "--json", &alone]);
    assert_eq!(code, Some(0), "{report}");
    assert!(said.contains("read 4 of 4 blobs"), "{said}");
    let below = format!("docker://{}/team0/", server.address);
    let (code, _, said) = restow(&["scrub", "--json", &below]);
    assert_eq!((code, said.contains("read 10 of 10 blobs")), (Some(0), true), "{said}");
    let refused = |arguments: &[&str], word: &str| {
        let (code, _, said) = restow(&[&["scrub"], arguments].concat());
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        assert!(said.contains(word), "{arguments:?}: {said}");
    };
    refused(&[&format!("{alone}:1")], "leave tag and digest out");
    refused(&["--gc-plan", &place(&server)], "registry-storage:DIR");
    refused(&["--all-tags", &place(&server)], "leave it out");
    refused(&["--sample", "x", &place(&server)], "a sample is");
    let dir = tempfile::tempdir().expect("temporary directory");
    let state = dir.path().join("state.db");
    let state = state.to_str().expect("UTF-8");
    assert_eq!(scrub(&server, &["--state", state]).0, Some(0));
    refused(&["--state", state, &alone], "--adopt");
    let gone = Server::start(manner());
    let address = gone.address.clone();
    drop(gone);
    std::thread::sleep(std::time::Duration::from_millis(50));
    refused(&["--retry-times", "0", &format!("docker://{address}/")], &address);
    let facts = dir.path().join("facts.jsonl");
    let (code, ..) = scrub(&server, &["--facts", facts.to_str().expect("UTF-8")]);
    assert_eq!(code, Some(0));
    told(&facts);
}

/// Facts of nine repositories.
fn told(facts: &Path) {
    let text = std::fs::read_to_string(facts).expect("facts");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).count();
    assert_eq!((of("repository"), of("tag"), of("blob")), (9, 18, 28));
    let one = lines.iter().find(|line| line["kind"] == "repository").expect("a repository");
    assert_eq!((&one["tags"], &one["revisions"]), (&2.into(), &1.into()));
    let digests = lines.iter().filter_map(|line| Digest::parse(line["digest"].as_str()?).ok());
    assert!(digests.count() > 40);
}
