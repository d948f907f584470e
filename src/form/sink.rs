//! Where a conversion puts what it writes. Nothing is visible before [`Sink::commit`].

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::form::preview::{Known, Preview};
use crate::platform::Platform;
use crate::reference::Reference;

/// The graph as it is to stand in the destination: a sink needs nothing else.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// Every manifest and index, each digest once, children before parents, in the order of writing.
    pub documents: Vec<OutDocument>,
    /// The named entry points, in source order. Several may point at one document.
    pub roots: Vec<OutRoot>,
    /// The source's own `index.json`, if it had one: its other members are carried into a new layout.
    pub index_json: Option<Arc<[u8]>>,
    /// What stands at the destination and is replaced by a root of the same name: nothing lists it from then on.
    pub replaces: Option<Digest>,
}

impl Output {
    /// The digest of every root, with its name behind it; of a single one the digest alone.
    pub fn digests(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for root in &self.roots {
            let name = match (&root.repository, &root.name) {
                (Some((path, Some(tag))), _) => format!(" {path}:{tag}"),
                (_, OutName::Full(name)) => format!(" {}", name.familiar()),
                (_, OutName::BareTag(tag)) => format!(" :{tag}"),
                (_, OutName::Exact { ref_name, .. }) => format!(" {ref_name}"),
                (Some(_), OutName::None) if self.roots.len() > 1 => continue,
                (_, OutName::None) => String::new(),
            };
            lines.push(format!("{}{name}", root.target));
        }
        if let [only] = lines.as_mut_slice() {
            only.truncate(only.find(' ').unwrap_or(only.len()));
        }
        lines
    }

    /// Every blob that the destination holds, as often as something points at it.
    pub fn held(&self) -> impl Iterator<Item = &OutBlob> {
        let blobs = self.documents.iter().flat_map(|document| document.body.blobs());
        blobs.filter(|blob| blob.present)
    }

    /// The configs of images, by their SHA-256.
    pub fn configs(&self) -> impl Iterator<Item = (Digest, Arc<[u8]>)> + '_ {
        let images = self.documents.iter().filter_map(|document| match &document.body {
            OutBody::Manifest { image, .. } => image.as_ref(),
            OutBody::Index { .. } | OutBody::Opaque { .. } => None,
        });
        images.map(|image| (Digest::sha256(&image.config), Arc::clone(&image.config)))
    }
}

impl OutBody {
    /// Config, layers and other blobs.
    pub fn blobs(&self) -> Vec<&OutBlob> {
        match self {
            OutBody::Index { .. } => Vec::new(),
            OutBody::Manifest { config, layers, .. } => std::iter::once(config).chain(layers).collect(),
            OutBody::Opaque { blobs } => blobs.iter().collect(),
        }
    }
}

/// One manifest or index.
#[derive(Debug, Clone)]
pub struct OutDocument {
    /// Digest of `bytes` (for schema 1, of the payload: formats.md C.2).
    pub digest: Digest,
    /// Media type, as its parent's descriptor gives it.
    pub media_type: String,
    /// The exact bytes.
    pub bytes: Arc<[u8]>,
    /// What it points at.
    pub body: OutBody,
    /// `dir:` signatures of this document, in order.
    pub signatures: Vec<Arc<[u8]>>,
}

/// What a document points at.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "there is one per document, and documents are far larger")]
pub enum OutBody {
    /// An index or manifest list: the children that are in [`Output::documents`], in order.
    /// Children that the source lacks (a sparse index) are not listed.
    Index {
        /// Digests of the children.
        children: Vec<Digest>,
    },
    /// A manifest of an image, an attestation or an artifact.
    Manifest {
        /// The config.
        config: OutBlob,
        /// The layers, base first.
        layers: Vec<OutBlob>,
        /// Set if it is an image that a container could be run from (not an attestation or artifact).
        image: Option<OutImage>,
    },
    /// A schema 1 manifest or a withdrawn artifact manifest: carried as it is, with these blobs.
    Opaque {
        /// Config-less blobs.
        blobs: Vec<OutBlob>,
    },
}

/// A config or layer.
#[derive(Debug, Clone)]
pub struct OutBlob {
    /// Digest as in the manifest.
    pub digest: Digest,
    /// Size as in the manifest.
    pub size: u64,
    /// Media type as in the manifest.
    pub media_type: String,
    /// Whether the blob was handed to the sink (a nondistributable layer may be absent).
    pub present: bool,
}

/// What makes a manifest an image.
#[derive(Debug, Clone)]
pub struct OutImage {
    /// The config's bytes.
    pub config: Arc<[u8]>,
    /// `rootfs.diff_ids`, as many as there are layers.
    pub diff_ids: Vec<Digest>,
    /// From the config, not normalised.
    pub platform: Platform,
}

/// A named (or unnamed) entry point.
#[derive(Debug, Clone)]
pub struct OutRoot {
    /// Digest of a document in [`Output::documents`].
    pub target: Digest,
    /// Its name.
    pub name: OutName,
    /// The descriptor that named it in the source's `index.json`, as raw JSON, if there was one. Its unknown
    /// members and other annotations are carried; digest, size, media type and names are not taken from it.
    pub descriptor: Option<Arc<[u8]>>,
    /// For registry storage: repository path and tag, already checked against the grammar.
    pub repository: Option<(String, Option<String>)>,
}

/// A name, as far as the source or the user gave one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutName {
    /// No name.
    None,
    /// A full reference with tag or digest, normalised.
    Full(Reference),
    /// A tag whose repository nobody knows.
    BareTag(String),
    /// `oci:DIR:TEXT`: `org.opencontainers.image.ref.name` exactly as typed, and the full reference if TEXT is one.
    Exact {
        /// The text.
        ref_name: String,
        /// The full reference.
        full: Option<Reference>,
    },
}

/// Whether a destination holds a blob.
pub enum Presence<'a> {
    /// It does not, or nobody can tell before it is staged.
    No,
    /// It does, and answers for its bytes, as a registry does that hashed them when it took them.
    Trusted,
    /// It holds these bytes under the digest: they are sound if they hash to it.
    ToVerify(Box<dyn Read + Send + 'a>),
}

/// A name that stands at the destination, and what becomes of it when an output is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Displaced {
    /// As people read it.
    pub name: String,
    /// What it names there.
    pub before: Option<Digest>,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of a name that stands at the destination, or that is to stand there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It names this from now on; what it named stays.
    Moves(Digest),
    /// It names the same, and is written as this text from now on, since two images would have the shorter one.
    IsWritten(String),
}

/// Receives blobs and documents, then commits all of it or nothing.
///
/// Dropping a sink without commit removes everything that it staged. A stream cannot be taken back: there the
/// documents that make the rest visible are written by `commit` only ([`write`](super::write)).
///
/// What the form cannot hold is an [`Error::Refused`](crate::error::Error::Refused) as soon as it is known: from the
/// constructor; from `accepts`, and so from `has`, `stage`, `keep` and `document`, for a digest; and from `prepare`, and
/// so from `commit`, before anything is visible, for the graph as a whole.
pub trait Sink: Sync {
    /// Whether blobs and documents must come one at a time, in the plan's order (tars), but for [`Sink::reserve`].
    /// Otherwise any number of threads may stage blobs at once, and documents come after all blobs.
    fn ordered(&self) -> bool;

    /// Refuses a digest that the form cannot hold.
    fn accepts(&self, _digest: &Digest) -> Result<()> {
        Ok(())
    }

    /// Gives places, in this order, to the first of these blobs, whose digests and sizes are known; to how many. Then any
    /// number of threads may stage these at once, and nothing else until all of them are kept.
    ///
    /// 0 where that is impossible (a stream) or not needed. The first blob that cannot be in the archive gets none, and
    /// is refused by `stage`.
    fn reserve(&self, _blobs: &[(&Digest, u64)]) -> Result<usize> {
        Ok(0)
    }

    /// A directory on the destination's filesystem where a stream may be spooled, so that [`Staged::adopt`] is a link.
    fn spool_dir(&self) -> Option<&Path>;

    /// Whether the destination holds this blob already, as when merging. If it does, nothing is staged and nothing else is
    /// called for this blob.
    fn has(&self, digest: &Digest) -> Result<Presence<'_>>;

    /// Starts a config or layer. `expected` is digest and size where both are known beforehand.
    ///
    /// A tar that goes straight to a stream writes such a blob at once, and is cut for good if it is not kept with
    /// exactly that digest and size; elsewhere `expected` is a hint.
    fn stage(&self, expected: Option<(&Digest, u64)>) -> Result<Box<dyn Staged + '_>>;

    /// Whether a blob that could not be written is to be read again and staged anew: waits, and says so by `Ok`, where that
    /// may go better. `attempt` counts from 1. Otherwise the error, with what the sink knows of it.
    fn again(&self, error: crate::error::Error, _attempt: u32) -> Result<()> {
        Err(error)
    }

    /// Writes a manifest or index, after everything that it points at. A second one of one digest is discarded. Forms
    /// without manifests (the legacy docker-archive) take it and leave it out.
    fn document(&self, document: &OutDocument) -> Result<()>;

    /// Refuses a graph that `commit` would refuse, and says which names of the destination it would displace. Changes
    /// nothing.
    fn prepare(&self, output: &Output) -> Result<Vec<Displaced>>;

    /// What will stand at the destination once this is committed, as far as it is about these documents: to be opened and
    /// judged before anybody sees it. `known` are documents that a stream cannot give back.
    ///
    /// # Errors
    ///
    /// As of [`Sink::commit`], for what the form cannot hold; what was staged cannot be read.
    fn preview(&self, output: &Output, known: Known<'_>) -> Result<Preview>;

    /// What stands there already, where more is added to something: its faults are not those of what is written.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    fn before(&self) -> Result<Option<Preview>> {
        Ok(None)
    }

    /// Makes all of it visible.
    fn commit(self: Box<Self>, output: &Output) -> Result<()>;
}

/// A blob on its way into a sink. Dropped without [`keep`](Staged::keep), it is discarded.
pub trait Staged: Write + Send {
    /// Takes a spooled file as the whole blob by linking it; `false` if that is impossible here (write the bytes then).
    fn adopt(&mut self, file: &Path) -> Result<bool>;

    /// The blob is complete and has this digest and size. A second blob of one digest is discarded.
    ///
    /// The caller has computed both over the bytes that it wrote; only the size is compared. In a legacy docker-archive
    /// the digest of a layer is its diff ID.
    fn keep(self: Box<Self>, digest: &Digest, size: u64) -> Result<()>;
}
/// Refuses a blob of which other than all bytes were written.
pub(in crate::form) fn all_written(written: u64, size: u64) -> Result<()> {
    match written == size {
        true => Ok(()),
        false => Err(Error::refused(format!("{written} bytes were written of a blob of {size}"))),
    }
}

/// What a manifest or index that is to be sent points at, and is not sent with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    /// The repository that it goes to.
    pub repository: String,
    /// The manifest or index.
    pub of: Digest,
    /// What it points at.
    pub item: Digest,
    /// What it is.
    pub what: Absence,
}

/// What is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// A manifest or index that the source does not have, or that is left out.
    Manifest,
    /// A blob that the source does not have.
    Blob,
    /// An item of an index that the source has, and that is no manifest.
    NoManifest,
}
