//! What is told beside findings: garbage, facts, counts, samples and status.

use serde_json::Value;

use super::planted::damaged;
use super::storage::{Storage, restow, tar};

fn said(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = restow(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn what_a_collection_of_garbage_would_do() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (storage, images) = Storage::filled(&dir.path().join("storage"), 5);
    // Nothing points at it; and an index whose images have no revisions of their own.
    let orphan = storage.blob(b"an orphan of 21 bytes");
    let layers = [tar("etc/multi", b"multi")];
    let children = [storage.image("multi", "a", &layers), storage.image("multi", "b", &layers)];
    storage.index("multi", "1", &[&children[0], &children[1]]);
    for child in &children {
        std::fs::remove_file(storage.link_of("multi", "_manifests/revisions", &child.manifest))
            .expect("removed");
    }
    let file = dir.path().join("plan.json");
    let option = format!("--gc-plan={}", file.display());
    let (_, _, told) = said(&["scrub", &option, "--grace", "0s", &storage.place()]);
    let plan: Value = serde_json::from_slice(&std::fs::read(&file).expect(&told)).expect("JSON");
    // The orphan, the layer that both share and their configs.
    assert_eq!(plan["blobs"], 4, "{plan}");
    assert_eq!(plan["breaks"].as_array().expect("a list").len(), 1, "{plan}");
    assert_eq!(plan["breaks"][0]["tag"], "multi:1", "{plan}");
    let of = |digest| std::fs::metadata(storage.data(digest)).expect("there").len();
    let bytes = of(&orphan) + of(&children[0].layers[0]) + of(&children[0].config) + of(&children[1].config);
    assert_eq!(plan["bytes"], bytes, "{plan}");
    let (_, _, told) = said(&["scrub", "--gc-plan", &storage.place()]);
    assert!(told.contains("would take 0 blobs, 0 B; 4 are too young"), "{told}");
    let (_, _, told) = said(&["scrub", "--gc-plan", "--grace", "0s", &storage.place()]);
    assert!(told.contains("it would break multi:1, which needs sha256:"), "{told}");
    assert_eq!(images.len(), 5);
}

/// What a scrub finds, a repair from a sound copy puts right; and the report says how.
#[test]
fn what_is_found_is_put_right() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let broken = damaged(&dir.path().join("broken"), 4);
    let (sound, _) = super::planted::fill(&dir.path().join("sound"), 4);
    let (code, report, _) = said(&["scrub", "--json", &broken.place()]);
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let wanted = serde_json::json!(["restow", "repair", "SOURCE", "--from", "PLACE"]);
    assert_eq!((code, &report["sources"][0]["suggest"][0]), (Some(1), &wanted));
    let (_, text, _) = said(&["scrub", &broken.place()]);
    assert!(text.contains("`restow repair SOURCE --from PLACE` puts right"), "{text}");
    let (code, told, more) = said(&["repair", "--write", &broken.place(), "--from", &sound.place()]);
    assert_eq!(code, Some(0), "{told}{more}");
    // Nothing is deleted: the copy that stands where no registry looks is there still.
    let (code, report, _) = said(&["scrub", "--json", &broken.place()]);
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let findings = report["sources"][0]["findings"].as_array().expect("a list");
    assert_eq!(code, Some(0), "{findings:?}");
    let copies = findings.iter().filter(|finding| {
        finding["message"]
            .as_str()
            .is_some_and(|message| message.contains("stands in a folder where no registry looks"))
    });
    assert_eq!(copies.count(), 1, "{findings:?}");
    assert_eq!(said(&["check", &broken.place()]).0, Some(0));
    let (_, text, _) = said(&["scrub", &sound.place()]);
    assert!(!text.contains("restow repair"), "{text}");
}

#[test]
fn facts_and_counts() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let storage = damaged(&dir.path().join("storage"), 4);
    let (facts, counts) = (dir.path().join("facts.jsonl"), dir.path().join("counts.prom"));
    let (facts_text, counts_text) = (facts.to_str().expect("UTF-8"), counts.to_str().expect("UTF-8"));
    let (code, ..) = said(&["scrub", "--facts", facts_text, "--metrics", counts_text, &storage.place()]);
    assert_eq!(code, Some(1));
    let lines = std::fs::read_to_string(&facts).expect("there");
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).collect::<Vec<_>>();
    assert_eq!(of("repository").len(), 16);
    let wrong = of("blob").into_iter().filter(|line| line["sound"] == false).count();
    assert_eq!(wrong, 4, "a layer flipped, cut and empty, and a manifest");
    assert!(of("tag").iter().any(|line| line["repository"] == "team0/app0" && line["tag"] == "latest"));
    assert!(of("use").iter().any(|line| line["role"] == "layer"));
    let text = std::fs::read_to_string(&counts).expect("there");
    assert!(text.contains("restow_scrub_repositories 16\n"), "{text}");
    assert!(text.contains("restow_scrub_faulty_blobs 4\n"), "{text}");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').expect("a value");
        assert!(name.starts_with("restow_scrub_") && value.parse::<f64>().is_ok(), "{line}");
    }
}

#[test]
fn samples_go_round_and_status_says_what_was_proved() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (storage, _) = Storage::filled(&dir.path().join("storage"), 100);
    let state = dir.path().join("state.db");
    let state = state.to_str().expect("UTF-8");
    let run = |more: &[&str]| said(&[&["scrub", "--state", state], more, &[&storage.place()]].concat());
    let status = || -> Value {
        let (code, out, told) = said(&["scrub", "status", "--json", state]);
        assert_eq!(code, Some(0), "{told}");
        serde_json::from_str(&out).expect("JSON")
    };
    // A third of all, three times.
    for part in 1..=3 {
        let (code, _, told) = run(&["--sample", &format!("{part}/3")]);
        assert_eq!(code, Some(0), "{told}");
    }
    assert_eq!((status()["unread"].as_u64(), status()["sound"].as_u64()), (Some(0), Some(301)));
    // A tenth, twice, is read again.
    for _ in 0..2 {
        let (code, _, told) = run(&["--sample", "10%"]);
        assert!(code == Some(0) && told.contains("read 31 of 301 blobs"), "{told}");
    }
    // Nothing is old, then all is.
    let (_, _, told) = run(&["--max-age", "1h"]);
    assert!(told.contains("read 0 of 301 blobs"), "{told}");
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let (_, _, told) = run(&["--max-age", "1s"]);
    assert!(told.contains("read 301 of 301 blobs"), "{told}");
    // Without time nothing is begun.
    let fresh = dir.path().join("fresh.db");
    let fresh = fresh.to_str().expect("UTF-8");
    let (code, _, told) =
        said(&["scrub", "--state", fresh, "--max-duration", "0s", "--require-complete", &storage.place()]);
    assert!(code == Some(2) && told.contains("301 left unread"), "{told}");
    let (code, _, told) = said(&["scrub", "--state", fresh, "--require-complete", &storage.place()]);
    assert!(code == Some(0) && told.contains("read 301 of 301"), "{told}");
    let (code, out, _) = said(&["scrub", "status", fresh]);
    assert!(code == Some(0) && out.contains("proved: 301 blobs"), "{out}");
}
