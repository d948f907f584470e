//! The scanner: a state machine over the blocks of a tar, without I/O.
//!
//! A driver asks [`Scanner::want`] what comes next, hands it over ([`header`](Scanner::header),
//! [`extension`](Scanner::extension)) or steps over it ([`advance`](Scanner::advance)), and says where the input
//! ended ([`end`](Scanner::end)). After each call it takes the new [`anomalies`](Scanner::anomalies).
//!
//! Where readers disagree the scan does what Go's `archive/tar` does, since every loader of images uses it, except
//! that it names the fault and goes on where Go stops. An entry is lent ([`Entry`]); its buffers are used again for
//! the next one, so a layer of millions of entries allocates nothing after the first few.

use std::ops::Range;

use super::BLOCK;
use super::anomaly::{Anomaly, AnomalyKind, Extension, Field};
use super::entry::{Entry, Format, Kind, Sparse};
use super::field;
use super::pax::Attributes;

/// The caps of a scan.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of one extension header; a larger one is skipped.
    pub extension_bytes: u64,
}

impl From<&crate::limits::Limits> for Limits {
    fn from(limits: &crate::limits::Limits) -> Self {
        Limits { extension_bytes: limits.extension_bytes }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits::from(&crate::limits::Limits::default())
    }
}

/// What the scanner needs next, at [`Scanner::offset`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// A block, for [`Scanner::header`].
    Header,
    /// Bytes of an extension header, for [`Scanner::extension`], in pieces of any size.
    Extension {
        /// How many are left.
        len: usize,
    },
    /// Data of the entry just reported, to be stepped over with [`Scanner::advance`], in pieces of any size.
    Data {
        /// How many bytes are left.
        len: u64,
    },
    /// Padding, or an extension header that is too large; stepped over likewise.
    Skip {
        /// How many bytes are left.
        len: u64,
    },
    /// Nothing; only [`Scanner::end`] with the length of the input.
    Done,
}

/// Anomalies kept for one chain of headers: more are repetitions, and a chain may be as long as the input.
const MAX_CHAIN_ANOMALIES: usize = 32;

/// See the [module](self).
#[derive(Debug)]
pub struct Scanner {
    limits: Limits,
    offset: u64,
    state: State,
    /// The header of the entry being read, or reported last.
    block: [u8; BLOCK],
    head: Head,
    chain: Chain,
    /// Prefix and name, where the header has both.
    joined: Vec<u8>,
    anomalies: Vec<Anomaly>,
    /// How many of them have been taken.
    taken: usize,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// After this many blocks of zeros.
    Header {
        zeros: u8,
    },
    /// A block with more of an old GNU sparse map.
    SparseMap,
    Extension {
        extension: Extension,
        len: u64,
        left: u64,
    },
    Oversize {
        len: u64,
        left: u64,
    },
    Data {
        left: u64,
    },
    Padding {
        left: u64,
    },
    /// After the end blocks, all zeros so far.
    AfterEnd,
    /// With the first byte after the end blocks that is not zero, and whether it begins a sound header.
    Done {
        rest: Option<(u64, bool)>,
    },
}

/// The extension headers before an entry.
#[derive(Debug, Default)]
struct Chain {
    /// Offset of the first header; `None` before the first and after an entry.
    start: Option<u64>,
    /// Offset of the newest header.
    header: u64,
    /// Offsets of the headers that are in force, by [`slot`].
    at: [Option<u64>; 3],
    pax: Vec<u8>,
    attributes: Attributes,
    long_name: Vec<u8>,
    long_link: Vec<u8>,
}

/// The place of an extension in [`Chain::at`]; a global header is in force only until it is reported.
fn slot(extension: Extension) -> usize {
    match extension {
        Extension::Pax | Extension::Global => 0,
        Extension::LongName => 1,
        Extension::LongLink => 2,
    }
}

/// The decoded part of an entry's own header; see [`Entry`].
#[derive(Debug, Default)]
struct Head {
    data_offset: u64,
    size: u64,
    real_size: Option<u64>,
    kind: Kind,
    format: Format,
    path: PathFrom,
    mode: Option<u32>,
    uid: Option<i64>,
    gid: Option<i64>,
    mtime: Option<i64>,
    dev_major: Option<u32>,
    dev_minor: Option<u32>,
}

#[derive(Debug, Default)]
enum PathFrom {
    #[default]
    Name,
    Joined,
    Long,
    Pax(Range<usize>),
}

impl Scanner {
    /// At the start of a tar.
    pub fn new(limits: Limits) -> Self {
        Scanner {
            limits,
            offset: 0,
            state: State::Header { zeros: 0 },
            block: [0; BLOCK],
            head: Head::default(),
            chain: Chain::default(),
            joined: Vec::new(),
            anomalies: Vec::new(),
            taken: 0,
        }
    }

    /// The offset of what is wanted.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What is wanted next.
    pub fn want(&self) -> Want {
        match self.state {
            State::Header { .. } | State::SparseMap | State::AfterEnd => Want::Header,
            // Bounded by the limit, which is far below any usize; a larger limit only makes more pieces.
            State::Extension { left, .. } => {
                Want::Extension { len: usize::try_from(left).unwrap_or(usize::MAX) }
            }
            State::Data { left } => Want::Data { len: left },
            State::Oversize { left, .. } | State::Padding { left } => Want::Skip { len: left },
            State::Done { .. } => Want::Done,
        }
    }

    /// The anomalies seen since the last call.
    pub fn anomalies(&mut self) -> &[Anomaly] {
        let from = std::mem::replace(&mut self.taken, self.anomalies.len());
        &self.anomalies[from..]
    }

    /// The entry that the last call completed: one of [`header`](Scanner::header) or
    /// [`extension`](Scanner::extension) returned true.
    pub fn entry(&self) -> Entry<'_> {
        let (head, chain) = (&self.head, &self.chain);
        let pax = |place: &Option<Range<usize>>| place.clone().map(|place| &chain.pax[place]);
        // V7 headers have no owner names.
        let owner = |range| if head.format == Format::V7 { &[] } else { field::text(&self.block[range]) };
        Entry {
            header_offset: chain.start.unwrap_or(chain.header),
            data_offset: head.data_offset,
            size: head.size,
            real_size: head.real_size,
            kind: head.kind,
            typeflag: self.block[field::TYPEFLAG],
            format: head.format,
            path: match &head.path {
                PathFrom::Name => field::text(&self.block[field::NAME]),
                PathFrom::Joined => &self.joined,
                PathFrom::Long => &chain.long_name,
                PathFrom::Pax(place) => &chain.pax[place.clone()],
            },
            link: match (pax(&chain.attributes.link), chain.at[slot(Extension::LongLink)]) {
                (Some(link), _) => link,
                (None, Some(_)) => &chain.long_link,
                (None, None) => field::text(&self.block[field::LINK]),
            },
            mode: head.mode,
            uid: head.uid,
            gid: head.gid,
            mtime: head.mtime,
            uname: pax(&chain.attributes.uname).unwrap_or_else(|| owner(field::UNAME)),
            gname: pax(&chain.attributes.gname).unwrap_or_else(|| owner(field::GNAME)),
            dev_major: head.dev_major,
            dev_minor: head.dev_minor,
            pax: &chain.pax,
            anomalies: &self.anomalies,
        }
    }

    /// Takes the wanted block; true if it completes an entry.
    pub fn header(&mut self, block: &[u8; BLOCK]) -> bool {
        let at = self.offset;
        match self.state {
            State::AfterEnd => {
                self.offset += BLOCK as u64;
                if let Some(i) = block.iter().position(|&b| b != 0) {
                    let header = field::checksum_holds(block);
                    let at = if header { at } else { at + i as u64 };
                    self.state = State::Done { rest: Some((at, header)) };
                }
                false
            }
            State::SparseMap => {
                self.offset += BLOCK as u64;
                let more = block[field::SPARSE_BLOCK_MORE] != 0;
                if !more {
                    self.begin_data();
                }
                !more
            }
            State::Header { zeros } if field::is_zero(block) => {
                self.offset += BLOCK as u64;
                if zeros == 0 {
                    self.state = State::Header { zeros: 1 };
                } else {
                    self.state = State::AfterEnd;
                    self.dangling();
                }
                false
            }
            State::Header { zeros } => {
                if self.chain.start.is_none() {
                    self.begin_chain(at);
                }
                if zeros == 1 {
                    self.tell_at(at - BLOCK as u64, AnomalyKind::LoneZeroBlock);
                }
                self.chain.header = at;
                self.offset += BLOCK as u64;
                if !field::checksum_holds(block) {
                    self.note(at, AnomalyKind::BadChecksum);
                    self.state = State::Done { rest: None };
                    return false;
                }
                self.block = *block;
                match block[field::TYPEFLAG] {
                    b'x' => self.begin_extension(Extension::Pax),
                    b'g' => self.begin_extension(Extension::Global),
                    b'L' => self.begin_extension(Extension::LongName),
                    b'K' => self.begin_extension(Extension::LongLink),
                    _ => self.decode(),
                }
            }
            State::Extension { .. } | State::Oversize { .. } | State::Data { .. } => false,
            State::Padding { .. } | State::Done { .. } => false,
        }
    }

    /// Takes wanted bytes of an extension header; true if they complete an entry (a global header).
    pub fn extension(&mut self, bytes: &[u8]) -> bool {
        let State::Extension { extension, len, left } = self.state else { return false };
        let buffer = match extension {
            Extension::Pax | Extension::Global => &mut self.chain.pax,
            Extension::LongName => &mut self.chain.long_name,
            Extension::LongLink => &mut self.chain.long_link,
        };
        buffer.extend_from_slice(bytes);
        self.offset += bytes.len() as u64;
        let left = left.saturating_sub(bytes.len() as u64);
        self.state = State::Extension { extension, len, left };
        left == 0 && self.end_extension(extension, len)
    }

    /// Steps over `len` bytes of data or of what is to be skipped, at most as many as are wanted.
    pub fn advance(&mut self, len: u64) {
        self.offset += len;
        match &mut self.state {
            State::Data { left } if *left > len => *left -= len,
            State::Data { .. } => self.begin_padding(self.head.size),
            State::Oversize { left, .. } | State::Padding { left } if *left > len => *left -= len,
            State::Oversize { .. } | State::Padding { .. } => self.state = State::Header { zeros: 0 },
            _ => {}
        }
    }

    /// The input ended after `total` bytes. `tail` are the bytes that are there of a wanted header: fewer than a block.
    pub fn end(&mut self, total: u64, tail: &[u8]) {
        match self.state {
            State::Header { .. } | State::SparseMap if !tail.is_empty() => {
                self.note(self.offset, AnomalyKind::TruncatedHeader { have: tail.len() as u32 });
            }
            State::Header { zeros } => {
                self.note(self.offset, AnomalyKind::NoEndBlocks { have: zeros });
                self.dangling();
            }
            State::SparseMap => self.note(self.offset, AnomalyKind::TruncatedHeader { have: 0 }),
            State::Extension { len, left, .. } => {
                self.note(self.chain.header, AnomalyKind::TruncatedData { needed: len, have: len - left });
            }
            State::Oversize { len, left } => {
                let padded = len + padding(len);
                self.note(
                    self.chain.header,
                    AnomalyKind::TruncatedData { needed: len, have: len.min(padded - left) },
                );
            }
            State::Data { left } => {
                let needed = self.head.size;
                self.note(self.chain.header, AnomalyKind::TruncatedData { needed, have: needed - left });
            }
            State::Padding { left } => {
                self.note(self.chain.header, AnomalyKind::NotPadded { missing: left as u32 });
                self.dangling();
            }
            State::AfterEnd => {
                if let Some(i) = tail.iter().position(|&b| b != 0) {
                    let bytes = (tail.len() - i) as u64;
                    self.note(self.offset + i as u64, AnomalyKind::DataAfterEnd { bytes });
                }
            }
            State::Done { rest: Some((at, header)) } => {
                let bytes = total.saturating_sub(at);
                let kind = if header {
                    AnomalyKind::EntriesAfterEnd { bytes }
                } else {
                    AnomalyKind::DataAfterEnd { bytes }
                };
                self.note(at, kind);
            }
            State::Done { rest: None } => {}
        }
        self.state = State::Done { rest: None };
    }

    /// Tells a fact about the newest header, unless its chain has enough of them.
    fn tell(&mut self, kind: AnomalyKind) {
        self.tell_at(self.chain.header, kind);
    }

    fn tell_at(&mut self, offset: u64, kind: AnomalyKind) {
        if self.anomalies.len() < MAX_CHAIN_ANOMALIES {
            self.note(offset, kind);
        }
    }

    /// Tells a fact that occurs once in a tar or chain, in any case.
    fn note(&mut self, offset: u64, kind: AnomalyKind) {
        self.anomalies.push(Anomaly { offset, kind });
    }

    fn begin_chain(&mut self, at: u64) {
        let chain = &mut self.chain;
        chain.start = Some(at);
        chain.pax.clear();
        if chain.at != [None; 3] {
            chain.at = [None; 3];
            chain.attributes = Attributes::default();
        }
        self.anomalies.clear();
        self.taken = 0;
    }

    /// Tells the extension headers in force that no entry will use.
    fn dangling(&mut self) {
        // After an entry they are still there, but used.
        if self.chain.start.is_none() {
            return;
        }
        for extension in [Extension::Pax, Extension::LongName, Extension::LongLink] {
            if let Some(at) = self.chain.at[slot(extension)] {
                self.note(at, AnomalyKind::DanglingExtension { extension });
            }
        }
        self.chain.start = None;
    }

    fn begin_extension(&mut self, extension: Extension) -> bool {
        let at = self.chain.header;
        let len = self.size();
        if extension == Extension::Global {
            // Go reports a global header at once and forgets what came before it.
            self.dangling();
            self.chain.start = Some(at);
            self.chain.at = [None; 3];
        } else if self.chain.at[slot(extension)].is_some() {
            self.tell(AnomalyKind::RepeatedExtension { extension });
        }
        let oversize = len > self.limits.extension_bytes;
        self.chain.at[slot(extension)] = (!oversize).then_some(at);
        match extension {
            Extension::Pax | Extension::Global => {
                self.chain.pax.clear();
                self.chain.attributes = Attributes::default();
            }
            Extension::LongName => self.chain.long_name.clear(),
            Extension::LongLink => self.chain.long_link.clear(),
        }
        if oversize {
            self.tell(AnomalyKind::ExtensionTooLarge { extension, size: len });
            self.state = State::Oversize { len, left: len + padding(len) };
            if extension == Extension::Global {
                self.report();
            }
            return false;
        }
        self.state = State::Extension { extension, len, left: len };
        len == 0 && self.end_extension(extension, len)
    }

    fn end_extension(&mut self, extension: Extension, len: u64) -> bool {
        self.begin_padding(len);
        match extension {
            Extension::Pax | Extension::Global => {
                let pax = std::mem::take(&mut self.chain.pax);
                self.chain.attributes =
                    Attributes::parse(&pax, |fault| self.tell(AnomalyKind::MalformedPax { fault }));
                let nul = |place: &Option<Range<usize>>| place.clone().is_some_and(|at| pax[at].contains(&0));
                let nul = nul(&self.chain.attributes.path) || nul(&self.chain.attributes.link);
                self.chain.pax = pax;
                if nul {
                    self.tell(AnomalyKind::NulInPath);
                }
            }
            Extension::LongName | Extension::LongLink => {
                let text = if extension == Extension::LongName {
                    &mut self.chain.long_name
                } else {
                    &mut self.chain.long_link
                };
                let end = field::text(text).len();
                let nul = !field::is_zero(&text[end..]);
                text.truncate(end);
                // An empty long name is no name, as in Go.
                if end == 0 {
                    self.chain.at[slot(extension)] = None;
                }
                if nul {
                    self.tell(AnomalyKind::NulInPath);
                }
            }
        }
        if extension != Extension::Global {
            return false;
        }
        self.tell(AnomalyKind::GlobalPax { overrides: self.chain.attributes.overrides() });
        self.chain.attributes = Attributes::default();
        self.fields();
        self.head.data_offset = self.chain.header + BLOCK as u64;
        self.head.size = len;
        self.head.real_size = None;
        self.head.kind = Kind::Global;
        self.header_path();
        self.report();
        true
    }

    /// The size field of the header; 0, with the fact, if it is no size. Then the next header is sought just after.
    fn size(&mut self) -> u64 {
        let field = &self.block[field::SIZE];
        let behind_nul = field::is_behind_nul(field);
        let size = field::unsigned(field);
        match size {
            Some(size) if behind_nul && size > 0 => self.tell(AnomalyKind::SizeBehindNul { size }),
            Some(_) => {}
            None => self.tell(AnomalyKind::BadNumber { field: Field::Size }),
        }
        size.unwrap_or(0)
    }

    /// Decodes an entry's own header; true unless more of a sparse map follows.
    fn decode(&mut self) -> bool {
        self.fields();
        self.path();
        let typeflag = self.block[field::TYPEFLAG];
        let mut kind = match typeflag {
            // Old tars have no directories but by name.
            0 if self.entry().path.ends_with(b"/") => Kind::Directory,
            0 | b'0' => Kind::Regular,
            b'1' => Kind::Hardlink,
            b'2' => Kind::Symlink,
            b'3' => Kind::CharDevice,
            b'4' => Kind::BlockDevice,
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            b'S' => Kind::Sparse(Sparse::OldGnu),
            other => Kind::Unknown(other),
        };
        let header = self.size();
        let size = self.chain.attributes.size.unwrap_or(header);
        if size != header {
            self.tell(AnomalyKind::PaxSizeOverride { pax: size, header });
        }
        self.head.real_size = None;
        if kind == Kind::Sparse(Sparse::OldGnu) {
            self.head.real_size = field::unsigned(&self.block[field::SPARSE_REAL_SIZE]);
            if self.head.real_size.is_none() {
                self.tell(AnomalyKind::BadNumber { field: Field::RealSize });
            }
        } else if let (Kind::Regular, Some(form)) = (kind, self.chain.attributes.sparse()) {
            kind = Kind::Sparse(form);
            self.head.real_size = self.chain.attributes.real_size;
            // The path of such a header is one made up for tars that do not know sparse files.
            if let Some(name) = self.chain.attributes.sparse_name.clone() {
                self.head.path = PathFrom::Pax(name);
            }
        }
        if let Kind::Unknown(typeflag) = kind {
            self.tell(AnomalyKind::UnknownType { typeflag });
        }
        if size != 0 && !kind.has_data() {
            self.tell(AnomalyKind::SizeOnNonFile { size });
        }
        self.head.kind = kind;
        self.head.size = if kind.has_data() { size } else { 0 };
        if kind == Kind::Sparse(Sparse::OldGnu) && self.block[field::SPARSE_MORE] != 0 {
            self.state = State::SparseMap;
            return false;
        }
        self.begin_data();
        true
    }

    /// Decodes the fields that all types have.
    fn fields(&mut self) {
        self.head.format = field::format(&self.block);
        let attributes = &self.chain.attributes;
        let (pax_uid, pax_gid, pax_mtime) = (attributes.uid, attributes.gid, attributes.mtime);
        self.head.mode = self.small(field::MODE, Field::Mode);
        self.head.uid = pax_uid.or(self.number(field::UID, Field::Uid));
        self.head.gid = pax_gid.or(self.number(field::GID, Field::Gid));
        self.head.mtime = pax_mtime.or(self.number(field::MTIME, Field::Mtime));
        let (major, minor) = if self.head.format == Format::V7 {
            (Some(0), Some(0))
        } else {
            (self.small(field::DEV_MAJOR, Field::DevMajor), self.small(field::DEV_MINOR, Field::DevMinor))
        };
        self.head.dev_major = major;
        self.head.dev_minor = minor;
    }

    fn number(&mut self, range: Range<usize>, name: Field) -> Option<i64> {
        let number = field::number(&self.block[range]);
        if number.is_none() {
            self.tell(AnomalyKind::BadNumber { field: name });
        }
        number
    }

    fn small(&mut self, range: Range<usize>, name: Field) -> Option<u32> {
        let number = field::number(&self.block[range]).and_then(|n| u32::try_from(n).ok());
        if number.is_none() {
            self.tell(AnomalyKind::BadNumber { field: name });
        }
        number
    }

    /// Decides where the path comes from.
    fn path(&mut self) {
        let chain = &self.chain;
        let differ = |pax: &Option<Range<usize>>, extension, long: &[u8]| {
            chain.at[slot(extension)].is_some() && pax.clone().is_some_and(|place| chain.pax[place] != *long)
        };
        let conflict = differ(&chain.attributes.path, Extension::LongName, &chain.long_name)
            || differ(&chain.attributes.link, Extension::LongLink, &chain.long_link);
        if let Some(place) = chain.attributes.path.clone() {
            self.head.path = PathFrom::Pax(place);
        } else if chain.at[slot(Extension::LongName)].is_some() {
            self.head.path = PathFrom::Long;
        } else {
            self.header_path();
        }
        if conflict {
            self.tell(AnomalyKind::ConflictingNames);
        }
    }

    /// Takes the path from the header alone.
    fn header_path(&mut self) {
        let prefix = field::prefix(&self.block, self.head.format);
        if prefix.is_empty() {
            self.head.path = PathFrom::Name;
            return;
        }
        self.joined.clear();
        self.joined.extend_from_slice(prefix);
        self.joined.push(b'/');
        self.joined.extend_from_slice(field::text(&self.block[field::NAME]));
        self.head.path = PathFrom::Joined;
    }

    fn begin_data(&mut self) {
        self.head.data_offset = self.offset;
        self.report();
        match self.head.size {
            0 => self.state = State::Header { zeros: 0 },
            left => self.state = State::Data { left },
        }
    }

    /// The entry is complete: what is kept of its chain is used, and cleared when the next one begins.
    fn report(&mut self) {
        let start = self.chain.start.take();
        // `entry` falls back to this once `start` is gone.
        self.chain.header = start.unwrap_or(self.chain.header);
    }

    fn begin_padding(&mut self, len: u64) {
        match padding(len) {
            0 => self.state = State::Header { zeros: 0 },
            left => self.state = State::Padding { left },
        }
    }
}

/// Bytes that fill data of this size up to a whole block.
pub(super) fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}
