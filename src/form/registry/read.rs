//! A live registry as an archive.

use std::collections::{HashMap, HashSet};
use std::io::{Cursor, Read};
use std::sync::Arc;

use super::address::Address;
use super::crawl::Crawl;
use super::narrow::narrow;
use crate::digest::Digest;
use crate::distribution::{Manifest, Registries, Repository};
use crate::error::{Error, ErrorKind, Result};
use crate::form::at_once::at_once;
use crate::limits::Limits;
use crate::location::{Location, MemberId};
use crate::model::build::Builder;
use crate::model::{Anomaly, Archive, Form, Name, Root, Sought, Via};
use crate::platform::Specifier;
use crate::reference::Reference;
use crate::similar;
use crate::source::{self, Bytes, Ingested, Tree};

/// What of a place is wanted.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Every tag of the repository.
    pub all_tags: bool,
    /// Only these of a whole registry: `NAME[:TAG][@DIGEST]`, below its prefix.
    pub names: Option<Vec<String>>,
    /// Only images for these platforms; all if there are none.
    pub platforms: Vec<Specifier>,
    /// Of indexes that are looked at whole, the platforms whose images will be chosen: the others need not be read.
    pub only: Vec<Specifier>,
    /// How many edges of referrers are followed.
    pub referrers: u64,
    /// Whether blobs will be read, so that it matters which are there.
    pub blobs: bool,
}

/// Opens a place in a registry: reads its documents, not its blobs.
///
/// # Errors
/// There is no such image; or the registry cannot be asked, or refuses.
pub fn open(
    place: &str,
    address: &Address,
    registries: &Arc<Registries>,
    wanted: &Wanted,
    limits: &Limits,
) -> Result<Archive> {
    let only = if wanted.platforms.is_empty() { &wanted.only } else { &wanted.platforms };
    let mut crawl = Crawl::new(limits, only);
    match (address, &wanted.names) {
        (Address::Host { domain, prefix }, Some(names)) => {
            for name in names {
                let text = format!("{domain}/{prefix}{name}");
                match Address::parse(&text)? {
                    Address::Host { .. } => {
                        let message = format!("`{name}` is the name of no image");
                        return Err(Error::refused_help(message, "write NAME[:TAG|@DIGEST], one a line"));
                    }
                    one => enter(&mut crawl, &one, registries, wanted.all_tags)?,
                }
            }
        }
        (Address::Host { domain, prefix }, None) => {
            for path in registries.catalog(domain)?.iter().filter(|path| path.starts_with(prefix.as_str())) {
                let repository = registries.repository(domain, path)?;
                all_tags(&mut crawl, repository)?;
            }
        }
        (Address::Repository { .. }, Some(_)) => {
            let help = "give the registry alone, docker://HOST/ or docker://HOST/PREFIX/";
            return Err(Error::refused_help("a list of names goes with a whole registry", help));
        }
        (one, None) => enter(&mut crawl, one, registries, wanted.all_tags)?,
    }
    crawl.descend(0)?;
    narrow(&mut crawl, place, &wanted.platforms)?;
    crawl.referrers(wanted.referrers)?;
    crawl.gather();
    crawl.look(wanted.blobs)?;
    archive(place, address, crawl, limits)
}

/// Enters one image of a repository, or all of its tags.
fn enter(
    crawl: &mut Crawl<'_>,
    address: &Address,
    registries: &Arc<Registries>,
    every_tag: bool,
) -> Result<()> {
    let Address::Repository { name, tag, digest } = address else { return Ok(()) };
    if every_tag {
        if tag.is_some() || digest.is_some() {
            return Err(Error::refused("--all-tags takes a repository without tag and digest"));
        }
        let repository = registries.repository(name.domain(), name.path())?;
        let shown = repository.shown();
        if !all_tags(crawl, repository)? {
            let message = format!("{shown}: there is no such repository");
            let help = "check the name, and whether it wants a login";
            return Err(Error::refused_help(message, help).of(ErrorKind::NotFound));
        }
        return Ok(());
    }
    let tagged = tag.as_deref().unwrap_or("latest");
    let reference = digest.as_ref().map_or(tagged, Digest::as_str);
    let (repository, manifest) = registries.find(name.domain(), name.path(), reference)?;
    let Some(manifest) = manifest else { return Err(absent(&repository, reference)) };
    let number = crawl.repository(repository);
    crawl.names.insert(number, name.clone());
    let tag = if digest.is_some() { tag.as_deref() } else { Some(tagged) };
    crawl.enter(number, manifest, tag, digest.as_ref())?;
    Ok(())
}

/// Enters every tag of a repository; false if there is no such repository.
fn all_tags(crawl: &mut Crawl<'_>, repository: Repository) -> Result<bool> {
    let Some(tags) = repository.tags()? else { return Ok(false) };
    let found = at_once(&tags, |tag| repository.manifest(tag).map_err(Error::from))
        .map_err(|error| one_of_many(error, &repository))?;
    let gone = tags.iter().zip(&found).filter(|(_, manifest)| manifest.is_none());
    let gone: Vec<&String> = gone.map(|(tag, _)| tag).collect();
    let again = still_listed(&repository, &gone)?;
    let number = crawl.repository(repository);
    for (tag, manifest) in tags.iter().zip(found) {
        if let Some(manifest) = manifest {
            crawl.enter(number, manifest, Some(tag), None)?;
        }
    }
    for (tag, manifest) in again {
        match manifest {
            Some(manifest) => drop(crawl.enter(number, manifest, Some(&tag), None)?),
            None => crawl.lost.push((number, tag)),
        }
    }
    Ok(true)
}

/// What a registry refuses of one tag ends a job that needs all of them. One command does not need them all.
fn one_of_many(error: Error, repository: &Repository) -> Error {
    let scrub = format!("`restow scrub docker://{}` proves all that the registry gives", repository.shown());
    error.advised(&scrub)
}

/// Tags without a manifest that are listed all the same when they are asked for once more, and their manifests, if those came
/// meanwhile. One that was removed meanwhile is no tag any more.
fn still_listed(repository: &Repository, gone: &[&String]) -> Result<Vec<(String, Option<Manifest>)>> {
    if gone.is_empty() {
        return Ok(Vec::new());
    }
    let now: HashSet<String> = repository.tags()?.unwrap_or_default().into_iter().collect();
    let listed: Vec<String> =
        gone.iter().filter(|tag| now.contains(**tag)).map(|tag| (*tag).clone()).collect();
    let found = at_once(&listed, |tag| repository.manifest(tag).map_err(Error::from))?;
    Ok(listed.into_iter().zip(found).collect())
}

/// What to say of a name that the registry does not know.
fn absent(repository: &Repository, reference: &str) -> Error {
    let joint = if reference.contains(':') { '@' } else { ':' };
    let message = format!("{}{joint}{reference}: there is no such image", repository.shown());
    let help = match repository.tags() {
        Ok(Some(tags)) if !tags.is_empty() => {
            let mut near: Vec<(usize, &str)> = tags
                .iter()
                .filter_map(|tag| Some((similar::distance(reference, tag)?, tag.as_str())))
                .filter(|(distance, _)| *distance <= 2)
                .collect();
            near.sort();
            let near: Vec<&str> = near.into_iter().map(|(_, tag)| tag).take(5).collect();
            if near.is_empty() {
                let first: Vec<&str> = tags.iter().map(String::as_str).take(5).collect();
                let more =
                    if tags.len() > 5 { format!(" and {} more", tags.len() - 5) } else { String::new() };
                format!("the repository has the tags {}{more}", first.join(", "))
            } else {
                format!("the repository has tags like it: {}", near.join(", "))
            }
        }
        Ok(Some(_)) => "the repository has no tags".to_owned(),
        _ => "check the name, and whether it wants a login".to_owned(),
    };
    Error::refused_help(message, help)
}

fn archive(place: &str, address: &Address, crawl: Crawl<'_>, limits: &Limits) -> Result<Archive> {
    let mut members = Vec::new();
    let mut held = Vec::new();
    let (mut documents, mut blobs) = (HashMap::new(), HashMap::new());
    let mut types = HashMap::new();
    for found in crawl.documents {
        let repository = &crawl.repositories[found.repository];
        documents.entry(found.digest.clone()).or_insert(MemberId(members.len() as u32));
        types.entry(found.digest.clone()).or_insert(found.media_type);
        members.push((
            format!("{}/manifests/{}", repository.path(), found.digest).as_bytes().into(),
            found.bytes.len() as u64,
        ));
        held.push(Held::Bytes(found.bytes.into()));
    }
    for wanted in crawl.blobs.into_iter().filter(|wanted| wanted.there) {
        let repository = &crawl.repositories[wanted.repository];
        blobs.insert(wanted.digest.clone(), MemberId(members.len() as u32));
        members
            .push((format!("{}/blobs/{}", repository.path(), wanted.digest).as_bytes().into(), wanted.size));
        held.push(Held::Blob { repository: repository.clone(), digest: wanted.digest, size: wanted.size });
    }
    let tree = Tree::of_bytes(place, members, Box::new(Holding(held)));
    let (by_manifest, by_blob) = (documents.clone(), blobs);
    let find = move |_: &Tree, digest: &Digest, sought: Sought| {
        let (first, second) = match sought {
            Sought::Manifest => (&by_manifest, &by_blob),
            Sought::Blob => (&by_blob, &by_manifest),
        };
        first.get(digest).or_else(|| second.get(digest)).copied()
    };
    let mut builder = Builder::new(Form::Registry, tree, Ingested::new(), limits, find);
    for entry in crawl.entries {
        let Some(&member) = documents.get(&entry.digest) else { continue };
        let at = Location::member(member);
        let repository = &crawl.repositories[entry.repository];
        // Under the name that was typed, whatever mirror it came from.
        let typed = crawl.names.get(&entry.repository).cloned().or_else(|| match address {
            Address::Repository { name, .. } => Some(name.clone()),
            Address::Host { .. } => None,
        });
        let text = format!("{}/{}", address.domain(), repository.path());
        let named = match typed.map_or_else(|| Reference::parse(&text), Ok) {
            Ok(named) => named,
            Err(problem) => {
                let text = repository.shown();
                builder.odd(Anomaly::BadName { at, text, problem: problem.to_string() });
                continue;
            }
        };
        let path = named.path().to_owned();
        let name = entry.tag.and_then(|tag| named.with_tag(&tag).ok()).map_or(Name::None, Name::Full);
        let media_type = types.get(&entry.digest).cloned().flatten();
        if let Some(node) = builder.manifest(entry.digest, media_type.map(Into::into), &at)? {
            builder.archive.roots.push(Root {
                at,
                name,
                node,
                descriptor: None,
                repository: Some(path),
                via: Via::List,
            });
        }
    }
    let lost: Vec<Anomaly> = crawl
        .lost
        .into_iter()
        .map(|(repository, tag)| {
            let repository = crawl.repositories[repository].path().to_owned();
            Anomaly::TagWithoutTarget { member: None, repository, tag }
        })
        .collect();
    if builder.archive.roots.is_empty() && lost.is_empty() {
        builder.odd(Anomaly::Empty { at: Location::archive() });
    }
    lost.into_iter().for_each(|odd| builder.odd(odd));
    Ok(builder.archive)
}

enum Held {
    /// A document.
    Bytes(Arc<[u8]>),
    /// A blob that is still there.
    Blob { repository: Repository, digest: Digest, size: u64 },
}

struct Holding(Vec<Held>);

impl Bytes for Holding {
    fn reader(&self, member: source::Wanted<'_>) -> Result<Box<dyn Read + Send>> {
        match usize::try_from(member.key).ok().and_then(|at| self.0.get(at)) {
            Some(Held::Bytes(bytes)) => Ok(Box::new(Cursor::new(Arc::clone(bytes)))),
            Some(Held::Blob { repository, digest, size }) => match repository.blob(digest, Some(*size))? {
                Some(reader) => Ok(Box::new(reader)),
                None => Err(gone(repository, digest)),
            },
            None => Ok(Box::new(std::io::empty())),
        }
    }

    fn head(&self, member: source::Wanted<'_>, n: usize) -> Result<Option<Vec<u8>>> {
        match usize::try_from(member.key).ok().and_then(|at| self.0.get(at)) {
            Some(Held::Blob { repository, digest, .. }) => {
                repository.blob_head(digest, n)?.ok_or_else(|| gone(repository, digest)).map(Some)
            }
            _ => Ok(None),
        }
    }
}

fn gone(repository: &Repository, digest: &Digest) -> Error {
    let message = format!("blob {digest} of {}: the registry no longer has it", repository.shown());
    Error::refused_help(message, "run the command again once nothing writes to the registry")
}
