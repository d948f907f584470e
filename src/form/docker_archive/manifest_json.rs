//! The `manifest.json` of a docker-archive (formats.md A.0). Pure: the output's graph in, bytes out.
//!
//! One item per image or index: `manifest.json` knows no platforms, and two items with one tag would load as
//! whichever comes last.

use std::collections::{BTreeSet, HashMap};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::form::oci_layout::blob_path;
use crate::form::sink::{OutBlob, OutBody, OutDocument, OutImage, OutName, Output};
use crate::json::write::{Array, Object};
use crate::platform::Platform;
use crate::reference::Reference;

/// What most machines that load a docker-archive run on.
const PREFERRED: (&str, &str) = ("linux", "amd64");

/// One image that `manifest.json` names.
#[derive(Debug)]
pub struct Item<'a> {
    /// Its manifest.
    pub document: &'a OutDocument,
    /// Its config.
    pub config: &'a OutBlob,
    /// Its layers, base first.
    pub layers: &'a [OutBlob],
    /// Config bytes, diff IDs, platform.
    pub image: &'a OutImage,
    /// Familiar names with tag, in the order of the roots, each once.
    pub repo_tags: Vec<String>,
}

/// The bytes of `manifest.json` of a universal docker-archive, whose blobs lie at `blobs/<algorithm>/<encoded>`.
///
/// # Errors
/// As [`items`].
pub fn manifest_json(output: &Output, platform: Option<&Platform>) -> Result<Vec<u8>> {
    let items = items(output, platform)?;
    let paths = items.iter().map(|item| Paths {
        config: blob_path(&item.config.digest),
        layers: item.layers.iter().map(|layer| blob_path(&layer.digest)).collect(),
    });
    Ok(render(&items, &paths.collect::<Vec<_>>()))
}

/// Where the members of one item are.
pub(in crate::form) struct Paths {
    pub(in crate::form) config: String,
    pub(in crate::form) layers: Vec<String>,
}

/// The items as JSON, each with its paths.
pub(in crate::form) fn render(items: &[Item<'_>], paths: &[Paths]) -> Vec<u8> {
    let strings =
        |texts: &[String]| texts.iter().fold(Array::new(), |array, text| array.string(text)).finish();
    let mut array = Array::new();
    for (item, Paths { config, layers }) in items.iter().zip(paths) {
        let tags: Vec<String> = item.repo_tags.iter().map(|tag| whole(tag)).collect();
        let tags = if tags.is_empty() { "null".to_owned() } else { strings(&tags) };
        let object = Object::new().string("Config", config).raw("RepoTags", &tags);
        array = array.raw(&object.raw("Layers", &strings(layers)).finish());
    }
    array.finish().into_bytes()
}

/// The images that `manifest.json` names, in the order of the roots that lead to them.
///
/// Of an index that is its only image, else the one for `platform`, else linux/amd64, else the first. Roots that lead
/// to one image share an item. Artifacts, attestations and children whose config is absent have none.
///
/// # Errors
/// [`Error::Refused`] if nothing can be named, if an index has no image for `platform`, if an image lacks a layer, and
/// if one tag would belong to two images.
pub fn items<'a>(output: &'a Output, platform: Option<&Platform>) -> Result<Vec<Item<'a>>> {
    let documents: HashMap<&Digest, &OutDocument> = output.documents.iter().map(|d| (&d.digest, d)).collect();
    let mut items: Vec<Item<'a>> = Vec::new();
    let mut places: HashMap<&Digest, usize> = HashMap::new();
    let mut tags: HashMap<String, &Digest> = HashMap::new();
    for root in &output.roots {
        let mut images = Vec::new();
        collect(&documents, &root.target, &mut BTreeSet::new(), &mut images);
        // Of platforms that were not pulled there may be a config.
        let whole = |item: &Item<'_>| item.layers.iter().all(|layer| layer.present);
        if images.iter().any(whole) {
            images.retain(whole);
        }
        let Some(chosen) = choose(images, platform, &root.target)? else { continue };
        let digest = &chosen.document.digest;
        let at = match places.get(digest) {
            Some(&at) => at,
            None => {
                check_layers(&chosen)?;
                places.insert(digest, items.len());
                items.push(chosen);
                items.len() - 1
            }
        };
        let Some(tag) = repo_tag(&root.name) else { continue };
        match tags.insert(tag.clone(), digest) {
            None => items[at].repo_tags.push(tag),
            Some(holder) if holder == digest => {}
            Some(_) => {
                let message = format!("{tag} would name two images of one docker-archive");
                return Err(Error::refused_help(message, "select one with --image, or use oci-archive:"));
            }
        }
    }
    if items.is_empty() {
        let message = "a docker-archive holds images that can be run, and there is none";
        return Err(Error::refused_help(message, "use oci-archive:"));
    }
    Ok(items)
}

/// The images below `digest` in order; each document once, so that no graph makes this long.
fn collect<'a>(
    documents: &HashMap<&Digest, &'a OutDocument>,
    digest: &'a Digest,
    seen: &mut BTreeSet<&'a Digest>,
    images: &mut Vec<Item<'a>>,
) {
    // A stack instead of recursion: nothing here limits the depth.
    let mut open = vec![digest];
    while let Some(digest) = open.pop() {
        let Some(&document) = documents.get(digest).filter(|_| seen.insert(digest)) else { continue };
        match &document.body {
            OutBody::Index { children } => open.extend(children.iter().rev()),
            OutBody::Manifest { config, layers, image: Some(image) } if config.present => {
                images.push(Item { document, config, layers, image, repo_tags: Vec::new() });
            }
            OutBody::Manifest { .. } | OutBody::Opaque { .. } => {}
        }
    }
}

/// The image that stands for all of them; `None` if there is no image at all.
///
/// # Errors
///
/// Of several, none is of the wanted platform.
fn choose<'a>(
    mut images: Vec<Item<'a>>,
    platform: Option<&Platform>,
    root: &Digest,
) -> Result<Option<Item<'a>>> {
    if images.len() < 2 {
        return Ok(images.pop());
    }
    let position = match platform {
        Some(wanted) => {
            let found = images.iter().position(|item| item.image.platform.matches(wanted));
            found.ok_or_else(|| no_platform(root, wanted))?
        }
        None => {
            let (os, architecture) = PREFERRED;
            let preferred =
                Platform { os: os.into(), architecture: architecture.into(), ..Platform::default() };
            images.iter().position(|item| item.image.platform.matches(&preferred)).unwrap_or(0)
        }
    };
    Ok(Some(images.swap_remove(position)))
}

fn no_platform(root: &Digest, platform: &Platform) -> Error {
    Error::refused_help(
        format!("the index {root} has no image for {platform}"),
        "choose another with --docker-platform",
    )
}

fn check_layers(item: &Item<'_>) -> Result<()> {
    let Some(layer) = item.layers.iter().find(|layer| !layer.present) else { return Ok(()) };
    let message = format!(
        "layer {} of image {} is absent, and a docker-archive needs it",
        layer.digest, item.config.digest
    );
    Err(Error::refused_help(message, "use oci-archive:, which can hold the descriptor alone"))
}

/// The name as people know it, of those that `RepoTags` holds: bare tags and names by digest alone are not written there.
fn repo_tag(name: &OutName) -> Option<String> {
    let full = match name {
        OutName::Full(full) => full,
        OutName::Exact { full, .. } => full.as_ref()?,
        OutName::None | OutName::BareTag(_) => return None,
    };
    let text = format!("{}:{}", full.repository(), full.tag()?);
    Reference::parse(&text).ok().map(|reference| reference.familiar())
}

/// The name as `RepoTags` holds it: in full, since podman takes a short one for one of its own host.
fn whole(familiar: &str) -> String {
    let full = Reference::parse(familiar).ok();
    let full = full.and_then(|full| Some(format!("{}:{}", full.repository(), full.tag()?)));
    full.unwrap_or_else(|| familiar.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::write::testing::{image, out_document, output, root};
    use crate::media;

    fn text(output: &Output, platform: Option<&str>) -> Result<String> {
        let platform = platform.map(|p| Platform::parse(p).expect("a platform"));
        manifest_json(output, platform.as_ref()).map(|bytes| String::from_utf8(bytes).expect("text"))
    }

    fn refusal(output: &Output, platform: Option<&str>) -> String {
        text(output, platform).expect_err("refused").to_string()
    }

    /// An index `i` over images for the given platforms, whose configs are the platforms' names.
    fn index(platforms: &[&str], roots: &[&str]) -> Output {
        let mut documents: Vec<OutDocument> =
            platforms.iter().map(|p| image(&format!("m {p}"), p, &[b"l"], p)).collect();
        let children = documents.iter().map(|d| d.digest.clone()).collect();
        documents.push(out_document("i", media::OCI_INDEX, OutBody::Index { children }));
        let target = Digest::sha256(b"i");
        Output {
            documents,
            roots: roots.iter().map(|name| root(&target, name)).collect(),
            index_json: None,
            replaces: None,
        }
    }

    fn chosen(platforms: &[&str], wanted: Option<&str>) -> String {
        let output = index(platforms, &["x:1"]);
        let wanted = wanted.map(|p| Platform::parse(p).expect("a platform"));
        let items = items(&output, wanted.as_ref()).expect("items");
        assert_eq!(items.len(), 1);
        String::from_utf8(items[0].image.config.to_vec()).expect("text")
    }

    #[test]
    fn the_minimal_image() {
        let expected = concat!(
            r#"[{"Config":"blobs/sha256/7e866a286603fe0ee7018ed3db2a977251ff812cb5cc240b59af0d4b9e1a1b18","#,
            r#""RepoTags":["docker.io/lab/app:1"],"Layers":["#,
            r#""blobs/sha256/a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4"]}]"#
        );
        assert_eq!(text(&output("docker.io/lab/app:1"), None).expect("written"), expected);
        // A platform is a choice among several, not a demand on the only one.
        assert_eq!(text(&output("lab/app:1"), Some("windows/amd64")).expect("written"), expected);
        assert!(text(&output(""), None).expect("written").contains(r#""RepoTags":null,"#));
        let by_digest = format!("app@{}", Digest::sha256(b""));
        assert!(text(&output(&by_digest), None).expect("written").contains(r#""RepoTags":null,"#));
        let both = format!("app:2@{}", Digest::sha256(b""));
        assert!(
            text(&output(&both), None)
                .expect("written")
                .contains(r#""RepoTags":["docker.io/library/app:2"],"#)
        );
    }

    #[test]
    fn an_image_without_layers_has_an_empty_list() {
        let mut output = output("a:1");
        output.documents = vec![image("m", "c", &[], "linux/amd64")];
        output.roots[0].target = output.documents[0].digest.clone();
        assert!(text(&output, None).expect("written").ends_with(r#""Layers":[]}]"#));
    }

    #[test]
    fn one_image_of_an_index_is_chosen() {
        assert_eq!(chosen(&["linux/arm64", "linux/amd64"], None), "linux/amd64");
        assert_eq!(chosen(&["linux/arm64", "linux/amd64"], Some("linux/arm64/v8")), "linux/arm64");
        assert_eq!(chosen(&["linux/s390x", "linux/amd64/v3"], None), "linux/s390x");
        assert_eq!(chosen(&["linux/s390x"], Some("linux/amd64")), "linux/s390x");
        let refused = refusal(&index(&["linux/arm64", "linux/amd64"], &["x:1"]), Some("linux/arm"));
        assert!(
            refused.ends_with("has no image for linux/arm/v7") || refused.ends_with("linux/arm"),
            "{refused}"
        );
        // The config of the preferred child is absent.
        let mut sparse = index(&["linux/amd64", "linux/arm64"], &["x:1"]);
        let OutBody::Manifest { config, .. } = &mut sparse.documents[0].body else { panic!("a manifest") };
        config.present = false;
        assert!(text(&sparse, None).expect("written").contains(&blob_path(&Digest::sha256(b"linux/arm64"))));
    }

    #[test]
    fn roots_of_one_image_share_an_item() {
        let mut output = index(&["linux/amd64", "linux/arm64"], &["x:1", "y:1", "x:1"]);
        output.roots.push(root(&Digest::sha256(b"m linux/amd64"), "z:1"));
        let written = text(&output, None).expect("written");
        assert_eq!(written.matches("Config").count(), 1);
        assert!(
            written.contains(
                r#""RepoTags":["docker.io/library/x:1","docker.io/library/y:1","docker.io/library/z:1"]"#
            ),
            "{written}"
        );
        output.roots.push(root(&Digest::sha256(b"m linux/arm64"), "x:1"));
        assert_eq!(refusal(&output, None), "x:1 would name two images of one docker-archive");
    }

    #[test]
    fn what_cannot_be_loaded_is_refused() {
        let mut absent = output("a:1");
        let OutBody::Manifest { layers, .. } = &mut absent.documents[0].body else { panic!("a manifest") };
        layers[0].present = false;
        assert!(refusal(&absent, None).starts_with("layer sha256:a3ed"));
        let mut artifact = output("a:1");
        let OutBody::Manifest { image, .. } = &mut artifact.documents[0].body else { panic!("a manifest") };
        *image = None;
        assert_eq!(text(&artifact, None).expect_err("refused").help(), Some("use oci-archive:"));
    }
}
