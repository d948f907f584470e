//! Rules about the archive as a container of members, and about what its form demands.

use crate::digest::Digest;
use crate::finding::{Edit, Finding, Rule, Target, quoted, rule};
use crate::limits;
use crate::location::{Location, MemberId};
use crate::model::{Anomaly, Archive, Disagreement};
use crate::source::{Member, MemberKind, PathFault, Tree, shown};

/// The rules of this file.
pub const RULES: &[&Rule] = &[
    &TRUNCATED,
    &BAD_HEADER,
    &AMBIGUOUS_HEADER,
    &AMBIGUOUS_PATH,
    &POLYGLOT,
    &DATA_AFTER_END,
    &DUPLICATE_MEMBER,
    &REPEATED_MEMBER,
    &ESCAPING_NAME,
    &MISSING_OCI_LAYOUT,
    &MISSING_INDEX,
    &MISSING_MANIFEST_JSON,
    &INSIDE_FOLDER,
    &NO_IMAGES,
    &LIMIT_HIT,
    &HALVES_DISAGREE,
    &HALF_INCOMPLETE,
    &BAD_LINK,
    &TAG_WITHOUT_TARGET,
    &MISSING_REVISION,
    &BAD_REFERENCE,
    &DUPLICATE_TAG,
];

rule! {
    /// The archive ends too early.
    TRUNCATED = "archive/truncated", Error, Hard, [3],
    checks: "The tar ends between members, and the compressed stream around it, if any, decodes to its end.",
    matters: "An archive that was cut off in transfer holds only part of its image (POSIX tar). Every tool fails on it, most with `unexpected EOF` and no place.",
    example: "A `docker save` that stopped when the disk was full: the last member needs 10240 bytes and 4096 are there.",
    mend: "Save or copy the archive again; what is missing cannot be recomputed.",
    breaks: [Containerd, Umoci],
}
rule! {
    /// A tar header that is none.
    BAD_HEADER = "archive/bad-header", Error, Hard, [5],
    checks: "Every header of the outer tar has a correct checksum.",
    matters: "Nothing behind a damaged header can be located (POSIX tar). All tools stop there.",
    example: "A byte of the file was overwritten: the header at offset 1536 sums to another value than it says. `docker save app:1 > app.tar` in PowerShell 7.0 to 7.3 takes the tar for text: line feeds change, and bytes that are no UTF-8 are replaced.",
    mend: "Save or copy the archive again.",
    breaks: [Containerd, Skopeo, Podman, Buildah],
}
rule! {
    /// Two readers would see two archives.
    AMBIGUOUS_HEADER = "archive/ambiguous-header", Error, Hard, [8, 14, 179],
    checks: "Headers of the outer tar are read alike by every reader: extension headers are well-formed, stand before their member and agree on its name and size; no size stands behind a NUL or on what has no data; no regular file is named as a directory, none has records of a sparse file without being one, and no header a prefix in another dialect than its own.",
    matters: "Readers differ in which of two names they take, a NUL in a name ends it for some, and GNU tar and Python obey lone sparse records and global headers, which Go ignores: the archive that is checked is then not the one that is loaded.",
    example: "A PAX `path` and a GNU long name before one header, with different names.",
    mend: "Write the archive again with one kind of extension headers.",
}
rule! {
    /// A name that leads to two places.
    AMBIGUOUS_PATH = "archive/ambiguous-path", Error, Hard, [8, 10, 11],
    checks: "Every member of a tar is where its name says for those who extract the archive, too: none stands below a member that is no directory, no name goes up by `..`, and links lead to one place whether they are resolved as text or step by step.",
    matters: "Docker extracts a docker-archive and follows the links that it made; skopeo, crane and containerd look names up. Where these differ, two tools load two images from one file.",
    example: "A link `b` to `.`, and then `b/manifest.json`: Docker writes it over `manifest.json`, skopeo reads the first one.",
    mend: "Treat the archive as hostile; write it again without links.",
    breaks: [Skopeo, Podman, Buildah, Umoci],
}
rule! {
    /// Two archives in one file.
    POLYGLOT = "archive/polyglot", Error, Hard, [4, 8],
    checks: "What begins like a compressed stream does not begin with the header of a tar as well.",
    matters: "Tools that go by the first bytes decompress the file, GNU tar and those that do not know the compression read it as a tar: they see two archives. A skippable frame of zstd, or the extra field of a gzip header, has room for one.",
    example: "A zstd skippable frame that holds one archive, and behind it a frame that holds another.",
    mend: "Treat the archive as hostile; decompress it and check what comes out.",
    breaks: [Containerd, Umoci],
}
rule! {
    /// Something hides behind the end.
    DATA_AFTER_END = "archive/data-after-end", Warning, No, [7],
    checks: "Nothing but zeros follows the two blocks that end the outer tar.",
    matters: "All readers ignore what follows, so it travels unseen.",
    example: "Two tars put one behind the other: the members of the second are invisible.",
    mend: "Write the archive anew, with what is reachable and nothing else.",
    remedy: Convert(&[]),
}
rule! {
    /// One name, two contents.
    DUPLICATE_MEMBER = "archive/duplicate-member", Error, Hard, [8],
    checks: "No two members of one cleaned name differ.",
    matters: "Docker extracts to disk and takes the last, skopeo and crane take the first: two tools load two images from one file.",
    example: "`manifest.json` stands at the beginning and, with another content, at the end.",
    mend: "Find out which one was meant, and write the archive again without the other.",
    breaks: [Containerd, Skopeo, Podman, Buildah, Umoci],
}
rule! {
    /// One name, one content, twice.
    REPEATED_MEMBER = "archive/repeated-member", Warning, No, [8],
    checks: "No member stands twice with the same bytes.",
    matters: "Harmless, but wasteful; `crane pull` writes a config twice when an image is pulled under two names.",
    example: "`sha256:7e86…` stands twice with the same 239 bytes.",
    mend: "Write the archive anew, each blob once.",
    remedy: Convert(&[]),
}
rule! {
    /// A name that climbs out.
    ESCAPING_NAME = "archive/escaping-name", Error, Soft, [10],
    checks: "No member's name leaves the archive through `..`.",
    matters: "A tool that extracts without checking writes outside its directory. Docker refuses or clamps such names; restow never uses them as paths.",
    example: "A member called `../../etc/passwd`.",
    mend: "Treat the archive as hostile, or keep only what the image needs.",
    remedy: Convert(&[Lower]),
    breaks: [Skopeo, Podman, Buildah],
}
rule! {
    /// `oci-layout` is missing.
    MISSING_OCI_LAYOUT = "archive/missing-oci-layout", Error, Soft, [16],
    checks: "A layout has the file `oci-layout`.",
    matters: "OCI image layout demands it. skopeo and crane read without it; umoci, containerd and regctl refuse.",
    example: "A folder with `index.json` and `blobs/` alone.",
    mend: "Add `oci-layout` with the content `{\"imageLayoutVersion\":\"1.0.0\"}`, or write the layout anew.",
    remedy: Convert(&[Lower]),
    breaks: [Containerd, Umoci],
}
rule! {
    /// `index.json` is missing.
    MISSING_INDEX = "archive/missing-index", Error, Hard, [17],
    checks: "A layout has the file `index.json`.",
    matters: "OCI image layout demands it; without it nothing says which blobs are images. All tools fail.",
    example: "A folder with `oci-layout` and `blobs/` alone.",
    mend: "Write the layout again with the tool that made it.",
    breaks: [Containerd, Skopeo, Podman, Buildah, Umoci],
}
rule! {
    /// The docker half is missing.
    MISSING_MANIFEST_JSON = "archive/missing-manifest-json", Error, Hard, [22],
    checks: "What is read as docker-archive or dir: has the file `manifest.json`.",
    matters: "It is the only list of images that Docker's classic store and skopeo's docker-archive transport read.",
    example: "An OCI archive named with the prefix `docker-archive:`.",
    mend: "Name the archive without prefix, or as what it is.",
    remedy: Prefix("oci-archive"),
    breaks: [Docker, Containerd, Skopeo, Podman, Buildah],
}
rule! {
    /// An archive one folder too deep.
    INSIDE_FOLDER = "archive/inside-folder", Note, No, [1],
    checks: "Whether the members of an archive lie at its top, not all of them in one folder.",
    matters: "Every tool that loads archives looks for `manifest.json` or `index.json` at the top and finds none. restow reads the folder.",
    example: "`tar cf app.tar app/` where `tar cf app.tar -C app .` was meant.",
    mend: "Write it anew, as tools look for it.",
    remedy: Convert(&[]),
    breaks: [Containerd, Skopeo, Podman, Buildah, Umoci],
}
rule! {
    /// There is no image.
    NO_IMAGES = "archive/no-images", Error, Hard, [22, 33, 52],
    checks: "The archive lists at least one image or artifact.",
    matters: "Tools either do nothing and report success (Docker's classic store) or fail with unrelated words.",
    example: "`index.json` with `\"manifests\": []`.",
    mend: "Save the image again, by its name: some versions of Docker (25.0.0 to 25.0.2, 29.2) write such an index for what has no tag.",
    breaks: [Docker, Containerd, Skopeo, Podman, Buildah, Umoci],
}
rule! {
    /// A cap on hostile archives was reached.
    LIMIT_HIT = "archive/limit-hit", Error, Hard, [109, 237, 238, 239, 240, 241, 243, 246, 249],
    checks: "The archive stays below restow's limits on members, documents, inline data, nesting and layers.",
    matters: "An archive from a stranger must not be able to exhaust memory or time.",
    example: "An index nested 20 deep.",
    mend: "If the archive is trusted, raise the limit that the message names.",
}
rule! {
    /// The halves of a Docker 25+ archive describe different images.
    HALVES_DISAGREE = "archive/halves-disagree", Error, Soft, [15],
    checks: "`manifest.json` and `index.json` of one archive give each image the same layers and each tag the same image, and have each image that has a tag.",
    matters: "Docker's classic store reads the one, containerd the other: they would load different images. No other tool compares them.",
    example: "Docker 25.0.0 wrote the layers of a manifest in random order; `manifest.json` has them right.",
    mend: "Save the image again, or take the half whose layers fit `diff_ids`.",
    remedy: Convert(&[Lower]),
    breaks: [Docker, Containerd, Skopeo, Podman, Buildah],
}
rule! {
    /// One half lacks something that the other has.
    HALF_INCOMPLETE = "archive/half-incomplete", Warning, No, [15],
    checks: "Every image without a tag, and every tag, of `manifest.json` is in `index.json` too, and the other way round; of an index, `manifest.json` has one image.",
    matters: "Docker since 25.0.3 loses untagged images from `index.json` when tagged ones are saved with them; containerd does not see them. What `manifest.json` lacks Docker's classic store does not see. restow reads the union.",
    example: "`docker save app:1 0fef9c035493`: the second image is in `manifest.json` only.",
    mend: "Write the archive anew, with both halves complete.",
    remedy: Convert(&[]),
    breaks: [Containerd],
}
rule! {
    /// A link in registry storage that is no digest.
    BAD_LINK = "storage/bad-link", Error, Soft, [223],
    checks: "The content of a link is exactly one digest, without newline or spaces.",
    matters: "A registry answers 500 for such a link.",
    example: "A link that an editor saved with a newline at its end.",
    mend: "Write the digest alone into the link.",
    breaks: [Registry],
}
rule! {
    /// A tag that points nowhere.
    TAG_WITHOUT_TARGET = "storage/tag-without-target", Error, Soft, [225],
    checks: "Every tag has `current/link`; each that a live registry lists has a manifest.",
    matters: "The tag is listed by some versions of the registry, and answers 404 MANIFEST_UNKNOWN.",
    example: "`_manifests/tags/1/` with `index/` only.",
    mend: "Push the tag again, or repair it from a place that has it.",
    breaks: [Registry],
}
rule! {
    /// A tag's manifest is not a revision of its repository.
    MISSING_REVISION = "storage/missing-revision", Error, Soft, [225, 228],
    checks: "What a tag points at has a revision link in the same repository.",
    matters: "The registry answers 404 MANIFEST_UNKNOWN for it although the blob is there.",
    example: "Storage that was copied without `_manifests/revisions`.",
    mend: "Write the storage anew, with the link.",
    remedy: Convert(&[Lower]),
    breaks: [Registry],
}
rule! {
    /// A name that is no reference.
    BAD_REFERENCE = "name/bad-reference", Error, Soft, [190, 191, 192, 197, 230],
    checks: "RepoTags, `io.containerd.image.name` and the names of repositories and tags obey the grammar of references.",
    matters: "Docker refuses to load an archive with a tag that it cannot parse; skopeo ignores it, and then the image has no name.",
    example: "`\"RepoTags\": [\"App:1\"]`: repository names are lower case.",
    mend: "Give the image another name.",
    remedy: Convert(&[Tag]),
    breaks: [Docker, Containerd, Podman, Buildah],
}
rule! {
    /// One tag for two images.
    DUPLICATE_TAG = "name/duplicate-tag", Error, Soft, [32],
    checks: "No two images of a docker-archive claim one tag.",
    matters: "Docker takes the last one and says nothing.",
    example: "Two items of `manifest.json` with `\"RepoTags\": [\"app:1\"]` and different configs.",
    mend: "Change one of the names, or keep one of the images.",
    remedy: Convert(&[Image]),
}

/// The content of `oci-layout`.
const LAYOUT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

impl Finding {
    /// With the digest alone as the fix of a link, if it holds one.
    fn change_link(self, member: MemberId, content: &str) -> Finding {
        match crate::digest::Digest::parse(content.trim()) {
            Ok(digest) => self
                .help(format!("write `{digest}` and nothing else"))
                .change(Target::Member(member), Edit::Write(digest.to_string())),
            Err(_) => self,
        }
    }
}

/// Findings about the archive as a whole, beside those of its [anomalies](super::anomalies::all).
pub fn check(archive: &Archive, out: &mut Vec<Finding>) {
    let cut = is_cut(archive);
    for (i, member) in archive.tree.members.iter().enumerate() {
        let raw = member.raw_name().filter(|raw| crate::tar::clean(raw).escapes);
        if let Some(raw) = raw {
            let message = format!("the name of member `{raw}` leaves the archive");
            out.push(Finding::new(&ESCAPING_NAME, Location::member(MemberId(i as u32)), message));
        }
    }
    let silent = |out: &[Finding]| !out.iter().any(|f| f.rule.level == crate::finding::Level::Error);
    let told = archive.anomalies.iter().any(|anomaly| matches!(anomaly, Anomaly::Empty { .. }));
    if archive.roots.is_empty()
        && !cut
        && !told
        && silent(out)
        && archive.documents.iter().all(|document| document.json)
    {
        out.push(Finding::new(&NO_IMAGES, Location::archive(), "the archive lists no image"));
    }
}

/// Whether the archive ends too early, or cannot be read from some point on.
pub fn is_cut(archive: &Archive) -> bool {
    archive.tree.is_cut()
}

/// A member that readers find at different places.
pub fn ambiguous(tree: &Tree, id: MemberId, fault: PathFault) -> Finding {
    let member = tree.member(id);
    let name = shown(member);
    let links = |other: &Member| match other.kind() {
        MemberKind::Symlink(target) | MemberKind::Hardlink(target) => format!("a link to `{target}`"),
        MemberKind::File => "a file".to_owned(),
        MemberKind::Directory | MemberKind::Other(_) => "no directory".to_owned(),
    };
    let message = match fault {
        PathFault::Below(above) => {
            let above = tree.member(above);
            format!("member `{name}` stands below `{}`, which is {}", shown(above), links(above))
        }
        PathFault::Parent => {
            format!("the name of member `{name}` goes up, which some readers resolve and others refuse")
        }
        PathFault::Root => {
            format!("member `{name}` is the archive's own directory by its name, and {}", links(member))
        }
        PathFault::Link => {
            format!("`{name}` is {}, which leads elsewhere if it is resolved step by step", links(member))
        }
    };
    let finding = Finding::new(&AMBIGUOUS_PATH, Location::member(id), message);
    match fault {
        PathFault::Below(above) => finding.related(Location::member(above), "this one"),
        PathFault::Parent | PathFault::Root | PathFault::Link => finding,
    }
}

/// A member that the form demands and that is not there, or is no file.
pub fn missing_member(name: &str, of: &str, archive: &Archive) -> Finding {
    let rule = match name {
        "oci-layout" => &MISSING_OCI_LAYOUT,
        "index.json" => &MISSING_INDEX,
        "manifest.json" => &MISSING_MANIFEST_JSON,
        _ => return super::legacy::no_repositories(),
    };
    match archive.tree.get(name.as_bytes()).filter(|&id| archive.tree.follow(id).is_none()) {
        Some(id) => {
            let found = match archive.tree.member(id).kind() {
                MemberKind::Directory => "a directory",
                MemberKind::Symlink(_) | MemberKind::Hardlink(_) => "a link to no file of the archive",
                MemberKind::File | MemberKind::Other(_) => "neither file nor directory",
            };
            let message = format!("`{name}` is {found}, {of} must have it as a file");
            Finding::new(rule, Location::member(id), message)
        }
        None => {
            let message = format!("`{name}` is missing, which {of} must have");
            let finding = Finding::new(rule, Location::archive(), message);
            match name {
                "oci-layout" => {
                    finding.change(Target::Named("oci-layout".into()), Edit::Write(LAYOUT.into()))
                }
                _ => finding,
            }
        }
    }
}

/// An archive in a folder of the archive.
pub fn inside_folder(folder: &str) -> Finding {
    let message = format!("the archive lies in the folder `{folder}`, where no other tool looks for it");
    Finding::new(&INSIDE_FOLDER, Location::archive(), message)
}

/// A list without any image.
pub fn empty(at: &Location) -> Finding {
    Finding::new(&NO_IMAGES, at.clone(), "no image is listed here")
}

/// More of something than a limit allows.
pub fn limit_hit(at: &Location, name: &str, limit: u64) -> Finding {
    let what = limits::NAMES.iter().find(|(known, _)| *known == name).map_or("here", |(_, what)| what);
    let message = match name {
        "index-depth" => format!("indexes nest more than {limit} deep (limit {name})"),
        _ => format!("more than {limit} {what} (limit {name})"),
    };
    Finding::new(&LIMIT_HIT, at.clone(), message).raise(name, None)
}

/// A document that was not read, as it is too large.
pub fn document_too_large(member: MemberId, size: u64, limit: u64, name: &str) -> Finding {
    let message = format!("the document is {size} bytes, the limit {name} is {limit}");
    // The sum of all is known only once all are read.
    let value = (name == "document-bytes").then_some(size);
    Finding::new(&LIMIT_HIT, Location::member(member), message).raise(name, value)
}

/// Two halves of one archive that differ.
pub fn halves_disagree(at: &Location, other: Option<&Location>, what: &Disagreement) -> Finding {
    let (rule, message, label) = match what {
        Disagreement::Layers => (
            &HALVES_DISAGREE,
            "`manifest.json` and the OCI half give the image different layers".to_owned(),
            "layers of the OCI half",
        ),
        Disagreement::Tag(tag) => (
            &HALVES_DISAGREE,
            format!("`{tag}` is one image in `manifest.json` and another in `index.json`"),
            "the tag in the OCI half",
        ),
        Disagreement::TagMissing(tag) => (
            &HALF_INCOMPLETE,
            format!("`{tag}` is in `manifest.json`, but not in `index.json`"),
            "the image in the OCI half",
        ),
        Disagreement::RepoTagMissing(tag) => {
            (&HALF_INCOMPLETE, format!("`{tag}` is in `index.json`, but not in `manifest.json`"), "")
        }
        Disagreement::ItemMissing(Some(tag)) => (
            &HALVES_DISAGREE,
            format!("the image `{tag}` is in `index.json`, but not in `manifest.json`"),
            "",
        ),
        Disagreement::ImageMissing(Some(tag)) => (
            &HALVES_DISAGREE,
            format!("the image `{tag}` is in `manifest.json`, but not in `index.json`"),
            "",
        ),
        Disagreement::ItemMissing(None) => {
            (&HALF_INCOMPLETE, "the image is in `index.json`, but not in `manifest.json`".to_owned(), "")
        }
        Disagreement::ImageMissing(None) => {
            (&HALF_INCOMPLETE, "the image is in `manifest.json`, but not in `index.json`".to_owned(), "")
        }
        Disagreement::Disjoint => {
            (&HALVES_DISAGREE, "`manifest.json` and `index.json` have no image in common".to_owned(), "")
        }
    };
    let finding = Finding::new(rule, at.clone(), message);
    match other {
        Some(other) => finding.related(other.clone(), label),
        None => finding,
    }
}

/// A name that is none.
pub fn bad_name(at: &Location, text: &str, problem: &str) -> Finding {
    let message = format!("`{text}` is not an image name: {problem}");
    let finding = Finding::new(&BAD_REFERENCE, at.clone(), message);
    let lower = text.to_lowercase();
    let good = |name: crate::reference::Reference| name.digest().is_none();
    match crate::reference::Reference::parse(&lower).is_ok_and(good) {
        true => finding.set(at, quoted(lower)).assuming("only the letter case is wrong"),
        false => finding,
    }
}

/// One tag for two images.
pub fn tag_twice(at: &Location, first: &Location, name: &str) -> Finding {
    Finding::new(&DUPLICATE_TAG, at.clone(), format!("`{name}` is claimed by two images"))
        .related(first.clone(), "claimed here first")
}

/// A link of registry storage that is no digest.
pub fn bad_link(member: MemberId, content: &str) -> Finding {
    Finding::new(
        &BAD_LINK,
        Location::member(member),
        format!("the link holds {content:?}, not exactly a digest"),
    )
    .change_link(member, content)
}

/// A tag of registry storage, or of a live registry, that leads nowhere.
pub fn tag_without_target(member: Option<MemberId>, repository: &str, tag: &str) -> Finding {
    let (at, what) = match member {
        Some(member) => (Location::member(member), "has no current/link"),
        None => (Location::archive(), "is listed, and the registry has no manifest for it"),
    };
    Finding::new(&TAG_WITHOUT_TARGET, at, format!("tag `{repository}:{tag}` {what}"))
}

/// A link of registry storage to what its repository lacks.
pub fn link_target_missing(member: MemberId, digest: &Digest, what: &str) -> Finding {
    Finding::new(
        &MISSING_REVISION,
        Location::member(member),
        format!("there is no {what} for {digest} in the repository"),
    )
}

#[cfg(test)]
mod tests {
    use crate::rules::fixture::{Layout, names};

    /// What is found of a layout with this `index.json`.
    fn of_index(text: &str) -> Vec<&'static str> {
        let layout = Layout::new();
        layout.file("index.json", text.as_bytes());
        let others = ["document/media-type-absent", "layout/no-blobs"];
        layout.found("").into_iter().filter(|name| !others.contains(name)).collect()
    }

    #[test]
    fn no_images_is_no_consequence_of_an_unreadable_list() {
        assert_eq!(of_index(r#"{"schemaVersion":2,"manifests":[]}"#), ["archive/no-images"]);
        let null = of_index(r#"{"schemaVersion":2,"manifests":null}"#);
        assert!(null.contains(&"archive/no-images"), "{null:?}");
        assert_eq!(of_index("x"), ["json/syntax"]);
        assert_eq!(of_index(r#"{"schemaVersion":2}"#), ["index/manifests-missing"]);
    }

    #[test]
    fn an_archive_one_folder_too_deep_is_read() {
        let index = br#"{"schemaVersion":2,"manifests":[]}"#;
        let found = |folder: &str| {
            let dir = tempfile::tempdir().expect("temporary directory");
            let inside = dir.path().join(folder);
            std::fs::create_dir_all(inside.join("blobs")).expect("directory");
            std::fs::write(inside.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#).expect("written");
            std::fs::write(inside.join("index.json"), index).expect("written");
            let archive = crate::rules::fixture::open_path(dir.path());
            let found = crate::rules::run(&archive, &Default::default(), crate::rules::Scope::All);
            names(&found).into_iter().filter(|name| name.starts_with("archive/")).collect::<Vec<_>>()
        };
        assert_eq!(found("app"), ["archive/no-images", "archive/inside-folder"]);
        assert_eq!(found(""), ["archive/no-images"]);
    }

    #[test]
    fn members_that_are_no_files() {
        let layout = Layout::new();
        layout.file("index.json/a", b"");
        let findings = layout.findings();
        assert_eq!(names(&findings), ["archive/missing-index", "archive/unknown-member"]);
        assert_eq!(findings[0].message, "`index.json` is a directory, an OCI layout must have it as a file");
        assert!(findings[0].primary.location.member.is_some());
        let layout = Layout::new();
        layout.index_json(&[]);
        assert_eq!(layout.found("archive/missing"), [""; 0]);
        let layout = Layout::new();
        layout.file("blobs/a", b"");
        let findings = layout.findings();
        assert_eq!(findings[0].message, "`index.json` is missing, which an OCI layout must have");
    }
}
