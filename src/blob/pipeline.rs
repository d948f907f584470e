//! The one pass over a blob: count and hash → decompress → count and hash, with tees for what is kept.
//!
//! Small blobs run on the caller's thread. For the others the caller reads and keeps, and decompressing, hashing and
//! compressing run on threads of their own behind bounded channels, so that one big layer uses more than one core
//! and memory does not grow with it.

use std::io::{self, BufRead, Read, Write};
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::codec::{self, Caps, Compression, Encoder, Lookahead};
use super::facts::{BlobFacts, Fault, GzipHeader, Plain};
use crate::digest::{Algorithm, Digest, Hasher};
use crate::media::Codec;

/// Chunks in flight between two stages: 8 × 128 KiB.
const DEPTH: usize = 8;

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
    /// The decompressed stream, compressed anew.
    Recompressed(Compression),
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
    let mut source = Lookahead::for_size(source, request.size);
    let codec = Codec::sniff(source.fill_buf()?);
    let needs_plain = request.plain || matches!(keep, Keep::Recompressed(_));
    let decodes = needs_plain && codec != Codec::Plain;
    let stored_tap = Tap {
        gzip: GzipHeader::of(source.fill_buf()?),
        size: 0,
        hasher: Hasher::new(Algorithm::Sha256),
        other: request.other.filter(|a| *a != Algorithm::Sha256).map(Hasher::new),
    };
    if request.size <= SMALL && !matches!(keep, Keep::Recompressed(_)) {
        return small(&mut source, request, keep, tee, codec, decodes, stored_tap, watch);
    }
    threaded(&mut source, request, keep, tee, codec, needs_plain, stored_tap, watch)
}

/// Hashes and counts the stored bytes.
struct Tap {
    /// What the first bytes say.
    gzip: Option<GzipHeader>,
    size: u64,
    hasher: Hasher,
    other: Option<Hasher>,
}

impl Tap {
    fn push(&mut self, chunk: &[u8]) {
        self.size += chunk.len() as u64;
        self.hasher.update(chunk);
        if let Some(other) = &mut self.other {
            other.update(chunk);
        }
    }

    fn finish(self, request: Request, codec: Codec) -> BlobFacts {
        BlobFacts {
            size: self.size,
            sha256: self.hasher.finish(),
            other: self.other.map(Hasher::finish),
            codec,
            gzip: self.gzip,
            plain: None,
            fault: None,
            missing: request.size.saturating_sub(self.size),
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "what `run` worked out for both ways")]
fn small(
    source: &mut dyn BufRead,
    request: Request,
    keep: Keep,
    tee: &mut (dyn Write + Send),
    codec: Codec,
    decodes: bool,
    mut tap: Tap,
    mut watch: Watch<'_>,
) -> io::Result<(BlobFacts, Kept)> {
    let mut stored = Vec::with_capacity(request.size as usize);
    // The length that the container claims is not trusted: a file may have grown since it was listed.
    source.take(SMALL.max(request.size)).read_to_end(&mut stored)?;
    tap.push(&stored);
    let mut plain = Hasher::new(Algorithm::Sha256);
    let decoded = if decodes {
        let mut input = Lookahead::for_size(stored.as_slice(), stored.len() as u64);
        Some(codec::decode(codec, &mut input, request.caps, &mut |chunk| {
            plain.update(chunk);
            if let Some(watch) = &mut watch {
                watch(chunk);
            }
            Ok(())
        })?)
    } else {
        if let Some(watch) = &mut watch {
            watch(&stored);
        }
        None
    };
    let mut facts = tap.finish(request, codec);
    settle(&mut facts, request, decoded, || plain.finish());
    let kept = if keep == Keep::Stored {
        tee.write_all(&stored)?;
        Some((facts.sha256.clone(), facts.size))
    } else {
        None
    };
    Ok((facts, kept))
}

/// Puts what the decoder found into the facts. A plain blob is its own decompressed stream.
fn settle(
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

type Chunk = Arc<Vec<u8>>;

#[expect(clippy::too_many_arguments, reason = "what `run` worked out for both ways")]
fn threaded(
    source: &mut Lookahead<&mut (dyn Read + Send)>,
    request: Request,
    keep: Keep,
    tee: &mut (dyn Write + Send),
    codec: Codec,
    needs_plain: bool,
    tap: Tap,
    watch: Watch<'_>,
) -> io::Result<(BlobFacts, Kept)> {
    let decodes = needs_plain && codec != Codec::Plain;
    // The tee goes to whoever produces what is kept: the reader, or the thread that compresses.
    let (stored_tee, encoder_tee) = match keep {
        Keep::Recompressed(compression) => (None, Some((compression, tee))),
        Keep::Stored => (Some(tee), None),
        Keep::Nothing => (None, None),
    };
    // Looking on costs little beside hashing, and is done by the thread that hashes the same bytes.
    let (mut stored_watch, mut plain_watch) = if decodes { (None, watch) } else { (watch, None) };
    thread::scope(|scope| {
        let (to_tap, tap_input) = bounded::<Chunk>(DEPTH);
        let tap = scope.spawn(move || {
            let mut tap = tap;
            for chunk in tap_input {
                tap.push(&chunk);
                if let Some(watch) = &mut stored_watch {
                    watch(&chunk);
                }
            }
            tap
        });

        let mut plain_outputs = Vec::new();
        let plain_hash = decodes.then(|| {
            let (sender, input) = bounded::<Chunk>(DEPTH);
            plain_outputs.push(sender);
            scope.spawn(move || {
                let mut hasher = Hasher::new(Algorithm::Sha256);
                for chunk in input {
                    hasher.update(&chunk);
                    if let Some(watch) = &mut plain_watch {
                        watch(&chunk);
                    }
                }
                hasher.finish()
            })
        });
        let encoder = encoder_tee.map(|(compression, tee)| {
            let (sender, input) = bounded::<Chunk>(DEPTH);
            plain_outputs.push(sender);
            scope.spawn(move || encode(compression, input, tee))
        });

        let mut stored_outputs = vec![to_tap];
        let decoder = if decodes {
            let (sender, input) = bounded::<Chunk>(DEPTH);
            stored_outputs.push(sender);
            Some(scope.spawn(move || {
                let mut input = Lookahead::new(ChunkReader { input: input.clone(), chunk: None, at: 0 });
                codec::decode(codec, &mut input, request.caps, &mut |bytes| {
                    send(&plain_outputs, Arc::new(bytes.to_vec()));
                    Ok(())
                })
            }))
        } else {
            // What is stored is plain already: it feeds whoever wants the plain stream.
            stored_outputs.append(&mut plain_outputs);
            None
        };

        let read = pump(source, stored_tee, &stored_outputs);
        drop(stored_outputs);

        let tap = join(tap)?;
        let decoded = decoder.map(join).transpose()?;
        let diff_id = plain_hash.map(join).transpose()?;
        let kept = encoder.map(join).transpose()?.transpose()?;
        read?;
        let mut facts = tap.finish(request, codec);
        settle(&mut facts, request, decoded.transpose()?, || diff_id.unwrap_or_else(|| Digest::sha256(&[])));
        let kept = match keep {
            Keep::Nothing => None,
            Keep::Stored => Some((facts.sha256.clone(), facts.size)),
            Keep::Recompressed(_) => kept,
        };
        Ok((facts, kept))
    })
}

/// Reads to the end, writes what is kept as stored, and hands every chunk on.
fn pump(
    source: &mut dyn BufRead,
    mut tee: Option<&mut (dyn Write + Send)>,
    outputs: &[Sender<Chunk>],
) -> io::Result<()> {
    loop {
        let buffer = match source.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            return Ok(());
        }
        let chunk: Chunk = Arc::new(buffer.to_vec());
        source.consume(chunk.len());
        if let Some(tee) = &mut tee {
            tee.write_all(&chunk)?;
        }
        send(outputs, chunk);
    }
}

/// Hands a chunk to every stage that still listens; one that stopped has its reasons in its own result.
fn send(outputs: &[Sender<Chunk>], chunk: Chunk) {
    for output in outputs {
        let _ = output.send(Arc::clone(&chunk));
    }
}

fn encode(
    compression: Compression,
    input: Receiver<Chunk>,
    tee: &mut (dyn Write + Send),
) -> io::Result<(Digest, u64)> {
    let out = HashingWriter { inner: tee, hasher: Hasher::new(Algorithm::Sha256), size: 0 };
    let mut encoder = Encoder::new(compression, cores(), out)?;
    for chunk in input {
        encoder.write_all(&chunk)?;
    }
    let out = encoder.finish()?;
    Ok((out.hasher.finish(), out.size))
}

/// Threads worth having for one stage.
fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn join<T>(handle: thread::ScopedJoinHandle<'_, T>) -> io::Result<T> {
    handle.join().map_err(|_| io::Error::other("a stage of the pipeline stopped unexpectedly"))
}

struct HashingWriter<'a> {
    inner: &'a mut (dyn Write + Send),
    hasher: Hasher,
    size: u64,
}

impl Write for HashingWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        self.size += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Reads what another thread sends. When it is dropped early the sender is not held up.
struct ChunkReader {
    input: Receiver<Chunk>,
    chunk: Option<Chunk>,
    at: usize,
}

impl Read for ChunkReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(chunk) = &self.chunk {
                if self.at < chunk.len() {
                    let n = into.len().min(chunk.len() - self.at);
                    into[..n].copy_from_slice(&chunk[self.at..self.at + n]);
                    self.at += n;
                    return Ok(n);
                }
            }
            match self.input.recv() {
                Ok(chunk) => (self.chunk, self.at) = (Some(chunk), 0),
                Err(_) => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPS: Caps = Caps { bytes: 64 << 20, window_log: 27 };

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
            let keep = Keep::Recompressed(compression);
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
        for keep in [Keep::Stored, Keep::Recompressed(Compression::Gzip(1))] {
            let error = run(&mut bytes.as_slice(), request(&bytes), keep, &mut Full, None).expect_err("full");
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
    }
}
