//! gzip of one stream on several threads: blocks of a fixed length, each a gzip member of its own.
//!
//! libdeflate compresses whole buffers only, twice as fast as what streams, and to fewer bytes; so the stream is cut,
//! and RFC 1952 (2.2) makes members one after the other one stream. Nothing refers back over a cut, which costs half a
//! percent at this length. The bytes depend on the input and the level alone: not on the number of threads, nor on how
//! the input was cut into writes.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};
use libdeflater::{CompressionLvl, Compressor};

/// Input bytes of one member. Twice as many would save a thousandth and double the memory.
const BLOCK: usize = 512 << 10;

/// Threads of one stream, at most: each takes 2 MB (8 from level 10 on), and so many compress as fast as a blob can be hashed.
const MAX_THREADS: usize = 8;

/// A buffer to compress and the channel that takes the result.
struct Job {
    plain: Vec<u8>,
    stored: Vec<u8>,
    done: Sender<io::Result<Job>>,
}

/// Pieces of a block, evenly spread, that say whether it is worth compressing, and their length.
const PROBES: (usize, usize) = (8, 1 << 10);

/// What compresses blocks at one level.
struct Deflate {
    compressor: Compressor,
    /// None at levels that try everything.
    quick: Option<Quick>,
    sample: Vec<u8>,
}

/// Finds blocks that are not worth compressing.
struct Quick {
    probe: Compressor,
    store: Compressor,
    /// Percent of its size that a sample must fall below.
    worth: usize,
}

fn compressor_level(level: u32) -> io::Result<CompressionLvl> {
    let level = i32::try_from(level).ok().and_then(|level| CompressionLvl::new(level).ok());
    level.ok_or_else(|| io::Error::other("no such level of gzip"))
}

impl Deflate {
    fn new(level: u32) -> io::Result<Deflate> {
        let of = |level: u32| compressor_level(level).map(Compressor::new);
        // Packages and pictures inside of layers do not get smaller, and take the longest. Who asks for the fast level
        // has little use for the last tenth of a block either; who asks for a slow one wants every byte.
        let worth = match level {
            1 => Some(85),
            2..=5 => Some(98),
            _ => None,
        };
        let quick =
            worth.map(|worth| io::Result::Ok(Quick { probe: of(1)?, store: of(0)?, worth })).transpose()?;
        Ok(Deflate { compressor: of(level)?, quick, sample: Vec::new() })
    }

    /// Makes a gzip member of `plain`.
    fn member(&mut self, plain: &[u8], stored: &mut Vec<u8>) -> io::Result<()> {
        let mut compressor = &mut self.compressor;
        let (probes, length) = PROBES;
        if let Some(quick) = self.quick.as_mut().filter(|_| plain.len() >= 8 * probes * length) {
            self.sample.clear();
            for piece in plain.chunks(plain.len() / probes).take(probes) {
                // The middle: files begin with headers, which compress.
                let middle = &piece[piece.len() / 2..];
                self.sample.extend_from_slice(&middle[..length.min(middle.len())]);
            }
            stored.resize(quick.probe.deflate_compress_bound(self.sample.len()), 0);
            let n = quick.probe.deflate_compress(&self.sample, stored).map_err(io::Error::other)?;
            if n * 100 >= self.sample.len() * quick.worth {
                compressor = &mut quick.store;
            }
        }
        stored.resize(compressor.gzip_compress_bound(plain.len()), 0);
        let n = compressor.gzip_compress(plain, stored).map_err(io::Error::other)?;
        stored.truncate(n);
        Ok(())
    }
}

/// Compresses what is written to it.
pub struct Members<W: Write> {
    into: W,
    level: u32,
    threads: usize,
    /// What the next member will hold.
    block: Vec<u8>,
    /// Started with the second block: most blobs have one.
    workers: Option<Workers>,
    /// Members in the making, in order.
    pending: VecDeque<Receiver<io::Result<Job>>>,
    /// Buffers to use again.
    free: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether a member has been made: an empty stream is one empty member.
    begun: bool,
}

impl<W: Write> Members<W> {
    /// A stream at a level from 1 to 12, made by at most `threads` threads besides the caller's.
    pub fn new(level: u32, threads: usize, into: W) -> io::Result<Self> {
        compressor_level(level)?;
        let threads = threads.clamp(1, MAX_THREADS);
        let (pending, free) = (VecDeque::new(), Vec::new());
        Ok(Members { into, level, threads, block: Vec::new(), workers: None, pending, free, begun: false })
    }

    /// Ends the stream and gives the writer back.
    pub fn finish(mut self) -> io::Result<W> {
        if self.workers.is_none() {
            // One block at most: no thread is worth it.
            if !self.begun || !self.block.is_empty() {
                let (done, _) = bounded(0);
                let mut job = Job { plain: std::mem::take(&mut self.block), stored: Vec::new(), done };
                Deflate::new(self.level)?.member(&job.plain, &mut job.stored)?;
                self.into.write_all(&job.stored)?;
            }
            return Ok(self.into);
        }
        if !self.block.is_empty() {
            self.submit()?;
        }
        while !self.pending.is_empty() {
            self.collect()?;
        }
        Ok(self.into)
    }

    /// Hands the block to a worker.
    fn submit(&mut self) -> io::Result<()> {
        // One in hand for each worker and two that wait or are being written.
        while self.pending.len() >= self.threads + 2 {
            self.collect()?;
        }
        let (plain, stored) = self.free.pop().unwrap_or_default();
        let (done, result) = bounded(1);
        let job = Job { plain: std::mem::replace(&mut self.block, plain), stored, done };
        self.block.clear();
        let (level, threads) = (self.level, self.threads);
        let workers = self.workers.get_or_insert_with(|| Workers::start(level, threads));
        workers.send(job)?;
        self.pending.push_back(result);
        self.begun = true;
        Ok(())
    }

    /// Waits for the oldest member and writes it.
    fn collect(&mut self) -> io::Result<()> {
        let Some(result) = self.pending.pop_front() else { return Ok(()) };
        let job = result
            .recv()
            .map_err(|_| io::Error::other("a thread that compresses stopped unexpectedly"))??;
        self.into.write_all(&job.stored)?;
        self.free.push((job.plain, job.stored));
        Ok(())
    }
}

impl<W: Write> Write for Members<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The block goes out when the next byte comes, so that the last one is known in `finish`.
        if self.block.len() == BLOCK {
            self.submit()?;
        }
        if self.block.capacity() < BLOCK && self.block.len() + bytes.len() > self.block.capacity() {
            // Small streams get small buffers.
            let wanted = (2 * self.block.capacity()).max(self.block.len() + bytes.len()).min(BLOCK);
            self.block.reserve_exact(wanted - self.block.len());
        }
        let n = bytes.len().min(BLOCK - self.block.len());
        self.block.extend_from_slice(&bytes[..n]);
        Ok(n)
    }

    /// Passes on what is complete; a member is not cut short for it, since the bytes must not depend on it.
    fn flush(&mut self) -> io::Result<()> {
        self.into.flush()
    }
}

/// The threads of one stream. They end when the channel closes.
struct Workers {
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    fn start(level: u32, threads: usize) -> Workers {
        let (jobs, input) = bounded::<Job>(threads);
        let threads = (0..threads)
            .filter_map(|_| {
                let input = input.clone();
                let work = move || {
                    let Ok(mut deflate) = Deflate::new(level) else { return };
                    for mut job in input {
                        let done = job.done.clone();
                        let result = deflate.member(&job.plain, &mut job.stored).map(|()| job);
                        // A writer that failed no longer listens.
                        let _ = done.send(result);
                    }
                };
                thread::Builder::new().name("deflate".into()).spawn(work).ok()
            })
            .collect();
        Workers { jobs: Some(jobs), threads }
    }

    fn send(&self, job: Job) -> io::Result<()> {
        let closed = || io::Error::other("no thread can be started to compress");
        self.jobs.as_ref().ok_or_else(closed)?.send(job).map_err(|_| closed())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn sample(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * i / 7 % 251) as u8 ^ (i >> 13) as u8).collect()
    }

    fn compress(bytes: &[u8], level: u32, threads: usize, write: usize) -> Vec<u8> {
        let mut members = Members::new(level, threads, Vec::new()).expect("a level");
        for piece in bytes.chunks(write.max(1)) {
            members.write_all(piece).expect("memory");
        }
        members.finish().expect("memory")
    }

    fn restored(stored: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        flate2::read::MultiGzDecoder::new(stored).read_to_end(&mut plain).expect("gzip");
        plain
    }

    #[test]
    fn bytes_do_not_depend_on_threads_or_writes() {
        for len in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 77] {
            let plain = sample(len);
            let one = compress(&plain, 3, 1, len);
            assert_eq!(restored(&one), plain, "{len}");
            for (threads, write) in [(2, len), (16, 4096), (3, BLOCK), (2, 100_001)] {
                assert!(
                    compress(&plain, 3, threads, write) == one,
                    "{len} bytes, {threads} threads, {write}"
                );
            }
        }
    }

    #[test]
    fn what_does_not_compress_is_stored() {
        let noise = crate::faulty::noise(BLOCK);
        // Noise in the middle of every piece alone, where the sample is taken.
        let mut half = noise.clone();
        half.chunks_mut(BLOCK / PROBES.0).for_each(|piece| piece[..BLOCK / PROBES.0 / 2].fill(0));
        for (level, plain, stored) in [
            (1, &noise, true),
            (3, &noise, true),
            (3, &half, true),
            (6, &half, false),
            (1, &vec![7; BLOCK], false),
        ] {
            let made = compress(plain, level, 1, BLOCK);
            assert_eq!(restored(&made), *plain);
            // A member of stored blocks: a header, a trailer, and five bytes for each 64 KiB.
            assert_eq!(made.len() > plain.len(), stored, "level {level}");
            assert!(made.len() < plain.len() + 200);
        }
    }

    #[test]
    fn headers_hold_no_time_and_no_system() {
        let stored = compress(b"hello", 3, 1, 5);
        assert_eq!(stored[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
        assert!(Members::new(13, 1, Vec::new()).is_err() && Members::new(0, 1, Vec::new()).is_ok());
    }

    #[test]
    fn a_failing_writer_ends_the_stream() {
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0 = self.0.checked_sub(1).ok_or(io::ErrorKind::StorageFull)?;
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        for writes in 0..3 {
            let mut members = Members::new(1, 2, Full(writes)).expect("a level");
            let written = members.write_all(&sample(20 * BLOCK)).and_then(|()| members.finish().map(|_| ()));
            assert_eq!(written.expect_err("full").kind(), io::ErrorKind::StorageFull);
        }
    }
}
