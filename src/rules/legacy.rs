//! Rules about v1 images and schema 1 manifests (formats.md A.1, C.2).

use super::{Rule, rule};
use crate::json::Value;
use crate::model::Anomaly;
use crate::model::Document;
use crate::model::archive::V1Problem;
use crate::model::legacy::jws::{self, Jws, Verdict};
use crate::model::legacy::schema1::{ProblemKind, Schema1};
use crate::report::{Finding, Location};

/// The rules of this file.
pub const RULES: &[&Rule] = &[
    &V1_BAD_ID,
    &V1_BROKEN_ANCESTRY,
    &V1_UNKNOWN_IMAGE,
    &SCHEMA1_UNPAIRED,
    &SCHEMA1_BROKEN_CHAIN,
    &SCHEMA1_BAD_HISTORY,
    &SCHEMA1_TARSUM,
    &SCHEMA1_BAD_SIGNATURES,
    &SCHEMA1_UNVERIFIED,
];

/// Nesting of the JSON inside schema 1.
const DEPTH: usize = 64;

rule! {
    /// A v1 image without a proper ID.
    V1_BAD_ID = "v1/bad-id", Error, Soft, [205],
    checks: "The directory of a v1 image is called by 64 lower-case hex digits.",
    matters: "Docker 1.10 to 28 refuses any other name (`invalid image ID`).",
    example: "A directory in upper-case hex.",
    mend: "Rename the directory, and what names it in `repositories` and `parent`.",
}
rule! {
    /// An ancestor is missing, or an image descends from itself.
    V1_BROKEN_ANCESTRY = "v1/broken-ancestry", Error, Hard, [206, 207, 209],
    checks: "The parents of a v1 image are in the archive, each with `json` and `layer.tar`, and lead to a base.",
    matters: "The layers of an image are those of all its ancestors; Docker aborts the load.",
    example: "An archive from which the base image's directory was removed.",
    mend: "Save the image again.",
}
rule! {
    /// A tag of an image that is not there.
    V1_UNKNOWN_IMAGE = "v1/unknown-image", Error, Soft, [210],
    checks: "Every ID in `repositories` is an image of the archive.",
    matters: "Docker aborts the load with `invalid target ID`.",
    example: "`{\"app\":{\"1\":\"4f0c…\"}}` without a directory `4f0c…`.",
    mend: "Remove the tag from `repositories`.",
}
rule! {
    /// Layers and history do not pair.
    SCHEMA1_UNPAIRED = "schema1/unpaired", Error, Hard, [214],
    checks: "`fsLayers` and `history` have the same length, and at least one item.",
    matters: "Item i of one describes item i of the other; every reader fails.",
    example: "Three layers, two history items.",
    mend: "Pull the image again in schema 2.",
}
rule! {
    /// The chain of parents is broken.
    SCHEMA1_BROKEN_CHAIN = "schema1/broken-chain", Error, Hard, [215],
    checks: "Image IDs are 64 hex digits, each item's parent is the next item, and the last one has none.",
    matters: "Docker, containerd and containers/image refuse a manifest whose chain is broken.",
    example: "The base image names a parent.",
    mend: "Pull the image again in schema 2.",
}
rule! {
    /// A v1Compatibility text cannot be read.
    SCHEMA1_BAD_HISTORY = "schema1/bad-history", Error, Hard, [216],
    checks: "Every `v1Compatibility` is the JSON of a v1 image, as text.",
    matters: "The config of the image is made from it.",
    example: "`\"v1Compatibility\": \"{\"`",
    mend: "Pull the image again in schema 2.",
}
rule! {
    /// Digests of a kind that nobody knows any more.
    SCHEMA1_TARSUM = "schema1/tarsum", Error, Hard, [220],
    checks: "No `blobSum` is a tarsum.",
    matters: "Only registries before the first release of Distribution used them; no reader does.",
    example: "`tarsum.v1+sha256:…`",
    mend: "Pull the image again in schema 2.",
}
rule! {
    /// The signature block is broken.
    SCHEMA1_BAD_SIGNATURES = "schema1/bad-signatures", Error, Hard, [217],
    checks: "The signature block is well-formed, and all signatures are over one payload that holds all members.",
    matters: "The digest of a signed manifest is that of the payload: without it the manifest has no identity.",
    example: "`formatLength` points into the middle of a member.",
    mend: "Pull the manifest again.",
}
rule! {
    /// A signature does not verify.
    SCHEMA1_UNVERIFIED = "schema1/unverified-signature", Warning, No, [217],
    checks: "Signatures verify with the keys beside them (ES256; other algorithms are not checked).",
    matters: "Keys were made for one use, so a signature protects against accidents only. Registry 2.8 verifies it on push; nobody else does.",
    example: "A manifest that was re-formatted after signing.",
    mend: "Convert the image with --manifest-format oci, which has no such signatures.",
}

/// Findings from anomalies of v1 archives.
pub fn anomaly(anomaly: &Anomaly) -> Option<Finding> {
    Some(match anomaly {
        Anomaly::V1 { at, problem } => {
            let (rule, message) = match problem {
                V1Problem::BadId => (&V1_BAD_ID, "the image ID is not 64 lower-case hex digits".to_owned()),
                V1Problem::NoJson => (&V1_BROKEN_ANCESTRY, "the image has no `json`".to_owned()),
                V1Problem::NoLayer => (&V1_BROKEN_ANCESTRY, "the image has no `layer.tar`".to_owned()),
                V1Problem::ParentMissing(id) => {
                    (&V1_BROKEN_ANCESTRY, format!("the parent image {id} is not in the archive"))
                }
                V1Problem::Cycle => (&V1_BROKEN_ANCESTRY, "the image descends from itself".to_owned()),
            };
            Finding::new(rule, at.clone(), message)
        }
        Anomaly::UnknownImage { at, id } => {
            Finding::new(&V1_UNKNOWN_IMAGE, at.clone(), format!("image {id} is not in the archive"))
        }
        _ => return None,
    })
}

/// Findings about a schema 1 manifest.
pub fn schema1(document: &Document, root: &Value, out: &mut Vec<Finding>) {
    let at = |pointer: &str| Location::pointer(document.member, pointer);
    for problem in Schema1::parse(root, DEPTH).problems {
        let rule = match &problem.kind {
            // Types are the schema's business.
            ProblemKind::Type { .. } => continue,
            ProblemKind::NoLayers | ProblemKind::Lengths { .. } => &SCHEMA1_UNPAIRED,
            ProblemKind::Id { .. }
            | ProblemKind::BaseHasParent { .. }
            | ProblemKind::Parent { .. }
            | ProblemKind::Repeated { .. } => &SCHEMA1_BROKEN_CHAIN,
            ProblemKind::Syntax(_) | ProblemKind::Around(_) | ProblemKind::V1(_) => &SCHEMA1_BAD_HISTORY,
            ProblemKind::Tarsum { .. } => &SCHEMA1_TARSUM,
            ProblemKind::Digest { .. } => &super::blob::BAD_DIGEST,
        };
        out.push(Finding::new(rule, at(&problem.pointer), problem.kind.to_string()));
    }
    let jws = Jws::read(&document.bytes, root, DEPTH);
    for problem in &jws.problems {
        let rule = &SCHEMA1_BAD_SIGNATURES;
        out.push(Finding::new(rule, at(&problem.pointer), format!("signature block: {}", problem.kind)));
    }
    for (i, signature) in jws.signatures.iter().enumerate() {
        verdict(signature, i, &at(&format!("/signatures/{i}")), out);
    }
}

fn verdict(signature: &jws::Signature, i: usize, at: &Location, out: &mut Vec<Finding>) {
    let message = match &signature.verdict {
        Some(Verdict::DoesNotVerify) => format!("signature {i} does not verify with its own key"),
        _ => return,
    };
    out.push(Finding::new(&SCHEMA1_UNVERIFIED, at.clone(), message));
}
