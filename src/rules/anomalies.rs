//! What is said of each anomaly: one exhaustive match, so that a new anomaly does not compile before somebody has decided
//! what is wrong with it. Where nothing is said, the reason stands beside it. Words and rules are those of the families.

use super::{archive as container, docker_archive, document, legacy, storage};
use crate::finding::Finding;
use crate::model::{Anomaly, Archive};

/// The finding of an anomaly; [`archive`](super::archive) says before which of them are consequences of others.
pub fn judge(anomaly: &Anomaly, archive: &Archive) -> Option<Finding> {
    match anomaly {
        // Judged with the facts of the members, in `archive::tree`.
        Anomaly::Tree(_) => None,
        // Nothing is wrong with it: a conversion tells in its account that the members stay behind.
        Anomaly::LegacyIgnored { .. } => None,
        Anomaly::MissingMember { name, of } => Some(container::missing_member(name, of, archive)),
        Anomaly::TakenForLayer { because } => Some(container::taken_for_layer(because)),
        Anomaly::Empty { at } => Some(container::empty(at)),
        Anomaly::LimitHit { at, name, limit } => Some(container::limit_hit(at, name, *limit)),
        Anomaly::DocumentTooLarge { member, size, limit, name } => {
            Some(container::document_too_large(*member, *size, *limit, name))
        }
        Anomaly::HalvesDisagree { at, other, what } => {
            Some(container::halves_disagree(at, other.as_ref(), what))
        }
        Anomaly::BadName { at, text, problem } => Some(container::bad_name(at, text, problem)),
        Anomaly::TagTwice { at, first, name } => Some(container::tag_twice(at, first, name)),
        Anomaly::BadLink { member, content } => Some(container::bad_link(*member, content)),
        Anomaly::TagWithoutCurrent { member, name } => Some(container::tag_without_current(*member, name)),
        Anomaly::LinkTargetMissing { member, digest, what } => {
            Some(container::link_target_missing(*member, digest, what))
        }
        Anomaly::Undecidable { member } => document::undecidable(*member, archive),
        Anomaly::Cycle { at, digest } => Some(document::cycle(at, digest)),
        Anomaly::V1 { at, problem } => Some(legacy::v1(at, problem)),
        Anomaly::UnknownImage { at, id } => Some(legacy::unknown_image(at, id)),
        Anomaly::Legacy { at, problem } => Some(docker_archive::legacy(at, problem)),
        Anomaly::Storage { at, problem } => storage::odd(at, problem, archive),
    }
}
