//! Findings and the ways to show them.
mod finding;
pub use finding::{At, Finding, Label, Location, MemberId};
