//! Uploads: a session at the registry, in one piece or in pieces, and what came of it.

use std::io::Read;
use std::sync::PoisonError;

use super::fault::Fault;
use super::repository::{Access, Repository};
use crate::digest::Digest;
use crate::http::{Answer, Body, Cause, Failure, Fetched, Method, Request, Url};

/// What beginning an upload came to.
pub enum Begun {
    /// The registry has the blob now.
    Done,
    /// The bytes are to be sent.
    Session(Session),
}

/// An upload that is under way.
pub struct Session {
    repository: Repository,
    what: String,
    location: Url,
    /// Bytes that the registry has.
    at: u64,
    /// The smallest piece that it takes, but for the last.
    pub least: Option<u64>,
}

impl Repository {
    /// Takes a blob over from another repository of the host, or begins an upload where that is not possible.
    ///
    /// # Errors
    /// The registry could not be asked, or refuses.
    pub fn mount(&self, digest: &Digest, from: &str) -> Result<Begun, Fault> {
        let url = self.url("blobs/uploads/").with_query("mount", digest.as_str()).with_query("from", from);
        let what = self.blob_named(digest);
        let answer = self.fetch(
            &Access::Mount(from.to_owned()),
            &what,
            &mut Request::new(Method::Post, url),
            self.shared.limits().answer_bytes,
        )?;
        match answer.status {
            201 => Ok(Begun::Done),
            202 => Ok(Begun::Session(self.session(what, &answer)?)),
            // Not allowed there, or not known: the bytes can still be sent.
            _ => Ok(Begun::Session(self.begin(&self.blob_named(digest))?)),
        }
    }

    /// Begins an upload. `what` is what it is for, in messages.
    ///
    /// # Errors
    /// The registry could not be asked, or refuses.
    pub fn begin(&self, what: &str) -> Result<Session, Fault> {
        let mut request = self.request(Method::Post, "blobs/uploads/");
        let answer = self.fetch(&Access::Push, what, &mut request, self.shared.limits().answer_bytes)?;
        match answer.status {
            202 => self.session(what.to_owned(), &answer),
            status => Err(self.refusal(self.host(), what.to_owned(), status, &answer.bytes)),
        }
    }

    fn session(&self, what: String, answer: &Fetched) -> Result<Session, Fault> {
        let location = self.location(&what, answer)?;
        let least = answer.value("oci-chunk-min-length").and_then(|least| least.trim().parse().ok());
        Ok(Session { repository: self.clone(), what, location, at: 0, least })
    }

    /// Where an answer says that the upload goes on.
    fn location(&self, what: &str, answer: &Fetched) -> Result<Url, Fault> {
        let bad = |problem: String| {
            Fault::http(what, Failure::new(self.host(), Cause::BadAddress { header: "Location", problem }))
        };
        let header = answer.value("location").ok_or_else(|| bad("is missing".into()))?;
        let to = answer.url.join(header.trim()).map_err(|error| bad(error.to_string()))?;
        self.shared.client.onward(&answer.url, &to).map_err(|failure| Fault::http(what, failure))?;
        Ok(to)
    }

    /// Whether the host is known to take blobs in pieces only.
    pub(super) fn is_piecewise(&self) -> bool {
        self.shared.piecewise.lock().unwrap_or_else(PoisonError::into_inner).contains(self.host())
    }

    fn learn_piecewise(&self) {
        let mut hosts = self.shared.piecewise.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.insert(self.host().to_owned());
    }
}

impl Session {
    /// Sends the whole blob at once. The registry compares the digest.
    ///
    /// # Errors
    /// The connection broke, which may be tried again from the beginning; or the registry refuses.
    pub fn whole(self, digest: &Digest, size: u64, from: &mut dyn Read) -> Result<(), Fault> {
        self.put(digest, Body::Stream { length: Some(size), from })
    }

    /// Sends a whole blob that is held in memory, and so can be sent again.
    ///
    /// # Errors
    /// As [`Session::whole`].
    pub fn whole_bytes(self, digest: &Digest, bytes: &[u8]) -> Result<(), Fault> {
        self.put(digest, Body::Bytes(bytes))
    }

    /// Ends an upload in pieces.
    ///
    /// # Errors
    /// As [`Session::whole`].
    pub fn finish(self, digest: &Digest) -> Result<(), Fault> {
        self.put(digest, Body::None)
    }

    fn put(self, digest: &Digest, body: Body<'_>) -> Result<(), Fault> {
        let mut request = Request::new(Method::Put, self.location.with_query("digest", digest.as_str()));
        request.headers.push(("Content-Type", "application/octet-stream".to_owned()));
        let piece = !matches!(body, Body::None);
        request.body = body;
        let repository = &self.repository;
        let answer = repository.fetch(
            &Access::Push,
            &self.what,
            &mut request,
            repository.shared.limits().answer_bytes,
        )?;
        match answer.status {
            200 | 201 | 204 => {}
            status => {
                if status == 413 && piece {
                    repository.learn_piecewise();
                }
                return Err(repository.refusal(repository.host(), self.what, status, &answer.bytes));
            }
        }
        let told = answer.value("docker-content-digest").and_then(|told| Digest::parse(told.trim()).ok());
        // A registry may keep a blob of SHA-512 under SHA-256, and say so.
        match told.filter(|told| told != digest && told.algorithm_name() == digest.algorithm_name()) {
            Some(told) => {
                let host = repository.host().to_owned();
                Err(Fault::Altered { host, what: self.what, found: told.to_string() })
            }
            None => Ok(()),
        }
    }

    /// Sends the next piece. What the registry did not take of it is sent again.
    ///
    /// # Errors
    /// The registry refuses, or it takes no more however often it is tried.
    pub fn piece(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let (start, mut tries) = (self.at, self.repository.shared.retry_times());
        let mut pause = 0;
        loop {
            let done = usize::try_from(self.at - start).unwrap_or(usize::MAX);
            let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) else { return Ok(()) };
            let before = self.at;
            let result = self.patch(rest);
            let fault = match result {
                Ok(()) if self.at > before => continue,
                Ok(()) => self.repository.nonsense(&self.what, "an upload that does not go on"),
                Err(fault) if fault.is_passing() || is_out_of_step(&fault) => fault,
                Err(fault) => return Err(fault),
            };
            if tries == 0 {
                return Err(fault);
            }
            tries -= 1;
            pause += 1;
            crate::http::pause(pause);
            self.find_out(start, start + bytes.len() as u64)?;
        }
    }

    fn patch(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let mut request = Request::new(Method::Patch, self.location.clone());
        let end = self.at + bytes.len() as u64;
        request.headers.push(("Content-Type", "application/octet-stream".to_owned()));
        request.headers.push(("Content-Range", format!("{}-{}", self.at, end - 1)));
        // As a stream, so that nobody sends it twice: after a failure the registry is asked how far it came.
        let mut from = bytes;
        request.body = Body::Stream { length: Some(bytes.len() as u64), from: &mut from };
        let repository = self.repository.clone();
        let limit = repository.shared.limits().answer_bytes;
        let answer = repository.fetch(&Access::Push, &self.what, &mut request, limit)?;
        match answer.status {
            200..=204 => {}
            status => {
                return Err(repository.refusal(repository.host(), self.what.clone(), status, &answer.bytes));
            }
        }
        self.location = repository.location(&self.what, &answer)?;
        // Without a word all of it was taken.
        self.at = answer.value("range").and_then(|range| end_of(&range)).map_or(end, |taken| taken.min(end));
        Ok(())
    }

    /// Asks how far the registry came. It can neither have less than before the piece nor more than all of it.
    fn find_out(&mut self, least: u64, most: u64) -> Result<(), Fault> {
        let repository = self.repository.clone();
        let limit = repository.shared.limits().answer_bytes;
        let mut request = Request::new(Method::Get, self.location.clone());
        let answer = repository.fetch(&Access::Push, &self.what, &mut request, limit)?;
        if !matches!(answer.status, 200 | 202 | 204) {
            return Err(repository.refusal(
                repository.host(),
                self.what.clone(),
                answer.status,
                &answer.bytes,
            ));
        }
        if answer.value("location").is_some() {
            self.location = repository.location(&self.what, &answer)?;
        }
        let at = answer.value("range").and_then(|range| end_of(&range)).unwrap_or(least);
        if !(least..=most).contains(&at) {
            return Err(repository.nonsense(
                &self.what,
                &format!("an upload of {at} bytes, where {least} to {most} were sent"),
            ));
        }
        self.at = at;
        Ok(())
    }

    /// Tells the registry that nothing more comes. Whether it hears it does not matter: sessions end by themselves.
    pub fn cancel(self) {
        let mut request = Request::new(Method::Delete, self.location.clone());
        let _ = self.repository.fetch(&Access::Push, &self.what, &mut request, 64 << 10);
    }
}

/// Whether the registry has another idea of how far the upload is, or wants a token that is not used up.
fn is_out_of_step(fault: &Fault) -> bool {
    matches!(fault, Fault::Status { status: 416, .. } | Fault::Unauthorized { .. })
}

/// The number of bytes in `0-9`, which is 10. `0-0` is what registries say of none, and of one.
fn end_of(range: &str) -> Option<u64> {
    let range = range.trim();
    let (_, last) = range.strip_prefix("bytes=").unwrap_or(range).split_once('-')?;
    let last: u64 = last.trim().parse().ok()?;
    Some(if last == 0 { 0 } else { last + 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_count_bytes() {
        for (range, bytes) in [
            ("0-9", Some(10)),
            ("bytes=0-9", Some(10)),
            ("0-0", Some(0)),
            ("x", None),
            ("0-x", None),
            ("", None),
        ] {
            assert_eq!(end_of(range), bytes, "{range}");
        }
    }
}
