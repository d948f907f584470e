//! Opens what a command was given.

use std::io;

use super::progress::Told;
use super::remote::Side;
use super::shell::Shell;
use crate::error::{Error, Result};
use crate::{Archive, Place, Source};

/// Opens a place for reading; `change` says how, where it is not the usual way.
pub(super) fn open(
    place: &Place,
    side: Side,
    shell: &Shell,
    change: impl FnOnce(Source) -> Source,
) -> Result<Archive> {
    let told = Told::new(&shell.common);
    let options = shell.options(&told)?;
    crate::open(change(source(place, side, shell)?), &options)
}

/// A place to read, with what was given for its registry.
pub(super) fn source(place: &Place, side: Side, shell: &Shell) -> Result<Source> {
    if place.is_standard() && io::IsTerminal::is_terminal(&io::stdin()) {
        return Err(Error::refused_help("standard input is a terminal", "pipe an archive into restow"));
    }
    Ok(Source::from(place.clone()).registry(shell.registry(place, side)?))
}
