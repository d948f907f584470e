//! An archive whose bytes are neither in a file nor in a folder, and are fetched when a digest leads to them: what a form
//! takes that somebody adds. Only for tests.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::form::place::Place;
use crate::form::write::testing::{CONFIG, INDEX, LAYER, MANIFEST};
use crate::jobs::check;
use crate::jobs::convert::{self, Destination, End, Request, Target};
use crate::limits::Limits;
use crate::location::{Location, MemberId};
use crate::media;
use crate::model::build::Builder;
use crate::model::{Archive, Find, Form, Root, Sought};
use crate::read::Options;
use crate::rules::Policy;
use crate::source::{Bytes, Ingested, Tree, Wanted};

/// Objects by digest. What is read of each is counted.
struct Store {
    objects: Vec<(Digest, Vec<u8>)>,
    read: Vec<Arc<AtomicU64>>,
    /// What cannot be asked for.
    broken: Option<Digest>,
}

impl Store {
    fn of(objects: &[&[u8]]) -> Store {
        Store {
            objects: objects.iter().map(|bytes| (Digest::sha256(bytes), bytes.to_vec())).collect(),
            read: objects.iter().map(|_| Arc::default()).collect(),
            broken: None,
        }
    }
}

#[derive(Clone)]
struct Shared(Arc<Store>);

/// Counts what goes through it.
struct Counting<R>(R, Arc<AtomicU64>);

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.0.read(into)?;
        self.1.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

impl Bytes for Shared {
    fn reader(&self, member: Wanted<'_>) -> Result<Box<dyn Read + Send>> {
        let at = member.key as usize;
        let bytes = io::Cursor::new(self.0.objects[at].1.clone());
        Ok(Box::new(Counting(bytes, Arc::clone(&self.0.read[at]))))
    }
}

/// Fetches, and remembers what was fetched.
struct Fetching {
    store: Shared,
    fetched: HashMap<Digest, MemberId>,
    asked: Arc<Mutex<Vec<(Digest, Sought)>>>,
}

impl Find for Fetching {
    fn find(&mut self, tree: &mut Tree, digest: &Digest, sought: Sought) -> Result<Option<MemberId>> {
        if let Some(known) = self.fetched.get(digest) {
            return Ok(Some(*known));
        }
        let Store { objects, broken, .. } = &*self.store.0;
        if broken.as_ref() == Some(digest) {
            return Err(Error::refused("nobody answers"));
        }
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push((digest.clone(), sought));
        let Some(at) = objects.iter().position(|(known, _)| known == digest) else { return Ok(None) };
        let member = tree.add(digest.as_str().as_bytes().into(), objects[at].1.len() as u64, at as u64);
        self.fetched.insert(digest.clone(), member);
        Ok(Some(member))
    }
}

type Asked = Arc<Mutex<Vec<(Digest, Sought)>>>;

/// What leads from one index.
fn open(store: &Shared, index: &Digest) -> Result<(Archive, Asked)> {
    let limits = Limits::default();
    let asked = Asked::default();
    let find = Fetching { store: store.clone(), fetched: HashMap::new(), asked: Arc::clone(&asked) };
    let tree = Tree::of_bytes("memory", Vec::new(), Box::new(store.clone()));
    let mut builder = Builder::new(Form::Oci, tree, Ingested::new(), &limits, find);
    let at = Location::archive();
    let node = builder.manifest(index.clone(), Some(media::OCI_INDEX.into()), &at)?.expect("a node");
    builder.archive.roots.push(Root::listed(at, node));
    Ok((builder.archive, asked))
}

fn store() -> Shared {
    Shared(Arc::new(Store::of(&[INDEX.as_bytes(), MANIFEST.as_bytes(), CONFIG.as_bytes(), &LAYER])))
}

/// Every object was read from its first byte to its last, and no byte twice.
fn each_read_once(store: &Shared) {
    for ((digest, bytes), read) in store.0.objects.iter().zip(&store.0.read) {
        assert_eq!(read.load(Ordering::Relaxed), bytes.len() as u64, "{digest}");
    }
}

#[test]
fn a_check_reads_each_byte_once() {
    let store = store();
    let (archive, asked) = open(&store, &Digest::sha256(INDEX.as_bytes())).expect("opens");
    let expected = [
        (INDEX.as_bytes(), Sought::Manifest),
        (MANIFEST.as_bytes(), Sought::Manifest),
        (CONFIG.as_bytes(), Sought::Blob),
        (&LAYER, Sought::Blob),
    ];
    let expected: Vec<_> =
        expected.into_iter().map(|(bytes, sought)| (Digest::sha256(bytes), sought)).collect();
    assert_eq!(*asked.lock().expect("no thread failed"), expected);
    let report = check::run(&archive, &Options::default(), &()).expect("checked");
    let policy = Policy::default();
    let blocked: Vec<_> = report.findings.iter().filter(|finding| policy.blocks(finding.rule)).collect();
    assert!(blocked.is_empty(), "{blocked:?}");
    assert_eq!(report.facts.blobs.iter().flatten().count(), 1);
    each_read_once(&store);
}

#[test]
fn a_conversion_reads_each_byte_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let targets = [
        ("oci", Target::OciDir),
        ("oci-archive", Target::OciTar),
        ("docker-archive", Target::DockerArchive),
        ("registry-storage", Target::Storage),
    ];
    for (form, target) in targets {
        let store = store();
        let (archive, _) = open(&store, &Digest::sha256(INDEX.as_bytes())).expect("opens");
        let source = Place::parse("memory").expect("a place");
        let name = if target == Target::Storage { ":lab/app:1" } else { "" };
        let text = format!("{form}:{}{name}", dir.path().join(form).display());
        let place = Place::parse(&text).expect("a place");
        let source = convert::Source { place: &source, origin: convert::Origin::Archive(Box::new(archive)) };
        let mut request = Request::to(target);
        if target == Target::Storage {
            request.destination_name = place.name.clone();
        }
        let done = convert::run(source, Destination::at(&place), &request, &Policy::default(), &());
        assert!(matches!(done.expect("converted").end, End::Written { .. }), "{form}");
        each_read_once(&store);
    }
}

#[test]
fn what_cannot_be_fetched_is_an_error_and_what_is_not_there_is_none() {
    let mut lost = Store::of(&[INDEX.as_bytes(), MANIFEST.as_bytes(), CONFIG.as_bytes()]);
    let digest = Digest::sha256(INDEX.as_bytes());
    let (archive, _) = open(&Shared(Arc::new(lost)), &digest).expect("opens");
    let missing = archive.blobs.iter().filter(|blob| blob.member.is_none()).count();
    assert_eq!((archive.blobs.len(), missing), (4, 1));
    for broken in [INDEX.as_bytes(), MANIFEST.as_bytes(), CONFIG.as_bytes(), &LAYER] {
        lost = Store::of(&[INDEX.as_bytes(), MANIFEST.as_bytes(), CONFIG.as_bytes()]);
        lost.broken = Some(Digest::sha256(broken));
        let refused = open(&Shared(Arc::new(lost)), &digest).err().expect("an error");
        assert!(refused.to_string().contains("nobody answers"), "{refused}");
    }
}
