//! Small files of a form that follow from what is there.

use super::account::{StepKind, Was};
use crate::digest::Digest;
use crate::form::mend::Stood;

/// A small file that is wrong or missing, and follows from what is there.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub kind: StepKind,
    pub path: String,
    pub text: String,
    pub digest: Option<Digest>,
    pub what: String,
    pub was: Was,
    /// What stands at its path now.
    pub stood: Stood,
    pub proof: String,
}
