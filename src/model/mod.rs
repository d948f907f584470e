//! The image graph that every form is read into.
//!
//! [`archive`] holds the data, [`view`] the lenient views over documents, [`build`] what the readers in
//! [`format`](crate::form) use to make it, [`legacy`] what came before content addressing,
//! [`statement`] what attestations say.

pub mod archive;
pub mod build;
pub mod legacy;
pub mod statement;
pub mod view;

pub use archive::{
    Anomaly, Archive, Blob, BlobId, Body, DocId, DocKind, Document, Edge, Facts, ImageParts, Name, Node,
    NodeId, Part, Role, Root,
};
pub use view::{Config, Descriptor};
