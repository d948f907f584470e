//! Small tars for tests of this module and of the rules about it.

use std::sync::Arc;

use super::{LayerFacts, LayerScan, Spool};
use crate::limits::Limits;

/// A tar that is being written.
#[derive(Default, Clone)]
pub(crate) struct Tar(pub Vec<u8>);

impl Tar {
    pub(crate) fn new() -> Tar {
        Tar::default()
    }

    /// Any entry; `change` may set what the arguments do not.
    pub(crate) fn entry(
        mut self,
        typeflag: u8,
        path: &[u8],
        link: &str,
        data: &[u8],
        change: impl FnOnce(&mut tar::Header),
    ) -> Tar {
        let mut header = tar::Header::new_gnu();
        let fields = header.as_old_mut();
        fields.name[..path.len()].copy_from_slice(path);
        fields.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(tar::EntryType::new(typeflag));
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(data.len() as u64);
        change(&mut header);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn file(self, path: &str, data: &[u8]) -> Tar {
        self.entry(b'0', path.as_bytes(), "", data, |_| {})
    }

    pub(crate) fn dir(self, path: &str) -> Tar {
        self.entry(b'5', path.as_bytes(), "", b"", |_| {})
    }

    pub(crate) fn link(self, path: &str, target: &str) -> Tar {
        self.entry(b'2', path.as_bytes(), target, b"", |_| {})
    }

    pub(crate) fn hard(self, path: &str, target: &str) -> Tar {
        self.entry(b'1', path.as_bytes(), target, b"", |_| {})
    }

    /// PAX records for the next entry.
    pub(crate) fn pax(self, records: &[(&str, &str)]) -> Tar {
        let data: String = records.iter().map(|(key, value)| record(key, value)).collect();
        self.raw_pax(&data)
    }

    /// The same with their lengths, which may be wrong.
    pub(crate) fn raw_pax(self, records: &str) -> Tar {
        self.entry(b'x', b"pax", "", records.as_bytes(), |_| {})
    }

    pub(crate) fn end(mut self) -> Tar {
        self.0.resize(self.0.len() + 1024, 0);
        self
    }

    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Tar {
        self.0.extend_from_slice(bytes);
        self
    }

    /// What is in it.
    pub(crate) fn facts(&self) -> LayerFacts {
        self.facts_in(&Arc::new(Spool::in_directory(None)), &Limits::default())
    }

    pub(crate) fn facts_in(&self, spool: &Arc<Spool>, limits: &Limits) -> LayerFacts {
        let mut scan = LayerScan::new(limits, spool);
        // In pieces that fit no block.
        self.0.chunks(700).for_each(|chunk| scan.push(chunk));
        scan.finish().expect("a spool")
    }
}

/// A PAX record: its length, which counts itself, and the rest.
pub(crate) fn record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let mut len = rest.len();
    while len != rest.len() + len.to_string().len() {
        len = rest.len() + len.to_string().len();
    }
    format!("{len}{rest}")
}
