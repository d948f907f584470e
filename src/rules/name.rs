//! Rules about the names of images in `index.json`, and about images that have none.

use std::collections::{HashMap, HashSet};

use crate::finding::{Finding, Rule, quoted, rule};
use crate::json::Value;
use crate::location::{At, Location, MemberId};
use crate::media::{IMAGE_NAME, REF_NAME};
use crate::model::Form;
use crate::model::view::annotation;
use crate::model::{Archive, DocId, Name, NodeId, Role, Root, Via};
use crate::reference::{Reference, is_ref_name, is_tag};

/// The rules of this file.
pub const RULES: &[&Rule] =
    &[&UNNAMED, &ODD_REF_NAME, &AMBIGUOUS, &REPEATED, &SHARED_TAG, &ANNOTATIONS_DISAGREE, &BARE_TAG];

rule! {
    /// An image without name.
    UNNAMED = "name/unnamed", Note, No, [193],
    checks: "Whether every image of a docker-archive or layout has a name.",
    matters: "It is legal. `docker load` shows such an image as `<none>`, and it can be used by its ID only.",
    example: "`docker save 0fef9c035493`: `\"RepoTags\": null`.",
    mend: "Give it a name.",
    remedy: Convert(&[Tag]),
    breaks: [Containerd, Umoci],
}
rule! {
    /// A name that is against the grammar.
    ODD_REF_NAME = "name/odd-ref-name", Warning, No, [194],
    checks: "`org.opencontainers.image.ref.name` obeys the grammar of image-spec.",
    matters: "image-spec annotations: it should match. All tools take the text as it is; some legal tags do not match, such as those that end with `-`.",
    example: "`\"org.opencontainers.image.ref.name\": \"my image\"`",
    mend: "Give the image another name.",
    remedy: Convert(&[Tag]),
    breaks: [Podman, Buildah, Umoci],
}
rule! {
    /// One name, two images.
    AMBIGUOUS = "name/ambiguous-ref-name", Error, Soft, [195],
    checks: "No two items of `index.json` with different digests have one `org.opencontainers.image.ref.name`, unless `io.containerd.image.name` tells them apart.",
    matters: "umoci refuses the name as ambiguous, skopeo takes the first item, containerd the last.",
    example: "Two builds pushed into one layout as `latest`.",
    mend: "Remove the item that is not meant, or keep one of the images.",
    remedy: Convert(&[Image]),
    breaks: [Umoci],
}
rule! {
    /// One name, one image, twice.
    REPEATED = "name/repeated", Warning, No, [101, 195],
    checks: "No name stands twice in `index.json` for one digest.",
    matters: "It says nothing new, and umoci refuses the name as ambiguous.",
    example: "Two items with one digest and `ref.name` `1`.",
    mend: "Remove one of them.",
    breaks: [Umoci],
}
rule! {
    /// One tag of two repositories.
    SHARED_TAG = "name/shared-tag", Note, No, [195],
    checks: "Whether items of `index.json` with different `io.containerd.image.name` share their `ref.name`.",
    matters: "Docker's save of `a:latest b:latest` is so, and its loaders go by the full name. By the tag alone umoci refuses, and skopeo takes the first.",
    example: "`docker save a:latest b:latest`",
    mend: "Nothing to mend.",
    breaks: [Umoci],
}
rule! {
    /// Two names of one item that do not fit.
    ANNOTATIONS_DISAGREE = "name/annotations-disagree", Warning, No, [197],
    checks: "`ref.name` of an item is the tag of its `io.containerd.image.name`, or the same full name.",
    matters: "containerd and Docker go by `io.containerd.image.name`, skopeo and umoci by `ref.name`: they give the image different names.",
    example: "`io.containerd.image.name` `docker.io/lab/app:1` with `ref.name` `2`.",
    mend: "Write the tag of the full name as `ref.name`, or give the image a name.",
    remedy: Convert(&[Tag]),
}
rule! {
    /// A tag without repository.
    BARE_TAG = "name/bare-tag", Note, No, [198],
    checks: "Whether an item of `index.json` has only a tag as its name.",
    matters: "Docker 29 and podman take the tag for a repository and make `v1:latest` of `v1`; `ctr` needs --base-name.",
    example: "`ref.name` `v1` without `io.containerd.image.name`, as skopeo and umoci write it.",
    mend: "Give it a full name.",
    remedy: Convert(&[Tag]),
    optional: true,
}

/// One item of `index.json` with its names.
struct Item<'a> {
    at: Location,
    digest: Option<&'a str>,
    short: &'a str,
    full: Option<String>,
}

/// Findings about the names of a layout's `index.json`.
pub fn layout(archive: &Archive, out: &mut Vec<Finding>) {
    let Some(document) = archive.index_json.map(|id| archive.document(id)) else { return };
    let list = document.root().and_then(|root| root.get("manifests")).map(Value::items).unwrap_or_default();
    let base = Location::pointer(document.member, "/manifests");
    let mut items = Vec::new();
    for (i, value) in list.iter().enumerate().filter(|(_, value)| value.is_object()) {
        let named = |key: &str| annotation(value, key).filter(|text| !text.is_empty());
        let full = named(IMAGE_NAME).map(|text| {
            Reference::parse(text)
                .map_or_else(|_| text.to_owned(), |name| name.with_default_tag().canonical())
        });
        let Some(short) = named(REF_NAME) else { continue };
        let at = base.child(i);
        let here = at.child("annotations").child(REF_NAME);
        if !is_ref_name(short) {
            let message = format!("`{short}` is against the grammar of `ref.name`");
            out.push(Finding::new(&ODD_REF_NAME, here.clone(), message));
        }
        match named(IMAGE_NAME).map(Reference::parse) {
            Some(Ok(full)) if !fits(&full, short) => {
                let shown = full.familiar();
                let message = format!("`ref.name` is `{short}`, the full name is `{shown}`");
                let finding = Finding::new(&ANNOTATIONS_DISAGREE, here.clone(), message)
                    .related(at.child("annotations").child(IMAGE_NAME), "the full name");
                out.push(match full.tag() {
                    Some(tag) => finding.set(&here, quoted(tag)).assuming("the full name is right"),
                    None => finding,
                });
            }
            None if is_tag(short) => {
                let message = format!("the name is the tag `{short}` alone, without a repository");
                out.push(Finding::new(&BARE_TAG, here, message));
            }
            _ => {}
        }
        let digest = value.get("digest").and_then(Value::as_str);
        items.push(Item { at, digest, short, full });
    }
    shared(&items, out);
}

/// Whether `ref.name` is the tag of the full name, or the same name.
fn fits(full: &Reference, short: &str) -> bool {
    let full = full.clone().with_default_tag();
    full.tag() == Some(short)
        || Reference::parse(short).is_ok_and(|same| same.with_default_tag().canonical() == full.canonical())
}

/// Items that share a `ref.name`.
fn shared(items: &[Item<'_>], out: &mut Vec<Finding>) {
    // By short name: the first item, and the first of each full name or of none.
    let mut seen: HashMap<&str, (usize, HashMap<Option<&str>, usize>)> = HashMap::new();
    for (i, item) in items.iter().enumerate() {
        let full = item.full.as_deref();
        let (first, by_full) = seen.entry(item.short).or_insert_with(|| (i, HashMap::new()));
        let alike = match full {
            Some(_) => [by_full.get(&full), by_full.get(&None)].into_iter().flatten().min().copied(),
            None => Some(*first),
        };
        let other = alike.unwrap_or(*first);
        by_full.entry(full).or_insert(i);
        if other == i {
            continue;
        }
        let here = item.at.child("annotations").child(REF_NAME);
        let short = item.short;
        let (rule, message) = if alike.is_none() {
            (&SHARED_TAG, format!("images of different names share the tag `{short}`"))
        } else if items[other].digest == item.digest {
            (&REPEATED, format!("`{short}` stands twice for one image"))
        } else {
            (&AMBIGUOUS, format!("`{short}` is the name of two images"))
        };
        let there = items[other].at.child("annotations").child(REF_NAME);
        let finding = Finding::new(rule, here, message).related(there, "first here");
        out.push(match std::ptr::eq(rule, &raw const REPEATED) {
            true => finding.remove(&item.at).help("remove one of the two"),
            false => finding,
        });
    }
}

/// Findings about images that have no name at all.
pub fn unnamed(archive: &Archive, out: &mut Vec<Finding>) {
    if !matches!(archive.form, Form::DockerArchive | Form::Oci) {
        return;
    }
    let named: HashSet<NodeId> =
        archive.roots.iter().filter(|root| root.name != Name::None).map(|root| root.node).collect();
    let documents: HashMap<MemberId, DocId> =
        archive.documents.iter().zip(0..).map(|(listed, id)| (listed.member, DocId(id))).collect();
    let images =
        archive.reaching(|id| archive.node(id).parts().is_some_and(|parts| parts.role == Role::Image));
    for root in &archive.roots {
        let silent = named.contains(&root.node) || has_text(archive, &documents, root);
        let listed = root.via == Via::List;
        if root.name == Name::None
            && listed
            && !silent
            && images.contains(&root.node)
            && !about_another(archive, root)
        {
            out.push(Finding::new(&UNNAMED, root.at.clone(), "the image has no name"));
        }
    }
}

/// Whether something stands where a name should be: what is wrong with it is said.
fn has_text(archive: &Archive, documents: &HashMap<MemberId, DocId>, root: &Root) -> bool {
    let (At::Pointer(pointer), Some(member)) = (&root.at.at, root.at.member) else { return false };
    let Some(document) = documents.get(&member).map(|&id| archive.document(id)) else { return false };
    let Some(value) = document.root().and_then(|root| root.at(pointer)) else { return false };
    value
        .get("RepoTags")
        .is_some_and(|tags| !tags.is_null() && (!tags.is_array() || !tags.items().is_empty()))
        || [IMAGE_NAME, REF_NAME]
            .iter()
            .any(|key| annotation(value, key).is_some_and(|text| !text.is_empty()))
}

/// Whether a root has a `subject`: such need no name.
fn about_another(archive: &Archive, root: &Root) -> bool {
    let document = archive.node_document(root.node);
    let subject = document.as_ref().and_then(|document| document.root()?.get("subject"));
    subject.is_some_and(Value::is_object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media;
    use crate::rules::fixture::{Layout, Tar, config, judged};

    /// An image, different for each name; its descriptor with these annotations.
    fn image(layout: &Layout, name: &str, short: Option<&str>, full: Option<&str>) -> String {
        let config = config(&[]).replacen('{', &format!(r#"{{"author":"{name}","#), 1);
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[]}}"#,
            media::OCI_MANIFEST,
            layout.descriptor(media::OCI_CONFIG, config.as_bytes())
        );
        let pair = |key: &str, text: Option<&str>| text.map(|text| format!(r#""{key}":"{text}""#));
        let list: Vec<String> =
            [pair(REF_NAME, short), pair(IMAGE_NAME, full)].into_iter().flatten().collect();
        let open = layout.open_descriptor(media::OCI_MANIFEST, text.as_bytes());
        format!(r#"{open},"annotations":{{{}}}}}"#, list.join(","))
    }

    /// What is found of images, each with its name, `ref.name` and full name.
    fn found(images: &[(&str, Option<&str>, Option<&str>)]) -> Vec<&'static str> {
        let layout = Layout::new();
        let list: Vec<String> =
            images.iter().map(|(name, short, full)| image(&layout, name, *short, *full)).collect();
        layout.index_json(&list);
        layout.found("name/")
    }

    #[test]
    fn one_image() {
        for (short, full, expected) in [
            (None, None, &["name/unnamed"][..]),
            (Some("1"), None, &["name/bare-tag"]),
            (Some("lab/app:1"), None, &[]),
            (Some("my image"), None, &["name/odd-ref-name"]),
            (Some("1-"), Some("lab/app:1-"), &["name/odd-ref-name"]),
            (Some("1"), Some("docker.io/lab/app:1"), &[]),
            (Some("lab/app:1"), Some("docker.io/lab/app:1"), &[]),
            (Some("latest"), Some("lab/app"), &[]),
            (Some("2"), Some("docker.io/lab/app:1"), &["name/annotations-disagree"]),
            (None, Some("lab/app:1"), &[]),
        ] {
            assert_eq!(found(&[("a", short, full)]), expected, "{short:?} {full:?}");
        }
    }

    #[test]
    fn two_images_of_one_tag() {
        let of = |a: (&str, Option<&str>), b: (&str, Option<&str>)| {
            let mut found = found(&[(a.0, Some("1"), a.1), (b.0, Some("1"), b.1)]);
            found.retain(|name| *name != "name/bare-tag");
            found
        };
        assert_eq!(of(("a", None), ("b", None)), ["name/ambiguous-ref-name"]);
        assert_eq!(of(("a", Some("x:1")), ("b", None)), ["name/ambiguous-ref-name"]);
        assert_eq!(of(("a", Some("x:1")), ("b", Some("docker.io/library/x:1"))), ["name/ambiguous-ref-name"]);
        assert_eq!(of(("a", None), ("a", None)), ["name/repeated"]);
        assert_eq!(of(("a", Some("x:1")), ("b", Some("y:1"))), ["name/shared-tag"]);
    }

    #[test]
    fn a_docker_archive_without_names() {
        let tar = |tags: &str| {
            let manifest = format!(r#"[{{"Config":"c.json","RepoTags":{tags},"Layers":[]}}]"#);
            let tar = Tar::default().file("c.json", config(&[]).as_bytes());
            tar.file("manifest.json", manifest.as_bytes()).end()
        };
        assert_eq!(judged(&tar("null"), &["name/"]), ["name/unnamed"]);
        assert_eq!(judged(&tar(r#"["a:1"]"#), &["name/"]), [""; 0]);
        // Why it has none is said.
        assert_eq!(judged(&tar(r#"["A:1"]"#), &["name/"]), ["name/bad-reference"]);
    }
}
