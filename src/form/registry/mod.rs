//! Live registries as a form: `docker://HOST[:PORT]/NAME[:TAG|@DIGEST]`, read and written like any other.
//!
//! Reading asks for documents first (`read`), so that members are known as they are everywhere; blobs stream when they
//! are read. Writing sends blobs as they come and documents when everything was judged, tags last ([`write`]): what stands
//! under a tag is whole.

mod address;
mod crawl;
#[cfg(feature = "scrub")]
pub mod live;
mod mend;
mod narrow;
#[cfg(feature = "scrub")]
pub mod piece;
mod pushed;
mod read;
mod sending;
mod write;

pub use address::Address;
pub use mend::Lacking;
pub use pushed::{PushOptions, Pushed};
pub use read::{Wanted, open};
pub use write::{may_set_all, registry, takes_all};
