//! `restow explain --error`: what a message of another tool means.

use std::io::Read as _;

use super::shell::Shell;
use super::wrap::{WIDEST, wrapped};
use crate::colour::{BOLD, paint};
use crate::error::{Error, Result};

/// The most of standard input that is read, in bytes: a log in which the message stands.
const MOST: u64 = 1 << 20;

/// How many messages are told where several fit: the first is nearly always the one.
const TOLD: usize = 3;

/// # Errors
/// A text that holds no known message.
pub(super) fn run(error: &str, shell: &Shell) -> Result<u8> {
    let text = if error == "-" { standard_input()? } else { error.to_owned() };
    let found = crate::explain::error(&text);
    if found.is_empty() {
        let help = "`restow check IMAGE` says what is wrong with the image itself; give the message as it was printed";
        return Err(Error::refused_help("no message of another tool is known that this text holds", help));
    }
    let color = shell.color_out();
    let bold = |text: &str| paint(BOLD, text, color);
    let width = shell.width().min(WIDEST);
    let mut out = String::new();
    for (nth, message) in found.iter().take(TOLD).enumerate() {
        if nth > 0 {
            out.push('\n');
        }
        out.push_str(&format!("{}\n", bold(message.name)));
        wrapped(&mut out, message.means, width);
        let tools: Vec<&str> = message.printed.iter().map(|printed| printed.tool).collect();
        let rules = match message.rules {
            [] => "none: the image may be sound".to_owned(),
            rules => rules.join(", "),
        };
        for (head, line) in [
            ("Printed by", tools.join(", ").as_str()),
            ("Rules", rules.as_str()),
            ("Prove it", &bold(message.prove)),
            ("Mend it", &bold(message.mend)),
        ] {
            out.push_str(&format!("  {:11} {line}\n", format!("{head}:")));
        }
        if let Some(thread) = message.thread {
            out.push_str(&format!("  {:11} {thread}\n", "Quoted from:"));
        }
    }
    let names = "IMAGE is what the tool was given, ORIGIN the place that it came from, such as docker://HOST/NAME:TAG";
    out.push('\n');
    wrapped(&mut out, names, width);
    shell.print(&out)?;
    Ok(0)
}

fn standard_input() -> Result<String> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(MOST).read_to_end(&mut bytes);
    read.map_err(|error| Error::io("cannot read", "standard input", error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
