//! Rules about annotations of manifests, indexes and their descriptors (formats.md D.7).

use super::capped::Capped;
use super::members::list;
use crate::finding::{Finding, Rule, quoted, rule};
use crate::json::Value;
use crate::json::pointer::escape;
use crate::location::{At, Location};
use crate::media::REF_NAME;
use crate::model::{DocKind, Document};
use crate::reference::Reference;
use crate::time::parse_rfc3339;

/// The rules of this file.
pub const RULES: &[&Rule] = &[
    &RESERVED_KEY,
    &BAD_TIME,
    &BAD_URL,
    &BAD_LICENCES,
    &PLAIN_KEY,
    &EMPTY_KEY,
    &BASE_NAME,
    &TOO_LARGE,
    &STRAY_REF_NAME,
];

/// What image-spec defines, behind this prefix; the second list are those of its conversion to runtime-spec.
const IMAGE: &str = "org.opencontainers.image.";
const KEYS: &[&str] = &[
    "created",
    "authors",
    "url",
    "documentation",
    "source",
    "version",
    "revision",
    "vendor",
    "licenses",
    "ref.name",
    "title",
    "description",
    "base.digest",
    "base.name",
];
const RUNTIME_KEYS: &[&str] =
    &["os", "architecture", "variant", "os.version", "os.features", "author", "stopSignal", "exposedPorts"];
/// Bytes of annotations that a manifest should stay below: registries take 4 MiB in all, and clients read them always.
const MAX_BYTES: usize = 64 << 10;

rule! {
    /// A reserved key that nobody defined.
    RESERVED_KEY = "annotation/reserved-key", Warning, No, [200],
    checks: "Keys that begin with `org.opencontainers` are those that a specification defines.",
    matters: "image-spec annotations: the prefix is reserved, and must not be used for anything else. All tools pass over the key; a misspelt one looks the same.",
    example: "`org.opencontainers.image.license`, without the `s`.",
    mend: "Write the key that was meant, or one below a domain of your own.",
}
rule! {
    /// A time that is none.
    BAD_TIME = "annotation/bad-time", Warning, No, [201],
    checks: "`org.opencontainers.image.created` is a date and time as RFC 3339 has it.",
    matters: "image-spec annotations. Tools that sort or expire images by it fail or pass over the image.",
    example: "`\"org.opencontainers.image.created\": \"2024-01-31\"`",
    mend: "Write it as `2024-01-31T00:00:00Z`.",
}
rule! {
    /// A URL that is none.
    BAD_URL = "annotation/bad-url", Warning, No, [201],
    checks: "`url`, `source` and `documentation` below `org.opencontainers.image` are URLs.",
    matters: "image-spec annotations. Registries and update tools follow them, such as Renovate `source`.",
    example: "`\"org.opencontainers.image.source\": \"github.com/example/app\"`",
    mend: "Write the URL with its scheme.",
}
rule! {
    /// A licence expression that is none.
    BAD_LICENCES = "annotation/bad-licenses", Warning, No, [201],
    checks: "`org.opencontainers.image.licenses` is an expression of SPDX licence identifiers.",
    matters: "image-spec annotations. Licence scanners do not understand anything else.",
    example: "`\"org.opencontainers.image.licenses\": \"Apache 2.0\"`",
    mend: "Write the identifier of the SPDX list, such as `Apache-2.0`, or `LicenseRef-…` for another licence.",
}
rule! {
    /// A key in nobody's namespace.
    PLAIN_KEY = "annotation/plain-key", Note, No, [202],
    checks: "Whether keys of annotations are in a namespace, as `com.example.key`.",
    matters: "image-spec annotations: keys should be named in reverse domain notation, so that two tools do not mean two things by one.",
    example: "`\"build\": \"7\"`",
    mend: "Nothing to mend, unless the key is yours to choose.",
}
rule! {
    /// A key of no letters.
    EMPTY_KEY = "annotation/empty-key", Warning, No, [202],
    checks: "No key of an annotation is empty.",
    matters: "image-spec annotations: keys should be unique names in a namespace. Nothing can ask for this one.",
    example: "`\"annotations\": {\"\": \"x\"}`",
    mend: "Remove the annotation, or give it its key. The digest changes with it.",
}
rule! {
    /// The base image's name leaves the registry open.
    BASE_NAME = "annotation/base-name-not-full", Warning, No, [203],
    checks: "`org.opencontainers.image.base.name` is a full reference, registry included; or empty, as buildah writes it where there is no base image.",
    matters: "image-spec annotations. Tools that look for a newer base image would have to guess the registry.",
    example: "`\"org.opencontainers.image.base.name\": \"alpine:3.20\"`",
    mend: "Write the name that the message gives.",
}
rule! {
    /// Very much text.
    TOO_LARGE = "annotation/too-large", Warning, No, [204],
    checks: "The annotations of one manifest or index, those of its descriptors included, are no more than 64 KiB.",
    matters: "Registries refuse manifests above 4 MiB, and every client reads annotations with every pull.",
    example: "A whole SBOM as an annotation.",
    mend: "Attach it as an artifact with a `subject`.",
}
rule! {
    /// `ref.name` where nobody reads it.
    STRAY_REF_NAME = "annotation/stray-ref-name", Note, No, [196],
    checks: "Whether `org.opencontainers.image.ref.name` stands on descriptors other than those of `index.json`.",
    matters: "image-spec annotations: it should have meaning on descriptors of a layout's `index.json` only. No tool reads it elsewhere.",
    example: "An index of the registry whose items name their tags.",
    mend: "Nothing to mend.",
}

/// Findings about all annotations of a document. `layout` tells whether it is a layout's `index.json`, or may be.
pub fn check(document: &Document, layout: bool, out: &mut Vec<Finding>) {
    if !matches!(document.kind, DocKind::Manifest(_) | DocKind::Index(_) | DocKind::ArtifactManifest) {
        return;
    }
    let Some(root) = document.root() else { return };
    let mut walk = Walk { layout, ..Walk::default() };
    let at = Location::pointer(document.member, "");
    walk.one(root, &at, false);
    for name in ["config", "subject"] {
        if let Some(value) = root.get(name) {
            walk.one(value, &at.child(name), true);
        }
    }
    for name in ["layers", "manifests", "blobs"] {
        for (i, item) in root.get(name).map(Value::items).unwrap_or_default().iter().enumerate() {
            walk.one(item, &at.child(name).child(i), true);
        }
    }
    if walk.bytes > MAX_BYTES {
        let message = format!("the annotations are {} bytes, more than 64 KiB", walk.bytes);
        walk.found.push(Finding::new(&TOO_LARGE, at, message));
    }
    for (rule, keys, what) in [
        (&RESERVED_KEY, &walk.reserved, "no specification defines these reserved keys"),
        (&PLAIN_KEY, &walk.plain, "keys of annotations are in no namespace"),
        (&STRAY_REF_NAME, &walk.stray, "image names stand where no tool reads them"),
    ] {
        let Some((first, _)) = keys.first() else { continue };
        let mut names: Vec<&str> = keys.iter().map(|(_, name)| name.as_str()).collect();
        let mut seen = std::collections::HashSet::new();
        names.retain(|name| seen.insert(*name));
        walk.found.push(Finding::new(rule, first.clone(), format!("{what}: {}", list(&names))));
    }
    walk.found.end(out);
}

#[derive(Default)]
struct Walk {
    layout: bool,
    bytes: usize,
    reserved: Vec<(Location, String)>,
    plain: Vec<(Location, String)>,
    stray: Vec<(Location, String)>,
    found: Capped,
}

impl Walk {
    /// The annotations of one object.
    fn one(&mut self, value: &Value, at: &Location, descriptor: bool) {
        let Some(annotations) = value.get("annotations") else { return };
        let at = at.child("annotations");
        for member in annotations.members() {
            let key: &str = &member.key;
            let text = member.value.as_str().unwrap_or_default();
            self.bytes += key.len() + text.len();
            let here = at.child(escape(key));
            let name = || match &here.at {
                At::Pointer(pointer) => Location { member: here.member, at: At::Key(pointer.clone()) },
                _ => here.clone(),
            };
            if key.is_empty() {
                let finding = Finding::new(&EMPTY_KEY, name(), "the key of an annotation is empty");
                self.found.push(finding.remove(&here).help("leave the annotation out"));
            } else if !key.contains('.') {
                self.plain.push((name(), key.to_owned()));
            } else if is_reserved(key) && !is_defined(key) {
                self.reserved.push((name(), key.to_owned()));
            }
            if descriptor && !self.layout && key == REF_NAME && !text.is_empty() {
                self.stray.push((here.clone(), text.to_owned()));
            }
            if let Some(key) = key.strip_prefix(IMAGE).filter(|_| !text.is_empty()) {
                if let Some(finding) = value_of(key, text, here) {
                    self.found.push(finding);
                }
            }
        }
    }
}

fn is_reserved(key: &str) -> bool {
    key.strip_prefix("org.opencontainers").is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn is_defined(key: &str) -> bool {
    // image-spec 1.1.0-rc1 and rc2 had them, for the artifact manifests that were withdrawn with them.
    if matches!(key, "org.opencontainers.artifact.created" | "org.opencontainers.artifact.description") {
        return true;
    }
    let Some(name) = key.strip_prefix(IMAGE) else { return false };
    KEYS.contains(&name) || RUNTIME_KEYS.contains(&name) || name.starts_with("enc.")
}

/// A value against what its key demands.
fn value_of(key: &str, text: &str, at: Location) -> Option<Finding> {
    Some(match key {
        "created" => {
            let error = parse_rfc3339(text).err()?;
            let finding = Finding::new(&BAD_TIME, at, format!("`{text}` is not a time: {error}"));
            super::config::in_rfc3339(finding, text)
        }
        "url" | "source" | "documentation" => {
            if super::descriptor::scheme(text).is_some() {
                return None;
            }
            Finding::new(&BAD_URL, at, format!("`{text}` is not a URL"))
        }
        "licenses" => {
            let mode = spdx::ParseMode {
                allow_postfix_plus_on_gpl: true,
                allow_deprecated: true,
                ..spdx::ParseMode::STRICT
            };
            let error = spdx::Expression::parse_mode(text, mode).err()?;
            Finding::new(&BAD_LICENCES, at, format!("`{text}` is not an SPDX expression: {}", error.reason))
        }
        "base.name" => {
            let full = match Reference::parse(text) {
                Ok(reference) if text.starts_with(&format!("{}/", reference.domain())) => return None,
                Ok(reference) => reference.with_default_tag().canonical(),
                Err(error) => {
                    return Some(Finding::new(
                        &BASE_NAME,
                        at,
                        format!("`{text}` is not an image name: {error}"),
                    ));
                }
            };
            Finding::new(&BASE_NAME, at.clone(), format!("`{text}` does not say its registry"))
                .set(&at, quoted(full))
                .assuming("Docker Hub is meant")
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Family;
    use crate::rules::fixture::{document, found};

    fn of(annotations: &str) -> Vec<&'static str> {
        let text = format!(r#"{{"layers":[{{"annotations":{{{annotations}}}}}]}}"#);
        found(DocKind::Manifest(Family::Oci), &text, |document, out| check(document, false, out))
    }

    #[test]
    fn keys() {
        for (annotations, expected) in [
            (r#""com.example.a":"1","org.opencontainers.image.title":"t""#, &[][..]),
            (r#""org.opencontainers.image.enc.pubopts":"x""#, &[]),
            (r#""org.opencontainers.artifact.created":"2022-01-01T00:00:00Z""#, &[]),
            (r#""org.opencontainers.artifact.title":"x""#, &["annotation/reserved-key"]),
            // In the namespace of somebody else.
            (r#""org.opencontainersx":"x""#, &[]),
            (r#""org.opencontainers.image.license":"MIT""#, &["annotation/reserved-key"]),
            (r#""org.opencontainers.a":"1","org.opencontainers.b":"2""#, &["annotation/reserved-key"]),
            (r#""build":"7","kind":"x""#, &["annotation/plain-key"]),
            (r#""":"7""#, &["annotation/empty-key"]),
        ] {
            assert_eq!(of(annotations), expected, "{annotations}");
        }
    }

    #[test]
    fn values() {
        for (key, good, bad, rule) in [
            ("created", "2024-01-31T00:00:00Z", "2024-01-31", "annotation/bad-time"),
            ("source", "https://example.com/a", "github.com/example/app", "annotation/bad-url"),
            ("url", "", "example", "annotation/bad-url"),
            ("licenses", "GPL-2.0 OR LicenseRef-own", "Apache 2.0", "annotation/bad-licenses"),
            ("licenses", "GPL-2.0+ AND MIT", "Proprietary", "annotation/bad-licenses"),
            ("base.name", "docker.io/library/alpine:3", "alpine:3", "annotation/base-name-not-full"),
            ("base.name", "localhost/x", "", ""),
            ("base.name", "example.com:80/x", "example.com/X", "annotation/base-name-not-full"),
        ] {
            let of = |text: &str| of(&format!(r#""{IMAGE}{key}":"{text}""#));
            assert_eq!(of(good), [""; 0], "{good}");
            let expected = if rule.is_empty() { vec![] } else { vec![rule] };
            assert_eq!(of(bad), expected, "{bad}");
        }
    }

    #[test]
    fn the_whole_name_is_given() {
        let text = format!(r#"{{"annotations":{{"{IMAGE}base.name":"alpine"}}}}"#);
        let mut out = Vec::new();
        check(&document(DocKind::Index(Family::Oci), &text), true, &mut out);
        let help = out[0].help.as_deref();
        assert_eq!(help, Some("write `docker.io/library/alpine:latest`, if Docker Hub is meant"));
    }

    #[test]
    fn names_outside_index_json() {
        let text = format!(r#"{{"manifests":[{{"annotations":{{"{REF_NAME}":"1"}}}}]}}"#);
        let of =
            |layout| found(DocKind::Index(Family::Oci), &text, |document, out| check(document, layout, out));
        assert_eq!(of(false), ["annotation/stray-ref-name"]);
        assert_eq!(of(true), [""; 0]);
    }

    #[test]
    fn many_of_one_hide_no_others() {
        for n in [1000, 1001, 3000] {
            let time = format!(r#"{{"annotations":{{"{IMAGE}created":"x"}}}}"#);
            let times = vec![time; n].join(",");
            let text = format!(r#"{{"layers":[{times},{{"annotations":{{"":"1","a":"1"}}}}]}}"#);
            let kind = DocKind::Manifest(Family::Oci);
            let mut found = found(kind, &text, |document, out| check(document, false, out));
            found.retain(|name| *name != "annotation/too-large");
            assert_eq!(found.iter().filter(|name| **name == "annotation/bad-time").count(), 1000);
            assert_eq!(found[1000..], ["annotation/empty-key", "annotation/plain-key"], "{n}");
        }
    }

    #[test]
    fn the_sum_of_all() {
        // Two of them, each with a key of seven letters.
        let of = |length: usize| {
            let text = "x".repeat(length);
            of(&format!(r#""a.bcdef":"{text}","b.bcdef":"{text}""#))
        };
        assert_eq!(of((MAX_BYTES - 14) / 2), [""; 0]);
        assert_eq!(of((MAX_BYTES - 14) / 2 + 1), ["annotation/too-large"]);
    }
}
