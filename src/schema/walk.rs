//! A document beside the shape of its kind: one walk over the tree that the parser made.

use std::collections::HashMap;
use std::ptr;

use serde_json::Value as Plain;

use super::kind::DocumentKind;
use super::shape::Shape;
use crate::json::fold::is_field;
use crate::json::pointer::escape;
use crate::json::{Anomaly, Json, Kind, Member, Value};

/// Member names of `manifest.json`, formats.md A.0.
const ARCHIVE_MEMBERS: [&str; 5] = ["Config", "RepoTags", "Layers", "Parent", "LayerSources"];

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
    let shapes = vec![Shape::of_kind(kind)];
    Walk { kind, repeats, path: Vec::new(), shapes, tell }.visit(&json.root, 0);
}

struct Walk<'a, 't> {
    kind: DocumentKind,
    /// Whether an object may have two members that are judged under one name.
    repeats: bool,
    /// How to come here.
    path: Vec<Step<'a>>,
    /// What the values on the way here have to fit: a stack, since documents have many values and each few shapes.
    shapes: Vec<&'static Shape>,
    tell: &'t mut dyn FnMut(Fault<'a>),
}

enum Step<'a> {
    Item(usize),
    /// The name by which it is judged, and the one that stands there.
    Member(&'a str, &'a str),
}

impl<'a> Walk<'a, '_> {
    /// Judges a value by the shapes from `asked` on.
    fn visit(&mut self, value: &'a Value, asked: usize) {
        let held = self.shapes.len();
        for at in asked..held {
            self.hold(value, self.shapes[at], held);
        }
        let mut fitting = held;
        for at in held..self.shapes.len() {
            let shape = self.shapes[at];
            if shape.takes(value) {
                self.shapes[fitting] = shape;
                fitting += 1;
            } else {
                self.fault(value, shape, None);
            }
        }
        self.shapes.truncate(fitting);
        match &value.kind {
            Kind::Array(items) => self.items(items, held),
            Kind::Object(members) => {
                let names = Names::of(self.kind, self.path.len(), members);
                self.missing(value, &names, held);
                self.members(members, &names, held);
            }
            _ => {}
        }
        self.shapes.truncate(held);
    }

    /// Puts a shape on the stack, and those that it brings for this value: of `if` and `else` what holds, and what is
    /// referred to; each once from `held` on.
    fn hold(&mut self, value: &Value, shape: &'static Shape, held: usize) {
        if self.shapes[held..].iter().any(|known| ptr::eq(known.plain, shape.plain)) {
            return;
        }
        self.shapes.push(shape);
        if let Some((condition, otherwise)) = shape.otherwise.as_deref()
            && !condition.takes(value)
        {
            self.hold(value, otherwise, held);
        }
        if let Some(referred) = shape.referred() {
            self.hold(value, referred, held);
        }
    }

    fn missing(&mut self, object: &'a Value, names: &Names, held: usize) {
        let is_there =
            |name: &str| object.members().iter().any(|member| names.canonical(&member.key) == name);
        let mut missing: Vec<(&'static str, &'static Shape)> = Vec::new();
        for shape in &self.shapes[held..] {
            missing.extend(shape.required.iter().filter(|name| !is_there(name)).map(|name| (*name, *shape)));
        }
        missing.sort_by_key(|(name, _)| *name);
        for (name, shape) in missing {
            self.fault(object, shape, Some(name));
        }
    }

    fn items(&mut self, items: &'a [Value], held: usize) {
        let below = self.below(held, |shape| shape.items.as_deref());
        if below < self.shapes.len() {
            for (index, item) in items.iter().enumerate() {
                self.path.push(Step::Item(index));
                self.visit(item, below);
                self.path.pop();
            }
        }
    }

    fn members(&mut self, members: &'a [Member], names: &Names, held: usize) {
        // Where each name stands last.
        let each = || members.iter().enumerate().map(|(at, member)| (names.canonical(&member.key), at));
        let last: Option<HashMap<&str, usize>> = self.repeats.then(|| each().collect());
        for (index, member) in members.iter().enumerate() {
            let name = names.canonical(&member.key);
            if last.as_ref().is_some_and(|last| last.get(name) != Some(&index)) {
                continue;
            }
            let below = self.below(held, |shape| shape.member(name));
            if below < self.shapes.len() {
                self.path.push(Step::Member(name, &member.key));
                self.visit(&member.value, below);
                self.path.pop();
            }
            self.shapes.truncate(below);
        }
    }

    /// Puts on the stack what the shapes from `held` on ask of a part; where that begins.
    fn below(&mut self, held: usize, part: impl Fn(&'static Shape) -> Option<&'static Shape>) -> usize {
        let below = self.shapes.len();
        for at in held..below {
            self.shapes.extend(part(self.shapes[at]));
        }
        below
    }

    fn fault(&mut self, value: &'a Value, shape: &Shape, missing: Option<&'static str>) {
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
        (self.tell)(Fault { value, schema: shape.plain, missing, canonical, real });
    }
}

/// Names under which the members of one object are judged: their own, but in the items of `manifest.json` the known name
/// that one equals ignoring case, unless that name itself is there too.
struct Names {
    /// Which of [`ARCHIVE_MEMBERS`] other spellings stand for; nothing where names count as they are.
    folded: Option<[bool; ARCHIVE_MEMBERS.len()]>,
}

impl Names {
    fn of(kind: DocumentKind, depth: usize, members: &[Member]) -> Names {
        let here = kind == DocumentKind::DockerArchiveManifest && depth == 1;
        let is_free = |known: &str| !members.iter().any(|member| &*member.key == known);
        Names { folded: here.then(|| ARCHIVE_MEMBERS.map(is_free)) }
    }

    fn canonical<'k>(&self, key: &'k str) -> &'k str {
        let Some(folded) = self.folded else { return key };
        let mut known = ARCHIVE_MEMBERS.iter().zip(folded);
        known.find(|(known, folded)| *folded && is_field(known, key)).map_or(key, |(known, _)| known)
    }
}
