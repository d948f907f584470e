//! The schemas, parsed once, and what they say about themselves.

use std::sync::OnceLock;

use serde_json::Value as Plain;

use super::kind::DocumentKind;

/// What every `$id` begins with.
const URN: &str = "urn:restow:schema:";

/// One for each kind, parsed when it is first asked for.
static SCHEMAS: [OnceLock<Plain>; DocumentKind::ALL.len()] =
    [const { OnceLock::new() }; DocumentKind::ALL.len()];

/// The schema of a kind.
pub fn schema(kind: DocumentKind) -> &'static Plain {
    SCHEMAS[kind as usize]
        .get_or_init(|| serde_json::from_str(kind.text()).expect("a test parses every schema"))
}

/// The subschema at `urn:restow:schema:NAME#POINTER`; JSON `null` if there is none.
pub fn subschema(location: &str) -> &'static Plain {
    let (urn, pointer) = location.split_once('#').unwrap_or((location, ""));
    let name = urn.strip_prefix(URN).unwrap_or(urn);
    let kind = DocumentKind::ALL.into_iter().find(|kind| kind.name() == name);
    kind.and_then(|kind| schema(kind).pointer(pointer)).unwrap_or(&Plain::Null)
}

/// Follows `$ref`, which our schemas write in full even within one file.
pub fn resolve(schema: &'static Plain) -> &'static Plain {
    schema["$ref"].as_str().map_or(schema, subschema)
}

/// Whether the subschema's `type` names this type.
pub fn takes(schema: &Plain, name: &str) -> bool {
    match &schema["type"] {
        Plain::String(only) => only == name,
        Plain::Array(several) => several.iter().any(|item| item == name),
        _ => false,
    }
}

/// What a subschema asks for, in words: `an array of descriptors`, `an integer`. `null` goes without saying.
pub fn phrase(schema: &'static Plain) -> String {
    let schema = resolve(schema);
    let types: Vec<&str> = match &schema["type"] {
        Plain::String(only) => vec![only],
        Plain::Array(several) => several.iter().filter_map(Plain::as_str).filter(|t| *t != "null").collect(),
        _ => Vec::new(),
    };
    let words: Vec<String> = types
        .iter()
        .map(|name| match *name {
            "array" => format!("an array of {}s", noun(&schema["items"])),
            _ => with_article(noun_of_type(schema, name)),
        })
        .collect();
    if words.is_empty() { "something else".to_owned() } else { words.join(" or ") }
}

/// The noun for what a subschema describes.
fn noun(schema: &'static Plain) -> &'static str {
    let schema = resolve(schema);
    noun_of_type(schema, schema["type"].as_str().unwrap_or("value"))
}

fn noun_of_type<'a>(schema: &'a Plain, name: &'a str) -> &'a str {
    match schema["title"].as_str() {
        Some(title) if name == "object" => title,
        _ => name,
    }
}

fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}
