//! What holds for every sound archive: it is not said to be wrong, it goes to every form and back unchanged, and what is
//! written does not depend on the order of its members, on the number of jobs, or on the pieces in which it arrives.
//!
//! `PROPTEST_CASES=N` tries N archives instead of 10.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::common::tree_digest;
use crate::layout::Bench;
use proptest::collection::vec;
use proptest::prelude::*;
use restow::digest::Digest;
use serde_json::{Value, json};

#[derive(Debug, Clone, Copy)]
enum Codec {
    Plain,
    Gzip,
    Zstd,
}

#[derive(Debug, Clone)]
struct Layer {
    codec: Codec,
    files: Vec<(String, Vec<u8>)>,
}

#[derive(Debug, Clone)]
struct Image {
    layers: Vec<Layer>,
    label: String,
    name: String,
}

#[derive(Debug, Clone)]
struct Sound {
    images: Vec<Image>,
    /// Docker's media types instead of OCI's; those have no name for zstd.
    docker: bool,
    /// All are children of one index, each for a platform of its own.
    index: bool,
    /// Annotations of whoever made it.
    annotation: Option<String>,
    /// An order of the members.
    order: u64,
    /// Sizes of the pieces in which a stream arrives.
    pieces: Vec<usize>,
}

const PLATFORMS: [(&str, &str); 4] = [("amd64", ""), ("arm64", "v8"), ("arm", "v7"), ("s390x", "")];

fn sound() -> impl Strategy<Value = Sound> {
    let codec = prop_oneof![Just(Codec::Plain), Just(Codec::Gzip), Just(Codec::Zstd)];
    let file = ("[a-z][a-z0-9_.é-]{0,12}", vec(any::<u8>(), 0..3000));
    let layer = (codec, vec(file, 0..4)).prop_map(|(codec, files)| Layer { codec, files });
    let name = "[a-z][a-z0-9]{0,8}(/[a-z][a-z0-9]{0,8}){1,2}:[A-Za-z0-9_][A-Za-z0-9_.-]{0,10}";
    let image = (vec(layer, 1..4), "\\PC{0,20}", name).prop_map(|(layers, label, name)| Image {
        layers,
        label,
        name,
    });
    let annotation = proptest::option::of("\\PC{0,30}");
    let rest = (any::<bool>(), any::<bool>(), annotation, any::<u64>(), vec(1usize..5000, 1..6));
    (vec(image, 1..4), rest).prop_map(|(images, (docker, index, annotation, order, pieces))| Sound {
        images,
        docker,
        index,
        annotation,
        order,
        pieces,
    })
}

impl Layer {
    fn plain(&self) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        // A path stands once in a layer.
        let files: BTreeMap<_, _> = self.files.iter().map(|(name, data)| (name, data)).collect();
        for (name, data) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(data.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, &data[..]).expect("memory");
        }
        tar.into_inner().expect("memory")
    }

    fn stored(&self, docker: bool) -> (Vec<u8>, String) {
        let plain = self.plain();
        let base = "application/vnd.oci.image.layer.v1.tar";
        let docker_base = "application/vnd.docker.image.rootfs.diff.tar";
        match self.codec {
            Codec::Plain => (plain, if docker { docker_base.to_owned() } else { base.to_owned() }),
            Codec::Zstd if !docker => {
                (zstd::stream::encode_all(&plain[..], 1).expect("memory"), format!("{base}+zstd"))
            }
            Codec::Gzip | Codec::Zstd => {
                let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                gzip.write_all(&plain).expect("memory");
                let kind = if docker { format!("{docker_base}.gzip") } else { format!("{base}+gzip") };
                (gzip.finish().expect("memory"), kind)
            }
        }
    }
}

/// Members of an OCI layout, by name.
type Members = BTreeMap<String, Vec<u8>>;

fn add(members: &mut Members, media_type: &str, bytes: Vec<u8>) -> Value {
    let digest = Digest::sha256(&bytes);
    let descriptor = json!({"mediaType": media_type, "digest": digest.as_str(), "size": bytes.len()});
    members.insert(format!("blobs/sha256/{}", digest.encoded()), bytes);
    descriptor
}

impl Sound {
    fn members(&self) -> Members {
        let kind = |oci: &'static str, docker: &'static str| if self.docker { docker } else { oci };
        let manifest_kind = kind(
            "application/vnd.oci.image.manifest.v1+json",
            "application/vnd.docker.distribution.manifest.v2+json",
        );
        let mut members = Members::new();
        let mut roots = Vec::new();
        let mut children = Vec::new();
        for (i, image) in self.images.iter().enumerate() {
            let (architecture, variant) = PLATFORMS[i];
            let mut platform = json!({"os": "linux", "architecture": architecture});
            let mut config = json!({
                "architecture": architecture, "os": "linux", "created": "2024-05-06T07:08:09Z",
                "config": {"Cmd": ["/x"], "Labels": {"label": image.label}},
                "history": image.layers.iter().map(|_| json!({"created_by": "x", "created": "2024-05-06T07:08:09Z"})).collect::<Vec<_>>(),
                "rootfs": {"type": "layers", "diff_ids": image.layers.iter().map(|layer| Digest::sha256(&layer.plain()).to_string()).collect::<Vec<_>>()},
            });
            if !variant.is_empty() {
                platform["variant"] = json!(variant);
                config["variant"] = json!(variant);
            }
            let config_kind = kind(
                "application/vnd.oci.image.config.v1+json",
                "application/vnd.docker.container.image.v1+json",
            );
            let config = add(&mut members, config_kind, config.to_string().into_bytes());
            let layers: Vec<Value> = image
                .layers
                .iter()
                .map(|layer| {
                    let (stored, media_type) = layer.stored(self.docker);
                    add(&mut members, &media_type, stored)
                })
                .collect();
            let mut manifest =
                json!({"schemaVersion": 2, "mediaType": manifest_kind, "config": config, "layers": layers});
            if let (Some(text), false) = (&self.annotation, self.docker) {
                manifest["annotations"] = json!({"com.example.note": text});
            }
            let mut descriptor = add(&mut members, manifest_kind, manifest.to_string().into_bytes());
            if self.index {
                descriptor["platform"] = platform;
                children.push(descriptor);
            } else {
                // Two of one name would be one that moved.
                descriptor["annotations"] =
                    json!({"io.containerd.image.name": format!("docker.io/n{i}{}", image.name)});
                roots.push(descriptor);
            }
        }
        if self.index {
            let index_kind = kind(
                "application/vnd.oci.image.index.v1+json",
                "application/vnd.docker.distribution.manifest.list.v2+json",
            );
            let index = json!({"schemaVersion": 2, "mediaType": index_kind, "manifests": children});
            let mut descriptor = add(&mut members, index_kind, index.to_string().into_bytes());
            descriptor["annotations"] =
                json!({"io.containerd.image.name": format!("docker.io/{}", self.images[0].name)});
            roots.push(descriptor);
        }
        let index = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": roots,
        });
        members.insert("index.json".into(), index.to_string().into_bytes());
        members.insert("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec());
        members
    }

    /// A tar whose members are in an order that `seed` chooses.
    fn tar(&self, path: &Path, seed: u64) {
        let members = self.members();
        let mut order: Vec<_> = members.iter().collect();
        order.sort_by_key(|(name, _)| Digest::sha256(format!("{seed} {name}").as_bytes()).to_string());
        let mut tar = tar::Builder::new(std::fs::File::create(path).expect("created"));
        for (name, bytes) in order {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, &bytes[..]).expect("written");
        }
        tar.finish().expect("written");
    }
}

struct Scene {
    bench: Bench,
    source: String,
}

impl Scene {
    fn new(sound: &Sound) -> Scene {
        let bench = Bench::new();
        let path = bench.dir.path().join("source.tar");
        sound.tar(&path, sound.order);
        Scene { source: path.display().to_string(), bench }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.bench.dir.path().join(name)
    }

    fn place(&self, form: &str, name: &str) -> String {
        format!("{form}:{}", self.path(name).display())
    }
}

fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(10);
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 60, ..ProptestConfig::default() }
}

proptest! {
    #[test]
    fn digests_are_printed_as_they_were_written(
        text in "(sha256|sha384|sha512|blake3|a\\+b|SHA256|):?[0-9a-fA-F]{60,64}|[a-z0-9.+_-]{1,9}:[A-Za-z0-9=_-]{1,130}|\\PC{0,80}",
        bytes in vec(any::<u8>(), 0..100),
    ) {
        if let Ok(digest) = Digest::parse(&text) {
            prop_assert_eq!(digest.to_string(), text);
        }
        let digest = Digest::sha256(&bytes);
        prop_assert_eq!(Digest::parse(digest.as_str()).expect("its own"), digest);
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_sound_archive_goes_to_every_form_and_back(sound in sound()) {
        let scene = Scene::new(&sound);
        scene.bench.run(0, &["check", &scene.source]);
        let one = sound.images.len() == 1 && !sound.index;
        // One `dir:` holds one manifest.
        let forms = ["oci", "oci-archive", "docker-archive", "registry-storage", "dir"];
        for form in forms.into_iter().filter(|form| one || *form != "dir") {
            let there = scene.place(form, form);
            scene.bench.run(0, &["convert", "-q", "--preserve-digests", &scene.source, &there]);
            scene.bench.run(0, &["check", &there]);
            // What a form has no place for: names in `dir:`.
            let ignore = if form == "dir" { &["--ignore", "names"][..] } else { &[] };
            scene.bench.run(0, &[&["compare"], ignore, &[&*scene.source, &there]].concat());
            let back = scene.place("oci", &format!("{form}-back"));
            scene.bench.run(0, &["convert", "-q", "--preserve-digests", &there, &back]);
            scene.bench.run(0, &["check", &back]);
            scene.bench.run(0, &[&["compare"], ignore, &[&*scene.source, &back]].concat());
            // Every blob is there, and no byte of any has changed.
            for (name, bytes) in sound.members().iter().filter(|(name, _)| name.starts_with("blobs/")) {
                let found = std::fs::read(scene.path(&format!("{form}-back")).join(name)).unwrap_or_default();
                prop_assert!(&found == bytes, "{form}: {name} is not what it was");
            }
        }
        // What is compressed anew is the same image.
        let other = scene.place("oci", "other");
        scene.bench.run(0, &["convert", "-q", "--compress", "gzip", &scene.source, &other]);
        scene.bench.run(0, &["check", &other]);
        scene.bench.run(0, &["compare", "--ignore", "digests,layers", &scene.source, &other]);
    }

    #[test]
    fn order_jobs_and_pieces_change_nothing(sound in sound()) {
        let scene = Scene::new(&sound);
        let shuffled = scene.path("shuffled.tar");
        sound.tar(&shuffled, sound.order.wrapping_add(1));
        let shuffled = shuffled.display().to_string();
        let bytes = std::fs::read(&scene.source).expect("read");
        for form in ["oci-archive", "docker-archive", "oci", "registry-storage"] {
            let place = |name: &str| scene.place(form, &format!("{form}-{name}"));
            let gzip = ["convert", "-q", "--compress", "gzip"];
            scene.bench.run(0, &[&gzip[..], &["--jobs", "1", &scene.source, &place("1")]].concat());
            scene.bench.run(0, &[&gzip[..], &["--jobs", "16", &scene.source, &place("16")]].concat());
            scene.bench.run(0, &[&gzip[..], &[&*shuffled, &place("shuffled")]].concat());
            let mut restow = scene.bench.restow.command();
            restow.args(gzip).args(["-", &place("pieces")]).stdin(Stdio::piped());
            let mut child = restow.spawn().expect("restow starts");
            let mut stdin = child.stdin.take().expect("piped");
            let (mut rest, mut sizes) = (&bytes[..], sound.pieces.iter().cycle());
            while let (false, Some(size)) = (rest.is_empty(), sizes.next()) {
                let (piece, after) = rest.split_at((*size).min(rest.len()));
                stdin.write_all(piece).expect("taken");
                rest = after;
            }
            drop(stdin);
            prop_assert_eq!(child.wait().expect("ended").code(), Some(0));
            let files = |name: &str| tree_digest::files(&scene.path(&format!("{form}-{name}"))).expect("read");
            for name in ["16", "shuffled", "pieces"] {
                prop_assert!(files("1") == files(name), "{form}: {name} is unlike --jobs 1");
            }
        }
        // So it is with what is said.
        let said = |arguments: &[&str]| scene.bench.run(0, arguments).stdout;
        let json = ["check", "--report", "json", "--jobs"];
        let one = said(&[&json[..], &["1", &scene.source]].concat());
        prop_assert!(one == said(&[&json[..], &["16", &scene.source]].concat()), "the report depends on jobs");
    }

    /// An index that is split and put together is the same; what is added and removed leaves it as it was; what is said of a
    /// child changes that alone.
    #[test]
    fn indexes_come_back(sound in sound()) {
        let mut sound = sound;
        sound.index = true;
        let scene = Scene::new(&sound);
        let index = |place: &str| {
            String::from_utf8(scene.bench.run(0, &["inspect", "--raw", "index", place]).stdout).expect("text")
        };
        let before = index(&scene.source);
        for form in ["oci", "oci-archive", "docker-archive", "registry-storage"] {
            let named = |file: &str, name: &str| format!("{}:{name}", scene.place(form, file));
            let parts = match form {
                "registry-storage" => named(&format!("{form}-parts"), "lab/{}:1"),
                form => named(&format!("{form}-{{}}"), "lab/{}:1"),
            };
            scene.bench.run(0, &["index", "split", "-q", &scene.source, &parts]);
            let names = PLATFORMS.iter().take(sound.images.len()).map(|(architecture, variant)| {
                // arm64/v8 is arm64.
                match *variant { "" | "v8" => format!("linux-{architecture}"), variant => format!("linux-{architecture}-{variant}") }
            });
            let parts: Vec<String> = names.map(|name| parts.replace("{}", &name)).collect();
            let whole = named(&format!("{form}-whole"), "lab/whole:1");
            let mut create = vec!["index", "create", "-q", &whole];
            create.extend(parts.iter().map(String::as_str));
            scene.bench.run(0, &create);
            prop_assert_eq!(&index(&whole), &before, "{}: create of split", form);
            let Some(last) = parts.last().filter(|_| parts.len() > 1) else { continue };
            let platform = last.rsplit("linux-").next().and_then(|name| name.split(':').next()).unwrap_or_default();
            let platform = format!("linux/{}", platform.replace('-', "/"));
            scene.bench.run(0, &["index", "remove", "-q", &whole, &platform]);
            prop_assert_ne!(&index(&whole), &before);
            scene.bench.run(0, &["index", "add", "-q", &whole, last]);
            prop_assert_eq!(&index(&whole), &before, "{}: remove, then add", form);
            scene.bench.run(0, &["index", "annotate", "-q", "--os-version", "7", &whole, &platform]);
            let said = index(&whole);
            prop_assert_eq!(&said.replacen(",\"os.version\":\"7\"", "", 1), &before, "{}: annotate", form);
            scene.bench.run(0, &["check", &whole]);
        }
    }
}
