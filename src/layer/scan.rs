//! One layer, entry by entry, as its decompressed bytes pass.

use std::io;
use std::sync::Arc;

use bstr::{BString, ByteSlice};

use super::climb::Climbs;
use super::contents::Collected;
use super::evidence::{self, Detail, Evidence, Oddities, Oddity, PATH_KEPT};
use super::facts::{LayerFacts, Roots, name};
use super::magic;
use super::names::{NameLog, Names};
use super::own::{self, SHIFT, tag};
use super::table::{Builder, Record, Spool, Table};
use super::trail;
use crate::limits::Limits;
use crate::tar::{self, Anomaly, Entry, Event, Feed, Kind, Sparse, clean};

/// Directories above one entry that are looked at. Linux takes paths of 4096 bytes, of which a hostile one can make
/// two thousand directories; none that a tool wrote has more than some dozens.
const DEPTH: usize = 256;
/// The longest path and the longest name that Linux takes (`PATH_MAX`, `NAME_MAX`).
const PATH_MAX: usize = 4096;
const NAME_MAX: usize = 255;
/// Times that ext4 can hold: from 1901 to 2446.
const TIMES: std::ops::RangeInclusive<i64> = -0x8000_0000..=0x3_7fff_ffff;
/// Owners that Linux can hold; the highest number means none.
const OWNERS: std::ops::RangeInclusive<i64> = 0..=0xffff_fffe;

/// The scan of a layer; [`push`](LayerScan::push) its bytes, then [`finish`](LayerScan::finish).
pub struct LayerScan {
    /// The first bytes: what is no tar shows in them what it is.
    first: Vec<u8>,
    feed: Feed,
    entries: Entries,
}

pub(super) struct Entries {
    spool: Arc<Spool>,
    limit: u64,
    /// Records that may still be made.
    paths: u64,
    entries: u64,
    odd: Oddities,
    roots: Roots,
    records: Builder,
    names: NameLog,
    /// The directory of the entry before.
    directory: Vec<u8>,
    climbs: Climbs,
    contents: Collected,
    trail: Option<trail::Log>,
    /// The spool failed.
    failed: Option<io::Error>,
}

impl LayerScan {
    /// Before the first byte.
    pub fn new(limits: &Limits, spool: &Arc<Spool>) -> LayerScan {
        let feed = Feed::new(tar::Limits::from(limits));
        LayerScan { first: Vec::new(), feed, entries: Entries::new(limits, spool) }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let wanted = magic::LONGEST.saturating_sub(self.first.len()).min(bytes.len());
        self.first.extend_from_slice(&bytes[..wanted]);
        if self.entries.failed.is_none() {
            self.feed.feed(bytes, &mut |event| self.entries.event(&event));
        }
    }

    /// The layer has ended.
    ///
    /// # Errors
    ///
    /// The file for what does not fit into memory cannot be written or read.
    pub fn finish(self) -> io::Result<LayerFacts> {
        let LayerScan { first, feed, mut entries } = self;
        feed.finish(&mut |event| entries.event(&event));
        if let Some(error) = entries.failed.take() {
            return Err(error);
        }
        let trail = entries.trail.take().map(trail::Log::finish).transpose()?.map(Box::new);
        let (spool, roots) = (Arc::clone(&entries.spool), entries.roots);
        let contents = std::mem::replace(&mut entries.contents, Collected::new(&spool));
        let (entries, mut odd, (has, asks, names)) = entries.tables()?;
        name(&names, &mut odd)?;
        odd.settle();
        if let Some(what) = magic::name(&first).filter(|_| entries == 0) {
            odd.is_no_tar(what);
        }
        let (contents, is_laid) = (contents.finish().map(Box::new), true);
        Ok(LayerFacts { entries, odd, roots, contents, trail, is_laid, has, asks, names, spool })
    }
}

impl Entries {
    /// Before the first one.
    pub(super) fn new(limits: &Limits, spool: &Arc<Spool>) -> Entries {
        Entries {
            spool: Arc::clone(spool),
            limit: limits.entries,
            paths: limits.layer_paths,
            entries: 0,
            odd: Oddities::default(),
            roots: Roots::default(),
            records: Builder::new(Arc::clone(spool)),
            names: NameLog::new(Arc::clone(spool)),
            directory: Vec::new(),
            climbs: Climbs::default(),
            contents: Collected::new(spool),
            trail: trail::Log::new(spool),
            failed: None,
        }
    }

    /// What the layer has, what it asks of lower ones, and its names, judged against each other.
    pub(super) fn tables(mut self) -> io::Result<(u64, Oddities, (Table, Table, Names))> {
        self.climb()?;
        let (has, asks) = own::judge(self.records, &self.spool, &mut self.odd)?;
        Ok((self.entries, self.odd, (has, asks, self.names.finish()?)))
    }

    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Entry(entry) => self.entry(entry),
            Event::Data(_) => {}
            Event::Anomaly(anomaly) if evidence::is_of_entry(anomaly) => {}
            Event::Anomaly(anomaly) => self.anomaly(anomaly, b""),
        }
    }

    fn anomaly(&mut self, anomaly: &Anomaly, path: &[u8]) {
        if let Some((oddity, detail)) = evidence::of_anomaly(anomaly.kind) {
            self.note(oddity, anomaly.offset, path, || detail);
        }
    }

    fn note(&mut self, oddity: Oddity, offset: u64, path: &[u8], detail: impl FnOnce() -> Detail) {
        self.odd.note(oddity, (offset, 0), || Evidence {
            offset,
            path: BString::from(&path[..path.len().min(PATH_KEPT)]),
            detail: detail(),
        });
    }

    fn entry(&mut self, entry: &Entry<'_>) {
        let at = entry.header_offset;
        for anomaly in entry.anomalies.iter().filter(|anomaly| evidence::is_of_entry(anomaly)) {
            let at = Anomaly { offset: at, kind: anomaly.kind };
            self.anomaly(&at, entry.path);
        }
        if entry.kind == Kind::Global {
            return;
        }
        if self.entries >= self.limit {
            let limit = self.limit;
            self.note(Oddity::TooManyEntries, at, entry.path, || Detail::Size(limit));
            return;
        }
        self.entries += 1;
        self.attributes(entry);
        if let Err(error) = self.path(entry) {
            self.failed.get_or_insert(error);
        }
    }

    /// What an entry says of itself, its place apart.
    fn attributes(&mut self, entry: &Entry<'_>) {
        let (at, path) = (entry.header_offset, entry.path);
        let nothing = || Detail::Nothing;
        match entry.kind {
            Kind::Sparse(Sparse::OldGnu) => self.note(Oddity::GnuSparse, at, path, nothing),
            Kind::Sparse(_) => self.note(Oddity::Sparse, at, path, nothing),
            Kind::CharDevice if (entry.dev_major, entry.dev_minor) == (Some(0), Some(0)) => {
                self.note(Oddity::OverlayWhiteout, at, path, nothing);
            }
            Kind::CharDevice | Kind::BlockDevice => self.note(Oddity::Device, at, path, nothing),
            _ => {}
        }
        let mode = entry.mode.unwrap_or_default();
        if mode & 0o6000 != 0 && matches!(entry.kind, Kind::Regular | Kind::Sparse(_)) {
            self.note(Oddity::SetId, at, path, || Detail::Number(i64::from(mode & 0o7777)));
        }
        for owner in [entry.uid, entry.gid].into_iter().flatten() {
            if !OWNERS.contains(&owner) {
                self.note(Oddity::OwnerOutOfRange, at, path, || Detail::Number(owner));
            }
        }
        if let Some(time) = entry.mtime.filter(|time| !TIMES.contains(time)) {
            self.note(Oddity::TimeOutOfRange, at, path, || Detail::Number(time));
        }
        if let Some(name) = [entry.uname, entry.gname].into_iter().find(|name| !name.is_empty()) {
            self.note(Oddity::OwnerName, at, path, || Detail::Text(cut(name)));
        }
        if entry.pax.is_empty() {
            return;
        }
        for (key, value) in entry.pax_records().flatten() {
            let Some(name) = key.strip_prefix(b"SCHILY.xattr.") else { continue };
            let oddity = match name {
                // Go takes an attribute without a value for none.
                b"security.capability" if value.is_empty() => continue,
                b"security.capability" if !is_capability(value) => {
                    let size = value.len() as u64;
                    self.note(Oddity::BadCapability, at, path, || Detail::Size(size));
                    continue;
                }
                b"security.capability" => Oddity::Capability,
                _ if name.starts_with(b"security.") => Oddity::SecurityXattr,
                _ if name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.") => {
                    Oddity::OverlayXattr
                }
                _ => continue,
            };
            self.note(oddity, at, path, || Detail::Text(cut(name)));
        }
    }

    /// Where an entry stands, and what it points at.
    pub(super) fn path(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        let at = entry.header_offset;
        if let Some(trail) = &mut self.trail
            && !trail.push(entry)?
        {
            self.trail = None;
            self.not_judged(at, entry.path, "its layer has more paths than are kept to lay it on others");
        }
        let cleaned = clean(entry.path);
        if cleaned.absolute {
            self.note(Oddity::AbsoluteName, at, entry.path, || Detail::Nothing);
        }
        if cleaned.escapes {
            self.note(Oddity::EscapingName, at, entry.path, || Detail::Nothing);
        }
        let path = cleaned.path.as_bytes();
        if path.to_str().is_err() {
            self.note(Oddity::NotUtf8, at, entry.path, || Detail::Nothing);
        }
        if path.len() > PATH_MAX || (path.len() > NAME_MAX && path.split_str("/").any(|p| p.len() > NAME_MAX))
        {
            self.note(Oddity::LongPath, at, entry.path, || Detail::Size(path.len() as u64));
        }
        let split = path.rfind_byte(b'/');
        let directory = split.map_or(&b""[..], |slash| &path[..slash]);
        let base = split.map_or(path, |slash| &path[slash + 1..]);
        // A whiteout does not make the directories above it.
        let hides = base.strip_prefix(b".wh.").filter(|hidden| !is_aufs(hidden));
        if hides.is_none() {
            self.above(directory, at)?;
        } else {
            self.above_whiteout(directory, at)?;
        }
        if path.is_empty() && entry.kind != Kind::Directory {
            self.note(Oddity::EmptyName, at, entry.path, || Detail::Nothing);
        }
        match base.strip_prefix(b".wh.") {
            Some(b".wh..opq") => {
                self.whiteout_file(entry);
                self.names.push(at, entry.path)?;
                self.contents.opaque(&self.spool, directory);
                self.record(directory, at, tag::OPAQUE)
            }
            Some(hidden) if is_aufs(hidden) => {
                self.note(Oddity::Aufs, at, entry.path, || Detail::Nothing);
                self.ordinary(entry, directory, path)
            }
            Some(b"" | b"." | b"..") => {
                self.note(Oddity::WhiteoutBadName, at, entry.path, || Detail::Nothing);
                Ok(())
            }
            Some(hidden) => {
                self.whiteout_file(entry);
                self.names.push(at, entry.path)?;
                self.record(directory, at, tag::HAS_WHITEOUT)?;
                let mut target = directory.to_vec();
                if !directory.is_empty() {
                    target.push(b'/');
                }
                target.extend_from_slice(hidden);
                self.contents.whiteout(&self.spool, &target);
                self.record(&target, at, tag::WHITEOUT)
            }
            None => {
                self.root(path);
                self.ordinary(entry, directory, path)
            }
        }
    }

    fn whiteout_file(&mut self, entry: &Entry<'_>) {
        if entry.kind != Kind::Regular || entry.size != 0 {
            let detail = || Detail::Size(entry.size);
            self.note(Oddity::WhiteoutNotEmpty, entry.header_offset, entry.path, detail);
        }
    }

    /// An entry that is no whiteout.
    fn ordinary(&mut self, entry: &Entry<'_>, directory: &[u8], path: &[u8]) -> io::Result<()> {
        let at = entry.header_offset;
        let kind = match entry.kind {
            Kind::Directory => tag::DIRECTORY,
            Kind::Symlink => {
                let escapes = self.symlink(entry, directory, path);
                if escapes { tag::ESCAPING_LINK } else { tag::LINK }
            }
            _ => tag::FILE,
        };
        if entry.kind == Kind::Hardlink {
            let target = clean(entry.link);
            let name = [entry.path, b"\0", entry.link].concat();
            self.names.push(at, &name)?;
            self.hard_link(entry, &target, path)?;
        } else {
            self.names.push(at, entry.path)?;
        }
        self.contents.entry(&self.spool, path, entry);
        self.record(path, at, kind)?;
        self.folded(path, at)
    }

    fn hard_link(&mut self, entry: &Entry<'_>, target: &tar::Cleaned<'_>, path: &[u8]) -> io::Result<()> {
        let at = entry.header_offset;
        let link = || Detail::Text(cut(entry.link));
        if target.absolute {
            self.note(Oddity::AbsoluteHardLink, at, entry.path, link);
        }
        if target.escapes {
            self.note(Oddity::EscapingHardLink, at, entry.path, link);
            return Ok(());
        }
        let target = target.path.as_bytes();
        if target == path {
            self.note(Oddity::HardLinkTargetMissing, at, entry.path, link);
            return Ok(());
        }
        self.record(target, at, tag::TARGET)?;
        // The root is above everything.
        self.record(b"", at, tag::ABOVE_TARGET)?;
        for (slash, _) in target.iter().enumerate().filter(|(_, b)| **b == b'/').take(DEPTH) {
            self.record(&target[..slash], at, tag::ABOVE_TARGET)?;
        }
        Ok(())
    }

    /// Whether a symbolic link climbs above the root by its target alone.
    fn symlink(&mut self, entry: &Entry<'_>, directory: &[u8], path: &[u8]) -> bool {
        let at = entry.header_offset;
        let link = || Detail::Text(cut(entry.link));
        let absolute = entry.link.starts_with(b"/");
        // Most targets do not climb at all.
        let up = entry.link.starts_with(b"..") || entry.link.contains_str("/..");
        let escapes = up && {
            let whole = if absolute { entry.link.to_vec() } else { [directory, b"/", entry.link].concat() };
            clean(whole.strip_prefix(b"/").unwrap_or(&whole)).escapes
        };
        if escapes {
            self.note(Oddity::EscapingSymlink, at, entry.path, link);
        } else {
            if absolute {
                self.note(Oddity::AbsoluteSymlink, at, entry.path, link);
            }
        }
        self.climbs.take(at, path, entry.link, escapes);
        escapes
    }

    /// Symbolic links that climb above the root by way of other links of the layer.
    fn climb(&mut self) -> io::Result<()> {
        let climbs = std::mem::take(&mut self.climbs);
        climbs.leads(|offset, place| self.record(place, offset, tag::LEADS))?;
        let found = climbs.finish();
        if let Some((offset, path, why)) = found.undecided {
            self.not_judged(offset, &path, why);
        }
        for link in found.climbing {
            let detail = || Detail::Text(cut(&link.link));
            self.note(Oddity::EscapingSymlink, link.offset, &link.path, detail);
            self.record(&link.path, link.offset, tag::CLIMBING)?;
        }
        Ok(())
    }

    /// The directories above an entry, unless the entry before had them too.
    fn above(&mut self, directory: &[u8], at: u64) -> io::Result<()> {
        if directory == self.directory {
            return Ok(());
        }
        let same = directory.iter().zip(&self.directory).take_while(|(a, b)| a == b).count();
        // Whole names only: `a/b` and `a/bc` share `a`.
        let ends = |path: &[u8]| path.len() == same || path.get(same) == Some(&b'/');
        let shared = if ends(directory) && ends(&self.directory) {
            same
        } else {
            directory[..same].rfind_byte(b'/').unwrap_or(0)
        };
        let mut ends = directory.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(slash, _)| slash);
        // Those nearest to the root first: a link among them concerns all that is below.
        let mut seen = 0;
        for end in ends.by_ref().take(DEPTH).chain([directory.len()]) {
            if end > shared {
                let length = (end as u64) << SHIFT;
                self.record(&directory[..end], at, tag::ABOVE | length)?;
            }
            seen = end;
        }
        if ends.next().is_some() {
            self.not_judged(at, directory, "it lies below more directories than are compared");
        }
        self.directory.clear();
        self.directory.extend_from_slice(&directory[..seen]);
        Ok(())
    }

    /// The directories above a whiteout, the root too.
    fn above_whiteout(&mut self, directory: &[u8], at: u64) -> io::Result<()> {
        let mut ends = directory.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(slash, _)| slash);
        let root = (!directory.is_empty()).then_some(0);
        for end in root.into_iter().chain(ends.by_ref().take(DEPTH)).chain([directory.len()]) {
            let direct = u64::from(end == directory.len());
            let aux = tag::ABOVE_WHITEOUT | ((end as u64) << 1 | direct) << SHIFT;
            self.record(&directory[..end], at, aux)?;
        }
        if ends.next().is_some() {
            self.not_judged(at, directory, "it lies below more directories than are compared");
        }
        Ok(())
    }

    /// The same path where case and Unicode form do not count, if that is another one.
    fn folded(&mut self, path: &[u8], at: u64) -> io::Result<()> {
        let folded: Vec<u8> = match path.to_str() {
            Ok(text) if !text.is_ascii() => {
                let lower = text.to_lowercase();
                unicode_normalization::UnicodeNormalization::nfc(lower.as_str())
                    .collect::<String>()
                    .into_bytes()
            }
            _ if path.iter().any(u8::is_ascii_uppercase) => path.to_ascii_lowercase(),
            _ => return Ok(()),
        };
        if folded == path {
            return Ok(());
        }
        let own = self.spool.hash(path) as u32;
        self.record(&folded, at, tag::FOLDED | u64::from(own) << 32)
    }

    fn root(&mut self, path: &[u8]) {
        let end = path.find_byte(b'/').unwrap_or(path.len());
        match &path[..end] {
            b"" => {}
            b"Files" | b"Hives" | b"UtilityVM" => self.roots.windows = true,
            _ => self.roots.other = true,
        }
    }

    fn not_judged(&mut self, at: u64, path: &[u8], why: &str) {
        self.note(Oddity::NotJudged, at, path, || Detail::Text(why.into()));
    }

    fn record(&mut self, path: &[u8], offset: u64, aux: u64) -> io::Result<()> {
        let Some(left) = self.paths.checked_sub(1) else {
            if self.odd.of(Oddity::NotJudged).is_none() {
                self.not_judged(offset, path, "its layer has more paths than the limit layer-paths");
            }
            return Ok(());
        };
        self.paths = left;
        let hash = self.spool.hash(path);
        self.records.push(Record { hash, offset, aux })
    }
}

/// Whether the kernel takes this value of `security.capability` (`vfs_cap_data`): its length is that of its revision.
fn is_capability(value: &[u8]) -> bool {
    let revision = value.first_chunk().map(|magic| u32::from_le_bytes(*magic) >> 24);
    matches!((revision, value.len()), (Some(2), 20) | (Some(3), 24))
}

/// What follows `.wh.` in the names of AUFS's own files.
fn is_aufs(hidden: &[u8]) -> bool {
    hidden.starts_with(b".wh.") && hidden != b".wh..opq"
}

/// As much of a text as is kept.
fn cut(text: &[u8]) -> BString {
    BString::from(&text[..text.len().min(PATH_KEPT)])
}
