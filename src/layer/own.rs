//! Paths of a layer against each other: one walk over its records in order of hash, with a fixed state for each path.

use std::io;
use std::sync::Arc;

use super::evidence::{Detail, Evidence, KEPT, Oddities, Oddity};
use super::table::{Builder, Record, Sorted, Spool, Table};

/// What a record says of its path; the lowest byte of [`Record::aux`].
pub(super) mod tag {
    /// A directory.
    pub const DIRECTORY: u64 = 0;
    /// Anything that is neither directory nor symbolic link.
    pub const FILE: u64 = 1;
    /// A symbolic link.
    pub const LINK: u64 = 2;
    /// A symbolic link that climbs above the root.
    pub const ESCAPING_LINK: u64 = 3;
    /// Something lies below it; the length of its path above.
    pub const ABOVE: u64 = 4;
    /// A whiteout of it.
    pub const WHITEOUT: u64 = 5;
    /// An opaque whiteout in it.
    pub const OPAQUE: u64 = 6;
    /// An explicit whiteout in it.
    pub const HAS_WHITEOUT: u64 = 7;
    /// A path that becomes this one where case and Unicode form do not count; 32 bits of its own hash above.
    pub const FOLDED: u64 = 8;
    /// The target of a hard link.
    pub const TARGET: u64 = 9;
    /// Something above the target of a hard link.
    pub const ABOVE_TARGET: u64 = 10;
    /// A symbolic link that climbs above the root by way of others; it has a record of its own too.
    pub const CLIMBING: u64 = 11;
    /// A whiteout lies below it; twice the length of its path above, and one more if it lies in it.
    pub const ABOVE_WHITEOUT: u64 = 12;
    /// A symbolic link leads here.
    pub const LEADS: u64 = 13;
}

/// What a layer has at a path; bits of [`Record::aux`] in its table.
pub(super) mod has {
    /// A directory of its own entry.
    pub const DIRECTORY: u64 = 1;
    /// Anything else of its own entry.
    pub const FILE: u64 = 2;
    /// Something below it.
    pub const BELOW: u64 = 4;
    /// A whiteout of it.
    pub const WHITEOUT: u64 = 8;
    /// An opaque whiteout in it.
    pub const OPAQUE: u64 = 16;
    /// That which is no directory is a symbolic link.
    pub const LINK: u64 = 32;
    /// One that climbs above the root.
    pub const ESCAPING: u64 = 64;
}

/// Where what belongs to a tag or question begins.
pub(super) const SHIFT: u32 = 8;

/// What only lower layers can answer; [`Record::aux`] in the table of questions.
pub(super) mod ask {
    /// Is this directory there? The length of its path stands above.
    pub const PARENT: u64 = 0;
    /// Is there anything to white out?
    pub const WHITEOUT: u64 = 1;
    /// Is this file there?
    pub const TARGET: u64 = 2;
    /// Was this directory taken away?
    pub const ABOVE_TARGET: u64 = 3;
    /// The target was taken away by the layer itself.
    pub const LOST: u64 = 4;
    /// The target lies below a symbolic link of the layer itself.
    pub const THROUGH: u64 = 6;
    /// Is there any layer that this opaque whiteout hides?
    pub const OPAQUE: u64 = 5;
    /// Was this directory above a whiteout taken away?
    pub const ABOVE_WHITEOUT: u64 = 7;
    /// What is this directory above a whiteout, which the layer itself does not have? As for its tag.
    pub const WHITEOUT_PARENT: u64 = 8;
    /// Is there a directory that this whiteout would hide, if the same layer did not make it anew?
    pub const MADE_ANEW: u64 = 9;
    /// Something worse was told of this whiteout than that it hides nothing.
    pub const TOLD: u64 = 10;
}

/// Judges, and gives the table of what the layer has and that of its questions.
pub(super) fn judge(records: Builder, spool: &Arc<Spool>, odd: &mut Oddities) -> io::Result<(Table, Table)> {
    let mut out = Out {
        odd,
        has: Sorted::new(Arc::clone(spool)),
        asks: Sorted::new(Arc::clone(spool)),
        links: Builder::new(Arc::clone(spool)),
    };
    let mut path = Path::default();
    records.merge(|record| {
        if record.hash != path.hash || path.empty() {
            std::mem::take(&mut path).settle(&mut out)?;
            path.hash = record.hash;
        }
        path.take(record, &mut out)
    })?;
    path.settle(&mut out)?;
    let Out { odd, has, asks, links } = out;
    let (has, asks) = (has.finish()?, asks.finish()?);
    below_links(links, odd)?;
    Ok((has, asks))
}

/// A symbolic link leads to a directory of its layer.
const LEADS: u64 = 0;
/// Something lies below it, at the offset above.
const BELOW: u64 = 1;
/// So much more lies below it.
const MORE: u64 = 2;

/// What lies below links: harmless where the link leads to a directory of the same layer.
fn below_links(links: Builder, odd: &mut Oddities) -> io::Result<()> {
    let (mut link, mut oddity) = (None, Oddity::BelowLink);
    links.merge(|Record { hash, offset: what, aux }| {
        let own = hash as u64;
        if link != Some(own) {
            (link, oddity) = (Some(own), Oddity::BelowLink);
        }
        match what {
            LEADS => oddity = Oddity::BelowResolvedLink,
            BELOW => note(odd, oddity, aux, Some(own)),
            _ => odd.count(oddity, aux),
        }
        Ok(())
    })
}

/// Paths are filled in later, from the names of the layer.
fn note(odd: &mut Oddities, oddity: Oddity, offset: u64, other: Option<u64>) {
    odd.note(oddity, (offset, other.unwrap_or_default()), || Evidence {
        offset,
        path: Default::default(),
        detail: other.map_or(Detail::Nothing, |offset| Detail::Other { offset, path: Default::default() }),
    });
}

struct Out<'a> {
    odd: &'a mut Oddities,
    has: Sorted,
    asks: Sorted,
    /// By the offset of a symbolic link: where it leads, and what lies below it.
    links: Builder,
}

impl Out<'_> {
    fn note(&mut self, oddity: Oddity, offset: u64, other: Option<u64>) {
        note(self.odd, oddity, offset, other);
    }

    /// Something about a symbolic link, by its offset.
    fn below_link(&mut self, own: u64, what: u64, aux: u64) -> io::Result<()> {
        self.links.push(Record { hash: u128::from(own), offset: what, aux })
    }
}

/// The lowest offsets of something, and how many there are.
#[derive(Default)]
struct Places {
    total: u64,
    first: Vec<u64>,
}

impl Places {
    fn push(&mut self, offset: u64) {
        self.total += 1;
        if self.first.len() < KEPT {
            self.first.push(offset);
        }
    }

    fn lowest(&self) -> Option<u64> {
        self.first.first().copied()
    }
}

/// What the records of one path say.
#[derive(Default)]
struct Path {
    hash: u128,
    entries: Places,
    directory: bool,
    /// Offset of a symbolic link, and whether it escapes.
    link: Option<(u64, bool)>,
    file: Option<u64>,
    above: Places,
    /// Bytes of the path, if something is below it.
    length: u64,
    /// Whiteouts in it, and further below it.
    whiteouts_below: [Places; 2],
    /// Symbolic links that lead here; no more than are followed.
    leads: Vec<u64>,
    whiteouts: Places,
    opaques: Places,
    has_whiteout: Option<u64>,
    /// The first path that folds to this one.
    folded: Option<(u64, u64)>,
    collides: bool,
}

impl Path {
    fn empty(&self) -> bool {
        self.hash == 0
    }

    /// Takes a record; those of a path come by offset.
    fn take(&mut self, record: Record, out: &mut Out<'_>) -> io::Result<()> {
        let Record { hash, offset, aux } = record;
        match aux & 0xff {
            tag::DIRECTORY => {
                self.entries.push(offset);
                self.directory = true;
            }
            tag::FILE => {
                self.entries.push(offset);
                self.file.get_or_insert(offset);
            }
            tag::LINK => {
                self.entries.push(offset);
                self.link.get_or_insert((offset, false));
            }
            // Of several links the worst counts: tools take the last.
            tag::ESCAPING_LINK => {
                self.entries.push(offset);
                self.link = self.link.filter(|(_, escapes)| *escapes).or(Some((offset, true)));
            }
            tag::CLIMBING => self.link = self.link.filter(|(_, escapes)| *escapes).or(Some((offset, true))),
            tag::ABOVE => {
                self.length = aux >> SHIFT;
                self.above.push(offset);
            }
            tag::ABOVE_WHITEOUT => {
                self.length = aux >> SHIFT >> 1;
                self.whiteouts_below[usize::from(aux >> SHIFT & 1 == 0)].push(offset);
                out.asks.push(Record { hash, offset, aux: ask::ABOVE_WHITEOUT })?;
            }
            tag::LEADS => self.leads.push(offset),
            tag::WHITEOUT => self.whiteouts.push(offset),
            tag::OPAQUE => self.opaques.push(offset),
            tag::HAS_WHITEOUT => {
                self.has_whiteout.get_or_insert(offset);
            }
            tag::FOLDED => {
                let own = aux >> 32;
                match self.folded {
                    None => self.folded = Some((offset, own)),
                    Some((first, other)) if other != own && !self.collides => {
                        self.collides = true;
                        out.note(Oddity::CaseCollision, offset, Some(first));
                    }
                    Some(_) => {}
                }
            }
            tag::TARGET => {
                // A link must come after what it links to.
                if self.directory && self.file.is_none() && self.link.is_none() {
                    out.note(Oddity::HardLinkToDirectory, offset, self.entries.lowest());
                } else if self.entries.total == 0 && self.whiteouts.total > 0 {
                    out.note(Oddity::HardLinkTargetMissing, offset, None);
                } else if self.entries.total == 0 {
                    out.asks.push(Record { hash, offset, aux: ask::TARGET })?;
                }
            }
            tag::ABOVE_TARGET => {
                let lost = self.whiteouts.total > 0 || self.opaques.total > 0;
                let aux = if lost { ask::LOST } else { ask::ABOVE_TARGET };
                out.asks.push(Record { hash, offset, aux })?;
                if self.link.is_some() {
                    out.asks.push(Record { hash, offset, aux: ask::THROUGH })?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn settle(self, out: &mut Out<'_>) -> io::Result<()> {
        let hash = self.hash;
        for places in [&self.entries, &self.whiteouts, &self.opaques] {
            for &offset in places.first.iter().skip(1) {
                out.note(Oddity::DuplicatePath, offset, places.lowest());
            }
            out.odd.count(Oddity::DuplicatePath, places.total - places.first.len() as u64);
        }
        if let (Some((folded, _)), Some(own), false) = (self.folded, self.entries.lowest(), self.collides) {
            out.note(Oddity::CaseCollision, folded.max(own), Some(folded.min(own)));
        }
        self.whiteouts_beneath(out)?;
        if self.directory || self.above.total > 0 {
            for &link in &self.leads {
                out.below_link(link, LEADS, 0)?;
            }
        }
        if let Some(below) = self.above.lowest() {
            self.beneath(below, out)?;
            if self.entries.total == 0 {
                // What a whiteout of the same layer takes away is made anew.
                if self.whiteouts.total == 0 {
                    let aux = ask::PARENT | self.length << SHIFT;
                    out.asks.push(Record { hash, offset: below, aux })?;
                }
            }
        }
        if let Some(whiteout) = self.whiteouts.lowest() {
            let (own, below) = (self.entries.lowest(), self.above.lowest());
            // First the whiteout, then the path anew, then what is below it: every tool takes that.
            let anew = own.is_some_and(|own| whiteout < own && below.is_none_or(|below| own < below));
            if let (Some(own), false) = (own.or(below), anew) {
                out.note(Oddity::WhiteoutOfOwnPath, whiteout, Some(own));
            }
            if anew && self.directory {
                out.asks.push(Record { hash, offset: whiteout, aux: ask::MADE_ANEW })?;
            }
            out.asks.push(Record { hash, offset: whiteout, aux: ask::WHITEOUT })?;
        }
        if let Some(opaque) = self.opaques.lowest() {
            out.asks.push(Record { hash, offset: opaque, aux: ask::OPAQUE })?;
        }
        if let (Some(opaque), Some(explicit)) = (self.opaques.lowest(), self.has_whiteout) {
            out.note(Oddity::RedundantWhiteout, explicit, Some(opaque));
        }
        let bits = [
            (self.directory, has::DIRECTORY),
            (self.file.is_some() || self.link.is_some(), has::FILE),
            (self.above.total > 0, has::BELOW),
            (self.whiteouts.total > 0, has::WHITEOUT),
            (self.opaques.total > 0, has::OPAQUE),
            (self.link.is_some() && self.file.is_none(), has::LINK),
            (self.link.is_some_and(|(_, escapes)| escapes), has::ESCAPING),
        ];
        let aux = bits.iter().filter(|(set, _)| *set).map(|(_, bit)| bit).sum();
        if aux == 0 { Ok(()) } else { out.has.push(Record { hash, offset: 0, aux }) }
    }

    /// This path has whiteouts below it: what is it itself?
    fn whiteouts_beneath(&self, out: &mut Out<'_>) -> io::Result<()> {
        let directory = self.entries.lowest().filter(|_| self.directory);
        for (places, direct) in self.whiteouts_below.iter().zip([1, 0]) {
            for &offset in &places.first {
                let told = Record { hash: self.hash, offset, aux: ask::TOLD };
                match (self.link, self.file, self.whiteouts.lowest(), directory) {
                    (Some((own, true)), ..) => out.note(Oddity::BelowEscapingLink, offset, Some(own)),
                    (Some((own, false)), ..) => out.below_link(own, BELOW, offset)?,
                    (None, Some(own), _, None) => {
                        out.note(Oddity::WhiteoutBelowFile, offset, Some(own));
                        out.asks.push(told)?;
                    }
                    (_, _, Some(own), Some(anew)) if own < anew && anew < offset => {}
                    (_, _, Some(own), _) => {
                        out.note(Oddity::WhiteoutBelowWhiteout, offset, Some(own));
                        out.asks.push(told)?;
                    }
                    (_, _, None, Some(own)) if own < offset => {}
                    // What an entry before it lies in is there, and that entry is judged.
                    _ if self.above.lowest().is_some_and(|other| other < offset) => {}
                    _ => {
                        let aux = ask::WHITEOUT_PARENT | (self.length << 1 | direct) << SHIFT;
                        out.asks.push(Record { hash: self.hash, offset, aux })?;
                    }
                }
            }
        }
        Ok(())
    }

    /// This path has something below it: what is it itself?
    fn beneath(&self, below: u64, out: &mut Out<'_>) -> io::Result<()> {
        if self.directory {
            // Of a path that stands twice that alone is said.
            if let Some(own) = self.entries.lowest().filter(|own| *own > below && self.entries.total == 1) {
                out.note(Oddity::ParentAfterChild, own, Some(below));
            }
            return Ok(());
        }
        let more = self.above.total - self.above.first.len() as u64;
        let (oddity, own) = match (self.link, self.file) {
            (Some((own, true)), _) => (Oddity::BelowEscapingLink, own),
            (Some((own, false)), _) => {
                for &offset in &self.above.first {
                    out.below_link(own, BELOW, offset)?;
                }
                return if more > 0 { out.below_link(own, MORE, more) } else { Ok(()) };
            }
            (None, Some(own)) => (Oddity::BelowFile, own),
            (None, None) => return Ok(()),
        };
        for &offset in &self.above.first {
            out.note(oddity, offset, Some(own));
        }
        out.odd.count(oddity, more);
        Ok(())
    }
}
