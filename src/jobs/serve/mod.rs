//! The pull side of a registry over archives of any form (distribution-spec 1.1, formats.md G): read-only, out of what was
//! verified when it was opened.
//!
//! [`Shelf`] is what is served, and knows no HTTP; [`answer()`](answer::answer) gives the answer to a request, and knows no
//! connection; [`server`] has connections, their limits, TLS, logins, the log and the counts.

mod access;
pub mod answer;
mod blob;
mod counts;
mod document;
mod htpasswd;
mod referrers;
mod request;
pub mod server;
mod shelf;
#[cfg(test)]
mod tests;
mod tls;
mod wire;

pub use server::{Server, Settings};
pub use shelf::Shelf;
