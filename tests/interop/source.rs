//! Images that the tests begin with, made here byte by byte, so that every digest is known without
//! asking restow or any tool.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

const CREATED: &str = "2024-01-02T03:04:05Z";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// `sha256:` and the hex digits.
pub fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", data_encoding::HEXLOWER.encode(&Sha256::digest(bytes)))
}

/// The part after `sha256:`.
pub fn hex(digest: &str) -> &str {
    digest.strip_prefix("sha256:").expect("a sha256 digest")
}

/// An image as its parts: what every conversion must leave as it is.
pub struct Image {
    /// Config bytes; their digest is the image ID.
    pub config: Vec<u8>,
    /// Uncompressed layer tars, base first.
    pub layers: Vec<Vec<u8>>,
    /// Familiar names with tag.
    pub names: Vec<String>,
}

impl Image {
    /// The image ID.
    pub fn id(&self) -> String {
        sha256(&self.config)
    }

    /// The diff IDs, base first.
    pub fn diff_ids(&self) -> Vec<String> {
        self.layers.iter().map(|layer| sha256(layer)).collect()
    }
}

/// An image with four layers, of which the second and the last are the same; two names; config
/// members that OCI does not know; characters that Go escapes.
///
/// Where the test is called `…-gzip-members`, the base layer is so large that restow's gzip of it has several members.
pub fn app(seed: &str) -> Image {
    let mut entries =
        vec![("etc/", ""), ("etc/seed", seed), ("etc/motd", "hello\n"), ("bin/", ""), ("bin/sh", "x")];
    let large = large_text(seed);
    if seed.ends_with("-gzip-members") {
        entries.extend([("usr/", ""), ("usr/large", &*large), ("usr/last", "behind the large one")]);
    }
    let base = layer(&entries);
    let twice = layer(&[("var/", ""), ("var/twice", &format!("{seed} twice"))]);
    let change = layer(&[("etc/", ""), ("etc/.wh.motd", ""), ("etc/seed", &format!("{seed} changed"))]);
    let layers = vec![base, twice.clone(), change, twice];
    let config = config(
        "amd64",
        &layers,
        json!({
            "Env": ["PATH=/bin", "HTML=<a> & b"],
            "Cmd": ["/bin/sh", "-c", "echo <&>"],
            "Healthcheck": {"Test": ["CMD", "/bin/true"], "Interval": 30_000_000_000_u64, "Retries": 3},
            "OnBuild": ["RUN echo built"],
            "Shell": ["/bin/sh", "-c"],
            "Labels": {"seed": seed},
        }),
    );
    Image { config, layers, names: vec![format!("lab/{seed}:1"), format!("lab/{seed}:latest")] }
}

/// 3 MB that do not compress to nothing.
pub fn large_text(seed: &str) -> String {
    (0..40_000).map(|n| sha256(format!("{seed} {n}").as_bytes()) + "\n").collect()
}

/// An image of one layer and one name, which shares the base layer of [`app`].
pub fn other(seed: &str) -> Image {
    let layers = vec![app(seed).layers.swap_remove(0)];
    let config = config("amd64", &layers, json!({"Cmd": ["/bin/sh"]}));
    Image { config, layers, names: vec![format!("quay.io/lab/{seed}-other:2.0")] }
}

/// Docker's config: history with a step that made no layer, and `docker_version`, which OCI lacks.
fn config(arch: &str, layers: &[Vec<u8>], run: Value) -> Vec<u8> {
    let diff_ids: Vec<_> = layers.iter().map(|layer| sha256(layer)).collect();
    let mut history: Vec<_> = (0..layers.len())
        .map(|n| json!({"created": CREATED, "created_by": format!("COPY {n} / # <&>")}))
        .collect();
    history.push(json!({"created": CREATED, "created_by": "CMD [\"/bin/sh\"]", "empty_layer": true}));
    let config = json!({
        "architecture": arch, "os": "linux", "created": CREATED, "docker_version": "20.10.24",
        "config": run, "history": history, "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    config.to_string().into_bytes()
}

/// A layer tar; names that end with `/` are directories.
fn layer(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, text) in entries {
        append(&mut tar, name, text.as_bytes());
    }
    tar.into_inner().expect("a tar in memory")
}

fn append(tar: &mut tar::Builder<impl std::io::Write>, name: &str, bytes: &[u8]) {
    let mut header = tar::Header::new_ustar();
    let folder = name.ends_with('/');
    header.set_entry_type(if folder { tar::EntryType::Directory } else { tar::EntryType::Regular });
    header.set_mode(if folder { 0o755 } else { 0o644 });
    header.set_mtime(1_704_164_645);
    header.set_size(bytes.len() as u64);
    tar.append_data(&mut header, name, bytes).expect("a name that fits");
}

/// The smallest docker-archive that every loader takes: configs, layers, `manifest.json`.
/// A layer that occurs twice is one member.
pub fn write_docker_archive(path: &Path, images: &[&Image]) {
    let mut tar = tar::Builder::new(File::create(path).expect("a new file"));
    let mut items = Vec::new();
    let mut written = std::collections::BTreeSet::new();
    for image in images {
        let config = format!("{}.json", hex(&image.id()));
        append(&mut tar, &config, &image.config);
        let mut layers = Vec::new();
        for bytes in &image.layers {
            let name = format!("{}.tar", hex(&sha256(bytes)));
            if written.insert(name.clone()) {
                append(&mut tar, &name, bytes);
            }
            layers.push(name);
        }
        items.push(json!({"Config": config, "RepoTags": image.names, "Layers": layers}));
    }
    append(&mut tar, "manifest.json", Value::from(items).to_string().as_bytes());
    tar.finish().expect("the archive is written");
}

/// An OCI layout of one named index.
pub struct Multi {
    /// Digest of the index that the name points at.
    pub index: String,
    /// Familiar name with tag.
    pub name: String,
    /// linux/amd64, then linux/arm64.
    pub images: [Image; 2],
}

/// Writes a layout whose one entry is an index over two platforms, gzip layers, and a BuildKit
/// attestation of the first.
pub fn write_multi_layout(dir: &Path, seed: &str) -> Multi {
    let layout = LayoutWriter::new(dir);
    let images = ["amd64", "arm64"].map(|arch| {
        let shared = layer(&[("etc/", ""), ("etc/seed", seed)]);
        let layers = vec![shared, layer(&[("bin/", ""), ("bin/arch", arch)])];
        let config = config(arch, &layers, json!({"Cmd": ["/bin/arch"]}));
        Image { config, layers, names: Vec::new() }
    });
    let mut children: Vec<Value> = images
        .iter()
        .map(|image| {
            let layers: Vec<_> = image.layers.iter().map(|tar| layout.layer(tar)).collect();
            let platform: Value = serde_json::from_slice(&image.config).expect("written above");
            let mut child = layout.manifest(&image.config, &layers);
            child["platform"] = json!({"architecture": platform["architecture"], "os": "linux"});
            child
        })
        .collect();
    children.push(attestation(&layout, &children[0]));
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children});
    let mut root = layout.blob(INDEX, index.to_string().as_bytes());
    let name = format!("lab/{seed}:1");
    root["annotations"] = json!({
        "io.containerd.image.name": format!("docker.io/{name}"),
        "org.opencontainers.image.ref.name": "1",
    });
    let digest = root["digest"].as_str().expect("set by blob()").to_owned();
    let top = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [root]});
    fs::write(dir.join("index.json"), top.to_string()).expect("index.json");
    Multi { index: digest, name, images }
}

fn attestation(layout: &LayoutWriter, of: &Value) -> Value {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://slsa.dev/provenance/v0.2",
        "subject": [{"name": "_", "digest": {"sha256": of["digest"].as_str().map(hex)}}], "predicate": {},
    });
    let bytes = statement.to_string();
    let mut layer = layout.blob("application/vnd.in-toto+json", bytes.as_bytes());
    layer["annotations"] = json!({"in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2"});
    let config = json!({
        "architecture": "unknown", "os": "unknown", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [sha256(bytes.as_bytes())]},
    });
    let annotations = json!({
        "vnd.docker.reference.digest": of["digest"], "vnd.docker.reference.type": "attestation-manifest",
    });
    let mut child = layout.manifest(config.to_string().as_bytes(), &[layer]);
    child["annotations"] = annotations;
    child["platform"] = json!({"architecture": "unknown", "os": "unknown"});
    child
}

struct LayoutWriter<'a> {
    dir: &'a Path,
}

impl<'a> LayoutWriter<'a> {
    fn new(dir: &'a Path) -> Self {
        fs::create_dir_all(dir.join("blobs/sha256")).expect("blobs");
        fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("oci-layout");
        Self { dir }
    }

    /// Writes a blob; its descriptor.
    fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = sha256(bytes);
        fs::write(self.dir.join("blobs/sha256").join(hex(&digest)), bytes).expect("a blob");
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    fn layer(&self, tar: &[u8]) -> Value {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(tar).expect("into memory");
        self.blob("application/vnd.oci.image.layer.v1.tar+gzip", &gzip.finish().expect("into memory"))
    }

    fn manifest(&self, config: &[u8], layers: &[Value]) -> Value {
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": self.blob(CONFIG, config), "layers": layers,
        });
        self.blob(MANIFEST, manifest.to_string().as_bytes())
    }
}
