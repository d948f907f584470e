//! Storage of Docker Distribution (formats.md E.2), read without the registry.

mod form;
#[cfg(all(feature = "cloud", feature = "scrub"))]
pub mod in_bucket;
#[cfg(feature = "cloud")]
pub mod known;
#[cfg(feature = "scrub")]
pub mod on_disk;
pub mod paths;
#[cfg(feature = "scrub")]
pub mod piece;
#[cfg(feature = "scrub")]
pub mod stored;
mod write;

pub use form::{FORMAT, WRITING};
pub use write::storage;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bstr::ByteSlice;

use self::paths::blob_name;
use crate::digest::Digest;
use crate::error::Result;
use crate::limits::{LINK_BYTES, Limits};
use crate::location::{Location, MemberId};
use crate::media::LayerType;
use crate::model::archive::*;
use crate::model::build::Builder;
use crate::model::referrers::about_tag;
use crate::model::{Anomaly, Form, LinkKind, Sought, StorageProblem};
use crate::reference::Reference;
use crate::source::{Ingested, Tree};

/// Places at which the directory `v2` may stand below what the user points at.
const PREFIXES: &[&str] = &["docker/registry/v2/", "registry/v2/", "v2/", ""];

fn prefix(tree: &Tree) -> Option<String> {
    for prefix in PREFIXES {
        let repositories = format!("{prefix}repositories/");
        if tree.has_below(&repositories) && tree.has_below(&format!("{prefix}blobs/")) {
            return Some((*prefix).to_owned());
        }
    }
    // A tar of a registry's root directory may have any folder in front.
    let member = tree.members.iter().find(|m| m.name().contains_str("docker/registry/v2/"))?;
    let at = member.name().find("docker/registry/v2/")?;
    let prefix = member.name().get(..at + "docker/registry/v2/".len())?.to_str().ok()?.to_owned();
    (tree.has_below(&format!("{prefix}repositories/")) || tree.has_below(&format!("{prefix}blobs/")))
        .then_some(prefix)
}

/// What stands before `blobs/` and `repositories/` in storage.
pub fn base(tree: &Tree) -> Option<String> {
    prefix(tree)
}

/// Where storage has the blob of a digest.
pub(in crate::form) fn blob_place(tree: &Tree, digest: &Digest) -> Option<String> {
    blob_name(&prefix(tree)?, digest)
}

/// Recognises storage by its folders.
pub fn detect(tree: &Tree) -> bool {
    prefix(tree).is_some()
}

/// What the links of one repository say.
#[derive(Default)]
struct Repository {
    tags: BTreeMap<String, Tag>,
    revisions: BTreeMap<Digest, MemberId>,
    layers: BTreeMap<Digest, MemberId>,
}

/// What the links of one tag say.
struct Tag {
    /// A member below its directory.
    member: MemberId,
    /// `current/link`
    current: Option<MemberId>,
    /// Its history.
    index: BTreeMap<Digest, MemberId>,
}

/// Reads every repository with its tags. What the links of one say is looked at twice, and held for no longer: a registry has
/// thousands of them.
pub fn open(tree: Tree, ingested: Ingested, limits: &Limits) -> Result<Archive> {
    let base = prefix(&tree).unwrap_or_default();
    let (repositories, aliases, bad_names) = repositories(&tree, &base)?;
    let before = base.clone();
    let find = move |tree: &Tree, digest: &Digest, _: Sought| {
        let at = |digest: &Digest| tree.file(blob_name(&before, digest)?.as_bytes());
        at(digest).or_else(|| at(aliases.get(digest)?))
    };
    let mut builder = Builder::new(Form::RegistryStorage, tree, ingested, limits, find);
    for path in &repositories {
        let repository = repository_of(&builder.archive.tree, &base, path);
        read_repository(&mut builder, path, &repository)?;
    }
    odd_names(&mut builder, bad_names);
    let linked = links(&mut builder, &base, &repositories)?;
    if builder.archive.roots.is_empty() {
        builder.odd(Anomaly::Empty { at: Location::archive() });
    }
    stored(&mut builder, &base, &linked);
    Ok(builder.archive)
}

/// Takes in every blob that is stored, whether or not anything leads to it.
fn stored(builder: &mut Builder<'_>, base: &str, linked: &Marks) {
    // Of what an image needs, the link that is missing is told.
    let mut needed = Marks::of(&builder.archive.tree);
    let archive = &builder.archive;
    let place = |digest: &Digest| archive.tree.get(blob_name(base, digest)?.as_bytes());
    archive
        .blobs
        .iter()
        .filter_map(|blob| blob.digest.as_ref())
        .for_each(|digest| needed.mark(place(digest)));
    let blobs = format!("{base}blobs/");
    let ids: Vec<MemberId> = builder.archive.tree.below(blobs.as_bytes()).map(|(id, _)| id).collect();
    for member in ids {
        let tree = &builder.archive.tree;
        let name = tree.member(member).name();
        let place = || {
            let text = name.strip_prefix(blobs.as_bytes())?.strip_suffix(b"/data")?.to_str().ok()?;
            let mut parts = text.split('/');
            let (algorithm, folder, hex) = (parts.next()?, parts.next()?, parts.next()?);
            Some((Digest::of_parts(algorithm, hex).ok()?, hex.starts_with(folder)))
        };
        let Some((digest, in_place)) = place() else { continue };
        let at = Location::member(member);
        // The first of several members of that name.
        let first = blob_name(base, &digest).and_then(|name| tree.get(name.as_bytes()));
        if !in_place {
            let problem = match first {
                Some(_) => StorageProblem::Copy(digest),
                None => StorageProblem::Misplaced(digest),
            };
            builder.odd(Anomaly::Storage { at, problem });
            continue;
        }
        if first.is_none_or(|first| !linked.has(first) && !needed.has(first)) {
            builder.odd(Anomaly::Storage { at, problem: StorageProblem::Unlinked });
        }
        builder.stored_blob(digest, member);
    }
}

/// Which members have something, one bit a member.
struct Marks(Vec<u64>);

impl Marks {
    fn of(tree: &Tree) -> Marks {
        Marks(vec![0; tree.members.len().div_ceil(64)])
    }

    fn mark(&mut self, member: Option<MemberId>) {
        let Some(MemberId(member)) = member else { return };
        if let Some(bits) = self.0.get_mut(member as usize / 64) {
            *bits |= 1 << (member % 64);
        }
    }

    fn has(&self, MemberId(member): MemberId) -> bool {
        self.0.get(member as usize / 64).is_some_and(|bits| bits >> (member % 64) & 1 == 1)
    }
}

/// Notes folders with links whose names are no repositories'.
fn odd_names(builder: &mut Builder<'_>, bad_names: BadNames) {
    for (text, member) in bad_names {
        let problem = "expected a lower-case path as the name of a repository".to_owned();
        builder.odd(Anomaly::BadName { at: Location::member(member), text, problem });
    }
}

/// Looks at every link, and at whether each repository has the links that its images need; the blobs that have one.
fn links(builder: &mut Builder<'_>, base: &str, repositories: &BTreeSet<String>) -> Result<Marks> {
    let missed: HashSet<Digest> = builder
        .archive
        .blobs
        .iter()
        .filter(|blob| blob.member.is_none())
        .filter_map(|blob| blob.digest.clone())
        .collect();
    let mut linked = Marks::of(&builder.archive.tree);
    let place = |builder: &Builder<'_>, digest: &Digest| {
        builder.archive.tree.get(blob_name(base, digest)?.as_bytes())
    };
    let mut roots: BTreeMap<String, Vec<NodeId>> = BTreeMap::new();
    for root in &builder.archive.roots {
        let repository = root.repository.as_deref().unwrap_or_default();
        match roots.get_mut(repository) {
            Some(nodes) => nodes.push(root.node),
            None => drop(roots.insert(repository.to_owned(), vec![root.node])),
        }
    }
    for path in repositories {
        let repository = repository_of(&builder.archive.tree, base, path);
        let history = repository.tags.values().flat_map(|tag| &tag.index);
        let every = (repository.revisions.iter().map(|link| (LinkKind::Revision, link)))
            .chain(repository.layers.iter().map(|link| (LinkKind::Layer, link)))
            .chain(history.map(|link| (LinkKind::History, link)));
        for (kind, (digest, &member)) in every {
            let Some(content) = link(builder, member)? else { continue };
            let at = Location::member(member);
            linked.mark(place(builder, digest));
            linked.mark(place(builder, &content));
            if content != *digest && content.algorithm_name() == digest.algorithm_name() {
                let problem = StorageProblem::Mismatch { path: digest.clone(), content: content.clone() };
                builder.odd(Anomaly::Storage { at: at.clone(), problem });
            }
            // What an image lacks is told of the image.
            if !builder.has_blob(&content)? && !missed.contains(&content) {
                let problem = StorageProblem::Dangling { kind, digest: content };
                builder.odd(Anomaly::Storage { at, problem });
            }
        }
        let roots = roots.get(path.as_str()).map(Vec::as_slice).unwrap_or_default();
        needed(builder, path, &repository, roots);
    }
    Ok(linked)
}

/// Whether a repository has links to what the images at or below these nodes need, and the storage holds.
fn needed(builder: &mut Builder<'_>, path: &str, repository: &Repository, roots: &[NodeId]) {
    let archive = &builder.archive;
    let mut found: Vec<(Location, LinkKind, Digest)> = Vec::new();
    let mut told = HashSet::new();
    let mut seen = HashSet::new();
    let below: Vec<NodeId> = roots.iter().flat_map(|root| archive.below_unseen(*root, &mut seen)).collect();
    for id in below {
        let node = archive.node(id);
        let held =
            |blob: BlobId| archive.blob(blob).digest.clone().filter(|_| archive.blob(blob).member.is_some());
        if let Body::Index { children, .. } = &node.body {
            for edge in children {
                let blob = edge.node.and_then(|child| archive.node(child).blob);
                let digest = blob.and_then(held).filter(|digest| !repository.revisions.contains_key(digest));
                if let Some(digest) = digest.filter(|digest| told.insert(digest.clone())) {
                    found.push((edge.descriptor.at.clone(), LinkKind::Revision, digest));
                }
            }
        }
        for part in node.all_parts() {
            let foreign = part.descriptor().is_some_and(|descriptor| {
                LayerType::of(descriptor.type_or_empty()).is_some_and(|layer| layer.nondistributable)
            });
            let digest = part.blob.filter(|_| !foreign).and_then(held);
            let digest = digest.filter(|digest| !repository.layers.contains_key(digest));
            if let Some(digest) = digest.filter(|digest| told.insert(digest.clone())) {
                found.push((part.at().clone(), LinkKind::Layer, digest));
            }
        }
    }
    for (at, kind, digest) in found {
        let problem = StorageProblem::NoLink { kind, digest, repository: path.to_owned() };
        builder.odd(Anomaly::Storage { at, problem });
    }
}

type BadNames = BTreeMap<String, MemberId>;
type Aliases = BTreeMap<Digest, Digest>;

/// The repositories that have links. A name with a component that begins with `_` ends a repository's path.
fn repositories(tree: &Tree, base: &str) -> Result<(BTreeSet<String>, Aliases, BadNames)> {
    let root = format!("{base}repositories/");
    let mut found = BTreeSet::new();
    let mut aliases = Aliases::new();
    let mut bad_names = BadNames::new();
    // Members of one repository stand together.
    let mut last = String::new();
    for (id, member) in tree.below(root.as_bytes()) {
        let name = member.name();
        let Some(text) = name.get(root.len()..).and_then(|name| name.to_str().ok()) else { continue };
        let Some(at) = text.find("/_") else { continue };
        let (path, rest) = (&text[..at], &text[at + 1..]);
        if path != last {
            if !crate::reference::is_repository_path(path) {
                bad_names.entry(path.to_owned()).or_insert(id);
                continue;
            }
            found.insert(path.to_owned());
            path.clone_into(&mut last);
        }
        // A blob pushed under SHA-512 is stored under SHA-256; the link says which.
        if let ["_layers", algorithm, hex, "link"] = rest.split('/').collect::<Vec<_>>().as_slice()
            && *algorithm != "sha256"
            && let Ok(digest) = Digest::of_parts(algorithm, hex)
            && let Some(stored) = link_text(tree, id)?.and_then(|text| Digest::parse(&text).ok())
        {
            aliases.insert(digest, stored);
        }
    }
    Ok((found, aliases, bad_names))
}

/// What the links of a repository say, by their names.
fn repository_of(tree: &Tree, base: &str, path: &str) -> Repository {
    let root = format!("{base}repositories/{path}/");
    let below = format!("{root}_");
    let mut found = Repository::default();
    for (id, member) in tree.below(below.as_bytes()) {
        let name = member.name();
        let Some(rest) = name.get(root.len()..).and_then(|name| name.to_str().ok()) else { continue };
        let parts: Vec<&str> = rest.split('/').collect();
        match parts.as_slice() {
            ["_manifests", "revisions", algorithm, hex, "link"] => {
                if let Ok(digest) = Digest::of_parts(algorithm, hex) {
                    found.revisions.insert(digest, id);
                }
            }
            ["_manifests", "tags", tag, below @ ..] => {
                let tag = found.tags.entry((*tag).to_owned()).or_insert_with(|| Tag {
                    member: id,
                    current: None,
                    index: BTreeMap::new(),
                });
                match below {
                    ["current", "link"] => (tag.member, tag.current) = (id, Some(id)),
                    ["index", algorithm, hex, "link"] => {
                        if let Ok(digest) = Digest::of_parts(algorithm, hex) {
                            tag.index.insert(digest, id);
                        }
                    }
                    _ => {}
                }
            }
            ["_layers", algorithm, hex, "link"] => {
                if let Ok(digest) = Digest::of_parts(algorithm, hex) {
                    found.layers.insert(digest, id);
                }
            }
            _ => {}
        }
    }
    found
}

fn link_text(tree: &Tree, id: MemberId) -> Result<Option<String>> {
    let bytes = tree.read(id, LINK_BYTES)?;
    Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()))
}

/// A link's digest. White space around it is tolerated here and told.
fn link(builder: &mut Builder<'_>, member: MemberId) -> Result<Option<Digest>> {
    let text = link_text(&builder.archive.tree, member)?.unwrap_or_default();
    let digest = Digest::parse(text.trim()).ok();
    if digest.is_none() || text.trim() != text {
        let content = text.chars().take(100).collect();
        builder.odd(Anomaly::BadLink { member, content });
    }
    Ok(digest)
}

fn read_repository(builder: &mut Builder<'_>, path: &str, repository: &Repository) -> Result<()> {
    // Its images share what their names begin with.
    let named = Reference::parse(path).map_err(|error| error.to_string());
    for (tag, links) in &repository.tags {
        let Some(current) = links.current else {
            let (repository, tag) = (path.to_owned(), tag.clone());
            builder.odd(Anomaly::TagWithoutTarget { member: Some(links.member), repository, tag });
            continue;
        };
        let Some(digest) = link(builder, current)? else { continue };
        if !repository.revisions.contains_key(&digest) {
            let what = "revision link";
            builder.odd(Anomaly::LinkTargetMissing { member: current, digest: digest.clone(), what });
        }
        let at = Location::member(current);
        if !links.index.contains_key(&digest) {
            let problem = StorageProblem::NotInIndex(digest.clone());
            builder.odd(Anomaly::Storage { at: at.clone(), problem });
        }
        let name = match name_of(&named, tag) {
            Ok(name) => name,
            Err(problem) => {
                let text = format!("{path}:{tag}");
                builder.odd(Anomaly::BadName { at: at.clone(), text: text.clone(), problem });
                Name::Unreadable(text)
            }
        };
        if let Some(node) = builder.manifest(digest, None, &at)? {
            let repository = Some(path.to_owned());
            builder.archive.roots.push(Root { at, name, node, descriptor: None, repository, via: Via::List });
        }
    }
    if repository.tags.is_empty() {
        // Nothing else names them.
        let all = repository.revisions.iter().map(|(digest, &member)| (digest.clone(), member)).collect();
        return untagged(builder, path, all, Via::List);
    }
    let signed = repository.tags.keys().filter_map(|tag| about_tag(tag));
    let signed = signed.filter(|digest| !builder.has_node(digest));
    let signed = signed.filter_map(|digest| Some((digest.clone(), *repository.revisions.get(&digest)?)));
    let signed = signed.collect();
    untagged(builder, path, signed, Via::List)?;
    referrers(builder, path, repository)?;
    // A link that leads nowhere is told by itself.
    let mut rest = BTreeMap::new();
    for (digest, &member) in &repository.revisions {
        if !builder.has_node(digest) && builder.has_blob(digest)? {
            rest.insert(digest.clone(), member);
        }
    }
    untagged(builder, path, rest, Via::Revision)?;
    // What is about those.
    referrers(builder, path, repository)
}

/// Untagged revisions that refer to something reached so far belong to it, and what refers to them to them.
fn referrers(builder: &mut Builder<'_>, path: &str, repository: &Repository) -> Result<()> {
    let others = repository.revisions.iter().filter(|(digest, _)| !builder.has_node(digest));
    let others: Vec<(Digest, MemberId)> = others.map(|(digest, &member)| (digest.clone(), member)).collect();
    for (at, node) in builder.referrers(others)? {
        let repository = Some(path.to_owned());
        let name = Name::None;
        builder.archive.roots.push(Root { at, name, node, descriptor: None, repository, via: Via::Subject });
    }
    Ok(())
}

/// Takes the revisions that no other one of them points at.
fn untagged(
    builder: &mut Builder<'_>,
    path: &str,
    revisions: BTreeMap<Digest, MemberId>,
    via: Via,
) -> Result<()> {
    let mut found = Vec::new();
    for (digest, member) in revisions {
        let at = Location::member(member);
        found.extend(builder.manifest(digest, None, &at)?.map(|node| (node, at)));
    }
    // By digest, for a child is another node where its descriptor gives it a type.
    let digest_of = |builder: &Builder<'_>, node: NodeId| builder.archive.node(node).digest.clone();
    let mut inner: HashSet<Digest> = HashSet::new();
    for (node, _) in &found {
        let below = builder.archive.below(*node).into_iter().filter(|below| below != node);
        inner.extend(below.filter_map(|below| digest_of(builder, below)));
    }
    for (node, at) in found {
        if digest_of(builder, node).is_some_and(|digest| inner.contains(&digest)) {
            continue;
        }
        let repository = Some(path.to_owned());
        builder.archive.roots.push(Root { at, name: Name::None, node, descriptor: None, repository, via });
    }
    Ok(())
}

/// A repository whose first component could be a domain has it there (docs/architecture.md#names); any other is
/// Docker Hub's.
fn name_of(named: &Result<Reference, String>, tag: &str) -> Result<Name, String> {
    named.clone()?.with_tag(tag).map(Name::Full).map_err(|error| error.to_string())
}
