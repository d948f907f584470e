//! What a page shows of each source, collected while it is at hand.

use std::collections::BTreeSet;

use super::document::{self, Shown as Document};
use super::proof::Proof;
use super::shown::{self, Shown as Finding};
use super::{account, compared};
use crate::escape::escape_str;
use crate::finding::{Level, Summary, counted};
use crate::jobs::compare::Comparison;
use crate::jobs::convert::Account;
use crate::jobs::inspect::{Entry, View};
use crate::location::MemberId;
use crate::render::Source;

/// Characters of documents that a page holds; what does not fit is named, and how to see it. 350,000: with 300 findings
/// a page stays below a megabyte.
const DOCUMENTS: usize = 350_000;

/// Findings that a page draws; more are counted. 1,000: nobody reads more, and a page stays openable.
pub(super) const FINDINGS: usize = 1_000;

/// A page that is being collected.
#[derive(Debug, Default)]
pub struct Page {
    /// The command that was run, as typed after `restow`.
    pub(super) command: String,
    pub(super) sections: Vec<Section>,
    pub(super) compared: Option<compared::Shown>,
    pub(super) account: Option<account::Shown>,
}

/// What is shown of one source.
#[derive(Debug)]
pub(super) struct Section {
    /// As typed.
    pub(super) place: String,
    pub(super) form: String,
    /// The file's digest and size, or why they are not known; `None` of what is no file.
    pub(super) file: Option<String>,
    pub(super) proof: Proof,
    /// Why it could not be judged.
    pub(super) failure: Option<String>,
    pub(super) summary: Summary,
    /// What files lowered, and that exceptions have ended, in words.
    pub(super) lowered: Vec<String>,
    pub(super) findings: Vec<Finding>,
    /// Findings that are not drawn.
    pub(super) more: usize,
    pub(super) images: Vec<Entry>,
    pub(super) documents: Vec<Document>,
    /// Hexadecimal digests of blobs in which an error was found.
    pub(super) faulty: BTreeSet<String>,
}

impl Page {
    /// An empty page for a command, as typed after `restow`.
    pub fn new(command: impl Into<String>) -> Page {
        Page { command: command.into(), ..Page::default() }
    }

    /// Adds a source that was looked at, with the view of what it holds; `None` where that cannot be drawn. `file` is the
    /// digest of the file that it is, in words.
    pub fn add(&mut self, source: &Source<'_>, view: Option<View>, proof: Proof, file: Option<&str>) {
        let findings = shown::of(source.findings, source.docs, FINDINGS);
        let mut members: BTreeSet<MemberId> =
            source.images.iter().flat_map(|image| image.members.iter().copied()).collect();
        members.extend(source.findings.iter().filter_map(|(_, finding)| finding.primary.location.member));
        let faulty = findings.iter().filter(|finding| finding.level == Level::Error);
        let images = view.map_or_else(Vec::new, |view| view.images);
        let roles = document::roles(&images);
        self.sections.push(Section {
            place: source.docs.place().to_owned(),
            form: source.form.to_owned(),
            file: file.map(str::to_owned),
            proof,
            failure: None,
            summary: Summary::of(source.findings),
            lowered: source.lowered.words().into_iter().chain(source.lowered.ended.clone()).collect(),
            more: source.findings.len().saturating_sub(findings.len()),
            faulty: faulty.filter_map(|finding| finding.blob.clone()).collect(),
            images,
            documents: document::of(&members, source.docs, &roles, DOCUMENTS),
            findings,
        });
    }

    /// Adds a source that could not be judged, and why.
    pub fn failed(&mut self, place: &str, why: &str) {
        self.sections.push(Section {
            place: place.to_owned(),
            form: String::new(),
            file: None,
            proof: Proof::Documents,
            failure: Some(why.to_owned()),
            summary: Summary::default(),
            lowered: Vec::new(),
            findings: Vec::new(),
            more: 0,
            images: Vec::new(),
            documents: Vec::new(),
            faulty: BTreeSet::new(),
        });
    }

    /// Adds a comparison of two places, which are the sources that are added next.
    pub fn compared(&mut self, comparison: &Comparison, a: &str, b: &str) {
        self.compared = Some(compared::Shown::of(comparison, a, b));
    }

    /// Adds what became of everything on its way to a destination.
    pub fn account(&mut self, account: &Account, destination: &str) {
        self.account = Some(account::Shown::of(account, destination));
    }
}

/// What a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Sound,
    Broken,
    /// Nobody asked.
    Unjudged,
    /// Nobody could tell.
    Failed,
}

impl Section {
    pub(super) fn verdict(&self) -> Verdict {
        match (&self.failure, self.proof.judges(), self.summary.errors) {
            (Some(_), ..) => Verdict::Failed,
            (None, false, _) => Verdict::Unjudged,
            (None, true, 0) => Verdict::Sound,
            (None, true, _) => Verdict::Broken,
        }
    }

    /// The verdict in a few words.
    pub(super) fn words(&self) -> String {
        let images = self.count().unwrap_or_default();
        let joint = |first: &str, rest: &str| match rest {
            "" => first.to_owned(),
            rest => format!("{first}, {rest}"),
        };
        let words = match self.verdict() {
            Verdict::Failed => "could not be judged".to_owned(),
            Verdict::Unjudged if images.is_empty() => "not judged".to_owned(),
            Verdict::Unjudged => format!("{images}, not judged"),
            Verdict::Sound if self.findings.is_empty() => joint("sound", &images),
            Verdict::Sound => joint(&joint("sound", &images), &self.summary.to_string()),
            Verdict::Broken => self.summary.to_string(),
        };
        let lowered: String = self.lowered.iter().map(|words| format!("; {}", escape_str(words))).collect();
        words + &lowered
    }

    /// How many images there are, below indexes too; `None` where there is none.
    fn count(&self) -> Option<String> {
        let images = self.images.iter().flat_map(Entry::all).filter(|entry| entry.kind == "image").count();
        (images > 0).then(|| counted(images as u64, "image"))
    }
}
