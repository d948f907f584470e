//! Findings of many pieces, told as those of one storage: each once, with all the tags that it breaks.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice};

use super::row::ProvedBy;
use crate::digest::Digest;
use crate::finding::{
    self, Affected, By, Document, Documents, Finding, Label, Level, Lower, Lowered, Target,
};
use crate::location::{At, MemberId};
use crate::model::{Archive, DocId, Text};
use crate::rules::Policy;
use crate::rules::reach::only_users;

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
    kept: List,
    /// What files lowered, and how each was.
    lowered: List,
    how: HashMap<usize, (Level, By)>,
    config: Option<String>,
    ended: Vec<String>,
    /// The folder of the archive that is added.
    below: String,
}

/// Findings of one kind: those that are reported, or those that were lowered.
#[derive(Default)]
struct List {
    findings: Vec<Finding>,
    by_key: HashMap<Key, usize>,
    /// The manifest or index that the file of each is a part of, if that is a single one.
    users: Vec<Option<Digest>>,
    /// By rule: how many are told, how many are not, and where the last that is told stands.
    counts: HashMap<&'static str, (u64, u64, usize)>,
}

impl Gathered {
    /// Adds the findings of a piece, levels given, and what files lowered.
    pub fn add(&mut self, archive: &Archive, judged: (Vec<Finding>, Lowered)) {
        self.add_below("", archive, judged);
    }

    /// The same of an archive in a folder, whose name comes before those of its members.
    pub fn add_below(&mut self, folder: &str, archive: &Archive, judged: (Vec<Finding>, Lowered)) {
        let (mut findings, mut lowered) = judged;
        let all = findings.iter_mut().chain(lowered.findings.iter_mut().map(|lower| &mut lower.finding));
        for name in all.filter_map(|finding| finding.affects.as_mut()).flat_map(|affects| &mut affects.names)
        {
            *name = named_below(folder, name);
        }
        self.below = folder.to_owned();
        (self.config, self.ended) = (lowered.config, lowered.ended);
        if findings.is_empty() && lowered.findings.is_empty() {
            return;
        }
        let documents: HashMap<MemberId, DocId> =
            archive.documents.iter().zip(0..).map(|(document, id)| (document.member, DocId(id))).collect();
        let all = findings.iter().chain(lowered.findings.iter().map(|lower| &lower.finding));
        let users = only_users(archive, &all.filter_map(|finding| finding.primary.location.member).collect());
        for finding in findings {
            self.one(archive, (&documents, &users), finding, None);
        }
        for Lower { finding, from, by } in lowered.findings {
            self.one(archive, (&documents, &users), finding, Some((from, by)));
        }
    }

    fn list(&mut self, is_lowered: bool) -> &mut List {
        if is_lowered { &mut self.lowered } else { &mut self.kept }
    }

    fn one(
        &mut self,
        archive: &Archive,
        (documents, users): (&HashMap<MemberId, DocId>, &HashMap<MemberId, Digest>),
        mut finding: Finding,
        how: Option<(Level, By)>,
    ) {
        let is_lowered = how.is_some();
        let whole = how.as_ref().map_or(finding.level, |(from, _)| *from) == Level::Error;
        let (told, _, _) = self.list(is_lowered).counts.get(finding.rule.name).copied().unwrap_or_default();
        let is_full = told >= if whole { ERRORS } else { OTHERS };
        // The same blob is called `layer 2` here and `layer 5` there.
        let member = finding.primary.location.member;
        let is_link = |member| archive.tree.member(member).name().ends_with(b"/link");
        let user = member.and_then(|member| users.get(&member)).cloned();
        let message = member.is_none_or(is_link).then(|| finding.message.clone());
        let known = match member {
            Some(member) => Some(self.name(archive, member)),
            // What is said of an archive in a folder is said of the folder.
            None => (!self.below.is_empty()).then(|| BString::from(self.below.as_str())),
        };
        let known = known.map(|name| self.ids.get(&name).copied());
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
                self.list(is_lowered).by_key.get(&key).copied()
            }
        };
        if let Some(old) = old {
            self.list(is_lowered).join(old, finding, user);
            return;
        }
        let list = self.list(is_lowered);
        let at = list.findings.len();
        let count = list.counts.entry(finding.rule.name).or_default();
        if is_full {
            count.1 += 1 + finding.omitted;
            return;
        }
        (count.0, count.2) = (count.0 + 1, at);
        for label in std::iter::once(&mut finding.primary).chain(&mut finding.related) {
            self.rename(archive, documents, &mut label.location.member);
        }
        if member.is_none() && !self.below.is_empty() {
            finding.primary.location.member = Some(self.id(self.below.as_str().into()));
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
        self.how.extend(how.map(|how| (at, how)));
        let location = finding.primary.location.clone();
        let list = self.list(is_lowered);
        list.by_key.insert((finding.rule.name, location.member, location.at, message), at);
        list.findings.push(finding);
        list.users.push(user);
    }

    /// The name of a member, with the folder that its archive is in.
    fn name(&self, archive: &Archive, member: MemberId) -> BString {
        let name = archive.tree.member(member).name();
        match self.below.is_empty() {
            true => name.into_owned(),
            false => [self.below.as_bytes(), b"/", name.as_bytes()].concat().into(),
        }
    }

    /// The member of a name, among those of all archives.
    fn id(&mut self, name: BString) -> MemberId {
        let next = MemberId(self.names.len() as u32);
        match self.ids.entry(name) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(slot) => {
                self.names.push(slot.key().clone());
                *slot.insert(next)
            }
        }
    }

    fn rename(
        &mut self,
        archive: &Archive,
        documents: &HashMap<MemberId, DocId>,
        member: &mut Option<MemberId>,
    ) {
        let Some(own) = *member else { return };
        let id = self.id(self.name(archive, own));
        *member = Some(id);
        if let Some(&document) = documents.get(&own)
            && self.texts.len() < TEXTS
        {
            self.texts.entry(id).or_insert_with(|| archive.document(document).text);
        }
    }

    /// All of them, in the order of reports, but for those that the baseline of these levels has.
    pub fn finish(mut self, place: &str, form: &'static str, policy: &Policy) -> Told {
        let mut order: Vec<u32> = (0..self.names.len() as u32).collect();
        order.sort_by(|&a, &b| self.names[a as usize].cmp(&self.names[b as usize]));
        let mut places = vec![MemberId(0); order.len()];
        for (new, &old) in order.iter().enumerate() {
            places[old as usize] = MemberId(new as u32);
        }
        let moved = |member: &mut MemberId| *member = places[member.0 as usize];
        for list in [&mut self.kept, &mut self.lowered] {
            for (_, left, last) in list.counts.values() {
                if let Some(finding) = list.findings.get_mut(*last).filter(|_| *left > 0) {
                    finding.omit(*left);
                }
            }
            for finding in &mut list.findings {
                let labels = std::iter::once(&mut finding.primary).chain(&mut finding.related);
                labels.filter_map(|Label { location, .. }| location.member.as_mut()).for_each(moved);
                for change in finding.fix.iter_mut().flat_map(|fix| &mut fix.changes) {
                    if let Target::Member(member) = &mut change.target {
                        moved(member);
                    }
                }
            }
        }
        let names = order.iter().map(|&old| std::mem::take(&mut self.names[old as usize])).collect();
        let texts = self.texts.into_iter().map(|(member, text)| (places[member.0 as usize], text)).collect();
        let lowered = Lowered { config: self.config, ended: self.ended, ..Lowered::default() };
        let mut told = Told {
            place: place.to_owned(),
            form,
            names,
            texts,
            findings: Vec::new(),
            lowered,
            by: ProvedBy::default(),
        };
        finding::sort(&mut self.kept.findings, &told);
        let key = |finding: &Finding| {
            let location = &finding.primary.location;
            (finding.rule.name, location.member, location.at.clone(), finding.message.clone())
        };
        let how = self.lowered.findings.iter().map(key).zip(0..);
        let mut how: HashMap<_, _> = how.filter_map(|(key, at)| Some((key, self.how.remove(&at)?))).collect();
        finding::sort(&mut self.lowered.findings, &told);
        for finding in self.lowered.findings {
            if let Some((from, by)) = how.remove(&key(&finding)) {
                told.lowered.findings.push(Lower { finding, from, by });
            }
        }
        let (findings, known) = policy.beside_baseline(&told, self.kept.findings);
        told.lowered.baseline = policy.baseline_file().map(str::to_owned);
        told.lowered.findings.extend(known);
        told.findings = findings;
        told
    }
}

impl List {
    /// Adds what another piece has at the same place.
    fn join(&mut self, old: usize, finding: Finding, user: Option<Digest>) {
        let (Some(held), Some(known)) = (self.findings.get_mut(old), self.users.get_mut(old)) else { return };
        held.level = held.level.max(finding.level);
        let Some(mut more) = finding.affects else { return };
        let affects = held.affects.get_or_insert_with(Affected::default);
        // What several images have in common is no platform's.
        if *known != user || user.is_none() {
            *known = None;
            for name in affects.names.iter_mut().chain(&mut more.names) {
                name.truncate(name.find(' ').unwrap_or(name.len()));
            }
        }
        let new: Vec<String> =
            more.names.iter().filter(|name| !affects.names.contains(name)).cloned().collect();
        // Names of other repositories are others.
        let again = more.names.len() - new.len();
        affects.count += more.count - again;
        let room = Affected::NAMED.saturating_sub(affects.names.len());
        affects.names.extend(new.into_iter().take(room));
    }
}

/// The name of an image in an archive that lies in a folder.
pub(super) fn named_below(folder: &str, name: &str) -> String {
    match (folder, name.starts_with(':')) {
        ("", _) => name.to_owned(),
        (_, true) => format!("{folder}{name}"),
        (_, false) => format!("{folder}: {name}"),
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
    /// What files lowered.
    pub lowered: Lowered,
    /// How blobs were proved.
    pub(crate) by: ProvedBy,
}

impl Told {
    /// The names of the files that findings are about.
    pub fn names(&self) -> &[BString] {
        &self.names
    }
}

impl Documents for Told {
    fn name(&self, member: MemberId) -> Cow<'_, BStr> {
        Cow::Borrowed(self.names.get(member.0 as usize).map_or(b"?".as_bstr(), |name| name.as_bstr()))
    }

    fn text(&self, member: MemberId) -> Option<Document<'_>> {
        let text = self.texts.get(&member)?;
        Some(Document { text: &text.bytes, json: text.json.as_ref().ok() })
    }

    fn place(&self) -> &str {
        &self.place
    }
}
