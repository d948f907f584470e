//! How buckets are asked in one run: whom to trust, how often what failed is tried again, and the caps.

use std::path::PathBuf;

use crate::limits::Limits;

/// What the user says about stores and transfers, for all buckets of one run.
#[derive(Debug, Clone)]
pub struct Access {
    /// The caps in force.
    pub limits: Limits,
    /// Whether the certificate of an endpoint that was given must be good. Those of the clouds themselves must be in any case.
    pub tls_verify: bool,
    /// Files of certificates to trust beside those of the system.
    pub ca: Vec<PathBuf>,
    /// How often what failed is tried again; if unset, what the surroundings say.
    pub retry_times: Option<u32>,
    /// Bytes a second, of each bucket.
    pub limit_rate: Option<u64>,
}

impl Default for Access {
    fn default() -> Access {
        Access {
            limits: Limits::default(),
            tls_verify: true,
            ca: Vec::new(),
            retry_times: None,
            limit_rate: None,
        }
    }
}
