//! What an archive is, in a few words.

use std::collections::HashSet;

use crate::media::Family;
use crate::model::{Archive, Body, DocKind, Form, select};

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
    }
}

/// What an archive holds, in words.
fn contents(archive: &Archive) -> String {
    let mut images = 0;
    let mut others = 0;
    let mut seen = HashSet::new();
    for root in &archive.roots {
        for node in archive.below_unseen(root.node, &mut seen) {
            let body = &archive.node(node).body;
            if matches!(body, Body::Absent | Body::Index { .. }) {
                continue;
            }
            if select::is_image(archive, node) { images += 1 } else { others += 1 }
        }
    }
    let plural = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    match others {
        0 => plural(images, "image"),
        _ if images == 0 => plural(others, "artifact"),
        _ => format!("{} and {}", plural(images, "image"), plural(others, "artifact")),
    }
}
