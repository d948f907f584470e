//! Rules about registry storage and `dir:` layouts (formats.md E.1, E.2).

use std::collections::HashSet;

use crate::finding::{Edit, Finding, Rule, Target, rule};
use crate::location::{Location, MemberId};
use crate::model::Form;
use crate::model::{Anomaly, Archive, Body, LinkKind, StorageProblem};

/// The rules of this file.
pub const RULES: &[&Rule] = &[
    &DANGLING_REVISION,
    &DANGLING_LINK,
    &TAG_NOT_IN_INDEX,
    &MISSING_LAYER_LINK,
    &MISSING_CHILD_REVISION,
    &LINK_MISMATCH,
    &MISPLACED_BLOB,
    &UNLINKED_BLOB,
    &DIR_VERSION,
    &DIR_CHILD_NAME,
    &DIR_SIGNATURE_GAP,
    &DIR_SIGNATURE_FORMAT,
];

rule! {
    /// A revision whose blob is gone.
    DANGLING_REVISION = "storage/dangling-revision", Error, No, [224],
    checks: "The blob of every revision of a repository is there.",
    matters: "A registry answers 404 for the manifest, and fails to collect garbage or to list it.",
    example: "Storage from which a blob was removed by hand.",
    mend: "Remove the link, or push the manifest again.",
}
rule! {
    /// A link to a blob that is gone.
    DANGLING_LINK = "storage/dangling-link", Warning, No, [224],
    checks: "The blobs are there to which links in `_layers` and in the history of tags lead.",
    matters: "Registries up to 2.8 leave them behind when they collect garbage, and answer 404 for such a blob as they should. A client that asks whether the blob is there may be told so, and then skips its upload.",
    example: "`_layers/sha256/5f70…/link` after `registry garbage-collect` of 2.8.",
    mend: "Remove the link.",
}
rule! {
    /// A tag that forgot its own manifest.
    TAG_NOT_IN_INDEX = "storage/tag-not-in-index", Warning, No, [226],
    checks: "What a tag points at is in its history, `index/`.",
    matters: "Registries write both. Only the deletion of tags by digest reads the history.",
    example: "A tag that was moved by writing `current/link` alone.",
    mend: "Add the link to `index/`, or write the storage anew.",
    remedy: Convert(&[]),
}
rule! {
    /// A blob that the repository does not have.
    MISSING_LAYER_LINK = "storage/missing-layer-link", Error, No, [227],
    checks: "Config and layers of every image have a link in `_layers` of its repository, foreign layers excepted.",
    matters: "A registry answers 404 BLOB_UNKNOWN for the blob although it is there, so the image cannot be pulled.",
    example: "Storage that was copied without `_layers`.",
    mend: "Add the link, or write the storage anew.",
    remedy: Convert(&[]),
    breaks: [Registry],
}
rule! {
    /// A platform's manifest that the repository does not have.
    MISSING_CHILD_REVISION = "storage/missing-child-revision", Error, No, [228],
    checks: "What an index lists and the storage holds has a revision link in the repository of the index.",
    matters: "A registry answers 404 MANIFEST_UNKNOWN for it although the blob is there, so that platform cannot be pulled.",
    example: "A manifest that was stored in another repository only.",
    mend: "Add the link, or write the storage anew.",
    remedy: Convert(&[]),
    breaks: [Registry],
}
rule! {
    /// A link that says another digest than its path.
    LINK_MISMATCH = "storage/link-mismatch", Warning, No, [229],
    checks: "A link holds the digest that its path names; or, where the path names another algorithm, that of the blob as it is stored.",
    matters: "Registries store a blob that was pushed under sha512 under its sha256, and the link says so. Any other difference makes one digest lead to the content of another.",
    example: "`revisions/sha256/7fbf…/link` that holds `sha256:3d56…`.",
    mend: "Write the digest of the path into the link.",
}
rule! {
    /// A blob in the wrong folder.
    MISPLACED_BLOB = "storage/misplaced-blob", Error, No, [222],
    checks: "Blobs stand in a folder that is called by the first two digits of their digest.",
    matters: "A registry looks there and nowhere else. If an image needs the blob, `blob/missing` says so and shows where it stands.",
    example: "`blobs/sha256/00/7fbf…/data`",
    mend: "Move the blob to the folder that the message names.",
}
rule! {
    /// A blob of no repository.
    UNLINKED_BLOB = "storage/unlinked-blob", Note, No, [231],
    checks: "Whether some repository has a link to every blob, and none stands in a second folder.",
    matters: "Nobody can pull such a blob; garbage collection removes it.",
    example: "A layer of a push that broke off before the manifest.",
    mend: "Write the storage anew, with what is linked.",
    remedy: Convert(&[]),
}
rule! {
    /// Another version of the layout.
    DIR_VERSION = "dir/unknown-version", Warning, No, [232],
    checks: "`version` of a `dir:` layout is `Directory Transport Version: 1.1` or `1.0`, with a line feed.",
    matters: "Readers do not look; skopeo refuses to write into a folder whose `version` is not exactly the current text.",
    example: "`version` without its line feed.",
    mend: "Write `Directory Transport Version: 1.1` and a line feed.",
}
rule! {
    /// A child under the name of a blob.
    DIR_CHILD_NAME = "dir/child-name", Warning, No, [234],
    checks: "Children of a list are called `<hex>.manifest.json`.",
    matters: "skopeo finds them by no other name, and fails with --all.",
    example: "A manifest in a file that is called by its bare digest.",
    mend: "Rename the file as the message says.",
}
rule! {
    /// A signature that is not found.
    DIR_SIGNATURE_GAP = "dir/signature-gap", Warning, No, [235],
    checks: "Signatures are numbered from 1 without a gap, and belong to a manifest that is there.",
    matters: "Readers stop at the first number that is missing; what comes after it is lost when the image is copied.",
    example: "`signature-1` and `signature-3`.",
    mend: "Number them anew.",
}
rule! {
    /// A signature of an unknown kind.
    DIR_SIGNATURE_FORMAT = "dir/signature-format", Warning, No, [235],
    checks: "A signature is an OpenPGP message, or begins with a zero byte and `simple-signing` or `sigstore-json`.",
    matters: "skopeo and podman fail to read the image's signatures at any other one.",
    example: "An armoured signature, as `gpg --armor` writes it.",
    mend: "Sign the image again.",
    breaks: [Skopeo, Podman, Buildah],
}

/// From what the readers of these forms noted.
pub fn odd(at: &Location, problem: &StorageProblem, archive: &Archive) -> Option<Finding> {
    Some(match problem {
        StorageProblem::Dangling { kind: LinkKind::Revision, digest } => {
            let message = format!("the link leads to {digest}, which is not in the storage");
            Finding::new(&DANGLING_REVISION, at.clone(), message)
        }
        StorageProblem::Dangling { digest, .. } => {
            let message = format!("the link leads to {digest}, which is not in the storage");
            Finding::new(&DANGLING_LINK, at.clone(), message)
        }
        StorageProblem::NotInIndex(digest) => {
            let message = format!("the tag points at {digest}, which is not in its history");
            Finding::new(&TAG_NOT_IN_INDEX, at.clone(), message)
        }
        StorageProblem::NoLink { kind, digest, repository } => {
            let (rule, what) = match kind {
                LinkKind::Revision => (&MISSING_CHILD_REVISION, "revision link"),
                LinkKind::Layer | LinkKind::History => (&MISSING_LAYER_LINK, "layer link"),
            };
            let message = format!("repository `{repository}` has no {what} for {digest}");
            Finding::new(rule, at.clone(), message)
        }
        StorageProblem::Mismatch { path, content } => {
            let message = format!("the path of the link says {path}, the link says {content}");
            let finding = Finding::new(&LINK_MISMATCH, at.clone(), message).help(format!("write `{path}`"));
            match at.member {
                Some(member) => finding.change(Target::Member(member), Edit::Write(path.to_string())),
                None => finding,
            }
        }
        StorageProblem::Unlinked => {
            Finding::new(&UNLINKED_BLOB, at.clone(), "no repository has a link to the blob")
        }
        StorageProblem::Copy(digest) => {
            let message = format!("a copy of {digest} stands in a folder where no registry looks");
            Finding::new(&UNLINKED_BLOB, at.clone(), message)
        }
        // Told at the end, unless an image needs the blob.
        StorageProblem::Misplaced(_) => return None,
        StorageProblem::Version(text) => {
            let message = match text.as_str() {
                "Directory Transport Version: 1.1" => "the version does not end with a line feed".to_owned(),
                text => format!(
                    "the version is `{}`, expected `Directory Transport Version: 1.1`",
                    text.trim_end()
                ),
            };
            Finding::new(&DIR_VERSION, at.clone(), message)
        }
        StorageProblem::Signature => {
            let name = at.member.map(|id| archive.tree.member(id).name().to_string()).unwrap_or_default();
            let message = format!("`{name}` is neither an OpenPGP message nor of a known signature format");
            Finding::new(&DIR_SIGNATURE_FORMAT, at.clone(), message)
        }
    })
}

/// The digest and member of a blob that stands where nobody looks.
pub fn misplaced_blob(anomaly: &Anomaly) -> Option<(String, MemberId)> {
    match anomaly {
        Anomaly::Storage { at, problem: StorageProblem::Misplaced(digest) } => {
            Some((digest.to_string(), at.member?))
        }
        _ => None,
    }
}

/// Findings about blobs that stand where nobody looks. `explained` are those that another finding shows.
pub fn misplaced(archive: &Archive, explained: &HashSet<MemberId>, out: &mut Vec<Finding>) {
    for anomaly in &archive.anomalies {
        let Anomaly::Storage { at, problem: StorageProblem::Misplaced(digest) } = anomaly else { continue };
        if at.member.is_some_and(|member| !explained.contains(&member)) {
            let folder = digest.encoded().get(..2).unwrap_or_default();
            let message = format!("{digest} is not in the folder `{folder}`, where registries look for it");
            out.push(Finding::new(&MISPLACED_BLOB, at.clone(), message));
        }
    }
}

/// Findings about the members of a `dir:` layout.
pub fn dir(archive: &Archive, out: &mut Vec<Finding>) {
    if archive.form != Form::Dir {
        return;
    }
    for node in &archive.nodes {
        let Body::Index { children, .. } = &node.body else { continue };
        for edge in children {
            let Some(child) = edge.node.map(|id| archive.node(id)) else { continue };
            let member = child.blob.and_then(|blob| archive.blob(blob).member);
            let (Some(member), Some(digest)) = (member, &child.digest) else { continue };
            let name = format!("{}.manifest.json", digest.encoded());
            if *archive.tree.member(member).name() != *name.as_bytes() {
                let message = format!("a manifest of the list is not called `{name}`");
                out.push(
                    Finding::new(&DIR_CHILD_NAME, Location::member(member), message)
                        .help(format!("call it `{name}`"))
                        .related(edge.descriptor.at.clone(), "listed here"),
                );
            }
        }
    }
    let known: HashSet<MemberId> = archive.nodes.iter().flat_map(|node| node.signatures.clone()).collect();
    for (id, member) in archive.tree.below(b"") {
        let name = member.name().to_string();
        let number = match name.split_once("signature-") {
            Some((before, number)) if before.is_empty() || before.ends_with('.') => number,
            _ => continue,
        };
        if number.parse::<u64>().is_ok() && !known.contains(&id) {
            let message = format!("`{name}` belongs to no manifest, or a number before it is missing");
            out.push(Finding::new(&DIR_SIGNATURE_GAP, Location::member(id), message));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::digest::Digest;
    use crate::media;
    use crate::rules::fixture::{config, names, open_path};
    use crate::rules::{Scope, run};

    type Files = BTreeMap<String, Vec<u8>>;

    fn found(files: &Files) -> Vec<&'static str> {
        let dir = tempfile::tempdir().expect("temporary directory");
        for (name, bytes) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("below a directory")).expect("directory");
            std::fs::write(path, bytes).expect("written");
        }
        let found = run(&open_path(dir.path()), &Default::default(), Scope::All);
        let wanted = |name: &&str| {
            ["storage/", "dir/", "blob/missing", "name/bad", "index/missing", "index/no-image"]
                .iter()
                .any(|p| name.starts_with(p))
        };
        names(&found).into_iter().filter(wanted).collect()
    }

    const ROOT: &str = "docker/registry/v2";

    struct Storage {
        files: Files,
        /// Config, layer, manifest, index.
        digests: [Digest; 4],
    }

    impl Storage {
        fn link(&self, at: &str) -> String {
            format!("{ROOT}/repositories/lab/app/{at}/link")
        }

        fn layer_link(&self, i: usize) -> String {
            self.link(&format!("_layers/sha256/{}", self.digests[i].encoded()))
        }

        fn revision(&self, i: usize) -> String {
            self.link(&format!("_manifests/revisions/sha256/{}", self.digests[i].encoded()))
        }

        fn data(&self, i: usize) -> String {
            let hex = self.digests[i].encoded();
            format!("{ROOT}/blobs/sha256/{}/{hex}/data", &hex[..2])
        }
    }

    /// `lab/app:1`, an index of one image.
    fn storage() -> Storage {
        let layer = vec![0; 1024];
        let config = config(&[&Digest::sha256(&layer).to_string()]).into_bytes();
        let part = |media_type: &str, bytes: &[u8]| {
            format!(
                r#"{{"mediaType":"{media_type}","digest":"{}","size":{}}}"#,
                Digest::sha256(bytes),
                bytes.len()
            )
        };
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}}"#,
            media::OCI_MANIFEST,
            part(media::OCI_CONFIG, &config),
            part(media::OCI_LAYER, &layer)
        )
        .into_bytes();
        let index = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}}"#,
            media::OCI_INDEX,
            part(media::OCI_MANIFEST, &manifest)
        )
        .into_bytes();
        let blobs = [config, layer, manifest, index];
        let digests = blobs.each_ref().map(|bytes| Digest::sha256(bytes));
        let mut storage = Storage { files: Files::new(), digests };
        for (i, bytes) in blobs.into_iter().enumerate() {
            storage.files.insert(storage.data(i), bytes);
            let link = if i < 2 { storage.layer_link(i) } else { storage.revision(i) };
            storage.files.insert(link, storage.digests[i].to_string().into_bytes());
        }
        let top = storage.digests[3].to_string().into_bytes();
        let history = format!("_manifests/tags/1/index/sha256/{}", storage.digests[3].encoded());
        storage.files.insert(storage.link("_manifests/tags/1/current"), top.clone());
        storage.files.insert(storage.link(&history), top);
        storage
    }

    #[test]
    fn sound_storage() {
        assert_eq!(found(&storage().files), [""; 0]);
    }

    #[test]
    fn links_that_are_missing() {
        for (at, rule) in [
            (|s: &Storage| s.layer_link(0), "storage/missing-layer-link"),
            (|s: &Storage| s.layer_link(1), "storage/missing-layer-link"),
            (|s: &Storage| s.revision(2), "storage/missing-child-revision"),
            (|s: &Storage| s.revision(3), "storage/missing-revision"),
        ] as [(fn(&Storage) -> String, &str); 4]
        {
            let mut storage = storage();
            assert_eq!(found(&storage.files), [""; 0]);
            storage.files.remove(&at(&storage));
            assert_eq!(found(&storage.files), [rule]);
        }
    }

    #[test]
    fn links_that_lead_nowhere() {
        let gone = Digest::sha256(b"gone");
        let with = |at: &str, content: &str| {
            let mut storage = storage();
            let link = storage.link(&at.replace("HEX", gone.encoded()));
            storage.files.insert(link, content.as_bytes().to_vec());
            found(&storage.files)
        };
        let text = gone.to_string();
        assert_eq!(with("_layers/sha256/HEX", &text), ["storage/dangling-link"]);
        assert_eq!(with("_manifests/tags/1/index/sha256/HEX", &text), ["storage/dangling-link"]);
        assert_eq!(with("_manifests/revisions/sha256/HEX", &text), ["storage/dangling-revision"]);
        assert_eq!(
            with("_layers/sha256/HEX", &format!("{text}\n")),
            ["storage/bad-link", "storage/dangling-link"]
        );
        let here = storage().digests[0].to_string();
        assert_eq!(with("_layers/sha256/HEX", &here), ["storage/link-mismatch"]);
        // A blob that was pushed under another algorithm.
        assert_eq!(with(&format!("_layers/sha512/{}", "0".repeat(128)), &here), [""; 0]);
    }

    #[test]
    fn a_child_that_was_collected() {
        let mut storage = storage();
        assert_eq!(found(&storage.files), [""; 0]);
        storage.files.remove(&storage.data(2));
        storage.files.remove(&storage.revision(2));
        let lost = ["index/no-image-here", "storage/missing-child"];
        let mut names = found(&storage.files);
        names.sort_unstable();
        assert_eq!(names[..1], lost[..1]);
        assert!(names.contains(&"storage/missing-child"), "{names:?}");
        // A mirror has what was asked of it.
        storage.files.insert("scheduler-state.json".into(), b"{}".to_vec());
        let mirror = found(&storage.files);
        assert!(mirror.contains(&"index/missing-child"), "{mirror:?}");
        assert!(!mirror.contains(&"storage/missing-child"), "{mirror:?}");
    }

    #[test]
    fn a_tag_without_history() {
        let mut storage = storage();
        assert_eq!(found(&storage.files), [""; 0]);
        let history = format!("_manifests/tags/1/index/sha256/{}", storage.digests[3].encoded());
        storage.files.remove(&storage.link(&history));
        assert_eq!(found(&storage.files), ["storage/tag-not-in-index"]);
    }

    #[test]
    fn blobs_nobody_finds() {
        let mut storage = storage();
        storage
            .files
            .insert(format!("{ROOT}/blobs/sha256/{0}/{1}/data", "00", "0".repeat(64)), b"x".to_vec());
        assert_eq!(found(&storage.files), ["storage/unlinked-blob"]);
        let mut lost = super::tests::storage();
        let bytes = lost.files.remove(&lost.data(1)).expect("the layer");
        lost.files
            .insert(format!("{ROOT}/blobs/sha256/00/{}/data", lost.digests[1].encoded()), bytes.clone());
        assert_eq!(found(&lost.files), ["blob/missing"]);
        lost.files.insert(lost.data(1), bytes);
        assert_eq!(found(&lost.files), ["storage/unlinked-blob"], "a copy");
        let hex = Digest::sha256(b"x").encoded().to_owned();
        let mut other = super::tests::storage();
        other.files.insert(format!("{ROOT}/blobs/sha256/00/{hex}/data"), b"x".to_vec());
        assert_eq!(found(&other.files), ["storage/misplaced-blob"]);
    }

    #[test]
    fn names_of_repositories() {
        let mut storage = storage();
        let link = format!("{ROOT}/repositories/Lab/_manifests/tags/1/current/link");
        storage.files.insert(link, storage.digests[3].to_string().into_bytes());
        assert_eq!(found(&storage.files), ["name/bad-reference"]);
    }

    /// A `dir:` layout of a list of one image.
    fn dir() -> (Files, String) {
        let Storage { files, digests } = storage();
        let mut dir = Files::new();
        for (i, name) in [(0, digests[0].encoded()), (1, digests[1].encoded()), (3, "manifest.json")] {
            let hex = digests[i].encoded();
            let bytes = files[&format!("{ROOT}/blobs/sha256/{}/{hex}/data", &hex[..2])].clone();
            dir.insert(name.to_owned(), bytes);
        }
        let hex = digests[2].encoded().to_owned();
        let bytes = files[&format!("{ROOT}/blobs/sha256/{}/{hex}/data", &hex[..2])].clone();
        dir.insert(format!("{hex}.manifest.json"), bytes);
        dir.insert("version".into(), b"Directory Transport Version: 1.1\n".to_vec());
        (dir, hex)
    }

    #[test]
    fn dir_layouts() {
        let (files, hex) = dir();
        assert_eq!(found(&files), [""; 0]);
        let with = |name: &str, bytes: &[u8]| {
            let mut files = files.clone();
            files.insert(name.to_owned(), bytes.to_vec());
            found(&files)
        };
        assert_eq!(with("version", b"Directory Transport Version: 1.0\n"), [""; 0]);
        assert_eq!(with("version", b"Directory Transport Version: 1.1"), ["dir/unknown-version"]);
        assert_eq!(with("signature-1", b"\x88"), [""; 0]);
        assert_eq!(with("signature-1", b"\0sigstore-json\n{}"), [""; 0]);
        assert_eq!(with("signature-1", b"\0other\n{}"), ["dir/signature-format"]);
        assert_eq!(with("signature-1", b"-----BEGIN PGP"), ["dir/signature-format"]);
        assert_eq!(with("signature-2", b"\x88"), ["dir/signature-gap"]);
        assert_eq!(with(&format!("{hex}.signature-1"), b"\x88"), [""; 0]);
        let mut bare = files.clone();
        let bytes = bare.remove(&format!("{hex}.manifest.json")).expect("the child");
        bare.insert(hex, bytes);
        assert_eq!(found(&bare), ["dir/child-name"]);
    }
}
