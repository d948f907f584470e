//! `restow explain`: what a rule means.

use super::args::ExplainArgs;
use super::shell::Shell;
use crate::error::Result;
use crate::rules::{self, Integrity, Rule};

/// Longer lines are hard to read, however wide the terminal is.
const WIDEST: usize = 88;

pub(super) fn run(args: &ExplainArgs, shell: &Shell) -> Result<u8> {
    let text = match &args.rule {
        None => list(),
        Some(name) => {
            let rule = rules::all().into_iter().find(|rule| rule.name == name);
            page(
                rule.ok_or_else(|| rules::policy::unknown(name))?,
                shell.width().min(WIDEST),
                shell.color_out(),
            )
        }
    };
    shell.print(&text)?;
    Ok(0)
}

fn list() -> String {
    let rules = rules::all();
    let width = rules.iter().map(|rule| rule.name.len()).max().unwrap_or(0);
    let line = |rule: &&Rule| {
        let first = rule.checks.split(". ").next().unwrap_or(rule.checks);
        format!("{:width$}  {:7}  {}\n", rule.name, rule.level.name(), first.trim_end_matches('.'))
    };
    rules.iter().map(line).collect()
}

fn page(rule: &Rule, width: usize, color: bool) -> String {
    let bold = |text: &str| if color { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() };
    let convert = match rule.integrity {
        Integrity::No => "not looked at without --check",
        Integrity::Soft => "blocks unless lowered by -W or -A; the bytes are carried as they are",
        Integrity::Hard => "always blocks",
    };
    let mut page = format!("{}\n\n", bold(rule.name));
    let off = if rule.optional { ", off unless a flag or profile turns it on" } else { "" };
    for (name, text) in [("Level", format!("{}{off}", rule.level.name())), ("In convert", convert.to_owned())]
    {
        page.push_str(&format!("{:11} {text}\n", format!("{name}:")));
    }
    let parts = [
        ("What it checks", rule.checks),
        ("Why it matters", rule.matters),
        ("Example", rule.example),
        ("How to mend it", rule.mend),
    ];
    for (heading, text) in parts {
        page.push_str(&format!("\n{}\n", bold(heading)));
        wrapped(&mut page, text, width);
    }
    page
}

/// Adds a text in indented lines of at most `width` columns; a longer word stands alone.
fn wrapped(page: &mut String, text: &str, width: usize) {
    const INDENT: &str = "  ";
    for paragraph in text.split("\n\n") {
        let mut columns = 0;
        for word in paragraph.split_whitespace() {
            let long = word.chars().count();
            if columns > 0 && columns + 1 + long > width {
                page.push('\n');
                columns = 0;
            }
            page.push_str(if columns == 0 { INDENT } else { " " });
            page.push_str(word);
            columns += long + if columns == 0 { INDENT.len() } else { 1 };
        }
        page.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_and_indented() {
        let mut page = String::new();
        wrapped(&mut page, "one two three\nfour averyverylongword five\n\nsix", 12);
        assert_eq!(page, "  one two\n  three four\n  averyverylongword\n  five\n  six\n");
    }

    #[test]
    fn no_page_is_wider_than_the_terminal() {
        for rule in rules::all() {
            let page = page(rule, 80, false);
            let wide = page.lines().find(|line| line.chars().count() > 80 && line.matches(' ').count() > 2);
            assert_eq!(wide, None, "{}", rule.name);
            assert!(!page.contains("formats.md"), "{} refers to a text that users do not have", rule.name);
        }
    }
}
