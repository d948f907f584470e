//! A case of the corpus as it is handed to tools, and what its images are when nothing is lost.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::tree::{self, Files};
use crate::common::tree_digest::{self, sha256};
use crate::stored::bad::Bad;
use crate::stored::members::{self, Entry};
use crate::stored::{bad, case};

/// Which tools can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    DockerArchive,
    Oci,
    Dir,
    Storage,
}

/// A case of the corpus.
#[derive(Clone)]
pub struct Subject {
    /// `good/oci/minimal`, `bad/blob/missing`
    pub name: String,
    pub form: Form,
    /// The stored archive.
    pub path: PathBuf,
}

/// Every case that is an archive, in order of names.
pub fn subjects() -> Result<Vec<Subject>, String> {
    let mut all = Vec::new();
    for case in bad::all()? {
        if let Some(form) = form(&case.form()?) {
            all.push(subject_of(&case, form)?);
        }
    }
    for case in case::all() {
        let form = form(case.name.split('/').next().unwrap_or_default());
        if let Some(form) = form {
            all.push(Subject { name: format!("good/{}", case.name), form, path: case.archive });
        }
    }
    Ok(all)
}

fn subject_of(case: &Bad, form: Form) -> Result<Subject, String> {
    Ok(Subject { name: format!("bad/{}", case.name), form, path: case.folder.join(case.stored()?) })
}

fn form(name: &str) -> Option<Form> {
    Some(match name {
        "docker-archive" => Form::DockerArchive,
        "oci" => Form::Oci,
        "dir" => Form::Dir,
        "registry-storage" => Form::Storage,
        _ => return None,
    })
}

impl Subject {
    /// Twelve digits of a hash over the stored bytes: evidence of other bytes is no evidence.
    pub fn bytes(&self) -> std::io::Result<String> {
        let files = tree_digest::files(&self.path)?;
        let text: String = files.iter().map(|(name, digest)| format!("{name}\0{digest}\n")).collect();
        Ok(sha256(text.as_bytes())[..12].to_owned())
    }
}

/// An image that a tool should have afterwards.
pub struct Image {
    pub layers: usize,
    /// `None` where the layers cannot be read.
    pub files: Option<Files>,
}

/// What `index.json` names.
#[derive(Clone)]
pub struct Root {
    pub digest: String,
    pub media_type: String,
    pub name: Option<String>,
    pub index: bool,
}

/// A case in the folder that tools work in.
pub struct Input {
    pub form: Form,
    /// The folder, below the working folder.
    pub folder: String,
    /// The file or folder in it.
    pub file: &'static str,
    /// Names and bytes of its members, where they can be read.
    pub members: BTreeMap<String, Vec<u8>>,
    /// By ID, the hash of the config in hex.
    pub images: BTreeMap<String, Image>,
    /// Names that `manifest.json` gives.
    pub names: Vec<String>,
    /// Of a layout.
    pub roots: Vec<Root>,
}

impl Input {
    /// Writes the case into `folder`, which is `outside` for this program. A folder that tools want as a tar becomes one.
    pub fn deliver(subject: &Subject, folder: &str, outside: &Path) -> Result<Input, String> {
        let told = |error: std::io::Error| error.to_string();
        fs::create_dir_all(outside).map_err(told)?;
        let read = members::read(&subject.path).unwrap_or_default();
        let members: BTreeMap<String, Vec<u8>> =
            read.iter().filter(|m| m.is_file()).map(|m| (bare(&m.name), m.data.clone())).collect();
        let file = match (subject.form, subject.path.is_dir()) {
            (Form::Dir | Form::Storage, _) => {
                write_folder(&outside.join("archive"), &members).map_err(told)?;
                "archive"
            }
            (_, true) => {
                fs::write(outside.join("archive.tar"), members::tar_of(&read)).map_err(told)?;
                "archive.tar"
            }
            (_, false) => {
                fs::copy(&subject.path, outside.join("archive.tar")).map_err(told)?;
                "archive.tar"
            }
        };
        let mut input = Input {
            form: subject.form,
            folder: folder.to_owned(),
            file,
            members,
            images: BTreeMap::new(),
            names: Vec::new(),
            roots: Vec::new(),
        };
        input.understand();
        Ok(input)
    }

    fn json(&self, name: &str) -> Option<Value> {
        serde_json::from_slice(self.members.get(name)?).ok()
    }

    /// The blob of a digest, in a layout or a `dir:`.
    pub fn blob(&self, digest: &str) -> Option<&Vec<u8>> {
        let (algorithm, hex) = digest.split_once(':')?;
        match self.form {
            Form::Dir => self.members.get(hex).or_else(|| self.members.get(&format!("{hex}.manifest.json"))),
            _ => self.members.get(&format!("blobs/{algorithm}/{hex}")),
        }
    }

    fn understand(&mut self) {
        match self.form {
            Form::DockerArchive => {
                for item in
                    self.json("manifest.json").as_ref().and_then(Value::as_array).into_iter().flatten()
                {
                    self.item(item);
                }
            }
            Form::Oci => {
                let index = self.json("index.json").unwrap_or_default();
                for entry in index["manifests"].as_array().into_iter().flatten() {
                    let text = |value: &Value| value.as_str().map(str::to_owned);
                    let Some(digest) = text(&entry["digest"]) else { continue };
                    let doc =
                        self.blob(&digest).and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
                    self.roots.push(Root {
                        media_type: text(&entry["mediaType"]).unwrap_or_default(),
                        name: text(&entry["annotations"]["org.opencontainers.image.ref.name"]),
                        index: doc.is_some_and(|doc| doc.get("manifests").is_some()),
                        digest: digest.clone(),
                    });
                    self.walk(&digest, 0);
                }
            }
            Form::Dir => {
                if let Some(bytes) = self.members.get("manifest.json").cloned() {
                    self.document(&bytes, 0);
                }
            }
            Form::Storage => {}
        }
    }

    /// An item of `manifest.json`.
    fn item(&mut self, item: &Value) {
        self.names.extend(
            item["RepoTags"].as_array().into_iter().flatten().filter_map(|n| Some(n.as_str()?.into())),
        );
        let config = item["Config"].as_str().and_then(|name| self.members.get(&bare(name)));
        let layers: Option<Vec<&str>> =
            item["Layers"].as_array().map(|list| list.iter().filter_map(Value::as_str).collect());
        if let (Some(config), Some(layers)) = (config, layers) {
            let bytes: Option<Vec<Vec<u8>>> =
                layers.iter().map(|name| self.members.get(&bare(name)).cloned()).collect();
            let files = bytes.and_then(|bytes| tree::of_layers(&bytes));
            self.images.insert(sha256(config), Image { layers: layers.len(), files });
        }
    }

    fn walk(&mut self, digest: &str, depth: usize) {
        if let Some(bytes) = self.blob(digest).cloned() {
            self.document(&bytes, depth);
        }
    }

    fn document(&mut self, bytes: &[u8], depth: usize) {
        let Ok(doc) = serde_json::from_slice::<Value>(bytes) else { return };
        for child in doc["manifests"].as_array().into_iter().flatten().filter(|_| depth < 4) {
            self.walk(child["digest"].as_str().unwrap_or_default(), depth + 1);
        }
        let config = doc["config"]["digest"].as_str().and_then(|digest| self.blob(digest));
        if let (Some(config), Some(layers)) = (config, doc["layers"].as_array()) {
            let blobs = layers.iter().map(|layer| self.blob(layer["digest"].as_str()?).cloned());
            let files = blobs.collect::<Option<Vec<_>>>().and_then(|bytes| tree::of_layers(&bytes));
            self.images.insert(sha256(config), Image { layers: layers.len(), files });
        }
    }

    /// A layout with a `manifest.json` on top, which names the same blobs: so Docker before 25 takes it. `None` where the
    /// documents do not tell the image's blobs, or where the fault lies in the container, which this would mend.
    pub fn wrapped(&self) -> Option<Vec<u8>> {
        let root = self.roots.first()?;
        let mut doc: Value = serde_json::from_slice(self.blob(&root.digest)?).ok()?;
        if let Some(children) = doc["manifests"].as_array() {
            let amd64 = children.iter().find(|child| child["platform"]["architecture"] == "amd64")?;
            doc = serde_json::from_slice(self.blob(amd64["digest"].as_str()?)?).ok()?;
        }
        let path =
            |descriptor: &Value| Some(format!("blobs/{}", descriptor["digest"].as_str()?.replace(':', "/")));
        let layers: Option<Vec<String>> = doc["layers"].as_array()?.iter().map(path).collect();
        let item =
            json!([{"Config": path(&doc["config"])?, "RepoTags": ["lab/wrapped:1"], "Layers": layers?}]);
        let blobs = self.members.iter().filter(|(name, _)| name.starts_with("blobs/"));
        let mut entries: Vec<Entry> = blobs.map(|(name, data)| Entry::file(name, data.clone())).collect();
        entries.push(Entry::file("manifest.json", item.to_string().into_bytes()));
        Some(members::tar_of(&entries))
    }

    /// What skopeo, podman and buildah call it; of several images the first.
    pub fn place(&self) -> String {
        match self.form {
            Form::DockerArchive => match self.images.len() {
                0 | 1 => format!("docker-archive:{}", self.file),
                _ => format!("docker-archive:{}:@0", self.file),
            },
            Form::Oci => match (self.roots.len(), self.roots.first().and_then(|root| root.name.as_ref())) {
                (2.., Some(name)) => format!("oci-archive:{}:{name}", self.file),
                _ => format!("oci-archive:{}", self.file),
            },
            Form::Dir | Form::Storage => format!("dir:{}", self.file),
        }
    }
}

/// A member's name without `./` before it.
fn bare(name: &str) -> String {
    name.trim_start_matches("./").to_owned()
}

fn write_folder(folder: &Path, members: &BTreeMap<String, Vec<u8>>) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, data) in members.iter().filter(|(name, _)| !name.split('/').any(|part| part == "..")) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, data)?;
    }
    Ok(())
}
