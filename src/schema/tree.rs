//! From our tree to the one that `jsonschema` reads, and from its pointers back to places.

use std::collections::HashMap;

use serde_json::{Map, Value as Plain};

use super::kind::DocumentKind;
use crate::json::fold::is_field;
use crate::json::pointer::escape;
use crate::json::{Kind, Value};

/// The greatest integer that every JSON reader keeps exactly, 2^53 (RFC 7493 section 2.2).
const EXACT: i64 = 1 << 53;
/// Numbers that are no integers: they stand for every number that does not do as one, and tell why.
const NO_INTEGERS: [(f64, Misfit); 4] =
    [(0.5, Misfit::Fraction), (1.5, Misfit::Spelled), (2.5, Misfit::Imprecise), (3.5, Misfit::Overflow)];

/// Member names of `manifest.json`, formats.md A.0.
const ARCHIVE_MEMBERS: [&str; 5] = ["Config", "RepoTags", "Layers", "Parent", "LayerSources"];

/// Why a number does not do as an integer (`tree::number` lets only the others through).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Misfit {
    /// An integer by value, with a fraction or exponent in its text.
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

    pub(super) fn of(text: &str) -> Misfit {
        if !text.contains(['.', 'e', 'E']) {
            return if text.parse::<i64>().is_ok() { Misfit::Imprecise } else { Misfit::Overflow };
        }
        match text.parse::<f64>() {
            Ok(value) if value.fract() == 0.0 => Misfit::Spelled,
            _ => Misfit::Fraction,
        }
    }
}

/// The tree that is validated. Of duplicate members the last remains.
pub fn plain(kind: DocumentKind, root: &Value) -> Plain {
    convert(kind, root, 0)
}

fn convert(kind: DocumentKind, value: &Value, depth: usize) -> Plain {
    match &value.kind {
        Kind::Null => Plain::Null,
        Kind::Bool(value) => Plain::Bool(*value),
        Kind::Number(text) => number(text),
        Kind::String(text) => Plain::String(text.to_string()),
        Kind::Array(items) => items.iter().map(|item| convert(kind, item, depth + 1)).collect(),
        Kind::Object(members) => {
            let mut map = Map::new();
            for member in members {
                let name = canonical_name(kind, depth, value, &member.key);
                map.insert(name.to_owned(), convert(kind, &member.value, depth + 1));
            }
            Plain::Object(map)
        }
    }
}

/// The number if it is written as a plain integer within ±2^53, else one of [`NO_INTEGERS`].
///
/// Draft 2020-12 counts `1.0` as an integer and Go does not, so such numbers must fail where an integer is
/// wanted; their text then tells why. No schema of ours wants a number that is no integer.
fn number(text: &str) -> Plain {
    match text.parse::<i64>() {
        Ok(value) if (-EXACT..=EXACT).contains(&value) => value.into(),
        _ => {
            let why = Misfit::of(text);
            NO_INTEGERS.iter().find(|(_, misfit)| *misfit == why).map_or(0.5, |(number, _)| *number).into()
        }
    }
}

/// Why a number of the validated tree does not do as an integer.
pub fn misfit(value: &Plain) -> Option<Misfit> {
    let number = value.as_f64()?;
    NO_INTEGERS.iter().find(|(found, _)| *found == number).map(|(_, misfit)| *misfit)
}

/// The name under which a member is validated: its own, but in the items of `manifest.json` the known name
/// that it equals ignoring case, unless that name itself is there too.
fn canonical_name<'a>(kind: DocumentKind, depth: usize, object: &Value, key: &'a str) -> &'a str {
    if kind != DocumentKind::DockerArchiveManifest || depth != 1 {
        return key;
    }
    match ARCHIVE_MEMBERS.iter().find(|known| is_field(known, key)) {
        Some(known) if object.entry(known).is_none() => known,
        _ => key,
    }
}

/// Where a pointer leads.
pub struct Place<'a> {
    /// The value.
    pub value: &'a Value,
    /// Pointer in the validated tree.
    pub canonical: String,
    /// Pointer in the document; differs from `canonical` by the case of names.
    pub real: String,
}

/// Finds all pointers in one walk, since looking each up would be quadratic in a hostile document.
pub fn places<'a, 'p>(
    kind: DocumentKind,
    root: &'a Value,
    pointers: impl Iterator<Item = &'p str>,
) -> HashMap<&'p str, Place<'a>> {
    let mut walk = Walk { kind, found: pointers.map(|pointer| (pointer, None)).collect() };
    walk.visit(root, 0, &mut String::new(), &mut String::new());
    walk.found.into_iter().filter_map(|(pointer, place)| Some((pointer, place?))).collect()
}

struct Walk<'a, 'p> {
    kind: DocumentKind,
    found: HashMap<&'p str, Option<Place<'a>>>,
}

impl<'a> Walk<'a, '_> {
    fn visit(&mut self, value: &'a Value, depth: usize, canonical: &mut String, real: &mut String) {
        if let Some(place) = self.found.get_mut(canonical.as_str()) {
            // A later duplicate takes the place of an earlier one, as in the validated tree.
            *place = Some(Place { value, canonical: canonical.clone(), real: real.clone() });
        }
        let kind = self.kind;
        let (canonical_length, real_length) = (canonical.len(), real.len());
        let mut step = |name: &str, key: &str, child: &'a Value| {
            for (pointer, token) in [(&mut *canonical, name), (&mut *real, key)] {
                pointer.push('/');
                pointer.push_str(&escape(token));
            }
            self.visit(child, depth + 1, canonical, real);
            canonical.truncate(canonical_length);
            real.truncate(real_length);
        };
        match &value.kind {
            Kind::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let index = index.to_string();
                    step(&index, &index, item);
                }
            }
            Kind::Object(members) => {
                for member in members {
                    step(canonical_name(kind, depth, value, &member.key), &member.key, &member.value);
                }
            }
            _ => {}
        }
    }
}
