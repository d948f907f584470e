//! Rules about the items of an index, `index.json` of a layout included.

use std::collections::{HashMap, HashSet};

use crate::finding::{Finding, Rule, quoted, rule};
use crate::json::{Kind, Value};
use crate::location::Location;
use crate::media::{self, DocumentType, Family, REF_NAME};
use crate::model::build::ATTESTED;
use crate::model::statement::Subject;
use crate::model::view::{annotation, own_artifact_type};
use crate::model::{Archive, Body, Descriptor, DocKind, Document, Node, NodeId, Role};
use crate::platform::Platform;

/// The rules of this file.
pub const RULES: &[&Rule] = &[
    &MANIFESTS_NULL,
    &EMPTY,
    &LIST_ITEM_WITHOUT_PLATFORM,
    &ITEM_WITHOUT_PLATFORM,
    &NESTED,
    &NESTED_LIST,
    &UNKNOWN_ITEM_TYPE,
    &UNKNOWN_ROOT_TYPE,
    &LAYOUT_IS_LIST,
    &LAYOUT_VERSION,
    &LAYOUT_REVISION,
    &ARTIFACT_TYPE_MISMATCH,
    &REPEATED_ITEM,
    &REPEATED_PLATFORM,
    &ATTESTATION_TARGET,
    &UNMARKED_ATTESTATION,
    &ATTESTATION_FIRST,
    &WRONG_SUBJECT,
];

/// Marks instances that are compressed by zstd (formats.md D.10.3).
const ZSTD_MARKER: &str = "io.github.containers.compression.zstd";

rule! {
    /// `null` in place of an empty list.
    MANIFESTS_NULL = "index/manifests-null", Warning, No, [51],
    checks: "`manifests` is an array, even if there are none.",
    matters: "image-spec index. Docker 25.0.0 to 25.0.2 wrote `null` when nothing that it saved had a tag. Tools treat it as empty.",
    example: "`\"manifests\": null`",
    mend: "Write `[]`, or the descriptors that are missing.",
}
rule! {
    /// No children.
    EMPTY = "index/empty", Warning, No, [52],
    checks: "An index has at least one item.",
    matters: "image-spec allows none, but there is nothing that a tool could use. In `index.json` it is `archive/no-images`.",
    example: "`\"manifests\": []`",
    mend: "Remove the index.",
}
rule! {
    /// An item of a manifest list without platform.
    LIST_ITEM_WITHOUT_PLATFORM = "index/list-item-without-platform", Warning, No, [69],
    checks: "Every item of a Docker manifest list has a `platform`.",
    matters: "Distribution's specification demands it. Beside others such an item is chosen last or never; containerd looks into the config instead.",
    example: "A manifest list of which one item has only type, digest and size.",
    mend: "Add the platform that the image's config names. The digest changes with it.",
}
rule! {
    /// An image without platform beside others.
    ITEM_WITHOUT_PLATFORM = "index/item-without-platform", Warning, No, [70],
    checks: "Images that share an index have a `platform`.",
    matters: "image-spec index: it should be there for what depends on a platform. skopeo takes such an image only as the last resort, containerd looks into the config.",
    example: "An index of two images, of which one has no `platform`.",
    mend: "Add the platform that the image's config names. The digest changes with it.",
}
rule! {
    /// An index in an index.
    NESTED = "index/nested", Note, No, [71],
    checks: "Whether an index has an index among its items.",
    matters: "image-spec 1.1: it should be supported; 1.0 does not mention it. Go tools follow it to any depth, so this is only worth telling; beyond the limit index-depth it is `archive/limit-hit`.",
    example: "An index of two indexes, one for each variant of a product.",
    mend: "Nothing to mend, where the tools in use take it.",
}
rule! {
    /// An index in a manifest list.
    NESTED_LIST = "index/nested-list", Warning, No, [71],
    checks: "A Docker manifest list has no list or index among its items.",
    matters: "Distribution's specification defines manifests only as items. Lists of lists were published all the same, and tools that follow an index follow them.",
    example: "A manifest list whose item is a manifest list.",
    mend: "Nothing to mend, where the tools in use take it.",
    breaks: [Skopeo],
}
rule! {
    /// An item that is neither manifest nor index.
    UNKNOWN_ITEM_TYPE = "index/unknown-item-type", Note, No, [72],
    checks: "Whether items of an index are manifests or indexes.",
    matters: "image-spec index: other types must not raise an error; tools pass over them.",
    example: "An item of the type `application/xml`.",
    mend: "Nothing to mend.",
    breaks: [Skopeo, Registry],
}
rule! {
    /// A root that is neither manifest nor index.
    UNKNOWN_ROOT_TYPE = "layout/unknown-root-type", Warning, No, [72],
    checks: "What `index.json` lists are manifests or indexes.",
    matters: "image-spec image layout allows other types; tools pass over such an item, and refuse to use it where it is asked for.",
    example: "A descriptor of a config in `index.json`.",
    mend: "List the manifest that is meant.",
}
rule! {
    /// `index.json` is a Docker list.
    LAYOUT_IS_LIST = "layout/index-is-list", Warning, No, [75],
    checks: "`index.json` has the type of an OCI index.",
    matters: "image-spec image layout demands an image index. All known tools read a Docker list all the same.",
    example: "`index.json` with `\"mediaType\": \"application/vnd.docker.distribution.manifest.list.v2+json\"`.",
    mend: "Write `application/vnd.oci.image.index.v1+json`; no digest covers `index.json`.",
}
rule! {
    /// A layout of another major version.
    LAYOUT_VERSION = "layout/unknown-version", Error, No, [74],
    checks: "`imageLayoutVersion` is of major version 1.",
    matters: "image-spec image layout has 1.0.0 only. umoci, containerd and regctl refuse another version, skopeo and crane do not look.",
    example: "`{\"imageLayoutVersion\":\"2.0.0\"}`",
    mend: "Write 1.0.0, if the layout is one.",
    breaks: [Containerd, Umoci],
}
rule! {
    /// A layout of another version 1.
    LAYOUT_REVISION = "layout/odd-version", Warning, No, [74],
    checks: "`imageLayoutVersion` is 1.0.0.",
    matters: "It is the only version ever defined, for image-spec 1.1 too. umoci and containerd compare the text.",
    example: "`{\"imageLayoutVersion\":\"1.1.0\"}`",
    mend: "Write 1.0.0.",
    breaks: [Containerd, Umoci],
}
rule! {
    /// The descriptor says another artifact type than its target.
    ARTIFACT_TYPE_MISMATCH = "index/artifact-type-mismatch", Warning, No, [92],
    checks: "`artifactType` of a descriptor is that of its target, or else the target's config type.",
    matters: "image-spec descriptor. Clients choose referrers by it without reading them.",
    example: "A descriptor that says `application/vnd.example.sbom` over a signature.",
    mend: "Write the type that the message names.",
}
rule! {
    /// One descriptor twice.
    REPEATED_ITEM = "index/repeated-item", Note, No, [101],
    checks: "Whether an index lists one descriptor twice.",
    matters: "It is legal and says nothing new.",
    example: "Two equal items in `manifests`.",
    mend: "Remove one.",
}
rule! {
    /// Two images for one platform.
    REPEATED_PLATFORM = "index/repeated-platform", Warning, No, [102],
    checks: "No two images of an index have one platform, unless an annotation tells them apart.",
    matters: "image-spec index: the first that matches should be used, so the other is never found.",
    example: "Two items for linux/amd64 with different digests.",
    mend: "Remove the one that is not meant, or give it its `variant` or `os.version`.",
}
rule! {
    /// An attestation of nothing.
    ATTESTATION_TARGET = "attestation/target-missing", Warning, No, [103],
    checks: "`vnd.docker.reference.digest` of an attestation is the digest of an image in the same index.",
    matters: "BuildKit's attestation storage: that annotation is the only link. Without it no verifier finds the attestation.",
    example: "An index that was rewritten for one image, with the attestation of the old one.",
    mend: "Write the digest of the image, or remove the attestation.",
}
rule! {
    /// An unknown platform without a reason.
    UNMARKED_ATTESTATION = "attestation/unmarked", Warning, No, [104],
    checks: "Items for the platform unknown/unknown are marked as attestations.",
    matters: "BuildKit marks them with `vnd.docker.reference.type`. Without it tools show an image, and a load may pick it.",
    example: "`\"platform\": {\"architecture\": \"unknown\", \"os\": \"unknown\"}` without annotations.",
    mend: "Add the annotations, or the real platform.",
}
rule! {
    /// A statement about something else.
    WRONG_SUBJECT = "attestation/wrong-subject", Warning, No, [105],
    checks: "The subjects of an in-toto statement have the digest of the image that the attestation is of. Statements above 1 MiB (the limit statement-bytes) are not read.",
    matters: "BuildKit, attestation storage: the statement is about the image manifest. Whoever verifies it (policy engines, `docker scout`) compares the two and refuses the image; a conversion that changed the manifest leaves it behind.",
    example: "An image whose layers were compressed anew, with the attestation of the old one.",
    mend: "Attest the image again; nothing can be written into a signed statement.",
}
rule! {
    /// Attestations before images.
    ATTESTATION_FIRST = "attestation/before-image", Note, No, [146],
    checks: "Whether attestations come after the images of an index.",
    matters: "BuildKit lists images first. Pickers that take the first item get an attestation otherwise.",
    example: "An index whose first item is an attestation.",
    mend: "Move it to the end. The digest changes with it.",
}

/// A finding about what a statement is about.
pub fn subject(subject: &Subject, out: &mut Vec<Finding>) {
    let Some(hex) = subject.attested.strip_prefix("sha256:") else { return };
    if hex != subject.sha256 {
        let message = format!(
            "the statement is about sha256:{}, the index says about {}",
            subject.sha256, subject.attested
        );
        out.push(
            Finding::new(&WRONG_SUBJECT, subject.at.clone(), message)
                .related(subject.said.clone(), "declared here"),
        );
    }
}

/// One item of an index.
struct Item<'a> {
    value: &'a Value,
    descriptor: Descriptor,
    /// What it points at.
    node: Option<&'a Node>,
}

impl Item<'_> {
    /// Whether it is an image, as far as can be told without its manifest.
    fn is_image(&self) -> bool {
        let typed = matches!(
            DocumentType::of(self.descriptor.type_or_empty()),
            Some(DocumentType::Manifest(_) | DocumentType::Schema1)
        );
        match self.node.map(|node| &node.body) {
            Some(Body::Manifest { parts, .. }) => parts.role == Role::Image && !self.is_attestation(),
            Some(Body::Schema1 { .. }) => true,
            Some(Body::Absent) | None => {
                typed && !self.is_attestation() && self.value.get("artifactType").is_none_or(Value::is_null)
            }
            _ => false,
        }
    }

    fn is_index(&self) -> bool {
        matches!(self.node.map(|node| &node.body), Some(Body::Index { .. }))
            || matches!(DocumentType::of(self.descriptor.type_or_empty()), Some(DocumentType::Index(_)))
    }

    fn is_attestation(&self) -> bool {
        annotation(self.value, "vnd.docker.reference.type") == Some("attestation-manifest")
    }

    fn shown(&self) -> String {
        self.descriptor.good_digest().map(ToString::to_string).unwrap_or_default()
    }
}

/// Findings about the items of a document that is an index. `layout` tells whether it is a layout's `index.json`.
pub fn check(
    archive: &Archive,
    document: &Document,
    children: &HashMap<&Location, NodeId>,
    layout: bool,
    out: &mut Vec<Finding>,
) {
    let DocKind::Index(family) = document.kind else { return };
    let Some(root) = document.root() else { return };
    let at = Location::pointer(document.member, "/manifests");
    let list = root.get("manifests");
    let docker = root.get("mediaType").and_then(Value::as_str) == Some(media::DOCKER_LIST);
    if layout && docker {
        let message = format!("`index.json` is a Docker list, `{}` was expected", media::OCI_INDEX);
        let at = Location::pointer(document.member, "/mediaType");
        out.push(Finding::new(&LAYOUT_IS_LIST, at.clone(), message).set(&at, quoted(media::OCI_INDEX)));
    }
    let empty = list.is_some_and(|list| list.is_array() && list.items().is_empty());
    // An `index.json` without images is said to be that.
    if !layout && list.is_some_and(Value::is_null) {
        let message = "`manifests` is null, an array was expected";
        out.push(Finding::new(&MANIFESTS_NULL, at.clone(), message).set(&at, "[]"));
    } else if !layout && empty {
        out.push(Finding::new(&EMPTY, at.clone(), "the index has no items"));
    }
    let items: Vec<Item<'_>> = list
        .map(Value::items)
        .unwrap_or_default()
        .iter()
        .enumerate()
        .filter(|(_, value)| value.is_object())
        .map(|(i, value)| {
            let descriptor = Descriptor::of(value, at.child(i));
            let node = children.get(&descriptor.at).map(|id| archive.node(*id));
            Item { value, descriptor, node }
        })
        .collect();
    for item in &items {
        types(item, family, layout, out);
        artifact_type(archive, item, out);
    }
    if !layout {
        platforms(archive, &items, family, out);
    }
    repeated(&items, layout, out);
    attestations(&items, layout, out);
}

/// Findings about `oci-layout`.
pub fn version(document: &Document, out: &mut Vec<Finding>) {
    let value = document.root().and_then(|root| root.get("imageLayoutVersion")).and_then(Value::as_str);
    let Some(text) = value.filter(|text| *text != "1.0.0") else { return };
    let at = Location::pointer(document.member, "/imageLayoutVersion");
    let message = format!("the layout version is 1.0.0, found `{text}`");
    out.push(match text.starts_with("1.") {
        true => Finding::new(&LAYOUT_REVISION, at.clone(), message).set(&at, quoted("1.0.0")),
        // Whether a layout of another version is one of this one, nobody can tell.
        false => Finding::new(&LAYOUT_VERSION, at, message),
    });
}

fn types(item: &Item<'_>, family: Family, layout: bool, out: &mut Vec<Finding>) {
    let at = item.descriptor.at.child("mediaType");
    let Some(text) = item.descriptor.media_type.as_deref().filter(|text| media::is_well_formed(text)) else {
        return;
    };
    if DocumentType::of(text).is_none() {
        // One that says what it is: `manifest/type-mismatch`.
        if item.node.is_some_and(|node| node.document.is_some()) {
            return;
        }
        let rule = if layout { &UNKNOWN_ROOT_TYPE } else { &UNKNOWN_ITEM_TYPE };
        out.push(Finding::new(rule, at, format!("the item is neither manifest nor index, found `{text}`")));
    } else if item.is_index() && !layout {
        let (rule, message) = match family {
            Family::Oci => (&NESTED, "an index is an item of another index"),
            Family::Docker => (&NESTED_LIST, "an index is an item of a Docker manifest list"),
        };
        out.push(Finding::new(rule, at, message));
    }
}

fn artifact_type(archive: &Archive, item: &Item<'_>, out: &mut Vec<Finding>) {
    let Some(declared) = item.value.get("artifactType").and_then(Value::as_str) else { return };
    let Some(document) = item.node.and_then(|node| node.document) else { return };
    let document = archive.document(document);
    let Some(target) = document.root().filter(|root| root.is_object()) else { return };
    let Some(own) = own_artifact_type(target).filter(|own| *own != declared) else { return };
    let message = format!("the descriptor says artifact type `{declared}`, the target says `{own}`");
    let at = item.descriptor.at.child("artifactType");
    out.push(Finding::new(&ARTIFACT_TYPE_MISMATCH, at.clone(), message).set(&at, quoted(own)));
}

fn platforms(archive: &Archive, items: &[Item<'_>], family: Family, out: &mut Vec<Finding>) {
    let mut first: HashMap<(Platform, bool), &Item<'_>> = HashMap::new();
    for item in items {
        let at = &item.descriptor.at;
        let platform = item.value.get("platform").filter(|platform| !platform.is_null());
        if platform.is_none() {
            if family == Family::Docker {
                let message = "an item of a Docker manifest list has no platform";
                out.push(of_config(
                    Finding::new(&LIST_ITEM_WITHOUT_PLATFORM, at.clone(), message),
                    archive,
                    item,
                ));
            } else if items.len() > 1 && item.is_image() {
                let message = "an image has no platform, and others share the index";
                out.push(of_config(Finding::new(&ITEM_WITHOUT_PLATFORM, at.clone(), message), archive, item));
            }
        }
        let Some(platform) = &item.descriptor.platform else { continue };
        if platform.is_unknown() || !item.is_image() {
            continue;
        }
        let zstd = annotation(item.value, ZSTD_MARKER) == Some("true");
        match first.get(&(platform.normalised(), zstd)) {
            Some(other) if other.descriptor.good_digest() != item.descriptor.good_digest() => {
                let message = format!("two images are for {}", platform.normalised());
                out.push(
                    Finding::new(&REPEATED_PLATFORM, at.child("platform"), message)
                        .related(other.descriptor.at.child("platform"), "the first, which is used"),
                );
            }
            Some(_) => {}
            None => {
                first.insert((platform.normalised(), zstd), item);
            }
        }
    }
}

/// With the platform of the image's config as the fix.
fn of_config(finding: Finding, archive: &Archive, item: &Item<'_>) -> Finding {
    let parts = item.node.and_then(|node| node.parts());
    let Some(platform) = parts.and_then(|parts| archive.config(parts)).map(|config| config.platform()) else {
        return finding;
    };
    let platform = platform.normalised();
    if platform.os.is_empty() || platform.architecture.is_empty() {
        return finding;
    }
    let members = [
        ("architecture", Some(&platform.architecture)),
        ("os", Some(&platform.os)),
        ("os.version", platform.os_version.as_ref()),
        ("variant", platform.variant.as_ref()),
    ];
    let text: Vec<String> = members
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{}:{}", quoted(name), quoted(value?))))
        .collect();
    let value = format!("{{{}}}", text.join(","));
    finding
        .help(format!("add `\"platform\": {value}`, which is what the config says"))
        .set(&item.descriptor.at.child("platform"), value)
}

fn repeated(items: &[Item<'_>], layout: bool, out: &mut Vec<Finding>) {
    let mut first: HashMap<&crate::digest::Digest, &Item<'_>> = HashMap::new();
    for item in items {
        let Some(digest) = item.descriptor.good_digest() else { continue };
        match first.get(digest) {
            // Of a name that stands twice another rule speaks.
            Some(other) if same(other.value, item.value) && !(layout && is_named(item.value)) => {
                let message = format!("the index lists {digest} twice");
                out.push(
                    Finding::new(&REPEATED_ITEM, item.descriptor.at.clone(), message)
                        .remove(&item.descriptor.at)
                        .help("remove one of the two")
                        .related(other.descriptor.at.clone(), "first here"),
                );
            }
            Some(_) => {}
            None => {
                first.insert(digest, item);
            }
        }
    }
}

fn is_named(value: &Value) -> bool {
    annotation(value, REF_NAME).is_some_and(|name| !name.is_empty())
}

/// Whether two values are the same, written the same way.
fn same(a: &Value, b: &Value) -> bool {
    match (&a.kind, &b.kind) {
        (Kind::Array(a), Kind::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Kind::Object(a), Kind::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.key == b.key && same(&a.value, &b.value))
        }
        (a, b) => a == b,
    }
}

fn attestations(items: &[Item<'_>], layout: bool, out: &mut Vec<Finding>) {
    let images: HashSet<String> =
        items.iter().filter(|item| !item.is_attestation()).map(Item::shown).collect();
    for item in items {
        let at = &item.descriptor.at;
        if !item.is_attestation() {
            if item.descriptor.platform.as_deref().is_some_and(Platform::is_unknown) {
                let message = "the platform is unknown, and nothing marks the item as an attestation";
                out.push(Finding::new(&UNMARKED_ATTESTATION, at.child("platform"), message));
            }
            continue;
        }
        match annotation(item.value, ATTESTED) {
            Some(digest) if images.contains(digest) => {}
            Some(digest) => {
                let message = format!("the attestation is of {digest}, which the index does not list");
                let at = at.child("annotations").child(ATTESTED);
                out.push(Finding::new(&ATTESTATION_TARGET, at, message));
            }
            None => {
                let message = "the attestation does not say of which image it is";
                out.push(Finding::new(&ATTESTATION_TARGET, at.clone(), message));
            }
        }
    }
    let early = items.iter().position(Item::is_attestation);
    let late = items.iter().rposition(Item::is_image);
    if let (Some(early), Some(late), false) = (early, late, layout) {
        if early < late {
            let message = "an attestation comes before an image";
            out.push(
                Finding::new(&ATTESTATION_FIRST, items[early].descriptor.at.clone(), message)
                    .related(items[late].descriptor.at.clone(), "the image"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::fixture::{Layout, config, found};

    const TYPE: &str = media::OCI_MANIFEST;

    /// An image, different for each name; the descriptor without closing brace.
    fn image(layout: &Layout, name: &str) -> String {
        let config = layout.descriptor(media::OCI_CONFIG, config(&[]).as_bytes());
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{TYPE}","config":{config},"layers":[],"annotations":{{"a":"{name}"}}}}"#
        );
        layout.open_descriptor(TYPE, text.as_bytes())
    }

    /// What the family of rules finds in an index with these items.
    fn index(layout: &Layout, media_type: &str, items: &[String], family: &str) -> Vec<&'static str> {
        let text =
            format!(r#"{{"schemaVersion":2,"mediaType":"{media_type}","manifests":[{}]}}"#, items.join(","));
        layout.index_json(&[layout.descriptor(media_type, text.as_bytes())]);
        layout.found(family)
    }

    const AMD64: &str = r#","platform":{"os":"linux","architecture":"amd64"}"#;

    #[test]
    fn versions_of_layouts() {
        let of = |text: &str| found(DocKind::OciLayout, text, version);
        assert_eq!(of(r#"{"imageLayoutVersion":"1.0.0"}"#), [""; 0]);
        assert_eq!(of(r#"{"imageLayoutVersion":"1.1.0"}"#), ["layout/odd-version"]);
        assert_eq!(of(r#"{"imageLayoutVersion":"9.0.0"}"#), ["layout/unknown-version"]);
        assert_eq!(of(r#"{"imageLayoutVersion":1}"#), [""; 0]);
    }

    #[test]
    fn empty_indexes() {
        let layout = Layout::new();
        assert_eq!(index(&layout, media::OCI_INDEX, &[], "index/"), ["index/empty"]);
        let null = format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":null}}"#, media::OCI_INDEX);
        layout.index_json(&[layout.descriptor(media::OCI_INDEX, null.as_bytes())]);
        assert_eq!(layout.found("index/"), ["index/manifests-null"]);
        layout.index_json(&[]);
        assert_eq!(layout.found(""), ["archive/no-images"]);
    }

    #[test]
    fn types_of_items() {
        let layout = Layout::new();
        let odd = || layout.descriptor("application/xml", b"<x/>");
        assert_eq!(index(&layout, media::OCI_INDEX, &[odd()], "index/"), ["index/unknown-item-type"]);
        layout.index_json(&[odd()]);
        assert_eq!(layout.found("layout/"), ["layout/unknown-root-type"]);
        let inner = || {
            let item = image(&layout, "a") + "}";
            let text =
                format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{item}]}}"#, media::OCI_INDEX);
            layout.descriptor(media::OCI_INDEX, text.as_bytes())
        };
        assert_eq!(index(&layout, media::OCI_INDEX, &[inner()], "index/"), ["index/nested"]);
        let platform = inner().replace('}', AMD64) + "}";
        assert_eq!(index(&layout, media::DOCKER_LIST, &[platform], "index/"), ["index/nested-list"]);
        layout.index_json(&[inner()]);
        assert_eq!(layout.found("index/"), [""; 0]);
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}}"#,
            media::DOCKER_LIST,
            inner()
        );
        layout.file("index.json", text.as_bytes());
        assert_eq!(layout.found("layout/"), ["layout/index-is-list"]);
    }

    #[test]
    fn platforms_of_items() {
        let layout = Layout::new();
        let (a, b) = (image(&layout, "a"), image(&layout, "b"));
        let bare = |item: &str| format!("{item}}}");
        let with = |item: &str, rest: &str| format!("{item}{AMD64}{rest}}}");
        let oci = |items: &[String]| index(&layout, media::OCI_INDEX, items, "index/");
        assert_eq!(oci(&[bare(&a)]), [""; 0]);
        assert_eq!(oci(&[with(&a, ""), bare(&b)]), ["index/item-without-platform"]);
        assert_eq!(oci(&[with(&a, ""), with(&b, "")]), ["index/repeated-platform"]);
        let zstd = r#","annotations":{"io.github.containers.compression.zstd":"true"}"#;
        assert_eq!(oci(&[with(&a, ""), with(&b, zstd)]), [""; 0]);
        assert_eq!(oci(&[with(&a, ""), with(&a, "")]), ["index/repeated-item"]);
        assert_eq!(oci(&[with(&a, ""), with(&a, zstd)]), [""; 0]);
        let list = |items: &[String]| index(&layout, media::DOCKER_LIST, items, "index/");
        assert_eq!(list(&[bare(&a)]), ["index/list-item-without-platform"]);
        assert_eq!(list(&[with(&a, "")]), [""; 0]);
    }

    #[test]
    fn attested_images() {
        let layout = Layout::new();
        let (a, b) = (image(&layout, "a"), image(&layout, "b"));
        let digest = a.split('"').nth(7).expect("a digest").to_owned();
        let unknown = r#","platform":{"os":"unknown","architecture":"unknown"}"#;
        let attestation = |digest: &str| {
            format!(
                r#"{b}{unknown},"annotations":{{"vnd.docker.reference.type":"attestation-manifest","vnd.docker.reference.digest":"{digest}"}}}}"#
            )
        };
        let of = |items: &[String]| index(&layout, media::OCI_INDEX, items, "attestation/");
        let picture = format!("{a}{AMD64}}}");
        assert_eq!(of(&[picture.clone(), attestation(&digest)]), [""; 0]);
        assert_eq!(of(&[attestation(&digest), picture.clone()]), ["attestation/before-image"]);
        assert_eq!(of(&[picture.clone(), attestation("sha256:00")]), ["attestation/target-missing"]);
        let silent =
            format!(r#"{b}{unknown},"annotations":{{"vnd.docker.reference.type":"attestation-manifest"}}}}"#);
        assert_eq!(of(&[picture.clone(), silent]), ["attestation/target-missing"]);
        assert_eq!(of(&[picture, format!("{b}{unknown}}}")]), ["attestation/unmarked"]);
    }

    #[test]
    fn subjects_of_statements() {
        let of = |attested: &str, sha256: &str| {
            let at = Location::archive();
            let found =
                Subject { at: at.clone(), attested: attested.into(), said: at, sha256: sha256.into() };
            let mut out = Vec::new();
            subject(&found, &mut out);
            crate::rules::fixture::names(&out)
        };
        assert_eq!(of("sha256:00", "00"), [""; 0]);
        assert_eq!(of("sha256:00", "01"), ["attestation/wrong-subject"]);
        // There is no telling.
        assert_eq!(of("sha512:00", "01"), [""; 0]);
    }

    #[test]
    fn artifact_types() {
        let layout = Layout::new();
        let item = image(&layout, "a");
        let with = |text: &str| {
            let item = format!(r#"{item},"artifactType":"{text}"}}"#);
            index(&layout, media::OCI_INDEX, &[item], "index/")
        };
        assert_eq!(with("a/b"), ["index/artifact-type-mismatch"]);
        assert_eq!(with(media::OCI_CONFIG), [""; 0]);
    }
}
