//! What all requests to registries share in one run.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::config::Config;
use super::credentials::Credentials;
use super::fault::Fault;
use super::tokens::Tokens;
use crate::http::{Cause, Client, Failure, Method, Origin, Request, Url, UrlError};
use crate::limits::Limits;

/// Every registry of a run: connections, credentials, tokens, and what was learnt of each host.
pub struct Registries {
    pub(super) client: Client,
    pub(super) credentials: Credentials,
    pub(super) config: Config,
    pub(super) tokens: Tokens,
    /// How each host is asked: with TLS or without.
    origins: Mutex<HashMap<String, Origin>>,
    /// Repositories, as `host/path`, that have no list of referrers.
    pub(super) without_referrers: Mutex<HashSet<String>>,
    /// Hosts that take no blob in one piece.
    pub(super) piecewise: Mutex<HashSet<String>>,
    secrets: Mutex<Vec<String>>,
}

impl Registries {
    /// Nothing is asked yet.
    pub fn new(client: Client, credentials: Credentials, config: Config) -> Arc<Registries> {
        Arc::new(Registries {
            client,
            credentials,
            config,
            tokens: Tokens::default(),
            origins: Mutex::default(),
            without_referrers: Mutex::default(),
            piecewise: Mutex::default(),
            secrets: Mutex::default(),
        })
    }

    /// The caps in force.
    pub fn limits(&self) -> &Limits {
        &self.client.options().limits
    }

    /// How often what failed is tried again.
    pub fn retry_times(&self) -> u32 {
        self.client.options().retry_times
    }

    /// Waits before try number `attempt` (from 1) of what can only be tried again further up.
    pub fn pause(&self, attempt: u32) {
        crate::http::pause(attempt);
    }

    /// How a host is asked. Where plain HTTP is allowed, TLS is tried first, once.
    pub(super) fn origin(&self, host: &str) -> Result<Origin, Fault> {
        if let Some(origin) = self.origins.lock().unwrap_or_else(PoisonError::into_inner).get(host) {
            return Ok(origin.clone());
        }
        let origin = self.find_origin(host).map_err(|failure| Fault::http("", failure))?;
        self.origins.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned(), origin.clone());
        Ok(origin)
    }

    fn find_origin(&self, host: &str) -> Result<Origin, Failure> {
        let origin = |tls| {
            let problem =
                |problem: UrlError| Cause::BadAddress { header: "the name", problem: problem.to_string() };
            Origin::new(tls, host).map_err(|error| Failure::new(host, problem(error)))
        };
        let secure = origin(true)?;
        if !self.client.options().allows_plain(host) {
            return Ok(secure);
        }
        let ask = |origin: &Origin| {
            self.client.probe(&mut Request::new(Method::Get, Url::new(origin.clone(), "/v2/")))
        };
        let Err(failure) = ask(&secure) else { return Ok(secure) };
        // The port that TLS implies is not the one that plain HTTP does, so this may be another server.
        let plain = origin(false)?;
        match (ask(&plain), &failure.cause) {
            (Ok(answer), Cause::Tls(_)) if answer.status == 400 => Err(failure),
            (Ok(_), _) => Ok(plain),
            // What can be told of TLS is told; that nothing listens is found out again, with more patience.
            (Err(_), Cause::Tls(_)) => Err(failure),
            (Err(_), _) => Ok(secure),
        }
    }

    /// Remembers a text that no message may show.
    pub(super) fn hide(&self, secret: &str) {
        if secret.len() >= 4 {
            let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
            if !secrets.iter().any(|known| known == secret) {
                secrets.push(secret.to_owned());
            }
        }
    }

    /// What a registry says, without secrets that it repeats.
    pub(super) fn said(&self, bytes: &[u8]) -> Option<String> {
        let mut said = super::answer::said(bytes)?;
        for secret in self.secrets.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            said = said.replace(secret.as_str(), "(secret)");
        }
        Some(said)
    }
}
