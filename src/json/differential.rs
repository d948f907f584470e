//! Tests of the parser against serde_json: the same verdict and the same value for any text.

use proptest::prelude::*;
use serde_json::Value as Serde;

use super::{Anomaly, Kind, Value, parse};

/// Nesting that serde_json accepts.
const SERDE_DEPTH: usize = 127;

/// Any value that serde_json can print, with names that often repeat.
pub(super) fn any_value() -> impl Strategy<Value = Serde> {
    let key = prop_oneof![3 => "[abc]", 1 => any::<String>()];
    let scalar = prop_oneof![
        Just(Serde::Null),
        any::<bool>().prop_map(Serde::from),
        any::<i64>().prop_map(Serde::from),
        any::<u64>().prop_map(Serde::from),
        any::<f64>().prop_map(Serde::from),
        any::<String>().prop_map(Serde::from),
    ];
    scalar.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Serde::from),
            prop::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|members| Serde::Object(members.into_iter().collect())),
        ]
    })
}

/// `value` printed compactly or with white space.
pub(super) fn print(value: &Serde, pretty: bool) -> Vec<u8> {
    if pretty { serde_json::to_vec_pretty(value) } else { serde_json::to_vec(value) }.expect("printable")
}

/// What serde_json makes of the same text.
fn to_serde(value: &Value) -> Serde {
    match &value.kind {
        Kind::Null => Serde::Null,
        Kind::Bool(flag) => Serde::from(*flag),
        Kind::Number(text) => serde_json::from_str(text).expect("a number in range"),
        Kind::String(text) => Serde::from(&**text),
        Kind::Array(items) => items.iter().map(to_serde).collect(),
        Kind::Object(members) => {
            Serde::Object(members.iter().map(|m| (m.key.to_string(), to_serde(&m.value))).collect())
        }
    }
}

/// Checks that children lie inside their parents, in order, and that every span reads as what it holds.
fn check_spans(text: &[u8], value: &Value) {
    let read = parse(&text[value.span.start..value.span.end], SERDE_DEPTH).expect("a value");
    assert_eq!(read.root.span.end, value.span.end - value.span.start);
    assert_eq!(std::mem::discriminant(&read.root.kind), std::mem::discriminant(&value.kind));
    let mut behind = value.span.start + 1;
    for member in value.members() {
        let name = parse(&text[member.key_span.start..member.key_span.end], 0).expect("a string");
        assert_eq!(name.root.as_str(), Some(&*member.key));
        assert!(behind <= member.key_span.start && member.key_span.end < member.value.span.start);
        behind = member.value.span.end;
        check_spans(text, &member.value);
    }
    for item in value.items() {
        assert!(behind <= item.span.start);
        behind = item.span.end;
        check_spans(text, item);
    }
    if value.is_array() || value.is_object() {
        assert!(behind < value.span.end);
    }
}

/// Compares the verdict on `text` with serde_json's; the differences allowed are those of
/// docs/architecture.md#own-json.
fn compare(text: &[u8]) {
    let theirs = serde_json::from_slice::<Serde>(text);
    match (parse(text, SERDE_DEPTH), theirs) {
        (Ok(json), Ok(value)) => {
            let odd = |a: &Anomaly| !matches!(a, Anomaly::DuplicateKey { .. });
            assert!(!json.anomalies.iter().any(odd), "{:?} in {text:?}", json.anomalies);
            assert_eq!(to_serde(&json.root), value);
            check_spans(text, &json.root);
        }
        (Ok(json), Err(error)) => {
            let odd = json.anomalies.iter().any(|a| !matches!(a, Anomaly::DuplicateKey { .. }));
            assert!(odd || error.to_string().starts_with("number out of range"), "{error}: {text:?}");
            check_spans(text, &json.root);
        }
        (Err(error), Ok(_)) => panic!("{error} at {}: {text:?}", error.offset),
        (Err(error), Err(_)) => assert!(error.offset <= text.len()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn reads_what_serde_json_prints(value in any_value(), pretty: bool) {
        let text = print(&value, pretty);
        let json = parse(&text, SERDE_DEPTH).expect("valid JSON");
        prop_assert!(json.anomalies.is_empty());
        prop_assert_eq!(to_serde(&json.root), value);
    }

    #[test]
    fn mutated_documents_get_the_verdict_of_serde_json(
        value in any_value(),
        pretty: bool,
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..4u8, any::<u8>()), 0..4),
    ) {
        let mut text = print(&value, pretty);
        for (place, change, byte) in changes {
            let at = place.index(text.len() + 1);
            let token = b"{}[],:\"\\0-.eEu\n dD8tfn/\xef"[usize::from(byte) % 24];
            match change {
                0 => text.insert(at, token),
                1 => text.insert(at, byte),
                2 if at < text.len() => drop(text.remove(at)),
                _ if at < text.len() => text[at] = byte,
                _ => text.truncate(at / 2),
            }
        }
        compare(&text);
    }

    #[test]
    fn token_soup_gets_the_verdict_of_serde_json(
        text in r#"([\[\]{},:\\ \t\n\x0b]|"[ab]":|"[ab]"|\\u[dD][89c-f]0[0-9a-g]|-?[01]{1,3}(\.[0-9])?([eE][+-]?[0-9]{1,3})?|true|nul{0,2}|"){0,12}"#,
    ) {
        compare(text.as_bytes());
        // Most soups fail at once; inside a string the escapes get their turn.
        compare(format!("[\"{text}\"]").as_bytes());
    }
}
