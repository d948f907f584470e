//! What is about to be written is opened anew from what was staged, and judged by the rules of `restow check` with the
//! facts of the bytes that were written. An error that the source had not is a fault of restow, and stops the commit.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::blob::BlobFacts;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::facts::Facts;
use crate::finding::{Finding, Level, Rule};
use crate::form::preview::Preview;
use crate::form::sink::Sink;
use crate::jobs::convert::run::Written;
use crate::limits::Limits;
use crate::model::{Archive, DocId, NodeId};
use crate::rules::{self, Policy, Scope, index};

/// Warnings that no archive comes by unless its writer left something stale behind.
const WRITERS: &[&Rule] = &[&index::ARTIFACT_TYPE_MISMATCH];

/// Judges what a commit would make visible.
///
/// # Errors
///
/// It is worse than the source; what was staged cannot be read.
pub(super) fn before_commit(
    source: &Archive,
    found: &[Finding],
    written: &Written,
    sink: &dyn Sink,
    policy: &Policy,
    limits: &Limits,
) -> Result<()> {
    let mut documents: HashMap<&Digest, DocId> = HashMap::new();
    for blob in &source.blobs {
        if let (Some(digest), Some(id)) = (&blob.digest, blob.document) {
            documents.insert(digest, id);
        }
    }
    // Configs that only their members' names tell of, and those that were made.
    let by_content: HashMap<&Digest, DocId> =
        source.documents.iter().zip(0..).map(|(listed, id)| (&listed.sha256, DocId(id))).collect();
    let made: HashMap<Digest, Arc<[u8]>> = written.output.configs().collect();
    let known = |digest: &Digest| {
        let held = documents.get(digest).or_else(|| by_content.get(digest));
        held.map(|id| Arc::clone(&source.document(*id).bytes)).or_else(|| made.get(digest).cloned())
    };
    let mut allowed: HashSet<&str> = found.iter().map(|finding| finding.rule.name).collect();
    let before = sink.before()?;
    let merged = before.is_some();
    if let Some(before) = before {
        let nothing = HashSet::new();
        let (_, there) = findings(before, limits, &HashMap::new(), |_| Some(nothing.clone()))?;
        allowed.extend(there.iter().map(|finding| finding.rule.name));
    }
    let ours: HashSet<&Digest> = written.output.documents.iter().map(|document| &document.digest).collect();
    let scope = |archive: &Archive| {
        let is_ours =
            |id: &NodeId| archive.node(*id).digest.as_ref().is_some_and(|digest| ours.contains(digest));
        merged.then(|| (0..archive.nodes.len() as u32).map(NodeId).filter(is_ours).collect())
    };
    let preview = sink.preview(&written.output, &known)?;
    let (archive, findings) = findings(preview, limits, &written.blobs, scope)?;
    let wrong = |finding: &&Finding| {
        let rule = finding.rule;
        let error = rule.level == Level::Error && (policy.blocks(rule) || policy.level(rule) == Level::Error);
        (error || WRITERS.iter().any(|writers| writers.name == rule.name)) && !allowed.contains(rule.name)
    };
    let wrong: Vec<&Finding> = findings.iter().filter(wrong).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    // What is wrong elsewhere in the source may come along in what is kept as it is: an index names what is left out.
    let whole = rules::run(source, &Facts::of(source.blobs.len()), Scope::All);
    let known = |finding: &Finding| whole.iter().any(|other| other.rule.name == finding.rule.name);
    match wrong.into_iter().find(|finding| !known(finding)) {
        None => Ok(()),
        Some(finding) => Err(unsound(&archive, finding)),
    }
}

/// What a check of a preview finds, in the whole of it or in these nodes.
fn findings(
    preview: Preview,
    limits: &Limits,
    blobs: &HashMap<Digest, BlobFacts>,
    scope: impl Fn(&Archive) -> Option<HashSet<NodeId>>,
) -> Result<(Archive, Vec<Finding>)> {
    let archive = preview.open(limits)?;
    let mut facts = Facts::of(archive.blobs.len());
    for (slot, blob) in facts.blobs.iter_mut().zip(&archive.blobs) {
        *slot = blob.digest.as_ref().and_then(|digest| blobs.get(digest)).cloned().map(Box::new);
    }
    let nodes = scope(&archive);
    let found = rules::run(&archive, &facts, nodes.as_ref().map_or(Scope::All, Scope::Nodes));
    archive.unchanged()?;
    Ok((archive, found))
}

fn unsound(archive: &Archive, finding: &Finding) -> Error {
    let member = finding.primary.location.member;
    let place =
        member.map_or_else(String::new, |member| format!(" in {}", archive.tree.member(member).name()));
    let message =
        format!("what would be written is not sound{place}: {} ({})", finding.message, finding.rule.name);
    Error::refused_help(
        message,
        "nothing was written; the source has no such fault: please report this one of restow",
    )
}

#[cfg(test)]
mod tests;
