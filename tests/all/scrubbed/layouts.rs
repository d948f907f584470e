//! OCI layouts of many images, and folders of many layouts.

use std::path::{Path, PathBuf};

use super::planted::warnings;
use super::storage::{findings, json, restow, tar};
use crate::layout::Layout;

fn archives(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("listed").flatten() {
        let path = entry.path();
        if path.join("index.json").is_file() || path.ends_with("archive.tar") {
            found.push(path);
        } else if path.is_dir() {
            archives(&path, found);
        }
    }
}

/// The layout that an archive of the corpus is, unpacked if it is a tar; `None` if it is none.
fn unpacked(archive: &Path, to: &Path) -> Option<PathBuf> {
    if archive.is_dir() {
        return Some(archive.to_owned());
    }
    std::fs::create_dir_all(to).expect("a folder");
    let mut tar = std::process::Command::new("tar");
    tar.arg("-xf").arg(archive).arg("-C").arg(to).stderr(std::process::Stdio::null());
    let done = tar.status().expect("tar runs").success();
    (done && to.join("index.json").is_file() && !to.join("manifest.json").exists()).then(|| to.to_owned())
}

/// What only a diff ID under another algorithm than SHA-256 tells: no reading of a blob knows which configs name it
/// (docs/scrub.md#not).
const OTHER_DIFF_IDS: &[&str] = &["config/diff-id-mismatch-sha512", "config/other-algorithm"];

#[test]
fn a_scrub_of_a_layout_finds_what_a_check_finds() {
    let mut found = Vec::new();
    archives(&Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus"), &mut found);
    found.sort();
    let dir = tempfile::tempdir().expect("temporary directory");
    let mut tried = 0;
    for (i, archive) in found.iter().enumerate() {
        let Some(layout) = unpacked(archive, &dir.path().join(i.to_string())) else { continue };
        let case = archive.parent().expect("a case");
        tried += 1;
        let place = format!("oci:{}", layout.display());
        let (code, checked) = json(&["check", "--no-config", &place]);
        let (same, scrubbed) = json(&["scrub", &place]);
        let (checked, scrubbed) = (findings(&checked), findings(&scrubbed));
        if OTHER_DIFF_IDS.iter().any(|name| case.ends_with(name)) {
            let mut only = scrubbed.difference(&checked);
            assert!(only.all(|(_, rule, ..)| rule == "config/unverified-diff-id"), "{}", case.display());
            continue;
        }
        let only: Vec<_> = scrubbed.symmetric_difference(&checked).collect();
        assert!(same == code && only.is_empty(), "{}: {same:?}, not {code:?}: {only:#?}", case.display());
    }
    assert!(tried > 300, "{tried}");
}

/// A layout of an image under a name.
fn layout(dir: &Path, tag: &str, what: &str) {
    let mut layout = Layout::new(dir);
    let image = layout.image("amd64", crate::layout::sha256(), &tar("etc/what", what.as_bytes()));
    layout.root(&image, tag);
    layout.finish();
}

#[test]
fn a_folder_of_layouts_is_known_to_the_next_run() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let root = dir.path().join("zot");
    layout(&root.join("team/app"), "v1", "app");
    layout(&root.join("other"), "v2", "other");
    let state = dir.path().join("state.db");
    let place = format!("oci:{}", root.display());
    let arguments = ["scrub", "--state", state.to_str().expect("UTF-8"), &place];
    let told = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let first = restow(&arguments);
    assert_eq!(first.status.code(), Some(0), "{}", told(&first));
    assert!(String::from_utf8_lossy(&first.stdout).contains("2 layouts, 6 blobs"), "{first:?}");
    let second = restow(&arguments);
    assert!(told(&second).contains("6 known from before"), "{}", told(&second));
    // One layer of one layout.
    let mut pending = vec![root.join("team/app/blobs/sha256")];
    let mut layer = None;
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(folder).expect("listed").flatten() {
            let size = entry.metadata().expect("there").len();
            layer = if size >= 2048 { Some(entry.path()) } else { layer };
        }
    }
    let layer = layer.expect("a layer");
    let mut bytes = std::fs::read(&layer).expect("read");
    bytes[700] ^= 1;
    std::fs::write(&layer, bytes).expect("written");
    let (code, report) = json(&arguments);
    let expected = [("blob/digest-mismatch".to_owned(), vec!["team/app:v1".to_owned()])];
    assert_eq!((code, warnings(&report)), (Some(1), expected.into()));
    let output = restow(&["scrub", &format!("oci:{}", dir.path().join("nothing").display())]);
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
}
