//! Digests: their grammar (formats.md D.2) and the hashing of content.

use std::{fmt, io};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// A digest whose text obeys the grammar, and the exact length where its algorithm is known.
///
/// Safe to use as a path component pair `<algorithm>/<encoded>`: the grammar has no `/`,
/// and neither part can be `.` or `..`. Clones share the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(std::sync::Arc<str>);

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Digest::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// The algorithms restow can compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// 64 hex digits; the one everybody uses.
    Sha256,
    /// 96 hex digits; accepted by go-digest, never registered.
    Sha384,
    /// 128 hex digits; registered, rare.
    Sha512,
}

/// Why a text is not a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// Not `algorithm:encoded` by the grammar.
    #[error("expected `algorithm:encoded`, such as `sha256:` and 64 hex digits")]
    Grammar,
    /// Known algorithm, wrong number of characters.
    #[error("expected {expected} hex digits after `{algorithm}:`, found {found} characters")]
    Length {
        /// Name of the algorithm.
        algorithm: &'static str,
        /// Digits that it takes.
        expected: usize,
        /// Characters that were found.
        found: usize,
    },
    /// Known algorithm, but not lower-case hex.
    #[error("expected lower-case hex digits")]
    NotLowerHex,
}

impl Algorithm {
    /// The name before the colon.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha384 => "sha384",
            Algorithm::Sha512 => "sha512",
        }
    }

    fn digits(self) -> usize {
        match self {
            Algorithm::Sha256 => 64,
            Algorithm::Sha384 => 96,
            Algorithm::Sha512 => 128,
        }
    }
}

/// Lengths that are fixed by a specification, whether or not restow can compute the algorithm.
const KNOWN: &[(&str, usize)] = &[("sha256", 64), ("sha384", 96), ("sha512", 128), ("blake3", 64)];

impl Digest {
    /// Parses `algorithm:encoded`.
    pub fn parse(text: &str) -> Result<Digest, DigestError> {
        let (algorithm, encoded) = text.split_once(':').ok_or(DigestError::Grammar)?;
        let component =
            |c: &str| !c.is_empty() && c.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !algorithm.split(['+', '.', '_', '-']).all(component) {
            return Err(DigestError::Grammar);
        }
        let encoded_byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'=' | b'_' | b'-');
        if encoded.is_empty() || !encoded.bytes().all(encoded_byte) {
            return Err(DigestError::Grammar);
        }
        if let Some(&(name, expected)) = KNOWN.iter().find(|(name, _)| *name == algorithm) {
            if encoded.len() != expected {
                return Err(DigestError::Length { algorithm: name, expected, found: encoded.len() });
            }
            if !is_lower_hex(encoded) {
                return Err(DigestError::NotLowerHex);
            }
        }
        Ok(Digest(text.into()))
    }

    /// Parses the two parts of a path that names a digest, as `blobs/<algorithm>/<encoded>` does.
    pub fn of_parts(algorithm: &str, encoded: &str) -> Result<Digest, DigestError> {
        Digest::parse(&format!("{algorithm}:{encoded}"))
    }

    /// The SHA-256 digest with these 64 lower-case hex digits.
    pub fn from_sha256_hex(hex: &str) -> Option<Digest> {
        (hex.len() == 64 && is_lower_hex(hex)).then(|| Digest(format!("sha256:{hex}").into()))
    }

    /// The SHA-256 digest of `bytes`.
    pub fn sha256(bytes: &[u8]) -> Digest {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(bytes);
        hasher.finish()
    }

    /// The digest of `bytes` under this digest's own algorithm, if restow can compute it.
    pub fn of_same_kind(&self, bytes: &[u8]) -> Option<Digest> {
        let mut hasher = Hasher::new(self.algorithm()?);
        hasher.update(bytes);
        Some(hasher.finish())
    }

    /// The whole text, `algorithm:encoded`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the colon.
    pub fn algorithm_name(&self) -> &str {
        self.0.split_once(':').map_or("", |(a, _)| a)
    }

    /// The part after the colon.
    pub fn encoded(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, e)| e)
    }

    /// The algorithm, if restow can compute it.
    pub fn algorithm(&self) -> Option<Algorithm> {
        match self.algorithm_name() {
            "sha256" => Some(Algorithm::Sha256),
            "sha384" => Some(Algorithm::Sha384),
            "sha512" => Some(Algorithm::Sha512),
            _ => None,
        }
    }

    /// The first twelve characters of the encoded part, as command lines show an image ID.
    pub fn short(&self) -> &str {
        let encoded = self.encoded();
        encoded.get(..12).unwrap_or(encoded)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A running hash under one algorithm.
#[derive(Clone)]
pub struct Hasher(State);

#[derive(Clone)]
enum State {
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hasher {
    /// An empty hash.
    pub fn new(algorithm: Algorithm) -> Hasher {
        Hasher(match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha384 => State::Sha384(Sha384::new()),
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
        })
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(h) => h.update(bytes),
            State::Sha384(h) => h.update(bytes),
            State::Sha512(h) => h.update(bytes),
        }
    }

    /// The digest of all that was added.
    pub fn finish(self) -> Digest {
        let (algorithm, hex) = match self.0 {
            State::Sha256(h) => (Algorithm::Sha256, HEXLOWER.encode(&h.finalize())),
            State::Sha384(h) => (Algorithm::Sha384, HEXLOWER.encode(&h.finalize())),
            State::Sha512(h) => (Algorithm::Sha512, HEXLOWER.encode(&h.finalize())),
        };
        debug_assert_eq!(hex.len(), algorithm.digits());
        Digest(format!("{}:{hex}", algorithm.name()).into())
    }
}

/// Hashes what is written.
impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_string_has_the_known_digest() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::sha256(b"").as_str(), empty);
        assert_eq!(Digest::sha256(b"").short(), "e3b0c44298fc");
    }

    #[test]
    fn grammar_is_that_of_the_specification() {
        let hex = "0".repeat(64);
        for good in [format!("sha256:{hex}"), "a+b.c_d-e:Zz=_-".into(), format!("blake3:{hex}")] {
            assert_eq!(Digest::parse(&good).expect("good").as_str(), good);
        }
        for bad in ["", ":", "sha256", "sha256:", "SHA256:aa", "a..b:x", "a-:x", "a:b/c", "a:b:c", "../x:y"] {
            assert_eq!(Digest::parse(bad), Err(DigestError::Grammar), "{bad}");
        }
        assert_eq!(
            Digest::parse("sha256:abc"),
            Err(DigestError::Length { algorithm: "sha256", expected: 64, found: 3 })
        );
        assert_eq!(Digest::parse(&format!("sha256:{}", "A".repeat(64))), Err(DigestError::NotLowerHex));
    }

    #[test]
    fn other_algorithms_are_computed_too() {
        let wide = Digest::parse(&format!("sha512:{}", "0".repeat(128))).expect("good");
        assert!(wide.of_same_kind(b"x").expect("computable").as_str().starts_with("sha512:"));
        assert_eq!(Digest::parse("md5:00").expect("grammar only").algorithm(), None);
    }
}
