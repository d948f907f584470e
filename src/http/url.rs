//! Addresses of requests, as far as registries need them: `http` and `https`, no user, no fragment.

use std::fmt;

/// Scheme, host and port: what credentials belong to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// Whether it is `https`.
    pub tls: bool,
    /// `host[:port]`, lower case, without the port that the scheme implies.
    authority: String,
}

/// An address.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Url {
    origin: Origin,
    /// Path and query; begins with `/`.
    target: String,
}

/// Why a text is no address that restow goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Neither `http` nor `https`.
    #[error("is neither http nor https")]
    Scheme,
    /// No host, or one with characters that no host has.
    #[error("names no host")]
    Host,
    /// It holds a user or password.
    #[error("holds a user name")]
    User,
    /// White space, control characters or bytes beyond ASCII.
    #[error("holds characters that no address may have")]
    Character,
}

impl Origin {
    /// The origin of `host[:port]`.
    ///
    /// # Errors
    /// [`UrlError::Host`], [`UrlError::User`].
    pub fn new(tls: bool, authority: &str) -> Result<Origin, UrlError> {
        if authority.contains('@') {
            return Err(UrlError::User);
        }
        let authority = authority.to_ascii_lowercase();
        let (host, port) = split_port(&authority);
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let legal = match bracketed {
            Some(address) => address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':' || b == b'.'),
            None => host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')),
        };
        if host.is_empty() || bracketed == Some("") || !legal {
            return Err(UrlError::Host);
        }
        let authority = match port {
            Some(port) => {
                let number: u16 = port.parse().map_err(|_| UrlError::Host)?;
                let implied = if tls { 443 } else { 80 };
                if number == implied { host.to_owned() } else { format!("{host}:{number}") }
            }
            None => host.to_owned(),
        };
        Ok(Origin { tls, authority })
    }

    /// `host[:port]`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The host alone.
    pub fn host(&self) -> &str {
        split_port(&self.authority).0
    }

    /// The port, whether or not it is written.
    pub fn port(&self) -> u16 {
        let implied = if self.tls { 443 } else { 80 };
        split_port(&self.authority).1.and_then(|port| port.parse().ok()).unwrap_or(implied)
    }

    /// Whether the host is this machine, so that nobody can listen.
    pub fn is_loopback(&self) -> bool {
        is_loopback(self.host())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.authority)
    }
}

/// Whether a host, with or without port, is this machine.
pub fn is_loopback(host: &str) -> bool {
    let host = split_port(host).0;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    let after = authority.rfind(']').map_or(0, |at| at + 1);
    match authority[after..].find(':') {
        Some(at) => (&authority[..after + at], Some(&authority[after + at + 1..])),
        None => (authority, None),
    }
}

impl Url {
    /// The address of a path (and query) at an origin.
    pub fn new(origin: Origin, target: impl Into<String>) -> Url {
        Url { origin, target: target.into() }
    }

    /// Parses an absolute address.
    ///
    /// # Errors
    /// What it is that restow does not go to.
    pub fn parse(text: &str) -> Result<Url, UrlError> {
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(UrlError::Character);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(UrlError::Scheme),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        Ok(Url { origin: Origin::new(tls, authority)?, target })
    }

    /// What a `Location` or `Link` means here: absolute, from the root, or relative to this address.
    ///
    /// # Errors
    /// As [`Url::parse`].
    pub fn join(&self, reference: &str) -> Result<Url, UrlError> {
        if !reference.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(UrlError::Character);
        }
        let reference = reference.split('#').next().unwrap_or_default();
        let scheme = reference.find(':').filter(|at| !reference[..*at].contains(['/', '?']));
        if scheme.is_some() {
            return Url::parse(reference);
        }
        if let Some(rest) = reference.strip_prefix("//") {
            return Url::parse(&format!("{}://{rest}", if self.origin.tls { "https" } else { "http" }));
        }
        let path = self.path();
        let target = match reference.as_bytes().first() {
            Some(b'/') => reference.to_owned(),
            Some(b'?') => format!("{path}{reference}"),
            None => self.target.clone(),
            _ => format!("{}{reference}", &path[..path.rfind('/').map_or(0, |at| at + 1)]),
        };
        Ok(Url { origin: self.origin.clone(), target: without_dots(&target) })
    }

    /// The same address with one more parameter in its query.
    pub fn with_query(&self, name: &str, value: &str) -> Url {
        let joint = if self.target.contains('?') { '&' } else { '?' };
        let target = format!("{}{joint}{name}={}", self.target, query_escape(value));
        Url { origin: self.origin.clone(), target }
    }

    /// The same path and query elsewhere.
    pub fn at(self, origin: Origin) -> Url {
        Url { origin, target: self.target }
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The path alone.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The whole text, for sending: a query may hold a signature, so this is never shown.
    pub(super) fn full(&self) -> String {
        format!("{}{}", self.origin, self.target)
    }
}

/// Without `.` and `..` in the path, as RFC 3986 (5.2.4) has it.
fn without_dots(target: &str) -> String {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    if !path.split('/').any(|part| part == "." || part == "..") {
        return target.to_owned();
    }
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => drop(kept.pop()),
            part => kept.push(part),
        }
    }
    format!("/{}{query}", kept.join("/"))
}

impl fmt::Display for Url {
    /// Without the query, which may hold a signature.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path())
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A value as a query carries it. `/`, `:` and `,` stay, as they do in scopes and digests.
pub fn query_escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' | b',' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn addresses_are_parsed() {
        for (text, full) in [
            ("https://Example.com", "https://example.com/"),
            ("https://example.com:443/a?b=c#d", "https://example.com/a?b=c"),
            ("http://[::1]:5000/v2/", "http://[::1]:5000/v2/"),
            ("http://h:80?x", "http://h/?x"),
            ("HTTP://h:0443/", "http://h:443/"),
        ] {
            assert_eq!(url(text).full(), full, "{text}");
        }
        assert_eq!(url("http://[::1]:5000/").origin().port(), 5000);
        assert_eq!(url("https://[::1]/").origin().port(), 443);
        for (text, error) in [
            ("ftp://h/", UrlError::Scheme),
            ("h/x", UrlError::Scheme),
            ("https://", UrlError::Host),
            ("https://a b/", UrlError::Character),
            ("https://h/\r\nx: y", UrlError::Character),
            ("https://u:p@h/", UrlError::User),
            ("https://h:99999/", UrlError::Host),
            ("https://h:x/", UrlError::Host),
            ("https://a%2fb/", UrlError::Host),
            ("https://[]/", UrlError::Host),
        ] {
            assert_eq!(Url::parse(text).expect_err(text), error, "{text}");
        }
    }

    #[test]
    fn locations_are_joined() {
        let base = url("https://h:5000/v2/a/blobs/uploads/?x=1");
        for (reference, full) in [
            ("/v2/b?_state=q", "https://h:5000/v2/b?_state=q"),
            ("uuid?a", "https://h:5000/v2/a/blobs/uploads/uuid?a"),
            ("../../x", "https://h:5000/v2/a/x"),
            ("../../../../../x?..", "https://h:5000/x?.."),
            ("?digest=1", "https://h:5000/v2/a/blobs/uploads/?digest=1"),
            ("", "https://h:5000/v2/a/blobs/uploads/?x=1"),
            ("//other/z", "https://other/z"),
            ("http://h:5000/z", "http://h:5000/z"),
        ] {
            assert_eq!(base.join(reference).map(|url| url.full()), Ok(full.to_owned()), "{reference}");
        }
        assert_eq!(base.join("ftp://x/"), Err(UrlError::Scheme));
        assert_eq!(base.join("a b"), Err(UrlError::Character));
        assert_eq!(
            base.with_query("digest", "sha256:a b").full(),
            format!("{}&digest=sha256:a%20b", base.full())
        );
    }

    #[test]
    fn a_query_is_not_shown() {
        let signed = url("https://store/x?Signature=secret");
        assert_eq!(format!("{signed} {signed:?}"), "https://store/x https://store/x");
    }

    #[test]
    fn this_machine_is_known() {
        for host in ["localhost", "LOCALHOST:5000", "127.0.0.1", "127.9.9.9:1", "[::1]:5", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example.com", "128.0.0.1", "example.com", "[::2]", "0.0.0.0", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}", more in "[a-z:/?.\\[\\]@#]{0,30}") {
            let base = url("https://h/a/b");
            for text in [&text, &more, &format!("https://{more}")] {
                if let Ok(url) = base.join(text) {
                    proptest::prop_assert_eq!(Url::parse(&url.full()), Ok(url));
                }
            }
        }
    }
}
