//! Live registries, as clients see them: the HTTP API of Docker and of OCI's distribution-spec 1.1 (formats.md G).
//!
//! Knows no archive and no image: a manifest is bytes with a media type, a blob a stream with a digest. A registry is not
//! trusted. Digests that it tells are hints; what was read is judged by whoever hashes it. Lists end, redirects end, and
//! whatever is waited for has a limit.
//!
//! [`Registries`] is what a whole run shares (connections, tokens, what was learnt of each host), [`Repository`] one
//! repository of one host, for reading and for writing.

mod answer;
mod auth;
mod blobs;
mod challenge;
mod config;
mod credentials;
mod fault;
mod helper;
mod lists;
mod login;
mod manifests;
mod mirrors;
mod pipe;
mod referrers;
mod registries;
mod repository;
mod store;
mod tokens;
mod uploads;
mod writer;

pub use blobs::{BlobFound, BlobReader};
pub use config::{Config, Endpoint};
pub use credentials::Credentials;
pub use fault::Fault;
pub use login::{Credential, Login};
pub use manifests::{Head, Manifest, Put};
pub use referrers::{Referrers, fallback_tag};
pub use registries::Registries;
pub use repository::{Access, Repository};
pub use uploads::{Begun, Session};
pub use writer::BlobWriter;

/// Where Docker Hub's registry answers.
const HUB: &str = "registry-1.docker.io";

/// The host that answers for a domain.
pub fn host_of(domain: &str) -> &str {
    if domain == "docker.io" { HUB } else { domain }
}
