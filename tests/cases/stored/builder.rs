//! Builds the cases of `corpus/good/` that no tool at hand wrote: small sound archives of producers that are hard to
//! run, and of parts of the formats that producers use seldom.
//!
//! Nothing here depends on a compressor's version: gzip and zstd are written with stored blocks only.

#[path = "reported.rs"]
mod reported;

use std::collections::BTreeMap;

use crate::common::tree_digest::sha256;

/// The canonical empty layer, compressed by Docker (formats.md 0.6).
const EMPTY_LAYER_GZIP: [u8; 32] = [
    0x1f, 0x8b, 8, 0, 0, 9, 0x6e, 0x88, 0, 0xff, 0x62, 0x18, 5, 0xa3, 0x60, 0x14, 0x8c, 0x58, 0, 8, 0, 0,
    0xff, 0xff, 0x2e, 0xaf, 0xb5, 0xef, 0, 4, 0, 0,
];
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// What is at `archive…` in a case's folder.
pub enum Content {
    /// `archive.tar`
    Tar(Vec<u8>),
    /// `archive.tar.gz`
    TarGz(Vec<u8>),
    /// `archive/`, files by path.
    Folder(Files),
    /// `document.json`
    Document(Vec<u8>),
}

/// Files by path.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Every generated case: its folder below `corpus/good/`, and what is in it.
pub fn cases() -> Vec<(&'static str, Content)> {
    vec![
        ("docker-archive/docker-1.9", docker_1_9()),
        ("docker-archive/jib", jib()),
        ("docker-archive/ko-two-images", ko()),
        ("docker-archive/nix", nix()),
        ("docker-archive/rules_oci", rules_oci()),
        ("docker-archive/docker-29-child-without-blobs", child_without_blobs()),
        ("docker-archive/minimal", minimal_docker()),
        ("docker-archive/unpacked", unpacked()),
        ("oci/docker-types", docker_types()),
        ("oci/minimal", minimal()),
        ("oci/nested-index", nested_index()),
        ("oci/referrers", referrers()),
        ("oci/same-tag-twice", same_tag_twice()),
        ("oci/sbom", sbom()),
        ("oci/three-layers", three_layers()),
        ("oci/two-layers", two_layers()),
        ("oci/two-platforms", two_platforms()),
        ("oci/zstd", zstd()),
        ("dir/list-with-signatures", dir_list()),
        ("dir/one-image", dir_one()),
        ("document/schema1", Content::Document(SCHEMA1.as_bytes().to_vec())),
        ("registry-storage/minimal", minimal_storage()),
        ("registry-storage/two-repositories", storage()),
        ("registry-storage/one-index", reported::one_index()),
        ("oci/platforms-listed", reported::platforms_listed()),
        ("oci/cosign-save-2", reported::cosign_2()),
        ("oci/cosign-save-3", reported::cosign_3()),
        ("oci/zstd-chunked", reported::chunked()),
        ("oci/estargz", reported::estargz()),
        ("oci/provenance", reported::provenance()),
        ("oci/data-in-place", reported::data_in_place()),
        ("docker-archive/docker-28-all-metadata", reported::all_metadata()),
        ("docker-archive/dot-names", reported::dot_names()),
        ("docker-archive/two-names", reported::two_names()),
    ]
}

/// A tar with one regular file.
fn layer(path: &str, text: &str) -> Vec<u8> {
    let mut tar = Tar::default();
    tar.file(path, text.as_bytes(), 0o644, 0);
    tar.end()
}

/// A tar in the making, with ustar headers that hold names as they are given.
#[derive(Default)]
struct Tar(Vec<u8>);

impl Tar {
    fn entry(&mut self, name: &str, kind: tar::EntryType, mode: u32, mtime: u64, data: &[u8]) {
        let mut header = tar::Header::new_ustar();
        // `set_path` refuses absolute names, which real archives have.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(mtime);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(data.len() as u64);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
    }

    fn file(&mut self, name: &str, data: &[u8], mode: u32, mtime: u64) {
        self.entry(name, tar::EntryType::Regular, mode, mtime, data);
    }

    fn folder(&mut self, name: &str, mtime: u64) {
        self.entry(name, tar::EntryType::Directory, 0o755, mtime, &[]);
    }

    fn end(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }
}

/// A tar of files in order of their names, without folders.
fn tar_of(files: &Files) -> Vec<u8> {
    let mut tar = Tar::default();
    for (name, bytes) in files {
        tar.file(name, bytes, 0o644, 0);
    }
    tar.end()
}

/// One gzip member of stored blocks.
pub fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let mut chunks = plain.chunks(0xffff).peekable();
    while let Some(chunk) = chunks.next() {
        let length = chunk.len() as u16;
        out.push(u8::from(chunks.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(chunk);
    }
    let mut crc = flate2::Crc::new();
    crc.update(plain);
    out.extend(crc.sum().to_le_bytes());
    out.extend((plain.len() as u32).to_le_bytes());
    out
}

/// One zstd frame of one raw block; `plain` has 256 to 65791 bytes.
pub fn zstd_stored(plain: &[u8]) -> Vec<u8> {
    // Single segment, content size in two bytes, no checksum, no dictionary (RFC 8878, 3.1.1).
    let mut out = vec![0x28, 0xb5, 0x2f, 0xfd, 0x60];
    out.extend(((plain.len() - 256) as u16).to_le_bytes());
    let block = 1 | (plain.len() as u32) << 3;
    out.extend(&block.to_le_bytes()[..3]);
    out.extend(plain);
    out
}

/// An image with its parts as they are stored.
struct Image {
    config: Vec<u8>,
    /// Stored bytes with their plain form.
    layers: Vec<(Vec<u8>, Vec<u8>)>,
    manifest: Vec<u8>,
    manifest_type: &'static str,
    platform: String,
}

impl Image {
    /// An image for a platform such as `arm/v7`, whose layers are stored as `store` makes them.
    fn new(arch: &str, plain: &[Vec<u8>], store: fn(&[u8]) -> Vec<u8>, suffix: &str) -> Image {
        let stored = plain.iter().map(|plain| (store(plain), plain.clone())).collect();
        Image::of(arch, stored, (OCI_MANIFEST, OCI_CONFIG, &format!("{OCI_LAYER}{suffix}")))
    }

    fn docker(arch: &str, plain: &[Vec<u8>]) -> Image {
        let stored = plain.iter().map(|plain| (gzip(plain), plain.clone())).collect();
        Image::of(arch, stored, (DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER))
    }

    fn of(arch: &str, layers: Vec<(Vec<u8>, Vec<u8>)>, types: (&'static str, &str, &str)) -> Image {
        let config = config(arch, layers.iter().map(|(_, plain)| &plain[..]));
        let layer = |(stored, _): &(Vec<u8>, Vec<u8>)| descriptor(types.2, stored, "");
        let manifest = manifest(types.0, types.1, &config, layers.iter().map(layer), "");
        let (name, variant) = arch.split_once('/').unwrap_or((arch, ""));
        let variant = if variant.is_empty() { String::new() } else { format!(",\"variant\":\"{variant}\"") };
        let platform = format!(",\"platform\":{{\"architecture\":\"{name}\",\"os\":\"linux\"{variant}}}");
        Image { config, layers, manifest, manifest_type: types.0, platform }
    }

    /// Its descriptor with its platform.
    fn child(&self) -> String {
        descriptor(self.manifest_type, &self.manifest, &self.platform)
    }

    fn blobs(&self) -> Vec<&[u8]> {
        let layers = self.layers.iter().map(|(stored, _)| &stored[..]);
        [&self.config[..], &self.manifest].into_iter().chain(layers).collect()
    }
}

/// A config with one history item a layer.
fn config<'a>(arch: &str, layers: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let (name, variant) = arch.split_once('/').unwrap_or((arch, ""));
    let variant = if variant.is_empty() { String::new() } else { format!("\"variant\":\"{variant}\",") };
    let diff_ids: Vec<String> = layers.map(|plain| format!("\"sha256:{}\"", sha256(plain))).collect();
    let history: Vec<String> = (0..diff_ids.len())
        .map(|n| format!("{{\"created\":\"2024-01-02T03:04:05Z\",\"created_by\":\"COPY {n} /\"}}"))
        .collect();
    format!(
        "{{\"architecture\":\"{name}\",{variant}\"os\":\"linux\",\"created\":\"2024-01-02T03:04:05Z\",\
         \"config\":{{\"Env\":[\"PATH=/bin\"],\"Entrypoint\":[\"/app\"]}},\
         \"rootfs\":{{\"type\":\"layers\",\"diff_ids\":[{}]}},\"history\":[{}]}}",
        diff_ids.join(","),
        history.join(",")
    )
    .into_bytes()
}

fn descriptor(media_type: &str, bytes: &[u8], rest: &str) -> String {
    format!(
        "{{\"mediaType\":\"{media_type}\",\"digest\":\"sha256:{}\",\"size\":{}{rest}}}",
        sha256(bytes),
        bytes.len()
    )
}

fn manifest(
    media_type: &str,
    config_type: &str,
    config: &[u8],
    layers: impl Iterator<Item = String>,
    rest: &str,
) -> Vec<u8> {
    let layers: Vec<String> = layers.collect();
    format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{media_type}\",\"config\":{},\"layers\":[{}]{rest}}}",
        descriptor(config_type, config, ""),
        layers.join(",")
    )
    .into_bytes()
}

fn index(media_type: &str, children: &[String]) -> Vec<u8> {
    format!("{{\"schemaVersion\":2,\"mediaType\":\"{media_type}\",\"manifests\":[{}]}}", children.join(","))
        .into_bytes()
}

/// Both annotations for a full name.
fn named(name: &str) -> String {
    let tag = name.rsplit_once(':').map_or("", |(_, tag)| tag);
    format!(
        ",\"annotations\":{{\"io.containerd.image.name\":\"{name}\",\"org.opencontainers.image.ref.name\":\"{tag}\"}}"
    )
}

fn tagged(tag: &str) -> String {
    format!(",\"annotations\":{{\"org.opencontainers.image.ref.name\":\"{tag}\"}}")
}

/// An OCI layout.
fn layout<'a>(roots: &[String], blobs: impl IntoIterator<Item = &'a [u8]>) -> Files {
    let mut files = Files::new();
    files.insert("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec());
    files.insert("index.json".into(), index(OCI_INDEX, roots));
    for blob in blobs {
        files.insert(format!("blobs/sha256/{}", sha256(blob)), blob.to_vec());
    }
    files
}

fn plain(bytes: &[u8]) -> Vec<u8> {
    bytes.to_vec()
}

/// Docker before 1.10: no manifest.json, one folder for each image of the ancestry, one of them without changes.
fn docker_1_9() -> Content {
    const CREATED: u64 = 1_448_928_000;
    let layers = [layer("etc/os-release", "ID=lab\n"), vec![0; 1024], layer("srv/app", "app\n")];
    let commands = ["ADD os-release /etc/", "CMD [\\\"/srv/app\\\"]", "COPY app /srv/"];
    let mut files = Files::new();
    let mut parent = String::new();
    for (n, (tar, command)) in layers.iter().zip(commands).enumerate() {
        // Content-derived since 1.9; how does not matter to any reader.
        let id = sha256(format!("{parent} {n}").as_bytes());
        let above = if n == 0 { String::new() } else { format!("\"parent\":\"{parent}\",") };
        let json = format!(
            "{{\"id\":\"{id}\",{above}\"created\":\"2015-12-01T00:00:0{n}Z\",\"container_config\":{{\"Cmd\":[\"/bin/sh\",\"-c\",\
             \"#(nop) {command}\"]}},\"docker_version\":\"1.9.1\",\"config\":{{\"Cmd\":[\"/srv/app\"],\"Env\":[\"PATH=/bin\"]}},\
             \"architecture\":\"amd64\",\"os\":\"linux\",\"Size\":{}}}",
            tar.len()
        );
        files.insert(format!("{id}/VERSION"), b"1.0".to_vec());
        files.insert(format!("{id}/json"), json.into_bytes());
        files.insert(format!("{id}/layer.tar"), tar.clone());
        parent = id;
    }
    let repositories = format!("{{\"lab/old\":{{\"1\":\"{parent}\",\"latest\":\"{parent}\"}}}}\n");
    let mut out = Tar::default();
    for (name, bytes) in &files {
        if let Some(folder) = name.strip_suffix("VERSION") {
            out.folder(folder, CREATED);
        }
        out.file(name, bytes, 0o644, CREATED);
    }
    out.file("repositories", repositories.as_bytes(), 0o644, 0);
    Content::Tar(out.end())
}

/// Files of a docker-archive without an OCI half, in the order given.
fn docker_tar(members: &[(String, Vec<u8>)], mode: u32, mtime: u64) -> Vec<u8> {
    let mut tar = Tar::default();
    for (name, bytes) in members {
        tar.file(name, bytes, mode, mtime);
    }
    tar.end()
}

/// `manifest.json` of one image, with member names that `case` may change.
fn items(config: &str, tags: &[&str], layers: &[String], case: fn(&str) -> String) -> String {
    let list = |items: &[String]| items.iter().map(|i| format!("\"{i}\"")).collect::<Vec<_>>().join(",");
    let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
    format!(
        "{{\"{}\":\"{config}\",\"{}\":[{}],\"{}\":[{}]}}",
        case("Config"),
        case("RepoTags"),
        list(&tags),
        case("Layers"),
        list(layers)
    )
}

/// jib buildTar: `config.json`, layers at the top, and members whose names begin in lower case.
fn jib() -> Content {
    let image = Image::new("amd64", &[layer("app/classes/Main.class", "main")], gzip, "+gzip");
    let lower = |name: &str| format!("{}{}", name[..1].to_lowercase(), &name[1..]);
    let layers: Vec<String> =
        image.layers.iter().map(|(stored, _)| format!("{}.tar.gz", sha256(stored))).collect();
    let manifest = format!("[{}]", items("config.json", &["lab/jib:1"], &layers, lower));
    let mut members: Vec<(String, Vec<u8>)> =
        layers.into_iter().zip(image.layers).map(|(name, (stored, _))| (name, stored)).collect();
    members.push(("config.json".into(), image.config));
    members.push(("manifest.json".into(), manifest.into_bytes()));
    Content::Tar(docker_tar(&members, 0o644, 0))
}

/// ko and crane: a colon in the name of the config, layers as the registry stores them, two images that share one.
fn ko() -> Content {
    let shared = layer("etc/passwd", "root:x:0:0:root:/:/bin/sh\n");
    let images = [
        (
            "registry.lab.example:5000/ko/one:v1",
            Image::new("amd64", &[shared.clone(), vec![0; 1024]], ko_layer, ""),
        ),
        ("lab/two:latest", Image::new("amd64", &[shared, layer("two", "2")], ko_layer, "")),
    ];
    let mut members: Vec<(String, Vec<u8>)> = Vec::new();
    let mut manifest = Vec::new();
    for (tag, image) in images {
        let config = format!("sha256:{}", sha256(&image.config));
        let names: Vec<String> =
            image.layers.iter().map(|(stored, _)| format!("{}.tar.gz", sha256(stored))).collect();
        manifest.push(items(&config, &[tag], &names, str::to_owned));
        members.push((config, image.config));
        for (name, (stored, _)) in names.into_iter().zip(image.layers) {
            if members.iter().all(|(other, _)| *other != name) {
                members.push((name, stored));
            }
        }
    }
    members.push(("manifest.json".into(), format!("[{}]", manifest.join(",")).into_bytes()));
    Content::Tar(docker_tar(&members, 0o644, 0))
}

/// The empty layer as Docker compressed it, everything else stored.
fn ko_layer(bytes: &[u8]) -> Vec<u8> {
    if bytes == [0; 1024] { EMPTY_LAYER_GZIP.to_vec() } else { gzip(bytes) }
}

/// nix streamLayeredImage: a pretty config, absolute names in the layer, the whole archive in gzip.
fn nix() -> Content {
    let tar = layer("/nix/store/0000-lab/bin/app", "app\n");
    let diff_id = sha256(&tar);
    let config = format!(
        "{{\n  \"created\": \"1970-01-01T00:00:01+00:00\",\n  \"architecture\": \"amd64\",\n  \"os\": \"linux\",\n  \
         \"config\": {{\n    \"Cmd\": [\n      \"/nix/store/0000-lab/bin/app\"\n    ]\n  }},\n  \"rootfs\": {{\n    \
         \"diff_ids\": [\n      \"sha256:{diff_id}\"\n    ],\n    \"type\": \"layers\"\n  }},\n  \"history\": [\n    {{\n      \
         \"created\": \"1970-01-01T00:00:01+00:00\",\n      \"comment\": \"store paths: ['/nix/store/0000-lab']\"\n    }}\n  ]\n}}"
    );
    let name = format!("{}.json", sha256(config.as_bytes()));
    let layers = [format!("{diff_id}/layer.tar")];
    let manifest = format!("[{}]", items(&name, &["lab-nix:abc"], &layers, str::to_owned));
    let members = [
        (layers[0].clone(), tar),
        (name, config.into_bytes()),
        ("manifest.json".to_owned(), manifest.into_bytes()),
    ];
    Content::TarGz(gzip(&docker_tar(&members, 0o644, 1)))
}

/// rules_oci oci_load: blobs by digest, with an extension on layers, executable and of one date.
fn rules_oci() -> Content {
    let image = Image::new("arm64/v8", &[layer("app", "bazel"), vec![0; 1024]], gzip, "+gzip");
    let config = format!("blobs/sha256/{}", sha256(&image.config));
    let layers: Vec<String> =
        image.layers.iter().map(|(stored, _)| format!("blobs/sha256/{}.tar.gz", sha256(stored))).collect();
    let manifest = format!(
        "[{}]",
        items(&config, &["gcr.io/lab/rules:a", "gcr.io/lab/rules:b"], &layers, str::to_owned)
    );
    let mut members = vec![(config, image.config)];
    members.extend(layers.into_iter().zip(image.layers).map(|(name, (stored, _))| (name, stored)));
    members.push(("manifest.json".into(), manifest.into_bytes()));
    Content::Tar(docker_tar(&members, 0o755, 1_672_560_000))
}

/// Docker with containerd's store, one platform pulled: the index is whole, one child is absent, of another one only
/// the manifest is there.
fn child_without_blobs() -> Content {
    let here = Image::new("amd64", &[layer("app", "amd64")], gzip, "+gzip");
    let bare = Image::new("arm64/v8", &[layer("app", "arm64")], gzip, "+gzip");
    let absent = Image::new("s390x", &[layer("app", "s390x")], gzip, "+gzip");
    let list = index(OCI_INDEX, &[here.child(), bare.child(), absent.child()]);
    let root = descriptor(OCI_INDEX, &list, &named("docker.io/lab/multi:1"));
    let mut blobs = here.blobs();
    blobs.extend([&list[..], &bare.manifest]);
    let mut files = layout(&[root], blobs);
    let blob = |bytes: &[u8]| format!("blobs/sha256/{}", sha256(bytes));
    let layers: Vec<String> = here.layers.iter().map(|(stored, _)| blob(stored)).collect();
    let manifest = items(&blob(&here.config), &["lab/multi:1"], &layers, str::to_owned);
    files.insert("manifest.json".into(), format!("[{manifest}]").into_bytes());
    Content::Tar(tar_of(&files))
}

/// A docker-archive that somebody unpacked.
fn unpacked() -> Content {
    let image = Image::new("amd64", &[layer("a", "1"), layer("b", "2")], plain, "");
    let root = descriptor(OCI_MANIFEST, &image.manifest, &named("docker.io/library/unpacked:1"));
    let mut files = layout(&[root], image.blobs());
    let blob = |bytes: &[u8]| format!("blobs/sha256/{}", sha256(bytes));
    let layers: Vec<String> = image.layers.iter().map(|(stored, _)| blob(stored)).collect();
    let manifest = items(&blob(&image.config), &["unpacked:1"], &layers, str::to_owned);
    files.insert("manifest.json".into(), format!("[{manifest}]\n").into_bytes());
    Content::Folder(files)
}

/// The smallest image with a layer.
fn minimal() -> Content {
    let image = Image::new("amd64", &[vec![0; 1024]], ko_layer, "+gzip");
    let root = descriptor(OCI_MANIFEST, &image.manifest, &tagged("1"));
    Content::Folder(layout(&[root], image.blobs()))
}

/// The same image in a docker-archive without an OCI half, named as skopeo does.
fn minimal_docker() -> Content {
    let image = Image::new("amd64", &[vec![0; 1024]], plain, "");
    let config = format!("{}.json", sha256(&image.config));
    let layer = format!("{}.tar", sha256(&image.layers[0].0));
    let manifest =
        format!("[{}]", items(&config, &["lab/app:1"], std::slice::from_ref(&layer), str::to_owned));
    let members = [
        (layer, image.layers[0].0.clone()),
        (config, image.config),
        ("manifest.json".to_owned(), manifest.into_bytes()),
    ];
    Content::Tar(docker_tar(&members, 0o644, 0))
}

/// A manifest list of Docker's family in a layout, one of its images with the canonical empty layer.
fn docker_types() -> Content {
    let empty = vec![(EMPTY_LAYER_GZIP.to_vec(), vec![0; 1024])];
    let types = (DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER);
    let images = ["amd64", "arm64/v8"].map(|arch| Image::of(arch, empty.clone(), types));
    let list = index(DOCKER_LIST, &images.each_ref().map(Image::child));
    let root = descriptor(DOCKER_LIST, &list, &named("docker.io/lab/docker:1"));
    let mut blobs: Vec<&[u8]> = vec![&list];
    blobs.extend(images.iter().flat_map(Image::blobs));
    Content::Folder(layout(&[root], blobs))
}

/// Plain layers, of which each hides something of the one below.
fn three_layers() -> Content {
    let mut base = Tar::default();
    base.folder("srv/", 0);
    base.file("srv/one", b"1", 0o644, 0);
    base.file("srv/two", b"2", 0o644, 0);
    let mut middle = Tar::default();
    middle.file("srv/.wh.one", b"", 0o644, 0);
    let mut above = Tar::default();
    above.file("srv/.wh.two", b"", 0o644, 0);
    above.file("srv/three", b"3", 0o644, 0);
    let image = Image::new("amd64", &[base.end(), middle.end(), above.end()], plain, "");
    let root = descriptor(OCI_MANIFEST, &image.manifest, &tagged("1"));
    Content::Folder(layout(&[root], image.blobs()))
}

/// Plain layers with folders, a file that changes, a link and a whiteout.
fn two_layers() -> Content {
    let mut base = Tar::default();
    base.folder("etc/", 0);
    base.file("etc/one", b"1", 0o644, 0);
    base.file("etc/two", b"2", 0o644, 0);
    let mut above = Tar::default();
    above.folder("etc/", 0);
    above.file("etc/.wh.one", b"", 0o644, 0);
    above.file("etc/two", b"II", 0o644, 0);
    let image = Image::new("amd64", &[base.end(), above.end()], plain, "");
    let root = descriptor(OCI_MANIFEST, &image.manifest, &tagged("1"));
    Content::Folder(layout(&[root], image.blobs()))
}

/// What buildx makes for two platforms: an index with an attestation behind its images.
fn two_platforms() -> Content {
    let images = ["amd64", "arm64/v8"].map(|arch| {
        Image::of(
            arch,
            vec![(EMPTY_LAYER_GZIP.to_vec(), vec![0; 1024])],
            (OCI_MANIFEST, OCI_CONFIG, &format!("{OCI_LAYER}+gzip")),
        )
    });
    let statement = br#"{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://slsa.dev/provenance/v0.2","subject":[],"predicate":{}}"#;
    let attested = config("", [&statement[..]].into_iter());
    let attested = String::from_utf8_lossy(&attested)
        .replace("\"architecture\":\"\"", "\"architecture\":\"unknown\"")
        .replace("\"os\":\"linux\"", "\"os\":\"unknown\"")
        .into_bytes();
    let layer = descriptor(
        "application/vnd.in-toto+json",
        statement,
        ",\"annotations\":{\"in-toto.io/predicate-type\":\"https://slsa.dev/provenance/v0.2\"}",
    );
    let attestation = manifest(OCI_MANIFEST, OCI_CONFIG, &attested, [layer].into_iter(), "");
    let marks = format!(
        ",\"annotations\":{{\"vnd.docker.reference.digest\":\"sha256:{}\",\"vnd.docker.reference.type\":\"attestation-manifest\"}},\
         \"platform\":{{\"architecture\":\"unknown\",\"os\":\"unknown\"}}",
        sha256(&images[0].manifest)
    );
    let children = [images[0].child(), images[1].child(), descriptor(OCI_MANIFEST, &attestation, &marks)];
    let list = index(OCI_INDEX, &children);
    let root = descriptor(OCI_INDEX, &list, &named("docker.io/lab/two:1"));
    let mut blobs: Vec<&[u8]> = vec![&list, statement, &attested, &attestation];
    blobs.extend(images.iter().flat_map(Image::blobs));
    Content::Folder(layout(&[root], blobs))
}

/// An index inside an index, beside a manifest; a variant of arm.
fn nested_index() -> Content {
    let [a, b, c] =
        ["amd64", "arm/v6", "arm64/v8"].map(|arch| Image::new(arch, &[layer("app", arch)], gzip, "+gzip"));
    let inner = index(OCI_INDEX, &[b.child(), c.child()]);
    let outer = index(OCI_INDEX, &[a.child(), descriptor(OCI_INDEX, &inner, "")]);
    let root = descriptor(OCI_INDEX, &outer, &named("registry.lab.example/team/app:2.0"));
    let mut blobs: Vec<&[u8]> = vec![&inner, &outer];
    blobs.extend([&a, &b, &c].into_iter().flat_map(Image::blobs));
    Content::Folder(layout(&[root], blobs))
}

/// An image, what refers to it by `subject`, and a signature by cosign's scheme of tags.
fn referrers() -> Content {
    let image = Image::new("amd64", &[layer("app", "signed")], gzip, "+gzip");
    let digest = sha256(&image.manifest);
    let subject = format!(",\"subject\":{}", descriptor(OCI_MANIFEST, &image.manifest, ""));
    let sbom = br#"{"spdxVersion":"SPDX-2.3"}"#;
    let artifact = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{OCI_MANIFEST}\",\"artifactType\":\"application/spdx+json\",\"config\":{},\
         \"layers\":[{}]{subject}}}",
        descriptor("application/vnd.oci.empty.v1+json", b"{}", ""),
        descriptor("application/spdx+json", sbom, "")
    );
    let payload = format!(
        "{{\"critical\":{{\"identity\":{{\"docker-reference\":\"\"}},\"image\":{{\"docker-manifest-digest\":\"sha256:{digest}\"}},\
         \"type\":\"cosign container image signature\"}},\"optional\":null}}"
    );
    let signing = config("", [payload.as_bytes()].into_iter());
    let signing = String::from_utf8_lossy(&signing).replace("\"os\":\"linux\"", "\"os\":\"\"").into_bytes();
    let signature = ",\"annotations\":{\"dev.cosignproject.cosign/signature\":\"MEUCIQ==\"}";
    let simple =
        descriptor("application/vnd.dev.cosign.simplesigning.v1+json", payload.as_bytes(), signature);
    let signed = manifest(OCI_MANIFEST, OCI_CONFIG, &signing, [simple].into_iter(), "");
    let roots = [
        descriptor(OCI_MANIFEST, &image.manifest, &named("docker.io/lab/signed:1")),
        descriptor(OCI_MANIFEST, artifact.as_bytes(), ",\"artifactType\":\"application/spdx+json\""),
        descriptor(OCI_MANIFEST, &signed, &tagged(&format!("sha256-{digest}.sig"))),
    ];
    let mut blobs = image.blobs();
    blobs.extend([artifact.as_bytes(), sbom, b"{}", payload.as_bytes(), &signing, &signed]);
    Content::Folder(layout(&roots, blobs))
}

/// The smallest image with a layer, and an artifact that refers to it.
fn sbom() -> Content {
    let image = Image::new("amd64", &[vec![0; 1024]], ko_layer, "+gzip");
    let text = br#"{"spdxVersion":"SPDX-2.3"}"#;
    let artifact = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{OCI_MANIFEST}\",\"artifactType\":\"application/spdx+json\",\"config\":{},\
         \"layers\":[{}],\"subject\":{}}}",
        descriptor("application/vnd.oci.empty.v1+json", b"{}", ""),
        descriptor("application/spdx+json", text, ""),
        descriptor(OCI_MANIFEST, &image.manifest, "")
    );
    let roots = [
        descriptor(OCI_MANIFEST, &image.manifest, &tagged("1")),
        descriptor(OCI_MANIFEST, artifact.as_bytes(), ",\"artifactType\":\"application/spdx+json\""),
    ];
    let mut blobs = image.blobs();
    blobs.extend([artifact.as_bytes(), text, b"{}"]);
    Content::Folder(layout(&roots, blobs))
}

/// Two images whose tag is `latest`, told apart by their full names.
fn same_tag_twice() -> Content {
    let [a, b] = ["one", "two"].map(|name| Image::new("amd64", &[layer(name, name)], gzip, "+gzip"));
    let roots = [("docker.io/lab/one:latest", &a), ("docker.io/lab/two:latest", &b)].map(|(name, image)| {
        let names = format!(
            ",\"annotations\":{{\"io.containerd.image.name\":\"{name}\",\"org.opencontainers.image.ref.name\":\"{}\"}}",
            name.trim_start_matches("docker.io/")
        );
        descriptor(OCI_MANIFEST, &image.manifest, &names)
    });
    let blobs: Vec<&[u8]> = [&a, &b].into_iter().flat_map(Image::blobs).collect();
    Content::Tar(tar_of(&layout(&roots, blobs)))
}

/// A layer in zstd.
fn zstd() -> Content {
    let image = Image::new("riscv64", &[layer("app", "zstd"), layer("b", "too")], zstd_stored, "+zstd");
    let root = descriptor(OCI_MANIFEST, &image.manifest, &tagged("zstd"));
    Content::Folder(layout(&[root], image.blobs()))
}

/// A signature of skopeo's and podman's kind; nothing here checks what it says.
const SIGNATURE: &[u8] = b"\x00sigstore-json\n{\"mimeType\":\"application/vnd.dev.cosign.simplesigning.v1+json\",\"payload\":\"e30=\",\"annotations\":{}}";

fn dir_version(files: &mut Files) {
    files.insert("version".into(), b"Directory Transport Version: 1.1\n".to_vec());
}

/// skopeo copy --all to dir:, a Docker manifest list with signatures.
fn dir_list() -> Content {
    let [a, b] = ["amd64", "arm64/v8"].map(|arch| Image::docker(arch, &[layer("app", arch)]));
    let mut files = Files::new();
    dir_version(&mut files);
    files.insert("manifest.json".into(), index(DOCKER_LIST, &[a.child(), b.child()]));
    files.insert("signature-1".into(), SIGNATURE.to_vec());
    for image in [&a, &b] {
        let hex = sha256(&image.manifest);
        files.insert(format!("{hex}.manifest.json"), image.manifest.clone());
        files.insert(format!("{hex}.signature-1"), SIGNATURE.to_vec());
        files.insert(sha256(&image.config), image.config.clone());
        for (stored, _) in &image.layers {
            files.insert(sha256(stored), stored.clone());
        }
    }
    Content::Folder(files)
}

/// skopeo copy of one Docker image to dir:.
fn dir_one() -> Content {
    let image = Image::docker("ppc64le", &[layer("app", "one"), vec![0; 1024]]);
    let mut files = Files::new();
    dir_version(&mut files);
    files.insert("manifest.json".into(), image.manifest.clone());
    files.insert(sha256(&image.config), image.config.clone());
    for (stored, _) in &image.layers {
        files.insert(sha256(stored), stored.clone());
    }
    Content::Folder(files)
}

/// A signed schema 1 manifest of the canonical empty layer (formats.md J.2), ES256 with a key of its own; the digest of its payload is
/// `sha256:b2cae5cabe2372bcfcdf404c415239d9dfa995d813d5834823fb4b8bed9b4fd1`.
const SCHEMA1: &str = r#"{"schemaVersion":1,"name":"lab/app","tag":"1","architecture":"amd64","fsLayers":[{"blobSum":"sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4"}],"history":[{"v1Compatibility":"{\"id\":\"1974559469fa9ea06fc780fa2d455acaaa298b56e3144330d3c371e06a312c69\",\"created\":\"2015-01-01T00:00:00Z\",\"architecture\":\"amd64\",\"os\":\"linux\",\"throwaway\":true}"}],"signatures":[{"header":{"jwk":{"crv":"P-256","kid":"PKVW:Y7K6:722C:IJYT:3XEO:BTTK:5AYL:23F6:6UX7:NNJZ:6NJR:DDQP","kty":"EC","x":"SiRf-Sx6nFenKwtKdMfli88M_OFwov4PXPwo7tepkIU","y":"gy_hiIGq1teArSAI6FV4U_SG0UNZ5JXwS8yDfF2Zez0"},"alg":"ES256"},"signature":"spAMaTh0W0-CCUYXMki72AD6sl7w3n07mtkd6TagsXvYD_gErC24Q2wEElcFVGIG3ugXNlCqIlysfQes6jk4nw","protected":"eyJmb3JtYXRMZW5ndGgiOjM3OSwiZm9ybWF0VGFpbCI6ImZRIiwidGltZSI6IjIwMTUtMDEtMDFUMDA6MDA6MDBaIn0"}]}"#;

/// Storage with one image under one tag.
fn minimal_storage() -> Content {
    let image = Image::of(
        "amd64",
        vec![(EMPTY_LAYER_GZIP.to_vec(), vec![0; 1024])],
        (DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER),
    );
    let mut storage = Storage::default();
    storage.image("lab/app", &image);
    storage.tag("lab/app", "1", &[&image.manifest]);
    Content::Folder(storage.0)
}

/// Storage with two repositories that share a layer: one with a tag that moved, one with an index; one layer was
/// uploaded under SHA-512 (formats.md E.2).
fn storage() -> Content {
    let shared = layer("etc/passwd", "root:x:0:0:root:/:/bin/sh\n");
    let old = Image::docker("amd64", &[shared.clone(), layer("app", "old")]);
    let new = Image::docker("amd64", &[shared.clone(), layer("app", "new")]);
    let arm = Image::new("arm64/v8", &[shared], gzip, "+gzip");
    let list = index(OCI_INDEX, &[new.child(), arm.child()]);
    let mut storage = Storage::default();
    storage.image("lab/app", &old);
    storage.image("lab/app", &new);
    storage.tag("lab/app", "1", &[&old.manifest, &new.manifest]);
    storage.tag("lab/app", "latest", &[&new.manifest]);
    storage.image("registry.lab.example/team/multi", &new);
    storage.image("registry.lab.example/team/multi", &arm);
    storage.manifest("registry.lab.example/team/multi", &list);
    storage.tag("registry.lab.example/team/multi", "2.0", &[&list]);
    let (stored, _) = &new.layers[1];
    let alias: String =
        <sha2::Sha512 as sha2::Digest>::digest(stored).iter().map(|b| format!("{b:02x}")).collect();
    storage.put(
        format!("repositories/lab/app/_layers/sha512/{alias}/link"),
        format!("sha256:{}", sha256(stored)).into_bytes(),
    );
    Content::Folder(storage.0)
}

/// Registry storage in the making.
#[derive(Default)]
struct Storage(Files);

impl Storage {
    fn put(&mut self, path: String, bytes: Vec<u8>) {
        self.0.insert(format!("docker/registry/v2/{path}"), bytes);
    }

    fn blob(&mut self, bytes: &[u8]) -> String {
        let hex = sha256(bytes);
        self.put(format!("blobs/sha256/{}/{hex}/data", &hex[..2]), bytes.to_vec());
        hex
    }

    fn link(&mut self, path: String, hex: &str) {
        self.put(format!("repositories/{path}/link"), format!("sha256:{hex}").into_bytes());
    }

    fn manifest(&mut self, repository: &str, bytes: &[u8]) {
        let hex = self.blob(bytes);
        self.link(format!("{repository}/_manifests/revisions/sha256/{hex}"), &hex);
    }

    fn image(&mut self, repository: &str, image: &Image) {
        let layers = image.layers.iter().map(|(stored, _)| stored);
        for blob in layers.chain([&image.config]) {
            let hex = self.blob(blob);
            self.link(format!("{repository}/_layers/sha256/{hex}"), &hex);
        }
        self.manifest(repository, &image.manifest);
    }

    /// A tag and every manifest that it ever had, the current one last.
    fn tag(&mut self, repository: &str, tag: &str, manifests: &[&[u8]]) {
        let base = format!("{repository}/_manifests/tags/{tag}");
        for bytes in manifests {
            let hex = sha256(bytes);
            self.link(format!("{base}/index/sha256/{hex}"), &hex);
            self.link(format!("{base}/current"), &hex);
        }
    }
}
