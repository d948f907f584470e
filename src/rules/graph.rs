//! Rules about how the parts of an archive point at each other, beyond what each descriptor says.

use std::cell::LazyCell;
use std::collections::{HashMap, HashSet};

use crate::digest::Digest;
use crate::finding::{Edit, Finding, Rule, Target, rule};
use crate::json::Value;
use crate::limits::LEGACY_BLOB_BYTES;
use crate::location::Location;
use crate::media::{self, DocumentType, LayerType};
use crate::model::Form;
use crate::model::referrers::with_subject;
use crate::model::view::annotation;
use crate::model::{Archive, Blob, Body, Descriptor, DocKind, Document, Name, Node, Root};

/// The rules of this file.
pub const RULES: &[&Rule] = &[
    &SCHEMA1_IN_LAYOUT,
    &BAD_BLOB_PATH,
    &SIZES_DISAGREE,
    &TYPES_DISAGREE,
    &SUBJECT_MISSING,
    &UNREFERENCED,
    &SIGNED_MISSING,
    &WRONG_REFERRER,
    &BAD_BASE_DIGEST,
];

/// Names the base image of an image (formats.md D.7).
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

rule! {
    /// A schema 1 manifest in a layout.
    SCHEMA1_IN_LAYOUT = "layout/schema1-manifest", Error, No, [76],
    checks: "No manifest of an OCI layout is a Docker schema 1 manifest.",
    matters: "image-spec has no such type, and a signed one has another digest than its bytes. containerd and Docker since 28.2 refuse it.",
    example: "A layout into which a pull-through cache wrote an image of 2015.",
    mend: "Write it in OCI's types, or pull the image again in schema 2.",
    remedy: Convert(&[ManifestFormat("oci")]),
}
rule! {
    /// A file among the blobs that is none.
    BAD_BLOB_PATH = "layout/bad-blob-path", Warning, No, [86],
    checks: "Files below `blobs/` are called by algorithm and hex digits of a digest.",
    matters: "image-spec image layout: both must match the grammar of digests. No tool looks at other files.",
    example: "`blobs/sha256/0FEF…` in upper case.",
    mend: "Rename the file to the digest of its content, or remove it.",
}
rule! {
    /// One blob, two sizes.
    SIZES_DISAGREE = "descriptor/sizes-disagree", Error, No, [91],
    checks: "Descriptors of one digest give one size, if the blob is not there to tell it.",
    matters: "One content has one size, so one of them is wrong. If the archive holds the blob, `descriptor/size-mismatch` says which.",
    example: "Two indexes with different sizes for a manifest that the archive lacks.",
    mend: "Fetch the blob and write its size.",
    breaks: [Skopeo, Registry],
}
rule! {
    /// One blob, two types.
    TYPES_DISAGREE = "descriptor/types-disagree", Warning, No, [91],
    checks: "Descriptors of one digest give one type, or the names of one thing in the two families.",
    matters: "What a blob is depends on the way to it: two readers can see two things under one digest (CVE-2021-41190).",
    example: "One blob as gzip layer in one manifest and as plain layer in another.",
    mend: "Write the type that the blob has.",
}
rule! {
    /// What something is about is not here.
    SUBJECT_MISSING = "graph/subject-missing", Note, No, [98],
    checks: "Whether the archive holds the `subject` of a manifest.",
    matters: "image-spec manifest: it may be absent. Nothing here can be verified against it.",
    example: "An SBOM that was copied without its image.",
    mend: "Nothing to mend.",
}
rule! {
    /// A blob that nothing needs.
    UNREFERENCED = "blob/unreferenced", Note, No, [100],
    checks: "Whether every blob is reached from `index.json`. Blobs up to 64 KiB in docker-archives are passed over, since Docker 25 and later add v1 JSON that nothing points at.",
    matters: "image-spec image layout allows others. They are carried along for nothing; `umoci gc` and regctl delete them.",
    example: "Blobs of an image whose last name was given to another one.",
    mend: "Write the layout anew, with what is reached.",
    remedy: Convert(&[]),
}
rule! {
    /// A signature of something that is not here.
    SIGNED_MISSING = "graph/signed-missing", Note, No, [106],
    checks: "Whether the archive holds what a cosign tag names.",
    matters: "cosign finds signatures by the tag `sha256-….sig` in the repository of the image. Without the image there is nothing to verify.",
    example: "The tag `sha256-0fef….sig` in a layout without that manifest.",
    mend: "Nothing to mend.",
}
rule! {
    /// A referrers index with strangers.
    WRONG_REFERRER = "graph/wrong-referrer", Warning, No, [107],
    checks: "The manifests that a referrers tag (`sha256-…`) lists have that digest as `subject`.",
    matters: "distribution-spec, referrers tag schema: clients take the list as it is.",
    example: "An SBOM of another image in the list.",
    mend: "Remove the item from the index.",
    breaks: [Containerd],
}
rule! {
    /// A base digest that is none.
    BAD_BASE_DIGEST = "annotation/bad-base-digest", Warning, No, [108],
    checks: "The annotation `org.opencontainers.image.base.digest` is a digest, or empty, as buildah writes it where there is no base image.",
    matters: "image-spec annotations. Tools that look for a newer base image find nothing.",
    example: "`\"org.opencontainers.image.base.digest\": \"latest\"`",
    mend: "Write the digest of the base image's manifest.",
}

/// Findings about the archive as a whole.
pub fn check(archive: &Archive, out: &mut Vec<Finding>) {
    schema1(archive, out);
    if archive.index_json.is_some() {
        blob_paths(archive, out);
    }
    // Seldom asked for, and as long as the archive.
    let all: LazyCell<HashSet<&Digest>, _> = LazyCell::new(|| {
        archive.blobs.iter().filter(|blob| blob.member.is_some()).filter_map(|b| b.digest.as_ref()).collect()
    });
    let held = |digest: &Digest| all.contains(digest);
    agreement(archive, &held, out);
    for node in &archive.nodes {
        if let Some((digest, at)) = subject(archive, node).filter(|(digest, _)| !held(digest)) {
            let message = format!("the subject is not in the archive: {digest}");
            out.push(Finding::new(&SUBJECT_MISSING, at, message));
        }
    }
    for root in &archive.roots {
        referrers(archive, root, &held, out);
    }
}

/// A document's `subject`, if it has a good digest, and where it stands.
fn subject(archive: &Archive, node: &Node) -> Option<(Digest, Location)> {
    let document = with_subject(archive, node)?;
    if !matches!(document.kind, DocKind::Manifest(_) | DocKind::Index(_) | DocKind::ArtifactManifest) {
        return None;
    }
    let text = document.root()?.get("subject")?.get("digest")?.as_str()?;
    Some((Digest::parse(text).ok()?, Location::pointer(document.member, "/subject")))
}

fn schema1(archive: &Archive, out: &mut Vec<Finding>) {
    if archive.index_json.is_none() {
        return;
    }
    for node in archive.nodes.iter().filter(|node| matches!(node.body, Body::Schema1 { .. })) {
        let Some(document) = node.document.map(|id| archive.listed(id)) else { continue };
        let message = "a schema 1 manifest is in an OCI layout";
        out.push(Finding::new(&SCHEMA1_IN_LAYOUT, Location::member(document.member), message));
    }
}

fn blob_paths(archive: &Archive, out: &mut Vec<Finding>) {
    use crate::source::MemberKind;
    for (i, member) in archive.tree.members.iter().enumerate() {
        if member.kind() == MemberKind::Directory {
            continue;
        }
        let name = member.name().to_string();
        let Some(path) = name.strip_prefix("blobs/") else { continue };
        let last = path.rsplit('/').next().unwrap_or(path);
        // What a tool left behind when it broke off is told apart (entry 21 of the catalogue).
        if last.starts_with('.') || last.starts_with("oci-put-blob") || last.ends_with(".tmp") {
            continue;
        }
        let good = path.split_once('/').is_some_and(|(algorithm, encoded)| {
            !encoded.contains('/') && Digest::of_parts(algorithm, encoded).is_ok()
        });
        if !good {
            let at = Location::member(crate::location::MemberId(i as u32));
            out.push(Finding::new(&BAD_BLOB_PATH, at, "the file is among the blobs, its name is no digest"));
        }
    }
}

/// Every descriptor that something reads, once.
fn descriptors(archive: &Archive) -> Vec<&Descriptor> {
    let mut all: Vec<&Descriptor> =
        archive.roots.iter().filter_map(|root| root.descriptor.as_deref()).collect();
    for node in &archive.nodes {
        if let Body::Index { children, .. } = &node.body {
            all.extend(children.iter().map(|edge| &edge.descriptor));
        }
        all.extend(node.all_parts().into_iter().filter_map(|part| part.descriptor()));
    }
    let mut seen = HashSet::new();
    all.retain(|descriptor| seen.insert(&descriptor.at));
    all
}

fn agreement(archive: &Archive, held: &dyn Fn(&Digest) -> bool, out: &mut Vec<Finding>) {
    let empty = Digest::sha256(b"{}");
    let mut first: HashMap<&Digest, &Descriptor> = HashMap::new();
    for descriptor in descriptors(archive) {
        let Some(digest) = descriptor.good_digest() else { continue };
        let Some(other) = first.get(digest) else {
            first.insert(digest, descriptor);
            continue;
        };
        if let (Some(a), Some(b)) = (other.size, descriptor.size) {
            if a != b && b >= 0 && !held(digest) {
                let message = format!("the size is {b} here and {a} elsewhere, of one digest");
                out.push(
                    Finding::new(&SIZES_DISAGREE, descriptor.at.child("size"), message)
                        .related(other.at.child("size"), "the other size"),
                );
            }
        }
        let (a, b) = (other.type_or_empty(), descriptor.type_or_empty());
        // A document that says its own type is compared with that.
        let document = DocumentType::of(a).is_some() && DocumentType::of(b).is_some();
        if !a.is_empty() && !b.is_empty() && !alike(a, b) && *digest != empty && (!document || !held(digest))
        {
            let message = format!("the type is `{b}` here and `{a}` elsewhere, of one digest");
            out.push(
                Finding::new(&TYPES_DISAGREE, descriptor.at.child("mediaType"), message)
                    .related(other.at.child("mediaType"), "the other type"),
            );
        }
    }
}

/// Whether two types are one, or what the families call one thing.
fn alike(a: &str, b: &str) -> bool {
    let kind = |text: &str| match DocumentType::of(text) {
        Some(DocumentType::Index(_)) => Some(1),
        Some(DocumentType::Manifest(_)) => Some(2),
        Some(DocumentType::Schema1) => Some(3),
        _ => (media::is_image_config(text) || media::is_legacy_config(text)).then_some(4),
    };
    let layer = |text: &str| LayerType::of(text).map(|layer| layer.codec);
    a == b || (kind(a).is_some() && kind(a) == kind(b)) || (layer(a).is_some() && layer(a) == layer(b))
}

/// Whether a blob that nothing points at is worth telling. Its content is sound.
pub fn unreferenced(archive: &Archive, blob: &Blob, out: &mut Vec<Finding>) {
    // Where nothing is listed, that is the fault.
    let listed = archive.index_json.is_some() && !archive.roots.is_empty();
    let Some(member) = blob.member.filter(|_| listed) else { return };
    let size = archive.tree.member(member).size;
    if archive.form == Form::DockerArchive && size <= LEGACY_BLOB_BYTES {
        return;
    }
    let message = format!("nothing points at the blob ({})", crate::finding::counted(size, "byte"));
    out.push(
        Finding::new(&UNREFERENCED, Location::member(member), message)
            .change(Target::Member(member), Edit::Delete),
    );
}

/// What the tag of a root says that it is about: `sha256-<hex>`, with cosign's endings or without.
fn about(root: &Root) -> Option<(Digest, bool)> {
    let tag = match &root.name {
        Name::Full(reference) => reference.tag()?,
        Name::BareTag(tag) => tag,
        Name::Unreadable(text) => text.rsplit(':').next().unwrap_or(text),
        Name::None => return None,
    };
    let hex = tag.strip_prefix("sha256-")?;
    let cosign = [".sig", ".att", ".sbom"].iter().find_map(|ending| hex.strip_suffix(ending));
    Some((Digest::from_sha256_hex(cosign.unwrap_or(hex))?, cosign.is_some()))
}

fn referrers(archive: &Archive, root: &Root, held: &dyn Fn(&Digest) -> bool, out: &mut Vec<Finding>) {
    let Some((digest, cosign)) = about(root) else { return };
    if cosign {
        if !held(&digest) {
            let message = format!("`{}` is about {digest}, which is not in the archive", root.name.shown());
            out.push(Finding::new(&SIGNED_MISSING, root.at.clone(), message));
        }
        return;
    }
    let Body::Index { children, .. } = &archive.node(root.node).body else { return };
    for edge in children {
        let Some(node) = edge.node.map(|id| archive.node(id)).filter(|node| node.document.is_some()) else {
            continue;
        };
        let found = subject(archive, node).map(|(found, _)| found);
        if found.as_ref() != Some(&digest) {
            let found = found.map_or_else(|| "none".to_owned(), |found| found.to_string());
            let message = format!("the item is listed as a referrer of {digest}, its subject is {found}");
            out.push(Finding::new(&WRONG_REFERRER, edge.descriptor.at.clone(), message));
        }
    }
}

/// Findings about base digests in the annotations of a manifest or index, its descriptors included.
pub fn base_digests(document: &Document, out: &mut Vec<Finding>) {
    if !matches!(document.kind, DocKind::Manifest(_) | DocKind::Index(_) | DocKind::ArtifactManifest) {
        return;
    }
    let Some(root) = document.root() else { return };
    let at = Location::pointer(document.member, "");
    base_digest(root, &at, out);
    for name in ["config", "subject"] {
        if let Some(value) = root.get(name) {
            base_digest(value, &at.child(name), out);
        }
    }
    for name in ["layers", "manifests", "blobs"] {
        for (i, item) in root.get(name).map(Value::items).unwrap_or_default().iter().enumerate() {
            base_digest(item, &at.child(name).child(i), out);
        }
    }
}

fn base_digest(value: &Value, at: &Location, out: &mut Vec<Finding>) {
    let Some(text) = annotation(value, BASE_DIGEST).filter(|text| !text.is_empty()) else { return };
    if let Err(error) = Digest::parse(text) {
        let message = format!("the base digest `{text}` is not a digest: {error}");
        out.push(Finding::new(&BAD_BASE_DIGEST, at.child("annotations").child(BASE_DIGEST), message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Family;
    use crate::rules::fixture::{Layout, found};

    /// An artifact with these members; its descriptor without closing brace.
    fn artifact(layout: &Layout, members: &str, layers: &[String]) -> String {
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","artifactType":"a/b","config":{},"layers":[{}]{members}}}"#,
            media::OCI_MANIFEST,
            layout.descriptor(media::OCI_EMPTY, b"{}"),
            layers.join(",")
        );
        layout.open_descriptor(media::OCI_MANIFEST, text.as_bytes())
    }

    fn descriptor(media_type: &str, digest: &Digest, size: u64) -> String {
        format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}}}"#)
    }

    #[test]
    fn names_of_blobs() {
        let layout = Layout::new();
        layout.index_json(&[artifact(&layout, "", &[]) + "}"]);
        assert_eq!(layout.found("layout/"), [""; 0]);
        layout.file("blobs/sha256/ABC", b"x");
        layout.file("blobs/loose", b"x");
        layout.file("blobs/sha256/oci-put-blob123", b"x");
        assert_eq!(layout.found("layout/"), ["layout/bad-blob-path"; 2]);
    }

    #[test]
    fn a_schema_1_manifest() {
        let layout = Layout::new();
        let text =
            r#"{"schemaVersion":1,"name":"a","tag":"b","architecture":"amd64","fsLayers":[],"history":[]}"#;
        layout.index_json(&[layout.descriptor(media::DOCKER_SCHEMA1, text.as_bytes())]);
        assert_eq!(layout.found("layout/"), ["layout/schema1-manifest"]);
        layout.index_json(&[artifact(&layout, "", &[]) + "}"]);
        assert_eq!(layout.found("layout/"), [""; 0]);
    }

    #[test]
    fn descriptors_of_one_digest() {
        let layout = Layout::new();
        let absent = Digest::sha256(b"absent");
        let of = |layers: &[String], family: &str| {
            layout.index_json(&[artifact(&layout, "", layers) + "}"]);
            layout.found(family)
        };
        let (gzip, docker) = (media::OCI_LAYER_GZIP, media::DOCKER_LAYER_GZIP);
        let pair =
            |a: (&str, u64), b: (&str, u64)| [descriptor(a.0, &absent, a.1), descriptor(b.0, &absent, b.1)];
        assert_eq!(of(&pair((gzip, 6), (docker, 6)), "descriptor/"), [""; 0]);
        assert_eq!(of(&pair((gzip, 6), (gzip, 7)), "descriptor/"), ["descriptor/sizes-disagree"]);
        assert_eq!(of(&pair((gzip, 6), ("text/plain", 6)), "descriptor/"), ["descriptor/types-disagree"]);
        // The blob itself tells the right size.
        let here = layout.blob(b"here");
        let both = [descriptor("a/b", &here, 4), descriptor("a/b", &here, 5)];
        assert_eq!(of(&both, "descriptor/"), ["descriptor/size-mismatch"]);
    }

    #[test]
    fn subjects_and_referrers() {
        let layout = Layout::new();
        let image = artifact(&layout, "", &[]);
        let digest = Digest::parse(image.split('"').nth(7).expect("a digest")).expect("valid");
        let size = 3;
        let about =
            |digest: &Digest| format!(r#","subject":{}"#, descriptor(media::OCI_MANIFEST, digest, size));
        let signature = artifact(&layout, &about(&digest), &[]) + "}";
        let stranger = artifact(&layout, &about(&Digest::sha256(b"other")), &[]) + "}";
        let image = image + "}";
        layout.index_json(&[image.clone(), signature.clone()]);
        assert_eq!(layout.found("graph/"), [""; 0]);
        layout.index_json(&[image.clone(), stranger.clone()]);
        assert_eq!(layout.found("graph/"), ["graph/subject-missing"]);

        let named = |item: &str, name: &str| {
            let start = item.strip_suffix('}').expect("an object");
            format!(r#"{start},"annotations":{{"org.opencontainers.image.ref.name":"{name}"}}}}"#)
        };
        let fallback = |item: &str| {
            let text =
                format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{item}]}}"#, media::OCI_INDEX);
            let index = layout.descriptor(media::OCI_INDEX, text.as_bytes());
            layout.index_json(&[image.clone(), named(&index, &format!("sha256-{}", digest.encoded()))]);
            layout.found("graph/wrong")
        };
        assert_eq!(fallback(&signature), [""; 0]);
        assert_eq!(fallback(&stranger), ["graph/wrong-referrer"]);
        assert_eq!(fallback(&image), ["graph/wrong-referrer"]);

        let cosign = |digest: &Digest| {
            let name = format!("sha256-{}.sig", digest.encoded());
            layout.index_json(&[image.clone(), named(&signature, &name)]);
            layout.found("graph/signed")
        };
        assert_eq!(cosign(&digest), [""; 0]);
        assert_eq!(cosign(&Digest::sha256(b"other")), ["graph/signed-missing"]);
    }

    #[test]
    fn blobs_that_nothing_points_at() {
        let layout = Layout::new();
        layout.index_json(&[artifact(&layout, "", &[]) + "}"]);
        assert_eq!(layout.found("blob/"), [""; 0]);
        layout.blob(b"lost");
        assert_eq!(layout.found("blob/"), ["blob/unreferenced"]);
        // What would point at it may be what is missing.
        let absent = descriptor(media::OCI_MANIFEST, &Digest::sha256(b"absent"), 6);
        layout.index_json(&[artifact(&layout, "", &[]) + "}", absent]);
        assert_eq!(layout.found("blob/"), ["blob/missing"]);
    }

    #[test]
    fn base_images() {
        let of = |text: &str| {
            let annotations = format!(r#""annotations":{{"{BASE_DIGEST}":"{text}"}}"#);
            let whole = format!(r#"{{{annotations},"layers":[{{{annotations}}}]}}"#);
            found(DocKind::Manifest(Family::Oci), &whole, base_digests)
        };
        assert_eq!(of(&Digest::sha256(b"").to_string()), [""; 0]);
        assert_eq!(of(""), [""; 0]);
        assert_eq!(of("latest"), ["annotation/bad-base-digest"; 2]);
    }
}
