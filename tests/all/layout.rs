//! OCI layouts made in place, and a folder with the binary to try them on.

use std::path::{Path, PathBuf};
use std::process::Command;

use restow::digest::Digest;

use crate::common::{Output, Restow};

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// An OCI layout in the making.
pub struct Layout {
    pub dir: PathBuf,
    pub roots: Vec<String>,
}

impl Layout {
    pub fn new(dir: &Path) -> Layout {
        std::fs::create_dir_all(dir.join("blobs")).expect("a folder");
        Layout { dir: dir.to_owned(), roots: Vec::new() }
    }

    /// Puts bytes under a name that need not fit them.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.dir.join("blobs").join(name.replace(':', "/"));
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, bytes).expect("a blob");
    }

    /// A descriptor of bytes under a digest of the algorithm of `like`.
    pub fn add(&self, like: &str, media_type: &str, bytes: &[u8]) -> String {
        let like = Digest::parse(like).expect("a digest");
        let digest = like.of_same_kind(bytes).unwrap_or(like);
        self.put(digest.as_str(), bytes);
        format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{}}}"#, bytes.len())
    }

    pub fn image(&self, architecture: &str, like: &str, layer: &[u8]) -> String {
        let config = format!(
            r#"{{"architecture":"{architecture}","os":"linux","rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
            Digest::sha256(layer)
        );
        let config = self.add(sha256(), CONFIG, config.as_bytes());
        self.manifest(&config, &self.add(like, LAYER, layer))
    }

    pub fn artifact(&self, media_type: &str, bytes: &[u8]) -> String {
        let config = self.add(sha256(), "application/vnd.oci.empty.v1+json", b"{}");
        self.manifest(&config, &self.add(sha256(), media_type, bytes))
    }

    pub fn manifest(&self, config: &str, layer: &str) -> String {
        let text =
            format!(r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{config},"layers":[{layer}]}}"#);
        self.add(sha256(), MANIFEST, text.as_bytes())
    }

    pub fn index(&self, children: &[String]) -> String {
        let text =
            format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#, children.join(","));
        self.add(sha256(), INDEX, text.as_bytes())
    }

    pub fn root(&mut self, descriptor: &str, name: &str) {
        let key =
            if name.contains(':') { "io.containerd.image.name" } else { "org.opencontainers.image.ref.name" };
        self.roots.push(with(descriptor, &format!(r#""annotations":{{"{key}":"{name}"}}"#)));
    }

    pub fn finish(self) -> String {
        std::fs::write(self.dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("written");
        let index = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, self.roots.join(","));
        std::fs::write(self.dir.join("index.json"), index).expect("written");
        format!("oci:{}", self.dir.display())
    }
}

/// A descriptor with more members.
pub fn with(descriptor: &str, members: &str) -> String {
    format!("{},{members}}}", descriptor.strip_suffix('}').expect("an object"))
}

pub fn platform(descriptor: &str, architecture: &str) -> String {
    with(descriptor, &format!(r#""platform":{{"os":"linux","architecture":"{architecture}"}}"#))
}

pub fn sha256() -> &'static str {
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
}

/// The layout as a tar.
pub fn tar(layout: &Path) -> PathBuf {
    let path = layout.with_extension("tar");
    let status = Command::new("tar").arg("-C").arg(layout).arg("-cf").arg(&path).arg(".").status();
    assert!(status.expect("tar runs").success());
    path
}

/// A folder with a binary that works in it.
pub struct Bench {
    pub dir: tempfile::TempDir,
    pub restow: Restow,
}

impl Bench {
    #[allow(clippy::new_without_default)]
    pub fn new() -> Bench {
        let dir = tempfile::tempdir().expect("a folder");
        let restow = Restow::new(dir.path());
        Bench { dir, restow }
    }

    pub fn layout(&self) -> Layout {
        Layout::new(&self.dir.path().join("layout"))
    }

    pub fn out(&self, transport: &str) -> String {
        format!("{transport}:{}", self.dir.path().join("out").display())
    }

    pub fn run(&self, code: i32, arguments: &[&str]) -> Output {
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        let output = self.restow.run(&arguments).expect("restow runs");
        output.expect(code).unwrap_or_else(|failed| panic!("{}", failed.message().unwrap_or_default()))
    }

    pub fn run_on_stream(&self, code: i32, arguments: &[&str]) -> Output {
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        let stream = tar(&self.dir.path().join("layout"));
        let output = self.restow.run_with(&arguments, Some(&stream)).expect("restow runs");
        output.expect(code).unwrap_or_else(|failed| panic!("{}", failed.message().unwrap_or_default()))
    }
}

/// A docker-archive of one image with these layers, as Docker 1.10 to 24 wrote it, less what nothing reads.
pub fn docker_archive(path: &Path, name: &str, layers: &[Vec<u8>]) -> String {
    let diff_ids: Vec<String> = layers.iter().map(|layer| format!("\"{}\"", Digest::sha256(layer))).collect();
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
        diff_ids.join(",")
    );
    let id = Digest::sha256(config.as_bytes());
    let names: Vec<String> = (0..layers.len()).map(|i| format!("\"{i}/layer.tar\"")).collect();
    let manifest = format!(
        r#"[{{"Config":"{}.json","RepoTags":["{name}"],"Layers":[{}]}}]"#,
        id.encoded(),
        names.join(",")
    );
    let mut tar = tar::Builder::new(std::fs::File::create(path).expect("created"));
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes).expect("written");
    };
    for (i, layer) in layers.iter().enumerate() {
        add(&format!("{i}/layer.tar"), layer);
    }
    add(&format!("{}.json", id.encoded()), config.as_bytes());
    add("manifest.json", manifest.as_bytes());
    tar.finish().expect("written");
    path.display().to_string()
}

impl Layout {
    /// An image of layers as they are stored, each with the tar that it is.
    pub fn image_of(&self, layers: &[(&str, &[u8], &[u8])]) -> String {
        let diff_ids: Vec<String> =
            layers.iter().map(|(_, _, plain)| format!("\"{}\"", Digest::sha256(plain))).collect();
        let config = format!(
            r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
            diff_ids.join(",")
        );
        let config = self.add(sha256(), CONFIG, config.as_bytes());
        let layers: Vec<String> =
            layers.iter().map(|(kind, stored, _)| self.add(sha256(), kind, stored)).collect();
        self.manifest(&config, &layers.join(","))
    }
}
