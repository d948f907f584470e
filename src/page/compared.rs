//! Two places side by side.

use maud::{Markup, html};

use super::words::{brief, clean, size};
use crate::jobs::compare::{Changes, Compared, Comparison, Difference, Layer, Side, Thing};

/// Things that are drawn, layers of one, and changes of its documents; more are counted.
const THINGS: usize = 300;
const LAYERS: usize = 200;

/// One row: what is compared, and how it is on each side.
#[derive(Debug)]
struct Row {
    what: String,
    a: String,
    b: String,
    /// Whether the two are the same.
    same: bool,
}

/// Something that either side holds.
#[derive(Debug)]
struct Item {
    title: String,
    /// `same`, `different`, `only in A` or `only in B`.
    status: &'static str,
    /// In what both are the same.
    same: String,
    rows: Vec<Row>,
    more: usize,
}

/// A comparison.
#[derive(Debug)]
pub(super) struct Shown {
    pub same: bool,
    /// What it came to, in words.
    pub verdict: String,
    pub a: String,
    pub b: String,
    items: Vec<Item>,
    more: usize,
}

impl Shown {
    pub(super) fn of(comparison: &Comparison, a: &str, b: &str) -> Shown {
        // What differs is told first.
        let (same, different): (Vec<&Compared>, Vec<&Compared>) =
            comparison.compared.iter().partition(|compared| compared.differences.is_empty());
        Shown {
            same: comparison.is_same(),
            verdict: clean(&comparison.verdict(a, b)),
            a: clean(a),
            b: clean(b),
            items: different.iter().chain(&same).take(THINGS).map(|compared| item(compared)).collect(),
            more: comparison.compared.len().saturating_sub(THINGS),
        }
    }

    /// Title, status and differences of each thing, for text.
    pub(super) fn lines(&self) -> impl Iterator<Item = (&str, &'static str, usize)> {
        self.items.iter().map(|item| {
            (&*item.title, item.status, item.rows.iter().filter(|row| !row.same).count() + item.more)
        })
    }
}

fn item(compared: &Compared) -> Item {
    let status = match compared.differences.as_slice() {
        [] => "same",
        [Difference::Only(Side::A)] => "only in A",
        [Difference::Only(Side::B)] => "only in B",
        _ => "different",
    };
    let mut rows = Vec::new();
    let mut more = 0;
    for difference in &compared.differences {
        more += add(difference, compared, &mut rows);
    }
    rows.iter_mut().for_each(|row| {
        for text in [&mut row.what, &mut row.a, &mut row.b] {
            *text = clean(text);
        }
    });
    Item { title: clean(&compared.title()), status, same: clean(&compared.same_words()), rows, more }
}

/// Adds the rows of a difference; how many more there are.
fn add(difference: &Difference, compared: &Compared, rows: &mut Vec<Row>) -> usize {
    let mut row = |what: &str, a: String, b: String| {
        rows.push(Row { what: what.to_owned(), same: a == b, a, b });
    };
    let lists = |[a, b]: &[Vec<String>; 2]| (list(a), list(b));
    match difference {
        Difference::Only(side) => {
            let id = compared.thing().map(|thing| thing.id.clone()).unwrap_or_default();
            match side {
                Side::A => row("image ID or digest", id, "not there".to_owned()),
                Side::B => row("image ID or digest", "not there".to_owned(), id),
            }
        }
        Difference::Config { ids: [a, b], changes } => {
            row("image ID", a.clone(), b.clone());
            return told(changes, "config", rows);
        }
        // The layers of both sides are told once, whatever differs in them.
        Difference::LayerCount(_) | Difference::Anew { .. } | Difference::Other { .. } => {
            let of_layers = |difference: &&Difference| {
                matches!(
                    difference,
                    Difference::LayerCount(_) | Difference::Anew { .. } | Difference::Other { .. }
                )
            };
            let first = compared.differences.iter().find(of_layers);
            return if first.is_some_and(|first| std::ptr::eq(first, difference)) {
                stacks(compared, rows)
            } else {
                0
            };
        }
        Difference::Arrangements([a, b]) => {
            row("ways of storing the layers", a.to_string(), b.to_string());
        }
        Difference::Manifest { digests, changes } => {
            let (a, b) = lists(digests);
            row("manifest or index", a, b);
            return told(changes, "manifest", rows);
        }
        Difference::Platform([a, b]) => row("platform", or_none(a), or_none(b)),
        Difference::Names(both) => {
            let (a, b) = lists(both);
            row("names", a, b);
        }
        Difference::Signatures(both) => {
            let (a, b) = lists(both);
            row("signatures", a, b);
        }
        Difference::Annotations(changes) => return told(changes, "index.json", rows),
    }
    0
}

/// The layers of both sides, one beside the other: those that both have stand in one row.
fn stacks(compared: &Compared, rows: &mut Vec<Row>) -> usize {
    let of = |side: &Option<Thing>| {
        side.as_ref()
            .and_then(|thing| thing.arrangements.first())
            .map(|way| way.0.clone())
            .unwrap_or_default()
    };
    let (a, b) = (of(&compared.a), of(&compared.b));
    let most = a.len().max(b.len());
    for nth in 0..most.min(LAYERS) {
        let (a, b) = (a.get(nth), b.get(nth));
        let anew = a
            .zip(b)
            .is_some_and(|(a, b)| a.stored != b.stored && a.diff_id == b.diff_id && a.diff_id.is_some());
        let what = format!("layer {nth}{}", if anew { ", the same compressed anew" } else { "" });
        let text = |side: Option<&Layer>| side.map_or_else(|| "not there".to_owned(), stored);
        let (a, b) = (text(a), text(b));
        rows.push(Row { what, same: a == b, a, b });
    }
    most.saturating_sub(LAYERS)
}

fn told(changes: &Changes, document: &str, rows: &mut Vec<Row>) -> usize {
    for change in &changes.told {
        // A value that stands on several lines is told in one: no text of JSON has a line feed in it.
        let line = |value: &String| value.split('\n').map(str::trim_start).collect::<Vec<_>>().join(" ");
        let text = |value: &Option<String>| value.as_ref().map_or_else(|| "not there".to_owned(), line);
        let (a, b) = (text(&change.a), text(&change.b));
        rows.push(Row { what: format!("{document} {}", change.pointer), same: a == b, a, b });
    }
    changes.more
}

fn list(items: &[String]) -> String {
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

fn or_none(text: &str) -> String {
    if text.is_empty() { "none".to_owned() } else { text.to_owned() }
}

fn stored(layer: &Layer) -> String {
    match &layer.stored {
        Some(digest) => format!("{} {} {}", brief(digest.as_str()), layer.codec.name(), size(layer.size)),
        None => "missing".to_owned(),
    }
}

/// Draws it.
pub(super) fn draw(comparison: &Shown) -> Markup {
    let (class, mark) = if comparison.same { ("verdict sound", "✓ ") } else { ("verdict broken", "✗ ") };
    html! {
        section {
            h2 id="comparison" { "Comparison" }
            p class=(class) {
                (mark) (comparison.verdict)
                small { b { "A" } " = " code { (comparison.a) } }
                small { b { "B" } " = " code { (comparison.b) } }
            }
            @for (nth, item) in comparison.items.iter().enumerate() { (thing(nth, item)) }
            @if comparison.more > 0 { p.more { "and " (comparison.more) " more, which --json has" } }
        }
    }
}

fn thing(nth: usize, item: &Item) -> Markup {
    let class = if item.status == "same" { "fate same" } else { "fate other" };
    html! {
        article.thing {
            h3 { span class=(class) { (item.status) } " " (item.title) }
            @if !item.same.is_empty() { p.soft { "the same: " (item.same) } }
            @if !item.rows.is_empty() {
                section.wide tabindex="0" aria-label=(format!("differences {}", nth + 1)) {
                    table.sides {
                        thead { tr { th scope="col" { "What" } th scope="col" { "A" } th scope="col" { "B" } } }
                        tbody {
                            @for row in &item.rows {
                                tr.same[row.same] {
                                    th scope="row" { (row.what) }
                                    td { code { (row.a) } }
                                    td { @if row.same { span.soft { "the same" } } @else { code { (row.b) } } }
                                }
                            }
                        }
                    }
                }
            }
            @if item.more > 0 { p.more { "and " (item.more) " more" } }
        }
    }
}
