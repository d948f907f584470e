//! The log of requests: a JSON object on a line for each.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// One request. Credentials are no part of it.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    /// When it came, RFC 3339 in UTC.
    pub time: String,
    /// Address and port of the client.
    pub client: String,
    /// The user that logged in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<&'a str>,
    /// Its method.
    pub method: &'a str,
    /// Path and query as sent.
    pub target: &'a str,
    /// The status that was answered.
    pub status: u16,
    /// Bytes of the body that was announced.
    pub bytes: u64,
    /// Seconds until it was sent.
    pub seconds: f64,
    /// What the client calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<&'a str>,
    /// Why the answer did not reach its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
}

/// Where the lines go.
#[derive(Default)]
pub struct Log(Option<Mutex<Box<dyn Write + Send>>>);

impl Log {
    /// A log that goes to `out`, or nowhere.
    pub fn to(out: Option<Box<dyn Write + Send>>) -> Log {
        Log(out.map(Mutex::new))
    }

    /// Adds a line. That nobody reads it does not end the service.
    pub fn add(&self, line: &Line<'_>) {
        let Some(out) = &self.0 else { return };
        if let Ok(mut text) = serde_json::to_vec(line) {
            text.push(b'\n');
            let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = out.write_all(&text).and_then(|()| out.flush());
        }
    }
}
