//! What a conversion came to.

use std::collections::HashMap;

use crate::digest::Digest;
use crate::facts::Changed;
use crate::finding::{Finding, Lowered};
use crate::form::sink::Output;
use crate::jobs::convert::account::Account;
use crate::jobs::convert::fix::Fixes;
use crate::model::{Archive, BlobId};

/// What a conversion came to.
pub struct Outcome {
    /// The source as it was read.
    pub archive: Archive,
    /// What is wrong with it, as far as the request lets it be looked at, in the order of reports.
    pub findings: Vec<Finding>,
    /// What its layers do to those below them, if that was asked for and they were read.
    pub changes: Changed,
    /// How it ended.
    pub end: End,
    /// What was sent to a registry, in a line.
    pub pushed: Option<String>,
    /// Of what was written under a name, the places to type next: `oci:app:latest`.
    pub called: Vec<String>,
    /// What files lowered, and which they are.
    pub lowered: Lowered,
    /// Commands that load what was written with all its platforms, where there are several.
    pub loads: Vec<String>,
    /// What became of fixes, if they were asked for.
    pub fixes: Option<Fixes>,
}

impl Outcome {
    /// Of an archive that is not converted, as this is wrong with it.
    pub(crate) fn refused(archive: Archive, findings: Vec<Finding>) -> Outcome {
        Outcome {
            archive,
            findings,
            changes: Changed::new(),
            end: End::Refused,
            pushed: None,
            called: Vec::new(),
            lowered: Lowered::default(),
            loads: Vec::new(),
            fixes: None,
        }
    }
}

/// How a conversion ended.
pub enum End {
    /// The policy blocks what was found, or a blob is broken: nothing was written.
    Refused,
    /// It stands at the destination; of a dry run, it would.
    Written {
        /// The graph that stands there.
        output: Output,
        /// What became of everything.
        account: Account,
        /// What nobody looked at on the way, in words.
        unseen: Vec<String>,
        /// What is there as it stood in the source, and where it stands in that.
        kept: HashMap<Digest, BlobId>,
    },
}
