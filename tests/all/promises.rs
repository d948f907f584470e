//! What a conversion promises of what it writes, and of what it does not.

use std::fs;
use std::path::{Path, PathBuf};

use restow::digest::Digest;
use serde_json::Value;

use crate::common::layer_of;
use crate::layout::{Bench, LAYER, Layout, sha256, with};

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// A manifest of Docker's type, of one layer under any type, and its config.
fn docker_image(layout: &Layout, layer_type: &str, layer: &[u8], config: &str) -> String {
    let config = layout.add(sha256(), DOCKER_CONFIG, config.as_bytes());
    let layer = layout.add(sha256(), layer_type, layer);
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{DOCKER_MANIFEST}","config":{config},"layers":[{layer}]}}"#
    );
    layout.add(sha256(), DOCKER_MANIFEST, text.as_bytes())
}

fn config_of(layer: &[u8], platform: &str) -> String {
    format!(r#"{{{platform}"rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#, Digest::sha256(layer))
}

const AMD64: &str = r#""architecture":"amd64","os":"linux","#;

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON")
}

fn blob(layout: &Path, digest: &Value) -> PathBuf {
    let digest = digest.as_str().expect("a digest").replace(':', "/");
    layout.join("blobs").join(digest)
}

#[test]
fn docker_manifests_that_name_layers_by_oci_types_never_get_zstd() {
    let layer = layer_of("file", b"content");
    for target in ["oci", "oci-archive", "docker-archive", "dir", "registry-storage"] {
        let bench = Bench::new();
        let mut layout = bench.layout();
        let image = docker_image(&layout, LAYER, &layer, &config_of(&layer, AMD64));
        layout.root(&image, "docker.io/lab/app:1");
        let source = layout.finish();
        let out = bench.out(target);
        let refused = bench.run(2, &["convert", "--compress", "zstd", &source, &out]);
        refused.stderr_has("Docker's manifests cannot name zstd layers").expect("the reason");
        assert!(!bench.dir.path().join("out").exists());
        bench.run(0, &["convert", "--compress", "zstd", "--manifest-format", "oci", &source, &out]);
        bench.run(0, &["check", &out]);
    }
}

#[test]
fn an_image_without_platform_gets_a_manifest_that_may_have_none() {
    let bench = Bench::new();
    let layer = layer_of("file", b"content");
    let config = config_of(&layer, "");
    let id = Digest::sha256(config.as_bytes());
    let path = bench.dir.path().join("old.tar");
    let mut tar = tar::Builder::new(fs::File::create(&path).expect("created"));
    let manifest = format!(
        r#"[{{"Config":"{0}.json","RepoTags":["lab/app:1"],"Layers":["a/layer.tar"]}}]"#,
        id.encoded()
    );
    let config_name = format!("{}.json", id.encoded());
    for (name, bytes) in [
        ("a/layer.tar", &layer[..]),
        (&config_name, config.as_bytes()),
        ("manifest.json", manifest.as_bytes()),
    ] {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes).expect("written");
    }
    tar.finish().expect("written");
    drop(tar);
    let source = path.display().to_string();
    for target in ["oci", "oci-archive", "docker-archive", "dir", "registry-storage"] {
        let out = bench.out(target);
        bench.run(0, &["convert", &source, &out]);
        bench.run(0, &["check", &out]);
        let written = bench.dir.path().join("out");
        if target == "oci" {
            let index = json(&written.join("index.json"));
            let root = &index["manifests"][0];
            assert_eq!(root["mediaType"], DOCKER_MANIFEST);
            assert_eq!(json(&blob(&written, &root["digest"]))["config"]["digest"], id.as_str());
        }
        if written.is_dir() {
            fs::remove_dir_all(&written).expect("removed");
        } else {
            fs::remove_file(&written).expect("removed");
        }
        let refused = bench.run(2, &["convert", "--manifest-format", "oci", &source, &out]);
        refused
            .stderr_has("the config of lab/app:1 has no `architecture` and no `os`, which OCI demands")
            .expect("why");
        assert!(!written.exists());
    }
}

#[test]
fn descriptors_repeat_what_a_rewritten_manifest_says_that_it_is() {
    let bench = Bench::new();
    let mut layout = bench.layout();
    let layer = layer_of("file", b"content");
    let image = docker_image(&layout, LAYER, &layer, &config_of(&layer, AMD64));
    let image = with(&image, &format!(r#""artifactType":"{DOCKER_CONFIG}""#));
    let index = layout.index(&[with(&image, r#""platform":{"architecture":"amd64","os":"linux"}"#)]);
    layout.root(&image, "docker.io/lab/app:1");
    layout.root(&index, "docker.io/lab/app:all");
    let source = layout.finish();
    let out = bench.out("oci");
    bench.run(0, &["convert", "--manifest-format", "oci", &source, &out]);
    let checked = bench.run(0, &["check", &out]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned() + &checked.stderr;
    assert!(!said.contains("artifact-type-mismatch"), "{said}");
    let written = bench.dir.path().join("out");
    let roots = json(&written.join("index.json"));
    assert_eq!(roots["manifests"][0]["artifactType"], crate::layout::CONFIG);
    let index = json(&blob(&written, &roots["manifests"][1]["digest"]));
    assert_eq!(index["manifests"][0]["artifactType"], crate::layout::CONFIG);
}

#[test]
fn convert_with_check_writes_nothing_if_there_is_any_error() {
    // An error that plain convert does not look for: a name in a layer that leads out of it.
    let mut escaping = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.as_mut_bytes()[..7].copy_from_slice(b"../evil");
    header.set_size(1);
    header.set_mode(0o644);
    header.set_cksum();
    escaping.append(&header, &b"x"[..]).expect("memory");
    let layer = escaping.into_inner().expect("memory");
    for target in ["oci", "oci-archive", "docker-archive", "dir", "registry-storage"] {
        let bench = Bench::new();
        let mut layout = bench.layout();
        layout.root(&layout.image("amd64", sha256(), &layer), "docker.io/lab/app:1");
        let source = layout.finish();
        let out = bench.out(target);
        let refused = bench.run(1, &["convert", "--check", &source, &out]);
        refused.stderr_has("entry/escaping-name").expect("the finding");
        refused.stderr_has("nothing was written").expect("the verdict");
        let left: Vec<_> =
            fs::read_dir(bench.dir.path()).expect("listed").flatten().map(|e| e.file_name()).collect();
        assert!(left.iter().all(|name| name == "layout" || name == "tmp"), "{target}: {left:?}");
        if target.ends_with("archive") {
            let stream = bench.run(1, &["convert", "--check", &source, &format!("{target}:-")]);
            assert!(stream.stdout.is_empty(), "{target}: {} bytes went out", stream.stdout.len());
        }
        // Who lowers it takes it on.
        bench.run(0, &["convert", "--check", "-W", "entry/escaping-name", &source, &out]);
        fs::remove_dir_all(bench.dir.path().join("out"))
            .or_else(|_| fs::remove_file(bench.dir.path().join("out")))
            .expect("removed");
        let plain = bench.run(0, &["convert", &source, &out]);
        let last = plain.stderr.lines().last().unwrap_or_default().to_owned();
        assert!(last.contains("not looked at") && last.contains("layers"), "{last}");
    }
}
