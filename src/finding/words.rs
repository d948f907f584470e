//! Words that many findings share.

/// A number with its noun: `1 byte`, `2 bytes`.
pub(crate) fn counted(n: u64, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// How to let an archive pass that hit a limit.
pub(crate) fn raise(name: &str, value: impl std::fmt::Display) -> String {
    format!("if the archive is trusted, raise the limit with --limit {name}={value}")
}
