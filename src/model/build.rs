//! What the readers of all forms share: loading documents once, finding blobs, and following descriptors.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use crate::digest::Digest;
use crate::error::Result;
use crate::json::{self, Value};
use crate::limits::Limits;
use crate::location::{Location, MemberId};
use crate::media::{DocumentType, Family};
use crate::model::archive::*;
use crate::model::document::{Listed, Text};
use crate::model::kind::{guess, kind_of, other_kind, own_type, plainly};
use crate::model::texts::{Texts, values};
use crate::model::view::{Descriptor, annotation, text};
use crate::model::{Anomaly, DocKind, Find, Form, Sought};
use crate::source::{Ingested, MemberKind, Tree};

/// Annotation of an attestation's descriptor: the digest of the image (formats.md F.1).
pub const ATTESTED: &str = "vnd.docker.reference.digest";

/// Builds an [`Archive`].
pub struct Builder<'a> {
    /// The archive so far.
    pub archive: Archive,
    pub(super) limits: &'a Limits,
    find: Box<dyn Find>,
    by_member: HashMap<MemberId, BlobId>,
    by_digest: HashMap<Digest, BlobId>,
    documents: HashMap<MemberId, DocId>,
    /// By digest, and by what a descriptor takes it for: one digest may be named under two types.
    nodes: HashMap<(Digest, Option<DocumentType>), NodeId>,
    document_bytes: u64,
    /// Of the nodes whose edges are settled: how deep indexes nest from there.
    pub(super) heights: HashMap<NodeId, u64>,
    /// Whether it was said that indexes nest too deep.
    pub(super) told_depth: bool,
}

impl<'a> Builder<'a> {
    /// Starts an archive.
    pub fn new(
        form: Form,
        tree: Tree,
        ingested: Ingested,
        limits: &'a Limits,
        find: impl Find + 'static,
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
                texts: Texts::new(limits),
                by_node: OnceLock::new(),
            },
            limits,
            find: Box::new(find),
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
    pub fn set_find(&mut self, find: impl Find + 'static) {
        self.find = Box::new(find);
    }

    fn find(&mut self, digest: &Digest, sought: Sought) -> Result<Option<MemberId>> {
        self.find.find(&mut self.archive.tree, digest, sought)
    }

    /// The caps in force.
    pub fn limits(&self) -> &Limits {
        self.limits
    }

    /// Notes something odd.
    pub fn odd(&mut self, anomaly: Anomaly) {
        self.archive.anomalies.push(anomaly);
    }

    /// The member of a fixed name, links followed.
    pub fn file(&self, name: &str) -> Option<MemberId> {
        self.archive.tree.file(name.as_bytes())
    }

    /// Whether a manifest or index of this digest was met, whatever it was taken for.
    pub fn has_node(&self, digest: &Digest) -> bool {
        let known = |kind: Option<DocumentType>| self.nodes.contains_key(&(digest.clone(), kind));
        known(None) || DocumentType::ALL.into_iter().any(|kind| known(Some(kind)))
    }

    /// Whether the archive holds a blob.
    pub fn has_blob(&mut self, digest: &Digest) -> Result<bool> {
        Ok(self.find(digest, Sought::Blob)?.is_some())
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
        // No text holds more values than bytes.
        if bytes.len() as u64 > self.limits.json_values && values(&bytes) > self.limits.json_values {
            let (at, limit) = (Location::member(member), self.limits.json_values);
            self.odd(Anomaly::LimitHit { at, name: "json-values", limit });
            return Ok(None);
        }
        let text = Text::parse(bytes, self.limits);
        self.document_bytes =
            self.document_bytes.saturating_add(text.bytes.len() as u64 + text.values() * 64);
        if self.document_bytes > self.limits.documents_bytes {
            let limit = self.limits.documents_bytes;
            self.odd(Anomaly::DocumentTooLarge { member, size, limit, name: "documents-bytes" });
            return Ok(None);
        }
        let id = DocId(self.archive.documents.len() as u32);
        let (size, json) = (text.bytes.len() as u64, text.json.is_ok());
        let root = text.json.as_ref().ok().map(|json| &json.root);
        let diff_ids =
            root.and_then(|root| root.at("/rootfs/diff_ids")).map(Value::items).unwrap_or_default();
        let other = |item: &Value| item.as_str().is_some_and(|text| !text.starts_with("sha256:"));
        let other_diff_ids = diff_ids.iter().any(other);
        let has_subject = root.is_some_and(|root| root.get("subject").is_some());
        let sha256 = self.shared(member, Digest::sha256(&text.bytes));
        let check = self.archive.texts.check(&text.bytes);
        self.archive.documents.push(Listed {
            member,
            kind,
            sha256,
            size,
            json,
            other_diff_ids,
            has_subject,
            check,
        });
        self.archive.texts.keep(id.0, Arc::new(text));
        self.documents.insert(member, id);
        if let Some(&blob) = self.by_member.get(&member) {
            self.archive.blobs[blob.index()].document = Some(id);
        }
        // Whatever it is taken for here: the same document may be something else to another.
        self.cap_data(id, member);
        Ok(Some(id))
    }

    /// A digest as the blob of its member has it already, if it does: most are where their names say.
    fn shared(&self, member: MemberId, digest: Digest) -> Digest {
        let known = self.by_member.get(&member).and_then(|&blob| self.archive.blob(blob).digest.as_ref());
        known.filter(|known| **known == digest).cloned().unwrap_or(digest)
    }

    /// Takes in those of these manifests, given with the members that tell of them, that are about something in the
    /// archive, then those that are about them, and so on.
    pub fn referrers(&mut self, others: Vec<(Digest, MemberId)>) -> Result<Vec<(Location, NodeId)>> {
        let mut about: HashMap<Digest, Vec<(Digest, MemberId)>> = HashMap::new();
        for (digest, member) in others {
            if let Some(subject) = self.subject_of(&digest)? {
                about.entry(subject).or_default().push((digest, member));
            }
        }
        let mut found = Vec::new();
        let mut next = 0;
        // Those that come along are nodes themselves, and are met later in this very loop.
        while let Some(node) = self.archive.nodes.get(next) {
            next += 1;
            let here = node.digest.as_ref().and_then(|digest| about.remove(digest));
            for (digest, member) in here.into_iter().flatten() {
                let at = Location::member(member);
                if let Some(node) = self.manifest(digest, None, &at)? {
                    found.push((at, node));
                }
            }
        }
        Ok(found)
    }

    /// The digest that a stored manifest's `subject` names; the manifest is looked at, not taken into the archive.
    fn subject_of(&mut self, digest: &Digest) -> Result<Option<Digest>> {
        let Some(member) = self.find(digest, Sought::Manifest)? else { return Ok(None) };
        let Some(bytes) = self.archive.tree.read(member, self.limits.document_bytes)? else {
            return Ok(None);
        };
        let Ok(json) = json::parse(&bytes, self.limits.json_depth as usize) else { return Ok(None) };
        let subject = json.root.get("subject").and_then(|subject| text(subject, "digest"));
        Ok(subject.and_then(|text| Digest::parse(&text).ok()).map(|digest| self.archive.tree.now(digest)))
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
    ///
    /// # Errors
    ///
    /// Nobody can tell whether it does.
    pub fn blob_of_digest(&mut self, digest: &Digest, sought: Sought) -> Result<BlobId> {
        if let Some(&id) = self.by_digest.get(digest) {
            self.archive.blobs[id.index()].referenced = true;
            return Ok(id);
        }
        let member = self.find(digest, sought)?;
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
        Ok(id)
    }

    /// A member at a digest's place that nothing may point at: its name promises its content.
    pub fn stored_blob(&mut self, digest: Digest, member: MemberId) {
        if self.by_digest.contains_key(&digest) || self.archive.tree.member(member).kind() != MemberKind::File
        {
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
    ///
    /// # Errors
    ///
    /// Nobody can tell whether the archive holds it.
    pub fn part(&mut self, descriptor: Descriptor) -> Result<Part> {
        let digest = descriptor.good_digest().cloned();
        let blob = digest.as_ref().map(|digest| self.blob_of_digest(digest, Sought::Blob)).transpose()?;
        Ok(Part::described(descriptor, blob))
    }

    /// A part that is named by its member.
    pub fn part_of_member(&mut self, name: &str, at: Location) -> Part {
        let tree = &self.archive.tree;
        let find = |name: &str| tree.file_as_written(name.as_bytes());
        // Old daemons on Windows wrote backslashes (formats.md A.2).
        let member = find(name).or_else(|| find(&name.replace('\\', "/")));
        let blob = member.map(|member| self.blob_of_member(member));
        Part::called(name, at, blob)
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
        media_type: MediaType,
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
        media_type: MediaType,
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
        let blob = self.blob_of_digest(&digest, Sought::Manifest)?;
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
        let text = node.document.map(|id| self.archive.document(id));
        let value = text.as_ref().and_then(|text| text.root());
        let document_type = match (named, value) {
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
            node.media_type = Some(own_type(value, own));
        }
        if let (Some(id), Some(document_type)) = (node.document, document_type) {
            self.archive.documents[id.index()].kind = kind_of(document_type);
        }
        if node.media_type.is_none() {
            node.media_type = document_type.map(|t| own_type(value, t));
        }
        if named.is_none() && document_type.is_none() && node.document.is_some() {
            self.odd(Anomaly::Undecidable { member });
        }
        let document = node.document;
        let id = self.node(node);
        self.nodes.insert(key, id);
        if let (Some(document), Some(document_type)) = (document, document_type) {
            if value.is_some_and(Value::is_object) {
                let body = self.body(id, document, document_type, at, depth, walk)?;
                self.archive.nodes[id.index()].body = body;
            }
        }
        Ok(Some(id))
    }

    /// What a blob that is declared as something else plainly is, if it is a manifest or index.
    fn peek(&self, member: MemberId) -> Result<Option<DocumentType>> {
        Ok(self.look(member)?.and_then(|json| plainly(&json.root)))
    }

    /// A blob as JSON, if it begins like an object and is of a size to be a document; it is not taken into the archive.
    pub(super) fn look(&self, member: MemberId) -> Result<Option<json::Json>> {
        let Some(bytes) = self.archive.tree.read(member, self.limits.document_bytes)? else {
            return Ok(None);
        };
        let open = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        let values = bytes.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count() as u64;
        if open != Some(&b'{') || values >= self.limits.json_values {
            return Ok(None);
        }
        Ok(json::parse(&bytes, self.limits.json_depth as usize).ok())
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
        let member = self.archive.listed(document).member;
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
            DocumentType::Schema1 => Body::Schema1 { layers: self.schema1_layers(document, member)? },
            DocumentType::ArtifactManifest => {
                let blobs = self.descriptors(document, member, "/blobs");
                Body::ArtifactManifest {
                    blobs: blobs.into_iter().map(|d| self.part(d)).collect::<Result<_>>()?,
                }
            }
        })
    }

    /// The descriptors of `index.json` or of an index, not followed yet.
    pub fn children(&self, document: DocId, pointer: &str) -> Vec<Edge> {
        let document = self.archive.document(document);
        let member = document.member;
        let Some(list) = document.root().and_then(|value| value.at(pointer)) else { return Vec::new() };
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
}

/// What a descriptor says that something is.
type MediaType = Option<Cow<'static, str>>;

/// What is still to be loaded: parent, digest, media type, place, depth, position in the parent.
struct Walk {
    pending: Vec<(NodeId, Digest, MediaType, Location, u64, usize)>,
    open: HashSet<&'static str>,
}
