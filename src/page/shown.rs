//! Findings as a page shows them, worked out while the archive is at hand.

use std::ops::Range;

use bstr::ByteSlice as _;

use super::words::{clean, cut};
use crate::finding::{self, Documents, Level, Locator, advice};
use crate::render::excerpt::{Bounds, Excerpt};

/// Lines and columns of an excerpt: a page scrolls sideways, a phone is narrow.
const BOUNDS: Bounds = Bounds { columns: 110, lines: 14, ellipsis: "…" };

/// Related places of one finding; more are counted.
const RELATED: usize = 8;

/// A finding.
#[derive(Debug)]
pub(super) struct Shown {
    pub level: Level,
    pub rule: &'static str,
    pub message: String,
    pub place: String,
    /// The hexadecimal digest of the blob that it is in.
    pub blob: Option<String>,
    /// Lines of the document, and what of them is meant.
    pub excerpt: Option<(String, Vec<Range<usize>>)>,
    /// What stands at the place.
    pub label: String,
    /// Other places, and what stands there.
    pub related: Vec<(String, String)>,
    pub help: Option<String>,
    /// The images that it hits.
    pub affects: Option<String>,
}

/// The first `most` findings.
pub(super) fn of(findings: &[(Level, &finding::Finding)], docs: &dyn Documents, most: usize) -> Vec<Shown> {
    let locator = Locator::new(docs);
    findings.iter().take(most).map(|(level, finding)| one(*level, finding, &locator)).collect()
}

fn one<'a>(level: Level, finding: &'a finding::Finding, locator: &Locator<'a>) -> Shown {
    let docs = locator.docs();
    let location = &finding.primary.location;
    let place = locator.place(location);
    let name = location.member.map(|member| docs.name(member));
    let related = finding.related.iter();
    let mut related: Vec<(String, String)> = related
        .take(RELATED)
        .map(|label| (cut(&locator.place(&label.location).to_string()), clean(&label.text)))
        .collect();
    if finding.related.len() > RELATED {
        related.push((format!("and {} more", finding.related.len() - RELATED), String::new()));
    }
    Shown {
        level,
        rule: finding.rule.name,
        message: clean(&finding.message),
        place: cut(&place.to_string()),
        blob: name.and_then(|name| hex(&name.to_str_lossy())),
        excerpt: excerpt(finding, locator),
        label: clean(&finding.primary.text),
        related,
        help: advice(finding, docs).map(|text| clean(&text)),
        affects: finding.affects.as_ref().map(|affected| clean(&affected.words())),
    }
}

fn excerpt<'a>(finding: &'a finding::Finding, locator: &Locator<'a>) -> Option<(String, Vec<Range<usize>>)> {
    let location = &finding.primary.location;
    let document = locator.docs().text(location.member?)?;
    let lines = locator.lines(location.member?)?;
    let span = locator.span(location)?;
    let excerpt = Excerpt::new(document, &lines, &[span], BOUNDS);
    let marks = excerpt.marks.into_iter().flatten().collect();
    Some((excerpt.text, marks))
}

/// The 64 hexadecimal digits in a member's name.
pub(super) fn hex(name: &str) -> Option<String> {
    let mut parts = name.rsplit(|letter: char| !letter.is_ascii_hexdigit());
    parts.find(|part| part.len() == 64).map(str::to_owned)
}
