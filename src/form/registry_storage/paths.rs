//! The names of files in storage (formats.md E.2), and the digests that they say.

use crate::digest::Digest;

/// The file of a blob; `base` is what stands before `blobs/`.
pub fn blob_name(base: &str, digest: &Digest) -> Option<String> {
    let hex = digest.encoded();
    Some(format!("{base}blobs/{}/{}/{hex}/data", digest.algorithm_name(), hex.get(..2)?))
}

/// The digest of the blob of which `name` is the file, in its folder or in another one's.
pub fn digest_of_blob(name: &str) -> Option<Digest> {
    let mut parts = name.strip_suffix("/data")?.rsplit('/');
    let (hex, _, algorithm) = (parts.next()?, parts.next()?, parts.next()?);
    Digest::of_parts(algorithm, hex).ok()
}

/// The digest that the path of a link names; a tag's `current/link` names none.
pub fn digest_of_link(path: &str) -> Option<Digest> {
    let mut parts = path.strip_suffix("/link")?.rsplit('/');
    // The grammar of digests takes a tag and this word for one.
    let hex = parts.next().filter(|hex| *hex != "current")?;
    let algorithm = parts.next()?;
    Digest::of_parts(algorithm, hex).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_the_digest_that_it_was_made_of() {
        let digest = Digest::sha256(b"a blob");
        let hex = digest.encoded();
        for base in ["", "v2/", "docker/registry/v2/"] {
            let name = blob_name(base, &digest).expect("64 digits");
            assert_eq!(digest_of_blob(&name), Some(digest.clone()));
            assert_eq!(digest_of_blob(&name.replacen(&hex[..2], "zz", 1)), Some(digest.clone()));
            assert_eq!(digest_of_link(&name), None);
        }
        let link = format!("a/_manifests/tags/1/index/sha256/{hex}/link");
        assert_eq!(digest_of_link(&link), Some(digest));
        for none in ["a/_manifests/tags/1/current/link", "link", "", "/link", "sha256/link", "data", "/data"]
        {
            assert_eq!((digest_of_link(none), digest_of_blob(none)), (None, None), "{none}");
        }
    }
}
