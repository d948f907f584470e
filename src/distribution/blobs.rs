//! Blobs: streams under a digest, which go on where they broke off.

use std::io::{self, Read};

use super::fault::Fault;
use super::repository::{Access, Repository};
use crate::digest::Digest;
use crate::http::body::Incoming;
use crate::http::{Answer, Cause, Failure, Method, Response};

/// A blob that is longer than it was said to be is read this much further, so that its size can be told; one that has
/// no announced end is no blob.
const FURTHER: u64 = 1 << 20;
/// Bytes that must come before as many tries are granted anew.
const PROGRESS: u64 = 1 << 20;

/// What a registry tells of a blob that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobFound {
    /// Its size, a hint; not all of them say it.
    pub size: Option<u64>,
}

impl Repository {
    /// Whether the registry has a blob.
    ///
    /// # Errors
    /// The registry could not be asked, or refuses.
    pub fn has_blob(&self, digest: &Digest) -> Result<Option<BlobFound>, Fault> {
        let what = self.blob_named(digest);
        let mut request = self.request(Method::Head, &format!("blobs/{digest}"));
        let answer = self.send(&Access::Pull, &what, &mut request)?;
        match answer.status {
            200 => {
                let size = answer.value("content-length").and_then(|size| size.parse().ok());
                Ok(Some(BlobFound { size }))
            }
            404 => Ok(None),
            _ => Err(self.unwanted(&what, answer)),
        }
    }

    /// The bytes of a blob; `None` if the registry has none. `size` is what a descriptor says.
    ///
    /// The bytes are as they come: only that none is missing is known. A transfer that breaks goes on by `Range`.
    ///
    /// # Errors
    /// The registry could not be asked, or refuses.
    pub fn blob(&self, digest: &Digest, size: Option<u64>) -> Result<Option<BlobReader>, Fault> {
        let what = self.blob_named(digest);
        let mut reader = BlobReader {
            repository: self.clone(),
            digest: digest.clone(),
            what,
            size,
            body: None,
            at: 0,
            total: None,
            tries: self.shared.retry_times(),
            tried_at: 0,
        };
        let Some(answer) = reader.ask(0)? else { return Ok(None) };
        reader.total = answer.body.expected();
        reader.body = Some(reader.capped(answer.body));
        Ok(Some(reader))
    }

    /// The first bytes of a blob, at most `n`; `None` if the registry has no such blob.
    ///
    /// # Errors
    /// As [`Repository::blob`].
    pub fn blob_head(&self, digest: &Digest, n: usize) -> Result<Option<Vec<u8>>, Fault> {
        let what = self.blob_named(digest);
        let mut request = self.request(Method::Get, &format!("blobs/{digest}"));
        request.headers.push(("Range", format!("bytes=0-{}", n.saturating_sub(1))));
        let answer = self.send(&Access::Pull, &what, &mut request)?;
        match answer.status {
            200 | 206 => {}
            // Nothing has no first byte.
            416 => return Ok(Some(Vec::new())),
            404 => return Ok(None),
            _ => return Err(self.unwanted(&what, answer)),
        }
        let mut bytes = Vec::with_capacity(n);
        match answer.body.take(n as u64).read_to_end(&mut bytes) {
            Ok(_) => Ok(Some(bytes)),
            Err(error) => {
                let failure = Failure::of(&error).cloned();
                let broken = || Failure::new(self.host(), Cause::Broken(error.to_string()));
                Err(Fault::http(what, failure.unwrap_or_else(broken)))
            }
        }
    }

    pub(super) fn blob_named(&self, digest: &Digest) -> String {
        format!("blob {digest} of {}", self.shown())
    }
}

/// The bytes of a blob on their way.
pub struct BlobReader {
    repository: Repository,
    digest: Digest,
    what: String,
    size: Option<u64>,
    body: Option<Incoming>,
    /// Bytes that were handed on.
    at: u64,
    /// Bytes that the registry announced.
    total: Option<u64>,
    tries: u32,
    /// Where it broke off last.
    tried_at: u64,
}

impl BlobReader {
    /// What the registry announces; a hint.
    pub fn announced(&self) -> Option<u64> {
        self.total
    }

    /// Asks for the blob from some byte on.
    fn ask(&self, from: u64) -> Result<Option<Response>, Fault> {
        let repository = &self.repository;
        let mut request = repository.request(Method::Get, &format!("blobs/{}", self.digest));
        if from > 0 {
            request.headers.push(("Range", format!("bytes={from}-")));
        }
        let answer = repository.send(&Access::Pull, &self.what, &mut request)?;
        match answer.status {
            200 => Ok(Some(answer)),
            206 if from > 0 => {
                let range = answer.value("content-range").unwrap_or_default();
                let start = range.trim_start_matches("bytes").trim().split('-').next().unwrap_or_default();
                match start.parse::<u64>() {
                    Ok(start) if start == from => Ok(Some(answer)),
                    _ => Err(Fault::Nonsense {
                        host: answer.url.origin().authority().to_owned(),
                        what: self.what.clone(),
                        found: format!("another part than the one from byte {from} on"),
                    }),
                }
            }
            404 => Ok(None),
            _ => Err(repository.unwanted(&self.what, answer)),
        }
    }

    fn capped(&self, mut body: Incoming) -> Incoming {
        let limit = self.repository.registries().limits().layer_bytes;
        let announced = body.expected();
        let most = match (announced, self.size) {
            (Some(announced), _) => announced.min(limit),
            (None, Some(size)) => size.saturating_add(FURTHER).saturating_sub(self.at),
            (None, None) => limit,
        };
        body.at_most(most);
        body
    }

    /// Goes on after a failure, or tells it.
    fn resume(&mut self, failure: Failure) -> Result<(), Fault> {
        if self.at.saturating_sub(self.tried_at) >= PROGRESS {
            self.tries = self.repository.shared.retry_times();
        }
        self.tried_at = self.at;
        let tell = |failure: Failure| Fault::http(&self.what, failure);
        if !failure.is_passing() || self.tries == 0 {
            return Err(tell(failure));
        }
        self.tries -= 1;
        let Some(answer) = self.ask(self.at)? else { return Err(tell(failure)) };
        let whole = answer.status == 200;
        let mut body = self.capped(answer.body);
        if whole {
            // It does not know ranges: what was handed on already is read once more.
            let skipped = io::copy(&mut (&mut body).take(self.at), &mut io::sink());
            match skipped {
                Ok(skipped) if skipped == self.at => {}
                Ok(_) => {
                    let cause = Cause::Cut { received: self.at, expected: self.total };
                    return Err(tell(Failure::new(self.repository.host(), cause)));
                }
                Err(error) => {
                    let failure = Failure::of(&error).cloned().unwrap_or(failure);
                    self.body = None;
                    return self.resume(failure);
                }
            }
        }
        self.body = Some(body);
        Ok(())
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(body) = &mut self.body else { return Ok(0) };
            match body.read(buffer) {
                Ok(0) if !buffer.is_empty() => {
                    self.body = None;
                    return Ok(0);
                }
                Ok(n) => {
                    self.at += n as u64;
                    return Ok(n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
                Err(error) => {
                    let failure = Failure::of(&error).cloned();
                    let host = self.repository.host().to_owned();
                    let failure =
                        failure.unwrap_or_else(|| Failure::new(host, Cause::Broken(error.to_string())));
                    self.body = None;
                    self.resume(failure)?;
                }
            }
        }
    }
}
