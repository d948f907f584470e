//! The text of a name, a string or a number of a document.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, Range};
use std::sync::Arc;

/// A range of a text that others share. Where nothing is escaped, as in nearly every string, that is the document itself: so
/// a document takes no memory for each of its strings.
#[derive(Clone, Default)]
pub struct Slice {
    text: Arc<str>,
    start: u32,
    end: u32,
}

impl Slice {
    /// So many bytes of a text, whose length 32 bits hold.
    pub(super) fn of(text: &Arc<str>, range: Range<usize>) -> Slice {
        Slice { text: Arc::clone(text), start: range.start as u32, end: range.end as u32 }
    }
}

impl Deref for Slice {
    type Target = str;

    fn deref(&self) -> &str {
        self.text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

impl Borrow<str> for Slice {
    fn borrow(&self) -> &str {
        self
    }
}

impl From<&str> for Slice {
    fn from(text: &str) -> Slice {
        Slice::of(&text.into(), 0..text.len())
    }
}

impl From<String> for Slice {
    fn from(text: String) -> Slice {
        text.as_str().into()
    }
}

impl PartialEq for Slice {
    fn eq(&self, other: &Slice) -> bool {
        // Names of one object are compared in pairs, and most differ in their length.
        self.end - self.start == other.end - other.start && **self == **other
    }
}

impl Eq for Slice {}

impl Hash for Slice {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl fmt::Debug for Slice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, out)
    }
}

impl fmt::Display for Slice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self)
    }
}
