//! What an archive holds, read with serde_json, sha2 and tar alone: the second opinion on what restow reads and writes.
//!
//! It reads sound archives whole into memory and trusts nothing that it can compute: IDs, diff IDs and digests are
//! hashes made here.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::common::tree_digest::sha256;
use crate::stored::decompressed;

type Result<T> = std::result::Result<T, Failed>;
type Members = BTreeMap<String, Vec<u8>>;

/// What an archive holds.
#[derive(Debug, Default, Clone)]
pub struct Held {
    /// The form, as the prefix of a place.
    pub form: &'static str,
    /// Images by ID; artifacts by `artifact <manifest digest>`.
    pub images: BTreeMap<String, Image>,
    /// Digests of the manifests that are there.
    pub manifests: BTreeSet<String>,
    /// Digests of the indexes that are there.
    pub indexes: BTreeSet<String>,
    /// Names and `:tag`s, each with the images that it reaches.
    pub names: BTreeMap<String, BTreeSet<String>>,
    /// Entry points, each with its names: one a manifest, index, or image without manifest.
    pub roots: BTreeMap<String, Root>,
    /// Whether an index lists something of which nothing is there, or its manifest alone.
    pub sparse: bool,
}

/// An image or artifact.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Image {
    /// Of the layers as they are, base first; `missing` where one is not there.
    pub diff_ids: Vec<String>,
    /// Digests of the stored layers, in every arrangement that a manifest gives.
    pub layers: BTreeSet<Vec<String>>,
    /// From the config: `linux/arm64/v8`.
    pub platform: String,
    /// Whether it is an image that can run: its layers are tars and there is a config.
    pub runs: bool,
}

/// An entry point.
#[derive(Debug, Default, Clone)]
pub struct Root {
    /// Names and `:tag`s; empty if it has none.
    pub names: BTreeSet<String>,
    /// What it reaches.
    pub images: BTreeSet<String>,
    /// Digests of the manifests and indexes that it reaches.
    pub documents: BTreeSet<String>,
    /// What the root itself refers to by `subject`.
    pub subject: Option<String>,
    /// Whether it is an index.
    pub index: bool,
}

impl Held {
    /// Reads an archive of any form.
    pub fn read(path: &Path) -> Result<Held> {
        let members = members(path)?;
        let mut reader = Reader { members: &members, held: Held::default(), kind: Kind::Layout };
        let json =
            |name: &str| members.get(name).and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
        let storage =
            members.keys().find_map(|name| name.find("docker/registry/v2/").map(|at| name[..at].to_owned()));
        if let Some(base) = storage {
            reader.kind = Kind::Storage(format!("{base}docker/registry/v2/"));
            reader.storage()?;
            reader.held.form = "registry-storage";
        } else if let Some(index) = json("index.json") {
            for root in index["manifests"].as_array().into_iter().flatten() {
                let name = oci_name(root);
                reader.root(root["digest"].as_str().unwrap_or_default(), name)?;
            }
            reader.referrers()?;
            reader.held.form = "oci";
            if let Some(items) = json("manifest.json") {
                reader.items(&items)?;
                reader.held.form = "docker-archive";
            }
        } else if let Some(manifest) = json("manifest.json") {
            if manifest.is_array() {
                reader.items(&manifest)?;
                reader.held.form = "docker-archive";
            } else {
                reader.kind = Kind::Dir;
                reader.root(&format!("sha256:{}", sha256(&members["manifest.json"])), None)?;
                reader.held.form = "dir";
            }
        } else if members.contains_key("repositories") {
            reader.v1()?;
            reader.held.form = "docker-archive";
        } else {
            let message = "a form that the oracle does not know: teach it to `Held::read`";
            return Err(format!("{}: {message}", path.display()).into());
        }
        Ok(reader.held)
    }

    /// A document alone holds no image.
    pub fn document() -> Held {
        Held { form: "document", ..Held::default() }
    }

    /// Without the roots that are about something that another one reaches: by `subject`, or by a tag of cosign's scheme.
    pub fn without_referrers(&self) -> Held {
        let documents: BTreeSet<&String> = self.roots.values().flat_map(|root| &root.documents).collect();
        let tagged = |name: &String| {
            let hex = name.rsplit(':').next()?.strip_prefix("sha256-")?.get(..64)?;
            Some(format!("sha256:{hex}"))
        };
        let is_about = |root: &Root| {
            let by_name = root.names.iter().filter_map(tagged);
            root.subject.iter().cloned().chain(by_name).any(|digest| documents.contains(&digest))
        };
        let keep: BTreeSet<String> = self
            .roots
            .values()
            .filter(|root| !is_about(root))
            .flat_map(|root| root.images.iter().cloned())
            .collect();
        let mut held = self.only(&keep);
        held.roots.retain(|_, root| !is_about(root));
        held
    }

    /// Only what the images of `keep` are part of; the roots become theirs.
    pub fn only(&self, keep: &BTreeSet<String>) -> Held {
        let mut held = self.clone();
        held.images.retain(|key, _| keep.contains(key));
        held.names.values_mut().for_each(|images| images.retain(|key| keep.contains(key)));
        held.names.retain(|_, images| !images.is_empty());
        held
    }
}

enum Kind {
    Layout,
    Dir,
    Storage(String),
}

struct Reader<'a> {
    members: &'a Members,
    held: Held,
    kind: Kind,
}

impl Reader<'_> {
    fn blob(&self, digest: &str) -> Option<&[u8]> {
        let (algorithm, hex) = digest.split_once(':')?;
        let path = match &self.kind {
            Kind::Layout => format!("blobs/{algorithm}/{hex}"),
            Kind::Dir => {
                let child = format!("{hex}.manifest.json");
                let top = || self.members.get("manifest.json").is_some_and(|bytes| sha256(bytes) == hex);
                if self.members.contains_key(&child) {
                    child
                } else if top() {
                    "manifest.json".to_owned()
                } else {
                    hex.to_owned()
                }
            }
            Kind::Storage(base) => format!("{base}blobs/{algorithm}/{}/{hex}/data", hex.get(..2)?),
        };
        self.members.get(&path).map(Vec::as_slice)
    }

    fn root(&mut self, digest: &str, name: Option<String>) -> Result<()> {
        let mut reached = BTreeSet::new();
        let mut documents = BTreeSet::new();
        let index = self.node(digest, &mut reached, &mut documents)?;
        if let Some(name) = &name {
            self.held.names.entry(name.clone()).or_default().extend(reached.iter().cloned());
        }
        if let Some(bytes) = self.blob(digest) {
            let json: Value = serde_json::from_slice(bytes)?;
            let root = self.held.roots.entry(digest.to_owned()).or_default();
            root.names.extend(name);
            root.images.extend(reached);
            root.documents.extend(documents);
            root.subject = json["subject"]["digest"].as_str().map(str::to_owned);
            root.index = index;
        }
        Ok(())
    }

    /// Manifests that no list has, and that are about something that one leads to.
    fn referrers(&mut self) -> Result<()> {
        loop {
            let known =
                |held: &Held, digest: &str| held.manifests.contains(digest) || held.indexes.contains(digest);
            let next = self.members.iter().find_map(|(name, bytes)| {
                let digest = name.strip_prefix("blobs/")?.replacen('/', ":", 1);
                let json: Value = serde_json::from_slice(bytes).ok().filter(|_| bytes.starts_with(b"{"))?;
                let about = json["subject"]["digest"].as_str()?;
                (known(&self.held, about) && !known(&self.held, &digest)).then_some(digest)
            });
            match next {
                Some(digest) => self.root(&digest, None)?,
                None => return Ok(()),
            }
        }
    }

    /// Reads a manifest or index; says whether it is an index.
    fn node(
        &mut self,
        digest: &str,
        reached: &mut BTreeSet<String>,
        documents: &mut BTreeSet<String>,
    ) -> Result<bool> {
        let Some(bytes) = self.blob(digest) else { return Ok(false) };
        documents.insert(digest.to_owned());
        if digest.starts_with("sha256:") && digest[7..] != sha256(bytes) {
            return Err(format!("{digest} hashes to {}", sha256(bytes)).into());
        }
        let json: Value = serde_json::from_slice(bytes)?;
        if let Some(children) = json["manifests"].as_array() {
            self.held.indexes.insert(digest.to_owned());
            for child in children {
                let child = child["digest"].as_str().unwrap_or_default();
                self.node(child, reached, documents)?;
                let manifest = self.blob(child).and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
                let lacks =
                    |part: &Value| part["digest"].as_str().is_none_or(|digest| self.blob(digest).is_none());
                let gone = manifest.is_none_or(|manifest| {
                    let layers = manifest["layers"].as_array();
                    layers.is_some_and(|layers| !layers.is_empty() && layers.iter().all(lacks))
                });
                self.held.sparse |= gone;
            }
            return Ok(true);
        }
        self.held.manifests.insert(digest.to_owned());
        let config = &json["config"];
        let config_type = config["mediaType"].as_str().unwrap_or_default();
        let config_bytes = config["digest"].as_str().and_then(|digest| self.blob(digest));
        let layers =
            json["layers"].as_array().or_else(|| json["blobs"].as_array()).cloned().unwrap_or_default();
        let stored: Vec<Option<&[u8]>> =
            layers.iter().map(|layer| self.blob(layer["digest"].as_str().unwrap_or_default())).collect();
        let is_config = matches!(
            config_type,
            "application/vnd.oci.image.config.v1+json" | "application/vnd.docker.container.image.v1+json"
        );
        let tars = layers.iter().all(|layer| {
            let text = layer["mediaType"].as_str().unwrap_or_default();
            text.contains("tar") && text.contains("layer") || text.contains("rootfs")
        });
        let (key, platform) = match config_bytes {
            Some(bytes) if is_config => (format!("sha256:{}", sha256(bytes)), platform(bytes)?),
            // An image of which the archive has neither config nor layers is named, not held.
            None if is_config && stored.iter().all(Option::is_none) => return Ok(false),
            _ => (format!("artifact {digest}"), String::new()),
        };
        let image = image(&stored, platform, is_config && tars)?;
        self.add(&key, image)?;
        reached.insert(key);
        Ok(false)
    }

    fn add(&mut self, key: &str, image: Image) -> Result<()> {
        let Some(known) = self.held.images.get_mut(key) else {
            self.held.images.insert(key.to_owned(), image);
            return Ok(());
        };
        if known.diff_ids != image.diff_ids {
            return Err(format!("{key} has layers {:?} and {:?}", known.diff_ids, image.diff_ids).into());
        }
        known.layers.extend(image.layers);
        Ok(())
    }

    /// The items of `manifest.json`.
    fn items(&mut self, items: &Value) -> Result<()> {
        let field = |item: &Value, name: &str| -> Value {
            let lower = format!("{}{}", name[..1].to_lowercase(), &name[1..]);
            item.get(name).or_else(|| item.get(&lower)).cloned().unwrap_or_default()
        };
        for item in items.as_array().into_iter().flatten() {
            let config = field(item, "Config");
            let config = self.member(config.as_str().unwrap_or_default()).ok_or("no config")?;
            let key = format!("sha256:{}", sha256(config));
            let layers = field(item, "Layers");
            let stored: Vec<Option<&[u8]>> = layers
                .as_array()
                .into_iter()
                .flatten()
                .map(|layer| self.member(layer.as_str().unwrap_or_default()))
                .collect();
            let image = image(&stored, platform(config)?, true)?;
            let tags = field(item, "RepoTags");
            let names: BTreeSet<String> =
                tags.as_array().into_iter().flatten().filter_map(|tag| normal(tag.as_str()?)).collect();
            for name in &names {
                self.held.names.entry(name.clone()).or_default().insert(key.clone());
            }
            let known = self.held.roots.values().any(|root| root.images.contains(&key));
            if !known
                || !names.iter().all(|name| self.held.roots.values().any(|root| root.names.contains(name)))
            {
                let root = self.held.roots.entry(format!("item {key}")).or_default();
                root.names.extend(names);
                root.images.insert(key.clone());
            }
            self.add(&key, image)?;
        }
        Ok(())
    }

    fn member(&self, name: &str) -> Option<&[u8]> {
        self.members.get(&clean(name)).map(Vec::as_slice)
    }

    /// Docker before 1.10 (formats.md A.1), for configs whose nested members are sorted already.
    fn v1(&mut self) -> Result<()> {
        let repositories: Value = serde_json::from_slice(&self.members["repositories"])?;
        for (repository, tags) in repositories.as_object().into_iter().flatten() {
            for (tag, id) in tags.as_object().into_iter().flatten() {
                let id = id.as_str().unwrap_or_default();
                let mut chain: Vec<Value> = Vec::new();
                let mut next = Some(id.to_owned());
                while let Some(id) = next {
                    let json: Value = serde_json::from_slice(&self.members[&format!("{id}/json")])?;
                    next = json["parent"].as_str().filter(|parent| !parent.is_empty()).map(str::to_owned);
                    chain.insert(0, json);
                }
                let layer = |json: &Value| format!("{}/layer.tar", json["id"].as_str().unwrap_or_default());
                let stored: Vec<Option<&[u8]>> = chain.iter().map(|json| self.member(&layer(json))).collect();
                let mut image = image(&stored, String::new(), true)?;
                let config = v1_config(&chain, &image.diff_ids);
                image.platform = platform(config.as_bytes())?;
                let key = format!("sha256:{}", sha256(config.as_bytes()));
                self.add(&key, image)?;
                let name = normal(&format!("{repository}:{tag}")).ok_or("no name")?;
                self.held.names.entry(name.clone()).or_default().insert(key.clone());
                let root = self.held.roots.entry(format!("v1 {key}")).or_default();
                root.names.insert(name);
                root.images.insert(key);
            }
        }
        Ok(())
    }

    fn storage(&mut self) -> Result<()> {
        let Kind::Storage(base) = &self.kind else { return Ok(()) };
        let base = format!("{base}repositories/");
        let link = |path: &str| self.members.get(path).map(|b| String::from_utf8_lossy(b).trim().to_owned());
        let mut tags: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
        let mut revisions: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for path in self.members.keys() {
            let Some((repository, rest)) =
                path.strip_prefix(&base).and_then(|p| p.split_once("/_manifests/"))
            else {
                continue;
            };
            let digest = link(path).unwrap_or_default();
            if let Some(tag) = rest.strip_prefix("tags/").and_then(|rest| rest.strip_suffix("/current/link"))
            {
                tags.entry(repository.to_owned()).or_default().push((tag.to_owned(), digest));
            } else if rest.starts_with("revisions/") {
                revisions.entry(repository.to_owned()).or_default().push(digest);
            }
        }
        for (repository, digests) in revisions {
            let named = tags.remove(&repository).unwrap_or_default();
            for (tag, digest) in &named {
                let first = repository.split('/').next().unwrap_or_default();
                let host = repository.contains('/') && (first.contains(['.', ':']) || first == "localhost");
                let domain = if host { "" } else { "docker.io/" };
                self.root(digest, normal(&format!("{domain}{repository}:{tag}")))?;
            }
            // Indexes first, since their children are no roots.
            let is_index =
                |digest: &String| self.blob(digest).is_some_and(|bytes| has(bytes, b"\"manifests\""));
            let (first, rest): (Vec<String>, Vec<String>) = digests.into_iter().partition(is_index);
            for digest in first.into_iter().chain(rest) {
                let manifest =
                    self.blob(&digest).and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
                let subject = manifest.and_then(|m| m["subject"]["digest"].as_str().map(str::to_owned));
                let refers = subject
                    .is_some_and(|s| self.held.manifests.contains(&s) || self.held.indexes.contains(&s));
                let known = self.held.manifests.contains(&digest) || self.held.indexes.contains(&digest);
                let about = digest.replace(':', "-");
                let signed = named.iter().any(|(tag, _)| tag.starts_with(&about));
                if !known && (refers || signed || named.is_empty()) {
                    self.root(&digest, None)?;
                }
            }
        }
        Ok(())
    }
}

fn has(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

fn image(stored: &[Option<&[u8]>], platform: String, runs: bool) -> Result<Image> {
    let mut diff_ids = Vec::new();
    let mut layers = Vec::new();
    for bytes in stored {
        let Some(bytes) = bytes else {
            diff_ids.push("missing".to_owned());
            layers.push("missing".to_owned());
            continue;
        };
        let plain = if runs { decompressed(bytes)? } else { bytes.to_vec() };
        diff_ids.push(format!("sha256:{}", sha256(&plain)));
        layers.push(format!("sha256:{}", sha256(bytes)));
    }
    Ok(Image { diff_ids, layers: [layers].into(), platform, runs })
}

fn platform(config: &[u8]) -> Result<String> {
    let json: Value = serde_json::from_slice(config)?;
    let parts =
        ["os", "architecture", "variant"].map(|name| json[name].as_str().unwrap_or_default().to_owned());
    Ok(parts.join("/").trim_end_matches('/').to_owned())
}

/// The config that Docker makes of v1 images: the top one's members sorted, with `rootfs` and `history`.
fn v1_config(chain: &[Value], diff_ids: &[String]) -> String {
    let top = chain.last().cloned().unwrap_or_default();
    let mut members: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in top.as_object().into_iter().flatten() {
        if !["id", "parent", "Size", "parent_id", "layer_id", "throwaway"].contains(&name.as_str()) {
            members.insert(name.clone(), value.to_string());
        }
    }
    let ids: Vec<String> = diff_ids.iter().map(|id| format!("\"{id}\"")).collect();
    members.insert("rootfs".into(), format!("{{\"type\":\"layers\",\"diff_ids\":[{}]}}", ids.join(",")));
    let history = chain.iter().map(|json| {
        let words: Vec<&str> = json["container_config"]["Cmd"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        format!("{{\"created\":{},\"created_by\":{}}}", json["created"], Value::from(words.join(" ")))
    });
    members.insert("history".into(), format!("[{}]", history.collect::<Vec<_>>().join(",")));
    let members: Vec<String> =
        members.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// The name that a descriptor of `index.json` gives: a full one, `:tag`, or other text as it is.
fn oci_name(descriptor: &Value) -> Option<String> {
    let annotation = |name: &str| descriptor["annotations"][name].as_str();
    if let Some(name) = annotation("io.containerd.image.name").and_then(normal) {
        return Some(name);
    }
    let text = annotation("org.opencontainers.image.ref.name")?;
    if text.contains(['/', ':']) {
        normal(text).or_else(|| Some(text.to_owned()))
    } else {
        Some(format!(":{text}"))
    }
}

/// A full name with domain and tag, if it is one (formats.md I).
fn normal(text: &str) -> Option<String> {
    let (first, rest) = text.split_once('/').unwrap_or(("", text));
    let host =
        first.contains(['.', ':']) || first == "localhost" || first.chars().any(|c| c.is_ascii_uppercase());
    let (domain, path) = if host && !first.is_empty() { (first, rest) } else { ("docker.io", text) };
    let domain = if domain == "index.docker.io" { "docker.io" } else { domain };
    let (path, digest) = path.split_once('@').map_or((path, None), |(path, digest)| (path, Some(digest)));
    let (path, tag) = path.rsplit_once(':').map_or((path, None), |(path, tag)| (path, Some(tag)));
    let word = |part: &str| {
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        part.chars().all(inner) && edge(part.chars().next()) && edge(part.chars().last())
    };
    if !path.split('/').all(word) {
        return None;
    }
    let library = if domain == "docker.io" && !path.contains('/') { "library/" } else { "" };
    let end = match (tag, digest) {
        (Some(tag), _) => format!(":{tag}"),
        (None, Some(digest)) => format!("@{digest}"),
        (None, None) => ":latest".to_owned(),
    };
    Some(format!("{domain}/{library}{path}{end}"))
}

/// A name without `.`, `..` and doubled slashes.
fn clean(name: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Every file of a folder or tar, links resolved.
pub fn members(path: &Path) -> Result<Members> {
    let mut found = Members::new();
    if path.is_dir() {
        for name in crate::common::tree_digest::files(path)?.into_keys() {
            let bytes = std::fs::read(path.join(&name))?;
            found.insert(name, bytes);
        }
        return Ok(found);
    }
    let plain = decompressed(&std::fs::read(path)?)?;
    let mut links: Vec<(String, String)> = Vec::new();
    let mut archive = tar::Archive::new(&plain[..]);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = clean(&String::from_utf8_lossy(&entry.path_bytes()));
        let target = entry.link_name_bytes().map(|link| String::from_utf8_lossy(&link).into_owned());
        match entry.header().entry_type() {
            tar::EntryType::Symlink => {
                let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
                links.push((name.clone(), clean(&format!("{folder}/{}", target.unwrap_or_default()))));
            }
            tar::EntryType::Link => links.push((name, clean(&target.unwrap_or_default()))),
            tar::EntryType::Directory => {}
            _ => {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes)?;
                found.entry(name).or_insert(bytes);
            }
        }
    }
    // A link may lead to another link.
    for _ in 0..links.len() {
        for (name, target) in &links {
            if let Some(bytes) = found.get(target).cloned() {
                found.entry(name.clone()).or_insert(bytes);
            }
        }
    }
    Ok(found)
}
