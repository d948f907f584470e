//! Why a registry did not do what was asked.

use std::fmt;
use std::path::PathBuf;

use crate::error::{Error, ErrorKind};
use crate::http::Failure;

/// What stands between a request and its result. None of these says anything of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// No answer.
    Http {
        /// What was asked for.
        what: String,
        /// Why.
        failure: Failure,
    },
    /// The registry wants other credentials, or any.
    Unauthorized {
        /// `host[:port]`.
        host: String,
        /// What was asked for.
        what: String,
        /// Whose credentials were shown and where they came from; none were shown otherwise.
        shown: Option<String>,
        /// Where credentials were looked for, if none were found.
        looked: Vec<String>,
        /// What the registry says.
        said: Option<String>,
    },
    /// Any other answer than the one that was hoped for.
    Status {
        /// `host[:port]`.
        host: String,
        /// What was asked for.
        what: String,
        /// The status.
        status: u16,
        /// What the registry says.
        said: Option<String>,
    },
    /// An answer that cannot be understood.
    Nonsense {
        /// `host[:port]`.
        host: String,
        /// What was asked for.
        what: String,
        /// What came instead.
        found: String,
    },
    /// More than a limit allows.
    Limit {
        /// `host[:port]`.
        host: String,
        /// What there is too much of.
        what: String,
        /// Name of the limit.
        name: &'static str,
        /// The limit.
        limit: u64,
    },
    /// A credential helper did not do its work.
    Helper {
        /// The program.
        program: String,
        /// What happened.
        why: String,
    },
    /// A file of credentials or of registries cannot be used.
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// `registries.conf` blocks it.
    Blocked {
        /// The name.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// What arrived there is not what was sent.
    Altered {
        /// `host[:port]`.
        host: String,
        /// What was sent.
        what: String,
        /// What the registry says that it is.
        found: String,
    },
}

impl Fault {
    /// An exchange that did not come about.
    pub fn http(what: impl Into<String>, failure: Failure) -> Fault {
        Fault::Http { what: what.into(), failure }
    }

    /// Whether another try may go better.
    pub fn is_passing(&self) -> bool {
        match self {
            Fault::Http { failure, .. } => failure.is_passing(),
            Fault::Status { status, .. } => *status >= 500 || matches!(status, 408 | 413 | 429),
            _ => false,
        }
    }

    /// What the user can do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Fault::Http { failure, .. } => Some(failure.help()),
            Fault::Unauthorized { host, shown: None, looked, .. } => {
                let looked = if looked.is_empty() {
                    String::new()
                } else {
                    format!("; looked in {}", looked.join(", "))
                };
                Some(format!(
                    "log in with `skopeo login {host}` or `docker login {host}`, or give --creds USER:PASSWORD{looked}"
                ))
            }
            Fault::Unauthorized { host, shown: Some(_), .. } => Some(format!(
                "check name, password and rights; log in anew with `skopeo login {host}` or `docker login {host}`"
            )),
            Fault::Status { status: 404, .. } => {
                Some("check the name; `restow inspect --tags` lists what is there".into())
            }
            Fault::Status { status: 429, .. } => {
                Some("try again later, or log in for a higher allowance".into())
            }
            Fault::Status { status: 405, host, .. } => {
                Some(format!("{host} does not allow this; it may be read-only"))
            }
            Fault::Status { status, .. } if *status >= 500 => {
                Some("the registry has a fault of its own; try again later".into())
            }
            Fault::Status { .. } => None,
            Fault::Nonsense { host, .. } => {
                Some(format!("{host} does not answer as a registry does; check host, port and name"))
            }
            Fault::Limit { name, .. } => {
                Some(format!("raise it with --limit {name}=VALUE if the registry is sound"))
            }
            Fault::Helper { program, .. } => {
                Some(format!("try it by hand: `echo HOST | {program} get`; or give --creds or --authfile"))
            }
            Fault::File { .. } => Some("mend the file, or give another one".into()),
            Fault::Blocked { path, .. } => Some(format!("{} says so", path.display())),
            Fault::Altered { host, .. } => Some(format!("{host} changes what it is given; do not trust it")),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tail = |said: &Option<String>| said.as_ref().map(|said| format!(": {said}")).unwrap_or_default();
        match self {
            Fault::Http { what, failure } if what.is_empty() => write!(f, "{failure}"),
            Fault::Http { what, failure } => write!(f, "{what}: {failure}"),
            Fault::Unauthorized { host, what, shown: None, said, .. } => {
                write!(f, "{what}: {host} refuses it without credentials{}", tail(said))
            }
            Fault::Unauthorized { host, what, shown: Some(shown), said, .. } => {
                write!(f, "{what}: {host} refuses it to {shown}{}", tail(said))
            }
            Fault::Status { host, what, status, said } => {
                write!(f, "{what}: {host} answers {status}{}", tail(said))
            }
            Fault::Nonsense { host, what, found } => write!(f, "{what}: {host} answers with {found}"),
            Fault::Limit { host, what, name, limit } => {
                write!(f, "{what}: {host} sends more than the limit {name} allows, {limit}")
            }
            Fault::Helper { program, why } => write!(f, "{program}: {why}"),
            Fault::File { path, why } => write!(f, "{}: {why}", path.display()),
            Fault::Blocked { name, .. } => write!(f, "{name}: the registry is blocked"),
            Fault::Altered { host, what, found } => write!(f, "{what}: {host} holds {found} instead"),
        }
    }
}

impl std::error::Error for Fault {}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        Error::Refused { kind: ErrorKind::Registry, message: fault.to_string(), help: fault.help() }
    }
}

impl From<Fault> for std::io::Error {
    /// Carries the error that the fault is, with its help.
    fn from(fault: Fault) -> std::io::Error {
        std::io::Error::other(Error::from(fault))
    }
}
