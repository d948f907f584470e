//! What registry storage is to the rest of the program.

use super::{detect, open, storage};
use crate::form::format::{Capabilities, Format, HeldNames, Reading, Writing};
use crate::model::Form;

/// The form.
pub static FORMAT: Format = Format {
    form: Form::RegistryStorage,
    title: "registry storage",
    transports: &[("registry-storage", &WRITING)],
    named: true,
    // By its folders it is known or it is not.
    reading: Some(Reading { detect, accepts_damaged: |_| false, open }),
};

/// A folder for a registry to serve.
pub static WRITING: Writing = Writing {
    id: "registry-storage",
    can: Capabilities {
        stream: false,
        spool: true,
        names: HeldNames::Repository,
        referrers: true,
        revisions: true,
    },
    create: |out, options| storage(out.path("registry-storage")?, options),
};
