//! The digest account: for every manifest, config, layer and name, what became of it and why.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::digest::Digest;
use crate::form::sink::{Displaced, Fate};
use crate::model::{Archive, Name};

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An index or manifest list.
    Index,
    /// A manifest.
    Manifest,
    /// A config.
    Config,
    /// A layer, or a blob of an artifact.
    Layer,
    /// A blob that nothing points at.
    Blob,
    /// A name.
    Name,
    /// Anything else that a form may hold, such as signatures or legacy members.
    Other,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The same bytes under the same digest.
    Kept,
    /// Other bytes under another digest.
    Rewritten,
    /// Made new, since the source had none.
    Synthesised,
    /// Left out.
    Dropped,
    /// Named, but not in the source either.
    Absent,
    /// A name that now stands at another image or under another text.
    Moved,
    /// A fault that was fixed.
    Fixed,
}

impl Action {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Action::Kept => "kept",
            Action::Rewritten => "rewritten",
            Action::Synthesised => "synthesised",
            Action::Dropped => "dropped",
            Action::Absent => "absent",
            Action::Moved => "moved",
            Action::Fixed => "fixed",
        }
    }
}

impl Kind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Index => "index",
            Kind::Manifest => "manifest",
            Kind::Config => "config",
            Kind::Layer => "layer",
            Kind::Blob => "blob",
            Kind::Name => "name",
            Kind::Other => "other",
        }
    }
}

/// One line of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// What it is about.
    pub kind: Kind,
    /// What became of it.
    pub action: Action,
    /// Which one, in words: the name itself, the image of a manifest or index, `layer 2 of app:1`, `config of app:1`.
    pub what: String,
    /// Digest in the source.
    #[serde(serialize_with = "digest_text", skip_serializing_if = "Option::is_none")]
    pub before: Option<Digest>,
    /// Digest in the destination.
    #[serde(serialize_with = "digest_text", skip_serializing_if = "Option::is_none")]
    pub after: Option<Digest>,
    /// Why, where that is not plain from the action.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
}

fn digest_text<S: serde::Serializer>(digest: &Option<Digest>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(digest.as_ref().map_or("", Digest::as_str))
}

impl Entry {
    /// An entry about something without digests.
    pub fn note(kind: Kind, action: Action, what: impl Into<String>, why: impl Into<String>) -> Entry {
        Entry { kind, action, what: what.into(), before: None, after: None, why: why.into() }
    }
}

/// What became of names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Each name that the source had, by the position of its root.
    pub fates: BTreeMap<usize, Entry>,
    /// Names that are new, and remarks.
    pub more: Vec<Entry>,
}

impl Names {
    /// The last word about a name counts.
    pub(super) fn say(
        &mut self,
        source: Option<usize>,
        action: Action,
        what: String,
        why: impl Into<String>,
    ) {
        let entry = Entry::note(Kind::Name, action, what, why);
        match source {
            Some(root) => drop(self.fates.insert(root, entry)),
            None => self.more.push(entry),
        }
    }

    /// A name that goes with its image.
    pub(super) fn lose(&mut self, archive: &Archive, root: usize, why: &str) {
        let name = &archive.roots[root].name;
        if *name != Name::None {
            self.say(Some(root), Action::Dropped, name.shown(), why);
        }
    }
}

/// The account of one conversion.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Account {
    /// In the order of writing; dropped things and names last.
    pub entries: Vec<Entry>,
}

/// The published shape of `--account FILE`.
#[derive(Serialize)]
struct Published<'a> {
    version: u32,
    source: &'a str,
    destination: &'a str,
    entries: &'a [Entry],
}

impl Account {
    /// Takes in what the destination says of names: how one is written there belongs to the line that it has already.
    pub(super) fn displaced(&mut self, displaced: Vec<Displaced>) {
        for Displaced { name, before, fate } in displaced {
            let (after, why) = match fate {
                Fate::Moves(now) => {
                    (Some(now), "what it named in the destination stays there without it".to_owned())
                }
                Fate::IsWritten(text) => {
                    let why = format!("as `{text}` in the layout, since two images there have its tag");
                    let mut lines = self.entries.iter_mut();
                    let own = lines.find(|entry| {
                        entry.kind == Kind::Name && entry.what == name && entry.action != Action::Dropped
                    });
                    if let Some(entry) = own {
                        entry.action = Action::Moved;
                        let joint = if entry.why.is_empty() { "" } else { "; " };
                        entry.why = format!("{}{joint}{why}", entry.why);
                        continue;
                    }
                    (before.clone(), why)
                }
            };
            self.entries.push(Entry {
                kind: Kind::Name,
                action: Action::Moved,
                what: name,
                before,
                after,
                why,
            });
        }
    }

    /// How many entries of a kind had an action.
    pub fn count(&self, kind: Kind, action: Action) -> usize {
        self.entries.iter().filter(|entry| entry.kind == kind && entry.action == action).count()
    }

    /// One line an action: `kept         1 config, 2 names`.
    pub fn summary(&self) -> Vec<String> {
        let actions = [
            Action::Kept,
            Action::Rewritten,
            Action::Synthesised,
            Action::Dropped,
            Action::Absent,
            Action::Moved,
        ];
        let kinds = [Kind::Index, Kind::Manifest, Kind::Config, Kind::Layer, Kind::Blob, Kind::Name];
        let line = |&action: &Action| {
            let counts: Vec<String> = kinds
                .iter()
                .map(|&kind| (self.count(kind, action), kind))
                .filter(|(n, _)| *n > 0)
                .map(|(n, kind)| match (kind, n) {
                    (_, 1) => format!("1 {}", kind.word()),
                    (Kind::Index, _) => format!("{n} indexes"),
                    _ => format!("{n} {}s", kind.word()),
                })
                .collect();
            (!counts.is_empty()).then(|| format!("{:12} {}", action.word(), counts.join(", ")))
        };
        let fixed = self.entries.iter().filter(|entry| entry.action == Action::Fixed).count();
        let plural = if fixed == 1 { "" } else { "s" };
        let fixed = (fixed > 0).then(|| format!("{:12} {fixed} fault{plural}", Action::Fixed.word()));
        actions.iter().filter_map(line).chain(fixed).collect()
    }

    /// The entries that a person must know without asking: everything that is not simply kept, and remarks.
    pub fn changes(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.action != Action::Kept || entry.kind == Kind::Other)
    }

    /// As JSON, version 1: `{version, source, destination, entries: [{kind, action, what, before?, after?, why?}]}`.
    pub fn to_json(&self, source: &str, destination: &str) -> String {
        let published = Published { version: 1, source, destination, entries: &self.entries };
        crate::json::safe::pretty(&published)
    }
}

impl Entry {
    /// As a line of text: `layer 2 of app:1: rewritten sha256:a -> sha256:b (gzip to zstd)`.
    pub fn line(&self) -> String {
        let mut line = match self.kind {
            Kind::Layer | Kind::Config | Kind::Other => String::new(),
            kind => format!("{} ", kind.word()),
        };
        line.push_str(&format!("{}: {}", self.what, self.action.word()));
        match (&self.before, &self.after) {
            (Some(before), Some(after)) if before != after => line.push_str(&format!(" {before} -> {after}")),
            (Some(one), _) | (None, Some(one)) => line.push_str(&format!(" {one}")),
            (None, None) => {}
        }
        if !self.why.is_empty() {
            line.push_str(&format!(" ({})", self.why));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: Kind, action: Action, what: &str) -> Entry {
        Entry::note(kind, action, what, "")
    }

    #[test]
    fn the_summary_counts_by_action() {
        let account = Account {
            entries: vec![
                entry(Kind::Layer, Action::Rewritten, "layer 0 of app:1"),
                entry(Kind::Layer, Action::Rewritten, "layer 1 of app:1"),
                entry(Kind::Config, Action::Kept, "config of app:1"),
                entry(Kind::Manifest, Action::Rewritten, "app:1"),
                entry(Kind::Name, Action::Kept, "app:1"),
                entry(Kind::Index, Action::Dropped, "a"),
                entry(Kind::Index, Action::Dropped, "b"),
            ],
        };
        let expected =
            ["kept         1 config, 1 name", "rewritten    1 manifest, 2 layers", "dropped      2 indexes"];
        assert_eq!(account.summary(), expected);
    }

    #[test]
    fn lines_say_each_word_once() {
        assert_eq!(entry(Kind::Layer, Action::Kept, "layer 0 of a:1").line(), "layer 0 of a:1: kept");
        assert_eq!(entry(Kind::Manifest, Action::Kept, "a:1").line(), "manifest a:1: kept");
    }

    #[test]
    fn json_has_the_documented_shape() {
        let digest = |text: &str| Digest::parse(text).ok();
        let a = format!("sha256:{}", "a".repeat(64));
        let entry = Entry {
            before: digest(&a),
            why: "gzip to zstd, the diff ID stays".into(),
            ..entry(Kind::Layer, Action::Rewritten, "layer 0 of app:1")
        };
        let json = Account { entries: vec![entry] }.to_json("app.tar", "oci:out");
        let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        let expected = serde_json::json!({
            "version": 1,
            "source": "app.tar",
            "destination": "oci:out",
            "entries": [{
                "kind": "layer",
                "action": "rewritten",
                "what": "layer 0 of app:1",
                "before": a,
                "why": "gzip to zstd, the diff ID stays",
            }],
        });
        assert_eq!(value, expected);
    }
}
