//! An OCI image layout in a directory: a new one, or more images in one that is there (formats.md D.8).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{OCI_LAYOUT, blob_path, blob_place, index_json, merged};
use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::form::preview::{Known, Members, Preview};
use crate::form::sink::{Displaced, OutDocument, Output, Presence, Sink, Staged};
use crate::form::write::WriteOptions;
use crate::form::write::existing::Existing;
use crate::form::write::tree::Tree;
use crate::limits::Limits;
use crate::staging;

const INDEX: &str = "index.json";
const MARKER: &str = "oci-layout";
/// All that a writer leaves which died before it wrote the two.
const BLOBS: &str = "blobs";

struct LayoutDir {
    // Fields are dropped in this order: the staging goes while the lock is still held.
    tree: Tree,
    destination: PathBuf,
    /// The directory, if it was there.
    existing: Option<Existing>,
    /// Its `index.json`.
    index: Option<Vec<u8>>,
}

/// Writes a layout into the directory `destination`, whose parent must exist.
///
/// A directory that is there and is a layout, or empty, is locked at once and until the sink is dropped.
///
/// # Errors
/// [`Error::Refused`] for a file, a directory that holds something else, and an `index.json` that is not sound.
pub fn layout_dir(destination: &Path, options: &WriteOptions) -> Result<Box<dyn Sink>> {
    let Some(existing) = Existing::open(destination)? else {
        let tree = Tree::beside(destination, options.fsync)?;
        let destination = destination.to_owned();
        return Ok(Box::new(LayoutDir { tree, destination, existing: None, index: None }));
    };
    if !(existing.is_empty() || existing.has(INDEX) || existing.has(MARKER) || existing.is_only(BLOBS)) {
        return Err(Error::refused_help(
            format!("{} is not empty and is no OCI layout", destination.display()),
            "choose another directory",
        )
        .of(ErrorKind::Exists));
    }
    let index = existing.read(Path::new(INDEX), Limits::default().document_bytes)?;
    if index.is_none() && existing.has(INDEX) {
        return Err(Error::refused(format!("{} is not a readable file", destination.join(INDEX).display())));
    }
    if let Some(index) = &index {
        // Better refused now than when all blobs are written.
        index_json(&Output::default(), Some(index))?;
    }
    let tree = Tree::inside(destination, options.fsync)?;
    Ok(Box::new(LayoutDir { tree, destination: destination.to_owned(), existing: Some(existing), index }))
}

impl Sink for LayoutDir {
    fn ordered(&self) -> bool {
        false
    }

    fn spool_dir(&self) -> Option<&Path> {
        Some(self.tree.spool())
    }

    fn has(&self, digest: &Digest) -> Result<Presence<'_>> {
        let Some(existing) = &self.existing else { return Ok(Presence::No) };
        let file = existing.file(Path::new(&blob_path(digest)))?;
        Ok(file.map_or(Presence::No, |file| Presence::ToVerify(Box::new(file))))
    }

    fn stage(&self, _expected: Option<(&Digest, u64)>) -> Result<Box<dyn Staged + '_>> {
        self.tree.stage(blob_place)
    }

    fn document(&self, document: &OutDocument) -> Result<()> {
        let path = blob_path(&document.digest);
        match &self.existing {
            Some(existing) if existing.holds_bytes(Path::new(&path), &document.bytes)? => Ok(()),
            _ => self.tree.put(Path::new(&path), &document.bytes),
        }
    }

    fn prepare(&self, output: &Output) -> Result<Vec<Displaced>> {
        merged(output, self.index.as_deref()).map(|(_, displaced)| displaced)
    }

    fn preview(&self, output: &Output, _: Known<'_>) -> Result<Preview> {
        let mut members = Members::default();
        members.bytes(MARKER, OCI_LAYOUT);
        members.bytes(INDEX, index_json(output, self.index.as_deref())?);
        let documents = output.documents.iter().map(|document| &document.digest);
        let digests: BTreeSet<&Digest> = documents.chain(output.held().map(|blob| &blob.digest)).collect();
        for digest in digests {
            let name = blob_path(digest);
            self.tree.show(self.existing.as_ref(), Path::new(&name), name.clone(), &mut members)?;
        }
        Ok(members.preview(super::open))
    }

    fn before(&self) -> Result<Option<Preview>> {
        let preview = || self.preview(&Output::default(), &|_| None);
        self.index.is_some().then(preview).transpose()
    }

    fn commit(self: Box<Self>, output: &Output) -> Result<()> {
        let index = index_json(output, self.index.as_deref())?;
        let Some(existing) = &self.existing else {
            staging::folder(&self.tree.root().join("blobs/sha256"))
                .map_err(|e| Error::io("cannot create", self.tree.root(), e))?;
            self.tree.put(Path::new(MARKER), OCI_LAYOUT)?;
            self.tree.put(Path::new(INDEX), &index)?;
            return self.tree.publish(&self.destination);
        };
        // Each step leaves a sound layout. The marker comes first, so that a directory that was empty is known as a
        // layout even if the job ends in between.
        let mut moved = self.tree.kept();
        if !existing.has(MARKER) {
            self.tree.put(Path::new(MARKER), OCI_LAYOUT)?;
            moved.insert(0, MARKER.into());
        }
        moved.iter().try_for_each(|path| self.tree.move_into(existing, path))?;
        self.tree.sync_moved(existing, &moved)?;
        if self.index.as_ref() == Some(&index) {
            return Ok(());
        }
        self.tree.put(Path::new(INDEX), &index)?;
        self.tree.move_into(existing, Path::new(INDEX))?;
        self.tree.sync_moved(existing, &[INDEX.into()])
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read as _;
    use std::io::Write;

    use super::*;
    use crate::form::write::testing::{self, CONFIG, LAYER, MANIFEST, names, write_blob, write_image};

    fn blob(dir: &Path, bytes: &[u8]) -> PathBuf {
        dir.join(blob_path(&Digest::sha256(bytes)))
    }

    #[test]
    fn a_new_layout_appears_whole() {
        let dir = tempfile::tempdir().expect("a directory");
        let dest = dir.path().join("out");
        let sink = layout_dir(&dest, &WriteOptions { fsync: true, ..Default::default() }).expect("a sink");
        let output = write_image(&*sink, "lab/app:1");
        assert!(!dest.exists());
        sink.commit(&output).expect("committed");
        assert_eq!(names(dir.path()), ["out"]);
        assert_eq!(names(&dest), ["blobs", "index.json", "oci-layout"]);
        assert_eq!(fs::read(dest.join(MARKER)).expect("read"), OCI_LAYOUT);
        for bytes in [CONFIG.as_bytes(), MANIFEST.as_bytes(), &LAYER] {
            assert_eq!(fs::read(blob(&dest, bytes)).expect("read"), bytes);
        }
        let manifest = "sha256:9272a73921ac9ee4a1989c1b5abafb8e2211276d7b4bf34076020f5296aeef12";
        let index = fs::read_to_string(dest.join(INDEX)).expect("read");
        assert!(index.contains(&format!("\"digest\":\"{manifest}\",\"size\":400,")), "{index}");
    }

    #[test]
    fn nothing_stays_without_commit() {
        let dir = tempfile::tempdir().expect("a directory");
        let dest = dir.path().join("out");
        let sink = layout_dir(&dest, &WriteOptions::default()).expect("a sink");
        write_image(&*sink, "lab/app:1");
        drop(sink);
        assert!(names(dir.path()).is_empty());
        // The same in a directory that exists.
        fs::create_dir(&dest).expect("made");
        let sink = layout_dir(&dest, &WriteOptions::default()).expect("a sink");
        write_image(&*sink, "lab/app:1");
        let _ = sink.stage(None).expect("staged").write_all(b"half");
        drop(sink);
        assert!(names(&dest).is_empty());
    }

    #[test]
    fn an_empty_directory_is_filled_and_merged_into() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join(crate::staging::fresh_name())).expect("made");
        let sink =
            layout_dir(dir.path(), &WriteOptions { fsync: true, ..Default::default() }).expect("a sink");
        let output = write_image(&*sink, "lab/app:1");
        sink.commit(&output).expect("committed");
        assert_eq!(names(dir.path()), ["blobs", "index.json", "oci-layout"]);
        fs::write(dir.path().join("mine"), b"x").expect("written");
        fs::write(blob(dir.path(), &LAYER), b"damaged").expect("written");
        let before = fs::read(dir.path().join(INDEX)).expect("read");

        let sink = layout_dir(dir.path(), &WriteOptions::default()).expect("a sink");
        let mut held = Vec::new();
        let config = Digest::sha256(CONFIG.as_bytes());
        let Presence::ToVerify(mut found) = sink.has(&config).expect("read") else { panic!("held") };
        found.read_to_end(&mut held).expect("read");
        drop(found);
        assert_eq!(held, CONFIG.as_bytes());
        assert!(matches!(sink.has(&Digest::sha256(b"no such")).expect("read"), Presence::No));
        let output = write_image(&*sink, "lab/app:1");
        sink.commit(&output).expect("committed");
        assert_eq!(fs::read(dir.path().join(INDEX)).expect("read"), before, "nothing new");
        assert_eq!(fs::read(blob(dir.path(), &LAYER)).expect("read"), LAYER, "a wrong blob is replaced");

        let sink = layout_dir(dir.path(), &WriteOptions::default()).expect("a sink");
        let output = testing::output("lab/app:2");
        sink.commit(&output).expect("committed");
        assert_eq!(names(dir.path()), ["blobs", "index.json", "mine", "oci-layout"]);
        let index = fs::read_to_string(dir.path().join(INDEX)).expect("read");
        assert!(index.contains("lab/app:1\"") && index.contains("lab/app:2\""), "{index}");
    }

    #[test]
    fn neither_order_nor_threads_matter() {
        let dir = tempfile::tempdir().expect("a directory");
        let blobs: Vec<Vec<u8>> = (0..40u8).map(|n| vec![n % 20; 3000]).collect();
        let mut trees = Vec::new();
        for threads in [false, true] {
            let dest = dir.path().join(format!("{threads}"));
            let sink = layout_dir(&dest, &WriteOptions::default()).expect("a sink");
            if threads {
                std::thread::scope(|scope| {
                    for chunk in blobs.chunks(10).rev() {
                        let sink = &*sink;
                        scope.spawn(move || chunk.iter().for_each(|blob| write_blob(sink, blob, false)));
                    }
                });
            } else {
                blobs.iter().for_each(|blob| write_blob(&*sink, blob, true));
            }
            let output = write_image(&*sink, "lab/app:1");
            sink.commit(&output).expect("committed");
            trees.push((
                names(&dest),
                names(&dest.join("blobs/sha256")),
                fs::read(dest.join(INDEX)).expect("read"),
            ));
        }
        assert_eq!(trees[0].1.len(), 23);
        assert!(trees[0] == trees[1]);
    }

    #[test]
    fn what_is_no_layout_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let refused = |path: &Path| {
            let result = layout_dir(path, &WriteOptions { force: true, ..Default::default() });
            assert!(matches!(result, Err(Error::Refused { .. })), "{}", path.display());
        };
        fs::write(dir.path().join("file"), b"").expect("written");
        refused(dir.path());
        refused(&dir.path().join("file"));
        fs::write(dir.path().join(INDEX), b"{").expect("written");
        refused(dir.path());
        fs::write(dir.path().join(INDEX), b"{\"manifests\":{}}").expect("written");
        refused(dir.path());
        assert_eq!(names(dir.path()), ["file", "index.json"]);
        assert!(layout_dir(&dir.path().join("no/parent"), &WriteOptions::default()).is_err());
    }

    #[test]
    fn a_link_out_of_the_layout_is_not_written_through() {
        let dir = tempfile::tempdir().expect("a directory");
        let (dest, outside) = (dir.path().join("out"), dir.path().join("outside"));
        fs::create_dir_all(&outside).expect("made");
        fs::create_dir_all(&dest).expect("made");
        fs::write(dest.join(INDEX), b"{\"manifests\":[]}").expect("written");
        std::os::unix::fs::symlink("../outside", dest.join("blobs")).expect("linked");
        let sink = layout_dir(&dest, &WriteOptions::default()).expect("a sink");
        let output = write_image(&*sink, "lab/app:1");
        assert!(sink.commit(&output).is_err());
        assert!(names(&outside).is_empty());
        assert_eq!(fs::read(dest.join(INDEX)).expect("read"), b"{\"manifests\":[]}");
    }
}
