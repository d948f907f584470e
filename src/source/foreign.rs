//! What is no tar, by its first bytes, and why it came instead of one.

use bstr::ByteSlice;

use crate::media::Codec;
use crate::tar;

/// So many bytes tell.
pub const FIRST: usize = tar::BLOCK;

/// What something begins with, and what it is then: with what to do about it, where that is known.
const BEGINNINGS: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "it is a zip file; give the archive that is in it"),
    (b"PK\x05\x06", "it is an empty zip file"),
    (b"\x04\x22\x4d\x18", "it is compressed by lz4; decompress it first, with `lz4 -d`"),
    (b"\x02\x21\x4c\x18", "it is compressed by lz4; decompress it first, with `lz4 -d`"),
    (b"LZIP", "it is compressed by lzip; decompress it first, with `lzip -d`"),
    (
        b"\x1f\x9d",
        "it is compressed by `compress` (.Z), which no image tool reads; decompress it first, with `gzip -d`",
    ),
    (b"7z\xbc\xaf\x27\x1c", "it is a 7z file; give the archive that is in it"),
    (b"Rar!\x1a\x07", "it is a rar file; give the archive that is in it"),
    (b"\xff\xfe", UTF_16),
    (b"\xfe\xff", UTF_16),
    (
        b"version https://git-lfs.github.com/spec/",
        "it is a pointer of Git LFS; fetch the file itself with `git lfs pull`",
    ),
    (b"/annex/objects/", "it is a pointer of git-annex; fetch the file itself with `git annex get`"),
    (b"\x7fELF", "it is a program"),
    (b"hsqs", "it is a squashfs file system; an image was wanted"),
    (b"QFI\xfb", "it is the disk of a virtual machine (qcow); an image of containers was wanted"),
];

const UTF_16: &str = "it is text in UTF-16, as PowerShell 5 makes of what `>` gets; let the tool write the file itself, with `-o FILE`";

/// Whether a block begins a tar: a header with a sound checksum, or with the magic of one, or end blocks; or what is left
/// of a header that was cut off.
pub fn is_tar(first: &[u8]) -> bool {
    let Some(block) = first.first_chunk::<FIRST>() else {
        let octal = |field: &[u8]| {
            let digits = field.strip_suffix(b"\0").or(field.strip_suffix(b" "));
            digits.is_some_and(|digits| digits.iter().all(|b| matches!(b, b'0'..=b'7')))
        };
        return first.get(100..108).is_some_and(octal) && first[..100].contains(&0);
    };
    tar::begins_with_header(first) || &block[257..262] == b"ustar" || block.iter().all(|&b| b == 0)
}

/// What bytes are that are neither a tar nor compressed by what is known here.
pub fn describe(first: &[u8]) -> String {
    if first.is_empty() {
        return "it is empty".into();
    }
    if let Some((_, what)) = BEGINNINGS.iter().find(|(magic, _)| first.starts_with(magic)) {
        return (*what).into();
    }
    let text = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first).trim_ascii_start();
    let begins = |with: &[u8]| text.get(..with.len()).is_some_and(|part| part.eq_ignore_ascii_case(with));
    if begins(b"<!doctype html") || begins(b"<html") {
        return "it is an HTML page: what was downloaded is not the file, but a page about it".into();
    }
    if begins(b"<?xml") {
        return "it is XML, such as the error that a server answered instead of the file".into();
    }
    if matches!(text.first(), Some(b'{' | b'[')) {
        return "it looks like a JSON document; give the folder or tar that holds it".into();
    }
    let line = text.lines().next().unwrap_or_default();
    match line.to_str() {
        Ok(line) if !line.is_empty() && !line.chars().any(char::is_control) => {
            let cut: String = line.chars().take(60).collect();
            let more = if cut.len() < line.len() { "…" } else { "" };
            format!("it is text, which begins with `{cut}{more}`")
        }
        _ => "it is neither a tar nor compressed by gzip, zstd, xz or bzip2".into(),
    }
}

/// Why something is no tar, by the first bytes of it, or of what its compression holds; `None` if it may be one.
pub fn no_tar(outer: Codec, first: &[u8]) -> Option<String> {
    if is_tar(first) {
        return None;
    }
    if outer == Codec::Plain {
        return Some(describe(first));
    }
    let inner = Codec::sniff(first);
    Some(match inner {
        Codec::Plain => format!("decompressed by {}, {}", outer.name(), describe(first)),
        _ => format!("it is compressed twice, by {} and {}; decompress it once", outer.name(), inner.name()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_named() {
        for (bytes, word) in [
            (&b""[..], "empty"),
            (b"PK\x03\x04\x14\x00", "zip"),
            (b"\x04\x22\x4d\x18\x64\x40", "lz4"),
            (b"\xff\xfeb\x00l\x00", "PowerShell"),
            (b"<!DOCTYPE HTML>\n<p>", "HTML"),
            (b"\n <html lang=en>", "HTML"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git lfs pull"),
            (b"<?xml version=\"1.0\"?><Error>", "XML"),
            (b"Error response from daemon: no such image\n", "`Error response from daemon: no such image`"),
            (b"{\"a\":1}", "JSON"),
            (b"\x00\x01\x02", "neither a tar"),
        ] {
            let told = no_tar(Codec::Plain, bytes).expect("no tar");
            assert!(told.contains(word), "{told}");
            let told = no_tar(Codec::Gzip, bytes).expect("no tar");
            assert!(told.starts_with("decompressed by gzip, ") && told.contains(word), "{told}");
        }
        assert!(no_tar(Codec::Gzip, b"\x1f\x8b\x08\x00").expect("no tar").contains("compressed twice"));
    }

    #[test]
    fn tars_are_tars() {
        let mut header = ::tar::Header::new_ustar();
        header.set_path("a").expect("a name");
        header.set_size(0);
        header.set_mode(0o644);
        header.set_cksum();
        let mut block = header.as_bytes().to_vec();
        assert_eq!(no_tar(Codec::Plain, &block), None);
        block[0] ^= 1;
        assert_eq!(no_tar(Codec::Plain, &block), None, "the magic is there");
        assert_eq!(no_tar(Codec::Plain, &[0; FIRST]), None);
        assert!(no_tar(Codec::Plain, &[0; FIRST - 1]).is_some());
        assert_eq!(no_tar(Codec::Plain, &block[..300]), None, "a header that was cut off");
    }
}
