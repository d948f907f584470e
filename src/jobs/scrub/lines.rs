//! Facts as JSON Lines, for databases: a line for each blob, each repository and each tag (docs/scrub.md#facts).

use std::io::Write;

use serde::Serialize;

use super::graph::Piece;
use super::parts::Parts;
use crate::digest::Digest;
use crate::error::{Context as _, Result};
use crate::form::stored::Link;
use crate::model::{Archive, Form, Name, Via};
use crate::time::rfc3339;

/// A line.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Line<'a> {
    Blob {
        /// The layout that has this copy.
        #[serde(skip_serializing_if = "Option::is_none")]
        repository: Option<&'a str>,
        digest: &'a str,
        size: u64,
        modified: String,
        sound: Option<bool>,
        codec: Option<&'static str>,
        computed: Option<&'a str>,
        diff_id: Option<&'a str>,
        plain_size: Option<u64>,
        entries: Option<u64>,
        document: bool,
        read: Option<String>,
        restow: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        store: Option<String>,
    },
    Repository {
        repository: &'a str,
        links: usize,
        tags: usize,
        revisions: usize,
    },
    Tag {
        repository: &'a str,
        tag: &'a str,
        digest: Option<&'a str>,
    },
    Use {
        repository: &'a str,
        digest: &'a str,
        role: &'static str,
    },
}

/// Writes facts.
pub struct Lines<'w> {
    out: &'w mut dyn Write,
}

impl<'w> Lines<'w> {
    /// To there.
    pub fn new(out: &'w mut dyn Write) -> Lines<'w> {
        Lines { out }
    }

    fn line(&mut self, line: &Line<'_>) -> Result<()> {
        let mut text = serde_json::to_vec(line).unwrap_or_default();
        text.push(b'\n');
        self.out.write_all(&text).at("cannot write", "the facts")
    }

    /// A repository that was judged: it, its tags, and the blobs that it uses.
    ///
    /// # Errors
    ///
    /// The line cannot be written.
    pub fn repository(&mut self, repository: &str, piece: &Piece, links: &[Link]) -> Result<()> {
        let archive = &piece.archive;
        let of = |part: &str| links.iter().filter(|link| link.path.starts_with(part)).count();
        let (links, tags, revisions) = match archive.form {
            Form::Registry => (links.len(), of("tags/"), of("manifests/")),
            Form::Oci => {
                let listed = archive.roots.iter().filter(|root| root.via == Via::List);
                let named = listed.clone().filter(|root| root.name != Name::None);
                (listed.count(), named.count(), archive.nodes.len())
            }
            _ => {
                let tags = links.iter().filter(|link| link.path.ends_with("/current/link"));
                (links.len(), tags.count(), of("_manifests/revisions/"))
            }
        };
        self.line(&Line::Repository { repository, links, tags, revisions })?;
        for root in &archive.roots {
            let tag = match &root.name {
                Name::None => continue,
                // The repository is what the name begins with.
                Name::Full(name) if archive.form != Form::Oci => name.tag().unwrap_or_default().to_owned(),
                Name::Full(name) => name.familiar(),
                Name::BareTag(text) | Name::Unreadable(text) => text.clone(),
            };
            let digest = archive.node(root.node).digest.as_ref().map(Digest::as_str);
            self.line(&Line::Tag { repository, tag: &tag, digest })?;
        }
        self.uses(repository, archive)
    }

    fn uses(&mut self, repository: &str, archive: &Archive) -> Result<()> {
        let nodes: std::collections::HashSet<_> = archive.nodes.iter().filter_map(|node| node.blob).collect();
        for (i, blob) in archive.blobs.iter().enumerate().filter(|(_, blob)| blob.referenced) {
            let Some(digest) = &blob.digest else { continue };
            let role = match (nodes.contains(&crate::model::BlobId(i as u32)), blob.layer) {
                (true, _) => "manifest",
                (false, true) => "layer",
                (false, false) => "other",
            };
            self.line(&Line::Use { repository, digest: digest.as_str(), role })?;
        }
        Ok(())
    }

    /// Every blob.
    ///
    /// # Errors
    ///
    /// A state cannot be read, or a line not written.
    pub fn blobs(&mut self, parts: &Parts) -> Result<()> {
        let time = |seconds: u64| rfc3339(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds));
        parts.blobs(&mut |key, digest, row| {
            let read = row.read.as_ref();
            let whole = read.filter(|read| read.is_whole());
            let facts = read.and_then(|read| read.facts.as_ref());
            let plain = facts.and_then(|facts| facts.plain.as_ref());
            let computed = facts.and_then(|facts| facts.digest_like(&digest));
            let parts = key.parts();
            self.line(&Line::Blob {
                repository: parts.as_ref().and_then(|(layout, _)| *layout),
                digest: digest.as_str(),
                size: row.size,
                modified: time(u64::try_from(row.modified / 1_000_000_000).unwrap_or_default()),
                sound: whole.map(|read| read.is_sound(&digest)),
                codec: facts.map(|facts| facts.codec.name()),
                computed: computed.filter(|computed| **computed != digest).map(Digest::as_str),
                diff_id: plain.map(|plain| plain.diff_id.as_str()),
                plain_size: plain.map(|plain| plain.size),
                entries: read.and_then(|read| read.layer.as_ref()).map(|layer| layer.entries),
                document: read.is_some_and(|read| read.text),
                read: whole.map(|read| time(read.at)),
                restow: whole.map(|read| read.restow.as_str()),
                store: read.and_then(|read| read.store).map(time),
            })
        })
    }
}
