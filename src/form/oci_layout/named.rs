//! Which text stands for a name in a layout: what `oci:DIR:TEXT` takes, here and in other tools.

use std::collections::HashMap;

use super::index_json::{IMAGE_NAME, REF_NAME, index_json};
use crate::error::Result;
use crate::form::sink::{OutName, OutRoot, Output};
use crate::json::{self, Value};

/// For each root the `org.opencontainers.image.ref.name` that this `index.json` gives it; `None` where it has no name.
/// Without an index the one is meant that a new layout gets.
///
/// # Errors
///
/// The output is not whole, so that no index can be made of it.
pub fn ref_names(output: &Output, index: Option<&[u8]>) -> Result<Vec<Option<String>>> {
    let made;
    let index = match index {
        Some(index) => index,
        None => {
            made = index_json(output, None)?;
            &made
        }
    };
    // Deeper than any index that restow writes; what stands there is not trusted.
    let Ok(json) = json::parse(index, 64) else { return Ok(vec![None; output.roots.len()]) };
    let items = json.root.get("manifests").map(Value::items).unwrap_or_default();
    // By digest and image name, and by digest and the text itself; the first of several.
    let (mut by_name, mut by_text) = (HashMap::new(), HashMap::new());
    for item in items {
        let annotation = |key: &str| item.get("annotations")?.get(key)?.as_str();
        let digest = item.get("digest").and_then(Value::as_str);
        let (Some(digest), Some(text)) = (digest, annotation(REF_NAME)) else { continue };
        by_text.insert((digest, text), text);
        if let Some(name) = annotation(IMAGE_NAME) {
            by_name.entry((digest, name)).or_insert(text);
        }
    }
    let of = |root: &OutRoot| {
        let digest = root.target.as_str();
        match &root.name {
            OutName::None => None,
            OutName::Full(name) => by_name.get(&(digest, &*name.canonical())).copied(),
            OutName::BareTag(text) | OutName::Exact { ref_name: text, .. } => {
                by_text.get(&(digest, &**text)).copied()
            }
        }
    };
    Ok(output.roots.iter().map(|root| of(root).map(str::to_owned)).collect())
}
