//! A registry in which faults can be planted, and what stands in it: the one inside the tests, or Debian's behind a proxy.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use restow::digest::Digest;
use serde_json::Value;

use super::debian::{self, Registry};
use super::proxy::Proxy;
use super::server::{Auth, Manner, Plant, Seen, Server};
use crate::listening::Open;

pub enum Standing {
    Own(Server),
    Debian(Proxy, Registry),
}

/// What a repository holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Held {
    pub blobs: BTreeSet<String>,
    pub manifests: BTreeMap<String, Vec<u8>>,
    /// Digests by tags.
    pub tags: BTreeMap<String, String>,
}

impl Held {
    /// Every manifest has what it names. (Tags lead to manifests that are there, or that is told.)
    pub fn is_whole(&self) -> Result<(), String> {
        for (digest, bytes) in &self.manifests {
            let document: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
            let part = |value: &Value| value["digest"].as_str().map(str::to_owned);
            let parts = document["layers"].as_array().into_iter().flatten().chain([&document["config"]]);
            if let Some(part) = parts.filter_map(part).find(|part| !self.blobs.contains(part)) {
                return Err(format!("manifest {digest} lacks blob {part}"));
            }
            let mut children = document["manifests"].as_array().into_iter().flatten().filter_map(part);
            if let Some(child) = children.find(|child| !self.manifests.contains_key(child)) {
                return Err(format!("index {digest} lacks {child}"));
            }
        }
        match self.tags.iter().find(|(_, digest)| !self.manifests.contains_key(*digest)) {
            Some((tag, digest)) => Err(format!("tag {tag} is {digest}, which is not there")),
            None => Ok(()),
        }
    }
}

impl Standing {
    pub fn own(manner: Manner) -> Standing {
        Standing::Own(Server::start(manner))
    }

    /// Debian's registry; `None` if it cannot be as asked for.
    pub fn debian(manner: &Manner) -> Option<Standing> {
        let auth = match &manner.auth {
            Auth::None => None,
            Auth::Basic(pair) => Some(pair.split_once(':')?),
            Auth::Bearer { .. } => return None,
        };
        let registry =
            debian::start(|folder| (String::new(), auth.map_or(String::new(), |pair| basic(folder, pair))));
        Some(Standing::Debian(Proxy::start(&registry.address), registry))
    }

    pub fn address(&self) -> &str {
        match self {
            Standing::Own(server) => &server.address,
            Standing::Debian(proxy, _) => &proxy.address,
        }
    }

    pub fn open(&self) -> &Open {
        match self {
            Standing::Own(server) => server.open(),
            Standing::Debian(proxy, _) => proxy.open(),
        }
    }

    pub fn plant(&self, plant: Plant) {
        match self {
            Standing::Own(server) => server.state().plants.push(plant),
            Standing::Debian(proxy, _) => proxy.passing().plants.push(plant),
        }
    }

    /// No fault is left.
    pub fn heal(&self) {
        match self {
            Standing::Own(server) => server.state().plants.clear(),
            Standing::Debian(proxy, _) => proxy.passing().plants.clear(),
        }
    }

    /// How many requests came since they were taken last.
    pub fn requests(&self) -> usize {
        match self {
            Standing::Own(server) => server.state().seen.len(),
            Standing::Debian(proxy, _) => proxy.passing().seen.len(),
        }
    }

    /// The requests that came since this was asked last.
    pub fn seen(&self) -> Vec<Seen> {
        match self {
            Standing::Own(server) => std::mem::take(&mut server.state().seen),
            Standing::Debian(proxy, _) => std::mem::take(&mut proxy.passing().seen),
        }
    }

    pub fn held(&self, repository: &str) -> Held {
        match self {
            Standing::Own(server) => {
                let state = server.state();
                let here = |(path, _): &&(String, String)| path == repository;
                let of = |(_, name): &(String, String)| name.clone();
                let manifests = state.manifests.iter().filter(|(key, _)| here(key));
                Held {
                    blobs: state.blobs.keys().filter(here).map(of).collect(),
                    manifests: manifests.map(|(key, (_, bytes))| (of(key), bytes.clone())).collect(),
                    tags: state
                        .tags
                        .iter()
                        .filter(|(key, _)| here(key))
                        .map(|(key, digest)| (of(key), digest.clone()))
                        .collect(),
                }
            }
            Standing::Debian(_, registry) => {
                stored(&registry.folder.path().join("data/docker/registry/v2"), repository)
            }
        }
    }
}

fn basic(folder: &Path, (user, password): (&str, &str)) -> String {
    let passwords = std::process::Command::new("htpasswd")
        .args(["-Bbn", user, password])
        .output()
        .expect("htpasswd runs");
    let file = folder.join("htpasswd");
    std::fs::write(&file, passwords.stdout).expect("written");
    format!("auth:\n  htpasswd: {{realm: test, path: {}}}\n", file.display())
}

/// What the storage of Debian's registry holds (docs/formats.md H.12).
fn stored(root: &Path, repository: &str) -> Held {
    let own = root.join("repositories").join(repository);
    let names = |folder: std::path::PathBuf| -> Vec<String> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    let linked = |folder: &str| -> Vec<String> {
        let folder = own.join(folder);
        let linked = |name: &String| folder.join("sha256").join(name).join("link").is_file();
        names(folder.join("sha256")).into_iter().filter(linked).map(|name| format!("sha256:{name}")).collect()
    };
    let bytes = |digest: &String| {
        let hex = digest.trim_start_matches("sha256:");
        std::fs::read(root.join("blobs/sha256").join(&hex[..2]).join(hex).join("data"))
            .expect("a manifest's bytes")
    };
    let tag = |tag: String| {
        let link =
            std::fs::read_to_string(own.join("_manifests/tags").join(&tag).join("current/link")).ok()?;
        Some((tag, link.trim().to_owned()))
    };
    let manifests: BTreeMap<String, Vec<u8>> =
        linked("_manifests/revisions").into_iter().map(|digest| (digest.clone(), bytes(&digest))).collect();
    for (digest, bytes) in &manifests {
        assert_eq!(Digest::sha256(bytes).as_str(), digest, "what stands there is not what it is called");
    }
    Held {
        blobs: linked("_layers").into_iter().collect(),
        manifests,
        tags: names(own.join("_manifests/tags")).into_iter().filter_map(tag).collect(),
    }
}
