//! What a collection of garbage would take, and what would break by it.
//!
//! A registry marks what revisions point at, and deletes every blob that is not marked. An index marks its images, and not
//! what those are made of: that is marked by their own revisions. So what a tag reaches and no revision does is lost. Of a layout
//! what its index does not reach goes: so what refers to an image and is not listed is lost.

use std::collections::HashSet;
use std::path::Path;

use serde::Serialize;

use super::graph::Piece;
use super::key::{Key, Within};
use super::marks::{KEPT, Marks};
use super::parts::Parts;
use super::row::{Kind, Row};
use super::told::named_below;
use crate::digest::Digest;
use crate::error::{Context as _, Result};
use crate::form::stored::Link;
use crate::model::{Archive, BlobId, Name, Node, NodeId, Via, referrers::subject_of};
use crate::rules::{reach::name_of, sees_all};

/// Tags and images that would break are told up to so many.
const TOLD: usize = 1_000;

/// What a collection of garbage would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Garbage {
    /// Blobs that it would delete.
    pub blobs: u64,
    /// Bytes that come free.
    pub bytes: u64,
    /// Blobs that would be deleted, and are too young for that.
    pub young: u64,
    /// Layouts of which not every document can be read: nothing is taken from them.
    #[serde(skip_serializing_if = "is_none")]
    pub passed: u64,
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
    /// A blob that it needs and that would be deleted; in a layout what refers to its image.
    pub digest: String,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

/// Gathers what a collection of garbage would keep and what tags need.
pub struct Collecting {
    kept: Marks,
    /// Needs of tags whose repositories have no revision that reaches them.
    needs: Vec<Break>,
    /// What is known already of layouts, each of which has blobs of its own.
    plan: Garbage,
    /// Blobs changed since then are spared, in nanoseconds from 1970.
    young: i64,
}

impl Collecting {
    /// Nothing yet; runs go to this directory. Blobs changed since `young`, in nanoseconds from 1970, are spared.
    pub fn new(directory: Option<&Path>, young: i64) -> Collecting {
        Collecting { kept: Marks::new(directory), needs: Vec::new(), plan: Garbage::default(), young }
    }

    /// A repository that was judged.
    ///
    /// # Errors
    ///
    /// The marks cannot be written, or a state not be read.
    pub fn add(&mut self, parts: &Parts, repository: &str, piece: &Piece, links: &[Link]) -> Result<()> {
        match &piece.within {
            Within::All => self.repository(repository, piece, links),
            Within::Layout(_) => self.layout(parts, piece),
        }
    }

    /// A layout: its index keeps what it leads to.
    fn layout(&mut self, parts: &Parts, piece: &Piece) -> Result<()> {
        let (archive, within) = (&piece.archive, &piece.within);
        if archive.index_json.is_none() || !sees_all(archive, &piece.findings) {
            self.plan.passed += 1;
            return Ok(());
        }
        let (mut seen, mut kept) = (HashSet::new(), HashSet::new());
        for root in archive.roots.iter().filter(|root| root.via == Via::List) {
            for node in archive.below_unseen(root.node, &mut seen) {
                let node = archive.node(node);
                kept.extend(node.blob.into_iter().chain(points_at(node, archive)));
            }
        }
        let kept: HashSet<&Digest> =
            kept.into_iter().filter_map(|blob| archive.blob(blob).digest.as_ref()).collect();
        let mut lost = HashSet::new();
        parts.blobs_of(within, &mut |_, digest, row| {
            if !kept.contains(&digest) && self.plan.take(&row, self.young) {
                lost.insert(digest);
            }
            Ok(())
        })?;
        for root in archive.roots.iter().filter(|root| root.via == Via::Subject) {
            let Some(digest) = archive.node(root.node).digest.as_ref() else { continue };
            let Some(subject) = subject_of(archive, root.node).filter(|_| lost.contains(digest)) else {
                continue;
            };
            let is_it = |node: &NodeId| archive.node(*node).digest.as_ref() == Some(&subject);
            let about = archive.roots.iter().filter(|root| root.via == Via::List);
            for root in about.filter(|root| archive.below(root.node).iter().any(is_it)) {
                let tag = named_below(within.layout().unwrap_or_default(), &name_of(archive, root));
                self.plan.broken(Break { tag, digest: digest.to_string() });
            }
        }
        Ok(())
    }

    fn repository(&mut self, repository: &str, piece: &Piece, links: &[Link]) -> Result<()> {
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
            self.kept.add(&Key::of(digest), KEPT).at("cannot write", "the temporary file of marks")?;
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
                false => self.plan.more_breaks += 1,
            }
        }
        Ok(())
    }

    /// What it comes to.
    ///
    /// # Errors
    ///
    /// The marks or a state cannot be read.
    pub fn plan(self, parts: &Parts) -> Result<Garbage> {
        let Collecting { kept, needs, mut plan, young } = self;
        if parts.meta().kind() == Kind::Storage {
            let mut lost = HashSet::new();
            let wanted: HashSet<&str> = needs.iter().map(|need| need.digest.as_str()).collect();
            let mut kept = kept.sorted().at("cannot read", "the temporary file of marks")?;
            parts.blobs(&mut |key, digest, row| {
                let marks = kept.of(key).at("cannot read", "the temporary file of marks")?;
                if marks & KEPT == 0 && plan.take(&row, young) && wanted.contains(digest.as_str()) {
                    lost.insert(digest.to_string());
                }
                Ok(())
            })?;
            for need in needs.iter().filter(|need| lost.contains(&need.digest)) {
                plan.broken(need.clone());
            }
        }
        plan.breaks.sort();
        plan.more_breaks += plan.breaks.len().saturating_sub(TOLD) as u64;
        plan.breaks.truncate(TOLD);
        Ok(plan)
    }
}

impl Garbage {
    /// Whether a blob that nothing keeps is taken.
    fn take(&mut self, row: &Row, young: i64) -> bool {
        if row.modified >= young {
            self.young += 1;
            return false;
        }
        (self.blobs, self.bytes) = (self.blobs + 1, self.bytes + row.size);
        true
    }

    fn broken(&mut self, lost: Break) {
        match self.breaks.len() < 4 * TOLD {
            true => self.breaks.push(lost),
            false => self.more_breaks += 1,
        }
    }
}

/// The digest of a revision's link.
fn revision(link: &Link) -> Option<Digest> {
    let (algorithm, rest) = link.path.strip_prefix("_manifests/revisions/")?.split_once('/')?;
    Digest::parse(&format!("{algorithm}:{}", rest.strip_suffix("/link")?)).ok()
}

/// The blobs that a node points at directly.
fn points_at(node: &Node, archive: &Archive) -> Vec<BlobId> {
    let children = node.children().iter().filter_map(|edge| archive.node(edge.node?).blob);
    node.all_parts().into_iter().filter_map(|part| part.blob).chain(children).collect()
}
