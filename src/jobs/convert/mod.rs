//! Rewriting an archive into another form: plan, run, account.
//!
//! `run` is the whole job. [`planner`] is pure: it decides what becomes of every manifest, blob and name, or refuses;
//! the decisions are a [`Plan`]. What the source holds was listed before (its inventory); only a plan that gives each
//! thing on that list a fate is [`Settled`] and can be carried out. The blobs of a plan are read once and handed to the sink on the way (`write`), and the
//! manifests and indexes follow (`documents`), made by [`rewrite`] from spans of the old ones. [`account`] says what
//! happened to each digest and why.

pub mod account;
pub mod called;
mod choice;
mod codecs;
mod documents;
mod families;
mod fates;
mod fix;
mod indexes;
mod job;
mod judged;
mod layers;
pub mod loads;
mod losses;
mod manifests;
mod mended;
pub mod names;
mod new_names;
mod outcome;
mod parts;
pub mod plan;
pub mod planner;
pub mod request;
pub mod rewrite;
mod run;
#[cfg(test)]
mod tests;
mod write;

pub use account::{Account, Action, Entry, Kind};
pub use fates::{Fate, Settled};
pub use fix::Fixes;
pub use job::{Destination, Goal, Origin, Source, run};
pub use outcome::{End, Outcome};
pub use plan::Plan;
pub use request::{Compress, DropSet, ManifestFormat, Request, Target};
