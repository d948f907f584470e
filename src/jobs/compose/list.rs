//! The text of an index: made of items, or of an old one by replacing spans, so that what is not named stays byte for byte.

use std::collections::HashSet;

use crate::error::{Error, Result};
use crate::json::edit::Edits;
use crate::json::write::{self, Array, Object};
use crate::json::{self, Json, Span, Value};
use crate::limits::Limits;
use crate::media::{self, Family, IMAGE_NAME, REF_NAME};
use crate::model::build::ATTESTED;
use crate::model::view::{self, annotation};
use crate::platform::Platform;

/// What says that an item is an attestation (formats.md F.1).
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";

/// What is to be said of a child of an index. What is `None` or empty stays as it is; an empty text takes the member away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Annotate {
    /// `os`
    pub os: Option<String>,
    /// `architecture`
    pub architecture: Option<String>,
    /// `variant`
    pub variant: Option<String>,
    /// `os.version`
    pub os_version: Option<String>,
    /// `os.features`
    pub os_features: Vec<String>,
    /// Annotations, by their keys.
    pub annotations: Vec<(String, String)>,
}

/// A descriptor as a list is to have it: media type, digest, size, and the platform if there is one.
pub(super) fn descriptor(
    (media_type, digest, size): (&str, &str, u64),
    artifact_type: Option<&str>,
    platform: Option<&Platform>,
) -> Vec<u8> {
    let mut object =
        Object::new().string("mediaType", media_type).string("digest", digest).number("size", size);
    if let Some(artifact_type) = artifact_type {
        object = object.string("artifactType", artifact_type);
    }
    if let Some(platform) = platform {
        object = object.raw("platform", &platform_object(platform));
    }
    object.finish().into_bytes()
}

/// A descriptor of an archive's own list as an index is to have it: without the names of images, and with the platform.
pub(super) fn listed(text: &[u8], platform: Option<&Platform>) -> Option<Vec<u8>> {
    let json = json::parse(text, Limits::default().json_depth as usize).ok()?;
    let root = &json.root;
    let mut edits = Edits::new(text);
    if let Some(annotations) = root.get("annotations").filter(|annotations| annotations.is_object()) {
        let is_name = |key: &str| matches!(key, IMAGE_NAME | REF_NAME);
        match annotations.members().iter().all(|member| is_name(&member.key)) {
            true => edits.remove_field(root, "annotations"),
            false => [IMAGE_NAME, REF_NAME].iter().for_each(|key| edits.remove_member(annotations, key)),
        }
    }
    if let Some(platform) = platform {
        let said = root.get("platform").and_then(view::platform);
        if said.is_none_or(|said| said.normalised() != platform.normalised()) {
            edits.set_field(root, "platform", platform_object(platform));
        }
    }
    Some(edits.apply())
}

/// A platform in the order of the specification.
fn platform_object(platform: &Platform) -> String {
    let mut object = Object::new().string("architecture", &platform.architecture).string("os", &platform.os);
    if let Some(version) = &platform.os_version {
        object = object.string("os.version", version);
    }
    if !platform.os_features.is_empty() {
        object = object.raw("os.features", &strings(&platform.os_features));
    }
    if let Some(variant) = &platform.variant {
        object = object.string("variant", variant);
    }
    object.finish()
}

fn strings(list: &[String]) -> String {
    list.iter().fold(Array::new(), |array, text| array.string(text)).finish()
}

/// An index of these items, compact.
pub(super) fn made(family: Family, items: &[Vec<u8>]) -> Vec<u8> {
    let list = items.iter().fold(Array::new(), |array, item| array.raw(&String::from_utf8_lossy(item)));
    let object = Object::new().number("schemaVersion", 2).string("mediaType", media_type(family));
    object.raw("manifests", &list.finish()).finish().into_bytes()
}

/// The media type of an index in a family.
pub(super) fn media_type(family: Family) -> &'static str {
    if family == Family::Oci { media::OCI_INDEX } else { media::DOCKER_LIST }
}

/// Whether a descriptor is that of an attestation.
pub(super) fn is_attestation(item: &Value) -> bool {
    annotation(item, REFERENCE_TYPE) == Some("attestation-manifest")
}

/// What a descriptor says that it attests, if it is that of an attestation.
pub(super) fn attested(text: &[u8]) -> Option<String> {
    let json = json::parse(text, Limits::default().json_depth as usize).ok()?;
    let whose = annotation(&json.root, ATTESTED).filter(|_| is_attestation(&json.root));
    whose.map(str::to_owned)
}

/// What a descriptor of an archive's own list is called there.
pub(super) fn ref_name(text: &[u8]) -> Option<String> {
    let json = json::parse(text, Limits::default().json_depth as usize).ok()?;
    annotation(&json.root, REF_NAME).map(str::to_owned)
}

/// An index with more items: images behind its own images, attestations at the end, as BuildKit has them.
pub(super) fn with(text: &[u8], images: &[Vec<u8>], attestations: &[Vec<u8>]) -> Result<Vec<u8>> {
    if images.is_empty() && attestations.is_empty() {
        return Ok(text.to_vec());
    }
    let json = parsed(text)?;
    let list = list(&json)?;
    let items = list.items();
    let style = Style::of(text, list);
    let mut edits = Edits::new(text);
    let put = |edits: &mut Edits<'_>, after: Option<&Value>, more: &[Vec<u8>]| {
        let (at, first) = match after {
            Some(item) => (item.span.end, &style.between[..]),
            None => (list.span.start + 1, &style.lead[..]),
        };
        let mut new = Vec::new();
        for (n, item) in more.iter().enumerate() {
            new.extend_from_slice(if n == 0 { first } else { &style.between });
            new.extend_from_slice(item);
        }
        if after.is_none() && !items.is_empty() {
            new.extend_from_slice(b",");
        }
        if !more.is_empty() {
            edits.replace(Span { start: at, end: at }, new);
        }
    };
    let last_image = items.iter().rposition(|item| !is_attestation(item));
    let anchor = last_image.and_then(|at| items.get(at));
    if last_image.map(|at| at + 1) == Some(items.len()) || items.is_empty() {
        put(&mut edits, anchor, &[images, attestations].concat());
    } else {
        put(&mut edits, anchor, images);
        put(&mut edits, items.last(), attestations);
    }
    Ok(edits.apply())
}

/// An index without the children at these positions.
pub(super) fn without(text: &[u8], gone: &HashSet<usize>) -> Result<Vec<u8>> {
    let json = parsed(text)?;
    let list = list(&json)?;
    let mut edits = Edits::new(text);
    for (child, at) in objects(list).enumerate() {
        if gone.contains(&child) {
            edits.remove_item(list, at);
        }
    }
    Ok(edits.apply())
}

/// An index that says something else of the child at this position. `known` is what its config says, for a descriptor
/// without platform.
pub(super) fn annotated(
    text: &[u8],
    child: usize,
    change: &Annotate,
    known: Option<&Platform>,
) -> Result<Vec<u8>> {
    let json = parsed(text)?;
    let list = list(&json)?;
    let item = objects(list).nth(child).and_then(|at| list.items().get(at));
    let Some(item) = item else { return Err(no_list()) };
    let mut edits = Edits::new(text);
    let members = [
        ("architecture", &change.architecture),
        ("os", &change.os),
        ("os.version", &change.os_version),
        ("variant", &change.variant),
    ];
    let named = members.iter().any(|(_, value)| value.is_some()) || !change.os_features.is_empty();
    match item.get("platform").filter(|platform| platform.is_object()) {
        Some(platform) => {
            for (name, value) in members {
                match value.as_deref() {
                    Some("") => edits.remove_field(platform, name),
                    Some(value) => edits.set_field(platform, name, write::string(value)),
                    None => {}
                }
            }
            if !change.os_features.is_empty() {
                edits.set_field(platform, "os.features", strings(&change.os_features));
            }
        }
        None if named => {
            let mut platform = known.cloned().unwrap_or_default();
            let set = |to: &mut String, value: &Option<String>| {
                if let Some(value) = value {
                    to.clone_from(value);
                }
            };
            set(&mut platform.os, &change.os);
            set(&mut platform.architecture, &change.architecture);
            for (to, value) in
                [(&mut platform.variant, &change.variant), (&mut platform.os_version, &change.os_version)]
            {
                if value.is_some() {
                    *to = value.clone().filter(|value| !value.is_empty());
                }
            }
            if !change.os_features.is_empty() {
                platform.os_features.clone_from(&change.os_features);
            }
            edits.set_field(item, "platform", platform_object(&platform));
        }
        None => {}
    }
    match item.get("annotations").filter(|annotations| annotations.is_object()) {
        Some(annotations) => {
            for (key, value) in &change.annotations {
                edits.set(annotations, key, write::string(value));
            }
        }
        None if !change.annotations.is_empty() => {
            let pairs = change.annotations.iter();
            let object = pairs.fold(Object::new(), |object, (key, value)| object.string(key, value));
            edits.set_field(item, "annotations", object.finish());
        }
        None => {}
    }
    Ok(edits.apply())
}

fn parsed(text: &[u8]) -> Result<Json> {
    json::parse(text, Limits::default().json_depth as usize).map_err(|_| no_list())
}

fn list(json: &Json) -> Result<&Value> {
    json.root.get("manifests").filter(|list| list.is_array()).ok_or_else(no_list)
}

fn no_list() -> Error {
    Error::refused_help("the index has no list of manifests", "`restow check` says what is wrong with it")
}

/// The positions in the list of what is an object: children are counted so.
fn objects(list: &Value) -> impl Iterator<Item = usize> + '_ {
    list.items().iter().enumerate().filter(|(_, item)| item.is_object()).map(|(at, _)| at)
}

/// What stands before the first item of a list, and between two.
struct Style {
    lead: Vec<u8>,
    between: Vec<u8>,
}

impl Style {
    fn of(text: &[u8], list: &Value) -> Style {
        let part = |start: usize, end: usize| text.get(start..end).unwrap_or_default().to_vec();
        let (lead, between) = match list.items() {
            [first, second, ..] => {
                (part(list.span.start + 1, first.span.start), part(first.span.end, second.span.start))
            }
            [first] => {
                let lead = part(list.span.start + 1, first.span.start);
                // Writers that put no line before an item may put a blank behind each comma.
                let blank = first.members().first().is_some_and(|member| {
                    text.get(member.key_span.end + 1..member.value.span.start) == Some(b" ")
                });
                let more = if lead.is_empty() && blank { b" ".to_vec() } else { lead.clone() };
                (lead, [b",".to_vec(), more].concat())
            }
            [] => (Vec::new(), b",".to_vec()),
        };
        Style { lead, between }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = r#"{"schemaVersion":2,"manifests":[{"digest":"a"},{"digest":"b"}],"x":1}"#;
    const ATTESTED: &str =
        r#"{"digest":"t","annotations":{"vnd.docker.reference.type":"attestation-manifest"}}"#;

    /// What `json.MarshalIndent` of Go and Python's `json.dumps` make of a list.
    fn styles() -> Vec<String> {
        let items = [r#"{"digest":"a"}"#, r#"{"digest":"b"}"#, ATTESTED];
        let spaced: Vec<String> =
            items.iter().map(|item| item.replace(':', ": ").replace(",\"", ", \"")).collect();
        vec![
            format!(r#"{{"manifests":[{}]}}"#, items.join(",")),
            format!("{{\n  \"manifests\": [\n    {}\n  ]\n}}", items.join(",\n    ")),
            format!("{{\"manifests\": [{}]}}", spaced.join(", ")),
        ]
    }

    fn item(text: &str, at: usize) -> Vec<u8> {
        let json = parsed(text.as_bytes()).expect("json");
        let span = list(&json).expect("a list").items()[at].span;
        text.as_bytes()[span.start..span.end].to_vec()
    }

    #[test]
    fn what_was_taken_out_is_put_back_byte_for_byte() {
        for text in styles() {
            for out in 0..3 {
                let (images, attestations) = match out {
                    2 => (vec![], vec![item(&text, 2)]),
                    out => (vec![item(&text, out)], vec![]),
                };
                let rest = without(text.as_bytes(), &HashSet::from([out])).expect("taken out");
                let back = with(&rest, &images, &attestations).expect("put back");
                if out == 0 {
                    // It stood first, and comes behind the other image.
                    assert_eq!(back.len(), text.len());
                } else {
                    assert_eq!(String::from_utf8_lossy(&back), text);
                }
            }
            // Of one item nobody sees what stands between two.
            let first = without(text.as_bytes(), &HashSet::from([1, 2])).expect("taken out");
            let back = with(&first, &[item(&text, 1)], &[item(&text, 2)]).expect("put back");
            assert_eq!(String::from_utf8_lossy(&back), text);
        }
    }

    #[test]
    fn an_empty_list_takes_items() {
        let back = with(b"{\"manifests\":[]}", &[b"1".to_vec()], &[b"2".to_vec()]).expect("put");
        assert_eq!(back, b"{\"manifests\":[1,2]}");
        let only = format!(r#"{{"manifests":[{ATTESTED}]}}"#);
        let back = with(only.as_bytes(), &[b"{}".to_vec()], &[]).expect("put");
        assert_eq!(String::from_utf8_lossy(&back), format!(r#"{{"manifests":[{{}},{ATTESTED}]}}"#));
    }

    #[test]
    fn an_annotation_changes_what_it_names() {
        let change = Annotate {
            architecture: Some("arm64".into()),
            variant: Some("v8".into()),
            annotations: vec![("k".into(), "v\"".into())],
            ..Annotate::default()
        };
        let known = Platform { os: "linux".into(), architecture: "amd64".into(), ..Platform::default() };
        let out = annotated(PLAIN.as_bytes(), 1, &change, Some(&known)).expect("annotated");
        let wanted = PLAIN.replace(
            r#"{"digest":"b"}"#,
            r#"{"digest":"b","platform":{"architecture":"arm64","os":"linux","variant":"v8"},"annotations":{"k":"v\""}}"#,
        );
        assert_eq!(String::from_utf8_lossy(&out), wanted);
        let change = Annotate { variant: Some(String::new()), ..Annotate::default() };
        let out = annotated(&out, 1, &change, None).expect("annotated");
        assert_eq!(String::from_utf8_lossy(&out), wanted.replace(r#","variant":"v8""#, ""));
    }
}
