//! Opens what a command was given.

use std::io;

use super::progress::Told;
use super::remote::{self, Side};
use super::shell::Shell;
use crate::error::{Error, Result};
use crate::form::place::Place;
use crate::form::{self, OpenOptions};
use crate::model::{Archive, LoneKind};
use crate::source::SpoolDir;

/// Opens a place for reading.
pub(super) fn open(place: &Place, shell: &Shell, lone: Option<Option<LoneKind>>) -> Result<Archive> {
    if place.is_remote() {
        if lone.flatten().is_some() {
            let message = format!("{} is no single document or layer", place.text);
            return Err(Error::refused_help(message, "leave --as out"));
        }
        return remote::open(place, Side::First, true, shell, &shell.limits()?);
    }
    let options = shell.options()?;
    piped(place)?;
    form::open(
        place.input(),
        OpenOptions {
            place: &place.text,
            form: place.transport.map(|transport| transport.id()),
            limits: &options.limits,
            spool: &mut || SpoolDir::new(options.tmpdir.as_deref()),
            lone,
            progress: &Told::new(&shell.common),
        },
    )
}

/// Refuses standard input that is a terminal.
pub(super) fn piped(place: &Place) -> Result<()> {
    if place.is_standard() && io::IsTerminal::is_terminal(&io::stdin()) {
        return Err(Error::refused_help("standard input is a terminal", "pipe an archive into restow"));
    }
    Ok(())
}
