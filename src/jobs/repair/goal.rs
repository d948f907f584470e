//! What a place would be with all that other places have of what it lacks: found out by looking at it as if it were there.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::account::{Left, Sought, Was};
use super::given::{Candidate, seek};
use super::links;
use super::piece::Piece;
use crate::digest::Digest;
use crate::error::Result;
use crate::facts::Facts;
use crate::form::gathered::{changed, place_of};
use crate::form::mend::Stood;
use crate::form::seek::Store;
use crate::limits::Limits;
use crate::location::MemberId;
use crate::model::{Anomaly, Archive, BlobId, Body, NodeId, Part, StorageProblem};
use crate::source::{Becomes, Held, MemberName};

/// A blob that is wrong or missing.
pub(super) struct Want {
    pub digest: Digest,
    /// Where it belongs.
    pub path: String,
    pub manifest: bool,
    pub was: Was,
    pub stood: Stood,
    /// The places that have something under its digest.
    pub candidates: Vec<Candidate>,
    /// Those that do not, and why.
    pub sought: Vec<Sought>,
    /// Children come before what names them.
    rank: usize,
}

/// All that is to be put right, in the order of writing.
pub(super) struct Goal {
    pub wants: Vec<Want>,
    pub pieces: Vec<Piece>,
    /// What nothing proves.
    pub left: Vec<Left>,
}

impl Want {
    /// Bytes to be read for it, where it is found.
    pub fn size(&self) -> Option<u64> {
        self.candidates.first().map(|(_, held)| held.size())
    }
}

impl Goal {
    /// Looks at the place, puts in what is found, and looks again, until nothing more is to be sought.
    pub fn of(archive: Archive, facts: &Facts, stores: &[Store], limits: &Limits) -> Result<Goal> {
        let mut archive = archive;
        let mut asked: BTreeSet<(Digest, String)> = BTreeSet::new();
        let mut goal = Goal { wants: Vec::new(), pieces: Vec::new(), left: Vec::new() };
        let mut known: BTreeSet<String> = BTreeSet::new();
        let mut wrong = wrong(&archive, facts);
        // Wrong documents that nobody has stay wrong, and what they name is not to be believed.
        let mut unsound: HashSet<MemberId> = wrong.iter().map(|(member, ..)| *member).collect();
        loop {
            let mut becomes: HashMap<MemberId, Becomes> = HashMap::new();
            let mut more: BTreeMap<String, Held> = BTreeMap::new();
            let mut open = Vec::new();
            for (member, digest, found) in std::mem::take(&mut wrong) {
                let path = archive.tree.member(member).name().to_string();
                open.push((digest, path, Was::Wrong(format!("holds {found}")), Some(member)));
            }
            for digest in missing(&archive, &unsound) {
                let manifest = is_manifest(&archive, &digest);
                let Some(name) = place_of(archive.form, &archive.tree, &digest, manifest) else { continue };
                open.push((digest, name.to_string(), Was::Missing, None));
            }
            for (digest, path, was, member) in open {
                if !asked.insert((digest.clone(), path.clone())) {
                    continue;
                }
                let manifest = is_manifest(&archive, &digest);
                let stood = stood(&archive, member);
                let right = |store: &Store, _| store.find(&digest, manifest, limits);
                let (candidates, sought) = seek(&digest, stores, right);
                let want = Want { digest, path, manifest, was, stood, candidates, sought, rank: 0 };
                if let Some((_, held)) = want.candidates.first() {
                    match member {
                        Some(member) => {
                            let name = archive.tree.member(member).kept_name().clone();
                            becomes.insert(member, Becomes::Other(name, Some(held.clone())));
                        }
                        None => drop(more.insert(want.path.clone(), held.clone())),
                    }
                }
                goal.wants.push(want);
            }
            // Links follow from blobs: what a tag stands for is not said before all of its history is here.
            if becomes.is_empty() && more.is_empty() {
                let (pieces, left) = links::all(&archive, stores);
                goal.left = left;
                for mut piece in pieces.into_iter().filter(|piece| known.insert(piece.path.clone())) {
                    let held = Held::Made(piece.text.as_bytes().into());
                    let member = archive.tree.get(piece.path.as_bytes());
                    piece.stood = stood(&archive, member);
                    match member {
                        Some(member) => {
                            let name = archive.tree.member(member).kept_name().clone();
                            becomes.insert(member, Becomes::Other(name, Some(held)));
                        }
                        None => drop(more.insert(piece.path.clone(), held)),
                    }
                    goal.pieces.push(piece);
                }
            }
            if becomes.is_empty() && more.is_empty() {
                break;
            }
            let fate = |member: MemberId| becomes.get(&member).cloned().unwrap_or(Becomes::Same);
            let more = more.into_iter().map(|(name, held)| (MemberName::from(name), held)).collect();
            let (now, at) = changed(archive, &fate, more, &[], limits)?;
            archive = now;
            unsound.retain(|member| !becomes.contains_key(member));
            unsound = unsound.into_iter().filter_map(|member| *at.get(member.0 as usize)?).collect();
        }
        let rank = |digest: &Digest| {
            let at = archive.nodes.iter().position(|node| node.digest.as_ref() == Some(digest));
            at.map_or(0, |at| archive.below(NodeId(at as u32)).len())
        };
        goal.wants.iter_mut().for_each(|want| want.rank = rank(&want.digest));
        goal.wants.sort_by_key(|want| (want.manifest, want.rank));
        goal.pieces.sort_by_cached_key(|piece| (piece.kind, piece.digest.as_ref().map_or(0, &rank)));
        Ok(goal)
    }
}

/// Blobs whose bytes are not what their digests say: member, digest, and what they are.
fn wrong(archive: &Archive, facts: &Facts) -> Vec<(MemberId, Digest, Digest)> {
    let mut wrong = Vec::new();
    for (blob, id) in archive.blobs.iter().zip(0..) {
        let (Some(digest), Some(member)) = (&blob.digest, blob.member) else { continue };
        let sha256 = digest.algorithm_name() == "sha256";
        let found = match (blob.document, facts.get(BlobId(id))) {
            (Some(document), _) if sha256 => Some(archive.listed(document).sha256.clone()),
            (Some(document), _) => digest.of_same_kind(&archive.document(document).bytes),
            (None, Some(facts)) if sha256 => Some(facts.sha256.clone()),
            (None, Some(facts)) => facts.other.clone(),
            (None, None) => None,
        };
        if let Some(found) = found.filter(|found| found != digest) {
            wrong.push((member, digest.clone(), found));
        }
    }
    wrong
}

/// What sound documents and links name, and that is not there.
fn missing(archive: &Archive, unsound: &HashSet<MemberId>) -> BTreeSet<Digest> {
    let mut missing = BTreeSet::new();
    let sound = |member: Option<MemberId>| member.is_none_or(|member| !unsound.contains(&member));
    let member = |node: &crate::model::Node| node.blob.and_then(|blob| archive.blob(blob).member);
    let mut named: HashSet<&Digest> = HashSet::new();
    for node in &archive.nodes {
        if let (Body::Index { children, .. }, true) = (&node.body, sound(member(node))) {
            named.extend(children.iter().filter_map(|edge| edge.descriptor.good_digest()));
        }
    }
    named.extend(archive.roots.iter().filter_map(|root| archive.node(root.node).digest.as_ref()));
    for node in &archive.nodes {
        if let (Body::Absent, Some(digest)) = (&node.body, &node.digest)
            && named.contains(digest)
        {
            missing.insert(digest.clone());
        }
        let lacks = |part: &&&Part| !archive.holds(part) && !part.is_foreign() && sound(member(node));
        for part in node.all_parts().iter().filter(lacks) {
            missing.extend(part.blob.and_then(|blob| archive.blob(blob).digest.clone()));
        }
    }
    // What a link says otherwise than its path is not wanted: the link is put right.
    let odd = |anomaly: &Anomaly| match anomaly {
        Anomaly::Storage { at, problem: StorageProblem::Mismatch { .. } } => at.member,
        _ => None,
    };
    let put_right: HashSet<MemberId> = archive.anomalies.iter().filter_map(odd).collect();
    for anomaly in &archive.anomalies {
        if let Anomaly::Storage { at, problem: StorageProblem::Dangling { digest, .. } } = anomaly
            && at.member.is_none_or(|member| !put_right.contains(&member))
        {
            missing.insert(digest.clone());
        }
    }
    missing.retain(|digest| digest.algorithm().is_some());
    missing
}

/// Whether a digest is that of a manifest or index here.
fn is_manifest(archive: &Archive, digest: &Digest) -> bool {
    archive.nodes.iter().any(|node| node.digest.as_ref() == Some(digest))
}

/// What stands where a member does.
fn stood(archive: &Archive, member: Option<MemberId>) -> Stood {
    member.map_or(Stood::Nothing, |member| Stood::Something(archive.tree.version(member)))
}
