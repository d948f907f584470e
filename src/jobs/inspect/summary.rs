//! What an archive is, in a few words.

use std::collections::HashSet;

use crate::media::Family;
use crate::model::{Archive, Body, DocKind, Form, NodeId, select};

/// What a single document or layer was taken for, or what an archive holds: `2 images and 1 artifact`.
pub fn of(archive: &Archive) -> String {
    if archive.form.is_lone() { alone(archive).to_owned() } else { contents(archive) }
}

/// What a single document or layer was taken for, in words.
fn alone(archive: &Archive) -> &'static str {
    if archive.form == Form::Layer {
        return "a layer";
    }
    let Some(document) = archive.documents.first() else { return "a document" };
    match document.kind {
        DocKind::OciLayout => "an oci-layout file",
        DocKind::Index(Family::Oci) => "an OCI index",
        DocKind::Index(Family::Docker) => "a Docker manifest list",
        DocKind::Manifest(Family::Oci) => "an OCI manifest",
        DocKind::Manifest(Family::Docker) => "a Docker manifest",
        DocKind::Schema1 => "a schema 1 manifest",
        DocKind::ArtifactManifest => "an OCI artifact manifest",
        DocKind::Config(_) => "an image config",
        DocKind::DockerArchive => "a manifest.json of a docker-archive",
        DocKind::Repositories => "a repositories file",
        DocKind::V1Image => "a v1 image's json",
        DocKind::Descriptor => "a descriptor",
    }
}

/// What a part of an archive is, in words: `1 of 5 images`.
pub fn part(archive: &Archive, holds: &dyn Fn(NodeId) -> bool) -> String {
    let (all, some) = (count(archive, &|_| true), count(archive, holds));
    let of = |some: usize, all: usize, one: &str| format!("{some} of {}", plural(all, one));
    match (all, some) {
        ((images, 0), (some, _)) => of(some, images, "image"),
        ((0, others), (_, some)) => of(some, others, "artifact"),
        ((images, others), (some, more)) => {
            format!("{} and {}", of(some, images, "image"), of(more, others, "artifact"))
        }
    }
}

/// What an archive holds, in words.
fn contents(archive: &Archive) -> String {
    match count(archive, &|_| true) {
        (images, 0) => plural(images, "image"),
        (0, others) => plural(others, "artifact"),
        (images, others) => format!("{} and {}", plural(images, "image"), plural(others, "artifact")),
    }
}

fn plural(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// Images, and what is none, that are there and to be counted.
fn count(archive: &Archive, counts: &dyn Fn(NodeId) -> bool) -> (usize, usize) {
    let (mut images, mut others) = (0, 0);
    let mut seen = HashSet::new();
    for root in &archive.roots {
        for node in archive.below_unseen(root.node, &mut seen) {
            let body = &archive.node(node).body;
            if matches!(body, Body::Absent | Body::Index { .. }) || !counts(node) {
                continue;
            }
            if select::is_image(archive, node) { images += 1 } else { others += 1 }
        }
    }
    (images, others)
}
