//! What configs and layers are in the destination, each with its line of the account.

use std::sync::Arc;

use crate::digest::Digest;
use crate::form::sink::{OutBlob, OutImage};
use crate::jobs::convert::account::{Action, Entry, Kind};
use crate::jobs::convert::documents::Documents;
use crate::jobs::convert::plan::Treatment;
use crate::jobs::convert::rewrite::{self, Now};
use crate::media::{Codec, Family, LayerType};
use crate::model::{BlobId, Descriptor, ImageParts, NodeId, Part, Role};

impl Documents<'_> {
    /// What a layer is now. Layers that are not written (nondistributable) are what their descriptor says.
    pub(super) fn layer_now(
        &self,
        node: NodeId,
        part: &Part,
        family: Family,
        rewriting: bool,
    ) -> Option<Now> {
        let declared = part.descriptor().map_or("", Descriptor::type_or_empty);
        let known = part.descriptor().is_none() || LayerType::of(declared).is_some();
        let facts = part.blob.and_then(|blob| self.pool.fact(blob));
        let Some(facts) = facts else {
            let descriptor = part.descriptor()?;
            let codec = LayerType::of(declared).map_or(Codec::Plain, |t| t.codec);
            let media_type = if known && rewriting {
                rewrite::layer_type(family, codec, declared)
            } else {
                declared.to_owned()
            };
            let size = u64::try_from(descriptor.size?).ok()?;
            return Some(Now {
                digest: descriptor.good_digest()?.clone(),
                size,
                media_type,
                changed: false,
                artifact_type: None,
            });
        };
        let blob = part.blob?;
        let treatment = self.treatment(node, blob);
        let (digest, size) = self.writer.kept(blob, treatment)?;
        let codec = match treatment {
            Treatment::Keep => facts.codec,
            Treatment::Recompress(compression) => compression.codec(),
        };
        let media_type = if known && rewriting {
            rewrite::layer_type(family, codec, declared)
        } else {
            declared.to_owned()
        };
        Some(Now { digest, size, media_type, changed: treatment != Treatment::Keep, artifact_type: None })
    }

    /// How the plan treats a layer of a manifest.
    fn treatment(&self, node: NodeId, blob: BlobId) -> Treatment {
        self.plan.anew.get(&(node, blob)).map_or(Treatment::Keep, |&anew| Treatment::Recompress(anew))
    }

    pub(super) fn out_blob(&self, part: &Part, now: Option<&Now>) -> Option<OutBlob> {
        let now = now?;
        Some(OutBlob {
            digest: now.digest.clone(),
            size: now.size,
            media_type: now.media_type.clone(),
            present: self.archive.holds(part),
        })
    }

    /// Parts as their descriptors have them.
    pub(super) fn blobs<'p>(&self, parts: impl Iterator<Item = &'p Part>) -> Vec<OutBlob> {
        let blob = |part: &Part| {
            let held = part.blob.and_then(|blob| self.archive.blob(blob).member);
            let size = held.map(|member| self.archive.tree.member(member).size);
            let descriptor = part.descriptor();
            let declared = descriptor.and_then(|d| d.size).and_then(|size| u64::try_from(size).ok());
            Some(OutBlob {
                digest: match descriptor {
                    Some(descriptor) => descriptor.good_digest()?.clone(),
                    None => self.archive.blob(part.blob?).digest.clone()?,
                },
                size: declared.or(size)?,
                media_type: descriptor.map_or("", Descriptor::type_or_empty).to_owned(),
                present: held.is_some(),
            })
        };
        parts.filter_map(blob).collect()
    }

    pub(super) fn image(&self, parts: &ImageParts) -> Option<OutImage> {
        if parts.role != Role::Image {
            return None;
        }
        let config = self.archive.config(parts)?;
        // What the layers are; what the config says only of those that were not decompressed.
        let claimed = config.diff_ids().unwrap_or_default();
        let claims = claimed.iter().map(Option::as_ref).chain(std::iter::repeat(None));
        let diff_ids = parts.layers.iter().zip(claims);
        let diff_ids =
            diff_ids.filter_map(|(part, claim)| self.diff_id(part).or_else(|| claim.cloned())).collect();
        Some(OutImage { config: Arc::clone(&config.document.bytes), diff_ids, platform: config.platform() })
    }

    pub(super) fn diff_id(&self, part: &Part) -> Option<Digest> {
        self.pool.fact(part.blob?)?.plain.map(|plain| plain.diff_id)
    }

    pub(super) fn diff_ids(&self, parts: &[Part]) -> Vec<Digest> {
        parts.iter().filter_map(|part| self.diff_id(part)).collect()
    }

    pub(super) fn config_entry(
        &mut self,
        node: NodeId,
        before: Option<Digest>,
        after: Digest,
        action: Action,
        why: &str,
    ) {
        let what = format!("config of {}", self.describe(node));
        let after = Some(after);
        self.account.entries.push(Entry {
            kind: Kind::Config,
            action,
            what,
            before,
            after,
            why: why.to_owned(),
        });
    }

    /// Lines about blobs that are carried with what names them.
    pub(super) fn carried(&mut self, node: NodeId, parts: &[Part]) {
        for (i, part) in parts.iter().enumerate() {
            let absent = !self.archive.holds(part);
            let (action, why) = match absent {
                true => (Action::Absent, "named by its manifest, not in the archive"),
                false => (Action::Kept, ""),
            };
            let digest = part.blob.and_then(|blob| self.archive.blob(blob).digest.clone());
            let what = format!("layer {i} of {}", self.describe(node));
            self.account.entries.push(Entry {
                before: digest.clone(),
                after: digest,
                ..Entry::note(Kind::Layer, action, what, why)
            });
        }
    }

    pub(super) fn layer_entry(&mut self, node: NodeId, i: usize, part: &Part, now: &Now) {
        let what = format!("layer {i} of {}", self.describe(node));
        let facts = part.blob.and_then(|blob| self.pool.fact(blob));
        let absent = facts.is_none();
        let before = match (part.descriptor(), &facts) {
            (Some(descriptor), _) => descriptor.good_digest().cloned(),
            (None, Some(facts)) => Some(facts.sha256.clone()),
            (None, None) => None,
        };
        let changed = before.as_ref() != Some(&now.digest);
        let action = match (absent, changed) {
            (true, _) => Action::Absent,
            (_, true) => Action::Rewritten,
            _ => Action::Kept,
        };
        let why = match (&facts, changed) {
            (Some(facts), true) => {
                let to = match part.blob.map(|blob| self.treatment(node, blob)) {
                    Some(Treatment::Recompress(compression)) => compression.codec(),
                    _ => facts.codec,
                };
                format!("{} to {}, the diff ID stays", facts.codec.name(), to.name())
            }
            (None, _) => "named by its manifest, not in the archive".into(),
            _ => String::new(),
        };
        let after = Some(now.digest.clone());
        self.account.entries.push(Entry { kind: Kind::Layer, action, what, before, after, why });
    }
}
