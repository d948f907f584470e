//! Exit statuses, beside 0.

/// The image is wrong, or two places differ.
pub(super) const WRONG: u8 = 1;
/// The command could not, or may not, do what was asked.
pub(super) const FAILED: u8 = 2;
