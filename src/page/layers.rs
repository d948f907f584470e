//! Layers, each once, however many images share it.

use std::collections::HashMap;

use super::words::{brief, clean, digits};
use crate::escape::escape_str;
use crate::jobs::inspect::{Entry, Layer};
use crate::layer::Changes;

/// A layer, or a blob of an artifact.
#[derive(Debug)]
pub(super) struct Row {
    /// Its digest, or its diff ID where the archive does not say it; escaped.
    pub digest: String,
    /// Its diff ID, if that is another.
    pub diff_id: Option<String>,
    pub size: Option<u64>,
    pub media_type: String,
    /// The member that holds it.
    pub member: String,
    /// The command that made it.
    pub command: String,
    /// How many images have it.
    pub images: usize,
    pub missing: bool,
    /// What it does to the layers below it, in the first image that has it.
    pub changes: Option<Changes>,
}

/// The layers of a source.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// In the order in which they are met.
    pub rows: Vec<Row>,
    /// By the hexadecimal digits of their digests.
    known: HashMap<String, usize>,
}

impl Rows {
    /// The layers of all images.
    pub(super) fn of(images: &[Entry]) -> Rows {
        let mut all = Rows::default();
        for layer in images.iter().flat_map(Entry::all).flat_map(|entry| &entry.layers) {
            let Some(digest) = name(layer) else { continue };
            let nth = *all.known.entry(digits(digest).to_owned()).or_insert(all.rows.len());
            if nth == all.rows.len() {
                all.rows.push(row(digest, layer));
            }
            all.rows[nth].images += 1;
        }
        all
    }

    /// The number of a layer by the hexadecimal digits of its digest.
    pub(super) fn find(&self, hex: &str) -> Option<usize> {
        self.known.get(hex).copied()
    }

    /// Bytes of them all as stored.
    pub(super) fn size(&self) -> u64 {
        self.rows.iter().filter_map(|row| row.size).fold(0, u64::saturating_add)
    }
}

/// What a layer is called: its digest, or its diff ID where the archive does not say that.
pub(super) fn name(layer: &Layer) -> Option<&str> {
    layer.digest.as_deref().or(layer.diff_id.as_deref())
}

fn row(digest: &str, layer: &Layer) -> Row {
    let text = |text: &Option<String>| clean(text.as_deref().unwrap_or_default());
    Row {
        digest: escape_str(digest).into_owned(),
        diff_id: layer.diff_id.as_deref().filter(|id| *id != digest).map(clean),
        size: layer.size,
        media_type: text(&layer.media_type),
        member: text(&layer.member),
        command: text(&layer.created_by),
        images: 0,
        missing: layer.missing,
        changes: layer.changes.clone(),
    }
}

/// What an image is called: its name, platform or digest.
pub(super) fn title(entry: &Entry) -> String {
    let kind = if entry.kind == "image" { "" } else { entry.kind };
    let digest = entry.digest.as_deref().or(entry.id.as_deref()).map(brief).unwrap_or_default();
    let names = entry.names.join(", ");
    let platform = entry.platform.as_deref().unwrap_or_default();
    let parts: Vec<&str> = [&*names, kind, platform].into_iter().filter(|part| !part.is_empty()).collect();
    clean(&if parts.is_empty() || names.is_empty() && platform.is_empty() {
        format!("{} {digest}", entry.kind)
    } else {
        parts.join(" ")
    })
}
