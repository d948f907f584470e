//! What may be odd about a tar, as facts. Rules decide what each one means (formats.md H.1, H.9).

use serde::{Deserialize, Serialize};

/// One odd fact, and the place it was seen at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anomaly {
    /// Offset in the tar of the header that it is about (for data, of the first header of the entry's chain), or of
    /// the first byte where there is no header.
    pub offset: u64,
    /// What was seen.
    pub kind: AnomalyKind,
}

/// The facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AnomalyKind {
    /// A header's checksum is wrong (H 5, 159). The scan ends here: nothing after it can be located.
    BadChecksum {
        /// It looks as if the tar had passed through something that takes bytes for text.
        text: bool,
    },
    /// The tar ends inside a header.
    TruncatedHeader {
        /// Bytes of it that are there, up to 511; 0 if a block with more of a sparse map is missing altogether.
        have: u32,
    },
    /// The tar ends inside the data of an entry or of an extension header.
    TruncatedData {
        /// Bytes that the header announces.
        needed: u64,
        /// Bytes that are there.
        have: u64,
    },
    /// One block of zeros between headers. Go stops with an error, GNU tar warns and goes on, as this scan does.
    LoneZeroBlock,
    /// The tar ends without the two blocks of zeros (H 6). Every loader accepts it.
    NoEndBlocks {
        /// Blocks of zeros that are there: 0 or 1.
        have: u8,
    },
    /// The last data is complete, but not padded to a whole block.
    NotPadded {
        /// Bytes of padding that are missing.
        missing: u32,
    },
    /// Bytes other than zero after the end blocks (H 7, 188). The offset is that of the first such byte.
    DataAfterEnd {
        /// Bytes from there to the end of the input.
        bytes: u64,
    },
    /// A sound header after the end blocks: tars put one after the other. The offset is that of the header.
    EntriesAfterEnd {
        /// Bytes from there to the end of the input.
        bytes: u64,
    },
    /// The table of contents of an eStargz layer after the end blocks, where its readers look for it, and nothing else.
    TocAfterEnd {
        /// Bytes from there to the end of the input.
        bytes: u64,
    },
    /// Two headers of one kind before one entry. The last one counts, as in Go; Python takes the first.
    RepeatedExtension {
        /// Which kind.
        extension: Extension,
    },
    /// An extension header that no entry follows.
    DanglingExtension {
        /// Which kind.
        extension: Extension,
    },
    /// An extension header larger than the limit (H 179, 243); it was skipped and has no effect.
    ExtensionTooLarge {
        /// Which kind.
        extension: Extension,
        /// The size in its header.
        size: u64,
    },
    /// A PAX header that breaks POSIX (H 179).
    MalformedPax {
        /// How.
        fault: PaxFault,
    },
    /// The PAX size and that of the header differ. The PAX size steps; a parser that ignores it reads data as headers
    /// (CVE-2025-62518). The header's is 0 where a writer could not fit a large size into it.
    PaxSizeOverride {
        /// The size in the PAX header.
        pax: u64,
        /// The size in the entry's own header.
        header: u64,
    },
    /// A PAX global header. It has no effect here, nor in any loader of images (formats.md 0.5).
    GlobalPax {
        /// Whether it sets a path, link target, size or what makes a file sparse, which tars read by other means would
        /// apply.
        overrides: bool,
    },
    /// The PAX and GNU headers of one entry give different paths or link targets: readers disagree.
    ConflictingNames,
    /// A numeric field is not a number, or is negative or too large where that has no meaning.
    BadNumber {
        /// Which field.
        field: Field,
    },
    /// A size behind a NUL. It counts here, as for Go and GNU tar; Python and the crate `tar` take it for 0, and read
    /// the data as headers.
    SizeBehindNul {
        /// The size.
        size: u64,
    },
    /// A directory, link, device or FIFO with a size (H 180). It has no data here, as in Go and Python; GNU tar steps over
    /// as much, unless it is a hard link.
    SizeOnNonFile {
        /// The size it gives.
        size: u64,
    },
    /// PAX records of a sparse file (`GNU.sparse.name`, `.size`, …) before what is none, by Go's rules: GNU tar and Python
    /// obey each of them by itself, Go and others none.
    SparseRecords,
    /// A regular file by its type whose name ends with a slash: GNU tar makes a directory of it, Go and others a file.
    FileNamedAsDirectory,
    /// Text in the place of the prefix, in a header that is not POSIX's, or more of it than star's has room for: Python
    /// joins it with the name, GNU tar and Go do so only in some headers, and not in the same ones.
    ForeignPrefix,
    /// A PAX path or link target holds a NUL, or a GNU name goes on after one (H 179).
    NulInPath,
    /// A type flag that no container tool knows (H 177). Stepped over by its size, as in Go.
    UnknownType {
        /// The type flag.
        typeflag: u8,
    },
}

/// The kinds of extension headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extension {
    /// `x`: PAX records for the next entry.
    Pax,
    /// `g`: PAX records for all later entries.
    Global,
    /// `L`: a GNU long path.
    LongName,
    /// `K`: a GNU long link target.
    LongLink,
}

/// The numeric fields of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Field {
    Mode,
    Uid,
    Gid,
    Size,
    Mtime,
    DevMajor,
    DevMinor,
    /// Size of a sparse file with its holes.
    RealSize,
}

/// How a PAX header breaks POSIX.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PaxFault {
    /// The length of a record is not a number, or does not fit; this record and all after it are ignored.
    Length,
    /// A record does not end with a newline; it and all after it are ignored.
    NoNewline,
    /// A record has no `=`, or no key before it, or a NUL in the key.
    Key,
    /// The value of a numeric record is not a number; the record is ignored.
    Number(Field),
    /// A NUL in a user or group name; the record is ignored.
    NulInOwner,
    /// A record that this scan uses occurs twice; the last one counts.
    Duplicate,
    /// A path, link target or size without a value, which takes the attribute back here, as in Go. GNU tar and Python take
    /// it for an empty name.
    Empty,
}
