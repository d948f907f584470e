//! What a state knows, as the rules take it.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::key::Within;
use super::parts::Views;
use super::row::Row;
use super::source::Source;
use super::stub::{is_tar, stub};
use crate::blob::BlobFacts;
use crate::digest::Digest;
use crate::error::{Context as _, Result};
use crate::facts::Facts;
use crate::form::oci_layout::piece as layout;
#[cfg(feature = "registry")]
use crate::form::registry::piece as registry;
use crate::form::registry_storage::paths::digest_of_blob;
use crate::form::registry_storage::piece::Known;
use crate::layer::{self, Kept, LayerFacts, Spool};
use crate::limits::Limits;
use crate::media::Codec;
use crate::model::{Archive, BlobId};
use crate::progress::Progress;
use crate::read::{self, Context, Options};

/// Layers whose paths are kept for the next piece, and their entries: some 100 MB of the temporary file.
const LAYERS: usize = 1_000;
const ENTRIES: u64 = 1_000_000;

/// The blobs of a place as their states know them; what was not read, of the place, if that is at hand.
pub struct Held {
    /// The states.
    pub views: Arc<Views>,
    /// Whose blobs are meant.
    pub within: Within,
    /// The place.
    pub source: Option<Arc<dyn Source>>,
    /// Bytes of a text, at most.
    pub limit: u64,
    /// Blobs in folders where no registry looks.
    pub misplaced: Arc<Misplaced>,
}

/// Names and sizes of blobs in folders where no registry looks.
pub type Misplaced = HashMap<Digest, (String, u64)>;

impl Known for Held {
    fn size(&self, digest: &Digest) -> Result<Option<u64>> {
        Ok(self.views.blob(&self.within, digest)?.map(|row| row.size))
    }

    fn misplaced(&self, digest: &Digest) -> Option<(String, u64)> {
        self.misplaced.get(digest).cloned()
    }

    fn text(&self, digest: &Digest) -> Result<Vec<u8>> {
        if let Some(text) = self.views.text(&self.within, digest)? {
            return Ok(text);
        }
        let read = self.views.blob(&self.within, digest)?.and_then(|row| row.read);
        if let (None, Some(source)) = (&read, &self.source) {
            return source.bytes(&self.within, digest, self.limit.saturating_add(1));
        }
        let Some(read) = read else { return Ok(stub(Codec::Plain, false).to_vec()) };
        let codec = read.facts.map_or(Codec::Plain, |facts| facts.codec);
        Ok(stub(codec, is_tar(read.layer.as_ref())).to_vec())
    }
}

impl layout::Known for Held {
    fn text(&self, digest: &Digest) -> Result<Vec<u8>> {
        Known::text(self, digest)
    }
}

#[cfg(feature = "registry")]
impl registry::Known for Held {
    fn text(&self, digest: &Digest) -> Result<Vec<u8>> {
        Known::text(self, digest)
    }

    fn repository(&self, digest: &Digest, own: &str) -> Result<Option<String>> {
        Ok(match self.views.listed(digest)? {
            Some(entry) => Some(entry.repository).filter(|_| !entry.absent),
            None => Some(own.to_owned()),
        })
    }
}

/// Layers with their paths, which many pieces share: so many that memory and the temporary file stay small.
pub struct Layers {
    tmpdir: Option<PathBuf>,
    spool: Arc<Spool>,
    /// By what they hold.
    laid: HashMap<Digest, Arc<LayerFacts>>,
    entries: u64,
}

impl Layers {
    /// None yet. Their paths go to a file in this directory.
    pub fn new(tmpdir: Option<&Path>) -> Layers {
        let spool = Arc::new(Spool::in_directory(tmpdir));
        Layers { tmpdir: tmpdir.map(Path::to_owned), spool, laid: HashMap::new(), entries: 0 }
    }

    /// Makes room for those of the next piece, all of whose layers have one spool.
    fn make_room(&mut self) {
        if self.laid.len() >= LAYERS || self.entries >= ENTRIES {
            *self = Layers::new(self.tmpdir.as_deref());
        }
    }

    /// A layer that was read.
    fn of(
        &mut self,
        (views, within): (&Views, &Within),
        (digest, holds): (&Digest, &Digest),
        (kept, paths): (Kept, Option<u32>),
        limits: &Limits,
    ) -> Result<Arc<LayerFacts>> {
        if let Some(known) = self.laid.get(holds) {
            return Ok(Arc::clone(known));
        }
        let Some(paths) = paths else { return Ok(Arc::new(kept.facts(&self.spool))) };
        self.entries += kept.entries;
        let damaged = || io::Error::from(io::ErrorKind::InvalidData);
        // What the state says of itself fails as it is.
        let mut failed = None;
        let blocks = (0..paths).map(|i| match views.paths(within, digest, i) {
            Ok(block) => block.ok_or_else(damaged),
            Err(error) => {
                failed = Some(error);
                Err(damaged())
            }
        });
        let laid = layer::laid(kept, blocks, limits, &self.spool);
        if let Some(error) = failed {
            return Err(error);
        }
        let laid = Arc::new(laid.at("cannot lay out the paths of", digest.to_string())?);
        self.laid.insert(holds.clone(), Arc::clone(&laid));
        Ok(laid)
    }
}

/// What the state knows of the blobs of an archive that is a piece of its storage, and which of them nobody read.
///
/// # Errors
///
/// The state cannot be read, or a text that is used as a layer.
pub fn of(
    archive: &mut Archive,
    (views, within): (&Views, &Within),
    layers: &mut Layers,
    limits: &Limits,
) -> Result<(Facts, Vec<BlobId>)> {
    layers.make_room();
    let mut facts = Facts::of(archive.blobs.len());
    let (mut unread, mut texts) = (Vec::new(), HashSet::new());
    for i in 0..archive.blobs.len() {
        let id = BlobId(i as u32);
        let blob = archive.blob(id);
        // In a storage an alias is stored under another digest.
        let stored = blob.member.and_then(|member| digest_of(archive, member)).or(blob.digest.clone());
        let Some(digest) = stored.filter(|_| blob.member.is_some()) else { continue };
        let Some(Row { read: Some(read), .. }) = views.blob(within, &digest)? else {
            unread.push(id);
            continue;
        };
        let (layer, document) = (blob.layer, blob.document);
        if let (Some(document), Some(found), false) = (document, &read.facts, read.text) {
            // Its text was not kept, so what was read of it counts.
            let listed = &mut archive.documents[document.0 as usize];
            (listed.sha256, listed.size) = (found.sha256.clone(), found.size);
        }
        match (read.facts, layer) {
            (None, _) => drop(facts.oversized.insert(id)),
            (Some(_), true) if read.text => drop(texts.insert(id)),
            (Some(found), true) => {
                if let Some(kept) = read.layer {
                    let laid =
                        layers.of((views, within), (&digest, &found.sha256), (kept, read.paths), limits)?;
                    facts.layers.insert(id, laid);
                }
                facts.blobs[i] = Some(Box::new(found));
            }
            (Some(found), false) => {
                facts.blobs[i] = Some(Box::new(BlobFacts { plain: None, fault: None, ..found }));
            }
        }
    }
    let options = Options { limits: limits.clone(), jobs: 1, ..Options::default() };
    // Paths of two spools cannot be compared.
    let scan = Some(Arc::clone(&layers.spool));
    let context = Context { scan, ..options.context(false, &() as &dyn Progress) };
    if !texts.is_empty() {
        facts.add(read::some(archive, &|id| texts.contains(&id), &context)?);
    }
    read::across(archive, &mut facts, limits)?;
    Ok((facts, unread))
}

/// The digest that the place of a member gives it.
pub fn digest_of(archive: &Archive, member: crate::location::MemberId) -> Option<Digest> {
    use bstr::ByteSlice;
    digest_of_blob(archive.tree.member(member).name().to_str().ok()?)
}
