//! Registries and buckets on the command line: credentials, certificates, retries, and `docker://…` as a place.

use std::io::Read as _;
use std::path::PathBuf;

use super::shell::Shell;
use crate::Place;
use crate::error::{Error, Result};
use crate::platform::Specifier;
use crate::registry::{Login, Options as RegistryOptions};

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

impl Given {
    fn login(&self) -> Result<Option<Login>> {
        let Some(creds) = &self.creds else {
            return match self.password_stdin {
                true => Err(Error::refused("--password-stdin wants the name with --creds USER")),
                false => Ok(None),
            };
        };
        let (user, password) = match (creds.split_once(':'), self.password_stdin) {
            (Some((user, password)), false) => (user.to_owned(), password.to_owned()),
            (None, true) => (creds.clone(), password()?),
            (None, false) => {
                return Err(Error::refused_help(
                    format!("--{}creds takes USER:PASSWORD", self.prefix),
                    "give the name alone with --password-stdin, which keeps the password out of sight",
                ));
            }
            (Some(_), true) => {
                return Err(Error::refused(format!("--{}creds holds a password already", self.prefix)));
            }
        };
        Ok(Some(Login { user, password, from: format!("--{}creds", self.prefix) }))
    }
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

    /// `--referrers`, in edges.
    pub fn referrers(&self) -> Result<u64> {
        match self.common.remote.referrers.as_str() {
            "all" => Ok(u64::MAX),
            text => text
                .parse()
                .map_err(|_| Error::refused(format!("--referrers takes all or a number, not `{text}`"))),
        }
    }

    /// What is not about images and logins: it holds for buckets, too, and a state can be in one whatever the place is.
    pub fn network(&self, side: Side) -> Result<RegistryOptions> {
        let given = self.given(side);
        let common = &self.common.remote;
        Ok(RegistryOptions {
            tls_verify: given.tls_verify,
            ca: given.ca,
            retry_times: common.retry_times,
            limit_rate: common.limit_rate.as_deref().map(rate).transpose()?,
            ..RegistryOptions::default()
        })
    }

    /// How the registry or the bucket of a place is spoken to.
    pub fn registry(&self, place: &Place, side: Side) -> Result<RegistryOptions> {
        let anywhere = self.network(side)?;
        // The archive of a file may be on standard input, where the password is not.
        if !place.is_registry() {
            return Ok(anywhere);
        }
        let given = self.given(side);
        let common = &self.common.remote;
        Ok(RegistryOptions {
            login: given.login()?,
            authfile: given.authfile,
            referrers: self.referrers()?,
            all_tags: common.all_tags,
            names: self.names_from()?,
            ..anywhere
        })
    }

    /// The lines of `--names-from`, without empty ones and those that begin with `#`. Read once: it may be a stream.
    fn names_from(&self) -> Result<Option<Vec<String>>> {
        let Some(file) = &self.common.remote.names_from else { return Ok(None) };
        if let Some(names) = self.names.get() {
            return Ok(Some(names.clone()));
        }
        let shown = file.display().to_string();
        let from: Box<dyn std::io::Read> = if shown == "-" {
            Box::new(std::io::stdin())
        } else {
            Box::new(std::fs::File::open(file).map_err(|error| Error::io("cannot open", &shown, error))?)
        };
        let limit = self.limits()?.document_bytes;
        let mut text = String::new();
        let read = from.take(limit + 1).read_to_string(&mut text);
        read.map_err(|error| Error::io("cannot read", &shown, error))?;
        if text.len() as u64 > limit {
            let message = format!("{shown} is larger than the limit document-bytes, {limit}");
            return Err(Error::refused_help(message, "raise it with --limit document-bytes=VALUE"));
        }
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let names: Vec<String> = lines.map(str::to_owned).collect();
        if names.is_empty() {
            return Err(Error::refused(format!("{shown} holds no name")));
        }
        Ok(Some(self.names.get_or_init(|| names).clone()))
    }

    /// With two registries, or buckets, it must be said which of them an option is for.
    pub fn sides_are_clear(&self, first: &Place, second: &Place) -> Result<()> {
        let plain = &self.common.remote;
        let registries = first.is_registry() && second.is_registry();
        let remote = first.is_remote() && second.is_remote();
        let given = [
            ("creds", registries && plain.creds.is_some()),
            ("password-stdin", registries && plain.password_stdin),
            ("authfile", registries && plain.authfile.is_some()),
            ("tls-verify", remote && plain.tls_verify.is_some()),
            ("ca", remote && !plain.ca.is_empty()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(Error::refused_help(
                format!(
                    "--{name} does not say which of the two {} it is for",
                    if registries { "registries" } else { "places" }
                ),
                format!("use --src-{name} or --dest-{name}"),
            )),
            None => Ok(()),
        }
    }
}

/// What `--platform` names.
pub(super) fn platforms(texts: &[String]) -> Result<Vec<Specifier>> {
    let specifier = |text: &String| {
        Specifier::parse(text).map_err(|error| Error::refused(format!("--platform {text}: {error}")))
    };
    texts.iter().map(specifier).collect()
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
