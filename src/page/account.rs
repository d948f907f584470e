//! What became of everything in a conversion.

use maud::{Markup, html};

use super::words::{brief, clean};
use crate::digest::Digest;
use crate::jobs::convert::{Account, Action, Entry};

/// Lines that are drawn; more are counted.
const MOST: usize = 1_000;

/// A line of the account.
#[derive(Debug)]
struct Line {
    what: String,
    action: &'static str,
    before: String,
    after: String,
    why: String,
    kept: bool,
}

/// The account.
#[derive(Debug)]
pub(super) struct Shown {
    destination: String,
    /// How many of each kind had which fate.
    pub summary: Vec<String>,
    lines: Vec<Line>,
    more: usize,
}

impl Shown {
    pub(super) fn of(account: &Account, destination: &str) -> Shown {
        // What changed is told first.
        let (kept, changed): (Vec<&Entry>, Vec<&Entry>) =
            account.entries.iter().partition(|entry| entry.action == Action::Kept);
        Shown {
            destination: clean(destination),
            summary: account.summary(),
            lines: changed.iter().chain(&kept).take(MOST).map(|entry| line(entry)).collect(),
            more: account.entries.len().saturating_sub(MOST),
        }
    }
}

fn line(entry: &Entry) -> Line {
    let text = |digest: &Option<Digest>| digest.as_ref().map(|d| d.as_str().to_owned()).unwrap_or_default();
    Line {
        what: clean(&entry.what),
        action: entry.action.word(),
        before: text(&entry.before),
        after: text(&entry.after),
        why: clean(&entry.why),
        kept: entry.action == Action::Kept,
    }
}

/// Draws it.
pub(super) fn draw(account: &Shown) -> Markup {
    let (kept, changed): (Vec<&Line>, Vec<&Line>) = account.lines.iter().partition(|line| line.kept);
    html! {
        section {
            h2 id="account" { "Account" }
            p { "What became of everything on its way to " code { (account.destination) } ":" }
            ul { @for line in &account.summary { li { (line) } } }
            @if !changed.is_empty() { (table(&changed, "what is not as it was")) }
            @if !kept.is_empty() {
                details {
                    summary { (kept.len()) " kept as they were" }
                    (table(&kept, "what was kept"))
                }
            }
            @if account.more > 0 { p.more { "and " (account.more) " more, which --account FILE has" } }
        }
    }
}

fn table(lines: &[&Line], label: &str) -> Markup {
    html! {
        section.wide tabindex="0" aria-label=(label) {
            table {
                thead { tr { th scope="col" { "What" } th scope="col" { "Fate" } th scope="col" { "Before" } th scope="col" { "After" }
                    th scope="col" { "Why" } } }
                tbody {
                    @for line in lines {
                        tr {
                            td { (line.what) }
                            td { span class=(format!("fate {}", line.action)) { (line.action) } }
                            td { (digest(&line.before)) }
                            td { @if line.after == line.before && !line.after.is_empty() { span.soft { "the same" } } @else { (digest(&line.after)) } }
                            td { (line.why) }
                        }
                    }
                }
            }
        }
    }
}

fn digest(text: &str) -> Markup {
    html! { @if !text.is_empty() { code title=(text) { (brief(text)) } } }
}
