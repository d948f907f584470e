//! A single document or layer outside any archive: a config, manifest, index, `manifest.json`, schema 1 manifest, or a
//! tar.
//!
//! It is judged alone: what it points at, or what lies below it, is not expected to be there.

use std::io::Read;
use std::path::Path;

use super::docker_archive;
use crate::digest::Digest;
use crate::error::{Context, Error, Result};
use crate::json::Value;
use crate::limits::Limits;
use crate::location::{Location, MemberId};
use crate::media::{Codec, DocumentType, Family};
use crate::model::archive::*;
use crate::model::build::Builder;
use crate::model::legacy::jws::Jws;
use crate::model::{DocKind, Form, LoneKind, Sought, kind};
use crate::source::{Ingested, SpoolDir, Tree};
use crate::{codec, tar};

/// Whether a file begins like a JSON document.
pub fn looks_like_json(first: &[u8]) -> bool {
    let text = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first);
    matches!(text.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Reads one document or layer from a stream, by way of a file in `spool`.
pub fn spooled(
    place: &str,
    mut stream: Box<dyn Read + Send>,
    kind: Option<LoneKind>,
    spool: &SpoolDir,
    limits: &Limits,
) -> Result<Archive> {
    let path = spool.path().join("stdin");
    let mut file = std::fs::File::create_new(&path).at("cannot create", &path)?;
    // Of a document no more than shows that it is too large.
    let most = if kind == Some(LoneKind::Layer) { u64::MAX } else { limits.document_bytes.saturating_add(1) };
    std::io::copy(&mut (&mut stream).take(most), &mut file).at("cannot spool", place)?;
    // The open file stays readable after the directory is removed.
    open(place, &path, kind, limits)
}

/// Why a compressed tar is no image archive, by the names of its members: so a large layer need not be spooled to be told
/// from an archive. `None` if it may be one, as its first member shows of nearly all, or cannot be read.
pub fn no_archive(path: &Path, limits: &Limits) -> Result<Option<String>> {
    let codec = Codec::sniff(&super::detect::first_bytes(path)?);
    if codec == Codec::Plain {
        return Ok(None);
    }
    let file = std::fs::File::open(path).at("cannot open", path)?;
    let Ok((plain, _)) = codec::reader(codec, file, codec::caps(limits)) else {
        return Ok(None);
    };
    let mut tar = tar::Stream::new(plain.take(limits.layer_bytes), tar::Limits::from(limits));
    let (mut members, mut directories) = (0, [false; super::detect::ROOTFS.len()]);
    // Faults are said of the layer.
    while let Ok(next) = tar.next_entry() {
        let Some(entry) = next else {
            // What holds none may be no tar at all.
            if members == 0 {
                return Ok(None);
            }
            let rootfs = directories.iter().filter(|seen| **seen).count() >= 2;
            return Ok(Some(super::detect::reason(None, members, rootfs)));
        };
        let name = tar::clean(entry.path).path;
        let shows = super::detect::is_of_an_archive(&name) || super::detect::is_hint(&name);
        if shows || members as u64 >= limits.members {
            return Ok(None);
        }
        for (directory, seen) in super::detect::ROOTFS.iter().zip(&mut directories) {
            let below = name.strip_prefix(directory.as_bytes()).and_then(|rest| rest.strip_prefix(b"/"));
            *seen |= below.is_some_and(|below| !below.is_empty());
        }
        members += usize::from(!name.is_empty());
    }
    Ok(None)
}

/// Takes a file as one layer, whatever is in it.
pub fn layer(place: &str, path: &Path, limits: &Limits) -> Result<Archive> {
    let file = std::fs::File::open(path).at("cannot open", path)?;
    let tree = Tree::of_file(place, path, file)?;
    let name = tree.member(MemberId(0)).name().to_string();
    let mut builder = Builder::new(Form::Layer, tree, Ingested::new(), limits, ());
    let at = Location::member(MemberId(0));
    let blob = builder.blob_of_member(MemberId(0));
    builder.is_layer(blob);
    let layers = vec![Part::called(name, at.clone(), Some(blob))];
    let node = builder.node(Node {
        digest: None,
        media_type: None,
        blob: None,
        document: None,
        body: Body::Layer { layers },
        signatures: Vec::new(),
    });
    builder.archive.roots.push(Root::listed(at, node));
    Ok(builder.archive)
}

/// Reads one document; `kind` is found from the content if it is not given.
pub fn open(place: &str, path: &Path, kind: Option<LoneKind>, limits: &Limits) -> Result<Archive> {
    if kind == Some(LoneKind::Layer) {
        return layer(place, path, limits);
    }
    let file = std::fs::File::open(path).at("cannot open", path)?;
    let tree = Tree::of_file(place, path, file)?;
    let mut builder =
        Builder::new(Form::Document, tree, Ingested::new(), limits, |_: &Tree, _: &Digest, _: Sought| {
            Some(MemberId(0))
        });
    let member = MemberId(0);
    let Some(id) = builder.document(member, DocKind::Manifest(Family::Oci))? else {
        return Ok(builder.archive);
    };
    let document = builder.archive.document(id);
    let found = document.root().and_then(|root| kind_of(root, kind));
    let Some(doc_kind) = found else {
        if document.root().is_none() {
            // Not even JSON: the rule about syntax says so.
            return Ok(builder.archive);
        }
        let reason = "it is JSON, but none of the documents of an image; say which with --as";
        return Err(Error::NotAnArchive { place: place.to_owned(), reason: reason.into() });
    };
    builder.archive.documents[id.0 as usize].kind = doc_kind;
    match doc_kind {
        DocKind::DockerArchive => docker_archive::read_items(&mut builder, member)?,
        DocKind::Repositories => docker_archive::read_repositories(&mut builder, member)?,
        _ => {}
    }
    let document_type = match doc_kind {
        DocKind::Manifest(family) => Some(DocumentType::Manifest(family)),
        DocKind::Index(family) => Some(DocumentType::Index(family)),
        DocKind::Schema1 => Some(DocumentType::Schema1),
        _ => None,
    };
    let payload = match (&document.json, doc_kind) {
        (Ok(json), DocKind::Schema1) => Jws::read(&document.bytes, &json.root, document.depth).digest(),
        _ => None,
    };
    let digest = payload.unwrap_or_else(|| document.sha256.clone());
    // Nothing else is here to be found.
    let own = digest.clone();
    builder.set_find(move |_: &Tree, wanted: &Digest, _: Sought| (*wanted == own).then_some(member));
    if let Some(document_type) = document_type {
        let media_type = Some(kind::type_of(document_type).into());
        builder.manifest(digest, media_type, &Location::member(member))?;
    }
    Ok(builder.archive)
}

fn kind_of(root: &Value, kind: Option<LoneKind>) -> Option<DocKind> {
    let docker = |root: &Value| match kind::guess(root) {
        Some(DocumentType::Manifest(family) | DocumentType::Index(family)) => family,
        _ => Family::Oci,
    };
    Some(match kind {
        Some(LoneKind::Config) => DocKind::Config(Family::Docker),
        Some(LoneKind::Manifest) => DocKind::Manifest(docker(root)),
        Some(LoneKind::Index) => DocKind::Index(docker(root)),
        Some(LoneKind::DockerArchive) => DocKind::DockerArchive,
        Some(LoneKind::Schema1) => DocKind::Schema1,
        Some(LoneKind::OciLayout) => DocKind::OciLayout,
        Some(LoneKind::Repositories) => DocKind::Repositories,
        Some(LoneKind::V1Image) => DocKind::V1Image,
        Some(LoneKind::Descriptor) => DocKind::Descriptor,
        Some(LoneKind::Layer) | None => return guess(root),
    })
}

fn guess(root: &Value) -> Option<DocKind> {
    let has = |name: &str| root.get(name).is_some();
    if root.is_array() {
        // In any letter case, as some producers write them.
        let item = |item: &Value| {
            let named =
                |name: &str| item.members().iter().any(|m| m.key.to_string().eq_ignore_ascii_case(name));
            ["Config", "RepoTags", "Layers"].iter().any(|name| named(name))
        };
        let items = root.items();
        return (items.is_empty() || items.iter().any(item)).then_some(DocKind::DockerArchive);
    }
    let parts = ["schemaVersion", "config", "layers", "manifests", "blobs", "fsLayers"];
    if has("digest") && has("size") && !parts.iter().any(|name| has(name)) {
        return Some(DocKind::Descriptor);
    }
    if has("imageLayoutVersion") {
        return Some(DocKind::OciLayout);
    }
    if let Some(document_type) = kind::guess(root) {
        return Some(match document_type {
            DocumentType::Index(family) => DocKind::Index(family),
            DocumentType::Manifest(family) => DocKind::Manifest(family),
            DocumentType::Schema1 => DocKind::Schema1,
            DocumentType::ArtifactManifest => DocKind::ArtifactManifest,
        });
    }
    if has("manifests") {
        return Some(DocKind::Index(Family::Oci));
    }
    if has("layers") || has("schemaVersion") {
        return Some(DocKind::Manifest(Family::Oci));
    }
    if has("fsLayers") {
        return Some(DocKind::Schema1);
    }
    if has("rootfs") {
        return Some(DocKind::Config(Family::Docker));
    }
    if has("id") && (has("container_config") || has("parent") || has("created")) {
        return Some(DocKind::V1Image);
    }
    let members = root.members();
    let tags = |value: &Value| {
        !value.members().is_empty()
            && value.members().iter().all(|tag| tag.value.as_str().is_some_and(|id| id.len() == 64))
    };
    if !members.is_empty() && members.iter().all(|member| tags(&member.value)) {
        return Some(DocKind::Repositories);
    }
    (has("architecture") && (has("config") || has("os"))).then_some(DocKind::Config(Family::Docker))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::{self, Alone, Input, OpenOptions};
    use crate::rules::fixture::names;
    use crate::rules::{Scope, run};

    fn open_as(input: Input, lone: Alone, form: Option<&'static str>) -> Result<Archive> {
        let limits = &Limits::default();
        let spool = &mut || SpoolDir::new(None);
        let form = form.and_then(|id| form::FORMS.transport(id));
        form::open(input, OpenOptions { place: "here", form, limits, spool, lone, progress: &() })
    }

    /// The rules that find something in a file, and in the same bytes from a stream.
    fn found(bytes: &[u8], kind: Option<LoneKind>) -> Vec<&'static str> {
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        std::fs::write(file.path(), bytes).expect("written");
        let judge = |input| {
            let archive = open_as(input, kind.into(), None).expect("opens");
            names(&run(&archive, &Default::default(), Scope::All))
        };
        let found = judge(Input::Path(file.path().to_owned()));
        assert_eq!(judge(Input::Stream(Box::new(std::io::Cursor::new(bytes.to_vec())))), found);
        found
    }

    fn tar() -> Vec<u8> {
        let mut header = ::tar::Header::new_ustar();
        header.set_size(1);
        header.set_mode(0o644);
        let mut builder = ::tar::Builder::new(Vec::new());
        builder.append_data(&mut header, "etc/a", &b"x"[..]).expect("in memory");
        builder.into_inner().expect("in memory")
    }

    #[test]
    fn documents_are_told_by_their_content() {
        let id = "5".repeat(64);
        assert_eq!(found(br#"{"imageLayoutVersion":"1.0.0"}"#, None), [""; 0]);
        assert_eq!(found(br#"{"imageLayoutVersion":"2"}"#, None), ["layout/unknown-version"]);
        assert_eq!(found(format!(r#"{{"app":{{"1":"{id}"}}}}"#).as_bytes(), None), [""; 0]);
        assert_eq!(found(br#"{"app":{"1":"5"}}"#, Some(LoneKind::Repositories)), ["v1/bad-id"]);
        assert_eq!(found(format!(r#"{{"App":{{"1":"{id}"}}}}"#).as_bytes(), None), ["name/bad-reference"]);
        let item = |tag: &str| format!(r#"[{{"Config":"a.json","RepoTags":["{tag}"],"Layers":["b.tar"]}}]"#);
        assert_eq!(found(item("app:1").as_bytes(), None), [""; 0]);
        assert_eq!(found(item("App:1").as_bytes(), None), ["name/bad-reference"]);
        assert_eq!(found(b"[]", None), ["archive/no-images"]);
        let descriptor = |digest: &str| {
            let media_type = "application/vnd.oci.image.manifest.v1+json";
            format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":7}}"#)
        };
        assert_eq!(found(descriptor(&format!("sha256:{id}")).as_bytes(), None), [""; 0]);
        let bad = descriptor("sha256:5");
        assert_eq!(found(bad.as_bytes(), None), ["descriptor/bad-digest"]);
        assert_eq!(found(bad.as_bytes(), Some(LoneKind::Descriptor)), ["descriptor/bad-digest"]);
        let none = br#"[{"_type":"https://in-toto.io/Statement/v1"}]"#;
        let opened =
            open_as(Input::Stream(Box::new(std::io::Cursor::new(none.to_vec()))), Alone::ByContent, None);
        assert!(matches!(opened, Err(Error::NotAnArchive { .. })));
        assert_eq!(found(b"{", None), ["json/syntax"]);
        assert_eq!(found(b"x", Some(LoneKind::Config)), ["json/syntax"]);
    }

    #[test]
    fn limits_are_told() {
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        std::fs::write(file.path(), b"[1,2]").expect("written");
        for (values, expected) in [(3, &[][..]), (2, &["archive/limit-hit"])] {
            let limits = Limits { json_values: values, ..Limits::default() };
            let kind = Some(LoneKind::DockerArchive);
            let archive = open("here", file.path(), kind, &limits).expect("opens");
            let mut found = names(&run(&archive, &Default::default(), Scope::All));
            found.retain(|name| name.starts_with("archive/"));
            assert_eq!(found, expected, "{values}");
        }
    }

    #[test]
    fn a_tar_that_is_no_archive_is_a_layer_only_if_that_is_said() {
        let plain = tar();
        let zstd = zstd::encode_all(&plain[..], 1).expect("in memory");
        for bytes in [&plain[..], &zstd[..]] {
            let file = tempfile::NamedTempFile::new().expect("temporary file");
            std::fs::write(file.path(), bytes).expect("written");
            let open = |lone, form| open_as(Input::Path(file.path().to_owned()), lone, form);
            let stream = || Input::Stream(Box::new(std::io::Cursor::new(bytes.to_vec())));
            let words = |archive: Result<Archive>| archive.err().map(|error| error.to_string());
            let told = words(open(Alone::ByContent, None)).expect("no archive");
            assert!(told.ends_with("if it is a layer, judge it as one with --as layer"), "{told}");
            assert_eq!(words(open_as(stream(), Alone::ByContent, None)), Some(told));
            // Said to be one, it is one.
            let archive = open(Alone::As(LoneKind::Layer), None).expect("opens");
            assert_eq!((archive.form, archive.blobs.len()), (Form::Layer, 1));
            assert!(archive.blobs[0].layer && archive.blobs[0].referenced);
            assert_eq!(self::found(bytes, Some(LoneKind::Layer)), [""; 0]);
            // Only `check` takes layers, and only without a form.
            assert!(matches!(open(Alone::No, None), Err(Error::NotAnArchive { .. })));
            assert!(matches!(open(Alone::ByContent, Some("oci")), Err(Error::NotAnArchive { .. })));
        }
    }

    #[test]
    fn of_a_tar_that_was_cut_that_is_said() {
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        for name in ["x/layer.tar", "blobs/x", &format!("{}.json", "5".repeat(64)), "etc/manifest"] {
            let mut header = ::tar::Header::new_ustar();
            header.set_size(1000);
            header.set_mode(0o644);
            let mut builder = ::tar::Builder::new(Vec::new());
            builder.append_data(&mut header, name, &[0; 1000][..]).expect("in memory");
            std::fs::write(file.path(), &builder.into_inner().expect("in memory")[..600]).expect("written");
            let bytes = std::fs::read(file.path()).expect("read");
            for input in
                [Input::Path(file.path().to_owned()), Input::Stream(Box::new(std::io::Cursor::new(bytes)))]
            {
                let archive = open_as(input, Alone::ByContent, None).expect("opens");
                assert_eq!(archive.form, Form::Unknown, "{name}");
                let found = names(&run(&archive, &Default::default(), Scope::All));
                assert_eq!(found, ["archive/truncated"], "{name}");
            }
        }
    }

    #[test]
    fn a_kind_needs_a_single_file() {
        let refused = |input, form| {
            matches!(open_as(input, Alone::As(LoneKind::Config), form), Err(Error::Refused { .. }))
        };
        let dir = tempfile::tempdir().expect("temporary directory");
        assert!(refused(Input::Path(dir.path().to_owned()), None));
        assert!(refused(Input::Path(dir.path().to_owned()), Some("oci")));
    }
}
