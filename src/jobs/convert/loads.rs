//! The commands that load what was written with all its platforms: each tool takes one if it is not told.

use crate::form::place::Place;
use crate::form::sink::{OutBody, OutDocument, Output};
use crate::jobs::convert::request::Target;

/// What to type next, of an archive that holds an index of several images; nothing of a stream.
pub fn loads(target: Target, place: &Place, output: &Output) -> Vec<String> {
    if place.is_standard() || !output.documents.iter().any(|document| is_for_many(document, output)) {
        return Vec::new();
    }
    let path = quoted(&place.path.display().to_string());
    let name = place.name.as_deref();
    let copy = |form: &str| {
        let from = name.map_or_else(|| format!("{form}:{path}"), |name| format!("{form}:{path}:{name}"));
        format!("skopeo copy --all {from} docker://REGISTRY/NAME:TAG")
    };
    match target {
        Target::DockerArchive => vec![
            format!("ctr image import --all-platforms {path}"),
            format!("nerdctl load --all-platforms --input {path}"),
            format!("docker load --input {path}  # all of them where Docker keeps images in containerd"),
        ],
        Target::OciTar => vec![format!("ctr image import --all-platforms {path}"), copy("oci-archive")],
        Target::OciDir => {
            vec![
                format!("tar --create --directory {path} . | ctr image import --all-platforms -"),
                copy("oci"),
            ]
        }
        Target::DockerLegacy | Target::SkopeoDir | Target::Storage | Target::Registry | Target::Other(_) => {
            Vec::new()
        }
    }
}

/// Whether it is an index of which several images are there.
fn is_for_many(document: &OutDocument, output: &Output) -> bool {
    let OutBody::Index { children } = &document.body else { return false };
    let image = |child: &OutDocument| match &child.body {
        OutBody::Manifest { image, layers, .. } => {
            image.is_some() && layers.iter().all(|layer| layer.present)
        }
        OutBody::Index { .. } | OutBody::Opaque { .. } => false,
    };
    let there = output.documents.iter().filter(|child| children.contains(&child.digest) && image(child));
    there.count() > 1
}

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "/._-+=,@%".contains(char);
    match !path.is_empty() && path.chars().all(plain) {
        true => path.to_owned(),
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}
