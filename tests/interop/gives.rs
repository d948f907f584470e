//! restow takes what real tools write.

use super::daemons::{Registry, ctr, docker};
use super::graph;
use super::ours::{Expected, convert, same, takes, wrong};
use super::source::{Image, app, other, write_docker_archive, write_multi_layout};
use super::tools::{Case, Scene, pipe, run};
use std::fs;

/// Every test of this kind.
pub const CASES: &[Case] = &[
    Case { name: "docker-save-one", needs: DOCKER, body: docker_save_one },
    Case { name: "docker-save-several", needs: DOCKER, body: docker_save_several },
    Case { name: "docker-save-by-id", needs: DOCKER, body: docker_save_by_id },
    Case { name: "docker-save-stdin", needs: DOCKER, body: docker_save_stdin },
    Case {
        name: "podman-save-docker-archive",
        needs: PODMAN,
        body: |s| podman_save(s, "docker-archive", true),
    },
    Case { name: "podman-save-docker-dir", needs: PODMAN, body: |s| podman_save(s, "docker-dir", true) },
    Case { name: "podman-save-oci-archive", needs: PODMAN, body: |s| podman_save(s, "oci-archive", false) },
    Case { name: "podman-save-oci-dir", needs: PODMAN, body: |s| podman_save(s, "oci-dir", false) },
    Case { name: "podman-save-multi", needs: PODMAN, body: podman_save_multi },
    Case { name: "skopeo-docker-archive", needs: SKOPEO, body: |s| skopeo(s, "docker-archive", &[]) },
    Case { name: "skopeo-dir", needs: SKOPEO, body: |s| skopeo(s, "dir", &[]) },
    Case { name: "skopeo-dir-gzip", needs: SKOPEO, body: |s| skopeo(s, "dir", &["--dest-compress"]) },
    Case { name: "skopeo-dir-zstd", needs: SKOPEO, body: |s| skopeo(s, "dir", &OCI_ZSTD_DIR) },
    Case { name: "skopeo-oci-gzip", needs: SKOPEO, body: |s| skopeo(s, "oci", &[]) },
    Case { name: "skopeo-oci-plain", needs: SKOPEO, body: skopeo_oci_plain },
    Case { name: "skopeo-oci-zstd", needs: SKOPEO, body: |s| skopeo(s, "oci", ZSTD) },
    Case { name: "skopeo-oci-archive-gzip", needs: SKOPEO, body: |s| skopeo(s, "oci-archive", &[]) },
    Case { name: "skopeo-oci-archive-zstd", needs: SKOPEO, body: |s| skopeo(s, "oci-archive", ZSTD) },
    Case { name: "ctr-export-image", needs: CTR, body: ctr_export_image },
    Case {
        name: "ctr-export-one-platform",
        needs: CTR,
        body: |s| ctr_export_index(s, &["--platform", "linux/amd64"], 1),
    },
    Case {
        name: "ctr-export-all-platforms",
        needs: CTR,
        body: |s| ctr_export_index(s, &["--all-platforms"], 2),
    },
    Case { name: "umoci-layout", needs: &["umoci"], body: umoci_layout },
    Case {
        name: "buildah-push-docker-archive",
        needs: BUILDAH,
        body: |s| buildah_push(s, "docker", "docker-archive", &[]),
    },
    Case { name: "buildah-push-oci", needs: BUILDAH, body: |s| buildah_push(s, "oci", "oci", &[]) },
    Case {
        name: "buildah-push-oci-archive",
        needs: BUILDAH,
        body: |s| buildah_push(s, "oci", "oci-archive", &[]),
    },
    Case {
        name: "buildah-push-docker-as-oci",
        needs: BUILDAH,
        body: |s| buildah_push(s, "docker", "oci", &[]),
    },
    Case {
        name: "buildah-push-oci-zstd",
        needs: BUILDAH,
        body: |s| buildah_push(s, "oci", "oci", &BUILDAH_ZSTD),
    },
    Case { name: "registry-stores-image", needs: REGISTRY, body: registry_stores_image },
    Case { name: "registry-stores-index", needs: REGISTRY, body: registry_stores_index },
];

const DOCKER: &[&str] = &["docker", "dockerd", "containerd"];
const CTR: &[&str] = &["containerd", "ctr"];
const PODMAN: &[&str] = &["podman"];
const BUILDAH: &[&str] = &["buildah"];
const SKOPEO: &[&str] = &["skopeo"];
const REGISTRY: &[&str] = &["docker-registry", "skopeo"];
const ZSTD: &[&str] = &["--dest-compress-format", "zstd"];
/// `dir:` compresses only when told to, and Docker's manifest cannot hold zstd.
const OCI_ZSTD_DIR: [&str; 5] = ["--format", "oci", "--dest-compress", "--dest-compress-format", "zstd"];
const BUILDAH_ZSTD: [&str; 2] = ["--compression-format", "zstd"];

/// Puts [`app`] and [`other`] into the daemon.
fn loaded(scene: &Scene) -> (Image, Image) {
    let images = (app(scene.seed), other(scene.seed));
    write_docker_archive(&scene.path("two.tar"), &[&images.0, &images.1]);
    run(docker(scene).args(["load", "--input", "two.tar"]));
    images
}

fn docker_save_one(scene: &Scene) {
    let (app, _) = loaded(scene);
    run(docker(scene).args(["save", "--output", "theirs.tar", &app.names[0]]));
    let expected = Expected {
        names: vec![&app.names[0]],
        images: vec![&app],
        storable: true,
        single: true,
        ..Expected::default()
    };
    takes(scene, "theirs.tar", &expected);
}

fn docker_save_several(scene: &Scene) {
    let (app, other) = loaded(scene);
    let names = [&*app.names[0], &app.names[1], &other.names[0]];
    run(docker(scene).args(["save", "--output", "theirs.tar"]).args(names));
    let expected =
        Expected { images: vec![&app, &other], names: names.to_vec(), storable: true, ..Expected::default() };
    takes(scene, "theirs.tar", &expected);
    // Docker wrote what it was given.
    same(scene, "theirs.tar", "two.tar");
}

fn docker_save_by_id(scene: &Scene) {
    let (app, _) = loaded(scene);
    run(docker(scene).args(["save", "--output", "theirs.tar", &app.id()]));
    takes(scene, "theirs.tar", &Expected { images: vec![&app], single: true, ..Expected::default() });
}

fn docker_save_stdin(scene: &Scene) {
    let (app, other) = loaded(scene);
    for (form, back) in
        [("oci:ours", "ours"), ("oci-archive:ours.tar", ""), ("docker-archive:ours-docker.tar", "")]
    {
        let mut save = docker(scene);
        save.args(["save", &app.names[0], &app.names[1], &other.names[0]]);
        pipe(&mut save, scene.restow().args(["convert", "-", form]));
        same(scene, "two.tar", form);
        if !back.is_empty() {
            let ours = graph::layout(&scene.path(back));
            ours.assert_holds(&app);
            ours.assert_holds(&other);
        }
    }
}

/// [`app`] in podman's store; the name that podman gave it.
fn podman_loaded(scene: &Scene) -> (Image, String) {
    let mut app = app(scene.seed);
    app.names = vec![format!("quay.io/lab/{}:1", scene.seed)];
    write_docker_archive(&scene.path("app.tar"), &[&app]);
    run(scene.podman().args(["load", "--quiet", "--input", "app.tar"]));
    let name = app.names[0].clone();
    (app, name)
}

/// podman's OCI formats write another config, without what OCI does not know.
fn podman_save(scene: &Scene, format: &str, keeps_config: bool) {
    let (app, name) = podman_loaded(scene);
    run(scene.podman().args(["save", "--quiet", "--format", format, "--output", "theirs", &name]));
    let named = format != "docker-dir";
    let mut expected = Expected { single: true, storable: named, ..Expected::default() };
    if named {
        expected.names.push(&name);
    }
    if keeps_config {
        expected.images.push(&app)
    } else {
        expected.layers_of.push(&app)
    }
    takes(scene, "theirs", &expected);
}

fn podman_save_multi(scene: &Scene) {
    let (app, name) = podman_loaded(scene);
    let mut other = other(scene.seed);
    let second = format!("localhost/lab/{}:also", scene.seed);
    other.names = vec![format!("quay.io/lab/{}-other:2", scene.seed)];
    write_docker_archive(&scene.path("other.tar"), &[&other]);
    run(scene.podman().args(["load", "--quiet", "--input", "other.tar"]));
    run(scene.podman().args(["tag", &name, &second]));
    let save =
        ["save", "--quiet", "--multi-image-archive", "--format", "docker-archive", "--output", "theirs"];
    run(scene.podman().args(save).args([&name, &second, &other.names[0]]));
    let expected = Expected {
        images: vec![&app, &other],
        names: vec![&name, &second, &other.names[0]],
        storable: true,
        ..Expected::default()
    };
    takes(scene, "theirs", &expected);
}

/// skopeo keeps Docker's config for `docker-archive:` and `dir:`, and rewrites it for OCI.
fn skopeo(scene: &Scene, form: &str, options: &[&str]) {
    let app = app(scene.seed);
    write_docker_archive(&scene.path("app.tar"), &[&app]);
    // `:REF` of an OCI form is taken word for word; a full name makes it one that storage can hold.
    let reference = if form == "dir" { String::new() } else { format!(":docker.io/{}", app.names[0]) };
    let source = format!("docker-archive:app.tar:{}", app.names[0]);
    let mut args = options.to_vec();
    let destination = format!("{form}:theirs{reference}");
    args.extend([&*source, &*destination]);
    scene.skopeo_copy(&args);
    let mut expected = Expected { single: true, storable: form != "dir", ..Expected::default() };
    if form != "dir" {
        expected.names.push(&app.names[0]);
    }
    let rewritten = form.starts_with("oci") || options.contains(&"oci");
    if rewritten {
        expected.layers_of.push(&app)
    } else {
        expected.images.push(&app)
    }
    takes(scene, "theirs", &expected);
}

/// skopeo 1.9 calls plain layers gzip: that is reported, and mended where it is asked for.
fn skopeo_oci_plain(scene: &Scene) {
    let app = app(scene.seed);
    write_docker_archive(&scene.path("app.tar"), &[&app]);
    let source = format!("docker-archive:app.tar:{}", app.names[0]);
    let destination = format!("oci:skopeo:docker.io/{}", app.names[0]);
    scene.skopeo_copy(&["--dest-oci-accept-uncompressed-layers", &source, &destination]);
    let found = wrong(scene, &["check", "skopeo"]);
    assert!(found.contains("layer/codec-mismatch"), "{found}");
    let found = wrong(scene, &["convert", "skopeo", "oci:refused"]);
    assert!(found.contains("layer/codec-mismatch") && !scene.path("refused").exists(), "{found}");
    convert(scene, &["--manifest-format", "oci", "-W", "layer/codec-mismatch", "skopeo", "oci:theirs"]);
    let expected = Expected {
        layers_of: vec![&app],
        names: vec![&app.names[0]],
        storable: true,
        single: true,
        ..Expected::default()
    };
    takes(scene, "theirs", &expected);
}

fn ctr_export_image(scene: &Scene) {
    let app = app(scene.seed);
    write_docker_archive(&scene.path("app.tar"), &[&app]);
    run(ctr(scene).args(["images", "import", "--no-unpack", "app.tar"]));
    let names = app.names.iter().map(|name| format!("docker.io/{name}")).collect::<Vec<_>>();
    run(ctr(scene).args(["images", "export", "theirs.tar"]).args(&names));
    let expected = Expected {
        images: vec![&app],
        names: app.names.iter().map(|name| &**name).collect(),
        storable: true,
        single: true,
        ..Expected::default()
    };
    takes(scene, "theirs.tar", &expected);
}

/// The whole index, or the whole index with only one platform's blobs.
fn ctr_export_index(scene: &Scene, options: &[&str], platforms: usize) {
    let multi = write_multi_layout(&scene.path("multi"), scene.seed);
    let mut tar = tar::Builder::new(fs::File::create(scene.path("multi.tar")).expect("a new file"));
    tar.append_dir_all(".", scene.path("multi")).and_then(|()| tar.finish()).expect("a tar of the layout");
    drop(tar);
    run(ctr(scene).args(["images", "import", "--all-platforms", "--no-unpack", "multi.tar"]));
    let name = format!("docker.io/{}", multi.name);
    run(ctr(scene).args(["images", "export"]).args(options).args(["theirs.tar", &name]));
    let expected = Expected {
        images: multi.images[..platforms].iter().collect(),
        names: vec![&multi.name],
        root: Some(&multi.index),
        // Registries hold no index of which a child is not there.
        storable: platforms == multi.images.len(),
        ..Expected::default()
    };
    takes(scene, "theirs.tar", &expected);
    if !expected.storable {
        let refused =
            scene.restow().args(["convert", "theirs.tar", "registry-storage:out"]).output().expect("runs");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains("--platform") && !scene.path("out").exists(), "{said}");
        convert(scene, &["--platform", "linux/amd64", "theirs.tar", "registry-storage:out"]);
    }
}

/// Two tags, several layers, and blobs of earlier steps that nothing refers to.
fn umoci_layout(scene: &Scene) {
    let umoci = |args: &[&str]| run(scene.tool("umoci").args(args));
    fs::create_dir_all(scene.path("files/etc")).expect("files");
    fs::write(scene.path("files/etc/seed"), scene.seed).expect("a file");
    umoci(&["init", "--layout", "theirs"]);
    umoci(&["new", "--image", "theirs:v1"]);
    umoci(&["insert", "--image", "theirs:v1", "files", "/opt/one"]);
    umoci(&["insert", "--image", "theirs:v1", "files", "/opt/two"]);
    umoci(&["config", "--image", "theirs:v1", "--config.env", "SEED=<a> & b", "--config.cmd", "/bin/sh"]);
    umoci(&["tag", "--image", "theirs:v1", "v2"]);
    // Tags alone name no repository, so `storable` is false; given a name it goes there too.
    takes(scene, "theirs", &Expected { names: vec!["v1", "v2"], ..Expected::default() });
    convert(scene, &["oci:theirs:v1", "registry-storage:storage:lab/umoci:v1"]);
    convert(scene, &["registry-storage:storage:lab/umoci:v1", "oci:again:v1"]);
    run(scene.tool("umoci").args(["unpack", "--image", "again:v1", "bundle"]));
    let seed = fs::read_to_string(scene.path("bundle/rootfs/opt/two/etc/seed")).expect("inserted");
    assert_eq!(seed, scene.seed);
}

fn buildah_push(scene: &Scene, format: &str, form: &str, options: &[&str]) {
    let buildah = |args: &[&str]| run(scene.buildah().args(args)).trim().to_owned();
    fs::create_dir_all(scene.path("files/etc")).expect("files");
    fs::write(scene.path("files/etc/seed"), scene.seed).expect("a file");
    let container = buildah(&["from", "scratch"]);
    buildah(&["copy", &container, "files", "/"]);
    buildah(&["config", "--env", "HTML=<a> & b", "--label", "a=b", "--cmd", "[\"/bin/sh\"]", &container]);
    if format == "docker" {
        buildah(&["config", "--healthcheck", "CMD /bin/true", &container]);
    }
    let name = format!("localhost/lab/{}:1", scene.seed);
    let id = buildah(&["commit", "--quiet", "--format", format, &container, &name]);
    let mut args = vec!["push", "--quiet"];
    args.extend(options);
    let destination = format!("{form}:theirs:{name}");
    buildah(&[&args[..], &[&name, &destination]].concat());
    takes(
        scene,
        "theirs",
        &Expected { names: vec![&name], storable: true, single: true, ..Expected::default() },
    );

    let same_type = (format == "oci") == form.starts_with("oci");
    let shown = run(scene.restow().args(["inspect", "--json", "theirs"]));
    assert!(!same_type || shown.contains(&id), "buildah committed {id}: {shown}");
}

fn registry_stores_image(scene: &Scene) {
    let app = app(scene.seed);
    write_docker_archive(&scene.path("app.tar"), &[&app]);
    let registry = Registry::serve(scene, "theirs");
    for name in &app.names {
        let from = format!("docker-archive:app.tar:{name}");
        registry.copy(scene, &["--format", "v2s2", &from, &format!("docker://{}/{name}", registry.address)]);
    }
    drop(registry);
    let names = app.names.iter().map(|name| &**name).collect();
    let expected =
        Expected { images: vec![&app], names, storable: true, single: true, ..Expected::default() };
    takes(scene, "registry-storage:theirs", &expected);
}

fn registry_stores_index(scene: &Scene) {
    let multi = write_multi_layout(&scene.path("multi"), scene.seed);
    let registry = Registry::serve(scene, "theirs");
    let to = format!("docker://{}/{}", registry.address, multi.name);
    registry.copy(scene, &["--all", "--preserve-digests", "oci:multi:1", &to]);
    drop(registry);
    let expected = Expected {
        images: multi.images.iter().collect(),
        names: vec![&multi.name],
        root: Some(&multi.index),
        storable: true,
        ..Expected::default()
    };
    takes(scene, "registry-storage:theirs", &expected);
    same(scene, "oci:multi", "registry-storage:theirs");
}
