//! What is served: repositories with their tags, manifests and blobs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::sync::Arc;

use super::blob::Blob;
use super::document::Document;
use super::referrers::{self, Referrer};
use crate::digest::Digest;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::form::held::Held;
use crate::form::sink::{OutBody, OutName, OutRoot};
use crate::model::{Archive, BlobId};
use crate::reference::is_repository_path;

/// One repository.
#[derive(Default)]
pub struct Repository {
    /// Tags with what they name.
    pub tags: BTreeMap<String, Digest>,
    /// Every manifest and index that its entry points reach.
    pub documents: HashMap<Digest, Arc<Document>>,
    /// Every blob that these point at.
    pub blobs: HashMap<Digest, Blob>,
    /// By what they refer to.
    pub referrers: HashMap<Digest, Vec<Referrer>>,
}

/// Everything that is served.
#[derive(Default)]
pub struct Shelf {
    repositories: BTreeMap<String, Repository>,
}

impl Shelf {
    /// Adds what came of an archive; the names under which it stands, `REPOSITORY:TAG` or `REPOSITORY@DIGEST`.
    ///
    /// # Errors
    ///
    /// A tag would name two images; an entry point has no name that a repository can have; a temporary file cannot be read.
    pub fn add(
        &mut self,
        archive: &Arc<Archive>,
        held: Held,
        kept: &HashMap<Digest, BlobId>,
    ) -> Result<Vec<String>> {
        let Held { output, made } = held;
        let mut documents: HashMap<&Digest, (Arc<Document>, &OutBody)> = HashMap::new();
        for document in &output.documents {
            let children = match &document.body {
                OutBody::Index { children } => children.clone(),
                OutBody::Manifest { .. } | OutBody::Opaque { .. } => Vec::new(),
            };
            let platform = match &document.body {
                OutBody::Manifest { image: Some(image), .. } => {
                    Some((image.platform.os.clone(), image.platform.architecture.clone()))
                }
                _ => None,
            };
            let shown = Arc::new(Document {
                digest: document.digest.clone(),
                media_type: document.media_type.clone(),
                bytes: Arc::clone(&document.bytes),
                children,
                platform,
            });
            documents.insert(&document.digest, (shown, &document.body));
        }
        let mut names = Vec::new();
        for root in &output.roots {
            let (path, tag) = place(root)?;
            let repository = self.repositories.entry(path.clone()).or_default();
            if let Some(tag) = &tag
                && let Some(other) = repository.tags.insert(tag.clone(), root.target.clone())
                && other != root.target
            {
                let message = format!("{path}:{tag} would name {other} and {}", root.target);
                let help = "serve one of them under another name: NAME=PLACE";
                return Err(Error::refused_help(message, help).of(ErrorKind::Exists));
            }
            let name = match tag {
                Some(tag) => format!("{path}:{tag}"),
                None => format!("{path}@{}", root.target),
            };
            if !names.contains(&name) {
                names.push(name);
            }
            let mut open = vec![&root.target];
            let mut seen: HashSet<&Digest> = HashSet::new();
            while let Some(digest) = open.pop() {
                let Some((document, body)) = documents.get(digest).filter(|_| seen.insert(digest)) else {
                    continue;
                };
                if let OutBody::Index { children } = body {
                    open.extend(children);
                }
                if repository.documents.insert(digest.clone(), Arc::clone(document)).is_none()
                    && let Some((subject, referrer)) = referrers::of(document)
                {
                    repository.referrers.entry(subject).or_default().push(referrer);
                }
                for blob in body.blobs().into_iter().filter(|blob| blob.present) {
                    repository.blobs.insert(blob.digest.clone(), find(archive, &blob.digest, kept, &made)?);
                }
            }
        }
        Ok(names)
    }

    /// A repository as a request names it. `registry` is the host whose mirror this is to be, as containerd asks:
    /// `ghcr.io` with `team/app` stands here as `ghcr.io/team/app`.
    pub fn repository(&self, name: &str, registry: Option<&str>) -> Option<&Repository> {
        let of_host = registry.and_then(|host| match host {
            "docker.io" | "registry-1.docker.io" | "index.docker.io" => None,
            host => self.repositories.get(&format!("{host}/{name}")),
        });
        of_host.or_else(|| self.repositories.get(name))
    }

    /// The names of repositories in order, after `last`.
    pub fn names<'a>(&'a self, last: Option<&'a str>) -> impl Iterator<Item = &'a str> + 'a {
        let names = self.repositories.keys().map(String::as_str);
        names.skip_while(move |name| last.is_some_and(|last| *name <= last))
    }

    /// Adds an empty repository.
    #[cfg(test)]
    pub fn set(&mut self, name: &str) {
        self.repositories.entry(name.to_owned()).or_default();
    }

    /// Repositories, manifests and indexes, and blobs, each counted in every repository that holds it.
    pub fn counts(&self) -> (usize, usize, usize) {
        let all = self.repositories.values();
        let documents = all.clone().map(|repository| repository.documents.len()).sum();
        (self.repositories.len(), documents, all.map(|repository| repository.blobs.len()).sum())
    }
}

/// Where an entry point stands: `docker.io` is dropped, another domain is the first part of the path, if a path can hold it.
fn place(root: &OutRoot) -> Result<(String, Option<String>)> {
    let Some((path, tag)) = &root.repository else {
        return Err(Error::refused_help(format!("{} has no name", root.target), "give it one: NAME=PLACE"));
    };
    let path = match &root.name {
        OutName::Full(name) if name.path() == path && name.domain() != "docker.io" => {
            let whole = format!("{}/{path}", name.domain());
            if is_repository_path(&whole) { whole } else { path.clone() }
        }
        _ => path.clone(),
    };
    Ok((path, tag.clone()))
}

fn find(
    archive: &Arc<Archive>,
    digest: &Digest,
    kept: &HashMap<Digest, BlobId>,
    made: &HashMap<Digest, Arc<File>>,
) -> Result<Blob> {
    if let Some(file) = made.get(digest) {
        return Blob::of_file(digest.clone(), Arc::clone(file)).at("cannot read", "a temporary file");
    }
    match kept.get(digest).and_then(|blob| archive.blob(*blob).member) {
        Some(member) => Ok(Blob::of_member(digest.clone(), archive, member)),
        // It was verified, so it was read from somewhere.
        None => Err(Error::refused(format!("{digest} was verified and cannot be found again"))),
    }
}
