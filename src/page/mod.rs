//! A page to look at: verdict, findings with their excerpts, the graph of what was looked at, layers and what each does to those
//! below it, documents, the account of a conversion and the differences of a comparison, as one HTML file without a network, or
//! as Markdown for the summary of a job.
//!
//! Everything is worked out while a source is at hand ([`Page::add`]) and drawn at the end. The same input gives the same
//! bytes: there is no time and no random number in a page.

mod account;
mod compared;
mod document;
mod documents;
mod findings;
mod graph;
mod html;
mod layers;
mod markdown;
mod places;
mod proof;
mod section;
mod shown;
mod sizes;
mod table;
#[cfg(test)]
mod tests;
mod words;

use std::io;

pub use proof::Proof;
pub use section::Page;

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// One file for browsers.
    Html,
    /// For summaries of jobs.
    Markdown,
}

/// Writes a page.
///
/// # Errors
/// `out` cannot be written to.
pub fn write(page: &Page, style: Style, out: &mut dyn io::Write) -> io::Result<()> {
    let text = match style {
        Style::Html => html::page(page),
        Style::Markdown => markdown::page(page),
    };
    out.write_all(text.as_bytes())
}
