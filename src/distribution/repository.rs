//! One repository of one host: requests to it, with what must be shown.

use std::sync::Arc;

use super::challenge::Challenge;
use super::fault::Fault;
use super::registries::Registries;
use crate::http::{Answer, Client, Failure, Fetched, Method, Origin, Request, Response, Url};

/// What is to be done, which a token is asked for: pulling and pushing apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Reading.
    Pull,
    /// Writing.
    Push,
    /// Writing, with blobs taken over from another repository of the host.
    Mount(String),
    /// Listing the repositories of the host.
    Catalog,
}

/// A repository, for reading and writing.
#[derive(Clone)]
pub struct Repository {
    pub(super) shared: Arc<Registries>,
    /// The domain of its name, under which credentials are kept.
    pub(super) domain: String,
    pub(super) origin: Origin,
    pub(super) path: String,
}

impl Registries {
    /// A repository where its name says that it is: to write to, or where no mirror is wanted.
    ///
    /// # Errors
    /// The host is none, is blocked, or cannot be reached.
    pub fn repository(self: &Arc<Self>, domain: &str, path: &str) -> Result<Repository, Fault> {
        if let Some(file) = self.config.blocks(domain, path) {
            return Err(Fault::Blocked { name: format!("{domain}/{path}"), path: file.to_owned() });
        }
        let (domain, path) = self.config.primary(domain, path);
        self.at(&domain, &path)
    }

    /// A repository at exactly this host.
    pub(super) fn at(self: &Arc<Self>, domain: &str, path: &str) -> Result<Repository, Fault> {
        let host = super::host_of(domain).to_ascii_lowercase();
        let origin = self.origin(&host)?;
        Ok(Repository::new(Arc::clone(self), domain.to_owned(), origin, path.to_owned()))
    }
}

/// Bytes of a refusal that are read.
const REFUSAL: u64 = 64 << 10;

impl Repository {
    pub(super) fn new(shared: Arc<Registries>, domain: String, origin: Origin, path: String) -> Repository {
        Repository { shared, domain, origin, path }
    }

    /// `host[:port]` of the registry.
    pub fn host(&self) -> &str {
        self.origin.authority()
    }

    /// The path of its name.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// `domain/path`, for people.
    pub fn shown(&self) -> String {
        if self.path.is_empty() { self.domain.clone() } else { format!("{}/{}", self.domain, self.path) }
    }

    /// What all registries of the run share.
    pub fn registries(&self) -> &Arc<Registries> {
        &self.shared
    }

    /// An address below the repository.
    pub(super) fn url(&self, below: &str) -> Url {
        Url::new(self.origin.clone(), format!("/v2/{}/{below}", self.path))
    }

    fn scopes(&self, access: &Access) -> Vec<String> {
        match access {
            Access::Pull => vec![format!("repository:{}:pull", self.path)],
            Access::Push => vec![format!("repository:{}:pull,push", self.path)],
            Access::Mount(from) => {
                vec![format!("repository:{}:pull,push", self.path), format!("repository:{from}:pull")]
            }
            Access::Catalog => vec!["registry:catalog:*".to_owned()],
        }
    }

    /// Sends a request and reads the answer, of at most `limit` bytes.
    pub(super) fn fetch(
        &self,
        access: &Access,
        what: &str,
        request: &mut Request<'_>,
        limit: u64,
    ) -> Result<Fetched, Fault> {
        let mut send = |client: &Client, request: &mut Request<'_>| client.fetch(request, limit);
        self.call(access, what, request, &mut send)
    }

    /// Sends a request; the body is still to come.
    pub(super) fn send(
        &self,
        access: &Access,
        what: &str,
        request: &mut Request<'_>,
    ) -> Result<Response, Fault> {
        let mut send = |client: &Client, request: &mut Request<'_>| client.send(request);
        self.call(access, what, request, &mut send)
    }

    /// Sends a request, and again with a new token where the registry wants one. The last refusal is the answer.
    fn call<T: Answer>(
        &self,
        access: &Access,
        what: &str,
        request: &mut Request<'_>,
        send: &mut dyn FnMut(&Client, &mut Request<'_>) -> Result<T, Failure>,
    ) -> Result<T, Fault> {
        let scopes = self.scopes(access);
        let ours = request.url.origin() == &self.origin;
        let once = matches!(request.body, crate::http::Body::Stream { .. });
        if once {
            self.refresh(&scopes);
        }
        let mut refused = None;
        for _ in 0..3 {
            // An upload may have been sent elsewhere; what we show is for the registry alone.
            request.authorization = if ours { self.authorization(&scopes, refused.as_ref())? } else { None };
            let answer = send(&self.shared.client, request).map_err(|failure| Fault::http(what, failure))?;
            if answer.status() != 401 || !ours || once {
                return Ok(answer);
            }
            let Some(challenge) = Challenge::of(&answer.values("www-authenticate")) else {
                return Ok(answer);
            };
            self.shared.tokens.learn(self.host(), &challenge);
            let shown = request.authorization.take();
            if shown.is_some() && challenge == Challenge::Basic {
                return Ok(answer);
            }
            if shown.is_none() && challenge == Challenge::Basic && self.login()?.is_none() {
                return Ok(answer);
            }
            if refused.is_some() && shown == refused {
                return Ok(answer);
            }
            refused = shown.or(refused);
            drop(answer);
        }
        request.authorization = if ours { self.authorization(&scopes, refused.as_ref())? } else { None };
        send(&self.shared.client, request).map_err(|failure| Fault::http(what, failure))
    }

    /// What an answer that is not the wanted one means.
    pub(super) fn unwanted(&self, what: &str, answer: Response) -> Fault {
        let (status, host) = (answer.status, answer.url.origin().authority().to_owned());
        let bytes = answer.body.whole(REFUSAL).unwrap_or_default();
        self.refusal(&host, what.to_owned(), status, &bytes)
    }

    /// What a status and the body with it mean.
    pub(super) fn refusal(&self, host: &str, what: String, status: u16, bytes: &[u8]) -> Fault {
        let said = self.shared.said(bytes);
        let host = host.to_owned();
        if !matches!(status, 401 | 403) {
            return Fault::Status { host, what, status, said };
        }
        let login = self.login().ok().flatten();
        let looked = if login.is_some() { Vec::new() } else { self.shared.credentials.looked() };
        Fault::Unauthorized { host, what, shown: login.map(|login| login.shown()), looked, said }
    }

    /// A request below the repository.
    pub(super) fn request<'a>(&self, method: Method, below: &str) -> Request<'a> {
        Request::new(method, self.url(below))
    }
}
