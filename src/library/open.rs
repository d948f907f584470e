//! Opening a place.

use std::io::Read;
use std::path::Path;

use super::{Options, registry};
use crate::error::{Error, Result};
use crate::form::place::Place;
use crate::form::{self, Alone, Input, OpenOptions};
use crate::limits::Limits;
use crate::model::{Archive, LoneKind};
use crate::platform::Specifier;
use crate::source::SpoolDir;

/// What is opened: a place, or a stream in its stead.
pub struct Source {
    pub(super) place: Place,
    /// A stream that is read in its stead.
    stream: Option<Box<dyn Read + Send>>,
    pub(super) registry: registry::Options,
    /// Whether a single document or layer will do, and which it is if that was said.
    lone: Alone,
    /// Whether blobs are going to be read: what a registry lacks of them is not asked for otherwise.
    blobs: bool,
    /// The platforms whose images are going to be chosen, if some are: a registry is not asked for the others.
    pub(super) only: Vec<Specifier>,
    /// Where what it lacks is taken from.
    pub(super) fill: Vec<Source>,
}

impl From<Place> for Source {
    /// The place that a command line means: `-` is standard input.
    fn from(place: Place) -> Source {
        let registry = registry::Options::default();
        Source {
            stream: None,
            place,
            registry,
            lone: Alone::No,
            blobs: true,
            only: Vec::new(),
            fill: Vec::new(),
        }
    }
}

impl From<&Path> for Source {
    /// A file or folder whose form is found from its content.
    fn from(path: &Path) -> Source {
        Source::from(Place::of_path(path))
    }
}

impl Source {
    /// A place as it is typed: a path, `-`, or `FORM:PATH[:NAME]`.
    ///
    /// # Errors
    ///
    /// A form without a path behind it.
    pub fn parse(text: &str) -> Result<Source> {
        Place::parse(text).map(Source::from)
    }

    /// Reads a tar, which may be compressed, from this stream instead. The place is its name in messages.
    pub fn reading(mut self, stream: impl Read + Send + 'static) -> Source {
        self.stream = Some(Box::new(stream));
        self
    }

    /// A single document or layer is an archive of its own; `kind` says what it is, `None` that its content shall.
    pub fn or_alone(mut self, kind: Option<LoneKind>) -> Source {
        self.lone = kind.into();
        self
    }

    /// Nobody is going to read blobs, so a registry is not asked which of them it has.
    pub fn without_blobs(mut self) -> Source {
        self.blobs = false;
        self
    }

    /// What the archive names and does not have is taken from these, the first that has it: manifests, configs and layers,
    /// each proved by its digest. What none of them has stays missing.
    pub fn filled_from(mut self, others: Vec<Source>) -> Source {
        self.fill = others;
        self
    }

    /// How a registry is spoken to, or a bucket.
    pub fn registry(mut self, options: registry::Options) -> Source {
        self.registry = options;
        self
    }

    /// What is read.
    pub(super) fn input(&mut self, limits: &Limits) -> Input {
        match self.stream.take() {
            Some(stream) => Input::Stream(stream),
            None => self.place.input_by(|| self.registry.access(limits)),
        }
    }
}

/// Opens an archive: lists its members and reads its documents, but no layer.
///
/// # Errors
///
/// What cannot be read, or holds no image. A broken archive is no error: see [`check()`](super::check()).
pub fn open(source: impl Into<Source>, options: &Options<'_>) -> Result<Archive> {
    let mut source = source.into();
    let others = std::mem::take(&mut source.fill);
    let archive = opened(source, options)?;
    if others.is_empty() {
        return Ok(archive);
    }
    let others = others.into_iter().map(|other| open(other, options)).collect::<Result<_>>()?;
    crate::jobs::compose::fill(archive, others, &options.limits)
}

fn opened(source: Source, options: &Options<'_>) -> Result<Archive> {
    let mut source = source;
    if let (false, [first, ..]) = (source.place.is_registry(), &source.registry.platforms[..]) {
        let message = format!("--platform {first} goes with docker://, not with {}", source.place.text);
        let help = "restow convert --platform takes the images of an archive apart";
        return Err(Error::refused_help(message, help));
    }
    if source.place.is_registry() {
        if source.lone.kind().is_some() {
            let message = format!("{} is no single document or layer", source.place.text);
            return Err(Error::refused_help(message, "leave --as out"));
        }
        return registry::open(
            &source.place,
            (source.blobs, &source.only),
            &source.registry,
            &options.limits,
        );
    }
    form::open(
        source.input(&options.limits),
        OpenOptions {
            place: &source.place.text,
            form: source.place.transport,
            limits: &options.limits,
            spool: &mut || SpoolDir::new(options.tmpdir.as_deref()),
            lone: source.lone,
            progress: options.progress,
        },
    )
}
