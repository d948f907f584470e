//! Layers on each other: what only lower layers tell is found as `check` finds it, from what the state keeps, parts and
//! further runs too.

use super::storage::{Storage, findings, json, tar};

/// A tar of empty files and directories by their names, and links (`name -> target`).
fn entries(names: &[&str]) -> Vec<u8> {
    let mut out = ::tar::Builder::new(Vec::new());
    for name in names {
        let (name, link) = name.split_once(" -> ").map_or((*name, None), |(name, link)| (name, Some(link)));
        let mut header = ::tar::Header::new_ustar();
        header.set_size(0);
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_entry_type(match (name.ends_with('/'), link) {
            (true, _) => ::tar::EntryType::Directory,
            (_, Some(_)) => ::tar::EntryType::Symlink,
            _ => ::tar::EntryType::Regular,
        });
        if let Some(link) = link {
            header.set_link_name(link).expect("short");
        }
        out.append_data(&mut header, name, &b""[..]).expect("written");
    }
    out.into_inner().expect("written")
}

/// Images of layers that are right on one base and wrong on another.
fn stacked(dir: &std::path::Path) -> Storage {
    let storage = Storage::new(dir);
    let base = entries(&["etc/", "etc/gone", "lib -> usr/lib", "usr/", "usr/lib/"]);
    let other = entries(&["etc/", "srv/"]);
    let top = entries(&["etc/.wh.gone", "lib/x", "usr/lib/y"]);
    for (repository, layers) in [
        ("right", vec![base.clone(), top.clone()]),
        ("wrong", vec![other.clone(), top.clone()]),
        ("three", vec![base, entries(&["etc/.wh..wh..opq"]), top]),
        ("alone", vec![entries(&["etc/.wh.nothing", "loose/x"])]),
        ("other", vec![other, tar("etc/shared", b"shared")]),
    ] {
        let image = storage.image(repository, repository, &layers);
        storage.tag(repository, "1", &image.manifest);
    }
    storage
}

#[test]
fn layers_are_judged_by_those_below_them() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let storage = stacked(&dir.path().join("storage"));
    let (code, checked) = json(&["check", "--no-config", &storage.place()]);
    let state = dir.path().join("state.db");
    let arguments = ["scrub", "--state", state.to_str().expect("UTF-8"), &storage.place()];
    let (same, first) = json(&arguments);
    // A check names every tag that has the layer, a scrub those whose images show it: all else is the same.
    let untagged = |report: &str| -> Vec<_> {
        findings(report)
            .into_iter()
            .map(|(level, rule, file, message, _)| (level, rule, file, message))
            .collect()
    };
    assert_eq!((same, untagged(&first)), (code, untagged(&checked)));
    let tags = |rule: &str| -> Vec<Vec<String>> {
        findings(&first)
            .into_iter()
            .filter(|(_, name, ..)| name == rule)
            .map(|(.., tags)| tags.into_iter().collect())
            .collect()
    };
    assert_eq!(tags("whiteout/hides-nothing"), [["three:1", "wrong:1"]]);
    assert_eq!(tags("entry/below-lower-link"), [["right:1", "three:1"]]);
    assert_eq!(tags("entry/parent-missing"), [["alone:1"], ["wrong:1"]]);
    let rules: std::collections::BTreeSet<String> =
        findings(&first).into_iter().map(|(_, rule, ..)| rule).collect();
    for rule in
        ["whiteout/hides-nothing", "entry/parent-missing", "entry/below-lower-link", "whiteout/in-base-layer"]
    {
        assert!(rules.contains(rule), "{rule}: {rules:?}");
    }
    // No layer is read by the next run, and what its paths tell is told again.
    assert_eq!(json(&arguments), (code, first.clone()));
    let states: Vec<String> =
        (0..3).map(|i| dir.path().join(format!("{i}.db")).display().to_string()).collect();
    for (i, state) in states.iter().enumerate() {
        let output = super::storage::restow(&[
            "scrub",
            "--shard",
            &format!("{i}/3"),
            "--state",
            state,
            &storage.place(),
        ]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    std::fs::rename(storage.root(), dir.path().join("away")).expect("moved");
    let states: Vec<&str> = states.iter().map(String::as_str).collect();
    assert_eq!(json(&[&["scrub", "merge"][..], &states].concat()), (code, first));
}
