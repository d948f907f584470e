//! Console sessions as a person sees them, output and exit codes: `tests/cli/*.trycmd`, and the blocks of README.md and
//! of the pages in docs/. What stands there in blocks of `sh` is run by site/commands.py.
//!
//! Each document runs in a folder of its own that holds the corpus. `TRYCMD=overwrite` writes new output into the files.

use std::path::{Path, PathBuf};

/// A folder in which trycmd finds documents by their links, and for each the folder it runs in, `NAME.in`: where the
/// tests themselves run changes nothing, and is not changed under those that run beside them.
struct Sessions {
    dir: tempfile::TempDir,
}

impl Sessions {
    fn new() -> Sessions {
        Sessions { dir: tempfile::tempdir().expect("temporary directory") }
    }

    /// Adds a document; the folder in which it will run.
    fn add(&self, document: &Path) -> PathBuf {
        let link = self.dir.path().join(document.file_name().expect("a file"));
        std::os::unix::fs::symlink(document, &link).expect("link");
        let folder = link.with_extension("in");
        std::fs::create_dir(&folder).expect("new");
        std::os::unix::fs::symlink(root().join("corpus"), folder.join("corpus")).expect("link");
        folder
    }

    /// Runs every document with this extension.
    fn run(&self, extension: &str) {
        let tmp = self.dir.path().join("tmp");
        std::fs::create_dir(&tmp).expect("new");
        trycmd::TestCases::new()
            .case(self.dir.path().join(format!("*.{extension}")))
            .env("COLUMNS", "88")
            .env("NO_COLOR", "1")
            .env("TMPDIR", tmp.to_string_lossy());
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn console() {
    let sessions = Sessions::new();
    let mut documents = 0;
    for entry in std::fs::read_dir(root().join("tests/cli")).expect("listed") {
        let path = entry.expect("listed").path();
        assert!(path.extension().is_some_and(|extension| extension == "trycmd"), "{}", path.display());
        sessions.add(&path);
        documents += 1;
    }
    assert!(documents > 0, "there are no sessions");
    sessions.run("trycmd");
}

/// A copy of an archive with one byte sequence in place of another of the same length.
fn edited(from: &Path, to: &Path, old: &[u8], new: &[u8]) {
    assert_eq!(old.len(), new.len());
    let mut bytes = std::fs::read(from).expect("the corpus is there");
    let mut at = 0;
    let mut changed = 0;
    while let Some(found) = bytes[at..].windows(old.len()).position(|window| window == old) {
        bytes[at + found..][..old.len()].copy_from_slice(new);
        at += found + old.len();
        changed += 1;
    }
    assert!(changed > 0, "{} does not hold what {} changes", from.display(), to.display());
    std::fs::write(to, bytes).expect("written");
}

/// With the damaged archives that README.md makes with shell commands, which trycmd does not run.
#[test]
fn readme() {
    let sessions = Sessions::new();
    let here = sessions.add(&root().join("README.md"));
    let old = here.join("corpus/good/docker-archive/docker-20.10/archive.tar");
    edited(&old, &here.join("config.tar"), b"ADD 1", b"ADD 9");
    let podman = here.join("corpus/good/oci/podman/archive.tar");
    edited(&podman, &here.join("manifest.tar"), b"\"size\":159", b"\"size\":158");
    let mut layer = std::fs::read(old).expect("the corpus is there");
    layer.truncate(40_000);
    std::fs::write(here.join("cut.tar"), layer).expect("written");
    sessions.run("md");
}

/// Every page of the site that shows a session.
#[test]
fn pages() {
    let sessions = Sessions::new();
    let mut shown = 0;
    for entry in std::fs::read_dir(root().join("docs")).expect("listed") {
        let path = entry.expect("listed").path();
        let is_page = path.extension().is_some_and(|extension| extension == "md");
        if is_page && std::fs::read_to_string(&path).expect("a page").contains("\n```console\n") {
            sessions.add(&path);
            shown += 1;
        }
    }
    assert!(shown >= 3, "only {shown} pages show sessions: is the scan right?");
    sessions.run("md");
}
