//! A document beside its schema: one walk over the tree that the parser made.
//!
//! The schemas use nine words of JSON Schema (a test holds them to it): `type`, `required`, `properties`,
//! `additionalProperties`, `items`, `$ref`, `if`, `else` and `$defs`. A validator of the whole language takes a tree of its
//! own, a megabyte of the program and its regular expressions; the tests have one beside this, over every document of
//! theirs.

use std::collections::HashMap;
use std::ptr;

use serde_json::Value as Plain;

use super::kind::DocumentKind;
use super::text::{self, takes};
use crate::json::fold::is_field;
use crate::json::pointer::escape;
use crate::json::{Anomaly, Json, Kind, Member, Value};

/// The greatest integer that every JSON reader keeps exactly, 2^53 (RFC 7493 section 2.2).
const EXACT: i64 = 1 << 53;

/// Member names of `manifest.json`, formats.md A.0.
const ARCHIVE_MEMBERS: [&str; 5] = ["Config", "RepoTags", "Layers", "Parent", "LayerSources"];

/// Why a number does not do as an integer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Misfit {
    /// An integer by value, with a fraction or exponent in its text: draft 2020-12 counts `1.0` as one, and Go does not.
    Spelled,
    /// Beyond 2^53, where numbers of other readers lose digits (RFC 7493 section 2.2).
    Imprecise,
    /// Does not fit in 64 bits, so that no reader takes it.
    Overflow,
    /// No integer at all.
    Fraction,
}

impl Misfit {
    /// The rule that reports it, if it has one of its own.
    pub(super) fn rule(self) -> Option<&'static str> {
        match self {
            Misfit::Spelled => Some("json/number-not-integer"),
            Misfit::Imprecise => Some("json/integer-too-large"),
            Misfit::Overflow | Misfit::Fraction => None,
        }
    }

    /// Of a number's text; none if it does as an integer.
    pub(super) fn of(text: &str) -> Option<Misfit> {
        if !text.contains(['.', 'e', 'E']) {
            return match text.parse::<i64>() {
                Ok(value) if (-EXACT..=EXACT).contains(&value) => None,
                Ok(_) => Some(Misfit::Imprecise),
                Err(_) => Some(Misfit::Overflow),
            };
        }
        match text.parse::<f64>() {
            Ok(value) if value.fract() == 0.0 => Some(Misfit::Spelled),
            _ => Some(Misfit::Fraction),
        }
    }
}

/// One thing that does not fit, where the walk stands.
pub struct Fault<'a> {
    /// The value that is wrong, or the object that lacks a member.
    pub value: &'a Value,
    /// The part of a schema that it does not fit.
    pub schema: &'static Plain,
    /// The member that is missing; none if the value's type is wrong.
    pub missing: Option<&'static str>,
    /// The pointer by the names that the schema knows, by which rules are named.
    pub canonical: String,
    /// The pointer in the document; differs from `canonical` by the case of names.
    pub real: String,
}

/// What does not fit the kind's schema, in document order, missing members of one object by name. Of duplicate members the
/// last is judged.
pub fn walk<'a>(kind: DocumentKind, json: &'a Json, tell: &mut dyn FnMut(Fault<'a>)) {
    let is_duplicate = |anomaly: &Anomaly| matches!(anomaly, Anomaly::DuplicateKey { .. });
    let repeats = json.anomalies.iter().any(is_duplicate) || kind == DocumentKind::DockerArchiveManifest;
    Walk { kind, repeats, path: Vec::new(), tell }.visit(&json.root, &[text::schema(kind)]);
}

struct Walk<'a, 't> {
    kind: DocumentKind,
    /// Whether an object may have two members that are judged under one name.
    repeats: bool,
    /// How to come here.
    path: Vec<Step<'a>>,
    tell: &'t mut dyn FnMut(Fault<'a>),
}

enum Step<'a> {
    Item(usize),
    /// The name by which it is judged, and the one that stands there.
    Member(&'a str, &'a str),
}

impl<'a> Walk<'a, '_> {
    fn visit(&mut self, value: &'a Value, schemas: &[&'static Plain]) {
        let (fitting, wrong): (Vec<_>, Vec<_>) =
            holding(value, schemas).into_iter().partition(|schema| fits(value, schema));
        for schema in wrong {
            self.fault(value, schema, None);
        }
        match &value.kind {
            Kind::Array(items) => self.items(items, &fitting),
            Kind::Object(members) => {
                let names = Names::of(self.kind, self.path.len(), members);
                self.missing(value, &names, &fitting);
                self.members(members, &names, &fitting);
            }
            _ => {}
        }
    }

    fn missing(&mut self, object: &'a Value, names: &Names, schemas: &[&'static Plain]) {
        let asked = |schema: &'static Plain| {
            let asked = schema["required"].as_array().into_iter().flatten().filter_map(Plain::as_str);
            asked.map(move |name| (name, schema))
        };
        let is_there =
            |name: &str| object.members().iter().any(|member| names.canonical(&member.key) == name);
        let mut missing: Vec<_> =
            schemas.iter().flat_map(|schema| asked(schema)).filter(|(name, _)| !is_there(name)).collect();
        missing.sort_by_key(|(name, _)| *name);
        for (name, schema) in missing {
            self.fault(object, schema, Some(name));
        }
    }

    fn items(&mut self, items: &'a [Value], schemas: &[&'static Plain]) {
        let below: Vec<_> = schemas.iter().filter_map(|schema| schema.get("items")).collect();
        if below.is_empty() {
            return;
        }
        for (index, item) in items.iter().enumerate() {
            self.path.push(Step::Item(index));
            self.visit(item, &below);
            self.path.pop();
        }
    }

    fn members(&mut self, members: &'a [Member], names: &Names, schemas: &[&'static Plain]) {
        // Where each name stands last.
        let each = || members.iter().enumerate().map(|(at, member)| (names.canonical(&member.key), at));
        let last: Option<HashMap<&str, usize>> = self.repeats.then(|| each().collect());
        for (index, member) in members.iter().enumerate() {
            let name = names.canonical(&member.key);
            let of = |schema: &'static Plain| match schema["properties"].get(name) {
                Some(property) => Some(property),
                None => schema.get("additionalProperties"),
            };
            let below: Vec<_> = schemas.iter().filter_map(|schema| of(schema)).collect();
            if below.is_empty() {
                continue;
            }
            if last.as_ref().is_some_and(|last| last.get(name) != Some(&index)) {
                continue;
            }
            self.path.push(Step::Member(name, &member.key));
            self.visit(&member.value, &below);
            self.path.pop();
        }
    }

    fn fault(&mut self, value: &'a Value, schema: &'static Plain, missing: Option<&'static str>) {
        let (mut canonical, mut real) = (String::new(), String::new());
        for step in &self.path {
            let index;
            let (name, key) = match step {
                Step::Item(at) => {
                    index = at.to_string();
                    (index.as_str(), index.as_str())
                }
                Step::Member(name, key) => (*name, *key),
            };
            for (pointer, token) in [(&mut canonical, name), (&mut real, key)] {
                pointer.push('/');
                pointer.push_str(&escape(token));
            }
        }
        (self.tell)(Fault { value, schema, missing, canonical, real });
    }
}

/// The schemas that a value has to fit: what is referred to, too, and of `if` and `else` what holds; each once.
fn holding(value: &Value, schemas: &[&'static Plain]) -> Vec<&'static Plain> {
    let mut open: Vec<&'static Plain> = schemas.iter().rev().copied().collect();
    let mut found: Vec<&'static Plain> = Vec::new();
    while let Some(schema) = open.pop() {
        if found.iter().any(|known| ptr::eq(*known, schema)) {
            continue;
        }
        found.push(schema);
        if schema.get("$ref").is_some() {
            open.push(text::resolve(schema));
        }
        if let (Some(condition), Some(otherwise)) = (schema.get("if"), schema.get("else"))
            && !fits(value, condition)
        {
            open.push(otherwise);
        }
    }
    found
}

/// Whether a value is of one of the types that the schema names; of any, where it names none.
fn fits(value: &Value, schema: &Plain) -> bool {
    if schema.get("type").is_none() {
        return true;
    }
    match &value.kind {
        Kind::Null => takes(schema, "null"),
        Kind::Bool(_) => takes(schema, "boolean"),
        Kind::Number(text) => takes(schema, "integer") && Misfit::of(text).is_none(),
        Kind::String(_) => takes(schema, "string"),
        Kind::Array(_) => takes(schema, "array"),
        Kind::Object(_) => takes(schema, "object"),
    }
}

/// Names under which the members of one object are judged: their own, but in the items of `manifest.json` the known name
/// that one equals ignoring case, unless that name itself is there too.
struct Names {
    /// Which of [`ARCHIVE_MEMBERS`] other spellings stand for; none where names count as they are.
    folded: [bool; ARCHIVE_MEMBERS.len()],
}

impl Names {
    fn of(kind: DocumentKind, depth: usize, members: &[Member]) -> Names {
        let here = kind == DocumentKind::DockerArchiveManifest && depth == 1;
        let folded = ARCHIVE_MEMBERS.map(|known| here && !members.iter().any(|member| &*member.key == known));
        Names { folded }
    }

    fn canonical<'k>(&self, key: &'k str) -> &'k str {
        let mut known = ARCHIVE_MEMBERS.iter().zip(self.folded);
        known.find(|(known, folded)| *folded && is_field(known, key)).map_or(key, |(known, _)| known)
    }
}
