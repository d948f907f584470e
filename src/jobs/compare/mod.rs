//! Whether two places hold the same images.
//!
//! Neither side is believed: each is read whole and judged by the rules of a check first, and what is compared is made of
//! the bytes that were read. So a digest in a comparison is one that was computed, and a side that is not sound is said
//! to be so, whatever it claims.
//!
//! `holding` reduces a side to what must survive a conversion; `pairs` finds what belongs together; `differences`
//! says how the two differ, and `changes` where in their documents; `json` is the published shape of it, and `text`
//! that for people.

mod changes;
mod differences;
mod holding;
mod json;
mod pairs;
mod text;

use std::collections::HashSet;
use std::ffi::OsStr;

pub use changes::{Change, Changes};
pub use differences::{Aspect, Aspects, Compared, Difference, Side, compare};
pub use holding::{Arrangement, Holding, Kind, Layer, Thing};

use crate::error::Result;
use crate::facts::Changed;
use crate::finding::{Finding, Level, Lowered};
use crate::model::{Archive, NodeId, select};
use crate::progress::Progress;
use crate::read::{self, Options, Verify};
use crate::rules::{Policy, Scope, judge, offer};

/// One of two places, opened.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// What it holds.
    pub archive: &'a Archive,
    /// The one image that is meant, if not all are: as `--image` takes it.
    pub name: Option<&'a str>,
    /// The name of its file, by which exceptions know findings.
    pub file: Option<&'a OsStr>,
}

/// A side after it was read and judged.
#[derive(Debug, Clone)]
pub struct Judged {
    /// What it holds.
    pub holding: Holding,
    /// What is wrong with it, or worth telling, in the order of reports; nothing that the policy allows.
    pub findings: Vec<Finding>,
    /// What makes it unsound: findings that are errors, and those that keep a conversion from being written.
    pub faults: Vec<Finding>,
    /// What files lowered, and which they are.
    pub lowered: Lowered,
    /// What its layers do to those below them, if that was asked for.
    pub changes: Changed,
}

/// What a comparison came to.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The one place.
    pub a: Judged,
    /// The other.
    pub b: Judged,
    /// What was verified of layers.
    pub verify: Verify,
    /// Everything that either holds, with how the two differ in it.
    pub compared: Vec<Compared>,
}

impl Judged {
    /// Reads a place, each blob once, and judges it: all of it, or what the name reaches with the archive as a whole.
    ///
    /// # Errors
    ///
    /// The archive cannot be read, it changed meanwhile, it holds nothing of that name, or `progress` cancelled the job.
    pub fn read(
        place: Place<'_>,
        policy: &Policy,
        options: &Options,
        progress: &dyn Progress,
    ) -> Result<Judged> {
        let archive = place.archive;
        let wanted: Vec<String> = place.name.map(str::to_owned).into_iter().collect();
        let roots = select::roots(archive, &wanted)?;
        let (facts, findings) = if wanted.is_empty() {
            let facts = read::judging(archive, None, options, progress)?;
            let findings = judge(archive, &facts, Scope::All);
            (facts, findings)
        } else {
            let mut reached: HashSet<NodeId> = HashSet::new();
            for chosen in &roots {
                archive.below_unseen(chosen.root.node, &mut reached);
            }
            let facts = read::judging(archive, Some(&reached), options, progress)?;
            let findings = judge(archive, &facts, Scope::Nodes(&reached));
            (facts, findings)
        };
        let accepted = policy.accepted(archive, place.file, &findings);
        let kept = findings.iter().zip(accepted).filter(|(_, accepted)| !accepted);
        let mut faults = policy.blocking(kept.map(|(finding, _)| finding.clone()).collect());
        faults.retain(|finding| finding.level == Level::Error);
        let holding = Holding::of(archive, &facts, &roots, options.verify);
        archive.unchanged()?;
        let (mut findings, lowered) = policy.judge(archive, place.file, findings);
        offer(archive, policy, &mut findings);
        offer(archive, policy, &mut faults);
        Ok(Judged { holding, findings, faults, lowered, changes: facts.changes })
    }
}

/// Reads both places, judges them, and compares what they hold.
///
/// # Errors
///
/// As of [`Judged::read`]. That a side is not sound is none.
pub fn run(
    (a, b): (Place<'_>, Place<'_>),
    aspects: Aspects,
    policy: &Policy,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Comparison> {
    let a = Judged::read(a, policy, options, progress)?;
    let b = Judged::read(b, policy, options, progress)?;
    let compared = compare(&a.holding, &b.holding, aspects);
    Ok(Comparison { a, b, verify: options.verify, compared })
}

impl Comparison {
    /// Whether both are sound, and hold the same as far as was asked.
    pub fn is_same(&self) -> bool {
        self.is_sound() && self.nothing_differs()
    }

    /// Whether both are sound.
    pub fn is_sound(&self) -> bool {
        self.a.faults.is_empty() && self.b.faults.is_empty()
    }

    /// Whether both hold the same, as far as was asked.
    pub fn nothing_differs(&self) -> bool {
        self.compared.iter().all(|compared| compared.differences.is_empty())
    }
}
