//! Manifests and indexes: bytes under a tag or digest.

use super::fault::Fault;
use super::repository::{Access, Repository};
use crate::digest::Digest;
use crate::http::{Answer, Body, Cause, Fetched, Method};
use crate::media;

/// Every type that restow understands; schema 1 last, for registries that have nothing else (formats.md G.2).
const ACCEPT: &[&str] = &[
    media::OCI_INDEX,
    media::OCI_MANIFEST,
    media::DOCKER_LIST,
    media::DOCKER_MANIFEST,
    media::OCI_ARTIFACT_MANIFEST,
    media::DOCKER_SCHEMA1_SIGNED,
    media::DOCKER_SCHEMA1,
];

/// A manifest or index as a registry gave it.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// Its exact bytes. Whether they hash to what was asked for is for the caller to judge.
    pub bytes: Vec<u8>,
    /// What the registry calls it, without parameters.
    pub media_type: Option<String>,
    /// What the registry says that it hashes to; a hint.
    pub digest: Option<Digest>,
}

/// What a registry tells of a manifest without giving it: all hints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// What it hashes to.
    pub digest: Option<Digest>,
    /// Its size.
    pub size: Option<u64>,
    /// What it is.
    pub media_type: Option<String>,
}

/// What a registry made of a manifest that it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Put {
    /// Whether it put the manifest among the referrers of its subject.
    pub knows_subject: bool,
}

impl Repository {
    /// The manifest under a tag or digest; `None` if the registry has none.
    ///
    /// # Errors
    /// The registry could not be asked, refuses, or sends more than the limit document-bytes.
    pub fn manifest(&self, reference: &str) -> Result<Option<Manifest>, Fault> {
        let what = self.named(reference);
        let mut request = self.request(Method::Get, &format!("manifests/{reference}"));
        request.headers.push(("Accept", ACCEPT.join(", ")));
        let limit = self.shared.limits().document_bytes;
        let answer = self.fetch(&Access::Pull, &what, &mut request, limit);
        let answer = answer.map_err(|fault| self.too_long(fault, "document-bytes", limit))?;
        match answer.status {
            200 => {}
            404 => return Ok(None),
            status => return Err(self.refusal(self.host(), what, status, &answer.bytes)),
        }
        let media_type = media_type(&answer);
        let page = media_type.as_deref().is_some_and(|kind| kind.starts_with("text/html"));
        if page || answer.bytes.trim_ascii_start().first() == Some(&b'<') {
            let found = super::answer::described(&answer.bytes, media_type.as_deref());
            return Err(Fault::Nonsense { host: self.host().to_owned(), what, found });
        }
        let digest = told_digest(&answer);
        Ok(Some(Manifest { bytes: answer.bytes, media_type, digest }))
    }

    /// What the registry tells of the manifest under a tag or digest; `None` if it has none.
    ///
    /// # Errors
    /// As [`Repository::manifest`].
    pub fn head(&self, reference: &str) -> Result<Option<Head>, Fault> {
        let what = self.named(reference);
        let mut request = self.request(Method::Head, &format!("manifests/{reference}"));
        request.headers.push(("Accept", ACCEPT.join(", ")));
        let answer = self.send(&Access::Pull, &what, &mut request)?;
        match answer.status {
            200 => {
                let size = answer.value("content-length").and_then(|size| size.parse().ok());
                Ok(Some(Head { digest: told_digest(&answer), size, media_type: media_type(&answer) }))
            }
            404 => Ok(None),
            _ => Err(self.unwanted(&what, answer)),
        }
    }

    /// Puts a manifest under a tag or its digest.
    ///
    /// # Errors
    /// The registry could not be asked, refuses, or says that it holds something else now.
    pub fn put(&self, reference: &str, media_type: &str, bytes: &[u8]) -> Result<Put, Fault> {
        let what = self.named(reference);
        let mut request = self.request(Method::Put, &format!("manifests/{reference}"));
        request.headers.push(("Content-Type", media_type.to_owned()));
        request.body = Body::Bytes(bytes);
        let answer = self.fetch(&Access::Push, &what, &mut request, self.shared.limits().answer_bytes)?;
        if !matches!(answer.status, 200..=202 | 204) {
            return Err(self.refusal(self.host(), what, answer.status, &answer.bytes));
        }
        if let Some(told) = told_digest(&answer) {
            let signed = media_type == media::DOCKER_SCHEMA1_SIGNED;
            let sent = told.of_same_kind(bytes).filter(|sent| *sent != told && !signed);
            if sent.is_some() {
                return Err(Fault::Altered { host: self.host().to_owned(), what, found: told.to_string() });
            }
        }
        Ok(Put { knows_subject: answer.value("oci-subject").is_some() })
    }

    /// `host/path:tag` or `host/path@digest`.
    pub(super) fn named(&self, reference: &str) -> String {
        let joint = if reference.contains(':') { '@' } else { ':' };
        format!("{}{joint}{reference}", self.shown())
    }

    /// Says by which limit an answer is too long.
    pub(super) fn too_long(&self, fault: Fault, name: &'static str, limit: u64) -> Fault {
        match fault {
            Fault::Http { what, failure } if matches!(failure.cause, Cause::TooLong { .. }) => {
                Fault::Limit { host: failure.host, what, name, limit }
            }
            fault => fault,
        }
    }
}

fn media_type(answer: &impl Answer) -> Option<String> {
    let header = answer.value("content-type")?;
    let kind = header.split(';').next().unwrap_or_default().trim().to_owned();
    (!kind.is_empty()).then_some(kind)
}

fn told_digest(answer: &impl Answer) -> Option<Digest> {
    Digest::parse(answer.value("docker-content-digest")?.trim()).ok()
}

/// The type of an answer that was read.
pub(super) fn type_of(answer: &Fetched) -> Option<String> {
    media_type(answer)
}
