//! The ways to write a file with holes.

/// The forms of sparse files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sparse {
    /// Type flag `S`, with the map in the header and in blocks after it.
    OldGnu,
    /// PAX form 0.0.
    Pax00,
    /// PAX form 0.1.
    Pax01,
    /// PAX form 1.0, with the map at the start of the data.
    Pax10,
}
