//! One request and its answer: where it may go, how often it is tried, and what is told when it fails.

use std::io::{self, Read};
use std::time::{Duration, Instant, SystemTime};

use super::body::{Incoming, Outgoing, Slow};
use super::client::Client;
use super::failure::{Cause, Failure};
use super::gate::{Gate, Lane};
use super::secret::Secret;
use super::url::Url;
use super::{redirect, retry};

/// What is asked of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of HTTP")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }

    /// Whether an answer that redirects is followed: uploads go where they were sent, or nowhere.
    fn follows(self) -> bool {
        matches!(self, Method::Get | Method::Head)
    }
}

/// What a request carries.
pub enum Body<'a> {
    /// Nothing.
    None,
    /// Bytes that can be sent again.
    Bytes(&'a [u8]),
    /// Bytes that come once: such a request is tried once.
    Stream {
        /// How many they are, if that is known.
        length: Option<u64>,
        /// Where they come from.
        from: &'a mut dyn Read,
    },
}

/// A request.
pub struct Request<'a> {
    /// What to do.
    pub method: Method,
    /// Where.
    pub url: Url,
    /// Headers beside those that are made here.
    pub headers: Vec<(&'static str, String)>,
    /// Headers that somebody else made, such as a signature of what is asked.
    pub made: Vec<(String, String)>,
    /// `Authorization`: sent to the origin of `url` and to no other.
    pub authorization: Option<Secret>,
    /// What it carries.
    pub body: Body<'a>,
}

impl<'a> Request<'a> {
    /// A request without body.
    pub fn new(method: Method, url: Url) -> Request<'a> {
        Request { method, url, headers: Vec::new(), made: Vec::new(), authorization: None, body: Body::None }
    }

    fn lane(&self) -> Lane {
        if self.method.follows() { Lane::Read } else { Lane::Write }
    }
}

/// An answer whose body is still to be read.
pub struct Response {
    /// The status.
    pub status: u16,
    /// Where it came from, redirects followed.
    pub url: Url,
    /// The body.
    pub body: Incoming,
    headers: ureq::http::HeaderMap,
}

impl Response {
    /// Reads the body, if it has at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Incoming::whole`].
    pub fn fetched(self, limit: u64) -> Result<Fetched, Failure> {
        let (status, url, headers) = (self.status, self.url, self.headers);
        Ok(Fetched { status, url, bytes: self.body.whole(limit)?, headers })
    }

    /// Its headers, and its body.
    #[cfg(feature = "cloud")]
    pub fn into_parts(self) -> (ureq::http::HeaderMap, Incoming) {
        (self.headers, self.body)
    }
}

/// An answer that was read.
#[derive(Debug)]
pub struct Fetched {
    /// The status.
    pub status: u16,
    /// Where it came from, redirects followed.
    pub url: Url,
    /// The body.
    pub bytes: Vec<u8>,
    headers: ureq::http::HeaderMap,
}

impl Client {
    /// Sends a request and returns the answer, whatever its status, with its body still to come.
    ///
    /// Where the body can be sent again, failures and answers that may pass are tried again.
    ///
    /// # Errors
    /// No answer came.
    pub fn send(&self, request: &mut Request<'_>) -> Result<Response, Failure> {
        self.again(request, &mut |client, request| client.follow(request))
    }

    /// Sends a request and reads the answer, of at most `limit` bytes; one that breaks off is asked for again.
    ///
    /// # Errors
    /// No whole answer came.
    pub fn fetch(&self, request: &mut Request<'_>, limit: u64) -> Result<Fetched, Failure> {
        self.again(request, &mut |client, request| client.follow(request)?.fetched(limit))
    }

    fn again<T: Answer>(
        &self,
        request: &mut Request<'_>,
        send: &mut dyn FnMut(&Client, &mut Request<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let tries = if matches!(request.body, Body::Stream { .. }) { 0 } else { self.options().retry_times };
        let limit = self.options().limits.retry_seconds;
        let mut attempt = 0;
        loop {
            let result = send(self, request);
            let passing = match &result {
                Ok(answer) => retry::is_passing(answer.status()),
                Err(failure) => failure.is_passing(),
            };
            if !passing || attempt >= tries {
                return result;
            }
            attempt += 1;
            let asked = result
                .as_ref()
                .ok()
                .and_then(|answer| retry::asked(&answer.value("retry-after")?, SystemTime::now()));
            if let Some(asked) = asked.filter(|asked| asked.as_secs() > limit) {
                let cause = Cause::Wait { seconds: asked.as_secs(), limit };
                return Err(Failure::new(request.url.origin().authority(), cause));
            }
            // The answer holds a place at the host, which others may need meanwhile.
            drop(result);
            std::thread::sleep(asked.unwrap_or_default().max(retry::pause(attempt)));
        }
    }

    /// Sends a request once, whatever comes of it: to find out how a host is to be asked.
    ///
    /// # Errors
    /// No answer came.
    pub fn probe(&self, request: &mut Request<'_>) -> Result<Response, Failure> {
        self.once(request)
    }

    /// Whether an address that an answer names may be gone to.
    ///
    /// # Errors
    /// It may not, as with redirects.
    pub fn onward(&self, from: &Url, to: &Url) -> Result<(), Failure> {
        redirect::allowed(from, to, self.options())
    }

    /// One try, redirects followed.
    fn follow(&self, request: &mut Request<'_>) -> Result<Response, Failure> {
        let first = request.url.clone();
        let authorization = request.authorization.clone();
        let result = self.follow_from(request, &first);
        (request.url, request.authorization) = (first, authorization);
        result
    }

    fn follow_from(&self, request: &mut Request<'_>, first: &Url) -> Result<Response, Failure> {
        let limit = self.options().limits.redirects;
        if !first.origin().tls && !self.options().allows_plain(first.origin().authority()) {
            return Err(Failure::new(first.origin().authority(), Cause::PlainHttp));
        }
        for _ in 0..=limit {
            let response = self.once(request)?;
            if !request.method.follows() {
                return Ok(response);
            }
            let location = response.headers.get("location").map(|value| value.to_str().unwrap_or_default());
            match redirect::target(response.status, location, &request.url, self.options())? {
                None => return Ok(response),
                Some(to) => {
                    // Credentials are for the origin that they were meant for.
                    if to.origin() != first.origin() {
                        request.authorization = None;
                    }
                    request.url = to;
                }
            }
        }
        Err(Failure::new(first.origin().authority(), Cause::Redirects(limit)))
    }

    /// One request to one address.
    fn once(&self, request: &mut Request<'_>) -> Result<Response, Failure> {
        let origin = request.url.origin().clone();
        let host = origin.authority().to_owned();
        let agent = self.agent(&origin)?;
        let gate = self.gate(&origin, request.lane());
        let patience = self.patience();
        let silent = Cause::Silent { what: "no other request came to an end", seconds: patience.as_secs() };
        let permit = gate.enter(patience).ok_or_else(|| Failure::new(&host, silent))?;

        let mut builder =
            ureq::http::Request::builder().method(request.method.name()).uri(request.url.full());
        builder = builder.header("Accept-Encoding", "identity");
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        for (name, value) in &request.made {
            builder = builder.header(name, value);
        }
        if let Some(secret) = &request.authorization {
            builder = builder.header("Authorization", secret.expose());
        }
        let mut source_failed = None;
        let begun = Instant::now();
        let result = match &mut request.body {
            Body::None if request.method.follows() || request.method == Method::Delete => {
                build(builder.body(()), &host).and_then(|request| self.answer(&host, agent.run(request)))
            }
            Body::None => {
                let builder = builder.header("Content-Length", "0");
                build(builder.body(&[][..]), &host).and_then(|request| self.answer(&host, agent.run(request)))
            }
            Body::Bytes(bytes) => {
                let (mut from, length) = (*bytes, Some(bytes.len() as u64));
                let mut body = Outgoing {
                    from: &mut from,
                    permit: &permit,
                    pace: self.pace(),
                    failed: &mut source_failed,
                };
                self.carry(&agent, builder, length, &mut body, &host)
            }
            Body::Stream { length, from } => {
                let pace = self.pace();
                let mut body =
                    Outgoing { from: &mut **from, permit: &permit, pace, failed: &mut source_failed };
                self.carry(&agent, builder, *length, &mut body, &host)
            }
        };
        if let Some(error) = source_failed {
            let cause = Failure::of(&error).cloned();
            return Err(cause.unwrap_or_else(|| Failure::new(&host, Cause::Broken(error.to_string()))));
        }
        let response = result?;
        // With a body it is that which takes the time.
        let took = matches!(request.body, Body::None).then(|| begun.elapsed());
        self.note(&gate, &response, took);
        let (parts, body) = response.into_parts();
        let announced =
            parts.headers.get("content-length").and_then(|value| value.to_str().ok()?.parse().ok());
        let expected = announced
            .filter(|_| request.method != Method::Head && !parts.headers.contains_key("transfer-encoding"));
        let body = Incoming {
            inner: Box::new(body.into_reader()),
            host,
            permit: Some(permit),
            pace: self.pace(),
            patience,
            expected,
            most: u64::MAX,
            received: 0,
            slow: Slow::default(),
        };
        Ok(Response { status: parts.status.as_u16(), url: request.url.clone(), body, headers: parts.headers })
    }

    /// Sends a request with a body.
    fn carry(
        &self,
        agent: &ureq::Agent,
        mut builder: ureq::http::request::Builder,
        length: Option<u64>,
        body: &mut Outgoing<'_>,
        host: &str,
    ) -> Result<ureq::http::Response<ureq::Body>, Failure> {
        if let Some(length) = length {
            builder = builder.header("Content-Length", length.to_string());
        }
        let request = build(builder.body(ureq::SendBody::from_reader(body)), host)?;
        self.answer(host, agent.run(request))
    }

    /// Lets the gate learn from an answer, and from the time that it took to come.
    fn note(&self, gate: &Gate, response: &ureq::http::Response<ureq::Body>, took: Option<Duration>) {
        let status = response.status().as_u16();
        if retry::is_too_much(status) {
            let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
            let asked = header.and_then(|header| retry::asked(header, SystemTime::now())).unwrap_or_default();
            gate.too_much(asked.min(Duration::from_secs(self.options().limits.retry_seconds)));
        } else if status < 500 {
            gate.went_well(took);
        }
    }

    fn answer(
        &self,
        host: &str,
        result: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<ureq::http::Response<ureq::Body>, Failure> {
        result.map_err(|error| Failure::new(host, self.cause(error)))
    }

    fn cause(&self, error: ureq::Error) -> Cause {
        use ureq::{Error as E, Timeout as T};
        let limits = &self.options().limits;
        match error {
            E::HostNotFound => Cause::UnknownHost,
            E::Timeout(T::Connect | T::Resolve) => {
                Cause::Silent { what: "no connection came about", seconds: limits.connect_seconds }
            }
            E::Timeout(_) => Cause::Silent { what: "no answer came", seconds: limits.wait_seconds },
            E::Io(error) => io_cause(&error),
            E::ConnectionFailed => Cause::NoConnection("no address answers".into()),
            E::Tls(why) => Cause::Tls(why.to_owned()),
            E::Rustls(error) => Cause::Tls(tls_text(&error)),
            E::Protocol(error) => Cause::Protocol(error.to_string()),
            E::LargeResponseHeader(..) => Cause::Protocol("its headers are too long".into()),
            E::InvalidProxyUrl => Cause::Proxy("its address is not one".into()),
            E::ConnectProxyFailed(why) => Cause::Proxy(why),
            other => Cause::Broken(other.to_string()),
        }
    }
}

fn build<T>(
    request: Result<ureq::http::Request<T>, ureq::http::Error>,
    host: &str,
) -> Result<ureq::http::Request<T>, Failure> {
    request.map_err(|_| {
        let problem = "cannot be sent".to_owned();
        Failure::new(host, Cause::BadAddress { header: "the request", problem })
    })
}

fn io_cause(error: &io::Error) -> Cause {
    use io::ErrorKind as K;
    if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return Cause::Tls(tls_text(tls));
    }
    match error.kind() {
        K::ConnectionRefused | K::HostUnreachable | K::NetworkUnreachable | K::AddrNotAvailable => {
            Cause::NoConnection(plain_words(error))
        }
        K::TimedOut | K::WouldBlock => Cause::Broken("it timed out".into()),
        _ => Cause::Broken(plain_words(error)),
    }
}

/// Without the number that the system adds.
fn plain_words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

fn tls_text(error: &rustls::Error) -> String {
    use rustls::{CertificateError as C, Error as E};
    match error {
        E::InvalidCertificate(C::UnknownIssuer) => {
            "its certificate is signed by an authority that is not known".into()
        }
        E::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => "its certificate has expired".into(),
        E::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => {
            "its certificate is not valid yet".into()
        }
        E::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            "its certificate is for another host".into()
        }
        E::InvalidCertificate(C::BadSignature) => {
            "its certificate is not signed by the authority that it names".into()
        }
        error if super::verify::is_authority(error) => {
            "its certificate is one of an authority, and not known itself".into()
        }
        E::InvalidMessage(_) => "what answers is no TLS".into(),
        other => other.to_string(),
    }
}

/// What can be asked of an answer before its body is read.
pub trait Answer {
    /// The status.
    fn status(&self) -> u16;

    /// All headers of a name that are text.
    fn values(&self, name: &str) -> Vec<String>;

    /// The first header of a name.
    fn value(&self, name: &str) -> Option<String> {
        self.values(name).into_iter().next()
    }
}

fn values(headers: &ureq::http::HeaderMap, name: &str) -> Vec<String> {
    headers.get_all(name).iter().filter_map(|value| Some(value.to_str().ok()?.to_owned())).collect()
}

impl Answer for Response {
    fn status(&self) -> u16 {
        self.status
    }

    fn values(&self, name: &str) -> Vec<String> {
        values(&self.headers, name)
    }
}

impl Answer for Fetched {
    fn status(&self) -> u16 {
        self.status
    }

    fn values(&self, name: &str) -> Vec<String> {
        values(&self.headers, name)
    }
}
