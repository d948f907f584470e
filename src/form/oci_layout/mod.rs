//! OCI image layout, as folder or tar (formats.md D.8, D.13).

#[cfg(any(feature = "registry", feature = "serve"))]
mod as_layout;
mod form;
pub mod index_json;
mod named;
#[cfg(feature = "scrub")]
pub mod piece;
#[cfg(feature = "scrub")]
pub mod stored;
pub mod tar;
mod write;

use std::path::PathBuf;

use bstr::ByteSlice;

#[cfg(any(feature = "registry", feature = "serve"))]
pub(in crate::form) use as_layout::as_layout;
pub use form::{FOLDER, FORMAT, TAR};
pub(in crate::form) use form::{accepts_damaged, cut_short, place};
pub use index_json::{index_json, merged};
pub use named::ref_names;
pub use write::layout_dir;

use crate::digest::Digest;
use crate::error::Result;
use crate::limits::Limits;
use crate::location::{Location, MemberId};
use crate::media::{IMAGE_NAME, REF_NAME};
use crate::model::archive::*;
use crate::model::build::Builder;
use crate::model::view::annotation;
use crate::model::{Anomaly, DocId, DocKind, Form, Sought};
use crate::reference::Reference;
use crate::source::{Ingested, Tree};

/// The marker file of a layout: the 30 bytes that most tools write (formats.md D.8).
pub const OCI_LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// [`blob_path`] as a place in a tree.
pub(in crate::form) fn blob_place(digest: &Digest) -> Result<PathBuf> {
    Ok(blob_path(digest).into())
}

/// `blobs/<algorithm>/<encoded>` of a member name, as in an OCI layout.
pub(crate) fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm_name(), digest.encoded())
}

/// The digest at whose place a member of a layout stands, by its name.
fn digest_at(name: &[u8]) -> Option<Digest> {
    let (algorithm, encoded) = name.strip_prefix(b"blobs/")?.to_str().ok()?.split_once('/')?;
    Digest::of_parts(algorithm, encoded).ok()
}

/// Recognises a layout, damaged ones included.
pub fn detect(tree: &Tree) -> bool {
    let index = tree.get(b"index.json").is_some();
    tree.get(b"oci-layout").is_some() || (index && tree.has_below("blobs/"))
}

/// Reads a layout.
pub fn open(tree: Tree, ingested: Ingested, limits: &Limits) -> Result<Archive> {
    let mut builder = Builder::new(Form::Oci, tree, ingested, limits, locate);
    read_into(&mut builder)?;
    Ok(builder.archive)
}

/// The blob of a digest in a layout.
pub(super) fn locate(tree: &Tree, digest: &Digest, _: Sought) -> Option<MemberId> {
    tree.file(blob_path(digest).as_bytes())
}

/// Reads `oci-layout`, `index.json` and everything below; also the OCI half of a docker-archive.
pub(super) fn read_into(builder: &mut Builder<'_>) -> Result<()> {
    match builder.file("oci-layout") {
        Some(member) => {
            builder.document(member, DocKind::OciLayout)?;
        }
        None => builder.odd(Anomaly::MissingMember { name: "oci-layout", of: "an OCI layout" }),
    }
    let Some(member) = builder.file("index.json") else {
        builder.odd(Anomaly::MissingMember { name: "index.json", of: "an OCI layout" });
        return Ok(());
    };
    let Some(index) = builder.document(member, DocKind::Index(crate::media::Family::Oci))? else {
        return Ok(());
    };
    builder.archive.index_json = Some(index);
    for edge in builder.children(index, "/manifests") {
        let Some(node) = builder.follow(&edge.descriptor)? else { continue };
        let name = name_of(builder, index, &edge);
        let at = edge.descriptor.at.clone();
        let root = Root {
            at,
            name,
            node,
            descriptor: Some(Box::new(edge.descriptor)),
            repository: None,
            via: Via::List,
        };
        builder.archive.roots.push(root);
    }
    if builder.archive.roots.is_empty() {
        builder.odd(Anomaly::Empty { at: Location::pointer(member, "/manifests") });
    }
    stored_blobs(builder);
    unlisted(builder)
}

/// What refers to something that is listed belongs to it, listed or not.
fn unlisted(builder: &mut Builder<'_>) -> Result<()> {
    let tree = &builder.archive.tree;
    let mut others = Vec::new();
    for blob in builder.archive.blobs.iter().filter(|blob| !blob.referenced) {
        let (Some(digest), Some(member)) = (&blob.digest, blob.member) else { continue };
        if tree.head(member, 16)?.trim_ascii_start().starts_with(b"{") {
            others.push((digest.clone(), member));
        }
    }
    for (at, node) in builder.referrers(others)? {
        let name = Name::None;
        let via = Via::Subject;
        builder.archive.roots.push(Root { at, name, node, descriptor: None, repository: None, via });
    }
    Ok(())
}

/// The name of a descriptor in `index.json` (docs/architecture.md#names).
fn name_of(builder: &mut Builder<'_>, index: DocId, edge: &Edge) -> Name {
    let pointer = match &edge.descriptor.at.at {
        crate::location::At::Pointer(pointer) => pointer.clone(),
        _ => String::new(),
    };
    let document = builder.archive.document(index);
    let Some(value) = document.root().and_then(|root| root.at(&pointer)) else { return Name::None };
    let full = annotation(value, IMAGE_NAME).map(str::to_owned);
    let short = annotation(value, REF_NAME).map(str::to_owned);
    if let Some(text) = full.filter(|text| !text.is_empty()) {
        match Reference::parse(&text) {
            Ok(reference) => return Name::Full(reference.with_default_tag()),
            Err(problem) => {
                let at = edge.descriptor.at.child("annotations").child(IMAGE_NAME);
                builder.odd(Anomaly::BadName { at, text, problem: problem.to_string() });
            }
        }
    }
    match short.filter(|text| !text.is_empty()) {
        None => Name::None,
        Some(text) if text.contains(['/', ':', '@']) => match Reference::parse(&text) {
            Ok(reference) => Name::Full(reference.with_default_tag()),
            Err(_) => Name::Unreadable(text),
        },
        Some(text) if crate::reference::is_tag(&text) => Name::BareTag(text),
        Some(text) => Name::Unreadable(text),
    }
}

/// Every member at a digest's place promises its content, referenced or not.
fn stored_blobs(builder: &mut Builder<'_>) {
    let found: Vec<(Digest, MemberId)> = builder
        .archive
        .tree
        .below(b"blobs/")
        .filter_map(|(id, member)| Some((digest_at(&member.name())?, id)))
        .collect();
    for (digest, member) in found {
        builder.stored_blob(digest, member);
    }
}
