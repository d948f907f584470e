//! What becomes of every manifest, blob and name: a pure function of the archive and the request
//! (docs/architecture.md#writing).

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::error::{Error, Result};
use crate::jobs::convert::account::{Action, Entry, Kind, Names};
use crate::jobs::convert::choice::{Choice, choose};
use crate::jobs::convert::codecs::Codecs;
use crate::jobs::convert::names;
use crate::jobs::convert::plan::{Dropped, Make, Plan, Step, Treatment};
use crate::jobs::convert::request::{ManifestFormat, Request, Target};
use crate::media::{self, Family, LayerType};
use crate::model::select::{self, Chosen, Lost};
use crate::model::{Archive, BlobId, Body, Descriptor, Edge, ImageParts, Name, NodeId, Part, Role};

/// Decides everything, or refuses. Of layers it reads the first bytes at most, where their compression decides. `tails` are
/// layers that are followed by what is no part of them.
pub fn plan(archive: &Archive, request: &Request, tails: HashSet<BlobId>) -> Result<Plan> {
    let Choice { chosen, lost, left } = choose(archive, request)?;
    let mut planner = Planner {
        archive,
        request,
        codecs: Codecs::of(archive),
        tails,
        done: HashSet::new(),
        plan: Plan {
            steps: Vec::new(),
            make: HashMap::new(),
            anew: HashMap::new(),
            roots: Vec::new(),
            scope: HashSet::new(),
            entries: Vec::new(),
            names: Names::default(),
            dropped: BTreeMap::new(),
            unstaged: HashMap::new(),
        },
        staged: HashSet::new(),
        changes: Vec::new(),
    };
    let mut gone = Names::default();
    for lost in &lost {
        planner.lost(lost);
        if lost.image.is_none() {
            gone.lose(archive, lost.index, "not among the platforms asked for");
        }
    }
    for (&index, why) in &left {
        planner.drop(archive.roots[index].node, None, why);
        gone.lose(archive, index, why);
    }
    let lost: HashSet<usize> = lost.iter().map(|lost| lost.index).collect();
    let mut kept: Vec<Chosen> = Vec::new();
    for chosen in chosen {
        let whole = archive.roots[chosen.index].node;
        if whole != chosen.root.node && !lost.contains(&chosen.index) {
            let why = "only a part of it was asked for";
            planner.drop(whole, None, why);
            gone.lose(archive, chosen.index, why);
        }
        match planner.root(&chosen)? {
            None => kept.push(chosen),
            Some(why) => gone.lose(archive, chosen.index, why),
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
    let (roots, names) = names::assign(archive, request, kept)?;
    plan.roots = roots;
    gone.fates.extend(names.fates);
    plan.names = Names { fates: gone.fates, more: names.more };
    Ok(plan)
}

/// `dir:` holds one image, or one index.
fn one_image(archive: &Archive, roots: &[Chosen]) -> Result<()> {
    let distinct: HashSet<NodeId> = roots.iter().map(|chosen| chosen.root.node).collect();
    if distinct.len() < 2 {
        return Ok(());
    }
    let names = select::handles(archive, roots.iter().map(|chosen| &chosen.root));
    let message = format!("dir: holds one image, {} holds {}", archive.tree.place, distinct.len());
    Err(Error::refused_help(message, format!("choose one with --image: {}", select::list(&names))))
}

pub(super) struct Planner<'a> {
    pub(super) archive: &'a Archive,
    pub(super) request: &'a Request,
    pub(super) codecs: Codecs<'a>,
    pub(super) tails: HashSet<BlobId>,
    pub(super) plan: Plan,
    done: HashSet<NodeId>,
    pub(super) staged: HashSet<(BlobId, Treatment)>,
    /// Manifests whose digest will change, in words.
    changes: Vec<String>,
}

impl Planner<'_> {
    /// Plans a root; why it is left out, if it is.
    fn root(&mut self, chosen: &Chosen) -> Result<Option<&'static str>> {
        let node = chosen.root.node;
        let what = self.describe(node, &chosen.root.name);
        if let Some(reason) = self.unwanted(node, false)? {
            self.drop(node, Some(what), reason);
            return Ok(Some(reason));
        }
        if self.request.target == Target::DockerLegacy {
            if let Body::Index { .. } = self.archive.node(node).body {
                return self.legacy_choice(chosen, what);
            }
        }
        self.visit(node, &what, chosen.only.as_ref())?;
        Ok(None)
    }

    /// The old docker-archive form has no indexes: one image of each is written, by the rule for `manifest.json`.
    fn legacy_choice(&mut self, chosen: &Chosen, what: String) -> Result<Option<&'static str>> {
        let images = select::images_below(self.archive, chosen.root.node, chosen.root.descriptor.as_deref());
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

    /// A manifest or index by its name, or by what else tells it apart.
    pub(super) fn describe(&self, node: NodeId, name: &Name) -> String {
        if *name != Name::None {
            return name.shown();
        }
        if let Some(root) = self.archive.named_root(node) {
            return root.name.shown();
        }
        match &self.archive.node(node).digest {
            Some(digest) => format!("{}:{}", digest.algorithm_name(), digest.short()),
            None => select::image_id(self.archive, node).unwrap_or_else(|| "an image without name".into()),
        }
    }

    /// Leaves out a manifest or index, and with it what is below it: of that, what something else keeps is kept, and for
    /// what is left out by itself that reason counts.
    pub(super) fn drop(&mut self, node: NodeId, what: Option<String>, reason: &str) {
        let why = reason.to_owned();
        for below in self.archive.below(node).into_iter().skip(1) {
            let what = select::described(self.archive, below);
            self.plan.dropped.entry(below).or_insert_with(|| Dropped { what, why: why.clone() });
        }
        let what = what.unwrap_or_else(|| select::described(self.archive, node));
        self.plan.dropped.insert(node, Dropped { what, why });
    }

    /// What `--platform` takes away with a root, or with the index around the one image that is left of it.
    fn lost(&mut self, lost: &Lost) {
        let node = lost.root.node;
        let what = self.describe(node, &lost.root.name);
        let Some(image) = lost.image else {
            return self.drop(node, Some(what), "not among the platforms asked for");
        };
        self.drop(node, Some(what.clone()), "only one image of it was asked for, which takes its name");
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
                self.drop(child, Some(name), why);
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
                let family = self.family_of_item(node, parts)?;
                self.image(node, parts, family)?;
                Make::Synthesise { family }
            }
            Body::V1 { layers, .. } => {
                let family = self.new_family();
                self.layers_of(node, layers, true, family)?;
                Make::Synthesise { family }
            }
            Body::Schema1 { layers } if self.request.manifest_format != ManifestFormat::Keep => {
                let family = self.new_family();
                self.schema1(node, layers, family)?;
                Make::Synthesise { family }
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
            self.changes.push(format!("the manifest digest of {what}"));
        }
        self.plan.make.insert(node, make);
        self.plan.steps.push(Step::Document(node));
        Ok(())
    }

    pub(super) fn new_family(&self) -> Family {
        if self.request.manifest_format == ManifestFormat::Docker { Family::Docker } else { Family::Oci }
    }

    fn index(
        &mut self,
        node: NodeId,
        family: Family,
        children: &[Edge],
        what: &str,
        only: Option<&HashSet<NodeId>>,
    ) -> Result<Make> {
        let wanted = |edge: &Edge| only.is_none_or(|only| edge.node.is_some_and(|node| only.contains(&node)));
        let mut keep = Vec::new();
        let mut changed = false;
        for (i, edge) in children.iter().enumerate() {
            let platform = edge.descriptor.platform.as_ref().filter(|platform| !platform.is_unknown());
            let name = platform.map_or_else(|| what.to_owned(), |p| format!("{what} {}", p.normalised()));
            if !wanted(edge) {
                let why = if self.request.sparse {
                    keep.push(i);
                    "not among the platforms asked for; the index names it still"
                } else {
                    self.why_cut(edge)
                };
                if let Some(child) = edge.node {
                    self.tell_absent(edge, &name, why);
                    self.drop(child, Some(name), why);
                }
                continue;
            }
            let Some(child) = edge.node else {
                keep.push(i);
                continue;
            };
            if let Some(reason) = self.unwanted(child, true)? {
                self.drop(child, Some(name), reason);
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
            let absent = |edge: &&Edge| {
                edge.node.is_some_and(|child| matches!(self.archive.node(child).body, Body::Absent))
            };
            if let Some(edge) = keep.iter().filter_map(|&i| children.get(i)).find(absent) {
                let digest = edge.descriptor.good_digest().map(ToString::to_string).unwrap_or_default();
                let message =
                    format!("{what} names {digest}, which is not in the archive and so cannot be converted");
                let help =
                    "choose what is there with --present-only or --platform, or bring it with --fill-from";
                return Err(Error::refused_help(message, help));
            }
        }
        Ok(Make::Reindex { family: to, keep })
    }

    /// Why a child that is not wanted is left out of its index.
    fn why_cut(&self, edge: &Edge) -> &'static str {
        let there = |node: NodeId| {
            let held = self.archive.node(node);
            !matches!(held.body, Body::Absent)
                && held.all_parts().iter().all(|part| self.archive.holds(part) || part.is_foreign())
        };
        match edge.node {
            Some(node) if self.request.present_only && edge.attestation && there(node) => {
                "it attests an image that is not there"
            }
            Some(node) if self.request.present_only && !there(node) => "it is not there",
            _ => "not among the platforms asked for",
        }
    }

    /// Of what an index no longer names, and what was not there, the account has a line here: nothing was lost with it.
    fn tell_absent(&mut self, edge: &Edge, name: &str, why: &str) {
        let absent = edge.node.is_some_and(|node| matches!(self.archive.node(node).body, Body::Absent));
        if absent && self.request.present_only {
            let what = if edge.attestation { format!("attestation of {name}") } else { name.to_owned() };
            let mut entry = Entry::note(Kind::Manifest, Action::Dropped, what, why);
            entry.before = edge.descriptor.good_digest().cloned();
            self.plan.entries.push(entry);
        }
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
        if to == Family::Oci && family == Family::Docker {
            self.platform_for_oci(node, parts)?;
        }
        let recompressed = self.image(node, parts, to)?;
        if to == Family::Docker && family == Family::Oci {
            self.annotations(node)?;
        }
        let other_family = |part: &Part| {
            let media_type = part.descriptor().map_or("", Descriptor::type_or_empty);
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
        let again = recompressed || to != family || mixed;
        if again || (asked && self.any_mistyped(&parts.layers)?) {
            Ok(Make::Rewrite { family: to })
        } else {
            Ok(Make::Keep)
        }
    }
}
