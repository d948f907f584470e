//! Indexes and entry points, and what is left that names a digest which is no more.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::Result;
use crate::form::sink::{OutBody, OutRoot};
use crate::jobs::convert::account::{Action, Entry, Kind};
use crate::jobs::convert::documents::{Documents, family_name};
use crate::jobs::convert::plan::Make;
use crate::jobs::convert::rewrite::{self, Child, Now};
use crate::media::{self, Family};
use crate::model::{Body, Edge, Name, NodeId};
use crate::model::{DocId, Document};

impl Documents<'_> {
    pub(super) fn index(&mut self, node: NodeId, from: Family, children: &[Edge], make: Make) -> Result<()> {
        let (to, keep) = match &make {
            Make::Reindex { family, keep } => (*family, Some(keep)),
            _ => (from, None),
        };
        let kept = |i: usize| keep.is_none_or(|keep| keep.contains(&i));
        let mut out = Vec::new();
        let mut edits = Vec::new();
        let mut moved = HashMap::new();
        for (i, edge) in children.iter().enumerate() {
            if !kept(i) {
                edits.push(Child::Out);
                continue;
            }
            let now = edge.node.and_then(|child| self.now.get(&child));
            if let Some(now) = now {
                out.push(now.digest.clone());
                if let Some(before) = edge.descriptor.good_digest().filter(|before| **before != now.digest) {
                    moved.insert(before.to_string(), now.digest.clone());
                }
            } else if edge.node.is_some_and(|child| self.plan.scope.contains(&child)) {
                let what = edge.descriptor.good_digest().map(ToString::to_string).unwrap_or_default();
                let entry = Entry::note(
                    Kind::Manifest,
                    Action::Absent,
                    what,
                    "named by an index, not in the archive",
                );
                self.account.entries.push(entry);
            }
            let changed = now.filter(|now| now.changed || to != from);
            edits.push(changed.cloned().map_or(Child::Kept, Child::Changed));
        }
        let body = OutBody::Index { children: out };
        if make == Make::Keep {
            return self.keep(node, body);
        }
        let Some(document) = self.archive.node_document(node) else {
            return Ok(());
        };
        let Ok(json) = &document.json else { return Ok(()) };
        let bytes = rewrite::index(&document.bytes, json, to, from, &edits, &moved);
        let mut why = Vec::new();
        if to != from {
            why.push(format!("{} to {}", family_name(from), family_name(to)));
        }
        let left_out = children.len() - edits.iter().filter(|edit| !matches!(edit, Child::Out)).count();
        if left_out > 0 {
            why.push(format!("{left_out} of {} children left out", children.len()));
        }
        if !moved.is_empty() {
            why.push(format!("{} children changed", moved.len()));
        }
        let media_type = if to == Family::Oci { media::OCI_INDEX } else { media::DOCKER_LIST };
        let now = Now::made(&bytes, media_type);
        self.document(node, now, bytes.into(), body, Action::Rewritten, why.join(", "))
    }

    /// What names a digest that is no more: statements, signatures and subjects keep their bytes, and are marked.
    pub(super) fn stale_references(&mut self) {
        let archive = self.archive;
        let mut stale = Vec::new();
        for node in self.output_nodes() {
            let held = archive.node(node);
            if let Body::Index { children, .. } = &held.body {
                let attested =
                    children.iter().filter(|edge| edge.node.is_some_and(|node| self.now.contains_key(&node)));
                let why = "its statement still names the old digest";
                stale
                    .extend(attested.filter_map(|edge| Some(("attestation of", edge.attests.clone()?, why))));
            }
            let document = archive.node_document(node);
            let subject = document
                .as_ref()
                .and_then(Document::root)
                .and_then(|root| root.get("subject")?.get("digest")?.as_str());
            let why = "its subject is the old digest";
            stale.extend(subject.map(|digest| ("referrer of", digest.to_owned(), why)));
        }
        for planned in &self.plan.roots {
            // cosign, and the fallback for registries without the referrers API.
            let tag = match &planned.root.name {
                Name::BareTag(tag) => Some(tag.as_str()),
                Name::Full(name) => name.tag(),
                _ => None,
            };
            let about = tag.and_then(|tag| tag.strip_prefix("sha256-")?.get(..64));
            let why = "its tag still names the old digest";
            stale.extend(about.map(|hex| ("referrers of", format!("sha256:{hex}"), why)));
        }
        for (what, before, why) in stale {
            if self.moved.contains(&before) {
                let entry = Entry::note(Kind::Other, Action::Kept, format!("{what} {before}"), why);
                self.account.entries.push(entry);
            }
        }
    }

    /// The manifests and indexes that were made, in the order of writing.
    fn output_nodes(&self) -> Vec<NodeId> {
        self.plan.documents().filter(|node| self.now.contains_key(node)).collect()
    }

    /// The entry points, once every document is made.
    pub(super) fn roots(&mut self) {
        let index_json = self.archive.index_json.map(|id| self.archive.document(id));
        self.output.index_json = index_json.map(|document| Arc::clone(&document.bytes));
        let by_member: HashMap<_, _> =
            self.archive.documents.iter().zip(0..).map(|(listed, id)| (listed.member, DocId(id))).collect();
        for planned in &self.plan.roots {
            let Some(now) = self.now.get(&planned.root.node) else { continue };
            let descriptor = planned.root.descriptor.as_deref().and_then(|descriptor| {
                let member = descriptor.at.member?;
                let document = self.archive.document(*by_member.get(&member)?);
                document.bytes.get(descriptor.span.start..descriptor.span.end).map(Arc::from)
            });
            self.output.roots.push(OutRoot {
                target: now.digest.clone(),
                name: planned.name.clone(),
                descriptor,
                repository: planned.repository.clone(),
            });
        }
    }
}
