//! The cases of `corpus/good/` (`corpus/README.md`).

use std::path::{Path, PathBuf};

/// A sound archive.
pub struct Case {
    /// Its folder below `corpus/good/`.
    pub name: String,
    /// The archive.
    pub archive: PathBuf,
    /// Its description.
    pub toml: PathBuf,
}

/// `corpus/good/`
pub fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/good")
}

/// Every archive, in order of names.
pub fn all() -> Vec<Case> {
    cases().into_iter().filter(|case| !case.is_document()).collect()
}

/// Every document that stands alone.
pub fn documents() -> Vec<Case> {
    cases().into_iter().filter(Case::is_document).collect()
}

/// What the archive of a case may be called.
const ARCHIVES: [&str; 7] = [
    "archive.tar",
    "archive.tar.gz",
    "archive.tar.xz",
    "archive.tar.bz2",
    "archive.tar.zst",
    "archive",
    "document.json",
];

fn cases() -> Vec<Case> {
    let cases = super::files_named(&corpus(), "case.toml").into_iter().map(|toml| {
        let folder = toml.parent().expect("case.toml is in a folder");
        let name = folder.strip_prefix(corpus()).expect("below the corpus").display().to_string();
        let mut archives = ARCHIVES.map(|file| folder.join(file)).into_iter();
        let archive = archives.find(|path| path.exists());
        let archive = archive.unwrap_or_else(|| panic!("{name} has no archive"));
        Case { name, archive, toml }
    });
    cases.collect()
}

impl Case {
    /// Whether it is a document and no archive.
    pub fn is_document(&self) -> bool {
        self.archive.ends_with("document.json")
    }
}
