//! Findings of many pieces, told as those of one storage: each once, with all the tags that it breaks.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice};

use crate::finding::{self, Affected, Document, Documents, Finding, Label, Level, Target};
use crate::location::{At, MemberId};
use crate::model::{Archive, DocId, Text};

/// Findings of one rule that are told, at most; of the rest it is said how many there are.
const ERRORS: u64 = 10_000;
const OTHERS: u64 = 1_000;
/// Documents whose texts are kept for excerpts, at most.
const TEXTS: usize = 256;

/// What makes findings of several pieces one: rule, file, place in it, and the message where it is about the file itself.
type Key = (&'static str, Option<MemberId>, At, Option<String>);

/// Findings that are being gathered.
#[derive(Default)]
pub struct Gathered {
    ids: HashMap<BString, MemberId>,
    names: Vec<BString>,
    texts: HashMap<MemberId, Arc<Text>>,
    findings: Vec<Finding>,
    by_key: HashMap<Key, usize>,
    /// The folder of the archive that is added.
    below: String,
    /// By rule: how many are told, how many are not, and where the last that is told stands.
    counts: HashMap<&'static str, (u64, u64, usize)>,
}

impl Gathered {
    /// Adds the findings of a piece, levels given.
    pub fn add(&mut self, archive: &Archive, findings: Vec<Finding>) {
        self.add_below("", archive, findings);
    }

    /// The same of an archive in a folder, whose name comes before those of its members.
    pub fn add_below(&mut self, folder: &str, archive: &Archive, findings: Vec<Finding>) {
        self.below = folder.to_owned();
        if findings.is_empty() {
            return;
        }
        let documents: HashMap<MemberId, DocId> =
            archive.documents.iter().zip(0..).map(|(document, id)| (document.member, DocId(id))).collect();
        for finding in findings {
            let whole = finding.level == Level::Error;
            let (told, _, _) = self.counts.get(finding.rule.name).copied().unwrap_or_default();
            let is_full = told >= if whole { ERRORS } else { OTHERS };
            self.one(archive, &documents, finding, is_full);
        }
    }

    fn one(
        &mut self,
        archive: &Archive,
        documents: &HashMap<MemberId, DocId>,
        mut finding: Finding,
        is_full: bool,
    ) {
        // The same blob is called `layer 2` here and `layer 5` there.
        let member = finding.primary.location.member;
        let is_link = |member| archive.tree.member(member).name.ends_with(b"/link");
        let message = member.is_none_or(is_link).then(|| finding.message.clone());
        let known = member.map(|member| self.ids.get(&self.name(archive, member)).copied());
        // Nothing is kept of what is not told.
        let old = match known {
            Some(None) => None,
            known => {
                let key = (
                    finding.rule.name,
                    known.flatten(),
                    finding.primary.location.at.clone(),
                    message.clone(),
                );
                self.by_key.get(&key).copied()
            }
        };
        if let Some(old) = old {
            self.join(old, finding);
            return;
        }
        let count = self.counts.entry(finding.rule.name).or_default();
        if is_full {
            count.1 += 1 + finding.omitted;
            return;
        }
        (count.0, count.2) = (count.0 + 1, self.findings.len());
        for label in std::iter::once(&mut finding.primary).chain(&mut finding.related) {
            self.rename(archive, documents, &mut label.location.member);
        }
        for change in finding.fix.iter_mut().flat_map(|fix| &mut fix.changes) {
            if let Target::Member(member) = &mut change.target {
                let mut own = Some(*member);
                self.rename(archive, documents, &mut own);
                *member = own.unwrap_or(*member);
            }
        }
        if let Some(affects) = &mut finding.affects {
            affects.all = false;
        }
        let location = finding.primary.location.clone();
        self.by_key.insert((finding.rule.name, location.member, location.at, message), self.findings.len());
        self.findings.push(finding);
    }

    /// Adds what another piece has at the same place.
    fn join(&mut self, old: usize, finding: Finding) {
        let Some(held) = self.findings.get_mut(old) else { return };
        held.level = held.level.max(finding.level);
        let Some(more) = finding.affects else { return };
        let affects = held.affects.get_or_insert_with(Affected::default);
        let new: Vec<String> =
            more.names.iter().filter(|name| !affects.names.contains(name)).cloned().collect();
        // Names of other repositories are others.
        let again = more.names.len() - new.len();
        affects.count += more.count - again;
        let room = Affected::NAMED.saturating_sub(affects.names.len());
        affects.names.extend(new.into_iter().take(room));
    }

    /// The name of a member, with the folder that its archive is in.
    fn name(&self, archive: &Archive, member: MemberId) -> BString {
        let name: &[u8] = archive.tree.member(member).name.as_ref();
        match self.below.is_empty() {
            true => name.into(),
            false => [self.below.as_bytes(), b"/", name].concat().into(),
        }
    }

    fn rename(
        &mut self,
        archive: &Archive,
        documents: &HashMap<MemberId, DocId>,
        member: &mut Option<MemberId>,
    ) {
        let Some(own) = *member else { return };
        let name = self.name(archive, own);
        let next = MemberId(self.names.len() as u32);
        let id = match self.ids.entry(name) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(slot) => {
                self.names.push(slot.key().clone());
                *slot.insert(next)
            }
        };
        *member = Some(id);
        if let Some(&document) = documents.get(&own)
            && self.texts.len() < TEXTS
        {
            self.texts.entry(id).or_insert_with(|| archive.document(document).text);
        }
    }

    /// All of them, in the order of reports.
    pub fn finish(mut self, place: &str, form: &'static str) -> Told {
        let mut order: Vec<u32> = (0..self.names.len() as u32).collect();
        order.sort_by(|&a, &b| self.names[a as usize].cmp(&self.names[b as usize]));
        let mut places = vec![MemberId(0); order.len()];
        for (new, &old) in order.iter().enumerate() {
            places[old as usize] = MemberId(new as u32);
        }
        let moved = |member: &mut MemberId| *member = places[member.0 as usize];
        for (_, left, last) in self.counts.values() {
            if let Some(finding) = self.findings.get_mut(*last).filter(|_| *left > 0) {
                finding.omit(*left);
            }
        }
        for finding in &mut self.findings {
            let labels = std::iter::once(&mut finding.primary).chain(&mut finding.related);
            labels.filter_map(|Label { location, .. }| location.member.as_mut()).for_each(moved);
            for change in finding.fix.iter_mut().flat_map(|fix| &mut fix.changes) {
                if let Target::Member(member) = &mut change.target {
                    moved(member);
                }
            }
        }
        let names = order.iter().map(|&old| std::mem::take(&mut self.names[old as usize])).collect();
        let texts = self.texts.into_iter().map(|(member, text)| (places[member.0 as usize], text)).collect();
        let mut told = Told { place: place.to_owned(), form, names, texts, findings: Vec::new() };
        finding::sort(&mut self.findings, &told);
        told.findings = self.findings;
        told
    }
}

/// What was found in a storage.
pub struct Told {
    place: String,
    /// The form of what was scrubbed, by its ID.
    pub form: &'static str,
    names: Vec<BString>,
    texts: HashMap<MemberId, Arc<Text>>,
    /// Findings with the levels in force, in the order of reports.
    pub findings: Vec<Finding>,
}

impl Told {
    /// The names of the files that findings are about.
    pub fn names(&self) -> &[BString] {
        &self.names
    }
}

impl Documents for Told {
    fn name(&self, member: MemberId) -> &BStr {
        self.names.get(member.0 as usize).map_or(b"?".as_bstr(), |name| name.as_bstr())
    }

    fn text(&self, member: MemberId) -> Option<Document<'_>> {
        let text = self.texts.get(&member)?;
        Some(Document { text: &text.bytes, json: text.json.as_ref().ok() })
    }

    fn place(&self) -> &str {
        &self.place
    }
}
