//! Which roots and platforms of a source are meant: `--image`, `--platform`, and `:REF` behind a place.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::error::{Error, ErrorKind, Result};
use crate::model::{Archive, Body, Name, NodeId, Root, Via};
use crate::platform::{Platform, Specifier};
use crate::reference::Reference;
use crate::similar;

/// A chosen entry point.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The root, which may be pointed at a manifest below the one that it had.
    pub root: Root,
    /// For an index of which only some children are wanted: those children and everything above them.
    pub only: Option<HashSet<NodeId>>,
    /// The position of the root among those of the archive.
    pub index: usize,
}

/// The roots that `images` names, in source order; where it names none, all but revisions that no tag names.
pub fn roots(archive: &Archive, images: &[String]) -> Result<Vec<Chosen>> {
    let whole = |(index, root): (usize, &Root)| Chosen { root: root.clone(), only: None, index };
    if images.is_empty() {
        let all = archive.roots.iter().enumerate().map(whole);
        let (named, history): (Vec<Chosen>, Vec<Chosen>) =
            all.partition(|chosen| chosen.root.via != Via::Revision);
        return Ok(if named.is_empty() { history } else { named });
    }
    let mut chosen: Vec<Chosen> = Vec::new();
    for wanted in images {
        let found = matching(archive, wanted);
        if found.is_empty() {
            return Err(no_such_image(archive, wanted));
        }
        for (index, root) in found {
            let known = |c: &Chosen| {
                c.root.node == root.node && c.root.name == root.name && c.root.repository == root.repository
            };
            if !chosen.iter().any(known) {
                chosen.push(Chosen { root, only: None, index });
            }
        }
    }
    chosen.sort_by_key(|chosen| chosen.index);
    Ok(chosen)
}

type Found = Vec<(usize, Root)>;

/// The first way of reading `wanted` that finds something (formats.md D.8).
fn matching(archive: &Archive, wanted: &str) -> Found {
    let roots = || archive.roots.iter().enumerate();
    let take = |test: &dyn Fn(&Root) -> bool| -> Found {
        roots().filter(|(_, root)| test(root)).map(|(i, root)| (i, root.clone())).collect()
    };
    if let Some(number) = wanted.strip_prefix('@').and_then(|n| n.parse::<usize>().ok()) {
        return distinct(archive)
            .get(number)
            .map(|node| take(&|root| root.node == *node))
            .unwrap_or_default();
    }
    // What is shown as a name can be given back as one.
    let exact_text = |root: &Root| match &root.name {
        Name::BareTag(text) | Name::Unreadable(text) => text == wanted || root.name.shown() == wanted,
        Name::Full(_) => false,
        Name::None => root.name.shown() == wanted,
    };
    let reference = Reference::parse(wanted).ok();
    let full = reference.clone().map(Reference::with_default_tag);
    let ways: [&dyn Fn(&Root) -> bool; 5] = [
        &exact_text,
        // Only storage has repositories: there a name without tag is all of one, not its `latest`.
        &|root| root.repository.as_deref() == Some(wanted),
        &|root| matches!((&root.name, &full), (Name::Full(name), Some(full)) if name == full),
        &|root| matches!(&root.name, Name::Full(name) if name.tag() == Some(wanted)),
        &|root| {
            matches!((&root.name, &reference), (Name::Full(name), Some(wanted))
                if wanted.tag().is_none() && wanted.digest().is_none()
                    && name.repository() == wanted.repository())
        },
    ];
    for way in ways {
        let found = take(way);
        if !found.is_empty() {
            return found;
        }
    }
    by_digest(archive, wanted)
}

/// What roots point at, each once, in source order: `@N` counts them.
fn distinct(archive: &Archive) -> Vec<NodeId> {
    let mut met = HashSet::new();
    archive.roots.iter().map(|root| root.node).filter(|&node| met.insert(node)).collect()
}

/// What `--image` takes for each of these roots alone: its name, or where it has none or shares it `@N`, with the platform
/// for whoever reads it.
pub fn handles<'a>(archive: &Archive, roots: impl IntoIterator<Item = &'a Root>) -> Vec<String> {
    let order: HashMap<NodeId, usize> = distinct(archive).into_iter().zip(0..).collect();
    let mut nodes: HashMap<String, HashSet<NodeId>> = HashMap::new();
    for root in &archive.roots {
        nodes.entry(root.name.shown()).or_default().insert(root.node);
    }
    let mut told = HashSet::new();
    let mut found = Vec::new();
    for root in roots {
        let name = root.name.shown();
        if root.name != Name::None && nodes.get(&name).is_none_or(|nodes| nodes.len() < 2) {
            found.push(name);
        } else if let Some(&at) = order.get(&root.node).filter(|at| told.insert(**at)) {
            let described = root.descriptor.as_deref().and_then(|descriptor| descriptor.platform.as_deref());
            let platform = platform_of(archive, root.node, described).filter(|p| !p.os.is_empty());
            let platform = platform.map(|p| format!(" ({})", p.normalised())).unwrap_or_default();
            found.push(format!("@{at}{platform}"));
        }
    }
    found
}

/// A manifest digest, or an image ID of 12 or more hex digits. A manifest below a root loses the root's name.
fn by_digest(archive: &Archive, wanted: &str) -> Found {
    let hex = wanted.strip_prefix("sha256:").unwrap_or(wanted);
    let long_enough = hex.len() >= 12 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    if !long_enough && !wanted.contains(':') {
        return Vec::new();
    }
    let is_it = |node: NodeId| {
        let node_of = archive.node(node);
        let manifest = node_of.digest.as_ref().is_some_and(|digest| {
            digest.as_str() == wanted || (long_enough && digest.encoded().starts_with(hex))
        });
        let config = node_of.parts().and_then(|parts| archive.part_listed(&parts.config));
        manifest || (long_enough && config.is_some_and(|document| document.sha256.encoded().starts_with(hex)))
    };
    let direct: Found = archive
        .roots
        .iter()
        .enumerate()
        .filter(|(_, root)| is_it(root.node))
        .map(|(i, root)| (i, root.clone()))
        .collect();
    if !direct.is_empty() {
        return direct;
    }
    let mut seen = HashSet::new();
    let mut found = Found::new();
    for (i, root) in archive.roots.iter().enumerate() {
        for node in archive.below_unseen(root.node, &mut seen) {
            if is_it(node) {
                found.push((i, below(archive, root, node)));
            }
        }
    }
    found
}

/// A root that points at a manifest below another root.
fn below(archive: &Archive, root: &Root, node: NodeId) -> Root {
    let edge = archive.below(root.node).into_iter().find_map(|parent| match &archive.node(parent).body {
        Body::Index { children, .. } => children.iter().find(|edge| edge.node == Some(node)),
        _ => None,
    });
    let descriptor = edge.map(|edge| Box::new(edge.descriptor.clone()));
    Root { name: Name::None, node, descriptor, via: Via::List, ..root.clone() }
}

fn no_such_image(archive: &Archive, wanted: &str) -> Error {
    let names: Vec<String> = archive
        .roots
        .iter()
        .map(|root| match &root.name {
            Name::None => image_id(archive, root.node).unwrap_or_else(|| "an image without name".into()),
            name => name.shown(),
        })
        .collect();
    let near = names
        .iter()
        .filter_map(|name| Some((similar::distance(name, wanted)?, name)))
        .filter(|(distance, name)| *distance <= name.len().max(3) / 3)
        .min();
    let near = near.map(|(_, name)| format!("; did you mean `{name}`?")).unwrap_or_default();
    let have = if names.is_empty() { "there are none".to_owned() } else { list(&names) };
    Error::refused_help(
        format!("no image `{wanted}` in {}", archive.tree.place),
        format!("it holds {have}{near}"),
    )
    .of(ErrorKind::NotFound)
}

/// Names joined for a message, at most twenty of them.
pub fn list(names: &[String]) -> String {
    let more = names.len().saturating_sub(20);
    let shown: Vec<Cow<'_, str>> = names.iter().take(20).map(|name| short(name)).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// A name as a message may hold it: an archive's may be megabytes long.
fn short(name: &str) -> Cow<'_, str> {
    match name.char_indices().nth(300) {
        Some((at, _)) => Cow::Owned(format!("{}…", &name[..at])),
        None => Cow::Borrowed(name),
    }
}

/// A manifest or index in words: its name, its platform, or its digest in short.
pub fn described(archive: &Archive, node: NodeId) -> String {
    if let Some(root) = archive.named_root(node) {
        return root.name.shown();
    }
    let platform = platform_of(archive, node, None).filter(|p| !p.os.is_empty() && !p.is_unknown());
    match (platform, &archive.node(node).digest) {
        (Some(platform), _) => platform.normalised().to_string(),
        (None, Some(digest)) => format!("{}:{}", digest.algorithm_name(), digest.short()),
        (None, None) => image_id(archive, node).unwrap_or_else(|| "an image without name".into()),
    }
}

/// The image ID of a node with a config, as command lines show it.
pub fn image_id(archive: &Archive, node: NodeId) -> Option<String> {
    let parts = archive.node(node).parts()?;
    archive.part_listed(&parts.config).map(|document| document.sha256.short().to_owned())
}

/// The platform of an image: what its index says, else its config.
pub fn platform_of(archive: &Archive, node: NodeId, described: Option<&Platform>) -> Option<Platform> {
    let own = || match &archive.node(node).body {
        Body::Manifest { parts, .. } | Body::Item { parts } => {
            archive.config(parts).map(|config| config.platform())
        }
        Body::V1 { chain, .. } => {
            let document = archive.document(*chain.last()?);
            let mut platform = crate::model::view::platform(document.root()?)?;
            // formats.md B.1: absent means linux on amd64 in archives.
            if platform.os.is_empty() {
                platform.os = "linux".into();
            }
            if platform.architecture.is_empty() {
                platform.architecture = "amd64".into();
            }
            Some(platform)
        }
        Body::Schema1 { .. } => {
            let document = archive.node_document(node)?;
            let architecture =
                crate::model::view::text(document.root()?, "architecture").unwrap_or_else(|| "amd64".into());
            Some(Platform { os: "linux".into(), architecture, ..Platform::default() })
        }
        _ => None,
    };
    described.filter(|platform| !platform.os.is_empty()).cloned().or_else(own)
}

/// A root that `--platform` took away.
#[derive(Debug, Clone)]
pub struct Lost {
    /// The root.
    pub root: Root,
    /// The image that took its place and its name, if there is one.
    pub image: Option<NodeId>,
    /// The position of the root among those of the archive.
    pub index: usize,
}

/// Keeps what `wanted` names: a root of one image is kept or left out, an index is cut to the matching children and
/// their attestations, and if only one image is left and `sparse` is not set, the root becomes that image.
pub fn platforms(
    archive: &Archive,
    chosen: Vec<Chosen>,
    wanted: &[Specifier],
    sparse: bool,
) -> Result<(Vec<Chosen>, Vec<Lost>)> {
    let mut lost = Vec::new();
    if wanted.is_empty() {
        return Ok((chosen, lost));
    }
    let matches = |platform: &Platform| wanted.iter().any(|specifier| specifier.matches(platform));
    let mut kept = Vec::new();
    let mut there: Vec<String> = Vec::new();
    for chosen in chosen {
        let images = images_below(archive, chosen.root.node, chosen.root.descriptor.as_deref());
        there.extend(images.iter().map(|(_, platform)| platform.normalised().to_string()));
        let hits: Vec<NodeId> = images.iter().filter(|(_, p)| matches(p)).map(|(node, _)| *node).collect();
        match hits.as_slice() {
            [] => lost.push(Lost { root: chosen.root, image: None, index: chosen.index }),
            [one] if *one == chosen.root.node => kept.push(chosen),
            [one] if !sparse => {
                let index = chosen.index;
                lost.push(Lost { root: chosen.root.clone(), image: Some(*one), index });
                let name = chosen.root.name.clone();
                let root = Root { name, ..below(archive, &chosen.root, *one) };
                kept.push(Chosen { root, only: None, index });
            }
            several => {
                let only = with_ancestors(archive, chosen.root.node, several);
                kept.push(Chosen { only: Some(only), ..chosen });
            }
        }
    }
    if kept.is_empty() {
        there.sort();
        there.dedup();
        let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        let have = if there.is_empty() { "no image of any platform".to_owned() } else { list(&there) };
        let message = format!("no image for {} in {}", list(&wanted), archive.tree.place);
        return Err(Error::refused_help(message, format!("it holds {have}")));
    }
    Ok((kept, lost))
}

/// The images at or below a node that the archive holds, with their platforms.
pub fn images_below(
    archive: &Archive,
    node: NodeId,
    descriptor: Option<&crate::model::Descriptor>,
) -> Vec<(NodeId, Platform)> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let described = descriptor.and_then(|descriptor| descriptor.platform.as_deref());
    if is_image(archive, node) {
        found.extend(platform_of(archive, node, described).map(|platform| (node, platform)));
    }
    for parent in archive.below(node) {
        let Body::Index { children, .. } = &archive.node(parent).body else { continue };
        for edge in children.iter().filter(|edge| !edge.attestation) {
            let Some(child) = edge.node.filter(|&child| is_image(archive, child)) else { continue };
            if let Some(platform) = platform_of(archive, child, edge.descriptor.platform.as_deref()) {
                if child != node && seen.insert(child) {
                    found.push((child, platform));
                }
            }
        }
    }
    found
}

/// Whether a node is an image that the archive holds.
pub fn is_image(archive: &Archive, node: NodeId) -> bool {
    match &archive.node(node).body {
        Body::Manifest { parts, .. } | Body::Item { parts } => parts.role == crate::model::Role::Image,
        Body::V1 { .. } | Body::Schema1 { .. } => true,
        Body::Index { .. }
        | Body::ArtifactManifest { .. }
        | Body::Layer { .. }
        | Body::Absent
        | Body::Opaque => false,
    }
}

/// The wanted images, their attestations, and the indexes above them.
fn with_ancestors(archive: &Archive, root: NodeId, images: &[NodeId]) -> HashSet<NodeId> {
    let mut only: HashSet<NodeId> = images.iter().copied().collect();
    let digests: HashSet<String> = images
        .iter()
        .filter_map(|&node| archive.node(node).digest.as_ref().map(ToString::to_string))
        .collect();
    let mut nodes = archive.below(root);
    nodes.reverse();
    for parent in nodes {
        let Body::Index { children, .. } = &archive.node(parent).body else { continue };
        for edge in children.iter().filter(|edge| edge.attestation) {
            if edge.attests.as_ref().is_some_and(|digest| digests.contains(digest)) {
                only.extend(edge.node);
            }
        }
        if children.iter().any(|edge| edge.node.is_some_and(|node| only.contains(&node))) {
            only.insert(parent);
        }
    }
    only
}
