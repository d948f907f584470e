//! Documents and layouts from literals, for the tests of rules.

use std::path::Path;
use std::sync::Arc;

use crate::digest::Digest;
use crate::format::{self, Input, OpenOptions, ingest::SpoolDir};
use crate::json;
use crate::limits::Limits;
use crate::model::{Archive, DocKind, Document, Facts};
use crate::report::{Finding, MemberId};
use crate::rules::{Scope, run};

/// A document of some kind.
pub(crate) fn document(kind: DocKind, text: &str) -> Document {
    Document {
        member: MemberId(0),
        kind,
        bytes: Arc::from(text.as_bytes()),
        sha256: Digest::sha256(text.as_bytes()),
        json: json::parse(text.as_bytes(), 64),
    }
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
            form: Some("oci"),
            limits: &Limits::default(),
            spool: &mut || SpoolDir::new(None),
            lone: None,
            progress: &mut |_| {},
        };
        format::open(Input::Path(self.dir.path().to_owned()), options).expect("opens")
    }

    /// What the whole run finds, without facts of blobs.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        run(&self.open(), &Facts::default(), Scope::All)
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
