//! An opened archive: documents, blobs, and the graph that links them. Facts only; rules judge.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::blob::BlobFacts;
use crate::digest::Digest;
use crate::json::{Json, SyntaxError};
use crate::layer::LayerFacts;
use crate::layer::evidence::Oddities;
use crate::location::{Location, MemberId};
use crate::media::Family;
use crate::model::statement::Subject;
use crate::model::view::{Config, Descriptor};
use crate::reference::Reference;
use crate::source::{Tree, TreeAnomaly};

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
    /// The form, as its [`Format`](crate::form::Format) names it, such as `oci`.
    pub form: &'static str,
    /// Members and their bytes.
    pub tree: Tree,
    /// Every JSON document that was read, in the order of reading.
    pub documents: Vec<Document>,
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
    pub ingested: HashMap<MemberId, Box<BlobFacts>>,
}

/// One JSON document.
#[derive(Debug)]
pub struct Document {
    /// Where it stands.
    pub member: MemberId,
    /// What it is meant to be.
    pub kind: DocKind,
    /// Its exact bytes.
    pub bytes: Arc<[u8]>,
    /// SHA-256 of them.
    pub sha256: Digest,
    /// The parsed text, or why it is not JSON.
    pub json: Result<Json, SyntaxError>,
}

impl Document {
    /// The top-level value, if it parsed.
    pub fn root(&self) -> Option<&crate::json::Value> {
        self.json.as_ref().ok().map(|json| &json.root)
    }
}

/// What a document is meant to be, by the place or descriptor that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocKind {
    /// `oci-layout`
    OciLayout,
    /// An index or manifest list.
    Index(Family),
    /// A manifest.
    Manifest(Family),
    /// A Docker schema 1 manifest.
    Schema1,
    /// The withdrawn OCI artifact manifest.
    ArtifactManifest,
    /// An image config.
    Config(Family),
    /// `manifest.json` of a docker-archive.
    DockerArchive,
    /// `repositories`
    Repositories,
    /// `<id>/json` of a v1 image.
    V1Image,
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

/// What was learnt by reading blobs.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// By blob, as far as they were read.
    pub blobs: Vec<Option<BlobFacts>>,
    /// What is in layers, as far as that was asked for and they could be read to their ends.
    pub layers: HashMap<BlobId, Arc<LayerFacts>>,
    /// What is odd about a layer (by its place in its image, base first) where it lies on others.
    pub stacks: HashMap<(NodeId, usize), Oddities>,
    /// What in-toto statements are about, likewise.
    pub subjects: Vec<Subject>,
    /// Digests of members that share a name and a size.
    pub members: HashMap<MemberId, Digest>,
    /// Layers that were not read, since they are larger as stored than the limit layer-bytes lets them be expanded.
    pub oversized: HashSet<BlobId>,
}

impl Facts {
    /// None yet, of so many blobs.
    pub fn of(blobs: usize) -> Facts {
        Facts { blobs: vec![None; blobs], ..Facts::default() }
    }

    /// The facts of a blob, if it was read.
    pub fn get(&self, blob: BlobId) -> Option<&BlobFacts> {
        self.blobs.get(blob.index())?.as_ref()
    }

    /// What is in a layer.
    pub fn layer(&self, blob: BlobId) -> Option<&LayerFacts> {
        self.layers.get(&blob).map(|layer| &**layer)
    }

    /// Takes over what others know.
    pub fn add(&mut self, more: Facts) {
        for (slot, found) in self.blobs.iter_mut().zip(more.blobs) {
            *slot = slot.take().or(found);
        }
        self.layers.extend(more.layers);
        self.stacks.extend(more.stacks);
        self.subjects.extend(more.subjects);
        self.members.extend(more.members);
        self.oversized.extend(more.oversized);
    }
}

/// A manifest or index.
#[derive(Debug)]
pub struct Node {
    /// Its digest, as a descriptor, file name or link gives it; for an image without manifest there is none yet.
    pub digest: Option<Digest>,
    /// Its media type: what a descriptor says, else what the document says or must be guessed to be.
    pub media_type: Option<String>,
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
    /// The descriptor, if a manifest points at it.
    pub descriptor: Option<Descriptor>,
    /// The blob; `None` if what points at it cannot be understood.
    pub blob: Option<BlobId>,
    /// The place that points at it.
    pub at: Location,
    /// What that place says: a digest or a member name.
    pub wanted: String,
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
    pub descriptor: Option<Descriptor>,
    /// In registry storage, the repository's path as it stands there.
    pub repository: Option<String>,
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

/// Something odd about an archive as a whole, or about how its parts fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anomaly {
    /// About the container of members.
    Tree(TreeAnomaly),
    /// A JSON document larger than the limit, or than all of them together may be; it was not read.
    DocumentTooLarge {
        /// The member.
        member: MemberId,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
        /// Name of the limit.
        name: &'static str,
    },
    /// A member that the form demands is missing.
    MissingMember {
        /// Its name.
        name: &'static str,
        /// What demands it, such as `an OCI layout`.
        of: &'static str,
    },
    /// More of something than a limit allows; the rest was not read.
    LimitHit {
        /// Where.
        at: Location,
        /// Name of the limit.
        name: &'static str,
        /// The limit.
        limit: u64,
    },
    /// An index that contains itself.
    Cycle {
        /// The descriptor that closes it.
        at: Location,
        /// The digest.
        digest: Digest,
    },
    /// The kind of a document cannot be told (formats.md D.9).
    Undecidable {
        /// The document.
        member: MemberId,
    },
    /// A text that should be a reference and is not.
    BadName {
        /// Where it stands.
        at: Location,
        /// The text.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The halves of a dual archive disagree.
    HalvesDisagree {
        /// Where in `manifest.json`.
        at: Location,
        /// Where in the OCI half, if one place can be named.
        other: Option<Location>,
        /// How.
        what: Disagreement,
    },
    /// Two items claim one tag for different images.
    TagTwice {
        /// Second place.
        at: Location,
        /// First place.
        first: Location,
        /// The tag.
        name: String,
    },
    /// A v1 image directory that is not sound.
    V1 {
        /// Where.
        at: Location,
        /// How.
        problem: V1Problem,
    },
    /// A value in `repositories` that no image answers to.
    UnknownImage {
        /// Where.
        at: Location,
        /// The ID.
        id: String,
    },
    /// A link in registry storage that is not exactly a digest.
    BadLink {
        /// The link.
        member: MemberId,
        /// Its content, cut to 100 bytes.
        content: String,
    },
    /// A tag without `current/link`.
    TagWithoutCurrent {
        /// A member below the tag's directory.
        member: MemberId,
        /// Repository and tag.
        name: String,
    },
    /// A tag points at a manifest that is no revision of its repository, or a revision or tag at no blob.
    LinkTargetMissing {
        /// The link.
        member: MemberId,
        /// What it points at.
        digest: Digest,
        /// What is missing: `blob`, `revision link` or `layer link`.
        what: &'static str,
    },
    /// Something in registry storage or a `dir:` layout that is not as its writer leaves it.
    Storage {
        /// Where.
        at: Location,
        /// What.
        problem: StorageProblem,
    },
    /// The v1 images of a tag, beside a `manifest.json`, are not the image that it names so.
    Legacy {
        /// The tag in `repositories`.
        at: Location,
        /// How they differ.
        problem: LegacyProblem,
    },
    /// A legacy part of the archive that is not read because a newer one is there.
    LegacyIgnored {
        /// How many members.
        members: u64,
    },
    /// A tar that is judged as a layer, and nobody said that it is one.
    TakenForLayer {
        /// Why it is no image archive.
        because: String,
    },
    /// The archive holds no image at all.
    Empty {
        /// Where they would be listed.
        at: Location,
    },
}

/// How the halves of a dual archive disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disagreement {
    /// One image, two orders or sets of layers.
    Layers,
    /// One tag, two images.
    Tag(String),
    /// The OCI half lacks a tag of an image that it has.
    TagMissing(String),
    /// The OCI half lacks an image.
    ImageMissing,
    /// The docker half lacks a tag of an image that it has.
    RepoTagMissing(String),
    /// The docker half lacks an image.
    ItemMissing,
}

/// What a link of registry storage is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// A manifest of the repository.
    Revision,
    /// A config or layer of the repository.
    Layer,
    /// A manifest that a tag pointed at.
    History,
}

/// What can be odd about registry storage and `dir:` layouts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageProblem {
    /// A link to a blob that is not there.
    Dangling {
        /// What the link is for.
        kind: LinkKind,
        /// The blob.
        digest: Digest,
    },
    /// A tag's manifest is not in its history.
    NotInIndex(Digest),
    /// A blob that is there, and that something in this repository needs, has no link in it.
    NoLink {
        /// The link that is missing.
        kind: LinkKind,
        /// The blob.
        digest: Digest,
        /// The repository.
        repository: String,
    },
    /// Path and content of a link are two digests of one algorithm.
    Mismatch {
        /// By its path.
        path: Digest,
        /// By its content.
        content: Digest,
    },
    /// A blob in another folder than that of its first two digits.
    Misplaced(Digest),
    /// A blob to which no repository has a link.
    Unlinked,
    /// The text in `version` of a `dir:` layout is none of the known ones; cut to 64 bytes.
    Version(String),
    /// A signature of a `dir:` layout in none of the known formats.
    Signature,
}

/// How v1 images differ from the image that has their tag in `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LegacyProblem {
    /// One of them is not there, or cannot be read.
    Absent(String),
    /// The parents form a cycle.
    Cycle,
    /// Their layers are others.
    Layers,
}

/// What can be wrong with a v1 image directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum V1Problem {
    /// The directory's name is not 64 lower-case hex digits.
    BadId,
    /// There is no `json`.
    NoJson,
    /// The `id` in its `json` is another one.
    OtherId(String),
    /// `VERSION` is missing, or holds this (cut to 16 bytes) and not `1.0`.
    Version(Option<String>),
    /// The parent is not in the archive.
    ParentMissing(String),
    /// The parents form a cycle.
    Cycle,
}

impl Archive {
    /// A document.
    pub fn document(&self, id: DocId) -> &Document {
        &self.documents[id.index()]
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
    pub fn config(&self, parts: &ImageParts) -> Option<Config<'_>> {
        let document = self.blob(parts.config.blob?).document?;
        Config::of(self.document(document))
    }

    /// The document that a part's blob was parsed into.
    pub fn part_document(&self, part: &Part) -> Option<&Document> {
        Some(self.document(self.blob(part.blob?).document?))
    }

    /// A node and everything below it, parents before children, each once.
    pub fn below(&self, node: NodeId) -> Vec<NodeId> {
        self.below_unseen(node, &mut HashSet::new())
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
