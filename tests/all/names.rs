//! Hostile names wherever a name can stand: none of them becomes a path that was not checked, and none reaches a terminal
//! raw.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::common::layer_of;
use crate::layout::{Bench, CONFIG, LAYER, Layout, docker_archive, sha256, tar};
use restow::digest::Digest;

/// What a name does, and the name as it stands in JSON: escaped, so that the document is sound.
const NAMES: &[(&str, &str)] = &[
    ("climbs", "../../../evil"),
    ("climbs in the middle", "a/../../../../evil"),
    ("is absolute", "/tmp/restow-evil"),
    ("is nothing", ""),
    ("is a dot", "."),
    ("is two dots", ".."),
    ("holds a NUL", "evil\\u0000name"),
    ("holds a line feed", "evil\\nerror: forged"),
    ("colours", "\\u001b[31mevil\\u001b[0m"),
    ("sets the title", "\\u001b]0;evil\\u0007"),
    ("is a C1 control", "\\u009b31mevil"),
    ("turns round", "evil\\u202egnp.exe"),
    ("isolates", "\\u2066evil\\u2069\\u200f"),
    ("is a device of Windows", "CON"),
    ("names a drive", "C:\\\\evil"),
    ("is a share", "\\\\\\\\evil\\\\share"),
    ("is an option", "--force"),
    ("returns", "evil\\r\\u0008\\u0008good"),
    ("separates lines", "evil\\u2028\\u0085next"),
    ("is a lone surrogate", "\\ud800evil"),
];

/// The same as bytes, for names of members and files.
fn raw(name: &str) -> Vec<u8> {
    serde_json::from_str::<String>(&format!("\"{name}\""))
        .map_or_else(|_| b"\xff\xfeevil".to_vec(), String::into_bytes)
}

fn long() -> String {
    "long".repeat(25_000)
}

/// Nothing that a terminal obeys, but line feeds.
fn is_plain(text: &[u8], what: &str) {
    let text = match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => panic!("{what}: no UTF-8 at {}", error.valid_up_to()),
    };
    let odd = text.chars().find(|&c| {
        let bidi = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}');
        bidi || (c.is_control() && c != '\n') || matches!(c, '\u{2028}' | '\u{2029}')
    });
    assert!(odd.is_none(), "{what}: {odd:?} in\n{text:?}");
    assert!(!text.lines().any(|line| line.starts_with("error: forged")), "{what}: a forged line\n{text}");
}

/// Every path below a folder, but for what a command may write.
fn paths(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("listed").map(|entry| entry.expect("listed")) {
        let path = entry.path();
        found.insert(path.display().to_string());
        if path.is_dir() && !path.is_symlink() {
            found.extend(paths(&path));
        }
    }
    found
}

/// Tries every command on a source; none panics, writes anywhere but where it should, or prints what it should not.
fn try_all(bench: &Bench, source: &str, what: &str) {
    let folder = bench.dir.path();
    let work = folder.join("work/deep/down");
    fs::create_dir_all(&work).expect("a folder");
    let before = paths(folder);
    let outside: Vec<_> =
        ["/tmp/restow-evil", "/evil", "/tmp/evil"].iter().filter(|p| Path::new(p).exists()).collect();
    assert!(outside.is_empty(), "{outside:?} is there from before");
    let out = work.join("out");
    let account = work.join("account");
    let account = account.display().to_string();
    let place = |form: &str| format!("{form}:{}", out.display());
    let [oci, dir, storage, tar, docker] =
        ["oci", "dir", "registry-storage", "oci-archive", "docker-archive"].map(place);
    let base = ["convert", "-W", "all", "-v", "--account", &account];
    for command in [
        &["check", source][..],
        &["check", "--profile", "strict", "--report", "github", source],
        &["inspect", source],
        &["compare", source, "docker-archive:other.tar"],
        &["convert", "--dry-run", source, &oci],
        &[&base[..], &["--check", source, &oci]].concat(),
        &[&base[..], &[source, &dir]].concat(),
        &[&base[..], &[source, &storage]].concat(),
        &[&base[..], &[source, &tar]].concat(),
        &[&base[..], &["--progress", "plain", source, &docker]].concat(),
        &[&base[..], &["--docker-format", "legacy", source, &docker]].concat(),
    ] {
        let output = bench.restow.command().current_dir(folder).args(command).output().expect("restow runs");
        let told = format!("a name that {what}: restow {command:?}");
        assert!(matches!(output.status.code(), Some(0..=2)), "{told}: {:?}", output.status);
        is_plain(&output.stderr, &told);
        is_plain(&output.stdout, &told);
        if out.is_dir() {
            // What was written is inside, and has no links.
            for path in paths(&out) {
                assert!(!Path::new(&path).is_symlink(), "{told}: {path} is a link");
            }
            fs::remove_dir_all(&out).expect("removed");
        } else if out.exists() {
            let listed = std::process::Command::new("tar").arg("-tf").arg(&out).output().expect("tar runs");
            let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
            for member in listed.lines() {
                let odd = member.starts_with('/') || member.split('/').any(|part| part == "..");
                assert!(!odd, "{told}: member {member}");
            }
            fs::remove_file(&out).expect("removed");
        }
        if Path::new(&account).exists() {
            let text = fs::read(&account).expect("read");
            serde_json::from_slice::<serde_json::Value>(&text).expect("an account is JSON");
            assert!(!text.iter().any(|&b| b < 0x20 && b != b'\n'), "{told}: raw control in the account");
            fs::remove_file(&account).expect("removed");
        }
        let after = paths(folder);
        assert!(after == before, "{told}: {:?} is new", after.difference(&before).collect::<Vec<_>>());
        let outside: Vec<_> =
            ["/tmp/restow-evil", "/evil", "/tmp/evil"].iter().filter(|p| Path::new(p).exists()).collect();
        assert!(outside.is_empty(), "{told}: {outside:?}");
    }
    // JSON stays JSON, and XML stays XML; neither has raw controls.
    for format in ["json", "sarif", "junit"] {
        let output =
            bench.restow.command().args(["check", "--report", format, source]).output().expect("runs");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let odd = text.chars().find(|c| c.is_control() && *c != '\n');
        assert!(odd.is_none(), "{what}: {odd:?} in {format}");
        if format != "junit" {
            serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
        }
    }
    let output = bench.restow.command().args(["inspect", "--json", source]).output().expect("restow runs");
    if output.status.success() {
        serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("JSON");
        assert!(!output.stdout.iter().any(|&b| b < 0x20 && b != b'\n'), "{what}: raw control in JSON");
    }
}

/// A folder with a second archive to compare with.
fn bench() -> Bench {
    let bench = Bench::new();
    docker_archive(&bench.dir.path().join("other.tar"), "lab/other:1", &[layer_of("f", b"x")]);
    bench
}

fn every_name() -> Vec<(&'static str, String)> {
    let names = NAMES.iter().map(|(what, name)| (*what, (*name).to_owned()));
    names.chain([("is long", long())]).collect()
}

/// All strings of an OCI layout that anyone may choose.
fn layout(bench: &Bench, name: &str) -> String {
    let mut layout = Layout::new(&bench.dir.path().join("layout"));
    let layer = layer_of("f", b"x");
    let config = format!(
        r#"{{"architecture":"{name}","os":"{name}","author":"{name}","created":"{name}","os.version":"{name}",
        "config":{{"User":"{name}","Env":["{name}","A={name}"],"Cmd":["{name}"],"WorkingDir":"{name}","Labels":{{"{name}":"{name}"}},
        "Volumes":{{"{name}":{{}}}},"ExposedPorts":{{"{name}":{{}}}},"StopSignal":"{name}"}},
        "history":[{{"created_by":"{name}","comment":"{name}","author":"{name}","created":"{name}"}}],
        "{name}":"{name}","rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
        Digest::sha256(&layer)
    );
    let config = layout.add(sha256(), CONFIG, config.as_bytes());
    let layer = layout.add(sha256(), LAYER, &layer);
    let annotated = format!(
        r#""annotations":{{"{name}":"{name}","org.opencontainers.image.created":"{name}","org.opencontainers.image.url":"{name}"}}"#
    );
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","artifactType":"{name}",{annotated},"{name}":1,"config":{config},"layers":[{layer}]}}"#,
        crate::layout::MANIFEST
    );
    let manifest = layout.add(sha256(), crate::layout::MANIFEST, text.as_bytes());
    let named = |key: &str| {
        crate::layout::with(
            &manifest,
            &format!(
                r#""annotations":{{"{key}":"{name}"}},"platform":{{"os":"{name}","architecture":"{name}","variant":"{name}","os.version":"{name}"}}"#
            ),
        )
    };
    layout.roots.push(named("org.opencontainers.image.ref.name"));
    layout.roots.push(named("io.containerd.image.name"));
    layout.finish()
}

#[test]
fn in_the_strings_of_an_oci_layout() {
    for (what, name) in every_name() {
        let bench = bench();
        let source = layout(&bench, &name);
        try_all(&bench, &source, what);
    }
}

#[test]
fn in_digests_and_media_types() {
    for (what, name) in every_name() {
        for (digest, media_type) in [
            (format!("sha256:{name}"), LAYER),
            (name.clone(), LAYER),
            (format!("{name}:{}", "a".repeat(64)), &*name),
        ] {
            let bench = bench();
            let mut layout = bench.layout();
            let config = layout.add(sha256(), CONFIG, b"{}");
            let layer =
                format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":3,"urls":["{name}"]}}"#);
            let manifest = layout.manifest(&config, &layer);
            layout.root(&manifest, "good");
            layout.roots.push(format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":3}}"#));
            let source = layout.finish();
            let output = bench.restow.command().args(["check", &source]).output().expect("restow runs");
            assert_eq!(output.status.code(), Some(1), "{what}");
            is_plain(&output.stdout, what);
            let command = ["convert", "-W", "all", &source, &bench.out("oci")];
            let output = bench.restow.command().args(command).output().expect("restow runs");
            assert!(matches!(output.status.code(), Some(1 | 2)), "{what}");
            is_plain(&output.stderr, what);
            assert!(!bench.dir.path().join("out").exists());
        }
    }
}

#[test]
fn in_names_of_docker_archives() {
    for (what, name) in every_name() {
        let bench = bench();
        let layer = layer_of("f", b"x");
        let config = format!(
            r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
            Digest::sha256(&layer)
        );
        // What the names lead to is there under just these names, and under sound ones.
        let folder = bench.dir.path().join("archive.tar");
        let mut archive = tar::Builder::new(fs::File::create(&folder).expect("created"));
        let mut add = |name: &[u8], bytes: &[u8]| {
            let path: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(name);
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            if header.set_path(path).is_err() && name.len() < 100 {
                header.as_old_mut().name[..name.len()].copy_from_slice(name);
            }
            header.set_cksum();
            archive.append(&header, bytes).expect("written");
        };
        add(&raw(&name), &layer);
        add(b"good.tar", &layer);
        add(b"good.json", config.as_bytes());
        let manifest = format!(
            r#"[{{"Config":"good.json","RepoTags":["{name}","lab/app:{name}","{name}:1"],"Layers":["{name}"],"Parent":"{name}","{name}":1}},
            {{"Config":"good.json","RepoTags":["{name}"],"Layers":["good.tar"]}}]"#
        );
        add(b"manifest.json", manifest.as_bytes());
        add(b"repositories", format!(r#"{{"{name}":{{"{name}":"{name}"}}}}"#).as_bytes());
        archive.finish().expect("written");
        try_all(&bench, &folder.display().to_string(), what);
    }
}

#[test]
fn in_layers_and_in_the_outer_tar() {
    for (what, name) in every_name() {
        let bench = bench();
        let mut layer = tar::Builder::new(Vec::new());
        let name = raw(&name);
        for kind in [
            tar::EntryType::Regular,
            tar::EntryType::Directory,
            tar::EntryType::Symlink,
            tar::EntryType::Link,
            tar::EntryType::Char,
            tar::EntryType::new(b'!'),
        ] {
            // Longer ones than a header holds come in a GNU header.
            if name.len() > 100 {
                let mut header = tar::Header::new_gnu();
                header.set_entry_type(tar::EntryType::GNULongName);
                header.set_size(name.len() as u64 + 1);
                header.set_cksum();
                layer.append(&header, &[&name[..], b"\0"].concat()[..]).expect("memory");
            }
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(0);
            let len = name.len().min(100);
            header.as_old_mut().name[..len].copy_from_slice(&name[..len]);
            header.as_old_mut().linkname[..len].copy_from_slice(&name[..len]);
            let gnu = header.as_gnu_mut().expect("a GNU header");
            for owner in [&mut gnu.uname, &mut gnu.gname] {
                let len = name.len().min(32);
                owner[..len].copy_from_slice(&name[..len]);
            }
            header.set_cksum();
            layer.append(&header, &[][..]).expect("memory");
        }
        let layer = layer.into_inner().expect("memory");
        let mut layout = bench.layout();
        let image = layout.image_of(&[(LAYER, &layer, &layer)]);
        layout.root(&image, "docker.io/lab/app:1");
        let source = layout.finish();
        try_all(&bench, &source, what);
        // The same entries as members around the layout.
        let path = tar(&bench.dir.path().join("layout"));
        let bytes = [&layer[..layer.len() - 1024], &fs::read(&path).expect("read")].concat();
        fs::write(&path, bytes).expect("written");
        try_all(&bench, &path.display().to_string(), what);
    }
}

#[test]
fn in_names_of_files() {
    for (what, name) in every_name() {
        let name = raw(&name);
        if name.is_empty()
            || name.len() > 200
            || name.contains(&0)
            || name.contains(&b'/')
            || name.starts_with(b".")
        {
            continue;
        }
        let path: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(&name);
        let bench = bench();
        let good = bench.dir.path().join("good.tar");
        docker_archive(&good, "lab/app:1", &[layer_of("f", b"x")]);
        let storage = bench.dir.path().join("storage");
        let place = format!("registry-storage:{}", storage.display());
        bench.run(0, &["convert", "-q", &good.display().to_string(), &place]);
        // Repositories, tags, digests, blobs.
        let base = storage.join("docker/registry/v2");
        for folder in [
            "repositories",
            "repositories/lab/app/_manifests/tags",
            "repositories/lab/app/_layers",
            "repositories/lab/app/_layers/sha256",
            "repositories/lab/app/_manifests/revisions/sha256",
            "blobs",
            "blobs/sha256",
        ] {
            let odd = base.join(folder).join(path);
            fs::create_dir_all(odd.join("current")).expect("a folder");
            fs::write(odd.join("current/link"), [b"sha256:", &name[..]].concat()).expect("written");
            fs::write(odd.join("link"), &name).expect("written");
            fs::write(odd.join("data"), &name).expect("written");
        }
        try_all(&bench, &place, what);
        let folder = bench.dir.path().join("folder");
        let place = format!("dir:{}", folder.display());
        bench.run(0, &["convert", "-q", &good.display().to_string(), &place]);
        fs::write(folder.join(path), b"odd").expect("written");
        fs::write(folder.join("version"), &name).expect("written");
        try_all(&bench, &place, what);
        // And the archive itself.
        let odd = bench.dir.path().join(path);
        fs::copy(&good, &odd).expect("copied");
        for command in ["check", "inspect"] {
            let mut restow = bench.restow.command();
            let output =
                restow.current_dir(bench.dir.path()).arg(command).arg("--").arg(path).output().expect("runs");
            is_plain(&output.stdout, what);
            is_plain(&output.stderr, what);
        }
    }
}

#[test]
fn in_what_is_typed() {
    let bench = bench();
    let source = format!("docker-archive:{}", bench.dir.path().join("other.tar").display());
    let out = bench.out("oci");
    for (what, name) in every_name() {
        let Ok(mut name) = String::from_utf8(raw(&name)) else { continue };
        // The system takes no argument above 128 KiB.
        name.truncate(60_000);
        if name.contains('\0') {
            continue;
        }
        let named = format!("{source}:{name}");
        let option = |option: &str| format!("--{option}={name}");
        let place = |form: &str| format!("{form}:{name}");
        for command in [
            vec!["inspect".to_owned(), option("image"), source.clone()],
            vec!["inspect".to_owned(), option("raw"), source.clone()],
            vec!["check".to_owned(), named.clone()],
            vec!["explain".to_owned(), "--".into(), name.clone()],
            vec!["schema".to_owned(), "--".into(), name.clone()],
            vec!["convert".to_owned(), option("tag"), "--dry-run".into(), source.clone(), out.clone()],
            vec!["convert".to_owned(), format!("--rename={name}={name}"), source.clone(), out.clone()],
            vec!["convert".to_owned(), option("platform"), source.clone(), out.clone()],
            vec!["convert".to_owned(), option("compress"), source.clone(), out.clone()],
            vec!["check".to_owned(), option("limit"), source.clone()],
            vec!["check".to_owned(), option("allow"), source.clone()],
            vec!["check".to_owned(), option("profile"), source.clone()],
            vec!["check".to_owned(), option("report"), source.clone()],
            vec!["check".to_owned(), place("oci")],
            vec!["check".to_owned(), "--".into(), name.clone()],
            vec!["convert".to_owned(), source.clone(), "--".into(), name.clone()],
        ] {
            let output = bench.restow.command().args(&command).output().expect("restow runs");
            let told = format!("a name that {what}: restow {command:?}");
            assert!(matches!(output.status.code(), Some(0..=2)), "{told}: {:?}", output.status);
            is_plain(&output.stdout, &told);
            is_plain(&output.stderr, &told);
        }
        let _ = fs::remove_dir_all(bench.dir.path().join("out"));
    }
}
