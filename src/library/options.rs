//! How a job is done, whichever it is.

use std::path::PathBuf;

use crate::limits::Limits;
use crate::progress::Progress;
use crate::read::{self, Verify};
use crate::rules::Policy;

/// How a job is done, whichever it is. The default is what the command does without options.
#[derive(Clone)]
pub struct Options<'a> {
    /// What a hostile archive may cost.
    pub limits: Limits,
    /// Blobs that are read at once, at least 1; by default as many as there are cores.
    pub jobs: usize,
    /// The folder for streams and for the paths of layers while they are looked at; the system's if unset.
    pub tmpdir: Option<PathBuf>,
    /// Whether to find out what each layer adds, replaces and hides, which a page shows.
    pub contents: bool,
    /// What is verified of layers.
    pub verify: Verify,
    /// The level of each rule, which findings carry.
    pub policy: Policy,
    /// Is told how the job goes on, and may stop it.
    pub progress: &'a dyn Progress,
}

impl Default for Options<'_> {
    fn default() -> Self {
        let read::Options { limits, jobs, tmpdir, contents, verify } = read::Options::default();
        Options { limits, jobs, tmpdir, contents, verify, policy: Policy::default(), progress: &() }
    }
}

impl Options<'_> {
    /// What reading takes of it.
    pub(super) fn reading(&self) -> read::Options {
        read::Options {
            limits: self.limits.clone(),
            jobs: self.jobs.max(1),
            tmpdir: self.tmpdir.clone(),
            contents: self.contents,
            verify: self.verify,
        }
    }
}
