//! One zstd frame, held to what it says before its data (RFC 8878, 3.1.1.1).
//!
//! libzstd compares a frame with its window limit only if it comes piece by piece, and an empty frame with the size in
//! its header only if it comes whole. Here a frame always comes in pieces, and its size is compared, so that the verdict
//! does not depend on how the bytes arrive.

use std::io::{self, BufRead, Read};

use zstd::stream::read::Decoder;

use super::Exceeded;

/// Bytes of the longest header.
pub(super) const LONGEST: usize = 18;

/// A frame's promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FrameHeader {
    /// Bytes that a decoder must remember.
    window: u64,
    /// Decompressed bytes, if it gives them.
    content: Option<u64>,
}

/// The data of a frame; a skippable one has none.
pub(super) struct Frame<R: BufRead> {
    decoder: Decoder<'static, InPieces<R>>,
    content: Option<u64>,
    /// Bytes that came.
    size: u64,
}

impl<R: BufRead> Frame<R> {
    /// Begins a frame. The input must show [`LONGEST`] bytes unless it ends.
    pub(super) fn open(mut input: R, window_log: u32) -> io::Result<Frame<R>> {
        let header = FrameHeader::of(input.fill_buf()?);
        if header.is_some_and(|header| header.window > 1 << window_log) {
            return Err(io::Error::other(Exceeded::Window(window_log)));
        }
        let mut decoder = Decoder::with_buffer(InPieces { inner: input, begun: false })?.single_frame();
        decoder.window_log_max(window_log)?;
        Ok(Frame { decoder, content: header.and_then(|header| header.content), size: 0 })
    }

    /// The input behind a frame that was read to its end.
    pub(super) fn into_inner(self) -> R {
        self.decoder.finish().inner
    }
}

impl<R: BufRead> Read for Frame<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.decoder.read(into)?;
        self.size += n as u64;
        match self.content {
            Some(content) if n == 0 && !into.is_empty() && content != self.size => {
                let problem = format!("a zstd frame of {} bytes whose header says {content}", self.size);
                Err(io::Error::new(io::ErrorKind::InvalidData, problem))
            }
            _ => Ok(n),
        }
    }
}

impl FrameHeader {
    /// Reads the header of a frame, magic included; `None` if these bytes are none, or too few.
    fn of(bytes: &[u8]) -> Option<FrameHeader> {
        let [0x28, 0xb5, 0x2f, 0xfd, descriptor, rest @ ..] = bytes else { return None };
        let single_segment = descriptor & 0x20 != 0;
        let (window, rest) = if single_segment {
            (0, rest)
        } else {
            let (&byte, rest) = rest.split_first()?;
            let base = 1u64 << (10 + (byte >> 3));
            (base + base / 8 * u64::from(byte & 7), rest)
        };
        let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
        let rest = rest.get(dictionary..)?;
        let length = match descriptor >> 6 {
            0 => usize::from(single_segment),
            1 => 2,
            2 => 4,
            _ => 8,
        };
        let mut number = [0; 8];
        number[..length].copy_from_slice(rest.get(..length)?);
        let number = u64::from_le_bytes(number) + if length == 2 { 256 } else { 0 };
        let content = (length > 0).then_some(number);
        Some(FrameHeader { window: if single_segment { number } else { window }, content })
    }
}

/// Shows the first byte by itself.
struct InPieces<R> {
    inner: R,
    begun: bool,
}

impl<R: BufRead> Read for InPieces<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(into)?;
        self.consume(n);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for InPieces<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let begun = self.begun;
        let bytes = self.inner.fill_buf()?;
        Ok(if begun { bytes } else { &bytes[..bytes.len().min(1)] })
    }

    fn consume(&mut self, n: usize) {
        self.begun |= n > 0;
        self.inner.consume(n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_every_width() {
        let of = |descriptor: u8, rest: &[u8]| {
            let bytes = [&[0x28, 0xb5, 0x2f, 0xfd, descriptor][..], rest].concat();
            let found = FrameHeader::of(&bytes).map(|header| (header.window, header.content));
            assert_eq!(FrameHeader::of(&bytes[..bytes.len() - 1]), None);
            found
        };
        assert_eq!(of(0x00, &[0]), Some((1 << 10, None)));
        assert_eq!(of(0x00, &[(10 << 3) + 1]), Some((9 << 17, None)));
        assert_eq!(of(0x00, &[0xff]), Some((15 << 38, None)));
        assert_eq!(of(0x20, &[0]), Some((0, Some(0))));
        assert_eq!(of(0x22, &[9, 9, 249]), Some((249, Some(249))));
        assert_eq!(of(0x60, &[1, 1]), Some((513, Some(513))));
        assert_eq!(of(0x43, &[0, 1, 2, 3, 4, 1, 0]), Some((1 << 10, Some(257))));
        assert_eq!(of(0xa1, &[1, 0, 0, 0, 1]), Some((1 << 24, Some(1 << 24))));
        let longest = [[0; 5], [0xff; 5]].concat();
        assert_eq!(of(0xc3, &[&longest[..], &[0xff; 3]].concat()), Some((1 << 10, Some(u64::MAX))));
        assert_eq!(FrameHeader::of(b"\x1f\x8b\x08\x00\x00\x00"), None);
    }
}
