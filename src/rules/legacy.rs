//! Rules about v1 images and schema 1 manifests (formats.md A.1, C.2).

use crate::finding::{Finding, Rule, rule};
use crate::json::Value;
use crate::location::Location;
use crate::model::legacy::jws::{self, Jws, Verdict};
use crate::model::legacy::schema1::{ProblemKind, Schema1};
use crate::model::{Archive, Body, DocKind, Document, Name, Root, V1Problem};

/// The rules of this file.
pub const RULES: &[&Rule] = &[
    &V1_BAD_ID,
    &V1_BROKEN_ANCESTRY,
    &V1_UNKNOWN_IMAGE,
    &V1_ONLY,
    &V1_UNPROTECTED,
    &V1_OTHER_ID,
    &V1_NO_JSON,
    &V1_VERSION,
    &V1_NO_REPOSITORIES,
    &V1_UNTAGGED,
    &SCHEMA1_USED,
    &SCHEMA1_NAME,
    &SCHEMA1_UNPAIRED,
    &SCHEMA1_BROKEN_CHAIN,
    &SCHEMA1_BAD_HISTORY,
    &SCHEMA1_TARSUM,
    &SCHEMA1_BAD_SIGNATURES,
    &SCHEMA1_UNVERIFIED,
];

rule! {
    /// A v1 image without a proper ID.
    V1_BAD_ID = "v1/bad-id", Error, Soft, [205],
    checks: "The directory of a v1 image is called by 64 lower-case hex digits.",
    matters: "Docker 1.10 to 28 refuses any other name (`invalid image ID`).",
    example: "A directory in upper-case hex.",
    mend: "Rename the directory, and what names it in `repositories` and `parent`.",
}
rule! {
    /// An ancestor is missing, or an image descends from itself.
    V1_BROKEN_ANCESTRY = "v1/broken-ancestry", Error, Hard, [206, 209],
    checks: "The parents of a v1 image are in the archive, each with its `json`, and lead to a base.",
    matters: "The layers of an image are those of all its ancestors; Docker aborts the load.",
    example: "An archive from which the base image's directory was removed.",
    mend: "Save the image again.",
    breaks: [Docker],
}
rule! {
    /// A tag of an image that is not there.
    V1_UNKNOWN_IMAGE = "v1/unknown-image", Error, Soft, [210],
    checks: "Every ID in `repositories` is an image of the archive.",
    matters: "Docker aborts the load with `invalid target ID`.",
    example: "`{\"app\":{\"1\":\"4f0c…\"}}` without a directory `4f0c…`.",
    mend: "Remove the tag from `repositories`.",
    breaks: [Docker],
}
rule! {
    /// An archive that newer tools do not load.
    V1_ONLY = "v1/no-manifest", Warning, No, [19],
    checks: "A docker-archive has `manifest.json`.",
    matters: "Archives of the first era have none. Docker 1.10 to 28 loads them; Docker 29, containerd, skopeo, podman and crane never did or no longer do.",
    example: "What Docker 1.9 saved.",
    mend: "Write it anew: every form that restow writes has manifests.",
    remedy: Convert(&[]),
}
rule! {
    /// Nothing shows a change.
    V1_UNPROTECTED = "v1/unprotected", Note, No, [19],
    checks: "Whether anything in the archive protects its content.",
    matters: "v1 images have no digests: neither `json` nor `layer.tar` can be verified, and a changed byte goes unseen. restow can tell only whether they are whole and fit each other.",
    example: "What Docker 1.9 saved.",
    mend: "Write it anew, and keep the digest of what is written.",
    remedy: Convert(&[]),
}
rule! {
    /// Directory and document give two IDs.
    V1_OTHER_ID = "v1/id-mismatch", Warning, No, [205],
    checks: "The directory of a v1 image is called by the `id` in its `json`.",
    matters: "Docker takes the directory's name and ignores the other.",
    example: "A directory that was renamed after saving.",
    mend: "Rename the directory, and what names it in `repositories` and `parent`.",
}
rule! {
    /// A directory that is no image.
    V1_NO_JSON = "v1/no-json", Error, Soft, [206],
    checks: "Every top-level directory of a v1 archive has a `json`.",
    matters: "Docker takes every one for an image, and aborts the load at one without `json`.",
    example: "A directory `notes` that was added by hand.",
    mend: "Remove the directory.",
    remedy: Convert(&[Lower]),
    breaks: [Docker],
}
rule! {
    /// `VERSION` is not `1.0`.
    V1_VERSION = "v1/odd-version", Note, No, [208],
    checks: "Whether `VERSION` of a v1 image is `1.0`.",
    matters: "No version but 1.0 was ever defined, and no tool reads the file.",
    example: "An image without `VERSION`, from an archive that was made by a script.",
    mend: "Write `1.0` and nothing else.",
}
rule! {
    /// Nothing has a name.
    V1_NO_REPOSITORIES = "v1/no-repositories", Warning, No, [210],
    checks: "A v1 archive has the file `repositories`.",
    matters: "Docker before 17 takes the images for untagged; later versions fail with `open …/repositories: no such file`.",
    example: "An image that Docker 1.9 saved by its ID.",
    mend: "Add `repositories`, `{}` if nothing has a name; or write the archive anew.",
    remedy: Convert(&[]),
    breaks: [Docker],
}
rule! {
    /// An image that no tag reaches.
    V1_UNTAGGED = "v1/untagged", Note, No, [211],
    checks: "Whether a tag in `repositories` reaches every v1 image.",
    matters: "Docker loads the others too, as `<none>`.",
    example: "A directory of an older build that was left in the archive.",
    mend: "Give the image a name, or leave it out.",
    remedy: Convert(&[Tag]),
}
rule! {
    /// A format that newer tools refuse.
    SCHEMA1_USED = "schema1/used", Warning, No, [219],
    checks: "No manifest is of schema 1.",
    matters: "Docker removed it in 28.2, containerd in 2.1, Distribution in 3.0. skopeo and crane still read it.",
    example: "An image that was pushed by Docker 1.9 and never again.",
    mend: "Write it in OCI's types.",
    remedy: Convert(&[ManifestFormat("oci")]),
    optional: true,
}
rule! {
    /// A manifest under another name than its own.
    SCHEMA1_NAME = "schema1/other-name", Note, No, [218],
    checks: "Whether `name` and `tag` of a schema 1 manifest are those under which a registry stores it.",
    matters: "Early registries compared them. Mirrors keep the name of the origin, and no current reader compares it.",
    example: "`library/busybox` that is stored as `mirror/busybox`.",
    mend: "Nothing to mend; a signature covers the members.",
}
rule! {
    /// Layers and history do not pair.
    SCHEMA1_UNPAIRED = "schema1/unpaired", Error, Hard, [214],
    checks: "`fsLayers` and `history` have the same length, and at least one item.",
    matters: "Item i of one describes item i of the other; every reader fails.",
    example: "Three layers, two history items.",
    mend: "Pull the image again in schema 2.",
}
rule! {
    /// The chain of parents is broken.
    SCHEMA1_BROKEN_CHAIN = "schema1/broken-chain", Error, Hard, [215],
    checks: "Image IDs are 64 hex digits, each item's parent is the next item, and the last one has none.",
    matters: "Docker, containerd and containers/image refuse a manifest whose chain is broken.",
    example: "The base image names a parent.",
    mend: "Pull the image again in schema 2.",
}
rule! {
    /// A v1Compatibility text cannot be read.
    SCHEMA1_BAD_HISTORY = "schema1/bad-history", Error, Hard, [216],
    checks: "Every `v1Compatibility` is the JSON of a v1 image, as text.",
    matters: "The config of the image is made from it.",
    example: "`\"v1Compatibility\": \"{\"`",
    mend: "Pull the image again in schema 2.",
}
rule! {
    /// Digests of a kind that nobody knows any more.
    SCHEMA1_TARSUM = "schema1/tarsum", Error, Hard, [220],
    checks: "No `blobSum` is a tarsum.",
    matters: "Only registries before the first release of Distribution used them; no reader does.",
    example: "`tarsum.v1+sha256:…`",
    mend: "Pull the image again in schema 2.",
}
rule! {
    /// The signature block is broken.
    SCHEMA1_BAD_SIGNATURES = "schema1/bad-signatures", Error, Hard, [217],
    checks: "The signature block is well-formed, and all signatures are over one payload that holds all members.",
    matters: "The digest of a signed manifest is that of the payload: without it the manifest has no identity.",
    example: "`formatLength` points into the middle of a member.",
    mend: "Pull the manifest again.",
}
rule! {
    /// A signature does not verify.
    SCHEMA1_UNVERIFIED = "schema1/unverified-signature", Warning, No, [217],
    checks: "Signatures verify with the keys beside them (ES256; other algorithms are not checked).",
    matters: "Keys were made for one use, so a signature protects against accidents only. Registry 2.8 verifies it on push; nobody else does.",
    example: "A manifest that was re-formatted after signing.",
    mend: "Write the image in OCI's types, which have no such signatures.",
    remedy: Convert(&[ManifestFormat("oci")]),
}

/// A v1 image directory that is not sound.
pub fn v1(at: &Location, problem: &V1Problem) -> Finding {
    let (rule, message) = match problem {
        V1Problem::BadId => (&V1_BAD_ID, "the image ID is not 64 lower-case hex digits".to_owned()),
        V1Problem::NoJson => (
            &V1_NO_JSON,
            "the member is in a directory without `json`, which Docker takes for an image".to_owned(),
        ),
        V1Problem::OtherId(id) => {
            (&V1_OTHER_ID, format!("the ID is {id}, the directory is called otherwise"))
        }
        V1Problem::Version(Some(text)) => {
            (&V1_VERSION, format!("`VERSION` is `1.0`, found `{}`", text.trim_end()))
        }
        V1Problem::Version(None) => (&V1_VERSION, "the image has no `VERSION`".to_owned()),
        V1Problem::ParentMissing(id) => {
            (&V1_BROKEN_ANCESTRY, format!("the parent image {id} is not in the archive"))
        }
        V1Problem::Cycle => (&V1_BROKEN_ANCESTRY, "the image descends from itself".to_owned()),
    };
    Finding::new(rule, at.clone(), message)
}

/// A value in `repositories` that no image answers to.
pub fn unknown_image(at: &Location, id: &str) -> Finding {
    let message = format!("image {id} is not in the archive");
    Finding::new(&V1_UNKNOWN_IMAGE, at.clone(), message).remove(at)
}

/// Findings about images of the first era as a whole, and about names under which schema 1 manifests are stored.
pub fn check(archive: &Archive, out: &mut Vec<Finding>) {
    let is_v1 = |root: &&Root| matches!(archive.node(root.node).body, Body::V1 { .. });
    if archive.roots.iter().any(|root| is_v1(&root)) {
        let message = "the archive has no `manifest.json`: only Docker 1.10 to 28 loads it";
        out.push(Finding::new(&V1_ONLY, Location::archive(), message));
        let message = "nothing in the archive protects its content: v1 images have no digests";
        out.push(Finding::new(&V1_UNPROTECTED, Location::archive(), message));
    }
    // Where `repositories` is missing, that is said.
    let listed = archive.documents.iter().any(|document| document.kind == DocKind::Repositories);
    for root in archive.roots.iter().filter(is_v1).filter(|root| listed && root.name == Name::None) {
        out.push(Finding::new(&V1_UNTAGGED, root.at.clone(), "no tag reaches the image"));
    }
    for root in &archive.roots {
        let (Name::Full(name), Some(path)) = (&root.name, &root.repository) else { continue };
        let node = archive.node(root.node);
        let document = node.document.filter(|_| matches!(node.body, Body::Schema1 { .. }));
        let Some(document) = document.map(|id| archive.document(id)) else { continue };
        let Some(value) = document.root() else { continue };
        let tag = name.tag().unwrap_or_default();
        for (member, stored) in [("name", path.as_str()), ("tag", tag)] {
            let own = value.get(member).and_then(Value::as_str);
            if let Some(own) = own.filter(|own| *own != stored) {
                let at = Location::pointer(document.member, format!("/{member}"));
                let message = format!("the {member} is `{own}`, the manifest is stored under `{stored}`");
                out.push(Finding::new(&SCHEMA1_NAME, at, message));
            }
        }
    }
}

/// `repositories` of a v1 archive is missing.
pub fn no_repositories() -> Finding {
    let message = "`repositories` is missing, so no image has a name";
    Finding::new(&V1_NO_REPOSITORIES, Location::archive(), message)
}

/// Findings about a schema 1 manifest.
pub fn schema1(document: &Document, root: &Value, out: &mut Vec<Finding>) {
    let at = |pointer: &str| Location::pointer(document.member, pointer);
    let message = "the manifest is of schema 1, which newer tools do not read";
    out.push(Finding::new(&SCHEMA1_USED, Location::member(document.member), message));
    for problem in Schema1::parse(root, document.depth).problems {
        let rule = match &problem.kind {
            // Types are the schema's business.
            ProblemKind::Type { .. } => continue,
            ProblemKind::NoLayers | ProblemKind::Lengths { .. } => &SCHEMA1_UNPAIRED,
            ProblemKind::Id { .. }
            | ProblemKind::BaseHasParent { .. }
            | ProblemKind::Parent { .. }
            | ProblemKind::Repeated { .. } => &SCHEMA1_BROKEN_CHAIN,
            ProblemKind::Syntax(_) | ProblemKind::Around(_) | ProblemKind::V1(_) => &SCHEMA1_BAD_HISTORY,
            ProblemKind::Tarsum { .. } => &SCHEMA1_TARSUM,
            ProblemKind::Digest { .. } => &super::blob::BAD_DIGEST,
        };
        out.push(Finding::new(rule, at(&problem.pointer), problem.kind.to_string()));
    }
    let jws = Jws::read(&document.bytes, root, document.depth);
    for problem in &jws.problems {
        let rule = &SCHEMA1_BAD_SIGNATURES;
        out.push(Finding::new(rule, at(&problem.pointer), format!("signature block: {}", problem.kind)));
    }
    for (i, signature) in jws.signatures.iter().enumerate() {
        verdict(signature, i, &at(&format!("/signatures/{i}")), out);
    }
}

fn verdict(signature: &jws::Signature, i: usize, at: &Location, out: &mut Vec<Finding>) {
    let message = match &signature.verdict {
        Some(Verdict::DoesNotVerify) => format!("signature {i} does not verify with its own key"),
        _ => return,
    };
    out.push(Finding::new(&SCHEMA1_UNVERIFIED, at.clone(), message));
}

#[cfg(test)]
mod tests {
    use crate::digest::Digest;
    use crate::form::{self, Input, OpenOptions};
    use crate::limits::Limits;
    use crate::rules::fixture::{Tar, judged, names};
    use crate::source::SpoolDir;

    const ID: &str = "1974559469fa9ea06fc780fa2d455acaaa298b56e3144330d3c371e06a312c69";
    const OTHER: &str = "fd6fa057ba57e3ec3c5b79d03eee0bfcc98fab9b0652ee58ef90aa3bb9d20eb1";

    /// A v1 image with this `json` and `VERSION`.
    fn image(tar: Tar, id: &str, json: &str, version: Option<&str>) -> Tar {
        let tar = tar.file(&format!("{id}/json"), json.as_bytes());
        let tar = tar.file(&format!("{id}/layer.tar"), &[0; 1024]);
        match version {
            Some(version) => tar.file(&format!("{id}/VERSION"), version.as_bytes()),
            None => tar,
        }
    }

    fn json(id: &str) -> String {
        format!(r#"{{"id":"{id}","created":"2015-01-01T00:00:00Z","architecture":"amd64","os":"linux"}}"#)
    }

    /// What is found besides what every archive of the first era has.
    fn found(tar: Tar) -> Vec<&'static str> {
        let mut found = judged(&tar.end(), &["v1/"]);
        assert_eq!(found.iter().filter(|n| ["v1/no-manifest", "v1/unprotected"].contains(n)).count(), 2);
        found.retain(|name| !["v1/no-manifest", "v1/unprotected"].contains(name));
        found
    }

    fn tagged() -> Tar {
        let tar = image(Tar::default(), ID, &json(ID), Some("1.0"));
        tar.file("repositories", format!(r#"{{"app":{{"1":"{ID}"}}}}"#).as_bytes())
    }

    #[test]
    fn archives_of_the_first_era() {
        assert_eq!(found(tagged()), [""; 0]);
        assert_eq!(judged(&Tar::docker_archive().end(), &["v1/"]), [""; 0]);
        let untagged = image(Tar::default(), ID, &json(ID), Some("1.0"));
        assert_eq!(found(untagged), ["v1/no-repositories"]);
        assert_eq!(found(image(tagged(), OTHER, &json(OTHER), Some("1.0"))), ["v1/untagged"]);
        assert_eq!(found(image(tagged(), OTHER, &json(ID), Some("1.0"))), ["v1/id-mismatch", "v1/untagged"]);
        let named = |version| {
            let tar = image(Tar::default(), ID, &json(ID), version);
            found(tar.file("repositories", format!(r#"{{"app":{{"1":"{ID}"}}}}"#).as_bytes()))
        };
        assert_eq!(named(Some("1.0\n")), [""; 0]);
        assert_eq!(named(Some("1.1")), ["v1/odd-version"]);
        assert_eq!(named(None), ["v1/odd-version"]);
        assert_eq!(found(tagged().file("notes/a", b"").file("notes/b", b"")), ["v1/no-json"]);
        assert_eq!(found(tagged().file("notes", b"")), [""; 0]);
    }

    /// Storage with a schema 1 manifest of `lab/app:1` under another name.
    fn stored(path: &str, tag: &str) -> Vec<&'static str> {
        let dir = tempfile::tempdir().expect("temporary directory");
        let file = |name: &str, bytes: &[u8]| {
            let path = dir.path().join("docker/registry/v2").join(name);
            std::fs::create_dir_all(path.parent().expect("below a directory")).expect("directory");
            std::fs::write(path, bytes).expect("written");
        };
        let text = r#"{"schemaVersion":1,"name":"lab/app","tag":"1","architecture":"amd64","fsLayers":[],"history":[]}"#;
        let digest = Digest::sha256(text.as_bytes());
        let hex = digest.encoded();
        file(&format!("blobs/sha256/{}/{hex}/data", &hex[..2]), text.as_bytes());
        let manifests = format!("repositories/{path}/_manifests");
        file(&format!("{manifests}/revisions/sha256/{hex}/link"), digest.to_string().as_bytes());
        file(&format!("{manifests}/tags/{tag}/current/link"), digest.to_string().as_bytes());
        let options = OpenOptions {
            place: "storage",
            form: None,
            limits: &Limits::default(),
            spool: &mut || SpoolDir::new(None),
            lone: crate::form::Alone::No,
            progress: &(),
        };
        let archive = form::open(Input::Path(dir.path().to_owned()), options).expect("opens");
        let found = crate::rules::run(&archive, &Default::default(), crate::rules::Scope::All);
        names(&found)
            .into_iter()
            .filter(|name| ["schema1/used", "schema1/other-name"].contains(name))
            .collect()
    }

    #[test]
    fn schema_1_in_storage() {
        assert_eq!(stored("lab/app", "1"), ["schema1/used"]);
        assert_eq!(stored("mirror/app", "1"), ["schema1/other-name", "schema1/used"]);
        assert_eq!(stored("lab/app", "2"), ["schema1/other-name", "schema1/used"]);
    }
}
