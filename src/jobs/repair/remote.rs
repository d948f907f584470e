//! A live registry: what its repositories lack is sent, children before what names them. Whether bytes that it has are right is
//! not asked; what is there stays as it is.

use std::collections::BTreeSet;

use super::Request;
use super::account::{Left, Repaired, Sought, Step, StepKind, Was};
use super::given::{Stop, given, seek};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::form::mend::{Spot, Stood};
use crate::form::registry::Lacking;
use crate::form::seek::Store;
use crate::json::{self, Value};
use crate::limits::Limits;
use crate::media::{DocumentType, Family};
use crate::model::kind::{guess, own_type};
use crate::model::{Anomaly, Archive, Body, Name};
use crate::progress::Progress;

/// A blob or manifest that a repository lacks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Want {
    path: String,
    digest: Digest,
    kind: Kind,
}

/// What of a repository it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Blob,
    /// A manifest, with its media type where that is known, and the tag that is to lead to it.
    Manifest {
        media_type: Option<String>,
        tag: Option<String>,
    },
}

struct Job<'a> {
    registry: &'a Lacking,
    stores: &'a [Store],
    how: &'a Request,
    limits: &'a Limits,
    progress: &'a dyn Progress,
    seen: BTreeSet<Want>,
    repaired: Repaired,
}

/// Sends what the repositories of an archive that was opened from a registry lack.
///
/// # Errors
///
/// The registry cannot be asked; the job was cancelled. What stops it later is told in [`Repaired::stopped`].
pub fn send(
    archive: &Archive,
    registry: &Lacking,
    stores: &[Store],
    how: &Request,
    limits: &Limits,
    progress: &dyn Progress,
) -> Result<Repaired> {
    let repaired = Repaired { looked: archive.blobs.len(), wrote: how.write, ..Repaired::default() };
    let mut job = Job { registry, stores, how, limits, progress, seen: BTreeSet::new(), repaired };
    let (tags, left) = lost_tags(archive, registry.domain(), stores);
    job.repaired.left = left;
    for want in lacking(archive).into_iter().chain(tags) {
        match job.put(&want, 0) {
            Ok(()) => {}
            Err(Stop::Cancelled) => return Err(Error::Cancelled),
            Err(Stop::Here(error)) => {
                job.repaired.stopped = Some(error);
                break;
            }
        }
    }
    Ok(job.repaired)
}

/// What the registry said that it does not have, by repository: blobs first.
fn lacking(archive: &Archive) -> Vec<Want> {
    let mut wants = BTreeSet::new();
    for root in &archive.roots {
        let path = match (&root.repository, &root.name) {
            (Some(path), _) => path.clone(),
            (None, Name::Full(name)) => name.path().to_owned(),
            _ => continue,
        };
        for id in archive.below(root.node) {
            let node = archive.node(id);
            for part in node.all_parts() {
                let blob = part.blob.map(|blob| archive.blob(blob));
                let absent = blob.filter(|blob| blob.member.is_none() && !part.is_foreign());
                if let Some(digest) = absent.and_then(|blob| blob.digest.clone()) {
                    wants.insert(Want { path: path.clone(), digest, kind: Kind::Blob });
                }
            }
            if let (Body::Absent, Some(digest)) = (&node.body, &node.digest) {
                let media_type = node.media_type.clone().map(Into::into);
                let kind = Kind::Manifest { media_type, tag: None };
                wants.insert(Want { path: path.clone(), digest: digest.clone(), kind });
            }
        }
    }
    let mut wants: Vec<Want> = wants.into_iter().collect();
    wants.sort_by_key(|want| want.kind != Kind::Blob);
    wants
}

/// Tags that lead nowhere, with what the other places have under them: one image, or nothing is guessed.
fn lost_tags(archive: &Archive, domain: &str, stores: &[Store]) -> (Vec<Want>, Vec<Left>) {
    let (mut wants, mut left) = (Vec::new(), Vec::new());
    for anomaly in &archive.anomalies {
        let Anomaly::TagWithoutTarget { member: None, repository, tag } = anomaly else { continue };
        let full = format!("{domain}/{repository}");
        let found: Vec<(&Store, Option<&Digest>)> = stores
            .iter()
            .map(|store| (store, store.tag(repository, tag).or_else(|| store.tag(&full, tag))))
            .collect();
        let digests: BTreeSet<&Digest> = found.iter().filter_map(|(_, digest)| *digest).collect();
        let path = repository.clone();
        match digests.into_iter().collect::<Vec<_>>()[..] {
            [digest] => {
                let kind = Kind::Manifest { media_type: None, tag: Some(tag.clone()) };
                wants.push(Want { path, digest: digest.clone(), kind });
            }
            _ => {
                let sought = found.into_iter().map(|(store, digest)| Sought {
                    place: store.place().to_owned(),
                    found: digest.map_or("has no such tag".into(), |digest| format!("has {digest} under it")),
                });
                let what = format!("tag {repository}:{tag}");
                left.push(Left { what, path, was: Was::Missing, sought: sought.collect() });
            }
        }
    }
    (wants, left)
}

/// The type that a manifest is stored under: as it was named, else as it says itself, else as it looks.
fn stored_as(named: Option<&str>, json: Option<&Value>) -> String {
    let looks = || json.and_then(guess).unwrap_or(DocumentType::Manifest(Family::Oci));
    named.map_or_else(|| own_type(json, looks()).into_owned(), str::to_owned)
}

impl Job<'_> {
    fn put(&mut self, want: &Want, depth: u64) -> std::result::Result<(), Stop> {
        if !self.seen.insert(want.clone()) {
            return Ok(());
        }
        match &want.kind {
            Kind::Manifest { media_type, tag } => {
                self.manifest(want, media_type.as_deref(), tag.as_deref(), depth)
            }
            Kind::Blob => self.blob(want),
        }
    }

    fn manifest(
        &mut self,
        want: &Want,
        media_type: Option<&str>,
        tag: Option<&str>,
        depth: u64,
    ) -> std::result::Result<(), Stop> {
        let mut sought = Vec::new();
        for store in self.stores {
            let place = store.place().to_owned();
            let bytes = match store.find(&want.digest, true, self.limits) {
                Ok(Some(held)) => held.read(self.limits.document_bytes),
                Ok(None) if store.named(&want.digest).is_some() => {
                    sought.push(Sought { place, found: "has other bytes there".into() });
                    continue;
                }
                Ok(None) => {
                    sought.push(Sought { place, found: "does not have it".into() });
                    continue;
                }
                Err(error) => Err(error),
            };
            let bytes = match bytes {
                Ok(bytes) => bytes,
                Err(error) => {
                    sought.push(Sought { place, found: format!("cannot be read: {error}") });
                    continue;
                }
            };
            let json = json::parse(&bytes, self.limits.json_depth as usize).ok().map(|json| json.root);
            let whole = self.below(want, json.as_ref(), depth)?;
            if !whole {
                sought.push(Sought { place, found: "has it, but not all that it names".into() });
                continue;
            }
            if self.how.write {
                let reference = tag.unwrap_or(want.digest.as_str());
                let media_type = stored_as(media_type, json.as_ref());
                let sent = self.registry.send_manifest(&want.path, reference, &media_type, &bytes);
                sent.map_err(Stop::Here)?;
            }
            match tag {
                Some(tag) => self.step(StepKind::Tag, format!("{}:{tag}", want.path), want, place),
                None => self.step(StepKind::Manifest, want.path.clone(), want, place),
            }
            return Ok(());
        }
        self.left(want, sought);
        Ok(())
    }

    /// Puts what a manifest names and its repository lacks; whether all of it is, or would be, there.
    fn below(&mut self, want: &Want, json: Option<&Value>, depth: u64) -> std::result::Result<bool, Stop> {
        let Some(json) = json else { return Ok(true) };
        if depth >= self.limits.index_depth {
            return Ok(false);
        }
        let list = |name: &str| json.get(name).map(Value::items).unwrap_or_default().iter();
        let blobs = json.get("config").into_iter().chain(list("layers")).chain(list("blobs"));
        let all = blobs.map(|value| (value, false)).chain(list("manifests").map(|value| (value, true)));
        let mut whole = true;
        for (value, manifest) in all {
            let text = |name: &str| value.get(name).and_then(Value::as_str);
            let Some(digest) = text("digest").and_then(|digest| Digest::parse(digest).ok()) else { continue };
            if self.registry.has(&want.path, &digest, manifest).map_err(Stop::Here)? {
                continue;
            }
            let media_type = text("mediaType").map(str::to_owned);
            let kind = if manifest { Kind::Manifest { media_type, tag: None } } else { Kind::Blob };
            let child = Want { path: want.path.clone(), digest, kind };
            self.put(&child, depth + 1)?;
            whole &= !self.repaired.left.iter().any(|left| left.what == child.digest.to_string());
        }
        Ok(whole)
    }

    fn blob(&mut self, want: &Want) -> std::result::Result<(), Stop> {
        let (candidates, mut sought) = seek(&want.digest, self.stores, |_, held| Ok(Some(held)));
        let spot = Spot { path: &want.path, stood: &Stood::Nothing, aside: None };
        let to = self.how.write.then_some(self.registry);
        match given(to, &spot, &want.digest, &candidates, self.progress)? {
            Ok(from) => self.step(StepKind::Blob, want.path.clone(), want, from),
            Err(more) => {
                sought.extend(more);
                self.left(want, sought);
            }
        }
        Ok(())
    }

    fn step(&mut self, kind: StepKind, path: String, want: &Want, from: String) {
        let digest = Some(want.digest.clone());
        self.repaired.steps.push(Step { kind, path, digest, was: Was::Missing, from });
    }

    fn left(&mut self, want: &Want, sought: Vec<Sought>) {
        let (what, path) = (want.digest.to_string(), want.path.clone());
        self.repaired.left.push(Left { what, path, was: Was::Missing, sought });
    }
}
