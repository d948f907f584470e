//! The requests of `object_store`, made by [`http`](crate::http): one TLS, one list of trusted certificates, the same limits and proxies
//! as for registries. It signs and tries again; redirects are told, not followed.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{self, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use http_body::{Body as _, Frame};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService,
};

use super::Access;
use crate::http::body::Incoming;
use crate::http::{
    Body, Cause, Client, Environment, Failure, Method, Options, Request, Secret, Url, is_loopback,
};

/// Bytes of a body that are handed on at once.
const PIECE: usize = 64 << 10;

/// Where machines and containers of a cloud ask who they are. Elsewhere nobody answers, and nothing is gained by waiting.
const METADATA: &[&str] = &[
    "169.254.169.254",
    "[fd00:ec2::254]",
    "metadata",
    "metadata.google.internal",
    "169.254.170.23",
    "[fd00:ec2::23]",
    "169.254.170.2",
];

/// Seconds that such a host may take.
const METADATA_SECONDS: u64 = 2;

/// Who gives credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keeper {
    /// `host[:port]`.
    pub host: String,
    /// Whether nobody named it: it is asked because nothing else says who asks.
    pub guessed: bool,
}

thread_local! {
    /// Whether the last request of this thread was for credentials, and whom it asked.
    static ASKED: RefCell<Option<Keeper>> = const { RefCell::new(None) };
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

/// Nothing was asked yet for what is begun now.
pub(super) fn nobody_asked() {
    ASKED.set(None);
}

/// Who was asked for credentials by the last request of what this thread did last.
pub(super) fn keeper() -> Option<Keeper> {
    ASKED.with_borrow(Clone::clone)
}

/// Hosts that what surrounds a command names.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    /// URLs of the store.
    pub store: Vec<String>,
    /// URLs or `host[:port]` on this machine or near it, where it is asked who it is; plain HTTP is spoken there.
    pub near: Vec<String>,
    /// URLs elsewhere where credentials are had.
    pub keepers: Vec<String>,
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
    /// Authorities that are asked for credentials, and whether they are near.
    keepers: BTreeMap<String, bool>,
    /// Whether a host that nobody named has told who asks.
    told: AtomicBool,
    /// Bytes of a list.
    list_bytes: u64,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

impl Wire {
    /// Requests under these limits. Besides loopback only hosts that were given are asked without TLS, if they are so written.
    pub fn new(access: &Access, environment: &Environment, hosts: &Hosts) -> Wire {
        let mut options = Options::new(&access.limits, environment.clone());
        options.ca.extend(environment.path("AWS_CA_BUNDLE"));
        options.ca.extend_from_slice(&access.ca);
        options.limit_rate = access.limit_rate;
        let mut near = Options::new(&access.limits, Environment::default());
        near.limits.connect_seconds = METADATA_SECONDS;
        near.limits.wait_seconds = METADATA_SECONDS;
        let authority = |url: &Url| url.origin().authority().to_owned();
        let parsed = |text: &String| Url::parse(text).ok();
        let given: Vec<Url> = hosts.store.iter().filter_map(parsed).collect();
        let plain = given.iter().filter(|url| !url.origin().tls).map(authority).collect();
        if !access.tls_verify {
            options.insecure = given.iter().map(authority).collect();
        }
        let mut keepers: BTreeMap<String, bool> =
            hosts.keepers.iter().filter_map(parsed).map(|url| (authority(&url), false)).collect();
        let whole =
            |text: &String| if text.contains("://") { text.clone() } else { format!("http://{text}") };
        keepers.extend(
            hosts.near.iter().map(whole).filter_map(|text| parsed(&text)).map(|url| (authority(&url), true)),
        );
        let list_bytes = access.limits.answer_bytes;
        let told = AtomicBool::new(false);
        let (client, near) = (Client::new(options), Client::new(near));
        Wire(Arc::new(Inner { client, near, plain, keepers, told, list_bytes }))
    }

    /// Whether a request is for credentials, and whom it asks; and whether nobody but this machine can ask there.
    fn asks(&self, host: &str, query: &str) -> (Option<Keeper>, bool) {
        let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
        let guessed = METADATA.contains(&name.map_or(host, |(name, _)| name));
        let given = self.0.keepers.get(host).copied();
        let is_one = guessed || given.is_some() || query.contains("Action=AssumeRole");
        let guessed = guessed && given.is_none();
        (is_one.then(|| Keeper { host: host.to_owned(), guessed }), guessed || given == Some(true))
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
        let (keeper, near) = self.asks(&host, query);
        // Nothing is gained by asking again where nobody may be; one that has answered is asked again, as others are.
        let once =
            keeper.as_ref().is_some_and(|keeper| keeper.guessed) && !inner.told.load(Ordering::Relaxed);
        ASKED.set(keeper);
        let local = near || is_loopback(&host) || inner.plain.contains(&host);
        if !url.origin().tls && !local {
            return Err(failed(Failure::new(host, Cause::PlainHttp), once));
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
        let answer = client.probe(&mut asked).map_err(|failure| failed(failure, once))?;
        inner.told.fetch_or(near, Ordering::Relaxed);
        let status = answer.status;
        let (headers, incoming) = answer.into_parts();
        let body = match is_list {
            // One that breaks off is asked for again.
            true => incoming.whole(inner.list_bytes).map_err(|failure| failed(failure, once))?.into(),
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
fn failed(failure: Failure, once: bool) -> HttpError {
    let kind = match &failure.cause {
        _ if once => HttpErrorKind::Unknown,
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
