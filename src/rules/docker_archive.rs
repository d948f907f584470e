//! Rules about `manifest.json` and `repositories` of a docker-archive, and how they fit the members (formats.md A).

use std::collections::{HashMap, HashSet};

use crate::digest::Digest;
use crate::finding::{Finding, Rule, quoted, rule};
use crate::json::Value;
use crate::json::fold::is_field;
use crate::json::pointer::escape;
use crate::location::{At, Location, MemberId};
use crate::media::{Codec, LayerType};
use crate::model::view::Config;
use crate::model::{Archive, Descriptor, DocId, DocKind, Document, LegacyProblem};
use crate::reference::Reference;

/// The rules of this file.
pub const RULES: &[&Rule] = &[
    &ABSOLUTE_PATH,
    &BACKSLASH,
    &DOT_PATH,
    &PARENT_MISSING,
    &LAYER_SOURCE,
    &REPOSITORIES_DISAGREE,
    &REPOSITORIES_DIFF_ID,
    &LEGACY_DIFFERS,
    &TAG_MISSING,
];

rule! {
    /// A path from the root.
    ABSOLUTE_PATH = "docker-archive/absolute-path", Error, Soft, [26],
    checks: "`Config` and `Layers` do not begin with `/`, unless the member's own name does.",
    matters: "They are names of members. Docker looks below its temporary directory and finds them; containerd, skopeo and crane do not.",
    example: "`\"Config\": \"/0fef….json\"` for the member `0fef….json`.",
    mend: "Write the name as the tar has it.",
    remedy: Convert(&[Lower]),
    breaks: [Containerd, Skopeo, Podman, Buildah],
}
rule! {
    /// A path in the style of Windows.
    BACKSLASH = "docker-archive/backslash-path", Warning, No, [26],
    checks: "`Config` and `Layers` hold no backslash.",
    matters: "Docker on Windows wrote them before 18.05, for members with `/`. restow tries both; skopeo, crane and containerd find nothing.",
    example: "`\"Layers\": [\"2c61…08\\\\layer.tar\"]`",
    mend: "Write `/` in their place.",
    remedy: Convert(&[]),
    breaks: [Docker, Containerd, Skopeo, Podman, Buildah],
}
rule! {
    /// A path with `./`.
    DOT_PATH = "docker-archive/dot-path", Warning, No, [26],
    checks: "`Config` and `Layers` do not begin with `./`.",
    matters: "Docker, skopeo and crane clean the path; containerd looks up the exact text and finds nothing.",
    example: "`\"Layers\": [\"./layer.tar\"]`",
    mend: "Write the path without it.",
    remedy: Convert(&[]),
    breaks: [Containerd],
    optional: true,
}
rule! {
    /// A parent that is not saved.
    PARENT_MISSING = "docker-archive/parent-missing", Warning, No, [29],
    checks: "`Parent` is the ID of another image of the archive.",
    matters: "Docker writes it only then. Its classic store loads the image and drops the link, or fails to set it.",
    example: "An archive from which the item of the parent was removed.",
    mend: "Remove `Parent`: no digest covers `manifest.json`.",
}
rule! {
    /// Sources of layers that the image does not have.
    LAYER_SOURCE = "docker-archive/bad-layer-source", Warning, No, [30],
    checks: "Keys of `LayerSources` are diff IDs of the image, and their descriptors have digests, equal to the diff ID for plain layers.",
    matters: "Docker looks up foreign layers by their diff ID. No tool reads other entries; regctl writes digests of blobs as keys.",
    example: "A key that is the digest of the compressed layer.",
    mend: "Write the archive anew, without sources.",
    remedy: Convert(&[]),
}
rule! {
    /// Two lists of names.
    REPOSITORIES_DISAGREE = "docker-archive/repositories-disagree", Warning, No, [31],
    checks: "`repositories` has the tags of `manifest.json`, and its IDs are directories of the archive.",
    matters: "All current tools ignore it where there is a `manifest.json`; Docker before 1.10 reads nothing else.",
    example: "A tag that was changed in `manifest.json` alone.",
    mend: "Remove `repositories`, or write the archive anew.",
    remedy: Convert(&[]),
}
rule! {
    /// Docker's own mistake.
    REPOSITORIES_DIFF_ID = "docker-archive/repositories-diff-id", Note, No, [31],
    checks: "Whether IDs in `repositories` are those of v1 images, and not diff IDs.",
    matters: "Docker since 25 writes the diff ID of the top layer, so that no reader of v1 images finds anything. All current tools ignore it.",
    example: "What Docker 29 saves from its classic store.",
    mend: "Nothing to mend.",
}
rule! {
    /// The legacy half is another image.
    LEGACY_DIFFERS = "docker-archive/legacy-differs", Warning, No, [213],
    checks: "The v1 images that a tag in `repositories` leads to have the layers that `manifest.json` gives that tag.",
    matters: "Docker before 1.10 would load another image than everybody else. All current tools ignore the v1 images.",
    example: "A layer that was replaced in `manifest.json` alone.",
    mend: "Write the archive anew, without v1 images.",
    remedy: Convert(&[]),
}

rule! {
    /// A name without tag.
    TAG_MISSING = "name/tag-missing", Error, No, [190],
    checks: "Every name in `RepoTags` has a tag.",
    matters: "Docker's classic store refuses to load the archive (`invalid tag`); containerd, skopeo, podman and crane take `latest`.",
    example: "`\"RepoTags\": [\"busybox\"]`",
    mend: "Write the tag; most tools read `latest`.",
    remedy: Convert(&[]),
    breaks: [Docker, Containerd, Podman],
}

/// Findings about `manifest.json` and `repositories`, where both or one of them is there.
pub fn check(archive: &Archive, out: &mut Vec<Finding>) {
    let of = |kind| {
        let at = archive.documents.iter().position(|document| document.kind == kind)?;
        Some(archive.document(DocId(at as u32)))
    };
    let Some(manifest) = of(DocKind::DockerArchive) else { return };
    let documents: HashMap<MemberId, DocId> =
        archive.documents.iter().zip(0..).map(|(listed, id)| (listed.member, DocId(id))).collect();
    let configs: HashSet<&Digest> = archive
        .documents
        .iter()
        .filter(|d| matches!(d.kind, DocKind::Config(_)))
        .map(|d| &d.sha256)
        .collect();
    let items = manifest.root().map(Value::items).unwrap_or_default();
    let repositories_json = of(DocKind::Repositories);
    // By canonical name, the diff ID of the top layer.
    let mut tags: HashMap<String, Option<Digest>> = HashMap::new();
    for (i, item) in items.iter().enumerate() {
        let at = Location::pointer(manifest.member, format!("/{i}"));
        paths(archive, item, &at, out);
        let has_sources = item.get("LayerSources").is_some();
        // Nobody else here asks for texts, of which an archive may have more than are kept.
        let diff_ids = (has_sources || repositories_json.is_some())
            .then(|| item.get("Config").and_then(Value::as_str))
            .flatten()
            .and_then(|path| archive.tree.file(&crate::tar::clean(path.as_bytes()).path))
            .and_then(|member| Config::of(archive.document(*documents.get(&member)?)))
            .and_then(|config| config.diff_ids());
        if let Some(parent) = item.get("Parent").and_then(Value::as_str).filter(|p| !p.is_empty()) {
            if !Digest::parse(parent).is_ok_and(|parent| configs.contains(&parent)) {
                let message = format!("the parent image {parent} is not in the archive");
                out.push(Finding::new(&PARENT_MISSING, at.child("Parent"), message));
            }
        }
        if let Some(diff_ids) = &diff_ids {
            let known: HashSet<&Digest> = diff_ids.iter().flatten().collect();
            sources(item, &known, &at.child("LayerSources"), out);
        }
        empty_paths(item, &at, out);
        tagless(item, &at, out);
        let top = diff_ids.and_then(|ids| ids.last().cloned()).flatten();
        let names = item.get("RepoTags").map(Value::items).unwrap_or_default();
        for name in names.iter().filter_map(|name| canonical(name.as_str()?)) {
            tags.insert(name, top.clone());
        }
    }
    if let Some(document) = repositories_json {
        repositories(archive, &document, manifest.member, &tags, out);
    }
}

/// From what the reader of the archive noted.
pub fn legacy(at: &Location, problem: &LegacyProblem) -> Finding {
    let message = match problem {
        LegacyProblem::Absent(id) => {
            format!("the tag leads to the v1 image {id}, which is not in the archive")
        }
        LegacyProblem::Cycle => "the tag leads to a v1 image that descends from itself".to_owned(),
        LegacyProblem::Layers => {
            "the v1 images of the tag have other layers than `manifest.json` gives it".to_owned()
        }
    };
    Finding::new(&LEGACY_DIFFERS, at.clone(), message)
}

/// The member of an item under this name, in any letter case, with its place.
fn member<'a>(item: &'a Value, name: &str, at: &Location) -> Option<(&'a Value, Location)> {
    let found = item.field(name)?;
    Some((&found.value, at.child(escape(&found.key))))
}

/// Paths of no characters lead to no member.
fn empty_paths(item: &Value, at: &Location, out: &mut Vec<Finding>) {
    if let Some((_, at)) = member(item, "Config", at).filter(|(value, _)| value.as_str() == Some("")) {
        let message = "`Config` of the image is an empty path, which leads to no config";
        out.push(Finding::new(&super::shape::ARCHIVE_CONFIG_MISSING, at, message));
    }
    let Some((layers, at)) = member(item, "Layers", at) else { return };
    for (i, _) in layers.items().iter().enumerate().filter(|(_, layer)| layer.as_str() == Some("")) {
        let message = format!("layer {i} is not in the archive: its path is empty");
        let help = "save the image again, from the daemon that has the layer: pack leaves out what a daemon has already";
        out.push(Finding::new(&super::blob::MISSING, at.child(i), message).help(help));
    }
}

fn tagless(item: &Value, at: &Location, out: &mut Vec<Finding>) {
    let Some((tags, at)) = member(item, "RepoTags", at) else { return };
    for (i, text) in tags.items().iter().enumerate() {
        let Some(text) = text.as_str() else { continue };
        let lacks = |name: Reference| name.tag().is_none() && name.digest().is_none();
        if Reference::parse(text).is_ok_and(lacks) {
            let at = at.child(i);
            out.push(
                Finding::new(&TAG_MISSING, at.clone(), format!("the name `{text}` has no tag"))
                    .set(&at, quoted(format!("{text}:latest")))
                    .assuming("`latest` is the tag that was meant"),
            );
        }
    }
}

fn canonical(text: &str) -> Option<String> {
    Reference::parse(text).ok().map(|name| name.with_default_tag().canonical())
}

fn paths(archive: &Archive, item: &Value, at: &Location, out: &mut Vec<Finding>) {
    let mut one = |text: &str, at: Location| {
        if text.starts_with('/') {
            let member = archive.tree.get(&crate::tar::clean(text.as_bytes()).path);
            let raw = member.and_then(|id| archive.tree.member(id).raw_name());
            // An absolute name is a fault of its own.
            if raw.is_none_or(|raw| !raw.starts_with(b"/")) {
                let relative = text.trim_start_matches('/');
                let message = format!("the path `{text}` is absolute");
                let help = format!("write `{relative}`");
                out.push(Finding::new(&ABSOLUTE_PATH, at, message).help(help));
            }
        } else if text.contains('\\') {
            let message = format!("the path `{text}` has backslashes");
            let help = format!("write `{}`", text.replace('\\', "/"));
            out.push(Finding::new(&BACKSLASH, at, message).help(help));
        } else if let Some(rest) = text.strip_prefix("./") {
            let message = format!("the path `{text}` begins with `./`");
            out.push(Finding::new(&DOT_PATH, at, message).help(format!("write `{rest}`")));
        }
    };
    for member in item.members() {
        let here = at.child(escape(&member.key));
        if is_field("Config", &member.key) {
            member.value.as_str().into_iter().for_each(|text| one(text, here.clone()));
        } else if is_field("Layers", &member.key) {
            for (i, text) in member.value.items().iter().enumerate() {
                text.as_str().into_iter().for_each(|text| one(text, here.child(i)));
            }
        }
    }
}

fn sources(item: &Value, diff_ids: &HashSet<&Digest>, at: &Location, out: &mut Vec<Finding>) {
    let Some(sources) = item.get("LayerSources") else { return };
    for source in sources.members() {
        let here = at.child(escape(&source.key));
        let key = match &here.at {
            At::Pointer(pointer) => Location { member: here.member, at: At::Key(pointer.clone()) },
            _ => here.clone(),
        };
        let descriptor = Descriptor::of(&source.value, here.clone());
        let wanted = Digest::parse(&source.key);
        match (&wanted, &descriptor.digest) {
            (Ok(wanted), _) if !diff_ids.contains(wanted) => {
                let message = format!("the key {wanted} is no diff ID of the image");
                out.push(Finding::new(&LAYER_SOURCE, key, message));
            }
            (Err(error), _) => {
                let message = format!("the key `{}` is not a digest: {error}", source.key);
                out.push(Finding::new(&LAYER_SOURCE, key, message));
            }
            (Ok(_), Some(Err(bad))) => {
                let (text, error) = &**bad;
                let message = format!("`{text}` is not a digest: {error}");
                out.push(Finding::new(&LAYER_SOURCE, here.child("digest"), message));
            }
            (Ok(wanted), Some(Ok(found))) => {
                let layer = LayerType::of(descriptor.type_or_empty());
                if layer.is_some_and(|layer| layer.codec == Codec::Plain) && found != wanted {
                    let message = "the digest of a plain layer is its diff ID, found another one";
                    out.push(
                        Finding::new(&LAYER_SOURCE, here.child("digest"), message)
                            .label(format!("expected {wanted}")),
                    );
                }
            }
            (Ok(_), None) => {}
        }
    }
}

fn repositories(
    archive: &Archive,
    document: &Document,
    manifest: MemberId,
    tags: &HashMap<String, Option<Digest>>,
    out: &mut Vec<Finding>,
) {
    let mut listed = HashSet::new();
    let base = Location::pointer(document.member, "");
    for repository in document.root().map(Value::members).unwrap_or_default() {
        for tag in repository.value.members() {
            let at = base.child(escape(&repository.key)).child(escape(&tag.key));
            let text = format!("{}:{}", repository.key, tag.key);
            let Some(name) = canonical(&text) else { continue };
            let known = tags.get(&name);
            if known.is_none() {
                let message = format!("`{text}` is in `repositories`, but not in `manifest.json`");
                out.push(Finding::new(&REPOSITORIES_DISAGREE, at.clone(), message));
            }
            listed.insert(name);
            let Some(id) = tag.value.as_str().filter(|id| !archive.tree.has_below(&format!("{id}/"))) else {
                continue;
            };
            let top = known.and_then(Option::as_ref);
            if top.is_some_and(|top| top.encoded() == id) {
                let message = format!("the ID of `{text}` is a diff ID, a v1 image was expected");
                out.push(Finding::new(&REPOSITORIES_DIFF_ID, at, message));
            } else {
                let message = format!("the archive has no directory of the v1 image `{id}`");
                out.push(Finding::new(&REPOSITORIES_DISAGREE, at, message));
            }
        }
    }
    // An image without layers is no v1 image, and podman, which saves such, writes none for it.
    let has_one = |(name, top): &(&String, &Option<Digest>)| top.is_some() && !listed.contains(*name);
    let mut missing: Vec<&String> = tags.iter().filter(has_one).map(|(name, _)| name).collect();
    missing.sort();
    for name in missing {
        let shown = Reference::parse(name).map_or_else(|_| name.clone(), |name| name.familiar());
        let message = format!("`{shown}` is in `manifest.json`, but not in `repositories`");
        let finding = Finding::new(&REPOSITORIES_DISAGREE, base.clone(), message);
        out.push(finding.related(Location::member(manifest), ""));
    }
}

#[cfg(test)]
mod tests {
    use crate::digest::Digest;
    use crate::rules::fixture::{Tar, config, judged};

    const ID: &str = "1974559469fa9ea06fc780fa2d455acaaa298b56e3144330d3c371e06a312c69";
    const BASE: &str = "fd6fa057ba57e3ec3c5b79d03eee0bfcc98fab9b0652ee58ef90aa3bb9d20eb1";

    fn layer() -> String {
        Digest::sha256(&[0; 1024]).to_string()
    }

    /// `c.json` and `d/l.tar`.
    fn members() -> Tar {
        Tar::default().file("c.json", config(&[&layer()]).as_bytes()).file("d/l.tar", &[0; 1024])
    }

    /// What is found of an archive whose item has these members besides.
    fn found(config: &str, layer: &str, more: &str, tar: Tar) -> Vec<&'static str> {
        let manifest = format!(r#"[{{"Config":"{config}","RepoTags":["a:1"],"Layers":["{layer}"]{more}}}]"#);
        judged(&tar.file("manifest.json", manifest.as_bytes()).end(), &["docker-archive/", "blob/missing"])
    }

    #[test]
    fn paths_of_members() {
        let of = |config: &str, layer: &str| found(config, layer, "", members());
        assert_eq!(of("c.json", "d/l.tar"), [""; 0]);
        assert_eq!(of("/c.json", "d/l.tar"), ["docker-archive/absolute-path"]);
        assert_eq!(of("c.json", "d\\\\l.tar"), ["docker-archive/backslash-path"]);
        assert_eq!(of("./c.json", "./d/l.tar"), ["docker-archive/dot-path"; 2]);
        let absolute = members().file("/l.tar", &[0; 1024]);
        assert_eq!(found("c.json", "/l.tar", "", absolute), [""; 0]);
    }

    #[test]
    fn paths_of_no_characters() {
        let of = |config: &str, layer: &str| found(config, layer, "", members());
        assert_eq!(of("", "d/l.tar"), ["docker-archive/config-missing"]);
        assert_eq!(of("c.json", ""), ["blob/missing"]);
    }

    #[test]
    fn names_without_tag() {
        let of = |name: &str| {
            let text = format!(r#"[{{"Config":"c.json","RepoTags":["{name}"],"Layers":["d/l.tar"]}}]"#);
            judged(&members().file("manifest.json", text.as_bytes()).end(), &["name/"])
        };
        assert_eq!(of("a:1"), [""; 0]);
        assert_eq!(of("localhost:5000/a"), ["name/tag-missing"]);
        assert_eq!(of("A"), ["name/bad-reference"]);
    }

    #[test]
    fn parents() {
        let of = |parent: &str| found("c.json", "d/l.tar", &format!(r#","Parent":"{parent}""#), members());
        assert_eq!(of(&Digest::sha256(config(&[&layer()]).as_bytes()).to_string()), [""; 0]);
        assert_eq!(of(""), [""; 0]);
        assert_eq!(of(&layer()), ["docker-archive/parent-missing"]);
    }

    #[test]
    fn sources_of_layers() {
        let of = |key: &str, digest: &str, media_type: &str| {
            let source = format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":1024}}"#);
            found("c.json", "d/l.tar", &format!(r#","LayerSources":{{"{key}":{source}}}"#), members())
        };
        let (plain, gzip) = (crate::media::OCI_LAYER, crate::media::OCI_LAYER_GZIP);
        let other = Digest::sha256(b"other").to_string();
        assert_eq!(of(&layer(), &layer(), plain), [""; 0]);
        assert_eq!(of(&layer(), &other, gzip), [""; 0]);
        assert_eq!(of(&layer(), &other, plain), ["docker-archive/bad-layer-source"]);
        assert_eq!(of(&other, &layer(), plain), ["docker-archive/bad-layer-source"]);
        assert_eq!(of("x", &layer(), plain), ["docker-archive/bad-layer-source"]);
        assert_eq!(of(&layer(), "x", plain), ["docker-archive/bad-layer-source"]);
    }

    #[test]
    fn names_in_repositories() {
        let of = |repositories: &str| {
            let tar = members().file(&format!("{ID}/json"), format!(r#"{{"id":"{ID}"}}"#).as_bytes());
            let tar = tar.entry(&format!("{ID}/layer.tar"), b'2', "../d/l.tar", b"");
            found("c.json", "d/l.tar", "", tar.file("repositories", repositories.as_bytes()))
        };
        assert_eq!(of(&format!(r#"{{"a":{{"1":"{ID}"}}}}"#)), [""; 0]);
        assert_eq!(of("{}"), ["docker-archive/repositories-disagree"]);
        assert_eq!(
            of(&format!(r#"{{"a":{{"1":"{ID}","2":"{ID}"}}}}"#)),
            ["docker-archive/repositories-disagree"]
        );
        assert_eq!(of(&format!(r#"{{"a":{{"1":"{BASE}"}}}}"#)), ["docker-archive/repositories-disagree"]);
        let none = Tar::default().file("c.json", config(&[]).as_bytes()).file("repositories", b"{}");
        let none = none.file("manifest.json", br#"[{"Config":"c.json","RepoTags":["a:1"],"Layers":[]}]"#);
        assert_eq!(judged(&none.end(), &["docker-archive/repositories"]), [""; 0], "an image without layers");
        let top = layer().replace("sha256:", "");
        assert_eq!(of(&format!(r#"{{"a":{{"1":"{top}"}}}}"#)), ["docker-archive/repositories-diff-id"]);
    }

    #[test]
    fn v1_images_beside_manifest_json() {
        let of = |parent: &str, base: &str, layer: &str| {
            let top = format!(r#"{{"id":"{ID}"{parent}}}"#);
            let tar = members().file(&format!("{ID}/json"), top.as_bytes());
            let tar =
                tar.file(&format!("{base}/json"), format!(r#"{{"id":"{base}","parent":"{ID}"}}"#).as_bytes());
            let tar = tar.entry(&format!("{ID}/layer.tar"), b'2', layer, b"").file("other.tar", &[0; 512]);
            let tar = tar.entry(&format!("{BASE}/layer.tar"), b'2', "../other.tar", b"");
            let repositories = format!(r#"{{"a":{{"1":"{ID}"}}}}"#);
            found("c.json", "d/l.tar", "", tar.file("repositories", repositories.as_bytes()))
        };
        assert_eq!(of("", BASE, "../d/l.tar"), [""; 0]);
        for (parent, base, layer) in [
            ("", BASE, "../other.tar"),
            (&format!(r#","parent":"{BASE}""#)[..], "x", "../d/l.tar"),
            (&format!(r#","parent":"{ID}""#)[..], BASE, "../d/l.tar"),
            (&format!(r#","parent":"{BASE}""#)[..], BASE, "../d/l.tar"),
        ] {
            assert_eq!(of(parent, base, layer), ["docker-archive/legacy-differs"], "{parent} {base} {layer}");
        }
    }

    /// A dual archive of one image, with this in place of the two lists of names.
    fn dual(index: &str, tags: &str) -> Vec<&'static str> {
        let config = config(&[&layer()]);
        let digest = |bytes: &[u8]| Digest::sha256(bytes).encoded().to_owned();
        let (c, l) = (digest(config.as_bytes()), digest(&[0; 1024]));
        let image = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"{}","digest":"sha256:{c}","size":{}}},"layers":[{{"mediaType":"{}","digest":"sha256:{l}","size":1024}}]}}"#,
            crate::media::OCI_MANIFEST,
            crate::media::OCI_CONFIG,
            config.len(),
            crate::media::OCI_LAYER
        );
        let m = digest(image.as_bytes());
        let name = format!(
            r#"{{"io.containerd.image.name":"docker.io/library/{index}","org.opencontainers.image.ref.name":"1"}}"#
        );
        let index = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"sha256:{m}","size":{},"annotations":{name}}}]}}"#,
            crate::media::OCI_INDEX,
            crate::media::OCI_MANIFEST,
            image.len()
        );
        let manifest = if tags.is_empty() {
            r#"[{"Config":"c.json","RepoTags":["b:1"],"Layers":["d/l.tar"]}]"#.to_owned()
        } else {
            format!(r#"[{{"Config":"blobs/sha256/{c}","RepoTags":[{tags}],"Layers":["blobs/sha256/{l}"]}}]"#)
        };
        let tar = members().file("c.json", b"x");
        let tar = if tags.is_empty() {
            // Another image: only its config differs.
            let other = config.replacen('{', r#"{"author":"x","#, 1);
            Tar::default().file("c.json", other.as_bytes()).file("d/l.tar", &[0; 1024])
        } else {
            drop(tar);
            Tar::default()
        };
        let blob = |tar: Tar, hex: &str, bytes: &[u8]| tar.file(&format!("blobs/sha256/{hex}"), bytes);
        let tar = blob(blob(blob(tar, &c, config.as_bytes()), &l, &[0; 1024]), &m, image.as_bytes());
        let tar = tar.file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
        let tar = tar.file("index.json", index.as_bytes()).file("manifest.json", manifest.as_bytes());
        judged(&tar.end(), &["archive/half", "archive/halves"])
    }

    #[test]
    fn halves_that_lack_something() {
        assert_eq!(dual("a:1", r#""a:1""#), [""; 0]);
        // Each half lacks a name of the other.
        assert_eq!(dual("a:1", r#""b:1""#), ["archive/half-incomplete"; 2]);
        assert_eq!(dual("a:1", r#""a:1","b:1""#), ["archive/half-incomplete"]);
        // Each half lacks an image of the other.
        assert_eq!(dual("a:1", ""), ["archive/halves-disagree"; 2]);
    }
}
