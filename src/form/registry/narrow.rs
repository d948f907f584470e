//! Only the images for some platforms: what is looked at with `--platform`.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::Read;

use super::crawl::{Crawl, Entry};
use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::json::{self, Value};
use crate::model::select;
use crate::model::view::{self, text};
use crate::platform::{Platform, Specifier};

/// An image at or below an entry point.
struct Image {
    digest: Digest,
    platform: Platform,
}

/// Lets the images for these platforms, with their attestations, take the place of the entry points. An image that is
/// the only one of its entry point keeps the tag.
///
/// # Errors
/// There is none; or a config, where an index does not say what its images are for, cannot be read.
pub(super) fn narrow(crawl: &mut Crawl<'_>, place: &str, wanted: &[Specifier]) -> Result<()> {
    if wanted.is_empty() {
        return Ok(());
    }
    let mut there: BTreeSet<String> = BTreeSet::new();
    let mut entries = Vec::new();
    for entry in &crawl.entries {
        let (images, attestations) = below(crawl, entry)?;
        there.extend(images.iter().map(|image| image.platform.normalised().to_string()));
        let hit = |image: &&Image| wanted.iter().any(|specifier| specifier.matches(&image.platform));
        let hits: Vec<&Image> = images.iter().filter(hit).collect();
        let tag = entry.tag.clone().filter(|_| hits.len() == 1);
        for image in hits {
            entries.push(Entry {
                repository: entry.repository,
                digest: image.digest.clone(),
                tag: tag.clone(),
            });
            let about = attestations.get(&image.digest).into_iter().flatten();
            entries.extend(about.map(|digest| Entry {
                repository: entry.repository,
                digest: digest.clone(),
                tag: None,
            }));
        }
    }
    if entries.is_empty() {
        let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        let there: Vec<String> = there.into_iter().collect();
        let have =
            if there.is_empty() { "no image of any platform".to_owned() } else { select::list(&there) };
        let message = format!("no image for {} in {place}", select::list(&wanted));
        return Err(Error::refused_help(message, format!("it holds {have}")).of(ErrorKind::NotFound));
    }
    crawl.keep(entries);
    Ok(())
}

/// Attestations by the digest of what they are about.
type Attestations = HashMap<Digest, Vec<Digest>>;

/// The images at or below an entry point, and the attestations beside them.
fn below(crawl: &Crawl<'_>, entry: &Entry) -> Result<(Vec<Image>, Attestations)> {
    let documents: HashMap<&Digest, &[u8]> = crawl
        .documents
        .iter()
        .filter(|found| found.repository == entry.repository)
        .map(|found| (&found.digest, &found.bytes[..]))
        .collect();
    let (mut images, mut attestations) = (Vec::new(), Attestations::new());
    let mut seen: HashSet<Digest> = HashSet::new();
    let mut open: Vec<(Digest, Option<Platform>)> = vec![(entry.digest.clone(), None)];
    while let Some((digest, described)) = open.pop() {
        let parsed = documents.get(&digest).and_then(|bytes| json::parse(bytes, crawl.depth()).ok());
        let Some(parsed) = parsed.filter(|_| seen.insert(digest.clone())) else { continue };
        let Some(children) = parsed.root.get("manifests").map(Value::items) else {
            let platform = match described {
                Some(platform) => Some(platform),
                None => own(crawl, entry.repository, &parsed.root)?,
            };
            images.extend(platform.map(|platform| Image { digest, platform }));
            continue;
        };
        // Backwards, because the last is taken first.
        for child in children.iter().rev() {
            let Some(child_digest) = text(child, "digest").and_then(|text| Digest::parse(&text).ok()) else {
                continue;
            };
            let about = child.get("annotations").and_then(|notes| text(notes, "vnd.docker.reference.digest"));
            if let Some(subject) = about.and_then(|text| Digest::parse(&text).ok()) {
                attestations.entry(subject).or_default().push(child_digest);
                continue;
            }
            let platform = child.get("platform").and_then(view::platform);
            open.push((child_digest, platform.filter(|platform| !platform.os.is_empty())));
        }
    }
    Ok((images, attestations))
}

/// What the config of an image says that it is for.
fn own(crawl: &Crawl<'_>, repository: usize, manifest: &Value) -> Result<Option<Platform>> {
    let Some(config) = manifest.get("config") else {
        // Schema 1 knows no other system (formats.md C.2).
        let architecture = manifest.get("fsLayers").and_then(|_| text(manifest, "architecture"));
        return Ok(architecture.map(|architecture| Platform {
            os: "linux".into(),
            architecture,
            ..Platform::default()
        }));
    };
    let Some(digest) = text(config, "digest").and_then(|text| Digest::parse(&text).ok()) else {
        return Ok(None);
    };
    let repository = &crawl.repositories[repository];
    let size = config.get("size").and_then(Value::as_u64);
    let Some(reader) = repository.blob(&digest, size)? else { return Ok(None) };
    let limit = repository.registries().limits().document_bytes;
    let mut bytes = Vec::new();
    let read = reader.take(limit).read_to_end(&mut bytes);
    read.map_err(|error| Error::io("cannot read", repository.shown(), error))?;
    let parsed = json::parse(&bytes, crawl.depth()).ok();
    Ok(parsed.and_then(|parsed| view::platform(&parsed.root)).filter(|platform| !platform.os.is_empty()))
}
