//! Buckets of object stores: what is in them, and the bytes of each object; they know no image.
//!
//! Synchronous outside, as the rest is: what is asynchronous inside stays in this room (`block`). Requests are made by
//! [`http`](crate::http), signed and tried again by `object_store`.

mod access;
mod address;
#[cfg(feature = "cloud")]
mod block;
#[cfg(feature = "cloud")]
mod bucket;
#[cfg(feature = "cloud")]
mod fault;
#[cfg(feature = "cloud")]
mod make;
#[cfg(feature = "cloud")]
mod pages;
#[cfg(feature = "cloud")]
mod profile;
#[cfg(feature = "cloud")]
mod wire;

pub use access::Access;
pub use address::{Address, Scheme};
#[cfg(feature = "cloud")]
pub use bucket::{Bucket, Got, If, Object, Written, md5};

/// What is said of a bucket by a restow that can open none.
#[cfg(not(feature = "cloud"))]
pub fn absent(address: &Address) -> crate::error::Error {
    use crate::error::{Error, ErrorKind};
    let message = format!("{address}: this restow was built without buckets");
    let help = "cargo install restow --features cloud builds one that opens them";
    Error::refused_help(message, help).of(ErrorKind::Unsupported)
}
