//! Plans over small archives on disk.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use super::plan::Make;
use super::planner;
use super::{ManifestFormat, Request, Target};
use crate::digest::Digest;
use crate::form::{self, Input, OpenOptions};
use crate::limits::Limits;
use crate::media::Family;
use crate::model::{Archive, select};
use crate::source::SpoolDir;

const CONFIG: &str = r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"]}}"#;

fn open(path: &Path) -> Archive {
    let options = OpenOptions {
        place: "test",
        form: None,
        limits: &Limits::default(),
        spool: &mut || SpoolDir::new(None),
        lone: crate::form::Alone::No,
        progress: &(),
    };
    form::open(Input::Path(path.to_owned()), options).expect("an archive")
}

fn write(path: &Path, bytes: &str) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
    fs::write(path, bytes).expect("a file");
}

/// A manifest of one layer, whose bytes are 1024 zeros.
fn manifest(layer_type: &str) -> (String, Digest) {
    let config = Digest::sha256(CONFIG.as_bytes());
    let layer = Digest::sha256(&[0; 1024]);
    let text = format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":{}}},"layers":[{{"mediaType":"{layer_type}","digest":"{layer}","size":1024}}]}}"#,
        CONFIG.len()
    );
    let digest = Digest::sha256(text.as_bytes());
    (text, digest)
}

fn layout(dir: &Path, layer_type: &str) -> Archive {
    let (text, digest) = manifest(layer_type);
    let blob = |bytes: &str| {
        write(&dir.join("blobs/sha256").join(Digest::sha256(bytes.as_bytes()).encoded()), bytes);
    };
    [CONFIG, &text, &"\0".repeat(1024)].into_iter().for_each(blob);
    write(&dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#);
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{digest}","size":{}}}]}}"#,
        text.len()
    );
    write(&dir.join("index.json"), &index);
    open(dir)
}

fn made(archive: &Archive, manifest_format: ManifestFormat) -> Make {
    let request = Request { manifest_format, ..Request::to(Target::OciDir) };
    let plan = planner::plan(archive, &request, HashSet::new()).expect("a plan");
    plan.make[&archive.roots[0].node].clone()
}

#[test]
fn a_layer_type_that_does_not_fit_the_bytes_is_mended_only_where_a_format_is_asked_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let wrong = layout(&dir.path().join("wrong"), "application/vnd.oci.image.layer.v1.tar+gzip");
    assert_eq!(made(&wrong, ManifestFormat::Keep), Make::Keep);
    assert_eq!(made(&wrong, ManifestFormat::Oci), Make::Rewrite { family: Family::Oci });
    let right = layout(&dir.path().join("right"), "application/vnd.oci.image.layer.v1.tar");
    assert_eq!(made(&right, ManifestFormat::Oci), Make::Keep);
}

#[test]
fn a_repository_of_storage_is_all_its_tags() {
    let dir = tempfile::tempdir().expect("a directory");
    let storage = dir.path().join("docker/registry/v2");
    let (text, digest) = manifest("application/vnd.oci.image.layer.v1.tar");
    for bytes in [CONFIG, &text, &"\0".repeat(1024)] {
        let digest = Digest::sha256(bytes.as_bytes());
        let hex = digest.encoded();
        write(&storage.join("blobs/sha256").join(&hex[..2]).join(hex).join("data"), bytes);
    }
    let repository = storage.join("repositories/lab/app");
    let revision = repository.join("_manifests/revisions/sha256").join(digest.encoded()).join("link");
    write(&revision, digest.as_str());
    for tag in ["1", "latest"] {
        write(&repository.join("_manifests/tags").join(tag).join("current/link"), digest.as_str());
    }
    let archive = open(dir.path());
    let count = |wanted: &str| select::roots(&archive, &[wanted.to_owned()]).expect("found").len();
    assert_eq!(count("lab/app"), 2);
    assert_eq!(count("lab/app:latest"), 1);
    assert_eq!(count("1"), 1);
}
