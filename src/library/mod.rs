//! What other programs see of restow, and the command too: one function for each job, with options that have defaults.
//!
//! Everything here is short: it puts the rooms below together in the usual way, and hides how they are made.

mod check;
mod compare;
mod convert;
mod explain;
mod index;
mod inspect;
mod open;
mod options;
#[cfg(feature = "scrub")]
mod outgoing;
#[cfg(feature = "page")]
mod page;
mod registry;
mod repair;
mod report;
#[cfg(feature = "scrub")]
mod scrub;
#[cfg(feature = "serve")]
mod serve;

pub use check::{check, check_part};
pub use compare::compare;
pub use convert::{Destination, DockerFormat, convert};
#[doc(hidden)]
pub use explain::unknown_rule;
pub use explain::{explain, schemas};
pub use index::{IndexEdit, IndexPart, create_index, edit_index, show_index, split_index};
pub use inspect::{inspect, raw};
#[doc(hidden)]
pub use inspect::{inspect_for, raw_for};
pub use open::{Source, open};
pub use options::Options;
#[cfg(feature = "scrub")]
#[doc(hidden)]
pub use outgoing::Outgoing;
#[cfg(all(feature = "page", feature = "scrub"))]
#[doc(hidden)]
pub use page::picture_told;
#[cfg(feature = "page")]
#[doc(hidden)]
pub use page::{Looked, changes, file_digest, picture};
pub use registry::{Login, RegistryOptions, tags};
pub use repair::repair;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use report::draw;
pub use report::{Report, ReportFormat, fix_list};
#[doc(hidden)]
pub use report::{images, render};
#[cfg(feature = "scrub")]
#[doc(hidden)]
pub use scrub::scrub_status;
#[cfg(feature = "scrub")]
pub use scrub::{merge_scrubs, scrub};
#[cfg(feature = "serve")]
pub use serve::{Shelved, named, shelve};
