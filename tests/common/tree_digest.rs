//! An independent look at what was written: plain files, hashed here.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use libtest_mimic::Failed;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// SHA-256 in lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// The digest of every file below a path, by relative path; a file alone has the empty path.
pub fn files(path: &Path) -> std::io::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut pending = vec![path.to_owned()];
    while let Some(next) = pending.pop() {
        if next.is_dir() {
            for entry in std::fs::read_dir(&next)? {
                pending.push(entry?.path());
            }
        } else {
            let name = next.strip_prefix(path).unwrap_or(&next).display().to_string();
            found.insert(name, sha256(&std::fs::read(&next)?));
        }
    }
    Ok(found)
}

/// Every blob of a layout hashes to its name, and every image's layers decompress to its diff IDs.
pub fn verify_layout(layout: &Path) -> Result<(), Failed> {
    let blob = |digest: &str| layout.join("blobs").join(digest.replace(':', "/"));
    for (name, digest) in files(&layout.join("blobs/sha256"))? {
        if name != digest {
            return Err(format!("blob {name} hashes to {digest}").into());
        }
        let bytes = std::fs::read(layout.join("blobs/sha256").join(&name))?;
        let Ok(manifest) = serde_json::from_slice::<Value>(&bytes) else { continue };
        let config = manifest["config"]["digest"].as_str().map(blob).filter(|path| path.is_file());
        let config: Option<Value> =
            config.and_then(|path| serde_json::from_slice(&std::fs::read(path).ok()?).ok());
        let config_type = manifest["config"]["mediaType"].as_str().unwrap_or_default();
        let (Some(config), true) = (config, config_type.contains("image")) else { continue };
        let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
        let diff_ids = config["rootfs"]["diff_ids"].as_array().cloned().unwrap_or_default();
        if layers.iter().any(|layer| !layer["mediaType"].as_str().unwrap_or_default().contains("tar")) {
            continue;
        }
        for (layer, diff_id) in layers.iter().zip(&diff_ids) {
            let stored = std::fs::read(blob(layer["digest"].as_str().unwrap_or_default()))?;
            if layer["size"].as_u64() != Some(stored.len() as u64) {
                return Err(format!("the size of {layer} is wrong").into());
            }
            let found = format!("sha256:{}", sha256(&decompressed(&stored)?));
            if diff_id.as_str() != Some(&found) {
                return Err(format!("a layer has diff ID {found}, the config says {diff_id}").into());
            }
        }
    }
    Ok(())
}

/// The plain bytes of what gzip, zstd, xz or bzip2 compressed, or the bytes themselves.
pub fn decompressed(stored: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    match stored {
        [0x1f, 0x8b, ..] => flate2::read::MultiGzDecoder::new(stored).read_to_end(&mut plain)?,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => zstd::stream::read::Decoder::new(stored)?.read_to_end(&mut plain)?,
        [0xfd, b'7', b'z', ..] => liblzma::read::XzDecoder::new(stored).read_to_end(&mut plain)?,
        [b'B', b'Z', b'h', ..] => bzip2::read::MultiBzDecoder::new(stored).read_to_end(&mut plain)?,
        _ => {
            plain.extend_from_slice(stored);
            plain.len()
        }
    };
    Ok(plain)
}
