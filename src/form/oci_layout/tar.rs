//! A tar of an OCI layout, and the universal docker-archive, which is one with a `manifest.json` (formats.md A.6).
//!
//! Blobs come first and documents last, so that a tar that is cut short has no index and is refused by every loader.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::{OCI_LAYOUT, blob_path, index_json, open};
use crate::digest::Digest;
use crate::error::Result;
use crate::form::format::Out;
use crate::form::preview::{Known, Opener, Preview};
use crate::form::sink::{Displaced, OutDocument, Output, Presence, Sink, Staged};
use crate::form::write::WriteOptions;
use crate::form::write::tar_out::{Document, Naming, TarOut};
use crate::platform::Platform;

/// A form whose tars are layouts.
pub struct TarForm {
    /// A document that it has beside those of a layout.
    pub(in crate::form) more: Option<More>,
    /// Its reader.
    pub(in crate::form) opener: Opener,
}

/// Its name, and what makes it.
pub(in crate::form) type More = (&'static str, fn(&Output, Option<&Platform>) -> Result<Vec<u8>>);

/// `index.json` only: `oci-archive:`.
pub static LAYOUT: TarForm = TarForm { more: None, opener: open };

/// Writes a tar where it is to go.
///
/// # Errors
/// As of [`tar_file`] and [`tar_stream`].
pub(in crate::form) fn tar(
    out: Out<'_>,
    form: &'static TarForm,
    options: &WriteOptions,
) -> Result<Box<dyn Sink>> {
    match out {
        Out::Path(path) => tar_file(path, form, options),
        Out::Stream(stream) => tar_stream(stream, form, options),
    }
}

struct TarSink {
    out: TarOut,
    form: &'static TarForm,
    platform: Option<Platform>,
}

/// Writes a tar that appears as `destination` once it is complete. The parent directory must exist.
///
/// # Errors
/// [`Error::Refused`](crate::error::Error::Refused) if something is there and `options.force` is unset, or if it is no
/// regular file.
pub fn tar_file(destination: &Path, form: &'static TarForm, options: &WriteOptions) -> Result<Box<dyn Sink>> {
    let out = TarOut::file(destination, options)?;
    Ok(Box::new(TarSink { out, form, platform: options.docker_platform.clone() }))
}

/// Writes a tar to `stream`.
///
/// Blobs that are announced to [`Sink::stage`] go out at once; if such a blob then fails, the tar stays cut there.
pub fn tar_stream(
    stream: Box<dyn Write + Send>,
    form: &'static TarForm,
    options: &WriteOptions,
) -> Result<Box<dyn Sink>> {
    let out = TarOut::stream(stream, options)?;
    Ok(Box::new(TarSink { out, form, platform: options.docker_platform.clone() }))
}

/// `blobs/<algorithm>/<encoded>`
struct Blobs;

impl Naming for Blobs {
    fn member(&self, digest: &Digest) -> Result<String> {
        Ok(blob_path(digest))
    }

    fn typical(&self) -> String {
        format!("blobs/sha256/{}", "0".repeat(64))
    }
}

impl Sink for TarSink {
    fn ordered(&self) -> bool {
        true
    }

    fn reserve(&self, blobs: &[(&Digest, u64)]) -> Result<usize> {
        self.out.reserve(&Blobs, blobs)
    }

    fn spool_dir(&self) -> Option<&Path> {
        None
    }

    fn has(&self, _digest: &Digest) -> Result<Presence<'_>> {
        Ok(Presence::No)
    }

    fn stage(&self, expected: Option<(&Digest, u64)>) -> Result<Box<dyn Staged + '_>> {
        self.out.stage(&Blobs, expected)
    }

    fn document(&self, document: &OutDocument) -> Result<()> {
        self.out.put(&blob_path(&document.digest), &document.bytes)
    }

    fn prepare(&self, output: &Output) -> Result<Vec<Displaced>> {
        self.documents(output)?;
        // What a file of that name held goes with it, as was asked for.
        Ok(Vec::new())
    }

    fn preview(&self, output: &Output, known: Known<'_>) -> Result<Preview> {
        let documents =
            output.documents.iter().map(|document| (&document.digest, Some(Arc::clone(&document.bytes))));
        let blobs = output.held().map(|blob| (&blob.digest, known(&blob.digest)));
        let known = documents.chain(blobs).filter_map(|(digest, bytes)| Some((blob_path(digest), bytes?)));
        self.out.preview(&self.documents(output)?, known.collect(), self.form.opener)
    }

    fn commit(self: Box<Self>, output: &Output) -> Result<()> {
        self.out.put_all(&self.documents(output)?)?;
        self.out.finish()
    }
}

impl TarSink {
    /// All are made before the first is written: a refusal must not leave a tar with half its documents.
    fn documents(&self, output: &Output) -> Result<Vec<Document>> {
        let mut documents = vec![Document::File("index.json".into(), index_json(output, None)?)];
        if let Some((name, make)) = self.form.more {
            documents.push(Document::File(name.into(), make(output, self.platform.as_ref())?));
        }
        documents.push(Document::File("oci-layout".into(), OCI_LAYOUT.to_vec()));
        Ok(documents)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Mutex;

    use super::*;
    use crate::error::Error;
    use crate::form::docker_archive;
    use crate::form::sink::OutBody;
    use crate::form::write::testing::{
        CONFIG, Captured, LAYER, MANIFEST, members, names, out_document, output, write_blob, write_image,
    };

    const ORDER: [&str; 8] = [
        "blobs/",
        "blobs/sha256/",
        "blobs/sha256/7e866a286603fe0ee7018ed3db2a977251ff812cb5cc240b59af0d4b9e1a1b18",
        "blobs/sha256/a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4",
        "blobs/sha256/9272a73921ac9ee4a1989c1b5abafb8e2211276d7b4bf34076020f5296aeef12",
        "index.json",
        "manifest.json",
        "oci-layout",
    ];

    fn file(dir: &Path, form: &'static TarForm) -> Box<dyn Sink> {
        tar_file(&dir.join("out.tar"), form, &WriteOptions::default()).expect("a sink")
    }

    fn stream(options: &WriteOptions) -> (Box<dyn Sink>, Captured) {
        let captured = Captured::default();
        (tar_stream(Box::new(captured.clone()), &docker_archive::TAR, options).expect("a sink"), captured)
    }

    #[test]
    fn members_stand_in_the_order_of_writing() {
        let dir = tempfile::tempdir().expect("a directory");
        let sink = file(dir.path(), &docker_archive::TAR);
        // Discarded, and longer than anything that follows.
        sink.stage(None).expect("staged").write_all(&[7; 100_000]).expect("written");
        let output = write_image(&*sink, "lab/app:1");
        assert_eq!(names(dir.path()).len(), 1);
        assert!(!dir.path().join("out.tar").exists());
        sink.stage(None).expect("staged").write_all(&[7; 100_000]).expect("written");
        sink.commit(&output).expect("committed");
        assert_eq!(names(dir.path()), ["out.tar"]);
        let bytes = fs::read(dir.path().join("out.tar")).expect("read");
        let members = members(&bytes);
        assert_eq!(members.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ORDER);
        assert_eq!(members[2].1, CONFIG.as_bytes());
        assert_eq!(members[3].1, LAYER);
        assert_eq!(members[4].1, MANIFEST.as_bytes());
        assert_eq!(bytes.len(), 512 * (2 + 2 + 2 + 2 + 2 + 2 + 2 + 2));
    }

    #[test]
    fn all_ways_give_the_same_bytes() {
        let dir = tempfile::tempdir().expect("a directory");
        let sink = file(dir.path(), &docker_archive::TAR);
        let output = write_image(&*sink, "lab/app:1");
        sink.commit(&output).expect("committed");
        let expected = fs::read(dir.path().join("out.tar")).expect("read");
        let tmpdir = tempfile::tempdir().expect("a directory");
        for buffer in [false, true] {
            let options = WriteOptions { buffer, tmpdir: Some(tmpdir.path().into()), ..Default::default() };
            let (sink, captured) = stream(&options);
            let output = write_image(&*sink, "lab/app:1");
            assert!(!buffer || captured.bytes().is_empty());
            sink.commit(&output).expect("committed");
            assert!(captured.bytes() == expected, "buffer {buffer}");
        }
        assert!(names(tmpdir.path()).is_empty());
    }

    #[test]
    fn an_oci_archive_has_no_manifest_json() {
        let dir = tempfile::tempdir().expect("a directory");
        let sink = file(dir.path(), &LAYOUT);
        let output = write_image(&*sink, "");
        sink.commit(&output).expect("committed");
        let members = members(&fs::read(dir.path().join("out.tar")).expect("read"));
        assert_eq!(members.last().expect("members").0, "oci-layout");
        assert!(members.iter().all(|(name, _)| name != "manifest.json"));
    }

    #[test]
    fn a_stream_is_cut_where_a_blob_fails() {
        for (written, size) in [(&b"abcd"[..], 3), (b"ab", 2), (b"ab", 3), (b"abd", 3), (b"", 0)] {
            let (sink, captured) = stream(&WriteOptions::default());
            let mut staged = sink.stage(Some((&Digest::sha256(b"abc"), 3))).expect("staged");
            let accepted = staged.write_all(written).is_ok();
            assert_eq!(accepted, written.len() <= 3);
            let kept = match written {
                b"" => {
                    drop(staged);
                    false
                }
                _ => staged.keep(&Digest::sha256(written), size).is_ok(),
            };
            assert!(!kept, "{written:?}");
            assert!(sink.stage(None).is_err());
            assert!(sink.commit(&output("a:1")).is_err());
            let text = String::from_utf8_lossy(&captured.bytes()).into_owned();
            assert!(!text.contains("index.json") && !text.contains("manifest.json"), "{written:?}");
        }
        // A blob that was not announced does no harm.
        let (sink, captured) = stream(&WriteOptions::default());
        sink.stage(None).expect("staged").write_all(b"x").expect("written");
        let output = write_image(&*sink, "a:1");
        sink.commit(&output).expect("committed");
        assert_eq!(members(&captured.bytes()).len(), ORDER.len());
    }

    #[test]
    fn a_refusal_comes_before_the_documents() {
        let (sink, captured) = stream(&WriteOptions::default());
        let mut output = write_image(&*sink, "a:1");
        output.roots.clear();
        assert!(matches!(sink.commit(&output), Err(Error::Refused { .. })));
        assert!(!String::from_utf8_lossy(&captured.bytes()).contains("index.json"));
    }

    #[test]
    fn members_are_written_one_at_a_time() {
        let dir = tempfile::tempdir().expect("a directory");
        let sink = file(dir.path(), &LAYOUT);
        let first = sink.stage(None).expect("staged");
        assert!(sink.stage(None).is_err());
        drop(first);
        assert!(sink.stage(None).is_ok());
    }

    #[test]
    fn members_with_places_are_written_at_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let blobs: Vec<Vec<u8>> = [70_000, 0, 512, 3, 0].map(|size| vec![size as u8 | 1; size]).into();
        let digests: Vec<Digest> = blobs.iter().map(|bytes| Digest::sha256(bytes)).collect();
        let finished = |sink: Box<dyn Sink>, name: &str| {
            sink.commit(&output("a:1")).expect("committed");
            fs::read(dir.path().join(name)).expect("read")
        };
        let serial = file(dir.path(), &docker_archive::TAR);
        blobs.iter().for_each(|bytes| write_blob(&*serial, bytes, true));
        let serial = finished(serial, "out.tar");
        let make = |name: &str| {
            let sink = tar_file(&dir.path().join(name), &docker_archive::TAR, &WriteOptions::default());
            let sink = sink.expect("a sink");
            // What was discarded before must not show through.
            sink.stage(None).expect("staged").write_all(&[7; 200_000]).expect("written");
            let places: Vec<_> =
                digests.iter().zip(&blobs).map(|(d, bytes)| (d, bytes.len() as u64)).collect();
            assert_eq!(sink.reserve(&places).expect("places"), 5);
            sink
        };
        let sink = make("at-once.tar");
        let stage = |i: usize| sink.stage(Some((&digests[i], blobs[i].len() as u64))).expect("staged");
        // All at once, the last one first, in small pieces; the second empty blob is the first one again.
        let mut staged: Vec<_> = [3, 2, 1, 0, 4].into_iter().map(|i| (i, stage(i))).collect();
        for (i, staged) in &mut staged {
            blobs[*i].chunks(1000).for_each(|piece| staged.write_all(piece).expect("written"));
        }
        staged.into_iter().for_each(|(i, s)| s.keep(&digests[i], blobs[i].len() as u64).expect("kept"));
        assert!(finished(sink, "at-once.tar") == serial);
        // One that fails, or is never staged, ends it.
        let sink = make("failed.tar");
        let mut staged = sink.stage(Some((&digests[3], 3))).expect("staged");
        assert!(staged.write_all(&[3; 4]).is_err());
        staged.write_all(&[9; 3]).expect("written");
        assert!(staged.keep(&Digest::sha256(&[9; 3]), 3).is_err());
        for i in [0, 1, 2] {
            write_blob(&*sink, &blobs[i], true);
        }
        assert!(sink.commit(&output("a:1")).is_err());
        assert!(!dir.path().join("failed.tar").exists());
        // Another size than its place has.
        let sink = make("larger.tar");
        assert!(sink.stage(Some((&digests[3], 4))).is_err());
        assert_eq!(stream(&WriteOptions::default()).0.reserve(&[(&digests[0], 1)]).expect("no error"), 0);
    }

    #[test]
    fn long_names_and_new_algorithms_move_the_data() {
        let dir = tempfile::tempdir().expect("a directory");
        let sink = file(dir.path(), &LAYOUT);
        write_blob(&*sink, b"first", false);
        let wide = Digest::parse(&format!("sha512:{}", "ab".repeat(64))).expect("a digest");
        let mut staged = sink.stage(None).expect("staged");
        staged.write_all(&[9; 1000]).expect("written");
        staged.keep(&wide, 1000).expect("kept");
        write_blob(&*sink, b"last", true);
        sink.commit(&output("a:1")).expect("committed");
        let members = members(&fs::read(dir.path().join("out.tar")).expect("read"));
        let listed: Vec<_> = members[..6].iter().map(|(name, data)| (name.len(), data.len())).collect();
        assert_eq!(listed, [(6, 0), (13, 0), (77, 5), (13, 0), (141, 1000), (77, 4)]);
        assert_eq!((&*members[3].0, &*members[6].0), ("blobs/sha512/", "index.json"));
        assert_eq!((&*members[5].1, &*members[7].1), (&b"last"[..], OCI_LAYOUT));
        assert_eq!(members[4].1, [9; 1000]);
    }

    #[test]
    fn existing_files_need_force() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("out.tar");
        fs::write(&path, b"old").expect("written");
        assert!(matches!(tar_file(&path, &LAYOUT, &WriteOptions::default()), Err(Error::Refused { .. })));
        let options = WriteOptions { force: true, fsync: true, ..Default::default() };
        drop(tar_file(&path, &LAYOUT, &options).expect("a sink"));
        assert_eq!(fs::read(&path).expect("read"), b"old");
        let sink = tar_file(&path, &LAYOUT, &options).expect("a sink");
        let output = write_image(&*sink, "a:1");
        sink.commit(&output).expect("committed");
        assert!(fs::read(&path).expect("read").len() > 3);
        assert_eq!(names(dir.path()), ["out.tar"]);
        for odd in [dir.path(), Path::new("/dev/null")] {
            assert!(matches!(tar_file(odd, &LAYOUT, &options), Err(Error::Refused { .. })));
        }
        assert!(tar_file(&dir.path().join("no/out.tar"), &LAYOUT, &options).is_err());
        // Something else appears there while we write.
        let late = dir.path().join("late.tar");
        let sink = tar_file(&late, &LAYOUT, &WriteOptions::default()).expect("a sink");
        let output = write_image(&*sink, "a:1");
        fs::write(&late, b"theirs").expect("written");
        assert!(sink.commit(&output).is_err());
        assert_eq!(fs::read(&late).expect("read"), b"theirs");
    }

    #[test]
    fn a_broken_pipe_is_an_error() {
        struct Broken;
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let sink = tar_stream(Box::new(Broken), &LAYOUT, &WriteOptions::default()).expect("a sink");
        let large = out_document(&"x".repeat(200_000), "x", OutBody::Index { children: vec![] });
        assert!(matches!(sink.document(&large), Err(Error::Io { .. })));
        assert!(sink.commit(&output("a:1")).is_err());
    }

    #[test]
    fn nothing_goes_out_before_commit_when_buffered() {
        let (sink, captured) = stream(&WriteOptions { buffer: true, ..Default::default() });
        write_image(&*sink, "a:1");
        drop(sink);
        assert!(captured.bytes().is_empty());
        assert_eq!(Arc::strong_count(&captured.0), 1);
        let _: &Mutex<Vec<u8>> = &captured.0;
    }
}
