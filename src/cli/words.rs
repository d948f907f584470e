//! Words that completions offer, where more than these words is taken.

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command, Error};

/// Takes any text, and tells completions which there are.
#[derive(Clone)]
pub(super) struct Offers(fn() -> Vec<&'static str>);

impl TypedValueParser for Offers {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, Error> {
        // What a text means is judged, with better words, by whoever takes it.
        clap::builder::StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new((self.0)().into_iter().map(PossibleValue::new)))
    }
}

/// What `--compress` takes.
pub(super) fn codecs() -> Offers {
    Offers(|| vec!["keep", "none", "gzip", "zstd"])
}

/// What `--profile` takes.
pub(super) fn profiles() -> Offers {
    Offers(|| crate::command::PROFILES.iter().map(|(name, _)| *name).collect())
}

/// What `--report` takes.
pub(super) fn reports() -> Offers {
    Offers(|| {
        let machine = crate::report::Format::ALL.iter().map(|format| format.name());
        std::iter::once("human").chain(machine).chain(["html", "markdown"]).collect()
    })
}

/// What `--report` takes where nothing is judged, or two places are.
pub(super) fn pages() -> Offers {
    Offers(|| vec!["html", "markdown"])
}

/// Rules and their families.
pub(super) fn rules() -> Offers {
    Offers(|| {
        let rules = crate::explain("");
        let mut words: Vec<&str> = rules.iter().map(|rule| rule.family()).collect();
        words.dedup();
        words.extend(rules.iter().map(|rule| rule.name));
        words
    })
}

/// The same and `all`.
pub(super) fn selectors() -> Offers {
    Offers(|| std::iter::once("all").chain(rules().0()).collect())
}

/// Names of schemas.
pub(super) fn schemas() -> Offers {
    Offers(|| crate::explain::schemas().iter().map(|(name, _)| *name).collect())
}

/// Pages of the manual.
pub(super) fn commands() -> Offers {
    Offers(|| {
        vec![
            "restow",
            "check",
            "convert",
            "inspect",
            "compare",
            "index",
            #[cfg(feature = "serve")]
            "serve",
            #[cfg(feature = "scrub")]
            "scrub",
            "repair",
            "explain",
            "profiles",
            "schema",
            "completions",
            "man",
        ]
    })
}

/// What `--raw` takes besides a digest.
pub(super) fn documents() -> Offers {
    Offers(|| vec!["index", "manifest", "config"])
}

/// Beginnings of places.
pub(super) const PREFIXES: &[&str] =
    &["docker-archive:", "oci:", "oci-archive:", "dir:", "registry-storage:", "docker://"];

/// A completion script that offers beginnings of places beside files, for arguments that take places.
pub(super) fn with_places(script: &str, shell: clap_complete::Shell) -> String {
    use clap_complete::Shell;
    let prefixes = PREFIXES.join(" ");
    match shell {
        Shell::Zsh => {
            let quoted: Vec<String> = PREFIXES.iter().map(|prefix| format!("'{prefix}'")).collect();
            let function = format!(
                "(( $+functions[_restow_places] )) ||\n_restow_places() {{\n    local -a prefixes\n    \
                 prefixes=({})\n    if compset -P '*:'; then\n        _files\n    else\n        compadd -S '' -a \
                 prefixes\n        _files\n    fi\n}}\n\n",
                quoted.join(" ")
            );
            // Arguments of options stay files.
            let line =
                |line: &str| match ["':", "'*:"].iter().any(|start| line.trim_start().starts_with(start)) {
                    true => line.replace(":_files'", ":_restow_places'") + "\n",
                    false => format!("{line}\n"),
                };
            let script: String = script.lines().map(line).collect();
            match script.split_once("if [ \"$funcstack[1]\"") {
                Some((before, after)) => format!("{before}{function}if [ \"$funcstack[1]\"{after}"),
                None => script,
            }
        }
        Shell::Bash => {
            // What stands behind a colon is a word of its own there, and so a file.
            let function = format!(
                "\n_restow_with_places() {{\n    _restow \"$@\"\n    local cur=\"${{COMP_WORDS[COMP_CWORD]}}\"\n    if [[ \
                 ${{COMP_CWORD}} -ge 2 && $cur != -* && ( ${{COMP_WORDS[1]}} =~ ^(check|convert|inspect|compare)$ || \
                 ${{COMP_CWORD}} -ge 3 && ${{COMP_WORDS[1]}} == index ) && \
                 ${{COMP_WORDS[COMP_CWORD-1]}} != -* && ${{COMP_WORDS[COMP_CWORD-1]}} != : && $cur != : ]]; then\n        \
                 COMPREPLY=($(compgen -W \"{prefixes}\" -- \"$cur\") $(compgen -f -- \"$cur\"))\n    fi\n    [[ \
                 ${{COMPREPLY[*]}} == *: || ${{COMPREPLY[*]}} == */ ]] && compopt -o nospace 2>/dev/null\n    return 0\n}}\n"
            );
            let script = script.replace("complete -F _restow ", "complete -F _restow_with_places ");
            match script.find("\nif [[ \"${BASH_VERSINFO[0]}\"") {
                Some(at) => format!("{}{function}{}", &script[..at], &script[at..]),
                None => script,
            }
        }
        Shell::Fish => {
            let places = "check convert inspect compare create add remove annotate split";
            let mut script = format!(
                "{script}complete -c restow -n \"__fish_seen_subcommand_from {places}\" -a \"{prefixes}\"\n"
            );
            // clap_complete leaves out what stands without an option.
            for (command, offered) in [
                ("explain", rules()),
                ("schema", schemas()),
                ("profiles", profiles()),
                ("man", commands()),
                ("completions", Offers(|| vec!["bash", "elvish", "fish", "powershell", "zsh"])),
            ] {
                let words = (offered.0)().join(" ");
                script.push_str(&format!(
                    "complete -c restow -n \"__fish_seen_subcommand_from {command}\" -f -a \"{words}\"\n"
                ));
            }
            script
        }
        _ => script.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_command_has_a_page_to_offer() {
        let command = crate::cli::command::Cli::command();
        let mut all: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
        all.push("restow");
        let mut offered = (commands().0)();
        all.sort_unstable();
        offered.sort_unstable();
        assert_eq!(offered, all);
    }
}
