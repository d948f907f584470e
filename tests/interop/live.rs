//! Real tools and restow around one registry: each pulls what the other pushed.

use super::daemons::{Registry, Served, ctr, docker};
use super::graph;
use super::ours::convert;
use super::source::{Image, app, other, sha256, write_docker_archive, write_multi_layout};
use super::tools::{Case, Scene, run};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Every test of this kind.
pub const CASES: &[Case] = &[
    Case { name: "docker-around-a-registry", needs: DOCKER, body: |s| around(s, docker_pulls) },
    Case {
        name: "podman-around-a-registry",
        needs: &["docker-registry", "podman"],
        body: |s| around(s, podman_pulls),
    },
    Case {
        name: "buildah-around-a-registry",
        needs: &["docker-registry", "buildah"],
        body: |s| around(s, buildah_pulls),
    },
    Case { name: "ctr-around-a-registry", needs: CTR, body: |s| around(s, ctr_pulls) },
    Case { name: "skopeo-around-a-registry", needs: SKOPEO, body: |s| around(s, skopeo_pulls) },
    Case { name: "skopeo-around-a-registry-index", needs: SKOPEO, body: index },
    Case { name: "restow-around-storage-it-wrote", needs: SKOPEO, body: stored },
    Case { name: "docker-pulls-what-is-served", needs: DOCKER, body: |s| served(s, docker_pull) },
    Case { name: "podman-pulls-what-is-served", needs: &["podman"], body: |s| served(s, podman_pull) },
    Case { name: "buildah-pulls-what-is-served", needs: &["buildah"], body: |s| served(s, buildah_pull) },
    Case { name: "ctr-pulls-what-is-served", needs: CTR, body: |s| served(s, ctr_pull) },
    Case { name: "ctr-pulls-twenty-out-of-one-zst", needs: CTR, body: twenty },
    Case { name: "skopeo-pulls-what-is-served", needs: SKOPEO, body: served_index },
];

const DOCKER: &[&str] = &["docker-registry", "docker", "dockerd", "containerd"];
const CTR: &[&str] = &["docker-registry", "containerd", "ctr"];
const SKOPEO: &[&str] = &["docker-registry", "skopeo"];

/// Pulls the first name, must have the image then, and pushes it under the second.
type Tool = fn(&Scene, &Image, &str, &str);

/// restow pushes; the tool pulls, and pushes what it has; restow reads that.
fn around(scene: &Scene, tool: Tool) {
    let image = app(scene.seed);
    write_docker_archive(&scene.path("app.tar"), &[&image]);
    let registry = Registry::serve(scene, "storage");
    let (ours, theirs) =
        (format!("{}/ours/app:1", registry.address), format!("{}/theirs/app:1", registry.address));
    let live = |name: &str| format!("docker://{name}");
    convert(scene, &["--image", &image.names[0], "app.tar", &live(&ours)]);
    run(scene.restow().args(["check", &live(&ours)]));
    tool(scene, &image, &ours, &theirs);
    run(scene.restow().args(["check", &live(&theirs)]));
    // Tools compress as they like; images and their layers stay what they are.
    run(scene.restow().args(["compare", "--ignore", "names,digests,layers", &live(&ours), &live(&theirs)]));
    convert(scene, &[&live(&theirs), "oci:back"]);
    graph::layout(&scene.path("back")).assert_holds(&image);
    // From registry to registry, blobs taken over within it.
    let copied = live(&format!("{}/copied/app:1", registry.address));
    convert(scene, &[&live(&theirs), &copied]);
    run(scene.restow().args(["compare", "--ignore", "names", &live(&theirs), &copied]));
}

/// Out of a docker-archive as `docker save` wrote it, which has no manifests, and out of one that is compressed.
fn served(scene: &Scene, pull: fn(&Scene, &Image, &str)) {
    let image = app(scene.seed);
    write_docker_archive(&scene.path("app.tar"), &[&image]);
    let served = Served::start(scene, &[&format!("served/app:1={}", scene.at("app.tar"))]);
    pull(scene, &image, &format!("{}/served/app:1", served.address));
    run(Command::new("gzip").current_dir(scene.path(".")).args(["-k", "app.tar"]));
    let served = Served::start(scene, &[&format!("packed/app:1={}", scene.at("app.tar.gz"))]);
    pull(scene, &image, &format!("{}/packed/app:1", served.address));
}

/// Twenty images out of one compressed archive that is not unpacked, each by the name that it has everywhere: the server is a
/// mirror of their registry, as k3s and others are told of one.
fn twenty(scene: &Scene) {
    let images: Vec<Image> =
        (0..20).map(|at| app(&format!("{}-{at}-gzip-members", scene.seed.to_lowercase()))).collect();
    write_docker_archive(&scene.path("all.tar"), &images.iter().collect::<Vec<_>>());
    convert(scene, &["all.tar", "docker-archive:all.tar.zst"]);
    let spool = scene.path("spool");
    fs::create_dir(&spool).expect("a folder");
    let served = Served::start(scene, &["--tmpdir", &scene.at("spool"), &scene.at("all.tar.zst")]);
    let hosts = scene.path("hosts/docker.io");
    fs::create_dir_all(&hosts).expect("a folder");
    let mirror = format!(
        "server = \"https://registry.invalid\"\n[host.\"http://{}\"]\n  capabilities = [\"pull\", \"resolve\"]\n",
        served.address
    );
    fs::write(hosts.join("hosts.toml"), mirror).expect("written");
    for image in &images {
        let name = format!("docker.io/{}", image.names[0]);
        run(ctr(scene)
            .args(["images", "pull", "--snapshotter", "native", "--hosts-dir"])
            .arg(scene.path("hosts"))
            .arg(&name));
        let content = ctr(scene).args(["content", "get", &image.id()]).output().expect("ctr starts").stdout;
        assert_eq!(sha256(&content), image.id());
    }
    let log = fs::read_to_string(scene.path("served.log")).expect("read");
    let line = log.lines().find(|line| line.contains("stand unpacked")).expect("what is spooled is said");
    let bytes: u64 = line.trim().split(' ').next().and_then(|word| word.parse().ok()).expect("a number");
    let all: usize = images.iter().flat_map(|image| &image.layers).map(Vec::len).sum();
    assert!(bytes < 1 << 20 && all > 50 << 20, "{line}, of {all}");
    let kept: u64 = walk(&spool);
    assert!(kept < 1 << 20, "{kept} bytes stand in the folder");
}

/// Bytes of the files below a folder.
fn walk(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let size = |path: &Path| {
        if path.is_dir() { walk(path) } else { fs::metadata(path).map_or(0, |meta| meta.len()) }
    };
    entries.map(|entry| size(&entry.path())).sum()
}

/// An index with two platforms and an attestation, whole and a platform of it.
fn served_index(scene: &Scene) {
    let multi = write_multi_layout(&scene.path("multi"), scene.seed);
    let served = Served::start(scene, &[&format!("served/app:1=oci:{}", scene.at("multi"))]);
    let from = format!("docker://{}/served/app:1", served.address);
    let copy = |more: &[&str], to: &str| {
        let common = ["--quiet", "--src-tls-verify=false", "--preserve-digests", &from, to];
        run(scene
            .tool("skopeo")
            .args(more)
            .arg("copy")
            .args(if more.is_empty() { &["--all"][..] } else { &[] })
            .args(common));
    };
    copy(&[], "oci:all:1");
    let all = graph::layout(&scene.path("all"));
    assert_eq!(all.roots, [&*multi.index]);
    multi.images.iter().for_each(|image| all.assert_holds(image));
    copy(&["--override-arch", "arm64"], "dir:one");
    graph::directory(&scene.path("one")).assert_holds(&multi.images[1]);
    run(scene.restow().args(["compare", "--ignore", "names", "oci:multi", &from]));
}

fn docker_pull(scene: &Scene, image: &Image, name: &str) {
    run(docker(scene).args(["pull", "--quiet", name]));
    let id = run(docker(scene).args(["image", "inspect", "--format", "{{.Id}}", name]));
    assert_eq!(id.trim(), image.id());
}

fn docker_pulls(scene: &Scene, image: &Image, ours: &str, theirs: &str) {
    docker_pull(scene, image, ours);
    run(docker(scene).args(["tag", ours, theirs]));
    run(docker(scene).args(["push", "--quiet", theirs]));
}

fn podman_pull(scene: &Scene, image: &Image, name: &str) {
    let id = run(scene.podman().args(["pull", "--quiet", "--tls-verify=false", name]));
    assert_eq!(format!("sha256:{}", id.trim()), image.id());
}

fn podman_pulls(scene: &Scene, image: &Image, ours: &str, theirs: &str) {
    podman_pull(scene, image, ours);
    run(scene.podman().args(["push", "--quiet", "--tls-verify=false", ours, theirs]));
}

fn buildah_pull(scene: &Scene, image: &Image, name: &str) {
    let id = run(scene.buildah().args(["pull", "--quiet", "--tls-verify=false", name]));
    assert_eq!(format!("sha256:{}", id.trim()), image.id());
}

fn buildah_pulls(scene: &Scene, image: &Image, ours: &str, theirs: &str) {
    buildah_pull(scene, image, ours);
    run(scene.buildah().args(["push", "--quiet", "--tls-verify=false", ours, &format!("docker://{theirs}")]));
}

fn ctr_pull(scene: &Scene, image: &Image, name: &str) {
    run(ctr(scene).args(["images", "pull", "--plain-http", "--snapshotter", "native", name]));
    let content = ctr(scene).args(["content", "get", &image.id()]).output().expect("ctr starts").stdout;
    assert_eq!(sha256(&content), image.id());
}

fn ctr_pulls(scene: &Scene, image: &Image, ours: &str, theirs: &str) {
    ctr_pull(scene, image, ours);
    run(ctr(scene).args(["images", "tag", ours, theirs]));
    run(ctr(scene).args(["images", "push", "--plain-http", theirs]));
}

fn skopeo_pulls(scene: &Scene, image: &Image, ours: &str, theirs: &str) {
    let copy = |from: &str, to: &str| {
        run(scene
            .tool("skopeo")
            .args(["copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false"])
            .args([from, to]));
    };
    copy(&format!("docker://{ours}"), "dir:pulled");
    graph::directory(&scene.path("pulled")).assert_holds(image);
    copy("dir:pulled", &format!("docker://{theirs}"));
}

/// An index of two platforms and an attestation goes through skopeo without a byte changed.
fn index(scene: &Scene) {
    let multi = write_multi_layout(&scene.path("multi"), scene.seed);
    let registry = Registry::serve(scene, "storage");
    let (ours, theirs) = (
        format!("docker://{}/ours/app:1", registry.address),
        format!("docker://{}/theirs/app:1", registry.address),
    );
    convert(scene, &["--digestfile", "digest", "oci:multi", &ours]);
    assert_eq!(fs::read_to_string(scene.path("digest")).expect("written").trim(), multi.index);
    registry.copy(scene, &["--all", "--preserve-digests", &ours, &theirs]);
    run(scene.restow().args(["check", &theirs]));
    run(scene.restow().args(["compare", "--ignore", "names", &ours, &theirs]));
    run(scene.restow().args(["compare", "--ignore", "names", "oci:multi", &theirs]));
    convert(scene, &[&theirs, "oci:back"]);
    let back = graph::layout(&scene.path("back"));
    assert_eq!(back.roots, [multi.index]);
    multi.images.iter().for_each(|image| back.assert_holds(image));
    // One platform of it.
    run(scene.restow().args(["check", "--platform", "linux/arm64", &theirs]));
    convert(scene, &["--platform", "linux/arm64", &theirs, "oci:one"]);
    graph::layout(&scene.path("one")).assert_holds(&multi.images[1]);
}

/// A registry over storage that restow wrote is a place like any other, and is pushed to like any other.
fn stored(scene: &Scene) {
    let images = (app(scene.seed), other(scene.seed));
    write_docker_archive(&scene.path("two.tar"), &[&images.0, &images.1]);
    convert(scene, &["two.tar", "registry-storage:storage"]);
    let registry = Registry::serve(scene, "storage");
    let all = format!("docker://{}/", registry.address);
    run(scene.restow().args(["check", &all]));
    run(scene.restow().args(["compare", "--ignore", "names", &all, "registry-storage:storage"]));
    convert(scene, &[&all, "oci:back"]);
    let back = graph::layout(&scene.path("back"));
    back.assert_holds(&images.0);
    back.assert_holds(&images.1);
    // What is there already is not sent again, and what is new stands beside it.
    let again = format!("docker://{}/again/", registry.address);
    convert(scene, &["--verify-after", &all, &again]);
    drop(registry);
    run(scene.restow().args(["check", "registry-storage:storage"]));
}
