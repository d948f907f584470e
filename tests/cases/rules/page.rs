//! `docs/rules.md`, made from the registry.

use std::fmt::Write as _;

use restow::finding::{Integrity, Level, Rule};
use restow::rules::{self, NOT_CHECKED};

/// The groups of the catalogue with the families that belong to each.
const GROUPS: &[(&str, &[&str])] = &[
    ("Archive structure", &["archive", "docker-archive"]),
    ("JSON", &["json"]),
    ("Indexes, manifests and layouts", &["document", "index", "layout", "manifest"]),
    ("Blobs and descriptors", &["blob", "descriptor"]),
    ("The graph", &["graph", "attestation"]),
    ("Configs", &["config"]),
    ("Platforms", &["platform"]),
    ("Layers as streams", &["layer"]),
    ("Contents of layers", &["entry", "tar", "whiteout"]),
    ("Names and annotations", &["name", "annotation"]),
    ("v1 images and schema 1", &["v1", "schema1"]),
    ("Registry storage and dir:", &["storage", "dir"]),
];

/// The whole page; an error names the families that belong to no group.
pub fn page() -> Result<String, String> {
    let all = rules::all();
    let mut families: Vec<&str> = all.iter().map(|rule| rule.family()).collect();
    families.dedup();
    let grouped = |family: &str| GROUPS.iter().any(|(_, members)| members.contains(&family));
    if let Some(family) = families.iter().find(|family| !grouped(family)) {
        return Err(format!("the family {family} belongs to no group of docs/rules.md: add it to GROUPS"));
    }
    let mut page = String::from(HEAD);
    let optional = all.iter().filter(|rule| rule.optional).count();
    let of = |level: Level| all.iter().filter(|rule| rule.level == level).count();
    let _ = writeln!(
        page,
        "There are {} rules: {} errors, {} warnings and {} notes as written; {optional} are off by default.\n",
        all.len(),
        of(Level::Error),
        of(Level::Warning),
        of(Level::Note),
    );
    for (title, members) in GROUPS {
        for family in members.iter().filter(|family| families.contains(family)) {
            let names = all.iter().filter(|rule| rule.family() == *family);
            let links: Vec<String> =
                names.map(|rule| format!("[{}](#{})", problem(rule), anchor(rule.name))).collect();
            let _ = writeln!(page, "- {title}: `{family}/` {}", links.join(" · "));
        }
    }
    for (title, members) in GROUPS {
        if !members.iter().any(|family| families.contains(family)) {
            continue;
        }
        let _ = write!(page, "\n## {title}\n");
        for family in *members {
            for rule in all.iter().filter(|rule| rule.family() == *family) {
                section(&mut page, rule);
            }
        }
    }
    page.push_str(
        "\n## What is not checked\n\nEntries of [the table](formats.md#h) that no rule stands for:\n\n",
    );
    for (entry, reason) in NOT_CHECKED {
        let _ = writeln!(page, "- [{entry}](formats.md#entry-{entry}): {reason}");
    }
    Ok(page)
}

const HEAD: &str = "# Rules

What `restow check` looks for. `restow explain RULE` prints the same in a terminal.

This page is made from the rules: `BLESS=1 cargo test --test cases rules::` writes it, and a test fails while it is stale.

**Level** is the level as written, which `--profile`, `restow.toml`, `-A`, `-W` and `-D` change. **In convert** says
whether a finding keeps `restow convert` from writing; without `--check` it looks at nothing else. **Breaks** lists
tools that take a sound archive and refuse or change every archive of the corpus that has the fault: `--profile
portable`, or one named like the tool, makes it an error. What they were seen to do stands in each section, with their
versions and words; it is recorded from real tools on overlay file systems, and says nothing of tools that are not named.
**Specification** is where it is written; *entry* is the row of [the table of what is checked](formats.md#h) with what
tools do.

";

fn problem(rule: &Rule) -> &str {
    rule.name.split_once('/').map_or(rule.name, |(_, problem)| problem)
}

/// As GitHub makes it from a heading.
fn anchor(name: &str) -> String {
    name.replace('/', "")
}

fn section(page: &mut String, rule: &Rule) {
    let off = if rule.optional { ", off unless a flag or profile turns it on" } else { "" };
    let convert = match rule.integrity {
        Integrity::No => "not looked at without `--check`",
        Integrity::Soft => "blocks unless lowered by `-W` or `-A`; the bytes are carried as they are",
        Integrity::Hard => "always blocks",
    };
    let linked = |source: &&str| match source.strip_prefix("formats.md ") {
        Some(section) => format!("[{source}](formats.md#{})", section.to_lowercase().replace('.', "-")),
        None => (*source).to_owned(),
    };
    let mut sources: Vec<String> = rules::specification::of_rule(rule).iter().map(linked).collect();
    let entries = rule.catalogue.iter().map(|entry| format!("[{entry}](formats.md#entry-{entry})"));
    let word = if rule.catalogue.len() == 1 { "entry" } else { "entries" };
    sources.push(format!("{word} {}", entries.collect::<Vec<_>>().join(", ")));
    let _ = write!(page, "\n### {}\n\n", rule.name);
    let _ = writeln!(page, "- Level: {}{off}", rule.level.name());
    let _ = writeln!(page, "- In convert: {convert}");
    if !rule.breaks.is_empty() {
        let tools: Vec<&str> = rule.breaks.iter().map(|tool| tool.name()).collect();
        let _ = writeln!(page, "- Breaks: {}", tools.join(", "));
    }
    let _ = writeln!(page, "- Specification: {}", sources.join("; "));
    let paragraph = |page: &mut String, heading: &str, text: &str| {
        let _ = write!(page, "\n**{heading}.** {}\n", escaped(text));
    };
    paragraph(page, "What it checks", rule.checks);
    paragraph(page, "Why it matters", rule.matters);
    let seen = rules::seen::of(rule);
    if !seen.is_empty() {
        let _ = write!(page, "\n**What tools were seen to do with it.**\n\n");
    }
    for line in seen {
        let _ = writeln!(page, "- {}", escaped(line));
    }
    paragraph(page, "Example", rule.example);
    paragraph(page, "How to mend it", &rule.how_to_mend());
}

/// Keeps Markdown from reading `<`, `*` and `_` outside code as markup.
fn escaped(text: &str) -> String {
    let mut code = false;
    let mut out = String::new();
    for c in text.chars() {
        if c == '`' {
            code = !code;
        }
        if !code && matches!(c, '<' | '*' | '_' | '[') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
