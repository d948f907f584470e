//! The manifests and indexes of the destination, children before parents, each with its line of the account.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::digest::Digest;
use crate::error::Result;
use crate::form::sink::{OutBody, OutDocument, Output};
use crate::jobs::convert::account::{Account, Action, Entry, Kind};
use crate::jobs::convert::plan::{Make, Plan};
use crate::jobs::convert::request::{Request, Target};
use crate::jobs::convert::rewrite::Now;
use crate::jobs::convert::write::Writer;
use crate::limits::Limits;
use crate::media::{self, Family};
use crate::model::select;
use crate::model::view::artifact_type;
use crate::model::{Archive, Body, Name, NodeId, Part, legacy};
use crate::read::{Pool, configs};

/// Makes the documents of the destination, children before parents.
pub(super) struct Documents<'a> {
    pub(super) archive: &'a Archive,
    pub(super) plan: &'a Plan,
    pub(super) target: Target,
    pub(super) writer: &'a Writer<'a>,
    pub(super) pool: &'a Pool<'a>,
    limits: &'a Limits,
    pub(super) output: Output,
    pub(super) account: Account,
    /// What each node is in the destination.
    pub(super) now: HashMap<NodeId, Now>,
    /// Digests of the documents that were made.
    made: HashSet<Digest>,
    /// Digests in the source of those that have another now.
    pub(super) moved: HashSet<String>,
    /// The first name of every root.
    names: HashMap<NodeId, String>,
}

impl<'a> Documents<'a> {
    /// None is made yet.
    pub(super) fn new(
        archive: &'a Archive,
        plan: &'a Plan,
        request: &Request,
        (writer, pool): (&'a Writer<'a>, &'a Pool<'a>),
        limits: &'a Limits,
    ) -> Documents<'a> {
        let mut names = HashMap::new();
        for planned in plan.roots.iter().filter(|planned| planned.root.name != Name::None) {
            names.entry(planned.root.node).or_insert_with(|| planned.root.name.shown());
        }
        Documents {
            archive,
            plan,
            target: request.target,
            writer,
            pool,
            limits,
            output: Output::default(),
            account: Account::default(),
            now: HashMap::new(),
            made: HashSet::new(),
            moved: request.moved.clone(),
            names,
        }
    }

    /// The graph of the destination and its account, once every step is done.
    pub(super) fn finish(mut self) -> (Output, Account) {
        self.roots();
        self.stale_references();
        (self.output, self.account)
    }

    pub(super) fn make(&mut self, node: NodeId) -> Result<()> {
        if self.writer.stopped() {
            return Ok(());
        }
        let source = self.archive.node(node);
        let make = self.plan.make.get(&node).cloned().unwrap_or(Make::Keep);
        match &source.body {
            Body::Index { family, children } => self.index(node, *family, children, make),
            Body::Manifest { family, parts } => self.manifest(node, *family, parts, make),
            Body::Item { parts } => self.item(node, parts, make),
            Body::V1 { chain, layers } => {
                let diff_ids = self.diff_ids(layers);
                let config = configs::v1_config(self.archive, chain, &diff_ids)?;
                let layers: Vec<&Part> = layers.iter().collect();
                self.without_config(node, config, &layers, &diff_ids, make, "made from v1 images")
            }
            Body::Schema1 { layers } if make != Make::Keep => self.schema1(node, layers, make),
            Body::Schema1 { layers } => {
                let blobs = self.blobs(layers.iter());
                self.carried(node, layers);
                self.keep_schema1(node, OutBody::Opaque { blobs })
            }
            Body::ArtifactManifest { blobs } => {
                let parts = blobs;
                let blobs = self.blobs(parts.iter());
                self.carried(node, parts);
                self.keep(node, OutBody::Opaque { blobs })
            }
            Body::Opaque | Body::Layer { .. } => self.keep(node, OutBody::Opaque { blobs: Vec::new() }),
            Body::Absent => Ok(()),
        }
    }

    /// A document whose bytes stay.
    pub(super) fn keep(&mut self, node: NodeId, body: OutBody) -> Result<()> {
        let source = self.archive.node(node);
        let (Some(digest), Some(bytes)) = (source.digest.clone(), self.bytes(node)?) else { return Ok(()) };
        let media_type = source.media_type.clone().unwrap_or_default().into_owned();
        let now = Now { digest, size: bytes.len() as u64, media_type, changed: false, artifact_type: None };
        self.document(node, now, bytes, body, Action::Kept, String::new())
    }

    /// Registries store the payload of a schema 1 manifest, whose digest it is, without the signatures.
    fn keep_schema1(&mut self, node: NodeId, body: OutBody) -> Result<()> {
        let source = self.archive.node(node);
        let Some(document) = source.document.map(|id| self.archive.document(id)) else { return Ok(()) };
        let payload = match &document.json {
            Ok(json) if self.target == Target::Storage => {
                legacy::jws::Jws::read(&document.bytes, &json.root, document.depth).payload
            }
            _ => None,
        };
        let Some(payload) = payload.filter(|payload| payload[..] != document.bytes[..]) else {
            return self.keep(node, body);
        };
        let what = format!("signatures of {}", self.describe(node));
        let why = "registries store the signed payload alone; the digest stays";
        self.account.entries.push(Entry::note(Kind::Other, Action::Dropped, what, why));
        let media_type = media::DOCKER_SCHEMA1.to_owned();
        let digest = Digest::sha256(&payload);
        let now = Now { digest, size: payload.len() as u64, media_type, changed: false, artifact_type: None };
        self.document(node, now, payload.into(), body, Action::Kept, String::new())
    }

    pub(super) fn bytes(&self, node: NodeId) -> Result<Option<Arc<[u8]>>> {
        let source = self.archive.node(node);
        if let Some(id) = source.document {
            return Ok(Some(Arc::clone(&self.archive.document(id).bytes)));
        }
        let Some(member) = source.blob.and_then(|blob| self.archive.blob(blob).member) else {
            return Ok(None);
        };
        let limit = self.limits.document_bytes;
        Ok(self.archive.tree.read(member, limit)?.map(Arc::from))
    }

    pub(super) fn document(
        &mut self,
        node: NodeId,
        mut now: Now,
        bytes: Arc<[u8]>,
        body: OutBody,
        action: Action,
        why: String,
    ) -> Result<()> {
        if now.changed {
            now.artifact_type = artifact_type(&bytes);
        }
        let source = self.archive.node(node);
        let kind = if matches!(source.body, Body::Index { .. }) { Kind::Index } else { Kind::Manifest };
        let what = self.describe(node);
        self.account.entries.push(Entry {
            kind,
            action,
            what,
            before: source.digest.clone(),
            after: Some(now.digest.clone()),
            why,
        });
        let signatures = if action == Action::Kept && self.target == Target::SkopeoDir {
            self.signatures(node)?
        } else {
            if !source.signatures.is_empty() {
                let why = if self.target == Target::SkopeoDir {
                    "they sign a manifest that changed"
                } else {
                    "only dir: layouts hold them"
                };
                let what = format!("signatures of {}", self.describe(node));
                self.account.entries.push(Entry::note(Kind::Other, Action::Dropped, what, why));
            }
            Vec::new()
        };
        let document = OutDocument {
            digest: now.digest.clone(),
            media_type: now.media_type.clone(),
            bytes,
            body,
            signatures,
        };
        let before = source.digest.as_ref().filter(|before| **before != now.digest);
        self.moved.extend(before.map(ToString::to_string));
        self.now.insert(node, now);
        if self.made.insert(document.digest.clone()) {
            self.writer.sink.document(&document)?;
            self.output.documents.push(document);
        }
        Ok(())
    }

    fn signatures(&self, node: NodeId) -> Result<Vec<Arc<[u8]>>> {
        let limit = self.limits.document_bytes;
        let mut found = Vec::new();
        for &member in &self.archive.node(node).signatures {
            let bytes = self.archive.tree.read(member, limit)?;
            found.extend(bytes.map(Arc::from));
        }
        Ok(found)
    }

    pub(super) fn describe(&self, node: NodeId) -> String {
        if let Some(name) = self.names.get(&node) {
            return name.clone();
        }
        let platform = select::platform_of(self.archive, node, None).filter(|p| !p.os.is_empty());
        match (platform, &self.archive.node(node).digest) {
            (Some(platform), _) if !platform.is_unknown() => platform.normalised().to_string(),
            (_, Some(digest)) => format!("{}:{}", digest.algorithm_name(), digest.short()),
            _ => "image without name".into(),
        }
    }
}

pub(super) fn family_name(family: Family) -> &'static str {
    if family == Family::Oci { "OCI" } else { "Docker" }
}

pub(super) fn manifest_type(family: Family) -> &'static str {
    if family == Family::Oci { media::OCI_MANIFEST } else { media::DOCKER_MANIFEST }
}
