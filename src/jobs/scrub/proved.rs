//! What a state proves of the blobs of its storage, for whoever would rather not read them again.

use std::path::Path;

use super::key::Key;
use super::state::State;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::form::registry_storage::stored::Stored;
use crate::store::Access;

/// A state beside the storage that it is about.
pub struct Proved {
    state: State,
    stored: Stored,
}

impl Proved {
    /// The state of this storage, which was typed so.
    ///
    /// # Errors
    ///
    /// There is no state, it cannot be read, or is that of another storage.
    pub fn of(state: &Path, typed: &str, stored: Stored, access: &Access) -> Result<Proved> {
        let (known, meta) = State::existing(state, access)?;
        if (meta.form.as_str(), meta.place.as_str()) != ("registry-storage", stored.identity()?.as_str()) {
            let message = format!("{} is the state of {}, not of {typed}", state.display(), meta.place);
            let help = "give the state that a scrub of this storage has written";
            return Err(Error::refused_help(message, help));
        }
        Ok(Proved { state: known, stored })
    }

    /// Whether a blob was read, was what its digest says, and has the size and the time that it had then.
    ///
    /// # Errors
    ///
    /// The state or the storage cannot be read.
    pub fn is_right(&self, digest: &Digest) -> Result<bool> {
        let Some(row) = self.state.blob(&Key::of(digest))? else { return Ok(false) };
        let Some(listed) = self.stored.blob(digest)? else { return Ok(false) };
        let read = row.read.as_ref().and_then(|read| read.facts.as_ref());
        let right = read.is_some_and(|facts| facts.digest_like(digest) == Some(digest));
        Ok(right && row.is_of(&listed))
    }
}
