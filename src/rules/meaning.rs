//! The rules about what documents say, in formats.md H.2 to H.8, called at their scopes.
//!
//! They judge values only: whether a member is there and of the right type is the schema's affair, so each is silent
//! about what it cannot understand.

use std::collections::HashMap;

use super::{
    annotation, config, descriptor, entry, graph, index, layer, layer_tar, manifest, members, name, platform,
    run_config, whiteout,
};
use crate::digest::Digest;
use crate::finding::{Finding, Rule};
use crate::location::Location;
use crate::model::Form;
use crate::model::{Archive, Body, DocKind, Document, ImageParts, Node, NodeId, Role};

/// The rules of these files.
pub const RULES: &[&[&Rule]] = &[
    annotation::RULES,
    config::RULES,
    descriptor::RULES,
    entry::RULES,
    graph::RULES,
    index::RULES,
    layer::RULES,
    layer_tar::RULES,
    manifest::RULES,
    members::RULES,
    name::RULES,
    platform::RULES,
    run_config::RULES,
    whiteout::RULES,
];

/// One document by itself, if it can be told what it is.
pub fn document(
    archive: &Archive,
    document: &Document,
    held: &dyn Fn(&Digest) -> bool,
    out: &mut Vec<Finding>,
) {
    manifest::document(document, out);
    members::check(document, out);
    descriptor::check(document, held, out);
    graph::base_digests(document, out);
    layer::descriptors(document, out);
    platform::index(document, out);
    // Of an index that is alone nobody can tell whether it is an `index.json`.
    let member = archive.index_json.map(|id| archive.listed(id).member);
    annotation::check(document, member == Some(document.member) || archive.form == Form::Document, out);
    match document.kind {
        DocKind::OciLayout => index::version(document, out),
        DocKind::V1Image => run_config::check(document, out),
        DocKind::Config(_) if archive.form == Form::Document => {
            config::check(document, None, out);
            run_as(document, out);
        }
        _ => {}
    }
}

/// A manifest or index with what it points at.
pub fn node(archive: &Archive, node: &Node, out: &mut Vec<Finding>) {
    manifest::node(archive, node, out);
    if let (Body::Index { children, .. }, Some(id)) = (&node.body, node.document) {
        let nodes = children.iter().filter_map(|edge| Some((&edge.descriptor.at, edge.node?)));
        index::check(archive, &archive.document(id), &nodes.collect(), false, out);
    }
}

/// A layout's `index.json`.
pub fn layout(archive: &Archive, out: &mut Vec<Finding>) {
    let Some(id) = archive.index_json else { return };
    let roots = archive.roots.iter();
    let nodes: HashMap<&Location, NodeId> =
        roots.filter_map(|root| Some((&root.descriptor.as_deref()?.at, root.node))).collect();
    index::check(archive, &archive.document(id), &nodes, true, out);
    name::layout(archive, out);
}

/// A config with the image or artifact that it belongs to.
pub fn config(document: &Document, parts: &ImageParts, out: &mut Vec<Finding>) {
    config::check(document, Some(parts), out);
    if parts.role == Role::Image {
        run_as(document, out);
    }
}

fn run_as(document: &Document, out: &mut Vec<Finding>) {
    platform::config(document, out);
    run_config::check(document, out);
}
