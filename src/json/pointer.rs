//! JSON pointers (RFC 6901): how anomalies, findings and edits name a place in a document.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

use super::{Kind, Member, Span, Value, fold};

/// The value at `pointer`; `None` if nothing is there or the pointer is malformed.
///
/// Of several members with one name the last is taken.
pub fn resolve<'a>(root: &'a Value, pointer: &str) -> Option<&'a Value> {
    locate(root, pointer).map(|(_, value)| value)
}

/// The value at `pointer`, the names in it taken for fields, as Go's decoder finds them.
pub fn resolve_fields<'a>(root: &'a Value, pointer: &str) -> Option<&'a Value> {
    walk(root, pointer, |_, members, key| members.iter().rposition(|m| fold::is_field(key, &m.key)))
        .map(|(_, value)| value)
}

/// The value at `pointer` as [`resolve`] finds it, with the span of its name if it is a member of an object.
pub fn locate<'a>(root: &'a Value, pointer: &str) -> Option<(Option<Span>, &'a Value)> {
    walk(root, pointer, |_, members, key| members.iter().rposition(|m| *m.key == *key))
}

/// Remembers where the names of large objects stand, so that as many pointers as an object has members do not cost
/// the square of that.
#[derive(Debug, Default)]
pub struct Index<'a> {
    objects: RefCell<HashMap<*const Value, HashMap<&'a str, usize>>>,
}

/// An object of no more members is as fast looked through.
const SMALL: usize = 16;

impl<'a> Index<'a> {
    /// What [`locate`] finds.
    pub fn locate(&self, root: &'a Value, pointer: &str) -> Option<(Option<Span>, &'a Value)> {
        walk(root, pointer, |object, members, key| {
            if members.len() <= SMALL {
                return members.iter().rposition(|m| *m.key == *key);
            }
            let mut objects = self.objects.borrow_mut();
            let names = objects.entry(std::ptr::from_ref(object)).or_insert_with(|| {
                // Of equal names the last stays.
                members.iter().enumerate().map(|(nth, member)| (&*member.key, nth)).collect()
            });
            names.get(key).copied()
        })
    }
}

/// Follows a pointer; `find` gives the position of a name in an object.
fn walk<'a>(
    root: &'a Value,
    pointer: &str,
    find: impl Fn(&'a Value, &'a [Member], &str) -> Option<usize>,
) -> Option<(Option<Span>, &'a Value)> {
    if pointer.is_empty() {
        return Some((None, root));
    }
    let mut found = (None, root);
    for token in pointer.strip_prefix('/')?.split('/') {
        found = match &found.1.kind {
            Kind::Object(members) => {
                let member = members.get(find(found.1, members, &unescape(token)?)?)?;
                (Some(member.key_span), &member.value)
            }
            Kind::Array(items) => (None, items.get(index(token)?)?),
            _ => return None,
        };
    }
    Some(found)
}

/// `key` as one token of a pointer: `~` becomes `~0`, `/` becomes `~1`.
pub fn escape(key: &str) -> Cow<'_, str> {
    if key.contains(['~', '/']) { key.replace('~', "~0").replace('/', "~1").into() } else { key.into() }
}

/// The reverse of [`escape`]; `None` if a `~` is followed by anything but `0` or `1`.
fn unescape(token: &str) -> Option<Cow<'_, str>> {
    let mut parts = token.split('~');
    let head = parts.next()?;
    if head.len() == token.len() {
        return Some(token.into());
    }
    let mut key = head.to_owned();
    for part in parts {
        if let Some(rest) = part.strip_prefix('0') {
            key.push('~');
            key.push_str(rest);
        } else {
            key.push('/');
            key.push_str(part.strip_prefix('1')?);
        }
    }
    Some(key.into())
}

/// An array index: digits only, without leading zeros (RFC 6901 section 4). `-` names no existing item.
fn index(token: &str) -> Option<usize> {
    let plain = token.bytes().all(|b| b.is_ascii_digit()) && (token == "0" || !token.starts_with('0'));
    if plain { token.parse().ok() } else { None }
}

impl Value {
    /// The value at a JSON pointer (RFC 6901) whose names are fields, as [`get`](Value::get) finds them.
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        resolve_fields(self, pointer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    /// The document and the pointers of RFC 6901 section 5.
    #[test]
    fn rfc_6901_examples() {
        let text =
            r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#;
        let json = parse(text.as_bytes(), 8).expect("valid JSON");
        assert_eq!(resolve(&json.root, ""), Some(&json.root));
        assert_eq!(resolve(&json.root, "/foo").map(|v| v.items().len()), Some(2));
        assert_eq!(resolve(&json.root, "/foo/0").and_then(Value::as_str), Some("bar"));
        for (pointer, number) in [
            ("/", 0),
            ("/a~1b", 1),
            ("/c%d", 2),
            ("/e^f", 3),
            ("/g|h", 4),
            ("/i\\j", 5),
            ("/k\"l", 6),
            ("/ ", 7),
            ("/m~0n", 8),
        ] {
            assert_eq!(resolve(&json.root, pointer).and_then(Value::as_u64), Some(number), "{pointer}");
        }
    }

    #[test]
    fn what_names_nothing() {
        let json = parse(br#"{"a":[1,2],"~2":3,"b":"text"}"#, 8).expect("valid JSON");
        for pointer in
            ["a", "/a/", "/a/2", "/a/-", "/a/01", "/a/+1", "/a/x", "/~2", "/~", "/b/0", "/c", "//", "/a/0/"]
        {
            assert_eq!(resolve(&json.root, pointer), None, "{pointer}");
        }
    }

    #[test]
    fn the_last_duplicate_counts() {
        let json = parse(br#"{"a":1,"b":[{"a":2}],"a":3}"#, 8).expect("valid JSON");
        let (key, value) = locate(&json.root, "/a").expect("there");
        assert_eq!((key, value.as_u64()), (Some(Span { start: 21, end: 24 }), Some(3)));
        let (key, value) = locate(&json.root, "/b/0").expect("there");
        assert_eq!((key, value.span), (None, Span { start: 12, end: 19 }));
    }

    #[test]
    fn escaping_is_undone_by_reading() {
        for key in ["", "plain", "a/b", "~", "~1", "~~//", "é/~0"] {
            assert_eq!(unescape(&escape(key)).as_deref(), Some(key));
            assert!(!escape(key).contains('/'));
        }
        assert_eq!(escape("a/b~c"), "a~1b~0c");
        assert!(matches!(escape("io.example"), Cow::Borrowed(_)));
    }

    #[test]
    fn an_index_finds_the_same() {
        let members: Vec<_> = (0..40).map(|n| format!("\"k{}\":[{{\"a\":{n}}}]", n % 30)).collect();
        let json = parse(format!("{{{}}}", members.join(",")).as_bytes(), 64).expect("JSON");
        let names = Index::default();
        for pointer in (0..32).flat_map(|n| [format!("/k{n}"), format!("/k{n}/0/a"), format!("/k{n}/1")]) {
            let text = |found: Option<(Option<Span>, &Value)>| format!("{found:?}");
            assert_eq!(
                text(names.locate(&json.root, &pointer)),
                text(locate(&json.root, &pointer)),
                "{pointer}"
            );
        }
    }
}
