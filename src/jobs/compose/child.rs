//! The children of an index as people name them: by digest, or by platform.

use crate::error::{Error, ErrorKind, Result};
use crate::model::select::{self, Chosen, list};
use crate::model::{Archive, Body, Edge, NodeId};
use crate::platform::{Platform, Specifier};

/// What a child is for: what the index says, else its config; attestations are for nothing.
pub fn platform_of(archive: &Archive, edge: &Edge) -> Option<Platform> {
    if edge.attestation {
        return None;
    }
    let said = edge.descriptor.platform.as_deref().filter(|platform| !platform.is_unknown());
    match (edge.node, said) {
        (Some(node), said) => select::platform_of(archive, node, said).or_else(|| said.cloned()),
        (None, said) => said.cloned(),
    }
}

/// A child in words: its platform, and its digest in short.
pub(super) fn described(archive: &Archive, edge: &Edge) -> String {
    let platform = match platform_of(archive, edge) {
        Some(platform) if !platform.os.is_empty() => platform.normalised().to_string(),
        _ if edge.attestation => "an attestation".to_owned(),
        _ => "no platform".to_owned(),
    };
    match edge.descriptor.good_digest() {
        Some(digest) => format!("{platform} ({}:{})", digest.algorithm_name(), digest.short()),
        None => platform,
    }
}

/// The one index that a place and a name mean, with the roots that have it.
pub(super) fn index(archive: &Archive, images: &[String]) -> Result<(NodeId, Vec<Chosen>)> {
    let mut roots = select::roots(archive, images)?;
    let about = crate::model::referrers::about(archive);
    if images.is_empty() {
        roots.retain(|chosen| !about.contains_key(&chosen.index));
    }
    let place = &archive.tree.place;
    let Some(first) = roots.first().map(|chosen| chosen.root.node) else {
        return Err(Error::refused(format!("there is no image in {place}")).of(ErrorKind::NotFound));
    };
    if roots.iter().any(|chosen| chosen.root.node != first) {
        let mut names: Vec<String> = roots.iter().map(|chosen| chosen.root.name.shown()).collect();
        names.dedup();
        let message = format!("{place} holds several images, and one index is to be changed");
        return Err(Error::refused_help(message, format!("name it behind the place: {}", list(&names))));
    }
    if !matches!(archive.node(first).body, Body::Index { .. }) {
        let message = format!("{} is one image, and no index", select::described(archive, first));
        let help = "make an index of it and others with `restow index create DESTINATION SOURCE...`";
        return Err(Error::refused_help(message, help));
    }
    Ok((first, roots))
}

/// The position of the one child that a text names: a digest, twelve of its digits or more, or a platform.
pub(super) fn position(archive: &Archive, node: NodeId, text: &str) -> Result<usize> {
    let children = archive.node(node).children();
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    let is_hex = hex.len() >= 12 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let specifier = Specifier::parse(text);
    let is_it = |edge: &Edge| {
        let digest = edge.descriptor.good_digest();
        if digest.is_some_and(|digest| digest.as_str() == text || is_hex && digest.encoded().starts_with(hex))
        {
            return true;
        }
        let platform = platform_of(archive, edge);
        specifier.as_ref().is_ok_and(|wanted| platform.is_some_and(|platform| wanted.matches(&platform)))
    };
    let found: Vec<usize> =
        children.iter().enumerate().filter(|(_, edge)| is_it(edge)).map(|(at, _)| at).collect();
    let words = |at: &[usize]| -> Vec<String> {
        at.iter().filter_map(|&at| children.get(at)).map(|edge| described(archive, edge)).collect()
    };
    match found[..] {
        [one] => Ok(one),
        [] => {
            let message = format!("the index has no child `{text}`");
            let all: Vec<usize> = (0..children.len()).collect();
            Err(Error::refused_help(message, format!("it has {}", list(&words(&all))))
                .of(ErrorKind::NotFound))
        }
        _ => {
            let message = format!("`{text}` names {} children of the index", found.len());
            Err(Error::refused_help(message, format!("name one by its digest: {}", list(&words(&found)))))
        }
    }
}
