//! A compressed stream around a whole archive, read as what it holds.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::bufread::GzDecoder;

use super::{CHUNK, Caps, Empties, Lookahead, Xz, trailing};
use crate::codec::Trailing;
use crate::codec::zstd_frame::Frame;
use crate::media::Codec;

/// What follows the compressed stream around an archive; known once the reader has come to its end.
pub type Rest = Arc<Mutex<Option<Trailing>>>;

/// A reader of the decompressed stream, for whole archives that are compressed (formats.md A.5), and what follows it.
///
/// Unlike [`decode`](super::decode) it reports faults of the stream as I/O errors: an outer archive that cannot be decompressed
/// cannot be listed either. What follows is told of gzip and zstd; after the others it is a fault of the stream.
pub fn reader<'a>(
    codec: Codec,
    input: impl Read + Send + 'a,
    caps: Caps,
) -> io::Result<(Box<dyn Read + Send + 'a>, Rest)> {
    let rest = Rest::default();
    let buffered = |input| BufReader::with_capacity(CHUNK, input);
    let reader: Box<dyn Read + Send + 'a> = match codec {
        Codec::Plain => Box::new(buffered(input)),
        Codec::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(buffered(input))),
        Codec::Xz => Box::new(Xz::new(buffered(input), caps)?),
        Codec::Gzip | Codec::Zstd => {
            let input = Counted { inner: Lookahead::new(input), offset: 0 };
            let (window_log, empties) = (caps.window_log, Empties::new(caps));
            let state = Some(Part::Between(input));
            Box::new(Parts { codec, window_log, state, rest: Arc::clone(&rest), empties, empty: false })
        }
    };
    Ok((reader, rest))
}

/// The gzip members or zstd frames of a stream, one after the other.
struct Parts<R: BufRead> {
    codec: Codec,
    window_log: u32,
    /// `None` after a fault, and at the end.
    state: Option<Part<R>>,
    rest: Rest,
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
        let next = input.fill_buf()?;
        Ok(match (self.codec, next) {
            (_, []) => None,
            (Codec::Gzip, [0x1f, 0x8b, ..]) => Some(Part::Gzip(Box::new(GzDecoder::new(input)))),
            (Codec::Zstd, [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]) => {
                Some(Part::Zstd(Frame::open(input, self.window_log)?))
            }
            _ => {
                let offset = input.offset;
                let found = trailing(&mut input, offset)?;
                *self.rest.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
                None
            }
        })
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
