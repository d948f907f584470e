//! Why a bucket did not give what was asked for: each cause with the bucket and what can be done. What the store says itself is not
//! repeated beyond its code: some of it names keys and what was signed.

use std::error::Error as Cause;

use super::wire::{self, Keeper};
use super::{Address, Scheme};
use crate::error::{Error, ErrorKind};
use crate::http::{Cause as Wrong, Failure};

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// Names were listed.
    List,
    /// An object was read.
    Read,
    /// An object was written.
    Write,
}

impl Doing {
    fn verb(self) -> &'static str {
        match self {
            Doing::List => "list",
            Doing::Read => "read",
            Doing::Write => "write",
        }
    }

    /// What must be allowed.
    fn permission(self, scheme: Scheme) -> &'static str {
        match (scheme, self) {
            (Scheme::S3, Doing::List) => "s3:ListBucket on the bucket",
            (Scheme::S3, Doing::Read) => "s3:GetObject on its objects",
            (Scheme::S3, Doing::Write) => "s3:PutObject on its objects",
            (Scheme::Gs, Doing::List) => "storage.objects.list on the bucket",
            (Scheme::Gs, Doing::Read) => "storage.objects.get on its objects",
            (Scheme::Gs, Doing::Write) => "storage.objects.create on its objects",
            (Scheme::Az, Doing::List | Doing::Read) => "the role Storage Blob Data Reader",
            (Scheme::Az, Doing::Write) => "the role Storage Blob Data Contributor",
        }
    }
}

/// The body ended too early, and nobody said why.
pub(super) fn cut(address: &Address, name: &str, left: u64) -> Error {
    let message = format!("{} ends {left} bytes before its end", address.shown(name));
    Error::refused_help(message, "run the command again").of(ErrorKind::Registry)
}

/// Each error that lies behind an error, itself first.
fn chain<'a>(error: &'a (dyn Cause + 'static)) -> impl Iterator<Item = &'a (dyn Cause + 'static)> {
    fn next<'a>(error: &&'a (dyn Cause + 'static)) -> Option<&'a (dyn Cause + 'static)> {
        let error: &'a (dyn Cause + 'static) = *error;
        error.source()
    }
    std::iter::successors(Some(error), next)
}

/// The text between two others.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(after).map(|(found, _)| found)
}

/// What the store answered: its code, a word; and the status.
fn answered(text: &str) -> (Option<String>, Option<u16>) {
    let code = between(text, "<Code>", "</Code>").or_else(|| between(text, "\"reason\":\"", "\""));
    let code = code.filter(|code| code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric()));
    let status = text.split_once("status code: ").and_then(|(_, rest)| rest.get(..3)?.parse().ok());
    (code.map(str::to_owned), status)
}

/// Whether it is the bucket that is not there, and not the object.
pub(super) fn is_of_bucket(error: &(dyn Cause + Send + Sync + 'static)) -> bool {
    let (code, _) = answered(&error.to_string());
    code.is_some_and(|code| matches!(code.as_str(), "NoSuchBucket" | "ContainerNotFound"))
}

/// What is told of an error.
pub(super) fn of(address: &Address, name: &str, doing: Doing, error: object_store::Error) -> Error {
    use object_store::Error as E;
    let text = chain(&error).map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let told = |message: String, help: String, kind: ErrorKind| Error::refused_help(message, help).of(kind);
    let (bucket, noun) = (address.bucket(), address.scheme.noun());
    let what = match doing {
        Doing::List => bucket.clone(),
        Doing::Read | Doing::Write => address.shown(name),
    };
    if let Some(keeper) = wire::keeper() {
        return not_given(address, &keeper, &error, &text);
    }
    if let Some(failure) = chain(&error).find_map(|error| error.downcast_ref::<Failure>()) {
        return told(format!("{what}: {failure}"), help_of(failure, address.scheme), ErrorKind::Registry);
    }
    let (code, mut status) = answered(&text);
    status = status.or(match &error {
        E::NotFound { .. } => Some(404),
        E::PermissionDenied { .. } => Some(403),
        E::Unauthenticated { .. } => Some(401),
        _ => None,
    });
    let registry = ErrorKind::Registry;
    let said = code.as_deref().map_or_else(String::new, |code| format!(" ({code})"));
    match code.as_deref() {
        Some("NoSuchBucket" | "ContainerNotFound" | "InvalidBucketName") => told(
            format!("{bucket}: there is no such {noun}{said}"),
            format!("check its name, and that {}", endpoint(address.scheme)),
            ErrorKind::NotFound,
        ),
        Some("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidSecurity" | "AuthenticationFailed") => {
            told(
                format!("{bucket}: the store does not know these credentials{said}"),
                credentials(address.scheme).to_owned(),
                registry,
            )
        }
        Some("ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" | "InvalidToken") => told(
            format!("{bucket}: the session token has expired or is none{said}"),
            "log in again, and give the new AWS_SESSION_TOKEN with its keys".to_owned(),
            registry,
        ),
        Some("RequestTimeTooSkewed") => told(
            format!("{bucket}: the clocks of this machine and of the store differ too much{said}"),
            "set the clock of this machine: timedatectl set-ntp true".to_owned(),
            registry,
        ),
        Some("AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException") => {
            region(address, &said, between(&text, "<Region>", "</Region>"))
        }
        Some("InvalidObjectState" | "BlobArchived") => told(
            format!("{what} is archived, and cannot be read at once{said}"),
            "restore it first, to a class of storage that is read at once".to_owned(),
            registry,
        ),
        _ if matches!(status, Some(301 | 302 | 307 | 308)) || text.contains("redirect without LOCATION") => {
            region(address, &said, None)
        }
        _ if matches!(status, Some(401 | 403)) => told(
            format!("{what}: the store does not let it be {}{said}", done(doing)),
            format!("the credentials need {}", doing.permission(address.scheme)),
            registry,
        ),
        _ if status == Some(404) => {
            told(format!("{what}: there is no such object"), "check the name".to_owned(), ErrorKind::NotFound)
        }
        _ if doing == Doing::Write && status == Some(501) => told(
            format!("{what}: the store does not know conditions of what is written{said}"),
            "nothing is written there without one: repair a copy of the storage, on disk".to_owned(),
            ErrorKind::Unsupported,
        ),
        _ if matches!(status, Some(429 | 500 | 502 | 503 | 504)) => told(
            format!("{what}: the store has too much to do, and had after every try{said}"),
            "try again later, with fewer at once: --jobs 1; --retry-times N tries more often".to_owned(),
            registry,
        ),
        _ if status.is_some() => told(
            format!("{what}: the store answers {}{said}", status.unwrap_or_default()),
            format!("check that {}", endpoint(address.scheme)),
            registry,
        ),
        _ if is_of_credentials(&text) => no_credentials(address),
        _ => match error {
            E::InvalidPath { .. } => told(
                format!("{bucket} has an object whose name has an empty part, or a part that is `.` or `..`"),
                "no registry writes such names; give the prefix of the storage alone".to_owned(),
                registry,
            ),
            error => told(
                format!("{what}: cannot {} it: {}", doing.verb(), plain(&error)),
                format!("check that {}", endpoint(address.scheme)),
                registry,
            ),
        },
    }
}

/// What a setting of the surroundings is wrong by.
pub(super) fn of_settings(address: &Address, error: &object_store::Error) -> Error {
    let text = error.to_string();
    if address.scheme == Scheme::Az && text.contains("Account must be specified") {
        let help = "set AZURE_STORAGE_ACCOUNT, or AZURE_STORAGE_CONNECTION_STRING";
        return Error::refused_help(format!("{}: no storage account is named", address.bucket()), help);
    }
    if is_of_credentials(&text) {
        return no_credentials(address);
    }
    let message = format!("{}: its settings cannot be used: {}", address.bucket(), plain(error));
    Error::refused_help(message, credentials(address.scheme))
}

fn done(doing: Doing) -> &'static str {
    match doing {
        Doing::List => "listed",
        Doing::Read => "read",
        Doing::Write => "written",
    }
}

fn is_of_credentials(text: &str) -> bool {
    ["redential", "metadata", "ervice account", "Token Request", "token request"]
        .iter()
        .any(|word| text.contains(word))
}

/// Who gives credentials gave none.
fn not_given(address: &Address, keeper: &Keeper, error: &object_store::Error, text: &str) -> Error {
    let failure = chain(error).find_map(|error| error.downcast_ref::<Failure>());
    let silent = |failure: &Failure| {
        matches!(failure.cause, Wrong::NoConnection(_) | Wrong::Silent { .. } | Wrong::UnknownHost)
    };
    if keeper.guessed && failure.is_none_or(silent) && answered(text).1.is_none() {
        return no_credentials(address);
    }
    let why = match (failure, answered(text)) {
        (Some(failure), _) => failure.to_string(),
        (None, (code, Some(status))) => {
            let said = code.map_or_else(String::new, |code| format!(" ({code})"));
            format!("{} answers {status}{said}", keeper.host)
        }
        (None, _) => format!("what {} answers cannot be understood", keeper.host),
    };
    let message = format!("{}: no credentials are to be had: {why}", address.bucket());
    let help = "check the role or identity of this machine, and its token; a scrub with --state goes on where it was";
    Error::refused_help(message, help).of(ErrorKind::Registry)
}

/// Nobody says who asks.
pub(super) fn no_credentials(address: &Address) -> Error {
    let message = format!("{}: no credentials are found", address.bucket());
    Error::refused_help(message, credentials(address.scheme)).of(ErrorKind::Registry)
}

fn credentials(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::S3 => {
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; AWS_SKIP_SIGNATURE=true for a public bucket"
        }
        Scheme::Gs => {
            "set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account; GOOGLE_SKIP_SIGNATURE=true for a public bucket"
        }
        Scheme::Az => "set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY",
    }
}

/// What helps where no answer came.
fn help_of(failure: &Failure, scheme: Scheme) -> String {
    match &failure.cause {
        Wrong::Tls(_) => {
            "give the certificate of the authority with --ca FILE or AWS_CA_BUNDLE; --tls-verify=false trusts any certificate \
             of an endpoint that was given"
                .to_owned()
        }
        Wrong::LocalTls(_) | Wrong::Silent { .. } | Wrong::Cut { .. } | Wrong::Broken(_) | Wrong::Proxy(_) => {
            failure.help()
        }
        _ => format!("check that {}", endpoint(scheme)),
    }
}

/// What says where the store is.
fn endpoint(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::S3 => "AWS_ENDPOINT_URL and AWS_REGION are those of the store",
        Scheme::Gs => "GOOGLE_BASE_URL is not set, or that of the store",
        Scheme::Az => "AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_ENDPOINT are those of the store",
    }
}

fn region(address: &Address, said: &str, region: Option<&str>) -> Error {
    let bucket = &address.bucket;
    let is_name = |region: &&str| region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let help = match region.filter(is_name) {
        Some(region) => format!("set AWS_REGION={region}"),
        None => format!("set AWS_REGION to what `aws s3api get-bucket-location --bucket {bucket}` says"),
    };
    let message = format!("{}: the {} is in another region{said}", address.bucket(), address.scheme.noun());
    Error::refused_help(message, help).of(ErrorKind::Registry)
}

/// The last of the errors behind an error, in one line, without what a store answered.
fn plain(error: &(dyn Cause + 'static)) -> String {
    let last = chain(error).last().map(ToString::to_string).unwrap_or_default();
    let line = last.split(['\n', '<']).next().unwrap_or_default().trim_end_matches([' ', ':', '.']);
    let mut letters = line.chars().take(200);
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).expect("good").expect("a bucket")
    }

    fn generic(text: &str) -> object_store::Error {
        object_store::Error::Generic { store: "S3", source: text.to_owned().into() }
    }

    #[test]
    fn every_cause_names_the_bucket_and_what_to_do() {
        let secret = "AKIASECRET";
        let answer = |status: &str, code: &str| {
            format!(
                "Error performing GET http://h/b in 1s - Server returned non-2xx status code: {status}: <Error><Code>{code}</Code><AWSAccessKeyId>{secret}</AWSAccessKeyId><Region>eu-west-3</Region></Error>"
            )
        };
        for (text, words, help) in [
            (answer("404 Not Found", "NoSuchBucket"), "no such bucket", "AWS_ENDPOINT_URL"),
            (
                answer("403 Forbidden", "AccessDenied"),
                "does not let it be listed (AccessDenied)",
                "s3:ListBucket",
            ),
            (
                answer("403 Forbidden", "SignatureDoesNotMatch"),
                "does not know these credentials",
                "AWS_SECRET_ACCESS_KEY",
            ),
            (answer("400 Bad Request", "ExpiredToken"), "expired", "AWS_SESSION_TOKEN"),
            (answer("403 Forbidden", "RequestTimeTooSkewed"), "clocks", "timedatectl"),
            (
                answer("400 Bad Request", "AuthorizationHeaderMalformed"),
                "another region",
                "AWS_REGION=eu-west-3",
            ),
            (answer("301 Moved Permanently", "x y"), "another region", "get-bucket-location --bucket b"),
            (answer("503 Service Unavailable", "SlowDown"), "too much to do", "--retry-times"),
            (answer("418 I'm a teapot", "Odd"), "answers 418 (Odd)", "AWS_REGION"),
        ] {
            let error = of(&address("s3://b/x"), "", Doing::List, generic(&text));
            let (told, advice) = (error.to_string(), error.help().unwrap_or_default().to_owned());
            assert!(told.starts_with("s3://b: ") && told.contains(words), "{told}");
            assert!(advice.contains(help), "{told}: {advice}");
            assert!(!format!("{told}{advice}").contains(secret), "{told}");
        }
    }
}
