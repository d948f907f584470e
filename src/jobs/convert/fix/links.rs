//! What names the documents of an archive: a document that changes gets another digest, and so does all above it.

use std::collections::{HashMap, HashSet};

use crate::digest::Digest;
use crate::json::Value;
use crate::location::{Location, MemberId};
use crate::model::view::Descriptor;
use crate::model::{Archive, Body, DocId, DocKind, NodeId, Part};

/// One place that names a document.
#[derive(Debug, Clone)]
pub(super) struct Link {
    /// The document in which it stands.
    pub by: MemberId,
    /// Where.
    pub pointer: String,
    pub how: How,
}

/// How it is named.
#[derive(Debug, Clone)]
pub(super) enum How {
    /// By a descriptor.
    Descriptor(Digest),
    /// By the name of its member.
    Name(String),
}

/// The documents and what names each.
#[derive(Default)]
pub(super) struct Links {
    to: HashMap<MemberId, Vec<Link>>,
    digests: HashMap<MemberId, HashSet<Digest>>,
    documents: HashMap<MemberId, DocId>,
    /// The annotations that name the image which an attestation is about, by the digest in them.
    pub attests: HashMap<String, Vec<(MemberId, String)>>,
}

impl Links {
    pub fn of(archive: &Archive) -> Links {
        let mut links = Links::default();
        for (listed, id) in archive.documents.iter().zip(0..) {
            links.documents.entry(listed.member).or_insert(DocId(id));
        }
        links.docker_archive(archive);
        for node in &archive.nodes {
            match &node.body {
                Body::Index { children, .. } => {
                    for edge in children {
                        let member = edge.node.and_then(|child| links.member(archive, child));
                        links.descriptor(member, &edge.descriptor);
                        if let (Some(digest), Some((by, at))) =
                            (&edge.attests, edge.descriptor.at.member_and_pointer())
                        {
                            let place = (by, format!("{at}/annotations/vnd.docker.reference.digest"));
                            links.attests.entry(digest.clone()).or_default().push(place);
                        }
                    }
                }
                Body::Manifest { parts, .. } | Body::Item { parts } => {
                    for part in std::iter::once(&parts.config).chain(&parts.layers) {
                        links.part(archive, part);
                    }
                }
                Body::ArtifactManifest { blobs } => blobs.iter().for_each(|part| links.part(archive, part)),
                Body::V1 { .. } | Body::Schema1 { .. } | Body::Layer { .. } | Body::Absent | Body::Opaque => {
                }
            }
        }
        for id in (0..archive.nodes.len() as u32).map(NodeId) {
            if let (Some(member), Some(digest)) = (links.member(archive, id), &archive.node(id).digest) {
                links.digests.entry(member).or_default().insert(digest.clone());
            }
        }
        for root in &archive.roots {
            if let Some(descriptor) = &root.descriptor {
                links.descriptor(links.member(archive, root.node), descriptor);
            }
        }
        for blob in archive.blobs.iter().filter(|blob| blob.document.is_some()) {
            if let (Some(member), Some(digest)) = (blob.member, &blob.digest) {
                links.digests.entry(member).or_default().insert(digest.clone());
            }
        }
        links
    }

    /// The document that a member is.
    pub fn document(&self, member: MemberId) -> Option<DocId> {
        self.documents.get(&member).copied()
    }

    /// What names a document.
    pub fn to(&self, member: MemberId) -> &[Link] {
        self.to.get(&member).map_or(&[], Vec::as_slice)
    }

    /// The digests that a document is named by.
    pub fn digests(&self, member: MemberId) -> impl Iterator<Item = &Digest> {
        self.digests.get(&member).into_iter().flatten()
    }

    /// A document and all above it, each once.
    pub fn up(&self, member: MemberId) -> Vec<MemberId> {
        let mut found = vec![member];
        let mut seen = HashSet::from([member]);
        let mut next = 0;
        while let Some(&member) = found.get(next) {
            next += 1;
            found.extend(self.to(member).iter().map(|link| link.by).filter(|by| seen.insert(*by)));
        }
        found
    }

    fn member(&self, archive: &Archive, node: NodeId) -> Option<MemberId> {
        let node = archive.node(node);
        let blob = node.blob.and_then(|blob| archive.blob(blob).member);
        blob.or_else(|| Some(archive.listed(node.document?).member))
    }

    fn descriptor(&mut self, member: Option<MemberId>, descriptor: &Descriptor) {
        let Some(digest) = descriptor.good_digest() else { return };
        self.link(member, &descriptor.at, How::Descriptor(digest.clone()));
    }

    fn part(&mut self, archive: &Archive, part: &Part) {
        let Some(blob) = part.blob.map(|blob| archive.blob(blob)) else { return };
        let member = blob.member.filter(|_| blob.document.is_some());
        if let Some(descriptor) = part.descriptor() {
            self.descriptor(member, descriptor);
        }
    }

    /// The items of `manifest.json`, those that the other half of a dual archive has as well among them.
    fn docker_archive(&mut self, archive: &Archive) {
        for (listed, id) in archive.documents.iter().zip(0..) {
            if listed.kind != DocKind::DockerArchive {
                continue;
            }
            let document = archive.document(DocId(id));
            for (item, nth) in document.root().map(Value::items).unwrap_or_default().iter().zip(0..) {
                let Some(name) = item.get("Config").and_then(Value::as_str) else { continue };
                let member = archive.tree.file_as_written(name.as_bytes());
                let at = Location::pointer(listed.member, format!("/{nth}/Config"));
                self.link(member, &at, How::Name(name.to_owned()));
            }
        }
    }

    fn link(&mut self, member: Option<MemberId>, at: &Location, how: How) {
        if let (Some(member), Some((by, pointer))) = (member, at.member_and_pointer()) {
            self.to.entry(member).or_default().push(Link { by, pointer, how });
        }
    }
}
