//! Documents as a page shows them: indented, in the order of their members, each digest a link.

use std::collections::{BTreeSet, HashMap};

use bstr::ByteSlice as _;

use super::layers::title;
use super::words::digits;
use crate::escape::{escape, escape_str};
use crate::finding::Documents;
use crate::jobs::inspect::Entry;
use crate::json::{Kind, Value};
use crate::location::MemberId;

/// A document.
#[derive(Debug)]
pub(super) struct Shown {
    /// The member's name, escaped.
    pub name: String,
    /// What it is: `config of app:1`; empty if nothing in the graph says it.
    pub role: String,
    /// The digest in its name, which links lead to.
    pub hex: Option<String>,
    /// Indented if it parses; `None` where the page has no room left for it.
    pub text: Option<String>,
}

/// What documents are, by the hexadecimal digits of their digests: place in the graph, and words.
pub(super) type Roles = HashMap<String, (usize, String)>;

/// The roles of all manifests, indexes and configs of these images.
pub(super) fn roles(images: &[Entry]) -> Roles {
    let mut roles = Roles::new();
    let mut add = |digest: &Option<String>, what: String| {
        let place = roles.len();
        if let Some(digest) = digest {
            roles.entry(digits(digest).to_owned()).or_insert((place, what));
        }
    };
    for entry in images.iter().flat_map(Entry::all) {
        let of = title(entry);
        add(&entry.digest, if entry.kind == "index" { of.clone() } else { format!("manifest of {of}") });
        add(&entry.id, format!("config of {of}"));
    }
    roles
}

/// The documents among these members, those of the graph first, with at most `room` characters of text.
pub(super) fn of(
    members: &BTreeSet<MemberId>,
    docs: &dyn Documents,
    roles: &Roles,
    mut room: usize,
) -> Vec<Shown> {
    let mut found: Vec<_> = members
        .iter()
        .filter_map(|member| Some((docs.name(*member).to_str_lossy().into_owned(), docs.text(*member)?)))
        .map(|(name, document)| {
            let hex = super::shown::hex(&name);
            let role = hex.as_ref().and_then(|hex| roles.get(hex));
            (role.map_or(usize::MAX, |(place, _)| *place), role, name, hex, document)
        })
        .collect();
    found.sort_by_key(|(place, ..)| *place);
    let mut shown = Vec::new();
    for (_, role, name, hex, document) in found {
        let text = (document.text.len() <= room).then(|| match document.json {
            Some(json) => indented(&json.root, document.text),
            None => escape(document.text).into_owned(),
        });
        let text = text.filter(|text| text.len() <= room);
        room -= text.as_ref().map_or(0, String::len);
        let role = role.map(|(_, words)| words.clone()).unwrap_or_default();
        shown.push(Shown { name: escape_str(&name).into_owned(), role, hex, text });
    }
    shown
}

/// A value over several lines. The parser bounds how deep it is.
fn indented(value: &Value, text: &[u8]) -> String {
    let mut out = String::new();
    print(value, text, 0, &mut out);
    out
}

fn print(value: &Value, text: &[u8], depth: usize, out: &mut String) {
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    };
    let raw = |span: crate::json::Span, out: &mut String| {
        out.push_str(&escape(text.get(span.start..span.end).unwrap_or_default()));
    };
    match &value.kind {
        Kind::Object(members) if !members.is_empty() => {
            out.push('{');
            for (nth, member) in members.iter().enumerate() {
                out.push_str(if nth > 0 { "," } else { "" });
                line(out, depth + 1);
                raw(member.key_span, out);
                out.push_str(": ");
                print(&member.value, text, depth + 1, out);
            }
            line(out, depth);
            out.push('}');
        }
        Kind::Array(items) if !items.is_empty() => {
            out.push('[');
            for (nth, item) in items.iter().enumerate() {
                out.push_str(if nth > 0 { "," } else { "" });
                line(out, depth + 1);
                print(item, text, depth + 1, out);
            }
            line(out, depth);
            out.push(']');
        }
        _ => raw(value.span, out),
    }
}

/// A piece of text, and the hexadecimal digits if it is a digest.
pub(super) type Piece<'a> = (&'a str, Option<&'a str>);

/// A text in pieces: digests of SHA-256, and what stands between them.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    const KIND: &str = "sha256:";
    let mut found = Vec::new();
    let mut from = 0;
    for (at, _) in text.match_indices(KIND) {
        let digits = &text[at + KIND.len()..];
        let length = digits.bytes().take_while(u8::is_ascii_hexdigit).count();
        if length == 64 && at >= from {
            let end = at + KIND.len() + length;
            found.push((&text[from..at], None));
            found.push((&text[at..end], Some(&digits[..length])));
            from = end;
        }
    }
    found.push((&text[from..], None));
    found.retain(|(text, _)| !text.is_empty());
    found
}
