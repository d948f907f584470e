//! Decoding of the fields of a header.

use std::ops::Range;

use super::anomaly::{AnomalyKind, Extension, Field};
use super::entry::{Format, Kind};
use super::head::PathFrom;
use super::scan::{Scanner, State, slot};
use super::{Sparse, field};

impl Scanner {
    /// The size field of the header; 0, with the fact, if it is no size. Then the next header is sought just after.
    pub(super) fn size(&mut self) -> u64 {
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
    pub(super) fn decode(&mut self) -> bool {
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
        let is_sparse = matches!(kind, Kind::Sparse(form) if form != Sparse::OldGnu);
        if self.chain.attributes.has_sparse_records() && !is_sparse {
            self.tell(AnomalyKind::SparseRecords);
        }
        if kind == Kind::Regular && self.entry().path.ends_with(b"/") {
            self.tell(AnomalyKind::FileNamedAsDirectory);
        }
        if field::has_foreign_prefix(&self.block, self.head.format) {
            self.tell(AnomalyKind::ForeignPrefix);
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
    pub(super) fn fields(&mut self) {
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
    pub(super) fn header_path(&mut self) {
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
}
