//! One module per archive form.
pub mod sink;
pub mod sinks;
