//! Rules about an image's config: its root file system, history and times. How to run it is in
//! [`run_config`](super::run_config), its platform in [`platform`](super::platform).

use crate::finding::{Finding, Rule, quoted, rule};
use crate::json::Value;
use crate::location::Location;
use crate::media::Family;
use crate::model::{DocKind, Document, ImageParts, Role};
use crate::time::{Timestamp, parse_rfc3339};

/// The rules of this file.
pub const RULES: &[&Rule] = &[
    &ROOTFS_TYPE,
    &DIFF_IDS_MISSING,
    &HISTORY_LONGER,
    &HISTORY_SHORTER,
    &HISTORY_MISSING,
    &HISTORY_EMPTY,
    &BAD_CREATED,
    &NO_TIME,
    &PLATFORM_MISSING,
    &DOCKER_PLATFORM_MISSING,
    &ARTIFACT_PLATFORM_MISSING,
    &REPEATED_LAYER,
];

rule! {
    /// A root file system of another type.
    ROOTFS_TYPE = "config/unknown-rootfs-type", Error, No, [110],
    checks: "`rootfs.type` is `layers`.",
    matters: "image-spec config: tools must fail on another value when they verify or unpack. crane and umoci do, Docker and skopeo do not look. Docker 1.10 for Windows wrote `layers+base`, which is taken in Docker's configs.",
    example: "`\"rootfs\": {\"type\": \"snapshots\", …}`",
    mend: "Write `layers`. The image ID changes with it.",
    breaks: [Umoci],
}
rule! {
    /// No list of diff IDs, in an image without layers.
    DIFF_IDS_MISSING = "config/diff-ids-missing", Warning, No, [111],
    checks: "`rootfs.diff_ids` is an array, even if there are no layers.",
    matters: "image-spec config demands it. BuildKit and skopeo write `null` for an image without layers, and Docker leaves it out. With layers it is `config/layer-count`.",
    example: "`\"rootfs\": {\"type\": \"layers\", \"diff_ids\": null}`",
    mend: "Write `[]`. The image ID changes with it.",
}
rule! {
    /// History of layers that are not there.
    HISTORY_LONGER = "config/history-longer", Error, No, [114],
    checks: "`history` has no more items that made a layer than there are diff IDs.",
    matters: "image-spec config: items without `empty_layer` stand for layers. Docker refuses with `too many non-empty layers in History section`.",
    example: "One diff ID, two history items without `empty_layer`.",
    mend: "Add `\"empty_layer\": true` to the steps that made none. The image ID changes with it.",
    breaks: [Docker, Buildah],
}
rule! {
    /// Layers without history.
    HISTORY_SHORTER = "config/history-shorter", Warning, No, [114],
    checks: "`history` has an item for each diff ID, if there is any history.",
    matters: "image-spec config. Tools cannot tell which step made which layer; buildah refuses the image as a base, and conversion to schema 1 fails.",
    example: "Two diff IDs, one history item.",
    mend: "Rebuild the image, or remove `history` altogether.",
    breaks: [Buildah],
}
rule! {
    /// No history.
    HISTORY_MISSING = "config/history-missing", Note, No, [115],
    checks: "Whether the config has a history.",
    matters: "It is optional; `docker import`, bazel, nix and kaniko leave it out, and `docker history` shows nothing.",
    example: "A config without `history`.",
    mend: "Nothing to mend.",
}
rule! {
    /// A history without layers.
    HISTORY_EMPTY = "config/history-all-empty", Warning, No, [116],
    checks: "Not all items of `history` are marked `empty_layer` if there are layers.",
    matters: "skopeo cannot convert such an image to schema 1, and no step accounts for the layers.",
    example: "Two diff IDs and a history of `\"empty_layer\": true` only.",
    mend: "Rebuild the image.",
    breaks: [Buildah],
}
rule! {
    /// A time that tools cannot read.
    BAD_CREATED = "config/bad-created", Error, No, [117],
    checks: "`created` of the config and of history items is a time as RFC 3339 and Go have it.",
    matters: "image-spec config. Go's decoder refuses the whole config, wherever a tool reads the time.",
    example: "`\"created\": \"2024-01-02 03:04:05\"`",
    mend: "Write the time as `2024-01-02T03:04:05Z`. The image ID changes with it.",
    breaks: [Docker, Containerd, Podman, Buildah, Umoci],
}
rule! {
    /// A time that says nothing.
    NO_TIME = "config/created-unset", Note, No, [118],
    checks: "Whether `created` is a real time, not year 1 or the start of 1970. Times in the future are not looked for: a report must not depend on the day.",
    matters: "Reproducible builds set one of the two; tools show an image that is decades old.",
    example: "`\"created\": \"1970-01-01T00:00:00Z\"`",
    mend: "Nothing to mend.",
}
rule! {
    /// An OCI config without platform.
    PLATFORM_MISSING = "config/platform-missing", Error, No, [119],
    checks: "An OCI config of an image with layers has `architecture` and `os`, neither empty.",
    matters: "image-spec config demands both. Whoever chooses by platform cannot tell what the image is for.",
    example: "`\"architecture\": \"\", \"os\": \"\"` under `application/vnd.oci.image.config.v1+json`.",
    mend: "Rebuild the image for a platform.",
}
rule! {
    /// A Docker config without platform.
    DOCKER_PLATFORM_MISSING = "config/docker-platform-missing", Warning, No, [119],
    checks: "A Docker config of an image with layers has `architecture` and `os`, neither empty.",
    matters: "Docker's specification demands both, Docker itself takes the host's instead.",
    example: "A config with `rootfs` and `history` alone.",
    mend: "Rebuild the image for a platform.",
}
rule! {
    /// A config without platform where there is nothing to run.
    ARTIFACT_PLATFORM_MISSING = "config/artifact-platform-missing", Note, No, [119],
    checks: "Whether the image config of a manifest without file system layers has `architecture` and `os`.",
    matters: "cosign writes both empty: there is nothing to run.",
    example: "The config of a cosign signature.",
    mend: "Nothing to mend.",
}
rule! {
    /// One layer twice in a row.
    REPEATED_LAYER = "config/repeated-layer", Note, No, [139],
    checks: "Whether two layers in a row are the same.",
    matters: "It is legal and changes nothing; several empty layers look like that.",
    example: "Two equal diff IDs in a row.",
    mend: "Nothing to mend.",
}

/// Findings about the config of an image. `parts` are those of an image or artifact that has it, if it is known.
pub fn check(document: &Document, parts: Option<&ImageParts>, out: &mut Vec<Finding>) {
    let DocKind::Config(family) = document.kind else { return };
    let Some(root) = document.root().filter(|root| root.is_object()) else { return };
    let at = |pointer: &str| Location::pointer(document.member, pointer);
    if let Some(parts) = parts {
        platform(root, family, parts, &at(""), out);
    }
    if parts.is_some_and(|parts| parts.role != Role::Image) {
        return;
    }
    let rootfs = root.get("rootfs");
    if let Some(text) = rootfs.and_then(|rootfs| rootfs.get("type")).and_then(Value::as_str) {
        if text != "layers" && !(family == Family::Docker && text == "layers+base") {
            let message = format!("the root file system is of type `layers`, found `{text}`");
            out.push(
                Finding::new(&ROOTFS_TYPE, at("/rootfs/type"), message)
                    .set(&at("/rootfs/type"), quoted("layers")),
            );
        }
    }
    let diff_ids = rootfs.and_then(|rootfs| rootfs.get("diff_ids"));
    let no_layers = parts.is_none_or(|parts| parts.layers.is_empty());
    if rootfs.is_some_and(Value::is_object) && diff_ids.is_none_or(Value::is_null) && no_layers {
        let message = "the config has no list of diff IDs";
        out.push(
            Finding::new(&DIFF_IDS_MISSING, at("/rootfs"), message)
                .help("write `\"diff_ids\": []`")
                .set(&at("/rootfs/diff_ids"), "[]"),
        );
    }
    let image_layers = parts.map(|parts| parts.layers.len());
    history(root, diff_ids, image_layers, &at, out);
    times(root, &at, out);
    let ids = diff_ids.map(Value::items).unwrap_or_default();
    for (i, pair) in ids.windows(2).enumerate() {
        if pair[0].as_str().is_some() && pair[0].as_str() == pair[1].as_str() {
            let at = at(&format!("/rootfs/diff_ids/{}", i + 1));
            out.push(Finding::new(&REPEATED_LAYER, at, format!("layer {} is layer {i} again", i + 1)));
        }
    }
}

fn platform(root: &Value, family: Family, parts: &ImageParts, at: &Location, out: &mut Vec<Finding>) {
    // In another letter case Go reads them all the same, and json/wrong-case says it.
    let lacks = |name: &&str| root.get(name).is_none_or(|v| v.is_null() || v.as_str() == Some(""));
    let missing: Vec<&str> = ["architecture", "os"].into_iter().filter(lacks).collect();
    if missing.is_empty() {
        return;
    }
    let rule = match family {
        _ if parts.role != Role::Image || parts.layers.is_empty() => &ARTIFACT_PLATFORM_MISSING,
        Family::Oci => &PLATFORM_MISSING,
        Family::Docker => &DOCKER_PLATFORM_MISSING,
    };
    let names: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
    let message = format!("the config has no {}", names.join(" and no "));
    out.push(Finding::new(rule, at.clone(), message));
}

fn history(
    root: &Value,
    diff_ids: Option<&Value>,
    image_layers: Option<usize>,
    at: &impl Fn(&str) -> Location,
    out: &mut Vec<Finding>,
) {
    let items = root.get("history").map(Value::items).unwrap_or_default();
    if items.is_empty() {
        // Anything else than a list is the schema's affair.
        if root.get("history").is_none_or(|history| history.is_null() || history.is_array()) {
            out.push(Finding::new(&HISTORY_MISSING, at(""), "the config has no history"));
        }
        return;
    }
    let Some(layers) = diff_ids.filter(|ids| ids.is_array()).map(|ids| ids.items().len()) else { return };
    let empty = |item: &&Value| item.get("empty_layer").and_then(Value::as_bool) == Some(true);
    let made = items.len() - items.iter().filter(empty).count();
    // It fits the layers: config/layer-count tells that the diff IDs do not.
    if image_layers == Some(made) && made != 0 {
        return;
    }
    let message = format!(
        "the history has {} that made a layer, the config has {}",
        crate::finding::counted(made as u64, "item"),
        crate::finding::counted(layers as u64, "diff ID")
    );
    if made > layers {
        let extra = items.iter().enumerate().filter(|(_, item)| !empty(item)).nth(layers);
        let finding = Finding::new(&HISTORY_LONGER, at("/history"), message).help(format!(
            "add `\"empty_layer\": true` to {} of them, those that made no layer",
            made - layers
        ));
        out.push(match extra {
            Some((i, _)) => finding.related(at(&format!("/history/{i}")), "the first too many"),
            None => finding,
        });
    } else if made == 0 && layers > 0 {
        out.push(Finding::new(&HISTORY_EMPTY, at("/history"), message));
    } else if made < layers {
        let lacking = layers - made;
        let plural = if lacking == 1 { "item" } else { "items" };
        let help = format!("add {lacking} {plural} for the layers that have none, or leave `history` out");
        let finding = Finding::new(&HISTORY_SHORTER, at("/history"), message).help(help);
        out.push(finding.remove(&at("/history")).assuming("nobody needs the history"));
    }
}

fn times(root: &Value, at: &impl Fn(&str) -> Location, out: &mut Vec<Finding>) {
    let mut one = |text: &str, pointer: &str, whole: bool| match parse_rfc3339(text) {
        Ok(time) if whole && is_unset(time) => {
            let message = format!("the image was created at {text}, which is no real time");
            out.push(Finding::new(&NO_TIME, at(pointer), message));
        }
        Ok(_) => {}
        Err(error) => {
            let message = format!("`{text}` is not a time that tools can read: {error}");
            let finding = Finding::new(&BAD_CREATED, at(pointer), message);
            out.push(in_rfc3339(finding, text));
        }
    };
    if let Some(text) = root.get("created").and_then(Value::as_str) {
        one(text, "/created", true);
    }
    for (i, item) in root.get("history").map(Value::items).unwrap_or_default().iter().enumerate() {
        if let Some(text) = item.get("created").and_then(Value::as_str) {
            one(text, &format!("/history/{i}/created"), false);
        }
    }
}

/// With the time as RFC 3339 has it as the fix, if it can be read at all.
pub(super) fn in_rfc3339(finding: Finding, text: &str) -> Finding {
    let at = finding.primary.location.clone();
    match readable(text) {
        Some((time, true)) => finding.set(&at, quoted(time)).assuming("the time is UTC"),
        Some((time, false)) => finding.set(&at, quoted(time)),
        None => finding,
    }
}

/// A time that was written in another way, as it should be, and whether its zone had to be guessed.
fn readable(text: &str) -> Option<(String, bool)> {
    let mut time = text.trim().to_ascii_uppercase().replace(',', ".");
    if time.as_bytes().get(10) == Some(&b' ') {
        time.replace_range(10..11, "T");
    }
    let time = time.replace(" UTC", "Z").replace(' ', "");
    let candidates = [(time.clone(), false), (format!("{time}Z"), true), (format!("{time}T00:00:00Z"), true)];
    candidates.into_iter().find(|(time, _)| parse_rfc3339(time).is_ok())
}

/// Whether a time is the first second of 1970, or in year 1.
fn is_unset(time: Timestamp) -> bool {
    /// The start of year 2, in seconds from 1970.
    const YEAR_TWO: i64 = -62_104_060_800;
    time.seconds == 0 || time.seconds < YEAR_TWO
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media;
    use crate::rules::fixture::{Layout, found};

    const OCI: DocKind = DocKind::Config(Family::Oci);
    const DOCKER: DocKind = DocKind::Config(Family::Docker);

    /// What is found in a config that stands alone, its missing history aside.
    fn alone(kind: DocKind, text: &str) -> Vec<&'static str> {
        let mut names = found(kind, text, |document, out| check(document, None, out));
        names.retain(|name| *name != "config/history-missing");
        names
    }

    #[test]
    fn root_file_systems() {
        assert_eq!(alone(OCI, r#"{"rootfs":{"type":"layers","diff_ids":[]}}"#), [""; 0]);
        let snapshots = r#"{"rootfs":{"type":"snapshots","diff_ids":[]}}"#;
        assert_eq!(alone(OCI, snapshots), ["config/unknown-rootfs-type"]);
        let base = r#"{"rootfs":{"type":"layers+base","diff_ids":[]}}"#;
        assert_eq!(alone(OCI, base), ["config/unknown-rootfs-type"]);
        assert_eq!(alone(DOCKER, base), [""; 0]);
        let null = r#"{"rootfs":{"type":"layers","diff_ids":null}}"#;
        assert_eq!(alone(DOCKER, null), ["config/diff-ids-missing"]);
        assert_eq!(alone(DOCKER, r#"{"rootfs":{"type":"layers"}}"#), ["config/diff-ids-missing"]);
        // The schema says that it is missing.
        assert_eq!(alone(DOCKER, "{}"), [""; 0]);
        let twice = r#"{"rootfs":{"type":"layers","diff_ids":["a","a","b"]}}"#;
        assert_eq!(alone(DOCKER, twice), ["config/repeated-layer"]);
        assert_eq!(alone(DOCKER, &twice.replace(r#""a","a","b""#, r#""a","b","a""#)), [""; 0]);
    }

    #[test]
    fn histories() {
        let of = |history: &str, ids: &str| {
            let text = format!(r#"{{"history":{history},"rootfs":{{"type":"layers","diff_ids":{ids}}}}}"#);
            found(OCI, &text, |document, out| check(document, None, out))
        };
        let empty = r#"{"empty_layer":true}"#;
        assert_eq!(of(&format!("[{{}},{empty}]"), r#"["a"]"#), [""; 0]);
        assert_eq!(of("[{},{}]", r#"["a"]"#), ["config/history-longer"]);
        assert_eq!(of("[{}]", r#"["a","b"]"#), ["config/history-shorter"]);
        assert_eq!(of(&format!("[{empty}]"), r#"["a"]"#), ["config/history-all-empty"]);
        assert_eq!(of(&format!("[{empty}]"), "[]"), [""; 0]);
        assert_eq!(of("null", "[]"), ["config/history-missing"]);
        assert_eq!(of("[]", r#"["a"]"#), ["config/history-missing"]);
        assert_eq!(of("3", "[]"), [""; 0]);
        // It fits the layers, so the diff IDs are at fault.
        let document = crate::rules::fixture::document(
            OCI,
            r#"{"history":[{}],"rootfs":{"type":"layers","diff_ids":["a","b"]}}"#,
        );
        let root = document.root().expect("an object");
        let with = |layers: usize| {
            let mut out = Vec::new();
            let at = |pointer: &str| Location::pointer(document.member, pointer);
            history(root, root.at("/rootfs/diff_ids"), Some(layers), &at, &mut out);
            crate::rules::fixture::names(&out)
        };
        assert_eq!(with(1), [""; 0]);
        assert_eq!(with(2), ["config/history-shorter"]);
    }

    #[test]
    fn creation_times() {
        let of =
            |text: &str| alone(OCI, &format!(r#"{{"created":"{text}","history":[{{"created":"{text}"}}]}}"#));
        assert_eq!(of("2024-01-02T03:04:05.6Z"), [""; 0]);
        assert_eq!(of("yesterday"), ["config/bad-created", "config/bad-created"]);
        assert_eq!(of("2024-01-02t03:04:05z"), ["config/bad-created", "config/bad-created"]);
        assert_eq!(of("1970-01-01T00:00:00Z"), ["config/created-unset"]);
        assert_eq!(of("0001-01-01T00:00:00Z"), ["config/created-unset"]);
        assert_eq!(of("0001-12-31T23:59:59Z"), ["config/created-unset"]);
        assert_eq!(of("0002-01-01T00:00:00Z"), [""; 0]);
        assert_eq!(of("1970-01-01T00:00:01Z"), [""; 0]);
    }

    #[test]
    fn platforms() {
        let of = |manifest: &str, config_type: &str, members: &str, layer: &str| {
            let layout = Layout::new();
            let config = format!(r#"{{{members}"rootfs":{{"type":"layers","diff_ids":["a"]}}}}"#);
            let config = layout.descriptor(config_type, config.as_bytes());
            let layer = layout.descriptor(layer, b"x");
            let text = format!(
                r#"{{"schemaVersion":2,"mediaType":"{manifest}","config":{config},"layers":[{layer}]}}"#
            );
            layout.index_json(&[layout.descriptor(manifest, text.as_bytes())]);
            let mut names = layout.found("config/");
            names.retain(|name| name.contains("platform"));
            names
        };
        let oci = |members: &str, layer: &str| of(media::OCI_MANIFEST, media::OCI_CONFIG, members, layer);
        assert_eq!(oci(r#""os":"linux","architecture":"amd64","#, media::OCI_LAYER), [""; 0]);
        assert_eq!(oci(r#""OS":"linux","Architecture":"amd64","#, media::OCI_LAYER), [""; 0]);
        assert_eq!(oci(r#""os":"linux","#, media::OCI_LAYER), ["config/platform-missing"]);
        assert_eq!(oci(r#""os":"","architecture":"","#, media::OCI_LAYER), ["config/platform-missing"]);
        let signature = "application/vnd.dev.cosign.simplesigning.v1+json";
        assert_eq!(oci("", signature), ["config/artifact-platform-missing"]);
        let docker = of(media::DOCKER_MANIFEST, media::DOCKER_CONFIG, "", media::DOCKER_LAYER_GZIP);
        assert_eq!(docker, ["config/docker-platform-missing"]);
    }
}
