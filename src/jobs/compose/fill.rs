//! What an archive lacks, taken from elsewhere: manifests first, then what they name in turn. Each blob is proved by its
//! digest: documents here, the others as a conversion reads them.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::Digest;
use crate::error::Result;
use crate::form::gathered::{Found, filled};
use crate::form::seek::Store;
use crate::limits::Limits;
use crate::model::{Archive, Body, NodeId, Part};

/// Fills an archive from others, the first that has a blob giving it. What none of them has stays missing.
///
/// # Errors
/// The form of the archive has no place for blobs; a document cannot be read.
pub fn fill(archive: Archive, others: Vec<Archive>, limits: &Limits) -> Result<Archive> {
    let stores: Vec<Store> = others.into_iter().map(Store::of).collect::<Result<_>>()?;
    let mut archive = archive;
    let mut asked: BTreeSet<Digest> = BTreeSet::new();
    loop {
        let mut found = Vec::new();
        for (digest, manifest) in missing(&archive) {
            // A manifest that was found may name more.
            if !asked.insert(digest.clone()) {
                continue;
            }
            for store in &stores {
                if let Some(held) = store.find(&digest, manifest, limits)? {
                    found.push(Found { digest: digest.clone(), manifest, held });
                    break;
                }
            }
        }
        if found.is_empty() {
            return Ok(archive);
        }
        archive = filled(archive, found, limits)?;
    }
}

/// What an archive names and does not have, and whether it is a manifest; layers that stand elsewhere by their type are
/// not missed.
fn missing(archive: &Archive) -> BTreeMap<Digest, bool> {
    let mut missing = BTreeMap::new();
    for node in &archive.nodes {
        if let (Body::Absent, Some(digest)) = (&node.body, &node.digest) {
            missing.insert(digest.clone(), true);
        }
        let lacks = |part: &&&Part| !archive.holds(part) && !part.is_foreign();
        for part in node.all_parts().iter().filter(lacks) {
            let digest = part.blob.and_then(|blob| archive.blob(blob).digest.clone());
            if let Some(digest) = digest {
                missing.entry(digest).or_insert(false);
            }
        }
    }
    missing
}

/// What is still missing of each child of an index, in words.
pub fn lacking(archive: &Archive) -> Vec<String> {
    let partial = crate::model::partial::Partial::of(archive);
    let nodes = (0..archive.nodes.len() as u32).map(NodeId);
    let mut words = Vec::new();
    for node in nodes {
        for edge in archive.node(node).children() {
            let gone =
                |child| matches!(archive.node(child).body, Body::Absent) || partial.absent.contains(&child);
            if edge.node.is_some_and(gone) {
                words.push(super::child::described(archive, edge));
            }
        }
    }
    words
}
