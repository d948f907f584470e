//! From who writes a blob to the thread that sends it, with little in between.

use std::io::{self, Read};

use crossbeam_channel::{Receiver, Sender, bounded};

/// Bytes of one piece.
const PIECE: usize = 256 << 10;
/// Pieces that wait at most: a megabyte.
const WAITING: usize = 4;

/// The end that is written to. Dropped without [`Inlet::end`], the other end breaks off.
pub(super) struct Inlet {
    sender: Sender<Option<Vec<u8>>>,
    /// Held back: a registry must not have the last byte before it is known to be the right one.
    piece: Vec<u8>,
}

/// The end that is read from.
pub(super) struct Outlet {
    receiver: Receiver<Option<Vec<u8>>>,
    piece: Vec<u8>,
    at: usize,
    ended: bool,
}

/// A pipe.
pub(super) fn pipe() -> (Inlet, Outlet) {
    let (sender, receiver) = bounded(WAITING);
    (Inlet { sender, piece: Vec::new() }, Outlet { receiver, piece: Vec::new(), at: 0, ended: false })
}

impl Inlet {
    /// Hands bytes on; false if nobody reads any more.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.piece.len() >= PIECE && self.sender.send(Some(std::mem::take(&mut self.piece))).is_err() {
                return false;
            }
            if self.piece.capacity() == 0 {
                // Once: what grows is copied.
                self.piece.reserve_exact(PIECE);
            }
            let n = rest.len().min(PIECE - self.piece.len());
            self.piece.extend_from_slice(&rest[..n]);
            rest = &rest[n..];
        }
        true
    }

    /// Hands on what was held back, and says that this was all.
    pub fn end(self) {
        // If nobody reads any more, the reader knows why.
        let _ = self.sender.send(Some(self.piece)).and_then(|()| self.sender.send(None));
    }
}

impl Read for Outlet {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() && !self.ended {
            match self.receiver.recv() {
                Ok(Some(piece)) => (self.piece, self.at) = (piece, 0),
                Ok(None) => self.ended = true,
                Err(_) => return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the blob was given up")),
            }
        }
        let n = buffer.len().min(self.piece.len() - self.at);
        buffer[..n].copy_from_slice(&self.piece[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_comes_through_only_with_the_end() {
        let bytes: Vec<u8> = (0..PIECE * 3 + 7).map(|n| (n % 251) as u8).collect();
        let (mut inlet, mut outlet) = pipe();
        let reading = std::thread::spawn(move || {
            let mut read = Vec::new();
            outlet.read_to_end(&mut read).map(|_| read)
        });
        assert!(bytes.chunks(1000).all(|part| inlet.write(part)));
        inlet.end();
        assert_eq!(reading.join().expect("no panic").expect("whole"), bytes);
    }

    #[test]
    fn without_the_end_the_last_piece_is_kept() {
        let (mut inlet, mut outlet) = pipe();
        assert!(inlet.write(&[1; PIECE + 1]));
        drop(inlet);
        let mut read = Vec::new();
        assert_eq!(outlet.read_to_end(&mut read).expect_err("given up").kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(read.len(), PIECE);
    }

    #[test]
    fn nobody_reads() {
        let (mut inlet, outlet) = pipe();
        drop(outlet);
        assert!(!inlet.write(&[1; PIECE * 2]));
    }
}
