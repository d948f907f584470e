//! Twelve kinds of damage to a storage, planted one by one, with what is to be found of each: by scrubs, and by what mends.

use std::path::Path;

use restow::digest::Digest;

use super::storage::{Image, Storage};

/// What befalls an image of a storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// One bit of a layer is other than it was.
    FlippedLayer,
    /// A layer ends too early.
    CutLayer,
    /// A layer has no bytes at all.
    EmptyLayer,
    /// A layer is gone.
    NoLayer,
    /// The config is gone.
    NoConfig,
    /// The manifest is gone, and its links are there.
    NoManifest,
    /// One bit of the manifest is other than it was, and it is no JSON any more.
    FlippedManifest,
    /// The repository has no link to a layer that is there.
    NoLayerLink,
    /// The repository has no link to the manifest.
    NoRevision,
    /// The link of the tag has no bytes.
    EmptyTag,
    /// The link of a layer says another digest than its path.
    OtherLink,
    /// A layer stands in a folder where no registry looks.
    MovedLayer,
}

use Damage::*;

/// All of them.
pub const ALL: [Damage; 12] = [
    FlippedLayer,
    CutLayer,
    EmptyLayer,
    NoLayer,
    NoConfig,
    NoManifest,
    FlippedManifest,
    NoLayerLink,
    NoRevision,
    EmptyTag,
    OtherLink,
    MovedLayer,
];

impl Damage {
    /// Rules that find it, at the level of warnings or above; each says that it breaks the image's tags, if `affects`.
    pub fn rules(self) -> &'static [&'static str] {
        match self {
            FlippedLayer => &["blob/digest-mismatch"],
            CutLayer => &["blob/digest-mismatch"],
            EmptyLayer => &["blob/digest-mismatch"],
            NoLayer | NoConfig | MovedLayer => &["blob/missing"],
            NoManifest => &["blob/missing"],
            FlippedManifest => &["blob/digest-mismatch"],
            NoLayerLink => &["storage/missing-layer-link"],
            NoRevision => &["storage/missing-revision"],
            EmptyTag => &["storage/bad-link"],
            OtherLink => &["storage/link-mismatch"],
        }
    }

    /// Whether it says which tags it breaks: a link that says nothing belongs to none.
    pub fn affects(self) -> bool {
        !matches!(self, EmptyTag | OtherLink)
    }

    /// Whether each tag has a finding of its own, at its link.
    pub fn is_told_of_each_tag(self) -> bool {
        matches!(self, NoManifest | NoRevision)
    }

    /// Does it to an image under a tag.
    pub fn plant(self, storage: &Storage, repository: &str, tag: &str, image: &Image) {
        let layer = image.layers.last().expect("an image with layers");
        let data = storage.data(layer);
        let remove = |path: &Path| std::fs::remove_file(path).expect("removed");
        match self {
            FlippedLayer => flip(&data),
            CutLayer => cut(&data),
            EmptyLayer => std::fs::write(&data, b"").expect("written"),
            NoLayer => remove(&data),
            NoConfig => remove(&storage.data(&image.config)),
            NoManifest => remove(&storage.data(&image.manifest)),
            FlippedManifest => {
                let path = storage.data(&image.manifest);
                let mut bytes = std::fs::read(&path).expect("read");
                let at = bytes.iter().position(|byte| *byte == b':').expect("a manifest");
                bytes[at] ^= 1;
                std::fs::write(path, bytes).expect("written");
            }
            NoLayerLink => remove(&storage.link_of(repository, "_layers", layer)),
            NoRevision => remove(&storage.link_of(repository, "_manifests/revisions", &image.manifest)),
            EmptyTag => std::fs::write(storage.tag_of(repository, tag), b"").expect("written"),
            OtherLink => {
                let link = storage.link_of(repository, "_layers", layer);
                std::fs::write(link, image.config.as_str()).expect("written");
            }
            MovedLayer => {
                let moved = data.to_string_lossy().replacen(
                    &format!("/sha256/{}/", &layer.encoded()[..2]),
                    &format!("/sha256/{}/", other_folder(layer)),
                    1,
                );
                std::fs::create_dir_all(Path::new(&moved).parent().expect("a folder")).expect("a folder");
                std::fs::rename(&data, moved).expect("moved");
            }
        }
    }
}

fn other_folder(digest: &Digest) -> &'static str {
    if digest.encoded().starts_with("00") { "01" } else { "00" }
}

/// Changes one bit in the middle of a file.
fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).expect("written");
}

/// Takes the second half of a file away.
fn cut(path: &Path) {
    let bytes = std::fs::read(path).expect("read");
    std::fs::write(path, &bytes[..bytes.len() / 2]).expect("written");
}
