//! Archives that are compressed as their names say: which tool takes which, out of the box.

use serde_json::Value;

use super::daemons::{ctr, docker};
use super::graph;
use super::ours::{convert, same};
use super::source::{Image, app, write_docker_archive};
use super::takes::{assert_ctr_holds, assert_docker_has};
use super::tools::{Case, Scene, pipe, run};
use std::process::Command;

/// Every test of this kind.
pub const CASES: &[Case] = &[
    Case { name: "docker-loads-packed", needs: &["docker", "dockerd", "containerd"], body: docker_loads },
    Case { name: "podman-loads-packed", needs: &["podman"], body: podman_loads },
    Case { name: "skopeo-copies-packed", needs: &["skopeo"], body: skopeo_copies },
    Case { name: "ctr-imports-packed", needs: &["containerd", "ctr"], body: ctr_imports },
];

const GZIP: &[&str] = &["tar.gz", "tgz"];
const ALL: &[&str] = &["tar.gz", "tgz", "tar.zst", "tzst"];

/// The image of `app.tar`, and `app.tar` in a form under one name, compressed as the ending says. It is the image still,
/// and written again it has the same bytes.
fn packed(scene: &Scene, form: &str, ending: &str) -> Image {
    let mut image = app(scene.seed);
    image.names.truncate(1);
    write_docker_archive(&scene.path("app.tar"), &[&image]);
    for file in ["ours", "again"] {
        convert(scene, &["--force", "app.tar", &format!("{form}:{file}.{ending}")]);
    }
    let bytes = |file: &str| std::fs::read(scene.path(&format!("{file}.{ending}"))).expect("written");
    let ours = bytes("ours");
    assert!(ours == bytes("again"), "{form} {ending} has other bytes each time");
    let magic: &[u8] = if ending.contains("gz") { b"\x1f\x8b" } else { b"\x28\xb5\x2f\xfd" };
    assert!(ours.starts_with(magic), "{form} {ending}");
    same(scene, "app.tar", &format!("ours.{ending}"));
    image
}

/// Docker 20.10 knows gzip, not zstd.
fn docker_loads(scene: &Scene) {
    for ending in GZIP {
        let image = packed(scene, "docker-archive", ending);
        run(docker(scene).args(["load", "--input", &format!("ours.{ending}")]));
        assert_docker_has(scene, &image);
        run(docker(scene).args(["image", "rm", &image.names[0]]));
    }
    packed(scene, "docker-archive", "tar.zst");
    let zstd = docker(scene).args(["load", "--input", "ours.tar.zst"]).output().expect("docker starts");
    assert!(!zstd.status.success(), "Docker takes zstd now: say so in docs/places.md");
}

fn podman_loads(scene: &Scene) {
    for form in ["docker-archive", "oci-archive"] {
        for ending in ALL {
            let image = packed(scene, form, ending);
            run(scene.podman().args(["load", "--quiet", "--input", &format!("ours.{ending}")]));
            let seen = run(scene.podman().args(["image", "inspect", &image.id()]));
            let seen: Value = serde_json::from_str(&seen).expect("inspect prints JSON");
            assert_eq!(seen[0]["RootFS"]["Layers"], Value::from(image.diff_ids()), "{form} {ending}");
            run(scene.podman().args(["image", "rm", "--force", &image.id()]));
        }
    }
}

/// skopeo 1.9 ends inside a docker-archive that is compressed by gzip, whoever compressed it; oci-archives it takes.
fn skopeo_copies(scene: &Scene) {
    for (form, endings) in [("oci-archive", ALL), ("docker-archive", &["tar.zst", "tzst"][..])] {
        for ending in endings {
            let image = packed(scene, form, ending);
            let to = format!("{form}-{ending}");
            scene.skopeo_copy(&[&format!("{form}:ours.{ending}"), &format!("dir:{to}")]);
            graph::directory(&scene.path(&to)).assert_holds(&image);
        }
    }
    packed(scene, "docker-archive", "tar.gz");
    let gzip = Command::new("gzip").args(["-k", "app.tar"]).current_dir(scene.path(".")).status();
    assert!(gzip.expect("gzip runs").success());
    let taken = |file: &str| {
        let copy = ["copy", "--quiet", &format!("docker-archive:{file}"), &format!("dir:{file}.dir")];
        scene.tool("skopeo").args(copy).output().expect("skopeo runs").status.success()
    };
    assert_eq!(taken("ours.tar.gz"), taken("app.tar.gz"), "ours and that of gzip are taken or not alike");
}

/// `ctr` of containerd 1.6 unpacks nothing, whoever packed it; from a pipe it takes what was unpacked before.
fn ctr_imports(scene: &Scene) {
    for form in ["docker-archive", "oci-archive"] {
        let image = packed(scene, form, "tar.gz");
        let plain = ctr(scene).args(["images", "import", "--no-unpack", "ours.tar.gz"]).output();
        let said = plain.expect("ctr starts").stderr;
        assert!(
            String::from_utf8_lossy(&said).contains("invalid tar header"),
            "ctr takes it now: say so in docs/places.md"
        );
        let mut gzip = Command::new("gzip");
        gzip.args(["-dc", "ours.tar.gz"]).current_dir(scene.path("."));
        pipe(&mut gzip, ctr(scene).args(["images", "import", "--no-unpack", "-"]));
        assert_ctr_holds(scene, &image.id());
        run(ctr(scene).args(["images", "rm", "--sync", &format!("docker.io/{}", image.names[0])]));
    }
}
