//! The stages of the pass over a blob, by themselves: counting, hashing, compressing and settling what is kept.

use std::io::{self, Write};
use std::thread;

use super::facts::{BlobFacts, GzipHeader, Plain};
use crate::codec::{self, Caps, Compression, Encoder, Fault};
use crate::digest::{Algorithm, Digest, Hasher};
use crate::media::Codec;
use crate::tar;

/// What to find out about a blob, and what to keep of it.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// Its length as the container of the blob (tar header, file system) has it.
    pub size: u64,
    /// A second algorithm that the archive names it by.
    pub other: Option<Algorithm>,
    /// Whether it is a layer: decompress it and compute the diff ID.
    pub plain: bool,
    /// A second algorithm that a config names the decompressed bytes by.
    pub plain_other: Option<Algorithm>,
    /// Caps on the decompressed stream.
    pub caps: Caps,
}

/// Which bytes go to the tee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// None.
    Nothing,
    /// The blob as it is stored.
    Stored,
    /// The decompressed stream, compressed anew by at most so many threads.
    Recompressed(Compression, usize),
}

/// What went to the tee: digest and size, if something did.
pub type Kept = Option<(Digest, u64)>;

/// Is lent the decompressed stream of a layer, chunk by chunk, as it is hashed.
pub type Watch<'a> = Option<&'a mut (dyn FnMut(&[u8]) + Send)>;

/// Threads worth having for one stage.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Hashes and counts the stored bytes.
pub(super) struct Tap {
    size: u64,
    /// The first block.
    head: Vec<u8>,
    hasher: Hasher,
    other: Option<Hasher>,
    /// For a layer that turns out to be stored plain.
    plain: Option<Hasher>,
}

impl Tap {
    pub(super) fn new(request: Request) -> Tap {
        let hasher = |other: Option<Algorithm>| other.filter(|a| *a != Algorithm::Sha256).map(Hasher::new);
        Tap {
            size: 0,
            head: Vec::new(),
            hasher: Hasher::new(Algorithm::Sha256),
            other: hasher(request.other),
            plain: hasher(request.plain_other.filter(|_| request.plain)),
        }
    }

    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.size += chunk.len() as u64;
        let missing = tar::BLOCK.saturating_sub(self.head.len());
        self.head.extend_from_slice(&chunk[..missing.min(chunk.len())]);
        self.hasher.update(chunk);
        for other in self.other.iter_mut().chain(&mut self.plain) {
            other.update(chunk);
        }
    }

    /// What was found out, apart from the plain stream; and the digest of that under the other algorithm of configs, if
    /// it is what is stored.
    pub(super) fn finish(self, request: Request, first: First) -> (BlobFacts, Option<Digest>) {
        let plain = self.plain.map(Hasher::finish);
        let facts = BlobFacts {
            size: self.size,
            sha256: self.hasher.finish(),
            other: self.other.map(Hasher::finish),
            codec: first.codec,
            polyglot: first.codec != Codec::Plain && tar::begins_with_header(&self.head),
            gzip: first.gzip,
            plain: None,
            fault: None,
            missing: request.size.saturating_sub(self.size),
        };
        (facts, plain)
    }
}

/// Hashes the decompressed stream.
#[derive(Clone)]
pub(super) struct PlainHash {
    sha256: Hasher,
    other: Option<Hasher>,
}

impl PlainHash {
    pub(super) fn new(request: Request) -> PlainHash {
        let other = request.plain_other.filter(|a| *a != Algorithm::Sha256);
        PlainHash { sha256: Hasher::new(Algorithm::Sha256), other: other.map(Hasher::new) }
    }

    pub(super) fn update(&mut self, chunk: &[u8]) {
        self.sha256.update(chunk);
        if let Some(other) = &mut self.other {
            other.update(chunk);
        }
    }

    /// The diff ID, and that under the other algorithm.
    pub(super) fn finish(self) -> (Digest, Option<Digest>) {
        (self.sha256.finish(), self.other.map(Hasher::finish))
    }
}

/// What the first bytes of a blob say.
#[derive(Clone, Copy)]
pub(super) struct First {
    pub(super) codec: Codec,
    gzip: Option<GzipHeader>,
}

impl First {
    pub(super) fn of(bytes: &[u8]) -> First {
        First { codec: Codec::sniff(bytes), gzip: GzipHeader::of(bytes) }
    }

    /// Whether the blob is to be decompressed.
    pub(super) fn decodes(self, request: Request, keep: Keep) -> bool {
        (request.plain || matches!(keep, Keep::Recompressed(..))) && self.codec != Codec::Plain
    }
}

/// Digest and size of what was made: as it was hashed; or, not compressed, that of the plain stream.
pub(super) fn kept_of(made: Kept, plain: Kept, facts: &BlobFacts) -> Kept {
    made.or(plain).or_else(|| Some((facts.sha256.clone(), facts.size)))
}

/// Puts what the decoder found into the facts, with the digests of what it gave. A plain blob is its own decompressed
/// stream, `stored` its digest under the other algorithm of configs.
pub(super) fn settle(
    facts: &mut BlobFacts,
    request: Request,
    decoded: Option<codec::Decoded>,
    stored: Option<Digest>,
    hashed: impl FnOnce() -> (Digest, Option<Digest>),
) {
    match decoded {
        Some(decoded) if decoded.fault.is_none() => {
            let (diff_id, other) = hashed();
            facts.plain = Some(Plain {
                diff_id,
                other,
                size: decoded.size,
                parts: decoded.parts,
                skipped: decoded.skipped,
                trailing: decoded.trailing,
            });
        }
        Some(decoded) => facts.fault = decoded.fault,
        None if request.plain && facts.size > request.caps.bytes => {
            facts.fault = Some(Fault::TooLarge { limit: request.caps.bytes });
        }
        None if request.plain => {
            facts.plain = Some(Plain {
                diff_id: facts.sha256.clone(),
                other: stored,
                size: facts.size,
                parts: 1,
                skipped: 0,
                trailing: None,
            });
        }
        None => {}
    }
}

/// What is compressed anew, on its way to the tee.
pub(super) struct Made<'a>(Encoder<Out<'a>>);

impl<'a> Made<'a> {
    pub(super) fn new(
        compression: Compression,
        threads: usize,
        tee: &'a mut (dyn Write + Send),
    ) -> io::Result<Self> {
        // The plain stream is hashed where it comes from.
        let hasher = (compression != Compression::None).then(|| Hasher::new(Algorithm::Sha256));
        Ok(Made(Encoder::new(compression, threads, Out { tee, hasher, size: 0 })?))
    }

    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Digest and size; `None` if it was not compressed.
    pub(super) fn finish(self) -> io::Result<Kept> {
        let out = self.0.finish()?;
        Ok(out.hasher.map(|hasher| (hasher.finish(), out.size)))
    }
}

struct Out<'a> {
    tee: &'a mut (dyn Write + Send),
    hasher: Option<Hasher>,
    size: u64,
}

impl Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.tee.write(bytes)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&bytes[..n]);
        }
        self.size += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tee.flush()
    }
}
