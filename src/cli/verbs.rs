//! Commands of other tools: which of ours does the same.

use clap::CommandFactory;

use super::command::Cli;
use super::meant;
use super::typed::{Typed, line};
use crate::error::Error;
use crate::similar;

/// What others call it, and the words that do it here.
const VERBS: &[(&[&str], &[&str])] = &[
    (&["copy", "cp", "pull", "push", "save", "load", "export", "import", "sync", "repack"], &["convert"]),
    (&["validate", "verify", "lint", "test", "audit", "fsck", "judge"], &["check"]),
    (&["diff", "cmp", "same"], &["compare"]),
    (&["mend", "heal", "fix", "restore"], &["repair"]),
    (&["ls", "list", "show", "tree", "info", "images", "digest", "history", "stat"], &["inspect"]),
    (&["manifest"], &["inspect", "--raw", "manifest"]),
    (&["config"], &["inspect", "--raw", "config"]),
    (&["tags", "list-tags", "catalog"], &["inspect", "--tags"]),
    (&["rules", "rule", "describe"], &["explain"]),
    (&["schemas"], &["schema"]),
    (&["completion"], &["completions"]),
    (&["version"], &["--version"]),
];

/// Words of others that say of what kind the thing is before they say what is done: `regctl image copy`.
const NOUNS: &[&str] =
    &["image", "artifact", "blob", "repo", "repository", "tag", "registry", "layout", "archive"];

/// What others call commands of `index`, and the word here.
const OF_INDEX: &[(&[&str], &str)] = &[
    (&["ls", "list", "show"], "inspect"),
    (&["rm", "delete"], "remove"),
    (&["append", "push"], "add"),
    (&["merge", "make", "new", "filter"], "create"),
];

/// A word behind a command that has commands, and is none of them.
fn below(command: &clap::Command, typed: &Typed) -> Option<Error> {
    let (name, verb) = (command.get_name(), typed.words.get(1)?);
    let ours: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    let message = format!("there is no command `{name} {verb}`");
    let near = ours.iter().filter_map(|ours| Some((similar::distance(ours, verb)?, *ours)));
    let near = near.min().filter(|(distance, _)| *distance <= 2).map(|(_, ours)| ours);
    let known = OF_INDEX.iter().find(|(theirs, _)| theirs.contains(&verb.as_str()));
    let help = match known.map(|(_, ours)| *ours).or(near) {
        Some(ours) => {
            let words = [&[name.to_owned(), ours.to_owned()], &typed.words[2..]].concat();
            format!("restow {}", line(&words))
        }
        None => format!("the commands of {name} are {}", ours.join(", ")),
    };
    Some(Error::refused_help(message, help))
}

/// A name that is no command: which command does that, with the rest of the line as it was typed.
pub(super) fn unknown(typed: &Typed) -> Option<Error> {
    let name = typed.words.first().filter(|word| !word.starts_with('-'))?;
    let mut cli = Cli::command();
    cli.build();
    if let Some(command) = cli.find_subcommand(name).filter(|command| command.has_subcommands()) {
        return below(command, typed);
    }
    let (noun, verb, rest) = match typed.words.get(1) {
        Some(verb) if NOUNS.contains(&name.as_str()) => (format!("{name} "), verb, &typed.words[2..]),
        _ => (String::new(), name, &typed.words[1..]),
    };
    let message = format!("there is no command `{noun}{verb}`");
    if matches!(verb.as_str(), "login" | "logout") {
        let help = "restow reads what `skopeo login HOST`, `podman login HOST` or `docker login HOST` saved";
        return Some(Error::refused_help(message, help));
    }
    let ours: Vec<String> = match VERBS.iter().find(|(theirs, _)| theirs.contains(&verb.as_str())) {
        Some((_, ours)) => ours.iter().map(ToString::to_string).collect(),
        None => match nearest(verb) {
            Some(command) => vec![command],
            None => {
                let help = format!("the commands are {}", commands().join(", "));
                return Some(Error::refused_help(message, help));
            }
        },
    };
    let words = [&ours[..], rest].concat();
    let help = meant::mended(&words).unwrap_or_else(|| usage(&ours));
    Some(Error::refused_help(message, help))
}

/// The commands, as far as they are shown.
fn commands() -> Vec<String> {
    let shown = |command: &&clap::Command| !command.is_hide_set();
    Cli::command().get_subcommands().filter(shown).map(|command| command.get_name().to_owned()).collect()
}

/// The command that a typing mistake was made in.
fn nearest(verb: &str) -> Option<String> {
    let near = commands().into_iter().filter_map(|name| Some((similar::distance(&name, verb)?, name)));
    near.min().filter(|(distance, _)| *distance <= 2).map(|(_, name)| name)
}

/// How the command is typed, where the rest of the line does not fit it.
fn usage(ours: &[String]) -> String {
    let mut command = Cli::command();
    command.build();
    let places = ours.first().and_then(|name| command.find_subcommand(name)).map(|command| {
        let takes = command.get_positionals().filter(|place| place.is_required_set());
        takes
            .flat_map(|place| place.get_value_names().unwrap_or_default().iter())
            .map(|n| format!(" {n}"))
            .collect::<String>()
    });
    format!("restow {}{}", line(ours), places.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> (String, String) {
        let words = line.split(' ').map(str::to_owned).collect();
        let error = unknown(&Typed { words, ..Typed::default() }).expect("an error");
        (error.to_string(), error.help().expect("a help").to_owned())
    }

    #[test]
    fn verbs_of_others_lead_to_the_line_that_works() {
        for (typed, help) in [
            ("copy a.tar oci:x", "restow convert a.tar oci:x"),
            ("copy --image app:1 a.tar oci:x", "restow convert --image app:1 a.tar oci:x"),
            ("copy a.tar b.tar", "restow convert a.tar docker-archive:b.tar"),
            ("image copy a.tar oci:x", "restow convert a.tar oci:x"),
            ("copy --all a.tar oci:x", "restow convert SOURCE DESTINATION"),
            ("validate a.tar b.tar", "restow check a.tar b.tar"),
            ("validate --tarball a.tar", "restow check SOURCE"),
            ("verify a.tar", "restow check a.tar"),
            ("lint docker-daemon:app", "docker save app | restow check -"),
            ("diff a.tar oci:b", "restow compare a.tar oci:b"),
            ("ls a.tar", "restow inspect a.tar"),
            ("manifest a.tar", "restow inspect --raw manifest a.tar"),
            ("list-tags docker://localhost/app", "restow inspect --tags docker://localhost/app"),
            ("rules", "restow explain"),
            ("version", "restow --version"),
            ("chekc a.tar", "restow check a.tar"),
        ] {
            let (message, told) = said(typed);
            assert_eq!(told, help, "{typed}");
            assert!(message.starts_with("there is no command `"), "{message}");
        }
        assert!(said("frobnicate x").1.starts_with("the commands are check, convert, inspect"));
        assert!(said("login ghcr.io").1.contains("skopeo login"));
    }

    #[test]
    fn no_verb_is_said_twice_or_is_a_command() {
        let all: Vec<&str> = VERBS.iter().flat_map(|(theirs, _)| theirs.iter().copied()).collect();
        let distinct: std::collections::BTreeSet<&str> = all.iter().copied().collect();
        assert_eq!(all.len(), distinct.len());
        assert!(!commands().iter().any(|command| distinct.contains(command.as_str())));
    }
}
