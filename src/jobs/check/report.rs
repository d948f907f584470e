//! What a check found out.

use crate::facts::Facts;
use crate::finding::Finding;

/// What a check found out.
pub struct Report {
    /// What each blob is like.
    pub facts: Facts,
    /// What is wrong, or worth telling, in the order of reports. Levels are the caller's:
    /// [`Policy`](crate::rules::Policy) has the usual ones.
    pub findings: Vec<Finding>,
}
