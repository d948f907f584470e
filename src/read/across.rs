//! What takes more than one blob to know.

use std::collections::HashMap;

use crate::error::{Context as _, Result};
use crate::facts::Facts;
use crate::layer::stack::{self, Judged};
use crate::layer::{LayerFacts, Pile};
use crate::limits::Limits;
use crate::model::{Archive, BlobId, Body, Node, NodeId, Role, statement};

/// How often one layer is judged in one image: where it lies upon itself once more, there is nothing new to find.
const SAME_LAYER: u32 = 4;
/// Paths that are looked up in lower layers, all images together: half a minute. An image of 125 layers, each with a
/// thousand directories that lower layers made, takes 16 million.
const LOOKUPS: u64 = 100_000_000;

/// Entries of layers that are laid upon each other to see what each changes, all images together: some ten seconds.
const LAID: usize = 20_000_000;

/// What takes more than one blob to know: what statements are about, and each layer by those below it, as far as they
/// were looked into (above one that was not, nothing is known).
///
/// # Errors
///
/// The archive, or the temporary file with the paths, cannot be read.
pub fn across(archive: &Archive, facts: &mut Facts, limits: &Limits) -> Result<()> {
    facts.subjects = statement::subjects(archive, limits)?;
    let mut judged = Judged::default();
    let mut lookups = LOOKUPS;
    for (node, blobs) in piles(archive, facts) {
        let layers: Vec<&LayerFacts> = blobs.iter().filter_map(|&blob| facts.layer(blob)).collect();
        let mut below = Judged::BASE;
        let mut found = Vec::new();
        let mut times = HashMap::new();
        for (top, blob) in blobs.iter().enumerate() {
            let first;
            (below, first) = judged.lies_on(below, blob.0);
            let time = times.entry(blob).and_modify(|n| *n += 1).or_insert(1);
            if first && *time <= SAME_LAYER {
                let odd = stack::judge(&layers[..=top], &mut lookups)
                    .at("cannot read", "the temporary file of paths")?;
                found.extend((!odd.is_empty()).then_some(((node, top), odd)));
            }
        }
        facts.stacks.extend(found);
    }
    laid(archive, facts);
    Ok(())
}

/// What each layer does to those below it, if the paths of all that were looked into are known.
pub fn laid(archive: &Archive, facts: &mut Facts) {
    let mut left = LAID;
    if facts.layers.values().any(|layer| layer.contents.is_none()) {
        return;
    }
    for (node, blobs) in piles(archive, facts) {
        let mut pile = Pile::default();
        let contents = blobs.iter().filter_map(|&blob| facts.layer(blob)?.contents.as_ref());
        let mut changed = Vec::new();
        for (top, contents) in contents.enumerate() {
            let Some(rest) = left.checked_sub(contents.len()) else { break };
            left = rest;
            changed.push(((node, top), pile.lay(contents)));
        }
        facts.changes.extend(changed);
    }
}

/// The layers of each image that were looked into, base first, up to the first that was not: above it nothing is known.
fn piles(archive: &Archive, facts: &Facts) -> Vec<(NodeId, Vec<BlobId>)> {
    let pile = |(i, node): (usize, &Node)| {
        let parts = match &node.body {
            Body::Manifest { parts, .. } | Body::Item { parts } if parts.role == Role::Image => &parts.layers,
            Body::V1 { layers, .. } | Body::Schema1 { layers } => layers,
            _ => return None,
        };
        let is_laid = |blob: &BlobId| facts.layer(*blob).is_some_and(|layer| layer.is_laid);
        let blobs = parts.iter().map_while(|part| part.blob.filter(is_laid));
        Some((NodeId(i as u32), blobs.collect()))
    };
    archive.nodes.iter().enumerate().filter_map(pile).collect()
}
