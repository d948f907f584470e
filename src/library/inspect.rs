//! Looking at an archive without reading its layers.

use crate::error::Result;
#[cfg(feature = "cli")]
use crate::inspect::table;
#[cfg(feature = "cli")]
use crate::inspect::tree::{self, Look};
use crate::inspect::{View, raw as bytes};
use crate::model::{Archive, Root, select};

/// What an archive holds, or what these names of images in it stand for.
///
/// # Errors
///
/// It holds nothing of such a name; there is more than anybody could read; the file changed meanwhile.
pub fn inspect(archive: &Archive, images: &[String]) -> Result<View> {
    let view = View::of(archive, &roots(archive, images)?)?;
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
    let found = bytes::document(archive, &roots(archive, images)?, which)?;
    archive.unchanged()?;
    Ok(found)
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
