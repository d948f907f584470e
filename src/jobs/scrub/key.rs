//! Keys of the state: digests, and digests in layouts.

use std::sync::Arc;

use crate::digest::Digest;
use crate::form::registry_storage::stored::Folder;

/// What the state has a row of, as it sorts them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Vec<u8>);

/// Whose blobs are meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Within {
    /// Those of a storage or a registry, which has each once, whatever points at it.
    #[default]
    All,
    /// Those of the layout at this path, which has a copy of its own of each.
    Layout(Arc<str>),
}

impl Within {
    /// The key of a blob: 0 and the bytes of SHA-256, or 1 and the text of any other digest; in a layout 2, its path, 0, and the
    /// text of the digest.
    pub fn key(&self, digest: &Digest) -> Key {
        let text = digest.as_str().as_bytes();
        if let Within::Layout(layout) = self {
            return Key([&[2], layout.as_bytes(), &[0], text].concat());
        }
        let bytes = match digest.algorithm_name() {
            "sha256" => data_encoding::HEXLOWER.decode(digest.encoded().as_bytes()).ok(),
            _ => None,
        };
        Key(bytes.map_or_else(|| [&[1], text].concat(), |bytes| [&[0], &bytes[..]].concat()))
    }

    /// What the keys of all of a layout's blobs begin with; nothing where all blobs are meant.
    pub fn prefix(&self) -> Key {
        match self {
            Within::All => Key::first(),
            Within::Layout(layout) => Key([&[2], layout.as_bytes(), &[0]].concat()),
        }
    }

    /// The path of the layout.
    pub fn layout(&self) -> Option<&str> {
        match self {
            Within::All => None,
            Within::Layout(layout) => Some(layout),
        }
    }
}

impl Key {
    /// That of a blob of a storage or a registry.
    pub fn of(digest: &Digest) -> Key {
        Within::All.key(digest)
    }

    /// One that was read.
    pub fn read(bytes: &[u8]) -> Key {
        Key(bytes.to_vec())
    }

    /// One before all.
    pub fn first() -> Key {
        Key(Vec::new())
    }

    /// What the keys of the blobs of a folder of a storage begin with.
    pub fn of_folder(folder: &Folder) -> Key {
        let byte = data_encoding::HEXLOWER.decode(folder.name.as_bytes()).ok();
        match (folder.algorithm.as_str(), byte) {
            ("sha256", Some(byte)) => Key([&[0], &byte[..]].concat()),
            (algorithm, _) => Key([&[1], algorithm.as_bytes(), b":", folder.name.as_bytes()].concat()),
        }
    }

    /// The bytes of it.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The layout and the digest that it is about; nothing if it is no key.
    pub fn parts(&self) -> Option<(Option<&str>, Digest)> {
        match self.0.split_first()? {
            (0, bytes) => Some((None, Digest::from_sha256_hex(&data_encoding::HEXLOWER.encode(bytes))?)),
            (1, text) => Some((None, Digest::parse(std::str::from_utf8(text).ok()?).ok()?)),
            (_, rest) => {
                let (layout, digest) = std::str::from_utf8(rest).ok()?.split_once('\0')?;
                Some((Some(layout), Digest::parse(digest).ok()?))
            }
        }
    }

    /// The digest that it is about.
    pub fn digest(&self) -> Option<Digest> {
        self.parts().map(|(_, digest)| digest)
    }

    /// The first that follows it and all that begin with it; `None` if none does.
    pub fn behind(&self) -> Option<Key> {
        let mut next = self.0.clone();
        while let Some(last) = next.pop() {
            if let Some(last) = last.checked_add(1) {
                next.push(last);
                return Some(Key(next));
            }
        }
        None
    }

    /// The first that follows it.
    pub fn next(&self) -> Key {
        Key([&self.0[..], &[0]].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_say_what_they_are_about_and_sort_as_digests_do() {
        let (a, b) = (Digest::sha256(b"a"), Digest::sha256(b"b"));
        let layout = |path: &str| Within::Layout(path.into());
        for (within, path) in [(Within::All, None), (layout(""), Some("")), (layout("a/b"), Some("a/b"))] {
            let key = within.key(&a);
            assert_eq!(key.parts(), Some((path, a.clone())));
            assert_eq!(key < within.key(&b), a < b);
            assert!(key >= within.prefix() && within.prefix().behind().is_none_or(|behind| key < behind));
        }
        assert!(layout("a").key(&a) < layout("a-b").key(&a) && layout("a-b").key(&a) < layout("a/b").key(&a));
        let folder = |algorithm: &str, name: &str| Folder { algorithm: algorithm.into(), name: name.into() };
        let key = Key::of_folder(&folder("sha256", &a.encoded()[..2]));
        assert!(key <= Key::of(&a) && Key::of(&a) < key.behind().expect("not the last"));
        assert_eq!(Key::of_folder(&folder("sha256", "ff")).behind(), Some(Key(vec![1])));
    }
}
