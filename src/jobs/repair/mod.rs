//! Putting right bytes where wrong or missing ones are, and nothing else: blobs that other places have are staged, proved by
//! their digests and renamed to where they belong, then the links that the graph proves. Nothing is deleted.
//!
//! [`goal`] works out what the place would be with all that was found, [`links`] which links that graph proves, and here the
//! difference is carried out, children before parents. Killed at any moment, every file is as it was or right.

mod account;
mod given;
mod goal;
mod links;
mod piece;
#[cfg(feature = "registry")]
pub mod remote;

use std::collections::HashSet;
use std::path::PathBuf;

pub use account::{Left, Repaired, Sought, Step, StepKind, Was};

use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::form::mend::{Got, MendFiles, Spot};
use crate::form::seek::Store;
use crate::model::{Anomaly, Archive, BlobId, Form};
use crate::progress::{Phase, Progress};
use crate::read;
use given::{MEANWHILE, Stop, changed, given};
use goal::{Goal, Want};
use piece::Piece;

/// How a place is repaired.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Whether anything is written; without, it is only found out what would be.
    pub write: bool,
    /// A folder that wrong bytes are copied to before they are replaced.
    pub keep_wrong: Option<PathBuf>,
    /// The state of a scrub of this storage: blobs that it proved, and that have not changed since, are not read again.
    pub state: Option<PathBuf>,
    /// Make it survive power loss, not only the end of the process.
    pub fsync: bool,
}

/// Whether a blob is known to be right, so that it need not be read again.
pub type Known<'a> = dyn Fn(&Digest) -> Result<bool> + 'a;

/// Opens what writes to the place: of a folder, under its lock.
pub type Writing<'a> = dyn Fn() -> Result<Box<dyn MendFiles>> + 'a;

/// Repairs the place that `open` opens, and that `writing` writes to. What is `known` to be right is not read.
///
/// # Errors
///
/// The place, or one of the others, cannot be read, or is no folder of files that can be put right one by one; it cannot be
/// written to at all; the job was cancelled. What stops it later is told in [`Repaired::stopped`], with what was done until
/// then.
pub fn run(
    writing: &Writing<'_>,
    open: &dyn Fn() -> Result<Archive>,
    stores: Vec<Store>,
    how: &Request,
    known: &Known<'_>,
    reading: &read::Options,
    progress: &dyn Progress,
) -> Result<Repaired> {
    // Whoever waits for another repair looks at what that one left.
    let mending = how.write.then(writing).transpose()?;
    let archive = open()?;
    is_repairable(&archive)?;
    let inside = archive.anomalies.iter().find_map(|odd| match odd {
        Anomaly::InsideFolder { folder } => Some(folder.clone()),
        _ => None,
    });
    let mut stores = stores;
    if archive.anomalies.iter().any(links::is_misplaced) {
        stores.insert(0, Store::misplaced(open()?)?);
    }
    let blobs = archive.blobs.len();
    let mut right = HashSet::new();
    for (blob, id) in archive.blobs.iter().zip((0..).map(BlobId)) {
        let digest = blob.digest.as_ref().filter(|_| blob.member.is_some());
        if digest.map(known).transpose()? == Some(true) {
            right.insert(id);
        }
    }
    // Whether bytes are right is a question of digests alone.
    let facts = read::hashed(&archive, &|id| !right.contains(&id), &reading.context(false, progress))?;
    let goal = Goal::of(archive, &facts, &stores, &reading.limits)?;
    let mut job =
        Job { how, mending, inside, progress, failed: HashSet::new(), repaired: Repaired::default() };
    job.repaired.looked = blobs;
    job.repaired.known = right.len();
    job.repaired.wrote = how.write;
    progress.begin(Phase::Convert, goal.wants.iter().filter_map(Want::size).sum());
    let done = job.carry_out(&goal);
    progress.end();
    match done {
        Err(Stop::Cancelled) => return Err(Error::Cancelled),
        Err(Stop::Here(error)) => job.repaired.stopped = Some(error),
        Ok(()) => {}
    }
    Ok(job.repaired)
}

/// Whether files of it can be put right one by one.
fn is_repairable(archive: &Archive) -> Result<()> {
    let place = &archive.tree.place;
    match archive.form {
        Form::Oci | Form::Dir | Form::RegistryStorage if archive.tree.is_folder() => Ok(()),
        Form::Oci | Form::Dir | Form::RegistryStorage | Form::DockerArchive if !archive.tree.is_folder() => {
            let message = format!("{place} is one file, which is not repaired in place");
            let help =
                "write it anew with what it lacks: restow convert --fill-from PLACE SOURCE DESTINATION";
            Err(Error::refused_help(message, help).of(ErrorKind::Unsupported))
        }
        form => {
            let message = format!("{place} cannot be repaired: a {form} place has no blobs by their digests");
            let help =
                "repair takes oci:, dir: and registry-storage: folders, and docker:// for what is missing";
            Err(Error::refused_help(message, help).of(ErrorKind::Unsupported))
        }
    }
}

struct Job<'a> {
    how: &'a Request,
    mending: Option<Box<dyn MendFiles>>,
    /// The folder in the place that holds it.
    inside: Option<String>,
    progress: &'a dyn Progress,
    /// What no place has right.
    failed: HashSet<Digest>,
    repaired: Repaired,
}

impl Job<'_> {
    fn carry_out(&mut self, goal: &Goal) -> std::result::Result<(), Stop> {
        for want in &goal.wants {
            self.blob(want)?;
        }
        for piece in &goal.pieces {
            self.link(piece)?;
        }
        self.repaired.left.extend(goal.left.iter().cloned());
        Ok(())
    }

    fn at(&self, name: &str) -> String {
        match &self.inside {
            Some(folder) => format!("{folder}/{name}"),
            None => name.to_owned(),
        }
    }

    /// The first place that has it right gives it.
    fn blob(&mut self, want: &Want) -> std::result::Result<(), Stop> {
        let path = self.at(&want.path);
        let aside = self.how.keep_wrong.as_deref().filter(|_| want.was != Was::Missing);
        let spot = Spot { path: &path, stood: &want.stood, aside };
        let to = self.mending.as_deref();
        match given(to, &spot, &want.digest, &want.candidates, self.progress)? {
            Ok(from) => self.repaired.steps.push(Step {
                kind: if want.manifest { StepKind::Manifest } else { StepKind::Blob },
                path: want.path.clone(),
                digest: Some(want.digest.clone()),
                was: want.was.clone(),
                from,
            }),
            Err(more) => {
                self.failed.insert(want.digest.clone());
                self.repaired.left.push(Left {
                    what: want.digest.to_string(),
                    path: want.path.clone(),
                    was: want.was.clone(),
                    sought: want.sought.iter().cloned().chain(more).collect(),
                });
            }
        }
        Ok(())
    }

    fn link(&mut self, piece: &Piece) -> std::result::Result<(), Stop> {
        let left = |sought: Sought| Left {
            what: piece.what.clone(),
            path: piece.path.clone(),
            was: piece.was.clone(),
            sought: vec![sought],
        };
        if piece.digest.as_ref().is_some_and(|digest| self.failed.contains(digest)) {
            let found = "what it leads to is not there".to_owned();
            self.repaired.left.push(left(Sought { place: String::new(), found }));
            return Ok(());
        }
        let path = self.at(&piece.path);
        let spot = Spot { path: &path, stood: &piece.stood, aside: None };
        let got = self.mending.as_ref().map(|mending| mending.text(&spot, &piece.text));
        let from = match got.transpose().map_err(Stop::Here)? {
            Some(Got::Changed(now)) => {
                self.repaired.left.push(left(changed(&now)));
                return Ok(());
            }
            Some(Got::Already) => MEANWHILE.to_owned(),
            Some(Got::Right | Got::Others(_)) | None => piece.proof.clone(),
        };
        self.repaired.steps.push(Step {
            kind: piece.kind,
            path: piece.path.clone(),
            digest: piece.digest.clone(),
            was: piece.was.clone(),
            from,
        });
        Ok(())
    }
}
