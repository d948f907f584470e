//! Rules about platforms: in an index, in a config, and the one against the other (formats.md D.6).

use crate::finding::{Finding, Rule, quoted, rule};
use crate::json::Value;
use crate::location::Location;
use crate::media::Family;
use crate::model::{Archive, Descriptor, DocKind, Document, NodeId, Role, view};
use crate::platform::{Platform, alias_of, is_known_architecture, is_known_os, is_known_variant};

/// The rules of this file.
pub const RULES: &[&Rule] = &[
    &UNKNOWN_VALUE,
    &ARCHITECTURE_ALIAS,
    &NOT_NORMALISED,
    &UNKNOWN_VARIANT,
    &RESERVED_FEATURES,
    &ODD_OS_FEATURES,
    &CONFIG_MISMATCH,
    &DETAIL_MISMATCH,
    &WINDOWS_VERSION,
];

rule! {
    /// A name that Go does not know.
    UNKNOWN_VALUE = "platform/unknown-value", Warning, No, [120],
    checks: "`os` and `architecture` are GOOS and GOARCH names in lower case.",
    matters: "image-spec config and index: they should be. Docker refuses an unknown one with `operating system is not supported`.",
    example: "`\"architecture\": \"AMD64\"`",
    mend: "Write the name that Go knows.",
    breaks: [Docker, Containerd, Skopeo, Podman, Buildah],
}
rule! {
    /// Another name of an architecture, in a config.
    ARCHITECTURE_ALIAS = "config/architecture-alias", Warning, No, [121],
    checks: "`architecture` of a config is the GOARCH name, no other name of it.",
    matters: "image-spec config. containerd knows the other names; whoever compares the text does not find the image for its platform.",
    example: "`\"architecture\": \"x86_64\"`",
    mend: "Rebuild the image with the name that the message gives.",
}
rule! {
    /// A platform that is not in normal form, in an index.
    NOT_NORMALISED = "platform/not-normalised", Warning, No, [142],
    checks: "Platforms in an index are written in their normal form, arm with its variant.",
    matters: "Tools that compare the text do not find `aarch64` for arm64, and take `arm` without variant for any.",
    example: "`\"platform\": {\"os\": \"linux\", \"architecture\": \"aarch64\"}`",
    mend: "Write the form that the message gives. The digest of the index changes with it.",
}
rule! {
    /// A variant that is in no table.
    UNKNOWN_VARIANT = "platform/unknown-variant", Warning, No, [143],
    checks: "`variant` is one that image-spec lists for the architecture.",
    matters: "image-spec index, platform variants. Nothing else matches it.",
    example: "`\"architecture\": \"arm64\", \"variant\": \"armv8\"`",
    mend: "Write the variant of the table, such as `v8`.",
}
rule! {
    /// A reserved member.
    RESERVED_FEATURES = "platform/reserved-features", Warning, No, [144],
    checks: "No platform in an OCI index has `features`.",
    matters: "image-spec index reserves the member; only Docker lists define it (CPU features).",
    example: "`\"features\": [\"sse4\"]`",
    mend: "Leave it out, or use `variant`.",
}
rule! {
    /// Features of an operating system that nobody knows.
    ODD_OS_FEATURES = "platform/odd-os-features", Warning, No, [145],
    checks: "`os.features` holds no feature twice, and for Windows none but `win32k`.",
    matters: "image-spec index. An image needs every feature that it lists, and no Windows host offers another.",
    example: "`\"os.features\": [\"win32k\", \"win32k\"]`",
    mend: "Write each feature once.",
}
rule! {
    /// The index says one platform, the config another.
    CONFIG_MISMATCH = "platform/config-mismatch", Warning, No, [122],
    checks: "`os` and `architecture` of an index item are those of the image's config.",
    matters: "No rule of image-spec demands it, but containerd filters by both and may find no image; Docker warns when it runs one. Where `convert` is asked for a platform, it is an error.",
    example: "An item for linux/arm64 whose config says amd64.",
    mend: "Correct the index if the config is right; otherwise build the image for the platform.",
    breaks: [Docker, Containerd, Skopeo, Podman, Buildah],
}
rule! {
    /// The index says another variant, version or feature than the config.
    DETAIL_MISMATCH = "platform/detail-mismatch", Warning, No, [123],
    checks: "`variant`, `os.version` and `os.features` of an index item are those of the image's config.",
    matters: "Tools that choose by the index and check by the config disagree.",
    example: "An item for linux/arm/v6 whose config says v7.",
    mend: "Correct the index if the config is right.",
}
rule! {
    /// A Windows image that does not say its build.
    WINDOWS_VERSION = "config/windows-version", Warning, No, [124],
    checks: "The config of a Windows image has `os.version` of three or four numbers.",
    matters: "image-spec config: Windows matches the build of the host; Docker on Windows cannot choose the image without it.",
    example: "`\"os\": \"windows\"` without `os.version`.",
    mend: "Rebuild the image; builders take the version from the base image.",
    breaks: [Docker, Umoci],
}

/// Findings about the platforms that an index gives its items.
pub fn index(document: &Document, out: &mut Vec<Finding>) {
    let DocKind::Index(family) = document.kind else { return };
    let Some(list) = document.root().and_then(|root| root.get("manifests")) else { return };
    let base = Location::pointer(document.member, "/manifests");
    for (i, item) in list.items().iter().enumerate() {
        let Some(value) = item.get("platform").filter(|value| value.is_object()) else { continue };
        let at = base.child(i).child("platform");
        let written = view::platform(value).unwrap_or_default();
        if written.is_unknown() {
            continue;
        }
        normal_form(&written, value, &at, out);
        variant(&written, &at, out);
        os_features(&written, &at, out);
        if family == Family::Oci && value.get("features").is_some_and(|list| !list.items().is_empty()) {
            let message = "`features` is reserved in OCI";
            out.push(Finding::new(&RESERVED_FEATURES, at.child("features"), message));
        }
    }
}

/// Findings about the platform of an image's config.
pub fn config(document: &Document, out: &mut Vec<Finding>) {
    let Some(root) = document.root().filter(|root| root.is_object()) else { return };
    let at = Location::pointer(document.member, "");
    let written = view::platform(root).unwrap_or_default();
    let lower = written.architecture.to_ascii_lowercase();
    match alias_of(&lower) {
        Some(name) => {
            let message = format!("the architecture is called `{name}`, found `{}`", written.architecture);
            let finding = Finding::new(&ARCHITECTURE_ALIAS, at.child("architecture"), message);
            out.push(normalise(finding, &written, &at));
        }
        None => known(&written.architecture, "architecture", is_known_architecture, &at, out),
    }
    known(&written.os, "os", is_known_os, &at, out);
    variant(&written, &at, out);
    os_features(&written, &at, out);
    if written.os == "windows" {
        windows(&written, &at, out);
    }
}

fn windows(written: &Platform, at: &Location, out: &mut Vec<Finding>) {
    let Some(version) = &written.os_version else {
        let message = "a Windows image has no `os.version`";
        out.push(Finding::new(&WINDOWS_VERSION, at.clone(), message));
        return;
    };
    let parts: Vec<&str> = version.split('.').collect();
    let number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !(3..=4).contains(&parts.len()) || !parts.iter().all(number) {
        let message = format!("`os.version` is three or four numbers, found `{version}`");
        out.push(Finding::new(&WINDOWS_VERSION, at.child("os.version"), message));
    }
}

/// Empty values are left to whoever says that they are missing.
fn known(text: &str, member: &str, is_known: fn(&str) -> bool, at: &Location, out: &mut Vec<Finding>) {
    if !text.is_empty() && !is_known(text) {
        let message = format!("`{text}` is no {member} that Go knows");
        out.push(Finding::new(&UNKNOWN_VALUE, at.child(member), message));
    }
}

/// One finding for each platform: its normal form if that is another one, else what of it is unknown.
fn normal_form(written: &Platform, value: &Value, at: &Location, out: &mut Vec<Finding>) {
    let normal = written.normalised();
    let variant_differs = match (&written.variant, &normal.variant) {
        // The default variant may be written or left out.
        (_, None) => false,
        (written, normal) => written != normal,
    };
    if written.os != normal.os || written.architecture != normal.architecture || variant_differs {
        let known = is_known_os(&normal.os) && is_known_architecture(&normal.architecture);
        if known {
            let message = format!("the platform is {normal} in normal form, found {written}");
            let finding = Finding::new(&NOT_NORMALISED, at.clone(), message);
            out.push(normalise(finding, written, at));
            return;
        }
    }
    for (member, is_known) in
        [("os", is_known_os as fn(&str) -> bool), ("architecture", is_known_architecture)]
    {
        let Some(text) = value.get(member).and_then(Value::as_str) else { continue };
        if text.is_empty() {
            let message = format!("`{member}` of the platform is empty");
            out.push(Finding::new(&UNKNOWN_VALUE, at.child(member), message));
        } else {
            known(text, member, is_known, at, out);
        }
    }
}

/// With the normal form of a platform as the fix.
fn normalise(finding: Finding, written: &Platform, at: &Location) -> Finding {
    let normal = written.normalised();
    let mut finding = finding.help(as_json(&normal));
    let required =
        [("os", &written.os, &normal.os), ("architecture", &written.architecture, &normal.architecture)];
    for (member, _, right) in required.into_iter().filter(|(_, written, right)| written != right) {
        finding = finding.set(&at.child(member), quoted(right));
    }
    match &normal.variant {
        Some(right) if written.variant.as_ref() != Some(right) => {
            finding.set(&at.child("variant"), quoted(right))
        }
        _ => finding,
    }
}

fn as_json(normal: &Platform) -> String {
    let variant =
        normal.variant.as_ref().map(|variant| format!(", `\"variant\": \"{variant}\"`")).unwrap_or_default();
    format!("write `\"os\": \"{}\"`, `\"architecture\": \"{}\"`{variant}", normal.os, normal.architecture)
}

fn variant(written: &Platform, at: &Location, out: &mut Vec<Finding>) {
    let normal = written.normalised();
    let Some(variant) = &normal.variant else { return };
    if is_known_architecture(&normal.architecture) && !is_known_variant(&normal.architecture, variant) {
        let message = format!("`{variant}` is no known variant of {}", normal.architecture);
        out.push(Finding::new(&UNKNOWN_VARIANT, at.child("variant"), message));
    }
}

fn os_features(written: &Platform, at: &Location, out: &mut Vec<Finding>) {
    let features = &written.os_features;
    let mut seen = std::collections::HashSet::new();
    let odd = features.iter().enumerate().find_map(|(i, feature)| {
        if !seen.insert(feature) {
            Some((i, format!("the feature `{feature}` is listed twice")))
        } else if written.os == "windows" && feature != "win32k" {
            Some((i, format!("Windows has no feature `{feature}`")))
        } else {
            None
        }
    });
    if let Some((i, message)) = odd {
        out.push(Finding::new(&ODD_OS_FEATURES, at.child("os.features").child(i), message));
    }
}

/// The platform that a descriptor gives an image against the one in the image's config.
pub fn against_config(archive: &Archive, descriptor: &Descriptor, node: NodeId, out: &mut Vec<Finding>) {
    let Some(declared) = descriptor.platform.as_ref().filter(|platform| !platform.is_unknown()) else {
        return;
    };
    let Some(parts) = archive.node(node).parts().filter(|parts| parts.role == Role::Image) else { return };
    let Some(config) = archive.config(parts) else { return };
    let (index, own) = (declared.normalised(), config.platform().normalised());
    let at = descriptor.at.child("platform");
    let there = |member: &str| Location::pointer(config.document.member, format!("/{member}"));
    let differs = |a: &str, b: &str| !a.is_empty() && !b.is_empty() && a != b;
    for (member, a, b) in
        [("os", &index.os, &own.os), ("architecture", &index.architecture, &own.architecture)]
    {
        if differs(a, b) {
            let message = format!("the index says {index}, the config of the image says {own}");
            out.push(
                Finding::new(&CONFIG_MISMATCH, at.child(member), message)
                    .set(&at.child(member), quoted(b))
                    .help(format!("if the config is right, write `{b}`; if not, build the image for {index}"))
                    .assuming("the config is right")
                    .related(there(member), "the config's own word"),
            );
            return;
        }
    }
    if own.os.is_empty() || own.architecture.is_empty() {
        return;
    }
    let shown = |value: &Option<String>| value.as_deref().unwrap_or("none").to_owned();
    for (member, a, b) in
        [("variant", &index.variant, &own.variant), ("os.version", &index.os_version, &own.os_version)]
    {
        // An index that leaves it out says nothing else.
        let silent = a.is_none() && member == "os.version";
        if a != b && !silent {
            let (says, own) = (shown(a), shown(b));
            let message = format!("the index says {member} {says}, the config of the image says {own}");
            let place = at.child(member);
            let finding = Finding::new(&DETAIL_MISMATCH, place.clone(), message);
            out.push(
                match b {
                    Some(b) => finding.set(&place, quoted(b)),
                    None => finding.remove(&place).help(format!("remove `{member}`")),
                }
                .assuming("the config is right"),
            );
        }
    }
    if !index.os_features.is_empty() && index.os_features != own.os_features {
        let (a, b) = (index.os_features.join(", "), own.os_features.join(", "));
        let b = if b.is_empty() { "none" } else { &b };
        let message = format!("the index says os.features {a}, the config of the image says {b}");
        let list: Vec<String> = own.os_features.iter().map(quoted).collect();
        out.push(
            Finding::new(&DETAIL_MISMATCH, at.child("os.features"), message)
                .set(&at.child("os.features"), format!("[{}]", list.join(",")))
                .assuming("the config is right"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media;
    use crate::rules::fixture::{Layout, found};

    fn in_index(platform: &str) -> Vec<&'static str> {
        let text = format!(r#"{{"manifests":[{{"platform":{{{platform}}}}}]}}"#);
        found(DocKind::Index(Family::Oci), &text, index)
    }

    fn in_config(members: &str) -> Vec<&'static str> {
        found(DocKind::Config(Family::Oci), &format!("{{{members}}}"), config)
    }

    #[test]
    fn of_an_index() {
        for (platform, expected) in [
            (r#""os":"linux","architecture":"amd64""#, &[][..]),
            (r#""os":"linux","architecture":"arm64","variant":"v8""#, &[]),
            (r#""os":"linux","architecture":"amd64","variant":"v1""#, &[]),
            (r#""os":"linux","architecture":"arm","variant":"v5""#, &[]),
            (r#""os":"unknown","architecture":"unknown""#, &[]),
            (r#""os":"linux","architecture":"aarch64""#, &["platform/not-normalised"]),
            (r#""os":"Linux","architecture":"amd64""#, &["platform/not-normalised"]),
            (r#""os":"linux","architecture":"arm""#, &["platform/not-normalised"]),
            (r#""os":"linux","architecture":"arm","variant":"7""#, &["platform/not-normalised"]),
            (r#""os":"linux","architecture":"z80""#, &["platform/unknown-value"]),
            (r#""os":"","architecture":"amd64""#, &["platform/unknown-value"]),
            // The schema says what is missing.
            (r#""architecture":"amd64""#, &[]),
            (r#""os":"linux","architecture":"arm64","variant":"armv8""#, &["platform/unknown-variant"]),
            (r#""os":"linux","architecture":"amd64","features":["sse4"]"#, &["platform/reserved-features"]),
            (r#""os":"linux","architecture":"amd64","features":[]"#, &[]),
            (r#""os":"windows","architecture":"amd64","os.features":["win32k"]"#, &[]),
            (r#""os":"windows","architecture":"amd64","os.features":["x"]"#, &["platform/odd-os-features"]),
            (r#""os":"linux","architecture":"amd64","os.features":["x","x"]"#, &["platform/odd-os-features"]),
        ] {
            assert_eq!(in_index(platform), expected, "{platform}");
        }
        let docker =
            r#"{"manifests":[{"platform":{"os":"linux","architecture":"amd64","features":["sse4"]}}]}"#;
        assert_eq!(found(DocKind::Index(Family::Docker), docker, index), [""; 0]);
    }

    #[test]
    fn of_a_config() {
        for (members, expected) in [
            (r#""os":"linux","architecture":"arm""#, &[][..]),
            ("", &[]),
            (r#""os":"linux","architecture":"x86_64""#, &["config/architecture-alias"]),
            (r#""os":"linux","architecture":"AMD64""#, &["platform/unknown-value"]),
            (r#""os":"macos","architecture":"amd64""#, &["platform/unknown-value"]),
            (r#""os":"linux","architecture":"arm64","variant":"v10""#, &["platform/unknown-variant"]),
            (r#""os":"windows","architecture":"amd64","os.version":"10.0.20348.2402""#, &[]),
            (r#""os":"windows","architecture":"amd64","os.version":"10.0.20348""#, &[]),
            (r#""os":"windows","architecture":"amd64","os.version":"10.0""#, &["config/windows-version"]),
            (r#""os":"windows","architecture":"amd64","os.version":"10.0.x""#, &["config/windows-version"]),
            (r#""os":"windows","architecture":"amd64""#, &["config/windows-version"]),
        ] {
            assert_eq!(in_config(members), expected, "{members}");
        }
    }

    #[test]
    fn index_against_config() {
        let both = |platform: &str, config: &str| {
            let layout = Layout::new();
            let config = format!(r#"{{{config},"rootfs":{{"type":"layers","diff_ids":[]}}}}"#);
            let config = layout.descriptor(media::OCI_CONFIG, config.as_bytes());
            let text = format!(
                r#"{{"schemaVersion":2,"mediaType":"{}","config":{config},"layers":[]}}"#,
                media::OCI_MANIFEST
            );
            let item = layout.open_descriptor(media::OCI_MANIFEST, text.as_bytes());
            layout.index_json(&[format!(r#"{item},"platform":{{{platform}}}}}"#)]);
            layout.found("platform/")
        };
        let amd64 = r#""os":"linux","architecture":"amd64""#;
        assert_eq!(both(amd64, amd64), [""; 0]);
        assert_eq!(both(amd64, r#""os":"linux","architecture":"x86_64""#), [""; 0]);
        assert_eq!(both(amd64, r#""os":"linux","architecture":"arm64""#), ["platform/config-mismatch"]);
        assert_eq!(both(amd64, r#""os":"","architecture":"""#), [""; 0]);
        let arm = |variant: &str| format!(r#""os":"linux","architecture":"arm","variant":"{variant}""#);
        assert_eq!(both(&arm("v7"), r#""os":"linux","architecture":"arm""#), [""; 0]);
        assert_eq!(both(&arm("v6"), &arm("v7")), ["platform/detail-mismatch"]);
        let windows =
            |version: &str| format!(r#""os":"windows","architecture":"amd64","os.version":"{version}""#);
        assert_eq!(both(&windows("10.0.1.1"), &windows("10.0.1.2")), ["platform/detail-mismatch"]);
        let features = |list: &str| format!(r#"{amd64},"os.features":[{list}]"#);
        assert_eq!(both(&features(r#""a","b""#), &features(r#""b","a""#)), [""; 0]);
        assert_eq!(both(&features(r#""a""#), amd64), ["platform/detail-mismatch"]);
    }
}
