//! What is answered to a request (distribution-spec 1.1, "API").

use std::sync::Arc;

use super::blob::Blob;
use super::document::Document;
use super::referrers;
use super::request::{Part, Range, Request, range};
use super::shelf::{Repository, Shelf};
use crate::digest::Digest;
use crate::media::{self, OCI_INDEX};
use crate::reference::{is_repository_path, is_tag};

/// Names on one page of a list, if not fewer are asked for. 1,000, as other registries have it.
pub const PAGE: usize = 1_000;

/// An answer.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers, but for those of the connection and `Content-Length`.
    pub headers: Vec<(&'static str, String)>,
    /// The body, which HEAD leaves out.
    pub body: Body,
}

/// A body.
pub enum Body {
    /// These bytes.
    Bytes(Arc<[u8]>),
    /// A part of a blob.
    Blob(Blob, Part),
}

impl Body {
    /// Bytes of it.
    pub fn len(&self) -> u64 {
        match self {
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::Blob(_, (_, length)) => *length,
        }
    }
}

impl Answer {
    pub(super) fn new(status: u16, content_type: &str, bytes: impl Into<Arc<[u8]>>) -> Answer {
        let headers = vec![("Content-Type", content_type.to_owned())];
        Answer { status, headers, body: Body::Bytes(bytes.into()) }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Answer {
        self.headers.push((name, value.into()));
        self
    }

    /// An error as the specification has them.
    pub(super) fn error(status: u16, code: &str, message: impl Into<String>) -> Answer {
        let error = serde_json::json!({"errors": [{"code": code, "message": message.into()}]});
        Answer::new(status, "application/json", error.to_string().into_bytes())
    }
}

/// The answer to a request.
pub fn answer(shelf: &Shelf, request: &Request) -> Answer {
    let Some(path) = request.plain_path() else {
        return Answer::error(400, "UNSUPPORTED", "the path is no text");
    };
    if !matches!(&request.method[..], "GET" | "HEAD") {
        return Answer::error(
            405,
            "UNSUPPORTED",
            "this registry is read-only: restow serves what stands in archives",
        )
        .with("Allow", "GET, HEAD");
    }
    let Some(rest) = path.strip_prefix("/v2") else {
        return Answer::error(404, "UNSUPPORTED", "a registry has its paths below /v2/");
    };
    match rest {
        "" | "/" => return Answer::new(200, "application/json", *b"{}"),
        "/_catalog" => {
            let last = request.parameter("last");
            return page(request, "repositories", None, shelf.names(last.as_deref()));
        }
        _ => {}
    }
    let found = ["/manifests/", "/blobs/", "/referrers/", "/tags/"]
        .into_iter()
        .filter_map(|part| Some((rest.rfind(part)?, part)))
        .max();
    let Some((at, part)) = found.filter(|(at, _)| *at > 0) else {
        return Answer::error(404, "UNSUPPORTED", "there is no such address in a registry");
    };
    let (name, reference) = (&rest[1..at], &rest[at + part.len()..]);
    if !is_repository_path(name) {
        return Answer::error(400, "NAME_INVALID", "that is no name of a repository");
    }
    let Some(repository) = shelf.repository(name, request.parameter("ns").as_deref()) else {
        return Answer::error(404, "NAME_UNKNOWN", format!("there is no repository {name}"));
    };
    match part {
        "/manifests/" => manifest(repository, request, reference),
        "/blobs/" => blob(repository, request, reference),
        "/referrers/" => referrers(repository, request, reference),
        _ if reference == "list" => {
            let last = request.parameter("last");
            let tags = repository.tags.keys().map(String::as_str);
            let tags = tags.skip_while(|tag| last.as_deref().is_some_and(|last| *tag <= last));
            page(request, "tags", Some(name), tags)
        }
        _ => Answer::error(404, "UNSUPPORTED", "there is no such address in a registry"),
    }
}

/// One page of names, with a link to the next (specification, "Listing Tags").
fn page<'a>(
    request: &Request,
    key: &str,
    name: Option<&str>,
    names: impl Iterator<Item = &'a str>,
) -> Answer {
    let most = match request.parameter("n").map(|n| n.parse::<usize>()) {
        None => PAGE,
        Some(Ok(n)) => n.min(PAGE),
        Some(Err(_)) => return Answer::error(400, "PAGINATION_NUMBER_INVALID", "n is no number"),
    };
    let mut names: Vec<&str> = names.take(most + 1).collect();
    let more = names.len() > most;
    names.truncate(most);
    let mut list = serde_json::Map::new();
    list.extend(name.map(|name| ("name".to_owned(), name.into())));
    list.insert(key.to_owned(), names.clone().into());
    let answer = Answer::new(200, "application/json", serde_json::Value::from(list).to_string().into_bytes());
    match names.last().filter(|_| more) {
        // Names and tags have no letter that a query would have to escape but the slash, which it may have.
        Some(last) => answer.with("Link", format!("<{}?n={most}&last={last}>; rel=\"next\"", request.path)),
        None => answer,
    }
}

fn manifest(repository: &Repository, request: &Request, reference: &str) -> Answer {
    let (digest, by_tag) = match Digest::parse(reference) {
        Ok(digest) => (Some(digest), false),
        Err(_) if is_tag(reference) => (repository.tags.get(reference).cloned(), true),
        Err(_) => return Answer::error(400, "DIGEST_INVALID", "that is neither a tag nor a digest"),
    };
    let unknown = || Answer::error(404, "MANIFEST_UNKNOWN", format!("there is no manifest {reference}"));
    let Some(document) = digest.and_then(|digest| repository.documents.get(&digest)) else {
        return unknown();
    };
    if request.takes(&document.media_type) {
        return shown(document, request);
    }
    // Who asks for a tag and reads no indexes gets the image that Docker's registry would choose; a digest is what it is.
    let images = document.children.iter().filter_map(|child| repository.documents.get(child));
    let images: Vec<_> =
        images.filter(|child| child.platform.is_some() && request.takes(&child.media_type)).collect();
    let common = images.iter().find(|child| {
        child.platform.as_ref().is_some_and(|(os, architecture)| os == "linux" && architecture == "amd64")
    });
    match (by_tag, common, &images[..]) {
        (true, Some(child), _) | (true, None, [child]) => shown(child, request),
        _ => Answer::error(
            404,
            "MANIFEST_UNKNOWN",
            format!("{reference} is of the type {}, which Accept does not name", document.media_type),
        ),
    }
}

fn shown(document: &Arc<Document>, request: &Request) -> Answer {
    let etag = format!("\"{}\"", document.digest);
    if request.has(&etag) {
        return Answer::new(304, &document.media_type, []).with("Etag", etag);
    }
    Answer::new(200, &document.media_type, Arc::clone(&document.bytes))
        .with("Docker-Content-Digest", document.digest.to_string())
        .with("Etag", etag)
        // Whoever looks at it in a browser gets a text, whatever it claims to be.
        .with("X-Content-Type-Options", "nosniff")
}

fn blob(repository: &Repository, request: &Request, reference: &str) -> Answer {
    let Ok(digest) = Digest::parse(reference) else {
        return Answer::error(400, "DIGEST_INVALID", "that is no digest");
    };
    let Some(blob) = repository.blobs.get(&digest) else {
        // Some clients ask for manifests here, which are blobs as well.
        return match repository.documents.get(&digest) {
            Some(document) => shown(document, request),
            None => Answer::error(404, "BLOB_UNKNOWN", format!("there is no blob {digest}")),
        };
    };
    let etag = format!("\"{digest}\"");
    let with = |status, part| {
        let headers = vec![
            ("Content-Type", media::OCTET_STREAM.to_owned()),
            ("Docker-Content-Digest", digest.to_string()),
            ("Etag", etag.clone()),
            ("Accept-Ranges", "bytes".to_owned()),
            ("X-Content-Type-Options", "nosniff".to_owned()),
        ];
        Answer { status, headers, body: Body::Blob(blob.clone(), part) }
    };
    if request.has(&etag) {
        return Answer::new(304, media::OCTET_STREAM, []).with("Etag", etag);
    }
    let asked =
        request.range.as_deref().filter(|_| request.if_range.as_deref().is_none_or(|tag| tag == etag));
    match range(asked, blob.size) {
        Range::All => with(200, (0, blob.size)),
        Range::Part((from, length)) => with(206, (from, length))
            .with("Content-Range", format!("bytes {from}-{}/{}", from + length - 1, blob.size)),
        Range::Outside => Answer::error(416, "SIZE_INVALID", format!("the blob has {} bytes", blob.size))
            .with("Content-Range", format!("bytes */{}", blob.size)),
    }
}

fn referrers(repository: &Repository, request: &Request, reference: &str) -> Answer {
    let Ok(digest) = Digest::parse(reference) else {
        return Answer::error(400, "DIGEST_INVALID", "that is no digest");
    };
    let all = repository.referrers.get(&digest).map(Vec::as_slice).unwrap_or_default();
    let kind = request.parameter("artifactType").filter(|kind| !kind.is_empty());
    let answer = Answer::new(200, OCI_INDEX, referrers::list(all, kind.as_deref()));
    match kind {
        Some(_) => answer.with("OCI-Filters-Applied", "artifactType"),
        None => answer,
    }
}
