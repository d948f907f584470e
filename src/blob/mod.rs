//! Reading a blob: one pass that counts, hashes, decompresses and hashes again.

pub mod facts;
pub mod pipeline;
pub mod stage;
mod threads;

pub use facts::{BlobFacts, GzipHeader, Plain};
