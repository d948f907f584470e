//! Compressing.
//!
//! What zstd is told, tried on five layers of 200 MB together (programs, libraries, scripts, packages, texts; CPU
//! seconds of two threads, and percent of the plain size): level 3 in jobs of 2 MiB takes 1.37 s for 35.48 %. Looking
//! for repeats over 8 MiB, of which layers are full, makes that 33.29 % in 1.71 s, and level 2 34.53 % in 1.20 s, which
//! is fewer bytes than skopeo 1.18 writes (34.79 %), and in jobs of 1 MiB, which save 17 MB, 34.59 %; level 1 gives
//! 36.33 % in 1.03 s, level 4 33.07 % in 2.03 s. Left out: the whole window as overlap alone (38.39 instead of 39.20 %
//! of three of the layers; with the far repeats 36.73 %), repeats within 2 and 4 MiB (38.37 and 38.02 %), and zstd's
//! window of 128 MiB for them (35.34 %), which decoders need not have.
//!
//! Jobs of 768 KiB are between: beside 512 KiB they take 5 % fewer instructions, as each job begins with the window before
//! it, and 2 MB more for two threads, and beside 1 MiB 2 MB less, with 0.1 % more bytes of three layers (375 MB). Half a
//! window as overlap saves as many instructions in jobs of 512 KiB, and costs 0.3 % of bytes.

use std::io::{self, Write};

use zstd::zstd_safe::CParameter;

use crate::codec::deflate::Members;
use crate::media::Codec;

/// How a layer is to be compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip at a level from 1 to 12, as libdeflate counts them.
    Gzip(u32),
    /// zstd at a level from 1 to 22.
    Zstd(i32),
}

impl Compression {
    /// Fewer bytes than `gzip -6` of Go's tools, in half of their time; above, time doubles for each two percent.
    pub const GZIP_DEFAULT: u32 = 3;
    /// With repeats found far back, fewer bytes than zstd's own default without, in less time.
    pub const ZSTD_DEFAULT: i32 = 2;

    /// The codec that it produces.
    pub fn codec(self) -> Codec {
        match self {
            Compression::None => Codec::Plain,
            Compression::Gzip(_) => Codec::Gzip,
            Compression::Zstd(_) => Codec::Zstd,
        }
    }
}

/// Input bytes that one thread compresses at a time. zstd's own choice, four windows, takes 100 MB for two threads.
const ZSTD_JOB: u32 = 3 << 18;

/// Levels whose own window is not larger than a job, and that get [`ZSTD_WINDOW`] for it; the others keep zstd's own
/// choice, and take memory.
const ZSTD_SMALL_WINDOWS: i32 = 8;

/// Logarithm of how far back repeats are looked for: 8 MiB, which RFC 8878 (3.1.1.1.2) asks of every decoder.
const ZSTD_WINDOW: u32 = 23;

/// A job sees as much of the one before as zstd allows: 9 of 9.
const ZSTD_OVERLAP: u32 = 9;

/// Threads of one zstd stream, at most: each takes 15 MB.
const ZSTD_THREADS: usize = 4;

/// An encoder whose output depends on nothing but its input and the level: no time, no name, no number of threads.
pub enum Encoder<W: Write> {
    /// Passes bytes on.
    None(W),
    /// gzip; boxed, as its state is large.
    Gzip(Box<Members<W>>),
    /// zstd; likewise.
    Zstd(Box<zstd::stream::write::Encoder<'static, W>>),
}

impl<W: Write> Encoder<W> {
    /// Starts a stream that at most `threads` threads compress.
    pub fn new(compression: Compression, threads: usize, into: W) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Encoder::None(into),
            Compression::Gzip(level) => Encoder::Gzip(Box::new(Members::new(level, threads, into)?)),
            Compression::Zstd(level) => {
                let mut encoder = zstd::stream::write::Encoder::new(into, level)?;
                encoder.include_checksum(true)?;
                // Always through the multi-threaded path: its bytes do not depend on the number of workers.
                encoder.multithread(threads.clamp(1, ZSTD_THREADS) as u32)?;
                if level <= ZSTD_SMALL_WINDOWS {
                    encoder.set_parameter(CParameter::JobSize(ZSTD_JOB))?;
                    encoder.set_parameter(CParameter::OverlapSizeLog(ZSTD_OVERLAP))?;
                    encoder.window_log(ZSTD_WINDOW)?;
                    encoder.long_distance_matching(true)?;
                }
                Encoder::Zstd(Box::new(encoder))
            }
        })
    }

    /// Ends the stream and gives the writer back.
    pub fn finish(self) -> io::Result<W> {
        match self {
            Encoder::None(into) => Ok(into),
            Encoder::Gzip(encoder) => encoder.finish(),
            Encoder::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Encoder::None(into) => into.write(bytes),
            Encoder::Gzip(encoder) => encoder.write(bytes),
            Encoder::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Encoder::None(into) => into.flush(),
            Encoder::Gzip(encoder) => encoder.flush(),
            Encoder::Zstd(encoder) => encoder.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zstd(bytes: &[u8], threads: usize, write: usize) -> Vec<u8> {
        let default = Compression::Zstd(Compression::ZSTD_DEFAULT);
        let mut encoder = Encoder::new(default, threads, Vec::new()).expect("a level");
        for piece in bytes.chunks(write) {
            encoder.write_all(piece).expect("memory");
        }
        encoder.finish().expect("memory")
    }

    #[test]
    fn far_repeats_are_found_alike_by_any_number_of_threads() {
        let noise = crate::faulty::noise(5 << 20);
        let twice = [&noise[..], &noise[..]].concat();
        let one = zstd(&twice, 1, twice.len());
        // Once as it is, and little more.
        assert!(one.len() < noise.len() + noise.len() / 50, "{} bytes", one.len());
        for (threads, write) in [(2, 100_001), (4, 1 << 20)] {
            assert!(zstd(&twice, threads, write) == one, "{threads} threads");
        }
        // Every decoder must do with a window of 8 MiB.
        let mut decoder = zstd::stream::read::Decoder::new(&one[..]).expect("a frame");
        decoder.window_log_max(ZSTD_WINDOW).expect("a parameter");
        let mut plain = Vec::new();
        io::Read::read_to_end(&mut decoder, &mut plain).expect("a frame of that window");
        assert!(plain == twice);
    }
}
