//! The names of members, which take most of the memory of a list: that of a directory is the beginning of the name of
//! something in it, and shares its bytes.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use bstr::{BStr, ByteSlice};

/// The name of a member.
#[derive(Clone)]
pub struct MemberName {
    text: Arc<[u8]>,
    len: usize,
}

impl MemberName {
    /// Shares the bytes of a name that begins with this one, if that is the name of something in a directory of this name.
    pub(super) fn share(&mut self, below: &MemberName) {
        if below.get(self.len) == Some(&b'/') && below.starts_with(self) {
            self.text = Arc::clone(&below.text);
        }
    }
}

impl Deref for MemberName {
    type Target = BStr;

    fn deref(&self) -> &BStr {
        self.text.get(..self.len).unwrap_or_default().as_bstr()
    }
}

impl From<&[u8]> for MemberName {
    fn from(text: &[u8]) -> MemberName {
        MemberName { text: text.into(), len: text.len() }
    }
}

impl From<&str> for MemberName {
    fn from(text: &str) -> MemberName {
        MemberName::from(text.as_bytes())
    }
}

impl From<String> for MemberName {
    fn from(text: String) -> MemberName {
        MemberName::from(text.as_bytes())
    }
}

impl PartialEq for MemberName {
    fn eq(&self, other: &MemberName) -> bool {
        **self == **other
    }
}

impl Eq for MemberName {}

impl PartialOrd for MemberName {
    fn partial_cmp(&self, other: &MemberName) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for MemberName {
    fn cmp(&self, other: &MemberName) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl fmt::Display for MemberName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl fmt::Debug for MemberName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_shares_the_name_of_what_is_in_it() {
        let name = |text: &str| MemberName::from(text.as_bytes());
        let file = name("a/b/c");
        for (text, shared) in
            [("a", true), ("a/b", true), ("a/b/c", false), ("", false), ("a/", false), ("b", false)]
        {
            let mut directory = name(text);
            directory.share(&file);
            assert_eq!(Arc::ptr_eq(&directory.text, &file.text), shared, "{text}");
            assert_eq!((directory.as_bytes(), directory.to_string().as_str()), (text.as_bytes(), text));
        }
        assert!(name("a") < name("a/b") && name("a-b") < name("a/b"));
    }
}
