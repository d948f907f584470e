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
