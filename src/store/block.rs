//! Waiting for what is asynchronous: in the thread that asks, which has nothing else to do.
//!
//! `object_store` is written for tokio. Here every request is made, and every body read, by the thread that wants it,
//! through [`http`](crate::http), which blocks as the rest of restow does; of tokio's runtime only the clock is used, for pauses
//! between tries. So there is one runtime a thread, without threads or sockets of its own.

use std::future::Future;

use tokio::runtime::{Builder, Runtime};

use super::wire;
use crate::error::{Error, Result};

thread_local! {
    static RUNTIME: std::io::Result<Runtime> = Builder::new_current_thread().enable_time().build();
}

/// Waits until something is done.
///
/// # Errors
///
/// The system has no room for what waits.
pub(super) fn on<T>(done: impl Future<Output = T>) -> Result<T> {
    wire::nobody_asked();
    RUNTIME.with(|runtime| match runtime {
        Ok(runtime) => Ok(runtime.block_on(done)),
        Err(error) => Err(Error::refused(format!("nothing can be waited for: {error}"))),
    })
}
