//! The image graph.
