//! What an archive holds, each thing once: the list that a conversion must account for.
//!
//! It is made of the members and of the graph, before there is any plan and by nothing that plans, so that a plan which
//! forgets something is found out: whatever stands here and gets no fate stops the conversion.

use std::collections::{HashMap, HashSet};

use crate::digest::Digest;
use crate::limits::LEGACY_BLOB_BYTES;
use crate::location::MemberId;
use crate::model::{Anomaly, Archive, BlobId, Body, Descriptor, Form, Name, NodeId, Standing};
use crate::source::MemberKind;

/// Something that an archive holds, or names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Item {
    /// The name of a root, by the root's position.
    Name(usize),
    /// A text where a name should be, of which nothing came.
    BadName(String),
    /// An entry of `index.json` that leads nowhere, as what it has for a digest is none: that text, if there is one.
    BadRoot(Option<String>),
    /// A manifest or index, or an image that has no manifest; there or only named.
    Node(NodeId),
    /// A config, a layer or any other blob that is no manifest.
    Blob(BlobId, Part),
    /// A `dir:` signature of a manifest.
    Signature(NodeId, MemberId),
    /// What the form itself consists of: `index.json`, `manifest.json`, links, and what v1 images are described by.
    Document(MemberId),
    /// What stands beside a newer form for older readers, among the blobs of Docker 25 too.
    Legacy(MemberId),
    /// A file that belongs to nothing.
    Stray(MemberId),
}

/// What a blob is to what points at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The config of a manifest, or of an item.
    Config,
    /// A layer, or a blob of an artifact.
    Layer,
    /// Nothing points at it.
    Unreferenced,
}

/// What an archive holds.
#[derive(Debug, Default)]
pub struct Inventory {
    /// Each thing once: names, then the graph in its own order, then members.
    pub items: Vec<Item>,
    /// The manifests that point at each blob.
    pub users: HashMap<BlobId, Vec<NodeId>>,
    /// Nodes of one digest: one document may be known under several types.
    alike: HashMap<Digest, Vec<NodeId>>,
}

impl Inventory {
    /// Lists what an archive holds. `standing` tells what its form has at a name.
    pub fn of(archive: &Archive, standing: &dyn Fn(&str) -> Standing) -> Inventory {
        let mut listed = Inventory::default();
        listed.names(archive);
        let text = |root: Descriptor| root.digest.and_then(Result::err).map(|bad| bad.0);
        listed.items.extend(archive.unreadable_roots().into_iter().map(|root| Item::BadRoot(text(root))));
        let nodes = (0..archive.nodes.len() as u32).map(NodeId);
        for node in nodes.clone() {
            let alike =
                archive.node(node).digest.clone().map(|digest| listed.alike.entry(digest).or_default());
            let first = alike.is_none_or(|alike| {
                alike.push(node);
                alike.len() == 1
            });
            listed.items.extend(first.then_some(Item::Node(node)));
        }
        listed.blobs(archive);
        for node in nodes {
            let signatures = archive.node(node).signatures.iter();
            listed.items.extend(signatures.map(|&member| Item::Signature(node, member)));
        }
        listed.members(archive, standing);
        listed
    }

    /// The nodes that are the same document as this one, it among them.
    pub fn alike(&self, archive: &Archive, node: NodeId) -> Vec<NodeId> {
        let digest = archive.node(node).digest.as_ref();
        digest.and_then(|digest| self.alike.get(digest)).cloned().unwrap_or_else(|| vec![node])
    }

    fn names(&mut self, archive: &Archive) {
        let named = archive.roots.iter().enumerate().filter(|(_, root)| root.name != Name::None);
        self.items.extend(named.map(|(i, _)| Item::Name(i)));
        let carried: HashSet<&str> = archive
            .roots
            .iter()
            .filter_map(|root| match &root.name {
                Name::Unreadable(text) => Some(text.as_str()),
                Name::None | Name::Full(_) | Name::BareTag(_) => None,
            })
            .collect();
        let mut told = HashSet::new();
        for anomaly in &archive.anomalies {
            if let Anomaly::BadName { text, .. } = anomaly
                && !carried.contains(text.as_str())
                && told.insert(text)
            {
                self.items.push(Item::BadName(text.clone()));
            }
        }
    }

    fn blobs(&mut self, archive: &Archive) {
        let mut parts: HashMap<BlobId, Part> = HashMap::new();
        for (i, node) in archive.nodes.iter().enumerate() {
            let config = node.parts().and_then(|parts| parts.config.blob);
            for blob in node.all_parts().iter().filter_map(|part| part.blob) {
                let part = if config == Some(blob) { Part::Config } else { Part::Layer };
                parts.entry(blob).or_insert(part);
                let users = self.users.entry(blob).or_default();
                if users.last() != Some(&NodeId(i as u32)) {
                    users.push(NodeId(i as u32));
                }
            }
        }
        let documents: HashSet<BlobId> = archive.nodes.iter().filter_map(|node| node.blob).collect();
        for id in (0..archive.blobs.len() as u32).map(BlobId) {
            match parts.get(&id) {
                Some(part) => self.items.push(Item::Blob(id, *part)),
                None if documents.contains(&id) => {}
                None => self.items.push(match legacy_blob(archive, id) {
                    Some(member) => Item::Legacy(member),
                    None => Item::Blob(id, Part::Unreferenced),
                }),
            }
        }
    }

    /// Files that are neither in the graph nor in a blob's place.
    fn members(&mut self, archive: &Archive, standing: &dyn Fn(&str) -> Standing) {
        let blobs = archive.blobs.iter().filter_map(|blob| blob.member);
        let signatures = archive.nodes.iter().flat_map(|node| node.signatures.iter().copied());
        let graph: HashSet<MemberId> = blobs.chain(signatures).collect();
        // Documents of v1 images make the image; beside a `manifest.json` they are left-overs.
        let chains = archive.nodes.iter().filter_map(|node| match &node.body {
            Body::V1 { chain, .. } => Some(chain),
            _ => None,
        });
        let chained: HashSet<MemberId> = chains.flatten().map(|&id| archive.listed(id).member).collect();
        let first_era = !chained.is_empty();
        for (i, member) in archive.tree.members.iter().enumerate() {
            let id = MemberId(i as u32);
            if graph.contains(&id) || member.kind() == MemberKind::Directory {
                continue;
            }
            // A link is another name of a blob.
            if member.kind() != MemberKind::File && archive.tree.follow(id).is_some() {
                continue;
            }
            self.items.push(match standing(&member.name().to_string()) {
                Standing::Own => Item::Document(id),
                Standing::Legacy if first_era => Item::Document(id),
                Standing::Legacy => Item::Legacy(id),
                Standing::Nothing if chained.contains(&id) => Item::Document(id),
                Standing::Nothing => Item::Stray(id),
            });
        }
    }
}

/// The member of a v1 description that Docker 25 and later keep among the blobs, and that nothing points at.
fn legacy_blob(archive: &Archive, id: BlobId) -> Option<MemberId> {
    let blob = archive.blob(id);
    let member = blob.member.filter(|_| archive.form == Form::DockerArchive && !blob.referenced)?;
    (archive.tree.member(member).size <= LEGACY_BLOB_BYTES).then_some(member)
}

#[cfg(test)]
mod tests;
