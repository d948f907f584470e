//! Layers as a table: each once, however many images share it.

use std::collections::HashMap;

use crate::escape::escape_str;
use crate::inspect::Entry;

/// A layer, or a blob of an artifact.
#[derive(Debug)]
pub(super) struct Row {
    /// Its digest, or its diff ID where the archive does not say it; escaped.
    pub digest: String,
    pub size: Option<u64>,
    pub media_type: String,
    /// The command that made it.
    pub command: String,
    /// How many images have it.
    pub images: usize,
    pub missing: bool,
}

/// The layers of all images, in the order in which they are met.
pub(super) fn rows(images: &[Entry]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for layer in images.iter().flat_map(Entry::all).flat_map(|entry| &entry.layers) {
        let Some(digest) = layer.digest.as_deref().or(layer.diff_id.as_deref()) else { continue };
        let nth = *known.entry(digest.to_owned()).or_insert(rows.len());
        if nth == rows.len() {
            rows.push(Row {
                digest: escape_str(digest).into_owned(),
                size: layer.size,
                media_type: escape_str(layer.media_type.as_deref().unwrap_or_default()).into_owned(),
                command: escape_str(layer.created_by.as_deref().unwrap_or_default()).into_owned(),
                images: 0,
                missing: layer.missing,
            });
        }
        rows[nth].images += 1;
    }
    rows
}

/// A size in words: `1.5 MiB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut tenths = u128::from(bytes) * 10;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ => format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]),
    }
}
