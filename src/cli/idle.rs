//! Options that would do nothing: they are refused, since whoever gave one expects something of it.

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::typed::Typed;
use crate::Place;
use crate::error::{Error, Result};
use crate::index::Part as IndexPart;

/// What an option wants, to do anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// A registry among the places.
    Registry,
    /// A registry or a bucket among the places, or a bucket that something is kept in.
    Remote,
    /// A registry to read.
    RegistrySource,
    /// A registry to write.
    RegistryDestination,
    /// A registry as the first place, or as the second.
    FirstRegistry,
    SecondRegistry,
    /// A registry or a bucket there.
    First,
    Second,
    /// A docker-archive to write.
    DockerArchive,
    /// Standard output as the destination.
    Stdout,
    /// A file or folder to write.
    Disk,
    /// A file or `dir:` to write, which is replaced as a whole.
    Replaced,
}

/// The options that are of use for some places only.
const OPTIONS: &[(&str, Wants)] = &[
    ("creds", Wants::Registry),
    ("password-stdin", Wants::Registry),
    ("authfile", Wants::Registry),
    ("tls-verify", Wants::Remote),
    ("ca", Wants::Remote),
    ("retry-times", Wants::Remote),
    ("timeout", Wants::Remote),
    ("limit-rate", Wants::Remote),
    ("all-tags", Wants::RegistrySource),
    ("names-from", Wants::RegistrySource),
    ("src-creds", Wants::FirstRegistry),
    ("src-password-stdin", Wants::FirstRegistry),
    ("src-authfile", Wants::FirstRegistry),
    ("src-tls-verify", Wants::First),
    ("src-ca", Wants::First),
    ("dest-creds", Wants::SecondRegistry),
    ("dest-password-stdin", Wants::SecondRegistry),
    ("dest-authfile", Wants::SecondRegistry),
    ("dest-tls-verify", Wants::Second),
    ("dest-ca", Wants::Second),
    ("no-clobber", Wants::RegistryDestination),
    ("verify-after", Wants::RegistryDestination),
    ("docker-platform", Wants::DockerArchive),
    ("buffer", Wants::Stdout),
    ("fsync", Wants::Disk),
    ("force", Wants::Replaced),
];

/// Options that may name an object of a bucket.
const KEPT: &[&str] = &["state", "facts", "metrics", "checksums"];

impl Wants {
    /// Whether it is there; `kept` says whether something is kept in a bucket.
    fn is_met(self, sources: &[Place], destination: Option<&Place>, kept: bool) -> bool {
        let remote = |place: Option<&Place>| place.is_some_and(Place::is_remote);
        let registry = |place: Option<&Place>| place.is_some_and(Place::is_registry);
        let form = destination.and_then(|place| place.transport).map(|transport| transport.id());
        let stdout = destination.is_some_and(Place::is_standard);
        match self {
            Wants::Registry => sources.iter().chain(destination).any(Place::is_registry),
            Wants::Remote => kept || sources.iter().chain(destination).any(Place::is_remote),
            Wants::RegistrySource => sources.iter().any(Place::is_registry),
            Wants::RegistryDestination => registry(destination),
            Wants::FirstRegistry => registry(sources.first()),
            Wants::SecondRegistry => registry(destination.or(sources.get(1))),
            Wants::First => remote(sources.first()),
            Wants::Second => remote(destination.or(sources.get(1))),
            Wants::DockerArchive => form == Some("docker-archive"),
            Wants::Stdout => stdout,
            Wants::Disk => !stdout && !remote(destination),
            Wants::Replaced => {
                let whole = ["docker-archive", "oci-archive", "dir"];
                !stdout && form.is_some_and(|form| whole.contains(&form))
            }
        }
    }

    /// What it goes with.
    fn told(self) -> &'static str {
        match self {
            Wants::Registry => "a registry, docker://",
            Wants::Remote => "a registry or a bucket",
            Wants::RegistrySource => "a docker:// source",
            Wants::RegistryDestination => "a docker:// destination",
            Wants::FirstRegistry => "docker:// as the first place",
            Wants::SecondRegistry => "docker:// as the second place",
            Wants::First => "a registry or a bucket as the first place",
            Wants::Second => "a registry or a bucket as the second place",
            Wants::DockerArchive => "a docker-archive: destination",
            Wants::Stdout => "docker-archive:- and oci-archive:-",
            Wants::Disk => "a destination on disk",
            Wants::Replaced => "a file or dir: that is replaced",
        }
    }
}

/// Refuses the first option that would do nothing for these places.
pub(super) fn refuse(typed: &Typed, matches: &ArgMatches) -> Result<()> {
    let Some((_, given)) = matches.subcommand().filter(|_| !typed.sources.is_empty()) else { return Ok(()) };
    let below = given.subcommand();
    let given = below.map_or(given, |(_, given)| given);
    // A place that is none is told by who goes there. A source of an index may name a platform behind it.
    let place =
        |text: &String| IndexPart::parse(text).map(|(place, _)| place).or_else(|_| Place::parse(text));
    let places: Result<Vec<Place>> = typed.sources.iter().map(place).collect();
    // An index that is changed is written where it is.
    let over = below.is_some_and(|(name, _)| name != "inspect").then(|| &typed.sources[0]);
    let destination = typed.destination.as_ref().or(over);
    let (Ok(sources), Ok(destination)) = (places, destination.map(|text| Place::parse(text)).transpose())
    else {
        return Ok(());
    };
    if destination.as_ref().is_some_and(|place| place.transport.is_none()) {
        return Ok(());
    }
    let is_kept = |id: &&str| {
        let mut values = given.try_get_raw(id).ok().flatten().into_iter().flatten();
        values.any(|value| value.to_str().is_some_and(Place::begins_in_bucket))
    };
    let kept = KEPT.iter().any(is_kept);
    for (option, wants) in OPTIONS {
        let id = option.replace('-', "_");
        let typed =
            given.try_contains_id(&id).is_ok() && given.value_source(&id) == Some(ValueSource::CommandLine);
        if typed && !wants.is_met(&sources, destination.as_ref(), kept) {
            let message = format!("--{option} goes with {}, and would do nothing here", wants.told());
            return Err(Error::refused_help(message, "leave it out"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command::Cli;
    use clap::{CommandFactory, FromArgMatches};

    fn refused(line: &str) -> Option<String> {
        let matches = Cli::command().try_get_matches_from(format!("restow {line}").split(' ')).expect(line);
        let command = Cli::from_arg_matches(&matches).expect("a command").command;
        let (sources, destination) = command.places();
        refuse(&Typed { words: Vec::new(), sources, destination }, &matches)
            .err()
            .map(|error| error.to_string())
    }

    #[test]
    fn every_option_is_one_of_a_command() {
        let mut command = Cli::command();
        command.build();
        let all: Vec<String> = command
            .get_subcommands()
            .flat_map(|command| {
                command
                    .get_arguments()
                    .filter_map(|arg| arg.get_long().map(str::to_owned))
                    .collect::<Vec<_>>()
            })
            .collect();
        for (option, _) in OPTIONS {
            assert!(all.iter().any(|known| known == option), "{option}");
        }
    }

    #[test]
    fn what_would_do_nothing_is_refused() {
        for line in [
            "check --creds a:b a.tar",
            "convert --tls-verify=false a.tar oci:x",
            "convert --src-ca x a.tar docker://h/x",
            "convert --dest-creds a:b docker://h/x oci:x",
            "compare --dest-ca x docker://h/x a.tar",
            "convert --all-tags a.tar docker://h/x",
            "convert --no-clobber a.tar oci:x",
            "convert --docker-platform linux/arm64 a.tar oci:x",
            "convert --buffer a.tar docker-archive:b.tar",
            "convert --fsync a.tar docker-archive:-",
            "convert -f a.tar oci:x",
            "convert -f a.tar docker-archive:-",
            "inspect --retry-times 5 a.tar",
            "index create --creds a:b oci:x a.tar@linux/arm64",
            "index add --no-clobber oci:x a.tar",
            "index remove --dest-ca x oci:x linux/arm64",
            "index split --fsync docker://h/x:1 docker://h/y-{}:1",
            "index inspect --creds a:b oci:x",
            "check --creds a:b registry-storage:s3://b/x",
            "check --all-tags registry-storage:s3://b/x",
            "compare --src-creds a:b registry-storage:s3://b/x a.tar",
        ] {
            let why = refused(line);
            assert!(why.is_some_and(|why| why.ends_with("would do nothing here")), "{line}");
        }
        for line in [
            "check --creds a:b docker://h/x",
            "check --creds a:b a.tar docker://h/x",
            "convert --dest-creds a:b a.tar docker://h/x",
            "compare --dest-ca x a.tar docker://h/x",
            "convert --docker-platform linux/arm64 a.tar docker-archive:-",
            "convert --buffer a.tar oci-archive:-",
            "convert --fsync -f a.tar dir:x",
            "convert -f a.tar oci-archive:x",
            "check a.tar",
            "check --ca x --tls-verify=false --retry-times 1 --timeout 1 registry-storage:s3://b/x",
            "compare --src-ca x registry-storage:s3://b/x a.tar",
            "index create --creds a:b oci:x docker://h/x:1",
            "index create --dest-creds a:b docker://h/x:1 a.tar",
            "index add --no-clobber docker://h/x:1 a.tar",
            "index add --fsync oci:x a.tar",
            "index create -f docker-archive:x.tar a.tar",
            // Told by who goes there.
            "convert --buffer a.tar b.tar",
        ] {
            assert_eq!(refused(line), None, "{line}");
        }
    }
}
