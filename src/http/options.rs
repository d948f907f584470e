//! What the user says about hosts and transfers.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::environment::Environment;
use super::url::is_loopback;
use crate::limits::Limits;

/// How requests are made, for one run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The caps in force.
    pub limits: Limits,
    /// Hosts (`host[:port]`, lower case) whose certificate is not verified, and that may be asked in plain HTTP.
    pub insecure: BTreeSet<String>,
    /// Files of certificates to trust beside those of the system.
    pub ca: Vec<PathBuf>,
    /// Folders that hold a folder `host[:port]` with `*.crt`, `*.cert` and `*.key`.
    pub certs_folders: Vec<PathBuf>,
    /// How often what failed is tried again.
    pub retry_times: u32,
    /// Bytes a second, over all transfers together.
    pub limit_rate: Option<u64>,
    /// Proxies, and the certificates of the system.
    pub environment: Environment,
}

impl Options {
    /// The usual ones in these surroundings.
    pub fn new(limits: &Limits, environment: Environment) -> Options {
        let mut certs_folders: Vec<PathBuf> =
            environment.home().map(|home| home.join(".config/containers/certs.d")).into_iter().collect();
        certs_folders.extend(["/etc/containers/certs.d", "/etc/docker/certs.d"].map(PathBuf::from));
        Options {
            limits: limits.clone(),
            insecure: BTreeSet::new(),
            ca: Vec::new(),
            certs_folders,
            retry_times: 3,
            limit_rate: None,
            environment,
        }
    }

    /// Whether the user lets this host (`host[:port]`) go unverified.
    pub fn is_insecure(&self, authority: &str) -> bool {
        self.insecure.contains(&authority.to_ascii_lowercase())
    }

    /// Whether this host may be asked in plain HTTP.
    pub fn allows_plain(&self, authority: &str) -> bool {
        is_loopback(authority) || self.is_insecure(authority)
    }
}
