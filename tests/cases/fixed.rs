//! What `convert --fix` promises, with every case of the corpus that has a fix: it is made, what it is for is gone, and
//! nothing new is found; a fix that rests on an assumption is made by `all` alone. `docs/fixes.md` has the table.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::common::Restow;
use crate::stored::{bad, case, each};

pub fn tests() -> Vec<Test> {
    let bless = std::env::var_os("BLESS").is_some();
    vec![Test::new("every fix of the corpus is made", move || every(bless))]
}

/// A case with a fix.
struct Case {
    name: String,
    /// The sound archive that it was made from.
    base: Option<PathBuf>,
    folder: PathBuf,
    place: String,
    options: Vec<String>,
    document: bool,
}

/// What became of the fixes of a rule.
#[derive(Default, Clone)]
struct Row {
    /// Cases that show it.
    cases: usize,
    /// Of those in which it was made and gone.
    fixed: usize,
    /// Those in which something else keeps the archive from being written.
    blocked: usize,
    /// Documents that stand alone, in which the bytes of the list were changed.
    alone: usize,
}

type Table = BTreeMap<(String, &'static str), Row>;

fn cases() -> Result<Vec<Case>, Failed> {
    let mut found = Vec::new();
    let good = case::all();
    for bad in bad::all()? {
        let place = bad.place()?;
        let document = bad.shape()? == bad::Shape::Document;
        let base = good.iter().find(|good| format!("good/{}", good.name) == bad.spec.base);
        let base = base.or_else(|| good.iter().find(|good| good.name == bad.spec.base));
        let base = base.map(|good| good.archive.clone());
        found.push(Case {
            base,
            name: bad.name,
            folder: bad.folder,
            place,
            options: bad.spec.args,
            document,
        });
    }
    Ok(found)
}

fn restow(case: &Case, arguments: &[String]) -> Result<(i32, Vec<u8>, String), Failed> {
    let work = tempfile::tempdir()?;
    let mut command = Restow::new(work.path()).command();
    let out = command.current_dir(&case.folder).args(arguments).output()?;
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    Ok((out.status.code().unwrap_or(-1), out.stdout, said))
}

/// The findings of a place, its form, and the commands to run next.
fn check(case: &Case, place: &str, options: &[String]) -> Result<(Vec<Value>, String, Value), Failed> {
    let arguments =
        [&["check", "--report=json"].map(str::to_owned)[..], options, &[place.to_owned()]].concat();
    let (_, out, said) = restow(case, &arguments)?;
    let report: Value = serde_json::from_slice(&out)
        .map_err(|error| format!("{}: check {place}: {error}: {said}", case.name))?;
    let source = &report["sources"][0];
    let form = source["form"].as_str().unwrap_or_default().to_owned();
    let findings = source["findings"].as_array().cloned().unwrap_or_default();
    Ok((findings, form, source["suggest"].clone()))
}

/// Whether a command is among those to run next.
fn suggests(suggest: &Value, command: &[&str]) -> bool {
    let command = serde_json::json!(command);
    suggest.as_array().is_some_and(|commands| commands.contains(&command))
}

/// A repair that is suggested has something to do where the sound archive is at hand.
fn repaired(case: &Case) -> Result<(), Failed> {
    let Some(base) = &case.base else { return Ok(()) };
    let arguments = ["repair", "--account", "-", &case.place, "--from", &base.display().to_string()];
    let (code, out, said) = restow(case, &arguments.map(str::to_owned))?;
    let account: Value = serde_json::from_slice(&out).unwrap_or_default();
    let some = |list: &str| account[list].as_array().is_some_and(|list| !list.is_empty());
    match code == 1 && (some("steps") || some("left")) {
        true => Ok(()),
        false => Err(format!("{}: a repair is suggested: exit {code}: {said}{account:#}", case.name).into()),
    }
}

/// How often each rule is found, what it leaves out included.
fn counted(findings: &[Value]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for finding in findings {
        let rule = finding["rule"].as_str().unwrap_or_default().to_owned();
        *counts.entry(rule).or_default() += 1 + finding["omitted"].as_u64().unwrap_or(0);
    }
    counts
}

/// The rules of which a finding has a fix of these.
fn with_fix(findings: &[Value], wanted: &[&str]) -> BTreeSet<String> {
    let fix = |finding: &&Value| {
        finding["fix"]["applicability"].as_str().is_some_and(|applicability| wanted.contains(&applicability))
    };
    findings.iter().filter(fix).filter_map(|finding| finding["rule"].as_str()).map(str::to_owned).collect()
}

fn run(case: &Case) -> Result<(Table, Vec<String>), Failed> {
    let (mut table, mut wrong) = (Table::new(), Vec::new());
    let (before, form, suggest) = check(case, &case.place, &case.options)?;
    let safe = with_fix(&before, &["safe"]);
    let promised = suggests(&suggest, &["restow", "convert", "--fix", "safe", "SOURCE", "DESTINATION"]);
    if suggests(&suggest, &["restow", "repair", "SOURCE", "--from", "PLACE"]) {
        wrong.extend(repaired(case).err().and_then(|error| error.message().map(str::to_owned)));
    }
    let unsure: BTreeSet<String> = with_fix(&before, &["maybe"]).difference(&safe).cloned().collect();
    for (level, rules, kind) in [("safe", &safe, "safe"), ("all", &unsure, "maybe")] {
        if rules.is_empty() {
            continue;
        }
        if kind == "maybe" && !case.document && safe.is_empty() {
            // Not with `safe`.
            if let Outcome::Wrong(why) = converted(case, "safe", &form, &BTreeSet::new(), &before)? {
                wrong.push(format!("{}: --fix safe: {why}", case.name));
            }
        }
        let outcome = match case.document {
            true => alone(case, rules, &before)?,
            false => converted(case, level, &form, rules, &before)?,
        };
        for rule in rules {
            let row = table.entry((rule.clone(), kind)).or_default();
            row.cases += 1;
            match &outcome {
                Outcome::Fixed if case.document => row.alone += 1,
                Outcome::Fixed => row.fixed += 1,
                Outcome::Blocked => row.blocked += 1,
                Outcome::Wrong(_) => {}
            }
        }
        if promised && level == "safe" && matches!(outcome, Outcome::Blocked) {
            wrong.push(format!("{}: the report suggests --fix safe, which is refused", case.name));
        }
        if let Outcome::Wrong(why) = outcome {
            wrong.push(format!("{}: --fix {level}: {why}", case.name));
        }
    }
    Ok((table, wrong))
}

enum Outcome {
    Fixed,
    Blocked,
    Wrong(String),
}

/// Converts a case to its own form with its fixes, and judges what was written.
fn converted(
    case: &Case,
    level: &str,
    form: &str,
    rules: &BTreeSet<String>,
    before: &[Value],
) -> Result<Outcome, Failed> {
    let work = tempfile::tempdir()?;
    let out = work.path().join("out");
    let form = match form {
        "oci" if case.place.ends_with("archive") => "oci",
        "oci" => "oci-archive",
        form => form,
    };
    let to = format!("{form}:{}", out.display());
    let account = work.path().join("account.json");
    let options = kept(&case.options);
    let words = ["convert", "--fix", level, "--account", &account.display().to_string()].map(str::to_owned);
    let arguments = [&words[..], &options, &[case.place.clone(), to.clone()]].concat();
    let (code, _, said) = restow(case, &arguments)?;
    let first = said.lines().take(3).collect::<Vec<_>>().join(" / ");
    if code != 0 {
        // What keeps it from being written is something that none of these fixes is about.
        let plain = [&["convert".to_owned()][..], &options, &[case.place.clone(), format!("{to}2")]].concat();
        let (without, ..) = restow(case, &plain)?;
        return Ok(match (code, without) {
            (1 | 2, 1 | 2) => Outcome::Blocked,
            _ => Outcome::Wrong(format!("refused: {first}")),
        });
    }
    let entries: Value = serde_json::from_slice(&std::fs::read(&account)?)?;
    let lines: BTreeSet<String> = entries["entries"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|entry| entry["action"] == "fixed")
        .filter_map(|entry| entry["why"].as_str()?.split_once(": ").map(|(rule, _)| rule.to_owned()))
        .collect();
    // What goes has the line that it has in every conversion.
    let goes = |rule: &str| {
        before
            .iter()
            .any(|finding| finding["rule"] == rule && finding["fix"]["changes"][0]["action"] == "delete")
    };
    let dropped = entries["entries"].as_array().into_iter().flatten();
    let dropped = dropped.clone().any(|entry| entry["kind"] == "blob" && entry["action"] == "dropped");
    let missing: Vec<&String> = rules.difference(&lines).filter(|rule| !(dropped && goes(rule))).collect();
    if !missing.is_empty() {
        return Ok(Outcome::Wrong(format!("no line of the account for {missing:?}: {first}")));
    }
    let unsure = &with_fix(before, &["maybe"]) - &with_fix(before, &["safe"]);
    if level == "safe" && !unsure.is_disjoint(&lines) {
        return Ok(Outcome::Wrong("what rests on an assumption was fixed".into()));
    }
    let (after, ..) = check(case, &to, &options)?;
    Ok(judged(case, rules, before, &after))
}

/// What is found once something is fixed, and is no new fault.
const SHOWN: &[(&str, &str, &str)] = &[
    (
        "config/diff-id-mismatch",
        "tar/truncated",
        "the layer was judged by its diff ID alone while that was another one",
    ),
    (
        "config/history-shorter",
        "config/history-missing",
        "a history that says too little is left out, which is a note",
    ),
    ("index/manifests-null", "index/empty", "null becomes the empty list that it stands for"),
    ("manifest/layers-null", "manifest/no-layers", "null becomes the empty list that it stands for"),
    ("v1/command-string", "config/docker-member", "the config that is made of v1 images has what they have"),
    ("v1/unknown-image", "config/docker-member", "the config that is made of v1 images has what they have"),
];

/// What was fixed is gone, and nothing is found that was not there.
fn judged(case: &Case, rules: &BTreeSet<String>, before: &[Value], after: &[Value]) -> Outcome {
    let (before, found) = (counted(before), counted(after));
    if let Some(rule) = rules.iter().find(|rule| with_fix(after, &["safe", "maybe"]).contains(*rule)) {
        let message = after.iter().find(|finding| finding["rule"] == rule.as_str());
        return Outcome::Wrong(format!(
            "{rule} is still there: {}",
            message.map_or(&Value::Null, |f| &f["message"])
        ));
    }
    let shown = |rule: &str| SHOWN.iter().any(|(by, new, _)| case.name.starts_with(by) && rule == *new);
    match found.iter().find(|(rule, _)| !before.contains_key(*rule) && !shown(rule)) {
        Some((rule, _)) => {
            let finding = after.iter().find(|finding| finding["rule"] == rule.as_str());
            Outcome::Wrong(format!("{rule} is new: {}", finding.map_or(&Value::Null, |f| &f["message"])))
        }
        None => Outcome::Fixed,
    }
}

/// Of a document alone the list of fixes gives the bytes to change.
fn alone(case: &Case, rules: &BTreeSet<String>, before: &[Value]) -> Result<Outcome, Failed> {
    let path = case.folder.join(&case.place);
    let list =
        [&["check", "--fixes", "-"].map(str::to_owned)[..], &case.options, std::slice::from_ref(&case.place)]
            .concat();
    let (_, out, said) = restow(case, &list)?;
    let list: Value =
        serde_json::from_slice(&out).map_err(|error| format!("{}: {error}: {said}", case.name))?;
    let fixes = list["sources"][0]["fixes"].as_array().cloned().unwrap_or_default();
    let wanted = fixes.iter().filter(|fix| fix["together"] == "now");
    let wanted = wanted.filter(|fix| fix["rule"].as_str().is_some_and(|rule| rules.contains(rule)));
    let mut spans: Vec<(u64, u64, String)> = Vec::new();
    for change in wanted.flat_map(|fix| fix["changes"].as_array().into_iter().flatten()) {
        let at = |end: &str| change["span"][end].as_u64();
        let (Some(start), Some(end)) = (at("start"), at("end")) else { return Ok(Outcome::Blocked) };
        spans.push((start, end, change["text"].as_str().unwrap_or_default().to_owned()));
    }
    spans.sort();
    spans.dedup();
    if spans.windows(2).any(|pair| pair[0].1 > pair[1].0) {
        return Ok(Outcome::Blocked);
    }
    let mut bytes = std::fs::read(&path)?;
    for (start, end, text) in spans.into_iter().rev() {
        bytes.splice(start as usize..end as usize, text.into_bytes());
    }
    let work = tempfile::tempdir()?;
    let file = work.path().join(path.file_name().ok_or("no name")?);
    std::fs::write(&file, bytes)?;
    let (after, ..) = check(case, &file.display().to_string(), &case.options)?;
    Ok(judged(case, rules, before, &after))
}

/// Of a case's options those that a conversion takes.
fn kept(options: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match option.as_str() {
            "-W" | "-D" | "-A" | "--profile" | "--limit" => {
                kept.push(option.clone());
                kept.extend(options.next().cloned());
            }
            _ => {}
        }
    }
    kept
}

fn every(bless: bool) -> Result<(), Failed> {
    let cases = cases()?;
    let (mut table, mut wrong) = (Table::new(), Vec::new());
    for (case, found) in each(&cases, run) {
        match found {
            Ok((rows, more)) => {
                for (key, row) in rows {
                    let sum = table.entry(key).or_default();
                    sum.cases += row.cases;
                    sum.fixed += row.fixed;
                    sum.blocked += row.blocked;
                    sum.alone += row.alone;
                }
                wrong.extend(more);
            }
            Err(error) => wrong.push(format!("{}: {}", case.name, error.message().unwrap_or_default())),
        }
    }
    if !wrong.is_empty() {
        wrong.sort();
        return Err(format!("{} wrong:\n{}", wrong.len(), wrong.join("\n")).into());
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fixes.md");
    let text = std::fs::read_to_string(&page)?;
    let (begin, end) =
        ("<!-- fixes: BLESS=1 cargo test --test cases fixed:: -->\n\n", "\n<!-- end of fixes -->");
    let (head, rest) = text.split_once(begin).ok_or("docs/fixes.md has no table")?;
    let (old, tail) = rest.split_once(end).ok_or("docs/fixes.md has no end of the table")?;
    let new = shown(&table);
    if bless {
        return Ok(std::fs::write(&page, format!("{head}{begin}{new}{end}{tail}"))?);
    }
    if old == new { Ok(()) } else { Err(format!("docs/fixes.md says\n{old}\nit is\n{new}").into()) }
}

fn shown(table: &Table) -> String {
    let rows = || table.values();
    let sum = |of: fn(&Row) -> usize| rows().map(of).sum::<usize>();
    let mut text = format!(
        "{} fixes of {} rules in the cases of the corpus: {} made by a conversion, {} in a document alone, {} in an archive \
         that something else keeps from being written.\n\n| Rule | Fix | Cases | Made and gone | Alone | Not written |\n|---|---|---|---|---|---|\n",
        sum(|row| row.cases),
        table.keys().map(|(rule, _)| rule).collect::<BTreeSet<_>>().len(),
        sum(|row| row.fixed),
        sum(|row| row.alone),
        sum(|row| row.blocked),
    );
    for ((rule, kind), row) in table {
        let number = |n: usize| if n == 0 { "–".to_owned() } else { n.to_string() };
        text.push_str(&format!(
            "| [`{rule}`](rules.md#{}) | {kind} | {} | {} | {} | {} |\n",
            rule.replace('/', ""),
            row.cases,
            number(row.fixed),
            number(row.alone),
            number(row.blocked)
        ));
    }
    text
}
