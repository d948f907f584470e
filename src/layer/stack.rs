//! Layers on each other: what a layer leaves open, looked up in those below it.

use std::collections::{BTreeMap, HashMap};
use std::io;

use super::evidence::{Detail, Evidence, Oddities, Oddity};
use super::own::{ask, has};
use super::scan::{self, LayerFacts};
use super::table::{Cursor, Record};

/// Pieces of knowledge about hard links into lower layers that are joined in memory: 65,536 links of one layer that
/// reach below it, or whose directories were taken away. Beyond that such links are taken to be good.
const JOINED: usize = 1 << 16;

/// Judges the topmost of these layers by those below it, base first.
///
/// # Errors
///
/// The file with tables and names cannot be read.
pub fn judge(layers: &[&LayerFacts]) -> io::Result<Oddities> {
    let mut odd = Oddities::default();
    let Some((top, below)) = layers.split_last() else { return Ok(odd) };
    if top.asks.is_empty() {
        return Ok(odd);
    }
    let mut cursors: Vec<Cursor<'_>> = below.iter().map(|layer| layer.has.cursor()).collect();
    let mut links = Links::default();
    top.asks.each(|record| {
        let Record { hash, offset, aux } = record;
        match aux {
            ask::PARENT => {
                let there = |bits: u64| bits & (has::DIRECTORY | has::FILE | has::BELOW) != 0;
                if topmost(&mut cursors, hash, there)?.is_none() {
                    note(&mut odd, Oddity::ParentMissing, offset);
                }
            }
            ask::WHITEOUT if below.is_empty() => note(&mut odd, Oddity::WhiteoutInBase, offset),
            ask::WHITEOUT => {
                let there = has::DIRECTORY | has::FILE | has::BELOW;
                let found = topmost(&mut cursors, hash, |bits| bits & (there | has::WHITEOUT) != 0)?;
                if found.is_none_or(|(_, bits)| bits & there == 0) {
                    note(&mut odd, Oddity::UselessWhiteout, offset);
                }
            }
            ask::TARGET => {
                let there = has::DIRECTORY | has::FILE | has::BELOW;
                match topmost(&mut cursors, hash, |bits| bits & (there | has::WHITEOUT) != 0)? {
                    Some((layer, bits)) if bits & has::FILE != 0 => links.reaches(offset, layer),
                    Some((_, bits)) if bits & there != 0 => {
                        note(&mut odd, Oddity::HardLinkToDirectory, offset);
                    }
                    _ => note(&mut odd, Oddity::HardLinkTargetMissing, offset),
                }
            }
            ask::ABOVE_TARGET => {
                let gone = |bits: u64| bits & (has::WHITEOUT | has::OPAQUE | has::FILE) != 0;
                if let Some((layer, _)) = topmost(&mut cursors, hash, gone)? {
                    links.loses(offset, layer);
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    for offset in links.dead() {
        note(&mut odd, Oddity::HardLinkTargetMissing, offset);
    }
    scan::name(&top.names, &mut odd)?;
    Ok(odd)
}

fn note(odd: &mut Oddities, oddity: Oddity, offset: u64) {
    odd.note(oddity, offset, || Evidence { offset, path: Default::default(), detail: Detail::Nothing });
}

/// The topmost layer that has something at a path, and what it has.
fn topmost(
    cursors: &mut [Cursor<'_>],
    hash: u128,
    wanted: impl Fn(u64) -> bool,
) -> io::Result<Option<(usize, u64)>> {
    for (i, cursor) in cursors.iter_mut().enumerate().rev() {
        if let Some(record) = cursor.find(hash)?.filter(|record| wanted(record.aux)) {
            return Ok(Some((i, record.aux)));
        }
    }
    Ok(None)
}

/// Hard links into lower layers, by the offsets of their entries.
#[derive(Default)]
struct Links {
    /// The layer that has the target.
    target: BTreeMap<u64, usize>,
    /// The topmost layer that took away a directory above it.
    lost: HashMap<u64, usize>,
}

impl Links {
    fn reaches(&mut self, offset: u64, layer: usize) {
        if self.target.len() < JOINED {
            self.target.insert(offset, layer);
        }
    }

    fn loses(&mut self, offset: u64, layer: usize) {
        if self.lost.len() < JOINED || self.lost.contains_key(&offset) {
            let held = self.lost.entry(offset).or_insert(layer);
            *held = layer.max(*held);
        }
    }

    /// Links whose target was taken away after it was made.
    fn dead(&self) -> impl Iterator<Item = u64> {
        let dead = self
            .target
            .iter()
            .filter(|(offset, layer)| self.lost.get(offset).is_some_and(|lost| lost > *layer));
        dead.map(|(offset, _)| *offset)
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
