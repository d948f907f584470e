//! What registry storage is to the rest of the program.

use super::{blob_place, detect, open, storage};
use crate::digest::Digest;
use crate::form::format::{Capabilities, Format, HeldNames, Reading, Writing};
use crate::model::{Form, Sought, Standing};
use crate::source::{MemberName, Tree};

/// The form.
pub static FORMAT: Format = Format {
    form: Form::RegistryStorage,
    title: "registry storage",
    transports: &[("registry-storage", &WRITING)],
    named: true,
    // By its folders it is known or it is not.
    reading: Some(Reading { detect, accepts_damaged: |_| false, standing, place, open }),
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

/// Links.
fn standing(name: &str) -> Standing {
    if name.contains("/_") && name.ends_with("/link") { Standing::Own } else { Standing::Nothing }
}

fn place(tree: &Tree, digest: &Digest, _: Sought) -> Option<MemberName> {
    blob_place(tree, digest).map(MemberName::from)
}
