//! What an archive that is put together consists of: blobs of others, documents that were made, and roots.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::list;
use crate::digest::Digest;
use crate::error::Result;
use crate::form::gathered;
use crate::form::sink::{OutBody, OutDocument, OutName, OutRoot, Output};
use crate::limits::Limits;
use crate::location::MemberId;
use crate::model::{Archive, Body, Name, NodeId, Root, Via, referrers};
use crate::source::{Held, Tree};

/// The members of the archives that are taken from, in their order.
pub type Trees = Vec<Arc<Tree>>;

/// An archive that is being put together. Archives are meant by their position among those that are taken from.
#[derive(Default)]
pub struct Gathering {
    blobs: Vec<(Digest, From)>,
    known: HashSet<Digest>,
    output: Output,
}

enum From {
    Archive(usize, MemberId),
    Here(Arc<[u8]>),
}

impl Gathering {
    fn blob(&mut self, digest: &Digest, from: From) {
        if self.known.insert(digest.clone()) {
            self.blobs.push((digest.clone(), from));
        }
    }

    /// Takes a manifest or index with everything below it, as far as it is there.
    pub(super) fn take(&mut self, at: usize, archive: &Archive, node: NodeId) {
        for node in archive.below(node) {
            let node = archive.node(node);
            let own = node.blob.and_then(|blob| archive.blob(blob).member);
            if let (Some(digest), Some(member)) = (&node.digest, own) {
                self.blob(digest, From::Archive(at, member));
            }
            for blob in node.all_parts().iter().filter_map(|part| part.blob).map(|blob| archive.blob(blob)) {
                if let (Some(digest), Some(member)) = (&blob.digest, blob.member) {
                    self.blob(digest, From::Archive(at, member));
                }
            }
        }
    }

    /// Takes what refers to what was taken, and to that, and so on.
    pub(super) fn along(&mut self, at: usize, archive: &Archive) -> Result<()> {
        let mut about: HashMap<usize, Digest> = referrers::about(archive);
        loop {
            let found: Vec<usize> =
                about.iter().filter(|(_, digest)| self.known.contains(*digest)).map(|(i, _)| *i).collect();
            let mut found = found;
            found.sort_unstable();
            if found.is_empty() {
                return Ok(());
            }
            for index in found {
                about.remove(&index);
                let root = &archive.roots[index];
                self.take(at, archive, root.node);
                // What has no name is found by its subject.
                if root.name != Name::None {
                    self.root(archive, root, None)?;
                }
            }
        }
    }

    /// Takes all that an archive holds, with its names, but for one index, which is another now: of what only that led to
    /// the children that stay are taken.
    pub(super) fn rest(
        &mut self,
        at: usize,
        archive: &Archive,
        replaced: &HashMap<usize, Digest>,
    ) -> Result<()> {
        for (_, root) in archive.roots.iter().enumerate().filter(|(i, _)| !replaced.contains_key(i)) {
            self.take(at, archive, root.node);
        }
        for blob in archive.blobs.iter().filter(|blob| !blob.referenced) {
            if let (Some(digest), Some(member)) = (&blob.digest, blob.member) {
                self.blob(digest, From::Archive(at, member));
            }
        }
        self.output.index_json = archive.index_json.map(|index| Arc::clone(&archive.document(index).bytes));
        let about = referrers::about(archive);
        let before: HashSet<&Digest> = replaced
            .keys()
            .filter_map(|&index| archive.node(archive.roots[index].node).digest.as_ref())
            .collect();
        for (index, root) in archive.roots.iter().enumerate() {
            // What is about something that is there is found by its subject; what was about the index that is no more is listed.
            let listed =
                root.via != Via::Subject || about.get(&index).is_some_and(|digest| before.contains(digest));
            if listed {
                self.root(archive, root, replaced.get(&index))?;
            }
        }
        Ok(())
    }

    /// A document that was made.
    pub(super) fn made(&mut self, bytes: &Arc<[u8]>, media_type: &str) -> Digest {
        let digest = Digest::sha256(bytes);
        self.blob(&digest, From::Here(Arc::clone(bytes)));
        self.document(digest.clone(), media_type, Arc::clone(bytes));
        digest
    }

    /// An entry point without a name.
    pub(super) fn unnamed(&mut self, target: Digest) {
        self.output.roots.push(OutRoot { target, name: OutName::None, descriptor: None, repository: None });
    }

    fn document(&mut self, digest: Digest, media_type: &str, bytes: Arc<[u8]>) {
        if self.output.documents.iter().any(|document| document.digest == digest) {
            return;
        }
        let body = OutBody::Opaque { blobs: Vec::new() };
        let media_type = media_type.to_owned();
        self.output.documents.push(OutDocument { digest, media_type, bytes, body, signatures: Vec::new() });
    }

    /// An entry point of an archive with its name; `instead` is what it points at now.
    pub(super) fn root(&mut self, archive: &Archive, root: &Root, instead: Option<&Digest>) -> Result<()> {
        let node = archive.node(root.node);
        let target = match (instead, &node.digest) {
            (Some(digest), _) => digest.clone(),
            (None, Some(digest)) => {
                let Some(bytes) = bytes(archive, root.node)? else { return Ok(()) };
                self.document(digest.clone(), node.media_type.as_deref().unwrap_or_default(), bytes);
                digest.clone()
            }
            (None, None) => return Ok(()),
        };
        let descriptor = root.descriptor.as_deref().and_then(|descriptor| {
            let member = descriptor.at.member?;
            let document = archive.document_at(member)?;
            document.bytes.get(descriptor.span.start..descriptor.span.end).map(Arc::from)
        });
        let written = descriptor.as_deref().and_then(list::ref_name);
        let name = match &root.name {
            Name::Full(name) => match written {
                Some(ref_name) => OutName::Exact { ref_name, full: Some(name.clone()) },
                None => OutName::Full(name.clone()),
            },
            Name::BareTag(tag) => OutName::BareTag(tag.clone()),
            Name::Unreadable(text) => OutName::Exact { ref_name: text.clone(), full: None },
            Name::None => OutName::None,
        };
        self.output.roots.push(OutRoot { target, name, descriptor, repository: None });
        archive.unchanged()
    }

    /// Opens it as an OCI layout. `place` is what messages call it.
    ///
    /// # Errors
    /// Its documents cannot be read.
    pub fn open(self, place: &str, trees: &Trees, limits: &Limits) -> Result<Archive> {
        let held = |(digest, from): (Digest, From)| {
            let held = match from {
                From::Archive(at, member) => Held::Member(Arc::clone(trees.get(at)?), member),
                From::Here(bytes) => Held::Made(bytes),
            };
            Some((digest, held))
        };
        let blobs = self.blobs.into_iter().filter_map(held).collect();
        gathered::layout(place, blobs, &self.output, limits)
    }
}

/// The bytes of a manifest or index, if they are there.
pub(super) fn bytes(archive: &Archive, node: NodeId) -> Result<Option<Arc<[u8]>>> {
    let node = archive.node(node);
    if let Some(document) = node.document {
        let bytes = Arc::clone(&archive.document(document).bytes);
        archive.unchanged()?;
        return Ok(Some(bytes));
    }
    if matches!(node.body, Body::Absent) {
        return Ok(None);
    }
    let Some(member) = node.blob.and_then(|blob| archive.blob(blob).member) else { return Ok(None) };
    Ok(archive.tree.read(member, Limits::default().document_bytes)?.map(Arc::from))
}
