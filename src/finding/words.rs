//! Words that many findings share.

/// A number with its noun: `1 byte`, `2 bytes`.
pub(crate) fn counted(n: u64, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}
