//! The IDs and `json` members of the legacy directories that Docker 1.10 to 24 writes for every layer
//! (formats.md A.2.1).

use std::collections::BTreeMap;

use super::{DecodeError, V1Image, chain_id, go_json};
use crate::digest::Digest;
use crate::json::Value;

/// `created` of every image but the top one, from Docker 17 on a daemon whose time zone is UTC.
const EPOCH: &str = "1970-01-01T00:00:00Z";

/// One legacy directory of an era-2 archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyLayer {
    /// Its name: 64 hex digits.
    pub id: String,
    /// Content of its `json` member.
    pub json: Vec<u8>,
}

/// The legacy directories of an image, base first, exactly as Docker 20.10 names and fills them.
///
/// `config` is the image config. Fails where Docker could not have loaded it.
pub fn legacy_layers(config: &Value, diff_ids: &[Digest]) -> Result<Vec<LegacyLayer>, DecodeError> {
    let top = V1Image::decode(config)?;
    let mut layers: Vec<LegacyLayer> = Vec::with_capacity(diff_ids.len());
    for (index, chain) in chain_id(diff_ids).iter().enumerate() {
        let mut image = if index + 1 == diff_ids.len() {
            // Docker's image struct has a parent of its own (an image ID), which hides the v1 one.
            V1Image { id: String::new(), parent: String::new(), ..top.clone() }
        } else {
            V1Image { created: EPOCH.to_owned(), ..V1Image::default() }
        };
        let below = layers.last().map(|layer| layer.id.clone());

        // What is hashed is not what is written: sorted, with the chain ID, and `os` for the top one only.
        let mut hashed: BTreeMap<_, _> = image.members().into_iter().collect();
        hashed.insert("layer_id", go_json::string(chain.as_str()));
        if let Some(below) = &below {
            hashed.insert("parent", go_json::string(&format!("sha256:{below}")));
        }
        let id = Digest::sha256(&go_json::object(hashed)).encoded().to_owned();

        image.id.clone_from(&id);
        image.parent = below.unwrap_or_default();
        image.os.clone_from(&top.os);
        layers.push(LegacyLayer { id, json: go_json::object(image.members()) });
    }
    Ok(layers)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::io::Read as _;

    use super::super::testing::{D0, D1, json, sha256, shared};
    use super::*;

    #[test]
    fn vectors_of_intermediate_layers() {
        let layers =
            legacy_layers(&json("{}").root, &[sha256(D0), sha256(D1), sha256(D0)]).expect("three layers");
        assert_eq!(layers[0].id, "3bf9dc6ca1042e8f1e9ce7b6a62bbe1ea0c224323b6fbc34e5e5e35905cd4206");
        assert_eq!(layers[1].id, "52ab37255ef2e576754323721deaf298688cba04c2b622db7d13f4422dfbd703");
    }

    #[test]
    fn the_written_json_is_in_struct_order_without_the_chain_id() {
        let config = json(
            r#"{"os":"linux","variant":"v8","id":"x","parent":"sha256:y","Size":7,"unknown":1,"comment":"<",
            "config":{"StopTimeout":0,"Shell":[],"ExposedPorts":{},"Volumes":{"/b":{},"/a":null},"Cmd":"sh",
            "labels":{"b":"2","B":"1"},"Healthcheck":{"StartInterval":5,"Retries":3},"OnBuild":[null]}}"#,
        );
        let layer = legacy_layers(&config.root, &[sha256(D0)]).expect("one layer").remove(0);
        let zero = r#"{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":null,"Cmd":null,"Image":"","Volumes":null,"WorkingDir":"","Entrypoint":null,"OnBuild":null,"Labels":null}"#;
        let set = r#"{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":null,"Cmd":["sh"],"Healthcheck":{"Retries":3},"Image":"","Volumes":{"/a":{},"/b":{}},"WorkingDir":"","Entrypoint":null,"OnBuild":[""],"Labels":{"B":"1","b":"2"},"StopTimeout":0}"#;
        let expected = format!(
            r#"{{"id":"{}","comment":"\u003c","created":"0001-01-01T00:00:00Z","container_config":{zero},"config":{set},"variant":"v8","os":"linux","Size":7}}"#,
            layer.id
        );
        assert_eq!(String::from_utf8(layer.json).expect("UTF-8"), expected);
    }

    #[test]
    fn zero_layers_have_no_directory() {
        assert_eq!(legacy_layers(&json("{}").root, &[]), Ok(vec![]));
    }

    #[test]
    fn what_docker_cannot_decode_has_no_id() {
        for (config, pointer) in [
            ("[]", ""),
            (r#"{"created":"yesterday"}"#, "/created"),
            (r#"{"config":{"Env":["a",1]}}"#, "/config/Env/1"),
            (r#"{"config":{"Healthcheck":{"Interval":1e9}}}"#, "/config/Healthcheck/Interval"),
            (r#"{"config":{"Labels":{"a/b":{}}}}"#, "/config/Labels/a~1b"),
        ] {
            let error = legacy_layers(&json(config).root, &[sha256(D0)]).expect_err(config);
            assert_eq!(error.pointer, pointer, "{config}: {error}");
        }
    }

    #[test]
    fn sample_of_docker_20_10() {
        let Some(archive) = shared("samples/docker-20.10-save.tar") else { return };
        let mut members = HashMap::new();
        for entry in tar::Archive::new(&archive[..]).entries().expect("tar") {
            let mut entry = entry.expect("entry");
            let name = entry.path().expect("path").to_string_lossy().into_owned();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("content");
            members.insert(name, content);
        }
        let manifest = json(&members["manifest.json"]);
        let config = json(&members[manifest.root.at("/0/Config").and_then(Value::as_str).expect("Config")]);
        let diff_ids = config.root.at("/rootfs/diff_ids").expect("diff IDs").items();
        let diff_ids: Vec<_> =
            diff_ids.iter().map(|v| Digest::parse(v.as_str().expect("text")).expect("digest")).collect();
        let layers = legacy_layers(&config.root, &diff_ids).expect("layers");

        let paths = manifest.root.at("/0/Layers").expect("Layers").items();
        assert_eq!(layers.len(), 4);
        assert_eq!(paths.len(), 4);
        for (layer, path) in layers.iter().zip(paths) {
            assert_eq!(path.as_str(), Some(format!("{}/layer.tar", layer.id).as_str()));
            let written = &members[&format!("{}/json", layer.id)];
            assert_eq!(String::from_utf8_lossy(&layer.json), String::from_utf8_lossy(written));
        }
    }
}
