//! Opening an archive of any form.

use std::fs::File;

use super::detect::{Input, first_bytes, first_of, is_of_an_archive, or_layer, why_not};
use super::format::{Forms, Reading, Transport};
use super::forms::FORMS;
use super::{lone, nested, oci_layout};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::limits::Limits;
use crate::media::Codec;
use crate::model::Archive;
use crate::model::build::Builder;
use crate::model::{Anomaly, Form, LoneKind};
use crate::progress::{Phase, Progress};
#[cfg(feature = "cloud")]
use crate::source::Remote;
use crate::source::{Ingested, SpoolDir, Tree, TreeAnomaly, foreign, ingest, ingest_file};
#[cfg(feature = "cloud")]
use crate::store::Bucket;
use crate::store::{Access, Address};

/// How to open an archive.
pub struct OpenOptions<'a> {
    /// What the user typed, for messages.
    pub place: &'a str,
    /// The form that the user named.
    pub form: Option<Transport>,
    /// The caps in force.
    pub limits: &'a Limits,
    /// Where a stream is spooled.
    pub spool: &'a mut dyn FnMut() -> Result<SpoolDir>,
    /// Whether a single document or layer is taken for an archive of its own (`check`), and what it is if the user
    /// said so.
    pub lone: Alone,
    /// Told of the bytes of a stream as they are spooled.
    pub progress: &'a dyn Progress,
}

/// Whether a single document or layer is taken for an archive of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Alone {
    /// It is not.
    #[default]
    No,
    /// As what its content shows.
    ByContent,
    /// As this.
    As(LoneKind),
}

impl Alone {
    /// What it was said to be.
    pub fn kind(self) -> Option<LoneKind> {
        match self {
            Alone::As(kind) => Some(kind),
            Alone::No | Alone::ByContent => None,
        }
    }
}

impl From<Option<LoneKind>> for Alone {
    fn from(kind: Option<LoneKind>) -> Alone {
        kind.map_or(Alone::ByContent, Alone::As)
    }
}

/// Opens an archive of any form.
pub fn open(input: Input, options: OpenOptions<'_>) -> Result<Archive> {
    open_among(FORMS, input, options)
}

/// Opens an archive that has one of these forms.
pub fn open_among(forms: Forms, input: Input, options: OpenOptions<'_>) -> Result<Archive> {
    let progress = options.progress;
    progress.begin(Phase::Open, 0);
    let archive = open_quietly(forms, input, options);
    progress.end();
    archive
}

fn open_quietly(forms: Forms, input: Input, options: OpenOptions<'_>) -> Result<Archive> {
    let (mut input, mut options) = (input, options);
    if options.lone != Alone::No {
        let kind = options.lone.kind();
        if kind.is_some() && (options.form.is_some() || matches!(&input, Input::Path(path) if path.is_dir()))
        {
            let help = "leave --as out, or give the path of one file without prefix";
            return Err(Error::refused_help(
                format!("{} is no single document or layer", options.place),
                help,
            ));
        }
        if options.form.is_none() {
            input = match input {
                Input::Path(path) if path.is_file() => {
                    if kind.is_some() || lone::looks_like_json(&first_bytes(&path)?) {
                        return lone::open(options.place, &path, kind, options.limits);
                    }
                    if let Some(because) = lone::no_archive(&path, options.limits)? {
                        let place = options.place.to_owned();
                        return Err(Error::NotAnArchive { place, reason: or_layer(because) });
                    }
                    Input::Path(path)
                }
                Input::Path(path) if path.is_dir() => Input::Path(path),
                other => {
                    let (first, stream) = first_of(other, options.place)?;
                    if kind.is_some() || lone::looks_like_json(&first) {
                        let spool = (options.spool)()?;
                        return lone::spooled(options.place, stream, kind, &spool, options.limits);
                    }
                    Input::Stream(stream)
                }
            };
        }
    }
    let (tree, ingested) = match input {
        Input::Bucket(address, access) => in_bucket(&address, &access, &mut options)?,
        other => tree_of(other, options.place, options.limits, options.spool, options.progress)?,
    };
    if let Some(reading) = reading_of(forms, &tree, options.form) {
        return opened(reading, tree, ingested, options.limits);
    }
    let tree = match nested::inside(tree, options.limits)? {
        (tree, Some(folder)) => match reading_of(forms, &tree, options.form) {
            Some(reading) => {
                let mut archive = opened(reading, tree, ingested, options.limits)?;
                archive.anomalies.push(Anomaly::InsideFolder { folder });
                return Ok(archive);
            }
            None => tree,
        },
        (tree, None) => tree,
    };
    // What would tell the form may be in the part that is missing: the image is wrong, not the request.
    let cut = tree.is_cut()
        && tree.cut_at_members().is_none()
        && (!tree.members.is_empty() || tree.outer.is_some());
    let named = tree.members.is_empty() || tree.members.iter().any(|member| is_of_an_archive(&member.name()));
    // Or who extracts it finds a document where there is none by the names.
    if cut || named && hides_a_document(&tree) {
        return Ok(Builder::new(Form::Unknown, tree, ingested, options.limits, ()).archive);
    }
    if let Some(limit) = tree.cut_at_members() {
        // What shows what it is may follow, so it is not judged as what it seems to be.
        let message = format!(
            "{}: nothing among the first {limit} members shows what it is, and the rest was not read",
            tree.place
        );
        let help = "raise the limit with --limit members=VALUE; if it is a layer, say so with --as layer";
        return Err(Error::refused_help(message, help).of(ErrorKind::Limit));
    }
    if options.lone != Alone::No && options.form.is_none() && !tree.is_folder() {
        let reason = or_layer(reason_of(forms, &tree, None));
        return Err(Error::NotAnArchive { place: tree.place, reason });
    }
    Err(not_an_archive(forms, &tree, options.form))
}

/// How a tree is read: as the form that was asked for, if it can be, or else as the first that is recognised.
fn reading_of(forms: Forms, tree: &Tree, asked: Option<Transport>) -> Option<&'static Reading> {
    let format = match asked {
        Some(asked) => asked.format,
        None => match forms.detected(tree) {
            Some(format) => format,
            None => oci_layout::cut_short(tree).then_some(&oci_layout::FORMAT)?,
        },
    };
    let known = |reading: &&Reading| (reading.detect)(tree) || (reading.accepts_damaged)(tree);
    format.reading.as_ref().filter(known)
}

fn opened(reading: &Reading, tree: Tree, ingested: Ingested, limits: &Limits) -> Result<Archive> {
    let mut archive = (reading.open)(tree, ingested, limits)?;
    archive.shrink();
    Ok(archive)
}

fn tree_of(
    input: Input,
    place: &str,
    limits: &Limits,
    spool: &mut dyn FnMut() -> Result<SpoolDir>,
    progress: &dyn Progress,
) -> Result<(Tree, Ingested)> {
    let path = match input {
        Input::Path(path) => path,
        other => return ingest(place, first_of(other, place)?.1, spool()?, limits, progress),
    };
    let meta = std::fs::metadata(&path).at("cannot open", &path)?;
    if meta.is_dir() {
        return Ok((Tree::of_folder(place, &path, limits)?, Ingested::new()));
    }
    let file = File::open(&path).at("cannot open", &path)?;
    if !meta.is_file() {
        // A FIFO or device cannot be read twice.
        return ingest(place, Box::new(file), spool()?, limits, progress);
    }
    let first = first_bytes(&path)?;
    let codec = Codec::sniff(&first);
    if codec != Codec::Plain {
        return ingest_file((place, &path), codec, spool()?, limits, progress);
    }
    if let Some(reason) = foreign::no_tar(Codec::Plain, &first) {
        return Err(Error::NotAnArchive { place: place.to_owned(), reason });
    }
    Ok((Tree::of_tar(place, &path, file, limits)?, Ingested::new()))
}

/// A place in a bucket: what is listed below a name, or a tar that is one object.
#[cfg(feature = "cloud")]
fn in_bucket(address: &Address, access: &Access, options: &mut OpenOptions<'_>) -> Result<(Tree, Ingested)> {
    let OpenOptions { place, form, limits, spool, progress, .. } = options;
    let bucket = Bucket::open(address, access)?;
    if !form.is_some_and(|transport| transport.writing.can.stream) {
        let tree = Tree::of_bucket(place, &bucket, &super::registry_storage::known::known, limits)?;
        return Ok((tree, Ingested::new()));
    }
    let tar = Remote::open(&bucket)?;
    let first = tar.first(foreign::FIRST as u64)?;
    if Codec::sniff(&first) != Codec::Plain {
        return ingest(place, tar.stream()?, spool()?, limits, *progress);
    }
    if let Some(reason) = foreign::no_tar(Codec::Plain, &first) {
        return Err(Error::NotAnArchive { place: (*place).to_owned(), reason });
    }
    Ok((Tree::of_object(place, tar, limits)?, Ingested::new()))
}

/// Without the feature no bucket is opened.
#[cfg(not(feature = "cloud"))]
fn in_bucket(address: &Address, _: &Access, _: &mut OpenOptions<'_>) -> Result<(Tree, Ingested)> {
    Err(crate::store::absent(address))
}

/// Whether other readers may find a document in what has none by the names of its members: one that is elsewhere for who
/// extracts the archive, or is called otherwise, or hidden in data, for who reads a header in another way.
fn hides_a_document(tree: &Tree) -> bool {
    use crate::tar::AnomalyKind as Kind;
    let documents: [&[u8]; 4] = [b"manifest.json", b"index.json", b"oci-layout", b"repositories"];
    tree.anomalies.iter().any(|anomaly| match anomaly {
        TreeAnomaly::Ambiguous { member, .. } => {
            let name = tree.member(*member).name();
            let last = name.rsplit(|byte| *byte == b'/').next();
            last.is_some_and(|last| documents.contains(&last))
        }
        TreeAnomaly::Polyglot { .. } => true,
        TreeAnomaly::Tar(anomaly) => matches!(
            anomaly.kind,
            Kind::EntriesAfterEnd { .. }
                | Kind::RepeatedExtension { .. }
                | Kind::MalformedPax { .. }
                | Kind::PaxSizeOverride { .. }
                | Kind::GlobalPax { overrides: true }
                | Kind::ConflictingNames
                | Kind::SizeBehindNul { .. }
                | Kind::SizeOnNonFile { .. }
                | Kind::SparseRecords
                | Kind::FileNamedAsDirectory
                | Kind::ForeignPrefix
                | Kind::NulInPath
        ),
        _ => false,
    })
}

fn not_an_archive(forms: Forms, tree: &Tree, asked: Option<Transport>) -> Error {
    Error::NotAnArchive { place: tree.place.clone(), reason: reason_of(forms, tree, asked) }
}

/// Why a tree is no image archive.
fn reason_of(forms: Forms, tree: &Tree, asked: Option<Transport>) -> String {
    let found = forms.detected(tree).map(|format| format.title);
    why_not(tree, asked.map(Transport::id), found)
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
                form: form.and_then(|id| FORMS.transport(id)),
                limits: &Limits::default(),
                spool: &mut || SpoolDir::new(None),
                lone: crate::form::Alone::No,
                progress: &(),
            };
            let archive = open(Input::Path(path.clone()), options).expect("opens");
            let findings = crate::rules::run(&archive, &Default::default(), crate::rules::Scope::All);
            let names: Vec<&str> = findings.iter().map(|finding| finding.rule.name).collect();
            assert_eq!(names, ["archive/truncated"], "{form:?}");
        }
    }
}
