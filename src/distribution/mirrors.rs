//! Where an image is read from: the first of its mirrors that has it, or its own registry.

use std::sync::Arc;

use super::fault::Fault;
use super::manifests::Manifest;
use super::registries::Registries;
use super::repository::Repository;

impl Registries {
    /// The repository of these that has a manifest, mirrors first, and the manifest; `None` with the repository of its
    /// own name if none has it.
    ///
    /// # Errors
    /// It is blocked; or its own registry could not be asked, or refuses. What befell mirrors is no error.
    pub fn find(
        self: &Arc<Self>,
        domain: &str,
        path: &str,
        reference: &str,
    ) -> Result<(Repository, Option<Manifest>), Fault> {
        if let Some(file) = self.config.blocks(domain, path) {
            return Err(Fault::Blocked { name: format!("{domain}/{path}"), path: file.to_owned() });
        }
        let mut endpoints = self.config.endpoints(domain, path, reference.contains(':'));
        let own = endpoints.pop();
        for mirror in endpoints {
            let Ok(repository) = self.at(&mirror.domain, &mirror.path) else { continue };
            if let Ok(Some(manifest)) = repository.manifest(reference) {
                return Ok((repository, Some(manifest)));
            }
        }
        let (domain, path) = own.map_or((domain.to_owned(), path.to_owned()), |own| (own.domain, own.path));
        let repository = self.at(&domain, &path)?;
        let manifest = repository.manifest(reference)?;
        Ok((repository, manifest))
    }
}
