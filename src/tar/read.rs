//! The drivers of the [`Scanner`]: by seeking, by pulling from a stream, and by being fed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;

use super::BLOCK;
use super::anomaly::Anomaly;
use super::entry::Entry;
use super::scan::{Limits, Scanner, Want};

/// Anomalies that [`index`] and [`Stream`] keep. A tar of nothing but faults could hold as many as it has blocks.
const MAX_ANOMALIES: usize = 10_000;

/// Bytes read at once where entries are near each other.
const READ_AHEAD: usize = 64 << 10;
/// Bytes read after a jump: enough for an entry with usual extensions, little beside the data that was skipped.
const READ_AFTER_JUMP: usize = 4 << 10;

/// Bytes that can be read at any offset.
pub trait ReadAt {
    /// Reads some bytes at `offset` into `buf`; 0 means that the end is there.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl ReadAt for File {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buf, offset)
    }
}

impl ReadAt for &[u8] {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|start| self.get(start..)).unwrap_or(&[]);
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }
}

/// Scans the `len` bytes of a seekable tar, reading headers only, and lends each entry to `on`, which may stop it.
///
/// Returns what was odd, in order of discovery, at most 10,000 facts; without those of the end if `on` stopped it.
/// An error is one of reading, [`io::ErrorKind::UnexpectedEof`] if the source is now shorter than `len`.
pub fn index(
    source: &dyn ReadAt,
    len: u64,
    limits: Limits,
    on: &mut dyn FnMut(&Entry<'_>) -> ControlFlow<()>,
) -> io::Result<Vec<Anomaly>> {
    let mut scanner = Scanner::new(limits);
    let mut window = Window { source, len, buffer: Vec::new(), start: 0 };
    let mut all = Vec::new();
    loop {
        let at = scanner.offset();
        let left = len.saturating_sub(at);
        let complete = match scanner.want() {
            Want::Header if left < BLOCK as u64 => {
                scanner.end(len, window.get(at)?);
                break;
            }
            Want::Header => match window.get(at)?.first_chunk() {
                Some(block) => scanner.header(block),
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            },
            Want::Done => {
                scanner.end(len, &[]);
                break;
            }
            _ if left == 0 => {
                scanner.end(len, &[]);
                break;
            }
            Want::Extension { len: wanted } => {
                let bytes = window.get(at)?;
                scanner.extension(&bytes[..bytes.len().min(wanted)])
            }
            Want::Data { len: wanted } | Want::Skip { len: wanted } => {
                scanner.advance(wanted.min(left));
                false
            }
        };
        keep(&mut all, scanner.anomalies());
        if complete && on(&scanner.entry()).is_break() {
            return Ok(all);
        }
    }
    keep(&mut all, scanner.anomalies());
    Ok(all)
}

fn keep(all: &mut Vec<Anomaly>, new: &[Anomaly]) {
    let room = MAX_ANOMALIES - all.len();
    all.extend_from_slice(&new[..new.len().min(room)]);
}

/// A part of a seekable source.
struct Window<'a> {
    source: &'a dyn ReadAt,
    len: u64,
    buffer: Vec<u8>,
    /// Offset of the first byte of the buffer.
    start: u64,
}

impl Window<'_> {
    /// The bytes at an offset: at least a block, or all to the end.
    fn get(&mut self, offset: u64) -> io::Result<&[u8]> {
        let needed = (self.len - offset).min(BLOCK as u64) as usize;
        let end = self.start + self.buffer.len() as u64;
        if offset < self.start || offset + needed as u64 > end {
            let near = offset.saturating_sub(end) < READ_AHEAD as u64;
            let size = if near { READ_AHEAD } else { READ_AFTER_JUMP };
            let size = (self.len - offset).min(size as u64) as usize;
            self.buffer.resize(size, 0);
            self.start = offset;
            let mut filled = 0;
            while filled < needed {
                match self.source.read_at(&mut self.buffer[filled..], offset + filled as u64) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(n) => filled += n,
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(e),
                }
            }
            self.buffer.truncate(filled);
        }
        Ok(&self.buffer[(offset - self.start) as usize..])
    }
}

/// Entries pulled from a stream, such as standard input.
pub struct Stream<R> {
    reader: BufReader<R>,
    scanner: Scanner,
    anomalies: Vec<Anomaly>,
    ended: bool,
}

impl<R: Read> Stream<R> {
    /// Over a tar that begins where the reader is.
    pub fn new(reader: R, limits: Limits) -> Self {
        Stream {
            reader: BufReader::with_capacity(READ_AHEAD, reader),
            scanner: Scanner::new(limits),
            anomalies: Vec::new(),
            ended: false,
        }
    }

    /// The next entry, skipping data that was not read; `None` at the end, when the stream has been read to its end.
    pub fn next_entry(&mut self) -> io::Result<Option<Entry<'_>>> {
        while !self.ended {
            let complete = self.step()?;
            keep(&mut self.anomalies, self.scanner.anomalies());
            if complete {
                return Ok(Some(self.scanner.entry()));
            }
        }
        Ok(None)
    }

    /// The data of the entry last returned, as far as it was not read before. It ends early where the stream does.
    pub fn data(&mut self) -> Data<'_, R> {
        Data { stream: self }
    }

    /// What was odd so far, at most 10,000 facts. Complete once there is no next entry.
    pub fn anomalies(&self) -> &[Anomaly] {
        &self.anomalies
    }

    fn step(&mut self) -> io::Result<bool> {
        let want = self.scanner.want();
        if want == Want::Header {
            let mut block = [0; BLOCK];
            let mut filled = 0;
            while filled < BLOCK {
                let bytes = fill(&mut self.reader)?;
                if bytes.is_empty() {
                    self.finish(&block[..filled]);
                    return Ok(false);
                }
                let n = bytes.len().min(BLOCK - filled);
                block[filled..filled + n].copy_from_slice(&bytes[..n]);
                self.reader.consume(n);
                filled += n;
            }
            return Ok(self.scanner.header(&block));
        }
        let bytes = fill(&mut self.reader)?;
        if bytes.is_empty() {
            self.finish(&[]);
            return Ok(false);
        }
        let available = bytes.len();
        let (n, complete) = match want {
            Want::Extension { len } => {
                let n = available.min(len);
                (n, self.scanner.extension(&bytes[..n]))
            }
            Want::Data { len } | Want::Skip { len } => {
                let n = len.min(available as u64);
                self.scanner.advance(n);
                (n as usize, false)
            }
            Want::Header | Want::Done => {
                self.scanner.advance(available as u64);
                (available, false)
            }
        };
        self.reader.consume(n);
        Ok(complete)
    }

    fn finish(&mut self, tail: &[u8]) {
        self.scanner.end(self.scanner.offset() + tail.len() as u64, tail);
        self.ended = true;
    }
}

/// `fill_buf` that outlasts signals.
fn fill<R: Read>(reader: &mut BufReader<R>) -> io::Result<&[u8]> {
    while let Err(e) = reader.fill_buf() {
        if e.kind() != io::ErrorKind::Interrupted {
            return Err(e);
        }
    }
    Ok(reader.buffer())
}

/// The data of one entry of a [`Stream`].
pub struct Data<'a, R> {
    stream: &'a mut Stream<R>,
}

impl<R: Read> Read for Data<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Want::Data { len } = self.stream.scanner.want() else { return Ok(0) };
        let wanted = len.min(buf.len() as u64) as usize;
        let n = self.stream.reader.read(&mut buf[..wanted])?;
        self.stream.scanner.advance(n as u64);
        Ok(n)
    }
}

/// What a [`Feed`] tells.
#[derive(Debug)]
pub enum Event<'a> {
    /// An entry, once all of its headers are there.
    Entry(&'a Entry<'a>),
    /// Some data of that entry, in order.
    Data(&'a [u8]),
    /// Something odd; for the headers of an entry, told before the entry.
    Anomaly(Anomaly),
}

/// A tar that arrives in chunks of any size, as in the hashing pipeline.
#[derive(Debug)]
pub struct Feed {
    scanner: Scanner,
    /// A header of which only a part has arrived.
    block: [u8; BLOCK],
    filled: usize,
    total: u64,
}

impl Feed {
    /// Before the first chunk.
    pub fn new(limits: Limits) -> Self {
        Feed { scanner: Scanner::new(limits), block: [0; BLOCK], filled: 0, total: 0 }
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, mut chunk: &[u8], on: &mut dyn FnMut(Event<'_>)) {
        self.total += chunk.len() as u64;
        while !chunk.is_empty() {
            let complete = match self.scanner.want() {
                Want::Header if self.filled == 0 && chunk.len() >= BLOCK => {
                    let Some((block, rest)) = chunk.split_first_chunk() else { return };
                    chunk = rest;
                    self.scanner.header(block)
                }
                Want::Header => {
                    let n = chunk.len().min(BLOCK - self.filled);
                    self.block[self.filled..self.filled + n].copy_from_slice(&chunk[..n]);
                    chunk = &chunk[n..];
                    self.filled += n;
                    if self.filled < BLOCK {
                        return;
                    }
                    self.filled = 0;
                    self.scanner.header(&self.block)
                }
                Want::Extension { len } => {
                    let (bytes, rest) = chunk.split_at(chunk.len().min(len));
                    chunk = rest;
                    self.scanner.extension(bytes)
                }
                Want::Data { len } => {
                    let (bytes, rest) = chunk.split_at(len.min(chunk.len() as u64) as usize);
                    chunk = rest;
                    on(Event::Data(bytes));
                    self.scanner.advance(bytes.len() as u64);
                    false
                }
                Want::Skip { len } => {
                    let n = len.min(chunk.len() as u64);
                    chunk = &chunk[n as usize..];
                    self.scanner.advance(n);
                    false
                }
                Want::Done => return,
            };
            self.tell(on);
            if complete {
                on(Event::Entry(&self.scanner.entry()));
            }
        }
    }

    /// The last chunk was the end.
    pub fn finish(mut self, on: &mut dyn FnMut(Event<'_>)) {
        self.scanner.end(self.total, &self.block[..self.filled]);
        self.tell(on);
    }

    fn tell(&mut self, on: &mut dyn FnMut(Event<'_>)) {
        for &anomaly in self.scanner.anomalies() {
            on(Event::Anomaly(anomaly));
        }
    }
}
