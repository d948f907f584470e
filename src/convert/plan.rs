//! What a conversion will do: every step, decided before anything is read or written.

use std::collections::{HashMap, HashSet};

use crate::codec::Compression;
use crate::convert::account::Entry;
use crate::digest::Digest;
use crate::form::sink::OutName;
use crate::media::Family;
use crate::model::{Archive, BlobId, NodeId, Root};

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
    /// What is known already of the account: what is dropped, and names.
    pub entries: Vec<Entry>,
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
}
