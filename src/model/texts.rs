//! The texts of documents, parsed: as many as fit a fixed allowance. An archive of any number of images then takes the
//! memory of its graph; a text that was given up is read once more when somebody asks for it.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::json::SyntaxError;
use crate::limits::Limits;
use crate::model::document::{Document, Listed, Text};
use crate::source::Tree;

/// Bytes of texts that are kept: those of 600 images of one platform, so that few archives are ever read twice. Of more,
/// each text is read once more for every walk over them, whatever is kept.
const ALLOWANCE: usize = 4 << 20;
/// What a value takes once it is parsed, its name and what vectors hold in reserve included: 88 to 130 were measured.
const VALUE: usize = 128;

/// The texts that are kept.
pub(super) struct Texts {
    limits: Limits,
    allowance: usize,
    kept: Mutex<Kept>,
    failed: Mutex<Option<Error>>,
}

#[derive(Default)]
struct Kept {
    by_id: HashMap<u32, Slot>,
    /// In the order in which they came.
    order: VecDeque<u32>,
    cost: usize,
    /// What all texts that came in have cost.
    read: u64,
}

struct Slot {
    text: Arc<Text>,
    cost: usize,
    /// Whether it was asked for since texts were last given up.
    used: bool,
    /// What had been read when it was last asked for.
    at: u64,
}

/// How many values a text may hold: every one but the first stands behind one of these, and those in strings are few.
pub(super) fn values(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count() as u64 + 1
}

impl Texts {
    pub(super) fn new(limits: &Limits) -> Texts {
        Texts {
            limits: limits.clone(),
            allowance: ALLOWANCE,
            kept: Mutex::default(),
            failed: Mutex::default(),
        }
    }

    fn get(&self, at: u32) -> Option<Arc<Text>> {
        let mut kept = lock(&self.kept);
        let read = kept.read;
        let slot = kept.by_id.get_mut(&at)?;
        slot.used = true;
        slot.at = read;
        Some(Arc::clone(&slot.text))
    }

    /// Keeps a text, and gives up what came before it and was not asked for since, as far as there is no room.
    pub(super) fn keep(&self, at: u32, text: Arc<Text>) {
        let cost = text.bytes.len().saturating_add(VALUE.saturating_mul(text.values() as usize));
        let mut kept = lock(&self.kept);
        let kept = &mut *kept;
        kept.read += cost as u64;
        // Each is looked at once: one that is in use all the time, such as a large index, stays whatever it takes, until as much
        // as it takes itself was read since it was asked for. So what is read again costs no more than what is read.
        for _ in 0..kept.order.len() {
            if kept.cost + cost <= self.allowance {
                break;
            }
            let Some(oldest) = kept.order.pop_front() else { break };
            match kept.by_id.get_mut(&oldest) {
                Some(slot) if slot.used || kept.read - slot.at < slot.cost as u64 => {
                    slot.used = false;
                    kept.order.push_back(oldest);
                }
                _ => kept.cost -= kept.by_id.remove(&oldest).map_or(0, |slot| slot.cost),
            }
        }
        if let Entry::Vacant(free) = kept.by_id.entry(at) {
            free.insert(Slot { text, cost, used: false, at: kept.read });
            kept.cost += cost;
            kept.order.push_back(at);
        }
    }

    /// What a document says that could not be read again: nothing. The job fails at its end.
    fn fail(&self, error: Error) -> Arc<Text> {
        lock(&self.failed).get_or_insert(error);
        let problem = "expected a value".to_owned();
        let json = Err(SyntaxError { offset: 0, problem, too_deep: false });
        Arc::new(Text { bytes: Arc::default(), json })
    }

    /// A document with its text, which is read again if it was given up. One that cannot be read, or is no longer what it
    /// was, is empty.
    pub(super) fn document(&self, at: u32, listed: &Listed, tree: &Tree) -> Document {
        let text = self.get(at).unwrap_or_else(|| match self.read_again(listed, tree) {
            Ok(text) => {
                let text = Arc::new(text);
                self.keep(at, Arc::clone(&text));
                text
            }
            Err(error) => self.fail(error),
        });
        Document::new(listed, text, &self.limits)
    }

    fn read_again(&self, listed: &Listed, tree: &Tree) -> Result<Text> {
        let bytes = tree.read(listed.member, self.limits.document_bytes)?;
        match bytes.filter(|bytes| Digest::sha256(bytes) == listed.sha256) {
            Some(bytes) => Ok(Text::parse(bytes, &self.limits)),
            None => Err(Error::SourceChanged { path: tree.place.clone().into() }),
        }
    }

    /// Why a document could not be read again, said once.
    pub(super) fn failure(&self) -> Option<Error> {
        lock(&self.failed).take()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Archive, DocId, DocKind};
    use crate::rules::fixture::Layout;

    /// A layout of so many configs, each of one image.
    fn archive(layout: &Layout, images: usize) -> Archive {
        let mut manifests = Vec::new();
        for i in 0..images {
            let config = format!(r#"{{"architecture":"amd64","os":"linux","config":{{"Cmd":["{i}"]}}}}"#);
            let config = layout.blob(config.as_bytes());
            let kind = "application/vnd.oci.image.config.v1+json";
            let manifest = format!(
                r#"{{"schemaVersion":2,"config":{{"mediaType":"{kind}","digest":"{config}","size":1}},"layers":[]}}"#
            );
            let kind = "application/vnd.oci.image.manifest.v1+json";
            let digest = layout.blob(manifest.as_bytes());
            manifests
                .push(format!(r#"{{"mediaType":"{kind}","digest":"{digest}","size":{}}}"#, manifest.len()));
        }
        let index = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, manifests.join(","));
        layout.file("index.json", index.as_bytes());
        layout.open()
    }

    fn kept(archive: &Archive) -> Vec<u32> {
        let kept = lock(&archive.texts.kept);
        let mut ids: Vec<u32> = kept.by_id.keys().copied().collect();
        ids.sort_unstable();
        let cost: usize = kept.by_id.values().map(|slot| slot.cost).sum();
        assert_eq!((kept.cost, kept.order.len()), (cost, kept.by_id.len()));
        ids
    }

    #[test]
    fn what_is_not_in_use_makes_room_and_is_read_again() {
        let layout = Layout::new();
        let mut archive = archive(&layout, 20);
        let count = archive.documents.len();
        assert_eq!(kept(&archive).len(), count);
        let texts: Vec<Arc<[u8]>> =
            (0..count as u32).map(|id| archive.document(DocId(id)).bytes.clone()).collect();
        let index = archive.index_json.expect("an index");
        let config =
            (0..count as u32).map(DocId).find(|&id| matches!(archive.listed(id).kind, DocKind::Config(_)));
        let config = config.expect("a config");
        archive.texts.allowance = 4096;
        *lock(&archive.texts.kept) = Kept::default();
        for _ in 0..3 {
            for id in (0..count as u32).map(DocId) {
                let document = archive.document(id);
                assert_eq!(document.bytes, texts[id.index()]);
                assert_eq!(document.kind, archive.listed(id).kind);
                // The index is in use all the time, and larger than all that may be kept.
                let held = archive.document(index);
                assert!(held.root().is_some_and(|root| root.get("manifests").is_some()));
            }
        }
        let now = kept(&archive);
        assert!(now.contains(&index.0) && now.len() < count / 2, "{now:?}");
        // It stays though some small ones come between two times that it is asked for.
        let before = archive.document(index).bytes.as_ptr();
        for id in (0..8).map(DocId).filter(|id| *id != index) {
            archive.document(id);
        }
        assert_eq!(archive.document(index).bytes.as_ptr(), before);
        archive.unchanged().expect("nothing changed");

        // One that was changed meanwhile.
        *lock(&archive.texts.kept) = Kept::default();
        let name = archive.tree.member(archive.listed(config).member).name().to_string();
        layout.file(&name, &vec![b' '; texts[config.index()].len()]);
        let empty = archive.document(config);
        assert!(empty.bytes.is_empty() && empty.root().is_none());
        assert!(matches!(archive.unchanged(), Err(Error::SourceChanged { .. })));
    }
}
