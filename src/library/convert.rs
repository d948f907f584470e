//! Converting: what may be asked of [`convert()`](convert()), and what it tells.
//!
//! What is asked stands in a [`Request`], whose default keeps every byte that the destination can hold. What came of it is an
//! [`Outcome`]; of what was written an [`Account`] has each digest that the source held, once, with its fate. Sizes are in
//! bytes.
//!
//! # Example
//!
//! Takes one platform of an image, and tells what was left out.
//!
//! ```
//! use restow::convert::{Action, DockerFormat};
//! use restow::{Destination, End, Options, Request, Source, Specifier};
//!
//! fn take(from: &str, to: &str) -> restow::Result<()> {
//!     let mut request = Request::default();
//!     request.platforms = vec![Specifier::parse("linux/arm64").expect("a platform")];
//!     let to = Destination::parse(to, DockerFormat::Universal)?;
//!     let outcome = restow::convert(Source::parse(from)?, to, request, &Options::default())?;
//!     match outcome.end {
//!         End::Written { account, .. } => {
//!             for entry in account.changes().filter(|entry| entry.action == Action::Dropped) {
//!                 println!("{:?}: {}", entry.before, entry.why);
//!             }
//!         }
//!         End::Refused => println!("{} faults, nothing was written", outcome.findings.len()),
//!     }
//!     Ok(())
//! }
//! # let _ = take;
//! ```

use std::io::Write;
use std::path::Path;

use super::registry::{self, Push};
use super::report::file_of;
use super::{Options, Source, open};
pub use crate::codec::Compression;
use crate::error::{Error, Result};
pub use crate::finding::Fixing;
use crate::form::place::{Place, apart};
use crate::form::{FORMS, Transport};
use crate::jobs::convert::called::called;
use crate::jobs::convert::loads::loads;
pub use crate::jobs::convert::{Account, Action, Compress, DropSet, Entry, Fixes, Kind, ManifestFormat};
use crate::jobs::convert::{
    Destination as To, End, Goal, Origin, Outcome, Plan, Request, Source as From, Target, run,
};
use crate::model::Archive;
use crate::rules::{Policy, offer};

/// Which docker-archive is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DockerFormat {
    /// One that every tool reads: an OCI layout with `manifest.json`.
    #[default]
    Universal,
    /// As Docker 1.10 to 24 wrote it.
    Legacy,
}

/// Where a conversion writes.
pub struct Destination {
    place: Place,
    target: Target,
    stream: Option<Box<dyn Write + Send>>,
    registry: registry::Options,
}

impl Destination {
    /// A place as it is typed, which says its form: `oci:PATH`, `docker://HOST/NAME:TAG`.
    ///
    /// # Errors
    ///
    /// It does not say its form; that form cannot be written as asked, or not to standard output.
    pub fn parse(text: &str, docker: DockerFormat) -> Result<Destination> {
        let (place, transport) = Place::destination(text)?;
        let target = match (Target::of(transport), docker) {
            (Target::DockerArchive, DockerFormat::Legacy) => Target::DockerLegacy,
            (_, DockerFormat::Legacy) => {
                return Err(Error::refused("--docker-format goes with a docker-archive: destination"));
            }
            (target, DockerFormat::Universal) => target,
        };
        let streams = |transport: &Transport| transport.writing.can.stream;
        if place.is_standard() && !streams(&transport) {
            let message = format!("{}: is a folder and cannot go to standard output", transport.id());
            return Err(Error::refused_help(message, format!("use {}", FORMS.listed(streams, ":-"))));
        }
        Ok(Destination { place, target, stream: None, registry: registry::Options::default() })
    }

    /// A place of which the form is known.
    pub(super) fn to_target(place: Place, target: Target) -> Destination {
        Destination { place, target, stream: None, registry: registry::Options::default() }
    }

    /// Whether what stands there is replaced as a whole, and not added to.
    pub(super) fn is_replaced(&self) -> bool {
        matches!(self.target, Target::DockerArchive | Target::OciTar | Target::SkopeoDir)
    }

    /// The place.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Writes a tar to this stream, in place of standard output: the place is `docker-archive:-` or `oci-archive:-`.
    pub fn writing(mut self, stream: impl Write + Send + 'static) -> Destination {
        self.stream = Some(Box::new(stream));
        self
    }

    /// How a registry is spoken to.
    pub fn registry(mut self, options: registry::Options) -> Destination {
        self.registry = options;
        self
    }
}

/// Rewrites the images of a source in another form, each byte verified on the way. Nothing is visible at the destination
/// before all of it is there and sound; if the policy blocks what was found, nothing is written.
///
/// # Errors
///
/// The request cannot be carried out as it stands; source or destination cannot be read or written, or are not apart; the
/// source changed meanwhile; the job was cancelled. Nothing is left at the destination then, but of what a stream was given
/// already. What is wrong with the image is no error, but [`End::Refused`].
pub fn convert(
    source: impl Into<Source>,
    destination: Destination,
    request: Request,
    options: &Options<'_>,
) -> Result<Outcome> {
    let mut source = source.into();
    let mut request = request;
    request.images.extend(source.place.name.clone());
    request.keep_tags =
        source.registry.all_tags || source.place.path.as_os_str().as_encoded_bytes().ends_with(b"/");
    let place = source.place.clone();
    let filled = !source.fill.is_empty();
    if request.images.is_empty() && !request.check && !filled {
        source.only.clone_from(&request.platforms);
    }
    if filled && !place.is_remote() && !place.is_standard() && !destination.place.is_remote() {
        apart(&place.path, &destination.place.path)?;
    }
    let origin = match filled || place.is_registry() {
        true => Origin::Archive(Box::new(open(source, options)?)),
        false => Origin::Input(source.input(&options.limits)),
    };
    carried(&place, origin, destination, request, options)
}

/// The same of what is open already, or is opened by the conversion.
pub(super) fn carried(
    source: &Place,
    origin: Origin,
    destination: Destination,
    request: Request,
    options: &Options<'_>,
) -> Result<Outcome> {
    let mut request = request;
    request.target = destination.target;
    request.read = options.reading();
    request.destination_name.clone_from(&destination.place.name);
    let place = &destination.place;
    let push = match destination.target {
        Target::Registry => Some(Push::prepare(source, place, &destination.registry, &mut request)?),
        _ => None,
    };
    let make = |plan: &Plan, archive: &Archive| match &push {
        Some(push) => push.sink(plan, archive),
        None => Err(Error::refused("nothing is to be pushed")),
    };
    let to = match (push.is_some(), destination.stream) {
        (true, _) => To { place, goal: Goal::Sink(&make) },
        (false, Some(stream)) => To { place, goal: Goal::Stream(stream) },
        (false, None) => To::at(place),
    };
    let from = From { place: source, origin };
    let policy = request.levels(&options.policy);
    let mut outcome = run(from, to, &request, &policy, options.progress)?;
    let written = matches!(outcome.end, End::Written { .. });
    if let (End::Written { output, .. }, false) = (&outcome.end, request.dry_run) {
        outcome.called = called(request.target, place, output);
        outcome.loads = loads(request.target, place, output);
    }
    outcome.pushed = push.filter(|_| written && !request.dry_run).and_then(|push| push.line());
    levelled(&mut outcome, &policy);
    Ok(outcome)
}

/// Gives findings their levels and the commands that mend them, and says what files lowered; of what was refused, those that
/// blocked it are errors.
pub(super) fn levelled(outcome: &mut Outcome, policy: &Policy) {
    let file = file_of(&outcome.archive);
    let file = file.as_deref().and_then(Path::file_name);
    let found = std::mem::take(&mut outcome.findings);
    let blocking = match outcome.end {
        End::Refused => {
            let accepted = policy.accepted(&outcome.archive, file, &found);
            let kept = found.iter().zip(accepted).filter(|(_, accepted)| !accepted);
            Some(policy.blocking(kept.map(|(finding, _)| finding.clone()).collect()))
        }
        End::Written { .. } => None,
    };
    let (judged, lowered) = policy.judge(&outcome.archive, file, found);
    outcome.lowered = lowered;
    outcome.findings = blocking.unwrap_or(judged);
    offer(&outcome.archive, policy, &mut outcome.findings);
}
