//! Shapes of documents: which members must be there, and of which JSON type.
//!
//! *Shape belongs to the schema, meaning to rules.* The schemas (the files in `schemas/`, written from the
//! specifications) say nothing of digests, dates or ranges; rules never test presence or type. [`validate`]
//! turns what does not fit into [`ShapeFault`]s, each under the name of a rule.
//!
//! # Rule names
//!
//! | Rule | Reported for | formats.md H |
//! |---|---|---|
//! | `json/unexpected-shape` | any wrong type or missing member without a name of its own | 40 |
//! | `json/null-for-required` | `null` where a value is required | 41 |
//! | `json/number-not-integer` | an integer written as `1.0` or `1e3` | 43 |
//! | `json/integer-too-large` | an integer beyond 2^53 (beyond 64 bits it is an unexpected shape) | 43 |
//! | `document/schema-version-missing` | `schemaVersion` | 47 |
//! | `document/docker-media-type-missing` | `mediaType` of a manifest list or schema 2 manifest | 48 |
//! | `index/manifests-missing` | `manifests` of an index or list | 51 |
//! | `manifest/config-missing` | `config` of a manifest | 53 |
//! | `manifest/layers-missing` | `layers` of a manifest | 54 |
//! | `layout/version-missing` | `imageLayoutVersion` | 73 |
//! | `descriptor/missing-member` | `mediaType`, `digest`, `size`, wherever a descriptor stands | 77, 64 |
//! | `platform/missing-member` | `architecture`, `os` of a platform | 141 |
//! | `config/rootfs-missing` | `rootfs` of a config | 110, 138 |
//! | `config/rootfs-type-missing` | `rootfs.type` | 110 |
//! | `config/command-not-array` | `Cmd`, `Entrypoint` that are no array of strings | 129 |
//! | `config/label-not-string` | a label's value | 133 |
//! | `annotation/value-not-string` | an annotation's value | 199 |
//! | `docker-archive/manifest-not-array` | `manifest.json` that is no array | 22 |
//! | `docker-archive/config-missing` | `Config` of an item of `manifest.json` | 23 |
//! | `docker-archive/layers-missing` | `Layers` of an item of `manifest.json` | 24 |
//! | `schema1/missing-member` | any member that a schema 1 manifest must have | 214, 216, 217 |
//!
//! # Left to rules
//!
//! Presence of members whose absence is worse in some images than in others: `architecture` and `os` of a
//! config (119), `diff_ids` absent or `null` (111), `mediaType` of OCI documents (48), `platform` in lists
//! (69). `null` where real tools write it: `manifests` (51), `layers` (54), optional members (42). Values:
//! `schemaVersion` other than 2 (47), negative sizes (82), empty lists (22, 33), string commands in v1 JSON
//! (129), non-empty members of a set (126).

mod kind;
mod names;
mod shape;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_real;
mod text;
mod walk;

use std::collections::HashMap;

pub use kind::DocumentKind;
use shape::Misfit;
use walk::Fault;

use crate::json::{Json, Kind};

/// Faults of one rule that are reported of one document. A document of a few megabytes can hold a million of them; nobody
/// reads more. Each rule is counted by itself, so that none hides another.
const MAX_FAULTS: usize = 1000;
/// Characters of one piece of the document's text in a message.
const MAX_QUOTE: usize = 64;

/// One place where a document does not have the shape of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapeFault {
    /// JSON pointer: of the value that is wrong, or of the object that lacks a member.
    pub pointer: String,
    /// The schema's keyword that does not hold: `required` or `type`.
    pub keyword: &'static str,
    /// The member that is missing.
    pub missing: Option<String>,
    /// What should stand there, such as `an array of descriptors`.
    pub expected: String,
    /// What stands there, such as `a string`; `nothing` if a member is missing.
    pub found: String,
    /// The whole fact: lower case, names first.
    pub message: String,
    /// Name of the rule that reports it.
    pub rule: &'static str,
}

/// What in `json` does not have the shape of a document of this kind, in document order: at most 1000 faults of one rule,
/// of which the last says how many more there are.
///
/// A value of the wrong type is reported once and nothing below it is. Duplicate members are judged by the
/// last one, as Go's decoder reads them; where names differ only in case, only `manifest.json` of
/// docker-archives is read as Go does (jib writes lower-case names), since elsewhere that is a rule.
pub fn validate(kind: DocumentKind, json: &Json) -> Vec<ShapeFault> {
    let mut faults: Vec<ShapeFault> = Vec::new();
    let mut counts: HashMap<&'static str, Count> = HashMap::new();
    walk::walk(kind, json, &mut |found| {
        let count = counts.entry(rule(kind, &found)).or_default();
        if count.told < MAX_FAULTS {
            count.told += 1;
            faults.push(told(kind, found));
        } else {
            count.untold += 1;
        }
    });
    for (rule, count) in counts.into_iter().filter(|(_, count)| count.untold > 0) {
        if let Some(last) = faults.iter_mut().rfind(|fault| fault.rule == rule) {
            last.message.push_str(&format!("; so it is with {} more", count.untold));
        }
    }
    faults
}

/// Faults of one rule.
#[derive(Default)]
struct Count {
    told: usize,
    untold: usize,
}

/// The rule that reports it.
fn rule(kind: DocumentKind, fault: &Fault<'_>) -> &'static str {
    if let Some(member) = fault.missing {
        return names::of_missing(kind, &fault.canonical, member);
    }
    let named = misfit(fault).and_then(|(_, misfit)| misfit.rule());
    named.unwrap_or_else(|| names::of_type(kind, &fault.canonical, fault.value.is_null()))
}

/// A number where an integer is wanted, and why it does not do as one.
fn misfit<'a>(fault: &Fault<'a>) -> Option<(&'a str, Misfit)> {
    match &fault.value.kind {
        Kind::Number(text) if text::takes(fault.schema, "integer") => Some((text, Misfit::of(text)?)),
        _ => None,
    }
}

fn told(kind: DocumentKind, fault: Fault<'_>) -> ShapeFault {
    match fault.missing {
        Some(member) => missing(kind, fault, member),
        None => wrong_type(kind, fault),
    }
}

/// A member that `required` asks for is not there.
fn missing(kind: DocumentKind, fault: Fault<'_>, member: &'static str) -> ShapeFault {
    let expected = text::phrase(&fault.schema["properties"][member]);
    let message = match (fault.schema["title"].as_str(), subject(&fault.real)) {
        (noun, None) => format!("`{member}` is missing from the {}", noun.unwrap_or("document")),
        (Some(noun), Some(subject)) => format!("`{member}` is missing from the {noun} `{subject}`"),
        (None, Some(subject)) => format!("`{member}` is missing from `{subject}`"),
    };
    ShapeFault {
        rule: rule(kind, &fault),
        pointer: fault.real,
        keyword: "required",
        missing: Some(member.to_owned()),
        expected,
        found: "nothing".to_owned(),
        message,
    }
}

/// A value is of none of the types that `type` names.
fn wrong_type(kind: DocumentKind, fault: Fault<'_>) -> ShapeFault {
    let mut expected = text::phrase(fault.schema);
    let mut found = match &fault.value.kind {
        Kind::Null => "null",
        Kind::Bool(_) => "a boolean",
        Kind::Number(_) => "a number",
        Kind::String(_) => "a string",
        Kind::Array(_) => "an array",
        Kind::Object(_) => "an object",
    }
    .to_owned();
    let mut verb = "is";
    if let Some((text, misfit)) = misfit(&fault) {
        found = shorten(text);
        match misfit {
            Misfit::Spelled => verb = "is written as",
            Misfit::Imprecise => expected = "an integer of at most 2^53".to_owned(),
            Misfit::Overflow => expected = "an integer of 64 bits".to_owned(),
            Misfit::Fraction => {}
        }
    }
    let message = match subject(&fault.real) {
        None => {
            let noun = fault.schema["title"].as_str().unwrap_or("document");
            if text::takes(fault.schema, "object") {
                // Not `the manifest is an array, a manifest was expected`.
                expected = "an object".to_owned();
            }
            format!("the {noun} {verb} {found}, {expected} was expected")
        }
        Some(subject) => format!("`{subject}` {verb} {found}, {expected} was expected"),
    };
    let rule = rule(kind, &fault);
    ShapeFault { rule, pointer: fault.real, keyword: "type", missing: None, expected, found, message }
}

/// A pointer as people write it: `layers[2].size`; `None` for the document itself.
fn subject(pointer: &str) -> Option<String> {
    let mut text = String::new();
    for token in pointer.strip_prefix('/')?.split('/') {
        let name = shorten(&token.replace("~1", "/").replace("~0", "~"));
        if !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit()) {
            text.push_str(&format!("[{name}]"));
        } else if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)) {
            if !text.is_empty() {
                text.push('.');
            }
            text.push_str(&name);
        } else {
            text.push_str(&format!("[\"{name}\"]"));
        }
    }
    Some(text)
}

/// The text, cut if it is too long for a message.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTE) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
