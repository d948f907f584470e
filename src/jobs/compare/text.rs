//! A comparison for people: a heading for each thing, what is the same in it, and a line for each difference.
//!
//! Text from the archives is not escaped here.

use super::changes::Changes;
use super::differences::{Aspect, Compared, Difference, Side};
use super::holding::{Kind, Layer, Thing};
use super::{Comparison, Judged};
use crate::finding::counted;

impl Comparison {
    /// Lines for every thing, without those in which nothing differs if `differing` is set.
    pub fn lines(&self, differing: bool) -> Vec<String> {
        let shown = |compared: &&Compared| !differing || !compared.differences.is_empty();
        self.compared.iter().filter(shown).flat_map(of).collect()
    }

    /// What it comes to, of the two places as they were typed.
    pub fn verdict(&self, a: &str, b: &str) -> String {
        let side = |letter: &str, place: &str, judged: &Judged| {
            let faults = judged.faults.len();
            (faults > 0).then(|| format!("{letter} = {place} has {}", counted(faults as u64, "error")))
        };
        let unsound: Vec<String> =
            [side("A", a, &self.a), side("B", b, &self.b)].into_iter().flatten().collect();
        let compared = compared(self, a, b);
        if unsound.is_empty() {
            return compared;
        }
        let rest = if self.nothing_differs() { "what was read is the same".to_owned() } else { compared };
        format!("not sound: {}; {rest}", unsound.join(", "))
    }
}

fn compared(comparison: &Comparison, a: &str, b: &str) -> String {
    let differing = comparison.compared.iter().filter(|compared| !compared.differences.is_empty());
    let count = |kind: Kind| {
        let of = |compared: &&Compared| compared.thing().is_some_and(|thing| thing.kind == kind);
        (comparison.compared.iter().filter(of).count(), differing.clone().filter(of).count())
    };
    let kinds = [Kind::Image, Kind::Attestation, Kind::Artifact, Kind::Index].map(|kind| (kind, count(kind)));
    let words = |kind: Kind, n: usize| match (kind, n) {
        (Kind::Index, n) if n != 1 => format!("{n} indexes"),
        _ => counted(n as u64, kind.word()),
    };
    if differing.clone().next().is_none() {
        let held = kinds.iter().filter(|(kind, (all, _))| *all > 0 && *kind != Kind::Index);
        let held: Vec<String> = held.map(|(kind, (all, _))| words(*kind, *all)).collect();
        return if held.is_empty() {
            "same: no image".to_owned()
        } else {
            format!("same: {}", held.join(", "))
        };
    }
    let held = kinds.iter().filter(|(_, (_, differing))| *differing > 0);
    let held: Vec<String> =
        held.map(|(kind, (all, differing))| format!("{differing} of {}", words(*kind, *all))).collect();
    format!("different: {} (A = {a}, B = {b})", held.join(", "))
}

impl Compared {
    /// What it is, in words: its names, kind and platform.
    pub fn title(&self) -> String {
        self.thing().map(title).unwrap_or_default()
    }

    /// In what its sides are the same, in words; nothing where there is one side.
    pub fn same_words(&self) -> String {
        self.thing()
            .filter(|_| self.a.is_some() && self.b.is_some())
            .map_or_else(String::new, |thing| same(self, thing))
    }
}

fn of(compared: &Compared) -> Vec<String> {
    let Some(thing) = compared.thing() else { return Vec::new() };
    let title = title(thing);
    if let [Difference::Only(side)] = compared.differences.as_slice() {
        let side = if *side == Side::A { "A" } else { "B" };
        return vec![format!("{title}: only in {side}{}", id(thing))];
    }
    let same = same(compared, thing);
    if compared.differences.is_empty() {
        return vec![format!("{title}: same {same}")];
    }
    let mut lines = vec![format!("{title}: different")];
    lines.extend((!same.is_empty()).then(|| line("same", &same)));
    compared.differences.iter().for_each(|found| difference(compared, found, &mut lines));
    lines
}

fn title(thing: &Thing) -> String {
    let names: Vec<&str> = thing.names.iter().map(String::as_str).collect();
    let kind = match thing.kind {
        Kind::Image => "",
        other => other.word(),
    };
    let platform = if thing.kind == Kind::Index { "" } else { &*thing.platform };
    let artifact = &*thing.artifact_type;
    let parts = [&*names.join(", "), kind, platform, artifact];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { "image".to_owned() } else { parts.join(" ") }
}

fn id(thing: &Thing) -> String {
    match (thing.kind, &thing.config) {
        (Kind::Image, Some(_)) => format!(", image ID {}", thing.id),
        _ => format!(", {}", thing.id),
    }
}

/// In what two things are the same, in words.
fn same(compared: &Compared, thing: &Thing) -> String {
    let has = |aspect| compared.same.contains(&aspect);
    let layers = thing.arrangements.first().map_or(0, |way| way.0.len());
    let word = |aspect: Aspect| match aspect {
        Aspect::Config => Some(format!("image ID {}", thing.id)),
        Aspect::Contents if has(Aspect::Layers) => None,
        Aspect::Contents => Some("contents of layers".to_owned()),
        Aspect::Layers => Some(counted(layers as u64, "layer")),
        Aspect::Manifest if thing.kind == Kind::Index => Some(format!("index {}", thing.id)),
        Aspect::Manifest => Some("manifest".to_owned()),
        Aspect::Platform => Some("platform".to_owned()),
        Aspect::Names => Some(if thing.names.len() == 1 { "name" } else { "names" }.to_owned()),
        Aspect::Signatures => Some("signatures".to_owned()),
        Aspect::Annotations => Some("annotations in index.json".to_owned()),
    };
    compared.same.iter().filter_map(|aspect| word(*aspect)).collect::<Vec<_>>().join(", ")
}

fn line(what: &str, text: &str) -> String {
    format!("  {what:11} {text}")
}

fn difference(compared: &Compared, found: &Difference, lines: &mut Vec<String>) {
    let sides = |a: &str, b: &str| format!("{a} in A, {b} in B");
    let lists = |[a, b]: &[Vec<String>; 2]| {
        let list = |items: &[String]| if items.is_empty() { "none".to_owned() } else { items.join(", ") };
        sides(&list(a), &list(b))
    };
    let layers = |what: &str, [a, b]: &[Box<Layer>; 2]| format!("{what}: {}", sides(&stored(a), &stored(b)));
    match found {
        Difference::Only(_) => {}
        Difference::Config { ids: [a, b], changes } => {
            lines.push(line("image ID", &sides(a, b)));
            told(changes, "only the diff IDs, or white space and order", lines);
        }
        Difference::LayerCount([a, b]) => lines.push(line("layers", &sides(&a.to_string(), &b.to_string()))),
        Difference::Anew { layer, stored } => {
            lines.push(line(&format!("layer {layer}"), &layers("the same, compressed anew", stored)));
        }
        Difference::Other { layer, stored } => {
            lines.push(line(&format!("layer {layer}"), &layers("other bytes", stored)));
        }
        Difference::Arrangements([a, b]) => {
            lines.push(line("layers", &format!("stored in {a} ways in A, in {b} in B")));
        }
        Difference::Manifest { digests, changes } => {
            let index = compared.thing().is_some_and(|thing| thing.kind == Kind::Index);
            lines.push(line(if index { "index" } else { "manifest" }, &lists(digests)));
            if let [[_], [_]] = digests.each_ref().map(Vec::as_slice) {
                told(changes, "only what it points at, or white space and order", lines);
            }
        }
        Difference::Platform([a, b]) => lines.push(line("platform", &sides(&or_none(a), &or_none(b)))),
        Difference::Names(both) => lines.push(line("names", &lists(both))),
        Difference::Signatures(both) => lines.push(line("signatures", &lists(both))),
        Difference::Annotations(changes) => {
            lines.push(line("annotations", "in index.json"));
            told(changes, "", lines);
        }
    }
}

fn or_none(text: &str) -> String {
    if text.is_empty() { "none".to_owned() } else { text.to_owned() }
}

fn stored(layer: &Layer) -> String {
    match &layer.stored {
        Some(digest) => format!("{} {} bytes {digest}", layer.codec.name(), layer.size),
        None => "missing".to_owned(),
    }
}

fn told(changes: &Changes, none: &str, lines: &mut Vec<String>) {
    let add = |text: &str, lines: &mut Vec<String>| lines.push(line("", &format!("  {text}")));
    if changes.is_empty() && !none.is_empty() {
        add(none, lines);
    }
    for change in &changes.told {
        let how = match (&change.a, &change.b) {
            (Some(a), Some(b)) => format!("{a} in A, {b} in B"),
            (Some(a), None) => format!("{a} only in A"),
            (None, Some(b)) => format!("{b} only in B"),
            (None, None) => String::new(),
        };
        add(&format!("{}: {how}", change.pointer), lines);
    }
    if changes.more > 0 {
        add(&format!("and {}", counted(changes.more as u64, "more change")), lines);
    }
}
