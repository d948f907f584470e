//! The tree that people read.

use indicatif::HumanBytes;

use super::settings::{Settings, words};
use super::{Entry, Layer, View};
use crate::colour::{AMBER, BOLD, DIM, TEAL, paint};
use crate::escape::escape_str;

/// How to draw.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Whether to use colours.
    pub color: bool,
    /// Columns of the terminal, to which lines are cut and digests shortened; `None` leaves everything whole.
    pub width: Option<usize>,
}

impl Look {
    /// Text in a colour, if there are any.
    pub fn paint(self, code: &str, text: &str) -> String {
        paint(code, text, self.color)
    }
}

/// Columns below which lines of layers have no room for all.
const NARROW: usize = 72;

/// Draws the tree.
pub fn render(view: &View, look: Look) -> String {
    let mut tree = Tree { out: head(view, look), look };
    let last = view.images.len();
    for (i, entry) in view.images.iter().enumerate() {
        tree.entry(entry, "", i + 1 == last);
    }
    if view.images.is_empty() {
        tree.out.push_str("└── nothing\n");
    }
    tree.out
}

/// The first line: what it is, and how much.
pub(super) fn head(view: &View, look: Look) -> String {
    let form = match view.compression {
        Some(codec) => format!("{}, compressed by {codec}", view.form),
        None => view.form.to_owned(),
    };
    let size = view.size.map_or_else(String::new, |size| format!("  {} of layers", HumanBytes(size)));
    format!("{} ({form}){size}\n", look.paint(BOLD, &escape_str(&view.source)))
}

/// A digest, shortened where there is little room.
pub(super) fn digest(digest: &str, look: Look) -> String {
    if look.width.is_some() { shortened(digest) } else { digest.to_owned() }
}

/// A text cut to `columns`.
pub(super) fn clip(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    text.chars().take(columns.saturating_sub(1)).chain(['…']).collect()
}

/// Algorithm and twelve digits: enough to choose an image by.
fn shortened(digest: &str) -> String {
    match digest.split_once(':') {
        Some((algorithm, hex)) => format!("{algorithm}:{}", hex.get(..12).unwrap_or(hex)),
        None => digest.to_owned(),
    }
}

struct Tree {
    out: String,
    look: Look,
}

impl Tree {
    /// Adds a line of pieces, each with its colour, cut to the width.
    fn line(&mut self, prefix: &str, last: bool, pieces: &[(&str, String)]) {
        let branch = if last { "└── " } else { "├── " };
        self.out.push_str(prefix);
        self.out.push_str(branch);
        let taken = prefix.chars().count() + branch.chars().count();
        let mut room = self.look.width.map_or(usize::MAX, |width| width.saturating_sub(taken).max(20));
        for (code, text) in pieces {
            if room == 0 {
                break;
            }
            let cut = clip(text, room);
            let count = text.chars().count();
            self.out.push_str(&self.look.paint(code, &cut));
            room = room.saturating_sub(count);
        }
        self.out.push('\n');
    }

    fn entry(&mut self, entry: &Entry, prefix: &str, last: bool) {
        let mut head: Vec<(&str, String)> = Vec::new();
        for (nth, name) in entry.names.iter().enumerate() {
            if nth > 0 {
                head.push(("", ", ".into()));
            }
            head.push((BOLD, escape_str(name).into_owned()));
        }
        let mut add = |code, text: String| {
            if !head.is_empty() {
                head.push(("", "  ".into()));
            }
            head.push((code, text));
        };
        add("", entry.kind.to_owned());
        if let Some(platform) = &entry.platform {
            add(TEAL, escape_str(platform).into_owned());
        }
        if let Some(kind) = &entry.artifact_type {
            add("", escape_str(kind).into_owned());
        }
        if let Some(size) = entry.size {
            let shared = match entry.shared_size {
                0 => String::new(),
                shared if shared == size => ", all of it shared".to_owned(),
                shared => format!(", {} of it shared", HumanBytes(shared)),
            };
            add("", format!("{}{shared}", HumanBytes(size)));
        }
        self.line(prefix, last, &head);
        let below = format!("{prefix}{}", if last { "    " } else { "│   " });
        let facts = self.facts(entry, below.chars().count() + 4);
        let n = facts.len() + entry.layers.len() + entry.manifests.len();
        let mut i = 0;
        for (name, value) in facts {
            i += 1;
            self.line(&below, i == n, &[(DIM, format!("{name:10}  ")), ("", value)]);
        }
        for (number, layer) in entry.layers.iter().enumerate() {
            i += 1;
            let pieces = self.layer(number, layer, entry.kind);
            self.line(&below, i == n, &pieces);
        }
        for child in &entry.manifests {
            i += 1;
            self.entry(child, &below, i == n);
        }
    }

    /// What is known of an entry, a line each, behind `taken` columns.
    fn facts(&self, entry: &Entry, taken: usize) -> Vec<(&'static str, String)> {
        let mut facts: Vec<(&str, String)> = Vec::new();
        let mut fact = |name, value: &str| facts.push((name, escape_str(value).into_owned()));
        // A digest is whole where it fits: it is there to be copied.
        let fits = |text: &str| self.look.width.is_none_or(|width| taken + 12 + text.len() <= width);
        let whole = |text: &str| if fits(text) { text.to_owned() } else { shortened(text) };
        if let Some(id) = &entry.id {
            fact("image ID", &whole(id));
        }
        if let Some(digest) = &entry.digest {
            fact(if entry.kind == "index" { "index" } else { "manifest" }, &whole(digest));
        }
        if let Some(created) = &entry.created {
            fact("created", created);
        }
        if let Some(subject) = &entry.subject {
            fact("subject", &whole(subject));
        }
        if let Some(settings) = &entry.config {
            let Settings { entrypoint, command, env, user, working_dir, ports, volumes, labels, stop_signal } =
                settings;
            let lists = [("entrypoint", words(entrypoint)), ("command", words(command))];
            lists.iter().filter(|(_, text)| !text.is_empty()).for_each(|(name, text)| fact(name, text));
            env.iter().for_each(|variable| fact("env", variable));
            let single = [("user", user), ("workdir", working_dir)];
            single.iter().for_each(|(name, value)| value.iter().for_each(|value| fact(name, value)));
            let lists = [("ports", ports.join(", ")), ("volumes", volumes.join(", "))];
            lists.iter().filter(|(_, text)| !text.is_empty()).for_each(|(name, text)| fact(name, text));
            labels.iter().for_each(|(key, value)| fact("label", &format!("{key}={value}")));
            stop_signal.iter().for_each(|signal| fact("signal", signal));
        }
        entry.annotations.iter().for_each(|(key, value)| fact("annotation", &format!("{key}={value}")));
        facts
    }

    fn layer(&self, number: usize, layer: &Layer, kind: &str) -> Vec<(&'static str, String)> {
        let what = if kind == "image" { "layer" } else { "blob" };
        // Where there is little room, what made the layer is worth more than what kind of digits these are.
        let narrow = self.look.width.is_some_and(|width| width < NARROW);
        let digits = |text: &str| match digest(text, self.look) {
            text if narrow => text.split_once(':').map_or(text.clone(), |(_, digits)| digits.to_owned()),
            text => text,
        };
        let name = match (&layer.digest, &layer.diff_id) {
            (Some(stored), _) => digits(stored),
            (None, Some(diff_id)) if narrow => digits(diff_id),
            (None, Some(diff_id)) => format!("diff ID {}", digits(diff_id)),
            (None, None) => "?".to_owned(),
        };
        let size =
            layer.size.map_or_else(String::new, |size| format!("{:>10}", HumanBytes(size).to_string()));
        let mut pieces = vec![("", format!("{what} {number}  {}  {size}", escape_str(&name)))];
        if layer.shared {
            pieces.push((DIM, "  shared".to_owned()));
        }
        if layer.missing {
            pieces.push((AMBER, "  not in the archive".to_owned()));
        }
        let instruction = layer.instruction.as_ref().or(layer.predicate_type.as_ref());
        if let Some(instruction) = instruction {
            pieces.push((DIM, format!("  {}", escape_str(instruction))));
        }
        pieces
    }
}

#[cfg(test)]
mod tests;
