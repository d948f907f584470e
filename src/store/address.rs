//! Places in buckets as people type them: `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX`, `az://CONTAINER/PREFIX`.

use std::fmt;

use crate::error::{Error, Result};

/// The makes of buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Amazon S3, and what speaks as it does.
    S3,
    /// Google Cloud Storage.
    Gs,
    /// Azure Blob Storage.
    Az,
}

impl Scheme {
    /// All of them.
    pub const ALL: [Scheme; 3] = [Scheme::S3, Scheme::Gs, Scheme::Az];

    /// What stands before `://`.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::S3 => "s3",
            Scheme::Gs => "gs",
            Scheme::Az => "az",
        }
    }

    /// What the make calls a bucket.
    pub fn noun(self) -> &'static str {
        match self {
            Scheme::S3 | Scheme::Gs => "bucket",
            Scheme::Az => "container",
        }
    }
}

/// A bucket, and a place in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// The make.
    pub scheme: Scheme,
    /// The bucket's name.
    pub bucket: String,
    /// What the names of all objects begin with, without slashes at its ends; may be empty.
    pub prefix: String,
}

impl Address {
    /// Whether a text begins as a place in a bucket does; what follows is not looked at.
    pub fn begins(text: &str) -> bool {
        Scheme::ALL
            .iter()
            .any(|scheme| text.strip_prefix(scheme.name()).is_some_and(|rest| rest.starts_with("://")))
    }

    /// Takes a place in a bucket apart; `None` if it is none.
    ///
    /// # Errors
    ///
    /// It names no bucket, or holds what no name of an object can.
    pub fn parse(text: &str) -> Result<Option<Address>> {
        let found = Scheme::ALL
            .into_iter()
            .find_map(|scheme| Some((scheme, text.strip_prefix(scheme.name())?.strip_prefix("://")?)));
        let Some((scheme, rest)) = found else { return Ok(None) };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if bucket.is_empty() || !bucket.chars().all(named) {
            let message = format!("`{text}` names no {}", scheme.noun());
            let help = format!("write {}://{}/PREFIX", scheme.name(), scheme.noun().to_uppercase());
            return Err(Error::refused_help(message, help));
        }
        let prefix = prefix.trim_matches('/');
        let is_odd = |part: &str| part.is_empty() || part == "." || part == "..";
        if !prefix.is_empty() && prefix.split('/').any(is_odd) {
            let message =
                format!("`{text}` has a part that is empty, `.` or `..`, which names of objects have not");
            return Err(Error::refused_help(message, "give the prefix as a listing of the bucket shows it"));
        }
        Ok(Some(Address { scheme, bucket: bucket.to_owned(), prefix: prefix.to_owned() }))
    }

    /// The bucket alone.
    pub fn bucket(&self) -> String {
        format!("{}://{}", self.scheme.name(), self.bucket)
    }

    /// The last part of the prefix: what a file of it is called.
    pub fn file_name(&self) -> &str {
        self.prefix.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(&self.bucket)
    }

    /// An object below it.
    pub fn join(&self, name: &str) -> String {
        let joint = if self.prefix.is_empty() || name.is_empty() { "" } else { "/" };
        format!("{}{joint}{name}", self.prefix)
    }

    /// An object below it, as messages name it.
    pub fn shown(&self, name: &str) -> String {
        format!("{}/{}", self.bucket(), self.join(name))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joint = if self.prefix.is_empty() { "" } else { "/" };
        write!(f, "{}://{}{joint}{}", self.scheme.name(), self.bucket, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_buckets() {
        let parsed = |text: &str| Address::parse(text).expect("good").expect("a bucket");
        let address = parsed("s3://images/prod/registry/");
        assert_eq!((address.bucket.as_str(), address.prefix.as_str()), ("images", "prod/registry"));
        assert_eq!(address.to_string(), "s3://images/prod/registry");
        assert_eq!(address.shown("a/b"), "s3://images/prod/registry/a/b");
        assert_eq!((address.file_name(), parsed("gs://b").file_name()), ("registry", "b"));
        assert_eq!(parsed("az://c").join("x"), "x");
        assert_eq!(Address::parse("oci:x").expect("good"), None);
        for wrong in ["s3://", "s3:///x", "s3://a b/x", "gs://a/b//c", "az://a/../b", "s3://k:s@b/x"] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
            assert!(Address::begins(wrong), "{wrong}");
        }
    }
}
