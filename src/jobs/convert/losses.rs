//! What the target cannot hold: refused, unless `--drop` lets it be left out.

use crate::error::{Error, ErrorKind, Result};
use crate::jobs::convert::account::{Action, Entry, Kind};
use crate::jobs::convert::planner::Planner;
use crate::jobs::convert::request::{ManifestFormat, Target};
use crate::json::Value;
use crate::media::Family;
use crate::model::select;
use crate::model::{Body, Name, NodeId, Role};

impl Planner<'_> {
    /// Why the target cannot hold a node that `--drop` allows to be left out; a refusal if it does not allow it.
    pub(super) fn unwanted(&self, node: NodeId, nested: bool) -> Result<Option<&'static str>> {
        let docker = self.request.manifest_format == ManifestFormat::Docker;
        let legacy = self.request.target == Target::DockerLegacy;
        let drop = self.request.drop;
        let body = &self.archive.node(node).body;
        let (what, reason, option, allowed) = match body {
            Body::Manifest { parts, .. } if parts.role == Role::Attestation && (docker || legacy) => {
                ("an attestation", "Docker's formats have none", "attestations", drop.attestations)
            }
            Body::Manifest { parts, family: Family::Oci } if parts.role == Role::Artifact && docker => {
                ("an artifact", "Docker's formats have none", "artifacts", drop.artifacts)
            }
            Body::Manifest { parts, .. } if parts.role == Role::Artifact && legacy => (
                "an artifact",
                "the legacy docker-archive form holds images only",
                "artifacts",
                drop.artifacts,
            ),
            Body::ArtifactManifest { .. } | Body::Opaque if docker || legacy => {
                ("an artifact", "Docker's formats have none", "artifacts", drop.artifacts)
            }
            // Nothing there says that it is no manifest, and what collects garbage there would fail at it.
            Body::Opaque
                if matches!(self.request.target, Target::Storage | Target::Registry)
                    && self.archive.is_root(node) =>
            {
                ("an artifact", "registries hold manifests and indexes only", "artifacts", drop.artifacts)
            }
            Body::Index { .. } if nested && docker => {
                ("an index inside an index", "manifest lists do not nest", "nested", drop.nested)
            }
            Body::Schema1 { .. }
                if self.request.manifest_format == ManifestFormat::Keep
                    && !matches!(
                        self.request.target,
                        Target::SkopeoDir | Target::Storage | Target::Registry
                    ) =>
            {
                let message = format!(
                    "{} is a schema 1 manifest, which this form cannot hold",
                    self.describe(node, &Name::None)
                );
                return Err(Error::refused_help(message, "convert it with --manifest-format oci")
                    .of(ErrorKind::Unsupported));
            }
            _ => return Ok(None),
        };
        if allowed {
            return Ok(Some(reason));
        }
        let message = format!("{} is {what}: {reason}", self.describe(node, &Name::None));
        Err(Error::refused_help(
            message,
            format!("leave it out with --drop {option}, or write `oci:` without --manifest-format docker"),
        )
        .of(ErrorKind::Unsupported))
    }

    /// Refuses members that Docker's types do not have, unless they may be dropped.
    pub(super) fn annotations(&mut self, node: NodeId) -> Result<()> {
        let Some(document) = self.archive.node_document(node) else { return Ok(()) };
        let Some(root) = document.root() else { return Ok(()) };
        let found = oci_only(root);
        if found.is_empty() {
            return Ok(());
        }
        let what = self.describe(node, &Name::None);
        if !self.request.drop.annotations {
            let message = format!("{what} has {}, which Docker's types do not have", select::list(&found));
            return Err(Error::refused_help(message, "leave them out with --drop annotations")
                .of(ErrorKind::Unsupported));
        }
        let why = format!("Docker's types have no {}", select::list(&found));
        self.plan.entries.push(Entry::note(
            Kind::Other,
            Action::Dropped,
            format!("annotations of {what}"),
            why,
        ));
        Ok(())
    }
}

/// The members of a manifest or index, and of its descriptors, that only OCI defines.
fn oci_only(root: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let filled = |value: &Value| !(value.is_null() || value.is_object() && value.members().is_empty());
    let mut note = |object: &Value, names: &[&str]| {
        for name in names {
            if object.get(name).is_some_and(filled) && !found.iter().any(|f: &String| f == name) {
                found.push((*name).to_owned());
            }
        }
    };
    note(root, &["annotations", "subject", "artifactType"]);
    let descriptors = root.get("config").into_iter();
    let lists = ["layers", "manifests"].iter().filter_map(|name| root.get(name));
    for descriptor in descriptors.chain(lists.flat_map(Value::items)) {
        // An attestation is dropped whole, with the annotations that mark it.
        let marks = crate::model::view::annotation(descriptor, "vnd.docker.reference.type").is_some();
        if !marks {
            note(descriptor, &["annotations", "data", "artifactType"]);
        }
    }
    found
}
