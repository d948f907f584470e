//! What an OCI layout is to the rest of the program.

use super::tar::{LAYOUT, tar};
use super::{blob_path, detect, layout_dir, open};
use crate::digest::Digest;
use crate::form::format::{Capabilities, Format, HeldNames, Reading, Writing};
use crate::model::{Form, Sought, Standing};
use crate::source::{MemberName, Tree};

/// The form.
pub static FORMAT: Format = Format {
    form: Form::Oci,
    title: "OCI layout",
    transports: &[("oci", &FOLDER), ("oci-archive", &TAR)],
    named: true,
    reading: Some(Reading { detect, accepts_damaged, standing, place, open }),
};

/// As a folder.
pub static FOLDER: Writing = Writing {
    id: "oci",
    can: Capabilities {
        stream: false,
        spool: true,
        names: HeldNames::Any,
        referrers: true,
        revisions: false,
    },
    create: |out, options| layout_dir(out.path("oci")?, options),
};

/// As a tar.
pub static TAR: Writing = Writing {
    id: "oci-archive",
    can: Capabilities {
        stream: true,
        spool: false,
        names: HeldNames::Any,
        referrers: true,
        revisions: false,
    },
    create: |out, options| tar(out, &LAYOUT, options),
};

/// The form of what holds blobs and nothing that names them: most writers put the documents last, so this is what is
/// left of a save that broke off. That is a fault of the image, not a question of the form.
pub(in crate::form) fn cut_short(tree: &Tree) -> bool {
    tree.has_below("blobs/sha256/")
}

pub(in crate::form) fn accepts_damaged(tree: &Tree) -> bool {
    detect(tree) || tree.get(b"index.json").is_some() || cut_short(tree)
}

fn standing(name: &str) -> Standing {
    if matches!(name, "oci-layout" | "index.json") { Standing::Own } else { Standing::Nothing }
}

pub(in crate::form) fn place(_: &Tree, digest: &Digest, _: Sought) -> Option<MemberName> {
    Some(blob_path(digest).into())
}
