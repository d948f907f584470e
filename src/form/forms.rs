//! The list of forms.

use super::format::{Capabilities, Format, Forms, HeldNames, Writing};
use super::{docker_archive, oci_layout, registry_storage, skopeo_dir};
use crate::error::Error;
use crate::model::{Form, Standing};

/// Every form of restow, one a line.
///
/// A dual archive (Docker 25 and later) is recognised as a docker-archive, which reads the union of both halves.
pub static FORMS: Forms = Forms(&[
    &docker_archive::FORMAT,
    &oci_layout::FORMAT,
    &skopeo_dir::FORMAT,
    &registry_storage::FORMAT,
    &REGISTRY,
]);

/// What a form has at a name. Of forms that others add, and of registries, all is taken to be theirs; what is no form has nothing.
pub fn standing(form: Form, name: &str) -> Standing {
    match FORMS.reading(form) {
        Some(reading) => (reading.standing)(name),
        None if form.is_lone() || form == Form::Unknown => Standing::Nothing,
        None => Standing::Own,
    }
}

/// A live registry, whether or not this program can talk to one: whoever has its address and credentials does.
static REGISTRY: Format = Format {
    form: Form::Registry,
    title: "registry",
    transports: &[("docker", &PUSH)],
    named: false,
    reading: None,
};

/// Sending to a registry.
pub static PUSH: Writing = Writing {
    id: "docker",
    can: Capabilities {
        stream: false,
        spool: false,
        names: HeldNames::Repository,
        referrers: true,
        revisions: true,
    },
    create: |_, _| Err(Error::refused("nothing is to be pushed")),
};
