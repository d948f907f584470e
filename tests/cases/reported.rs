//! Public reports (`corpus/reports.toml`) and what restow says of the cases that stand for them: `docs/reported.md`, which
//! `BLESS=1` writes anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use libtest_mimic::Failed;
use serde::Deserialize;
use serde_json::Value;

use crate::common::Restow;
use crate::stored::{bad, case};
use crate::{Test, same};

pub fn tests() -> Vec<Test> {
    let bless = std::env::var_os("BLESS").is_some();
    vec![Test::new("docs/reported.md says what is said", move || page(bless))]
}

/// `corpus/reports.toml`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    report: Vec<Report>,
}

/// One situation, and whoever reported it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    public: Vec<String>,
    situation: String,
    cases: Vec<String>,
    /// Options of `restow convert` that answer the report.
    #[serde(default)]
    with: Vec<String>,
}

/// What stands for a report.
enum Input {
    /// A case of the corpus, and the options that `check` needs.
    Stored(PathBuf, Vec<String>),
    /// What is no archive.
    Junk(Vec<u8>),
    /// The same as a folder.
    Files(Vec<(&'static str, &'static [u8])>),
}

fn inputs() -> Result<BTreeMap<String, Input>, Failed> {
    let mut found = BTreeMap::new();
    for bad in bad::all()? {
        let path = bad.folder.join(bad.stored()?);
        found.insert(format!("bad/{}", bad.name), Input::Stored(path, bad.spec.args));
    }
    for case in case::all() {
        found.insert(format!("good/{}", case.name), Input::Stored(case.archive, Vec::new()));
    }
    found.extend(
        same::junk().into_iter().map(|(name, bytes, _)| (format!("junk/{name}"), Input::Junk(bytes))),
    );
    let folders = same::folders().into_iter();
    found.extend(folders.map(|(name, files, _)| (format!("junk/{name}"), Input::Files(files))));
    Ok(found)
}

fn page(bless: bool) -> Result<(), Failed> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("corpus/reports.toml"))?;
    let File { report: reports } = toml::from_str(&text)?;
    let inputs = inputs()?;
    let mut jobs = Vec::new();
    for report in &reports {
        for name in &report.cases {
            let input = inputs.get(name).ok_or_else(|| format!("there is no case {name}"))?;
            jobs.push((report, name, input));
        }
    }
    let said = Mutex::new(BTreeMap::new());
    let next = Mutex::new(jobs.iter().enumerate());
    let failed = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, |cores| cores.get()) {
            scope.spawn(|| {
                loop {
                    let job = next.lock().expect("a lock").next();
                    let Some((n, (report, name, input))) = job else { return };
                    match row(report, name, input) {
                        Ok(cells) => drop(said.lock().expect("a lock").insert(n, cells)),
                        Err(error) => *failed.lock().expect("a lock") = Some(error),
                    }
                }
            });
        }
    });
    if let Some(error) = failed.into_inner()? {
        return Err(error);
    }
    let said = said.into_inner()?;
    let public: usize = reports.iter().map(|report| report.public.len()).sum();
    let mut out = HEAD.replace("@public", &public.to_string());
    out = out.replace("@rows", &jobs.len().to_string());
    let mut before = None;
    for (n, (report, name, _)) in jobs.iter().enumerate() {
        let again = before == Some(std::ptr::from_ref(*report));
        before = Some(std::ptr::from_ref(*report));
        let (public, situation) = match again {
            true => (String::new(), String::new()),
            false => (report.public.join(", "), report.situation.clone()),
        };
        let cells = &said[&n];
        out.push_str(&format!("| {public} | {situation} | {} | {} |\n", linked(name), cells.join(" | ")));
    }
    let file = root.join("docs/reported.md");
    if bless {
        return Ok(std::fs::write(file, out)?);
    }
    let stands = std::fs::read_to_string(file).unwrap_or_default();
    for (now, then) in out.lines().zip(stands.lines()) {
        if now != then {
            return Err(
                format!("docs/reported.md says (BLESS=1 writes it anew)\n{then}\nnow it is\n{now}").into()
            );
        }
    }
    if out == stands { Ok(()) } else { Err("docs/reported.md has another length (BLESS=1)".into()) }
}

const HEAD: &str = "\
# Public reports, and what restow says

@public public reports of archives that tools refused, lost or misread, and @rows archives that stand for them: cases of
[the corpus](../corpus/README.md), or bytes that are no archive. `tests/cases/reported.rs` runs every row and holds the page to
it; `corpus/reports.toml` has the list.

`check` is what `restow check` says, with its exit status where that is not 0; notes are left out. `convert` is a conversion
to each form (docker-archive, its legacy form, oci, oci-archive, dir, registry-storage), without options and, behind the
semicolon, to an OCI layout or the form that the option is for with those that answer the report. `compare` is the source
beside the OCI layout that was made of it.

| Report | Situation | Case | `check` | `convert` | `compare` |
|---|---|---|---|---|---|
";

fn linked(name: &str) -> String {
    match name.starts_with("junk/") {
        true => format!("`{name}`"),
        false => format!("[{name}](../corpus/{name}/case.toml)"),
    }
}

/// The cells of `check`, `convert` and `compare`.
fn row(report: &Report, name: &str, input: &Input) -> Result<[String; 3], Failed> {
    let work = tempfile::tempdir()?;
    let place = work.path().join("input");
    let (place, options) = match input {
        Input::Stored(path, options) => (path.clone(), options.clone()),
        Input::Junk(bytes) => {
            std::fs::write(&place, bytes)?;
            (place, Vec::new())
        }
        Input::Files(files) => {
            for (name, bytes) in files {
                let path = place.join(name);
                std::fs::create_dir_all(path.parent().unwrap_or(&place))?;
                std::fs::write(path, bytes)?;
            }
            (place, Vec::new())
        }
    };
    let restow = Restow::new(work.path());
    let text = place.display().to_string();
    let check = check(&restow, &text, &options)?;
    let (convert, copy) = convert(&restow, &text, work.path())?;
    let with = match report.with.is_empty() {
        true => String::new(),
        false => format!("; {}", with(&restow, &text, work.path(), &report.with).map_err(|e| at(name, e))?),
    };
    let compare = match copy {
        true => {
            let there = format!("oci:{}", work.path().join("oci").display());
            let code = restow.run(&["compare".into(), text, there])?.code;
            ["same", "differs or is not sound (1)", "exit 2"][usize::try_from(code.clamp(0, 2))?].to_owned()
        }
        false => "-".to_owned(),
    };
    Ok([check, convert + &with, compare])
}

fn at(name: &str, error: Failed) -> Failed {
    format!("{name}: {}", error.message().unwrap_or_default()).into()
}

/// The rules that are reported at error and warning, and the exit status.
fn check(restow: &Restow, place: &str, options: &[String]) -> Result<String, Failed> {
    let mut arguments = vec!["check".to_owned(), "--report=json".to_owned()];
    arguments.extend(options.iter().cloned());
    arguments.push(place.to_owned());
    let output = restow.run(&arguments)?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let source = &report["sources"][0];
    if output.code == 2 {
        let error = output.stderr.lines().next().unwrap_or_default();
        let why = error.split_once("is not an image archive: ").map_or(error, |(_, why)| why);
        return Ok(format!("exit 2: {}", why.replace('|', "\\|")));
    }
    let mut counts: BTreeMap<(bool, String), usize> = BTreeMap::new();
    for finding in source["findings"].as_array().into_iter().flatten() {
        let level = finding["level"].as_str().unwrap_or_default();
        if level != "note" {
            let rule = finding["rule"].as_str().unwrap_or_default().to_owned();
            *counts.entry((level != "error", rule)).or_default() += 1;
        }
    }
    let word = |warning: bool| if warning { "warning" } else { "error" };
    let rules: Vec<String> = counts
        .into_iter()
        .map(|((warning, rule), n)| match n {
            1 => format!("{} {rule}", word(warning)),
            n => format!("{} {rule} ×{n}", word(warning)),
        })
        .collect();
    Ok(match (output.code, rules.is_empty()) {
        (0, true) => "sound".to_owned(),
        (0, false) => format!("sound; {}", rules.join(", ")),
        _ => format!("exit 1: {}", rules.join(", ")),
    })
}

/// Every form with the options that it takes.
const FORMS: [(&str, &str, &[&str]); 6] = [
    ("docker-archive", "docker-archive", &[]),
    ("legacy", "docker-archive", &["--docker-format", "legacy"]),
    ("oci", "oci", &[]),
    ("oci-archive", "oci-archive", &[]),
    ("dir", "dir", &[]),
    ("registry-storage", "registry-storage", &[]),
];

/// What a conversion to each form came to, and whether there is an OCI layout now.
fn convert(restow: &Restow, place: &str, work: &Path) -> Result<(String, bool), Failed> {
    let mut codes: BTreeMap<i32, Vec<&str>> = BTreeMap::new();
    for (name, form, options) in FORMS {
        let to = format!("{form}:{}", work.join(name).display());
        let mut arguments = vec!["convert".to_owned(), place.to_owned(), to];
        arguments.extend(options.iter().map(|&option| option.to_owned()));
        codes.entry(restow.run(&arguments)?.code).or_default().push(name);
    }
    let made = codes.get(&0).is_some_and(|forms| forms.contains(&"oci"));
    let cell = |(code, forms): (i32, Vec<&str>)| {
        let forms = if forms.len() == FORMS.len() { "all".to_owned() } else { forms.join(", ") };
        match code {
            0 => format!("{forms} written"),
            code => format!("{forms} refused ({code})"),
        }
    };
    let cells: Vec<String> = codes.into_iter().map(cell).collect();
    Ok((cells.join(", "), made))
}

/// The conversion that answers the report, and what `check` says of what it wrote.
fn with(restow: &Restow, place: &str, work: &Path, options: &[String]) -> Result<String, Failed> {
    let docker = options.iter().any(|option| option == "--docker-format");
    let form = if docker { "docker-archive" } else { "oci" };
    let to = format!("{form}:{}", work.join("with").display());
    let mut arguments = vec!["convert".to_owned(), place.to_owned(), to.clone()];
    arguments.extend(options.iter().cloned());
    let code = restow.run(&arguments)?.code;
    let shown = format!("`{}`", options.join(" "));
    if code != 0 {
        return Ok(format!("{shown} refused ({code})"));
    }
    Ok(match restow.run(&["check".into(), to])?.code {
        0 => format!("{shown} written, sound"),
        code => format!("{shown} written, not sound ({code})"),
    })
}
