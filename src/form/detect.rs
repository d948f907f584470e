//! What a file or stream is, by its first bytes and the names of its members.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Context, Result};

/// Where an archive is to be read from.
pub enum Input {
    /// A file or folder.
    Path(std::path::PathBuf),
    /// A tar stream.
    Stream(Box<dyn Read + Send>),
}

/// What a stream begins with, and the whole of it. A FIFO or device is a stream.
pub(super) fn first_of(input: Input, place: &str) -> Result<(Vec<u8>, Box<dyn Read + Send>)> {
    let mut stream: Box<dyn Read + Send> = match input {
        Input::Stream(stream) => stream,
        Input::Path(path) => Box::new(File::open(&path).at("cannot open", &path)?),
    };
    let mut first = Vec::new();
    (&mut stream).take(16).read_to_end(&mut first).at("cannot read", place)?;
    Ok((first.clone(), Box::new(std::io::Cursor::new(first).chain(stream))))
}

/// What a file begins with, to tell what it is.
pub(super) fn first_bytes(path: &Path) -> Result<Vec<u8>> {
    let mut first = Vec::new();
    let file = File::open(path).at("cannot open", path)?;
    file.take(16).read_to_end(&mut first).at("cannot read", path)?;
    Ok(first)
}

/// Whether a file begins like a tar: a header with a sound checksum, or with the magic of one, or end blocks.
pub(super) fn is_tar(path: &Path, file: &File) -> Result<bool> {
    use std::os::unix::fs::FileExt;
    let mut block = [0; 512];
    let mut filled = 0;
    while filled < block.len() {
        match file.read_at(&mut block[filled..], filled as u64).at("cannot read", path)? {
            0 => break,
            n => filled += n,
        }
    }
    let sum: u32 = block.iter().map(|&b| u32::from(b)).sum::<u32>()
        - block[148..156].iter().map(|&b| u32::from(b)).sum::<u32>()
        + 8 * u32::from(b' ');
    let text: String = block[148..156].iter().map(|&b| char::from(b)).collect();
    let claimed = u32::from_str_radix(text.trim_matches([' ', '\0']), 8);
    Ok(filled == 512 && (claimed == Ok(sum) || &block[257..262] == b"ustar" || block.iter().all(|&b| b == 0)))
}

pub(super) fn describe(path: &Path, first: &[u8], size: u64) -> String {
    if size == 0 {
        return "the file is empty".into();
    }
    if matches!(first.trim_ascii_start().first(), Some(b'{' | b'[')) {
        return "it looks like a JSON document; give the folder or tar that holds it".into();
    }
    if first.starts_with(b"\x1f\x9d") {
        return "it is compressed by `compress` (.Z), which no image tool reads".into();
    }
    if path.extension().is_some_and(|extension| extension == "zip") || first.starts_with(b"PK") {
        return "it is a zip file".into();
    }
    "it is neither a tar nor compressed by gzip, zstd, xz or bzip2".into()
}

/// Whether a member may be one of an image archive, which layers have no reason to have.
pub(super) fn is_of_an_archive(name: &[u8]) -> bool {
    const AT_TOP: &[&[u8]] = &[b"manifest.json", b"index.json", b"oci-layout", b"repositories", b"blobs"];
    // A digest or ID, with or without an extension.
    let hex = |part: &[u8]| part.len() >= 64 && part[..64].iter().all(u8::is_ascii_hexdigit);
    let mut parts = name.split(|byte| *byte == b'/');
    parts.clone().next().is_some_and(|top| AT_TOP.contains(&top))
        || parts.any(|part| part == b"layer.tar" || hex(part))
        || bstr::ByteSlice::contains_str(name, "docker/registry/v2")
}

/// Directories of which a root file system has two.
pub(super) const ROOTFS: [&str; 4] = ["etc", "usr", "bin", "var"];

/// The indefinite article before the name of a form.
pub(super) fn article(name: &str) -> &'static str {
    if name.starts_with(['o', 'O']) { "an" } else { "a" }
}

pub(super) fn reason(asked: Option<&str>, found: Option<&str>, members: usize, rootfs: bool) -> String {
    match (asked, found) {
        (Some(asked), Some(found)) => {
            format!("it is no {asked}, but looks like {} {found}", article(found))
        }
        _ if members == 0 => "it holds no members".into(),
        _ if rootfs => {
            "it holds a root file system, as `docker export` writes; use `docker save` for an image".into()
        }
        (Some(asked), None) => {
            format!("none of the members of {} {asked} is there", article(asked))
        }
        (None, _) => format!(
            "found none of oci-layout, index.json, manifest.json, repositories or docker/registry/v2 among {members} members"
        ),
    }
}
