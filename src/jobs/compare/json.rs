//! The published shape of a comparison, version 1: `schemas/compare-v1.json`.

use serde::Serialize;

use super::changes::{Change, Changes};
use super::differences::{Aspect, Compared, Difference, Side};
use super::holding::{Kind, Layer, Thing};
use super::{Comparison, Judged};
use crate::finding::Finding;
use crate::location::{At, Location};
use crate::model::Archive;
use crate::read::Verify;

/// The version of the shape.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Published<'a> {
    version: u32,
    tool: Tool,
    same: bool,
    verified: Verify,
    a: Place<'a>,
    b: Place<'a>,
    compared: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Place<'a> {
    place: &'a str,
    sound: bool,
    faults: Vec<Fault<'a>>,
}

#[derive(Serialize)]
struct Fault<'a> {
    rule: &'static str,
    message: &'a str,
    member: Option<String>,
    pointer: Option<&'a str>,
}

#[derive(Serialize)]
struct Item<'a> {
    kind: Kind,
    same: &'a [Aspect],
    a: Option<Held<'a>>,
    b: Option<Held<'a>>,
    differences: Vec<Value<'a>>,
}

#[derive(Serialize)]
struct Held<'a> {
    id: &'a str,
    names: Vec<&'a str>,
    platform: &'a str,
    manifests: Vec<&'a str>,
    layers: Vec<Vec<Stored<'a>>>,
}

#[derive(Serialize)]
struct Stored<'a> {
    digest: Option<&'a str>,
    #[serde(rename = "diffId")]
    diff_id: Option<&'a str>,
    size: u64,
    compression: &'static str,
}

#[derive(Serialize, Default)]
struct Value<'a> {
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    side: Option<Side>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    a: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    b: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<&'a [Change]>,
    #[serde(rename = "moreChanges", skip_serializing_if = "is_none")]
    more: usize,
}

fn is_none(more: &usize) -> bool {
    *more == 0
}

impl Comparison {
    /// As JSON. Each side is its place as it was typed, and the archive.
    pub fn to_json(&self, sides: [(&str, &Archive); 2]) -> String {
        let [(a, in_a), (b, in_b)] = sides;
        let published = Published {
            version: VERSION,
            tool: Tool { name: "restow", version: env!("CARGO_PKG_VERSION") },
            same: self.is_same(),
            verified: self.verify,
            a: place(&self.a, a, in_a),
            b: place(&self.b, b, in_b),
            compared: self.compared.iter().filter_map(item).collect(),
        };
        let mut text = serde_json::to_string_pretty(&published).unwrap_or_default();
        text.push('\n');
        text
    }
}

fn place<'a>(judged: &'a Judged, place: &'a str, archive: &Archive) -> Place<'a> {
    let fault = |finding: &'a Finding| {
        let Location { member, at } = &finding.primary.location;
        Fault {
            rule: finding.rule.name,
            message: &finding.message,
            member: member.map(|member| archive.tree.member(member).name().to_string()),
            pointer: match at {
                At::Pointer(pointer) | At::Key(pointer) => Some(pointer),
                At::Whole | At::Offset(_) | At::Span(_) | At::Entry { .. } => None,
            },
        }
    };
    Place { place, sound: judged.faults.is_empty(), faults: judged.faults.iter().map(fault).collect() }
}

fn item(compared: &Compared) -> Option<Item<'_>> {
    Some(Item {
        kind: compared.thing()?.kind,
        same: &compared.same,
        a: compared.a.as_ref().map(held),
        b: compared.b.as_ref().map(held),
        differences: compared.differences.iter().map(value).collect(),
    })
}

fn held(thing: &Thing) -> Held<'_> {
    Held {
        id: &thing.id,
        names: thing.names.iter().map(String::as_str).collect(),
        platform: &thing.platform,
        manifests: thing.documents.keys().map(String::as_str).collect(),
        layers: thing.arrangements.iter().map(|way| way.0.iter().map(stored).collect()).collect(),
    }
}

fn stored(layer: &Layer) -> Stored<'_> {
    Stored {
        digest: layer.stored.as_ref().map(|digest| digest.as_str()),
        diff_id: layer.diff_id.as_ref().map(|digest| digest.as_str()),
        size: layer.size,
        compression: layer.codec.name(),
    }
}

fn value(difference: &Difference) -> Value<'_> {
    fn both<'a>(what: &'static str, sides: [impl Serialize; 2]) -> Value<'a> {
        let [a, b] = sides.map(|side| serde_json::to_value(side).ok());
        Value { what, a, b, ..Value::default() }
    }
    fn with<'a>(value: Value<'a>, changes: &'a Changes) -> Value<'a> {
        Value { changes: Some(&changes.told), more: changes.more, ..value }
    }
    match difference {
        Difference::Only(side) => Value { what: "only", side: Some(*side), ..Value::default() },
        Difference::Config { ids, changes } => with(both("config", ids.each_ref()), changes),
        Difference::LayerCount(counts) => both("layer-count", *counts),
        Difference::Anew { layer, stored: sides } => Value {
            layer: Some(*layer),
            ..both("layer-compressed-anew", sides.each_ref().map(|side| stored(side)))
        },
        Difference::Other { layer, stored: sides } => {
            Value { layer: Some(*layer), ..both("layer", sides.each_ref().map(|side| stored(side))) }
        }
        Difference::Arrangements(counts) => both("arrangements", *counts),
        Difference::Manifest { digests, changes } => with(both("manifest", digests.each_ref()), changes),
        Difference::Platform(sides) => both("platform", sides.each_ref()),
        Difference::Names(sides) => both("names", sides.each_ref()),
        Difference::Signatures(sides) => both("signatures", sides.each_ref()),
        Difference::Annotations(changes) => with(Value { what: "annotations", ..Value::default() }, changes),
    }
}
