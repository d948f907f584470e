//! What is odd about an archive: facts, which rules judge.

use crate::digest::Digest;
use crate::location::{Location, MemberId};
use crate::source::TreeAnomaly;

/// Something odd about an archive as a whole, or about how its parts fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anomaly {
    /// About the container of members.
    Tree(TreeAnomaly),
    /// A JSON document larger than the limit, or than all of them together may be; it was not read.
    DocumentTooLarge {
        /// The member.
        member: MemberId,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
        /// Name of the limit.
        name: &'static str,
    },
    /// A member that the form demands is missing.
    MissingMember {
        /// Its name.
        name: &'static str,
        /// What demands it, such as `an OCI layout`.
        of: &'static str,
    },
    /// More of something than a limit allows; the rest was not read.
    LimitHit {
        /// Where.
        at: Location,
        /// Name of the limit.
        name: &'static str,
        /// The limit.
        limit: u64,
    },
    /// An index that contains itself.
    Cycle {
        /// The descriptor that closes it.
        at: Location,
        /// The digest.
        digest: Digest,
    },
    /// The kind of a document cannot be told (formats.md D.9).
    Undecidable {
        /// The document.
        member: MemberId,
    },
    /// A text that should be a reference and is not.
    BadName {
        /// Where it stands.
        at: Location,
        /// The text.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The halves of a dual archive disagree.
    HalvesDisagree {
        /// Where in `manifest.json`.
        at: Location,
        /// Where in the OCI half, if one place can be named.
        other: Option<Location>,
        /// How.
        what: Disagreement,
    },
    /// Two items claim one tag for different images.
    TagTwice {
        /// Second place.
        at: Location,
        /// First place.
        first: Location,
        /// The tag.
        name: String,
    },
    /// A v1 image directory that is not sound.
    V1 {
        /// Where.
        at: Location,
        /// How.
        problem: V1Problem,
    },
    /// A value in `repositories` that no image answers to.
    UnknownImage {
        /// Where.
        at: Location,
        /// The ID.
        id: String,
    },
    /// A link in registry storage that is not exactly a digest.
    BadLink {
        /// The link.
        member: MemberId,
        /// Its content, cut to 100 bytes.
        content: String,
    },
    /// A tag that leads nowhere: in storage one without `current/link`, of a live registry one that it lists and has no
    /// manifest for.
    TagWithoutTarget {
        /// A member below the tag's directory; a live registry has none.
        member: Option<MemberId>,
        /// The repository's path.
        repository: String,
        /// The tag.
        tag: String,
    },
    /// A tag points at a manifest that is no revision of its repository, or a revision or tag at no blob.
    LinkTargetMissing {
        /// The link.
        member: MemberId,
        /// What it points at.
        digest: Digest,
        /// What is missing: `blob`, `revision link` or `layer link`.
        what: &'static str,
    },
    /// Something in registry storage or a `dir:` layout that is not as its writer leaves it.
    Storage {
        /// Where.
        at: Location,
        /// What.
        problem: StorageProblem,
    },
    /// The v1 images of a tag, beside a `manifest.json`, are not the image that it names so.
    Legacy {
        /// The tag in `repositories`.
        at: Location,
        /// How they differ.
        problem: LegacyProblem,
    },
    /// A legacy part of the archive that is not read because a newer one is there.
    LegacyIgnored {
        /// How many members.
        members: u64,
    },
    /// All of it lies in a folder: it was packed one level too high.
    InsideFolder {
        /// The folder.
        folder: String,
    },
    /// The archive holds no image at all.
    Empty {
        /// Where they would be listed.
        at: Location,
    },
}

/// How the halves of a dual archive disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disagreement {
    /// One image, two orders or sets of layers.
    Layers,
    /// One tag, two images.
    Tag(String),
    /// The OCI half lacks a tag of an image that it has.
    TagMissing(String),
    /// The OCI half lacks an image, which the docker half may give a tag.
    ImageMissing(Option<String>),
    /// The docker half lacks a tag of an image that it has.
    RepoTagMissing(String),
    /// The docker half lacks an image, which the OCI half may give a name.
    ItemMissing(Option<String>),
    /// Each half has images, and none is in both.
    Disjoint,
}

/// What a link of registry storage is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// A manifest of the repository.
    Revision,
    /// A config or layer of the repository.
    Layer,
    /// A manifest that a tag pointed at.
    History,
}

/// What can be odd about registry storage and `dir:` layouts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageProblem {
    /// A link to a blob that is not there.
    Dangling {
        /// What the link is for.
        kind: LinkKind,
        /// The blob.
        digest: Digest,
    },
    /// A tag's manifest is not in its history.
    NotInIndex(Digest),
    /// A blob that is there, and that something in this repository needs, has no link in it.
    NoLink {
        /// The link that is missing.
        kind: LinkKind,
        /// The blob.
        digest: Digest,
        /// The repository.
        repository: String,
    },
    /// Path and content of a link are two digests of one algorithm.
    Mismatch {
        /// By its path.
        path: Digest,
        /// By its content.
        content: Digest,
    },
    /// A blob in another folder than that of its first two digits.
    Misplaced(Digest),
    /// The same of one that stands in its own folder, too.
    Copy(Digest),
    /// A blob to which no repository has a link.
    Unlinked,
    /// The text in `version` of a `dir:` layout is none of the known ones; cut to 64 bytes.
    Version(String),
    /// A signature of a `dir:` layout in none of the known formats.
    Signature,
}

/// How v1 images differ from the image that has their tag in `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LegacyProblem {
    /// One of them is not there, or cannot be read.
    Absent(String),
    /// The parents form a cycle.
    Cycle,
    /// Their layers are others.
    Layers,
}

/// What can be wrong with a v1 image directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum V1Problem {
    /// The directory's name is not 64 lower-case hex digits.
    BadId,
    /// There is no `json`.
    NoJson,
    /// The `id` in its `json` is another one.
    OtherId(String),
    /// `VERSION` is missing, or holds this (cut to 16 bytes) and not `1.0`.
    Version(Option<String>),
    /// The parent is not in the archive.
    ParentMissing(String),
    /// The parents form a cycle.
    Cycle,
}
