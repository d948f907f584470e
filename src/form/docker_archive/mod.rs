//! What `docker save` writes, of every era and by every producer (formats.md A).
//!
//! A dual archive (Docker 25 and later) is read as the union of its halves, joined by config digest: the OCI half gives
//! manifests, the docker half adds images and names that `index.json` lacks.

mod form;
pub mod manifest_json;
mod tags;
mod v1;
mod write_legacy;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::oci_layout;
use crate::digest::Digest;
use crate::error::Result;
use crate::json::Value;
use crate::limits::Limits;
use crate::location::{Location, MemberId};
use crate::media::Family;
use crate::model::archive::*;
use crate::model::build::Builder;
use crate::model::{Anomaly, Disagreement, DocKind, Form};
use crate::reference::Reference;
use crate::source::{Ingested, Tree};

/// Recognises `manifest.json` that is no object (that would be a `dir:` layout), or an archive of the first era.
pub(super) fn detect(tree: &Tree) -> bool {
    match tree.file(b"manifest.json") {
        Some(id) => {
            let head = tree.head(id, 64).unwrap_or_default();
            let object = head.trim_ascii_start().starts_with(b"{");
            // Beside a whole layout an object is a file of somebody else's: image-spec allows any.
            !object || tree.get(b"index.json").is_some() && !oci_layout::detect(tree)
        }
        // `repositories` alone is too little: registry storage has a folder of that name.
        None => !oci_layout::detect(tree) && v1::detect(tree),
    }
}

/// Reads an archive.
pub fn open(tree: Tree, ingested: Ingested, limits: &Limits) -> Result<Archive> {
    let mut builder = Builder::new(Form::DockerArchive, tree, ingested, limits, oci_layout::locate);
    let dual = oci_layout::detect(&builder.archive.tree);
    if dual {
        oci_layout::read_into(&mut builder)?;
    }
    match builder.file("manifest.json") {
        Some(member) => read_items(&mut builder, member)?,
        None if dual => builder.odd(Anomaly::MissingMember { name: "manifest.json", of: "a docker-archive" }),
        None => v1::read_into(&mut builder)?,
    }
    if !builder.archive.roots.is_empty() {
        // Where one half lists images, `index.json` may list none, unlike `manifest.json`, which Docker reads.
        let index = builder.archive.index_json.map(|id| builder.archive.listed(id).member);
        let of_index = |at: &Location| at.member.is_some() && at.member == index;
        builder.archive.anomalies.retain(|anomaly| !matches!(anomaly, Anomaly::Empty { at } if of_index(at)));
    }
    Ok(builder.archive)
}

/// One item of `manifest.json`, understood as far as possible. Members in the wrong letter case count (jib).
struct Item {
    at: Location,
    config: Option<(String, Location)>,
    layers: Vec<(String, Location)>,
    tags: Vec<(String, Location)>,
}

pub use form::{FORMAT, LEGACY, TAR, UNIVERSAL};
pub(super) use v1::read_repositories;
pub use write_legacy::{LegacyNames, legacy_file, legacy_names, legacy_stream};

/// Reads the items of a `manifest.json`.
pub(super) fn read_items(builder: &mut Builder<'_>, member: MemberId) -> Result<()> {
    let Some(document) = builder.document(member, DocKind::DockerArchive)? else { return Ok(()) };
    let document = builder.archive.document(document);
    let mut list: Vec<Item> = document
        .root()
        .map(|root| root.items().iter().enumerate().map(|(i, item)| Item::of(member, i, item)).collect())
        .unwrap_or_default();
    builder.cap_images(&mut list, Location::pointer(member, ""));
    let empty = list.is_empty();
    if empty {
        builder.odd(Anomaly::Empty { at: Location::pointer(member, "") });
    }
    let known = Known::of(&builder.archive);
    let mut tagged: HashMap<String, (NodeId, Location)> = HashMap::new();
    let mut by_config: HashMap<BlobId, NodeId> = HashMap::new();
    let mut rooted: HashSet<NodeId> = known.reached.keys().copied().collect();
    let oci_roots = builder.archive.roots.len();
    let mut joined = HashSet::new();
    let mut layers: HashMap<String, Rc<[Option<MemberId>]>> = HashMap::new();
    let mut names = 0;
    for mut item in list {
        let parts = parts(builder, &mut item)?;
        let members: Rc<[Option<MemberId>]> =
            parts.layers.iter().map(|layer| builder.archive.blob(layer.blob?).member).collect();
        let node = node_of(builder, &item, parts, &known, &mut by_config);
        joined.insert(node);
        let before = builder.archive.roots.len();
        for (text, at) in &item.tags {
            names += 1;
            if builder.too_many_names(names, at) {
                break;
            }
            let name = match Reference::parse(text) {
                Ok(reference) if reference.digest().is_none() => reference.with_default_tag(),
                Ok(_) => {
                    let problem = "a digest reference, where a name with a tag was expected".to_owned();
                    builder.odd(Anomaly::BadName { at: at.clone(), text: text.clone(), problem });
                    continue;
                }
                Err(error) => {
                    let problem = error.to_string();
                    builder.odd(Anomaly::BadName { at: at.clone(), text: text.clone(), problem });
                    continue;
                }
            };
            let canonical = name.canonical();
            if let Some((other, first)) = tagged.get(&canonical) {
                if *other != node {
                    let name = name.familiar();
                    builder.odd(Anomaly::TagTwice { at: at.clone(), first: first.clone(), name });
                }
                continue;
            }
            tagged.insert(canonical.clone(), (node, at.clone()));
            add_name(builder, &known, node, name, &canonical, at);
            layers.insert(canonical, Rc::clone(&members));
        }
        rooted.extend(builder.archive.roots[before..].iter().map(|root| root.node));
        // No tag, or another image has taken it.
        if rooted.insert(node) {
            let at = item.at.clone();
            builder.archive.roots.push(Root::listed(at, node));
        }
    }
    if !empty {
        missing_items(builder, oci_roots, &joined, &tagged);
    }
    legacy_left_out(builder);
    if builder.archive.form == Form::DockerArchive {
        tags::read(builder, &layers)?;
    }
    Ok(())
}

/// Images and names of the OCI half, the first so many roots, that the docker half lacks. An index has one item, for
/// one of its platforms.
fn missing_items(
    builder: &mut Builder<'_>,
    oci_roots: usize,
    joined: &HashSet<NodeId>,
    tagged: &HashMap<String, (NodeId, Location)>,
) {
    let archive = &builder.archive;
    let mut found = Vec::new();
    let is_image = |id: NodeId| {
        let parts = archive.node(id).parts();
        parts.is_some_and(|parts| parts.role == Role::Image && archive.holds(&parts.config))
    };
    // Artifacts have no item.
    let images = archive.reaching(is_image);
    let items = archive.reaching(|id| is_image(id) && joined.contains(&id));
    for root in &archive.roots[..oci_roots] {
        let has_item = images.contains(&root.node).then(|| items.contains(&root.node));
        let what = match (has_item, &root.name) {
            // Which is told where the tag stands.
            (Some(false), Name::Full(name)) if tagged.contains_key(&name.canonical()) => continue,
            (Some(false), _) if joined.is_empty() => Disagreement::Disjoint,
            (Some(false), Name::Full(name)) => Disagreement::ItemMissing(Some(name.familiar())),
            (Some(false), _) => Disagreement::ItemMissing(None),
            (Some(true), Name::Full(name))
                if name.digest().is_none() && !tagged.contains_key(&name.canonical()) =>
            {
                Disagreement::RepoTagMissing(name.familiar())
            }
            _ => continue,
        };
        found.push(Anomaly::HalvesDisagree { at: root.at.clone(), other: None, what });
    }
    found.into_iter().for_each(|anomaly| builder.odd(anomaly));
}

impl Item {
    fn of(member: MemberId, index: usize, item: &Value) -> Item {
        let at = Location::pointer(member, format!("/{index}"));
        let strings = |name: &str| -> Vec<(String, Location)> {
            let Some(list) = item.get(name) else { return Vec::new() };
            let base = at.child(exact_key(item, name));
            let texts = list.items().iter().enumerate();
            texts.filter_map(|(i, text)| Some((text.as_str()?.to_owned(), base.child(i)))).collect()
        };
        let config = item.get("Config").and_then(Value::as_str);
        Item {
            config: config.map(|text| (text.to_owned(), at.child(exact_key(item, "Config")))),
            layers: strings("Layers"),
            tags: strings("RepoTags"),
            at,
        }
    }
}

/// The member's name as it is written.
fn exact_key<'a>(object: &'a Value, name: &'a str) -> &'a str {
    object.field(name).map_or(name, |member| &member.key)
}

fn parts(builder: &mut Builder<'_>, item: &mut Item) -> Result<ImageParts> {
    let at = item.layers.first().map_or_else(|| item.at.clone(), |(_, at)| at.clone());
    builder.cap_layers(&mut item.layers, at);
    let (path, at) = item.config.clone().unwrap_or_else(|| (String::new(), item.at.clone()));
    let config = builder.part_of_member(&path, at);
    if let Some(member) = config.blob.and_then(|blob| builder.archive.blob(blob).member) {
        builder.document(member, DocKind::Config(Family::Docker))?;
    }
    let layers =
        item.layers.iter().map(|(path, at)| builder.part_of_member(path, at.clone())).collect::<Vec<_>>();
    for layer in &layers {
        if let Some(blob) = layer.blob {
            builder.is_layer(blob);
        }
    }
    Ok(ImageParts { config, layers, role: Role::Image })
}

/// What the OCI half holds, before the docker half adds to it.
struct Known {
    /// Manifests by the digest of their config's bytes: artifacts may share one with an image.
    by_config: HashMap<Digest, Vec<NodeId>>,
    /// For every manifest, the position of the first root that reaches it.
    reached: HashMap<NodeId, usize>,
    /// Roots by canonical name.
    names: HashMap<String, usize>,
}

impl Known {
    fn of(archive: &Archive) -> Known {
        let mut by_config: HashMap<Digest, Vec<NodeId>> = HashMap::new();
        for (i, node) in archive.nodes.iter().enumerate() {
            let Body::Manifest { parts, .. } = &node.body else { continue };
            if let Some(document) = archive.part_listed(&parts.config) {
                by_config.entry(document.sha256.clone()).or_default().push(NodeId(i as u32));
            }
        }
        let mut reached = HashMap::new();
        let mut names = HashMap::new();
        let mut seen = HashSet::new();
        for (i, root) in archive.roots.iter().enumerate() {
            if let Name::Full(name) = &root.name {
                names.entry(name.canonical()).or_insert(i);
            }
            for node in archive.below_unseen(root.node, &mut seen) {
                reached.entry(node).or_insert(i);
            }
        }
        Known { by_config, reached, names }
    }
}

/// The manifest of the OCI half that is this item's image, else a node of its own.
fn node_of(
    builder: &mut Builder<'_>,
    item: &Item,
    parts: ImageParts,
    known: &Known,
    by_config: &mut HashMap<BlobId, NodeId>,
) -> NodeId {
    let config = builder.archive.part_listed(&parts.config).map(|document| document.sha256.clone());
    let same = |a: &[Part], b: &[Part]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.blob == b.blob);
    if let Some(nodes) = config.as_ref().and_then(|digest| known.by_config.get(digest)) {
        let known = |node: &NodeId| builder.archive.node(*node).parts();
        let fits = |node: &&NodeId| known(node).is_some_and(|known| same(&known.layers, &parts.layers));
        let is_image = |node: &&NodeId| known(node).is_some_and(|known| known.role == Role::Image);
        let best = nodes.iter().find(fits).or_else(|| nodes.iter().find(is_image)).or(nodes.first());
        if let Some(&node) = best {
            join(builder, item, parts, node);
            return node;
        }
    }
    if !known.by_config.is_empty() || builder.archive.index_json.is_some() {
        // Of a tag that is another image there, that is what is told.
        let mut tags = item.tags.iter().filter_map(|(text, _)| Reference::parse(text).ok());
        let tag = tags.find(|tag| !known.names.contains_key(&tag.canonical()));
        // An index without images is that of Docker 25.0.0 where nothing has a tag.
        if !known.by_config.is_empty() || tag.is_some() {
            let what = Disagreement::ImageMissing(tag.map(|tag| tag.familiar()));
            builder.odd(Anomaly::HalvesDisagree { at: item.at.clone(), other: None, what });
        }
    }
    // `crane pull` writes one item for each name of an image (formats.md A.4).
    let blob = parts.config.blob;
    if let Some(&node) = blob.and_then(|blob| by_config.get(&blob)) {
        if builder.archive.node(node).parts().is_some_and(|known| same(&known.layers, &parts.layers)) {
            return node;
        }
    }
    let node = builder.node(Node {
        digest: None,
        media_type: None,
        blob: None,
        document: None,
        body: Body::Item { parts },
        signatures: Vec::new(),
    });
    if let Some(blob) = blob {
        by_config.entry(blob).or_insert(node);
    }
    node
}

/// Compares the layers of both halves. If they differ, the half whose order equals `diff_ids` is taken, as far as
/// member names tell (Docker 25.0.0 wrote manifests with their layers in random order: formats.md A.3.1).
fn join(builder: &mut Builder<'_>, item: &Item, parts: ImageParts, node: NodeId) {
    let archive = &builder.archive;
    let Some(own) = archive.node(node).parts() else { return };
    let blobs = |layers: &[Part]| layers.iter().map(|layer| layer.blob).collect::<Vec<_>>();
    let (oci, docker) = (blobs(&own.layers), blobs(&parts.layers));
    if oci == docker {
        return;
    }
    let diff_ids = archive.config(own).and_then(|config| config.diff_ids()).unwrap_or_default();
    let digest = |blob: &Option<BlobId>| blob.and_then(|blob| archive.blob(blob).digest.clone());
    let fits = |blobs: &[Option<BlobId>]| blobs.iter().map(digest).collect::<Vec<_>>() == diff_ids;
    let docker_fits = fits(&docker) && !fits(&oci);
    // The first layer that differs, or the last one of the half that ends before.
    let first = oci.iter().zip(&docker).take_while(|(oci, docker)| oci == docker).count();
    let other = own.layers.get(first).or(own.layers.last()).map(|layer| layer.at().clone());
    let at = item.layers.get(first).or(item.layers.last()).map_or(item.at.clone(), |(_, at)| at.clone());
    builder.odd(Anomaly::HalvesDisagree { at, other, what: Disagreement::Layers });
    if docker_fits {
        let node = &mut builder.archive.nodes[node.index()];
        (node.body, node.digest, node.media_type) = (Body::Item { parts }, None, None);
    }
}

/// Adds a name of the docker half, unless the OCI half has it already.
fn add_name(
    builder: &mut Builder<'_>,
    known: &Known,
    node: NodeId,
    name: Reference,
    canonical: &str,
    at: &Location,
) {
    if let Some(&root) = known.names.get(canonical) {
        let root = &builder.archive.roots[root];
        if !builder.archive.below(root.node).contains(&node) {
            let what = Disagreement::Tag(name.familiar());
            let other = Some(root.at.clone());
            builder.odd(Anomaly::HalvesDisagree { at: at.clone(), other, what });
        }
        return;
    }
    let reached = known.reached.get(&node).map(|&root| builder.archive.roots[root].clone());
    if let Some(root) = &reached {
        let what = Disagreement::TagMissing(name.familiar());
        let other = Some(root.at.clone());
        builder.odd(Anomaly::HalvesDisagree { at: at.clone(), other, what });
    }
    let node = reached.map_or(node, |root| root.node);
    let name = Name::Full(name);
    builder.archive.roots.push(Root {
        at: at.clone(),
        name,
        node,
        descriptor: None,
        repository: None,
        via: Via::List,
    });
}

/// Counts the members of the first era that stand beside a `manifest.json`: nothing reads them.
fn legacy_left_out(builder: &mut Builder<'_>) {
    let tree = &builder.archive.tree;
    let legacy = |name: &[u8]| {
        name == b"repositories"
            || (name.len() > 65 && name[64] == b'/' && matches!(&name[65..], b"json" | b"VERSION"))
    };
    let members = tree.members.iter().filter(|member| legacy(&member.name())).count() as u64;
    if members > 0 {
        builder.odd(Anomaly::LegacyIgnored { members });
    }
}
