//! What refers to a manifest: the registry's own list, or the index under a tag where there is none (formats.md F.3).

use std::sync::PoisonError;

use serde_json::Value;

use super::fault::Fault;
use super::repository::{Access, Repository};
use crate::digest::Digest;
use crate::http::{Answer, Method, Request};
use crate::media;

/// The referrers of a manifest.
#[derive(Debug, Clone, Default)]
pub struct Referrers {
    /// Their digests with the media types that the list gives, in its order, each once.
    pub found: Vec<(Digest, Option<String>)>,
    /// The index under the fallback tag, if that is where they stand.
    pub fallback: Option<Vec<u8>>,
}

/// The tag under which referrers are listed by who has no API for it: `sha256-<hex>`, cut to the length of a tag.
pub fn fallback_tag(subject: &Digest) -> String {
    let part = |text: &str, most: usize| -> String {
        let legal = |letter: char| {
            if letter.is_ascii_alphanumeric() || "_.-".contains(letter) { letter } else { '-' }
        };
        text.chars().take(most).map(legal).collect()
    };
    format!("{}-{}", part(subject.algorithm_name(), 32), part(subject.encoded(), 64))
}

impl Repository {
    /// What refers to a manifest. That a registry has no list is remembered.
    ///
    /// # Errors
    /// The registry could not be asked, refuses, sends what is no index, or more than the limit referrers.
    pub fn referrers(&self, subject: &Digest) -> Result<Referrers, Fault> {
        if self.has_referrers_api() {
            if let Some(found) = self.listed(subject)? {
                return Ok(found);
            }
            self.shared.without_referrers.lock().unwrap_or_else(PoisonError::into_inner).insert(self.shown());
        }
        let tag = fallback_tag(subject);
        let Some(manifest) = self.manifest(&tag)? else { return Ok(Referrers::default()) };
        let what = self.named(&tag);
        let mut referrers = Referrers::default();
        // Whatever else stands under such a tag is no list.
        if self.take(&manifest.bytes, &what, &mut referrers.found)? {
            referrers.fallback = Some(manifest.bytes);
        }
        Ok(referrers)
    }

    /// Whether the registry has not said yet that it has no list of referrers.
    pub fn has_referrers_api(&self) -> bool {
        let without = self.shared.without_referrers.lock().unwrap_or_else(PoisonError::into_inner);
        !without.contains(&self.shown())
    }

    /// The registry's own list; `None` if it has none.
    fn listed(&self, subject: &Digest) -> Result<Option<Referrers>, Fault> {
        let what = format!("the referrers of {}", self.named(subject.as_str()));
        let limit = self.shared.limits().document_bytes;
        let mut referrers = Referrers::default();
        let mut seen = std::collections::HashSet::new();
        let mut next = Some(self.url(&format!("referrers/{subject}")));
        while let Some(url) = next {
            if !seen.insert(url.clone()) {
                return Err(self.nonsense(&what, "a list that begins anew without end"));
            }
            let mut request = Request::new(Method::Get, url.clone());
            request.headers.push(("Accept", media::OCI_INDEX.to_owned()));
            let answer = self.fetch(&Access::Pull, &what, &mut request, limit);
            let answer = answer.map_err(|fault| self.too_long(fault, "document-bytes", limit))?;
            match answer.status {
                200 => {}
                400 | 404 | 405 | 406 | 501 if seen.len() == 1 => return Ok(None),
                status => return Err(self.refusal(self.host(), what, status, &answer.bytes)),
            }
            if !self.take(&answer.bytes, &what, &mut referrers.found)? {
                let kind = super::manifests::type_of(&answer);
                return Err(self.nonsense(&what, &super::answer::described(&answer.bytes, kind.as_deref())));
            }
            next = answer.values("link").iter().find_map(|header| self.next(&url, header));
        }
        Ok(Some(referrers))
    }

    /// Takes the descriptors of an index; false if it is none.
    fn take(
        &self,
        bytes: &[u8],
        what: &str,
        found: &mut Vec<(Digest, Option<String>)>,
    ) -> Result<bool, Fault> {
        let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return Ok(false) };
        let manifests = match value.get("manifests") {
            Some(Value::Array(manifests)) => manifests.as_slice(),
            Some(Value::Null) => &[],
            _ => return Ok(false),
        };
        let limit = self.shared.limits().referrers;
        for descriptor in manifests {
            let text = |name: &str| descriptor.get(name).and_then(Value::as_str);
            let Some(digest) = text("digest").and_then(|text| Digest::parse(text).ok()) else { continue };
            if found.iter().any(|(known, _)| *known == digest) {
                continue;
            }
            if found.len() as u64 >= limit {
                let (host, what) = (self.host().to_owned(), what.to_owned());
                return Err(Fault::Limit { host, what, name: "referrers", limit });
            }
            found.push((digest, text("mediaType").map(str::to_owned)));
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fallback_tags_have_the_length_of_tags() {
        let sha256 = Digest::sha256(b"");
        assert_eq!(fallback_tag(&sha256), sha256.as_str().replace(':', "-"));
        let sha512 = Digest::parse(&format!("sha512:{}", "a".repeat(128))).expect("digest");
        assert_eq!(fallback_tag(&sha512), format!("sha512-{}", "a".repeat(64)));
        let odd = Digest::parse("a+b:x=").expect("digest");
        assert_eq!(fallback_tag(&odd), "a-b-x-");
    }
}
