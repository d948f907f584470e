//! The page as Markdown: verdict, findings and images, for the summary of a job.

use std::fmt::Write as _;

use super::compared::Shown as Compared;
use super::layers::Rows;
use super::section::{Page, Section, Verdict};
use super::words::size;
use crate::escape::escape_str;

/// Bytes that a summary may have. GitHub takes 1 MiB for a step, and refuses what is longer.
const MOST: usize = 1 << 20;

/// Room that is kept for the line which says that the page was cut.
const REST: usize = 200;

/// The whole page.
pub(super) fn page(page: &Page) -> String {
    let mut out = String::new();
    if let Some(comparison) = &page.compared {
        compared(comparison, &mut out);
    }
    for section in &page.sections {
        add(section, &mut out);
    }
    if let Some(account) = page.account.as_ref().filter(|_| out.len() + REST < MOST) {
        out.push_str("#### Account\n\n");
        for line in &account.summary {
            // A String takes everything.
            let _ = writeln!(out, "- {}", text(line));
        }
        out.push('\n');
    }
    out
}

fn compared(comparison: &Compared, out: &mut String) {
    let mark = if comparison.same { "✅" } else { "❌" };
    let _ = writeln!(out, "### {mark} {}\n", text(&comparison.verdict));
    let _ = writeln!(out, "A = {}, B = {}\n", code(&comparison.a), code(&comparison.b));
    out.push_str("| What | Status | Differences |\n|---|---|---|\n");
    let (mut left, mut told) = (0, true);
    for (title, status, differences) in comparison.lines() {
        let row = format!("| {} | {status} | {differences} |\n", text(title));
        // What differs comes first, so nothing that fits is told after something that did not.
        told = told && out.len() + row.len() + REST <= MOST;
        if told {
            out.push_str(&row);
        } else {
            left += 1;
        }
    }
    if left > 0 {
        let _ = writeln!(out, "\nand {left} more, which the page as HTML has");
    }
    out.push('\n');
}

fn add(section: &Section, out: &mut String) {
    let mark = match section.verdict() {
        Verdict::Sound => "✅",
        Verdict::Broken | Verdict::Failed => "❌",
        Verdict::Unjudged => "📦",
    };
    let _ = writeln!(out, "### {mark} {}: {}\n", code(&section.place), text(&section.words()));
    if let Some(why) = &section.failure {
        let _ = writeln!(out, "{}\n", text(why));
    }
    if !section.findings.is_empty() {
        out.push_str("| Level | Rule | Finding | Place |\n|---|---|---|---|\n");
    }
    let mut left = section.more;
    for (nth, finding) in section.findings.iter().enumerate() {
        let help =
            finding.help.as_ref().map(|help| format!("<br>*help:* {}", text(help))).unwrap_or_default();
        let (level, rule) = (finding.level.name(), finding.rule);
        let (message, place) = (text(&finding.message), code(&finding.place));
        let row = format!("| {level} | `{rule}` | {message}{help} | {place} |\n");
        if out.len() + row.len() + REST > MOST {
            left += section.findings.len() - nth;
            break;
        }
        out.push_str(&row);
    }
    if left > 0 {
        let _ = writeln!(out, "\nand {left} more, which a report as JSON or HTML has");
    }
    let layers = Rows::of(&section.images);
    if !layers.rows.is_empty() && out.len() + REST < MOST {
        let _ = writeln!(out, "\n{} different layers, {} as stored", layers.rows.len(), size(layers.size()));
    }
    out.push('\n');
}

/// Archive text as text: what Markdown, HTML or a table would obey is written so that it is not.
fn text(raw: &str) -> String {
    let mut out = String::new();
    for letter in escape_str(raw).chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\n' => out.push(' '),
            // As numbers they are no mark-up, and no name of anybody is called.
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '#' | '@' | '~' | '!' => {
                let _ = write!(out, "&#{};", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out
}

/// The same in the letters of code.
fn code(raw: &str) -> String {
    format!("<code>{}</code>", text(raw))
}
