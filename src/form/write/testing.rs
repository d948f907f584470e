//! What the unit tests of the sinks share: the minimal image of formats.md J.1 and ways to hand it to a sink.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::digest::Digest;
use crate::form::sink::{OutBlob, OutBody, OutDocument, OutImage, OutName, OutRoot, Output, Sink};
use crate::media;
use crate::platform::Platform;
use crate::reference::Reference;

/// The config.
pub const CONFIG: &str = r#"{"architecture":"amd64","config":{"Cmd":["/x"]},"history":[{"created":"1970-01-01T00:00:00Z","created_by":"x"}],"os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"]}}"#;
/// The OCI manifest.
pub const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:7e866a286603fe0ee7018ed3db2a977251ff812cb5cc240b59af0d4b9e1a1b18","size":239},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4","size":32}]}"#;
/// The index over it.
pub const INDEX: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:9272a73921ac9ee4a1989c1b5abafb8e2211276d7b4bf34076020f5296aeef12","size":400,"platform":{"architecture":"amd64","os":"linux"}}]}"#;
/// The gzipped layer (formats.md 0.6).
pub const LAYER: [u8; 32] = [
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x09, 0x6e, 0x88, 0x00, 0xff, 0x62, 0x18, 0x05, 0xa3, 0x60, 0x14, 0x8c,
    0x58, 0x00, 0x08, 0x00, 0x00, 0xff, 0xff, 0x2e, 0xaf, 0xb5, 0xef, 0x00, 0x04, 0x00, 0x00,
];

/// The names in a directory, sorted.
pub fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("a directory");
    let name = |e: std::io::Result<std::fs::DirEntry>| e.expect("an entry").file_name();
    let mut names: Vec<String> = entries.map(|e| name(e).to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A blob of a manifest, present.
pub fn out_blob(bytes: &[u8], media_type: &str) -> OutBlob {
    let (digest, size) = (Digest::sha256(bytes), bytes.len() as u64);
    OutBlob { digest, size, media_type: media_type.into(), present: true }
}

/// A document whose digest is that of its bytes.
pub fn out_document(text: &str, media_type: &str, body: OutBody) -> OutDocument {
    let bytes = text.as_bytes();
    OutDocument {
        digest: Digest::sha256(bytes),
        media_type: media_type.into(),
        bytes: bytes.into(),
        body,
        signatures: vec![],
    }
}

/// An image whose manifest, config and layer are the given texts.
pub fn image(manifest: &str, config: &str, layers: &[&[u8]], platform: &str) -> OutDocument {
    let body = OutBody::Manifest {
        config: out_blob(config.as_bytes(), media::OCI_CONFIG),
        layers: layers.iter().map(|layer| out_blob(layer, media::OCI_LAYER)).collect(),
        image: Some(OutImage {
            config: config.as_bytes().into(),
            diff_ids: layers.iter().map(|layer| Digest::sha256(layer)).collect(),
            platform: Platform::parse(platform).expect("a platform"),
        }),
    };
    out_document(manifest, media::OCI_MANIFEST, body)
}

/// A root with a full name (none if empty), without repository.
pub fn root(target: &Digest, name: &str) -> OutRoot {
    let name = match name {
        "" => OutName::None,
        name => OutName::Full(Reference::parse(name).expect("a reference")),
    };
    OutRoot { target: target.clone(), name, descriptor: None, repository: None }
}

/// The minimal image under a full name.
pub fn output(name: &str) -> Output {
    let mut document = image(MANIFEST, CONFIG, &[&LAYER], "linux/amd64");
    if let OutBody::Manifest { layers, image: Some(image), .. } = &mut document.body {
        layers[0].media_type = media::OCI_LAYER_GZIP.into();
        let diff_id = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";
        image.diff_ids = vec![Digest::parse(diff_id).expect("a digest")];
    }
    let root = root(&document.digest, name);
    Output { documents: vec![document], roots: vec![root], index_json: None, replaces: None }
}

/// Stages and keeps one blob; `known` says whether digest and size are given beforehand.
pub fn write_blob(sink: &dyn Sink, bytes: &[u8], known: bool) {
    let digest = Digest::sha256(bytes);
    let size = bytes.len() as u64;
    let mut staged = sink.stage(known.then_some((&digest, size))).expect("staged");
    for piece in bytes.chunks(7) {
        staged.write_all(piece).expect("written");
    }
    staged.keep(&digest, size).expect("kept");
}

/// Hands the minimal image to a sink, the layer's digest unknown beforehand and one blob sent twice.
pub fn write_image(sink: &dyn Sink, name: &str) -> Output {
    let output = output(name);
    write_blob(sink, CONFIG.as_bytes(), true);
    write_blob(sink, &LAYER, false);
    write_blob(sink, &LAYER, false);
    output.documents.iter().for_each(|document| sink.document(document).expect("written"));
    output
}

/// A stream that can be looked at afterwards.
#[derive(Debug, Clone, Default)]
pub struct Captured(pub Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// What has been written so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("no panic while writing").clone()
    }
}

impl Write for Captured {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic while writing").write(buf)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Names and data of the members of a tar; a link's data is its target. All must be as restow writes them.
pub fn members(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    assert!(bytes.len().is_multiple_of(512) && bytes.ends_with(&[0; 1024]));
    let mut archive = tar::Archive::new(bytes);
    let mut members = Vec::new();
    for entry in archive.entries().expect("a tar") {
        let mut entry = entry.expect("an entry");
        let header = entry.header();
        let mode = match header.entry_type() {
            tar::EntryType::Regular => 0o644,
            tar::EntryType::Directory => 0o755,
            tar::EntryType::Symlink => 0o777,
            other => panic!("{other:?}"),
        };
        assert_eq!(header.mode().expect("a mode"), mode);
        assert_eq!((header.mtime().expect("a time"), header.uid().expect("an owner")), (0, 0));
        let name = String::from_utf8(entry.path_bytes().into_owned()).expect("text");
        let mut data = entry.link_name_bytes().map(|target| target.into_owned()).unwrap_or_default();
        entry.read_to_end(&mut data).expect("data");
        members.push((name, data));
    }
    members
}
