//! Which children of indexes are not there, although their manifests may be (docs/architecture.md#platforms).

use std::collections::HashSet;

use crate::model::Form;
use crate::model::archive::{Archive, Body, Edge, NodeId, Part, Role};

/// What an archive has of the children of its indexes.
#[derive(Debug, Default)]
pub struct Partial {
    /// Children whose manifest is here and nothing of their own: every layer that no whole child of the same index uses
    /// is absent, config there or not. Docker and containerd save so the platforms that they did not pull. In registry
    /// storage, but for a mirror's, what is missing is missing.
    pub absent: HashSet<NodeId>,
    /// Indexes that list images of which none is there.
    pub hollow: HashSet<NodeId>,
}

impl Partial {
    /// Looks at every index.
    pub fn of(archive: &Archive) -> Partial {
        let rooted: HashSet<NodeId> = archive.roots.iter().map(|root| root.node).collect();
        let mut partial = Partial::default();
        let sparse = archive.form != Form::RegistryStorage || is_mirror(archive);
        let mut lists = Vec::new();
        for (i, node) in archive.nodes.iter().enumerate() {
            let Body::Index { children, .. } = &node.body else { continue };
            let id = NodeId(i as u32);
            let image =
                |edge: &&Edge| !edge.attestation && edge.node.is_some_and(|node| may_run(archive, node));
            let images: HashSet<NodeId> =
                children.iter().filter(image).filter_map(|edge| edge.node).collect();
            let children: Vec<NodeId> = children.iter().filter_map(|edge| edge.node).collect();
            let whole: Vec<NodeId> =
                children.iter().copied().filter(|&child| is_whole(archive, child)).collect();
            let used: HashSet<_> = whole
                .iter()
                .filter_map(|&child| archive.node(child).parts())
                .flat_map(|parts| parts.layers.iter().filter_map(|layer| layer.blob))
                .collect();
            for &child in children.iter().filter(|child| !rooted.contains(child) && !whole.contains(child)) {
                let Some(parts) = archive.node(child).parts() else { continue };
                let shared = |layer: &&Part| layer.blob.is_some_and(|blob| used.contains(&blob));
                let own: Vec<&Part> = parts.layers.iter().filter(|layer| !shared(layer)).collect();
                // What shares all its layers is not there if its config is not, and nobody can tell that from a loss:
                // only a manifest of which nothing at all is here counts.
                let nothing =
                    std::iter::once(&parts.config).chain(&parts.layers).all(|part| !archive.holds(part));
                // An attestation or artifact is there if anything of it is.
                let here = parts.role != Role::Image && archive.holds(&parts.config);
                let own_absent = !own.is_empty() && own.iter().all(|layer| !archive.holds(layer));
                if sparse && !here && (own_absent || nothing) {
                    partial.absent.insert(child);
                }
            }
            if !images.is_empty() {
                lists.push((id, images));
            }
        }
        let there = |node: &NodeId| {
            let body = &archive.node(*node).body;
            !matches!(body, Body::Absent | Body::Index { .. }) && !partial.absent.contains(node)
        };
        let some: HashSet<NodeId> =
            lists.iter().filter(|(_, images)| images.iter().any(there)).map(|(id, _)| *id).collect();
        // An index of indexes is hollow if all of these are.
        let filled = archive.reaching(|id| some.contains(&id));
        partial.hollow = lists.into_iter().map(|(id, _)| id).filter(|id| !filled.contains(id)).collect();
        partial
    }
}

impl Partial {
    /// Where of the whole archive these nodes are kept: a child of which no index is among them is no longer one that an
    /// index may lack.
    pub fn without(mut self, archive: &Archive, kept: &HashSet<NodeId>) -> Partial {
        let lists = |index: &NodeId| archive.node(*index).children();
        let listed: HashSet<NodeId> = kept.iter().flat_map(lists).filter_map(|edge| edge.node).collect();
        self.absent.retain(|child| !kept.contains(child) || listed.contains(child));
        self
    }

    /// Of an index and what is below it, what is there: images with what attests them, artifacts, and the indexes above
    /// them; of `only`, if that is given. `None` if nothing is missing.
    pub fn there(
        &self,
        archive: &Archive,
        root: NodeId,
        only: Option<&HashSet<NodeId>>,
    ) -> Option<HashSet<NodeId>> {
        let mut nodes = archive.below(root);
        let gone = |node: &NodeId| {
            matches!(archive.node(*node).body, Body::Absent)
                || self.absent.contains(node)
                || only.is_some_and(|only| !only.contains(node))
        };
        if !nodes.iter().any(&gone) {
            return None;
        }
        let mut here: HashSet<NodeId> = HashSet::new();
        nodes.reverse();
        for node in nodes {
            match &archive.node(node).body {
                Body::Index { children, .. } => {
                    let lost: HashSet<String> = children
                        .iter()
                        .filter(|edge| edge.node.is_some_and(|child| gone(&child)))
                        .filter_map(|edge| edge.descriptor.good_digest().map(ToString::to_string))
                        .collect();
                    // What attests an image that is not there goes with it.
                    let with_it =
                        |edge: &&Edge| edge.attests.as_ref().is_some_and(|digest| lost.contains(digest));
                    children.iter().filter(with_it).filter_map(|edge| edge.node).for_each(|node| {
                        here.remove(&node);
                    });
                    let any = |edge: &Edge| {
                        !edge.attestation && edge.node.is_some_and(|child| here.contains(&child))
                    };
                    if children.iter().any(any) {
                        here.insert(node);
                    }
                }
                _ if gone(&node) => {}
                _ => {
                    here.insert(node);
                }
            }
        }
        Some(here)
    }
}

/// Whether storage is the cache of a registry that mirrors another one: it holds what was asked of it.
pub fn is_mirror(archive: &Archive) -> bool {
    archive.tree.members.iter().any(|member| member.name().ends_with(b"scheduler-state.json"))
}

/// Whether a child is an image or an index of some, as far as can be told: a manifest that is not here may be one.
fn may_run(archive: &Archive, node: NodeId) -> bool {
    match &archive.node(node).body {
        Body::Manifest { parts, .. } | Body::Item { parts } => parts.role == Role::Image,
        Body::Opaque | Body::ArtifactManifest { .. } | Body::Layer { .. } => false,
        Body::Index { .. } | Body::V1 { .. } | Body::Schema1 { .. } | Body::Absent => true,
    }
}

/// Whether a child is here with all that is to be carried of it, or is nothing that can lack something.
fn is_whole(archive: &Archive, node: NodeId) -> bool {
    match &archive.node(node).body {
        Body::Index { .. } | Body::Absent => false,
        Body::Opaque => true,
        _ => archive.node(node).all_parts().iter().all(|part| archive.holds(part) || part.is_foreign()),
    }
}

#[cfg(test)]
mod tests {
    use crate::digest::Digest;
    use crate::rules::fixture::{self, Layout};

    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

    /// A manifest for an architecture with these layers, each there or not, and its config likewise.
    fn image(layout: &Layout, architecture: &str, config: bool, layers: &[(&str, bool)]) -> String {
        let text = fixture::config(&[]).replace("amd64", architecture);
        let kind = "application/vnd.oci.image.config.v1+json";
        let part = |kind: &str, bytes: &[u8], held: bool| match held {
            true => layout.descriptor(kind, bytes),
            false => {
                format!(
                    r#"{{"mediaType":"{kind}","digest":"{}","size":{}}}"#,
                    Digest::sha256(bytes),
                    bytes.len()
                )
            }
        };
        let config = part(kind, text.as_bytes(), config);
        let layers: Vec<String> =
            layers.iter().map(|(bytes, held)| part(LAYER, bytes.as_bytes(), *held)).collect();
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{config},"layers":[{}]}}"#,
            layers.join(",")
        );
        layout.open_descriptor(MANIFEST, text.as_bytes())
            + &format!(r#","platform":{{"os":"linux","architecture":"{architecture}"}}}}"#)
    }

    /// What is found of an index of these images.
    fn found(layout: &Layout, images: &[String]) -> Vec<&'static str> {
        let text =
            format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#, images.join(","));
        layout.index_json(&[layout.descriptor(INDEX, text.as_bytes())]);
        let of = ["blob/missing", "index/missing-child", "index/no-image-here"];
        layout.found("").into_iter().filter(|name| of.contains(name)).collect()
    }

    #[test]
    fn a_platform_is_not_there_if_nothing_of_its_own_is() {
        let whole = |layout: &Layout| image(layout, "amd64", true, &[("base", true), ("amd64", true)]);
        for (config, layers, wanted) in [
            (false, &[("base", true), ("arm64", false)][..], &["index/missing-child"][..]),
            (true, &[("base", true), ("arm64", false)], &["index/missing-child"]),
            (true, &[("arm64", false), ("more", false)], &["index/missing-child"]),
            (true, &[("arm64", true), ("more", false)], &["blob/missing"]),
            (false, &[("arm64", true)], &["blob/missing"]),
            (true, &[("arm64", true)], &[]),
        ] {
            let layout = Layout::new();
            let images = [whole(&layout), image(&layout, "arm64", config, layers)];
            assert_eq!(found(&layout, &images), wanted, "{config} {layers:?}");
        }
    }

    #[test]
    fn an_index_without_any_image_is_an_error() {
        let layout = Layout::new();
        let images = [
            image(&layout, "amd64", true, &[("amd64", false)]),
            image(&layout, "arm64", false, &[("arm64", false)]),
        ];
        let mut names = found(&layout, &images);
        names.sort_unstable();
        assert_eq!(names, ["index/missing-child", "index/missing-child", "index/no-image-here"]);
    }
}
