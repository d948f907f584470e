//! What a `dir:` layout is to the rest of the program.

use super::{detect, open, skopeo_dir};
use crate::digest::Digest;
use crate::form::docker_archive;
use crate::form::format::{Capabilities, Format, HeldNames, Reading, Writing};
use crate::model::{Form, Sought, Standing};
use crate::source::{MemberName, Tree};

/// The form.
pub static FORMAT: Format = Format {
    form: Form::Dir,
    title: "dir: layout",
    transports: &[("dir", &WRITING)],
    named: false,
    reading: Some(Reading { detect, accepts_damaged, standing, place, open }),
};

/// A folder of one image.
pub static WRITING: Writing = Writing {
    id: "dir",
    can: Capabilities {
        stream: false,
        spool: false,
        names: HeldNames::No,
        referrers: false,
        revisions: false,
    },
    create: |out, options| skopeo_dir(out.path("dir")?, options),
};

fn accepts_damaged(tree: &Tree) -> bool {
    tree.get(b"manifest.json").is_some() && !docker_archive::detect(tree)
}

fn standing(name: &str) -> Standing {
    if matches!(name, "version" | "manifest.json") { Standing::Own } else { Standing::Nothing }
}

fn place(_: &Tree, digest: &Digest, sought: Sought) -> Option<MemberName> {
    Some(match sought {
        Sought::Manifest => format!("{}.manifest.json", digest.encoded()).into(),
        Sought::Blob => digest.encoded().into(),
    })
}
