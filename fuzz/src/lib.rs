//! What the fuzz targets do, as ordinary functions over bytes: each has unit tests that run without a fuzzer, and the
//! files in `fuzz_targets/` only call them. README.md says how to run them and what they found.

pub mod answers;
pub mod blob;
pub mod check;
pub mod convert;
pub mod json;
pub mod names;
pub mod open;
pub mod sound;
pub mod tar;

use std::io::Write;
use std::path::PathBuf;

/// A directory of its own, in memory where the machine has such a place.
pub(crate) fn scratch() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a directory for temporary files")
}

/// Some bytes as a file.
pub(crate) fn file(dir: &tempfile::TempDir, bytes: &[u8]) -> PathBuf {
    let path = dir.path().join("archive");
    let mut file = std::fs::File::create(&path).expect("a file in a fresh directory");
    file.write_all(bytes).expect("room in the directory");
    path
}

/// Every file of the corpus, as inputs for the unit tests.
#[cfg(test)]
pub(crate) fn corpus() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut pending = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus")];
    while let Some(next) = pending.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                pending.push(entry.path());
            } else if entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "tar" || extension == "json")
            {
                found.extend(std::fs::read(entry.path()));
            }
        }
    }
    assert!(found.len() > 100, "the corpus has {} files", found.len());
    found
}
