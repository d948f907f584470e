//! A single document or layer outside any archive: a config, manifest, index, `manifest.json`, schema 1 manifest, or a
//! tar.
//!
//! It is judged alone: what it points at, or what lies below it, is not expected to be there.

use std::path::Path;

use super::ingest::Ingested;
use super::tree::Tree;
use crate::error::{Context, Error, Result};
use crate::json::Value;
use crate::limits::Limits;
use crate::media::{DocumentType, Family};
use crate::model::archive::*;
use crate::model::build::{self, Builder};
use crate::model::legacy::jws::Jws;
use crate::report::{Location, MemberId};

/// The form's name for an archive that is one document.
pub const FORM: &str = "document";

/// The form's name for an archive that is one layer.
pub const LAYER: &str = "layer";

/// Nesting of the JSON inside the signatures of schema 1.
const DEPTH: usize = 64;

/// What `--as` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An image config.
    Config,
    /// A manifest.
    Manifest,
    /// An index or manifest list.
    Index,
    /// `manifest.json` of a docker-archive.
    DockerArchive,
    /// A schema 1 manifest.
    Schema1,
    /// `oci-layout`
    OciLayout,
    /// `repositories`
    Repositories,
    /// v1 image JSON.
    V1Image,
    /// A layer.
    Layer,
}

/// Whether an archive is a single document or layer.
pub fn is_lone(archive: &Archive) -> bool {
    archive.form == FORM || archive.form == LAYER
}

/// Whether a file begins like a JSON document.
pub fn looks_like_json(first: &[u8]) -> bool {
    let text = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first);
    matches!(text.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Takes a file as one layer, whatever is in it.
pub fn layer(place: &str, path: &Path, limits: &Limits) -> Result<Archive> {
    let file = std::fs::File::open(path).at("cannot open", path)?;
    let tree = Tree::of_file(place, path, file)?;
    let name = tree.member(MemberId(0)).name.to_string();
    let mut builder = Builder::new(LAYER, tree, Ingested::new(), limits, Box::new(|_, _, _| None));
    let at = Location::member(MemberId(0));
    let blob = builder.blob_of_member(MemberId(0));
    builder.is_layer(blob);
    let layers = vec![Part { descriptor: None, blob: Some(blob), at: at.clone(), wanted: name }];
    let node = builder.node(Node {
        digest: None,
        media_type: None,
        blob: None,
        document: None,
        body: Body::Layer { layers },
        signatures: Vec::new(),
    });
    builder.archive.roots.push(Root { at, name: Name::None, node, descriptor: None, repository: None });
    Ok(builder.archive)
}

/// Reads one document; `kind` is found from the content if it is not given.
pub fn open(place: &str, path: &Path, kind: Option<Kind>, limits: &Limits) -> Result<Archive> {
    if kind == Some(Kind::Layer) {
        return layer(place, path, limits);
    }
    let file = std::fs::File::open(path).at("cannot open", path)?;
    let tree = Tree::of_file(place, path, file)?;
    let mut builder =
        Builder::new(FORM, tree, Ingested::new(), limits, Box::new(|_, _, _| Some(MemberId(0))));
    let member = MemberId(0);
    let Some(id) = builder.document(member, DocKind::Manifest(Family::Oci))? else {
        return Ok(builder.archive);
    };
    let found = builder.value(id).and_then(|root| kind_of(root, kind));
    let Some(doc_kind) = found else {
        if builder.value(id).is_none() {
            // Not even JSON: the rule about syntax says so.
            return Ok(builder.archive);
        }
        let reason = "it is JSON, but none of the documents of an image; say which with --as";
        return Err(Error::NotAnArchive { place: place.to_owned(), reason: reason.into() });
    };
    builder.archive.documents[id.0 as usize].kind = doc_kind;
    let document_type = match doc_kind {
        DocKind::Manifest(family) => Some(DocumentType::Manifest(family)),
        DocKind::Index(family) => Some(DocumentType::Index(family)),
        DocKind::Schema1 => Some(DocumentType::Schema1),
        _ => None,
    };
    let document = builder.archive.document(id);
    let payload = match (&document.json, doc_kind) {
        (Ok(json), DocKind::Schema1) => Jws::read(&document.bytes, &json.root, DEPTH).digest(),
        _ => None,
    };
    let digest = payload.unwrap_or_else(|| document.sha256.clone());
    // Nothing else is here to be found.
    let own = digest.clone();
    builder.set_locate(Box::new(move |_, wanted, _| (*wanted == own).then_some(member)));
    if let Some(document_type) = document_type {
        let media_type = Some(build::type_of(document_type).to_owned());
        builder.manifest(digest, media_type, &Location::member(member))?;
    }
    Ok(builder.archive)
}

fn kind_of(root: &Value, kind: Option<Kind>) -> Option<DocKind> {
    let docker = |root: &Value| match build::guess(root) {
        Some(DocumentType::Manifest(family) | DocumentType::Index(family)) => family,
        _ => Family::Oci,
    };
    Some(match kind {
        Some(Kind::Config) => DocKind::Config(Family::Docker),
        Some(Kind::Manifest) => DocKind::Manifest(docker(root)),
        Some(Kind::Index) => DocKind::Index(docker(root)),
        Some(Kind::DockerArchive) => DocKind::DockerArchive,
        Some(Kind::Schema1) => DocKind::Schema1,
        Some(Kind::OciLayout) => DocKind::OciLayout,
        Some(Kind::Repositories) => DocKind::Repositories,
        Some(Kind::V1Image) => DocKind::V1Image,
        Some(Kind::Layer) | None => return guess(root),
    })
}

fn guess(root: &Value) -> Option<DocKind> {
    let has = |name: &str| root.get(name).is_some();
    if root.is_array() {
        return Some(DocKind::DockerArchive);
    }
    if has("imageLayoutVersion") {
        return Some(DocKind::OciLayout);
    }
    if let Some(document_type) = build::guess(root) {
        return Some(match document_type {
            DocumentType::Index(family) => DocKind::Index(family),
            DocumentType::Manifest(family) => DocKind::Manifest(family),
            DocumentType::Schema1 => DocKind::Schema1,
            DocumentType::ArtifactManifest => DocKind::ArtifactManifest,
        });
    }
    if has("manifests") {
        return Some(DocKind::Index(Family::Oci));
    }
    if has("layers") || has("schemaVersion") {
        return Some(DocKind::Manifest(Family::Oci));
    }
    if has("fsLayers") {
        return Some(DocKind::Schema1);
    }
    if has("rootfs") {
        return Some(DocKind::Config(Family::Docker));
    }
    if has("id") && (has("container_config") || has("parent") || has("created")) {
        return Some(DocKind::V1Image);
    }
    let members = root.members();
    let tags = |value: &Value| {
        !value.members().is_empty()
            && value.members().iter().all(|tag| tag.value.as_str().is_some_and(|id| id.len() == 64))
    };
    if !members.is_empty() && members.iter().all(|member| tags(&member.value)) {
        return Some(DocKind::Repositories);
    }
    (has("architecture") && (has("config") || has("os"))).then_some(DocKind::Config(Family::Docker))
}
