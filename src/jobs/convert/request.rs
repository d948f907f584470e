//! What is asked of a conversion.

use std::collections::HashSet;

use crate::codec::Compression;
use crate::error::{Error, Result};
use crate::finding::Fixing;
use crate::form::{
    Capabilities, PUSH, Transport, Writing, docker_archive, oci_layout, registry_storage, skopeo_dir,
};
use crate::platform::{Platform, Specifier};
use crate::read;
use crate::rules::Policy;

/// The form to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// docker-archive, universal: an OCI layout with `manifest.json`.
    DockerArchive,
    /// docker-archive as Docker 1.10 to 24 wrote it.
    DockerLegacy,
    /// OCI layout, as folder.
    OciDir,
    /// OCI layout, as tar.
    OciTar,
    /// `dir:`
    SkopeoDir,
    /// Docker Distribution's storage.
    Storage,
    /// A live registry.
    Registry,
    /// One of which nothing needs to be known but what it can do.
    Other(&'static Writing),
}

impl Target {
    /// What is written at a place with this prefix.
    pub fn of(transport: Transport) -> Target {
        let known = [
            Target::DockerArchive,
            Target::OciDir,
            Target::OciTar,
            Target::SkopeoDir,
            Target::Storage,
            Target::Registry,
        ];
        let found = known.into_iter().find(|target| target.writing() == transport.writing);
        found.unwrap_or(Target::Other(transport.writing))
    }

    /// How it is written.
    pub fn writing(self) -> &'static Writing {
        match self {
            Target::DockerArchive => &docker_archive::UNIVERSAL,
            Target::DockerLegacy => &docker_archive::LEGACY,
            Target::OciDir => &oci_layout::FOLDER,
            Target::OciTar => &oci_layout::TAR,
            Target::SkopeoDir => &skopeo_dir::WRITING,
            Target::Storage => &registry_storage::WRITING,
            Target::Registry => &PUSH,
            Target::Other(writing) => writing,
        }
    }

    /// What that can do.
    pub fn can(self) -> Capabilities {
        self.writing().can
    }
}

/// How layers are to be compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compress {
    /// As they are.
    #[default]
    Keep,
    /// All alike.
    To {
        /// How.
        compression: Compression,
        /// Whether the user gave a level: then layers that have the codec already are compressed again.
        level_given: bool,
    },
}

impl Compress {
    /// Reads `keep`, `none`, `gzip[:N]` or `zstd[:N]`.
    ///
    /// # Errors
    ///
    /// Another text, or a level that the codec does not have.
    pub fn parse(text: &str) -> Result<Compress> {
        let (codec, level) = match text.split_once(':') {
            Some((codec, level)) => (codec, Some(level)),
            None => (text, None),
        };
        let number = |range: std::ops::RangeInclusive<u32>, default: u32| match level {
            None => Ok(default),
            Some(text) => text.parse().ok().filter(|n| range.contains(n)).ok_or_else(|| {
                Error::refused(format!(
                    "--compress {codec} takes a level from {} to {}, not `{text}`",
                    range.start(),
                    range.end()
                ))
            }),
        };
        let compression = match codec {
            "keep" if level.is_none() => return Ok(Compress::Keep),
            "none" if level.is_none() => Compression::None,
            "gzip" => Compression::Gzip(number(1..=12, Compression::GZIP_DEFAULT)?),
            "zstd" => Compression::Zstd(number(1..=22, Compression::ZSTD_DEFAULT as u32)? as i32),
            _ => {
                return Err(Error::refused(format!(
                    "--compress takes keep, none, gzip[:N] or zstd[:N], not `{text}`"
                )));
            }
        };
        Ok(Compress::To { compression, level_given: level.is_some() })
    }
}

/// The family of types that manifests are to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ManifestFormat {
    /// As they are.
    #[default]
    Keep,
    /// OCI.
    Oci,
    /// Docker schema 2 and manifest list.
    Docker,
}

/// What may be left out where the target cannot hold it: `--drop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DropSet {
    /// Manifests that are no images.
    pub artifacts: bool,
    /// BuildKit attestations.
    pub attestations: bool,
    /// Annotations, and the other members that only OCI has.
    pub annotations: bool,
    /// Indexes inside indexes.
    pub nested: bool,
    /// What refers to an index that is cut to what is there.
    pub stale: bool,
}

/// What the user asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The form to write; the destination says it.
    pub(crate) target: Target,
    /// `--image` and `:REF` of the source.
    pub images: Vec<String>,
    /// `--platform`
    pub platforms: Vec<Specifier>,
    /// `--sparse`
    pub sparse: bool,
    /// `--present-only`: indexes are cut to the images that are there.
    pub present_only: bool,
    /// `--referrers`: how many edges away from an image what is about it is taken along.
    pub referrers: u64,
    /// `--compress`
    pub compress: Compress,
    /// `--manifest-format`
    pub manifest_format: ManifestFormat,
    /// `--drop`
    pub drop: DropSet,
    /// `--tag`
    pub tags: Vec<String>,
    /// `--rename OLD=NEW`
    pub renames: Vec<(String, String)>,
    /// `:REF` of the destination, which says it.
    pub(crate) destination_name: Option<String>,
    /// An index at the destination whose place the one of the same name takes.
    pub(crate) replaces: Option<crate::digest::Digest>,
    /// `--fix`: the fixes of findings that are made on the way.
    pub fix: Option<Fixing>,
    /// Digests that documents had before they were fixed.
    pub(crate) moved: HashSet<String>,
    /// `--docker-platform`
    pub docker_platform: Option<Platform>,
    /// `--preserve-digests`
    pub preserve_digests: bool,
    /// In a registry, images keep their tags where the destination gives none; otherwise a lone one is the latest.
    pub(crate) keep_tags: bool,
    /// How the source is read.
    pub(crate) read: read::Options,
    /// Everything in the source is judged, not only what is converted. It takes [`Verify::All`](crate::read::Verify::All).
    pub check: bool,
    /// Everything is done but the writing.
    pub dry_run: bool,
    /// Replace an existing file or non-empty `dir:`.
    pub force: bool,
    /// Make the result survive power loss, not only the end of the process.
    pub fsync: bool,
    /// Hold a stream back until all of it is verified.
    pub buffer: bool,
}

impl Request {
    /// The levels in force of this request, where these are given.
    pub fn levels(&self, given: &Policy) -> Policy {
        let policy = given.clone();
        if self.platforms.is_empty() { policy } else { policy.for_a_platform() }
    }

    /// All images as they are, in this form.
    pub fn to(target: Target) -> Request {
        Request {
            target,
            images: Vec::new(),
            platforms: Vec::new(),
            sparse: false,
            present_only: false,
            referrers: u64::MAX,
            compress: Compress::Keep,
            manifest_format: ManifestFormat::Keep,
            drop: DropSet::default(),
            tags: Vec::new(),
            renames: Vec::new(),
            destination_name: None,
            replaces: None,
            fix: None,
            moved: HashSet::new(),
            docker_platform: None,
            preserve_digests: false,
            keep_tags: false,
            read: read::Options::default(),
            check: false,
            dry_run: false,
            force: false,
            fsync: false,
            buffer: false,
        }
    }
}

/// All images as they are.
impl Default for Request {
    fn default() -> Request {
        Request::to(Target::OciDir)
    }
}
