//! What the readers of all forms share: loading documents once, finding blobs, and following descriptors.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::digest::Digest;
use crate::error::Result;
use crate::json::{self, Value};
use crate::limits::Limits;
use crate::location::{Location, MemberId};
use crate::media::{self, DocumentType, Family, LayerType};
use crate::model::archive::*;
use crate::model::view::{Descriptor, annotation, text};
use crate::source::{Ingested, MemberKind, Tree};

/// Annotation of an attestation's descriptor: the digest of the image (formats.md F.1).
pub const ATTESTED: &str = "vnd.docker.reference.digest";

/// Finds the member that holds a digest; the flag asks for a manifest or index.
pub type Locate = Box<dyn Fn(&Tree, &Digest, bool) -> Option<MemberId>>;

/// Builds an [`Archive`].
pub struct Builder<'a> {
    /// The archive so far.
    pub archive: Archive,
    limits: &'a Limits,
    locate: Locate,
    by_member: HashMap<MemberId, BlobId>,
    by_digest: HashMap<Digest, BlobId>,
    documents: HashMap<MemberId, DocId>,
    /// By digest, and by what a descriptor takes it for: one digest may be named under two types.
    nodes: HashMap<(Digest, Option<DocumentType>), NodeId>,
    document_bytes: u64,
    /// Of the nodes whose edges are settled: how deep indexes nest from there.
    heights: HashMap<NodeId, u64>,
    /// Whether it was said that indexes nest too deep.
    told_depth: bool,
}

impl<'a> Builder<'a> {
    /// Starts an archive.
    pub fn new(
        form: &'static str,
        tree: Tree,
        ingested: Ingested,
        limits: &'a Limits,
        locate: Locate,
    ) -> Builder<'a> {
        let anomalies = tree.anomalies.iter().cloned().map(Anomaly::Tree).collect();
        Builder {
            archive: Archive {
                form,
                tree,
                documents: Vec::new(),
                blobs: Vec::new(),
                nodes: Vec::new(),
                roots: Vec::new(),
                anomalies,
                index_json: None,
                ingested,
            },
            limits,
            locate,
            by_member: HashMap::new(),
            by_digest: HashMap::new(),
            documents: HashMap::new(),
            nodes: HashMap::new(),
            document_bytes: 0,
            heights: HashMap::new(),
            told_depth: false,
        }
    }

    /// Changes how blobs are found.
    pub fn set_locate(&mut self, locate: Locate) {
        self.locate = locate;
    }

    /// Notes something odd.
    pub fn odd(&mut self, anomaly: Anomaly) {
        self.archive.anomalies.push(anomaly);
    }

    /// The member of a fixed name, links followed.
    pub fn file(&self, name: &str) -> Option<MemberId> {
        self.archive.tree.file(name.as_bytes())
    }

    /// Whether the archive holds a blob.
    pub fn has_blob(&self, digest: &Digest) -> bool {
        (self.locate)(&self.archive.tree, digest, false).is_some()
    }

    /// Tells of descriptors in a manifest or index that hold too much of what they point at.
    fn cap_data(&mut self, document: DocId, member: MemberId) {
        let Some(root) = self.value(document) else { return };
        let lists = ["layers", "manifests", "blobs"].into_iter().flat_map(|key| {
            let items = root.get(key).map_or(&[][..], Value::items).iter().enumerate();
            items.map(move |(i, item)| (format!("/{key}/{i}"), item))
        });
        let alone = ["config", "subject"].into_iter();
        let alone = alone.filter_map(|key| Some((format!("/{key}"), root.get(key)?)));
        let limit = self.limits.data_bytes;
        let bytes = |text: &str| {
            (text.len() / 4 * 3).saturating_sub(text.bytes().rev().take(2).filter(|&b| b == b'=').count())
        };
        let long = lists.chain(alone).filter(|(_, item)| {
            let data = item.get("data").and_then(Value::as_str);
            data.is_some_and(|data| bytes(data) as u64 > limit)
        });
        let long: Vec<Location> =
            long.map(|(at, _)| Location::pointer(member, format!("{at}/data"))).collect();
        for at in long {
            self.odd(Anomaly::LimitHit { at, name: "data-bytes", limit });
        }
    }

    /// Reads and parses a document, once; `None` if it is too large (noted).
    pub fn document(&mut self, member: MemberId, kind: DocKind) -> Result<Option<DocId>> {
        if let Some(&id) = self.documents.get(&member) {
            return Ok(Some(id));
        }
        let size = self.archive.tree.member(member).size;
        let limit = self.limits.document_bytes;
        let Some(bytes) = self.archive.tree.read(member, limit)? else {
            self.odd(Anomaly::DocumentTooLarge { member, size, limit, name: "document-bytes" });
            return Ok(None);
        };
        // Every value but the first stands behind one of these; those in strings are few.
        let values = bytes.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count() as u64 + 1;
        if values > self.limits.json_values {
            let (at, limit) = (Location::member(member), self.limits.json_values);
            self.odd(Anomaly::LimitHit { at, name: "json-values", limit });
            return Ok(None);
        }
        self.document_bytes = self.document_bytes.saturating_add(bytes.len() as u64 + values * 64);
        if self.document_bytes > self.limits.documents_bytes {
            let limit = self.limits.documents_bytes;
            self.odd(Anomaly::DocumentTooLarge { member, size, limit, name: "documents-bytes" });
            return Ok(None);
        }
        let json = json::parse(&bytes, self.limits.json_depth as usize);
        let id = DocId(self.archive.documents.len() as u32);
        self.archive.documents.push(Document {
            member,
            kind,
            sha256: Digest::sha256(&bytes),
            bytes: Arc::from(bytes),
            json,
        });
        self.documents.insert(member, id);
        if let Some(&blob) = self.by_member.get(&member) {
            self.archive.blobs[blob.index()].document = Some(id);
        }
        // Whatever it is taken for here: the same document may be something else to another.
        self.cap_data(id, member);
        Ok(Some(id))
    }

    /// The digest that a stored manifest's `subject` names; the manifest is looked at, not taken into the archive.
    pub fn subject_of(&self, digest: &Digest) -> Result<Option<Digest>> {
        let Some(member) = (self.locate)(&self.archive.tree, digest, true) else { return Ok(None) };
        let Some(bytes) = self.archive.tree.read(member, self.limits.document_bytes)? else {
            return Ok(None);
        };
        let Ok(json) = json::parse(&bytes, self.limits.json_depth as usize) else { return Ok(None) };
        let subject = json.root.get("subject").and_then(|subject| text(subject, "digest"));
        Ok(subject.and_then(|text| Digest::parse(&text).ok()))
    }

    /// The top-level value of a document.
    pub fn value(&self, id: DocId) -> Option<&Value> {
        self.archive.document(id).root()
    }

    /// The blob that a member holds.
    pub fn blob_of_member(&mut self, member: MemberId) -> BlobId {
        if let Some(&id) = self.by_member.get(&member) {
            return id;
        }
        let document = self.documents.get(&member).copied();
        let id =
            self.push(Blob { digest: None, member: Some(member), document, layer: false, referenced: true });
        self.by_member.insert(member, id);
        id
    }

    /// The blob of a digest, whether or not the archive holds it.
    pub fn blob_of_digest(&mut self, digest: &Digest, manifest: bool) -> BlobId {
        if let Some(&id) = self.by_digest.get(digest) {
            self.archive.blobs[id.index()].referenced = true;
            return id;
        }
        let member = (self.locate)(&self.archive.tree, digest, manifest);
        let id = match member.and_then(|member| self.by_member.get(&member).copied()) {
            Some(id) if self.archive.blob(id).digest.is_none() => id,
            _ => {
                let document = member.and_then(|member| self.documents.get(&member).copied());
                self.push(Blob { digest: None, member, document, layer: false, referenced: true })
            }
        };
        let blob = &mut self.archive.blobs[id.index()];
        blob.digest = Some(digest.clone());
        blob.referenced = true;
        if let Some(member) = member {
            self.by_member.entry(member).or_insert(id);
        }
        self.by_digest.insert(digest.clone(), id);
        id
    }

    /// A member at a digest's place that nothing may point at: its name promises its content.
    pub fn stored_blob(&mut self, digest: Digest, member: MemberId) {
        if self.by_digest.contains_key(&digest) || self.archive.tree.member(member).kind != MemberKind::File {
            return;
        }
        let id = self.blob_of_member(member);
        let blob = &mut self.archive.blobs[id.index()];
        blob.referenced = false;
        blob.digest = Some(digest.clone());
        self.by_digest.insert(digest, id);
    }

    fn push(&mut self, blob: Blob) -> BlobId {
        self.archive.blobs.push(blob);
        BlobId(self.archive.blobs.len() as u32 - 1)
    }

    /// Cuts the layers of one image to the limit.
    pub fn cap_layers<T>(&mut self, layers: &mut Vec<T>, at: Location) {
        self.cap(layers, at, "layers", self.limits.layers);
    }

    /// Cuts images that have no manifests to the limit.
    pub fn cap_images<T>(&mut self, images: &mut Vec<T>, at: Location) {
        self.cap(images, at, "manifests", self.limits.manifests);
    }

    fn cap<T>(&mut self, list: &mut Vec<T>, at: Location, name: &'static str, limit: u64) {
        if list.len() as u64 > limit {
            self.odd(Anomaly::LimitHit { at, name, limit });
            list.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        }
    }

    /// Marks a blob as a layer to be decompressed.
    pub fn is_layer(&mut self, blob: BlobId) {
        self.archive.blobs[blob.index()].layer = true;
    }

    /// Adds a node.
    pub fn node(&mut self, node: Node) -> NodeId {
        self.archive.nodes.push(node);
        NodeId(self.archive.nodes.len() as u32 - 1)
    }

    /// A part that a descriptor points at.
    pub fn part(&mut self, descriptor: Descriptor) -> Part {
        let digest = descriptor.good_digest().cloned();
        let blob = digest.as_ref().map(|digest| self.blob_of_digest(digest, false));
        let wanted = match &descriptor.digest {
            Some(Ok(digest)) => digest.to_string(),
            Some(Err((text, _))) => text.clone(),
            None => String::new(),
        };
        Part { at: descriptor.at.clone(), descriptor: Some(descriptor), blob, wanted }
    }

    /// A part that is named by its member.
    pub fn part_of_member(&mut self, name: &str, at: Location) -> Part {
        let tree = &self.archive.tree;
        let find = |name: &str| tree.file(&crate::tar::clean(name.as_bytes()).path);
        // Old daemons on Windows wrote backslashes (formats.md A.2).
        let member = find(name).or_else(|| find(&name.replace('\\', "/")));
        let blob = member.map(|member| self.blob_of_member(member));
        Part { descriptor: None, blob, at, wanted: name.to_owned() }
    }

    /// The node that a descriptor points at, with everything below it.
    pub fn follow(&mut self, descriptor: &Descriptor) -> Result<Option<NodeId>> {
        let Some(digest) = descriptor.good_digest().cloned() else { return Ok(None) };
        let media_type = descriptor.media_type.clone();
        self.manifest(digest, media_type, &descriptor.at)
    }

    /// The node of a digest. `media_type` is what a descriptor says; without one the document's own word counts,
    /// then the guess of formats.md D.9.
    pub fn manifest(
        &mut self,
        digest: Digest,
        media_type: Option<String>,
        at: &Location,
    ) -> Result<Option<NodeId>> {
        let mut walk = Walk { pending: vec![], open: HashSet::new() };
        let root = self.load(digest, media_type, at, 0, &mut walk)?;
        // Depth first, so that documents and blobs are met in the order in which they are written.
        while let Some((parent, digest, media_type, at, depth, slot)) = walk.pending.pop() {
            let child = self.load(digest, media_type, &at, depth, &mut walk)?;
            if let Body::Index { children, .. } = &mut self.archive.nodes[parent.index()].body {
                children[slot].node = child;
            }
        }
        self.settle(root);
        Ok(root)
    }

    fn load(
        &mut self,
        digest: Digest,
        media_type: Option<String>,
        at: &Location,
        depth: u64,
        walk: &mut Walk,
    ) -> Result<Option<NodeId>> {
        let named = media_type.as_deref().and_then(DocumentType::of);
        let key = (digest.clone(), named);
        if let Some(&node) = self.nodes.get(&key) {
            return Ok(Some(node));
        }
        if self.archive.nodes.len() as u64 >= self.limits.manifests {
            if walk.open.insert("manifests") {
                let limit = self.limits.manifests;
                self.odd(Anomaly::LimitHit { at: at.clone(), name: "manifests", limit });
            }
            return Ok(None);
        }
        let blob = self.blob_of_digest(&digest, true);
        let mut node = Node {
            digest: Some(digest),
            media_type: media_type.clone(),
            blob: Some(blob),
            document: None,
            body: Body::Absent,
            signatures: Vec::new(),
        };
        let Some(member) = self.archive.blob(blob).member else {
            let id = self.node(node);
            self.nodes.insert(key, id);
            return Ok(Some(id));
        };
        node.body = Body::Opaque;
        if media_type.is_some() && named.is_none() && self.peek(member)?.is_none() {
            // Neither manifest nor index: whatever it is, it is carried as a blob (formats.md H, 72).
            let id = self.node(node);
            self.nodes.insert(key, id);
            return Ok(Some(id));
        }
        let provisional = named.map_or(DocKind::Manifest(Family::Oci), kind_of);
        node.document = self.document(member, provisional)?;
        let document_type = match (named, node.document.and_then(|id| self.value(id))) {
            // What is plainly of the other kind is taken as that: the descriptor is wrong.
            (Some(named), Some(value)) => {
                Some(plainly(value).filter(|own| other_kind(*own, named)).unwrap_or(named))
            }
            (Some(named), None) => Some(named),
            (None, Some(value)) => guess(value),
            (None, None) => None,
        };
        if let Some(own) = document_type.filter(|own| media_type.is_some() && named != Some(*own)) {
            // Under its own type it may be known already.
            let own_key = (key.0.clone(), Some(own));
            if let Some(&known) = self.nodes.get(&own_key) {
                self.nodes.insert(key, known);
                return Ok(Some(known));
            }
            self.nodes.insert(own_key, NodeId(self.archive.nodes.len() as u32));
            node.media_type = Some(own_type(node.document.and_then(|id| self.value(id)), own));
        }
        if let (Some(id), Some(document_type)) = (node.document, document_type) {
            self.archive.documents[id.index()].kind = kind_of(document_type);
        }
        if node.media_type.is_none() {
            node.media_type = document_type.map(|t| own_type(node.document.and_then(|id| self.value(id)), t));
        }
        if named.is_none() && document_type.is_none() && node.document.is_some() {
            self.odd(Anomaly::Undecidable { member });
        }
        let document = node.document;
        let id = self.node(node);
        self.nodes.insert(key, id);
        if let (Some(document), Some(document_type)) = (document, document_type) {
            if self.value(document).is_some_and(Value::is_object) {
                let body = self.body(id, document, document_type, at, depth, walk)?;
                self.archive.nodes[id.index()].body = body;
            }
        }
        Ok(Some(id))
    }

    /// What a blob that is declared as something else plainly is, if it is a manifest or index.
    fn peek(&self, member: MemberId) -> Result<Option<DocumentType>> {
        let Some(bytes) = self.archive.tree.read(member, self.limits.document_bytes)? else {
            return Ok(None);
        };
        let open = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        let values = bytes.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count() as u64;
        if open != Some(&b'{') || values >= self.limits.json_values {
            return Ok(None);
        }
        Ok(json::parse(&bytes, self.limits.json_depth as usize).ok().and_then(|json| plainly(&json.root)))
    }

    fn body(
        &mut self,
        id: NodeId,
        document: DocId,
        document_type: DocumentType,
        at: &Location,
        depth: u64,
        walk: &mut Walk,
    ) -> Result<Body> {
        let member = self.archive.document(document).member;
        Ok(match document_type {
            DocumentType::Index(family) => {
                let children = self.children(document, "/manifests");
                if depth >= self.limits.index_depth {
                    self.too_deep(at);
                    return Ok(Body::Index { family, children: Vec::new() });
                }
                for (slot, edge) in children.iter().enumerate().rev() {
                    if let Some(digest) = edge.descriptor.good_digest() {
                        let descriptor = &edge.descriptor;
                        walk.pending.push((
                            id,
                            digest.clone(),
                            descriptor.media_type.clone(),
                            descriptor.at.clone(),
                            depth + 1,
                            slot,
                        ));
                    }
                }
                Body::Index { family, children }
            }
            DocumentType::Manifest(family) => Body::Manifest { family, parts: self.parts(document, member)? },
            DocumentType::Schema1 => Body::Schema1 { layers: self.schema1_layers(document, member) },
            DocumentType::ArtifactManifest => {
                let blobs = self.descriptors(document, member, "/blobs");
                Body::ArtifactManifest { blobs: blobs.into_iter().map(|d| self.part(d)).collect() }
            }
        })
    }

    /// The descriptors of `index.json` or of an index, not followed yet.
    pub fn children(&self, document: DocId, pointer: &str) -> Vec<Edge> {
        let member = self.archive.document(document).member;
        let Some(list) = self.value(document).and_then(|value| value.at(pointer)) else { return Vec::new() };
        let base = Location::pointer(member, pointer);
        let items = list.items().iter().enumerate().filter(|(_, item)| item.is_object());
        items
            .map(|(i, item)| Edge {
                descriptor: Descriptor::of(item, base.child(i)),
                node: None,
                attestation: annotation(item, "vnd.docker.reference.type") == Some("attestation-manifest"),
                attests: annotation(item, ATTESTED).map(str::to_owned),
            })
            .collect()
    }

    fn descriptors(&self, document: DocId, member: MemberId, pointer: &str) -> Vec<Descriptor> {
        let Some(list) = self.value(document).and_then(|value| value.at(pointer)) else { return Vec::new() };
        let base = Location::pointer(member, pointer);
        let items = list.items().iter().enumerate().filter(|(_, item)| item.is_object());
        items.map(|(i, item)| Descriptor::of(item, base.child(i))).collect()
    }

    fn parts(&mut self, document: DocId, member: MemberId) -> Result<ImageParts> {
        let value = self.value(document);
        let artifact_type = value.and_then(|value| text(value, "artifactType"));
        let config = match value.and_then(|value| value.get("config")).filter(|config| config.is_object()) {
            Some(config) => Descriptor::of(config, Location::pointer(member, "/config")),
            None => Descriptor::of(&NOTHING, Location::pointer(member, "")),
        };
        let mut layers = self.descriptors(document, member, "/layers");
        self.cap_layers(&mut layers, Location::pointer(member, "/layers"));
        let config_type = config.type_or_empty().to_owned();
        let image_config = media::is_image_config(&config_type) || media::is_legacy_config(&config_type);
        let layer_like = |d: &Descriptor| is_layer_like(d.type_or_empty());
        let attestation = artifact_type.as_deref()
            == Some("application/vnd.docker.attestation.manifest.v1+json")
            || layers.first().is_some_and(|d| d.type_or_empty() == "application/vnd.in-toto+json");
        // What has layers is run by every tool, whatever it calls itself.
        let has_layers = layers.iter().any(layer_like);
        let role = if attestation && !has_layers {
            Role::Attestation
        } else if image_config && (layers.is_empty() || has_layers) {
            Role::Image
        } else {
            Role::Artifact
        };
        let config = self.part(config);
        if media::is_image_config(&config_type) || (role == Role::Image && image_config) {
            let family = if config_type == media::OCI_CONFIG { Family::Oci } else { Family::Docker };
            if let Some(member) = config.blob.and_then(|blob| self.archive.blob(blob).member) {
                self.document(member, DocKind::Config(family))?;
            }
        }
        let layers: Vec<Part> = layers.into_iter().map(|d| self.part(d)).collect();
        for layer in &layers {
            let plain = layer.descriptor.as_ref().is_some_and(|d| LayerType::of(d.type_or_empty()).is_some());
            if let (Some(blob), true) = (layer.blob, plain) {
                self.is_layer(blob);
            }
        }
        Ok(ImageParts { config, layers, role })
    }

    /// The layers of a schema 1 manifest, base first; the same blob may occur often (empty layers).
    fn schema1_layers(&mut self, document: DocId, member: MemberId) -> Vec<Part> {
        let sums: Vec<(usize, String)> = self
            .value(document)
            .and_then(|value| value.get("fsLayers"))
            .map(|list| {
                list.items()
                    .iter()
                    .enumerate()
                    .filter_map(|(i, item)| Some((i, text(item, "blobSum")?)))
                    .collect()
            })
            .unwrap_or_default();
        let sums = sums.into_iter().rev().take(self.limits.layers as usize);
        sums.map(|(i, sum)| {
            let at = Location::pointer(member, format!("/fsLayers/{i}/blobSum"));
            let blob = Digest::parse(&sum).ok().map(|digest| self.blob_of_digest(&digest, false));
            if let Some(blob) = blob {
                self.is_layer(blob);
            }
            Part { descriptor: None, blob, at, wanted: sum }
        })
        .collect()
    }

    /// Removes edges that lead back to one of their own ancestors (without a forged digest there are none), and those
    /// below which indexes nest too deep. What was loaded for an earlier root is not walked again: many roots may share
    /// one large index, and each may add a level to the one before.
    fn settle(&mut self, root: Option<NodeId>) {
        let mut open = HashSet::new();
        let mut stack: Vec<(NodeId, usize)> = root.map(|root| (root, 0)).into_iter().collect();
        while let Some((node, slot)) = stack.pop() {
            if slot == 0 && (self.heights.contains_key(&node) || !open.insert(node)) {
                continue;
            }
            let Body::Index { children, .. } = &self.archive.nodes[node.index()].body else {
                self.heights.insert(node, 0);
                continue;
            };
            // The child before this slot is settled by now.
            let before = slot.checked_sub(1).and_then(|slot| Some((slot, children.get(slot)?.node?)));
            let next = children.get(slot).map(|edge| edge.node);
            if let Some((slot, child)) = before {
                self.judge_edge(node, slot, child);
            }
            match next {
                Some(child) => {
                    stack.push((node, slot + 1));
                    stack.extend(child.map(|child| (child, 0)));
                }
                None => {
                    let height = self.height_of(node);
                    self.heights.insert(node, height);
                    open.remove(&node);
                }
            }
        }
    }

    /// Cuts an edge whose child is still open, for then it is an ancestor, or too deep.
    fn judge_edge(&mut self, node: NodeId, slot: usize, child: NodeId) {
        let height = self.heights.get(&child).copied();
        if height.is_some_and(|height| height < self.limits.index_depth) {
            return;
        }
        let Body::Index { children, .. } = &mut self.archive.nodes[node.index()].body else { return };
        let Some(edge) = children.get_mut(slot) else { return };
        edge.node = None;
        let (at, digest) = (edge.descriptor.at.clone(), edge.descriptor.good_digest().cloned());
        match (height, digest) {
            (Some(_), _) => self.too_deep(&at),
            (None, Some(digest)) => self.odd(Anomaly::Cycle { at, digest }),
            (None, None) => {}
        }
    }

    /// Indexes from a node to its deepest descendant, itself included.
    fn height_of(&self, node: NodeId) -> u64 {
        let Body::Index { children, .. } = &self.archive.nodes[node.index()].body else { return 0 };
        let below = children.iter().filter_map(|edge| self.heights.get(&edge.node?)).max();
        1 + below.copied().unwrap_or(0)
    }

    /// Said once: where one index nests too deep, many do.
    fn too_deep(&mut self, at: &Location) {
        let limit = self.limits.index_depth;
        if !std::mem::replace(&mut self.told_depth, true) {
            self.odd(Anomaly::LimitHit { at: at.clone(), name: "index-depth", limit });
        }
    }
}

/// What is still to be loaded: parent, digest, media type, place, depth, position in the parent.
struct Walk {
    pending: Vec<(NodeId, Digest, Option<String>, Location, u64, usize)>,
    open: HashSet<&'static str>,
}

static NOTHING: Value = Value { span: json::Span { start: 0, end: 0 }, kind: json::Kind::Null };

fn kind_of(document_type: DocumentType) -> DocKind {
    match document_type {
        DocumentType::Index(family) => DocKind::Index(family),
        DocumentType::Manifest(family) => DocKind::Manifest(family),
        DocumentType::Schema1 => DocKind::Schema1,
        DocumentType::ArtifactManifest => DocKind::ArtifactManifest,
    }
}

/// Whether a media type in `layers` is that of a file system layer, known or not.
fn is_layer_like(media_type: &str) -> bool {
    LayerType::of(media_type).is_some()
        || media_type.ends_with("+encrypted")
        || media_type.starts_with("application/vnd.oci.image.layer.")
        || media_type.starts_with("application/vnd.docker.image.rootfs.")
        || media_type.starts_with("application/vnd.erofs.layer.")
}

/// The type that a document gives itself, if its members agree and make it nothing else.
fn plainly(value: &Value) -> Option<DocumentType> {
    let own = value.get("mediaType").and_then(Value::as_str).and_then(DocumentType::of)?;
    let is = |name: &str| value.get(name).is_some_and(|member| !member.is_null());
    match own {
        DocumentType::Index(_) => is("manifests") && !is("config") && !is("layers"),
        DocumentType::Manifest(_) => is("config") && is("layers") && !is("manifests"),
        DocumentType::Schema1 | DocumentType::ArtifactManifest => false,
    }
    .then_some(own)
}

/// Whether one is a manifest and the other an index.
fn other_kind(a: DocumentType, b: DocumentType) -> bool {
    use DocumentType::{Index, Manifest};
    matches!((a, b), (Index(_), Manifest(_)) | (Manifest(_), Index(_)))
}

/// The type of a document that nothing declares: its own word, else the guess of formats.md D.9.
pub fn guess(value: &Value) -> Option<DocumentType> {
    if let Some(named) = value.get("mediaType").and_then(Value::as_str).and_then(DocumentType::of) {
        return Some(named);
    }
    match value.get("schemaVersion").and_then(Value::as_u64) {
        Some(1) => Some(DocumentType::Schema1),
        Some(2) => {
            let config = value.get("config").and_then(|config| text(config, "mediaType"));
            let many = value.get("manifests").is_some_and(|list| !list.items().is_empty());
            Some(match config.as_deref() {
                Some(media::DOCKER_CONFIG) => DocumentType::Manifest(Family::Docker),
                Some(media::OCI_CONFIG) => DocumentType::Manifest(Family::Oci),
                _ if many => DocumentType::Index(Family::Oci),
                _ => DocumentType::Manifest(Family::Oci),
            })
        }
        _ => None,
    }
}

/// The media type to write for a document whose type was guessed.
fn own_type(value: Option<&Value>, document_type: DocumentType) -> String {
    let own = value.and_then(|value| text(value, "mediaType"));
    if let Some(own) = own.filter(|own| DocumentType::of(own) == Some(document_type)) {
        return own;
    }
    let signed = value.is_some_and(|value| value.get("signatures").is_some());
    if signed && document_type == DocumentType::Schema1 {
        return media::DOCKER_SCHEMA1_SIGNED.to_owned();
    }
    type_of(document_type).to_owned()
}

/// The media type of a kind of document.
pub fn type_of(document_type: DocumentType) -> &'static str {
    match document_type {
        DocumentType::Index(Family::Oci) => media::OCI_INDEX,
        DocumentType::Index(Family::Docker) => media::DOCKER_LIST,
        DocumentType::Manifest(Family::Oci) => media::OCI_MANIFEST,
        DocumentType::Manifest(Family::Docker) => media::DOCKER_MANIFEST,
        DocumentType::Schema1 => media::DOCKER_SCHEMA1,
        DocumentType::ArtifactManifest => media::OCI_ARTIFACT_MANIFEST,
    }
}
