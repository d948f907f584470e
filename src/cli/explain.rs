//! `restow explain`: what a rule means.

use super::args::ExplainArgs;
use super::shell::Shell;
use super::wrap::{WIDEST, folded, wrapped};
use crate::Rule;
use crate::colour::{BOLD, paint};
use crate::error::Result;
use crate::explain::Integrity;

pub(super) fn run(args: &ExplainArgs, shell: &Shell) -> Result<u8> {
    if let Some(error) = &args.error {
        return super::explain_error::run(error, shell);
    }
    let color = shell.color_out();
    let width = shell.cut();
    let text = match args.rule.as_deref() {
        None => list(&crate::explain(""), width, color),
        Some(name) => match crate::explain(name).as_slice() {
            [] => return Err(crate::command::unknown_rule(name)),
            [rule] if name != rule.family() => page(rule, shell.width().min(WIDEST), color),
            several => list(several, width, color),
        },
    };
    shell.print(&text)?;
    Ok(0)
}

/// The heading above what tools did, a line each.
const SEEN: &str = "What tools were seen to do with it";

/// One line for each rule, cut to `width`, in a paragraph for each family.
fn list(rules: &[&Rule], width: Option<usize>, color: bool) -> String {
    let column = rules.iter().map(|rule| rule.name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for (nth, rule) in rules.iter().enumerate() {
        if nth > 0 && rules[nth - 1].family() != rule.family() {
            out.push('\n');
        }
        let first = rule.checks.split(". ").next().unwrap_or(rule.checks).trim_end_matches('.');
        let off = if rule.optional { "(off by default) " } else { "" };
        let head = format!("{:column$}  ", rule.name);
        let level = format!("{:7}", rule.level.name());
        let room =
            width.map_or(usize::MAX, |width| width.saturating_sub(head.len() + level.len() + 3).max(20));
        let mut text = format!("{off}{first}");
        if text.chars().count() > room {
            text = text.chars().take(room - 1).collect::<String>() + "…";
        }
        let level = paint(rule.level.colour(), &level, color);
        out.push_str(&format!("{head}{level}  {text}\n"));
    }
    out
}

fn page(rule: &Rule, width: usize, color: bool) -> String {
    let bold = |text: &str| paint(BOLD, text, color);
    let convert = match rule.integrity {
        Integrity::No => "not looked at without --check",
        Integrity::Soft => "blocks unless lowered by -W or -A; the bytes are carried as they are",
        Integrity::Hard => "always blocks",
    };
    let mut page = format!("{}\n\n", bold(rule.name));
    let off = if rule.optional { ", off unless a flag or profile turns it on" } else { "" };
    let breaks: Vec<&str> = rule.breaks.iter().map(|tool| tool.name()).collect();
    for (name, text) in [
        ("Level", format!("{}{off}", rule.level.name())),
        ("In convert", convert.to_owned()),
        ("Breaks", breaks.join(", ")),
    ] {
        if !text.is_empty() {
            let text = match (name, color) {
                ("Level", true) => {
                    text.replacen(rule.level.name(), &paint(rule.level.colour(), rule.level.name(), color), 1)
                }
                _ => text,
            };
            page.push_str(&format!("{}\n", folded(&format!("{:11} {text}", format!("{name}:")), width, 12)));
        }
    }
    let parts = [
        ("What it checks", rule.checks.to_owned()),
        ("Why it matters", rule.matters.to_owned()),
        (SEEN, String::new()),
        ("Example", rule.example.to_owned()),
        ("How to mend it", rule.how_to_mend()),
    ];
    let seen = rule.seen();
    for (heading, text) in parts {
        if heading == SEEN && !seen.is_empty() {
            page.push_str(&format!("\n{}\n", bold(heading)));
            seen.iter()
                .for_each(|line| page.push_str(&format!("{}\n", folded(&format!("  {line}"), width, 4))));
        } else if !text.is_empty() {
            page.push_str(&format!("\n{}\n", bold(heading)));
            wrapped(&mut page, &text, width);
        }
    }
    let sources = rule.sources();
    if !sources.is_empty() {
        page.push_str(&format!("\n{}\n", bold("Where it is written")));
        wrapped(&mut page, &sources.join("; "), width);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_fit_a_terminal() {
        let all = crate::explain("");
        let text = list(&all, Some(80), false);
        assert_eq!(text.lines().filter(|line| !line.is_empty()).count(), all.len());
        assert!(text.lines().all(|line| line.chars().count() < 80), "{text}");
        assert!(list(&all, None, false).lines().any(|line| line.len() > 100), "a pipe gets whole lines");
        assert_eq!(text.matches("\n\n").count() + 1, {
            let mut families: Vec<&str> = all.iter().map(|rule| rule.family()).collect();
            families.dedup();
            families.len()
        });
    }

    #[test]
    fn no_page_is_wider_than_the_terminal() {
        for rule in crate::explain("") {
            let page = page(rule, 80, false);
            let wide = page.lines().find(|line| line.chars().count() > 80 && line.trim_start().contains(' '));
            assert_eq!(wide, None, "{}", rule.name);
            assert!(!page.contains("formats.md"), "{} refers to a text that users do not have", rule.name);
        }
    }
}
