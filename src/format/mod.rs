//! One module per archive form: how to recognise it, read it, and write it.
//!
//! # How to add a format
//!
//! 1. A module with `detect` (names and first bytes only) and `open`, and a sink if it can be written.
//! 2. One line in [`FORMATS`].
//! 3. One good case in `corpus/`; the conversion matrix picks it up by itself.

pub mod docker_archive;
pub mod ingest;
pub mod lone;
pub mod oci_layout;
pub mod registry_storage;
pub mod sink;
pub mod sinks;
pub mod skopeo_dir;
pub mod tree;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::digest::Digest;
use crate::error::{Context, Error, Result};
use crate::limits::Limits;
use crate::media::Codec;
use crate::model::Archive;
use crate::model::build::Builder;
use ingest::{Ingested, SpoolDir};
use tree::Tree;

/// A form of archive.
pub struct Format {
    /// The transport that people type, such as `oci`.
    pub id: &'static str,
    /// What it is called in sentences.
    pub title: &'static str,
    /// Whether the members are those of this form.
    pub detect: fn(&Tree) -> bool,
    /// Reads the graph.
    pub open: fn(Tree, Ingested, &Limits) -> Result<Archive>,
}

/// Every form, in the order in which they are tried (formats.md 0.3): the first that is recognised is taken.
///
/// A dual archive (Docker 25 and later) is recognised as a docker-archive, which reads the union of both halves.
pub static FORMATS: &[Format] = &[
    Format {
        id: "docker-archive",
        title: "docker-archive",
        detect: docker_archive::detect,
        open: docker_archive::open,
    },
    Format { id: "oci", title: "OCI layout", detect: oci_layout::detect, open: oci_layout::open },
    Format { id: "dir", title: "dir: layout", detect: skopeo_dir::detect, open: skopeo_dir::open },
    Format {
        id: "registry-storage",
        title: "registry storage",
        detect: registry_storage::detect,
        open: registry_storage::open,
    },
];

/// The format of an ID; `oci-archive` is an OCI layout in a tar.
pub fn by_id(id: &str) -> Option<&'static Format> {
    let id = if id == "oci-archive" { "oci" } else { id };
    FORMATS.iter().find(|format| format.id == id)
}

/// Where an archive is to be read from.
pub enum Input {
    /// A file or folder.
    Path(std::path::PathBuf),
    /// A tar stream.
    Stream(Box<dyn Read + Send>),
}

/// How to open an archive.
pub struct OpenOptions<'a> {
    /// What the user typed, for messages.
    pub place: &'a str,
    /// The form that the user named, by ID.
    pub form: Option<&'static str>,
    /// The caps in force.
    pub limits: &'a Limits,
    /// Where a stream is spooled.
    pub spool: &'a mut dyn FnMut() -> Result<SpoolDir>,
    /// Whether a single document or layer is taken for an archive of its own (`check`), and what it is if the user
    /// said so.
    pub lone: Option<Option<lone::Kind>>,
    /// Told the bytes spooled so far.
    pub progress: &'a mut (dyn FnMut(u64) + Send),
}

/// Opens an archive of any form.
pub fn open(input: Input, options: OpenOptions<'_>) -> Result<Archive> {
    let mut input = input;
    let mut layer = None;
    if let Some(kind) = options.lone {
        if kind.is_some() && (options.form.is_some() || matches!(&input, Input::Path(path) if path.is_dir()))
        {
            let help = "leave --as out, or give the path of one file without prefix";
            return Err(Error::refused_help(
                format!("{} is no single document or layer", options.place),
                help,
            ));
        }
        if options.form.is_none() {
            (input, layer) = match input {
                Input::Path(path) if path.is_file() => {
                    if kind.is_some() || lone::looks_like_json(&first_bytes(&path)?) {
                        return lone::open(options.place, &path, kind, options.limits);
                    }
                    if let Some(because) = lone::no_archive(&path, options.limits)? {
                        return lone::layer(options.place, &path, Some(because), options.limits);
                    }
                    (Input::Path(path.clone()), Some(path))
                }
                Input::Path(path) if path.is_dir() => (Input::Path(path), None),
                other => {
                    let (first, stream) = first_of(other, options.place)?;
                    if kind.is_some() || lone::looks_like_json(&first) {
                        let spool = (options.spool)()?;
                        return lone::spooled(options.place, stream, kind, &spool, options.limits);
                    }
                    (Input::Stream(stream), None)
                }
            };
        }
    }
    let (tree, ingested) = tree_of(input, options.place, options.limits, options.spool, options.progress)?;
    let format = match options.form {
        Some(id) => by_id(id).filter(|format| (format.detect)(&tree) || accepts_damaged(id, &tree)),
        None => FORMATS.iter().find(|format| (format.detect)(&tree)).or_else(|| cut_short(&tree)),
    };
    let Some(format) = format else {
        // What would tell the form may be in the part that is missing: the image is wrong, not the request.
        let named =
            tree.members.is_empty() || tree.members.iter().any(|member| is_of_an_archive(&member.name));
        let archive = layer.is_none() || named;
        if tree.is_cut() && archive && (!tree.members.is_empty() || tree.outer.is_some()) {
            return Ok(
                Builder::new("unknown", tree, ingested, options.limits, Box::new(|_, _, _| None)).archive
            );
        }
        if let Some(limit) = tree.cut_at_members() {
            // What shows what it is may follow, so it is not judged as what it seems to be.
            let message = format!(
                "{}: nothing among the first {limit} members shows what it is, and the rest was not read",
                tree.place
            );
            let help = "raise the limit with --limit members=VALUE; if it is a layer, say so with --as layer";
            return Err(Error::refused_help(message, help));
        }
        // A tar that is no image archive. If it is compressed it is read twice: only its end shows that it is none.
        return match layer {
            Some(path) => {
                lone::layer(options.place, &path, Some(why_not(&tree, options.form)), options.limits)
            }
            None if options.lone.is_some() && options.form.is_none() && !tree.is_folder() => {
                let reason = why_not(&tree, None) + "; if it is a layer, say so with --as layer";
                Err(Error::NotAnArchive { place: tree.place, reason })
            }
            None => Err(not_an_archive(&tree, options.form)),
        };
    };
    (format.open)(tree, ingested, options.limits)
}

fn tree_of(
    input: Input,
    place: &str,
    limits: &Limits,
    spool: &mut dyn FnMut() -> Result<SpoolDir>,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<(Tree, Ingested)> {
    let path = match input {
        Input::Stream(stream) => return ingest::ingest(place, stream, spool()?, limits, progress),
        Input::Path(path) => path,
    };
    let meta = std::fs::metadata(&path).at("cannot open", &path)?;
    if meta.is_dir() {
        return Ok((Tree::of_folder(place, &path, limits)?, Ingested::new()));
    }
    let file = File::open(&path).at("cannot open", &path)?;
    if !meta.is_file() {
        // A FIFO or device cannot be read twice.
        return ingest::ingest(place, Box::new(file), spool()?, limits, progress);
    }
    let first = first_bytes(&path)?;
    if Codec::sniff(&first) != Codec::Plain {
        let file = File::open(&path).at("cannot open", &path)?;
        return ingest::ingest(place, Box::new(file), spool()?, limits, progress);
    }
    if !is_tar(&path, &file)? {
        let what = describe(&path, &first, meta.len());
        return Err(Error::NotAnArchive { place: place.to_owned(), reason: what });
    }
    Ok((Tree::of_tar(place, &path, file, limits)?, Ingested::new()))
}

/// What a stream begins with, and the whole of it. A FIFO or device is a stream.
fn first_of(input: Input, place: &str) -> Result<(Vec<u8>, Box<dyn Read + Send>)> {
    let mut stream: Box<dyn Read + Send> = match input {
        Input::Stream(stream) => stream,
        Input::Path(path) => Box::new(File::open(&path).at("cannot open", &path)?),
    };
    let mut first = Vec::new();
    (&mut stream).take(16).read_to_end(&mut first).at("cannot read", place)?;
    Ok((first.clone(), Box::new(std::io::Cursor::new(first).chain(stream))))
}

/// What a file begins with, to tell what it is.
fn first_bytes(path: &Path) -> Result<Vec<u8>> {
    let mut first = Vec::new();
    let file = File::open(path).at("cannot open", path)?;
    file.take(16).read_to_end(&mut first).at("cannot read", path)?;
    Ok(first)
}

/// Whether a file begins like a tar: a header with a sound checksum, or with the magic of one, or end blocks.
fn is_tar(path: &Path, file: &File) -> Result<bool> {
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

fn describe(path: &Path, first: &[u8], size: u64) -> String {
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

/// Asked for by name, a form is read although what makes it recognisable is missing: the fault is then a finding.
fn accepts_damaged(id: &str, tree: &Tree) -> bool {
    match id {
        "oci" | "oci-archive" => {
            oci_layout::detect(tree) || tree.get(b"index.json").is_some() || cut_short(tree).is_some()
        }
        "docker-archive" => tree.get(b"manifest.json").is_some() || accepts_damaged("oci", tree),
        "dir" => tree.get(b"manifest.json").is_some() && !docker_archive::detect(tree),
        _ => false,
    }
}

/// The form of what holds blobs and nothing that names them: most writers put the documents last, so this is what is
/// left of a save that broke off. That is a fault of the image, not a question of the form.
fn cut_short(tree: &Tree) -> Option<&'static Format> {
    tree.has_below("blobs/sha256/").then(|| by_id("oci")).flatten()
}

/// Whether a member may be one of an image archive, which layers have no reason to have.
fn is_of_an_archive(name: &[u8]) -> bool {
    const AT_TOP: &[&[u8]] = &[b"manifest.json", b"index.json", b"oci-layout", b"repositories", b"blobs"];
    // A digest or ID, with or without an extension.
    let hex = |part: &[u8]| part.len() >= 64 && part[..64].iter().all(u8::is_ascii_hexdigit);
    let mut parts = name.split(|byte| *byte == b'/');
    parts.clone().next().is_some_and(|top| AT_TOP.contains(&top))
        || parts.any(|part| part == b"layer.tar" || hex(part))
        || bstr::ByteSlice::contains_str(name, "docker/registry/v2")
}

fn not_an_archive(tree: &Tree, asked: Option<&str>) -> Error {
    Error::NotAnArchive { place: tree.place.clone(), reason: why_not(tree, asked) }
}

/// Why a tree is no image archive.
fn why_not(tree: &Tree, asked: Option<&str>) -> String {
    let found = FORMATS.iter().find(|format| (format.detect)(tree)).map(|format| format.title);
    let rootfs = ROOTFS.iter().filter(|d| tree.has_below(&format!("{d}/"))).count() >= 2;
    reason(asked, found, tree.members.len(), rootfs)
}

/// Directories of which a root file system has two.
const ROOTFS: [&str; 4] = ["etc", "usr", "bin", "var"];

/// The indefinite article before the name of a form.
fn article(name: &str) -> &'static str {
    if name.starts_with(['o', 'O']) { "an" } else { "a" }
}

fn reason(asked: Option<&str>, found: Option<&str>, members: usize, rootfs: bool) -> String {
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

/// `blobs/<algorithm>/<encoded>` of a member name, as in an OCI layout.
pub(crate) fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm_name(), digest.encoded())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A save that broke off has blobs and no document; asked for by name or not, that is a truncated archive.
    #[test]
    fn a_tar_cut_before_its_documents_opens() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("cut.tar");
        let mut builder = ::tar::Builder::new(Vec::new());
        let mut header = ::tar::Header::new_ustar();
        header.set_size(1000);
        header.set_mode(0o644);
        let name = format!("blobs/sha256/{}", "0".repeat(64));
        builder.append_data(&mut header, &name, &[1; 1000][..]).expect("in memory");
        let bytes = builder.into_inner().expect("in memory");
        std::fs::write(&path, &bytes[..1000]).expect("written");

        for form in [None, Some("oci"), Some("oci-archive"), Some("docker-archive")] {
            let options = OpenOptions {
                place: "cut.tar",
                form,
                limits: &Limits::default(),
                spool: &mut || SpoolDir::new(None),
                lone: None,
                progress: &mut |_| {},
            };
            let archive = open(Input::Path(path.clone()), options).expect("opens");
            let findings = crate::rules::run(&archive, &Default::default(), crate::rules::Scope::All);
            let names: Vec<&str> = findings.iter().map(|finding| finding.rule.name).collect();
            assert_eq!(names, ["archive/truncated"], "{form:?}");
        }
    }
}
