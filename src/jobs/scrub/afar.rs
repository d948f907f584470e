//! A state that is kept in a bucket, for machines that lose their disks: a file here, which is sent every five minutes and at
//! the end.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::{Context as _, Error, ErrorKind, Result};
use crate::store::{Access, Address, Bucket, If};

/// Seconds between two times at which it is sent.
const EVERY: u64 = 300;

/// The bucket that a state is kept in, if it is in one.
#[derive(Clone, Default)]
pub struct Keep {
    /// Held while rows are written, and while the file is copied.
    gate: Arc<Mutex<()>>,
    afar: Option<Arc<Afar>>,
}

/// Where a state is kept.
struct Afar {
    bucket: Bucket,
    dir: tempfile::TempDir,
    /// What must be there for it to be written: what was fetched, or sent last.
    there: Mutex<If>,
}

impl Keep {
    /// Fetches the state at an address; there may be none yet.
    ///
    /// # Errors
    ///
    /// The bucket cannot be read, or the file not be written.
    pub fn fetch(address: &Address, access: &Access) -> Result<Keep> {
        let bucket = Bucket::open(address, access)?;
        if address.prefix.is_empty() {
            let message = format!("{address} names no object");
            return Err(Error::refused_help(message, format!("write --state {address}/scrub.db")));
        }
        let dir = tempfile::Builder::new()
            .prefix(".restow-")
            .tempdir()
            .at("cannot make a folder in", std::env::temp_dir())?;
        let mut there = If::Absent;
        if let Some(mut got) = bucket.get("", None)? {
            let path = dir.path().join("state");
            let mut file = std::fs::File::create(&path).at("cannot write", &path)?;
            io::copy(&mut got.reader, &mut file).at("cannot read", address.to_string())?;
            there = If::Same(got.written);
        }
        let afar = Afar { bucket, dir, there: Mutex::new(there) };
        Ok(Keep { afar: Some(Arc::new(afar)), ..Keep::default() })
    }

    /// The file here.
    pub fn path(&self) -> PathBuf {
        self.afar.as_ref().map(|afar| afar.dir.path().join("state")).unwrap_or_default()
    }

    /// While it is held, nobody else writes or copies the file.
    pub fn gate(&self) -> MutexGuard<'_, ()> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what the file holds now.
    fn send(&self) -> Result<()> {
        let Some(afar) = &self.afar else { return Ok(()) };
        let mut there = afar.there.lock().unwrap_or_else(PoisonError::into_inner);
        let path = afar.dir.path().join("copy");
        {
            // Between two commits it is whole.
            let _whole = self.gate();
            std::fs::copy(self.path(), &path).at("cannot copy the state to", &path)?;
        }
        let written = afar.bucket.put_file("", &path, &there);
        let _ = std::fs::remove_file(&path);
        match written? {
            Some(written) => *there = If::Same(written),
            None => {
                let message = format!("{} was written by somebody else meanwhile", afar.bucket.address());
                let help = "give each run and each part a --state of its own";
                return Err(Error::refused_help(message, help).of(ErrorKind::Changed));
            }
        }
        Ok(())
    }
}

/// Does a job, and sends its state every five minutes meanwhile, and at the end, however it ends.
///
/// # Errors
///
/// The job's, or that the state cannot be sent at the end.
pub fn kept<T>(keep: &Keep, job: impl FnOnce() -> Result<T>) -> Result<T> {
    if keep.afar.is_none() {
        return job();
    }
    let every = std::env::var("RESTOW_STATE_SECONDS").ok().and_then(|text| text.parse().ok());
    let every = Duration::from_secs(every.unwrap_or(EVERY).max(1));
    let over = (Mutex::new(false), Condvar::new());
    let done = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut ended = over.0.lock().unwrap_or_else(PoisonError::into_inner);
            while !*ended {
                let waited = over.1.wait_timeout(ended, every).unwrap_or_else(PoisonError::into_inner);
                ended = waited.0;
                if !*ended && waited.1.timed_out() {
                    drop(ended);
                    // What fails now may go well the next time; at the end it is told.
                    let _ = keep.send();
                    ended = over.0.lock().unwrap_or_else(PoisonError::into_inner);
                }
            }
        });
        let done = job();
        *over.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        over.1.notify_all();
        done
    });
    let sent = keep.send();
    let done = done?;
    sent?;
    Ok(done)
}
