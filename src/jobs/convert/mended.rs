//! Faults that a conversion mends are not held against it: what it writes is judged anew before it is committed.

use std::collections::{HashMap, HashSet};

use crate::finding::{Finding, Rule};
use crate::jobs::convert::plan::{Make, Plan, Treatment};
use crate::location::{At, MemberId};
use crate::model::{Archive, BlobId, NodeId};
use crate::rules::blob::SIZE_MISMATCH;
use crate::rules::image::{CODEC_MISMATCH, TRAILING_BYTES, UNKNOWN_CODEC};
use crate::rules::platform::{CONFIG_MISMATCH, against_config};

/// What a manifest says otherwise than its blobs are, and says right where it is rewritten.
const TYPES_AND_SIZES: &[&Rule] = &[&CODEC_MISMATCH, &SIZE_MISMATCH];

/// Leaves out what is said of bytes behind a layer that is compressed anew, of its codec, of types and sizes where a manifest is
/// rewritten with those of the bytes, and of the platforms of items that are left out; adds what is to be said of the
/// platform of an image that takes the place of its index.
pub(super) fn as_planned(archive: &Archive, plan: &Plan, findings: &mut Vec<Finding>) {
    let kept: HashSet<BlobId> =
        plan.blobs().filter(|(_, treatment)| *treatment == Treatment::Keep).map(|(blob, _)| blob).collect();
    let anew = plan.blobs().map(|(blob, _)| blob).filter(|blob| !kept.contains(blob));
    let anew: HashSet<MemberId> = anew.filter_map(|blob| archive.blob(blob).member).collect();
    let mut rewritten: HashMap<MemberId, NodeId> = HashMap::new();
    let mut items: HashMap<MemberId, &[usize]> = HashMap::new();
    for (node, make) in &plan.make {
        let Some(document) = archive.node(*node).document.map(|id| archive.document(id)) else { continue };
        match make {
            Make::Rewrite { .. } => drop(rewritten.insert(document.member, *node)),
            Make::Reindex { keep, .. } => drop(items.insert(document.member, keep)),
            Make::Keep | Make::Synthesise { .. } | Make::Nothing => {}
        }
    }
    findings.retain(|finding| {
        let Some(member) = finding.primary.location.member else { return true };
        let name = finding.rule.name;
        if name == TRAILING_BYTES.name {
            !anew.contains(&member)
        } else if TYPES_AND_SIZES.iter().any(|rule| rule.name == name) {
            !rewritten.contains_key(&member)
        } else if name == UNKNOWN_CODEC.name {
            // No type is right for such a layer: only another layer is.
            let stays =
                |node: &NodeId| layer(archive, *node, finding).is_none_or(|blob| kept.contains(&blob));
            rewritten.get(&member).is_none_or(stays)
        } else if name == CONFIG_MISMATCH.name {
            let stays = |keep: &&[usize]| item(finding).is_none_or(|item| keep.contains(&item));
            items.get(&member).is_none_or(stays)
        } else {
            true
        }
    });
    // The index that gives an image its platform is not looked at where the image takes its place.
    let listed: HashSet<NodeId> = archive.roots.iter().map(|root| root.node).collect();
    for root in plan.roots.iter().map(|planned| &planned.root).filter(|root| !listed.contains(&root.node)) {
        if let Some(descriptor) = &root.descriptor {
            against_config(archive, descriptor, root.node, findings);
        }
    }
}

/// The blob of the layer of a manifest that a finding is about.
fn layer(archive: &Archive, node: NodeId, finding: &Finding) -> Option<BlobId> {
    let At::Pointer(pointer) = &finding.primary.location.at else { return None };
    let position: usize = pointer.strip_prefix("/layers/")?.split('/').next()?.parse().ok()?;
    archive.node(node).parts()?.layers.get(position)?.blob
}

/// The position of the item of an index that a finding is about.
fn item(finding: &Finding) -> Option<usize> {
    let At::Pointer(pointer) = &finding.primary.location.at else { return None };
    pointer.strip_prefix("/manifests/")?.split('/').next()?.parse().ok()
}
