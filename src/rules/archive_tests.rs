//! Rules about the archive as a whole, fired by an archive and just not fired by its neighbour.

use super::fixture::{Tar, all_found, config, judged, names, open_path};
use super::{Scope, run};
use crate::digest::Digest;
use crate::facts::Facts;
use crate::form::{self, Input, OpenOptions};
use crate::limits::Limits;
use crate::media;
use crate::source::SpoolDir;

fn found(tar: &[u8]) -> Vec<&'static str> {
    judged(tar, &["archive/", "name/duplicate", "blob/", "json/"])
}

#[test]
fn tars_that_end_or_break() {
    let sound = Tar::docker_archive().file("x", b"x").end();
    assert_eq!(found(&sound), [""; 0]);
    let mut broken = sound.clone();
    let header = sound.len() - 1024 - 1024;
    broken[header] ^= 1;
    assert_eq!(found(&broken), ["archive/bad-header"]);
    assert_eq!(found(&sound[..header + 511]), ["archive/truncated"]);
    assert_eq!(found(&[&sound[..], &[0; 4096]].concat()), [""; 0]);
    assert_eq!(found(&[&sound[..], b"hidden"].concat()), ["archive/data-after-end"]);
}

#[test]
fn names_of_members() {
    assert_eq!(found(&Tar::docker_archive().file("a/x", b"x").end()), [""; 0]);
    // Docker cleans such a name, GNU tar leaves the member out.
    assert_eq!(found(&Tar::docker_archive().file("a/../x", b"x").end()), ["archive/ambiguous-path"]);
    assert_eq!(found(&Tar::docker_archive().file("a/../../x", b"x").end()), ["archive/escaping-name"]);
    assert_eq!(found(&Tar::docker_archive().file("k.tar", &[0; 1024]).end()), [""; 0]);
    assert_eq!(found(&Tar::docker_archive().file("l.tar", &[0; 1024]).end()), ["archive/repeated-member"]);
    assert_eq!(found(&Tar::docker_archive().file("l.tar", &[1; 1024]).end()), ["archive/duplicate-member"]);
}

#[test]
fn members_of_one_name_above_any_limit() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let of = |last: [u8; 2]| {
        // A file with holes: nothing of this is held in memory.
        use std::io::{Seek, SeekFrom, Write};
        const SIZE: u64 = (64 << 20) + 512;
        let path = dir.path().join("a.tar");
        let mut file = std::fs::File::create(&path).expect("created");
        file.write_all(&Tar::docker_archive().0).expect("written");
        for last in last {
            let header = Tar::default().raw("x", b'0', "", b"", |header| {
                header[124..136].copy_from_slice(format!("{SIZE:011o}\0").as_bytes());
            });
            file.write_all(&header.0).expect("written");
            file.seek(SeekFrom::Current(SIZE as i64 - 1)).expect("seeks");
            file.write_all(&[last]).expect("written");
        }
        file.write_all(&[0; 1024]).expect("written");
        let mut found = names(&all_found(&open_path(&path)));
        found.retain(|name| name.starts_with("archive/") && *name != "archive/unknown-member");
        found
    };
    assert_eq!(of([1, 1]), ["archive/repeated-member"]);
    assert_eq!(of([1, 2]), ["archive/duplicate-member"]);
}

/// A descriptor.
fn descriptor(media_type: &str, bytes: &[u8], rest: &str) -> String {
    let digest = Digest::sha256(bytes);
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{}{rest}}}"#, bytes.len())
}

/// The OCI half of an archive of one image with one layer, `lab/a:1`; the names of its config and layer.
fn layout(with_version: bool) -> (Tar, [String; 2]) {
    let layer = [0; 1024];
    let config = config(&[&Digest::sha256(&layer).to_string()]);
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}}"#,
        media::OCI_MANIFEST,
        descriptor(media::OCI_CONFIG, config.as_bytes(), ""),
        descriptor(media::OCI_LAYER, &layer, "")
    );
    let name = r#","annotations":{"io.containerd.image.name":"docker.io/lab/a:1","org.opencontainers.image.ref.name":"1"}"#;
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}}"#,
        media::OCI_INDEX,
        descriptor(media::OCI_MANIFEST, manifest.as_bytes(), name)
    );
    let blob = |bytes: &[u8]| format!("blobs/sha256/{}", Digest::sha256(bytes).encoded());
    let mut tar = Tar::default();
    if with_version {
        tar = tar.file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    }
    let parts = [blob(config.as_bytes()), blob(&layer)];
    let tar = tar
        .file("index.json", index.as_bytes())
        .file(&blob(manifest.as_bytes()), manifest.as_bytes())
        .file(&parts[0], config.as_bytes())
        .file(&parts[1], &layer);
    (tar, parts)
}

#[test]
fn layouts_without_a_version() {
    assert_eq!(found(&layout(true).0.end()), [""; 0]);
    assert_eq!(found(&layout(false).0.end()), ["archive/missing-oci-layout"]);
}

#[test]
fn halves_of_an_archive() {
    let of = |tags: &str, more: &str| {
        let (tar, [config, layer]) = layout(true);
        let manifest = format!(r#"[{{"Config":"{config}","RepoTags":[{tags}],"Layers":["{layer}"{more}]}}]"#);
        found(&tar.file("manifest.json", manifest.as_bytes()).file("x.tar", &[1; 1024]).end())
    };
    assert_eq!(of(r#""lab/a:1""#, ""), [""; 0]);
    assert_eq!(of(r#""lab/a:1","lab/a:2""#, ""), ["archive/half-incomplete"]);
    assert_eq!(of(r#""lab/a:1""#, r#","x.tar""#), ["archive/halves-disagree"]);
}

#[test]
fn an_archive_of_the_form_that_was_asked_for() {
    let of = |tar: Tar, form| {
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        std::fs::write(file.path(), tar.end()).expect("written");
        let options = OpenOptions {
            place: "archive",
            form: form::FORMS.transport(form),
            limits: &Limits::default(),
            spool: &mut || SpoolDir::new(None),
            lone: crate::form::Alone::No,
            progress: &(),
        };
        let archive = form::open(Input::Path(file.path().to_owned()), options).expect("opens");
        let mut found = names(&run(&archive, &Facts::default(), Scope::All));
        found.retain(|name| name.starts_with("archive/"));
        found
    };
    assert_eq!(of(layout(true).0, "docker-archive"), ["archive/missing-manifest-json"]);
    assert_eq!(of(layout(true).0, "oci"), [""; 0]);
    assert_eq!(of(Tar::docker_archive(), "docker-archive"), [""; 0]);
}

#[test]
fn tags_of_two_images() {
    let of = |second: &str| {
        let item = |config: &str, tag: &str| {
            format!(r#"{{"Config":"{config}","RepoTags":["{tag}"],"Layers":["l.tar"]}}"#)
        };
        let manifest = format!("[{},{}]", item("c.json", "a:1"), item("d.json", second));
        let config = config(&[&Digest::sha256(&[0; 1024]).to_string()]);
        let tar = Tar::default()
            .file("c.json", config.as_bytes())
            .file("d.json", config.replace("amd64", "arm64").as_bytes())
            .file("l.tar", &[0; 1024])
            .file("manifest.json", manifest.as_bytes());
        found(&tar.end())
    };
    assert_eq!(of("a:2"), [""; 0]);
    assert_eq!(of("a:1"), ["name/duplicate-tag"]);
    assert_eq!(of("docker.io/library/a:1"), ["name/duplicate-tag"], "by the full name");
}

/// What is found of storage with one image `lab/a:1`; `change` takes the path of a link and its content.
fn storage(change: impl Fn(&str, String) -> Option<String>) -> Vec<&'static str> {
    let dir = tempfile::tempdir().expect("temporary directory");
    let base = dir.path().join("docker/registry/v2");
    let write = |path: String, bytes: &[u8]| {
        let path = base.join(path);
        std::fs::create_dir_all(path.parent().expect("below the base")).expect("directory");
        std::fs::write(path, bytes).expect("written");
    };
    let layer = [0; 1024];
    let config = config(&[&Digest::sha256(&layer).to_string()]);
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}}"#,
        media::OCI_MANIFEST,
        descriptor(media::OCI_CONFIG, config.as_bytes(), ""),
        descriptor(media::OCI_LAYER, &layer, "")
    );
    for bytes in [&layer[..], config.as_bytes(), manifest.as_bytes()] {
        let hex = Digest::sha256(bytes);
        write(format!("blobs/sha256/{}/{}/data", &hex.encoded()[..2], hex.encoded()), bytes);
    }
    let link = |path: &str, bytes: &[u8]| {
        let digest = Digest::sha256(bytes);
        let path = path.replace('@', digest.encoded());
        if let Some(content) = change(&path, digest.to_string()) {
            write(format!("repositories/lab/a/{path}/link"), content.as_bytes());
        }
    };
    link("_layers/sha256/@", &layer);
    link("_layers/sha256/@", config.as_bytes());
    link("_manifests/revisions/sha256/@", manifest.as_bytes());
    link("_manifests/tags/1/index/sha256/@", manifest.as_bytes());
    link("_manifests/tags/1/current", manifest.as_bytes());
    let mut found = names(&run(&open_path(dir.path()), &Facts::default(), Scope::All));
    found.retain(|name| name.starts_with("storage/") || name.starts_with("archive/"));
    found
}

#[test]
fn links_of_storage() {
    assert_eq!(storage(|_, digest| Some(digest)), [""; 0]);
    let current = |path: &str| path.ends_with("current");
    let newline = |path: &str, digest: String| Some(if current(path) { digest + "\n" } else { digest });
    assert_eq!(storage(newline), ["storage/bad-link"]);
    assert_eq!(storage(|path, digest| (!current(path)).then_some(digest)), ["storage/tag-without-target"]);
    let revision = |path: &str| path.contains("revisions");
    assert_eq!(storage(|path, digest| (!revision(path)).then_some(digest)), ["storage/missing-revision"]);
}
