//! An independent reader of OCI layouts and `dir:` directories.
//!
//! It uses nothing of restow, reads everything into memory, and panics at the first thing that is
//! not right: what it returns is verified down to the diff IDs.

use super::source::{Image, hex, sha256};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

/// What a directory holds.
#[derive(Default)]
pub struct Graph {
    /// Image ID → diff IDs, base first.
    pub images: BTreeMap<String, Vec<String>>,
    /// Digests of the named entry points, in the order of `index.json`.
    pub roots: Vec<String>,
    /// `ref.name` → digest of the entry.
    pub names: BTreeMap<String, String>,
}

type Fetch<'a> = &'a dyn Fn(&str) -> Option<Vec<u8>>;

/// Reads and verifies an OCI layout.
pub fn layout(dir: &Path) -> Graph {
    let mut graph = Graph::default();
    let text = fs::read(dir.join("index.json")).expect("index.json");
    let index: Value = serde_json::from_slice(&text).expect("index.json is JSON");
    let fetch = |digest: &str| fs::read(dir.join("blobs/sha256").join(hex(digest))).ok();
    for entry in list(&index, "manifests") {
        let digest = text_of(&entry, "digest");
        if let Some(name) = entry["annotations"]["org.opencontainers.image.ref.name"].as_str() {
            graph.names.insert(name.to_owned(), digest.clone());
        }
        graph.walk(&blob(&entry, &fetch).expect("the blob of an entry"), &fetch);
        graph.roots.push(digest);
    }
    graph
}

/// Reads and verifies a `dir:` directory.
pub fn directory(dir: &Path) -> Graph {
    let mut graph = Graph::default();
    let root = fs::read(dir.join("manifest.json")).expect("manifest.json");
    let fetch = |digest: &str| {
        let child = dir.join(format!("{}.manifest.json", hex(digest)));
        fs::read(dir.join(hex(digest))).or_else(|_| fs::read(child)).ok()
    };
    graph.walk(&root, &fetch);
    graph.roots.push(sha256(&root));
    graph
}

impl Graph {
    /// Fails unless the image is here, layer by layer.
    pub fn assert_holds(&self, image: &Image) {
        let found = self.images.get(&image.id());
        assert_eq!(found, Some(&image.diff_ids()), "image {} among {:?}", image.id(), self.images.keys());
    }

    fn walk(&mut self, document: &[u8], fetch: Fetch<'_>) {
        let document: Value = serde_json::from_slice(document).expect("a manifest is JSON");
        for child in list(&document, "manifests") {
            // A child that is not here is a sparse index, which is allowed.
            if let Some(bytes) = blob(&child, fetch) {
                self.walk(&bytes, fetch);
            }
        }
        if document.get("config").is_none() {
            return;
        }
        let config = blob(&document["config"], fetch).expect("the config");
        let said: Value = serde_json::from_slice(&config).expect("a config is JSON");
        let diff_ids: Vec<String> = list(&said["rootfs"], "diff_ids")
            .iter()
            .map(|id| id.as_str().expect("a diff ID is a string").to_owned())
            .collect();
        let layers = list(&document, "layers");
        let found: Vec<String> =
            layers.iter().map(|layer| sha256(&inflate(&blob(layer, fetch).expect("the layer")))).collect();
        assert_eq!(found, diff_ids, "diff IDs of {}", sha256(&config));
        self.images.insert(sha256(&config), diff_ids);
    }
}

fn list(object: &Value, member: &str) -> Vec<Value> {
    object[member].as_array().cloned().unwrap_or_default()
}

fn text_of(object: &Value, member: &str) -> String {
    object[member].as_str().unwrap_or_else(|| panic!("{member} in {object}")).to_owned()
}

/// The bytes of a descriptor, if they are there; they must be the right ones.
fn blob(descriptor: &Value, fetch: Fetch<'_>) -> Option<Vec<u8>> {
    let digest = text_of(descriptor, "digest");
    let bytes = fetch(&digest)?;
    assert_eq!(sha256(&bytes), digest, "content of a blob");
    assert_eq!(Some(bytes.len() as u64), descriptor["size"].as_u64(), "size of {digest}");
    Some(bytes)
}

fn inflate(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut plain).expect("gzip");
    } else if bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        plain = zstd::decode_all(bytes).expect("zstd");
    } else {
        plain.extend_from_slice(bytes);
    }
    plain
}

/// One member of a tar.
pub fn member(archive: &Path, name: &str) -> Option<Vec<u8>> {
    let mut tar = tar::Archive::new(fs::File::open(archive).expect("the archive"));
    for entry in tar.entries().expect("a tar") {
        let mut entry = entry.expect("an entry");
        if entry.path_bytes().strip_prefix(b"./").unwrap_or(&entry.path_bytes()) == name.as_bytes() {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("a member");
            return Some(bytes);
        }
    }
    None
}
