//! Whole texts, compressed to be kept: frames of zstd that say their size.

use std::io;

/// How hard they are compressed: what takes no time.
const LEVEL: i32 = 3;

/// Compressed.
pub fn pack(text: &[u8]) -> Vec<u8> {
    // Writing to memory does not fail.
    zstd::bulk::compress(text, LEVEL).unwrap_or_default()
}

/// What was compressed.
///
/// # Errors
///
/// It is no such frame, or holds more than `limit` bytes.
pub fn unpack(bytes: &[u8], limit: usize) -> io::Result<Vec<u8>> {
    let size = zstd::zstd_safe::get_frame_content_size(bytes).ok().flatten();
    let size = size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size <= limit);
    let size = size.ok_or(io::ErrorKind::InvalidData)?;
    zstd::bulk::decompress(bytes, size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for text in [&b""[..], b"x", &[7; 100_000]] {
            assert_eq!(unpack(&pack(text), 100_000).expect("a frame"), text);
        }
        assert!(unpack(&pack(&[7; 100]), 99).is_err());
        assert!(unpack(b"no frame", 99).is_err());
        assert!(unpack(b"", 99).is_err());
    }
}
