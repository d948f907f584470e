//! The tree that people read.

use indicatif::HumanBytes;

use super::{Entry, Layer, View};
use crate::escape::escape_str;

/// Longest command shown of a layer.
const COMMAND: usize = 80;

/// Draws the tree.
pub fn render(view: &View, color: bool) -> String {
    let mut tree = Tree { out: String::new(), color };
    let form = match view.compression {
        Some(codec) => format!("{}, compressed by {codec}", view.form),
        None => view.form.to_owned(),
    };
    tree.out.push_str(&format!("{} ({form})\n", tree.bold(&escape_str(&view.source))));
    let last = view.images.len();
    for (i, entry) in view.images.iter().enumerate() {
        tree.entry(entry, "", i + 1 == last);
    }
    if view.images.is_empty() {
        tree.out.push_str("└── nothing\n");
    }
    tree.out
}

struct Tree {
    out: String,
    color: bool,
}

impl Tree {
    fn paint(&self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }

    fn line(&mut self, prefix: &str, last: bool, text: &str) {
        let branch = if last { "└── " } else { "├── " };
        self.out.push_str(&format!("{prefix}{branch}{text}\n"));
    }

    fn entry(&mut self, entry: &Entry, prefix: &str, last: bool) {
        let names: Vec<String> = entry.names.iter().map(|name| self.bold(&escape_str(name))).collect();
        let mut head = names.join(", ");
        let mut add = |text: String| {
            if !head.is_empty() {
                head.push_str("  ");
            }
            head.push_str(&text);
        };
        add(entry.kind.to_owned());
        if let Some(platform) = &entry.platform {
            add(self.paint("36", &escape_str(platform)));
        }
        if let Some(kind) = &entry.artifact_type {
            add(escape_str(kind).into_owned());
        }
        self.line(prefix, last, &head);
        let below = format!("{prefix}{}", if last { "    " } else { "│   " });
        let mut facts: Vec<String> = Vec::new();
        let mut fact = |name: &str, value: &Option<String>| {
            if let Some(value) = value {
                facts.push(format!("{name:9} {}", escape_str(value)));
            }
        };
        fact("image ID", &entry.id);
        fact(if entry.kind == "index" { "index" } else { "manifest" }, &entry.digest);
        fact("created", &entry.created);
        fact("subject", &entry.subject);
        for (key, value) in &entry.annotations {
            facts.push(format!("{} = {}", escape_str(key), escape_str(value)));
        }
        let n = facts.len() + entry.layers.len() + entry.manifests.len();
        let mut i = 0;
        for fact in &facts {
            i += 1;
            self.line(&below, i == n, &self.dim(fact));
        }
        for (number, layer) in entry.layers.iter().enumerate() {
            i += 1;
            let text = self.layer(number, layer, entry.kind);
            self.line(&below, i == n, &text);
        }
        for child in &entry.manifests {
            i += 1;
            self.entry(child, &below, i == n);
        }
    }

    fn layer(&self, number: usize, layer: &Layer, kind: &str) -> String {
        let what = if kind == "image" { "layer" } else { "blob" };
        let name = match (&layer.digest, &layer.diff_id) {
            (Some(digest), _) => shortened(digest),
            (None, Some(diff_id)) => format!("diff ID {}", shortened(diff_id)),
            (None, None) => "?".to_owned(),
        };
        let size =
            layer.size.map_or_else(String::new, |size| format!("{:>10}", HumanBytes(size).to_string()));
        let mut text = format!("{what} {number}  {}  {size}", escape_str(&name));
        if layer.shared {
            text.push_str("  shared");
        }
        if layer.missing {
            text.push_str(&format!("  {}", self.paint("33", "not in the archive")));
        }
        if let Some(command) = layer.created_by.as_ref().or(layer.predicate_type.as_ref()) {
            let line: String = command.split_whitespace().collect::<Vec<_>>().join(" ");
            let cut: String = line.chars().take(COMMAND).collect();
            let dots = if cut.len() < line.len() { "…" } else { "" };
            text.push_str(&format!("  {}", self.dim(&format!("{}{dots}", escape_str(&cut)))));
        }
        text
    }
}

/// Algorithm and twelve digits.
fn shortened(digest: &str) -> String {
    match digest.split_once(':') {
        Some((algorithm, hex)) => format!("{algorithm}:{}", hex.get(..12).unwrap_or(hex)),
        None => digest.to_owned(),
    }
}
