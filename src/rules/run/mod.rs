//! The one walk over an archive: calls every rule at its scope. No rule walks, none does I/O.
//!
//! A cause suppresses its consequences here: what is wrong with a blob's bytes is not said again of its size, its
//! compression or its diff ID.

mod leading;
mod parts;
mod scope;
mod whole;

use std::collections::{HashMap, HashSet};

use super::capped::MAX_FINDINGS;
use super::documents::ArchiveDocuments;
use super::layer::Which;
use super::{
    anomalies, archive as archive_rules, blob, consequence, container, docker_archive, document, graph,
    image, index, layer_tar, legacy, meaning, name, reach, shape, storage, stray,
};
use crate::blob::BlobFacts;
use crate::digest::{Algorithm, Digest};
use crate::facts::Facts;
use crate::finding::{self, Finding};
use crate::location::{Location, MemberId};
use crate::model::Form;
use crate::model::partial::Partial;
use crate::model::{Anomaly, Archive, Blob, BlobId, Body, DocId, DocKind, Edge, ImageParts, NodeId, Role};

pub use scope::Scope;
use scope::{Leading, Use, configs, declared_documents, documents_in, documents_of, use_of};
pub use whole::sees_all;

/// What [`run`] finds, in the order of reports.
pub fn judge(archive: &Archive, facts: &Facts, scope: Scope<'_>) -> Vec<Finding> {
    told(archive, run(archive, facts, scope))
}

/// Findings in the order of reports, each with what it hits.
pub fn told(archive: &Archive, mut findings: Vec<Finding>) -> Vec<Finding> {
    reach::tell(archive, &mut findings);
    finding::sort(&mut findings, &ArchiveDocuments::of(archive));
    findings
}

/// Everything that is wrong, or worth telling, as far as the facts go. Blobs without facts are taken as sound.
pub fn run<'a>(archive: &'a Archive, facts: &'a Facts, scope: Scope<'a>) -> Vec<Finding> {
    // What a single document points at, or what lies below a single layer, is not expected to be there.
    let alone = archive.form.is_lone();
    let cut = alone || archive_rules::is_cut(archive);
    let mut walk = Walk::new(archive, facts, scope, cut);
    if alone {
        anomalies::alone(archive, &mut walk.out);
    } else {
        anomalies::all(archive, facts, &mut walk.out);
        archive_rules::check(archive, &mut walk.out);
        meaning::layout(archive, &mut walk.out);
        name::unnamed(archive, &mut walk.out);
        legacy::check(archive, &mut walk.out);
        docker_archive::check(archive, &mut walk.out);
        storage::dir(archive, &mut walk.out);
    }
    // Each node with its documents and with what leads to it: texts that do not fit the cache are read once for all of that.
    let mut led_to = Leading::of(archive, scope).into_iter().peekable();
    for id in (0..archive.nodes.len() as u32).map(NodeId).filter(|id| scope.holds(*id)) {
        walk.documents(documents_of(archive, archive.node(id)));
        while let Some((_, leading)) = led_to.next_if(|(target, _)| *target == id) {
            walk.lead(leading);
        }
        walk.node(id);
    }
    walk.documents((0..archive.documents.len() as u32).map(DocId));
    if scope.is_whole() {
        for descriptor in archive.unreadable_roots() {
            blob::descriptor(&descriptor, None, &|digest| walk.held.contains_key(digest), &mut walk.out);
        }
        if !alone && !cut {
            graph::check(archive, &mut walk.out);
        }
        walk.unreferenced();
    }
    facts.subjects.iter().for_each(|found| index::subject(found, &mut walk.out));
    if !alone {
        container::members(archive, &walk.explained, &mut walk.out);
        storage::misplaced(archive, &walk.explained, &mut walk.out);
        let all = !cut && walk.sees_all();
        stray::check(archive, &mut walk.out);
        if cut || !all && archive.form == Form::DockerArchive {
            // Nobody knows what a list has that cannot be read, or is not there any more.
            walk.out.retain(|finding| finding.rule.name != stray::UNKNOWN_MEMBER.name);
        }
    }
    let Walk { mut out, others, .. } = walk;
    out.retain(|finding| {
        let member = finding.primary.location.member;
        finding.rule.name != layer_tar::TRUNCATED.name
            || !member.is_some_and(|member| others.contains(&member))
    });
    consequence::suppress(&mut out);
    cap(&mut out);
    out
}

/// Leaves out what is beyond so many findings of one rule in one member, each of which costs a kilobyte of report: the
/// last that is told says how many more there are.
fn cap(out: &mut Vec<Finding>) {
    let mut counts: HashMap<_, (usize, u64)> = HashMap::new();
    let key = |finding: &Finding| (finding.rule.name, finding.primary.location.member);
    out.retain(|finding| {
        let (told, left) = counts.entry(key(finding)).or_default();
        let is_told = *told < MAX_FINDINGS;
        *told += usize::from(is_told);
        *left += u64::from(!is_told) * (1 + finding.omitted);
        is_told
    });
    for finding in out.iter_mut().rev() {
        if let Some((_, left)) = counts.get_mut(&key(finding)).filter(|(_, left)| *left > 0) {
            finding.omit(std::mem::take(left));
        }
    }
}

struct Walk<'a> {
    archive: &'a Archive,
    scope: Scope<'a>,
    facts: &'a Facts,
    /// The archive ends too early: what it lacks is a consequence.
    cut: bool,
    /// What is here of the children of indexes.
    partial: Partial,
    out: Vec<Finding>,
    /// Blobs whose content was judged, so that a shared one is reported once.
    judged: HashSet<BlobId>,
    /// Configs that are still to be judged, each by the use that asks most of it: images and artifacts may share one.
    configs: HashMap<BlobId, Use>,
    /// Layers that were judged.
    layers: HashSet<BlobId>,
    /// Digests of the blobs that the archive holds.
    held: HashMap<&'a crate::digest::Digest, &'a Blob>,
    /// Findings about layers that were reported: images and artifacts may share them.
    told: HashSet<(&'static str, Location)>,
    /// Blobs that are not there, with the finding that says so.
    missing: HashMap<BlobId, usize>,
    /// Documents that may be manifests or indexes: what they say means nothing.
    undecidable: HashSet<MemberId>,
    /// Blobs in folders where nobody looks, by digest.
    misplaced: HashMap<String, MemberId>,
    /// Broken links and such blobs that are shown as the reason why a blob is missing.
    explained: HashSet<MemberId>,
    /// Layers that nothing but a diff ID names and that are other ones: how they end follows.
    others: HashSet<MemberId>,
    /// Documents that are still to be judged.
    documents: HashSet<DocId>,
    /// Those whose type a descriptor gives.
    declared: HashSet<DocId>,
}

impl<'a> Walk<'a> {
    fn new(archive: &'a Archive, facts: &'a Facts, scope: Scope<'a>, cut: bool) -> Walk<'a> {
        let held = archive.blobs.iter().filter(|blob| blob.member.is_some());
        let undecidable = archive.anomalies.iter().filter_map(|odd| match odd {
            Anomaly::Undecidable { member } => Some(*member),
            _ => None,
        });
        Walk {
            archive,
            scope,
            facts,
            cut,
            partial: scope.partial(archive),
            out: Vec::new(),
            missing: HashMap::new(),
            judged: HashSet::new(),
            configs: configs(archive, scope),
            layers: HashSet::new(),
            told: HashSet::new(),
            held: held.filter_map(|blob| Some((blob.digest.as_ref()?, blob))).collect(),
            undecidable: undecidable.collect(),
            misplaced: archive.anomalies.iter().filter_map(storage::misplaced_blob).collect(),
            explained: HashSet::new(),
            others: HashSet::new(),
            documents: documents_in(archive, scope),
            declared: declared_documents(archive),
        }
    }
}

impl Walk<'_> {
    /// Judges those of these that are still to be judged.
    fn documents(&mut self, ids: impl IntoIterator<Item = DocId>) {
        for id in ids {
            if self.documents.remove(&id) {
                let document = self.archive.document(id);
                self.document(&document);
                if !self.declared.contains(&id) {
                    document::undeclared(&document, &mut self.out);
                }
            }
        }
    }

    fn document(&mut self, found: &crate::model::Document) {
        // Of a document in which the archive ends, that is said.
        let last = found.member.0 as usize + 1 == self.archive.tree.members.len();
        if !(last && found.json.is_err() && archive_rules::is_cut(self.archive)) {
            document::syntax(found, &mut self.out);
        }
        document::kind(found, &mut self.out);
        if !self.undecidable.contains(&found.member) {
            shape::check(found, &|digest| known(self.archive, self.held.get(digest)?), &mut self.out);
            meaning::document(self.archive, found, &|digest| self.held.contains_key(digest), &mut self.out);
        }
        if let (DocKind::Schema1, Some(root)) = (found.kind, found.root()) {
            legacy::schema1(found, root, &mut self.out);
        }
    }

    /// Bytes of a blob that the archive holds.
    fn length(&self, blob: Option<BlobId>) -> Option<u64> {
        Some(self.archive.tree.member(self.archive.blob(blob?).member?).size)
    }

    fn node(&mut self, id: NodeId) {
        let archive = self.archive;
        let node = archive.node(id);
        if let Some(blob) = node.blob {
            self.content(blob, "the manifest", None);
        }
        meaning::node(archive, node, &mut self.out);
        match &node.body {
            Body::Index { children, .. } => {
                // What leads to a node in scope is judged with it.
                let scope = self.scope;
                let elsewhere = |edge: &&Edge| edge.node.is_none_or(|child| !scope.holds(child));
                children.iter().filter(elsewhere).for_each(|edge| self.child(edge));
                self.hollow(id);
            }
            Body::Manifest { parts, .. } => {
                if self.sparse(id) {
                    self.remains(parts);
                } else {
                    self.image(id, parts);
                }
            }
            Body::Item { parts } => {
                self.image(id, parts);
                image::config_name(archive, parts, &mut self.out);
            }
            Body::V1 { layers, .. } | Body::Schema1 { layers } => {
                for (i, layer) in layers.iter().enumerate() {
                    self.layer(layer, i.into());
                }
                self.stack(id, layers);
            }
            Body::Layer { layers } => {
                for layer in layers {
                    self.layer(layer, Which::Alone);
                }
            }
            Body::ArtifactManifest { blobs } => {
                for (i, part) in blobs.iter().enumerate() {
                    self.part(part, &format!("blob {i}"));
                }
            }
            Body::Absent | Body::Opaque => {}
        }
    }

    /// A manifest of which nothing of its own is here, below an index.
    fn sparse(&self, node: NodeId) -> bool {
        self.archive.form != Form::Document && self.partial.absent.contains(&node)
    }

    /// Of an image that is not here the config may be: what is here is what its digest says, whoever wants it.
    fn remains(&mut self, parts: &ImageParts) {
        let config = &parts.config;
        if let Some(id) = config.blob
            && let Some(member) = self.archive.blob(id).member
        {
            let by = by(self.archive, config.at(), member, config.descriptor().is_some());
            self.content(id, "the config", Some(by));
        }
    }

    fn image(&mut self, id: NodeId, parts: &ImageParts) {
        let archive = self.archive;
        let sound = self.part(&parts.config, "the config");
        let judged_here = |blob: &BlobId| sound && self.configs.get(blob) == Some(&use_of(parts));
        if let Some(blob) = parts.config.blob.filter(judged_here) {
            self.configs.remove(&blob);
            if let Some(document) = archive.blob(blob).document {
                meaning::config(&archive.document(document), parts, &mut self.out);
            }
        }
        let wanted = archive.config(parts).and_then(|config| config.diff_ids()).unwrap_or_default();
        let mut facts: Vec<Option<&BlobFacts>> = Vec::new();
        for (i, layer) in parts.layers.iter().enumerate() {
            let placeholder = layer.descriptor().is_none()
                && image::placeholder(
                    archive,
                    layer,
                    i,
                    wanted.get(i).and_then(Option::as_ref),
                    &mut self.out,
                );
            let sound = if parts.role == Role::Image && !placeholder {
                self.layer(layer, i.into())
            } else if !placeholder {
                self.artifact_blob(layer, i);
                false
            } else {
                false
            };
            facts.push(layer.blob.filter(|_| sound).and_then(|blob| self.facts.get(blob)));
        }
        if parts.role == Role::Image {
            let told = image::tells_layers(archive, archive.node(id), parts);
            let others = image::diff_ids(archive, parts, told, &facts, &mut self.out);
            // Where a digest names a layer, too, its bytes are those that were meant.
            let unnamed =
                others.iter().filter_map(|i| parts.layers.get(*i)).filter(|l| l.descriptor().is_none());
            let members = unnamed.filter_map(|layer| archive.blob(layer.blob?).member);
            self.others.extend(members);
            self.stack(id, &parts.layers);
            let os = archive.config(parts).map(|config| config.platform().os).filter(|os| !os.is_empty());
            self.roots(&parts.layers, os.as_deref());
        }
    }

    /// A blob's content against its digest, reported once; whether it is sound.
    fn content(&mut self, id: BlobId, what: &str, by: Option<blob::By<'_>>) -> bool {
        let archive = self.archive;
        let held = archive.blob(id);
        let mut found = Vec::new();
        let sound = match held.document {
            // A document is a blob that was read when the archive was opened.
            Some(id) => match &held.digest {
                Some(wanted) => {
                    let computed = digest_of(archive, id, wanted);
                    let length = archive.listed(id).size;
                    computed
                        .is_none_or(|computed| blob::content(held, &computed, length, what, by, &mut found))
                }
                None => true,
            },
            None => match self.facts.get(id) {
                Some(facts) => blob::facts(held, facts, what, by, &mut found),
                None => true,
            },
        };
        if self.judged.insert(id) {
            // The end of the archive is said once, not of every blob behind it.
            found.retain(|finding| !(self.cut && std::ptr::eq(finding.rule, &raw const blob::CUT)));
            self.out.append(&mut found);
        }
        sound
    }

    fn sees_all(&self) -> bool {
        sees_all(self.archive, &self.out)
    }

    /// Blobs that nothing points at.
    fn unreferenced(&mut self) {
        let all = self.sees_all();
        for i in 0..self.archive.blobs.len() {
            let id = BlobId(i as u32);
            if !self.archive.blob(id).referenced {
                let sound = self.content(id, "a blob that nothing points at", None);
                if sound && !self.cut && all {
                    graph::unreferenced(self.archive, self.archive.blob(id), &mut self.out);
                }
            }
        }
    }
}

/// What points at a member; a descriptor does by digest.
fn by<'b>(archive: &'b Archive, at: &'b Location, member: MemberId, is_descriptor: bool) -> blob::By<'b> {
    blob::By { at, named: is_descriptor.then(|| archive.tree.member(member).kept_name()) }
}

/// What the archive knows of a blob.
fn known(archive: &Archive, blob: &Blob) -> Option<shape::Known> {
    let document = blob.document.map(|id| archive.document(id));
    let root = document.as_ref().and_then(|document| document.root());
    let media_type = root.and_then(|root| root.get("mediaType")).and_then(|value| value.as_str());
    let length = archive.tree.member(blob.member?).size;
    Some(shape::Known { length, media_type: media_type.map(str::to_owned) })
}

/// The digest of a document: for schema 1 that of its payload.
fn digest_of(archive: &Archive, id: DocId, like: &Digest) -> Option<Digest> {
    let listed = archive.listed(id);
    if listed.kind != DocKind::Schema1 && like.algorithm() == Some(Algorithm::Sha256) {
        return Some(listed.sha256.clone());
    }
    let document = archive.document(id);
    if document.kind == DocKind::Schema1 {
        if let Some(root) = document.root() {
            let payload =
                crate::model::legacy::jws::Jws::read(&document.bytes, root, document.depth).digest();
            return payload.or_else(|| Some(document.sha256.clone()));
        }
    }
    like.of_same_kind(&document.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_one_rule_and_member_is_bounded() {
        let of = |member: u32, n: usize| {
            let at = Location::pointer(MemberId(member), format!("/{n}"));
            Finding::new(&blob::MISSING, at, format!("fault {n}"))
        };
        for count in [MAX_FINDINGS, MAX_FINDINGS + 1, 3 * MAX_FINDINGS] {
            let mut out: Vec<Finding> = (0..count).flat_map(|n| [of(0, n), of(1, n)]).collect();
            out.push(of(2, 0));
            cap(&mut out);
            let told =
                |member| out.iter().filter(move |f| f.primary.location.member == Some(MemberId(member)));
            for member in [0, 1] {
                let left = (count - MAX_FINDINGS) as u64;
                assert_eq!(told(member).count(), MAX_FINDINGS);
                assert_eq!(told(member).map(|finding| finding.omitted).sum::<u64>(), left);
                let last =
                    told(member).next_back().map(|finding| finding.message.as_str()).unwrap_or_default();
                assert_eq!(last.contains(&format!("{left} more")), left > 0, "{last}");
            }
            assert_eq!(told(2).map(|finding| finding.message.as_str()).collect::<Vec<_>>(), ["fault 0"]);
        }
    }
}
