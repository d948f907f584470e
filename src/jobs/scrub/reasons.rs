//! Why a sum that the store computed proves nothing, counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why a sum proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The task failed.
    Failed,
    /// It is of another algorithm.
    Algorithm,
    /// It is made of the sums of parts.
    Composite,
    /// It is no row, or one that contradicts itself.
    Malformed,
    /// It is about something else than a blob of the storage.
    Elsewhere,
    /// Other rows say otherwise of the same version.
    Twice,
    /// It is about another version of the blob.
    Version,
    /// It is older than `--max-age` allows.
    Old,
    /// It is not what the blob's name says.
    Differs,
}

impl Reason {
    /// All of them, in the order in which they are told.
    pub const ALL: [Reason; 9] = [
        Reason::Differs,
        Reason::Version,
        Reason::Old,
        Reason::Twice,
        Reason::Failed,
        Reason::Algorithm,
        Reason::Composite,
        Reason::Elsewhere,
        Reason::Malformed,
    ];

    /// What is counted, behind a number.
    pub fn words(self) -> &'static str {
        match self {
            Reason::Differs => "not what the name says",
            Reason::Version => "of another version",
            Reason::Old => "older than --max-age",
            Reason::Twice => "contradicted by another row",
            Reason::Failed => "of a task that failed",
            Reason::Algorithm => "of another algorithm than SHA256",
            Reason::Composite => "of parts, not of the whole object",
            Reason::Elsewhere => "of no blob of this storage",
            Reason::Malformed => "not readable",
        }
    }
}

/// How many sums prove nothing, by the reason.
#[derive(Debug, Default)]
pub struct Counts([AtomicU64; Reason::ALL.len()]);

impl Counts {
    /// Counts more.
    pub fn add(&self, reason: Reason, more: u64) {
        self.0[reason as usize].fetch_add(more, Ordering::Relaxed);
    }

    /// How many there are for a reason.
    pub fn get(&self, reason: Reason) -> u64 {
        self.0[reason as usize].load(Ordering::Relaxed)
    }
}
