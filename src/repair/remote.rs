//! A live registry: what its repositories lack is sent, children before what names them. Whether bytes that it has are right is
//! not asked; what is there stays as it is.

use std::collections::BTreeSet;

use super::account::{Left, Repaired, Sought, Step, StepKind, Was};
use super::{Repairing, Stop};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::form::mend::{Failed, Got, is_right};
use crate::form::registry::Lacking;
use crate::form::seek::Store;
use crate::json::{self, Value};
use crate::limits::Limits;
use crate::model::{Archive, Body, Name, NodeId};
use crate::progress::Progress;

/// A blob or manifest that a repository lacks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Want {
    path: String,
    digest: Digest,
    /// Of a manifest the type that it is stored under.
    manifest: Option<String>,
}

struct Job<'a> {
    registry: &'a Lacking,
    stores: &'a [Store],
    how: &'a Repairing,
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
    how: &Repairing,
    limits: &Limits,
    progress: &dyn Progress,
) -> Result<Repaired> {
    let repaired = Repaired { looked: archive.blobs.len(), wrote: how.write, ..Repaired::default() };
    let mut job = Job { registry, stores, how, limits, progress, seen: BTreeSet::new(), repaired };
    for want in lacking(archive) {
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
                    wants.insert(Want { path: path.clone(), digest, manifest: None });
                }
            }
            if let (Body::Absent, Some(digest)) = (&node.body, &node.digest) {
                let media_type = media_type(archive, id);
                wants.insert(Want { path: path.clone(), digest: digest.clone(), manifest: Some(media_type) });
            }
        }
    }
    let mut wants: Vec<Want> = wants.into_iter().collect();
    wants.sort_by_key(|want| want.manifest.is_some());
    wants
}

fn media_type(archive: &Archive, node: NodeId) -> String {
    archive.node(node).media_type.clone().unwrap_or_else(|| crate::media::OCI_MANIFEST.to_owned())
}

impl Job<'_> {
    fn put(&mut self, want: &Want, depth: u64) -> std::result::Result<(), Stop> {
        if !self.seen.insert(want.clone()) {
            return Ok(());
        }
        match &want.manifest {
            Some(media_type) => self.manifest(want, media_type, depth),
            None => self.blob(want),
        }
    }

    fn manifest(&mut self, want: &Want, media_type: &str, depth: u64) -> std::result::Result<(), Stop> {
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
            let whole = self.below(want, &bytes, depth)?;
            if !whole {
                sought.push(Sought { place, found: "has it, but not all that it names".into() });
                continue;
            }
            if self.how.write {
                let sent = self.registry.send_manifest(&want.path, &want.digest, media_type, &bytes);
                sent.map_err(Stop::Here)?;
            }
            self.done(want, StepKind::Manifest, place);
            return Ok(());
        }
        self.left(want, sought);
        Ok(())
    }

    /// Puts what a manifest names and its repository lacks; whether all of it is, or would be, there.
    fn below(&mut self, want: &Want, bytes: &[u8], depth: u64) -> std::result::Result<bool, Stop> {
        let Ok(json) = json::parse(bytes, self.limits.json_depth as usize) else { return Ok(true) };
        if depth >= self.limits.index_depth {
            return Ok(false);
        }
        let list = |name: &str| json.root.get(name).map(Value::items).unwrap_or_default().iter();
        let blobs = json.root.get("config").into_iter().chain(list("layers")).chain(list("blobs"));
        let all = blobs.map(|value| (value, false)).chain(list("manifests").map(|value| (value, true)));
        let mut whole = true;
        for (value, manifest) in all {
            let text = |name: &str| value.get(name).and_then(Value::as_str);
            let Some(digest) = text("digest").and_then(|digest| Digest::parse(digest).ok()) else { continue };
            if self.registry.has(&want.path, &digest, manifest).map_err(Stop::Here)? {
                continue;
            }
            let media_type = text("mediaType").unwrap_or_default().to_owned();
            let child = Want { path: want.path.clone(), digest, manifest: manifest.then_some(media_type) };
            self.put(&child, depth + 1)?;
            whole &= !self.repaired.left.iter().any(|left| left.what == child.digest.to_string());
        }
        Ok(whole)
    }

    fn blob(&mut self, want: &Want) -> std::result::Result<(), Stop> {
        let mut sought = Vec::new();
        for store in self.stores {
            let place = store.place().to_owned();
            let Some(held) = store.named(&want.digest) else {
                sought.push(Sought { place, found: "does not have it".into() });
                continue;
            };
            let got = held.reader().map_err(|error| Failed::There(std::io::Error::other(error)));
            let got = got.and_then(|from| match self.how.write {
                true => {
                    let (path, digest) = (&want.path, &want.digest);
                    self.registry.send_blob(path, digest, held.size(), from, self.progress)
                }
                false => is_right(from, &want.digest, self.progress),
            });
            let found = match got {
                Ok(Got::Right) => {
                    self.done(want, StepKind::Blob, place);
                    return Ok(());
                }
                Ok(Got::Others(found)) => format!("has other bytes there: {found}"),
                Err(Failed::There(error)) => format!("cannot be read: {error}"),
                Err(Failed::Here(error)) => return Err(Stop::Here(error)),
                Err(Failed::Cancelled) => return Err(Stop::Cancelled),
            };
            sought.push(Sought { place, found });
        }
        self.left(want, sought);
        Ok(())
    }

    fn done(&mut self, want: &Want, kind: StepKind, from: String) {
        let (path, digest) = (want.path.clone(), Some(want.digest.clone()));
        self.repaired.steps.push(Step { kind, path, digest, was: Was::Missing, from });
    }

    fn left(&mut self, want: &Want, sought: Vec<Sought>) {
        let (what, path) = (want.digest.to_string(), want.path.clone());
        self.repaired.left.push(Left { what, path, was: Was::Missing, sought });
    }
}
