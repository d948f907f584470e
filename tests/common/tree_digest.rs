//! An independent look at what was written: plain files, hashed here.

use std::collections::BTreeMap;
use std::path::Path;

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
