//! Rules about v1 images and schema 1, fired by an archive or document and just not fired by its neighbour.

use super::fixture::{Tar, document, judged, names};
use crate::model::DocKind;
use crate::rules::legacy::schema1;

const LAYER: &str = "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4";
const SIGNED: &str = include_str!("../../corpus/good/document/schema1/document.json");

fn found(text: &str) -> Vec<&'static str> {
    let document = document(DocKind::Schema1, text);
    let mut out = Vec::new();
    schema1(&document, document.root().expect("JSON"), &mut out);
    // That it is one at all is another rule's affair.
    names(&out).into_iter().filter(|name| *name != "schema1/used").collect()
}

/// A manifest of these layers and history items.
fn manifest(layers: &[&str], history: &[String]) -> String {
    let layers: Vec<String> = layers.iter().map(|sum| format!(r#"{{"blobSum":"{sum}"}}"#)).collect();
    let history: Vec<String> =
        history.iter().map(|item| format!(r#"{{"v1Compatibility":{item:?}}}"#)).collect();
    format!(
        r#"{{"schemaVersion":1,"name":"a","tag":"1","architecture":"amd64","fsLayers":[{}],"history":[{}]}}"#,
        layers.join(","),
        history.join(",")
    )
}

fn item(id: char, parent: Option<char>) -> String {
    let parent = parent.map(|c| format!(r#","parent":"{}""#, c.to_string().repeat(64))).unwrap_or_default();
    format!(r#"{{"id":"{}"{parent},"created":"2015-01-01T00:00:00Z"}}"#, id.to_string().repeat(64))
}

#[test]
fn histories_of_schema_1() {
    let chain = [item('b', Some('a')), item('a', None)];
    assert_eq!(found(&manifest(&[LAYER, LAYER], &chain)), [""; 0]);
    assert_eq!(found(&manifest(&[LAYER], &chain)), ["schema1/unpaired"]);
    assert_eq!(found(&manifest(&[], &[])), ["schema1/unpaired"]);
    for broken in [
        [item('b', Some('c')), item('a', None)],
        [item('b', Some('a')), item('a', Some('0'))],
        [item('b', None), item('a', None)],
        [item('B', Some('a')), item('a', None)],
    ] {
        assert_eq!(found(&manifest(&[LAYER, LAYER], &broken)), ["schema1/broken-chain"], "{broken:?}");
    }
    assert_eq!(found(&manifest(&[LAYER], &["{".into()])), ["schema1/bad-history"]);
    let tarsum = format!("tarsum.v1+{LAYER}");
    assert_eq!(found(&manifest(&[&tarsum], &[item('a', None)])), ["schema1/tarsum"]);
}

#[test]
fn signatures_of_schema_1() {
    assert_eq!(found(SIGNED), [""; 0]);
    let changed = |from: &str, to: &str| {
        assert_eq!(SIGNED.matches(from).count(), 1, "{from}");
        found(&SIGNED.replace(from, to))
    };
    assert_eq!(changed("spAMaTh0", "spAMaTh1"), ["schema1/unverified-signature"]);
    assert_eq!(changed(r#""tag":"1""#, r#""tag":"2""#), ["schema1/unverified-signature"]);
    assert_eq!(
        changed("eyJmb3JtYXRMZW5ndGgiOjM3OSwi", "eyJmb3JtYXRMZW5ndGgiOjk3OSwi"),
        ["schema1/bad-signatures"]
    );
}

#[test]
fn archives_of_the_first_era() {
    let of = |tar: Tar| {
        let mut found = judged(&tar.end(), &["v1/no-manifest", "v1/unprotected"]);
        found.sort_unstable();
        found
    };
    let id = "a".repeat(64);
    let old = Tar::default()
        .file(&format!("{id}/json"), item('a', None).as_bytes())
        .file(&format!("{id}/layer.tar"), &[0; 1024])
        .file("repositories", format!(r#"{{"app":{{"1":"{id}"}}}}"#).as_bytes());
    assert_eq!(of(old), ["v1/no-manifest", "v1/unprotected"]);
    assert_eq!(of(Tar::docker_archive()), [""; 0]);
}

/// What is found of the archive of an image upon another; `change` takes the name of a member and its content.
fn v1(change: impl Fn(&str, String) -> Option<String>) -> Vec<&'static str> {
    let (top, base) = ("b".repeat(64), "a".repeat(64));
    let mut tar = Tar::default();
    let mut add = |name: String, content: String| {
        if let Some(content) = change(&name, content) {
            tar = std::mem::take(&mut tar).file(&name, content.as_bytes());
        }
    };
    for (id, json) in [(&base, item('a', None)), (&top, item('b', Some('a')))] {
        add(format!("{id}/VERSION"), "1.0".into());
        add(format!("{id}/json"), json);
        add(format!("{id}/layer.tar"), "\0".repeat(1024));
    }
    add("repositories".into(), format!(r#"{{"app":{{"1":"{top}"}}}}"#));
    let mut found = judged(&tar.end(), &["v1/broken", "v1/unknown"]);
    found.dedup();
    found
}

#[test]
fn ancestries_of_v1_images() {
    assert_eq!(v1(|_, content| Some(content)), [""; 0]);
    assert_eq!(v1(|name, content| (!name.starts_with('a')).then_some(content)), ["v1/broken-ancestry"]);
    let circle = |name: &str, content: String| {
        let base = name.starts_with('a') && name.ends_with("json");
        Some(if base { item('a', Some('b')) } else { content })
    };
    assert_eq!(v1(circle), ["v1/broken-ancestry"]);
    let tag = |name: &str, content: String| {
        Some(if name == "repositories" { content.replace(&"b".repeat(64), &"c".repeat(64)) } else { content })
    };
    assert_eq!(v1(tag), ["v1/unknown-image"]);
}
