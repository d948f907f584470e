//! Storage of Docker Distribution (formats.md E.2), read without the registry.

use std::collections::{BTreeMap, HashSet};

use bstr::ByteSlice;

use super::ingest::Ingested;
use super::tree::Tree;
use crate::digest::Digest;
use crate::error::Result;
use crate::limits::Limits;
use crate::model::archive::*;
use crate::model::build::Builder;
use crate::reference::Reference;
use crate::report::{Location, MemberId};

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
    let member = tree.members.iter().find(|m| m.name.contains_str("docker/registry/v2/"))?;
    let at = member.name.find("docker/registry/v2/")?;
    let prefix = member.name.get(..at + "docker/registry/v2/".len())?.to_str().ok()?.to_owned();
    (tree.has_below(&format!("{prefix}repositories/")) || tree.has_below(&format!("{prefix}blobs/")))
        .then_some(prefix)
}

/// Recognises storage by its folders.
pub fn detect(tree: &Tree) -> bool {
    prefix(tree).is_some()
}

/// What the links of one repository say.
#[derive(Default)]
struct Repository {
    tags: BTreeMap<String, (MemberId, Option<MemberId>)>,
    revisions: BTreeMap<Digest, MemberId>,
    layers: HashSet<Digest>,
}

/// Reads every repository with its tags.
pub fn open(tree: Tree, ingested: Ingested, limits: &Limits) -> Result<Archive> {
    let base = prefix(&tree).unwrap_or_default();
    let (repositories, aliases) = repositories(&tree, &base)?;
    let blobs = format!("{base}blobs/");
    let place = blobs.clone();
    let locate = move |tree: &Tree, digest: &Digest, _: bool| {
        let at = |digest: &Digest| {
            let hex = digest.encoded();
            let path = format!("{place}{}/{}/{hex}/data", digest.algorithm_name(), hex.get(..2)?);
            tree.file(path.as_bytes())
        };
        at(digest).or_else(|| at(aliases.get(digest)?))
    };
    let mut builder = Builder::new("registry-storage", tree, ingested, limits, Box::new(locate));
    for (path, repository) in &repositories {
        read_repository(&mut builder, path, repository)?;
    }
    if builder.archive.roots.is_empty() {
        builder.odd(Anomaly::Empty { at: Location::archive() });
    }
    let stored: Vec<(Digest, MemberId)> = builder
        .archive
        .tree
        .below(blobs.as_bytes())
        .filter_map(|(id, member)| {
            let text = member.name.strip_prefix(blobs.as_bytes())?.strip_suffix(b"/data")?.to_str().ok()?;
            let mut parts = text.split('/');
            let (algorithm, _, hex) = (parts.next()?, parts.next()?, parts.next()?);
            Some((Digest::parse(&format!("{algorithm}:{hex}")).ok()?, id))
        })
        .collect();
    for (digest, member) in stored {
        builder.stored_blob(digest, member);
    }
    Ok(builder.archive)
}

type Repositories = BTreeMap<String, Repository>;
type Aliases = BTreeMap<Digest, Digest>;

/// Walks the links by name. A name with a component that begins with `_` ends a repository's path.
fn repositories(tree: &Tree, base: &str) -> Result<(Repositories, Aliases)> {
    let root = format!("{base}repositories/");
    let mut found = Repositories::new();
    let mut aliases = Aliases::new();
    for (id, member) in tree.below(root.as_bytes()) {
        let Some(text) = member.name.get(root.len()..).and_then(|name| name.to_str().ok()) else { continue };
        let Some(at) = text.find("/_") else { continue };
        let (path, rest) = (&text[..at], &text[at + 1..]);
        if !crate::reference::is_repository_path(path) {
            continue;
        }
        let repository = found.entry(path.to_owned()).or_default();
        let parts: Vec<&str> = rest.split('/').collect();
        match parts.as_slice() {
            ["_manifests", "revisions", algorithm, hex, "link"] => {
                if let Ok(digest) = Digest::parse(&format!("{algorithm}:{hex}")) {
                    repository.revisions.insert(digest, id);
                }
            }
            ["_manifests", "tags", tag, below @ ..] => {
                let entry = repository.tags.entry((*tag).to_owned()).or_insert((id, None));
                if below == ["current", "link"] {
                    *entry = (id, Some(id));
                }
            }
            ["_layers", algorithm, hex, "link"] => {
                let Ok(digest) = Digest::parse(&format!("{algorithm}:{hex}")) else { continue };
                // A blob pushed under SHA-512 is stored under SHA-256; the link says which.
                if *algorithm != "sha256" {
                    if let Some(stored) = link_text(tree, id)?.and_then(|text| Digest::parse(&text).ok()) {
                        aliases.insert(digest.clone(), stored);
                    }
                }
                repository.layers.insert(digest);
            }
            _ => {}
        }
    }
    Ok((found, aliases))
}

fn link_text(tree: &Tree, id: MemberId) -> Result<Option<String>> {
    let bytes = tree.read(id, 1024)?;
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
    for (tag, (member, current)) in &repository.tags {
        let Some(current) = *current else {
            let name = format!("{path}:{tag}");
            builder.odd(Anomaly::TagWithoutCurrent { member: *member, name });
            continue;
        };
        let Some(digest) = link(builder, current)? else { continue };
        if !repository.revisions.contains_key(&digest) {
            let what = "revision link";
            builder.odd(Anomaly::LinkTargetMissing { member: current, digest: digest.clone(), what });
        }
        let at = Location::member(current);
        let name = match name_of(path, tag) {
            Ok(name) => name,
            Err(problem) => {
                let text = format!("{path}:{tag}");
                builder.odd(Anomaly::BadName { at: at.clone(), text: text.clone(), problem });
                Name::Unreadable(text)
            }
        };
        if let Some(node) = builder.manifest(digest, None, &at)? {
            let repository = Some(path.to_owned());
            builder.archive.roots.push(Root { at, name, node, descriptor: None, repository });
        }
    }
    if repository.tags.is_empty() {
        // Nothing else names them.
        let all = repository.revisions.iter().map(|(digest, &member)| (digest.clone(), member)).collect();
        return untagged(builder, path, all);
    }
    let reached = reached(builder);
    let signed =
        repository.tags.keys().filter_map(|tag| about(tag)).filter(|digest| !reached.contains(digest));
    let signed = signed.filter_map(|digest| Some((digest.clone(), *repository.revisions.get(&digest)?)));
    untagged(builder, path, signed.collect())?;
    referrers(builder, path, repository)
}

/// The manifest that a tag of cosign's scheme or of the referrers fallback is about: `sha256-<hex>`, then anything.
fn about(tag: &str) -> Option<Digest> {
    let hex = tag.strip_prefix("sha256-")?.get(..64)?;
    Digest::parse(&format!("sha256:{hex}")).ok()
}

/// The digests of everything read so far.
fn reached(builder: &Builder<'_>) -> HashSet<Digest> {
    builder.archive.nodes.iter().filter_map(|node| node.digest.clone()).collect()
}

/// Untagged revisions that refer to something reached by a tag belong to it; any other is history that no tag names.
fn referrers(builder: &mut Builder<'_>, path: &str, repository: &Repository) -> Result<()> {
    let nodes = reached(builder);
    for (digest, &member) in repository.revisions.iter().filter(|(digest, _)| !nodes.contains(digest)) {
        let Some(subject) = builder.subject_of(digest)? else { continue };
        if !nodes.contains(&subject) {
            continue;
        }
        let at = Location::member(member);
        if let Some(node) = builder.manifest(digest.clone(), None, &at)? {
            let repository = Some(path.to_owned());
            builder.archive.roots.push(Root { at, name: Name::None, node, descriptor: None, repository });
        }
    }
    Ok(())
}

/// Takes the revisions that no other one of them points at.
fn untagged(builder: &mut Builder<'_>, path: &str, revisions: BTreeMap<Digest, MemberId>) -> Result<()> {
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
        builder.archive.roots.push(Root { at, name: Name::None, node, descriptor: None, repository });
    }
    Ok(())
}

/// A repository whose first component could be a domain has it there (design.md 6, Names); any other is Docker Hub's.
fn name_of(path: &str, tag: &str) -> Result<Name, String> {
    let reference = Reference::parse(path).map_err(|error| error.to_string())?;
    reference.with_tag(tag).map(Name::Full).map_err(|error| error.to_string())
}
