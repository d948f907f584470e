//! Registries on the command line: credentials, certificates, retries, and `docker://…` as a place.

use std::io::Read as _;
use std::path::PathBuf;
#[cfg(feature = "registry")]
use std::sync::Arc;
#[cfg(feature = "registry")]
use std::time::Duration;

use super::shell::Shell;
use crate::error::{Error, Result};
use crate::form::place::Place;
#[cfg(feature = "registry")]
use crate::form::registry::{Address, Wanted};
#[cfg(feature = "registry")]
use crate::http::{Client, Environment, Options, Secret};
use crate::limits::Limits;
use crate::model::Archive;
#[cfg(feature = "registry")]
use crate::registry::{Config, Credential, Credentials, Registries};

/// Which of two places is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    First,
    Second,
}

/// What was given for one place.
struct Given {
    creds: Option<String>,
    password_stdin: bool,
    authfile: Option<PathBuf>,
    tls_verify: bool,
    ca: Vec<PathBuf>,
    /// How the options begin, for messages.
    prefix: &'static str,
}

impl Shell {
    fn given(&self, side: Side) -> Given {
        let (plain, sides) = (&self.common.remote, &self.sides);
        let own = match side {
            Side::First => Given {
                creds: sides.src_creds.clone(),
                password_stdin: sides.src_password_stdin,
                authfile: sides.src_authfile.clone(),
                tls_verify: sides.src_tls_verify.unwrap_or(true),
                ca: sides.src_ca.clone(),
                prefix: "src-",
            },
            Side::Second => Given {
                creds: sides.dest_creds.clone(),
                password_stdin: sides.dest_password_stdin,
                authfile: sides.dest_authfile.clone(),
                tls_verify: sides.dest_tls_verify.unwrap_or(true),
                ca: sides.dest_ca.clone(),
                prefix: "dest-",
            },
        };
        Given {
            prefix: if own.creds.is_none() && plain.creds.is_some() { "" } else { own.prefix },
            creds: own.creds.or_else(|| plain.creds.clone()),
            password_stdin: own.password_stdin || plain.password_stdin,
            authfile: own.authfile.or_else(|| plain.authfile.clone()),
            tls_verify: own.tls_verify && plain.tls_verify.unwrap_or(true),
            ca: [own.ca, plain.ca.clone()].concat(),
        }
    }

    /// With two registries it must be said which of them an option is for.
    pub fn sides_are_clear(&self, first: &Place, second: &Place) -> Result<()> {
        let plain = &self.common.remote;
        let given = [
            ("creds", plain.creds.is_some()),
            ("password-stdin", plain.password_stdin),
            ("authfile", plain.authfile.is_some()),
            ("tls-verify", plain.tls_verify.is_some()),
            ("ca", !plain.ca.is_empty()),
        ];
        let unclear =
            given.iter().find(|(_, given)| *given).filter(|_| first.is_remote() && second.is_remote());
        match unclear {
            Some((name, _)) => Err(Error::refused_help(
                format!("--{name} does not say which of the two registries it is for"),
                format!("use --src-{name} or --dest-{name}"),
            )),
            None => Ok(()),
        }
    }
}

/// A password from standard input, without the line's end.
fn password() -> Result<String> {
    let mut text = String::new();
    let read = std::io::stdin().take(64 << 10).read_to_string(&mut text);
    read.map_err(|error| Error::io("cannot read", "the password from standard input", error))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// `500k`, `10M`, `1G`, or bytes.
fn rate(text: &str) -> Result<u64> {
    let (number, factor) = match text.trim_end_matches(['B', 'b']).char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&text[..at], 1 << 10),
        Some((at, 'm' | 'M')) => (&text[..at], 1 << 20),
        Some((at, 'g' | 'G')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let bytes =
        number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| {
        Error::refused(format!("--limit-rate takes bytes a second, such as 500k or 10M, not `{text}`"))
    })
}

/// The address of a place.
#[cfg(feature = "registry")]
pub(super) fn address(place: &Place) -> Result<Address> {
    Address::parse(&place.path.to_string_lossy())
}

/// The registries of one side, with what was given for it.
#[cfg(feature = "registry")]
pub(super) fn registries(place: &Place, side: Side, shell: &Shell) -> Result<Arc<Registries>> {
    let address = address(place)?;
    let given = shell.given(side);
    let mut limits = shell.limits()?;
    if let Some(seconds) = shell.common.remote.timeout {
        limits.wait_seconds = seconds.max(1);
    }
    let environment = Environment::of_process();
    let config = Config::load(&environment)?;
    let mut options = Options::new(&limits, environment.clone());
    options.insecure = config.insecure();
    if !given.tls_verify {
        options.insecure.insert(crate::registry::host_of(address.domain()).to_ascii_lowercase());
    }
    options.ca = given.ca;
    options.retry_times = shell.common.remote.retry_times;
    options.limit_rate = shell.common.remote.limit_rate.as_deref().map(rate).transpose()?;
    let patience = Duration::from_secs(limits.helper_seconds);
    let mut credentials = Credentials::of(given.authfile, &environment, patience);
    if let Some(creds) = given.creds {
        let (user, password) = match (creds.split_once(':'), given.password_stdin) {
            (Some((user, password)), false) => (user.to_owned(), password.to_owned()),
            (None, true) => (creds, password()?),
            (None, false) => {
                return Err(Error::refused_help(
                    format!("--{}creds takes USER:PASSWORD", given.prefix),
                    "give the name alone with --password-stdin, which keeps the password out of sight",
                ));
            }
            (Some(_), true) => {
                return Err(Error::refused(format!("--{}creds holds a password already", given.prefix)));
            }
        };
        let credential = Credential::Password { user, password: Secret::new(password) };
        credentials.give(address.domain(), credential, &format!("--{}creds", given.prefix));
    } else if given.password_stdin {
        return Err(Error::refused("--password-stdin wants the name with --creds USER"));
    }
    Ok(Registries::new(Client::new(options), credentials, config))
}

/// Opens a place in a registry.
#[cfg(feature = "registry")]
fn open_live(place: &Place, side: Side, blobs: bool, shell: &Shell, limits: &Limits) -> Result<Archive> {
    let referrers = match shell.common.remote.referrers.as_str() {
        "all" => u64::MAX,
        text => text
            .parse()
            .map_err(|_| Error::refused(format!("--referrers takes all or a number, not `{text}`")))?,
    };
    let wanted = Wanted { all_tags: shell.common.remote.all_tags, referrers, blobs };
    crate::form::registry::open(
        &place.text,
        &address(place)?,
        &registries(place, side, shell)?,
        wanted,
        limits,
    )
}

/// The tags of a repository, or the repositories of a registry, one a line.
#[cfg(feature = "registry")]
pub(super) fn tags(place: &Place, shell: &Shell) -> Result<Vec<String>> {
    let registries = registries(place, Side::First, shell)?;
    match address(place)? {
        Address::Host { domain, prefix } => {
            let all = registries.catalog(&domain)?;
            Ok(all.into_iter().filter(|path| path.starts_with(&prefix)).collect())
        }
        Address::Repository { name, .. } => {
            let repository = registries.repository(name.domain(), name.path())?;
            repository.tags()?.ok_or_else(|| {
                let message = format!("{}: there is no such repository", repository.shown());
                Error::refused_help(message, "check the name, and whether it wants a login")
            })
        }
    }
}
/// Opens a place in a registry; `blobs` says whether blobs will be read.
pub(super) fn open(
    place: &Place,
    side: Side,
    blobs: bool,
    shell: &Shell,
    limits: &Limits,
) -> Result<Archive> {
    #[cfg(feature = "registry")]
    return open_live(place, side, blobs, shell, limits);
    #[cfg(not(feature = "registry"))]
    {
        let _ = (side, blobs, limits, shell.given(side).prefix, rate, password);
        Err(without(place))
    }
}

/// What is said where registries were left out of the program.
#[cfg(not(feature = "registry"))]
pub(super) fn without(place: &Place) -> Error {
    Error::refused(format!("{}: this restow was built without registries", place.text))
}

/// As where registries are known, for where they are not.
#[cfg(not(feature = "registry"))]
pub(super) fn tags(place: &Place, _: &Shell) -> Result<Vec<String>> {
    Err(without(place))
}
