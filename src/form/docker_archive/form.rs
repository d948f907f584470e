//! What a docker-archive is to the rest of the program.

use super::manifest_json::manifest_json;
use super::{detect, open};
use crate::error::Error;
use crate::form::format::{Capabilities, Format, HeldNames, Reading, Writing};
use crate::form::oci_layout;
use crate::form::oci_layout::tar::{TarForm, tar};
use crate::model::{Form, Standing};
use crate::source::Tree;

/// The form.
pub static FORMAT: Format = Format {
    form: Form::DockerArchive,
    title: "docker-archive",
    transports: &[("docker-archive", &UNIVERSAL)],
    named: true,
    reading: Some(Reading { detect, accepts_damaged, standing, place: oci_layout::place, open }),
};

/// `manifest.json` beside `index.json`.
pub static TAR: TarForm = TarForm { more: Some(("manifest.json", manifest_json)), opener: open };

/// As all tools read it.
pub static UNIVERSAL: Writing = Writing {
    id: "docker-archive",
    can: Capabilities {
        stream: true,
        spool: false,
        names: HeldNames::Full,
        referrers: true,
        revisions: false,
    },
    create: |out, options| tar(out, &TAR, options),
};

/// As Docker 1.10 to 24 wrote it. Its names follow from what is to be written: see `legacy_file`.
pub static LEGACY: Writing = Writing {
    id: "docker-archive",
    can: Capabilities {
        stream: true,
        spool: false,
        names: HeldNames::Full,
        referrers: false,
        revisions: false,
    },
    create: |_, _| Err(Error::refused("the legacy form needs the plan first")),
};

fn accepts_damaged(tree: &Tree) -> bool {
    tree.get(b"manifest.json").is_some() || oci_layout::accepts_damaged(tree)
}

fn standing(name: &str) -> Standing {
    let v1 = name.get(64..).is_some_and(|rest| matches!(rest, "/json" | "/VERSION" | "/layer.tar"));
    match name {
        "manifest.json" | "oci-layout" | "index.json" => Standing::Own,
        _ if name == "repositories" || v1 => Standing::Legacy,
        _ => Standing::Nothing,
    }
}
