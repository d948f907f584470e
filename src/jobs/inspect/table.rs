//! Several images, a line each.

use indicatif::HumanBytes;

use super::tree::{self, Look};
use super::{Entry, View};
use crate::escape::escape_str;

/// Columns in the order in which they stand, with the rank by which they go where there is no room: the highest first.
const COLUMNS: [(&str, u8); 7] =
    [("NAME", 0), ("KIND", 3), ("PLATFORM", 1), ("SIZE", 2), ("LAYERS", 6), ("ID", 4), ("CREATED", 5)];

/// The narrowest that names are cut to.
const NAME: usize = 24;

type Row = [String; COLUMNS.len()];

/// Draws the table.
pub fn render(view: &View, look: Look) -> String {
    let mut rows: Vec<Row> = Vec::new();
    for entry in &view.images {
        add(&mut rows, entry, 0, look);
    }
    let mut shown: Vec<usize> = (0..COLUMNS.len()).collect();
    // A column that says nothing takes no room.
    shown.retain(|&column| column == 0 || rows.iter().any(|row| !row[column].is_empty()));
    // Counted once: there may be very many rows.
    let widths: [usize; COLUMNS.len()] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([COLUMNS[column].0.len()]).max().unwrap_or_default()
    });
    let width = |column: usize| widths[column];
    let total = |shown: &[usize], name: usize| {
        name + shown.iter().skip(1).map(|&column| width(column) + 2).sum::<usize>()
    };
    let mut name = width(0);
    if let Some(room) = look.width {
        while total(&shown, name.min(NAME)) > room && shown.len() > 1 {
            let last = shown.iter().copied().max_by_key(|&column| COLUMNS[column].1);
            shown.retain(|&column| Some(column) != last);
        }
        let others = total(&shown, 0);
        name = name.min(room.saturating_sub(others).max(NAME));
    }
    let mut out = tree::head(view, look);
    let header: Row = COLUMNS.map(|(title, _)| title.to_owned());
    for (nth, row) in std::iter::once(&header).chain(&rows).enumerate() {
        let mut line = String::new();
        for (place, &column) in shown.iter().enumerate() {
            let columns = if column == 0 { name } else { width(column) };
            let cell = tree::clip(&row[column], columns);
            let pad = " ".repeat(columns.saturating_sub(cell.chars().count()));
            // Sizes and numbers stand at the right.
            let cell = match COLUMNS[column].0 {
                "SIZE" | "LAYERS" => pad + &cell,
                _ if place + 1 == shown.len() => cell,
                _ => cell + &pad,
            };
            line.push_str(if place == 0 { "" } else { "  " });
            line.push_str(&cell);
        }
        let line = line.trim_end();
        out.push_str(&if nth == 0 { look.paint("1", line) } else { line.to_owned() });
        out.push('\n');
    }
    out
}

/// Adds the lines of an entry: its other names have one each, its children stand below it.
fn add(rows: &mut Vec<Row>, entry: &Entry, depth: usize, look: Look) {
    let indent = "  ".repeat(depth);
    let name = match (entry.names.first(), depth) {
        (Some(name), _) => escape_str(name).into_owned(),
        (None, 0) => "<none>".to_owned(),
        (None, _) => "└".to_owned(),
    };
    let id = entry.id.as_ref().or(entry.digest.as_ref()).map(|id| tree::digest(id, look)).unwrap_or_default();
    let size = entry.size.map_or_else(String::new, |size| HumanBytes(size).to_string());
    let layers = if entry.layers.is_empty() { String::new() } else { entry.layers.len().to_string() };
    // The day tells images apart; a pipe gets all of it.
    let created = entry.created.as_deref().unwrap_or_default();
    let created = match look.width {
        Some(_) => created.split('T').next().unwrap_or_default(),
        None => created,
    };
    rows.push([
        format!("{indent}{name}"),
        entry.kind.to_owned(),
        entry.platform.as_deref().map(|platform| escape_str(platform).into_owned()).unwrap_or_default(),
        size,
        layers,
        escape_str(&id).into_owned(),
        escape_str(created).into_owned(),
    ]);
    for name in entry.names.iter().skip(1) {
        let mut row = Row::default();
        row[0] = format!("{indent}{}", escape_str(name));
        rows.push(row);
    }
    for child in &entry.manifests {
        add(rows, child, depth + 1, look);
    }
}
