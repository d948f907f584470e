//! Which family of types a manifest is written in, where the source leaves that open or something else is asked for.

use crate::error::{Error, Result};
use crate::jobs::convert::planner::Planner;
use crate::jobs::convert::request::ManifestFormat;
use crate::json::Value;
use crate::media::Family;
use crate::model::{Document, ImageParts, Name, NodeId, Role};

impl Planner<'_> {
    /// The family of the manifest that an image gets which has none: OCI's, unless its config is none of OCI's.
    pub(super) fn family_of_item(&self, node: NodeId, parts: &ImageParts) -> Result<Family> {
        match self.request.manifest_format {
            ManifestFormat::Docker => Ok(Family::Docker),
            ManifestFormat::Keep if !parts.layers.is_empty() && !self.lacks(parts).is_empty() => {
                Ok(Family::Docker)
            }
            ManifestFormat::Keep => Ok(Family::Oci),
            ManifestFormat::Oci => self.platform_for_oci(node, parts).map(|()| Family::Oci),
        }
    }

    /// What OCI demands of a config and Docker does not, and this one lacks. Configs keep their bytes: it stays so.
    fn lacks(&self, parts: &ImageParts) -> Vec<String> {
        let document = self.archive.part_document(&parts.config);
        let root = document.as_ref().and_then(Document::root).filter(|v| v.is_object());
        let empty =
            |root: &Value, key: &str| root.get(key).is_none_or(|v| v.is_null() || v.as_str() == Some(""));
        let lacks = |key: &&&str| root.is_some_and(|root| empty(root, key));
        ["architecture", "os"].iter().filter(lacks).map(|key| format!("`{key}`")).collect()
    }

    /// Refuses a config that an OCI manifest must not have.
    pub(super) fn platform_for_oci(&self, node: NodeId, parts: &ImageParts) -> Result<()> {
        let lacks = self.lacks(parts);
        if lacks.is_empty() || parts.layers.is_empty() || parts.role != Role::Image {
            return Ok(());
        }
        let what = self.describe(node, &Name::None);
        let message = format!("the config of {what} has no {}, which OCI demands", lacks.join(" and no "));
        Err(Error::refused_help(
            message,
            "leave out `--manifest-format oci`: with Docker's types it may be so, and keeps its digest",
        ))
    }
}
