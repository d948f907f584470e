//! OCI layouts of many images, and folders of many layouts, as zot keeps them, as what is scrubbed: a layout is what a repository is
//! to a registry, with copies of its own of its blobs.

use std::sync::Arc;

use super::facts::Held;
use super::key::{Key, Within};
use super::parts::Parts;
use super::row::Shard;
use super::source::{Group, Looked, Source};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::form::oci_layout::piece::{self, Said};
use crate::form::oci_layout::stored::Layouts;
use crate::form::stored::{Link, Listed, Opened};
use crate::limits::Limits;
use crate::model::Archive;

/// Blobs that are listed together: their sizes are asked for one by one.
const GROUP: usize = 4_096;

/// The layouts in a folder.
pub struct OfLayouts {
    layouts: Layouts,
    limits: Limits,
}

impl OfLayouts {
    /// Layouts that are listed under these caps; fails if there is none.
    ///
    /// # Errors
    ///
    /// A folder cannot be listed, or there is none in it.
    pub fn new(typed: &str, layouts: Layouts, limits: &Limits) -> Result<OfLayouts> {
        if layouts.names()?.is_empty() {
            let reason = "neither it nor a folder in it is an OCI layout".to_owned();
            return Err(Error::NotAnArchive { place: typed.to_owned(), reason });
        }
        Ok(OfLayouts { layouts, limits: limits.clone() })
    }
}

/// The path of a layout.
fn path(within: &Within) -> &str {
    within.layout().unwrap_or_default()
}

impl Source for OfLayouts {
    fn is_there(&self) -> Result<()> {
        self.layouts.is_there()
    }

    fn repositories(
        &self,
        shard: Option<Shard>,
        wants: &mut dyn FnMut(&str) -> Result<bool>,
        each: &mut dyn FnMut(&str, Looked) -> Result<()>,
    ) -> Result<()> {
        for name in self.layouts.names()? {
            if wants(&name)?
                && let Some(looked) = self.repository(&name, shard)?
            {
                each(&name, looked)?;
            }
        }
        Ok(())
    }

    fn repository(&self, name: &str, _: Option<Shard>) -> Result<Option<Looked>> {
        let links = self.layouts.layout(name, &self.limits)?;
        Ok(links.map(|links| Looked { links, ..Looked::default() }))
    }

    fn blobs(
        &self,
        wants: &dyn Fn(&Digest) -> bool,
        each: &mut dyn FnMut(Group) -> Result<()>,
    ) -> Result<()> {
        let names = self.layouts.names()?;
        for (name, i) in names.iter().zip(1..) {
            let within = Within::Layout(name.as_str().into());
            let mut digests = self.layouts.digests(name)?;
            digests.retain(wants);
            let share = (i, names.len() as u64);
            let mut group = Group { within: within.clone(), share, ..Group::default() };
            for digest in digests {
                if group.blobs.len() >= GROUP {
                    let next = Group { within: within.clone(), share, ..Group::default() };
                    each(std::mem::replace(&mut group, next))?;
                }
                if let Some(listed) = self.layouts.blob(name, &digest)? {
                    group.until = Some(within.key(&digest).next());
                    group.blobs.push(listed);
                }
            }
            group.until = within.prefix().behind();
            each(group)?;
        }
        Ok(())
    }

    fn blob(&self, within: &Within, digest: &Digest) -> Result<Option<Listed>> {
        self.layouts.blob(path(within), digest)
    }

    fn open(&self, within: &Within, digest: &Digest) -> Result<Opened> {
        self.layouts.open(path(within), digest)
    }

    fn name(&self, within: &Within, digest: &Digest) -> String {
        Layouts::name(path(within), digest)
    }
}

/// A layout as an archive, by what was listed of it.
///
/// # Errors
///
/// A state cannot be read.
pub fn archive(
    parts: &Parts,
    within: &Within,
    links: &[Link],
    held: Arc<Held>,
    limits: &Limits,
) -> Result<Archive> {
    let said = links.iter().filter_map(|link| Said::read(&link.path, &link.text)).collect();
    let mut blobs = Vec::new();
    parts.blobs_of(within, &mut |_: &Key, digest, row| {
        blobs.push((digest, row.size));
        Ok(())
    })?;
    let place = &parts.meta().typed;
    let place = if path(within).is_empty() { place.clone() } else { format!("{place}/{}", path(within)) };
    piece::layout(&place, said, blobs, held, limits)
}
