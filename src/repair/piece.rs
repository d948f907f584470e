//! Small files of a form that follow from what is there.

use super::account::{StepKind, Was};
use crate::digest::Digest;

/// A small file that is wrong or missing, and follows from what is there.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub kind: StepKind,
    pub path: String,
    pub text: String,
    pub digest: Option<Digest>,
    pub what: String,
    pub was: Was,
    pub proof: String,
}
