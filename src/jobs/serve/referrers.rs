//! What refers to a manifest, as the referrers API lists it (distribution-spec 1.1, "Listing Referrers").

use serde::Serialize;

use super::document::Document;
use crate::digest::Digest;
use crate::json;
use crate::limits::Limits;
use crate::model::view;

/// The descriptor of what refers to something.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Referrer {
    media_type: String,
    digest: String,
    size: u64,
    /// What it is: its own type, else that of its config.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    annotations: serde_json::Map<String, serde_json::Value>,
}

/// The list of them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    schema_version: u32,
    media_type: &'static str,
    manifests: Vec<&'a Referrer>,
}

/// What a document refers to, and its descriptor.
pub fn of(document: &Document) -> Option<(Digest, Referrer)> {
    let root = json::parse(&document.bytes, Limits::default().json_depth as usize).ok()?.root;
    let subject = Digest::parse(&view::text(root.get("subject")?, "digest")?).ok()?;
    let annotations = match root.get("annotations").map(|value| &value.kind) {
        Some(json::Kind::Object(members)) => members
            .iter()
            .filter_map(|member| Some((member.key.to_string(), member.value.as_str()?.to_owned().into())))
            .collect(),
        _ => serde_json::Map::new(),
    };
    let referrer = Referrer {
        media_type: document.media_type.clone(),
        digest: document.digest.to_string(),
        size: document.bytes.len() as u64,
        artifact_type: view::own_artifact_type(&root),
        annotations,
    };
    Some((subject, referrer))
}

/// The index of all of one type, or of all; whether it was filtered.
pub fn list(all: &[Referrer], artifact_type: Option<&str>) -> Vec<u8> {
    let wanted = |referrer: &&Referrer| {
        artifact_type.is_none_or(|kind| referrer.artifact_type.as_deref() == Some(kind))
    };
    let list = List {
        schema_version: 2,
        media_type: crate::media::OCI_INDEX,
        manifests: all.iter().filter(wanted).collect(),
    };
    serde_json::to_vec(&list).unwrap_or_default()
}
