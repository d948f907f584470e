//! Strict RFC 8259 JSON that remembers where everything stands.
//!
//! Digests are taken over exact bytes, so documents are never re-serialised: they are parsed into a
//! tree of spans, judged through it, and edited by replacing spans ([`edit`]).
//! Why not a crate: docs/architecture.md#own-json.

#[cfg(test)]
mod differential;
pub mod edit;
pub mod fold;
mod parse;
pub mod pointer;
pub mod safe;
mod slice;
pub mod write;

pub use parse::{parse, parse_kept};
pub use slice::Slice;

/// A half-open range of byte offsets in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset behind the last byte.
    pub end: usize,
}

/// A parsed document.
#[derive(Debug, Clone, PartialEq)]
pub struct Json {
    /// The top-level value.
    pub root: Value,
    /// What was odd but could be read all the same, in source order.
    pub anomalies: Vec<Anomaly>,
    /// How many values there are, the top-level one included.
    pub values: u64,
}

/// One value with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// From the first to behind the last byte of the value.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

/// The kinds of JSON values.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// The number's own text: `1e3` and 2^63 are judged by rules, not rounded here.
    Number(Slice),
    /// Decoded text. Bad UTF-8 and lone surrogates are U+FFFD here and an anomaly in the document.
    String(Slice),
    /// `[…]`
    Array(Vec<Value>),
    /// `{…}` with every member, duplicates included, in source order.
    Object(Vec<Member>),
}

/// One member of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Decoded name.
    pub key: Slice,
    /// Where the name stands, quotes included.
    pub key_span: Span,
    /// Its value.
    pub value: Value,
}

/// Something odd that does not stop the parser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anomaly {
    /// A UTF-8 byte order mark before the document.
    ByteOrderMark,
    /// The same member name twice in one object (compared after decoding, case-sensitively).
    DuplicateKey {
        /// JSON pointer of the member.
        pointer: String,
        /// Name that stands first.
        first: Span,
        /// Name that stands again.
        again: Span,
    },
    /// A string holds bytes that are not UTF-8.
    InvalidUtf8 {
        /// Offset of the first bad byte.
        offset: usize,
    },
    /// A string holds half a surrogate pair.
    LoneSurrogate {
        /// Where the escape stands.
        span: Span,
    },
    /// Something other than white space follows the top-level value.
    TrailingData {
        /// Offset of its first byte.
        offset: usize,
    },
}

/// Why a text is not JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct SyntaxError {
    /// Byte offset at which reading stopped.
    pub offset: usize,
    /// What is wrong there, such as ``expected `,` or `}` ``.
    pub problem: String,
    /// Set if the cause is the nesting limit rather than the grammar.
    pub too_deep: bool,
}

impl Value {
    /// The field `key`, a name in ASCII that a specification knows, as Go's decoder takes it: the last member whose name
    /// is the same when folded ([`fold`]).
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.field(key).map(|member| &member.value)
    }

    /// The member that is this field, with its name as written.
    pub fn field(&self, key: &str) -> Option<&Member> {
        self.members().iter().rev().find(|member| fold::is_field(key, &member.key))
    }

    /// What a map, such as annotations, has under exactly this key: the last of several.
    pub fn entry(&self, key: &str) -> Option<&Value> {
        self.members().iter().rev().find(|member| &*member.key == key).map(|member| &member.value)
    }

    /// The members of an object; none for anything else.
    pub fn members(&self) -> &[Member] {
        match &self.kind {
            Kind::Object(members) => members,
            _ => &[],
        }
    }

    /// The items of an array; none for anything else.
    pub fn items(&self) -> &[Value] {
        match &self.kind {
            Kind::Array(items) => items,
            _ => &[],
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is written as a plain non-negative integer that fits.
    pub fn as_u64(&self) -> Option<u64> {
        match &self.kind {
            Kind::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The number, if it is written as a plain integer that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match &self.kind {
            Kind::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The truth value.
    pub fn as_bool(&self) -> Option<bool> {
        match self.kind {
            Kind::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        matches!(self.kind, Kind::Object(_))
    }

    /// Whether it is an array.
    pub fn is_array(&self) -> bool {
        matches!(self.kind, Kind::Array(_))
    }
}
