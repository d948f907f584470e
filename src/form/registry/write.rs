//! Images into a live registry: blobs as they come, then, once everything was judged, manifests, referrers and tags.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, BufReader, Read as _};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::pushed::{PushOptions, Pushed, count};
use super::sending::{Home, Sending};
use crate::digest::{Digest, Hasher};
use crate::distribution::{BlobWriter, Fault, Registries, Repository, fallback_tag};
use crate::error::{Error, Result};
use crate::form::oci_layout::as_layout;
use crate::form::preview::{Known, Preview};
use crate::form::sink::{
    Absence, Displaced, Fate, Lacking, OutBlob, OutBody, OutDocument, Output, Presence, Sink, Staged,
};
use crate::media;

/// Entry points and their tags, by repository.
type Repositories = BTreeMap<String, Vec<(Digest, Option<String>)>>;

struct Push {
    registries: Arc<Registries>,
    domain: String,
    home: Home,
    options: PushOptions,
    pushed: Arc<Pushed>,
}

/// Writes into repositories of a registry; `first` is the path of the one that blobs are sent to.
///
/// # Errors
/// The registry cannot be asked, or is blocked.
pub fn registry(
    registries: &Arc<Registries>,
    domain: &str,
    first: &str,
    options: PushOptions,
) -> Result<(Box<dyn Sink>, Arc<Pushed>)> {
    let pushed = Arc::new(Pushed::default());
    let home = Home::new(registries.repository(domain, first)?, Arc::clone(&pushed));
    let sink = Push {
        registries: Arc::clone(registries),
        domain: domain.to_owned(),
        home,
        options,
        pushed: Arc::clone(&pushed),
    };
    Ok((Box::new(sink), pushed))
}

/// With `--no-clobber`: refuses before anything is sent if a tag is another image already. Of an image that is made anew
/// the digest is not known yet; its tags are judged again before the first manifest is sent.
///
/// # Errors
/// A tag may not be set; the registry cannot be asked.
pub fn may_set_all(
    registries: &Arc<Registries>,
    domain: &str,
    options: &PushOptions,
    tags: &[(String, String, Option<Digest>)],
) -> Result<()> {
    if !options.no_clobber || options.digest.is_some() {
        return Ok(());
    }
    for (path, tag, digest) in tags {
        let Some(digest) = digest else { continue };
        let repository = registries.repository(domain, path)?;
        if let Some(found) = other(&repository, tag, digest)? {
            return Err(kept(&repository, tag, &found, digest));
        }
    }
    Ok(())
}

/// Refuses what points at something that is neither sent nor in the repository already: registries take none such, and that
/// is found out before anything is sent.
///
/// # Errors
///
/// There is such a thing; the registry cannot be asked.
pub fn takes_all(registries: &Arc<Registries>, domain: &str, lacking: &[Lacking]) -> Result<()> {
    for Lacking { repository, of, item, what } in lacking {
        let repository = registries.repository(domain, repository)?;
        let there = match what {
            Absence::Blob => repository.has_blob(item)?.is_some(),
            Absence::Manifest | Absence::NoManifest => repository.head(item.as_str())?.is_some(),
        };
        if there {
            continue;
        }
        let message = match what {
            Absence::NoManifest => {
                format!("index {of} lists {item}, which is no manifest: registries take none such")
            }
            Absence::Manifest => format!(
                "index {of} lists {item}, which is not sent, and {} does not have it: registries take none such",
                repository.shown()
            ),
            Absence::Blob => format!(
                "manifest {of} needs the blob {item}, which neither the source nor {} has: registries take none such",
                repository.shown()
            ),
        };
        return Err(Error::refused_help(message, "choose what is there with --platform or --image"));
    }
    Ok(())
}

/// The image that a tag is, if it is another than this one.
fn other(repository: &Repository, tag: &str, digest: &Digest) -> Result<Option<Digest>> {
    let Some(head) = repository.head(tag)? else { return Ok(None) };
    let found = match head.digest {
        Some(found) => found,
        None => match repository.manifest(tag)? {
            Some(manifest) => Digest::sha256(&manifest.bytes),
            None => return Ok(None),
        },
    };
    Ok((found != *digest).then_some(found))
}

/// What `--no-clobber` says of a tag that is another image.
fn kept(repository: &Repository, tag: &str, found: &Digest, digest: &Digest) -> Error {
    let message = format!("{}:{tag} is {found} already, and --no-clobber keeps it", repository.shown());
    Error::refused_help(message, format!("give another tag, or leave --no-clobber out to set it to {digest}"))
}

impl Push {
    /// Blobs that a repository other than the home needs too.
    fn blob_into(&self, repository: &Repository, blob: &OutBlob) -> Result<(), Fault> {
        if repository.has_blob(&blob.digest)?.is_some() {
            count(&self.pushed.there);
            return Ok(());
        }
        let mut writer = BlobWriter::new(repository, Some((blob.digest.clone(), blob.size)), None);
        if writer.mount(&blob.digest, self.home.repository.path())? {
            count(&self.pushed.mounted);
            return Ok(());
        }
        let Some(mut reader) = self.home.repository.blob(&blob.digest, Some(blob.size))? else {
            return Ok(());
        };
        let mut buffer = vec![0; 256 << 10];
        let mut size = 0;
        loop {
            let n = reader
                .read(&mut buffer)
                .map_err(|error| broken(&self.home.repository, &blob.digest, &error))?;
            if n == 0 {
                break;
            }
            writer.write(&buffer[..n])?;
            size += n as u64;
        }
        writer.finish(&blob.digest, size)?;
        self.pushed.add(size);
        Ok(())
    }

    /// Puts a document under its digest, if it is not there; whether the registry lists what it refers to.
    fn document_into(&self, repository: &Repository, document: &OutDocument) -> Result<Option<bool>, Fault> {
        let reference = document.digest.as_str();
        let there = repository.head(reference)?.and_then(|head| head.digest);
        if there.as_ref() == Some(&document.digest) {
            count(&self.pushed.there);
            return Ok(None);
        }
        let put = repository.put(reference, &document.media_type, &document.bytes)?;
        self.pushed.add(document.bytes.len() as u64);
        Ok(Some(put.knows_subject))
    }

    /// Puts everything of one repository there.
    fn repository(&self, path: &str, output: &Output, roots: &[(Digest, Option<String>)]) -> Result<()> {
        let repository = self.registries.repository(&self.domain, path)?;
        let by_digest: HashMap<&Digest, &OutDocument> =
            output.documents.iter().map(|document| (&document.digest, document)).collect();
        let mut wanted: HashSet<&Digest> = HashSet::new();
        let mut open: Vec<&Digest> = roots.iter().map(|(digest, _)| digest).collect();
        while let Some(digest) = open.pop() {
            let Some(document) = by_digest.get(digest).filter(|_| wanted.insert(digest)) else { continue };
            if let OutBody::Index { children } = &document.body {
                open.extend(children);
            }
        }
        let documents: Vec<&OutDocument> =
            output.documents.iter().filter(|document| wanted.contains(&document.digest)).collect();
        // Asked once more, since time has passed.
        for (digest, tag) in roots.iter().filter_map(|(digest, tag)| Some((digest, tag.as_ref()?))) {
            if self.options.no_clobber {
                self.may_set(&repository, tag, digest)?;
            }
        }
        if repository.path() != self.home.repository.path() {
            for blob in documents.iter().flat_map(|document| blobs_of(document)).filter(|blob| blob.present) {
                self.blob_into(&repository, blob)?;
            }
        }
        // Children before parents, as they stand there; what refers to something, and indexes of such, after it.
        let mut later: HashSet<&Digest> = HashSet::new();
        for document in &documents {
            let of_later = match &document.body {
                OutBody::Index { children } => children.iter().any(|child| later.contains(child)),
                _ => false,
            };
            if of_later || subject_of(&document.bytes).is_some() {
                later.insert(&document.digest);
            }
        }
        let (later, first): (Vec<&OutDocument>, Vec<&OutDocument>) =
            documents.iter().partition(|document| later.contains(&document.digest));
        let mut unlisted: BTreeMap<String, Vec<&OutDocument>> = BTreeMap::new();
        for document in first.into_iter().chain(later) {
            let listed = self.document_into(&repository, document)?;
            if let (Some(subject), false) = (subject_of(&document.bytes), listed == Some(true)) {
                unlisted.entry(subject).or_default().push(document);
            }
        }
        // Tags of what is about an image before those of images.
        let mut tags: Vec<(&Digest, &String)> =
            roots.iter().filter_map(|(digest, tag)| Some((digest, tag.as_ref()?))).collect();
        tags.sort_by_key(|(_, tag)| !tag.starts_with("sha256-"));
        let about = tags.iter().filter(|(_, tag)| tag.starts_with("sha256-")).count();
        for (digest, tag) in &tags[..about] {
            self.tag(&repository, tag, by_digest.get(digest))?;
        }
        for (subject, referrers) in unlisted {
            if let Ok(subject) = Digest::parse(&subject) {
                self.list(&repository, &subject, &referrers)?;
            }
        }
        for (digest, tag) in &tags[about..] {
            self.tag(&repository, tag, by_digest.get(digest))?;
        }
        if self.options.verify_after {
            self.verify(&repository, &documents)?;
        }
        Ok(())
    }

    /// What every repository is to hold: entry points with their tags.
    fn repositories(&self, output: &Output) -> Result<Repositories> {
        let mut repositories = Repositories::new();
        for root in &output.roots {
            let (path, tag) =
                root.repository.clone().ok_or_else(|| Error::refused("an image without a repository"))?;
            let tag = tag.filter(|_| self.options.digest.is_none());
            let path = format!("{}{path}", self.options.prefix);
            let roots = repositories.entry(path).or_default();
            let root = (root.target.clone(), tag);
            if !roots.contains(&root) {
                roots.push(root);
            }
        }
        let wanted = self.options.digest.as_ref();
        if let Some(wanted) = wanted.filter(|wanted| !output.roots.iter().any(|root| root.target == **wanted))
        {
            let found: Vec<&str> = output.roots.iter().map(|root| root.target.as_str()).collect();
            let message = format!("the destination is to be {wanted}, but the image is {}", found.join(", "));
            return Err(Error::refused_help(
                message,
                "give a tag instead, or convert with --preserve-digests",
            ));
        }
        Ok(repositories)
    }

    /// The other image that a tag is. With `--no-clobber` it stays so, and nothing is sent any more.
    fn may_set(&self, repository: &Repository, tag: &str, digest: &Digest) -> Result<Option<Digest>> {
        match other(repository, tag, digest)? {
            Some(found) if self.options.no_clobber => Err(kept(repository, tag, &found, digest)),
            found => Ok(found),
        }
    }

    fn tag(&self, repository: &Repository, tag: &str, document: Option<&&OutDocument>) -> Result<()> {
        let Some(document) = document else { return Ok(()) };
        if repository.head(tag)?.and_then(|head| head.digest).as_ref() == Some(&document.digest) {
            count(&self.pushed.tags_there);
            return Ok(());
        }
        repository.put(tag, &document.media_type, &document.bytes)?;
        count(&self.pushed.tags);
        Ok(())
    }

    /// Lists referrers under the fallback tag, where the registry has no list of its own.
    fn list(&self, repository: &Repository, subject: &Digest, referrers: &[&OutDocument]) -> Result<()> {
        let known = repository.referrers(subject)?;
        if repository.has_referrers_api() {
            return Ok(());
        }
        let missing: Vec<&&OutDocument> = referrers
            .iter()
            .filter(|document| !known.found.iter().any(|(digest, _)| *digest == document.digest))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let old = known.fallback.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        let mut index = old
            .unwrap_or_else(|| json!({ "schemaVersion": 2, "mediaType": media::OCI_INDEX, "manifests": [] }));
        let mut manifests = index.get("manifests").and_then(Value::as_array).cloned().unwrap_or_default();
        manifests.extend(missing.into_iter().map(|document| descriptor(document)));
        if let Some(object) = index.as_object_mut() {
            object.insert("manifests".to_owned(), Value::Array(manifests));
        }
        repository.put(&fallback_tag(subject), media::OCI_INDEX, index.to_string().as_bytes())?;
        Ok(())
    }

    /// Reads back what was pushed.
    fn verify(&self, repository: &Repository, documents: &[&OutDocument]) -> Result<()> {
        let wrong = |what: String| {
            Error::refused_help(what, "the registry does not keep what it is given; do not trust it")
        };
        for document in documents {
            let found = repository.manifest(document.digest.as_str())?.map(|manifest| manifest.bytes);
            if found.as_deref() != Some(&document.bytes[..]) {
                return Err(wrong(format!(
                    "{}@{}: what was pushed does not come back",
                    repository.shown(),
                    document.digest
                )));
            }
            count(&self.pushed.verified);
        }
        let mut seen = HashSet::new();
        for blob in documents.iter().flat_map(|document| blobs_of(document)).filter(|blob| blob.present) {
            let Some(algorithm) = blob.digest.algorithm().filter(|_| seen.insert(&blob.digest)) else {
                continue;
            };
            let gone = || {
                wrong(format!(
                    "blob {} of {}: what was pushed does not come back",
                    blob.digest,
                    repository.shown()
                ))
            };
            let reader = repository.blob(&blob.digest, Some(blob.size))?.ok_or_else(gone)?;
            let mut hasher = Hasher::new(algorithm);
            io::copy(&mut BufReader::with_capacity(256 << 10, reader), &mut hasher)
                .map_err(|error| Error::io("cannot read", repository.shown(), error))?;
            if hasher.finish() != blob.digest {
                return Err(gone());
            }
            count(&self.pushed.verified);
        }
        Ok(())
    }
}

fn broken(repository: &Repository, digest: &Digest, error: &io::Error) -> Fault {
    let (host, what) = (repository.host().to_owned(), format!("blob {digest}"));
    Fault::Nonsense { host, what, found: error.to_string() }
}

/// Config, layers and other blobs of a document.
fn blobs_of(document: &OutDocument) -> Vec<&OutBlob> {
    match &document.body {
        OutBody::Index { .. } => Vec::new(),
        OutBody::Manifest { config, layers, .. } => std::iter::once(config).chain(layers).collect(),
        OutBody::Opaque { blobs } => blobs.iter().collect(),
    }
}

fn subject_of(bytes: &[u8]) -> Option<String> {
    // Most documents have none, and are not parsed for it.
    if !bytes.windows(9).any(|part| part == b"\"subject\"") {
        return None;
    }
    let value: Value = serde_json::from_slice(bytes).ok()?;
    Some(value.get("subject")?.get("digest")?.as_str()?.to_owned())
}

/// How the list of referrers names one (docs/formats.md F.3).
fn descriptor(document: &OutDocument) -> Value {
    let value: Value = serde_json::from_slice(&document.bytes).unwrap_or_default();
    let mut descriptor = json!({
        "mediaType": document.media_type,
        "digest": document.digest.as_str(),
        "size": document.bytes.len(),
    });
    let kind = value.get("artifactType").or_else(|| value.get("config")?.get("mediaType"));
    for (name, found) in [("artifactType", kind), ("annotations", value.get("annotations"))] {
        if let (Some(object), Some(found)) = (descriptor.as_object_mut(), found) {
            object.insert(name.to_owned(), found.clone());
        }
    }
    descriptor
}

impl Sink for Push {
    fn ordered(&self) -> bool {
        false
    }

    fn spool_dir(&self) -> Option<&Path> {
        None
    }

    /// What a registry has is asked for in `stage`: it is not read again to be believed.
    fn has(&self, _: &Digest) -> Result<Presence<'_>> {
        Ok(Presence::No)
    }

    fn stage(&self, expected: Option<(&Digest, u64)>) -> Result<Box<dyn Staged + '_>> {
        Ok(Box::new(Sending::new(&self.home, expected, self.options.mount_from.as_deref())?))
    }

    fn again(&self, error: Error, attempt: u32) -> Result<()> {
        let Some(fault) = self.home.last_fault() else { return Err(error) };
        if !fault.is_passing() || attempt > self.registries.retry_times() {
            return Err(fault.into());
        }
        self.registries.pause(attempt);
        Ok(())
    }

    /// Documents are kept by who calls until the commit, which sends them.
    fn document(&self, _: &OutDocument) -> Result<()> {
        Ok(())
    }

    /// As the layout that it would be: a registry keeps the same manifests and blobs under other addresses.
    fn preview(&self, output: &Output, known: Known<'_>) -> Result<Preview> {
        as_layout(output, known, &|digest| self.home.size(digest))
    }

    fn prepare(&self, output: &Output) -> Result<Vec<Displaced>> {
        let mut displaced = Vec::new();
        for (path, roots) in &self.repositories(output)? {
            let repository = self.registries.repository(&self.domain, path)?;
            for (digest, tag) in roots.iter().filter_map(|(digest, tag)| Some((digest, tag.as_ref()?))) {
                let Some(before) = self.may_set(&repository, tag, digest)? else { continue };
                let fate = Fate::Moves(digest.clone());
                displaced.push(Displaced { name: format!("{path}:{tag}"), before: Some(before), fate });
            }
        }
        Ok(displaced)
    }

    fn commit(self: Box<Self>, output: &Output) -> Result<()> {
        for (path, roots) in &self.repositories(output)? {
            self.repository(path, output, roots)?;
        }
        Ok(())
    }
}
