//! What was odd about entries: the first few of each kind, and how many there are.
//!
//! Long because it is the list of what can be odd, each with what its rule needs, and how little of it is kept.

use bstr::BString;
use serde::{Deserialize, Serialize};

use crate::tar::{Anomaly, AnomalyKind, Extension, Field, PaxFault};

/// Places kept of each kind in each layer. More of one kind say nothing new, and a hostile layer has millions.
pub const KEPT: usize = 16;

/// What can be odd, with its entry in formats.md H.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Oddity {
    /// A header's checksum is wrong; nothing after it could be read (159).
    BadHeader,
    /// The tar ends inside an entry (159).
    Truncated,
    /// A block of zeros between entries (159).
    LoneZeroBlock,
    /// The end blocks, or padding before them, are missing (6).
    NoEnd,
    /// Data behind the end blocks (188).
    HiddenData,
    /// Entries behind the end blocks (188).
    HiddenEntries,
    /// A PAX header or long name that Go's reader refuses (179).
    BadExtension,
    /// An extension header larger than the limit (243).
    ExtensionTooLarge,
    /// Extension headers about which readers disagree (179).
    AmbiguousExtension,
    /// A PAX global header that would change names or sizes (14).
    GlobalOverride,
    /// A numeric field that is no number (159).
    BadNumber,
    /// A type flag that no tool knows (177).
    UnknownType,
    /// A sparse file (178).
    Sparse,
    /// A sparse file in GNU's old form (178).
    GnuSparse,
    /// A directory, link or device with a size (180).
    SizeOnNonFile,
    /// An owner that no file system can hold (181).
    OwnerOutOfRange,
    /// A time that no file system can hold (181).
    TimeOutOfRange,
    /// More entries than the limit; the rest was not looked at (244).
    TooManyEntries,
    /// A path that begins with `/` (161).
    AbsoluteName,
    /// A path that climbs above the root (162).
    EscapingName,
    /// An entry that is the root by its name and no directory (183).
    EmptyName,
    /// A hard link whose target climbs above the root (166).
    EscapingHardLink,
    /// A hard link with an absolute target (166).
    AbsoluteHardLink,
    /// A symbolic link whose target climbs above the root (167).
    EscapingSymlink,
    /// A symbolic link with an absolute target (167).
    AbsoluteSymlink,
    /// A path that is not UTF-8 (183).
    NotUtf8,
    /// A path or a part of one that is longer than file systems take (183).
    LongPath,
    /// A device (176).
    Device,
    /// A file that runs as its owner or group (176).
    SetId,
    /// File capabilities (176).
    Capability,
    /// File capabilities that no kernel takes (176).
    BadCapability,
    /// Another extended attribute in `security.` (189).
    SecurityXattr,
    /// A character device 0/0: a whiteout of overlay file systems (175).
    OverlayWhiteout,
    /// An extended attribute of overlay file systems (175).
    OverlayXattr,
    /// A user or group name (182).
    OwnerName,
    /// A whiteout that is no empty regular file (168).
    WhiteoutNotEmpty,
    /// A whiteout of nothing, of `.` or of `..` (169).
    WhiteoutBadName,
    /// Metadata of AUFS (174).
    Aufs,
    /// A path that stands twice (160).
    DuplicatePath,
    /// An entry below a symbolic link that climbs above the root (163).
    BelowEscapingLink,
    /// An entry below another symbolic link of the layer, which leads to no directory of the layer (163).
    BelowLink,
    /// The same, where the link leads to one (163).
    BelowResolvedLink,
    /// An entry below a file (164).
    BelowFile,
    /// A directory after what is in it (186).
    ParentAfterChild,
    /// A whiteout of a path that the same layer holds (170).
    WhiteoutOfOwnPath,
    /// A whiteout below what the same layer whites out (170).
    WhiteoutBelowWhiteout,
    /// A whiteout below a file (164).
    WhiteoutBelowFile,
    /// A whiteout beside an opaque one (173).
    RedundantWhiteout,
    /// Paths that differ in letter case only (184).
    CaseCollision,
    /// A hard link to a directory (165).
    HardLinkToDirectory,
    /// A hard link to nothing (165).
    HardLinkTargetMissing,
    /// A hard link to what is nowhere by its name, but may be where a symbolic link on the way leads (165).
    HardLinkThroughLink,
    /// A hard link to a file of a lower layer (165).
    HardLinkToLower,
    /// A directory that neither this layer nor a lower one has (185).
    ParentMissing,
    /// A whiteout of what no lower layer has (171).
    UselessWhiteout,
    /// A whiteout in the lowest layer (172).
    WhiteoutInBase,
    /// A whiteout before a directory of the same path that a lower layer has, too (170).
    WhiteoutBeforeDirectory,
    /// A whiteout below a directory that a lower layer took away (171).
    WhiteoutBelowRemoved,
    /// A whiteout below a file of a lower layer (164).
    WhiteoutBelowLowerFile,
    /// A whiteout below a symbolic link of a lower layer (163).
    WhiteoutBelowLowerLink,
    /// An entry below a file of a lower layer (164).
    BelowLowerFile,
    /// An entry below a symbolic link of a lower layer (163).
    BelowLowerLink,
    /// The same, where the link climbs above the root (163).
    BelowLowerEscapingLink,
    /// Something could not be judged within the limits (244); the detail says what.
    NotJudged,
}

/// All of them.
const KINDS_IN_ORDER: [Oddity; KINDS] = [
    Oddity::BadHeader,
    Oddity::Truncated,
    Oddity::LoneZeroBlock,
    Oddity::NoEnd,
    Oddity::HiddenData,
    Oddity::HiddenEntries,
    Oddity::BadExtension,
    Oddity::ExtensionTooLarge,
    Oddity::AmbiguousExtension,
    Oddity::GlobalOverride,
    Oddity::BadNumber,
    Oddity::UnknownType,
    Oddity::Sparse,
    Oddity::GnuSparse,
    Oddity::SizeOnNonFile,
    Oddity::OwnerOutOfRange,
    Oddity::TimeOutOfRange,
    Oddity::TooManyEntries,
    Oddity::AbsoluteName,
    Oddity::EscapingName,
    Oddity::EmptyName,
    Oddity::EscapingHardLink,
    Oddity::AbsoluteHardLink,
    Oddity::EscapingSymlink,
    Oddity::AbsoluteSymlink,
    Oddity::NotUtf8,
    Oddity::LongPath,
    Oddity::Device,
    Oddity::SetId,
    Oddity::Capability,
    Oddity::BadCapability,
    Oddity::SecurityXattr,
    Oddity::OverlayWhiteout,
    Oddity::OverlayXattr,
    Oddity::OwnerName,
    Oddity::WhiteoutNotEmpty,
    Oddity::WhiteoutBadName,
    Oddity::Aufs,
    Oddity::DuplicatePath,
    Oddity::BelowEscapingLink,
    Oddity::BelowLink,
    Oddity::BelowResolvedLink,
    Oddity::BelowFile,
    Oddity::ParentAfterChild,
    Oddity::WhiteoutOfOwnPath,
    Oddity::WhiteoutBelowWhiteout,
    Oddity::WhiteoutBelowFile,
    Oddity::RedundantWhiteout,
    Oddity::CaseCollision,
    Oddity::HardLinkToDirectory,
    Oddity::HardLinkTargetMissing,
    Oddity::HardLinkThroughLink,
    Oddity::HardLinkToLower,
    Oddity::ParentMissing,
    Oddity::UselessWhiteout,
    Oddity::WhiteoutInBase,
    Oddity::WhiteoutBeforeDirectory,
    Oddity::WhiteoutBelowRemoved,
    Oddity::WhiteoutBelowLowerFile,
    Oddity::WhiteoutBelowLowerLink,
    Oddity::BelowLowerFile,
    Oddity::BelowLowerLink,
    Oddity::BelowLowerEscapingLink,
    Oddity::NotJudged,
];

/// How many kinds there are.
const KINDS: usize = Oddity::NotJudged as usize + 1;

/// Bytes of paths and texts that are kept of one layer. Beyond them each kind keeps its first place alone, cut short: a
/// hostile archive has thousands of layers, each with everything wrong under the longest names.
const TEXT: usize = 32 << 10;
/// What is kept of a text then.
const CUT: usize = 64;

/// One place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Offset of the entry's first header in the decompressed tar, or of the odd bytes where there is no entry.
    pub offset: u64,
    /// Path as written, at most [`PATH_KEPT`] bytes of it; empty where there is no entry.
    #[serde(default, skip_serializing_if = "is_empty", with = "super::kept::text")]
    pub path: BString,
    /// What more there is to say.
    pub detail: Detail,
}

impl Evidence {
    /// What orders the places of one entry.
    fn second(&self) -> u64 {
        match self.detail {
            Detail::Other { offset, .. } | Detail::Above { len: offset } => offset,
            _ => 0,
        }
    }

    fn text(&self) -> usize {
        self.path.len()
            + match &self.detail {
                Detail::Text(text) | Detail::Other { path: text, .. } => text.len(),
                _ => 0,
            }
    }

    fn cut(&mut self) {
        self.path.truncate(CUT);
        if let Detail::Text(text) | Detail::Other { path: text, .. } = &mut self.detail {
            text.truncate(CUT);
        }
    }
}

/// Bytes of a path that are kept for reports.
pub const PATH_KEPT: usize = 1024;

/// What more there is to say of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Detail {
    /// Nothing.
    Nothing,
    /// A link's target, or the name of an attribute.
    Text(#[serde(with = "super::kept::text")] BString),
    /// A number, such as an owner or a time.
    Number(i64),
    /// Bytes, such as of a whiteout or behind the end; or a limit.
    Size(u64),
    /// The type flag.
    Type(u8),
    /// Bytes that are needed, and those that are there.
    Short {
        /// Needed.
        needed: u64,
        /// There.
        have: u64,
    },
    /// What the scanner of tars saw.
    Tar(AnomalyKind),
    /// A directory above the entry, by the length of its cleaned path; becomes [`Detail::Text`] once the path is known.
    Above {
        /// Bytes of the directory's path.
        len: u64,
    },
    /// Another entry of the same layer.
    Other {
        /// Offset of its first header.
        offset: u64,
        /// Its path.
        #[serde(with = "super::kept::text")]
        path: BString,
    },
}

/// The places of one kind in a layer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// How many there are.
    pub total: u64,
    /// Those with the lowest offsets, in their order.
    pub first: Vec<Evidence>,
}

/// All that was odd about a layer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Oddities {
    seen: Vec<Seen>,
    /// Bytes of text that are kept.
    text: usize,
}

impl Serialize for Oddities {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kinds = KINDS_IN_ORDER.iter().filter_map(|kind| Some((kind, self.of(*kind)?)));
        serializer.collect_map(kinds)
    }
}

impl<'de> Deserialize<'de> for Oddities {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Oddities, D::Error> {
        let kinds = std::collections::BTreeMap::<Oddity, Seen>::deserialize(deserializer)?;
        let mut odd = Oddities::default();
        if !kinds.is_empty() {
            odd.seen.resize(KINDS, Seen::default());
        }
        for (kind, seen) in kinds {
            odd.text += seen.first.iter().map(Evidence::text).sum::<usize>();
            if let Some(slot) = odd.seen.get_mut(kind as usize) {
                *slot = seen;
            }
        }
        Ok(odd)
    }
}

fn is_empty(path: &BString) -> bool {
    path.is_empty()
}

impl Oddities {
    /// Notes a place. `evidence` is called only if it is to be kept. Places come in any order, and those that are kept do
    /// not depend on it: they are the lowest by `offset`, and by `second` among those of one entry.
    pub(super) fn note(
        &mut self,
        oddity: Oddity,
        (offset, second): (u64, u64),
        evidence: impl FnOnce() -> Evidence,
    ) {
        if self.seen.is_empty() {
            self.seen.resize(KINDS, Seen::default());
        }
        let Some(seen) = self.seen.get_mut(oddity as usize) else { return };
        seen.total += 1;
        let key = |held: &Evidence| (held.offset, held.second());
        if seen.first.len() == KEPT && seen.first.last().is_none_or(|last| key(last) <= (offset, second)) {
            return;
        }
        if self.text >= TEXT && !seen.first.is_empty() {
            return;
        }
        let mut evidence = evidence();
        if self.text >= TEXT {
            evidence.cut();
        }
        self.text += evidence.text();
        let at = seen.first.partition_point(|held| key(held) <= (offset, second));
        seen.first.insert(at, evidence);
        if seen.first.len() > KEPT {
            self.text -= seen.first.pop().map_or(0, |evidence| evidence.text());
        }
    }

    /// Keeps the places of one kind that hold at a second look. Those that were only counted are taken to be like the
    /// others: none is left if no place that was kept holds.
    pub(super) fn retain(&mut self, oddity: Oddity, holds: impl FnMut(&Evidence) -> bool) {
        if let Some(seen) = self.seen.get_mut(oddity as usize) {
            let before = seen.first.len();
            seen.first.retain(holds);
            seen.total -= (before - seen.first.len()) as u64;
            if seen.first.is_empty() {
                seen.total = 0;
            }
        }
    }

    /// Counts places beyond those that are kept.
    pub(super) fn count(&mut self, oddity: Oddity, more: u64) {
        if let Some(seen) = self.seen.get_mut(oddity as usize) {
            seen.total += more;
        }
    }

    /// The places of one kind.
    pub fn of(&self, oddity: Oddity) -> Option<&Seen> {
        self.seen.get(oddity as usize).filter(|seen| seen.total > 0)
    }

    /// Every piece of evidence, to have its paths filled in; [`settle`](Oddities::settle) then.
    pub(super) fn evidence_mut(&mut self) -> impl Iterator<Item = &mut Evidence> {
        self.seen.iter_mut().flat_map(|seen| &mut seen.first)
    }

    /// Bounds the texts that were filled in.
    pub(super) fn settle(&mut self) {
        let mut left = TEXT;
        for seen in &mut self.seen {
            let mut kept = 0;
            seen.first.retain_mut(|evidence| {
                if evidence.text() > left {
                    evidence.cut();
                }
                kept += 1;
                let fits = evidence.text() <= left || kept == 1;
                left = left.saturating_sub(if fits { evidence.text() } else { 0 });
                fits
            });
        }
    }

    /// Says what it is, in words, that is no tar.
    pub(super) fn is_no_tar(&mut self, what: &str) {
        let first = |evidence: &&mut Evidence| evidence.offset == 0 && evidence.path.is_empty();
        for evidence in self.evidence_mut().filter(first) {
            if matches!(evidence.detail, Detail::Short { .. } | Detail::Nothing) {
                evidence.detail = Detail::Text(what.into());
            }
        }
    }

    /// Whether nothing was odd.
    pub fn is_empty(&self) -> bool {
        self.seen.iter().all(|seen| seen.total == 0)
    }
}

/// What a fact of the tar scanner is here, and whether it belongs to an entry that is complete.
pub(super) fn of_anomaly(kind: AnomalyKind) -> Option<(Oddity, Detail)> {
    let tar = Detail::Tar(kind);
    Some(match kind {
        AnomalyKind::BadChecksum { .. } => (Oddity::BadHeader, Detail::Nothing),
        AnomalyKind::TruncatedHeader { have } => {
            (Oddity::Truncated, Detail::Short { needed: crate::tar::BLOCK as u64, have: u64::from(have) })
        }
        AnomalyKind::TruncatedData { needed, have } => (Oddity::Truncated, Detail::Short { needed, have }),
        AnomalyKind::LoneZeroBlock => (Oddity::LoneZeroBlock, Detail::Nothing),
        AnomalyKind::NoEndBlocks { .. } | AnomalyKind::NotPadded { .. } => (Oddity::NoEnd, tar),
        AnomalyKind::DataAfterEnd { bytes } => (Oddity::HiddenData, Detail::Size(bytes)),
        AnomalyKind::EntriesAfterEnd { bytes } => (Oddity::HiddenEntries, Detail::Size(bytes)),
        // Written there by every builder of eStargz.
        AnomalyKind::TocAfterEnd { .. } => return None,
        AnomalyKind::MalformedPax { fault: PaxFault::Duplicate | PaxFault::Empty }
        | AnomalyKind::SparseRecords
        | AnomalyKind::RepeatedExtension { .. }
        | AnomalyKind::DanglingExtension { .. }
        | AnomalyKind::ConflictingNames => (Oddity::AmbiguousExtension, tar),
        // A writer that cannot fit a large size into the header puts 0 there.
        AnomalyKind::PaxSizeOverride { header: 0, .. } => return None,
        AnomalyKind::PaxSizeOverride { .. } | AnomalyKind::SizeBehindNul { .. } => {
            (Oddity::AmbiguousExtension, tar)
        }
        AnomalyKind::MalformedPax { .. } | AnomalyKind::NulInPath => (Oddity::BadExtension, tar),
        AnomalyKind::ExtensionTooLarge { size, .. } => (Oddity::ExtensionTooLarge, Detail::Size(size)),
        AnomalyKind::GlobalPax { overrides: true } => (Oddity::GlobalOverride, Detail::Nothing),
        AnomalyKind::GlobalPax { overrides: false } => return None,
        // Layers are read by Go, and by what does as Go does; old versions of Docker wrote prefixes into GNU headers.
        AnomalyKind::FileNamedAsDirectory | AnomalyKind::ForeignPrefix => return None,
        AnomalyKind::BadNumber { .. } => (Oddity::BadNumber, tar),
        AnomalyKind::SizeOnNonFile { size } => (Oddity::SizeOnNonFile, Detail::Size(size)),
        AnomalyKind::UnknownType { typeflag } => (Oddity::UnknownType, Detail::Type(typeflag)),
    })
}

/// In words, for messages: what a fact of the tar scanner says.
pub fn in_words(kind: AnomalyKind) -> String {
    let extension = |extension: Extension| match extension {
        Extension::Pax => "PAX header",
        Extension::Global => "PAX global header",
        Extension::LongName => "GNU long name",
        Extension::LongLink => "GNU long link target",
    };
    match kind {
        AnomalyKind::NoEndBlocks { have: 0 } => "ends without its two blocks of zeros".into(),
        AnomalyKind::NoEndBlocks { .. } => "ends with one block of zeros where two are due".into(),
        AnomalyKind::NotPadded { missing } => {
            format!("ends {missing} bytes before the end of the last entry's padding")
        }
        AnomalyKind::RepeatedExtension { extension: of } => format!("has more than one {}", extension(of)),
        AnomalyKind::DanglingExtension { extension: of } => {
            format!("a {} with no entry after it", extension(of))
        }
        AnomalyKind::ConflictingNames => "has a PAX and a GNU header that give different names".into(),
        AnomalyKind::SizeBehindNul { size } => {
            format!("gives its size of {size} bytes behind a NUL, which some readers take for none")
        }
        AnomalyKind::PaxSizeOverride { pax, header } => {
            format!("is {pax} bytes by its PAX header and {header} by its own")
        }
        AnomalyKind::NulInPath => "has a NUL in a path or link target".into(),
        AnomalyKind::SparseRecords => "has PAX records of a sparse file, and is none".into(),
        AnomalyKind::BadNumber { field } => format!("has no number as its {}", field_name(field)),
        AnomalyKind::MalformedPax { fault } => match fault {
            PaxFault::Length => "has a PAX record whose length is not that of the record".into(),
            PaxFault::NoNewline => "has a PAX record without a line feed at its end".into(),
            PaxFault::Key => "has a PAX record without a key".into(),
            PaxFault::Number(field) => {
                format!("has a PAX record whose {} is no number", field_name(field))
            }
            PaxFault::NulInOwner => "has a PAX record with a NUL in an owner's name".into(),
            PaxFault::Duplicate => "has a PAX record that stands twice".into(),
            PaxFault::Empty => "has a PAX path, link target or size without a value".into(),
        },
        _ => format!("{kind:?}"),
    }
}

fn field_name(field: Field) -> &'static str {
    match field {
        Field::Mode => "mode",
        Field::Uid => "user ID",
        Field::Gid => "group ID",
        Field::Size => "size",
        Field::Mtime => "modification time",
        Field::DevMajor => "major device number",
        Field::DevMinor => "minor device number",
        Field::RealSize => "size with holes",
    }
}

/// Whether what the scanner saw belongs to the entry that it is about to report.
pub(super) fn is_of_entry(anomaly: &Anomaly) -> bool {
    use AnomalyKind as Seen;
    matches!(
        anomaly.kind,
        Seen::RepeatedExtension { .. }
            | Seen::ExtensionTooLarge { .. }
            | Seen::MalformedPax { .. }
            | Seen::PaxSizeOverride { .. }
            | Seen::SizeBehindNul { .. }
            | Seen::GlobalPax { .. }
            | Seen::ConflictingNames
            | Seen::BadNumber { .. }
            | Seen::SizeOnNonFile { .. }
            | Seen::NulInPath
            | Seen::SparseRecords
            | Seen::UnknownType { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_offsets_are_kept_whatever_the_order() {
        let mut odd = Oddities::default();
        assert!(odd.is_empty());
        for offset in (0..100).rev().chain(100..200) {
            let evidence = || Evidence { offset, path: "x".into(), detail: Detail::Nothing };
            odd.note(Oddity::Device, (offset, 0), evidence);
        }
        let seen = odd.of(Oddity::Device).expect("noted");
        let offsets: Vec<u64> = seen.first.iter().map(|evidence| evidence.offset).collect();
        assert_eq!((seen.total, offsets), (200, (0..16).collect()));
        assert_eq!(odd.of(Oddity::Sparse), None);
    }

    #[test]
    fn places_of_one_entry_are_kept_by_what_they_are_about() {
        let noted = |others: &mut dyn Iterator<Item = u64>| {
            let mut odd = Oddities::default();
            for offset in others {
                let detail = Detail::Other { offset, path: "".into() };
                let evidence = || Evidence { offset: 7, path: "".into(), detail };
                odd.note(Oddity::BelowLink, (7, offset), evidence);
            }
            odd
        };
        assert_eq!(noted(&mut (0..50)), noted(&mut (0..50).rev()));
    }

    #[test]
    fn texts_of_a_layer_are_bounded() {
        let mut odd = Oddities::default();
        for oddity in [Oddity::Device, Oddity::SetId, Oddity::Sparse] {
            for offset in 0..100 {
                let evidence =
                    || Evidence { offset, path: "x".repeat(PATH_KEPT).into(), detail: Detail::Nothing };
                odd.note(oddity, (offset, 0), evidence);
            }
        }
        assert!(odd.text <= TEXT + PATH_KEPT + 2 * CUT, "{}", odd.text);
        let last = odd.of(Oddity::Sparse).expect("noted");
        assert_eq!((last.total, last.first.len(), last.first[0].path.len()), (100, 1, CUT));
        odd.evidence_mut().for_each(|evidence| evidence.path = "y".repeat(PATH_KEPT).into());
        odd.settle();
        let text: usize = odd.evidence_mut().map(|evidence| evidence.text()).sum();
        assert!(text <= TEXT + CUT, "{text}");
        assert!(odd.of(Oddity::Sparse).is_some_and(|seen| seen.first.len() == 1));
    }
}
