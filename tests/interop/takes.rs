//! Real tools take what restow writes.

use super::daemons::{Registry, ctr, docker};
use super::graph::{self, member};
use super::ours::{convert, differ, same};
use super::source::{Image, app, large_text, other, sha256, write_docker_archive, write_multi_layout};
use super::tools::{Case, Scene, pipe, run};
use serde_json::Value;
use std::fs;

/// Every test of this kind.
pub const CASES: &[Case] = &[
    Case { name: "docker-loads-universal", needs: DOCKER, body: |s| docker_loads(s, &[]) },
    Case {
        name: "docker-loads-legacy",
        needs: DOCKER,
        body: |s| docker_loads(s, &["--docker-format", "legacy"]),
    },
    Case {
        name: "docker-loads-gzip-layers",
        needs: DOCKER,
        body: |s| docker_loads(s, &["--compress", "gzip"]),
    },
    Case { name: "docker-loads-gzip-members", needs: DOCKER, body: |s| docker_loads(s, GZIP) },
    Case { name: "docker-loads-stdout", needs: DOCKER, body: docker_loads_stdout },
    Case { name: "docker-loads-multi-platform", needs: DOCKER, body: docker_loads_multi },
    Case {
        name: "podman-loads-universal",
        needs: &["podman"],
        body: |s| podman_loads(s, &[], "docker-archive"),
    },
    Case {
        name: "podman-loads-legacy",
        needs: &["podman"],
        body: |s| podman_loads(s, &["--docker-format", "legacy"], "docker-archive"),
    },
    Case {
        name: "podman-loads-gzip-members",
        needs: &["podman"],
        body: |s| podman_loads(s, GZIP, "docker-archive"),
    },
    Case {
        name: "podman-loads-one-name",
        needs: &["podman"],
        body: |s| podman_loads(s, &["--tag", "lab/podman-loads-one-name:1"], "docker-archive"),
    },
    // Two names are two entries of index.json, which podman refuses as "more than one image".
    Case {
        name: "podman-loads-oci-archive",
        needs: &["podman"],
        body: |s| podman_loads(s, &["--tag", "lab/podman-loads-oci-archive:1"], "oci-archive"),
    },
    Case { name: "skopeo-copies-universal", needs: SKOPEO, body: |s| skopeo_copies_docker_archive(s, &[]) },
    Case {
        name: "skopeo-copies-legacy",
        needs: SKOPEO,
        body: |s| skopeo_copies_docker_archive(s, &["--docker-format", "legacy"]),
    },
    Case { name: "skopeo-copies-oci", needs: SKOPEO, body: |s| skopeo_copies_oci(s, "oci:ours", &[]) },
    Case { name: "skopeo-copies-oci-gzip", needs: SKOPEO, body: |s| skopeo_copies_oci(s, "oci:ours", GZIP) },
    Case { name: "skopeo-copies-oci-zstd", needs: SKOPEO, body: |s| skopeo_copies_oci(s, "oci:ours", ZSTD) },
    Case {
        name: "skopeo-copies-oci-archive",
        needs: SKOPEO,
        body: |s| skopeo_copies_oci(s, "oci-archive:ours", &[]),
    },
    Case { name: "skopeo-decompresses-gzip-members", needs: SKOPEO, body: skopeo_decompresses },
    Case { name: "skopeo-copies-dir", needs: SKOPEO, body: skopeo_copies_dir },
    Case {
        name: "skopeo-copies-index-oci",
        needs: SKOPEO,
        body: |s| skopeo_copies_index(s, "oci:ours", ":1"),
    },
    Case {
        name: "skopeo-copies-index-oci-archive",
        needs: SKOPEO,
        body: |s| skopeo_copies_index(s, "oci-archive:ours", ":1"),
    },
    Case { name: "skopeo-copies-index-dir", needs: SKOPEO, body: |s| skopeo_copies_index(s, "dir:ours", "") },
    Case {
        name: "ctr-imports-universal",
        needs: CTR,
        body: |s| ctr_imports(s, &[], "docker-archive:ours.tar"),
    },
    Case {
        name: "ctr-imports-oci-archive",
        needs: CTR,
        body: |s| ctr_imports(s, &[], "oci-archive:ours.tar"),
    },
    Case {
        name: "ctr-imports-gzip-members",
        needs: CTR,
        body: |s| ctr_imports(s, GZIP, "oci-archive:ours.tar"),
    },
    Case { name: "ctr-imports-legacy", needs: CTR, body: ctr_imports_legacy },
    Case { name: "ctr-imports-multi-platform", needs: CTR, body: ctr_imports_multi },
    Case { name: "umoci-unpacks-plain", needs: &["umoci"], body: |s| umoci_unpacks(s, "none") },
    Case { name: "umoci-unpacks-gzip", needs: &["umoci"], body: |s| umoci_unpacks(s, "gzip") },
    Case { name: "umoci-unpacks-gzip-members", needs: &["umoci"], body: |s| umoci_unpacks(s, "gzip") },
    Case { name: "umoci-lists-merged-layout", needs: &["umoci"], body: umoci_lists_merged },
    Case { name: "registry-serves-image", needs: REGISTRY, body: registry_serves_image },
    Case { name: "registry-serves-index", needs: REGISTRY, body: registry_serves_index },
    Case { name: "registry-serves-merged-storage", needs: REGISTRY, body: registry_serves_merged },
];

const DOCKER: &[&str] = &["docker", "dockerd", "containerd"];
const CTR: &[&str] = &["containerd", "ctr"];
const SKOPEO: &[&str] = &["skopeo"];
const REGISTRY: &[&str] = &["docker-registry", "skopeo"];
const GZIP: &[&str] = &["--compress", "gzip"];
const ZSTD: &[&str] = &["--compress", "zstd"];

/// `restow convert OPTIONS SOURCE DESTINATION`.
fn convert_with(scene: &Scene, options: &[&str], source: &str, destination: &str) {
    let args: Vec<&str> = options.iter().copied().chain([source, destination]).collect();
    convert(scene, &args);
}

/// `app.tar` holds one image under two names; `two.tar` holds it and a second one.
fn sources(scene: &Scene) -> (Image, Image) {
    let images = (app(scene.seed), other(scene.seed));
    write_docker_archive(&scene.path("app.tar"), &[&images.0]);
    write_docker_archive(&scene.path("two.tar"), &[&images.0, &images.1]);
    images
}

/// Docker has the image under each of its names, with its ID and layers.
pub fn assert_docker_has(scene: &Scene, image: &Image) {
    for name in &image.names {
        let seen = run(docker(scene).args(["image", "inspect", name]));
        let seen: Value = serde_json::from_str(&seen).expect("inspect prints JSON");
        assert_eq!(seen[0]["Id"], image.id(), "{name}");
        assert_eq!(seen[0]["RootFS"]["Layers"], Value::from(image.diff_ids()), "{name}");
    }
}

fn docker_loads(scene: &Scene, options: &[&str]) {
    let (app, other) = sources(scene);
    convert_with(scene, options, "two.tar", "docker-archive:ours.tar");
    run(docker(scene).args(["load", "--input", "ours.tar"]));
    assert_docker_has(scene, &app);
    assert_docker_has(scene, &other);

    // What Docker then writes is still the same, and not the same as half of it.
    let save = ["save", "--output", "theirs.tar", &app.names[0], &app.names[1], &other.names[0]];
    run(docker(scene).args(save));
    convert(scene, &["theirs.tar", "oci:theirs"]);
    let theirs = graph::layout(&scene.path("theirs"));
    theirs.assert_holds(&app);
    theirs.assert_holds(&other);
    differ(scene, "theirs.tar", "app.tar");
}

fn docker_loads_stdout(scene: &Scene) {
    let (app, other) = sources(scene);
    pipe(scene.restow().args(["convert", "two.tar", "docker-archive:-"]), docker(scene).arg("load"));
    assert_docker_has(scene, &app);
    assert_docker_has(scene, &other);
}

/// The old daemon reads `manifest.json` only, whose one item is linux/amd64 on every machine.
fn docker_loads_multi(scene: &Scene) {
    let mut multi = write_multi_layout(&scene.path("multi"), scene.seed);
    convert(scene, &["oci:multi", "docker-archive:ours.tar"]);
    run(docker(scene).args(["load", "--input", "ours.tar"]));
    multi.images[0].names = vec![multi.name];
    assert_docker_has(scene, &multi.images[0]);
}

/// podman gives an ID and layers that are ours. What it puts before `lab/x:1` depends on the half of
/// the archive that it reads: `docker.io/` (the OCI one) or `localhost/` (`manifest.json`).
fn podman_loads(scene: &Scene, options: &[&str], form: &str) {
    let (app, _) = sources(scene);
    convert_with(scene, options, "app.tar", &format!("{form}:ours.tar"));
    run(scene.podman().args(["load", "--quiet", "--input", "ours.tar"]));
    let seen = run(scene.podman().args(["image", "inspect", &app.id()]));
    let seen: Value = serde_json::from_str(&seen).expect("inspect prints JSON");
    assert_eq!(seen[0]["RootFS"]["Layers"], Value::from(app.diff_ids()));
    let tags = seen[0]["RepoTags"].to_string();
    let names = if options.contains(&"--tag") { &app.names[..1] } else { &app.names };
    for name in names {
        assert!(tags.contains(&format!("/{name}\"")), "{name} in {tags}");
    }
}

fn skopeo_copies_docker_archive(scene: &Scene, options: &[&str]) {
    let (app, other) = sources(scene);
    convert_with(scene, options, "two.tar", "docker-archive:ours.tar");
    for (n, (image, name)) in
        [(&app, &app.names[0]), (&app, &app.names[1]), (&other, &other.names[0])].into_iter().enumerate()
    {
        scene.skopeo_copy(&[&format!("docker-archive:ours.tar:{name}"), &format!("dir:theirs-{n}")]);
        graph::directory(&scene.path(&format!("theirs-{n}"))).assert_holds(image);
    }
}

fn skopeo_copies_oci(scene: &Scene, ours: &str, options: &[&str]) {
    let (app, _) = sources(scene);
    convert_with(scene, options, "app.tar", ours);
    for tag in ["1", "latest"] {
        let theirs = format!("theirs-{tag}");
        scene.skopeo_copy(&["--preserve-digests", &format!("{ours}:{tag}"), &format!("dir:{theirs}")]);
        let copied = graph::directory(&scene.path(&theirs));
        copied.assert_holds(&app);
        // The manifest that skopeo read is the one that restow says is there.
        let shown = run(scene.restow().args(["inspect", "--json", ours]));
        assert!(shown.contains(&copied.roots[0]), "{} in {shown}", copied.roots[0]);
    }
}

/// What skopeo makes of our gzip is the layer, whole.
fn skopeo_decompresses(scene: &Scene) {
    let (app, _) = sources(scene);
    convert_with(scene, GZIP, "app.tar", "oci:ours");
    scene.skopeo_copy(&["oci:ours:1", &format!("docker-archive:theirs.tar:{}", app.names[0])]);
    convert(scene, &["theirs.tar", "oci:theirs"]);
    graph::layout(&scene.path("theirs")).assert_holds(&app);
}

fn skopeo_copies_dir(scene: &Scene) {
    let (app, _) = sources(scene);
    convert(scene, &["app.tar", "dir:ours"]);
    scene.skopeo_copy(&["--preserve-digests", "dir:ours", "dir:theirs"]);
    let (ours, theirs) = (graph::directory(&scene.path("ours")), graph::directory(&scene.path("theirs")));
    theirs.assert_holds(&app);
    assert_eq!(ours.roots, theirs.roots);
}

fn skopeo_copies_index(scene: &Scene, ours: &str, reference: &str) {
    let multi = write_multi_layout(&scene.path("multi"), scene.seed);
    convert(scene, &["oci:multi", ours]);
    scene.skopeo_copy(&["--all", "--preserve-digests", &format!("{ours}{reference}"), "dir:theirs"]);
    let copied = graph::directory(&scene.path("theirs"));
    assert_eq!(copied.roots, [multi.index]);
    // Two platforms and the attestation.
    assert_eq!(copied.images.len(), 3);
    multi.images.iter().for_each(|image| copied.assert_holds(image));
}

/// One row of `ctr images check`: what containerd says of the image `name`.
fn ctr_row(scene: &Scene, name: &str) -> String {
    let table = run(ctr(scene).args(["images", "check", "--snapshotter", "native"]));
    let row = table.lines().find(|line| line.starts_with(&format!("{name} ")));
    row.unwrap_or_else(|| panic!("{name} in {table}")).to_owned()
}

/// Imports and unpacks: unpacking verifies the diff IDs.
fn ctr_import(scene: &Scene) {
    run(ctr(scene).args(["images", "import", "--snapshotter", "native", "ours.tar"]));
}

/// containerd has this blob, byte for byte.
pub fn assert_ctr_holds(scene: &Scene, digest: &str) {
    let content = ctr(scene).args(["content", "get", digest]).output().expect("ctr starts").stdout;
    assert_eq!(sha256(&content), digest);
}

fn ctr_imports(scene: &Scene, options: &[&str], form: &str) {
    let (app, other) = sources(scene);
    convert_with(scene, options, "two.tar", form);
    ctr_import(scene);
    let index = member(&scene.path("ours.tar"), "index.json").expect("both forms hold index.json");
    let index: Value = serde_json::from_slice(&index).expect("JSON");
    let entries = index["manifests"].as_array().expect("a list");
    assert_eq!(entries.len(), 3);
    for entry in entries {
        let name = entry["annotations"]["io.containerd.image.name"].as_str().expect("every image is named");
        let row = ctr_row(scene, name);
        let digest = entry["digest"].as_str().expect("a digest");
        assert!(
            row.contains(digest) && row.contains(" complete ") && row.trim_end().ends_with("true"),
            "{row}"
        );
    }
    assert_ctr_holds(scene, &app.id());
    assert_ctr_holds(scene, &other.id());
}

/// containerd makes a manifest of its own here, but keeps the config and the names.
fn ctr_imports_legacy(scene: &Scene) {
    let (app, _) = sources(scene);
    convert(scene, &["--docker-format", "legacy", "app.tar", "docker-archive:ours.tar"]);
    ctr_import(scene);
    for name in &app.names {
        let row = ctr_row(scene, &format!("docker.io/{name}"));
        assert!(row.contains(" complete ") && row.trim_end().ends_with("true"), "{row}");
    }
    assert_ctr_holds(scene, &app.id());
}

fn ctr_imports_multi(scene: &Scene) {
    let multi = write_multi_layout(&scene.path("multi"), scene.seed);
    for form in ["oci-archive:ours.tar", "docker-archive:ours.tar"] {
        convert(scene, &["--force", "oci:multi", form]);
        // Unpacked is only what this machine can run; the attestation cannot be.
        run(ctr(scene).args(["images", "import", "--all-platforms", "--no-unpack", "ours.tar"]));
        let name = format!("docker.io/{}", multi.name);
        assert!(ctr_row(scene, &name).contains(&multi.index));
        multi.images.iter().for_each(|image| assert_ctr_holds(scene, &image.id()));
        run(ctr(scene).args(["images", "rm", "--sync", &name]));
    }
}

fn umoci_unpacks(scene: &Scene, compress: &str) {
    sources(scene);
    convert(scene, &["--compress", compress, "app.tar", "oci:ours"]);
    run(scene.tool("umoci").args(["unpack", "--image", "ours:latest", "bundle"]));
    let read = |name: &str| fs::read_to_string(scene.path("bundle/rootfs").join(name));
    assert_eq!(read("etc/seed").expect("changed in layer 2"), format!("{} changed", scene.seed));
    assert_eq!(read("var/twice").expect("in layers 1 and 3"), format!("{} twice", scene.seed));
    assert!(read("etc/motd").is_err(), "layer 2 removes it");
    if scene.seed.ends_with("-gzip-members") {
        assert!(read("usr/large").expect("in layer 0") == large_text(scene.seed));
        assert_eq!(read("usr/last").expect("in layer 0"), "behind the large one");
    }
}

/// Into a layout that umoci made: its image stays, ours is beside it.
fn umoci_lists_merged(scene: &Scene) {
    sources(scene);
    run(scene.tool("umoci").args(["init", "--layout", "layout"]));
    run(scene.tool("umoci").args(["new", "--image", "layout:theirs"]));
    convert(scene, &["app.tar", "oci:layout"]);
    let listed = run(scene.tool("umoci").args(["ls", "--layout", "layout"]));
    let mut tags: Vec<_> = listed.lines().collect();
    tags.sort_unstable();
    assert_eq!(tags, ["1", "latest", "theirs"]);
    run(scene.tool("umoci").args(["unpack", "--image", "layout:1", "bundle"]));
    run(scene.tool("umoci").args(["unpack", "--image", "layout:theirs", "empty"]));
}

fn registry_serves_image(scene: &Scene) {
    let (app, other) = sources(scene);
    convert(scene, &["two.tar", "registry-storage:storage"]);
    let registry = Registry::serve(scene, "storage");
    for (n, (image, name)) in
        [(&app, &app.names[0]), (&app, &app.names[1]), (&other, &other.names[0])].into_iter().enumerate()
    {
        let from = format!("docker://{}/{name}", registry.address);
        registry.copy(scene, &["--preserve-digests", &from, &format!("dir:pulled-{n}")]);
        graph::directory(&scene.path(&format!("pulled-{n}"))).assert_holds(image);
    }
}

fn pull_index(scene: &Scene, registry: &Registry, name: &str, to: &str) -> graph::Graph {
    let from = format!("docker://{}/{name}", registry.address);
    registry.copy(scene, &["--all", "--preserve-digests", &from, &format!("dir:{to}")]);
    graph::directory(&scene.path(to))
}

fn registry_serves_index(scene: &Scene) {
    let multi = write_multi_layout(&scene.path("multi"), scene.seed);
    convert(scene, &["oci:multi", "registry-storage:storage"]);
    let registry = Registry::serve(scene, "storage");
    let pulled = pull_index(scene, &registry, &multi.name, "pulled");
    assert_eq!(pulled.roots, [multi.index]);
    assert_eq!(pulled.images.len(), 3);
    multi.images.iter().for_each(|image| pulled.assert_holds(image));
}

/// Into storage that a registry wrote: what was pushed stays.
fn registry_serves_merged(scene: &Scene) {
    let (app, _) = sources(scene);
    let multi = write_multi_layout(&scene.path("multi"), &format!("{}-multi", scene.seed));
    let registry = Registry::serve(scene, "storage");
    let pushed = format!("docker://{}/{}", registry.address, multi.name);
    registry.copy(scene, &["--all", "--preserve-digests", "oci:multi:1", &pushed]);
    drop(registry);

    convert(scene, &["app.tar", "registry-storage:storage"]);
    let registry = Registry::serve(scene, "storage");
    assert_eq!(pull_index(scene, &registry, &multi.name, "pulled-multi").roots, [multi.index]);
    let from = format!("docker://{}/{}", registry.address, app.names[0]);
    registry.copy(scene, &[&from, "dir:pulled-app"]);
    graph::directory(&scene.path("pulled-app")).assert_holds(&app);
    same(scene, "app.tar", &format!("registry-storage:storage:{}", app.names[0].replace(":1", "")));
}
