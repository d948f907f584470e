//! JSON: the verdict and the value of serde_json, and edits that touch nothing else.

use restow::json::{Anomaly, Kind, Value, parse};
use serde_json::Value as Serde;

/// Nesting that serde_json accepts.
const DEPTH: usize = 127;

/// Parses; compares with serde_json.
///
/// Allowed differences: serde_json refuses numbers beyond `f64` and takes what we note as an anomaly (a repeated name);
/// we note, and it refuses, bytes that are not UTF-8, lone surrogates, a byte order mark and bytes after the value.
pub fn run(data: &[u8]) {
    let Ok(ours) = parse(data, DEPTH) else {
        assert!(serde_json::from_slice::<Serde>(data).is_err(), "only serde_json takes it");
        return;
    };
    nested(data, &ours.root);
    match serde_json::from_slice::<Serde>(data) {
        Ok(theirs) => {
            let repeated = |anomaly: &Anomaly| matches!(anomaly, Anomaly::DuplicateKey { .. });
            assert!(ours.anomalies.iter().all(repeated), "{:?}", ours.anomalies);
            assert!(same(&ours.root, &theirs), "{:?} is not {theirs}", ours.root);
        }
        Err(error) => {
            let range = error.to_string().contains("out of range");
            assert!(range || !ours.anomalies.is_empty(), "only we take it: {error}");
        }
    }
}

/// Children lie inside their parents, in order.
fn nested(text: &[u8], value: &Value) {
    assert!(value.span.start < value.span.end && value.span.end <= text.len());
    let mut behind = value.span.start;
    let mut inside = |child: &Value| {
        assert!(behind < child.span.start && child.span.end < value.span.end);
        behind = child.span.end;
        nested(text, child);
    };
    value.members().iter().for_each(|member| inside(&member.value));
    value.items().iter().for_each(inside);
}

fn same(ours: &Value, theirs: &Serde) -> bool {
    match (&ours.kind, theirs) {
        (Kind::Null, Serde::Null) => true,
        (Kind::Bool(a), Serde::Bool(b)) => a == b,
        (Kind::Number(text), Serde::Number(_)) => {
            serde_json::from_str::<Serde>(text).is_ok_and(|number| number == *theirs)
        }
        (Kind::String(a), Serde::String(b)) => **a == **b,
        (Kind::Array(a), Serde::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Kind::Object(members), Serde::Object(map)) => map.iter().all(|(name, theirs)| {
            // The last one counts, there as here.
            let last = members.iter().rev().find(|member| *member.key == **name);
            last.is_some_and(|member| same(&member.value, theirs))
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn documents_and_their_ruins() {
        for text in [
            &b"{\"a\":[1,2.5e3,\"\\u00e9\"],\"a\":null}"[..],
            b"[1e999]",
            b"\xef\xbb\xbf{}",
            b"{} x",
            b"\"\xff\"",
        ] {
            for end in 0..=text.len() {
                super::run(&text[..end]);
            }
        }
        crate::corpus().iter().for_each(|bytes| super::run(bytes));
    }
}
