//! Manifests: kept, rewritten, or made for images that have none.

use std::io::Write as _;
use std::sync::Arc;

use crate::digest::Digest;
use crate::error::{Context as _, Result};
use crate::form::sink::{OutBlob, OutBody, OutDocument, OutImage};
use crate::jobs::convert::account::{Action, Entry, Kind};
use crate::jobs::convert::documents::{Documents, family_name, manifest_type};
use crate::jobs::convert::plan::Make;
use crate::jobs::convert::request::Target;
use crate::jobs::convert::rewrite::{self, Now};
use crate::media::Family;
use crate::model::select;
use crate::model::{Descriptor, ImageParts, NodeId, Part, legacy};
use crate::read::configs;

impl Documents<'_> {
    pub(super) fn manifest(
        &mut self,
        node: NodeId,
        from: Family,
        parts: &ImageParts,
        make: Make,
    ) -> Result<()> {
        let config = self.blobs(std::iter::once(&parts.config)).pop();
        let to = match make {
            Make::Rewrite { family } => family,
            _ => from,
        };
        let mut layers = Vec::new();
        let mut changes = Vec::new();
        for (i, part) in parts.layers.iter().enumerate() {
            let now = self.layer_now(node, part, to, make != Make::Keep);
            if let Some(now) = &now {
                self.layer_entry(node, i, part, now);
            }
            layers.extend(self.out_blob(part, now.as_ref()));
            changes.push(now);
        }
        if let Some(digest) = parts.config.descriptor().and_then(Descriptor::good_digest) {
            let absent = !self.archive.holds(&parts.config);
            let action = if absent { Action::Absent } else { Action::Kept };
            let why = if absent { "named by its manifest, not in the archive" } else { "" };
            self.config_entry(node, Some(digest.clone()), digest.clone(), action, why);
        }
        let image = self.image(parts);
        let Some(mut config) = config else { return Ok(()) };
        let legacy = self.target == Target::DockerLegacy;
        if make == Make::Keep || legacy {
            let body = OutBody::Manifest { config, layers, image };
            let Some(bytes) = self.bytes(node)? else { return Ok(()) };
            let source = self.archive.node(node);
            let Some(digest) = source.digest.clone() else { return Ok(()) };
            let media_type = source.media_type.clone().unwrap_or_default().into_owned();
            let now =
                Now { digest, size: bytes.len() as u64, media_type, changed: false, artifact_type: None };
            if legacy {
                let what = self.describe(node);
                let before = source.digest.clone();
                let why = "the legacy docker-archive form holds no manifests".to_owned();
                let entry =
                    Entry { kind: Kind::Manifest, action: Action::Dropped, what, before, after: None, why };
                self.account.entries.push(entry);
                return self.only_for_the_sink(node, now, bytes, body);
            }
            return self.document(node, now, bytes, body, Action::Kept, String::new());
        }
        let Some(document) = self.archive.node_document(node) else {
            return Ok(());
        };
        let Ok(json) = &document.json else { return Ok(()) };
        config.media_type = rewrite::config_type(to).to_owned();
        let config_now = Now {
            digest: config.digest.clone(),
            size: config.size,
            media_type: config.media_type.clone(),
            changed: false,
            artifact_type: None,
        };
        let (bytes, gone) = rewrite::manifest(&document.bytes, json, to, from, Some(&config_now), &changes);
        let mut why = Vec::new();
        if to != from {
            why.push(format!("{} to {}", family_name(from), family_name(to)));
        }
        let recompressed = changes.iter().flatten().filter(|now| now.changed).count();
        if recompressed > 0 {
            why.push(format!("{recompressed} of {} layers compressed anew", parts.layers.len()));
        }
        if !gone.is_empty() {
            why.push(format!("without {}", gone.join(", ")));
        }
        let now = Now::made(&bytes, manifest_type(to));
        let body = OutBody::Manifest { config, layers, image };
        self.document(node, now, bytes.into(), body, Action::Rewritten, why.join(", "))
    }

    /// Hands a manifest to a sink that needs its parts but writes no manifest.
    fn only_for_the_sink(&mut self, node: NodeId, now: Now, bytes: Arc<[u8]>, body: OutBody) -> Result<()> {
        let document = OutDocument {
            digest: now.digest.clone(),
            media_type: now.media_type.clone(),
            bytes,
            body,
            signatures: Vec::new(),
        };
        self.now.insert(node, now);
        self.output.documents.push(document);
        Ok(())
    }

    pub(super) fn item(&mut self, node: NodeId, parts: &ImageParts, make: Make) -> Result<()> {
        let Some(document) = self.archive.part_document(&parts.config) else { return Ok(()) };
        let config = document.bytes.to_vec();
        let diff_ids = self.diff_ids(&parts.layers);
        let layers: Vec<&Part> = parts.layers.iter().collect();
        let sha256 = document.sha256.clone();
        self.config_entry(node, Some(sha256.clone()), sha256, Action::Kept, "");
        self.synthesised(node, config, &layers, &diff_ids, make, "the archive has none")
    }

    pub(super) fn schema1(&mut self, node: NodeId, parts: &[Part], make: Make) -> Result<()> {
        let Some(document) = self.archive.node_document(node) else {
            return Ok(());
        };
        let Some(root) = document.root() else { return Ok(()) };
        let parsed = legacy::Schema1::parse(root, document.depth);
        let layers = configs::schema1_parts(&parsed, parts);
        let diff_ids: Vec<Digest> = layers.iter().filter_map(|part| self.diff_id(part)).collect();
        let config = configs::schema1_config(&parsed, &diff_ids)?;
        self.without_config(node, config, &layers, &diff_ids, make, "converted from schema 1")
    }

    /// An image whose config is made here: the config is written like any blob, after the layers.
    pub(super) fn without_config(
        &mut self,
        node: NodeId,
        config: Vec<u8>,
        layers: &[&Part],
        diff_ids: &[Digest],
        make: Make,
        why: &str,
    ) -> Result<()> {
        let digest = Digest::sha256(&config);
        let size = config.len() as u64;
        let mut staged = self.writer.sink.stage(Some((&digest, size)))?;
        staged.write_all(&config).at("cannot write", "the destination")?;
        staged.keep(&digest, size)?;
        self.config_entry(node, None, digest, Action::Synthesised, why);
        self.synthesised(node, config, layers, diff_ids, make, why)
    }

    fn synthesised(
        &mut self,
        node: NodeId,
        config: Vec<u8>,
        parts: &[&Part],
        diff_ids: &[Digest],
        make: Make,
        why: &str,
    ) -> Result<()> {
        let family = match make {
            Make::Synthesise { family } => family,
            _ => Family::Oci,
        };
        let mut nows = Vec::new();
        for (i, part) in parts.iter().enumerate() {
            let Some(now) = self.layer_now(node, part, family, true) else { continue };
            self.layer_entry(node, i, part, &now);
            nows.push(now);
        }
        let config_now = Now {
            digest: Digest::sha256(&config),
            size: config.len() as u64,
            media_type: rewrite::config_type(family).to_owned(),
            changed: false,
            artifact_type: None,
        };
        let bytes = rewrite::synthesise(family, &config_now, &nows);
        let blob = |now: &Now| OutBlob {
            digest: now.digest.clone(),
            size: now.size,
            media_type: now.media_type.clone(),
            present: true,
        };
        let platform = select::platform_of(self.archive, node, None).unwrap_or_default();
        let image = OutImage { config: config.into(), diff_ids: diff_ids.to_vec(), platform };
        let body = OutBody::Manifest {
            config: blob(&config_now),
            layers: nows.iter().map(blob).collect(),
            image: Some(image),
        };
        let now = Now::made(&bytes, manifest_type(family));
        if self.target == Target::DockerLegacy {
            return self.only_for_the_sink(node, now, bytes.into(), body);
        }
        self.document(node, now, bytes.into(), body, Action::Synthesised, why.to_owned())
    }
}
