//! Images for many platforms: what `docker manifest` does with a registry, done with any form, and half archives made whole.

use super::daemons::{Registry, ctr, docker};
use super::ours::convert;
use super::source::{Multi, hex, write_multi_layout};
use super::tools::{Case, Scene, failure, run};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Every test of this kind.
pub const CASES: &[Case] = &[
    Case {
        name: "two-hellos-become-one-image",
        needs: &["docker-registry", "docker", "dockerd", "containerd", "skopeo", "cc"],
        body: hello,
    },
    Case {
        name: "half-archives-are-cut-and-filled",
        needs: &["docker-registry", "docker", "dockerd", "containerd", "ctr", "podman"],
        body: halves,
    },
];

const PROGRAM: &str = "#include <stdio.h>\nint main(void) { puts(\"hello from ";

/// Builds a `FROM scratch` image of a static program and saves it; its image ID. That the program is of another
/// architecture than its config says matters to nobody who does not run it.
fn saved(scene: &Scene, architecture: &str) -> String {
    let folder = scene.path(architecture);
    fs::create_dir(&folder).expect("new");
    let source = format!("{PROGRAM}{architecture} {}\"); return 0; }}\n", scene.seed);
    fs::write(folder.join("hello.c"), source).expect("written");
    let (from, to) = (folder.join("hello.c"), folder.join("hello"));
    run(scene.tool("cc").args(["-static", "-Os", "-s", "-o"]).arg(&to).arg(&from));
    fs::remove_file(&from).expect("removed");
    fs::write(folder.join("Dockerfile"), "FROM scratch\nCOPY hello /hello\nCMD [\"/hello\"]\n")
        .expect("written");
    let name = format!("lab/hello:{architecture}");
    let platform = format!("linux/{architecture}");
    run(docker(scene)
        .env("DOCKER_BUILDKIT", "0")
        .args(["build", "--quiet", "--platform", &platform, "--tag", &name])
        .arg(&folder));
    run(docker(scene).args(["save", "--output", &format!("{architecture}.tar"), &name]));
    let id = run(docker(scene).args(["image", "inspect", "--format", "{{.Id}} {{.Architecture}}", &name]));
    let (id, made_for) = id.trim().split_once(' ').expect("two words");
    assert_eq!(made_for, architecture);
    id.to_owned()
}

/// `restow index`, which must succeed; what it prints.
fn index(scene: &Scene, args: &[&str]) -> String {
    run(scene.restow().arg("index").args(args))
}

/// Refuses a platform that nobody made, and names those that there are.
fn third_platform(scene: &Scene, place: &str) {
    let mut command = scene.restow();
    let out =
        command.args(["convert", "--platform", "linux/s390x", place, "oci:none"]).output().expect("starts");
    let said = failure(&command, &out);
    assert_eq!(out.status.code(), Some(2), "{said}");
    for word in ["no image for linux/s390x", "linux/amd64", "linux/arm64"] {
        assert!(said.contains(word), "{said}");
    }
}

fn digest(scene: &Scene, place: &str) -> String {
    let text = index(scene, &["inspect", place]);
    let line = text.lines().find_map(|line| line.strip_prefix("Digest:"));
    line.expect("a digest").trim().to_owned()
}

fn hello(scene: &Scene) {
    let ids = ["amd64", "arm64"].map(|architecture| (architecture, saved(scene, architecture)));
    let registry = Registry::serve(scene, "storage");
    let name = format!("{}/lab/hello:1", registry.address);
    let live = format!("docker://{name}");
    index(scene, &["create", &live, "amd64.tar", "arm64.tar"]);
    index(scene, &["annotate", "--arch", "arm64", "--variant", "v8", &live, "linux/arm64"]);
    let shown = index(scene, &["inspect", &live]);
    for line in ["  Platform:    linux/amd64", "  Platform:    linux/arm64/v8"] {
        assert!(shown.lines().any(|shown| shown == line), "{shown}");
    }
    let verbose: Value =
        serde_json::from_str(&index(scene, &["inspect", "--format", "docker", &live])).expect("JSON");
    let configs: Vec<&str> =
        (0..2).filter_map(|i| verbose[i]["OCIManifest"]["config"]["digest"].as_str()).collect();
    assert_eq!(configs, ids.each_ref().map(|(_, id)| id.as_str()));
    run(scene.restow().args(["check", &live]));
    // Each platform is the image that was saved, for skopeo and for Docker.
    for (architecture, id) in &ids {
        let pulled = format!("dir:pulled-{architecture}");
        let copy = ["--override-os", "linux", "--override-arch", architecture];
        let mut skopeo = scene.tool("skopeo");
        run(skopeo.args(copy).args(["copy", "--quiet", "--src-tls-verify=false", &live, &pulled]));
        let manifest = fs::read(scene.path(&format!("pulled-{architecture}/manifest.json"))).expect("read");
        let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
        assert_eq!(manifest["config"]["digest"], id.as_str());
        run(docker(scene).args(["pull", "--quiet", "--platform", &format!("linux/{architecture}"), &name]));
        let found = run(docker(scene).args(["image", "inspect", "--format", "{{.Id}}", &name]));
        assert_eq!(found.trim(), id);
        run(docker(scene).args(["image", "rm", &name]));
    }
    third_platform(scene, &live);
    let pull =
        docker(scene).args(["pull", "--platform", "linux/s390x", &name]).output().expect("docker starts");
    assert!(!pull.status.success(), "docker pulled a platform that is not there");
    // To a tar and back into the registry: the same digest.
    let made = digest(scene, &live);
    convert(scene, &[&live, "oci-archive:hello.tar:1"]);
    let again = format!("docker://{}/again/hello:1", registry.address);
    convert(scene, &["--digestfile", "digest", "hello.tar", &again]);
    assert_eq!(fs::read_to_string(scene.path("digest")).expect("written").trim(), made);
    assert_eq!(digest(scene, &again), made);
    // The same without a registry, in every form that holds indexes.
    for form in ["oci", "oci-archive", "docker-archive", "registry-storage", "dir"] {
        let place = match form {
            "dir" => "dir:local-dir".to_owned(),
            form => format!("{form}:local-{form}:lab/hello:1"),
        };
        index(scene, &["create", &place, "amd64.tar", "arm64.tar"]);
        index(scene, &["annotate", "--arch", "arm64", "--variant", "v8", &place, "linux/arm64"]);
        assert_eq!(digest(scene, &place), made, "{form}");
        run(scene.restow().args(["check", &place]));
        third_platform(scene, &place);
        for (architecture, id) in &ids {
            let one = format!("{form}-{architecture}");
            convert(scene, &["--platform", &format!("linux/{architecture}"), &place, &format!("dir:{one}")]);
            let manifest = fs::read(scene.path(&one).join("manifest.json")).expect("read");
            let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
            assert_eq!(manifest["config"]["digest"], id.as_str(), "{form} {architecture}");
        }
    }
    // skopeo reads what stands in the forms that it knows.
    for place in ["oci:local-oci:lab/hello:1", "oci-archive:local-oci-archive:lab/hello:1", "dir:local-dir"] {
        let out = format!("dir:by-skopeo-{}", place.len());
        let mut skopeo = scene.tool("skopeo");
        run(skopeo.args(["--override-arch", "arm64", "copy", "--quiet", place, &out]));
        let manifest = fs::read(scene.path(&out["dir:".len()..]).join("manifest.json")).expect("read");
        let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
        assert_eq!(manifest["config"]["digest"], ids[1].1.as_str(), "{place}");
    }
}

/// What a docker-archive of the second image lacks, in four ways; blobs by digest.
fn lost(multi: &Multi, layout: &Path) -> Vec<(&'static str, BTreeSet<String>)> {
    let manifest = |id: &str| -> (String, Value) {
        let blobs = fs::read_dir(layout.join("blobs/sha256")).expect("listed");
        let found = blobs.filter_map(Result::ok).find_map(|entry| {
            let json: Value = serde_json::from_slice(&fs::read(entry.path()).ok()?).ok()?;
            let digest = format!("sha256:{}", entry.file_name().to_string_lossy());
            (json["config"]["digest"] == id).then_some((digest, json))
        });
        found.expect("a manifest of the image")
    };
    let layers = |manifest: &Value| -> BTreeSet<String> {
        let list = manifest["layers"].as_array().expect("a list").iter();
        list.map(|layer| layer["digest"].as_str().expect("a digest").to_owned()).collect()
    };
    let (_, first) = manifest(&multi.images[0].id());
    let (digest, second) = manifest(&multi.images[1].id());
    let own: BTreeSet<String> = layers(&second).difference(&layers(&first)).cloned().collect();
    let config = multi.images[1].id();
    vec![
        ("manifest", [digest, config.clone()].into_iter().chain(own.clone()).collect()),
        ("layers", own.clone()),
        ("layers-and-config", [config].into_iter().chain(own).collect()),
    ]
}

fn halves(scene: &Scene) {
    let multi = write_multi_layout(&scene.path("multi"), scene.seed);
    let registry = Registry::serve(scene, "storage");
    let live = format!("docker://{}/lab/multi:1", registry.address);
    convert(scene, &["oci:multi", &live]);
    convert(scene, &["oci:multi", "docker-archive:whole.tar"]);
    for (name, gone) in lost(&multi, &scene.path("multi")) {
        // As tools leave it: the index names what is not there.
        run(Command::new("/bin/cp").current_dir(scene.path("")).args(["--recursive", "multi", name]));
        for digest in &gone {
            fs::remove_file(scene.path(name).join("blobs/sha256").join(hex(digest))).expect("it was there");
        }
        let half = format!("oci:{name}");
        convert(scene, &[&half, &format!("docker-archive:half-{name}.tar")]);
        let half = format!("half-{name}.tar");
        for (from, place) in [("registry", &*live), ("archive", "whole.tar")] {
            let whole = format!("{name}-{from}.tar");
            convert(scene, &["--fill-from", place, &half, &format!("docker-archive:{whole}")]);
            assert_eq!(digest(scene, &whole), multi.index);
            run(scene.restow().args(["check", "-D", "index/missing-child", &whole]));
            loads(scene, &multi, &whole, 2);
        }
        let cut = format!("{name}-cut.tar");
        convert(scene, &["--present-only", &half, &format!("docker-archive:{cut}")]);
        run(scene.restow().args(["check", "-D", "index/missing-child", &cut]));
        loads(scene, &multi, &cut, 1);
    }
}

/// Docker, podman and containerd load an archive, the last with so many platforms.
fn loads(scene: &Scene, multi: &Multi, archive: &str, platforms: usize) {
    let name = &multi.name;
    run(docker(scene).args(["load", "--quiet", "--input", archive]));
    let id = run(docker(scene).args(["image", "inspect", "--format", "{{.Id}}", name]));
    assert_eq!(id.trim(), multi.images[0].id(), "{archive}");
    run(docker(scene).args(["image", "rm", name]));
    run(scene.podman().args(["load", "--quiet", "--input", archive]));
    let id = run(scene.podman().args(["image", "inspect", "--format", "{{.Id}}", name]));
    assert_eq!(format!("sha256:{}", id.trim()), multi.images[0].id(), "{archive}");
    run(scene.podman().args(["image", "rm", "--force", name]));
    // The command that `convert -v` tells.
    run(ctr(scene).args(["image", "import", "--snapshotter", "native", "--all-platforms", archive]));
    let full = format!("docker.io/{name}");
    let listed = run(ctr(scene).args(["image", "check", &format!("name=={full}")]));
    assert!(listed.contains("complete"), "{archive}: {listed}");
    for image in multi.images.iter().take(platforms) {
        let config = ctr(scene).args(["content", "get", &image.id()]).output().expect("ctr starts").stdout;
        assert_eq!(config, image.config, "{archive}");
    }
    run(ctr(scene).args(["image", "rm", "--sync", &full]));
}
