//! Layers as a table: what each is, what made it, and what it does to those below it.

use bstr::ByteSlice as _;
use maud::{Markup, html};

use super::layers::Row;
use super::places::Places;
use super::section::Section;
use super::words::{brief, clean, files, share, size};
use crate::finding::counted;
use crate::layer::{Changes, Files};

/// Layers that are drawn; more are counted.
const MOST: usize = 2_000;

/// Characters of a command in the table. 240: four lines.
const COMMAND: usize = 240;

/// Draws the layers of a source.
pub(super) fn draw(section: &Section, places: &Places<'_>) -> Markup {
    let all = &places.rows;
    let rows = &all.rows;
    let largest = rows.iter().filter_map(|row| row.size).max().unwrap_or_default();
    let changes = rows.iter().any(|row| row.changes.is_some());
    html! {
        h3 id=(places.part("layers")) { "Layers" }
        p.soft {
            (rows.len()) " different, " (size(all.size())) " as stored. "
            @if changes {
                "What a layer adds, replaces and hides is counted in files, of those below it in the first image that has it."
            } @else if section.proof.looks_inside() {
                "What they add, replace and hide is not shown: they hold more paths than a page keeps, or could not be read."
            } @else { "They were not looked into." }
        }
        (super::sizes::draw(&section.images, all))
        section.wide tabindex="0" aria-label=(places.called("layers")) {
            table.layers.deep[changes] {
                thead {
                    tr {
                        th scope="col" { "#" } th scope="col" { "Layer" } th.number scope="col" { "Stored" }
                        th.number scope="col" { "Images" }
                        @if changes {
                            th.number scope="col" { "Adds" } th.number scope="col" { "Replaces" } th.number scope="col" { "Hides" }
                        }
                        th scope="col" { "Made by" }
                    }
                }
                tbody {
                    @for (number, row) in rows.iter().enumerate().take(MOST) {
                        tr.bad[places.is_faulty(&row.digest)] id=(places.layer(number)) {
                            td.number.soft { (number) }
                            td { (layer(row)) }
                            td.number {
                                @if row.missing { span.level.error { "missing" } }
                                @else if let Some(bytes) = row.size {
                                    (size(bytes))
                                    svg.meter width="100%" height="4" aria-hidden="true" { rect.bar width=(share(bytes, largest)) height="4" {} }
                                }
                            }
                            td.number { (row.images) }
                            @if changes { (cells(row.changes.as_ref())) }
                            td.command { code { (short(&row.command)) } }
                        }
                    }
                }
            }
        }
        @if rows.len() > MOST { p.more { "and " (rows.len() - MOST) " more, which " code { "restow inspect" } " shows" } }
    }
}

/// A layer's digest, which unfolds to all that is known of it.
fn layer(row: &Row) -> Markup {
    html! {
        details {
            summary { code { (brief(&row.digest)) } }
            dl {
                dt { "digest" } dd { code { (row.digest) } }
                @if let Some(id) = &row.diff_id { dt { "diff ID" } dd { code { (id) } } }
                @if !row.media_type.is_empty() { dt { "media type" } dd { code { (row.media_type) } } }
                @if !row.member.is_empty() { dt { "member" } dd { code { (row.member) } } }
                @if row.command.chars().nth(COMMAND).is_some() { dt { "made by" } dd { code { (row.command) } } }
                @if let Some(changes) = &row.changes { (inside(changes)) }
            }
        }
    }
}

/// The beginning of a long command; all of it stands where its layer unfolds.
fn short(command: &str) -> String {
    match command.char_indices().nth(COMMAND) {
        Some((at, _)) => format!("{}…", &command[..at]),
        None => command.to_owned(),
    }
}

fn inside(changes: &Changes) -> Markup {
    html! {
        dt { "holds" } dd { (files(changes.files())) }
        @if changes.replaced > 0 { dt { "replaced" } dd { (size(changes.replaced)) " of lower layers" } }
        @if !changes.largest.is_empty() {
            dt { "largest files" }
            @for (path, bytes) in &changes.largest {
                dd { span.soft { (size(*bytes)) } " " code { (clean(&path.to_str_lossy())) } }
            }
        }
    }
}

fn cells(changes: Option<&Changes>) -> Markup {
    let cell = |files: Files| {
        html! {
            td.number.none[files.count == 0] {
                @if files.count > 0 { (counted(files.count, "file")) " " br; span.soft { (size(files.bytes)) } }
                @else { span.soft { "–" } }
            }
        }
    };
    html! {
        @match changes {
            Some(changes) => { (cell(changes.adds)) (cell(changes.replaces)) (cell(changes.hides)) }
            None => { td {} td {} td {} }
        }
    }
}
