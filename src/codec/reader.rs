//! A compressed stream around a whole archive, read as what it holds.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::bufread::GzDecoder;

use super::{CHUNK, Caps, Empties, Lookahead, Xz, trailing};
use crate::codec::Trailing;
use crate::codec::zstd_frame::Frame;
use crate::media::Codec;

/// What a reader of a compressed stream learns besides its bytes; all of it is known once it has come to the end.
#[derive(Debug, Default)]
pub struct Learnt {
    /// What follows the stream.
    pub trailing: Option<Trailing>,
    /// Where a decoder may begin: parts that begin [`APART`] bytes or more after the one before, and the first.
    pub starts: Vec<Start>,
}

/// What a reader learns, while it reads.
pub type Lesson = Arc<Mutex<Learnt>>;

/// The beginning of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Where it stands in the stream.
    pub stored: u64,
    /// The offset of its first byte once decompressed.
    pub plain: u64,
}

/// Decompressed bytes between two beginnings that are remembered, at least: 4 MiB, which take 256 KiB for an archive of
/// 64 GiB, and are decompressed in some ten milliseconds.
pub const APART: u64 = 4 << 20;

/// A reader of the decompressed stream, for whole archives that are compressed (formats.md A.5), and what follows it.
///
/// Unlike [`decode`](super::decode) it reports faults of the stream as I/O errors: an outer archive that cannot be decompressed
/// cannot be listed either. What follows is told of gzip and zstd; after the others it is a fault of the stream.
pub fn reader<'a>(
    codec: Codec,
    input: impl Read + Send + 'a,
    caps: Caps,
) -> io::Result<(Box<dyn Read + Send + 'a>, Lesson)> {
    let lesson = Lesson::default();
    let buffered = |input| BufReader::with_capacity(CHUNK, input);
    let reader: Box<dyn Read + Send + 'a> = match codec {
        Codec::Plain => Box::new(buffered(input)),
        Codec::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(buffered(input))),
        Codec::Xz => Box::new(Xz::new(buffered(input), caps)?),
        Codec::Gzip | Codec::Zstd => {
            let input = Counted { inner: Lookahead::new(input), offset: 0 };
            let (window_log, empties) = (caps.window_log, Empties::new(caps));
            let state = Some(Part::Between(input));
            Box::new(Parts {
                codec,
                window_log,
                state,
                plain: 0,
                lesson: Arc::clone(&lesson),
                empties,
                empty: false,
            })
        }
    };
    Ok((reader, lesson))
}

/// The gzip members or zstd frames of a stream, one after the other.
struct Parts<R: BufRead> {
    codec: Codec,
    window_log: u32,
    /// `None` after a fault, and at the end.
    state: Option<Part<R>>,
    /// Bytes that came.
    plain: u64,
    lesson: Lesson,
    empties: Empties,
    /// Whether nothing has come of the part so far.
    empty: bool,
}

/// Where a stream of parts is.
enum Part<R: BufRead> {
    Between(R),
    Gzip(Box<GzDecoder<R>>),
    Zstd(Frame<R>),
}

impl<R: Read> Parts<Counted<Lookahead<R>>> {
    /// The next part, if there is one; what is none follows the stream.
    fn begin(&self, mut input: Counted<Lookahead<R>>) -> io::Result<Option<Part<Counted<Lookahead<R>>>>> {
        let start = Start { stored: input.offset, plain: self.plain };
        let next = input.fill_buf()?;
        let part = match (self.codec, next) {
            (_, []) => None,
            (Codec::Gzip, [0x1f, 0x8b, ..]) => Some(Part::Gzip(Box::new(GzDecoder::new(input)))),
            (Codec::Zstd, [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]) => {
                Some(Part::Zstd(Frame::open(input, self.window_log)?))
            }
            _ => {
                let offset = input.offset;
                let found = trailing(&mut input, offset)?;
                self.lesson.lock().unwrap_or_else(PoisonError::into_inner).trailing = Some(found);
                None
            }
        };
        if part.is_some() {
            let starts = &mut self.lesson.lock().unwrap_or_else(PoisonError::into_inner).starts;
            if starts.last().is_none_or(|last| start.plain - last.plain >= APART) {
                starts.push(start);
            }
        }
        Ok(part)
    }
}

impl<R: Read> Read for Parts<Counted<Lookahead<R>>> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while let Some(mut part) = self.state.take() {
            let n = match &mut part {
                Part::Between(_) => Ok(0),
                Part::Gzip(member) => member.read(into),
                Part::Zstd(frame) => frame.read(into),
            };
            match n {
                Ok(0) if !into.is_empty() => {
                    if !matches!(part, Part::Between(_)) {
                        self.empties.after(self.empty)?;
                    }
                    self.empty = true;
                    self.state = match part {
                        Part::Between(input) => self.begin(input)?,
                        Part::Gzip(member) => Some(Part::Between(member.into_inner())),
                        Part::Zstd(frame) => Some(Part::Between(frame.into_inner())),
                    };
                }
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                n => {
                    self.empty &= !matches!(n, Ok(1..));
                    self.plain += *n.as_ref().unwrap_or(&0) as u64;
                    self.state = Some(part);
                    return n;
                }
            }
        }
        Ok(0)
    }
}

/// Counts what is consumed.
struct Counted<R> {
    inner: R,
    offset: u64,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let n = available.read(into)?;
        self.consume(n);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        self.offset += n as u64;
        self.inner.consume(n);
    }
}
