//! The docker-archive of Docker 1.10 to 24 (formats.md A.2), for loaders that know nothing else.
//!
//! It holds images only: config bytes, uncompressed layers and the legacy v1 directories, no manifests. Members are
//! named by v1 IDs, which follow from the configs alone, so they are all known before the first blob ([`legacy_names`]).

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use super::manifest_json::{Item, Paths, items, render};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::form::preview::{Known, Preview};
use crate::form::sink::{Displaced, OutBody, OutDocument, Output, Presence, Sink, Staged};
use crate::form::write::WriteOptions;
use crate::form::write::tar_out::{Document, Naming, TarOut};
use crate::json;
use crate::json::write::Object;
use crate::limits::Limits;
use crate::model::legacy::legacy_layers;
use crate::platform::Platform;

/// The member names of a legacy docker-archive.
#[derive(Debug, Clone, Default)]
pub struct LegacyNames {
    /// The directory of each layer, base first, by image ID.
    images: BTreeMap<Digest, Vec<String>>,
    /// Every directory once, in order.
    directories: Vec<Directory>,
    /// The directory that has the file, by diff ID; others have a link to it.
    holders: BTreeMap<Digest, String>,
}

#[derive(Debug, Clone)]
struct Directory {
    id: String,
    json: Vec<u8>,
    diff_id: Digest,
}

/// Names the members for these images, each given by its config and its diff IDs.
///
/// # Errors
/// [`Error::Refused`] for a config that Docker could not have loaded.
pub fn legacy_names<'a>(images: impl IntoIterator<Item = (&'a [u8], &'a [Digest])>) -> Result<LegacyNames> {
    let mut names = LegacyNames::default();
    for (config, diff_ids) in images {
        let image_id = Digest::sha256(config);
        let refuse = |reason: String| {
            let message = format!("config {image_id} has no place in a legacy docker-archive: {reason}");
            Error::refused_help(message, "use --docker-format universal")
        };
        let json =
            json::parse(config, Limits::default().json_depth as usize).map_err(|e| refuse(e.to_string()))?;
        let layers = legacy_layers(&json.root, diff_ids).map_err(|e| refuse(e.to_string()))?;
        names.images.insert(image_id.clone(), layers.iter().map(|layer| layer.id.clone()).collect());
        for (layer, diff_id) in layers.into_iter().zip(diff_ids) {
            if names.directories.iter().any(|directory| directory.id == layer.id) {
                continue;
            }
            names.holders.entry(diff_id.clone()).or_insert_with(|| layer.id.clone());
            names.directories.push(Directory { id: layer.id, json: layer.json, diff_id: diff_id.clone() });
        }
    }
    Ok(names)
}

impl LegacyNames {
    /// Member names of config and layers of an image, if it was planned.
    ///
    /// A layer that is a link to a file of another image is named by that file: skopeo and podman take the size of a
    /// link, 0, for the size of its layer unless the file is among the image's own. Loaders of the time follow either.
    fn paths(&self, item: &Item<'_>) -> Option<Paths> {
        let image_id = Digest::sha256(&item.image.config);
        let own = self.images.get(&image_id).filter(|own| own.len() == item.image.diff_ids.len())?;
        let layers = own.iter().zip(&item.image.diff_ids).map(|(id, diff_id)| {
            let holder = self.holders.get(diff_id).filter(|holder| !own.contains(holder));
            layer_path(holder.unwrap_or(id))
        });
        Some(Paths { config: config_path(&image_id), layers: layers.collect() })
    }

    /// The v1 ID that names an image in `repositories`; an image without layers has none.
    fn top(&self, item: &Item<'_>) -> Option<&str> {
        self.images.get(&Digest::sha256(&item.image.config))?.last().map(String::as_str)
    }
}

impl Naming for LegacyNames {
    fn member(&self, digest: &Digest) -> Result<String> {
        if self.images.contains_key(digest) {
            return Ok(config_path(digest));
        }
        match self.holders.get(digest) {
            Some(id) => Ok(layer_path(id)),
            None => Err(Error::refused_help(
                format!("no config names a layer that decompresses to {digest}"),
                "use --docker-format universal",
            )),
        }
    }

    fn typical(&self) -> String {
        layer_path(&"0".repeat(64))
    }
}

fn config_path(image_id: &Digest) -> String {
    format!("{}.json", image_id.encoded())
}

fn layer_path(id: &str) -> String {
    format!("{id}/layer.tar")
}

struct LegacySink {
    out: TarOut,
    names: LegacyNames,
    platform: Option<Platform>,
}

/// Writes a legacy docker-archive that appears as `destination` once it is complete.
///
/// Layers must be staged uncompressed and kept under their diff ID, configs under their SHA-256. Documents are taken
/// and left out: the form has none.
///
/// # Errors
/// As [`tar_file`](crate::form::oci_layout::tar::tar_file()).
pub fn legacy_file(destination: &Path, names: LegacyNames, options: &WriteOptions) -> Result<Box<dyn Sink>> {
    let out = TarOut::file(destination, options)?;
    Ok(Box::new(LegacySink { out, names, platform: options.docker_platform.clone() }))
}

/// As [`legacy_file`], to a stream.
pub fn legacy_stream(
    stream: Box<dyn Write + Send>,
    names: LegacyNames,
    options: &WriteOptions,
) -> Result<Box<dyn Sink>> {
    let out = TarOut::stream(stream, options)?;
    Ok(Box::new(LegacySink { out, names, platform: options.docker_platform.clone() }))
}

impl LegacySink {
    /// The directories' small members, and links in place of layers that are there already.
    fn directories(&self) -> Vec<Document> {
        let mut found = Vec::new();
        for Directory { id, json, diff_id } in &self.names.directories {
            found.push(Document::File(format!("{id}/VERSION"), b"1.0".to_vec()));
            found.push(Document::File(format!("{id}/json"), json.clone()));
            match self.names.holders.get(diff_id) {
                Some(holder) if holder != id => {
                    found.push(Document::Link(layer_path(id), format!("../{}", layer_path(holder))));
                }
                _ => {}
            }
        }
        found
    }

    /// Everything but blobs, once all of those have arrived.
    fn documents(&self, output: &Output) -> Result<Vec<Document>> {
        let (items, paths) = self.placed(output)?;
        items.iter().try_for_each(|item| self.check_written(item))?;
        let mut documents = self.directories();
        let mut manifest = render(&items, &paths);
        manifest.push(b'\n');
        documents.push(Document::File("manifest.json".into(), manifest));
        let repositories = repositories(&items, &self.names);
        documents.extend(repositories.map(|bytes| Document::File("repositories".into(), bytes)));
        Ok(documents)
    }

    /// The images of `manifest.json`, each with its paths.
    fn placed<'o>(&self, output: &'o Output) -> Result<(Vec<Item<'o>>, Vec<Paths>)> {
        let items = items(output, self.platform.as_ref())?;
        let path = |item: &Item<'_>| {
            let unplanned = || Error::refused(format!("image {} was not planned", item.config.digest));
            self.names.paths(item).ok_or_else(unplanned)
        };
        let paths = items.iter().map(path).collect::<Result<Vec<_>>>()?;
        Ok((items, paths))
    }

    /// Whether config and layers of an image have arrived, a layer perhaps in another directory.
    fn check_written(&self, item: &Item<'_>) -> Result<()> {
        let image_id = Digest::sha256(&item.image.config);
        for digest in std::iter::once(&image_id).chain(&item.image.diff_ids) {
            let path = self.names.member(digest)?;
            if !self.out.has(&path) {
                return Err(Error::io("cannot write", path, io::Error::other("its blob did not arrive")));
            }
        }
        Ok(())
    }
}

impl Sink for LegacySink {
    fn ordered(&self) -> bool {
        true
    }

    fn reserve(&self, blobs: &[(&Digest, u64)]) -> Result<usize> {
        self.out.reserve(&self.names, blobs)
    }

    fn spool_dir(&self) -> Option<&Path> {
        None
    }

    fn has(&self, _digest: &Digest) -> Result<Presence<'_>> {
        Ok(Presence::No)
    }

    fn stage(&self, expected: Option<(&Digest, u64)>) -> Result<Box<dyn Staged + '_>> {
        self.out.stage(&self.names, expected)
    }

    fn document(&self, _document: &OutDocument) -> Result<()> {
        Ok(())
    }

    fn accepts(&self, digest: &Digest) -> Result<()> {
        self.names.member(digest).map(drop)
    }

    fn prepare(&self, output: &Output) -> Result<Vec<Displaced>> {
        self.placed(output)?;
        Ok(Vec::new())
    }

    fn preview(&self, output: &Output, _: Known<'_>) -> Result<Preview> {
        let images = output.documents.iter().filter_map(|document| match &document.body {
            OutBody::Manifest { image, .. } => image.as_ref(),
            OutBody::Index { .. } | OutBody::Opaque { .. } => None,
        });
        let configs =
            images.map(|image| (config_path(&Digest::sha256(&image.config)), Arc::clone(&image.config)));
        self.out.preview(&self.documents(output)?, configs.collect(), super::open)
    }

    fn commit(self: Box<Self>, output: &Output) -> Result<()> {
        self.out.put_all(&self.documents(output)?)?;
        self.out.finish()
    }
}

/// The old name table: repository → tag → v1 ID of the top layer, sorted as Go sorts maps; none if nothing is tagged.
fn repositories(items: &[Item<'_>], names: &LegacyNames) -> Option<Vec<u8>> {
    let mut table: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for item in items {
        let Some(top) = names.top(item) else { continue };
        for (repository, tag) in item.repo_tags.iter().filter_map(|name| name.rsplit_once(':')) {
            table.entry(repository).or_default().insert(tag, top);
        }
    }
    let object = table.iter().fold(Object::new(), |object, (repository, tags)| {
        object.raw(repository, &tags.iter().fold(Object::new(), |o, (tag, id)| o.string(tag, id)).finish())
    });
    (!table.is_empty()).then(|| (object.finish() + "\n").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::sink::OutBody;
    use crate::form::write::testing::{CONFIG, Captured, image, members, names, root, write_blob};

    const EMPTY: [u8; 1024] = [0; 1024];
    const V1_0: &str = "3bf9dc6ca1042e8f1e9ce7b6a62bbe1ea0c224323b6fbc34e5e5e35905cd4206";
    const V1_1: &str = "52ab37255ef2e576754323721deaf298688cba04c2b622db7d13f4422dfbd703";

    /// An image of these layers with the config of the minimal image and a comment to tell configs apart.
    fn output(comment: &str, layers: &[&[u8]], name: &str) -> Output {
        let config = CONFIG.replacen('{', &format!("{{\"comment\":\"{comment}\","), 1);
        let document = image(&format!("manifest {comment}"), &config, layers, "linux/amd64");
        let root = root(&document.digest, name);
        Output { documents: vec![document], roots: vec![root], index_json: None, replaces: None }
    }

    fn plan(output: &Output) -> LegacyNames {
        let images = output.documents.iter().map(|document| match &document.body {
            OutBody::Manifest { image: Some(image), .. } => (&*image.config, &*image.diff_ids),
            other => panic!("{other:?}"),
        });
        legacy_names(images).expect("names")
    }

    fn config(output: &Output) -> Vec<u8> {
        match &output.documents[0].body {
            OutBody::Manifest { image: Some(image), .. } => image.config.to_vec(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn intermediate_names_are_those_of_docker() {
        let big = [0; 10240];
        let names = plan(&output("x", &[&EMPTY, &big, &EMPTY], "a:1"));
        assert_eq!(names.member(&Digest::sha256(&EMPTY)).expect("a name"), format!("{V1_0}/layer.tar"));
        assert_eq!(names.member(&Digest::sha256(&big)).expect("a name"), format!("{V1_1}/layer.tar"));
        assert!(names.member(&Digest::sha256(b"other")).is_err());
    }

    #[test]
    fn repeated_layers_are_links() {
        let output = output("x", &[&EMPTY, b"mid", &EMPTY], "lab/app:1");
        for (expected, buffer) in [(true, false), (false, false), (false, true)] {
            let captured = Captured::default();
            let options = WriteOptions { buffer, ..Default::default() };
            let sink = legacy_stream(Box::new(captured.clone()), plan(&output), &options).expect("a sink");
            let config = config(&output);
            let image_id = Digest::sha256(&config).encoded().to_owned();
            for blob in [&config[..], &EMPTY, b"mid", &EMPTY] {
                write_blob(&*sink, blob, expected);
            }
            output.documents.iter().for_each(|document| sink.document(document).expect("taken"));
            sink.commit(&output).expect("committed");
            let members = members(&captured.bytes());
            let ids = &plan(&output).images[&Digest::sha256(&config)];
            assert_eq!(ids[0], V1_0);
            let listed: Vec<_> = members.iter().map(|(name, _)| name.clone()).collect();
            let of = |i: usize, name: &str| format!("{}/{name}", ids[i]);
            let order = [
                format!("{image_id}.json"),
                of(0, ""),
                of(0, "layer.tar"),
                of(1, ""),
                of(1, "layer.tar"),
                of(0, "VERSION"),
                of(0, "json"),
                of(1, "VERSION"),
                of(1, "json"),
                of(2, ""),
                of(2, "VERSION"),
                of(2, "json"),
                of(2, "layer.tar"),
                "manifest.json".into(),
                "repositories".into(),
            ];
            assert_eq!(listed, order);
            assert_eq!(members[2].1, EMPTY);
            assert_eq!(members[5].1, b"1.0");
            assert_eq!(members[12].1, format!("../{V1_0}/layer.tar").into_bytes());
            let layers = [0, 1, 2].map(|i| format!("\"{}\"", of(i, "layer.tar"))).join(",");
            let manifest = format!(
                "[{{\"Config\":\"{image_id}.json\",\"RepoTags\":[\"docker.io/lab/app:1\"],\"Layers\":[{layers}]}}]\n"
            );
            assert_eq!(String::from_utf8_lossy(&members[13].1), manifest);
            let table = format!("{{\"lab/app\":{{\"1\":\"{}\"}}}}\n", ids[2]);
            assert_eq!(String::from_utf8_lossy(&members[14].1), table);
        }
    }

    #[test]
    fn images_share_directories() {
        let mut both = output("x", &[&EMPTY, b"one"], "a:1");
        let second = output("y", &[&EMPTY, b"two"], "");
        both.documents.extend(second.documents.clone());
        both.roots.extend(second.roots.clone());
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("out.tar");
        let sink = legacy_file(&path, plan(&both), &WriteOptions::default()).expect("a sink");
        for blob in [&config(&both)[..], &EMPTY, b"one", &config(&second), &EMPTY, b"two"] {
            write_blob(&*sink, blob, false);
        }
        sink.commit(&both).expect("committed");
        assert_eq!(names(dir.path()), ["out.tar"]);
        let members = members(&std::fs::read(&path).expect("read"));
        assert_eq!(members.iter().filter(|(name, _)| name.ends_with("/layer.tar")).count(), 3);
        let manifest = members.iter().find(|(name, _)| name == "manifest.json").expect("a manifest.json");
        assert_eq!(String::from_utf8_lossy(&manifest.1).matches(V1_0).count(), 2);
    }

    #[test]
    fn a_link_to_the_layer_of_another_image_is_not_named_in_the_manifest() {
        let mut both = output("x", &[&EMPTY, b"one"], "a:1");
        let second = output("y", &[&EMPTY], "b:1");
        both.documents.extend(second.documents.clone());
        both.roots.extend(second.roots.clone());
        let captured = Captured::default();
        let options = WriteOptions::default();
        let sink = legacy_stream(Box::new(captured.clone()), plan(&both), &options).expect("a sink");
        for blob in [&config(&both)[..], &EMPTY, b"one", &config(&second), &EMPTY] {
            write_blob(&*sink, blob, false);
        }
        sink.commit(&both).expect("committed");
        let members = members(&captured.bytes());
        let text = |wanted: &str| {
            let (_, bytes) = members.iter().find(|(name, _)| name == wanted).expect("a member");
            String::from_utf8_lossy(bytes).into_owned()
        };
        let own = &plan(&both).images[&Digest::sha256(&config(&second))][0];
        assert_ne!(own, V1_0);
        assert_eq!(text(&layer_path(own)), format!("../{V1_0}/layer.tar"));
        assert!(text("manifest.json").contains(&format!("\"Layers\":[\"{V1_0}/layer.tar\"]")));
        assert!(text("repositories").contains(&format!("\"b\":{{\"1\":\"{own}\"}}")));
    }

    #[test]
    fn an_untagged_image_has_no_repositories_and_a_missing_blob_is_an_error() {
        let output = output("x", &[b"one"], "");
        let captured = Captured::default();
        let options = WriteOptions::default();
        let sink = legacy_stream(Box::new(captured.clone()), plan(&output), &options).expect("a sink");
        write_blob(&*sink, &config(&output), false);
        write_blob(&*sink, b"one", false);
        sink.commit(&output).expect("committed");
        assert_eq!(members(&captured.bytes()).last().expect("members").0, "manifest.json");

        let dir = tempfile::tempdir().expect("a directory");
        let sink = legacy_file(&dir.path().join("out.tar"), plan(&output), &options).expect("a sink");
        write_blob(&*sink, &config(&output), false);
        assert!(sink.commit(&output).is_err());
        assert!(names(dir.path()).is_empty());
        assert!(matches!(legacy_names([(&b"[]"[..], &[][..])]), Err(Error::Refused { .. })));
    }
}
