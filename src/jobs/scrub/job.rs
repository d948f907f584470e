//! What a scrub is asked for, and what its phases share.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::counters::Counters;
use super::row::{Kind, Meta, Shard};
use super::select::Sample;
use crate::finding::{Finding, Lowered};
use crate::model::Archive;
use crate::progress::Progress;
use crate::read;
use crate::rules::Policy;
use crate::store::Access;

/// How a storage is scrubbed.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Where the state is kept; a temporary one if unset.
    pub state: Option<PathBuf>,
    /// The part that is read and judged by nobody yet.
    pub shard: Option<Shard>,
    /// What was read longer ago is read again.
    pub max_age: Option<Duration>,
    /// After so long no blob is begun any more.
    pub max_duration: Option<Duration>,
    /// The part of what would be read that is.
    pub sample: Option<Sample>,
    /// Reports of sums that the store of a bucket computed: what they prove is not read.
    pub checksums: Vec<PathBuf>,
    /// Whether the state may be of a storage at another place, which has moved here.
    pub adopt: bool,
}

/// How a scrub is done, whatever it is about.
pub struct Means<'a> {
    /// Caps, threads, and where temporary files go.
    pub reading: &'a read::Options,
    /// How buckets are asked for a state, or for sums.
    pub access: &'a Access,
    /// The levels of rules.
    pub policy: &'a Policy,
    /// May stop it.
    pub progress: &'a dyn Progress,
    /// Is counted up meanwhile.
    pub counters: &'a Counters,
    /// When it began, in seconds from 1970.
    pub began: u64,
}

/// What is told beside what was found.
#[derive(Default)]
pub struct Extras<'a> {
    /// What a collection of garbage would do is worked out; blobs that changed in so long a time are spared.
    pub grace: Option<Duration>,
    /// Facts go there, as JSON Lines.
    pub facts: Option<&'a mut dyn std::io::Write>,
}

/// What a run is about, for its phases.
pub struct Job<'a> {
    /// What the state says of itself.
    pub meta: &'a Meta,
    /// Caps, threads, and where temporary files go.
    pub reading: &'a read::Options,
    /// How buckets are asked.
    pub access: &'a Access,
    /// The levels of rules.
    pub policy: &'a Policy,
    /// May stop it.
    pub progress: &'a dyn Progress,
    /// Is counted up meanwhile.
    pub counters: &'a Counters,
    /// When no further blob is begun.
    pub until: Option<Instant>,
    /// When this process began it, in seconds from 1970.
    pub began: u64,
    /// The time, in seconds from 1970.
    pub now: fn() -> u64,
}

impl Job<'_> {
    /// The findings of a piece with the levels in force, and what files lowered; a baseline knows those of the whole.
    pub fn judged(&self, archive: &Archive, findings: Vec<Finding>) -> (Vec<Finding>, Lowered) {
        let folder = match self.meta.kind() {
            Kind::Registry => None,
            Kind::Storage | Kind::Layouts => Path::new(&self.meta.place).file_name(),
        };
        self.policy.judge_piece(archive, folder, findings)
    }

    /// Whether no further blob is to be begun.
    pub fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }
}

impl Means<'_> {
    /// Of a run over what a state is about.
    pub fn job<'j>(&'j self, meta: &'j Meta, until: Option<Instant>) -> Job<'j> {
        Job {
            meta,
            reading: self.reading,
            access: self.access,
            policy: self.policy,
            progress: self.progress,
            counters: self.counters,
            until,
            began: self.began,
            now: seconds,
        }
    }
}

/// Seconds from 1970.
pub fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// Nanoseconds from 1970.
pub fn nanoseconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64)
}
