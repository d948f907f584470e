//! Rewriting an archive into another form: plan, run, account.
//!
//! [`plan`] is pure: it decides what becomes of every manifest, blob and name, or refuses. [`run()`] reads each source
//! blob once, through the pipeline and into the sink. [`rewrite`] makes new manifests by replacing spans of old ones.
//! [`account`] says what happened to each digest and why.

pub mod account;
pub mod names;
pub mod plan;
pub mod rewrite;
pub mod run;
#[cfg(test)]
mod tests;

pub use account::{Account, Action, Entry, Kind};
pub use plan::{Compress, DropSet, ManifestFormat, Plan, Request, Target};
pub use run::{Outcome, run};
