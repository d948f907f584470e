//! Every storage of the corpus: a scrub finds what a check finds.

use std::path::{Path, PathBuf};

use super::storage::{findings, json};

fn archives(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("listed").flatten() {
        let path = entry.path();
        if path.join("docker/registry/v2").is_dir() {
            found.push(path);
        } else if path.is_dir() {
            archives(&path, found);
        }
    }
}

#[test]
fn a_scrub_finds_what_a_check_finds() {
    let mut found = Vec::new();
    archives(&Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus"), &mut found);
    assert!(found.len() >= 15, "{found:?}");
    for archive in found {
        let place = format!("registry-storage:{}", archive.display());
        let (code, checked) = json(&["check", "--no-config", &place]);
        let (same, scrubbed) = json(&["scrub", &place]);
        assert_eq!((same, findings(&scrubbed)), (code, findings(&checked)), "{place}");
    }
}
