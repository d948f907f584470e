//! A storage of 200 images that `docker-registry` wrote, damaged in every way, is put right from a sound copy, from an archive, and
//! while the registry runs; afterwards real tools pull every tag.

use super::daemons::{Registry, docker};
use super::ours::{convert, wrong};
use super::source::{Image, app, hex, write_docker_archive, write_multi_layout};
use super::tools::{Case, Scene, run};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every test of this kind.
pub const CASES: &[Case] = &[Case {
    name: "a-storage-of-200-images-is-repaired",
    needs: &["docker-registry", "skopeo", "docker", "dockerd", "containerd"],
    body: repaired,
}];

/// Images with a manifest of their own; two more are below an index.
const SINGLE: usize = 198;

/// What a tag of the storage is made of.
struct Stored {
    v2: PathBuf,
}

impl Stored {
    fn data(&self, digest: &str) -> PathBuf {
        let hex = hex(digest);
        self.v2.join(format!("blobs/sha256/{}/{hex}/data", &hex[..2]))
    }

    fn link(&self, nth: usize, below: &str) -> PathBuf {
        self.v2.join("repositories").join(repository(nth)).join(below).join("link")
    }

    fn manifest(&self, nth: usize) -> (String, Value) {
        let current = self.link(nth, &format!("_manifests/tags/v{nth}/current"));
        let digest = fs::read_to_string(current).expect("a tag");
        let manifest = fs::read(self.data(&digest)).expect("a manifest");
        (digest, serde_json::from_slice(&manifest).expect("JSON"))
    }

    fn layer(&self, nth: usize) -> PathBuf {
        self.data(self.manifest(nth).1["layers"][2]["digest"].as_str().expect("a digest"))
    }

    fn config(&self, nth: usize) -> PathBuf {
        self.data(self.manifest(nth).1["config"]["digest"].as_str().expect("a digest"))
    }
}

fn repository(nth: usize) -> String {
    format!("team/app{}", nth / 20)
}

/// A kind of damage, done to one image.
type Damage = (&'static str, fn(&Stored, usize));

const DAMAGES: &[Damage] = &[
    ("a layer of other bytes", |s, n| fs::write(s.layer(n), "other bytes").expect("written")),
    ("a layer cut short", |s, n| {
        let bytes = fs::read(s.layer(n)).expect("read");
        fs::write(s.layer(n), &bytes[..bytes.len() / 2]).expect("written");
    }),
    ("a bit of a layer", |s, n| {
        let mut bytes = fs::read(s.layer(n)).expect("read");
        bytes[20] ^= 4;
        fs::write(s.layer(n), bytes).expect("written");
    }),
    ("a layer that is gone", |s, n| fs::remove_file(s.layer(n)).expect("removed")),
    ("a config that is gone", |s, n| fs::remove_file(s.config(n)).expect("removed")),
    ("an empty config", |s, n| fs::write(s.config(n), "").expect("written")),
    ("a manifest that is gone", |s, n| fs::remove_file(s.data(&s.manifest(n).0)).expect("removed")),
    ("a manifest of other bytes", |s, n| fs::write(s.data(&s.manifest(n).0), "{}").expect("written")),
    ("a layer link that is gone", |s, n| {
        let layer = s.manifest(n).1["layers"][2]["digest"].as_str().expect("a digest").to_owned();
        fs::remove_file(s.link(n, &format!("_layers/sha256/{}", hex(&layer)))).expect("removed");
    }),
    ("a revision that is gone", |s, n| {
        let digest = s.manifest(n).0;
        fs::remove_file(s.link(n, &format!("_manifests/revisions/sha256/{}", hex(&digest))))
            .expect("removed");
    }),
    ("a tag that is no digest", |s, n| {
        fs::write(s.link(n, &format!("_manifests/tags/v{n}/current")), "").expect("written");
    }),
    ("a history that is gone", |s, n| {
        let digest = s.manifest(n).0;
        fs::remove_file(s.link(n, &format!("_manifests/tags/v{n}/index/sha256/{}", hex(&digest))))
            .expect("removed");
    }),
    ("a blob in the wrong folder", |s, n| {
        let data = s.layer(n);
        let blob = data.parent().expect("a folder");
        let wrong = blob.parent().and_then(Path::parent).expect("a folder").join("zz");
        fs::create_dir_all(&wrong).expect("made");
        fs::rename(blob, wrong.join(blob.file_name().expect("a name"))).expect("moved");
    }),
];

/// Those of them for which a registry that runs answers that it does not have something.
const LACKING: &[&str] = &[
    "a layer that is gone",
    "a config that is gone",
    "a manifest that is gone",
    "a layer link that is gone",
    "a revision that is gone",
    "a blob in the wrong folder",
];

/// What stands below a folder, by path.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).expect("listed").map(|entry| entry.expect("listed").path()));
        } else {
            found
                .insert(path.strip_prefix(folder).expect("below").to_owned(), fs::read(&path).expect("read"));
        }
    }
    found
}

/// Of every tag what a tool makes of it.
fn pulled(scene: &Scene, registry: &Registry, tags: &[usize]) {
    for nth in tags {
        let from = format!("docker://{}/{}:v{nth}", registry.address, repository(*nth));
        registry.copy(scene, &[&from, &format!("dir:{}", scene.at("pulled"))]);
        fs::remove_dir_all(scene.path("pulled")).expect("pulled");
    }
    let index = format!("docker://{}/team/multi:1", registry.address);
    registry.copy(scene, &["--all", &index, &format!("dir:{}", scene.at("pulled"))]);
    fs::remove_dir_all(scene.path("pulled")).expect("pulled");
}

fn repaired(scene: &Scene) {
    let images: Vec<Image> = (0..SINGLE)
        .map(|nth| {
            let names = vec![format!("{}:v{nth}", repository(nth))];
            Image { names, ..app(&format!("{}-{nth}", scene.seed)) }
        })
        .collect();
    write_docker_archive(&scene.path("all.tar"), &images.iter().collect::<Vec<_>>());
    write_multi_layout(&scene.path("multi"), scene.seed);
    {
        let registry = Registry::serve(scene, "storage");
        convert(scene, &["all.tar", &format!("docker://{}/", registry.address)]);
        convert(scene, &["oci:multi", &format!("docker://{}/team/multi:1", registry.address)]);
    }
    let storage = scene.path("storage");
    let copy =
        |from: &str, to: &str| run(Command::new("cp").arg("-a").arg(scene.path(from)).arg(scene.path(to)));
    copy("storage", "sound");
    convert(scene, &["registry-storage:sound", "oci-archive:copy.tar"]);
    let sound = tree(&storage);
    let stored = Stored { v2: storage.join("docker/registry/v2") };
    let place = "registry-storage:storage";
    let all: Vec<usize> = (0..SINGLE).collect();
    for (round, from) in ["registry-storage:sound", "oci-archive:copy.tar"].into_iter().enumerate() {
        // Each kind befalls two images, others in each round.
        let hit = |kind: usize, again: usize| (kind * 7 + again * 101 + round * 3) % SINGLE;
        for (kind, (_, damage)) in DAMAGES.iter().enumerate() {
            (0..2).for_each(|again| damage(&stored, hit(kind, again)));
        }
        let child = lose_child(&stored);
        wrong(scene, &["check", "-D", "storage", place]);
        let plan = wrong(scene, &["repair", place, "--from", from]);
        assert!(plan.contains(&child) && !plan.contains("left:"), "{plan}");
        let told = run(scene.restow().args([
            "repair",
            "--write",
            "--keep-wrong",
            "wrong",
            "-v",
            place,
            "--from",
            from,
        ]));
        assert!(told.contains(" put right") && !told.contains("left:"), "{told}");
        let _ = fs::remove_dir_all(stored.v2.join("blobs/sha256/zz"));
        let mut now = tree(&storage);
        now.retain(|path, _| sound.contains_key(path));
        assert!(now == sound, "{from}: not all is as it was");
        run(scene.restow().args(["check", "-D", "storage", place]));
        let registry = Registry::serve(scene, "storage");
        let damaged: Vec<usize> = (0..DAMAGES.len()).flat_map(|kind| [hit(kind, 0), hit(kind, 1)]).collect();
        pulled(scene, &registry, if round == 0 { &all } else { &damaged });
        if round == 0 {
            for nth in 0..SINGLE.div_ceil(20) {
                let name = format!("{}/team/app{nth}", registry.address);
                run(docker(scene).args(["pull", "--quiet", "--all-tags", &name]));
            }
        }
    }
    // What no place has is listed, and everything else put right.
    fs::remove_file(stored.layer(5)).expect("removed");
    fs::remove_file(stored.layer(6)).expect("removed");
    convert(scene, &["--image", &format!("{}:v5", repository(5)), "registry-storage:sound", "oci:one"]);
    let told = wrong(scene, &["repair", "--write", place, "--from", "oci:one"]);
    assert_eq!(told.matches("left: sha256:").count(), 1, "{told}");
    assert!(told.contains("oci:one does not have it"), "{told}");
    // The registry runs, and lacks things: each kind of what it can be asked for befalls two images.
    let mut hit = vec![5, 6];
    for (kind, (_, damage)) in DAMAGES.iter().enumerate().filter(|(_, (name, _))| LACKING.contains(name)) {
        let two = [kind * 11 + 8, (kind * 11 + 101) % SINGLE];
        two.iter().for_each(|nth| damage(&stored, *nth));
        hit.extend(two);
    }
    lose_child(&stored);
    let registry = Registry::serve(scene, "storage");
    let live = format!("docker://{}/", registry.address);
    let told = run(scene.restow().args(["repair", "--write", "-v", &live, "--from", "oci-archive:copy.tar"]));
    assert!(!told.contains("left:"), "{told}");
    assert!(told.contains("  tag team/app"), "{told}");
    pulled(scene, &registry, &hit);
    let _ = fs::remove_dir_all(stored.v2.join("blobs/sha256/zz"));
    run(scene.restow().args(["check", "-D", "storage", place]));
}

/// Removes the manifest of one platform of the index, and its revision; its digest.
fn lose_child(stored: &Stored) -> String {
    let below = stored.v2.join("repositories/team/multi/_manifests");
    let index = fs::read_to_string(below.join("tags/1/current/link")).expect("a tag");
    let index: Value =
        serde_json::from_slice(&fs::read(stored.data(&index)).expect("an index")).expect("JSON");
    let child = index["manifests"][1]["digest"].as_str().expect("a digest").to_owned();
    fs::remove_file(stored.data(&child)).expect("removed");
    fs::remove_file(below.join("revisions/sha256").join(hex(&child)).join("link")).expect("removed");
    child
}
