//! One folder per archive form: how to recognise it, read it, and write it. [`open()`] reads any; what writes is a
//! [`Sink`](sink::Sink).
//!
//! # How to add a form
//!
//! 1. A folder: `mod.rs` recognises it (by names and first bytes only) and reads it, `write.rs` has its sink, and `form.rs` its
//!    [`Format`], with a [`Writing`] for each way in which it can be written.
//! 2. One line in [`FORMS`].
//! 3. One good case in `corpus/`; the conversion matrix picks it up by itself.
//!
//! A list of one's own ([`Forms`]) does instead of the second step: [`open_among()`] and
//! `Place::among` take one.

pub mod apart;
#[cfg(feature = "registry")]
mod at_once;
mod detect;
pub mod docker_archive;
mod format;
mod forms;
pub mod gathered;
#[cfg(feature = "serve")]
pub mod held;
pub mod lone;
#[cfg(test)]
mod made_up;
pub mod mend;
mod nested;
pub mod oci_layout;
mod open;
pub mod place;
pub mod preview;
#[cfg(feature = "registry")]
pub mod registry;
pub mod registry_storage;
pub mod rehearsal;
pub mod seek;
pub mod sink;
pub mod skopeo_dir;
pub mod stored;
pub mod write;

pub use detect::Input;
pub use format::{Capabilities, Format, Forms, HeldNames, Out, Reading, Transport, Writing};
pub use forms::{FORMS, PUSH, standing};
pub use oci_layout::OCI_LAYOUT;
pub use open::{Alone, OpenOptions, open, open_among};
pub use registry_storage::base as storage_base;
