//! Which roots are converted, what goes along with them, and why each of the others is left out.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::digest::Digest;
use crate::error::Result;
use crate::jobs::convert::request::Request;
use crate::model::partial::Partial;
use crate::model::select::{self, Chosen, Lost};
use crate::model::{Archive, Root, Via, referrers};

/// What becomes of every root.
pub(super) struct Choice {
    /// What is converted, in source order.
    pub chosen: Vec<Chosen>,
    /// What `--platform` takes away, with the images that take their places.
    pub lost: Vec<Lost>,
    /// What else is left out, by position, and why.
    pub left: BTreeMap<usize, String>,
}

/// Decides about every root.
pub(super) fn choose(archive: &Archive, request: &Request) -> Result<Choice> {
    let about = referrers::about(archive);
    let asked = select::roots(archive, &request.images)?;
    // Who names a thing by its digest means it; who names a repository or nothing means images.
    let images =
        |chosen: &&Chosen| !is_named(request, &chosen.root) || !has_place_elsewhere(request, &about, chosen);
    let images: Vec<Chosen> = asked.iter().filter(images).cloned().collect();
    let images = if images.is_empty() { asked } else { images };
    let images = with_history(archive, request, images);
    let (mut chosen, lost) = select::platforms(archive, images, &request.platforms, request.sparse)?;
    let cut = if request.present_only { cut(archive, &mut chosen) } else { HashSet::new() };
    let stale = if request.drop.stale { cut } else { HashSet::new() };
    let reached = go_along(archive, request, &about, &mut chosen, &stale);
    chosen.sort_by_key(|chosen| chosen.index);
    let taken: HashSet<usize> =
        chosen.iter().map(|chosen| chosen.index).chain(lost.iter().map(|lost| lost.index)).collect();
    let others = archive.roots.iter().enumerate().filter(|(i, _)| !taken.contains(i));
    let why = |i: usize, root: &Root| match about.get(&i).filter(|digest| stale.contains(digest)) {
        Some(_) => "it refers to the index before it was cut".to_owned(),
        None => why(request, root, about.get(&i), &reached),
    };
    let left = others.map(|(i, root)| (i, why(i, root))).collect();
    Ok(Choice { chosen, lost, left })
}

/// `--present-only`: of each index that lacks something only what is there. The digests of these, which change.
fn cut(archive: &Archive, chosen: &mut [Chosen]) -> HashSet<Digest> {
    let partial = Partial::of(archive);
    let mut cut = HashSet::new();
    for chosen in chosen {
        let here = partial.there(archive, chosen.root.node, chosen.only.as_ref());
        // An index of which nothing is there stays whole, and is refused for that.
        if let Some(here) = here.filter(|here| here.contains(&chosen.root.node)) {
            chosen.only = Some(here);
            cut.extend(archive.node(chosen.root.node).digest.clone());
        }
    }
    cut
}

/// Adds the revisions that no tag names, where all is asked for and the target keeps such.
fn with_history(archive: &Archive, request: &Request, mut images: Vec<Chosen>) -> Vec<Chosen> {
    if request.images.is_empty() && request.target.can().revisions {
        let known: HashSet<usize> = images.iter().map(|chosen| chosen.index).collect();
        let roots = archive.roots.iter().enumerate();
        let more = roots.filter(|(i, root)| root.via == Via::Revision && !known.contains(i));
        images.extend(more.map(|(index, root)| Chosen { root: root.clone(), only: None, index }));
        images.sort_by_key(|chosen| chosen.index);
    }
    images
}

/// Whether a root was meant by a name, or because everything is.
fn is_named(request: &Request, root: &Root) -> bool {
    request.images.is_empty()
        || request.images.iter().any(|wanted| root.repository.as_deref() == Some(wanted))
}

/// Whether a root goes along with another one, or is history that only a registry keeps.
fn has_place_elsewhere(request: &Request, about: &HashMap<usize, Digest>, chosen: &Chosen) -> bool {
    about.contains_key(&chosen.index) || (chosen.root.via == Via::Revision && !request.target.can().revisions)
}

/// A manifest as a repository has it; elsewhere there are no repositories.
type Place = (Option<String>, Digest);

/// Adds what is about something that is chosen, and so on, as far as the target holds it and the request wants it.
/// Returns what is reached then.
fn go_along(
    archive: &Archive,
    request: &Request,
    about: &HashMap<usize, Digest>,
    chosen: &mut Vec<Chosen>,
    stale: &HashSet<Digest>,
) -> HashSet<Place> {
    let mut reached = HashSet::new();
    let reach = |chosen: &Chosen, reached: &mut HashSet<Place>| {
        let below = referrers::reached(archive, chosen.root.node, chosen.only.as_ref());
        reached.extend(below.into_iter().map(|digest| (chosen.root.repository.clone(), digest)));
    };
    chosen.iter().for_each(|chosen| reach(chosen, &mut reached));
    if !request.target.can().referrers {
        return reached;
    }
    let current = about.iter().filter(|(_, digest)| !stale.contains(digest));
    let mut waiting: BTreeSet<usize> = current.map(|(i, _)| *i).collect();
    for chosen in chosen.iter() {
        waiting.remove(&chosen.index);
    }
    for _ in 0..request.referrers {
        let place = |i: &usize| Some((archive.roots[*i].repository.clone(), about.get(i)?.clone()));
        let found: Vec<usize> = waiting
            .iter()
            .copied()
            .filter(|i| place(i).is_some_and(|place| reached.contains(&place)))
            .collect();
        if found.is_empty() {
            break;
        }
        for index in found {
            waiting.remove(&index);
            let more = Chosen { root: archive.roots[index].clone(), only: None, index };
            reach(&more, &mut reached);
            chosen.push(more);
        }
    }
    reached
}

/// Why a root is left out.
fn why(request: &Request, root: &Root, about: Option<&Digest>, reached: &HashSet<Place>) -> String {
    match about {
        Some(subject) if reached.contains(&(root.repository.clone(), subject.clone())) => {
            if request.target.can().referrers {
                format!("it is farther from what is converted than --referrers {} allows", request.referrers)
            } else {
                "this form holds no referrers".to_owned()
            }
        }
        Some(subject) => {
            format!("it is about {}:{}, which is left out", subject.algorithm_name(), subject.short())
        }
        None if root.via == Via::Revision && is_named(request, root) => {
            "no tag names it; --image with its digest takes it along".to_owned()
        }
        None => "not among the images asked for".to_owned(),
    }
}
