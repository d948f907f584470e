//! Compressing.

use std::io::{self, Write};

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
    /// zstd's own default.
    pub const ZSTD_DEFAULT: i32 = 3;

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
const ZSTD_JOB: u32 = 2 << 20;

/// Levels whose window is not larger than a job; the others keep zstd's own choice, and take memory.
const ZSTD_SMALL_WINDOWS: i32 = 8;

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
                    encoder.set_parameter(zstd::zstd_safe::CParameter::JobSize(ZSTD_JOB))?;
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
