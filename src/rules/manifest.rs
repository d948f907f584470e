//! Rules about one manifest or index as a document, and about the types that a manifest brings together.

use crate::finding::{Finding, Rule, quoted, rule};
use crate::json::Value;
use crate::location::Location;
use crate::media::{self, Codec, DocumentType, Family, LayerType};
use crate::model::kind::type_of;
use crate::model::{Archive, Body, DocKind, Document, ImageParts, Node, Role};
use crate::platform::Platform;

/// The rules of this file.
pub const RULES: &[&Rule] = &[
    &LARGE_DOCUMENT,
    &LARGE_ARCHIVE_MANIFEST,
    &SCHEMA_VERSION,
    &MEDIA_TYPE_MISSING,
    &MEDIA_TYPE_ABSENT,
    &LAYERS_NULL,
    &NO_LAYERS,
    &ARTIFACT_TYPE_MISSING,
    &UNKNOWN_CONFIG_TYPE,
    &LEGACY_CONFIG_TYPE,
    &UNKNOWN_LAYER_TYPE,
    &MIXED_TYPES,
    &ZSTD_IN_DOCKER,
    &NONDISTRIBUTABLE,
    &TOO_MANY_LAYERS,
];

/// Bytes of a manifest, index or config that registries and containers/image take (formats.md 0.7).
const MAX_DOCUMENT: usize = 4 << 20;
/// Bytes of a docker-archive's `manifest.json` that containers/image takes.
const MAX_ARCHIVE_MANIFEST: usize = 1 << 20;
/// Layers that Docker's classic store takes.
const MAX_LAYERS: usize = 125;

rule! {
    /// A document that tools refuse to read.
    LARGE_DOCUMENT = "document/too-large", Warning, No, [45],
    checks: "Manifests, indexes and configs are no larger than 4 MiB.",
    matters: "distribution-spec asks registries to take 4 MiB; Distribution answers 400 above it, skopeo and podman read no more of a manifest or config.",
    example: "A manifest with megabytes of annotations or inline data.",
    mend: "Move what makes it large into a blob.",
}
rule! {
    /// A `manifest.json` that skopeo refuses to read.
    LARGE_ARCHIVE_MANIFEST = "docker-archive/manifest-too-large", Warning, No, [45],
    checks: "`manifest.json` of a docker-archive is no larger than 1 MiB.",
    matters: "containers/image reads no more of it.",
    example: "Thousands of images in one archive.",
    mend: "Save fewer images into one archive.",
    optional: true,
}
rule! {
    /// Another version of the schema.
    SCHEMA_VERSION = "document/unknown-schema-version", Error, No, [47],
    checks: "`schemaVersion` of manifests and indexes is 2.",
    matters: "image-spec manifest and index demand the value 2, for compatibility with Docker. Registries reject another one, other tools do not look.",
    example: "`\"schemaVersion\": 3`",
    mend: "Write 2. The digest changes with it.",
    breaks: [Registry],
}
rule! {
    /// A document of OCI 1.1 does not say its type.
    MEDIA_TYPE_MISSING = "document/media-type-missing", Warning, No, [48],
    checks: "A manifest or index that uses what OCI 1.1 brought has `mediaType`.",
    matters: "image-spec: it should be used, so that one document cannot be read as two (CVE-2021-41190).",
    example: "A manifest with `artifactType` and without `mediaType`.",
    mend: "Add the type. The digest changes with it.",
}
rule! {
    /// A document of OCI 1.0 does not say its type.
    MEDIA_TYPE_ABSENT = "document/media-type-absent", Note, No, [48],
    checks: "Whether OCI manifests and indexes have `mediaType`.",
    matters: "image-spec 1.0.0 and 1.0.1 reserved the member, later versions recommend it. containerd 1, skopeo before 1.10 and umoci before 0.5 leave it out.",
    example: "An `index.json` that `ctr` 1.6 wrote.",
    mend: "Add the type, if no digest covers the document.",
}
rule! {
    /// `null` in place of an empty list.
    LAYERS_NULL = "manifest/layers-null", Warning, No, [54],
    checks: "`layers` is an array, even if there are none.",
    matters: "image-spec manifest. BuildKit writes `null` for an image without layers.",
    example: "`\"layers\": null` in what `docker buildx build` made of `FROM scratch` and labels.",
    mend: "Write `[]`. The digest changes with it.",
}
rule! {
    /// No layers.
    NO_LAYERS = "manifest/no-layers", Warning, No, [55],
    checks: "A manifest has at least one layer.",
    matters: "image-spec 1.1: it should, for portability; its JSON schema demands one. Docker loads such an image and cannot save it again.",
    example: "An image that was built `FROM scratch` with labels alone.",
    mend: "Add a layer; artifacts without content use the empty descriptor.",
}
rule! {
    /// An artifact does not say what it is.
    ARTIFACT_TYPE_MISSING = "manifest/artifact-type-missing", Error, No, [56],
    checks: "A manifest whose config is the empty one has `artifactType`.",
    matters: "image-spec manifest: it must, since nothing else says what the artifact is.",
    example: "A manifest with the empty config and a layer of the type `text/plain`.",
    mend: "Add `artifactType`. The digest changes with it.",
}
rule! {
    /// A config of another type over file system layers.
    UNKNOWN_CONFIG_TYPE = "manifest/unknown-config-type", Note, No, [58],
    checks: "Whether file system layers come with a config of an image type.",
    matters: "Without one it is an artifact, no image: umoci and Docker refuse it, skopeo copies it.",
    example: "Layers of `application/vnd.oci.image.layer.v1.tar+gzip` under a config of `application/vnd.example+json`.",
    mend: "Nothing to mend, if it is meant as an artifact.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// A config type of broken old registries.
    LEGACY_CONFIG_TYPE = "manifest/legacy-config-type", Warning, No, [59],
    checks: "The config of an image has an image config type.",
    matters: "Old pushes wrote `application/octet-stream`, `text/html`, `application/json` or nothing; Docker takes it for an image config.",
    example: "`\"config\": {\"mediaType\": \"application/octet-stream\", …}` in an image of 2016.",
    mend: "Push the image again from its source.",
    breaks: [Containerd],
}
rule! {
    /// A layer of an unknown type in an image.
    UNKNOWN_LAYER_TYPE = "manifest/unknown-layer-type", Warning, No, [60],
    checks: "The layers of an image have types that are known.",
    matters: "image-spec manifest: tools must not fail on copying it. They fail on unpacking it.",
    example: "A layer of `application/vnd.oci.image.layer.v1.tar+br` among others.",
    mend: "Write the layer in a known compression.",
    breaks: [Docker, Containerd, Buildah, Umoci],
}
rule! {
    /// Docker's types in an OCI document, or the reverse.
    MIXED_TYPES = "manifest/mixed-types", Warning, No, [61],
    checks: "OCI documents point at OCI types, Docker documents at Docker types.",
    matters: "Mixed graphs are common and most tools read them; umoci knows no Docker type.",
    example: "An OCI index whose child is a Docker schema 2 manifest.",
    mend: "Write the manifest in the types of one family.",
    remedy: Convert(&[ManifestFormat("oci")]),
    breaks: [Buildah, Umoci],
    optional: true,
}
rule! {
    /// A zstd layer in a Docker manifest. No error, unlike in formats.md H: containerd and regctl read it.
    ZSTD_IN_DOCKER = "manifest/zstd-in-docker", Warning, No, [62],
    checks: "No layer of a Docker schema 2 manifest has a zstd type.",
    matters: "Docker's formats have no zstd type. Docker's classic store cannot pull it, skopeo refuses to write it, crane does not know it; containerd and regctl read it, so that it is no error by itself.",
    example: "`application/vnd.docker.image.rootfs.diff.tar.zstd`",
    mend: "Write the manifest in OCI's types, or compress the layers by gzip.",
    remedy: Convert(&[ManifestFormat("oci")]),
    breaks: [Docker, Containerd, Skopeo, Podman, Buildah],
}
rule! {
    /// A layer that must not be distributed.
    NONDISTRIBUTABLE = "manifest/nondistributable-layer", Warning, No, [63],
    checks: "No layer is of a nondistributable or foreign type.",
    matters: "image-spec 1.1 deprecates them; tools skip such layers when they push or export, so the image may be incomplete elsewhere.",
    example: "The base layer of a Windows image of before 2023.",
    mend: "Rebuild on a base image with ordinary layers.",
}
rule! {
    /// More layers than Docker takes.
    TOO_MANY_LAYERS = "manifest/too-many-layers", Warning, No, [140],
    checks: "An image has no more than 125 layers.",
    matters: "Docker's classic store fails with `max depth exceeded`; overlay2 ends at 128.",
    example: "An image of 130 layers from a generated Dockerfile.",
    mend: "Squash layers.",
    breaks: [Docker],
    optional: true,
}

/// Findings about a document as a whole.
pub fn document(document: &Document, out: &mut Vec<Finding>) {
    let length = document.bytes.len();
    let (rule, limit, words) = match document.kind {
        DocKind::Manifest(_) | DocKind::Index(_) | DocKind::Config(_) => {
            (&LARGE_DOCUMENT, MAX_DOCUMENT, "4 MiB")
        }
        DocKind::DockerArchive => (&LARGE_ARCHIVE_MANIFEST, MAX_ARCHIVE_MANIFEST, "1 MiB"),
        _ => return,
    };
    if length > limit {
        let message = format!("the document is {length} bytes, some tools read no more than {words}");
        out.push(Finding::new(rule, Location::member(document.member), message));
    }
    let document_type = match document.kind {
        DocKind::Manifest(family) => DocumentType::Manifest(family),
        DocKind::Index(family) => DocumentType::Index(family),
        _ => return,
    };
    let Some(root) = document.root().filter(|root| root.is_object()) else { return };
    let at = |pointer: &str| Location::pointer(document.member, pointer);
    if let Some(version) = root.get("schemaVersion").and_then(Value::as_i64).filter(|v| *v != 2) {
        let message = format!("`schemaVersion` is {version}, 2 was expected");
        out.push(
            Finding::new(&SCHEMA_VERSION, at("/schemaVersion"), message).set(&at("/schemaVersion"), "2"),
        );
        // What else a document of that version has is not known.
        return;
    }
    let oci = matches!(document.kind, DocKind::Manifest(Family::Oci) | DocKind::Index(Family::Oci));
    // In another letter case Go reads it all the same, and json/wrong-case says it.
    if oci && root.get("mediaType").is_none_or(Value::is_null) {
        let name = type_of(document_type);
        let (rule, message) = if is_oci_1_1(root) {
            (&MEDIA_TYPE_MISSING, "`mediaType` is missing from a document of OCI 1.1")
        } else {
            (&MEDIA_TYPE_ABSENT, "`mediaType` is absent, as OCI 1.0 allows")
        };
        out.push(
            Finding::new(rule, at(""), message)
                .help(format!("add `\"mediaType\": \"{name}\"`"))
                .set(&at("/mediaType"), quoted(name)),
        );
    }
}

/// Whether a document uses what did not exist in OCI 1.0.
fn is_oci_1_1(root: &Value) -> bool {
    let new = |value: &Value| {
        let has = |name: &str| value.get(name).is_some_and(|member| !member.is_null());
        has("artifactType")
            || has("subject")
            || has("data")
            || value.get("mediaType").and_then(Value::as_str) == Some(media::OCI_EMPTY)
    };
    let lists = ["layers", "manifests"].iter().filter_map(|name| root.get(name)).flat_map(Value::items);
    new(root) || root.get("config").is_some_and(new) || lists.into_iter().any(new)
}

/// Findings about the types that a manifest or index brings together.
pub fn node(archive: &Archive, node: &Node, out: &mut Vec<Finding>) {
    match &node.body {
        Body::Manifest { family, parts } => {
            let Some(document) = node.document.map(|id| archive.document(id)) else { return };
            layers(archive, &document, parts, out);
            config(&document, *family, parts, out);
            layer_types(*family, parts, parts.role == Role::Image || runs(archive, parts), out);
        }
        Body::Index { family, children } => {
            for edge in children {
                let foreign = match DocumentType::of(edge.descriptor.type_or_empty()) {
                    Some(DocumentType::Index(of) | DocumentType::Manifest(of)) => of != *family,
                    _ => false,
                };
                if foreign {
                    // The item says the same type itself, so it cannot be changed here alone.
                    mixed(*family, "index", edge.descriptor.at.child("mediaType"), None, out);
                }
            }
        }
        Body::Item { parts } => count(parts, parts.config.at().clone(), out),
        _ => {}
    }
}

fn layers(archive: &Archive, document: &Document, parts: &ImageParts, out: &mut Vec<Finding>) {
    let Some(list) = document.root().and_then(|root| root.get("layers")) else { return };
    let at = Location::pointer(document.member, "/layers");
    if list.is_null() {
        let message = "`layers` is null, an array was expected";
        let finding = Finding::new(&LAYERS_NULL, at.clone(), message);
        let wanted = archive.config(parts).and_then(|config| config.diff_ids()).map_or(0, |ids| ids.len());
        out.push(match wanted {
            0 => finding.set(&at, "[]"),
            _ => {
                let layers = crate::finding::counted(wanted as u64, "layer");
                finding.help(format!("build the image again: its config says that there are {layers}"))
            }
        });
    } else if list.is_array() && list.items().is_empty() {
        out.push(Finding::new(&NO_LAYERS, at, "the manifest has no layers"));
    } else {
        count(parts, at, out);
    }
}

fn count(parts: &ImageParts, at: Location, out: &mut Vec<Finding>) {
    if parts.role == Role::Image && parts.layers.len() > MAX_LAYERS {
        let message = format!("the image has {} layers, Docker takes {MAX_LAYERS}", parts.layers.len());
        out.push(Finding::new(&TOO_MANY_LAYERS, at, message));
    }
}

fn config(document: &Document, family: Family, parts: &ImageParts, out: &mut Vec<Finding>) {
    let Some(descriptor) = parts.config.descriptor() else { return };
    let Some(media_type) = descriptor.media_type.as_deref() else { return };
    let at = descriptor.at.child("mediaType");
    let typed = document.root().and_then(|root| root.get("artifactType"));
    if media_type == media::OCI_EMPTY {
        if typed.is_none_or(|value| value.is_null() || value.as_str() == Some("")) {
            let at = Location::pointer(document.member, "");
            let message = "`artifactType` is missing, and the config is the empty one";
            out.push(
                Finding::new(&ARTIFACT_TYPE_MISSING, at, message)
                    .related(descriptor.at.clone(), "says nothing of what it is"),
            );
        }
    } else if media::is_legacy_config(media_type) {
        if parts.role == Role::Image {
            let expected = if family == Family::Oci { media::OCI_CONFIG } else { media::DOCKER_CONFIG };
            let message = format!("the config of an image is `{expected}`, found `{media_type}`");
            out.push(Finding::new(&LEGACY_CONFIG_TYPE, at.clone(), message).set(&at, quoted(expected)));
        }
    } else if media::is_image_config(media_type) {
        if (media_type == media::OCI_CONFIG) != (family == Family::Oci) {
            let own = if family == Family::Oci { media::OCI_CONFIG } else { media::DOCKER_CONFIG };
            mixed(family, "manifest", at, Some(own), out);
        }
    } else if media::is_well_formed(media_type)
        && (parts.role == Role::Image || typed.is_none_or(Value::is_null))
    {
        let layer = |part: &crate::model::Part| {
            part.descriptor().is_some_and(|d| LayerType::of(d.type_or_empty()).is_some())
        };
        if parts.role == Role::Image || parts.layers.iter().any(layer) {
            let message = match parts.role {
                Role::Image => format!(
                    "`{media_type}` is no image config, yet what it holds is one and is judged as one"
                ),
                _ => format!("`{media_type}` is no image config, so this is an artifact, not an image"),
            };
            out.push(Finding::new(&UNKNOWN_CONFIG_TYPE, at, message));
        }
    }
}

/// Whether the config is one that something can be run by: those of signatures have no platform.
fn runs(archive: &Archive, parts: &ImageParts) -> bool {
    let platform = archive.config(parts).map(|config| config.platform());
    let named = |platform: &Platform| !platform.os.is_empty() && !platform.architecture.is_empty();
    parts.role == Role::Artifact
        && platform.is_some_and(|platform| named(&platform) && !platform.is_unknown())
}

/// `image` is whether an image is meant, be it that none of its layers is of a known type.
fn layer_types(family: Family, parts: &ImageParts, image: bool, out: &mut Vec<Finding>) {
    for descriptor in parts.layers.iter().filter_map(|layer| layer.descriptor()) {
        let Some(media_type) = descriptor.media_type.as_deref() else { continue };
        let at = descriptor.at.child("mediaType");
        let Some(layer) = LayerType::of(media_type) else {
            let known =
                media_type.ends_with("+encrypted") || media_type.starts_with("application/vnd.erofs.");
            if image && !known && media::is_well_formed(media_type) {
                let message = format!("`{media_type}` is no type of a layer that tools can unpack");
                out.push(Finding::new(&UNKNOWN_LAYER_TYPE, at, message));
            }
            continue;
        };
        if layer.nondistributable {
            let message = "the layer is nondistributable, so tools leave it out of copies";
            out.push(Finding::new(&NONDISTRIBUTABLE, at.clone(), message));
        }
        if family == Family::Docker && layer.codec == Codec::Zstd {
            out.push(Finding::new(&ZSTD_IN_DOCKER, at, "a Docker manifest has a zstd layer"));
        } else if layer.family != family {
            let own = LayerType::name(family, layer.codec, layer.nondistributable);
            mixed(family, "manifest", at, own, out);
        }
    }
}

/// `own` is the type of the document's own family, if that can be written instead.
fn mixed(family: Family, what: &str, at: Location, own: Option<&str>, out: &mut Vec<Finding>) {
    let (document, other) = match family {
        Family::Oci => ("an OCI", "a Docker"),
        Family::Docker => ("a Docker", "an OCI"),
    };
    let finding = Finding::new(&MIXED_TYPES, at.clone(), format!("{document} {what} points at {other} type"));
    out.push(match own {
        Some(own) => finding.set(&at, quoted(own)),
        None => finding,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::fixture::{Layout, config, found};

    const MANIFEST: DocKind = DocKind::Manifest(Family::Oci);
    const TYPED: &str = r#""mediaType":"application/vnd.oci.image.manifest.v1+json""#;

    #[test]
    fn documents() {
        for (kind, text, expected) in [
            (MANIFEST, format!(r#"{{"schemaVersion":3,{TYPED}}}"#), &["document/unknown-schema-version"][..]),
            (MANIFEST, format!(r#"{{"schemaVersion":2,{TYPED}}}"#), &[]),
            // The schema has spoken.
            (MANIFEST, format!(r#"{{"schemaVersion":"3",{TYPED}}}"#), &[]),
            (MANIFEST, r#"{"schemaVersion":2}"#.into(), &["document/media-type-absent"]),
            (DocKind::Index(Family::Oci), "{}".into(), &["document/media-type-absent"]),
            (MANIFEST, r#"{"artifactType":"a/b"}"#.into(), &["document/media-type-missing"]),
            (MANIFEST, r#"{"layers":[{"data":"e30="}]}"#.into(), &["document/media-type-missing"]),
            // Docker's documents must have one: the schema says so.
            (DocKind::Manifest(Family::Docker), "{}".into(), &[]),
        ] {
            assert_eq!(found(kind, &text, document), expected, "{text}");
        }
    }

    #[test]
    fn sizes() {
        let padded = |length: usize| format!("{{{TYPED}{}}}", " ".repeat(length - TYPED.len() - 2));
        assert_eq!(found(MANIFEST, &padded(4 << 20), document), [""; 0]);
        assert_eq!(found(MANIFEST, &padded((4 << 20) + 1), document), ["document/too-large"]);
        let list = |length: usize| format!("[{}]", " ".repeat(length - 2));
        assert_eq!(found(DocKind::DockerArchive, &list(1 << 20), document), [""; 0]);
        let large = found(DocKind::DockerArchive, &list((1 << 20) + 1), document);
        assert_eq!(large, ["docker-archive/manifest-too-large"]);
    }

    /// What is found of the types in a manifest with these members, a media type of its own included.
    fn in_manifest(media_type: &str, members: &str) -> Vec<&'static str> {
        let layout = Layout::new();
        let text = format!(r#"{{"schemaVersion":2,"mediaType":"{media_type}",{members}}}"#);
        layout.index_json(&[layout.descriptor(media_type, text.as_bytes())]);
        let archive = layout.open();
        let mut out = Vec::new();
        archive.nodes.iter().for_each(|found| node(&archive, found, &mut out));
        crate::rules::fixture::names(&out)
    }

    fn blob(media_type: &str) -> String {
        format!(r#"{{"mediaType":"{media_type}","digest":"sha256:{}","size":1}}"#, "0".repeat(64))
    }

    fn with(manifest: &str, config: &str, layers: &[&str]) -> Vec<&'static str> {
        let layers: Vec<String> = layers.iter().map(|layer| blob(layer)).collect();
        in_manifest(manifest, &format!(r#""config":{},"layers":[{}]"#, blob(config), layers.join(",")))
    }

    #[test]
    fn types_in_a_manifest() {
        use media::*;
        assert_eq!(with(OCI_MANIFEST, OCI_CONFIG, &[OCI_LAYER]), [""; 0]);
        assert_eq!(with(DOCKER_MANIFEST, DOCKER_CONFIG, &[DOCKER_LAYER_GZIP]), [""; 0]);
        assert_eq!(with(OCI_MANIFEST, OCI_CONFIG, &[]), ["manifest/no-layers"]);
        let null = format!(r#""config":{},"layers":null"#, blob(OCI_CONFIG));
        assert_eq!(in_manifest(OCI_MANIFEST, &null), ["manifest/layers-null"]);
        assert_eq!(with(OCI_MANIFEST, OCI_EMPTY, &["text/plain"]), ["manifest/artifact-type-missing"]);
        let typed =
            format!(r#""artifactType":"a/b","config":{},"layers":[{}]"#, blob(OCI_EMPTY), blob("a/b"));
        assert_eq!(in_manifest(OCI_MANIFEST, &typed), [""; 0]);
        assert_eq!(with(OCI_MANIFEST, "a/b", &[OCI_LAYER]), ["manifest/unknown-config-type"]);
        assert_eq!(with(OCI_MANIFEST, "a/b", &["a/b"]), [""; 0]);
        assert_eq!(with(OCI_MANIFEST, "text/html", &[OCI_LAYER]), ["manifest/legacy-config-type"]);
        assert_eq!(with(OCI_MANIFEST, "text/html", &["a/b"]), [""; 0]);
        let odd = "application/vnd.oci.image.layer.v1.tar+br";
        assert_eq!(with(OCI_MANIFEST, OCI_CONFIG, &[odd]), ["manifest/unknown-layer-type"]);
        let encrypted = "application/vnd.oci.image.layer.v1.tar+gzip+encrypted";
        assert_eq!(with(OCI_MANIFEST, OCI_CONFIG, &[encrypted]), [""; 0]);
        assert_eq!(with(OCI_MANIFEST, OCI_CONFIG, &[DOCKER_LAYER_GZIP]), ["manifest/mixed-types"]);
        assert_eq!(with(OCI_MANIFEST, DOCKER_CONFIG, &[OCI_LAYER]), ["manifest/mixed-types"]);
        assert_eq!(with(DOCKER_MANIFEST, DOCKER_CONFIG, &[DOCKER_LAYER_ZSTD]), ["manifest/zstd-in-docker"]);
        assert_eq!(with(DOCKER_MANIFEST, DOCKER_CONFIG, &[OCI_LAYER_ZSTD]), ["manifest/zstd-in-docker"]);
        let foreign = with(DOCKER_MANIFEST, DOCKER_CONFIG, &[DOCKER_FOREIGN_GZIP]);
        assert_eq!(foreign, ["manifest/nondistributable-layer"]);
        assert_eq!(with(OCI_MANIFEST, OCI_CONFIG, &[OCI_LAYER; 125]), [""; 0]);
        assert_eq!(with(OCI_MANIFEST, OCI_CONFIG, &[OCI_LAYER; 126]), ["manifest/too-many-layers"]);
    }

    #[test]
    fn an_image_of_no_known_layers() {
        let of = |platform: &str| {
            let layout = Layout::new();
            let config = format!(r#"{{{platform}"rootfs":{{"type":"layers","diff_ids":[]}}}}"#);
            let config = layout.descriptor(media::OCI_CONFIG, config.as_bytes());
            let manifest =
                format!(r#"{{"schemaVersion":2,{TYPED},"config":{config},"layers":[{}]}}"#, blob("a/b"));
            layout.index_json(&[layout.descriptor(media::OCI_MANIFEST, manifest.as_bytes())]);
            layout.found("manifest/unknown-layer")
        };
        assert_eq!(of(r#""architecture":"amd64","os":"linux","#), ["manifest/unknown-layer-type"]);
        assert_eq!(of(""), [""; 0], "as of a signature");
    }

    #[test]
    fn an_index_of_the_other_family() {
        let layout = Layout::new();
        let config = layout.descriptor(media::DOCKER_CONFIG, config(&[]).as_bytes());
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{config},"layers":[]}}"#,
            media::DOCKER_MANIFEST
        );
        let child = layout.descriptor(media::DOCKER_MANIFEST, manifest.as_bytes());
        let index =
            format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{child}]}}"#, media::OCI_INDEX);
        layout.index_json(&[layout.descriptor(media::OCI_INDEX, index.as_bytes())]);
        assert_eq!(layout.found("manifest/mixed"), ["manifest/mixed-types"]);
    }
}
