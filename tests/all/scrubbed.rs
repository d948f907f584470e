//! Scrubs of whole storages: the same verdict as `check`, whatever was killed, divided or changed meanwhile.

mod configured;
mod corpus;
pub mod damage;
mod divided;
mod layouts;
mod live;
mod many_layouts;
mod meanwhile;
pub mod planted;
mod refused;
mod registry;
mod stacked;
pub mod storage;
mod told;
