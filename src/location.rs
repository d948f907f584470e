//! Places in an archive: a member, and where inside it.
//!
//! They are symbolic (a JSON pointer, or an offset); spans, lines and columns are worked out late, by
//! [`finding::Locator`](crate::finding::Locator).

use std::fmt::Write;

use bstr::BString;

/// A member of the archive, by its position in the [`Tree`](crate::source::Tree).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub u32);

/// A place in an archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The member; `None` is the archive as a whole.
    pub member: Option<MemberId>,
    /// Where inside it.
    pub at: At,
}

/// Where inside a member.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum At {
    /// The member as a whole.
    Whole,
    /// Byte offset in the member as stored (in the archive file itself, if there is no member).
    Offset(u64),
    /// The value at a JSON pointer.
    Pointer(String),
    /// The *name* of the object member at a JSON pointer.
    Key(String),
    /// A range of bytes in a document.
    Span(crate::json::Span),
    /// An entry of a layer: its path, and the offset of its header in the decompressed tar.
    Entry {
        /// Path as written; empty for a place in the tar itself.
        path: Box<BString>,
        /// Offset of the entry's first header.
        offset: u64,
    },
}

impl At {
    /// An entry of a layer, or with an empty path a place in the tar itself.
    pub fn entry(path: impl Into<BString>, offset: u64) -> At {
        At::Entry { path: Box::new(path.into()), offset }
    }
}

impl Location {
    /// The archive as a whole.
    pub fn archive() -> Location {
        Location { member: None, at: At::Whole }
    }

    /// A whole member.
    pub fn member(member: MemberId) -> Location {
        Location { member: Some(member), at: At::Whole }
    }

    /// The value at `pointer` in a member.
    pub fn pointer(member: MemberId, pointer: impl Into<String>) -> Location {
        Location { member: Some(member), at: At::Pointer(pointer.into()) }
    }

    /// The member and the pointer in it, of a value or of its name.
    pub fn member_and_pointer(&self) -> Option<(MemberId, String)> {
        match &self.at {
            At::Pointer(pointer) | At::Key(pointer) => Some((self.member?, pointer.clone())),
            _ => None,
        }
    }

    /// The value one step below this pointer.
    pub fn child(&self, step: impl std::fmt::Display) -> Location {
        let base = match &self.at {
            At::Pointer(pointer) => pointer.as_str(),
            _ => "",
        };
        // As long as most names are: this is asked for every member and item.
        let mut pointer = String::with_capacity(base.len() + 16);
        pointer.push_str(base);
        let _ = write!(pointer, "/{step}"); // a String takes everything
        Location { member: self.member, at: At::Pointer(pointer) }
    }
}
