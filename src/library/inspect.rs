//! Looking at an archive without reading its layers: what a [`View`] is made of, and the bytes of documents.
//!
//! # Example
//!
//! Prints the manifest of every image, byte for byte.
//!
//! ```
//! use restow::inspect::raw;
//!
//! fn manifests(path: &std::path::Path) -> restow::Result<()> {
//!     let archive = restow::open(path, &restow::Options::default())?;
//!     for entry in restow::inspect(&archive, &[])?.images {
//!         let names: Vec<String> = entry.names.into_iter().take(1).collect();
//!         println!("{}", String::from_utf8_lossy(&raw(&archive, &names, "manifest")?));
//!     }
//!     Ok(())
//! }
//! # let _ = manifests;
//! ```

use crate::error::Result;
#[cfg(feature = "cli")]
use crate::jobs::inspect::table;
#[cfg(feature = "cli")]
use crate::jobs::inspect::tree::{self, Look};
pub use crate::jobs::inspect::{Entry, Layer};
use crate::jobs::inspect::{View, raw as bytes};
use crate::model::select::Chosen;
use crate::model::{Archive, Root, select};
use crate::platform::Specifier;

/// What an archive holds, or what these names of images in it stand for.
///
/// # Errors
///
/// It holds nothing of such a name; there is more than anybody could read; the file changed meanwhile.
pub fn inspect(archive: &Archive, images: &[String]) -> Result<View> {
    inspect_for(archive, images, &[])
}

/// The same, and of it what is for these platforms, if there are any.
///
/// # Errors
///
/// As of [`inspect`], and none of them is for such a platform.
pub(crate) fn inspect_for(archive: &Archive, images: &[String], platforms: &[Specifier]) -> Result<View> {
    let view = View::of(archive, &chosen(archive, images, platforms)?)?;
    archive.unchanged()?;
    Ok(view)
}

/// The exact bytes of `index`, `manifest` or `config` of these images, or of the document of a digest, of which the first 12
/// characters are enough.
///
/// # Errors
///
/// No document fits, or several do; the file changed meanwhile.
pub fn raw(archive: &Archive, images: &[String], which: &str) -> Result<Vec<u8>> {
    raw_for(archive, images, &[], which)
}

/// The same, and of it what is for these platforms, if there are any.
///
/// # Errors
///
/// As of [`raw`], and no image is for such a platform.
pub(crate) fn raw_for(
    archive: &Archive,
    images: &[String],
    platforms: &[Specifier],
    which: &str,
) -> Result<Vec<u8>> {
    let found = bytes::document(archive, &chosen(archive, images, platforms)?, which)?;
    archive.unchanged()?;
    Ok(found)
}

/// What is looked at: images rather than the indexes that hold others, too, where platforms are named.
fn chosen(archive: &Archive, images: &[String], platforms: &[Specifier]) -> Result<Vec<Root>> {
    let roots = roots(archive, images)?;
    if platforms.is_empty() {
        return Ok(roots);
    }
    let whole = |(index, root)| Chosen { root, only: None, index };
    let (kept, _) =
        select::platforms(archive, roots.into_iter().enumerate().map(whole).collect(), platforms, false)?;
    let images = |chosen: Chosen| match chosen.only {
        None => vec![chosen.root],
        Some(only) => select::images_below(archive, chosen.root.node, chosen.root.descriptor.as_deref())
            .into_iter()
            .filter(|(node, _)| only.contains(node))
            .map(|(node, _)| Root { node, descriptor: None, ..chosen.root.clone() })
            .collect(),
    };
    Ok(kept.into_iter().flat_map(images).collect())
}

/// Without names, everything: revisions that no tag names too, which a conversion takes along only where they have a place.
pub(super) fn roots(archive: &Archive, images: &[String]) -> Result<Vec<Root>> {
    if images.is_empty() {
        return Ok(archive.roots.clone());
    }
    Ok(select::roots(archive, images)?.into_iter().map(|chosen| chosen.root).collect())
}

#[cfg(feature = "cli")]
impl View {
    /// All that is known, as a tree for people.
    pub fn to_tree(&self, look: Look) -> String {
        tree::render(self, look)
    }

    /// A line for each image, for people.
    pub fn to_table(&self, look: Look) -> String {
        table::render(self, look)
    }
}
