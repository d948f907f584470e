//! Rules about members that belong to no image: what tools leave behind, and a layout without a place for blobs.

use super::{Rule, rule};
use crate::format::tree::MemberKind;
use crate::model::Archive;
use crate::report::{Finding, Location, MemberId};

/// The rules of this file.
pub const RULES: &[&Rule] = &[&NO_BLOBS, &LEFT_OVER];

/// Left-overs that are told; nobody reads more.
const MAX_FINDINGS: usize = 1000;

rule! {
    /// No place for blobs.
    NO_BLOBS = "layout/no-blobs", Warning, No, [18],
    checks: "A layout has the folder `blobs`.",
    matters: "image-spec image layout demands it, empty or not. If something points at a blob, `blob/missing` says what is missing.",
    example: "A folder with `oci-layout` and an empty `index.json`.",
    mend: "Make the folder, or copy the layout again.",
}
rule! {
    /// Something that a tool left behind.
    LEFT_OVER = "archive/left-over", Note, No, [21, 231],
    checks: "Whether temporary files and locks of tools are in the archive, and unfinished uploads in storage.",
    matters: "No reader looks at them. They show that a writer broke off, or still writes.",
    example: "`blobs/sha256/oci-put-blob1234` of skopeo, `.umoci-1234/`, `index.json.lock`, `_uploads/`.",
    mend: "Remove them once nothing writes, or convert the archive: restow copies what is reached.",
}

/// Findings about such members; those before were found already.
pub fn check(archive: &Archive, out: &mut Vec<Finding>) {
    let missing = out.iter().any(|finding| std::ptr::eq(finding.rule, &raw const super::blob::MISSING));
    let tree = &archive.tree;
    if archive.index_json.is_some() && !missing && tree.get(b"blobs").is_none() && !tree.has_below("blobs/") {
        let message = "the layout has no folder `blobs`";
        out.push(Finding::new(&NO_BLOBS, Location::archive(), message));
    }
    let mut told = 0;
    for (i, member) in tree.members.iter().enumerate() {
        let name = member.name.to_string();
        let folder = member.kind == MemberKind::Directory;
        if told < MAX_FINDINGS && is_left_over(&name, folder) {
            told += 1;
            let message = format!("a tool left `{name}` behind");
            out.push(Finding::new(&LEFT_OVER, Location::member(MemberId(i as u32)), message));
        }
    }
}

/// Whether a name is one that tools give to what they remove at their end (formats.md E).
fn is_left_over(name: &str, folder: bool) -> bool {
    let (first, rest) = name.split_once('/').unwrap_or((name, ""));
    let last = name.rsplit('/').next().unwrap_or(name);
    if folder {
        return rest.is_empty() && (first == "ingest" || first.starts_with(".umoci-"));
    }
    ["oci-put-blob", "dir-put-blob", ".umoci-"].iter().any(|prefix| last.starts_with(prefix))
        || name == "index.json.lock"
        || last.ends_with(".tmp")
        || name.contains("/_uploads/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::fixture::Layout;

    #[test]
    fn names_of_left_overs() {
        for (name, folder) in [
            ("blobs/sha256/oci-put-blob12", false),
            ("dir-put-blob12", false),
            ("index.json.lock", false),
            ("index.json.12.tmp", false),
            ("docker/registry/v2/repositories/a/_uploads/1/data", false),
            ("ingest", true),
            (".umoci-12", true),
        ] {
            assert!(is_left_over(name, folder), "{name}");
        }
        for (name, folder) in
            [("index.json", false), ("ingest", false), ("blobs/sha256", true), ("a/ingest", true)]
        {
            assert!(!is_left_over(name, folder), "{name}");
        }
    }

    #[test]
    fn a_layout_without_blobs() {
        let layout = Layout::new();
        layout.index_json(&[]);
        assert_eq!(layout.found("layout/"), ["layout/no-blobs"]);
        layout.file("blobs/sha256/index.json.tmp", b"");
        assert_eq!(layout.found("layout/"), [""; 0]);
        assert_eq!(layout.found("archive/left"), ["archive/left-over"]);
    }
}
