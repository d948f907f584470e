//! The one pass over a blob: count and hash → decompress → count and hash, with tees for what is kept.
//!
//! Small blobs run on the caller's thread, and so does everything where there is one core. Otherwise the caller reads
//! and keeps, and decompressing, hashing and compressing run on threads of their own (`threads`).

use std::io::{self, BufRead, Read, Write};
use std::thread;

use super::codec::{self, Caps, Compression, Encoder, Lookahead};
use super::facts::{BlobFacts, Fault, GzipHeader, Plain};
use super::threads::threaded;
use crate::digest::{Algorithm, Digest, Hasher};
use crate::media::Codec;

/// Blobs up to this size are not worth a thread.
const SMALL: u64 = 256 << 10;

/// What to find out about a blob, and what to keep of it.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// Its length as the container of the blob (tar header, file system) has it.
    pub size: u64,
    /// A second algorithm that the archive names it by.
    pub other: Option<Algorithm>,
    /// Whether it is a layer: decompress it and compute the diff ID.
    pub plain: bool,
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

/// Reads `source` to its end.
///
/// Faults of the blob are facts. An `Err` is an I/O error of the source or of `tee`. `watch` sees nothing unless the
/// request asks for the plain stream, and only the part before a fault.
pub fn run(
    source: &mut (dyn Read + Send),
    request: Request,
    keep: Keep,
    tee: &mut (dyn Write + Send),
    watch: Watch<'_>,
) -> io::Result<(BlobFacts, Kept)> {
    let watch = watch.filter(|_| request.plain);
    if request.size <= SMALL || cores() == 1 {
        inline(source, request, keep, tee, watch)
    } else {
        threaded(source, request, keep, tee, watch)
    }
}

/// Threads worth having for one stage.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Hashes and counts the stored bytes.
pub(super) struct Tap {
    size: u64,
    hasher: Hasher,
    other: Option<Hasher>,
}

impl Tap {
    pub(super) fn new(request: Request) -> Tap {
        let other = request.other.filter(|a| *a != Algorithm::Sha256).map(Hasher::new);
        Tap { size: 0, hasher: Hasher::new(Algorithm::Sha256), other }
    }

    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.size += chunk.len() as u64;
        self.hasher.update(chunk);
        if let Some(other) = &mut self.other {
            other.update(chunk);
        }
    }

    /// What was found out, apart from the plain stream.
    pub(super) fn finish(self, request: Request, first: First) -> BlobFacts {
        BlobFacts {
            size: self.size,
            sha256: self.hasher.finish(),
            other: self.other.map(Hasher::finish),
            codec: first.codec,
            gzip: first.gzip,
            plain: None,
            fault: None,
            missing: request.size.saturating_sub(self.size),
        }
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

/// All of it on the caller's thread.
fn inline(
    source: &mut (dyn Read + Send),
    request: Request,
    keep: Keep,
    tee: &mut (dyn Write + Send),
    mut watch: Watch<'_>,
) -> io::Result<(BlobFacts, Kept)> {
    let (mut stored, mut made) = (None, None);
    match keep {
        Keep::Nothing => {}
        Keep::Stored => stored = Some(tee),
        Keep::Recompressed(compression, threads) => made = Some(Made::new(compression, threads, tee)?),
    }
    let tapped = Tapped { source, tap: Tap::new(request), stored };
    let mut source = Lookahead::for_size(tapped, request.size);
    let first = First::of(source.fill_buf()?);
    let mut plain = Hasher::new(Algorithm::Sha256);
    let decodes = first.decodes(request, keep);
    // Without a codec this copies, and what is stored is hashed already.
    let codec = if decodes { first.codec } else { Codec::Plain };
    let caps = if decodes { request.caps } else { Caps { bytes: u64::MAX, ..request.caps } };
    let decoded = codec::decode(codec, &mut source, caps, &mut |chunk| {
        if decodes {
            plain.update(chunk);
        }
        if let Some(watch) = &mut watch {
            watch(chunk);
        }
        made.as_mut().map_or(Ok(()), |made| made.write_all(chunk))
    })?;
    // A decoder that stopped at a fault leaves bytes that count.
    io::copy(&mut source, &mut io::sink())?;
    let mut facts = source.into_inner().tap.finish(request, first);
    let decoded = decodes.then_some(decoded);
    let plain_kept = decoded.as_ref().map(|decoded| (plain.clone().finish(), decoded.size));
    settle(&mut facts, request, decoded, || plain.finish());
    let kept = match keep {
        Keep::Nothing => None,
        Keep::Stored => Some((facts.sha256.clone(), facts.size)),
        Keep::Recompressed(..) => kept_of(made.map(Made::finish).transpose()?.flatten(), plain_kept, &facts),
    };
    Ok((facts, kept))
}

/// Digest and size of what was made: as it was hashed; or, not compressed, that of the plain stream.
pub(super) fn kept_of(made: Kept, plain: Kept, facts: &BlobFacts) -> Kept {
    made.or(plain).or_else(|| Some((facts.sha256.clone(), facts.size)))
}

/// Puts what the decoder found into the facts. A plain blob is its own decompressed stream.
pub(super) fn settle(
    facts: &mut BlobFacts,
    request: Request,
    decoded: Option<codec::Decoded>,
    diff_id: impl FnOnce() -> Digest,
) {
    match decoded {
        Some(decoded) if decoded.fault.is_none() => {
            facts.plain = Some(Plain {
                diff_id: diff_id(),
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
                size: facts.size,
                parts: 1,
                skipped: 0,
                trailing: None,
            });
        }
        None => {}
    }
}

/// Hashes and keeps what is read through it.
struct Tapped<'s, 't> {
    source: &'s mut (dyn Read + Send),
    tap: Tap,
    stored: Option<&'t mut (dyn Write + Send)>,
}

impl Read for Tapped<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(into)?;
        self.tap.push(&into[..n]);
        if let Some(stored) = &mut self.stored {
            stored.write_all(&into[..n])?;
        }
        Ok(n)
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

#[cfg(test)]
mod tests {
    use super::*;

    const CAPS: Caps = Caps { bytes: 64 << 20, window_log: 27 };

    type Outcome = (io::Result<(BlobFacts, Kept)>, Vec<u8>, Vec<u8>);

    /// On the caller's thread and on several: the same facts, the same bytes.
    fn both(bytes: &[u8], request: Request, keep: Keep) -> (BlobFacts, Kept, Vec<u8>) {
        let way = |threads: bool| -> Outcome {
            let (mut out, mut seen) = (Vec::new(), Vec::new());
            let mut watch = |chunk: &[u8]| seen.extend_from_slice(chunk);
            let watch: Watch<'_> = Some(&mut watch);
            let result = match threads {
                false => inline(&mut &bytes[..], request, keep, &mut out, watch),
                true => threaded(&mut &bytes[..], request, keep, &mut out, watch),
            };
            (result, out, seen)
        };
        let (one, two) = (way(false), way(true));
        let (facts, kept) = one.0.expect("memory");
        assert_eq!((facts.clone(), kept.clone()), two.0.expect("memory"));
        assert!(one.1 == two.1 && one.2 == two.2);
        (facts, kept, one.1)
    }

    fn request(bytes: &[u8]) -> Request {
        Request { size: bytes.len() as u64, other: None, plain: true, caps: CAPS }
    }

    fn sample(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * i / 7 % 251) as u8).collect()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = Encoder::new(Compression::Gzip(1), 1, Vec::new()).expect("encoder");
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    #[test]
    fn small_and_large_blobs_give_the_same_facts_as_one_hash() {
        for len in [0, 1, 1000, 3 << 20] {
            let plain = sample(len);
            let stored = gzip(&plain);
            let mut out = Vec::new();
            let (facts, kept) =
                run(&mut stored.as_slice(), request(&stored), Keep::Stored, &mut out, None).expect("memory");
            assert_eq!(out, stored);
            assert_eq!(facts.sha256, Digest::sha256(&stored));
            assert_eq!(kept, Some((facts.sha256.clone(), stored.len() as u64)));
            let inner = facts.plain.expect("a sound layer");
            assert_eq!((inner.diff_id, inner.size), (Digest::sha256(&plain), len as u64));
        }
    }

    #[test]
    fn a_plain_blob_is_its_own_stream_and_may_be_compressed() {
        let plain = sample(2 << 20);
        for compression in [Compression::None, Compression::Gzip(1), Compression::Zstd(1)] {
            let mut out = Vec::new();
            let keep = Keep::Recompressed(compression, 2);
            let (facts, kept) =
                run(&mut plain.as_slice(), request(&plain), keep, &mut out, None).expect("memory");
            assert_eq!(kept, Some((Digest::sha256(&out), out.len() as u64)));
            assert_eq!(facts.plain.expect("plain").diff_id, facts.sha256);
            let (again, _) = run(&mut out.as_slice(), request(&out), Keep::Nothing, &mut io::sink(), None)
                .expect("memory");
            assert_eq!(again.plain.expect("plain").diff_id, facts.sha256);
        }
    }

    #[test]
    fn threads_change_nothing() {
        let plain = sample((3 << 20) + 5);
        let mut corrupt = gzip(&plain);
        let middle = corrupt.len() / 2;
        corrupt[middle] ^= 0xff;
        let packed = gzip(&plain);
        let two = [&packed[..], &packed, &[0; 9]].concat();
        let small = Caps { bytes: 1 << 20, ..CAPS };
        for bytes in [&plain[..], &packed, &two, &corrupt, &packed[..packed.len() - 3], b"", b"x"] {
            let kept = [Compression::None, Compression::Gzip(1), Compression::Zstd(1)]
                .map(|c| Keep::Recompressed(c, 2));
            for keep in [Keep::Nothing, Keep::Stored].into_iter().chain(kept) {
                for (plain, caps) in [(true, CAPS), (false, CAPS), (true, small)] {
                    let (facts, kept, out) = both(bytes, Request { plain, caps, ..request(bytes) }, keep);
                    assert_eq!((facts.size, &facts.sha256), (bytes.len() as u64, &Digest::sha256(bytes)));
                    if facts.fault.is_none() {
                        let expected =
                            (keep != Keep::Nothing).then(|| (Digest::sha256(&out), out.len() as u64));
                        assert_eq!(kept, expected, "{keep:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_corrupt_layer_is_read_and_hashed_to_its_end() {
        let mut stored = gzip(&sample(8 << 20));
        let middle = stored.len() / 3;
        stored[middle] ^= 0xff;
        let (facts, _) = run(&mut stored.as_slice(), request(&stored), Keep::Nothing, &mut io::sink(), None)
            .expect("memory");
        assert_eq!((facts.size, facts.sha256), (stored.len() as u64, Digest::sha256(&stored)));
        assert!(matches!(facts.fault, Some(Fault::Corrupt { .. })));
    }

    #[test]
    fn a_short_source_and_other_algorithms_are_facts() {
        let bytes = sample(100);
        let request = Request { size: 120, other: Some(Algorithm::Sha512), plain: false, ..request(&bytes) };
        let (facts, _) =
            run(&mut bytes.as_slice(), request, Keep::Nothing, &mut io::sink(), None).expect("memory");
        assert_eq!(facts.missing, 20);
        assert_eq!(facts.plain, None);
        assert!(facts.other.expect("asked for").as_str().starts_with("sha512:"));
    }

    #[test]
    fn an_error_of_the_receiver_is_an_error() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let bytes = sample(4 << 20);
        for keep in [Keep::Stored, Keep::Recompressed(Compression::Gzip(1), 2)] {
            let error = run(&mut bytes.as_slice(), request(&bytes), keep, &mut Full, None).expect_err("full");
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
    }
}
