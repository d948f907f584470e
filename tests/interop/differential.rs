//! restow's verdict and image IDs beside those of skopeo and umoci, on made archives: sound ones, on which all agree, and
//! broken ones, where each disagreement stands in the table with its reason.

use super::source::{hex, sha256};
use super::tools::{Case, Scene, run};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;

/// Every test of this kind.
pub const CASES: &[Case] =
    &[Case { name: "verdicts-beside-skopeo-and-umoci", needs: &["skopeo", "umoci"], body: verdicts }];

/// Whether a tool takes an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Verdicts {
    restow: bool,
    skopeo: bool,
    umoci: bool,
}

const ALL: Verdicts = Verdicts { restow: true, skopeo: true, umoci: true };
const NONE: Verdicts = Verdicts { restow: false, skopeo: false, umoci: false };

/// What is done to an image, the verdicts, and why they differ where they do.
const TABLE: &[(&str, Verdicts, &str)] = &[
    ("plain", ALL, ""),
    ("gzip", ALL, ""),
    ("several layers", ALL, ""),
    ("annotated", ALL, ""),
    ("layer: other bytes", NONE, ""),
    ("layer: missing", NONE, ""),
    (
        "layer: size one more",
        Verdicts { skopeo: true, ..NONE },
        "skopeo hashes layers and does not compare sizes",
    ),
    (
        "diff ID of something else",
        Verdicts { skopeo: true, ..NONE },
        "skopeo copies layers as they are stored and never looks at their diff IDs",
    ),
    (
        "one diff ID too few",
        Verdicts { skopeo: true, ..NONE },
        "skopeo does not count diff IDs between forms that keep the config",
    ),
    (
        "gzip: cut, digest right",
        Verdicts { skopeo: true, ..NONE },
        "skopeo does not decompress what it keeps",
    ),
    (
        "config: no JSON, digest right",
        Verdicts { skopeo: true, ..NONE },
        "skopeo hashes the config, and reads it only where it converts manifests",
    ),
    (
        "manifest: other bytes",
        Verdicts { skopeo: true, ..NONE },
        "skopeo does not compare a manifest with the digest by which index.json names it",
    ),
];

/// A layout of one image in a folder; `change` names what is done to it.
fn write(scene: &Scene, change: &str) -> (String, String) {
    let folder = scene.path(&change.replace([':', ' ', ','], "-"));
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("a folder");
    let add = |kind: &str, bytes: &[u8]| {
        let digest = sha256(bytes);
        fs::write(blobs.join(hex(&digest)), bytes).expect("written");
        json!({"mediaType": kind, "digest": digest, "size": bytes.len()})
    };
    let count = if change == "several layers" { 4 } else { 2 };
    let (mut layers, mut diff_ids) = (Vec::new(), Vec::new());
    for i in 0..count {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(2000);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("file-{i}"), &vec![i; 2000][..]).expect("memory");
        let plain = tar.into_inner().expect("memory");
        diff_ids.push(sha256(&plain));
        let gzip = change.starts_with("gzip");
        let mut stored = plain.clone();
        if gzip {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&plain).expect("memory");
            stored = encoder.finish().expect("memory");
            if change.contains("cut") && i == 1 {
                stored.truncate(stored.len() - 12);
            }
        }
        let kind = format!("application/vnd.oci.image.layer.v1.tar{}", if gzip { "+gzip" } else { "" });
        let mut descriptor = add(&kind, &stored);
        if i == 1 {
            let blob = blobs.join(hex(descriptor["digest"].as_str().expect("a digest")));
            match change {
                "layer: other bytes" => {
                    stored[600] ^= 1;
                    fs::write(blob, stored).expect("written");
                }
                "layer: missing" => fs::remove_file(blob).expect("removed"),
                "layer: size one more" => descriptor["size"] = json!(stored.len() + 1),
                _ => {}
            }
        }
        layers.push(descriptor);
    }
    match change {
        "diff ID of something else" => diff_ids[1] = sha256(b"something else"),
        "one diff ID too few" => drop(diff_ids.pop()),
        _ => {}
    }
    let config = json!({
        "architecture": "amd64", "os": "linux", "created": "2024-05-06T07:08:09Z", "config": {"Cmd": ["/x"]},
        "history": diff_ids.iter().map(|_| json!({"created_by": "x"})).collect::<Vec<_>>(),
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    let config = if change.starts_with("config") { "{".to_owned() } else { config.to_string() };
    let id = sha256(config.as_bytes());
    let config = add("application/vnd.oci.image.config.v1+json", config.as_bytes());
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let mut manifest = json!({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers});
    if change == "annotated" {
        manifest["annotations"] = json!({"com.example": "ä\u{1f600}", "org.opencontainers.image.title": "t"});
    }
    let text = manifest.to_string();
    let mut descriptor = add(kind, text.as_bytes());
    if change == "manifest: other bytes" {
        let blob = blobs.join(hex(descriptor["digest"].as_str().expect("a digest")));
        fs::write(blob, text.replacen("schemaVersion", "schemaversion", 1)).expect("written");
    }
    descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": "one"});
    let index = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [descriptor],
    });
    fs::write(folder.join("index.json"), index.to_string()).expect("written");
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("written");
    (folder.display().to_string(), id)
}

fn verdicts(scene: &Scene) {
    let mut unlike = BTreeMap::new();
    for (i, (change, expected, why)) in TABLE.iter().enumerate() {
        let (folder, id) = write(scene, change);
        let takes =
            |command: &mut std::process::Command| command.output().expect("it starts").status.success();
        let place = format!("oci:{folder}:one");
        let found = Verdicts {
            restow: takes(scene.restow().args(["check", &place])),
            skopeo: takes(scene.tool("skopeo").args([
                "--insecure-policy",
                "copy",
                "--quiet",
                &place,
                &format!("dir:{}", scene.at(&format!("copy-{i}"))),
            ])),
            umoci: takes(scene.tool("umoci").args([
                "unpack",
                "--image",
                &format!("{folder}:one"),
                &scene.at(&format!("unpacked-{i}")),
            ])),
        };
        if found != *expected {
            unlike.insert(*change, found);
        }
        let agree = found.restow == found.skopeo && found.restow == found.umoci;
        assert!(agree == why.is_empty(), "{change}: {found:?}; a disagreement has a reason, and only that");
        if found == ALL {
            let config = run(scene.tool("skopeo").args(["inspect", "--config", "--raw", &place]));
            assert_eq!(sha256(config.as_bytes()), id, "{change}: skopeo's image ID");
            let ours = run(scene.restow().args(["inspect", "--json", &place]));
            let ours: Value = serde_json::from_str(&ours).expect("JSON");
            assert_eq!(ours["images"][0]["id"], json!(id), "{change}: our image ID");
            let skopeo = run(scene.tool("skopeo").args(["inspect", &place]));
            let skopeo: Value = serde_json::from_str(&skopeo).expect("JSON");
            assert_eq!(ours["images"][0]["digest"], skopeo["Digest"], "{change}: manifest digest");
        }
    }
    assert!(unlike.is_empty(), "the table says otherwise: {unlike:#?}");
}
