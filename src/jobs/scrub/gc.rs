//! What a collection of garbage would take from a storage, and what would break by it.
//!
//! A registry marks what revisions point at, and deletes every blob that is not marked. An index marks its images, and not
//! what those are made of: that is marked by their own revisions. So what a tag reaches and no revision does is lost.

use std::collections::HashSet;
use std::path::Path;

use serde::Serialize;

use super::graph::Piece;
use super::key::key;
use super::marks::{KEPT, Marks};
use super::parts::Parts;

use crate::digest::Digest;
use crate::error::{Context as _, Result};
use crate::form::registry_storage::stored::Link;
use crate::model::{Archive, BlobId, Body, Name, Node};

/// Tags and images that would break are told up to so many.
const TOLD: usize = 1_000;

/// What a collection of garbage would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Garbage {
    /// Blobs that it would delete.
    pub blobs: u64,
    /// Bytes that come free.
    pub bytes: u64,
    /// Blobs that no revision reaches, and that are too young to be taken.
    pub young: u64,
    /// Tags that would not be whole any more, sorted: each with what it would lack.
    pub breaks: Vec<Break>,
    /// Such tags beyond those that are named.
    pub more_breaks: u64,
}

/// A tag that would break.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Break {
    /// `repository:tag`.
    pub tag: String,
    /// A blob that it needs and that no revision reaches.
    pub digest: String,
}

/// Gathers what a collection of garbage would keep and what tags need.
pub struct Collecting {
    kept: Marks,
    /// Needs of tags whose repositories have no revision that reaches them.
    needs: Vec<Break>,
    more: u64,
}

impl Collecting {
    /// Nothing yet; runs go to this directory.
    pub fn new(directory: Option<&Path>) -> Collecting {
        Collecting { kept: Marks::new(directory), needs: Vec::new(), more: 0 }
    }

    /// A repository that was judged.
    ///
    /// # Errors
    ///
    /// The marks cannot be written.
    pub fn add(&mut self, repository: &str, piece: &Piece, links: &[Link]) -> Result<()> {
        let archive = &piece.archive;
        let revisions: HashSet<Digest> = links.iter().filter_map(revision).collect();
        let mut kept = HashSet::new();
        for node in &archive.nodes {
            let Some(digest) = node.digest.as_ref().filter(|digest| revisions.contains(digest)) else {
                continue;
            };
            kept.insert(digest.clone());
            let below = points_at(node, archive).into_iter();
            kept.extend(below.filter_map(|blob| archive.blob(blob).digest.clone()));
        }
        for digest in kept.iter().chain(&revisions) {
            self.kept.add(&key(digest), KEPT).at("cannot write", "the temporary file of marks")?;
        }
        for root in &archive.roots {
            let Name::Full(name) = &root.name else { continue };
            let below = archive.below(root.node).into_iter();
            let lost = below.flat_map(|node| {
                let node = archive.node(node);
                node.blob.into_iter().chain(points_at(node, archive))
            });
            let lost = lost.filter_map(|blob| Some(archive.blob(blob)).filter(|blob| blob.member.is_some()));
            let lost = lost.filter_map(|blob| blob.digest.clone()).find(|digest| !kept.contains(digest));
            let Some(digest) = lost else { continue };
            // Another repository may keep it, which is known at the end.
            match self.needs.len() < 4 * TOLD {
                true => {
                    let tag = name.tag().unwrap_or_default();
                    self.needs.push(Break { tag: format!("{repository}:{tag}"), digest: digest.to_string() });
                }
                false => self.more += 1,
            }
        }
        Ok(())
    }

    /// What it comes to; blobs changed since `young`, in nanoseconds from 1970, are spared.
    ///
    /// # Errors
    ///
    /// The marks or a state cannot be read.
    pub fn plan(self, parts: &Parts, young: i64) -> Result<Garbage> {
        let mut plan = Garbage { more_breaks: self.more, ..Garbage::default() };
        let mut lost = HashSet::new();
        let wanted: HashSet<&str> = self.needs.iter().map(|need| need.digest.as_str()).collect();
        let mut kept = self.kept.sorted().at("cannot read", "the temporary file of marks")?;
        parts.blobs(&mut |digest, row| {
            if kept.of(&key(&digest)).at("cannot read", "the temporary file of marks")? & KEPT != 0 {
                return Ok(());
            }
            if row.modified >= young {
                plan.young += 1;
                return Ok(());
            }
            (plan.blobs, plan.bytes) = (plan.blobs + 1, plan.bytes + row.size);
            if wanted.contains(digest.as_str()) {
                lost.insert(digest.to_string());
            }
            Ok(())
        })?;
        let mut breaks: Vec<Break> =
            self.needs.iter().filter(|need| lost.contains(&need.digest)).cloned().collect();
        breaks.sort();
        plan.more_breaks += breaks.len().saturating_sub(TOLD) as u64;
        breaks.truncate(TOLD);
        plan.breaks = breaks;
        Ok(plan)
    }
}

/// The digest of a revision's link.
fn revision(link: &Link) -> Option<Digest> {
    let (algorithm, rest) = link.path.strip_prefix("_manifests/revisions/")?.split_once('/')?;
    Digest::parse(&format!("{algorithm}:{}", rest.strip_suffix("/link")?)).ok()
}

/// The blobs that a node points at directly.
fn points_at(node: &Node, archive: &Archive) -> Vec<BlobId> {
    let children = match &node.body {
        Body::Index { children, .. } => children.as_slice(),
        _ => &[],
    };
    let children = children.iter().filter_map(|edge| archive.node(edge.node?).blob);
    node.all_parts().into_iter().filter_map(|part| part.blob).chain(children).collect()
}
