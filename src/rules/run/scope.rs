//! What of an archive is judged, and what it is used for.

use std::collections::{HashMap, HashSet};

use crate::model::partial::Partial;
use crate::model::{Archive, BlobId, Body, DocId, DocKind, ImageParts, Node, NodeId, Role};

/// What a run looks at.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// Everything.
    All,
    /// Everything, and these manifests and indexes are what is kept of it.
    Keeping(&'a HashSet<NodeId>),
    /// These manifests and indexes, and what the archive says as a whole.
    Nodes(&'a HashSet<NodeId>),
}

impl Scope<'_> {
    pub(super) fn holds(&self, node: NodeId) -> bool {
        match self {
            Scope::All | Scope::Keeping(_) => true,
            Scope::Nodes(nodes) => nodes.contains(&node),
        }
    }

    /// Whether no part of the archive is left out.
    pub fn is_whole(&self) -> bool {
        matches!(self, Scope::All | Scope::Keeping(_))
    }

    /// What may be absent below an index: of what is kept only what an index that is kept, too, lists. An image that is taken
    /// out of its index is wanted whole.
    pub(super) fn partial(&self, archive: &Archive) -> Partial {
        let partial = Partial::of(archive);
        match self {
            Scope::All => partial,
            Scope::Keeping(nodes) | Scope::Nodes(nodes) => partial.without(archive, nodes),
        }
    }
}

/// Documents that are judged: those of nodes in scope with their configs, and those that belong to no node.
pub(super) fn documents_in(archive: &Archive, scope: Scope<'_>) -> HashSet<DocId> {
    let all = || (0..archive.documents.len() as u32).map(DocId);
    if scope.is_whole() {
        return all().collect();
    }
    // Where there is a `manifest.json`, nothing is taken from `repositories`.
    let unread = archive.documents.iter().any(|document| document.kind == DocKind::DockerArchive);
    let mut found: HashSet<DocId> = all()
        .filter(|&id| match archive.listed(id).kind {
            DocKind::OciLayout | DocKind::DockerArchive => true,
            DocKind::Repositories => !unread,
            _ => archive.index_json == Some(id),
        })
        .collect();
    for (_, node) in nodes(archive, scope) {
        found.extend(documents_of(archive, node));
    }
    found
}

fn nodes<'a>(archive: &'a Archive, scope: Scope<'a>) -> impl Iterator<Item = (NodeId, &'a Node)> {
    (0..).map(NodeId).zip(&archive.nodes).filter(move |(id, _)| scope.holds(*id))
}

/// The documents of a node: its own, and those that it points at.
pub(super) fn documents_of<'a>(archive: &'a Archive, node: &'a Node) -> impl Iterator<Item = DocId> + 'a {
    let parts = node.all_parts().into_iter().filter_map(|part| archive.blob(part.blob?).document);
    let chain = match &node.body {
        Body::V1 { chain, .. } => chain.as_slice(),
        _ => &[],
    };
    node.document.into_iter().chain(parts).chain(chain.iter().copied())
}

/// What leads to a node, by its place in the archive.
#[derive(Clone, Copy)]
pub(super) enum Leading {
    /// This root.
    Root(u32),
    /// This child of an index.
    Child(NodeId, u32),
}

impl Leading {
    /// All that leads to nodes in scope, by node; of one the roots first.
    pub(super) fn of(archive: &Archive, scope: Scope<'_>) -> Vec<(NodeId, Leading)> {
        let roots = (0..).zip(&archive.roots).map(|(at, root)| (root.node, Leading::Root(at)));
        let children = nodes(archive, scope).flat_map(|(index, node)| {
            let edges = (0..).zip(node.children());
            edges.filter_map(move |(at, edge)| Some((edge.node?, Leading::Child(index, at))))
        });
        let mut found: Vec<_> = roots.chain(children).filter(|(node, _)| scope.holds(*node)).collect();
        found.sort_by_key(|(node, _)| *node);
        found
    }
}

/// Documents whose type a descriptor gives.
pub(super) fn declared_documents(archive: &Archive) -> HashSet<DocId> {
    let edges = archive.nodes.iter().flat_map(Node::children);
    let edges = edges.filter_map(|edge| Some((&edge.descriptor, edge.node?)));
    let roots = archive.roots.iter().filter_map(|root| Some((root.descriptor.as_deref()?, root.node)));
    let typed = edges.chain(roots).filter(|(descriptor, _)| !descriptor.type_or_empty().is_empty());
    typed.filter_map(|(_, node)| archive.node(node).document).collect()
}

/// What a config is used for, in order of what that asks of it: whether an image is run from it, whether it has layers.
pub(super) type Use = (bool, bool);

pub(super) fn use_of(parts: &ImageParts) -> Use {
    (parts.role == Role::Image, !parts.layers.is_empty())
}

/// Configs by the use that asks most of them.
pub(super) fn configs(archive: &Archive, scope: Scope<'_>) -> HashMap<BlobId, Use> {
    let mut found = HashMap::new();
    for parts in nodes(archive, scope).filter_map(|(_, node)| node.parts()) {
        if let Some(blob) = parts.config.blob {
            let most = found.entry(blob).or_insert_with(|| use_of(parts));
            *most = use_of(parts).max(*most);
        }
    }
    found
}
