//! Standard input and compressed archives: read once, spooled, and then a [`Tree`] like any other.
//!
//! Members of some size get a file of their own, which a destination on the same filesystem takes by a link; they go
//! through the pipeline on their way, so that their facts are known and their bytes are not read for checking again. The
//! small ones are packed into one unlinked file and read like those of any archive: there may be a million.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::bytes::{InParts, Large, Spooled};
use super::{Member, MemberKind, SpoolDir, Tree, TreeAnomaly, foreign};
use crate::blob::stage::{Keep, Request};
use crate::blob::{BlobFacts, pipeline};
use crate::codec::{self, Exceeded, caps};
use crate::digest::Algorithm;
use crate::error::{Context, Error, Result};
use crate::limits::Limits;
use crate::location::MemberId;
use crate::media::Codec;
use crate::progress::Progress;
use crate::tar;

/// Members up to this size share one file.
const PACKED: u64 = 64 << 10;

/// Bytes that a stream may come to whatever it is made of, and may have behind its end.
const FREE: u64 = 1 << 30;

/// The facts of large members, gathered while a stream was spooled.
pub type Ingested = HashMap<MemberId, Box<BlobFacts>>;

/// Reads a whole tar stream, decompressing it first if it is compressed.
///
/// `progress` is told of the bytes as they are spooled, and may stop it.
pub fn ingest(
    place: &str,
    stream: Box<dyn Read + Send>,
    spool: SpoolDir,
    limits: &Limits,
    progress: &dyn Progress,
) -> Result<(Tree, Ingested)> {
    read(place, stream, (spool, None), limits, progress)
}

/// Reads a whole tar out of a compressed file. One that is compressed in parts is not spooled, but for what is small, unless
/// somebody waits for the files.
pub fn ingest_file(
    (place, path): (&str, &Path),
    codec: Codec,
    spool: SpoolDir,
    limits: &Limits,
    progress: &dyn Progress,
) -> Result<(Tree, Ingested)> {
    let open = || File::open(path).at("cannot open", path);
    let parts = match spool.is_lent() {
        true => None,
        false => InParts::of(open()?, path, codec, caps(limits))?,
    };
    let Some(parts) = parts else { return ingest(place, Box::new(open()?), spool, limits, progress) };
    let folder = spool.path().parent().map(Path::to_owned);
    let stream = Box::new(parts.stored(0));
    let (tree, facts) = read(place, stream, (spool, Some(parts)), limits, progress)?;
    // What breaks off can be read to where it does from a file only.
    let breaks = |anomaly: &TreeAnomaly| {
        matches!(
            anomaly,
            TreeAnomaly::OuterStream { .. } | TreeAnomaly::SpoolTooLarge { .. } | TreeAnomaly::Tar(_)
        )
    };
    if tree.anomalies.iter().any(breaks) {
        let spool = SpoolDir::new(folder.as_deref())?;
        return ingest(place, Box::new(open()?), spool, limits, progress);
    }
    Ok((tree, facts))
}

fn read(
    place: &str,
    mut stream: Box<dyn Read + Send>,
    (spool, mut parts): (SpoolDir, Option<InParts>),
    limits: &Limits,
    progress: &dyn Progress,
) -> Result<(Tree, Ingested)> {
    let mut first = Vec::with_capacity(tar::BLOCK);
    (&mut stream).take(tar::BLOCK as u64).read_to_end(&mut first).at("cannot read", place)?;
    let outer = Codec::sniff(&first);
    let polyglot = outer != Codec::Plain && tar::begins_with_header(&first);
    let failed = Arc::new(AtomicBool::new(false));
    let stored = Arc::new(AtomicU64::new(0));
    let whole = io::Cursor::new(first).chain(stream);
    let whole = Stored { inner: whole, failed: Arc::clone(&failed), bytes: Arc::clone(&stored) };
    let problem = Arc::new(Mutex::new(None));
    let (plain, lesson) = codec::reader(outer, whole, caps(limits)).at("cannot decompress", place)?;
    let bounds = Bounds {
        all: limits.spool_bytes.saturating_add(FREE),
        ratio: (outer != Codec::Plain).then_some(limits.spool_ratio),
        limits,
    };
    let mut plain = Decoded { inner: plain, failed, problem: Arc::clone(&problem), stored, bytes: 0, bounds };
    let mut first = Vec::with_capacity(foreign::FIRST);
    (&mut plain).take(foreign::FIRST as u64).read_to_end(&mut first).at("cannot read", place)?;
    // Of what breaks off that is said.
    let broken = problem.lock().unwrap_or_else(PoisonError::into_inner).is_some();
    if let Some(reason) = foreign::no_tar(outer, &first).filter(|_| !broken) {
        return Err(Error::NotAnArchive { place: place.to_owned(), reason });
    }
    let plain = io::Cursor::new(first).chain(plain);

    let mut members: Vec<Member> = Vec::new();
    let mut anomalies = Vec::new();
    anomalies.extend(polyglot.then_some(TreeAnomaly::Polyglot { codec: outer }));
    let mut facts = Ingested::new();
    let pack_path = spool.path().join("pack");
    let pack = File::create_new(&pack_path).at("cannot spool", place)?;
    let mut pack = BufWriter::with_capacity(PACKED as usize, pack);
    let mut packed = 0;
    let mut total = 0;

    let mut tar = tar::Stream::new(plain, tar::Limits { extension_bytes: limits.extension_bytes });
    loop {
        if progress.cancelled() {
            return Err(Error::Cancelled);
        }
        let entry = match tar.next_entry() {
            Ok(Some(entry)) => entry,
            Ok(None) => break,
            Err(error) => return Err(error).at("cannot read", place),
        };
        if members.len() as u64 >= limits.members {
            anomalies.push(TreeAnomaly::TooManyMembers { limit: limits.members });
            break;
        }
        let entry_at = entry.data_offset;
        let Some(mut member) = Member::of_entry(&entry) else { continue };
        if member.kind() != MemberKind::File {
            members.push(member);
            continue;
        }
        if let Some((name, limit)) = over(member.size, total, limits) {
            anomalies.push(TreeAnomaly::SpoolTooLarge { name, limit });
            break;
        }
        let mut data = tar.data();
        if member.size <= PACKED {
            member.spooled_at(packed);
            packed += io::copy(&mut data, &mut pack).at("cannot spool", place)?;
            progress.read(member.size);
        } else if parts.is_some() {
            // It is read where it is.
            member.spooled_at(Spooled::OWN | entry_at);
            progress.read(member.size);
        } else {
            let path = Spooled::own(&spool, members.len() as u64);
            let found = own_file(place, &path, &member, &mut data, (limits, progress))?;
            member.spooled_at(Spooled::OWN | members.len() as u64);
            facts.insert(MemberId(members.len() as u32), Box::new(found));
        }
        total += member.size;
        members.push(member);
    }
    pack.flush().at("cannot spool", place)?;
    let stopped = problem.lock().unwrap_or_else(PoisonError::into_inner).take();
    anomalies.extend(ended(stopped, tar.anomalies()));
    let mut learnt = lesson.lock().unwrap_or_else(PoisonError::into_inner);
    anomalies.extend(learnt.trailing.map(TreeAnomaly::AfterStream));
    let pack = File::open(&pack_path).at("cannot spool", place)?;
    std::fs::remove_file(&pack_path).at("cannot spool", place)?;
    if let Some(parts) = &mut parts {
        parts.starts = std::mem::take(&mut learnt.starts);
    }
    let large = parts.map_or(Large::Files(spool), Large::Parts);
    let bytes = Spooled { pack: Arc::new(pack), large };
    let mut tree = Tree::new(place, members, anomalies, Box::new(bytes));
    tree.outer = (outer != Codec::Plain).then_some(outer);
    Ok((tree, facts))
}

/// What is odd about how a tar ended.
fn ended(stopped: Option<Problem>, tar: &[tar::Anomaly]) -> Vec<TreeAnomaly> {
    match stopped {
        // That the tar ends where its compression breaks off goes without saying.
        Some(Problem::Stream(problem)) => vec![TreeAnomaly::OuterStream { problem }],
        Some(Problem::Limit(name, limit)) => vec![TreeAnomaly::SpoolTooLarge { name, limit }],
        None => tar.iter().copied().map(TreeAnomaly::Tar).collect(),
    }
}

/// The limit that forbids a member by what its header says, before the first byte is written; `total` bytes are spooled.
fn over(size: u64, total: u64, limits: &Limits) -> Option<(&'static str, u64)> {
    [
        ("spooled-member-bytes", limits.spooled_member_bytes, size > limits.spooled_member_bytes),
        ("spool-bytes", limits.spool_bytes, size > limits.spool_bytes.saturating_sub(total)),
    ]
    .into_iter()
    .find_map(|(name, limit, over)| over.then_some((name, limit)))
}

/// Spools a member into a file of its own, and learns its facts on the way.
fn own_file(
    place: &str,
    path: &Path,
    member: &Member,
    data: &mut (dyn Read + Send),
    (limits, progress): (&Limits, &dyn Progress),
) -> Result<BlobFacts> {
    let other = other_algorithm(&member.name());
    let request = Request { size: member.size, other, plain: true, plain_other: None, caps: caps(limits) };
    let file = File::create_new(path).at("cannot spool", place)?;
    let mut file = Watched { file, progress };
    let run = pipeline::run(data, request, Keep::Stored, &mut file, None);
    if progress.cancelled() {
        return Err(Error::Cancelled);
    }
    Ok(run.at("cannot spool", place)?.0)
}

/// The stream as it comes, which remembers whether reading it failed.
struct Stored<R> {
    inner: R,
    failed: Arc<AtomicBool>,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Stored<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.inner.read(buffer);
        if result.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted) {
            self.failed.store(true, Ordering::Relaxed);
        }
        self.bytes.fetch_add(result.as_ref().map_or(0, |n| *n as u64), Ordering::Relaxed);
        result
    }
}

/// The stream without its compression. Where that breaks off the stream ends: what came before it is still judged, and
/// the problem is kept. Failures of reading stay failures.
struct Decoded<'a, R> {
    inner: R,
    failed: Arc<AtomicBool>,
    problem: Arc<Mutex<Option<Problem>>>,
    /// Bytes that were read of the stream as it comes.
    stored: Arc<AtomicU64>,
    /// Bytes that came of them.
    bytes: u64,
    bounds: Bounds<'a>,
}

/// Why a stream ended before its end.
enum Problem {
    /// What its decoder said.
    Stream(String),
    /// A limit, by its name.
    Limit(&'static str, u64),
}

/// What a stream may unfold to.
struct Bounds<'a> {
    /// Bytes in all, with those behind the end of the tar.
    all: u64,
    /// Bytes for each byte of a compressed one.
    ratio: Option<u64>,
    limits: &'a Limits,
}

impl Bounds<'_> {
    /// The limit that so many bytes, from so many stored ones, go beyond.
    fn hit(&self, bytes: u64, stored: u64) -> Option<Problem> {
        if bytes > self.all {
            return Some(Problem::Limit("spool-bytes", self.limits.spool_bytes));
        }
        let most = |ratio: u64| ratio.saturating_mul(stored).max(FREE);
        let ratio = self.ratio.filter(|ratio| bytes > most(*ratio))?;
        Some(Problem::Limit("spool-ratio", ratio))
    }
}

impl<R: Read> Read for Decoded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut problem = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        if problem.is_some() {
            return Ok(0);
        }
        match self.inner.read(buffer) {
            Err(error)
                if error.kind() != io::ErrorKind::Interrupted && !self.failed.load(Ordering::Relaxed) =>
            {
                *problem = Some(match Exceeded::of(&error) {
                    Some(exceeded) => {
                        let (name, limit) = exceeded.limit();
                        Problem::Limit(name, limit)
                    }
                    None => Problem::Stream(error.to_string()),
                });
                Ok(0)
            }
            Ok(n) => {
                self.bytes += n as u64;
                *problem = self.bounds.hit(self.bytes, self.stored.load(Ordering::Relaxed));
                Ok(if problem.is_some() { 0 } else { n })
            }
            result => result,
        }
    }
}

/// The algorithm other than SHA-256 that a member's place names it by; hashing everything twice would cost for nothing.
fn other_algorithm(name: &[u8]) -> Option<Algorithm> {
    let named =
        |algorithm: &Algorithm| name.split(|b| *b == b'/').any(|part| part == algorithm.name().as_bytes());
    [Algorithm::Sha384, Algorithm::Sha512].into_iter().find(named)
}

/// Tells the progress of one large member, and stops when it says so.
struct Watched<'a> {
    file: File,
    progress: &'a dyn Progress,
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.progress.cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        let n = self.file.write(bytes)?;
        self.progress.read(n as u64);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
