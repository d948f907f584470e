//! A folder, a tar or a spooled stream seen alike: a list of members with random access to their bytes.
//!
//! A tar in a seekable file is indexed by its headers; nothing is extracted. A folder is walked once and opened
//! through a directory handle, so that no symlink in it leads outside. Streams are spooled first ([`ingest`](super::ingest)).

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bstr::{BStr, BString, ByteSlice};
use cap_std::fs::Dir;

use crate::error::{Context, Error, Result};
use crate::limits::Limits;
use crate::location::MemberId;
use crate::tar;

/// One member.
#[derive(Debug, Clone)]
pub struct Member {
    /// Cleaned name (formats.md 0.5).
    pub name: BString,
    /// The name as written, if cleaning changed more than a leading `./` or a trailing `/`.
    pub raw_name: Option<BString>,
    /// What it is.
    pub kind: MemberKind,
    /// Bytes of content.
    pub size: u64,
    /// Offset of its first header in a tar; 0 in a folder.
    pub header_offset: u64,
    at: Place,
}

/// The kinds of members that matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symlink, with its target as written. In a folder: one that does not lead to a file inside it.
    Symlink(BString),
    /// A hard link, with its target as written.
    Hardlink(BString),
    /// Something that no format uses.
    Other(Special),
}

/// The kinds of members that no format uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// A character or block device.
    Device,
    /// A FIFO; in a folder, any file that is none of the others.
    Fifo,
    /// A file with holes, whose data is not its content.
    Sparse,
    /// A type flag that no container tool knows.
    Unknown(u8),
}

/// Why a link leads to no member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkFault {
    /// The target is absolute.
    Absolute,
    /// The target is outside the archive.
    Outside,
    /// Nothing is there.
    Nowhere,
    /// More links than are followed, or links in a circle.
    TooManyHops,
}

#[derive(Debug, Clone)]
enum Place {
    /// At an offset of the one file behind the tree.
    Offset(u64),
    /// A path in the folder; the time of its last change, in nanoseconds.
    Path(i64),
    /// A file of its own in the spool.
    Spooled(PathBuf),
}

/// Something odd about the archive as a container of members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeAnomaly {
    /// About the tar itself.
    Tar(tar::Anomaly),
    /// Two members with one cleaned name; readers differ in which they take.
    Duplicate {
        /// The first one, which restow takes.
        first: MemberId,
        /// A later one.
        again: MemberId,
    },
    /// The compression around the whole archive breaks off or is corrupt; what came before it was read.
    OuterStream {
        /// What the decoder said.
        problem: String,
    },
    /// Bytes follow the compressed stream around the whole archive.
    AfterStream(crate::blob::facts::Trailing),
    /// More members than the limit; the rest was not read.
    TooManyMembers {
        /// The limit.
        limit: u64,
    },
}

/// The members of an archive.
pub struct Tree {
    /// What the user typed.
    pub place: String,
    /// In archive order; sorted by name in a folder.
    pub members: Vec<Member>,
    /// What was odd.
    pub anomalies: Vec<TreeAnomaly>,
    /// The compression around the whole archive, if any.
    pub outer: Option<crate::media::Codec>,
    by_name: Vec<u32>,
    backing: Backing,
}

enum Backing {
    Folder {
        dir: Dir,
        path: PathBuf,
        /// A file that was found changed.
        changed: Arc<OnceLock<PathBuf>>,
    },
    File {
        file: Arc<File>,
        path: PathBuf,
        stamp: Stamp,
    },
    /// A stream that was read to its end; small members are packed into one file.
    Spool {
        pack: Arc<File>,
        _dir: super::ingest::SpoolDir,
    },
}

/// What shows that a file was changed while it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    size: u64,
    modified: (i64, i64),
    inode: (u64, u64),
}

impl Stamp {
    fn of(meta: &std::fs::Metadata) -> Stamp {
        Stamp {
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            inode: (meta.dev(), meta.ino()),
        }
    }
}

/// Symlinks and hard links are followed this many steps (formats.md H, 11).
const MAX_HOPS: usize = 16;

impl Tree {
    /// Indexes a plain tar by its headers.
    pub fn of_tar(place: &str, path: &Path, file: File, limits: &Limits) -> Result<Tree> {
        let meta = file.metadata().at("cannot read", path)?;
        let mut members = Vec::new();
        let mut anomalies = Vec::new();
        let scan = tar::Limits { extension_bytes: limits.extension_bytes };
        let found = tar::index(&file, meta.len(), scan, &mut |entry| {
            if members.len() as u64 >= limits.members {
                anomalies.push(TreeAnomaly::TooManyMembers { limit: limits.members });
                return std::ops::ControlFlow::Break(());
            }
            members.extend(member_of(entry, |entry| Place::Offset(entry.data_offset)));
            std::ops::ControlFlow::Continue(())
        })
        .at("cannot read", path)?;
        anomalies.extend(found.into_iter().map(TreeAnomaly::Tar));
        let stamp = Stamp::of(&meta);
        let backing = Backing::File { file: Arc::new(file), path: path.to_owned(), stamp };
        Ok(Tree::new(place, members, anomalies, backing))
    }

    /// A file as the only member of an archive, called by its own name.
    pub fn of_file(place: &str, path: &Path, file: File) -> Result<Tree> {
        let meta = file.metadata().at("cannot read", path)?;
        let name = path.file_name().and_then(<[u8]>::from_os_str).unwrap_or(b"document");
        let member = Member {
            name: name.into(),
            raw_name: None,
            kind: MemberKind::File,
            size: meta.len(),
            header_offset: 0,
            at: Place::Offset(0),
        };
        let stamp = Stamp::of(&meta);
        let backing = Backing::File { file: Arc::new(file), path: path.to_owned(), stamp };
        Ok(Tree::new(place, vec![member], Vec::new(), backing))
    }

    /// Lists a folder. Directories whose name begins with `.restow-` are restow's own left-overs and are passed over.
    pub fn of_folder(place: &str, path: &Path, limits: &Limits) -> Result<Tree> {
        let dir = Dir::open_ambient_dir(path, cap_std::ambient_authority()).at("cannot open", path)?;
        let mut members = Vec::new();
        let mut anomalies = Vec::new();
        let mut pending = vec![PathBuf::new()];
        while let Some(below) = pending.pop() {
            let entries = if below.as_os_str().is_empty() { dir.entries() } else { dir.read_dir(&below) };
            for entry in entries.at("cannot list", path.join(&below))? {
                let entry = entry.at("cannot list", path.join(&below))?;
                let name = below.join(entry.file_name());
                if members.len() as u64 >= limits.members {
                    anomalies.push(TreeAnomaly::TooManyMembers { limit: limits.members });
                    pending.clear();
                    break;
                }
                let kind = entry.file_type().at("cannot read", path.join(&name))?;
                let text = BString::from(<[u8]>::from_path(&name).unwrap_or_default());
                if kind.is_dir() {
                    if entry.file_name().as_encoded_bytes().starts_with(b".restow-") {
                        continue;
                    }
                    pending.push(name);
                    members.push(Member::at_path(text, MemberKind::Directory, None));
                } else if kind.is_symlink() {
                    members.push(follow(&dir, &name, text));
                } else if kind.is_file() {
                    let meta = entry.metadata().at("cannot read", path.join(&name))?;
                    members.push(Member::at_path(text, MemberKind::File, Some(&meta)));
                } else {
                    members.push(Member::at_path(text, MemberKind::Other(Special::Fifo), None));
                }
            }
        }
        members.sort_by(|a, b| a.name.cmp(&b.name));
        let backing = Backing::Folder { dir, path: path.to_owned(), changed: Arc::default() };
        Ok(Tree::new(place, members, anomalies, backing))
    }

    /// A tree over a stream that was spooled.
    pub(super) fn of_spool(
        place: &str,
        members: Vec<Member>,
        anomalies: Vec<TreeAnomaly>,
        pack: File,
        dir: super::ingest::SpoolDir,
    ) -> Tree {
        Tree::new(place, members, anomalies, Backing::Spool { pack: Arc::new(pack), _dir: dir })
    }

    fn new(place: &str, mut members: Vec<Member>, mut anomalies: Vec<TreeAnomaly>, backing: Backing) -> Tree {
        members.shrink_to_fit();
        let mut by_name: Vec<u32> = (0..members.len() as u32).collect();
        by_name.sort_by(|&a, &b| members[a as usize].name.cmp(&members[b as usize].name).then(a.cmp(&b)));
        for pair in by_name.windows(2) {
            let (a, b) = (&members[pair[0] as usize], &members[pair[1] as usize]);
            let directories = a.kind == MemberKind::Directory && b.kind == MemberKind::Directory;
            if a.name == b.name && !directories {
                anomalies.push(TreeAnomaly::Duplicate { first: MemberId(pair[0]), again: MemberId(pair[1]) });
            }
        }
        Tree { place: place.to_owned(), members, anomalies, outer: None, by_name, backing }
    }

    /// The member itself.
    pub fn member(&self, id: MemberId) -> &Member {
        &self.members[id.0 as usize]
    }

    /// The member of this exact cleaned name, links not followed; the first of several.
    pub fn get(&self, name: &[u8]) -> Option<MemberId> {
        let at = self.by_name.partition_point(|&i| self.members[i as usize].name.as_slice() < name);
        let id = *self.by_name.get(at)?;
        (self.members[id as usize].name == name).then_some(MemberId(id))
    }

    /// The regular file of this name, links followed inside the archive.
    pub fn file(&self, name: &[u8]) -> Option<MemberId> {
        self.follow(self.get(name)?)
    }

    /// The regular file that a member is or leads to.
    pub fn follow(&self, id: MemberId) -> Option<MemberId> {
        self.walk(id).ok().flatten()
    }

    /// Why a link leads to nothing, if it does; one that leads to a directory is sound.
    pub fn link_fault(&self, id: MemberId) -> Option<LinkFault> {
        self.walk(id).err()
    }

    /// The regular file that a member leads to, if it does not lead to something else.
    fn walk(&self, id: MemberId) -> std::result::Result<Option<MemberId>, LinkFault> {
        let mut id = id;
        for _ in 0..=MAX_HOPS {
            let member = self.member(id);
            let target = match &member.kind {
                MemberKind::File => return Ok(Some(id)),
                MemberKind::Symlink(target) if target.starts_with(b"/") => return Err(LinkFault::Absolute),
                MemberKind::Symlink(target) => {
                    let parent = member.name.rfind_byte(b'/').map_or(&b""[..], |at| &member.name[..at]);
                    [parent, b"/", target].concat()
                }
                MemberKind::Hardlink(target) => target.to_vec(),
                MemberKind::Directory | MemberKind::Other(_) => return Ok(None),
            };
            let cleaned = tar::clean(target.strip_prefix(b"/").unwrap_or(&target));
            if cleaned.escapes {
                return Err(LinkFault::Outside);
            }
            id = match self.get(&cleaned.path) {
                Some(id) => id,
                // The root, or a directory that only its members name.
                None if cleaned.path.is_empty() => return Ok(None),
                None if self.has_below(&format!("{}/", cleaned.path)) => return Ok(None),
                None => return Err(LinkFault::Nowhere),
            };
        }
        Err(LinkFault::TooManyHops)
    }

    /// The members whose names begin with `prefix`, in name order.
    pub fn below<'a>(&'a self, prefix: &'a [u8]) -> impl Iterator<Item = (MemberId, &'a Member)> + 'a {
        let from = self.by_name.partition_point(|&i| self.members[i as usize].name.as_slice() < prefix);
        self.by_name[from..]
            .iter()
            .map(|&i| (MemberId(i), &self.members[i as usize]))
            .take_while(move |(_, member)| member.name.starts_with(prefix))
    }

    /// Whether anything stands below a directory.
    pub fn has_below(&self, prefix: &str) -> bool {
        self.below(prefix.as_bytes()).next().is_some()
    }

    /// The bytes of a regular file.
    pub fn reader(&self, id: MemberId) -> Result<Box<dyn Read + Send>> {
        let member = self.member(id);
        match (&self.backing, &member.at) {
            (Backing::Folder { dir, path, changed }, at) => {
                let name = member.name.to_path().map_err(|_| Error::refused("a name that is no path"))?;
                let path = path.join(name);
                let file = dir.open(name).at("cannot open", &path)?.into_std();
                let modified = if let Place::Path(modified) = at { *modified } else { 0 };
                let listed = (member.size, modified);
                Ok(Box::new(Guarded { file, listed, path, changed: Arc::clone(changed) }))
            }
            (_, Place::Spooled(path)) => Ok(Box::new(File::open(path).at("cannot open", path)?)),
            (Backing::File { file, .. } | Backing::Spool { pack: file, .. }, Place::Offset(offset)) => {
                Ok(Box::new(Range { file: Arc::clone(file), at: *offset, end: offset + member.size }))
            }
            (Backing::File { .. } | Backing::Spool { .. }, Place::Path(_)) => Ok(Box::new(io::empty())),
        }
    }

    /// The first bytes of a regular file, at most `n`.
    pub fn head(&self, id: MemberId, n: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(n);
        let mut reader = self.reader(id)?.take(n as u64);
        reader.read_to_end(&mut bytes).at("cannot read", &self.place)?;
        Ok(bytes)
    }

    /// The whole of a small file; `None` if it is larger than `limit`.
    pub fn read(&self, id: MemberId, limit: u64) -> Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        self.reader(id)?.take(limit + 1).read_to_end(&mut bytes).at("cannot read", &self.place)?;
        Ok((bytes.len() as u64 <= limit).then_some(bytes))
    }

    /// The file of its own that holds a member of a spooled stream.
    pub fn spooled_file(&self, id: MemberId) -> Option<&Path> {
        match &self.member(id).at {
            Place::Spooled(path) => Some(path),
            _ => None,
        }
    }

    /// Whether the archive ends too early, or cannot be read from some point on.
    pub fn is_cut(&self) -> bool {
        self.anomalies.iter().any(|anomaly| match anomaly {
            TreeAnomaly::OuterStream { .. } | TreeAnomaly::TooManyMembers { .. } => true,
            TreeAnomaly::Tar(anomaly) => matches!(
                anomaly.kind,
                tar::AnomalyKind::TruncatedHeader { .. }
                    | tar::AnomalyKind::TruncatedData { .. }
                    | tar::AnomalyKind::BadChecksum
            ),
            _ => false,
        })
    }

    /// The limit on members, if there are more.
    pub fn cut_at_members(&self) -> Option<u64> {
        self.anomalies.iter().find_map(|anomaly| match anomaly {
            TreeAnomaly::TooManyMembers { limit } => Some(*limit),
            _ => None,
        })
    }

    /// Whether the archive is a folder.
    pub fn is_folder(&self) -> bool {
        matches!(self.backing, Backing::Folder { .. })
    }

    /// Fails if the file behind the tree was changed since it was opened, or a file of a folder since it was listed.
    pub fn unchanged(&self) -> Result<()> {
        if let Backing::Folder { changed, .. } = &self.backing {
            if let Some(path) = changed.get() {
                return Err(Error::SourceChanged { path: path.clone() });
            }
        }
        if let Backing::File { path, stamp, file } = &self.backing {
            let by_handle = file.metadata().at("cannot read", path)?;
            let by_path = std::fs::metadata(path).map(|meta| Stamp::of(&meta));
            if Stamp::of(&by_handle) != *stamp || by_path.is_ok_and(|now| now != *stamp) {
                return Err(Error::SourceChanged { path: path.clone() });
            }
        }
        Ok(())
    }
}

/// A symlink in a folder counts as the file that it leads to, as long as that is inside the folder.
fn follow(dir: &Dir, name: &Path, text: BString) -> Member {
    match dir.metadata(name) {
        Ok(meta) if meta.is_file() => Member::at_path(text, MemberKind::File, Some(&meta)),
        _ => {
            let target = dir.read_link_contents(name).unwrap_or_default();
            let target = BString::from(<[u8]>::from_path(&target).unwrap_or_default());
            Member::at_path(text, MemberKind::Symlink(target), None)
        }
    }
}

impl Member {
    fn at_path(name: BString, kind: MemberKind, meta: Option<&cap_std::fs::Metadata>) -> Member {
        use cap_std::fs::MetadataExt as _;
        let (size, modified) = meta.map_or((0, 0), |m| (m.len(), nanoseconds(m.mtime(), m.mtime_nsec())));
        Member { name, raw_name: None, kind, size, header_offset: 0, at: Place::Path(modified) }
    }

    /// Places a spooled member in the packed file.
    pub(super) fn pack_at(&mut self, offset: u64) {
        self.at = Place::Offset(offset);
    }

    /// Places a spooled member in a file of its own.
    pub(super) fn spool_at(&mut self, path: PathBuf) {
        self.at = Place::Spooled(path);
    }

    /// What a tar entry is as a member of an archive; `None` for a global header and for the root directory.
    pub(super) fn of_entry(entry: &tar::Entry<'_>) -> Option<Member> {
        member_of(entry, |entry| Place::Offset(entry.data_offset))
    }
}

fn member_of(entry: &tar::Entry<'_>, at: impl Fn(&tar::Entry<'_>) -> Place) -> Option<Member> {
    let kind = match entry.kind {
        tar::Kind::Regular => MemberKind::File,
        tar::Kind::Directory => MemberKind::Directory,
        tar::Kind::Symlink => MemberKind::Symlink(entry.link.into()),
        tar::Kind::Hardlink => MemberKind::Hardlink(entry.link.into()),
        tar::Kind::Global => return None,
        tar::Kind::CharDevice | tar::Kind::BlockDevice => MemberKind::Other(Special::Device),
        tar::Kind::Fifo => MemberKind::Other(Special::Fifo),
        tar::Kind::Sparse(_) => MemberKind::Other(Special::Sparse),
        tar::Kind::Unknown(flag) => MemberKind::Other(Special::Unknown(flag)),
    };
    let cleaned = tar::clean(entry.path);
    if cleaned.path.is_empty() && kind == MemberKind::Directory {
        return None;
    }
    let plain = entry.path.strip_prefix(b"./").unwrap_or(entry.path);
    let plain = plain.strip_suffix(b"/").unwrap_or(plain);
    let raw_name = (plain != cleaned.path.as_ref()).then(|| BString::from(entry.path));
    Some(Member {
        name: cleaned.path.into_owned(),
        raw_name,
        kind,
        size: entry.size,
        header_offset: entry.header_offset,
        at: at(entry),
    })
}

fn nanoseconds(seconds: i64, more: i64) -> i64 {
    seconds.wrapping_mul(1_000_000_000).wrapping_add(more)
}

/// A file of a folder that looks, once it was read, whether it still is what was listed.
struct Guarded {
    file: File,
    /// Size, and time of the last change.
    listed: (u64, i64),
    path: PathBuf,
    changed: Arc<OnceLock<PathBuf>>,
}

impl Read for Guarded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.file.read(into)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let now =
            self.file.metadata().map(|meta| (meta.size(), nanoseconds(meta.mtime(), meta.mtime_nsec())));
        if now.is_ok_and(|now| now != self.listed) {
            let _ = self.changed.set(std::mem::take(&mut self.path));
        }
    }
}

/// A range of a file, read at its offsets: any number of readers share one file.
struct Range {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Range {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.end.saturating_sub(self.at).min(into.len() as u64) as usize;
        let n = self.file.read_at(&mut into[..left], self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

/// Shows a member's name as written, for messages.
pub fn shown(member: &Member) -> &BStr {
    member.raw_name.as_deref().unwrap_or(&member.name).as_bstr()
}
