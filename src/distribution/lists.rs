//! Lists: tags of a repository, repositories of a host. They come in pages, and they end.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use super::fault::Fault;
use super::registries::Registries;
use super::repository::{Access, Repository};
use crate::http::{Answer, Method, Request, Url};

/// Names asked for at once.
const PAGE: u32 = 1000;

impl Repository {
    /// Every tag, in the registry's order; `None` if it knows no such repository.
    ///
    /// # Errors
    /// The registry could not be asked, refuses, sends what is no list, or one without end.
    pub fn tags(&self) -> Result<Option<Vec<String>>, Fault> {
        let what = format!("the tags of {}", self.shown());
        let url = self.url("tags/list").with_query("n", &PAGE.to_string());
        self.list(&Access::Pull, &what, url, "tags")
    }

    /// Follows a list from page to page.
    fn list(
        &self,
        access: &Access,
        what: &str,
        first: Url,
        member: &str,
    ) -> Result<Option<Vec<String>>, Fault> {
        let limits = self.shared.limits();
        let (most, bytes) = (limits.listed_names, limits.answer_bytes);
        let mut names: Vec<String> = Vec::new();
        let mut seen = HashSet::new();
        let mut next = Some(first);
        while let Some(url) = next {
            if !seen.insert(url.clone()) {
                return Err(self.nonsense(what, "a list that begins anew without end"));
            }
            let mut request = Request::new(Method::Get, url.clone());
            let answer = self.fetch(access, what, &mut request, bytes);
            let answer = answer.map_err(|fault| self.too_long(fault, "answer-bytes", bytes))?;
            match answer.status {
                200 => {}
                404 if names.is_empty() => return Ok(None),
                status => return Err(self.refusal(self.host(), what.to_owned(), status, &answer.bytes)),
            }
            let kind = super::manifests::type_of(&answer);
            let value: Value = serde_json::from_slice(&answer.bytes).map_err(|_| {
                self.nonsense(what, &super::answer::described(&answer.bytes, kind.as_deref()))
            })?;
            // Null is what Go makes of an empty list.
            let page = match value.get(member) {
                Some(Value::Array(page)) => page.as_slice(),
                None | Some(Value::Null) if value.is_object() => &[],
                _ => return Err(self.nonsense(what, "what is not the JSON that was asked for")),
            };
            names.extend(page.iter().filter_map(|name| name.as_str().map(str::to_owned)));
            if names.len() as u64 > most {
                let (host, what) = (self.host().to_owned(), what.to_owned());
                return Err(Fault::Limit { host, what, name: "listed-names", limit: most });
            }
            next = answer.values("link").iter().find_map(|header| self.next(&url, header));
        }
        Ok(Some(names))
    }

    /// The next page that a `Link` names: at this host, whatever host it says.
    pub(super) fn next(&self, from: &Url, header: &str) -> Option<Url> {
        let (reference, parameters) = header.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters.split(';').any(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or_default();
            name.trim().eq_ignore_ascii_case("rel")
                && value.trim().trim_matches('"').eq_ignore_ascii_case("next")
        });
        let url = from.join(reference).ok().filter(|_| is_next)?;
        Some(url.at(self.origin.clone()))
    }

    pub(super) fn nonsense(&self, what: &str, found: &str) -> Fault {
        Fault::Nonsense { host: self.host().to_owned(), what: what.to_owned(), found: found.to_owned() }
    }
}

impl Registries {
    /// Every repository of a host, as far as it tells them.
    ///
    /// # Errors
    /// As [`Repository::tags`]; a host that does not list them answers 404 or refuses.
    pub fn catalog(self: &Arc<Self>, domain: &str) -> Result<Vec<String>, Fault> {
        let host = self.repository(domain, "")?;
        let what = format!("the repositories of {domain}");
        let url = Url::new(host.origin.clone(), "/v2/_catalog").with_query("n", &PAGE.to_string());
        match host.list(&Access::Catalog, &what, url, "repositories")? {
            Some(names) => Ok(names),
            None => Err(host.refusal(host.host(), what, 404, b"it does not list its repositories")),
        }
    }
}
