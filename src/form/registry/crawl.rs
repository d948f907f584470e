//! Asks a registry for every document that an image leads to, its referrers included, and where its blobs are.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use crate::digest::Digest;
use crate::distribution::{Fault, Manifest, Repository, fallback_tag};
use crate::error::{Error, ErrorKind, Result};
use crate::form::at_once::at_once;
use crate::json::{self, Value};
use crate::limits::Limits;
use crate::media::DocumentType;
use crate::model::view::{self, text};
use crate::platform::{Platform, Specifier};
use crate::reference::Reference;

/// What cosign appends to the tag of a digest (docs/formats.md F.2).
const COSIGN: [&str; 3] = ["sig", "att", "sbom"];

/// A manifest or index that was read.
pub(super) struct Found {
    pub repository: usize,
    pub digest: Digest,
    pub media_type: Option<String>,
    pub bytes: Vec<u8>,
}

/// A blob that something points at.
pub(super) struct Wanted {
    pub repository: usize,
    pub digest: Digest,
    pub size: u64,
    /// Whether it is a config, which is read whatever is asked of the image.
    pub is_config: bool,
    /// Whether the registry has it.
    pub there: bool,
}

/// An entry point: a document under a tag, or without.
#[derive(Clone)]
pub(super) struct Entry {
    pub repository: usize,
    pub digest: Digest,
    pub tag: Option<String>,
}

/// Everything that was found.
pub(super) struct Crawl<'a> {
    limits: &'a Limits,
    /// Of an index only the images for these platforms are read, and what is about them; all if there are none.
    only: &'a [Specifier],
    pub repositories: Vec<Repository>,
    /// Names of repositories as they were typed, by number: a mirror may call them otherwise.
    pub names: HashMap<usize, Reference>,
    pub documents: Vec<Found>,
    pub blobs: Vec<Wanted>,
    pub entries: Vec<Entry>,
    /// Tags that a repository lists and has no manifest for.
    pub lost: Vec<(usize, String)>,
    /// Of whoever goes through a whole registry: documents that need not be read again, as their digests are.
    pub held: Option<Held<'a>>,
    /// What was refused of a repository that is looked at with `held`: what was asked for, and why it was not given.
    pub refused: Mutex<Vec<(String, String)>>,
    known: HashSet<(usize, Digest)>,
    bytes: u64,
}

/// The bytes of documents that were read before.
pub(super) type Held<'a> = &'a (dyn Fn(&Digest) -> Result<Option<Vec<u8>>> + Sync);

impl<'a> Crawl<'a> {
    pub fn new(limits: &'a Limits, only: &'a [Specifier]) -> Crawl<'a> {
        Crawl {
            limits,
            only,
            repositories: Vec::new(),
            names: HashMap::new(),
            documents: Vec::new(),
            blobs: Vec::new(),
            entries: Vec::new(),
            lost: Vec::new(),
            held: None,
            refused: Mutex::default(),
            known: HashSet::new(),
            bytes: 0,
        }
    }

    /// How deep JSON may nest.
    pub fn depth(&self) -> usize {
        self.limits.json_depth as usize
    }

    /// Takes a repository in; its number.
    pub fn repository(&mut self, repository: Repository) -> usize {
        let known = self.repositories.iter().position(|other| other.shown() == repository.shown());
        known.unwrap_or_else(|| {
            self.repositories.push(repository);
            self.repositories.len() - 1
        })
    }

    /// Takes a document in as an entry point. `asked` is the digest that it was asked for by.
    pub fn enter(
        &mut self,
        repository: usize,
        manifest: Manifest,
        tag: Option<&str>,
        asked: Option<&Digest>,
    ) -> Result<Digest> {
        let digest = asked.cloned().unwrap_or_else(|| digest_of(&manifest));
        let entry = Entry { repository, digest: digest.clone(), tag: tag.map(str::to_owned) };
        let again = |other: &Entry| {
            other.repository == repository
                && other.digest == digest
                && (other.tag == entry.tag || entry.tag.is_none())
        };
        if !self.entries.iter().any(again) {
            self.entries.push(entry);
        }
        if self.known.insert((repository, digest.clone())) {
            self.take(repository, digest.clone(), manifest)?;
        }
        Ok(digest)
    }

    /// A document under a tag or digest. With `held`, a digest that is known is only asked for, and one that the registry
    /// refuses is noted.
    pub fn get(&self, repository: &Repository, reference: &str) -> Result<Option<Manifest>> {
        let Some(held) = self.held else { return Ok(repository.manifest(reference)?) };
        let bytes = Digest::parse(reference).ok().map(|digest| held(&digest)).transpose()?.flatten();
        let got = match bytes {
            Some(bytes) => repository.head(reference).map(|head| {
                head.map(|head| Manifest { bytes, media_type: head.media_type, digest: head.digest })
            }),
            None => repository.manifest(reference),
        };
        self.or_refused(reference, got)
    }

    /// What was answered; a refusal is noted where only this may be refused.
    pub fn or_refused<T>(&self, what: &str, answer: Result<Option<T>, Fault>) -> Result<Option<T>> {
        match answer {
            Err(
                fault @ (Fault::Unauthorized { .. }
                | Fault::Status { .. }
                | Fault::Nonsense { .. }
                | Fault::Limit { .. }),
            ) if self.held.is_some() => {
                let mut refused = self.refused.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                refused.push((what.to_owned(), fault.to_string()));
                Ok(None)
            }
            answer => Ok(answer?),
        }
    }

    fn take(&mut self, repository: usize, digest: Digest, manifest: Manifest) -> Result<()> {
        self.bytes = self.bytes.saturating_add(manifest.bytes.len() as u64);
        if self.bytes > self.limits.documents_bytes {
            let message = format!(
                "{}: its documents are larger than the limit documents-bytes, {}",
                self.repositories[repository].shown(),
                self.limits.documents_bytes
            );
            return Err(Error::refused_help(message, "raise it with --limit documents-bytes=VALUE")
                .of(ErrorKind::Limit));
        }
        let media_type = manifest.media_type.filter(|kind| DocumentType::of(kind).is_some());
        self.documents.push(Found { repository, digest, media_type, bytes: manifest.bytes });
        Ok(())
    }

    /// Reads what the documents from number `from` on lead to: children, then theirs.
    pub fn descend(&mut self, from: usize) -> Result<()> {
        let mut from = from;
        let mut depth = 0;
        while from < self.documents.len() {
            let mut children: Vec<(usize, Digest)> = Vec::new();
            for at in from..self.documents.len() {
                let repository = self.documents[at].repository;
                for digest in wanted(self.links(at).children, self.only) {
                    if self.known.insert((repository, digest.clone())) {
                        children.push((repository, digest));
                    }
                }
            }
            from = self.documents.len();
            depth += 1;
            // What is deeper or more than the limits allow is told of what was read: it is not there.
            if depth > self.limits.index_depth + 1 {
                break;
            }
            children
                .truncate(usize::try_from(self.limits.manifests).unwrap_or(usize::MAX).saturating_sub(from));
            let found = at_once(&children, |(repository, digest)| {
                self.get(&self.repositories[*repository], digest.as_str())
            })?;
            for ((repository, digest), manifest) in children.into_iter().zip(found) {
                if let Some(manifest) = manifest {
                    self.take(repository, digest, manifest)?;
                }
            }
        }
        Ok(())
    }

    /// Notes the blobs of all documents, each once.
    pub fn gather(&mut self) {
        let mut met: HashSet<Digest> = HashSet::new();
        for at in 0..self.documents.len() {
            let repository = self.documents[at].repository;
            let Links { configs, blobs, .. } = self.links(at);
            let all = configs.into_iter().map(|config| (config, true));
            for ((digest, size), is_config) in all.chain(blobs.into_iter().map(|blob| (blob, false))) {
                if met.insert(digest.clone()) {
                    self.blobs.push(Wanted { repository, digest, size, is_config, there: true });
                }
            }
        }
    }

    /// Forgets the entry points for others, and every document that these do not lead to.
    pub fn keep(&mut self, entries: Vec<Entry>) {
        let numbers: HashMap<(usize, &Digest), usize> = self
            .documents
            .iter()
            .enumerate()
            .map(|(at, found)| ((found.repository, &found.digest), at))
            .collect();
        let mut kept: HashSet<usize> = HashSet::new();
        let mut open: Vec<(usize, Digest)> =
            entries.iter().map(|entry| (entry.repository, entry.digest.clone())).collect();
        while let Some((repository, digest)) = open.pop() {
            let Some(&at) = numbers.get(&(repository, &digest)) else { continue };
            if kept.insert(at) {
                open.extend(self.links(at).children.into_iter().map(|child| (repository, child.digest)));
            }
        }
        let mut at = 0..;
        self.documents.retain(|_| at.next().is_some_and(|at| kept.contains(&at)));
        self.known = self.documents.iter().map(|found| (found.repository, found.digest.clone())).collect();
        self.entries = entries;
    }

    fn links(&self, at: usize) -> Links {
        let mut links = Links::default();
        let Ok(parsed) = json::parse(&self.documents[at].bytes, self.depth()) else {
            return links;
        };
        let digest = |value: &Value, name: &str| Digest::parse(&text(value, name)?).ok();
        let items = |name: &str| parsed.root.get(name).map_or(&[][..], Value::items);
        let platform = |child: &Value| child.get("platform").and_then(view::platform);
        let says = |platform: &Platform| !platform.os.is_empty() && platform.os != "unknown";
        let about = |child: &Value| digest(child.get("annotations")?, "vnd.docker.reference.digest");
        links.children.extend(items("manifests").iter().filter_map(|child| {
            let digest = digest(child, "digest")?;
            Some(Child { digest, platform: platform(child).filter(says), about: about(child) })
        }));
        let blob = |part: &Value| {
            let size = part.get("size").and_then(Value::as_u64).unwrap_or_default();
            digest(part, "digest").map(|digest| (digest, size))
        };
        links.configs.extend(parsed.root.get("config").and_then(blob));
        links.blobs.extend(items("layers").iter().chain(items("blobs")).filter_map(blob));
        links.blobs.extend(items("fsLayers").iter().filter_map(|layer| Some((digest(layer, "blobSum")?, 0))));
        links
    }

    /// Finds what refers to the documents, `depth` edges far.
    pub fn referrers(&mut self, depth: u64) -> Result<()> {
        let mut from = 0;
        for _ in 0..depth.min(self.limits.referrer_depth) {
            let asked: Vec<(usize, Digest)> =
                self.documents[from..].iter().map(|found| (found.repository, found.digest.clone())).collect();
            from = self.documents.len();
            if asked.is_empty() {
                break;
            }
            let found =
                at_once(&asked, |(repository, digest)| self.about(&self.repositories[*repository], digest))?;
            for ((repository, _), about) in asked.into_iter().zip(found) {
                for (tag, digest, manifest) in about {
                    self.enter(repository, manifest, tag.as_deref(), digest.as_ref())?;
                }
            }
            self.descend(from)?;
        }
        Ok(())
    }

    /// What is about one document: referrers by their list, the list under the fallback tag, and cosign's tags.
    fn about(&self, repository: &Repository, digest: &Digest) -> Result<Vec<About>> {
        let mut about = Vec::new();
        let referrers = match self.held {
            // The index under the fallback tag is among the tags.
            Some(_) if !repository.has_referrers_api() => return Ok(about),
            Some(_) => {
                let found = repository.referrers(digest).map(Some);
                self.or_refused(&format!("referrers of {digest}"), found)?.unwrap_or_default()
            }
            None => repository.referrers(digest)?,
        };
        for (referrer, _) in &referrers.found {
            if let Some(manifest) = self.get(repository, referrer.as_str())? {
                about.push((None, Some(referrer.clone()), manifest));
            }
        }
        if self.held.is_some() {
            return Ok(about);
        }
        let tag = fallback_tag(digest);
        if let Some(bytes) = referrers.fallback {
            let manifest =
                Manifest { bytes, media_type: Some(crate::media::OCI_INDEX.to_owned()), digest: None };
            about.push((Some(tag.clone()), None, manifest));
        }
        for suffix in COSIGN {
            let tag = format!("{tag}.{suffix}");
            if let Some(manifest) = repository.manifest(&tag)? {
                about.push((Some(tag), None, manifest));
            }
        }
        Ok(about)
    }

    /// Asks which blobs are there, and how large the registry says that they are: all of them, or the configs. Of a layer
    /// that nobody reads it does not matter.
    pub fn look(&mut self, all: bool) -> Result<()> {
        let mut asked: Vec<&mut Wanted> =
            self.blobs.iter_mut().filter(|wanted| all || wanted.is_config).collect();
        let found = at_once(&asked, |wanted| {
            self.repositories[wanted.repository].has_blob(&wanted.digest).map_err(Error::from)
        })?;
        for (wanted, found) in asked.iter_mut().zip(found) {
            wanted.there = found.is_some();
            wanted.size = found.and_then(|told| told.size).unwrap_or(wanted.size);
        }
        Ok(())
    }
}

type About = (Option<String>, Option<Digest>, Manifest);

/// An item of an index.
struct Child {
    digest: Digest,
    /// What it is for, if the index says so.
    platform: Option<Platform>,
    /// The item that it attests.
    about: Option<Digest>,
}

/// The items that may be images for these platforms, and what is about these; all of them where none is for one of them, so
/// that it can be said what there is.
fn wanted(children: Vec<Child>, only: &[Specifier]) -> Vec<Digest> {
    let hit = |child: &&Child| {
        child
            .platform
            .as_ref()
            .is_some_and(|platform| only.iter().any(|specifier| specifier.matches(platform)))
    };
    let hits: HashSet<Digest> = children.iter().filter(hit).map(|child| child.digest.clone()).collect();
    let wanted = |child: &Child| match (&child.about, &child.platform) {
        (Some(about), _) => hits.contains(about),
        (None, Some(_)) => hits.contains(&child.digest),
        (None, None) => true,
    };
    children.into_iter().filter(|child| hits.is_empty() || wanted(child)).map(|child| child.digest).collect()
}

#[derive(Default)]
struct Links {
    children: Vec<Child>,
    configs: Vec<(Digest, u64)>,
    /// But for configs.
    blobs: Vec<(Digest, u64)>,
}

/// A schema 1 manifest has the digest of its payload, which the registry tells; any other that of its bytes.
fn digest_of(manifest: &Manifest) -> Digest {
    let kind = manifest.media_type.as_deref().and_then(DocumentType::of);
    let told = manifest.digest.clone().filter(|_| kind == Some(DocumentType::Schema1));
    told.unwrap_or_else(|| Digest::sha256(&manifest.bytes))
}
