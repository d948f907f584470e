//! A request, as far as answers depend on it.

use percent_encoding::percent_decode_str;

/// A request.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `GET`, `HEAD`, …
    pub method: String,
    /// The path, as sent.
    pub path: String,
    /// What stands behind `?`, as sent.
    pub query: String,
    /// Every `Accept`, joined by commas; `None` if there was none.
    pub accept: Option<String>,
    /// `Range`
    pub range: Option<String>,
    /// `If-Range`
    pub if_range: Option<String>,
    /// `If-None-Match`
    pub if_none_match: Option<String>,
}

impl Request {
    /// A request for a target: a path, and maybe `?` with a query.
    pub fn new(method: &str, target: &str) -> Request {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            ..Request::default()
        }
    }

    /// The path with its escapes resolved; `None` if they are no text.
    pub fn plain_path(&self) -> Option<String> {
        Some(percent_decode_str(&self.path).decode_utf8().ok()?.into_owned())
    }

    /// The first value of a parameter; `None` too if it is no text.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let pairs = self.query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let (_, value) = pairs.into_iter().find(|(key, _)| *key == name)?;
        let value = value.replace('+', " ");
        Some(percent_decode_str(&value).decode_utf8().ok()?.into_owned())
    }

    /// Whether the client takes this media type: what it names, or `*/*`; everything if it names nothing.
    pub fn takes(&self, media_type: &str) -> bool {
        let Some(accept) = &self.accept else { return true };
        let (kind, _) = media_type.split_once('/').unwrap_or((media_type, ""));
        accept.split(',').map(|item| item.split(';').next().unwrap_or_default().trim()).any(|item| {
            item == "*/*" || item.eq_ignore_ascii_case(media_type) || item.strip_suffix("/*") == Some(kind)
        })
    }

    /// Whether the client has this already, by the entity tag.
    pub fn has(&self, etag: &str) -> bool {
        let weak = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        self.if_none_match
            .as_deref()
            .is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == "*" || weak(tag) == etag))
    }
}

/// A part of something: from where on, and how many bytes.
pub type Part = (u64, u64);

/// What a `Range` comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// Nothing that counts (RFC 9110 14.2): all of it.
    All,
    /// This part.
    Part(Part),
    /// Nothing of it is there.
    Outside,
}

/// Reads a `Range` of something of `size` bytes. Several ranges at once are answered by the whole, as RFC 9110 allows.
pub fn range(text: Option<&str>, size: u64) -> Range {
    let Some(set) = text.and_then(|text| text.trim().strip_prefix("bytes=")) else { return Range::All };
    let Some((first, last)) = set.split_once('-').filter(|_| !set.contains(',')) else { return Range::All };
    let number = |text: &str| match text.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than a number has lie behind any end.
        true if !text.is_empty() => Some(text.parse().unwrap_or(u64::MAX)),
        _ => None,
    };
    match (number(first.trim()), number(last.trim())) {
        (Some(first), Some(last)) if first > last => Range::All,
        (Some(first), _) if first >= size => Range::Outside,
        (Some(first), Some(last)) => Range::Part((first, last.min(size - 1) - first + 1)),
        (Some(first), None) if last.trim().is_empty() => Range::Part((first, size - first)),
        (None, Some(0)) => Range::Outside,
        (None, Some(_)) if first.trim().is_empty() && size == 0 => Range::Outside,
        (None, Some(n)) if first.trim().is_empty() => Range::Part((size - n.min(size), n.min(size))),
        _ => Range::All,
    }
}
