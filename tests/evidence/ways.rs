//! What is asked of each tool, and whether what it then has is the image.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

use super::input::{Form, Input};
use super::lab::Lab;
use super::push::push;
use super::toolbox::run;
use super::tree::{self, Files};
use crate::common::tree_digest::sha256;

/// What a tool did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Taken,
    /// Taken, but it is not the image any more: how it differs.
    Changed(String),
    /// With its words.
    Refused(String),
}

/// The steps of a tool on one case, each with its outcome; none where the tool has no way to read such a form.
pub type Steps = Vec<(&'static str, Outcome)>;

/// What can be asked of a tool.
pub type Ask = fn(&Lab, &Input) -> Steps;

/// Tools in groups that share a daemon: one group is asked by one thread.
pub const GROUPS: [&[(&str, Ask)]; 4] = [
    &[("docker", docker)],
    &[("containerd", containerd), ("umoci", umoci)],
    &[("podman", podman), ("skopeo", skopeo)],
    &[("buildah", buildah), ("registry", registry)],
];

/// An image that a tool has.
#[derive(Default)]
struct Found {
    id: Option<String>,
    layers: Option<usize>,
    files: Option<Files>,
}

/// Refused with what a command said, or what a comparison of what it left says.
fn outcome<T>(result: Result<T, String>, judge: impl FnOnce(T) -> Option<String>) -> Outcome {
    match result {
        Err(words) => Outcome::Refused(words),
        Ok(done) => judge(done).map_or(Outcome::Taken, Outcome::Changed),
    }
}

/// How an image differs from that of the case.
fn judge(input: &Input, found: &Found) -> Option<String> {
    let known = found.id.as_ref().and_then(|id| input.images.get(id));
    if let (Some(id), None, false) = (&found.id, known, input.images.is_empty()) {
        return Some(format!("another image ID: {}…", id.get(..12).unwrap_or(id)));
    }
    let image = known.or_else(|| input.images.values().next().filter(|_| input.images.len() == 1))?;
    match found.layers {
        Some(layers) if layers != image.layers => {
            return Some(format!("{layers} layers instead of {}", image.layers));
        }
        _ => {}
    }
    tree::differ(image.files.as_ref()?, found.files.as_ref()?)
}

/// How names differ, Docker's and podman's prefixes aside.
fn names(input: &Input, found: &[String]) -> Option<String> {
    let short = |name: &String| {
        let prefixes = ["docker.io/library/", "docker.io/", "localhost/"];
        let name = prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
        name.to_owned()
    };
    let wanted: BTreeSet<String> = input.names.iter().map(short).collect();
    let found: BTreeSet<String> = found.iter().map(short).filter(|name| !name.contains("<none>")).collect();
    let list =
        |names: &BTreeSet<String>| names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    (wanted != found).then(|| match found.is_empty() {
        true => "no name".to_owned(),
        false => format!("names {}", list(&found)),
    })
}

/// A file below the case's folder that tools are given.
fn write(lab: &Lab, input: &Input, name: &str, bytes: &[u8]) -> bool {
    fs::write(lab.toolbox.outside(&input.folder).join(name), bytes).is_ok()
}

/// A program that every container can run.
const BUSYBOX: &str = "/usr/bin/busybox:/busybox:ro";

// Docker

fn docker(lab: &Lab, input: &Input) -> Steps {
    let mut steps = Steps::new();
    let file = match input.form {
        Form::DockerArchive => Some(input.file),
        Form::Oci => {
            input.wrapped().filter(|tar| write(lab, input, "wrapped.tar", tar)).map(|_| "wrapped.tar")
        }
        _ => None,
    };
    if let Some(file) = file {
        let loaded =
            run(lab.docker(&input.folder).args(["load", "--quiet", "--input", file]), &[&input.folder]);
        docker_has(lab, input, "load", loaded, &mut steps);
    }
    let repository = repository(input);
    if lab.served.offer(&repository, input) {
        let name = format!("{}/{repository}:1", lab.served.address);
        let pulled = run(lab.docker(&input.folder).args(["pull", "--quiet", &name]), &[&repository]);
        docker_has(lab, input, "pull", pulled, &mut steps);
    }
    steps
}

fn docker_has(lab: &Lab, input: &Input, step: &'static str, done: Result<String, String>, steps: &mut Steps) {
    let ask = |args: &[&str]| run(lab.docker(&input.folder).args(args), &[]).unwrap_or_default();
    let crashed = lab.revive_docker();
    let ids: BTreeSet<String> =
        ask(&["images", "--all", "--quiet", "--no-trunc"]).lines().map(str::to_owned).collect();
    steps.push((
        step,
        match done {
            Err(_) if crashed => Outcome::Refused("the daemon ended".into()),
            done => outcome(done, |_| {
                let Some(id) = ids.first() else { return Some("no image".into()) };
                let seen: Value = serde_json::from_str(&ask(&["image", "inspect", id])).unwrap_or_default();
                let layers = seen[0]["RootFS"]["Layers"].as_array().map_or(0, Vec::len);
                let id = Some(id.trim_start_matches("sha256:").to_owned());
                judge(input, &Found { id, layers: Some(layers), files: None }).or_else(|| {
                    let tags = seen[0]["RepoTags"].as_array().into_iter().flatten();
                    let tags: Vec<String> = tags.filter_map(|tag| Some(tag.as_str()?.to_owned())).collect();
                    let whole = step == "load" && input.form == Form::DockerArchive && ids.len() == 1;
                    names(input, &tags).filter(|_| whole)
                })
            }),
        },
    ));
    if let (Some(id), "load") = (ids.first(), step) {
        docker_runs(lab, input, id, steps);
    }
    for id in &ids {
        ask(&["image", "rm", "--force", id]);
    }
}

fn docker_runs(lab: &Lab, input: &Input, id: &str, steps: &mut Steps) {
    let create = ["create", "--network", "none", "--name", "evidence", id, "/busybox"];
    let created = run(lab.docker(&input.folder).args(create), &[&input.folder]);
    let can = created.is_ok();
    steps.push((
        "create",
        outcome(created, |_| {
            let export = lab.docker(&input.folder).args(["export", "evidence"]).output().ok()?;
            let files = tree::of_tar(&export.stdout);
            judge(input, &Found { id: Some(id.trim_start_matches("sha256:").into()), layers: None, files })
        }),
    ));
    drop(run(lab.docker(&input.folder).args(["rm", "--force", "--volumes", "evidence"]), &[]));
    if can {
        let mut command = lab.docker(&input.folder);
        command.args(["run", "--rm", "--network", "none", "--name", "evidence"]);
        command.args(["--volume", BUSYBOX, "--entrypoint", "/busybox", id, "true"]);
        steps.push(("run", outcome(run(&mut command, &[&input.folder]), |_| None)));
        drop(run(lab.docker(&input.folder).args(["rm", "--force", "--volumes", "evidence"]), &[]));
    }
}

fn repository(input: &Input) -> String {
    format!("case{}", input.folder.replace('/', "-"))
}

// containerd

fn containerd(lab: &Lab, input: &Input) -> Steps {
    let mut steps = Steps::new();
    if !matches!(input.form, Form::DockerArchive | Form::Oci) {
        return steps;
    }
    // The state of containers stands in /run, whoever runs them.
    let own = format!("evidence{}", std::process::id());
    let ctr = |args: &[&str]| run(lab.ctr(&input.folder).args(args), &[&input.folder, &own]);
    let imported = ctr(&["images", "import", "--snapshotter", "overlayfs", input.file]);
    let listed: Vec<String> =
        ctr(&["images", "ls", "-q"]).unwrap_or_default().lines().map(str::to_owned).collect();
    let taken = imported.is_ok();
    steps.push((
        "import",
        outcome(imported, |_| {
            let Some(name) = listed.first() else { return Some("no image".into()) };
            let folder = lab.toolbox.outside(format!("{}/mounted", input.folder));
            fs::create_dir_all(&folder).ok()?;
            let mounted = ctr(&["images", "mount", "--snapshotter", "overlayfs", name, "mounted"]);
            let files = mounted.ok().and_then(|_| tree::of_folder(&folder).ok());
            drop(ctr(&["images", "unmount", "mounted"]));
            drop(ctr(&["snapshots", "--snapshotter", "overlayfs", "rm", "mounted"]));
            let (id, layers) = ctr_image(&ctr, name).unzip();
            judge(input, &Found { id, layers, files })
                .or_else(|| names(input, &listed).filter(|_| input.form == Form::DockerArchive))
        }),
    ));
    if let (Some(name), true) = (listed.first(), taken) {
        let mut command = lab.ctr(&input.folder);
        command.args(["run", "--rm", "--snapshotter", "overlayfs", "--mount"]);
        command.args([
            "type=bind,src=/usr/bin/busybox,dst=/busybox,options=rbind:ro",
            name,
            &own,
            "/busybox",
        ]);
        steps.push(("run", outcome(run(command.arg("true"), &[&input.folder, &own]), |_| None)));
        drop(ctr(&["containers", "rm", &own]));
        drop(ctr(&["snapshots", "--snapshotter", "overlayfs", "rm", &own]));
    }
    // Also what an import left that was broken off.
    for name in &listed {
        drop(ctr(&["images", "rm", "--sync", name]));
    }
    for digest in ctr(&["content", "ls", "-q"]).unwrap_or_default().lines() {
        drop(ctr(&["content", "rm", digest]));
    }
    let snapshots = ctr(&["snapshots", "--snapshotter", "overlayfs", "ls"]).unwrap_or_default();
    // Children are behind their parents or not: each is tried for each.
    for line in snapshots.lines().skip(1).flat_map(|_| snapshots.lines().skip(1)) {
        let key = line.split_whitespace().next().unwrap_or_default();
        drop(ctr(&["snapshots", "--snapshotter", "overlayfs", "rm", key]));
    }
    steps
}

/// ID and number of layers, through what containerd says of an image.
fn ctr_image(ctr: &impl Fn(&[&str]) -> Result<String, String>, name: &str) -> Option<(String, usize)> {
    let listed = ctr(&["images", "ls", &format!("name=={name}")]).ok()?;
    let digest = listed.split_whitespace().find(|word| word.starts_with("sha256:"))?.to_owned();
    let fetch = |digest: &str| serde_json::from_str::<Value>(&ctr(&["content", "get", digest]).ok()?).ok();
    let mut doc = fetch(&digest)?;
    if let Some(children) = doc["manifests"].as_array() {
        let amd64 = children.iter().find(|child| child["platform"]["architecture"] == "amd64")?;
        doc = fetch(amd64["digest"].as_str()?)?;
    }
    let id = doc["config"]["digest"].as_str()?.trim_start_matches("sha256:").to_owned();
    Some((id, doc["layers"].as_array().map_or(0, Vec::len)))
}

// podman, buildah, skopeo

fn podman(lab: &Lab, input: &Input) -> Steps {
    let mut steps = Steps::new();
    if input.form == Form::Storage {
        return steps;
    }
    let podman = |args: &[&str]| run(lab.podman(&input.folder).args(args), &[&input.folder]);
    let pulled = podman(&["pull", "--quiet", &input.place()]);
    let ids: BTreeSet<String> = podman(&["images", "--all", "--quiet", "--no-trunc"])
        .unwrap_or_default()
        .lines()
        .map(str::to_owned)
        .collect();
    let id = ids.first().cloned();
    steps.push((
        "pull",
        outcome(pulled, |_| {
            let Some(id) = &id else { return Some("no image".into()) };
            let seen: Value = serde_json::from_str(&podman(&["image", "inspect", id]).ok()?).ok()?;
            let mounted = podman(&["image", "mount", id]);
            let files = mounted.and_then(|path| {
                tree::of_folder(&lab.toolbox.seen(path.trim())).map_err(|error| error.to_string())
            });
            drop(podman(&["image", "unmount", id]));
            let layers = seen[0]["RootFS"]["Layers"].as_array().map(Vec::len);
            let id = Some(id.trim_start_matches("sha256:").to_owned());
            judge(input, &Found { id, layers, files: files.ok() }).or_else(|| {
                let tags = seen[0]["RepoTags"].as_array().into_iter().flatten();
                let tags: Vec<String> = tags.filter_map(|tag| Some(tag.as_str()?.to_owned())).collect();
                names(input, &tags).filter(|_| input.form == Form::DockerArchive && input.images.len() == 1)
            })
        }),
    ));
    if let Some(id) = &id {
        let options =
            ["--network=none", "--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096", "--name=evidence"];
        let created = podman(&[&["create"], &options[..], &[id, "/busybox"]].concat());
        let can = created.is_ok();
        steps.push(("create", outcome(created, |_| None)));
        drop(podman(&["rm", "--force", "--volumes", "evidence"]));
        if can {
            let program = ["--rm", "--volume", BUSYBOX, "--entrypoint=/busybox", id, "true"];
            let ran = podman(&[&["run"], &options[..], &program].concat());
            steps.push(("run", outcome(ran, |_| None)));
        }
    }
    drop(podman(&["rm", "--all", "--force", "--volumes"]));
    forget(lab, input);
    steps
}

fn buildah(lab: &Lab, input: &Input) -> Steps {
    let mut steps = Steps::new();
    if input.form == Form::Storage {
        return steps;
    }
    let buildah = |args: &[&str]| run(lab.buildah(&input.folder).args(args), &[&input.folder]);
    let made = buildah(&["from", "--quiet", "--name", "evidence", &input.place()]);
    let can = made.is_ok();
    steps.push((
        "from",
        outcome(made, |_| {
            let seen: Value = serde_json::from_str(&buildah(&["inspect", "evidence"]).ok()?).ok()?;
            let path = buildah(&["mount", "evidence"]).ok()?;
            let files = tree::of_folder(&lab.toolbox.seen(path.trim())).ok();
            let id = seen["FromImageID"].as_str().map(str::to_owned);
            judge(input, &Found { id, layers: None, files })
        }),
    ));
    if can {
        steps.push((
            "commit",
            outcome(buildah(&["commit", "--quiet", "evidence", "dir:committed"]), |_| None),
        ));
    }
    drop(buildah(&["rm", "--all"]));
    forget(lab, input);
    steps
}

/// The store of a case, with what is mounted in it.
fn forget(lab: &Lab, input: &Input) {
    let store = lab.toolbox.outside(&input.folder).join("store");
    drop(Command::new("/usr/bin/umount").args(["-q", "-l"]).arg(store.join("overlay")).output());
    for name in ["store", "store-run", "store-tmp"] {
        drop(fs::remove_dir_all(lab.toolbox.outside(&input.folder).join(name)));
    }
}

fn skopeo(lab: &Lab, input: &Input) -> Steps {
    let mut steps = Steps::new();
    if input.form == Form::Storage {
        return steps;
    }
    let copy = |all: &[&str], to: &str| {
        let mut skopeo = lab.toolbox.tool("skopeo", &input.folder);
        run(skopeo.args(["copy", "--quiet"]).args(all).args([&input.place(), to]), &[&input.folder])
    };
    steps.push((
        "copy",
        outcome(copy(&[], "dir:copied"), |_| {
            let bytes = fs::read(lab.toolbox.outside(&input.folder).join("copied/manifest.json")).ok()?;
            let doc: Value = serde_json::from_slice(&bytes).ok()?;
            let id = doc["config"]["digest"].as_str()?.trim_start_matches("sha256:").to_owned();
            judge(input, &Found { id: Some(id), layers: doc["layers"].as_array().map(Vec::len), files: None })
        }),
    ));
    let root = input.roots.first().filter(|root| root.index);
    if let Some(root) = root {
        steps.push((
            "copy --all",
            outcome(copy(&["--all"], "dir:copied-all"), |_| {
                let bytes =
                    fs::read(lab.toolbox.outside(&input.folder).join("copied-all/manifest.json")).ok()?;
                (format!("sha256:{}", sha256(&bytes)) != root.digest).then(|| "another index".to_owned())
            }),
        ));
    }
    steps
}

// umoci

/// Only layouts, unpacked as people do it.
fn umoci(lab: &Lab, input: &Input) -> Steps {
    let mut steps = Steps::new();
    let folder = lab.toolbox.outside(&input.folder);
    let layout = folder.join("layout");
    if input.form != Form::Oci || fs::create_dir_all(&layout).is_err() {
        return steps;
    }
    let mut tar = Command::new("/usr/bin/tar");
    if run(tar.args(["-x", "--no-same-owner", "-f"]).arg(folder.join(input.file)).arg("-C").arg(&layout), &[])
        .is_err()
    {
        return steps;
    }
    let tag = input.roots.first().and_then(|root| root.name.clone()).unwrap_or_else(|| "latest".into());
    let mut umoci = lab.toolbox.tool("umoci", &input.folder);
    let unpacked =
        run(umoci.args(["unpack", "--image", &format!("layout:{tag}"), "bundle"]), &[&input.folder]);
    steps.push((
        "unpack",
        outcome(unpacked, |_| {
            let files = tree::of_folder(&folder.join("bundle/rootfs")).ok();
            judge(input, &Found { id: None, layers: None, files })
        }),
    ));
    steps
}

// The registry

fn registry(lab: &Lab, input: &Input) -> Steps {
    let mut steps = Steps::new();
    match input.form {
        Form::Storage => {
            let storage = format!("{}/archive", input.folder);
            let Ok(registry) = lab.registry(&storage) else { return steps };
            for (n, name) in tags(input).iter().enumerate() {
                let mut skopeo = lab.toolbox.tool("skopeo", &input.folder);
                let from = format!("docker://{}/{name}", registry.address);
                skopeo.args(["copy", "--quiet", "--all", "--src-tls-verify=false", &from]);
                let served = run(skopeo.arg(format!("dir:served-{n}")), &[&input.folder]);
                match (steps.first_mut(), outcome(served, |_| None)) {
                    (None, told) => steps.push(("serve", told)),
                    (Some((_, first)), told) if *first == Outcome::Taken => *first = told,
                    _ => {}
                }
            }
        }
        Form::Oci => {
            let Some(address) = lab.pushed() else { return steps };
            let repository = repository(input);
            if let Some(pushed) = push(address, &repository, input) {
                let pushed = pushed.map_err(|words| super::words::short(&words, &[&repository]));
                steps.push(("push", outcome(pushed, |()| None)));
            }
        }
        _ => {}
    }
    steps
}

/// `REPOSITORY:TAG` of every tag in a storage.
fn tags(input: &Input) -> BTreeSet<String> {
    let tag = |name: &String| {
        let rest = name.strip_prefix("docker/registry/v2/repositories/")?;
        let (repository, rest) = rest.split_once("/_manifests/tags/")?;
        Some(format!("{repository}:{}", rest.split('/').next()?))
    };
    input.members.keys().filter_map(tag).collect()
}
