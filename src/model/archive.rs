//! An opened archive: documents, blobs, and the graph that links them. Facts only; rules judge.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use crate::digest::{Algorithm, Digest};
use crate::error::Result;
use crate::json::Value;
use crate::location::{Location, MemberId};
use crate::media::{Family, LayerType};
use crate::model::anomaly::Anomaly;
use crate::model::document::{Document, Listed};
use crate::model::form::Form;
use crate::model::texts::Texts;
use crate::model::view::{Config, Descriptor};
use crate::reference::Reference;
use crate::source::{Ingested, Tree};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);
        impl $name {
            pub(crate) fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

id!(
    /// A document of an [`Archive`].
    DocId
);
id!(
    /// A blob of an [`Archive`].
    BlobId
);
id!(
    /// A manifest or index of an [`Archive`].
    NodeId
);

/// An opened archive.
pub struct Archive {
    /// The form that it was read as.
    pub form: Form,
    /// Members and their bytes.
    pub tree: Tree,
    /// Every JSON document that was read, in the order of reading; [`document`](Archive::document) gives its text.
    pub documents: Vec<Listed>,
    /// Every blob that something points at, and every member at a digest's place.
    pub blobs: Vec<Blob>,
    /// Manifests and indexes; children may stand before or after their parents.
    pub nodes: Vec<Node>,
    /// Named entry points, in source order.
    pub roots: Vec<Root>,
    /// What was odd.
    pub anomalies: Vec<Anomaly>,
    /// The layout's `index.json`, if the form has one.
    pub index_json: Option<DocId>,
    /// What was learnt of blobs while a stream was spooled.
    pub ingested: Ingested,
    pub(super) texts: Texts,
    /// The first root of each node, and the first that has a name: made when it is asked for, and all roots are there.
    pub(super) by_node: OnceLock<HashMap<NodeId, (usize, Option<usize>)>>,
}

/// A blob.
#[derive(Debug, Clone)]
pub struct Blob {
    /// The digest that its place or a descriptor gives it.
    pub digest: Option<Digest>,
    /// Where its bytes are; `None` if the archive lacks them.
    pub member: Option<MemberId>,
    /// The document that was parsed from it.
    pub document: Option<DocId>,
    /// Whether something uses it as a layer that can be decompressed.
    pub layer: bool,
    /// Whether the graph reaches it.
    pub referenced: bool,
}

impl Blob {
    /// Whether its bytes have yet to be looked at: documents were read when the archive was opened, but what a manifest
    /// calls a layer is judged as one all the same.
    pub fn is_to_be_read(&self) -> bool {
        self.document.is_none() || self.layer
    }
}

/// A manifest or index.
#[derive(Debug)]
pub struct Node {
    /// Its digest, as a descriptor, file name or link gives it; for an image without manifest there is none yet.
    pub digest: Option<Digest>,
    /// Its media type: what a descriptor says, else what the document says or must be guessed to be.
    pub media_type: Option<Cow<'static, str>>,
    /// The blob that holds it.
    pub blob: Option<BlobId>,
    /// The parsed document.
    pub document: Option<DocId>,
    /// What it holds.
    pub body: Body,
    /// `dir:` signatures, in order.
    pub signatures: Vec<MemberId>,
}

/// What a node holds.
#[derive(Debug)]
pub enum Body {
    /// An index or manifest list.
    Index {
        /// OCI or Docker.
        family: Family,
        /// Its children, in order.
        children: Vec<Edge>,
    },
    /// A manifest of an image, attestation or artifact.
    Manifest {
        /// OCI or Docker.
        family: Family,
        /// Config and layers.
        parts: ImageParts,
    },
    /// An image that has no manifest: an item of a docker-archive's `manifest.json`.
    Item {
        /// Config and layers.
        parts: ImageParts,
    },
    /// An image of the first era: v1 images from base to top, one layer each.
    V1 {
        /// The `json` documents, base first.
        chain: Vec<DocId>,
        /// The layers, base first.
        layers: Vec<Part>,
    },
    /// A Docker schema 1 manifest; its layers base first, with the index in `fsLayers` in their places.
    Schema1 {
        /// The layers, base first, empty ones included.
        layers: Vec<Part>,
    },
    /// The withdrawn OCI artifact manifest.
    ArtifactManifest {
        /// Its blobs.
        blobs: Vec<Part>,
    },
    /// A layer outside any archive: what lies below it is not known.
    Layer {
        /// The one layer.
        layers: Vec<Part>,
    },
    /// The archive does not hold it.
    Absent,
    /// It is there, but is not what it should be, or its type is none of ours.
    Opaque,
}

/// The config and layers of a manifest or item.
#[derive(Debug)]
pub struct ImageParts {
    /// The config.
    pub config: Part,
    /// The layers, base first.
    pub layers: Vec<Part>,
    /// What kind of thing it is.
    pub role: Role,
}

/// What a manifest is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// A container can be run from it.
    Image,
    /// A BuildKit attestation.
    Attestation,
    /// Anything else, cosign signatures included.
    Artifact,
}

/// A config or layer as something points at it.
#[derive(Debug, Clone)]
pub struct Part {
    /// The blob; `None` if what points at it cannot be understood.
    pub blob: Option<BlobId>,
    by: By,
}

/// What points at a part. A registry has a hundred thousand of them, so that a descriptor says its place and digest once.
#[derive(Debug, Clone)]
enum By {
    /// A manifest.
    Descriptor(Descriptor),
    /// Anything else, with the digest or the name of a member that it says.
    Word { at: Location, wanted: Arc<str> },
}

impl Part {
    /// One that a manifest points at.
    pub(crate) fn described(descriptor: Descriptor, blob: Option<BlobId>) -> Part {
        Part { blob, by: By::Descriptor(descriptor) }
    }

    /// One that a place points at by a digest or a member name.
    pub(crate) fn called(wanted: impl Into<Arc<str>>, at: Location, blob: Option<BlobId>) -> Part {
        Part { blob, by: By::Word { at, wanted: wanted.into() } }
    }

    /// The descriptor, if a manifest points at it.
    pub fn descriptor(&self) -> Option<&Descriptor> {
        match &self.by {
            By::Descriptor(descriptor) => Some(descriptor),
            By::Word { .. } => None,
        }
    }

    /// The place that points at it.
    pub fn at(&self) -> &Location {
        match &self.by {
            By::Descriptor(descriptor) => &descriptor.at,
            By::Word { at, .. } => at,
        }
    }

    /// What that place says: a digest or a member name.
    pub fn wanted(&self) -> &str {
        match &self.by {
            By::Descriptor(Descriptor { digest: Some(Ok(digest)), .. }) => digest.as_str(),
            By::Descriptor(Descriptor { digest: Some(Err(bad)), .. }) => &bad.0,
            By::Descriptor(Descriptor { digest: None, .. }) => "",
            By::Word { wanted, .. } => wanted,
        }
    }

    /// Whether its type says that it may stand elsewhere.
    pub(crate) fn is_foreign(&self) -> bool {
        self.descriptor()
            .and_then(|d| LayerType::of(d.type_or_empty()))
            .is_some_and(|kind| kind.nondistributable)
    }
}

/// A child of an index.
#[derive(Debug, Clone)]
pub struct Edge {
    /// The descriptor.
    pub descriptor: Descriptor,
    /// The child; `None` if the descriptor has no usable digest.
    pub node: Option<NodeId>,
    /// Whether it is marked as the attestation of another child.
    pub attestation: bool,
    /// The child that it is marked to attest.
    pub attests: Option<String>,
}

/// A named (or unnamed) entry point.
#[derive(Debug, Clone)]
pub struct Root {
    /// Where it is declared.
    pub at: Location,
    /// Its name.
    pub name: Name,
    /// What it points at.
    pub node: NodeId,
    /// The descriptor in `index.json` that declares it.
    pub descriptor: Option<Box<Descriptor>>,
    /// In registry storage, the repository's path as it stands there.
    pub repository: Option<String>,
    /// What leads to it.
    pub via: Via,
}

impl Root {
    /// What a list has without a name.
    pub(crate) fn listed(at: Location, node: NodeId) -> Root {
        Root { at, name: Name::None, node, descriptor: None, repository: None, via: Via::List }
    }
}

/// What leads to a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Via {
    /// A list of what there is, or a tag.
    List,
    /// Its own `subject` alone: it is about something that is here, and nothing lists it.
    Subject,
    /// Its place among the revisions of a repository alone: no tag names it.
    Revision,
}

/// The name of a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// None.
    None,
    /// A full reference.
    Full(Reference),
    /// A tag without repository.
    BareTag(String),
    /// A text that is no reference: carried, never understood.
    Unreadable(String),
}

impl Name {
    /// As people read it.
    pub fn shown(&self) -> String {
        match self {
            Name::None => "<none>".into(),
            Name::Full(reference) => reference.familiar(),
            Name::BareTag(tag) => format!(":{tag}"),
            Name::Unreadable(text) => text.clone(),
        }
    }
}

impl Archive {
    /// Gives back what was held in reserve while it grew.
    pub(crate) fn shrink(&mut self) {
        self.documents.shrink_to_fit();
        self.blobs.shrink_to_fit();
        self.nodes.shrink_to_fit();
        self.roots.shrink_to_fit();
        self.anomalies.shrink_to_fit();
    }

    /// A document with its text. One that cannot be read again, or is no longer what it was, is empty; that is told by
    /// [`unchanged`](Archive::unchanged), before anybody relies on what was judged.
    pub fn document(&self, id: DocId) -> Document {
        self.texts.document(id.0, self.listed(id), &self.tree)
    }

    /// Fails if the archive, or a document of it, was changed while it was read, or could not be read again.
    ///
    /// # Errors
    ///
    /// That it changed, or why a document could not be read.
    pub fn unchanged(&self) -> Result<()> {
        self.tree.unchanged()?;
        self.texts.failure().map_or(Ok(()), Err)
    }

    /// What is kept of a document.
    pub fn listed(&self, id: DocId) -> &Listed {
        &self.documents[id.index()]
    }

    /// What is kept of the document that a part's blob was parsed into.
    pub fn part_listed(&self, part: &Part) -> Option<&Listed> {
        Some(self.listed(self.blob(part.blob?).document?))
    }

    /// A blob.
    pub fn blob(&self, id: BlobId) -> &Blob {
        &self.blobs[id.index()]
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// The parsed config of an image, if its config is one.
    pub fn config(&self, parts: &ImageParts) -> Option<Config> {
        Config::of(self.part_document(&parts.config)?)
    }

    /// The document that a part's blob was parsed into.
    pub fn part_document(&self, part: &Part) -> Option<Document> {
        Some(self.document(self.blob(part.blob?).document?))
    }

    /// The document that a member was read as.
    pub fn document_at(&self, member: MemberId) -> Option<Document> {
        let at = self.documents.iter().position(|listed| listed.member == member)?;
        Some(self.document(DocId(at as u32)))
    }

    /// The document of a manifest or index.
    pub fn node_document(&self, node: NodeId) -> Option<Document> {
        self.node(node).document.map(|id| self.document(id))
    }

    /// A node and everything below it, parents before children, each once.
    pub fn below(&self, node: NodeId) -> Vec<NodeId> {
        self.below_unseen(node, &mut HashSet::new())
    }

    /// Descriptors of `index.json` that point at nothing because their digest is none.
    pub fn unreadable_roots(&self) -> Vec<Descriptor> {
        let Some(index) = self.index_json.map(|id| self.document(id)) else { return Vec::new() };
        let Some(list) = index.root().and_then(|root| root.get("manifests")) else { return Vec::new() };
        let base = Location::pointer(index.member, "/manifests");
        let items = list.items().iter().enumerate().filter(|(_, item)| item.is_object());
        items
            .map(|(i, item)| Descriptor::of(item, base.child(i)))
            .filter(|descriptor| descriptor.good_digest().is_none())
            .collect()
    }

    /// The same without what was seen before: many roots may share one large index, which must not be walked for each.
    pub fn below_unseen(&self, node: NodeId, seen: &mut HashSet<NodeId>) -> Vec<NodeId> {
        let mut found = Vec::new();
        found.extend(seen.insert(node).then_some(node));
        let mut next = 0;
        while let Some(&node) = found.get(next) {
            next += 1;
            if let Body::Index { children, .. } = &self.node(node).body {
                found
                    .extend(children.iter().filter_map(|edge| edge.node).filter(|&child| seen.insert(child)));
            }
        }
        found
    }

    /// The nodes at or below which there is one of this kind; each edge is looked at once.
    pub fn reaching(&self, wanted: impl Fn(NodeId) -> bool) -> HashSet<NodeId> {
        let mut parents: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
        for (i, node) in self.nodes.iter().enumerate() {
            if let Body::Index { children, .. } = &node.body {
                for child in children.iter().filter_map(|edge| edge.node) {
                    parents.entry(child).or_default().push(NodeId(i as u32));
                }
            }
        }
        let mut pending: Vec<NodeId> =
            (0..self.nodes.len() as u32).map(NodeId).filter(|id| wanted(*id)).collect();
        let mut found = HashSet::new();
        while let Some(node) = pending.pop() {
            if found.insert(node) {
                pending.extend(parents.get(&node).into_iter().flatten());
            }
        }
        found
    }

    /// The layers that configs name by another algorithm than SHA-256, and by which one.
    pub fn diff_algorithms(&self) -> HashMap<BlobId, Algorithm> {
        let mut found = HashMap::new();
        for parts in self.nodes.iter().filter_map(Node::parts).filter(|parts| parts.role == Role::Image) {
            if !self.part_listed(&parts.config).is_some_and(|listed| listed.other_diff_ids) {
                continue;
            }
            let Some(config) = self.config(parts) else { continue };
            let list = config.value().at("/rootfs/diff_ids");
            for (item, layer) in list.map(Value::items).unwrap_or_default().iter().zip(&parts.layers) {
                let other = item.as_str().filter(|text| !text.starts_with("sha256:"));
                let other = other.and_then(|text| Digest::parse(text).ok()?.algorithm());
                if let (Some(other), Some(blob)) = (other, layer.blob) {
                    found.entry(blob).or_insert(other);
                }
            }
        }
        found
    }

    /// Whether the archive holds the bytes of a part.
    pub fn holds(&self, part: &Part) -> bool {
        part.blob.is_some_and(|blob| self.blob(blob).member.is_some())
    }
}

impl Node {
    /// Config, layers and role of an image that has a manifest or is an item of one.
    pub fn parts(&self) -> Option<&ImageParts> {
        match &self.body {
            Body::Manifest { parts, .. } | Body::Item { parts } => Some(parts),
            _ => None,
        }
    }

    /// What an index lists; nothing of anything else.
    pub fn children(&self) -> &[Edge] {
        match &self.body {
            Body::Index { children, .. } => children,
            _ => &[],
        }
    }

    /// Every config, layer or other blob that it points at.
    pub fn all_parts(&self) -> Vec<&Part> {
        match &self.body {
            Body::Manifest { parts, .. } | Body::Item { parts } => {
                std::iter::once(&parts.config).chain(&parts.layers).collect()
            }
            Body::V1 { layers, .. } | Body::Schema1 { layers } | Body::Layer { layers } => {
                layers.iter().collect()
            }
            Body::ArtifactManifest { blobs } => blobs.iter().collect(),
            Body::Index { .. } | Body::Absent | Body::Opaque => Vec::new(),
        }
    }
}
