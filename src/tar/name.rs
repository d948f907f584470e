//! Cleaning of member names: every reader compares cleaned names (formats.md 0.5, D.10.2).

use std::borrow::Cow;

use bstr::{BStr, BString, ByteSlice};

/// A member name as it counts for comparing, and what was taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleaned<'a> {
    /// The path below the root: no leading, doubled or trailing `/`, no `.` and no `..`. Empty for the root itself.
    /// Borrowed unless something in its middle had to go.
    pub path: Cow<'a, BStr>,
    /// The name began with `/`.
    pub absolute: bool,
    /// A `..` climbed above the root; it was clamped there, as most tools do.
    pub escapes: bool,
    /// The name was `.` or began with `./`.
    pub dot_prefix: bool,
}

/// Cleans a member name: strips leading `./` and `/`, collapses `//`, resolves `.` and `..`.
pub fn clean(name: &[u8]) -> Cleaned<'_> {
    let absolute = name.starts_with(b"/");
    let dot_prefix = name == b"." || name.starts_with(b"./");
    let mut rest = name;
    while let Some(tail) = rest.strip_prefix(b"/").or_else(|| rest.strip_prefix(b"./")) {
        rest = tail;
    }
    while let Some(head) = rest.strip_suffix(b"/") {
        rest = head;
    }
    if rest == b"." {
        rest = b"";
    }
    if rest.is_empty() || !rest.split_str("/").any(|part| matches!(part, b"" | b"." | b"..")) {
        return Cleaned { path: Cow::Borrowed(rest.as_bstr()), absolute, escapes: false, dot_prefix };
    }
    let mut path = BString::from(Vec::with_capacity(rest.len()));
    let mut escapes = false;
    for part in rest.split_str("/") {
        match part {
            b"" | b"." => {}
            b".." if path.is_empty() => escapes = true,
            b".." => {
                let parent = path.rfind_byte(b'/').unwrap_or(0);
                path.truncate(parent);
            }
            _ => {
                if !path.is_empty() {
                    path.push(b'/');
                }
                path.extend_from_slice(part);
            }
        }
    }
    Cleaned { path: Cow::Owned(path), absolute, escapes, dot_prefix }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaned_names() {
        for (name, path, flags) in [
            ("manifest.json", "manifest.json", ""),
            ("./manifest.json", "manifest.json", "d"),
            ("/manifest.json", "manifest.json", "a"),
            ("././/a", "a", "d"),
            ("/./a", "a", "a"),
            (".", "", "d"),
            ("./", "", "d"),
            ("/", "", "a"),
            ("", "", ""),
            ("a/", "a", ""),
            ("a//", "a", ""),
            ("a//b", "a/b", ""),
            ("a/./b", "a/b", ""),
            ("a/.", "a", ""),
            ("a/../b", "b", ""),
            ("a/b/../../c", "c", ""),
            ("a/..", "", ""),
            ("..", "", "e"),
            ("../a", "a", "e"),
            ("a/../../b", "b", "e"),
            ("/../a", "a", "ae"),
            ("./../a", "a", "de"),
            (".a/..b/c..", ".a/..b/c..", ""),
            (".wh..wh..opq", ".wh..wh..opq", ""),
        ] {
            let got = clean(name.as_bytes());
            assert_eq!(got.path.as_bytes(), path.as_bytes(), "{name}");
            let seen = [(got.absolute, 'a'), (got.dot_prefix, 'd'), (got.escapes, 'e')];
            let seen: String = seen.iter().filter(|f| f.0).map(|f| f.1).collect();
            assert_eq!(seen, flags, "{name}");
        }
    }

    #[test]
    fn nothing_is_copied_where_the_middle_is_clean() {
        for name in ["blobs/sha256/aa", "./blobs/sha256/aa/", "/etc", "./"] {
            assert!(matches!(clean(name.as_bytes()).path, Cow::Borrowed(_)), "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn cleaning_is_idempotent(name in "[./ab]{0,12}") {
            let once = clean(name.as_bytes()).path.into_owned();
            let twice = clean(&once);
            proptest::prop_assert_eq!(twice.path.as_ref(), once.as_bstr());
            proptest::prop_assert!(!twice.absolute && !twice.escapes && !twice.dot_prefix);
        }
    }
}
