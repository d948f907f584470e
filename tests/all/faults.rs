//! Faults of the machine and of whoever sits at it: full disks, signals, closed pipes, sources that change, places that
//! are one another. Each ends with an exit code that says so, and leaves what was there as it was.
//!
//! Full and read-only disks are tmpfs mounts, for which one must be root. Where that is not allowed these tests say so
//! and pass, unless `CI=true` or `RESTOW_FAULTS=1` is set.

mod disk;
mod places;
pub mod signals;
mod streams;
