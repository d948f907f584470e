//! PAX records: `LENGTH KEY=VALUE\n`, where the length counts the whole record.

use std::ops::Range;

use bstr::ByteSlice;

use super::Sparse;
use super::anomaly::{Field, PaxFault};

/// The records of one PAX header, in order. A fault that loses the place ends the iteration.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    /// Over the data of a PAX header.
    pub fn new(data: &'a [u8]) -> Self {
        Records { rest: data }
    }

    fn split(&mut self) -> Result<(&'a [u8], &'a [u8]), PaxFault> {
        let rest = std::mem::take(&mut self.rest);
        // More than 20 digits are no length; looking no further keeps garbage from costing its square.
        let space = rest.iter().take(21).position(|&b| b == b' ').ok_or(PaxFault::Length)?;
        let length = decimal(&rest[..space]).and_then(|n| usize::try_from(n).ok()).ok_or(PaxFault::Length)?;
        if length < space + 2 || length > rest.len() {
            return Err(PaxFault::Length);
        }
        let (record, after) = rest.split_at(length);
        let record = record[space + 1..].strip_suffix(b"\n").ok_or(PaxFault::NoNewline)?;
        self.rest = after;
        let (key, value) = record.split_once_str("=").ok_or(PaxFault::Key)?;
        if key.is_empty() || key.contains(&0) { Err(PaxFault::Key) } else { Ok((key, value)) }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), PaxFault>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.rest.is_empty()).then(|| self.split())
    }
}

/// An unsigned decimal number of digits only.
fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |n, b| match b {
        b'0'..=b'9' => n.checked_mul(10)?.checked_add(u64::from(b - b'0')),
        _ => None,
    })
}

/// A decimal number that may be negative.
fn signed(text: &[u8]) -> Option<i64> {
    match text.strip_prefix(b"-") {
        Some(digits) => 0i64.checked_sub_unsigned(decimal(digits)?),
        None => decimal(text)?.try_into().ok(),
    }
}

/// The whole seconds of a time such as `1748089464.95`, rounded down.
fn seconds(text: &[u8]) -> Option<i64> {
    let (whole, fraction) = text.split_once_str(".").unwrap_or((text, b""));
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let below = text.starts_with(b"-") && fraction.iter().any(|&b| b != b'0');
    signed(whole)?.checked_sub(i64::from(below))
}

/// A size: no loader takes more than fits an `i64`.
fn size(text: &[u8]) -> Option<u64> {
    decimal(text).filter(|&n| i64::try_from(n).is_ok())
}

/// What a PAX header says about the entry after it. Texts are places in the header's data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    pub path: Option<Range<usize>>,
    pub link: Option<Range<usize>>,
    pub uname: Option<Range<usize>>,
    pub gname: Option<Range<usize>>,
    pub sparse_name: Option<Range<usize>>,
    pub size: Option<u64>,
    pub real_size: Option<u64>,
    pub uid: Option<i64>,
    pub gid: Option<i64>,
    pub mtime: Option<i64>,
    sparse_major: Option<u8>,
    sparse_minor: Option<u8>,
    sparse_map: bool,
    sparse_offsets: bool,
    /// Whether there is any record of a sparse file.
    sparse_records: bool,
}

impl Attributes {
    /// Reads the records, telling each fault.
    pub(super) fn parse(data: &[u8], mut fault: impl FnMut(PaxFault)) -> Self {
        let mut all = Attributes::default();
        let mut seen = 0u32;
        let mut records = Records::new(data);
        while let Some(record) = records.next() {
            match record {
                // An empty value takes an attribute back, which for a local header means: use the entry's own.
                Ok((key, value)) => {
                    let end = data.len() - records.rest.len() - 1;
                    let place = (!value.is_empty()).then(|| end - value.len()..end);
                    if value.is_empty() && matches!(key, b"path" | b"linkpath" | b"size") {
                        fault(PaxFault::Empty);
                    }
                    let bit = all.set(key, value, place, &mut fault);
                    if seen & bit != 0 {
                        fault(PaxFault::Duplicate);
                    }
                    seen |= bit;
                }
                Err(problem) => fault(problem),
            }
        }
        all
    }

    /// Whether it names the entry or moves the place of the next one.
    pub(super) fn overrides(&self) -> bool {
        self.path.is_some() || self.link.is_some() || self.size.is_some() || self.sparse_records
    }

    /// Whether there is any record of a sparse file, known or not.
    pub(super) fn has_sparse_records(&self) -> bool {
        self.sparse_records
    }

    /// The sparse form, by the rules of Go's `readGNUSparsePAXHeaders`.
    pub(super) fn sparse(&self) -> Option<Sparse> {
        match (self.sparse_major, self.sparse_minor) {
            (Some(b'1'), Some(b'0')) => Some(Sparse::Pax10),
            (Some(b'0'), Some(b'1')) => Some(Sparse::Pax01),
            (Some(b'0'), Some(b'0')) => Some(Sparse::Pax00),
            (None, None) if self.sparse_map => Some(Sparse::Pax01),
            (None, None) if self.sparse_offsets => Some(Sparse::Pax00),
            _ => None,
        }
    }

    /// Takes one record; returns a bit that is its own among the keys that must not be repeated.
    fn set(
        &mut self,
        key: &[u8],
        value: &[u8],
        place: Option<Range<usize>>,
        fault: &mut impl FnMut(PaxFault),
    ) -> u32 {
        let mut number = |bad: bool, field| {
            if bad && !value.is_empty() {
                fault(PaxFault::Number(field));
            }
        };
        self.sparse_records |= key.starts_with(b"GNU.sparse.");
        match key {
            b"path" => self.path = place,
            b"linkpath" => self.link = place,
            b"GNU.sparse.name" => self.sparse_name = place,
            b"size" => {
                self.size = size(value);
                number(self.size.is_none(), Field::Size);
            }
            b"GNU.sparse.realsize" | b"GNU.sparse.size" => {
                self.real_size = size(value);
                number(self.real_size.is_none(), Field::RealSize);
            }
            b"uid" => {
                self.uid = signed(value);
                number(self.uid.is_none(), Field::Uid);
            }
            b"gid" => {
                self.gid = signed(value);
                number(self.gid.is_none(), Field::Gid);
            }
            b"mtime" => {
                self.mtime = seconds(value);
                number(self.mtime.is_none(), Field::Mtime);
            }
            b"uname" | b"gname" => {
                let target = if key == b"uname" { &mut self.uname } else { &mut self.gname };
                *target = place.filter(|_| !value.contains(&0));
                if value.contains(&0) {
                    fault(PaxFault::NulInOwner);
                }
            }
            b"GNU.sparse.major" => self.sparse_major = value.first().copied(),
            b"GNU.sparse.minor" => self.sparse_minor = value.first().copied(),
            b"GNU.sparse.map" => self.sparse_map = !value.is_empty(),
            b"GNU.sparse.offset" => self.sparse_offsets = true,
            _ => {}
        }
        match key {
            b"path" => 1,
            b"linkpath" => 1 << 1,
            b"size" => 1 << 2,
            b"uid" => 1 << 3,
            b"gid" => 1 << 4,
            b"mtime" => 1 << 5,
            b"uname" => 1 << 6,
            b"gname" => 1 << 7,
            b"GNU.sparse.name" => 1 << 8,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(data: &[u8]) -> (Attributes, Vec<PaxFault>) {
        let mut faults = Vec::new();
        let all = Attributes::parse(data, |fault| faults.push(fault));
        (all, faults)
    }

    #[test]
    fn records_in_order() {
        let data = b"12 path=a=b\n26 SCHILY.xattr.user.a=\0\n\n5 k=\n";
        let got: Vec<_> = Records::new(data).collect::<Result<_, _>>().expect("all sound");
        assert_eq!(got, [(&b"path"[..], &b"a=b"[..]), (b"SCHILY.xattr.user.a", b"\0\n"), (b"k", b"")]);
        let (all, faults) = parse(data);
        assert_eq!((all.path, faults), (Some(8..11), vec![]));
    }

    #[test]
    fn broken_records() {
        for (data, expected) in [
            (&b"path=a\n"[..], PaxFault::Length),
            (b"x path=a\n", PaxFault::Length),
            (b"99 path=a\n", PaxFault::Length),
            (b"0 path=a\n", PaxFault::Length),
            (b"-9 path=a\n", PaxFault::Length),
            (b"99999999999999999999999 path=a\n", PaxFault::Length),
            (b"\0\0\0", PaxFault::Length),
            (b"9 path=ab", PaxFault::NoNewline),
            (b"7 path\n", PaxFault::Key),
            (b"5 =a\n", PaxFault::Key),
            (b"7 a\0=b\n", PaxFault::Key),
            (b"11 size=-1\n", PaxFault::Number(Field::Size)),
            (b"28 size=9223372036854775808\n", PaxFault::Number(Field::Size)),
            (b"10 uid=1a\n", PaxFault::Number(Field::Uid)),
            (b"31 mtime=1748089464.951928467a\n", PaxFault::Number(Field::Mtime)),
            (b"11 uname=\0\n", PaxFault::NulInOwner),
            (b"10 path=a\n10 path=b\n", PaxFault::Duplicate),
        ] {
            assert_eq!(parse(data).1[0], expected, "{:?}", data.as_bstr());
        }
    }

    #[test]
    fn times_round_down() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1748089464.95", Some(1748089464)),
            ("-1", Some(-1)),
            ("-1.0", Some(-1)),
            ("-1.5", Some(-2)),
            ("-0.5", Some(-1)),
            ("", None),
            (".5", None),
            ("1.x", None),
            ("1e3", None),
        ] {
            assert_eq!(seconds(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn sparse_forms() {
        for (data, expected) in [
            (&b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"[..], Some(Sparse::Pax10)),
            (b"22 GNU.sparse.major=9\n22 GNU.sparse.minor=0\n", None),
            (b"22 GNU.sparse.map=0,1\n", Some(Sparse::Pax01)),
            (b"23 GNU.sparse.offset=0\n", Some(Sparse::Pax00)),
            (b"10 path=a\n", None),
        ] {
            assert_eq!(parse(data), (parse(data).0, vec![]));
            assert_eq!(parse(data).0.sparse(), expected, "{:?}", data.as_bstr());
        }
    }
}
