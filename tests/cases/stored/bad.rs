//! The cases of `corpus/bad/`: a sound archive, edits that break it, and what must be said of the result
//! (`corpus/README.md`).

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::edit::{Archive, Edit};
use super::members;

/// `case.toml`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// A case of `corpus/good/`.
    pub base: String,
    /// What is wrong, in a sentence.
    pub about: String,
    /// Whether the result is a `tar`, a `folder`, or a `document` alone, which the last edit's file names.
    #[serde(rename = "as")]
    pub shape: Option<Shape>,
    /// The form, if it is no longer that of the base.
    pub form: Option<String>,
    /// The document that stays, where the result is one.
    pub document: Option<String>,
    /// The tar as a whole is compressed by this.
    pub outer: Option<String>,
    /// A prefix, without which the form is found from the content.
    pub transport: Option<String>,
    /// Options that `restow check` needs to report it.
    #[serde(default)]
    pub args: Vec<String>,
    #[serde(default)]
    pub edit: Vec<Edit>,
    pub expect: Expect,
}

/// What must be reported.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Names of rules, each as often as it is reported.
    pub findings: Vec<String>,
}

/// What a case is stored as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    Tar,
    Folder,
    Document,
}

/// A case.
pub struct Bad {
    /// Its folder below `corpus/bad/`: `family/rule` or `family/rule-slug`, or of one of [`COLLECTIONS`].
    pub name: String,
    pub folder: PathBuf,
    pub spec: Spec,
}

/// What is stored beside a `case.toml`.
pub enum Made {
    File(&'static str, Vec<u8>),
    Folder(Vec<(String, Vec<u8>)>),
}

/// Folders of cases that are not called by a rule: several faults, archives in which two readers see two images, and public
/// reports whose archive no tool takes without the fault either.
pub const COLLECTIONS: [&str; 3] = ["many/", "readers/", "reported/"];

/// `corpus/bad/`
pub fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/bad")
}

/// Whether a folder is called by a rule: `family/rule` or `family/rule-slug`.
pub fn named_by(folder: &str, rule: &str) -> bool {
    folder.strip_prefix(rule).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Every case, in order of names; the first that cannot be read is an error.
pub fn all() -> Result<Vec<Bad>, String> {
    let mut cases = Vec::new();
    for toml in super::files_named(&corpus(), "case.toml") {
        let text = std::fs::read_to_string(&toml).map_err(|error| error.to_string())?;
        let spec = toml::from_str(&text).map_err(|error| format!("{}: {error}", toml.display()))?;
        let folder = toml.parent().ok_or("case.toml is in a folder")?.to_owned();
        let name = folder.strip_prefix(corpus()).map_err(|error| error.to_string())?.display().to_string();
        cases.push(Bad { name, folder, spec });
    }
    Ok(cases)
}

impl Bad {
    /// The form of the result, or of its base.
    pub fn form(&self) -> Result<String, String> {
        if let Some(form) = &self.spec.form {
            return Ok(form.clone());
        }
        if self.shape()? == Shape::Document {
            return Ok("document".into());
        }
        let toml = super::case::corpus().join(&self.spec.base).join("case.toml");
        let text = std::fs::read_to_string(&toml).map_err(|error| format!("{}: {error}", toml.display()))?;
        let table: toml::Table = toml::from_str(&text).map_err(|error| error.to_string())?;
        Ok(table.get("form").and_then(toml::Value::as_str).ok_or("the base has no form")?.to_owned())
    }

    /// Tars for the forms that tools keep in them.
    pub fn shape(&self) -> Result<Shape, String> {
        if let Some(shape) = self.spec.shape {
            return Ok(shape);
        }
        if self.spec.document.is_some() {
            return Ok(Shape::Document);
        }
        Ok(match self.spec.base.split('/').next() {
            Some("dir" | "registry-storage") => Shape::Folder,
            _ => Shape::Tar,
        })
    }

    /// Makes the archive from the base.
    pub fn make(&self) -> Result<Made, String> {
        let base = super::case::corpus().join(&self.spec.base);
        let files = ["archive.tar", "archive", "document.json"].map(|file| base.join(file));
        let path = files.iter().find(|path| path.exists()).ok_or("the base has no archive")?;
        let mut archive = Archive { members: members::read(path).map_err(|error| error.to_string())? };
        let of = |file: &'static str| self.spec.edit.iter().filter(move |edit| edit.file == file);
        let whole = |edit: &Edit| edit.file == "@tar" || edit.file == "@outer";
        for (n, edit) in self.spec.edit.iter().enumerate().filter(|(_, edit)| !whole(edit)) {
            archive.apply(edit).map_err(|error| format!("edit {}: {error}", n + 1))?;
        }
        match self.shape()? {
            Shape::Document => {
                let name = self.spec.document.as_deref().ok_or("which document?")?;
                let at = archive.find(name)?;
                Ok(Made::File("document.json", std::mem::take(&mut archive.members[at].data)))
            }
            Shape::Folder => {
                let files = archive.members.into_iter().filter(|member| member.is_file());
                Ok(Made::Folder(files.map(|member| (member.name, member.data)).collect()))
            }
            Shape::Tar => {
                let mut tar = members::tar_of(&archive.members);
                for edit in of("@tar") {
                    edit.change(&mut tar)?;
                }
                match self.spec.outer.as_deref() {
                    None => Ok(Made::File("archive.tar", tar)),
                    Some(codec @ ("gzip" | "zstd")) => {
                        let (name, mut outer) = match codec {
                            "gzip" => ("archive.tar.gz", super::builder::gzip(&tar)),
                            _ => ("archive.tar.zst", super::builder::zstd_stored(&tar)),
                        };
                        for edit in of("@outer") {
                            edit.change(&mut outer)?;
                        }
                        Ok(Made::File(name, outer))
                    }
                    Some(codec) => Err(format!("outer = {codec:?} is not known")),
                }
            }
        }
    }

    /// What is stored: its name, and every file in it.
    pub fn stored(&self) -> Result<String, String> {
        Ok(match (self.shape()?, self.spec.outer.as_deref()) {
            (Shape::Document, _) => "document.json",
            (Shape::Folder, _) => "archive",
            (Shape::Tar, Some("zstd")) => "archive.tar.zst",
            (Shape::Tar, Some(_)) => "archive.tar.gz",
            (Shape::Tar, None) => "archive.tar",
        }
        .to_owned())
    }

    /// The same as a place, from the folder of the case: with its transport, if it is not found from the content.
    pub fn place(&self) -> Result<String, String> {
        let stored = self.stored()?;
        Ok(self.spec.transport.iter().fold(stored, |stored, prefix| format!("{prefix}:{stored}")))
    }
}

impl Made {
    /// Writes it into a folder, in place of what is there.
    pub fn write(&self, folder: &Path) -> std::io::Result<PathBuf> {
        match self {
            Made::File(name, bytes) => {
                let path = folder.join(name);
                std::fs::write(&path, bytes)?;
                Ok(path)
            }
            Made::Folder(files) => {
                let path = folder.join("archive");
                if path.exists() {
                    std::fs::remove_dir_all(&path)?;
                }
                std::fs::create_dir(&path)?;
                for (name, bytes) in files {
                    let file = path.join(name);
                    std::fs::create_dir_all(file.parent().unwrap_or(&path))?;
                    std::fs::write(file, bytes)?;
                }
                Ok(path)
            }
        }
    }
}
