//! Which rule reports a fault: by document kind, place and keyword.

use DocumentKind::*;

use super::kind::DocumentKind;

/// What has no name of its own.
const UNEXPECTED: &str = "json/unexpected-shape";
/// `null` where a value must be.
const NULL: &str = "json/null-for-required";

/// A row: the kinds (none: all of them), the place, the rule. `*` is any one token, a leading `**` any number.
type Row = (&'static [DocumentKind], &'static str, &'static str);

/// By the pointer that the missing member would have. The first row that fits is taken.
const MISSING: &[Row] = &[
    (&[], "/schemaVersion", "document/schema-version-missing"),
    (&[DockerSchema1], "**", "schema1/missing-member"),
    (&[DockerManifest, DockerManifestList], "/mediaType", "document/docker-media-type-missing"),
    (&[OciIndex, DockerManifestList], "/manifests", "index/manifests-missing"),
    (&[OciManifest, DockerManifest], "/config", "manifest/config-missing"),
    (&[OciManifest, DockerManifest], "/layers", "manifest/layers-missing"),
    (&[OciLayout], "/imageLayoutVersion", "layout/version-missing"),
    (&[OciConfig, DockerConfig], "/rootfs", "config/rootfs-missing"),
    (&[OciConfig, DockerConfig], "/rootfs/type", "config/rootfs-type-missing"),
    (&[DockerArchiveManifest], "/*/Config", "docker-archive/config-missing"),
    (&[DockerArchiveManifest], "/*/Layers", "docker-archive/layers-missing"),
    // Last, since a descriptor stands in many places and nothing else lacks members of these names.
    (&[], "**/mediaType", "descriptor/missing-member"),
    (&[], "**/digest", "descriptor/missing-member"),
    (&[], "**/size", "descriptor/missing-member"),
    (&[], "**/platform/architecture", "platform/missing-member"),
    (&[], "**/platform/os", "platform/missing-member"),
];

/// By the pointer of the value whose type is wrong.
const TYPE: &[Row] = &[
    (&[DockerArchiveManifest], "", "docker-archive/manifest-not-array"),
    (&[OciConfig, DockerConfig, V1Json], "/*/Cmd", "config/command-not-array"),
    (&[OciConfig, DockerConfig, V1Json], "/*/Cmd/*", "config/command-not-array"),
    (&[OciConfig, DockerConfig, V1Json], "/*/Entrypoint", "config/command-not-array"),
    (&[OciConfig, DockerConfig, V1Json], "/*/Entrypoint/*", "config/command-not-array"),
    (&[OciConfig, DockerConfig, V1Json], "/*/Labels/*", "config/label-not-string"),
    (&[], "**/annotations/*", "annotation/value-not-string"),
];

/// The rule for a member that is missing from the object at `pointer`.
pub fn of_missing(kind: DocumentKind, pointer: &str, member: &str) -> &'static str {
    find(MISSING, kind, &format!("{pointer}/{member}")).unwrap_or(UNEXPECTED)
}

/// The rule for a value of the wrong type at `pointer`.
pub fn of_type(kind: DocumentKind, pointer: &str, is_null: bool) -> &'static str {
    find(TYPE, kind, pointer).unwrap_or(if is_null { NULL } else { UNEXPECTED })
}

fn find(table: &[Row], kind: DocumentKind, pointer: &str) -> Option<&'static str> {
    table
        .iter()
        .find(|(kinds, pattern, _)| (kinds.is_empty() || kinds.contains(&kind)) && fits(pattern, pointer))
        .map(|(_, _, rule)| *rule)
}

/// Whether a pointer is one that the pattern stands for.
fn fits(pattern: &str, pointer: &str) -> bool {
    // From the end, so that a leading `**` leaves nothing to compare.
    let (mut pattern, mut pointer) = (pattern.rsplit('/'), pointer.rsplit('/'));
    loop {
        match (pattern.next(), pointer.next()) {
            (Some("**"), _) | (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(want), Some(token)) if want == token => {}
            _ => return false,
        }
    }
}

/// Every rule name that [`validate`](super::validate) can use.
#[cfg(test)]
pub fn all() -> std::collections::BTreeSet<&'static str> {
    let named = MISSING.iter().chain(TYPE).map(|(_, _, rule)| *rule);
    named.chain([UNEXPECTED, NULL, "json/number-not-integer", "json/integer-too-large"]).collect()
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns() {
        for (pattern, pointer) in [
            ("", ""),
            ("/a", "/a"),
            ("/*/a", "/0/a"),
            ("**", ""),
            ("**", "/a/b"),
            ("**/a", "/a"),
            ("**/a", "/x/y/a"),
            ("**/a/*", "/x/a/b~1c"),
        ] {
            assert!(fits(pattern, pointer), "{pattern} {pointer}");
        }
        for (pattern, pointer) in [
            ("", "/a"),
            ("/a", ""),
            ("/a", "/b/a"),
            ("/*/a", "/a"),
            ("/*/a", "/0/1/a"),
            ("**/a", "/a/b"),
            ("**/a", ""),
        ] {
            assert!(!fits(pattern, pointer), "{pattern} {pointer}");
        }
    }
}
