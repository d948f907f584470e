//! The texts of documents, parsed: as many as fit a fixed allowance. An archive of any number of images then takes the
//! memory of its graph; a text that was given up is read once more when somebody asks for it.

use std::collections::hash_map::{Entry, RandomState};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::json::SyntaxError;
use crate::limits::Limits;
use crate::model::document::{Check, Document, Listed, Text};
use crate::source::Tree;

/// Bytes of texts that are kept: those of 1,000 images of one platform, so that few archives are ever read twice. Of more,
/// those that do not fit are read once more for every walk over them.
const ALLOWANCE: usize = 4 << 20;
/// The part of it that is for those that were asked for last: whoever looks at an image asks for the same few again.
const RECENT: usize = 8;
/// What a value takes once it is parsed, and what the allocator adds: a member has 88 bytes, an item 48.
const VALUE: usize = 96;

/// The texts that are kept.
pub(super) struct Texts {
    limits: Limits,
    allowance: usize,
    kept: Mutex<Kept>,
    failed: Mutex<Option<Error>>,
    /// The key of all [`Check`]s, which nobody who makes an archive knows.
    key: RandomState,
}

#[derive(Default)]
struct Kept {
    by_id: HashMap<u32, Slot>,
    /// Those that were asked for last. All others came first, and stay: whoever walks over all documents once more finds them
    /// where he begins, and would find none if the last ones stayed.
    recent: VecDeque<u32>,
    /// What those cost that stay.
    stay: usize,
    /// What all texts that came in have cost.
    read: u64,
}

struct Slot {
    text: Arc<Text>,
    cost: usize,
    /// What had been read when it was last asked for.
    at: u64,
    /// What had been read when it was last put behind all others that are recent.
    queued: u64,
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
            key: RandomState::new(),
        }
    }

    /// By which a text is known again.
    pub(super) fn check(&self, bytes: &[u8]) -> Check {
        Check::of(&self.key, bytes)
    }

    fn get(&self, at: u32) -> Option<Arc<Text>> {
        let mut kept = lock(&self.kept);
        let read = kept.read;
        let slot = kept.by_id.get_mut(&at)?;
        slot.at = read;
        Some(Arc::clone(&slot.text))
    }

    /// Keeps a text, and looks at what is no longer recent: it stays if there is room, else it is given up.
    pub(super) fn keep(&self, at: u32, text: Arc<Text>) {
        let cost = text.bytes.len().saturating_add(VALUE.saturating_mul(text.values() as usize));
        let mut kept = lock(&self.kept);
        let kept = &mut *kept;
        kept.read += cost as u64;
        if let Entry::Vacant(free) = kept.by_id.entry(at) {
            free.insert(Slot { text, cost, at: kept.read, queued: kept.read });
            kept.recent.push_back(at);
        }
        let recently = (self.allowance / RECENT) as u64;
        for _ in 0..kept.recent.len() {
            let Some(oldest) = kept.recent.pop_front() else { break };
            let Some(slot) = kept.by_id.get_mut(&oldest) else { continue };
            let age = kept.read - slot.at;
            if age < recently && slot.at <= slot.queued {
                // It is where it belongs, and so is what is behind it.
                kept.recent.push_front(oldest);
                break;
            }
            // One that is in use all the time, such as a large index, is recent whatever it takes, until as much as it takes
            // itself was read since it was asked for. So what is read again costs no more than what is read.
            if age < recently.max(slot.cost as u64) {
                slot.queued = kept.read;
                kept.recent.push_back(oldest);
            } else if kept.stay.saturating_add(slot.cost) <= self.allowance - recently as usize {
                kept.stay += slot.cost;
            } else {
                kept.by_id.remove(&oldest);
            }
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
        match bytes.filter(|bytes| self.check(bytes) == listed.check) {
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
        assert!(kept.recent.iter().all(|id| kept.by_id.contains_key(id)));
        let stay = kept.by_id.iter().filter(|(id, _)| !kept.recent.contains(id));
        assert_eq!(kept.stay, stay.map(|(_, slot)| slot.cost).sum::<usize>());
        ids
    }

    #[test]
    fn a_second_walk_finds_what_came_first() {
        let layout = Layout::new();
        let mut archive = archive(&layout, 40);
        archive.texts.allowance = 24 << 10;
        *lock(&archive.texts.kept) = Kept::default();
        let walk = || -> Vec<_> {
            (0..archive.documents.len() as u32).map(|id| archive.document(DocId(id)).text).collect()
        };
        let (first, second) = (walk(), walk());
        let same = first.iter().zip(&second).map(|(one, other)| Arc::ptr_eq(one, other));
        let found = same.filter(|same| *same).count();
        // All that is kept but the last, which were recent.
        assert!((10..first.len() / 2).contains(&found), "{found} of {}", first.len());
        assert!(kept(&archive).len() < first.len() / 2);
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
