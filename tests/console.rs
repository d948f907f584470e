//! Console sessions: help, messages and exit codes as a person sees them, in `tests/cli/*.trycmd`.
//!
//! They run in a directory of their own with the corpus in it. `TRYCMD=overwrite` writes new output into the files.

use std::path::Path;

#[test]
fn sessions() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = tempfile::tempdir().expect("temporary directory");
    std::os::unix::fs::symlink(root.join("corpus"), dir.path().join("corpus")).expect("link");
    std::env::set_current_dir(dir.path()).expect("just created");
    trycmd::TestCases::new()
        .case(root.join("tests/cli/*.trycmd"))
        .env("COLUMNS", "88")
        .env("NO_COLOR", "1")
        .env("TMPDIR", dir.path().to_string_lossy());
}
