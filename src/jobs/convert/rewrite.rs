//! New manifests and indexes: made by replacing spans of the old ones, or from nothing for images without one.
//!
//! Pure functions over bytes. Unknown members, order and white space survive: law 5 of
//! docs/architecture.md#laws.

use std::collections::HashMap;

use crate::digest::Digest;
use crate::json::edit::Edits;
use crate::json::write::{self, Array, Object};
use crate::json::{Json, Value};
use crate::media::{self, Family, LayerType};
use crate::model::build::ATTESTED;

/// What a config, layer or child is after the conversion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Now {
    /// Digest.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// Media type.
    pub media_type: String,
    /// Whether the bytes are others than before: annotations about their inner layout go.
    pub changed: bool,
    /// What a manifest that was made anew says that it is; descriptors repeat it.
    pub artifact_type: Option<String>,
}

impl Now {
    /// Of a manifest or index with new bytes.
    pub fn made(bytes: &[u8], media_type: &str) -> Now {
        Now {
            digest: Digest::sha256(bytes),
            size: bytes.len() as u64,
            media_type: media_type.to_owned(),
            changed: true,
            artifact_type: None,
        }
    }
}

/// Annotations that describe the inner layout of one particular compression (eStargz, zstd:chunked).
const LAYOUT_ANNOTATIONS: &[&str] = &[
    "containerd.io/snapshot/stargz/toc.digest",
    "io.containers.estargz.uncompressed-size",
    "io.github.containers.zstd-chunked.manifest-checksum",
    "io.github.containers.zstd-chunked.manifest-position",
    "io.github.containers.zstd-chunked.tarsplit-position",
    "io.github.containers.zstd-chunked.tarsplit-checksum",
];

/// Members that Docker's types do not have.
const OCI_MEMBERS: &[&str] = &["annotations", "subject", "artifactType"];

/// A manifest with other descriptors, and of another family if that changes. Returns the annotations that went.
///
/// `config` and `layers` are what they are now, in the order of the manifest; `None` leaves a descriptor as it is.
pub fn manifest(
    text: &[u8],
    json: &Json,
    family: Family,
    from: Family,
    config: Option<&Now>,
    layers: &[Option<Now>],
) -> (Vec<u8>, Vec<String>) {
    let root = &json.root;
    let mut edits = Edits::new(text);
    let mut gone = Vec::new();
    let media_type = if family == Family::Oci { media::OCI_MANIFEST } else { media::DOCKER_MANIFEST };
    if family != from {
        edits.set_field(root, "mediaType", write::string(media_type));
    }
    let to_docker = family == Family::Docker && from == Family::Oci;
    if to_docker {
        OCI_MEMBERS.iter().for_each(|name| edits.remove_field(root, name));
    }
    if let (Some(value), Some(now)) = (root.get("config"), config) {
        descriptor(&mut edits, value, now, to_docker, &mut gone);
    }
    let list = root.get("layers").map(Value::items).unwrap_or_default();
    for (value, now) in list.iter().filter(|value| value.is_object()).zip(layers) {
        if let Some(now) = now {
            descriptor(&mut edits, value, now, to_docker, &mut gone);
        }
    }
    (edits.apply(), gone)
}

fn descriptor(edits: &mut Edits<'_>, value: &Value, now: &Now, to_docker: bool, gone: &mut Vec<String>) {
    let set = |edits: &mut Edits<'_>, name: &str, raw: String, same: bool| {
        if !same {
            edits.set_field(value, name, raw);
        }
    };
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    set(
        edits,
        "mediaType",
        write::string(&now.media_type),
        text("mediaType") == Some(now.media_type.as_str()),
    );
    set(edits, "digest", write::string(now.digest.as_str()), text("digest") == Some(now.digest.as_str()));
    let size = value.get("size").and_then(Value::as_u64);
    set(edits, "size", now.size.to_string(), size == Some(now.size));
    if to_docker {
        ["annotations", "data", "artifactType", "platform"]
            .iter()
            .for_each(|name| edits.remove_field(value, name));
        return;
    }
    if !now.changed {
        return;
    }
    if let (Some(held), Some(own)) = (text("artifactType"), &now.artifact_type)
        && held != own
    {
        edits.set_field(value, "artifactType", write::string(own));
    }
    // The inline copy, and what is said of the old bytes' inner layout, would now be wrong.
    edits.remove_field(value, "data");
    let Some(annotations) = value.get("annotations").filter(|a| a.is_object()) else { return };
    let stale: Vec<&str> =
        LAYOUT_ANNOTATIONS.iter().copied().filter(|key| annotations.entry(key).is_some()).collect();
    if stale.len() == annotations.members().len() && !stale.is_empty() {
        edits.remove_field(value, "annotations");
    } else {
        stale.iter().for_each(|key| edits.remove_member(annotations, key));
    }
    gone.extend(stale.iter().map(|key| (*key).to_owned()));
}

/// What becomes of a child of an index.
#[derive(Debug, Clone)]
pub enum Child {
    /// It is left out.
    Out,
    /// Its descriptor stays as it is.
    Kept,
    /// It is this now.
    Changed(Now),
}

/// An index with some children left out, others under new digests, and of another family if that changes.
///
/// `children` has one item for each object in `manifests`.
/// `moved` maps digests of children before to after, for the attestations that name them.
pub fn index(
    text: &[u8],
    json: &Json,
    family: Family,
    from: Family,
    children: &[Child],
    moved: &HashMap<String, Digest>,
) -> Vec<u8> {
    let root = &json.root;
    let mut edits = Edits::new(text);
    let media_type = if family == Family::Oci { media::OCI_INDEX } else { media::DOCKER_LIST };
    if family != from {
        edits.set_field(root, "mediaType", write::string(media_type));
    }
    let to_docker = family == Family::Docker && from == Family::Oci;
    if to_docker {
        OCI_MEMBERS.iter().for_each(|name| edits.remove_field(root, name));
    }
    let Some(list) = root.get("manifests") else { return edits.apply() };
    let objects = list.items().iter().enumerate().filter(|(_, value)| value.is_object());
    for ((at, value), child) in objects.zip(children) {
        match child {
            Child::Out => {
                edits.remove_item(list, at);
                continue;
            }
            Child::Kept => {}
            Child::Changed(now) => descriptor(&mut edits, value, now, to_docker, &mut Vec::new()),
        }
        if family == Family::Oci && from == Family::Docker {
            if let Some(platform) = value.get("platform") {
                edits.remove_field(platform, "features");
            }
        }
        let Some(annotations) = value.get("annotations").filter(|_| !to_docker) else { continue };
        let named = annotations.entry(ATTESTED).and_then(Value::as_str);
        if let Some(after) = named.and_then(|digest| moved.get(digest)) {
            edits.set(annotations, ATTESTED, write::string(after.as_str()));
        }
    }
    edits.apply()
}

/// A manifest for an image that has none (docs/architecture.md#manifests): compact, in the member
/// order of formats.md J.1.
pub fn synthesise(family: Family, config: &Now, layers: &[Now]) -> Vec<u8> {
    let media_type = if family == Family::Oci { media::OCI_MANIFEST } else { media::DOCKER_MANIFEST };
    let object = |now: &Now| {
        Object::new()
            .string("mediaType", &now.media_type)
            .string("digest", now.digest.as_str())
            .number("size", now.size)
            .finish()
    };
    let list = layers.iter().fold(Array::new(), |list, layer| list.raw(&object(layer))).finish();
    Object::new()
        .number("schemaVersion", 2)
        .string("mediaType", media_type)
        .raw("config", &object(config))
        .raw("layers", &list)
        .finish()
        .into_bytes()
}

/// The media type of a config in a family.
pub fn config_type(family: Family) -> &'static str {
    if family == Family::Oci { media::OCI_CONFIG } else { media::DOCKER_CONFIG }
}

/// The media type of a layer in a family, from its bytes; what is declared stands where the family has no name for it.
pub fn layer_type(family: Family, codec: media::Codec, declared: &str) -> String {
    let nondistributable = LayerType::of(declared).is_some_and(|t| t.nondistributable);
    LayerType::name(family, codec, nondistributable).map_or_else(|| declared.to_owned(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;
    use crate::media::Codec;

    const OCI: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:7e866a286603fe0ee7018ed3db2a977251ff812cb5cc240b59af0d4b9e1a1b18","size":239},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4","size":32}]}"#;
    const DOCKER: &str = "sha256:30b0fa80b78c42b039d62b69b1a8a98921cbd2734274dfbac75643098d5f1c3a";

    fn now(hex: &str, size: u64, media_type: &str) -> Now {
        let digest = Digest::from_sha256_hex(hex).expect("hex");
        Now { digest, size, media_type: media_type.into(), changed: false, artifact_type: None }
    }

    fn j1(family: Family) -> (Now, Now) {
        let config = "7e866a286603fe0ee7018ed3db2a977251ff812cb5cc240b59af0d4b9e1a1b18";
        let layer = "a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4";
        let layer_type = layer_type(family, Codec::Gzip, "");
        (now(config, 239, config_type(family)), now(layer, 32, &layer_type))
    }

    #[test]
    fn vectors_of_j1_both_ways() {
        let (config, layer) = j1(Family::Oci);
        assert_eq!(synthesise(Family::Oci, &config, std::slice::from_ref(&layer)), OCI.as_bytes());
        let oci = json::parse(OCI.as_bytes(), 64).expect("json");
        let (dc, dl) = j1(Family::Docker);
        let (docker, _) = manifest(OCI.as_bytes(), &oci, Family::Docker, Family::Oci, Some(&dc), &[Some(dl)]);
        assert_eq!(Digest::sha256(&docker).as_str(), DOCKER);
        let back = json::parse(&docker, 64).expect("json");
        let (again, _) = manifest(&docker, &back, Family::Oci, Family::Docker, Some(&config), &[Some(layer)]);
        assert_eq!(String::from_utf8(again).expect("text"), OCI);
    }

    #[test]
    fn unknown_members_and_white_space_survive() {
        let text = r#"{ "x": [1, 2],  "schemaVersion": 2, "config": {"digest":"a","size":1,"mediaType":"b","y":0}, "layers": [ ] }"#;
        let parsed = json::parse(text.as_bytes(), 64).expect("json");
        let (config, _) = j1(Family::Oci);
        let (out, _) = manifest(text.as_bytes(), &parsed, Family::Oci, Family::Oci, Some(&config), &[]);
        let out = String::from_utf8(out).expect("text");
        assert!(
            out.starts_with(r#"{ "x": [1, 2],  "schemaVersion": 2, "config": {"digest":"sha256:7e86"#),
            "{out}"
        );
        assert!(out.ends_with(r#""y":0}, "layers": [ ] }"#), "{out}");
    }

    #[test]
    fn annotations_about_the_old_layout_go_with_it() {
        let text = r#"{"layers":[{"mediaType":"t","digest":"d","size":1,"annotations":{"containerd.io/snapshot/stargz/toc.digest":"x","keep":"y"}}]}"#;
        let parsed = json::parse(text.as_bytes(), 64).expect("json");
        let (_, mut layer) = j1(Family::Oci);
        layer.changed = true;
        let (out, gone) = manifest(text.as_bytes(), &parsed, Family::Oci, Family::Oci, None, &[Some(layer)]);
        assert_eq!(gone, ["containerd.io/snapshot/stargz/toc.digest"]);
        assert!(String::from_utf8(out).expect("text").contains(r#""annotations":{"keep":"y"}"#));
    }

    #[test]
    fn an_index_loses_children_and_points_attestations_anew() {
        let text = r#"{"manifests":[{"digest":"a","size":1,"mediaType":"t"},{"digest":"b","size":2,"mediaType":"t"},{"digest":"c","size":3,"mediaType":"t","annotations":{"vnd.docker.reference.digest":"b"}}]}"#;
        let parsed = json::parse(text.as_bytes(), 64).expect("json");
        let (config, _) = j1(Family::Oci);
        let moved = HashMap::from([("b".to_owned(), config.digest.clone())]);
        let children = [Child::Out, Child::Changed(config.clone()), Child::Kept];
        let out = index(text.as_bytes(), &parsed, Family::Oci, Family::Oci, &children, &moved);
        let out = json::parse(&out, 64).expect("json");
        assert_eq!(out.root.at("/manifests").expect("list").items().len(), 2);
        assert_eq!(out.root.at("/manifests/0/digest").and_then(Value::as_str), Some(config.digest.as_str()));
        let pointed = out.root.at("/manifests/1/annotations/vnd.docker.reference.digest");
        assert_eq!(pointed.and_then(Value::as_str), Some(config.digest.as_str()));
    }
}
