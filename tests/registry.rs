//! Live registries: the client against a registry inside this process, with every fault planted, and against Debian's.

#[path = "registry/client.rs"]
mod client;
#[path = "registry/server.rs"]
mod server;
