//! `corpus/index.json`: every case with its verdict, for programs.

use std::collections::BTreeMap;
use std::path::Path;

use restow::rules;
use serde_json::{Value, json};

use super::{bad, case};

/// The whole file.
pub fn index() -> Result<String, String> {
    let mut cases = Vec::new();
    for case in case::all().into_iter().chain(case::documents()) {
        let text = std::fs::read_to_string(&case.toml).map_err(|error| error.to_string())?;
        let table: toml::Table = toml::from_str(&text).map_err(|error| format!("{}: {error}", case.name))?;
        let list = table.get("findings").and_then(toml::Value::as_array);
        let findings = list.into_iter().flatten().filter_map(toml::Value::as_str).map(str::to_owned);
        let text = |name: &str| table.get(name).and_then(toml::Value::as_str).unwrap_or_default().to_owned();
        cases.push(json!({
            "case": format!("good/{}", case.name),
            "path": below_corpus(&case.archive),
            "form": text("form"),
            "about": text("about"),
            "by": text("by"),
            "verdict": "good",
            "findings": counted(findings)?,
        }));
    }
    for case in bad::all()? {
        let findings = counted(case.spec.expect.findings.iter().cloned())?;
        let wrong = findings.iter().any(|finding| finding["level"] == "error");
        let mut entry = json!({
            "case": format!("bad/{}", case.name),
            "path": format!("bad/{}/{}", case.name, case.stored()?),
            "form": case.form()?,
            "about": case.spec.about,
            "base": format!("good/{}", case.spec.base),
            "verdict": if wrong { "bad" } else { "odd" },
            "findings": findings,
        });
        if !case.spec.args.is_empty() {
            entry["options"] = json!(case.spec.args);
        }
        if let Some(transport) = &case.spec.transport {
            entry["transport"] = json!(transport);
        }
        cases.push(entry);
    }
    let mut text = String::from("{\n  \"version\": 1,\n  \"cases\": [\n");
    for (i, case) in cases.iter().enumerate() {
        let comma = if i + 1 < cases.len() { "," } else { "" };
        text.push_str(&format!("    {case}{comma}\n"));
    }
    Ok(text + "  ]\n}\n")
}

/// Each rule once, with its level as written and how often it is reported.
fn counted(names: impl Iterator<Item = String>) -> Result<Vec<Value>, String> {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    let all = rules::all();
    let found = counts.into_iter().map(|(name, count)| {
        let rule =
            all.iter().find(|rule| rule.name == name).ok_or_else(|| format!("there is no rule {name}"))?;
        Ok(json!({"rule": name, "level": rule.level.name(), "count": count}))
    });
    found.collect()
}

fn below_corpus(path: &Path) -> String {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    path.strip_prefix(corpus).unwrap_or(path).display().to_string()
}
