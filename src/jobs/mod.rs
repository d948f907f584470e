//! What is done with archives: a room for each job, which the library puts a name and options to.
//!
//! None imports another but as the table of rooms says (`docs/architecture.md#rooms`).

pub mod check;
pub mod compare;
pub mod compose;
pub mod convert;
pub mod inspect;
pub(crate) mod repair;
#[cfg(feature = "scrub")]
pub mod scrub;
#[cfg(feature = "serve")]
pub(crate) mod serve;
