//! What a fault hits.

/// The images and tags that reach the blob or document at fault: the blast radius.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Affected {
    /// The first of them in source order, at most [`Affected::NAMED`]: a name, or the digest or image ID of an image
    /// without one; with the platform where only one image below an index is hit. Not escaped.
    pub names: Vec<String>,
    /// How many there are.
    pub count: usize,
    /// Whether that is all that the archive has: then it need not be told to people.
    pub all: bool,
}

impl Affected {
    /// So many are named.
    pub const NAMED: usize = 16;

    /// In words: `` `app:1`, `app:2` and 3 more``; empty if nothing is hit.
    pub fn words(&self) -> String {
        let names: Vec<String> = self.names.iter().map(|name| format!("`{name}`")).collect();
        let more = self.count.saturating_sub(names.len());
        match (names.split_last(), more) {
            (None, _) => String::new(),
            (Some(_), 1..) => format!("{} and {more} more", names.join(", ")),
            (Some((last, [])), 0) => last.clone(),
            (Some((last, rest)), 0) => format!("{} and {last}", rest.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let words = |names: &[&str], count| {
            Affected { names: names.iter().map(ToString::to_string).collect(), count, all: false }.words()
        };
        assert_eq!(words(&[], 0), "");
        assert_eq!(words(&["a:1"], 1), "`a:1`");
        assert_eq!(words(&["a:1", "b:1", "c:1"], 3), "`a:1`, `b:1` and `c:1`");
        assert_eq!(words(&["a:1", "b:1"], 9), "`a:1`, `b:1` and 7 more");
    }
}
