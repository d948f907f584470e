//! What `docs/` promises: every reference in code and pages leads to a section that exists, and the table of what is
//! checked (`docs/formats.md#h`) names the rules that there are.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::house;
use restow::rules;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Texts that may refer to a page: sources, scripts, workflows and pages, but nothing that is built or generated.
fn texts() -> Vec<PathBuf> {
    const SKIPPED: &[&str] = &["target", ".git", "bad", "good", "snapshots", "node_modules", "__pycache__"];
    const READ: &[&str] = &["rs", "toml", "md", "sh", "py", "yml", "yaml"];
    let mut found = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the repository") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_symlink() || SKIPPED.contains(&name) {
                continue;
            } else if path.is_dir() {
                folders.push(path);
            } else if path.extension().and_then(|end| end.to_str()).is_some_and(|end| READ.contains(&end)) {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 100, "only {} texts were found: is the scan right?", found.len());
    found.sort();
    found
}

/// Section names of a page such as `A.3.1`, in headings such as `### A.3.1 Classic store`.
fn sections(page: &str) -> BTreeSet<&str> {
    headings(page)
        .filter_map(|heading| heading.split_whitespace().next())
        .map(|word| word.trim_end_matches('.'))
        .filter(|word| is_section(word))
        .collect()
}

fn headings(page: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    page.lines().filter_map(move |line| {
        code ^= line.starts_with("```");
        let text = line.trim_start_matches('#');
        (!code && text.len() < line.len() && text.starts_with(' ')).then(|| text.trim())
    })
}

/// `A`, `0.3`, `D.10.2`.
fn is_section(word: &str) -> bool {
    let mut parts = word.split('.');
    let first = parts.next().unwrap_or_default();
    first.len() == 1
        && first.chars().all(|c| c == '0' || c.is_ascii_uppercase())
        && parts.all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()))
}

/// Where links into a page may lead: `id`s, and headings as GitHub names them.
fn anchors(page: &str) -> BTreeSet<String> {
    let ids = page.split("<a id=\"").skip(1).filter_map(|rest| rest.split_once('"'));
    let mut all: BTreeSet<String> = ids.map(|(id, _)| id.to_owned()).collect();
    for heading in headings(page) {
        let slug = heading.chars().filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
            _ => None,
        });
        all.insert(slug.collect());
    }
    all
}

/// The text with line breaks and the marks of comments taken for spaces.
fn unwrapped(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.trim_start();
        ["//!", "///", "//", "#"].iter().find_map(|mark| line.strip_prefix(mark)).unwrap_or(line).trim()
    });
    lines.collect::<Vec<_>>().join(" ")
}

/// Sections and entries of section H that are named behind `formats.md`: `D.2, D.8`, `H.11, rules 214 to 216`.
fn named(behind: &str) -> (Vec<&str>, Vec<u16>) {
    let (mut sections, mut entries) = (Vec::new(), Vec::new());
    let mut steps = false;
    for token in behind.split_whitespace() {
        let word = token.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        match word {
            "section" | "sections" | "rule" | "rules" | "entry" | "entries" | "and" | "to" => {}
            "step" | "steps" => steps = true,
            _ if word.parse::<u16>().is_ok() && word != "0" => {
                let in_table = sections.last().is_some_and(|section: &&str| section.starts_with('H'));
                if in_table {
                    entries.extend(word.parse::<u16>());
                } else if !steps {
                    break;
                }
            }
            _ if is_section(word) => sections.push(word),
            _ => break,
        }
        if token.ends_with([')', ';', ':', '.', '`', '|', '"']) {
            break;
        }
    }
    (sections, entries)
}

#[test]
fn references_are_understood() {
    assert_eq!(named(" D.2, D.8). More"), (vec!["D.2", "D.8"], vec![]));
    assert_eq!(named(" section H."), (vec!["H"], vec![]));
    assert_eq!(named(" H.11, rules 214 to 216 and 220)."), (vec!["H.11"], vec![214, 216, 220]));
    assert_eq!(named(" A.1 steps 3 to 5). The bytes"), (vec!["A.1"], vec![]));
    assert_eq!(named(" 0.3): the first"), (vec!["0.3"], vec![]));
    assert_eq!(named(" that"), (vec![], vec![]));
}

#[test]
fn every_reference_leads_to_a_section() {
    let page = read(&root().join("docs/formats.md"));
    let (sections, ids) = (sections(&page), anchors(&page));
    let architecture = anchors(&read(&root().join("docs/architecture.md")));
    // Plans that this repository does not have.
    let absent = ["design", "crates", "anchors", "house"].map(|name| format!("{name}.md"));
    let (mut wrong, mut followed) = (Vec::new(), 0);
    for path in texts() {
        let name = path.strip_prefix(root()).expect("below the root").display().to_string();
        // mkdocs.yml lists pages; what it lists is held by the building of the site.
        if name == "docs/formats.md" || name == "mkdocs.yml" || name == file!() {
            continue;
        }
        let text = unwrapped(&read(&path));
        for name_of in &absent {
            let mut found = text.match_indices(name_of.as_str());
            if found.any(|(at, _)| !text[..at].ends_with(char::is_alphanumeric)) {
                wrong.push(format!("{name}: {name_of} is not in the repository"));
            }
        }
        for (at, found) in text.match_indices("formats.md") {
            let (before, behind) = (&text[..at], &text[at + found.len()..]);
            followed += 1;
            if let Some(anchor) = behind.strip_prefix('#') {
                let end = |c: char| !c.is_ascii_alphanumeric() && c != '-';
                let (anchor, after) = anchor.split_at(anchor.find(end).unwrap_or(anchor.len()));
                // A page that is made has the rest of the anchor put in.
                let made = after.starts_with('{');
                if !made && !ids.contains(anchor) {
                    wrong.push(format!("{name}: formats.md#{anchor}"));
                }
                continue;
            }
            let behind = behind.split("](").next().unwrap_or_default();
            let (named, entries) = named(behind.trim_start_matches('`'));
            // A path, a link and its text, or a string need no section.
            let whole = before.ends_with("docs/") || before.ends_with(['(', '[', '"']);
            if named.is_empty() && !whole {
                wrong.push(format!("{name}: formats.md without a section: {:.40}", behind));
            }
            wrong.extend(
                named
                    .iter()
                    .filter(|id| !sections.contains(*id))
                    .map(|id| format!("{name}: formats.md {id}")),
            );
            wrong.extend(
                entries
                    .iter()
                    .filter(|id| !ids.contains(&format!("entry-{id}")))
                    .map(|id| format!("{name}: formats.md H, {id}")),
            );
        }
        for (at, found) in text.match_indices("architecture.md#") {
            followed += 1;
            let anchor =
                text[at + found.len()..].split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next();
            if !anchor.is_some_and(|anchor| architecture.contains(anchor)) {
                wrong.push(format!("{name}: architecture.md#{}", anchor.unwrap_or_default()));
            }
        }
    }
    assert!(wrong.is_empty(), "no such section:\n{}", wrong.join("\n"));
    assert!(followed > 100, "only {followed} references were found: is the scan right?");
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut wrong = Vec::new();
    for path in texts().iter().filter(|path| path.extension().is_some_and(|end| end == "md")) {
        let text = read(path);
        let own = anchors(&text);
        let name = path.strip_prefix(root()).expect("below the root").display();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ', '\n']).next()) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = path.parent().expect("a folder").join(file);
            let there = match file {
                "" => own.contains(anchor),
                _ if anchor.is_empty() => target.exists(),
                _ => target.is_file() && anchors(&read(&target)).contains(anchor),
            };
            if !there {
                wrong.push(format!("{name}: {link}"));
            }
        }
    }
    assert!(wrong.is_empty(), "links that lead nowhere:\n{}", wrong.join("\n"));
}

#[test]
fn the_version_is_the_same_everywhere() {
    let version = env!("CARGO_PKG_VERSION");
    for (path, shown) in [
        ("CHANGELOG.md", format!("\n## {version} - ")),
        ("docs/reports.md", format!("\"tool\": {{ \"name\": \"restow\", \"version\": \"{version}\" }}")),
        ("docs/install.md", format!(" restow:{version} ")),
        ("fuzz/Cargo.lock", format!("name = \"restow\"\nversion = \"{version}\"\n")),
        ("python/restow/__init__.py", format!("such as ``{version}``")),
    ] {
        assert!(read(&root().join(path)).contains(&shown), "{path} does not have {shown:?}");
    }
    // What a program that embeds restow is told to depend on.
    let minor = &version[..version.rfind('.').expect("three numbers")];
    let cookbook = read(&root().join("docs/cookbook.md"));
    assert!(cookbook.contains(&format!("restow = {{ version = \"{minor}\"")), "docs/cookbook.md: {minor}");
}

#[test]
fn examples_on_pages_are_those_that_run() {
    let examples = std::fs::read_dir(root().join("examples")).expect("listed");
    let examples: Vec<String> = examples.map(|entry| read(&entry.expect("an entry").path())).collect();
    let mut shown = 0;
    for path in texts().iter().filter(|path| path.extension().is_some_and(|end| end == "md")) {
        for block in read(path).split("\n```rust\n").skip(1).filter_map(|rest| rest.split("```\n").next()) {
            let found = examples.iter().any(|example| example.contains(block));
            assert!(found, "{}: no file of examples/ has\n{block}", path.display());
            shown += 1;
        }
    }
    assert!(shown > 0, "no page shows an example: is the scan right?");
}

#[test]
fn every_section_has_the_anchor_of_its_name() {
    let page = read(&root().join("docs/formats.md"));
    let ids = anchors(&page);
    let named = sections(&page);
    assert!(named.len() > 80, "{}", named.len());
    for section in named {
        let id = section.to_lowercase().replace('.', "-");
        assert!(ids.contains(&id), "section {section} has no <a id=\"{id}\"></a> above it");
    }
}

/// Rules that stand for an entry of section H, or why none does.
fn rules_of(entry: u16) -> String {
    if let Some((_, reason)) = rules::NOT_CHECKED.iter().find(|(number, _)| *number == entry) {
        return format!("none: {reason}");
    }
    let rules = rules::all().into_iter().filter(|rule| rule.catalogue.contains(&entry));
    let links = rules.map(|rule| {
        let off = if rule.optional { ", off" } else { "" };
        format!("[{}](rules.md#{}) {}{off}", rule.name, rule.name.replace('/', ""), rule.level.name())
    });
    links.collect::<Vec<_>>().join(" · ")
}

/// Whether the row is one of limits, without a specification.
fn is_limit(entry: u16) -> bool {
    rules::specification::of_entry(entry).all(|source| source == "formats.md H.13") && entry >= 237
}

/// Where it is written what an entry says.
fn sources_of(entry: u16) -> String {
    let sources =
        rules::specification::of_entry(entry).map(|source| match source.strip_prefix("formats.md ") {
            Some(section) => format!("[{section}](#{})", section.to_lowercase().replace('.', "-")),
            None => source.to_owned(),
        });
    sources.collect::<Vec<_>>().join("; ")
}

#[test]
fn the_table_of_what_is_checked_names_every_rule_and_its_specification() {
    let path = root().join("docs/formats.md");
    let page = read(&path);
    let mut entries = BTreeSet::new();
    let lines = page.lines().map(|line| {
        let Some(rest) = line.strip_prefix("| <a id=\"entry-") else { return line.to_owned() };
        let (number, _) = rest.split_once('"').expect("an id");
        let number: u16 = number.parse().expect("a number");
        assert!(entries.insert(number), "entry {number} stands twice");
        // Bars in code are escaped, so that only cells are parted.
        let mut cells: Vec<String> = line.split(" |").map(str::to_owned).collect();
        assert_eq!(cells.len(), 6, "{line}");
        cells[2] = match rules_of(number) {
            rules if rules.is_empty() => panic!("entry {number}: neither a rule nor a reason in NOT_CHECKED"),
            rules => format!(" {rules}"),
        };
        // Section H.13 is about restow itself: it has defaults there.
        if !is_limit(number) {
            cells[3] = format!(" {}", sources_of(number));
        }
        cells.join(" |")
    });
    let mut current = lines.collect::<Vec<_>>().join("\n");
    current.push('\n');
    for rule in rules::all() {
        for entry in rule.catalogue {
            assert!(entries.contains(entry), "{}: there is no entry {entry} in docs/formats.md", rule.name);
        }
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &current).expect("written");
    }
    assert!(
        read(&path) == current,
        "docs/formats.md is stale: BLESS=1 cargo test --test all docs:: writes the rules anew"
    );
}

/// What a room does: the first sentence of its documentation, without links.
fn purpose(room: &str) -> Option<String> {
    let file = ["src/{}/mod.rs", "src/{}.rs", "src/jobs/{}/mod.rs"]
        .map(|path| root().join(path.replace("{}", room)));
    let text = read(file.iter().find(|path| path.is_file())?);
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    let paragraph: Vec<&str> = lines.map(str::trim).take_while(|line| !line.is_empty()).collect();
    let mut plain = String::new();
    for (part, piece) in paragraph.join(" ").split("](").enumerate() {
        plain.push_str(match part {
            0 => piece,
            _ => piece.split_once(')').map_or("", |(_, rest)| rest),
        });
    }
    let sentence = plain.replace(['[', ']'], "");
    let end = sentence.find(". ");
    let sentence = end.map_or(sentence.as_str(), |end| &sentence[..end]);
    Some(sentence.trim_end_matches(['.', ':']).replace('|', "\\|"))
}

/// The table of rooms that there are, the ground first.
fn rooms() -> String {
    let mut table = String::from("\n| Room | What it is | May import, beside the ground |\n|---|---|---|\n");
    let ground = house::GROUND.split(' ').map(|room| (room, None));
    for (room, imports) in ground.chain(house::ROOMS.iter().map(|(room, imports)| (*room, Some(*imports)))) {
        let there = |room: &str| purpose(room).is_some();
        let Some(purpose) = purpose(room) else { continue };
        let imports = match imports {
            None => "– (ground)".to_owned(),
            Some(imports) => imports.split(' ').filter(|room| there(room)).collect::<Vec<_>>().join(" "),
        };
        let within = if root().join("src/jobs").join(room).is_dir() { "jobs/" } else { "" };
        table.push_str(&format!("| `{within}{room}` | {purpose} | {imports} |\n"));
    }
    table.push('\n');
    table
}

#[test]
fn the_table_of_rooms_is_the_one_that_is_held() {
    let path = root().join("docs/architecture.md");
    let page = read(&path);
    let (before, rest) = page.split_once("<!-- rooms:").expect("the start of the table");
    let (mark, rest) = rest.split_once("-->\n").expect("the end of the mark");
    let (_, after) = rest.split_once("<!-- end of rooms").expect("the end of the table");
    let table = rooms();
    assert!(table.lines().count() > 25, "only these rooms were found:{table}");
    let current = format!("{before}<!-- rooms:{mark}-->\n{table}<!-- end of rooms{after}");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &current).expect("written");
    }
    assert!(
        read(&path) == current,
        "docs/architecture.md is stale: BLESS=1 cargo test --test all docs:: writes the rooms anew"
    );
}
