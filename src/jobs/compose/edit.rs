//! Changes of an index that is there: children that go, children that stay, and what is said of one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::child::{described, index, platform_of, position};
use super::gather::{Gathering, bytes};
use super::list::{self, Annotate};
use super::pick::{More, Pick};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::jobs::convert::{Action, Entry, Kind};
use crate::media::Family;
use crate::model::referrers;
use crate::model::select::{self, Chosen};
use crate::model::{Archive, Body, Edge, NodeId};
use crate::platform::Platform;

/// An index that was changed, with what it names.
pub struct Edited {
    /// The parts.
    pub gathering: Gathering,
    /// The digest before.
    pub before: Option<Digest>,
    /// The digest now.
    pub digest: Digest,
    /// What was done, for the account.
    pub why: String,
    /// What is to be told of what was not taken.
    pub left: Vec<Entry>,
}

/// The index without some children, each named by digest or platform; the attestations of images go along. `whole` takes
/// all else that the archive holds, with its names.
///
/// # Errors
/// There is no such index or child; nothing would be left.
pub fn removed(archive: &Archive, images: &[String], children: &[String], whole: bool) -> Result<Edited> {
    let (node, roots) = index(archive, images)?;
    let mut gone = HashSet::new();
    for text in children {
        gone.insert(position(archive, node, text)?);
    }
    let why = format!("without {}", words(archive, node, &gone));
    with_attestations(archive, node, &mut gone);
    without(archive, (node, &roots), gone, why, whole)
}

/// The index with the images of one platform alone, and their attestations.
///
/// # Errors
/// There is no such index.
pub fn kept(archive: &Archive, images: &[String], platform: &Platform) -> Result<Edited> {
    let (node, roots) = index(archive, images)?;
    let other = |edge: &Edge| platform_of(archive, edge).is_none_or(|own| own.normalised() != *platform);
    let all = archive.node(node).children().iter().enumerate();
    let mut gone: HashSet<usize> =
        all.filter(|(_, edge)| !edge.attestation && other(edge)).map(|(at, _)| at).collect();
    with_attestations(archive, node, &mut gone);
    // What is for another platform is in another part.
    let elsewhere: HashSet<&Digest> = archive
        .node(node)
        .children()
        .iter()
        .filter(|edge| edge.attestation || platform_of(archive, edge).is_some())
        .filter_map(|edge| edge.descriptor.good_digest())
        .collect();
    let mut edited = without(archive, (node, &roots), gone, format!("{platform} alone"), false)?;
    edited.left.retain(|entry| entry.before.as_ref().is_none_or(|digest| !elsewhere.contains(digest)));
    Ok(edited)
}

/// The index with something else said of a child.
///
/// # Errors
/// There is no such index or child; a Docker manifest list, which has no annotations.
pub fn annotated(
    archive: &Archive,
    images: &[String],
    child: &str,
    change: &Annotate,
    whole: bool,
) -> Result<Edited> {
    let (node, roots) = index(archive, images)?;
    let at = position(archive, node, child)?;
    if !change.annotations.is_empty()
        && matches!(archive.node(node).body, Body::Index { family: Family::Docker, .. })
    {
        let message = "a Docker manifest list has no place for annotations";
        return Err(Error::refused_help(message, "make it an OCI index with --manifest-format oci first"));
    }
    let edge = archive.node(node).children().get(at);
    let known = edge.and_then(|edge| select::platform_of(archive, edge.node?, None));
    let text = list::annotated(&text(archive, node)?, at, change, known.as_ref())?;
    let why = format!("said otherwise of {}", edge.map(|edge| described(archive, edge)).unwrap_or_default());
    let change = Change { text, why, gone: HashSet::new(), left: Vec::new() };
    finished(archive, (node, &roots), change, Gathering::default(), whole)
}

/// The index with more children, which are taken from archives behind its own; of those that it has already nothing.
///
/// # Errors
/// There is no such index; a document cannot be read or edited.
pub fn added(
    archive: &Archive,
    images: &[String],
    picks: Vec<(&Archive, Pick)>,
    whole: bool,
) -> Result<Edited> {
    let (node, roots) = index(archive, images)?;
    let met = archive
        .node(node)
        .children()
        .iter()
        .filter_map(|edge| edge.descriptor.good_digest().cloned())
        .collect();
    let mut more = More { met, ..More::default() };
    for (at, (from, pick)) in picks.into_iter().enumerate() {
        more.take(at + 1, from, pick)?;
    }
    let platforms: Vec<String> = more.platforms.iter().map(|p| p.normalised().to_string()).collect();
    let why = match platforms.is_empty() {
        true => String::new(),
        false => format!("with {}", select::list(&platforms)),
    };
    let text = list::with(&text(archive, node)?, &more.images, &more.attestations)?;
    let change = Change { text, why, gone: HashSet::new(), left: more.left };
    finished(archive, (node, &roots), change, more.gathering, whole)
}

fn words(archive: &Archive, node: NodeId, at: &HashSet<usize>) -> String {
    let children = archive.node(node).children().iter().enumerate().filter(|(child, _)| at.contains(child));
    let words: Vec<String> = children.map(|(_, edge)| described(archive, edge)).collect();
    select::list(&words)
}

/// What attests an image goes with it.
fn with_attestations(archive: &Archive, node: NodeId, gone: &mut HashSet<usize>) {
    let children = archive.node(node).children();
    let digest = |at: &usize| Some(children.get(*at)?.descriptor.good_digest()?.to_string());
    let digests: HashSet<String> = gone.iter().filter_map(digest).collect();
    let attests = |edge: &Edge| edge.attests.as_ref().is_some_and(|digest| digests.contains(digest));
    gone.extend(
        children.iter().enumerate().filter(|(_, edge)| edge.attestation && attests(edge)).map(|(at, _)| at),
    );
}

fn without(
    archive: &Archive,
    found: (NodeId, &[Chosen]),
    gone: HashSet<usize>,
    why: String,
    whole: bool,
) -> Result<Edited> {
    let children = archive.node(found.0).children().iter().enumerate();
    if children.filter(|(_, edge)| !edge.attestation).all(|(at, _)| gone.contains(&at)) {
        let message = "no image would be left in the index";
        return Err(Error::refused_help(message, "delete the index instead, or leave one image in it"));
    }
    let text = list::without(&text(archive, found.0)?, &gone)?;
    finished(archive, found, Change { text, why, gone, left: Vec::new() }, Gathering::default(), whole)
}

/// What refers to the index as it was: it stays, and is about what nobody names any more.
fn stale(archive: &Archive, before: Option<&Digest>) -> Vec<Entry> {
    let about = referrers::about(archive);
    let mut of_it: Vec<_> = about.iter().filter(|(_, digest)| Some(*digest) == before).collect();
    of_it.sort();
    let entry = |(root, _): (&usize, &Digest)| {
        let what = select::described(archive, archive.roots[*root].node);
        let why = "it refers to the index as it was; sign the new one";
        Entry::note(Kind::Other, Action::Kept, format!("referrer {what}"), why)
    };
    of_it.into_iter().map(entry).collect()
}

fn text(archive: &Archive, node: NodeId) -> Result<Arc<[u8]>> {
    let none = || Error::refused("the index cannot be read");
    bytes(archive, node)?.ok_or_else(none)
}

/// What becomes of an index.
struct Change {
    /// What it is now.
    text: Vec<u8>,
    /// In words.
    why: String,
    /// The children that go.
    gone: HashSet<usize>,
    /// What is to be told of what was not taken.
    left: Vec<Entry>,
}

/// Gathers what the new index names.
fn finished(
    archive: &Archive,
    (node, roots): (NodeId, &[Chosen]),
    change: Change,
    mut gathering: Gathering,
    whole: bool,
) -> Result<Edited> {
    let held = archive.node(node);
    let Body::Index { family, .. } = held.body else { return Err(Error::refused("it is no index")) };
    let before = held.digest.clone();
    let text: Arc<[u8]> = change.text.into();
    let media_type = held.media_type.as_deref().unwrap_or(list::media_type(family));
    let digest = gathering.made(&text, media_type);
    let children = archive.node(node).children().iter().enumerate();
    let (gone, stay): (Vec<_>, Vec<_>) = children.partition(|(at, _)| change.gone.contains(at));
    for child in stay.into_iter().filter_map(|(_, edge)| edge.node) {
        gathering.take(0, archive, child);
    }
    if whole {
        let replaced: HashMap<usize, Digest> =
            roots.iter().map(|chosen| (chosen.index, digest.clone())).collect();
        gathering.rest(0, archive, &replaced)?;
    } else {
        gathering.along(0, archive)?;
        for chosen in roots {
            gathering.root(archive, &chosen.root, Some(&digest))?;
        }
    }
    let mut left = change.left;
    left.extend(stale(archive, before.as_ref()));
    left.extend(gone.into_iter().map(|(_, edge)| Entry {
        before: edge.descriptor.good_digest().cloned(),
        ..Entry::note(Kind::Manifest, Action::Dropped, described(archive, edge), "taken out of the index")
    }));
    Ok(Edited { gathering, before, digest, why: change.why, left })
}
