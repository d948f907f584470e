//! Media types of documents, configs and layers (formats.md C.1, D.1).

use std::borrow::Cow;

/// `application/octet-stream`
pub const OCTET_STREAM: &str = "application/octet-stream";
/// `application/vnd.oci.image.index.v1+json`
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// `application/vnd.oci.image.manifest.v1+json`
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// `application/vnd.oci.image.config.v1+json`
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// `application/vnd.oci.image.layer.v1.tar`
pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// `application/vnd.oci.image.layer.v1.tar+gzip`
pub const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// `application/vnd.oci.image.layer.v1.tar+zstd`
pub const OCI_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
/// `application/vnd.oci.empty.v1+json`
pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// Withdrawn before OCI 1.1, still found.
pub const OCI_ARTIFACT_MANIFEST: &str = "application/vnd.oci.artifact.manifest.v1+json";
/// Docker manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker schema 2 manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker schema 1 manifest, unsigned.
pub const DOCKER_SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+json";
/// Docker schema 1 manifest, signed.
pub const DOCKER_SCHEMA1_SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
/// Docker image config.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// Config of a plugin of Docker's engine, which has diff IDs and layers as an image has.
pub const DOCKER_PLUGIN_CONFIG: &str = "application/vnd.docker.plugin.v1+json";
/// Docker layer, plain.
pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
/// Docker layer, gzip.
pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// Docker layer, zstd: unofficial, read but never written.
pub const DOCKER_LAYER_ZSTD: &str = "application/vnd.docker.image.rootfs.diff.tar.zstd";
/// Docker foreign layer, gzip.
pub const DOCKER_FOREIGN_GZIP: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
/// Docker foreign layer, plain.
pub const DOCKER_FOREIGN: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar";
/// Annotation with the full name (containerd, Docker 25 and later).
pub const IMAGE_NAME: &str = "io.containerd.image.name";
/// Annotation with the tag, or with whatever the writer took for a name.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

const OCI_NONDIST: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar";
const OCI_NONDIST_GZIP: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
const OCI_NONDIST_ZSTD: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd";
const DOCKER_SCHEMA1_LAYER: &str = "application/vnd.docker.container.image.rootfs.diff+x-gtar";

/// The two families of types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// `application/vnd.oci.…`
    Oci,
    /// `application/vnd.docker.…`
    Docker,
}

/// What a document with a media type is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocumentType {
    /// OCI index or Docker manifest list.
    Index(Family),
    /// OCI manifest or Docker schema 2 manifest.
    Manifest(Family),
    /// Docker schema 1 manifest, signed or not.
    Schema1,
    /// The withdrawn OCI artifact manifest: carried as it is.
    ArtifactManifest,
}

impl DocumentType {
    /// Every one.
    pub const ALL: [DocumentType; 6] = [
        DocumentType::Index(Family::Oci),
        DocumentType::Index(Family::Docker),
        DocumentType::Manifest(Family::Oci),
        DocumentType::Manifest(Family::Docker),
        DocumentType::Schema1,
        DocumentType::ArtifactManifest,
    ];

    /// What `media_type` says a document is; `None` if it is none of ours.
    pub fn of(media_type: &str) -> Option<DocumentType> {
        Some(match media_type {
            OCI_INDEX => DocumentType::Index(Family::Oci),
            DOCKER_LIST => DocumentType::Index(Family::Docker),
            OCI_MANIFEST => DocumentType::Manifest(Family::Oci),
            DOCKER_MANIFEST => DocumentType::Manifest(Family::Docker),
            DOCKER_SCHEMA1 | DOCKER_SCHEMA1_SIGNED => DocumentType::Schema1,
            OCI_ARTIFACT_MANIFEST => DocumentType::ArtifactManifest,
            _ => return None,
        })
    }
}

/// How a blob's bytes are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Codec {
    /// Not compressed.
    Plain,
    /// RFC 1952, one or more members.
    Gzip,
    /// RFC 8878, one or more frames.
    Zstd,
    /// Not registered for layers; seen in docker-archives, and around whole archives.
    Bzip2,
    /// As bzip2.
    Xz,
}

impl Codec {
    /// The word used in messages and reports.
    pub fn name(self) -> &'static str {
        match self {
            Codec::Plain => "plain",
            Codec::Gzip => "gzip",
            Codec::Zstd => "zstd",
            Codec::Bzip2 => "bzip2",
            Codec::Xz => "xz",
        }
    }

    /// Recognises the codec by the first bytes (formats.md 0.3); at least 8 are needed to be sure.
    pub fn sniff(first: &[u8]) -> Codec {
        match first {
            // Whatever method follows: a tar does not begin so, and deflate is the only one there is.
            [0x1f, 0x8b, ..] => Codec::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Codec::Zstd,
            // A skippable frame: zstd:chunked blobs may start with one.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, _, _, _, _, ..] => Codec::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Codec::Xz,
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, ..] => Codec::Bzip2,
            [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, ..] => Codec::Bzip2,
            _ => Codec::Plain,
        }
    }
}

/// What a layer's media type says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LayerType {
    /// OCI or Docker.
    pub family: Family,
    /// The compression that the type names.
    pub codec: Codec,
    /// Foreign or nondistributable: the blob may be absent.
    pub nondistributable: bool,
}

impl LayerType {
    /// Recognises the layer types of formats.md C.1 and D.1; `None` for anything else, encrypted layers included.
    pub fn of(media_type: &str) -> Option<LayerType> {
        let (family, codec, nondistributable) = match media_type {
            OCI_LAYER => (Family::Oci, Codec::Plain, false),
            OCI_LAYER_GZIP => (Family::Oci, Codec::Gzip, false),
            OCI_LAYER_ZSTD => (Family::Oci, Codec::Zstd, false),
            OCI_NONDIST => (Family::Oci, Codec::Plain, true),
            OCI_NONDIST_GZIP => (Family::Oci, Codec::Gzip, true),
            OCI_NONDIST_ZSTD => (Family::Oci, Codec::Zstd, true),
            DOCKER_LAYER => (Family::Docker, Codec::Plain, false),
            DOCKER_LAYER_GZIP => (Family::Docker, Codec::Gzip, false),
            DOCKER_LAYER_ZSTD => (Family::Docker, Codec::Zstd, false),
            DOCKER_FOREIGN => (Family::Docker, Codec::Plain, true),
            DOCKER_FOREIGN_GZIP => (Family::Docker, Codec::Gzip, true),
            DOCKER_SCHEMA1_LAYER => (Family::Docker, Codec::Gzip, false),
            _ => return None,
        };
        Some(LayerType { family, codec, nondistributable })
    }

    /// The media type of such a layer in `family` under `codec`; `None` where the family has none.
    pub fn name(family: Family, codec: Codec, nondistributable: bool) -> Option<&'static str> {
        Some(match (family, codec, nondistributable) {
            (Family::Oci, Codec::Plain, false) => OCI_LAYER,
            (Family::Oci, Codec::Gzip, false) => OCI_LAYER_GZIP,
            (Family::Oci, Codec::Zstd, false) => OCI_LAYER_ZSTD,
            (Family::Oci, Codec::Plain, true) => OCI_NONDIST,
            (Family::Oci, Codec::Gzip, true) => OCI_NONDIST_GZIP,
            (Family::Oci, Codec::Zstd, true) => OCI_NONDIST_ZSTD,
            (Family::Docker, Codec::Plain, false) => DOCKER_LAYER,
            (Family::Docker, Codec::Gzip, false) => DOCKER_LAYER_GZIP,
            (Family::Docker, Codec::Plain, true) => DOCKER_FOREIGN,
            (Family::Docker, Codec::Gzip, true) => DOCKER_FOREIGN_GZIP,
            _ => return None,
        })
    }
}

/// Every media type of this file.
const KNOWN: [&str; 20] = [
    OCTET_STREAM,
    OCI_INDEX,
    OCI_MANIFEST,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    OCI_EMPTY,
    OCI_ARTIFACT_MANIFEST,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    DOCKER_SCHEMA1,
    DOCKER_SCHEMA1_SIGNED,
    DOCKER_CONFIG,
    DOCKER_PLUGIN_CONFIG,
    DOCKER_LAYER,
    DOCKER_LAYER_GZIP,
    DOCKER_LAYER_ZSTD,
    DOCKER_FOREIGN_GZIP,
    DOCKER_FOREIGN,
];

/// A media type as lists keep it: of one that is known there is no copy.
pub fn kept(text: &str) -> Cow<'static, str> {
    let known = KNOWN.into_iter().find(|known| *known == text);
    known.map_or_else(|| Cow::Owned(text.to_owned()), Cow::Borrowed)
}

/// Whether `media_type` names an image config (OCI or Docker).
pub fn is_image_config(media_type: &str) -> bool {
    matches!(media_type, OCI_CONFIG | DOCKER_CONFIG)
}

/// Config types written by broken old pushes that Docker takes for image configs (formats.md C.1, last row).
pub fn is_legacy_config(media_type: &str) -> bool {
    matches!(media_type, "application/octet-stream" | "application/json" | "text/html" | "")
}

/// Whether `text` obeys the grammar of RFC 6838 section 4.2 (no parameters).
pub fn is_well_formed(text: &str) -> bool {
    let name = |part: &str| {
        let mut bytes = part.bytes();
        part.len() <= 127
            && bytes.next().is_some_and(|b| b.is_ascii_alphanumeric())
            && bytes.all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b))
    };
    text.split_once('/').is_some_and(|(kind, sub)| name(kind) && name(sub))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layer_types_map_both_ways() {
        for family in [Family::Oci, Family::Docker] {
            for codec in [Codec::Plain, Codec::Gzip, Codec::Zstd] {
                for nondistributable in [false, true] {
                    if let Some(name) = LayerType::name(family, codec, nondistributable) {
                        let back = LayerType::of(name).expect("known");
                        assert_eq!(back, LayerType { family, codec, nondistributable });
                    }
                }
            }
        }
        assert_eq!(LayerType::of("application/vnd.oci.image.layer.v1.tar+gzip+encrypted"), None);
    }

    #[test]
    fn magic_is_recognised() {
        assert_eq!(Codec::sniff(&[0x1f, 0x8b, 8, 0]), Codec::Gzip);
        assert_eq!(Codec::sniff(&[0x1f, 0x8b]), Codec::Gzip);
        assert_eq!(Codec::sniff(&[0x1f, 0x8c, 8, 0]), Codec::Plain);
        assert_eq!(Codec::sniff(&[0x5a, 0x2a, 0x4d, 0x18, 4, 0, 0, 0]), Codec::Zstd);
        assert_eq!(Codec::sniff(b"BZh"), Codec::Plain);
        assert_eq!(Codec::sniff(b"BZhello/world"), Codec::Plain);
        assert_eq!(Codec::sniff(b""), Codec::Plain);
    }

    #[test]
    fn grammar() {
        assert!(is_well_formed(OCI_INDEX));
        for bad in ["", "a", "a/", "/b", "a/b;c=d", "a/b/c", "a /b", "-a/b"] {
            assert!(!is_well_formed(bad), "{bad}");
        }
    }
}
