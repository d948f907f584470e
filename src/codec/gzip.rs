//! One member of a gzip stream (RFC 1952, 2.3), read by a decoder that is used again.
//!
//! flate2's `GzDecoder` is the same to the byte and the word, as the tests hold; but it makes 47 KB of state for each member,
//! aligned to 64 bytes, and glibc cannot give such a piece out twice: every small layer left a hole of that size, and a
//! storage of 20,000 images took 270 MB of holes.
//!
//! Other decoders, of 346 MB of layers that come to 1,008 MB, on one core: zlib-rs, which this is, takes 2.2 s and 0.1 for
//! the CRC-32; libdeflate 1.5 s, but wants a whole layer in memory, and so does zune-inflate, with 3.4 s; igzip 1.8 s,
//! but wants an assembler to be built; rapidgzip takes 2.2 s on one core and 1.9 on two, with 1.9 times the CPU and
//! 130 MB, and gains nothing with a hash behind it, which has the second core to do (docs/speed.md#floor).

use std::cell::Cell;
use std::io::{self, BufRead, Read};

use flate2::{Crc, Decompress, FlushDecompress, Status};

/// Flags of a header.
const HEADER_CRC: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;

/// Bytes of a name or comment.
const LONGEST: usize = 65_535;

thread_local! {
    /// The decoder of the last member that came to its end on this thread.
    static SPARE: Cell<Option<Decompress>> = const { Cell::new(None) };
}

/// A member, decompressed. It ends behind its trailer, and so does what was taken of the input.
pub(super) struct Member<R> {
    input: R,
    at: Part,
    inflate: Decompress,
    crc: Crc,
}

/// Where in a member its reader is.
enum Part {
    Header,
    Body,
    Trailer,
    End,
}

impl<R: BufRead> Member<R> {
    pub(super) fn new(input: R) -> Member<R> {
        let inflate = SPARE.take().unwrap_or_else(|| Decompress::new(false));
        Member { input, at: Part::Header, inflate, crc: Crc::new() }
    }

    /// Lends the decoder to the next member. One that met a fault is not used again.
    pub(super) fn finish(mut self) {
        if matches!(self.at, Part::End) {
            self.inflate.reset(false);
            SPARE.set(Some(self.inflate));
        }
    }

    fn header(&mut self) -> io::Result<()> {
        let input = &mut self.input;
        let mut crc = Crc::new();
        let mut fixed = [0; 10];
        take(input, &mut fixed, &mut crc)?;
        let [0x1f, 0x8b, 8, flags, ..] = fixed else { return Err(invalid("invalid gzip header")) };
        if flags & RESERVED != 0 {
            return Err(invalid("invalid gzip header"));
        }
        if flags & EXTRA != 0 {
            let mut length = [0; 2];
            take(input, &mut length, &mut crc)?;
            let mut extra = vec![0; usize::from(u16::from_le_bytes(length))];
            take(input, &mut extra, &mut crc)?;
        }
        for text in [NAME, COMMENT] {
            if flags & text != 0 {
                to_nul(input, &mut crc)?;
            }
        }
        if flags & HEADER_CRC != 0 {
            let mut stored = [0; 2];
            take(input, &mut stored, &mut Crc::new())?;
            if u32::from(u16::from_le_bytes(stored)) != crc.sum() & 0xffff {
                return Err(corrupt());
            }
        }
        Ok(())
    }

    /// Some of the content; nothing at its end.
    fn body(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let stored = self.input.fill_buf()?;
            let end = stored.is_empty();
            let (before, given) = (self.inflate.total_in(), self.inflate.total_out());
            let flush = if end { FlushDecompress::Finish } else { FlushDecompress::None };
            let status = self.inflate.decompress(stored, into, flush);
            let n = (self.inflate.total_out() - given) as usize;
            self.input.consume((self.inflate.total_in() - before) as usize);
            match status {
                Ok(Status::Ok | Status::BufError) if n == 0 && !end => {}
                Ok(Status::Ok | Status::BufError) if n == 0 => {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "incomplete deflate stream"));
                }
                Ok(_) => {
                    self.crc.update(&into[..n]);
                    return Ok(n);
                }
                Err(_) => return Err(invalid("corrupt deflate stream")),
            }
        }
    }

    fn trailer(&mut self) -> io::Result<()> {
        let mut trailer = [0; 8];
        take(&mut self.input, &mut trailer, &mut Crc::new())?;
        let [a, b, c, d, size @ ..] = trailer;
        let sound = u32::from_le_bytes([a, b, c, d]) == self.crc.sum()
            && u32::from_le_bytes(size) == self.crc.amount();
        if sound { Ok(()) } else { Err(corrupt()) }
    }
}

impl<R: BufRead> Read for Member<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.at {
                Part::Header => {
                    self.header()?;
                    self.at = Part::Body;
                }
                Part::Body if into.is_empty() => return Ok(0),
                Part::Body => match self.body(into)? {
                    0 => self.at = Part::Trailer,
                    n => return Ok(n),
                },
                Part::Trailer => {
                    self.trailer()?;
                    self.at = Part::End;
                }
                Part::End => return Ok(0),
            }
        }
    }
}

/// The next bytes, all of them.
fn take(input: &mut impl Read, into: &mut [u8], crc: &mut Crc) -> io::Result<()> {
    input.read_exact(into).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => io::ErrorKind::UnexpectedEof.into(),
        _ => error,
    })?;
    crc.update(into);
    Ok(())
}

/// Goes behind the next NUL.
fn to_nul(input: &mut impl BufRead, crc: &mut Crc) -> io::Result<()> {
    for (length, byte) in input.bytes().enumerate() {
        let byte = byte?;
        if byte != 0 && length == LONGEST {
            return Err(invalid("gzip header field too long"));
        }
        crc.update(&[byte]);
        if byte == 0 {
            return Ok(());
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

fn invalid(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, problem)
}

fn corrupt() -> io::Error {
    invalid("corrupt gzip stream does not have a matching checksum")
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use flate2::{Compression, GzBuilder};

    use super::*;

    /// What came of it, what was taken of the input, and the fault.
    type Told = (Vec<u8>, u64, Option<(io::ErrorKind, String)>);

    fn told(
        mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> (Vec<u8>, Option<(io::ErrorKind, String)>) {
        let (mut all, mut piece) = (Vec::new(), [0; 57]);
        loop {
            match read(&mut piece) {
                Ok(0) => return (all, None),
                Ok(n) => all.extend_from_slice(&piece[..n]),
                Err(error) => return (all, Some((error.kind(), error.to_string()))),
            }
        }
    }

    fn ours(stored: &[u8]) -> Told {
        let mut input = Cursor::new(stored);
        let mut member = Member::new(&mut input);
        let (all, fault) = told(|into| member.read(into));
        member.finish();
        (all, input.position(), fault)
    }

    fn theirs(stored: &[u8]) -> Told {
        let mut input = Cursor::new(stored);
        let mut member = flate2::bufread::GzDecoder::new(&mut input);
        let (all, fault) = told(|into| member.read(into));
        drop(member);
        (all, input.position(), fault)
    }

    fn member(plain: &[u8], more: bool) -> Vec<u8> {
        let mut builder = GzBuilder::new().mtime(7);
        if more {
            builder = builder.filename("layer.tar").comment("by hand").extra(vec![9; 300]);
        }
        let mut encoder = builder.write(Vec::new(), Compression::default());
        encoder.write_all(plain).expect("memory");
        encoder.finish().expect("memory")
    }

    /// With the checksum of the header, which flate2 reads and does not write.
    fn with_header_crc(plain: &[u8]) -> Vec<u8> {
        let mut stored = member(plain, false);
        stored[3] |= HEADER_CRC;
        let mut crc = Crc::new();
        crc.update(&stored[..10]);
        let sum = (crc.sum() as u16).to_le_bytes();
        stored.splice(10..10, sum);
        stored
    }

    #[test]
    fn it_tells_what_flate2_tells() {
        let plain: Vec<u8> = (0..700_u32).flat_map(|n| (n * n % 251).to_le_bytes()).collect();
        for sound in [
            member(&plain, false),
            member(&plain, true),
            member(b"", true),
            with_header_crc(b"abc"),
            [member(b"one", true), member(b"two", false)].concat(),
            [member(b"one", false), vec![0; 40]].concat(),
        ] {
            let told = ours(&sound);
            assert_eq!(told, theirs(&sound));
            assert_eq!(told.2, None);
            for length in 0..sound.len() {
                assert_eq!(ours(&sound[..length]), theirs(&sound[..length]), "cut at {length}");
            }
            for at in 0..sound.len() {
                for flip in [0x01, 0x20, 0xff] {
                    let mut broken = sound.clone();
                    broken[at] ^= flip;
                    assert_eq!(ours(&broken), theirs(&broken), "byte {at}");
                }
            }
        }
        for length in [LONGEST, LONGEST + 1] {
            let mut long = member(b"abc", false);
            long[3] |= NAME;
            long.splice(10..10, [vec![b'x'; length], vec![0]].concat());
            assert_eq!(ours(&long), theirs(&long), "{length}");
        }
    }

    #[test]
    fn a_decoder_serves_the_next_member() {
        let stored = member(b"abc", false);
        assert_eq!(ours(&stored).0, b"abc");
        assert!(SPARE.take().is_some());
        assert!(ours(&stored[..15]).2.is_some());
        assert!(SPARE.take().is_none(), "one that met a fault is left");
    }
}
