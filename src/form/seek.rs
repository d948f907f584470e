//! Blobs sought by digest in places that are open: which of them has one, and under which member.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::digest::Digest;
use crate::error::Result;
use crate::limits::Limits;
use crate::location::MemberId;
use crate::model::{Anomaly, Archive, Name, StorageProblem};
use crate::source::{Held, Tree};

/// A place that blobs are taken from.
pub struct Store {
    tree: Arc<Tree>,
    blobs: BTreeMap<Digest, MemberId>,
    tags: BTreeMap<(String, String), Digest>,
}

impl Store {
    /// What an archive has, by its digests: what manifests and names of members say, and of layers without a name of their
    /// own what the config says.
    ///
    /// # Errors
    /// It changed since it was opened.
    pub fn of(archive: Archive) -> Result<Store> {
        let mut blobs = BTreeMap::new();
        for blob in &archive.blobs {
            if let (Some(digest), Some(member)) = (&blob.digest, blob.member) {
                blobs.insert(digest.clone(), member);
            }
        }
        // Of layers without a name of their own the config says what they are while they are not compressed.
        for parts in archive.nodes.iter().filter_map(crate::model::Node::parts) {
            let Some(config) = archive.config(parts) else { continue };
            if let Some(member) = parts.config.blob.and_then(|blob| archive.blob(blob).member) {
                blobs.entry(config.document.sha256.clone()).or_insert(member);
            }
            for (layer, diff_id) in parts.layers.iter().zip(config.diff_ids().unwrap_or_default()) {
                let blob = layer.blob.map(|blob| archive.blob(blob));
                let unnamed = blob.filter(|blob| blob.digest.is_none()).and_then(|blob| blob.member);
                if let (Some(member), Some(diff_id)) = (unnamed, diff_id) {
                    blobs.entry(diff_id).or_insert(member);
                }
            }
        }
        let tags = tags(&archive);
        archive.unchanged()?;
        Ok(Store { tree: Arc::new(archive.tree), blobs, tags })
    }

    /// What storage has in a place where no registry looks.
    ///
    /// # Errors
    /// It changed since it was opened.
    pub fn misplaced(archive: Archive) -> Result<Store> {
        let mut blobs = BTreeMap::new();
        for anomaly in &archive.anomalies {
            if let Anomaly::Storage { at, problem: StorageProblem::Misplaced(digest) } = anomaly {
                blobs.extend(at.member.map(|member| (digest.clone(), member)));
            }
        }
        archive.unchanged()?;
        Ok(Store { tree: Arc::new(archive.tree), blobs, tags: BTreeMap::new() })
    }

    /// As it was typed.
    pub fn place(&self) -> &str {
        &self.tree.place
    }

    /// Where this place has a blob under the name of a digest, whatever its bytes are.
    pub fn named(&self, digest: &Digest) -> Option<Held> {
        self.blobs.get(digest).map(|&member| Held::Member(Arc::clone(&self.tree), member))
    }

    /// Where this place has a blob. A document must be what its name says; of others that is found out as they are read.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn find(&self, digest: &Digest, manifest: bool, limits: &Limits) -> Result<Option<Held>> {
        let Some(&member) = self.blobs.get(digest) else { return Ok(None) };
        let held = Held::Member(Arc::clone(&self.tree), member);
        if !manifest {
            return Ok(Some(held));
        }
        let bytes = self.tree.read(member, limits.document_bytes)?;
        Ok(bytes.filter(|bytes| digest.of_same_kind(bytes).as_ref() == Some(digest)).map(|_| held))
    }

    /// What a tag of a repository names here.
    pub fn tag(&self, repository: &str, tag: &str) -> Option<&Digest> {
        self.tags.get(&(repository.to_owned(), tag.to_owned()))
    }
}

/// What the names of an archive lead to, by repository and tag as storage has them.
fn tags(archive: &Archive) -> BTreeMap<(String, String), Digest> {
    let mut tags = BTreeMap::new();
    for root in &archive.roots {
        let Some(digest) = archive.node(root.node).digest.clone() else { continue };
        let (path, tag) = match &root.name {
            Name::Full(name) => {
                let path = match name.domain() {
                    "docker.io" => name.path().to_owned(),
                    domain => format!("{domain}/{}", name.path()),
                };
                (root.repository.clone().unwrap_or(path), name.tag())
            }
            Name::BareTag(tag) => (root.repository.clone().unwrap_or_default(), Some(tag.as_str())),
            Name::Unreadable(_) | Name::None => continue,
        };
        tags.extend(tag.map(|tag| ((path, tag.to_owned()), digest)));
    }
    tags
}
