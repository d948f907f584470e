//! Images for many platforms: indexes made, changed, taken apart and shown.
//!
//! What is written is written as [`convert()`](crate::convert()) writes it: proved, judged and whole, or not at all.
//!
//! # Example
//!
//! Puts the images of two archives into one index, each for the platform that its config says.
//!
//! ```
//! use restow::convert::DockerFormat;
//! use restow::index::{Part, create};
//! use restow::{Destination, Options, Request, Source};
//!
//! fn join(amd64: &str, arm64: &str, to: &str) -> restow::Result<()> {
//!     let parts = vec![Part::of(Source::parse(amd64)?, None), Part::of(Source::parse(arm64)?, None)];
//!     let to = Destination::parse(to, DockerFormat::Universal)?;
//!     let outcome = create(to, parts, Request::default(), &Options::default())?;
//!     println!("{} findings", outcome.findings.len());
//!     Ok(())
//! }
//! # let _ = join;
//! ```

use std::sync::Arc;

use super::convert::{Destination, carried};
use super::{Options, Source, open};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::facts::Facts;
use crate::finding::Level;
use crate::form::FORMS;
use crate::form::place::Place;
use crate::jobs::compose::{self, Edited, Gathering, Joined, Trees};
pub use crate::jobs::compose::{Annotate, Format};
use crate::jobs::convert::{
    Account, Action, End, Entry, Kind, ManifestFormat, Origin, Outcome, Request, Source as From, Target, run,
};
use crate::model::{Archive, Body, Form, Name};
use crate::platform::{Platform, Specifier};
use crate::rules::{self, Scope};

/// What goes into an index: the images of a place, or those of them for one platform.
pub struct Part {
    source: Source,
    platform: Option<Specifier>,
    /// Of an archive that is changed all is taken, whatever its place names.
    whole: bool,
}

impl Part {
    /// A place as it is typed, perhaps with `@os/arch[/variant]` behind it; the place without that.
    ///
    /// # Errors
    ///
    /// A form without a path behind it.
    pub fn parse(text: &str) -> Result<(Place, Option<Specifier>)> {
        let parted = text.rsplit_once('@').filter(|(place, platform)| {
            !place.is_empty() && platform.contains('/') && std::fs::symlink_metadata(text).is_err()
        });
        match parted.and_then(|(place, platform)| Some((place, Specifier::parse(platform).ok()?))) {
            Some((place, platform)) => Ok((Place::parse(place)?, Some(platform))),
            None => Ok((Place::parse(text)?, None)),
        }
    }

    /// All images of a place, or those for one platform.
    pub fn of(source: impl Into<Source>, platform: Option<Specifier>) -> Part {
        Part { source: source.into(), platform, whole: false }
    }
}

/// What is to be done to an index.
pub enum Edit {
    /// More children.
    Add(Vec<Part>),
    /// Children that go, each named by its digest or platform; what attests them goes along.
    Remove(Vec<String>),
    /// Something else is said of a child.
    Annotate {
        /// The child, by its digest or platform.
        child: String,
        /// What is said.
        change: Annotate,
    },
}

/// Puts images together into one index, with their attestations and what refers to them, and writes it. Indexes among the
/// parts are taken apart. Images without manifest get one first, in a temporary folder.
///
/// Two images for one platform are refused as a wrong image is ([`End::Refused`]), unless the policy allows
/// `index/repeated-platform`.
///
/// # Errors
///
/// As [`convert()`](super::convert()); a part has no such image, or none for its platform.
pub fn create(
    destination: Destination,
    parts: Vec<Part>,
    request: Request,
    options: &Options<'_>,
) -> Result<Outcome> {
    let opened = match Opened::all(parts, &request, options)? {
        Ok(opened) => opened,
        Err(refused) => return Ok(*refused),
    };
    let place = opened.place();
    let picks = opened.parts.iter().map(|part| Ok((&part.archive, part.pick()?))).collect::<Result<_>>()?;
    let Joined { gathering, digest, same, platforms, left } = compose::join(picks)?;
    let platforms: Vec<String> = platforms.iter().map(|platform| platform.normalised().to_string()).collect();
    let why = match same {
        true => String::new(),
        false => format!("an index of {}", crate::model::select::list(&platforms)),
    };
    let said = Said { before: same.then(|| digest.clone()), digest, why, left };
    let Opened { parts, before, dirs } = opened;
    let trees: Trees = parts.into_iter().map(|part| Arc::new(part.archive.tree)).collect();
    let made = Made { gathering, said, before, judged: true };
    let outcome = made.written(&place, &trees, destination, request, options);
    drop(dirs);
    outcome
}

/// Changes an index and writes it where it was, or to `destination`. A tar is written anew with all that it holds; in a
/// layout, storage or registry the name moves to the new index.
///
/// # Errors
///
/// As [`convert()`](super::convert()); there is no such index or child; without `destination`, the source is a stream.
pub fn edit(
    source: Source,
    edit: Edit,
    destination: Option<Destination>,
    request: Request,
    options: &Options<'_>,
) -> Result<Outcome> {
    if destination.is_none() && source.place.is_standard() {
        return Err(elsewhere(&source.place, "it is a stream"));
    }
    let names: Vec<String> = source.place.name.iter().cloned().collect();
    let (place, registry) = (source.place.clone(), source.registry.clone());
    let (more, edit) = match edit {
        Edit::Add(parts) => (parts, None),
        other => (Vec::new(), Some(other)),
    };
    let first = Part { whole: true, ..Part::of(source, None) };
    let parts = std::iter::once(first).chain(more).collect();
    let opened = match Opened::all(parts, &request, options)? {
        Ok(opened) => opened,
        Err(refused) => return Ok(*refused),
    };
    let mut request = request;
    let in_place = destination.is_none();
    let Some(first) = opened.parts.first() else { return Err(Error::refused("there is no index")) };
    let destination = match destination {
        Some(destination) => destination,
        None => {
            request.force = true;
            Destination::over(&place, &first.archive)?.registry(registry)
        }
    };
    let whole = in_place && destination.is_replaced();
    let edited = match &edit {
        Some(Edit::Remove(children)) => compose::removed(&first.archive, &names, children, whole)?,
        Some(Edit::Annotate { child, change }) => {
            compose::annotated(&first.archive, &names, child, change, whole)?
        }
        Some(Edit::Add(_)) | None => {
            let rest = opened.parts.iter().skip(1);
            let picks = rest.map(|part| Ok((&part.archive, part.pick()?))).collect::<Result<_>>()?;
            compose::added(&first.archive, &names, picks, whole)?
        }
    };
    let Edited { gathering, before, digest, why, left } = edited;
    request.replaces = before.clone().filter(|_| in_place);
    let made = Made {
        gathering,
        said: Said { before, digest, why, left },
        before: opened.before,
        judged: edit.is_none(),
    };
    let trees: Trees = opened.parts.into_iter().map(|part| Arc::new(part.archive.tree)).collect();
    let outcome = made.written(&place, &trees, destination, request, options);
    drop(opened.dirs);
    outcome
}

/// Writes each platform of an index to a place of its own, as an index of that one image with its attestations, so that
/// [`create`] makes the same index of them again. `to` says where each goes.
///
/// # Errors
///
/// As [`convert()`](super::convert()); there is no such index. What was written before an error stays.
pub fn split(
    source: Source,
    to: &dyn Fn(&Platform) -> Result<Destination>,
    request: &Request,
    options: &Options<'_>,
) -> Result<Vec<(Platform, Outcome)>> {
    let names: Vec<String> = source.place.name.iter().cloned().collect();
    let place = source.place.clone();
    let opened = match Opened::all(vec![Part::of(source, None)], request, options)? {
        Ok(opened) => opened,
        Err(refused) => return Ok(vec![(Platform::default(), *refused)]),
    };
    let dirs = opened.dirs;
    let Some(first) = opened.parts.into_iter().next() else { return Ok(Vec::new()) };
    let mut platforms: Vec<Platform> = Vec::new();
    for platform in compose::pick(&first.archive, &names, None)?.platforms() {
        let platform = platform.normalised();
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    let mut all = Vec::new();
    for platform in platforms {
        let Edited { gathering, before, digest, why, left } =
            compose::kept(&first.archive, &names, &platform)?;
        let made =
            Made { gathering, said: Said { before, digest, why, left }, before: Vec::new(), judged: false };
        all.push((to(&platform)?, platform, made));
    }
    let trees: Trees = vec![Arc::new(first.archive.tree)];
    let mut outcomes = Vec::new();
    for (destination, platform, made) in all {
        let outcome = made.written(&place, &trees, destination, request.clone(), options)?;
        let refused = matches!(outcome.end, End::Refused);
        outcomes.push((platform, outcome));
        if refused {
            break;
        }
    }
    drop(dirs);
    Ok(outcomes)
}

/// An index in the shape that another tool prints.
///
/// # Errors
///
/// There is no such image; a document cannot be read.
pub fn show(archive: &Archive, images: &[String], format: Format) -> Result<String> {
    compose::shown(archive, images, format)
}

/// A part that is open.
struct Opening {
    archive: Archive,
    place: Place,
    platform: Option<Specifier>,
}

impl Opening {
    fn pick(&self) -> Result<compose::Pick> {
        let names: Vec<String> = self.place.name.iter().cloned().collect();
        compose::pick(&self.archive, &names, self.platform.as_ref())
    }
}

/// All parts, open.
struct Opened {
    parts: Vec<Opening>,
    /// What became of what had no manifest.
    before: Vec<Entry>,
    /// Where the manifests are that were made.
    dirs: Vec<tempfile::TempDir>,
}

impl Opened {
    /// Opens all; the outcome of the first of which something is wrong.
    fn all(
        parts: Vec<Part>,
        request: &Request,
        options: &Options<'_>,
    ) -> Result<std::result::Result<Opened, Box<Outcome>>> {
        let mut opened = Opened { parts: Vec::new(), before: Vec::new(), dirs: Vec::new() };
        for Part { source, platform, whole } in parts {
            let place = source.place.clone();
            let archive = open(source, options)?;
            let archive = match needs_manifests(&archive, request) {
                false => archive,
                true => match manifests(archive, (&place, whole), request, options)? {
                    Ok((archive, dir, entries)) => {
                        opened.before.extend(entries);
                        opened.dirs.push(dir);
                        archive
                    }
                    Err(refused) => return Ok(Err(refused)),
                },
            };
            opened.parts.push(Opening { archive, place, platform });
        }
        Ok(Ok(opened))
    }

    /// What messages call all of them.
    fn place(&self) -> Place {
        match &self.parts[..] {
            [one] => one.place.clone(),
            parts => {
                let texts: Vec<String> = parts.iter().map(|part| part.place.text.clone()).collect();
                let remote = parts.iter().find(|part| part.place.is_registry());
                let first = remote.or_else(|| parts.first()).map(|part| part.place.clone());
                let text = crate::model::select::list(&texts);
                first.map_or_else(|| Place::of_path("".as_ref()), |first| Place { text, name: None, ..first })
            }
        }
    }
}

/// Whether an index could not name what an archive holds.
fn needs_manifests(archive: &Archive, request: &Request) -> bool {
    archive.roots.iter().any(|root| match &archive.node(root.node).body {
        Body::Item { .. } | Body::V1 { .. } => true,
        Body::Schema1 { .. } => request.manifest_format != ManifestFormat::Keep,
        Body::Index { .. } | Body::Manifest { .. } | Body::ArtifactManifest { .. } => false,
        Body::Layer { .. } | Body::Absent | Body::Opaque => false,
    })
}

type WithManifests = std::result::Result<(Archive, tempfile::TempDir, Vec<Entry>), Box<Outcome>>;

/// The same images with manifests, in a temporary folder; what is wrong with them, if something is.
fn manifests(
    archive: Archive,
    (place, whole): (&Place, bool),
    asked: &Request,
    options: &Options<'_>,
) -> Result<WithManifests> {
    let dir = match &options.tmpdir {
        Some(parent) => tempfile::tempdir_in(parent),
        None => tempfile::tempdir(),
    };
    let dir = dir.map_err(|error| Error::io("cannot create", "a temporary folder", error))?;
    let path = dir.path().join("layout");
    let target = Target::OciDir;
    let to = Place { transport: FORMS.transport(target.writing().id), ..Place::of_path(&path) };
    let mut request = Request::to(target);
    request.read = options.reading();
    request.images.extend(place.name.clone().filter(|_| !whole));
    request.manifest_format = asked.manifest_format;
    let source = From { place, origin: Origin::Archive(Box::new(archive)) };
    let destination = crate::jobs::convert::Destination::at(&to);
    let outcome = run(source, destination, &request, &options.policy, options.progress)?;
    let End::Written { account, .. } = outcome.end else {
        let findings = options.policy.blocking(outcome.findings);
        return Ok(Err(Box::new(Outcome { findings, ..outcome })));
    };
    let told = |entry: &Entry| entry.action != Action::Kept && entry.kind != Kind::Name;
    let entries = account.entries.into_iter().filter(told).collect();
    let mut archive = open(Source::from(to), options)?;
    archive.tree.place.clone_from(&place.text);
    Ok(Ok((archive, dir, entries)))
}

/// What the account says of the index.
struct Said {
    before: Option<Digest>,
    digest: Digest,
    why: String,
    left: Vec<Entry>,
}

impl Said {
    /// The account of carrying it says that it was there: here is what it was before.
    fn told(self, account: &mut Account) {
        let of_it =
            |entry: &&mut Entry| entry.kind == Kind::Index && entry.before.as_ref() == Some(&self.digest);
        if let Some(entry) = account.entries.iter_mut().find(of_it)
            && self.before.as_ref() != Some(&self.digest)
        {
            let more = std::mem::take(&mut entry.why);
            entry.action = if self.before.is_some() { Action::Rewritten } else { Action::Synthesised };
            entry.before = self.before;
            entry.why = if more.is_empty() { self.why } else { format!("{}; {more}", self.why) };
        }
        account.entries.extend(self.left);
    }
}

/// An index that is put together, to be written.
struct Made {
    gathering: Gathering,
    said: Said,
    /// What became of what had no manifest.
    before: Vec<Entry>,
    /// Whether two images for one platform are refused.
    judged: bool,
}

impl Made {
    fn written(
        self,
        place: &Place,
        trees: &Trees,
        destination: Destination,
        request: Request,
        options: &Options<'_>,
    ) -> Result<Outcome> {
        let archive = self.gathering.open(&place.text, trees, &options.limits)?;
        if self.judged {
            let twice = &rules::index::REPEATED_PLATFORM;
            let mut findings = rules::judge(&archive, &Facts::of(archive.blobs.len()), Scope::All);
            findings.retain(|finding| finding.rule.name == twice.name);
            let mut findings = options.policy.judged(findings);
            findings.iter_mut().for_each(|finding| finding.level = Level::Error);
            if !findings.is_empty() {
                return Ok(Outcome::refused(archive, findings));
            }
        }
        let mut outcome = carried(place, Origin::Archive(Box::new(archive)), destination, request, options)?;
        if let End::Written { account, .. } = &mut outcome.end {
            self.said.told(account);
            account.entries.splice(0..0, self.before);
        }
        Ok(outcome)
    }
}

/// Refuses to change a place where it is.
fn elsewhere(place: &Place, why: &str) -> Error {
    let message = format!("{} cannot be changed where it is: {why}", place.text);
    Error::refused_help(message, "write what comes of it elsewhere with --to DESTINATION")
}

impl Destination {
    /// The place that an archive was read from, to be written again.
    fn over(place: &Place, archive: &Archive) -> Result<Destination> {
        let refused = |why: &str| elsewhere(place, why);
        if archive.tree.outer.is_some() {
            return Err(refused("it is compressed as a whole"));
        }
        let folder = place.path.is_dir();
        let target = match (archive.form, folder) {
            (Form::DockerArchive, false) => Target::DockerArchive,
            (Form::Oci, false) => Target::OciTar,
            (Form::Oci, true) => Target::OciDir,
            (Form::Dir, true) => Target::SkopeoDir,
            (Form::RegistryStorage, true) => Target::Storage,
            (Form::Registry, _) => Target::Registry,
            _ => return Err(refused("nothing is written in this form there")),
        };
        let mut to = Place { transport: FORMS.transport(target.writing().id), ..place.clone() };
        match target {
            Target::Storage if to.name.is_none() => {
                let message = format!("{} does not say which repository and tag is meant", place.text);
                return Err(Error::refused_help(message, "name it: registry-storage:DIR:REPO:TAG"));
            }
            Target::DockerArchive | Target::OciTar | Target::SkopeoDir => to.name = None,
            _ => {}
        }
        // A layout names its images as they were typed, and a name that was only enough to find one is none.
        if target == Target::OciDir {
            let roots = crate::model::select::roots(archive, &to.name.iter().cloned().collect::<Vec<_>>())?;
            if roots.iter().any(|chosen| chosen.root.name != Name::None) {
                to.name = None;
            }
        }
        if let (None, Some(name)) = (&to.name, &place.name) {
            let text = to.text.strip_suffix(&format!(":{name}")).map(str::to_owned);
            to.text = text.unwrap_or(to.text);
        }
        Ok(Destination::to_target(to, target))
    }
}
