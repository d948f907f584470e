//! Registries as places of the command: every good case of the corpus there and back, faults, and what stays behind.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::server::{Act, Auth, Manner, Server};

/// Runs the command with no credentials but those that are given.
pub fn restow(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().expect("temporary directory");
    command(home.path()).args(arguments).output().expect("runs")
}

pub fn command(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_restow"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("COLUMNS", "100");
    command.env("CONTAINERS_REGISTRIES_CONF", home.join("registries.conf"));
    std::fs::write(home.join("registries.conf"), "").expect("written");
    command
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs the command, which must succeed.
fn done(arguments: &[&str]) -> String {
    let output = restow(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output)
}

/// Runs the command, which must fail so; what it says.
fn fails(code: i32, arguments: &[&str]) -> String {
    let output = restow(arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
    String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output)
}

pub fn corpus() -> Vec<PathBuf> {
    let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/good");
    let mut cases = Vec::new();
    for form in ["oci", "docker-archive", "dir", "registry-storage"] {
        for entry in std::fs::read_dir(good.join(form)).into_iter().flatten().flatten() {
            let inside = std::fs::read_dir(entry.path()).into_iter().flatten().flatten();
            let name =
                |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("case"));
            cases.extend(
                inside
                    .map(|entry| entry.path())
                    .filter(|path| !name(path) && !path.to_string_lossy().ends_with(".txt")),
            );
        }
    }
    cases.sort();
    cases
}

/// The archive of a case of OCI layouts.
pub fn layout(case: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/good/oci").join(case);
    let mut inside = std::fs::read_dir(path).expect("there").flatten().map(|entry| entry.path());
    let found = inside.find(|path| path.is_dir() || path.extension().is_some_and(|e| e == "tar"));
    found.expect("an archive").to_string_lossy().into_owned()
}

fn image() -> String {
    layout("three-layers")
}

/// What a case comes to in a registry.
enum Way {
    /// There and back the same.
    Same,
    /// Without a tag it stands there by its digest, and no registry lists it.
    Unlisted,
    /// What a registry cannot hold is refused before anything is sent.
    Refused(String),
}

/// Pushes after a dry run, which must leave the registry as it is and come to the same: status, words of a refusal,
/// account.
fn pushed(options: &[&str], source: &str, destination: &str, server: &Server) -> Output {
    let folder = tempfile::tempdir().expect("temporary directory");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (foreseen, came) = (file("foreseen"), file("came"));
    let with = |more: [&str; 3]| {
        let more: Vec<&str> = more.into_iter().filter(|part| !part.is_empty()).collect();
        let parts = [&["convert"], &more[..], options, &[source, destination]].concat();
        restow(&parts)
    };
    let held = || {
        let state = server.state();
        (state.blobs.len(), state.manifests.clone(), state.tags.clone())
    };
    let before = held();
    let dry = with(["--dry-run", "--account", &foreseen]);
    assert!(held() == before, "{source}: a dry run changed the registry");
    let run = with(["", "--account", &came]);
    assert_eq!(dry.status.code(), run.status.code(), "{source}: {}{}", stderr(&dry), stderr(&run));
    if !run.status.success() {
        assert_eq!(stderr(&dry), stderr(&run), "{source}");
    }
    let told = [foreseen, came].map(|file| std::fs::read_to_string(file).ok());
    assert_eq!(told[0], told[1], "{source}");
    run
}

/// Every manifest of a registry is read by its digest; what is said of one that cannot be.
pub fn by_digest(server: &Server) -> Result<(), String> {
    let all: Vec<_> = server.state().manifests.keys().cloned().collect();
    assert!(!all.is_empty(), "nothing was sent");
    for (repository, digest) in all {
        let place = format!("docker://{}/{repository}@{digest}", server.address);
        let output = restow(&["inspect", &place]);
        if output.status.code() != Some(0) {
            return Err(format!("{place}: {}", stderr(&output)));
        }
    }
    Ok(())
}

fn there_and_back(source: &str, server: &Server, other: &Server) -> Way {
    let (near, far) =
        (format!("docker://{}/case/", server.address), format!("docker://{}/case/", other.address));
    let sent = pushed(&[], source, &near, server);
    if sent.status.code() != Some(0) {
        // Without names there is nothing to call the images there.
        let named = format!("{near}app");
        let again = pushed(&[], source, &named, server);
        if again.status.code() != Some(0) {
            return Way::Refused(stderr(&again));
        }
    }
    if server.state().tags.is_empty() {
        by_digest(server).expect("what was sent is there");
        return Way::Unlisted;
    }
    let back = tempfile::tempdir().expect("temporary directory");
    let layout = format!("oci:{}", back.path().join("layout").display());
    done(&["convert", &near, &layout]);
    done(&["compare", "--ignore", "names", &near, &layout]);
    done(&["convert", &near, &format!("docker://{}/", other.address)]);
    done(&["compare", "--ignore", "names", &near, &far]);
    assert_eq!(server.tagged(), other.tagged(), "{source}");
    let checked = restow(&["check", &near]);
    let before = restow(&["check", source]);
    assert!(
        checked.status.code() <= before.status.code().max(Some(0)),
        "{source}: {}",
        String::from_utf8_lossy(&checked.stdout)
    );
    Way::Same
}

#[test]
fn every_good_case_there_and_back() {
    let mut refused = Vec::new();
    let mut same = 0;
    for source in corpus() {
        for referrers in [true, false] {
            let server = Server::start(Manner { referrers, ..Manner::default() });
            let other = Server::start(Manner { referrers, absolute: true, ..Manner::default() });
            let text = source.to_string_lossy();
            match there_and_back(&text, &server, &other) {
                Way::Same => same += 1,
                Way::Unlisted => {}
                Way::Refused(why) => {
                    assert!(server.state().tags.is_empty(), "{text}: a tag of what was refused");
                    refused.push(format!("{text}: {}", why.lines().next().unwrap_or_default()));
                }
            }
        }
    }
    assert!(same >= 60, "{same} the same, refused:\n{}", refused.join("\n"));
}

#[test]
fn faults_while_reading_are_told_and_end() {
    let server = Server::start(Manner::default());
    let place = format!("docker://{}/team/app:v1", server.address);
    done(&["convert", &image(), &place]);
    let page = |text: &str| Act::Status(200, vec![("Content-Type", "text/html".into())], text.into());
    for (path, act, code, said) in [
        ("/manifests/v1", Act::Status(404, vec![], String::new()), 2, "there is no such image"),
        ("/manifests/v1", page("<html>sign in</html>"), 2, "HTML instead of JSON"),
        ("/manifests/v1", Act::Status(500, vec![], "{}".into()), 2, "answers 500"),
        ("/manifests/v1", Act::Cut(10), 2, "ends after 10 of"),
        ("/manifests/v1", Act::Hang, 2, "the connection broke"),
        ("/manifests/v1", Act::Silent, 2, "no answer came for 1 s"),
        ("/manifests/v1", Act::Endless, 2, "more than the limit document-bytes allows"),
        ("/blobs/", Act::Cut(10), 2, "ends after 10 of"),
        ("/blobs/", Act::Silent, 2, "no answer came for 1 s"),
        ("/blobs/", Act::Endless, 2, "longer than"),
        ("/blobs/", Act::Flip, 1, "blob/digest-mismatch"),
        ("/blobs/", Act::Status(404, vec![], String::new()), 2, "no longer has it"),
    ] {
        server.state().plants.clear();
        server.plant("GET", path, 1000, act.clone());
        let said_now = fails(code, &["check", "--retry-times", "0", "--timeout", "1", &place]);
        assert!(said_now.contains(said), "{path} {act:?}: {said_now}");
        assert!(code == 1 || said_now.contains(&server.address), "{said_now}");
        // Nothing is written either.
        let folder = tempfile::tempdir().expect("temporary directory");
        let layout = folder.path().join("layout");
        let to = format!("oci:{}", layout.display());
        fails(code, &["convert", "--retry-times", "0", "--timeout", "1", &place, &to]);
        assert!(!layout.exists(), "{path} {act:?}");
    }
    server.state().plants.clear();
    server.plant("HEAD", "/blobs/", 1000, Act::Status(404, vec![], String::new()));
    assert!(fails(1, &["check", &place]).contains("missing"));
}

#[test]
fn a_tag_that_is_refused_among_many_leaves_a_command_that_proves_the_others() {
    let server = Server::start(Manner::default());
    for tag in ["v1", "v2", "v3"] {
        done(&["convert", &image(), &format!("docker://{}/team/app:{tag}", server.address)]);
    }
    server.plant("GET", "/manifests/v2", 1000, Act::Status(500, vec![], "{}".into()));
    let all = format!("docker://{}/team/app", server.address);
    let said = fails(2, &["check", "--retry-times", "0", "--all-tags", &all]);
    let command =
        said.split('`').find(|part| part.starts_with("restow scrub ")).expect("a command").to_owned();
    let command: Vec<&str> = command.split_whitespace().skip(1).collect();
    let said = fails(2, &[&command[..], &["--retry-times", "0"]].concat());
    assert!(said.contains("v2") && said.contains("500"), "{said}");
    assert!(said.contains("read 5 of 5 blobs"), "{said}");
}

#[test]
fn faults_while_writing_leave_no_tag() {
    for (method, path, act) in [
        ("POST", "/uploads/", Act::Status(500, vec![], String::new())),
        ("POST", "/uploads/", Act::Status(403, vec![], String::new())),
        ("POST", "/uploads/", Act::Status(202, vec![], String::new())),
        ("PUT", "/uploads/", Act::Hang),
        ("PUT", "/uploads/", Act::Status(400, vec![], r#"{"errors":[{"code":"DIGEST_INVALID"}]}"#.into())),
        ("PUT", "/manifests/sha256", Act::Status(400, vec![], String::new())),
        ("PUT", "/manifests/sha256", Act::Silent),
        ("PUT", "/manifests/v1", Act::Status(403, vec![], String::new())),
    ] {
        let server = Server::start(Manner::default());
        let place = format!("docker://{}/team/app:v1", server.address);
        server.plant(method, path, 1000, act.clone());
        let said = fails(2, &["convert", "--retry-times", "0", "--timeout", "1", &image(), &place]);
        assert!(said.contains(&server.address) && said.contains("error: "), "{said}");
        assert!(server.state().tags.is_empty(), "{method} {path} {act:?}");
        // Run again it sends what is missing, and no more.
        server.state().plants.clear();
        let before = server.state().blobs.len();
        let posts = server.count("POST", "/uploads/");
        done(&["convert", &image(), &place]);
        let after = server.state().blobs.len();
        assert_eq!(server.count("POST", "/uploads/") - posts, after - before, "{method} {path}");
        assert_eq!(server.state().tags.len(), 1);
        let posts = server.count("POST", "/uploads/");
        let said = done(&["convert", &image(), &place]);
        assert_eq!(server.count("POST", "/uploads/"), posts);
        assert!(said.contains("sent 0 (0 bytes)") && said.contains("1 tags as they were"), "{said}");
    }
}

#[test]
fn a_broken_image_is_not_pushed() {
    let folder = tempfile::tempdir().expect("temporary directory");
    let layout = folder.path().join("layout");
    done(&["convert", &image(), &format!("oci:{}", layout.display())]);
    let blobs = std::fs::read_dir(layout.join("blobs/sha256")).expect("blobs").flatten();
    let largest =
        blobs.max_by_key(|blob| blob.metadata().map_or(0, |meta| meta.len())).expect("a blob").path();
    let mut bytes = std::fs::read(&largest).expect("read");
    *bytes.last_mut().expect("not empty") ^= 1;
    std::fs::write(&largest, bytes).expect("written");
    let server = Server::start(Manner::default());
    fails(1, &["convert", &format!("oci:{}", layout.display()), &format!("docker://{}/a:1", server.address)]);
    let state = server.state();
    assert!(state.tags.is_empty() && state.manifests.is_empty());
}

#[test]
fn credentials_are_looked_for_and_never_shown() {
    let server = Server::start(Manner { auth: Auth::Basic("user:hunter22".into()), ..Manner::default() });
    let place = format!("docker://{}/team/app:v1", server.address);
    done(&["convert", "--creds", "user:hunter22", &image(), &place]);
    let said = fails(2, &["check", &place]);
    assert!(
        said.contains("refuses it without credentials")
            && said.contains(&format!("skopeo login {}", server.address)),
        "{said}"
    );
    let said = fails(2, &["check", "--creds", "user:wrong-one", &place]);
    assert!(said.contains("refuses it to user (from --creds)") && !said.contains("wrong-one"), "{said}");
    let folder = tempfile::tempdir().expect("temporary directory");
    let file = folder.path().join("auth.json");
    let auth = data_encoding::BASE64.encode(b"user:hunter22");
    std::fs::write(&file, format!(r#"{{"auths":{{"{}/team":{{"auth":"{auth}"}}}}}}"#, server.address))
        .expect("written");
    done(&["check", "--authfile", &file.to_string_lossy(), &place]);
    // A helper that fails is told, one that has nothing is nobody.
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).expect("folder");
    let config = folder.path().join("config.json");
    std::fs::write(&config, format!(r#"{{"credHelpers":{{"{}":"test"}}}}"#, server.address))
        .expect("written");
    let run = |script: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        let helper = bin.join("docker-credential-test");
        std::fs::write(&helper, format!("#!/bin/sh\n{script}\n")).expect("written");
        std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).expect("executable");
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
        let output = command(folder.path())
            .env("PATH", path)
            .env("DOCKER_CONFIG", folder.path())
            .args(["check", &place])
            .output();
        let output = output.expect("runs");
        (output.status.code(), stderr(&output))
    };
    assert_eq!(run(r#"cat >/dev/null; echo '{"Username":"user","Secret":"hunter22"}'"#).0, Some(0));
    let (code, said) = run("echo 'the vault is sealed'; exit 1");
    assert!(
        code == Some(2) && said.contains("docker-credential-test: it fails: the vault is sealed"),
        "{said}"
    );
    let (code, said) = run("echo 'credentials not found in native keychain'; exit 1");
    assert!(code == Some(2) && said.contains("without credentials"), "{said}");
    let (code, said) = run("echo hunter22");
    assert!(
        code == Some(2) && said.contains("no answer of a helper") && !said.contains("hunter22"),
        "{said}"
    );
    let mut child = command(folder.path())
        .args(["check", "--creds", "user", "--password-stdin", &place])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("runs");
    std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), b"hunter22\n").expect("written");
    assert!(child.wait().expect("ends").success());
}

#[test]
fn options_of_two_registries_and_of_tags() {
    let server = Server::start(Manner::default());
    let place = |name: &str| format!("docker://{}/{name}", server.address);
    done(&["convert", &image(), &place("a:1")]);
    let said = fails(2, &["convert", "--creds", "u:p", &place("a:1"), &place("b:1")]);
    assert!(said.contains("use --src-creds or --dest-creds"), "{said}");
    done(&["convert", "--src-creds", "u:p", &place("a:1"), &place("b")]);
    assert!(server.state().tags.contains_key(&("b".into(), "latest".into())));
    assert_eq!(done(&["inspect", "--tags", &place("a")]).trim(), "1");
    assert_eq!(done(&["inspect", "--tags", &place("")]).trim(), "a\nb");
    let said = fails(2, &["check", &place("a:2")]);
    assert!(said.contains("the repository has tags like it: 1"), "{said}");
    let said = fails(2, &["check", "--all-tags", &place("none")]);
    assert!(said.contains("there is no such repository"), "{said}");
    // Another image does not replace one that is there.
    let other = layout("two-layers");
    let before = server.state().tags.clone();
    let posts = server.count("POST", "/uploads/");
    let refused = pushed(&["--no-clobber"], &other, &place("a:1"), &server);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("--no-clobber keeps it"), "{}", stderr(&refused));
    assert_eq!(server.count("POST", "/uploads/"), posts, "nothing is sent before it is refused");
    // The digest of what is compressed anew is not known beforehand; the tag stays all the same.
    let said = fails(2, &["convert", "--no-clobber", "--compress", "zstd", &image(), &place("a:1")]);
    assert!(said.contains("--no-clobber keeps it"), "{said}");
    assert_eq!(server.state().tags, before);
    // Without that a tag that goes to another image has a line, and the image that loses it is named.
    let moved = pushed(&[], &other, &place("moved:1"), &server);
    assert!(!stderr(&moved).contains("moved sha256:"), "{}", stderr(&moved));
    let moved = pushed(&[], &image(), &place("moved:1"), &server);
    assert!(stderr(&moved).contains("name moved:1: moved sha256:"), "{}", stderr(&moved));
    let folder = tempfile::tempdir().expect("temporary directory");
    let file = folder.path().join("digest");
    let said = done(&[
        "convert",
        "--no-clobber",
        "--verify-after",
        "--digestfile",
        &file.to_string_lossy(),
        &image(),
        &place("a:1"),
    ]);
    assert!(said.contains("read again"), "{said}");
    let digest = std::fs::read_to_string(&file).expect("written");
    assert_eq!(before.get(&("a".into(), "1".into())).map(String::as_str), Some(digest.trim()));
    done(&["check", &place(&format!("a@{}", digest.trim()))]);
    done(&["convert", &image(), &place(&format!("c@{}", digest.trim()))]);
    assert!(!server.state().tags.keys().any(|(path, _)| path == "c"));
    let wrong = format!("c@sha256:{}", "0".repeat(64));
    assert!(fails(2, &["convert", &image(), &place(&wrong)]).contains("the destination is to be"));
}

#[test]
fn platforms_of_a_registry() {
    let server = Server::start(Manner::default());
    let place = format!("docker://{}/team/app:v1", server.address);
    done(&["convert", &layout("two-platforms"), &place]);
    let asked = |server: &Server| server.count("HEAD", "/blobs/");
    let before = asked(&server);
    done(&["check", &place]);
    let all = asked(&server) - before;
    let before = asked(&server);
    done(&["check", "--platform", "linux/arm64", &place]);
    let one = asked(&server) - before;
    assert!(one > 0 && one < all, "{one} of {all} blobs are asked for");
    let shown = done(&["inspect", "--json", "--platform", "linux/arm64", &place]);
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    let images = shown["images"].as_array().expect("images");
    assert_eq!(images.len(), 1, "{shown}");
    assert_eq!(images[0]["platform"], "linux/arm64", "{shown}");
    // What is compared is what was taken out.
    let folder = tempfile::tempdir().expect("temporary directory");
    let layout_of_one = format!("oci:{}", folder.path().join("one").display());
    done(&["convert", "--platform", "linux/arm64", &place, &layout_of_one]);
    done(&["compare", "--platform", "linux/arm64", &place, &layout_of_one]);
    nothing_is_asked_for_in_vain(&server, &place);
    for command in ["check", "inspect"] {
        let said = fails(2, &[command, "--platform", "linux/s390x", &place]);
        assert!(said.contains(&format!("no image for linux/s390x in {place}")), "{said}");
        assert!(said.contains("it holds linux/amd64, linux/arm64"), "{said}");
    }
    // Of an archive it is a part to be judged, and to be shown.
    for command in ["check", "inspect"] {
        let said = fails(2, &[command, "--platform", "linux/arm64", &image()]);
        assert!(
            said.contains("no image for linux/arm64 in") && said.contains("it holds linux/amd64"),
            "{said}"
        );
    }
    // A manifest alone says in its config what it is for.
    let one = format!("docker://{}/team/one:v1", server.address);
    done(&["convert", "--platform", "linux/arm64", &place, &one]);
    done(&["check", "--platform", "linux/arm64", &one]);
    let said = fails(2, &["check", "--platform", "linux/amd64", &one]);
    assert!(said.contains("it holds linux/arm64"), "{said}");
}

/// A copy of one platform asks for the index, the image and what is about it, and for nothing of the others; what comes
/// out is what a layout gives.
fn nothing_is_asked_for_in_vain(server: &Server, place: &str) {
    let documents = |server: &Server| -> Vec<(String, serde_json::Value)> {
        let all = server.state().manifests.clone();
        let parsed = |bytes: &[u8]| serde_json::from_slice(bytes).expect("JSON");
        all.into_iter().map(|((_, digest), (_, bytes))| (digest, parsed(&bytes))).collect()
    };
    let index = documents(server).into_iter().find(|(_, document)| document["manifests"].is_array());
    let (_, index) = index.expect("an index");
    let items = index["manifests"].as_array().expect("items");
    let of = |architecture: &str| {
        let item = items.iter().find(|item| item["platform"]["architecture"] == architecture);
        item.and_then(|item| item["digest"].as_str()).expect("such an image").to_owned()
    };
    let (ours, other) = (of("arm64"), of("amd64"));
    server.state().seen.clear();
    let folder = tempfile::tempdir().expect("temporary directory");
    let out = |name: &str| folder.path().join(name);
    let to = |name: &str| format!("oci:{}", out(name).display());
    done(&["convert", "--platform", "linux/arm64", place, &to("remote")]);
    let seen: Vec<String> = server.state().seen.iter().map(|seen| seen.target.clone()).collect();
    let asked = |digest: &str| seen.iter().filter(|target| target.contains(digest)).count();
    assert!(asked(&ours) > 0 && asked(&other) == 0, "{seen:?}");
    let manifest =
        |digest: &str| documents(server).into_iter().find(|(own, _)| own == digest).expect("there").1;
    let [config, others] = [&ours, &other].map(|digest| manifest(digest)["config"]["digest"].clone());
    assert_eq!(
        (asked(config.as_str().expect("a digest")) > 0, asked(others.as_str().expect("a digest"))),
        (true, 0)
    );
    done(&["convert", "--platform", "linux/arm64", &layout("two-platforms"), &to("local")]);
    let blobs = |name: &str| {
        let entries = std::fs::read_dir(out(name).join("blobs/sha256")).expect("written").flatten();
        entries.map(|entry| entry.file_name()).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(blobs("remote"), blobs("local"));
    let said = fails(2, &["convert", "--platform", "linux/s390x", place, &to("none")]);
    assert!(said.contains("it holds linux/amd64, linux/arm64"), "{said}");
    // Who wants all of it judged has all of it read.
    server.state().seen.clear();
    done(&["convert", "--check", "--platform", "linux/arm64", place, &to("checked")]);
    assert!(server.count("GET", &other) > 0);
}

#[test]
fn lists_of_names() {
    let server = Server::start(Manner::default());
    let other = Server::start(Manner::default());
    let place = |name: &str| format!("docker://{}/{name}", server.address);
    for name in ["a:1", "team/b:1", "team/b:2", "team/c:latest"] {
        done(&["convert", &image(), &place(name)]);
    }
    let folder = tempfile::tempdir().expect("temporary directory");
    let file = folder.path().join("names").display().to_string();
    std::fs::write(&file, "# what goes\n\na:1\n  team/b:2\nteam/c\n").expect("written");
    let all = format!("docker://{}/", other.address);
    done(&["convert", "--names-from", &file, &place(""), &all]);
    let tags: Vec<String> = other.state().tags.keys().map(|(path, tag)| format!("{path}:{tag}")).collect();
    assert_eq!(tags, ["a:1", "team/b:2", "team/c:latest"]);
    assert_eq!(server.count("GET", "/_catalog"), 0, "who has a list needs no catalog");
    done(&["compare", "--names-from", &file, "--ignore", "names", &place(""), &all]);
    done(&["check", "--names-from", &file, &place("")]);
    std::fs::write(&file, "b\n").expect("written");
    done(&["check", "--names-from", &file, "--all-tags", &place("team/")]);
    let said = fails(2, &["check", "--names-from", &file, &place("team/")]);
    assert!(said.contains("team/b:latest: there is no such image"), "{said}");
    std::fs::write(&file, "b/\n").expect("written");
    let said = fails(2, &["check", "--names-from", &file, &place("team/")]);
    assert!(said.contains("`b/` is the name of no image"), "{said}");
    std::fs::write(&file, "# nothing\n").expect("written");
    assert!(fails(2, &["check", "--names-from", &file, &place("")]).contains("holds no name"));
    std::fs::write(&file, "a:1\n").expect("written");
    let said = fails(2, &["check", "--names-from", &file, &place("a:1")]);
    assert!(said.contains("a list of names goes with a whole registry"), "{said}");
    // From standard input.
    let mut child = command(folder.path())
        .args(["compare", "--names-from", "-", "--ignore", "names", &place(""), &all])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("runs");
    std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), b"a:1\n").expect("written");
    assert!(child.wait().expect("ends").success());
}

#[test]
fn an_image_without_its_config_is_shown_and_judged() {
    let server = Server::start(Manner::default());
    let place = format!("docker://{}/team/app:v1", server.address);
    done(&["convert", &image(), &place]);
    let is_config = |(_, bytes): &(&(String, String), &std::sync::Arc<Vec<u8>>)| bytes.first() == Some(&b'{');
    let config = server.state().blobs.iter().find(is_config).expect("a config").0.clone();
    server.state().blobs.remove(&config);
    done(&["inspect", "--json", &place]);
    for more in [&["check"][..], &["check", "--verify", "digests"]] {
        let said = fails(1, &[more, &[place.as_str()]].concat());
        assert!(said.contains("blob/missing") && said.contains(&config.1), "{said}");
    }
    fails(1, &["compare", &place, &place]);
}

#[test]
fn a_comparison_by_digests_asks_and_does_not_read() {
    let (server, folder) = (Server::start(Manner::default()), tempfile::tempdir().expect("a folder"));
    let place = format!("docker://{}/team/app:v1", server.address);
    let layout = format!("oci:{}", folder.path().join("layout").display());
    done(&["convert", &image(), &place]);
    done(&["convert", &place, &layout]);
    let before = server.count("GET", "/blobs/");
    let said = done(&["compare", "--verify", "digests", &place, &layout]);
    assert_eq!(server.count("GET", "/blobs/") - before, 1, "the config alone is read");
    for words in
        ["layers were not read: the registry says", "layers were hashed, not decompressed", "same: 1 image"]
    {
        assert!(said.contains(words), "{words} is not in {said}");
    }
    // Compressed anew, by what the config says; and a layer that the registry has no more.
    let packed = format!("oci:{}", folder.path().join("packed").display());
    done(&["convert", "--compress", "zstd", &place, &packed]);
    let said = fails(1, &["compare", "--verify", "digests", &place, &packed]);
    assert!(said.contains("the same, compressed anew") && !said.contains("other bytes"), "{said}");
    let is_layer = |(_, bytes): &(&(String, String), &std::sync::Arc<Vec<u8>>)| bytes.first() != Some(&b'{');
    let layer = server.state().blobs.iter().find(is_layer).expect("a layer").0.clone();
    server.state().blobs.remove(&layer);
    let said = fails(1, &["compare", "--verify", "digests", &place, &layout]);
    assert!(said.contains("not sound: A = docker://"), "{said}");
}

#[test]
fn a_registry_is_asked_and_not_read() {
    let server = Server::start(Manner::default());
    let place = format!("docker://{}/team/app:v1", server.address);
    done(&["convert", &image(), &place]);
    let before = server.count("GET", "/blobs/");
    let said = done(&["check", "--verify", "digests", &place]);
    let configs = 1;
    assert_eq!(server.count("GET", "/blobs/") - before, configs, "layers are not read");
    assert!(said.contains("layers were not read: the registry says that it has them"), "{said}");
    // A layer of another size, and one that is gone.
    let layer = {
        let mut state = server.state();
        let of_layers =
            |(_, bytes): &(&(String, String), &std::sync::Arc<Vec<u8>>)| bytes.first() != Some(&b'{');
        let key = state.blobs.iter().find(of_layers).expect("a layer").0.clone();
        let mut longer = state.blobs[&key].to_vec();
        longer.push(0);
        state.blobs.insert(key.clone(), std::sync::Arc::new(longer));
        key
    };
    let said = fails(1, &["check", "--verify", "digests", &place]);
    assert!(said.contains("descriptor/size-mismatch") && said.contains("layers were not read"), "{said}");
    server.state().blobs.remove(&layer);
    let said = fails(1, &["check", "--verify", "digests", &place]);
    assert!(said.contains("blob/missing"), "{said}");
    // Of files they are hashed.
    let said = done(&["check", "--verify", "digests", &image()]);
    assert!(said.contains("layers were hashed, not decompressed"), "{said}");
}
