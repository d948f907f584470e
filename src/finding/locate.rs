//! From a symbolic location to the place that people and tools are told: member, line, column, offset.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use bstr::{BStr, ByteSlice};

use super::{Documents, Edit, Lines, Position};
use crate::escape::escape;
use crate::json::pointer::Index;
use crate::json::{Span, Value};
use crate::location::{At, Location, MemberId};

/// A location, worked out. Its `Display` is the place as people read it, escaped for a terminal:
/// `index.json:1:87 /manifests/0/size` or `blobs/sha256/ab… at byte 123`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place<'a> {
    /// The member's name, or SOURCE for the archive as a whole; not escaped.
    pub name: Cow<'a, BStr>,
    /// JSON pointer, as the finding gives it.
    pub pointer: Option<&'a str>,
    /// Bytes in the document: a container is meant by its opening bracket.
    pub span: Option<Span>,
    /// Line and column of the span's start.
    pub position: Option<Position>,
    /// Path of the entry in a layer, empty for the decompressed tar itself; not escaped.
    pub entry: Option<&'a BStr>,
    /// Byte offset in what is not a document: a blob, a layer's tar, the archive.
    pub offset: Option<u64>,
}

impl Place<'_> {
    /// Where inside its member: the pointer, entry, line and column, or offset; `None` if it is the member as a whole.
    pub fn inside(&self) -> Option<String> {
        match (self.pointer, self.entry, self.position, self.offset) {
            (Some(pointer), ..) if !pointer.is_empty() => Some(escape(pointer.as_bytes()).into_owned()),
            (_, Some(entry), ..) if !entry.is_empty() => Some(escape(entry).into_owned()),
            (_, _, Some(Position { line, column }), _) => Some(format!("{line}:{column}")),
            (.., Some(offset)) => Some(format!("byte {offset}")),
            _ => None,
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(&self.name))?;
        if let Some(Position { line, column }) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        match self.pointer {
            Some("") | None => {}
            Some(pointer) => write!(f, " {}", escape(pointer.as_bytes()))?,
        }
        match self.entry {
            Some(tar) if tar.is_empty() => f.write_str(", decompressed,")?,
            Some(entry) => write!(f, ": {}", escape(entry))?,
            None => {}
        }
        match self.offset {
            Some(offset) => write!(f, " at byte {offset}"),
            None => Ok(()),
        }
    }
}

/// Works places out. Lines of a document are counted once, and names of a large object looked up once, however many
/// findings are in it.
pub struct Locator<'a> {
    docs: &'a dyn Documents,
    lines: RefCell<HashMap<MemberId, Rc<Lines<'a>>>>,
    names: Index<'a>,
}

impl<'a> Locator<'a> {
    /// A locator for one archive.
    pub fn new(docs: &'a dyn Documents) -> Self {
        Locator { docs, lines: RefCell::default(), names: Index::default() }
    }

    /// The archive that it is for.
    pub fn docs(&self) -> &'a dyn Documents {
        self.docs
    }

    /// The place that `location` means.
    pub fn place(&self, location: &'a Location) -> Place<'a> {
        let name = match location.member {
            Some(member) => self.docs.name(member),
            None => Cow::Borrowed(self.docs.place().as_bytes().as_bstr()),
        };
        let span = self.span(location);
        let mut place = Place { name, pointer: None, span, position: None, entry: None, offset: None };
        if let (Some(span), Some(lines)) = (span, location.member.and_then(|m| self.lines(m))) {
            place.position = Some(lines.position(span.start));
        }
        match &location.at {
            At::Whole => {}
            At::Pointer(pointer) | At::Key(pointer) => place.pointer = Some(pointer),
            At::Span(at) if span.is_none() => place.offset = Some(at.start as u64),
            At::Offset(offset) if span.is_none() => place.offset = Some(*offset),
            At::Span(_) | At::Offset(_) => {}
            At::Entry { path, offset } => {
                place.entry = Some(path.as_bstr());
                place.offset = Some(*offset);
            }
        }
        place
    }

    /// The bytes that `location` means, if it is inside a document.
    ///
    /// A container is meant by its opening bracket. Where a pointer leads nowhere, the nearest value on
    /// its way is taken; a span that reaches beyond the document is cut.
    pub fn span(&self, location: &Location) -> Option<Span> {
        let document = self.docs.text(location.member?)?;
        let root = document.json.map(|json| &json.root);
        let len = document.text.len();
        let span = match &location.at {
            At::Whole | At::Entry { .. } => return None,
            At::Pointer(pointer) => opening(self.nearest(root?, pointer)),
            At::Key(pointer) => match self.names.locate(root?, pointer) {
                Some((Some(key), _)) => key,
                _ => opening(self.nearest(root?, pointer)),
            },
            At::Span(span) => *span,
            At::Offset(offset) => {
                let start = usize::try_from(*offset).unwrap_or(len).min(len);
                Span { start, end: start.saturating_add(1) }
            }
        };
        let end = span.end.min(len);
        Some(Span { start: span.start.min(end), end })
    }

    /// The value at a pointer, or the last one on the way to it.
    fn nearest(&self, root: &'a Value, pointer: &str) -> &'a Value {
        let mut pointer = pointer;
        loop {
            match (self.names.locate(root, pointer), pointer.rsplit_once('/')) {
                (Some((_, value)), _) => return value,
                (None, Some((parent, _))) => pointer = parent,
                (None, None) => return root,
            }
        }
    }

    /// The bytes of a member that an edit replaces, and by what; `None` if it is no change inside a document.
    pub fn replacement(&self, member: MemberId, edit: &Edit) -> Option<(Span, String)> {
        edit.replacement(self.docs.text(member)?, &self.names)
    }

    /// The lines of a member; `None` if it is no document.
    pub fn lines(&self, member: MemberId) -> Option<Rc<Lines<'a>>> {
        let document = self.docs.text(member)?;
        let mut lines = self.lines.borrow_mut();
        Some(Rc::clone(lines.entry(member).or_insert_with(|| Rc::new(Lines::new(document.text)))))
    }
}

/// The value's span, but only the bracket of an object or array: a rule that misses something in it
/// does not complain about the rest.
fn opening(value: &Value) -> Span {
    let Span { start, end } = value.span;
    if value.is_object() || value.is_array() { Span { start, end: start + 1 } } else { Span { start, end } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn places_read_well() {
        let mut docs = fixture::Archive::new();
        let index = docs.document("index.json", "{\n \"a\": [1, {\"b\": 2}]\n}");
        let blob = docs.blob("x/\u{1b}layer.tar");
        let read = |location: Location| Locator::new(&docs).place(&location).to_string();
        assert_eq!(read(Location::archive()), "app.tar");
        assert_eq!(read(Location { member: None, at: At::Offset(512) }), "app.tar at byte 512");
        assert_eq!(read(Location::member(index)), "index.json");
        assert_eq!(read(Location::pointer(index, "/a/1/b")), "index.json:2:17 /a/1/b");
        assert_eq!(
            read(Location { member: Some(index), at: At::Key("/a/1/b".into()) }),
            "index.json:2:12 /a/1/b"
        );
        assert_eq!(read(Location::pointer(index, "/a/1/c/d")), "index.json:2:11 /a/1/c/d");
        assert_eq!(read(Location::pointer(index, "")), "index.json:1:1");
        assert_eq!(read(Location { member: Some(index), at: At::Offset(9) }), "index.json:2:8");
        assert_eq!(read(Location { member: Some(blob), at: At::Offset(9) }), r"x/\x1blayer.tar at byte 9");
        assert_eq!(read(Location::pointer(blob, "/a\n")), r"x/\x1blayer.tar /a\n");
        let entry = At::entry("etc/\u{202e}", 0);
        let entry = Location { member: Some(blob), at: entry };
        assert_eq!(read(entry), r"x/\x1blayer.tar: etc/\u{202e} at byte 0");
        let tar = Location { member: Some(blob), at: At::entry("", 512) };
        assert_eq!(Locator::new(&docs).place(&tar).inside().as_deref(), Some("byte 512"));
        assert_eq!(read(tar), r"x/\x1blayer.tar, decompressed, at byte 512");
    }

    #[test]
    fn a_container_is_its_bracket_and_spans_are_cut() {
        let mut docs = fixture::Archive::new();
        let member = docs.document("m", "{\"a\":[1]}");
        let locator = Locator::new(&docs);
        let span = |at| locator.span(&Location { member: Some(member), at }).map(|s| (s.start, s.end));
        assert_eq!(span(At::Pointer("/a".into())), Some((5, 6)));
        assert_eq!(span(At::Pointer("/a/0".into())), Some((6, 7)));
        assert_eq!(span(At::Key("/a".into())), Some((1, 4)));
        assert_eq!(span(At::Key("/b".into())), Some((0, 1)));
        assert_eq!(span(At::Span(Span { start: 5, end: 99 })), Some((5, 9)));
        assert_eq!(span(At::Offset(u64::MAX)), Some((9, 9)));
        assert_eq!(span(At::Whole), None);
    }
}
