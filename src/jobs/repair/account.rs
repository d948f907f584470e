//! What became of a place: a line for everything that was put right, and for everything that could not be.

use serde::Serialize;

use crate::digest::Digest;
use crate::error::Error;

/// What a step puts right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepKind {
    /// A config, a layer, or a blob that nothing is known of.
    Blob,
    /// A manifest or index.
    Manifest,
    /// A link of a registry's storage to a blob of a repository.
    Layer,
    /// A link that makes a manifest a revision of a repository.
    Revision,
    /// A link in the history of a tag.
    History,
    /// What a tag stands for.
    Tag,
    /// Another file of the form.
    File,
}

impl StepKind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            StepKind::Blob => "blob",
            StepKind::Manifest => "manifest",
            StepKind::Layer => "layer link",
            StepKind::Revision => "revision link",
            StepKind::History => "history link",
            StepKind::Tag => "tag",
            StepKind::File => "file",
        }
    }
}

/// What stood there before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Was {
    /// Nothing.
    Missing,
    /// Something else, in words: the digest of other bytes, or what a link said.
    Wrong(String),
}

impl Serialize for Was {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(match self {
            Was::Missing => "missing",
            Was::Wrong(_) => "wrong",
        })
    }
}

/// Something that is put right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What it is.
    pub kind: StepKind,
    /// Where it stands in the place.
    pub path: String,
    /// The blob, or what the link leads to.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text")]
    pub digest: Option<Digest>,
    /// What stood there before.
    pub was: Was,
    /// The place that its bytes come from, or what proves a link.
    pub from: String,
}

fn text<S: serde::Serializer>(digest: &Option<Digest>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(digest.as_ref().map_or("", Digest::as_str))
}

/// Something that could not be put right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    /// A digest, or a name.
    pub what: String,
    /// Where it belongs.
    pub path: String,
    /// What stands there.
    pub was: Was,
    /// Where it was sought, and what was found.
    pub sought: Vec<Sought>,
}

/// A place that something was sought in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sought {
    /// As it was typed.
    pub place: String,
    /// Why it did not help.
    pub found: String,
}

/// What became of a place.
#[derive(Debug, Default)]
pub struct Repaired {
    /// What was put right, or would be, in the order of writing.
    pub steps: Vec<Step>,
    /// What could not be.
    pub left: Vec<Left>,
    /// Whether it was written.
    pub wrote: bool,
    /// Blobs that were looked at.
    pub looked: usize,
    /// How many of them were known to be right from a scrub, and not read.
    pub known: usize,
    /// Why it went no further, if it did not.
    pub stopped: Option<Error>,
}

/// The published shape of `--account FILE`.
#[derive(Serialize)]
struct Published<'a> {
    version: u32,
    place: &'a str,
    wrote: bool,
    stopped: Option<String>,
    steps: &'a [Step],
    left: &'a [Left],
}

impl Repaired {
    /// Whether nothing is, or would be, left wrong.
    pub fn is_whole(&self) -> bool {
        self.left.is_empty() && self.stopped.is_none()
    }

    /// As JSON, version 1: `{version, place, wrote, stopped, steps: [{kind, path, digest?, was, from}], left: [{what, path,
    /// was, sought: [{place, found}]}]}`.
    pub fn to_json(&self, place: &str) -> String {
        let stopped = self.stopped.as_ref().map(ToString::to_string);
        let (steps, left) = (&self.steps[..], &self.left[..]);
        crate::json::safe::pretty(&Published { version: 1, place, wrote: self.wrote, stopped, steps, left })
    }
}

impl Step {
    /// As a line of text: `blob blobs/sha256/…: missing, from oci:copy`.
    pub fn line(&self) -> String {
        let digest = match (&self.digest, self.kind) {
            (Some(digest), StepKind::Blob | StepKind::Manifest) => digest.to_string(),
            (Some(digest), _) => format!("{} -> {digest}", self.path),
            (None, _) => self.path.clone(),
        };
        format!("{} {digest}: {}, from {}", self.kind.word(), self.was.words(), self.from)
    }
}

impl Was {
    /// In words.
    pub fn words(&self) -> String {
        match self {
            Was::Missing => "missing".into(),
            Was::Wrong(what) => format!("wrong ({what})"),
        }
    }
}

impl Left {
    /// As lines of text: what, then each place that it was sought in.
    pub fn lines(&self) -> Vec<String> {
        let at = if self.what == self.path { String::new() } else { format!(" at {}", self.path) };
        let first = format!("{}{at}: {}", self.what, self.was.words());
        let sought = self.sought.iter().map(|sought| match sought.place.as_str() {
            "" => format!("  {}", sought.found),
            place => format!("  {place} {}", sought.found),
        });
        std::iter::once(first).chain(sought).collect()
    }
}
