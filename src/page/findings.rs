//! Findings as cards, those of one rule together.

use std::ops::Range;

use maud::{Markup, html};

use super::places::Places;
use super::section::Section;
use super::shown::Shown;
use super::words::{plain, prose};
use crate::finding::{Level, counted};

/// The findings of one rule.
struct Group<'a> {
    rule: &'static str,
    level: Level,
    /// With their numbers in the report.
    cards: Vec<(usize, &'a Shown)>,
}

/// Groups in the order of levels, the worst first, then of reports.
fn groups(findings: &[Shown]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut known = std::collections::HashMap::new();
    for (nth, finding) in findings.iter().enumerate() {
        let at = *known.entry((finding.level, finding.rule)).or_insert(groups.len());
        if at == groups.len() {
            groups.push(Group { rule: finding.rule, level: finding.level, cards: Vec::new() });
        }
        groups[at].cards.push((nth, finding));
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.level));
    groups
}

/// Draws the findings of a source.
pub(super) fn draw(section: &Section, places: &Places<'_>) -> Markup {
    let count = |level| section.findings.iter().filter(|finding| finding.level == level).count();
    let groups = groups(&section.findings);
    html! {
        h3 id=(places.part("findings")) { "Findings" }
        div.tools hidden {
            label { "Filter " input type="search" placeholder="rule, place, text"; }
            @for level in [Level::Error, Level::Warning, Level::Note] {
                @let count = count(level);
                @if count > 0 {
                    label { input type="checkbox" value=(level.name()) checked; " " (counted(count as u64, level.name())) }
                }
            }
            button type="button" data-fold="group" { "Fold all" }
            output aria-live="polite" {}
        }
        @for group in &groups {
            details.group open {
                summary {
                    span class=(format!("level {}", group.level.name())) { (group.level.name()) } " "
                    code { (group.rule) } " "
                    span.soft { (counted(group.cards.len() as u64, "finding")) }
                    code.soft.explain { "restow explain " (group.rule) }
                }
                @for (number, finding) in &group.cards { (card(*number, finding, places)) }
            }
        }
        @if section.more > 0 { p.more { "and " (section.more) " more, which the JSON report has" } }
    }
}

fn card(number: usize, finding: &Shown, places: &Places<'_>) -> Markup {
    html! {
        article.finding.(finding.level.name()) id=(places.finding(number)) data-level=(finding.level.name()) tabindex="-1" {
            h4 { (prose(&finding.message)) }
            p.where {
                "at "
                @match finding.blob.as_deref().and_then(|hex| places.blob(hex)) {
                    Some(to) => a href=(to) { code { (finding.place) } },
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
        }
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
    html! { @for (part, meant) in parts { @if meant { mark { (plain(part)) } } @else { (plain(part)) } } }
}
