//! Writers that are wrong in one way each: none of them gets as far as the commit.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::form::Input;
use crate::form::oci_layout::layout_dir;
use crate::form::place::Place;
use crate::form::preview::Known;
use crate::form::sink::{Displaced, OutDocument, Output, Presence, Staged};
use crate::form::write::WriteOptions;
use crate::jobs::convert::{Destination, End, Goal, Origin, Request, Source, Target, run};
use crate::media;

/// What a writer does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    /// Nothing.
    Nothing,
    /// A layer has the type of another compression.
    Type,
    /// A layer's descriptor says one byte more.
    Size,
    /// A manifest has other bytes than its digest says.
    Digest,
    /// Two layers changed places.
    Order,
    /// A descriptor still holds the content of what stood there before.
    Stale,
    /// A layer did not arrive.
    Lost,
}

/// A sink in front of which something goes wrong.
struct Broken {
    inner: Box<dyn Sink>,
    wrong: Wrong,
    /// The one layer that is lost.
    lost: Digest,
}

impl Broken {
    fn document(&self, document: &OutDocument) -> OutDocument {
        let text = String::from_utf8(document.bytes.to_vec()).expect("JSON");
        let changed = match self.wrong {
            Wrong::Nothing | Wrong::Lost => return document.clone(),
            Wrong::Type => text.replacen(".v1.tar\"", ".v1.tar+gzip\"", 1),
            Wrong::Size => text.replacen("\"size\":1024", "\"size\":1025", 1),
            Wrong::Digest => text.replacen("\"schemaVersion\":2", "\"schemaVersion\": 2", 1),
            Wrong::Order => {
                let [a, b] = [layer(1), layer(2)].map(|layer| Digest::sha256(&layer).to_string());
                text.replace(&a, "first").replace(&b, &a).replace("first", &b)
            }
            Wrong::Stale => text.replacen("\"size\":1024", "\"size\":1024,\"data\":\"e30=\"", 1),
        };
        assert_ne!(changed, text, "{:?} changes nothing", self.wrong);
        let digest = if self.wrong == Wrong::Digest {
            document.digest.clone()
        } else {
            Digest::sha256(changed.as_bytes())
        };
        OutDocument { digest, bytes: Arc::from(changed.into_bytes()), ..document.clone() }
    }

    fn output(&self, output: &Output) -> Output {
        let mut output = output.clone();
        for document in &mut output.documents {
            let changed = self.document(document);
            for root in output.roots.iter_mut().filter(|root| root.target == document.digest) {
                root.target = changed.digest.clone();
            }
            *document = changed;
        }
        output
    }
}

impl Sink for Broken {
    fn ordered(&self) -> bool {
        self.inner.ordered()
    }

    fn spool_dir(&self) -> Option<&Path> {
        self.inner.spool_dir()
    }

    fn has(&self, digest: &Digest) -> Result<Presence<'_>> {
        self.inner.has(digest)
    }

    fn stage(&self, expected: Option<(&Digest, u64)>) -> Result<Box<dyn Staged + '_>> {
        if self.wrong == Wrong::Lost && expected.is_some_and(|(digest, _)| *digest == self.lost) {
            return Ok(Box::new(Nowhere));
        }
        self.inner.stage(expected)
    }

    fn document(&self, document: &OutDocument) -> Result<()> {
        self.inner.document(&Broken::document(self, document))
    }

    fn prepare(&self, output: &Output) -> Result<Vec<Displaced>> {
        self.inner.prepare(&self.output(output))
    }

    fn preview(&self, output: &Output, known: Known<'_>) -> Result<Preview> {
        self.inner.preview(&self.output(output), known)
    }

    fn commit(self: Box<Self>, output: &Output) -> Result<()> {
        let output = self.output(output);
        self.inner.commit(&output)
    }
}

struct Nowhere;

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Staged for Nowhere {
    fn adopt(&mut self, _: &Path) -> Result<bool> {
        Ok(true)
    }

    fn keep(self: Box<Self>, _: &Digest, _: u64) -> Result<()> {
        Ok(())
    }
}

/// A tar of an empty directory entry and the end: each has another content.
fn layer(n: u8) -> Vec<u8> {
    let mut header = ::tar::Header::new_ustar();
    header.set_path(format!("d{n}")).expect("a name");
    header.set_entry_type(::tar::EntryType::Directory);
    header.set_mode(0o755);
    header.set_size(0);
    header.set_cksum();
    let mut tar = header.as_bytes().to_vec();
    tar.resize(1024, 0);
    tar
}

/// A layout of one image of two layers.
fn layout(dir: &Path) {
    let blobs = dir.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).expect("folders");
    let put = |bytes: &[u8]| {
        let digest = Digest::sha256(bytes);
        std::fs::write(blobs.join(digest.encoded()), bytes).expect("a blob");
        (digest, bytes.len())
    };
    let layers = [layer(1), layer(2)].map(|layer| put(&layer));
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{}","{}"]}}}}"#,
        layers[0].0, layers[1].0
    );
    let config = put(config.as_bytes());
    let descriptor = |kind: &str, (digest, size): &(Digest, usize)| {
        format!(r#"{{"mediaType":"{kind}","digest":"{digest}","size":{size}}}"#)
    };
    let layers = layers.each_ref().map(|layer| descriptor("application/vnd.oci.image.layer.v1.tar", layer));
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}}"#,
        media::OCI_MANIFEST,
        descriptor(media::OCI_CONFIG, &config),
        layers.join(",")
    );
    let manifest = put(manifest.as_bytes());
    let index =
        format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, descriptor(media::OCI_MANIFEST, &manifest));
    std::fs::write(dir.join("index.json"), index).expect("index.json");
    std::fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("oci-layout");
}

/// Converts the layout with a writer that is wrong in one way, into a new layout or one that is there; what it came to.
fn converted(wrong: Wrong, into_existing: bool) -> (Result<End>, Vec<String>) {
    let dir = tempfile::tempdir().expect("a directory");
    let (source, out) = (dir.path().join("source"), dir.path().join("out"));
    layout(&source);
    if into_existing {
        std::fs::create_dir(&out).expect("a directory");
        std::fs::write(out.join("index.json"), r#"{"schemaVersion":2,"manifests":[]}"#).expect("written");
    }
    let place = |path: &Path| Place::parse(&format!("oci:{}", path.display())).expect("a place");
    let (from, to) = (place(&source), place(&out));
    let make = |_: &crate::jobs::convert::Plan, _: &crate::model::Archive| -> Result<Box<dyn Sink>> {
        let inner = layout_dir(&out, &WriteOptions::default())?;
        Ok(Box::new(Broken { inner, wrong, lost: Digest::sha256(&layer(2)) }))
    };
    let origin = Origin::Input(Input::Path(source.clone()));
    let destination = Destination { place: &to, goal: Goal::Sink(&make) };
    let request = Request::to(Target::OciDir);
    let outcome = run(Source { place: &from, origin }, destination, &request, &Policy::default(), &());
    let mut left: Vec<String> = Vec::new();
    if let Ok(entries) = std::fs::read_dir(&out) {
        left.extend(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()));
    }
    (outcome.map(|outcome| outcome.end), left)
}

#[test]
fn a_wrong_writer_is_stopped_before_the_commit() {
    for into_existing in [false, true] {
        let (right, _) = converted(Wrong::Nothing, into_existing);
        assert!(matches!(right, Ok(End::Written { .. })), "{:?}", right.err());
        for (wrong, rule) in [
            (Wrong::Type, "layer/codec-mismatch"),
            (Wrong::Size, "descriptor/size-mismatch"),
            (Wrong::Digest, "blob/digest-mismatch"),
            (Wrong::Order, "config/diff-id-mismatch"),
            (Wrong::Stale, "descriptor/bad-data"),
            (Wrong::Lost, "blob/missing"),
        ] {
            let (stopped, left) = converted(wrong, into_existing);
            let error = stopped.err().unwrap_or_else(|| panic!("{wrong:?} was committed")).to_string();
            assert!(error.starts_with("what would be written is not sound"), "{wrong:?}: {error}");
            assert!(error.contains(rule), "{wrong:?}: {error}");
            let before: &[&str] = if into_existing { &["index.json"] } else { &[] };
            assert_eq!(left, before, "{wrong:?}");
        }
    }
}
