//! Layers on each other: what a layer leaves open, looked up in those below it.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use super::evidence::{Detail, Evidence, Oddities, Oddity};
use super::own::{SHIFT, ask, has};
use super::scan::{self, LayerFacts};
use super::table::{Builder, Cursor, Record};
use crate::tar::clean;

/// Judges the topmost of these layers by those below it, base first. `lookups` is how many more questions may be asked of
/// a layer; when it is used up the layer is reported as not judged.
///
/// # Errors
///
/// The file with tables and names cannot be read.
pub fn judge(layers: &[&LayerFacts], lookups: &mut u64) -> io::Result<Oddities> {
    let mut odd = Oddities::default();
    let Some((top, below)) = layers.split_last() else { return Ok(odd) };
    if top.asks.is_empty() {
        return Ok(odd);
    }
    let mut below = Below::new(below, lookups);
    let mut links = Builder::new(Arc::clone(&top.spool));
    let mut gone = (0, None);
    top.asks.each(|Record { hash, offset, aux }| {
        match aux & 0xff {
            ask::PARENT => below.parent(hash, offset, aux >> SHIFT, &mut odd)?,
            ask::OPAQUE | ask::WHITEOUT if below.is_empty() => note(&mut odd, Oddity::WhiteoutInBase, offset),
            ask::WHITEOUT => {
                let found = below.topmost(hash, THERE | has::WHITEOUT)?;
                if found.is_none_or(|(_, bits)| bits & THERE == 0) {
                    note(&mut odd, Oddity::UselessWhiteout, offset);
                }
            }
            ask::TARGET => match below.topmost(hash, THERE | has::WHITEOUT)? {
                Some((layer, bits)) if bits & has::FILE != 0 => links.push(reaches(offset, layer))?,
                Some((_, bits)) if bits & THERE != 0 => note(&mut odd, Oddity::HardLinkToDirectory, offset),
                _ => note(&mut odd, Oddity::HardLinkTargetMissing, offset),
            },
            ask::ABOVE_TARGET => {
                // Many links have their targets in one directory.
                if gone.0 != hash {
                    gone = (hash, below.topmost(hash, TAKES_AWAY)?);
                }
                if let Some((layer, _)) = gone.1 {
                    links.push(loses(offset, layer))?;
                }
            }
            ask::LOST => links.push(loses(offset, layers.len()))?,
            _ => {}
        }
        Ok(())
    })?;
    dead(links, |offset| note(&mut odd, Oddity::HardLinkTargetMissing, offset))?;
    if below.exhausted {
        odd = Oddities::default();
        let why = "its layer has more links, whiteouts and directories than are looked up in lower layers";
        let detail = Detail::Text(why.into());
        odd.note(Oddity::NotJudged, (0, 0), || Evidence { offset: 0, path: Default::default(), detail });
        return Ok(odd);
    }
    scan::name(&top.names, &mut odd)?;
    for oddity in [Oddity::BelowLowerFile, Oddity::BelowLowerLink, Oddity::BelowLowerEscapingLink] {
        let mut failed = None;
        odd.retain(oddity, |evidence| match &evidence.detail {
            Detail::Text(above) => below.stands(top, above).unwrap_or_else(|error| {
                failed = Some(error);
                false
            }),
            _ => false,
        });
        if let Some(error) = failed {
            return Err(error);
        }
    }
    odd.settle();
    Ok(odd)
}

/// Something is at a path.
const THERE: u64 = has::DIRECTORY | has::FILE | has::BELOW;
/// What was below a path in lower layers is there no more.
const TAKES_AWAY: u64 = has::WHITEOUT | has::OPAQUE | has::FILE;

fn note(odd: &mut Oddities, oddity: Oddity, offset: u64) {
    odd.note(oddity, (offset, 0), || Evidence { offset, path: Default::default(), detail: Detail::Nothing });
}

/// The layers below one.
struct Below<'a, 'l> {
    cursors: Vec<Cursor<'a>>,
    layers: &'l [&'a LayerFacts],
    lookups: &'l mut u64,
    exhausted: bool,
}

impl<'a, 'l> Below<'a, 'l> {
    fn new(layers: &'l [&'a LayerFacts], lookups: &'l mut u64) -> Below<'a, 'l> {
        let cursors = layers.iter().map(|layer| layer.has.cursor()).collect();
        Below { cursors, layers, lookups, exhausted: false }
    }

    fn is_empty(&self) -> bool {
        self.cursors.is_empty()
    }

    /// The topmost layer that has any of these bits at a path, and what it has.
    fn topmost(&mut self, hash: u128, wanted: u64) -> io::Result<Option<(usize, u64)>> {
        for (i, cursor) in self.cursors.iter_mut().enumerate().rev() {
            let Some(left) = self.lookups.checked_sub(1) else {
                self.exhausted = true;
                return Ok(None);
            };
            *self.lookups = left;
            if let Some(record) = cursor.find(hash)?.filter(|record| record.aux & wanted != 0) {
                return Ok(Some((i, record.aux)));
            }
        }
        Ok(None)
    }

    /// Is the directory, whose path has this length, there for the entry at an offset?
    fn parent(&mut self, hash: u128, offset: u64, len: u64, odd: &mut Oddities) -> io::Result<()> {
        let oddity = match self.topmost(hash, THERE)? {
            None => Oddity::ParentMissing,
            Some((_, bits)) if bits & (has::DIRECTORY | has::BELOW) != 0 => return Ok(()),
            Some((_, bits)) if bits & has::ESCAPING != 0 => Oddity::BelowLowerEscapingLink,
            Some((_, bits)) if bits & has::LINK != 0 => Oddity::BelowLowerLink,
            Some(_) => Oddity::BelowLowerFile,
        };
        odd.note(oddity, (offset, len), || Evidence {
            offset,
            path: Default::default(),
            detail: Detail::Above { len },
        });
        Ok(())
    }

    /// Whether what is at a path in a lower layer is still there: neither a layer between, nor this one, took away the
    /// path or a directory above it.
    fn stands(&mut self, top: &LayerFacts, path: &[u8]) -> io::Result<bool> {
        let spool = Arc::clone(&top.spool);
        let mut own = top.has.cursor();
        let path = clean(path).path.into_owned();
        let Some((layer, _)) = self.topmost(spool.hash(&path), THERE)? else { return Ok(false) };
        // A cursor goes forward only within its block; another path begins anew.
        let slashes = path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(slash, _)| slash);
        for end in [0].into_iter().chain(slashes) {
            let hash = spool.hash(&path[..end]);
            if own.find(hash)?.is_some_and(|record| record.aux & TAKES_AWAY != 0) {
                return Ok(false);
            }
            if self.topmost(hash, TAKES_AWAY)?.is_some_and(|(over, _)| over > layer) {
                return Ok(false);
            }
        }
        let whited = self.topmost(spool.hash(&path), has::WHITEOUT)?;
        Ok(whited.is_none_or(|(over, _)| over <= layer) && self.layers.len() > layer)
    }
}

/// That the target of the hard link at an offset is in a layer.
fn reaches(offset: u64, layer: usize) -> Record {
    Record { hash: u128::from(offset), offset: 0, aux: layer as u64 }
}

/// That a layer took away a directory above the target.
fn loses(offset: u64, layer: usize) -> Record {
    Record { hash: u128::from(offset), offset: 1, aux: layer as u64 }
}

/// Lends the offsets of links whose target was taken away after it was made.
fn dead(links: Builder, mut on: impl FnMut(u64)) -> io::Result<()> {
    let mut target: Option<(u128, u64)> = None;
    links.merge(|Record { hash, offset, aux }| {
        match (offset, target) {
            (0, _) => target = Some((hash, aux)),
            (_, Some((link, layer))) if link == hash && aux > layer => {
                on(hash as u64);
                target = None;
            }
            _ => {}
        }
        Ok(())
    })
}

/// Which layers have been seen on which others, so that images with a common base do not have it judged again.
#[derive(Debug, Default)]
pub struct Judged(HashMap<(u32, u32), u32>);

impl Judged {
    /// Below the lowest layer.
    pub const BASE: u32 = 0;

    /// The stack of a layer upon a stack, and whether it is the first time that it lies there.
    pub fn lies_on(&mut self, below: u32, layer: u32) -> (u32, bool) {
        let next = self.0.len() as u32 + 1;
        let stack = *self.0.entry((below, layer)).or_insert(next);
        (stack, stack == next)
    }
}
