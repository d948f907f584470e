//! The images of an archive by the names that people know them by.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::location::MemberId;
use crate::model::{Archive, Body, Name, NodeId, Root, select};
use crate::platform::Platform;

/// An image and the members that it is made of.
#[derive(Debug, Clone)]
pub struct Image {
    /// Its name as people read it, with the platform if one name stands for several images; not escaped.
    pub name: String,
    /// Manifest, config and layers.
    pub members: BTreeSet<MemberId>,
    /// The image in the graph.
    pub node: NodeId,
}

/// Characters of a name and of a platform: each image below an index is called by the index's name, too.
const NAME: usize = 300;
const PLATFORM: usize = 100;

/// Roots that stand for the same node.
struct Tagged<'a> {
    roots: Vec<&'a Root>,
    /// Their names, each once.
    names: HashSet<String>,
}

/// The images of an archive, each with the members that only matter to it and others like it. An image of many names
/// is called by the first and their number; what many names stand for is looked at once.
pub fn images(archive: &Archive) -> Vec<Image> {
    let mut tagged: Vec<Tagged<'_>> = Vec::new();
    let mut place: HashMap<NodeId, usize> = HashMap::new();
    for root in &archive.roots {
        let nth = *place.entry(root.node).or_insert(tagged.len());
        if nth == tagged.len() {
            tagged.push(Tagged { roots: Vec::new(), names: HashSet::new() });
        }
        tagged[nth].roots.push(root);
        if root.name != Name::None {
            tagged[nth].names.insert(root.name.shown());
        }
    }
    /// An image, the name that it has without its platform, and how many others.
    struct Found {
        image: Image,
        name: Option<String>,
        more: usize,
    }
    let mut found: Vec<Found> = Vec::new();
    let mut known: HashMap<NodeId, usize> = HashMap::new();
    for Tagged { roots, names } in &tagged {
        let Some(first) = roots.iter().find(|root| root.name != Name::None).or(roots.first()) else {
            continue;
        };
        let below = |root: &Root| select::images_below(archive, root.node, root.descriptor.as_deref());
        // What one descriptor of an image says of its platform, another may not.
        let alike = if select::is_image(archive, first.node) { roots.len() } else { 1 };
        let below = roots.iter().take(alike).map(|root| below(root)).find(|below| !below.is_empty());
        let below = below.unwrap_or_default();
        let many = below.len() > 1;
        for (node, platform) in below {
            let named = || image_name(archive, node, &first.name, many.then_some(&platform));
            let nth = *known.entry(node).or_insert(found.len());
            if nth == found.len() {
                let image = Image { name: named(), members: members(archive, node), node };
                found.push(Found { image, name: None, more: 0 });
            }
            let held = &mut found[nth];
            match &held.name {
                Some(name) => held.more += names.len() - usize::from(names.contains(name)),
                None if names.is_empty() => {}
                None => {
                    held.image.name = named();
                    held.name = Some(first.name.shown());
                    held.more = names.len() - 1;
                }
            }
        }
    }
    let whole = |Found { mut image, more, .. }: Found| {
        match more {
            0 => {}
            1 => image.name.push_str(" and 1 more name"),
            more => image.name.push_str(&format!(" and {more} more names")),
        }
        image
    };
    found.into_iter().map(whole).collect()
}

fn image_name(archive: &Archive, node: NodeId, name: &Name, platform: Option<&Platform>) -> String {
    let name = match name {
        Name::None => {
            let digest = archive.node(node).digest.as_ref().map(ToString::to_string);
            digest.or_else(|| select::image_id(archive, node)).unwrap_or_else(|| name.shown())
        }
        name => name.shown(),
    };
    match platform {
        Some(platform) => {
            let platform = platform.normalised().to_string();
            format!("{} {}", cut(&name, NAME), cut(&platform, PLATFORM))
        }
        None => cut(&name, NAME),
    }
}

/// The beginning of a text.
fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The manifest, config and layers of an image.
fn members(archive: &Archive, node: NodeId) -> BTreeSet<MemberId> {
    let held = archive.node(node);
    let document = |id| archive.listed(id).member;
    let chain = match &held.body {
        Body::V1 { chain, .. } => chain.as_slice(),
        _ => &[],
    };
    let item = matches!(held.body, Body::Item { .. });
    let blobs = held.all_parts().into_iter().filter_map(|part| part.blob);
    // Items share one document, which is about the archive.
    let own = held.document.filter(|_| !item).map(document);
    own.into_iter()
        .chain(chain.iter().copied().map(document))
        .chain(blobs.filter_map(|blob| archive.blob(blob).member))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::fixture::{self, Layout};

    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    const INDEX: &str = "application/vnd.oci.image.index.v1+json";

    /// An index of so many images, each of an architecture of its own, under so many names.
    fn tagged(children: usize, tags: usize, name: &str) -> Vec<Image> {
        let layout = Layout::new();
        let config = |i| fixture::config(&[]).replace("amd64", &format!("a{i}"));
        let child = |i| {
            let config = layout.descriptor("application/vnd.oci.image.config.v1+json", config(i).as_bytes());
            let text =
                format!(r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{config},"layers":[]}}"#);
            layout.open_descriptor(MANIFEST, text.as_bytes())
                + &format!(r#","platform":{{"os":"linux","architecture":"a{i}"}}}}"#)
        };
        let children: Vec<String> = (0..children).map(child).collect();
        let index =
            format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#, children.join(","));
        let root = layout.open_descriptor(INDEX, index.as_bytes());
        let name =
            |i| format!(r#"{root},"annotations":{{"org.opencontainers.image.ref.name":"{name}{i}"}}}}"#);
        layout.index_json(&(0..tags).map(name).collect::<Vec<_>>());
        images(&layout.open())
    }

    #[test]
    fn an_image_is_called_by_its_first_name() {
        let names = |children, tags, name: &str| {
            let images = tagged(children, tags, name).into_iter();
            images.map(|image| image.name).collect::<Vec<_>>()
        };
        assert_eq!(names(1, 1, "v"), [":v0"]);
        assert_eq!(names(2, 1, "v"), [":v0 linux/a0", ":v0 linux/a1"]);
        assert_eq!(names(1, 2, "v"), [":v0 and 1 more name"]);
        assert_eq!(names(2, 3, "v"), [":v0 linux/a0 and 2 more names", ":v0 linux/a1 and 2 more names"]);
        let long = format!("{}… linux/a1", "é".repeat(NAME));
        assert_eq!(names(2, 1, &"é".repeat(NAME)).last(), Some(&long));
    }

    #[test]
    fn names_of_images_cost_in_proportion() {
        let bytes = |tags| tagged(20, tags, "v").iter().map(|image| image.name.len()).sum::<usize>();
        assert!(bytes(200) < 2 * bytes(2), "{} bytes for 2 names, {} for 200", bytes(2), bytes(200));
    }
}
