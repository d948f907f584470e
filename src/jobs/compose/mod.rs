//! Images for many platforms: indexes that are put together, taken apart and edited, and archives that lack something
//! made whole. Nothing is copied here and nothing written: what comes out is an archive whose parts lie where they were,
//! for a conversion to carry.

mod child;
mod edit;
mod fill;
mod gather;
mod list;
mod pick;
mod shown;

pub use edit::{Edited, added, annotated, kept, removed};
pub use fill::{fill, lacking};
pub use gather::{Gathering, Trees};
pub use list::Annotate;
pub use pick::{Joined, Pick, join, pick};
pub use shown::{Format, shown};
