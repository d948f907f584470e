//! What would mend a fault, where the right value can be computed.
//!
//! Rules say it by pointer and value; here it becomes bytes of the document, so that all else in it stays as it is: the
//! bytes that [`edit`](crate::json::edit) writes, as it does for a conversion.

use bstr::BString;

use super::Document;
use crate::json::pointer::Index;
use crate::json::{Kind, Span, Value, edit, write};
use crate::location::{Location, MemberId};

/// What would mend a fault: changes that belong together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fix {
    /// All of them, none of which touches what another one changes.
    pub changes: Vec<Change>,
    /// What must be true for it to be right, such as `the layer is the one that was meant`; `None` if it follows from
    /// the archive itself.
    pub assuming: Option<&'static str>,
}

/// Who may make a fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Applicability {
    /// Anybody: it follows from the archive itself.
    Safe,
    /// Whoever knows that what it assumes holds.
    Maybe,
    /// Nobody but people: it says what to do, and has no bytes for it.
    DisplayOnly,
}

impl Applicability {
    /// The word for it in reports.
    pub fn name(self) -> &'static str {
        match self {
            Applicability::Safe => "safe",
            Applicability::Maybe => "maybe",
            Applicability::DisplayOnly => "display only",
        }
    }
}

impl Fix {
    /// Who may make it.
    pub fn applicability(&self) -> Applicability {
        match (self.changes.is_empty(), self.assuming) {
            (true, _) => Applicability::DisplayOnly,
            (false, Some(_)) => Applicability::Maybe,
            (false, None) => Applicability::Safe,
        }
    }
}

/// One change to an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What is changed.
    pub target: Target,
    /// How.
    pub edit: Edit,
}

/// What a change is made to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// A member that is there.
    Member(MemberId),
    /// One that may be missing, by its name.
    Named(BString),
}

/// How a member is changed. Values are JSON texts, pointers as in RFC 6901.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Edit {
    /// The value at a pointer becomes another one; an object member that is not there is added.
    Set {
        /// Where.
        pointer: String,
        /// The JSON text.
        value: String,
    },
    /// The object member or array item at a pointer goes.
    Remove {
        /// Where.
        pointer: String,
    },
    /// The object member at a pointer is called otherwise.
    Rename {
        /// Where, by the old name.
        pointer: String,
        /// The new name.
        name: String,
    },
    /// Bytes of a document are left out.
    Cut(Span),
    /// The member holds this text and nothing else.
    Write(String),
    /// The member is called otherwise.
    Move(String),
    /// The member goes.
    Delete,
}

impl Edit {
    /// The word for it in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Edit::Set { .. } => "set",
            Edit::Remove { .. } => "remove",
            Edit::Rename { .. } => "rename",
            Edit::Cut(_) => "cut",
            Edit::Write(_) => "write",
            Edit::Move(_) => "move",
            Edit::Delete => "delete",
        }
    }

    /// Whether it changes part of a document.
    pub fn is_inside(&self) -> bool {
        matches!(self, Edit::Set { .. } | Edit::Remove { .. } | Edit::Rename { .. } | Edit::Cut(_))
    }

    /// The pointer, where it is about one value.
    pub fn pointer(&self) -> Option<&str> {
        match self {
            Edit::Set { pointer, .. } | Edit::Remove { pointer } | Edit::Rename { pointer, .. } => {
                Some(pointer)
            }
            Edit::Cut(_) | Edit::Write(_) | Edit::Move(_) | Edit::Delete => None,
        }
    }

    /// The bytes of a document that are replaced, and by what; `None` if it is no change inside one, or the pointer
    /// leads nowhere. `index` is one of the same document.
    pub fn replacement<'a>(&self, document: Document<'a>, index: &Index<'a>) -> Option<(Span, String)> {
        let root = || document.json.map(|json| &json.root);
        match self {
            Edit::Set { pointer, value } => set(index, root()?, pointer, value),
            Edit::Remove { pointer } => Some((removed(index, root()?, pointer)?, String::new())),
            Edit::Rename { pointer, name } => {
                let (key, _) = index.locate(root()?, pointer)?;
                Some((key?, write::string(name)))
            }
            Edit::Cut(span) => {
                let len = document.text.len();
                Some((Span { start: span.start.min(len), end: span.end.min(len) }, String::new()))
            }
            Edit::Write(_) | Edit::Move(_) | Edit::Delete => None,
        }
    }
}

/// A JSON text for a string.
pub fn quoted(text: impl std::fmt::Display) -> String {
    write::string(&text.to_string())
}

fn set<'a>(index: &Index<'a>, root: &'a Value, pointer: &str, value: &str) -> Option<(Span, String)> {
    if let Some((_, old)) = index.locate(root, pointer) {
        return Some((old.span, value.to_owned()));
    }
    let (parent, key) = pointer.rsplit_once('/')?;
    let (_, object) = index.locate(root, parent).filter(|(_, parent)| parent.is_object())?;
    Some(edit::addition(object, &key.replace("~1", "/").replace("~0", "~"), value))
}

/// A member or item, with a comma beside it.
fn removed<'a>(index: &Index<'a>, root: &'a Value, pointer: &str) -> Option<Span> {
    let (parent, _) = pointer.rsplit_once('/')?;
    let (key, value) = index.locate(root, pointer)?;
    let start = key.map_or(value.span.start, |key| key.start);
    let container = index.locate(root, parent)?.1;
    // Found, not collected: a list may have a fault in each of its items.
    let nth = match &container.kind {
        Kind::Object(members) => members.binary_search_by_key(&start, |m| m.key_span.start).ok()?,
        Kind::Array(items) => items.binary_search_by_key(&start, |item| item.span.start).ok()?,
        _ => return None,
    };
    edit::removal(container, nth)
}

impl super::Finding {
    /// Adds a change that mends the fault.
    pub fn change(mut self, target: Target, edit: Edit) -> Self {
        self.fix.get_or_insert_default().changes.push(Change { target, edit });
        self
    }

    /// Says what must be true for the fix to be right, in the help as well if that has no `if` yet.
    pub fn assuming(mut self, what: &'static str) -> Self {
        if let Some(help) = self.help.as_mut().filter(|help| !help.contains("if ")) {
            help.push_str(&format!(", if {what}"));
        }
        self.fix.get_or_insert_default().assuming = Some(what);
        self
    }

    /// The value at a location should be this JSON text, and the help says so if it says nothing else. Does nothing if
    /// the location is no pointer.
    pub fn set(mut self, at: &Location, value: impl Into<String>) -> Self {
        let Some((member, pointer)) = at.member_and_pointer() else { return self };
        let value = value.into();
        self.help.get_or_insert_with(|| {
            let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            format!("write `{}`", bare.filter(|bare| !bare.is_empty()).unwrap_or(&value))
        });
        self.change(Target::Member(member), Edit::Set { pointer, value })
    }

    /// The member or item at a location should go. Does nothing if the location is no pointer.
    pub fn remove(self, at: &Location) -> Self {
        match at.member_and_pointer() {
            Some((member, pointer)) => self.change(Target::Member(member), Edit::Remove { pointer }),
            None => self,
        }
    }

    /// The object member at a location should be called otherwise. Does nothing if the location is no pointer.
    pub fn rename(self, at: &Location, name: impl Into<String>) -> Self {
        match at.member_and_pointer() {
            Some((member, pointer)) => {
                self.change(Target::Member(member), Edit::Rename { pointer, name: name.into() })
            }
            None => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    fn applied(text: &str, edit: &Edit) -> Option<String> {
        let json = parse(text.as_bytes(), 64).expect("JSON");
        let (span, new) =
            edit.replacement(Document { text: text.as_bytes(), json: Some(&json) }, &Index::default())?;
        let out = format!("{}{new}{}", &text[..span.start], &text[span.end..]);
        parse(out.as_bytes(), 64).unwrap_or_else(|error| panic!("{error}: {out}"));
        Some(out)
    }

    fn set(pointer: &str, value: &str) -> Edit {
        Edit::Set { pointer: pointer.into(), value: value.into() }
    }

    #[test]
    fn a_value_is_replaced_or_added() {
        let text = "{\"a\": [1, {}],\n  \"b/c\": 2}";
        assert_eq!(applied(text, &set("/b~1c", "3")).as_deref(), Some("{\"a\": [1, {}],\n  \"b/c\": 3}"));
        assert_eq!(
            applied(text, &set("/d", "\"x\"")).as_deref(),
            Some("{\"a\": [1, {}],\n  \"b/c\": 2,\"d\":\"x\"}")
        );
        assert_eq!(
            applied(text, &set("/a/1/e~0", "4")).as_deref(),
            Some("{\"a\": [1, {\"e~\":4}],\n  \"b/c\": 2}")
        );
        assert_eq!(applied("{ \"a\" : 1 }", &set("/b", "2")).as_deref(), Some("{ \"a\" : 1,\"b\":2 }"));
        for nowhere in ["/a/0/x", "/a/7", "/x/y", "x"] {
            assert_eq!(applied(text, &set(nowhere, "0")), None, "{nowhere}");
        }
    }

    #[test]
    fn a_part_goes_with_one_comma() {
        let remove = |text: &str, pointer: &str| applied(text, &Edit::Remove { pointer: pointer.into() });
        assert_eq!(remove("[1, 2, 3]", "/0").as_deref(), Some("[2, 3]"));
        assert_eq!(remove("[1, 2, 3]", "/2").as_deref(), Some("[1, 2]"));
        assert_eq!(remove("[ 1 ]", "/0").as_deref(), Some("[]"));
        assert_eq!(remove("{\"a\":1,\"b\":2}", "/b").as_deref(), Some("{\"a\":1}"));
        assert_eq!(remove("{\"a\":1}", "/b"), None);
        assert_eq!(remove("{\"a\":1}", ""), None);
    }

    #[test]
    fn names_and_cuts() {
        let rename = Edit::Rename { pointer: "/A".into(), name: "a\"".into() };
        assert_eq!(applied("{\"A\":1}", &rename).as_deref(), Some("{\"a\\\"\":1}"));
        assert_eq!(applied("[1]  ", &Edit::Cut(Span { start: 3, end: 99 })).as_deref(), Some("[1]"));
        assert_eq!(applied("[1]", &Edit::Delete), None);
    }
}
