//! Shapes of documents: which members must be there, and of which JSON type.
//!
//! *Shape belongs to the schema, meaning to rules.* The schemas (the files in `schemas/`, written from the
//! specifications) say nothing of digests, dates or ranges; rules never test presence or type. [`validate`]
//! turns what does not fit into [`ShapeFault`]s, each under the name of a rule. This module is the only user
//! of `jsonschema`, and none of its messages is shown: they would repeat the document.
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

mod compile;
mod kind;
mod names;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_real;
mod tree;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use jsonschema::error::ValidationErrorKind;
use serde_json::Value as Plain;

pub use kind::DocumentKind;
use tree::Misfit;

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
    let instance = tree::plain(kind, &json.root);
    let validator = compile::validator(kind);
    if validator.is_valid(&instance) {
        return Vec::new();
    }
    // A set, because an object under two subschemas reports the same cause twice; of what is not told the hash will do.
    let mut causes: BTreeSet<Cause> = BTreeSet::new();
    let mut untold: HashSet<u64> = HashSet::new();
    let mut counts: HashMap<&'static str, Count> = HashMap::new();
    let hasher = RandomState::new();
    for error in validator.iter_errors(&instance) {
        let Some((cause, rule)) = Cause::of(kind, &error) else { continue };
        let count = counts.entry(rule).or_default();
        if count.told < MAX_FAULTS {
            count.told += usize::from(causes.insert(cause));
        } else if !causes.contains(&cause) && untold.insert(hasher.hash_one(&cause)) {
            count.untold += 1;
        }
    }
    let places = tree::places(kind, &json.root, causes.iter().map(|cause| cause.pointer.as_str()));
    let mut faults: Vec<_> = causes
        .iter()
        .filter_map(|cause| {
            let place = places.get(cause.pointer.as_str())?;
            Some((place.value.span.start, cause.fault(kind, place)))
        })
        .collect();
    // Stable: several members missing from one object stay in the order of their names.
    faults.sort_by_key(|(start, _)| *start);
    let mut faults: Vec<ShapeFault> = faults.into_iter().map(|(_, fault)| fault).collect();
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

/// What remains of a `jsonschema` error: where it is in the instance and which part of which schema failed.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Cause {
    pointer: String,
    missing: Option<String>,
    /// URN and pointer of the subschema, without the keyword.
    subschema: String,
}

impl Cause {
    /// The cause, and the rule that reports it.
    fn of(kind: DocumentKind, error: &jsonschema::ValidationError<'_>) -> Option<(Cause, &'static str)> {
        let missing = match error.kind() {
            ValidationErrorKind::Required { property } => Some(property.as_str()?.to_owned()),
            _ => None,
        };
        let location = error.absolute_keyword_location()?.as_str();
        let subschema = location.rsplit_once('/').map_or(location, |(parent, _)| parent).to_owned();
        // Pointers of the validated tree are those by which rules are named.
        let pointer = error.instance_path().as_str().to_owned();
        let rule = match &missing {
            Some(member) => names::of_missing(kind, &pointer, member),
            None => {
                let misfit = tree::misfit(error.instance());
                let misfit = misfit.filter(|_| compile::takes(compile::subschema(&subschema), "integer"));
                let named = misfit.and_then(Misfit::rule);
                named.unwrap_or_else(|| names::of_type(kind, &pointer, error.instance().is_null()))
            }
        };
        Some((Cause { pointer, missing, subschema }, rule))
    }

    fn fault(&self, kind: DocumentKind, place: &tree::Place<'_>) -> ShapeFault {
        let schema = compile::subschema(&self.subschema);
        match &self.missing {
            Some(member) => missing(kind, place, schema, member),
            None => wrong_type(kind, place, schema),
        }
    }
}

/// A member that `required` asks for is not there.
fn missing(kind: DocumentKind, place: &tree::Place<'_>, schema: &'static Plain, member: &str) -> ShapeFault {
    let expected = compile::phrase(&schema["properties"][member]);
    let message = match (schema["title"].as_str(), subject(&place.real)) {
        (noun, None) => format!("`{member}` is missing from the {}", noun.unwrap_or("document")),
        (Some(noun), Some(subject)) => format!("`{member}` is missing from the {noun} `{subject}`"),
        (None, Some(subject)) => format!("`{member}` is missing from `{subject}`"),
    };
    ShapeFault {
        rule: names::of_missing(kind, &place.canonical, member),
        pointer: place.real.clone(),
        keyword: "required",
        missing: Some(member.to_owned()),
        expected,
        found: "nothing".to_owned(),
        message,
    }
}

/// A value is of none of the types that `type` names.
fn wrong_type(kind: DocumentKind, place: &tree::Place<'_>, schema: &'static Plain) -> ShapeFault {
    let mut expected = compile::phrase(schema);
    let mut rule = names::of_type(kind, &place.canonical, place.value.is_null());
    let mut found = match &place.value.kind {
        Kind::Null => "null",
        Kind::Bool(_) => "a boolean",
        Kind::Number(_) => "a number",
        Kind::String(_) => "a string",
        Kind::Array(_) => "an array",
        Kind::Object(_) => "an object",
    }
    .to_owned();
    let mut verb = "is";
    if let Kind::Number(text) = &place.value.kind
        && compile::takes(schema, "integer")
    {
        found = shorten(text);
        let misfit = Misfit::of(text);
        rule = misfit.rule().unwrap_or(rule);
        match misfit {
            Misfit::Spelled => verb = "is written as",
            Misfit::Imprecise => expected = "an integer of at most 2^53".to_owned(),
            Misfit::Overflow => expected = "an integer of 64 bits".to_owned(),
            Misfit::Fraction => {}
        }
    }
    let message = match subject(&place.real) {
        None => {
            let noun = schema["title"].as_str().unwrap_or("document");
            if compile::takes(schema, "object") {
                // Not `the manifest is an array, a manifest was expected`.
                expected = "an object".to_owned();
            }
            format!("the {noun} {verb} {found}, {expected} was expected")
        }
        Some(subject) => format!("`{subject}` {verb} {found}, {expected} was expected"),
    };
    let pointer = place.real.clone();
    ShapeFault { pointer, keyword: "type", missing: None, expected, found, message, rule }
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
