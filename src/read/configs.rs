//! The config of an image, made from what its layers are where the source has none.

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::facts::Facts;
use crate::location::At;
use crate::model::{Archive, Body, DocId, Document, NodeId, Part, legacy};

/// The config of an image with its diff IDs, made from facts where the source has no config.
pub fn config_of(archive: &Archive, node: NodeId, facts: &Facts) -> Result<Option<(Vec<u8>, Vec<Digest>)>> {
    let diff_id = |part: &Part| facts.get(part.blob?)?.plain.as_ref().map(|plain| plain.diff_id.clone());
    Ok(match &archive.node(node).body {
        Body::Manifest { parts, .. } | Body::Item { parts } => archive.config(parts).map(|config| {
            let diff_ids = config.diff_ids().unwrap_or_default().into_iter().flatten().collect();
            (config.document.bytes.to_vec(), diff_ids)
        }),
        Body::V1 { chain, layers } => {
            let diff_ids: Vec<Digest> = layers.iter().filter_map(diff_id).collect();
            Some((v1_config(archive, chain, &diff_ids)?, diff_ids))
        }
        Body::Schema1 { layers } => {
            let Some(document) = archive.node_document(node) else { return Ok(None) };
            let Some(root) = document.root() else { return Ok(None) };
            let parsed = legacy::Schema1::parse(root, document.depth);
            let diff_ids: Vec<Digest> =
                schema1_parts(&parsed, layers).into_iter().filter_map(diff_id).collect();
            Some((schema1_config(&parsed, &diff_ids)?, diff_ids))
        }
        _ => None,
    })
}

/// The config of an image of the v1 form, from its chain of JSON documents.
///
/// # Errors
///
/// The documents are no such chain.
pub fn v1_config(archive: &Archive, chain: &[DocId], diff_ids: &[Digest]) -> Result<Vec<u8>> {
    let documents: Vec<Document> = chain.iter().map(|&id| archive.document(id)).collect();
    let chain: Vec<_> =
        documents.iter().filter_map(|document| Some((&document.bytes[..], document.root()?))).collect();
    legacy::config_from_v1(&chain, diff_ids)
        .map_err(|error| Error::refused(format!("no config can be made from the v1 images: {error}")))
}

/// The config of an image that has a schema 1 manifest.
///
/// # Errors
///
/// The manifest holds no config.
pub fn schema1_config(manifest: &legacy::Schema1, diff_ids: &[Digest]) -> Result<Vec<u8>> {
    legacy::config_from_schema1(manifest, diff_ids)
        .map_err(|error| Error::refused(format!("no config can be made from schema 1: {error}")))
}

/// The parts of a schema 1 manifest that are layers of the image: empty ones are not.
pub fn schema1_parts<'p>(manifest: &legacy::Schema1, parts: &'p [Part]) -> Vec<&'p Part> {
    let at = |index: usize| At::Pointer(format!("/fsLayers/{index}/blobSum"));
    let kept = manifest.layers.iter().filter(|layer| !layer.empty);
    kept.filter_map(|layer| parts.iter().find(|part| part.at().at == at(layer.index))).collect()
}
