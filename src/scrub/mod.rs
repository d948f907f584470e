//! A whole storage proved: every blob is read once, every repository judged against what was found, whatever the size.
//!
//! A storage of ten million blobs is never one archive. The unit of reading is a blob, that of judging a repository;
//! between them stand rows in a `state`, an embedded database. So memory is flat, a kill costs the units in flight, the
//! next run reads what is new, was wrong or is old, parts are disjoint by hash, and joining them is a union of rows. Links
//! are read before blobs are listed, since registries write them the other way round; judging is that of `check`, piece by
//! piece, and the same whether the rows are in one state or in many.

#[cfg(feature = "cloud")]
mod afar;
mod blobs;
mod counters;
mod facts;
mod gc;
mod graph;
mod job;
mod key;
mod layouts;
mod lines;
mod links;
#[cfg(feature = "registry")]
mod live;
mod marks;
mod parts;
mod proved;
mod reasons;
mod row;
mod run;
mod select;
mod source;
mod state;
mod status;
mod sums;
mod told;
mod unit;

pub use counters::Counters;
pub use gc::{Break, Garbage};
pub use graph::Extent;
pub use job::{Extras, Means, Request, seconds};
pub use parts::Parts;
pub use proved::Proved;
pub use row::{Meta, Row, Run, Shard};
pub use run::{Scrubbed, What, merge, run};
pub use select::{Sample, size};
pub use state::State;
pub use status::{Status, status};
pub use told::Told;
