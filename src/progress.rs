//! How a job tells how far it is, and is told to stop. No state of the process is part of it.

/// A stretch of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// A source is opened: a stream is spooled. How long it is, nobody knows.
    Open,
    /// Blobs are read to be judged.
    Check,
    /// Blobs are read and written.
    Convert,
}

/// Is told how a job goes on, from any of its threads, and asked whether it shall go on.
pub trait Progress: Sync {
    /// A stretch begins, in which so many bytes are to be read; 0 where nobody knows.
    fn begin(&self, _phase: Phase, _total: u64) {}

    /// So many bytes more were read.
    fn read(&self, _bytes: u64) {}

    /// A blob of that stretch is begun: what it is called, and its bytes as they are stored. Whoever is given is told of it
    /// alone, and dropped when it is done; [`read`](Progress::read) is told the same bytes.
    fn blob(&self, _name: &str, _size: u64) -> Option<Box<dyn BlobProgress + '_>> {
        None
    }

    /// The stretch is over, whether it went well or not.
    fn end(&self) {}

    /// Whether to stop: the job then ends with [`Error::Cancelled`](crate::error::Error::Cancelled) before it reads on,
    /// and removes what it staged. Asked before every blob and with every read of one.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Is told how the reading of one blob goes on.
pub trait BlobProgress: Sync {
    /// So many bytes more of it were read.
    fn read(&self, bytes: u64);
}

/// Nobody listens, and nobody stops it.
impl Progress for () {}
