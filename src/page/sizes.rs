//! A picture of sizes: a bar for each image, as long as its layers are large, in which each layer has its colour.

use maud::{Markup, html};

use super::layers::{Rows, name, title};
use super::words::{digits, files, share, size};
use crate::finding::counted;
use crate::jobs::inspect::Entry;
use crate::layer::Files;

/// Images that are drawn; more are counted. 40: two screens.
const MOST: usize = 40;
/// Colours, which layers take in turn.
const TONES: usize = 8;
/// Parts of a hundred from which on a layer's number fits into its part of the bar.
const WIDE: u128 = 4;

/// Draws the images that have layers. Layers have the numbers of the table.
pub(super) fn draw(images: &[Entry], rows: &Rows) -> Markup {
    let all: Vec<&Entry> =
        images.iter().flat_map(Entry::all).filter(|entry| !entry.layers.is_empty()).collect();
    let longest = all.iter().map(|entry| stored(entry)).max().unwrap_or_default();
    html! {
        @if longest > 0 {
            @for entry in all.iter().take(MOST) {
                figure.sizes {
                    (bar(entry, rows, longest))
                    figcaption { b { (title(entry)) } " " (caption(entry)) }
                }
            }
            @if all.len() > MOST { p.more { "and " (all.len() - MOST) " more" } }
        }
    }
}

fn stored(entry: &Entry) -> u64 {
    entry.layers.iter().filter_map(|layer| layer.size).fold(0, u64::saturating_add)
}

fn bar(entry: &Entry, rows: &Rows, longest: u64) -> Markup {
    let mut from = 0u64;
    let parts = entry.layers.iter().map(|layer| {
        let bytes = layer.size.unwrap_or_default();
        let at = from;
        from = from.saturating_add(bytes);
        (at, bytes, name(layer).and_then(|digest| rows.find(digits(digest))))
    });
    let parts: Vec<(u64, u64, Option<usize>)> = parts.collect();
    html! {
        svg width="100%" height="26" aria-hidden="true" {
            @for (at, bytes, number) in &parts {
                @if *bytes > 0 {
                    @let tone = number.map_or(0, |number| number % TONES);
                    svg x=(share(*at, longest)) width=(share(*bytes, longest)) height="26" {
                        @if let Some(number) = number { title { "layer " (number) ", " (size(*bytes)) } }
                        rect class=(format!("t{tone}")) width="100%" height="26" {}
                        @if let (Some(number), true) = (number, is_wide(*bytes, longest)) { text x="5" y="17" { (number) } }
                    }
                }
            }
        }
    }
}

fn is_wide(bytes: u64, longest: u64) -> bool {
    u128::from(bytes) * 100 / u128::from(longest.max(1)) >= WIDE
}

/// Layers and bytes; of the files in them, how much is stored and never seen.
fn caption(entry: &Entry) -> String {
    let mut text = format!("{}, {} stored", counted(entry.layers.len() as u64, "layer"), size(stored(entry)));
    let changes: Vec<_> = entry.layers.iter().filter_map(|layer| layer.changes.as_ref()).collect();
    if changes.is_empty() || changes.len() < entry.layers.len() {
        return text;
    }
    let all = changes.iter().fold(Files::default(), |sum, changes| Files {
        count: sum.count + changes.files().count,
        bytes: sum.bytes.saturating_add(changes.files().bytes),
    });
    let unseen = changes.iter().fold(0u64, |sum, changes| sum.saturating_add(changes.unseen()));
    text.push_str(&format!("; {} in them", files(all)));
    if unseen > 0 {
        text.push_str(&format!(
            ", of which {} ({}) is replaced or hidden by layers above",
            size(unseen),
            share(unseen, all.bytes).replacen(".00%", "%", 1)
        ));
    }
    text
}
