//! Which blobs a run reads: what is new, was wrong, changed or is old; in its shard, and in its sample.

use super::key::Key;
use super::row::{ReadRow, Row, Run, Shard};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::form::stored::Listed;

/// Of blobs that the store proves one in so many is read as a whole, others in each run.
const DRAWN: u64 = 100;

/// A part of what a run would read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// The N-th of T fixed parts, counted from 1.
    Part(u64, u64),
    /// So many hundredths of a percent of the blobs, those read longest ago.
    Share(u64),
    /// So many bytes, those read longest ago; at least one blob.
    Bytes(u64),
}

impl Sample {
    /// `5%`, `10G` or `N/T`.
    ///
    /// # Errors
    ///
    /// It is none of them.
    pub fn parse(text: &str) -> Result<Sample> {
        let wrong = || {
            let message =
                format!("a sample is a share, a size or a part, such as 5%, 10G or 1/30, not `{text}`");
            Error::refused(message)
        };
        if let Some(share) = text.strip_suffix('%') {
            let share: f64 = share.parse().map_err(|_| wrong())?;
            return match share > 0.0 && share <= 100.0 {
                true => Ok(Sample::Share((share * 100.0).ceil() as u64)),
                false => Err(wrong()),
            };
        }
        if let Some((part, of)) = text.split_once('/') {
            let (part, of) = (part.parse().map_err(|_| wrong())?, of.parse().map_err(|_| wrong())?);
            return match (1..=of).contains(&part) {
                true => Ok(Sample::Part(part, of)),
                false => Err(wrong()),
            };
        }
        Ok(Sample::Bytes(size(text).filter(|bytes| *bytes > 0).ok_or_else(wrong)?))
    }
}

/// A size such as `10G`: bytes, with one of K, M, G, T for powers of 1024.
pub fn size(text: &str) -> Option<u64> {
    let (number, shift) = match text.char_indices().next_back()? {
        (at, 'K' | 'k') => (&text[..at], 10),
        (at, 'M') => (&text[..at], 20),
        (at, 'G') => (&text[..at], 30),
        (at, 'T') => (&text[..at], 40),
        _ => (text, 0),
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

impl Shard {
    /// `I/N`, counted from 0.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn parse(text: &str) -> Result<Shard> {
        let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match numbers {
            Some((index, count)) if index < count => Ok(Shard { index, count }),
            _ => {
                let message = format!("a shard is I/N with I from 0 to N-1, such as 0/4, not `{text}`");
                Err(Error::refused(message))
            }
        }
    }

    /// Whether a blob belongs to it: by digits of the digest that are spread evenly in every folder.
    pub fn has_blob(self, digest: &Digest) -> bool {
        part(digest, u64::from(self.count)) == u64::from(self.index)
    }

    /// Whether the links of a repository do.
    pub fn has_repository(self, name: &str) -> bool {
        self.has_blob(&Digest::sha256(name.as_bytes()))
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

/// Which of so many parts a digest is in, from 0.
fn part(digest: &Digest, of: u64) -> u64 {
    let key = Key::of(digest);
    let last = key.bytes().last_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    last % of.max(1)
}

/// Whether a blob is among those that a run reads as a whole, whatever proves them: others in each.
fn is_drawn(digest: &Digest, run: u64) -> bool {
    let key = Key::of(digest);
    // Not the bytes that shards and samples are made by, or one shard would have all of them.
    let first = key.bytes().get(1..).and_then(|key| key.first_chunk::<8>());
    first.is_some_and(|bytes| u64::from_be_bytes(*bytes) % DRAWN == run % DRAWN)
}

/// What a run reads.
#[derive(Debug, Clone)]
pub struct Selection {
    /// The run.
    pub run: Run,
    /// Now, in seconds from 1970.
    pub now: u64,
    /// What was read longer ago than so many seconds is read again.
    pub max_age: Option<u64>,
    /// The part that it is about.
    pub shard: Option<Shard>,
    /// The part of that which is read.
    pub sample: Option<Sample>,
    /// Whether the store's word is taken: then the sample is of what it proves, and all else is read.
    pub store: bool,
    /// Of blobs that are not due otherwise or by the sample: those read before then are read, and so many bytes or blobs
    /// of those read just then.
    pub oldest: Option<Oldest>,
}

/// What a share or a size comes to: whatever was read before some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Oldest {
    /// Seconds from 1970; what was read before is taken.
    pub before: u64,
    /// So much of what was read in that very second is taken, too, by blobs or bytes.
    pub more: u64,
    /// Whether it is counted in bytes.
    pub bytes: bool,
}

/// What is to be done with a blob that is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// It is read.
    Read,
    /// Enough is known of it.
    Known,
    /// It would be read, but is not in the sample.
    Left,
    /// It is read if the store does not prove it.
    Ask,
}

impl Selection {
    /// What is to be done with a blob.
    pub fn due(&mut self, listed: &Listed, row: Option<&Row>) -> Due {
        let read = row.filter(|row| row.is_of(listed));
        // Who does not take the store's word knows nothing of what nobody read.
        let read = read.and_then(|row| row.read.as_ref()).filter(|read| self.store || read.is_whole());
        let old =
            |read: &ReadRow| self.max_age.is_some_and(|age| self.now.saturating_sub(read.proved_at()) > age);
        let this_run = read.is_some_and(|read| read.run == self.run.number);
        let known = this_run || read.is_some_and(|read| read.is_sound(&listed.digest) && !old(read));
        let in_sample = match self.sample {
            None if self.store => is_drawn(&listed.digest, self.run.number),
            None => return if known { Due::Known } else { Due::Read },
            Some(Sample::Part(n, of)) => part(&listed.digest, of) == n - 1,
            Some(Sample::Share(_) | Sample::Bytes(_)) => {
                self.is_old(read.map_or(0, |read| read.at), listed.size)
            }
        };
        if self.store && !known && !in_sample {
            let wrong = read.is_some_and(|read| !read.is_sound(&listed.digest));
            return if wrong { Due::Read } else { Due::Ask };
        }
        match (this_run, in_sample, known) {
            (true, ..) => Due::Known,
            // Of a sample, what is known is read again: that is what it is for.
            (false, true, _) => Due::Read,
            (false, false, true) => Due::Known,
            (false, false, false) => Due::Left,
        }
    }

    fn is_old(&mut self, at: u64, size: u64) -> bool {
        let Some(oldest) = &mut self.oldest else { return false };
        let cost = if oldest.bytes { size } else { 1 };
        if at < oldest.before {
            return true;
        }
        let taken = at == oldest.before && oldest.more > 0;
        oldest.more = oldest.more.saturating_sub(if taken { cost } else { 0 });
        taken
    }
}

/// Counts blobs and bytes by the second in which they were read, to find out which are the oldest.
#[derive(Debug, Default)]
pub struct Ages {
    by_second: std::collections::BTreeMap<u64, (u64, u64)>,
    blobs: u64,
}

impl Ages {
    /// One more, read then; 0 for never.
    pub fn add(&mut self, at: u64, size: u64) {
        let slot = self.by_second.entry(at).or_default();
        (slot.0, slot.1) = (slot.0 + 1, slot.1 + size);
        self.blobs += 1;
    }

    /// Up to when a sample reaches.
    pub fn oldest(&self, sample: Sample) -> Option<Oldest> {
        let (mut left, bytes) = match sample {
            Sample::Part(..) => return None,
            Sample::Share(share) => ((self.blobs * share).div_ceil(10_000), false),
            Sample::Bytes(bytes) => (bytes, true),
        };
        for (&at, &(blobs, size)) in &self.by_second {
            let here = if bytes { size } else { blobs };
            if here >= left {
                return Some(Oldest { before: at, more: left, bytes });
            }
            left -= here;
        }
        Some(Oldest { before: u64::MAX, more: 0, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_and_shards_as_they_are_typed() {
        assert_eq!(Sample::parse("5%").expect("a share"), Sample::Share(500));
        assert_eq!(Sample::parse("0.5%").expect("a share"), Sample::Share(50));
        assert_eq!(Sample::parse("10G").expect("a size"), Sample::Bytes(10 << 30));
        assert_eq!(Sample::parse("3/30").expect("a part"), Sample::Part(3, 30));
        for wrong in ["", "0%", "101%", "0/3", "4/3", "x", "10X", "0", "1/0", "-1"] {
            assert!(Sample::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Shard::parse("0/4").expect("a shard"), Shard { index: 0, count: 4 });
        for wrong in ["4/4", "1", "a/b", "", "0/0"] {
            assert!(Shard::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_blob_is_in_one_shard_of_about_the_same_size() {
        let mut counts = [0; 7];
        for i in 0..7000 {
            let digest = Digest::sha256(format!("{i}").as_bytes());
            let has = |index: &usize| Shard { index: *index as u32, count: 7 }.has_blob(&digest);
            let of: Vec<usize> = (0..7).filter(has).collect();
            assert_eq!(of.len(), 1);
            counts[of[0]] += 1;
        }
        assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
    }

    #[test]
    fn the_oldest_are_taken_first() {
        let mut ages = Ages::default();
        for (at, size) in [(0, 10), (0, 10), (5, 100), (9, 1000)] {
            ages.add(at, size);
        }
        let of = |sample| ages.oldest(sample).map(|oldest| (oldest.before, oldest.more));
        assert_eq!(of(Sample::Share(2500)), Some((0, 1)));
        assert_eq!(of(Sample::Share(5000)), Some((0, 2)));
        assert_eq!(of(Sample::Share(7500)), Some((5, 1)));
        assert_eq!(of(Sample::Bytes(25)), Some((5, 5)));
        assert_eq!(of(Sample::Bytes(1 << 30)), Some((u64::MAX, 0)));
    }
}
