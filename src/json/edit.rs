//! Edits by replacing spans: what is not edited stays byte for byte.
//!
//! A document that is re-serialised gets another digest for no reason and loses what the serialiser
//! does not know, so changes are collected as spans and applied in one pass.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{Kind, Span, Value, fold, write};

/// Where a new member of an object goes, and the text that is put there: what [`Edits::set`] alone does, at a cost that
/// does not grow with the object.
pub fn addition(object: &Value, key: &str, raw_json: &str) -> (Span, String) {
    let member = format!("{}:{raw_json}", write::string(key));
    match object.members().last().map(|last| last.value.span.end) {
        Some(end) => (Span { start: end, end }, format!(",{member}")),
        None => (inside(object), member),
    }
}

/// What goes with the member or item at `nth`, commas among it: what removing it alone does. `None` if there is none.
pub fn removal(container: &Value, nth: usize) -> Option<Span> {
    let part = |nth: usize| match &container.kind {
        Kind::Object(members) => {
            members.get(nth).map(|m| Span { start: m.key_span.start, end: m.value.span.end })
        }
        Kind::Array(items) => items.get(nth).map(|item| item.span),
        _ => None,
    };
    let own = part(nth)?;
    let before = nth.checked_sub(1).and_then(part);
    Some(match (before, part(nth + 1)) {
        (Some(before), _) => Span { start: before.end, end: own.end },
        (None, Some(after)) => Span { start: own.start, end: after.start },
        (None, None) => inside(container),
    })
}

/// All between the brackets.
fn inside(container: &Value) -> Span {
    Span { start: container.span.start + 1, end: container.span.end - 1 }
}

/// Changes to one document, applied together.
///
/// All spans and values must come from parsing the same `text`; positions always mean that text, so
/// the order of calls matters only where two of them name the same thing: there the later one counts.
/// An edit inside something that another edit removes or replaces has no effect. Spans that overlap
/// without one holding the other are a mistake of the caller: debug builds panic, others keep the first.
#[derive(Debug, Clone)]
pub struct Edits<'a> {
    text: &'a [u8],
    replaced: BTreeMap<Span, Vec<u8>>,
    /// Arrays and objects with changes, by where they begin.
    containers: BTreeMap<usize, Container>,
}

/// An array or object and what becomes of its parts.
#[derive(Debug, Clone)]
struct Container {
    span: Span,
    parts: Vec<Part>,
    /// Names and values of new members.
    appended: Vec<(String, Vec<u8>)>,
}

/// A member or item.
#[derive(Debug, Clone)]
struct Part {
    /// From the name, if it has one, to behind the value.
    span: Span,
    value: Span,
    removed: bool,
    new_value: Option<Vec<u8>>,
}

/// Text that takes the place of a span.
struct Change<'e> {
    span: Span,
    text: &'e [u8],
}

impl<'a> Edits<'a> {
    /// No changes to `text` yet.
    pub fn new(text: &'a [u8]) -> Self {
        Edits { text, replaced: BTreeMap::new(), containers: BTreeMap::new() }
    }

    /// Puts `new` where `span` is; an empty span inserts.
    pub fn replace(&mut self, span: Span, new: impl Into<Vec<u8>>) {
        self.replaced.insert(span, new.into());
    }

    /// Sets the member `key` of an object to a JSON text: the value of the last member of exactly that name,
    /// else a new member behind all others.
    ///
    /// Panics in debug builds and does nothing in others if `object` is none.
    pub fn set(&mut self, object: &Value, key: &str, raw_json: impl Into<Vec<u8>>) {
        debug_assert!(object.is_object(), "a member is set on something other than an object");
        if !object.is_object() {
            return;
        }
        let container = self.container(object);
        let mut named = object.members().iter().zip(&mut container.parts).rev();
        let part = named.find(|(member, part)| *member.key == *key && !part.removed).map(|(_, part)| part);
        let new = raw_json.into();
        if let Some(part) = part {
            part.new_value = Some(new);
        } else if let Some((_, value)) = container.appended.iter_mut().find(|(name, _)| name == key) {
            *value = new;
        } else {
            container.appended.push((key.to_owned(), new));
        }
    }

    /// Sets the field `key` of an object: as [`set`](Edits::set), and members that Go takes for the same field go, so that
    /// all readers see what was set.
    pub fn set_field(&mut self, object: &Value, key: &str, raw_json: impl Into<Vec<u8>>) {
        self.keep_one(object, key);
        self.set(object, key, raw_json);
    }

    /// Removes every member that Go takes for the field `key`.
    pub fn remove_field(&mut self, object: &Value, key: &str) {
        self.keep_one(object, key);
        self.remove_member(object, key);
    }

    fn keep_one(&mut self, object: &Value, key: &str) {
        let others = object.members().iter().filter(|m| &*m.key != key && fold::is_field(key, &m.key));
        for other in others {
            self.remove_member(object, &other.key);
        }
    }

    /// Removes every member of exactly the name `key`, set ones included; no such member is fine.
    pub fn remove_member(&mut self, object: &Value, key: &str) {
        let container = self.container(object);
        for (member, part) in object.members().iter().zip(&mut container.parts) {
            part.removed |= *member.key == *key;
        }
        container.appended.retain(|(name, _)| name != key);
    }

    /// Removes the item that is at `index` in the unchanged array; no such item is fine.
    pub fn remove_item(&mut self, array: &Value, index: usize) {
        if index < array.items().len()
            && let Some(part) = self.container(array).parts.get_mut(index)
        {
            part.removed = true;
        }
    }

    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.replaced.is_empty() && self.containers.values().all(Container::is_unchanged)
    }

    /// The changed document.
    pub fn apply(self) -> Vec<u8> {
        let structural: Vec<_> = self.containers.values().flat_map(Container::structural_changes).collect();
        let set = self.containers.values().flat_map(|container| &container.parts);
        // In order of precedence, for the sort is stable: an item may be all that its array holds, so
        // that its removal and its replacement have one span.
        let mut changes: Vec<Change> = structural
            .iter()
            .map(|(span, text)| Change { span: *span, text })
            .chain(set.filter_map(|part| Some(Change { span: part.value, text: part.new_value.as_ref()? })))
            .chain(self.replaced.iter().map(|(span, text)| Change { span: *span, text }))
            .collect();
        // What is inserted somewhere stands before what begins there; of two that begin there the
        // longer one holds the other.
        changes.sort_by_key(|c| (c.span.start, c.span.start != c.span.end, Reverse(c.span.end)));

        let mut out = Vec::with_capacity(self.text.len());
        let mut done = 0;
        for Change { span, text } in changes {
            if span.start < done {
                debug_assert!(span.end <= done, "edits overlap at {span:?}");
                continue;
            }
            out.extend_from_slice(self.text.get(done..span.start).unwrap_or_default());
            out.extend_from_slice(text);
            done = span.end;
        }
        out.extend_from_slice(self.text.get(done..).unwrap_or_default());
        out
    }

    fn container(&mut self, value: &Value) -> &mut Container {
        self.containers.entry(value.span.start).or_insert_with(|| {
            let part = |start, value: &Value| Part {
                span: Span { start, end: value.span.end },
                value: value.span,
                removed: false,
                new_value: None,
            };
            let parts = match &value.kind {
                Kind::Object(members) => members.iter().map(|m| part(m.key_span.start, &m.value)).collect(),
                Kind::Array(items) => items.iter().map(|item| part(item.span.start, item)).collect(),
                _ => Vec::new(),
            };
            Container { span: value.span, parts, appended: Vec::new() }
        })
    }
}

impl Container {
    fn is_unchanged(&self) -> bool {
        self.appended.is_empty() && self.parts.iter().all(|part| !part.removed && part.new_value.is_none())
    }

    /// The removals and additions, as spans outside the parts that stay.
    ///
    /// A part goes with the comma before it, or with the comma behind it if nothing before it stays.
    fn structural_changes(&self) -> Vec<(Span, Vec<u8>)> {
        let mut changes = Vec::new();
        if self.is_unchanged() {
            return changes;
        }
        // Where the last part that stays ends, and where the part just before ends.
        let (mut kept, mut previous) = (None, None);
        for part in &self.parts {
            if !part.removed {
                match (kept, previous) {
                    (Some(start), Some(end)) if start < end => {
                        changes.push((Span { start, end }, Vec::new()))
                    }
                    (None, Some(_)) => {
                        let start = self.parts.first().map_or(part.span.start, |first| first.span.start);
                        changes.push((Span { start, end: part.span.start }, Vec::new()));
                    }
                    _ => {}
                }
                kept = Some(part.span.end);
            }
            previous = Some(part.span.end);
        }
        let mut new = self.new_members();
        let span = match (kept, previous, self.parts.first()) {
            (Some(start), Some(end), _) => {
                if !new.is_empty() {
                    new.insert(0, b',');
                }
                Span { start, end }
            }
            // None stays, but new ones do: they get the white space around the old ones.
            (None, Some(end), Some(first)) if !new.is_empty() => Span { start: first.span.start, end },
            _ => Span { start: self.span.start + 1, end: self.span.end - 1 },
        };
        if span.start < span.end || !new.is_empty() {
            changes.push((span, new));
        }
        changes
    }

    fn new_members(&self) -> Vec<u8> {
        let member = |(key, value): &(String, Vec<u8>)| [write::string(key).as_bytes(), b":", value].concat();
        self.appended.iter().map(member).collect::<Vec<_>>().join(&b","[..])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json::differential::{any_value, print};
    use crate::json::{Json, Member, parse};

    fn edited(text: &str, edit: impl FnOnce(&mut Edits, &Value)) -> String {
        let json = parse(text.as_bytes(), 64).expect("valid JSON");
        let mut edits = Edits::new(text.as_bytes());
        edit(&mut edits, &json.root);
        let out = edits.apply();
        parse(&out, 64).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out)));
        String::from_utf8(out).expect("UTF-8")
    }

    /// What a report proposes for one place is what is written where that place alone is changed.
    #[test]
    fn one_change_alone_is_the_same_bytes() {
        for text in [
            "{}",
            "{ }",
            "[]",
            "[ 1 ]",
            "[1,2,3]",
            "[ 1 , 2 ,\n3 ]",
            "{\"a\":1}",
            "{ \"a\" : 1 }",
            "{\n  \"a\": [1, {}],\n  \"b\": 2\n}",
            "{\"a\":1 , \"b\" :\t2,\"c\":[ ]}",
        ] {
            let json = parse(text.as_bytes(), 64).expect("valid JSON");
            let spliced =
                |span: Span, new: &str| format!("{}{new}{}", &text[..span.start], &text[span.end..]);
            if json.root.is_object() {
                let (span, new) = addition(&json.root, "new", "[0]");
                assert_eq!(spliced(span, &new), edited(text, |e, o| e.set(o, "new", "[0]")), "{text}");
            }
            let parts = json.root.members().len() + json.root.items().len();
            for nth in 0..parts {
                let together = edited(text, |e, root| match root.members().get(nth) {
                    Some(member) => e.remove_member(root, &member.key),
                    None => e.remove_item(root, nth),
                });
                let span = removal(&json.root, nth).expect("there");
                assert_eq!(spliced(span, ""), together, "{nth} of {text}");
            }
            assert_eq!(removal(&json.root, parts), None);
        }
    }

    #[test]
    fn set_replaces_the_last_or_appends() {
        let text = "{ \"a\" : 1 ,\n\"b\": [ ] , \"a\":2 }";
        assert_eq!(edited(text, |e, o| e.set(o, "a", "3")), "{ \"a\" : 1 ,\n\"b\": [ ] , \"a\":3 }");
        assert_eq!(
            edited(text, |e, o| e.set(o, "c\"", "3")),
            "{ \"a\" : 1 ,\n\"b\": [ ] , \"a\":2,\"c\\\"\":3 }"
        );
        assert_eq!(edited("{}", |e, o| e.set(o, "a", "3")), "{\"a\":3}");
        assert_eq!(edited(" { \n} ", |e, o| e.set(o, "a", "3")), " {\"a\":3} ");
    }

    #[test]
    fn of_calls_for_one_member_the_later_counts() {
        let twice = |e: &mut Edits, o: &Value| {
            for (key, value) in [("a", "1"), ("n", "2"), ("a", "3"), ("n", "4")] {
                e.set(o, key, value);
            }
        };
        assert_eq!(edited("{\"a\":0}", twice), "{\"a\":3,\"n\":4}");
        let moved = |e: &mut Edits, o: &Value| {
            e.set(o, "a", "1");
            e.remove_member(o, "a");
            e.set(o, "a", "2");
        };
        assert_eq!(edited("{\"a\":0,\"b\":0}", moved), "{\"b\":0,\"a\":2}");
        assert_eq!(edited("{ \"a\":0 }", moved), "{ \"a\":2 }");
    }

    #[test]
    fn removal_takes_one_comma() {
        let text = "{ \"a\":1 , \"b\":2 , \"c\":3 , \"a\":4 }";
        let without =
            |keys: &[&str]| edited(text, |e, o| keys.iter().for_each(|key| e.remove_member(o, key)));
        assert_eq!(without(&["b"]), "{ \"a\":1 , \"c\":3 , \"a\":4 }");
        assert_eq!(without(&["a"]), "{ \"b\":2 , \"c\":3 }");
        assert_eq!(without(&["c", "b"]), "{ \"a\":1 , \"a\":4 }");
        assert_eq!(without(&["a", "b"]), "{ \"c\":3 }");
        assert_eq!(without(&["a", "b", "c"]), "{}");
        assert_eq!(without(&["d"]), text);
    }

    #[test]
    fn every_set_of_items_can_go() {
        for count in 0..6_usize {
            let items: Vec<_> = (0..count).map(|n| format!("{n}")).collect();
            let text = format!("[ {} ]", items.join(" , "));
            for gone in 0..1_u32 << count {
                let out = edited(&text, |e, array| {
                    (0..count).filter(|n| gone >> n & 1 == 1).for_each(|n| e.remove_item(array, n));
                });
                let left: Vec<u64> = serde_json::from_str(&out).expect("valid JSON");
                let expected: Vec<_> = (0..count as u64).filter(|n| gone >> n & 1 == 0).collect();
                assert_eq!(left, expected, "{out}");
            }
        }
    }

    #[test]
    fn edits_inside_what_goes_have_no_effect() {
        let out = edited("[[1],[2]]", |e, root| {
            e.remove_item(&root.items()[1], 0);
            e.replace(root.items()[1].items()[0].span, "9");
            e.remove_item(root, 1);
        });
        assert_eq!(out, "[[1]]");
        let out = edited("[ 1 ]", |e, root| {
            e.replace(root.items()[0].span, "9");
            e.replace(root.span, "[2]");
            e.remove_item(root, 0);
        });
        assert_eq!(out, "[2]");
        for (text, rest) in [("[1]", "[]"), ("[1,2]", "[2]")] {
            let out = edited(text, |e, root| {
                e.replace(root.items()[0].span, "9");
                e.remove_item(root, 0);
            });
            assert_eq!(out, rest);
        }
    }

    #[test]
    fn replace_inserts_at_empty_spans() {
        let out = edited("[1,2]", |e, root| {
            e.replace(root.items()[0].span, "7");
            e.replace(Span { start: 1, end: 1 }, "0,");
        });
        assert_eq!(out, "[0,7,2]");
    }

    #[test]
    #[should_panic(expected = "edits overlap")]
    #[cfg(debug_assertions)]
    fn overlapping_edits_are_a_mistake() {
        let mut edits = Edits::new(b"[1,2]");
        edits.replace(Span { start: 1, end: 3 }, "");
        edits.replace(Span { start: 2, end: 4 }, "");
        edits.apply();
    }

    #[test]
    fn nothing_to_do_is_empty() {
        let text = b"{ \"a\" : { } }";
        let Json { root, .. } = parse(text, 64).expect("valid JSON");
        let mut edits = Edits::new(text);
        edits.remove_member(&root, "b");
        edits.remove_member(&root.members()[0].value, "b");
        edits.remove_item(&root, 0);
        edits.set(&root, "c", "1");
        assert!(!edits.is_empty());
        edits.remove_member(&root, "c");
        assert!(edits.is_empty());
        assert_eq!(edits.apply(), text);
    }

    /// One random edit: of which container, what, and where.
    type Op = (prop::sample::Index, u8, prop::sample::Index);

    const NEW_VALUES: [&str; 3] = ["7", "{ \"a\" : [ ] }", "\"x\""];

    fn containers<'v>(value: &'v Value, found: &mut Vec<&'v Value>) {
        if value.is_object() || value.is_array() {
            found.push(value);
        }
        value.members().iter().for_each(|m| containers(&m.value, found));
        value.items().iter().for_each(|item| containers(item, found));
    }

    fn key_of(op: &Op) -> &'static str {
        ["a", "b", "c", "new"][op.2.index(4)]
    }

    fn perform(edits: &mut Edits, target: &Value, op: &Op) {
        match op.1 {
            _ if target.is_array() => edits.remove_item(target, op.2.index(target.items().len().max(1))),
            0 => edits.remove_member(target, key_of(op)),
            n => edits.set(target, key_of(op), NEW_VALUES[usize::from(n) - 1]),
        }
    }

    const NOWHERE: Span = Span { start: 0, end: 0 };

    /// The tree that the operations should lead to, by plain changes to vectors; spans are blanked.
    fn model(value: &Value, ops: &[(usize, Op)]) -> Value {
        let mine: Vec<_> =
            ops.iter().filter(|(start, _)| *start == value.span.start).map(|(_, op)| op).collect();
        let kind = match &value.kind {
            Kind::Array(items) => {
                let mut left: Vec<_> = items.iter().map(|item| Some(model(item, ops))).collect();
                for op in mine {
                    if let Some(item) = left.get_mut(op.2.index(items.len().max(1))) {
                        *item = None;
                    }
                }
                Kind::Array(left.into_iter().flatten().collect())
            }
            Kind::Object(members) => {
                let member = |key: &str, value| Member { key: key.into(), key_span: NOWHERE, value };
                let mut left: Vec<_> = members.iter().map(|m| member(&m.key, model(&m.value, ops))).collect();
                for op in mine {
                    let key = key_of(op);
                    if op.1 == 0 {
                        left.retain(|m| &*m.key != key);
                        continue;
                    }
                    let new =
                        parse(NEW_VALUES[usize::from(op.1) - 1].as_bytes(), 64).expect("valid JSON").root;
                    match left.iter_mut().rev().find(|m| &*m.key == key) {
                        Some(old) => old.value = model(&new, &[]),
                        None => left.push(member(key, model(&new, &[]))),
                    }
                }
                Kind::Object(left)
            }
            other => other.clone(),
        };
        Value { span: NOWHERE, kind }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn edits_equal_the_same_changes_to_a_tree(
            value in any_value(),
            pretty: bool,
            duplicate: bool,
            ops in prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, any::<prop::sample::Index>()), 0..12),
        ) {
            let mut text = print(&value, pretty);
            if duplicate {
                text = [b"{ \"a\":".as_slice(), &text, b" , \"b\":0, \"a\" :[", &text, b"] }"].concat();
            }
            let json = parse(&text, 64).expect("valid JSON");
            let mut found = Vec::new();
            containers(&json.root, &mut found);
            let mut edits = Edits::new(&text);
            let mut placed = Vec::new();
            if !found.is_empty() {
                for op in ops {
                    let target = found[op.0.index(found.len())];
                    perform(&mut edits, target, &op);
                    placed.push((target.span.start, op));
                }
            }
            let unchanged = edits.is_empty();
            let out = edits.apply();
            if unchanged {
                prop_assert_eq!(&out, &text);
            }
            let read = parse(&out, 64).map_err(|e| TestCaseError::fail(format!("{e}: {}", out.escape_ascii())))?;
            prop_assert!(read.anomalies.len() <= json.anomalies.len());
            prop_assert_eq!(model(&read.root, &[]), model(&json.root, &placed));
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok());
        }
    }
}
