//! Archives of the first era, Docker before 1.10: one directory for each v1 image (formats.md A.1).

use std::collections::{BTreeMap, HashMap, HashSet};

use bstr::ByteSlice;

use crate::error::Result;
use crate::json::Value;
use crate::location::{Location, MemberId};
use crate::model::archive::*;
use crate::model::build::Builder;
use crate::model::view::text;
use crate::model::{Anomaly, DocKind, V1Problem};
use crate::reference::Reference;

use crate::source::{MemberKind, Tree};

/// Directories of a kind that are told; nobody reads more.
const MAX_ODD: usize = 1000;

/// Recognises a top-level directory that holds a v1 image.
pub fn detect(tree: &Tree) -> bool {
    images(tree).next().is_some()
}

/// Names of top-level directories with a `json`.
fn images(tree: &Tree) -> impl Iterator<Item = (String, MemberId)> + '_ {
    tree.below(b"").filter_map(|(id, member)| {
        let name = member.name();
        let name = std::str::from_utf8(&name).ok()?;
        let directory = name.strip_suffix("/json")?;
        let hex = directory.len() == 64 && directory.bytes().all(|b| b.is_ascii_hexdigit());
        hex.then(|| (directory.to_owned(), id))
    })
}

/// Reads every image of the archive that another one does not build on, or that has a name.
pub fn read_into(builder: &mut Builder<'_>) -> Result<()> {
    let found: BTreeMap<String, MemberId> = images(&builder.archive.tree).collect();
    let mut documents = BTreeMap::new();
    let mut parents = HashMap::new();
    for (id, member) in found {
        let Some(document) = builder.document(member, DocKind::V1Image)? else { continue };
        let content = builder.archive.document(document);
        let parent = content.root().and_then(|root| text(root, "parent")).filter(|p| !p.is_empty());
        let well_formed = id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !well_formed {
            builder.odd(Anomaly::V1 { at: Location::member(member), problem: V1Problem::BadId });
        }
        let own = content.root().and_then(|root| text(root, "id"));
        // A name that is no ID is another one for sure.
        if let Some(own) = own.filter(|own| well_formed && *own != id) {
            let at = Location::pointer(member, "/id");
            builder.odd(Anomaly::V1 { at, problem: V1Problem::OtherId(own) });
        }
        version(builder, &id, member)?;
        if let Some(parent) = parent {
            parents.insert(id.clone(), parent);
        }
        documents.insert(id, document);
    }
    without_json(builder, &documents, &parents);
    let mut nodes = HashMap::new();
    let mut named = HashSet::new();
    for (repository, tag, id, at) in names(builder)? {
        if !documents.contains_key(&id) {
            builder.odd(Anomaly::UnknownImage { at, id });
            continue;
        }
        let node = node_of(builder, &id, &documents, &parents, &mut nodes);
        let text = format!("{repository}:{tag}");
        let name = match Reference::parse(&text) {
            Ok(reference) => Name::Full(reference),
            Err(error) => {
                builder.odd(Anomaly::BadName {
                    at: at.clone(),
                    text: text.clone(),
                    problem: error.to_string(),
                });
                Name::Unreadable(text)
            }
        };
        named.insert(id);
        builder.archive.roots.push(Root {
            at,
            name,
            node,
            descriptor: None,
            repository: None,
            via: Via::List,
        });
    }
    let inner: HashSet<&String> = parents.values().collect();
    for (id, &document) in &documents {
        if named.contains(id) || inner.contains(id) {
            continue;
        }
        let node = node_of(builder, id, &documents, &parents, &mut nodes);
        let at = Location::member(builder.archive.listed(document).member);
        builder.archive.roots.push(Root::listed(at, node));
    }
    Ok(())
}

/// Looks at the `VERSION` of an image.
fn version(builder: &mut Builder<'_>, id: &str, json: MemberId) -> Result<()> {
    let tree = &builder.archive.tree;
    let file = tree.file(format!("{id}/VERSION").as_bytes());
    let found = file.map(|file| tree.head(file, 16)).transpose()?;
    if found.as_deref().map(<[u8]>::trim_ascii_end) != Some(b"1.0") {
        let problem = V1Problem::Version(found.map(|text| String::from_utf8_lossy(&text).into_owned()));
        builder.odd(Anomaly::V1 { at: Location::member(file.unwrap_or(json)), problem });
    }
    Ok(())
}

/// Finds top-level directories that hold no image: Docker takes each for one. One that is a parent is missed as that.
fn without_json(
    builder: &mut Builder<'_>,
    documents: &BTreeMap<String, DocId>,
    parents: &HashMap<String, String>,
) {
    let wanted: HashSet<&str> = parents.values().map(String::as_str).collect();
    let mut found: BTreeMap<String, MemberId> = BTreeMap::new();
    for (id, member) in builder.archive.tree.below(b"") {
        let Some(end) = member
            .name()
            .find_byte(b'/')
            .or_else(|| (member.kind() == MemberKind::Directory).then_some(member.name().len()))
        else {
            continue;
        };
        let directory = String::from_utf8_lossy(&member.name()[..end]).into_owned();
        if !documents.contains_key(&directory) && !wanted.contains(directory.as_str()) {
            found.entry(directory).or_insert(id);
        }
    }
    for member in found.into_values().take(MAX_ODD) {
        builder.odd(Anomaly::V1 { at: Location::member(member), problem: V1Problem::NoJson });
    }
}

/// Reads a `repositories` outside any archive: whether its images are there is not known.
pub(in crate::form) fn read_repositories(builder: &mut Builder<'_>, member: MemberId) -> Result<()> {
    for (repository, tag, id, at) in names_in(builder, member)? {
        let hex = id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if id.len() != 64 || !hex {
            builder.odd(Anomaly::V1 { at: at.clone(), problem: V1Problem::BadId });
        }
        let text = format!("{repository}:{tag}");
        if let Err(error) = Reference::parse(&text) {
            builder.odd(Anomaly::BadName { at, text, problem: error.to_string() });
        }
    }
    Ok(())
}

/// `repositories`: repository, tag, image ID, place.
fn names(builder: &mut Builder<'_>) -> Result<Vec<(String, String, String, Location)>> {
    match builder.file("repositories") {
        Some(member) => names_in(builder, member),
        None => {
            builder.odd(Anomaly::MissingMember { name: "repositories", of: "a v1 archive" });
            Ok(Vec::new())
        }
    }
}

fn names_in(builder: &mut Builder<'_>, member: MemberId) -> Result<Vec<(String, String, String, Location)>> {
    let Some(document) = builder.document(member, DocKind::Repositories)? else { return Ok(Vec::new()) };
    let document = builder.archive.document(document);
    let root = document.root().map(Value::members).unwrap_or_default();
    let mut names = Vec::new();
    for repository in root {
        for tag in repository.value.members() {
            let pointer = format!(
                "/{}/{}",
                crate::json::pointer::escape(&repository.key),
                crate::json::pointer::escape(&tag.key)
            );
            let id = tag.value.as_str().unwrap_or_default().to_owned();
            names.push((
                repository.key.to_string(),
                tag.key.to_string(),
                id,
                Location::pointer(member, pointer),
            ));
        }
    }
    Ok(names)
}

fn node_of(
    builder: &mut Builder<'_>,
    id: &str,
    documents: &BTreeMap<String, DocId>,
    parents: &HashMap<String, String>,
    nodes: &mut HashMap<String, NodeId>,
) -> NodeId {
    if let Some(&node) = nodes.get(id) {
        return node;
    }
    let mut chain = Vec::new();
    let mut seen = HashSet::new();
    let mut next = Some(id);
    while let Some(id) = next {
        let here = chain.last().map_or_else(Location::archive, |&document| {
            Location::pointer(builder.archive.listed(document).member, "/parent")
        });
        let Some(&document) = documents.get(id) else {
            let problem = V1Problem::ParentMissing(id.to_owned());
            builder.odd(Anomaly::V1 { at: here, problem });
            break;
        };
        if !seen.insert(id) {
            builder.odd(Anomaly::V1 { at: here, problem: V1Problem::Cycle });
            break;
        }
        chain.push(document);
        next = parents.get(id).map(String::as_str);
    }
    let at = chain
        .first()
        .map_or_else(Location::archive, |&top| Location::member(builder.archive.listed(top).member));
    builder.cap_layers(&mut chain, at);
    chain.reverse();
    let layers = chain
        .iter()
        .map(|&document| {
            let member = builder.archive.listed(document).member;
            let json = builder.archive.tree.member(member).name().to_string();
            let path = format!("{}layer.tar", json.strip_suffix("json").unwrap_or(&json));
            let layer = builder.part_of_member(&path, Location::member(member));
            if let Some(blob) = layer.blob {
                builder.is_layer(blob);
            }
            layer
        })
        .collect();
    let node = builder.node(Node {
        digest: None,
        media_type: None,
        blob: None,
        document: None,
        body: Body::V1 { chain, layers },
        signatures: Vec::new(),
    });
    nodes.insert(id.to_owned(), node);
    node
}
