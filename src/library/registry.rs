//! Registries: how they are spoken to, and what is asked of them beside images.
//!
//! A place in one is `docker://HOST[:PORT]/NAME[:TAG][@DIGEST]`, or `docker://HOST/` for all of it. [`Options`] go to a
//! [`Source`](crate::Source::registry) or a [`Destination`](crate::Destination::registry). The feature `registry` makes them
//! work; without it such a place is refused.
//!
//! # Example
//!
//! ```no_run
//! use restow::registry::{Options, tags};
//! use restow::{Limits, Place};
//!
//! let place = Place::parse("docker://localhost:5000/team/app")?;
//! let options = Options { tls_verify: false, ..Options::default() };
//! for tag in tags(&place, &options, &Limits::default())? {
//!     println!("{tag}");
//! }
//! # Ok::<(), restow::Error>(())
//! ```

use std::fmt;
use std::path::PathBuf;

#[cfg(feature = "registry")]
use crate::distribution::{Config, Credential, Credentials, Registries};
use crate::error::{Error, ErrorKind, Result};
use crate::form::place::Place;
#[cfg(feature = "registry")]
use crate::form::registry::{
    Address, Lacking as Missing, PushOptions, Pushed, Wanted, may_set_all, takes_all,
};
#[cfg(feature = "registry")]
use crate::form::sink::Lacking;
use crate::form::sink::Sink;
#[cfg(feature = "registry")]
use crate::http::{self, Client, Environment, Secret};
use crate::jobs::convert::{Plan, Request};
use crate::limits::Limits;
use crate::model::Archive;
use crate::platform::Specifier;
use crate::store::Access;

/// How the registry of a place is spoken to, and the store of a bucket as far as it is not about images or logins. The default
/// finds credentials where Docker and podman keep them, takes no certificate that the system does not trust, and follows all
/// that refers to an image.
#[derive(Debug, Clone)]
pub struct Options {
    /// Who asks; if unset, what the credential files and helpers say of the host.
    pub login: Option<Login>,
    /// The only file to look for credentials in, as podman, skopeo or docker write it.
    pub authfile: Option<PathBuf>,
    /// Whether certificates must be good; without, plain HTTP is taken too. Of buckets it is about an endpoint that was given.
    pub tls_verify: bool,
    /// Files of certificates to trust beside the system's.
    pub ca: Vec<PathBuf>,
    /// How often what failed is tried again; if unset, three times, and for buckets five or what `AWS_MAX_ATTEMPTS` says.
    pub retry_times: Option<u32>,
    /// Bytes a second for all transfers together.
    pub limit_rate: Option<u64>,
    /// What refers to an image goes along so many edges far.
    pub referrers: u64,
    /// Every tag of the repository.
    pub all_tags: bool,
    /// Of a whole registry only these: `NAME[:TAG][@DIGEST]`, below its prefix.
    pub names: Option<Vec<String>>,
    /// Only images for these platforms are read; all if there are none.
    pub platforms: Vec<Specifier>,
    /// Written to: a tag that is another image stays.
    pub no_clobber: bool,
    /// Written to: what was sent is read again.
    pub verify_after: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            login: None,
            authfile: None,
            tls_verify: true,
            ca: Vec::new(),
            retry_times: None,
            limit_rate: None,
            referrers: u64::MAX,
            all_tags: false,
            names: None,
            platforms: Vec::new(),
            no_clobber: false,
            verify_after: false,
        }
    }
}

impl Options {
    /// What of it holds for buckets.
    pub(super) fn access(&self, limits: &Limits) -> Access {
        Access {
            limits: limits.clone(),
            tls_verify: self.tls_verify,
            ca: self.ca.clone(),
            retry_times: self.retry_times,
            limit_rate: self.limit_rate,
        }
    }
}

/// A name and a password. The password is not shown.
#[derive(Clone)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The password.
    pub password: String,
    /// Where they come from, for messages: an option, or a file.
    pub from: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).field("from", &self.from).finish_non_exhaustive()
    }
}

/// The address of a place.
#[cfg(feature = "registry")]
fn address(place: &Place) -> Result<Address> {
    Address::parse(&place.path.to_string_lossy())
}

/// The registries that a place leads to.
#[cfg(feature = "registry")]
fn registries(address: &Address, options: &Options, limits: &Limits) -> Result<std::sync::Arc<Registries>> {
    let environment = Environment::of_process();
    let config = Config::load(&environment)?;
    let mut how = http::Options::new(limits, environment.clone());
    how.insecure = config.insecure();
    if !options.tls_verify {
        how.insecure.insert(crate::distribution::host_of(address.domain()).to_ascii_lowercase());
    }
    how.ca.clone_from(&options.ca);
    how.retry_times = options.retry_times.unwrap_or(how.retry_times);
    how.limit_rate = options.limit_rate;
    let patience = std::time::Duration::from_secs(limits.helper_seconds);
    let mut credentials = Credentials::of(options.authfile.clone(), &environment, patience);
    if let Some(Login { user, password, from }) = &options.login {
        let password = Secret::new(password.clone());
        let credential = Credential::Password { user: user.clone(), password };
        credentials.give(address.domain(), credential, from);
    }
    Ok(Registries::new(Client::new(how), credentials, config))
}

/// Opens a place in a registry; `blobs` says whether blobs will be read, `only` the platforms whose images are going to be
/// chosen of it.
#[cfg(feature = "registry")]
pub(super) fn open(
    place: &Place,
    (blobs, only): (bool, &[Specifier]),
    options: &Options,
    limits: &Limits,
) -> Result<Archive> {
    let wanted = Wanted {
        all_tags: options.all_tags,
        names: options.names.clone(),
        platforms: options.platforms.clone(),
        only: only.to_vec(),
        referrers: options.referrers,
        blobs,
    };
    let address = address(place)?;
    crate::form::registry::open(
        &place.text,
        &address,
        &registries(&address, options, limits)?,
        &wanted,
        limits,
    )
}

/// A registry that is gone through repository by repository, or one repository of it.
#[cfg(all(feature = "registry", feature = "scrub"))]
pub(super) fn live(
    place: &Place,
    options: &Options,
    limits: &Limits,
) -> Result<crate::form::registry::live::Live> {
    let address = address(place)?;
    let registries = registries(&address, options, limits)?;
    crate::form::registry::live::Live::new(registries, address, limits, options.referrers)
}

/// A registry that something is sent to which it lacks.
#[cfg(feature = "registry")]
pub(super) fn lacking(place: &Place, options: &Options, limits: &Limits) -> Result<Missing> {
    let address = address(place)?;
    let registries = registries(&address, options, limits)?;
    Ok(Missing::new(registries, address.domain()))
}

/// The tags of a repository, or the repositories of a registry, without reading any image. `place` is `docker://…`.
///
/// # Errors
///
/// There is no such repository; the registry cannot be asked, or refuses.
#[cfg(feature = "registry")]
pub fn tags(place: &Place, options: &Options, limits: &Limits) -> Result<Vec<String>> {
    let address = address(place)?;
    let registries = registries(&address, options, limits)?;
    match address {
        Address::Host { domain, prefix } => {
            let all = registries.catalog(&domain)?;
            Ok(all.into_iter().filter(|path| path.starts_with(&prefix)).collect())
        }
        Address::Repository { name, .. } => {
            let repository = registries.repository(name.domain(), name.path())?;
            repository.tags()?.ok_or_else(|| {
                let message = format!("{}: there is no such repository", repository.shown());
                Error::refused_help(message, "check the name, and whether it wants a login")
                    .of(ErrorKind::NotFound)
            })
        }
    }
}

/// A registry as a destination: what is known of it before there is a plan.
#[cfg(feature = "registry")]
pub(super) struct Push {
    registries: std::sync::Arc<Registries>,
    domain: String,
    options: PushOptions,
    pushed: std::cell::RefCell<Option<std::sync::Arc<Pushed>>>,
}

#[cfg(feature = "registry")]
impl Push {
    /// Finds the registry, and says in the request which repository is meant.
    pub fn prepare(
        source: &Place,
        destination: &Place,
        options: &Options,
        request: &mut Request,
    ) -> Result<Push> {
        let address = address(destination)?;
        let registries = registries(&address, options, &request.read.limits)?;
        let mut push = PushOptions {
            no_clobber: options.no_clobber,
            verify_after: options.verify_after,
            ..PushOptions::default()
        };
        match &address {
            Address::Repository { name, tag, digest } => {
                let tag = tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
                request.destination_name = Some(format!("{}{tag}", name.path()));
                push.digest.clone_from(digest);
            }
            Address::Host { prefix, .. } => push.prefix.clone_from(prefix),
        }
        if source.is_registry() {
            if let Address::Repository { name, .. } = self::address(source)? {
                push.mount_from = (name.domain() == address.domain()).then(|| name.path().to_owned());
            }
        }
        let domain = address.domain().to_owned();
        Ok(Push { registries, domain, options: push, pushed: Default::default() })
    }

    /// Where to write what was planned.
    pub fn sink(&self, plan: &Plan, archive: &Archive) -> Result<Box<dyn Sink>> {
        let first = plan.roots.iter().find_map(|root| root.repository.as_ref());
        let Some((path, _)) = first else { return Err(Error::refused("nothing is to be pushed")) };
        let below = |path: &str| format!("{}{path}", self.options.prefix);
        let tags = plan.tags(archive).into_iter();
        let tags: Vec<_> = tags.map(|(path, tag, digest)| (below(&path), tag, digest)).collect();
        may_set_all(&self.registries, &self.domain, &self.options, &tags)?;
        let lacking = plan.lacking(archive).into_iter();
        let lacking: Vec<Lacking> =
            lacking.map(|lacking| Lacking { repository: below(&lacking.repository), ..lacking }).collect();
        takes_all(&self.registries, &self.domain, &lacking)?;
        let path = below(path);
        let (sink, pushed) =
            crate::form::registry::registry(&self.registries, &self.domain, &path, self.options.clone())?;
        *self.pushed.borrow_mut() = Some(pushed);
        Ok(sink)
    }

    /// What it came to, in a line.
    pub fn line(&self) -> Option<String> {
        self.pushed.borrow().as_ref().map(|pushed| pushed.line())
    }
}

/// What is said where registries were left out of the program.
#[cfg(not(feature = "registry"))]
fn without(place: &Place) -> Error {
    Error::refused(format!("{}: this restow was built without registries", place.text))
        .of(ErrorKind::Unsupported)
}

/// Refuses: this restow was built without registries.
#[cfg(not(feature = "registry"))]
pub(super) fn open(place: &Place, _: (bool, &[Specifier]), _: &Options, _: &Limits) -> Result<Archive> {
    Err(without(place))
}

/// As where registries are known, for where they are not: an error.
#[cfg(not(feature = "registry"))]
pub fn tags(place: &Place, _: &Options, _: &Limits) -> Result<Vec<String>> {
    Err(without(place))
}

/// A registry that this program knows nothing of.
#[cfg(not(feature = "registry"))]
pub(super) enum Push {}

#[cfg(not(feature = "registry"))]
impl Push {
    pub fn prepare(_: &Place, destination: &Place, _: &Options, _: &mut Request) -> Result<Push> {
        Err(without(destination))
    }

    pub fn sink(&self, _: &Plan, _: &Archive) -> Result<Box<dyn Sink>> {
        match *self {}
    }

    pub fn line(&self) -> Option<String> {
        match *self {}
    }
}
