//! The exact bytes of one document.

use std::collections::HashSet;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::escape::escape_str;
use crate::model::DocId;
use crate::model::{Archive, Body, NodeId, Root, select};
use std::sync::Arc;

/// The bytes of `index`, `manifest` or `config` below these roots, or of the document of a digest, of which the first 12
/// characters are enough.
///
/// # Errors
///
/// No document fits, or several do.
pub fn document(archive: &Archive, roots: &[Root], which: &str) -> Result<Vec<u8>> {
    let nodes: Vec<NodeId> = {
        let mut seen = HashSet::new();
        roots.iter().flat_map(|root| archive.below_unseen(root.node, &mut seen)).collect()
    };
    let bytes = |id| archive.document(id).bytes.clone();
    let mut found: Vec<(String, Arc<[u8]>)> = Vec::new();
    match which {
        "index" => {
            for &node in &nodes {
                let held = archive.node(node);
                if let (Body::Index { .. }, Some(id)) = (&held.body, held.document) {
                    found
                        .push((held.digest.as_ref().map(ToString::to_string).unwrap_or_default(), bytes(id)));
                }
            }
            if let (true, Some(id)) = (found.is_empty(), archive.index_json) {
                found.push(("index.json".into(), bytes(id)));
            }
        }
        "manifest" => {
            for &node in &nodes {
                let held = archive.node(node);
                if let (false, Some(id)) = (matches!(held.body, Body::Index { .. }), held.document) {
                    found
                        .push((held.digest.as_ref().map(ToString::to_string).unwrap_or_default(), bytes(id)));
                }
            }
        }
        "config" => {
            for &node in &nodes {
                let parts = archive.node(node).parts().filter(|_| select::is_image(archive, node));
                if let Some(config) = parts.and_then(|parts| archive.part_document(&parts.config)) {
                    found.push((config.sha256.to_string(), config.bytes.clone()));
                }
            }
        }
        digest => {
            let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
            let long_enough = hex.len() >= 12;
            let fits = |d: &Digest| d.as_str() == digest || (long_enough && d.encoded().starts_with(hex));
            for (document, id) in archive.documents.iter().zip(0..) {
                if fits(&document.sha256) {
                    found.push((document.sha256.to_string(), bytes(DocId(id))));
                }
            }
        }
    }
    found.sort();
    found.dedup();
    match found.as_slice() {
        [(_, bytes)] => Ok(bytes.to_vec()),
        [] => Err(Error::refused_help(
            format!("no document `{}` in {}", escape_str(which), archive.tree.place),
            "--raw takes index, manifest, config or a digest of a document",
        )),
        several => {
            let names: Vec<String> = several.iter().map(|(name, _)| name.clone()).collect();
            Err(Error::refused_help(
                format!("{} documents fit --raw={which}", names.len()),
                format!("choose one with --image or by digest: {}", select::list(&names)),
            ))
        }
    }
}
