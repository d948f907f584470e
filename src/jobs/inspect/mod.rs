//! What an archive holds, for people ([`tree`]) and as JSON of a documented shape (`docs/inspect.md`).

pub mod images;
pub mod raw;
pub mod settings;
pub mod summary;
#[cfg(feature = "cli")]
pub mod table;
#[cfg(feature = "cli")]
pub mod tree;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use self::settings::{Settings, instruction};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::Changed;
use crate::json::Value;
use crate::layer::Changes;
use crate::location::At;
use crate::model::Document;
use crate::model::view::{annotation, text};
use crate::model::{Archive, BlobId, Body, Edge, Name, NodeId, Part, Role, Root, select};

/// The shape as a JSON Schema.
pub const SCHEMA: &str = include_str!("../../../schemas/inspect-v1.json");

/// The whole of an archive.
///
/// In all of these shapes, lists and maps are always there, and what is not known is left out.
#[derive(Debug, Serialize)]
pub struct View {
    /// Version of this shape: 1.
    pub version: u32,
    /// What was typed.
    pub source: String,
    /// The form: `docker-archive`, `oci`, `dir`, `registry-storage`.
    pub form: &'static str,
    /// The compression around the whole archive, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<&'static str>,
    /// Bytes of all layers that are shown, as stored, each once; unknown if one is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// What the names point at, each once, in source order.
    pub images: Vec<Entry>,
}

/// An index, image or artifact.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// `index`, `image`, `attestation`, `artifact`, `missing` or `unknown`.
    pub kind: &'static str,
    /// Its names; tags without repository as `:tag`.
    pub names: Vec<String>,
    /// Digest of its manifest or index, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Media type of its manifest or index.
    #[serde(rename = "mediaType", skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Image ID: the digest of its config.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Normalised platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// When it was made, as the config says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// What kind of artifact it is.
    #[serde(rename = "artifactType", skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The image that it attests or refers to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Bytes of its layers as stored, each once; an index has none of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// So many of them are of layers that another image of the archive has, too.
    #[serde(rename = "sharedSize", skip_serializing_if = "is_zero")]
    pub shared_size: u64,
    /// How it runs, as the config says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<Settings>,
    /// Annotations of the manifest or index.
    pub annotations: BTreeMap<String, String>,
    /// Layers, base first; of an attestation or artifact its blobs.
    pub layers: Vec<Layer>,
    /// Children of an index.
    pub manifests: Vec<Entry>,
}

/// A layer, or a blob of an artifact.
#[derive(Debug, Serialize)]
pub struct Layer {
    /// Its digest as stored, if the archive says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Its diff ID, as the config says.
    #[serde(rename = "diffId", skip_serializing_if = "Option::is_none")]
    pub diff_id: Option<String>,
    /// Bytes as stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Its media type, if a manifest gives one.
    #[serde(rename = "mediaType", skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The member that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// The command that made it, as the config's history says.
    #[serde(rename = "createdBy", skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// The instruction of a Dockerfile in it, as far as it can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// What kind of statement it is, of a blob of an attestation.
    #[serde(rename = "predicateType", skip_serializing_if = "Option::is_none")]
    pub predicate_type: Option<String>,
    /// Whether another image of the archive has it too.
    pub shared: bool,
    /// Whether the archive lacks it.
    pub missing: bool,
    /// What it does to the layers below it, if that was found out.
    #[serde(skip)]
    pub changes: Option<Changes>,
}

impl View {
    /// What these roots hold.
    ///
    /// # Errors
    /// [`Error::Refused`] if it is more than anybody could read: indexes that share children multiply.
    pub fn of(archive: &Archive, roots: &[Root]) -> Result<View> {
        View::with(archive, roots, &Changed::new())
    }

    /// The same, with what is known of what layers change.
    ///
    /// # Errors
    /// As of [`View::of`].
    pub fn with(archive: &Archive, roots: &[Root], changed: &Changed) -> Result<View> {
        let mut order: Vec<(NodeId, Vec<String>)> = Vec::new();
        let mut known: HashMap<NodeId, usize> = HashMap::new();
        for root in roots {
            let at = *known.entry(root.node).or_insert(order.len());
            if at == order.len() {
                order.push((root.node, Vec::new()));
            }
            order[at].1.extend((root.name != Name::None).then(|| root.name.shown()));
        }
        bounded(archive, order.iter().map(|(node, _)| *node))?;
        let known = Known { uses: uses(archive, roots), changed };
        let images: Vec<Entry> =
            order.into_iter().map(|(node, names)| entry(archive, &known, node, None, names)).collect();
        let size = sum(images.iter().flat_map(Entry::all).flat_map(|entry| &entry.layers).map(bytes));
        Ok(View {
            version: 1,
            source: archive.tree.place.clone(),
            form: archive.form.id(),
            compression: archive.tree.outer.map(|codec| codec.name()),
            size,
            images,
        })
    }

    /// As JSON.
    pub fn to_json(&self) -> String {
        crate::json::safe::pretty(self)
    }
}

/// What is left out of JSON where it is nothing.
fn is_zero(size: &u64) -> bool {
    *size == 0
}

/// Which bytes a layer is, and how many.
fn bytes(layer: &Layer) -> (Option<&str>, Option<u64>) {
    (layer.digest.as_deref().or(layer.member.as_deref()), layer.size.filter(|_| !layer.missing))
}

/// The sum of layers, each once; `None` if there are none, or one is of unknown size.
fn sum<'a>(layers: impl Iterator<Item = (Option<&'a str>, Option<u64>)>) -> Option<u64> {
    let mut seen = HashSet::new();
    let mut layers = layers.filter(|(which, _)| which.is_none_or(|which| seen.insert(which))).peekable();
    layers.peek()?;
    layers.try_fold(0u64, |sum, (_, size)| Some(sum.saturating_add(size?)))
}

/// Images and layers that a view may show. 1,000,000: an index of a few kilobytes whose children are indexes again, each
/// named a hundred times, unfolds to more than any memory holds.
const MOST: u64 = 1_000_000;

/// Counts what will be shown, without unfolding it.
fn bounded(archive: &Archive, roots: impl Iterator<Item = NodeId>) -> Result<()> {
    let mut known = HashMap::new();
    let total = roots.fold(0u64, |total, root| total.saturating_add(lines(archive, root, &mut known)));
    if total > MOST {
        let message = format!("{} unfolds to more than {MOST} images and layers", archive.tree.place);
        return Err(
            Error::refused_help(message, "choose one with --image, or use --raw").of(ErrorKind::Limit)
        );
    }
    Ok(())
}

/// Entries and layers of a node with all its children written out. Indexes nest no deeper than the limit index-depth,
/// so this may recurse.
fn lines(archive: &Archive, node: NodeId, known: &mut HashMap<NodeId, u64>) -> u64 {
    if let Some(&lines) = known.get(&node) {
        return lines;
    }
    let held = archive.node(node);
    let mut sum = 1 + held.all_parts().len() as u64;
    if let Body::Index { children, .. } = &held.body {
        for edge in children {
            sum = sum.saturating_add(edge.node.map_or(1, |child| lines(archive, child, known)));
        }
    }
    known.insert(node, sum);
    sum
}

/// How many images use each blob.
fn uses(archive: &Archive, roots: &[Root]) -> HashMap<BlobId, usize> {
    let mut seen = HashSet::new();
    let mut uses = HashMap::new();
    for node in roots.iter().flat_map(|root| archive.below_unseen(root.node, &mut seen)) {
        let mut blobs: Vec<BlobId> =
            archive.node(node).all_parts().iter().filter_map(|part| part.blob).collect();
        blobs.sort();
        blobs.dedup();
        blobs.into_iter().for_each(|blob| *uses.entry(blob).or_default() += 1);
    }
    uses
}

/// What is known of blobs and layers beside the archive itself.
struct Known<'a> {
    uses: HashMap<BlobId, usize>,
    changed: &'a Changed,
}

fn entry(
    archive: &Archive,
    known: &Known<'_>,
    node: NodeId,
    edge: Option<&Edge>,
    names: Vec<String>,
) -> Entry {
    let held = archive.node(node);
    let kind = match &held.body {
        Body::Index { .. } => "index",
        Body::Manifest { parts, .. } | Body::Item { parts } => match parts.role {
            Role::Image => "image",
            Role::Attestation => "attestation",
            Role::Artifact => "artifact",
        },
        Body::V1 { .. } | Body::Schema1 { .. } => "image",
        Body::ArtifactManifest { .. } => "artifact",
        Body::Layer { .. } => "layer",
        Body::Absent => "missing",
        Body::Opaque => "unknown",
    };
    let document = archive.node_document(node);
    let root = document.as_ref().and_then(Document::root);
    let described = edge.and_then(|edge| edge.descriptor.platform.as_deref());
    let platform =
        select::platform_of(archive, node, described).filter(|p| !p.os.is_empty() && !p.is_unknown());
    let config = held.parts().and_then(|parts| archive.config(parts)).filter(|_| kind == "image");
    let subject = edge
        .and_then(|edge| edge.attests.clone())
        .or_else(|| root.and_then(|root| root.get("subject")).and_then(|subject| text(subject, "digest")));
    let annotations = root.and_then(|root| root.get("annotations")).map(|a| a.members()).unwrap_or_default();
    let parts: Vec<&Part> = match &held.body {
        Body::Manifest { parts, .. } | Body::Item { parts } => parts.layers.iter().collect(),
        _ => held.all_parts(),
    };
    let history = config.as_ref().map(|config| config.layer_history(parts.len())).unwrap_or_default();
    let diff_ids = config.as_ref().and_then(|config| config.diff_ids()).unwrap_or_default();
    let layers = parts.iter().enumerate().map(|(i, part)| Layer {
        digest: part_digest(archive, part),
        diff_id: diff_ids.get(i).and_then(|id| id.as_ref()).map(ToString::to_string),
        size: part_size(archive, part),
        media_type: part
            .descriptor()
            .and_then(|descriptor| descriptor.media_type.clone())
            .map(Cow::into_owned),
        member: part
            .blob
            .and_then(|blob| archive.blob(blob).member)
            .map(|id| archive.tree.member(id).name().to_string()),
        created_by: history.get(i).copied().flatten().map(str::to_owned),
        instruction: history.get(i).copied().flatten().map(instruction),
        predicate_type: predicate(root, part).map(str::to_owned),
        shared: part.blob.is_some_and(|blob| known.uses.get(&blob).is_some_and(|n| *n > 1)),
        missing: !archive.holds(part),
        changes: known.changed.get(&(node, i)).cloned(),
    });
    let layers: Vec<Layer> = layers.collect();
    let manifests = held.children().iter().map(|edge| match edge.node {
        Some(child) => entry(archive, known, child, Some(edge), Vec::new()),
        None => Entry::unknown(edge),
    });
    let first_era = match &held.body {
        Body::V1 { chain, .. } => chain.last().map(|&id| archive.document(id)),
        _ => None,
    };
    let v1 = first_era.as_ref().and_then(Document::root);
    let config_type =
        held.parts().and_then(|parts| parts.config.descriptor()?.media_type.clone()).map(Cow::into_owned);
    Entry {
        kind,
        names,
        digest: held.digest.as_ref().map(ToString::to_string),
        media_type: held.media_type.clone().map(Cow::into_owned),
        id: config.as_ref().map(|config| config.document.sha256.to_string()),
        platform: platform.map(|platform| platform.normalised().to_string()),
        created: config.as_ref().map(|config| config.value()).or(v1).and_then(|value| text(value, "created")),
        artifact_type: root
            .and_then(|root| text(root, "artifactType"))
            .or_else(|| config_type.filter(|_| kind == "artifact")),
        subject,
        size: sum(layers.iter().map(bytes)),
        shared_size: sum(layers.iter().filter(|layer| layer.shared).map(bytes)).unwrap_or_default(),
        config: config.as_ref().map(|config| config.value()).or(v1).map(Settings::of),
        annotations: annotations
            .iter()
            .filter_map(|member| Some((member.key.to_string(), member.value.as_str()?.to_owned())))
            .collect(),
        layers,
        manifests: manifests.collect(),
    }
}

impl Entry {
    /// It and all that is below it.
    pub fn all(&self) -> Vec<&Entry> {
        let mut all = Vec::new();
        self.collect(&mut all);
        all
    }

    fn collect<'a>(&'a self, all: &mut Vec<&'a Entry>) {
        all.push(self);
        self.manifests.iter().for_each(|child| child.collect(all));
    }

    fn unknown(edge: &Edge) -> Entry {
        Entry {
            kind: "unknown",
            names: Vec::new(),
            digest: edge.descriptor.good_digest().map(ToString::to_string),
            media_type: edge.descriptor.media_type.clone().map(Cow::into_owned),
            id: None,
            platform: edge.descriptor.platform.as_ref().map(|platform| platform.normalised().to_string()),
            created: None,
            artifact_type: None,
            subject: None,
            size: None,
            shared_size: 0,
            config: None,
            annotations: BTreeMap::new(),
            layers: Vec::new(),
            manifests: Vec::new(),
        }
    }
}

fn part_digest(archive: &Archive, part: &Part) -> Option<String> {
    let declared = part.descriptor().and_then(|descriptor| descriptor.good_digest());
    declared.or_else(|| archive.blob(part.blob?).digest.as_ref()).map(ToString::to_string)
}

fn part_size(archive: &Archive, part: &Part) -> Option<u64> {
    let held = part.blob.and_then(|blob| archive.blob(blob).member).map(|id| archive.tree.member(id).size);
    held.or_else(|| u64::try_from(part.descriptor()?.size?).ok())
}

/// What an attestation's layer states.
fn predicate<'a>(manifest: Option<&'a Value>, part: &Part) -> Option<&'a str> {
    let At::Pointer(pointer) = &part.descriptor()?.at.at else { return None };
    annotation(manifest?.at(pointer)?, "in-toto.io/predicate-type")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// docs/inspect.md: lists and maps are always there, what is not known is left out.
    #[test]
    fn json_has_the_documented_shape() {
        let layer = Layer {
            digest: None,
            diff_id: Some("sha256:d".into()),
            size: Some(7),
            media_type: None,
            member: Some("a/layer.tar".into()),
            created_by: Some("/bin/sh -c x".into()),
            instruction: Some("RUN x".into()),
            predicate_type: None,
            shared: false,
            missing: false,
            changes: None,
        };
        let image = Entry {
            kind: "image",
            names: vec!["a:1".into()],
            digest: None,
            media_type: None,
            id: Some("sha256:c".into()),
            platform: Some("linux/amd64".into()),
            created: None,
            artifact_type: None,
            subject: None,
            size: Some(7),
            shared_size: 0,
            config: Some(Settings { command: vec!["x".into()], ..Settings::default() }),
            annotations: BTreeMap::from([("k".into(), "v".into())]),
            layers: vec![layer],
            manifests: Vec::new(),
        };
        let view = View {
            version: 1,
            source: "a.tar".into(),
            form: "docker-archive",
            compression: None,
            size: Some(7),
            images: vec![image],
        };
        let value: serde_json::Value = serde_json::from_str(&view.to_json()).expect("JSON");
        let expected = serde_json::json!({
            "version": 1,
            "source": "a.tar",
            "form": "docker-archive",
            "size": 7,
            "images": [{
                "kind": "image",
                "names": ["a:1"],
                "id": "sha256:c",
                "platform": "linux/amd64",
                "size": 7,
                "config": {"entrypoint": [], "command": ["x"], "env": [], "ports": [], "volumes": [], "labels": {}},
                "annotations": {"k": "v"},
                "layers": [{
                    "diffId": "sha256:d",
                    "size": 7,
                    "member": "a/layer.tar",
                    "createdBy": "/bin/sh -c x",
                    "instruction": "RUN x",
                    "shared": false,
                    "missing": false,
                }],
                "manifests": [],
            }],
        });
        assert_eq!(value, expected);
    }
}
