//! Layers on each other: what a layer leaves open, looked up in those below it.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use super::evidence::{Detail, Evidence, Oddities, Oddity};
use super::facts::{self, LayerFacts};
use super::own::{SHIFT, ask, has};
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
    let mut whiteouts = Builder::new(Arc::clone(&top.spool));
    // As for links, of the directories above whiteouts.
    let mut taken = (None, None);
    // What was found of the directory asked for last: many links have their targets in one.
    let mut above = (None, None, false);
    top.asks.each(|Record { hash, offset, aux }| {
        match aux & 0xff {
            ask::PARENT => below.parent(hash, offset, aux >> SHIFT, &mut odd)?,
            ask::OPAQUE | ask::WHITEOUT if below.is_empty() => note(&mut odd, Oddity::WhiteoutInBase, offset),
            ask::WHITEOUT => match below.topmost(hash, THERE | has::WHITEOUT)? {
                Some((layer, bits)) if bits & THERE != 0 => {
                    whiteouts.push(knows(offset, REACHES, layer))?;
                }
                _ => whiteouts.push(knows(offset, MISSES, 0))?,
            },
            ask::ABOVE_WHITEOUT if !below.is_empty() => {
                if taken.0 != Some(hash) {
                    taken = (Some(hash), below.topmost(hash, TAKES_AWAY)?);
                }
                if let Some((layer, _)) = taken.1 {
                    whiteouts.push(knows(offset, LOSES, layer))?;
                }
            }
            ask::WHITEOUT_PARENT => {
                let (direct, len) = (aux >> SHIFT & 1 == 1, aux >> SHIFT >> 1);
                if below.whiteout_parent(hash, (offset, len), direct, &mut odd)? {
                    whiteouts.push(knows(offset, THROUGH, 0))?;
                }
            }
            ask::TOLD => whiteouts.push(knows(offset, THROUGH, 0))?,
            ask::MADE_ANEW => {
                let found = below.topmost(hash, THERE | has::WHITEOUT)?;
                if found.is_some_and(|(_, bits)| bits & (has::DIRECTORY | has::BELOW) != 0) {
                    note(&mut odd, Oddity::WhiteoutBeforeDirectory, offset);
                }
            }
            ask::TARGET => match below.topmost(hash, THERE | has::WHITEOUT)? {
                Some((layer, bits)) if bits & has::FILE != 0 => links.push(knows(offset, REACHES, layer))?,
                Some((_, bits)) if bits & THERE != 0 => note(&mut odd, Oddity::HardLinkToDirectory, offset),
                _ => links.push(knows(offset, MISSES, 0))?,
            },
            ask::ABOVE_TARGET => {
                if above.0 != Some(hash) {
                    let through = below.topmost(hash, THERE)?.is_some_and(|(_, bits)| bits & has::LINK != 0);
                    above = (Some(hash), below.topmost(hash, TAKES_AWAY)?, through);
                }
                if let Some((layer, _)) = above.1 {
                    links.push(knows(offset, LOSES, layer))?;
                }
                if above.2 {
                    links.push(knows(offset, THROUGH, 0))?;
                }
            }
            ask::LOST => links.push(knows(offset, LOSES, layers.len()))?,
            ask::THROUGH => links.push(knows(offset, THROUGH, 0))?,
            _ => {}
        }
        Ok(())
    })?;
    settle(links, |link| {
        if let Some(oddity) = link.of_hard_link() {
            note(&mut odd, oddity, link.at);
        }
    })?;
    settle(whiteouts, |whiteout| {
        if whiteout.hides_nothing() {
            note(&mut odd, Oddity::UselessWhiteout, whiteout.at);
        }
    })?;
    if below.exhausted {
        odd = Oddities::default();
        let why = "its layer has more links, whiteouts and directories than are looked up in lower layers";
        let detail = Detail::Text(why.into());
        odd.note(Oddity::NotJudged, (0, 0), || Evidence { offset: 0, path: Default::default(), detail });
        return Ok(odd);
    }
    facts::name(&top.names, &mut odd)?;
    standing(top, &mut below, &mut odd)?;
    odd.settle();
    Ok(odd)
}

/// Of what a lower layer left in the way, leaves what is there still.
fn standing(top: &LayerFacts, below: &mut Below<'_, '_>, odd: &mut Oddities) -> io::Result<()> {
    for oddity in LOWER {
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
    Ok(())
}

/// What a lower layer left in the way, told with its path.
const LOWER: [Oddity; 5] = [
    Oddity::BelowLowerFile,
    Oddity::BelowLowerLink,
    Oddity::BelowLowerEscapingLink,
    Oddity::WhiteoutBelowLowerFile,
    Oddity::WhiteoutBelowLowerLink,
];

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
    lookups: &'l mut u64,
    exhausted: bool,
}

impl<'a, 'l> Below<'a, 'l> {
    fn new(layers: &[&'a LayerFacts], lookups: &'l mut u64) -> Below<'a, 'l> {
        let cursors = layers.iter().map(|layer| layer.has.cursor()).collect();
        Below { cursors, lookups, exhausted: false }
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

    /// What is the directory, whose path has this length, that a whiteout at an offset lies in or further below? Whether
    /// something was told of it.
    fn whiteout_parent(
        &mut self,
        hash: u128,
        (offset, len): (u64, u64),
        direct: bool,
        odd: &mut Oddities,
    ) -> io::Result<bool> {
        let oddity = match self.topmost(hash, THERE | has::WHITEOUT)? {
            None => return Ok(false),
            Some((_, bits)) if bits & (has::DIRECTORY | has::BELOW) != 0 => return Ok(false),
            Some((_, bits)) if bits & has::LINK != 0 => Oddity::WhiteoutBelowLowerLink,
            Some((_, bits)) if bits & has::FILE != 0 => Oddity::WhiteoutBelowLowerFile,
            // In a directory that is not there it hides nothing, and does no more.
            Some(_) if direct => return Ok(false),
            Some(_) => Oddity::WhiteoutBelowRemoved,
        };
        odd.note(oddity, (offset, len), || Evidence {
            offset,
            path: Default::default(),
            detail: Detail::Above { len },
        });
        Ok(true)
    }

    /// Whether what is at a path in a lower layer is still there: neither a layer between, nor this one, took away the
    /// path or a directory above it.
    fn stands(&mut self, top: &LayerFacts, path: &[u8]) -> io::Result<bool> {
        let spool = Arc::clone(&top.spool);
        let mut own = top.has.cursor();
        let path = clean(path).path.into_owned();
        let Some((layer, _)) = self.topmost(spool.hash(&path), THERE)? else { return Ok(false) };
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
        Ok(whited.is_none_or(|(over, _)| over <= layer))
    }
}

/// The target of a hard link or whiteout is in a layer.
const REACHES: u64 = 0;
/// It is nowhere.
const MISSES: u64 = 1;
/// A layer took away a directory above it.
const LOSES: u64 = 2;
/// A symbolic link is above it; of a whiteout, that something worse was told.
const THROUGH: u64 = 3;

/// Something about the hard link or whiteout at an offset.
fn knows(offset: u64, what: u64, layer: usize) -> Record {
    Record { hash: u128::from(offset), offset: what, aux: layer as u64 }
}

/// Joins what is known of each hard link or whiteout.
fn settle(links: Builder, mut on: impl FnMut(&Link)) -> io::Result<()> {
    let mut link = Link::default();
    links.merge(|Record { hash, offset: what, aux: layer }| {
        let at = hash as u64;
        if link.at != at {
            on(&link);
            link = Link { at, ..Link::default() };
        }
        match what {
            REACHES => link.reaches = Some(layer),
            MISSES => link.misses = true,
            LOSES => link.loses = link.loses.max(Some(layer)),
            _ => link.through = true,
        }
        Ok(())
    })?;
    on(&link);
    Ok(())
}

/// What is known of a hard link whose target its own layer lacks, or of a whiteout.
#[derive(Default)]
struct Link {
    at: u64,
    reaches: Option<u64>,
    misses: bool,
    loses: Option<u64>,
    through: bool,
}

impl Link {
    fn is_lost(&self) -> bool {
        self.reaches.is_some_and(|layer| self.loses.is_some_and(|loses| loses > layer))
    }

    fn of_hard_link(&self) -> Option<Oddity> {
        match self.reaches {
            Some(_) if !self.is_lost() => Some(Oddity::HardLinkToLower),
            None if !self.misses => None,
            _ if self.through => Some(Oddity::HardLinkThroughLink),
            _ => Some(Oddity::HardLinkTargetMissing),
        }
    }

    fn hides_nothing(&self) -> bool {
        (self.misses || self.is_lost()) && !self.through
    }
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
