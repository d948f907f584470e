//! Every sound archive to every form that can hold it, and back.
//!
//! Cases: `corpus/good/`, and where the folder `../shared` (or `RESTOW_SHARED`) is, its samples and the image cases of
//! `real/` that its index calls VALID or ODD. One test for each case and target.

mod common;

use std::path::{Path, PathBuf};

use common::{Archive, Restow, same_bytes, shared, tree_digest};
use libtest_mimic::{Arguments, Failed, Trial};

/// The forms that are written.
const TARGETS: [&str; 6] =
    ["oci", "oci-archive", "docker-archive", "docker-legacy", "dir", "registry-storage"];

fn main() {
    let arguments = Arguments::from_args();
    let mut cases: Vec<(String, PathBuf)> = Vec::new();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/good");
    for archive in common::files_named(&corpus, "archive.tar") {
        let name = archive.parent().and_then(|p| p.strip_prefix(&corpus).ok()).expect("below the corpus");
        cases.push((name.display().to_string(), archive.clone()));
    }
    assert!(!cases.is_empty(), "the corpus is empty");
    let mut trials = Vec::new();
    match shared() {
        Some(shared) => cases.extend(shared_cases(&shared)),
        None => trials
            .push(Trial::test("shared: skipped, there is no ../shared", || Ok(())).with_ignored_flag(true)),
    }
    for (name, path) in cases {
        for target in TARGETS {
            let path = path.clone();
            trials.push(Trial::test(format!("{name} to {target}"), move || convert(&path, target)));
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
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

fn convert(source: &Path, target: &str) -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let restow = Restow::new(dir.path());
    let source = source.display().to_string();
    let before = Archive::inspect(&restow, &source)?;
    let only_artifacts = before.images.iter().all(|image| image.kind != "image");

    let mut options: Vec<String> = Vec::new();
    let mut ignore: Vec<&str> = Vec::new();
    // A name is needed where a form has a place for one and the source gives none that fits.
    let mut suffix = "";
    match target {
        "registry-storage" if before.needs_repository() => {
            suffix = ":lab/app";
            ignore.push("names");
        }
        "dir" if before.roots > 1 => {
            options.extend(["--image".into(), "@0".into()]);
        }
        "docker-legacy" => {
            options.extend(["--docker-format".into(), "legacy".into()]);
            // Layers are stored plain, manifests and tags without repository are lost, each with a line in the account.
            ignore.extend(["layers", "digests"]);
            if before.images.iter().any(|image| {
                image.names.iter().any(|name| !name.contains(['/', ':']) || name.starts_with(':'))
            }) {
                ignore.push("names");
            }
            if !only_artifacts && before.images.iter().any(|image| image.kind == "artifact") {
                options.extend(["--drop".into(), "artifacts".into()]);
            }
            if before.has_index && !only_artifacts {
                let platform = before.first_platform().ok_or("an index without image")?;
                options.extend(["--platform".into(), platform]);
            }
        }
        _ => {}
    }
    let form = if target == "docker-legacy" { "docker-archive" } else { target };
    let place = |n: u32| format!("{form}:{}{suffix}", dir.path().join(format!("out{n}")).display());
    let path = |n: u32| dir.path().join(format!("out{n}"));
    let account = dir.path().join("account.json");
    let mut arguments = vec!["convert".into(), "--account".into(), account.display().to_string()];
    arguments.extend(options.clone());
    let run = |n: u32| {
        let mut arguments = arguments.clone();
        arguments.extend([source.clone(), place(n)]);
        restow.run(&arguments)
    };

    // A docker-archive holds images; artifacts alone are refused with the form that holds them.
    if only_artifacts && form == "docker-archive" {
        let output = run(0)?.expect(2)?;
        output.stderr_has("oci-archive:").or_else(|_| output.stderr_has("--drop artifacts"))?;
        return if path(0).exists() { Err("something was written".into()) } else { Ok(()) };
    }

    run(1)?.expect(0)?;
    run(2)?.expect(0)?;
    same_bytes(&path(1), &path(2))?;
    if Path::new(&source).is_file() {
        // A stream gives the same bytes as the file.
        let mut arguments = arguments.clone();
        arguments.extend(["-".into(), place(3)]);
        restow.run_with(&arguments, Some(Path::new(&source)))?.expect(0)?;
        same_bytes(&path(1), &path(3))?;
        if matches!(form, "docker-archive" | "oci-archive") {
            // And so does standard output.
            let mut arguments = arguments[..arguments.len() - 2].to_vec();
            arguments.extend([source.clone(), format!("{form}:-")]);
            let output = restow.run(&arguments)?.expect(0)?;
            if output.stdout != std::fs::read(path(1))? {
                return Err("standard output differs from a file".into());
            }
        }
    }
    let written = format!("{form}:{}", path(1).display());
    restow.run(&["check".into(), written.clone()])?.expect(0)?;

    // What was chosen from the source is the same in the destination, by our own eyes and by restow's.
    let after = Archive::inspect(&restow, &written)?;
    before.must_survive(&after, target, !options.is_empty())?;
    if form == "oci" {
        tree_digest::verify_layout(&path(1))?;
    }
    common::account_is_true(&account, &before, &after)?;
    let whole = options.iter().all(|option| option == "--docker-format" || option == "legacy");
    if whole {
        restow.compare(&source, &written, &ignore)?;
    }

    // And back to the form that it came from.
    let back = format!("{}:{}", before.own_form(), dir.path().join("back").display());
    let back_suffix = if before.own_form() == "registry-storage" { ":lab/app" } else { "" };
    if before.own_form() == "docker-archive" && only_artifacts {
        return Ok(());
    }
    restow.run(&["convert".into(), written, format!("{back}{back_suffix}")])?.expect(0)?;
    if whole {
        if target == "dir" || !back_suffix.is_empty() {
            ignore.push("names");
        }
        restow.compare(&source, &back, &ignore)?;
    }
    Ok(())
}
