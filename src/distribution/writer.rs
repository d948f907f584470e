//! A blob that is written as it comes: small ones from memory, others in one piece as they stream, those of unknown size
//! or digest in pieces.

use std::thread::JoinHandle;

use super::fault::Fault;
use super::pipe::{Inlet, pipe};
use super::repository::Repository;
use super::uploads::{Begun, Session};
use crate::digest::Digest;

/// The largest piece: GHCR refuses more than 4 MiB, and what is held in memory can be sent again.
pub(super) const PIECE: usize = 4 << 20;

/// A blob on its way into a repository. Dropped without [`BlobWriter::finish`], the registry has nothing.
pub struct BlobWriter {
    repository: Repository,
    what: String,
    expected: Option<(Digest, u64)>,
    session: Option<Session>,
    held: Vec<u8>,
    way: Way,
}

enum Way {
    /// All of it is held so far.
    Memory,
    /// A thread sends what is written.
    Stream(Inlet, JoinHandle<Result<(), Fault>>),
    /// In pieces.
    Pieces(Session),
}

impl BlobWriter {
    /// Begins to write a blob. `expected` is digest and size where both are known; `session` an upload that was begun
    /// already.
    pub fn new(
        repository: &Repository,
        expected: Option<(Digest, u64)>,
        session: Option<Session>,
    ) -> BlobWriter {
        let what = match &expected {
            Some((digest, _)) => repository.blob_named(digest),
            None => format!("a new blob of {}", repository.shown()),
        };
        BlobWriter {
            repository: repository.clone(),
            what,
            expected,
            session,
            held: Vec::new(),
            way: Way::Memory,
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// The registry could not be asked, or refuses. [`Fault::is_passing`] says whether all of it may be tried again.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if let Way::Stream(inlet, _) = &mut self.way {
                return if inlet.write(rest) { Ok(()) } else { Err(self.failed()) };
            }
            if self.streams() || self.held.len() >= PIECE {
                self.flow()?;
                continue;
            }
            if self.held.capacity() == 0 {
                // Once and for all: what grows is copied.
                let size = self.expected.as_ref().map_or(PIECE as u64, |(_, size)| *size);
                self.held.reserve_exact(usize::try_from(size).map_or(PIECE, |size| size.min(PIECE)));
            }
            let n = rest.len().min(PIECE - self.held.len());
            self.held.extend_from_slice(&rest[..n]);
            rest = &rest[n..];
        }
        Ok(())
    }

    /// Whether it is to be sent in one piece that is too large to be held: then nothing of it need be.
    fn streams(&self) -> bool {
        let is_large = self.expected.as_ref().is_some_and(|(_, size)| *size > PIECE as u64);
        is_large && matches!(self.way, Way::Memory) && !self.repository.is_piecewise()
    }

    /// Lets what is held go.
    fn flow(&mut self) -> Result<(), Fault> {
        if let Way::Pieces(session) = &mut self.way {
            session.piece(&self.held)?;
            self.held.clear();
            return Ok(());
        }
        let session = match self.session.take() {
            Some(session) => session,
            None => self.repository.begin(&self.what)?,
        };
        let whole = self.expected.clone().filter(|_| !self.repository.is_piecewise());
        let Some((digest, size)) = whole else {
            self.way = Way::Pieces(session);
            return self.flow();
        };
        let (mut inlet, mut outlet) = pipe();
        let thread = std::thread::spawn(move || session.whole(&digest, size, &mut outlet));
        let going = inlet.write(&std::mem::take(&mut self.held));
        self.way = Way::Stream(inlet, thread);
        if going { Ok(()) } else { Err(self.failed()) }
    }

    /// Why the thread no longer takes anything.
    fn failed(&mut self) -> Fault {
        match std::mem::replace(&mut self.way, Way::Memory) {
            Way::Stream(inlet, thread) => {
                drop(inlet);
                let done = thread.join().unwrap_or(Ok(()));
                done.err().unwrap_or_else(|| {
                    self.repository.nonsense(&self.what, "that all of it has come, too early")
                })
            }
            _ => self.repository.nonsense(&self.what, "an upload that does not go on"),
        }
    }

    /// The blob is complete and has this digest and size.
    ///
    /// # Errors
    /// As [`BlobWriter::write`]; nothing was committed then.
    pub fn finish(self, digest: &Digest, size: u64) -> Result<(), Fault> {
        let Some(way) = self.check(digest, size)? else { return Ok(()) };
        match way {
            (Way::Stream(inlet, thread), ..) => {
                inlet.end();
                thread.join().unwrap_or(Ok(()))
            }
            (Way::Pieces(mut session), held, ..) => {
                session.piece(&held)?;
                session.finish(digest)
            }
            (Way::Memory, held, session, repository, what) => {
                let session = match session {
                    Some(session) => session,
                    None => repository.begin(&what)?,
                };
                session.whole_bytes(digest, &held)
            }
        }
    }

    #[expect(clippy::type_complexity, reason = "taken apart at once")]
    fn check(
        self,
        digest: &Digest,
        size: u64,
    ) -> Result<Option<(Way, Vec<u8>, Option<Session>, Repository, String)>, Fault> {
        let BlobWriter { repository, what, expected, session, held, way } = self;
        let other = expected.filter(|expected| *expected != (digest.clone(), size));
        if let (Some((wanted, _)), Way::Stream(..)) = (&other, &way) {
            // The last bytes were held back, so the registry has no such blob.
            let found = format!("{size} bytes of digest {digest} to be sent as {wanted}");
            return Err(repository.nonsense(&what, &found));
        }
        Ok(Some((way, held, session, repository, what)))
    }

    /// Whether nothing was sent so far, so that it need not be.
    pub fn is_untouched(&self) -> bool {
        self.session.is_none() && matches!(self.way, Way::Memory)
    }

    /// Takes the blob over from another repository of the host, if that is possible; else it is to be written.
    ///
    /// # Errors
    /// The registry could not be asked, or refuses.
    pub fn mount(&mut self, digest: &Digest, from: &str) -> Result<bool, Fault> {
        match self.repository.mount(digest, from)? {
            Begun::Done => Ok(true),
            Begun::Session(session) => {
                self.session = Some(session);
                Ok(false)
            }
        }
    }
}
