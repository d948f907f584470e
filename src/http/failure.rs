//! Why an exchange with a host did not come about: each cause with what can be done.

use std::fmt;

use crate::error::{Error, ErrorKind};

/// What went wrong between here and a host. An answer with an unwelcome status is none: that is an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// `host[:port]`.
    pub host: String,
    /// What went wrong.
    pub cause: Cause,
}

/// The causes that differ in what they mean or in what helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// No address for the name.
    UnknownHost,
    /// Nothing listens there, or no way leads there.
    NoConnection(String),
    /// Nothing came for so many seconds.
    Silent {
        /// What was waited for.
        what: &'static str,
        /// How long.
        seconds: u64,
    },
    /// The certificate does not fit, or what answers is no TLS.
    Tls(String),
    /// Certificates or keys on this machine cannot be used.
    LocalTls(String),
    /// Unencrypted, to another machine, without leave.
    PlainHttp,
    /// An encrypted request was redirected to an unencrypted address.
    Downgrade {
        /// Where to.
        to: String,
    },
    /// More redirects than the limit.
    Redirects(u64),
    /// An address in an answer that cannot be used.
    BadAddress {
        /// The header that holds it.
        header: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The body ended before its announced end.
    Cut {
        /// Bytes that came.
        received: u64,
        /// Bytes that were announced, if they were.
        expected: Option<u64>,
    },
    /// The body is longer than it may be.
    TooLong {
        /// The most that was to come.
        limit: u64,
    },
    /// The connection broke.
    Broken(String),
    /// What came is not HTTP.
    Protocol(String),
    /// The host asks to wait for longer than the limit.
    Wait {
        /// What it asks for.
        seconds: u64,
        /// The limit.
        limit: u64,
    },
    /// The proxy cannot be used.
    Proxy(String),
}

impl Failure {
    /// A failure with this host.
    pub fn new(host: impl Into<String>, cause: Cause) -> Failure {
        Failure { host: host.into(), cause }
    }

    /// Whether another try may go better.
    pub fn is_passing(&self) -> bool {
        match self.cause {
            Cause::NoConnection(_)
            | Cause::Silent { .. }
            | Cause::Cut { .. }
            | Cause::Broken(_)
            | Cause::Protocol(_) => true,
            Cause::UnknownHost
            | Cause::Tls(_)
            | Cause::LocalTls(_)
            | Cause::PlainHttp
            | Cause::Downgrade { .. }
            | Cause::Redirects(_)
            | Cause::BadAddress { .. }
            | Cause::TooLong { .. }
            | Cause::Wait { .. }
            | Cause::Proxy(_) => false,
        }
    }

    /// What the user can do about it.
    pub fn help(&self) -> String {
        let host = &self.host;
        match &self.cause {
            Cause::UnknownHost => "check the spelling of the host, and that its name resolves here".into(),
            Cause::NoConnection(_) => format!("check host and port, and that a registry listens on {host}"),
            Cause::Silent { .. } => "try again, or allow longer waits with --timeout SECONDS".into(),
            Cause::Tls(_) => format!(
                "give the certificate of the authority with --ca FILE or in /etc/containers/certs.d/{host}/ca.crt; \
                 --tls-verify=false trusts any certificate of {host}"
            ),
            Cause::LocalTls(_) => "mend or remove the file".into(),
            Cause::PlainHttp => format!("only --tls-verify=false allows plain HTTP to {host}"),
            Cause::Downgrade { .. } => format!("the registry behind {host} must give addresses with https"),
            Cause::Redirects(_) => "raise it with --limit redirects=VALUE if the registry is sound".into(),
            Cause::BadAddress { .. } | Cause::Protocol(_) => {
                format!("{host} does not answer as a registry does; check host and port")
            }
            Cause::Cut { .. } | Cause::Broken(_) => "try again; --retry-times N tries more often".into(),
            Cause::TooLong { .. } => format!("{host} sends more than was asked for; do not trust it"),
            Cause::Wait { .. } => "try again later, or raise it with --limit retry-seconds=VALUE".into(),
            Cause::Proxy(_) => {
                "mend HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, or name the host in NO_PROXY".into()
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = &self.host;
        match &self.cause {
            Cause::UnknownHost => write!(f, "{host}: no such host"),
            Cause::NoConnection(why) => write!(f, "{host}: cannot connect: {why}"),
            Cause::Silent { what, seconds } => write!(f, "{host}: {what} for {seconds} s"),
            Cause::Tls(why) => write!(f, "{host}: the connection is not trusted: {why}"),
            Cause::LocalTls(why) => write!(f, "{host}: {why}"),
            Cause::PlainHttp => write!(f, "{host}: plain HTTP is refused"),
            Cause::Downgrade { to } => write!(f, "{host}: redirects from https to {to}"),
            Cause::Redirects(limit) => write!(f, "{host}: redirects more than {limit} times"),
            Cause::BadAddress { header, problem } => write!(f, "{host}: the address in {header} {problem}"),
            Cause::Cut { received, expected: Some(expected) } => {
                write!(f, "{host}: the answer ends after {received} of {expected} bytes")
            }
            Cause::Cut { received, expected: None } => {
                write!(f, "{host}: the answer breaks off after {received} bytes")
            }
            Cause::TooLong { limit } => write!(f, "{host}: the answer is longer than {limit} bytes"),
            Cause::Broken(why) => write!(f, "{host}: the connection broke: {why}"),
            Cause::Protocol(why) => write!(f, "{host}: the answer is not HTTP: {why}"),
            Cause::Wait { seconds, limit } => {
                write!(f, "{host}: asks to wait {seconds} s, the limit retry-seconds is {limit}")
            }
            Cause::Proxy(why) => write!(f, "{host}: the proxy cannot be used: {why}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        Error::refused_help(failure.to_string(), failure.help()).of(ErrorKind::Registry)
    }
}

impl From<Failure> for std::io::Error {
    fn from(failure: Failure) -> std::io::Error {
        std::io::Error::other(failure)
    }
}

impl Failure {
    /// The failure inside an I/O error, if that is what it is.
    pub fn of(error: &std::io::Error) -> Option<&Failure> {
        error.get_ref()?.downcast_ref()
    }
}
