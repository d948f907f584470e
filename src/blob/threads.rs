//! The pass over a large blob, its stages on threads of their own behind bounded channels, so that one big layer uses
//! more than one core and memory does not grow with it.
//!
//! Bytes go through in buffers that are read into once, lent to every stage that wants them, and used again.

use std::io::{self, BufRead, Read, Write};
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::facts::BlobFacts;
use super::stage::{First, Keep, Kept, Made, PlainHash, Request, Tap, Watch, kept_of, settle};
use crate::codec::{self, CHUNK, Room};

/// Chunks in flight between two stages.
const DEPTH: usize = 8;

/// Buffers that are not in use.
#[derive(Clone)]
struct Pool {
    back: Sender<Vec<u8>>,
    free: Receiver<Vec<u8>>,
}

/// A buffer with bytes in it, which returns to its pool when nobody needs them any more.
struct Buffer {
    /// Always as long as a chunk can be; only the first `len` bytes count.
    bytes: Vec<u8>,
    len: usize,
    back: Sender<Vec<u8>>,
}

type Chunk = Arc<Buffer>;

impl Pool {
    fn new() -> Pool {
        let (back, free) = bounded(4 * DEPTH);
        Pool { back, free }
    }

    fn take(&self) -> Buffer {
        let bytes = self.free.try_recv().unwrap_or_else(|_| vec![0; CHUNK]);
        Buffer { bytes, len: 0, back: self.back.clone() }
    }

    /// As much of `source` as fits; less only at its end.
    fn fill(&self, source: &mut dyn Read) -> io::Result<Buffer> {
        let mut buffer = self.take();
        while buffer.len < buffer.bytes.len() {
            match source.read(&mut buffer.bytes[buffer.len..]) {
                Ok(0) => break,
                Ok(n) => buffer.len += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(buffer)
    }
}

impl Buffer {
    fn used(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // A full pool lets it go.
        let _ = self.back.try_send(std::mem::take(&mut self.bytes));
    }
}

/// As [`run`](super::pipeline::run), on several threads.
pub(super) fn threaded(
    source: &mut (dyn Read + Send),
    request: Request,
    keep: Keep,
    tee: &mut (dyn Write + Send),
    watch: Watch<'_>,
) -> io::Result<(BlobFacts, Kept)> {
    let pool = Pool::new();
    let beginning = pool.fill(source)?;
    let first = First::of(beginning.used());
    let decodes = first.decodes(request, keep);
    // The tee goes to whoever produces what is kept: the reader, or the thread that compresses.
    let (stored_tee, made) = match keep {
        Keep::Recompressed(compression, threads) => (None, Some(Made::new(compression, threads, tee)?)),
        Keep::Stored => (Some(tee), None),
        Keep::Nothing => (None, None),
    };
    // Looking on costs little beside hashing, and is done by the thread that hashes the same bytes.
    let (mut stored_watch, mut plain_watch) = if decodes { (None, watch) } else { (watch, None) };
    thread::scope(|scope| {
        let (to_tap, tap_input) = bounded::<Chunk>(DEPTH);
        let tap = scope.spawn(move || {
            let mut tap = Tap::new(request);
            for chunk in tap_input {
                tap.push(chunk.used());
                if let Some(watch) = &mut stored_watch {
                    watch(chunk.used());
                }
            }
            tap
        });

        let mut plain_outputs = Vec::new();
        let plain_hash = decodes.then(|| {
            let (sender, input) = bounded::<Chunk>(DEPTH);
            plain_outputs.push(sender);
            scope.spawn(move || {
                let mut hasher = PlainHash::new(request);
                for chunk in input {
                    hasher.update(chunk.used());
                    if let Some(watch) = &mut plain_watch {
                        watch(chunk.used());
                    }
                }
                hasher.finish()
            })
        });
        let made = made.map(|mut made| {
            let (sender, input) = bounded::<Chunk>(DEPTH);
            plain_outputs.push(sender);
            scope.spawn(move || {
                input.into_iter().try_for_each(|chunk| made.write_all(chunk.used()))?;
                made.finish()
            })
        });

        let mut stored_outputs = vec![to_tap];
        let decoder = if decodes {
            let (sender, input) = bounded::<Chunk>(DEPTH);
            stored_outputs.push(sender);
            let mut out = Sending { chunk: pool.take(), pool: pool.clone(), outputs: plain_outputs };
            Some(scope.spawn(move || {
                let mut input = Chunks { input, chunk: None, at: 0, joined: Vec::new() };
                let decoded = codec::decode_into(first.codec, &mut input, request.caps, &mut out);
                out.send();
                decoded
            }))
        } else {
            // What is stored is plain already: it feeds whoever wants the plain stream.
            stored_outputs.append(&mut plain_outputs);
            None
        };

        let read = pump(source, beginning, &pool, stored_tee, &stored_outputs);
        drop(stored_outputs);

        let tap = join(tap)?;
        let decoded = decoder.map(join).transpose()?;
        let hashed = plain_hash.map(join).transpose()?;
        let made = made.map(join).transpose()?.transpose()?;
        read?;
        let decoded = decoded.transpose()?;
        let (mut facts, stored) = tap.finish(request, first);
        let diff_id = hashed.as_ref().map(|(diff_id, _)| diff_id.clone());
        let plain_kept = diff_id.zip(decoded.as_ref().map(|decoded| decoded.size));
        settle(&mut facts, request, decoded, stored, || {
            hashed.unwrap_or_else(|| PlainHash::new(request).finish())
        });
        let kept = match keep {
            Keep::Nothing => None,
            Keep::Stored => Some((facts.sha256.clone(), facts.size)),
            Keep::Recompressed(..) => kept_of(made.flatten(), plain_kept, &facts),
        };
        Ok((facts, kept))
    })
}

/// Reads to the end, writes what is kept as stored, and hands every chunk on.
fn pump(
    source: &mut (dyn Read + Send),
    beginning: Buffer,
    pool: &Pool,
    mut tee: Option<&mut (dyn Write + Send)>,
    outputs: &[Sender<Chunk>],
) -> io::Result<()> {
    let mut buffer = beginning;
    while buffer.len > 0 {
        let chunk = Arc::new(buffer);
        // First to the others, who have work to do on it meanwhile.
        send(outputs, &chunk);
        if let Some(tee) = &mut tee {
            tee.write_all(chunk.used())?;
        }
        drop(chunk);
        buffer = pool.fill(source)?;
    }
    Ok(())
}

/// Hands a chunk to every stage that still listens; one that stopped has its reasons in its own result.
fn send(outputs: &[Sender<Chunk>], chunk: &Chunk) {
    for output in outputs {
        let _ = output.send(Arc::clone(chunk));
    }
}

/// Takes what is decompressed and sends it on, a full buffer at a time.
struct Sending {
    chunk: Buffer,
    pool: Pool,
    outputs: Vec<Sender<Chunk>>,
}

impl Sending {
    fn send(&mut self) {
        if self.chunk.len > 0 {
            let full = std::mem::replace(&mut self.chunk, self.pool.take());
            send(&self.outputs, &Arc::new(full));
        }
    }
}

impl Room for Sending {
    fn room(&mut self) -> &mut [u8] {
        &mut self.chunk.bytes[self.chunk.len..]
    }

    fn advance(&mut self, n: usize) -> io::Result<()> {
        self.chunk.len += n;
        if self.chunk.len == self.chunk.bytes.len() {
            self.send();
        }
        Ok(())
    }
}

/// Reads what another thread sends. When it is dropped early the sender is not held up.
struct Chunks {
    input: Receiver<Chunk>,
    chunk: Option<Chunk>,
    at: usize,
    /// The end of a chunk and all of the next one, where a look ahead crosses the border; `at` counts in it.
    joined: Vec<u8>,
}

impl Chunks {
    fn current(&self) -> &[u8] {
        match &self.chunk {
            Some(chunk) => chunk.used(),
            None => &self.joined,
        }
    }
}

impl Read for Chunks {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(into)?;
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Chunks {
    /// At least [`codec::LOOKAHEAD`] bytes unless the input ends, as [`Lookahead`](codec::Lookahead) gives.
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.current().len() - self.at < codec::LOOKAHEAD {
            let Ok(next) = self.input.recv() else { break };
            let rest = self.current()[self.at..].to_vec();
            if rest.is_empty() {
                (self.chunk, self.joined) = (Some(next), Vec::new());
            } else {
                self.joined = [&rest, next.used()].concat();
                self.chunk = None;
            }
            self.at = 0;
        }
        Ok(&self.current()[self.at..])
    }

    fn consume(&mut self, n: usize) {
        self.at += n;
    }
}

fn join<T>(handle: thread::ScopedJoinHandle<'_, T>) -> io::Result<T> {
    handle.join().map_err(|_| io::Error::other("a stage of the pipeline stopped unexpectedly"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(pieces: &[&[u8]]) -> Chunks {
        let pool = Pool::new();
        let (sender, input) = bounded(pieces.len());
        for piece in pieces {
            sender.send(Arc::new(pool.fill(&mut &piece[..]).expect("memory"))).expect("room");
        }
        Chunks { input, chunk: None, at: 0, joined: Vec::new() }
    }

    #[test]
    fn a_look_ahead_crosses_borders() {
        let mut input = chunks(&[b"0123456789012345678", b"ab", b"", b"c", b"defghijklmnopqrstuvwxyz"]);
        assert_eq!(input.fill_buf().expect("memory"), b"0123456789012345678");
        input.consume(17);
        assert_eq!(input.fill_buf().expect("memory"), b"78abcdefghijklmnopqrstuvwxyz");
        input.consume(12);
        assert_eq!(input.fill_buf().expect("memory"), b"klmnopqrstuvwxyz");
        let mut rest = String::new();
        input.read_to_string(&mut rest).expect("text");
        assert_eq!(rest, "klmnopqrstuvwxyz");
    }

    #[test]
    fn buffers_are_used_again() {
        let pool = Pool::new();
        let first = pool.take();
        let address = first.bytes.as_ptr();
        drop(first);
        assert_eq!(pool.take().bytes.as_ptr(), address);
        assert_ne!((pool.take(), pool.take()).1.bytes.as_ptr(), std::ptr::null());
    }
}
