//! Rules about members that belong to no image: what tools leave behind, and a layout without a place for blobs.

use std::collections::HashSet;

use super::capped::Capped;
use crate::finding::{Finding, Rule, rule};
use crate::location::{Location, MemberId};
use crate::model::Archive;
use crate::model::Form;
use crate::source::MemberKind;

/// The rules of this file.
pub const RULES: &[&Rule] = &[&NO_BLOBS, &LEFT_OVER, &UNKNOWN_MEMBER];

rule! {
    /// No place for blobs.
    NO_BLOBS = "layout/no-blobs", Warning, No, [18],
    checks: "A layout has the folder `blobs`.",
    matters: "image-spec image layout demands it, empty or not. If something points at a blob, `blob/missing` says what is missing.",
    example: "A folder with `oci-layout` and an empty `index.json`.",
    mend: "Make the folder, or copy the layout again.",
    breaks: [Containerd, Skopeo, Podman, Buildah, Umoci],
}
rule! {
    /// Something that a tool left behind.
    LEFT_OVER = "archive/left-over", Note, No, [21, 231],
    checks: "Whether temporary files and locks of tools are in the archive, and unfinished uploads in storage.",
    matters: "No reader looks at them. They show that a writer broke off, or still writes.",
    example: "`blobs/sha256/oci-put-blob1234` of skopeo, `.umoci-1234/`, `index.json.lock`, `_uploads/`.",
    mend: "Remove them once nothing writes, or write the archive anew.",
    remedy: Convert(&[]),
}

rule! {
    /// A file that no form has a place for.
    UNKNOWN_MEMBER = "archive/unknown-member", Note, No, [20],
    checks: "Whether files are in the archive that its form has no place for.",
    matters: "image-spec image layout allows them. No tool reads them, and a conversion leaves them out.",
    example: "`README.md` beside `index.json`.",
    mend: "Nothing to mend, if they are meant to be there.",
}

/// Findings about such members; those before were found already.
pub fn check(archive: &Archive, out: &mut Vec<Finding>) {
    let missing = out.iter().any(|finding| std::ptr::eq(finding.rule, &raw const super::blob::MISSING));
    let tree = &archive.tree;
    if archive.index_json.is_some() && !missing && tree.get(b"blobs").is_none() && !tree.has_below("blobs/") {
        let message = "the layout has no folder `blobs`";
        out.push(Finding::new(&NO_BLOBS, Location::archive(), message));
    }
    let mut found = Capped::default();
    for (i, member) in tree.members.iter().enumerate() {
        let name = member.name().to_string();
        let folder = member.kind() == MemberKind::Directory;
        if is_left_over(&name, folder) {
            let message = format!("a tool left `{name}` behind");
            found.push(Finding::new(&LEFT_OVER, Location::member(MemberId(i as u32)), message));
        }
    }
    found.end(out);
    unknown(archive, out);
}

/// Places shown of files that belong to no form.
const SHOWN: usize = 16;

/// Files that neither the graph nor the form of the archive knows, told once.
fn unknown(archive: &Archive, out: &mut Vec<Finding>) {
    // Of no form nothing has a place.
    if archive.form == Form::Unknown {
        return;
    }
    let blobs = archive.blobs.iter().filter_map(|blob| blob.member);
    let documents = archive.documents.iter().map(|document| document.member);
    let signatures = archive.nodes.iter().flat_map(|node| node.signatures.iter().copied());
    // Of what was found wrong already that alone is said.
    let told: Vec<MemberId> = out.iter().filter_map(|finding| finding.primary.location.member).collect();
    let known: HashSet<MemberId> = blobs.chain(documents).chain(signatures).chain(told).collect();
    // A link is known by what it is called.
    let files =
        archive.tree.members.iter().enumerate().filter(|(_, member)| member.kind() == MemberKind::File);
    let mut strange = files.filter(|(i, member)| {
        let name = member.name().to_string();
        !known.contains(&MemberId(*i as u32))
            && !has_place(archive.form, &name)
            && !is_left_over(&name, false)
    });
    let Some((first, member)) = strange.next() else { return };
    let at = |i: usize| Location::member(MemberId(i as u32));
    let mut message =
        format!("`{}` is nothing that an archive of the form {} holds", member.name(), archive.form);
    let mut others = Vec::new();
    let mut more = 0;
    for (i, _) in strange {
        more += 1;
        if others.len() < SHOWN - 1 {
            others.push(at(i));
        }
    }
    if more > 0 {
        message.push_str(&format!("; so it is with {more} more"));
    }
    let finding = Finding::new(&UNKNOWN_MEMBER, at(first), message);
    out.push(others.into_iter().fold(finding, |finding, other| finding.related(other, "here too")));
}

/// Whether a form has a place for a file of this name, used or not: other rules judge what is in its place.
fn has_place(form: Form, name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or(name);
    let hex = |text: &str| text.len() >= 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let stem = last.split('.').next().unwrap_or(last);
    match form {
        Form::Oci => matches!(name, "oci-layout" | "index.json") || name.starts_with("blobs/"),
        Form::Dir => {
            matches!(name, "version" | "manifest.json") || hex(stem) || last.starts_with("signature-")
        }
        Form::RegistryStorage => name.contains("docker/registry/v2/"),
        // What a registry has was asked for; of a form that others add nobody here knows.
        Form::Registry | Form::Other(_) => true,
        // The first era's members, those of Docker 1.10 on, and the layout of Docker 25.
        _ => {
            let legacy = matches!(last, "VERSION" | "json" | "layer.tar");
            legacy
                || matches!(name, "manifest.json" | "repositories" | "oci-layout" | "index.json")
                || name.starts_with("blobs/")
                || hex(stem.strip_prefix("sha256:").unwrap_or(stem))
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
    fn files_that_no_form_has_a_place_for() {
        let layout = Layout::new();
        layout.index_json(&[]);
        layout.file("blobs/sha256/x", b"");
        assert_eq!(layout.found("archive/unknown"), [""; 0]);
        layout.file("README.md", b"");
        layout.file("a/b", b"");
        assert_eq!(layout.found("archive/unknown"), ["archive/unknown-member"]);
    }

    #[test]
    fn places_of_forms() {
        let hex = "0".repeat(64);
        for (form, name) in [
            (Form::Oci, "blobs/sha256/x".to_owned()),
            (Form::Dir, hex.clone()),
            (Form::Dir, format!("{hex}.manifest.json")),
            (Form::Dir, "signature-1".into()),
            (Form::RegistryStorage, "docker/registry/v2/blobs/x".into()),
            (Form::DockerArchive, format!("{hex}/layer.tar")),
            (Form::DockerArchive, format!("{hex}.json")),
            (Form::DockerArchive, format!("sha256:{hex}")),
        ] {
            assert!(has_place(form, &name), "{form} {name}");
        }
        for (form, name) in
            [(Form::Oci, "manifest.json"), (Form::Dir, "index.json"), (Form::DockerArchive, "README")]
        {
            assert!(!has_place(form, name), "{form} {name}");
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
