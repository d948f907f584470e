//! Claims about tools are evidence: what `src/rules/evidence.json` records of the cases of a rule is what the rule says
//! breaks, and what its page tells.
//!
//! A tool breaks on what a rule finds if in one way of using it (a step, such as `load`) it takes the sound archive that
//! each case was made from, and refuses or changes every case.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use restow::finding::{Rule, Tool};
use restow::rules;
use serde::Deserialize;

use crate::common::tree_digest;
use crate::stored::bad::{self, Bad};
use crate::stored::case;

#[derive(Deserialize)]
struct Evidence {
    tools: Vec<Recorded>,
    cases: BTreeMap<String, Case>,
}

#[derive(Deserialize, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Recorded {
    tool: String,
    version: String,
}

#[derive(Deserialize, Default)]
struct Case {
    bytes: String,
    takes: BTreeSet<String>,
    changes: BTreeMap<String, String>,
    refuses: BTreeMap<String, String>,
}

/// What a tool does with all cases of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Does {
    Refuses(String),
    Changes(String),
    /// Refuses some cases and changes the others.
    Spoils(String),
    /// So many of so many cases.
    Some(usize, usize, String),
    Takes,
}

/// What was seen of one rule.
pub struct Seen {
    pub breaks: BTreeSet<&'static str>,
    pub lines: Vec<String>,
}

/// Forms that tools can be asked of.
const FORMS: [&str; 4] = ["docker-archive", "oci", "dir", "registry-storage"];

/// As the recorder hashes a stored archive.
fn bytes(path: &Path) -> std::io::Result<String> {
    let files = tree_digest::files(path)?;
    let text: String = files.iter().map(|(name, digest)| format!("{name}\0{digest}\n")).collect();
    Ok(tree_digest::sha256(text.as_bytes())[..12].to_owned())
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rules").join(name)
}

/// The steps at which a tool was asked, as in a key: `TOOL VERSION STEP`.
fn keys(case: &Case) -> impl Iterator<Item = &String> {
    case.takes.iter().chain(case.changes.keys()).chain(case.refuses.keys())
}

/// Rules that the record says nothing of, and why.
const NO_EVIDENCE: &[(&str, &str)] = &[(
    "blob/missing-nondistributable",
    "tools fetch such layers, and nothing can be fetched where they were asked",
)];

/// The cases of each rule: a case is of the rule with the longest name that it is called by. What is a fault only by a
/// lowered limit shows nothing of tools.
fn cases_by_rule(cases: &[Bad]) -> BTreeMap<&'static str, Vec<&Bad>> {
    let all = rules::all();
    let mut found: BTreeMap<&'static str, Vec<&Bad>> = BTreeMap::new();
    for case in cases {
        let called = all.iter().filter(|rule| bad::named_by(&case.name, rule.name));
        let Some(rule) = called.max_by_key(|rule| rule.name.len()) else { continue };
        let silent = NO_EVIDENCE.iter().any(|(name, _)| *name == rule.name)
            || case.spec.args.iter().any(|arg| arg == "--limit");
        if !silent && case.spec.expect.findings.iter().any(|name| name == rule.name) {
            found.entry(rule.name).or_default().push(case);
        }
    }
    found
}

fn did(evidence: &Evidence, cases: &[&Bad], key: &str) -> Option<Does> {
    let (mut refused, mut changed, mut taken) = (Vec::new(), Vec::new(), 0);
    for case in cases {
        let base = evidence.cases.get(&format!("good/{}", case.spec.base));
        let Some(case) = evidence.cases.get(&format!("bad/{}", case.name)) else { continue };
        let spoilt = case.refuses.get(key).or_else(|| case.changes.get(key));
        // What it does with the sound one, too, says nothing of the fault.
        if spoilt.is_some() && !base.is_some_and(|base| base.takes.contains(key)) {
            return None;
        }
        match (case.refuses.get(key), case.changes.get(key)) {
            (Some(words), _) => refused.push(words.clone()),
            (None, Some(words)) => changed.push(words.clone()),
            (None, None) => taken += usize::from(case.takes.contains(key)),
        }
    }
    let all = refused.len() + changed.len() + taken;
    let first = refused.first().or(changed.first()).cloned();
    Some(match (refused.len(), changed.len(), taken, first) {
        (0, 0, 0, _) => return None,
        (_, _, _, None) => Does::Takes,
        (_, 0, 0, Some(words)) => Does::Refuses(words),
        (0, _, 0, Some(words)) => Does::Changes(words),
        (_, _, 0, Some(words)) => Does::Spoils(words),
        (r, c, _, Some(words)) => Does::Some(r + c, all, words),
    })
}

/// What restow calls a recorded tool.
fn tool(name: &str) -> Option<Tool> {
    let all = [
        Tool::Docker,
        Tool::Containerd,
        Tool::Skopeo,
        Tool::Podman,
        Tool::Buildah,
        Tool::Umoci,
        Tool::Registry,
    ];
    all.into_iter().find(|tool| tool.name().eq_ignore_ascii_case(name))
}

fn seen(evidence: &Evidence, cases: &[&Bad]) -> Seen {
    let asked: BTreeSet<&String> = cases
        .iter()
        .filter_map(|case| evidence.cases.get(&format!("bad/{}", case.name)))
        .flat_map(keys)
        .collect();
    // By what a tool does at a step: its versions, in the order in which they were recorded.
    let mut told: BTreeMap<(usize, &str, Does), Vec<&str>> = BTreeMap::new();
    let mut breaks = BTreeSet::new();
    for key in asked {
        let mut words = key.splitn(3, ' ');
        let (Some(name), Some(version), Some(step)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        let Some(does) = did(evidence, cases, key) else { continue };
        let Some(tool) = tool(name) else { continue };
        if matches!(does, Does::Refuses(_) | Does::Changes(_) | Does::Spoils(_)) {
            breaks.insert(tool.name());
        }
        told.entry((tool as usize, step, does)).or_default().push(version);
    }
    let lines = told.into_iter().map(|((nth, step, does), versions)| {
        let name = evidence.tools.iter().filter_map(|known| tool(&known.tool)).find(|t| *t as usize == nth);
        let name = name.map_or("a tool", Tool::name);
        let versions = versions.join(" and ");
        let head = format!("{name} {versions} (`{step}`)");
        match does {
            Does::Refuses(words) => format!("{head} refuses it: {}", quoted(&words)),
            Does::Changes(words) => format!("{head} makes something else of it: {words}"),
            Does::Spoils(words) => {
                format!("{head} refuses it or makes something else of it: {}", quoted(&words))
            }
            Does::Some(some, all, words) => {
                format!("{head} does not take {some} of {all} cases: {}", quoted(&words))
            }
            Does::Takes => format!("{head} takes it"),
        }
    });
    let lines = lines.collect();
    Seen { breaks, lines }
}

/// Another tool's words, as code.
fn quoted(words: &str) -> String {
    format!("`{}`", words.replace('`', "'"))
}

/// What was seen, by rule; rules of which no tool could be asked are left out.
pub fn all() -> Result<BTreeMap<&'static str, Seen>, String> {
    let text = std::fs::read_to_string(source("evidence.json")).map_err(|error| error.to_string())?;
    let evidence: Evidence = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let cases = bad::all()?;
    let by_rule = cases_by_rule(&cases);
    let seen = by_rule.into_iter().map(|(rule, cases)| (rule, seen(&evidence, &cases)));
    Ok(seen.filter(|(_, seen)| !seen.lines.is_empty()).collect())
}

/// `seen.json`: each line once, and for each rule the numbers of its lines, since most lines are those of many rules.
fn table(all: &BTreeMap<&'static str, Seen>) -> String {
    let lines: BTreeSet<&String> = all.values().flat_map(|seen| &seen.lines).collect();
    let numbers: BTreeMap<&String, usize> = lines.iter().zip(0..).map(|(line, nth)| (*line, nth)).collect();
    let written = |line: &&String| serde_json::to_string(line).expect("JSON");
    let lines: Vec<String> = lines.iter().map(written).collect();
    let rules = all.iter().map(|(rule, seen)| {
        let numbers: Vec<usize> = seen.lines.iter().map(|line| numbers[line]).collect();
        format!("\"{rule}\":{}", serde_json::to_string(&numbers).expect("JSON"))
    });
    let rules: Vec<String> = rules.collect();
    format!("{{\"lines\":[\n{}\n],\"rules\":{{\n{}\n}}}}\n", lines.join(",\n"), rules.join(",\n"))
}

/// The rule's list of tools is what was seen, and so is what its page tells.
pub fn are_what_was_seen() {
    let all = all().expect("src/rules/evidence.json");
    let text = table(&all);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(source("seen.json"), &text).expect("written");
    }
    let there = std::fs::read_to_string(source("seen.json")).unwrap_or_default();
    assert!(
        there == text,
        "src/rules/seen.json is stale: BLESS=1 cargo test --test cases rules:: writes it anew"
    );
    let claimed = |rule: &Rule| rule.breaks.iter().map(|tool| tool.name()).collect::<BTreeSet<_>>();
    let none = BTreeSet::new();
    let wrong: Vec<String> = rules::all()
        .into_iter()
        .filter_map(|rule| {
            let seen = all.get(rule.name).map_or(&none, |seen| &seen.breaks);
            let claimed = claimed(rule);
            (claimed != *seen).then(|| format!("{}: says {claimed:?}, seen {seen:?}", rule.name))
        })
        .collect();
    assert!(wrong.is_empty(), "{}\n{} rules", wrong.join("\n"), wrong.len());
}

/// Each case is recorded as its bytes are now, so no claim outlives the case that it was made of. Where the tools are not
/// at hand a case may be newer than the record.
pub fn are_of_these_cases() {
    if std::env::var("CI").is_ok_and(|value| value != "true") || std::env::var_os("CI").is_none() {
        return;
    }
    let text = std::fs::read_to_string(source("evidence.json")).expect("src/rules/evidence.json");
    let evidence: Evidence = serde_json::from_str(&text).expect("JSON");
    assert!(evidence.tools.len() >= 7, "{} tools", evidence.tools.len());
    let cases = bad::all().expect("cases");
    let bases: BTreeSet<&str> = cases.iter().map(|case| case.spec.base.as_str()).collect();
    let stored = |case: &Bad| Ok::<_, String>(case.folder.join(case.stored()?));
    let archives = cases
        .iter()
        .filter(|case| case.form().is_ok_and(|form| FORMS.contains(&form.as_str())))
        .map(|case| (format!("bad/{}", case.name), stored(case).expect("stored")))
        .chain(case::all().into_iter().filter(|case| bases.contains(case.name.as_str())).filter_map(
            |case| {
                let form = case.name.split('/').next()?;
                FORMS.contains(&form).then(|| (format!("good/{}", case.name), case.archive.clone()))
            },
        ));
    let stale: Vec<String> = archives
        .filter(|(name, path)| {
            evidence.cases.get(name).is_none_or(|known| known.bytes != bytes(path).expect("readable"))
        })
        .map(|(name, _)| name)
        .collect();
    assert!(
        stale.is_empty(),
        "not recorded as they are: {stale:?}; RESTOW_EVIDENCE=write cargo test --test evidence -- NAME does it"
    );
}
