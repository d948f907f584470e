//! Every test that SECURITY.md names is there, and every test about attacks and faults is named.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Files whose tests all belong in the table.
const WHOLE: &[&str] = &[
    "tests/all/faults.rs",
    "tests/all/limits.rs",
    "tests/all/names.rs",
    "tests/all/properties.rs",
    "src/faulty.rs",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The tests of a file and of the folder of the same name.
fn tests_of(file: &str) -> BTreeSet<String> {
    let mut paths = vec![root().join(file)];
    let folder: PathBuf = root().join(file.trim_end_matches(".rs"));
    paths.extend(std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("listed").path()));
    let mut found = BTreeSet::new();
    for path in paths {
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for part in text.split("#[test]").skip(1) {
            let name = part.split("fn ").nth(1).and_then(|rest| rest.split('(').next());
            found.extend(name.map(str::to_owned));
        }
    }
    found
}

#[test]
fn the_table_names_tests_that_are_there() {
    let text = std::fs::read_to_string(root().join("SECURITY.md")).expect("SECURITY.md");
    let table = text.split("## Attack or fault").nth(1).and_then(|rest| rest.split("\n## ").next());
    let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in table.expect("the table").lines().filter(|line| line.starts_with("| ")) {
        let proof = row.trim_end_matches([' ', '|']).rsplit('|').next().expect("a cell");
        let mut file = None;
        for quoted in proof.split('`').skip(1).step_by(2) {
            if quoted.contains('/') {
                let (path, name) = quoted.split_once(": ").unwrap_or((quoted, ""));
                assert!(root().join(path).exists(), "{path} is not there: {row}");
                file = Some(path.to_owned());
                if !name.is_empty() {
                    named.entry(path.to_owned()).or_default().insert(name.to_owned());
                }
            } else {
                let file = file.clone().unwrap_or_else(|| panic!("no file before {quoted}: {row}"));
                named.entry(file).or_default().insert(quoted.to_owned());
            }
        }
    }
    assert!(named.values().map(BTreeSet::len).sum::<usize>() > 40, "is the table read rightly? {named:?}");
    for (file, names) in &named {
        let there = tests_of(file);
        let missing: Vec<_> = names.difference(&there).collect();
        assert!(missing.is_empty(), "SECURITY.md names {missing:?}, which {file} does not have");
    }
    for file in WHOLE {
        let missing: Vec<_> =
            tests_of(file).into_iter().filter(|test| !named[*file].contains(test)).collect();
        assert!(missing.is_empty(), "{file} has {missing:?}, which SECURITY.md does not name");
    }
}

#[test]
fn the_floors_of_dependencies_hold() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock");
    let mut lines = lock.lines();
    let mut found = BTreeMap::new();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("name = ") {
            let version = lines.next().and_then(|line| line.strip_prefix("version = ")).unwrap_or_default();
            found.insert(name.trim_matches('"').to_owned(), version.trim_matches('"').to_owned());
        }
    }
    let version = |text: &str| text.split('.').filter_map(|part| part.parse().ok()).collect::<Vec<u64>>();
    assert!(version(&found["tar"]) >= vec![0, 4, 46], "tar {}", found["tar"]);
    let unwanted = [
        "async-tar",
        "tokio-tar",
        "astral-tokio-tar",
        "reqwest",
        "hyper-util",
        "h2",
        "mio",
        "aws-lc-rs",
        "openssl-sys",
    ];
    for unwanted in unwanted {
        assert!(!found.contains_key(unwanted), "{unwanted} is a dependency");
    }
    // The types alone of hyper, and the clock alone of tokio, come with the feature `cloud`, which is off by default.
    let of_cloud = |name: &str| {
        let needs = format!("\n \"{name}\",");
        let users = lock.split("[[package]]").filter(|package| package.contains(&needs));
        users.filter_map(|package| package.split('"').nth(1)).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(of_cloud("hyper"), ["object_store"]);
    assert_eq!(of_cloud("tokio"), ["hyper", "object_store", "restow", "wasm-bindgen-futures"]);
    assert_eq!(of_cloud("object_store"), ["restow"]);
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let default = manifest.lines().find(|line| line.starts_with("default = ")).expect("default features");
    assert!(!default.contains("cloud"), "{default}");
}
