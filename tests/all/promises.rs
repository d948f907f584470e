//! What a conversion promises of what it writes, and of what it does not.

use std::fs;
use std::path::{Path, PathBuf};

use restow::digest::Digest;
use serde_json::Value;

use crate::common::layer_of;
use crate::layout::{Bench, LAYER, Layout, sha256, with};

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// A manifest of Docker's type, of one layer under any type, and its config.
fn docker_image(layout: &Layout, layer_type: &str, layer: &[u8], config: &str) -> String {
    let config = layout.add(sha256(), DOCKER_CONFIG, config.as_bytes());
    let layer = layout.add(sha256(), layer_type, layer);
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{DOCKER_MANIFEST}","config":{config},"layers":[{layer}]}}"#
    );
    layout.add(sha256(), DOCKER_MANIFEST, text.as_bytes())
}

fn config_of(layer: &[u8], platform: &str) -> String {
    format!(r#"{{{platform}"rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#, Digest::sha256(layer))
}

const AMD64: &str = r#""architecture":"amd64","os":"linux","#;

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON")
}

fn blob(layout: &Path, digest: &Value) -> PathBuf {
    let digest = digest.as_str().expect("a digest").replace(':', "/");
    layout.join("blobs").join(digest)
}

#[test]
fn docker_manifests_that_name_layers_by_oci_types_never_get_zstd() {
    let layer = layer_of("file", b"content");
    for target in ["oci", "oci-archive", "docker-archive", "dir", "registry-storage"] {
        let bench = Bench::new();
        let mut layout = bench.layout();
        let image = docker_image(&layout, LAYER, &layer, &config_of(&layer, AMD64));
        layout.root(&image, "docker.io/lab/app:1");
        let source = layout.finish();
        let out = bench.out(target);
        let refused = bench.run(2, &["convert", "--compress", "zstd", &source, &out]);
        refused.stderr_has("Docker's manifests cannot name zstd layers").expect("the reason");
        assert!(!bench.dir.path().join("out").exists());
        bench.run(0, &["convert", "--compress", "zstd", "--manifest-format", "oci", &source, &out]);
        bench.run(0, &["check", &out]);
    }
}

#[test]
fn an_image_without_platform_gets_a_manifest_that_may_have_none() {
    let bench = Bench::new();
    let layer = layer_of("file", b"content");
    let config = config_of(&layer, "");
    let id = Digest::sha256(config.as_bytes());
    let path = bench.dir.path().join("old.tar");
    let mut tar = tar::Builder::new(fs::File::create(&path).expect("created"));
    let manifest = format!(
        r#"[{{"Config":"{0}.json","RepoTags":["lab/app:1"],"Layers":["a/layer.tar"]}}]"#,
        id.encoded()
    );
    let config_name = format!("{}.json", id.encoded());
    for (name, bytes) in [
        ("a/layer.tar", &layer[..]),
        (&config_name, config.as_bytes()),
        ("manifest.json", manifest.as_bytes()),
    ] {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes).expect("written");
    }
    tar.finish().expect("written");
    drop(tar);
    let source = path.display().to_string();
    for target in ["oci", "oci-archive", "docker-archive", "dir", "registry-storage"] {
        let out = bench.out(target);
        bench.run(0, &["convert", &source, &out]);
        bench.run(0, &["check", &out]);
        let written = bench.dir.path().join("out");
        if target == "oci" {
            let index = json(&written.join("index.json"));
            let root = &index["manifests"][0];
            assert_eq!(root["mediaType"], DOCKER_MANIFEST);
            assert_eq!(json(&blob(&written, &root["digest"]))["config"]["digest"], id.as_str());
        }
        if written.is_dir() {
            fs::remove_dir_all(&written).expect("removed");
        } else {
            fs::remove_file(&written).expect("removed");
        }
        let refused = bench.run(2, &["convert", "--manifest-format", "oci", &source, &out]);
        refused
            .stderr_has("the config of lab/app:1 has no `architecture` and no `os`, which OCI demands")
            .expect("why");
        assert!(!written.exists());
    }
}

#[test]
fn descriptors_repeat_what_a_rewritten_manifest_says_that_it_is() {
    let bench = Bench::new();
    let mut layout = bench.layout();
    let layer = layer_of("file", b"content");
    let image = docker_image(&layout, LAYER, &layer, &config_of(&layer, AMD64));
    let image = with(&image, &format!(r#""artifactType":"{DOCKER_CONFIG}""#));
    let index = layout.index(&[with(&image, r#""platform":{"architecture":"amd64","os":"linux"}"#)]);
    layout.root(&image, "docker.io/lab/app:1");
    layout.root(&index, "docker.io/lab/app:all");
    let source = layout.finish();
    let out = bench.out("oci");
    bench.run(0, &["convert", "--manifest-format", "oci", &source, &out]);
    let checked = bench.run(0, &["check", &out]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned() + &checked.stderr;
    assert!(!said.contains("artifact-type-mismatch"), "{said}");
    let written = bench.dir.path().join("out");
    let roots = json(&written.join("index.json"));
    assert_eq!(roots["manifests"][0]["artifactType"], crate::layout::CONFIG);
    let index = json(&blob(&written, &roots["manifests"][1]["digest"]));
    assert_eq!(index["manifests"][0]["artifactType"], crate::layout::CONFIG);
}

#[test]
fn convert_with_check_writes_nothing_if_there_is_any_error() {
    // An error that plain convert does not look for: a name in a layer that leads out of it.
    let mut escaping = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.as_mut_bytes()[..7].copy_from_slice(b"../evil");
    header.set_size(1);
    header.set_mode(0o644);
    header.set_cksum();
    escaping.append(&header, &b"x"[..]).expect("memory");
    let layer = escaping.into_inner().expect("memory");
    for target in ["oci", "oci-archive", "docker-archive", "dir", "registry-storage"] {
        let bench = Bench::new();
        let mut layout = bench.layout();
        layout.root(&layout.image("amd64", sha256(), &layer), "docker.io/lab/app:1");
        let source = layout.finish();
        let out = bench.out(target);
        let refused = bench.run(1, &["convert", "--check", &source, &out]);
        refused.stderr_has("entry/escaping-name").expect("the finding");
        refused.stderr_has("nothing was written").expect("the verdict");
        let left: Vec<_> =
            fs::read_dir(bench.dir.path()).expect("listed").flatten().map(|e| e.file_name()).collect();
        assert!(left.iter().all(|name| name == "layout" || name == "tmp"), "{target}: {left:?}");
        if target.ends_with("archive") {
            let stream = bench.run(1, &["convert", "--check", &source, &format!("{target}:-")]);
            assert!(stream.stdout.is_empty(), "{target}: {} bytes went out", stream.stdout.len());
        }
        // Who lowers it takes it on.
        bench.run(0, &["convert", "--check", "-W", "entry/escaping-name", &source, &out]);
        fs::remove_dir_all(bench.dir.path().join("out"))
            .or_else(|_| fs::remove_file(bench.dir.path().join("out")))
            .expect("removed");
        let plain = bench.run(0, &["convert", &source, &out]);
        let last = plain.stderr.lines().last().unwrap_or_default().to_owned();
        assert!(last.contains("not looked at") && last.contains("layers"), "{last}");
    }
}

/// The lines of an account: kind, action and what it is about.
fn entries(account: &Path) -> Vec<(String, String, String)> {
    let account = json(account);
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let entries = account["entries"].as_array().expect("entries");
    entries.iter().map(|entry| (text(entry, "kind"), text(entry, "action"), text(entry, "what"))).collect()
}

/// The digest in a descriptor.
fn digest_of(descriptor: &str) -> String {
    let descriptor: Value = serde_json::from_str(descriptor).expect("JSON");
    descriptor["digest"].as_str().expect("a digest").to_owned()
}

/// A manifest that is about another.
fn about(layout: &Layout, subject: &str, artifact_type: &str) -> String {
    let config = layout.add(sha256(), "application/vnd.oci.empty.v1+json", b"{}");
    let layer = layout.add(sha256(), artifact_type, artifact_type.as_bytes());
    let manifest = crate::layout::MANIFEST;
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{manifest}","artifactType":"{artifact_type}","config":{config},"layers":[{layer}],"subject":{subject}}}"#
    );
    layout.add(sha256(), manifest, text.as_bytes())
}

fn remove(path: &Path) {
    if path.is_dir() {
        fs::remove_dir_all(path).expect("removed");
    } else {
        fs::remove_file(path).expect("removed");
    }
}

const FORMS: [&str; 5] = ["oci", "oci-archive", "docker-archive", "dir", "registry-storage"];

#[test]
fn referrers_go_with_their_subject_at_any_depth_listed_or_not() {
    let bench = Bench::new();
    let mut layout = bench.layout();
    let image = layout.image("amd64", sha256(), &layer_of("file", b"one"));
    let other = layout.image("arm64", sha256(), &layer_of("file", b"two"));
    let sbom = about(&layout, &image, "application/vnd.example.sbom");
    let signature = about(&layout, &sbom, "application/vnd.example.signature");
    let stray = about(&layout, &other, "application/vnd.example.other");
    layout.root(&image, "docker.io/lab/app:1");
    layout.root(&other, "docker.io/lab/other:1");
    // Neither is listed in index.json.
    let source = layout.finish();
    let out = bench.dir.path().join("out");
    let account = bench.dir.path().join("account.json");
    let account_option = account.display().to_string();
    for form in FORMS {
        let place = bench.out(form);
        let run = ["convert", "--account", &account_option, "--image", "lab/app:1", "--tag", "new/name:2"];
        bench.run(0, &[&run[..], &[&source, &place]].concat());
        let told = entries(&account);
        let raw = fs::read_to_string(&account).expect("read");
        let inspected = bench.run(0, &["inspect", "--json", &place]);
        let inspected = String::from_utf8(inspected.stdout).expect("UTF-8");
        for (what, digest) in [("sbom", digest_of(&sbom)), ("signature", digest_of(&signature))] {
            let entry = json(&account)["entries"]
                .as_array()
                .expect("entries")
                .iter()
                .find(|e| e["before"] == *digest)
                .cloned();
            let action = entry.map(|entry| entry["action"].as_str().unwrap_or_default().to_owned());
            let expected = if form == "dir" { "dropped" } else { "kept" };
            assert_eq!(action.as_deref(), Some(expected), "{what} in {form}: {raw}");
            assert_eq!(inspected.contains(&digest), form != "dir", "{what} in {form}: {inspected}");
        }
        // What was not asked for is said, with what is about it.
        for gone in [digest_of(&other), digest_of(&stray)] {
            assert!(raw.contains(&gone) && !inspected.contains(&gone), "{gone} in {form}: {raw}");
        }
        assert!(told.contains(&("name".into(), "dropped".into(), "lab/other:1".into())), "{form}: {told:?}");
        bench.run(0, &["check", &place]);
        remove(&out);
        // None, or one edge only.
        if form != "dir" {
            bench.run(
                0,
                &[
                    "convert",
                    "--account",
                    &account_option,
                    "--referrers",
                    "1",
                    "--image",
                    "lab/app:1",
                    &source,
                    &place,
                ],
            );
            let raw = fs::read_to_string(&account).expect("read");
            let action = |digest: &str| {
                let account: Value = serde_json::from_str(&raw).expect("JSON");
                let found =
                    account["entries"].as_array().expect("entries").iter().find(|e| e["before"] == *digest);
                found.map(|entry| entry["action"].as_str().unwrap_or_default().to_owned())
            };
            assert_eq!(action(&digest_of(&sbom)).as_deref(), Some("kept"), "{raw}");
            assert_eq!(action(&digest_of(&signature)).as_deref(), Some("dropped"), "{raw}");
            remove(&out);
        }
    }
}

#[test]
fn storage_keeps_its_repositories_with_what_no_tag_names() {
    let bench = Bench::new();
    let mut layout = bench.layout();
    let first = layout.image("amd64", sha256(), &layer_of("file", b"one"));
    let second = layout.image("amd64", sha256(), &layer_of("file", b"two"));
    let sbom = about(&layout, &second, "application/vnd.example.sbom");
    let signature = about(&layout, &sbom, "application/vnd.example.signature");
    layout.root(&first, "docker.io/lab/app:1");
    let source = layout.finish();
    let storage = bench.dir.path().join("storage");
    let place = format!("registry-storage:{}", storage.display());
    bench.run(0, &["convert", &source, &place]);
    // The same tag once more: the first image is a revision that no tag names then.
    let mut layout = Layout::new(&bench.dir.path().join("layout"));
    layout.root(&second, "docker.io/lab/app:1");
    let source = layout.finish();
    bench.run(0, &["convert", &source, &place]);
    let account = bench.dir.path().join("account.json");
    let account_option = account.display().to_string();
    let all = [digest_of(&first), digest_of(&second), digest_of(&sbom), digest_of(&signature)];
    // To storage all of it goes, a repository without tags and referrers at any depth included.
    let repository = storage.join("docker/registry/v2/repositories/lab/app");
    for tags in [true, false] {
        if !tags {
            fs::remove_dir_all(repository.join("_manifests/tags")).expect("removed");
        }
        let copy = bench.dir.path().join("copy");
        bench.run(0, &["convert", &place, &format!("registry-storage:{}", copy.display())]);
        for digest in &all {
            let link = format!(
                "docker/registry/v2/repositories/lab/app/_manifests/revisions/{}/link",
                digest.replace(':', "/")
            );
            assert!(copy.join(&link).exists(), "tags {tags}: {digest}");
        }
        remove(&copy);
        if tags {
            // To a form without revisions it is told.
            let out = bench.out("oci");
            bench.run(0, &["convert", "--account", &account_option, &place, &out]);
            let account = json(&account);
            let entries = account["entries"].as_array().expect("entries");
            let of = |digest: &String| {
                entries.iter().find(|entry| entry["before"] == **digest).cloned().unwrap_or_default()
            };
            assert_eq!(of(&all[0])["action"], "dropped");
            assert!(of(&all[0])["why"].as_str().is_some_and(|why| why.contains("no tag names it")));
            for digest in &all[1..] {
                assert_eq!(of(digest)["action"], "kept", "{digest}");
            }
            remove(&bench.dir.path().join("out"));
            // Its digest takes it along.
            bench.run(0, &["convert", "--image", &all[0], &place, &out]);
            remove(&bench.dir.path().join("out"));
        }
    }
    // A broken one is an error, not something that nothing points at.
    let hex = &all[0]["sha256:".len()..];
    let data = storage.join(format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]));
    let mut bytes = fs::read(&data).expect("read");
    bytes[20] ^= 1;
    fs::write(&data, bytes).expect("written");
    let checked = bench.run(1, &["check", &place]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(said.contains("blob/digest-mismatch") && !said.contains("nothing points at"), "{said}");
}

#[test]
fn names_are_told_whatever_becomes_of_them() {
    let bench = Bench::new();
    let account = bench.dir.path().join("account.json");
    let account_option = account.display().to_string();
    let layer = layer_of("file", b"one");
    // A registry knows no short names.
    let short = crate::layout::docker_archive(
        &bench.dir.path().join("short.tar"),
        "hello-world:latest",
        std::slice::from_ref(&layer),
    );
    bench.run(0, &["convert", "--account", &account_option, &short, &bench.out("registry-storage")]);
    let moved = json(&account)["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .find(|e| e["kind"] == "name")
        .cloned()
        .expect("a name");
    assert_eq!(moved["action"], "moved");
    assert!(moved["why"].as_str().is_some_and(|why| why.contains("library/hello-world:latest")), "{moved}");
    remove(&bench.dir.path().join("out"));
    // One that is none.
    let upper = crate::layout::docker_archive(&bench.dir.path().join("upper.tar"), "Lab/App:1", &[layer]);
    bench.run(
        0,
        &["convert", "-W", "name/bad-reference", "--account", &account_option, &upper, &bench.out("oci")],
    );
    let told = entries(&account);
    assert!(told.contains(&("name".into(), "dropped".into(), "Lab/App:1".into())), "{told:?}");
    remove(&bench.dir.path().join("out"));
    // A second name of an image that is chosen by the first; a blob that nothing points at, and a file of nobody's.
    let mut layout = bench.layout();
    let image = layout.image("amd64", sha256(), &layer_of("file", b"two"));
    layout.root(&image, "docker.io/lab/app:1");
    layout.root(&image, "docker.io/lab/app:second");
    layout.add(sha256(), LAYER, b"stray");
    fs::write(layout.dir.join("README.md"), "mine").expect("written");
    let source = layout.finish();
    bench.run(
        0,
        &["convert", "--image", "lab/app:1", "--account", &account_option, &source, &bench.out("oci")],
    );
    let told = entries(&account);
    for (kind, what) in [("name", "lab/app:second"), ("other", "file README.md")] {
        assert!(told.contains(&(kind.into(), "dropped".into(), what.into())), "{what}: {told:?}");
    }
    let stray = Digest::sha256(b"stray");
    assert!(
        told.iter().any(|(kind, action, what)| kind == "blob"
            && action == "dropped"
            && what.contains(stray.encoded()))
    );
}

/// Of a layout of two platforms each blob and each pair of blobs is taken away: whichever platform is asked for, it is
/// converted, or something is found, or it is said what the archive holds. What a conversion would be wrong by is
/// never found out of its output alone.
#[test]
fn what_an_asked_platform_lacks_is_found_in_the_source() {
    let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/good/oci/two-platforms/archive");
    let blobs = |layout: &Path| -> Vec<PathBuf> {
        let blobs = fs::read_dir(layout.join("blobs/sha256")).expect("a folder");
        blobs.map(|entry| PathBuf::from(entry.expect("an entry").file_name())).collect()
    };
    let names = blobs(&good);
    let mut outcomes = [0; 3];
    for (i, one) in names.iter().enumerate() {
        for other in &names[i..] {
            let bench = Bench::new();
            let source = bench.dir.path().join("source");
            fs::create_dir_all(source.join("blobs/sha256")).expect("a folder");
            for file in ["oci-layout", "index.json"] {
                fs::copy(good.join(file), source.join(file)).expect("a copy");
            }
            for blob in names.iter().filter(|name| ![one, other].contains(name)) {
                let at = Path::new("blobs/sha256").join(blob);
                fs::copy(good.join(&at), source.join(&at)).expect("a copy");
            }
            let source = format!("oci:{}", source.display());
            for platform in ["linux/amd64", "linux/arm64"] {
                for check in [&[][..], &["--check"]] {
                    let out = bench.out("oci");
                    let asked = ["convert", "--platform", platform, &source, &out];
                    let asked: Vec<String> =
                        [&asked[..], check].concat().into_iter().map(str::to_owned).collect();
                    let ran = bench.restow.run(&asked).expect("restow runs");
                    let said = &ran.stderr;
                    match ran.code {
                        0 => {
                            bench.run(0, &["check", &out]);
                            fs::remove_dir_all(bench.dir.path().join("out")).expect("it is removed");
                            outcomes[0] += 1;
                        }
                        1 => {
                            let found = ["[blob/missing]", "[index/", "[oci/"];
                            assert!(found.iter().any(|rule| said.contains(rule)), "{said}");
                            outcomes[1] += 1;
                        }
                        _ => {
                            assert!(said.starts_with("error: no image for"), "{one:?} {other:?}: {said}");
                            outcomes[2] += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(outcomes.iter().all(|&count| count >= 8), "{outcomes:?}");
}
