//! What other programs see of restow, and the command too: a module for each job, whose options have defaults.
//!
//! Everything here is short: it puts the rooms below together in the usual way, and hides how they are made.

mod check;
#[cfg(feature = "cli")]
pub(crate) mod command;
pub mod compare;
pub mod convert;
pub mod explain;
pub mod index;
pub mod inspect;
mod open;
mod options;
#[cfg(feature = "scrub")]
mod outgoing;
#[cfg(feature = "page")]
mod page;
pub mod registry;
pub mod repair;
pub mod report;
#[cfg(feature = "scrub")]
pub mod scrub;
#[cfg(feature = "serve")]
pub mod serve;

pub use check::check;
pub use compare::compare;
pub use convert::{Destination, convert};
pub use explain::explain;
pub use inspect::inspect;
pub use open::{Source, open};
pub use options::Options;
pub use report::Report;
