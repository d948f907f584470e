//! What a page shows of each source, collected while it is at hand.

use std::collections::BTreeSet;

use crate::finding::{Level, Summary, counted};
use crate::inspect::{Entry, View};
use crate::location::MemberId;
use crate::report::Source;

use super::document::{self, Shown as Document};
use super::shown::{self, Shown as Finding};

/// Characters of documents that a page holds; what does not fit is named, and how to see it. 400,000: with 300 findings
/// a page stays below a megabyte.
const DOCUMENTS: usize = 400_000;

/// Findings that a page draws; more are counted. 1,000: nobody reads more, and a page stays openable.
pub(super) const FINDINGS: usize = 1_000;

/// A page that is being collected.
#[derive(Debug, Default)]
pub struct Page {
    /// The command that was run, as typed after `restow`.
    pub(super) command: String,
    pub(super) sections: Vec<Section>,
}

/// What is shown of one source.
#[derive(Debug)]
pub(super) struct Section {
    /// As typed.
    pub(super) place: String,
    pub(super) form: String,
    /// Why it could not be judged.
    pub(super) failure: Option<String>,
    pub(super) summary: Summary,
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
        Page { command: command.into(), sections: Vec::new() }
    }

    /// Adds a source that was judged, with the view of what it holds; `None` where that cannot be drawn.
    pub fn add(&mut self, source: &Source<'_>, view: Option<View>) {
        let findings = shown::of(source.findings, source.docs, FINDINGS);
        let mut members: BTreeSet<MemberId> =
            source.images.iter().flat_map(|image| image.members.iter().copied()).collect();
        members.extend(source.findings.iter().filter_map(|(_, finding)| finding.primary.location.member));
        let faulty = findings.iter().filter(|finding| finding.level == Level::Error);
        self.sections.push(Section {
            place: source.docs.place().to_owned(),
            form: source.form.to_owned(),
            failure: None,
            summary: Summary::of(source.findings),
            more: source.findings.len().saturating_sub(findings.len()),
            faulty: faulty.filter_map(|finding| finding.blob.clone()).collect(),
            images: view.map_or_else(Vec::new, |view| view.images),
            documents: document::of(&members, source.docs, DOCUMENTS),
            findings,
        });
    }

    /// Adds a source that could not be judged, and why.
    pub fn failed(&mut self, place: &str, why: &str) {
        self.sections.push(Section {
            place: place.to_owned(),
            form: String::new(),
            failure: Some(why.to_owned()),
            summary: Summary::default(),
            findings: Vec::new(),
            more: 0,
            images: Vec::new(),
            documents: Vec::new(),
            faulty: BTreeSet::new(),
        });
    }
}

impl Section {
    /// Whether nothing is wrong; `None` if it could not be judged.
    pub(super) fn sound(&self) -> Option<bool> {
        self.failure.is_none().then_some(self.summary.errors == 0)
    }

    /// The verdict in a few words.
    pub(super) fn verdict(&self) -> String {
        match self.sound() {
            None => "could not be judged".to_owned(),
            Some(true) => match (self.images(), self.findings.is_empty()) {
                (None, true) => "sound".to_owned(),
                (Some(images), true) => format!("sound, {images}"),
                (None, false) => format!("sound, {}", self.summary),
                (Some(images), false) => format!("sound, {images}, {}", self.summary),
            },
            Some(false) => self.summary.to_string(),
        }
    }

    /// How many images there are, below indexes too; `None` where there is none.
    fn images(&self) -> Option<String> {
        let images = self.images.iter().flat_map(Entry::all).filter(|entry| entry.kind == "image").count();
        (images > 0).then(|| counted(images as u64, "image"))
    }
}
