//! Advice is executed: the command of every finding of every case of the corpus is run as it stands in the report, is not
//! refused, and the finding is gone afterwards. Words of advice name no command and no option.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use libtest_mimic::Failed;
use restow::finding::{Remedy, Rule};
use restow::rules;
use serde_json::Value;

use crate::Test;
use crate::common::Restow;
use crate::stored::{bad, case, each};

pub fn tests() -> Vec<Test> {
    let bless = std::env::var_os("BLESS").is_some();
    vec![
        Test::new("every command does what it says", move || executed(bless)),
        Test::plain("words name no command", words),
        Test::plain("few are shown alone", shown),
    ]
}

/// An archive, and the options that `check` needs.
struct Case {
    name: String,
    folder: PathBuf,
    place: String,
    options: Vec<String>,
}

fn cases() -> Result<Vec<Case>, Failed> {
    let mut found = Vec::new();
    for bad in bad::all()? {
        let place = bad.place()?;
        let name = format!("bad/{}", bad.name);
        found.push(Case { name, folder: bad.folder, place, options: bad.spec.args });
    }
    for good in case::all() {
        let place = good.archive.file_name().ok_or("no name")?.to_string_lossy().into_owned();
        let folder = good.archive.parent().ok_or("no folder")?.to_owned();
        found.push(Case { name: format!("good/{}", good.name), folder, place, options: Vec::new() });
    }
    Ok(found)
}

/// The findings of a place, of every level, and its form.
fn check(case: &Case, place: &str, options: &[String]) -> Result<(Vec<Value>, String), Failed> {
    let work = tempfile::tempdir()?;
    let mut command = Restow::new(work.path()).command();
    command.current_dir(&case.folder).args(["check", "--report=json"]).args(options).arg(place);
    let out = command.output()?;
    let report: Value = serde_json::from_slice(&out.stdout).map_err(|error| {
        format!("{}: check {place}: {error}: {}", case.name, String::from_utf8_lossy(&out.stderr))
    })?;
    let source = &report["sources"][0];
    let form = source["form"].as_str().unwrap_or_default().to_owned();
    Ok((source["findings"].as_array().cloned().unwrap_or_default(), form))
}

/// Every command of a case's report; the rules whose command was run, and what went wrong.
fn run(case: &Case) -> Result<(BTreeSet<String>, Vec<String>), Failed> {
    let (findings, form) = check(case, &case.place, &case.options)?;
    let mut commands: BTreeMap<(String, Vec<String>), String> = BTreeMap::new();
    for finding in &findings {
        let rule = finding["rule"].as_str().unwrap_or_default().to_owned();
        let help = finding["help"].as_str().unwrap_or_default().to_owned();
        let Some(words) = finding["command"].as_array() else { continue };
        let words: Vec<String> =
            words.iter().map(|word| word.as_str().unwrap_or_default().to_owned()).collect();
        if !help.ends_with(&format!("`{}`", words.join(" "))) {
            return Err(format!("{}: the help does not end with the command: {help}", case.name).into());
        }
        commands.insert((rule, words), help);
    }
    let (mut done, mut wrong) = (BTreeSet::new(), Vec::new());
    for (rule, words) in commands.into_keys() {
        let work = tempfile::tempdir()?;
        let to = destination(&form, &case.place, work.path());
        let typed: Vec<String> = words
            .iter()
            .skip(1)
            .map(|word| match word.as_str() {
                "DESTINATION" => to.clone(),
                "NAME:TAG" => "lab/advised:1".to_owned(),
                word if word.ends_with("SOURCE") => word.replace("SOURCE", bare(&case.place, word)),
                word => word.replace("VALUE", "1000000"),
            })
            .collect();
        let mut command = Restow::new(work.path()).command();
        command.current_dir(&case.folder).args(&typed);
        let converts = typed.first().is_some_and(|verb| verb == "convert");
        if !converts {
            command.arg("--report=json");
        }
        let out = command.output()?;
        let shown = words.join(" ");
        let allowed = if converts { 0..=0 } else { 0..=1 };
        if !out.status.code().is_some_and(|code| allowed.contains(&code)) {
            let said = String::from_utf8_lossy(&out.stderr);
            let said = said.lines().take(3).collect::<Vec<_>>().join(" / ");
            wrong.push(format!("{}: {rule}: `{shown}` is refused: {said}", case.name));
            continue;
        }
        let after = match converts {
            true => check(case, &to, &levels(&case.options))?.0,
            false => {
                let report: Value = serde_json::from_slice(&out.stdout)?;
                report["sources"][0]["findings"].as_array().cloned().unwrap_or_default()
            }
        };
        if after.iter().any(|finding| finding["rule"] == rule.as_str()) {
            wrong.push(format!("{}: {rule}: `{shown}` leaves it", case.name));
        }
        done.insert(rule);
    }
    Ok((done, wrong))
}

/// A place of the same form.
fn destination(form: &str, place: &str, work: &Path) -> String {
    let out = work.join("out");
    let form = match form {
        "oci" if place.ends_with("archive") => "oci",
        "oci" => "oci-archive",
        form => form,
    };
    format!("{form}:{}", out.display())
}

/// A place as it goes behind what a command has in front of it.
fn bare<'p>(place: &'p str, word: &str) -> &'p str {
    match word {
        "SOURCE" => place,
        _ => place.split_once(':').map_or(place, |(_, path)| path),
    }
}

/// Of a case's options those that turn rules on.
fn levels(options: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match option.as_str() {
            "-W" | "-D" | "-A" | "--profile" => {
                kept.push(option.clone());
                kept.extend(options.next().cloned());
            }
            _ => {}
        }
    }
    kept
}

/// Rules with a command that no case of the corpus shows with it, and why.
const NOT_RUN: &[(&str, &str)] = &[];

fn executed(bless: bool) -> Result<(), Failed> {
    let cases = cases()?;
    let (mut done, mut wrong, mut commands) = (BTreeSet::new(), Vec::new(), 0);
    for (_, found) in each(&cases, run) {
        match found {
            Ok((rules, more)) => {
                commands += rules.len();
                done.extend(rules);
                wrong.extend(more);
            }
            Err(error) => wrong.push(error.message().unwrap_or_default().to_owned()),
        }
    }
    let all = rules::all();
    let promised: Vec<&&Rule> = all.iter().filter(|rule| does(rule)).collect();
    let excused = |name: &str| NOT_RUN.iter().any(|(known, _)| *known == name);
    for rule in &promised {
        if !done.contains(rule.name) && !excused(rule.name) {
            wrong.push(format!("{}: no case of the corpus shows its command", rule.name));
        }
    }
    if !wrong.is_empty() {
        wrong.sort();
        return Err(format!("{} wrong:\n{}", wrong.len(), wrong.join("\n")).into());
    }
    let line = format!(
        "The corpus has {commands} such commands of {} kinds of findings: each was run, none was refused, and what it is for was gone.",
        done.len()
    );
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reports.md");
    let text = std::fs::read_to_string(&page)?;
    let begins = "The corpus has ";
    let old =
        text.lines().find(|line| line.starts_with(begins)).ok_or("docs/reports.md tells the figures")?;
    if bless {
        return Ok(std::fs::write(&page, text.replace(old, &line))?);
    }
    if old == line { Ok(()) } else { Err(format!("docs/reports.md says\n{old}\nit is\n{line}").into()) }
}

/// Whether a rule has a command that can be run.
fn does(rule: &Rule) -> bool {
    matches!(rule.remedy, Remedy::Convert(_) | Remedy::Raise(_) | Remedy::Prefix(_))
}

/// Commands are data: no text of a rule's advice has one in it, nor an option; nor has any help that the corpus shows.
fn words() {
    let named = |text: &str| {
        let mut words = text.split([' ', '`', '(', ')', ',', ';', ':']);
        let option = |word: &str| {
            word.strip_prefix("--").is_some_and(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
                || matches!(word, "-W" | "-A" | "-D")
        };
        let tools = ["`restow ", "`docker ", "`tar ", "`gzip ", "`skopeo ", "`registry ", "`go ", "`chmod"];
        words.any(option) || tools.iter().any(|tool| text.contains(tool))
    };
    let wrong: Vec<&str> = rules::all()
        .into_iter()
        .filter(|rule| named(rule.mend) && !matches!(rule.remedy, Remedy::Shown(_)))
        .map(|rule| rule.name)
        .collect();
    assert!(wrong.is_empty(), "advice with commands in its words: {wrong:?}");
    for case in cases().expect("cases") {
        let Ok((findings, _)) = check(&case, &case.place, &case.options) else { continue };
        for finding in findings {
            let help = finding["help"].as_str().unwrap_or_default();
            let command: Vec<&str> =
                finding["command"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let own = help.strip_suffix(&format!("`{}`", command.join(" "))).unwrap_or(help);
            assert!(!named(own), "{}: {help}", case.name);
        }
    }
}

/// At most one kind in ten of those that name a command shows it alone.
fn shown() {
    let all = rules::all();
    let shown = all.iter().filter(|rule| matches!(rule.remedy, Remedy::Shown(_))).count();
    let run = all.iter().filter(|rule| does(rule)).count();
    assert!(shown * 10 <= shown + run, "{shown} are shown alone, {run} are run");
}
