//! Decoding of header fields, as Go's `archive/tar` does it: all loaders of images are written in Go.
//!
//! The `tar` crate's decoding is not used: it wraps base-256 numbers and takes negative ones for large ones.

use std::ops::Range;

use super::BLOCK;
use super::entry::Format;

pub(super) const NAME: Range<usize> = 0..100;
pub(super) const MODE: Range<usize> = 100..108;
pub(super) const UID: Range<usize> = 108..116;
pub(super) const GID: Range<usize> = 116..124;
pub(super) const SIZE: Range<usize> = 124..136;
pub(super) const MTIME: Range<usize> = 136..148;
const CHECKSUM: Range<usize> = 148..156;
pub(super) const TYPEFLAG: usize = 156;
pub(super) const LINK: Range<usize> = 157..257;
const MAGIC: Range<usize> = 257..263;
const VERSION: Range<usize> = 263..265;
pub(super) const UNAME: Range<usize> = 265..297;
pub(super) const GNAME: Range<usize> = 297..329;
pub(super) const DEV_MAJOR: Range<usize> = 329..337;
pub(super) const DEV_MINOR: Range<usize> = 337..345;
pub(super) const PREFIX: Range<usize> = 345..500;
const GNU_ATIME: Range<usize> = 345..357;
const GNU_CTIME: Range<usize> = 357..369;
/// Where star keeps two times at the end of the prefix.
const STAR_PREFIX: Range<usize> = 345..476;
const STAR_TRAILER: Range<usize> = 508..512;
/// Old GNU sparse headers: whether a block with more of the map follows, in the header and in such a block.
pub(super) const SPARSE_MORE: usize = 482;
pub(super) const SPARSE_BLOCK_MORE: usize = 504;
pub(super) const SPARSE_REAL_SIZE: Range<usize> = 483..495;

/// The bytes before the first NUL.
pub(super) fn text(field: &[u8]) -> &[u8] {
    field.iter().position(|&b| b == 0).map_or(field, |end| &field[..end])
}

/// Whether a block is all zeros.
pub(super) fn is_zero(block: &[u8; BLOCK]) -> bool {
    // Compared by the C library's wide operations, whatever the compiler is asked to optimise for.
    *block == [0; BLOCK]
}

/// Whether a block that should be a header looks as if the tar had been taken for text: what is no UTF-8 became U+FFFD, or
/// the header comes later than it should, because line feeds before it got a carriage return.
pub(super) fn was_text(block: &[u8; BLOCK]) -> bool {
    let replaced = block.windows(3).filter(|bytes| *bytes == b"\xef\xbf\xbd").count();
    const MAGIC: usize = 257;
    replaced > 1 || block[MAGIC + 1..].windows(5).any(|bytes| bytes == b"ustar")
}

/// A number in octal, or in base 256 where the first bit is set. An empty field is 0; `None` is garbage or overflow.
pub(super) fn number(field: &[u8]) -> Option<i64> {
    if field[0] & 0x80 != 0 { base256(field) } else { octal(field) }
}

/// Whether a number in octal stands behind a NUL, which some readers take for its end.
pub(super) fn is_behind_nul(field: &[u8]) -> bool {
    let digits = field.iter().position(|&b| b != b' ' && b != 0).unwrap_or(0);
    field[0] & 0x80 == 0 && field[..digits].contains(&0)
}

/// [`number`] where a negative one has no meaning.
pub(super) fn unsigned(field: &[u8]) -> Option<u64> {
    number(field).and_then(|n| u64::try_from(n).ok())
}

fn octal(field: &[u8]) -> Option<i64> {
    let start = field.iter().position(|&b| b != b' ' && b != 0).unwrap_or(field.len());
    let mut value: i64 = 0;
    let mut rest = &field[start..];
    while let [digit @ b'0'..=b'7', tail @ ..] = rest {
        // At most 12 digits of 3 bits: no overflow.
        value = value << 3 | i64::from(digit - b'0');
        rest = tail;
    }
    text(rest).iter().all(|&b| b == b' ').then_some(value)
}

fn base256(field: &[u8]) -> Option<i64> {
    let invert = if field[0] & 0x40 != 0 { 0xff } else { 0 };
    let mut value: u64 = 0;
    for (i, byte) in field.iter().enumerate() {
        let byte = (byte ^ invert) & if i == 0 { 0x7f } else { 0xff };
        if value >> 55 != 0 {
            return None;
        }
        value = value << 8 | u64::from(byte);
    }
    let value = i64::try_from(value).ok()?;
    Some(if invert == 0 { value } else { !value })
}

/// Whether the checksum holds, as the sum of unsigned bytes or (old Sun tars) of signed ones.
pub(super) fn checksum_holds(block: &[u8; BLOCK]) -> bool {
    let Some(stored) = octal(&block[CHECKSUM]) else { return false };
    // The field itself counts as spaces.
    let mut counted = *block;
    counted[CHECKSUM].fill(b' ');
    stored == sum(&counted) || stored == counted.iter().map(|&b| i64::from(b.cast_signed())).sum::<i64>()
}

/// The sum of a block's bytes, eight at a time: it is asked of every header.
fn sum(block: &[u8; BLOCK]) -> i64 {
    const EVEN: u64 = 0x00ff_00ff_00ff_00ff;
    // Each of the four lanes has two bytes of each word, so at most 128 · 255.
    let lanes = block.as_chunks().0.iter().fold(0, |lanes, word| {
        let word = u64::from_ne_bytes(*word);
        lanes + (word & EVEN) + (word >> 8 & EVEN)
    });
    lanes.to_ne_bytes().as_chunks().0.iter().map(|lane| i64::from(u16::from_ne_bytes(*lane))).sum()
}

/// The dialect, by the magic. Go before 1.8 wrote POSIX's magic with GNU's version, so the version counts for GNU only.
pub(super) fn format(block: &[u8; BLOCK]) -> Format {
    match (&block[MAGIC], &block[VERSION]) {
        (b"ustar\0", _) => Format::Ustar,
        (b"ustar ", b" \0") => Format::Gnu,
        _ => Format::V7,
    }
}

/// The part of the path that is kept apart from the name; empty if there is none.
pub(super) fn prefix(block: &[u8; BLOCK], format: Format) -> &[u8] {
    let star = block[STAR_TRAILER] == *b"tar\0";
    match format {
        Format::V7 => &[],
        Format::Ustar if star => text(&block[STAR_PREFIX]),
        Format::Ustar => text(&block[PREFIX]),
        Format::Gnu => {
            // GNU keeps times there. Go before 1.8, and so Docker of that age, wrote a prefix all the same; today's
            // Go takes one where the times cannot be times.
            let no_time = |at: Range<usize>| block[at.start] != 0 && number(&block[at]).is_none();
            let prefix = text(&block[PREFIX]);
            if prefix.is_ascii() && (no_time(GNU_ATIME) || no_time(GNU_CTIME)) { prefix } else { &[] }
        }
    }
}

/// Whether readers differ in what of the header is a prefix: those that join it whatever the dialect, and those that do not.
pub(super) fn has_foreign_prefix(block: &[u8; BLOCK], format: Format) -> bool {
    match format {
        Format::Ustar if block[STAR_TRAILER] == *b"tar\0" => !block[STAR_PREFIX].contains(&0),
        Format::Ustar => false,
        Format::V7 | Format::Gnu => !text(&block[PREFIX]).is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        // The vectors are those of Go's `archive/tar` (strconv_test.go) where it has them.
        for (field, expected) in [
            (&b"0000000\0"[..], Some(0)),
            (b"0000644\0", Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (b"        ", Some(0)),
            (b"\x000000644", Some(0o644)),
            (b"0123\0xyz", Some(0o123)),
            (b"01 3\0\0\0\0", None),
            (b"0000648\0", None),
            (b"-000001\0", None),
            (b"77777777", Some(0o77777777)),
            (b"\x80", Some(0)),
            (b"\x80\x00\x00\x07\x76\xa2\x22\xeb\x8a\x72\x61", Some(537795476381659745)),
            (b"\xff", Some(-1)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff", Some(-1)),
            (b"\xc0", Some(-64)),
            (b"\x87\x76\xa2\x22\xeb\x8a\x72\x61", Some(537795476381659745)),
            (b"\xf7\x76\xa2\x22\xeb\x8a\x72\x61", Some(-615126028225187231)),
            (b"\x80\x7f\xff\xff\xff\xff\xff\xff\xff", Some(i64::MAX)),
            (b"\x80\x80\x00\x00\x00\x00\x00\x00\x00", None),
            (b"\xff\x80\x00\x00\x00\x00\x00\x00\x00", Some(i64::MIN)),
            (b"\xff\x7f\xff\xff\xff\xff\xff\xff\xff", None),
            (b"\xf5\xec\xd1\xc7\x7e\x5f\x26\x48\x81\x9f\x8f\x9b", None),
        ] {
            assert_eq!(number(field), expected, "{field:x?}");
        }
        assert_eq!(unsigned(b"\xff\xff\xff\xff\xff\xff\xff\xff"), None);
    }

    #[test]
    fn checksums() {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[0] = 0xff;
        header.set_cksum();
        let mut block = *header.as_bytes();
        assert!(checksum_holds(&block));
        // The signed sum is 256 less, for the one byte above 127.
        let sum = number(&block[CHECKSUM]).expect("written above");
        block[CHECKSUM].copy_from_slice(format!("{:06o}\0 ", sum - 256).as_bytes());
        assert!(checksum_holds(&block));
        block[CHECKSUM].copy_from_slice(format!("{:06o}\0 ", sum - 255).as_bytes());
        assert!(!checksum_holds(&block));
        block[CHECKSUM].copy_from_slice(b"what    ");
        assert!(!checksum_holds(&block));
    }
}
