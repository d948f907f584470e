//! Places of other tools, and near misses of ours: what was meant, as the line to type next.

use std::path::Path;

use clap::{CommandFactory, FromArgMatches};

use super::command::Cli;
use super::typed::{Typed, line, quoted};
use super::words::PREFIXES;
use crate::error::Error;
use crate::{Form, Options, similar};

/// What was meant by a place that is none.
struct Meant {
    /// What is the matter with it.
    why: String,
    way: Way,
}

/// How to do what was meant.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    /// Another place.
    Place(String),
    /// Standard input, into which this command writes.
    From(String),
    /// A place on standard output, which this command reads.
    Into(String, &'static str),
    /// A place, or else standard input that this command writes into.
    Either(String, String),
    /// There is none.
    None(String),
}

/// A place to read that is not there: what was meant by it.
pub(super) fn source(text: &str, typed: &Typed) -> Option<Error> {
    let Meant { why, way } = read(text)?;
    let help = match way {
        Way::None(help) => help,
        Way::Either(place, command) => format!(
            "`{}` asks the registry; of the local Docker, `{}`",
            mend(typed, |source| (source == text).then(|| Way::Place(place.clone()))),
            mend(typed, |source| (source == text).then(|| Way::From(command.clone()))),
        ),
        _ => mend(typed, read_way),
    };
    Some(Error::refused_help(why, help))
}

/// A place to write that does not say its form: what was meant by it.
pub(super) fn destination(text: &str, typed: &Typed) -> Error {
    let Meant { why, way } = written(text);
    let help = match way {
        Way::None(help) => help,
        _ => mend(typed, read_way),
    };
    Error::refused_help(why, help)
}

/// A line of these words that works, as far as it can be known: they are a command, and its places are places.
pub(super) fn mended(words: &[String]) -> Option<String> {
    let all = std::iter::once("restow").chain(words.iter().map(String::as_str));
    let matches = match Cli::command().try_get_matches_from(all) {
        Ok(matches) => matches,
        Err(error) => return (!error.use_stderr()).then(|| format!("restow {}", line(words))),
    };
    let command = Cli::from_arg_matches(&matches).ok()?.command;
    let (sources, destination) = command.places();
    let typed = Typed { words: words.to_vec(), sources, destination };
    Some(mend(&typed, read_way))
}

fn read_way(text: &str) -> Option<Way> {
    read(text).map(|meant| match meant.way {
        Way::Either(place, _) => Way::Place(place),
        way => way,
    })
}

/// The line with every place that is none put right; `read` says how those that are read are.
fn mend(typed: &Typed, read: impl Fn(&str) -> Option<Way>) -> String {
    let mut words = typed.words.clone();
    let (mut before, mut after) = (String::new(), String::new());
    let replace = |words: &mut Vec<String>, old: &str, new: &str| {
        words.iter_mut().skip(1).filter(|word| *word == old).for_each(|word| new.clone_into(word));
    };
    for source in &typed.sources {
        match read(source) {
            Some(Way::Place(place)) => replace(&mut words, source, &place),
            Some(Way::From(command)) => {
                before = format!("{command} | ");
                replace(&mut words, source, "-");
            }
            _ => {}
        }
    }
    if let Some(destination) = typed.destination.as_deref().filter(|text| !has_form(text)) {
        match written(destination).way {
            Way::Place(place) => replace(&mut words, destination, &place),
            Way::Into(place, command) => {
                replace(&mut words, destination, &place);
                after = format!(" | {command}");
            }
            _ => {}
        }
    }
    format!("{before}restow {}{after}", line(&words))
}

/// Whether a place says its form.
fn has_form(text: &str) -> bool {
    PREFIXES.iter().any(|prefix| text.starts_with(prefix))
}

/// What is meant by a place to read; `None` where it is one, or where nobody knows.
fn read(text: &str) -> Option<Meant> {
    if text == "-" || has_form(text) || Path::new(text).symlink_metadata().is_ok() {
        return None;
    }
    let meant = |why: String, way| Some(Meant { why, way });
    if text.is_empty() {
        return meant("a place cannot be empty".into(), Way::None(forms()));
    }
    if let Some((prefix, rest)) = text.split_once(':') {
        let bare = rest.trim_start_matches("//");
        match prefix.to_ascii_lowercase().as_str() {
            "docker-daemon" | "docker" => {
                let why = format!("restow asks no daemon, and `{text}` is in one");
                return meant(why, Way::From(format!("docker save {}", quoted(bare))));
            }
            "containers-storage" | "podman" if !rest.starts_with('[') => {
                let why = format!("restow does not read the storage of podman, where `{text}` is");
                return meant(why, Way::From(format!("podman save {}", quoted(bare))));
            }
            "http" | "https" if is_archive_file(bare) => {
                let why = format!("restow asks registries, and no web server for `{text}`");
                return meant(why, Way::From(format!("curl -fsSL {}", quoted(text))));
            }
            "http" | "https" => {
                let why = format!("restow asks registries by `docker://`, not by `{prefix}://`");
                return meant(why, Way::Place(format!("docker://{bare}")));
            }
            _ => {}
        }
        if let Some(meant) = no_form(prefix, rest) {
            return Some(meant);
        }
    }
    if let Some((path, name)) = behind_a_path(text) {
        let why = format!(
            "there is no `{text}`, and a name goes behind `{path}` only where a form stands before it"
        );
        let place = match form_of(path) {
            "dir" => format!("dir:{path}"),
            form => format!("{form}:{path}:{name}"),
        };
        return meant(why, Way::Place(place));
    }
    let why = format!("there is no file or folder `{text}`");
    if let Some(near) = neighbour(Path::new(text)) {
        return meant(why, Way::Place(near));
    }
    // In a folder that is there, a file was meant.
    let folder = Path::new(text).parent().filter(|folder| !folder.as_os_str().is_empty());
    if is_reference(text) && !is_archive_file(text) && !folder.is_some_and(Path::is_dir) {
        let saved = format!("docker save {}", quoted(text));
        return meant(why, Way::Either(format!("docker://{text}"), saved));
    }
    None
}

/// What is meant by a prefix that is none, if it looks like one.
fn no_form(prefix: &str, rest: &str) -> Option<Meant> {
    let way = match near_prefix(prefix, rest) {
        Some(near) => Way::Place(with_form(near, rest)),
        None if rest.starts_with("//") => Way::None(forms()),
        None => return None,
    };
    Some(Meant { why: format!("there is no form `{prefix}:`"), way })
}

/// What is meant by a place to write that has no form.
fn written(text: &str) -> Meant {
    let meant = |why: String, way| Meant { why, way };
    if text.is_empty() {
        return meant("a place cannot be empty".into(), Way::None(forms()));
    }
    if let Some((prefix, rest)) = text.split_once(':') {
        let bare = rest.trim_start_matches("//");
        let stdout =
            || if bare.is_empty() { "docker-archive:-".into() } else { format!("docker-archive:-:{bare}") };
        match prefix.to_ascii_lowercase().as_str() {
            "docker-daemon" | "docker" => {
                let why = format!("restow asks no daemon, where `{text}` would be");
                return meant(why, Way::Into(stdout(), "docker load"));
            }
            "containers-storage" | "podman" if !rest.starts_with('[') => {
                let why = format!("restow does not write the storage of podman, where `{text}` would be");
                return meant(why, Way::Into(stdout(), "podman load"));
            }
            "http" | "https" => {
                let why = format!("restow writes to registries by `docker://`, not by `{prefix}://`");
                return meant(why, Way::Place(format!("docker://{bare}")));
            }
            _ => {}
        }
        if let Some(meant) = no_form(prefix, rest) {
            return meant;
        }
    }
    let why = format!("the destination `{text}` does not say its form");
    let path = text.split(':').next().unwrap_or(text);
    let way = match text {
        "-" => Way::Place("docker-archive:-".into()),
        _ if is_archive_file(path) => Way::Place(format!("docker-archive:{text}")),
        _ if has_domain(text) => Way::Place(format!("docker://{text}")),
        _ => Way::Place(format!("oci:{text}")),
    };
    meant(why, way)
}

/// The forms, for who has to choose one.
fn forms() -> String {
    format!("a place begins with one of {}", PREFIXES.join(", "))
}

/// What stands behind a prefix, behind ours.
fn with_form(prefix: &str, rest: &str) -> String {
    // A path from the root keeps its slash: `oci:///srv/app`.
    let rest = if rest.starts_with("///") { &rest[2..] } else { rest.trim_start_matches("//") };
    format!("{prefix}{rest}")
}

/// The form that a prefix is a near miss of, or another tool's name for.
fn near_prefix(prefix: &str, rest: &str) -> Option<&'static str> {
    let lower = prefix.to_ascii_lowercase();
    match lower.as_str() {
        // regctl and syft; the library of containers.
        "ocidir" | "oci-dir" | "oci-layout" => return Some("oci:"),
        "ocitar" | "oci-tar" | "ocitarball" => return Some("oci-archive:"),
        "tarball" | "docker-tar" | "docker-tarball" => return Some("docker-archive:"),
        // `registry:2` is an image.
        "registry" | "docker-registry" | "remote" if rest.contains('/') => return Some("docker://"),
        _ => {}
    }
    let near = PREFIXES.iter().filter_map(|known| {
        let name = known.trim_end_matches(['/', ':']);
        let distance = similar::distance(name, &lower)?;
        // A third of it may be wrong: `b.tar` is no `dir`.
        (distance * 3 <= name.len() && distance <= 3).then_some((distance, *known))
    });
    near.min().map(|(_, known)| known)
}

/// A path that is there, and the name that stands behind it: `app.tar:app:1`.
fn behind_a_path(text: &str) -> Option<(&str, &str)> {
    let splits = text.match_indices(':').map(|(at, _)| (&text[..at], &text[at + 1..]));
    let mut there =
        splits.filter(|(path, name)| !name.is_empty() && Path::new(path).symlink_metadata().is_ok());
    there.next()
}

/// The form of what stands at a path, as a prefix that can have a name behind it.
fn form_of(path: &str) -> &'static str {
    let folder = Path::new(path).is_dir();
    match crate::open(Path::new(path), &Options::default()).map(|archive| archive.form) {
        Ok(Form::Oci) if !folder => "oci-archive",
        Ok(form @ (Form::Oci | Form::DockerArchive | Form::Dir | Form::RegistryStorage)) => form.id(),
        _ if folder => "oci",
        _ => "docker-archive",
    }
}

/// What is called nearly so in the same folder.
fn neighbour(path: &Path) -> Option<String> {
    /// Entries that are looked at: no folder is read for ever.
    const MOST: usize = 4096;
    let wanted = path.file_name()?.to_str()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names = std::fs::read_dir(folder).ok()?.take(MOST).flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let near = names.filter_map(|name| Some((similar::distance(&name, wanted)?, name)));
    let (_, name) = near.filter(|(distance, name)| distance * 4 <= name.len()).min()?;
    Some(path.with_file_name(name).to_str()?.to_owned())
}

/// Whether a name is one that archives have.
fn is_archive_file(text: &str) -> bool {
    let name = text.rsplit('/').next().unwrap_or(text).to_ascii_lowercase();
    [".tar", ".tgz", ".tar.gz", ".tar.zst", ".tar.xz", ".tar.bz2", ".tzst", ".gz", ".zst"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// Whether it is written as images are called.
fn is_reference(text: &str) -> bool {
    !text.starts_with(['.', '/']) && crate::reference::Reference::parse(text).is_ok()
}

/// Whether the first part is a host, as `docker pull` decides it.
fn has_domain(text: &str) -> bool {
    let host = text.split_once('/').map(|(host, _)| host);
    is_reference(text) && host.is_some_and(|host| host == "localhost" || host.contains(['.', ':']))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line that is told for a line, and why.
    fn told(line: &str) -> (String, String) {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let matches = Cli::command().try_get_matches_from([&["restow".to_owned()][..], &words].concat());
        let command = Cli::from_arg_matches(&matches.expect("a command")).expect("a command").command;
        let (sources, to) = command.places();
        let typed = Typed { words, sources: sources.clone(), destination: to.clone() };
        let error = sources.iter().find_map(|text| source(text, &typed));
        let error =
            error.or_else(|| to.filter(|text| !has_form(text)).map(|text| destination(&text, &typed)));
        let error = error.unwrap_or_else(|| panic!("`{line}` is understood"));
        (error.to_string(), error.help().expect("a help").to_owned())
    }

    #[test]
    fn places_of_others_lead_to_the_line_that_works() {
        for (typed, help) in [
            ("convert docker-daemon:app:1 oci:x", "docker save app:1 | restow convert - oci:x"),
            ("check containers-storage:app:1", "podman save app:1 | restow check -"),
            ("convert docker-achive:a.tar oci:x", "restow convert docker-archive:a.tar oci:x"),
            ("convert oci-achive:x.tar:1 oci:x", "restow convert oci-archive:x.tar:1 oci:x"),
            ("check OCI:layout", "restow check oci:layout"),
            ("check ocidir://layout", "restow check oci:layout"),
            ("check oci-dir:///srv/layout", "restow check oci:/srv/layout"),
            ("check registry:localhost:5000/app", "restow check docker://localhost:5000/app"),
            (
                "convert https://example.com/x.tar oci:x",
                "curl -fsSL https://example.com/x.tar | restow convert - oci:x",
            ),
            ("check https://ghcr.io/team/app:1", "restow check docker://ghcr.io/team/app:1"),
            ("inspect --json docker-daemon:app", "docker save app | restow inspect --json -"),
            // Places to write.
            ("convert oci:a docker-achive:x.tar", "restow convert oci:a docker-archive:x.tar"),
            ("convert oci:a x.tar", "restow convert oci:a docker-archive:x.tar"),
            ("convert oci:a x.tar.gz:app:1", "restow convert oci:a docker-archive:x.tar.gz:app:1"),
            ("convert oci:a layout", "restow convert oci:a oci:layout"),
            ("convert oci:a -", "restow convert oci:a docker-archive:-"),
            ("convert oci:a ghcr.io/team/app:1", "restow convert oci:a docker://ghcr.io/team/app:1"),
            (
                "convert oci:a docker-daemon:app:1",
                "restow convert oci:a docker-archive:-:app:1 | docker load",
            ),
            (
                "convert oci:a containers-storage:app:1",
                "restow convert oci:a docker-archive:-:app:1 | podman load",
            ),
            ("convert oci:a https://ghcr.io/app", "restow convert oci:a docker://ghcr.io/app"),
            // Both at once.
            (
                "convert docker-daemon:a docker-daemon:b",
                "docker save a | restow convert - docker-archive:-:b | docker load",
            ),
        ] {
            assert_eq!(told(typed).1, help, "{typed}");
        }
        assert_eq!(
            told("check alpine:3.19"),
            (
                "there is no file or folder `alpine:3.19`".into(),
                "`restow check docker://alpine:3.19` asks the registry; of the local Docker, `docker save alpine:3.19 | \
                 restow check -`"
                    .into()
            )
        );
        for unknown in ["check s3://bucket/x", "convert oci:a gs://bucket/x", "check sif://x"] {
            assert!(
                told(unknown).1.starts_with("a place begins with one of docker-archive:, oci:"),
                "{unknown}"
            );
        }
    }

    #[test]
    fn names_behind_paths_and_neighbours() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let archive =
            concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/good/docker-archive/docker-20.10/archive.tar");
        let layout = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/good/oci/minimal/archive");
        let at = dir.path().join("app.tar").display().to_string();
        std::fs::copy(archive, &at).expect("copied");
        assert_eq!(told(&format!("check {at}:app:1")).1, format!("restow check docker-archive:{at}:app:1"));
        assert_eq!(told(&format!("check {layout}:1")).1, format!("restow check oci:{layout}:1"));
        let missed = dir.path().join("ap.tar").display().to_string();
        assert_eq!(told(&format!("check {missed}")).1, format!("restow check {at}"));
        // What nobody can know is left to who opens it.
        assert!(read(&dir.path().join("other").display().to_string()).is_none());
    }
}
