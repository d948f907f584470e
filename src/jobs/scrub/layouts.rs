//! OCI layouts of many images, and folders of many layouts, as zot keeps them: each layout is judged as a whole, and its
//! blobs are read a few at a time, so that a kill costs little here, too.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::blobs::Came;
use super::counters::Counters;
use super::job::Job;
use super::row::{ReadRow, Row};
use super::select::{Due, Selection};
use super::state::{Batch, State};
use super::told::Gathered;
use super::unit;
use crate::error::{Context as _, Error, Result};
use crate::facts::Facts;
use crate::form::oci_layout;
use crate::form::registry_storage::stored::Listed;
use crate::layer::{Kept, Spool};
use crate::model::{Archive, BlobId};
use crate::read;
use crate::rules::{self, Scope};
use crate::source::{Ingested, Tree};

/// What the layouts came to.
#[derive(Debug, Default)]
pub struct Layouts {
    /// How many there are.
    pub layouts: u64,
    /// Blobs in them, and their bytes.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs that could not be read, and why.
    pub came: Came,
}

/// The layouts at or below a folder, by their paths below it, sorted.
///
/// # Errors
///
/// A folder cannot be listed, or there is none.
pub fn find(place: &str, root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(below) = pending.pop() {
        let folder = root.join(&below);
        if folder.join("oci-layout").is_file() || folder.join("index.json").is_file() {
            found.push(below.to_string_lossy().into_owned());
            continue;
        }
        for entry in std::fs::read_dir(&folder).at("cannot list", &folder)? {
            let entry = entry.at("cannot list", &folder)?;
            // What a name begins with a dot or underscore for is no layout.
            let hidden = entry.file_name().to_string_lossy().starts_with(['.', '_']);
            if entry.file_type().at("cannot read", entry.path())?.is_dir() && !hidden {
                pending.push(below.join(entry.file_name()));
            }
        }
    }
    if found.is_empty() {
        let reason = "neither it nor a folder in it is an OCI layout".to_owned();
        return Err(Error::NotAnArchive { place: place.to_owned(), reason });
    }
    found.sort();
    Ok(found)
}

/// Reads and judges every layout.
///
/// # Errors
///
/// A layout cannot be read, the state cannot be written, or the job was cancelled.
pub fn all(
    root: &Path,
    layouts: &[String],
    state: &State,
    job: &Job<'_>,
    selection: Selection,
    gathered: &mut Gathered,
) -> Result<Layouts> {
    let mut selection = selection;
    let mut came = Layouts::default();
    job.counters.all_folders.store(layouts.len() as u64, std::sync::atomic::Ordering::Relaxed);
    let mut names = HashSet::new();
    for name in layouts {
        let layout = Layout { name, folder: root.join(name), state, job };
        layout.one(&mut selection, gathered, &mut came)?;
        names.insert(name.clone());
        Counters::add(&job.counters.folders, 1);
        Counters::add(&job.counters.judged, 1);
    }
    // What is known of layouts that are not there any more.
    let mut gone = Batch::default();
    state.of_layouts(&mut |layout, key| {
        if !names.contains(layout) {
            gone.keyed.push((key.to_vec(), None));
        }
        Ok(())
    })?;
    std::fs::metadata(root).at("cannot read", root)?;
    state.write(&gone)?;
    Ok(came)
}

/// One layout.
struct Layout<'a> {
    name: &'a str,
    folder: PathBuf,
    state: &'a State,
    job: &'a Job<'a>,
}

impl Layout<'_> {
    fn one(&self, selection: &mut Selection, gathered: &mut Gathered, came: &mut Layouts) -> Result<()> {
        let job = self.job;
        let limits = &job.reading.limits;
        let tree = Tree::of_folder(&self.folder.to_string_lossy(), &self.folder, limits)?;
        let archive = oci_layout::open(tree, Ingested::default(), limits)?;
        let mut facts = Facts::of(archive.blobs.len());
        let spool = Arc::new(Spool::in_directory(job.reading.tmpdir.as_deref()));
        let mut due: Vec<(BlobId, Listed)> = Vec::new();
        came.layouts += 1;
        for id in (0..archive.blobs.len() as u32).map(BlobId) {
            let Some(listed) = self.listed(&archive, id)? else { continue };
            came.blobs += 1;
            came.bytes += listed.size;
            Counters::add(&job.counters.listed, 1);
            Counters::add(&job.counters.listed_bytes, listed.size);
            // Documents were read when the layout was opened.
            if !archive.blob(id).is_to_be_read() {
                Counters::add(&job.counters.read, 1);
                Counters::add(&job.counters.read_bytes, listed.size);
                continue;
            }
            let row = self.state.keyed(&self.key(&listed))?;
            // What was no layer when it was read was not looked into.
            let blob = archive.blob(id);
            let row = row.filter(|row| {
                let facts = row.read.as_ref().and_then(|read| read.facts.as_ref());
                !blob.layer || facts.is_none_or(|facts| facts.plain.is_some() || facts.fault.is_some())
            });
            match selection.due(&listed, row.as_ref()) {
                Due::Read | Due::Ask if !job.is_over() => due.push((id, listed)),
                Due::Known => {
                    Counters::add(&job.counters.kept, 1);
                    Counters::add(&job.counters.kept_bytes, listed.size);
                    if let Some(read) = row.and_then(|row| row.read) {
                        take(&mut facts, &archive, id, read, &spool);
                    }
                }
                Due::Read | Due::Ask | Due::Left => Counters::add(&job.counters.left, 1),
            }
        }
        self.read(&archive, due, &mut facts, &spool)?;
        self.forget(&archive)?;
        read::across(&archive, &mut facts, limits)?;
        let mut findings = rules::run(&archive, &facts, Scope::All);
        rules::reach::tell(&archive, &mut findings);
        archive.unchanged()?;
        if !self.name.is_empty() {
            for names in findings.iter_mut().filter_map(|finding| finding.affects.as_mut()) {
                for name in &mut names.names {
                    *name = match name.starts_with(':') {
                        true => format!("{}{name}", self.name),
                        false => format!("{}: {name}", self.name),
                    };
                }
            }
        }
        gathered.add_below(self.name, &archive, job.judged(&archive, findings));
        Ok(())
    }

    /// Reads what is due, a few blobs at a time.
    fn read(
        &self,
        archive: &Archive,
        due: Vec<(BlobId, Listed)>,
        facts: &mut Facts,
        spool: &Arc<Spool>,
    ) -> Result<()> {
        let (job, mut rest) = (self.job, due.as_slice());
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take(unit::BLOBS).take_while(|(_, listed)| {
                let first = bytes == 0;
                bytes += listed.size;
                first || bytes <= unit::BYTES
            });
            let (now, later) = rest.split_at(fits.count().max(1));
            rest = later;
            let wanted: HashSet<BlobId> = now.iter().map(|(id, _)| *id).collect();
            let context = job.reading.context(true, job.progress);
            let mut found = read::some(archive, &|id| wanted.contains(&id), &context)?;
            let mut batch = Batch::default();
            for (id, listed) in now {
                let read = ReadRow {
                    at: (job.now)(),
                    run: job.meta.run.number,
                    restow: env!("CARGO_PKG_VERSION").to_owned(),
                    facts: found.blobs.get_mut(id.0 as usize).and_then(Option::take).map(|facts| *facts),
                    layer: found.layer(*id).map(Kept::from),
                    paths: None,
                    text: false,
                    store: None,
                };
                Counters::add(&job.counters.read, 1);
                Counters::add(&job.counters.read_bytes, listed.size);
                Counters::add(&job.counters.faults, u64::from(!read.is_sound(&listed.digest)));
                let row = Row::of(listed, Some(read.clone()));
                batch.keyed.push((self.key(listed), Some(row)));
                take(facts, archive, *id, read, spool);
            }
            self.state.write(&batch)?;
        }
        Ok(())
    }

    /// Forgets blobs that are not there any more.
    fn forget(&self, archive: &Archive) -> Result<()> {
        let there = archive.blobs.iter().filter(|blob| blob.member.is_some());
        let there: HashSet<&str> = there.filter_map(|blob| Some(blob.digest.as_ref()?.as_str())).collect();
        let mut batch = Batch::default();
        self.state.of_layout(self.name, &mut |digest, key| {
            if !there.contains(digest) {
                batch.keyed.push((key.to_vec(), None));
            }
            Ok(())
        })?;
        self.state.write(&batch)
    }

    fn key(&self, listed: &Listed) -> Vec<u8> {
        super::key::key_in(self.name, &listed.digest)
    }

    /// A blob with the size and time of its file.
    fn listed(&self, archive: &Archive, id: BlobId) -> Result<Option<Listed>> {
        let blob = archive.blob(id);
        let (Some(digest), Some(member)) = (&blob.digest, blob.member) else { return Ok(None) };
        let path = self.folder.join(archive.tree.member(member).name().to_string());
        let meta = std::fs::metadata(&path).at("cannot read", &path)?;
        let modified = meta.mtime().wrapping_mul(1_000_000_000).wrapping_add(meta.mtime_nsec());
        Ok(Some(Listed { digest: digest.clone(), size: meta.len(), modified, etag: None }))
    }
}

/// Takes what is known of a blob into the facts of its layout.
fn take(facts: &mut Facts, archive: &Archive, id: BlobId, read: ReadRow, spool: &Arc<Spool>) {
    match read.facts {
        None => drop(facts.oversized.insert(id)),
        Some(found) => {
            if let Some(slot) = facts.blobs.get_mut(id.0 as usize) {
                *slot = Some(Box::new(found));
            }
            if let Some(kept) = read.layer.filter(|_| archive.blob(id).layer) {
                facts.layers.insert(id, Arc::new(kept.facts(spool)));
            }
        }
    }
}
