//! What images and artifacts that share parts hide from each other: nothing.

use super::fixture::{Layout, config};
use crate::digest::Digest;
use crate::media;

/// An empty layer.
const LAYER: [u8; 1024] = [0; 1024];

/// A manifest of an image; `more` are further members.
fn manifest(config: &str, layer: &str, more: &str) -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{}",{more}"config":{config},"layers":[{layer}]}}"#,
        media::OCI_MANIFEST
    )
}

/// What is found of a layout with these manifests, in this order.
fn of(layout: &Layout, manifests: &[&str], families: &[&str]) -> Vec<&'static str> {
    let descriptor = |text: &&str| layout.descriptor(media::OCI_MANIFEST, text.as_bytes());
    layout.index_json(&manifests.iter().map(descriptor).collect::<Vec<_>>());
    layout.checked(families)
}

#[test]
fn an_image_that_calls_itself_an_attestation() {
    let of_bytes = |diff_id: &str, layer_type: &str, bytes: &[u8], more: &str| {
        let layout = Layout::new();
        let config = layout.descriptor(media::OCI_CONFIG, config(&[diff_id]).as_bytes());
        let layer = layout.descriptor(layer_type, bytes);
        of(&layout, &[&manifest(&config, &layer, more)], &["config/diff-id", "config/layer-count"])
    };
    let of = |diff_id: &str, layer_type: &str, more: &str| of_bytes(diff_id, layer_type, &LAYER, more);
    let (right, wrong) = (Digest::sha256(&LAYER).to_string(), Digest::sha256(b"").to_string());
    let attestation = r#""artifactType":"application/vnd.docker.attestation.manifest.v1+json","#;
    assert_eq!(of(&right, media::OCI_LAYER, attestation), [""; 0]);
    assert_eq!(of(&wrong, media::OCI_LAYER, ""), ["config/diff-id-mismatch"]);
    assert_eq!(of(&wrong, media::OCI_LAYER, attestation), ["config/diff-id-mismatch"]);
    // Without a layer of a file system there is nothing to run.
    let statement = "application/vnd.in-toto+json";
    assert_eq!(of_bytes(&wrong, statement, b"{}", attestation), [""; 0]);
    // A layer is one by its bytes, whatever its type.
    assert_eq!(of(&wrong, statement, attestation), ["config/diff-id-mismatch"]);

    let layout = Layout::new();
    let config = layout.descriptor(media::OCI_CONFIG, config(&[&right, &wrong]).as_bytes());
    let layers = [
        layout.descriptor("application/vnd.in-toto+json", b"{}"),
        layout.descriptor(media::OCI_LAYER, &LAYER),
    ];
    let found = self::of(&layout, &[&manifest(&config, &layers.join(","), "")], &["config/diff-id"]);
    assert_eq!(found, ["config/diff-id-mismatch"; 1], "a first layer of a statement's type hides the others");
}

#[test]
fn a_config_that_an_artifact_has_too() {
    let of = |env: &str, first: bool| {
        let layout = Layout::new();
        let config = config(&[&Digest::sha256(&LAYER).to_string()]);
        let config = config.replacen('{', &format!(r#"{{"config":{{"Env":["{env}"]}},"#), 1);
        let config = layout.descriptor(media::OCI_CONFIG, config.as_bytes());
        let image = manifest(&config, &layout.descriptor(media::OCI_LAYER, &LAYER), "");
        let artifact = manifest(&config, &layout.descriptor("text/plain", b"x"), r#""artifactType":"a/b","#);
        let manifests = if first { [&*artifact, &*image] } else { [&*image, &*artifact] };
        of(&layout, &manifests, &["config/bad-env", "config/nul"])
    };
    for first in [false, true] {
        assert_eq!(of("A=1", first), [""; 0], "{first}");
        assert_eq!(of("=1", first), ["config/bad-env"], "{first}");
    }
}

#[test]
fn a_document_that_is_a_layer_too() {
    let of = |as_layer: bool| {
        let layout = Layout::new();
        let text = config(&[&Digest::sha256(&LAYER).to_string()]);
        let config = layout.descriptor(media::OCI_CONFIG, text.as_bytes());
        let layer = if as_layer {
            layout.descriptor(media::OCI_LAYER, text.as_bytes())
        } else {
            layout.descriptor(media::OCI_LAYER, &LAYER)
        };
        of(&layout, &[&manifest(&config, &layer, "")], &["config/diff-id", "tar/", "layer/"])
    };
    assert_eq!(of(false), [""; 0]);
    assert_eq!(of(true), ["tar/truncated", "config/diff-id-mismatch"]);
}

#[test]
fn a_layer_that_is_broken_and_in_an_artifact_too() {
    let of = |bytes: &[u8], first: bool| {
        let layout = Layout::new();
        let layer = layout.descriptor(media::OCI_LAYER_GZIP, bytes);
        let config =
            layout.descriptor(media::OCI_CONFIG, config(&[&Digest::sha256(&LAYER).to_string()]).as_bytes());
        let image = manifest(&config, &layer, "");
        let empty = layout.descriptor("application/vnd.oci.empty.v1+json", b"{}");
        let artifact = manifest(&empty, &layer, r#""artifactType":"a/b","#);
        let manifests = if first { [&*artifact, &*image] } else { [&*image, &*artifact] };
        of(&layout, &manifests, &["config/diff-id", "layer/"])
    };
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, &LAYER).expect("in memory");
    let gzip = encoder.finish().expect("in memory");
    for first in [false, true] {
        assert_eq!(of(&gzip, first), [""; 0], "{first}");
        assert_eq!(of(&gzip[..gzip.len() - 9], first), ["layer/truncated"], "{first}");
    }
}
