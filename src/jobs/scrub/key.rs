//! Keys of the state: digests, and digests in layouts.

use crate::digest::Digest;
use crate::form::registry_storage::stored::Folder;

/// The key of a digest: 0 and the bytes of SHA-256, or 1 and the text of any other.
pub fn key(digest: &Digest) -> Vec<u8> {
    let bytes = match digest.algorithm_name() {
        "sha256" => data_encoding::HEXLOWER.decode(digest.encoded().as_bytes()).ok(),
        _ => None,
    };
    match bytes {
        Some(bytes) => [&[0], &bytes[..]].concat(),
        None => [&[1], digest.as_str().as_bytes()].concat(),
    }
}

/// The key of a blob in a layout: 2, the layout's path, 0, and the text of the digest. Two layouts may have two copies.
pub fn key_in(layout: &str, digest: &Digest) -> Vec<u8> {
    [&[2], layout.as_bytes(), &[0], digest.as_str().as_bytes()].concat()
}

/// The layout and the digest of such a key.
pub fn layout_of(key: &[u8]) -> Option<(&str, &str)> {
    let (2, rest) = key.split_first()? else { return None };
    std::str::from_utf8(rest).ok()?.split_once('\0')
}

/// The digest of a key.
pub fn digest(key: &[u8]) -> Option<Digest> {
    match key.split_first()? {
        (2, _) => Digest::parse(layout_of(key)?.1).ok(),
        (0, bytes) => Digest::from_sha256_hex(&data_encoding::HEXLOWER.encode(bytes)),
        (_, text) => Digest::parse(std::str::from_utf8(text).ok()?).ok(),
    }
}

/// The beginning of the keys of a folder.
pub fn prefix(folder: &Folder) -> Vec<u8> {
    let byte = data_encoding::HEXLOWER.decode(folder.name.as_bytes()).ok();
    match (folder.algorithm.as_str(), byte) {
        ("sha256", Some(byte)) => [&[0], &byte[..]].concat(),
        (algorithm, _) => [&[1], algorithm.as_bytes(), b":", folder.name.as_bytes()].concat(),
    }
}
