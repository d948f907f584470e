//! The v1 images that stand beside a `manifest.json`: nothing reads them, but they should be the same images.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use crate::error::Result;
use crate::json::{self, Value};
use crate::location::{Location, MemberId};
use crate::model::build::Builder;
use crate::model::view::text;
use crate::model::{Anomaly, DocKind, LegacyProblem};
use crate::reference::Reference;

/// A v1 image: its parent, and the member that its `layer.tar` is or leads to.
type Image = (Option<String>, Option<MemberId>);

/// Reads `repositories`, and follows each of its tags that `layers` knows, by canonical name, to the base.
pub(super) fn read(
    builder: &mut Builder<'_>,
    layers: &HashMap<String, Rc<[Option<MemberId>]>>,
) -> Result<()> {
    let Some(member) = builder.file("repositories") else { return Ok(()) };
    let Some(document) = builder.document(member, DocKind::Repositories)? else { return Ok(()) };
    let mut tags = Vec::new();
    let document = builder.archive.document(document);
    for repository in document.root().map(Value::members).unwrap_or_default() {
        for tag in repository.value.members() {
            let Ok(name) = Reference::parse(&format!("{}:{}", repository.key, tag.key)) else { continue };
            let Some(id) = tag.value.as_str() else { continue };
            let escape = json::pointer::escape;
            let pointer = format!("/{}/{}", escape(&repository.key), escape(&tag.key));
            tags.push((name.canonical(), id.to_owned(), Location::pointer(member, pointer)));
        }
    }
    let mut images = HashMap::new();
    for (name, id, at) in tags {
        let Some(layers) = layers.get(&name) else { continue };
        // An ID without directory is judged with `repositories` itself.
        if builder.archive.tree.file(format!("{id}/json").as_bytes()).is_none() {
            continue;
        }
        if let Some(problem) = differs(builder, &id, layers, &mut images)? {
            builder.odd(Anomaly::Legacy { at, problem });
        }
    }
    Ok(())
}

/// How the chain of v1 images from this one down differs from these layers, base first.
fn differs(
    builder: &Builder<'_>,
    top: &str,
    layers: &[Option<MemberId>],
    images: &mut HashMap<String, Option<Image>>,
) -> Result<Option<LegacyProblem>> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut next = Some(top.to_owned());
    while let Some(id) = next {
        if !seen.insert(id.clone()) {
            return Ok(Some(LegacyProblem::Cycle));
        }
        // A chain with more images than the image has layers is another one, however it ends.
        if seen.len() > layers.len() {
            return Ok(Some(LegacyProblem::Layers));
        }
        if !images.contains_key(&id) {
            if images.len() as u64 >= builder.limits().v1_images {
                return Ok(None);
            }
            images.insert(id.clone(), image(builder, &id)?);
        }
        let Some(Some((parent, layer))) = images.get(&id) else {
            return Ok(Some(LegacyProblem::Absent(id)));
        };
        found.push(*layer);
        next = parent.clone();
    }
    found.reverse();
    // What is missing on either side is told elsewhere.
    let same = |(a, b): (&Option<MemberId>, &Option<MemberId>)| a.is_none() || b.is_none() || a == b;
    let equal = found.len() == layers.len() && found.iter().zip(layers).all(same);
    Ok((!equal).then_some(LegacyProblem::Layers))
}

/// A v1 image that can be read.
fn image(builder: &Builder<'_>, id: &str) -> Result<Option<Image>> {
    let tree = &builder.archive.tree;
    let Some(member) = tree.file(format!("{id}/json").as_bytes()) else { return Ok(None) };
    let Some(bytes) = tree.read(member, builder.limits().v1_bytes)? else { return Ok(None) };
    let Ok(json) = json::parse(&bytes, builder.limits().json_depth as usize) else { return Ok(None) };
    let parent = text(&json.root, "parent").filter(|parent| !parent.is_empty());
    Ok(Some((parent, tree.file(format!("{id}/layer.tar").as_bytes()))))
}
