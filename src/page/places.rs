//! Places on the page, to which links lead. They are short: a page has thousands of them.

use std::collections::BTreeMap;

use super::layers::Rows;
use super::section::Section;
use super::words::digits;
use crate::finding::Level;

/// The places of one source.
pub(super) struct Places<'a> {
    /// The number of the source.
    nth: usize,
    section: &'a Section,
    /// Documents by the hexadecimal digits of their digests.
    documents: BTreeMap<&'a str, usize>,
    /// Its layers.
    pub rows: Rows,
    /// The first error in each blob.
    errors: BTreeMap<&'a str, usize>,
}

impl<'a> Places<'a> {
    pub(super) fn of(nth: usize, section: &'a Section) -> Places<'a> {
        let documents = section.documents.iter().enumerate();
        let errors = section.findings.iter().enumerate().filter(|(_, finding)| finding.level == Level::Error);
        let mut first = BTreeMap::new();
        for (number, hex) in errors.filter_map(|(number, finding)| Some((number, finding.blob.as_deref()?))) {
            first.entry(hex).or_insert(number);
        }
        Places {
            nth,
            section,
            documents: documents.filter_map(|(number, held)| Some((held.hex.as_deref()?, number))).collect(),
            rows: Rows::of(&section.images),
            errors: first,
        }
    }

    /// The id of a part of the source: `s0-graph`.
    pub(super) fn part(&self, name: &str) -> String {
        format!("s{}-{name}", self.nth)
    }

    /// What a part of it is called where others of its kind stand on the page: `layers of source 1`.
    pub(super) fn called(&self, what: &str) -> String {
        format!("{what} of source {}", self.nth + 1)
    }

    /// The ids of a document, a layer and a finding by their numbers.
    pub(super) fn document(&self, number: usize) -> String {
        format!("s{}-d{number}", self.nth)
    }

    pub(super) fn layer(&self, number: usize) -> String {
        format!("s{}-l{number}", self.nth)
    }

    pub(super) fn finding(&self, number: usize) -> String {
        format!("s{}-f{number}", self.nth)
    }

    /// Where the document of these hexadecimal digits stands, as a link takes it.
    pub(super) fn text(&self, hex: &str) -> Option<String> {
        self.documents.get(hex).map(|number| format!("#{}", self.document(*number)))
    }

    /// Where a blob stands: its document, or its line among the layers.
    pub(super) fn blob(&self, hex: &str) -> Option<String> {
        self.text(hex).or_else(|| self.rows.find(hex).map(|number| format!("#{}", self.layer(number))))
    }

    /// Where the first error in a blob stands.
    pub(super) fn error(&self, hex: &str) -> Option<String> {
        self.errors.get(hex).map(|number| format!("#{}", self.finding(*number)))
    }

    /// Whether an error was found in the blob of this digest.
    pub(super) fn is_faulty(&self, digest: &str) -> bool {
        self.section.faulty.contains(digits(digest))
    }
}
