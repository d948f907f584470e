//! The requests of `object_store`, made by [`http`](crate::http): one TLS, one list of trusted certificates, the same limits and proxies
//! as for registries. It signs and tries again; redirects are told, not followed.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{self, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use http_body::{Body as _, Frame};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService,
};

use crate::http::body::Incoming;
use crate::http::{
    Body, Cause, Client, Environment, Failure, Method, Options, Request, Secret, Url, is_loopback,
};
use crate::limits::Limits;

/// Bytes of a body that are handed on at once.
const PIECE: usize = 64 << 10;

/// Where machines of a cloud ask who they are. Elsewhere nobody answers, and nothing is gained by waiting.
const METADATA: &[&str] = &[
    "169.254.169.254",
    "[fd00:ec2::254]",
    "metadata",
    "metadata.google.internal",
    "169.254.170.23",
    "169.254.170.2",
];

/// Seconds that such a host may take.
const METADATA_SECONDS: u64 = 2;

thread_local! {
    /// The condition of the request that joins parts to one object, which `object_store` has no word for.
    static JOINED_IF: RefCell<Option<(&'static str, String)>> = const { RefCell::new(None) };
}

/// Does what joins parts to one object, under a condition. Requests are made by the thread that waits for them.
pub(super) fn joining<T>(condition: Option<(&'static str, String)>, join: impl FnOnce() -> T) -> T {
    JOINED_IF.set(condition);
    let joined = join();
    JOINED_IF.set(None);
    joined
}

/// Makes requests.
#[derive(Clone)]
pub(super) struct Wire(Arc<Inner>);

struct Inner {
    client: Client,
    /// For hosts of [`METADATA`], which no proxy reaches.
    near: Client,
    /// Authorities that the user named with `http://`.
    plain: BTreeSet<String>,
    /// Bytes of a list.
    list_bytes: u64,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

impl Wire {
    /// Requests under these limits. Besides loopback only the hosts of `endpoints` are asked without TLS, if they are so written.
    pub fn new(limits: &Limits, environment: &Environment, endpoints: &[String]) -> Wire {
        let mut options = Options::new(limits, environment.clone());
        options.ca.extend(environment.path("AWS_CA_BUNDLE"));
        let mut near = Options::new(limits, Environment::default());
        near.limits.connect_seconds = METADATA_SECONDS;
        near.limits.wait_seconds = METADATA_SECONDS;
        let plain = endpoints.iter().filter_map(|text| Url::parse(text).ok());
        let plain = plain.filter(|url| !url.origin().tls).map(|url| url.origin().authority().to_owned());
        let plain = plain.collect();
        let list_bytes = limits.answer_bytes;
        Wire(Arc::new(Inner { client: Client::new(options), near: Client::new(near), plain, list_bytes }))
    }

    /// Whether nobody but machines of a cloud can ask this host.
    fn is_near(host: &str) -> bool {
        let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
        METADATA.contains(&name.map_or(host, |(name, _)| name))
    }
}

#[async_trait]
impl HttpService for Wire {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let body = gathered(body)?;
        let url = Url::parse(&parts.uri.to_string())
            .map_err(|error| HttpError::new(HttpErrorKind::Unknown, io::Error::other(error.to_string())))?;
        let host = url.origin().authority().to_owned();
        let query = parts.uri.query().unwrap_or_default();
        let is_list = ["list-type=", "comp=list"].iter().any(|word| query.contains(word));
        let method = match parts.method.as_str() {
            "HEAD" => Method::Head,
            "PUT" => Method::Put,
            "POST" => Method::Post,
            "DELETE" => Method::Delete,
            _ => Method::Get,
        };
        let inner = &self.0;
        let near = Wire::is_near(&host);
        let local = near || is_loopback(&host) || inner.plain.contains(&host);
        if !url.origin().tls && !local {
            return Err(failed(Failure::new(host, Cause::PlainHttp), near));
        }
        let mut asked = Request::new(method, url);
        for (name, value) in &parts.headers {
            let Ok(value) = value.to_str() else { continue };
            match name.as_str() {
                "authorization" => asked.authorization = Some(Secret::new(value)),
                // They follow from what is sent, and who sends it.
                "host" | "content-length" | "accept-encoding" | "user-agent" => {}
                name => asked.made.push((name.to_owned(), value.to_owned())),
            }
        }
        if method == Method::Post && query.contains("uploadId=") {
            // It is not among what is signed, and need not be.
            let condition = JOINED_IF.with_borrow(Clone::clone);
            asked.made.extend(condition.map(|(name, value)| (name.to_owned(), value)));
        }
        if !body.is_empty() {
            asked.body = Body::Bytes(&body);
        }
        let client = if near { &inner.near } else { &inner.client };
        let answer = client.probe(&mut asked).map_err(|failure| failed(failure, near))?;
        let status = answer.status;
        let (headers, incoming) = answer.into_parts();
        let body = match is_list {
            // One that breaks off is asked for again.
            true => incoming.whole(inner.list_bytes).map_err(|failure| failed(failure, near))?.into(),
            false => HttpResponseBody::new(Stream(Mutex::new(Some(incoming)))),
        };
        let mut response = HttpResponse::new(body);
        *response.status_mut() = status
            .try_into()
            .map_err(|_| HttpError::new(HttpErrorKind::Unknown, io::Error::other("no status of HTTP")))?;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

impl HttpConnector for Wire {
    fn connect(&self, _: &object_store::ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

/// Why a request failed, and so whether it is tried again.
fn failed(failure: Failure, near: bool) -> HttpError {
    let kind = match &failure.cause {
        _ if near => HttpErrorKind::Unknown,
        Cause::NoConnection(_) => HttpErrorKind::Connect,
        Cause::Silent { .. } => HttpErrorKind::Timeout,
        _ if failure.is_passing() => HttpErrorKind::Interrupted,
        _ => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, failure)
}

/// The body of a request. Its pieces are at hand.
fn gathered(mut body: object_store::client::HttpRequestBody) -> Result<Bytes, HttpError> {
    if let Some(bytes) = body.as_bytes() {
        return Ok(bytes.clone());
    }
    let mut all = Vec::with_capacity(body.content_length());
    let mut context = task::Context::from_waker(task::Waker::noop());
    while let Poll::Ready(Some(frame)) = Pin::new(&mut body).poll_frame(&mut context) {
        if let Ok(data) = frame?.into_data() {
            all.extend_from_slice(&data);
        }
    }
    Ok(all.into())
}

/// The body of an answer, read where it is asked for.
struct Stream(Mutex<Option<Incoming>>);

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let incoming = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(from) = incoming else { return Poll::Ready(None) };
        let mut piece = vec![0; PIECE];
        loop {
            match from.read(&mut piece) {
                Ok(0) => {
                    *incoming = None;
                    return Poll::Ready(None);
                }
                Ok(n) => {
                    piece.truncate(n);
                    return Poll::Ready(Some(Ok(Frame::data(piece.into()))));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    *incoming = None;
                    let kind = HttpErrorKind::Interrupted;
                    return Poll::Ready(Some(Err(match Failure::of(&error) {
                        Some(failure) => HttpError::new(kind, failure.clone()),
                        None => HttpError::new(kind, error),
                    })));
                }
            }
        }
    }
}
