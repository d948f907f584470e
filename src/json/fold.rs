//! How Go's `encoding/json` takes the names of members: by Unicode's simple case folding, the last of several.
//!
//! Every loader of images is written in Go, so a document is what Go reads in it. Go finds the field of a structure for
//! each name as it comes: an exact name first, else one that is equal when folded (`foldName` in `encoding/json`), and a
//! later member replaces an earlier one. The keys of maps (annotations, labels, `repositories`) are not folded.
//!
//! All names that a specification knows are ASCII, and two characters outside of it fold into ASCII: `ſ` (U+017F) is an s,
//! the Kelvin sign (U+212A) a k.

use std::cmp::Ordering;

/// A character as Go folds it, as far as that is ASCII.
fn folded(c: char) -> char {
    match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    }
}

/// Whether Go takes a member called `key` for the field `known`. No field of a specification has a name beyond ASCII: one
/// that does is a name of the archive's own, such as one that a location points at, and is itself alone.
pub fn is_field(known: &str, key: &str) -> bool {
    // Asked of every member of every document, most of which differ in their first letter: what folds into ASCII is longer.
    match key.len().cmp(&known.len()) {
        Ordering::Less => false,
        Ordering::Equal => known.eq_ignore_ascii_case(key) && (key.is_ascii() || known == key),
        Ordering::Greater => known.chars().map(folded).eq(key.chars().map(folded)) && known.is_ascii(),
    }
}

/// A name of a member in ASCII lower case, as Go folds it: names of one field are equal in it.
pub fn fold(key: &str) -> String {
    key.chars().map(folded).collect()
}

/// Whether a name is taken for a field in ASCII only because Go folds beyond ASCII: nobody writes so by chance.
pub fn is_disguised(key: &str) -> bool {
    !key.is_ascii() && fold(key).is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folded_as_go_folds_them() {
        for (known, key) in [
            ("layers", "layers"),
            ("layers", "Layers"),
            ("layers", "Layer\u{17f}"),
            ("RepoTags", "repotag\u{17f}"),
            ("diff_ids", "DIFF_ID\u{17f}"),
            ("jwk", "JW\u{212a}"),
            ("os.version", "OS.Ver\u{17f}ion"),
        ] {
            assert!(is_field(known, key) && fold(known) == fold(key), "{known} {key}");
            assert_eq!(is_disguised(key), !key.is_ascii());
        }
        // What full folding or other locales would join, Go does not.
        for (known, key) in [
            ("size", "s\u{131}ze"),
            ("size", "S\u{130}ZE"),
            ("os", "\u{df}"),
            ("os", "o\u{17f}\u{17f}"),
            ("layer\u{17f}", "layers"),
            ("layers", "layer"),
            ("diff_ids", "diff-ids"),
            ("config", "\u{ff43}onfig"),
            ("\u{e9}A", "\u{e9}a"),
            ("\u{17f}", "\u{212a}"),
        ] {
            assert!(!is_field(known, key), "{known} {key}");
        }
    }

    /// `unicode.SimpleFold` of every character: only two orbits reach from outside into ASCII.
    #[test]
    fn only_two_characters_fold_into_ascii() {
        let beyond = ('\u{80}'..=char::MAX).filter(|c| {
            // Simple folding keeps one character; what lowers or raises to one of ASCII is in its orbit.
            let single =
                |mut all: Box<dyn Iterator<Item = char>>| all.next().filter(|_| all.next().is_none());
            let lower = single(Box::new(c.to_lowercase())).is_some_and(|c| c.is_ascii());
            lower || single(Box::new(c.to_uppercase())).is_some_and(|c| c.is_ascii())
        });
        // U+0131, the dotless i, has the capital I but folds to itself.
        assert_eq!(beyond.collect::<Vec<_>>(), ['\u{131}', '\u{17f}', '\u{212a}']);
    }
}
