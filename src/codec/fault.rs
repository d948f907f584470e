//! What is wrong with a compressed stream, and what follows it: facts.

/// Bytes behind the last gzip member or zstd frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trailing {
    /// Offset of the first such byte in the stored blob.
    pub offset: u64,
    /// Whether all of them are zero.
    pub zeros: bool,
}

/// Why a stream could not be decompressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The stored bytes end before the stream does.
    Truncated {
        /// Offset in the stored blob.
        offset: u64,
    },
    /// The stream breaks its own format, or its checksum is wrong.
    Corrupt {
        /// Offset in the stored blob, near the fault (the decoder reads ahead within a block).
        offset: u64,
        /// What the decoder said.
        problem: String,
    },
    /// More decompressed bytes than the limit `layer-bytes`.
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// A zstd window above the limit `zstd-window-log`.
    WindowTooLarge {
        /// The limit, as a power of two.
        limit: u64,
    },
}
