//! The kinds of documents that have a schema.

/// The kinds of documents that have a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentKind {
    /// A descriptor on its own.
    Descriptor,
    /// OCI image index, `index.json` included.
    OciIndex,
    /// OCI image manifest.
    OciManifest,
    /// OCI image config.
    OciConfig,
    /// The `oci-layout` file.
    OciLayout,
    /// Docker manifest list.
    DockerManifestList,
    /// Docker schema 2 manifest.
    DockerManifest,
    /// Docker schema 1 manifest, signed or not.
    DockerSchema1,
    /// Docker image config, v1.1 and v1.2.
    DockerConfig,
    /// `manifest.json` of a docker-archive.
    DockerArchiveManifest,
    /// `repositories` of a docker-archive.
    Repositories,
    /// v1 image JSON: `<id>/json`, and the text inside `v1Compatibility`.
    V1Json,
}

impl DocumentKind {
    /// Every kind, in the order in which they are listed to the user.
    pub const ALL: [DocumentKind; 12] = [
        DocumentKind::Descriptor,
        DocumentKind::OciIndex,
        DocumentKind::OciManifest,
        DocumentKind::OciConfig,
        DocumentKind::OciLayout,
        DocumentKind::DockerManifestList,
        DocumentKind::DockerManifest,
        DocumentKind::DockerSchema1,
        DocumentKind::DockerConfig,
        DocumentKind::DockerArchiveManifest,
        DocumentKind::Repositories,
        DocumentKind::V1Json,
    ];

    /// The name that `restow schema` takes; also the file's stem and the end of its `$id`.
    pub fn name(self) -> &'static str {
        match self {
            DocumentKind::Descriptor => "descriptor",
            DocumentKind::OciIndex => "oci-index",
            DocumentKind::OciManifest => "oci-manifest",
            DocumentKind::OciConfig => "oci-config",
            DocumentKind::OciLayout => "oci-layout",
            DocumentKind::DockerManifestList => "docker-manifest-list",
            DocumentKind::DockerManifest => "docker-manifest",
            DocumentKind::DockerSchema1 => "docker-schema1",
            DocumentKind::DockerConfig => "docker-config",
            DocumentKind::DockerArchiveManifest => "docker-archive-manifest",
            DocumentKind::Repositories => "repositories",
            DocumentKind::V1Json => "v1-json",
        }
    }

    /// The schema's text.
    pub fn text(self) -> &'static str {
        match self {
            DocumentKind::Descriptor => include_str!("../../schemas/descriptor.json"),
            DocumentKind::OciIndex => include_str!("../../schemas/oci-index.json"),
            DocumentKind::OciManifest => include_str!("../../schemas/oci-manifest.json"),
            DocumentKind::OciConfig => include_str!("../../schemas/oci-config.json"),
            DocumentKind::OciLayout => include_str!("../../schemas/oci-layout.json"),
            DocumentKind::DockerManifestList => include_str!("../../schemas/docker-manifest-list.json"),
            DocumentKind::DockerManifest => include_str!("../../schemas/docker-manifest.json"),
            DocumentKind::DockerSchema1 => include_str!("../../schemas/docker-schema1.json"),
            DocumentKind::DockerConfig => include_str!("../../schemas/docker-config.json"),
            DocumentKind::DockerArchiveManifest => include_str!("../../schemas/docker-archive-manifest.json"),
            DocumentKind::Repositories => include_str!("../../schemas/repositories.json"),
            DocumentKind::V1Json => include_str!("../../schemas/v1-json.json"),
        }
    }
}
