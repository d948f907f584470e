//! A folder, a tar or a spooled stream seen alike: a list of members with random access to their bytes.
//!
//! A tar in a seekable file is indexed by its headers; nothing is extracted. A folder is walked once and opened
//! through a directory handle, so that no symlink in it leads outside. Streams are spooled first ([`ingest`]).

mod bytes;
mod folder;
pub mod foreign;
mod gathered;
mod members;
mod name;
mod names;
#[cfg(feature = "cloud")]
mod objects;
mod paths;
mod spool;
mod spool_dir;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bstr::ByteSlice;
use cap_std::fs::Dir;

use bytes::Whole;
pub use bytes::{Bytes, Range, Wanted};
use folder::{Folder, follow};
pub use gathered::{Becomes, Held};
pub use members::{LinkFault, Member, MemberKind, PathFault, Special, TreeAnomaly, shown};
pub use name::MemberName;
use names::Names;
#[cfg(feature = "cloud")]
pub use objects::{KnownTexts, Remote};
pub use spool::{Ingested, ingest, ingest_file};
pub use spool_dir::SpoolDir;

use crate::digest::{Algorithm, Digest};
use crate::error::{Context, Result};
use crate::limits::Limits;
use crate::location::MemberId;
use crate::media::Codec;
use crate::{codec, staging, tar};

/// The members of an archive.
pub struct Tree {
    /// What the user typed.
    pub place: String,
    /// In archive order; sorted by name in a folder.
    pub members: Vec<Member>,
    /// What was odd.
    pub anomalies: Vec<TreeAnomaly>,
    /// The compression around the whole archive, if any.
    pub outer: Option<Codec>,
    by_name: Vec<u32>,
    bytes: Box<dyn Bytes>,
    container: Container,
    /// Digests that documents had before they were changed here, each with the one that it has now.
    formerly: HashMap<Digest, Digest>,
}

/// What holds the members.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Container {
    /// A tar, or a list of members that is read as one.
    Tar,
    /// A folder.
    Folder(PathBuf),
    /// A place in a bucket, which is to readers what a folder is.
    Bucket,
    /// A folder that was listed before, and is not at hand.
    Listed,
}

/// Bytes that are looked at to tell a compressed tar: the largest block of zstd, which its decoder wants whole before it
/// gives anything, and as much again for what stands before it.
const HEAD: usize = 256 << 10;

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
            members.extend(Member::of_entry(entry));
            std::ops::ControlFlow::Continue(())
        })
        .at("cannot read", path)?;
        anomalies.extend(found.into_iter().map(TreeAnomaly::Tar));
        Ok(Tree::new(place, members, anomalies, Box::new(Whole::new(file, path, &meta))))
    }

    /// A file as the only member of an archive, called by its own name.
    pub fn of_file(place: &str, path: &Path, file: File) -> Result<Tree> {
        let meta = file.metadata().at("cannot read", path)?;
        let name = path.file_name().and_then(<[u8]>::from_os_str).unwrap_or(b"document");
        let member = Member::listed(MemberName::from(name), meta.len(), 0);
        Ok(Tree::new(place, vec![member], Vec::new(), Box::new(Whole::new(file, path, &meta))))
    }

    /// Lists a folder. Directories that restow staged and a killed run left are passed over. One below the top that holds one
    /// file, or one directory called by a digest or its algorithm, and nothing else is no member of its own: the name of that
    /// tells of it.
    pub fn of_folder(place: &str, path: &Path, limits: &Limits) -> Result<Tree> {
        Tree::of_folder_without(place, path, limits, &|_, _| false)
    }

    /// The same without the directories that `leaves` names, given the folder and the name of each.
    pub fn of_folder_without(
        place: &str,
        path: &Path,
        limits: &Limits,
        leaves: &dyn Fn(&Dir, &Path) -> bool,
    ) -> Result<Tree> {
        let dir = Dir::open_ambient_dir(path, cap_std::ambient_authority()).at("cannot open", path)?;
        let mut members: Vec<Member> = Vec::new();
        let mut anomalies = Vec::new();
        // Each with the member that it is, until it is known what is in it.
        let mut pending: Vec<(PathBuf, Option<Member>)> = vec![(PathBuf::new(), None)];
        let mut count = 0;
        while let Some((below, own)) = pending.pop() {
            let entries = if below.as_os_str().is_empty() { dir.entries() } else { dir.read_dir(&below) };
            let (mut kept, mut passed) = (0_u64, false);
            for entry in entries.at("cannot list", path.join(&below))? {
                let entry = entry.at("cannot list", path.join(&below))?;
                let name = below.join(entry.file_name());
                if count >= limits.members {
                    anomalies.push(TreeAnomaly::TooManyMembers { limit: limits.members });
                    members.extend(pending.drain(..).filter_map(|(_, own)| own));
                    passed = true;
                    break;
                }
                let kind = entry.file_type().at("cannot read", path.join(&name))?;
                let text = <[u8]>::from_path(&name).unwrap_or_default();
                let text = MemberName::beside(text, members.last().map(|member| &member.name));
                kept += 1;
                let entry_name = entry.file_name();
                let is_digest = || {
                    entry_name.to_str().is_some_and(|name| {
                        name == Algorithm::Sha256.name() || Digest::from_sha256_hex(name).is_some()
                    })
                };
                passed |= !(kind.is_file() || (kind.is_dir() && is_digest()));
                if kind.is_dir() {
                    if staging::is_ours(&entry_name) || leaves(&dir, &name) {
                        passed = true;
                        continue;
                    }
                    pending.push((name, Some(Member::at_path(text, MemberKind::Directory, None))));
                } else if kind.is_symlink() {
                    members.push(follow(&dir, &name, text));
                } else if kind.is_file() {
                    let meta = entry.metadata().at("cannot read", path.join(&name))?;
                    members.push(Member::at_path(text, MemberKind::File, Some(&meta)));
                } else {
                    members.push(Member::at_path(text, MemberKind::Other(Special::Fifo), None));
                }
                count += 1;
            }
            // Storage has one for every blob and link, and one more for every tag.
            let holds_one = kept == 1 && !passed && below.components().nth(1).is_some();
            members.extend(own.filter(|_| !holds_one));
        }
        members.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let mut tree = Tree::listed(place, members, anomalies, Box::new(Folder::new(dir, path)));
        tree.container = Container::Folder(path.to_owned());
        Ok(tree)
    }

    /// Regular files by name and size, whose bytes come from elsewhere, and directories, whose names end with a slash. Their
    /// keys are their places in the list.
    pub fn of_bytes(place: &str, members: Vec<(MemberName, u64)>, bytes: Box<dyn Bytes>) -> Tree {
        let members = members.into_iter().zip(0..);
        let member = |((name, size), key): ((MemberName, u64), u64)| match name.text().strip_suffix(b"/") {
            Some(directory) => Member::at_path(directory.into(), MemberKind::Directory, None),
            None => Member::listed(name, size, key),
        };
        let members = members.map(member).collect();
        Tree::new(place, members, Vec::new(), bytes)
    }

    /// A folder as somebody listed it, whose bytes come from elsewhere; sorted by name. The keys are the places in the list.
    pub fn of_list(
        place: &str,
        mut members: Vec<Member>,
        anomalies: Vec<TreeAnomaly>,
        bytes: Box<dyn Bytes>,
    ) -> Tree {
        members.iter_mut().zip(0..).for_each(|(member, key)| member.key = key);
        let mut tree = Tree::listed(place, members, anomalies, bytes);
        tree.container = Container::Listed;
        tree
    }

    /// Adds a regular file that was found later than the others. Members that are there keep their places.
    pub fn add(&mut self, name: MemberName, size: u64, key: u64) -> MemberId {
        let id = self.members.len() as u32;
        let at = self.by_name.partition_point(|&i| self.members[i as usize].name <= name);
        self.by_name.insert(at, id);
        self.members.push(Member::listed(name, size, key));
        MemberId(id)
    }

    /// Members whose places by name are to be told apart.
    fn new(place: &str, members: Vec<Member>, anomalies: Vec<TreeAnomaly>, bytes: Box<dyn Bytes>) -> Tree {
        let mut tree = Tree::listed(place, members, anomalies, bytes);
        let found = paths::ambiguous(tree.names());
        let found = found.into_iter().map(|(member, fault)| TreeAnomaly::Ambiguous { member, fault });
        tree.anomalies.extend(found);
        tree
    }

    /// Members each of which is where its name says, as in a folder.
    fn listed(
        place: &str,
        mut members: Vec<Member>,
        mut anomalies: Vec<TreeAnomaly>,
        bytes: Box<dyn Bytes>,
    ) -> Tree {
        members.shrink_to_fit();
        let mut by_name: Vec<u32> = (0..members.len() as u32).collect();
        by_name.sort_by(|&a, &b| members[a as usize].name.cmp(&members[b as usize].name).then(a.cmp(&b)));
        for pair in by_name.windows(2) {
            let (a, b) = (&members[pair[0] as usize], &members[pair[1] as usize]);
            let directories = a.kind() == MemberKind::Directory && b.kind() == MemberKind::Directory;
            if a.name == b.name && !directories {
                anomalies.push(TreeAnomaly::Duplicate { first: MemberId(pair[0]), again: MemberId(pair[1]) });
            }
        }
        // From the last one on, so that all directories above one file share its name.
        for pair in by_name.windows(2).rev() {
            let below = members[pair[1] as usize].name.clone();
            members[pair[0] as usize].name.share(&below);
        }
        Tree {
            place: place.to_owned(),
            members,
            anomalies,
            outer: None,
            by_name,
            bytes,
            container: Container::Tar,
            formerly: HashMap::new(),
        }
    }

    fn names(&self) -> Names<'_> {
        Names { members: &self.members, by_name: &self.by_name }
    }

    /// The tree of what lies in a folder of it, in which all members lie; each keeps its ID.
    ///
    /// # Errors
    ///
    /// A folder cannot be listed.
    pub fn inside(self, folder: &str, limits: &Limits) -> Result<Tree> {
        if let Container::Folder(path) = &self.container {
            return Tree::of_folder(&self.place, &path.join(folder), limits);
        }
        let below = format!("{folder}/");
        let Tree { place, mut members, mut anomalies, outer, bytes, .. } = self;
        for member in &mut members {
            let inside = member.name.text().strip_prefix(below.as_bytes()).map(MemberName::from);
            member.name = inside.unwrap_or_else(|| member.name.clone());
            if let MemberKind::Hardlink(target) = member.kind() {
                if let Some(inside) = target.strip_prefix(below.as_bytes()).map(<[u8]>::to_vec) {
                    member.relink(inside);
                }
            }
        }
        // They follow from names.
        anomalies.retain(|odd| !matches!(odd, TreeAnomaly::Duplicate { .. } | TreeAnomaly::Ambiguous { .. }));
        let mut tree = Tree::new(&place, members, anomalies, bytes);
        tree.outer = outer;
        Ok(tree)
    }

    /// The member itself.
    pub fn member(&self, id: MemberId) -> &Member {
        &self.members[id.0 as usize]
    }

    /// The member of this exact cleaned name, links not followed; the first of several.
    pub fn get(&self, name: &[u8]) -> Option<MemberId> {
        self.names().get(name)
    }

    /// The regular file of this name, links followed inside the archive.
    pub fn file(&self, name: &[u8]) -> Option<MemberId> {
        self.follow(self.get(name)?)
    }

    /// The regular file that a document calls so: its name need not be clean.
    pub fn file_as_written(&self, name: &[u8]) -> Option<MemberId> {
        self.file(&tar::clean(name).path)
    }

    /// The regular file that a member is or leads to.
    pub fn follow(&self, id: MemberId) -> Option<MemberId> {
        self.names().walk(id).ok().flatten()
    }

    /// Why a link leads to nothing, if it does; one that leads to a directory is sound.
    pub fn link_fault(&self, id: MemberId) -> Option<LinkFault> {
        self.names().walk(id).err()
    }

    /// The members whose names begin with `prefix`, in name order.
    pub fn below<'a>(&'a self, prefix: &'a [u8]) -> impl Iterator<Item = (MemberId, &'a Member)> + 'a {
        self.names().below(prefix)
    }

    /// Whether anything stands below a directory.
    pub fn has_below(&self, prefix: &str) -> bool {
        self.names().has_below(prefix.as_bytes())
    }

    /// The bytes of a regular file.
    pub fn reader(&self, id: MemberId) -> Result<Box<dyn Read + Send>> {
        self.bytes.reader(self.member(id).wanted())
    }

    /// The same from an offset on; nothing where it lies behind the end.
    pub fn reader_from(&self, id: MemberId, from: u64) -> Result<Box<dyn Read + Send>> {
        self.bytes.reader_from(self.member(id).wanted(), from)
    }

    /// What whoever keeps a member calls the version of it that was listed; `None` where nobody has a word for it.
    pub fn version(&self, id: MemberId) -> Option<String> {
        self.bytes.version(self.member(id).wanted())
    }

    /// The first bytes of a regular file, at most `n`.
    pub fn head(&self, id: MemberId, n: usize) -> Result<Vec<u8>> {
        if let Some(bytes) = self.bytes.head(self.member(id).wanted(), n)? {
            return Ok(bytes);
        }
        let mut bytes = Vec::with_capacity(n);
        let mut reader = self.reader(id)?.take(n as u64);
        reader.read_to_end(&mut bytes).at("cannot read", &self.place)?;
        Ok(bytes)
    }

    /// Whether a regular file is a tar by its first block, once decompressed. What cannot be decompressed is none.
    pub fn is_tar(&self, id: MemberId, limits: &Limits) -> Result<bool> {
        // Two blocks of zeros are a tar without entries, and the layer of many an image.
        let begins = |bytes: &[u8]| {
            let empty = bytes.first_chunk::<{ tar::BLOCK }>().is_some_and(|block| *block == [0; tar::BLOCK]);
            empty || tar::begins_with_header(bytes)
        };
        let head = self.head(id, HEAD)?;
        if begins(&head) {
            return Ok(true);
        }
        let mut first = Vec::with_capacity(tar::BLOCK);
        // That the head breaks off is no fault of the file, and what came until then counts.
        if let Ok((plain, _)) = codec::reader(Codec::sniff(&head), io::Cursor::new(head), codec::caps(limits))
        {
            let _ = plain.take(tar::BLOCK as u64).read_to_end(&mut first);
        }
        Ok(begins(&first))
    }

    /// The whole of a small file; `None` if it is larger than `limit`.
    pub fn read(&self, id: MemberId, limit: u64) -> Result<Option<Vec<u8>>> {
        // Room for the end, too, so that a small file is read at once.
        let mut bytes = Vec::with_capacity(self.member(id).size.min(codec::CHUNK as u64) as usize + 1);
        self.reader(id)?.take(limit + 1).read_to_end(&mut bytes).at("cannot read", &self.place)?;
        Ok((bytes.len() as u64 <= limit).then_some(bytes))
    }

    /// Bytes that stand in the folder for temporary files as long as it is used.
    pub fn spooled(&self) -> u64 {
        self.members.iter().map(|member| self.bytes.spooled(member.wanted())).sum()
    }

    /// Those of one member.
    fn spooled_of(&self, id: MemberId) -> u64 {
        self.bytes.spooled(self.member(id).wanted())
    }

    /// The file that holds a member and nothing else, and that may be linked to.
    pub fn own_file(&self, id: MemberId) -> Option<PathBuf> {
        self.bytes.file(self.member(id).wanted())
    }

    /// Whether the archive ends too early, or cannot be read from some point on.
    pub fn is_cut(&self) -> bool {
        self.anomalies.iter().any(|anomaly| match anomaly {
            TreeAnomaly::OuterStream { .. }
            | TreeAnomaly::SpoolTooLarge { .. }
            | TreeAnomaly::TooManyMembers { .. } => true,
            TreeAnomaly::Tar(anomaly) => matches!(
                anomaly.kind,
                tar::AnomalyKind::TruncatedHeader { .. }
                    | tar::AnomalyKind::TruncatedData { .. }
                    | tar::AnomalyKind::BadChecksum { .. }
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

    /// The digest of what this one named before it was changed here; what nobody changed has the same.
    pub fn now(&self, digest: Digest) -> Digest {
        self.formerly.get(&digest).cloned().unwrap_or(digest)
    }

    /// Whether the archive is a folder, be it in a bucket.
    pub fn is_folder(&self) -> bool {
        self.container != Container::Tar
    }

    /// Whether the archive is a place in a bucket.
    pub fn is_in_bucket(&self) -> bool {
        self.container == Container::Bucket
    }

    /// Fails if the file behind the tree was changed since it was opened, or a file of a folder since it was listed.
    pub fn unchanged(&self) -> Result<()> {
        self.bytes.unchanged()
    }
}
