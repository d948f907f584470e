//! The body of an answer as it comes: no longer than allowed, no slower than allowed, and not cut.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::failure::{Cause, Failure};
use super::gate::Permit;
use super::pace::Pace;

/// A server that sends less than this in a whole period of the longest silence is taken for silent: one byte now and
/// then would hold restow for ever.
const LEAST: u64 = 1 << 10;

/// The body of an answer. Holds its place at the host until it is dropped.
pub struct Incoming {
    pub(super) inner: Box<dyn Read + Send>,
    pub(super) host: String,
    pub(super) permit: Option<Permit>,
    pub(super) pace: Option<Arc<Pace>>,
    /// The longest silence.
    pub(super) patience: Duration,
    /// Bytes that the answer announces.
    pub(super) expected: Option<u64>,
    /// The most bytes that may come.
    pub(super) most: u64,
    pub(super) received: u64,
    pub(super) slow: Slow,
}

/// How much came in how much time of waiting.
#[derive(Debug, Default)]
pub(super) struct Slow {
    waited: Duration,
    bytes: u64,
}

impl Slow {
    /// Whether so little came in so long that it is as good as nothing.
    fn too_slow(&mut self, waited: Duration, bytes: u64, patience: Duration) -> bool {
        self.waited += waited;
        self.bytes += bytes;
        if self.waited < patience {
            return false;
        }
        let slow = self.bytes < LEAST;
        *self = Slow::default();
        slow
    }
}

impl Incoming {
    /// The bytes that the answer announces; a hint.
    pub fn expected(&self) -> Option<u64> {
        self.expected
    }

    /// Bytes that came so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Lets no more than so many bytes come.
    pub fn at_most(&mut self, bytes: u64) {
        self.most = bytes;
    }

    /// The whole body, if it has at most `limit` bytes.
    ///
    /// # Errors
    /// [`Cause::TooLong`], and what can befall a transfer.
    pub fn whole(mut self, limit: u64) -> Result<Vec<u8>, Failure> {
        self.at_most(limit);
        let mut bytes = Vec::new();
        match self.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(Failure::of(&error).cloned().unwrap_or_else(|| self.broken(&error))),
        }
    }

    fn broken(&self, error: &io::Error) -> Failure {
        let cut = || Cause::Cut { received: self.received, expected: self.expected };
        let cause = match error.kind() {
            io::ErrorKind::UnexpectedEof => cut(),
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => self.silent(),
            _ => match inner(error) {
                Some(ureq::Error::Timeout(_)) => self.silent(),
                Some(ureq::Error::Protocol(_) | ureq::Error::BodyStalled) => cut(),
                _ => Cause::Broken(error.to_string()),
            },
        };
        Failure::new(&self.host, cause)
    }

    fn silent(&self) -> Cause {
        Cause::Silent { what: "nothing came", seconds: self.patience.as_secs() }
    }
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = self.pace.as_ref().map_or(usize::MAX, |pace| pace.piece());
        let wanted = buffer.len().min(piece);
        if wanted == 0 {
            return Ok(0);
        }
        let start = Instant::now();
        let n = match self.inner.read(&mut buffer[..wanted]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => return Err(self.broken(&error).into()),
            Ok(n) => n,
        };
        if n == 0 {
            if self.expected.is_some_and(|expected| self.received < expected) {
                let cause = Cause::Cut { received: self.received, expected: self.expected };
                return Err(Failure::new(&self.host, cause).into());
            }
            // The place is for the next one, however long this body is still held.
            self.permit = None;
            return Ok(0);
        }
        self.received += n as u64;
        if self.received > self.most {
            return Err(Failure::new(&self.host, Cause::TooLong { limit: self.most }).into());
        }
        if self.slow.too_slow(start.elapsed(), n as u64, self.patience) {
            let cause = Cause::Silent { what: "next to nothing came", seconds: self.patience.as_secs() };
            return Err(Failure::new(&self.host, cause).into());
        }
        if let Some(permit) = &self.permit {
            permit.moved();
        }
        if let Some(pace) = &self.pace {
            pace.wait(n);
        }
        Ok(n)
    }
}

/// The error of ureq inside an I/O error.
fn inner(error: &io::Error) -> Option<&ureq::Error> {
    error.get_ref()?.downcast_ref()
}

/// A body that is sent, at the pace of all transfers.
pub(super) struct Outgoing<'a> {
    pub from: &'a mut dyn Read,
    pub permit: &'a Permit,
    pub pace: Option<Arc<Pace>>,
    /// Set if it was the source that failed, not the connection.
    pub failed: &'a mut Option<io::Error>,
}

impl Read for Outgoing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = self.pace.as_ref().map_or(usize::MAX, |pace| pace.piece());
        let wanted = buffer.len().min(piece);
        match self.from.read(&mut buffer[..wanted]) {
            Ok(n) => {
                self.permit.moved();
                if let Some(pace) = &self.pace {
                    pace.wait(n);
                }
                Ok(n)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let again = io::Error::new(error.kind(), "the source of the body failed");
                *self.failed = Some(error);
                Err(again)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_now_and_then_is_silence() {
        let mut slow = Slow::default();
        let second = Duration::from_secs(1);
        let found: Vec<bool> = (0..5).map(|_| slow.too_slow(second, 1, second * 5)).collect();
        assert_eq!(found, [false, false, false, false, true]);
        let found: Vec<bool> = (0..5).map(|_| slow.too_slow(second, 300, second * 5)).collect();
        assert_eq!(found, [false; 5]);
        assert!(!slow.too_slow(Duration::ZERO, 1, second));
    }
}
