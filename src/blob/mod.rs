//! Reading a blob: one pass that counts, hashes, decompresses and hashes again.

pub mod codec;
mod deflate;
pub mod facts;
pub mod pipeline;
mod threads;
mod zstd_frame;

pub use facts::{BlobFacts, Fault, GzipHeader, Plain};
