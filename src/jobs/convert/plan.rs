//! What a conversion will do: every step, decided before anything is read or written.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::codec::Compression;
use crate::digest::Digest;
use crate::form::sink::{Absence, Lacking, OutName};
use crate::jobs::convert::account::{Entry, Names};
use crate::media::Family;
use crate::model::partial::Partial;
use crate::model::{Archive, BlobId, Body, NodeId, Root};

/// What a conversion will do.
#[derive(Debug)]
pub struct Plan {
    /// In the order of writing (docs/architecture.md#member-order).
    pub steps: Vec<Step>,
    /// How each manifest and index is made.
    pub make: HashMap<NodeId, Make>,
    /// The layers that a manifest wants compressed anew; another manifest may want the same blob as it is.
    pub anew: HashMap<(NodeId, BlobId), Compression>,
    /// The entry points.
    pub roots: Vec<PlannedRoot>,
    /// Manifests and indexes that the conversion is about; others are not looked at.
    pub scope: HashSet<NodeId>,
    /// What is known already of the account.
    pub entries: Vec<Entry>,
    /// What becomes of names.
    pub names: Names,
    /// Manifests and indexes that are left out.
    pub dropped: BTreeMap<NodeId, Dropped>,
    /// Blobs that are left out though what points at them is carried, and why.
    pub unstaged: HashMap<BlobId, String>,
}

/// A manifest or index that is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// Which, in words.
    pub what: String,
    /// Why.
    pub why: String,
}

/// One thing to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A config or layer.
    Blob {
        /// Which.
        blob: BlobId,
        /// Its bytes as they are, or compressed anew.
        treatment: Treatment,
    },
    /// A manifest or index, after all that it points at.
    Document(NodeId),
}

/// What is done to a blob's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Treatment {
    /// Nothing.
    Keep,
    /// Decompressed, and compressed like this.
    Recompress(Compression),
}

/// How a manifest or index is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Make {
    /// Its bytes as they are.
    Keep,
    /// A manifest whose descriptors or type change.
    Rewrite {
        /// The family that it gets.
        family: Family,
    },
    /// An index of which some children are left out, or change, or whose type changes.
    Reindex {
        /// The family that it gets.
        family: Family,
        /// The children that stay, by position.
        keep: Vec<usize>,
    },
    /// A manifest for an image that has none.
    Synthesise {
        /// The family that it gets.
        family: Family,
    },
    /// None: the target has no manifests.
    Nothing,
}

/// An entry point and its name in the target.
#[derive(Debug, Clone)]
pub struct PlannedRoot {
    /// The root in the source.
    pub root: Root,
    /// Its position there, unless its name was given on the command line.
    pub source: Option<usize>,
    /// Its name.
    pub name: OutName,
    /// For registry storage.
    pub repository: Option<(String, Option<String>)>,
}

impl Plan {
    /// The blobs to read and write, in order; one that is kept by one image and compressed anew by another twice.
    pub fn blobs(&self) -> impl Iterator<Item = (BlobId, Treatment)> + '_ {
        self.steps.iter().filter_map(|step| match *step {
            Step::Blob { blob, treatment } => Some((blob, treatment)),
            Step::Document(_) => None,
        })
    }

    /// The manifests and indexes to write, in order.
    pub fn documents(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.steps.iter().filter_map(|step| match *step {
            Step::Document(node) => Some(node),
            Step::Blob { .. } => None,
        })
    }

    /// Repositories and tags of what is written, with the digest that each tag will stand for where that is known
    /// beforehand: where nothing is made anew.
    pub fn tags(&self, archive: &Archive) -> Vec<(String, String, Option<Digest>)> {
        let tag = |planned: &PlannedRoot| {
            let (path, tag) = planned.repository.clone()?;
            let kept = self.make.get(&planned.root.node) == Some(&Make::Keep);
            Some((path, tag?, archive.node(planned.root.node).digest.clone().filter(|_| kept)))
        };
        self.roots.iter().filter_map(tag).collect()
    }

    /// What manifests and indexes that are to be written point at and is not written with them: the source does not have it,
    /// it is left out, or it is no manifest. Only of indexes that stay as they are, or lose items, is this known beforehand;
    /// those of others are all made.
    pub fn lacking(&self, archive: &Archive) -> Vec<Lacking> {
        let mut found = Vec::new();
        let written: HashSet<&Digest> =
            self.documents().filter_map(|node| archive.node(node).digest.as_ref()).collect();
        // Many roots of a repository may share one large index.
        let mut seen: HashMap<&str, HashSet<NodeId>> = HashMap::new();
        for planned in &self.roots {
            let Some((repository, _)) = &planned.repository else { continue };
            for node in archive.below_unseen(planned.root.node, seen.entry(repository).or_default()) {
                let index = archive.node(node);
                if let Body::Manifest { .. } = &index.body {
                    found.extend(self.blobs_lacking(archive, node, repository));
                }
                for child in self.children(archive, node).into_iter().map(|child| archive.node(child)) {
                    let sent = child.digest.as_ref().is_some_and(|digest| written.contains(digest));
                    let what = match child.body {
                        Body::Opaque => Absence::NoManifest,
                        _ if sent => continue,
                        _ => Absence::Manifest,
                    };
                    if let (Some(of), Some(item)) = (index.digest.clone(), child.digest.clone()) {
                        found.push(Lacking { repository: repository.clone(), of, item, what });
                    }
                }
            }
        }
        found
    }

    /// An index that is to be written, and a child of it that is not: it is not there (docs/architecture.md#platforms), or
    /// left out with `--sparse`.
    pub fn sparse<'a>(&self, archive: &'a Archive) -> Option<(&'a Digest, &'a Digest)> {
        let absent = Partial::of(archive).absent;
        let whole = self.documents().filter(|node| !absent.contains(node));
        let written: HashSet<&Digest> = whole.filter_map(|node| archive.node(node).digest.as_ref()).collect();
        self.documents().find_map(|node| {
            let index = archive.node(node).digest.as_ref();
            let children = self.children(archive, node);
            let digests = children.into_iter().filter_map(|child| archive.node(child).digest.as_ref());
            index.zip(digests.into_iter().find(|digest| !written.contains(digest)))
        })
    }

    /// The children that an index keeps.
    fn children(&self, archive: &Archive, node: NodeId) -> Vec<NodeId> {
        let Body::Index { children, .. } = &archive.node(node).body else { return Vec::new() };
        let kept = |at: usize| match self.make.get(&node) {
            Some(Make::Keep) => true,
            Some(Make::Reindex { keep, .. }) => keep.contains(&at),
            Some(Make::Rewrite { .. } | Make::Synthesise { .. } | Make::Nothing) | None => false,
        };
        let kept = children.iter().enumerate().filter(|(at, _)| kept(*at));
        kept.filter_map(|(_, edge)| edge.node).collect()
    }

    /// Parts of a manifest that is to be written as it is, which the source does not have. Layers that stand elsewhere by
    /// their type are not wanted.
    fn blobs_lacking(&self, archive: &Archive, node: NodeId, repository: &str) -> Vec<Lacking> {
        let manifest = archive.node(node);
        let made = self.make.contains_key(&node);
        let absent = manifest.all_parts().into_iter().filter(|part| {
            let gone = part.blob.is_some_and(|blob| archive.blob(blob).member.is_none());
            made && gone && !part.is_foreign()
        });
        let lacking = absent.filter_map(|part| {
            let item = archive.blob(part.blob?).digest.clone()?;
            let of = manifest.digest.clone()?;
            Some(Lacking { repository: repository.to_owned(), of, item, what: Absence::Blob })
        });
        lacking.collect()
    }
}
