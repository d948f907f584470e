//! Formats from before content addressing, and the names they need: chain IDs, Docker's v1 image IDs,
//! v1 image JSON and schema 1 manifests.
//!
//! Everything here is a pure function over bytes and the spanned JSON tree. What it writes is meant to be
//! byte for byte what Docker 1.10 to 24 writes, because those bytes decide IDs (formats.md A.1, A.2.1, B.6,
//! C.2); so it follows the rules of Go's JSON package (`go_json`) rather than restow's own writer.

mod chain_id;
mod docker_v1;
mod es256;
mod go_json;
pub mod jws;
pub mod schema1;
mod v1_config;
mod v1_convert;
mod v1_image;

pub use chain_id::chain_id;
pub use docker_v1::{LegacyLayer, legacy_layers};
pub use schema1::{Schema1, config_from_schema1};
pub use v1_convert::config_from_v1;
pub use v1_image::V1Image;

use crate::json::Kind;

/// A member of a v1 image JSON or config that Docker's decoder does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: expected {expected}", if pointer.is_empty() { "document" } else { pointer })]
pub struct DecodeError {
    /// JSON pointer of the value.
    pub pointer: String,
    /// What would be taken, such as `a string`.
    pub expected: &'static str,
}

impl DecodeError {
    fn expected(expected: &'static str) -> DecodeError {
        DecodeError { pointer: String::new(), expected }
    }

    /// The same error seen from one level up.
    fn within(mut self, name: &str) -> DecodeError {
        self.pointer.insert_str(0, &format!("/{}", name.replace('~', "~0").replace('/', "~1")));
        self
    }
}

/// Why no config can be made from v1 images.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LegacyError {
    /// There is no image to take a config from.
    #[error("no v1 image to make a config from")]
    NoImage,
    /// Images that have a layer and diff IDs differ in number.
    #[error("{images} v1 images have a layer, but {diff_ids} diff IDs are given")]
    LayerCount {
        /// Images with a layer.
        images: usize,
        /// Diff IDs.
        diff_ids: usize,
    },
    /// A v1 image JSON has a member of the wrong type.
    #[error("v1 image {index} (base = 0): {error}")]
    Decode {
        /// Which image, counted from the base.
        index: usize,
        /// What is wrong in it.
        error: DecodeError,
    },
}

/// The words for a kind of JSON value in messages.
fn kind_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Null => "null",
        Kind::Bool(_) => "a boolean",
        Kind::Number(_) => "a number",
        Kind::String(_) => "a string",
        Kind::Array(_) => "an array",
        Kind::Object(_) => "an object",
    }
}

#[cfg(test)]
mod testing {
    //! What the tests of several modules need.

    use std::path::PathBuf;

    use crate::digest::Digest;
    use crate::json::{self, Json};

    pub fn json(text: impl AsRef<[u8]>) -> Json {
        json::parse(text.as_ref(), 64).expect("test JSON parses")
    }

    pub fn sha256(hex: &str) -> Digest {
        Digest::from_sha256_hex(hex).expect("64 hex digits")
    }

    /// A file of the shared sample tree, if this machine has it.
    pub fn shared(path: &str) -> Option<Vec<u8>> {
        let root = std::env::var_os("RESTOW_SHARED").map(PathBuf::from);
        let root = root.unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")));
        std::fs::read(root.join(path)).ok()
    }

    /// The diff IDs D0 and D1 of the vectors of formats.md A.2.1.
    pub const D0: &str = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";
    pub const D1: &str = "84ff92691f909a05b224e1c56abb4864f01b4f8e3c854e4bb4c7baf1d3f6d652";
}
