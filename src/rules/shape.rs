//! Rules about the shape of documents. The schemas find the faults ([`crate::schema`]); here they get
//! their names, levels and pages.

use crate::digest::Digest;
use crate::finding::{Finding, Rule, quoted, rule};
use crate::json::{Kind, Value};
use crate::location::{At, Location};
use crate::media::{DocumentType, Family};
use crate::model::kind::type_of;
use crate::model::{DocKind, Document};
use crate::schema::{self, DocumentKind};

/// The rules of this file.
pub const RULES: &[&Rule] = &[
    &UNEXPECTED_SHAPE,
    &NULL_FOR_REQUIRED,
    &NUMBER_NOT_INTEGER,
    &INTEGER_TOO_LARGE,
    &SCHEMA_VERSION_MISSING,
    &DOCKER_MEDIA_TYPE_MISSING,
    &MANIFESTS_MISSING,
    &CONFIG_MISSING,
    &LAYERS_MISSING,
    &VERSION_MISSING,
    &DESCRIPTOR_MEMBER_MISSING,
    &PLATFORM_MEMBER_MISSING,
    &ROOTFS_MISSING,
    &ROOTFS_TYPE_MISSING,
    &COMMAND_NOT_ARRAY,
    &LABEL_NOT_STRING,
    &ANNOTATION_NOT_STRING,
    &MANIFEST_NOT_ARRAY,
    &ARCHIVE_CONFIG_MISSING,
    &ARCHIVE_LAYERS_MISSING,
    &SCHEMA1_MEMBER_MISSING,
];

rule! {
    /// A value of another type than its specification says.
    UNEXPECTED_SHAPE = "json/unexpected-shape", Error, Soft, [40],
    checks: "Every member of a document has the JSON type that its specification gives it.",
    matters: "All tools decode documents into typed structures and refuse another type, mostly naming only the Go type.",
    example: "`\"schemaVersion\": \"2\"`, a string where an integer was expected.",
    mend: "Write the value as the type that the message names.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// `null` where something must be.
    NULL_FOR_REQUIRED = "json/null-for-required", Error, Soft, [41],
    checks: "No required member is `null`.",
    matters: "Go reads `null` as absent, so the document lacks a required member.",
    example: "`\"config\": null` in a manifest.",
    mend: "Write the value that was meant.",
    breaks: [Umoci],
}
rule! {
    /// An integer in another notation.
    NUMBER_NOT_INTEGER = "json/number-not-integer", Warning, No, [43],
    checks: "Integers are written without fraction and exponent.",
    matters: "Go's decoder refuses `1.0` and `1e3` for an integer; other languages take them (RFC 7493).",
    example: "`\"size\": 1e3`",
    mend: "Write the number in plain digits.",
    breaks: [Docker, Containerd, Skopeo, Podman, Buildah, Umoci, Registry],
}
rule! {
    /// An integer that not every reader can hold.
    INTEGER_TOO_LARGE = "json/integer-too-large", Warning, No, [43],
    checks: "Integers are no larger than 2^53.",
    matters: "Readers that hold numbers as IEEE doubles round larger ones (RFC 7493 section 2.2).",
    example: "`\"size\": 9007199254740993`",
    mend: "Check the number: no blob is that large.",
}
rule! {
    /// `schemaVersion` is missing.
    SCHEMA_VERSION_MISSING = "document/schema-version-missing", Error, Soft, [47],
    checks: "Manifests and indexes have `schemaVersion`.",
    matters: "image-spec manifest and index demand the value 2; registries refuse a document without it, other tools do not look.",
    example: "An `index.json` with `manifests` alone.",
    mend: "Add `\"schemaVersion\": 2`.",
    breaks: [Registry],
}
rule! {
    /// A Docker document does not say its type.
    DOCKER_MEDIA_TYPE_MISSING = "document/docker-media-type-missing", Error, Soft, [48],
    checks: "Docker schema 2 manifests and manifest lists have `mediaType`.",
    matters: "Docker's specification demands it (unlike OCI's); without it the type is a guess.",
    example: "A schema 2 manifest without `mediaType`.",
    mend: "Add the type. The digest changes with it.",
    breaks: [Skopeo, Podman, Buildah, Registry],
}
rule! {
    /// An index without children's list.
    MANIFESTS_MISSING = "index/manifests-missing", Error, Soft, [51],
    checks: "An index has `manifests`, an array.",
    matters: "image-spec index demands it; tools treat its absence as an empty index.",
    example: "`{\"schemaVersion\": 2}` as `index.json`.",
    mend: "Write the list of descriptors.",
}
rule! {
    /// A manifest without config.
    CONFIG_MISSING = "manifest/config-missing", Error, Soft, [53],
    checks: "A manifest has `config`, a descriptor.",
    matters: "image-spec manifest demands it. Registries answer DIGEST_INVALID, others fail.",
    example: "A manifest with `layers` alone.",
    mend: "Artifacts without config use the empty descriptor (image-spec guidance).",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci, Registry],
}
rule! {
    /// A manifest without layers' list.
    LAYERS_MISSING = "manifest/layers-missing", Error, Soft, [54],
    checks: "A manifest has `layers`, an array.",
    matters: "image-spec manifest demands it; tools treat it as empty.",
    example: "A manifest with `config` alone.",
    mend: "Write `\"layers\": []` if there are none.",
}
rule! {
    /// `oci-layout` does not say its version.
    VERSION_MISSING = "layout/version-missing", Error, Soft, [73],
    checks: "`oci-layout` has `imageLayoutVersion`, a string.",
    matters: "image-spec image layout demands it. umoci, containerd and regctl fail without it.",
    example: "`oci-layout` with the content `{}`.",
    mend: "Write `{\"imageLayoutVersion\":\"1.0.0\"}`.",
    breaks: [Containerd, Umoci],
}
rule! {
    /// A descriptor lacks one of its three members.
    DESCRIPTOR_MEMBER_MISSING = "descriptor/missing-member", Error, Soft, [64, 77],
    checks: "A descriptor has `mediaType`, `digest` and `size`.",
    matters: "image-spec descriptor demands all three. Go reads a missing size as 0.",
    example: "`{\"mediaType\": \"…\", \"digest\": \"sha256:…\"}`",
    mend: "Add the member that the message names.",
    breaks: [Umoci],
}
rule! {
    /// A platform lacks one of its two members.
    PLATFORM_MEMBER_MISSING = "platform/missing-member", Error, Soft, [141],
    checks: "A `platform` has `architecture` and `os`.",
    matters: "image-spec index demands both. umoci refuses the index.",
    example: "`\"platform\": {\"os\": \"linux\"}`",
    mend: "Add the member, or leave out the platform.",
}
rule! {
    /// A config without root file system.
    ROOTFS_MISSING = "config/rootfs-missing", Error, Soft, [110, 138],
    checks: "An image config has `rootfs`, an object.",
    matters: "image-spec config demands it. Docker: `invalid image JSON, no RootFS key`.",
    example: "A config that was written for the v1 format.",
    mend: "Rebuild the image.",
    breaks: [Docker, Containerd, Umoci],
}
rule! {
    /// `rootfs` does not say its type.
    ROOTFS_TYPE_MISSING = "config/rootfs-type-missing", Error, Soft, [110],
    checks: "`rootfs` has `type`, a string.",
    matters: "image-spec config demands `layers`; crane and umoci refuse anything else.",
    example: "`\"rootfs\": {\"diff_ids\": […]}`",
    mend: "Rebuild the image.",
    breaks: [Umoci],
}
rule! {
    /// A command that is no list.
    COMMAND_NOT_ARRAY = "config/command-not-array", Error, Soft, [129],
    checks: "`Cmd` and `Entrypoint` are arrays of strings.",
    matters: "image-spec config. Docker 29 and crane refuse a string, Docker 20.10 and skopeo take it.",
    example: "`\"Cmd\": \"/bin/sh\"`",
    mend: "Rebuild the image with the exec form.",
    breaks: [Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// A label that is no text.
    LABEL_NOT_STRING = "config/label-not-string", Error, Soft, [133],
    checks: "The values of `Labels` are strings.",
    matters: "image-spec config: labels follow the rules of annotations. Tools fail to decode the config.",
    example: "`\"Labels\": {\"build\": 7}`",
    mend: "Rebuild the image with the value in quotes.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// An annotation that is no text.
    ANNOTATION_NOT_STRING = "annotation/value-not-string", Error, Soft, [199],
    checks: "The values of `annotations` are strings.",
    matters: "image-spec annotations: they must be strings. Tools fail to decode the document.",
    example: "`\"annotations\": {\"build\": 7}`",
    mend: "Write the value in quotes.",
    breaks: [Docker, Containerd, Skopeo, Podman, Buildah, Umoci, Registry],
}
rule! {
    /// `manifest.json` is no list.
    MANIFEST_NOT_ARRAY = "docker-archive/manifest-not-array", Error, Hard, [22],
    checks: "`manifest.json` of a docker-archive is an array.",
    matters: "It lists the images. Every tool fails.",
    example: "`manifest.json` with the content `null`.",
    mend: "Save the image again.",
    breaks: [Docker, Containerd, Skopeo, Podman, Buildah],
}
rule! {
    /// An item without config.
    ARCHIVE_CONFIG_MISSING = "docker-archive/config-missing", Error, Hard, [23],
    checks: "Every item of `manifest.json` has `Config`.",
    matters: "Without it the item is no image. Every tool fails.",
    example: "`[{\"RepoTags\": [\"app:1\"], \"Layers\": []}]`",
    mend: "Save the image again.",
    breaks: [Docker, Containerd, Skopeo, Podman, Buildah],
}
rule! {
    /// An item without layers.
    ARCHIVE_LAYERS_MISSING = "docker-archive/layers-missing", Error, Soft, [24],
    checks: "Every item of `manifest.json` has `Layers`, an array or `null`.",
    matters: "It names the layers.",
    example: "`[{\"Config\": \"a.json\", \"Layers\": \"b/layer.tar\"}]`",
    mend: "Save the image again.",
}
rule! {
    /// A schema 1 manifest lacks a member.
    SCHEMA1_MEMBER_MISSING = "schema1/missing-member", Error, Hard, [214, 216, 217],
    checks: "A schema 1 manifest has all the members that Distribution's specification demands.",
    matters: "Every reader fails.",
    example: "A manifest without `history`.",
    mend: "Pull the image again in schema 2.",
}

/// What the archive knows of the blob that a digest names.
#[derive(Debug, Clone)]
pub struct Known {
    /// Its length.
    pub length: u64,
    /// The media type that it gives itself, if it is a document.
    pub media_type: Option<String>,
}

/// Findings about the shape of a document. `blobs` tells what the archive knows of one.
pub fn check(document: &Document, blobs: &dyn Fn(&Digest) -> Option<Known>, out: &mut Vec<Finding>) {
    let Ok(json) = &document.json else { return };
    let kind = match document.kind {
        DocKind::OciLayout => DocumentKind::OciLayout,
        DocKind::Index(Family::Oci) => DocumentKind::OciIndex,
        DocKind::Index(Family::Docker) => DocumentKind::DockerManifestList,
        DocKind::Manifest(Family::Oci) => DocumentKind::OciManifest,
        DocKind::Manifest(Family::Docker) => DocumentKind::DockerManifest,
        DocKind::Schema1 => DocumentKind::DockerSchema1,
        DocKind::Config(Family::Oci) => DocumentKind::OciConfig,
        DocKind::Config(Family::Docker) => DocumentKind::DockerConfig,
        DocKind::DockerArchive => DocumentKind::DockerArchiveManifest,
        DocKind::Repositories => DocumentKind::Repositories,
        DocKind::V1Image => DocumentKind::V1Json,
        DocKind::Descriptor => DocumentKind::Descriptor,
        // Withdrawn before it had a schema of its own.
        DocKind::ArtifactManifest => return,
    };
    // What a document of another version must have is not known.
    let version = json.root.get("schemaVersion").and_then(Value::as_i64);
    let known = match document.kind {
        DocKind::Index(_) | DocKind::Manifest(_) => version.is_none_or(|version| version == 2),
        _ => true,
    };
    for fault in schema::validate(kind, json) {
        if !known && fault.missing.is_some() && fault.pointer.is_empty() {
            continue;
        }
        let rule = RULES.iter().find(|rule| rule.name == fault.rule).copied().unwrap_or(&UNEXPECTED_SHAPE);
        let at = Location { member: Some(document.member), at: At::Pointer(fault.pointer) };
        let label = match &fault.missing {
            Some(member) => format!("`{member}` is missing here"),
            None => format!("expected {}, found {}", fault.expected, fault.found),
        };
        let finding = Finding::new(rule, at, fault.message).label(label);
        out.push(mended(finding, document, &json.root, fault.missing.as_deref(), blobs));
    }
}

/// With a fix, where the right value follows from the rest.
fn mended(
    finding: Finding,
    document: &Document,
    root: &Value,
    missing: Option<&str>,
    known: &dyn Fn(&Digest) -> Option<Known>,
) -> Finding {
    let at = finding.primary.location.clone();
    let At::Pointer(pointer) = &at.at else { return finding };
    let here = root.at(pointer);
    let Some(missing) = missing else {
        let Some(value) = here else { return finding };
        return match (finding.rule.name, &value.kind) {
            ("config/label-not-string" | "annotation/value-not-string", Kind::Number(text)) => {
                in_quotes(finding, &at, text)
            }
            ("config/label-not-string" | "annotation/value-not-string", Kind::Bool(value)) => {
                in_quotes(finding, &at, &value.to_string())
            }
            ("json/number-not-integer", Kind::Number(text)) => match whole(text) {
                Some(number) => finding.set(&at, number.to_string()),
                None => finding,
            },
            ("config/command-not-array", Kind::String(command)) => finding
                .set(&at, format!(r#"["/bin/sh","-c",{}]"#, quoted(command)))
                .assuming("the command is one for a shell"),
            ("manifest/layers-missing", Kind::Null) => finding.set(&at, "[]"),
            _ => finding,
        };
    };
    let blob = || known(&Digest::parse(here?.get("digest")?.as_str()?).ok()?);
    let value = match (missing, document.kind) {
        ("size", _) => blob().map(|blob| blob.length.to_string()),
        ("schemaVersion", DocKind::Index(_) | DocKind::Manifest(_)) => Some("2".to_owned()),
        ("mediaType", DocKind::Index(family)) if pointer.is_empty() => {
            Some(quoted(type_of(DocumentType::Index(family))))
        }
        ("mediaType", DocKind::Manifest(family)) if pointer.is_empty() => {
            Some(quoted(type_of(DocumentType::Manifest(family))))
        }
        ("mediaType", _) => blob().and_then(|blob| blob.media_type).map(quoted),
        ("imageLayoutVersion", _) => Some(quoted("1.0.0")),
        ("type", DocKind::Config(_)) if pointer == "/rootfs" => Some(quoted("layers")),
        _ => None,
    };
    match value {
        Some(value) => {
            let help = format!("add `{}: {value}`", quoted(missing));
            finding.help(help).set(&at.child(missing), value)
        }
        None => finding,
    }
}

fn in_quotes(finding: Finding, at: &Location, text: &str) -> Finding {
    let text = quoted(text);
    finding.help(format!("write `{text}`")).set(at, text)
}

/// The integer that a number written with a fraction or an exponent is, if it is one.
fn whole(text: &str) -> Option<i64> {
    /// Up to here every integer is a float, too.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number: f64 = text.parse().ok()?;
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::fixture::found;

    #[test]
    fn what_another_version_lacks_is_not_known() {
        let of = |text: &str| {
            found(DocKind::Manifest(Family::Oci), text, |document, out| check(document, &|_| None, out))
        };
        assert_eq!(of(r#"{"schemaVersion":2}"#), ["manifest/config-missing", "manifest/layers-missing"]);
        assert_eq!(of(r#"{"schemaVersion":3}"#), [""; 0]);
        assert_eq!(of(r#"{"schemaVersion":3,"config":1}"#), ["json/unexpected-shape"]);
    }
}
