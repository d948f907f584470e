//! Images for many platforms: indexes made, changed, taken apart and made again, in every form that holds them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::common::Output;
use crate::layout::{Bench, Layout, platform, sha256, with};
use restow::digest::Digest;
use serde_json::Value;

/// Three platforms and an attestation, written by a library that puts a blank behind each comma.
const MULTI: &str = "oci/multiplatform-attestation-nested";
const INDEX: &str = "sha256:c689a5429fb67968f2d27de4699b02cca693354c1e90e621d452d5c995b14b72";
/// What ctr exports of one platform of it: the manifests of the others are not there.
const SPARSE: &str = "docker-archive/ctr-2.4-sparse";
/// Manifests of two platforms, of which one has no layer here.
const NO_LAYERS: &str = "docker-archive/docker-29-child-without-blobs";
/// One image, saved by Docker 20.10: it has no manifest.
const OLD: &str = "docker-archive/docker-20.10";

const FORMS: [&str; 4] = ["oci", "oci-archive", "docker-archive", "registry-storage"];

fn case(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/good").join(name);
    folder.join("archive.tar").display().to_string()
}

struct Scene(Bench);

impl Scene {
    fn new() -> Scene {
        Scene(Bench::new())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.dir.path().join(name)
    }

    /// A place with a name where the form has names.
    fn place(&self, form: &str, file: &str, name: &str) -> String {
        let path = self.path(file).display().to_string();
        if form == "dir" { format!("{form}:{path}") } else { format!("{form}:{path}:{name}") }
    }

    #[track_caller]
    fn run(&self, code: i32, arguments: &[&str]) -> Output {
        self.0.run(code, arguments)
    }

    #[track_caller]
    fn says(&self, code: i32, arguments: &[&str], words: &[&str]) {
        let output = self.run(code, arguments);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), output.stderr);
        words.iter().for_each(|word| assert!(said.contains(word), "`{word}` is not in:\n{said}"));
    }

    #[track_caller]
    fn index(&self, place: &str) -> String {
        String::from_utf8(self.run(0, &["inspect", "--raw", "index", place]).stdout).expect("text")
    }

    #[track_caller]
    fn digest(&self, place: &str) -> String {
        Digest::sha256(self.index(place).as_bytes()).to_string()
    }

    /// The platforms that the index names.
    fn platforms(&self, place: &str) -> BTreeSet<String> {
        let json: Value = serde_json::from_str(&self.index(place)).expect("JSON");
        let text = |item: &Value, key: &str| item["platform"][key].as_str().unwrap_or_default().to_owned();
        let items = json["manifests"].as_array().expect("a list").iter();
        items
            .map(|item| {
                format!("{}/{}{}", text(item, "os"), text(item, "architecture"), text(item, "variant"))
            })
            .collect()
    }
}

/// A layout of images for these architectures in one index, whose text `written` makes of the descriptors.
fn layout(layout: &mut Layout, architectures: &[&str], written: impl Fn(&[String]) -> String) -> String {
    let children: Vec<String> = architectures
        .iter()
        .map(|architecture| {
            let layer = tar_of(architecture, architecture.as_bytes());
            platform(&layout.image(architecture, sha256(), &layer), architecture)
        })
        .collect();
    layout.add(sha256(), "application/vnd.oci.image.index.v1+json", written(&children).as_bytes())
}

/// A layer that holds one file.
fn tar_of(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, name, bytes).expect("memory");
    tar.into_inner().expect("memory")
}

/// As `json.MarshalIndent` of Go has it: BuildKit, and the docker command.
fn indented(children: &[String]) -> String {
    let list = children.join(",\n      ");
    format!(
        "{{\n   \"schemaVersion\": 2,\n   \"mediaType\": \"application/vnd.oci.image.index.v1+json\",\n   \
         \"manifests\": [\n      {list}\n   ],\n   \"annotations\": {{\"a\": \"b\"}}\n}}"
    )
}

#[test]
fn what_is_split_is_put_together_again_byte_for_byte() {
    for form in FORMS.into_iter().chain(["dir"]) {
        let scene = Scene::new();
        let to = match form {
            "registry-storage" => scene.place(form, "parts", "team/{}:1"),
            "dir" => scene.place(form, "{}", ""),
            form => scene.place(form, "{}", "app:{}"),
        };
        scene.run(0, &["index", "split", &case(MULTI), &to]);
        let part = |platform: &str| to.replace("{}", platform);
        let parts = ["linux-amd64", "linux-arm64", "linux-arm-v7"].map(part);
        for part in &parts {
            scene.run(0, &["check", part]);
        }
        // The attestation went with the image that it attests.
        assert_eq!(scene.platforms(&parts[0]), ["linux/amd64", "unknown/unknown"].map(str::to_owned).into());
        assert_eq!(scene.platforms(&parts[1]), ["linux/arm64v8".to_owned()].into());
        for back in FORMS {
            let whole = scene.place(back, &format!("{back}-whole"), "team/app:1");
            scene.run(0, &["index", "create", &whole, &parts[0], &parts[1], &parts[2]]);
            assert_eq!(scene.digest(&whole), INDEX, "{form} to {back}");
            scene.run(0, &["check", &whole]);
        }
    }
}

#[test]
fn an_index_keeps_its_style_when_it_is_taken_apart() {
    let compact = |children: &[String]| {
        format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{}]}}"#,
            children.join(",")
        )
    };
    for written in [&compact as &dyn Fn(&[String]) -> String, &indented] {
        let scene = Scene::new();
        let mut made = scene.0.layout();
        let root = layout(&mut made, &["amd64", "arm64", "riscv64"], written);
        made.root(&root, "app");
        let source = made.finish();
        scene.run(0, &["index", "split", &source, &scene.place("oci", "part", "{}")]);
        let parts =
            ["linux-amd64", "linux-arm64", "linux-riscv64"].map(|name| scene.place("oci", "part", name));
        let whole = scene.place("oci", "whole", "app");
        scene.run(0, &["index", "create", &whole, &parts[0], &parts[1], &parts[2]]);
        assert_eq!(scene.index(&whole), scene.index(&source));
    }
}

#[test]
fn what_is_added_and_removed_leaves_the_index_as_it_was() {
    for form in FORMS {
        let scene = Scene::new();
        let place = scene.place(form, "place", "team/app:1");
        let first = format!("{}@linux/arm64", case(MULTI));
        scene.run(0, &["index", "create", &place, &case(OLD), &first]);
        let before = scene.index(&place);
        scene.run(0, &["index", "add", &place, &format!("{}@linux/arm/v7", case(MULTI))]);
        assert_eq!(scene.platforms(&place).len(), 3, "{form}");
        scene.run(0, &["check", &place]);
        // Again it changes nothing.
        let more = scene.index(&place);
        scene.run(0, &["index", "add", &place, &format!("{}@linux/arm/v7", case(MULTI))]);
        assert_eq!(scene.index(&place), more, "{form}");
        scene.run(0, &["index", "remove", &place, "linux/arm/v7"]);
        assert_eq!(scene.index(&place), before, "{form}");
        scene.run(0, &["check", &place]);
        // Nothing else is listed where it was.
        let listed = scene.run(0, &["inspect", "--json", &place]);
        let json: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
        assert_eq!(json["images"].as_array().map(Vec::len), Some(1), "{form}: {json}");
    }
}

#[test]
fn an_annotation_changes_what_it_names_and_nothing_else() {
    for form in FORMS {
        let scene = Scene::new();
        let place = scene.place(form, "place", "team/app:1");
        scene.run(0, &["index", "create", &place, &case(MULTI)]);
        let before = scene.index(&place);
        scene.run(0, &["index", "annotate", "--variant", "v2", "--annotation", "k=v", &place, "linux/amd64"]);
        let old = r#""platform": {"architecture": "amd64", "os": "linux"}}"#;
        let new =
            r#""platform": {"architecture": "amd64", "os": "linux","variant":"v2"},"annotations":{"k":"v"}}"#;
        assert!(before.contains(old), "{before}");
        assert_eq!(scene.index(&place), before.replace(old, new), "{form}");
        scene.run(0, &["index", "annotate", "--variant", "", &place, "linux/amd64/v2"]);
        assert_eq!(
            scene.index(&place),
            before.replace(old, &new.replace(r#","variant":"v2""#, "")),
            "{form}"
        );
    }
}

/// A tar is written anew as a whole: the other images and their names are still there.
#[test]
fn what_stands_beside_an_index_in_a_tar_stays() {
    for form in ["oci-archive", "docker-archive"] {
        let scene = Scene::new();
        let mut made = scene.0.layout();
        let root = layout(&mut made, &["amd64", "arm64"], indented);
        made.root(&root, "docker.io/lab/app:1");
        made.root(&root, "docker.io/lab/app:2");
        let other = made.image("s390x", sha256(), &tar_of("other", b"other"));
        made.root(&other, "docker.io/lab/other:1");
        let signed = format!(r#""subject":{root}"#);
        let config = made.add(sha256(), "application/vnd.oci.empty.v1+json", b"{}");
        let text = with(
            &format!(
                r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"a/b","config":{config},"layers":[{config}]}}"#
            ),
            &signed,
        );
        made.add(sha256(), "application/vnd.oci.image.manifest.v1+json", text.as_bytes());
        let layout = made.finish();
        let file = scene.path("file.tar").display().to_string();
        scene.run(0, &["convert", &layout, &format!("{form}:{file}")]);
        let names = |index: &str| -> Vec<String> {
            let json: Value = serde_json::from_str(index).expect("JSON");
            let items = json["manifests"].as_array().expect("a list").iter();
            let text = |item: &Value| {
                item["annotations"]["org.opencontainers.image.ref.name"].as_str().map(str::to_owned)
            };
            items.filter_map(text).collect()
        };
        let kept: Vec<String> = ["lab/app:1", "2", "lab/other:1"].map(str::to_owned).into();
        scene.says(
            0,
            &["index", "remove", &format!("{form}:{file}:lab/app:1"), "linux/arm64"],
            &["referrer", "it refers to the index as it was", "taken out of the index"],
        );
        scene.run(0, &["check", &file]);
        let listed = scene.run(0, &["inspect", &file]);
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        for name in ["lab/app:1", "lab/app:2", "lab/other:1"] {
            assert!(listed.contains(name), "{form}: {name} is gone:\n{listed}");
        }
        // Names are written as they were.
        let raw = scene.path("raw");
        std::fs::create_dir(&raw).expect("new");
        let status = std::process::Command::new("tar").arg("-C").arg(&raw).arg("-xf").arg(&file).status();
        assert!(status.expect("tar runs").success());
        let index = std::fs::read_to_string(raw.join("index.json")).expect("read");
        assert_eq!(names(&index), kept, "{form}");
        let of = |name: &str| scene.platforms(&format!("{form}:{file}:{name}")).len();
        assert_eq!((of("lab/app:1"), of("lab/app:2")), (1, 2), "{form}");
    }
}

#[test]
fn images_without_names_are_gathered_into_one_index() {
    let scene = Scene::new();
    let mut made = scene.0.layout();
    for architecture in ["amd64", "arm64", "riscv64"] {
        let image = made.image(architecture, sha256(), &tar_of(architecture, b"x"));
        made.roots.push(image);
    }
    let source = made.finish();
    let place = scene.place("docker-archive", "app.tar", "lab/app:1");
    scene.says(
        0,
        &["index", "create", &place, &source],
        &["index of linux/amd64, linux/arm64, linux/riscv64"],
    );
    assert_eq!(scene.platforms(&place).len(), 3);
    scene.says(0, &["inspect", &place], &["lab/app:1", "linux/riscv64"]);
    scene.run(0, &["check", &place]);
}

/// `docker buildx build --output type=oci` of some versions lists the children of the index in `index.json` itself.
#[test]
fn a_flat_list_of_platforms_becomes_the_index_that_it_was() {
    let scene = Scene::new();
    scene.run(0, &["convert", &case(MULTI), &scene.place("oci", "layout", "")]);
    let index = scene.index(&scene.place("oci", "layout", ""));
    let named = index.replace(
        r#""size": 577,"#,
        r#""size": 577, "annotations": {"io.containerd.image.name": "docker.io/lab/x:1"},"#,
    );
    assert_ne!(named, index);
    std::fs::write(scene.path("layout/index.json"), named).expect("written");
    let place = scene.place("docker-archive", "app.tar", "lab/app:1");
    scene.run(0, &["index", "create", &place, &scene.place("oci", "layout", "")]);
    let made: Value = serde_json::from_str(&scene.index(&place)).expect("JSON");
    let was: Value = serde_json::from_str(&index).expect("JSON");
    assert_eq!(made["manifests"], was["manifests"]);
    // Of one platform with what attests it.
    let one = scene.place("oci", "one", "one");
    scene.run(0, &["index", "create", &one, &format!("{}@linux/amd64", scene.place("oci", "layout", ""))]);
    assert_eq!(scene.platforms(&one).len(), 2);
}

/// Images of the old docker-archive form have no manifest that an index could name: they get the one that every conversion
/// makes.
#[test]
fn images_without_manifests_get_one() {
    let scene = Scene::new();
    let place = scene.place("oci", "app", "app");
    let parts = [case(OLD), format!("{}@linux/arm64", case(MULTI))];
    scene.says(0, &["index", "create", &place, &parts[0], &parts[1]], &["synthesised  1 index, 1 manifest"]);
    scene.run(0, &["convert", &case(OLD), &scene.place("oci", "alone", "")]);
    let alone = scene.run(0, &["inspect", "--raw", "manifest", &scene.place("oci", "alone", "")]).stdout;
    let index = scene.index(&place);
    assert!(index.contains(Digest::sha256(&alone).as_str()), "{index}");
    // All of Docker's types, if that is asked for.
    let docker = scene.place("oci", "docker", "app");
    scene.run(0, &["index", "create", "--manifest-format", "docker", &docker, &parts[0], &parts[1]]);
    let index = scene.index(&docker);
    assert!(!index.contains("vnd.oci") && index.contains("manifest.list.v2"), "{index}");
}

#[test]
fn two_images_for_one_platform_are_refused() {
    let scene = Scene::new();
    let place = scene.place("oci", "app", "app");
    let twice = [case(OLD), format!("{}@linux/amd64", case(MULTI))];
    scene.says(
        1,
        &["index", "create", &place, &twice[0], &twice[1]],
        &["error[index/repeated-platform]", "nothing was written"],
    );
    assert!(!scene.path("app").exists());
    scene.run(0, &["index", "create", "-A", "index/repeated-platform", &place, &twice[0], &twice[1]]);
    // One of them can be named by its digest only.
    scene.says(
        2,
        &["index", "remove", &place, "linux/amd64"],
        &["names 2 children", "name one by its digest"],
    );
}

#[test]
fn what_is_not_there_is_said_with_what_is() {
    let scene = Scene::new();
    let place = scene.place("oci", "app", "app");
    let other = format!("{}@linux/s390x", case(MULTI));
    scene.says(
        2,
        &["index", "create", &place, &other],
        &["no image for linux/s390x", "it holds linux/amd64, linux/arm/v7, linux/arm64"],
    );
    scene.run(0, &["index", "create", &place, &case(MULTI)]);
    scene.says(
        2,
        &["index", "remove", &place, "linux/s390x"],
        &["the index has no child `linux/s390x`", "linux/arm/v7 (sha256:24411ac94409)"],
    );
    scene.says(2, &["index", "annotate", &place, "linux/amd64"], &["nothing is to be said", "--variant"]);
    scene.says(2, &["index", "split", &place, "oci:x"], &["does not say where each platform goes", "{}"]);
    let all = ["linux/amd64", "linux/arm64", "linux/arm/v7"];
    scene.says(2, &[&["index", "remove", &*place][..], &all].concat(), &["no image would be left"]);
    let one = scene.place("oci", "one", "one");
    scene.run(0, &["convert", &case(OLD), &one, "--image", "lab/dup:one"]);
    scene.says(2, &["index", "add", &one, &case(MULTI)], &["no index", "restow index create"]);
    scene.says(2, &["index", "remove", "-", "x"], &["--to"]);
}

#[test]
fn a_source_may_be_one_platform_of_a_path_with_any_name() {
    let scene = Scene::new();
    let odd = scene.path("a@linux");
    std::fs::create_dir(&odd).expect("new");
    std::fs::copy(case(MULTI), odd.join("arm64")).expect("copied");
    let file = odd.join("arm64").display().to_string();
    let place = scene.place("oci", "app", "app");
    scene.run(0, &["index", "create", &place, &file]);
    assert_eq!(scene.digest(&place), INDEX);
    let one = scene.place("oci", "one", "one");
    scene.run(0, &["index", "create", &one, &format!("{file}@linux/arm64")]);
    assert_eq!(scene.platforms(&one), ["linux/arm64v8".to_owned()].into());
}

#[test]
fn a_dry_run_changes_nothing_and_says_the_same() {
    let scene = Scene::new();
    let place = scene.place("oci", "app", "app");
    let create = ["index", "create", &*place, &case(MULTI), "-A", "all"];
    let create: Vec<&str> = create.to_vec();
    scene.run(0, &[&create[..], &["--dry-run"]].concat());
    assert!(!scene.path("app").exists());
    scene.run(0, &create);
    let account = |name: &str, more: &[&str]| {
        let file = scene.path(name).display().to_string();
        let remove = ["index", "remove", "--account", &file, &place, "linux/arm64"];
        scene.run(0, &[&remove[..], more].concat());
        std::fs::read_to_string(file).expect("an account")
    };
    let rehearsed = account("rehearsed", &["--dry-run"]);
    assert_eq!(scene.digest(&place), INDEX);
    assert_eq!(rehearsed, account("done", &[]));
    assert_ne!(scene.digest(&place), INDEX);
}

#[test]
fn an_index_is_cut_to_what_is_there() {
    for (name, left) in [(SPARSE, "linux/arm64v8"), (NO_LAYERS, "linux/amd64")] {
        for form in FORMS {
            let scene = Scene::new();
            let place = scene.place(form, "cut", "lab/multi:1");
            scene.says(
                0,
                &["convert", "--present-only", &case(name), &place],
                &["it is not there", "dropped"],
            );
            assert_eq!(scene.platforms(&place), [left.to_owned()].into(), "{name} {form}");
            scene.run(0, &["check", "-D", "index/missing-child", &place]);
        }
    }
    // Where nothing is missing nothing changes.
    let scene = Scene::new();
    let place = scene.place("oci", "whole", "lab/multi:1");
    scene.run(0, &["convert", "--present-only", "--preserve-digests", &case(MULTI), &place]);
    assert_eq!(scene.digest(&place), INDEX);
}

#[test]
fn what_is_missing_is_taken_from_elsewhere() {
    let scene = Scene::new();
    // A place of each form that has all of it.
    let whole: Vec<String> =
        FORMS.iter().map(|form| scene.place(form, &format!("{form}-whole"), "lab/multi:1")).collect();
    for place in &whole {
        scene.run(0, &["convert", &case(MULTI), place]);
    }
    scene.run(0, &["convert", &case(MULTI), &scene.place("dir", "dir-whole", "")]);
    let dir = scene.place("dir", "dir-whole", "");
    for (at, from) in whole.iter().chain([&dir]).enumerate() {
        for form in FORMS {
            let place = scene.place(form, &format!("{form}-{at}"), "lab/multi:1");
            scene.run(0, &["convert", "--fill-from", from, &case(SPARSE), &place]);
            assert_eq!(scene.digest(&place), INDEX, "{from} {form}");
            scene.run(0, &["check", "-D", "index/missing-child", &place]);
        }
    }
    // Two places that have a part each; what is still missing is cut.
    let arm = scene.place("oci", "arm", "x");
    let amd = scene.place("docker-archive", "amd", "lab/x:1");
    scene.run(0, &["convert", "--platform", "linux/arm/v7", &case(MULTI), &arm]);
    scene.run(0, &["convert", "--platform", "linux/amd64", &case(MULTI), &amd]);
    let filled = scene.place("oci", "filled", "lab/multi:1");
    scene.run(
        0,
        &["convert", "--present-only", "--fill-from", &arm, "--fill-from", &amd, &case(SPARSE), &filled],
    );
    let platforms = ["linux/amd64", "linux/arm64v8", "linux/armv7"].map(str::to_owned);
    assert_eq!(scene.platforms(&filled), platforms.into());
    // A place that lies about a blob: found out as it is read, and nothing is written.
    let liar = scene.path("oci-whole/blobs/sha256/");
    let layers = std::fs::read_dir(&liar).expect("listed").map(|entry| entry.expect("an entry").path());
    for layer in layers.filter(|path| std::fs::metadata(path).expect("there").len() < 200) {
        std::fs::write(layer, b"other").expect("written");
    }
    let lied = scene.place("oci", "lied", "lab/multi:1");
    scene.says(
        1,
        &["convert", "--fill-from", &whole[0], &case(SPARSE), &lied],
        &["blob/digest-mismatch", "nothing was written"],
    );
    assert!(!scene.path("lied").exists());
}

#[test]
fn filled_layers_of_an_old_save_are_known_by_their_diff_ids() {
    let scene = Scene::new();
    let whole = scene.path("whole").display().to_string();
    scene.run(0, &["convert", &case(OLD), &format!("oci:{whole}")]);
    let blobs = scene.path("whole/blobs/sha256");
    let large = std::fs::read_dir(&blobs).expect("listed").map(|entry| entry.expect("an entry").path());
    for layer in large.filter(|path| std::fs::metadata(path).expect("there").len() >= 10240) {
        std::fs::remove_file(layer).expect("removed");
    }
    scene.run(1, &["check", &format!("oci:{whole}")]);
    let filled = scene.place("oci", "filled", "");
    scene.run(0, &["convert", "--fill-from", &case(OLD), &format!("oci:{whole}"), &filled]);
    scene.run(0, &["check", &filled]);
    scene.run(0, &["compare", &case(OLD), &filled, "--ignore", "digests"]);
}

/// What a registry and storage cannot hold is refused with the options that help.
#[test]
fn a_refusal_names_what_helps() {
    let scene = Scene::new();
    let storage = scene.place("registry-storage", "storage", "lab/multi:1");
    scene.says(
        2,
        &["convert", &case(SPARSE), &storage],
        &["which is not there", "--present-only", "--fill-from"],
    );
    let docker = scene.place("oci", "docker", "x");
    scene.says(
        2,
        &[
            "convert",
            "--manifest-format",
            "docker",
            "--drop",
            "attestations,annotations",
            &case(SPARSE),
            &docker,
        ],
        &["which is not in the archive", "--present-only"],
    );
}

#[test]
fn signatures_of_a_cut_index_are_marked_or_left_out() {
    let scene = Scene::new();
    let mut made = scene.0.layout();
    let root = layout(&mut made, &["amd64", "arm64"], indented);
    made.root(&root, "docker.io/lab/app:1");
    let config = made.add(sha256(), "application/vnd.oci.empty.v1+json", b"{}");
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"a/b","config":{config},"layers":[{config}],"subject":{root}}}"#
    );
    made.add(sha256(), "application/vnd.oci.image.manifest.v1+json", text.as_bytes());
    let source = made.finish();
    // The second platform is lost.
    let index: Value = serde_json::from_str(&scene.index(&source)).expect("JSON");
    let lost = index["manifests"][1]["digest"].as_str().expect("a digest").replace(':', "/");
    std::fs::remove_file(scene.path("layout/blobs").join(lost)).expect("removed");
    let out = |name: &str| scene.place("oci", name, "lab/app:1");
    scene.says(
        0,
        &["convert", "--present-only", &source, &out("marked")],
        &["its subject is the old digest", "it is not there"],
    );
    scene.says(
        0,
        &["convert", "--present-only", "--drop", "stale", &source, &out("dropped")],
        &["it refers to the index before it was cut"],
    );
}

#[test]
fn an_index_is_shown_as_other_tools_show_it() {
    let scene = Scene::new();
    let shown = scene.run(0, &["index", "inspect", &case(MULTI)]);
    let shown = String::from_utf8(shown.stdout).expect("text");
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[0], "Name:      docker.io/lab/multi:1");
    assert_eq!(lines[2], format!("Digest:    {INDEX}"));
    assert!(lines.contains(&"  Platform:    linux/arm/v7"), "{shown}");
    assert!(lines.contains(&"    vnd.docker.reference.type:   attestation-manifest"), "{shown}");
    let verbose = scene.run(0, &["index", "inspect", "--format", "docker", &case(MULTI)]);
    let json: Value = serde_json::from_slice(&verbose.stdout).expect("JSON");
    let list = json.as_array().expect("a list");
    assert_eq!(list.len(), 4);
    let raw =
        data_encoding::BASE64.decode(list[1]["Raw"].as_str().expect("text").as_bytes()).expect("base64");
    assert_eq!(list[1]["Descriptor"]["digest"], Digest::sha256(&raw).as_str());
    assert_eq!(list[1]["Descriptor"]["platform"]["variant"], "v8");
    let manifest: Value = serde_json::from_slice(&raw).expect("JSON");
    assert_eq!(list[1]["OCIManifest"], manifest);
    // A manifest that is not there has no bytes to show.
    scene.says(2, &["index", "inspect", "--format", "docker", &case(SPARSE)], &["--fill-from"]);
    scene.run(0, &["index", "inspect", &case(SPARSE)]);
}

#[test]
fn the_commands_that_load_all_platforms_are_told() {
    let scene = Scene::new();
    let told = |form: &str, words: &[&str]| {
        let place = scene.place(form, form, "lab/multi:1");
        scene.says(0, &["convert", "-v", &case(MULTI), &place], words);
    };
    told("docker-archive", &["ctr image import --all-platforms", "docker load --input"]);
    told("oci-archive", &["ctr image import --all-platforms", "skopeo copy --all oci-archive:"]);
    told("oci", &["skopeo copy --all oci:"]);
    let one = scene.place("docker-archive", "one", "lab/one:1");
    let output = scene.run(0, &["convert", "-v", &case(OLD), &one, "--image", "lab/dup:one"]);
    assert!(!output.stderr.contains("load it with"), "{}", output.stderr);
}
