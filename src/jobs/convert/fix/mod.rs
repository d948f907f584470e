//! Fixes that findings propose, made while converting: the source is judged, documents are edited, digests carried up to
//! the entry points, and the result is opened and judged anew, until nothing is left that can be fixed. The source itself
//! stays as it is: what is converted is a list of its members, some of them other ones.

mod links;
mod round;
mod text;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::sync::Arc;

use crate::blob::BlobFacts;
use crate::digest::{Algorithm, Digest};
use crate::error::{Error, Result};
use crate::facts::Facts;
use crate::finding::{Documents, Edit, Finding, Fixing, Locator, Together, counted, together};
use crate::form::gathered::changed;
use crate::jobs::convert::account::{Account, Action, Entry, Kind};
use crate::jobs::convert::request::Request;
use crate::layer::LayerFacts;
use crate::location::MemberId;
use crate::model::{Archive, BlobId, NodeId, select};
use crate::progress::Progress;
use crate::read;
use crate::rules::{self, ArchiveDocuments, Policy, Scope, reach};
use crate::source::{Becomes, MemberName};

use links::Links;
use round::{Round, round};

/// How often a fix may show something else to be fixed: a mark cut off shows a document, whose member is renamed, whose
/// value is one of another type, …
const ROUNDS: usize = 32;

/// What became of the fixes of an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fixes {
    /// Faults that were fixed.
    pub fixed: usize,
    /// Fixes that were not made since another one changes the same otherwise.
    pub conflicts: usize,
    /// Fixes that were not made since they would have hidden that a document is not what its digest says.
    pub unsound: usize,
    /// Fixes that only `all` makes.
    pub unsure: usize,
}

/// What was done to an archive.
#[derive(Default)]
pub(super) struct Done {
    pub fixes: Fixes,
    /// A line each.
    entries: Vec<Entry>,
    /// Digests of documents that have another one now: from each that the source has.
    moved: BTreeMap<Digest, Digest>,
}

/// Makes the fixes that are wanted of what is to be converted. Beside the levels stands the name of the archive's file, which
/// fingerprints of exceptions hold.
///
/// # Errors
///
/// The archive cannot be read, or its form cannot be changed; digests would change that are to stay; an image that was asked
/// for is not there; the job was cancelled.
pub(super) fn fix(
    archive: Archive,
    wanted: Fixing,
    request: &Request,
    policy: (&Policy, Option<&OsStr>),
    progress: &dyn Progress,
) -> Result<(Archive, Done)> {
    let mut archive = archive;
    let mut done = Done::default();
    let mut facts = Facts::of(archive.blobs.len());
    let mut seen: HashSet<Vec<Digest>> = HashSet::new();
    loop {
        let found = judged(&archive, &mut facts, &done, request, policy, progress)?;
        let proposed = found.iter().filter(|finding| !is_left_behind(finding));
        let takes = |by: Fixing, finding: &Finding| finding.fix.as_ref().is_some_and(|fix| by.takes(fix));
        let (taken, rest): (Vec<&Finding>, Vec<&Finding>) = proposed.partition(|found| takes(wanted, found));
        let verdicts = together(&taken);
        let of = |verdict: Together| -> Vec<&Finding> {
            let found = taken.iter().zip(&verdicts).filter(|(_, other)| **other == verdict);
            found.map(|(finding, _)| *finding).collect()
        };
        let now = of(Together::Now);
        let round = round(&archive, &Links::of(&archive), &now)?;
        // What was so before would be so again.
        let texts = archive.documents.iter().map(|listed| listed.sha256.clone()).collect();
        if round.made.is_empty() || seen.len() == ROUNDS || !seen.insert(texts) {
            let conflicts = of(Together::Conflict);
            let hidden: Vec<&Finding> = round.unsound.iter().map(|&at| now[at]).collect();
            done.fixes.unsure = rest.into_iter().filter(|found| takes(Fixing::All, found)).count();
            done.fixes.conflicts = conflicts.len();
            done.fixes.unsound = hidden.len();
            done.left(&archive, &conflicts, "another fix changes the same otherwise");
            done.left(&archive, &hidden, "a document in its way is not what its digest says");
            break;
        }
        done.entries.extend(round.made.iter().map(|&at| line(&archive, now[at])));
        done.fixes.fixed += round.made.len();
        (archive, facts) = done.change(archive, round, facts, request)?;
    }
    if request.preserve_digests && !done.moved.is_empty() {
        let many = counted(done.moved.len() as u64, "digest");
        let message = format!("--preserve-digests: fixes would change {many}");
        return Err(Error::refused_help(message, "leave out --fix, or --preserve-digests"));
    }
    Ok((archive, done))
}

/// Whether the fix is that a member goes: every conversion leaves it behind, and has a line for it.
fn is_left_behind(finding: &Finding) -> bool {
    finding.fix.iter().flat_map(|fix| &fix.changes).any(|change| change.edit == Edit::Delete)
}

/// What is wrong with what is to be converted, as far as the policy tells it.
fn judged(
    archive: &Archive,
    facts: &mut Facts,
    done: &Done,
    request: &Request,
    (policy, file): (&Policy, Option<&OsStr>),
    progress: &dyn Progress,
) -> Result<Vec<Finding>> {
    read::rest(archive, facts, &request.read.context(request.check, progress))?;
    let images = done.images(&request.images);
    let found = match images.is_empty() && request.platforms.is_empty() {
        true => rules::run(archive, facts, Scope::All),
        false => {
            let chosen = select::roots(archive, &images)?;
            let (chosen, _) = select::platforms(archive, chosen, &request.platforms, true)?;
            let mut nodes: HashSet<NodeId> = HashSet::new();
            for chosen in &chosen {
                match &chosen.only {
                    Some(only) => nodes.extend(only),
                    None => nodes.extend(archive.below(chosen.root.node)),
                }
            }
            let mut found = rules::run(archive, facts, Scope::Nodes(&nodes));
            reach::retain(
                archive,
                &nodes,
                &chosen.iter().map(|chosen| &chosen.root.at).collect(),
                &mut found,
            );
            found
        }
    };
    archive.unchanged()?;
    Ok(policy.judge(archive, file, rules::told(archive, found)).0)
}

/// The place that a finding is about.
fn place(archive: &Archive, finding: &Finding) -> String {
    let documents = ArchiveDocuments::of(archive);
    let locator = Locator::new(&documents);
    let place = locator.place(&finding.primary.location);
    match place.pointer {
        Some(pointer) if !pointer.is_empty() => format!("{} {pointer}", place.name),
        _ => match finding.primary.location.member {
            Some(_) => place.name.to_string(),
            None => documents.place().to_owned(),
        },
    }
}

fn line(archive: &Archive, finding: &Finding) -> Entry {
    let assuming = finding.fix.as_ref().and_then(|fix| fix.assuming);
    let assuming = assuming.map_or_else(String::new, |what| format!(", if {what}"));
    let why = format!("{}: {}{assuming}", finding.rule.name, finding.message);
    Entry::note(Kind::Other, Action::Fixed, place(archive, finding), why)
}

/// What is known of a blob, wherever it stands.
struct Known {
    facts: Box<BlobFacts>,
    layer: Option<Arc<LayerFacts>>,
    as_layer: bool,
    algorithm: Option<Algorithm>,
}

impl Done {
    /// Makes the changes of a round, and takes along what is known of blobs.
    fn change(
        &mut self,
        archive: Archive,
        round: Round,
        facts: Facts,
        request: &Request,
    ) -> Result<(Archive, Facts)> {
        self.stale(&archive, &round.moved);
        let limits = &request.read.limits;
        let mut facts = facts;
        let mut known: HashMap<MemberId, Known> = HashMap::new();
        for ((blob, slot), id) in archive.blobs.iter().zip(&mut facts.blobs).zip(0..) {
            let id = BlobId(id);
            if let (Some(member), Some(found)) = (blob.member, slot.take()) {
                let layer = facts.layers.remove(&id);
                let algorithm = blob.digest.as_ref().and_then(Digest::algorithm);
                known.insert(member, Known { facts: found, layer, as_layer: blob.layer, algorithm });
            }
        }
        let becomes = |member: MemberId| round.becomes.get(&member).cloned().unwrap_or(Becomes::Same);
        let more = round.more.iter().map(|(name, text)| (MemberName::from(&name[..]), text.clone()));
        let (archive, now) = changed(archive, &becomes, more.collect(), &round.moved, limits)?;
        let at = |member: MemberId| *now.get(member.0 as usize)?;
        let same = |member: &MemberId| match becomes(*member) {
            Becomes::Same => true,
            Becomes::Other(_, made) => made.is_none(),
            Becomes::Gone => false,
        };
        let known = known.into_iter().filter(|(member, _)| same(member));
        let mut known: HashMap<MemberId, Known> =
            known.filter_map(|(member, known)| Some((at(member)?, known))).collect();
        let mut facts = Facts::of(archive.blobs.len());
        for (blob, id) in archive.blobs.iter().zip(0..) {
            let Some(found) = blob.member.and_then(|member| known.remove(&member)) else { continue };
            let algorithm = blob.digest.as_ref().and_then(Digest::algorithm);
            if found.as_layer == blob.layer && found.algorithm == algorithm {
                facts.blobs[id as usize] = Some(found.facts);
                facts.layers.extend(found.layer.map(|layer| (BlobId(id), layer)));
            }
        }
        for (old, new) in round.moved {
            for (_, now) in self.moved.iter_mut().filter(|(_, now)| **now == old) {
                now.clone_from(&new);
            }
            self.moved.entry(old).or_insert(new);
        }
        Ok((archive, facts))
    }

    /// Says of fixes that they were not made.
    fn left(&mut self, archive: &Archive, findings: &[&Finding], why: &str) {
        let entry = |finding: &&Finding| {
            let why = format!("not fixed, {why}: {}", finding.rule.name);
            Entry::note(Kind::Other, Action::Kept, place(archive, finding), why)
        };
        self.entries.extend(findings.iter().map(entry));
    }

    /// Signatures of a folder that are about a manifest which changes.
    fn stale(&mut self, archive: &Archive, moved: &[(Digest, Digest)]) {
        for node in &archive.nodes {
            let digest = node.digest.as_ref().filter(|digest| moved.iter().any(|(old, _)| old == *digest));
            if let (Some(digest), false) = (digest, node.signatures.is_empty()) {
                let what = format!("signatures of {digest}");
                let why = "they are of the old digest";
                self.entries.push(Entry::note(Kind::Other, Action::Kept, what, why));
            }
        }
    }

    /// Images by the digests that they have now.
    fn images(&self, images: &[String]) -> Vec<String> {
        let now = |text: &String| {
            let same = |old: &&Digest| {
                let hex = text.strip_prefix("sha256:").unwrap_or(text);
                hex.len() >= 12 && old.encoded().starts_with(hex)
            };
            let found = self.moved.iter().find(|(old, _)| same(old));
            found.map_or_else(|| text.clone(), |(_, new)| new.to_string())
        };
        images.iter().map(now).collect()
    }

    /// What is asked for, by the digests that there are now.
    pub fn request(&self, request: &Request) -> Request {
        let moved = self.moved.keys().map(ToString::to_string).collect();
        Request { images: self.images(&request.images), moved, ..request.clone() }
    }

    /// Says what was fixed, and of documents what they were in the source.
    pub fn tell(&mut self, account: &mut Account) {
        let before: BTreeMap<&Digest, &Digest> = self.moved.iter().map(|(old, new)| (new, old)).collect();
        for entry in &mut account.entries {
            let Some(now) = entry.before.clone() else { continue };
            let Some(old) = before.get(&now) else { continue };
            entry.before = Some((*old).clone());
            if entry.action == Action::Kept {
                entry.action = Action::Rewritten;
                entry.after.get_or_insert(now);
                entry.why = match &entry.why[..] {
                    "" => "with fixes".to_owned(),
                    why => format!("with fixes, {why}"),
                };
            }
        }
        account.entries.splice(0..0, self.entries.drain(..));
    }
}
