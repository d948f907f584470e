//! The links of a registry's storage that its graph proves: what repositories need of what is there, and what a link's own path
//! or a tag's history says.

use std::collections::BTreeSet;

use bstr::ByteSlice;

use super::account::{Left, Sought, StepKind, Was};
use super::piece::Piece;
use crate::digest::Digest;
use crate::form::mend::Stood;
use crate::form::registry_storage::paths::digest_of_link;
use crate::form::seek::Store;
use crate::location::MemberId;
use crate::model::{Anomaly, Archive, Form, LinkKind, StorageProblem};

/// What a repository's own images prove.
const GRAPH: &str = "what its images need";
/// What the path of a link says.
const PATH: &str = "its own path";

/// Whether a blob stands where no registry looks.
pub(super) fn is_misplaced(anomaly: &Anomaly) -> bool {
    matches!(anomaly, Anomaly::Storage { problem: StorageProblem::Misplaced(_), .. })
}

/// The links that are to be written, and those that nothing proves.
pub(super) fn all(archive: &Archive, stores: &[Store]) -> (Vec<Piece>, Vec<Left>) {
    let (mut pieces, mut left) = (Vec::new(), Vec::new());
    if archive.form == Form::Oci && archive.tree.get(b"oci-layout").is_none() {
        pieces.push(Piece {
            kind: StepKind::File,
            path: "oci-layout".into(),
            text: String::from_utf8_lossy(crate::form::OCI_LAYOUT).into_owned(),
            digest: None,
            what: "oci-layout".into(),
            was: Was::Missing,
            stood: Stood::Nothing,
            proof: "what an OCI layout is".into(),
        });
    }
    let base = crate::form::storage_base(&archive.tree).unwrap_or_default();
    let mut tags = BTreeSet::new();
    for anomaly in &archive.anomalies {
        let name = |member: MemberId| archive.tree.member(member).name().to_str_lossy().into_owned();
        match anomaly {
            Anomaly::Storage { problem: StorageProblem::NoLink { kind, digest, repository }, .. } => {
                let (folder, kind) = match kind {
                    LinkKind::Revision => ("_manifests/revisions", StepKind::Revision),
                    LinkKind::Layer | LinkKind::History => ("_layers", StepKind::Layer),
                };
                let folder = format!("{base}repositories/{repository}/{folder}");
                pieces.push(link(kind, &folder, digest, Was::Missing, GRAPH));
            }
            Anomaly::Storage { at, problem: StorageProblem::NotInIndex(digest) } => {
                let tag =
                    at.member.map(name).and_then(|name| Some(name.strip_suffix("/current/link")?.to_owned()));
                pieces.extend(tag.map(|tag| {
                    link(
                        StepKind::History,
                        &format!("{tag}/index"),
                        digest,
                        Was::Missing,
                        "what the tag stands for",
                    )
                }));
            }
            Anomaly::Storage { at, problem: StorageProblem::Mismatch { path, content } } => {
                let was = Was::Wrong(format!("says {content}"));
                pieces.extend(at.member.map(|member| of_path(&name(member), path, was)));
            }
            Anomaly::LinkTargetMissing { member, digest, what: "revision link" } => {
                let name = name(*member);
                let repository = name.find("/_manifests/").and_then(|at| name.get(..at));
                let is_here =
                    |blob: &crate::model::Blob| blob.digest.as_ref() == Some(digest) && blob.member.is_some();
                if let (Some(repository), true) = (repository, archive.blobs.iter().any(is_here)) {
                    let folder = format!("{repository}/_manifests/revisions");
                    pieces.push(link(StepKind::Revision, &folder, digest, Was::Missing, "the tag"));
                }
            }
            Anomaly::BadLink { member, content } => {
                let name = name(*member);
                match digest_of(&name) {
                    Some(digest) => {
                        let was =
                            Was::Wrong(format!("says `{}`", content.chars().take(80).collect::<String>()));
                        pieces.push(of_path(&name, &digest, was));
                    }
                    None => drop(tags.insert((name, Some(content.clone())))),
                }
            }
            Anomaly::TagWithoutTarget { member: Some(member), .. } => {
                tags.insert((name(*member), None));
            }
            _ => {}
        }
    }
    for (name, content) in tags {
        match tag(archive, stores, &base, &name, content.as_deref()) {
            Some(Ok(piece)) => pieces.push(piece),
            Some(Err(nothing)) => left.push(nothing),
            None => {}
        }
    }
    (pieces, left)
}

fn link(kind: StepKind, folder: &str, digest: &Digest, was: Was, proof: &str) -> Piece {
    let path = format!("{folder}/{}/{}/link", digest.algorithm_name(), digest.encoded());
    Piece {
        kind,
        what: path.clone(),
        path,
        text: digest.to_string(),
        digest: Some(digest.clone()),
        was,
        stood: Stood::Nothing,
        proof: proof.to_owned(),
    }
}

/// A link whose path says what it must say.
fn of_path(path: &str, digest: &Digest, was: Was) -> Piece {
    let kind = match path {
        path if path.contains("/_layers/") => StepKind::Layer,
        path if path.contains("/_manifests/revisions/") => StepKind::Revision,
        _ => StepKind::History,
    };
    Piece {
        kind,
        path: path.to_owned(),
        text: digest.to_string(),
        digest: Some(digest.clone()),
        what: path.to_owned(),
        was,
        stood: Stood::Nothing,
        proof: PATH.to_owned(),
    }
}

/// The digest that the path of a link names, if it is one that can be computed.
fn digest_of(path: &str) -> Option<Digest> {
    digest_of_link(path).filter(|digest| digest.algorithm().is_some())
}

/// What a tag stands for whose link is lost: the one image of its history, or the one of them that another place has under
/// this tag.
fn tag(
    archive: &Archive,
    stores: &[Store],
    base: &str,
    name: &str,
    content: Option<&str>,
) -> Option<std::result::Result<Piece, Left>> {
    let (repository, rest) =
        name.strip_prefix(base)?.strip_prefix("repositories/")?.split_once("/_manifests/tags/")?;
    let tag = rest.split('/').next()?;
    let folder = format!("{base}repositories/{repository}/_manifests/tags/{tag}");
    let below = format!("{folder}/index/");
    let held = |digest: &Digest| {
        let here = |blob: &crate::model::Blob| blob.digest.as_ref() == Some(digest) && blob.member.is_some();
        archive.blobs.iter().any(here)
    };
    let links = archive
        .tree
        .below(below.as_bytes())
        .filter_map(|(_, member)| digest_of(member.name().to_str().ok()?));
    let history: BTreeSet<Digest> = links.collect();
    let (path, what) = (format!("{folder}/current/link"), format!("tag {repository}:{tag}"));
    let was = content.map_or(Was::Missing, |content| {
        Was::Wrong(format!("says `{}`", content.chars().take(80).collect::<String>()))
    });
    let known = stores.iter().find_map(|store| {
        let digest = store.tag(repository, tag).filter(|digest| history.contains(*digest) && held(digest))?;
        Some((digest.clone(), format!("its history and the tag in {}", store.place())))
    });
    let mut only = history.iter();
    let alone = match (only.next(), only.next()) {
        (Some(digest), None) if held(digest) => {
            Some((digest.clone(), "its history, which has no other image".to_owned()))
        }
        _ => None,
    };
    Some(match known.or(alone) {
        Some((digest, proof)) => Ok(Piece {
            kind: StepKind::Tag,
            path,
            text: digest.to_string(),
            digest: Some(digest),
            what,
            was,
            stood: Stood::Nothing,
            proof,
        }),
        None => {
            let found = match history.len() {
                0 => "its history has no image that is here".to_owned(),
                n => format!("its history has {n} images, and no other place says which"),
            };
            let places = stores.iter().map(|store| store.place().to_owned());
            let asked = places.map(|place| Sought { place, found: "has no such tag of its history".into() });
            let own = Sought { place: String::new(), found };
            Err(Left { what, path, was, sought: std::iter::once(own).chain(asked).collect() })
        }
    })
}
