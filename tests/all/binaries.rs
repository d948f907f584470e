//! The test binaries, and that no file is forgotten: Cargo finds no tests by itself (`autotests = false`), so a file
//! that no `mod` names would never run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The files that a file brings in by `mod name;`, the others that they bring in, and so on.
fn reached(file: &Path, found: &mut BTreeSet<PathBuf>) {
    found.insert(file.to_owned());
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let folder = file.parent().expect("a file is in a folder");
    // `main.rs` and `mod.rs` have their modules beside them, `name.rs` has them in `name/`.
    let owner = file.file_stem().is_some_and(|stem| stem == "main" || stem == "mod");
    let modules = if owner { folder.to_owned() } else { file.with_extension("") };
    let mut path = None;
    for line in text.lines() {
        let line = line.strip_prefix("pub ").unwrap_or(line);
        if let Some(quoted) = line.strip_prefix("#[path = \"") {
            path = quoted.strip_suffix("\"]").map(|path| folder.join(path));
        } else if let Some(name) = line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
            let beside = modules.join(format!("{name}.rs"));
            let inside = modules.join(name).join("mod.rs");
            let file = path.take().unwrap_or(if beside.exists() { beside } else { inside });
            reached(&file.canonicalize().unwrap_or(file), found);
        }
    }
}

/// Every source below a folder.
fn sources(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).expect("listed") {
        let path = entry.expect("listed").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.insert(path);
        }
    }
    found
}

#[test]
fn no_file_is_forgotten() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().expect("the crate is here");
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).expect("Cargo.toml");
    let manifest: toml::Table = toml::from_str(&manifest).expect("TOML");
    let mut found = BTreeSet::new();
    for binary in manifest["test"].as_array().expect("[[test]]") {
        let name = binary["name"].as_str().expect("a name");
        reached(&root.join("tests").join(name).join("main.rs"), &mut found);
    }
    let there = sources(&root.join("tests"));
    let forgotten: Vec<_> = there.difference(&found).collect();
    assert!(forgotten.is_empty(), "no test binary of Cargo.toml has a `mod` for {forgotten:?}");
    let one = Path::new("tests/all/limits/bombs.rs");
    assert!(there.contains(&root.join(one)), "the sources were not listed: {there:?}");
}
