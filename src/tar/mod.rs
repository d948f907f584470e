//! Tar: scanning and writing.
//!
//! [`scan`] is a state machine that does no I/O: every reader of a tar in this crate is one of the three thin drivers
//! of [`read`] around it, so an outer archive on disk, standard input and a layer inside the hashing pipeline all see
//! the same entries and the same anomalies. What is odd is a typed fact ([`anomaly`]), never a level or a sentence.
//! [`name`] cleans member names, [`mod@write`] makes the headers of the tars that restow writes.
//!
//! Nothing here unpacks to disk.

pub mod anomaly;
mod decode;
pub mod entry;
mod field;
mod head;
pub mod name;
pub mod pax;
pub mod read;
pub mod scan;
mod sparse;
pub mod write;

pub use anomaly::{Anomaly, AnomalyKind, Extension, Field, PaxFault};
pub use entry::{Entry, Format, Kind};
pub use name::{Cleaned, clean};
pub use read::{Data, Event, Feed, ReadAt, Stream, index};
pub use scan::{Limits, Scanner, Want, begins_with_header};
pub use sparse::Sparse;

/// Bytes of a header, and the unit that data is padded to.
pub const BLOCK: usize = 512;

#[cfg(test)]
#[expect(clippy::print_stderr, reason = "says what was skipped")]
mod tests;
