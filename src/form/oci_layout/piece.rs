//! One layout as an archive, by what was listed of it and by what is known of its blobs, so that it is judged by the rules
//! that judge one which is at hand.

use std::io::{Cursor, Read};
use std::sync::Arc;

use bstr::ByteSlice as _;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};

use super::{blob_path, open};
use crate::digest::Digest;
use crate::error::Result;
use crate::limits::Limits;
use crate::model::Archive;
use crate::source::{Bytes, Ingested, Member, MemberKind, MemberName, Special, Tree, TreeAnomaly, Wanted};

/// Bytes that are no characters of a text, and what stands for them.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

/// What a layout holds beside blobs, by its name in the layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A document that stands under a name of its own, with its text.
    Document(Vec<u8>, Vec<u8>),
    /// Another file, with its size.
    File(Vec<u8>, u64),
    /// A directory.
    Directory(Vec<u8>),
    /// A symlink that leads to no file of the layout, with its target.
    Symlink(Vec<u8>, Vec<u8>),
    /// Neither file nor directory.
    Other(Vec<u8>),
}

impl Said {
    /// As two texts, of which the first is the only one of its kind in a layout.
    pub fn written(&self) -> (String, String) {
        let text = |bytes: &[u8]| percent_encode(bytes, ESCAPED).to_string();
        let (kind, name, value) = match self {
            Said::Document(name, bytes) => ("documents", name, text(bytes)),
            Said::File(name, size) => ("files", name, size.to_string()),
            Said::Directory(name) => ("directories", name, String::new()),
            Said::Symlink(name, target) => ("symlinks", name, text(target)),
            Said::Other(name) => ("others", name, String::new()),
        };
        (format!("{kind}/{}", text(name)), value)
    }

    /// What was written; `None` if it was something else.
    pub fn read(path: &str, text: &str) -> Option<Said> {
        let bytes = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
        let (kind, name) = path.split_once('/')?;
        let name = bytes(name);
        Some(match kind {
            "documents" => Said::Document(name, bytes(text)),
            "files" => Said::File(name, text.parse().ok()?),
            "directories" => Said::Directory(name),
            "symlinks" => Said::Symlink(name, bytes(text)),
            "others" => Said::Other(name),
            _ => return None,
        })
    }
}

/// What is known of the blobs of a layout.
pub trait Known: Send + Sync {
    /// The text of a document, or what is left of a blob that is none.
    ///
    /// # Errors
    ///
    /// What is known cannot be looked up.
    fn text(&self, digest: &Digest) -> Result<Vec<u8>>;
}

/// What a member's bytes are.
enum Held {
    Text(Vec<u8>),
    Blob(Digest),
}

struct Pieces {
    held: Vec<Held>,
    known: Arc<dyn Known>,
}

impl Bytes for Pieces {
    fn reader(&self, member: Wanted<'_>) -> Result<Box<dyn Read + Send>> {
        let bytes = match self.held.get(member.key as usize) {
            Some(Held::Text(text)) => text.clone(),
            Some(Held::Blob(digest)) => self.known.text(digest)?,
            None => Vec::new(),
        };
        Ok(Box::new(Cursor::new(bytes)))
    }
}

/// One layout, by what was listed of it, the digests and sizes of its blobs, and what is known of those.
///
/// # Errors
///
/// What is known cannot be looked up.
pub fn layout(
    place: &str,
    said: Vec<Said>,
    blobs: Vec<(Digest, u64)>,
    known: Arc<dyn Known>,
    limits: &Limits,
) -> Result<Archive> {
    let mut members: Vec<(Member, Held)> = Vec::with_capacity(said.len() + blobs.len());
    let nothing = || Held::Text(Vec::new());
    let file = |name: &[u8], size| Member::in_list(MemberName::from(name), MemberKind::File, size);
    let other = |name: &[u8], kind: MemberKind<'_>| Member::in_list(MemberName::from(name), kind, 0);
    for said in said {
        members.push(match said {
            Said::Document(name, text) => (file(&name, text.len() as u64), Held::Text(text)),
            Said::File(name, size) => (file(&name, size), nothing()),
            Said::Directory(name) => (other(&name, MemberKind::Directory), nothing()),
            Said::Symlink(name, target) => (other(&name, MemberKind::Symlink(target.as_bstr())), nothing()),
            Said::Other(name) => (other(&name, MemberKind::Other(Special::Fifo)), nothing()),
        });
    }
    let blobs = blobs.into_iter();
    members
        .extend(blobs.map(|(digest, size)| (file(blob_path(&digest).as_bytes(), size), Held::Blob(digest))));
    members.sort_by(|(a, _), (b, _)| a.kept_name().cmp(b.kept_name()));
    let most = usize::try_from(limits.members).unwrap_or(usize::MAX);
    let cut = (members.len() > most).then_some(TreeAnomaly::TooManyMembers { limit: limits.members });
    members.truncate(most);
    let (members, held) = members.into_iter().unzip();
    let bytes = Box::new(Pieces { held, known });
    open(Tree::of_list(place, members, cut.into_iter().collect(), bytes), Ingested::default(), limits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for said in [
            Said::Document(b"index.json".to_vec(), b"{\"a\":\"\xff%41\"}\0".to_vec()),
            Said::File(b"a/b c".to_vec(), 7),
            Said::Directory(b"blobs/sha256".to_vec()),
            Said::Symlink(b"\xffx".to_vec(), b"../y\n".to_vec()),
            Said::Other(b"pipe".to_vec()),
        ] {
            let (path, text) = said.written();
            assert_eq!(Said::read(&path, &text), Some(said));
        }
        assert_eq!(Said::read("tags/1", ""), None);
        assert_eq!(Said::read("files/x", "many"), None);
    }
}
