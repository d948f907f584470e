//! The image graph that every form is read into.
//!
//! [`archive`] holds the data, [`view`] the lenient views over documents, [`build`] what the readers in
//! [`form`](mod@crate::form) use to make it, [`select`] which of its images are meant, [`legacy`] what came before content
//! addressing, [`statement`] what attestations say.

mod anomaly;
pub mod archive;
pub mod build;
mod by_node;
mod caps;
mod document;
mod find;
mod form;
pub mod kind;
pub mod legacy;
mod nesting;
pub mod partial;
mod parts;
pub mod referrers;
pub mod select;
pub mod statement;
mod texts;
pub mod view;

pub use anomaly::{Anomaly, Disagreement, LegacyProblem, LinkKind, StorageProblem, V1Problem};
pub use archive::{
    Archive, Blob, BlobId, Body, DocId, Edge, ImageParts, Name, Node, NodeId, Part, Role, Root, Via,
};
pub use document::{Check, DocKind, Document, Listed, Text};
pub use find::{Find, Sought};
pub use form::{Form, LoneKind, Standing};
pub use view::{Config, Descriptor};
