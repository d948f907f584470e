//! The only place that knows the compressors (docs/architecture.md#codecs).

mod deflate;
mod encode;
mod fault;
mod gzip;
#[cfg(feature = "scrub")]
mod packed;
mod reader;
mod zstd_frame;

use std::io::{self, BufRead, Read};
use std::ops::Range;

use gzip::Member;
use zstd_frame::Frame;

pub use encode::{Compression, Encoder};
pub(crate) use fault::Exceeded;
pub use fault::{Fault, Trailing};
#[cfg(feature = "scrub")]
pub use packed::{pack, unpack};
pub use reader::{APART, Lesson, Start, reader};

use crate::limits::Limits;
use crate::media::Codec;

/// Bytes handed on at once by the decoders.
pub const CHUNK: usize = 128 << 10;

/// Bytes that a look ahead shows unless the stream ends: what tells one part from another, and the longest header.
pub const LOOKAHEAD: usize = zstd_frame::LONGEST;

/// What decompressing a stream told, apart from its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decoded {
    /// Decompressed bytes that were handed on.
    pub size: u64,
    /// gzip members or zstd frames.
    pub parts: u64,
    /// Skippable zstd frames.
    pub skipped: u64,
    /// What follows the last of them.
    pub trailing: Option<Trailing>,
    /// Why it stopped early.
    pub fault: Option<Fault>,
}

/// Caps on what a stream may expand to.
#[derive(Debug, Clone, Copy)]
pub struct Caps {
    /// Decompressed bytes.
    pub bytes: u64,
    /// zstd window as a power of two.
    pub window_log: u32,
    /// Members or frames without content that may follow each other.
    pub empty_parts: u64,
}

/// Caps of the pipeline from the limits.
pub fn caps(limits: &Limits) -> Caps {
    Caps {
        bytes: limits.layer_bytes,
        window_log: limits.zstd_window_log.min(31) as u32,
        empty_parts: limits.empty_frames,
    }
}

/// Takes decompressed bytes where they are written, so that they need not be copied.
pub trait Room {
    /// Where the next bytes go; never empty.
    fn room(&mut self) -> &mut [u8];

    /// The first `n` bytes of it have been written.
    fn advance(&mut self, n: usize) -> io::Result<()>;
}

/// Lends every piece to a function.
struct Lent<'a> {
    buffer: Vec<u8>,
    to: &'a mut dyn FnMut(&[u8]) -> io::Result<()>,
}

impl Room for Lent<'_> {
    fn room(&mut self) -> &mut [u8] {
        &mut self.buffer
    }

    fn advance(&mut self, n: usize) -> io::Result<()> {
        (self.to)(&self.buffer[..n])
    }
}

/// Decompresses `input` to its end, handing chunks to `out`.
///
/// Faults of the stream are facts; an `Err` is an I/O error of `input` or of `out`.
pub fn decode(
    codec: Codec,
    input: &mut dyn BufRead,
    caps: Caps,
    out: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<Decoded> {
    if codec == Codec::Plain {
        return lend(input, caps, out);
    }
    // Streams of a few hundred bytes are many.
    let buffer = vec![0; (16 * input.fill_buf()?.len()).clamp(512, CHUNK)];
    decode_into(codec, input, caps, &mut Lent { buffer, to: out })
}

/// What is not compressed is handed on where it stands.
fn lend(
    input: &mut dyn BufRead,
    caps: Caps,
    out: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<Decoded> {
    let mut done = Decoded { parts: 1, ..Decoded::default() };
    loop {
        let chunk = match input.fill_buf() {
            Ok([]) => return Ok(done),
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if done.size + chunk.len() as u64 > caps.bytes {
            done.fault = Some(Fault::TooLarge { limit: caps.bytes });
            return Ok(done);
        }
        out(chunk)?;
        let n = chunk.len();
        done.size += n as u64;
        input.consume(n);
    }
}

/// As [`decode`], into the buffers of `out`.
pub fn decode_into(
    codec: Codec,
    input: &mut dyn BufRead,
    caps: Caps,
    out: &mut dyn Room,
) -> io::Result<Decoded> {
    let mut input = Counting { inner: input, offset: 0, failed: None };
    let mut done = Decoded::default();
    let result = match codec {
        Codec::Plain => {
            done.parts = 1;
            copy(&mut input, caps, &mut done, out)
        }
        Codec::Gzip => gzip(&mut input, caps, &mut done, out),
        Codec::Zstd => zstd(&mut input, caps, &mut done, out),
        Codec::Bzip2 => {
            done.parts = 1;
            copy(&mut bzip2::bufread::MultiBzDecoder::new(&mut input), caps, &mut done, out)
        }
        Codec::Xz => {
            done.parts = 1;
            match Xz::new(&mut input, caps) {
                Ok(mut plain) => copy(&mut plain, caps, &mut done, out),
                Err(error) => Err(Stop::Stream(error)),
            }
        }
    };
    if let Some(error) = input.failed.take() {
        return Err(error);
    }
    match result {
        Ok(()) => {}
        Err(Stop::Out(error)) => return Err(error),
        Err(Stop::Limit) => done.fault = Some(Fault::TooLarge { limit: caps.bytes }),
        Err(Stop::Stream(error)) => done.fault = Some(fault_of(&error, input.offset)),
    }
    Ok(done)
}

enum Stop {
    /// The receiver failed.
    Out(io::Error),
    /// The stream is broken.
    Stream(io::Error),
    /// The cap was reached.
    Limit,
}

fn fault_of(error: &io::Error, offset: u64) -> Fault {
    match Exceeded::of(error) {
        Some(Exceeded::Frames(limit)) => Fault::EmptyFrames { limit },
        Some(Exceeded::Window(limit) | Exceeded::Dictionary(limit)) => {
            Fault::WindowTooLarge { limit: u64::from(limit) }
        }
        None if error.kind() == io::ErrorKind::UnexpectedEof => Fault::Truncated { offset },
        None => Fault::Corrupt { offset, problem: error.to_string() },
    }
}

fn copy(from: &mut dyn Read, caps: Caps, done: &mut Decoded, out: &mut dyn Room) -> Result<(), Stop> {
    loop {
        let n = match from.read(out.room()) {
            Ok(0) => return Ok(()),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Stop::Stream(error)),
        };
        if done.size + n as u64 > caps.bytes {
            return Err(Stop::Limit);
        }
        done.size += n as u64;
        out.advance(n).map_err(Stop::Out)?;
    }
}

/// A decoder of xz that takes no more memory than a zstd window may, with what a decoder needs besides: a dictionary may
/// claim four GiB.
struct Xz<R> {
    inner: liblzma::bufread::XzDecoder<R>,
    window_log: u32,
}

impl<R: BufRead> Xz<R> {
    fn new(input: R, caps: Caps) -> io::Result<Xz<R>> {
        let memory = (1 << caps.window_log) + XZ_BESIDES;
        let stream = liblzma::stream::Stream::new_stream_decoder(memory, liblzma::stream::CONCATENATED)?;
        let inner = liblzma::bufread::XzDecoder::new_stream(input, stream);
        Ok(Xz { inner, window_log: caps.window_log })
    }
}

impl<R: BufRead> Read for Xz<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.inner.read(into).map_err(|error| {
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
            match inner {
                Some(liblzma::stream::Error::MemLimit) => {
                    io::Error::other(Exceeded::Dictionary(self.window_log))
                }
                _ => error,
            }
        })
    }
}

/// Bytes that a decoder of xz takes besides its dictionary: about a hundred KiB.
const XZ_BESIDES: u64 = 1 << 20;

/// Counts parts without content that follow each other.
pub(crate) struct Empties {
    most: u64,
    seen: u64,
}

impl Empties {
    pub(crate) fn new(caps: Caps) -> Empties {
        Empties { most: caps.empty_parts, seen: 0 }
    }

    /// After a part that was empty or not; an error where there are too many.
    pub(crate) fn after(&mut self, empty: bool) -> io::Result<()> {
        self.seen = if empty { self.seen + 1 } else { 0 };
        if self.seen > self.most {
            return Err(io::Error::other(Exceeded::Frames(self.most)));
        }
        Ok(())
    }
}

/// Member by member: flate2's own multi-member reader cannot tell trailing bytes from a broken header.
fn gzip(input: &mut Counting<'_>, caps: Caps, done: &mut Decoded, out: &mut dyn Room) -> Result<(), Stop> {
    let mut empties = Empties::new(caps);
    loop {
        let before = done.size;
        let mut member = Member::new(&mut *input);
        copy(&mut member, caps, done, out)?;
        member.finish();
        done.parts += 1;
        empties.after(done.size == before).map_err(Stop::Stream)?;
        let next = peek(input, 2).map_err(Stop::Stream)?;
        match next {
            [0x1f, 0x8b] => {}
            [] => return Ok(()),
            _ => break,
        }
    }
    let offset = input.offset;
    done.trailing = Some(trailing(input, offset).map_err(Stop::Stream)?);
    Ok(())
}

/// Frame by frame, skippable ones included, for the same reason.
fn zstd(input: &mut Counting<'_>, caps: Caps, done: &mut Decoded, out: &mut dyn Room) -> Result<(), Stop> {
    let mut empties = Empties::new(caps);
    loop {
        let before = done.size;
        let next = peek(input, 4).map_err(Stop::Stream)?;
        match next {
            [] => return Ok(()),
            [0x50..=0x5f, 0x2a, 0x4d, 0x18] => {
                let mut header = [0; 8];
                input.read_exact(&mut header).map_err(Stop::Stream)?;
                let len = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
                let skipped = io::copy(&mut (&mut *input).take(u64::from(len)), &mut io::sink());
                if skipped.map_err(Stop::Stream)? < u64::from(len) {
                    return Err(Stop::Stream(io::ErrorKind::UnexpectedEof.into()));
                }
                done.skipped += 1;
            }
            [0x28, 0xb5, 0x2f, 0xfd] => {
                let mut frame = Frame::open(&mut *input, caps.window_log).map_err(Stop::Stream)?;
                copy(&mut frame, caps, done, out)?;
                done.parts += 1;
            }
            _ if done.parts > 0 => break,
            _ => return Err(Stop::Stream(io::Error::other("not a zstd frame"))),
        }
        empties.after(done.size == before).map_err(Stop::Stream)?;
    }
    let offset = input.offset;
    done.trailing = Some(trailing(input, offset).map_err(Stop::Stream)?);
    Ok(())
}

/// Reads the rest, which begins at this offset, and notes whether it is only zeros.
fn trailing(input: &mut dyn BufRead, offset: u64) -> io::Result<Trailing> {
    let mut zeros = true;
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(Trailing { offset, zeros });
        }
        zeros &= buffer.iter().all(|&b| b == 0);
        let n = buffer.len();
        input.consume(n);
    }
}

/// Up to `N` of the next bytes without consuming them; fewer only near the end of the input or of a buffer
/// that holds at least one (the callers treat a short answer as "something else").
fn peek<'a>(input: &'a mut Counting<'_>, n: usize) -> io::Result<&'a [u8]> {
    let buffer = input.inner.fill_buf()?;
    Ok(&buffer[..n.min(buffer.len())])
}

/// Counts what is consumed, and keeps an I/O error of the source apart from faults of the stream.
struct Counting<'a> {
    inner: &'a mut dyn BufRead,
    offset: u64,
    failed: Option<io::Error>,
}

impl Read for Counting<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let n = available.read(into)?;
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Counting<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self.inner.fill_buf() {
            Ok(buffer) => Ok(buffer),
            Err(error) => {
                let copy = io::Error::new(error.kind(), error.to_string());
                self.failed.get_or_insert(error);
                Err(copy)
            }
        }
    }

    fn consume(&mut self, n: usize) {
        self.offset += n as u64;
        self.inner.consume(n);
    }
}

/// A buffered reader that always shows at least [`LOOKAHEAD`] bytes unless the input ends, so that a short look ahead means the end.
pub struct Lookahead<R> {
    inner: R,
    /// Empty before the first bytes are asked for.
    buffer: Vec<u8>,
    /// What of it is still to be read.
    left: Range<usize>,
    chunk: usize,
    ended: bool,
}

impl<R: Read> Lookahead<R> {
    /// Wraps a reader.
    pub fn new(inner: R) -> Self {
        Lookahead::for_size(inner, CHUNK as u64)
    }

    /// Wraps a reader of about `size` bytes: archives of very many small members must not cost a full buffer each.
    pub fn for_size(inner: R, size: u64) -> Self {
        let chunk = size.clamp(64, CHUNK as u64) as usize;
        Lookahead { inner, buffer: Vec::new(), left: 0..0, chunk, ended: false }
    }

    /// The reader, with what is buffered dropped.
    pub fn into_inner(self) -> R {
        self.inner
    }
}

impl<R: Read> Read for Lookahead<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let n = available.read(into)?;
        self.consume(n);
        Ok(n)
    }
}

impl<R: Read> BufRead for Lookahead<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left.len() < LOOKAHEAD && !self.ended {
            // Once: blobs are many, and most are small.
            self.buffer.resize(self.chunk, 0);
            self.buffer.copy_within(self.left.clone(), 0);
            self.left = 0..self.left.len();
            while self.left.end < LOOKAHEAD && !self.ended {
                match self.inner.read(&mut self.buffer[self.left.end..]) {
                    Ok(0) => self.ended = true,
                    Ok(n) => self.left.end += n,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(&self.buffer[self.left.clone()])
    }

    fn consume(&mut self, n: usize) {
        self.left.start += n;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const CAPS: Caps = Caps { bytes: 1 << 20, window_log: 27, empty_parts: 1_000 };

    fn run(codec: Codec, bytes: &[u8], caps: Caps) -> (Decoded, Vec<u8>) {
        let mut out = Vec::new();
        let done = decode(codec, &mut Lookahead::new(bytes), caps, &mut |chunk| {
            out.extend_from_slice(chunk);
            Ok(())
        })
        .expect("no I/O error");
        (done, out)
    }

    #[test]
    fn a_zstd_frame_is_judged_alike_however_it_arrives() {
        let after_magic = |rest: &[u8]| [&[0x28, 0xb5, 0x2f, 0xfd][..], rest].concat();
        // Empty, in six blocks, where the header says 249 bytes; a window of 3.75 TiB for one byte.
        let empty = after_magic(&[&[0x32, 0, 0, 0xf9][..], &[0; 15], &[1, 0, 0]].concat());
        let wide = after_magic(&[0x80, 0xff, 1, 0, 0, 0, 9, 0, 0, b'a']);
        let corrupt = |problem: &str| Fault::Corrupt { offset: 26, problem: problem.to_owned() };
        for (bytes, wanted) in [
            (&empty, corrupt("a zstd frame of 0 bytes whose header says 249")),
            (&wide, Fault::WindowTooLarge { limit: 27 }),
        ] {
            let wanted = Some(wanted);
            assert_eq!(run(Codec::Zstd, bytes, CAPS).0.fault, wanted);
            for piece in [1, 3, 100] {
                let mut pieces = Lookahead::for_size(Slowly(bytes, piece), 64);
                let done = decode(Codec::Zstd, &mut pieces, CAPS, &mut |_| Ok(())).expect("no I/O error");
                assert_eq!(done.fault, wanted);
            }
            let (mut whole, _) = reader(Codec::Zstd, &bytes[..], CAPS).expect("a reader");
            assert!(whole.read_to_end(&mut Vec::new()).is_err());
        }
    }

    /// Gives a few bytes at a time.
    struct Slowly<'a>(&'a [u8], usize);

    impl Read for Slowly<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(into.len());
            self.0.read(&mut into[..n])
        }
    }

    fn encode(compression: Compression, bytes: &[u8]) -> Vec<u8> {
        let mut encoder = Encoder::new(compression, 2, Vec::new()).expect("encoder");
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    #[test]
    fn round_trips_and_counts_parts() {
        for compression in [Compression::None, Compression::Gzip(6), Compression::Zstd(3)] {
            let stored = encode(compression, b"hello, hello, hello");
            let (done, plain) = run(compression.codec(), &stored, CAPS);
            assert_eq!((done.parts, done.fault, plain.as_slice()), (1, None, &b"hello, hello, hello"[..]));
            if compression != Compression::None {
                let twice = [stored.clone(), stored.clone()].concat();
                let (done, plain) = run(compression.codec(), &twice, CAPS);
                assert_eq!((done.parts, done.trailing, plain.len()), (2, None, 38));
            }
        }
    }

    #[test]
    fn trailing_bytes_are_told_apart() {
        for compression in [Compression::Gzip(1), Compression::Zstd(1)] {
            let mut stored = encode(compression, b"x");
            let offset = stored.len() as u64;
            stored.extend([0; 700]);
            let (done, _) = run(compression.codec(), &stored, CAPS);
            assert_eq!(done.trailing, Some(Trailing { offset, zeros: true }));
            stored.push(b'!');
            let (done, _) = run(compression.codec(), &stored, CAPS);
            assert_eq!(done.trailing, Some(Trailing { offset, zeros: false }));
            assert_eq!(done.fault, None);
        }
    }

    /// Whole archives: the same, through a reader.
    #[test]
    fn a_stream_can_be_read_from_where_a_part_begins() {
        let pieces: Vec<Vec<u8>> = (0..5u8).map(|at| vec![at; APART as usize / 2 + 7]).collect();
        for compression in [Compression::Gzip(1), Compression::Zstd(1)] {
            let stored: Vec<u8> = pieces.iter().flat_map(|piece| encode(compression, piece)).collect();
            let whole = pieces.concat();
            let from = |at: usize| {
                let (mut plain, lesson) = reader(compression.codec(), &stored[at..], CAPS).expect("reader");
                let mut out = Vec::new();
                plain.read_to_end(&mut out).expect("sound");
                drop(plain);
                (out, std::mem::take(&mut lesson.lock().expect("one thread").starts))
            };
            let (out, starts) = from(0);
            assert!(
                out == whole && starts.len() == 3 && starts[0] == Start { stored: 0, plain: 0 },
                "{starts:?}"
            );
            for start in &starts[1..] {
                assert!(from(start.stored as usize).0 == whole[start.plain as usize..], "{start:?}");
            }
            assert!(starts.windows(2).all(|pair| pair[1].plain - pair[0].plain >= APART));
        }
    }

    #[test]
    fn a_reader_tells_what_follows() {
        for compression in [Compression::Gzip(1), Compression::Zstd(1)] {
            let one = encode(compression, &[7; 300_000]);
            for (tail, zeros) in [(&b""[..], None), (&[0; 700][..], Some(true)), (b"tail", Some(false))] {
                let stored = [&one, &one, tail].concat();
                let (mut plain, rest) = reader(compression.codec(), &stored[..], CAPS).expect("reader");
                let mut out = Vec::new();
                plain.read_to_end(&mut out).expect("sound");
                drop(plain);
                let expected = zeros.map(|zeros| Trailing { offset: 2 * one.len() as u64, zeros });
                let rest = rest.lock().expect("one thread").trailing;
                assert_eq!((out.len(), rest), (600_000, expected), "{compression:?}");
            }
            let (mut plain, rest) = reader(compression.codec(), &one[..one.len() - 3], CAPS).expect("reader");
            assert!(plain.read_to_end(&mut Vec::new()).is_err(), "{compression:?}");
            assert_eq!(rest.lock().expect("one thread").trailing, None);
        }
    }

    #[test]
    fn truncation_corruption_and_size_are_facts() {
        for compression in [Compression::Gzip(6), Compression::Zstd(3)] {
            let stored = encode(compression, &[7; 5000]);
            let (done, _) = run(compression.codec(), &stored[..stored.len() - 3], CAPS);
            assert!(matches!(done.fault, Some(Fault::Truncated { .. })), "{done:?}");
            let mut flipped = stored.clone();
            let last = flipped.len() - 1;
            flipped[last] ^= 1;
            let (done, _) = run(compression.codec(), &flipped, CAPS);
            assert!(matches!(done.fault, Some(Fault::Corrupt { .. })), "{done:?}");
            let (done, _) = run(compression.codec(), &stored, Caps { bytes: 4999, ..CAPS });
            assert_eq!(done.fault, Some(Fault::TooLarge { limit: 4999 }));
            let (done, _) = run(compression.codec(), &stored, Caps { bytes: 5000, ..CAPS });
            assert_eq!(done.fault, None);
        }
    }

    #[test]
    fn skippable_frames_are_skipped() {
        let mut stored = vec![0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        stored.extend(encode(Compression::Zstd(3), b"x"));
        let (done, plain) = run(Codec::Zstd, &stored, CAPS);
        assert_eq!((done.parts, done.fault, plain.as_slice()), (1, None, &b"x"[..]));
        let (done, _) = run(Codec::Zstd, &stored[..9], CAPS);
        assert!(matches!(done.fault, Some(Fault::Truncated { .. })), "{done:?}");
    }

    #[test]
    fn the_empty_gzip_layer_of_every_registry() {
        let stored = data_encoding::HEXLOWER
            .decode(b"1f8b080000096e8800ff621805a360148c5800080000ffff2eafb5ef00040000")
            .expect("hex");
        let (done, plain) = run(Codec::Gzip, &stored, CAPS);
        assert_eq!((done.fault, plain), (None, vec![0; 1024]));
    }
}
