//! Whether all of an archive was seen: what hides nothing that it points at.

use std::collections::HashSet;

use crate::finding::{Finding, Rule};
use crate::location::MemberId;
use crate::model::{Anomaly, Archive, Body, DocKind, Node};
use crate::rules::{document, manifest, shape};

/// What is wrong with a manifest, index or list that hides what it points at.
const HIDING: &[&Rule] = &[
    &document::SYNTAX,
    &document::TOO_DEEP,
    &document::DUPLICATE_KEY,
    &shape::NULL_FOR_REQUIRED,
    &shape::UNEXPECTED_SHAPE,
    &shape::LAYERS_MISSING,
    &shape::MANIFESTS_MISSING,
    &shape::CONFIG_MISSING,
    &shape::ARCHIVE_CONFIG_MISSING,
    &shape::ARCHIVE_LAYERS_MISSING,
    &shape::MANIFEST_NOT_ARRAY,
    &manifest::LAYERS_NULL,
];

/// Whether all that may point at something could be read, so that it is known what nothing points at.
pub fn sees_all(archive: &Archive, found: &[Finding]) -> bool {
    let limit = |odd: &Anomaly| matches!(odd, Anomaly::LimitHit { .. } | Anomaly::DocumentTooLarge { .. });
    let whole = |node: &Node| match &node.body {
        Body::Absent | Body::Opaque => false,
        Body::Index { children, .. } => children.iter().all(|edge| edge.node.is_some()),
        _ => node.all_parts().iter().all(|part| part.blob.is_some()),
    };
    let configs = archive.documents.iter().filter(|document| matches!(document.kind, DocKind::Config(_)));
    let configs: HashSet<MemberId> = configs.map(|document| document.member).collect();
    let hides = |finding: &Finding| {
        HIDING.iter().any(|rule| rule.name == finding.rule.name)
            && finding.primary.location.member.is_none_or(|member| !configs.contains(&member))
    };
    !archive.anomalies.iter().any(limit)
        && archive.nodes.iter().all(whole)
        && archive.unreadable_roots().is_empty()
        && !found.iter().any(hides)
}
