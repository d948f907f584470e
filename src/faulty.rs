//! Readers and writers that fail, and what must come of it: an error of the machine is told as one and never becomes a
//! fact of the archive, and short or interrupted transfers change nothing. Only for tests.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;

use crate::blob::pipeline;
use crate::blob::stage::{Keep, Request};
use crate::codec::{Caps, Compression, Encoder};
use crate::form::docker_archive;
use crate::form::oci_layout::tar::tar_stream;
use crate::form::write::WriteOptions;
use crate::form::write::testing::{Captured, write_image};
use crate::limits::Limits;
use crate::source::{SpoolDir, ingest};
use crate::tar::{self, ReadAt};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const CAPS: Caps = Caps { bytes: 1 << 30, window_log: 27, empty_parts: 1_000 };

/// Moves a few bytes at a time, is interrupted every other time, and fails for good after `left` bytes.
struct Faulty<T> {
    inner: T,
    left: usize,
    errno: i32,
    calls: usize,
}

impl<T> Faulty<T> {
    fn new(inner: T, left: usize, errno: i32) -> Faulty<T> {
        Faulty { inner, left, errno, calls: 0 }
    }

    /// Only short and interrupted.
    fn short(inner: T) -> Faulty<T> {
        Faulty::new(inner, usize::MAX, 0)
    }

    /// How many bytes may be moved this time.
    fn allowed(&mut self, wanted: usize) -> io::Result<usize> {
        self.calls += 1;
        if self.calls.is_multiple_of(2) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if self.left == 0 && wanted > 0 {
            return Err(io::Error::from_raw_os_error(self.errno));
        }
        let most = [1, 511, 3, 8192, 70_000][self.calls / 2 % 5];
        let n = wanted.min(most).min(self.left);
        self.left -= n;
        Ok(n)
    }
}

impl<R: Read> Read for Faulty<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.allowed(into.len())?;
        self.inner.read(&mut into[..n])
    }
}

impl<W: Write> Write for Faulty<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.allowed(bytes.len())?;
        self.inner.write(&bytes[..n])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Bytes at offsets, short and interrupted, of which those from `bad` on cannot be read.
struct BadSector<'a> {
    bytes: &'a [u8],
    bad: u64,
    calls: Cell<usize>,
}

impl ReadAt for BadSector<'_> {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.calls.set(self.calls.get() + 1);
        if self.calls.get().is_multiple_of(2) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if offset >= self.bad {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        let most = [1, 511, 4096][self.calls.get() / 2 % 3].min((self.bad - offset) as usize);
        let n = into.len().min(most);
        self.bytes.read_at(&mut into[..n], offset)
    }
}

/// Bytes that do not compress.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn compressed(compression: Compression, plain: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(compression, 2, Vec::new()).expect("encoder");
    encoder.write_all(plain).expect("memory");
    encoder.finish().expect("memory")
}

fn tar_of(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut tar = ::tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = ::tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, &bytes[..]).expect("memory");
    }
    tar.into_inner().expect("memory")
}

/// Places in `len` bytes that are worth a fault.
fn places(len: usize) -> Vec<usize> {
    let mut places = vec![0, 1, 7, 8, 511, 512, 513, 1024, len / 3, len / 2, len - 513, len - 8, len - 1];
    places.retain(|&place| place < len);
    places
}

/// Small blobs take another way than large ones.
fn blobs() -> Vec<Vec<u8>> {
    let mut blobs = Vec::new();
    for len in [2_000, 700_000] {
        let plain = tar_of(&[("file", noise(len))]);
        blobs.push(compressed(Compression::Gzip(1), &plain));
        blobs.push(compressed(Compression::Zstd(1), &plain));
        blobs.push(plain);
    }
    blobs
}

const KEEPS: [Keep; 3] = [Keep::Nothing, Keep::Stored, Keep::Recompressed(Compression::Gzip(1), 2)];

fn request(bytes: &[u8]) -> Request {
    Request { size: bytes.len() as u64, other: None, plain: true, plain_other: None, caps: CAPS }
}

#[test]
fn a_blob_that_cannot_be_read_is_an_error_and_no_fact() {
    for bytes in blobs() {
        for keep in KEEPS {
            for place in places(bytes.len()) {
                let mut source = Faulty::new(&bytes[..], place, EIO);
                let result = pipeline::run(&mut source, request(&bytes), keep, &mut io::sink(), None);
                let error = result.expect_err("not read to the end");
                assert_eq!(
                    error.raw_os_error(),
                    Some(EIO),
                    "{keep:?} at {place} of {}: {error}",
                    bytes.len()
                );
            }
        }
    }
}

#[test]
fn a_tee_that_takes_no_more_is_an_error() {
    for bytes in blobs() {
        for keep in &KEEPS[1..] {
            for place in [0, 1, 512, bytes.len() / 2] {
                let mut tee = Faulty::new(io::sink(), place, ENOSPC);
                let result = pipeline::run(&mut &bytes[..], request(&bytes), *keep, &mut tee, None);
                let error = result.expect_err("not written to the end");
                assert_eq!(error.raw_os_error(), Some(ENOSPC), "{keep:?} at {place}: {error}");
            }
        }
    }
}

#[test]
fn short_and_interrupted_transfers_change_nothing() {
    for bytes in blobs() {
        for keep in KEEPS {
            let (mut whole, mut pieces) = (Vec::new(), Vec::new());
            let expected = pipeline::run(&mut &bytes[..], request(&bytes), keep, &mut whole, None);
            let (mut source, mut tee) = (Faulty::short(&bytes[..]), Faulty::short(&mut pieces));
            let found = pipeline::run(&mut source, request(&bytes), keep, &mut tee, None);
            let (expected, found) = (expected.expect("sound"), found.expect("sound"));
            assert_eq!(format!("{expected:?}"), format!("{found:?}"), "{keep:?}");
            assert!(whole == pieces, "{keep:?}");
        }
    }
}

#[test]
fn a_tar_is_indexed_as_far_as_it_can_be_read() {
    let bytes = tar_of(&[("a", noise(100)), ("b", noise(9_000)), (&"long/".repeat(60), vec![1])]);
    let list = |source: &dyn ReadAt| {
        let mut names = Vec::new();
        let result = tar::index(source, bytes.len() as u64, tar::Limits::default(), &mut |entry| {
            names.push((entry.path.to_vec(), entry.data_offset, entry.size));
            ControlFlow::Continue(())
        });
        result.map(|anomalies| (names, anomalies))
    };
    let whole = list(&&bytes[..]).expect("sound");
    assert_eq!(whole.0.len(), 3);
    let short = BadSector { bytes: &bytes, bad: u64::MAX, calls: Cell::new(0) };
    assert_eq!(list(&short).expect("sound"), whole);
    // Every header that is read can be the one that fails; data is not read.
    let headers = [0, 511, 1024, 1535, bytes.len() - 1025];
    for bad in headers {
        let source = BadSector { bytes: &bytes, bad: bad as u64, calls: Cell::new(0) };
        let error = list(&source).expect_err("not read to the end");
        assert_eq!(error.raw_os_error(), Some(EIO), "at {bad}");
    }
}

#[test]
fn a_stream_that_cannot_be_read_is_an_error_however_it_is_compressed() {
    let plain = tar_of(&[("small", noise(100)), ("large", noise(200_000)), ("last", noise(3_000))]);
    let spool = |stream: Box<dyn Read + Send>| {
        let folder = SpoolDir::new(None).expect("a folder");
        let (tree, facts) = ingest("-", stream, folder, &Limits::default(), &())?;
        let mut digests: Vec<String> = facts.values().map(|facts| facts.sha256.to_string()).collect();
        digests.sort();
        Ok::<_, crate::error::Error>((tree.members.len(), digests, format!("{:?}", tree.anomalies)))
    };
    let mut expected = None;
    for bytes in
        [plain.clone(), compressed(Compression::Gzip(1), &plain), compressed(Compression::Zstd(1), &plain)]
    {
        let whole = spool(Box::new(io::Cursor::new(bytes.clone()))).expect("sound");
        assert_eq!(whole.0, 3);
        assert_eq!(&whole, expected.get_or_insert(whole.clone()));
        assert_eq!(spool(Box::new(Faulty::short(io::Cursor::new(bytes.clone())))).expect("sound"), whole);
        // What follows the two blocks of zeros may be read or not.
        for place in places(bytes.len() - 1024) {
            let faulty = Faulty::new(io::Cursor::new(bytes.clone()), place, EIO);
            let error = spool(Box::new(faulty)).expect_err("not read to the end");
            let crate::error::Error::Io { source, .. } = &error else { panic!("at {place}: {error}") };
            assert_eq!(source.raw_os_error(), Some(EIO), "at {place} of {}: {error}", bytes.len());
        }
    }
}

#[test]
fn a_tar_on_a_stream_is_whole_or_an_error() {
    let written = |left: usize| {
        let captured = Captured::default();
        let stream = Box::new(Faulty::new(captured.clone(), left, ENOSPC));
        let options = WriteOptions { buffer: true, ..WriteOptions::default() };
        let sink = tar_stream(stream, &docker_archive::TAR, &options).expect("a sink");
        let output = write_image(&*sink, "lab/app:1");
        (sink.commit(&output), captured.bytes())
    };
    let (result, whole) = written(usize::MAX);
    result.expect("short writes are writes");
    for left in (0..whole.len()).step_by(500).chain([whole.len() - 1]) {
        let (result, bytes) = written(left);
        assert!(result.is_err(), "{left} of {} bytes are said to be all", whole.len());
        assert!(whole.starts_with(&bytes));
    }
    assert!(written(whole.len()).0.is_ok());
}
