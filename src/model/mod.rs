//! The image graph.

pub mod legacy;
