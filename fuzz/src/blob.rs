//! Blobs: what the pipeline says of any bytes does not depend on how they arrive, and holds what it promises.

use std::io::{self, Read};

use restow::codec::{Caps, Compression};
use restow::blob::pipeline;
use restow::blob::stage::{Keep, Request};
use restow::digest::Digest;

const CAPS: Caps = Caps { bytes: 8 << 20, window_log: 23, empty_parts: 1_000 };

/// The first byte says how they arrive and what is kept.
pub fn run(data: &[u8]) {
    let Some((&how, bytes)) = data.split_first() else { return };
    let request = Request { size: bytes.len() as u64, other: None, plain: true, plain_other: None, caps: CAPS };
    let mut kept = Vec::new();
    let (whole, _) = pipeline::run(&mut &bytes[..], request, Keep::Stored, &mut kept, None).expect("memory");
    assert_eq!(kept, bytes);
    assert_eq!((whole.size, whole.missing), (bytes.len() as u64, 0));
    assert_eq!(whole.sha256, Digest::sha256(bytes));
    let mut plain = Vec::new();
    let mut watch = |chunk: &[u8]| plain.extend_from_slice(chunk);
    let mut pieces = Pieces { bytes, step: usize::from(how) + 1 };
    let (again, _) = pipeline::run(&mut pieces, request, Keep::Nothing, &mut io::sink(), Some(&mut watch))
        .expect("memory");
    assert_eq!(again.plain, whole.plain);
    assert_eq!(again.fault.is_some(), whole.fault.is_some());
    let Some(inner) = &whole.plain else { return };
    assert_eq!((inner.size, &inner.diff_id), (plain.len() as u64, &Digest::sha256(&plain)));
    if how % 4 == 0 {
        let to = [Compression::None, Compression::Gzip(1), Compression::Zstd(1)][usize::from(how / 4) % 3];
        let mut anew = Vec::new();
        let (_, made) = pipeline::run(
            &mut &bytes[..],
            request,
            Keep::Recompressed(to, 1 + usize::from(how % 2)),
            &mut anew,
            None,
        )
        .expect("memory");
        assert_eq!(made, Some((Digest::sha256(&anew), anew.len() as u64)));
        let request = Request { size: anew.len() as u64, ..request };
        let (back, _) =
            pipeline::run(&mut &anew[..], request, Keep::Nothing, &mut io::sink(), None).expect("memory");
        // A layer that was compressed twice was plain once it was decompressed once.
        if to != Compression::None {
            assert_eq!(back.plain.expect("our own output").diff_id, inner.diff_id);
        }
    }
}

/// Gives a few bytes at a time.
struct Pieces<'a> {
    bytes: &'a [u8],
    step: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.step.min(into.len());
        self.bytes.read(&mut into[..n])
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn any_bytes() {
        for how in 0..=16 {
            super::run(&[&[how], &b"hello"[..]].concat());
            super::run(&[&[how, 0x1f, 0x8b, 8, 0], &[0; 40][..]].concat());
            super::run(&[&[how, 0x28, 0xb5, 0x2f, 0xfd], &[1; 40][..]].concat());
        }
    }
}
