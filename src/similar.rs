//! "Did you mean": how unlike two names are, at a bounded cost.

/// Names that are longer are not compared, in bytes. 300: a reference has at most 255 and a tag. The cost is the product
/// of both lengths, in time and memory, and an archive may hold names of megabytes.
const LONGEST: usize = 300;

/// Characters that are missing, too many, wrong or swapped; `None` where a name is too long to be meant.
pub(crate) fn distance(a: &str, b: &str) -> Option<usize> {
    (a.len().max(b.len()) <= LONGEST).then(|| strsim::damerau_levenshtein(a, b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swapped_letters_count_once_and_megabytes_not_at_all() {
        assert_eq!(distance("blob/misisng", "blob/missing"), Some(1));
        assert_eq!(distance(&"x".repeat(LONGEST), "x"), Some(LONGEST - 1));
        assert_eq!(distance(&"x".repeat(LONGEST + 1), "x"), None);
        assert_eq!(distance("x", &"x".repeat(LONGEST + 1)), None);
    }
}
