//! Configs, layers and other descriptors of a manifest.

use crate::digest::Digest;
use crate::error::Result;
use crate::location::{Location, MemberId};
use crate::media::{self, Family, LayerType};
use crate::model::archive::*;
use crate::model::build::Builder;
use crate::model::kind::is_layer_like;
use crate::model::view::{Descriptor, NOTHING, text};
use crate::model::{DocKind, Sought};

impl Builder<'_> {
    pub(super) fn descriptors(&self, document: DocId, member: MemberId, pointer: &str) -> Vec<Descriptor> {
        let document = self.archive.document(document);
        let Some(list) = document.root().and_then(|value| value.at(pointer)) else { return Vec::new() };
        let base = Location::pointer(member, pointer);
        let items = list.items().iter().enumerate().filter(|(_, item)| item.is_object());
        items.map(|(i, item)| Descriptor::of(item, base.child(i))).collect()
    }

    pub(super) fn parts(&mut self, document: DocId, member: MemberId) -> Result<ImageParts> {
        let text_of = self.archive.document(document);
        let value = text_of.root();
        let artifact_type = value.and_then(|value| text(value, "artifactType"));
        let config = match value.and_then(|value| value.get("config")).filter(|config| config.is_object()) {
            Some(config) => Descriptor::of(config, Location::pointer(member, "/config")),
            None => Descriptor::of(&NOTHING, Location::pointer(member, "")),
        };
        let mut layers = self.descriptors(document, member, "/layers");
        self.cap_layers(&mut layers, Location::pointer(member, "/layers"));
        let config_type = config.type_or_empty().to_owned();
        let image_config = media::is_image_config(&config_type) || media::is_legacy_config(&config_type);
        let layer_like = |d: &Descriptor| is_layer_like(d.type_or_empty());
        let attestation = artifact_type.as_deref()
            == Some("application/vnd.docker.attestation.manifest.v1+json")
            || layers.first().is_some_and(|d| d.type_or_empty() == "application/vnd.in-toto+json");
        // What has layers is run by every tool, whatever it calls itself.
        let has_layers = layers.iter().any(layer_like);
        let role = if attestation && !has_layers {
            Role::Attestation
        } else if image_config && (layers.is_empty() || has_layers) {
            Role::Image
        } else {
            Role::Artifact
        };
        let config = self.part(config)?;
        let mut layers: Vec<Part> = layers.into_iter().map(|d| self.part(d)).collect::<Result<_>>()?;
        // Most are few, and are given room for four.
        layers.shrink_to_fit();
        // Docker's plugins have a config of that shape, and no tool loads one as an image.
        let plugin = config_type == media::DOCKER_PLUGIN_CONFIG;
        let unpacked = role != Role::Image && !plugin && self.unpacks(&config, &layers)?;
        let role = if unpacked { Role::Image } else { role };
        if media::is_image_config(&config_type) || (role == Role::Image && (image_config || unpacked)) {
            let family = if config_type == media::OCI_CONFIG { Family::Oci } else { Family::Docker };
            if let Some(member) = config.blob.and_then(|blob| self.archive.blob(blob).member) {
                self.document(member, DocKind::Config(family))?;
            }
        }
        for layer in &layers {
            let plain = layer.descriptor().is_some_and(|d| LayerType::of(d.type_or_empty()).is_some());
            if let (Some(blob), true) = (layer.blob, plain || unpacked) {
                self.is_layer(blob);
            }
        }
        Ok(ImageParts { config, layers, role })
    }

    /// Whether who asks no media type unpacks an image from this: the config has diff IDs, and a layer is a tar.
    fn unpacks(&self, config: &Part, layers: &[Part]) -> Result<bool> {
        let member = |part: &Part| part.blob.and_then(|blob| self.archive.blob(blob).member);
        let Some(config) = member(config) else { return Ok(false) };
        let Some(json) = self.look(config)? else { return Ok(false) };
        let diff_ids = json.root.field("rootfs").and_then(|rootfs| rootfs.value.field("diff_ids"));
        if diff_ids.is_none_or(|ids| ids.value.items().is_empty()) {
            return Ok(false);
        }
        for layer in layers.iter().filter_map(member) {
            if self.archive.tree.is_tar(layer, self.limits)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The layers of a schema 1 manifest, base first; the same blob may occur often (empty layers).
    pub(super) fn schema1_layers(&mut self, document: DocId, member: MemberId) -> Result<Vec<Part>> {
        let document = self.archive.document(document);
        let sums: Vec<(usize, String)> = document
            .root()
            .and_then(|value| value.get("fsLayers"))
            .map(|list| {
                list.items()
                    .iter()
                    .enumerate()
                    .filter_map(|(i, item)| Some((i, text(item, "blobSum")?)))
                    .collect()
            })
            .unwrap_or_default();
        let sums = sums.into_iter().rev().take(self.limits.layers as usize);
        sums.map(|(i, sum)| {
            let at = Location::pointer(member, format!("/fsLayers/{i}/blobSum"));
            let digest = Digest::parse(&sum).ok();
            let blob = digest.map(|digest| self.blob_of_digest(&digest, Sought::Blob)).transpose()?;
            if let Some(blob) = blob {
                self.is_layer(blob);
            }
            Ok(Part::called(sum, at, blob))
        })
        .collect()
    }
}
