//! The page as HTML: one file, no network, readable without scripts.

use std::collections::BTreeSet;
use std::ops::Range;

use data_encoding::BASE64;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::document::{self, pieces};
use super::section::{Page, Section};
use super::shown::Shown;
use super::{graph, layers};
use crate::escape::escape_str;
use crate::finding::Level;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Pixels of the longest bar.
const BAR: u64 = 120;

/// What a page may do: nothing but its own style and script, known by their digests.
fn policy() -> String {
    let of = |text: &str| BASE64.encode(&Sha256::digest(text.as_bytes()));
    let (style, script) = (of(STYLE), of(SCRIPT));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'"
    )
}

/// The whole file.
pub(super) fn page(page: &Page) -> String {
    let title =
        page.sections.first().map_or_else(String::new, |section| escape_str(&section.place).into_owned());
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                title { "restow: " (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "to the verdict" }
                header { h1 { code { "restow " (escape_str(&page.command)) } } }
                nav aria-label="sources" { (menu(page)) }
                main id="main" {
                    @for (nth, section) in page.sections.iter().enumerate() { (one(nth, section)) }
                }
                footer {
                    p { "restow " (env!("CARGO_PKG_VERSION")) ". Every digest, size and diff ID that is not listed as a finding was \
                        worked out anew from the bytes and is as the documents say, unless " code { "--verify digests" } " was given: \
                        then layers were not decompressed. What layers do when they are run, and who made them, is not judged." }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    markup.into_string()
}

fn menu(page: &Page) -> Markup {
    html! {
        ul {
            @for (nth, section) in page.sections.iter().enumerate() {
                @if page.sections.len() > 1 { li { a href=(format!("#s{nth}")) { (escape_str(&section.place)) } } }
                @if !section.findings.is_empty() { li { a href=(format!("#s{nth}-findings")) { "findings" } } }
                @if !section.images.is_empty() {
                    li { a href=(format!("#s{nth}-graph")) { "graph" } }
                    li { a href=(format!("#s{nth}-layers")) { "layers" } }
                }
                @if !section.documents.is_empty() { li { a href=(format!("#s{nth}-documents")) { "documents" } } }
            }
        }
    }
}

fn one(nth: usize, section: &Section) -> Markup {
    let class = if section.sound() == Some(true) { "verdict sound" } else { "verdict broken" };
    let mark = if section.sound() == Some(true) { "✓ " } else { "✗ " };
    let known: BTreeSet<&str> =
        section.documents.iter().filter_map(|document| document.hex.as_deref()).collect();
    html! {
        section id=(format!("s{nth}")) {
            h2 { (escape_str(&section.place)) }
            p class=(class) {
                (mark) (section.verdict())
                @if let Some(why) = &section.failure { small { (escape_str(why)) } }
                @if !section.form.is_empty() { small { "form: " (section.form) } }
            }
            @if !section.findings.is_empty() { (findings(nth, section)) }
            @if !section.images.is_empty() {
                h3 id=(format!("s{nth}-graph")) { "Graph" }
                p.soft { "From names over indexes and manifests to configs and layers. ✗ is at fault, ∅ is missing." }
                (graph::svg(&section.images, &section.faulty))
                (table(nth, section, &known))
            }
            @if !section.documents.is_empty() {
                h3 id=(format!("s{nth}-documents")) { "Documents" }
                @for document in &section.documents { (text(nth, document, &known)) }
            }
        }
    }
}

fn findings(nth: usize, section: &Section) -> Markup {
    let count = |level| section.findings.iter().filter(|finding| finding.level == level).count();
    html! {
        h3 id=(format!("s{nth}-findings")) { "Findings" }
        div.tools hidden {
            label { "Filter " input type="search" placeholder="rule, place, text"; }
            @for level in [Level::Error, Level::Warning, Level::Note] {
                label { input type="checkbox" value=(level.name()) checked; " " (level.name()) " (" (count(level)) ")" }
            }
            output aria-live="polite" {}
        }
        @for finding in &section.findings { (finding_card(nth, finding)) }
        @if section.more > 0 { p.more { "and " (section.more) " more, which the JSON report has" } }
    }
}

fn finding_card(nth: usize, finding: &Shown) -> Markup {
    html! {
        article class=(format!("finding {}", finding.level.name())) data-level=(finding.level.name()) {
            h4 { span class=(format!("level {}", finding.level.name())) { (finding.level.name()) } " " (prose(&finding.message)) }
            p.where {
                code { (finding.rule) } " at "
                @match &finding.blob {
                    Some(hex) => a href=(anchor(nth, hex)) { code { (finding.place) } },
                    None => code { (finding.place) },
                }
            }
            @if let Some((text, marks)) = &finding.excerpt { pre tabindex="0" { (marked(text, marks)) } }
            @if !finding.label.is_empty() { p { (prose(&finding.label)) } }
            @if !finding.related.is_empty() {
                ul { @for (place, text) in &finding.related { li { code { (place) } " " (prose(text)) } } }
            }
            @if let Some(help) = &finding.help { p.help { (prose(help)) } }
            @if let Some(affects) = &finding.affects { p.soft { "hits " (prose(affects)) } }
            p.soft { "explained by " code { "restow explain " (finding.rule) } }
        }
    }
}

/// Words in which what stands between backticks is code.
fn prose(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    // One that has no other is itself.
    let paired = parts.len() % 2 == 1;
    html! {
        @if paired {
            @for (nth, part) in parts.iter().enumerate() { @if nth % 2 == 1 { code { (part) } } @else { (part) } }
        } @else { (text) }
    }
}

/// An excerpt with what is meant in it.
fn marked(text: &str, marks: &[Range<usize>]) -> Markup {
    let mut marks: Vec<&Range<usize>> = marks.iter().collect();
    marks.sort_by_key(|mark| mark.start);
    let mut from = 0;
    let mut parts: Vec<(&str, bool)> = Vec::new();
    for mark in marks {
        // Marks that overlap, or that cut a character, are not drawn twice or at all.
        if let (true, Some(before), Some(inside)) =
            (mark.start >= from, text.get(from..mark.start), text.get(mark.clone()))
        {
            parts.push((before, false));
            parts.push((inside, true));
            from = mark.end;
        }
    }
    parts.push((text.get(from..).unwrap_or_default(), false));
    html! { @for (part, meant) in parts { @if meant { mark { (part) } } @else { (part) } } }
}

fn table(nth: usize, section: &Section, known: &BTreeSet<&str>) -> Markup {
    let rows = layers::rows(&section.images);
    let largest = rows.iter().filter_map(|row| row.size).max().unwrap_or_default().max(1);
    let total: u64 = rows.iter().filter_map(|row| row.size).fold(0, u64::saturating_add);
    // A share of the largest, in 128 bits: a size may be any number that the archive says.
    let bar = |size: u64| (u128::from(size) * u128::from(BAR) / u128::from(largest)).max(1);
    html! {
        h3 id=(format!("s{nth}-layers")) { "Layers" }
        p.soft { (rows.len()) " different, " (layers::size(total)) " as stored" }
        div.wide {
            table {
                thead { tr { th scope="col" { "Digest" } th scope="col" { "Size" } th scope="col" { "" } th scope="col" { "Images" }
                    th scope="col" { "Made by" } th scope="col" { "Media type" } } }
                tbody {
                    @for row in &rows {
                        tr {
                            td { code { (linked(nth, &row.digest, known)) } @if row.missing { " missing" } }
                            td.number { @if let Some(size) = row.size { (layers::size(size)) } }
                            td {
                                @if let Some(size) = row.size {
                                    svg width=(BAR) height="10" aria-hidden="true" { rect.bar width=(bar(size)) height="10" rx="2" {} }
                                }
                            }
                            td.number { (row.images) }
                            td.command { code { (row.command) } }
                            td { code { (row.media_type) } }
                        }
                    }
                }
            }
        }
    }
}

fn text(nth: usize, document: &document::Shown, known: &BTreeSet<&str>) -> Markup {
    let id = document.hex.as_ref().map(|hex| anchor(nth, hex).split_off(1));
    html! {
        details id=[id] {
            summary { code { (document.name) } }
            @match &document.text {
                Some(text) => pre tabindex="0" { (linked(nth, text, known)) },
                None => p.more { "too long for this page: " code { "restow inspect --raw DIGEST" } " prints it" },
            }
        }
    }
}

/// A text in which digests lead to their documents.
fn linked(nth: usize, text: &str, known: &BTreeSet<&str>) -> Markup {
    html! {
        @for (piece, hex) in pieces(text) {
            @match hex.filter(|hex| known.contains(hex)) {
                Some(hex) => a href=(anchor(nth, hex)) { (piece) },
                None => (piece),
            }
        }
    }
}

fn anchor(nth: usize, hex: &str) -> String {
    format!("#s{nth}-{hex}")
}
