//! Every sound archive to every form that can hold it, and back: through the binary, judged by `restow compare` and by
//! a reader of the tests' own (`oracle.rs`). What a form cannot hold is refused first, in words that name the
//! option that helps.
//!
//! Cases: `corpus/good/`, and where the folder `../shared` (or `RESTOW_SHARED`) is, its samples and the image cases of
//! `real/` that its index calls VALID or ODD. One test for each case and target.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use libtest_mimic::Failed;
use serde_json::Value;

use crate::common::tree_digest::{files, sha256};
use crate::common::{Output, Restow};
use crate::oracle::{Held, Image};
use crate::stored::{case, decompressed};
use crate::{Test, same_bytes, shared};

/// The forms that are written.
const TARGETS: [&str; 6] =
    ["oci", "oci-archive", "docker-archive", "docker-legacy", "dir", "registry-storage"];

/// The program names the transports that it knows where none is typed.
fn every_form() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let output =
        Restow::new(dir.path()).wide().run(&["convert".into(), "x".into(), String::new()])?.expect(2)?;
    let list = output.stderr.split_once("begins with one of ").map(|(_, list)| list.trim());
    let known: Vec<&str> = list.ok_or("no list of transports")?.split(", ").collect();
    assert!(known.len() > 5, "{known:?}");
    let missing =
        known.iter().filter_map(|name| name.strip_suffix(':')).filter(|name| !TARGETS.contains(name));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&str>::new(), "not in TARGETS");
    Ok(())
}

pub fn tests() -> Vec<Test> {
    let mut cases: Vec<(String, PathBuf)> = Vec::new();
    cases.extend(case::all().into_iter().map(|case| (case.name, case.archive)));
    assert!(!cases.is_empty(), "the corpus is empty");
    let mut tests = vec![Test::new("every form that is written is a target", every_form)];
    match shared() {
        Some(shared) => cases.extend(shared_cases(&shared)),
        None => {
            let test = Test::new("shared: skipped, there is no ../shared", || Ok(()));
            tests.push(Test { ignored: true, ..test });
        }
    }
    for (name, path) in cases {
        for target in TARGETS {
            let path = path.clone();
            tests.push(Test::new(format!("{name} to {target}"), move || convert(&path, target)));
        }
    }
    tests
}

/// Image cases of the samples and of real archives.
fn shared_cases(shared: &Path) -> Vec<(String, PathBuf)> {
    let mut cases = Vec::new();
    for sample in std::fs::read_dir(shared.join("samples")).expect("samples").flatten() {
        if sample.path().extension().is_some_and(|e| e == "tar") {
            cases.push((format!("samples/{}", sample.file_name().display()), sample.path()));
        }
    }
    let index = std::fs::read_to_string(shared.join("real/INDEX.tsv")).expect("index of real cases");
    for line in index.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let (case, kind, verdict) = (fields[0], fields[1], fields[2]);
        let archive = ["docker-save", "OCI layout dir", "OCI tar", "dir:", "registry storage"];
        if archive.iter().any(|form| kind.starts_with(form)) && matches!(verdict, "VALID" | "ODD") {
            cases.push((format!("real/{case}"), shared.join("real").join(case)));
        }
    }
    cases.sort();
    cases
}

/// Something that a form cannot hold.
enum Obstacle {
    /// No option helps.
    Final { says: &'static str },
    /// The option that helps.
    Until { says: &'static str, options: Vec<String> },
    /// A repository has to be said behind the destination.
    Repository { says: &'static [&'static str] },
}

/// Everything in an archive that a form cannot hold: each must be refused, and lifted by what the refusal names.
fn obstacles(held: &Held, target: &str) -> Result<Vec<Obstacle>, Failed> {
    let until = |says, options: &[&str]| Obstacle::Until {
        says,
        options: options.iter().map(|option| (*option).to_owned()).collect(),
    };
    let runs = |key: &String| held.images.get(key).is_some_and(|image| image.runs);
    let any_image = held.images.values().any(|image| image.runs);
    let artifact_root = held.roots.values().any(|root| !root.index && !root.images.iter().any(runs));
    let mut found = Vec::new();
    match target {
        "docker-archive" if !any_image => found.push(Obstacle::Final { says: "oci-archive:" }),
        "docker-legacy" if !any_image => found.push(Obstacle::Final { says: "an artifact" }),
        "docker-legacy" => {
            if artifact_root {
                found.push(until("--drop artifacts", &["--drop", "artifacts"]));
            }
            if let Some(index) = held.roots.values().find(|root| root.index) {
                let first = index.images.iter().find(|key| runs(key)).ok_or("an index without image")?;
                found.push(until("--platform", &["--platform", &held.images[first].platform]));
            }
        }
        "dir" if held.roots.len() > 1 => found.push(until("dir: holds one image", &["--image", "@0"])),
        "registry-storage" => {
            if needs_repository(held) {
                found.push(Obstacle::Repository {
                    says: &["registry storage needs one", "cannot be a repository"],
                });
            }
            if held.sparse {
                let whole = |image: &&Image| image.runs && !image.diff_ids.iter().any(|id| id == "missing");
                let first = held.images.values().find(whole).ok_or("an index without image")?;
                found.push(until("--platform", &["--platform", &first.platform]));
            }
        }
        _ => {}
    }
    Ok(found)
}

/// Whether a root has a name that registry storage has no place for: none, a tag alone, a port, not a name. What
/// belongs to another image of the archive goes where that is: referrers, and cosign's tags.
fn needs_repository(held: &Held) -> bool {
    let full = |name: &String| !name.starts_with(':') && name.contains('/');
    let usable = |name: &String| {
        let repository = name.rsplit_once(':').map_or(name.as_str(), |(repository, _)| repository);
        full(name) && !repository.contains(':') && repository == repository.to_lowercase()
    };
    let reached: BTreeSet<&String> = held
        .roots
        .values()
        .filter(|root| root.names.iter().any(full))
        .flat_map(|root| &root.documents)
        .collect();
    held.roots.values().any(|root| {
        let about =
            |name: &String| name.strip_prefix(":sha256-").and_then(|rest| rest.get(..64).map(str::to_owned));
        let belongs = root.subject.as_ref().is_some_and(|subject| reached.contains(subject));
        let placed = |name: &String| {
            usable(name) || about(name).is_some_and(|hex| reached.contains(&format!("sha256:{hex}")))
        };
        if root.names.is_empty() {
            held.form != "registry-storage" && !belongs
        } else {
            !root.names.iter().all(placed)
        }
    })
}

/// One conversion: from where, to which form, with what.
struct Conversion<'a> {
    restow: &'a Restow,
    source: &'a Path,
    form: &'static str,
    suffix: &'static str,
    options: Vec<String>,
}

impl Conversion<'_> {
    fn arguments(&self, source: &str, destination: &str) -> Vec<String> {
        let mut arguments = vec!["convert".to_owned()];
        arguments.extend(self.options.clone());
        arguments.extend([source.to_owned(), format!("{}:{destination}{}", self.form, self.suffix)]);
        arguments
    }

    fn to(&self, destination: &Path) -> Result<Output, Failed> {
        let source = self.source.display().to_string();
        self.restow.run(&self.arguments(&source, &destination.display().to_string()))
    }

    /// The same after a dry run, which must come to the same: exit status, words of a refusal, and account.
    fn rehearsed(&self, destination: &Path, account: &Path) -> Result<Output, Failed> {
        let mut arguments =
            self.arguments(&self.source.display().to_string(), &destination.display().to_string());
        arguments.insert(1, "--dry-run".into());
        let dry = self.restow.run(&arguments)?;
        let told = std::fs::read_to_string(account).ok();
        if told.is_some() {
            std::fs::remove_file(account)?;
        }
        if destination.exists() {
            return Err("a dry run wrote something".into());
        }
        let run = self.to(destination)?;
        let failed = run.code != 0;
        let (foreseen, came) = (dry.code, run.code);
        if foreseen != came || failed && dry.stderr != run.stderr {
            return Err(format!("foreseen: {foreseen}\n{}came: {came}\n{}", dry.stderr, run.stderr).into());
        }
        let written = std::fs::read_to_string(account).ok();
        if told != written {
            return Err(format!("foreseen:\n{told:?}\ncame:\n{written:?}").into());
        }
        Ok(run)
    }

    /// Again, from the same file, from a stream, and into a stream: always the same bytes.
    fn again(&self, dir: &Path, first: &Path) -> Result<(), Failed> {
        let second = dir.join("second");
        self.to(&second)?.expect(0)?;
        same_bytes(first, &second)?;
        if self.source.is_file() {
            let third = dir.join("third");
            let arguments = self.arguments("-", &third.display().to_string());
            self.restow.run_with(&arguments, Some(self.source))?.expect(0)?;
            same_bytes(first, &third)?;
        }
        if matches!(self.form, "docker-archive" | "oci-archive") {
            let source = self.source.display().to_string();
            let output = self.restow.run(&self.arguments(&source, "-"))?.expect(0)?;
            if output.stdout != std::fs::read(first)? {
                return Err("standard output differs from a file".into());
            }
        }
        Ok(())
    }
}

fn convert(source: &Path, target: &'static str) -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let restow = Restow::new(dir.path());
    let whole = Held::read(source)?;
    let legacy = target == "docker-legacy";
    // What refers to an image is left out, with a line, where only images stand.
    let before = if legacy || target == "dir" { whole.without_referrers() } else { whole.clone() };
    let without = before.roots.len() < whole.roots.len();
    let form = if legacy { "docker-archive" } else { target };
    let account = dir.path().join("account.json");
    let options = vec!["--account".into(), account.display().to_string()];
    let mut run = Conversion { restow: &restow, source, form, suffix: "", options };
    if legacy {
        run.options.extend(["--docker-format".into(), "legacy".into()]);
    }

    // What the form cannot hold is refused, until everything that a refusal names was done.
    let out = dir.path().join("out");
    let mut left = obstacles(&before, target)?;
    let mut chosen = without;
    while !left.is_empty() {
        let refused = run.rehearsed(&out, &account)?.expect(2)?;
        if out.exists() || account.exists() {
            return Err("a refusal wrote something".into());
        }
        let said = |says: &str| refused.stderr.contains(says);
        let found = left.iter().position(|obstacle| match obstacle {
            Obstacle::Final { says } | Obstacle::Until { says, .. } => said(says),
            Obstacle::Repository { says } => says.iter().any(|says| said(says)),
        });
        match found.map(|at| left.remove(at)) {
            Some(Obstacle::Final { .. }) => return Ok(()),
            Some(Obstacle::Until { options, .. }) => {
                chosen = true;
                if options[0] == "--platform" {
                    // Only images have a platform: artifacts are left out with it.
                    left.retain(|other| !matches!(other, Obstacle::Until { .. }));
                }
                run.options.extend(options);
            }
            Some(Obstacle::Repository { .. }) => run.suffix = ":lab/app",
            None => return Err(format!("refused for another reason:\n{}", refused.stderr).into()),
        }
    }
    run.rehearsed(&out, &account)?.expect(0)?;
    run.again(dir.path(), &out)?;
    let written = format!("{form}:{}", out.display());
    let said = |place: &str| -> Result<String, Failed> {
        let output = restow.run(&["check".into(), place.to_owned()])?.expect(0)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (before_it, verdict) = (said(&source.display().to_string())?, said(&written)?);
    // What restow wrote has no fault that is not its source's.
    let plain = verdict.starts_with(&format!("{written}: sound, ")) && verdict.lines().count() == 1;
    if before_it.lines().count() == 1 && !plain {
        return Err(format!("more than the verdict is said of what was written:\n{verdict}").into());
    }

    // The same by our own eyes,
    let after = Held::read(&out)?;
    let wanted = wanted(&before, &after, &run.options)?;
    same_images(&wanted, &after, legacy)?;
    same_names(&wanted, &after, target, run.suffix)?;
    if !chosen && !legacy {
        same_documents(&before, &after)?;
    }
    if form == "oci" {
        verify_layout(&out)?;
    }
    account_is_true(&account, &whole, &after, target, chosen || legacy)?;
    // and by restow's.
    let mut ignore = Vec::new();
    if legacy {
        ignore.extend(["layers", "digests"]);
    }
    let bare = before.names.keys().any(|name| name.starts_with(':') || !name.contains('/'));
    if !run.suffix.is_empty() || ((legacy || form == "registry-storage") && bare) {
        ignore.push("names");
    }
    let source = source.display().to_string();
    if !chosen {
        restow.compare(&source, &written, &ignore)?;
    }

    // And back to the form that it came from.
    let back = dir.path().join("back");
    let suffix = if before.form == "registry-storage" && needs_repository(&after) { ":lab/app" } else { "" };
    let place = format!("{}:{}", before.form, back.display());
    restow.run(&["convert".into(), written.clone(), format!("{place}{suffix}")])?.expect(0)?;
    let round = Held::read(&back)?;
    same_images(&after, &round, false)?;
    if !suffix.is_empty() || target == "dir" || before.form == "dir" {
        ignore.push("names");
    } else {
        same_names(&after, &round, before.form, "")?;
    }
    if !legacy {
        same_documents(&after, &round)?;
    }
    // What a form between cannot hold does not come back, as the account said: signatures of a `dir:`, annotations of
    // index.json. Then the way back is held against what it came from.
    let lost = legacy || ["dir", "registry-storage"].contains(&target) || signed(Path::new(&source));
    let first = if lost { &written } else { &source };
    if chosen { Ok(()) } else { restow.compare(first, &place, &ignore) }
}

/// Whether a folder holds signatures, as `dir:` keeps them.
fn signed(source: &Path) -> bool {
    let inside = std::fs::read_dir(source).into_iter().flatten().flatten();
    inside
        .into_iter()
        .any(|entry: std::fs::DirEntry| entry.file_name().to_string_lossy().contains("signature-"))
}

/// What the options leave of an archive.
fn wanted(before: &Held, after: &Held, options: &[String]) -> Result<Held, Failed> {
    let keys: BTreeSet<String> = after.images.keys().cloned().collect();
    let value = |name: &str| options.iter().position(|option| option == name).map(|at| &options[at + 1]);
    let mut keep: BTreeSet<String> = before.images.keys().cloned().collect();
    if value("--image").is_some() {
        let root =
            before.roots.values().find(|root| root.images == keys).ok_or("no root has these images")?;
        keep = root.images.clone();
    }
    if value("--drop").is_some() {
        keep.retain(|key| before.images[key].runs);
    }
    if let Some(platform) = value("--platform") {
        keep.retain(|key| before.images[key].runs && before.images[key].platform == *platform);
    }
    Ok(before.only(&keep))
}

/// The same IDs, diff IDs, platforms and stored layers.
fn same_images(before: &Held, after: &Held, plain: bool) -> Result<(), Failed> {
    if before.images.keys().ne(after.images.keys()) {
        return Err(format!("images {:?} became {:?}", before.images.keys(), after.images.keys()).into());
    }
    for (key, image) in &before.images {
        let mut image = image.clone();
        if plain {
            image.layers = [image.diff_ids.clone()].into();
        }
        if image != after.images[key] {
            return Err(format!("{key}: {image:?} became {:?}", after.images[key]).into());
        }
    }
    Ok(())
}

/// The same names at the same images, as far as the form holds names.
fn same_names(before: &Held, after: &Held, target: &str, suffix: &str) -> Result<(), Failed> {
    let mut wanted: BTreeMap<String, BTreeSet<String>> = before.names.clone();
    match target {
        "dir" => wanted.clear(),
        "docker-legacy" => wanted.retain(|name, _| !name.starts_with(':') && name.contains('/')),
        _ => {}
    }
    if !suffix.is_empty() {
        let tag = |name: &str| name.rsplit_once(':').map(|(_, tag)| format!("docker.io/lab/app:{tag}"));
        wanted = wanted.into_iter().filter_map(|(name, images)| Some((tag(&name)?, images))).collect();
    }
    // cosign's tags get a repository from the image that they are about.
    let storage = |held: BTreeMap<String, BTreeSet<String>>| -> BTreeMap<String, BTreeSet<String>> {
        let bare = |name: String| match name.rfind(":sha256-") {
            Some(at) => name[at..].to_owned(),
            None => name,
        };
        held.into_iter().map(|(name, images)| (bare(name), images)).collect()
    };
    let (wanted, found) = match target {
        "registry-storage" => (storage(wanted), storage(after.names.clone())),
        _ => (wanted, after.names.clone()),
    };
    if wanted == found { Ok(()) } else { Err(format!("names {wanted:?} became {found:?}").into()) }
}

/// Every manifest and index that was there is there, byte for byte.
fn same_documents(before: &Held, after: &Held) -> Result<(), Failed> {
    let lost: Vec<&String> = before
        .manifests
        .difference(&after.manifests)
        .chain(before.indexes.difference(&after.indexes))
        .collect();
    if lost.is_empty() { Ok(()) } else { Err(format!("lost: {lost:?}").into()) }
}

/// Every line of the account is true of what was read and written, and a plain conversion changes nothing.
fn account_is_true(
    file: &Path,
    before: &Held,
    after: &Held,
    target: &str,
    changes: bool,
) -> Result<(), Failed> {
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(file)?)?;
    let digests =
        |held: &Held| -> BTreeSet<String> { held.manifests.union(&held.indexes).cloned().collect() };
    let (a, b) = (digests(before), digests(after));
    let mut told = BTreeSet::new();
    for entry in json["entries"].as_array().ok_or("the account has no entries")? {
        let digest = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let (from, to, action) =
            (digest("before"), digest("after"), entry["action"].as_str().unwrap_or_default());
        let document = matches!(entry["kind"].as_str(), Some("manifest" | "index"));
        // A revision that no tag names: our reader does not see it either.
        let history = entry["why"].as_str().is_some_and(|why| why.starts_with("no tag names it"));
        let good = match action {
            _ if history => action == "dropped" && target != "registry-storage",
            "kept" if document && !a.contains(&from) && target == "registry-storage" => from == to,
            "kept" if document => from == to && a.contains(&from) && b.contains(&to),
            "rewritten" if document => from != to && a.contains(&from) && b.contains(&to),
            "synthesised" if document => !a.contains(&to) && b.contains(&to),
            "dropped" if document => from.is_empty() || !b.contains(&from),
            // A blob that nothing points at goes whatever is asked for.
            "rewritten" | "dropped" if !changes => {
                matches!(entry["kind"].as_str(), Some("name" | "other" | "blob"))
            }
            "kept" => from == to,
            _ => true,
        };
        let told_of = document && !history;
        if !good || (told_of && !changes && matches!(action, "rewritten" | "dropped")) {
            return Err(format!("the account is not true: {entry}").into());
        }
        if document {
            told.insert(to);
        }
    }
    let untold: Vec<&String> = b.difference(&told).collect();
    if untold.is_empty() { Ok(()) } else { Err(format!("the account does not tell of {untold:?}").into()) }
}

impl Restow {
    /// Both places hold the same images.
    fn compare(&self, a: &str, b: &str, ignore: &[&str]) -> Result<(), Failed> {
        let mut arguments = vec!["compare".to_owned()];
        if !ignore.is_empty() {
            arguments.extend(["--ignore".to_owned(), ignore.join(",")]);
        }
        arguments.extend([a.to_owned(), b.to_owned()]);
        self.run(&arguments)?.expect(0).map(|_| ())
    }
}

/// Every blob of a layout hashes to its name, and every image's layers decompress to its diff IDs.
fn verify_layout(layout: &Path) -> Result<(), Failed> {
    let blob = |digest: &str| layout.join("blobs").join(digest.replace(':', "/"));
    for (name, digest) in files(&layout.join("blobs/sha256"))? {
        if name != digest {
            return Err(format!("blob {name} hashes to {digest}").into());
        }
        let bytes = std::fs::read(layout.join("blobs/sha256").join(&name))?;
        let Ok(manifest) = serde_json::from_slice::<Value>(&bytes) else { continue };
        let config = manifest["config"]["digest"].as_str().map(blob).filter(|path| path.is_file());
        let config: Option<Value> =
            config.and_then(|path| serde_json::from_slice(&std::fs::read(path).ok()?).ok());
        let config_type = manifest["config"]["mediaType"].as_str().unwrap_or_default();
        let (Some(config), true) = (config, config_type.contains("image")) else { continue };
        let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
        let diff_ids = config["rootfs"]["diff_ids"].as_array().cloned().unwrap_or_default();
        if layers.iter().any(|layer| !layer["mediaType"].as_str().unwrap_or_default().contains("tar")) {
            continue;
        }
        // Of a platform that is not there the layers are not, all of them.
        let absent = |layer: &Value| !blob(layer["digest"].as_str().unwrap_or_default()).is_file();
        if !layers.is_empty() && layers.iter().all(absent) {
            continue;
        }
        for (layer, diff_id) in layers.iter().zip(&diff_ids) {
            let stored = std::fs::read(blob(layer["digest"].as_str().unwrap_or_default()))?;
            if layer["size"].as_u64() != Some(stored.len() as u64) {
                return Err(format!("the size of {layer} is wrong").into());
            }
            let found = format!("sha256:{}", sha256(&decompressed(&stored)?));
            if diff_id.as_str() != Some(&found) {
                return Err(format!("a layer has diff ID {found}, the config says {diff_id}").into());
            }
        }
    }
    Ok(())
}
