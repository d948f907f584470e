//! Writes a tar member by member, into a file or a stream, when names and sizes are known only afterwards.
//!
//! In a file the header of such a member is reserved and filled in; a discarded member rewinds the file. Members whose
//! names and sizes are known get their places first and are then written by several threads. A stream cannot go back: what is not known is completed in an unlinked temporary file first, and a member that fails after
//! its header has gone out cuts the stream for good.
//!
//! Long because all that moves a position in the file stands under one lock, and is told apart by one state.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::tree::check_size;
use super::{WriteOptions, packed};
use crate::codec::Compression;
use crate::digest::Digest;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::form::preview::{Members, Opener, Preview};
use crate::form::sink::Staged;
use crate::staging::{Owned, parent_of, sweep, sync_directory};
use crate::tar::write::{END, WriteKind, header, padding};

/// Small writes are gathered into pieces of this size.
const BUFFER: usize = 64 << 10;

/// Bytes moved at once where a reserved header turns out too small.
const SHIFT: usize = 1 << 20;

/// How errors call a stream.
const STREAM: &str = "standard output";

/// What stands in a tar besides blobs.
pub(in crate::form) enum Document {
    /// A file: name and content.
    File(String, Vec<u8>),
    /// A symbolic link: name and target.
    Link(String, String),
}

/// Which member a blob becomes.
pub(in crate::form) trait Naming: Sync {
    /// The member's name; an error if the archive cannot hold such a blob.
    fn member(&self, digest: &Digest) -> Result<String>;

    /// A name as long as that of most blobs: space for its header is reserved.
    fn typical(&self) -> String;
}

enum Medium {
    /// Complete members up to `State::end`, then perhaps one that is not.
    File(BufWriter<File>),
    Stream(BufWriter<Box<dyn Write + Send>>),
}

/// Where the finished tar goes.
enum Target {
    /// Renamed from a sibling, once it is compressed.
    Rename { owned: Owned, destination: PathBuf, packed: Compression, replace: bool, fsync: bool },
    /// Copied out of an unlinked file; the lock only makes it shareable.
    Copy(Mutex<Box<dyn Write + Send>>),
    /// It is there already.
    Written,
}

struct State {
    medium: Medium,
    /// Offset behind the last complete member, padding included.
    end: u64,
    /// A member is being written in place.
    busy: bool,
    /// A member that did not become complete has gone out: there is no way to a sound tar.
    cut: bool,
    /// Names and sizes of all members, directories with a `/` at the end.
    members: BTreeMap<String, u64>,
    /// Members that have a place and were not staged yet: where their data goes, and its size.
    reserved: BTreeMap<String, (u64, u64)>,
    /// Members that have a place and are not complete.
    open: usize,
}

/// A tar being written.
pub(in crate::form) struct TarOut {
    state: Mutex<State>,
    target: Target,
    /// How errors call it.
    path: PathBuf,
    tmpdir: Option<PathBuf>,
}

impl TarOut {
    /// A tar that will be renamed to `destination`.
    pub(in crate::form) fn file(destination: &Path, options: &WriteOptions) -> Result<TarOut> {
        match std::fs::symlink_metadata(destination) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(Error::io("cannot read", destination, e)),
            Ok(meta) if !meta.is_file() && !meta.is_symlink() => {
                let message = format!("{} exists and is not a regular file", destination.display());
                return Err(Error::refused_help(message, "write to standard output with `-` as the file"));
            }
            Ok(_) if !options.force => {
                let message = format!("{} exists", destination.display());
                return Err(Error::refused_help(message, "replace it with --force").of(ErrorKind::Exists));
            }
            Ok(_) => {}
        }
        let packed = packed::by_name(destination)?;
        sweep(parent_of(destination));
        let (file, owned) = Owned::file(parent_of(destination))?;
        // Errors call it what it is to become.
        let path = destination.to_owned();
        let target = Target::Rename {
            owned,
            destination: destination.to_owned(),
            packed,
            replace: options.force,
            fsync: options.fsync,
        };
        Ok(TarOut::new(Medium::File(BufWriter::with_capacity(BUFFER, file)), target, path, options))
    }

    /// A tar that goes to `out` as it is written, or at the end if `options.buffer` is set.
    pub(in crate::form) fn stream(out: Box<dyn Write + Send>, options: &WriteOptions) -> Result<TarOut> {
        let (medium, target) = if options.buffer {
            let file = unlinked(options.tmpdir.as_deref())?;
            (Medium::File(BufWriter::with_capacity(BUFFER, file)), Target::Copy(Mutex::new(out)))
        } else {
            (Medium::Stream(BufWriter::with_capacity(BUFFER, out)), Target::Written)
        };
        Ok(TarOut::new(medium, target, STREAM.into(), options))
    }

    fn new(medium: Medium, target: Target, path: PathBuf, options: &WriteOptions) -> TarOut {
        let state = State {
            medium,
            end: 0,
            busy: false,
            cut: false,
            members: BTreeMap::new(),
            reserved: BTreeMap::new(),
            open: 0,
        };
        TarOut { state: Mutex::new(state), target, path, tmpdir: options.tmpdir.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, if a member may be started.
    fn lock_ready(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.lock();
        if state.cut {
            return Err(Error::refused("the tar was cut where a blob failed"));
        }
        if state.busy {
            let reason = io::Error::other("two members of a tar were written at once");
            return Err(Error::io("cannot write", &self.path, reason));
        }
        Ok(state)
    }

    /// Whether there is a member of this name.
    pub(in crate::form) fn has(&self, name: &str) -> bool {
        self.lock().members.contains_key(name)
    }

    /// Writes a whole file; one that is there already is not written again.
    pub(in crate::form) fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let mut state = self.lock_ready()?;
        if state.members.contains_key(name) {
            return Ok(());
        }
        let lead = state.lead(name, bytes.len() as u64);
        state.append(&[&lead, bytes]).at("cannot write", &self.path)?;
        state.note(name, bytes.len() as u64);
        Ok(())
    }

    /// Writes what makes the archive one, after all blobs.
    pub(in crate::form) fn put_all(&self, documents: &[Document]) -> Result<()> {
        documents.iter().try_for_each(|document| match document {
            Document::File(name, bytes) => self.put(name, bytes),
            Document::Link(name, target) => self.link(name, target),
        })
    }

    /// The tar as it will be. A file gets its documents now, and is opened; a stream gets them at the end, as its commit
    /// record, so that its members are listed: of what went out, `known` has the documents.
    pub(in crate::form) fn preview(
        &self,
        documents: &[Document],
        known: HashMap<String, Arc<[u8]>>,
        opener: Opener,
    ) -> Result<Preview> {
        let stream = matches!(self.lock_ready()?.medium, Medium::Stream(_));
        if stream {
            return Ok(self.listed(documents, &known).preview(opener));
        }
        self.put_all(documents)?;
        let mut state = self.lock_ready()?;
        let end = state.end;
        let Medium::File(out) = &mut state.medium else { return Ok(Members::default().preview(opener)) };
        out.flush().at("cannot write", &self.path)?;
        let file = out.get_ref();
        // What a discarded member left behind goes now; `finish` ends the tar once more, at the same place.
        let ended = file.set_len(end).and_then(|()| file.write_all_at(&END, end));
        ended.at("cannot write", &self.path)?;
        let file = file.try_clone().at("cannot open", &self.path)?;
        // Where it is now: it is asked whether it changed.
        let path = match &self.target {
            Target::Rename { owned, .. } => owned.path().to_owned(),
            Target::Copy(_) | Target::Written => self.path.clone(),
        };
        Ok(Preview::of_tar(path, file, opener))
    }

    fn listed(&self, documents: &[Document], known: &HashMap<String, Arc<[u8]>>) -> Members {
        let mut members = Members::default();
        for (name, size) in self.lock().members.iter().filter(|(name, _)| !name.ends_with('/')) {
            match known.get(name) {
                Some(bytes) => members.bytes(name.as_str(), Arc::clone(bytes)),
                None => members.gone(name.as_str(), *size),
            }
        }
        for document in documents {
            match document {
                Document::File(name, bytes) => members.bytes(name.as_str(), &bytes[..]),
                // Whoever follows the link finds what stands there.
                Document::Link(name, target) => {
                    let target = target.strip_prefix("../").unwrap_or(target);
                    if let Some(size) = self.lock().members.get(target) {
                        members.gone(name.as_str(), *size);
                    }
                }
            }
        }
        members
    }

    /// Writes a symbolic link.
    pub(in crate::form) fn link(&self, name: &str, target: &str) -> Result<()> {
        let mut state = self.lock_ready()?;
        if state.members.contains_key(name) {
            return Ok(());
        }
        let mut lead = state.directories(name);
        lead.extend(header(name.as_bytes(), WriteKind::Symlink { target: target.as_bytes() }, 0o777));
        state.append(&[&lead]).at("cannot write", &self.path)?;
        state.note(name, 0);
        Ok(())
    }

    /// Gives places to blobs, as [`Sink::reserve`](crate::form::sink::Sink::reserve) has it.
    pub(in crate::form) fn reserve(&self, naming: &dyn Naming, blobs: &[(&Digest, u64)]) -> Result<usize> {
        let mut state = self.lock_ready()?;
        if matches!(state.medium, Medium::Stream(_)) {
            return Ok(0);
        }
        for (i, &(digest, size)) in blobs.iter().enumerate() {
            let Ok(name) = naming.member(digest) else { return Ok(i) };
            if !state.members.contains_key(&name) {
                state.reserve(name, size).at("cannot write", &self.path)?;
            }
        }
        Ok(blobs.len())
    }

    /// Starts a blob, whose name `naming` gives.
    pub(in crate::form) fn stage<'a>(
        &'a self,
        naming: &'a dyn Naming,
        expected: Option<(&Digest, u64)>,
    ) -> Result<Box<dyn Staged + 'a>> {
        let mut state = self.lock_ready()?;
        let known = match expected {
            Some((digest, size)) => Some((naming.member(digest)?, digest.clone(), size)),
            None => None,
        };
        let seekable = matches!(state.medium, Medium::File(_));
        let place = known.as_ref().and_then(|(name, ..)| state.reserved.remove(name));
        if let (Some((at, reserved)), Some((_, digest, size))) = (place, &known) {
            if reserved != *size {
                let reason = format!("{digest} of {size} bytes has a place of {reserved}");
                return Err(Error::io("cannot write", &self.path, io::Error::other(reason)));
            }
            let file = state.file().at("cannot write", &self.path)?;
            let mode = Mode::Placed { file, at, digest: digest.clone(), size: *size };
            return Ok(Box::new(StagedMember { out: self, naming, mode, written: 0 }));
        }
        let mode = match known {
            Some((name, _, _)) if state.members.contains_key(&name) => Mode::Discard,
            known if seekable => {
                let (name, size) =
                    known.map_or_else(|| (naming.typical(), 0), |(name, _, size)| (name, size));
                let reserved = state.lead(&name, size).len() as u64;
                let start = state.end;
                state.seek(start + reserved).at("cannot write", &self.path)?;
                state.busy = true;
                Mode::InPlace { reserved }
            }
            Some((name, digest, size)) => {
                let lead = state.lead(&name, size);
                // Set before the header goes out: only `keep` makes the member complete.
                state.cut = true;
                state.write_raw(&lead).at("cannot write", &self.path)?;
                state.busy = true;
                Mode::Direct { name, digest, size }
            }
            None => {
                let file = unlinked(self.tmpdir.as_deref())?;
                Mode::Spool(BufWriter::with_capacity(BUFFER, file))
            }
        };
        drop(state);
        Ok(Box::new(StagedMember { out: self, naming, mode, written: 0 }))
    }

    /// Whether a blob is the one whose header is written already.
    fn check(&self, expected: (&Digest, u64), found: (&Digest, u64)) -> Result<()> {
        if expected == found {
            return Ok(());
        }
        let ((expected, expected_size), (found, size)) = (expected, found);
        let reason = format!("expected {expected} of {expected_size} bytes, found {found} of {size}");
        let reason = io::Error::new(io::ErrorKind::InvalidData, reason);
        Err(Error::io("cannot go on writing", &self.path, reason))
    }

    /// Ends the tar and puts it where it belongs.
    pub(in crate::form) fn finish(self) -> Result<()> {
        let mut state = self.lock_ready()?;
        if state.open > 0 {
            let reason = io::Error::other("a blob that has a place in the tar did not arrive");
            return Err(Error::io("cannot write", &self.path, reason));
        }
        state.append(&[&END]).at("cannot write", &self.path)?;
        let end = state.end;
        drop(state);
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut file = match state.medium {
            Medium::Stream(mut out) => return out.flush().at("cannot write", STREAM),
            Medium::File(out) => {
                out.into_inner().map_err(|e| e.into_error()).at("cannot write", &self.path)?
            }
        };
        // A member that was discarded at the end may have been longer than what followed.
        file.set_len(end).at("cannot write", &self.path)?;
        match self.target {
            Target::Written => Ok(()),
            Target::Copy(out) => {
                let mut out = out.into_inner().unwrap_or_else(PoisonError::into_inner);
                file.rewind().at("cannot read", "the temporary file")?;
                io::copy(&mut file, &mut out).and_then(|_| out.flush()).at("cannot write", STREAM)
            }
            Target::Rename { owned, destination, packed, replace, fsync } => {
                let (file, owned) = match packed {
                    Compression::None => (file, owned),
                    // The plain tar goes with `owned`.
                    _ => packed::pack(file, packed, &destination)?,
                };
                if fsync {
                    file.sync_all().at("cannot sync", &destination)?;
                }
                owned.publish(owned.path(), &destination, replace)?;
                if fsync { sync_directory(parent_of(&destination)) } else { Ok(()) }
            }
        }
    }
}

impl State {
    /// Headers of the directories above `name` that are not in the tar yet.
    fn directories(&self, name: &str) -> Vec<u8> {
        let ends = name.match_indices('/').map(|(at, _)| &name[..=at]);
        let missing = ends.filter(|directory| !self.members.contains_key(*directory));
        missing.flat_map(|directory| header(directory.as_bytes(), WriteKind::Directory, 0o755)).collect()
    }

    /// Everything that goes before the data of a file.
    fn lead(&self, name: &str, size: u64) -> Vec<u8> {
        let mut lead = self.directories(name);
        lead.extend(header(name.as_bytes(), WriteKind::File { size }, 0o644));
        lead
    }

    /// Remembers a member and the directories above it.
    fn note(&mut self, name: &str, size: u64) {
        self.members.extend(name.match_indices('/').map(|(at, _)| (name[..=at].to_owned(), 0)));
        self.members.insert(name.to_owned(), size);
    }

    /// Writes all of a member but its data, behind the last member.
    fn reserve(&mut self, name: String, size: u64) -> io::Result<()> {
        let lead = self.lead(&name, size);
        let data = self.end + lead.len() as u64;
        let Medium::File(out) = &mut self.medium else { return Ok(()) };
        out.flush()?;
        out.get_ref().write_all_at(&lead, self.end)?;
        // Written even though a file grows by zeros: a member that was discarded may have been here.
        out.get_ref().write_all_at(&END[..padding(size) as usize], data + size)?;
        self.end = data + size + padding(size);
        let end = self.end;
        self.seek(end)?;
        self.note(&name, size);
        self.reserved.insert(name, (data, size));
        self.open += 1;
        Ok(())
    }

    /// The file once more, to write at offsets.
    fn file(&self) -> io::Result<File> {
        match &self.medium {
            Medium::File(out) => out.get_ref().try_clone(),
            Medium::Stream(_) => Err(io::Error::other("a stream has no places")),
        }
    }

    fn write_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.medium {
            Medium::File(out) => out.write_all(bytes),
            Medium::Stream(out) => out.write_all(bytes),
        }
    }

    /// Goes to an offset of the file; there is no other in a stream.
    fn seek(&mut self, to: u64) -> io::Result<()> {
        match &mut self.medium {
            Medium::File(out) => out.seek(SeekFrom::Start(to)).map(drop),
            Medium::Stream(_) => Ok(()),
        }
    }

    /// Writes pieces and the padding after them behind the last complete member.
    fn append(&mut self, pieces: &[&[u8]]) -> io::Result<()> {
        let length: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
        // If this fails half-way there is no telling what has gone out.
        self.cut = true;
        pieces.iter().try_for_each(|piece| self.write_raw(piece))?;
        self.pad(length)?;
        self.end += length + padding(length);
        self.cut = false;
        Ok(())
    }

    fn pad(&mut self, length: u64) -> io::Result<()> {
        self.write_raw(&END[..padding(length) as usize])
    }

    /// Completes a member whose data stands `reserved` bytes behind the last complete one.
    fn complete(&mut self, name: &str, size: u64, reserved: u64) -> io::Result<()> {
        let lead = self.lead(name, size);
        let (start, data) = (self.end, self.end + lead.len() as u64);
        let Medium::File(out) = &mut self.medium else { return Ok(()) };
        out.flush()?;
        shift(out.get_ref(), start + reserved, data, size)?;
        out.get_ref().write_all_at(&lead, start)?;
        out.seek(SeekFrom::Start(data + size))?;
        self.pad(size)?;
        self.end = data + size + padding(size);
        self.note(name, size);
        Ok(())
    }
}

/// Moves `length` bytes of a file; the ranges may overlap.
fn shift(file: &File, from: u64, to: u64, length: u64) -> io::Result<()> {
    if from == to {
        return Ok(());
    }
    let mut buffer = vec![0; SHIFT.min(length as usize)];
    let mut done = 0;
    while done < length {
        let piece = (length - done).min(SHIFT as u64);
        // Away from the direction of the move, so that nothing is overwritten before it is read.
        let at = if to > from { length - done - piece } else { done };
        let bytes = &mut buffer[..piece as usize];
        file.read_exact_at(bytes, from + at)?;
        file.write_all_at(bytes, to + at)?;
        done += piece;
    }
    Ok(())
}

/// A temporary file without a name: it vanishes with the process, however that ends.
fn unlinked(directory: Option<&Path>) -> Result<File> {
    match directory {
        Some(directory) => tempfile::tempfile_in(directory).at("cannot create a file in", directory),
        None => tempfile::tempfile().at("cannot create a file in", std::env::temp_dir()),
    }
}

enum Mode {
    /// Written into the file, behind space for its header.
    InPlace { reserved: u64 },
    /// Written into its place in the file.
    Placed { file: File, at: u64, digest: Digest, size: u64 },
    /// Written to the stream, behind its header.
    Direct { name: String, digest: Digest, size: u64 },
    /// Written to a temporary file first.
    Spool(BufWriter<File>),
    /// It is in the tar already.
    Discard,
}

/// A blob on its way into a tar.
struct StagedMember<'a> {
    out: &'a TarOut,
    naming: &'a dyn Naming,
    mode: Mode,
    written: u64,
}

impl Write for StagedMember<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match &mut self.mode {
            Mode::InPlace { .. } => self.out.lock().write_raw(buf)?,
            Mode::Placed { size, .. } | Mode::Direct { size, .. }
                if buf.len() as u64 > *size - self.written =>
            {
                let reason = "the blob is larger than was expected";
                return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
            }
            Mode::Placed { file, at, .. } => file.write_all_at(buf, *at + self.written)?,
            Mode::Direct { .. } => self.out.lock().write_raw(buf)?,
            Mode::Spool(file) => file.write_all(buf)?,
            Mode::Discard => {}
        }
        self.written += buf.len() as u64;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Staged for StagedMember<'_> {
    fn adopt(&mut self, _file: &Path) -> Result<bool> {
        Ok(false)
    }

    fn keep(mut self: Box<Self>, digest: &Digest, size: u64) -> Result<()> {
        check_size(self.written, size, &self.out.path)?;
        match &mut self.mode {
            Mode::Discard => Ok(()),
            Mode::InPlace { reserved } => {
                let name = self.naming.member(digest)?;
                let mut state = self.out.lock();
                // One that is there already: `drop` rewinds.
                if state.members.contains_key(&name) {
                    return Ok(());
                }
                state.complete(&name, size, *reserved).at("cannot write", &self.out.path)
            }
            Mode::Placed { digest: expected, size: expected_size, .. } => {
                self.out.check((expected, *expected_size), (digest, size))?;
                self.out.lock().open -= 1;
                Ok(())
            }
            Mode::Direct { name, digest: expected, size: expected_size } => {
                self.out.check((expected, *expected_size), (digest, size))?;
                let mut state = self.out.lock();
                state.pad(size).at("cannot write", &self.out.path)?;
                state.note(name, size);
                state.cut = false;
                Ok(())
            }
            Mode::Spool(file) => {
                let name = self.naming.member(digest)?;
                let mut state = self.out.lock_ready()?;
                if state.members.contains_key(&name) {
                    return Ok(());
                }
                let lead = state.lead(&name, size);
                state.cut = true;
                state.write_raw(&lead).at("cannot write", &self.out.path)?;
                file.rewind().at("cannot read", "the temporary file")?;
                let Medium::Stream(out) = &mut state.medium else { return Ok(()) };
                io::copy(file.get_mut(), out).at("cannot write", &self.out.path)?;
                state.pad(size).at("cannot write", &self.out.path)?;
                state.note(&name, size);
                state.cut = false;
                Ok(())
            }
        }
    }
}

impl Drop for StagedMember<'_> {
    fn drop(&mut self) {
        match self.mode {
            Mode::InPlace { .. } => {
                let mut state = self.out.lock();
                state.busy = false;
                let end = state.end;
                // Without going back the next member would stand in the wrong place.
                state.cut |= state.seek(end).is_err();
            }
            Mode::Direct { .. } => self.out.lock().busy = false,
            Mode::Placed { .. } | Mode::Spool(_) | Mode::Discard => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_moves_both_ways() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(dir.path().join("f"))
            .expect("a file");
        let data: Vec<u8> = (0..SHIFT * 2 + 77).map(|i| (i % 251) as u8).collect();
        for (from, to) in [(512u64, 1536u64), (1536, 512), (3, 3)] {
            file.write_all_at(&data, from).expect("written");
            shift(&file, from, to, data.len() as u64).expect("moved");
            let mut found = vec![0; data.len()];
            file.read_exact_at(&mut found, to).expect("read");
            assert!(found == data, "{from} to {to}");
        }
    }
}
