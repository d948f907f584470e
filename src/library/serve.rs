//! Serving: archives of any form as a registry to pull from.
//!
//! A [`Shelf`] holds what was verified, a [`Server`] answers for it.
//!
//! # Example
//!
//! Serves an archive to this machine alone.
//!
//! ```no_run
//! use restow::serve::{Server, Settings, Shelf};
//! use restow::{Limits, Options, Request, Source};
//!
//! let mut shelf = Shelf::default();
//! let put = shelf.put(Source::parse("app.tar")?, None, Request::default(), &Options::default())?;
//! println!("{:?}", put.names);
//! let listen = vec!["127.0.0.1:5000".parse().expect("an address")];
//! let settings = Settings { listen, tls: None, htpasswd: None, log: None, limits: Limits::default() };
//! let server = Server::bind(shelf, settings)?;
//! println!("http://{}/v2/", server.address());
//! // Until `server.stop().now()` is called by another thread; gives the number of requests.
//! server.run();
//! # Ok::<(), restow::Error>(())
//! ```

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::convert::levelled;
use super::{Options, Source, open, registry};
use crate::error::{Error, Result};
use crate::finding::{Finding, Lowered};
use crate::form::held::{Held, Holding};
use crate::form::place::Place;
use crate::form::sink::Sink;
use crate::jobs::convert::plan::Treatment;
use crate::jobs::convert::{
    Destination, End, Goal, Origin, Outcome, Plan, Request, Source as From, Target, run,
};
pub use crate::jobs::serve::{Server, Settings, Shelf, server::Stop};
use crate::model::{Archive, Name, referrers, select};
use crate::reference::is_repository_path;

/// What came of putting a place on a [`Shelf`].
pub struct Shelved {
    /// The archive.
    pub archive: Arc<Archive>,
    /// What is wrong with it, in the order of reports.
    pub findings: Vec<Finding>,
    /// What files lowered, and which they are.
    pub lowered: Lowered,
    /// The names under which it is served, `REPOSITORY:TAG` or `REPOSITORY@DIGEST`; `None` if it is not, as something is
    /// wrong with it.
    pub names: Option<Vec<String>>,
    /// Bytes that were made anew, or unpacked from a stream, and stand in the folder for temporary files.
    pub spooled: u64,
}

impl Shelf {
    /// Verifies all of a place, as [`check()`](super::check()) does, and puts it on the shelf under the names that it has, or under
    /// `name`, `REPOSITORY[:TAG]`. An image without a name is called by the file that it is in. If anything is wrong with it at
    /// the level of errors, nothing of it is served.
    ///
    /// # Errors
    ///
    /// The place cannot be read, or holds no image; a name is none that a repository can have, or stands for something else already.
    pub fn put(
        &mut self,
        source: impl Into<Source>,
        name: Option<&str>,
        request: Request,
        options: &Options<'_>,
    ) -> Result<Shelved> {
        let source = source.into();
        let place = source.place.clone();
        let archive = match place.is_registry() {
            true => registry::open(&place, (true, &[]), &source.registry, &options.limits)?,
            false => open(source, options)?,
        };
        let mut request = Request { target: Target::Registry, check: true, keep_tags: true, ..request };
        request.read = options.reading();
        request.images.extend(place.name.clone());
        request.destination_name = match name {
            Some(name) => Some(name.to_owned()),
            None => stem(&archive, &request, &place)?,
        };
        let held = Arc::new(Mutex::new(Held::default()));
        let make = |plan: &Plan, archive: &Archive| -> Result<Box<dyn Sink>> {
            let all = plan.blobs().all(|(_, treatment)| treatment == Treatment::Keep);
            let known: HashSet<_> = archive
                .blobs
                .iter()
                .filter(|blob| blob.member.is_some())
                .filter_map(|blob| blob.digest.clone())
                .collect();
            Ok(Box::new(Holding::new(Arc::clone(&held), known, all, options.tmpdir.as_deref())))
        };
        let from = From { place: &place, origin: Origin::Archive(Box::new(archive)) };
        let to = Destination { place: &place, goal: Goal::Held(&make) };
        let policy = request.levels(&options.policy);
        let mut outcome = run(from, to, &request, &policy, options.progress)?;
        levelled(&mut outcome, &policy);
        let Outcome { archive, findings, lowered, end, .. } = outcome;
        let archive = Arc::new(archive);
        let End::Written { kept, .. } = end else {
            return Ok(Shelved { archive, findings, lowered, names: None, spooled: 0 });
        };
        let held = std::mem::take(&mut *held.lock().unwrap_or_else(PoisonError::into_inner));
        let made = held.made.values().filter_map(|file| Some(file.metadata().ok()?.len())).sum::<u64>();
        let names = self.add(&archive, held, &kept)?;
        let spooled = made + archive.tree.spooled();
        Ok(Shelved { archive, findings, lowered, names: Some(names), spooled })
    }
}

/// The repository of images that have none: the stem of the file, as far as it can be one.
///
/// # Errors
///
/// Some images have a repository, and others have not.
fn stem(archive: &Archive, request: &Request, place: &Place) -> Result<Option<String>> {
    let about = referrers::about(archive);
    let chosen = select::roots(archive, &request.images)?;
    let images = chosen.iter().filter(|chosen| !about.contains_key(&chosen.index)).map(|chosen| &chosen.root);
    let (full, none): (Vec<_>, Vec<_>) =
        images.partition(|root| matches!(root.name, Name::Full(_)) || root.repository.is_some());
    if none.is_empty() {
        return Ok(None);
    }
    if !full.is_empty() {
        let of = format!("{} of the {} images of {}", none.len(), none.len() + full.len(), place.text);
        let help = format!("serve them one by one: NAME:TAG={}:@N; restow inspect numbers them", place.text);
        return Err(Error::refused_help(format!("{of} have no repository in their names"), help));
    }
    let name =
        place.path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let stem = name.split('.').next().unwrap_or_default();
    let letters = stem.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' });
    let letters: String = letters.collect();
    let parts: Vec<&str> = letters.split('-').filter(|part| !part.is_empty()).collect();
    let stem = parts.join("-");
    Ok(Some(if is_repository_path(&stem) { stem } else { "image".to_owned() }))
}

/// Takes `NAME=PLACE` apart; a place alone has no name. What stands as a file is a place, whatever letters it has.
///
/// # Errors
///
/// What stands before `=` is no name of a repository.
#[cfg(feature = "cli")]
pub(crate) fn named(text: &str) -> Result<(Option<&str>, &str)> {
    let Some((name, place)) = text.split_once('=').filter(|_| !Path::new(text).exists()) else {
        return Ok((None, text));
    };
    // A place with a form has a colon before the `=` that is part of its path.
    let path = name.rsplit_once(':').map_or(name, |(path, _)| path);
    if !is_repository_path(path) {
        if name.contains(':') {
            return Ok((None, text));
        }
        let message = format!("`{name}` is no name of a repository");
        return Err(Error::refused_help(
            message,
            "NAME=PLACE takes lower-case parts joined by `/`, and :TAG",
        ));
    }
    Ok((Some(name), place))
}
