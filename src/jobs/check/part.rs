//! A part of an archive: what a choice of images reaches.

use std::collections::HashSet;

use super::report::Report;
use crate::error::Result;
use crate::finding;
use crate::location::Location;
use crate::model::{Archive, NodeId, select};
use crate::platform::Specifier;
use crate::progress::Progress;
use crate::read::{self, Options};
use crate::rules::{self, ArchiveDocuments, Scope, reach};

/// What a choice of images reaches.
#[derive(Debug, Clone)]
pub struct Part {
    /// Manifests and indexes.
    nodes: HashSet<NodeId>,
    /// The places of the entry points.
    roots: HashSet<Location>,
}

impl Part {
    /// What these names (all, if there are none) reach, and of it what is for these platforms.
    ///
    /// # Errors
    ///
    /// There is no such image, or none for any of the platforms.
    pub fn of(archive: &Archive, images: &[String], platforms: &[Specifier]) -> Result<Part> {
        let chosen = select::roots(archive, images)?;
        // Indexes are judged as they are: what they say of the platforms that are left is a part of these.
        let (chosen, _) = select::platforms(archive, chosen, platforms, true)?;
        let mut seen = HashSet::new();
        let mut nodes = HashSet::new();
        for chosen in &chosen {
            match &chosen.only {
                Some(only) => nodes.extend(only),
                None => nodes.extend(archive.below_unseen(chosen.root.node, &mut seen)),
            }
        }
        Ok(Part { nodes, roots: chosen.into_iter().map(|chosen| chosen.root.at).collect() })
    }

    /// Whether a manifest or index belongs to it.
    pub fn holds(&self, node: NodeId) -> bool {
        self.nodes.contains(&node)
    }
}

/// Reads every blob that a part reaches, and judges it: what it is made of, the names that lead to it, and faults of the
/// archive that hinder reading it.
///
/// # Errors
///
/// As of [`run`](super::run).
pub fn run_part(
    archive: &Archive,
    part: &Part,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Report> {
    let facts = read::judging(archive, Some(&part.nodes), options, progress)?;
    let mut findings = rules::run(archive, &facts, Scope::Nodes(&part.nodes));
    reach::retain(archive, &part.nodes, &part.roots.iter().collect(), &mut findings);
    reach::tell(archive, &mut findings);
    finding::sort(&mut findings, &ArchiveDocuments::of(archive));
    archive.unchanged()?;
    Ok(Report { facts, findings })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::fixture::{Layout, config, names};

    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

    /// An image of a layer that is no tar, or has none, as an item of `index.json`.
    fn item(layout: &Layout, name: &str, architecture: &str, layer: Option<&[u8]>) -> String {
        let diff_ids: Vec<String> =
            layer.iter().map(|b| crate::digest::Digest::sha256(b).to_string()).collect();
        let diff_ids: Vec<&str> = diff_ids.iter().map(String::as_str).collect();
        let config = config(&diff_ids).replace("amd64", architecture);
        let config = layout.descriptor("application/vnd.oci.image.config.v1+json", config.as_bytes());
        let layers: Vec<String> = layer.iter().map(|bytes| layout.descriptor(LAYER, bytes)).collect();
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{config},"layers":[{}]}}"#,
            layers.join(",")
        );
        layout.open_descriptor(MANIFEST, text.as_bytes())
            + &format!(r#","annotations":{{"org.opencontainers.image.ref.name":"{name}"}}}}"#)
    }

    /// What is found of the part that this choice is, and how many blobs were read for it.
    fn found(layout: &Layout, images: &[&str], platforms: &[&str]) -> (Vec<&'static str>, usize) {
        let archive = layout.open();
        let images: Vec<String> = images.iter().map(ToString::to_string).collect();
        let platforms: Vec<Specifier> =
            platforms.iter().map(|text| Specifier::parse(text).expect("a platform")).collect();
        let part = Part::of(&archive, &images, &platforms).expect("there is such an image");
        let report = run_part(&archive, &part, &Options::default(), &()).expect("reads");
        let errors = report.findings.iter().filter(|f| f.rule.level == crate::finding::Level::Error);
        let errors: Vec<Finding> = errors.cloned().collect();
        (names(&errors), report.facts.blobs.iter().flatten().count())
    }

    use crate::finding::Finding;

    #[test]
    fn only_what_was_chosen_is_read_and_judged() {
        let layout = Layout::new();
        let sound = [0; 1024];
        let items = [
            item(&layout, "sound", "amd64", Some(&sound)),
            item(&layout, "broken", "arm64", Some(b"no tar at all")),
        ];
        layout.index_json(&items);
        assert_eq!(found(&layout, &["sound"], &[]), (vec![], 1));
        assert_eq!(found(&layout, &[], &["linux/amd64"]), (vec![], 1));
        let (names, read) = found(&layout, &["broken"], &[]);
        assert!(!names.is_empty() && read == 1, "{names:?}, {read}");
        assert_eq!(found(&layout, &["sound", "broken"], &[]).1, 2);
        assert!(Part::of(&layout.open(), &["other".into()], &[]).is_err());
    }

    #[test]
    fn names_are_judged_once_it_is_known_which_are_meant() {
        let layout = Layout::new();
        let one = item(&layout, "same", "amd64", None);
        let two = item(&layout, "same", "arm64", None);
        layout.index_json(&[one, two]);
        let whole = layout.findings();
        assert!(names(&whole).contains(&"name/ambiguous-ref-name"));
        assert_eq!(found(&layout, &[], &["linux/amd64"]).0, [""; 0]);
        assert_eq!(found(&layout, &["@1"], &[]).0, [""; 0]);
        assert_eq!(found(&layout, &["same"], &[]).0, ["name/ambiguous-ref-name"]);
    }

    #[test]
    fn what_hinders_reading_is_said_whatever_was_chosen() {
        let layout = Layout::new();
        layout.index_json(&[item(&layout, "sound", "amd64", None)]);
        assert_eq!(found(&layout, &["sound"], &[]).0, [""; 0]);
        layout.file("index.json.lock", b"");
        assert_eq!(found(&layout, &["sound"], &[]).0, [""; 0], "a note of the archive");
        std::fs::remove_file(layout.path().join("oci-layout")).expect("removed");
        assert_eq!(found(&layout, &["sound"], &[]).0, ["archive/missing-oci-layout"]);
    }
}
