//! Every archive that is at hand, to a registry and back, and from registry to registry: sound ones, odd ones, wrong ones,
//! and those of `../shared` where that folder is here (`RESTOW_SHARED` names another).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::places::{by_digest, restow, stderr};
use super::server::{Manner, Of, Server};

/// An archive, and what `check` says of it, if that is known.
struct Case {
    place: String,
    options: Vec<String>,
}

fn of_corpus() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let text = std::fs::read_to_string(root.join("index.json")).expect("index.json");
    let index: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let cases = index["cases"].as_array().expect("cases").iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    cases
        .filter(|case| case["form"] != "document")
        .map(|case| {
            let path = root.join(text(&case["path"])).display().to_string();
            let place = match case["transport"].as_str() {
                Some(transport) => format!("{}:{path}", transport.trim_end_matches(':')),
                None => path,
            };
            // Limits decide what can be read at all; levels do not matter to a conversion.
            let options: Vec<String> = case["options"].as_array().into_iter().flatten().map(text).collect();
            let limits = options.chunks(2).filter(|pair| pair[0] == "--limit").flatten().cloned().collect();
            Case { place, options: limits }
        })
        .collect()
}

fn of_shared() -> Vec<Case> {
    let named = std::env::var_os("RESTOW_SHARED").map(PathBuf::from);
    let shared = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"));
    let case = |path: PathBuf| Case { place: path.display().to_string(), options: Vec::new() };
    let samples = std::fs::read_dir(shared.join("samples")).into_iter().flatten().flatten();
    let tars =
        samples.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "tar"));
    let mut cases: Vec<Case> = tars.map(case).collect();
    let index = std::fs::read_to_string(shared.join("real/INDEX.tsv")).unwrap_or_default();
    for line in index.lines().skip(1) {
        let mut columns = line.split('\t');
        let (Some(path), Some(kind)) = (columns.next(), columns.next()) else { continue };
        if !kind.starts_with("layer") && !kind.starts_with("document") && !path.ends_with(".json") {
            cases.push(case(shared.join("real").join(path)));
        }
    }
    cases.sort_by(|a, b| a.place.cmp(&b.place));
    cases
}

/// What became of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// The same in both registries and in the layout.
    Same,
    /// Without a tag it stands there by its digest, and no registry lists it.
    Unlisted,
    /// It is wrong, and nothing was pushed.
    Wrong,
    /// A registry cannot hold it, or it cannot be read, and nothing was pushed.
    Refused,
}

/// Documents and tags of a registry.
fn held(server: &Server) -> (Vec<Of>, BTreeMap<Of, String>) {
    let state = server.state();
    (state.manifests.keys().cloned().collect(), state.tags.clone())
}

fn around(case: &Case, referrers: bool) -> Result<End, String> {
    let near = Server::start(Manner { referrers, ..Manner::default() });
    let far = Server::start(Manner { referrers, absolute: true, ..Manner::default() });
    let run = |arguments: &[&str]| {
        let (command, rest) = arguments.split_first().expect("a command");
        let options: Vec<&str> = case.options.iter().map(String::as_str).collect();
        restow(&[&[*command], &options[..], rest].concat())
    };
    let must = |arguments: &[&str]| {
        let output = run(arguments);
        if output.status.code() == Some(0) {
            Ok(())
        } else {
            Err(format!("{arguments:?}: {}", stderr(&output)))
        }
    };
    // What is wrong in one is wrong in the other; nothing may differ.
    let same = |a: &str, b: &str| {
        let output = run(&["compare", "--json", "--ignore", "names", a, b]);
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let pairs = told["compared"].as_array().map(Vec::as_slice).unwrap_or_default();
        let differ =
            pairs.iter().any(|pair| pair["differences"].as_array().is_none_or(|all| !all.is_empty()));
        let faults = |side: &str| told[side]["faults"].as_array().map(|all| all.len());
        if differ || pairs.is_empty() || faults("a") != faults("b") {
            return Err(format!("{a} and {b}: {told}{}", stderr(&output)));
        }
        Ok(())
    };
    let (here, there) = (format!("docker://{}/case/", near.address), format!("docker://{}/", far.address));
    let mut sent = run(&["convert", &case.place, &here]);
    if sent.status.code() == Some(2) {
        // Without names there is nothing to call the images there.
        sent = run(&["convert", &case.place, &format!("{here}app")]);
    }
    if sent.status.code() != Some(0) {
        let (documents, tags) = held(&near);
        if !documents.is_empty() || !tags.is_empty() {
            return Err(format!("what was refused stands there: {documents:?} {tags:?}: {}", stderr(&sent)));
        }
        return Ok(if sent.status.code() == Some(1) { End::Wrong } else { End::Refused });
    }
    if held(&near).1.is_empty() {
        return by_digest(&near).map(|()| End::Unlisted);
    }
    let folder = tempfile::tempdir().expect("temporary directory");
    let layout = format!("oci:{}", folder.path().join("layout").display());
    must(&["convert", &here, &layout])?;
    same(&here, &layout)?;
    must(&["convert", &here, &there])?;
    same(&here, &format!("{there}case/"))?;
    if near.tagged() != far.tagged() {
        return Err("the registries hold different documents or tags".to_owned());
    }
    Ok(End::Same)
}

fn all(cases: &[Case]) -> BTreeMap<End, usize> {
    let next = AtomicUsize::new(0);
    let ends: Mutex<Vec<Result<End, String>>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(number) else { return };
                    let end = around(case, number.is_multiple_of(2))
                        .map_err(|why| format!("{}: {why}", case.place));
                    ends.lock().expect("not poisoned").push(end);
                }
            });
        }
    });
    let mut counts = BTreeMap::new();
    let mut failed = Vec::new();
    for end in ends.into_inner().expect("not poisoned") {
        match end {
            Ok(end) => *counts.entry(end).or_default() += 1,
            Err(why) => failed.push(why),
        }
    }
    failed.sort();
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), cases.len(), failed.join("\n"));
    counts
}

#[test]
fn every_case_goes_around_or_leaves_nothing() {
    let counts = all(&of_corpus());
    let count = |end| counts.get(&end).copied().unwrap_or_default();
    assert!(count(End::Same) > 200 && count(End::Wrong) > 50, "{counts:?}");
}

#[test]
fn archives_of_others_go_around_or_leave_nothing() {
    let cases = of_shared();
    let counts = all(&cases);
    assert!(cases.is_empty() || counts.contains_key(&End::Same), "{counts:?}");
}
