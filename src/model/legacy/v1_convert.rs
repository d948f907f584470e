//! Image configs made from v1 image JSON, as Docker makes them on loading an archive from before 1.10
//! (formats.md A.1 steps 3 to 5). The bytes decide the image ID.

use std::collections::BTreeMap;

use super::{DecodeError, LegacyError, V1Image, go_json};
use crate::digest::Digest;
use crate::json::{Member, Value};

/// From this version on the JSON is trusted to hold no blank fields.
const TRUSTED_SINCE: [i64; 3] = [1, 8, 3];

/// Members that have no place in a config.
const DROPPED: [&str; 6] = ["id", "parent", "Size", "parent_id", "layer_id", "throwaway"];

/// The image config of the last of `chain`, which lists v1 image JSONs (bytes and root) from base to top.
///
/// `diff_ids` has one item for every image: Docker makes a real layer of empty ones too.
pub fn config_from_v1(chain: &[(&[u8], &Value)], diff_ids: &[Digest]) -> Result<Vec<u8>, LegacyError> {
    let (bytes, root) = chain.last().ok_or(LegacyError::NoImage)?;
    if chain.len() != diff_ids.len() {
        return Err(LegacyError::LayerCount { images: chain.len(), diff_ids: diff_ids.len() });
    }
    let at = |index| move |error| LegacyError::Decode { index, error };
    let mut history = Vec::with_capacity(chain.len());
    for (index, (_, root)) in chain.iter().enumerate() {
        history.push(V1Image::decode(root).map_err(at(index))?.history_item(false));
    }
    make_config(bytes, root, &history, diff_ids).map_err(at(chain.len() - 1))
}

/// The config made from the top image's JSON and encoded history items.
pub(super) fn make_config(
    bytes: &[u8],
    root: &Value,
    history: &[Vec<u8>],
    diff_ids: &[Digest],
) -> Result<Vec<u8>, DecodeError> {
    let image = V1Image::decode(root)?;
    let mut members: BTreeMap<&str, Vec<u8>> = if is_older(&image.docker_version) {
        image.members().into_iter().collect()
    } else {
        root.members().iter().map(|member| (&*member.key, run_config(bytes, member))).collect()
    };
    for name in DROPPED {
        members.remove(name);
    }

    let mut rootfs = vec![("type", go_json::string("layers"))];
    if !diff_ids.is_empty() {
        rootfs.push(("diff_ids", go_json::array(diff_ids.iter().map(|id| go_json::string(id.as_str())))));
    }
    members.insert("rootfs", go_json::object(rootfs));
    members.insert("history", go_json::array(history));
    Ok(go_json::object(members))
}

/// A member as it stands, but for a command that is a string: Docker took such in v1 images, and readers of image configs
/// do not (formats.md B.3). It becomes an array of that one string, as Docker understood it.
fn run_config(bytes: &[u8], member: &Member) -> Vec<u8> {
    let raw =
        |value: &Value| go_json::compact(bytes.get(value.span.start..value.span.end).unwrap_or(b"null"));
    let command = |inner: &&Member| {
        let name = inner.key.to_lowercase();
        matches!(name.as_str(), "cmd" | "entrypoint") && inner.value.as_str().is_some()
    };
    let holds = matches!(&*member.key, "config" | "container_config");
    if !holds || !member.value.members().iter().any(|inner| command(&inner)) {
        return raw(&member.value);
    }
    go_json::object(member.value.members().iter().map(|inner| {
        let text = inner.value.as_str().filter(|_| command(&inner));
        let array = text.map(|text| go_json::array([go_json::string(text)]));
        (&*inner.key, array.unwrap_or_else(|| raw(&inner.value)))
    }))
}

/// Whether Docker counts `version` as older than [`TRUSTED_SINCE`]: part by part, what is no number being 0.
/// An empty version is older.
fn is_older(version: &str) -> bool {
    let parts: Vec<i64> = version.split('.').map(|part| part.parse().unwrap_or(0)).collect();
    for index in 0..parts.len().max(TRUSTED_SINCE.len()) {
        let part = |list: &[i64]| list.get(index).copied().unwrap_or(0);
        let (ours, since) = (part(&parts), part(&TRUSTED_SINCE));
        if ours != since {
            return ours < since;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::testing::{D0, D1, json, sha256};
    use super::*;

    fn convert(chain: &[&str], diff_ids: &[Digest]) -> Result<String, LegacyError> {
        let parsed: Vec<_> = chain.iter().map(json).collect();
        let chain: Vec<_> =
            chain.iter().zip(&parsed).map(|(text, json)| (text.as_bytes(), &json.root)).collect();
        config_from_v1(&chain, diff_ids).map(|bytes| String::from_utf8(bytes).expect("UTF-8"))
    }

    /// busybox of 2015. The image IDs are those that Docker's own migration gives it.
    #[test]
    fn images_get_the_ids_that_docker_gives_them() {
        let base = r##"{"id":"d1592a710ac323612bd786fa8ac20727c58d8a67847e5a65177c594f43919498",
            "created":"2015-10-31T22:22:54.690851953Z","docker_version":"1.8.2","architecture":"amd64","os":"linux",
            "container":"23304fc829f9b9349416f6eb1afec162907eba3a328f51d53a17f8986f865d65",
            "container_config":{"Hostname":"23304fc829f9","PublishService":"","VolumeDriver":"","Cmd":["/bin/sh","-c",
            "#(nop) ADD file:a3bc1e842b69636f9df5256c49c5374fb4eef1e281fe3f282c65fb853ee171c5 in /"]},
            "config":{"Hostname":"23304fc829f9","ExposedPorts":null,"NetworkDisabled":false},"Size":1108935}"##;
        let top = r##"{"parent":"d1592a710ac323612bd786fa8ac20727c58d8a67847e5a65177c594f43919498",
            "created":"2015-10-31T22:22:55.613815829Z","docker_version":"1.8.2","architecture":"amd64","os":"linux",
            "container":"349b014153779e30093d94f6df2a43c7a0a164e05aa207389917b540add39b51",
            "container_config":{"Hostname":"23304fc829f9","Cmd":["/bin/sh","-c","#(nop) CMD [\"sh\"]"],
            "Image":"d1592a710ac323612bd786fa8ac20727c58d8a67847e5a65177c594f43919498"},
            "config":{"Hostname":"23304fc829f9","Cmd":["sh"],
            "Image":"d1592a710ac323612bd786fa8ac20727c58d8a67847e5a65177c594f43919498"},"Size":0}"##;
        let id = |chain: &[&str]| {
            let config = convert(chain, &vec![sha256(D0); chain.len()]).expect("config");
            Digest::sha256(config.as_bytes()).to_string()
        };
        assert_eq!(id(&[base]), "sha256:ca406eaf9c26898414ff5b7b3a023c33310759d6203be0663dbf1b3a712f432d");
        assert_eq!(
            id(&[base, top]),
            "sha256:a488bec94bb96b26a968f913d25ef7d8d204d727ca328b52b4b059c7d03260b6"
        );
    }

    #[test]
    fn commands_that_are_strings_become_arrays() {
        let image =
            r#"{"docker_version":"1.9.1","config":{"Env":["A=1"],"cmd":"/bin/sh","Entrypoint":["x"]}}"#;
        let config = convert(&[image], &[sha256(D0)]).expect("config");
        assert!(
            config.contains(r#""config":{"Env":["A=1"],"cmd":["/bin/sh"],"Entrypoint":["x"]}"#),
            "{config}"
        );
    }

    #[test]
    fn newer_versions_keep_raw_members() {
        let base = r#"{"created":"2016-01-01T00:00:00.50Z","author":"a <b>","comment":"c",
            "container_config":{"Cmd":["/bin/sh","-c","x && y"]}}"#;
        let top = r#"{ "os": "linux", "docker_version":"1.9.1", "config": { "Z": 1.0, "A": "<" }, "Size": 4,
            "id":"i", "parent":"p", "parent_id":"q", "layer_id":"l", "throwaway":true, "size": 5,
            "rootfs":1, "created":"2016-01-01T00:00:01Z", "new&":null, "os" : "plan9" }"#;
        let expected = format!(
            "{}{}{}",
            r#"{"config":{"Z":1.0,"A":"\u003c"},"created":"2016-01-01T00:00:01Z","docker_version":"1.9.1","#,
            r#""history":[{"created":"2016-01-01T00:00:00.5Z","author":"a \u003cb\u003e","created_by":"/bin/sh -c x \u0026\u0026 y","comment":"c"},{"created":"2016-01-01T00:00:01Z"}],"#,
            format_args!(
                r#""new\u0026":null,"os":"plan9","rootfs":{{"type":"layers","diff_ids":["sha256:{D0}","sha256:{D1}"]}},"size":5}}"#
            )
        );
        assert_eq!(convert(&[base, top], &[sha256(D0), sha256(D1)]), Ok(expected));
    }

    #[test]
    fn versions_compare_as_docker_compares_them() {
        for older in ["", "1.8.2", "1.8", "0.11.1", "1.8.3-rc1", "dev", "-1"] {
            assert!(is_older(older), "{older}");
        }
        for newer in ["1.8.3", "1.8.3.0", "1.10", "1.10.0-dev", "17.09.0-ce", "2"] {
            assert!(!is_older(newer), "{newer}");
        }
    }

    #[test]
    fn faults_are_told_apart() {
        assert_eq!(convert(&[], &[]), Err(LegacyError::NoImage));
        assert_eq!(convert(&["{}"], &[]), Err(LegacyError::LayerCount { images: 1, diff_ids: 0 }));
        let error =
            convert(&["{}", r#"{"config":7}"#], &[sha256(D0), sha256(D0)]).expect_err("config is no object");
        assert_eq!(error.to_string(), "v1 image 1 (base = 0): /config: expected an object");
    }
}
