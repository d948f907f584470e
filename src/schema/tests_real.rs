//! Documents that real tools wrote have no faults.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::DocumentKind::{self, *};
use super::validate;
use crate::json::{self, Json};
use crate::media::{DocumentType, Family};

/// Where the real archives are: `RESTOW_SHARED`, or `shared` beside the project.
fn shared() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let folder = std::env::var_os("RESTOW_SHARED").map_or_else(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}

/// The JSON documents of an archive, a folder or a lone file, by name.
fn documents(path: &Path) -> Vec<(String, Vec<u8>)> {
    if path.is_dir() {
        let mut entries: Vec<_> =
            fs::read_dir(path).expect("folder").map(|e| e.expect("entry").path()).collect();
        entries.sort();
        return entries.iter().flat_map(|entry| documents(entry)).collect();
    }
    let name = path.to_string_lossy().into_owned();
    let Ok(mut file) = File::open(path) else { return Vec::new() };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).expect("read");
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        if flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut plain).is_ok() {
            bytes = plain;
        }
    }
    if bytes.starts_with(b"\xfd7zXZ") {
        let mut plain = Vec::new();
        liblzma::read::XzDecoder::new(&bytes[..]).read_to_end(&mut plain).expect("xz");
        bytes = plain;
    }
    if bytes.get(257..262) != Some(b"ustar") {
        return vec![(name, bytes)];
    }
    let mut members = Vec::new();
    let mut archive = tar::Archive::new(&bytes[..]);
    for entry in archive.entries().expect("tar") {
        let Ok(mut entry) = entry else { break };
        let mut text = Vec::new();
        let member = format!("{name}!{}", String::from_utf8_lossy(&entry.path_bytes()));
        if entry.header().entry_type().is_file() && entry.read_to_end(&mut text).is_ok() {
            members.push((member, text));
        }
    }
    members
}

/// What a document is, by its name and what it holds (formats.md D.9); none if it is not one of ours.
fn kinds(name: &str, json: &Json) -> Vec<DocumentKind> {
    let root = &json.root;
    let text = |key: &str| root.get(key).and_then(|value| value.as_str());
    let last = name.rsplit(['/', '!']).next().unwrap_or(name);
    match last {
        "oci-layout" => return vec![OciLayout],
        "repositories" => return vec![Repositories],
        "json" => return vec![V1Json],
        "manifest.json" if root.is_array() => return vec![DockerArchiveManifest],
        _ => {}
    }
    match text("mediaType").map(DocumentType::of) {
        Some(Some(DocumentType::Index(family))) => {
            return vec![if family == Family::Oci { OciIndex } else { DockerManifestList }];
        }
        Some(Some(DocumentType::Manifest(family))) => {
            return vec![if family == Family::Oci { OciManifest } else { DockerManifest }];
        }
        _ => {}
    }
    if root.get("imageLayoutVersion").is_some() {
        vec![OciLayout]
    } else if root.get("fsLayers").is_some() {
        vec![DockerSchema1]
    } else if root.get("schemaVersion").is_some() && root.get("manifests").is_some() {
        vec![OciIndex]
    } else if root.get("schemaVersion").is_some() && root.get("config").is_some() {
        vec![OciManifest]
    } else if root.get("rootfs").is_some() {
        vec![OciConfig, DockerConfig]
    } else {
        Vec::new()
    }
}

/// Validates all documents under a path; how many were of a known kind.
fn validate_all(path: &Path, failures: &mut Vec<String>) -> usize {
    let mut known = 0;
    for (name, text) in documents(path) {
        let starts = text.iter().find(|byte| !byte.is_ascii_whitespace());
        if !matches!(starts, Some(b'{' | b'[')) {
            continue;
        }
        let Ok(json) = json::parse(&text, 64) else { continue };
        for kind in kinds(&name, &json) {
            known += 1;
            let faults = validate(kind, &json);
            failures.extend(faults.iter().map(|f| format!("{name}: {kind:?} {}: {}", f.pointer, f.message)));
        }
    }
    known
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn samples_have_no_faults() {
    let Some(shared) = shared() else {
        eprintln!("skipped: set RESTOW_SHARED to the folder that holds samples/");
        return;
    };
    let mut failures = Vec::new();
    let known = validate_all(&shared.join("samples"), &mut failures);
    assert!(known > 100, "only {known} documents");
    assert_eq!(failures, [""; 0]);
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn valid_real_documents_have_no_faults() {
    let Some(shared) = shared() else {
        eprintln!("skipped: set RESTOW_SHARED to the folder that holds real/");
        return;
    };
    let index = fs::read_to_string(shared.join("real/INDEX.tsv")).expect("index");
    let (mut failures, mut known) = (Vec::new(), 0);
    for line in index.lines() {
        let fields: Vec<_> = line.split('\t').collect();
        if fields[2] != "VALID" || fields[1].starts_with("layer/") {
            continue;
        }
        let found = validate_all(&shared.join("real").join(fields[0]), &mut failures);
        if found == 0 {
            failures.push(format!("{line}: no document recognised"));
        }
        known += found;
    }
    assert!(known > 100, "only {known} documents");
    assert_eq!(failures, [""; 0]);
}
