//! The decoded part of a header.

use std::ops::Range;

use super::entry::{Format, Kind};

/// The decoded part of an entry's own header; see [`Entry`](super::Entry).
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) data_offset: u64,
    pub(super) size: u64,
    pub(super) real_size: Option<u64>,
    pub(super) kind: Kind,
    pub(super) format: Format,
    pub(super) path: PathFrom,
    pub(super) mode: Option<u32>,
    pub(super) uid: Option<i64>,
    pub(super) gid: Option<i64>,
    pub(super) mtime: Option<i64>,
    pub(super) dev_major: Option<u32>,
    pub(super) dev_minor: Option<u32>,
}

#[derive(Debug, Default)]
pub(super) enum PathFrom {
    #[default]
    Name,
    Joined,
    Long,
    Pax(Range<usize>),
}
