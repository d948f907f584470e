//! `restow inspect`: what is in an archive, as a tree for people or as JSON. Layers are not read.

use super::args::InspectArgs;
use super::open::open;
use super::remote::{self, Side};
use super::shell::Shell;
use crate::error::{Error, Result};
use crate::escape::escape_str;
use crate::form::place::Place;
use crate::inspect::{self, View, raw};
use crate::model::select;

pub(super) fn run(args: &InspectArgs, shell: &Shell) -> Result<u8> {
    let place = Place::parse(&args.source)?;
    if args.tags {
        return tags(&place, shell);
    }
    let archive = match place.is_remote() {
        true => remote::open(&place, Side::First, false, shell, &shell.limits()?)?,
        false => open(&place, shell, None)?,
    };
    let mut images = args.image.clone();
    images.extend(place.name.clone());
    let roots: Vec<_> = select::roots(&archive, &images)?.into_iter().map(|chosen| chosen.root).collect();
    if let Some(which) = &args.raw {
        shell.print_bytes(&raw::document(&archive, &roots, which)?)?;
        return Ok(0);
    }
    let view = View::of(&archive, &roots)?;
    archive.tree.unchanged()?;
    let text = if args.json { view.to_json() } else { inspect::tree::render(&view, shell.color_out()) };
    shell.print(&text)?;
    Ok(0)
}

/// The tags of a repository, without reading any image.
fn tags(place: &Place, shell: &Shell) -> Result<u8> {
    if !place.is_remote() {
        let help = "leave --tags out: the names of an archive are shown with its images";
        return Err(Error::refused_help("--tags goes with docker://HOST/NAME", help));
    }
    let names = remote::tags(place, shell)?;
    let lines: String = names.iter().map(|name| format!("{}\n", escape_str(name))).collect();
    shell.print(&lines)?;
    Ok(0)
}
