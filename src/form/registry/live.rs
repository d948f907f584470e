//! A registry that is gone through repository by repository, whatever its size: nothing of one is held when the next is
//! asked for.

use std::io::Read;
use std::sync::Arc;

use super::address::Address;
use super::crawl::Crawl;
use super::piece::Said;
use crate::digest::Digest;
use crate::distribution::{Manifest, Registries, Repository};
use crate::error::{Error, Result};
use crate::form::at_once::at_once;
use crate::limits::Limits;

/// Of so many things one repository is asked for several at once.
const MANY: usize = 32;

/// A registry, or one repository of it.
pub struct Live {
    registries: Arc<Registries>,
    address: Address,
    limits: Limits,
    /// How many edges of referrers are followed.
    referrers: u64,
}

/// What is known of a registry when a repository of it is asked.
pub struct Knowing<'a> {
    /// Documents that need not be read again, as their digests are: their bytes.
    pub held: &'a (dyn Fn(&Digest) -> Result<Option<Vec<u8>>> + Sync),
    /// Whether any of them are known: of a repository that was never seen every tag is read.
    pub any: bool,
    /// Whether it is asked for a blob.
    pub asks: &'a (dyn Fn(&Digest) -> bool + Sync),
}

/// What a repository said.
#[derive(Debug, Default)]
pub struct Answered {
    /// What it said.
    pub said: Vec<Said>,
    /// Its documents.
    pub documents: Vec<(Digest, Vec<u8>)>,
    /// What it refused, and why.
    pub refused: Vec<String>,
}

impl Live {
    /// A registry, or a repository of it.
    ///
    /// # Errors
    ///
    /// The place is one image.
    pub fn new(
        registries: Arc<Registries>,
        address: Address,
        limits: &Limits,
        referrers: u64,
    ) -> Result<Live> {
        if let Address::Repository { name, tag, digest } = &address {
            if tag.is_some() || digest.is_some() {
                let message = format!("one image of {} is not all of a repository", name.repository());
                return Err(Error::refused_help(
                    message,
                    "leave tag and digest out; restow check judges an image",
                ));
            }
        }
        Ok(Live { registries, address, limits: limits.clone(), referrers })
    }

    /// The domain of its names.
    pub fn domain(&self) -> &str {
        self.address.domain()
    }

    /// Where it is, the same however it was typed.
    pub fn place(&self) -> String {
        match &self.address {
            Address::Repository { name, .. } => format!("docker://{}/{}", name.domain(), name.path()),
            Address::Host { domain, prefix } => format!("docker://{domain}/{prefix}"),
        }
    }

    /// The names of its repositories, sorted.
    ///
    /// # Errors
    ///
    /// It does not list them, or cannot be asked.
    pub fn names(&self) -> Result<Vec<String>> {
        let (domain, prefix) = match &self.address {
            Address::Repository { name, .. } => return Ok(vec![name.path().to_owned()]),
            Address::Host { domain, prefix } => (domain, prefix),
        };
        let mut names = self.registries.catalog(domain)?;
        names.retain(|name| name.starts_with(prefix.as_str()));
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    fn of(&self, path: &str) -> Result<Repository> {
        Ok(self.registries.repository(self.domain(), path)?)
    }

    /// What a repository says: its tags, every document that they lead to with what refers to those, and which blobs it
    /// has; `None` if there is no such repository.
    ///
    /// # Errors
    ///
    /// It cannot be asked. What it refuses is no error.
    pub fn repository(&self, name: &str, knowing: &Knowing<'_>) -> Result<Option<Answered>> {
        let repository = self.of(name)?;
        let mut crawl = Crawl::new(&self.limits, &[]);
        crawl.held = Some(knowing.held);
        let listed = crawl.or_refused(&format!("the tags of {name}"), repository.tags())?;
        let mut answered = Answered::default();
        let Some(tags) = listed else {
            answered.refused = refused(crawl);
            // No such repository is none; one that is refused is one.
            return Ok(Some(answered).filter(|answered| !answered.refused.is_empty()));
        };
        let found = several(&tags, |tag| tagged(&crawl, &repository, tag, knowing))?;
        let number = crawl.repository(repository.clone());
        for (tag, found) in tags.into_iter().zip(found) {
            match found {
                Some((manifest, digest)) => {
                    let digest = crawl.enter(number, manifest, Some(&tag), digest.as_ref())?;
                    answered.said.push(Said::Tag(tag, Some(digest)));
                }
                None if is_refused(&crawl, &tag) => {}
                None => answered.said.push(Said::Tag(tag, None)),
            }
        }
        crawl.descend(0)?;
        crawl.referrers(self.referrers)?;
        crawl.gather();
        let referrers = crawl.entries.iter().filter(|entry| entry.tag.is_none());
        answered.said.extend(referrers.map(|entry| Said::Referrer(entry.digest.clone())));
        let asked: Vec<(Digest, u64)> = crawl
            .blobs
            .iter()
            .filter(|wanted| (knowing.asks)(&wanted.digest))
            .map(|wanted| (wanted.digest.clone(), wanted.size))
            .collect();
        let found =
            several(&asked, |(digest, _)| crawl.or_refused(digest.as_str(), repository.has_blob(digest)))?;
        for ((digest, size), found) in asked.into_iter().zip(found) {
            let size = match found {
                Some(found) => Some(found.size.unwrap_or(size)),
                // Whoever reads it will be told more.
                None if is_refused(&crawl, digest.as_str()) => Some(size),
                None => None,
            };
            answered.said.push(Said::Blob(digest, size));
        }
        for found in std::mem::take(&mut crawl.documents) {
            let size = found.bytes.len() as u64;
            answered.said.push(Said::Document(found.digest.clone(), size, found.media_type));
            answered.documents.push((found.digest, found.bytes));
        }
        answered.refused = refused(crawl);
        Ok(Some(answered))
    }

    /// How large a repository says that a blob is, or a document; `None` if it does not have it. It may not say.
    ///
    /// # Errors
    ///
    /// It cannot be asked, or refuses.
    pub fn size(&self, repository: &str, digest: &Digest, document: bool) -> Result<Option<Option<u64>>> {
        let repository = self.of(repository)?;
        Ok(match document {
            true => repository.head(digest.as_str())?.map(|head| head.size),
            false => repository.has_blob(digest)?.map(|found| found.size),
        })
    }

    /// The bytes of a blob; `None` if the repository does not have it.
    ///
    /// # Errors
    ///
    /// It cannot be asked, or refuses.
    pub fn reader(
        &self,
        repository: &str,
        digest: &Digest,
        size: u64,
    ) -> Result<Option<Box<dyn Read + Send>>> {
        let reader = self.of(repository)?.blob(digest, Some(size))?;
        Ok(reader.map(|reader| Box::new(reader) as Box<dyn Read + Send>))
    }
}

/// The document under a tag, with the digest that the registry says it has.
fn tagged(
    crawl: &Crawl<'_>,
    repository: &Repository,
    tag: &str,
    knowing: &Knowing<'_>,
) -> Result<Option<(Manifest, Option<Digest>)>> {
    if knowing.any {
        let Some(head) = crawl.or_refused(tag, repository.head(tag))? else { return Ok(None) };
        if let Some(bytes) = head.digest.as_ref().map(knowing.held).transpose()?.flatten() {
            let manifest = Manifest { bytes, media_type: head.media_type, digest: None };
            return Ok(Some((manifest, head.digest)));
        }
    }
    let manifest = crawl.or_refused(tag, repository.manifest(tag))?;
    Ok(manifest.map(|manifest| {
        let digest = manifest.digest.clone();
        (manifest, digest)
    }))
}

fn is_refused(crawl: &Crawl<'_>, what: &str) -> bool {
    let refused = crawl.refused.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    refused.iter().any(|(asked, _)| asked == what)
}

fn refused(crawl: Crawl<'_>) -> Vec<String> {
    let refused = crawl.refused.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    refused.into_iter().map(|(_, why)| why).collect()
}

/// Does the same with each, several at once if there are many.
fn several<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    if items.len() >= MANY { at_once(items, work) } else { items.iter().map(work).collect() }
}
