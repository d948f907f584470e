//! Which text stands for a name in a layout: what `oci:DIR:TEXT` takes, here and in other tools.

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
    Ok(output.roots.iter().map(|root| items.iter().find_map(|item| of(root, item))).collect())
}

/// The text in a descriptor that stands for this root.
fn of(root: &OutRoot, item: &Value) -> Option<String> {
    if item.get("digest").and_then(Value::as_str) != Some(root.target.as_str()) {
        return None;
    }
    let annotation = |key: &str| item.get("annotations")?.get(key)?.as_str();
    let text = annotation(REF_NAME)?;
    let fits = match &root.name {
        OutName::None => false,
        OutName::Full(name) => annotation(IMAGE_NAME) == Some(&name.canonical()),
        OutName::BareTag(tag) => text == tag,
        OutName::Exact { ref_name, .. } => text == ref_name,
    };
    fits.then(|| text.to_owned())
}
