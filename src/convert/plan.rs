//! What becomes of every manifest, blob and name: a pure function of the archive and the request
//! (docs/architecture.md#writing).

use std::collections::{HashMap, HashSet};

use crate::codec::Compression;
use crate::convert::account::{Action, Entry, Kind};
use crate::convert::names;
use crate::error::{Error, Result};
use crate::form::sink::OutName;
use crate::json::Value;
use crate::location::At;
use crate::media::{self, Codec, Family, LayerType};
use crate::model::select::{self, Chosen, Lost};
use crate::model::{Archive, BlobId, Body, Descriptor, ImageParts, NodeId, Part, Role, Root};
use crate::platform::{Platform, Specifier};

/// The form to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// docker-archive, universal: an OCI layout with `manifest.json`.
    DockerArchive,
    /// docker-archive as Docker 1.10 to 24 wrote it.
    DockerLegacy,
    /// OCI layout, as folder.
    OciDir,
    /// OCI layout, as tar.
    OciTar,
    /// `dir:`
    SkopeoDir,
    /// Docker Distribution's storage.
    Storage,
    /// A live registry.
    Registry,
}

/// How layers are to be compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compress {
    /// As they are.
    #[default]
    Keep,
    /// All alike.
    To {
        /// How.
        compression: Compression,
        /// Whether the user gave a level: then layers that have the codec already are compressed again.
        level_given: bool,
    },
}

/// The family of types that manifests are to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ManifestFormat {
    /// As they are.
    #[default]
    Keep,
    /// OCI.
    Oci,
    /// Docker schema 2 and manifest list.
    Docker,
}

/// What may be left out where the target cannot hold it: `--drop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DropSet {
    /// Manifests that are no images.
    pub artifacts: bool,
    /// BuildKit attestations.
    pub attestations: bool,
    /// Annotations, and the other members that only OCI has.
    pub annotations: bool,
    /// Indexes inside indexes.
    pub nested: bool,
}

/// What the user asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The form to write.
    pub target: Target,
    /// `--image` and `:REF` of the source.
    pub images: Vec<String>,
    /// `--platform`
    pub platforms: Vec<Specifier>,
    /// `--sparse`
    pub sparse: bool,
    /// `--compress`
    pub compress: Compress,
    /// `--manifest-format`
    pub manifest_format: ManifestFormat,
    /// `--drop`
    pub drop: DropSet,
    /// `--tag`
    pub tags: Vec<String>,
    /// `--rename OLD=NEW`
    pub renames: Vec<(String, String)>,
    /// `:REF` of the destination.
    pub destination_name: Option<String>,
    /// In a registry, images keep their tags where the destination gives none; otherwise a lone one is the latest.
    pub keep_tags: bool,
    /// `--docker-platform`
    pub docker_platform: Option<Platform>,
    /// `--preserve-digests`
    pub preserve_digests: bool,
}

/// What a conversion will do.
#[derive(Debug)]
pub struct Plan {
    /// In the order of writing (docs/architecture.md#member-order).
    pub steps: Vec<Step>,
    /// How each manifest and index is made.
    pub make: HashMap<NodeId, Make>,
    /// The layers that a manifest wants compressed anew; another manifest may want the same blob as it is.
    pub anew: HashMap<(NodeId, BlobId), Compression>,
    /// The entry points.
    pub roots: Vec<PlannedRoot>,
    /// Manifests and indexes that the conversion is about; others are not looked at.
    pub scope: HashSet<NodeId>,
    /// What is known already of the account: what is dropped, and names.
    pub entries: Vec<Entry>,
}

/// One thing to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A config or layer.
    Blob {
        /// Which.
        blob: BlobId,
        /// Its bytes as they are, or compressed anew.
        treatment: Treatment,
    },
    /// A manifest or index, after all that it points at.
    Document(NodeId),
}

/// What is done to a blob's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Treatment {
    /// Nothing.
    Keep,
    /// Decompressed, and compressed like this.
    Recompress(Compression),
}

/// How a manifest or index is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Make {
    /// Its bytes as they are.
    Keep,
    /// A manifest whose descriptors or type change.
    Rewrite {
        /// The family that it gets.
        family: Family,
    },
    /// An index of which some children are left out, or change, or whose type changes.
    Reindex {
        /// The family that it gets.
        family: Family,
        /// The children that stay, by position.
        keep: Vec<usize>,
    },
    /// A manifest for an image that has none.
    Synthesise {
        /// The family that it gets.
        family: Family,
    },
    /// None: the target has no manifests.
    Nothing,
}

/// An entry point and its name in the target.
#[derive(Debug, Clone)]
pub struct PlannedRoot {
    /// The root in the source.
    pub root: Root,
    /// Its name.
    pub name: OutName,
    /// For registry storage.
    pub repository: Option<(String, Option<String>)>,
}

/// Decides everything, or refuses. `codecs` are the compressions of layers by their first bytes.
pub fn plan(archive: &Archive, request: &Request, codecs: &HashMap<BlobId, Codec>) -> Result<Plan> {
    let chosen = select::roots(archive, &request.images)?;
    let (chosen, lost) = select::platforms(archive, chosen, &request.platforms, request.sparse)?;
    let mut planner = Planner {
        archive,
        request,
        codecs,
        done: HashSet::new(),
        plan: Plan {
            steps: Vec::new(),
            make: HashMap::new(),
            anew: HashMap::new(),
            roots: Vec::new(),
            scope: HashSet::new(),
            entries: Vec::new(),
        },
        staged: HashSet::new(),
        changes: Vec::new(),
    };
    lost.iter().for_each(|lost| planner.lost(lost));
    let mut kept = Vec::new();
    for chosen in chosen {
        if planner.root(&chosen)? {
            kept.push(chosen.root);
        }
    }
    if kept.is_empty() {
        let message = format!("nothing in {} can be written to this form", archive.tree.place);
        return Err(Error::refused_help(
            message,
            "write an OCI layout (`oci:` or `oci-archive:`), which holds anything",
        ));
    }
    if request.target == Target::SkopeoDir {
        one_image(archive, &kept)?;
    }
    if request.preserve_digests && !planner.changes.is_empty() {
        let message = format!("--preserve-digests: {} would change", select::list(&planner.changes));
        return Err(Error::refused_help(
            message,
            "leave out the option that changes them, or write a form that holds them",
        ));
    }
    let mut plan = planner.plan;
    let (roots, entries) = names::assign(archive, request, kept)?;
    plan.roots = roots;
    plan.entries.extend(entries);
    Ok(plan)
}

/// `dir:` holds one image, or one index.
fn one_image(archive: &Archive, roots: &[Root]) -> Result<()> {
    let distinct: HashSet<NodeId> = roots.iter().map(|root| root.node).collect();
    if distinct.len() < 2 {
        return Ok(());
    }
    let names: Vec<String> = roots.iter().map(|root| root.name.shown()).collect();
    let message = format!("dir: holds one image, {} holds {}", archive.tree.place, distinct.len());
    Err(Error::refused_help(message, format!("choose one with --image: {}", select::list(&names))))
}

struct Planner<'a> {
    archive: &'a Archive,
    request: &'a Request,
    codecs: &'a HashMap<BlobId, Codec>,
    plan: Plan,
    done: HashSet<NodeId>,
    staged: HashSet<(BlobId, Treatment)>,
    /// Manifests whose digest will change, in words.
    changes: Vec<String>,
}

impl Planner<'_> {
    /// Plans a root; `false` if it is left out.
    fn root(&mut self, chosen: &Chosen) -> Result<bool> {
        let node = chosen.root.node;
        let what = self.describe(node, &chosen.root.name.shown());
        if let Some(reason) = self.unwanted(node, false)? {
            self.drop(node, what, reason);
            return Ok(false);
        }
        if self.request.target == Target::DockerLegacy {
            if let Body::Index { .. } = self.archive.node(node).body {
                return self.legacy_choice(chosen, what);
            }
        }
        self.visit(node, &what, chosen.only.as_ref())?;
        Ok(true)
    }

    /// The old docker-archive form has no indexes: one image of each is written, by the rule for `manifest.json`.
    fn legacy_choice(&mut self, chosen: &Chosen, what: String) -> Result<bool> {
        let images = select::images_below(self.archive, chosen.root.node, chosen.root.descriptor.as_ref());
        let held: Vec<_> = images
            .into_iter()
            .filter(|(node, _)| chosen.only.as_ref().is_none_or(|only| only.contains(node)))
            .filter(|(node, _)| {
                self.archive.node(*node).all_parts().iter().all(|part| self.archive.holds(part))
            })
            .collect();
        let [(_, platform)] = held.as_slice() else {
            let platforms: Vec<String> = held.iter().map(|(_, p)| p.normalised().to_string()).collect();
            let message = format!("{what} is an index, which the legacy docker-archive form cannot hold");
            return Err(Error::refused_help(
                message,
                match platforms[..] {
                    [] => "none of its images is in the archive".to_owned(),
                    _ => format!("choose one of {} with --platform", select::list(&platforms)),
                },
            ));
        };
        let message = format!("{what} is an index, which the legacy docker-archive form cannot hold");
        Err(Error::refused_help(
            message,
            format!("write its one image with --platform {}", platform.normalised()),
        ))
    }

    fn describe(&self, node: NodeId, name: &str) -> String {
        if name != "<none>" {
            return name.to_owned();
        }
        match &self.archive.node(node).digest {
            Some(digest) => format!("{}:{}", digest.algorithm_name(), digest.short()),
            None => select::image_id(self.archive, node).unwrap_or_else(|| "an image without name".into()),
        }
    }

    /// Why the target cannot hold a node that `--drop` allows to be left out; a refusal if it does not allow it.
    fn unwanted(&self, node: NodeId, nested: bool) -> Result<Option<&'static str>> {
        let docker = self.request.manifest_format == ManifestFormat::Docker;
        let legacy = self.request.target == Target::DockerLegacy;
        let drop = self.request.drop;
        let body = &self.archive.node(node).body;
        let (what, reason, option, allowed) = match body {
            Body::Manifest { parts, .. } if parts.role == Role::Attestation && (docker || legacy) => {
                ("an attestation", "Docker's formats have none", "attestations", drop.attestations)
            }
            Body::Manifest { parts, family: Family::Oci } if parts.role == Role::Artifact && docker => {
                ("an artifact", "Docker's formats have none", "artifacts", drop.artifacts)
            }
            Body::Manifest { parts, .. } if parts.role == Role::Artifact && legacy => (
                "an artifact",
                "the legacy docker-archive form holds images only",
                "artifacts",
                drop.artifacts,
            ),
            Body::ArtifactManifest { .. } | Body::Opaque if docker || legacy => {
                ("an artifact", "Docker's formats have none", "artifacts", drop.artifacts)
            }
            Body::Index { .. } if nested && docker => {
                ("an index inside an index", "manifest lists do not nest", "nested", drop.nested)
            }
            Body::Schema1 { .. }
                if self.request.manifest_format == ManifestFormat::Keep
                    && !matches!(
                        self.request.target,
                        Target::SkopeoDir | Target::Storage | Target::Registry
                    ) =>
            {
                let message = format!(
                    "{} is a schema 1 manifest, which this form cannot hold",
                    self.describe(node, "<none>")
                );
                return Err(Error::refused_help(message, "convert it with --manifest-format oci"));
            }
            _ => return Ok(None),
        };
        if allowed {
            return Ok(Some(reason));
        }
        let message = format!("{} is {what}: {reason}", self.describe(node, "<none>"));
        Err(Error::refused_help(
            message,
            format!("leave it out with --drop {option}, or write `oci:` without --manifest-format docker"),
        ))
    }

    fn drop(&mut self, node: NodeId, what: String, reason: &str) {
        let source = self.archive.node(node);
        let kind = if matches!(source.body, Body::Index { .. }) { Kind::Index } else { Kind::Manifest };
        self.plan.entries.push(Entry {
            kind,
            action: Action::Dropped,
            what,
            before: source.digest.clone(),
            after: None,
            why: reason.to_owned(),
        });
    }

    /// What `--platform` takes away with a root, or with the index around the one image that is left of it.
    fn lost(&mut self, lost: &Lost) {
        let node = lost.root.node;
        let what = self.describe(node, &lost.root.name.shown());
        let Some(image) = lost.image else {
            return self.drop(node, what, "not among the platforms asked for");
        };
        self.drop(node, what.clone(), "only one image of it was asked for, which takes its name");
        let archive = self.archive;
        let digest = archive.node(image).digest.as_ref().map(ToString::to_string);
        for parent in archive.below(node) {
            let Body::Index { children, .. } = &archive.node(parent).body else { continue };
            for edge in children {
                let Some(child) = edge.node.filter(|&child| child != image) else { continue };
                let own = edge.attests.is_some() && edge.attests == digest;
                let why = if own {
                    "attests the image from within the index only"
                } else {
                    "not among the platforms asked for"
                };
                let platform = edge.descriptor.platform.as_ref().filter(|platform| !platform.is_unknown());
                let name = platform.map_or_else(|| what.clone(), |p| format!("{what} {}", p.normalised()));
                self.drop(child, name, why);
            }
        }
    }

    /// Plans a node and everything below it; children and blobs before the document.
    fn visit(&mut self, node: NodeId, what: &str, only: Option<&HashSet<NodeId>>) -> Result<()> {
        if !self.done.insert(node) {
            return Ok(());
        }
        self.plan.scope.insert(node);
        let make = match &self.archive.node(node).body {
            Body::Index { family, children } => self.index(node, *family, children, what, only)?,
            Body::Manifest { family, parts } => self.manifest(node, *family, parts)?,
            Body::Item { parts } => {
                self.image(node, parts)?;
                Make::Synthesise { family: self.new_family() }
            }
            Body::V1 { layers, .. } => {
                self.layers_of(node, layers, true)?;
                Make::Synthesise { family: self.new_family() }
            }
            Body::Schema1 { layers } if self.request.manifest_format != ManifestFormat::Keep => {
                self.schema1(node, layers)?;
                Make::Synthesise { family: self.new_family() }
            }
            Body::Schema1 { layers } => {
                layers.iter().for_each(|layer| self.stage(layer, Treatment::Keep));
                Make::Keep
            }
            Body::ArtifactManifest { blobs } => {
                blobs.iter().for_each(|blob| self.stage(blob, Treatment::Keep));
                Make::Keep
            }
            Body::Opaque | Body::Layer { .. } => Make::Keep,
            // Named, but not here: nothing to write.
            Body::Absent => return Ok(()),
        };
        let make = if self.request.target == Target::DockerLegacy { Make::Nothing } else { make };
        let has_digest = self.archive.node(node).digest.is_some();
        if make != Make::Keep && has_digest && (make != Make::Nothing || self.request.preserve_digests) {
            self.changes.push(format!("the manifest digest of {}", self.describe(node, what)));
        }
        self.plan.make.insert(node, make);
        self.plan.steps.push(Step::Document(node));
        Ok(())
    }

    fn new_family(&self) -> Family {
        if self.request.manifest_format == ManifestFormat::Docker { Family::Docker } else { Family::Oci }
    }

    fn index(
        &mut self,
        node: NodeId,
        family: Family,
        children: &[crate::model::Edge],
        what: &str,
        only: Option<&HashSet<NodeId>>,
    ) -> Result<Make> {
        let wanted = |edge: &crate::model::Edge| {
            only.is_none_or(|only| edge.node.is_some_and(|node| only.contains(&node)))
        };
        let mut keep = Vec::new();
        let mut changed = false;
        for (i, edge) in children.iter().enumerate() {
            let platform = edge.descriptor.platform.as_ref().filter(|platform| !platform.is_unknown());
            let name = platform.map_or_else(|| what.to_owned(), |p| format!("{what} {}", p.normalised()));
            if !wanted(edge) {
                if self.request.sparse {
                    keep.push(i);
                } else if let Some(child) = edge.node {
                    self.drop(child, name, "not among the platforms asked for");
                }
                continue;
            }
            let Some(child) = edge.node else {
                keep.push(i);
                continue;
            };
            if let Some(reason) = self.unwanted(child, true)? {
                self.drop(child, name, reason);
                continue;
            }
            keep.push(i);
            self.visit(child, &name, only)?;
            changed |= self.plan.make.get(&child).is_some_and(|make| *make != Make::Keep);
        }
        let to = match self.request.manifest_format {
            ManifestFormat::Keep => family,
            ManifestFormat::Oci => Family::Oci,
            ManifestFormat::Docker => Family::Docker,
        };
        if to == Family::Docker && family == Family::Oci {
            self.annotations(node)?;
        }
        if keep.len() == children.len() && !changed && to == family {
            return Ok(Make::Keep);
        }
        if to != family {
            let absent = |edge: &&crate::model::Edge| {
                edge.node.is_some_and(|child| matches!(self.archive.node(child).body, Body::Absent))
            };
            if let Some(edge) = keep.iter().filter_map(|&i| children.get(i)).find(absent) {
                let digest = edge.descriptor.good_digest().map(ToString::to_string).unwrap_or_default();
                let message =
                    format!("{what} names {digest}, which is not in the archive and so cannot be converted");
                return Err(Error::refused_help(message, "choose what is there with --platform"));
            }
        }
        Ok(Make::Reindex { family: to, keep })
    }

    fn manifest(&mut self, node: NodeId, family: Family, parts: &ImageParts) -> Result<Make> {
        if parts.role != Role::Image {
            for part in std::iter::once(&parts.config).chain(&parts.layers) {
                self.stage(part, Treatment::Keep);
            }
            return Ok(Make::Keep);
        }
        let to = match self.request.manifest_format {
            ManifestFormat::Keep => family,
            ManifestFormat::Oci => Family::Oci,
            ManifestFormat::Docker => Family::Docker,
        };
        let recompressed = self.image(node, parts)?;
        if to == Family::Docker && family == Family::Oci {
            self.annotations(node)?;
        }
        let other_family = |part: &Part| {
            let media_type = part.descriptor.as_ref().map_or("", Descriptor::type_or_empty);
            let config = match media_type {
                media::OCI_CONFIG => Some(Family::Oci),
                media::DOCKER_CONFIG => Some(Family::Docker),
                _ => None,
            };
            config.or_else(|| LayerType::of(media_type).map(|t| t.family)).is_some_and(|family| family != to)
        };
        let asked = self.request.manifest_format != ManifestFormat::Keep;
        let mixed = asked && std::iter::once(&parts.config).chain(&parts.layers).any(other_family);
        // A manifest format that is asked for is written as its specification has it: with the types of the bytes.
        let mistyped = asked && parts.layers.iter().any(|layer| self.mistyped(layer));
        if recompressed || to != family || mixed || mistyped {
            Ok(Make::Rewrite { family: to })
        } else {
            Ok(Make::Keep)
        }
    }

    /// Whether a layer's media type names another compression than its bytes have.
    fn mistyped(&self, layer: &Part) -> bool {
        let declared = layer.descriptor.as_ref().and_then(|d| LayerType::of(d.type_or_empty()));
        let found = layer.blob.filter(|_| self.archive.holds(layer)).and_then(|blob| self.codecs.get(&blob));
        matches!((declared, found), (Some(declared), Some(found)) if declared.codec != *found)
    }

    /// Plans config and layers; whether a layer changes.
    fn image(&mut self, node: NodeId, parts: &ImageParts) -> Result<bool> {
        self.stage(&parts.config, Treatment::Keep);
        let synthesised = parts.config.descriptor.is_none();
        self.layers_of(node, &parts.layers, synthesised)
    }

    fn layers_of(&mut self, node: NodeId, layers: &[Part], synthesised: bool) -> Result<bool> {
        let mut changed = false;
        for layer in layers {
            let treatment = self.treatment(layer, synthesised)?;
            changed |= treatment != Treatment::Keep;
            if matches!(self.request.target, Target::DockerArchive | Target::DockerLegacy)
                && !self.archive.holds(layer)
            {
                let foreign = layer.descriptor.as_ref().and_then(|d| LayerType::of(d.type_or_empty()));
                if foreign.is_some_and(|t| t.nondistributable) {
                    let message = format!(
                        "layer {} is not in the archive, and docker-archive must hold every layer",
                        layer.wanted
                    );
                    return Err(Error::refused_help(
                        message,
                        "write `oci-archive:`, which carries the descriptor alone",
                    ));
                }
            }
            self.stage_layer(node, layer, treatment);
        }
        Ok(changed)
    }

    /// Empty layers of schema 1 have no place in what it is converted to.
    fn schema1(&mut self, node: NodeId, layers: &[Part]) -> Result<()> {
        let document = self.archive.node(node).document.map(|id| self.archive.document(id));
        let Some((document, root)) = document.and_then(|document| Some((document, document.root()?))) else {
            return Ok(());
        };
        let parsed = crate::model::legacy::Schema1::parse(root, document.depth);
        for kept in parsed.layers.iter().filter(|layer| !layer.empty) {
            let at = format!("/fsLayers/{}/blobSum", kept.index);
            let part = layers.iter().find(|part| part.at.at == At::Pointer(at.clone()));
            if let Some(part) = part {
                let treatment = self.treatment(part, true)?;
                self.stage_layer(node, part, treatment);
            }
        }
        Ok(())
    }

    /// What is done to a layer of an image (docs/architecture.md#layers).
    fn treatment(&self, layer: &Part, synthesised: bool) -> Result<Treatment> {
        let Some(blob) = layer.blob.filter(|_| self.archive.holds(layer)) else { return Ok(Treatment::Keep) };
        let layer_type = match &layer.descriptor {
            Some(descriptor) => match LayerType::of(descriptor.type_or_empty()) {
                Some(t) => Some(t),
                // Encrypted, or no layer that anybody knows: never touched.
                None => return Ok(Treatment::Keep),
            },
            None => None,
        };
        let codec = self.codecs.get(&blob).copied().unwrap_or(Codec::Plain);
        if self.request.target == Target::DockerLegacy {
            return Ok(if codec == Codec::Plain {
                Treatment::Keep
            } else {
                Treatment::Recompress(Compression::None)
            });
        }
        if layer_type.is_some_and(|t| t.nondistributable) {
            return Ok(Treatment::Keep);
        }
        if let Compress::To { compression, level_given } = self.request.compress {
            let docker = match self.request.manifest_format {
                ManifestFormat::Docker => true,
                ManifestFormat::Oci => false,
                ManifestFormat::Keep => layer_type.is_some_and(|t| t.family == Family::Docker),
            };
            if docker && compression.codec() == Codec::Zstd {
                return Err(Error::refused_help(
                    "Docker's manifests cannot name zstd layers",
                    "add --manifest-format oci, or use --compress gzip",
                ));
            }
            let again = level_given && compression.codec() != Codec::Plain;
            let alike = codec == compression.codec() && !again;
            return Ok(if alike { Treatment::Keep } else { Treatment::Recompress(compression) });
        }
        let gzip = Treatment::Recompress(Compression::Gzip(Compression::GZIP_DEFAULT));
        let foreign_codec = matches!(codec, Codec::Zstd | Codec::Bzip2 | Codec::Xz);
        if synthesised && foreign_codec {
            return Ok(gzip);
        }
        if self.request.manifest_format == ManifestFormat::Docker && codec == Codec::Zstd {
            return Ok(gzip);
        }
        Ok(Treatment::Keep)
    }

    fn stage_layer(&mut self, node: NodeId, part: &Part, treatment: Treatment) {
        if let (Some(blob), Treatment::Recompress(compression)) = (part.blob, treatment) {
            self.plan.anew.insert((node, blob), compression);
        }
        self.stage(part, treatment);
    }

    fn stage(&mut self, part: &Part, treatment: Treatment) {
        let Some(blob) = part.blob.filter(|_| self.archive.holds(part)) else { return };
        if self.staged.insert((blob, treatment)) {
            self.plan.steps.push(Step::Blob { blob, treatment });
        }
    }

    /// Refuses members that Docker's types do not have, unless they may be dropped.
    fn annotations(&mut self, node: NodeId) -> Result<()> {
        let document = self.archive.node(node).document.map(|id| self.archive.document(id));
        let Some(root) = document.and_then(|document| document.root()) else { return Ok(()) };
        let found = oci_only(root);
        if found.is_empty() {
            return Ok(());
        }
        let what = self.describe(node, "<none>");
        if !self.request.drop.annotations {
            let message = format!("{what} has {}, which Docker's types do not have", select::list(&found));
            return Err(Error::refused_help(message, "leave them out with --drop annotations"));
        }
        let why = format!("Docker's types have no {}", select::list(&found));
        self.plan.entries.push(Entry::note(
            Kind::Other,
            Action::Dropped,
            format!("annotations of {what}"),
            why,
        ));
        Ok(())
    }
}

/// The members of a manifest or index, and of its descriptors, that only OCI defines.
fn oci_only(root: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let filled = |value: &Value| !(value.is_null() || value.is_object() && value.members().is_empty());
    let mut note = |object: &Value, names: &[&str]| {
        for name in names {
            if object.get(name).is_some_and(filled) && !found.iter().any(|f: &String| f == name) {
                found.push((*name).to_owned());
            }
        }
    };
    note(root, &["annotations", "subject", "artifactType"]);
    let descriptors = root.get("config").into_iter();
    let lists = ["layers", "manifests"].iter().filter_map(|name| root.get(name));
    for descriptor in descriptors.chain(lists.flat_map(Value::items)) {
        // An attestation is dropped whole, with the annotations that mark it.
        let marks = crate::model::view::annotation(descriptor, "vnd.docker.reference.type").is_some();
        if !marks {
            note(descriptor, &["annotations", "data", "artifactType"]);
        }
    }
    found
}
