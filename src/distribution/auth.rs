//! Who we are, as each registry wants to hear it: not at all, by name and password, or by a token for what is to be done.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use serde_json::Value;

use super::challenge::Challenge;
use super::fault::Fault;
use super::login::{Credential, Login};
use super::repository::Repository;
use super::tokens::Token;
use crate::http::{Body, Cause, Failure, Fetched, Method, Request, Secret, Url, query_escape};

/// Who says nothing about it means a minute (formats.md G.3).
const USUAL: u64 = 60;
/// What we are called where clients have names.
const CLIENT: &str = "restow";

impl Repository {
    /// What to show with a request, as far as the host has said what it wants. `refused` is what it did not take.
    pub(super) fn authorization(
        &self,
        scopes: &[String],
        refused: Option<&Secret>,
    ) -> Result<Option<Secret>, Fault> {
        match self.shared.tokens.challenge(self.host()) {
            None => Ok(None),
            Some(Challenge::Basic) => {
                let login = self.login()?;
                Ok(login.and_then(|login| self.basic(&login)).filter(|header| Some(header) != refused))
            }
            Some(Challenge::Bearer { realm, service, scope }) => {
                let slot = self.shared.tokens.slot(self.host(), &scopes.join(" "));
                let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
                let good = slot
                    .as_ref()
                    .filter(|token| token.until > Instant::now() && Some(&token.header) != refused);
                if let Some(token) = good {
                    return Ok(Some(token.header.clone()));
                }
                // A registry that refuses what it should take wants the scope in its own words.
                let own = scope.filter(|scope| refused.is_some() && !scopes.contains(scope));
                let scopes: Vec<String> = scopes.iter().cloned().chain(own).collect();
                let token = self.token(&realm, service.as_deref(), &scopes)?;
                Ok(Some(slot.insert(token).header.clone()))
            }
        }
    }

    /// Makes sure that what is shown next lasts a while: a stream cannot be sent twice.
    pub(super) fn refresh(&self, scopes: &[String]) {
        let slot = self.shared.tokens.slot(self.host(), &scopes.join(" "));
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let soon = Instant::now() + Duration::from_secs(20);
        if slot.as_ref().is_some_and(|token| token.until < soon) {
            *slot = None;
        }
    }

    /// The credentials for this repository.
    pub(super) fn login(&self) -> Result<Option<Login>, Fault> {
        self.shared.credentials.find(&self.domain, &self.path)
    }

    fn basic(&self, login: &Login) -> Option<Secret> {
        match &login.credential {
            Credential::Password { user, password } => {
                let pair = BASE64.encode(format!("{user}:{}", password.expose()).as_bytes());
                self.shared.hide(password.expose());
                self.shared.hide(&pair);
                Some(Secret::new(format!("Basic {pair}")))
            }
            Credential::Token(token) => {
                self.shared.hide(token.expose());
                Some(Secret::new(format!("Bearer {}", token.expose())))
            }
            Credential::Identity(_) => None,
        }
    }

    fn token(&self, realm: &str, service: Option<&str>, scopes: &[String]) -> Result<Token, Fault> {
        let what = format!("a token for {}", self.shown());
        let bad = |problem: String| {
            let cause = Cause::BadAddress { header: "WWW-Authenticate", problem };
            Fault::http(&what, Failure::new(self.host(), cause))
        };
        let realm = Url::parse(realm).map_err(|error| bad(error.to_string()))?;
        let from = Url::new(self.origin.clone(), "/v2/");
        self.shared.client.onward(&from, &realm).map_err(|failure| Fault::http(&what, failure))?;
        let login = self.login()?;
        if let Some(Login { credential: Credential::Token(token), .. }) = &login {
            self.shared.hide(token.expose());
            let until = Instant::now() + Duration::from_secs(24 * 3600);
            return Ok(Token { header: Secret::new(format!("Bearer {}", token.expose())), until });
        }
        let limit = self.shared.limits().answer_bytes;
        let mut form;
        let answer = match &login {
            Some(Login { credential: Credential::Identity(token), .. }) => {
                self.shared.hide(token.expose());
                form = format!(
                    "grant_type=refresh_token&client_id={CLIENT}&refresh_token={}",
                    query_escape(token.expose())
                );
                form.extend(service.map(|service| format!("&service={}", query_escape(service))));
                form.push_str(&format!("&scope={}", query_escape(&scopes.join(" "))));
                let mut request = Request::new(Method::Post, realm.clone());
                request.headers.push(("Content-Type", "application/x-www-form-urlencoded".into()));
                request.body = Body::Bytes(form.as_bytes());
                self.shared.client.fetch(&mut request, limit)
            }
            _ => {
                let mut url = realm.clone();
                for (name, value) in service.iter().map(|service| ("service", *service)) {
                    url = url.with_query(name, value);
                }
                for scope in scopes {
                    url = url.with_query("scope", scope);
                }
                let mut request = Request::new(Method::Get, url.with_query("client_id", CLIENT));
                request.authorization = login.as_ref().and_then(|login| self.basic(login));
                self.shared.client.fetch(&mut request, limit)
            }
        };
        let answer = answer.map_err(|failure| Fault::http(&what, failure))?;
        match answer.status {
            200 => self.read_token(&answer, what),
            _ => Err(self.refusal(realm.origin().authority(), what, answer.status, &answer.bytes)),
        }
    }

    fn read_token(&self, answer: &Fetched, what: String) -> Result<Token, Fault> {
        let nonsense = |found: &str| Fault::Nonsense {
            host: answer.url.origin().authority().to_owned(),
            what: what.clone(),
            found: found.to_owned(),
        };
        let value: Value = serde_json::from_slice(&answer.bytes)
            .map_err(|_| nonsense(&super::answer::described(&answer.bytes, None)))?;
        let text = |name: &str| value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let token = text("token").or_else(|| text("access_token")).ok_or_else(|| nonsense("no token"))?;
        if !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(nonsense("a token that cannot be sent"));
        }
        self.shared.hide(token);
        let seconds = value.get("expires_in").and_then(|seconds| match seconds {
            Value::String(text) => text.parse().ok(),
            number => number.as_u64(),
        });
        let seconds = seconds.filter(|seconds| *seconds > 0).unwrap_or(USUAL).min(24 * 3600);
        let until = Instant::now() + Duration::from_secs(seconds - (seconds / 4).min(10));
        Ok(Token { header: Secret::new(format!("Bearer {token}")), until })
    }
}
