//! Documents on the page, each folded.

use maud::{Markup, html};

use super::document::{Shown, pieces};
use super::places::Places;
use super::words::plain;

/// Draws the document of this number, folded.
pub(super) fn draw(number: usize, document: &Shown, places: &Places<'_>) -> Markup {
    html! {
        details.document id=(places.document(number)) {
            summary { @if !document.role.is_empty() { (document.role) " " } code.soft { (document.name) } }
            @match &document.text {
                Some(text) => pre tabindex="0" { (linked(text, places)) },
                None => p.more { "too long for this page: " code { "restow inspect --raw DIGEST" } " prints it" },
            }
        }
    }
}

/// A text in which digests lead to their documents and layers.
pub(super) fn linked(text: &str, places: &Places<'_>) -> Markup {
    html! {
        @for (piece, hex) in pieces(text) {
            @match hex.and_then(|hex| places.blob(hex)) {
                Some(to) => a href=(to) { (plain(piece)) },
                None => (plain(piece)),
            }
        }
    }
}
