//! One entry of a tar, with what its extension headers say taken into account.

use super::anomaly::Anomaly;
use super::pax::Records;
use super::sparse::Sparse;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// A regular file (`0`, NUL).
    #[default]
    Regular,
    /// A regular file with holes; its data is a map and what is not a hole.
    Sparse(Sparse),
    /// A hard link (`1`).
    Hardlink,
    /// A symbolic link (`2`).
    Symlink,
    /// A character device (`3`).
    CharDevice,
    /// A block device (`4`).
    BlockDevice,
    /// A directory (`5`, and NUL with a name that ends with `/`).
    Directory,
    /// A FIFO (`6`).
    Fifo,
    /// A PAX global header (`g`): no file. Its records are in [`Entry::pax`], its size counts their bytes.
    Global,
    /// Any other type flag.
    Unknown(u8),
}

impl Kind {
    /// Whether the size of such an entry counts bytes of data. For the others Go and Python step by 0.
    pub fn has_data(self) -> bool {
        matches!(self, Kind::Regular | Kind::Sparse(_) | Kind::Global | Kind::Unknown(_))
    }
}

/// The dialect of an entry's own header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// No magic.
    #[default]
    V7,
    /// POSIX, including PAX and star.
    Ustar,
    /// Old GNU.
    Gnu,
}

/// One entry, resolved, lent until the scanner is next used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Offset of the first header of its chain: of its PAX or GNU headers, else its own.
    pub header_offset: u64,
    /// Offset of its data.
    pub data_offset: u64,
    /// Bytes of data, without padding: what steps to the next header. The PAX size where there is one; 0 for
    /// directories, links, devices and FIFOs whatever their header says.
    pub size: u64,
    /// For a sparse file, its size with the holes, if given.
    pub real_size: Option<u64>,
    /// What it is.
    pub kind: Kind,
    /// The type flag of its header.
    pub typeflag: u8,
    /// The dialect of its header.
    pub format: Format,
    /// Its name as given: the PAX one, else the GNU long one, else that of the header. Not cleaned.
    pub path: &'a [u8],
    /// The link target, resolved likewise; empty if there is none.
    pub link: &'a [u8],
    /// Mode bits. `None` here and below where the field is no number.
    pub mode: Option<u32>,
    /// User ID; may be negative.
    pub uid: Option<i64>,
    /// Group ID; may be negative.
    pub gid: Option<i64>,
    /// Modification time in seconds, rounded down.
    pub mtime: Option<i64>,
    /// User name; empty if there is none.
    pub uname: &'a [u8],
    /// Group name; empty if there is none.
    pub gname: &'a [u8],
    /// Major device number; 0 if the header has none.
    pub dev_major: Option<u32>,
    /// Minor device number; 0 if the header has none.
    pub dev_minor: Option<u32>,
    /// The data of its PAX header; empty if it has none.
    pub pax: &'a [u8],
    /// What was odd about its chain of headers. The scanner tells these too.
    pub anomalies: &'a [Anomaly],
}

impl<'a> Entry<'a> {
    /// The records of its PAX header, such as `SCHILY.xattr.*`.
    pub fn pax_records(&self) -> Records<'a> {
        Records::new(self.pax)
    }

    /// Offset just after its data.
    pub fn data_end(&self) -> u64 {
        self.data_offset + self.size
    }
}
