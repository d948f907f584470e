//! What is wrong with a compressed stream, and what follows it: facts.

use serde::{Deserialize, Serialize};
use std::io;

/// Bytes behind the last gzip member or zstd frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trailing {
    /// Offset of the first such byte in the stored blob.
    pub offset: u64,
    /// Whether all of them are zero.
    pub zeros: bool,
}

/// Why a stream could not be decompressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// More frames without content in a row than the limit `empty-frames`.
    EmptyFrames {
        /// The limit.
        limit: u64,
    },
}

/// A limit that a stream goes beyond; inside of an I/O error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Exceeded {
    /// Frames or members without content, one after the other.
    #[error("more than {0} frames without content in a row")]
    Frames(u64),
    /// A zstd window, as a power of two.
    #[error("a zstd window above 2^{0} bytes")]
    Window(u32),
    /// A dictionary of xz, likewise.
    #[error("a dictionary of xz above 2^{0} bytes")]
    Dictionary(u32),
}

impl Exceeded {
    /// What an error says of a limit, if it does.
    pub(crate) fn of(error: &io::Error) -> Option<Exceeded> {
        error.get_ref()?.downcast_ref().copied()
    }

    /// The limit's name and value.
    pub(crate) fn limit(self) -> (&'static str, u64) {
        match self {
            Exceeded::Frames(limit) => ("empty-frames", limit),
            Exceeded::Window(limit) | Exceeded::Dictionary(limit) => ("zstd-window-log", u64::from(limit)),
        }
    }
}
