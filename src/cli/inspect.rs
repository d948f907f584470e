//! `restow inspect`: what is in an archive, as a tree for people or as JSON. Layers are not read.

use super::args::InspectArgs;
use super::check;
use super::remote::{self, Side};
use super::shell::Shell;
use crate::error::{Error, Result};
use crate::escape::escape_str;
use crate::form::place::Place;
use crate::inspect::{self, View};
use crate::model::{Archive, Body, NodeId, select};

pub(super) fn run(args: &InspectArgs, shell: &Shell) -> Result<u8> {
    let place = Place::parse(&args.source)?;
    if args.tags {
        return tags(&place, shell);
    }
    let archive = match place.is_remote() {
        true => remote::open(&place, Side::First, false, shell, &shell.limits()?)?,
        false => check::open(&place, shell, None, None)?,
    };
    let mut images = args.image.clone();
    images.extend(place.name.clone());
    let roots: Vec<_> = select::roots(&archive, &images)?.into_iter().map(|chosen| chosen.root).collect();
    if let Some(which) = &args.raw {
        shell.print_bytes(&raw(&archive, &roots, which)?)?;
        return Ok(0);
    }
    let view = View::of(&archive, &roots)?;
    archive.tree.unchanged()?;
    let text = if args.json { view.to_json() } else { inspect::tree::render(&view, shell.color_out()) };
    shell.print(&text)?;
    Ok(0)
}

/// The tags of a repository, without reading any image.
fn tags(place: &Place, shell: &Shell) -> Result<u8> {
    if !place.is_remote() {
        let help = "leave --tags out: the names of an archive are shown with its images";
        return Err(Error::refused_help("--tags goes with docker://HOST/NAME", help));
    }
    let names = remote::tags(place, shell)?;
    let lines: String = names.iter().map(|name| format!("{}\n", escape_str(name))).collect();
    shell.print(&lines)?;
    Ok(0)
}

/// The exact bytes of one document. Where several fit, the digest must be given.
fn raw(archive: &Archive, roots: &[crate::model::Root], which: &str) -> Result<Vec<u8>> {
    let nodes: Vec<NodeId> = {
        let mut seen = std::collections::HashSet::new();
        roots.iter().flat_map(|root| archive.below_unseen(root.node, &mut seen)).collect()
    };
    let document = |id| archive.document(id);
    let mut found: Vec<(String, &[u8])> = Vec::new();
    match which {
        "index" => {
            for &node in &nodes {
                let held = archive.node(node);
                if let (Body::Index { .. }, Some(id)) = (&held.body, held.document) {
                    found.push((
                        held.digest.as_ref().map(ToString::to_string).unwrap_or_default(),
                        &document(id).bytes,
                    ));
                }
            }
            if let (true, Some(id)) = (found.is_empty(), archive.index_json) {
                found.push(("index.json".into(), &document(id).bytes));
            }
        }
        "manifest" => {
            for &node in &nodes {
                let held = archive.node(node);
                if let (false, Some(id)) = (matches!(held.body, Body::Index { .. }), held.document) {
                    found.push((
                        held.digest.as_ref().map(ToString::to_string).unwrap_or_default(),
                        &document(id).bytes,
                    ));
                }
            }
        }
        "config" => {
            for &node in &nodes {
                let parts = archive.node(node).parts().filter(|_| select::is_image(archive, node));
                if let Some(config) = parts.and_then(|parts| archive.part_document(&parts.config)) {
                    found.push((config.sha256.to_string(), &config.bytes));
                }
            }
        }
        digest => {
            let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
            let long_enough = hex.len() >= 12;
            let fits = |d: &crate::digest::Digest| {
                d.as_str() == digest || (long_enough && d.encoded().starts_with(hex))
            };
            for document in &archive.documents {
                if fits(&document.sha256) {
                    found.push((document.sha256.to_string(), &document.bytes));
                }
            }
        }
    }
    found.sort();
    found.dedup();
    match found.as_slice() {
        [(_, bytes)] => Ok(bytes.to_vec()),
        [] => Err(Error::refused_help(
            format!("no document `{}` in {}", escape_str(which), archive.tree.place),
            "--raw takes index, manifest, config or a digest of a document",
        )),
        several => {
            let names: Vec<String> = several.iter().map(|(name, _)| name.clone()).collect();
            Err(Error::refused_help(
                format!("{} documents fit --raw={which}", names.len()),
                format!("choose one with --image or by digest: {}", select::list(&names)),
            ))
        }
    }
}
