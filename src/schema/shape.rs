//! What a schema asks of a value, taken out of its JSON once: an archive may have a hundred thousand configs.
//!
//! The schemas use nine words of JSON Schema (a test holds them to it): `type`, `required`, `properties`,
//! `additionalProperties`, `items`, `$ref`, `if`, `else` and `$defs`. A validator of the whole language takes a tree of its
//! own, a megabyte of the program and its regular expressions; the tests have one beside this, over every document of
//! theirs.

use std::sync::OnceLock;

use serde_json::Value as Plain;

use super::kind::DocumentKind;
use super::text;
use crate::json::{Kind, Value};

/// The greatest integer that every JSON reader keeps exactly, 2^53 (RFC 7493 section 2.2).
const EXACT: i64 = 1 << 53;

/// Why a number does not do as an integer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Misfit {
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
    pub fn rule(self) -> Option<&'static str> {
        match self {
            Misfit::Spelled => Some("json/number-not-integer"),
            Misfit::Imprecise => Some("json/integer-too-large"),
            Misfit::Overflow | Misfit::Fraction => None,
        }
    }

    /// Of a number's text; none if it does as an integer.
    pub fn of(text: &str) -> Option<Misfit> {
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

/// One part of a schema.
pub struct Shape {
    /// The part itself, by which it is told from others and spoken of.
    pub plain: &'static Plain,
    /// A bit for each type of JSON that it takes, see [`bit`]; none where it names no type.
    types: Option<u8>,
    /// Members that an object must have.
    pub required: Box<[&'static str]>,
    /// By name, as in the schema's own tree.
    properties: Box<[(&'static str, Shape)]>,
    /// Of members that are not among them.
    additional: Option<Box<Shape>>,
    /// Of an array's items.
    pub items: Option<Box<Shape>>,
    /// Where a value is not as the first says, the second counts, too.
    pub otherwise: Option<Box<(Shape, Shape)>>,
    /// What `$ref` leads to. Found when it is first asked for: schemas refer to each other.
    referred: Option<Box<OnceLock<Shape>>>,
}

/// One for each kind, made when it is first asked for.
static SHAPES: [OnceLock<Shape>; DocumentKind::ALL.len()] =
    [const { OnceLock::new() }; DocumentKind::ALL.len()];

impl Shape {
    /// Of whole documents of a kind.
    pub fn of_kind(kind: DocumentKind) -> &'static Shape {
        SHAPES[kind as usize].get_or_init(|| Shape::of(text::schema(kind)))
    }

    fn of(plain: &'static Plain) -> Shape {
        let part = |word: &str| plain.get(word).map(Shape::of);
        let properties = plain["properties"].as_object().into_iter().flatten();
        Shape {
            plain,
            types: plain.get("type").is_some().then(|| types(plain)),
            required: plain["required"].as_array().into_iter().flatten().filter_map(Plain::as_str).collect(),
            properties: properties.map(|(name, plain)| (name.as_str(), Shape::of(plain))).collect(),
            additional: part("additionalProperties").map(Box::new),
            items: part("items").map(Box::new),
            otherwise: part("if").zip(part("else")).map(Box::new),
            referred: plain.get("$ref").is_some().then(Box::default),
        }
    }

    /// What it refers to.
    pub fn referred(&'static self) -> Option<&'static Shape> {
        let referred = self.referred.as_ref()?;
        Some(referred.get_or_init(|| Shape::of(text::resolve(self.plain))))
    }

    /// What it asks of the member of this name.
    pub fn member(&self, name: &str) -> Option<&Shape> {
        match self.properties.binary_search_by(|(known, _)| (*known).cmp(name)) {
            Ok(at) => Some(&self.properties[at].1),
            Err(_) => self.additional.as_deref(),
        }
    }

    /// Whether a value is of one of the types that it names; of any, where it names none.
    pub fn takes(&self, value: &Value) -> bool {
        let Some(types) = self.types else { return true };
        types & bit(&value.kind) != 0
            && !matches!(&value.kind, Kind::Number(text) if Misfit::of(text).is_some())
    }
}

fn bit(kind: &Kind) -> u8 {
    match kind {
        Kind::Null => 1,
        Kind::Bool(_) => 2,
        Kind::Number(_) => 4,
        Kind::String(_) => 8,
        Kind::Array(_) => 16,
        Kind::Object(_) => 32,
    }
}

/// The types that a part of a schema names. Its numbers are integers.
fn types(plain: &Plain) -> u8 {
    let names = ["null", "boolean", "integer", "string", "array", "object"];
    (0..).zip(names).map(|(at, name)| u8::from(text::takes(plain, name)) << at).sum()
}
