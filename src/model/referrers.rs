//! What is about something else in the archive: by its `subject`, or by a tag of cosign's scheme.

use std::collections::{HashMap, HashSet};

use crate::digest::Digest;
use crate::model::view::text;
use crate::model::{Archive, Document, Name, Node, NodeId, Root};

/// The document of a node, if it has a `subject`. It is asked of every root, and nearly none has: no text is read for that.
pub fn with_subject(archive: &Archive, node: &Node) -> Option<Document> {
    let id = node.document.filter(|id| archive.listed(*id).has_subject)?;
    Some(archive.document(id))
}

/// The digest of what the `subject` of a manifest or index names.
pub fn subject_of(archive: &Archive, node: NodeId) -> Option<Digest> {
    let document = with_subject(archive, archive.node(node))?;
    let subject = Digest::parse(&text(document.root()?.get("subject")?, "digest")?).ok()?;
    Some(archive.tree.now(subject))
}

/// The digest that a tag is about: `sha256-<hex>`, of the referrers fallback, then perhaps cosign's ending
/// (formats.md F.2).
pub fn about_tag(tag: &str) -> Option<Digest> {
    let hex = tag.strip_prefix("sha256-")?.get(..64)?;
    Digest::from_sha256_hex(hex)
}

/// The digest that a name says that its image is about.
pub fn about_name(name: &Name) -> Option<Digest> {
    match name {
        Name::Full(reference) => about_tag(reference.tag()?),
        Name::BareTag(tag) => about_tag(tag),
        // cosign names what it stores in a layout `_cosign:sha256-….sig`.
        Name::Unreadable(text) => about_tag(text.rsplit(':').next()?),
        Name::None => None,
    }
}

/// What each root is about, where that is here: roots by position.
pub fn about(archive: &Archive) -> HashMap<usize, Digest> {
    let here: HashSet<&Digest> = archive.nodes.iter().filter_map(|node| node.digest.as_ref()).collect();
    let of = |root: &Root| {
        let named = about_name(&root.name).map(|digest| archive.tree.now(digest));
        let digest = named.or_else(|| subject_of(archive, root.node))?;
        let itself = archive.node(root.node).digest.as_ref() == Some(&digest);
        (here.contains(&digest) && !itself).then_some(digest)
    };
    archive.roots.iter().enumerate().filter_map(|(i, root)| Some((i, of(root)?))).collect()
}

/// The digests of these nodes and of everything below them, without what is not in `only`.
pub fn reached(archive: &Archive, node: NodeId, only: Option<&HashSet<NodeId>>) -> HashSet<Digest> {
    let below = archive.below(node).into_iter().filter(|node| only.is_none_or(|only| only.contains(node)));
    below.filter_map(|node| archive.node(node).digest.clone()).collect()
}
