//! Pieces of a storage as archives, so that they are judged by the rules that judge all of it: a repository with the blobs
//! that it names, and blobs that belong to no repository.

use std::io::{Cursor, Read};
use std::sync::{Arc, Mutex, PoisonError};

use super::paths::blob_name;
use super::{Aliases, links, read_repository, repositories, repository_of};
use crate::digest::Digest;
use crate::error::Result;
use crate::form::stored::{Link, Listed};
use crate::limits::Limits;
use crate::location::{Location, MemberId};
use crate::model::build::Builder;
use crate::model::{Anomaly, Archive, Find, Form, Sought, StorageProblem};
use crate::source::{Bytes, Ingested, MemberName, Tree, Wanted};

/// What is known of the blobs of a storage.
pub trait Known: Send + Sync {
    /// The size of a blob; `None` if the storage lacks it.
    ///
    /// # Errors
    ///
    /// What is known cannot be looked up.
    fn size(&self, digest: &Digest) -> Result<Option<u64>>;

    /// The text of a document, or what is left of a blob that is none.
    ///
    /// # Errors
    ///
    /// As of [`size`](Known::size).
    fn text(&self, digest: &Digest) -> Result<Vec<u8>>;

    /// The name and size of a blob that stands in a folder where no registry looks.
    fn misplaced(&self, _digest: &Digest) -> Option<(String, u64)> {
        None
    }
}

/// The digests of members that were found, by their keys.
type Found = Arc<Mutex<Vec<Digest>>>;

/// Set in the keys of members that are blobs.
const BLOB: u64 = 1 << 63;

/// Links in memory, and blobs of which something is known.
struct Pieces {
    links: Vec<String>,
    found: Found,
    known: Arc<dyn Known>,
}

impl Bytes for Pieces {
    fn reader(&self, member: Wanted<'_>) -> Result<Box<dyn Read + Send>> {
        if member.key & BLOB == 0 {
            let text = self.links.get(member.key as usize).cloned().unwrap_or_default();
            return Ok(Box::new(Cursor::new(text.into_bytes())));
        }
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = found.get((member.key & !BLOB) as usize).cloned();
        drop(found);
        let text = digest.map(|digest| self.known.text(&digest)).transpose()?.unwrap_or_default();
        Ok(Box::new(Cursor::new(text)))
    }
}

/// Finds blobs by what is known of them.
struct ByFacts {
    base: String,
    aliases: Aliases,
    found: Found,
    known: Arc<dyn Known>,
}

impl ByFacts {
    fn at(&self, tree: &mut Tree, digest: &Digest) -> Result<Option<MemberId>> {
        let Some(name) = blob_name(&self.base, digest) else { return Ok(None) };
        if let Some(member) = tree.get(name.as_bytes()) {
            return Ok(Some(member));
        }
        let Some(size) = self.known.size(digest)? else { return Ok(None) };
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let key = BLOB | found.len() as u64;
        found.push(digest.clone());
        Ok(Some(tree.add(MemberName::from(name), size, key)))
    }
}

impl Find for ByFacts {
    fn find(&mut self, tree: &mut Tree, digest: &Digest, _: Sought) -> Result<Option<MemberId>> {
        match self.at(tree, digest)? {
            Some(member) => Ok(Some(member)),
            None => match self.aliases.get(digest).cloned() {
                Some(stored) => self.at(tree, &stored),
                None => Ok(None),
            },
        }
    }
}

/// One repository, by its links and by what is known of the blobs of its storage. `root` are files at the storage's root.
///
/// # Errors
///
/// What is known cannot be looked up.
pub fn repository(
    (place, base): (&str, &str),
    name: &str,
    texts: &[Link],
    root: &[&str],
    known: Arc<dyn Known>,
    limits: &Limits,
) -> Result<Archive> {
    let member = |link: &Link| {
        (MemberName::from(format!("{base}repositories/{name}/{}", link.path)), link.text.len() as u64)
    };
    let members = texts.iter().map(member).chain(root.iter().map(|file| (MemberName::from(*file), 0)));
    let found = Found::default();
    let bytes = Pieces {
        links: texts.iter().map(|link| link.text.clone()).collect(),
        found: Arc::clone(&found),
        known: Arc::clone(&known),
    };
    let tree = Tree::of_bytes(place, members.collect(), Box::new(bytes));
    let (repositories, aliases, bad_names) = repositories(&tree, base)?;
    let find =
        ByFacts { base: base.to_owned(), aliases, found: Arc::clone(&found), known: Arc::clone(&known) };
    let mut builder = Builder::new(Form::RegistryStorage, tree, Ingested::default(), limits, find);
    for path in &repositories {
        let repository = repository_of(&builder.archive.tree, base, path);
        read_repository(&mut builder, path, &repository)?;
    }
    super::odd_names(&mut builder, bad_names);
    links(&mut builder, base, &repositories)?;
    let missed = builder.archive.blobs.iter().filter(|blob| blob.member.is_none());
    let missed: Vec<Digest> = missed.filter_map(|blob| blob.digest.clone()).collect();
    for digest in missed {
        let Some((name, size)) = known.misplaced(&digest) else { continue };
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        let key = BLOB | found.len() as u64;
        found.push(digest.clone());
        let member = builder.archive.tree.add(MemberName::from(name), size, key);
        let problem = StorageProblem::Misplaced(digest);
        builder.odd(Anomaly::Storage { at: Location::member(member), problem });
    }
    Ok(builder.archive)
}

/// Blobs that stand where nobody points at them: each with whether a repository has a link to it, and whether it stands
/// where registries look for it.
///
/// # Errors
///
/// What is known cannot be looked up.
pub fn leftovers(
    (place, base): (&str, &str),
    blobs: &[(Listed, bool, String)],
    known: Arc<dyn Known>,
    limits: &Limits,
) -> Result<Archive> {
    let named = |(blob, _, name): &(Listed, bool, String)| (MemberName::from(name.as_str()), blob.size);
    let found = Found::new(Mutex::new(blobs.iter().map(|(blob, ..)| blob.digest.clone()).collect()));
    let at_hand = Arc::clone(&known);
    let bytes = AllBlobs(Pieces { links: Vec::new(), found, known });
    let tree = Tree::of_bytes(place, blobs.iter().map(named).collect(), Box::new(bytes));
    let mut builder = Builder::new(Form::RegistryStorage, tree, Ingested::default(), limits, ());
    for ((blob, linked, name), member) in blobs.iter().zip((0..).map(MemberId)) {
        let at = Location::member(member);
        if blob_name(base, &blob.digest).as_ref() != Some(name) {
            let problem = match at_hand.size(&blob.digest)? {
                Some(_) => StorageProblem::Copy(blob.digest.clone()),
                None => StorageProblem::Misplaced(blob.digest.clone()),
            };
            builder.odd(Anomaly::Storage { at, problem });
            continue;
        }
        if !linked {
            builder.odd(Anomaly::Storage { at, problem: StorageProblem::Unlinked });
        }
        builder.stored_blob(blob.digest.clone(), member);
    }
    Ok(builder.archive)
}

/// Members that are all blobs, by their places.
struct AllBlobs(Pieces);

impl Bytes for AllBlobs {
    fn reader(&self, member: Wanted<'_>) -> Result<Box<dyn Read + Send>> {
        self.0.reader(Wanted { key: member.key | BLOB, ..member })
    }
}
