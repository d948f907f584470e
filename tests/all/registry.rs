//! Live registries: the client against a registry inside this process, with every fault planted, and the command there.

mod client;
mod corpus;
pub mod debian;
mod faults;
mod killed;
mod messages;
pub mod places;
mod proxy;
mod repaired;
pub mod server;
mod standing;
