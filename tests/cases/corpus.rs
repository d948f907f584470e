//! Every case of `corpus/bad/`: its archive is what its edits make of its base, and `restow check` reports exactly what
//! its `case.toml` lists, in the words of `expected.txt`. `BLESS=1` writes archives, `expected.txt` and
//! `corpus/index.json` anew; what must be found is written by hand alone.

use std::path::Path;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::common::Restow;
use crate::stored::bad::{self, Bad};
use crate::stored::index::index as index_of_all;
use crate::{Test, same_bytes};

pub fn tests() -> Vec<Test> {
    let bless = std::env::var_os("BLESS").is_some();
    let mut tests = vec![Test::new("index.json lists every case", move || index(bless))];
    match bad::all() {
        Ok(cases) => {
            for case in cases {
                tests.push(Test::new(case.name.clone(), move || judge(&case, bless)));
            }
        }
        Err(error) => tests.push(Test::new("case.toml", move || Err(error.into()))),
    }
    tests
}

fn judge(case: &Bad, bless: bool) -> Result<(), Failed> {
    let made = case.make()?;
    let stored = case.folder.join(case.stored()?);
    if bless {
        made.write(&case.folder)?;
    } else {
        let dir = tempfile::tempdir()?;
        let fresh = made.write(dir.path())?;
        same_bytes(&fresh, &stored).map_err(|error| {
            let why = error.message().unwrap_or_default();
            format!("the archive is not what case.toml makes (BLESS=1 writes it anew): {why}")
        })?;
    }
    let (code, text, found) = check(case)?;
    let expected = case.folder.join("expected.txt");
    if bless {
        std::fs::write(&expected, &text)?;
    }
    let mut wanted = case.spec.expect.findings.clone();
    wanted.sort();
    if found != wanted {
        let found: Vec<String> = found.iter().map(|name| format!("{name:?}")).collect();
        return Err(format!("found [{}]\nwanted {wanted:?}\n{text}", found.join(", ")).into());
    }
    let rule = case.name.as_str();
    let collected = bad::COLLECTIONS.iter().any(|folder| rule.starts_with(folder));
    if case.spec.expect.findings.iter().all(|name| !bad::named_by(rule, name)) && !collected {
        return Err("the folder is not called by a rule that is expected".into());
    }
    let wrong = text.lines().any(|line| line.trim_start().starts_with("error["));
    if code != i32::from(wrong) {
        return Err(format!("exit {code}\n{text}").into());
    }
    let before = std::fs::read_to_string(&expected)
        .map_err(|_| "there is no expected.txt (BLESS=1 writes it; then read it)")?;
    if before != text {
        return Err(format!("expected.txt says\n{before}\nthe report is\n{text}").into());
    }
    Ok(())
}

/// Exit code, report for people, names of the rules as often as they are reported.
fn check(case: &Bad) -> Result<(i32, String, Vec<String>), Failed> {
    let dir = tempfile::tempdir()?;
    let place = case.place()?;
    let json = dir.path().join("report.json");
    let mut command = Restow::new(dir.path()).command();
    command.current_dir(&case.folder).args(["check", "-v"]).args(&case.spec.args);
    command.args(["--report", "human", "--report", &format!("json={}", json.display()), &place]);
    let output = command.output()?;
    let code = output.status.code().unwrap_or(-1);
    if code > 1 {
        return Err(format!("exit {code}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let report: Value = serde_json::from_slice(&std::fs::read(Path::new(&json))?)?;
    let findings = report.pointer("/sources/0/findings").and_then(Value::as_array).ok_or("no findings")?;
    let names = findings.iter().filter_map(|finding| finding["rule"].as_str().map(str::to_owned));
    let mut names: Vec<String> = names.collect();
    names.sort();
    Ok((code, String::from_utf8(output.stdout)?, names))
}

fn index(bless: bool) -> Result<(), Failed> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/index.json");
    let text = index_of_all()?;
    if bless {
        return Ok(std::fs::write(path, text)?);
    }
    if std::fs::read_to_string(path).unwrap_or_default() == text {
        Ok(())
    } else {
        Err("corpus/index.json is stale: BLESS=1 cargo test --test cases corpus:: writes it anew".into())
    }
}
