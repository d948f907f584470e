//! The compression of layers, by their first bytes: asked for only where the plan depends on it, as a registry answers each
//! question by a request.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::error::Result;
use crate::media::Codec;
use crate::model::{Archive, BlobId};

/// The compression of each layer that was asked for.
pub(super) struct Codecs<'a> {
    archive: &'a Archive,
    known: RefCell<HashMap<BlobId, Codec>>,
}

impl<'a> Codecs<'a> {
    /// None is known yet.
    pub(super) fn of(archive: &'a Archive) -> Codecs<'a> {
        Codecs { archive, known: RefCell::default() }
    }

    /// The compression of a layer; none, if it is not there.
    pub(super) fn get(&self, blob: BlobId) -> Result<Codec> {
        let Some(member) = self.archive.blob(blob).member else { return Ok(Codec::Plain) };
        if let Some(facts) = self.archive.ingested.get(&member) {
            return Ok(facts.codec);
        }
        if let Some(codec) = self.known.borrow().get(&blob) {
            return Ok(*codec);
        }
        let codec = Codec::sniff(&self.archive.tree.head(member, 16)?);
        self.known.borrow_mut().insert(blob, codec);
        Ok(codec)
    }
}
