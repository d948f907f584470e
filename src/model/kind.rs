//! What a document is: by its descriptor, its own word, or a guess.

use std::borrow::Cow;

use crate::json::Value;
use crate::media::{self, DocumentType, Family, LayerType};
use crate::model::DocKind;
use crate::model::view::text;

pub(super) fn kind_of(document_type: DocumentType) -> DocKind {
    match document_type {
        DocumentType::Index(family) => DocKind::Index(family),
        DocumentType::Manifest(family) => DocKind::Manifest(family),
        DocumentType::Schema1 => DocKind::Schema1,
        DocumentType::ArtifactManifest => DocKind::ArtifactManifest,
    }
}

/// Whether a media type in `layers` is that of a file system layer, known or not.
pub(super) fn is_layer_like(media_type: &str) -> bool {
    LayerType::of(media_type).is_some()
        || media_type.ends_with("+encrypted")
        || media_type.starts_with("application/vnd.oci.image.layer.")
        || media_type.starts_with("application/vnd.docker.image.rootfs.")
        || media_type.starts_with("application/vnd.erofs.layer.")
}

/// The type that a document gives itself, if its members agree and make it nothing else.
pub(super) fn plainly(value: &Value) -> Option<DocumentType> {
    let own = value.get("mediaType").and_then(Value::as_str).and_then(DocumentType::of)?;
    let is = |name: &str| value.get(name).is_some_and(|member| !member.is_null());
    match own {
        DocumentType::Index(_) => is("manifests") && !is("config") && !is("layers"),
        DocumentType::Manifest(_) => is("config") && is("layers") && !is("manifests"),
        DocumentType::Schema1 | DocumentType::ArtifactManifest => false,
    }
    .then_some(own)
}

/// Whether one is a manifest and the other an index.
pub(super) fn other_kind(a: DocumentType, b: DocumentType) -> bool {
    use DocumentType::{Index, Manifest};
    matches!((a, b), (Index(_), Manifest(_)) | (Manifest(_), Index(_)))
}

/// The type of a document that nothing declares: its own word, else the guess of formats.md D.9.
pub fn guess(value: &Value) -> Option<DocumentType> {
    if let Some(named) = value.get("mediaType").and_then(Value::as_str).and_then(DocumentType::of) {
        return Some(named);
    }
    match value.get("schemaVersion").and_then(Value::as_u64) {
        Some(1) => Some(DocumentType::Schema1),
        Some(2) => {
            let config = value.get("config").and_then(|config| text(config, "mediaType"));
            let many = value.get("manifests").is_some_and(|list| !list.items().is_empty());
            Some(match config.as_deref() {
                Some(media::DOCKER_CONFIG) => DocumentType::Manifest(Family::Docker),
                Some(media::OCI_CONFIG) => DocumentType::Manifest(Family::Oci),
                _ if many => DocumentType::Index(Family::Oci),
                _ => DocumentType::Manifest(Family::Oci),
            })
        }
        _ => None,
    }
}

/// The media type to write for a document whose type was guessed.
pub fn own_type(value: Option<&Value>, document_type: DocumentType) -> Cow<'static, str> {
    let own = value.and_then(|value| value.get("mediaType")).and_then(Value::as_str);
    if let Some(own) = own.filter(|own| DocumentType::of(own) == Some(document_type)) {
        return media::kept(own);
    }
    let signed = value.is_some_and(|value| value.get("signatures").is_some());
    if signed && document_type == DocumentType::Schema1 {
        return media::DOCKER_SCHEMA1_SIGNED.into();
    }
    type_of(document_type).into()
}

/// The media type of a kind of document.
pub fn type_of(document_type: DocumentType) -> &'static str {
    match document_type {
        DocumentType::Index(Family::Oci) => media::OCI_INDEX,
        DocumentType::Index(Family::Docker) => media::DOCKER_LIST,
        DocumentType::Manifest(Family::Oci) => media::OCI_MANIFEST,
        DocumentType::Manifest(Family::Docker) => media::DOCKER_MANIFEST,
        DocumentType::Schema1 => media::DOCKER_SCHEMA1,
        DocumentType::ArtifactManifest => media::OCI_ARTIFACT_MANIFEST,
    }
}
