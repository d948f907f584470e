//! How the blob of a digest is found, which is what forms differ in most.

use crate::digest::Digest;
use crate::error::Result;
use crate::location::MemberId;
use crate::source::Tree;

/// What is looked for: some forms keep manifests elsewhere than blobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sought {
    /// A manifest or index.
    Manifest,
    /// A config, a layer or anything else.
    Blob,
}

/// Finds what a digest names.
pub trait Find {
    /// The member that holds it; `None` if the archive lacks it. What is fetched from elsewhere becomes a member of the tree
    /// ([`Tree::add`]).
    ///
    /// # Errors
    ///
    /// Nobody can tell, as the place where it would be cannot be asked.
    fn find(&mut self, tree: &mut Tree, digest: &Digest, sought: Sought) -> Result<Option<MemberId>>;
}

/// Where everything is listed, its name is looked up.
impl<F: FnMut(&Tree, &Digest, Sought) -> Option<MemberId>> Find for F {
    fn find(&mut self, tree: &mut Tree, digest: &Digest, sought: Sought) -> Result<Option<MemberId>> {
        Ok(self(tree, digest, sought))
    }
}

/// Of what holds nothing that is called by its digest.
impl Find for () {
    fn find(&mut self, _: &mut Tree, _: &Digest, _: Sought) -> Result<Option<MemberId>> {
        Ok(None)
    }
}
