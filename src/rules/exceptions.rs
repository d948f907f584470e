//! Findings that are known and accepted: exceptions of `restow.toml` by digest or fingerprint, each with a reason and a last
//! day, and the findings of a baseline. Nothing here touches what always blocks.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;

use super::baseline::Baseline;
use super::documents::ArchiveDocuments;
use crate::digest::Digest;
use crate::finding::{By, Finding, Integrity, Locator, fingerprint};
use crate::location::MemberId;
use crate::model::{Archive, NodeId};

/// A finding, or what is found in something, that is accepted.
#[derive(Debug, Clone)]
pub struct Exception {
    /// What it is an exception of.
    pub of: Of,
    /// The rules that it is for, by name; all of them if there is none.
    pub rules: Vec<&'static str>,
    /// Why, where it stands, and until when.
    pub by: By,
}

/// What an exception is of.
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the file of the command makes them"))]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Of {
    /// An image (its manifest digest or image ID) with all that no other uses, or a blob.
    Digest(Digest),
    /// A finding.
    Fingerprint(String),
}

/// What excepts each of these findings, if anything does. `file` is the name of the archive's file.
pub(super) fn excepted(
    archive: &Archive,
    file: Option<&OsStr>,
    findings: &[Finding],
    exceptions: &[Exception],
    baseline: Option<&Baseline>,
) -> Vec<Option<By>> {
    if exceptions.is_empty() && baseline.is_none() {
        return vec![None; findings.len()];
    }
    let docs = ArchiveDocuments::of(archive);
    let locator = Locator::new(&docs);
    let held = Held::of(archive, exceptions);
    let mut known = baseline.map(Baseline::known);
    let mut all = Vec::with_capacity(findings.len());
    for finding in findings {
        if finding.rule.integrity == Integrity::Hard {
            all.push(None);
            continue;
        }
        let is_of = |exception: &&Exception| {
            let rule = exception.rules.is_empty() || exception.rules.contains(&finding.rule.name);
            rule && match &exception.of {
                Of::Digest(digest) => held.is_in(finding.primary.location.member, digest),
                Of::Fingerprint(print) => *print == fingerprint(file, finding, &locator),
            }
        };
        let exception = exceptions.iter().find(is_of).map(|exception| exception.by.clone());
        all.push(exception.or_else(|| {
            let place = locator.place(&finding.primary.location);
            known.as_mut()?.takes(finding, &place).then_some(By::Baseline)
        }));
    }
    all
}

/// Which blobs and images the members belong to, as far as exceptions ask.
#[derive(Default)]
struct Held {
    /// The digest of each member that is a blob or document.
    digests: HashMap<MemberId, Vec<Digest>>,
    /// The images that each member is a part of.
    images: HashMap<MemberId, HashSet<NodeId>>,
    /// The images that each digest is the manifest digest or image ID of.
    called: HashMap<Digest, HashSet<NodeId>>,
}

impl Held {
    fn of(archive: &Archive, exceptions: &[Exception]) -> Held {
        let mut held = Held::default();
        if !exceptions.iter().any(|exception| matches!(exception.of, Of::Digest(_))) {
            return held;
        }
        for blob in &archive.blobs {
            if let (Some(member), Some(digest)) = (blob.member, &blob.digest) {
                held.digests.entry(member).or_default().push(digest.clone());
            }
        }
        for document in &archive.documents {
            held.digests.entry(document.member).or_default().push(document.sha256.clone());
        }
        for (i, node) in archive.nodes.iter().enumerate() {
            let id = NodeId(i as u32);
            let blobs = node.all_parts().into_iter().filter_map(|part| part.blob).chain(node.blob);
            let members = blobs.filter_map(|blob| archive.blob(blob).member);
            let members = members.chain(node.document.map(|document| archive.listed(document).member));
            for member in members {
                held.images.entry(member).or_default().insert(id);
            }
            let config = node.parts().and_then(|parts| archive.part_listed(&parts.config));
            let digests =
                node.digest.clone().into_iter().chain(config.map(|document| document.sha256.clone()));
            for digest in digests {
                held.called.entry(digest).or_default().insert(id);
            }
        }
        held
    }

    /// Whether a member is the blob of that digest, or a part of the image of that digest and of no other.
    fn is_in(&self, member: Option<MemberId>, digest: &Digest) -> bool {
        let Some(member) = member else { return false };
        let itself = self.digests.get(&member).is_some_and(|digests| digests.contains(digest));
        let images = self.images.get(&member).zip(self.called.get(digest));
        itself || images.is_some_and(|(of, called)| !of.is_empty() && of.is_subset(called))
    }
}
