//! What is in a layer.

use serde::{Deserialize, Serialize};
use std::io;
use std::sync::Arc;

use bstr::{BString, ByteSlice};

use super::contents::Contents;
use super::evidence::{Detail, Evidence, Oddities};
use super::names::Names;
use super::table::{Spool, Table};
use super::trail::Trail;
use crate::tar::clean;

/// Which directories of Windows layers a layer has at its root.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roots {
    /// `Files`, `Hives` or `UtilityVM`.
    pub windows: bool,
    /// Anything else, whiteouts apart.
    pub other: bool,
}

/// What a layer holds, and what is odd about it.
#[derive(Debug)]
pub struct LayerFacts {
    /// Entries, global headers apart.
    pub entries: u64,
    /// What is odd, lower layers apart.
    pub odd: Oddities,
    /// Its directories at the root.
    pub roots: Roots,
    /// Its paths and their sizes, if they are kept and fit.
    pub contents: Option<Box<Contents>>,
    /// What is kept of its paths for later, if the spool keeps that.
    pub trail: Option<Box<Trail>>,
    /// Whether its paths are known, so that it can be laid on others.
    pub is_laid: bool,
    pub(super) has: Table,
    pub(super) asks: Table,
    pub(super) names: Names,
    pub(super) spool: Arc<Spool>,
}

/// Fills in paths that only the names of the layer tell.
pub(super) fn name(names: &Names, odd: &mut Oddities) -> io::Result<()> {
    let other = |evidence: &Evidence| match &evidence.detail {
        Detail::Other { offset, .. } => Some(*offset),
        _ => None,
    };
    let mut wanted = Vec::new();
    for evidence in odd.evidence_mut() {
        wanted.extend(evidence.path.is_empty().then_some(evidence.offset));
        wanted.extend(other(evidence));
    }
    wanted.sort_unstable();
    wanted.dedup();
    let mut found = std::collections::HashMap::new();
    names.find(&wanted, |offset, path| {
        found.insert(offset, BString::from(path));
    })?;
    // A hard link's target stands behind its path.
    let split = |name: &BString| match name.split_once_str("\0") {
        Some((path, target)) => (BString::from(path), Some(BString::from(target))),
        None => (name.clone(), None),
    };
    for evidence in odd.evidence_mut() {
        if let (true, Some(name)) = (evidence.path.is_empty(), found.get(&evidence.offset)) {
            let (path, target) = split(name);
            evidence.path = path;
            if let (Some(target), Detail::Nothing) = (target, &evidence.detail) {
                evidence.detail = Detail::Text(target);
            }
        }
        match &mut evidence.detail {
            Detail::Other { offset, path } => {
                if let Some(name) = found.get(offset) {
                    *path = split(name).0;
                }
            }
            Detail::Above { len } => {
                let whole = clean(&evidence.path).path.into_owned();
                let above = usize::try_from(*len).ok().and_then(|len| whole.get(..len));
                evidence.detail = above.map_or(Detail::Nothing, |above| Detail::Text(above.into()));
            }
            _ => {}
        }
    }
    Ok(())
}
