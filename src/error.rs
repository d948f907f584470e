//! The one error type: the job could not be done (exit 2).
//!
//! A fault of the *image* is never an `Error`; it is a [`Finding`](crate::finding::Finding) (exit 1).

use std::io;
use std::path::{Path, PathBuf};

/// Why a job could not be done, or may not be done as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Reading or writing failed.
    #[error("{what} {path}: {source}", path = path.display())]
    Io {
        /// What was being done, such as `cannot read`.
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The request cannot be carried out as it stands.
    #[error("{message}")]
    Refused {
        /// What kind of obstacle it is.
        kind: ErrorKind,
        /// What is refused and why, lower case, one fact.
        message: String,
        /// What to do instead.
        help: Option<String>,
    },
    /// The place holds nothing that restow knows as an image archive.
    #[error("{place} is not an image archive: {reason}")]
    NotAnArchive {
        /// The place, as typed.
        place: String,
        /// What was found instead.
        reason: String,
    },
    /// The source was modified while it was being read.
    #[error("{path} changed while it was being read", path = path.display())]
    SourceChanged {
        /// The file that changed.
        path: PathBuf,
    },
    /// Whoever asked for the job told it to stop.
    #[error("cancelled")]
    Cancelled,
}

/// What kind of obstacle an [`Error`] is, for who wants to go on otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Reading or writing failed.
    Io,
    /// What was asked for makes no sense, or contradicts itself.
    Request,
    /// There is no image, tag or repository of that name, or more than one.
    NotFound,
    /// Something stands at the destination that nobody allowed to be replaced.
    Exists,
    /// The form, or this restow, cannot hold or do it.
    Unsupported,
    /// A limit is too low: [`Limits`](crate::limits::Limits) has them.
    Limit,
    /// A registry, or what lies between it and here, refuses or fails.
    Registry,
    /// The place holds no image archive.
    NotAnArchive,
    /// The source was changed while it was read.
    Changed,
    /// [`Progress::cancelled`](crate::progress::Progress::cancelled) stopped the job.
    Cancelled,
}

/// Shorthand used throughout the crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An I/O error with the path and the action that failed. One that carries an error of ours is that error: whoever
    /// reads from far away says himself what befell him.
    pub fn io(what: &'static str, path: impl AsRef<Path>, source: io::Error) -> Self {
        let source = match source.downcast::<Error>() {
            Ok(ours) => return ours,
            Err(source) => source,
        };
        Error::Io { what, path: path.as_ref().to_owned(), source }
    }

    /// A refusal without advice.
    pub fn refused(message: impl Into<String>) -> Self {
        Error::Refused { kind: ErrorKind::Request, message: message.into(), help: None }
    }

    /// A refusal with advice.
    pub fn refused_help(message: impl Into<String>, help: impl Into<String>) -> Self {
        Error::Refused { kind: ErrorKind::Request, message: message.into(), help: Some(help.into()) }
    }

    /// The same refusal of another kind; what is no refusal stays as it is.
    pub fn of(mut self, other: ErrorKind) -> Self {
        if let Error::Refused { kind, .. } = &mut self {
            *kind = other;
        }
        self
    }

    /// The same refusal with one more advice; what is no refusal stays as it is.
    #[cfg(feature = "registry")]
    pub(crate) fn advised(mut self, more: &str) -> Self {
        if let Error::Refused { help, .. } = &mut self {
            *help = Some(help.take().map_or_else(|| more.to_owned(), |help| format!("{help}; {more}")));
        }
        self
    }

    /// What kind of obstacle it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Io { .. } => ErrorKind::Io,
            Error::Refused { kind, .. } => *kind,
            Error::NotAnArchive { .. } => ErrorKind::NotAnArchive,
            Error::SourceChanged { .. } => ErrorKind::Changed,
            Error::Cancelled => ErrorKind::Cancelled,
        }
    }

    /// What the user can do about it, where that is known.
    pub fn help(&self) -> Option<&str> {
        match self {
            Error::Refused { help, .. } => help.as_deref(),
            Error::SourceChanged { .. } => Some("run the command again once nothing writes to it"),
            _ => None,
        }
    }
}

/// Adds the path and the action to an [`io::Result`].
pub trait Context<T> {
    /// Turns the I/O error into [`Error::Io`].
    fn at(self, what: &'static str, path: impl AsRef<Path>) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn at(self, what: &'static str, path: impl AsRef<Path>) -> Result<T> {
        self.map_err(|source| Error::io(what, path, source))
    }
}
