//! Members that share a name.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::io;

use crate::digest::{Algorithm, Digest, Hasher};
use crate::error::{Context as _, Result};
use crate::facts::Facts;
use crate::location::MemberId;
use crate::model::Archive;
use crate::source::TreeAnomaly;

/// The digests of members that share a name, without which nobody can tell whether they are the same: of those whose
/// sizes differ none is needed, and what was read already is not read again.
///
/// # Errors
///
/// The archive cannot be read.
pub fn duplicates(archive: &Archive, facts: &mut Facts) -> Result<()> {
    let tree = &archive.tree;
    let pairs = tree.anomalies.iter().filter_map(|anomaly| match anomaly {
        TreeAnomaly::Duplicate { first, again } => Some([*first, *again]),
        _ => None,
    });
    let alike = |[first, again]: &[MemberId; 2]| {
        let (first, again) = (tree.member(*first), tree.member(*again));
        first.kind() == again.kind() && first.size == again.size && first.size > 0
    };
    let wanted: BTreeSet<MemberId> = pairs.filter(alike).flatten().collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let blobs = archive.blobs.iter().zip(&facts.blobs);
    let known: HashMap<MemberId, Digest> = blobs
        .filter_map(|(blob, facts)| Some((blob.member?, facts.as_ref()?.sha256.clone())))
        .chain(archive.documents.iter().map(|document| (document.member, document.sha256.clone())))
        .chain(archive.ingested.iter().map(|(member, facts)| (*member, facts.sha256.clone())))
        .filter(|(member, _)| wanted.contains(member))
        .collect();
    facts.members.extend(known);
    for member in wanted {
        if let Entry::Vacant(slot) = facts.members.entry(member) {
            let mut hasher = Hasher::new(Algorithm::Sha256);
            io::copy(&mut tree.reader(member)?, &mut hasher).at("cannot read", &tree.place)?;
            slot.insert(hasher.finish());
        }
    }
    archive.unchanged()
}
