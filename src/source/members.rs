//! The members of an archive, whatever holds them.

use std::borrow::Cow;

use bstr::{BStr, BString, ByteSlice};

use super::Wanted;
use super::name::MemberName;
use crate::location::MemberId;
use crate::tar;

/// One member.
#[derive(Debug, Clone)]
pub struct Member {
    /// Cleaned name (formats.md 0.5).
    pub(super) name: MemberName,
    /// Bytes of content.
    pub size: u64,
    /// Where its bytes are, as [`Bytes`](super::Bytes) takes it.
    pub(super) key: u64,
    words: Option<Box<Words>>,
    /// Which block of a tar its first header is.
    header: u32,
    sort: Sort,
}

/// What few members have. A registry has hundreds of thousands of members, so that each byte of one counts.
#[derive(Debug, Clone, Default)]
struct Words {
    /// The name as written, if cleaning changed more than a leading `./` or a trailing `/`.
    raw_name: Option<BString>,
    /// Where a link leads, as written.
    target: BString,
}

/// A [`MemberKind`] without its target.
#[derive(Debug, Clone, Copy)]
enum Sort {
    File,
    Directory,
    Symlink,
    Hardlink,
    Other(Special),
}

/// The kinds of members that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberKind<'m> {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symlink, with its target as written. In a folder: one that does not lead to a file inside it.
    Symlink(&'m BStr),
    /// A hard link, with its target as written.
    Hardlink(&'m BStr),
    /// Something that no format uses.
    Other(Special),
}

/// The kinds of members that no format uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// A character or block device.
    Device,
    /// A FIFO; in a folder, any file that is none of the others.
    Fifo,
    /// A file with holes, whose data is not its content.
    Sparse,
    /// A type flag that no container tool knows.
    Unknown(u8),
}

/// Why a link leads to no member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkFault {
    /// The target is absolute.
    Absolute,
    /// The target is outside the archive.
    Outside,
    /// Nothing is there.
    Nowhere,
    /// More links than are followed, or links in a circle.
    TooManyHops,
}

/// How readers differ in where a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathFault {
    /// It stands below another member that is no directory: a link, or something that takes the directory's place.
    Below(MemberId),
    /// Its name goes up by `..` and does not leave the archive.
    Parent,
    /// It is called by no name, or by that of the root, and is no directory.
    Root,
    /// It is a link that leads somewhere else, or nowhere, where it is followed step by step.
    Link,
}

/// Something odd about the archive as a container of members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeAnomaly {
    /// About the tar itself.
    Tar(tar::Anomaly),
    /// Two members with one cleaned name; readers differ in which they take.
    Duplicate {
        /// The first one, which restow takes.
        first: MemberId,
        /// A later one.
        again: MemberId,
    },
    /// Who extracts the archive finds the member elsewhere than who looks its name up.
    Ambiguous {
        /// The member.
        member: MemberId,
        /// How.
        fault: PathFault,
    },
    /// The archive begins like a compressed stream and like a tar: readers take it for either.
    Polyglot {
        /// The compression that it begins like.
        codec: crate::media::Codec,
    },
    /// The compression around the whole archive breaks off or is corrupt; what came before it was read.
    OuterStream {
        /// What the decoder said.
        problem: String,
    },
    /// Bytes follow the compressed stream around the whole archive.
    AfterStream(crate::codec::Trailing),
    /// More would be spooled, or read of a stream, than a limit allows; the rest was not read.
    SpoolTooLarge {
        /// The limit's name.
        name: &'static str,
        /// The limit.
        limit: u64,
    },
    /// More members than the limit; the rest was not read.
    TooManyMembers {
        /// The limit.
        limit: u64,
    },
}

impl Member {
    /// Its cleaned name (formats.md 0.5).
    pub fn name(&self) -> Cow<'_, BStr> {
        self.name.text()
    }

    /// The same, as lists of members keep it.
    pub fn kept_name(&self) -> &MemberName {
        &self.name
    }

    /// The name as written, if cleaning changed more than a leading `./` or a trailing `/`.
    pub fn raw_name(&self) -> Option<&BStr> {
        Some(self.words.as_ref()?.raw_name.as_ref()?.as_bstr())
    }

    /// What it is.
    pub fn kind(&self) -> MemberKind<'_> {
        let target = || self.words.as_ref().map_or(BStr::new(b""), |words| words.target.as_bstr());
        match self.sort {
            Sort::File => MemberKind::File,
            Sort::Directory => MemberKind::Directory,
            Sort::Symlink => MemberKind::Symlink(target()),
            Sort::Hardlink => MemberKind::Hardlink(target()),
            Sort::Other(special) => MemberKind::Other(special),
        }
    }

    /// Offset of its first header in a tar; 0 in a folder.
    pub fn header_offset(&self) -> u64 {
        u64::from(self.header) * tar::BLOCK as u64
    }

    /// Calls it otherwise; nobody wrote that name.
    pub(super) fn rename(&mut self, name: MemberName) {
        self.name = name;
        if let Some(words) = &mut self.words {
            words.raw_name = None;
        }
    }

    /// Lets a hard link lead elsewhere.
    pub(super) fn relink(&mut self, target: Vec<u8>) {
        if let Some(words) = &mut self.words {
            words.target = target.into();
        }
    }

    pub(super) fn at_path(
        name: MemberName,
        kind: MemberKind<'_>,
        meta: Option<&cap_std::fs::Metadata>,
    ) -> Member {
        use cap_std::fs::MetadataExt as _;
        let (size, modified) = meta.map_or((0, 0), |m| (m.len(), nanoseconds(m.mtime(), m.mtime_nsec())));
        Member::of_kind(name, kind, size, modified as u64)
    }

    /// A regular file that is listed and not read yet.
    pub(super) fn listed(name: MemberName, size: u64, key: u64) -> Member {
        Member::of_kind(name, MemberKind::File, size, key)
    }

    pub(super) fn of_kind(name: MemberName, kind: MemberKind<'_>, size: u64, key: u64) -> Member {
        let (sort, target) = match kind {
            MemberKind::File => (Sort::File, None),
            MemberKind::Directory => (Sort::Directory, None),
            MemberKind::Symlink(target) => (Sort::Symlink, Some(target)),
            MemberKind::Hardlink(target) => (Sort::Hardlink, Some(target)),
            MemberKind::Other(special) => (Sort::Other(special), None),
        };
        let words = target.map(|target| Box::new(Words { raw_name: None, target: target.to_owned() }));
        Member { name, size, key, words, header: 0, sort }
    }

    /// One of a folder that somebody else listed.
    pub fn in_list(name: MemberName, kind: MemberKind<'_>, size: u64) -> Member {
        Member::of_kind(name, kind, size, 0)
    }

    /// Places a spooled member.
    pub(super) fn spooled_at(&mut self, key: u64) {
        self.key = key;
    }

    pub(super) fn wanted(&self) -> Wanted<'_> {
        Wanted { name: &self.name, size: self.size, key: self.key }
    }

    /// What a tar entry is as a member of an archive; `None` for a global header and for the root directory.
    pub(super) fn of_entry(entry: &tar::Entry<'_>) -> Option<Member> {
        let kind = match entry.kind {
            tar::Kind::Regular => MemberKind::File,
            tar::Kind::Directory => MemberKind::Directory,
            tar::Kind::Symlink => MemberKind::Symlink(entry.link.as_bstr()),
            tar::Kind::Hardlink => MemberKind::Hardlink(entry.link.as_bstr()),
            tar::Kind::Global => return None,
            tar::Kind::CharDevice | tar::Kind::BlockDevice => MemberKind::Other(Special::Device),
            tar::Kind::Fifo => MemberKind::Other(Special::Fifo),
            tar::Kind::Sparse(_) => MemberKind::Other(Special::Sparse),
            tar::Kind::Unknown(flag) => MemberKind::Other(Special::Unknown(flag)),
        };
        let cleaned = tar::clean(entry.path);
        if cleaned.path.is_empty() && kind == MemberKind::Directory {
            return None;
        }
        let plain = entry.path.strip_prefix(b"./").unwrap_or(entry.path);
        let plain = plain.strip_suffix(b"/").unwrap_or(plain);
        let name = MemberName::from(cleaned.path.as_bytes());
        let mut member = Member::of_kind(name, kind, entry.size, entry.data_offset);
        // Nobody reads a header by it: it is shown, and no tar that anybody stores is larger than 2 TiB.
        member.header = u32::try_from(entry.header_offset / tar::BLOCK as u64).unwrap_or(u32::MAX);
        if plain != cleaned.path.as_ref() {
            member.words.get_or_insert_default().raw_name = Some(BString::from(entry.path));
        }
        Some(member)
    }
}

pub(super) fn nanoseconds(seconds: i64, more: i64) -> i64 {
    seconds.wrapping_mul(1_000_000_000).wrapping_add(more)
}

/// Shows a member's name as written, for messages.
pub fn shown(member: &Member) -> Cow<'_, BStr> {
    member.raw_name().map_or_else(|| member.name(), Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_stays_small() {
        assert!(size_of::<Member>() <= 72, "{}", size_of::<Member>());
    }
}
