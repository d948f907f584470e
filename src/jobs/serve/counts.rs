//! Counts of what was served, in the text form of Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The counts.
#[derive(Debug, Default)]
pub struct Counts {
    /// Connections that are open.
    pub connections: AtomicU64,
    /// Bytes of bodies that went out.
    pub bytes: AtomicU64,
    /// Answers that were broken off: the client went away, or a blob changed.
    pub broken: AtomicU64,
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
}

impl Counts {
    /// Counts a request. Methods that are no method are one.
    pub fn request(&self, method: &str, status: u16) {
        let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        let method = known.into_iter().find(|known| *known == method).unwrap_or("other");
        *self.requests.lock().unwrap_or_else(PoisonError::into_inner).entry((method, status)).or_default() +=
            1;
    }

    /// Requests so far.
    pub fn requests(&self) -> u64 {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }

    /// All of it, with the numbers of what is served.
    pub fn text(&self, (repositories, documents, blobs): (usize, usize, usize)) -> String {
        let mut text = String::new();
        let mut add = |name: &str, kind: &str, help: &str, values: &[(String, u64)]| {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in values {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        };
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let requests: Vec<(String, u64)> = requests
            .iter()
            .map(|((method, status), n)| (format!("{{method=\"{method}\",status=\"{status}\"}}"), *n))
            .collect();
        let one = |value: &AtomicU64| [(String::new(), value.load(Ordering::Relaxed))];
        let size = |value: usize| [(String::new(), value as u64)];
        add("restow_requests_total", "counter", "Requests that were answered.", &requests);
        add("restow_sent_bytes_total", "counter", "Bytes of bodies that went out.", &one(&self.bytes));
        add("restow_broken_total", "counter", "Answers that did not reach their end.", &one(&self.broken));
        add("restow_connections", "gauge", "Connections that are open.", &one(&self.connections));
        add("restow_repositories", "gauge", "Repositories that are served.", &size(repositories));
        add("restow_manifests", "gauge", "Manifests and indexes, in each repository.", &size(documents));
        add("restow_blobs", "gauge", "Blobs, in each repository.", &size(blobs));
        text
    }
}
