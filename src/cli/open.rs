//! Opens what a command was given.

use std::io::{self, IsTerminal};

use super::meant;
use super::progress::Told;
use super::remote::Side;
use super::shell::Shell;
use crate::error::{Error, ErrorKind, Result};
use crate::platform::Specifier;
use crate::registry::Options as RegistryOptions;
use crate::{Archive, Place, Source};

/// Opens a place for reading; `change` says how, where it is not the usual way.
pub(super) fn open(
    place: &Place,
    (side, platforms): (Side, &[Specifier]),
    shell: &Shell,
    change: impl FnOnce(Source) -> Source,
) -> Result<Archive> {
    let told = Told::new(&shell.common);
    let options = shell.options(&told, place.is_remote())?;
    crate::open(change(source(place, side, platforms, shell)?), &options)
}

/// A place to read, with what was given for its registry.
pub(super) fn source(place: &Place, side: Side, platforms: &[Specifier], shell: &Shell) -> Result<Source> {
    if place.is_standard() && io::stdin().is_terminal() {
        return Err(Error::refused_help("standard input is a terminal", "pipe an archive into restow"));
    }
    if let Some(error) = place.transport.is_none().then(|| meant::source(&place.text, &shell.typed)).flatten()
    {
        return Err(error.of(ErrorKind::NotFound));
    }
    let registry = RegistryOptions { platforms: platforms.to_vec(), ..shell.registry(place, side)? };
    Ok(Source::from(place.clone()).registry(registry))
}

/// Refuses standard output where an archive would be lost on it.
pub(super) fn standard_output() -> Result<()> {
    if io::stdout().is_terminal() {
        return Err(Error::refused_help(
            "standard output is a terminal",
            "send the archive to a file or a pipe",
        ));
    }
    if goes_nowhere() {
        return Err(Error::refused_help(
            "standard output is closed, and would lose the archive",
            "send the archive to a file or a pipe",
        ));
    }
    Ok(())
}

/// Whether standard output was closed when the process started. Rust then opens `/dev/null` in its place, for reading
/// and writing, so that writing seems to succeed; a shell opens it for writing only.
fn goes_nowhere() -> bool {
    use rustix::fs::{OFlags, fcntl_getfl, fstat, stat};
    let out = io::stdout();
    let both = fcntl_getfl(&out).is_ok_and(|flags| flags & OFlags::ACCMODE == OFlags::RDWR);
    both && matches!((fstat(&out), stat("/dev/null")), (Ok(out), Ok(null)) if out.st_rdev == null.st_rdev)
}
