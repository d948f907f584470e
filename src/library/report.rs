//! Reports: what a finding points at, and the formats for machines.
//!
//! # Example
//!
//! A report of several archives as SARIF, which GitHub and others show.
//!
//! ```
//! use restow::report::Format;
//!
//! fn sarif(paths: &[&std::path::Path], out: &mut dyn std::io::Write) -> restow::Result<()> {
//!     let options = restow::Options::default();
//!     let mut report = Format::Sarif.renderer();
//!     for path in paths {
//!         let archive = restow::open(*path, &options)?;
//!         restow::check(&archive, &options)?.add_to(&mut *report, Some(path));
//!     }
//!     // One whole document, whatever the number of archives.
//!     report.finish(out).expect("standard output, or a file with room");
//!     Ok(())
//! }
//! # let mut out = Vec::new();
//! # sarif(&["corpus/good/docker-archive/docker-20.10/archive.tar".as_ref()], &mut out).unwrap();
//! # assert!(out.starts_with(b"{"));
//! ```

use std::path::{Path, PathBuf};

use crate::facts::Changed;
pub use crate::finding::{Applicability, By, Change, Fix, Label, Lower, Lowered, Summary};
use crate::finding::{Finding, Level, Locator};
use crate::form::place::Place;
use crate::jobs::check::Part;
use crate::jobs::inspect::{images as named, summary};
pub use crate::location::Location;
use crate::model::{Archive, Form, NodeId};
pub use crate::render::Renderer;
#[cfg(feature = "cli")]
use crate::render::human::{self, HumanOptions, Verdict};
#[cfg(feature = "junit")]
use crate::render::junit::Junit;
use crate::render::{
    Container, Image, Source, fixes::FixList, github::Github, json::Json, lines::Lines, sarif::Sarif,
};
#[cfg(feature = "junit")]
use crate::rules;
use crate::rules::{ArchiveDocuments, suggest};

/// What was found in an archive: findings with the levels in force, in the order of reports.
#[derive(Clone)]
pub struct Report<'a> {
    /// The archive.
    pub archive: &'a Archive,
    /// What is wrong with it, or worth telling; nothing that the policy allows.
    pub findings: Vec<Finding>,
    /// What its layers do to those below them, if that was asked for.
    #[doc(hidden)]
    pub changes: Changed,
    /// What files lowered, and which they are.
    #[doc(hidden)]
    pub lowered: Lowered,
    /// What was judged, if that is not all.
    part: Option<Part>,
}

/// The file or folder that an archive was read from; `None` for a stream or a registry.
pub(super) fn file_of(archive: &Archive) -> Option<PathBuf> {
    let place = Place::parse(&archive.tree.place).ok()?;
    (!place.is_standard() && !place.is_remote()).then_some(place.path)
}

impl<'a> Report<'a> {
    pub(super) fn new(archive: &'a Archive, (findings, lowered): (Vec<Finding>, Lowered)) -> Report<'a> {
        Report { archive, findings, changes: Changed::new(), lowered, part: None }
    }

    pub(super) fn of_part(archive: &'a Archive, part: &Part, judged: (Vec<Finding>, Lowered)) -> Report<'a> {
        Report { part: Some(part.clone()), ..Report::new(archive, judged) }
    }

    pub(super) fn with(self, changes: Changed) -> Report<'a> {
        Report { changes, ..self }
    }

    /// Where each finding points, as people read it and safe for a terminal: `index.json:1:87 /manifests/0/size`.
    pub fn places(&self) -> Vec<String> {
        let docs = ArchiveDocuments::of(self.archive);
        let locator = Locator::new(&docs);
        self.findings.iter().map(|finding| locator.place(&finding.primary.location).to_string()).collect()
    }

    /// Adds it to a report for machines. `path` is the file or folder that holds the archive, to which some formats lead.
    pub fn add_to(&self, report: &mut dyn Renderer, path: Option<&Path>) {
        let findings = (&self.levelled()[..], &self.lowered);
        render(report, self.archive, self.part.as_ref(), findings, path);
    }

    /// Findings with their levels, as reports take them.
    pub(crate) fn levelled(&self) -> Vec<(Level, &Finding)> {
        self.findings.iter().map(|finding| (finding.level, finding)).collect()
    }

    /// How many findings there are of each level.
    pub fn summary(&self) -> Summary {
        Summary::of(&self.levelled())
    }
}

#[cfg(feature = "cli")]
impl Level {
    /// The parameters of the terminal's escape sequence for its colour.
    pub fn colour(self) -> &'static str {
        human::colour(self)
    }
}

impl Archive {
    /// What it is and how many images it holds, in a few words.
    pub fn summary(&self) -> String {
        summary::of(self)
    }
}

/// The images of an archive, as reports take them.
pub(crate) fn images(archive: &Archive) -> Vec<Image> {
    images_that(archive, &|_| true)
}

fn images_that(archive: &Archive, wanted: &dyn Fn(NodeId) -> bool) -> Vec<Image> {
    let image = |found: named::Image| Image { name: found.name, members: found.members };
    named::images(archive).into_iter().filter(|found| wanted(found.node)).map(image).collect()
}

impl Part {
    /// How much of the archive it is, in a few words: `1 of 5 images`.
    pub fn summary(&self, archive: &Archive) -> String {
        summary::part(archive, &|node| self.holds(node))
    }

    /// Its images, as reports take them.
    pub(crate) fn images(&self, archive: &Archive) -> Vec<Image> {
        images_that(archive, &|node| self.holds(node))
    }
}

/// A format of reports for machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// JSON of a documented shape.
    Json,
    /// SARIF 2.1.0.
    Sarif,
    /// JUnit XML.
    #[cfg(feature = "junit")]
    Junit,
    /// Commands of GitHub's workflows.
    Github,
    /// A line for each finding.
    Lines,
}

impl Format {
    /// All of them.
    pub const ALL: &[Format] = &[
        Format::Json,
        Format::Sarif,
        #[cfg(feature = "junit")]
        Format::Junit,
        Format::Github,
        Format::Lines,
    ];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Sarif => "sarif",
            #[cfg(feature = "junit")]
            Format::Junit => "junit",
            Format::Github => "github",
            Format::Lines => "lines",
        }
    }

    /// The format of a name.
    pub fn named(name: &str) -> Option<Format> {
        Format::ALL.iter().copied().find(|format| format.name() == name)
    }

    /// An empty report.
    pub fn renderer(self) -> Box<dyn Renderer> {
        match self {
            Format::Json => Box::<Json>::default(),
            Format::Sarif => Box::<Sarif>::default(),
            #[cfg(feature = "junit")]
            Format::Junit => Box::new(Junit::new(rules::all().iter().map(|rule| rule.family()).collect())),
            Format::Github => Box::<Github>::default(),
            Format::Lines => Box::<Lines>::default(),
        }
    }
}

/// An empty list of the fixes that findings propose, to which judged sources are added as to a report: JSON of a documented
/// shape, which people read before [`Request::fix`](crate::Request::fix) makes the fixes.
pub fn fixes() -> Box<dyn Renderer> {
    Box::<FixList>::default()
}

/// Adds what was found in an archive, or in a part of it, to a report for machines.
pub(crate) fn render(
    report: &mut dyn Renderer,
    archive: &Archive,
    part: Option<&Part>,
    findings: (&[(Level, &Finding)], &Lowered),
    path: Option<&Path>,
) {
    with_source(archive, part, findings, path, |source| report.add(source));
}

pub(super) fn with_source(
    archive: &Archive,
    part: Option<&Part>,
    (findings, lowered): (&[(Level, &Finding)], &Lowered),
    path: Option<&Path>,
    then: impl FnOnce(&Source<'_>),
) {
    let docs = ArchiveDocuments::of(archive);
    let images = part.map_or_else(|| images(archive), |part| part.images(archive));
    let container = match archive.form {
        Form::Document | Form::Layer => Container::Document,
        _ if archive.tree.is_folder() => Container::Folder,
        _ => Container::Tar,
    };
    let form = archive.form.id();
    let suggest = &suggest(archive, findings)[..];
    then(&Source {
        docs: &docs,
        path,
        container,
        form,
        images: &images,
        findings,
        lowered,
        suggest,
        proved: None,
    });
}

/// Draws a verdict, with the findings that it rests on, for people.
#[cfg(feature = "cli")]
pub(crate) fn draw(verdict: &Verdict<'_>, archive: &Archive, options: HumanOptions) -> String {
    human::report(verdict, &ArchiveDocuments::of(archive), options)
}
