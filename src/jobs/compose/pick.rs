//! What goes into a new index: images of archives, one by one or out of their indexes, with their attestations.

use std::collections::HashSet;
use std::sync::Arc;

use super::child::{described, platform_of};
use super::gather::{Gathering, bytes};
use super::list;
use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::convert::{Action, Entry, Kind};
use crate::media::{DocumentType, Family};
use crate::model::partial::Partial;
use crate::model::select::{self, Chosen};
use crate::model::{Archive, Body, Edge, NodeId, Role, referrers};
use crate::platform::{Platform, Specifier};

/// What is taken of one archive.
#[derive(Debug, Default)]
pub struct Pick {
    children: Vec<Child>,
    /// The one index that all of them are children of.
    index: Option<NodeId>,
    /// What its index names and is not taken, for the account.
    left: Vec<Entry>,
}

#[derive(Debug)]
struct Child {
    node: NodeId,
    /// The descriptor as it is to stand in the list.
    text: Vec<u8>,
    digest: Digest,
    docker: bool,
    attestation: bool,
    platform: Option<Platform>,
}

impl Pick {
    /// The platforms of the images.
    pub fn platforms(&self) -> Vec<Platform> {
        self.children.iter().filter_map(|child| child.platform.clone()).collect()
    }
}

/// Chooses what to take of an archive: the images that `names` means, all if there are none, indexes taken apart; of
/// those the ones for `wanted`. What is named and not there is left out.
///
/// # Errors
/// There is no such image, or none for this platform, or one that an index cannot name.
pub fn pick(archive: &Archive, names: &[String], wanted: Option<&Specifier>) -> Result<Pick> {
    let mut roots = select::roots(archive, names)?;
    let about = referrers::about(archive);
    if names.is_empty() && roots.iter().any(|chosen| !about.contains_key(&chosen.index)) {
        roots.retain(|chosen| !about.contains_key(&chosen.index));
    }
    let mut met = HashSet::new();
    let distinct: Vec<Chosen> = roots.into_iter().filter(|chosen| met.insert(chosen.root.node)).collect();
    let nodes: Vec<NodeId> = distinct.iter().map(|chosen| chosen.root.node).collect();
    let mut picking = Picking { archive, partial: Partial::of(archive), wanted, pick: Pick::default() };
    // What attests images stands behind them in a flat list, as it does in an index.
    let (images, attestations): (Vec<&Chosen>, Vec<&Chosen>) =
        distinct.iter().partition(|chosen| picking.attested(chosen).is_none());
    for chosen in images {
        picking.root(chosen)?;
    }
    for chosen in attestations {
        let whose = picking.attested(chosen);
        if picking.pick.children.iter().any(|child| Some(child.digest.as_str()) == whose.as_deref()) {
            picking.root(chosen)?;
        }
    }
    archive.unchanged()?;
    let Picking { mut pick, .. } = picking;
    pick.index = match nodes[..] {
        [one] if matches!(archive.node(one).body, Body::Index { .. }) => Some(one),
        _ => None,
    };
    if pick.children.iter().all(|child| child.attestation) {
        return Err(nothing(archive, &nodes, wanted));
    }
    Ok(pick)
}

/// Names what is there where nothing was found.
fn nothing(archive: &Archive, nodes: &[NodeId], wanted: Option<&Specifier>) -> Error {
    let images = nodes.iter().flat_map(|&node| select::images_below(archive, node, None));
    let mut there: Vec<String> = images.map(|(_, platform)| platform.normalised().to_string()).collect();
    there.sort();
    there.dedup();
    let place = &archive.tree.place;
    let help = match there.is_empty() {
        true => "`restow inspect` shows what it names; `restow convert --fill-from` brings what it lacks"
            .to_owned(),
        false => format!("it holds {}", select::list(&there)),
    };
    let message = match wanted {
        Some(wanted) => format!("no image for {wanted} in {place}"),
        None => format!("no image in {place} is there to be taken"),
    };
    Error::refused_help(message, help).of(ErrorKind::NotFound)
}

struct Picking<'a> {
    archive: &'a Archive,
    partial: Partial,
    wanted: Option<&'a Specifier>,
    pick: Pick,
}

impl Picking<'_> {
    /// The descriptor of a root as the archive lists it, if it does.
    fn listed(&self, chosen: &Chosen) -> Option<Vec<u8>> {
        let descriptor = chosen.root.descriptor.as_deref()?;
        let document = self.archive.document_at(descriptor.at.member?)?;
        document.bytes.get(descriptor.span.start..descriptor.span.end).map(<[u8]>::to_vec)
    }

    /// What a root attests, if its descriptor says that it is for that.
    fn attested(&self, chosen: &Chosen) -> Option<String> {
        list::attested(&self.listed(chosen)?)
    }

    fn root(&mut self, chosen: &Chosen) -> Result<()> {
        let (archive, node) = (self.archive, chosen.root.node);
        let held = archive.node(node);
        let role = match &held.body {
            Body::Index { .. } => return self.index(node, 0),
            Body::Manifest { parts, .. } => parts.role,
            Body::ArtifactManifest { .. } => Role::Artifact,
            Body::Item { .. } | Body::V1 { .. } | Body::Layer { .. } | Body::Absent | Body::Opaque => {
                return Err(Error::refused(format!(
                    "{} in {} has no manifest that an index could name",
                    select::described(archive, node),
                    archive.tree.place
                )));
            }
            Body::Schema1 { .. } => {
                let message = format!("{} is a manifest of schema 1", select::described(archive, node));
                let help = "--manifest-format oci or docker makes one that an index can name";
                return Err(Error::refused_help(message, help));
            }
        };
        let platform = select::platform_of(archive, node, None).filter(|platform| !platform.os.is_empty());
        let platform = platform.filter(|_| role == Role::Image);
        let wanted = |wanted: &Specifier| platform.as_ref().is_some_and(|platform| wanted.matches(platform));
        let attests = self.attested(chosen).is_some();
        if !attests && !self.wanted.is_none_or(wanted) {
            return Ok(());
        }
        let (Some(digest), Some(bytes)) = (&held.digest, bytes(archive, node)?) else { return Ok(()) };
        let media_type = held.media_type.as_deref().unwrap_or_default();
        let document = archive.node_document(node);
        let root = document.as_ref().and_then(|document| document.root());
        let artifact_type = root.and_then(|root| root.get("artifactType")?.as_str());
        let facts = (media_type, digest.as_str(), bytes.len() as u64);
        let listed = self.listed(chosen).and_then(|text| list::listed(&text, platform.as_ref()));
        let text = listed.unwrap_or_else(|| list::descriptor(facts, artifact_type, platform.as_ref()));
        self.pick.children.push(Child {
            node,
            text,
            digest: digest.clone(),
            docker: is_docker(media_type),
            attestation: attests || role == Role::Attestation,
            platform,
        });
        Ok(())
    }

    /// The children of an index, and those of indexes in it: images first, then the attestations of those that are taken.
    fn index(&mut self, node: NodeId, depth: usize) -> Result<()> {
        let archive = self.archive;
        let mut taken: HashSet<String> = HashSet::new();
        let attests = |edge: &&Edge| edge.attestation;
        let (attestations, images): (Vec<&Edge>, Vec<&Edge>) =
            archive.node(node).children().iter().partition(attests);
        for edge in images {
            let Some(child) = edge.node else { continue };
            if matches!(archive.node(child).body, Body::Index { .. }) && depth < 8 {
                self.index(child, depth + 1)?;
                continue;
            }
            let platform = platform_of(archive, edge);
            let matches =
                |wanted: &Specifier| platform.as_ref().is_some_and(|platform| wanted.matches(platform));
            if !self.wanted.is_none_or(matches) {
                continue;
            }
            if matches!(archive.node(child).body, Body::Absent) || self.partial.absent.contains(&child) {
                let why = format!("it is not in {}", archive.tree.place);
                let mut entry = Entry::note(Kind::Manifest, Action::Absent, described(archive, edge), why);
                entry.before = edge.descriptor.good_digest().cloned();
                self.pick.left.push(entry);
                continue;
            }
            taken.extend(edge.descriptor.good_digest().map(ToString::to_string));
            self.child(edge, child, platform);
        }
        for edge in attestations {
            let Some(child) = edge.node else { continue };
            let whose = edge.attests.as_ref().is_some_and(|digest| taken.contains(digest));
            let there =
                !matches!(archive.node(child).body, Body::Absent) && !self.partial.absent.contains(&child);
            if whose && there {
                self.child(edge, child, None);
            }
        }
        Ok(())
    }

    fn child(&mut self, edge: &Edge, node: NodeId, platform: Option<Platform>) {
        let archive = self.archive;
        let at = &edge.descriptor.at;
        let document = at.member.and_then(|member| archive.document_at(member));
        let span = edge.descriptor.span;
        let text = document.as_ref().and_then(|document| document.bytes.get(span.start..span.end));
        let (Some(text), Some(digest)) = (text, edge.descriptor.good_digest()) else { return };
        self.pick.children.push(Child {
            node,
            text: text.to_vec(),
            digest: digest.clone(),
            docker: is_docker(edge.descriptor.type_or_empty()),
            attestation: edge.attestation,
            platform,
        });
    }
}

fn is_docker(media_type: &str) -> bool {
    matches!(DocumentType::of(media_type), Some(DocumentType::Manifest(Family::Docker)))
}

/// An index that was put together, with all that it names.
pub struct Joined {
    /// Its parts and itself, the only root.
    pub gathering: Gathering,
    /// Its digest.
    pub digest: Digest,
    /// Whether it is one of the indexes that were taken from, byte for byte.
    pub same: bool,
    /// The platforms of its images, in its order.
    pub platforms: Vec<Platform>,
    /// What is to be told in the account of what was not taken.
    pub left: Vec<Entry>,
}

/// Puts picks together: images in their order, then attestations. An image that is there already is not there twice.
/// Where the first pick is of an index, that is added to; else the index is made, of Docker's types if all manifests have
/// these.
///
/// # Errors
/// A document cannot be read or edited.
pub fn join(picks: Vec<(&Archive, Pick)>) -> Result<Joined> {
    let docker =
        picks.iter().flat_map(|(_, pick)| &pick.children).all(|child| child.docker && !child.attestation);
    let family = if docker { Family::Docker } else { Family::Oci };
    let base = match picks.first() {
        Some((archive, pick)) => base(archive, pick, family)?,
        None => None,
    };
    let mut more = More::default();
    for (at, (archive, pick)) in picks.into_iter().enumerate() {
        more.take(at, archive, pick)?;
        // They stand in the index that is added to.
        if at == 0 && base.is_some() {
            more.images.clear();
            more.attestations.clear();
        }
    }
    let More { images, attestations, platforms, left, mut gathering, .. } = more;
    let (text, old) = match base {
        Some((text, old)) => (list::with(&text, &images, &attestations)?, Some(old)),
        None => (list::made(family, &[images, attestations].concat()), None),
    };
    let text: Arc<[u8]> = text.into();
    let digest = gathering.made(&text, list::media_type(family));
    gathering.unnamed(digest.clone());
    let same = old.as_ref() == Some(&digest);
    Ok(Joined { gathering, digest, same, platforms, left })
}

/// What comes into a list.
#[derive(Default)]
pub(super) struct More {
    /// Children that are in it already.
    pub met: HashSet<Digest>,
    pub images: Vec<Vec<u8>>,
    pub attestations: Vec<Vec<u8>>,
    pub platforms: Vec<Platform>,
    pub left: Vec<Entry>,
    pub gathering: Gathering,
}

impl More {
    /// Takes a pick of the archive at this position, with what refers to it.
    pub fn take(&mut self, at: usize, archive: &Archive, pick: Pick) -> Result<()> {
        for child in pick.children {
            if !self.met.insert(child.digest) {
                continue;
            }
            self.gathering.take(at, archive, child.node);
            self.platforms.extend(child.platform);
            let to = if child.attestation { &mut self.attestations } else { &mut self.images };
            to.push(child.text);
        }
        self.left.extend(pick.left);
        self.gathering.along(at, archive)
    }
}

/// The index of a pick cut to what is picked, if it can be added to; its own digest.
fn base(archive: &Archive, pick: &Pick, family: Family) -> Result<Option<(Vec<u8>, Digest)>> {
    let Some(node) = pick.index else { return Ok(None) };
    let held = archive.node(node);
    let fits = matches!(held.body, Body::Index { family: own, .. } if own == family);
    let (Some(digest), Some(text), true) = (&held.digest, bytes(archive, node)?, fits) else {
        return Ok(None);
    };
    let children = archive.node(node).children();
    // Nested indexes were taken apart.
    let nested =
        |edge: &Edge| edge.node.is_some_and(|node| matches!(archive.node(node).body, Body::Index { .. }));
    if children.iter().any(nested) {
        return Ok(None);
    }
    let taken: HashSet<&Digest> = pick.children.iter().map(|child| &child.digest).collect();
    let stays = |edge: &Edge| edge.descriptor.good_digest().is_some_and(|digest| taken.contains(digest));
    let gone = children.iter().enumerate().filter(|(_, edge)| !stays(edge)).map(|(at, _)| at).collect();
    Ok(Some((list::without(&text, &gone)?, digest.clone())))
}
