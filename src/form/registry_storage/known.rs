//! What links in a bucket say: nearly always the digest in their own names, which the ETag of the object proves. Then nobody
//! has to ask for it.

use std::collections::HashMap;
use std::io::Read as _;

use crate::error::{Context as _, Result};
use crate::form::at_once::at_once;
use crate::limits::LINK_BYTES;
use crate::store::{Bucket, Object};

/// Whether an object is a link.
fn is_link(object: &Object) -> bool {
    object.name.ends_with("/link")
}

/// The digest that the name of a link says, and the tag whose history it is part of, with all before it.
fn named(name: &str) -> Option<(String, Option<&str>)> {
    let mut parts = name.rsplit('/');
    let (_, hex, algorithm) = (parts.next()?, parts.next()?, parts.next()?);
    let tag = name.split_once("/index/").map(|(tag, _)| tag).filter(|tag| tag.contains("/_manifests/tags/"));
    Some((format!("{algorithm}:{hex}"), tag))
}

/// The tag whose link a name is, with all before it.
fn current(name: &str) -> Option<&str> {
    name.strip_suffix("/current/link")
}

/// What is known of the links among objects without asking, by their places in the list. A tag is likely to stand for one
/// of its history.
pub fn known(objects: &[Object]) -> HashMap<usize, String> {
    let mut found = HashMap::new();
    let mut history: HashMap<&str, Vec<String>> = HashMap::new();
    for (at, object) in objects.iter().enumerate().filter(|(_, object)| is_link(object)) {
        let Some((digest, tag)) = named(&object.name).filter(|_| current(&object.name).is_none()) else {
            continue;
        };
        if let Some(tag) = tag {
            history.entry(tag).or_default().push(digest.clone());
        }
        if object.holds(&digest) {
            found.insert(at, digest);
        }
    }
    for (at, object) in objects.iter().enumerate() {
        let before = current(&object.name).and_then(|tag| history.get(tag));
        let digest = before.and_then(|digests| digests.iter().find(|digest| object.holds(digest)));
        found.extend(digest.map(|digest| (at, digest.clone())));
    }
    found
}

/// What each object says, if it is a link: as it is known, or else as it is read, several at once. One that went
/// meanwhile says nothing.
///
/// # Errors
///
/// A link cannot be read.
pub fn texts(
    bucket: &Bucket,
    objects: &[Object],
    known: HashMap<usize, String>,
) -> Result<Vec<Option<String>>> {
    let mut texts: Vec<Option<String>> = vec![None; objects.len()];
    let mut wanted = Vec::new();
    let mut known = known;
    for (at, _) in objects.iter().enumerate().filter(|(_, object)| is_link(object)) {
        match known.remove(&at) {
            Some(text) => texts[at] = Some(text),
            None => wanted.push(at),
        }
    }
    for (&at, text) in wanted.iter().zip(at_once(&wanted, |&at| text(bucket, &objects[at].name))?) {
        texts[at] = text;
    }
    Ok(texts)
}

fn text(bucket: &Bucket, name: &str) -> Result<Option<String>> {
    let Some(got) = bucket.get(name, None)? else { return Ok(None) };
    let mut bytes = Vec::new();
    got.reader.take(LINK_BYTES).read_to_end(&mut bytes).at("cannot read", bucket.address().shown(name))?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `text` the ETag that a store gives what is put in one piece.
    fn object(name: &str, text: &str) -> Object {
        let etag = Some(crate::store::md5(text.as_bytes()));
        Object { name: name.to_owned(), size: text.len() as u64, modified: 0, etag }
    }

    #[test]
    fn links_that_say_what_they_are_called_are_known() {
        let (one, two) = ("a".repeat(64), "b".repeat(64));
        let (first, second) = (format!("sha256:{one}"), format!("sha256:{two}"));
        let root = "repositories/app";
        let objects = [
            object(&format!("{root}/_layers/sha256/{one}/link"), &first),
            object(&format!("{root}/_layers/sha256/{two}/link"), &first),
            object(&format!("{root}/_manifests/tags/1/current/link"), &second),
            object(&format!("{root}/_manifests/tags/1/index/sha256/{one}/link"), &first),
            object(&format!("{root}/_manifests/tags/1/index/sha256/{two}/link"), &second),
            object(&format!("{root}/_manifests/tags/2/current/link"), &first),
            object(&format!("{root}/_layers/sha256/{one}/data"), &first),
        ];
        let known = known(&objects);
        let mut places: Vec<usize> = known.keys().copied().collect();
        places.sort_unstable();
        assert_eq!(places, [0, 2, 3, 4]);
        assert_eq!((&known[&0], &known[&2]), (&first, &second));
    }
}
