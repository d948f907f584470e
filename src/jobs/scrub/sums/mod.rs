//! Digests that the store computed itself: with a listing they prove the size and the digest of a blob that nobody reads.
//!
//! What is a document is read all the same, so blobs that are small are read, and of others the first bytes: they tell
//! documents from layers, and how those are compressed. A sum that is not what the name says is no proof of anything: the blob is read.

mod rows;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::counters::Counters;
use super::job::Job;
use super::key::{Key, Within};
use super::reasons::Reason;
use super::row::{ReadRow, Row};
use super::source::Source;
use super::state::State;
use super::unit::{Done, HEAD, begins_as_document};
use crate::blob::{BlobFacts, GzipHeader};
use crate::codec;
use crate::digest::Digest;
use crate::error::{Context as _, Error, ErrorKind, Result};
use crate::form::registry_storage::paths::blob_name;
use crate::form::stored::Listed;
use crate::media::Codec;
use crate::store::{Access, Address, Scheme};

/// Sums that are written together.
const ROWS: usize = 20_000;
/// Blobs up to so many bytes are read: that is one request, too, and most documents are among them.
const SMALL: u64 = 16 << 10;

/// A blob that the store proves.
#[derive(Debug)]
pub struct Vouched {
    /// The blob.
    pub listed: Listed,
    /// When its sum was computed, in seconds from 1970.
    pub at: u64,
    /// What was found when the same version was read.
    pub known: Option<ReadRow>,
}

/// What a store says of the blobs of a storage, kept in the state.
pub struct Sums<'a> {
    state: &'a State,
    job: &'a Job<'a>,
    max_age: Option<u64>,
}

impl<'a> Sums<'a> {
    /// Takes these reports of a bucket.
    ///
    /// # Errors
    ///
    /// The storage is in no bucket of S3, a report cannot be read or is none, or the state cannot be written.
    pub fn take(
        reports: &[std::path::PathBuf],
        state: &'a State,
        job: &'a Job<'a>,
        max_age: Option<u64>,
    ) -> Result<Sums<'a>> {
        let place = Address::parse(&job.meta.place)?.filter(|address| address.scheme == Scheme::S3);
        let Some(place) = place else {
            let message = format!("--checksums is about a bucket, which {} is not", job.meta.typed);
            let help = "give registry-storage:s3://BUCKET/PREFIX, or leave it out";
            return Err(Error::refused_help(message, help));
        };
        let sums = Sums { state, job, max_age };
        state.forget_sums()?;
        for report in reports {
            sums.report(report, &place)?;
        }
        Ok(sums)
    }

    fn count(&self, reason: Reason, more: u64) {
        self.job.counters.sums.add(reason, more);
    }

    fn report(&self, path: &Path, place: &Address) -> Result<()> {
        let (mut from, at) = open(path, self.job.access)?;
        let shown = path.display().to_string();
        let (mut line, mut batch) = (Vec::new(), Vec::new());
        let (mut first, mut is_report) = (true, false);
        while rows::line(&mut *from, &mut line).at("cannot read", &shown)? {
            if std::mem::take(&mut first) {
                not_the_list_of_reports(&line, &shown)?;
                if rows::is_header(&line) {
                    continue;
                }
            }
            let row = rows::row(&line);
            is_report |= !matches!(row, Err(Reason::Malformed));
            match row.and_then(|sum| self.blob(place, &sum).map(|digest| (digest, sum))) {
                Ok((digest, sum)) if self.is_mine(&digest) => batch.push((digest, sum.etag, at, sum.sha256)),
                // Another part says so.
                Ok(_) => {}
                Err(reason) => self.count(reason, 1),
            }
            if batch.len() >= ROWS {
                if self.job.progress.cancelled() {
                    return Err(Error::Cancelled);
                }
                self.count(Reason::Twice, self.state.add_sums(&batch)?);
                batch.clear();
            }
        }
        if !is_report {
            let message = format!(
                "{shown} holds no row of a completion report of S3 Batch Operations, which has seven columns"
            );
            let help = "give the CSV files of the report of a Compute checksum job";
            return Err(Error::refused_help(message, help));
        }
        self.count(Reason::Twice, self.state.add_sums(&batch)?);
        Ok(())
    }

    fn is_mine(&self, digest: &Digest) -> bool {
        self.job.meta.shard.is_none_or(|shard| shard.has_blob(digest))
    }

    /// The blob that a row is about.
    fn blob(&self, place: &Address, sum: &rows::Sum) -> std::result::Result<Digest, Reason> {
        let of = |key: String| {
            let hex = key.strip_suffix("/data")?.rsplit('/').next()?;
            let digest = Digest::parse(&format!("sha256:{hex}")).ok()?;
            let name = blob_name(&self.job.meta.base, &digest)?;
            (place.join(&name) == key).then_some(digest)
        };
        let found = Some(sum).filter(|sum| sum.bucket == place.bucket);
        found.and_then(|sum| rows::keys(&sum.key).find_map(of)).ok_or(Reason::Elsewhere)
    }

    /// When the store computed what proves a blob, as it is listed, in seconds from 1970; `None` if nothing does.
    ///
    /// # Errors
    ///
    /// The state cannot be read.
    pub fn of(&self, listed: &Listed, now: u64) -> Result<Option<u64>> {
        let known = self.state.sums(&listed.digest)?;
        let reason = match known.iter().find(|(etag, ..)| Some(etag) == listed.etag.as_ref()) {
            // Nothing is said of it, or it was counted when its row was read.
            None if known.is_empty() => return Ok(None),
            Some((_, _, None)) => return Ok(None),
            None => Reason::Version,
            Some((_, _, Some(sum))) if *Key::of(&listed.digest).bytes() != [&[0], &sum[..]].concat() => {
                Reason::Differs
            }
            Some((_, at, _)) if self.max_age.is_some_and(|age| now.saturating_sub(*at) > age) => Reason::Old,
            Some((_, at, _)) => return Ok(Some(*at)),
        };
        self.count(reason, 1);
        Ok(None)
    }

    /// Forgets what was said.
    ///
    /// # Errors
    ///
    /// The state cannot be written.
    pub fn end(self) -> Result<()> {
        self.state.forget_sums()
    }
}

/// A report, and when it was written: no row says when it was computed.
fn open(path: &Path, access: &Access) -> Result<(Box<dyn BufRead>, u64)> {
    let (mut stream, at) = match Address::parse(&path.to_string_lossy())? {
        Some(address) => in_bucket(&address, access)?,
        None => {
            let file = std::fs::File::open(path).at("cannot open", path)?;
            let written = file.metadata().and_then(|meta| meta.modified()).at("cannot read", path)?;
            let at = written.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
            (Box::new(file) as Box<dyn Read + Send>, at)
        }
    };
    let mut head = Vec::new();
    stream.by_ref().take(8).read_to_end(&mut head).at("cannot read", path)?;
    let packed = Codec::sniff(&head);
    let whole = std::io::Cursor::new(head).chain(stream);
    let (plain, _) = codec::reader(packed, whole, codec::caps(&access.limits)).at("cannot read", path)?;
    Ok((Box::new(BufReader::new(plain)), at))
}

/// A report in a bucket.
#[cfg(feature = "cloud")]
fn in_bucket(address: &Address, access: &Access) -> Result<(Box<dyn Read + Send>, u64)> {
    match crate::store::Bucket::open(address, access)?.get("", None)? {
        Some(got) => Ok((got.reader, u64::try_from(got.object.modified / 1_000_000_000).unwrap_or_default())),
        None => Err(Error::refused(format!("{address} is not there")).of(ErrorKind::NotFound)),
    }
}

/// Without the feature no bucket is opened.
#[cfg(not(feature = "cloud"))]
fn in_bucket(address: &Address, _: &Access) -> Result<(Box<dyn Read + Send>, u64)> {
    Err(crate::store::absent(address).of(ErrorKind::Unsupported))
}

/// Beside the reports of a job stands a list of them, which is easily taken for one.
fn not_the_list_of_reports(line: &[u8], shown: &str) -> Result<()> {
    if line.trim_ascii_start().first() != Some(&b'{') {
        return Ok(());
    }
    let message = format!("{shown} is JSON, not the CSV of a completion report");
    let help = "give the files that the job's manifest.json lists as Results, each with --checksums";
    Err(Error::refused_help(message, help))
}

/// Looks at the first bytes of blobs that the store proves, and writes their rows; those that are to be read, since they are
/// documents, or something went wrong, which reading tells better.
pub fn look(source: &Arc<dyn Source>, job: &Job<'_>, blobs: Vec<Vouched>, done: &mut Done) -> Vec<Listed> {
    let mut read = Vec::new();
    for Vouched { listed, at, known } in blobs {
        let row = match known {
            _ if listed.size <= SMALL => None,
            Some(known) if known.text => None,
            // It was read once, and is still what it was.
            Some(known) if known.is_whole() => Some(known),
            _ => first(source, job, &listed),
        };
        match row {
            None => read.push(listed),
            Some(row) => {
                let row = ReadRow { run: job.meta.run.number, store: Some(at), ..row };
                Counters::add(&job.counters.store, 1);
                Counters::add(&job.counters.store_bytes, listed.size);
                let row = Row::of(&listed, Some(row));
                done.batch.blobs.push((Key::of(&listed.digest), Some(row)));
            }
        }
    }
    read
}

/// What the first bytes of a blob tell; `None` if it is to be read.
fn first(source: &Arc<dyn Source>, job: &Job<'_>, listed: &Listed) -> Option<ReadRow> {
    let (head, now) = source.first(&Within::All, &listed.digest, HEAD).ok()?;
    let is_same = now.is_none_or(|now| now.is_same(&listed.version()));
    if !is_same || head.len() < HEAD || begins_as_document(&head) {
        return None;
    }
    let facts = BlobFacts {
        size: listed.size,
        sha256: listed.digest.clone(),
        other: None,
        codec: Codec::sniff(&head),
        polyglot: false,
        gzip: GzipHeader::of(&head),
        plain: None,
        fault: None,
        missing: 0,
    };
    Some(ReadRow {
        at: 0,
        run: job.meta.run.number,
        restow: env!("CARGO_PKG_VERSION").to_owned(),
        facts: Some(facts),
        layer: None,
        paths: None,
        text: false,
        store: None,
    })
}
