//! Image references: their grammar, the short names that people type, and related names (formats.md I, D.7).
//!
//! A [`Reference`] is always normalised: `busybox` is `docker.io/library/busybox`. No tag is invented on the way,
//! because "no tag" and "`latest`" are different facts about an archive; ask for
//! [`with_default_tag`](Reference::with_default_tag) where a name must select one image.
//!
//! Go's library reads `foo_bar.com/x` as a name without host, since `_` is illegal in one. Such a name cannot be
//! pulled or pushed and prints like one that can, so it is refused here.

use std::fmt;
use std::sync::Arc;

use crate::digest::{Digest, DigestError};

const DEFAULT_DOMAIN: &str = "docker.io";
const LEGACY_DOMAIN: &str = "index.docker.io";
const OFFICIAL: &str = "library/";
const DEFAULT_TAG: &str = "latest";

/// Longest path, in characters. Fixed by Docker's registry, whose database columns had this width.
pub const MAX_PATH: usize = 255;
/// Longest tag, in characters.
pub const MAX_TAG: usize = 128;
/// Fewest hex digits in the digest of a reference.
const MIN_DIGEST: usize = 32;

/// A reference, normalised: `domain/path[:tag][@digest]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    domain: Arc<str>,
    path: Arc<str>,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is not a reference.
///
/// Texts inside are cut and escaped, so that a message is short and safe to print whatever the archive says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// No text, or nothing before the tag or digest.
    #[error("expected a name such as `busybox` or `example.com/app:1`, found none")]
    Empty,
    /// 64 hex digits and nothing else.
    #[error("expected a name, found 64 hex digits, which tools take for an image ID")]
    LooksLikeId,
    /// The part before the first `/` must be a host, and is not.
    #[error("expected a host name with an optional port before the first `/`, found `{domain}`")]
    Domain {
        /// That part.
        domain: String,
    },
    /// As [`Domain`](Self::Domain), but legal in a path: Go's library reads a name with an empty domain.
    #[error(
        "expected a host name before the first `/`, found `{part}`, which Docker reads as a path without host"
    )]
    EmptyDomain {
        /// That part.
        part: String,
    },
    /// Upper case in the path.
    #[error("expected a lower-case path, found `{path}`")]
    UpperCase {
        /// The path.
        path: String,
    },
    /// Two slashes in a row, or one at an end of the path.
    #[error("expected text on both sides of each `/` in `{path}`")]
    EmptyComponent {
        /// The path.
        path: String,
    },
    /// A path component against the grammar.
    #[error(
        "expected lower-case letters and digits, joined by `.`, `_`, `__` or any number of `-`, \
         found the path component `{component}`"
    )]
    Component {
        /// The component.
        component: String,
    },
    /// More than [`MAX_PATH`].
    #[error("expected at most {MAX_PATH} characters in the path, found {found}")]
    PathTooLong {
        /// Characters that were found.
        found: usize,
    },
    /// A tag against the grammar.
    #[error(
        "expected a tag of letters, digits, `_`, `.` and `-` that starts with neither `.` nor `-`, found `{tag}`"
    )]
    Tag {
        /// The tag.
        tag: String,
    },
    /// More than [`MAX_TAG`].
    #[error("expected at most {MAX_TAG} characters in the tag, found {found}")]
    TagTooLong {
        /// Characters that were found.
        found: usize,
    },
    /// What follows `@` is no digest.
    #[error("after `@`: {0}")]
    Digest(DigestError),
    /// A digest by its own grammar, but not by that of references.
    #[error("after `@`: expected at least {MIN_DIGEST} hex digits, found `{encoded}`")]
    DigestNotHex {
        /// The part after the colon.
        encoded: String,
    },
}

impl Reference {
    /// Parses and normalises a full or familiar name. No default tag is added.
    ///
    /// # Errors
    /// The first fact in reading order that is against the grammar or the limits of formats.md I.
    pub fn parse(text: &str) -> Result<Reference, ReferenceError> {
        if text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(ReferenceError::LooksLikeId);
        }
        let (domain, rest) = split_domain(text);
        check_domain(domain)?;

        // Neither path nor tag may hold `@`, and the path no `:`, so the first of each is the separator.
        let (named, digest) = match rest.split_once('@') {
            Some((named, digest)) => (named, Some(parse_digest(digest)?)),
            None => (rest, None),
        };
        let (path, tag) = match named.split_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (named, None),
        };
        if path.is_empty() {
            return Err(ReferenceError::Empty);
        }
        let official = domain == DEFAULT_DOMAIN && !rest.contains('/');
        let path = if official { format!("{OFFICIAL}{path}") } else { path.to_owned() };
        check_path(&path)?;
        tag.map_or(Ok(()), check_tag)?;
        Ok(Reference { domain: domain.into(), path: path.into(), tag: tag.map(str::to_owned), digest })
    }

    /// The host, with its port if given; never empty.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The path on the host, such as `library/busybox`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The tag, if one was given.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if one was given.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Adds the tag `latest` if there is neither tag nor digest.
    #[must_use]
    pub fn with_default_tag(mut self) -> Reference {
        if self.tag.is_none() && self.digest.is_none() {
            self.tag = Some(DEFAULT_TAG.to_owned());
        }
        self
    }

    /// The same reference with this tag in place of its own; the digest stays, as in Go's library.
    ///
    /// # Errors
    /// [`ReferenceError::Tag`] or [`ReferenceError::TagTooLong`].
    pub fn with_tag(&self, tag: &str) -> Result<Reference, ReferenceError> {
        check_tag(tag)?;
        Ok(Reference { tag: Some(tag.to_owned()), ..self.clone() })
    }

    /// The full text, `domain/path[:tag][@digest]`; parses back to an equal reference.
    pub fn canonical(&self) -> String {
        self.to_string()
    }

    /// The text that Docker shows and `RepoTags` holds: without `docker.io/`, and without `library/` before a
    /// single component; parses back to an equal reference.
    ///
    /// Go's library shortens blindly, and so turns `docker.io/foo.com/x` into a name on the host `foo.com`. A
    /// name that would not survive stays whole here.
    pub fn familiar(&self) -> String {
        let canonical = self.canonical();
        if *self.domain != *DEFAULT_DOMAIN {
            return canonical;
        }
        let single = self.path.strip_prefix(OFFICIAL).filter(|rest| !rest.contains('/'));
        let mut short = single.unwrap_or(&self.path).to_owned();
        let _ = self.suffix(&mut short); // a String takes everything
        if Reference::parse(&short).is_ok_and(|again| again == *self) { short } else { canonical }
    }

    /// `domain/path`.
    pub fn repository(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }

    /// Writes `:tag@digest`, as far as there are such.
    fn suffix(&self, into: &mut impl fmt::Write) -> fmt::Result {
        if let Some(tag) = &self.tag {
            write!(into, ":{tag}")?;
        }
        self.digest.as_ref().map_or(Ok(()), |digest| write!(into, "@{digest}"))
    }
}

impl fmt::Display for Reference {
    /// The canonical form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.domain, self.path)?;
        self.suffix(f)
    }
}

/// Whether `text` is a tag, its length included.
pub fn is_tag(text: &str) -> bool {
    check_tag(text).is_ok()
}

/// Whether `text` can name a repository of a registry and of its storage (formats.md E.2): a path without
/// domain, of at most [`MAX_PATH`] characters.
pub fn is_repository_path(text: &str) -> bool {
    check_path(text).is_ok()
}

/// Whether `text` obeys the grammar of `org.opencontainers.image.ref.name` (formats.md D.7).
///
/// Some legal Docker names and tags do not, such as `a__b`; never refuse an image for it.
pub fn is_ref_name(text: &str) -> bool {
    let separator = |run: &[u8]| run == b"--" || matches!(run, [b'-' | b'.' | b'_' | b':' | b'@' | b'+']);
    text.split('/').all(|component| is_joined(component, |b| b.is_ascii_alphanumeric(), separator))
}

/// Splits a familiar name where Docker does, and supplies the default domain.
fn split_domain(text: &str) -> (&str, &str) {
    match text.split_once('/') {
        Some((LEGACY_DOMAIN, rest)) => (DEFAULT_DOMAIN, rest),
        Some((first, rest))
            if first == "localhost"
                || first.contains(['.', ':'])
                || first.bytes().any(|b| b.is_ascii_uppercase()) =>
        {
            (first, rest)
        }
        // Also without `/`: in `foo.com:80` the digits are a tag, not a port.
        _ => (DEFAULT_DOMAIN, text),
    }
}

fn check_domain(domain: &str) -> Result<(), ReferenceError> {
    let (host, port) = match domain.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            let legal = |b: u8| b.is_ascii_hexdigit() || b == b':';
            (!address.is_empty() && address.bytes().all(legal), port)
        }
        None => {
            let (host, port) = domain.split_at(domain.find(':').unwrap_or(domain.len()));
            let label = |label| {
                is_joined(label, |b: u8| b.is_ascii_alphanumeric(), |run| run.iter().all(|&b| b == b'-'))
            };
            (host.split('.').all(label), port)
        }
    };
    let port = match port.strip_prefix(':') {
        Some(digits) => !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()),
        None => port.is_empty(),
    };
    match host && port {
        true => Ok(()),
        false if is_component(domain) => Err(ReferenceError::EmptyDomain { part: shown(domain) }),
        false => Err(ReferenceError::Domain { domain: shown(domain) }),
    }
}

fn check_path(path: &str) -> Result<(), ReferenceError> {
    let length = path.chars().count();
    if path.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(ReferenceError::UpperCase { path: shown(path) });
    }
    for component in path.split('/') {
        if component.is_empty() {
            return Err(ReferenceError::EmptyComponent { path: shown(path) });
        }
        if !is_component(component) {
            return Err(ReferenceError::Component { component: shown(component) });
        }
    }
    if length > MAX_PATH {
        return Err(ReferenceError::PathTooLong { found: length });
    }
    Ok(())
}

fn check_tag(tag: &str) -> Result<(), ReferenceError> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    if tag.is_empty() || tag.starts_with(['.', '-']) || !tag.bytes().all(legal) {
        return Err(ReferenceError::Tag { tag: shown(tag) });
    }
    if tag.len() > MAX_TAG {
        return Err(ReferenceError::TagTooLong { found: tag.len() });
    }
    Ok(())
}

fn parse_digest(text: &str) -> Result<Digest, ReferenceError> {
    let digest = Digest::parse(text).map_err(ReferenceError::Digest)?;
    let encoded = digest.encoded();
    if encoded.len() < MIN_DIGEST || !encoded.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(ReferenceError::DigestNotHex { encoded: shown(encoded) });
    }
    Ok(digest)
}

fn is_component(text: &str) -> bool {
    let separator = |run: &[u8]| matches!(run, b"." | b"_" | b"__") || run.iter().all(|&b| b == b'-');
    is_joined(text, |b| b.is_ascii_lowercase() || b.is_ascii_digit(), separator)
}

/// Whether `text` is words of `word` bytes with one `separator` run between each two.
fn is_joined(text: &str, word: impl Fn(u8) -> bool, separator: impl Fn(&[u8]) -> bool) -> bool {
    let bytes = text.as_bytes();
    let ends = [bytes.first(), bytes.last()].into_iter().all(|end| end.is_some_and(|&b| word(b)));
    ends && bytes.split(|&b| word(b)).all(|run| run.is_empty() || separator(run))
}

/// A text from an archive, fit for a message.
fn shown(text: &str) -> String {
    const SHOWN: usize = 64;
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Reference {
        Reference::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn refused(text: &str) -> ReferenceError {
        Reference::parse(text).expect_err(text)
    }

    #[test]
    fn familiar_names_are_normalised() {
        let hex = "0".repeat(64);
        for (text, domain, path, tag) in [
            ("busybox", "docker.io", "library/busybox", None),
            ("foo/bar:1", "docker.io", "foo/bar", Some("1")),
            ("localhost/x", "localhost", "x", None),
            ("localhost:5000/x:1", "localhost:5000", "x", Some("1")),
            ("foo.com:80", "docker.io", "library/foo.com", Some("80")),
            ("foo:5000", "docker.io", "library/foo", Some("5000")),
            ("127.0.0.1/x", "127.0.0.1", "x", None),
            ("[::1]:5000/x", "[::1]:5000", "x", None),
            ("[fe80::1]/x:t", "[fe80::1]", "x", Some("t")),
            ("FOO/x", "FOO", "x", None),
            ("docker.io/busybox", "docker.io", "library/busybox", None),
            ("index.docker.io/busybox:1", "docker.io", "library/busybox", Some("1")),
            ("index.docker.io/a/b", "docker.io", "a/b", None),
            ("library/busybox", "docker.io", "library/busybox", None),
            ("localhost", "docker.io", "library/localhost", None),
            ("quay.io/busybox", "quay.io", "busybox", None),
            ("my-host.example:1/a/b/c:_x.y-", "my-host.example:1", "a/b/c", Some("_x.y-")),
            ("a__b", "docker.io", "library/a__b", None),
            ("a--b", "docker.io", "library/a--b", None),
            ("a.b", "docker.io", "library/a.b", None),
            ("a---b", "docker.io", "library/a---b", None),
            (&format!("{hex}:1"), "docker.io", &format!("library/{hex}"), Some("1")),
            (&format!("x.io/{hex}"), "x.io", &hex, None),
        ] {
            let found = parse(text);
            assert_eq!((found.domain(), found.path(), found.tag()), (domain, path, tag), "{text}");
            assert_eq!(found.digest(), None);
        }
    }

    #[test]
    fn each_fact_has_its_own_error() {
        use ReferenceError as E;
        for text in ["", ":", ":t", "localhost/", "x.io/:t", &format!("@sha256:{}", "0".repeat(64))] {
            assert_eq!(refused(text), E::Empty, "{text}");
        }
        assert_eq!(refused(&"0a".repeat(32)), E::LooksLikeId);
        for domain in
            ["a..b", "-a.b", "a-.b", ".a", "a.", "a:", "a:x", "[::1", "[.]", "[:g]", "[::1]5", "A_b", "a.b@c"]
        {
            assert_eq!(refused(&format!("{domain}/x")), E::Domain { domain: domain.into() });
        }
        assert_eq!(refused("foo_bar.com/x"), E::EmptyDomain { part: "foo_bar.com".into() });
        assert_eq!(refused("foo/X"), E::UpperCase { path: "foo/X".into() });
        assert_eq!(refused("Foo:1"), E::UpperCase { path: "library/Foo".into() });
        for path in ["a//b", "/a", "a/"] {
            assert_eq!(refused(path), E::EmptyComponent { path: path.into() });
        }
        for component in ["a___b", "a..b", "-a", "a-", "_x", "a._b", "a b", "é", "a-_b"] {
            assert_eq!(refused(component), E::Component { component: component.into() });
        }
        for tag in [".t", "-t", "", "a/b", "a:b", "a b", "é"] {
            assert_eq!(refused(&format!("x.io/a:{tag}")), E::Tag { tag: tag.into() });
        }
        assert_eq!(
            refused("a@sha256:00"),
            E::Digest(DigestError::Length { algorithm: "sha256", expected: 64, found: 2 })
        );
        assert_eq!(refused("a@"), E::Digest(DigestError::Grammar));
        let short = "0".repeat(31);
        assert_eq!(refused(&format!("a@md5:{short}")), E::DigestNotHex { encoded: short.clone() });
        assert_eq!(refused(&format!("a@md5:{short}z")), E::DigestNotHex { encoded: format!("{short}z") });
        parse(&format!("a@md5:{short}0"));
    }

    #[test]
    fn limits_hold_at_n_and_n_plus_one() {
        parse(&format!("a:{}", "t".repeat(128)));
        assert_eq!(refused(&format!("a:{}", "t".repeat(129))), ReferenceError::TagTooLong { found: 129 });
        parse(&format!("x.io/{}", "p".repeat(255)));
        assert_eq!(refused(&format!("x.io/{}", "p".repeat(256))), ReferenceError::PathTooLong { found: 256 });
        // `library/` counts.
        parse(&"p".repeat(247));
        assert_eq!(refused(&"p".repeat(248)), ReferenceError::PathTooLong { found: 256 });
    }

    #[test]
    fn messages_are_short_and_printable() {
        let message = refused(&format!("a\u{1b}[2J\u{202e}{}", "x".repeat(5000))).to_string();
        assert!(message.contains(r"a\u{1b}[2J\u{202e}xxx") && message.ends_with("…`"), "{message}");
        assert!(message.chars().count() < 250);
    }

    #[test]
    fn forms_of_a_reference() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let both = parse(&format!("busybox:1@{digest}"));
        assert_eq!(both.canonical(), format!("docker.io/library/busybox:1@{digest}"));
        assert_eq!(both.to_string(), both.canonical());
        assert_eq!(both.familiar(), format!("busybox:1@{digest}"));
        assert_eq!(both.repository(), "docker.io/library/busybox");
        assert_eq!(both.digest().map(Digest::as_str), Some(&*digest));

        for (text, familiar) in [
            ("docker.io/library/a/b:1", "library/a/b:1"),
            ("docker.io/a/b", "a/b"),
            ("docker.io/library", "library"),
            ("localhost/library/x", "localhost/library/x"),
            // Shortening these would name something else.
            ("docker.io/foo.com/x:1", "docker.io/foo.com/x:1"),
            ("docker.io/localhost/x", "docker.io/localhost/x"),
            (
                &format!("docker.io/library/{}", "a".repeat(64)),
                &format!("docker.io/library/{}", "a".repeat(64)),
            ),
        ] {
            assert_eq!(parse(text).familiar(), familiar);
        }
    }

    #[test]
    fn tags_are_added_and_replaced() {
        assert_eq!(parse("a").with_default_tag().to_string(), "docker.io/library/a:latest");
        assert_eq!(parse("a:1").with_default_tag().tag(), Some("1"));
        let digest = format!("a@sha256:{}", "0".repeat(64));
        assert_eq!(parse(&digest).with_default_tag().tag(), None);
        assert_eq!(parse("a:1").with_tag("2").expect("tag").familiar(), "a:2");
        assert_eq!(parse("a").with_tag("-"), Err(ReferenceError::Tag { tag: "-".into() }));
    }

    #[test]
    fn related_grammars() {
        assert!(is_tag("_1.x-") && is_tag(&"t".repeat(128)));
        assert!(!is_tag("") && !is_tag(".x") && !is_tag(&"t".repeat(129)));

        assert!(is_repository_path("library/a__b") && is_repository_path(&"p".repeat(255)));
        for bad in ["", "/a", "a/", "../a", "a/_manifests", "A", "a:1", &"p".repeat(256)] {
            assert!(!is_repository_path(bad), "{bad}");
        }

        for good in ["v1", "a--b", "docker.io/library/busybox:1", "a@sha256:00", "A+b/c.D_e-f"] {
            assert!(is_ref_name(good), "{good}");
        }
        for bad in ["", "a__b", "_x", "x-", "x.", "a---b", "a/", "/a", "a//b", "a+-b", "a b", "é"] {
            assert!(!is_ref_name(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn printed_forms_parse_back(
            text in "(([a-c.]{1,4}|localhost|docker\\.io|\\[::1\\])(:[0-9]{1,3})?/)?[ab._-]{1,5}(/[ab.]{1,3})?(:[aB._-]{1,3})?"
        ) {
            if let Ok(found) = Reference::parse(&text) {
                prop_assert_eq!(&Reference::parse(&found.canonical()), &Ok(found.clone()));
                prop_assert_eq!(&Reference::parse(&found.familiar()), &Ok(found.clone()));
                prop_assert!(is_repository_path(found.path()) && found.tag().is_none_or(is_tag));
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = (Reference::parse(&text), is_ref_name(&text));
        }
    }
}
