//! One repository of a registry as an archive, by what the registry said of it and by what is known of its blobs, so that
//! it is judged by the rules that judge what is read at once.

use std::collections::HashMap;
use std::io::{Cursor, Read};
use std::sync::{Arc, Mutex, PoisonError};

use crate::digest::Digest;
use crate::error::Result;
use crate::limits::Limits;
use crate::location::{Location, MemberId};
use crate::model::build::Builder;
use crate::model::{Anomaly, Archive, Find, Form, Name, Root, Sought, Via};
use crate::reference::Reference;
use crate::source::{Bytes, Ingested, MemberName, Tree, Wanted};

/// What a registry says of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A tag, and what it points at; nothing if it is listed and leads nowhere.
    Tag(String, Option<Digest>),
    /// What refers to something in it and has no tag.
    Referrer(Digest),
    /// A manifest or an index, how large it is, and its media type.
    Document(Digest, u64, Option<String>),
    /// A blob that something in it points at, and how large it is; nothing if it is not there.
    Blob(Digest, Option<u64>),
}

impl Said {
    /// As two texts, of which the first is the only one of its kind in a repository.
    pub fn written(&self) -> (String, String) {
        match self {
            Said::Tag(tag, digest) => {
                (format!("tags/{tag}"), digest.as_ref().map(Digest::to_string).unwrap_or_default())
            }
            Said::Referrer(digest) => (format!("referrers/{digest}"), String::new()),
            Said::Document(digest, size, kind) => {
                (format!("manifests/{digest}"), format!("{size} {}", kind.as_deref().unwrap_or_default()))
            }
            Said::Blob(digest, size) => {
                (format!("blobs/{digest}"), size.map(|size| size.to_string()).unwrap_or_default())
            }
        }
    }

    /// What was written; `None` if it was something else.
    pub fn read(path: &str, text: &str) -> Option<Said> {
        let (kind, name) = path.split_once('/')?;
        let digest = || Digest::parse(name).ok();
        match kind {
            "tags" => Some(Said::Tag(name.to_owned(), Digest::parse(text).ok())),
            "referrers" => Some(Said::Referrer(digest()?)),
            "manifests" => {
                let (size, kind) = text.split_once(' ')?;
                let kind = Some(kind.to_owned()).filter(|kind| !kind.is_empty());
                Some(Said::Document(digest()?, size.parse().ok()?, kind))
            }
            "blobs" => Some(Said::Blob(digest()?, text.parse().ok())),
            _ => None,
        }
    }
}

/// What is known of the blobs of a registry.
pub trait Known: Send + Sync {
    /// The text of a document, or what is left of a blob that is none.
    ///
    /// # Errors
    ///
    /// What is known cannot be looked up.
    fn text(&self, digest: &Digest) -> Result<Vec<u8>>;

    /// The repository under whose name a blob is told, whichever others have it, too; `None` if the registry says that it
    /// has it, and does not give it.
    ///
    /// # Errors
    ///
    /// As of [`text`](Known::text).
    fn repository(&self, digest: &Digest, own: &str) -> Result<Option<String>>;
}

/// The digests of members, by their keys.
type Found = Arc<Mutex<Vec<Digest>>>;

struct Pieces {
    found: Found,
    known: Arc<dyn Known>,
}

impl Bytes for Pieces {
    fn reader(&self, member: Wanted<'_>) -> Result<Box<dyn Read + Send>> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = found.get(member.key as usize).cloned();
        drop(found);
        let text = digest.map(|digest| self.known.text(&digest)).transpose()?.unwrap_or_default();
        Ok(Box::new(Cursor::new(text)))
    }
}

/// Finds blobs by what the registry said of them.
struct ByWord {
    own: String,
    documents: HashMap<Digest, u64>,
    blobs: HashMap<Digest, u64>,
    members: HashMap<Digest, Option<MemberId>>,
    found: Found,
    known: Arc<dyn Known>,
}

impl Find for ByWord {
    fn find(&mut self, tree: &mut Tree, digest: &Digest, _: Sought) -> Result<Option<MemberId>> {
        if let Some(&member) = self.members.get(digest) {
            return Ok(member);
        }
        let (kind, size) = match (self.documents.get(digest), self.blobs.get(digest)) {
            (Some(&size), _) => ("manifests", size),
            (None, Some(&size)) => ("blobs", size),
            (None, None) => return Ok(None),
        };
        let member = self.known.repository(digest, &self.own)?.map(|repository| {
            let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            found.push(digest.clone());
            tree.add(MemberName::from(format!("{repository}/{kind}/{digest}")), size, found.len() as u64 - 1)
        });
        self.members.insert(digest.clone(), member);
        Ok(member)
    }
}

/// One repository, by what the registry said of it.
///
/// # Errors
///
/// What is known cannot be looked up.
pub fn repository(
    (place, domain): (&str, &str),
    name: &str,
    said: &[Said],
    known: Arc<dyn Known>,
    limits: &Limits,
) -> Result<Archive> {
    let found = Found::default();
    let mut find = ByWord {
        own: name.to_owned(),
        documents: HashMap::new(),
        blobs: HashMap::new(),
        members: HashMap::new(),
        found: Arc::clone(&found),
        known: Arc::clone(&known),
    };
    let mut types = HashMap::new();
    for said in said {
        match said {
            Said::Document(digest, size, kind) => {
                find.documents.insert(digest.clone(), *size);
                types.insert(digest, kind.clone());
            }
            Said::Blob(digest, Some(size)) => drop(find.blobs.insert(digest.clone(), *size)),
            _ => {}
        }
    }
    let tree = Tree::of_bytes(place, Vec::new(), Box::new(Pieces { found: Arc::clone(&found), known }));
    let mut builder = Builder::new(Form::Registry, tree, Ingested::default(), limits, find);
    let named = match Reference::parse(&format!("{domain}/{name}")) {
        Ok(named) => named,
        Err(problem) => {
            let (text, problem) = (format!("{domain}/{name}"), problem.to_string());
            builder.odd(Anomaly::BadName { at: Location::archive(), text, problem });
            return Ok(builder.archive);
        }
    };
    for said in said {
        let (tag, digest) = match said {
            Said::Tag(tag, Some(digest)) => (Some(tag), digest),
            Said::Tag(tag, None) => {
                let (repository, tag) = (name.to_owned(), tag.clone());
                builder.odd(Anomaly::TagWithoutTarget { member: None, repository, tag });
                continue;
            }
            Said::Referrer(digest) => (None, digest),
            Said::Document(..) | Said::Blob(..) => continue,
        };
        let kind = types.get(digest).cloned().flatten();
        enter(&mut builder, &named, tag.map(String::as_str), digest.clone(), kind)?;
    }
    Ok(builder.archive)
}

/// Enters a document under the name of its repository, and its tag if it has one.
fn enter(
    builder: &mut Builder<'_>,
    named: &Reference,
    tag: Option<&str>,
    digest: Digest,
    kind: Option<String>,
) -> Result<()> {
    // The member is there already, or is when it was loaded.
    let blob = builder.blob_of_digest(&digest, Sought::Manifest)?;
    let at = builder.archive.blob(blob).member.map_or_else(Location::archive, Location::member);
    let name = tag.and_then(|tag| named.with_tag(tag).ok()).map_or(Name::None, Name::Full);
    if let Some(node) = builder.manifest(digest, kind.map(Into::into), &at)? {
        let repository = Some(named.path().to_owned());
        builder.archive.roots.push(Root { at, name, node, descriptor: None, repository, via: Via::List });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let digest = Digest::sha256(b"x");
        for said in [
            Said::Tag("1".into(), Some(digest.clone())),
            Said::Tag("1".into(), None),
            Said::Referrer(digest.clone()),
            Said::Document(digest.clone(), 5, Some("a/b".into())),
            Said::Document(digest.clone(), 5, None),
            Said::Blob(digest.clone(), Some(7)),
            Said::Blob(digest, None),
        ] {
            let (path, text) = said.written();
            assert_eq!(Said::read(&path, &text), Some(said));
        }
        assert_eq!(Said::read("_layers/x", ""), None);
    }
}
