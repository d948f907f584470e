//! Places as the user types them: the transports of skopeo, `registry-storage:`, and plain paths.

use std::path::{Path, PathBuf};

use super::detect::Input;
use super::format::{Forms, Transport};
use super::forms::FORMS;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Access, Address};

/// A parsed SOURCE or DESTINATION.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// As typed.
    pub text: String,
    /// The transport; `None` for a plain path.
    pub transport: Option<Transport>,
    /// The path; `-` for standard input or output.
    pub path: PathBuf,
    /// What stands behind the path.
    pub name: Option<String>,
}

impl Place {
    /// After a prefix the first `:` ends the path, except for `dir:`, which has nothing behind it.
    pub fn parse(text: &str) -> Result<Place> {
        Place::among(FORMS, text)
    }

    /// The same, with the prefixes of these forms.
    pub(crate) fn among(forms: Forms, text: &str) -> Result<Place> {
        let prefixed = text.split_once(':').and_then(|(prefix, rest)| Some((forms.transport(prefix)?, rest)));
        let Some((transport, rest)) = prefixed else {
            return Ok(Place { text: text.to_owned(), transport: None, path: text.into(), name: None });
        };
        if transport.is_remote() {
            // Host, name and tag are taken apart by who goes there.
            let Some(rest) = rest.strip_prefix("//").filter(|rest| !rest.is_empty()) else {
                let message = format!("`{text}` names no registry behind the prefix");
                return Err(Error::refused_help(message, "write docker://HOST[:PORT]/NAME[:TAG]"));
            };
            return Ok(Place {
                text: text.to_owned(),
                transport: Some(transport),
                path: rest.into(),
                name: None,
            });
        }
        // Of a place in a bucket the first colon is not the end.
        let behind = if Address::begins(rest) { rest.find("://").map_or(0, |at| at + 3) } else { 0 };
        let (path, name) = match rest[behind..].find(':').map(|at| behind + at) {
            Some(at) if transport.format.named => (&rest[..at], Some(&rest[at + 1..])),
            _ => (rest, None),
        };
        Address::parse(path)?;
        if path.is_empty() {
            return Err(Error::refused(format!("`{text}` names no path behind the prefix")));
        }
        let name = name.filter(|name| !name.is_empty()).map(str::to_owned);
        Ok(Place { text: text.to_owned(), transport: Some(transport), path: path.into(), name })
    }

    /// A file or folder whose form is found from its content, whatever its path looks like.
    pub fn of_path(path: &Path) -> Place {
        Place { text: path.display().to_string(), transport: None, path: path.to_owned(), name: None }
    }

    /// A place to write to: the form must be said.
    pub fn destination(text: &str) -> Result<(Place, Transport)> {
        let place = Place::parse(text)?;
        let local = || FORMS.listed(|transport| !transport.is_remote(), ":");
        match place.transport {
            Some(_) if place.bucket().is_some() => {
                let message = format!("`{text}` is in a bucket, and restow writes no images there");
                let help = "write a folder and copy it, such as with `aws s3 sync`, or push to the registry of the bucket";
                Err(Error::refused_help(message, help).of(ErrorKind::Unsupported))
            }
            Some(transport) => Ok((place, transport)),
            None => Err(Error::refused_help(
                format!("the destination `{text}` does not say its form"),
                format!("put one of {} before the path", local()),
            )),
        }
    }

    /// What is read there; `-` is standard input.
    pub fn input(&self) -> Input {
        self.input_by(Access::default)
    }

    /// The same, buckets being asked so.
    pub(crate) fn input_by(&self, access: impl FnOnce() -> Access) -> Input {
        match self.bucket() {
            Some(address) => Input::Bucket(address, Box::new(access())),
            None if self.is_standard() => Input::Stream(Box::new(std::io::stdin())),
            None => Input::Path(self.path.clone()),
        }
    }

    /// The place in a bucket that it is.
    pub(crate) fn bucket(&self) -> Option<Address> {
        self.transport.filter(|transport| !transport.is_remote())?;
        Address::parse(self.path.to_str()?).ok().flatten()
    }

    /// Whether a text begins as a place in a bucket does.
    #[cfg(feature = "cli")]
    pub(crate) fn begins_in_bucket(text: &str) -> bool {
        Address::begins(text)
    }

    /// Whether it is a live registry, or a part of one.
    pub fn is_registry(&self) -> bool {
        self.transport.is_some_and(Transport::is_remote)
    }

    /// Whether it is standard input or output.
    pub fn is_standard(&self) -> bool {
        self.path == Path::new("-") && !self.is_registry()
    }

    /// Whether it is no place of this machine's file system.
    pub fn is_remote(&self) -> bool {
        self.is_registry() || self.bucket().is_some()
    }
}

/// Refuses a destination that is the source, lies inside it, or would replace a folder that holds it.
pub fn apart(source: &Path, destination: &Path) -> Result<()> {
    let Ok(source) = source.canonicalize() else { return Ok(()) };
    let resolved = destination.canonicalize().or_else(|_| {
        let parent = destination.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        parent.canonicalize().map(|parent| parent.join(destination.file_name().unwrap_or_default()))
    });
    let Ok(destination) = resolved else { return Ok(()) };
    if destination == source {
        return Err(Error::refused("source and destination are the same place"));
    }
    if source.is_dir() && destination.starts_with(&source) {
        return Err(Error::refused("the destination lies inside the source"));
    }
    if source.starts_with(&destination) {
        return Err(Error::refused("the source lies inside the destination"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Option<&'static str>, String, Option<String>) {
        let place = Place::parse(text).expect("good");
        (place.transport.map(Transport::id), place.path.display().to_string(), place.name)
    }

    #[test]
    fn prefixes_paths_and_names() {
        assert_eq!(parsed("a:b.tar"), (None, "a:b.tar".into(), None));
        assert_eq!(parsed("oci:/x/y:1"), (Some("oci"), "/x/y".into(), Some("1".into())));
        assert_eq!(
            parsed("docker-archive:a.tar:localhost:5000/b:1"),
            (Some("docker-archive"), "a.tar".into(), Some("localhost:5000/b:1".into()))
        );
        assert_eq!(parsed("dir:/x:y"), (Some("dir"), "/x:y".into(), None));
        assert_eq!(
            parsed("registry-storage:/r:team/app:1"),
            (Some("registry-storage"), "/r".into(), Some("team/app:1".into()))
        );
        assert_eq!(parsed("-"), (None, "-".into(), None));
        assert_eq!(
            parsed("registry-storage:s3://images/prod:team/app:1"),
            (Some("registry-storage"), "s3://images/prod".into(), Some("team/app:1".into()))
        );
        assert_eq!(parsed("oci-archive:gs://b/x.tar"), (Some("oci-archive"), "gs://b/x.tar".into(), None));
        let place = Place::parse("registry-storage:az://c").expect("good");
        assert!(place.is_remote() && !place.is_registry());
        assert!(!Place::parse("registry-storage:./s3://b").expect("good").is_remote());
        assert!(Place::parse("registry-storage:s3://").is_err());
        assert!(Place::destination("oci:s3://b/x").is_err());
        assert!(Place::parse("oci::x").is_err());
        assert!(Place::destination("x.tar").is_err());
    }

    #[test]
    fn source_and_destination_must_be_apart() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let source = dir.path().join("a");
        std::fs::create_dir(&source).expect("directory");
        assert!(apart(&source, &source).is_err());
        assert!(apart(&source, &source.join("b")).is_err());
        assert!(apart(&source, dir.path()).is_err());
        assert!(apart(&source, &dir.path().join("ab")).is_ok());
    }
}
