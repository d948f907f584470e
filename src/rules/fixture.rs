//! Documents and layouts from literals, for the tests of rules.

use std::path::Path;
use std::sync::Arc;

use crate::digest::Digest;
use crate::facts::Facts;
use crate::finding::Finding;
use crate::form::{self, Input, OpenOptions};
use crate::limits::Limits;
use crate::location::MemberId;
use crate::model::{Archive, Check, DocKind, Document, Listed, Text};
use crate::rules::{Scope, run};
use crate::source::SpoolDir;

/// A document of some kind.
pub(crate) fn document(kind: DocKind, text: &str) -> Document {
    document_of(kind, text.as_bytes())
}

/// The same of bytes that need not be text.
pub(crate) fn document_of(kind: DocKind, bytes: &[u8]) -> Document {
    let limits = Limits::default();
    let text = Arc::new(Text::parse(bytes.to_vec(), &limits));
    let (size, json) = (bytes.len() as u64, text.json.is_ok());
    let listed = Listed {
        member: MemberId(0),
        kind,
        sha256: Digest::sha256(bytes),
        size,
        json,
        other_diff_ids: false,
        has_subject: false,
        check: Check::default(),
    };
    Document::new(&listed, text, &limits)
}

/// The names of the rules that found something.
pub(crate) fn names(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.rule.name).collect()
}

/// What a rule finds in one document.
pub(crate) fn found(
    kind: DocKind,
    text: &str,
    rule: impl Fn(&Document, &mut Vec<Finding>),
) -> Vec<&'static str> {
    let mut out = Vec::new();
    rule(&document(kind, text), &mut out);
    names(&out)
}

/// An OCI layout in a temporary directory.
pub(crate) struct Layout {
    dir: tempfile::TempDir,
}

impl Layout {
    /// A layout without blobs.
    pub(crate) fn new() -> Layout {
        let layout = Layout { dir: tempfile::tempdir().expect("temporary directory") };
        layout.file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
        layout
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).expect("directory");
        std::fs::write(path, bytes).expect("written");
    }

    /// Writes a blob; its digest.
    pub(crate) fn blob(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::sha256(bytes);
        self.file(&format!("blobs/sha256/{}", digest.encoded()), bytes);
        digest
    }

    /// Writes a blob; its descriptor without closing brace, so that members can follow.
    pub(crate) fn open_descriptor(&self, media_type: &str, bytes: &[u8]) -> String {
        let digest = self.blob(bytes);
        format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{}"#, bytes.len())
    }

    /// Writes a blob; its descriptor.
    pub(crate) fn descriptor(&self, media_type: &str, bytes: &[u8]) -> String {
        self.open_descriptor(media_type, bytes) + "}"
    }

    /// Writes `index.json` with these descriptors.
    pub(crate) fn index_json(&self, manifests: &[String]) {
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{}]}}"#,
            manifests.join(",")
        );
        self.file("index.json", text.as_bytes());
    }

    /// Opens it.
    pub(crate) fn open(&self) -> Archive {
        let options = OpenOptions {
            place: "layout",
            form: form::FORMS.transport("oci"),
            limits: &Limits::default(),
            spool: &mut || SpoolDir::new(None),
            lone: crate::form::Alone::No,
            progress: &(),
        };
        form::open(Input::Path(self.dir.path().to_owned()), options).expect("opens")
    }

    /// What the whole run finds, without facts of blobs.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        run(&self.open(), &Facts::default(), Scope::All)
    }

    /// The names of the rules that find something once every blob was read; those that begin with one of `families`.
    pub(crate) fn checked(&self, families: &[&str]) -> Vec<&'static str> {
        let found = all_found(&self.open());
        names(&found)
            .into_iter()
            .filter(|name| families.iter().any(|family| name.starts_with(family)))
            .collect()
    }

    /// The names of the rules that find something; those that begin with `family`.
    pub(crate) fn found(&self, family: &str) -> Vec<&'static str> {
        names(&self.findings()).into_iter().filter(|name| name.starts_with(family)).collect()
    }
}

/// The config of an image for linux/amd64 with these layers.
pub(crate) fn config(diff_ids: &[&str]) -> String {
    let list: Vec<String> = diff_ids.iter().map(|id| format!("\"{id}\"")).collect();
    format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
        list.join(",")
    )
}

/// A tar in the making, with headers that hold names as they are given.
#[derive(Clone, Default)]
pub(crate) struct Tar(pub(crate) Vec<u8>);

impl Tar {
    /// A docker-archive of one sound image with one layer: `c.json`, `l.tar` and `manifest.json`.
    pub(crate) fn docker_archive() -> Tar {
        let layer = [0; 1024];
        let config = config(&[&Digest::sha256(&layer).to_string()]);
        let manifest = r#"[{"Config":"c.json","RepoTags":["a:1"],"Layers":["l.tar"]}]"#;
        Tar::default()
            .file("c.json", config.as_bytes())
            .file("l.tar", &layer)
            .file("manifest.json", manifest.as_bytes())
    }

    /// Adds a regular file.
    pub(crate) fn file(self, name: &str, data: &[u8]) -> Tar {
        self.entry(name, b'0', "", data)
    }

    /// Adds an entry of any type.
    pub(crate) fn entry(self, name: &str, kind: u8, link: &str, data: &[u8]) -> Tar {
        self.raw(name, kind, link, data, |_| {})
    }

    /// Adds an entry whose header is changed before its checksum is made.
    pub(crate) fn raw(
        mut self,
        name: &str,
        kind: u8,
        link: &str,
        data: &[u8],
        change: impl FnOnce(&mut [u8; 512]),
    ) -> Tar {
        let mut header = ::tar::Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(::tar::EntryType::new(kind));
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(data.len() as u64);
        change(header.as_mut_bytes());
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// The whole tar.
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }
}

/// Opens an archive, of a form found from its content.
pub(crate) fn open_path(path: &Path) -> Archive {
    let options = OpenOptions {
        place: "archive",
        form: None,
        limits: &Limits::default(),
        spool: &mut || SpoolDir::new(None),
        lone: crate::form::Alone::No,
        progress: &(),
    };
    form::open(Input::Path(path.to_owned()), options).expect("opens")
}

/// What the whole run finds in the bytes of an archive, without facts of blobs.
pub(crate) fn judge(bytes: &[u8]) -> Vec<Finding> {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("archive");
    std::fs::write(&path, bytes).expect("written");
    let archive = open_path(&path);
    let mut facts = Facts::default();
    crate::read::duplicates(&archive, &mut facts).expect("reads");
    run(&archive, &facts, Scope::All)
}

/// The names of the rules that find something in the bytes of an archive; those that begin with one of `prefixes`. The
/// members that tests add have no place in any form, which is not what they are about.
pub(crate) fn judged(bytes: &[u8], prefixes: &[&str]) -> Vec<&'static str> {
    let found = names(&judge(bytes)).into_iter().filter(|name| *name != "archive/unknown-member");
    found.filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix))).collect()
}

/// What every rule finds in an archive, those among them that are off by default.
pub(crate) fn all_found(archive: &Archive) -> Vec<Finding> {
    crate::jobs::check::run(archive, &Default::default(), &()).expect("reads").findings
}
