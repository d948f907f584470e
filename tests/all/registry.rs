//! Live registries: the client against a registry inside this process, with every fault planted, and against Debian's.

mod client;
mod server;
