//! A dry run refuses what the run refuses, in the same words: every broken case of the corpus, to every form.
//!
//! That accounts are the same, too, where nothing is refused, stands in `convert.rs`; of registries in
//! `tests/all/registry/`.

use libtest_mimic::Failed;

use crate::Test;
use crate::common::Restow;
use crate::common::tree_digest::files;
use crate::stored::bad::{self, Bad};

/// The forms with what each needs.
const TARGETS: [(&str, &str, &[&str]); 6] = [
    ("oci", "", &[]),
    ("oci-archive", "", &["--compress", "zstd"]),
    ("docker-archive", "", &["--check"]),
    ("docker-archive", "", &["--docker-format", "legacy"]),
    ("dir", "", &["--manifest-format", "oci"]),
    ("registry-storage", ":lab/app", &["--verify", "digests"]),
];

pub fn tests() -> Vec<Test> {
    let cases = bad::all().expect("the corpus can be read");
    let test = |case: Bad| Test::new(case.name.clone(), move || compare(&case));
    cases.into_iter().map(test).collect()
}

fn compare(case: &Bad) -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let restow = Restow::new(dir.path());
    let source = case.make()?.write(dir.path())?.display().to_string();
    for (n, (form, suffix, options)) in TARGETS.into_iter().enumerate() {
        let out = dir.path().join(format!("out-{n}"));
        let destination = format!("{form}:{}{suffix}", out.display());
        let mut arguments = vec!["convert".to_owned()];
        arguments.extend(options.iter().map(|option| (*option).to_owned()));
        arguments.extend([source.clone(), destination]);
        let mut dry = arguments.clone();
        dry.insert(1, "--dry-run".to_owned());
        let before = files(dir.path())?;
        let foreseen = restow.run(&dry)?;
        if files(dir.path())? != before {
            return Err(format!("{form}: a dry run changed a file").into());
        }
        let came = restow.run(&arguments)?;
        let same_words = came.code == 0 || foreseen.stderr == came.stderr;
        if foreseen.code != came.code || !same_words {
            let (a, b) = (foreseen.code, came.code);
            return Err(format!("{form}: foreseen {a}\n{}came {b}\n{}", foreseen.stderr, came.stderr).into());
        }
    }
    Ok(())
}
