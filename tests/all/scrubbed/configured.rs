//! `restow.toml` in scrubs: found, named, and told as of a check; parts are judged by the file that is there when they are
//! joined.

use std::path::Path;

use serde_json::Value;

use super::damage::Damage;
use super::planted::fill;
use super::storage::command;

fn run(folder: &Path, code: i32, arguments: &[&str]) -> String {
    let output = command(arguments).current_dir(folder).env("HOME", folder).output().expect("runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn lowered(report: &str) -> Value {
    let report: Value = serde_json::from_str(report).expect("JSON");
    report["sources"][0]["lowered"].clone()
}

#[test]
fn what_a_file_lowers_is_named_and_told_with_its_tags() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (storage, planned) = fill(&dir.path().join("storage"), 5);
    for (kind, repository, image) in &planned {
        kind.plant(&storage, repository, "1", image);
    }
    let unlinked = planned.iter().find(|(kind, ..)| *kind == Damage::NoLayerLink).expect("planned");
    let place = storage.place();
    let plain = run(dir.path(), 1, &["scrub", "--json", &place]);
    assert_eq!(lowered(&plain), Value::Null);
    let file = format!(
        "[levels]\n\"storage/missing-revision\" = \"allow\"\n\n[[allow]]\ndigest = \"{}\"\nrule = \"storage\"\n\
         reason = \"is being pushed again\"\nexpires = 9999-12-31\n",
        unlinked.2.manifest
    );
    std::fs::write(dir.path().join("restow.toml"), file).expect("written");
    let report = run(dir.path(), 1, &["scrub", "--json", &place]);
    let told = lowered(&report);
    assert_eq!(told["config"], "restow.toml");
    let of = |rule: &str| {
        let all = told["findings"].as_array().expect("a list").iter();
        all.filter(|one| one["rule"] == rule).cloned().collect::<Vec<Value>>()
    };
    // Of each of two tags.
    let revisions = of("storage/missing-revision");
    assert_eq!(revisions.len(), 2, "{told}");
    assert!(
        revisions
            .iter()
            .all(|one| one["from"] == "error" && one["level"] == "allow" && one["by"] == "levels")
    );
    let excepted = of("storage/missing-layer-link");
    assert_eq!(excepted.len(), 1, "{told}");
    assert_eq!(
        (&excepted[0]["by"], &excepted[0]["reason"]),
        (&"allow".into(), &"is being pushed again".into())
    );
    let kept = super::planted::warnings(&report);
    assert!(kept.iter().all(|(rule, _)| {
        !["storage/missing-revision", "storage/missing-layer-link"].contains(&rule.as_str())
    }));
    assert_eq!(kept.len() + 3, super::planted::warnings(&plain).len());
    let words = run(dir.path(), 1, &["scrub", &place]);
    assert!(words.contains("restow.toml lowers "), "{words}");
    // Parts know no levels: who joins them judges.
    let states = [dir.path().join("0.db"), dir.path().join("1.db")];
    let states = states.each_ref().map(|path| path.to_str().expect("UTF-8"));
    for (i, state) in states.iter().enumerate() {
        run(dir.path(), 0, &["scrub", "--shard", &format!("{i}/2"), "--state", state, &place]);
    }
    assert_eq!(run(dir.path(), 1, &["scrub", "merge", "--json", states[0], states[1]]), report);
    assert_eq!(run(dir.path(), 1, &["scrub", "merge", "--no-config", "--json", states[0], states[1]]), plain);
    // What lies in the storage says nothing of it.
    std::fs::rename(dir.path().join("restow.toml"), dir.path().join("storage/restow.toml")).expect("moved");
    let inside = run(&dir.path().join("storage"), 1, &["scrub", "--json", &place]);
    assert_eq!(lowered(&inside), Value::Null);
}

#[test]
fn what_a_baseline_has_is_not_told_again() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (storage, planned) = fill(&dir.path().join("storage"), 5);
    let (late, early) = planned.split_last().expect("twelve kinds");
    storage.blob(b"nothing points at it");
    for (kind, repository, image) in early {
        kind.plant(&storage, repository, "1", image);
    }
    let place = storage.place();
    run(dir.path(), 1, &["scrub", "--report", "json=before.json", &place]);
    let kept = run(dir.path(), 1, &["scrub", "--baseline", "before.json", "--json", &place]);
    let told = lowered(&kept);
    assert_eq!(told["baseline"], "before.json");
    let all = std::fs::read_to_string(dir.path().join("before.json")).expect("written");
    let (before, now) = (super::storage::findings(&all), super::storage::findings(&kept));
    // What always blocks is told again, and nothing else.
    let known = told["findings"].as_array().expect("a list");
    assert!(known.iter().all(|one| one["by"] == "baseline" && one["level"] == "allow"), "{told}");
    assert_eq!(known.len() + now.len(), before.len());
    assert!(known.len() > 5 && now.is_subset(&before), "{told}");
    // What is new is told: one more kind, and one more blob that nothing points at.
    late.0.plant(&storage, &late.1, "1", &late.2);
    storage.blob(b"nothing points at this one either");
    let more = run(dir.path(), 1, &["scrub", "--baseline", "before.json", "--json", &place]);
    let new: Vec<_> = super::storage::findings(&more).difference(&now).cloned().collect();
    let rules: std::collections::BTreeSet<&str> = new.iter().map(|(_, rule, ..)| rule.as_str()).collect();
    for rule in late.0.rules() {
        assert!(rules.contains(rule), "{rule}: {new:?}");
    }
    assert_eq!(new.iter().filter(|(_, rule, ..)| rule == "storage/unlinked-blob").count(), 1, "{new:?}");
    // Parts, too.
    let states = [dir.path().join("0.db"), dir.path().join("1.db")];
    let states = states.each_ref().map(|path| path.to_str().expect("UTF-8"));
    for (i, state) in states.iter().enumerate() {
        run(dir.path(), 0, &["scrub", "--shard", &format!("{i}/2"), "--state", state, &place]);
    }
    let joined = ["scrub", "merge", "--baseline", "before.json", "--json", states[0], states[1]];
    assert_eq!(run(dir.path(), 1, &joined), more);
}
