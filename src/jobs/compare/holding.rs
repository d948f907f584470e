//! What a place holds, reduced to what must survive a conversion. All of it is computed from bytes that were read.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::digest::Digest;
use crate::facts::Facts;
use crate::json::{self, Value};
use crate::location::MemberId;
use crate::media::{Codec, IMAGE_NAME, LayerType, REF_NAME};
use crate::model::select::{self, Chosen};
use crate::model::{Archive, Body, Descriptor, DocId, Form, Name, NodeId, Part, Role};
use crate::read::{self, Verify};

/// How deep a descriptor may nest: more is no descriptor.
const DEPTH: usize = 64;

/// What a place holds.
#[derive(Debug, Clone, Default)]
pub struct Holding {
    /// Images, artifacts, attestations and indexes, in source order.
    pub things: Vec<Thing>,
    /// Whether the form holds names at all.
    pub has_names: bool,
    /// Whether the form holds signatures beside manifests.
    pub has_signatures: bool,
}

/// What a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A container can be run from it.
    Image,
    /// A BuildKit attestation.
    Attestation,
    /// Anything else that has a manifest.
    Artifact,
    /// An index or manifest list.
    Index,
}

impl Kind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Image => "image",
            Kind::Attestation => "attestation",
            Kind::Artifact => "artifact",
            Kind::Index => "index",
        }
    }
}

/// A document with its digest.
#[derive(Debug, Clone)]
pub struct Text {
    /// SHA-256 of the bytes; of schema 1, of what is signed.
    pub digest: String,
    /// The bytes.
    pub bytes: Arc<[u8]>,
}

/// An image, artifact, attestation or index. Images of one config are one, however often they are stored.
#[derive(Debug, Clone)]
pub struct Thing {
    /// What it is.
    pub kind: Kind,
    /// The image ID; of what has no config that is one, the digest of the manifest.
    pub id: String,
    /// Full names in their familiar form, and tags without repository as `:tag`.
    pub names: BTreeSet<String>,
    /// Normalised; of an attestation, that of the image that it is about.
    pub platform: String,
    /// The artifact type, or the media type of the config where there is none; of images nothing.
    pub artifact_type: String,
    /// The config of an image.
    pub config: Option<Text>,
    /// The ways in which its layers are stored, each once.
    pub arrangements: Vec<Arrangement>,
    /// Its manifests, or the index itself, by digest; none where the form has no manifests.
    pub documents: BTreeMap<String, Arc<[u8]>>,
    /// Whether every way in which it is stored has a manifest.
    pub has_manifests: bool,
    /// Digests of the signatures beside its manifests.
    pub signatures: BTreeSet<String>,
    /// Annotations of the descriptors in `index.json` that name it, without names; nothing where none does.
    pub annotations: Option<BTreeMap<String, String>>,
}

/// One way in which the layers of an image are stored, base first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arrangement(pub Vec<Layer>);

/// A layer or another blob, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// SHA-256 of the stored bytes; nothing if it is not there.
    pub stored: Option<Digest>,
    /// Bytes as stored.
    pub size: u64,
    /// The compression.
    pub codec: Codec,
    /// SHA-256 of the decompressed bytes, or of the stored ones of what is no layer.
    pub diff_id: Option<Digest>,
}

impl Layer {
    /// What is in it, however it is compressed. What is not known of two is not the same.
    pub fn same_content(&self, other: &Layer) -> bool {
        self.stored == other.stored || self.diff_id.is_some() && self.diff_id == other.diff_id
    }
}

impl Arrangement {
    /// What is in the layers, however they are compressed.
    pub fn same_content(&self, other: &Arrangement) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(a, b)| a.same_content(b))
    }
}

/// What leads to a node.
#[derive(Default)]
struct Above {
    names: BTreeSet<String>,
    annotations: Option<BTreeMap<String, String>>,
    platform: Option<String>,
    attests: Option<String>,
}

impl Holding {
    /// What these roots of an archive reach.
    pub(super) fn of(archive: &Archive, facts: &Facts, roots: &[Chosen], verify: Verify) -> Holding {
        let seen = Seen { archive, facts, verify };
        let (order, mut above) = reached(archive, roots);
        let mut holding = Holding {
            things: Vec::new(),
            has_names: archive.form != Form::Dir,
            has_signatures: archive.form == Form::Dir,
        };
        let mut places: HashMap<(Kind, String), usize> = HashMap::new();
        let mut platforms: HashMap<String, String> = HashMap::new();
        let mut about = Vec::new();
        for node in order {
            let Some(above) = above.remove(&node) else { continue };
            let attests = above.attests.clone();
            let Some(thing) = seen.thing(node, above) else { continue };
            if let Some(digest) = &archive.node(node).digest {
                platforms.insert(digest.to_string(), thing.platform.clone());
            }
            let at = *places.entry((thing.kind, thing.id.clone())).or_insert(holding.things.len());
            about.extend(attests.map(|attests| (at, attests)));
            match holding.things.get_mut(at) {
                Some(known) => known.merge(thing),
                None => holding.things.push(thing),
            }
        }
        for (at, attests) in about {
            if let (Some(platform), Some(thing)) = (platforms.get(&attests), holding.things.get_mut(at)) {
                thing.platform.clone_from(platform);
            }
        }
        holding
    }
}

/// Everything that roots reach, each once, parents before children; and what leads there.
fn reached(archive: &Archive, roots: &[Chosen]) -> (Vec<NodeId>, HashMap<NodeId, Above>) {
    let documents: HashMap<MemberId, DocId> =
        archive.documents.iter().zip(0..).map(|(listed, id)| (listed.member, DocId(id))).collect();
    let mut order = Vec::new();
    let mut above: HashMap<NodeId, Above> = HashMap::new();
    // Many names may lead to one large index, which is walked once.
    let mut names: HashMap<NodeId, BTreeSet<String>> = HashMap::new();
    let mut tops = Vec::new();
    for chosen in roots {
        let node = chosen.root.node;
        if let Entry::Vacant(slot) = names.entry(node) {
            slot.insert(BTreeSet::new());
            tops.push(node);
        }
        names.entry(node).or_default().extend(shown(&chosen.root.name));
        if let Some(descriptor) = &chosen.root.descriptor {
            let own = annotations(archive, &documents, descriptor);
            above.entry(node).or_default().annotations.get_or_insert_default().extend(own);
        }
    }
    let mut met = HashSet::new();
    for top in tops {
        for node in archive.below(top) {
            order.extend(met.insert(node).then_some(node));
            let own = above.entry(node).or_default();
            own.names.extend(names.get(&top).into_iter().flatten().cloned());
            let Body::Index { children, .. } = &archive.node(node).body else { continue };
            for edge in children {
                let Some(child) = edge.node else { continue };
                let entry = above.entry(child).or_default();
                let platform = edge.descriptor.platform.as_ref().filter(|own| !own.is_unknown());
                let platform = platform.map(|platform| platform.normalised().to_string());
                entry.platform = entry.platform.take().or(platform);
                entry.attests = entry.attests.take().or_else(|| edge.attests.clone());
            }
        }
    }
    (order, above)
}

impl Thing {
    /// Takes over what another node of the same image adds.
    fn merge(&mut self, other: Thing) {
        self.names.extend(other.names);
        self.documents.extend(other.documents);
        self.has_manifests &= other.has_manifests;
        self.signatures.extend(other.signatures);
        if let Some(annotations) = other.annotations {
            self.annotations.get_or_insert_default().extend(annotations);
        }
        for arrangement in other.arrangements {
            if !self.arrangements.contains(&arrangement) {
                self.arrangements.push(arrangement);
            }
        }
    }
}

fn shown(name: &Name) -> Option<String> {
    match name {
        Name::None => None,
        name => Some(name.shown()),
    }
}

/// The annotations of a descriptor, without those that are names.
fn annotations(
    archive: &Archive,
    documents: &HashMap<MemberId, DocId>,
    descriptor: &Descriptor,
) -> BTreeMap<String, String> {
    let id = descriptor.at.member.and_then(|member| documents.get(&member));
    let document = id.map(|id| archive.document(*id));
    let text =
        document.as_ref().and_then(|document| document.bytes.get(descriptor.span.start..descriptor.span.end));
    let Some(json) = text.and_then(|text| json::parse(text, DEPTH).ok()) else {
        return BTreeMap::new();
    };
    let members = json.root.get("annotations").map(Value::members).unwrap_or_default();
    let own = members.iter().filter(|member| !matches!(&*member.key, IMAGE_NAME | REF_NAME));
    own.map(|member| (member.key.to_string(), member.value.as_str().unwrap_or_default().to_owned())).collect()
}

fn artifact_type(root: &Value) -> Option<String> {
    let own = root.get("artifactType").or_else(|| root.get("config")?.get("mediaType"));
    own.and_then(Value::as_str).map(str::to_owned)
}

/// Bytes of a signature that are looked at.
const SIGNATURE: u64 = 16 << 20;

/// The manifest or index of a node, under the digest of its bytes.
fn document(archive: &Archive, facts: &Facts, node: NodeId) -> Option<Text> {
    let held = archive.node(node);
    match (&held.body, held.document) {
        (Body::Item { .. } | Body::V1 { .. }, _) => None,
        // Its digest is that of what is signed in it, which a rule holds against the claim.
        (Body::Schema1 { .. }, Some(id)) => Some(Text {
            digest: held.digest.as_ref()?.to_string(),
            bytes: Arc::clone(&archive.document(id).bytes),
        }),
        (_, Some(id)) => {
            let document = archive.document(id);
            Some(Text { digest: document.sha256.to_string(), bytes: Arc::clone(&document.bytes) })
        }
        // Not JSON, or of a type that is none of ours.
        (_, None) => {
            let digest = facts.get(held.blob?)?.sha256.to_string();
            Some(Text { digest, bytes: Arc::from([]) })
        }
    }
}

/// The layers or blobs of a node. Empty layers of schema 1 have no counterpart in what it is converted to.
fn parts(archive: &Archive, node: NodeId) -> Vec<&Part> {
    const EMPTY: &str = "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4";
    let held = archive.node(node);
    match &held.body {
        Body::Manifest { parts, .. } | Body::Item { parts } => parts.layers.iter().collect(),
        Body::Schema1 { layers } => layers.iter().filter(|part| *part.wanted() != *EMPTY).collect(),
        _ => held.all_parts(),
    }
}

/// An archive with what was read of it.
struct Seen<'a> {
    archive: &'a Archive,
    facts: &'a Facts,
    verify: Verify,
}

impl Seen<'_> {
    /// A node as a thing; nothing for what is not there.
    fn thing(&self, node: NodeId, above: Above) -> Option<Thing> {
        let Seen { archive, facts, .. } = *self;
        let held = archive.node(node);
        let kind = match &held.body {
            Body::Absent => return None,
            Body::Index { .. } => Kind::Index,
            Body::Manifest { parts, .. } | Body::Item { parts } => match parts.role {
                Role::Image => Kind::Image,
                Role::Attestation => Kind::Attestation,
                Role::Artifact => Kind::Artifact,
            },
            Body::V1 { .. } | Body::Schema1 { .. } => Kind::Image,
            Body::ArtifactManifest { .. } | Body::Opaque | Body::Layer { .. } => Kind::Artifact,
        };
        let document = document(archive, facts, node);
        let config = match kind {
            Kind::Image => read::config_of(archive, node, facts)
                .ok()
                .flatten()
                .map(|(bytes, _)| Text { digest: Digest::sha256(&bytes).to_string(), bytes: bytes.into() }),
            _ => None,
        };
        let id = match (&config, &document) {
            (Some(config), _) => config.digest.clone(),
            (None, Some(document)) => document.digest.clone(),
            (None, None) => held.blob.map_or_else(String::new, |blob| format!("blob {}", blob.0)),
        };
        let own = select::platform_of(archive, node, None).map(|own| own.normalised().to_string());
        let platform = own.filter(|own| !own.is_empty() && kind == Kind::Image).or(above.platform);
        let artifact_type = match kind {
            Kind::Artifact => {
                archive.node_document(node).and_then(|document| artifact_type(document.root()?))
            }
            _ => None,
        };
        let arrangement = Arrangement(self.layers(node, config.as_ref()));
        let signature = |member| archive.tree.read(member, SIGNATURE).ok().flatten();
        let signatures = held.signatures.iter().filter_map(|&member| signature(member));
        Some(Thing {
            kind,
            id,
            names: above.names,
            platform: platform.unwrap_or_default(),
            artifact_type: artifact_type.unwrap_or_default(),
            config,
            arrangements: if kind == Kind::Index { Vec::new() } else { vec![arrangement] },
            has_manifests: document.is_some(),
            documents: document.into_iter().map(|document| (document.digest, document.bytes)).collect(),
            signatures: signatures.map(|bytes| Digest::sha256(&bytes).to_string()).collect(),
            annotations: above.annotations,
        })
    }

    /// The layers or blobs of a node, base first.
    fn layers(&self, node: NodeId, config: Option<&Text>) -> Vec<Layer> {
        let claimed = match (self.verify, config) {
            (Verify::Digests, Some(config)) => diff_ids(&config.bytes),
            _ => Vec::new(),
        };
        let parts = parts(self.archive, node);
        // What cannot be told apart by number claims nothing.
        let of = |at: usize| claimed.get(at).filter(|_| claimed.len() == parts.len()).cloned();
        parts.iter().enumerate().map(|(at, part)| self.layer(part, || of(at))).collect()
    }

    fn layer(&self, part: &Part, claimed: impl Fn() -> Option<Digest>) -> Layer {
        let held = part.blob.map(|blob| self.archive.blob(blob));
        let member = held.and_then(|held| held.member);
        match (part.blob.and_then(|blob| self.facts.get(blob)), member) {
            (Some(found), _) => {
                let plain = found.plain.as_ref().map(|plain| plain.diff_id.clone());
                let packed = held.is_some_and(|held| held.layer) && found.codec != Codec::Plain;
                let own = || if packed { claimed() } else { Some(found.sha256.clone()) };
                Layer {
                    stored: Some(found.sha256.clone()),
                    size: found.size,
                    codec: found.codec,
                    diff_id: plain.or_else(own),
                }
            }
            // A registry was asked for it, and says that it is there.
            (None, Some(member)) if self.verify == Verify::Digests => {
                let media_type =
                    part.descriptor().and_then(|descriptor| LayerType::of(descriptor.type_or_empty()));
                let stored = Digest::parse(part.wanted()).ok();
                let is_layer = held.is_some_and(|held| held.layer);
                Layer {
                    size: self.archive.tree.member(member).size,
                    codec: media_type.map_or(Codec::Plain, |kind| kind.codec),
                    diff_id: if is_layer { claimed() } else { stored.clone() },
                    stored,
                }
            }
            _ => Layer { stored: None, size: 0, codec: Codec::Plain, diff_id: None },
        }
    }
}

/// What a config says of its layers. Something in the place of one that cannot be understood would be equal to others.
fn diff_ids(config: &[u8]) -> Vec<Digest> {
    let root = json::parse(config, DEPTH).ok().map(|json| json.root);
    let list = root.as_ref().and_then(|root| root.at("/rootfs/diff_ids"));
    let ids = list.map(Value::items).unwrap_or_default().iter().map(|id| Digest::parse(id.as_str()?).ok());
    ids.collect::<Option<_>>().unwrap_or_default()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An image with one layer and a manifest.
    pub fn image(id: &str, name: &str, platform: &str) -> Thing {
        let text = |of: &str| format!(r#"{{"of":"{of}"}}"#).into_bytes().into();
        let layer = |bytes: &[u8]| Layer {
            stored: Some(Digest::sha256(bytes)),
            size: bytes.len() as u64,
            codec: Codec::Plain,
            diff_id: Some(Digest::sha256(bytes)),
        };
        Thing {
            kind: Kind::Image,
            id: id.to_owned(),
            names: Some(name.to_owned()).filter(|name| !name.is_empty()).into_iter().collect(),
            platform: platform.to_owned(),
            artifact_type: String::new(),
            config: Some(Text { digest: id.to_owned(), bytes: text(id) }),
            arrangements: vec![Arrangement(vec![layer(b"base"), layer(b"top")])],
            documents: BTreeMap::from([(format!("manifest of {id}"), text(id))]),
            has_manifests: true,
            signatures: BTreeSet::new(),
            annotations: None,
        }
    }

    pub fn holding(things: Vec<Thing>) -> Holding {
        Holding { things, has_names: true, has_signatures: false }
    }
}
