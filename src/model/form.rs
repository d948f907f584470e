//! The forms of archives, by name only: how each is read and written is the business of [`form`](crate::form).

use std::fmt;

/// The form that an archive was read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// What `docker save` writes.
    DockerArchive,
    /// An OCI layout, as folder or tar.
    Oci,
    /// The `dir:` layout of containers/image.
    Dir,
    /// Docker Distribution's storage.
    RegistryStorage,
    /// A live registry.
    Registry,
    /// A single document outside any archive.
    Document,
    /// A single layer outside any archive.
    Layer,
    /// What is left of an archive of which nothing tells the form.
    Unknown,
    /// One that is not among those of restow, by its name.
    Other(&'static str),
}

/// What a form has at a name, blobs apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// What it consists of.
    Own,
    /// What stands beside it for older readers.
    Legacy,
    /// Nothing.
    Nothing,
}

impl Form {
    /// The word for it: the transport that people type, where there is one.
    pub fn id(self) -> &'static str {
        match self {
            Form::DockerArchive => "docker-archive",
            Form::Oci => "oci",
            Form::Dir => "dir",
            Form::RegistryStorage => "registry-storage",
            Form::Registry => "docker",
            Form::Document => "document",
            Form::Layer => "layer",
            Form::Unknown => "unknown",
            Form::Other(id) => id,
        }
    }

    /// Whether it is a single document or layer, and no archive.
    pub fn is_lone(self) -> bool {
        matches!(self, Form::Document | Form::Layer)
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

/// What `--as` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoneKind {
    /// An image config.
    Config,
    /// A manifest.
    Manifest,
    /// An index or manifest list.
    Index,
    /// `manifest.json` of a docker-archive.
    DockerArchive,
    /// A schema 1 manifest.
    Schema1,
    /// `oci-layout`
    OciLayout,
    /// `repositories`
    Repositories,
    /// v1 image JSON.
    V1Image,
    /// A descriptor.
    Descriptor,
    /// A layer.
    Layer,
}
