//! The scanner: a state machine over the blocks of a tar, without I/O.
//!
//! A driver asks [`Scanner::want`] what comes next, hands it over ([`header`](Scanner::header),
//! [`extension`](Scanner::extension)) or steps over it ([`advance`](Scanner::advance)), and says where the input
//! ended ([`end`](Scanner::end)). After each call it takes the new [`anomalies`](Scanner::anomalies).
//!
//! Where readers disagree the scan does what Go's `archive/tar` does, since every loader of images uses it, except
//! that it names the fault and goes on where Go stops. An entry is lent ([`Entry`]); its buffers are used again for
//! the next one, so a layer of millions of entries allocates nothing after the first few.
//!
//! Long because it is one machine: every state reads what the others left.

use std::ops::Range;

use super::anomaly::{Anomaly, AnomalyKind, Extension};
use super::entry::{Entry, Format, Kind};
use super::head::{Head, PathFrom};
use super::pax::Attributes;
use super::{BLOCK, field};

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
    pub(super) limits: Limits,
    pub(super) offset: u64,
    pub(super) state: State,
    /// The header of the entry being read, or reported last.
    pub(super) block: [u8; BLOCK],
    pub(super) head: Head,
    pub(super) chain: Chain,
    /// Prefix and name, where the header has both.
    pub(super) joined: Vec<u8>,
    pub(super) anomalies: Vec<Anomaly>,
    /// How many of them have been taken.
    pub(super) taken: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum State {
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
pub(super) struct Chain {
    /// Offset of the first header; `None` before the first and after an entry.
    pub(super) start: Option<u64>,
    /// Offset of the newest header.
    pub(super) header: u64,
    /// Offsets of the headers that are in force, by [`slot`].
    pub(super) at: [Option<u64>; 3],
    pub(super) pax: Vec<u8>,
    pub(super) attributes: Attributes,
    pub(super) long_name: Vec<u8>,
    pub(super) long_link: Vec<u8>,
}

/// The place of an extension in [`Chain::at`]; a global header is in force only until it is reported.
pub(super) fn slot(extension: Extension) -> usize {
    match extension {
        Extension::Pax | Extension::Global => 0,
        Extension::LongName => 1,
        Extension::LongLink => 2,
    }
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
                if !field::is_zero(block) {
                    let i = block.iter().position(|&b| b != 0).unwrap_or(0);
                    let header = field::checksum_holds(block);
                    let at = if header { at } else { at + i as u64 };
                    self.block = *block;
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
                    self.note(at, AnomalyKind::BadChecksum { text: field::was_text(block) });
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
                let kind = match header {
                    true if is_toc(&self.block, bytes) => AnomalyKind::TocAfterEnd { bytes },
                    true => AnomalyKind::EntriesAfterEnd { bytes },
                    false => AnomalyKind::DataAfterEnd { bytes },
                };
                self.note(at, kind);
            }
            State::Done { rest: None } => {}
        }
        self.state = State::Done { rest: None };
    }

    /// Tells a fact about the newest header, unless its chain has enough of them.
    pub(super) fn tell(&mut self, kind: AnomalyKind) {
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
                let nul = text[end..].iter().any(|&b| b != 0);
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

    pub(super) fn begin_data(&mut self) {
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

/// Whether this header and the bytes from it to the end of the input are an eStargz layer's table of contents and end
/// blocks, and nothing else.
fn is_toc(block: &[u8; BLOCK], bytes: u64) -> bool {
    let size = field::unsigned(&block[field::SIZE]);
    let whole = |size: u64| size.checked_add(padding(size))?.checked_add(3 * BLOCK as u64);
    field::text(&block[field::NAME]) == b"stargz.index.json" && size.and_then(whole) == Some(bytes)
}

/// Bytes that fill data of this size up to a whole block.
pub(super) fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

/// Whether bytes begin with a header whose checksum holds, so that who does not go by magic takes them for a tar.
pub fn begins_with_header(bytes: &[u8]) -> bool {
    bytes.first_chunk().is_some_and(|block| !field::is_zero(block) && field::checksum_holds(block))
}
