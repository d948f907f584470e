//! The `dir:` form of skopeo and podman: one image or index in a flat directory (formats.md E.1).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::digest::{Algorithm, Digest};
use crate::error::{Error, ErrorKind, Result};
use crate::form::preview::{Known, Members, Preview};
use crate::form::sink::{Displaced, OutDocument, Output, Presence, Sink, Staged};
use crate::form::write::WriteOptions;
use crate::form::write::existing::Existing;
use crate::form::write::tree::Tree;

/// What skopeo writes, and the only text with which it writes into a directory again.
const VERSION: &[u8] = b"Directory Transport Version: 1.1\n";
const MANIFEST: &str = "manifest.json";

enum Destination {
    /// Nothing is there.
    New,
    /// An empty directory: filled where it is, for it may be a mount point or its parent may be read-only.
    Empty(Existing),
    /// A `dir:` that is replaced as a whole; held for its lock.
    Replaced(#[expect(dead_code, reason = "held for its lock")] Existing),
}

struct SkopeoDir {
    // Dropped first, while the lock is still held.
    tree: Tree,
    path: PathBuf,
    destination: Destination,
}

/// Writes one image or index into the directory `destination`, whose parent must exist.
///
/// # Errors
/// [`Error::Refused`] for a file, for a directory that holds something else, and for a `dir:` that is not empty unless
/// `options.force` is set; at `commit` if the roots are not one document, at `keep` for a digest that is neither
/// SHA-256 nor SHA-512, since the form keeps the hex digits alone.
pub fn skopeo_dir(destination: &Path, options: &WriteOptions) -> Result<Box<dyn Sink>> {
    let existing = Existing::open(destination)?;
    let (tree, kind) = match existing {
        None => (Tree::beside(destination, options.fsync)?, Destination::New),
        Some(existing) if existing.is_empty() => {
            (Tree::inside(destination, options.fsync)?, Destination::Empty(existing))
        }
        // Even with force: the directory is replaced whole, and the user's home must not be lost to a slip.
        Some(existing) if !existing.has("version") && !existing.has(MANIFEST) => {
            let message = format!("{} is not empty and is no `dir:`", destination.display());
            return Err(Error::refused_help(message, "choose another directory"));
        }
        Some(_) if !options.force => {
            let message = format!("{} is not empty", destination.display());
            return Err(Error::refused_help(message, "replace it with --force").of(ErrorKind::Exists));
        }
        Some(existing) => (Tree::beside(destination, options.fsync)?, Destination::Replaced(existing)),
    };
    Ok(Box::new(SkopeoDir { tree, path: destination.to_owned(), destination: kind }))
}

/// The hex digits, which alone tell SHA-256 from SHA-512 by their number.
fn hex(digest: &Digest) -> Result<&str> {
    match digest.algorithm() {
        Some(Algorithm::Sha256 | Algorithm::Sha512) => Ok(digest.encoded()),
        _ => Err(Error::refused_help(
            format!("`dir:` cannot hold {digest}: it drops the algorithm, and readers take SHA-256"),
            "use oci:",
        )
        .of(ErrorKind::Unsupported)),
    }
}

fn place(digest: &Digest) -> Result<PathBuf> {
    Ok(hex(digest)?.into())
}

fn child_names(document: &OutDocument) -> Result<(String, Vec<String>)> {
    let hex = hex(&document.digest)?;
    let signatures = (1..=document.signatures.len()).map(|n| format!("{hex}.signature-{n}")).collect();
    Ok((format!("{hex}.{MANIFEST}"), signatures))
}

/// The one document that the form can hold with what lies below it.
fn the_root(output: &Output) -> Result<&OutDocument> {
    let targets: BTreeSet<&Digest> = output.roots.iter().map(|root| &root.target).collect();
    let mut targets = targets.into_iter();
    let (Some(target), None) = (targets.next(), targets.next()) else {
        let count = output.roots.len();
        let message = format!("`dir:` holds one image or index, not {count}");
        return Err(Error::refused_help(message, "select one with --image"));
    };
    let root = output.documents.iter().find(|document| &document.digest == target);
    root.ok_or_else(|| Error::refused(format!("nothing was written for the root {target}")))
}

impl Sink for SkopeoDir {
    fn ordered(&self) -> bool {
        false
    }

    fn spool_dir(&self) -> Option<&Path> {
        Some(self.tree.spool())
    }

    fn has(&self, _digest: &Digest) -> Result<Presence<'_>> {
        Ok(Presence::No)
    }

    fn stage(&self, expected: Option<(&Digest, u64)>) -> Result<Box<dyn Staged + '_>> {
        expected.map_or(Ok(()), |(digest, _)| self.accepts(digest))?;
        self.tree.stage(place)
    }

    fn document(&self, document: &OutDocument) -> Result<()> {
        // As a child: which one is the root is known at commit.
        let (name, signatures) = child_names(document)?;
        self.tree.put(Path::new(&name), &document.bytes)?;
        signatures
            .iter()
            .zip(&document.signatures)
            .try_for_each(|(name, bytes)| self.tree.put(Path::new(name), bytes))
    }

    fn accepts(&self, digest: &Digest) -> Result<()> {
        hex(digest).map(drop)
    }

    fn prepare(&self, output: &Output) -> Result<Vec<Displaced>> {
        the_root(output)?;
        Ok(Vec::new())
    }

    fn preview(&self, output: &Output, _: Known<'_>) -> Result<Preview> {
        let root = the_root(output)?;
        let mut members = Members::default();
        members.bytes("version", VERSION);
        for document in &output.documents {
            let (name, _) = child_names(document)?;
            let will_be = if document.digest == root.digest { MANIFEST.to_owned() } else { name.clone() };
            self.tree.show(None, Path::new(&name), will_be, &mut members)?;
        }
        let blobs: BTreeSet<&Digest> = output.held().map(|blob| &blob.digest).collect();
        for digest in blobs {
            self.tree.show(None, Path::new(hex(digest)?), hex(digest)?.to_owned(), &mut members)?;
        }
        Ok(members.preview(super::open))
    }

    fn commit(self: Box<Self>, output: &Output) -> Result<()> {
        let root = the_root(output)?;
        let (name, signatures) = child_names(root)?;
        self.tree.rename(Path::new(&name), Path::new(MANIFEST))?;
        for (n, signature) in signatures.iter().enumerate() {
            self.tree.rename(Path::new(signature), Path::new(&format!("signature-{}", n + 1)))?;
        }
        self.tree.put(Path::new("version"), VERSION)?;
        match &self.destination {
            Destination::New => self.tree.publish(&self.path),
            Destination::Replaced(_) => self.tree.replace(&self.path),
            Destination::Empty(existing) => {
                // The manifest last: without it there is no image.
                let mut moved = self.tree.kept();
                moved.sort_by_key(|path| path == Path::new(MANIFEST));
                moved.iter().try_for_each(|path| self.tree.move_into(existing, path))?;
                self.tree.sync_moved(existing, &moved)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::form::sink::OutBody;
    use crate::form::write::testing::{
        CONFIG, INDEX, MANIFEST as IMAGE, names, out_document, output, root, write_blob, write_image,
    };
    use crate::media;

    const FILES: [&str; 4] = [
        "7e866a286603fe0ee7018ed3db2a977251ff812cb5cc240b59af0d4b9e1a1b18",
        "a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4",
        "manifest.json",
        "version",
    ];

    fn forced() -> WriteOptions {
        WriteOptions { force: true, fsync: true, ..Default::default() }
    }

    #[test]
    fn new_empty_and_replaced() {
        let dir = tempfile::tempdir().expect("a directory");
        for (name, made) in [("new", false), ("empty", true)] {
            let dest = dir.path().join(name);
            if made {
                fs::create_dir(&dest).expect("made");
            }
            let sink = skopeo_dir(&dest, &WriteOptions::default()).expect("a sink");
            let mut output = write_image(&*sink, "a:1");
            // Two names of one document are one root here.
            output.roots.push(root(&output.documents[0].digest, "b:1"));
            sink.commit(&output).expect("committed");
            assert_eq!(names(&dest), FILES);
            assert_eq!(fs::read(dest.join(MANIFEST)).expect("read"), IMAGE.as_bytes());
            assert_eq!(fs::read(dest.join("version")).expect("read").len(), 33);
        }
        let dest = dir.path().join("new");
        fs::write(dest.join("stray"), b"").expect("written");
        assert!(matches!(skopeo_dir(&dest, &WriteOptions::default()), Err(Error::Refused { .. })));
        let sink = skopeo_dir(&dest, &forced()).expect("a sink");
        write_image(&*sink, "a:1");
        drop(sink);
        assert_eq!(names(&dest).len(), 5, "nothing happens without commit");
        let sink = skopeo_dir(&dest, &forced()).expect("a sink");
        let output = write_image(&*sink, "a:1");
        sink.commit(&output).expect("committed");
        assert_eq!(names(&dest), FILES);
        assert_eq!(names(dir.path()), ["empty", "new"]);
    }

    #[test]
    fn children_and_signatures() {
        let dir = tempfile::tempdir().expect("a directory");
        let dest = dir.path().join("out");
        let sink = skopeo_dir(&dest, &WriteOptions::default()).expect("a sink");
        let mut output = output("a:1");
        output.documents[0].signatures = vec![b"child"[..].into()];
        let children = vec![output.documents[0].digest.clone()];
        let mut index = out_document(INDEX, media::OCI_INDEX, OutBody::Index { children });
        index.signatures = vec![b"one"[..].into(), b"two"[..].into()];
        output.roots = vec![root(&index.digest, "")];
        output.documents.push(index);
        output.documents.iter().for_each(|document| sink.document(document).expect("written"));
        sink.commit(&output).expect("committed");
        let child = "9272a73921ac9ee4a1989c1b5abafb8e2211276d7b4bf34076020f5296aeef12";
        let expected = [
            &format!("{child}.manifest.json"),
            &format!("{child}.signature-1"),
            "manifest.json",
            "signature-1",
            "signature-2",
            "version",
        ];
        assert_eq!(names(&dest), expected);
        assert_eq!(fs::read(dest.join("signature-2")).expect("read"), b"two");
        assert_eq!(fs::read(dest.join(MANIFEST)).expect("read"), INDEX.as_bytes());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let dest = dir.path().join("out");
        let sink = skopeo_dir(&dest, &WriteOptions::default()).expect("a sink");
        let mut two = write_image(&*sink, "a:1");
        let other = out_document("other", media::OCI_MANIFEST, OutBody::Opaque { blobs: vec![] });
        two.roots.push(root(&other.digest, "b:1"));
        two.documents.push(other);
        assert!(matches!(sink.commit(&two), Err(Error::Refused { .. })));
        assert!(names(dir.path()).is_empty());
        let sink = skopeo_dir(&dest, &WriteOptions::default()).expect("a sink");
        let odd = Digest::parse("md5:version").expect("a digest");
        assert!(sink.stage(Some((&odd, 0))).is_err());
        assert!(matches!(sink.stage(None).expect("staged").keep(&odd, 0), Err(Error::Refused { .. })));
        write_blob(&*sink, CONFIG.as_bytes(), false);
        assert!(sink.commit(&Output::default()).is_err());
        // Force does not mean that anything may go.
        fs::create_dir(&dest).expect("made");
        fs::write(dest.join("thesis.tex"), b"x").expect("written");
        assert!(matches!(skopeo_dir(&dest, &forced()), Err(Error::Refused { .. })));
        assert!(matches!(skopeo_dir(&dest.join("thesis.tex"), &forced()), Err(Error::Refused { .. })));
    }
}
