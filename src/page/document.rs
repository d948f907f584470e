//! Documents as a page shows them: indented, in the order of their members, each digest a link.

use std::collections::BTreeSet;

use bstr::ByteSlice as _;

use crate::escape::escape;
use crate::finding::Documents;
use crate::json::{Kind, Value};
use crate::location::MemberId;

/// A document.
#[derive(Debug)]
pub(super) struct Shown {
    /// The member's name, escaped.
    pub name: String,
    /// The digest in its name, which links lead to.
    pub hex: Option<String>,
    /// Indented if it parses; `None` where the page has no room left for it.
    pub text: Option<String>,
}

/// The documents among these members, with at most `room` characters of text.
pub(super) fn of(members: &BTreeSet<MemberId>, docs: &dyn Documents, mut room: usize) -> Vec<Shown> {
    let mut shown = Vec::new();
    for member in members {
        let Some(document) = docs.text(*member) else { continue };
        let name = docs.name(*member);
        let text = (document.text.len() <= room).then(|| match document.json {
            Some(json) => indented(&json.root, document.text),
            None => escape(document.text).into_owned(),
        });
        let text = text.filter(|text| text.len() <= room);
        room -= text.as_ref().map_or(0, String::len);
        shown.push(Shown {
            name: escape(name).into_owned(),
            hex: super::shown::hex(&name.to_str_lossy()),
            text,
        });
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
