//! What is in a layer that is no tar, by its first bytes.

/// Bytes that [`name`] looks at.
pub const LONGEST: usize = 6;

/// First bytes and what they begin.
const MAGIC: &[(&[u8], &str)] = &[
    (b"\x1f\x8b", "gzip once more"),
    (b"\x28\xb5\x2f\xfd", "zstd once more"),
    (b"\x04\x22\x4d\x18", "an lz4 stream"),
    (b"\x02\x21\x4c\x18", "an lz4 stream of the legacy format"),
    (b"\xfd7zXZ\0", "an xz stream"),
    (b"BZh", "a bzip2 stream"),
    (b"PK\x03\x04", "a zip file"),
    (b"PK\x05\x06", "a zip file"),
    (b"hsqs", "a squashfs image"),
    (b"\x7fELF", "an ELF program"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z file"),
];

/// What begins with these bytes, in words; `None` if nobody knows.
pub fn name(first: &[u8]) -> Option<&'static str> {
    MAGIC.iter().find(|(magic, _)| first.starts_with(magic)).map(|(_, name)| *name)
}
