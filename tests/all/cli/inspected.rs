//! What `inspect --json` says of an archive, flattened.

use std::collections::BTreeSet;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::common::Restow;

/// An index, image or artifact as `inspect --json` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    pub kind: String,
    /// Its own and those of everything above it.
    pub names: BTreeSet<String>,
    pub id: Option<String>,
    pub digest: Option<String>,
    pub platform: Option<String>,
    pub diff_ids: Vec<Value>,
}

/// What `inspect --json` says of an archive, flattened.
#[derive(Default)]
pub struct Archive {
    pub images: Vec<Image>,
}

impl Archive {
    pub fn inspect(restow: &Restow, place: &str) -> Result<Archive, Failed> {
        let output = restow.run(&["inspect".into(), "--json".into(), place.into()])?.expect(0)?;
        let json: Value = serde_json::from_slice(&output.stdout)?;
        let schema = include_str!("../../../schemas/inspect-v1.json");
        let validator = jsonschema::options().offline().build(&serde_json::from_str(schema)?)?;
        if let Some(error) = validator.iter_errors(&json).next() {
            return Err(format!("inspect --json {place}: {}: {error}", error.instance_path()).into());
        }
        let mut archive = Archive::default();
        for entry in json["images"].as_array().into_iter().flatten() {
            archive.add(entry, &BTreeSet::new());
        }
        Ok(archive)
    }

    fn add(&mut self, entry: &Value, above: &BTreeSet<String>) {
        let text = |name: &str| entry[name].as_str().map(str::to_owned);
        let own = entry["names"].as_array().into_iter().flatten();
        let mut names = above.clone();
        names.extend(own.filter_map(|name| name.as_str().map(str::to_owned)));
        let layers = entry["layers"].as_array().cloned().unwrap_or_default();
        self.images.push(Image {
            kind: text("kind").unwrap_or_default(),
            id: text("id"),
            digest: text("digest"),
            platform: text("platform"),
            diff_ids: layers.iter().map(|layer| layer["diffId"].clone()).collect(),
            names: names.clone(),
        });
        for child in entry["manifests"].as_array().into_iter().flatten() {
            self.add(child, &names);
        }
    }
}
