//! What a file or stream is, by its first bytes and the names of its members.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Context, Error, Result};
use crate::source::foreign::FIRST;
use crate::source::{MemberKind, Tree};
use crate::store::{Access, Address};

/// Where an archive is to be read from.
pub enum Input {
    /// A file or folder.
    Path(std::path::PathBuf),
    /// A tar stream.
    Stream(Box<dyn Read + Send>),
    /// A place in a bucket, and how buckets are asked.
    Bucket(Address, Box<Access>),
}

/// What a stream begins with, and the whole of it. A FIFO or device is a stream.
pub(super) fn first_of(input: Input, place: &str) -> Result<(Vec<u8>, Box<dyn Read + Send>)> {
    let mut stream: Box<dyn Read + Send> = match input {
        Input::Stream(stream) => stream,
        Input::Path(path) => Box::new(File::open(&path).at("cannot open", &path)?),
        Input::Bucket(address, _) => {
            let message = format!("{address} does not say its form");
            let help = format!("write registry-storage:{address}, or oci-archive:{address} for a tar");
            return Err(Error::refused_help(message, help));
        }
    };
    let mut first = Vec::new();
    (&mut stream).take(FIRST as u64).read_to_end(&mut first).at("cannot read", place)?;
    Ok((first.clone(), Box::new(std::io::Cursor::new(first).chain(stream))))
}

/// What a file begins with, to tell what it is.
pub(super) fn first_bytes(path: &Path) -> Result<Vec<u8>> {
    let mut first = Vec::new();
    let file = File::open(path).at("cannot open", path)?;
    file.take(FIRST as u64).read_to_end(&mut first).at("cannot read", path)?;
    Ok(first)
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

/// Whether a member shows what an archive is that no form knows: one that lies a folder too deep, or holds archives.
pub(super) fn is_hint(name: &[u8]) -> bool {
    let inside = name.iter().position(|byte| *byte == b'/').map(|at| &name[at + 1..]);
    is_archive(name) || inside.is_some_and(is_of_an_archive)
}

/// Whether a name is one of an archive, by its end.
fn is_archive(name: &[u8]) -> bool {
    const ENDS: [&[u8]; 8] =
        [b".tar", b".tar.gz", b".tgz", b".tar.xz", b".tar.bz2", b".tar.zst", b".tar.zstd", b".tar.lz4"];
    let layer = name == b"layer.tar" || name.ends_with(b"/layer.tar");
    !layer && ENDS.iter().any(|end| name.len() > end.len() && name.ends_with(end))
}

/// Directories of which a root file system has two.
pub(super) const ROOTFS: [&str; 4] = ["etc", "usr", "bin", "var"];

/// The members of which one shows the form.
const KNOWN: [&str; 5] = ["oci-layout", "index.json", "manifest.json", "repositories", "docker/registry/v2"];

/// So many archives in an archive are named.
const SHOWN: usize = 3;

/// The indefinite article before the name of a form.
pub(super) fn article(name: &str) -> &'static str {
    if name.starts_with(['o', 'O']) { "an" } else { "a" }
}

/// Why what has these members is no image archive.
pub(super) fn why_not(tree: &Tree, asked: Option<&str>, found: Option<&str>) -> String {
    if let (Some(asked), Some(found)) = (asked, found) {
        return format!("it is no {asked}, but looks like {} {found}", article(found));
    }
    let rootfs = ROOTFS.iter().filter(|d| tree.has_below(&format!("{d}/"))).count() >= 2;
    let files = tree.members.iter().filter(|member| member.kind() == MemberKind::File);
    let mut archives: Vec<String> = files
        .filter(|member| is_archive(&member.name()))
        .map(|member| format!("`{}`", member.name()))
        .collect();
    archives.sort();
    match archives.as_slice() {
        _ if rootfs => reason(asked, tree.members.len(), true),
        [] => {
            let there = |name: &&&str| tree.get(name.as_bytes()).is_some();
            match KNOWN.iter().find(there) {
                // What shows a form is there, and not what it needs.
                Some(name) if asked.is_none() => {
                    format!("it has `{name}`, and nothing that an image needs beside it")
                }
                _ => reason(asked, tree.members.len(), false),
            }
        }
        [one] => format!("it holds another archive; take out and give {one}"),
        several => {
            let named = several[..several.len().min(SHOWN)].join(", ");
            let more = several.len().saturating_sub(SHOWN);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("it holds other archives; take out and give one of {named}{more}")
        }
    }
}

pub(super) fn reason(asked: Option<&str>, members: usize, rootfs: bool) -> String {
    match asked {
        _ if members == 0 => "it holds no members".into(),
        _ if rootfs => {
            "it holds a root file system, as `docker export` writes; use `docker save` for an image".into()
        }
        Some(asked) => format!("none of the members of {} {asked} is there", article(asked)),
        None => {
            let (last, others) = KNOWN.split_last().unwrap_or((&"", &[]));
            format!("found none of {} or {last} in it", others.join(", "))
        }
    }
}

/// With what `check` takes besides archives.
pub(super) fn or_layer(reason: String) -> String {
    reason + "; if it is a layer, judge it as one with --as layer"
}
