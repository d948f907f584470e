//! Where two documents differ.

use std::collections::{HashMap, VecDeque};

use crate::json::{self, Value};

/// Changes that are told of one pair of documents; the others are counted.
const TOLD: usize = 16;
/// Characters of a value that are told.
const SHOWN: usize = 200;
/// How deep documents may nest; deeper ones are only said to differ.
const DEPTH: usize = 64;

/// One place at which two documents differ.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// JSON pointer, in the first document where it has the place.
    pub pointer: String,
    /// The value in the first, as JSON, cut where it is long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<String>,
    /// The value in the second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<String>,
}

/// How two documents differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The first places.
    pub told: Vec<Change>,
    /// How many more there are.
    pub more: usize,
}

impl Changes {
    /// Whether the two have the same values, so that they differ in white space, order or notation only.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    fn add(&mut self, pointer: &str, a: Option<String>, b: Option<String>) {
        if self.told.len() == TOLD {
            self.more += 1;
        } else {
            self.told.push(Change { pointer: pointer.to_owned(), a, b });
        }
    }
}

/// The values in which two documents differ, without those at pointers that `skip` names.
pub fn changes(a: &[u8], b: &[u8], skip: &dyn Fn(&str) -> bool) -> Changes {
    let mut found = Changes::default();
    let parsed = |text| json::parse(text, DEPTH).ok();
    if let (Some(one), Some(other)) = (parsed(a), parsed(b)) {
        Walk { a, b, skip, found: &mut found }.values("", &one.root, &other.root);
    }
    found
}

struct Walk<'a> {
    a: &'a [u8],
    b: &'a [u8],
    skip: &'a dyn Fn(&str) -> bool,
    found: &'a mut Changes,
}

impl Walk<'_> {
    fn values(&mut self, pointer: &str, a: &Value, b: &Value) {
        use json::Kind;
        if (self.skip)(pointer) {
            return;
        }
        match (&a.kind, &b.kind) {
            (Kind::Object(_), Kind::Object(_)) => self.objects(pointer, a, b),
            (Kind::Array(one), Kind::Array(other)) => self.arrays(pointer, one, other),
            (one, other) if same_scalar(one, other) => {}
            _ => self.change(pointer, Some(a), Some(b)),
        }
    }

    fn change(&mut self, pointer: &str, a: Option<&Value>, b: Option<&Value>) {
        if !(self.skip)(pointer) {
            let (a, b) = (a.map(|value| shown(self.a, value)), b.map(|value| shown(self.b, value)));
            self.found.add(pointer, a, b);
        }
    }

    fn objects(&mut self, pointer: &str, a: &Value, b: &Value) {
        for member in a.members() {
            let at = below(pointer, &member.key);
            match b.entry(&member.key) {
                Some(other) => self.values(&at, &member.value, other),
                None => self.change(&at, Some(&member.value), None),
            }
        }
        for member in b.members().iter().filter(|member| a.entry(&member.key).is_none()) {
            self.change(&below(pointer, &member.key), None, Some(&member.value));
        }
    }

    /// Items are held against those of the same digest or platform where they are descriptors. Of others, what comes
    /// before and behind the items that differ is passed over.
    fn arrays(&mut self, pointer: &str, a: &[Value], b: &[Value]) {
        if a.iter().chain(b).all(|item| digest(item).is_some()) {
            return self.descriptors(pointer, a, b);
        }
        let same = |(one, other): &(&Value, &Value)| equal(one, other);
        let head = a.iter().zip(b).take_while(same).count();
        let (one, other) = (&a[head..], &b[head..]);
        let tail = one.iter().rev().zip(other.iter().rev()).take_while(same).count();
        let (one, other) = (&one[..one.len() - tail], &other[..other.len() - tail]);
        for i in 0..one.len().max(other.len()) {
            let at = format!("{pointer}/{}", head + i);
            match (one.get(i), other.get(i)) {
                (Some(one), Some(other)) => self.values(&at, one, other),
                (one, other) => self.change(&at, one, other),
            }
        }
    }

    fn descriptors(&mut self, pointer: &str, a: &[Value], b: &[Value]) {
        let mut left: Vec<Option<&Value>> = b.iter().map(Some).collect();
        let mut partner: Vec<Option<(usize, &Value)>> = vec![None; a.len()];
        for way in [|item: &Value| digest(item).map(str::to_owned), platform] {
            let mut free: HashMap<String, VecDeque<usize>> = HashMap::new();
            for (j, other) in left.iter().enumerate() {
                other.and_then(way).into_iter().for_each(|key| free.entry(key).or_default().push_back(j));
            }
            for (item, slot) in a.iter().zip(&mut partner).filter(|(_, slot)| slot.is_none()) {
                let found = way(item).and_then(|key| free.get_mut(&key)?.pop_front());
                *slot = found.and_then(|j| Some((j, left[j].take()?)));
            }
        }
        // What has neither in common stands at the same place, or on one side only.
        for (i, slot) in partner.iter_mut().enumerate().filter(|(_, slot)| slot.is_none()) {
            let same = left.get_mut(i).and_then(|other| other.take_if(|other| platform(other).is_none()));
            *slot = same.map(|other| (i, other));
        }
        let places: Vec<usize> = partner.iter().flatten().map(|(j, _)| *j).collect();
        if places.windows(2).any(|pair| pair[0] > pair[1]) {
            let list = |items: &[Value]| {
                Some(items.iter().filter_map(digest).map(short).collect::<Vec<_>>().join(", "))
            };
            self.found.add(pointer, list(a), list(b));
        }
        for (i, (item, slot)) in a.iter().zip(partner).enumerate() {
            let at = format!("{pointer}/{i}");
            match slot {
                Some((_, other)) => self.values(&at, item, other),
                None => self.change(&at, Some(item), None),
            }
        }
        for (j, other) in left.into_iter().enumerate().filter_map(|(j, other)| Some((j, other?))) {
            self.change(&format!("{pointer}/{j}"), None, Some(other));
        }
    }
}

fn below(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn digest(item: &Value) -> Option<&str> {
    item.get("digest")?.as_str()
}

/// What tells one child of an index from another: its platform, and whether it is about an image.
fn platform(item: &Value) -> Option<String> {
    let platform = item.get("platform")?;
    let parts = ["os", "architecture", "variant", "os.version"];
    let parts = parts.map(|part| platform.get(part).and_then(Value::as_str).unwrap_or_default());
    let about = item.get("annotations").and_then(|own| own.entry("vnd.docker.reference.type"));
    Some(format!("{} {}", parts.join("/"), about.is_some()))
}

fn short(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}

fn same_scalar(a: &json::Kind, b: &json::Kind) -> bool {
    use json::Kind;
    match (a, b) {
        (Kind::Null, Kind::Null) => true,
        (Kind::Bool(a), Kind::Bool(b)) => a == b,
        (Kind::Number(a), Kind::Number(b)) | (Kind::String(a), Kind::String(b)) => a == b,
        _ => false,
    }
}

/// Whether two values are the same, whatever the order of members.
fn equal(a: &Value, b: &Value) -> bool {
    let (members, items) = (a.members(), a.items());
    let same_kind = std::mem::discriminant(&a.kind) == std::mem::discriminant(&b.kind);
    let scalar = !(a.is_object() || a.is_array());
    same_kind
        && (!scalar || same_scalar(&a.kind, &b.kind))
        && members.len() == b.members().len()
        && members.iter().all(|member| b.entry(&member.key).is_some_and(|other| equal(&member.value, other)))
        && items.len() == b.items().len()
        && items.iter().zip(b.items()).all(|(one, other)| equal(one, other))
}

/// A value as its document writes it, cut where it is long.
fn shown(text: &[u8], value: &Value) -> String {
    let text = text.get(value.span.start..value.span.end).unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(a: &str, b: &str) -> Vec<String> {
        let found = changes(a.as_bytes(), b.as_bytes(), &|pointer| pointer.ends_with("/size"));
        let line = |Change { pointer, a, b }| {
            format!("{pointer} {} {}", a.as_deref().unwrap_or("-"), b.as_deref().unwrap_or("-"))
        };
        found.told.into_iter().map(line).collect()
    }

    #[test]
    fn values_are_told_by_pointer() {
        assert_eq!(told(r#"{"a":1, "b":[1,{"c":2}]}"#, r#"{"b":[1,{"c":2}],"a":1}"#), [""; 0]);
        assert_eq!(told(r#"{"a/b":1}"#, r#"{"a/b":"1","c":null}"#), [r#"/a~1b 1 "1""#, "/c - null"]);
        assert_eq!(told(r#"{"x":{"size":1,"y":[]}}"#, r#"{"x":{"size":2,"y":{}}}"#), ["/x/y [] {}"]);
        assert_eq!(told("[1,2,3,4]", "[1,9,3,4]"), ["/1 2 9"]);
        assert_eq!(told("[1,2,3,4]", "[1,3,4]"), ["/1 2 -"]);
        assert_eq!(told(r#"[{"a":1},{"b":2}]"#, r#"[{"a":1},{"n":0},{"b":2}]"#), [r#"/1 - {"n":0}"#]);
        assert_eq!(told("{", "[]"), [""; 0]);
    }

    #[test]
    fn descriptors_are_held_against_their_like() {
        let item = |digest: &str, arch: &str, more: &str| {
            format!(
                r#"{{"digest":"{digest}","size":1,"platform":{{"os":"linux","architecture":"{arch}"}}{more}}}"#
            )
        };
        let list = |items: &[String]| format!(r#"{{"manifests":[{}]}}"#, items.join(","));
        let (amd, arm) = (item("d:1", "amd64", ""), item("d:2", "arm64", ""));
        let both = list(&[amd.clone(), arm.clone()]);
        assert_eq!(told(&both, &list(std::slice::from_ref(&arm))), [format!("/manifests/0 {amd} -")]);
        let changed = list(&[amd.clone(), item("d:3", "arm64", r#","urls":["u"]"#)]);
        assert_eq!(
            told(&both, &changed),
            [r#"/manifests/1/digest "d:2" "d:3""#, r#"/manifests/1/urls - ["u"]"#]
        );
        assert_eq!(told(&both, &list(&[arm, amd])), ["/manifests d:1, d:2 d:2, d:1"]);
    }

    #[test]
    fn many_changes_are_counted() {
        let list = |from: usize| format!("{:?}", (from..from + 40).collect::<Vec<_>>());
        let found = changes(list(0).as_bytes(), list(100).as_bytes(), &|_| false);
        assert_eq!((found.told.len(), found.more), (TOLD, 40 - TOLD));
        let long = format!("[\"{}\"]", "ä".repeat(300));
        let found = changes(long.as_bytes(), b"[0]", &|_| false);
        assert_eq!(found.told[0].a.as_ref().map(|text| text.chars().count()), Some(SHOWN + 1));
    }
}
