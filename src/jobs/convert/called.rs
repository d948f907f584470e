//! What was written under which name, as the places to type next.

use std::collections::HashSet;
use std::fs;

use crate::form::oci_layout::ref_names;
use crate::form::place::Place;
use crate::form::sink::{OutName, Output};
use crate::jobs::convert::request::Target;

/// The places of what stands at a destination: `oci:app:latest`, each once, in the order of the source. Nothing where
/// there are no names, or nobody can go there: of a stream.
pub fn called(target: Target, place: &Place, output: &Output) -> Vec<String> {
    if place.is_standard() || place.is_remote() {
        return Vec::new();
    }
    // What was typed, without the name behind it.
    let typed = match &place.name {
        Some(name) => place.text.strip_suffix(&format!(":{name}")).unwrap_or(&place.text),
        None => place.text.trim_end_matches(':'),
    };
    let names: Vec<Option<String>> = match target {
        Target::SkopeoDir | Target::Registry => Vec::new(),
        Target::OciTar => ref_names(output, None).unwrap_or_default(),
        Target::OciDir => {
            // Names that were there may have changed what is written of ours.
            let index = fs::read(place.path.join("index.json")).ok();
            ref_names(output, index.as_deref()).unwrap_or_default()
        }
        Target::DockerArchive | Target::DockerLegacy | Target::Other(_) => {
            let name = |name: &OutName| match name {
                OutName::Full(name) => Some(name.familiar()),
                OutName::Exact { full, .. } => full.as_ref().map(|name| name.familiar()),
                OutName::BareTag(_) | OutName::None => None,
            };
            output.roots.iter().map(|root| name(&root.name)).collect()
        }
        Target::Storage => {
            let name = |(path, tag): &(String, Option<String>)| Some(format!("{path}:{}", tag.as_ref()?));
            output.roots.iter().map(|root| root.repository.as_ref().and_then(name)).collect()
        }
    };
    let mut seen = HashSet::new();
    let once = names.into_iter().flatten().filter(|name| seen.insert(name.clone()));
    once.map(|name| format!("{typed}:{name}")).collect()
}
