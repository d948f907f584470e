//! What stands behind `docker://`.

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::reference::Reference;

/// A place in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// One repository, perhaps one image of it.
    Repository {
        /// Domain and path, with neither tag nor digest.
        name: Reference,
        /// The tag, if one is given.
        tag: Option<String>,
        /// The digest, if one is given.
        digest: Option<Digest>,
    },
    /// Every repository of a registry, or all below a prefix.
    Host {
        /// `host[:port]`.
        domain: String,
        /// What the names begin with; empty, or a path with a final slash.
        prefix: String,
    },
}

impl Address {
    /// Parses `HOST[:PORT]/NAME[:TAG][@DIGEST]`, or `HOST[:PORT]/[PREFIX/]`.
    ///
    /// # Errors
    /// It is no reference.
    pub fn parse(text: &str) -> Result<Address> {
        let bad = |why: String| {
            let help =
                "write docker://HOST[:PORT]/NAME[:TAG|@DIGEST], or docker://HOST[:PORT]/ for all of it";
            Error::refused_help(format!("`docker://{text}` names nothing in a registry: {why}"), help)
        };
        if let Some(rest) = text.strip_suffix('/') {
            let (domain, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            if rest.ends_with('/') {
                return Err(bad("a part between two slashes is empty".to_owned()));
            }
            // Any name shows whether the domain is one.
            let probe = Reference::parse(&format!(
                "{domain}/{}x",
                if prefix.is_empty() { String::new() } else { format!("{prefix}/") }
            ));
            let probe = probe.map_err(|error| bad(error.to_string()))?;
            if probe.domain() != domain {
                return Err(bad(format!("`{domain}` is no host")));
            }
            let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
            return Ok(Address::Host { domain: domain.to_owned(), prefix });
        }
        let whole = Reference::parse(text).map_err(|error| bad(error.to_string()))?;
        let name = Reference::parse(&whole.repository()).map_err(|error| bad(error.to_string()))?;
        Ok(Address::Repository { tag: whole.tag().map(str::to_owned), digest: whole.digest().cloned(), name })
    }

    /// The domain.
    pub fn domain(&self) -> &str {
        match self {
            Address::Repository { name, .. } => name.domain(),
            Address::Host { domain, .. } => domain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_and_hosts() {
        let parse = |text: &str| Address::parse(text);
        let Ok(Address::Repository { name, tag, digest }) = parse("localhost:5000/a/b:1") else {
            panic!("a name")
        };
        assert_eq!(
            (name.domain(), name.path(), tag.as_deref(), digest),
            ("localhost:5000", "a/b", Some("1"), None)
        );
        let Ok(Address::Repository { name, tag, .. }) = parse("busybox") else { panic!("a name") };
        assert_eq!((name.domain(), name.path(), tag), ("docker.io", "library/busybox", None));
        for (text, domain, prefix) in
            [("h.io/", "h.io", ""), ("127.0.0.1:5000/", "127.0.0.1:5000", ""), ("h.io/a/b/", "h.io", "a/b/")]
        {
            let wanted = Address::Host { domain: domain.into(), prefix: prefix.into() };
            assert_eq!(parse(text).expect("a host"), wanted, "{text}");
        }
        for text in ["", "/", "UPPER/Case", "h.io//", "team/", "h.io/a:/"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
