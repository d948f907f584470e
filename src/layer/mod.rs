//! What is in a layer: its tar, entry by entry, and how layers lie on each other (formats.md D.10, H.9).
//!
//! [`scan`] looks at the decompressed stream as it passes through the blob pipeline. What a single entry tells is kept as
//! [`evidence`]; what takes two entries to tell goes through a `table` of hashed paths, which is sorted in runs and
//! spilled to a file, so that memory does not grow with the layer. Once a layer is scanned, `own` reads its table in
//! order and judges paths against each other within the layer. What it leaves open, since only lower layers can answer
//! it, [`stack`] looks up in their tables once all layers of an image are there.
//!
//! Facts only: what each of them means is said by `rules`.

mod climb;
pub mod contents;
pub mod evidence;
mod facts;
#[cfg(test)]
pub(crate) mod fixture;
mod kept;
mod laid;
mod magic;
mod names;
mod own;
pub mod scan;
pub mod stack;
mod table;
#[cfg(test)]
mod tests;
mod trail;

pub use contents::{Changes, Contents, Files, Pile};
pub use evidence::{Detail, Evidence, Oddity, Seen};
pub use facts::{LayerFacts, Roots};
pub use kept::Kept;
pub use laid::laid;
pub use scan::LayerScan;
pub use table::Spool;
pub use trail::Trail;
