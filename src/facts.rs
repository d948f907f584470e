//! What was learnt by reading the blobs of an archive.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::blob::BlobFacts;
use crate::digest::Digest;
use crate::layer::evidence::Oddities;
use crate::layer::{Changes, LayerFacts};
use crate::location::MemberId;
use crate::model::statement::Subject;
use crate::model::{BlobId, NodeId};

/// What layers do to those below them, by image and the layer's place in it, base first.
pub type Changed = HashMap<(NodeId, usize), Changes>;

/// What was learnt by reading blobs.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// By blob, as far as they were read.
    pub blobs: Vec<Option<Box<BlobFacts>>>,
    /// What is in layers, as far as that was asked for and they could be read to their ends.
    pub layers: HashMap<BlobId, Arc<LayerFacts>>,
    /// What is odd about a layer (by its place in its image, base first) where it lies on others.
    pub stacks: HashMap<(NodeId, usize), Oddities>,
    /// What a layer does to those below it, likewise; nothing unless that was asked for and the paths of all layers fit.
    pub changes: Changed,
    /// What in-toto statements are about, likewise.
    pub subjects: Vec<Subject>,
    /// Digests of members that share a name and a size.
    pub members: HashMap<MemberId, Digest>,
    /// Layers that were not read, since they are larger as stored than the limit layer-bytes lets them be expanded.
    pub oversized: HashSet<BlobId>,
}

impl Facts {
    /// None yet, of so many blobs.
    pub fn of(blobs: usize) -> Facts {
        Facts { blobs: vec![None; blobs], ..Facts::default() }
    }

    /// The facts of a blob, if it was read.
    pub fn get(&self, blob: BlobId) -> Option<&BlobFacts> {
        self.blobs.get(blob.index())?.as_deref()
    }

    /// What is in a layer.
    pub fn layer(&self, blob: BlobId) -> Option<&LayerFacts> {
        self.layers.get(&blob).map(|layer| &**layer)
    }

    /// Takes over what others know.
    pub fn add(&mut self, more: Facts) {
        for (slot, found) in self.blobs.iter_mut().zip(more.blobs) {
            *slot = slot.take().or(found);
        }
        self.layers.extend(more.layers);
        self.stacks.extend(more.stacks);
        self.changes.extend(more.changes);
        self.subjects.extend(more.subjects);
        self.members.extend(more.members);
        self.oversized.extend(more.oversized);
    }
}
