//! Man pages: one for the command and one for each subcommand, made of the same texts as `--help`.

use clap::Command;
use clap_mangen::Man;

use super::shell::Shell;
use crate::error::{Context, Error, Result};

/// What every command that writes text heeds.
const TERMINAL: &[(&str, &str)] = &[
    ("NO_COLOR", "If it is set and not empty, there are no colours, unless --color says otherwise."),
    (
        "CLICOLOR, CLICOLOR_FORCE",
        "0 takes colours from terminals; CLICOLOR_FORCE=1 gives them to pipes and files.",
    ),
    ("COLUMNS", "Columns to write for, in place of the terminal's width."),
];

/// What commands that open a place heed besides.
const PLACES: &[(&str, &str)] = &[
    ("TMPDIR", "Where streams and compressed archives are spooled, unless --tmpdir says otherwise."),
    (
        "REGISTRY_AUTH_FILE, DOCKER_CONFIG",
        "The file of credentials, and the folder that holds Docker's config.json.",
    ),
    ("HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY", "Proxies to registries; in lower case, too."),
    ("CONTAINERS_REGISTRIES_CONF", "A file to read in place of registries.conf."),
];

/// Files that commands which open a place read.
const FILES: &[(&str, &str)] = &[
    ("$XDG_RUNTIME_DIR/containers/auth.json, ~/.docker/config.json", "Credentials for registries."),
    ("/etc/containers/registries.conf", "Registries, their mirrors, and which of them are plain HTTP."),
    ("/etc/containers/certs.d, /etc/docker/certs.d", "Certificates, by registry."),
];

/// Files of commands that judge by levels.
const LEVELS: &[(&str, &str)] = &[
    (
        "restow.toml",
        "Profiles, levels of rules and exceptions: the nearest, in the working directory or above it up to the root of the \
         repository or the home folder.",
    ),
    ("~/.config/restow/restow.toml", "The same, where there is no nearer one."),
];

/// What ends every command in the same way.
const STATUS: &str = "0 done, nothing wrong; 1 the image is wrong, or places differ; 2 the command could not, or may \
                      not, do what was asked; 129, 130 and 143 ended by a signal, with nothing half-written left.";

/// Prints the page of a command; without a name that of restow and those of all its commands, one behind the other.
pub(super) fn run(mut command: Command, name: Option<&str>, shell: &Shell) -> Result<()> {
    command.build();
    let subs: Vec<&Command> =
        command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help").collect();
    let mut out = Vec::new();
    match name {
        None => {
            page(&command, &mut out)?;
            subs.iter().try_for_each(|sub| pages(sub, &mut out))?;
        }
        Some("restow") => page(&command, &mut out)?,
        Some(name) => match subs.iter().find(|sub| sub.get_name() == name) {
            Some(sub) => pages(sub, &mut out)?,
            None => {
                let names: Vec<&str> = subs.iter().map(|sub| sub.get_name()).collect();
                let help = format!("the commands are {}", names.join(", "));
                return Err(Error::refused_help(format!("there is no command `{name}`"), help));
            }
        },
    }
    shell.print_bytes(&out)
}

/// Adds the page of a command, and those of its own commands behind it.
fn pages(command: &Command, out: &mut Vec<u8>) -> Result<()> {
    page(command, out)?;
    let below = command.get_subcommands().filter(|sub| sub.get_name() != "help");
    below.into_iter().try_for_each(|sub| pages(sub, out))
}

/// Adds the page of one command.
fn page(command: &Command, out: &mut Vec<u8>) -> Result<()> {
    let texts = Texts::of(command);
    let has = |id: &str| command.get_arguments().any(|argument| argument.get_id() == id);
    // Its own sections take the place of what clap prints behind the options.
    let man = Man::new(command.clone().after_help(None::<&str>).after_long_help(None::<&str>));
    let mut render = || -> std::io::Result<()> {
        man.render_title(out)?;
        man.render_name_section(out)?;
        man.render_synopsis_section(out)?;
        man.render_description_section(out)?;
        man.render_options_section(out)?;
        if command.has_subcommands() {
            man.render_subcommands_section(out)?;
        }
        Ok(())
    };
    render().at("cannot write", "the man page")?;
    let mut text = String::new();
    for (heading, body) in &texts.blocks {
        text.push_str(&format!(".SH {heading}\n.nf\n{}.fi\n", escaped(body)));
    }
    let opens = has("limit");
    let mut terms = |heading: &str, terms: &[&[(&str, &str)]]| {
        if terms.iter().any(|terms| !terms.is_empty()) {
            text.push_str(&format!(".SH {heading}\n"));
        }
        for (term, what) in terms.iter().copied().flatten() {
            text.push_str(&format!(".TP\n{}{}", escaped(term), escaped(what)));
        }
    };
    terms("ENVIRONMENT", &[TERMINAL, if opens { PLACES } else { &[] }]);
    terms("FILES", &[if has("profile") { LEVELS } else { &[] }, if opens { FILES } else { &[] }]);
    text.push_str(&format!(".SH \"EXIT STATUS\"\n{}", escaped(texts.status.as_deref().unwrap_or(STATUS))));
    text.push_str(&format!(".SH VERSION\nrestow {}\n", env!("CARGO_PKG_VERSION")));
    out.extend(text.into_bytes());
    Ok(())
}

/// What stands behind the options of a command.
#[derive(Default)]
struct Texts {
    /// Heading and lines.
    blocks: Vec<(&'static str, String)>,
    /// What it exits by, if it says so itself.
    status: Option<String>,
}

impl Texts {
    fn of(command: &Command) -> Texts {
        let mut texts = Texts::default();
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for block in after.split("\n\n") {
            let (first, rest) = block.split_once('\n').unwrap_or((block, ""));
            let indented =
                || rest.lines().map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line)));
            match first.trim() {
                "Examples:" => texts.blocks.push(("EXAMPLES", indented().collect())),
                "Places:" => texts.blocks.push(("PLACES", indented().collect())),
                "" => {}
                "Exit status:" => {
                    texts.status = Some(indented().collect::<Vec<_>>().concat().replace('\n', "\n.br\n"))
                }
                words => match words.strip_prefix("Exit status: ") {
                    Some(status) => {
                        texts.status =
                            Some(format!("{status} {}", rest.replace('\n', " ")).trim_end().to_owned())
                    }
                    None => texts.blocks.push(("NOTES", format!("{block}\n"))),
                },
            }
        }
        texts
    }
}

/// Text as troff takes it for itself, with a line feed at its end.
fn escaped(text: &str) -> String {
    let line = |line: &str| {
        let line = line.replace('\\', r"\e").replace('-', r"\-");
        // A request of ours stays one; any other line that looks like one is text.
        let guard = line.starts_with(['.', '\'']) && line != ".br";
        format!("{}{line}\n", if guard { r"\&" } else { "" })
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::command::Cli;

    #[test]
    fn every_command_has_a_page_with_every_section() {
        let mut command = Cli::command();
        command.build();
        let subs = command.get_subcommands().filter(|sub| sub.get_name() != "help");
        for sub in subs.chain([&command]) {
            let mut out = Vec::new();
            page(sub, &mut out).expect("a page");
            let text = String::from_utf8(out).expect("UTF-8");
            let wanted = [".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH OPTIONS", ".SH EXAMPLES"];
            for section in wanted.into_iter().chain([".SH ENVIRONMENT", ".SH \"EXIT STATUS\"", ".SH VERSION"])
            {
                assert!(text.contains(section), "{}: {section} is not in\n{text}", sub.get_name());
            }
            let opens = ["check", "convert", "inspect", "compare", "scrub", "serve", "repair"]
                .contains(&sub.get_name());
            assert_eq!(text.contains(".SH FILES"), opens, "{}", sub.get_name());
        }
    }

    #[test]
    fn text_is_not_taken_for_requests() {
        assert_eq!(escaped(".x\n'y\na\\b --c"), "\\&.x\n\\&'y\na\\eb \\-\\-c\n");
    }
}
