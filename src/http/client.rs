//! What requests share: connections that stay open, certificates, places at hosts, and the pace.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ureq::unversioned::resolver::DefaultResolver;

use super::connect::connector;
use super::failure::Failure;
use super::gate::{Gate, Lane};
use super::options::Options;
use super::pace::Pace;
use super::proxy;
use super::tls::Trust;
use super::url::Origin;

/// Bytes of headers of one answer; what common servers allow.
const HEADERS: usize = 64 << 10;

/// Makes requests. One for a whole run: it keeps connections, and knows what each host bears.
pub struct Client {
    options: Options,
    trust: OnceLock<Result<Trust, Failure>>,
    agents: Mutex<HashMap<Origin, ureq::Agent>>,
    gates: Mutex<HashMap<(Origin, Lane), Arc<Gate>>>,
    pace: Option<Arc<Pace>>,
}

impl Client {
    /// A client that has asked nobody yet.
    pub fn new(options: Options) -> Client {
        let pace = options.limit_rate.map(|rate| Arc::new(Pace::new(rate)));
        Client { options, trust: OnceLock::new(), agents: Mutex::default(), gates: Mutex::default(), pace }
    }

    /// How requests are made.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The longest silence that is borne.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs(self.options.limits.wait_seconds)
    }

    pub(super) fn pace(&self) -> Option<Arc<Pace>> {
        self.pace.clone()
    }

    /// The places at a host.
    pub(super) fn gate(&self, origin: &Origin, lane: Lane) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let most = usize::try_from(self.options.limits.connections).unwrap_or(usize::MAX);
        Arc::clone(gates.entry((origin.clone(), lane)).or_insert_with(|| Arc::new(Gate::new(most))))
    }

    /// The connections to an origin.
    pub(super) fn agent(&self, origin: &Origin) -> Result<ureq::Agent, Failure> {
        if let Some(agent) = self.agents.lock().unwrap_or_else(PoisonError::into_inner).get(origin) {
            return Ok(agent.clone());
        }
        let agent = self.connect(origin)?;
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(agents.entry(origin.clone()).or_insert(agent).clone())
    }

    fn connect(&self, origin: &Origin) -> Result<ureq::Agent, Failure> {
        let limits = &self.options.limits;
        let most = usize::try_from(limits.connections).unwrap_or(usize::MAX).max(1);
        let patience = Some(self.patience());
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy::of(&self.options.environment, origin)?)
            .user_agent(concat!("restow/", env!("CARGO_PKG_VERSION")))
            .accept("")
            .max_response_header_size(HEADERS)
            .max_idle_connections(most)
            .max_idle_connections_per_host(most)
            .timeout_connect(Some(Duration::from_secs(limits.connect_seconds)))
            .timeout_resolve(Some(Duration::from_secs(limits.connect_seconds)))
            .timeout_recv_response(patience)
            .timeout_per_read(patience)
            .timeout_per_write(patience);
        let trust = self.trust.get_or_init(|| Trust::load(&self.options));
        let tls = trust.as_ref().map_err(Clone::clone)?.of(origin, &self.options)?;
        Ok(ureq::Agent::with_parts(config.build(), connector(tls), DefaultResolver::default()))
    }
}
