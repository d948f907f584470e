//! The console blocks of README.md: what they show is what the binary prints.
//!
//! They run in a directory of their own that holds the corpus, and the damaged archives that README.md makes with
//! shell commands, since those lie outside what the blocks can run. `TRYCMD=overwrite` writes new output into the file.

use std::path::Path;

/// A copy of an archive with one byte sequence in place of another of the same length.
fn edited(from: &str, to: &str, old: &[u8], new: &[u8]) {
    assert_eq!(old.len(), new.len());
    let mut bytes = std::fs::read(from).expect("the corpus is there");
    let mut at = 0;
    let mut changed = 0;
    while let Some(found) = bytes[at..].windows(old.len()).position(|window| window == old) {
        bytes[at + found..][..old.len()].copy_from_slice(new);
        at += found + old.len();
        changed += 1;
    }
    assert!(changed > 0, "{from} does not hold what {to} changes");
    std::fs::write(to, bytes).expect("written");
}

#[test]
fn readme() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = tempfile::tempdir().expect("temporary directory");
    std::os::unix::fs::symlink(root.join("corpus"), dir.path().join("corpus")).expect("link");
    std::env::set_current_dir(dir.path()).expect("just created");

    let old = "corpus/good/docker-archive/docker-20.10/archive.tar";
    edited(old, "config.tar", b"ADD 1", b"ADD 9");
    edited("corpus/good/oci/podman/archive.tar", "manifest.tar", b"\"size\":159", b"\"size\":158");
    let mut layer = std::fs::read(old).expect("the corpus is there");
    layer.truncate(40_000);
    std::fs::write("cut.tar", layer).expect("written");

    trycmd::TestCases::new()
        .case(root.join("README.md"))
        .env("COLUMNS", "88")
        .env("NO_COLOR", "1")
        .env("TMPDIR", dir.path().to_string_lossy());
}
