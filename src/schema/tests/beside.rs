//! Beside a validator of the whole language: what fits, and what does not and why, is the same.

use std::collections::BTreeSet;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Registry, Validator};
use proptest::prelude::*;
use serde_json::{Map, Value as Plain};

use super::{FAULTS, SOUND};
use crate::json::{self, Json, Kind};
use crate::schema::shape::Misfit;
use crate::schema::walk;
use crate::schema::{DocumentKind, text};

/// The validator of a kind, which may refer to the other schemas.
fn validator(kind: DocumentKind) -> Validator {
    let resources =
        DocumentKind::ALL.map(|kind| (format!("urn:restow:schema:{}", kind.name()), text::schema(kind)));
    let registry =
        Registry::new().extend(resources).and_then(|registry| registry.prepare()).expect("schemas");
    jsonschema::options().with_registry(&registry).offline().build(text::schema(kind)).expect("a schema")
}

/// The document as that validator reads it. A number that does not do as an integer is half of one: draft 2020-12 takes
/// `1.0` for an integer, and Go does not.
fn plain(value: &json::Value) -> Plain {
    match &value.kind {
        Kind::Null => Plain::Null,
        Kind::Bool(value) => Plain::Bool(*value),
        Kind::Number(text) if Misfit::of(text).is_some() => 0.5.into(),
        Kind::Number(text) => text.parse::<i64>().expect("an integer").into(),
        Kind::String(text) => Plain::String(text.to_string()),
        Kind::Array(items) => items.iter().map(plain).collect(),
        Kind::Object(members) => {
            // Of duplicates the last remains.
            let of = members.iter().map(|member| (member.key.to_string(), plain(&member.value)));
            Plain::Object(of.collect::<Map<_, _>>())
        }
    }
}

type Found = BTreeSet<(String, &'static str, Option<String>)>;

fn theirs(validator: &Validator, document: &Json) -> Found {
    let document = plain(&document.root);
    let found = validator.iter_errors(&document).map(|error| {
        let pointer = error.instance_path().as_str().to_owned();
        match error.kind() {
            ValidationErrorKind::Required { property } => {
                (pointer, "required", property.as_str().map(str::to_owned))
            }
            ValidationErrorKind::Type { .. } => (pointer, "type", None),
            other => panic!("no schema asks for {other:?}"),
        }
    });
    found.collect()
}

fn ours(kind: DocumentKind, document: &Json) -> Found {
    let mut found = Found::new();
    walk::walk(kind, document, &mut |fault| {
        let keyword = if fault.missing.is_some() { "required" } else { "type" };
        found.insert((fault.canonical, keyword, fault.missing.map(str::to_owned)));
    });
    found
}

/// Names that differ in case are those of `manifest.json` alone, which JSON Schema cannot say.
fn told_alike(kind: DocumentKind, text: &str) -> bool {
    !(kind == DocumentKind::DockerArchiveManifest && (text.contains("config\"") || text.contains("layers\"")))
}

#[test]
fn every_document_of_the_tests_for_every_kind() {
    let texts = SOUND.iter().map(|(_, text)| *text).chain(FAULTS.iter().map(|(_, text, _)| *text));
    let texts: Vec<&str> = texts.collect();
    let mut faulty = 0;
    for kind in DocumentKind::ALL {
        let validator = validator(kind);
        for text in texts.iter().filter(|text| told_alike(kind, text)) {
            let document = json::parse(text.as_bytes(), 64).expect("JSON");
            let found = ours(kind, &document);
            faulty += usize::from(!found.is_empty());
            assert_eq!(found, theirs(&validator, &document), "{kind:?} {text}");
        }
    }
    assert!(faulty > 300, "{faulty}");
}

/// Values that go where a document has others.
const OTHERS: &[&str] = &[
    "null",
    "true",
    "0",
    "-1",
    "1.0",
    "1.5",
    "1e400",
    "9007199254740993",
    "\"x\"",
    "[]",
    "[null,1,{}]",
    "{}",
    "{\"a\":1}",
];

/// The text with the value that stands at this place of it (counted by order) replaced, or its member left out.
fn altered(text: &str, place: usize, other: Option<&str>) -> Option<String> {
    fn spans(value: &json::Value, found: &mut Vec<(json::Span, json::Span)>) {
        for item in value.items() {
            found.push((item.span, item.span));
            spans(item, found);
        }
        for member in value.members() {
            let whole = json::Span { start: member.key_span.start, end: member.value.span.end };
            found.push((member.value.span, whole));
            spans(&member.value, found);
        }
    }
    let document = json::parse(text.as_bytes(), 64).ok()?;
    let mut found = vec![(document.root.span, document.root.span)];
    spans(&document.root, &mut found);
    let (value, whole) = found[place % found.len()];
    Some(match other {
        Some(other) => format!("{}{other}{}", &text[..value.start], &text[value.end..]),
        // A name that nobody knows in its place.
        None => format!("{}\"gone\":0{}", &text[..whole.start], &text[whole.end..]),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn altered_documents(
        document in 0..SOUND.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(0..OTHERS.len())), 1..4),
    ) {
        let (kind, sound) = SOUND[document];
        let mut text = sound.to_owned();
        for (place, other) in changes {
            let other = other.map(|index| OTHERS[index]);
            if let Some(next) = altered(&text, place.index(1000), other)
                && json::parse(next.as_bytes(), 64).is_ok()
            {
                text = next;
            }
        }
        prop_assume!(told_alike(kind, &text));
        let document = json::parse(text.as_bytes(), 64).expect("JSON");
        prop_assert_eq!(ours(kind, &document), theirs(&validator(kind), &document), "{:?} {}", kind, text);
    }
}
