//! The one pass over a blob: count and hash → decompress → count and hash, with tees for what is kept.
//!
//! Small blobs run on the caller's thread, and so does everything where there is one core. Otherwise the caller reads
//! and keeps, and decompressing, hashing and compressing run on threads of their own (`threads`).

use std::io::{self, BufRead, Read, Write};

use super::facts::BlobFacts;
use super::stage::{First, Keep, Kept, Made, PlainHash, Request, Tap, Watch, cores, kept_of, settle};
use super::threads::threaded;
use crate::codec::{self, Caps, Lookahead};
use crate::media::Codec;

/// Blobs up to this size are not worth a thread.
const SMALL: u64 = 256 << 10;

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
    let mut plain = PlainHash::new(request);
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
    loop {
        let left = source.fill_buf()?.len();
        if left == 0 {
            break;
        }
        source.consume(left);
    }
    let (mut facts, stored) = source.into_inner().tap.finish(request, first);
    let decoded = decodes.then_some(decoded);
    let plain_kept = decoded.as_ref().map(|decoded| (plain.clone().finish().0, decoded.size));
    settle(&mut facts, request, decoded, stored, || plain.finish());
    let kept = match keep {
        Keep::Nothing => None,
        Keep::Stored => Some((facts.sha256.clone(), facts.size)),
        Keep::Recompressed(..) => kept_of(made.map(Made::finish).transpose()?.flatten(), plain_kept, &facts),
    };
    Ok((facts, kept))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Compression, Encoder, Fault};
    use crate::digest::{Algorithm, Digest};

    const CAPS: Caps = Caps { bytes: 64 << 20, window_log: 27, empty_parts: 1_000 };

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
        Request { size: bytes.len() as u64, other: None, plain: true, plain_other: None, caps: CAPS }
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
    fn diff_ids_of_other_algorithms_are_computed() {
        let plain = sample(300_000);
        let wide = Digest::parse(&format!("sha512:{}", "0".repeat(128))).expect("a digest");
        let expected = wide.of_same_kind(&plain);
        for stored in [gzip(&plain), plain.clone()] {
            let request = Request { plain_other: Some(Algorithm::Sha512), ..request(&stored) };
            for keep in [Keep::Nothing, Keep::Stored, Keep::Recompressed(Compression::Gzip(1), 2)] {
                let (facts, ..) = both(&stored, request, keep);
                let plain = facts.plain.expect("a layer");
                assert_eq!(plain.other, expected);
                assert_eq!(plain.diff_id_like(&wide), expected.as_ref());
                assert_eq!(plain.diff_id_like(&facts.sha256), Some(&plain.diff_id));
            }
            let (facts, ..) = both(&stored, Request { plain: false, ..request }, Keep::Nothing);
            assert_eq!(facts.plain, None);
        }
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
