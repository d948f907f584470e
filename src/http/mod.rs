//! Requests to servers that nobody trusts: what every client of the network here shares, and that knows no image.
//!
//! Synchronous, on `ureq`. Redirects are followed here and not by the library, because credentials belong to one origin
//! and must not travel; what can be sent again is sent again with growing pauses, as `Retry-After` asks; each host has as
//! many requests at once as it bears (`gate`). Every wait and every body has a limit ([`Limits`](crate::limits::Limits)):
//! a server can be slow, lie or never end, and restow still comes to an end.
//!
//! A body is handed on as it comes. Whether its bytes are the right ones is for who hashes them; only that all of them
//! came that were promised is known here ([`body`]).

pub mod body;
mod client;
mod connect;
mod environment;
mod failure;
mod gate;
mod options;
mod pace;
mod proxy;
mod redirect;
mod retry;
mod secret;
mod send;
mod tls;
mod url;
mod verify;

pub use client::Client;
pub use environment::Environment;
pub use failure::{Cause, Failure};
pub use gate::Lane;
pub use options::Options;
pub use secret::Secret;
pub use send::{Answer, Body, Fetched, Method, Request, Response};
pub use url::{Origin, Url, UrlError, is_loopback, query_escape};

/// Waits before try number `attempt` (from 1), as requests do by themselves: for what can only be tried again further up.
pub fn pause(attempt: u32) {
    std::thread::sleep(retry::pause(attempt));
}
