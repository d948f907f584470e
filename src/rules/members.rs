//! Rules about the names of members: letter case, names that no specification knows, `null`, and members that
//! belong to the other family of documents.
//!
//! One walk over a table of the members of every document (formats.md A.0, B.2 to B.5, C.2, D.2 to D.8). Members that
//! must be there are left to the schema, which says that they are missing.

use super::capped::Capped;
use crate::finding::{Finding, Rule, rule};
use crate::json::fold::{is_disguised, is_field};
use crate::json::pointer::escape;
use crate::json::{self, Value};
use crate::location::{At, Location};
use crate::media::Family;
use crate::model::{DocKind, Document};

/// The rules of this file.
pub const RULES: &[&Rule] =
    &[&CASE_CONFLICT, &WRONG_CASE, &NULL_MEMBER, &UNKNOWN_MEMBER, &OCI_MEMBER, &DOCKER_MEMBER, &V1_MEMBER];

/// Names in one message.
const MAX_NAMES: usize = 3;

rule! {
    /// Two names of one member.
    CASE_CONFLICT = "json/names-differ-in-case", Error, Hard, [37],
    checks: "No object has a member twice in different letter case, and no name is one only by a letter outside of ASCII.",
    matters: "Go folds letter case as Unicode does, so that `ſ` is an s and the Kelvin sign a k, and the last such member counts; other readers know only the exact name. Two readers see two documents under one digest.",
    example: "A manifest with `layers` and `Layers`, or a config with `Uſer`.",
    mend: "Remove the member that was not meant. The digest changes with it.",
}
rule! {
    /// A known member in other letters.
    WRONG_CASE = "json/wrong-case", Warning, No, [39],
    checks: "Members are written in the letter case that the specification gives them.",
    matters: "Names are exact in all specifications. Tools written in Go accept any case, all others ignore the member.",
    example: "`\"mediatype\"` in a descriptor, or `\"config\"` in an item of a docker-archive's `manifest.json`.",
    mend: "Write the name as the message says.",
}
rule! {
    /// `null` for a member that could be left out.
    NULL_MEMBER = "json/null-member", Note, No, [42],
    checks: "Optional members of manifests, indexes and descriptors are left out rather than `null`.",
    matters: "image-spec allows `null` in configs only; all known tools read it as absent.",
    example: "`\"annotations\": null`",
    mend: "Leave the member out, if no digest covers the document.",
}
rule! {
    /// A member that no specification defines.
    UNKNOWN_MEMBER = "json/unknown-member", Note, No, [44],
    checks: "Whether documents have members that no specification defines.",
    matters: "They are legal (image-spec considerations: extensibility), and every tool ignores them; a misspelt name looks the same.",
    example: "`\"anotations\": {…}`",
    mend: "Nothing to mend, unless a name is misspelt.",
}
rule! {
    /// A Docker document with members of OCI.
    OCI_MEMBER = "manifest/oci-member-in-docker", Note, No, [68],
    checks: "Whether Docker manifests and lists have members that only OCI defines.",
    matters: "Distribution's specification does not know them; readers in Go share one structure for both families and ignore them.",
    example: "`annotations` on a layer of a schema 2 manifest.",
    mend: "Write it in OCI's types, if the members matter.",
    remedy: Convert(&[ManifestFormat("oci")]),
}
rule! {
    /// An OCI config with members of Docker.
    DOCKER_MEMBER = "config/docker-member", Note, No, [135],
    checks: "Whether an OCI config has members that only Docker defines.",
    matters: "image-spec allows further members. Docker honours them all the same; skopeo drops them when it converts between formats, which changes the image ID.",
    example: "`Healthcheck` in a config that the manifest calls an OCI config.",
    mend: "Nothing to mend.",
}
rule! {
    /// A config with members of the v1 format.
    V1_MEMBER = "config/v1-member", Warning, No, [137],
    checks: "A config has no members that only v1 images have.",
    matters: "`id`, `parent`, `Size` and `throwaway` were removed with content addressing; Docker ignores them.",
    example: "A config with `\"id\"` and `\"Size\"`, made from v1 JSON without removing them.",
    mend: "Rebuild the image.",
}

/// The members of one kind of object.
struct Object {
    /// Its name in messages.
    what: &'static str,
    members: &'static [Known],
}

/// A member that a specification defines.
struct Known {
    name: &'static str,
    of: Of,
    /// What stands below it: an object, or an array of them.
    below: Option<&'static Object>,
}

/// To whom a member belongs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// Must be there: the schema says if it is not, or is `null`.
    Required,
    /// May be there.
    All,
    /// Only in OCI documents.
    Oci,
    /// Only in Docker documents.
    Docker,
    /// Only in v1 images.
    V1,
}

const fn known(name: &'static str, of: Of, below: Option<&'static Object>) -> Known {
    Known { name, of, below }
}

/// Members without anything below them.
macro_rules! leaves {
    ($($of:ident: $($name:literal)*;)*) => { [$($(known($name, Of::$of, None),)*)*] };
}

static PLATFORM: Object = Object {
    what: "platform",
    members: &leaves! { Required: "architecture" "os"; All: "os.version" "os.features" "variant" "features"; },
};
static DESCRIPTOR: Object = Object {
    what: "descriptor",
    members: &[
        known("mediaType", Of::Required, None),
        known("digest", Of::Required, None),
        known("size", Of::Required, None),
        known("urls", Of::All, None),
        known("platform", Of::All, Some(&PLATFORM)),
        known("annotations", Of::Oci, None),
        known("data", Of::Oci, None),
        known("artifactType", Of::Oci, None),
    ],
};
static MANIFEST: Object = Object {
    what: "manifest",
    members: &[
        known("schemaVersion", Of::Required, None),
        known("mediaType", Of::All, None),
        known("config", Of::Required, Some(&DESCRIPTOR)),
        known("layers", Of::Required, Some(&DESCRIPTOR)),
        known("artifactType", Of::Oci, None),
        known("subject", Of::Oci, Some(&DESCRIPTOR)),
        known("annotations", Of::Oci, None),
    ],
};
static INDEX: Object = Object {
    what: "index",
    members: &[
        known("schemaVersion", Of::Required, None),
        known("mediaType", Of::All, None),
        known("manifests", Of::Required, Some(&DESCRIPTOR)),
        known("artifactType", Of::Oci, None),
        known("subject", Of::Oci, Some(&DESCRIPTOR)),
        known("annotations", Of::Oci, None),
    ],
};
static LAYOUT: Object = Object { what: "layout file", members: &leaves! { Required: "imageLayoutVersion"; } };
static ARCHIVE_ITEM: Object =
    Object { what: "item", members: &leaves! { All: "Config" "RepoTags" "Layers" "Parent" "LayerSources"; } };
static ROOTFS: Object = Object {
    what: "root file system",
    members: &leaves! { Required: "type"; All: "diff_ids"; Docker: "base_layer"; },
};
static HISTORY: Object = Object {
    what: "history item",
    members: &leaves! { All: "created" "author" "created_by" "comment" "empty_layer"; },
};
static HEALTHCHECK: Object = Object {
    what: "health check",
    members: &leaves! { All: "Test" "Interval" "Timeout" "StartPeriod" "StartInterval" "Retries"; },
};
static RUN: Object = Object {
    what: "run configuration",
    members: &[
        known("User", Of::All, None),
        known("ExposedPorts", Of::All, None),
        known("Env", Of::All, None),
        known("Cmd", Of::All, None),
        known("Entrypoint", Of::All, None),
        known("ArgsEscaped", Of::All, None),
        known("Volumes", Of::All, None),
        known("WorkingDir", Of::All, None),
        known("Labels", Of::All, None),
        known("StopSignal", Of::All, None),
        known("Healthcheck", Of::Docker, Some(&HEALTHCHECK)),
        known("Hostname", Of::Docker, None),
        known("Domainname", Of::Docker, None),
        known("AttachStdin", Of::Docker, None),
        known("AttachStdout", Of::Docker, None),
        known("AttachStderr", Of::Docker, None),
        known("Tty", Of::Docker, None),
        known("OpenStdin", Of::Docker, None),
        known("StdinOnce", Of::Docker, None),
        known("PortSpecs", Of::Docker, None),
        known("Image", Of::Docker, None),
        known("NetworkDisabled", Of::Docker, None),
        known("MacAddress", Of::Docker, None),
        known("OnBuild", Of::Docker, None),
        known("StopTimeout", Of::Docker, None),
        known("Shell", Of::Docker, None),
        known("Memory", Of::Docker, None),
        known("MemorySwap", Of::Docker, None),
        known("CpuShares", Of::Docker, None),
        known("Cpuset", Of::Docker, None),
        known("SecurityOpt", Of::Docker, None),
        known("VolumeDriver", Of::Docker, None),
        known("PublishService", Of::Docker, None),
    ],
};
static CONFIG: Object = Object {
    what: "config",
    members: &[
        known("created", Of::All, None),
        known("author", Of::All, None),
        known("architecture", Of::All, None),
        known("os", Of::All, None),
        known("variant", Of::All, None),
        known("os.version", Of::All, None),
        known("os.features", Of::All, None),
        known("config", Of::All, Some(&RUN)),
        known("rootfs", Of::Required, Some(&ROOTFS)),
        known("history", Of::All, Some(&HISTORY)),
        known("comment", Of::Docker, None),
        known("container", Of::Docker, None),
        known("container_config", Of::Docker, None),
        known("docker_version", Of::Docker, None),
        known("moby.buildkit.buildinfo.v1", Of::Docker, None),
        known("moby.buildkit.cache.v0", Of::Docker, None),
        known("id", Of::V1, None),
        known("parent", Of::V1, None),
        known("Size", Of::V1, None),
        known("throwaway", Of::V1, None),
    ],
};
static SCHEMA1: Object = Object {
    what: "manifest",
    members: &[
        known("schemaVersion", Of::Required, None),
        known("name", Of::All, None),
        known("tag", Of::All, None),
        known("architecture", Of::All, None),
        known("fsLayers", Of::Required, Some(&FS_LAYER)),
        known("history", Of::Required, Some(&V1_HISTORY)),
        known("signatures", Of::All, Some(&SIGNATURE)),
    ],
};
static FS_LAYER: Object = Object { what: "layer", members: &leaves! { Required: "blobSum"; } };
static V1_HISTORY: Object =
    Object { what: "history item", members: &leaves! { Required: "v1Compatibility"; } };
static SIGNATURE: Object = Object {
    what: "signature",
    members: &[
        known("header", Of::Required, Some(&JOSE)),
        known("signature", Of::Required, None),
        known("protected", Of::Required, None),
    ],
};
static JOSE: Object = Object {
    what: "signature header",
    members: &[
        known("jwk", Of::All, Some(&JWK)),
        known("alg", Of::Required, None),
        known("x5c", Of::All, None),
    ],
};
static JWK: Object = Object { what: "key", members: &leaves! { All: "crv" "kid" "kty" "x" "y" "n" "e"; } };
static ARTIFACT: Object = Object {
    what: "artifact manifest",
    members: &[
        known("mediaType", Of::Required, None),
        known("artifactType", Of::All, None),
        known("blobs", Of::All, Some(&DESCRIPTOR)),
        known("subject", Of::All, Some(&DESCRIPTOR)),
        known("annotations", Of::All, None),
    ],
};
/// v1 image JSON; what Docker makes a config of passes unknown members on.
static V1_IMAGE: Object = Object {
    what: "v1 image",
    members: &[
        known("id", Of::All, None),
        known("parent", Of::All, None),
        known("comment", Of::All, None),
        known("created", Of::All, None),
        known("container", Of::All, None),
        known("container_config", Of::All, Some(&RUN)),
        known("docker_version", Of::All, None),
        known("author", Of::All, None),
        known("config", Of::All, Some(&RUN)),
        known("architecture", Of::All, None),
        known("variant", Of::All, None),
        known("os", Of::All, None),
        known("Size", Of::All, None),
        known("throwaway", Of::All, None),
    ],
};

/// Findings about the names of members in one document.
pub fn check(document: &Document, out: &mut Vec<Finding>) {
    let Some(root) = document.root() else { return };
    let (object, family) = match document.kind {
        DocKind::Manifest(family) => (&MANIFEST, Some(family)),
        DocKind::Index(family) => (&INDEX, Some(family)),
        DocKind::Config(family) => (&CONFIG, Some(family)),
        DocKind::OciLayout => (&LAYOUT, Some(Family::Oci)),
        DocKind::DockerArchive => (&ARCHIVE_ITEM, Some(Family::Docker)),
        DocKind::Schema1 => (&SCHEMA1, None),
        DocKind::ArtifactManifest => (&ARTIFACT, None),
        DocKind::V1Image => (&V1_IMAGE, None),
        DocKind::Descriptor => (&DESCRIPTOR, Some(Family::Oci)),
        // A map of maps: Go does not fold the keys of those.
        DocKind::Repositories => return,
    };
    let mut walk = Walk { document, family, within: None, foreign: Vec::new(), found: Capped::default() };
    walk.value(root, object, "");
    if document.kind == DocKind::Schema1 {
        walk.histories(root);
    }
    walk.report_foreign();
    walk.found.end(out);
}

struct Walk<'a> {
    document: &'a Document,
    /// Whose members belong here; of withdrawn kinds of documents only how names are written is told.
    family: Option<Family>,
    /// The text in the document that is walked, and holds JSON itself.
    within: Option<String>,
    /// Members of the other family: pointer and name.
    foreign: Vec<(String, &'static str)>,
    found: Capped,
}

impl Walk<'_> {
    fn value(&mut self, value: &Value, object: &'static Object, pointer: &str) {
        for (i, item) in value.items().iter().enumerate() {
            self.object(item, object, &format!("{pointer}/{i}"));
        }
        self.object(value, object, pointer);
    }

    /// The v1 image JSON inside a schema 1 manifest.
    fn histories(&mut self, root: &Value) {
        for (i, item) in root.get("history").map(Value::items).unwrap_or_default().iter().enumerate() {
            let text = item.get("v1Compatibility").and_then(Value::as_str).unwrap_or_default();
            let Ok(json) = json::parse(text.as_bytes(), self.document.depth) else { continue };
            self.within = Some(format!("/history/{i}/v1Compatibility"));
            for odd in &json.anomalies {
                if let json::Anomaly::DuplicateKey { pointer, .. } = odd {
                    let message = format!("the v1 image JSON has `{pointer}` twice");
                    self.push(&super::document::DUPLICATE_KEY, At::Key(String::new()), message);
                }
            }
            self.value(&json.root, &V1_IMAGE, "");
            self.within = None;
        }
    }

    fn object(&mut self, value: &Value, object: &'static Object, pointer: &str) {
        let members = value.members();
        let exact = |key: &str| object.members.iter().position(|known| known.name == key);
        // The first name of each field as it is written, and whether there is another one.
        let mut present: Vec<Option<(&str, bool)>> = vec![None; object.members.len()];
        for member in members {
            let field = object.members.iter().position(|known| is_field(known.name, &member.key));
            if let Some(there) = field.and_then(|i| present.get_mut(i)) {
                let (first, several) = there.get_or_insert((&member.key, false));
                *several |= *first != &*member.key;
            }
        }
        let mut unknown = Vec::new();
        for member in members {
            let here = || format!("{pointer}/{}", escape(&member.key));
            let near = || object.members.iter().position(|k| is_field(k.name, &member.key));
            let (i, is_exact) = match (exact(&member.key), near()) {
                (Some(i), _) => (i, true),
                (None, Some(i)) => (i, false),
                (None, None) => {
                    if !self.means_another_document(&member.key) {
                        unknown.push((here(), &*member.key));
                    }
                    continue;
                }
            };
            let known = &object.members[i];
            if !is_exact {
                self.case(&here(), &member.key, known, present[i].is_some_and(|(_, several)| several));
            }
            if member.value.is_null() && known.of != Of::Required {
                self.null(here(), object, known);
            }
            let belongs = match (known.of, self.document.kind, self.family) {
                (_, _, None) => true,
                (Of::Oci, _, Some(Family::Docker)) | (Of::Docker, DocKind::Config(_), Some(Family::Oci)) => {
                    false
                }
                // Both manifest.json and `parent` of a config name images; only the v1 format needs them.
                (Of::V1, ..) => false,
                _ => true,
            };
            if !belongs && !member.value.is_null() {
                self.foreign.push((here(), known.name));
            }
            if let Some(below) = known.below {
                self.value(&member.value, below, &here());
            }
        }
        if let (Some((first, _)), Some(_)) = (unknown.first(), self.family) {
            let names: Vec<&str> = unknown.iter().map(|(_, name)| *name).collect();
            let message =
                format!("the {} has members that no specification defines: {}", object.what, list(&names));
            self.push(&UNKNOWN_MEMBER, At::Key(first.clone()), message);
        }
    }

    /// Names that make a manifest something else are an error of their own (`manifest/ambiguous`).
    fn means_another_document(&self, key: &str) -> bool {
        matches!(self.document.kind, DocKind::Manifest(_) | DocKind::Index(_))
            && super::document::FOREIGN.iter().any(|name| is_field(name, key))
    }

    fn case(&mut self, here: &str, key: &str, known: &Known, both: bool) {
        let at = At::Key(here.to_owned());
        if !both && is_disguised(key) {
            let message =
                format!("`{key}` is `{}` to readers in Go, and no name that others know", known.name);
            self.push(&CASE_CONFLICT, at, message);
        } else if both {
            let message = format!("members `{}` and `{key}` are one name to some readers", known.name);
            self.push(&CASE_CONFLICT, at, message);
        } else if known.of != Of::Required {
            let message = format!("the member is called `{}`, found `{key}`", known.name);
            let at = self.place(at);
            let finding = Finding::new(&WRONG_CASE, at.clone(), message);
            // What stands inside a text is covered by its escapes, too.
            let finding = if self.within.is_none() { finding.rename(&at, known.name) } else { finding };
            self.found.push(finding.help(format!("write `{}`", known.name)));
        }
    }

    fn null(&mut self, here: String, object: &Object, known: &Known) {
        if matches!(self.document.kind, DocKind::Manifest(_) | DocKind::Index(_)) {
            let message = format!("`{}` of the {} is null instead of absent", known.name, object.what);
            let at = Location::pointer(self.document.member, here);
            self.found.push(Finding::new(&NULL_MEMBER, at.clone(), message).remove(&at));
        }
    }

    fn report_foreign(&mut self) {
        let (v1, other): (Vec<_>, Vec<_>) = std::mem::take(&mut self.foreign)
            .into_iter()
            .partition(|(_, name)| CONFIG.members.iter().any(|k| k.of == Of::V1 && k.name == *name));
        for (found, rule, what) in [
            (v1, &V1_MEMBER, "the config has members of a v1 image"),
            (
                other,
                if self.family == Some(Family::Oci) { &DOCKER_MEMBER } else { &OCI_MEMBER },
                if self.family == Some(Family::Oci) {
                    "the OCI config has members that only Docker defines"
                } else {
                    "the Docker document has members that only OCI defines"
                },
            ),
        ] {
            let Some((first, _)) = found.first() else { continue };
            let mut names: Vec<&str> = found.iter().map(|(_, name)| *name).collect();
            let mut seen = std::collections::HashSet::new();
            names.retain(|name| seen.insert(*name));
            self.push(rule, At::Key(first.clone()), format!("{what}: {}", list(&names)));
        }
    }

    fn push(&mut self, rule: &'static Rule, at: At, message: String) {
        let at = self.place(at);
        self.found.push(Finding::new(rule, at, message));
    }

    /// A place in the document: that of the text in which it is, if it is in one.
    fn place(&self, at: At) -> Location {
        let at = self.within.as_ref().map_or(at, |text| At::Pointer(text.clone()));
        Location { member: Some(self.document.member), at }
    }
}

/// The first names, and how many there are besides.
pub(super) fn list(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(MAX_NAMES).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(MAX_NAMES) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::fixture::{document, found};

    const MANIFEST: DocKind = DocKind::Manifest(Family::Oci);
    const DOCKER: DocKind = DocKind::Manifest(Family::Docker);
    const INDEX: DocKind = DocKind::Index(Family::Oci);
    const OCI_CONFIG: DocKind = DocKind::Config(Family::Oci);
    const DOCKER_CONFIG: DocKind = DocKind::Config(Family::Docker);

    #[test]
    fn fires_and_just_does_not() {
        for (kind, text, expected) in [
            (MANIFEST, r#"{"layers":[],"Layers":[]}"#, &["json/names-differ-in-case"][..]),
            (MANIFEST, r#"{"schemaVersion":2,"MediaType":"x"}"#, &["json/wrong-case"]),
            // `ſ` is an s to Go, and the Kelvin sign a k.
            (MANIFEST, r#"{"layers":[],"layerſ":[]}"#, &["json/names-differ-in-case"]),
            (MANIFEST, r#"{"layers":[{"digest":"","digeſt":""}]}"#, &["json/names-differ-in-case"]),
            (INDEX, r#"{"manifests":[],"manifeſts":[]}"#, &["json/names-differ-in-case"]),
            (INDEX, r#"{"manifests":[{"annotationſ":{}}]}"#, &["json/names-differ-in-case"]),
            (
                DocKind::DockerArchive,
                r#"[{"Config":"a","Layers":[],"RepoTagſ":[]}]"#,
                &["json/names-differ-in-case"],
            ),
            (OCI_CONFIG, r#"{"rootfs":{"diff_ids":[],"diff_idſ":[]}}"#, &["json/names-differ-in-case"]),
            (OCI_CONFIG, r#"{"config":{"Uſer":"0"}}"#, &["json/names-differ-in-case"]),
            // Two names of one field, of which neither is exact.
            (OCI_CONFIG, r#"{"config":{"user":"0","USER":"1"}}"#, &["json/names-differ-in-case"; 2]),
            (OCI_CONFIG, r#"{"config":{"Labels":{"A":"","a":"","ſ":"","s":""}}}"#, &[]),
            (DocKind::Schema1, r#"{"fsLayers":[],"fſLayers":[]}"#, &["json/names-differ-in-case"]),
            (
                DocKind::Schema1,
                r#"{"signatures":[{"header":{"jwk":{},"jwK":{}}}]}"#,
                &["json/names-differ-in-case"],
            ),
            (
                DocKind::Schema1,
                r#"{"history":[{"v1Compatibility":"{\"id\":\"a\",\"config\":{\"Uſer\":\"0\"}}"}]}"#,
                &["json/names-differ-in-case"],
            ),
            (
                DocKind::Schema1,
                r#"{"history":[{"v1Compatibility":"{\"os\":\"a\",\"os\":\"b\"}"}]}"#,
                &["json/duplicate-key"],
            ),
            (DocKind::V1Image, r#"{"id":"a","ID":"b"}"#, &["json/names-differ-in-case"]),
            (DocKind::V1Image, r#"{"id":"a","x":"b","Parent":"c"}"#, &["json/wrong-case"]),
            (DocKind::ArtifactManifest, r#"{"blobs":[],"blobſ":[]}"#, &["json/names-differ-in-case"]),
            (DocKind::Repositories, r#"{"s":{},"ſ":{}}"#, &[]),
            // The schema says that `layers` is missing.
            (MANIFEST, r#"{"Layers":[]}"#, &[]),
            (INDEX, r#"{"manifests":[{"URLs":[]}]}"#, &["json/wrong-case"]),
            (DocKind::DockerArchive, r#"[{"config":"a","Layers":[]}]"#, &["json/wrong-case"]),
            (DocKind::DockerArchive, r#"[{"Config":"a","Layers":null,"RepoTags":null}]"#, &[]),
            (MANIFEST, r#"{"annotations":null}"#, &["json/null-member"]),
            (MANIFEST, r#"{"layers":null,"config":null}"#, &[]),
            (INDEX, r#"{"manifests":[{"platform":{"variant":null}}]}"#, &["json/null-member"]),
            (OCI_CONFIG, r#"{"author":null,"config":{"Env":null}}"#, &[]),
            (MANIFEST, r#"{"x":1,"config":{"y":1}}"#, &["json/unknown-member", "json/unknown-member"]),
            // Another rule says what that is.
            (MANIFEST, r#"{"Manifests":[]}"#, &[]),
            (MANIFEST, r#"{"annotations":{"x":"1"},"subject":{"data":""}}"#, &[]),
            (
                DOCKER,
                r#"{"annotations":{},"layers":[{"data":""},{"data":""}]}"#,
                &["manifest/oci-member-in-docker"],
            ),
            (DOCKER, r#"{"layers":[{"urls":[]}]}"#, &[]),
            (OCI_CONFIG, r#"{"docker_version":"1","config":{"Tty":false}}"#, &["config/docker-member"]),
            (DOCKER_CONFIG, r#"{"docker_version":"1","config":{"Tty":false}}"#, &[]),
            (OCI_CONFIG, r#"{"config":{"User":"1"},"history":[{"comment":""}]}"#, &[]),
            (DOCKER_CONFIG, r#"{"id":"x","Size":1}"#, &["config/v1-member"]),
            (DOCKER_CONFIG, r#"{"rootfs":{"type":"layers"},"config":{"Healthcheck":{"Test":[]}}}"#, &[]),
        ] {
            assert_eq!(found(kind, text, check), expected, "{text}");
        }
    }

    #[test]
    fn many_of_one_hide_no_others() {
        for n in [1000, 1001, 5000] {
            let nulls = vec![r#"{"annotations":null}"#; n].join(",");
            let text = format!(r#"{{"layers":[{nulls}],"x":1,"Config":{{}},"config":{{}}}}"#);
            let found = found(MANIFEST, &text, check);
            assert_eq!(found.iter().filter(|name| **name == "json/null-member").count(), 1000);
            assert_eq!(found[1000..], ["json/names-differ-in-case", "json/unknown-member"], "{n}");
        }
    }

    #[test]
    fn names_are_listed_once_and_counted() {
        let mut out = Vec::new();
        let text = r#"{"e":1,"d":1,"c":1,"b":1,"a":1}"#;
        check(&document(MANIFEST, text), &mut out);
        let expected =
            "the manifest has members that no specification defines: `e`, `d`, `c` and 2 more".to_owned();
        assert_eq!(out[0].message, expected);
        out.clear();
        let text = r#"{"layers":[{"data":"a"},{"data":"b","artifactType":"x"}]}"#;
        check(&document(DOCKER, text), &mut out);
        assert_eq!(
            out[0].message,
            "the Docker document has members that only OCI defines: `data`, `artifactType`"
        );
        assert_eq!(out[0].primary.location.at, At::Key("/layers/0/data".into()));
    }
}
