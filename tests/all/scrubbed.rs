//! Scrubs of whole storages: the same verdict as `check`, whatever was killed, divided or changed meanwhile.

mod corpus;
pub mod damage;
mod divided;
mod planted;
mod registry;
mod refused;
pub mod storage;
mod told;
