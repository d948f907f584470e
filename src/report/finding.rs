//! What a rule reports: a finding, with labels that point at places.
//!
//! Places are symbolic (member and JSON pointer, or offset); spans, lines and columns are worked out
//! late, by [`locate`](super::locate).

use bstr::BString;

use super::Fix;
use crate::rules::Rule;

/// A member of the archive, by its position in the [`Tree`](crate::format::tree::Tree).
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
        path: BString,
        /// Offset of the entry's first header.
        offset: u64,
    },
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
        Location { member: self.member, at: At::Pointer(format!("{base}/{step}")) }
    }
}

/// A place with what is to be said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub location: Location,
    /// What is there, such as `declared here`; may be empty.
    pub text: String,
}

/// One thing that is wrong, or worth telling, about an image archive.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The rule that reports it.
    pub rule: &'static Rule,
    /// One fact, lower case, names first, expected and found. Archive text in it is not yet escaped.
    pub message: String,
    /// Where it is wrong.
    pub primary: Label,
    /// Other places that explain it.
    pub related: Vec<Label>,
    /// What to do, if there is more to say than the rule's own advice.
    pub help: Option<String>,
    /// What would mend it, if that can be computed.
    pub fix: Option<Fix>,
    /// How many more places are at fault alike, which are neither named here nor in findings of their own.
    pub omitted: u64,
}

impl Finding {
    /// A finding with an unlabelled primary place.
    pub fn new(rule: &'static Rule, location: Location, message: impl Into<String>) -> Finding {
        let primary = Label { location, text: String::new() };
        Finding {
            rule,
            message: message.into(),
            primary,
            related: Vec::new(),
            help: None,
            fix: None,
            omitted: 0,
        }
    }

    /// Sets the text at the primary place.
    pub fn label(mut self, text: impl Into<String>) -> Finding {
        self.primary.text = text.into();
        self
    }

    /// Says that it stands for so many more which are not told; none is fine.
    pub fn omit(&mut self, more: u64) {
        if more > 0 {
            self.omitted += more;
            self.message.push_str(&format!("; so it is with {more} more"));
        }
    }

    /// Adds a related place.
    pub fn related(mut self, location: Location, text: impl Into<String>) -> Finding {
        self.related.push(Label { location, text: text.into() });
        self
    }

    /// Sets the advice.
    pub fn help(mut self, text: impl Into<String>) -> Finding {
        self.help = Some(text.into());
        self
    }
}
