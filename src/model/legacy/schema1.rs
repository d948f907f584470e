//! Docker registry manifests of schema 1 (formats.md C.2): layers, the v1 images that stand for them, and the
//! config that Docker makes of them on a pull.
//!
//! Reading lists every problem rather than stopping at the first (formats.md H.11, rules 214 to 216 and 220).
//! Signatures are the business of [`jws`](super::jws).

use std::collections::HashMap;

use super::v1_convert::make_config;
use super::{DecodeError, LegacyError, V1Image, kind_name};
use crate::digest::{Digest, DigestError};
use crate::json::{self, Anomaly, Json, SyntaxError, Value};

/// A schema 1 manifest, as far as it can be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema1 {
    /// Repository path; often not the one that it is served from.
    pub name: Option<String>,
    /// The tag it was pushed under.
    pub tag: Option<String>,
    /// Informational; the top image has its own.
    pub architecture: Option<String>,
    /// Base first, without [`dropped`](Schema1::dropped) ones. Empty if a problem leaves a layer unknown.
    pub layers: Vec<Layer>,
    /// Indexes into `fsLayers` that readers drop: the item behind (its parent) has the same ID.
    pub dropped: Vec<usize>,
    /// Everything that makes readers refuse the manifest, in document order within each check.
    pub problems: Vec<Problem>,
}

/// One layer and the v1 image that stands for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Index into `fsLayers` and `history`.
    pub index: usize,
    /// Digest of the compressed blob.
    pub blob_sum: Digest,
    /// The v1 image.
    pub v1: V1Image,
    /// Whether the v1 image says that the layer is empty, so that it is no layer of a later manifest.
    pub empty: bool,
    /// The decoded `v1Compatibility`.
    pub text: Box<str>,
    /// `text`, parsed; with anomalies that readers tolerate.
    pub json: Json,
}

/// A problem and its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {kind}")]
pub struct Problem {
    /// JSON pointer into the manifest.
    pub pointer: String,
    /// What is wrong there.
    #[source]
    pub kind: ProblemKind,
}

/// What can be wrong with a schema 1 manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProblemKind {
    /// A member has another type.
    #[error("expected {expected}, found {found}")]
    Type {
        /// The right type.
        expected: &'static str,
        /// The type that it has, or `nothing`.
        found: &'static str,
    },
    /// Rule 214: no layer at all.
    #[error("the manifest has no layers")]
    NoLayers,
    /// Rule 214: `fsLayers` and `history` do not pair up.
    #[error("{layers} layers, but {history} history items")]
    Lengths {
        /// Items of `fsLayers`.
        layers: usize,
        /// Items of `history`.
        history: usize,
    },
    /// Rule 215: the ID is not 64 lower-case hex digits.
    #[error("the image has {}, 64 lower-case hex digits were expected", id_in_words(id))]
    Id {
        /// The ID; empty if there is none.
        id: String,
    },
    /// Rule 215: the last item is not a base.
    #[error("the last item has a parent, `{parent}`")]
    BaseHasParent {
        /// The parent.
        parent: String,
    },
    /// Rule 215: the parent is not the next item.
    #[error("parent is `{found}`, but the next item is `{expected}`")]
    Parent {
        /// ID of the next item.
        expected: String,
        /// The parent; empty if there is none.
        found: String,
    },
    /// Rule 215: an ID that an item further up has, with others between.
    #[error("image ID `{id}` is that of item {first} too, and others stand between")]
    Repeated {
        /// The ID.
        id: String,
        /// Index of the item that has it first.
        first: usize,
    },
    /// Rule 216: the text is not JSON.
    #[error("the text is not JSON: {0} (at byte {offset} of it)", offset = .0.offset)]
    Syntax(SyntaxError),
    /// Rule 216: the text is JSON with something around it.
    #[error("{}", around_in_words(.0))]
    Around(Anomaly),
    /// Rule 216: the text is not a v1 image.
    #[error("the text is not a v1 image: {0}")]
    V1(DecodeError),
    /// Rule 220: a digest form from before the first release, which no reader knows any more.
    #[error("`{sum}` is a tarsum, not a digest")]
    Tarsum {
        /// The text.
        sum: String,
    },
    /// The blob is named by something else than a digest.
    #[error("`{text}` is not a digest: {error}")]
    Digest {
        /// The text.
        text: String,
        /// What is wrong with it.
        error: DigestError,
    },
}

fn id_in_words(id: &str) -> String {
    if id.is_empty() { "no ID".into() } else { format!("the ID `{id}`") }
}

fn around_in_words(anomaly: &Anomaly) -> String {
    match anomaly {
        Anomaly::ByteOrderMark => "the text begins with a byte order mark, JSON was expected".into(),
        _ => "the text goes on behind its JSON value".into(),
    }
}

/// What one item of `history` says.
struct Item {
    v1: V1Image,
    text: Box<str>,
    json: Json,
}

impl Schema1 {
    /// Reads a manifest; the texts inside it may nest `max_depth` deep.
    pub fn parse(root: &Value, max_depth: usize) -> Schema1 {
        let mut problems = Vec::new();
        let text = |name| root.get(name).and_then(Value::as_str).map(str::to_owned);
        let fs_layers = array(root, "fsLayers", &mut problems);
        let history = array(root, "history", &mut problems);
        if fs_layers.is_empty() && history.is_empty() {
            problems.push(Problem { pointer: "/fsLayers".into(), kind: ProblemKind::NoLayers });
        } else if fs_layers.len() != history.len() {
            let kind = ProblemKind::Lengths { layers: fs_layers.len(), history: history.len() };
            problems.push(Problem { pointer: "/history".into(), kind });
        }

        let sums: Vec<Option<Digest>> =
            fs_layers.iter().enumerate().map(|(i, v)| blob_sum(i, v, &mut problems)).collect();
        let items: Vec<Option<Item>> =
            history.iter().enumerate().map(|(i, v)| item(i, v, max_depth, &mut problems)).collect();
        let dropped = check_chain(&items, &mut problems);

        // Pairing by index means nothing if the lengths differ, and a stack with holes is no stack.
        let paired = (sums.len() == items.len())
            .then(|| sums.into_iter().zip(items).map(|(sum, item)| Some((sum?, item?))).collect())
            .flatten();
        let pairs: Vec<(Digest, Item)> = paired.unwrap_or_default();
        let layers = pairs
            .into_iter()
            .enumerate()
            .rev()
            .filter(|(index, _)| !dropped.contains(index))
            .map(|(index, (blob_sum, Item { v1, text, json }))| {
                // Docker before 1.10 wrote sizes, later ones `throwaway`.
                let empty = v1.throwaway.unwrap_or(v1.size == Some(0));
                Layer { index, blob_sum, v1, empty, text, json }
            })
            .collect();

        Schema1 {
            name: text("name"),
            tag: text("tag"),
            architecture: text("architecture"),
            layers,
            dropped,
            problems,
        }
    }
}

/// The image config that Docker makes of the manifest; `diff_ids` are those of the layers that are not empty,
/// base first.
///
/// A top image without `docker_version` counts as older than 1.8.3 and loses unknown members, as in Docker
/// (containers/image keeps them).
pub fn config_from_schema1(manifest: &Schema1, diff_ids: &[Digest]) -> Result<Vec<u8>, LegacyError> {
    let top = manifest.layers.last().ok_or(LegacyError::NoImage)?;
    let images = manifest.layers.iter().filter(|layer| !layer.empty).count();
    if images != diff_ids.len() {
        return Err(LegacyError::LayerCount { images, diff_ids: diff_ids.len() });
    }
    let history: Vec<_> = manifest.layers.iter().map(|layer| layer.v1.history_item(layer.empty)).collect();
    make_config(top.text.as_bytes(), &top.json.root, &history, diff_ids)
        .map_err(|error| LegacyError::Decode { index: manifest.layers.len() - 1, error })
}

fn wrong_type(pointer: String, expected: &'static str, value: Option<&Value>) -> Problem {
    let found = value.map_or("nothing", |value| kind_name(&value.kind));
    Problem { pointer, kind: ProblemKind::Type { expected, found } }
}

/// The items of a list; none, and a problem, if it is something else. Absent and `null` are empty lists.
fn array<'a>(root: &'a Value, name: &str, problems: &mut Vec<Problem>) -> &'a [Value] {
    match root.get(name) {
        None => &[],
        Some(value) => {
            if !value.is_array() && !value.is_null() {
                problems.push(wrong_type(format!("/{name}"), "an array", Some(value)));
            }
            value.items()
        }
    }
}

fn member_text<'a>(
    list: &str,
    index: usize,
    item: &'a Value,
    name: &str,
    problems: &mut Vec<Problem>,
) -> Option<&'a str> {
    let value = item.get(name);
    let text = value.and_then(Value::as_str);
    if text.is_none() {
        problems.push(wrong_type(format!("/{list}/{index}/{name}"), "a string", value));
    }
    text
}

fn blob_sum(index: usize, layer: &Value, problems: &mut Vec<Problem>) -> Option<Digest> {
    let text = member_text("fsLayers", index, layer, "blobSum", problems)?;
    let kind = match Digest::parse(text) {
        _ if text.starts_with("tarsum") => ProblemKind::Tarsum { sum: text.to_owned() },
        Ok(digest) => return Some(digest),
        Err(error) => ProblemKind::Digest { text: text.to_owned(), error },
    };
    problems.push(Problem { pointer: format!("/fsLayers/{index}/blobSum"), kind });
    None
}

fn item(index: usize, value: &Value, max_depth: usize, problems: &mut Vec<Problem>) -> Option<Item> {
    let text = member_text("history", index, value, "v1Compatibility", problems)?;
    let mut push =
        |kind| problems.push(Problem { pointer: format!("/history/{index}/v1Compatibility"), kind });
    let json =
        json::parse(text.as_bytes(), max_depth).map_err(|error| push(ProblemKind::Syntax(error))).ok()?;
    for anomaly in &json.anomalies {
        if matches!(anomaly, Anomaly::ByteOrderMark | Anomaly::TrailingData { .. }) {
            push(ProblemKind::Around(anomaly.clone()));
        }
    }
    let v1 = V1Image::decode(&json.root).map_err(|error| push(ProblemKind::V1(error))).ok()?;
    Some(Item { v1, text: text.into(), json })
}

/// Checks IDs and parents as Docker does, and returns the indexes of items to drop.
fn check_chain(items: &[Option<Item>], problems: &mut Vec<Problem>) -> Vec<usize> {
    let mut push = |index: usize, kind| {
        problems.push(Problem { pointer: format!("/history/{index}/v1Compatibility"), kind });
    };
    let mut dropped = Vec::new();
    let mut seen = HashMap::new();
    let mut last_id = None;
    for (index, item) in items.iter().enumerate() {
        let Some(Item { v1, .. }) = item else { continue };
        let id = v1.id.as_str();
        if id.len() != 64 || !id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            push(index, ProblemKind::Id { id: id.to_owned() });
        } else {
            let first = *seen.entry(id).or_insert(index);
            if first != index && last_id != Some(id) {
                push(index, ProblemKind::Repeated { id: id.to_owned(), first });
            }
        }
        last_id = Some(id);

        match items.get(index + 1) {
            None if v1.parent.is_empty() => {}
            None => push(index, ProblemKind::BaseHasParent { parent: v1.parent.clone() }),
            // An old bug wrote the same image twice in a row.
            Some(Some(next)) if next.v1.id == id && !id.is_empty() => dropped.push(index),
            Some(Some(next)) if next.v1.id != v1.parent => {
                let (expected, found) = (next.v1.id.clone(), v1.parent.clone());
                push(index, ProblemKind::Parent { expected, found });
            }
            Some(_) => {}
        }
    }
    dropped
}

#[cfg(test)]
mod tests {
    use super::super::testing::{D0, json, sha256, shared};
    use super::*;

    /// A manifest of these v1 images, newest first, with one made-up blob each.
    fn manifest(images: &[&str]) -> Schema1 {
        let layer = format!(r#"{{"blobSum":"sha256:{D0}"}}"#);
        let history: Vec<_> = images
            .iter()
            .map(|image| format!(r#"{{"v1Compatibility":{}}}"#, serde_json::to_string(image).expect("text")))
            .collect();
        parse(&format!(
            r#"{{"schemaVersion":1,"name":"a/b","tag":"t","architecture":"arm","fsLayers":[{}],"history":[{}]}}"#,
            vec![layer; images.len()].join(","),
            history.join(",")
        ))
    }

    fn parse(text: &str) -> Schema1 {
        Schema1::parse(&json(text).root, 64)
    }

    fn id(digit: char) -> String {
        String::from(digit).repeat(64)
    }

    fn image(own: char, parent: Option<char>, more: &str) -> String {
        let parent = parent.map(|parent| format!(r#","parent":"{}""#, id(parent))).unwrap_or_default();
        format!(r#"{{"id":"{}"{parent}{more}}}"#, id(own))
    }

    fn kinds(manifest: Schema1) -> Vec<(String, ProblemKind)> {
        manifest.problems.into_iter().map(|problem| (problem.pointer, problem.kind)).collect()
    }

    #[test]
    fn layers_come_base_first() {
        let read = manifest(&[
            &image('c', Some('b'), r#","Size":0,"throwaway":false"#),
            &image('b', Some('a'), r#","Size":0,"author":"me","container_config":{"Cmd":["x","y"]}"#),
            &image('a', None, r#","created":"2016-01-01T00:00:00Z","Size":3"#),
        ]);
        assert_eq!(read.problems, []);
        assert_eq!(
            (read.name.as_deref(), read.tag.as_deref(), read.architecture.as_deref()),
            (Some("a/b"), Some("t"), Some("arm"))
        );
        let facts: Vec<_> = read.layers.iter().map(|l| (l.index, l.empty, l.v1.created_by())).collect();
        assert_eq!(facts, [(2, false, String::new()), (1, true, "x y".into()), (0, false, String::new())]);
        assert_eq!(read.layers[0].v1.created, "2016-01-01T00:00:00Z");
    }

    #[test]
    fn every_problem_is_listed() {
        let text = format!(
            r#"{{"fsLayers":[{{"blobSum":"tarsum.v1+sha256:00"}},{{"blobSum":"sha256:00"}},{{}},7],
            "history":[{{"v1Compatibility":"{{"}},{{"v1Compatibility":"{{\"id\":1}}"}},
            {{"v1Compatibility":"{{\"id\":\"X\",\"parent\":\"{}\"}} x"}}]}}"#,
            id('a')
        );
        let read = parse(&text);
        assert_eq!(read.layers, []);
        let problems: Vec<_> = read.problems.iter().map(ToString::to_string).collect();
        let starts = [
            "/history: 4 layers, but 3 history items",
            "/fsLayers/0/blobSum: `tarsum.v1+sha256:00` is a tarsum",
            "/fsLayers/1/blobSum: `sha256:00` is not a digest",
            "/fsLayers/2/blobSum: expected a string, found nothing",
            "/fsLayers/3/blobSum: expected a string, found nothing",
            "/history/0/v1Compatibility: the text is not JSON: ",
            "/history/1/v1Compatibility: the text is not a v1 image: /id: expected a string",
            "/history/2/v1Compatibility: the text goes on behind its JSON value",
            "/history/2/v1Compatibility: the image has the ID `X`, 64",
            "/history/2/v1Compatibility: the last item has a parent",
        ];
        assert_eq!(problems.len(), starts.len(), "{problems:#?}");
        for (problem, start) in problems.iter().zip(starts) {
            assert!(problem.starts_with(start), "{problem} should start with {start}");
        }
    }

    #[test]
    fn no_layers_at_all() {
        for text in [r#"{"fsLayers":[],"history":null}"#, "{}"] {
            assert_eq!(kinds(parse(text)), [("/fsLayers".into(), ProblemKind::NoLayers)]);
        }
        let kind = ProblemKind::Type { expected: "an array", found: "an object" };
        assert_eq!(kinds(parse(r#"{"fsLayers":{}}"#))[0], ("/fsLayers".into(), kind));
    }

    #[test]
    fn broken_chains() {
        let at = |index: usize| format!("/history/{index}/v1Compatibility");
        let broken =
            manifest(&[&image('c', Some('a'), ""), &image('b', Some('a'), ""), &image('a', None, "")]);
        assert_eq!(broken.layers.len(), 3);
        let kind = ProblemKind::Parent { expected: id('b'), found: id('a') };
        assert_eq!(kinds(broken), [(at(0), kind)]);

        let cycle =
            manifest(&[&image('a', Some('b'), ""), &image('b', Some('a'), ""), &image('a', None, "")]);
        assert_eq!(kinds(cycle), [(at(2), ProblemKind::Repeated { id: id('a'), first: 0 })]);
    }

    #[test]
    fn the_newer_of_two_equal_neighbours_is_dropped() {
        let read = manifest(&[
            &image('b', Some('a'), ""),
            &image('b', Some('a'), ""),
            &image('a', None, ""),
            &image('a', None, ""),
        ]);
        assert_eq!(read.problems, []);
        assert_eq!(read.dropped, [0, 2]);
        assert_eq!(read.layers.iter().map(|layer| layer.index).collect::<Vec<_>>(), [3, 1]);
    }

    #[test]
    fn config_has_a_history_item_for_empty_layers_too() {
        let read = manifest(&[
            &image('b', Some('a'), r#","throwaway":true,"docker_version":"1.10","x": [1, 2]"#),
            &image('a', None, r#","created":"2016-01-01T00:00:00Z""#),
        ]);
        let config = config_from_schema1(&read, &[sha256(D0)]).expect("config");
        let history =
            r#"[{"created":"2016-01-01T00:00:00Z"},{"created":"0001-01-01T00:00:00Z","empty_layer":true}]"#;
        let expected = format!(
            r#"{{"docker_version":"1.10","history":{history},"rootfs":{{"type":"layers","diff_ids":["sha256:{D0}"]}},"x":[1,2]}}"#
        );
        assert_eq!(String::from_utf8(config).expect("UTF-8"), expected);
        assert_eq!(config_from_schema1(&read, &[]), Err(LegacyError::LayerCount { images: 1, diff_ids: 0 }));
        assert_eq!(config_from_schema1(&manifest(&[]), &[]), Err(LegacyError::NoImage));
    }

    #[test]
    fn real_manifests() {
        for (path, layers, empty, problems) in [
            ("image/internal/image/fixtures/oci1-to-schema1.json", 15, 10, 0),
            ("image/internal/manifest/testdata/v2s1-unsigned.manifest.json", 3, 3, 0),
            ("image/manifest/fixtures/v2s1-unsigned.manifest.json", 3, 3, 0),
            ("image/manifest/fixtures/v2s1.manifest.json", 3, 3, 0),
            ("jib/jib-core/src/test/resources/core/json/v21manifest.json", 0, 0, 2),
            ("quay/image/docker/test/validate_manifest_known_issue.json", 5, 1, 0),
            ("quay/image/docker/test/validated_manifest.json", 6, 4, 0),
            ("quay/image/docker/test/validated_manifest_with_unicode.json", 4, 2, 0),
        ] {
            let Some(bytes) = shared(&format!("real/{path}")) else { continue };
            let read = Schema1::parse(&json(bytes).root, 64);
            let found = (read.layers.len(), read.layers.iter().filter(|layer| layer.empty).count());
            assert_eq!(
                (found, read.problems.len()),
                ((layers, empty), problems),
                "{path}: {:#?}",
                read.problems
            );
        }
    }

    /// containers/image made the manifest from the config, so the config that comes back is the same.
    #[test]
    fn real_config_comes_back() {
        let fixture = |name| shared(&format!("real/image/internal/image/fixtures/{name}.json"));
        let (Some(manifest), Some(config)) = (fixture("oci1-to-schema1"), fixture("oci1-config")) else {
            return;
        };
        let expected: serde_json::Value = serde_json::from_slice(&config).expect("config");
        let diff_ids: Vec<_> = expected["rootfs"]["diff_ids"]
            .as_array()
            .expect("diff IDs")
            .iter()
            .map(|id| Digest::parse(id.as_str().expect("text")).expect("digest"))
            .collect();
        let read = Schema1::parse(&json(manifest).root, 64);
        let made = config_from_schema1(&read, &diff_ids).expect("config");
        let made: serde_json::Value = serde_json::from_slice(&made).expect("JSON");
        assert_eq!(made, expected);
    }
}
