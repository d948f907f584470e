//! The page as HTML: one file, no network, readable without scripts.

use data_encoding::BASE64;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::layers::title;
use super::places::Places;
use super::section::{Page, Section, Verdict};
use super::words::{brief, digits, prose};
use super::{account, compared, documents, findings, graph, table};
use crate::escape::escape_str;
use crate::finding::counted;
use crate::jobs::inspect::Entry;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Images that the last table names; more are counted.
const IMAGES: usize = 300;

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
                nav aria-label="on this page" { (menu(page)) }
                main id="main" {
                    @if let Some(comparison) = &page.compared { (compared::draw(comparison)) }
                    @for (nth, section) in page.sections.iter().enumerate() { (one(page, nth, section)) }
                    @if let Some(account) = &page.account { (account::draw(account)) }
                }
                footer {
                    p.keys hidden {
                        "Keys: " kbd { "j" } " next finding, " kbd { "k" } " the one before, " kbd { "/" } " filter, "
                        kbd { "f" } " fold or unfold all. "
                        label { input type="checkbox" checked; " keys on" }
                    }
                    p { "Made by restow " (env!("CARGO_PKG_VERSION")) "." }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    markup.into_string()
}

/// What a source is called; of a comparison, its letter.
fn heading(page: &Page, nth: usize, section: &Section) -> String {
    let place = escape_str(&section.place);
    match (&page.compared, nth) {
        (Some(_), 0) => format!("A = {place}"),
        (Some(_), 1) => format!("B = {place}"),
        _ => place.into_owned(),
    }
}

fn menu(page: &Page) -> Markup {
    html! {
        ul {
            @if page.compared.is_some() { li { a href="#comparison" { "comparison" } } }
            @for (nth, section) in page.sections.iter().enumerate() {
                @if page.sections.len() > 1 { li { a href=(format!("#s{nth}")) { b { (heading(page, nth, section)) } } } }
                @if !section.findings.is_empty() { li { a href=(format!("#s{nth}-findings")) { "findings" } } }
                @if !section.images.is_empty() {
                    li { a href=(format!("#s{nth}-graph")) { "graph" } }
                    li { a href=(format!("#s{nth}-layers")) { "layers" } }
                }
                @if !section.documents.is_empty() { li { a href=(format!("#s{nth}-documents")) { "documents" } } }
            }
            @if page.account.is_some() { li { a href="#account" { "account" } } }
        }
    }
}

fn one(page: &Page, nth: usize, section: &Section) -> Markup {
    let places = Places::of(nth, section);
    let (class, mark) = match section.verdict() {
        Verdict::Sound => ("sound", "✓ "),
        Verdict::Broken | Verdict::Failed => ("broken", "✗ "),
        Verdict::Unjudged => ("unjudged", ""),
    };
    html! {
        section id=(format!("s{nth}")) {
            h2 { (heading(page, nth, section)) }
            p.verdict.(class) {
                (mark) (section.words())
                @if let Some(why) = &section.failure { small { (escape_str(why)) } }
                @if !section.form.is_empty() { small { "form: " (section.form) } }
            }
            @if !section.findings.is_empty() { (findings::draw(section, &places)) }
            @if !section.images.is_empty() {
                h3 id=(places.part("graph")) { "Graph" }
                p.soft { "From names over indexes and manifests to configs and layers, each of which stands once. ✗ is at fault, ∅ is missing." }
                (graph::svg(&section.images, &places.called("graph"), &|kind, whole| leads(&places, kind, whole)))
                @if !places.rows.rows.is_empty() { (table::draw(section, &places)) }
            }
            @if !section.documents.is_empty() {
                h3 id=(places.part("documents")) { "Documents" }
                div.tools hidden { button type="button" data-fold="document" { "Unfold all" } }
                @for (number, document) in section.documents.iter().enumerate() { (documents::draw(number, document, &places)) }
            }
            @if section.failure.is_none() { (proved(section, &places)) }
        }
    }
}

/// Where a node of the graph leads, and whether something is wrong with it.
fn leads(places: &Places<'_>, kind: graph::Kind, whole: &str) -> graph::Leads {
    let hex = digits(whole);
    let own = if kind == graph::Kind::Name { None } else { places.blob(hex) };
    graph::Leads { faulty: places.is_faulty(whole), to: places.error(hex).or(own) }
}

/// What was proved, and of what.
fn proved(section: &Section, places: &Places<'_>) -> Markup {
    let all: Vec<&Entry> = section.images.iter().collect();
    html! {
        h3 { "What was proved" }
        p { (prose(section.proof.proved())) }
        p { (prose(section.proof.open())) }
        @if let Some(file) = &section.file { p { "The file: " code { (escape_str(file)) } } }
        @if !all.is_empty() {
            details {
                summary { "Digests of what was looked at: " (counted(all.len() as u64, "entry point")) }
                section.wide tabindex="0" aria-label=(places.called("digests")) {
                    table {
                        thead { tr { th scope="col" { "What" } th scope="col" { "Digest" } th scope="col" { "Image ID" } } }
                        tbody {
                            @for entry in all.iter().take(IMAGES) {
                                tr {
                                    td { (title(entry)) }
                                    td { @if let Some(digest) = &entry.digest { code { (escape_str(digest)) } } }
                                    td { @if let Some(id) = &entry.id { code title=(escape_str(id)) { (brief(&escape_str(id))) } } }
                                }
                            }
                        }
                    }
                }
                @if all.len() > IMAGES { p.more { "and " (all.len() - IMAGES) " more" } }
            }
        }
    }
}
