//! Storages made in place, file by file as a registry writes them, and the binary to scrub them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use restow::digest::Digest;

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A storage in a folder.
pub struct Storage {
    pub dir: PathBuf,
}

/// An image that was put into a storage.
#[derive(Debug, Clone)]
pub struct Image {
    pub manifest: Digest,
    pub config: Digest,
    pub layers: Vec<Digest>,
}

impl Storage {
    pub fn new(dir: &Path) -> Storage {
        let storage = Storage { dir: dir.to_owned() };
        std::fs::create_dir_all(storage.root().join("blobs/sha256")).expect("a folder");
        std::fs::create_dir_all(storage.root().join("repositories")).expect("a folder");
        storage
    }

    pub fn root(&self) -> PathBuf {
        self.dir.join("docker/registry/v2")
    }

    /// The file of a blob.
    pub fn data(&self, digest: &Digest) -> PathBuf {
        let hex = digest.encoded();
        self.root().join("blobs").join(digest.algorithm_name()).join(&hex[..2]).join(hex).join("data")
    }

    fn file(&self, path: &Path, bytes: &[u8]) {
        std::fs::create_dir_all(path.parent().expect("below a folder")).expect("a folder");
        std::fs::write(path, bytes).expect("written");
    }

    pub fn blob(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::sha256(bytes);
        self.file(&self.data(&digest), bytes);
        digest
    }

    /// The file of a link of a repository: `_layers`, `_manifests/revisions` or `_manifests/tags/TAG/index` and a digest.
    pub fn link_of(&self, repository: &str, below: &str, digest: &Digest) -> PathBuf {
        let root = self.root().join("repositories").join(repository).join(below);
        root.join(digest.algorithm_name()).join(digest.encoded()).join("link")
    }

    pub fn link(&self, repository: &str, below: &str, digest: &Digest) {
        self.file(&self.link_of(repository, below, digest), digest.as_str().as_bytes());
    }

    /// The file of what a tag stands for.
    pub fn tag_of(&self, repository: &str, tag: &str) -> PathBuf {
        self.root()
            .join("repositories")
            .join(repository)
            .join("_manifests/tags")
            .join(tag)
            .join("current/link")
    }

    pub fn tag(&self, repository: &str, tag: &str, digest: &Digest) {
        self.link(repository, &format!("_manifests/tags/{tag}/index"), digest);
        self.file(&self.tag_of(repository, tag), digest.as_str().as_bytes());
    }

    /// A descriptor of a blob.
    pub fn descriptor(&self, media_type: &str, digest: &Digest) -> String {
        let size = std::fs::metadata(self.data(digest)).expect("there").len();
        format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}}}"#)
    }

    /// Puts an image with these layers into a repository, without a tag.
    pub fn image(&self, repository: &str, what: &str, layers: &[Vec<u8>]) -> Image {
        let layers: Vec<(Digest, String)> = layers
            .iter()
            .map(|layer| {
                let digest = self.blob(layer);
                self.link(repository, "_layers", &digest);
                (digest.clone(), self.descriptor(LAYER, &digest))
            })
            .collect();
        let diff_ids: Vec<String> = layers.iter().map(|(digest, _)| format!("\"{digest}\"")).collect();
        let config = format!(
            r#"{{"architecture":"amd64","os":"linux","config":{{"Cmd":["{what}"]}},"rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
            diff_ids.join(",")
        );
        let config = self.blob(config.as_bytes());
        self.link(repository, "_layers", &config);
        let descriptors: Vec<String> = layers.iter().map(|(_, descriptor)| descriptor.clone()).collect();
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{},"layers":[{}]}}"#,
            self.descriptor(CONFIG, &config),
            descriptors.join(",")
        );
        let manifest = self.blob(manifest.as_bytes());
        self.link(repository, "_manifests/revisions", &manifest);
        Image { manifest, config, layers: layers.into_iter().map(|(digest, _)| digest).collect() }
    }

    /// An index of images of a repository, under a tag.
    pub fn index(&self, repository: &str, tag: &str, images: &[&Image]) -> Digest {
        let children: Vec<String> =
            images.iter().map(|image| self.descriptor(MANIFEST, &image.manifest)).collect();
        let text =
            format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#, children.join(","));
        let index = self.blob(text.as_bytes());
        self.link(repository, "_manifests/revisions", &index);
        self.tag(repository, tag, &index);
        index
    }

    /// So many repositories with an image each under two tags, of a layer of its own and one that all share.
    pub fn filled(dir: &Path, repositories: usize) -> (Storage, Vec<Image>) {
        Storage::filled_with(dir, repositories, 0)
    }

    /// The same, with so many bytes more in the layer that is each image's own.
    pub fn filled_with(dir: &Path, repositories: usize, more: usize) -> (Storage, Vec<Image>) {
        let storage = Storage::new(dir);
        let images = (0..repositories).map(|i| {
            let repository = format!("team{}/app{i}", i % 3);
            let own = tar(&format!("etc/own{i}"), format!("{i}").repeat(100 + more).as_bytes());
            let image = storage.image(&repository, &i.to_string(), &[tar("etc/shared", b"shared"), own]);
            storage.tag(&repository, "1", &image.manifest);
            storage.tag(&repository, "latest", &image.manifest);
            image
        });
        let images = images.collect();
        (storage, images)
    }

    pub fn place(&self) -> String {
        format!("registry-storage:{}", self.dir.display())
    }
}

/// A tar of one file below a directory.
pub fn tar(path: &str, content: &[u8]) -> Vec<u8> {
    let mut out = tar::Builder::new(Vec::new());
    let mut header = |path: &str, kind, content: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        out.append_data(&mut header, path, content).expect("written");
    };
    let directory = path.rsplit_once('/').expect("in a directory").0;
    header(&format!("{directory}/"), tar::EntryType::Directory, b"");
    header(path, tar::EntryType::Regular, content);
    out.into_inner().expect("written")
}

/// Runs the command without anything around it.
pub fn restow(arguments: &[&str]) -> Output {
    command(arguments).output().expect("runs")
}

pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_restow"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("COLUMNS", "200");
    command.args(arguments);
    command
}

/// The status of a run and its JSON, which goes to standard output.
pub fn json(arguments: &[&str]) -> (Option<i32>, String) {
    let output = restow(&[arguments, &["--json"]].concat());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(!text.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    (output.status.code(), text)
}

/// What a report says: level, rule, file, message, and what is affected.
pub fn findings(report: &str) -> BTreeSet<(String, String, String, String, Vec<String>)> {
    let report: serde_json::Value = serde_json::from_str(report).expect("JSON");
    let sources = report["sources"].as_array().expect("a list");
    let found = sources.iter().flat_map(|source| source["findings"].as_array().expect("a list"));
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    found
        .map(|finding| {
            let names = finding["affects"]["names"].as_array().cloned().unwrap_or_default();
            let mut names: Vec<String> = names.iter().map(text).collect();
            names.sort();
            let member = text(&finding["primary"]["member"]);
            (text(&finding["level"]), text(&finding["rule"]), member, text(&finding["message"]), names)
        })
        .collect()
}
