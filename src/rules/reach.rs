//! Which images and tags reach what is at fault: [`Affected`], and what a choice of images leaves of findings.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::digest::Digest;
use crate::finding::{Affected, Finding, Integrity};
use crate::location::{At, Location, MemberId};
use crate::model::{Archive, Body, DocKind, Edge, Node, NodeId, Root, select};

/// Steps up the graph, all findings together: a second. Beyond them findings do not say what they hit.
const MAX_STEPS: usize = 4_000_000;
/// Characters of a name: an archive's may be megabytes long.
const NAME: usize = 300;

/// What leads to what.
pub struct Reach<'a> {
    archive: &'a Archive,
    /// With the place that a node has among the children of each.
    parents: HashMap<NodeId, Vec<(NodeId, usize)>>,
    roots: HashMap<NodeId, Vec<usize>>,
    /// Roots that are declared in these members.
    declared: HashMap<MemberId, Vec<usize>>,
    /// Nodes that are made of these members.
    users: HashMap<MemberId, Vec<NodeId>>,
    /// Children by their places in an index, of indexes that findings are in.
    edges: HashMap<(NodeId, &'a str), &'a Edge>,
    lists: HashMap<MemberId, List<'a>>,
    steps: usize,
}

/// A document that lists roots.
struct List<'a> {
    /// How many steps of a pointer one root takes.
    steps: usize,
    /// Roots by these steps.
    by_place: HashMap<&'a str, Vec<usize>>,
    /// Those that are declared elsewhere in it, or by it as a whole.
    others: Vec<usize>,
}

impl<'a> List<'a> {
    fn of(steps: usize) -> List<'a> {
        List { steps, by_place: HashMap::new(), others: Vec::new() }
    }

    fn add(&mut self, i: usize, at: &'a At) {
        match at {
            At::Pointer(there) if self.is_whole(first(there, self.steps)) => {
                self.by_place.entry(first(there, self.steps)).or_default().push(i);
            }
            _ => self.others.push(i),
        }
    }

    /// Whether a pointer takes as many steps as one root does.
    fn is_whole(&self, pointer: &str) -> bool {
        pointer.matches('/').count() == self.steps
    }

    /// The roots that a place in it belongs to.
    fn near(&self, pointer: Option<&str>, archive: &Archive) -> Vec<usize> {
        let part = pointer.map(|pointer| first(pointer, self.steps));
        let near = |root: &&usize| match (&archive.roots[**root].at.at, part) {
            (At::Pointer(there), Some(part)) => {
                let there = first(there, self.steps);
                is_in(there, part) || is_in(part, there)
            }
            _ => true,
        };
        let others = self.others.iter().filter(near).copied();
        let found: BTreeSet<usize> = match part.filter(|part| self.is_whole(part)) {
            Some(part) => others.chain(self.by_place.get(part).into_iter().flatten().copied()).collect(),
            None => others.chain(self.by_place.values().flatten().filter(near).copied()).collect(),
        };
        found.into_iter().collect()
    }
}

/// What a place is part of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Hit<'a> {
    /// Manifests and indexes, the platform of which is asked of this edge.
    Nodes(Vec<NodeId>, Option<&'a Location>),
    /// Entry points.
    Roots(Vec<usize>),
    /// The archive as a whole, or what nothing leads to.
    Nothing,
}

impl<'a> Reach<'a> {
    /// Of what these findings are about.
    pub fn of(archive: &'a Archive, findings: &[Finding]) -> Reach<'a> {
        let wanted: HashSet<MemberId> =
            findings.iter().filter_map(|finding| finding.primary.location.member).collect();
        let mut reach = Reach {
            archive,
            parents: HashMap::new(),
            roots: HashMap::new(),
            declared: HashMap::new(),
            users: HashMap::new(),
            edges: HashMap::new(),
            lists: HashMap::new(),
            steps: 0,
        };
        for document in &archive.documents {
            let steps = match document.kind {
                DocKind::DockerArchive => 1,
                DocKind::Repositories => 2,
                _ => continue,
            };
            reach.lists.insert(document.member, List::of(steps));
        }
        reach.lists.extend(archive.index_json.map(|id| (archive.listed(id).member, List::of(2))));
        for (i, root) in archive.roots.iter().enumerate() {
            reach.roots.entry(root.node).or_default().push(i);
            let Some(member) = root.at.member else { continue };
            match reach.lists.get_mut(&member) {
                Some(list) => list.add(i, &root.at.at),
                None if wanted.contains(&member) => reach.declared.entry(member).or_default().push(i),
                None => {}
            }
        }
        for (i, node) in archive.nodes.iter().enumerate() {
            let id = NodeId(i as u32);
            if let Body::Index { children, .. } = &node.body {
                let is_wanted = node.document.is_some_and(|id| wanted.contains(&archive.listed(id).member));
                for (place, edge) in children.iter().enumerate() {
                    if let Some(child) = edge.node {
                        reach.parents.entry(child).or_default().push((id, place));
                    }
                    if let (At::Pointer(there), true) = (&edge.descriptor.at.at, is_wanted) {
                        reach.edges.entry((id, there)).or_insert(edge);
                    }
                }
            }
            for member in made_of(archive, node).filter(|id| wanted.contains(id)).collect::<BTreeSet<_>>() {
                reach.users.entry(member).or_default().push(id);
            }
        }
        reach
    }

    /// Which part of the graph a place belongs to.
    fn hit(&self, at: &'a Location) -> Hit<'a> {
        let Some(member) = at.member else { return Hit::Nothing };
        let pointer = match &at.at {
            At::Pointer(pointer) | At::Key(pointer) => Some(pointer.as_str()),
            _ => None,
        };
        if let Some(list) = self.lists.get(&member) {
            return Hit::Roots(list.near(pointer, self.archive));
        }
        let nodes = self.users.get(&member).cloned().unwrap_or_default();
        if let ([node], Some(pointer)) = (nodes.as_slice(), pointer) {
            if let Body::Index { .. } = &self.archive.node(*node).body {
                let mut around =
                    std::iter::successors(Some(pointer), |inner| Some(inner.rsplit_once('/')?.0));
                let edge = around.find_map(|at| self.edges.get(&(*node, at)));
                return Hit::Nodes(nodes, edge.map(|edge| &edge.descriptor.at));
            }
        }
        if nodes.is_empty() {
            return self.declared.get(&member).map_or(Hit::Nothing, |roots| Hit::Roots(roots.clone()));
        }
        Hit::Nodes(nodes, None)
    }

    /// The child that is declared at a place in an index.
    fn edge_at(&self, index: NodeId, at: &Location) -> Option<&'a Edge> {
        let At::Pointer(pointer) = &at.at else { return None };
        self.edges.get(&(index, pointer.as_str())).copied()
    }

    /// These nodes and all above them; `None` if that takes too long.
    fn above(&mut self, nodes: &[NodeId]) -> Option<HashSet<NodeId>> {
        let mut seen: HashSet<NodeId> = nodes.iter().copied().collect();
        let mut pending: Vec<NodeId> = nodes.to_vec();
        while let Some(node) = pending.pop() {
            let parents = self.parents.get(&node).map_or(&[][..], Vec::as_slice);
            self.steps += 1 + parents.len();
            if self.steps > MAX_STEPS {
                return None;
            }
            pending.extend(parents.iter().map(|(parent, _)| *parent).filter(|&parent| seen.insert(parent)));
        }
        Some(seen)
    }

    /// The entry points that lead to a hit.
    fn roots(&mut self, hit: &Hit<'_>) -> Option<Vec<usize>> {
        match hit {
            Hit::Roots(roots) => Some(roots.clone()),
            Hit::Nothing => Some(Vec::new()),
            Hit::Nodes(nodes, _) => {
                let above = self.above(nodes)?;
                let roots = above.iter().filter_map(|node| self.roots.get(node)).flatten().copied();
                Some(roots.collect::<BTreeSet<usize>>().into_iter().collect())
            }
        }
    }

    /// Which image below an index a hit is, if it is a single one: the node, and its platform in words.
    fn platform(&self, hit: &Hit<'_>) -> Option<(NodeId, String)> {
        let Hit::Nodes(nodes, edge) = hit else { return None };
        let [node] = nodes.as_slice() else { return None };
        let edge = match edge {
            Some(at) => self.edge_at(*node, at)?,
            None => {
                let (parent, place) = self.parents.get(node)?.first()?;
                match &self.archive.node(*parent).body {
                    Body::Index { children, .. } => children.get(*place)?,
                    _ => return None,
                }
            }
        };
        if edge.attestation {
            return None;
        }
        let described = edge.descriptor.platform.as_deref();
        let platform = match edge.node {
            Some(child) => select::platform_of(self.archive, child, described)?,
            None => described?.clone(),
        };
        Some((edge.node.unwrap_or(*node), platform.normalised().to_string()))
    }

    /// Whether the other entry points that a finding is about were chosen, too.
    fn is_among(&self, finding: &'a Finding, chosen: &dyn Fn(&[usize]) -> bool) -> bool {
        finding.related.iter().all(|label| match self.hit(&label.location) {
            Hit::Roots(found) => chosen(&found),
            _ => true,
        })
    }

    /// The child of an index that a descriptor in it points at.
    fn child_at(&self, index: &[NodeId], at: &Location) -> Option<NodeId> {
        let [index] = index else { return None };
        self.edge_at(*index, at)?.node
    }

    fn affected(&mut self, hit: &Hit<'_>) -> Option<Affected> {
        let roots = self.roots(hit)?;
        if roots.is_empty() {
            return None;
        }
        let platform = self.platform(hit);
        let mut names = BTreeSet::new();
        let mut affected = Affected { all: platform.is_none(), ..Affected::default() };
        affected.all &= roots.len() == self.archive.roots.len();
        for &root in &roots {
            let root = &self.archive.roots[root];
            let mut name = name_of(self.archive, root);
            if let Some((_, platform)) = platform.as_ref().filter(|(node, _)| *node != root.node) {
                name = format!("{name} {platform}");
            }
            if names.insert(name.clone()) && names.len() <= Affected::NAMED {
                affected.names.push(name);
            }
        }
        affected.count = names.len();
        Some(affected)
    }
}

/// The members that a manifest or index is made of; one may come twice.
fn made_of<'a>(archive: &'a Archive, node: &'a Node) -> impl Iterator<Item = MemberId> + 'a {
    let blobs = node.all_parts().into_iter().filter_map(|part| part.blob).chain(node.blob);
    let chain = match &node.body {
        Body::V1 { chain, .. } => chain.as_slice(),
        _ => &[],
    };
    let documents = chain.iter().copied().chain(node.document).map(|id| archive.listed(id).member);
    let members = blobs.filter_map(|blob| archive.blob(blob).member).chain(documents);
    members.chain(node.signatures.iter().copied())
}

/// Of these members those that a single manifest or index is made of, each with its digest. Where it is the same in two
/// pieces of a storage, it is one in all of it.
pub fn only_users(archive: &Archive, wanted: &HashSet<MemberId>) -> HashMap<MemberId, Digest> {
    let mut users: HashMap<MemberId, Option<&Node>> = HashMap::new();
    for node in &archive.nodes {
        for member in made_of(archive, node).filter(|id| wanted.contains(id)).collect::<BTreeSet<_>>() {
            users.entry(member).and_modify(|user| *user = None).or_insert(Some(node));
        }
    }
    users.into_iter().filter_map(|(member, node)| Some((member, node?.digest.clone()?))).collect()
}

/// Says of each finding what it hits.
pub fn tell(archive: &Archive, findings: &mut [Finding]) {
    let mut known: HashMap<Hit<'_>, Option<Affected>> = HashMap::new();
    let mut reach = Reach::of(archive, findings);
    let places: Vec<Location> = findings.iter().map(|finding| finding.primary.location.clone()).collect();
    for (finding, at) in findings.iter_mut().zip(&places) {
        let hit = reach.hit(at);
        let affected = match known.get(&hit) {
            Some(known) => known.clone(),
            None => {
                let found = reach.affected(&hit);
                known.insert(hit, found.clone());
                found
            }
        };
        finding.affects = affected;
    }
}

/// Leaves of findings what a choice of images reaches, and faults that hinder reading the archive at all: those that
/// belong to no image and that `convert` does not survive. `roots` are the places of the entry points that were chosen.
pub fn retain(
    archive: &Archive,
    nodes: &HashSet<NodeId>,
    roots: &HashSet<&Location>,
    findings: &mut Vec<Finding>,
) {
    let reach = Reach::of(archive, findings);
    let chosen = |found: &[usize]| found.iter().any(|&root| roots.contains(&archive.roots[root].at));
    findings.retain(|finding| match reach.hit(&finding.primary.location) {
        Hit::Nodes(found, Some(at)) => match reach.child_at(&found, at) {
            Some(child) => nodes.contains(&child),
            None => found.iter().any(|node| nodes.contains(node)),
        },
        Hit::Nodes(found, None) => found.iter().any(|node| nodes.contains(node)),
        Hit::Roots(found) => chosen(&found) && reach.is_among(finding, &chosen),
        Hit::Nothing => finding.rule.integrity != Integrity::No,
    });
}

/// Leaves of findings about entry points those about entry points that were chosen: what two names have in common is no
/// fault where only one of them is taken.
pub fn retain_names(archive: &Archive, roots: &HashSet<&Location>, findings: &mut Vec<Finding>) {
    let reach = Reach::of(archive, findings);
    let chosen = |found: &[usize]| found.iter().any(|&root| roots.contains(&archive.roots[root].at));
    findings.retain(|finding| match reach.hit(&finding.primary.location) {
        Hit::Roots(found) if finding.rule.family() == "name" => {
            chosen(&found) && reach.is_among(finding, &chosen)
        }
        _ => true,
    });
}

/// A root as people call it, and as `--image` takes it.
pub fn name_of(archive: &Archive, root: &Root) -> String {
    let name = match (&root.name, &root.repository) {
        (crate::model::Name::None, _) => {
            let digest = archive.node(root.node).digest.as_ref().map(ToString::to_string);
            digest.or_else(|| select::image_id(archive, root.node)).unwrap_or_else(|| root.name.shown())
        }
        (name, _) => name.shown(),
    };
    match name.char_indices().nth(NAME) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name,
    }
}

/// The first so many steps of a pointer.
fn first(pointer: &str, steps: usize) -> &str {
    let end = pointer.match_indices('/').nth(steps).map_or(pointer.len(), |(at, _)| at);
    &pointer[..end]
}

/// Whether a pointer leads to this value or into it.
fn is_in(pointer: &str, value: &str) -> bool {
    pointer.strip_prefix(value).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::rules::fixture::{self, Layout};

    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

    /// A manifest with a layer that is not there, as an open descriptor.
    fn broken(layout: &Layout, name: &str) -> String {
        let config = fixture::config(&[]).replace("amd64", name);
        let config = layout.descriptor("application/vnd.oci.image.config.v1+json", config.as_bytes());
        let layer = format!(r#"{{"mediaType":"{LAYER}","digest":"{}","size":9}}"#, Digest::sha256(b"gone"));
        let text =
            format!(r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{config},"layers":[{layer}]}}"#);
        layout.open_descriptor(MANIFEST, text.as_bytes())
    }

    fn named(descriptor: &str, name: &str) -> String {
        format!(r#"{descriptor},"annotations":{{"org.opencontainers.image.ref.name":"{name}"}}}}"#)
    }

    fn index(layout: &Layout, children: &[String]) -> String {
        let children: Vec<String> = children.iter().map(|child| format!("{child}}}")).collect();
        let text =
            format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#, children.join(","));
        layout.open_descriptor(INDEX, text.as_bytes())
    }

    /// What the finding of a rule hits, of which there is one for each manifest.
    fn hit(layout: &Layout, rule: &str) -> Vec<Option<Affected>> {
        let archive = layout.open();
        let findings =
            crate::rules::judge(&archive, &crate::facts::Facts::default(), crate::rules::Scope::All);
        findings.into_iter().filter(|f| f.rule.name == rule).map(|f| f.affects).collect()
    }

    fn names(affects: &Option<Affected>) -> Vec<&str> {
        affects.iter().flat_map(|affects| &affects.names).map(String::as_str).collect()
    }

    #[test]
    fn one_image_of_two() {
        let layout = Layout::new();
        let (a, b) = (broken(&layout, "amd64"), broken(&layout, "arm64"));
        layout.index_json(&[named(&a, "one"), named(&b, "two"), named(&a, "three")]);
        let found = hit(&layout, "blob/missing");
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(names(&found[0]), [":one", ":three"]);
        assert_eq!(found[0].as_ref().map(|affects| (affects.count, affects.all)), Some((2, false)));
    }

    #[test]
    fn a_platform_deep_below() {
        let layout = Layout::new();
        let inner = index(&layout, &[broken(&layout, "amd64"), broken(&layout, "arm64")]);
        let outer = index(&layout, &[index(&layout, &[inner])]);
        layout.index_json(&[named(&outer, "deep"), named(&outer, "again")]);
        let archive = layout.open();
        let mut places: Vec<Location> = Vec::new();
        for node in archive.nodes.iter().filter(|node| node.parts().is_some()) {
            places.extend(node.document.map(|id| Location::member(archive.document(id).member)));
        }
        let mut findings: Vec<Finding> =
            places.into_iter().map(|at| Finding::new(&crate::rules::blob::MISSING, at, "")).collect();
        tell(&archive, &mut findings);
        let mut told: Vec<Vec<&str>> = findings.iter().map(|finding| names(&finding.affects)).collect();
        told.sort();
        assert_eq!(
            told,
            [[":deep linux/amd64", ":again linux/amd64"], [":deep linux/arm64", ":again linux/arm64"]]
        );
    }

    #[test]
    fn sixteen_and_a_count() {
        let layout = Layout::new();
        let image = broken(&layout, "amd64");
        let items: Vec<String> = (0..40).map(|i| named(&image, &format!("t{i}"))).collect();
        layout.index_json(&items);
        let found = hit(&layout, "blob/missing");
        let affects = found[0].as_ref().expect("hits all");
        assert_eq!((affects.names.len(), affects.count, affects.all), (Affected::NAMED, 40, true));
        assert_eq!(affects.names[15], ":t15");
    }

    #[test]
    fn an_entry_point_is_hit_alone_and_an_archive_as_a_whole_not_at_all() {
        let layout = Layout::new();
        let (a, b) = (broken(&layout, "amd64"), broken(&layout, "arm64"));
        layout.index_json(&[named(&a, "one"), named(&b, "not a name")]);
        let found = hit(&layout, "name/odd-ref-name");
        assert_eq!(names(&found[0]), ["not a name"]);
        let archive = layout.open();
        let mut whole = [Finding::new(&crate::rules::blob::MISSING, Location::archive(), "")];
        tell(&archive, &mut whole);
        assert_eq!(whole[0].affects, None);
    }
}
