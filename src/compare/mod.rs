//! What two places hold, reduced to what must survive a conversion, and how they differ.
//!
//! The oracle of round trips: diff IDs are those of the layers as they were read, not as configs claim them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::digest::Digest;
use crate::error::Result;
use crate::facts::Facts;
use crate::model::Form;
use crate::model::{Archive, Body, Name, NodeId, Part, select};
use crate::progress::Progress;
use crate::read::{self, Options};

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aspects {
    /// Names, where both forms hold names.
    pub names: bool,
    /// Digests of manifests and indexes, where both sides have them.
    pub digests: bool,
    /// Layers as they are stored.
    pub layers: bool,
    /// Platforms.
    pub platforms: bool,
}

/// What a place holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holding {
    /// Images and artifacts by image ID, or by manifest digest where there is no config.
    pub images: BTreeMap<String, Image>,
    /// Digests of indexes.
    pub indexes: BTreeSet<String>,
    /// Whether the form holds names at all.
    pub has_names: bool,
    /// Whether every image has a manifest.
    pub has_manifests: bool,
}

/// One image or artifact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// Full names, and tags without repository as `:tag`.
    pub names: BTreeSet<String>,
    /// Normalised.
    pub platform: String,
    /// Of the layers as they were read; `missing` where one is not there.
    pub diff_ids: Vec<String>,
    /// Digests of the stored layers.
    pub layers: Vec<String>,
    /// Digests of its manifests.
    pub manifests: BTreeSet<String>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The image, or the archive as a whole.
    pub what: String,
    /// In words.
    pub how: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.how)
    }
}

impl Holding {
    /// Reads what an archive holds, each blob once.
    ///
    /// # Errors
    ///
    /// The archive cannot be read, it changed meanwhile, it holds nothing of that name, or `progress` cancelled the job.
    pub fn read(
        archive: &Archive,
        name: Option<&str>,
        options: &Options,
        progress: &dyn Progress,
    ) -> Result<Holding> {
        let facts = read::all(archive, &options.context(false, progress))?;
        Holding::of(archive, &facts, name)
    }

    /// What an archive holds, or what one name in it points at.
    pub fn of(archive: &Archive, facts: &Facts, name: Option<&str>) -> Result<Holding> {
        let wanted: Vec<String> = name.map(str::to_owned).into_iter().collect();
        let roots = select::roots(archive, &wanted)?;
        let mut holding =
            Holding { has_names: archive.form != Form::Dir, has_manifests: true, ..Holding::default() };
        let mut above: BTreeMap<NodeId, BTreeSet<String>> = BTreeMap::new();
        let mut platforms = BTreeMap::new();
        for chosen in &roots {
            let name = match &chosen.root.name {
                Name::Full(name) => Some(name.canonical()),
                Name::BareTag(tag) => Some(format!(":{tag}")),
                Name::Unreadable(text) => Some(text.clone()),
                Name::None => None,
            };
            for node in archive.below(chosen.root.node) {
                above.entry(node).or_default().extend(name.clone());
                if let Body::Index { children, .. } = &archive.node(node).body {
                    for edge in children {
                        if let (Some(child), Some(platform)) = (edge.node, &edge.descriptor.platform) {
                            platforms.entry(child).or_insert_with(|| platform.normalised().to_string());
                        }
                    }
                }
            }
        }
        for (node, names) in above {
            holding.add(archive, facts, node, names, platforms.get(&node))?;
        }
        Ok(holding)
    }

    fn add(
        &mut self,
        archive: &Archive,
        facts: &Facts,
        node: NodeId,
        names: BTreeSet<String>,
        described: Option<&String>,
    ) -> Result<()> {
        let held = archive.node(node);
        let digest = held.digest.as_ref().map(ToString::to_string);
        match &held.body {
            Body::Absent => return Ok(()),
            Body::Index { .. } => {
                self.indexes.extend(digest);
                return Ok(());
            }
            _ => {}
        }
        if digest.is_none() {
            self.has_manifests = false;
        }
        let own = select::platform_of(archive, node, None).map(|platform| platform.normalised().to_string());
        let key = match read::config_of(archive, node, facts) {
            Ok(Some((config, _))) => format!("image {}", Digest::sha256(&config)),
            _ => match (&held.parts().and_then(|parts| parts.config.blob), &digest) {
                (_, Some(digest)) => format!("artifact {digest}"),
                (Some(blob), None) => format!("image with config {}", blob.0),
                (None, None) => "image without config".to_owned(),
            },
        };
        let parts: Vec<&Part> = match &held.body {
            Body::Manifest { parts, .. } | Body::Item { parts } => parts.layers.iter().collect(),
            _ => held.all_parts(),
        };
        let image = self.images.entry(key).or_default();
        image.names.extend(names);
        image.platform = own.filter(|p| !p.is_empty()).or_else(|| described.cloned()).unwrap_or_default();
        image.manifests.extend(digest);
        image.diff_ids = Vec::new();
        image.layers = Vec::new();
        // Empty layers of schema 1 have no counterpart in what it is converted to.
        let empty = "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4";
        let schema1 = matches!(held.body, Body::Schema1 { .. });
        for part in parts {
            if schema1 && part.wanted == empty {
                continue;
            }
            let found = part.blob.and_then(|blob| facts.get(blob));
            let missing = || "missing".to_owned();
            let plain = found.and_then(|facts| facts.plain.as_ref());
            let diff_id = plain.map(|plain| plain.diff_id.to_string());
            image
                .diff_ids
                .push(diff_id.or_else(|| found.map(|f| f.sha256.to_string())).unwrap_or_else(missing));
            image.layers.push(found.map_or_else(missing, |facts| facts.sha256.to_string()));
        }
        Ok(())
    }
}

/// How two places differ; nothing if they hold the same.
pub fn differences(a: &Holding, b: &Holding, aspects: Aspects) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut say = |what: &str, how: String| found.push(Difference { what: what.to_owned(), how });
    for (key, left) in &a.images {
        let Some(right) = b.images.get(key) else {
            say(key, format!("only in A{}", called(left)));
            continue;
        };
        lists("diff ID", &left.diff_ids, &right.diff_ids).into_iter().for_each(|how| say(key, how));
        if aspects.layers && left.diff_ids == right.diff_ids {
            lists("stored layer", &left.layers, &right.layers).into_iter().for_each(|how| say(key, how));
        }
        if aspects.platforms && left.platform != right.platform {
            say(key, format!("platform is `{}` in A and `{}` in B", left.platform, right.platform));
        }
        if aspects.names && a.has_names && b.has_names && left.names != right.names {
            say(key, format!("names are {} in A and {} in B", set(&left.names), set(&right.names)));
        }
        if aspects.digests && a.has_manifests && b.has_manifests && left.manifests != right.manifests {
            say(key, format!("manifest is {} in A and {} in B", set(&left.manifests), set(&right.manifests)));
        }
    }
    for (key, right) in b.images.iter().filter(|(key, _)| !a.images.contains_key(*key)) {
        say(key, format!("only in B{}", called(right)));
    }
    if aspects.digests && a.has_manifests && b.has_manifests {
        for digest in a.indexes.difference(&b.indexes) {
            say(&format!("index {digest}"), "only in A".into());
        }
        for digest in b.indexes.difference(&a.indexes) {
            say(&format!("index {digest}"), "only in B".into());
        }
    }
    found
}

fn called(image: &Image) -> String {
    if image.names.is_empty() { String::new() } else { format!(", called {}", set(&image.names)) }
}

fn set(items: &BTreeSet<String>) -> String {
    let items: Vec<&str> = items.iter().map(String::as_str).collect();
    if items.is_empty() { "none".into() } else { items.join(", ") }
}

fn lists(what: &str, a: &[String], b: &[String]) -> Vec<String> {
    if a.len() != b.len() {
        return vec![format!("{} layers in A and {} in B", a.len(), b.len())];
    }
    let pairs = a.iter().zip(b).enumerate().filter(|(_, (a, b))| a != b);
    pairs.map(|(i, (a, b))| format!("{what} {i} is {a} in A and {b} in B")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Aspects = Aspects { names: true, digests: true, layers: true, platforms: true };

    fn one() -> Holding {
        let image = Image {
            names: ["docker.io/library/app:1".to_owned()].into(),
            platform: "linux/amd64".into(),
            diff_ids: vec!["d0".into(), "d1".into()],
            layers: vec!["l0".into(), "l1".into()],
            manifests: ["m".to_owned()].into(),
        };
        Holding {
            images: BTreeMap::from([("image x".to_owned(), image)]),
            indexes: BTreeSet::new(),
            has_names: true,
            has_manifests: true,
        }
    }

    fn changed(change: impl FnOnce(&mut Image)) -> Holding {
        let mut holding = one();
        change(holding.images.get_mut("image x").expect("there"));
        holding
    }

    #[test]
    fn every_aspect_is_compared_and_can_be_passed_over() {
        assert_eq!(differences(&one(), &one(), ALL), []);
        let cases: [(Holding, Aspects); 4] = [
            (changed(|i| i.names.clear()), Aspects { names: false, ..ALL }),
            (changed(|i| i.manifests.clear()), Aspects { digests: false, ..ALL }),
            (changed(|i| i.layers[1] = "other".into()), Aspects { layers: false, ..ALL }),
            (changed(|i| i.platform.clear()), Aspects { platforms: false, ..ALL }),
        ];
        for (other, without) in cases {
            assert_eq!(differences(&one(), &other, ALL).len(), 1);
            assert_eq!(differences(&one(), &other, without), []);
        }
        let other = changed(|i| i.diff_ids[0] = "other".into());
        assert_eq!(differences(&one(), &other, ALL)[0].how, "diff ID 0 is d0 in A and other in B");
    }

    #[test]
    fn what_a_form_cannot_hold_is_not_missed() {
        let mut dir = changed(|i| i.names.clear());
        dir.has_names = false;
        assert_eq!(differences(&one(), &dir, ALL), []);
        let mut old = changed(|i| i.manifests.clear());
        old.has_manifests = false;
        assert_eq!(differences(&one(), &old, ALL), []);
    }

    #[test]
    fn images_on_one_side_only_are_named() {
        let found =
            differences(&one(), &Holding { has_names: true, has_manifests: true, ..Holding::default() }, ALL);
        assert_eq!(found[0].to_string(), "image x: only in A, called docker.io/library/app:1");
    }
}
