//! What becomes of layers: kept, or compressed anew (docs/architecture.md#layers).

use crate::codec::Compression;
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::convert::plan::{Step, Treatment};
use crate::jobs::convert::planner::Planner;
use crate::jobs::convert::request::{Compress, ManifestFormat, Target};
use crate::location::At;
use crate::media::{Codec, Family, LayerType};
use crate::model::{ImageParts, NodeId, Part, legacy};

impl Planner<'_> {
    /// Whether the media type of one of the layers names another compression than its bytes have.
    pub(super) fn any_mistyped(&self, layers: &[Part]) -> Result<bool> {
        for layer in layers {
            let declared = layer.descriptor().and_then(|d| LayerType::of(d.type_or_empty()));
            let held = layer.blob.filter(|_| self.archive.holds(layer));
            if let (Some(declared), Some(blob)) = (declared, held) {
                if declared.codec != self.codecs.get(blob)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Plans config and layers of an image whose manifest is to be of this family; whether a layer changes.
    pub(super) fn image(&mut self, node: NodeId, parts: &ImageParts, family: Family) -> Result<bool> {
        self.stage(&parts.config, Treatment::Keep);
        let synthesised = parts.config.descriptor().is_none();
        self.layers_of(node, &parts.layers, synthesised, family)
    }

    pub(super) fn layers_of(
        &mut self,
        node: NodeId,
        layers: &[Part],
        synthesised: bool,
        family: Family,
    ) -> Result<bool> {
        let mut changed = false;
        for layer in layers {
            let treatment = self.treatment(layer, synthesised, family)?;
            changed |= treatment != Treatment::Keep;
            if matches!(self.request.target, Target::DockerArchive | Target::DockerLegacy)
                && !self.archive.holds(layer)
            {
                let foreign = layer.descriptor().and_then(|d| LayerType::of(d.type_or_empty()));
                if foreign.is_some_and(|t| t.nondistributable) {
                    let message = format!(
                        "layer {} is not in the archive, and docker-archive must hold every layer",
                        layer.wanted()
                    );
                    return Err(Error::refused_help(
                        message,
                        "write `oci-archive:`, which carries the descriptor alone",
                    ));
                }
            }
            self.stage_layer(node, layer, treatment);
        }
        Ok(changed)
    }

    /// Empty layers of schema 1 have no place in what it is converted to.
    pub(super) fn schema1(&mut self, node: NodeId, layers: &[Part], family: Family) -> Result<()> {
        let Some(document) = self.archive.node_document(node) else { return Ok(()) };
        let Some(root) = document.root() else { return Ok(()) };
        let parsed = legacy::Schema1::parse(root, document.depth);
        for layer in &parsed.layers {
            let at = format!("/fsLayers/{}/blobSum", layer.index);
            let part = layers.iter().find(|part| part.at().at == At::Pointer(at.clone()));
            if let Some(blob) = part.and_then(|part| part.blob).filter(|_| layer.empty) {
                self.plan.unstaged.insert(blob, "an empty layer, which only schema 1 has".to_owned());
            } else if let Some(part) = part {
                let treatment = self.treatment(part, true, family)?;
                self.stage_layer(node, part, treatment);
            }
        }
        Ok(())
    }

    /// What is done to a layer of an image (docs/architecture.md#layers). `family` is that of the manifest that will name
    /// it: the layer's own type may be of the other.
    fn treatment(&self, layer: &Part, synthesised: bool, family: Family) -> Result<Treatment> {
        let Some(blob) = layer.blob.filter(|_| self.archive.holds(layer)) else { return Ok(Treatment::Keep) };
        let layer_type = match layer.descriptor() {
            Some(descriptor) => match LayerType::of(descriptor.type_or_empty()) {
                Some(t) => Some(t),
                // Encrypted, or no layer that anybody knows: never touched.
                None => return Ok(Treatment::Keep),
            },
            None => None,
        };
        if self.request.target == Target::DockerLegacy {
            return Ok(if self.codecs.get(blob)? == Codec::Plain {
                Treatment::Keep
            } else {
                Treatment::Recompress(Compression::None)
            });
        }
        if layer_type.is_some_and(|t| t.nondistributable) {
            return Ok(Treatment::Keep);
        }
        if let Compress::To { compression, level_given } = self.request.compress {
            if family == Family::Docker && compression.codec() == Codec::Zstd {
                return Err(Error::refused_help(
                    "Docker's manifests cannot name zstd layers",
                    "add --manifest-format oci, or use --compress gzip",
                )
                .of(ErrorKind::Unsupported));
            }
            let again = level_given && compression.codec() != Codec::Plain;
            let tail = self.tails.contains(&blob);
            let alike = !again && !tail && self.codecs.get(blob)? == compression.codec();
            return Ok(if alike { Treatment::Keep } else { Treatment::Recompress(compression) });
        }
        let gzip = Treatment::Recompress(Compression::Gzip(Compression::GZIP_DEFAULT));
        // What is kept as it is may be of any compression.
        let docker = self.request.manifest_format == ManifestFormat::Docker;
        Ok(match if synthesised || docker { self.codecs.get(blob)? } else { Codec::Plain } {
            Codec::Zstd => gzip,
            Codec::Bzip2 | Codec::Xz if synthesised => gzip,
            _ => Treatment::Keep,
        })
    }

    fn stage_layer(&mut self, node: NodeId, part: &Part, treatment: Treatment) {
        if let (Some(blob), Treatment::Recompress(compression)) = (part.blob, treatment) {
            self.plan.anew.insert((node, blob), compression);
        }
        self.stage(part, treatment);
    }

    pub(super) fn stage(&mut self, part: &Part, treatment: Treatment) {
        let Some(blob) = part.blob.filter(|_| self.archive.holds(part)) else { return };
        if self.staged.insert((blob, treatment)) {
            self.plan.steps.push(Step::Blob { blob, treatment });
        }
    }
}
